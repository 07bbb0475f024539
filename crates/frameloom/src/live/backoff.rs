//! How long to wait before the next try: longer after each failure, and not for everyone the same.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wait behind the first failure, at the most.
const FIRST: Duration = Duration::from_millis(500);
/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double from 0.5 s to 10 s, each shortened by up to a half at random: those who
/// failed together are not to come back together.
#[derive(Clone, Debug)]
pub struct Backoff {
    wait: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::new()
    }
}

impl Backoff {
    /// Begins with the shortest wait.
    pub fn new() -> Backoff {
        Backoff { wait: FIRST }
    }

    /// How long to wait now; `random` is any number, all of its values as likely.
    pub fn next(&mut self, random: u64) -> Duration {
        let wait = self.wait;
        self.wait = (wait * 2).min(LONGEST);
        // The upper 53 bits: as many as an f64 holds.
        let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
        wait - wait.mul_f64(share / 2.0)
    }

    /// Begins with the shortest wait again.
    pub fn reset(&mut self) {
        self.wait = FIRST;
    }
}

/// Random numbers (SplitMix64) that keep those apart who failed together. No secrets.
#[derive(Clone, Debug)]
pub struct Jitter {
    state: u64,
}

impl Default for Jitter {
    fn default() -> Jitter {
        Jitter::new()
    }
}

impl Jitter {
    /// Seeded from the time and the process, so that two machines and two runs differ.
    pub fn new() -> Jitter {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Jitter::from_seed(now.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(32))
    }

    pub(crate) fn from_seed(seed: u64) -> Jitter {
        Jitter { state: seed }
    }

    /// The next one.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new();
        let expected = [500, 1000, 2000, 4000, 8000, 10_000, 10_000];
        for ms in expected {
            assert_eq!(backoff.next(0), Duration::from_millis(ms));
        }
        backoff.reset();
        assert_eq!(backoff.next(0), Duration::from_millis(500));
    }

    #[test]
    fn chance_shortens_a_wait_by_a_half_at_the_most() {
        for (random, ms) in [(0, 500), (1 << 63, 375), (3 << 62, 313), (u64::MAX, 250)] {
            let wait = Backoff::new().next(random);
            assert_eq!(wait.as_secs_f64().mul_add(1000.0, 0.5) as u64, ms, "{random}");
        }
        let mut jitter = Jitter::from_seed(7);
        let mut backoff = Backoff::new();
        for _ in 0..1000 {
            let whole = backoff.wait;
            let wait = backoff.next(jitter.number());
            assert!(whole / 2 <= wait && wait <= whole, "{wait:?} of {whole:?}");
        }
    }

    #[test]
    fn numbers_differ_and_fill_the_range() {
        let mut jitter = Jitter::from_seed(1);
        let mut numbers: Vec<u64> = (0..1000).map(|_| jitter.number()).collect();
        let upper = numbers.iter().filter(|&&n| n >= 1 << 63).count();
        assert!((400..600).contains(&upper), "{upper} of 1000 in the upper half");
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 1000);
        assert_ne!(Jitter::from_seed(1).number(), Jitter::from_seed(2).number());
    }
}
