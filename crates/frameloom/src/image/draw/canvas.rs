//! Planes that are painted on: where each component's samples lie, and how a colour covers them.

use std::ops::Range;

use super::color::{Color, Model};
use crate::av::{Component, PixFmt};
use crate::image::convert::ColorSpec;
use crate::image::simd::{self, Kernel};

/// Whole pixels of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

impl Bounds {
    pub(super) fn width(&self) -> usize {
        self.right - self.left
    }

    pub(super) fn height(&self) -> usize {
        self.bottom - self.top
    }
}

/// One component of the picture.
#[derive(Clone, Copy)]
struct Part {
    samples: Component,
    /// Pixels that share a sample, as powers of two.
    log2: (u32, u32),
    /// 0 to 2 for the colours, 3 for the opacity.
    role: usize,
}

/// The planes of a picture.
pub(super) struct Canvas<'a> {
    planes: Vec<(&'a mut [u8], usize)>,
    parts: Vec<Part>,
    model: Model,
    pub(super) width: usize,
    pub(super) height: usize,
    /// The most pixels that share a sample, as powers of two.
    log2: (u32, u32),
    rows: Vec<Vec<u8>>,
    /// How far samples are covered that pixels share.
    shared: Vec<u8>,
}

impl<'a> Canvas<'a> {
    /// Of the planes of a picture; `None` for formats whose samples are not bytes of their own, and for
    /// planes that are too small.
    pub(super) fn new(
        format: PixFmt,
        color: ColorSpec,
        (width, height): (u32, u32),
        planes: Vec<(&'a mut [u8], usize)>,
    ) -> Option<Canvas<'a>> {
        let components = format.components()?;
        let shift = format.chroma_shift();
        let alpha = format.has_alpha().then(|| components.len() - 1);
        let part = |(n, samples): (usize, Component)| {
            let role = if alpha == Some(n) { 3 } else { n };
            let is_chroma = (role == 1 || role == 2) && !format.is_rgb();
            Part { samples, log2: if is_chroma { shift } else { (0, 0) }, role }
        };
        let parts: Vec<Part> = components.into_iter().enumerate().map(part).collect();
        let log2 = parts
            .iter()
            .fold((0, 0), |most, part| (part.log2.0.max(most.0), part.log2.1.max(most.1)));
        let model = if format.is_rgb() { Model::Rgb } else { Model::Yuv(color) };
        let (width, height) = (width as usize, height as usize);
        let (rows, shared) = (Vec::new(), Vec::new());
        let canvas = Canvas { planes, parts, model, width, height, log2, rows, shared };
        canvas.fits().then_some(canvas)
    }

    /// Whether the planes hold all samples.
    fn fits(&self) -> bool {
        self.parts.iter().all(|part| {
            let (columns, rows) = self.size(part);
            let row = part.samples.offset
                + columns.saturating_sub(1) * part.samples.step
                + part.samples.bytes();
            self.planes.get(part.samples.plane).is_some_and(|(data, stride)| {
                *stride >= row && data.len() >= rows.saturating_sub(1) * stride + row
            })
        })
    }

    /// Samples of a part, across and down.
    fn size(&self, part: &Part) -> (usize, usize) {
        (self.width.div_ceil(1 << part.log2.0), self.height.div_ceil(1 << part.log2.1))
    }

    /// The whole pixels that a rectangle touches; `None` where it lies outside or is no rectangle.
    pub(super) fn touched(&self, edges: [f64; 4]) -> Option<Bounds> {
        if edges.iter().any(|edge| edge.is_nan()) {
            return None;
        }
        let [left, top, right, bottom] = edges;
        let clip = |from: f64, to: f64, most: usize| {
            let (from, to) = (from.floor().max(0.0), to.ceil().min(most as f64));
            (from < to).then_some((from as usize, to as usize))
        };
        let (left, right) = clip(left, right, self.width)?;
        let (top, bottom) = clip(top, bottom, self.height)?;
        Some(Bounds { left, top, right, bottom })
    }

    /// Covers pixels with a colour. `coverage` writes for a row how far each pixel from
    /// `bounds.left` on is covered, from 0 to 255.
    pub(super) fn cover(
        &mut self,
        bounds: Bounds,
        color: Color,
        coverage: impl FnMut(usize, &mut [u8]),
    ) {
        self.cover_rows(bounds, color, |_| false, coverage);
    }

    /// The same where many rows are covered as the one above them, of which `is_repeated` tells.
    pub(super) fn cover_rows(
        &mut self,
        bounds: Bounds,
        color: Color,
        is_repeated: impl Fn(usize) -> bool,
        mut coverage: impl FnMut(usize, &mut [u8]),
    ) {
        let alpha = u32::from(color.alpha);
        if alpha == 0 || bounds.left >= bounds.right || bounds.top >= bounds.bottom {
            return;
        }
        let rgb = [color.red, color.green, color.blue].map(f32::from);
        let inks: Vec<i32> = self
            .parts
            .iter()
            .map(|part| self.model.samples(rgb, part.samples, part.role).round() as i32)
            .collect();
        // Pixels that share a sample are covered together.
        let (across, down) = (1usize << self.log2.0, 1usize << self.log2.1);
        let left = bounds.left / across * across;
        let right = bounds.right.next_multiple_of(across).min(self.width);
        let mut rows = std::mem::take(&mut self.rows);
        rows.resize_with(down, Vec::new);
        let mut top = bounds.top / down * down;
        while top < bounds.bottom {
            let within = down.min(self.height - top);
            for (n, row) in rows.iter_mut().enumerate().take(within) {
                row.clear();
                row.resize(right - left, 0);
                if (bounds.top..bounds.bottom).contains(&(top + n)) {
                    let inner = &mut row[bounds.left - left..bounds.right - left];
                    coverage(top + n, inner);
                    if alpha < 255 {
                        inner
                            .iter_mut()
                            .for_each(|a| *a = ((u32::from(*a) * alpha + 127) / 255) as u8);
                    }
                }
            }
            let are_repeated = |mut rows: Range<usize>| {
                rows.end <= bounds.bottom && rows.all(|row| row > bounds.top && is_repeated(row))
            };
            let mut next = top + down;
            if are_repeated(top + 1..next) {
                while are_repeated(next..next + down) {
                    next += down;
                }
            }
            let place = Blocks { left, top, count: (next - top) / down };
            let rows = &rows[..within];
            for columns in covered(rows) {
                for (n, ink) in inks.iter().enumerate() {
                    self.blend(n, *ink, place, rows, columns.clone());
                }
            }
            top = next;
        }
        self.rows = rows;
    }

    /// Covers the samples of a part by some columns of rows of pixels.
    fn blend(
        &mut self,
        part: usize,
        ink: i32,
        place: Blocks,
        rows: &[Vec<u8>],
        columns: Range<usize>,
    ) {
        let Part { samples, log2, .. } = self.parts[part];
        let (data, stride) = &mut self.planes[samples.plane];
        let period = *stride << (self.log2.1 - log2.1);
        let first = ((place.left + columns.start) >> log2.0) * samples.step + samples.offset;
        for (n, pixels) in rows.chunks(1 << log2.1).enumerate() {
            let begin = ((place.top >> log2.1) + n) * *stride + first;
            let covered = match (log2, pixels) {
                ((0, 0), [pixels]) => &pixels[columns.clone()],
                // 4:2:0, where nearly all pictures are: four pixels share a sample.
                ((1, 1), [above, below]) => {
                    let (above, below) = (&above[columns.clone()], &below[columns.clone()]);
                    self.shared.resize(above.len().div_ceil(2), 0);
                    simd::run(Share { above, below, shared: &mut self.shared });
                    &self.shared
                }
                _ => {
                    let across = 1 << log2.0;
                    let mean = |place: usize| {
                        let end = (place + across).min(columns.end);
                        let count = ((end - place) * pixels.len()) as u32;
                        let pixels = pixels.iter().flat_map(|row| &row[place..end]);
                        let sum: u32 = pixels.map(|covered| u32::from(*covered)).sum();
                        ((sum + count / 2) / count) as u8
                    };
                    self.shared.clear();
                    self.shared.extend(columns.clone().step_by(across).map(mean));
                    &self.shared
                }
            };
            if samples.bytes() == 1 && samples.step == 1 {
                let (out, count) = (&mut data[begin..], place.count);
                simd::run(Mix { out, period, count, covered, ink });
                continue;
            }
            for block in 0..place.count {
                let out = data[begin + block * period..].chunks_mut(samples.step);
                for (sample, covered) in out.zip(covered).filter(|(_, covered)| **covered > 0) {
                    mix(sample, samples, ink, i32::from(*covered));
                }
            }
        }
    }

    /// Covers pixels with colours of their own. `pixel` gives red, green, blue and opacity, each 0 to
    /// 255.
    pub(super) fn cover_with(
        &mut self,
        bounds: Bounds,
        mut pixel: impl FnMut(usize, usize) -> [u8; 4],
    ) {
        let (across, down) = (1usize << self.log2.0, 1usize << self.log2.1);
        let first = (bounds.left / across * across, bounds.top / down * down);
        let mut block = Vec::new();
        for top in (first.1..bounds.bottom).step_by(down) {
            for left in (first.0..bounds.right).step_by(across) {
                block.clear();
                let (right, bottom) =
                    ((left + across).min(self.width), (top + down).min(self.height));
                for y in top..bottom {
                    for x in left..right {
                        let is_within = (bounds.left..bounds.right).contains(&x)
                            && (bounds.top..bounds.bottom).contains(&y);
                        block.push(if is_within { pixel(x, y) } else { [0; 4] });
                    }
                }
                if block.iter().all(|[.., alpha]| *alpha == 0) {
                    continue;
                }
                self.cover_block((left, top), (right - left, bottom - top), &block);
            }
        }
    }

    /// Covers pixels that share samples, each with its colour.
    fn cover_block(&mut self, at: (usize, usize), size: (usize, usize), block: &[[u8; 4]]) {
        for n in 0..self.parts.len() {
            let Part { samples, log2, role } = self.parts[n];
            let (across, down) = (1usize << log2.0, 1usize << log2.1);
            for top in (0..size.1).step_by(down) {
                for left in (0..size.0).step_by(across) {
                    let (mut sum, mut opacity, mut count) = (0.0, 0.0, 0.0);
                    for y in top..(top + down).min(size.1) {
                        for x in left..(left + across).min(size.0) {
                            let [r, g, b, a] = block[y * size.0 + x].map(f32::from);
                            sum += self.model.samples([r, g, b], samples, role) * a;
                            opacity += a;
                            count += 1.0;
                        }
                    }
                    if opacity > 0.0 {
                        let (ink, covered) = ((sum / opacity).round() as i32, opacity / count);
                        let (x, y) = ((at.0 + left) >> log2.0, (at.1 + top) >> log2.1);
                        let (data, stride) = &mut self.planes[samples.plane];
                        let begin = y * *stride + x * samples.step + samples.offset;
                        mix(&mut data[begin..], samples, ink, covered.round() as i32);
                    }
                }
            }
        }
    }

    /// Replaces every sample within some pixels by what `change` makes of all of them: it gets each
    /// component by itself, with how many pixels share a sample, across and down.
    pub(super) fn change(
        &mut self,
        bounds: Bounds,
        mut change: impl FnMut(&mut [u16], (usize, usize), (usize, usize)),
    ) {
        let mut grid = Vec::new();
        for n in 0..self.parts.len() {
            let part = self.parts[n];
            if part.role == 3 {
                continue;
            }
            let (samples, log2) = (part.samples, part.log2);
            let (columns, rows) = self.size(&part);
            let (left, top) = (bounds.left >> log2.0, bounds.top >> log2.1);
            let right = bounds.right.div_ceil(1 << log2.0).min(columns);
            let bottom = bounds.bottom.div_ceil(1 << log2.1).min(rows);
            let (width, height) = (right - left, bottom - top);
            let (data, stride) = &mut self.planes[samples.plane];
            let place = |x: usize, y: usize| {
                (top + y) * *stride + (left + x) * samples.step + samples.offset
            };
            grid.clear();
            for y in 0..height {
                let row = &data[place(0, y)..];
                grid.extend(row.chunks(samples.step).take(width).map(|s| read(s, samples)));
            }
            change(&mut grid, (width, height), (1 << log2.0, 1 << log2.1));
            for y in 0..height {
                let begin = place(0, y);
                let row = data[begin..].chunks_mut(samples.step).take(width);
                for (sample, value) in row.zip(&grid[y * width..]) {
                    write(sample, samples, *value);
                }
            }
        }
    }
}

/// Rows of pixels that share samples, one below the other, and all of them covered alike.
#[derive(Clone, Copy)]
struct Blocks {
    left: usize,
    top: usize,
    count: usize,
}

/// Covers samples that stand side by side, as [`mixed`] does, in some rows that begin so far from each other.
struct Mix<'a> {
    out: &'a mut [u8],
    period: usize,
    count: usize,
    covered: &'a [u8],
    ink: i32,
}

impl Kernel for Mix<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for row in 0..self.count {
            let out = &mut self.out[row * self.period..];
            for (sample, covered) in out.iter_mut().zip(self.covered) {
                let was = i32::from(*sample);
                let change = ((self.ink - was) * i32::from(*covered)) as f32;
                *sample = (was + simd::nearest_signed(change * (1.0 / 255.0))) as u8;
            }
        }
    }
}

/// The mean of how far four pixels are covered, and of two at the end of rows of odd length.
struct Share<'a> {
    above: &'a [u8],
    below: &'a [u8],
    shared: &'a mut [u8],
}

impl Kernel for Share<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let ((above, end_above), (below, end_below)) =
            (self.above.as_chunks::<2>(), self.below.as_chunks::<2>());
        for (shared, (a, b)) in self.shared.iter_mut().zip(above.iter().zip(below)) {
            let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
            *shared = ((sum + 2) / 4) as u8;
        }
        if let ([a], [b], Some(shared)) = (end_above, end_below, self.shared.get_mut(above.len())) {
            *shared = (u16::from(*a) + u16::from(*b)).div_ceil(2) as u8;
        }
    }
}

/// Pixels that are looked at together; as many as share a sample at least.
const STEP: usize = 16;

/// The columns of some rows of the same length in which a pixel is covered; neighbours together. An outline has
/// few of them.
fn covered(rows: &[Vec<u8>]) -> Vec<Range<usize>> {
    let length = rows.first().map_or(0, Vec::len);
    let mut runs: Vec<Range<usize>> = Vec::new();
    for start in (0..length).step_by(STEP) {
        let end = (start + STEP).min(length);
        let is_covered = |row: &Vec<u8>| row[start..end].iter().fold(0, |all, a| all | a) > 0;
        if !rows.iter().any(is_covered) {
            continue;
        }
        match runs.last_mut().filter(|run| run.end == start) {
            Some(run) => run.end = end,
            None => runs.push(start..end),
        }
    }
    runs
}

/// `sample`, of which `covered` of 255 parts became `ink`.
#[inline]
fn mixed(sample: i32, ink: i32, covered: i32) -> i32 {
    let change = (ink - sample) * covered;
    // To the nearest, the same way up and down.
    sample + (2 * change + if change < 0 { -255 } else { 255 }) / 510
}

#[inline]
fn mix(sample: &mut [u8], component: Component, ink: i32, covered: i32) {
    let was = i32::from(read(sample, component));
    write(sample, component, mixed(was, ink, covered) as u16);
}

#[inline]
fn read(sample: &[u8], component: Component) -> u16 {
    let raw = match (component.bytes(), sample) {
        (1, [byte, ..]) => u16::from(*byte),
        (_, [a, b, ..]) => u16::from_ne_bytes([*a, *b]),
        _ => 0,
    };
    raw >> component.shift
}

#[inline]
fn write(sample: &mut [u8], component: Component, value: u16) {
    let raw = value << component.shift;
    match (component.bytes(), sample) {
        (1, [byte, ..]) => *byte = raw as u8,
        (_, [a, b, ..]) => [*a, *b] = raw.to_ne_bytes(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_samples_are_mixed_as_one_is() {
        for ink in (0..=255).step_by(5) {
            for covered in 0..=255_u8 {
                let mut samples: Vec<u8> = (0..=255).collect();
                let (out, covered_all) = (&mut samples, &[covered; 256]);
                simd::run(Mix { out, period: 256, count: 1, covered: covered_all, ink });
                for (was, sample) in (0..=255).zip(samples) {
                    let one = mixed(was, ink, i32::from(covered));
                    assert_eq!(i32::from(sample), one, "{ink} over {was} by {covered}");
                }
            }
        }
    }

    #[test]
    fn columns_that_nothing_covers_are_left_out() {
        let (mut above, mut below) = (vec![0; 70], vec![0; 70]);
        assert_eq!(covered(&[above.clone(), below.clone()]), []);
        (above[1], below[17], below[69]) = (1, 255, 3);
        assert_eq!(covered(&[above, below]), [0..32, 64..70]);
    }
}
