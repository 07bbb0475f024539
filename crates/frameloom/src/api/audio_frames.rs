//! The sound of an input pulled, without its pictures.

use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use crate::codec::audio_frame::AudioFrame;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::input::Source;
use crate::run::control::OutputsOwner;
use crate::run::sound::{NextAudio, SoundReader};
use crate::run::threads::{Failure, Threads};
use crate::run::{Setup, Started};
use crate::stats::{Snapshot, Stats};
use crate::time::stop::Stop;

/// What an untimed call waits for at once.
const LONG: Duration = Duration::from_secs(1);

/// A running pipeline from which you take the sound, and whose pictures nobody decodes.
///
/// It is an iterator over pieces of sound, in the order of time. A stored input is read as fast as you take
/// them. Of a live one the last 1024 packets are kept, some 20 s of AAC; what isn't taken by then is
/// dropped, oldest first, and counted ([`Snapshot::audio_dropped`]). While a live input is lost, silence
/// comes in its place.
///
/// ```no_run
/// use frameloom::Pipeline;
///
/// # fn main() -> frameloom::Result<()> {
/// for sound in Pipeline::from_url("rtmp://localhost/live/voice")?.audio_frames()? {
///     let sound = sound?;
///     let samples = sound.to_interleaved_f32()?;
///     println!("{}: {} samples", sound.pts(), samples.len());
/// }
/// # Ok(())
/// # }
/// ```
pub struct AudioFrames {
    sound: SoundReader,
    threads: Threads,
    failure: Failure,
    has_reported: bool,
    /// Kept for as long as outputs may be added.
    outputs: Option<OutputsOwner>,
    stop: Stop,
    stats: Stats,
}

impl AudioFrames {
    /// Starts a pipeline for a caller that takes the sound. `asked` is its wish to stop.
    pub(super) fn start(setup: Setup, asked: Stop) -> Result<AudioFrames> {
        if setup.command.is_some() || !setup.stages.is_empty() {
            return Err(Error::usage("a pipeline with code for frames has its frames pulled"));
        }
        if setup.sources.iter().all(|source| source.audio().is_none()) {
            let error =
                Error::new(ErrorKind::InvalidData, Stage::Source, "there is no sound in it");
            return Err(error.at(setup.sources.first().map_or("", Source::url)));
        }
        let stats = setup.stats.clone();
        let failure = Failure::new(setup.stop.clone());
        let Started { threads, sound, outputs, .. } = setup.start(&failure)?;
        let Some(sound) = sound else { return Err(Error::process("no input gives its sound")) };
        Ok(AudioFrames {
            sound,
            threads,
            failure,
            has_reported: false,
            outputs: Some(outputs),
            stop: asked,
            stats,
        })
    }

    /// The next piece of sound, if one comes within `limit`.
    ///
    /// # Errors
    /// What ended the run, once.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<NextAudio> {
        let next = if self.stop.is_stopped() { NextAudio::Over } else { self.sound.next(limit)? };
        if matches!(next, NextAudio::Over) {
            self.end()?;
        }
        Ok(next)
    }

    /// The counters, which may be looked at at any time.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Asks it to finish.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Finishes every output and waits for that, for as long as `limit`; `None` where it isn't done by
    /// then. The first call begins it.
    ///
    /// # Errors
    /// The first thing that went wrong and was not told before.
    pub fn finish_timeout(&mut self, limit: Duration) -> Result<Option<Snapshot>> {
        self.stop.stop();
        if let Err(RecvTimeoutError::Timeout) = self.threads.over().recv_timeout(limit) {
            return Ok(None);
        }
        self.end().map(Some)
    }

    fn end(&mut self) -> Result<Snapshot> {
        self.threads.join();
        self.outputs = None;
        if !std::mem::replace(&mut self.has_reported, true) {
            self.failure.take(self.stop.is_stopped())?;
        }
        Ok(self.stats.snapshot())
    }
}

impl Iterator for AudioFrames {
    type Item = Result<AudioFrame>;

    fn next(&mut self) -> Option<Result<AudioFrame>> {
        loop {
            match self.next_timeout(LONG) {
                Ok(NextAudio::Frame(frame)) => return Some(Ok(frame)),
                Ok(NextAudio::NotYet) => {}
                Ok(NextAudio::Over) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Drop for AudioFrames {
    fn drop(&mut self) {
        self.stop.stop();
        if let Err(error) = self.end() {
            tracing::warn!("{error}");
        }
    }
}
