//! Many streams in Python, and their frames in batches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use frameloom::options::InputOptions;
use frameloom::{Batch, LatestBatches, Pending, StreamId, StreamOutput, StreamSettings, Streams};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyDictMethods};

use crate::arguments;
use crate::array::{format_of, shown};
use crate::error::{invalid, left, raised};
use crate::exit::{Finish, remember};
use crate::frame::PyFrame;
use crate::lock::lock;
use crate::process::{Owner, elsewhere};
use crate::settings::{
    InputKeywords, OUTPUT_NAMES, OutputKeywords, limit_of, place, policies, rate_of, size_of,
    span_of, time_of, unknown,
};
use crate::shared::FrameSource;
use crate::tensor::shape_of_batch;
use crate::wait::{SLICE, nothing_came, until, within};

/// What `open_all` takes by name, besides the policies.
const OPEN_ALL_NAMES: &[&str] = &["pix_fmt", "size", "format", "options"];

/// What all handles of some streams share.
struct StreamsShared {
    process: Owner,
    /// `None` once they are closed. It is locked with the GIL released only.
    streams: Mutex<Option<Streams>>,
    known: Mutex<BTreeMap<StreamId, KnownStream>>,
    /// What the loop over the batches has taken, for another thread. It needs no lock of the streams.
    latest: LatestBatches,
    pix_fmt: String,
    settings: SettingsOfAll,
}

impl Finish for StreamsShared {
    fn finish(&self) {
        if self.process.is_elsewhere() {
            return;
        }
        let streams = lock(&self.streams).take();
        // The handles hold what holds them.
        let handles = std::mem::take(&mut *lock(&self.known));
        // What goes wrong is logged.
        drop((streams, handles));
    }
}

/// What keeps the streams open. They end with the last of them; a stream's own handle is none.
#[derive(Clone)]
struct OpenStreams(Arc<OpenStreamsGuard>);

struct OpenStreamsGuard(Arc<StreamsShared>);

impl Drop for OpenStreamsGuard {
    fn drop(&mut self) {
        if self.0.process.is_elsewhere() {
            // To end them is to wait for threads that are not here.
            std::mem::forget(Arc::clone(&self.0));
            return;
        }
        if Python::try_attach(|py| py.detach(|| self.0.finish())).is_none() {
            self.0.finish();
        }
    }
}

impl std::ops::Deref for OpenStreams {
    type Target = Arc<StreamsShared>;

    fn deref(&self) -> &Arc<StreamsShared> {
        &self.0.0
    }
}

/// The handle of a stream, and what its frames have in common.
type KnownStream = (Py<PyStream>, Arc<FrameSource>);

/// How each stream is opened.
struct SettingsOfAll {
    input: InputOptions,
    size: Option<frameloom::Size>,
}

impl StreamsShared {
    /// Does something with the streams.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Streams) -> frameloom::Result<T> + Send,
    ) -> PyResult<T> {
        self.check_process()?;
        py.detach(|| self.step(work)).map_err(|e| raised(&e))
    }

    /// The same for one step of a wait, without the GIL.
    fn step<T>(
        &self,
        work: impl FnOnce(&mut Streams) -> frameloom::Result<T>,
    ) -> frameloom::Result<T> {
        let mut streams = lock(&self.streams);
        let closed = || {
            let (kind, stage) = (frameloom::ErrorKind::Usage, frameloom::Stage::Source);
            frameloom::Error::new(kind, stage, "the streams are closed")
        };
        work(streams.as_mut().ok_or_else(closed)?)
    }

    fn check_process(&self) -> PyResult<()> {
        match self.process.is_elsewhere() {
            true => Err(raised(&elsewhere())),
            false => Ok(()),
        }
    }

    /// A batch as Python has it.
    fn given(&self, py: Python<'_>, batch: Batch) -> PyResult<PyBatch> {
        let known = lock(&self.known);
        let frames = batch.frames.into_iter().filter_map(|item| {
            let (_, source) = known.get(&item.stream)?;
            Some(PyFrame::new(item.frame, Arc::clone(source)))
        });
        let frames: Vec<PyFrame> = frames.collect();
        drop(known);
        let frames = frames.into_iter().map(|frame| Py::new(py, frame)).collect::<PyResult<_>>()?;
        Ok(PyBatch { frames })
    }
}

/// Open many streams at once. Each is opened by itself and, where it is live, tried until it is there.
#[pyfunction]
#[pyo3(
    signature = (sources, *, pix_fmt="rgb24", size=None, format=None, options=None, **policies),
    text_signature = "(sources, *, pix_fmt='rgb24', size=None, format=None, options=None, \
        on_loss=None, slate=None, on_slow=None, deadline=None, on_error=None, on_resize=None, \
        on_untouched=None, untouched_after=None, reconnect_for=None, no_reconnect=False, stall_timeout=None, open_timeout=None, \
        wait_for_inputs=None, preroll=None, speed=None, live='auto')"
)]
pub(crate) fn open_all(
    py: Python<'_>,
    #[pyo3(from_py_with = arguments::sources)] sources: Vec<Bound<'_, PyAny>>,
    pix_fmt: &str,
    size: Option<&Bound<'_, PyAny>>,
    format: Option<&str>,
    options: Option<&Bound<'_, PyDict>>,
    policies: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyStreams> {
    format_of(pix_fmt)?;
    let (live, input) = self::policies(policies, OPEN_ALL_NAMES)?;
    live.check(false, true).map_err(|e| raised(&e))?;
    let input = InputKeywords { format, options, ..InputKeywords::default() }.settings(input)?;
    let settings = SettingsOfAll { input, size: size_of(size)? };
    let streams = Streams::new().live(live);
    let shared = Arc::new(StreamsShared {
        process: Owner::here(),
        latest: streams.latest(),
        streams: Mutex::new(Some(streams)),
        known: Mutex::default(),
        pix_fmt: pix_fmt.to_owned(),
        settings,
    });
    remember(&shared);
    let streams = PyStreams(OpenStreams(Arc::new(OpenStreamsGuard(shared))));
    for source in sources {
        streams.add(py, &source)?;
    }
    Ok(streams)
}

/// Streams that run side by side: made by `open_all`.
#[pyclass(frozen, name = "Streams", module = "frameloom")]
pub(crate) struct PyStreams(OpenStreams);

#[pymethods]
impl PyStreams {
    /// Add a stream, while the others run.
    fn add(&self, py: Python<'_>, source: &Bound<'_, PyAny>) -> PyResult<Py<PyStream>> {
        let url = place(source)?;
        let SettingsOfAll { input, size } = &self.0.settings;
        let mut settings = StreamSettings::new(&url).input(input.clone());
        if let Some(size) = size {
            settings = settings.size(*size);
        }
        let id = self.0.with(py, |streams| streams.add(settings))?;
        let stream = Py::new(py, PyStream { shared: Arc::clone(&self.0), id, url })?;
        let handle = stream.clone_ref(py).into_any();
        let shown = frameloom::internal::redact::url(&stream.get().url);
        let source = FrameSource::new(format_of(&self.0.pix_fmt)?, shown, Some(handle));
        let source = Arc::new(source);
        lock(&self.0.known).insert(id, (stream.clone_ref(py), source));
        Ok(stream)
    }

    /// Batches of frames, at most one of each stream: the newest that it has. A batch is given out once it
    /// has `size` frames or one of every stream that runs, and `wait` seconds behind its first at the
    /// latest; earlier, where a live stream that is in it has its next frame already. A stream that is lost or
    /// not there yet is not waited for.
    #[pyo3(signature = (size=8, wait=None))]
    fn batches(&self, size: usize, wait: Option<&Bound<'_, PyAny>>) -> PyResult<PyBatches> {
        check_size(size)?;
        let wait = wait.map(|given| time_of("wait", given)).transpose()?;
        let wait = wait.map_or(DEFAULT_WAIT, |wait| Duration::from_secs_f64(wait.as_secs_f64()));
        Ok(PyBatches { shared: self.0.clone(), size, wait })
    }

    /// The newest frames that a loop over `batches` on another thread has taken, as they were then, and
    /// that were not returned here yet: at most one of each stream, and at most `size`. `None` once there
    /// are no more. It waits for one, at most for `timeout` seconds.
    ///
    /// Raises `TimeoutError` where none came in time.
    #[pyo3(signature = (size=8, timeout=None))]
    fn latest(
        &self,
        py: Python<'_>,
        size: usize,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<PyBatch>> {
        check_size(size)?;
        let limit = limit_of(timeout)?;
        self.0.check_process()?;
        let step = |slice| {
            let found = self.0.latest.next_batch_timeout(size, slice);
            let is_none_yet = found.as_ref().is_some_and(|batch| batch.frames.is_empty());
            Ok((!is_none_yet).then_some(found))
        };
        let batch = within(py, limit, step)?.ok_or_else(|| nothing_came(limit, None))?;
        batch.map(|batch| self.0.given(py, batch)).transpose()
    }

    fn __len__(&self) -> usize {
        lock(&self.0.known).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let all: Vec<Py<PyStream>> =
            lock(&self.0.known).values().map(|(stream, _)| stream.clone_ref(py)).collect();
        all.into_pyobject(py)?.call_method0("__iter__")
    }

    fn __getitem__(&self, py: Python<'_>, number: usize) -> PyResult<Py<PyStream>> {
        let known = lock(&self.0.known);
        let found = known.iter().find(|(id, _)| id.number() == number);
        found.map(|(_, (stream, _))| stream.clone_ref(py)).ok_or_else(|| {
            pyo3::exceptions::PyIndexError::new_err(format!("there is no stream {number}"))
        })
    }

    /// End all streams and finish their outputs.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.0.process.is_elsewhere() {
            return Ok(());
        }
        let step = || {
            let mut streams = lock(&self.0.streams);
            let finished = streams.as_mut().map_or(Ok(true), |open| open.finish_timeout(SLICE));
            if !matches!(finished, Ok(false)) {
                *streams = None;
            }
            finished.map(|is_done| is_done.then_some(()))
        };
        let finished = until(py, step, || {});
        // The handles hold what holds them.
        let _handles = std::mem::take(&mut *lock(&self.0.known));
        finished
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        left(kind, self.close(py))
    }
}

fn check_size(size: usize) -> PyResult<()> {
    match size {
        0 => Err(invalid("size: a batch has one frame at least")),
        _ => Ok(()),
    }
}

/// How long a batch waits behind its first frame, where nothing is said.
const DEFAULT_WAIT: Duration = Duration::from_millis(20);

/// One stream of `open_all`.
#[pyclass(frozen, name = "Stream", module = "frameloom")]
pub(crate) struct PyStream {
    shared: Arc<StreamsShared>,
    id: StreamId,
    url: String,
}

#[pymethods]
impl PyStream {
    /// Its number, from 0 in the order in which streams were added.
    #[getter]
    fn number(&self) -> usize {
        self.id.number()
    }

    /// Its URL, without what is secret in it.
    #[getter]
    fn url(&self) -> String {
        frameloom::internal::redact::url(&self.url)
    }

    /// Why it is over, as text; `None` while it isn't, and where it simply ended.
    #[getter]
    fn error(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let id = self.id;
        self.shared.with(py, move |streams| Ok(streams.error(id).map(ToString::to_string)))
    }

    /// Add an output, at any time: a file, or a URL to publish to. It takes what `Video.output` takes, and
    /// `close` finishes it while the stream goes on.
    #[pyo3(
        signature = (
            target, *, codec=None, audio_codec=None, bit_rate=None, format=None, size=None,
            rate=None, audio=true, overwrite=true, preroll=None, options=None, **unknown
        ),
        text_signature = "($self, target, *, codec=None, audio_codec=None, bit_rate=None, \
            format=None, size=None, rate=None, audio=True, overwrite=True, preroll=None, \
            options=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "Python's are named")]
    fn output(
        &self,
        py: Python<'_>,
        target: &Bound<'_, PyAny>,
        codec: Option<&str>,
        audio_codec: Option<&str>,
        bit_rate: Option<&Bound<'_, PyAny>>,
        format: Option<&str>,
        size: Option<&Bound<'_, PyAny>>,
        rate: Option<&Bound<'_, PyAny>>,
        audio: bool,
        overwrite: bool,
        preroll: Option<&Bound<'_, PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
        unknown: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyStreamOutput> {
        if let Some((name, _)) = unknown.into_iter().flatten().next() {
            return Err(self::unknown("output", &name.extract::<String>()?, OUTPUT_NAMES));
        }
        let url = place(target)?;
        let preroll = preroll.map(|given| span_of("preroll", given)).transpose()?;
        let frames =
            self.shared.settings.size.filter(|_| preroll.is_none_or(|span| span.is_zero()));
        let (size, rate) = (size_of(size)?.or(frames), rate_of(rate)?);
        let settings = OutputKeywords {
            format,
            codec,
            audio_codec,
            bit_rate,
            size,
            rate,
            audio,
            overwrite,
            preroll,
            options,
        };
        let (id, options) = (self.id, settings.settings()?);
        let shown = frameloom::internal::redact::url(&url);
        let output = self.shared.with(py, move |streams| streams.add_output(id, &url, options))?;
        Ok(PyStreamOutput { shared: Arc::clone(&self.shared), stream: id, output, shown })
    }

    /// Give a frame of this stream to its outputs: what `frame.write()` does.
    fn write(&self, py: Python<'_>, frame: &Bound<'_, PyFrame>) -> PyResult<()> {
        let (id, frame) = (self.id, frame.get().finished(py)?);
        let mut waiting = Some(frame);
        let step = || {
            let Some(frame) = waiting.take() else { return Ok(Some(())) };
            waiting = self.shared.step(|streams| streams.write_timeout(id, frame, SLICE))?;
            Ok(waiting.is_none().then_some(()))
        };
        self.shared.check_process()?;
        until(py, step, || {})
    }

    /// End it and finish its outputs, while the others go on.
    fn remove(&self, py: Python<'_>) -> PyResult<()> {
        let id = self.id;
        let step = || {
            let is_removed = self.shared.step(|streams| streams.remove_timeout(id, SLICE))?;
            Ok(is_removed.then_some(()))
        };
        self.shared.check_process()?;
        let removed = until(py, step, || {});
        let _handle = lock(&self.shared.known).remove(&id);
        removed
    }

    fn __repr__(&self) -> String {
        format!("<frameloom.Stream {} {}>", self.id.number(), self.url())
    }
}

/// An output of one stream of `open_all`. Made by `Stream.output`.
#[pyclass(frozen, name = "StreamOutput", module = "frameloom")]
pub(crate) struct PyStreamOutput {
    shared: Arc<StreamsShared>,
    stream: StreamId,
    output: StreamOutput,
    /// Without secrets.
    shown: String,
}

#[pymethods]
impl PyStreamOutput {
    /// Finish it, with all that was written to it, while the stream goes on.
    ///
    /// Raises what went wrong with it and wasn't told before.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.shared.process.is_elsewhere() {
            return Ok(());
        }
        let step = || match lock(&self.shared.streams).as_mut() {
            Some(streams) => streams.remove_output_timeout(self.stream, &self.output, SLICE),
            None => Ok(Some(Pending::done(()))),
        };
        let end = until(py, step, || {})?;
        until(py, || end.wait(SLICE).transpose(), || {})
    }

    /// The URL or path, without secrets.
    #[getter]
    fn target(&self) -> &str {
        &self.shown
    }

    /// Whether it is closed, or could not be opened.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.shared.process.is_elsewhere()
            || py.detach(|| self.output.is_gone() || lock(&self.shared.streams).is_none())
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
        let state = if self.closed(py) { "closed" } else { "open" };
        format!("<frameloom.StreamOutput {} {state}>", self.shown)
    }
}

/// The batches of some streams.
#[pyclass(frozen, name = "Batches", module = "frameloom")]
pub(crate) struct PyBatches {
    shared: OpenStreams,
    size: usize,
    wait: Duration,
}

#[pymethods]
impl PyBatches {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<PyBatch>> {
        if self.shared.process.is_elsewhere() {
            return Err(raised(&elsewhere()));
        }
        let step = || {
            let mut streams = lock(&self.shared.streams);
            let Some(streams) = streams.as_mut() else { return Ok(Some(None)) };
            let batch = streams.next_batch_timeout(self.size, self.wait, SLICE)?;
            Ok(match batch {
                Some(batch) if batch.frames.is_empty() => None,
                batch => Some(batch),
            })
        };
        let batch = until(py, step, || {})?;
        batch.map(|batch| self.shared.given(py, batch)).transpose()
    }
}

/// Frames of different streams, at most one of each.
#[pyclass(frozen, name = "Batch", module = "frameloom")]
pub(crate) struct PyBatch {
    frames: Vec<Py<PyFrame>>,
}

#[pymethods]
impl PyBatch {
    /// Its frames.
    #[getter]
    fn frames(&self, py: Python<'_>) -> Vec<Py<PyFrame>> {
        self.frames.iter().map(|frame| frame.clone_ref(py)).collect()
    }

    fn __len__(&self) -> usize {
        self.frames.len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.frames(py).into_pyobject(py)?.call_method0("__iter__")
    }

    /// What a model reads of all frames, (n, 3, height, width), and the way back for each: as
    /// `Frame.tensor`. `out` has a place for each frame, and no more.
    #[pyo3(signature = (size, **keywords))]
    fn tensor<'py>(
        &self,
        py: Python<'py>,
        size: &Bound<'py, PyAny>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<(Bound<'py, PyAny>, Vec<Bound<'py, PyAny>>)> {
        let Some(first) = self.frames.first() else {
            return Err(invalid("a batch without frames has no tensor"));
        };
        let keywords = keywords.map_or_else(|| Ok(PyDict::new(py)), PyDictMethods::copy)?;
        let mut transforms = Vec::new();
        let out = match keywords.get_item("out")?.filter(|out| !out.is_none()) {
            Some(out) => {
                let layout = keywords.get_item("layout")?;
                let layout = layout.map_or_else(|| Ok("NCHW".to_owned()), |l| l.extract())?;
                check_out(&out, &shape_of_batch(size, &layout, self.frames.len())?)?;
                out
            }
            None => {
                // The first one tells the shape and the kind of numbers.
                let made = first.bind(py).call_method("tensor", (size,), Some(&keywords))?;
                let (one, transform): (Bound<'py, PyAny>, Bound<'py, PyAny>) = made.extract()?;
                let mut shape: Vec<usize> = one.getattr("shape")?.extract()?;
                if let Some(count) = shape.first_mut() {
                    *count = self.frames.len();
                }
                let new = py.import("numpy")?.getattr("empty")?;
                let out = new.call1((shape, one.getattr("dtype")?))?;
                out.set_item(0, one.get_item(0)?)?;
                transforms.push(transform);
                out
            }
        };
        for (n, frame) in self.frames.iter().enumerate().skip(transforms.len()) {
            keywords.set_item("out", out.get_item(n)?)?;
            let made = frame.bind(py).call_method("tensor", (size,), Some(&keywords))?;
            let (_, transform): (Bound<'py, PyAny>, Bound<'py, PyAny>) = made.extract()?;
            transforms.push(transform);
        }
        Ok((out, transforms))
    }
}

/// Whether the array that was given for a batch has a place for each frame, and no more.
fn check_out(out: &Bound<'_, PyAny>, wanted: &[usize]) -> PyResult<()> {
    let expected = shown(wanted);
    let Ok(array) = out.cast::<PyUntypedArray>() else {
        return Err(invalid(format!("out: expected an array of shape {expected}, and it is none")));
    };
    if array.shape() != wanted {
        let (frames, found) = (wanted.first().copied().unwrap_or_default(), shown(array.shape()));
        return Err(invalid(format!(
            "out: expected an array of shape {expected} for the {frames} frames, and it is of shape {found}"
        )));
    }
    Ok(())
}
