//! Rows that become one.

use crate::image::simd::add_product;

/// Rows that are made at once: they share the loading of the weights.
pub(crate) const ROWS: usize = 4;

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
    let mut n = 0;
    while n < weights.len() {
        n += match weights[n..] {
            [a, b, c, d, ..] => {
                let rows = [row(n), row(n + 1), row(n + 2), row(n + 3)];
                sum::<S, 4, FUSED>(rows, [a, b, c, d], n == 0, out);
                4
            }
            [a, b, c] => {
                sum::<S, 3, FUSED>([row(n), row(n + 1), row(n + 2)], [a, b, c], n == 0, out);
                3
            }
            [a, b] => {
                sum::<S, 2, FUSED>([row(n), row(n + 1)], [a, b], n == 0, out);
                2
            }
            [a] => {
                sum::<S, 1, FUSED>([row(n)], [a], n == 0, out);
                1
            }
            [] => 1,
        };
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
    let add = |mut sum: f32, from: usize, x: usize| {
        for k in from..N {
            sum = add_product::<FUSED>(sum, weights[k], rows[k][x].value());
        }
        sum
    };
    if is_first {
        (0..length).for_each(|x| out[x] = add(weights[0] * rows[0][x].value(), 1, x));
    } else {
        (0..length).for_each(|x| out[x] = add(out[x], 0, x));
    }
}

/// The most samples whose sum [`add_rows`] can hold.
pub(super) const MOST_ADDED: usize = 257;

/// The sum of some rows of the same length as `out`.
#[inline(always)]
pub(super) fn add_rows<'a>(mut row: impl FnMut(usize) -> &'a [u8], count: usize, out: &mut [u16]) {
    let mut n = 0;
    while n < count {
        n += match count - n {
            1 => {
                add([row(n)], n == 0, out);
                1
            }
            2 => {
                add([row(n), row(n + 1)], n == 0, out);
                2
            }
            3 => {
                add([row(n), row(n + 1), row(n + 2)], n == 0, out);
                3
            }
            _ => {
                add([row(n), row(n + 1), row(n + 2), row(n + 3)], n == 0, out);
                4
            }
        };
    }
}

#[inline(always)]
fn add<const N: usize>(rows: [&[u8]; N], is_first: bool, out: &mut [u16]) {
    let length = out.len();
    let rows = rows.map(|row| &row[..length]);
    let add = |mut sum: u16, x: usize| {
        for row in rows {
            sum = sum.wrapping_add(u16::from(row[x]));
        }
        sum
    };
    if is_first {
        (0..length).for_each(|x| out[x] = add(0, x));
    } else {
        (0..length).for_each(|x| out[x] = add(out[x], x));
    }
}
