//! One of several streams: how it is opened, its outputs, and how it ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::batch::StreamId;
use crate::api::control::{Control, OutputId};
use crate::api::frames::Frames;
use crate::api::next_frame::NextFrame;
use crate::api::pending::Pending;
use crate::api::pipeline::Pipeline;
use crate::error::{Error, ErrorKind, Result};
use crate::image::Frame;
use crate::live::retry::{Retry, RetryPolicy};
use crate::live::supervise::reopen;
use crate::options::{InputOptions, LiveOptions, OutputOptions, Size};
use crate::protocol::environment::Environment;
use crate::time::stop::Stop;
use crate::url;

/// How often the thread that opens a file looks whether a frame is asked for.
const TICK: Duration = Duration::from_millis(5);

/// A stream to be added to [`Streams`](crate::Streams).
#[derive(Clone, Debug)]
pub struct StreamSettings {
    pub(super) url: String,
    pub(super) input: InputOptions,
    size: Option<Size>,
    pub(super) outputs: Vec<(String, OutputOptions)>,
}

impl StreamSettings {
    /// A stream with FFmpeg's defaults and no output.
    pub fn new(url: &str) -> StreamSettings {
        StreamSettings {
            url: url.to_owned(),
            input: InputOptions::new(),
            size: None,
            outputs: Vec::new(),
        }
    }

    /// How it is opened. The default is as FFmpeg does it.
    pub fn input(mut self, options: InputOptions) -> StreamSettings {
        self.input = options;
        self
    }

    /// The size of its frames, in pixels. The default is the stream's.
    pub fn size(mut self, size: Size) -> StreamSettings {
        self.size = Some(size);
        self
    }

    /// Adds an output for what is written of this stream, beside its sound. The default is none.
    pub fn output(mut self, url: &str, options: OutputOptions) -> StreamSettings {
        self.outputs.push((url.to_owned(), options));
        self
    }
}

/// An output of one of [`Streams`](crate::Streams), from when it was asked for. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct StreamOutput(Arc<Mutex<StreamOutputState>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum StreamOutputState {
    /// It is being opened, or its stream is.
    #[default]
    Coming,
    There(OutputId),
    /// It could not be opened, or was removed.
    Gone,
}

impl StreamOutput {
    fn state(&self) -> MutexGuard<'_, StreamOutputState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was removed, or could not be opened.
    pub fn is_gone(&self) -> bool {
        *self.state() == StreamOutputState::Gone
    }

    pub(super) fn note_removed(&self) {
        *self.state() = StreamOutputState::Gone;
    }

    /// Its number; where it has none yet, it will not come.
    pub(super) fn leave_unless_there(&self) -> Option<OutputId> {
        let mut state = self.state();
        match *state {
            StreamOutputState::There(number) => Some(number),
            StreamOutputState::Coming | StreamOutputState::Gone => {
                *state = StreamOutputState::Gone;
                None
            }
        }
    }

    /// It is there now; where it was removed meanwhile, it goes again.
    fn arrive(&self, number: OutputId, control: &Control) {
        let mut state = self.state();
        match *state {
            StreamOutputState::Gone => {
                drop(state);
                if let Err(error) = control.remove_output(number) {
                    tracing::debug!("{error}");
                }
            }
            _ => *state = StreamOutputState::There(number),
        }
    }
}

/// An output that is asked for while its stream is being opened.
#[derive(Clone)]
pub(super) struct WantedOutput {
    pub(super) url: String,
    pub(super) options: OutputOptions,
    pub(super) output: StreamOutput,
}

/// Outputs that are asked for while a stream is being opened. The thread that opens it adds them.
pub(super) type WantedOutputs = Arc<Wanted>;

pub(super) struct Wanted {
    outputs: Mutex<Vec<WantedOutput>>,
    /// A frame of the stream was asked for.
    is_asked: AtomicBool,
}

impl Wanted {
    pub(super) fn new(outputs: Vec<WantedOutput>) -> Wanted {
        Wanted { outputs: Mutex::new(outputs), is_asked: AtomicBool::new(false) }
    }

    pub(super) fn outputs(&self) -> MutexGuard<'_, Vec<WantedOutput>> {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a frame is asked for: an output of a file that is added before that is to have all of it,
    /// and what was read before an output is there is lost to it.
    fn wait_for_ask(&self, stop: &Stop) {
        while !self.is_asked.load(Ordering::Relaxed) && !stop.is_stopped() {
            std::thread::sleep(TICK);
        }
    }
}

pub(super) enum SlotState {
    /// It is being opened, and tried again where that fails.
    Opening(Pending<Result<(Frames, Control)>>),
    Running(Box<Frames>, Control),
    /// There are no more frames, maybe for this reason, and its outputs are being finished.
    Ending(Box<Frames>, Option<Error>),
    Over(End),
}

/// How a stream came to its end.
#[derive(Default)]
pub(super) struct End {
    pub(super) error: Option<Error>,
    /// The error is one of finishing its outputs.
    is_of_outputs: bool,
}

impl End {
    fn because(error: Option<Error>) -> End {
        End { error, is_of_outputs: false }
    }
}

pub(super) struct Slot {
    pub(super) id: StreamId,
    pub(super) url: String,
    pub(super) stop: Stop,
    pub(super) outputs: WantedOutputs,
    pub(super) state: SlotState,
    /// Which batch it was in last.
    pub(super) served: u64,
}

impl Slot {
    pub(super) fn runs(&self) -> bool {
        matches!(self.state, SlotState::Running(..))
    }

    /// Whether a newer frame came than the one that was taken last.
    pub(super) fn is_overtaken(&self) -> bool {
        matches!(&self.state, SlotState::Running(frames, _) if frames.is_overtaken())
    }

    /// Its next frame, where one is there.
    pub(super) fn poll(&mut self) -> Option<Frame> {
        if let SlotState::Opening(opening) = &self.state {
            self.outputs.is_asked.store(true, Ordering::Relaxed);
            self.state = match opening.wait(Duration::ZERO)? {
                Ok(Ok((frames, control))) => {
                    // Those that were wanted while it was started.
                    for asked in std::mem::take(&mut *self.outputs.outputs()) {
                        if let Err(error) = add_late(&control, asked) {
                            tracing::warn!("{error}");
                        }
                    }
                    SlotState::Running(Box::new(frames), control)
                }
                Ok(Err(error)) | Err(error) => {
                    self.give_up_outputs();
                    SlotState::Over(End::because(Some(error)))
                }
            };
        }
        match &mut self.state {
            SlotState::Running(frames, _) => match frames.next_timeout(Duration::ZERO) {
                Ok(NextFrame::Frame(frame)) => return Some(frame),
                Ok(NextFrame::NotYet) => {}
                Ok(NextFrame::Over) => self.end_with(None),
                Err(error) => self.end_with(Some(error)),
            },
            SlotState::Ending(..) => {
                self.is_over_by(Instant::now());
            }
            SlotState::Opening(_) | SlotState::Over(_) => {}
        }
        None
    }

    /// Those that were asked for while it was opened will not come.
    fn give_up_outputs(&self) {
        for asked in self.outputs.outputs().drain(..) {
            *asked.output.state() = StreamOutputState::Gone;
        }
    }

    /// Begins to finish the outputs of one that runs.
    fn end_with(&mut self, error: Option<Error>) {
        match std::mem::replace(&mut self.state, SlotState::Over(End::default())) {
            SlotState::Running(frames, _) => self.state = SlotState::Ending(frames, error),
            other => self.state = other,
        }
    }

    pub(super) fn begin_ending(&mut self) {
        self.stop.stop();
        match &self.state {
            SlotState::Opening(_) => {
                // The thread that opens it ends by itself.
                self.give_up_outputs();
                self.state = SlotState::Over(End::default());
            }
            SlotState::Running(..) => self.end_with(None),
            SlotState::Ending(..) | SlotState::Over(_) => {}
        }
        self.is_over_by(Instant::now());
    }

    /// Whether one that is ending is over by then.
    pub(super) fn is_over_by(&mut self, until: Instant) -> bool {
        let SlotState::Ending(frames, _) = &mut self.state else {
            return matches!(self.state, SlotState::Over(_));
        };
        let left = until.saturating_duration_since(Instant::now());
        let failed = match frames.finish_timeout(left) {
            Ok(None) => return false,
            Ok(Some(_)) => None,
            Err(error) => Some(error),
        };
        let over = SlotState::Over(End::default());
        if let SlotState::Ending(_, told) = std::mem::replace(&mut self.state, over) {
            let is_of_outputs = told.is_none();
            self.state = SlotState::Over(End { error: told.or(failed), is_of_outputs });
        }
        true
    }

    /// What went wrong with its outputs and can't be looked at any more.
    pub(super) fn end(self) -> Result<()> {
        match self.state {
            SlotState::Over(End { error: Some(error), is_of_outputs: true }) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Adds an output to a stream that runs, on a thread of its own.
pub(super) fn add_late(control: &Control, asked: WantedOutput) -> Result<()> {
    let control = control.clone();
    let adding = Pending::start(move || {
        match control.add_output(&asked.url, asked.options) {
            Ok(number) => asked.output.arrive(number, &control),
            Err(error) => {
                *asked.output.state() = StreamOutputState::Gone;
                tracing::warn!("{error}");
            }
        }
        Ok(())
    })?;
    // What comes of it was told.
    drop(adding);
    Ok(())
}

/// Opens a stream on a thread of its own; what is live is tried until it is there.
pub(super) fn open(
    settings: StreamSettings,
    live: LiveOptions,
    stop: Stop,
    outputs: WantedOutputs,
) -> Result<Pending<Result<(Frames, Control)>>> {
    Pending::start(move || {
        let retries = url::is_live(&settings.url);
        let environment = Environment::real();
        let attempt = || match start(&settings, &live, &stop, &outputs) {
            // Trying again helps against nothing of that.
            Err(error) if !retries || error.kind() == ErrorKind::Usage => Ok(Err(error)),
            Err(error) => {
                tracing::warn!("{error}");
                Err(error)
            }
            Ok(started) => Ok(Ok(started)),
        };
        let retry = Retry::new(RetryPolicy::connection(live.reconnect_for));
        let first = environment.clock.now();
        Ok(reopen(attempt, retry, first, &*environment.clock, &stop)?.end)
    })
}

fn start(
    settings: &StreamSettings,
    live: &LiveOptions,
    stop: &Stop,
    outputs: &WantedOutputs,
) -> Result<(Frames, Control)> {
    let builder = Pipeline::builder(&settings.url).input(settings.input.clone()).stop(stop);
    let mut pipeline = builder.open()?.live(live.clone());
    if let Some(size) = settings.size {
        pipeline = pipeline.resize(size);
    }
    if !pipeline.is_live() {
        outputs.wait_for_ask(stop);
    }
    let listed = outputs.outputs().clone();
    for asked in &listed {
        pipeline = pipeline.to_url_with(&asked.url, asked.options.clone())?;
    }
    let control = pipeline.control();
    let frames = pipeline.frames()?;
    for (number, asked) in outputs.outputs().drain(..listed.len()).enumerate() {
        asked.output.arrive(number.into(), &control);
    }
    Ok((frames, control))
}
