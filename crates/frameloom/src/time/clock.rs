//! Time as it passes, or as a test has it pass.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, after, never, select_biased};

use crate::time::jitter::Jitter;
use crate::time::stop::Stop;

/// What a live pipeline asks for the time, and waits by.
pub(crate) trait Clock: Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Instant;

    /// Gives one message, so long from now; none where there is no span. Whoever waits, waits for
    /// the latest that they asked for, maybe among others.
    fn after(&self, span: Option<Duration>) -> Receiver<Instant>;

    /// Waits for so long, or until a stop.
    fn wait(&self, span: Duration, stop: &Stop);

    /// A number that nobody foresees.
    fn random(&self) -> u64;
}

/// The machine's own.
#[derive(Debug)]
pub(crate) struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn after(&self, span: Option<Duration>) -> Receiver<Instant> {
        span.map_or_else(never, after)
    }

    fn wait(&self, span: Duration, stop: &Stop) {
        stop.wait(span);
    }

    fn random(&self) -> u64 {
        Jitter::new().number()
    }
}

/// The next message, if it comes within `span` of the clock's time.
pub(crate) fn receive_within<T>(
    messages: &Receiver<T>,
    span: Duration,
    clock: &dyn Clock,
) -> Result<T, RecvTimeoutError> {
    select_biased! {
        recv(messages) -> message => message.map_err(|_| RecvTimeoutError::Disconnected),
        recv(clock.after(Some(span))) -> _ => Err(RecvTimeoutError::Timeout),
    }
}
