//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double from 0.5 s to 10 s, each shortened by up to a half at random.
#[derive(Debug)]
pub(crate) struct Backoff {
    wait: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff { wait: FIRST }
    }

    pub(crate) fn next(&mut self, random: u64) -> Duration {
        let wait = self.wait;
        self.wait = (wait * 2).min(LONGEST);
        wait - wait.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64 / 2.0)
    }

    pub(crate) fn reset(&mut self) {
        self.wait = FIRST;
    }
}
