//! States of a pipeline that a person must act on. The log, the API, the metrics, the page and the
//! documented alerts are all made of these.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// A kind of state that a person must act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AlertKind {
    /// The input is lost, and is opened again.
    InputLost,
    /// A live output is lost, and is opened again.
    OutputLost,
    /// Your code fails: its frames go out unedited, or not at all.
    CodeFailing,
    /// Your code has a frame and does nothing.
    CodeHanging,
    /// A file beside a live output is not written.
    RecordingStopped,
    /// An output finds no room on its disk.
    DiskFull,
    /// The server has refused something because its memory limit is reached.
    MemoryLimit,
    /// A pipeline's process did not answer, and was killed.
    ProcessHung,
    /// A pipeline's process ended, and is started again or has failed for good.
    ProcessEnded,
}

impl AlertKind {
    /// Every kind.
    pub const ALL: [AlertKind; 9] = [
        AlertKind::InputLost,
        AlertKind::OutputLost,
        AlertKind::CodeFailing,
        AlertKind::CodeHanging,
        AlertKind::RecordingStopped,
        AlertKind::DiskFull,
        AlertKind::MemoryLimit,
        AlertKind::ProcessHung,
        AlertKind::ProcessEnded,
    ];

    /// Its name in the API and the metrics, such as `input_lost`.
    pub fn name(self) -> &'static str {
        match self {
            AlertKind::InputLost => "input_lost",
            AlertKind::OutputLost => "output_lost",
            AlertKind::CodeFailing => "code_failing",
            AlertKind::CodeHanging => "code_hanging",
            AlertKind::RecordingStopped => "recording_stopped",
            AlertKind::DiskFull => "disk_full",
            AlertKind::MemoryLimit => "memory_limit",
            AlertKind::ProcessHung => "process_hung",
            AlertKind::ProcessEnded => "process_ended",
        }
    }
}

/// A state that a person must act on, as it is now.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alert {
    /// What it is.
    pub kind: AlertKind,
    /// For how long it has been so.
    pub for_ms: u64,
    /// The input's number, from 0, where it is about one of several.
    #[serde(default)]
    pub input: Option<usize>,
    /// The output's number, from 0, where it is about one.
    pub output: Option<usize>,
    /// Why, where that is known.
    pub cause: Option<Error>,
}

/// What has failed is well again only after it has worked for so long.
const STEADY: Duration = Duration::from_secs(10);

/// How long code may have a frame and do nothing, once it has answered.
const SILENCE: Duration = Duration::from_secs(5);

/// The same before its first answer: models are loaded in that time.
const WARM_UP: Duration = Duration::from_secs(60);

/// Which alerts there are.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    /// By their numbers, where there are several.
    inputs: BTreeMap<Option<usize>, (Instant, Error)>,
    outputs: BTreeMap<usize, OutputLoss>,
    code: Option<CodeTrouble>,
    /// Since when your code has something to do and has not answered.
    asked: Option<Instant>,
    has_answered: bool,
}

#[derive(Debug)]
struct OutputLoss {
    since: Instant,
    is_file: bool,
    cause: Error,
    back: Option<Instant>,
}

#[derive(Debug)]
struct CodeTrouble {
    since: Instant,
    last: Instant,
    cause: Error,
    hangs: bool,
    /// It has not been started again.
    is_down: bool,
    has_answered: bool,
}

impl Alerts {
    pub(super) fn input_lost(&mut self, now: Instant, input: Option<usize>, cause: &Error) {
        self.inputs.entry(input).or_insert_with(|| (now, cause.clone()));
    }

    pub(super) fn input_back(&mut self, input: Option<usize>) {
        self.inputs.remove(&input);
    }

    pub(super) fn output_lost(
        &mut self,
        now: Instant,
        output: usize,
        is_file: bool,
        cause: &Error,
    ) {
        if self.outputs.get(&output).is_some_and(|loss| loss.is_over(now)) {
            self.output_removed(output);
        }
        let loss = OutputLoss { since: now, is_file, cause: cause.clone(), back: None };
        let known = self.outputs.entry(output).or_insert(loss);
        (known.cause, known.back) = (cause.clone(), None);
    }

    pub(super) fn output_back(&mut self, now: Instant, output: usize) {
        match self.outputs.get_mut(&output) {
            // A file that can be opened may still find no room.
            Some(loss) if loss.is_file => loss.back = Some(now),
            _ => self.output_removed(output),
        }
    }

    pub(super) fn output_removed(&mut self, output: usize) {
        self.outputs.remove(&output);
    }

    pub(super) fn code_asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    /// It has said something.
    pub(super) fn code_heard(&mut self) {
        self.asked = None;
    }

    pub(super) fn code_answered(&mut self) {
        self.has_answered = true;
        if let Some(code) = &mut self.code {
            code.has_answered = true;
        }
    }

    pub(super) fn code_failed(&mut self, now: Instant, cause: &Error, hangs: bool, is_down: bool) {
        self.asked = None;
        let since = self.code.as_ref().filter(|code| !code.is_over(now)).map_or(now, |c| c.since);
        let (cause, has_answered) = (cause.clone(), false);
        self.code = Some(CodeTrouble { since, last: now, cause, hangs, is_down, has_answered });
    }

    /// It is started again.
    pub(super) fn code_up(&mut self) {
        self.has_answered = false;
        if let Some(code) = &mut self.code {
            code.is_down = false;
        }
    }

    /// Those there are at `now`.
    pub(super) fn current(&self, now: Instant) -> Vec<Alert> {
        let mut all = Vec::new();
        let mut add = |kind, since: Instant, (input, output), cause: Option<&Error>| {
            let for_ms = now.saturating_duration_since(since).as_millis();
            let for_ms = u64::try_from(for_ms).unwrap_or(u64::MAX);
            all.push(Alert { kind, for_ms, input, output, cause: cause.cloned() });
        };
        for (input, (since, cause)) in &self.inputs {
            add(AlertKind::InputLost, *since, (*input, None), Some(cause));
        }
        for (number, loss) in self.outputs.iter().filter(|(_, loss)| !loss.is_over(now)) {
            let (output, cause) = ((None, Some(*number)), Some(&loss.cause));
            if loss.cause.kind() == ErrorKind::StorageFull {
                add(AlertKind::DiskFull, loss.since, output, cause);
            }
            let kind =
                if loss.is_file { AlertKind::RecordingStopped } else { AlertKind::OutputLost };
            add(kind, loss.since, output, cause);
        }
        let silence = if self.has_answered { SILENCE } else { WARM_UP };
        let is_silent = |since: &Instant| now.saturating_duration_since(*since) >= silence;
        let silent = self.asked.filter(is_silent);
        match self.code.as_ref().filter(|code| !code.is_over(now)) {
            Some(code) => {
                let hangs = code.hangs || silent.is_some();
                let kind = if hangs { AlertKind::CodeHanging } else { AlertKind::CodeFailing };
                add(kind, code.since, (None, None), Some(&code.cause));
            }
            None => {
                if let Some(since) = silent {
                    add(AlertKind::CodeHanging, since, (None, None), None);
                }
            }
        }
        all
    }
}

impl OutputLoss {
    fn is_over(&self, now: Instant) -> bool {
        self.back.is_some_and(|back| now.saturating_duration_since(back) >= STEADY)
    }
}

impl CodeTrouble {
    fn is_over(&self, now: Instant) -> bool {
        let is_steady = now.saturating_duration_since(self.last) >= STEADY;
        is_steady && self.has_answered && !self.is_down
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Stage;

    #[test]
    fn each_state_begins_lasts_and_is_over() {
        let (mut alerts, start) = (Alerts::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let names = |alerts: &Alerts, now| {
            let name = |a: &Alert| format!("{} {}", a.kind.name(), a.for_ms / 1000);
            alerts.current(now).iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let full = Error::new(ErrorKind::StorageFull, Stage::Sink, "no room");
        let gone = Error::new(ErrorKind::Connection, Stage::Sink, "gone");
        alerts.input_lost(at(0), None, &gone);
        alerts.output_lost(at(1), 0, false, &gone);
        alerts.output_lost(at(2), 1, true, &full);
        let all = "input_lost 3, output_lost 2, disk_full 1, recording_stopped 1";
        assert_eq!(names(&alerts, at(3)), all);
        alerts.input_back(None);
        alerts.output_back(at(4), 0);
        alerts.output_back(at(4), 1);
        // It opens, and finds no room again.
        alerts.output_lost(at(9), 1, true, &full);
        assert_eq!(names(&alerts, at(30)), "disk_full 28, recording_stopped 28");
        alerts.output_back(at(30), 1);
        assert_eq!((names(&alerts, at(39)).len() > 5, names(&alerts, at(40)).as_str()), (true, ""));
    }

    #[test]
    fn code_that_answers_and_fails_again_is_failing_all_the_time() {
        let (mut alerts, start) = (Alerts::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let name = |alerts: &Alerts, now| alerts.current(now).first().map(|a| (a.kind, a.for_ms));
        let broke = Error::process("it broke");
        for n in 0..5 {
            alerts.code_up();
            alerts.code_answered();
            alerts.code_failed(at(n * 8), &broke, false, true);
            assert_eq!(name(&alerts, at(n * 8)), Some((AlertKind::CodeFailing, n * 8000)));
        }
        alerts.code_up();
        assert_eq!(name(&alerts, at(60)), Some((AlertKind::CodeFailing, 60_000)), "no answer yet");
        alerts.code_answered();
        assert_eq!(name(&alerts, at(60)), None);
        alerts.code_asked(at(60));
        assert_eq!(name(&alerts, at(64)), None);
        assert_eq!(name(&alerts, at(65)), Some((AlertKind::CodeHanging, 5000)));
        alerts.code_heard();
        assert_eq!(name(&alerts, at(65)), None);
        alerts.code_failed(at(70), &broke, true, true);
        assert_eq!(name(&alerts, at(71)), Some((AlertKind::CodeHanging, 1000)));
        // A model that loads is no code that hangs.
        let mut fresh = Alerts::default();
        fresh.code_asked(at(0));
        assert_eq!((name(&fresh, at(59)), name(&fresh, at(60)).is_some()), (None, true));
    }
}
