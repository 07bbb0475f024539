//! The two loops that pixels of another size are made by.

use std::ops::Range;

use super::axis::Taps;
use crate::image::simd::add_product;

/// Rows that are made at once: they share the loading of the weights.
pub(crate) const ROWS: usize = 4;

/// Samples of a row that are made at once.
pub(super) const LANES: usize = 8;

/// A sample as it stands in memory.
pub(super) trait Sample: Copy {
    fn value(self) -> f32;
}

impl Sample for u8 {
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from(self)
    }
}

/// 16 bits in the machine's order of bytes.
impl Sample for [u8; 2] {
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from(u16::from_ne_bytes(self))
    }
}

/// The weighted sum of some rows of the same length as `out`.
#[inline(always)]
pub(super) fn sum_rows<'a, S: Sample + 'a, const FUSED: bool>(
    mut row: impl FnMut(usize) -> &'a [S],
    weights: &[f32],
    out: &mut [f32],
) {
    let (mut n, mut is_first) = (0, true);
    while n < weights.len() {
        let left = &weights[n..];
        n += match *left {
            [a, b, c, d, ..] => {
                let rows = [row(n), row(n + 1), row(n + 2), row(n + 3)];
                sum::<S, 4, FUSED>(rows, [a, b, c, d], is_first, out);
                4
            }
            [a, b, c] => {
                sum::<S, 3, FUSED>([row(n), row(n + 1), row(n + 2)], [a, b, c], is_first, out);
                3
            }
            [a, b] => {
                sum::<S, 2, FUSED>([row(n), row(n + 1)], [a, b], is_first, out);
                2
            }
            [a] => {
                sum::<S, 1, FUSED>([row(n)], [a], is_first, out);
                1
            }
            [] => 1,
        };
        is_first = false;
    }
}

#[inline(always)]
fn sum<S: Sample, const N: usize, const FUSED: bool>(
    rows: [&[S]; N],
    weights: [f32; N],
    is_first: bool,
    out: &mut [f32],
) {
    let length = out.len();
    let rows = rows.map(|row| &row[..length]);
    if is_first {
        out.fill(0.0);
    }
    for x in 0..length {
        let mut sum = out[x];
        for k in 0..N {
            sum = add_product::<FUSED>(sum, weights[k], rows[k][x].value());
        }
        out[x] = sum;
    }
}

/// How the samples of a row are made: some at once, of what lies under any of them.
#[derive(Debug)]
pub(super) struct Columns {
    blocks: Vec<Block>,
    /// For each sample under a block its weight in each sample of that.
    weights: Vec<[f32; LANES]>,
}

#[derive(Debug)]
struct Block {
    first: usize,
    weights: Range<usize>,
}

impl Columns {
    pub(super) fn new(taps: &[Taps]) -> Columns {
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
        Columns { blocks, weights }
    }

    /// Samples of a row that is made, with those that fill up its last block.
    pub(super) fn padded(&self) -> usize {
        self.blocks.len() * LANES
    }

    /// Makes some rows of some rows.
    #[inline(always)]
    pub(super) fn make<const FUSED: bool>(&self, rows: [&[f32]; ROWS], out: [&mut [f32]; ROWS]) {
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
