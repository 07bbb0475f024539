//! Counters and events as Python sees them.

use frameloom::{AudioPacket, EndState, Event, OutputSnapshot, Snapshot, Timestamp};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::wording::Keywords;

/// The counters of a video at one moment. Times are in milliseconds.
#[pyclass(frozen, get_all, name = "Stats", module = "frameloom")]
pub(crate) struct PyStats {
    /// Since the video was opened.
    elapsed_ms: u64,
    /// How far the furthest output has got.
    time_ms: i64,
    /// How far it will get, where that is known.
    duration_ms: Option<i64>,
    /// Frames decoded.
    frames_in: u64,
    /// Frames written, counted for each output.
    frames_out: u64,
    /// Frames whose pixels were replaced.
    frames_edited: u64,
    /// Frames dropped before your code saw them, because it was too slow.
    frames_dropped: u64,
    /// Frames left out so that your code gets what is live: they came at once, or before it was there.
    frames_skipped: u64,
    /// Pictures shown again while the input was lost.
    frames_held: u64,
    /// Frames that went out as the packets in which they came: your code left them as they were.
    frames_copied: u64,
    /// Frames that came when held pictures had taken their place.
    frames_late: u64,
    /// Packets of sound that you ask for and did not take in time.
    audio_dropped: u64,
    /// What is added to a time of the input to get that in the outputs, where it is known.
    input_offset_ms: Option<i64>,
    /// Frames that went out unedited.
    frames_bypassed: u64,
    /// Frames that were read and given to no output.
    frames_unwritten: u64,
    /// Failures of your code that did not end the run.
    errors: u64,
    /// Packets read.
    packets_in: u64,
    /// Packets that were damaged.
    packets_corrupt: u64,
    /// Packets written.
    packets_out: u64,
    /// Bytes of packets written.
    bytes_out: u64,
    /// Frames written a second, over the last seconds.
    fps: f64,
    /// Stream time for each second of real time.
    speed: f64,
    /// Bits written a second, over the last seconds.
    bit_rate: u64,
    /// From a packet's arrival to its frame's departure: median of the last 10 s.
    latency_ms: Option<f64>,
    /// The same, 99th percentile.
    latency_p99_ms: Option<f64>,
    /// Times an end was opened again.
    reconnects: u64,
    /// Packets that outputs missed.
    packets_dropped: u64,
    /// "ok" or "lost".
    input: &'static str,
    /// Each output.
    outputs: Vec<PyOutputStats>,
}

/// The counters of one output.
#[pyclass(frozen, get_all, name = "OutputStats", module = "frameloom")]
#[derive(Clone)]
pub(crate) struct PyOutputStats {
    /// "ok" or "lost".
    state: &'static str,
    /// Times it was opened again.
    reconnects: u64,
    /// Packets that it missed.
    packets_dropped: u64,
}

fn state(state: EndState) -> &'static str {
    match state {
        EndState::Ok => "ok",
        EndState::Lost => "lost",
        _ => "removed",
    }
}

impl From<&OutputSnapshot> for PyOutputStats {
    fn from(output: &OutputSnapshot) -> PyOutputStats {
        PyOutputStats {
            state: state(output.state),
            reconnects: output.reconnects,
            packets_dropped: output.packets_dropped,
        }
    }
}

impl From<Snapshot> for PyStats {
    fn from(s: Snapshot) -> PyStats {
        PyStats {
            outputs: s.outputs.iter().map(PyOutputStats::from).collect(),
            elapsed_ms: s.elapsed_ms,
            time_ms: s.time_ms,
            duration_ms: s.duration_ms,
            frames_in: s.frames_in,
            frames_out: s.frames_out,
            frames_edited: s.frames_edited,
            frames_dropped: s.frames_dropped,
            frames_skipped: s.frames_skipped,
            frames_held: s.frames_held,
            frames_copied: s.frames_copied,
            frames_late: s.frames_late,
            audio_dropped: s.audio_dropped,
            input_offset_ms: s.input_offset_ms,
            frames_bypassed: s.frames_bypassed,
            frames_unwritten: s.frames_unwritten,
            errors: s.errors,
            packets_in: s.packets_in,
            packets_corrupt: s.packets_corrupt,
            packets_out: s.packets_out,
            bytes_out: s.bytes_out,
            fps: s.fps,
            speed: s.speed,
            bit_rate: s.bit_rate,
            latency_ms: s.latency_ms,
            latency_p99_ms: s.latency_p99_ms,
            reconnects: s.reconnects,
            packets_dropped: s.packets_dropped,
            input: state(s.input),
        }
    }
}

#[pymethods]
impl PyStats {
    fn __repr__(&self) -> String {
        format!(
            "<frameloom.Stats {} frames in, {} out, {} dropped, {} reconnects, input {}>",
            self.frames_in, self.frames_out, self.frames_dropped, self.reconnects, self.input
        )
    }
}

#[pymethods]
impl PyOutputStats {
    fn __repr__(&self) -> String {
        format!(
            "<frameloom.OutputStats {}, {} reconnects, {} packets dropped>",
            self.state, self.reconnects, self.packets_dropped
        )
    }
}

/// One packet of the input's audio, as it came.
#[pyclass(frozen, name = "AudioPacket", module = "frameloom")]
pub(crate) struct PyAudioPacket {
    data: Vec<u8>,
    time: Option<f64>,
    duration: f64,
}

impl PyAudioPacket {
    pub(crate) fn new(packet: &AudioPacket) -> PyAudioPacket {
        PyAudioPacket {
            data: packet.data().to_vec(),
            time: packet.pts().map(Timestamp::as_secs_f64),
            duration: packet.duration().as_secs_f64(),
        }
    }
}

#[pymethods]
impl PyAudioPacket {
    /// The bytes, as the codec made them.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.data)
    }

    /// When it is to be heard, in seconds, on the clock of the frames; `None` where it doesn't say.
    #[getter]
    fn time(&self) -> Option<f64> {
        self.time
    }

    /// How long it is to be heard, in seconds; 0 where it doesn't say.
    #[getter]
    fn duration(&self) -> f64 {
        self.duration
    }

    fn __repr__(&self) -> String {
        let at = self.time.map_or_else(String::new, |at| format!(" at {at:.3} s"));
        format!("<frameloom.AudioPacket{at}, {} bytes>", self.data.len())
    }
}

/// Something that happened to a running video.
#[pyclass(frozen, get_all, name = "Event", module = "frameloom")]
#[derive(Clone)]
pub(crate) struct PyEvent {
    /// What: "input_lost", "input_back", "output_lost", "output_back", "packets_dropped",
    /// "frames_dropped", "frames_skipped", "frames_bypassed", "code_failed", "clock_jumped", "input_changed".
    name: &'static str,
    /// When: seconds since the video was opened.
    time: f64,
    /// In words.
    message: String,
}

impl PyEvent {
    pub(crate) fn new(time: f64, event: &Event) -> PyEvent {
        let name = match event {
            Event::InputLost { .. } => "input_lost",
            Event::InputBack { .. } => "input_back",
            Event::OutputLost { .. } => "output_lost",
            Event::OutputBack { .. } => "output_back",
            Event::PacketsDropped { .. } => "packets_dropped",
            Event::FramesDropped { .. } => "frames_dropped",
            Event::FramesSkipped { .. } => "frames_skipped",
            Event::FramesBypassed { .. } => "frames_bypassed",
            Event::CodeFailed { .. } => "code_failed",
            Event::CommandRestarted { .. } => "command_restarted",
            Event::ClockJumped { .. } => "clock_jumped",
            Event::InputChanged { .. } => "input_changed",
            _ => "other",
        };
        PyEvent { name, time, message: event.display(&Keywords).to_string() }
    }
}

#[pymethods]
impl PyEvent {
    fn __repr__(&self) -> String {
        format!("<frameloom.Event {} at {:.3} s: {}>", self.name, self.time, self.message)
    }
}
