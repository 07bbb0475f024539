//! Pictures and sound of the caller's own, encoded and written on threads: a pipeline without its first half.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, SendTimeoutError, Sender};

use crate::api::builder::OutputBuilder;
use crate::api::own_sound::{OwnSound, WrittenSound};
use crate::api::pending::Pending;
use crate::api::write_order::{WriteOrder, WrittenFrame};
use crate::codec::audio_frame::{AudioFrame, check_sound};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::Frame;
use crate::options::LiveOptions;
use crate::protocol::Target;
use crate::protocol::environment::Environment;
use crate::run::stages::EncodeMessage;
use crate::run::threads::{Failure, Threads};
use crate::run::{CallerEnds, FeedSetup};
use crate::stats::Stats;
use crate::stats::event::Event;
use crate::time::stop::Stop;

/// A [`Writer`](crate::Writer) on threads of its own, every wait for which has a limit.
///
/// A connection that is lost is opened again, as a pipeline's outputs are: until then frames are
/// taken and missed, and the stream goes on with a keyframe. It waits for whoever reads it: frames
/// that are published are to be written at their own speed.
///
/// ```no_run
/// use std::time::Duration;
/// use frameloom::{Feed, Frame, Image, PixelFormat, Rate};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rate = Rate::new(24, 1).ok_or("no rate")?;
/// let url = "rtmp://localhost/live/drawn";
/// let mut feed = Feed::builder(url).rate(rate).open()?;
/// let pixels = vec![0u8; 960 * 540 * 3];
/// for n in 0..48 {
///     let image = Image::packed(PixelFormat::Rgb24, 960, 540, &pixels)?;
///     let mut waiting = Some(Frame::from_image(&image, rate.time_base().at(n))?);
///     while let Some(frame) = waiting.take() {
///         waiting = feed.write_timeout(frame, Duration::from_secs(1))?;
///     }
/// }
/// while !feed.finish_timeout(Duration::from_secs(1))? {}
/// # Ok(())
/// # }
/// ```
///
/// With [`OutputBuilder::audio`] it has sound beside the frames, or alone: see
/// [`Feed::write_audio_timeout`].
pub struct Feed {
    frames: Option<Sender<EncodeMessage>>,
    sound: Option<OwnSound>,
    /// Something may still be written.
    is_open: bool,
    /// Options name an end of it, or of a stream: what comes behind that is let go of.
    has_end: bool,
    /// Why frames can't be written, where they can't: the output has sound alone.
    no_frames: bool,
    threads: Threads,
    failure: Failure,
    /// What was written last.
    order: WriteOrder,
    stop: Stop,
    stats: Stats,
}

impl OutputBuilder<Feed> {
    /// Gives it sound of your own beside the frames: `sample_rate` samples a second of each channel, and the
    /// channels of a layout that FFmpeg knows by this name (`mono`, `stereo`, `5.1`). By default there is none.
    /// An output whose format is for sound alone (WAV, FLAC, MP3), or whose options leave the video out
    /// (`-vn`), takes no frames then.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a rate of 0, and a layout that FFmpeg doesn't have.
    pub fn audio(mut self, sample_rate: u32, channel_layout: &str) -> Result<Self> {
        check_sound(sample_rate, channel_layout)?;
        self.audio = Some((sample_rate, channel_layout.to_owned()));
        Ok(self)
    }

    /// Whether and for how long a connection that was lost is opened again: by default for ever.
    /// The other policies are about an input, and mean nothing here.
    pub fn live(mut self, options: LiveOptions) -> Self {
        self.live = options;
        self
    }

    /// Calls `listener` at every loss, from whichever thread it happens in: it must not take long.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.events.listen(listener);
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// Where the name doesn't tell the format, or the output can't be opened.
    pub fn open(self) -> Result<Feed> {
        self.open_in(Environment::real())
    }

    /// Opens it on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread. [`Pending::wait`] gives all other errors.
    pub fn open_pending(self) -> Result<Pending<Feed>> {
        Pending::start(move || self.open())
    }

    fn open_in(self, environment: Environment) -> Result<Feed> {
        let OutputBuilder { url, options, rate, audio, live, events, stop: asked, .. } = self;
        options.check()?;
        live.check(false, false)?;
        let target = Target::resolve(&url, &options)?;
        let has_end = options.length().is_some() || !options.frames.is_empty();
        let stats = Stats::new(None, Arc::clone(&environment.clock));
        // Stopped with the caller's, and by a stage that fails.
        let stop = asked.child();
        let failure = Failure::new(stop.clone());
        let setup = FeedSetup {
            target,
            options,
            rate,
            has_audio: audio.is_some(),
            live,
            events,
            stats: stats.clone(),
            environment,
            stop,
        };
        let (CallerEnds { frames, sound }, threads) = setup.start(&failure)?;
        let sound = audio.map(|shape| OwnSound::new(sound, &shape)).transpose()?;
        Ok(Feed {
            no_frames: frames.is_none(),
            frames,
            sound,
            is_open: true,
            has_end,
            threads,
            failure,
            order: WriteOrder::default(),
            stop: asked,
            stats,
        })
    }
}

impl Feed {
    /// Begins with an output's place; [`OutputBuilder::open`] opens it.
    pub fn builder(url: &str) -> OutputBuilder<Feed> {
        OutputBuilder::new(url)
    }

    /// Hands on a frame, at its own pts, which must be later than the last one's; gives it back
    /// where there was no room for it within `limit`. What comes behind the output's last frame,
    /// where the options name one, is let go of.
    ///
    /// # Errors
    /// What went wrong with this frame or one before it, once; a frame that is shown before the last
    /// one.
    pub fn write_timeout(&mut self, frame: Frame, limit: Duration) -> Result<Option<Frame>> {
        self.check_open()?;
        let Some(frames) = &self.frames else {
            return match self.no_frames {
                true => Err(refused("the output has sound alone")),
                false => Ok(None),
            };
        };
        let written = WrittenFrame::of(&frame);
        self.order.check(None, written)?;
        match frames.send_timeout(EncodeMessage::Frame(frame), limit) {
            Ok(()) | Err(SendTimeoutError::Timeout(EncodeMessage::Leave(_))) => {
                self.order.note([0], written);
                Ok(None)
            }
            Err(SendTimeoutError::Timeout(EncodeMessage::Frame(frame))) => Ok(Some(frame)),
            Err(SendTimeoutError::Disconnected(_)) => self.ended_early().map(|()| None),
        }
    }

    /// Hands on sound, at its own pts; gives it back where there was no room for it within `limit`. Pieces
    /// follow each other: one may begin later than the last one ended, and then silence stands between
    /// them, but not earlier. Write it beside the frames: the output waits with the one for the other,
    /// for up to 64 MiB of what is encoded, and 10 s where it is live. A piece of at most a second is
    /// best: four wait for the encoder.
    ///
    /// # Errors
    /// What went wrong with this piece or one before it, once; [`ErrorKind::Usage`] where the output has no
    /// sound ([`OutputBuilder::audio`]), for another rate or number of channels, for sound that begins before
    /// the last piece ended, and for sound that begins more than 10 minutes behind that.
    pub fn write_audio_timeout(
        &mut self,
        sound: AudioFrame,
        limit: Duration,
    ) -> Result<Option<AudioFrame>> {
        self.check_open()?;
        let Some(own) = &mut self.sound else {
            return Err(refused("the output was opened without sound of its own"));
        };
        match own.write(sound, limit)? {
            WrittenSound::Taken => Ok(None),
            WrittenSound::Back(sound) => Ok(Some(sound)),
            WrittenSound::Ended => self.ended_early().map(|()| None),
        }
    }

    fn check_open(&self) -> Result<()> {
        match self.is_open {
            true => Ok(()),
            false => Err(refused("the output is finished")),
        }
    }

    /// What became of an encoder that takes no more.
    fn ended_early(&mut self) -> Result<()> {
        if self.frames.is_none() && !self.no_frames {
            // It was told already.
            return Ok(());
        }
        if self.has_end && self.sound.is_some() && !self.failure.is_there() {
            // The other stream may go on. It has failed in no way.
            return Ok(());
        }
        self.let_go();
        // What made the encoder end is known when the writer has ended too.
        let _ = self.threads.over().recv();
        self.outcome().inspect_err(|_| self.is_open = false)
    }

    /// Lets go of the encoders: they finish.
    fn let_go(&mut self) {
        self.frames = None;
        if let Some(sound) = &mut self.sound {
            sound.finish();
        }
    }

    /// The counters, which may be looked at at any time.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Writes everything and closes the output, within `limit`; `false` if that isn't done
    /// by then. The first call begins it.
    ///
    /// # Errors
    /// What went wrong and wasn't told before; also where no frame was written, and where a
    /// connection is lost and not back.
    pub fn finish_timeout(&mut self, limit: Duration) -> Result<bool> {
        self.is_open = false;
        self.let_go();
        if let Err(RecvTimeoutError::Timeout) = self.threads.over().recv_timeout(limit) {
            return Ok(false);
        }
        self.outcome().map(|()| true)
    }

    /// Of threads that have ended.
    fn outcome(&mut self) -> Result<()> {
        self.threads.join();
        self.failure.take(self.stop.is_stopped())
    }
}

impl Drop for Feed {
    /// Finishes the output. Where a stop was asked for, no network is waited for.
    fn drop(&mut self) {
        self.let_go();
        if let Err(error) = self.outcome() {
            tracing::warn!("{error}");
        }
    }
}

fn refused(cause: &'static str) -> Error {
    Error::new(ErrorKind::Usage, Stage::Sink, cause)
}
