//! Random numbers that keep those apart who failed together. No secrets.

use std::time::{SystemTime, UNIX_EPOCH};

/// Random numbers (SplitMix64).
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
