//! A decoded frame, and views of its pixels in the format you want.

use std::cell::OnceCell;
use std::ops::Range;

use crate::av::{AvError, AvFrame, PixFmt};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::bands::{BAND_ROWS, BandSet, EditedBands, Parts, differ};
use crate::image::picture;
use crate::image::resample::shrunk;
use crate::image::{BufferPool, Image, ImageMut, PixelBuffer, PixelFormat};
use crate::time::arrival::Arrival;
use crate::time::{TimeBase, Timestamp};

/// A decoded frame: the picture as the codec left it, and where it belongs in time.
///
/// You pay for what you touch. A frame nobody looked at is never converted; one that was only
/// read ([`Frame::image`]) goes to the encoder as it was decoded; one that was edited
/// ([`Frame::image_mut`]) is converted back once.
///
/// Reading takes `&self`: views of several formats and rows may be looked at side by side. A frame
/// can be sent to another thread and is used by one at a time.
pub struct Frame {
    picture: AvFrame,
    time_base: TimeBase,
    views: Views,
    edited: EditState,
    /// Of the view that is newer than the picture.
    bands: Option<Box<EditedBands>>,
    /// That view with what it lacks, for whoever reads all of it.
    completed: OnceCell<Box<PixelBuffer>>,
    /// Rows that were read by themselves.
    parts: Parts,
    /// The rows that were handed out to be changed, from the first to behind the last.
    edited_rows: Range<u32>,
    /// The picture with the edit that was made in a view, for views of other formats; of a picture on a
    /// device, its copy in memory.
    settled: OnceCell<AvFrame>,
    index: u64,
    arrived: Arrival,
    pool: BufferPool,
    /// The one output it is for; for all where it is `None`.
    output: Option<usize>,
    /// Filter graphs get a picture that a device holds as it is.
    stays_on_device: bool,
    /// It is what a packet of the input has at this time, but for edits.
    is_of_packet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EditState {
    No,
    /// The picture itself was changed; the views, if any, were made after that.
    Picture,
    /// The view in this format is newer than the picture.
    View(PixelFormat),
}

/// The picture in other formats, each converted when it is first asked for. Most frames have none.
#[derive(Default)]
struct Views(OnceCell<Box<Cells>>);

type Cells = [OnceCell<PixelBuffer>; PixelFormat::ALL.len()];

impl Views {
    fn get(&self, format: PixelFormat) -> Option<&PixelBuffer> {
        self.0.get()?.get(format as usize)?.get()
    }

    fn get_mut(&mut self, format: PixelFormat) -> Option<&mut PixelBuffer> {
        self.0.get_mut()?.get_mut(format as usize)?.get_mut()
    }

    fn set(&self, view: PixelBuffer) {
        let cells = self.0.get_or_init(Box::default);
        if let Some(cell) = cells.get(view.format() as usize) {
            // Nobody else could have set it: a frame is used by one thread.
            let _ = cell.set(view);
        }
    }

    fn take(&mut self, format: PixelFormat) -> Option<PixelBuffer> {
        self.0.get_mut()?.get_mut(format as usize)?.take()
    }
}

impl Frame {
    pub(crate) fn new(
        picture: AvFrame,
        time_base: TimeBase,
        index: u64,
        arrived: Arrival,
        pool: BufferPool,
    ) -> Frame {
        Frame {
            picture,
            time_base,
            views: Views::default(),
            edited: EditState::No,
            bands: None,
            completed: OnceCell::new(),
            parts: Parts::default(),
            edited_rows: 0..0,
            settled: OnceCell::new(),
            index,
            arrived,
            pool,
            output: None,
            stays_on_device: false,
            is_of_packet: false,
        }
    }

    /// Says that it is what a packet of the input has at this time.
    pub(crate) fn of_packet(mut self) -> Frame {
        self.is_of_packet = true;
        self
    }

    /// Whether it is what a packet of the input has at this time: nothing was changed, it is no picture of
    /// somebody's own, and of no other time.
    pub(crate) fn is_as_decoded(&self) -> bool {
        self.is_of_packet && !self.is_edited()
    }

    /// A frame of your own making, from packed or planar pixels, at `pts`.
    ///
    /// # Errors
    /// [`ErrorKind::Other`] where memory runs out.
    pub fn from_image(image: &Image<'_>, pts: Timestamp) -> Result<Frame> {
        let picture = picture::from_image(image)?;
        let mut frame = Frame::new(picture, pts.base(), 0, Arrival::now(), BufferPool::new(0));
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

    /// Sets the time at which players show the frame. It is rounded to the ticks of
    /// [`Frame::time_base`].
    pub fn show_at(&mut self, pts: Timestamp) {
        self.is_of_packet = false;
        self.picture.set_pts(Some(pts.rescale(self.time_base).ticks()));
    }

    /// The same picture for one tick of a clock.
    pub(crate) fn at_tick(mut self, tick: i64, base: TimeBase) -> Frame {
        self.is_of_packet = false;
        self.time_base = base;
        self.picture.set_pts(Some(tick));
        self.picture.set_duration(1);
        self
    }

    /// How long it is to be shown; zero where the stream doesn't say.
    pub fn duration(&self) -> Timestamp {
        self.time_base.at(self.picture.duration())
    }

    /// Makes it last until `end`, unless it begins later.
    pub(crate) fn show_until(&mut self, end: Timestamp) {
        let length = end.minus(self.pts()).rescale(self.time_base).ticks();
        if length > 0 {
            self.picture.set_duration(length);
        }
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
        self.picture.contents().map_or("", PixFmt::name)
    }

    /// Width and height of one pixel, where they differ or are known: 4:3 is (4, 3).
    pub fn sample_aspect_ratio(&self) -> Option<(i32, i32)> {
        self.picture.sample_aspect_ratio()
    }

    /// Whether the pixels were changed since it was decoded.
    pub fn is_edited(&self) -> bool {
        self.edited != EditState::No
    }

    /// The codec's own planes: bytes and stride of each, as [`Frame::format_name`] lays them out.
    /// An edit made through a view of another format is not in them before it is encoded.
    pub fn planes(&self) -> Vec<(&[u8], usize)> {
        let picture = match self.picture.is_on_device() {
            true => self.current().unwrap_or(&self.picture),
            false => &self.picture,
        };
        (0..4).map_while(|i| picture.plane(i)).collect()
    }

    /// The rows that your code may have changed: from the first to behind the last that
    /// [`Frame::image_mut`], [`Frame::rows_mut`] or [`Frame::set_image`] gave access to. Empty
    /// where the frame isn't edited.
    pub fn edited_rows(&self) -> Range<u32> {
        self.edited_rows.clone()
    }

    /// The pixels in `format`, read-only. They are converted when they are first asked for, and
    /// not again.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for a picture that can't be converted.
    pub fn image(&self, format: PixelFormat) -> Result<Image<'_>> {
        match self.view(format)? {
            Some(view) => Ok(view.image()),
            None => picture::as_image(self.current()?, format).ok_or_else(no_view),
        }
    }

    /// Some rows of the pixels in `format`, read-only: row 0 of the image is `rows.start` of the
    /// frame. Ask for the rows that you need: of 8-bit YUV no more is converted than these, in bands of 16.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for rows that the frame hasn't got, or that cut a row of chroma in two;
    /// else as [`Frame::image`].
    pub fn rows(&self, format: PixelFormat, rows: Range<u32>) -> Result<Image<'_>> {
        self.check_rows(format, &rows)?;
        let height = self.height();
        let is_part = self.edited_view().is_none()
            && self.views.get(format).is_none()
            && rows.end - rows.start < height
            && !picture::is_view(self.current()?, format)
            && picture::converts_by_band(self.current()?, format);
        if !is_part {
            return Ok(self.image(format)?.band(rows));
        }
        let found = match self.parts.find(format, &rows) {
            Some(part) => part,
            None if self.parts.is_full() => return Ok(self.image(format)?.band(rows)),
            None => {
                let start = rows.start / BAND_ROWS * BAND_ROWS;
                let whole = start..rows.end.next_multiple_of(BAND_ROWS).min(height);
                let lines = whole.end - whole.start;
                let mut pixels = self.blank_of_size(format, self.width(), lines)?;
                picture::to_view_rows(self.current()?, &whole, &mut pixels.image_mut())?;
                self.parts.add(start, pixels)
            }
        };
        Ok(found.pixels.image().band(rows.start - found.first_row..rows.end - found.first_row))
    }

    /// The pixels in `format`, to change; the frame counts as edited, in all its rows.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for a picture that can't be converted.
    pub fn image_mut(&mut self, format: PixelFormat) -> Result<ImageMut<'_>> {
        let rows = 0..self.height();
        self.edit(format, rows)
    }

    /// Some rows of the pixels in `format`, to change: row 0 of the image is `rows.start` of the
    /// frame. The frame counts as edited, in these rows.
    ///
    /// # Errors
    /// As [`Frame::rows`].
    pub fn rows_mut(&mut self, format: PixelFormat, rows: Range<u32>) -> Result<ImageMut<'_>> {
        self.check_rows(format, &rows)?;
        Ok(self.edit(format, rows.clone())?.into_band(rows))
    }

    fn edit(&mut self, format: PixelFormat, rows: Range<u32>) -> Result<ImageMut<'_>> {
        let is_newest = self.edited == EditState::View(format);
        if !is_newest {
            self.download()?;
            if picture::is_view(&self.picture, format) {
                self.forget_views();
                self.touch(rows);
                self.edited = EditState::Picture;
                return picture::as_image_mut(&mut self.picture, format);
            }
        }
        let height = self.height();
        let mut bands = match (is_newest, self.views.get(format).is_some()) {
            (true, _) => self.bands.take().unwrap_or_default(),
            (false, is_there) => Box::new(EditedBands {
                ready: if is_there { BandSet::all(height) } else { BandSet::none(height) },
                changed: BandSet::none(height),
            }),
        };
        let mut view = match self.views.take(format) {
            Some(view) => view,
            None => self.blank_view(format)?,
        };
        let filled = self.fill(&mut view, &mut bands.ready, &rows);
        if filled.is_ok() || is_newest {
            // Where it failed, the view holds nothing of these rows.
            if filled.is_ok() {
                bands.changed.insert(&rows);
            }
            // What was made of the picture before is not what it is any more.
            self.forget_views();
            self.bands = Some(bands);
            self.edited = EditState::View(format);
            self.views.set(view);
        }
        filled?;
        self.touch(rows);
        self.views.get_mut(format).map(PixelBuffer::image_mut).ok_or_else(no_view)
    }

    /// Converts what a view lacks of some rows.
    fn fill(&self, view: &mut PixelBuffer, ready: &mut BandSet, rows: &Range<u32>) -> Result<()> {
        if ready.is_all() {
            return Ok(());
        }
        if !picture::converts_by_band(&self.picture, view.format()) {
            picture::to_view(&self.picture, &mut view.image_mut())?;
            *ready = BandSet::all(self.height());
            return Ok(());
        }
        for rows in ready.missing(rows) {
            let mut band = view.image_mut().into_band(rows.clone());
            picture::to_view_rows(&self.picture, &rows, &mut band)?;
            ready.insert(&rows);
        }
        Ok(())
    }

    /// Forgets all that was made of the picture.
    fn forget_views(&mut self) {
        self.views = Views::default();
        self.settled = OnceCell::new();
        self.completed = OnceCell::new();
        self.parts = Parts::default();
    }

    /// The format of the view that is newer than the picture.
    pub(super) fn edited_view(&self) -> Option<PixelFormat> {
        match self.edited {
            EditState::View(format) => Some(format),
            EditState::No | EditState::Picture => None,
        }
    }

    /// The picture in memory, to be changed; the frame counts as edited, in all its rows.
    pub(super) fn own_picture(&mut self) -> Result<&mut AvFrame> {
        self.own_picture_in(0..self.height())
    }

    /// The same, edited in these rows.
    pub(super) fn own_picture_in(&mut self, rows: Range<u32>) -> Result<&mut AvFrame> {
        self.download()?;
        self.forget_views();
        self.touch(rows);
        self.edited = EditState::Picture;
        Ok(&mut self.picture)
    }

    fn touch(&mut self, rows: Range<u32>) {
        self.edited_rows = match self.edited_rows.is_empty() {
            true => rows,
            false => self.edited_rows.start.min(rows.start)..self.edited_rows.end.max(rows.end),
        };
    }

    fn check_rows(&self, format: PixelFormat, rows: &Range<u32>) -> Result<()> {
        let (height, step) = (self.height(), format.rows_a_chroma_row());
        let is_there = rows.start < rows.end && rows.end <= height;
        let is_whole = |row: u32| row.is_multiple_of(step) || row == height;
        if is_there && is_whole(rows.start) && is_whole(rows.end) {
            return Ok(());
        }
        let Range { start, end } = rows;
        let cause = match is_there {
            true => format!("rows {start}..{end} of {format} cut a row of its chroma in two"),
            false => format!("there are no rows {start}..{end}: the frame has rows 0..{height}"),
        };
        Err(Error::new(ErrorKind::Usage, Stage::Convert, cause))
    }

    /// Converts the pixels into memory of your own, of the frame's size. The frame keeps no view
    /// and doesn't count as edited.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for another size and for a picture that can't be converted.
    pub fn copy_to(&self, target: &mut ImageMut<'_>) -> Result<()> {
        self.check_size(target.width(), target.height())?;
        picture::to_view(self.current()?, target)
    }

    /// Replaces the pixels by yours, of the same size, by one conversion into the codec's own
    /// format. Times and colours stay; the frame counts as edited.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for another size and for a picture that can't be converted.
    pub fn set_image(&mut self, image: &Image<'_>) -> Result<()> {
        self.check_size(image.width(), image.height())?;
        let format = self.picture.contents().ok_or_else(no_view)?;
        self.picture = picture::from_view(image, format, &self.picture)?;
        self.forget_views();
        self.edited = EditState::Picture;
        self.edited_rows = 0..self.height();
        Ok(())
    }

    /// The same for pixels of which most may be as the frame's view has them: bands of rows that are so
    /// keep the codec's samples, and where all are, the frame doesn't count as edited.
    pub(crate) fn set_changed(&mut self, image: &Image<'_>) -> Result<()> {
        self.check_size(image.width(), image.height())?;
        self.commit()?;
        if !picture::converts_by_band(&self.picture, image.format()) {
            return self.set_image(image);
        }
        let mut changed = BandSet::none(self.height());
        // One band at a time stays in the nearest cache.
        let mut shown = self.blank_of_size(image.format(), self.width(), BAND_ROWS)?;
        for rows in BandSet::each(self.height()) {
            let mut shown = shown.image_mut().into_band(0..rows.end - rows.start);
            picture::to_view_rows(&self.picture, &rows, &mut shown)?;
            if differ(&shown.as_image(), &image.band(rows.clone())) {
                changed.insert(&rows);
            }
        }
        let rows = changed.rows();
        if rows.is_empty() {
            return Ok(());
        }
        self.picture = picture::with_rows(&self.picture, image, &rows)?;
        self.forget_views();
        self.edited = EditState::Picture;
        self.touch(changed.span());
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

    /// The frame in a size that is not larger in any direction; `None` where another way has to be
    /// found.
    pub(crate) fn shrunk(&self, width: u32, height: u32) -> Result<Option<Frame>> {
        let made = shrunk(self.current()?, width, height);
        let Some(picture) = made.map_err(|e| e.in_stage(Stage::Convert))? else { return Ok(None) };
        Ok(Some(Frame {
            edited_rows: 0..0,
            edited: EditState::No,
            output: self.output,
            ..Frame::new(picture, self.time_base, self.index, self.arrived, self.pool.clone())
        }))
    }

    /// Replaces the pixels by a whole packed picture of the same size; the frame counts as edited where
    /// `changed` says so, and is as it was elsewhere.
    pub(crate) fn replace(&mut self, pixels: PixelBuffer, changed: BandSet) {
        self.forget_views();
        self.edited = EditState::View(pixels.format());
        self.edited_rows = changed.span();
        self.bands = Some(Box::new(EditedBands { ready: BandSet::all(self.height()), changed }));
        self.views.set(pixels);
    }

    /// The pixels in `format`, packed, out of the frame's hands. The frame then counts as not
    /// edited since: whoever took them gives them back by [`Frame::replace`].
    pub(crate) fn take_packed(&mut self, format: PixelFormat) -> Result<PixelBuffer> {
        self.download()?;
        self.view(format)?;
        if let Some(view) = self.views.take(format) {
            return Ok(view);
        }
        let mut packed = self.blank_view(format)?;
        picture::to_view(&self.picture, &mut packed.image_mut())?;
        Ok(packed)
    }

    /// Memory for a whole packed picture of this frame's size.
    pub(crate) fn blank_view(&self, format: PixelFormat) -> Result<PixelBuffer> {
        self.blank_of_size(format, self.width(), self.height())
    }

    /// Memory for a whole packed picture of any size.
    pub(crate) fn blank_of_size(
        &self,
        format: PixelFormat,
        width: u32,
        height: u32,
    ) -> Result<PixelBuffer> {
        let taken = self.pool.take(format, width, height);
        taken.map_err(|e| {
            Error::new(ErrorKind::InvalidData, Stage::Convert, e.to_string()).because(e)
        })
    }

    /// The view in `format`, converted where it isn't there; none where the picture itself is one.
    fn view(&self, format: PixelFormat) -> Result<Option<&PixelBuffer>> {
        if let Some(view) = self.views.get(format) {
            let is_whole = self.edited != EditState::View(format) || self.has_whole_view();
            return if is_whole { Ok(Some(view)) } else { self.complete(view).map(Some) };
        }
        let picture = self.current()?;
        if picture::is_view(picture, format) {
            return Ok(None);
        }
        let mut view = self.blank_view(format)?;
        picture::to_view(picture, &mut view.image_mut())?;
        self.views.set(view);
        Ok(self.views.get(format))
    }

    /// Whether the view that is newer than the picture has all rows.
    fn has_whole_view(&self) -> bool {
        self.bands.as_ref().is_none_or(|bands| bands.ready.is_all())
    }

    /// A view that lacks some rows, with the picture's in their place.
    fn complete(&self, view: &PixelBuffer) -> Result<&PixelBuffer> {
        if self.completed.get().is_none() {
            let mut whole = self.blank_view(view.format())?;
            picture::to_view(&self.picture, &mut whole.image_mut())?;
            for rows in self.bands.iter().flat_map(|bands| bands.ready.rows()) {
                let mut target = whole.image_mut().into_band(rows.clone());
                let planes = view.image().band(rows);
                for (from, mut to) in planes.planes().iter().zip(target.planes_mut()) {
                    let lines = to.iter_rows_mut().zip(from.iter_rows());
                    lines.for_each(|(to, from)| to.copy_from_slice(from));
                }
            }
            // Nobody else could have set it: a frame is used by one thread.
            let _ = self.completed.set(Box::new(whole));
        }
        self.completed.get().map(|whole| &**whole).ok_or_else(no_view)
    }

    /// The picture as it is now, with any edit in it.
    pub(super) fn current(&self) -> Result<&AvFrame> {
        let is_edited = matches!(self.edited, EditState::View(_));
        if !is_edited && !self.picture.is_on_device() {
            return Ok(&self.picture);
        }
        if self.settled.get().is_none() {
            let settled = match is_edited {
                true => self.convert_view(self.picture.contents().ok_or_else(no_view)?)?,
                false => self.picture.download(None).map_err(not_downloaded)?,
            };
            // Nobody else could have set it: a frame is used by one thread.
            let _ = self.settled.set(settled);
        }
        self.settled.get().ok_or_else(no_view)
    }

    /// Brings the picture into memory, with any edit in it.
    pub(crate) fn download(&mut self) -> Result<()> {
        self.commit()?;
        if self.picture.is_on_device() {
            self.current()?;
            self.picture = self.settled.take().ok_or_else(no_view)?;
        }
        Ok(())
    }

    /// Whether a device holds the picture.
    pub(crate) fn is_on_device(&self) -> bool {
        self.picture.is_on_device() && !self.is_edited()
    }

    /// Marks the picture: filter graphs get it on its device, and do not fetch it into memory first.
    pub(crate) fn staying_on_device(mut self) -> Frame {
        self.stays_on_device = true;
        self
    }

    /// Waits for what may still be putting the picture on its device, by fetching it, and keeps what was
    /// fetched.
    pub(crate) fn finished(self) -> Result<Frame> {
        if self.is_on_device() && self.picture.may_be_unfinished() {
            self.current()?;
        }
        Ok(self)
    }

    /// Whether filter graphs take the picture from its device as it is.
    pub(crate) fn stays_on_device(&self) -> bool {
        self.stays_on_device && self.is_on_device()
    }

    /// Brings an edit made in a view back into the picture, in the picture's own format.
    fn commit(&mut self) -> Result<()> {
        if let EditState::View(format) = self.edited {
            self.current()?;
            self.picture = self.settled.take().ok_or_else(no_view)?;
            self.edited = EditState::Picture;
            if !self.has_whole_view() {
                self.views.take(format);
            }
            self.completed = OnceCell::new();
        }
        Ok(())
    }

    /// Brings an edit home where that makes the frame smaller: it is about to wait for its encoder,
    /// and an RGB view takes twice the room of the picture.
    pub(crate) fn shrink(&mut self) -> Result<()> {
        if self.picture.contents().is_none_or(PixFmt::is_rgb) {
            return Ok(());
        }
        self.commit()?;
        self.views = Views::default();
        self.parts = Parts::default();
        Ok(())
    }

    /// Brings an edit home, so that the picture's own planes show it.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.commit()
    }

    /// The edited view as a picture in `format`.
    fn convert_view(&self, format: PixFmt) -> Result<AvFrame> {
        let EditState::View(edited) = self.edited else { return Err(no_view()) };
        let view = self.views.get(edited).ok_or_else(no_view)?;
        let is_own = self.picture.format() == Some(format);
        let by_band = is_own && picture::converts_by_band(&self.picture, edited);
        let changed = self.bands.as_ref().map(|bands| &bands.changed);
        if let Some(changed) = changed.filter(|changed| by_band && !changed.is_all()) {
            return picture::with_rows(&self.picture, &view.image(), &changed.rows());
        }
        let view = self.view(edited)?.ok_or_else(no_view)?;
        picture::from_view(&view.image(), format, &self.picture)
    }

    /// The finished picture in its own format.
    pub(crate) fn into_picture(mut self) -> Result<AvFrame> {
        self.commit()?;
        Ok(self.picture)
    }

    /// The finished picture in `format`, by one conversion at the most.
    pub(crate) fn into_picture_as(mut self, format: PixFmt) -> Result<AvFrame> {
        if let EditState::View(_) = self.edited {
            return self.convert_view(format);
        }
        self.download()?;
        if self.picture.format() == Some(format) {
            return Ok(self.picture);
        }
        picture::convert(&self.picture, format)
    }

    /// The picture before the finishing touches; for its tags and shape.
    pub(crate) fn picture(&self) -> &AvFrame {
        &self.picture
    }

    /// For what is no pixel.
    pub(super) fn picture_mut(&mut self) -> &mut AvFrame {
        &mut self.picture
    }

    pub(crate) fn arrival(&self) -> Arrival {
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

    /// The frame with another one's picture in place of its own, at its own time.
    ///
    /// # Errors
    /// As [`Frame::share`].
    pub(crate) fn showing(&self, other: &mut Frame) -> Result<Frame> {
        let mut picture = other.share()?.picture;
        picture.set_pts(self.picture.pts());
        picture.set_duration(self.picture.duration());
        let (base, pool) = (self.time_base, self.pool.clone());
        Ok(Frame::new(picture, base, self.index, self.arrived, pool).for_output(self.output))
    }

    /// Another frame of the same picture, whose pixels are shared until one of the two is edited.
    /// An edit so far is in both.
    ///
    /// # Errors
    /// Where an edit can't be converted to the codec's own format, or memory runs out.
    pub fn share(&mut self) -> Result<Frame> {
        self.commit()?;
        let picture = self.picture.share().map_err(|e| e.in_stage(Stage::Process))?;
        Ok(Frame {
            picture,
            views: Views::default(),
            bands: None,
            completed: OnceCell::new(),
            parts: Parts::default(),
            edited_rows: self.edited_rows.clone(),
            settled: OnceCell::new(),
            pool: self.pool.clone(),
            ..*self
        })
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

fn not_downloaded(e: AvError) -> Error {
    let cause = format!("a picture can't be copied from its device: {}", e.cause());
    e.in_stage(Stage::Convert).reworded(cause)
}

pub(crate) fn no_view() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        Stage::Convert,
        "the frame has no picture that can be converted",
    )
}
