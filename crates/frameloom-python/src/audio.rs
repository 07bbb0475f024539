//! Sound in Python: read without the pictures, and edited on its way.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use frameloom::{AudioFrame, AudioFrames, BoxError, NextAudio, Pipeline, Probe, Stats, Stop};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{invalid, left, raised};
use crate::events::EventLog;
use crate::exit::{Finish, remember};
use crate::info::as_dict;
use crate::lock::lock;
use crate::process::{Owner, elsewhere};
use crate::samples::{PyAudioFrame, accepted_samples, array_of, flat};
use crate::settings::{InputKeywords, limit_of, place, policies};
use crate::state::{PyEvent, PyStats};
use crate::wait::{SLICE, opened, until};

/// What `open_audio` takes by name, besides the policies.
const NAMES: &[&str] = &["start", "duration", "loop", "realtime", "format", "options"];

/// The sound of a file or stream that is open: an iterator of pieces of it. Made by `open_audio`.
#[pyclass(frozen, name = "Audio", module = "frameloom")]
pub(crate) struct PyAudio {
    open: Arc<OpenAudio>,
    info: Probe,
    is_live: bool,
    duration: Option<f64>,
    /// Samples a second, and channels.
    sound: (u32, u32),
    stop: Stop,
    stats: Stats,
    events: EventLog,
}

/// The sound itself; none once it is closed. It is locked with the GIL released only.
struct OpenAudio {
    process: Owner,
    frames: Mutex<Option<AudioFrames>>,
    stop: Stop,
}

impl Finish for OpenAudio {
    fn finish(&self) {
        if self.process.is_elsewhere() {
            return;
        }
        self.stop.stop();
        let ended = lock(&self.frames).take();
        drop(ended);
    }
}

/// Open the sound of a file or a stream and read it; pictures are not decoded, and needn't be there.
///
/// A file is read as fast as you take its sound. Of a live stream the last 20 s or so are kept for
/// you; what isn't taken by then is dropped, oldest first, and counted (`stats.audio_dropped`). While
/// it is lost, silence comes in its place.
///
/// The arguments are those of `open`, as far as they are about sound.
///
/// Raises a `frameloom.Error` where it can't be opened or has no sound.
#[pyfunction]
#[pyo3(
    signature = (
        source, *, start=None, duration=None, r#loop=None, realtime=false, format=None,
        options=None, **policies
    ),
    text_signature = "(source, *, start=None, duration=None, loop=None, realtime=False, \
        format=None, options=None, on_loss=None, reconnect_for=None, no_reconnect=False, \
        stall_timeout=None, open_timeout=None, speed=None, live='auto')"
)]
#[expect(clippy::too_many_arguments, reason = "Python's are named")]
pub(crate) fn open_audio(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    start: Option<&Bound<'_, PyAny>>,
    duration: Option<&Bound<'_, PyAny>>,
    r#loop: Option<&Bound<'_, PyAny>>,
    realtime: bool,
    format: Option<&str>,
    options: Option<&Bound<'_, PyDict>>,
    policies: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyAudio> {
    let url = place(source)?;
    let (live, input) = self::policies(policies, NAMES)?;
    live.check(false, true).map_err(|e| raised(&e))?;
    let keywords = InputKeywords { format, start, duration, repeat: r#loop, realtime, options };
    let input = keywords.settings(input)?;
    input.check().map_err(|e| raised(&e))?;
    let (stop, events) = (Stop::new(), EventLog::new());
    let pending = Pipeline::builder(&url).input(input).stop(&stop).open_pending();
    let pipeline = opened(py, pending, &stop)?;
    let info = pipeline.info().map_err(|e| raised(&e))?;
    let seconds = pipeline.duration().map(frameloom::Timestamp::as_secs_f64);
    let is_live = pipeline.is_live();
    let heard = info.streams.iter().filter(|stream| stream.selected);
    let heard = heard.filter_map(|stream| stream.audio.as_ref()).next();
    let sound = heard.map_or((0, 0), |audio| (audio.sample_rate, audio.channels));
    let pipeline = pipeline.live(live).on_event(events.listener());
    let frames = opened(py, pipeline.audio_frames_pending(), &stop)?;
    let stats = frames.stats();
    let frames = Mutex::new(Some(frames));
    let open = Arc::new(OpenAudio { process: Owner::here(), frames, stop: stop.clone() });
    remember(&open);
    let duration = seconds.filter(|_| !is_live);
    Ok(PyAudio { open, info, is_live, duration, sound, stop, stats, events })
}

impl PyAudio {
    fn next(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<NextAudio> {
        if self.open.process.is_elsewhere() {
            return Err(raised(&elsewhere()));
        }
        // More than a clock can count is no limit.
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        let step = || {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            let mut frames = lock(&self.open.frames);
            let Some(frames) = &mut *frames else {
                let stage = frameloom::Stage::Source;
                let kind = frameloom::ErrorKind::Usage;
                return Err(frameloom::Error::new(kind, stage, "the sound is closed"));
            };
            let found = frames.next_timeout(slice)?;
            let waits_on = left.is_none_or(|left| left > slice);
            Ok(Some(found).filter(|found| !waits_on || !matches!(found, NextAudio::NotYet)))
        };
        until(py, step, || {})
    }
}

#[pymethods]
impl PyAudio {
    /// The next piece of sound; `None` where there is no more. It waits for a live stream that is lost,
    /// at most for `timeout` seconds where they are given.
    ///
    /// Raises `TimeoutError` where none came in time, `ValueError` once it is closed.
    #[pyo3(signature = (timeout=None))]
    fn read(
        &self,
        py: Python<'_>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<PyAudioFrame>> {
        let limit = limit_of(timeout)?;
        match self.next(py, limit)? {
            NextAudio::Frame(frame) => PyAudioFrame::new(py, &frame).map(Some),
            NextAudio::Over => Ok(None),
            _ => {
                let seconds = limit.unwrap_or_default().as_secs_f64();
                let cause = format!("no sound came within {seconds} s");
                let (kind, stage) = (frameloom::ErrorKind::TimedOut, frameloom::Stage::Source);
                Err(raised(&frameloom::Error::new(kind, stage, cause).at(&self.info.url)))
            }
        }
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<PyAudioFrame>> {
        self.read(py, None)
    }

    /// Samples a second of each channel, as the header says.
    #[getter]
    fn rate(&self) -> u32 {
        self.sound.0
    }

    /// How many channels there are, as the header says.
    #[getter]
    fn channels(&self) -> u32 {
        self.sound.1
    }

    /// What is in it, as `frameloom probe` tells it: a dictionary.
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        as_dict(py, &self.info)
    }

    /// The counters as they are now.
    #[getter]
    fn stats(&self) -> PyStats {
        self.stats.snapshot().into()
    }

    /// What has happened so far: losses and returns of a stream. The last thousand are kept.
    #[getter]
    fn events(&self) -> Vec<PyEvent> {
        self.events.list()
    }

    /// How long what is read is, in seconds; `None` where that isn't known, as of a live stream.
    #[getter]
    fn duration(&self) -> Option<f64> {
        self.duration
    }

    /// Whether it runs at its own speed and has no end that is known.
    #[getter]
    fn is_live(&self) -> bool {
        self.is_live
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.open.process.is_elsewhere() || py.detach(|| lock(&self.open.frames).is_none())
    }

    /// Have the loop over it end, from any thread.
    fn stop(&self) {
        self.stop.stop();
    }

    /// Close it. What wasn't read is left out.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.open.process.is_elsewhere() {
            return Ok(());
        }
        let step = || {
            let mut frames = lock(&self.open.frames);
            let Some(open) = &mut *frames else { return Ok(Some(())) };
            let done = open.finish_timeout(SLICE).map(|done| done.is_some());
            if !matches!(done, Ok(false)) {
                *frames = None;
            }
            done.map(|done| done.then_some(()))
        };
        until(py, step, || self.stop.stop())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (kind, error, trace))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        error: &Bound<'_, PyAny>,
        trace: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let _ = (error, trace);
        left(kind, self.close(py))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = if self.closed(py) { ", closed" } else { "" };
        let (rate, channels) = self.sound;
        format!("<frameloom.Audio {}, {rate} Hz, {channels} channels{state}>", self.info.url)
    }
}

impl Drop for PyAudio {
    fn drop(&mut self) {
        if self.open.process.is_elsewhere() {
            // To end it is to wait for threads that are not here.
            std::mem::forget(Arc::clone(&self.open));
            return;
        }
        if Python::try_attach(|py| py.detach(|| self.open.finish())).is_none() {
            self.open.finish();
        }
    }
}

/// A stage that calls `edit` with each piece of sound as an array, and its time.
pub(crate) fn editing(
    edit: Py<PyAny>,
) -> impl FnMut(&mut AudioFrame) -> Result<(), BoxError> + Send + 'static {
    move |sound| {
        // Python may have ended, and then nobody waits for it.
        Python::try_attach(|py| {
            edited(py, &edit, sound).inspect_err(|error| {
                let error = error.downcast_ref::<PyErr>();
                if let (Some(error), Ok(told)) = (error, edit.getattr(py, "_failed")) {
                    // What that raises nobody is told.
                    let _ = told.call1(py, (error.value(py),));
                }
            })
        })
        .unwrap_or(Ok(()))
    }
}

fn edited(py: Python<'_>, edit: &Py<PyAny>, sound: &mut AudioFrame) -> Result<(), BoxError> {
    let before = py.detach(|| sound.to_interleaved_f32())?;
    let channels = usize::try_from(sound.channels()).unwrap_or(1);
    let time = sound.pts().as_secs_f64();
    let array = array_of(py, before.clone(), channels)?;
    let shape = (before.len() / channels.max(1), channels);
    let given = edit.call1(py, (&array, time))?;
    let given = match given.is_none(py) {
        true => array.into_any(),
        false => given.into_bound(py),
    };
    let samples = flat(&accepted_samples(&given, channels)?, shape)?;
    if samples == before {
        // What was only listened to stays as the codec had it.
        return Ok(());
    }
    let edited = sound.interleaved_f32_mut()?;
    if edited.len() != samples.len() {
        return Err(invalid("the sound changed while it was edited").into());
    }
    edited.copy_from_slice(&samples);
    Ok(())
}
