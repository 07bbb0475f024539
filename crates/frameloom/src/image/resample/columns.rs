//! How the samples of a row become fewer or more.

use std::array;
use std::ops::Range;

use super::axis::Taps;
use super::kernels::ROWS;
use crate::image::simd::add_product;

/// How the samples of a row are made, along the row.
#[derive(Debug)]
pub(super) enum Columns {
    Groups(Groups),
    Blocks(Blocks),
}

impl Columns {
    /// Of rows of so many samples.
    pub(super) fn new(taps: &[Taps], samples: usize) -> Columns {
        match Groups::new(taps, samples) {
            Some(groups) => Columns::Groups(groups),
            None => Columns::Blocks(Blocks::new(taps)),
        }
    }

    /// Samples of a row that is made, with those that fill it up.
    pub(super) fn padded(&self) -> usize {
        match self {
            Columns::Groups(groups) => groups.count * groups.outputs,
            Columns::Blocks(blocks) => blocks.blocks.len() * LANES,
        }
    }

    /// Makes some rows of some rows.
    #[inline(always)]
    pub(super) fn make<const FUSED: bool>(&self, rows: [&[f32]; ROWS], out: [&mut [f32]; ROWS]) {
        match self {
            Columns::Groups(groups) => {
                rows.into_iter().zip(out).for_each(|(row, out)| groups.make::<FUSED>(row, out));
            }
            Columns::Blocks(blocks) => blocks.make::<FUSED>(rows, out),
        }
    }
}

/// Samples and what they become, where sizes have a simple ratio: 1,920 to 640 are groups of three samples
/// that become one.
const SHAPES: [(usize, usize); 10] =
    [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (1, 2), (3, 2), (5, 2), (3, 4)];

/// The most samples of a group, and the most that it becomes.
const MOST: (usize, usize) = (6, 4);

/// Every so many samples become so many others by the same weights. The compiler makes much better code of
/// this than of [`Blocks`].
#[derive(Debug)]
pub(super) struct Groups {
    first: usize,
    count: usize,
    inputs: usize,
    outputs: usize,
    /// For each output the weights of the inputs.
    weights: [[f32; MOST.0]; MOST.1],
}

impl Groups {
    fn new(taps: &[Taps], samples: usize) -> Option<Groups> {
        SHAPES.iter().find_map(|shape| Groups::of_shape(taps, samples, *shape))
    }

    fn of_shape(taps: &[Taps], samples: usize, shape: (usize, usize)) -> Option<Groups> {
        let (inputs, outputs) = shape;
        let count = taps.len() / outputs;
        if count == 0 || !taps.len().is_multiple_of(outputs) {
            return None;
        }
        let begin = taps.iter().map(|taps| taps.first).min()?;
        let first = begin.min(samples.checked_sub(count * inputs)?);
        let within = |taps: &[Taps], group: usize| -> Option<[[f32; MOST.0]; MOST.1]> {
            let mut weights = [[0.0; MOST.0]; MOST.1];
            for (taps, weights) in taps.iter().zip(&mut weights) {
                let begin = taps.first.checked_sub(first + group * inputs)?;
                let part = weights.get_mut(..inputs)?.get_mut(begin..begin + taps.weights.len())?;
                part.copy_from_slice(&taps.weights);
            }
            Some(weights)
        };
        let is_same = |a: &[[f32; MOST.0]; MOST.1], b: &[[f32; MOST.0]; MOST.1]| {
            a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-6)
        };
        let weights = within(taps.get(..outputs)?, 0)?;
        let all = taps.chunks(outputs).enumerate();
        let is_even = all.fold(true, |is_even, (group, taps)| {
            is_even && within(taps, group).is_some_and(|other| is_same(&weights, &other))
        });
        is_even.then_some(Groups { first, count, inputs, outputs, weights })
    }

    /// How many samples become one, where that is their mean.
    pub(super) fn mean_of(&self) -> Option<usize> {
        let [weights, ..] = &self.weights;
        let is_mean = self.outputs == 1 && is_mean(&weights[..self.inputs]);
        is_mean.then_some(self.inputs)
    }

    #[inline(always)]
    fn make<const FUSED: bool>(&self, row: &[f32], out: &mut [f32]) {
        let row = &row[self.first..self.first + self.count * self.inputs];
        match (self.inputs, self.outputs) {
            (1, 1) => self.weigh::<1, 1, FUSED>(row, out),
            (2, 1) => self.weigh::<2, 1, FUSED>(row, out),
            (3, 1) => self.weigh::<3, 1, FUSED>(row, out),
            (4, 1) => self.weigh::<4, 1, FUSED>(row, out),
            (5, 1) => self.weigh::<5, 1, FUSED>(row, out),
            (6, 1) => self.weigh::<6, 1, FUSED>(row, out),
            (1, 2) => self.weigh::<1, 2, FUSED>(row, out),
            (3, 2) => self.weigh::<3, 2, FUSED>(row, out),
            (5, 2) => self.weigh::<5, 2, FUSED>(row, out),
            _ => self.weigh::<3, 4, FUSED>(row, out),
        }
    }

    #[inline(always)]
    fn weigh<const INPUTS: usize, const OUTPUTS: usize, const FUSED: bool>(
        &self,
        row: &[f32],
        out: &mut [f32],
    ) {
        let weights: [[f32; INPUTS]; OUTPUTS] =
            array::from_fn(|output| array::from_fn(|input| self.weights[output][input]));
        let groups = row.as_chunks::<INPUTS>().0;
        for (out, group) in out.as_chunks_mut::<OUTPUTS>().0.iter_mut().zip(groups) {
            for (out, weights) in out.iter_mut().zip(weights) {
                let mut sum = weights[0] * group[0];
                for input in 1..INPUTS {
                    sum = add_product::<FUSED>(sum, weights[input], group[input]);
                }
                *out = sum;
            }
        }
    }

    /// Makes a row of sums, each multiplied with `factor` once more.
    #[inline(always)]
    pub(super) fn add(&self, sums: &[u16], factor: f32, out: &mut [f32]) {
        let sums = &sums[self.first..self.first + self.count * self.inputs];
        match self.inputs {
            1 => add::<1>(sums, factor, out),
            2 => add::<2>(sums, factor, out),
            3 => add::<3>(sums, factor, out),
            4 => add::<4>(sums, factor, out),
            5 => add::<5>(sums, factor, out),
            _ => add::<6>(sums, factor, out),
        }
    }
}

#[inline(always)]
fn add<const INPUTS: usize>(sums: &[u16], factor: f32, out: &mut [f32]) {
    for (out, group) in out.iter_mut().zip(sums.as_chunks::<INPUTS>().0) {
        let mut sum = i32::from(group[0]);
        for sample in group.iter().skip(1) {
            sum += i32::from(*sample);
        }
        *out = sum as f32 * factor;
    }
}

/// Whether all have the same weight.
pub(super) fn is_mean(weights: &[f32]) -> bool {
    let even = 1.0 / weights.len() as f32;
    weights.iter().all(|weight| (weight - even).abs() < 1e-6)
}

/// Samples of a row that [`Blocks`] makes at once.
const LANES: usize = 8;

/// Some samples are made at once, of what lies under any of them.
#[derive(Debug)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// For each sample under a block its weight in each sample of that.
    weights: Vec<[f32; LANES]>,
}

#[derive(Debug)]
struct Block {
    first: usize,
    weights: Range<usize>,
}

impl Blocks {
    fn new(taps: &[Taps]) -> Blocks {
        let (mut blocks, mut weights) = (Vec::new(), Vec::new());
        for block in taps.chunks(LANES) {
            let first = block.iter().map(|taps| taps.first).min().unwrap_or(0);
            let end = block.iter().map(|taps| taps.range().end).max().unwrap_or(first);
            let begin = weights.len();
            weights.resize(begin + end - first, [0.0; LANES]);
            for (lane, taps) in block.iter().enumerate() {
                for (sample, weight) in taps.range().zip(&taps.weights) {
                    weights[begin + sample - first][lane] = *weight;
                }
            }
            blocks.push(Block { first, weights: begin..weights.len() });
        }
        Blocks { blocks, weights }
    }

    #[inline(always)]
    fn make<const FUSED: bool>(&self, rows: [&[f32]; ROWS], out: [&mut [f32]; ROWS]) {
        let [a, b, c, d] = out.map(|row| row.as_chunks_mut::<LANES>().0);
        let out = a.iter_mut().zip(b).zip(c).zip(d);
        for (block, (((a, b), c), d)) in self.blocks.iter().zip(out) {
            let weights = &self.weights[block.weights.clone()];
            let rows = rows.map(|row| &row[block.first..block.first + weights.len()]);
            let mut sums = [[0.0; LANES]; ROWS];
            for (n, weights) in weights.iter().enumerate() {
                for r in 0..ROWS {
                    let value = rows[r][n];
                    for lane in 0..LANES {
                        sums[r][lane] = add_product::<FUSED>(sums[r][lane], weights[lane], value);
                    }
                }
            }
            [*a, *b, *c, *d] = sums;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::resample::axis::{AxisSpec, Scaling, taps};

    #[test]
    fn groups_make_what_blocks_make() {
        let row: Vec<f32> = (0u8..=255).map(f32::from).collect();
        for (inputs, outputs) in SHAPES {
            // Only chroma has more pixels than samples.
            let log2 = u32::from(outputs > inputs);
            for (count, begin, scaling) in [
                (1, 0, Scaling::Area),
                (7, 0, Scaling::Area),
                (7, 3, Scaling::Area),
                (9, 0, Scaling::Bilinear),
                (9, 5, Scaling::Bilinear),
            ] {
                if log2 == 1 && scaling == Scaling::Bilinear {
                    // The first and the last lie beyond the samples.
                    continue;
                }
                let samples = begin + inputs * count;
                let (from, to) = ((begin << log2) as f64, (samples << log2) as f64);
                let (pixels, outputs) = (samples << log2, outputs * count);
                let taps = taps(&AxisSpec { pixels, log2, from, to, outputs, scaling });
                let groups = Groups::new(&taps, samples).unwrap();
                let blocks = Blocks::new(&taps);
                let mut made = vec![0.0; outputs];
                groups.make::<false>(&row[..samples], &mut made);
                let mut of_blocks = vec![vec![0.0; blocks.blocks.len() * LANES]; ROWS];
                let rows = [&row[..samples]; ROWS];
                let mut out = of_blocks.iter_mut().map(Vec::as_mut_slice);
                blocks.make::<false>(rows, array::from_fn(|_| out.next().unwrap()));
                for (a, b) in made.iter().zip(&of_blocks[0]) {
                    assert!((a - b).abs() < 1e-3, "{inputs} to {outputs}: {a}, {b}");
                }
                if let Some(mean_of) = groups.mean_of() {
                    let sums: Vec<u16> = (0..samples as u16).collect();
                    groups.add(&sums, 1.0 / mean_of as f32, &mut made);
                    for (a, b) in made.iter().zip(&of_blocks[0]) {
                        assert!((a - b).abs() < 1e-3, "{inputs} to {outputs}: {a}, {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_sizes_of_cameras_and_models_are_groups() {
        for (pixels, outputs) in [(1920, 640), (1280, 640), (1920, 1280), (3840, 640), (640, 640)] {
            for log2 in [0, 1] {
                let (to, scaling) = (pixels as f64, Scaling::Area);
                let spec = AxisSpec { pixels, log2, from: 0.0, to, outputs, scaling };
                let columns = Columns::new(&taps(&spec), spec.samples());
                let is_group = matches!(columns, Columns::Groups(_));
                assert!(is_group, "{pixels} to {outputs} by {log2}");
            }
        }
    }
}
