//! RGB to YUV.
//!
//! The `yuv` crate's planar routines do all of it; interleaved layouts go through planar chroma, a
//! band at a time, because the interleaved routines mix up U and V of NV21 on some targets.

use yuv::{
    BufferStoreMut, YuvConversionMode, YuvError, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
};

use super::{
    ConvertError,
    bands::{bands, tight_stride, whole_rows, write_rows},
    color::{Chroma, Subsampling, YuvImageMut},
    planes,
};
use crate::image::{Image, PixelFormat, PlaneMut};

type EncodeKernel = fn(
    &mut YuvPlanarImageMut<'_, u8>,
    &[u8],
    u32,
    YuvRange,
    YuvStandardMatrix,
    YuvConversionMode,
) -> Result<(), YuvError>;

fn kernel(format: PixelFormat, subsampling: Subsampling) -> Option<EncodeKernel> {
    use PixelFormat::{Bgr24, Bgra, Rgb24, Rgba};
    use Subsampling::{Luma, S420, S422, S444};
    Some(match (format, subsampling) {
        // The luma-only routines lack the exact mode: chroma is computed and thrown away.
        (Rgb24, S420 | Luma) => yuv::rgb_to_yuv420,
        (Bgr24, S420 | Luma) => yuv::bgr_to_yuv420,
        (Rgba, S420 | Luma) => yuv::rgba_to_yuv420,
        (Bgra, S420 | Luma) => yuv::bgra_to_yuv420,
        (Rgb24, S422) => yuv::rgb_to_yuv422,
        (Bgr24, S422) => yuv::bgr_to_yuv422,
        (Rgba, S422) => yuv::rgba_to_yuv422,
        (Bgra, S422) => yuv::bgra_to_yuv422,
        (Rgb24, S444) => yuv::rgb_to_yuv444,
        (Bgr24, S444) => yuv::bgr_to_yuv444,
        (Rgba, S444) => yuv::rgba_to_yuv444,
        (Bgra, S444) => yuv::bgra_to_yuv444,
        _ => return None,
    })
}

/// A picture in an RGB format to a YUV one of the same size.
pub(super) fn rgb_to_yuv(src: &Image<'_>, dst: &mut YuvImageMut<'_>) -> Result<(), ConvertError> {
    let layout = dst.layout();
    let Some(kernel) = kernel(src.format(), layout.subsampling()) else {
        return Err(ConvertError::Unsupported { from: src.format(), to: layout.format() });
    };
    let (matrix, range) = (dst.color().matrix.to_yuv(), dst.color().range.to_yuv());
    let (width, height) = (src.width(), src.height() as usize);
    let rgb = src.plane(0).unwrap_or_default();
    let [mut y, mut chroma1, mut chroma2, _] = dst.image_mut().planes_mut();
    let (mut rgb_scratch, mut y_scratch) = (Vec::new(), Vec::new());
    let mut scratch = ChromaScratch::default();
    for (first, rows) in bands(height) {
        let source = whole_rows(rgb.band(first, rows), &mut rgb_scratch);
        let (first_chroma_row, chroma_rows) = match layout.subsampling() {
            Subsampling::S420 | Subsampling::Luma => (first / 2, rows.div_ceil(2)),
            _ => (first, rows),
        };
        write_rows(y.band_mut(first, rows), &mut y_scratch, |y, y_stride| {
            let convert = |u: &mut [u8], u_stride, v: &mut [u8], v_stride| {
                let mut image = YuvPlanarImageMut {
                    y_plane: BufferStoreMut::Borrowed(&mut *y),
                    y_stride,
                    u_plane: BufferStoreMut::Borrowed(u),
                    u_stride,
                    v_plane: BufferStoreMut::Borrowed(v),
                    v_stride,
                    width,
                    // At most `BAND_ROWS`.
                    height: rows as u32,
                };
                let mode = YuvConversionMode::Professional;
                kernel(&mut image, source.data, source.stride, range, matrix, mode)
            };
            match layout.chroma() {
                Chroma::Planar => scratch.planar(
                    chroma1.band_mut(first_chroma_row, chroma_rows),
                    chroma2.band_mut(first_chroma_row, chroma_rows),
                    convert,
                ),
                order @ (Chroma::Uv | Chroma::Vu) => scratch.interleaved(
                    chroma1.band_mut(first_chroma_row, chroma_rows),
                    order,
                    convert,
                ),
                Chroma::None => scratch.discarded(width as usize, chroma_rows, convert),
            }
        })?;
    }
    Ok(())
}

/// Memory for the chroma of one band, where it can't be written straight to where it belongs.
#[derive(Default)]
struct ChromaScratch {
    u: Vec<u8>,
    v: Vec<u8>,
}

impl ChromaScratch {
    /// Lets `convert` fill a band of the two planes.
    fn planar(
        &mut self,
        u: PlaneMut<'_>,
        v: PlaneMut<'_>,
        convert: impl FnOnce(&mut [u8], u32, &mut [u8], u32) -> Result<(), YuvError>,
    ) -> Result<(), YuvError> {
        write_rows(u, &mut self.u, |u, u_stride| {
            write_rows(v, &mut self.v, |v, v_stride| convert(u, u_stride, v, v_stride))
        })
    }

    /// Lets `convert` fill a band of two planes, and puts them into `pairs`.
    fn interleaved(
        &mut self,
        mut pairs: PlaneMut<'_>,
        order: Chroma,
        convert: impl FnOnce(&mut [u8], u32, &mut [u8], u32) -> Result<(), YuvError>,
    ) -> Result<(), YuvError> {
        let row_bytes = pairs.row_bytes() / 2;
        self.resize(pairs.rows() * row_bytes);
        let stride = tight_stride(row_bytes);
        convert(&mut self.u, stride, &mut self.v, stride)?;
        let (a, b) = if order == Chroma::Vu { (&self.v, &self.u) } else { (&self.u, &self.v) };
        let sources = a.chunks_exact(row_bytes).zip(b.chunks_exact(row_bytes));
        for (pairs, (a, b)) in pairs.iter_rows_mut().zip(sources) {
            planes::interleave(a, b, pairs);
        }
        Ok(())
    }

    /// Lets `convert` fill a band of chroma that nobody wants.
    fn discarded(
        &mut self,
        width: usize,
        rows: usize,
        convert: impl FnOnce(&mut [u8], u32, &mut [u8], u32) -> Result<(), YuvError>,
    ) -> Result<(), YuvError> {
        let row_bytes = width.div_ceil(2);
        self.resize(rows * row_bytes);
        let stride = tight_stride(row_bytes);
        convert(&mut self.u, stride, &mut self.v, stride)
    }

    fn resize(&mut self, bytes: usize) {
        self.u.resize(bytes, 0);
        self.v.resize(bytes, 0);
    }
}
