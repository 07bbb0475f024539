//! Pictures as the user's code sees them: borrowed views with rows and pixels, owned buffers, and
//! the pool that recycles the buffers from frame to frame.
//!
//! Nothing here converts anything; see [`convert`](crate::image::convert) for that.

pub(crate) mod bands;
mod buffer;
pub mod convert;
mod data;
pub(crate) mod device;
mod draw;
mod format;
mod frame;
pub(crate) mod picture;
mod region;
pub(crate) mod resample;
mod simd;
pub(crate) mod tensor;
#[cfg(test)]
mod tests;
mod view_mut;

use std::fmt;
use std::ops::Range;

pub use buffer::{BufferPool, PixelBuffer};
pub use data::FrameData;
pub(crate) use draw::Drawing;
pub use draw::{BoxStyle, Color, Draw, Font, Rectangle, TextStyle};
pub use format::PixelFormat;
pub use frame::Frame;
pub(crate) use frame::no_view;
pub use resample::Scaling;
pub use tensor::{ChannelOrder, Fit, TensorElement, TensorLayout, TensorOptions, Transform};
pub use view_mut::{ImageMut, PlaneMut};

/// The most planes that a picture has.
pub(crate) const MAX_PLANES: usize = 4;

/// The largest picture, in bytes without padding: libav's own limit, so that every frame that
/// libav can hold fits and no size taken from outside can exhaust the memory.
const MAX_FRAME_BYTES: usize = i32::MAX as usize;

/// Why some bytes can't be looked at as a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The width or the height is 0.
    #[error("a picture of {width}x{height} pixels is empty")]
    Empty {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// The picture would take more than 2 GiB.
    #[error("a picture of {width}x{height} pixels is too large")]
    TooLarge {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// The number of planes given isn't the format's.
    #[error("{format} has {expected} plane(s), {actual} given")]
    PlaneCount {
        /// The format asked for.
        format: PixelFormat,
        /// Planes the format has.
        expected: usize,
        /// Planes given.
        actual: usize,
    },
    /// The stride of a plane is smaller than its rows.
    #[error("plane {plane}: a stride of {stride} bytes is shorter than a row of {row_bytes} bytes")]
    Stride {
        /// Number of the plane, from 0.
        plane: usize,
        /// The stride given, in bytes.
        stride: usize,
        /// Bytes of one row without padding.
        row_bytes: usize,
    },
    /// A plane has fewer bytes than its rows need.
    #[error("plane {plane}: {actual} bytes given, {needed} needed")]
    PlaneLength {
        /// Number of the plane, from 0.
        plane: usize,
        /// Bytes from the start of the first row to the end of the last.
        needed: usize,
        /// Bytes given.
        actual: usize,
    },
    /// A packed picture isn't exactly as long as its format and size say.
    #[error("{format} {width}x{height} takes exactly {needed} bytes, {actual} given")]
    PackedLength {
        /// The format asked for.
        format: PixelFormat,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// [`PixelFormat::frame_bytes`] of that format and size.
        needed: usize,
        /// Bytes given.
        actual: usize,
    },
}

/// The packed size in bytes of a picture that may exist.
fn checked_frame_bytes(format: PixelFormat, width: u32, height: u32) -> Result<usize, ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::Empty { width, height });
    }
    match format.frame_bytes(width, height) {
        bytes if bytes <= MAX_FRAME_BYTES => Ok(bytes),
        _ => Err(ImageError::TooLarge { width, height }),
    }
}

/// As [`checked_frame_bytes`], for `actual` bytes that claim to be such a packed picture.
fn check_packed(
    format: PixelFormat,
    width: u32,
    height: u32,
    actual: usize,
) -> Result<(), ImageError> {
    let needed = checked_frame_bytes(format, width, height)?;
    if actual == needed {
        Ok(())
    } else {
        Err(ImageError::PackedLength { format, width, height, needed, actual })
    }
}

/// The first row and the number of rows that some rows of a picture have in a plane.
fn plane_rows(format: PixelFormat, plane: usize, rows: &Range<u32>) -> (usize, usize) {
    let step = if plane == 0 { 1 } else { format.rows_a_chroma_row() };
    let (first, end) = (rows.start / step, rows.end.div_ceil(step));
    (first as usize, (end - first) as usize)
}

/// Where the rows of one plane stand in its bytes.
#[derive(Debug, Clone, Copy, Default)]
struct PlaneLayout {
    stride: usize,
    row_bytes: usize,
    rows: usize,
}

impl PlaneLayout {
    /// The layout of an unpadded plane; that of a picture already checked, so nothing overflows.
    fn tight(format: PixelFormat, plane: usize, width: u32, height: u32) -> Self {
        let (row_bytes, rows) = format.plane_size(plane, width, height);
        Self { stride: row_bytes, row_bytes, rows }
    }

    /// Checks a plane given as `len` bytes with `stride`, and returns its layout with the number
    /// of bytes that belong to it: padding after the last row is part of the plane as far as the
    /// stride goes.
    fn checked(
        format: PixelFormat,
        plane: usize,
        (width, height): (u32, u32),
        (len, stride): (usize, usize),
    ) -> Result<(Self, usize), ImageError> {
        let (row_bytes, rows) = format.plane_size(plane, width, height);
        if stride < row_bytes {
            return Err(ImageError::Stride { plane, stride, row_bytes });
        }
        let layout = Self { stride, row_bytes, rows }.with_rows(rows);
        let stride = layout.stride;
        let needed = stride.saturating_mul(rows - 1).saturating_add(row_bytes);
        if len < needed {
            return Err(ImageError::PlaneLength { plane, needed, actual: len });
        }
        Ok((layout, len.min(stride.saturating_mul(rows))))
    }

    /// Whether the rows follow each other without padding.
    fn is_tight(self) -> bool {
        self.stride == self.row_bytes
    }

    /// Bytes of the rows of an unpadded plane.
    fn tight_bytes(self) -> usize {
        self.row_bytes * self.rows
    }

    /// The layout of `rows` of these rows. A single one has no use for its stride.
    fn with_rows(self, rows: usize) -> Self {
        let stride = if rows == 1 { self.row_bytes } else { self.stride };
        Self { stride, rows, ..self }
    }

    /// The byte offset of row `y`; past the end of any slice where that overflows.
    fn offset(self, y: usize) -> usize {
        y.saturating_mul(self.stride)
    }
}

/// One plane of a picture, read-only.
#[derive(Clone, Copy, Default)]
pub struct Plane<'a> {
    data: &'a [u8],
    layout: PlaneLayout,
}

impl<'a> Plane<'a> {
    /// The bytes from the start of the first row to the end of the last, padding between rows
    /// included; padding after the last row may be there or not.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Bytes from the start of a row to the start of the next.
    pub fn stride(&self) -> usize {
        self.layout.stride
    }

    /// Bytes of a row without padding.
    pub fn row_bytes(&self) -> usize {
        self.layout.row_bytes
    }

    /// The number of rows, which is less than the picture's height where chroma is subsampled.
    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    /// Row `y` from the top, [`row_bytes`](Self::row_bytes) long.
    ///
    /// # Panics
    ///
    /// Where `y` is not below [`rows`](Self::rows), as slice indexing does.
    pub fn row(&self, y: usize) -> &'a [u8] {
        &self.data[self.layout.offset(y)..][..self.layout.row_bytes]
    }

    /// The rows from the top, each [`row_bytes`](Self::row_bytes) long.
    pub fn iter_rows(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let row_bytes = self.layout.row_bytes;
        self.data.chunks(self.layout.stride.max(1)).map(move |row| &row[..row_bytes])
    }

    /// Rows `first..first + rows`, which must exist, as a plane.
    pub(crate) fn band(&self, first: usize, rows: usize) -> Self {
        let layout = self.layout.with_rows(rows);
        let data = &self.data[self.layout.offset(first)..];
        Self { data: &data[..data.len().min(layout.offset(rows))], layout }
    }
}

impl fmt::Debug for Plane<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_plane(f, "Plane", self.layout)
    }
}

/// The geometry only: the bytes themselves would be megabytes.
fn debug_plane(f: &mut fmt::Formatter<'_>, name: &str, layout: PlaneLayout) -> fmt::Result {
    f.debug_struct(name)
        .field("stride", &layout.stride)
        .field("row_bytes", &layout.row_bytes)
        .field("rows", &layout.rows)
        .finish_non_exhaustive()
}

/// A picture, read-only: a borrowed view that is cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    format: PixelFormat,
    width: u32,
    height: u32,
    planes: [Plane<'a>; MAX_PLANES],
    packed: Packed<'a>,
}

/// The whole picture as one slice, where it is one.
#[derive(Clone, Copy)]
struct Packed<'a>(Option<&'a [u8]>);

impl fmt::Debug for Packed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.is_some().fmt(f)
    }
}

impl<'a> Image<'a> {
    /// A picture of `width` x `height` pixels over planes given as `(data, stride)`, `data`
    /// starting at the first row and `stride` in bytes.
    ///
    /// # Errors
    ///
    /// [`ImageError`] where the size is empty or too large, the number of planes isn't the
    /// format's, or a plane doesn't hold its rows. Padding after the last row is not needed.
    pub fn new(
        format: PixelFormat,
        width: u32,
        height: u32,
        planes: &[(&'a [u8], usize)],
    ) -> Result<Self, ImageError> {
        checked_frame_bytes(format, width, height)?;
        let expected = format.plane_count();
        if planes.len() != expected {
            return Err(ImageError::PlaneCount { format, expected, actual: planes.len() });
        }
        let mut image = Self {
            format,
            width,
            height,
            planes: [Plane::default(); MAX_PLANES],
            packed: Packed(None),
        };
        for (number, (slot, &(data, stride))) in image.planes.iter_mut().zip(planes).enumerate() {
            let (layout, used) =
                PlaneLayout::checked(format, number, (width, height), (data.len(), stride))?;
            *slot = Plane { data: &data[..used], layout };
        }
        if expected == 1 && image.planes[0].layout.is_tight() {
            image.packed = Packed(Some(image.planes[0].data));
        }
        Ok(image)
    }

    /// A picture whose rows and planes follow each other without padding, as `rawvideo` has it.
    ///
    /// # Errors
    ///
    /// [`ImageError`] where the size is empty or too large, or `data` isn't exactly
    /// [`PixelFormat::frame_bytes`] long.
    pub fn packed(
        format: PixelFormat,
        width: u32,
        height: u32,
        data: &'a [u8],
    ) -> Result<Self, ImageError> {
        check_packed(format, width, height, data.len())?;
        Ok(Self::over_packed(format, width, height, data))
    }

    /// As [`packed`](Self::packed), for bytes that have been checked.
    fn over_packed(format: PixelFormat, width: u32, height: u32, data: &'a [u8]) -> Self {
        let mut rest = data;
        let planes = std::array::from_fn(|number| {
            let layout = PlaneLayout::tight(format, number, width, height);
            let (data, after) = rest.split_at(layout.tight_bytes());
            rest = after;
            Plane { data, layout }
        });
        Self { format, width, height, planes, packed: Packed(Some(data)) }
    }

    /// These rows as a picture; they must exist and not cut a row of chroma in two.
    pub(crate) fn band(&self, rows: Range<u32>) -> Image<'a> {
        let mut image = *self;
        image.height = rows.end - rows.start;
        for (number, plane) in image.planes.iter_mut().take(self.format.plane_count()).enumerate() {
            let (first, count) = plane_rows(self.format, number, &rows);
            *plane = plane.band(first, count);
        }
        let is_packed = self.format.plane_count() == 1 && image.planes[0].layout.is_tight();
        image.packed = Packed(is_packed.then_some(image.planes[0].data));
        image
    }

    /// The format of the bytes.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Pixels across.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels down.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Plane number `plane` from 0, or `None` where the format has no such plane.
    pub fn plane(&self, plane: usize) -> Option<Plane<'a>> {
        self.planes[..self.format.plane_count()].get(plane).copied()
    }

    /// All planes of the format.
    pub fn planes(&self) -> &[Plane<'a>] {
        &self.planes[..self.format.plane_count()]
    }

    /// Row `y` of the first plane from the top, without padding: all samples of a packed format,
    /// luma alone of a YUV format.
    ///
    /// # Panics
    ///
    /// Where `y` is not below [`height`](Self::height), as slice indexing does.
    pub fn row(&self, y: u32) -> &'a [u8] {
        self.planes[0].row(y as usize)
    }

    /// The rows of the first plane from the top, as [`row`](Self::row) gives them.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        self.planes[0].iter_rows()
    }

    /// The [`pixel_bytes`](PixelFormat::pixel_bytes) bytes of the pixel in column `x` and row `y`
    /// of the first plane, or `None` outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<&'a [u8]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let size = self.format.pixel_bytes();
        self.row(y).get(x as usize * size..)?.get(..size)
    }

    /// The whole picture as one slice of [`frame_bytes`](PixelFormat::frame_bytes), or `None`
    /// where there is padding or the planes were given apart.
    pub fn as_packed(&self) -> Option<&'a [u8]> {
        self.packed.0
    }

    /// A copy of the whole picture without padding.
    pub fn to_packed_vec(&self) -> Vec<u8> {
        if let Some(packed) = self.as_packed() {
            return packed.to_vec();
        }
        let mut packed = Vec::with_capacity(self.format.frame_bytes(self.width, self.height));
        for plane in self.planes() {
            plane.iter_rows().for_each(|row| packed.extend_from_slice(row));
        }
        packed
    }
}
