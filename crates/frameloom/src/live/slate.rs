//! The card that is shown while a live input is lost.

use std::path::Path;

use crate::api::Reader;
use crate::error::{Error, ErrorKind, Hint, Result, Sentence, Setting, Stage};
use crate::image::Frame;
use crate::image::{Image, PixelFormat};
use crate::options::LiveOptions;
use crate::time::Timestamp;

/// Pixels from left to right of the built-in card, and from top to bottom.
const CARD: (usize, usize) = (640, 360);

/// A pixel of the letters is so many pixels of the card.
const DOT: usize = 8;

/// What it says, in rows of dots.
const WORDS: [&str; 7] = [
    "#...#..###.......####.###..###..#...#..###..#....",
    "##..#.#...#.....#......#..#...#.##..#.#...#.#....",
    "#.#.#.#...#.....#......#..#.....#.#.#.#...#.#....",
    "#..##.#...#......###...#..#.###.#..##.#####.#....",
    "#...#.#...#.........#..#..#...#.#...#.#...#.#....",
    "#...#.#...#.........#..#..#...#.#...#.#...#.#....",
    "#...#..###......####..###..###..#...#.#...#.#####",
];

/// Refuses a slate that can't be shown, before anything is opened.
///
/// # Errors
/// Where [`LiveOptions`] name an image that can't be read.
pub fn check_slate(options: &LiveOptions) -> Result<()> {
    options.slate().map_or(Ok(()), |image| Slate::load(Some(image)).map(drop))
}

/// A picture to be shown in place of the stream's own.
pub(crate) struct Slate {
    pixels: Vec<u8>,
    width: u32,
    height: u32,
}

impl Slate {
    /// Reads an image, or makes the built-in card.
    ///
    /// # Errors
    /// Where the image can't be read.
    pub(crate) fn load(image: Option<&Path>) -> Result<Slate> {
        let Some(path) = image else { return Ok(Slate::card()) };
        let shown = path.to_string_lossy();
        let error = |kind, cause: Sentence| {
            Error::new(kind, Stage::Options, cause)
                .at(&shown)
                .about(Setting::own("slate"))
                .hint(Hint::SlateIsPicture)
        };
        let fail = |e: Error| error(ErrorKind::InvalidData, e.cause().clone()).because(e);
        if !path.is_file() {
            return Err(error(ErrorKind::NotFound, "there is no such image".into()));
        }
        let mut frames = Reader::open(&shown).map_err(fail)?;
        let mut frame = match frames.next() {
            Some(frame) => frame.map_err(fail)?,
            None => {
                return Err(error(ErrorKind::InvalidData, "there is no picture in it".into()));
            }
        };
        let image = frame.image(PixelFormat::Rgb24).map_err(fail)?;
        let rows = (0..image.height()).map(|y| image.row(y));
        Ok(Slate {
            width: image.width(),
            height: image.height(),
            pixels: rows.flatten().copied().collect(),
        })
    }

    /// Light words in the middle of a dark card.
    fn card() -> Slate {
        let (width, height) = CARD;
        let across = WORDS.iter().map(|row| row.len()).max().unwrap_or(0);
        let (left, top) = ((width - across * DOT) / 2, (height - WORDS.len() * DOT) / 2);
        let is_lit = |x: usize, y: usize| {
            let (Some(x), Some(y)) = (x.checked_sub(left), y.checked_sub(top)) else {
                return false;
            };
            WORDS.get(y / DOT).and_then(|row| row.as_bytes().get(x / DOT)) == Some(&b'#')
        };
        let mut pixels = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let shade = if is_lit(x, y) { 224 } else { 32 };
                pixels.extend_from_slice(&[shade; 3]);
            }
        }
        let side = |n: usize| u32::try_from(n).unwrap_or(0);
        Slate { pixels, width: side(width), height: side(height) }
    }

    /// The picture as a frame.
    pub(crate) fn frame(&self) -> Result<Frame> {
        let image = Image::packed(PixelFormat::Rgb24, self.width, self.height, &self.pixels);
        let image =
            image.map_err(|e| Error::new(ErrorKind::InvalidData, Stage::Convert, e.to_string()))?;
        Frame::from_image(&image, Timestamp::ZERO)
    }
}
