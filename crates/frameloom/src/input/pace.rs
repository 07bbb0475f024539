//! `-re`: packets at the stream's own speed.

use std::time::{Duration, Instant};

use crate::time::Timestamp;

/// Says how long a packet is to wait, so that a file runs at the speed of its own clock.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// A moment, and the stream time that belongs to it.
    anchor: Option<(Instant, Timestamp)>,
}

impl Pace {
    /// How long from `now` until a packet of stream time `at` is due.
    pub(crate) fn wait(&mut self, now: Instant, at: Timestamp) -> Duration {
        let (start, first) = *self.anchor.get_or_insert((now, at));
        let due =
            start + Duration::from_micros(u64::try_from(at.minus(first).as_micros()).unwrap_or(0));
        due.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_due_as_long_after_the_first_as_its_clock_says() {
        let (mut pace, t0) = (Pace::default(), Instant::now());
        let at = |ms: i64| Timestamp::from_micros(ms * 1000);
        assert_eq!(pace.wait(t0, at(5_000)), Duration::ZERO);
        assert_eq!(pace.wait(t0, at(5_040)), Duration::from_millis(40));
        assert_eq!(pace.wait(t0 + Duration::from_millis(30), at(5_040)), Duration::from_millis(10));
        assert_eq!(
            pace.wait(t0 + Duration::from_secs(9), at(5_080)),
            Duration::ZERO,
            "late is at once"
        );
        assert_eq!(pace.wait(t0, at(4_000)), Duration::ZERO, "before the first is at once");
    }
}
