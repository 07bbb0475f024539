//! What happens to a running pipeline, told to whoever wants to know, and to the log.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;

/// What happened to a running pipeline. Its `Display` is the line that the log has of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A live input ended, broke or fell silent. It is opened again.
    InputLost {
        /// Why.
        cause: Error,
    },
    /// The input is there again.
    InputBack {
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
    /// Frames went out unedited because your code was too slow for them, or a COMMAND not there.
    FramesBypassed {
        /// How many since the last such event.
        count: u64,
        /// Since the first of them.
        span: Duration,
    },
    /// Your code failed, and frames went out unedited.
    CodeFailed {
        /// How many since the last such event.
        count: u64,
        /// Since the first of them.
        span: Duration,
        /// The last failure.
        cause: Error,
    },
    /// A COMMAND that ended or hung was started again.
    CommandRestarted {
        /// Why it had to be.
        cause: Error,
    },
    /// The input's clock jumped; the outputs' clock goes on as if it hadn't.
    ClockJumped {
        /// How often since the last such event.
        count: u64,
        /// Since the first of them.
        span: Duration,
    },
    /// The input's picture or sound is of another kind than before.
    InputChanged {
        /// What it was, and what it is.
        what: String,
    },
}

impl Event {
    fn is_good_news(&self) -> bool {
        matches!(self, Event::InputBack { .. } | Event::OutputBack { .. })
    }
}

/// As people say it: a tenth of a second where that is much.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::InputLost { cause } => write!(f, "the input is lost: {cause}"),
            Event::InputBack { lost_for, tries } => {
                write!(f, "the input is back after {} ({tries} tries)", Span(*lost_for))
            }
            Event::OutputLost { cause, .. } => write!(f, "an output is lost: {cause}"),
            Event::OutputBack { output, lost_for, packets } => write!(
                f,
                "output {} is back after {}; it missed {packets} packets",
                output + 1,
                Span(*lost_for)
            ),
            Event::PacketsDropped { output, count, span } => write!(
                f,
                "output {} takes its packets too slowly: {count} were dropped within {}",
                output + 1,
                Span(*span)
            ),
            Event::FramesDropped { count, span } => {
                write!(f, "too slow: {count} frames were dropped within {}", Span(*span))
            }
            Event::FramesBypassed { count, span } => {
                write!(
                    f,
                    "too slow or not there: {count} frames went out as they came within {}",
                    Span(*span)
                )
            }
            Event::CodeFailed { count, span, cause } => write!(
                f,
                "{count} frames went out as they came within {}, the code failed on them: {cause}",
                Span(*span)
            ),
            Event::CommandRestarted { cause } => write!(f, "the command is started again: {cause}"),
            Event::ClockJumped { count, span } => {
                write!(f, "the input's clock jumped {count} times within {}", Span(*span))
            }
            Event::InputChanged { what } => write!(f, "the input has changed: {what}"),
        }
    }
}

/// Whoever wants to know.
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
pub(crate) struct Sum {
    state: Mutex<SumState>,
}

#[derive(Debug, Default)]
struct SumState {
    count: u64,
    since: Option<Instant>,
    told: Option<Instant>,
}

/// How long what repeats itself is summed up.
const SUM_SPAN: Duration = Duration::from_secs(10);

impl Sum {
    pub(crate) fn new() -> Sum {
        Sum { state: Mutex::new(SumState::default()) }
    }

    /// Counts one more at `now`. Gives count and span where it is time to tell.
    pub(crate) fn add(&self, count: u64, now: Instant) -> Option<(u64, Duration)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += count;
        state.since.get_or_insert(now);
        let due = state.told.is_none_or(|told| now.saturating_duration_since(told) >= SUM_SPAN);
        if !due {
            return None;
        }
        state.told = Some(now);
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
    fn the_first_is_told_at_once_and_the_rest_in_sum() {
        let (sum, start) = (Sum::new(), Instant::now());
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
