//! Frames one by one, without a thread.

use crate::av::MediaKind;
use crate::decode::VideoDecoder;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::frame::Frame;
use crate::options::InputOptions;
use crate::outside::Outside;
use crate::source::Source;
use crate::stats::Stats;
use crate::stop::Stop;
use crate::time::{Rate, Timestamp};

/// An iterator over the frames of an input.
///
/// ```no_run
/// # fn main() -> frameloom::Result<()> {
/// for frame in frameloom::Reader::open("clip.mp4")? {
///     let mut frame = frame?;
///     let image = frame.image(frameloom::PixelFormat::Rgb24)?;
///     println!("{:?}", image.pixel(0, 0));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Reader {
    source: Source,
    decoder: VideoDecoder,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Reading,
    Drained,
    Failed,
}

impl Reader {
    /// Opens an input with FFmpeg's defaults.
    ///
    /// # Errors
    /// Where it can't be opened or holds no video.
    pub fn open(url: &str) -> Result<Reader> {
        Reader::open_with(url, InputOptions::new(), &Stop::new())
    }

    /// Opens an input. `stop` ends every wait for it.
    ///
    /// # Errors
    /// Where it can't be opened or holds no video.
    pub fn open_with(url: &str, options: InputOptions, stop: &Stop) -> Result<Reader> {
        let outside = Outside::real();
        let source = Source::open(url, options, &outside, stop)?;
        let stats = Stats::new(source.duration(), outside.clock);
        let decoder = match &source.video {
            Some(video) => VideoDecoder::open(video, &source.options, source.is_live, stats)?,
            None => {
                return Err(Error::new(
                    ErrorKind::InvalidData,
                    Stage::Source,
                    "there is no video in it",
                )
                .at(url));
            }
        };
        Ok(Reader { source, decoder, state: State::Reading })
    }

    /// Frames a second, where the stream says.
    pub fn frame_rate(&self) -> Option<Rate> {
        self.decoder.frame_rate()
    }

    /// How long the input is, where that is known.
    pub fn duration(&self) -> Option<Timestamp> {
        self.source.duration()
    }

    fn advance(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.decoder.receive() {
                return Ok(Some(frame));
            }
            match self.state {
                State::Failed | State::Drained => return Ok(None),
                State::Reading => match self.source.read()? {
                    Some(packet) if packet.kind == MediaKind::Video => {
                        self.decoder.send(&packet)?;
                    }
                    Some(_) => {}
                    None => {
                        self.decoder.drain()?;
                        self.decoder.finish()?;
                        self.state = State::Drained;
                    }
                },
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        let next = self.advance();
        if next.is_err() {
            self.state = State::Failed;
        }
        next.transpose()
    }
}
