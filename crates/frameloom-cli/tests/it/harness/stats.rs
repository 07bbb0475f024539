//! What a run tells of itself by `--stats=json`. The names of the fields stand here alone.

use serde_json::Value;

use super::run::{Running, wait_until};

/// One object of the statistics.
#[derive(Clone, Debug)]
pub(crate) struct Seen(Value);

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    FramesIn,
    FramesOut,
    FramesEdited,
    FramesDropped,
    FramesSkipped,
    FramesBypassed,
    FramesHeld,
    FramesCopied,
    FramesLate,
    PacketsCorrupt,
    PacketsDropped,
    Reconnects,
    Restarts,
    Errors,
}

impl Count {
    fn field(self) -> &'static str {
        match self {
            Count::FramesIn => "frames_in",
            Count::FramesOut => "frames_out",
            Count::FramesEdited => "frames_edited",
            Count::FramesDropped => "frames_dropped",
            Count::FramesSkipped => "frames_skipped",
            Count::FramesBypassed => "frames_bypassed",
            Count::FramesHeld => "frames_held",
            Count::FramesCopied => "frames_copied",
            Count::FramesLate => "frames_late",
            Count::PacketsCorrupt => "packets_corrupt",
            Count::PacketsDropped => "packets_dropped",
            Count::Reconnects => "reconnects",
            Count::Restarts => "restarts",
            Count::Errors => "errors",
        }
    }
}

impl Seen {
    /// Every whole object in what a run said.
    pub(crate) fn all(said: &str) -> Vec<Seen> {
        // The last line may be half written.
        let whole = &said[..said.rfind('\n').map_or(0, |end| end + 1)];
        let lines = whole.lines().filter(|line| line.starts_with('{'));
        lines
            .map(|line| Seen(serde_json::from_str(line).expect("a line that is no JSON")))
            .collect()
    }

    #[track_caller]
    pub(crate) fn count(&self, what: Count) -> u64 {
        let field = &self.0[what.field()];
        field.as_u64().unwrap_or_else(|| panic!("no {} in {}", what.field(), self.0))
    }

    /// Frames of the input that went nowhere: dropped or skipped.
    pub(crate) fn left_out(&self) -> u64 {
        self.count(Count::FramesDropped) + self.count(Count::FramesSkipped)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.0["live"] == true
    }

    pub(crate) fn input_is_lost(&self) -> bool {
        self.0["input"] == "lost"
    }

    /// Which of the inputs are lost.
    pub(crate) fn inputs_lost(&self) -> Vec<bool> {
        let inputs = self.0["inputs"].as_array().expect("no inputs");
        inputs.iter().map(|input| input["state"] == "lost").collect()
    }

    /// What is counted of one input; the number is from 0.
    #[track_caller]
    pub(crate) fn of_input(&self, number: usize, what: &str) -> u64 {
        let field = &self.0["inputs"][number][what];
        field.as_u64().unwrap_or_else(|| panic!("no {what} of input {number} in {}", self.0))
    }

    /// Whether the output of this number, from 0, is lost.
    pub(crate) fn output_is_lost(&self, number: usize) -> bool {
        self.0["outputs"][number]["state"] == "lost"
    }

    pub(crate) fn output_packets_dropped(&self, number: usize) -> u64 {
        self.0["outputs"][number]["packets_dropped"].as_u64().unwrap_or(0)
    }

    /// The median of the last seconds.
    pub(crate) fn latency_ms(&self) -> Option<f64> {
        self.0["latency_ms"].as_f64()
    }

    /// The last object of a run that came to a good end.
    pub(crate) fn is_last(&self) -> bool {
        self.0["done"] == true
    }
}

/// The statistics of a run, as they come.
pub(crate) struct Stats<'a>(pub(crate) &'a Running);

impl Stats<'_> {
    pub(crate) fn last(&self) -> Option<Seen> {
        Seen::all(&self.0.stderr()).pop()
    }

    /// 0 before the first statistics.
    pub(crate) fn frames_out(&self) -> u64 {
        self.last().map_or(0, |seen| seen.count(Count::FramesOut))
    }

    /// Waits for so many more frames; returns how many there were before.
    #[track_caller]
    pub(crate) fn wait_for_frames(&self, more: u64) -> u64 {
        let from = self.frames_out();
        wait_until("it goes on", || self.frames_out() > from + more);
        from
    }

    /// Waits until of the inputs these are lost and no others.
    #[track_caller]
    pub(crate) fn wait_for_lost(&self, lost: &[bool]) {
        let is_known = || self.last().is_some_and(|seen| seen.inputs_lost() == lost);
        wait_until("what is lost is known", is_known);
    }
}
