//! Drawing into the codec's own planes: a picture that is drawn on never goes to RGB and back.
//!
//! A shape is first how far it covers each pixel, and then a colour that is mixed in by that: into luma
//! pixel by pixel, into a chroma sample by the mean of the pixels that share it.

mod canvas;
mod color;
mod data;
mod effect;
mod shape;
#[cfg(test)]
mod tests;
mod text;

pub use color::Color;
pub(crate) use data::Drawing;
pub use text::Font;

use crate::av::{ColorTags, PixFmt};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::{Frame, Image, ImageMut, PixelFormat, no_view, picture};
use canvas::{Bounds, Canvas};

/// A rectangle as left, top, right and bottom, in pixels; its edges may lie within pixels.
pub type Rectangle = [f64; 4];

/// How text is drawn.
#[derive(Clone, Debug)]
pub struct TextStyle {
    size: f64,
    color: Color,
    background: Option<Color>,
    font: Font,
}

impl TextStyle {
    /// White letters of the embedded font, `size` pixels high (from the top of a letter like Å to the
    /// bottom of one like g it is a little more), with nothing behind them.
    pub fn new(size: f64) -> TextStyle {
        TextStyle { size, color: Color::WHITE, background: None, font: Font::embedded() }
    }

    /// The colour of the letters. The default is white.
    pub fn color(mut self, color: Color) -> TextStyle {
        self.color = color;
        self
    }

    /// The colour of the rectangle behind the text. The default is none.
    pub fn background(mut self, color: Color) -> TextStyle {
        self.background = Some(color);
        self
    }

    /// The font. The default is the embedded one.
    pub fn font(mut self, font: Font) -> TextStyle {
        self.font = font;
        self
    }
}

/// How a box round something that was found is drawn.
#[derive(Clone, Debug)]
pub struct BoxStyle {
    color: Color,
    width: f64,
    label: String,
    label_size: f64,
    font: Font,
}

impl BoxStyle {
    /// A line of this colour, 2 pixels wide, with no label.
    pub fn new(color: Color) -> BoxStyle {
        BoxStyle {
            color,
            width: 2.0,
            label: String::new(),
            label_size: 16.0,
            font: Font::embedded(),
        }
    }

    /// How wide the line is, in pixels. The default is 2.
    pub fn width(mut self, width: f64) -> BoxStyle {
        self.width = width;
        self
    }

    /// What stands on the upper left corner, on the box's colour: above the box, or within it where the
    /// picture ends above; always inside the picture. The default is nothing.
    pub fn label(mut self, label: impl Into<String>) -> BoxStyle {
        self.label = label.into();
        self
    }

    /// The size of the label's letters, in pixels. The default is 16.
    pub fn label_size(mut self, size: f64) -> BoxStyle {
        self.label_size = size;
        self
    }

    /// The label's font. The default is the embedded one.
    pub fn font(mut self, font: Font) -> BoxStyle {
        self.font = font;
        self
    }
}

/// Room round a text that has a background, as a part of the letters' size.
const PADDING: f64 = 0.2;

/// Draws on a picture: see [`Frame::draw`](crate::Frame::draw).
///
/// Places are in pixels from the upper left corner of the picture, and may lie between pixels: edges are
/// smooth. What lies outside the picture is not drawn, and neither is what has a NaN in it.
pub struct Draw<'a> {
    canvas: Canvas<'a>,
}

impl Frame {
    /// Draws on the picture, in the codec's own planes: nothing is converted to RGB and back. The frame
    /// counts as edited. Where a view of it was edited before, that is drawn on. Pictures whose samples
    /// have not 8 to 16 bits each in bytes of their own are converted to RGB first.
    ///
    /// ```no_run
    /// use frameloom::{BoxStyle, Color, Pipeline};
    ///
    /// # fn main() -> frameloom::Result<()> {
    /// let style = BoxStyle::new(Color::rgb(255, 200, 0)).label("person 0.93");
    /// Pipeline::from_url("rtmp://localhost/live/in")?
    ///     .process(move |frame| {
    ///         let mut draw = frame.draw()?;
    ///         draw.bounding_box([100.0, 80.0, 260.0, 400.0], &style);
    ///         draw.blur([120.0, 90.0, 200.0, 170.0], None);
    ///         Ok(())
    ///     })
    ///     .to_url("rtmp://localhost/live/out")?
    ///     .run()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for a picture that can't be converted.
    pub fn draw(&mut self) -> Result<Draw<'_>> {
        let tags = self.picture().colors();
        if let Some(format) = self.edited_view() {
            return Draw::on_image(self.image_mut(format)?, tags);
        }
        let is_paintable =
            self.picture().contents().is_some_and(|format| format.components().is_some());
        if !is_paintable {
            return Draw::on_image(self.image_mut(PixelFormat::Rgb24)?, tags);
        }
        let size = (self.width(), self.height());
        let picture = self.own_picture()?;
        let format = picture.format().ok_or_else(no_view)?;
        let color = picture::color_of(tags, format);
        let planes = picture.planes_mut().map_err(|e| e.in_stage(Stage::Convert))?;
        Canvas::new(format, color, size, planes).map(|canvas| Draw { canvas }).ok_or_else(no_view)
    }

    /// Draws on pixels that were taken from the frame, as by [`Frame::copy_to`]: YUV is in its colours.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for a format that can't be drawn on.
    pub fn draw_on<'a>(&self, image: ImageMut<'a>) -> Result<Draw<'a>> {
        Draw::on_image(image, self.picture().colors())
    }
}

impl<'a> Draw<'a> {
    fn on_image(image: ImageMut<'a>, tags: ColorTags) -> Result<Draw<'a>> {
        let format = PixFmt::named(image.format().name()).ok_or_else(no_view)?;
        let size = (image.width(), image.height());
        let color = picture::color_of(tags, format);
        let canvas = Canvas::new(format, color, size, image.into_planes());
        canvas.map(|canvas| Draw { canvas }).ok_or_else(no_view)
    }

    /// Width and height of what is drawn on, in pixels.
    pub fn size(&self) -> (u32, u32) {
        // They were made of such numbers.
        let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        (number(self.canvas.width), number(self.canvas.height))
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, rectangle: impl Into<Rectangle>, color: Color) {
        shape::fill_rectangle(&mut self.canvas, rectangle.into(), color);
    }

    /// Draws the edges of a rectangle by a line as wide as this, half of it on either side.
    pub fn rectangle(&mut self, rectangle: impl Into<Rectangle>, color: Color, width: f64) {
        if width > 0.0 {
            shape::outline_rectangle(&mut self.canvas, rectangle.into(), color, width);
        }
    }

    /// Draws a box round something that was found, with its label.
    pub fn bounding_box(&mut self, rectangle: impl Into<Rectangle>, style: &BoxStyle) {
        let rectangle = rectangle.into();
        self.rectangle(rectangle, style.color, style.width);
        if style.label.is_empty() || rectangle.iter().any(|edge| edge.is_nan()) {
            return;
        }
        let [left, top, ..] = rectangle;
        let text = TextStyle::new(style.label_size)
            .color(style.color.readable())
            .background(style.color)
            .font(style.font.clone());
        let half = style.width / 2.0;
        let (w, h) = (self.canvas.width as f64, self.canvas.height as f64);
        let laid = text::lay_out(&style.label, text.size, &text.font, Some((w, h)));
        let padding = text.size * PADDING;
        let (width, height) = (laid.width + 2.0 * padding, laid.height + padding);
        let above = top - half - height;
        let at = [
            (left - half).min(w - width).max(0.0),
            if above >= 0.0 { above } else { (top - half).min(h - height).max(0.0) },
        ];
        self.write(at, &laid, &text);
    }

    /// Draws a straight line with round ends.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], color: Color, width: f64) {
        self.polyline(&[from, to], color, width);
    }

    /// Draws a line through some points, with round ends and corners; a dot through one.
    pub fn polyline(&mut self, points: &[[f64; 2]], color: Color, width: f64) {
        if let Some(path) = shape::polyline(points, false) {
            shape::line(&mut self.canvas, &path, color, width);
        }
    }

    /// Fills what lies between some corners.
    pub fn polygon(&mut self, corners: &[[f64; 2]], color: Color) {
        if let Some(path) = shape::polyline(corners, true) {
            shape::fill(&mut self.canvas, &path, color);
        }
    }

    /// Draws a circle by a line as wide as this, half of it on either side; filled where `width` is
    /// `None`.
    pub fn circle(&mut self, centre: [f64; 2], radius: f64, color: Color, width: Option<f64>) {
        let Some(path) = shape::circle(centre, radius) else { return };
        match width {
            Some(width) => shape::line(&mut self.canvas, &path, color, width),
            None => shape::fill(&mut self.canvas, &path, color),
        }
    }

    /// Writes text whose upper left corner is at `at`; `\n` begins a line. Letters that the font
    /// doesn't have are shown as its sign for that, mostly a box. Of a longer text 10,000 characters are
    /// looked at.
    pub fn text(&mut self, at: [f64; 2], text: &str, style: &TextStyle) {
        if at.iter().all(|place| place.is_finite()) {
            let most = (self.canvas.width as f64 - at[0], self.canvas.height as f64 - at[1]);
            let laid = text::lay_out(text, style.size, &style.font, Some(most));
            self.write(at, &laid, style);
        }
    }

    /// How wide and high a text is with the room that a background has round it, in pixels.
    pub fn text_size(text: &str, style: &TextStyle) -> (f64, f64) {
        let laid = text::lay_out(text, style.size, &style.font, None);
        let padding = if style.background.is_some() { style.size * PADDING } else { 0.0 };
        (laid.width + 2.0 * padding, laid.height + padding)
    }

    fn write(&mut self, [left, top]: [f64; 2], laid: &text::LaidOut, style: &TextStyle) {
        let mut padding = 0.0;
        if let Some(color) = style.background {
            padding = style.size * PADDING;
            let (right, bottom) = (left + laid.width + 2.0 * padding, top + laid.height + padding);
            self.fill([left, top, right, bottom], color);
        }
        if let Some(coverage) = &laid.coverage {
            // Letters begin on whole pixels: they are sharper so, and can be kept.
            let at = ((left + padding).round() as i64, (top + padding / 2.0).round() as i64);
            coverage.cover(&mut self.canvas, at, style.color);
        }
    }

    /// Draws a picture whose upper left corner is at `at`, by its own opacity where it is RGBA or BGRA,
    /// and by `opacity`, 0 to 1, besides.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where it is a YUV picture: convert it first.
    pub fn image(&mut self, at: [i64; 2], image: &Image<'_>, opacity: f64) -> Result<()> {
        let (color, alpha) = channels(image.format())?;
        let size = (i64::from(image.width()), i64::from(image.height()));
        let (Some(bounds), Some(plane)) = (self.placed(at, size), image.plane(0)) else {
            return Ok(());
        };
        let (bytes, data, stride) = (image.format().pixel_bytes(), plane.data(), plane.stride());
        let factor = (opacity.clamp(0.0, 1.0) * 256.0) as u32;
        self.canvas.cover_with(bounds, |x, y| {
            let (column, row) = ((x as i64 - at[0]) as usize, (y as i64 - at[1]) as usize);
            let pixel = data.get(row * stride + column * bytes..).unwrap_or_default();
            let of = |n: usize| pixel.get(n).copied().unwrap_or(0);
            let [r, g, b] = color.map(of);
            [r, g, b, ((u32::from(alpha.map_or(255, of)) * factor) >> 8) as u8]
        });
        Ok(())
    }

    /// Covers what a gray picture says with a colour: 0 is nothing, 255 all of it. Its upper left corner
    /// is at `at`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where it is not [`PixelFormat::Gray`].
    pub fn mask(&mut self, at: [i64; 2], mask: &Image<'_>, color: Color) -> Result<()> {
        if mask.format() != PixelFormat::Gray {
            let cause = format!("a mask is gray, not {}", mask.format());
            return Err(Error::new(ErrorKind::Usage, Stage::Process, cause));
        }
        let size = (i64::from(mask.width()), i64::from(mask.height()));
        let (Some(bounds), Some(plane)) = (self.placed(at, size), mask.plane(0)) else {
            return Ok(());
        };
        self.canvas.cover(bounds, color, |y, row| {
            let (left, y) = ((bounds.left as i64 - at[0]) as usize, (y as i64 - at[1]) as usize);
            let covered = plane.data().get(y * plane.stride() + left..).unwrap_or_default();
            row.iter_mut().zip(covered).for_each(|(out, covered)| *out = *covered);
        });
        Ok(())
    }

    /// Blurs what lies within a rectangle, so that a face is not recognised any more. `radius` is how far
    /// a pixel is spread, in pixels; `None` is an eighth of the longer side.
    pub fn blur(&mut self, rectangle: impl Into<Rectangle>, radius: Option<f64>) {
        let rectangle = rectangle.into();
        if let Some(bounds) = self.canvas.touched(rectangle) {
            let radius = radius.unwrap_or_else(|| longer(bounds) / 8.0);
            if radius > 0.0 {
                effect::blur(&mut self.canvas, bounds, radius.min(LARGEST_EFFECT));
            }
        }
    }

    /// Makes blocks of one colour each of what lies within a rectangle. `block` is their side in pixels;
    /// `None` is an eighth of the longer side.
    pub fn pixelate(&mut self, rectangle: impl Into<Rectangle>, block: Option<f64>) {
        let rectangle = rectangle.into();
        if let Some(bounds) = self.canvas.touched(rectangle) {
            let block = block.unwrap_or_else(|| longer(bounds) / 8.0);
            if block > 0.0 {
                effect::pixelate(&mut self.canvas, bounds, block.min(LARGEST_EFFECT));
            }
        }
    }

    /// The pixels of the picture on which something of a size stands.
    fn placed(&self, [left, top]: [i64; 2], (width, height): (i64, i64)) -> Option<Bounds> {
        let edges = [left, top, left.checked_add(width)?, top.checked_add(height)?];
        self.canvas.touched(edges.map(|edge| edge as f64))
    }
}

/// How far a blur reaches at the most, in pixels.
const LARGEST_EFFECT: f64 = 16_384.0;

fn longer(bounds: Bounds) -> f64 {
    bounds.width().max(bounds.height()) as f64
}

/// Where red, green and blue stand in a pixel, and its opacity.
fn channels(format: PixelFormat) -> Result<([usize; 3], Option<usize>)> {
    Ok(match format {
        PixelFormat::Rgb24 => ([0, 1, 2], None),
        PixelFormat::Bgr24 => ([2, 1, 0], None),
        PixelFormat::Rgba => ([0, 1, 2], Some(3)),
        PixelFormat::Bgra => ([2, 1, 0], Some(3)),
        PixelFormat::Gray => ([0; 3], None),
        _ => {
            let cause = format!("a picture to be drawn is RGB or gray, not {format}");
            return Err(Error::new(ErrorKind::Usage, Stage::Process, cause));
        }
    })
}
