//! What a pipeline did over the last ten minutes, and what it said.

use std::collections::VecDeque;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use frameloom::{AlertKind, Snapshot};
use serde::Serialize;

use super::processes::state::ProcessState;
use super::processes::usage::Used;
use crate::report::{LineLevel, LogReport};
use crate::screen::printable;

/// One a second, for ten minutes.
const POINTS: usize = 600;
/// Lines of a log that are kept, and the longest of them in bytes.
const LINES: usize = 500;
const LINE_BYTES: usize = 1000;

/// One second.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Point {
    /// Since 1970.
    pub(crate) time_ms: u64,
    fps: f64,
    latency_median_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    bits_per_second: u64,
    frames_dropped: u64,
    frames_bypassed: u64,
    cpu_percent: f64,
    memory_bytes: u64,
}

impl Point {
    /// Of a second with these stats, or none.
    pub(crate) fn of(stats: Option<&Snapshot>, used: Used) -> Point {
        let whole = |field: fn(&Snapshot) -> u64| stats.map_or(0, field);
        Point {
            time_ms: now_ms(),
            fps: stats.map_or(0.0, |stats| stats.fps),
            latency_median_ms: stats.and_then(|stats| stats.latency_ms),
            latency_p99_ms: stats.and_then(|stats| stats.latency_p99_ms),
            bits_per_second: whole(|stats| stats.bit_rate),
            frames_dropped: whole(|stats| stats.frames_dropped),
            frames_bypassed: whole(|stats| stats.frames_bypassed),
            cpu_percent: used.cpu_percent,
            memory_bytes: used.memory_bytes,
        }
    }
}

/// The last of a kind, oldest first.
#[derive(Debug)]
pub(crate) struct LastFew<T> {
    all: VecDeque<T>,
    most: usize,
}

impl<T> LastFew<T> {
    fn new(most: usize) -> LastFew<T> {
        LastFew { all: VecDeque::new(), most }
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.all.len() >= self.most {
            self.all.pop_front();
        }
        self.all.push_back(item);
    }

    /// The last `count`, oldest first.
    pub(crate) fn last(&self, count: usize) -> impl Iterator<Item = &T> {
        self.all.iter().skip(self.all.len().saturating_sub(count))
    }
}

/// Ten minutes of stats.
pub(crate) fn points() -> LastFew<Point> {
    LastFew::new(POINTS)
}

/// A line of a log.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HistoryLine {
    /// Since 1970.
    pub(crate) time_ms: u64,
    /// Without secrets and control characters.
    pub(crate) text: String,
    /// How much it matters, where its process says so and not its COMMAND.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<LineLevel>,
    /// What the pipeline came to be, where the line tells of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<ProcessState>,
    /// What began or is over, where the line tells of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_over: Option<bool>,
}

impl HistoryLine {
    /// The pipeline came to this state.
    pub(crate) fn of_state(state: ProcessState, text: &str) -> HistoryLine {
        HistoryLine { state: Some(state), ..HistoryLine::new(text) }
    }

    /// A person must act on this, or need not any more.
    pub(crate) fn of_alert(alert: AlertKind, is_over: bool, text: &str) -> HistoryLine {
        HistoryLine { alert: Some(alert), is_over: Some(is_over), ..HistoryLine::new(text) }
    }

    /// A line of its process's own log.
    pub(crate) fn of_log(report: &LogReport) -> HistoryLine {
        HistoryLine { level: Some(report.level), ..HistoryLine::new(&report.text) }
    }

    /// Whether its process said it, or what it started.
    pub(crate) fn is_said(&self) -> bool {
        self.state.is_none() && self.alert.is_none()
    }

    pub(crate) fn new(text: &str) -> HistoryLine {
        let mut text = printable(&frameloom::internal::redact::text(text)).into_owned();
        if text.len() > LINE_BYTES {
            let end = (0..=LINE_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        HistoryLine {
            time_ms: now_ms(),
            text,
            level: None,
            state: None,
            alert: None,
            is_over: None,
        }
    }
}

/// As a person reads it, without the time.
impl fmt::Display for HistoryLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(level) = self.level {
            write!(f, "{level}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// A pipeline's log.
pub(crate) fn lines() -> LastFew<HistoryLine> {
    LastFew::new(LINES)
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_are_kept() {
        let mut last = LastFew::new(3);
        (0..5).for_each(|n| last.push(n));
        assert_eq!(last.last(9).copied().collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(last.last(2).copied().collect::<Vec<_>>(), [3, 4]);
        assert_eq!(last.last(0).count(), 0);
    }

    #[test]
    fn a_line_shows_its_level() {
        let log = HistoryLine::of_log(&LogReport::new(LineLevel::Warning, "it is slow"));
        assert_eq!(log.to_string(), "warning: it is slow");
        assert_eq!(HistoryLine::new("warning: it is slow").to_string(), "warning: it is slow");
        assert_eq!(serde_json::to_value(&log).unwrap()["level"], "warning");
    }

    #[test]
    fn lines_are_short_and_plain() {
        assert_eq!(
            HistoryLine::new("a\tb\x1b[1m rtmp://h/live/Key-key").text,
            "a\tb\u{fffd}[1m rtmp://h/live/***"
        );
        assert_eq!(HistoryLine::new("a\u{202e}b\u{2066}").text, "a\u{fffd}b\u{fffd}");
        let long = HistoryLine::new(&"é".repeat(2000)).text;
        assert!(long.len() <= LINE_BYTES + 3 && long.ends_with("é…"), "{}", long.len());
    }
}
