//! What the counters say at one moment, as data.

use serde::{Deserialize, Serialize};

use super::alert::Alert;

/// The state of a pipeline at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Since the pipeline was made.
    pub elapsed_ms: u64,
    /// How far the furthest output has got, on the outputs' clock.
    pub time_ms: i64,
    /// How far it will get, where that is known.
    pub duration_ms: Option<i64>,
    /// Video frames decoded, or video packets read where they are only copied.
    pub frames_in: u64,
    /// Video frames written to the outputs, counted for each output.
    pub frames_out: u64,
    /// Frames that your code changed.
    pub frames_edited: u64,
    /// Decoded frames dropped by the gate before your code (`edit/gate.rs`): the code was too slow for
    /// them, or they may not go out unedited while it is away, or their answer came after later frames
    /// had left.
    pub frames_dropped: u64,
    /// Decoded frames left out so that your code gets what is live: a server sent them at once, or they
    /// came before your code was there. They are no sign of slow code.
    #[serde(default)]
    pub frames_skipped: u64,
    /// Pictures shown again, or a slate, while the input was lost.
    pub frames_held: u64,
    /// Frames that went out as the packets in which they came, counted for each encoding: your code had left
    /// them as they were.
    #[serde(default)]
    pub frames_copied: u64,
    /// Frames that came when their place was taken already by held pictures: at the seam behind a
    /// loss, counted for each encoding.
    pub frames_late: u64,
    /// Packets of sound that whoever pulls the sound did not take in time.
    #[serde(default)]
    pub audio_dropped: u64,
    /// Frames that went out unedited: your code was too slow for them, or a COMMAND wasn't there.
    pub frames_bypassed: u64,
    /// Frames that whoever pulled them read and gave to no output.
    pub frames_unwritten: u64,
    /// Failures of your code that did not end the run.
    pub errors: u64,
    /// Times a COMMAND was started again after a failure.
    pub restarts: u64,
    /// Packets read from the input.
    pub packets_in: u64,
    /// Bytes of packets read from the input.
    pub bytes_in: u64,
    /// Packets that were damaged or could not be decoded.
    pub packets_corrupt: u64,
    /// Packets written to the outputs.
    pub packets_out: u64,
    /// Bytes of packets written to the outputs.
    pub bytes_out: u64,
    /// Video frames written a second, over the last seconds.
    pub fps: f64,
    /// Stream time written for each second of real time, since the start.
    pub speed: f64,
    /// Bits a second written, over the last seconds.
    pub bit_rate: u64,
    /// From a packet's arrival to its frame's departure: median of the last 10 s, of the live
    /// outputs, or of all where none is live. `None` where nothing went out in that time.
    pub latency_ms: Option<f64>,
    /// The same, 99th percentile.
    pub latency_p99_ms: Option<f64>,
    /// The latencies of all frames since the start.
    pub latency: LatencySnapshot,
    /// Times an end was opened again.
    pub reconnects: u64,
    /// Packets that outputs missed: while they were lost, or because they took them too slowly.
    pub packets_dropped: u64,
    /// What is added to a timestamp of the input, as the source had it, to get the timestamp that
    /// the same picture or sound has in the outputs, in milliseconds: for what is written now. It
    /// changes where the source's clock jumps or the source is another one. `None` where nothing
    /// is written yet, or by a muxer that may move times itself: it is known of outputs that are
    /// published by Frameloom's own RTMP, and that of the first of them is told. What a filter
    /// does to times is not in it.
    pub input_offset_ms: Option<i64>,
    /// Whether the input is live, of several any: it is opened again when it is lost, and has no end by itself.
    pub live: bool,
    /// Whether the input is there; of several, whether all are.
    pub input: EndState,
    /// The inputs, in their order.
    #[serde(default)]
    pub inputs: Vec<InputSnapshot>,
    /// The outputs, in their order.
    pub outputs: Vec<OutputSnapshot>,
    /// States that a person must act on.
    #[serde(default)]
    pub alerts: Vec<Alert>,
}

/// How many frames took how long, from their packet's arrival to their departure.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LatencySnapshot {
    /// The upper ends of the classes, in milliseconds.
    pub le_ms: Vec<u64>,
    /// The frames of each class alone; the last class, one more than ends, is what took longer.
    pub counts: Vec<u64>,
    /// All latencies together, in milliseconds.
    pub sum_ms: f64,
}

/// Whether an end of the pipeline is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EndState {
    /// It is.
    Ok,
    /// It is being opened again.
    Lost,
    /// It was removed while the pipeline ran.
    Removed,
}

/// The state of one input at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputSnapshot {
    /// Its URL or name, as it may be shown.
    pub url: String,
    /// Whether it is live.
    pub live: bool,
    /// Whether it is there.
    pub state: EndState,
    /// For how long it has been lost, while it is.
    pub lost_for_ms: Option<u64>,
    /// Times it was opened again.
    pub reconnects: u64,
    /// Video frames decoded, or video packets read where they are only copied.
    pub frames_in: u64,
    /// Packets read from it.
    pub packets_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
}

/// The state of one output at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputSnapshot {
    /// Whether it is there.
    pub state: EndState,
    /// Times it was opened again.
    pub reconnects: u64,
    /// Packets that it missed.
    pub packets_dropped: u64,
    /// From a packet's arrival to its frame's departure: median of the last 10 s.
    #[serde(default)]
    pub latency_ms: Option<f64>,
    /// The same, 99th percentile.
    #[serde(default)]
    pub latency_p99_ms: Option<f64>,
}
