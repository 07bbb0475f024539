//! Lines that a stranger can cause any number of: the first ones are in the log at once, those that
//! follow are counted and summed up.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock::lock;

/// How often one kind of warning may be a line.
const SPAN: Duration = Duration::from_secs(10);
/// What is usual may be so many lines in that time.
const USUAL_LINES: u32 = 20;

/// What is warned of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Warning {
    Cap,
    Accept,
    Refused,
    Protocol,
    Tls,
    TimeOut,
    SlowPlayer,
    Unreadable,
    Callback,
    Memory,
    /// Somebody publishes; that is no fault.
    Publishing,
    Published,
}

impl Warning {
    const ALL: [Warning; 12] = [
        Warning::Cap,
        Warning::Accept,
        Warning::Refused,
        Warning::Protocol,
        Warning::Tls,
        Warning::TimeOut,
        Warning::SlowPlayer,
        Warning::Unreadable,
        Warning::Callback,
        Warning::Memory,
        Warning::Publishing,
        Warning::Published,
    ];

    /// Whether it is worth knowing, and nothing to be worried about.
    fn is_usual(self) -> bool {
        matches!(self, Warning::Publishing | Warning::Published)
    }

    /// How many may be lines, one after the other.
    fn lines(self) -> u32 {
        if self.is_usual() { USUAL_LINES } else { 1 }
    }

    /// What is counted, for one and for several.
    fn noun(self, count: u64) -> &'static str {
        let (one, several) = match self {
            Warning::Cap => ("connection over the cap", "connections over the cap"),
            Warning::Accept => {
                ("connection that could not be accepted", "connections that could not be accepted")
            }
            Warning::Refused => ("refusal", "refusals"),
            Warning::Protocol => ("connection that was not RTMP", "connections that were not RTMP"),
            Warning::Tls => ("failed TLS handshake", "failed TLS handshakes"),
            Warning::TimeOut => ("connection that took too long", "connections that took too long"),
            Warning::SlowPlayer => ("player that was too slow", "players that were too slow"),
            Warning::Unreadable => {
                ("publisher with unreadable media", "publishers with unreadable media")
            }
            Warning::Callback => ("callback without an answer", "callbacks without an answer"),
            Warning::Memory => {
                ("connection closed for want of memory", "connections closed for want of memory")
            }
            Warning::Publishing => ("publisher", "publishers"),
            Warning::Published => ("publisher that ended", "publishers that ended"),
        };
        if count == 1 { one } else { several }
    }
}

/// Counts warnings.
#[derive(Default)]
pub(crate) struct Warnings {
    entries: Mutex<[WarningCount; Warning::ALL.len()]>,
}

#[derive(Default)]
struct WarningCount {
    /// When the lines began, or the last sum was written.
    line: Option<Instant>,
    /// Lines since then.
    lines: u32,
    more: u64,
    last: String,
}

/// Those that had no line of their own.
#[derive(Debug, PartialEq, Eq)]
struct WarningSum {
    warning: Warning,
    noun: &'static str,
    more: u64,
    span: Duration,
    last: String,
}

impl Warnings {
    /// Warns, now or in the next sum.
    pub(crate) fn warn(&self, warning: Warning, text: impl FnOnce() -> String) {
        if let Some(text) = self.note(warning, text(), Instant::now()) {
            write(warning, &text);
        }
    }

    /// Writes the sums that are due; to be called about once a second.
    pub(crate) fn flush(&self, now: Instant) {
        for WarningSum { warning, noun, more, span, last } in self.due(now, SPAN) {
            let seconds = span.as_secs().max(1);
            write(warning, &format!("{more} more {noun} in {seconds} s; the last: {last}"));
        }
    }

    /// Writes all that is left, at the end.
    pub(crate) fn flush_all(&self, now: Instant) {
        for WarningSum { warning, noun, more, last, .. } in self.due(now, Duration::ZERO) {
            write(warning, &format!("{more} more {noun}; the last: {last}"));
        }
    }

    fn note(&self, warning: Warning, text: String, now: Instant) -> Option<String> {
        let mut entries = lock(&self.entries);
        let entry = entries.get_mut(warning as usize)?;
        let due = entry.line.is_none_or(|line| now.saturating_duration_since(line) >= SPAN);
        if entry.more == 0 && (due || entry.lines < warning.lines()) {
            if due {
                (entry.line, entry.lines) = (Some(now), 0);
            }
            entry.lines += 1;
            return Some(text);
        }
        entry.more += 1;
        entry.last = text;
        None
    }

    fn due(&self, now: Instant, span: Duration) -> Vec<WarningSum> {
        let mut sums = Vec::new();
        let mut entries = lock(&self.entries);
        for (warning, entry) in Warning::ALL.iter().zip(entries.iter_mut()) {
            let Some(line) = entry.line else {
                continue;
            };
            let elapsed = now.saturating_duration_since(line);
            if entry.more > 0 && elapsed >= span {
                sums.push(WarningSum {
                    warning: *warning,
                    noun: warning.noun(entry.more),
                    more: std::mem::take(&mut entry.more),
                    span: elapsed,
                    last: std::mem::take(&mut entry.last),
                });
                // What goes on is summed up from now on.
                (entry.line, entry.lines) = (Some(now), warning.lines());
            }
        }
        sums
    }
}

fn write(warning: Warning, text: &str) {
    if warning.is_usual() {
        tracing::info!(target: crate::LOG, "{text}");
    } else {
        tracing::warn!(target: crate::LOG, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_a_line_and_the_rest_a_sum() {
        let warnings = Warnings::default();
        let start = Instant::now();
        assert_eq!(warnings.note(Warning::Cap, "a".into(), start).as_deref(), Some("a"));
        for index in 0..300 {
            assert_eq!(warnings.note(Warning::Cap, format!("b{index}"), start), None);
        }
        assert_eq!(warnings.note(Warning::Tls, "c".into(), start).as_deref(), Some("c"));
        assert_eq!(warnings.due(start + SPAN / 2, SPAN), []);
        let sums = warnings.due(start + SPAN, SPAN);
        let noun = Warning::Cap.noun(300);
        assert_eq!(
            sums,
            [WarningSum {
                warning: Warning::Cap,
                noun,
                more: 300,
                span: SPAN,
                last: "b299".into()
            }]
        );
        assert_eq!(warnings.due(start + 3 * SPAN, SPAN), []);
        let later = start + 4 * SPAN;
        assert_eq!(warnings.note(Warning::Cap, "d".into(), later).as_deref(), Some("d"));
    }

    #[test]
    fn what_is_usual_has_some_lines_before_it_is_summed_up() {
        let warnings = Warnings::default();
        let start = Instant::now();
        let lines = |from: u32, to: u32, at| {
            let each = (from..to).map(|n| warnings.note(Warning::Publishing, n.to_string(), at));
            each.flatten().count()
        };
        assert_eq!(lines(0, 2000, start), USUAL_LINES as usize);
        let sums = warnings.due(start + SPAN, SPAN);
        assert_eq!((sums.len(), sums[0].more, &*sums[0].last), (1, 1980, "1999"));
        // A flood that goes on has a line for each span.
        assert_eq!(lines(2000, 4000, start + SPAN), 0);
        assert_eq!(warnings.due(start + 2 * SPAN, SPAN)[0].more, 2000);
        assert_eq!(lines(0, 5, start + 4 * SPAN), 5);
    }
}
