//! The states of one pipeline that a person must act on, as the log, the API, the metrics and the
//! page show them.

use std::time::{Duration, Instant};

use frameloom::{Alert, AlertKind};
use serde::Serialize;

use crate::serve::history::{HistoryLine, now_ms};
use crate::serve::processes::cause::Cause;
use crate::serve::wording::Keys;

/// A process that hung, and runs again, is shown for so long: it may be seen between two looks at
/// the metrics.
const AFTER_HANG: Duration = Duration::from_secs(60);

/// One state, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ShownAlert {
    pub(crate) kind: AlertKind,
    /// Since 1970.
    pub(crate) since_ms: u64,
    /// The input's number, from 0, where it is about one of several.
    pub(crate) input: Option<usize>,
    /// The output's number, from 0, where it is about one.
    pub(crate) output: Option<usize>,
    /// A sentence without its full stop.
    pub(crate) text: String,
}

impl ShownAlert {
    fn is_same(&self, other: &ShownAlert) -> bool {
        (self.kind, self.input, self.output) == (other.kind, other.input, other.output)
    }
}

/// What the alerts of one moment come from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AlertSources<'a> {
    /// What its process reported.
    pub(super) reported: &'a [Alert],
    /// Why it ended last, until it runs again.
    pub(super) cause: Option<&'a Cause>,
    /// When it was last found to hang.
    pub(super) hung: Option<Instant>,
    /// The server that it reads from or publishes to refuses or cuts for want of memory.
    pub(super) is_at_memory_limit: bool,
}

/// The alerts of one pipeline.
#[derive(Debug, Default)]
pub(super) struct AlertList(Vec<ShownAlert>);

/// What has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AlertChange {
    Begun(ShownAlert),
    Over(ShownAlert),
}

impl AlertChange {
    /// The log's line about it.
    pub(super) fn line(&self) -> HistoryLine {
        let (kind, text) = match self {
            AlertChange::Begun(alert) => (alert.kind, alert.text.clone()),
            AlertChange::Over(alert) => {
                let seconds = now_ms().saturating_sub(alert.since_ms) / 1000;
                (alert.kind, format!("it is over after {seconds} s: {}", alert.text))
            }
        };
        HistoryLine::of_alert(kind, matches!(self, AlertChange::Over(_)), &text)
    }
}

impl AlertList {
    pub(super) fn all(&self) -> &[ShownAlert] {
        &self.0
    }

    /// Goes over to what there is at `now`, and tells what has changed.
    pub(super) fn update(&mut self, from: AlertSources<'_>, now: Instant) -> Vec<AlertChange> {
        let mut all = found(from, now);
        for alert in &mut all {
            if let Some(known) = self.0.iter().find(|known| known.is_same(alert)) {
                alert.since_ms = known.since_ms;
            }
        }
        let is_in = |list: &[ShownAlert], alert: &ShownAlert| list.iter().any(|a| a.is_same(alert));
        let begun = all.iter().filter(|alert| !is_in(&self.0, alert)).cloned();
        let over = self.0.iter().filter(|alert| !is_in(&all, alert)).cloned();
        let changes = begun.map(AlertChange::Begun).chain(over.map(AlertChange::Over)).collect();
        self.0 = all;
        changes
    }
}

fn found(from: AlertSources<'_>, now: Instant) -> Vec<ShownAlert> {
    let mut all: Vec<ShownAlert> = from.reported.iter().map(shown).collect();
    let mut add = |kind, text: String| {
        let alert = ShownAlert { kind, since_ms: now_ms(), input: None, output: None, text };
        if !all.iter().any(|known| known.is_same(&alert)) {
            all.push(alert);
        }
    };
    if let Some(cause) = from.cause {
        add(cause.alert(), format!("{}: {}", said(cause.alert(), None, None), cause.text));
    }
    if from.hung.is_some_and(|at| now.saturating_duration_since(at) < AFTER_HANG) {
        add(AlertKind::ProcessHung, said(AlertKind::ProcessHung, None, None));
    }
    if from.is_at_memory_limit {
        add(AlertKind::MemoryLimit, said(AlertKind::MemoryLimit, None, None));
    }
    all
}

fn shown(alert: &Alert) -> ShownAlert {
    let mut text = said(alert.kind, alert.input, alert.output);
    if let Some(cause) = &alert.cause {
        text += &format!(": {}", cause.display(&Keys));
    }
    ShownAlert {
        kind: alert.kind,
        since_ms: now_ms().saturating_sub(alert.for_ms),
        input: alert.input,
        output: alert.output,
        text: HistoryLine::new(&text).text,
    }
}

/// What is the matter, in words.
fn said(kind: AlertKind, input: Option<usize>, output: Option<usize>) -> String {
    let input = input.map_or_else(|| "the input".to_owned(), |n| format!("input {}", n + 1));
    let output = output.map_or_else(|| "an output".to_owned(), |n| format!("output {}", n + 1));
    match kind {
        AlertKind::InputLost => format!("{input} is lost"),
        AlertKind::OutputLost => format!("{output} is lost"),
        AlertKind::CodeFailing => "the code fails, and frames go out unedited".to_owned(),
        AlertKind::CodeHanging => "the code has a frame and does nothing".to_owned(),
        AlertKind::RecordingStopped => format!("{output} is not recorded"),
        AlertKind::DiskFull => format!("there is no room for {output}"),
        AlertKind::MemoryLimit => "the server's memory limit is reached".to_owned(),
        AlertKind::ProcessHung => "its process did not answer, and was killed".to_owned(),
        AlertKind::ProcessEnded => "its process ended".to_owned(),
        // One of a later version of the library.
        _ => kind.name().replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::processes::cause::EndReason;

    #[test]
    fn alerts_begin_last_and_are_over() {
        let (mut list, now) = (AlertList::default(), Instant::now());
        let lost = serde_json::json!({ "kind": "input_lost", "for_ms": 5000, "output": null, "cause": null });
        let lost: Vec<Alert> = vec![serde_json::from_value(lost).unwrap()];
        let hung = Cause { text: "nothing for 8 s".to_owned(), reason: EndReason::Hung };
        let kinds = |list: &AlertList| list.all().iter().map(|a| a.kind).collect::<Vec<_>>();
        let reported = AlertSources { reported: &lost, ..AlertSources::default() };
        assert!(matches!(list.update(reported, now).as_slice(), [AlertChange::Begun(_)]));
        let since = list.all()[0].since_ms;
        assert!(list.update(reported, now).is_empty());
        assert_eq!(list.all()[0].since_ms, since);
        let ended = AlertSources { cause: Some(&hung), hung: Some(now), ..AlertSources::default() };
        assert_eq!(list.update(ended, now).len(), 2);
        assert_eq!(kinds(&list), [AlertKind::ProcessHung]);
        assert!(list.all()[0].text.ends_with("nothing for 8 s"), "{list:?}");
        // It runs again, and is still shown for a while.
        let runs = AlertSources { hung: Some(now), ..AlertSources::default() };
        assert!(list.update(runs, now + Duration::from_secs(59)).is_empty());
        let over = list.update(runs, now + AFTER_HANG);
        assert!(matches!(over.as_slice(), [AlertChange::Over(_)]));
        assert!(over[0].line().text.starts_with("it is over after "));
    }
}
