//! The writable counterparts of [`Plane`](super::Plane) and [`Image`](super::Image).

use std::ops::Range;
use std::{array, fmt, mem};

use super::{
    Image, ImageError, MAX_PLANES, Packed, PixelFormat, Plane, PlaneLayout, check_packed,
    checked_frame_bytes, debug_plane, plane_rows,
};

/// One plane of a picture, writable.
#[derive(Default)]
pub struct PlaneMut<'a> {
    data: &'a mut [u8],
    layout: PlaneLayout,
}

impl PlaneMut<'_> {
    /// The plane, read-only.
    pub fn as_plane(&self) -> Plane<'_> {
        Plane { data: self.data, layout: self.layout }
    }

    /// The plane again, for a shorter time.
    pub fn reborrow(&mut self) -> PlaneMut<'_> {
        PlaneMut { data: self.data, layout: self.layout }
    }

    /// The bytes from the start of the first row to the end of the last, padding between rows
    /// included; padding after the last row may be there or not.
    pub fn data_mut(&mut self) -> &mut [u8] {
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
    pub fn row_mut(&mut self, y: usize) -> &mut [u8] {
        &mut self.data[self.layout.offset(y)..][..self.layout.row_bytes]
    }

    /// Rows `first..first + rows`, which must exist, as a plane.
    pub(crate) fn band_mut(&mut self, first: usize, rows: usize) -> PlaneMut<'_> {
        self.reborrow().into_band(first, rows)
    }

    /// The rows from the top, each [`row_bytes`](Self::row_bytes) long.
    pub fn iter_rows_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u8]> {
        let PlaneLayout { stride, row_bytes, .. } = self.layout;
        self.data.chunks_mut(stride.max(1)).map(move |row| &mut row[..row_bytes])
    }
}

impl<'a> PlaneMut<'a> {
    fn into_rows(self) -> impl ExactSizeIterator<Item = &'a mut [u8]> {
        let PlaneLayout { stride, row_bytes, .. } = self.layout;
        self.data.chunks_mut(stride.max(1)).map(move |row| &mut row[..row_bytes])
    }

    /// Rows `first..first + rows`, which must exist, as a plane.
    fn into_band(self, first: usize, rows: usize) -> PlaneMut<'a> {
        let layout = self.layout.with_rows(rows);
        let data = &mut self.data[self.layout.offset(first)..];
        let used = data.len().min(layout.offset(rows));
        PlaneMut { data: &mut data[..used], layout }
    }

    fn into_row(self, y: usize) -> &'a mut [u8] {
        &mut self.data[self.layout.offset(y)..][..self.layout.row_bytes]
    }
}

impl fmt::Debug for PlaneMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_plane(f, "PlaneMut", self.layout)
    }
}

/// One slice is kept whole, because planes that were split can't be joined again safely.
enum Backing<'a> {
    Packed(&'a mut [u8]),
    Planes([PlaneMut<'a>; MAX_PLANES]),
}

/// The planes of a packed picture; those that the format lacks are empty.
fn split(
    format: PixelFormat,
    width: u32,
    height: u32,
    data: &mut [u8],
) -> [PlaneMut<'_>; MAX_PLANES] {
    let mut rest = data;
    array::from_fn(|number| {
        let layout = PlaneLayout::tight(format, number, width, height);
        let (data, after) = mem::take(&mut rest).split_at_mut(layout.tight_bytes());
        rest = after;
        PlaneMut { data, layout }
    })
}

/// A picture, writable: a borrowed view.
pub struct ImageMut<'a> {
    format: PixelFormat,
    width: u32,
    height: u32,
    store: Backing<'a>,
}

impl<'a> ImageMut<'a> {
    /// A picture of `width` x `height` pixels over planes given as `(data, stride)`, `data`
    /// starting at the first row and `stride` in bytes. What stands in the padding is left alone.
    ///
    /// # Errors
    ///
    /// [`ImageError`] where the size is empty or too large, the number of planes isn't the
    /// format's, or a plane doesn't hold its rows. Padding after the last row is not needed.
    pub fn new(
        format: PixelFormat,
        width: u32,
        height: u32,
        planes: impl IntoIterator<Item = (&'a mut [u8], usize)>,
    ) -> Result<Self, ImageError> {
        checked_frame_bytes(format, width, height)?;
        let expected = format.plane_count();
        let mut given = planes.into_iter();
        let mut checked: [PlaneMut<'a>; MAX_PLANES] = Default::default();
        for (number, slot) in checked[..expected].iter_mut().enumerate() {
            let Some((data, stride)) = given.next() else {
                return Err(ImageError::PlaneCount { format, expected, actual: number });
            };
            let (layout, used) =
                PlaneLayout::checked(format, number, (width, height), (data.len(), stride))?;
            *slot = PlaneMut { data: &mut data[..used], layout };
        }
        let surplus = given.count();
        if surplus > 0 {
            let actual = expected.saturating_add(surplus);
            return Err(ImageError::PlaneCount { format, expected, actual });
        }
        let store = if expected == 1 && checked[0].layout.is_tight() {
            Backing::Packed(mem::take(&mut checked[0]).data)
        } else {
            Backing::Planes(checked)
        };
        Ok(Self { format, width, height, store })
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
        data: &'a mut [u8],
    ) -> Result<Self, ImageError> {
        check_packed(format, width, height, data.len())?;
        Ok(Self::over_packed(format, width, height, data))
    }

    /// As [`packed`](Self::packed), for bytes that have been checked.
    pub(super) fn over_packed(
        format: PixelFormat,
        width: u32,
        height: u32,
        data: &'a mut [u8],
    ) -> Self {
        Self { format, width, height, store: Backing::Packed(data) }
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

    /// The picture, read-only.
    pub fn as_image(&self) -> Image<'_> {
        let Self { format, width, height, .. } = *self;
        match &self.store {
            Backing::Packed(data) => Image::over_packed(format, width, height, data),
            Backing::Planes(planes) => {
                let planes = planes.each_ref().map(PlaneMut::as_plane);
                Image { format, width, height, planes, packed: Packed(None) }
            }
        }
    }

    /// The picture again, for a shorter time.
    pub fn reborrow(&mut self) -> ImageMut<'_> {
        let store = match &mut self.store {
            Backing::Packed(data) => Backing::Packed(data),
            Backing::Planes(planes) => Backing::Planes(planes.each_mut().map(PlaneMut::reborrow)),
        };
        ImageMut { store, ..*self }
    }

    /// All planes at once; those that the format lacks are empty.
    pub fn planes_mut(&mut self) -> [PlaneMut<'_>; MAX_PLANES] {
        let Self { format, width, height, .. } = *self;
        match &mut self.store {
            Backing::Packed(data) => split(format, width, height, data),
            Backing::Planes(planes) => planes.each_mut().map(PlaneMut::reborrow),
        }
    }

    /// The format's planes, each with its bytes from the first row on and its stride.
    pub(crate) fn into_planes(self) -> Vec<(&'a mut [u8], usize)> {
        let count = self.format.plane_count();
        let planes = match self.store {
            Backing::Packed(data) => split(self.format, self.width, self.height, data),
            Backing::Planes(planes) => planes,
        };
        let bytes = |plane: PlaneMut<'a>| (plane.data, plane.layout.stride);
        planes.into_iter().take(count).map(bytes).collect()
    }

    /// These rows as a picture; they must exist and not cut a row of chroma in two.
    pub(crate) fn into_band(self, rows: Range<u32>) -> ImageMut<'a> {
        let Self { format, width, .. } = self;
        let height = rows.end - rows.start;
        let planes = match self.store {
            Backing::Packed(data) => split(format, width, self.height, data),
            Backing::Planes(planes) => planes,
        };
        let mut number = 0;
        let mut planes = planes.map(|plane| {
            let (first, count) = plane_rows(format, number, &rows);
            number += 1;
            if number > format.plane_count() { plane } else { plane.into_band(first, count) }
        });
        let is_packed = format.plane_count() == 1 && planes[0].layout.is_tight();
        let store = match is_packed {
            true => Backing::Packed(mem::take(&mut planes[0]).data),
            false => Backing::Planes(planes),
        };
        ImageMut { format, width, height, store }
    }

    /// Plane number `plane` from 0, read-only, or `None` where the format has no such plane.
    pub fn plane(&self, plane: usize) -> Option<Plane<'_>> {
        let image = self.as_image();
        image.plane(plane)
    }

    /// Plane number `plane` from 0, or `None` where the format has no such plane.
    pub fn plane_mut(&mut self, plane: usize) -> Option<PlaneMut<'_>> {
        if plane >= self.format.plane_count() {
            return None;
        }
        self.planes_mut().get_mut(plane).map(mem::take)
    }

    /// The first plane without the cost of splitting off the others: it is asked for each pixel.
    fn first_mut(&mut self) -> PlaneMut<'_> {
        match &mut self.store {
            Backing::Packed(data) => {
                let layout = PlaneLayout::tight(self.format, 0, self.width, self.height);
                PlaneMut { data: &mut data[..layout.tight_bytes()], layout }
            }
            Backing::Planes(planes) => planes[0].reborrow(),
        }
    }

    /// Row `y` of the first plane from the top, without padding, read-only: all samples of a
    /// packed format, luma alone of a YUV format.
    ///
    /// # Panics
    ///
    /// Where `y` is not below [`height`](Self::height), as slice indexing does.
    pub fn row(&self, y: u32) -> &[u8] {
        let image = self.as_image();
        image.row(y)
    }

    /// Row `y` of the first plane from the top, without padding: all samples of a packed format,
    /// luma alone of a YUV format.
    ///
    /// # Panics
    ///
    /// Where `y` is not below [`height`](Self::height), as slice indexing does.
    pub fn row_mut(&mut self, y: u32) -> &mut [u8] {
        self.first_mut().into_row(y as usize)
    }

    /// The rows of the first plane from the top, read-only, as [`row`](Self::row) gives them.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let image = self.as_image();
        image.rows()
    }

    /// The rows of the first plane from the top, as [`row_mut`](Self::row_mut) gives them.
    pub fn rows_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u8]> {
        self.first_mut().into_rows()
    }

    /// The [`pixel_bytes`](PixelFormat::pixel_bytes) bytes of the pixel in column `x` and row `y`
    /// of the first plane, read-only, or `None` outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<&[u8]> {
        let image = self.as_image();
        image.pixel(x, y)
    }

    /// The [`pixel_bytes`](PixelFormat::pixel_bytes) bytes of the pixel in column `x` and row `y`
    /// of the first plane, or `None` outside the picture.
    pub fn pixel_mut(&mut self, x: u32, y: u32) -> Option<&mut [u8]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let size = self.format.pixel_bytes();
        self.row_mut(y).get_mut(x as usize * size..)?.get_mut(..size)
    }

    /// The whole picture as one slice, read-only; see [`as_packed_mut`](Self::as_packed_mut).
    pub fn as_packed(&self) -> Option<&[u8]> {
        match &self.store {
            Backing::Packed(data) => Some(data),
            Backing::Planes(_) => None,
        }
    }

    /// The whole picture as one slice of [`frame_bytes`](PixelFormat::frame_bytes), or `None`
    /// where there is padding or the planes were given apart.
    pub fn as_packed_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.store {
            Backing::Packed(data) => Some(data),
            Backing::Planes(_) => None,
        }
    }

    /// A copy of the whole picture without padding.
    pub fn to_packed_vec(&self) -> Vec<u8> {
        self.as_image().to_packed_vec()
    }
}

impl fmt::Debug for ImageMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageMut")
            .field("format", &self.format)
            .field("width", &self.width)
            .field("height", &self.height)
            .field("packed", &self.as_packed().is_some())
            .finish_non_exhaustive()
    }
}
