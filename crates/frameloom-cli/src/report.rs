//! What a supervised process reports to its server: one JSON object on each line.
//!
//! The channel is the socket on which the process got its words. COMMAND does not inherit it, so
//! nothing that COMMAND writes can be taken for a report.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use frameloom::{Error, Event, Snapshot};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use serde::{Deserialize, Serialize};

/// The longest line of a report, in bytes. A longer one is ignored by the server.
pub(crate) const LINE_BYTES: usize = 64 << 10;

/// The longest text in a report, in characters.
const TEXT_CHARS: usize = 4096;

/// How often, and after how long, the last report is tried again where the server reads slowly.
const LAST_TRIES: usize = 20;
const LAST_WAIT: Duration = Duration::from_millis(10);

/// One report.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChildReport {
    /// The process is there: sent once a second while there is nothing else to say.
    Alive,
    /// How far the process has got.
    State(ChildProgress),
    /// The counters, once a second and at the end.
    Stats(Box<Snapshot>),
    /// Something happened to the pipeline.
    Event(EventReport),
    /// A line of its log.
    Log(LogReport),
    /// Why the process ends.
    Error(Error),
}

/// How far a supervised process has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChildProgress {
    /// It opens its input.
    Opening,
    /// Its input is open; the outputs are next.
    Opened {
        /// Whether the input is live: it has no end by itself.
        is_live: bool,
    },
    /// It has run for a second.
    Running,
}

/// An event of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventReport {
    pub(crate) kind: EventKind,
    /// The input's number, from 0, where it is about one of several.
    #[serde(default)]
    pub(crate) input: Option<usize>,
    /// What the log says about it.
    pub(crate) text: String,
}

/// A line of the process's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogReport {
    pub(crate) level: LineLevel,
    pub(crate) text: String,
}

impl LogReport {
    pub(crate) fn new(level: LineLevel, text: &str) -> LogReport {
        LogReport { level, text: shortened(text) }
    }
}

/// How much a line of a log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LineLevel {
    Error,
    Warning,
    Info,
    Debug,
    Trace,
}

impl fmt::Display for LineLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LineLevel::Error => "error",
            LineLevel::Warning => "warning",
            LineLevel::Info => "info",
            LineLevel::Debug => "debug",
            LineLevel::Trace => "trace",
        })
    }
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventKind {
    InputLost,
    InputBack,
    InputChanged,
    OutputLost,
    OutputBack,
    PacketsDropped,
    FramesDropped,
    FramesSkipped,
    FramesBypassed,
    CodeFailed,
    CommandRestarted,
    ClockJumped,
    Other,
}

impl From<&Event> for EventReport {
    fn from(event: &Event) -> EventReport {
        let kind = match event {
            Event::InputLost { .. } => EventKind::InputLost,
            Event::InputBack { .. } => EventKind::InputBack,
            Event::InputChanged { .. } => EventKind::InputChanged,
            Event::OutputLost { .. } => EventKind::OutputLost,
            Event::OutputBack { .. } => EventKind::OutputBack,
            Event::PacketsDropped { .. } => EventKind::PacketsDropped,
            Event::FramesDropped { .. } => EventKind::FramesDropped,
            Event::FramesSkipped { .. } => EventKind::FramesSkipped,
            Event::FramesBypassed { .. } => EventKind::FramesBypassed,
            Event::CodeFailed { .. } => EventKind::CodeFailed,
            Event::CommandRestarted { .. } => EventKind::CommandRestarted,
            Event::ClockJumped { .. } => EventKind::ClockJumped,
            _ => EventKind::Other,
        };
        EventReport { kind, input: event.input(), text: shortened(&event.to_string()) }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

/// Sends reports. It never waits for the server; clones share the channel.
#[derive(Clone, Debug)]
pub(crate) struct Reporter(Arc<Mutex<Outbox>>);

#[derive(Debug)]
struct Outbox {
    socket: OwnedFd,
    /// What is left of a line of which a part was sent.
    rest: Vec<u8>,
    /// Nobody reads at the other end.
    is_closed: bool,
}

impl Reporter {
    pub(crate) fn new(socket: OwnedFd) -> Reporter {
        Reporter(Arc::new(Mutex::new(Outbox { socket, rest: Vec::new(), is_closed: false })))
    }

    /// Sends a report. One for which the channel has no room is left out.
    pub(crate) fn send(&self, report: &ChildReport) {
        self.try_send(report);
    }

    /// Sends a report if the channel has room for it; whether it has.
    pub(crate) fn try_send(&self, report: &ChildReport) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).send(report)
    }

    /// Sends a report after which the process ends, and waits a moment for room. Whether the
    /// server has it.
    pub(crate) fn send_last(&self, report: &ChildReport) -> bool {
        let mut is_written = false;
        for _ in 0..LAST_TRIES {
            let mut outbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            is_written = is_written || outbox.send(report);
            if is_written && outbox.flush() {
                return !outbox.is_closed;
            }
            drop(outbox);
            thread::sleep(LAST_WAIT);
        }
        false
    }
}

impl Outbox {
    /// Whether the report is on its way, or nobody is there to read it.
    fn send(&mut self, report: &ChildReport) -> bool {
        if !self.flush() {
            return false;
        }
        // Its types can all be written.
        self.rest = serde_json::to_vec(report).unwrap_or_default();
        self.rest.push(b'\n');
        self.flush();
        true
    }

    /// Whether there is room for another line.
    fn flush(&mut self) -> bool {
        while !self.rest.is_empty() && !self.is_closed {
            match send(&self.socket, &self.rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => drop(self.rest.drain(..sent)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                // The server is gone, or gave a pipe because it wants no reports.
                Err(_) => self.is_closed = true,
            }
        }
        self.rest.clear();
        true
    }
}

/// A snapshot with these fields; the others are 0.
#[cfg(test)]
pub(crate) fn snapshot(fields: serde_json::Value) -> Snapshot {
    let mut all = serde_json::json!({
        "elapsed_ms": 0, "time_ms": 0, "duration_ms": null, "frames_in": 0, "frames_out": 0,
        "frames_edited": 0, "frames_dropped": 0, "frames_skipped": 0, "frames_held": 0, "frames_copied": 0, "frames_late": 0,
        "frames_bypassed": 0, "frames_unwritten": 0, "errors": 0, "restarts": 0, "packets_in": 0,
        "bytes_in": 0, "packets_corrupt": 0, "packets_out": 0, "bytes_out": 0, "fps": 0.0,
        "speed": 0.0, "bit_rate": 0, "latency_ms": null, "latency_p99_ms": null,
        "latency": { "le_ms": [], "counts": [], "sum_ms": 0.0 }, "reconnects": 0,
        "packets_dropped": 0, "input_offset_ms": null, "live": false, "input": "ok", "outputs": [],
    });
    let serde_json::Value::Object(fields) = fields else { panic!("{fields} is no object") };
    fields.into_iter().for_each(|(name, value)| all[name] = value);
    serde_json::from_value(all).unwrap()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;

    use frameloom::{ErrorKind, Stage};

    use super::*;

    fn event(n: usize) -> ChildReport {
        let text = format!("{n} {}", "x".repeat(900));
        ChildReport::Event(EventReport { kind: EventKind::Other, input: None, text })
    }

    #[test]
    fn a_server_that_does_not_read_delays_nobody_and_gets_whole_lines() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let reporter = Reporter::new(ours.into());
        // More than any buffer takes.
        (0..20_000).for_each(|n| reporter.send(&event(n)));
        let reading = thread::spawn(move || {
            let lines = BufReader::new(theirs).lines().map(|line| line.unwrap());
            lines
                .map(|line| serde_json::from_str::<ChildReport>(&line).unwrap())
                .collect::<Vec<_>>()
        });
        let error = Error::process("it broke").at("edit.py");
        assert!(reporter.send_last(&ChildReport::Error(error)));
        drop(reporter);
        let reports = reading.join().unwrap();
        assert!((10..20_000).contains(&reports.len()), "{}", reports.len());
        let Some(ChildReport::Error(error)) = reports.last() else {
            panic!("{:?}", reports.last())
        };
        assert_eq!(error.to_string(), "process: edit.py: it broke");
    }

    #[test]
    fn nobody_at_the_other_end_is_no_failure() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let reporter = Reporter::new(ours.into());
        reporter.send(&ChildReport::State(ChildProgress::Opening));
        assert!(!reporter.send_last(&event(1)));
        let (read, mut write) = std::io::pipe().unwrap();
        write.write_all(b"words").unwrap();
        assert!(!Reporter::new(read.into()).send_last(&ChildReport::State(ChildProgress::Opening)));
    }

    #[test]
    fn reports_have_their_form() {
        let form = |report: &ChildReport| serde_json::to_string(report).unwrap();
        assert_eq!(form(&ChildReport::State(ChildProgress::Opening)), r#"{"state":"opening"}"#);
        assert_eq!(
            form(&ChildReport::State(ChildProgress::Opened { is_live: true })),
            r#"{"state":{"opened":{"is_live":true}}}"#
        );
        let error = Error::new(ErrorKind::Connection, Stage::Sink, "refused");
        assert_eq!(
            form(&ChildReport::Error(error)),
            r#"{"error":{"kind":"connection","stage":"sink","cause":["refused"]}}"#
        );
    }
}
