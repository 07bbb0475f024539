//! A writer on a thread of its own: whoever has pictures goes on while they are encoded.

use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};

use super::pending::Pending;
use super::start_thread;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::frame::Frame;
use crate::options::OutputOptions;
use crate::stop::Stop;
use crate::time::Rate;
use crate::writer::Writer;

/// Frames that wait for the encoder.
const WAITING: usize = 2;

/// A [`Writer`] on a thread of its own, every wait for which has a limit.
pub struct Feed {
    frames: Option<Sender<Frame>>,
    ended: Receiver<Result<()>>,
    thread: Option<JoinHandle<()>>,
    stop: Stop,
}

impl Feed {
    /// As [`Writer::create`]. `stop` ends every wait for the other end.
    ///
    /// # Errors
    /// As [`Writer::create`].
    pub fn create(
        url: &str,
        options: &OutputOptions,
        rate: Option<Rate>,
        stop: &Stop,
    ) -> Result<Feed> {
        let mut writer = Writer::create_with(url, options, rate, stop)?;
        let (frames, waiting) = bounded::<Frame>(WAITING);
        let (end, ended) = bounded(1);
        let thread = start_thread("frameloom-feed", move || {
            let written = waiting.iter().try_for_each(|frame| writer.write(frame));
            drop(waiting);
            // Nobody may wait for it any more.
            let _ = end.send(written.and_then(|()| writer.finish()));
        })?;
        Ok(Feed { frames: Some(frames), ended, thread: Some(thread), stop: stop.clone() })
    }

    /// As [`Feed::create`], on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread; all else is told by [`Pending::wait`].
    pub fn create_pending(
        url: &str,
        options: OutputOptions,
        rate: Option<Rate>,
        stop: &Stop,
    ) -> Result<Pending<Feed>> {
        let (url, stop) = (url.to_owned(), stop.clone());
        Pending::start(move || Feed::create(&url, &options, rate, &stop))
    }

    /// Hands on a frame, at its own pts, which must be later than the last one's; gives it back
    /// where there was no room for it within `limit`.
    ///
    /// # Errors
    /// What went wrong with this frame or one before it.
    pub fn write_timeout(&mut self, frame: Frame, limit: Duration) -> Result<Option<Frame>> {
        let Some(frames) = &self.frames else {
            return Err(Error::new(ErrorKind::Usage, Stage::Sink, "the output is finished"));
        };
        match frames.send_timeout(frame, limit) {
            Ok(()) => Ok(None),
            Err(SendTimeoutError::Timeout(frame)) => Ok(Some(frame)),
            Err(SendTimeoutError::Disconnected(_)) => {
                self.frames = None;
                self.wait(Duration::MAX).map(|_| None)
            }
        }
    }

    /// Has everything written and the output closed, within `limit`; `false` where that isn't done
    /// by then. The first call begins it.
    ///
    /// # Errors
    /// What went wrong and wasn't told before; also where no frame was written.
    pub fn finish_timeout(&mut self, limit: Duration) -> Result<bool> {
        self.frames = None;
        self.wait(limit)
    }

    fn wait(&mut self, limit: Duration) -> Result<bool> {
        let ended = match self.ended.recv_timeout(limit) {
            Ok(ended) => ended,
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            // It was told before, or the thread panicked.
            Err(RecvTimeoutError::Disconnected) => Ok(()),
        };
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            return Err(Error::new(ErrorKind::Other, Stage::Encode, "the writing thread panicked"));
        }
        ended.map(|()| true)
    }
}

impl Drop for Feed {
    /// Finishes the output. Where a stop was asked for, no network is waited for.
    fn drop(&mut self) {
        self.frames = None;
        if let Some(thread) = self.thread.take() {
            if thread.join().is_err() {
                tracing::warn!("the writing thread panicked");
            }
        }
        if let Ok(Err(error)) = self.ended.try_recv() {
            if !self.stop.is_stopped() {
                tracing::warn!("{error}");
            }
        }
    }
}
