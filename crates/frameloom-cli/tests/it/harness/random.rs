//! Random numbers that come again with their seed.

/// A seed for the test called `name`: of its own, or `FRAMELOOM_TEST_SEED` where that is set.
/// It is printed, which is shown where the test fails.
pub(crate) fn seed(name: &str) -> u64 {
    let seed = match std::env::var("FRAMELOOM_TEST_SEED") {
        Ok(text) => text.parse().expect("FRAMELOOM_TEST_SEED is no number"),
        Err(_) => name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }),
    };
    eprintln!("{name}: FRAMELOOM_TEST_SEED={seed}");
    seed
}

/// A small generator (xorshift with a multiplication), the same for the same seed everywhere.
#[derive(Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        // Zero would stay zero.
        Rng(seed ^ 0x9e37_79b9_7f4a_7c15 | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 0 up to and without `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    /// A number from `first` to `last`.
    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }
}
