//! An output of a video in Python.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::array::accepted;
use crate::error::{invalid, left, raised};
use crate::frame::{PyFrame, made_of};
use crate::lock::lock;
use crate::process::elsewhere;
use crate::samples::OwnSound;
use crate::settings::time_of;
use crate::shared::{VideoShared, VideoState, finish};
use crate::state::PyOutputStats;
use crate::wait::{SLICE, until};

/// Where frames of a video go: a file, or a stream that is published. Made by `Video.output`.
#[pyclass(frozen, name = "Output", module = "frameloom")]
pub(crate) struct PyOutput {
    pub(crate) shared: Arc<VideoShared>,
    pub(crate) number: usize,
    /// Without secrets.
    pub(crate) shown: String,
    /// Of one's own, where it is not the input's.
    pub(crate) sound: Option<OwnSound>,
}

impl PyOutput {
    fn is_closed(&self, py: Python<'_>) -> bool {
        self.shared.process.is_elsewhere()
            || py.detach(|| {
                self.shared.outputs().get(self.number).is_none_or(|output| output.closed)
            })
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
                let VideoState::Running(frames) = &mut *state else {
                    return Err(frameloom::Error::new(
                        frameloom::ErrorKind::Usage,
                        frameloom::Stage::Sink,
                        "the video is closed, or no frame of it was read yet",
                    ));
                };
                let Some(frame) = waiting.take() else { return Ok(Some(())) };
                waiting = frames.write_timeout(Some(self.number), frame, SLICE)?;
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
        sound.write(py, array, time, |piece| match &mut *self.shared.state() {
            VideoState::Running(frames) => frames.write_audio_timeout(self.number, piece, SLICE),
            _ => Err(frameloom::Error::new(
                frameloom::ErrorKind::Usage,
                frameloom::Stage::Sink,
                "the video is closed, or no frame of it was read yet",
            )),
        })
    }

    /// Finish it. With the last output of a video, the video ends too.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.shared.process.is_elsewhere() {
            return Ok(());
        }
        let is_last = py.detach(|| {
            let mut outputs = self.shared.outputs();
            let was_open = outputs
                .get_mut(self.number)
                .is_some_and(|output| !std::mem::replace(&mut output.closed, true));
            was_open && outputs.iter().all(|output| output.closed)
        });
        if is_last { finish(py, &self.shared) } else { Ok(()) }
    }

    /// Whether the server is there, and what it missed, as it is now; `None` before the first frame
    /// is read.
    #[getter]
    fn stats(&self) -> Option<PyOutputStats> {
        let snapshot = self.shared.stats().snapshot();
        snapshot.outputs.get(self.number).map(PyOutputStats::from)
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
