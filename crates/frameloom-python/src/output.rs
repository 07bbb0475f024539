//! An output of a video in Python.

use std::sync::Arc;

use frameloom::options::OutputOptions;
use frameloom::{Outgoing, OutputId, Pending};
use pyo3::prelude::*;

use crate::array::accepted;
use crate::error::{invalid, left, raised};
use crate::frame::{PyFrame, made_of};
use crate::lock::lock;
use crate::process::elsewhere;
use crate::samples::OwnSound;
use crate::settings::time_of;
use crate::shared::{OpenOutput, RequestedOutput, VideoShared, VideoState, finish};
use crate::state::PyOutputStats;
use crate::wait::{SLICE, opened, until};

/// Where frames of a video go: a file, or a stream that is published. Made by `Video.output`.
#[pyclass(frozen, name = "Output", module = "frameloom")]
pub(crate) struct PyOutput {
    pub(crate) shared: Arc<VideoShared>,
    /// Among the outputs that were asked for.
    pub(crate) place: usize,
    /// Without secrets.
    pub(crate) shown: String,
    /// Of one's own, where it is not the input's.
    pub(crate) sound: Option<OwnSound>,
}

impl PyOutput {
    fn is_closed(&self, py: Python<'_>) -> bool {
        self.shared.process.is_elsewhere()
            || py.detach(|| {
                self.shared.outputs().get(self.place).is_none_or(|output| output.open.is_none())
            })
    }
}

/// An output on its way to a video.
enum Coming {
    /// To one of which nothing was read yet.
    Described(Pending<Outgoing>),
    /// To one whose frames nobody reads: it is opened when that runs.
    Unopened,
    /// To one that runs.
    Added(Pending<OutputId>),
}

/// Begins to open an output; `None` while another thread starts the video.
fn begin(
    shared: &VideoShared,
    url: &str,
    options: &OutputOptions,
) -> frameloom::Result<Option<Coming>> {
    let mut state = shared.state();
    let mut all: Vec<_> = {
        let outputs = shared.outputs();
        let there = outputs.iter().filter_map(|output| output.open.as_ref());
        there.map(|output| (output.url.clone(), output.options.clone())).collect()
    };
    all.push((url.to_owned(), options.clone()));
    let opening = &shared.opening;
    let inputs = std::iter::once(&opening.source).chain(&opening.following);
    let inputs: Vec<&str> = inputs.map(String::as_str).collect();
    let passes = shared.passes_frames();
    frameloom::internal::check_outputs(&inputs, &all, !passes)?;
    match &mut *state {
        VideoState::Open(_) if passes => Ok(Some(Coming::Unopened)),
        VideoState::Open(pipeline) => pipeline
            .outgoing_pending(url, options.clone())
            .map(|coming| Some(Coming::Described(coming))),
        VideoState::Running(frames) => {
            let coming = frames.control()?.add_output_pending(url, options.clone())?;
            Ok(Some(Coming::Added(coming)))
        }
        VideoState::Closed => Err(shared.closed()),
        VideoState::Starting => {
            drop(state);
            std::thread::sleep(SLICE);
            Ok(None)
        }
    }
}

/// Adds an output to a video, before its first frame is read or later.
pub(crate) fn added(
    py: Python<'_>,
    shared: &Arc<VideoShared>,
    url: &str,
    options: &OutputOptions,
    sound: Option<OwnSound>,
) -> PyResult<PyOutput> {
    let mut sound = sound;
    loop {
        let coming = until(py, || begin(shared, url, options), || {})?;
        let (outgoing, number) = match coming {
            Coming::Described(pending) => (Some(opened(py, Ok(pending), &shared.stop)?), None),
            Coming::Unopened => (None, None),
            Coming::Added(pending) => (None, Some(opened(py, Ok(pending), &shared.stop)?)),
        };
        let place = py.detach(|| {
            let state = shared.state();
            if outgoing.is_some() && !matches!(&*state, VideoState::Open(_)) {
                // Another thread has begun to read meanwhile.
                return None;
            }
            let (url, options) = (url.to_owned(), options.clone());
            let open = Some(Box::new(OpenOutput { url, options, outgoing }));
            let mut outputs = shared.outputs();
            outputs.push(RequestedOutput { number, open });
            Some(outputs.len() - 1)
        });
        if let Some(place) = place {
            let shown = frameloom::internal::redact::url(url);
            return Ok(PyOutput { shared: Arc::clone(shared), place, shown, sound: sound.take() });
        }
    }
}

/// What closing an output takes.
enum Closing {
    /// Nothing more.
    Nothing,
    /// To wait for its end.
    One(Pending<()>),
    /// To finish the video, of which nothing more comes.
    All,
}

impl PyOutput {
    /// Begins to close it; `None` while what was written to it is on its way.
    fn begin_to_close(&self) -> frameloom::Result<Option<Closing>> {
        let mut state = self.shared.state();
        let mut outputs = self.shared.outputs();
        let is_last = outputs.iter().filter(|output| output.open.is_some()).count() == 1;
        let Some(output) = outputs.get_mut(self.place).filter(|output| output.open.is_some())
        else {
            return Ok(Some(Closing::Nothing));
        };
        let closing = match (&mut *state, output.number) {
            (VideoState::Starting, _) => {
                drop((state, outputs));
                std::thread::sleep(SLICE);
                return Ok(None);
            }
            (VideoState::Running(frames), Some(_)) if is_last && frames.is_over() => Closing::All,
            (VideoState::Running(frames), Some(number)) => {
                match frames.remove_output_timeout(number, SLICE)? {
                    Some(end) => Closing::One(end),
                    None => return Ok(None),
                }
            }
            _ => Closing::Nothing,
        };
        output.open = None;
        Ok(Some(closing))
    }

    /// Its number in the pipeline, once that runs.
    fn number(&self) -> Option<OutputId> {
        self.shared.outputs().get(self.place).and_then(|output| output.number)
    }
}

#[pymethods]
impl PyOutput {
    /// Write a frame of this output's video, or an array, which takes the place of the last frame's
    /// picture. It waits while the output is behind. `time` (seconds) has it shown at another time
    /// than the frame's: frames are written in the order of showing, each at a time of its own.
    #[pyo3(signature = (frame, *, time=None))]
    fn write(
        &self,
        py: Python<'_>,
        frame: &Bound<'_, PyAny>,
        time: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let time = time.map(|given| time_of("time", given)).transpose()?;
        if self.shared.process.is_elsewhere() {
            return Err(raised(&elsewhere()));
        }
        if self.is_closed(py) {
            return Err(invalid(format!("the output {} is closed", self.shown)));
        }
        let mut made = if let Ok(frame) = frame.cast::<PyFrame>() {
            let frame = frame.get();
            if !Arc::ptr_eq(&frame.source, &self.shared.frames) {
                return Err(invalid(format!(
                    "the frame is of another video ({}) than the output ({}): write its array, \
                     or open an output of its own video",
                    frame.source.shown, self.shared.frames.shown
                )));
            }
            frame.finished(py)?
        } else {
            let last = lock(&self.shared.last).clone();
            let Some(last) = last else {
                return Err(invalid("an array can't be written before a frame was read"));
            };
            let size = py.detach(|| {
                let frame = lock(&last);
                (frame.width(), frame.height())
            });
            let format = self.shared.opening.format;
            let array = accepted(frame, format, size)?;
            made_of(py, &last, &array, format)?
        };
        if let Some(time) = time {
            made.show_at(time);
        }
        let mut waiting = Some(made);
        until(
            py,
            || {
                let mut state = self.shared.state();
                let (VideoState::Running(frames), Some(number)) = (&mut *state, self.number())
                else {
                    return Err(frameloom::Error::new(
                        frameloom::ErrorKind::Usage,
                        frameloom::Stage::Sink,
                        "the video is closed, or no frame of it was read yet",
                    ));
                };
                let Some(frame) = waiting.take() else { return Ok(Some(())) };
                waiting = frames.write_timeout(Some(number.number()), frame, SLICE)?;
                Ok(waiting.is_none().then_some(()))
            },
            || {},
        )
    }

    /// Write sound of your own, for an output with `audio=(48000, "stereo")`: an array of float32 (-1 to 1)
    /// or int16, (n, channels). Arrays follow each other without a gap, from 0 on; `time` (seconds, on the
    /// frames' clock) has one begin later, with silence before it. It waits while the output is
    /// behind. Write it beside the frames.
    #[pyo3(signature = (array, *, time=None))]
    fn write_audio(
        &self,
        py: Python<'_>,
        array: &Bound<'_, PyAny>,
        time: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let time = time.map(|given| time_of("time", given)).transpose()?;
        if self.shared.process.is_elsewhere() {
            return Err(raised(&elsewhere()));
        }
        if self.is_closed(py) {
            return Err(invalid(format!("the output {} is closed", self.shown)));
        }
        let Some(sound) = &self.sound else {
            return Err(invalid(
                "the output has the input's sound: output(..., audio=(48000, \"stereo\"))",
            ));
        };
        let number = py.detach(|| self.number());
        sound.write(py, array, time, |piece| match &mut *self.shared.state() {
            VideoState::Running(frames) if number.is_some() => {
                let number = number.map_or(0, OutputId::number);
                frames.write_audio_timeout(number, piece, SLICE)
            }
            _ => Err(frameloom::Error::new(
                frameloom::ErrorKind::Usage,
                frameloom::Stage::Sink,
                "the video is closed, or no frame of it was read yet",
            )),
        })
    }

    /// Finish it, with all that was written to it, while the stream goes on. At the end of the input, the
    /// last output ends the video too.
    ///
    /// Raises what went wrong with it and wasn't told before.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.shared.process.is_elsewhere() {
            return Ok(());
        }
        match until(py, || self.begin_to_close(), || {})? {
            Closing::Nothing => Ok(()),
            Closing::One(end) => until(py, || end.wait(SLICE).transpose(), || {}),
            Closing::All => finish(py, &self.shared),
        }
    }

    /// Whether the server is there, and what it missed, as it is now; `None` before the first frame
    /// is read.
    #[getter]
    fn stats(&self, py: Python<'_>) -> Option<PyOutputStats> {
        let number = py.detach(|| self.number())?.number();
        let snapshot = self.shared.stats().snapshot();
        snapshot.outputs.get(number).map(PyOutputStats::from)
    }

    /// The URL or path, without secrets.
    #[getter]
    fn target(&self) -> &str {
        &self.shown
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.is_closed(py)
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
        let state = if self.is_closed(py) { "closed" } else { "open" };
        format!("<frameloom.Output {} {state}>", self.shown)
    }
}
