//! Frames one by one, without a thread.

use crate::api::builder::InputBuilder;
use crate::api::pending::Pending;
use crate::av::MediaKind;
use crate::codec::decode::VideoDecoder;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::Frame;
use crate::input::{Source, SourceMessage};
use crate::options::StreamPlace;
use crate::protocol::environment::Environment;
use crate::stats::Stats;
use crate::time::{Rate, Timestamp};

/// How far ahead it is quicker to read on than to seek.
const SEEK_THRESHOLD: Timestamp = Timestamp::from_micros(1_000_000);

/// An iterator over the frames of an input.
///
/// It ends where the input ends: at a file's end, or when a live stream's publisher stops. Where
/// the connection to a live stream is lost, the last item is an error; a
/// [`Pipeline`](crate::Pipeline) opens it again.
///
/// ```no_run
/// # fn main() -> frameloom::Result<()> {
/// for frame in frameloom::Reader::open("clip.mp4")? {
///     let frame = frame?;
///     let image = frame.image(frameloom::PixelFormat::Rgb24)?;
///     println!("{:?}", image.pixel(0, 0));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Reader {
    source: Source,
    decoder: VideoDecoder,
    state: ReaderState,
    /// Read by [`Reader::frame_at`] to know that the one before it was the last not later.
    ahead: Option<Frame>,
    /// The pts of the last frame that was looked at by it.
    last: Option<Timestamp>,
    /// Why a live input was cut off: an error, once what came of it was given out.
    cut: Option<Error>,
}

#[derive(Clone, Copy, PartialEq)]
enum ReaderState {
    Reading,
    Drained,
    Failed,
}

impl InputBuilder<Reader> {
    /// Opens the input.
    ///
    /// # Errors
    /// Where it can't be opened, holds no video, or can't be sought in though it is to begin later.
    pub fn open(self) -> Result<Reader> {
        let environment = Environment::real();
        let source = Source::open(&self.url, self.options, &environment, &self.stop)?;
        let stats = Stats::new(source.duration(), environment.clock);
        stats.set_inputs([(source.url(), source.is_live)]);
        let number = source.streams.main(MediaKind::Video).unwrap_or(0);
        let streams = source.streams.specified();
        let place = StreamPlace::of(&streams, number);
        let decoder = match source.video() {
            Some(video) => {
                VideoDecoder::open((video, place), &source.options, source.is_live, stats)?
                    .lacking_pts(source.may_lack_pts())
                    .ending_at(source.end_of_video())
            }
            None => {
                let cause = "there is no video in it";
                let error = Error::new(ErrorKind::InvalidData, Stage::Source, cause);
                return Err(error.at(&self.url));
            }
        };
        Ok(Reader {
            source,
            decoder,
            state: ReaderState::Reading,
            ahead: None,
            last: None,
            cut: None,
        })
    }

    /// Opens the input on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread. [`Pending::wait`] gives all other errors.
    pub fn open_pending(self) -> Result<Pending<Reader>> {
        Pending::start(move || self.open())
    }
}

impl Reader {
    /// Opens an input with FFmpeg's defaults.
    ///
    /// # Errors
    /// Where it can't be opened or holds no video.
    pub fn open(url: &str) -> Result<Reader> {
        Reader::builder(url).open()
    }

    /// Begins with an input's place; [`InputBuilder::open`] opens it.
    pub fn builder(url: &str) -> InputBuilder<Reader> {
        InputBuilder::new(url)
    }

    /// Frames a second, where the stream says.
    pub fn frame_rate(&self) -> Option<Rate> {
        self.decoder.frame_rate()
    }

    /// How long the input is, where that is known.
    pub fn duration(&self) -> Option<Timestamp> {
        self.source.duration()
    }

    /// Goes to the first frame at `at` or behind it, on the clock of [`Frame::pts`]. The frames'
    /// numbers go on as if nothing was left out. It reads from the keyframe before `at`; where the
    /// input has no index of times, from its start.
    ///
    /// # Errors
    /// Where the input can't be sought in, and where it is known to end before `at`. The reader is
    /// then where it was.
    pub fn seek(&mut self, at: Timestamp) -> Result<()> {
        self.source.check_start(at)?;
        self.source.seek(at)?;
        self.decoder.begin_at(at);
        (self.state, self.ahead, self.last) = (ReaderState::Reading, None, None);
        self.cut = None;
        Ok(())
    }

    /// The frame that is shown at `at`, on the clock of [`Frame::pts`]: the last one that is not
    /// later, or the first of all. `None` behind the end. It reads on from where it is where that
    /// is near, and seeks otherwise.
    ///
    /// # Errors
    /// As [`Reader::seek`], and where it can't be read.
    pub fn frame_at(&mut self, at: Timestamp) -> Result<Option<Frame>> {
        if at < Timestamp::ZERO {
            return Err(Error::usage("a time in the input is not below 0"));
        }
        let near = at.minus(SEEK_THRESHOLD);
        let is_ahead = self.last.is_some_and(|last| last <= at && last >= near);
        if !is_ahead || self.state != ReaderState::Reading || self.ahead.is_none() {
            self.source.seek(at)?;
            self.decoder.begin_at(Timestamp::from_micros(i64::MIN / 4));
            self.state = ReaderState::Reading;
            self.ahead = None;
        }
        let mut shown: Option<Frame> = None;
        loop {
            let next = match self.ahead.take() {
                Some(frame) => Some(frame),
                None => self.advance()?,
            };
            let Some(mut frame) = next else { break };
            if at.is_before(frame.pts()) {
                if shown.is_none() {
                    shown = Some(frame.share()?);
                }
                self.last = Some(frame.pts());
                self.ahead = Some(frame);
                break;
            }
            // Its own copy may be asked for once more.
            self.last = Some(frame.pts());
            shown = Some(frame);
        }
        if let (Some(frame), None) = (&shown, &self.ahead) {
            let end = frame.pts().plus(frame.duration());
            if at >= end && frame.duration() > Timestamp::ZERO {
                return Ok(None);
            }
        }
        Ok(shown)
    }

    fn advance(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.decoder.receive() {
                return Ok(Some(frame));
            }
            match self.state {
                ReaderState::Failed => return Ok(None),
                ReaderState::Drained => return self.cut.take().map_or(Ok(None), Err),
                ReaderState::Reading => match self.source.read()? {
                    Some(SourceMessage::Packet(packet)) if packet.kind == MediaKind::Video => {
                        self.decoder.send(&packet)?;
                    }
                    Some(_) => {}
                    None => {
                        self.cut = self.source.take_cut();
                        self.decoder.drain()?;
                        self.decoder.finish()?;
                        self.state = ReaderState::Drained;
                    }
                },
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        let next = match self.ahead.take() {
            Some(frame) => Ok(Some(frame)),
            None => self.advance(),
        };
        if next.is_err() {
            self.state = ReaderState::Failed;
        }
        next.transpose()
    }
}
