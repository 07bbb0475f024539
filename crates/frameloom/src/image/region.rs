//! A rectangle of the picture, read or replaced by itself: nothing else is converted.

use crate::av::{AvFrame, PixFmt};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::{Frame, Image, ImageMut, PixelBuffer, PixelFormat, no_view, picture};

/// A rectangle in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PixelRectangle {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl PixelRectangle {
    /// The smallest one round it that cuts no sample which pixels of a picture in `format` share.
    fn widened(self, format: PixFmt, (width, height): (u32, u32)) -> PixelRectangle {
        let shift = format.chroma_shift();
        let along = |from: u32, length: u32, log2: u32, most: u32| {
            let unit = 1 << log2;
            let begin = from / unit * unit;
            (begin, (from + length).next_multiple_of(unit).min(most) - begin)
        };
        let (left, width) = along(self.left, self.width, shift.0, width);
        let (top, height) = along(self.top, self.height, shift.1, height);
        PixelRectangle { left, top, width, height }
    }
}

impl PixelRectangle {
    /// Refuses one that is empty, or not within a frame.
    fn check_within(self, (most_wide, most_high): (u32, u32)) -> Result<()> {
        let PixelRectangle { left, top, width, height } = self;
        let fits = |from: u32, length: u32, most: u32| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= most)
        };
        if fits(left, width, most_wide) && fits(top, height, most_high) {
            return Ok(());
        }
        let cause = format!(
            "{width}x{height} pixels at {left},{top} are not within a frame of {most_wide}x{most_high}"
        );
        Err(Error::new(ErrorKind::Usage, Stage::Convert, cause))
    }

    /// Refuses one that is not within an image, or cuts a sample that its pixels share.
    fn check_in(self, format: PixelFormat, size: (u32, u32)) -> Result<()> {
        self.check_within(size)?;
        let own = PixFmt::named(format.name()).ok_or_else(no_view)?;
        if self.widened(own, size) == self {
            return Ok(());
        }
        let PixelRectangle { left, top, width, height } = self;
        let cause = format!("{width}x{height} pixels at {left},{top} cut a sample of {format}");
        Err(Error::new(ErrorKind::Usage, Stage::Convert, cause))
    }
}

impl Frame {
    /// The pixels of a rectangle in `format`: only they are converted.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a rectangle that is empty, not within the frame, or cuts a chroma sample of
    /// `format`;
    /// [`ErrorKind::InvalidData`] for a picture that can't be converted.
    pub fn region(
        &self,
        format: PixelFormat,
        [left, top]: [u32; 2],
        [width, height]: [u32; 2],
    ) -> Result<PixelBuffer> {
        let wanted = PixelRectangle { left, top, width, height };
        wanted.check_in(format, (self.width(), self.height()))?;
        let picture = self.current()?;
        let whole = wanted.widened(own_format(picture)?, (self.width(), self.height()));
        let converted = read(picture, format, whole)?;
        let mut region = buffer(format, wanted)?;
        let from = (wanted.left - whole.left, wanted.top - whole.top);
        copy(&converted.image(), from, &mut region.image_mut(), (0, 0), (width, height));
        Ok(region)
    }

    /// Replaces the pixels of a rectangle, whose upper left corner is at `at`: only they are converted,
    /// and no other luma changes. The frame counts as edited, in these rows.
    ///
    /// # Errors
    /// As [`Frame::region`].
    pub fn set_region(&mut self, [left, top]: [u32; 2], pixels: &Image<'_>) -> Result<()> {
        let (width, height) = (pixels.width(), pixels.height());
        let wanted = PixelRectangle { left, top, width, height };
        wanted.check_in(pixels.format(), (self.width(), self.height()))?;
        let format = own_format(self.current()?)?;
        if format.components().is_none() {
            // Pixels that share bytes can't be replaced by themselves.
            let mut image = self.image_mut(PixelFormat::Rgb24)?;
            return paste_converted(pixels, &mut image, (left, top));
        }
        let whole = wanted.widened(format, (self.width(), self.height()));
        let mut widened = read(self.current()?, pixels.format(), whole)?;
        let to = (left - whole.left, top - whole.top);
        copy(pixels, (0, 0), &mut widened.image_mut(), to, (width, height));
        let rows = whole.top..whole.top + whole.height;
        let picture = self.own_picture_in(rows)?;
        let part = crop(picture, whole)?;
        let made = picture::from_view(&widened.image(), format, &part)?;
        drop(part);
        paste(&made, picture, whole, wanted)
    }
}

impl ImageMut<'_> {
    /// Copies a smaller image of the same format to a place in this one.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where it is of another format, does not fit there, or cuts a chroma sample.
    pub fn paste(&mut self, [left, top]: [u32; 2], image: &Image<'_>) -> Result<()> {
        let format = self.format();
        if image.format() != format {
            let cause = format!("an image of {} can't be put into one of {format}", image.format());
            return Err(Error::new(ErrorKind::Usage, Stage::Convert, cause));
        }
        let (width, height) = (image.width(), image.height());
        let r = PixelRectangle { left, top, width, height };
        let whole = (self.width(), self.height());
        r.check_in(format, whole)?;
        copy(image, (0, 0), self, (left, top), (width, height));
        Ok(())
    }
}

fn own_format(picture: &AvFrame) -> Result<PixFmt> {
    picture.format().ok_or_else(no_view)
}

fn crop(picture: &AvFrame, r: PixelRectangle) -> Result<AvFrame> {
    let cropped = picture.cropped((r.left, r.top), (r.width, r.height));
    cropped.map_err(|e| e.in_stage(Stage::Convert))
}

fn buffer(format: PixelFormat, r: PixelRectangle) -> Result<PixelBuffer> {
    PixelBuffer::new(format, r.width, r.height)
        .map_err(|e| Error::new(ErrorKind::InvalidData, Stage::Convert, e.to_string()).because(e))
}

fn read(picture: &AvFrame, format: PixelFormat, r: PixelRectangle) -> Result<PixelBuffer> {
    let mut view = buffer(format, r)?;
    picture::to_view(&crop(picture, r)?, &mut view.image_mut())?;
    Ok(view)
}

/// Copies a rectangle of one image into another of the same format.
fn copy(
    from: &Image<'_>,
    at: (u32, u32),
    to: &mut ImageMut<'_>,
    into: (u32, u32),
    size: (u32, u32),
) {
    let format = from.format();
    let bytes = |plane: usize, pixels: u32| match pixels {
        0 => 0,
        _ => format.plane_size(plane, pixels, 1).0,
    };
    let rows = |plane: usize, pixels: u32| match pixels {
        0 => 0,
        _ => format.plane_size(plane, 1, pixels).1,
    };
    for (n, (source, mut target)) in from.planes().iter().zip(to.planes_mut()).enumerate() {
        let length = bytes(n, size.0);
        let lines = source.iter_rows().skip(rows(n, at.1)).take(rows(n, size.1));
        for (line, out) in lines.zip(target.iter_rows_mut().skip(rows(n, into.1))) {
            let (begin, place) = (bytes(n, at.0), bytes(n, into.0));
            out[place..place + length].copy_from_slice(&line[begin..begin + length]);
        }
    }
}

/// Brings pixels into the format of an image, and there to a place.
fn paste_converted(pixels: &Image<'_>, image: &mut ImageMut<'_>, at: (u32, u32)) -> Result<()> {
    let small = picture::from_image(pixels)?;
    let mut view = PixelBuffer::new(image.format(), pixels.width(), pixels.height())
        .map_err(|e| Error::new(ErrorKind::InvalidData, Stage::Convert, e.to_string()))?;
    picture::to_view(&small, &mut view.image_mut())?;
    copy(&view.image(), (0, 0), image, at, (pixels.width(), pixels.height()));
    Ok(())
}

/// Puts a picture, which is `widened` of a larger one of the same format, back there: its chroma, and of
/// all else what is `wanted`.
fn paste(
    part: &AvFrame,
    whole: &mut AvFrame,
    widened: PixelRectangle,
    wanted: PixelRectangle,
) -> Result<()> {
    let format = own_format(part)?;
    let size = |plane: usize, width: u32, height: u32| {
        format.plane_size(plane, width.max(1), height.max(1)).unwrap_or((0, 0))
    };
    let bytes = |plane: usize, width: u32| if width > 0 { size(plane, width, 1).0 } else { 0 };
    let rows = |plane: usize, height: u32| if height > 0 { size(plane, 1, height).1 } else { 0 };
    // Where luma stands between chroma, it is replaced with it.
    let is_mixed = format.plane_count() == 1 && format.chroma_shift() != (0, 0);
    let planes = whole.planes_mut().map_err(|e| e.in_stage(Stage::Convert))?;
    for (n, (out, out_stride)) in planes.into_iter().enumerate() {
        let (data, stride) = part.plane(n).ok_or_else(no_view)?;
        let is_chroma = (n == 1 || n == 2) && !format.is_rgb();
        let r = if is_chroma || is_mixed { widened } else { wanted };
        let length = bytes(n, r.width);
        let (from, first) = (bytes(n, r.left - widened.left), rows(n, r.top - widened.top));
        let (to, top) = (bytes(n, r.left), rows(n, r.top));
        let lines = out.chunks_mut(out_stride).skip(top);
        let source = data.chunks(stride).skip(first).take(rows(n, r.height));
        for (line, row) in lines.zip(source) {
            line[to..to + length].copy_from_slice(&row[from..from + length]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::tensor::tests::noise_frame;

    fn frame(format: &str) -> Frame {
        noise_frame(format, 41, 27)
    }

    proptest! {
        #[test]
        fn a_region_is_the_part_of_the_image_and_nothing_else_changes(
            format in prop::sample::select(vec!["yuv420p", "yuv422p", "yuv444p", "nv12", "gray", "rgb24", "gbrp"]),
            (left, top) in (0..40u32, 0..26u32),
            (width, height) in (1..41u32, 1..27u32),
            view in prop::sample::select(vec![PixelFormat::Rgb24, PixelFormat::Bgra, PixelFormat::Gray]),
        ) {
            let (width, height) = (width.min(41 - left), height.min(27 - top));
            let mut changed = frame(format);
            let still = frame(format);
            let region = changed.region(view, [left, top], [width, height]).unwrap();
            let bytes = view.pixel_bytes();
            let whole = still.image(view).unwrap();
            let row = |y: u32| &whole.row(top + y)[left as usize * bytes..][..width as usize * bytes];
            for y in 0..height {
                prop_assert_eq!(region.image().row(y), row(y));
            }

            let white = vec![255; width as usize * height as usize * 3];
            let image = Image::packed(PixelFormat::Rgb24, width, height, &white).unwrap();
            changed.set_region([left, top], &image).unwrap();
            let rows = changed.edited_rows();
            prop_assert!(rows.start <= top && rows.end >= top + height);
            let (before, after) = (still.image(PixelFormat::Gray).unwrap().to_packed_vec(), changed.image(PixelFormat::Gray).unwrap().to_packed_vec());
            for (n, (before, after)) in before.iter().zip(&after).enumerate() {
                let (x, y) = (n as u32 % 41, n as u32 / 41);
                if (left..left + width).contains(&x) && (top..top + height).contains(&y) {
                    prop_assert!(*after >= 253, "white became {after}");
                } else {
                    prop_assert_eq!(before, after, "at {},{}", x, y);
                }
            }
        }
    }

    #[test]
    fn what_is_not_within_the_frame_is_an_error() {
        let mut frame = frame("yuv420p");
        for (at, size) in
            [([0, 0], [42, 1]), ([41, 0], [1, 1]), ([0, 0], [0, 3]), ([u32::MAX, 0], [2, 2])]
        {
            let error = frame.region(PixelFormat::Rgb24, at, size).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        }
        let pixels = [0; 3 * 3 * 3];
        let image = Image::packed(PixelFormat::Rgb24, 3, 3, &pixels).unwrap();
        let error = frame.set_region([40, 0], &image).unwrap_err();
        assert!(error.to_string().contains("3x3 pixels at 40,0"), "{error}");
        assert!(!frame.is_edited());
    }
}
