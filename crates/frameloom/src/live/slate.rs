//! The card that is shown while a live input is lost.

use std::path::Path;

use crate::av::MediaKind;
use crate::codec::decode::VideoDecoder;
use crate::error::{Error, ErrorKind, Hint, Result, Sentence, Setting, Stage};
use crate::image::Frame;
use crate::image::{Image, PixelFormat};
use crate::input::{Source, SourceMessage};
use crate::options::{InputOptions, LiveOptions, StreamPlace};
use crate::protocol::environment::Environment;
use crate::stats::Stats;
use crate::time::Timestamp;
use crate::time::stop::Stop;

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
    options.slate_path().map_or(Ok(()), |image| Slate::load(Some(image)).map(drop))
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
        let Some(frame) = first_picture(&shown).map_err(fail)? else {
            return Err(error(ErrorKind::InvalidData, "there is no picture in it".into()));
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
        let image = image.map_err(|e| {
            Error::new(ErrorKind::InvalidData, Stage::Convert, e.to_string()).because(e)
        })?;
        Frame::from_image(&image, Timestamp::ZERO)
    }
}

/// The first picture of a file.
fn first_picture(path: &str) -> Result<Option<Frame>> {
    let environment = Environment::real();
    let mut source = Source::open(path, InputOptions::new(), &environment, &Stop::new())?;
    let Some(video) = source.video() else { return Ok(None) };
    let stats = Stats::new(None, environment.clock);
    let place = StreamPlace::only(MediaKind::Video);
    let mut decoder = VideoDecoder::open((video, place), &source.options, source.is_live, stats)?;
    while let Some(message) = source.read()? {
        match message {
            SourceMessage::Packet(packet) if packet.kind == MediaKind::Video => {
                decoder.send(&packet)?;
            }
            _ => continue,
        }
        if let Some(frame) = decoder.receive() {
            return Ok(Some(frame));
        }
    }
    decoder.drain()?;
    decoder.finish()?;
    Ok(decoder.receive())
}
