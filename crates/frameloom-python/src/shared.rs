//! What a video and its outputs and frames have in common.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use frameloom::options::{InputOptions, LiveOptions, OutputOptions};
use frameloom::{Frames, Outgoing, Pipeline, PixelFormat, Size, Stats, Stop, Timestamp};

use crate::array::ArrayPool;
use crate::events::EventLog;
use crate::exit::Finish;

/// Where a video stands.
pub(crate) enum State {
    /// Open; nothing was read yet.
    Open(Box<Pipeline>),
    /// Its threads run.
    Running(Box<Frames>),
    /// One thread is about to start it, or to seek.
    Starting,
    /// Done.
    Closed,
}

/// How a video was opened.
pub(crate) struct Opening {
    pub(crate) source: String,
    pub(crate) input: InputOptions,
    pub(crate) live: LiveOptions,
    /// A filter graph that every frame passes, where size or rate were given.
    pub(crate) filter: Option<String>,
    /// The size that was asked for.
    pub(crate) size: Option<Size>,
    pub(crate) format: PixelFormat,
    pub(crate) progress: bool,
}

/// An output that was asked for.
pub(crate) struct Ending {
    pub(crate) url: String,
    pub(crate) options: OutputOptions,
    /// Connected to already; none once the video was started.
    pub(crate) outgoing: Option<Outgoing>,
    pub(crate) closed: bool,
}

/// One video.
pub(crate) struct Shared {
    pub(crate) opening: Opening,
    state: Mutex<State>,
    pub(crate) outputs: Mutex<Vec<Ending>>,
    stats: Mutex<Stats>,
    pub(crate) events: EventLog,
    pub(crate) stop: Stop,
    pub(crate) pool: ArrayPool,
    /// The last frame that was given out.
    pub(crate) last: Mutex<Option<Arc<Mutex<frameloom::Frame>>>>,
}

impl Shared {
    pub(crate) fn new(opening: Opening, pipeline: Pipeline, stop: Stop) -> Shared {
        let stats = Mutex::new(pipeline.stats());
        let shared = Shared {
            opening,
            state: Mutex::new(State::Closed),
            outputs: Mutex::default(),
            stats,
            events: EventLog::new(),
            stop,
            pool: ArrayPool::default(),
            last: Mutex::default(),
        };
        shared.set(pipeline);
        shared
    }

    /// Only with the GIL released.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Only with the GIL released.
    pub(crate) fn outputs(&self) -> MutexGuard<'_, Vec<Ending>> {
        lock(&self.outputs)
    }

    pub(crate) fn stats(&self) -> Stats {
        lock(&self.stats).clone()
    }

    /// Puts a pipeline in its place that was just opened.
    pub(crate) fn set(&self, pipeline: Pipeline) {
        *lock(&self.stats) = pipeline.stats();
        let pipeline = pipeline.live(self.opening.live.clone());
        let mut pipeline = pipeline.on_event(self.events.listener());
        if let Some(filter) = &self.opening.filter {
            pipeline = pipeline.filter(filter);
        }
        *self.state() = State::Open(Box::new(pipeline));
    }

    /// Ends a video that was never started: nobody is to stay connected.
    pub(crate) fn give_up(&self) {
        self.outputs().iter_mut().for_each(|output| output.outgoing = None);
    }

    /// Whether there are outputs.
    pub(crate) fn has_outputs(&self) -> bool {
        !self.outputs().is_empty()
    }
}

impl Finish for Shared {
    fn finish(&self) {
        self.stop.stop();
        let ended = std::mem::replace(&mut *self.state(), State::Closed);
        drop(ended);
        self.give_up();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds as the library's time.
pub(crate) fn at_seconds(seconds: f64) -> Option<Timestamp> {
    let micros = (seconds * 1e6).round();
    (micros.is_finite() && micros.abs() < 9e15).then(|| Timestamp::from_micros(micros as i64))
}
