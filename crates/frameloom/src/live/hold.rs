//! What is shown in place of pictures that must not be seen unedited.

use crate::error::Result;
use crate::image::{Frame, ImageMut, PixelFormat, no_view};
use crate::live::slate::Slate;

/// The last picture that your code gave out, or the slate where there was none.
pub(crate) struct HeldPicture {
    slate: Slate,
    last: Option<Frame>,
    /// The slate in a picture's size, RGB.
    fitted: Option<((u32, u32), Vec<u8>)>,
}

impl HeldPicture {
    pub(crate) fn new(slate: Slate) -> HeldPicture {
        HeldPicture { slate, last: None, fitted: None }
    }

    /// Keeps what goes out.
    ///
    /// # Errors
    /// Where an edit can't be converted to the codec's own format.
    pub(crate) fn keep(&mut self, frame: &mut Frame) -> Result<()> {
        self.last = Some(frame.share()?);
        Ok(())
    }

    /// What is shown at a frame's time in its place.
    ///
    /// # Errors
    /// Where a picture can't be converted.
    pub(crate) fn in_place_of(&mut self, mut frame: Frame) -> Result<Frame> {
        if let Some(last) = &mut self.last {
            return frame.showing(last);
        }
        let size = (frame.width(), frame.height());
        if self.fitted.as_ref().is_none_or(|(fitted, _)| *fitted != size) {
            self.fitted = Some((size, fitted(&self.slate.frame()?, size)?));
        }
        if let Some((_, pixels)) = &mut self.fitted {
            let image = ImageMut::packed(PixelFormat::Rgb24, size.0, size.1, pixels);
            frame.set_image(&image.map_err(|_| no_view())?.as_image())?;
        }
        Ok(frame)
    }
}

/// A picture in another size, in its own shape on black.
fn fitted(picture: &Frame, (width, height): (u32, u32)) -> Result<Vec<u8>> {
    let (across, down) = (
        f64::from(width) / f64::from(picture.width()),
        f64::from(height) / f64::from(picture.height()),
    );
    let factor = across.min(down);
    let scaled = |length: u32, most: u32| ((f64::from(length) * factor) as u32).clamp(1, most);
    let (w, h) = (scaled(picture.width(), width), scaled(picture.height(), height));
    let mut copy = Frame::from_image(&picture.image(PixelFormat::Rgb24)?, picture.pts())?;
    copy = copy.scaled(w, h)?;
    let image = copy.image(PixelFormat::Rgb24)?;
    let (row_bytes, left) = (width as usize * 3, (width - w) as usize / 2 * 3);
    let mut pixels = vec![0; row_bytes * height as usize];
    let rows = pixels.chunks_exact_mut(row_bytes).skip((height - h) as usize / 2);
    for (row, line) in rows.zip(image.rows()) {
        row[left..left + line.len()].copy_from_slice(line);
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;
    use crate::time::TimeBase;

    fn gray(level: u8, tick: i64) -> Frame {
        let pixels = vec![level; 64 * 48 * 3];
        let image = Image::packed(PixelFormat::Rgb24, 64, 48, &pixels).unwrap();
        Frame::from_image(&image, TimeBase::new(1, 25).unwrap().at(tick)).unwrap()
    }

    fn levels(frame: &Frame) -> Vec<u8> {
        frame.image(PixelFormat::Gray).unwrap().rows().flatten().copied().collect()
    }

    #[test]
    fn before_anything_went_out_the_slate_is_shown_and_then_the_last_picture() {
        let mut held = HeldPicture::new(Slate::load(None).unwrap());
        let slate = held.in_place_of(gray(200, 3)).unwrap();
        assert_eq!((slate.width(), slate.height(), slate.pts().ticks()), (64, 48, 3));
        let seen = levels(&slate);
        assert!(seen.iter().all(|level| *level != 200), "the frame itself is not seen");
        assert!(seen.iter().any(|level| *level > 100), "the card has words on it");

        let mut edited = gray(0, 4);
        edited.image_mut(PixelFormat::Rgb24).unwrap().rows_mut().for_each(|row| row.fill(90));
        held.keep(&mut edited).unwrap();
        let shown = held.in_place_of(gray(200, 7)).unwrap();
        assert_eq!(shown.pts().ticks(), 7);
        assert!(levels(&shown).iter().all(|level| level.abs_diff(90) <= 1));
    }
}
