//! The numbers that a tensor may consist of.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::image::simd::nearest;

/// A number that a tensor may consist of: `f32`, [`f16`](half::f16) or `u8`.
pub trait TensorElement: Copy + Default + Send + private::Sealed + 'static {
    /// What a pixel value of 0 to 255 is multiplied with where nothing else is said: 1/255, so that a
    /// model reads 0 to 1, and 1 for `u8`.
    const SCALE: f32;
}

impl TensorElement for f32 {
    const SCALE: f32 = 1.0 / 255.0;
}

impl TensorElement for f16 {
    const SCALE: f32 = 1.0 / 255.0;
}

impl TensorElement for u8 {
    const SCALE: f32 = 1.0;
}

pub(super) mod private {
    /// Keeps the list of elements closed, and says how they are made.
    pub trait Sealed: Sized {
        fn of(value: f32) -> Self;

        fn write(values: &[f32], out: &mut [Self]);

        /// Where it is `f32` already: nothing needs to be written twice.
        fn floats(_: &mut [Self]) -> Option<&mut [f32]> {
            None
        }
    }
}

impl private::Sealed for f32 {
    #[inline(always)]
    fn of(value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn write(values: &[f32], out: &mut [f32]) {
        out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
    }

    fn floats(out: &mut [f32]) -> Option<&mut [f32]> {
        Some(out)
    }
}

impl private::Sealed for f16 {
    #[inline(always)]
    fn of(value: f32) -> f16 {
        f16::from_f32(value)
    }

    #[inline(always)]
    fn write(values: &[f32], out: &mut [f16]) {
        let length = values.len().min(out.len());
        out[..length].convert_from_f32_slice(&values[..length]);
    }
}

impl private::Sealed for u8 {
    /// The nearest; what lies beyond 0 to 255 is clipped.
    #[inline(always)]
    fn of(value: f32) -> u8 {
        nearest(value.clamp(0.0, 255.0))
    }

    #[inline(always)]
    fn write(values: &[f32], out: &mut [u8]) {
        out.iter_mut().zip(values).for_each(|(out, value)| *out = u8::of(*value));
    }
}
