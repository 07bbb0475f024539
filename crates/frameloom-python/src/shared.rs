//! What a video and its outputs and frames have in common.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use frameloom::options::{InputOptions, LiveOptions, OutputOptions};
use frameloom::{
    Frames, Latest, Outgoing, OutputId, Pending, Pipeline, PixelFormat, Size, Snapshot, Stats,
    Stop, Timestamp,
};
use pyo3::prelude::*;

use crate::array::ArrayPool;
use crate::events::EventLog;
use crate::exit::Finish;
use crate::lock::lock;
use crate::process::{Owner, elsewhere};
use crate::wait::{SLICE, until};

/// Where a video stands.
pub(crate) enum VideoState {
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
    /// What is read behind it, as one with it.
    pub(crate) following: Vec<String>,
    pub(crate) input: InputOptions,
    pub(crate) live: LiveOptions,
    /// A filter graph that every frame passes, where a rate was given.
    pub(crate) filter: Option<String>,
    /// The size that was asked for.
    pub(crate) size: Option<Size>,
    pub(crate) format: PixelFormat,
    pub(crate) progress: bool,
}

/// What frames of one source have in common.
pub(crate) struct FrameSource {
    /// Of their arrays.
    pub(crate) format: PixelFormat,
    pub(crate) pool: ArrayPool,
    /// The source, as it may be shown.
    pub(crate) shown: String,
    /// The stream's handle, where it is one of several.
    pub(crate) stream: Option<Py<PyAny>>,
}

impl FrameSource {
    pub(crate) fn new(
        format: PixelFormat,
        shown: String,
        stream: Option<Py<PyAny>>,
    ) -> FrameSource {
        FrameSource { format, pool: ArrayPool::default(), shown, stream }
    }
}

/// An output that was asked for.
pub(crate) struct RequestedOutput {
    /// In the pipeline, once that runs.
    pub(crate) number: Option<OutputId>,
    /// `None` once it is closed: there may be many that are.
    pub(crate) open: Option<Box<OpenOutput>>,
}

/// An output that is not closed.
pub(crate) struct OpenOutput {
    pub(crate) url: String,
    pub(crate) options: OutputOptions,
    /// Connected to already; none once the video was started.
    pub(crate) outgoing: Option<Outgoing>,
}

/// One video.
pub(crate) struct VideoShared {
    pub(crate) process: Owner,
    pub(crate) opening: Opening,
    state: Mutex<VideoState>,
    pub(crate) outputs: Mutex<Vec<RequestedOutput>>,
    stats: Mutex<Stats>,
    pub(crate) events: EventLog,
    pub(crate) stop: Stop,
    /// Outputs get the frames as they are: nobody reads them.
    passes_frames: AtomicBool,
    pub(crate) frames: Arc<FrameSource>,
    /// The last frame that was given out.
    pub(crate) last: Mutex<Option<Arc<Mutex<frameloom::Frame>>>>,
    /// The newest of them for another thread, also from one seek to the next.
    pub(crate) latest: Latest,
}

impl VideoShared {
    pub(crate) fn new(opening: Opening, pipeline: Pipeline, stop: Stop) -> VideoShared {
        let stats = Mutex::new(pipeline.stats());
        let shown = frameloom::internal::redact::url(&opening.source);
        let frames = Arc::new(FrameSource::new(opening.format, shown, None));
        let shared = VideoShared {
            process: Owner::here(),
            opening,
            state: Mutex::new(VideoState::Closed),
            outputs: Mutex::default(),
            stats,
            events: EventLog::new(),
            stop,
            passes_frames: AtomicBool::new(false),
            frames,
            last: Mutex::default(),
            latest: Latest::new(),
        };
        shared.set(pipeline);
        shared
    }

    /// Why it can't be used, where it is closed or was opened before a fork.
    pub(crate) fn closed(&self) -> frameloom::Error {
        if self.process.is_elsewhere() {
            return elsewhere();
        }
        let stage = frameloom::Stage::Source;
        frameloom::Error::new(frameloom::ErrorKind::Usage, stage, "the video is closed")
    }

    /// Only with the GIL released.
    pub(crate) fn state(&self) -> MutexGuard<'_, VideoState> {
        lock(&self.state)
    }

    /// Only with the GIL released.
    pub(crate) fn outputs(&self) -> MutexGuard<'_, Vec<RequestedOutput>> {
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
        if let Some(size) = self.opening.size {
            pipeline = pipeline.resize(size);
        }
        *self.state() = VideoState::Open(Box::new(pipeline));
    }

    /// Whether nobody reads the frames.
    pub(crate) fn passes_frames(&self) -> bool {
        self.passes_frames.load(Ordering::Relaxed)
    }

    /// Sends the frames to the outputs unedited, without a caller that reads them.
    pub(crate) fn pass_frames(&self) {
        self.passes_frames.store(true, Ordering::Relaxed);
    }

    /// Starts a video whose frames nobody reads. It is closed then, but for what runs.
    pub(crate) fn run_pending(&self) -> frameloom::Result<Pending<Snapshot>> {
        let mut state = self.state();
        let VideoState::Open(pipeline) = std::mem::replace(&mut *state, VideoState::Closed) else {
            return Err(self.closed());
        };
        let mut pipeline = *pipeline;
        for output in self.outputs().iter().filter_map(|output| output.open.as_ref()) {
            pipeline = pipeline.to_url_with(&output.url, output.options.clone())?;
        }
        pipeline.run_pending()
    }

    /// Ends a video that was never started: nobody is to stay connected.
    pub(crate) fn give_up(&self) {
        let mut outputs = self.outputs();
        let open = outputs.iter_mut().filter_map(|output| output.open.as_mut());
        open.for_each(|output| output.outgoing = None);
    }

    /// Whether there are outputs that are not closed.
    pub(crate) fn has_outputs(&self) -> bool {
        self.outputs().iter().any(|output| output.open.is_some())
    }
}

impl Finish for VideoShared {
    fn finish(&self) {
        if self.process.is_elsewhere() {
            return;
        }
        self.stop.stop();
        self.latest.end();
        let ended = std::mem::replace(&mut *self.state(), VideoState::Closed);
        drop(ended);
        self.give_up();
    }
}

/// Finishes everything. The first wrong thing that wasn't told before is raised.
pub(crate) fn finish(py: Python<'_>, shared: &VideoShared) -> PyResult<()> {
    if shared.process.is_elsewhere() {
        return Ok(());
    }
    shared.latest.end();
    let step = || {
        let mut state = shared.state();
        let done = match &mut *state {
            VideoState::Running(frames) => frames.finish_timeout(SLICE).map(|done| done.is_some()),
            VideoState::Starting => {
                std::thread::sleep(SLICE);
                Ok(false)
            }
            VideoState::Open(_) | VideoState::Closed => {
                shared.give_up();
                Ok(true)
            }
        };
        if !matches!(done, Ok(false)) {
            *state = VideoState::Closed;
        }
        done.map(|done| done.then_some(()))
    };
    until(py, step, || shared.stop.stop())
}

/// Seconds as the library's time.
pub(crate) fn at_seconds(seconds: f64) -> Option<Timestamp> {
    let micros = (seconds * 1e6).round();
    (micros.is_finite() && micros.abs() < 9e15).then(|| Timestamp::from_micros(micros as i64))
}
