//! Luma between its limited range and the full range of gray.
//!
//! Both ways round to the nearest level, which is what FFmpeg's conversions to and from `gray` give
//! for all 256 values. No product exceeds 16 bits, so that the loops fit the narrowest SIMD.

use super::{color::Range, planes};
use crate::image::{Plane, PlaneMut};

/// 255/219 in 14 bits.
const STRETCH: u16 = 19077;
/// 219/255 in 14 bits.
const SQUEEZE: u16 = 14071;

/// `value * factor / 256`, rounded down.
fn scale(value: u8, factor: u16) -> u16 {
    let value = u16::from(value);
    value * (factor >> 8) + ((value * (factor & 0xff)) >> 8)
}

/// Limited luma to full.
fn limited_to_full(luma: u8) -> u8 {
    ((scale(luma.saturating_sub(16).min(219), STRETCH) + 32) >> 6) as u8
}

/// Full luma to limited.
fn full_to_limited(gray: u8) -> u8 {
    ((scale(gray, SQUEEZE) + 32) >> 6) as u8 + 16
}

/// One row of limited luma to full.
pub(super) fn stretch_row(luma: &[u8], gray: &mut [u8]) {
    for (gray, &luma) in gray.iter_mut().zip(luma) {
        *gray = limited_to_full(luma);
    }
}

fn squeeze_row(gray: &[u8], luma: &mut [u8]) {
    for (luma, &gray) in luma.iter_mut().zip(gray) {
        *luma = full_to_limited(gray);
    }
}

/// Luma in `range` to full-range gray.
pub(super) fn to_gray(luma: Plane<'_>, range: Range, gray: &mut PlaneMut<'_>) {
    match range {
        Range::Full => planes::copy(luma, gray),
        Range::Limited => {
            luma.iter_rows().zip(gray.iter_rows_mut()).for_each(|(from, to)| stretch_row(from, to));
        }
    }
}

/// Full-range gray to luma in `range`.
pub(super) fn from_gray(gray: Plane<'_>, range: Range, luma: &mut PlaneMut<'_>) {
    match range {
        Range::Full => planes::copy(gray, luma),
        Range::Limited => {
            gray.iter_rows().zip(luma.iter_rows_mut()).for_each(|(from, to)| squeeze_row(from, to));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_rounded_to_the_nearest_level() {
        for value in 0..=255_u8 {
            let stretched = (f64::from(value) - 16.0) * 255.0 / 219.0;
            assert_eq!(
                f64::from(limited_to_full(value)),
                stretched.round().clamp(0.0, 255.0),
                "{value}"
            );
            let squeezed = 16.0 + f64::from(value) * 219.0 / 255.0;
            assert_eq!(f64::from(full_to_limited(value)), squeezed.round(), "{value}");
        }
    }

    #[test]
    fn limited_luma_survives_the_round_trip() {
        for value in 16..=235_u8 {
            assert_eq!(full_to_limited(limited_to_full(value)), value);
        }
    }
}
