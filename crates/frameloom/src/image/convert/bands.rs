//! Pictures in bands of a few rows.
//!
//! The `yuv` crate steps through planes in whole strides and passes over a last row that lacks its
//! padding, or takes the row before in its place. Planes that libav hands out may well end there.
//! So it is given one band at a time, and a band that is cut short goes through scratch memory.
//! Bands also keep intermediate chroma in the nearest cache.

use crate::image::{Plane, PlaneMut};

/// Rows of luma in a band: even, so that no chroma row is split between two bands.
pub(super) const BAND_ROWS: usize = 16;

/// The bands of a picture `height` rows high, as `(first row, rows)`.
pub(super) fn bands(height: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..height).step_by(BAND_ROWS).map(move |first| (first, BAND_ROWS.min(height - first)))
}

/// Some rows of a plane, every one of them a whole stride long.
pub(super) struct Rows<'a> {
    pub(super) data: &'a [u8],
    pub(super) stride: u32,
}

/// All rows of `band`, copied to `scratch` where the plane ends before the stride of the last one.
pub(super) fn whole_rows<'a>(band: Plane<'a>, scratch: &'a mut Vec<u8>) -> Rows<'a> {
    let (stride, row_bytes) = (band.stride(), band.row_bytes());
    if let (true, Ok(stride)) = (band.data().len() == stride * band.rows(), u32::try_from(stride)) {
        return Rows { data: band.data(), stride };
    }
    scratch.resize(band.rows() * row_bytes, 0);
    for (copy, row) in scratch.chunks_exact_mut(row_bytes).zip(band.iter_rows()) {
        copy.copy_from_slice(row);
    }
    Rows { data: scratch, stride: tight_stride(row_bytes) }
}

/// Lets `write` fill all rows of `band`, every one of them a whole stride long when `write` sees
/// it: in `scratch` where the plane ends before the stride of the last one.
pub(super) fn write_rows<E>(
    mut band: PlaneMut<'_>,
    scratch: &mut Vec<u8>,
    write: impl FnOnce(&mut [u8], u32) -> Result<(), E>,
) -> Result<(), E> {
    let (stride, row_bytes, rows) = (band.stride(), band.row_bytes(), band.rows());
    if let (true, Ok(stride)) = (band.data_mut().len() == stride * rows, u32::try_from(stride)) {
        return write(band.data_mut(), stride);
    }
    scratch.resize(rows * row_bytes, 0);
    write(scratch, tight_stride(row_bytes))?;
    for (row, filled) in band.iter_rows_mut().zip(scratch.chunks_exact(row_bytes)) {
        row.copy_from_slice(filled);
    }
    Ok(())
}

/// The stride of rows without padding. A picture is below 2 GiB, so it always fits.
pub(super) fn tight_stride(row_bytes: usize) -> u32 {
    u32::try_from(row_bytes).unwrap_or(u32::MAX)
}
