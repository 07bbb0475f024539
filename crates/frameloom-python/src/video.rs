//! An open input in Python, and its frames.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use frameloom::options::InputOptions;
use frameloom::{ErrorKind, NextFrame, OutputId, Pipeline, Probe, Reader};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict};

use crate::audio::editing;
use crate::error::{invalid, left, raised};
use crate::exit::Finish;
use crate::frame::PyFrame;
use crate::info::as_dict;
use crate::lock::lock;
use crate::output::{PyOutput, added};
use crate::process::elsewhere;
use crate::samples::{OwnSound, PyAudioFrame, SoundSpec};
use crate::settings::{
    OUTPUT_NAMES, OutputKeywords, limit_of, place, rate_of, size_of, span_of, time_of, unknown,
};
use crate::shared::{VideoShared, VideoState, finish};
use crate::state::{PyAudioPacket, PyEvent, PyStats};
use crate::wait::{SLICE, nothing_came, opened, until, within};

/// A file or stream that is open: an iterator of its frames.
#[pyclass(frozen, name = "Video", module = "frameloom")]
pub(crate) struct PyVideo {
    shared: Arc<VideoShared>,
    info: Probe,
    is_live: bool,
    /// Of what is read, in seconds.
    duration: Option<f64>,
    rate: Option<frameloom::Rate>,
    /// Of the last frame that was read; of the header, before there is one.
    size: Mutex<Option<(u32, u32)>>,
    /// Frames, as far as that is known.
    frames: Option<usize>,
    audio_extradata: Option<Vec<u8>>,
    /// For `frame_at`.
    reader: Mutex<Option<Reader>>,
}

/// What is known of a video once it is open.
pub(crate) struct Known {
    pub(crate) info: Probe,
    pub(crate) is_live: bool,
    pub(crate) duration: Option<f64>,
    pub(crate) rate: Option<frameloom::Rate>,
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) frames: Option<usize>,
    pub(crate) audio_extradata: Option<Vec<u8>>,
}

/// Starts the threads, unless they run already.
fn start(py: Python<'_>, shared: &VideoShared) -> PyResult<()> {
    let pipeline = py.detach(|| {
        let mut state = shared.state();
        match std::mem::replace(&mut *state, VideoState::Starting) {
            VideoState::Open(pipeline) => Some(pipeline),
            other => {
                *state = other;
                None
            }
        }
    });
    let Some(mut pipeline) = pipeline else { return Ok(()) };
    let started = py.detach(|| {
        let mut outputs = shared.outputs();
        let coming = outputs.iter_mut().filter_map(|output| {
            let outgoing = output.open.as_mut()?.outgoing.take()?;
            Some((outgoing, &mut output.number))
        });
        for (place, (outgoing, number)) in coming.enumerate() {
            *number = Some(OutputId::from(place));
            *pipeline = pipeline.to(outgoing);
        }
        drop(outputs);
        pipeline.frames_pending()
    });
    let frames = opened(py, started, &shared.stop);
    py.detach(|| {
        let (state, done) = match frames {
            Ok(frames) => (VideoState::Running(Box::new(frames)), Ok(())),
            Err(error) => (VideoState::Closed, Err(error)),
        };
        *shared.state() = state;
        done
    })
}

/// What a wait for a frame came to.
enum Waited {
    Frame(PyFrame),
    Over,
    /// Nothing came in time.
    NotYet,
}

impl PyVideo {
    pub(crate) fn new(shared: Arc<VideoShared>, known: Known) -> PyVideo {
        let Known { info, is_live, duration, rate, size, frames, audio_extradata } = known;
        let (size, reader) = (Mutex::new(size), Mutex::default());
        PyVideo { shared, info, is_live, duration, rate, size, frames, audio_extradata, reader }
    }

    /// Refuses to go elsewhere in what has no place for that.
    fn check_seekable(&self) -> PyResult<()> {
        if self.is_live {
            return Err(invalid("a live stream can't be sought in"));
        }
        if !self.shared.opening.following.is_empty() {
            return Err(invalid("files that are read as one can't be sought in"));
        }
        Ok(())
    }

    /// The next frame, or what there is in place of one at `until`.
    fn next_frame(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<Waited> {
        if self.is_closed(py) {
            return Err(raised(&self.shared.closed()));
        }
        start(py, &self.shared)?;
        let step = |slice: Duration| {
            let mut state = self.shared.state();
            let found = match &mut *state {
                VideoState::Running(frames) => frames.next_timeout(slice)?,
                VideoState::Starting => {
                    drop(state);
                    std::thread::sleep(slice.min(SLICE / 10));
                    NextFrame::NotYet
                }
                VideoState::Open(_) | VideoState::Closed => NextFrame::Over,
            };
            Ok(Some(found).filter(|found| !matches!(found, NextFrame::NotYet)))
        };
        let mut frame = match within(py, limit, step)? {
            Some(NextFrame::Frame(frame)) => frame,
            Some(NextFrame::Over) => {
                self.shared.latest.end();
                return Ok(Waited::Over);
            }
            _ => return Ok(Waited::NotYet),
        };
        *lock(&self.size) = Some((frame.width(), frame.height()));
        self.shared.latest.put(&mut frame).map_err(|e| raised(&e))?;
        let frame = PyFrame::new(frame, Arc::clone(&self.shared.frames));
        *lock(&self.shared.last) = Some(Arc::clone(&frame.inner));
        Ok(Waited::Frame(frame))
    }

    fn input(&self) -> InputOptions {
        self.shared.opening.input.clone()
    }

    fn is_closed(&self, py: Python<'_>) -> bool {
        self.shared.process.is_elsewhere()
            || py.detach(|| matches!(&*self.shared.state(), VideoState::Closed))
    }
}

#[pymethods]
impl PyVideo {
    /// The next frame; `None` where there are no more. It waits for a live stream that is lost, at
    /// most for `timeout` seconds where they are given: one that comes later is the next one's.
    ///
    /// Raises `TimeoutError` where none came in time, `ValueError` once the video is closed.
    #[pyo3(signature = (timeout=None))]
    fn read(
        &self,
        py: Python<'_>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<PyFrame>> {
        let limit = limit_of(timeout)?;
        match self.next_frame(py, limit)? {
            Waited::Frame(frame) => Ok(Some(frame)),
            Waited::Over => Ok(None),
            Waited::NotYet => Err(nothing_came(limit, Some(&self.shared.opening.source))),
        }
    }

    /// The newest frame that a loop on another thread has read, as it was then, and that was not returned
    /// here yet; `None` once there are no more. It waits for one, at most for `timeout` seconds.
    ///
    /// Raises `TimeoutError` where none came in time.
    #[pyo3(signature = (timeout=None))]
    fn latest(
        &self,
        py: Python<'_>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<PyFrame>> {
        let limit = limit_of(timeout)?;
        let step = |slice| {
            let found = self.shared.latest.next_frame_timeout(slice);
            Ok(Some(found).filter(|found| !matches!(found, NextFrame::NotYet)))
        };
        match within(py, limit, step)? {
            Some(NextFrame::Frame(frame)) => {
                Ok(Some(PyFrame::new(frame, Arc::clone(&self.shared.frames))))
            }
            Some(_) => Ok(None),
            None => Err(nothing_came(limit, Some(&self.shared.opening.source))),
        }
    }

    /// The next frame, `None` where there are no more, `False` where none came for a moment.
    fn _poll(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.next_frame(py, Some(SLICE))? {
            Waited::Frame(frame) => Ok(Py::new(py, frame)?.into_any()),
            Waited::Over => Ok(py.None()),
            Waited::NotYet => Ok(PyBool::new(py, false).to_owned().into_any().unbind()),
        }
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if slf.get().shared.opening.progress {
            let py = slf.py();
            return py.import("frameloom._iterate")?.getattr("with_progress")?.call1((slf,));
        }
        Ok(slf.clone().into_any())
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<PyFrame>> {
        self.read(py, None)
    }

    fn __aiter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("frameloom._iterate")?.getattr("asynchronously")?.call1((slf,))
    }

    /// Add an output, at any time: a file, or a URL to publish to. It gets the frames that are written to
    /// it and the input's audio beside them. One that is added while frames are read begins with those
    /// that the input brings from then on; what was read before is left out of it. A server is connected
    /// to at once; a file is made when there is something to write. `bit_rate` is in bits a second, `size`
    /// is (width, height), `options` are FFmpeg's by its names, as {"preset": "fast", "g": 50}.
    /// `audio=False` leaves the sound out; with samples a second and channels, as in (48000, "stereo"), it
    /// is your own, which `Output.write_audio` writes: only of outputs that are added before the first
    /// frame is read.
    ///
    /// With `preroll` the output begins so many seconds ago, at a keyframe, with what `open(...,
    /// preroll=)` keeps, or with as much of it as there is, and goes on by itself until it is closed:
    /// video and sound are copied as they come, and no frames are written to it.
    ///
    /// Raises a `frameloom.Error` where options contradict each other, the file may not be written,
    /// or the server can't be reached or refuses.
    #[pyo3(
        signature = (
            target, *, codec=None, audio_codec=None, bit_rate=None, format=None, size=None,
            rate=None, audio=None, overwrite=true, preroll=None, options=None, **unknown
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
        audio: Option<&Bound<'_, PyAny>>,
        overwrite: bool,
        preroll: Option<&Bound<'_, PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
        unknown: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyOutput> {
        if let Some((name, _)) = unknown.into_iter().flatten().next() {
            return Err(self::unknown("output", &name.extract::<String>()?, OUTPUT_NAMES));
        }
        let url = place(target)?;
        let preroll = preroll.map(|given| span_of("preroll", given)).transpose()?;
        // Frames that go by unedited were not scaled, and one of them may be the first.
        let frames = self.shared.opening.size.filter(|_| preroll.is_none_or(|span| span.is_zero()));
        let size = size_of(size)?.or(frames);
        let rate = rate_of(rate)?;
        let (audio, sound) = match audio.map(|given| (given, given.cast::<PyBool>())) {
            None => (true, None),
            Some((_, Ok(yes))) => (yes.is_true(), None),
            Some((given, Err(_))) => (true, Some(SoundSpec::of(given)?)),
        };
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
        let mut options = settings.settings()?;
        if let Some(sound) = &sound {
            if preroll.is_some() {
                return Err(invalid(
                    "preroll: sound of your own has none: leave one of the two out",
                ));
            }
            let own = options.own_audio(sound.rate, &sound.layout);
            options = own.map_err(|e| raised(&e.at("audio")))?;
        }
        if self.shared.process.is_elsewhere() {
            return Err(raised(&elsewhere()));
        }
        added(py, &self.shared, &url, &options, sound.map(OwnSound::new))
    }

    /// Go on with the first frame at `time` or behind it, in seconds. Only in files, and only
    /// without outputs, whose time can't go back. A file without an index of times is read from its
    /// start.
    ///
    /// Raises `ValueError` where the file ends before `time`; the loop over the frames can then go
    /// on where it was.
    fn seek(&self, py: Python<'_>, time: &Bound<'_, PyAny>) -> PyResult<()> {
        let at = time_of("time", time)?;
        if self.is_closed(py) {
            return Err(raised(&self.shared.closed()));
        }
        self.check_seekable()?;
        if py.detach(|| self.shared.has_outputs()) {
            let cause = "a video with outputs can't be sought in: their time can't go back";
            return Err(invalid(cause));
        }
        let opening = &self.shared.opening;
        let stop = &self.shared.stop;
        let pending = Pipeline::builder(&opening.source)
            .input(self.input())
            .start_at(at)
            .stop(stop)
            .open_pending();
        // Where that fails, the loop over the frames can go on.
        let pipeline = opened(py, pending, stop)?;
        py.detach(|| {
            drop(std::mem::replace(&mut *self.shared.state(), VideoState::Starting));
            self.shared.set(pipeline);
        });
        Ok(())
    }

    /// The frame that is shown at `time`, in seconds: the last one that isn't later. It leaves the
    /// loop over the frames where it is. Raises `ValueError` behind the end.
    fn frame_at(&self, py: Python<'_>, time: &Bound<'_, PyAny>) -> PyResult<PyFrame> {
        let at = time_of("time", time)?;
        if self.shared.process.is_elsewhere() {
            return Err(raised(&elsewhere()));
        }
        self.check_seekable()?;
        let stop = &self.shared.stop;
        let ready = py.detach(|| lock(&self.reader).take());
        let mut reader = match ready {
            Some(reader) => reader,
            None => {
                let source = &self.shared.opening.source;
                opened(
                    py,
                    Reader::builder(source).input(self.input()).stop(stop).open_pending(),
                    stop,
                )?
            }
        };
        // Where none was asked for, each frame has its own, as in the loop over them.
        let size = self.shared.opening.size.map(|size| (size.width(), size.height()));
        let found = py.detach(|| {
            let found = reader.frame_at(at)?;
            *lock(&self.reader) = Some(reader);
            match (found, size) {
                (Some(frame), Some((width, height)))
                    if (frame.width(), frame.height()) != (width, height) =>
                {
                    frame.scaled(width, height).map(Some)
                }
                (found, _) => Ok(found),
            }
        });
        let Some(frame) = found.map_err(|e: frameloom::Error| raised(&e))? else {
            let length = self.duration.map(|seconds| format!(", {seconds:.2} s long"));
            let length = length.unwrap_or_default();
            return Err(invalid(format!(
                "the video has no frame at {time}: it is shorter{length}"
            )));
        };
        Ok(PyFrame::new(frame, Arc::clone(&self.shared.frames)))
    }

    /// What is in it, as `frameloom probe` tells it: a dictionary.
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        as_dict(py, &self.info)
    }

    /// The counters as they are now.
    #[getter]
    fn stats(&self) -> PyStats {
        self.shared.stats().snapshot().into()
    }

    /// The audio packets that were read since this was asked last, as they came. They are read with
    /// the frames; the last 1024 are kept.
    #[getter]
    fn audio(&self, py: Python<'_>) -> Vec<PyAudioPacket> {
        if self.shared.process.is_elsewhere() {
            return Vec::new();
        }
        let packets = py.detach(|| match &*self.shared.state() {
            VideoState::Running(frames) => frames.audio(),
            _ => Vec::new(),
        });
        packets.iter().map(PyAudioPacket::new).collect()
    }

    /// The sound that was read since this was asked last, decoded: pieces with `array`, `time`, `rate` and
    /// `channels`. It is read with the frames, and belongs to them by its times. The last 1024 packets
    /// are kept, some 20 s; once you have asked, what goes before you ask again is counted
    /// (`stats.audio_dropped`). `open_audio` reads sound without the pictures.
    #[getter]
    fn audio_frames(&self, py: Python<'_>) -> PyResult<Vec<PyAudioFrame>> {
        if self.shared.process.is_elsewhere() {
            return Ok(Vec::new());
        }
        let frames = py.detach(|| match &mut *self.shared.state() {
            VideoState::Running(frames) => frames.audio_frames(),
            _ => Ok(Vec::new()),
        });
        let frames = frames.map_err(|e| raised(&e))?;
        frames.iter().map(|frame| PyAudioFrame::new(py, frame)).collect()
    }

    /// Have `edit(array, time)` called with every piece of the sound that outputs get, on a thread of its
    /// own: an array of float32, (n, channels), from -1 to 1, which it changes in place or answers with
    /// another of the same shape, and its time in seconds. What it raises follows `on_error`; sound
    /// that it is too slow for goes by unedited in a live stream. Before the first frame is read.
    fn edit_audio(&self, py: Python<'_>, edit: Py<PyAny>) -> PyResult<()> {
        if self.shared.process.is_elsewhere() {
            return Err(raised(&elsewhere()));
        }
        if !edit.bind(py).is_callable() {
            return Err(PyTypeError::new_err("edit_audio() takes a function"));
        }
        let stage = editing(edit);
        let changed = py.detach(|| {
            let mut state = self.shared.state();
            match std::mem::replace(&mut *state, VideoState::Closed) {
                VideoState::Open(pipeline) => {
                    *state = VideoState::Open(Box::new(pipeline.process_audio(stage)));
                    Ok(())
                }
                VideoState::Closed => Err(self.shared.closed()),
                other => {
                    *state = other;
                    Err(frameloom::Error::new(
                        ErrorKind::Usage,
                        frameloom::Stage::Options,
                        "code for the sound is given before the first frame is read",
                    ))
                }
            }
        });
        changed.map_err(|e: frameloom::Error| raised(&e))
    }

    /// Whether failures of code end the run.
    #[getter]
    fn _stops_at_error(&self) -> bool {
        self.shared.opening.live.stops_at_error(self.is_live)
    }

    /// From now on outputs get the frames as they are: nobody reads them.
    fn _pass_frames(&self) {
        self.shared.pass_frames();
    }

    /// Run it to its end, where nobody reads the frames.
    fn _run(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_closed(py) {
            return Err(raised(&self.shared.closed()));
        }
        let pending = py.detach(|| self.shared.run_pending());
        let pending = pending.map_err(|e| raised(&e))?;
        let mut has_ended = false;
        let step = || {
            let ended = pending.wait(SLICE);
            has_ended = ended.is_some();
            ended.transpose()
        };
        let ran = until(py, step, || self.shared.stop.stop());
        if !has_ended {
            // A signal came: the outputs are finished all the same.
            py.detach(|| while pending.wait(SLICE).is_none() {});
        }
        ran.map(drop)
    }

    /// What a decoder of the audio needs besides the packets; `None` where there is no audio.
    #[getter]
    fn audio_extradata<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.audio_extradata.as_deref().map(|bytes| PyBytes::new(py, bytes))
    }

    /// What has happened so far: losses, what was dropped, failures. The last thousand are kept.
    #[getter]
    fn events(&self) -> Vec<PyEvent> {
        self.shared.events.list()
    }

    /// Pixels across, of the frame that was read last; before the first one, as the header says.
    #[getter]
    fn width(&self) -> Option<u32> {
        lock(&self.size).map(|(width, _)| width)
    }

    /// Pixels down, of the frame that was read last; before the first one, as the header says.
    #[getter]
    fn height(&self) -> Option<u32> {
        lock(&self.size).map(|(_, height)| height)
    }

    /// Frames a second, a `fractions.Fraction`; `None` where the stream doesn't say.
    #[getter]
    fn rate<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(rate) = self.rate else { return Ok(None) };
        py.import("fractions")?.getattr("Fraction")?.call1((rate.num(), rate.den())).map(Some)
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
        self.is_closed(py)
    }

    /// Have the loop over the frames end, from any thread.
    fn stop(&self) {
        self.shared.stop.stop();
    }

    /// Finish every output and close it. What of the input wasn't read is left out.
    ///
    /// Raises the first thing that went wrong and wasn't told before.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.shared.process.is_elsewhere() {
            return Ok(());
        }
        py.detach(|| self.shared.outputs().iter_mut().for_each(|output| output.open = None));
        finish(py, &self.shared)
    }

    /// Say that the code failed on the last frame: `True` where the policy is to go on, and the
    /// frame goes out unedited.
    fn failed(&self, py: Python<'_>, message: &str) -> bool {
        if self.shared.process.is_elsewhere() {
            return false;
        }
        let error = frameloom::Error::process(message);
        py.detach(|| match &mut *self.shared.state() {
            VideoState::Running(frames) => frames.fail(error).is_ok(),
            _ => false,
        })
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

    fn __len__(&self) -> PyResult<usize> {
        self.frames.ok_or_else(|| PyTypeError::new_err("it isn't known how many frames it has"))
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let size = lock(&self.size).map_or_else(String::new, |(w, h)| format!(", {w}x{h}"));
        let rate = self.rate.map_or_else(String::new, |r| format!(" {:.2} fps", r.as_f64()));
        let length = match self.duration {
            Some(seconds) => format!(", {seconds:.2} s"),
            None if self.is_live => ", live".to_owned(),
            None => String::new(),
        };
        let state = if self.is_closed(py) { ", closed" } else { "" };
        format!("<frameloom.Video {}{size}{rate}{length}{state}>", self.info.url)
    }
}

impl Drop for PyVideo {
    /// Frames may outlive it; its threads don't.
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        if shared.process.is_elsewhere() {
            // To end them is to wait for threads that are not here.
            std::mem::forget(shared);
            std::mem::forget(self.reader.try_lock().map(|mut reader| reader.take()));
            return;
        }
        let end = move || shared.finish();
        if Python::try_attach(|py| py.detach(&end)).is_none() {
            end();
        }
    }
}
