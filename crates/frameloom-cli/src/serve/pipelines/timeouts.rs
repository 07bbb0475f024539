//! For how long nobody may play a pipeline that is on demand, and for how long a process may say nothing.

use std::time::{Duration, Instant};

/// How often the thread looks at its child.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long a process may say nothing: it tells once a second that it is there. Before its first
/// word it may take longer, to be loaded.
pub(super) const REPORT_TIMEOUT: Duration = Duration::from_secs(8);
const FIRST_REPORT_TIMEOUT: Duration = Duration::from_secs(30);

/// For how long nobody has played.
#[derive(Debug, Default)]
pub(super) struct IdleTimeout {
    since: Option<Instant>,
    looked: Option<Instant>,
}

impl IdleTimeout {
    /// Whether nobody has played for `limit`. Players are counted a few times a second.
    pub(super) fn is_over(&mut self, limit: Duration, players: impl FnOnce() -> usize) -> bool {
        let now = Instant::now();
        if self.looked.is_none_or(|looked| now.duration_since(looked) >= POLL_INTERVAL * 4) {
            self.looked = Some(now);
            if players() > 0 {
                self.since = None;
            } else {
                self.since.get_or_insert(now);
            }
        }
        self.since.is_some_and(|since| now.duration_since(since) >= limit)
    }
}

/// For how long a process has said nothing. Only time in which the server itself went on counts: a
/// server that was stopped, or a machine that slept, makes no process hang.
#[derive(Debug)]
pub(super) struct ReportTimeout {
    reports: u64,
    looked: Instant,
    silent: Duration,
}

impl ReportTimeout {
    pub(super) fn new(now: Instant) -> ReportTimeout {
        ReportTimeout { reports: 0, looked: now, silent: Duration::ZERO }
    }

    /// Whether it is too long, where so many reports have come by `now`.
    pub(super) fn is_over(&mut self, reports: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.looked).min(POLL_INTERVAL * 4);
        self.looked = now;
        if reports == self.reports {
            self.silent += passed;
        } else {
            (self.reports, self.silent) = (reports, Duration::ZERO);
        }
        self.silent >= if reports == 0 { FIRST_REPORT_TIMEOUT } else { REPORT_TIMEOUT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks, this far apart, it takes until a silence is too long.
    fn looks(silence: &mut ReportTimeout, reports: u64, now: &mut Instant, apart_ms: u64) -> u64 {
        let mut count = 0;
        loop {
            *now += Duration::from_millis(apart_ms);
            count += 1;
            if silence.is_over(reports, *now) {
                return count;
            }
        }
    }

    #[test]
    fn a_silence_is_measured_by_the_servers_own_progress() {
        let mut now = Instant::now();
        let mut silence = ReportTimeout::new(now);
        assert_eq!(looks(&mut silence, 0, &mut now, 50), 600);
        assert!(!silence.is_over(1, now));
        assert_eq!(looks(&mut silence, 1, &mut now, 50), 160);
        // The server was stopped for a day, and then for another: each counts as a moment.
        assert!(!silence.is_over(2, now));
        assert_eq!(looks(&mut silence, 2, &mut now, 86_400_000), 40);
        assert!(!silence.is_over(3, now));
    }
}
