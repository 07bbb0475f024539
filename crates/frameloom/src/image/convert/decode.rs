//! YUV to RGB.
//!
//! Only the `yuv` crate's interleaved (NV) routines have the exact arithmetic of its professional
//! mode. Its planar ones multiply in 16 bits: half the time, but off by up to 1.5 levels and, after
//! a round trip, brighter in the lights and darker in the shadows. Planar chroma is therefore
//! interleaved a band at a time, which costs next to nothing.

use yuv::{
    YuvBiPlanarImage, YuvConversionMode, YuvError, YuvGrayImage, YuvRange, YuvStandardMatrix,
};

use super::{
    ConvertError,
    bands::{Rows, bands, tight_stride, whole_rows, write_rows},
    color::{Chroma, Range, Subsampling, YuvImage},
    luma, planes,
};
use crate::image::{ImageMut, PixelFormat, Plane};

type DecodeKernel = fn(
    &YuvBiPlanarImage<'_, u8>,
    &mut [u8],
    u32,
    YuvRange,
    YuvStandardMatrix,
    YuvConversionMode,
) -> Result<(), YuvError>;

fn kernel(subsampling: Subsampling, format: PixelFormat) -> Option<DecodeKernel> {
    use PixelFormat::{Bgr24, Bgra, Rgb24, Rgba};
    use Subsampling::{S420, S422, S444};
    Some(match (subsampling, format) {
        (S420, Rgb24) => yuv::yuv_nv12_to_rgb,
        (S420, Bgr24) => yuv::yuv_nv12_to_bgr,
        (S420, Rgba) => yuv::yuv_nv12_to_rgba,
        (S420, Bgra) => yuv::yuv_nv12_to_bgra,
        (S422, Rgb24) => yuv::yuv_nv16_to_rgb,
        (S422, Bgr24) => yuv::yuv_nv16_to_bgr,
        (S422, Rgba) => yuv::yuv_nv16_to_rgba,
        (S422, Bgra) => yuv::yuv_nv16_to_bgra,
        (S444, Rgb24) => yuv::yuv_nv24_to_rgb,
        (S444, Bgr24) => yuv::yuv_nv24_to_bgr,
        (S444, Rgba) => yuv::yuv_nv24_to_rgba,
        (S444, Bgra) => yuv::yuv_nv24_to_bgra,
        _ => return None,
    })
}

/// A picture with chroma to one of the same size in an RGB format.
pub(super) fn yuv_to_rgb(src: &YuvImage<'_>, dst: &mut ImageMut<'_>) -> Result<(), ConvertError> {
    let layout = src.layout();
    let Some(kernel) = kernel(layout.subsampling(), dst.format()) else {
        return Err(ConvertError::Unsupported { from: layout.format(), to: dst.format() });
    };
    let (matrix, range) = (src.color().matrix.to_yuv(), src.color().range.to_yuv());
    let (width, height) = (dst.width(), dst.height() as usize);
    let plane = |number| src.image().plane(number).unwrap_or_default();
    let [mut rgb, ..] = dst.planes_mut();
    let (mut y_scratch, mut uv_scratch, mut rgb_scratch) = (Vec::new(), Vec::new(), Vec::new());
    for (first, rows) in bands(height) {
        let y = whole_rows(plane(0).band(first, rows), &mut y_scratch);
        let (first_chroma, chroma_rows) = match layout.subsampling() {
            Subsampling::S420 => (first / 2, rows.div_ceil(2)),
            _ => (first, rows),
        };
        let chroma = |number| plane(number).band(first_chroma, chroma_rows);
        let uv = match layout.chroma() {
            Chroma::Planar => interleaved(chroma(1), chroma(2), &mut uv_scratch),
            Chroma::Vu => swapped(chroma(1), &mut uv_scratch),
            Chroma::Uv | Chroma::None => whole_rows(chroma(1), &mut uv_scratch),
        };
        let image = YuvBiPlanarImage {
            y_plane: y.data,
            y_stride: y.stride,
            uv_plane: uv.data,
            uv_stride: uv.stride,
            width,
            // At most `BAND_ROWS`.
            height: rows as u32,
        };
        write_rows(rgb.band_mut(first, rows), &mut rgb_scratch, |rgb, stride| {
            kernel(&image, rgb, stride, range, matrix, YuvConversionMode::Professional)
        })?;
    }
    Ok(())
}

fn interleaved<'a>(u: Plane<'_>, v: Plane<'_>, scratch: &'a mut Vec<u8>) -> Rows<'a> {
    let row_bytes = 2 * u.row_bytes();
    scratch.resize(u.rows() * row_bytes, 0);
    let sources = u.iter_rows().zip(v.iter_rows());
    for (uv, (u, v)) in scratch.chunks_exact_mut(row_bytes).zip(sources) {
        planes::interleave(u, v, uv);
    }
    Rows { data: scratch, stride: tight_stride(row_bytes) }
}

fn swapped<'a>(vu: Plane<'_>, scratch: &'a mut Vec<u8>) -> Rows<'a> {
    let row_bytes = vu.row_bytes();
    scratch.resize(vu.rows() * row_bytes, 0);
    for (uv, vu) in scratch.chunks_exact_mut(row_bytes).zip(vu.iter_rows()) {
        planes::swap(vu, uv);
    }
    Rows { data: scratch, stride: tight_stride(row_bytes) }
}

type GrayKernel =
    fn(&YuvGrayImage<'_, u8>, &mut [u8], u32, YuvRange, YuvStandardMatrix) -> Result<(), YuvError>;

/// A picture without chroma to one of the same size in an RGB format.
pub(super) fn luma_to_rgb(src: &YuvImage<'_>, dst: &mut ImageMut<'_>) -> Result<(), ConvertError> {
    let kernel: GrayKernel = match dst.format() {
        PixelFormat::Rgb24 => yuv::yuv400_to_rgb,
        PixelFormat::Bgr24 => yuv::yuv400_to_bgr,
        PixelFormat::Rgba => yuv::yuv400_to_rgba,
        PixelFormat::Bgra => yuv::yuv400_to_bgra,
        to => return Err(ConvertError::Unsupported { from: src.layout().format(), to }),
    };
    let (width, height) = (dst.width(), dst.height() as usize);
    let luma = src.image().plane(0).unwrap_or_default();
    let (mut gray, mut rgb_scratch) = (Vec::new(), Vec::new());
    let [mut rgb, ..] = dst.planes_mut();
    for (first, rows) in bands(height) {
        let band = luma.band(first, rows);
        let y = match src.color().range {
            Range::Limited => stretched(band, &mut gray),
            Range::Full => whole_rows(band, &mut gray),
        };
        let image =
            YuvGrayImage { y_plane: y.data, y_stride: y.stride, width, height: rows as u32 };
        write_rows(rgb.band_mut(first, rows), &mut rgb_scratch, |rgb, stride| {
            kernel(&image, rgb, stride, YuvRange::Full, src.color().matrix.to_yuv())
        })?;
    }
    Ok(())
}

/// The crate's own stretching is less exact than the gray view of the same picture.
fn stretched<'a>(luma: Plane<'_>, scratch: &'a mut Vec<u8>) -> Rows<'a> {
    let row_bytes = luma.row_bytes();
    scratch.resize(luma.rows() * row_bytes, 0);
    for (gray, luma) in scratch.chunks_exact_mut(row_bytes).zip(luma.iter_rows()) {
        luma::stretch_row(luma, gray);
    }
    Rows { data: scratch, stride: tight_stride(row_bytes) }
}
