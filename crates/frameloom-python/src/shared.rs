//! What a video and its outputs and frames have in common.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use frameloom::options::{InputOptions, LiveOptions, OutputOptions};
use frameloom::{Event, Frames, Pipeline, PixelFormat, Stats, Stop, Timestamp};

use crate::array::ArrayPool;
use crate::exit::Finish;

/// Events that are kept for who asks for them.
const EVENTS_KEPT: usize = 1000;

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
    pub(crate) format: PixelFormat,
    pub(crate) progress: bool,
}

/// An output that was asked for.
pub(crate) struct Ending {
    pub(crate) url: String,
    pub(crate) options: OutputOptions,
    pub(crate) closed: bool,
}

/// What happened, and when: seconds since the video was opened.
pub(crate) type Told = (f64, Event);

/// One video.
pub(crate) struct Shared {
    pub(crate) opening: Opening,
    state: Mutex<State>,
    pub(crate) outputs: Mutex<Vec<Ending>>,
    stats: Mutex<Stats>,
    pub(crate) events: Arc<Mutex<VecDeque<Told>>>,
    pub(crate) opened: Instant,
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
            events: Arc::default(),
            opened: Instant::now(),
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
        let (events, since) = (Arc::clone(&self.events), self.opened);
        let mut pipeline = pipeline.live(self.opening.live.clone()).on_event(move |event| {
            let mut events = lock(&events);
            if events.len() >= EVENTS_KEPT {
                events.pop_front();
            }
            events.push_back((since.elapsed().as_secs_f64(), event.clone()));
        });
        if let Some(filter) = &self.opening.filter {
            pipeline = pipeline.filter(filter);
        }
        *self.state() = State::Open(Box::new(pipeline));
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
