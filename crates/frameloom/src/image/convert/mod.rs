//! Colour conversion between the codec's YUV pictures and the formats that the user's code works
//! in, 8 bits a sample.
//!
//! The arithmetic is exact to half a level in both directions and without bias, so that a picture
//! that goes to RGB and back, and through the next program and back again, doesn't drift. A chroma
//! sample stands for all pixels it covers on the way to RGB, and is their mean on the way back;
//! that is what makes the pair reversible.
//!
//! Sizes must agree; scaling is not done here, nor are other bit depths: [`supports`] says what is.

mod bands;
mod color;
mod decode;
mod encode;
mod error;
mod luma;
mod planes;
#[cfg(test)]
mod tests;

pub use color::{ColorSpec, Matrix, Range, YuvImage, YuvImageMut, YuvLayout};
pub use error::ConvertError;

use crate::image::{Image, ImageMut, PixelFormat};
use color::Subsampling;

/// Whether a picture of `layout` can be shown as `format` by [`yuv_to_packed`] and made from it by
/// [`packed_to_yuv`]: always for the packed formats, and for the YUV formats where the chroma
/// subsampling is the same.
pub fn supports(layout: YuvLayout, format: PixelFormat) -> bool {
    match YuvLayout::from_format(format) {
        None | Some(YuvLayout::Gray) => true,
        Some(view) => repackable(layout, view),
    }
}

/// Whether two layouts hold the same samples in another order.
fn repackable(from: YuvLayout, to: YuvLayout) -> bool {
    from.subsampling() == to.subsampling()
}

/// Shows a YUV picture as `dst`, in the format of `dst`:
///
/// - RGB formats by the matrix and range of `src`; alpha becomes 255.
/// - [`PixelFormat::Gray`] is the luma, stretched to the full range where `src` is limited: what
///   FFmpeg makes of it.
/// - YUV formats get the samples as they are, in another layout.
///
/// Padding of `dst` stays untouched.
///
/// # Errors
///
/// [`ConvertError::Size`] where the sizes differ, [`ConvertError::Unsupported`] where
/// [`supports`] says no.
pub fn yuv_to_packed(src: &YuvImage<'_>, dst: &mut ImageMut<'_>) -> Result<(), ConvertError> {
    let image = src.image();
    let (from, to) = (src.layout(), dst.format());
    check_size(image, &dst.as_image())?;
    if !supports(from, to) {
        return Err(ConvertError::Unsupported { from: from.format(), to });
    }
    match to {
        PixelFormat::Gray => {
            luma::to_gray(
                image.plane(0).unwrap_or_default(),
                src.color().range,
                &mut dst.planes_mut()[0],
            );
            Ok(())
        }
        _ if to.is_yuv() => {
            planes::repack(image, dst);
            Ok(())
        }
        _ if from.subsampling() == Subsampling::Luma => decode::luma_to_rgb(src, dst),
        _ => decode::yuv_to_rgb(src, dst),
    }
}

/// Makes a YUV picture of `src`, the other way round from [`yuv_to_packed`]:
///
/// - RGB formats by the matrix and range of `dst`; alpha is ignored.
/// - [`PixelFormat::Gray`] becomes the luma, squeezed into the range of `dst`; chroma becomes 128,
///   no colour.
/// - YUV formats are taken to be in the colours of `dst` already and only change their layout.
///
/// Padding of `dst` stays untouched.
///
/// # Errors
///
/// [`ConvertError::Size`] where the sizes differ, [`ConvertError::Unsupported`] where
/// [`supports`] says no.
pub fn packed_to_yuv(src: &Image<'_>, dst: &mut YuvImageMut<'_>) -> Result<(), ConvertError> {
    let (from, to) = (src.format(), dst.layout());
    check_size(src, &dst.image_mut().as_image())?;
    if !supports(to, from) {
        return Err(ConvertError::Unsupported { from, to: to.format() });
    }
    match from {
        PixelFormat::Gray => {
            let range = dst.color().range;
            let [mut luma, chroma @ ..] = dst.image_mut().planes_mut();
            luma::from_gray(src.plane(0).unwrap_or_default(), range, &mut luma);
            for mut plane in chroma {
                plane.iter_rows_mut().for_each(|row| row.fill(128));
            }
            Ok(())
        }
        _ if from.is_yuv() => {
            planes::repack(src, dst.image_mut());
            Ok(())
        }
        _ => encode::rgb_to_yuv(src, dst),
    }
}

/// Copies a YUV picture into another layout and other strides, sample for sample. Padding of
/// `dst` stays untouched.
///
/// # Errors
///
/// [`ConvertError::Size`] where the sizes differ, [`ConvertError::Color`] where matrix or range
/// do, [`ConvertError::Unsupported`] where the chroma subsampling does.
pub fn repack(src: &YuvImage<'_>, dst: &mut YuvImageMut<'_>) -> Result<(), ConvertError> {
    let (from, to) = (src.layout(), dst.layout());
    check_size(src.image(), &dst.image_mut().as_image())?;
    if src.color() != dst.color() {
        return Err(ConvertError::Color { from: src.color(), to: dst.color() });
    }
    if !repackable(from, to) {
        return Err(ConvertError::Unsupported { from: from.format(), to: to.format() });
    }
    planes::repack(src.image(), dst.image_mut());
    Ok(())
}

fn check_size(src: &Image<'_>, dst: &Image<'_>) -> Result<(), ConvertError> {
    let from = (src.width(), src.height());
    let to = (dst.width(), dst.height());
    if from == to { Ok(()) } else { Err(ConvertError::Size { from, to }) }
}
