//! Loops over pixels, compiled for what this processor has. No other file of the folder has unsafe code.

/// A loop over pixels that the compiler turns into the processor's own vectors. All that it calls is to
/// be `#[inline(always)]`: only what stands in one function is compiled for these vectors.
pub(crate) trait Kernel {
    /// `FUSED`: the processor multiplies and adds in one step.
    fn run<const FUSED: bool>(self);
}

/// Runs it by the best vectors that the processor has.
pub(crate) fn run<K: Kernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: the processor has what the function is compiled for.
        #[allow(unsafe_code, reason = "the compiler can't know the processor")]
        return unsafe { run_avx2(kernel) };
    }
    run_plain(kernel);
}

/// Runs it by the vectors that every processor of the target has.
pub(crate) fn run_plain<K: Kernel>(kernel: K) {
    // 64-bit ARM fuses always.
    kernel.run::<{ cfg!(target_arch = "aarch64") }>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K) {
    kernel.run::<true>();
}

/// The nearest whole number of one from 0 to 255. A cast takes much longer: it looks for numbers that are too
/// large, and for what is no number.
#[inline(always)]
pub(crate) fn nearest(value: f32) -> u8 {
    (value + NO_FRACTION).to_bits() as u8
}

/// The same for a number of up to four millions on either side of 0.
#[inline(always)]
pub(crate) fn nearest_signed(value: f32) -> i32 {
    ((value + NO_FRACTION).to_bits() as i32).wrapping_sub(NO_FRACTION.to_bits() as i32)
}

/// From here on, a number has no bits behind the point: its lowest bits are the whole number.
const NO_FRACTION: f32 = 12_582_912.0;

/// Asks for memory that is read soon, so that it is there by then.
#[inline(always)]
pub(crate) fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: nothing is read; the address is within the slice.
        #[allow(unsafe_code, reason = "an address can't be given in another way")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// `sum + factor * value`.
#[inline(always)]
pub(crate) fn add_product<const FUSED: bool>(sum: f32, factor: f32, value: f32) -> f32 {
    if FUSED { factor.mul_add(value, sum) } else { sum + factor * value }
}
