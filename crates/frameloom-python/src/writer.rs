//! Arrays in, video out.

use std::sync::{Arc, Mutex};

use frameloom::{Feed, Frame, Image, PixelFormat, Rate, Stats, Stop, TimeBase, Timestamp};
use numpy::PyArrayMethods;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{Pixels, accepted, accepted_any, format_of};
use crate::error::{invalid, left, raised};
use crate::events::EventLog;
use crate::exit::{Finish, remember};
use crate::frame::PyFrame;
use crate::lock::lock;
use crate::process::{Owner, elsewhere};
use crate::samples::{OwnSound, SoundSpec};
use crate::settings::{OutputKeywords, place, rate_of, reconnecting, size_of, time_of, unknown};
use crate::state::{PyEvent, PyOutputStats};
use crate::wait::{SLICE, opened, until};

const CREATE_NAMES: &[&str] = &[
    "size",
    "rate",
    "pix_fmt",
    "audio",
    "codec",
    "audio_codec",
    "bit_rate",
    "format",
    "overwrite",
    "options",
    "reconnect_for",
    "no_reconnect",
];

/// A new video, made of arrays. Made by `create`.
#[pyclass(frozen, name = "Writer", module = "frameloom")]
pub(crate) struct PyWriter {
    open: Arc<OpenFeed>,
    at: Mutex<At>,
    stop: Stop,
    stats: Stats,
    events: EventLog,
    format: PixelFormat,
    rate: Rate,
    /// Of the sound, where it has some.
    sound: Option<OwnSound>,
    shown: String,
}

/// The output itself; none once it is closed.
struct OpenFeed {
    process: Owner,
    feed: Mutex<Option<Feed>>,
}

impl Finish for OpenFeed {
    fn finish(&self) {
        if self.process.is_elsewhere() {
            return;
        }
        let ended = lock(&self.feed).take();
        drop(ended);
    }
}

/// What was written so far.
struct At {
    size: Option<(u32, u32)>,
    frames: i64,
    /// The last time that was given, and how many frames were written from it on.
    since: (Timestamp, i64),
}

/// The unit of times that are given: those of all usual rates are whole numbers of it.
const TICKS: i32 = 90_000;

/// Create a video, a file or a URL to publish to, of arrays that you write.
///
/// Every array is shown for 1/rate seconds, 1/25 by default. The first one tells the size, where
/// none is given. What is published is to be written at its own speed: nothing else slows it down.
///
/// With `audio`, samples a second and channels as in (48000, "stereo"), it has sound, which
/// `Writer.write_audio` writes; in a format for sound alone, as WAV or FLAC, it has nothing else.
///
/// A server that is lost is connected to again, for ever or for `reconnect_for` seconds, or not at
/// all with `no_reconnect`. What is written meanwhile is missed; the stream goes on with a
/// keyframe. A file's first failure is its end.
///
/// Raises a `frameloom.Error` where it can't be opened, which for a server means at once. RTSP is
/// told what comes before it answers: there, it is raised by a later `write` or at the end.
#[pyfunction]
#[pyo3(
    signature = (
        target, *, size=None, rate=None, pix_fmt="rgb24", audio=None, codec=None, audio_codec=None,
        bit_rate=None, format=None, overwrite=true, options=None, reconnect_for=None, no_reconnect=false, **unknown
    ),
    text_signature = "(target, *, size=None, rate=None, pix_fmt='rgb24', audio=None, codec=None, \
        audio_codec=None, bit_rate=None, format=None, overwrite=True, options=None, reconnect_for=None, \
        no_reconnect=False)"
)]
#[expect(clippy::too_many_arguments, reason = "Python's are named")]
pub(crate) fn create(
    py: Python<'_>,
    target: &Bound<'_, PyAny>,
    size: Option<&Bound<'_, PyAny>>,
    rate: Option<&Bound<'_, PyAny>>,
    pix_fmt: &str,
    audio: Option<&Bound<'_, PyAny>>,
    codec: Option<&str>,
    audio_codec: Option<&str>,
    bit_rate: Option<&Bound<'_, PyAny>>,
    format: Option<&str>,
    overwrite: bool,
    options: Option<&Bound<'_, PyDict>>,
    reconnect_for: Option<&Bound<'_, PyAny>>,
    no_reconnect: bool,
    unknown: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyWriter> {
    if let Some((name, _)) = unknown.into_iter().flatten().next() {
        return Err(self::unknown("create", &name.extract::<String>()?, CREATE_NAMES));
    }
    let url = place(target)?;
    let pixels = format_of(pix_fmt)?;
    let size = size_of(size)?.map(|size| (size.width(), size.height()));
    let rate = match rate_of(rate)?.or_else(|| Rate::new(25, 1)) {
        Some(rate) => rate,
        None => return Err(invalid("rate: it must be above 0")),
    };
    let settings = OutputKeywords {
        format,
        codec,
        audio_codec,
        bit_rate,
        overwrite,
        audio: true,
        options,
        ..OutputKeywords::default()
    };
    let settings = settings.settings()?;
    let sound = audio.map(SoundSpec::of).transpose()?;
    let live = reconnecting(reconnect_for, no_reconnect)?;
    let (stop, events) = (Stop::new(), EventLog::new());
    let mut builder = Feed::builder(&url).output(settings).rate(rate).live(live).stop(&stop);
    if let Some(sound) = &sound {
        builder = builder.audio(sound.rate, &sound.layout).map_err(|e| raised(&e.at("audio")))?;
    }
    let feed = opened(py, builder.on_event(events.listener()).open_pending(), &stop)?;
    let stats = feed.stats();
    let open = Arc::new(OpenFeed { process: Owner::here(), feed: Mutex::new(Some(feed)) });
    remember(&open);
    Ok(PyWriter {
        open,
        at: Mutex::new(At { size, frames: 0, since: (Timestamp::ZERO, 0) }),
        stop,
        stats,
        events,
        format: pixels,
        rate,
        sound: sound.map(OwnSound::new),
        shown: frameloom::internal::redact::url(&url),
    })
}

fn still(
    py: Python<'_>,
    array: &Bound<'_, Pixels>,
    format: PixelFormat,
    size: (u32, u32),
    pts: Timestamp,
) -> PyResult<Frame> {
    let borrowed = array.try_readonly().map_err(|e| invalid(e.to_string()))?;
    let bytes = borrowed.as_slice().map_err(|e| invalid(e.to_string()))?;
    let made = py.detach(|| {
        let image = Image::packed(format, size.0, size.1, bytes)
            .map_err(|e| frameloom::Error::process(e.to_string()))?;
        Frame::from_image(&image, pts)
    });
    made.map_err(|e| raised(&e))
}

impl PyWriter {
    fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        if self.open.process.is_elsewhere() {
            return Err(raised(&elsewhere()));
        }
        if py.detach(|| lock(&self.open.feed).is_none()) {
            return Err(invalid(format!("the output {} is closed", self.shown)));
        }
        Ok(())
    }

    /// When the next picture is shown, where this time was given for it, or none.
    fn pts_of(&self, time: Option<Timestamp>) -> Timestamp {
        let at = lock(&self.at);
        let (since, count) = at.since;
        match (time, TimeBase::new(1, TICKS)) {
            (Some(time), Some(ticks)) => time.rescale(ticks),
            _ if since == Timestamp::ZERO => self.rate.time_base().at(count),
            _ => since.plus(self.rate.time_base().at(count)),
        }
    }
}

#[pymethods]
impl PyWriter {
    /// Write one picture: an array of uint8, as `Frame.array` describes it, or a `Frame`. It waits
    /// while the encoder or the server is behind. `time` (seconds) is when it is shown, up to the
    /// next one; times rise. One without a time follows the last one at the rate.
    #[pyo3(signature = (array, *, time=None))]
    fn write(
        &self,
        py: Python<'_>,
        array: &Bound<'_, PyAny>,
        time: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let time = time.map(|given| time_of("time", given)).transpose()?;
        self.check_open(py)?;
        let of_frame = match array.cast::<PyFrame>() {
            Ok(frame) => Some(frame.getattr("image")?),
            Err(_) => None,
        };
        let array = of_frame.as_ref().unwrap_or(array);
        let known = lock(&self.at).size;
        let (array, size) = match known {
            Some(size) => (accepted(array, self.format, size)?, size),
            None => accepted_any(array, self.format)?,
        };
        let pts = self.pts_of(time);
        let mut waiting = Some(still(py, &array, self.format, size, pts)?);
        until(
            py,
            || {
                let mut feed = lock(&self.open.feed);
                let Some(feed) = &mut *feed else { return Ok(Some(())) };
                let Some(frame) = waiting.take() else { return Ok(Some(())) };
                waiting = feed.write_timeout(frame, SLICE)?;
                Ok(waiting.is_none().then_some(()))
            },
            || {},
        )?;
        let mut at = lock(&self.at);
        at.size = Some(size);
        at.frames += 1;
        at.since = match time {
            Some(_) => (pts, 1),
            None => (at.since.0, at.since.1 + 1),
        };
        Ok(())
    }

    /// Write sound: an array of float32 (-1 to 1) or int16, (n, channels), for a video that was created
    /// with `audio`. Arrays follow each other without a gap; `time` (seconds) has one begin later, with
    /// silence before it. It waits while the encoder or the server is behind. Write it beside the
    /// pictures: the file waits with the one for the other.
    #[pyo3(signature = (array, *, time=None))]
    fn write_audio(
        &self,
        py: Python<'_>,
        array: &Bound<'_, PyAny>,
        time: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let time = time.map(|given| time_of("time", given)).transpose()?;
        self.check_open(py)?;
        let Some(sound) = &self.sound else {
            return Err(invalid(
                "the video was created without sound: create(..., audio=(48000, \"stereo\"))",
            ));
        };
        sound.write(py, array, time, |piece| {
            let mut feed = lock(&self.open.feed);
            feed.as_mut().map_or(Ok(None), |feed| feed.write_audio_timeout(piece, SLICE))
        })
    }

    /// Write what is still held back and close the output.
    ///
    /// Raises a `frameloom.Error` where it can't be written.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.open.process.is_elsewhere() {
            return Ok(());
        }
        let step = || {
            let mut feed = lock(&self.open.feed);
            let Some(open) = &mut *feed else { return Ok(Some(())) };
            let done = open.finish_timeout(SLICE);
            if !matches!(done, Ok(false)) {
                *feed = None;
            }
            done.map(|done| done.then_some(()))
        };
        until(py, step, || self.stop.stop())
    }

    /// The URL or path, without secrets.
    #[getter]
    fn target(&self) -> &str {
        &self.shown
    }

    /// Pictures written so far.
    #[getter]
    fn frames(&self) -> i64 {
        lock(&self.at).frames
    }

    /// Whether the server is there, and what it missed, as it is now.
    #[getter]
    fn stats(&self) -> Option<PyOutputStats> {
        self.stats.snapshot().outputs.first().map(PyOutputStats::from)
    }

    /// What has happened so far: losses and returns of the server. The last thousand are kept.
    #[getter]
    fn events(&self) -> Vec<PyEvent> {
        self.events.list()
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.open.process.is_elsewhere() || py.detach(|| lock(&self.open.feed).is_none())
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
        let size = lock(&self.at).size.map_or_else(String::new, |(w, h)| format!(", {w}x{h}"));
        let state = if self.closed(py) { ", closed" } else { "" };
        let frames = self.frames();
        format!("<frameloom.Writer {}{size}, {frames} frames{state}>", self.shown)
    }
}

impl Drop for PyWriter {
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
