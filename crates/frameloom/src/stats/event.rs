//! What happens to a running pipeline, told to whoever wants to know, and to the log.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Wording, counted, default_wording, were};

/// What happened to a running pipeline. Its `Display` is the line that the log has of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A live input ended, broke or fell silent. It is opened again.
    InputLost {
        /// Its number, from 0, where there are several.
        input: Option<usize>,
        /// Why.
        cause: Error,
    },
    /// The input is there again.
    InputBack {
        /// Its number, from 0, where there are several.
        input: Option<usize>,
        /// How long it was lost.
        lost_for: Duration,
        /// How often opening it was tried.
        tries: u64,
    },
    /// An output broke. It is opened again.
    OutputLost {
        /// Its number, from 0.
        output: usize,
        /// Why.
        cause: Error,
    },
    /// The output is there again.
    OutputBack {
        /// Its number, from 0.
        output: usize,
        /// How long it was lost.
        lost_for: Duration,
        /// Packets that it missed.
        packets: u64,
    },
    /// Packets of an output that took them too slowly were dropped, from whole GOPs.
    PacketsDropped {
        /// The output's number, from 0.
        output: usize,
        /// How many since the last such event.
        count: u64,
        /// Since the first of them.
        span: Duration,
    },
    /// Decoded frames were dropped because your code was too slow for them.
    FramesDropped {
        /// How many since the last such event.
        count: u64,
        /// Since the first of them.
        span: Duration,
    },
    /// Decoded frames were left out that your code is not to blame for: a server sent them at once,
    /// or they came before your code was there. It goes on with what is live.
    FramesSkipped {
        /// How many.
        count: u64,
        /// How much of the stream they were.
        span: Duration,
    },
    /// Frames went out unedited because your code was too slow for them, or a COMMAND not there.
    FramesBypassed {
        /// How many since the last such event.
        count: u64,
        /// Since the first of them.
        span: Duration,
        /// They did not go out: a picture that was edited before was shown in their place.
        is_held: bool,
    },
    /// Your code failed, and frames went out unedited.
    CodeFailed {
        /// How many since the last such event.
        count: u64,
        /// Since the first of them.
        span: Duration,
        /// The last failure.
        cause: Error,
        /// The frames did not go out: a picture that was edited before was shown in their place.
        is_held: bool,
    },
    /// A COMMAND that ended or hung was started again.
    CommandRestarted {
        /// Why it had to be.
        cause: Error,
    },
    /// The input's clock jumped; the outputs' clock goes on as if it hadn't.
    ClockJumped {
        /// The input's number, from 0, where there are several.
        input: Option<usize>,
        /// How often since the last such event.
        count: u64,
        /// Since the first of them.
        span: Duration,
    },
    /// The input's picture or sound is of another kind than before.
    InputChanged {
        /// Its number, from 0, where there are several.
        input: Option<usize>,
        /// What it was, and what it is.
        what: String,
    },
}

impl Event {
    /// The number of the input that it is about, from 0, where there are several.
    pub fn input(&self) -> Option<usize> {
        match self {
            Event::InputLost { input, .. }
            | Event::InputBack { input, .. }
            | Event::ClockJumped { input, .. }
            | Event::InputChanged { input, .. } => *input,
            _ => None,
        }
    }

    /// Whether nobody needs to do anything about it.
    fn is_good_news(&self) -> bool {
        let is_back = matches!(self, Event::InputBack { .. } | Event::OutputBack { .. });
        is_back || matches!(self, Event::FramesSkipped { .. })
    }
}

/// How long something took, to a tenth of a second.
struct ShownDuration(Duration);

impl ShownDuration {
    fn is_moment(&self) -> bool {
        self.0 < Duration::from_millis(50)
    }

    /// " within 2.5 s", or nothing where it was a moment.
    fn within(&self) -> String {
        if self.is_moment() { String::new() } else { format!(" within {self}") }
    }
}

impl fmt::Display for ShownDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_moment() {
            return f.write_str("less than 0.1 s");
        }
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}

/// "once", "twice", "3 times".
fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}

impl Event {
    /// The line about it in the words of `wording`; `Display` has those of the front that runs.
    pub fn display<'a>(&'a self, wording: &'a dyn Wording) -> impl fmt::Display + 'a {
        EventDisplay { event: self, wording }
    }
}

struct EventDisplay<'a> {
    event: &'a Event,
    wording: &'a dyn Wording,
}

/// What became of frames that were not edited.
fn fate(is_held: bool) -> &'static str {
    if is_held { "were held back" } else { "went out unedited" }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(default_wording()).fmt(f)
    }
}

impl fmt::Display for EventDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = |cause: &Error| cause.display(self.wording).to_string();
        let input = match self.event.input() {
            Some(number) => format!("input {}", number + 1),
            None => "the input".to_owned(),
        };
        match self.event {
            Event::InputLost { cause, .. } => write!(f, "{input} is lost: {}", why(cause)),
            Event::InputBack { lost_for, tries, .. } => {
                let tries = format!("{tries} {}", if *tries == 1 { "try" } else { "tries" });
                write!(f, "{input} is back after {} ({tries})", ShownDuration(*lost_for))
            }
            Event::OutputLost { output, cause } => {
                write!(f, "output {} is lost: {}", output + 1, why(cause))
            }
            Event::OutputBack { output, lost_for, packets } => write!(
                f,
                "output {} is back after {}; it missed {}",
                output + 1,
                ShownDuration(*lost_for),
                counted(*packets, "packet")
            ),
            Event::PacketsDropped { output, count, span } => write!(
                f,
                "output {} takes its packets too slowly: {} dropped{}",
                output + 1,
                were(*count, "packet"),
                ShownDuration(*span).within()
            ),
            Event::FramesDropped { count, span } => write!(
                f,
                "your code is too slow: {} dropped{}",
                were(*count, "frame"),
                ShownDuration(*span).within()
            ),
            Event::FramesSkipped { span, .. } => {
                write!(f, "skipped {} to the live edge", ShownDuration(*span))
            }
            Event::FramesBypassed { count, span, is_held } => write!(
                f,
                "your code is too slow or not there: {} {}{}",
                counted(*count, "frame"),
                fate(*is_held),
                ShownDuration(*span).within()
            ),
            Event::CodeFailed { count, span, cause, is_held } => write!(
                f,
                "your code failed: {} {}{}: {}",
                counted(*count, "frame"),
                fate(*is_held),
                ShownDuration(*span).within(),
                why(cause)
            ),
            Event::CommandRestarted { cause } => {
                write!(f, "the command is started again: {}", why(cause))
            }
            Event::ClockJumped { count, span, .. } => {
                write!(
                    f,
                    "{input}'s clock jumped {}{}",
                    times(*count),
                    ShownDuration(*span).within()
                )
            }
            Event::InputChanged { what, .. } => write!(f, "{input} has changed: {what}"),
        }
    }
}

/// A function that is called with each event.
type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Tells events to the log and to whoever listens.
#[derive(Clone, Default)]
pub(crate) struct Events {
    listener: Option<Listener>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("listened", &self.listener.is_some()).finish()
    }
}

impl Events {
    pub(crate) fn listen(&mut self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.listener = Some(Arc::new(listener));
    }

    pub(crate) fn tell(&self, event: &Event) {
        if event.is_good_news() {
            tracing::info!("{event}");
        } else {
            tracing::warn!("{event}");
        }
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }
}

/// Sums up what may happen with every frame: the first is told at once, what follows once in a
/// while.
#[derive(Debug)]
pub(crate) struct EventSum {
    state: Mutex<SumState>,
}

#[derive(Debug, Default)]
struct SumState {
    count: u64,
    since: Option<Instant>,
    reported_at: Option<Instant>,
}

/// How long what repeats itself is summed up.
const SUM_SPAN: Duration = Duration::from_secs(10);

impl EventSum {
    pub(crate) fn new() -> EventSum {
        EventSum { state: Mutex::new(SumState::default()) }
    }

    /// Counts one more at `now`. Gives count and span where it is time to tell.
    pub(crate) fn add(&self, count: u64, now: Instant) -> Option<(u64, Duration)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += count;
        state.since.get_or_insert(now);
        let due = state.reported_at.is_none_or(|at| now.saturating_duration_since(at) >= SUM_SPAN);
        if !due {
            return None;
        }
        state.reported_at = Some(now);
        state.take(now)
    }

    /// What was counted and not told yet, at the end.
    pub(crate) fn rest(&self, now: Instant) -> Option<(u64, Duration)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take(now)
    }
}

impl SumState {
    fn take(&mut self, now: Instant) -> Option<(u64, Duration)> {
        let span = now.saturating_duration_since(self.since.take()?);
        Some((std::mem::take(&mut self.count), span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_singular_and_plural_and_no_span_of_nothing() {
        let ms = Duration::from_millis;
        for (event, line) in [
            (
                Event::InputBack { input: None, lost_for: ms(2040), tries: 1 },
                "the input is back after 2.0 s (1 try)",
            ),
            (
                Event::InputBack { input: Some(2), lost_for: ms(3), tries: 2 },
                "input 3 is back after less than 0.1 s (2 tries)",
            ),
            (
                Event::OutputBack { output: 0, lost_for: ms(900), packets: 1 },
                "output 1 is back after 0.9 s; it missed 1 packet",
            ),
            (
                Event::PacketsDropped { output: 1, count: 2, span: ms(60) },
                "output 2 takes its packets too slowly: 2 packets were dropped within 0.1 s",
            ),
            (
                Event::FramesDropped { count: 1, span: Duration::ZERO },
                "your code is too slow: 1 frame was dropped",
            ),
            (Event::FramesSkipped { count: 195, span: ms(8120) }, "skipped 8.1 s to the live edge"),
            (
                Event::FramesBypassed { count: 3, span: ms(1500), is_held: true },
                "your code is too slow or not there: 3 frames were held back within 1.5 s",
            ),
            (
                Event::FramesBypassed { count: 3, span: ms(1500), is_held: false },
                "your code is too slow or not there: 3 frames went out unedited within 1.5 s",
            ),
            (
                Event::CodeFailed {
                    count: 1,
                    span: ms(0),
                    cause: Error::process("no face"),
                    is_held: false,
                },
                "your code failed: 1 frame went out unedited: process: no face",
            ),
            (
                Event::ClockJumped { input: None, count: 1, span: ms(0) },
                "the input's clock jumped once",
            ),
            (
                Event::ClockJumped { input: Some(0), count: 4, span: ms(9000) },
                "input 1's clock jumped 4 times within 9.0 s",
            ),
        ] {
            assert_eq!(event.to_string(), line);
        }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_in_sum() {
        let (sum, start) = (EventSum::new(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(sum.add(1, at(0)), Some((1, Duration::ZERO)));
        assert_eq!(sum.add(1, at(2)), None);
        assert_eq!(sum.add(2, at(9)), None);
        assert_eq!(sum.add(1, at(11)), Some((4, Duration::from_secs(9))));
        assert_eq!(sum.rest(at(12)), None);
        assert_eq!(sum.add(1, at(13)), None);
        assert_eq!(sum.rest(at(14)), Some((1, Duration::from_secs(1))));
    }
}
