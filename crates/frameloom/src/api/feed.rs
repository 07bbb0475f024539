//! Pictures of the caller's own, encoded and written on threads: a pipeline without its first half.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, SendTimeoutError, Sender};

use crate::api::builder::OutputBuilder;
use crate::api::pending::Pending;
use crate::api::write_order::{WriteOrder, WrittenFrame};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::Frame;
use crate::options::LiveOptions;
use crate::protocol::Target;
use crate::protocol::environment::Environment;
use crate::run::FeedSetup;
use crate::run::stages::EncodeMessage;
use crate::run::threads::{Failure, Threads};
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
pub struct Feed {
    frames: Option<Sender<EncodeMessage>>,
    threads: Threads,
    failure: Failure,
    /// What was written last.
    order: WriteOrder,
    stop: Stop,
    stats: Stats,
}

impl OutputBuilder<Feed> {
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
        let OutputBuilder { url, options, rate, live, events, stop: asked, .. } = self;
        options.check()?;
        live.check(false, false)?;
        let target = Target::resolve(&url, &options)?;
        let stats = Stats::new(None, Arc::clone(&environment.clock));
        // Stopped with the caller's, and by a stage that fails.
        let stop = asked.child();
        let failure = Failure::new(stop.clone());
        let setup = FeedSetup {
            target,
            options,
            rate,
            live,
            events,
            stats: stats.clone(),
            environment,
            stop,
        };
        let (frames, threads) = setup.start(&failure)?;
        let order = WriteOrder::default();
        Ok(Feed { frames: Some(frames), threads, failure, order, stop: asked, stats })
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
        let Some(frames) = &self.frames else {
            return Err(Error::new(ErrorKind::Usage, Stage::Sink, "the output is finished"));
        };
        let written = WrittenFrame::of(&frame);
        self.order.check(None, written)?;
        match frames.send_timeout(EncodeMessage::Frame(frame), limit) {
            Ok(()) | Err(SendTimeoutError::Timeout(EncodeMessage::Leave(_))) => {
                self.order.note([0], written);
                Ok(None)
            }
            Err(SendTimeoutError::Timeout(EncodeMessage::Frame(frame))) => Ok(Some(frame)),
            Err(SendTimeoutError::Disconnected(_)) => {
                // What made the encoder end is known when the writer has ended too.
                let _ = self.threads.over().recv();
                self.outcome().map(|()| None).inspect_err(|_| self.frames = None)
            }
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
        self.frames = None;
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
        self.frames = None;
        if let Err(error) = self.outcome() {
            tracing::warn!("{error}");
        }
    }
}
