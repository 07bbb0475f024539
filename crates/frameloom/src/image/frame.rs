//! A decoded frame, and views of its pixels in the format you want.

use std::time::Instant;

use crate::av::{AvFrame, PixFmt};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::picture;
use crate::image::{BufferPool, Image, ImageMut, PixelBuffer, PixelFormat};
use crate::time::{TimeBase, Timestamp};

/// A decoded frame: the picture as the codec left it, and where it belongs in time.
///
/// You pay for what you touch. A frame nobody looked at is never converted; one that was only
/// read ([`Frame::image`]) goes to the encoder as it was decoded; one that was edited
/// ([`Frame::image_mut`]) is converted back once.
pub struct Frame {
    picture: AvFrame,
    time_base: TimeBase,
    view: Option<PixelBuffer>,
    edited: Edited,
    index: u64,
    arrived: Instant,
    pool: BufferPool,
    /// The one output it is for; for all where it is `None`.
    output: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edited {
    No,
    /// The picture itself was changed; a view, if any, was made after that.
    Picture,
    /// The view is newer than the picture.
    View,
}

impl Frame {
    pub(crate) fn new(
        picture: AvFrame,
        time_base: TimeBase,
        index: u64,
        arrived: Instant,
        pool: BufferPool,
    ) -> Frame {
        Frame {
            picture,
            time_base,
            view: None,
            edited: Edited::No,
            index,
            arrived,
            pool,
            output: None,
        }
    }

    /// A frame of your own making, from packed or planar pixels, at `pts`.
    ///
    /// # Errors
    /// [`ErrorKind::Other`] where memory runs out.
    pub fn from_image(image: &Image<'_>, pts: Timestamp) -> Result<Frame> {
        let picture = picture::from_image(image)?;
        let mut frame = Frame::new(picture, pts.base(), 0, Instant::now(), BufferPool::new(0));
        frame.picture.set_pts(Some(pts.ticks()));
        Ok(frame)
    }

    /// Pixels from left to right.
    pub fn width(&self) -> u32 {
        self.picture.width()
    }

    /// Pixels from top to bottom.
    pub fn height(&self) -> u32 {
        self.picture.height()
    }

    /// When it is to be shown; zero is where the input starts.
    pub fn pts(&self) -> Timestamp {
        self.time_base.at(self.picture.pts().unwrap_or(0))
    }

    /// How long it is to be shown; zero where the stream doesn't say.
    pub fn duration(&self) -> Timestamp {
        self.time_base.at(self.picture.duration())
    }

    /// The unit of [`Frame::pts`].
    pub fn time_base(&self) -> TimeBase {
        self.time_base
    }

    /// Whether the codec coded it without reference to another.
    pub fn key_frame(&self) -> bool {
        self.picture.is_key()
    }

    /// Its number since the input was opened, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// FFmpeg's name of the codec's own pixel format.
    pub fn format_name(&self) -> &'static str {
        self.picture.format().map_or("", PixFmt::name)
    }

    /// Width and height of one pixel, where they differ or are known: 4:3 is (4, 3).
    pub fn sample_aspect_ratio(&self) -> Option<(i32, i32)> {
        self.picture.sample_aspect_ratio()
    }

    /// Whether the pixels were changed since it was decoded.
    pub fn is_edited(&self) -> bool {
        self.edited != Edited::No
    }

    /// The codec's own planes: bytes and stride of each, as [`Frame::format_name`] lays them out.
    /// An edit made through a view of another format is not in them before it is encoded.
    pub fn planes(&self) -> Vec<(&[u8], usize)> {
        (0..4).map_while(|i| self.picture.plane(i)).collect()
    }

    /// The pixels in `format`, read-only, converted on first use and kept.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for a picture that can't be converted.
    pub fn image(&mut self, format: PixelFormat) -> Result<Image<'_>> {
        self.prepare(format)?;
        match &self.view {
            Some(view) if view.format() == format => Ok(view.image()),
            _ => picture::as_image(&self.picture, format).ok_or_else(no_view),
        }
    }

    /// The pixels in `format`, to change; the frame counts as edited.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for a picture that can't be converted.
    pub fn image_mut(&mut self, format: PixelFormat) -> Result<ImageMut<'_>> {
        self.prepare(format)?;
        match &mut self.view {
            Some(view) if view.format() == format => {
                self.edited = Edited::View;
                Ok(view.image_mut())
            }
            _ => {
                self.edited = Edited::Picture;
                picture::as_image_mut(&mut self.picture, format)
            }
        }
    }

    /// Converts the pixels into memory of your own, of the frame's size. The frame keeps no view
    /// and doesn't count as edited.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for another size and for a picture that can't be converted.
    pub fn copy_to(&mut self, target: &mut ImageMut<'_>) -> Result<()> {
        self.check_size(target.width(), target.height())?;
        self.commit()?;
        picture::to_view(&self.picture, target)
    }

    /// Replaces the pixels by yours, of the same size, by one conversion into the codec's own
    /// format. Times and colours stay; the frame counts as edited.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for another size and for a picture that can't be converted.
    pub fn set_image(&mut self, image: &Image<'_>) -> Result<()> {
        self.check_size(image.width(), image.height())?;
        let format = self.picture.format().ok_or_else(no_view)?;
        self.picture = picture::from_view(image, format, &self.picture)?;
        self.view = None;
        self.edited = Edited::Picture;
        Ok(())
    }

    fn check_size(&self, width: u32, height: u32) -> Result<()> {
        if (width, height) == (self.width(), self.height()) {
            return Ok(());
        }
        let cause = format!(
            "the frame is {}x{} and the image {width}x{height}",
            self.width(),
            self.height()
        );
        Err(Error::new(ErrorKind::InvalidData, Stage::Convert, cause))
    }

    /// Replaces the pixels by a whole packed picture of the same size; the frame counts as edited.
    pub(crate) fn replace(&mut self, pixels: PixelBuffer) {
        self.view = Some(pixels);
        self.edited = Edited::View;
    }

    /// The pixels in `format`, packed, out of the frame's hands. The frame then counts as not
    /// edited since: whoever took them gives them back by [`Frame::replace`].
    pub(crate) fn take_packed(&mut self, format: PixelFormat) -> Result<PixelBuffer> {
        self.commit()?;
        self.prepare(format)?;
        if let Some(view) = self.view.take() {
            return Ok(view);
        }
        let mut packed = self.blank_view(format)?;
        picture::to_view(&self.picture, &mut packed.image_mut())?;
        Ok(packed)
    }

    /// Memory for a whole packed picture of this frame's size.
    pub(crate) fn blank_view(&self, format: PixelFormat) -> Result<PixelBuffer> {
        let taken = self.pool.take(format, self.width(), self.height());
        taken.map_err(|e| Error::new(ErrorKind::InvalidData, Stage::Convert, e.to_string()))
    }

    /// Has a view in `format` ready, or none where the picture itself is one.
    fn prepare(&mut self, format: PixelFormat) -> Result<()> {
        if self.view.as_ref().is_some_and(|v| v.format() == format) {
            return Ok(());
        }
        self.commit()?;
        self.view = None;
        if picture::is_view(&self.picture, format) {
            return Ok(());
        }
        let mut view = self.blank_view(format)?;
        picture::to_view(&self.picture, &mut view.image_mut())?;
        self.view = Some(view);
        Ok(())
    }

    /// Brings an edit made in a view back into the picture, in the picture's own format.
    fn commit(&mut self) -> Result<()> {
        if self.edited == Edited::View {
            let format = self.picture.format().ok_or_else(no_view)?;
            self.picture = self.convert_view(format)?;
            self.edited = Edited::Picture;
        }
        Ok(())
    }

    /// Brings an edit home where that makes the frame smaller: it is about to wait for its encoder,
    /// and an RGB view takes twice the room of the picture.
    pub(crate) fn shrink(&mut self) -> Result<()> {
        if self.picture.format().is_none_or(PixFmt::is_rgb) {
            return Ok(());
        }
        self.commit()?;
        self.view = None;
        Ok(())
    }

    /// Brings an edit home, so that the picture's own planes show it.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.commit()
    }

    fn convert_view(&self, format: PixFmt) -> Result<AvFrame> {
        let view = self.view.as_ref().ok_or_else(no_view)?;
        picture::from_view(&view.image(), format, &self.picture)
    }

    /// The finished picture in its own format.
    pub(crate) fn into_picture(mut self) -> Result<AvFrame> {
        self.commit()?;
        Ok(self.picture)
    }

    /// The finished picture in `format`, by one conversion at the most.
    pub(crate) fn into_picture_as(self, format: PixFmt) -> Result<AvFrame> {
        if self.edited == Edited::View {
            return self.convert_view(format);
        }
        if self.picture.format() == Some(format) {
            return Ok(self.picture);
        }
        picture::convert(&self.picture, format)
    }

    /// The picture before the finishing touches; for its tags and shape.
    pub(crate) fn picture(&self) -> &AvFrame {
        &self.picture
    }

    pub(crate) fn arrived(&self) -> Instant {
        self.arrived
    }

    pub(crate) fn pool(&self) -> &BufferPool {
        &self.pool
    }

    /// Only the output of this number gets it.
    pub(crate) fn for_output(mut self, output: Option<usize>) -> Frame {
        self.output = output;
        self
    }

    /// Its place in the stream.
    pub(crate) fn with_index(self, index: u64) -> Frame {
        Frame { index, ..self }
    }

    pub(crate) fn output(&self) -> Option<usize> {
        self.output
    }

    /// Another frame of the same picture, whose pixels are shared until one of the two is edited.
    /// An edit so far is in both.
    ///
    /// # Errors
    /// Where an edit can't be converted to the codec's own format, or memory runs out.
    pub fn share(&mut self) -> Result<Frame> {
        self.commit()?;
        let picture = self.picture.share().map_err(|e| e.in_stage(Stage::Process))?;
        Ok(Frame { picture, view: None, pool: self.pool.clone(), ..*self })
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Frame {} at {}: {}x{} {}",
            self.index,
            self.pts(),
            self.width(),
            self.height(),
            self.format_name()
        )
    }
}

pub(crate) fn no_view() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        Stage::Convert,
        "the frame has no picture that can be converted",
    )
}
