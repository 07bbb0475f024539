//! What a model's program reports once a second, and what it adds up to.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Reports that are older say nothing about now: a batch may take its time.
const MAX_AGE: Duration = Duration::from_secs(10);

/// A line of `frameloom.detect --serve`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelReport {
    /// Connections to it.
    clients: u64,
    /// Requests that wait.
    queue: u64,
    /// Since the last report.
    batches: u64,
    frames: u64,
    /// Mean time of a batch since the last report; none where there was no batch.
    batch_ms: Option<f64>,
}

impl ModelReport {
    /// Reads a line. `None` where it is no report.
    pub(super) fn read(line: &str) -> Option<ModelReport> {
        line.starts_with('{').then(|| serde_json::from_str(line).ok())?
    }
}

/// What a model does, as the API shows it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct ModelStats {
    pub(crate) clients: u64,
    pub(crate) queue: u64,
    /// Frames a second.
    fps: f64,
    /// Mean time of the last batches.
    pub(crate) batch_ms: Option<f64>,
    /// Since the server's start, whatever process ran them.
    pub(crate) batches: u64,
    pub(crate) frames: u64,
}

/// The sum of all reports.
#[derive(Debug, Default)]
pub(super) struct ModelCounts {
    last: Option<(Instant, ModelStats)>,
    /// How many reports the process has made that runs now.
    pub(super) reports: u64,
    batches: u64,
    frames: u64,
    batch_ms: Option<f64>,
}

impl ModelCounts {
    /// Another process begins.
    pub(super) fn begin(&mut self) {
        (self.last, self.reports, self.batch_ms) = (None, 0, None);
    }

    /// Adds a report that came at `now`.
    pub(super) fn add(&mut self, report: ModelReport, now: Instant) {
        self.reports += 1;
        self.batches = self.batches.saturating_add(report.batches);
        self.frames = self.frames.saturating_add(report.frames);
        self.batch_ms = report.batch_ms.or(self.batch_ms);
        let since = self.last.map(|(at, _)| now.saturating_duration_since(at).as_secs_f64());
        let fps = report.frames as f64 / since.unwrap_or(1.0).max(0.1);
        let stats = ModelStats {
            clients: report.clients,
            queue: report.queue,
            fps: (fps * 10.0).round() / 10.0,
            batch_ms: self.batch_ms,
            batches: self.batches,
            frames: self.frames,
        };
        self.last = Some((now, stats));
    }

    /// What is known of `now`.
    pub(super) fn now(&self, now: Instant) -> Option<ModelStats> {
        let fresh = |(at, _): &(Instant, ModelStats)| now.saturating_duration_since(*at) <= MAX_AGE;
        self.last.filter(fresh).map(|(_, stats)| stats)
    }

    /// Batches and frames since the server's start.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.batches, self.frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(batches: u64, frames: u64, batch_ms: Option<f64>) -> ModelReport {
        ModelReport { clients: 2, queue: 1, batches, frames, batch_ms }
    }

    #[test]
    fn only_whole_reports_are_taken_for_one() {
        let line = r#"{"clients": 2, "queue": 1, "batches": 3, "frames": 4, "batch_ms": 12.5}"#;
        assert_eq!(ModelReport::read(line), Some(report(3, 4, Some(12.5))));
        let none = r#"{"clients": 2, "queue": 1, "batches": 0, "frames": 0, "batch_ms": null}"#;
        assert_eq!(ModelReport::read(none), Some(report(0, 0, None)));
        for line in [
            "",
            "{}",
            "frameloom.detect: m.onnx",
            r#"[2, 1, 3, 4, 12.5]"#,
            r#"{"clients": -2, "queue": 1, "batches": 3, "frames": 4, "batch_ms": 12.5}"#,
            r#"{"clients": 2, "queue": 1, "batches": 3, "frames": 4, "batch_ms": "12.5"}"#,
            r#"{"clients": 2, "queue": 1, "batches": 3, "frames": 4, "batch_ms": 1, "x": 1}"#,
            r#"{"clients": 2, "queue": 1, "batches": 3, "frames": 4, "batch_ms": NaN}"#,
            r#"{"clients": 2, "queue": 1, "batches": 3"#,
        ] {
            assert_eq!(ModelReport::read(line), None, "{line}");
        }
    }

    #[test]
    fn reports_add_up_over_processes() {
        let (mut counts, start) = (ModelCounts::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(counts.now(start), None);
        counts.add(report(10, 20, Some(8.0)), at(0));
        counts.add(report(5, 30, None), at(2000));
        let now = counts.now(at(2000)).unwrap();
        assert_eq!((now.batches, now.frames, now.fps), (15, 50, 15.0));
        // A second without a batch says nothing about how long one takes.
        assert_eq!(now.batch_ms, Some(8.0));
        assert_eq!(counts.now(at(12_000)), Some(now));
        assert_eq!(counts.now(at(12_001)), None);
        counts.begin();
        assert_eq!((counts.now(at(2001)), counts.reports), (None, 0));
        counts.add(report(1, u64::MAX, None), at(3000));
        let now = counts.now(at(3000)).unwrap();
        assert_eq!((now.batches, now.frames, now.batch_ms), (16, u64::MAX, None));
        assert_eq!(counts.totals(), (16, u64::MAX));
    }
}
