//! One plane of a picture in another size.

use super::axis::{AxisSpec, Scaling, Taps, taps};
use super::columns::{Columns, is_mean};
pub(crate) use super::kernels::ROWS;
use super::kernels::{MOST_ADDED, add_rows, sum_rows};
use crate::av::Component;
use crate::image::simd::{self, Kernel};

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Region {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// The bytes of a plane.
#[derive(Clone, Copy)]
pub(crate) struct PlaneSource<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) stride: usize,
}

impl<'a> PlaneSource<'a> {
    #[inline(always)]
    fn row(&self, y: usize, bytes: usize) -> &'a [u8] {
        &self.data[y * self.stride..y * self.stride + bytes]
    }

    /// Asks for the rows that are read next. They may lie behind what was checked, and so behind the plane.
    #[inline(always)]
    fn prefetch(&self, next: Option<&Taps>, bytes: usize) {
        for y in next.map_or(0..0, Taps::range) {
            let row = self.data.get(y * self.stride..y * self.stride + bytes);
            simd::prefetch(row.unwrap_or_default());
        }
    }
}

/// One component of a plane, and what is to become of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaneComponent {
    pub(crate) samples: Component,
    /// How many pixels share a sample, as powers of two, across and down. All components of a plane
    /// have the same down.
    pub(crate) log2: (u32, u32),
    /// From where to where each row is taken, in pixels.
    pub(crate) part: (f64, f64),
    /// How many samples a row becomes.
    pub(crate) columns: usize,
}

/// How one plane becomes another size: for one kind of picture, and kept from frame to frame.
#[derive(Debug)]
pub(crate) struct PlaneScaler {
    rows: Vec<Taps>,
    /// Bytes of a sample.
    bytes: usize,
    /// Samples of all components in one row of the plane.
    row_samples: usize,
    components: Vec<ComponentScaler>,
    /// The rows of the plane that make the rows of the result.
    summed: Vec<f32>,
    /// The same for one row that is a mean, before it is divided.
    added: Vec<u16>,
}

#[derive(Debug)]
struct ComponentScaler {
    /// Samples before the first of the component, and from one to the next.
    offset: usize,
    step: usize,
    samples: usize,
    columns: Columns,
    /// The component by itself, of a plane that has several.
    alone: Vec<f32>,
    made: Vec<f32>,
}

impl PlaneScaler {
    /// For the components of one plane of pictures of `size` pixels. Of the rows of pixels `part.0` to
    /// `part.1` become `rows` rows.
    pub(crate) fn new(
        components: &[PlaneComponent],
        size: (usize, usize),
        part: (f64, f64),
        rows: usize,
        scaling: Scaling,
    ) -> PlaneScaler {
        let across = |component: &PlaneComponent| AxisSpec {
            pixels: size.0,
            log2: component.log2.0,
            from: component.part.0,
            to: component.part.1,
            outputs: component.columns,
            scaling,
        };
        let down = AxisSpec {
            pixels: size.1,
            log2: components.first().map_or(0, |component| component.log2.1),
            from: part.0,
            to: part.1,
            outputs: rows,
            scaling,
        };
        let bytes = components.first().map_or(1, |component| component.samples.bytes());
        let made = components.iter().map(|component| {
            let (spec, samples) = (across(component), component.samples);
            let columns = Columns::new(&taps(&spec), spec.samples());
            ComponentScaler {
                offset: samples.offset / bytes,
                step: samples.step / bytes,
                samples: spec.samples(),
                made: vec![0.0; columns.padded() * ROWS],
                columns,
                alone: Vec::new(),
            }
        });
        let components: Vec<ComponentScaler> = made.collect();
        let last = |c: &ComponentScaler| c.offset + (c.samples.max(1) - 1) * c.step + 1;
        let row_samples = components.iter().map(last).max().unwrap_or(0);
        let rows = taps(&down);
        PlaneScaler { rows, bytes, row_samples, components, summed: Vec::new(), added: Vec::new() }
    }

    /// Makes up to [`ROWS`] rows of the result, from `first` on; [`PlaneScaler::row`] gives them. It is
    /// false where the plane is smaller than it was said to be.
    pub(crate) fn make(&mut self, source: PlaneSource<'_>, first: usize, plain: bool) -> bool {
        let row_bytes = self.row_samples * self.bytes;
        let end = self.rows.iter().skip(first).take(ROWS).map(|taps| taps.range().end).max();
        let needed = end.map_or(0, |end| end.saturating_sub(1) * source.stride + row_bytes);
        if source.data.len() < needed || source.stride < row_bytes {
            return false;
        }
        let job = Rows { scaler: self, source, first };
        if plain {
            simd::run_plain(job);
        } else {
            simd::run(job);
        }
        true
    }

    /// A row that was made, of a component by its place in the plane: the first of them is row 0.
    pub(crate) fn row(&self, component: usize, row: usize) -> &[f32] {
        self.components.get(component).map_or(&[], |component| {
            let padded = component.columns.padded();
            component.made.get(row * padded..(row + 1) * padded).unwrap_or_default()
        })
    }
}

struct Rows<'a> {
    scaler: &'a mut PlaneScaler,
    source: PlaneSource<'a>,
    first: usize,
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(mut self) {
        if self.add() {
            return;
        }
        let PlaneScaler { rows, bytes, row_samples, components, summed, .. } = self.scaler;
        let (source, row_bytes) = (self.source, *row_samples * *bytes);
        summed.resize(*row_samples * ROWS, 0.0);
        for (n, out) in summed.chunks_exact_mut(*row_samples).enumerate() {
            let Some(taps) = row_at(rows, self.first + n) else { continue };
            let row = |k: usize| source.row(taps.first + k, row_bytes);
            source.prefetch(rows.get(self.first + n + 1), row_bytes);
            match bytes {
                1 => sum_rows::<u8, FUSED>(row, &taps.weights, out),
                _ => sum_rows::<[u8; 2], FUSED>(|k| pairs(row(k)), &taps.weights, out),
            }
        }
        for component in components {
            component.make::<FUSED>(summed, *row_samples);
        }
    }
}

impl Rows<'_> {
    /// Makes them by adding whole numbers, which is faster; `false` where they are not just means of bytes.
    #[inline(always)]
    fn add(&mut self) -> bool {
        let PlaneScaler { rows, bytes, row_samples, components, added, .. } = &mut *self.scaler;
        let [component] = components.as_mut_slice() else { return false };
        let ComponentScaler { step: 1, columns: Columns::Groups(groups), made, .. } = component
        else {
            return false;
        };
        let Some(inputs) = groups.mean_of().filter(|_| *bytes == 1) else { return false };
        let of_rows = (0..ROWS).filter_map(|n| row_at(rows, self.first + n));
        let is_mean =
            |taps: &Taps| is_mean(&taps.weights) && taps.weights.len() * inputs <= MOST_ADDED;
        if !of_rows.clone().all(is_mean) {
            return false;
        }
        added.resize(*row_samples, 0);
        let columns = made.len() / ROWS;
        for (n, (taps, out)) in of_rows.zip(made.chunks_exact_mut(columns.max(1))).enumerate() {
            let count = taps.weights.len();
            self.source.prefetch(rows.get(self.first + n + 1), *row_samples);
            add_rows(|k| self.source.row(taps.first + k, *row_samples), count, added);
            groups.add(added, 1.0 / (count * inputs) as f32, out);
        }
        true
    }
}

/// Behind the last row comes the last row again.
#[inline(always)]
fn row_at(rows: &[Taps], n: usize) -> Option<&Taps> {
    rows.get(n).or(rows.last())
}

#[inline(always)]
fn pairs(bytes: &[u8]) -> &[[u8; 2]] {
    bytes.as_chunks().0
}

impl ComponentScaler {
    #[inline(always)]
    fn make<const FUSED: bool>(&mut self, summed: &[f32], row_samples: usize) {
        let is_alone = self.step == 1;
        if !is_alone {
            self.alone.resize(self.samples * ROWS, 0.0);
            let rows = summed.chunks_exact(row_samples);
            for (out, row) in self.alone.chunks_exact_mut(self.samples).zip(rows) {
                let samples = &row[self.offset.min(row.len())..];
                match self.step {
                    2 => pick::<2>(samples, out),
                    3 => pick::<3>(samples, out),
                    4 => pick::<4>(samples, out),
                    step => {
                        let picked = samples.iter().step_by(step);
                        out.iter_mut().zip(picked).for_each(|(out, sample)| *out = *sample);
                    }
                }
            }
        }
        let (source, length) = match is_alone {
            true => (summed, row_samples),
            false => (self.alone.as_slice(), self.samples),
        };
        let rows = std::array::from_fn(|r| &source[r * length..(r + 1) * length]);
        let mut made = self.made.chunks_exact_mut(self.columns.padded().max(1));
        let out = std::array::from_fn(|_| made.next().unwrap_or_default());
        self.columns.make::<FUSED>(rows, out);
    }
}

/// Every `STEP`th sample.
#[inline(always)]
fn pick<const STEP: usize>(samples: &[f32], out: &mut [f32]) {
    let (groups, rest) = samples.as_chunks::<STEP>();
    let (whole, last) = out.split_at_mut(groups.len().min(out.len()));
    whole.iter_mut().zip(groups).for_each(|(out, group)| *out = group[0]);
    last.iter_mut().zip(rest).for_each(|(out, sample)| *out = *sample);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::PixFmt;

    #[test]
    fn a_plane_that_is_cut_short_is_made_as_far_as_it_goes() {
        let samples = PixFmt::named("gray").unwrap().components().unwrap()[0];
        for scaling in Scaling::ALL {
            for columns in [12, 11] {
                let component =
                    PlaneComponent { samples, log2: (0, 0), part: (0.0, 36.0), columns };
                let (size, part) = ((36, 36), (0.0, 36.0));
                let mut scaler = PlaneScaler::new(&[component], size, part, 12, scaling);
                // The rows of the first four are there, and not those behind them.
                let source = PlaneSource { data: &[7; 36 * 12], stride: 36 };
                assert!(scaler.make(source, 0, false) && scaler.make(source, 0, true));
                assert!((scaler.row(0, 3)[columns - 1] - 7.0).abs() < 1e-3);
                assert!(!scaler.make(source, 4, false));
            }
        }
    }
}
