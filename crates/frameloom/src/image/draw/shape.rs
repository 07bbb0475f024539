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
    let Some(bounds) = canvas.touched(edges) else { return };
    let columns = columns(edges, bounds);
    let covered = |y| rows_covered(edges, y);
    let is_repeated = |y| covered(y) == covered(y - 1);
    canvas.cover_rows(bounds, color, is_repeated, |y, row| scaled(&columns, covered(y), row));
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
        let within = |at: f64| at.clamp(0.0, last as f64) as usize;
        let begin = within(from.ceil()).next_multiple_of(UNIT).clamp(first, last);
        let end = within(to.floor()) / UNIT * UNIT;
        (begin, end.clamp(begin, last))
    };
    let (above, below) = within(inner[1], inner[3], (whole.top, whole.bottom));
    let (before, behind) = within(inner[0], inner[2], (whole.left, whole.right));
    let mut free = Vec::new();
    for part in [
        Bounds { bottom: above, ..whole },
        Bounds { top: above, bottom: below, right: before, ..whole },
        Bounds { top: above, bottom: below, left: behind, ..whole },
        Bounds { top: below, ..whole },
    ] {
        if part.left >= part.right || part.top >= part.bottom {
            continue;
        }
        let (outer_columns, inner_columns) = (columns(outer, part), columns(inner, part));
        free.resize(part.width(), 0);
        let covered = |y| (rows_covered(outer, y), rows_covered(inner, y));
        let is_repeated = |y| covered(y) == covered(y - 1);
        canvas.cover_rows(part, color, is_repeated, |y, row| {
            let (lined, cut) = covered(y);
            scaled(&outer_columns, lined, row);
            scaled(&inner_columns, cut, &mut free);
            let both = row.iter_mut().zip(&free);
            both.for_each(|(covered, free)| *covered -= (*free).min(*covered));
        });
    }
}

/// How far a rectangle covers each column of some pixels, 0 to 1.
fn columns([left, _, right, _]: [f64; 4], part: Bounds) -> Vec<f64> {
    (part.left..part.right).map(|x| overlap(left, right, x)).collect()
}

/// How far a rectangle covers a row, 0 to 1.
fn rows_covered([_, top, _, bottom]: [f64; 4], y: usize) -> f64 {
    overlap(top, bottom, y)
}

fn overlap(from: f64, to: f64, pixel: usize) -> f64 {
    (to.min(pixel as f64 + 1.0) - from.max(pixel as f64)).clamp(0.0, 1.0)
}

/// Columns in a row of which so much is covered, 0 to 255.
fn scaled(columns: &[f64], down: f64, row: &mut [u8]) {
    let factor = down * 255.0;
    row.iter_mut()
        .zip(columns)
        .for_each(|(out, column)| *out = (factor * column + 0.5) as i32 as u8);
}

/// How far a gray picture covers pixels, one value for each.
pub(super) struct Coverage {
    /// Its corner, from where it is drawn.
    pub(super) left: i64,
    pub(super) top: i64,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<u8>,
}

impl Coverage {
    /// Covers pixels with a colour; `at` is where it is drawn.
    pub(super) fn cover(&self, canvas: &mut Canvas<'_>, at: (i64, i64), color: Color) {
        let (left, top) = (at.0.saturating_add(self.left), at.1.saturating_add(self.top));
        let edges = [
            left as f64,
            top as f64,
            left as f64 + self.width as f64,
            top as f64 + self.height as f64,
        ];
        let Some(bounds) = canvas.touched(edges) else { return };
        canvas.cover(bounds, color, |y, row| {
            let begin =
                (y as i64 - top) as usize * self.width + (bounds.left as i64 - left) as usize;
            let values = self.values.get(begin..).unwrap_or_default();
            row.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
        });
    }
}

/// How far a path covers the pixels that it touches; `None` where it touches none.
pub(super) fn coverage(path: &Path) -> Option<Coverage> {
    let bounds = path.bounds();
    let (left, top) = (bounds.left().floor(), bounds.top().floor());
    let (width, height) =
        ((bounds.right().ceil() - left) as u32, (bounds.bottom().ceil() - top) as u32);
    let mut mask = Mask::new(width, height)?;
    mask.fill_path(path, FillRule::Winding, true, Transform::from_translate(-left, -top));
    Some(Coverage {
        left: left as i64,
        top: top as i64,
        width: width as usize,
        height: height as usize,
        values: mask.data().to_vec(),
    })
}
