//! Shapes, and how far they cover each pixel.

use tiny_skia::{FillRule, LineCap, LineJoin, Mask, Path, PathBuilder, Stroke, Transform};

use super::canvas::{Bounds, Canvas};
use super::color::Color;

/// The largest distance from the picture's corner at which a point is looked at, in pixels: lines that
/// go further are cut off there.
const FAR: f64 = 100_000.0;

/// How a line is drawn: as wide as this, with round ends.
fn stroke(width: f64) -> Stroke {
    Stroke {
        width: width as f32,
        line_cap: LineCap::Round,
        line_join: LineJoin::Round,
        ..Stroke::default()
    }
}

/// A line through some points; `None` where there are none, or one is not a number.
pub(super) fn polyline(points: &[[f64; 2]], is_closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (n, [x, y]) in points.iter().enumerate() {
        if x.is_nan() || y.is_nan() {
            return None;
        }
        let (x, y) = (x.clamp(-FAR, FAR) as f32, y.clamp(-FAR, FAR) as f32);
        if n == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    if let ([[x, y]], false) = (points, is_closed) {
        // A point is a line of no length, whose round ends show.
        path.line_to(*x as f32 + 0.01, *y as f32);
    }
    if is_closed {
        path.close();
    }
    path.finish()
}

/// A circle; `None` where it is none.
pub(super) fn circle([x, y]: [f64; 2], radius: f64) -> Option<Path> {
    let is_there = [x, y, radius].into_iter().all(|n| n.is_finite() && n.abs() <= FAR);
    let circle = || PathBuilder::from_circle(x as f32, y as f32, radius as f32);
    (is_there && radius > 0.0).then(circle).flatten()
}

/// Fills a path.
pub(super) fn fill(canvas: &mut Canvas<'_>, path: &Path, color: Color) {
    let bounds = path.bounds();
    let edges = [bounds.left(), bounds.top(), bounds.right(), bounds.bottom()].map(f64::from);
    let Some(bounds) = canvas.touched(edges) else { return };
    let (Ok(width), Ok(height)) = (u32::try_from(bounds.width()), u32::try_from(bounds.height()))
    else {
        return;
    };
    let Some(mut mask) = Mask::new(width, height) else { return };
    let to_mask = Transform::from_translate(-(bounds.left as f32), -(bounds.top as f32));
    mask.fill_path(path, FillRule::Winding, true, to_mask);
    let covered = mask.data();
    let (first, length) = (bounds.top, bounds.width());
    canvas.cover(bounds, color, |y, row| {
        let begin = (y - first) * length;
        row.copy_from_slice(&covered[begin..begin + length]);
    });
}

/// Draws along a path.
pub(super) fn line(canvas: &mut Canvas<'_>, path: &Path, color: Color, width: f64) {
    if !(width > 0.0 && width <= FAR) {
        return;
    }
    if let Some(outline) = path.stroke(&stroke(width), 1.0) {
        fill(canvas, &outline, color);
    }
}

/// Fills a rectangle whose edges may lie within pixels.
pub(super) fn fill_rectangle(canvas: &mut Canvas<'_>, edges: [f64; 4], color: Color) {
    if let Some(bounds) = canvas.touched(edges) {
        canvas.cover(bounds, color, |y, row| rectangle_row(edges, bounds, y, row));
    }
}

/// Draws the edges of a rectangle, with half of the line's width on either side of them.
pub(super) fn outline_rectangle(
    canvas: &mut Canvas<'_>,
    [left, top, right, bottom]: [f64; 4],
    color: Color,
    width: f64,
) {
    let half = width / 2.0;
    let outer = [left - half, top - half, right + half, bottom + half];
    let inner = [left + half, top + half, right - half, bottom - half];
    if inner[0] >= inner[2] || inner[1] >= inner[3] {
        return fill_rectangle(canvas, outer, color);
    }
    let Some(whole) = canvas.touched(outer) else { return };
    // What the line leaves free is not looked at. Pixels that share a sample stay together.
    const UNIT: usize = 4;
    let within = |from: f64, to: f64, (first, last): (usize, usize)| {
        let begin = (from.ceil().max(0.0) as usize).next_multiple_of(UNIT).clamp(first, last);
        let end = to.floor().max(0.0) as usize / UNIT * UNIT;
        (begin, end.clamp(begin, last))
    };
    let (above, below) = within(inner[1], inner[3], (whole.top, whole.bottom));
    let (before, behind) = within(inner[0], inner[2], (whole.left, whole.right));
    for part in [
        Bounds { bottom: above, ..whole },
        Bounds { top: above, bottom: below, right: before, ..whole },
        Bounds { top: above, bottom: below, left: behind, ..whole },
        Bounds { top: below, ..whole },
    ] {
        let mut free = Vec::new();
        canvas.cover(part, color, |y, row| {
            rectangle_row(outer, part, y, row);
            free.resize(row.len(), 0);
            rectangle_row(inner, part, y, &mut free);
            row.iter_mut().zip(&free).for_each(|(covered, free)| *covered -= (*free).min(*covered));
        });
    }
}

/// How far a rectangle covers the pixels of a row.
fn rectangle_row([left, top, right, bottom]: [f64; 4], part: Bounds, y: usize, row: &mut [u8]) {
    let overlap = |from: f64, to: f64, pixel: usize| {
        (to.min(pixel as f64 + 1.0) - from.max(pixel as f64)).clamp(0.0, 1.0)
    };
    let down = overlap(top, bottom, y);
    let inside = (down * 255.0).round() as u8;
    for (n, covered) in row.iter_mut().enumerate() {
        let x = part.left + n;
        let is_inside = x as f64 >= left && (x + 1) as f64 <= right;
        *covered = match is_inside {
            true => inside,
            false => (down * overlap(left, right, x) * 255.0).round() as u8,
        };
    }
}
