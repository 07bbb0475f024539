//! When what was lost is tried again, and when it is given up.
//!
//! A pure state machine: time and chance are given to it, and whoever owns it does the waiting. It
//! serves inputs, outputs, COMMANDs and the processes of a server's pipelines.

use std::time::{Duration, Instant};

/// The wait behind the first failure, before chance shortens it.
const FIRST: Duration = Duration::from_millis(500);
/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(10);
/// The shortest time from the end of one try to the start of the next, however long it took.
const SHORTEST: Duration = Duration::from_millis(250);
/// A connection that was there for so long without a break is steady: its next loss is a first one.
const STEADY: Duration = Duration::from_secs(10);

/// How tries follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Whether what was steady is tried again at once when it is lost.
    pub first_at_once: bool,
    /// How long it is tried. The time runs from the first loss until what was lost has been steady.
    pub limit: Option<Duration>,
}

impl RetryPolicy {
    /// For an input or output: a connection that breaks is mostly there again at once.
    pub fn connection(limit: Option<Duration>) -> RetryPolicy {
        RetryPolicy { first_at_once: true, limit }
    }

    /// For a program, which is started again for ever.
    pub fn process() -> RetryPolicy {
        RetryPolicy { first_at_once: false, limit: None }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try at this time, which may be now.
    TryAt(Instant),
    /// The limit is over.
    GiveUp,
}

/// Decides on tries. The waits between them double from 0.5 s to 10 s, each shortened by up to a
/// half at random: those who failed together are not to come back together. What opens and is
/// lost again before it was steady, for 10 s, counts as a try that failed.
#[derive(Clone, Debug)]
pub struct Retry {
    policy: RetryPolicy,
    /// The next wait, before chance shortens it.
    wait: Duration,
    /// When it was lost first, since it was steady last.
    lost_since: Option<Instant>,
    /// When the last try began.
    tried: Option<Instant>,
    /// Since when it is there.
    there_since: Option<Instant>,
}

impl Retry {
    /// For what has never been lost.
    pub fn new(policy: RetryPolicy) -> Retry {
        Retry { policy, wait: FIRST, lost_since: None, tried: None, there_since: None }
    }

    /// The limit of its policy.
    pub fn limit(&self) -> Option<Duration> {
        self.policy.limit
    }

    /// A try that took so long has failed. `random` is any number, all of its values as likely.
    pub fn failed(&mut self, now: Instant, took: Duration, random: u64) -> Verdict {
        self.lost_since.get_or_insert(now.checked_sub(took).unwrap_or(now));
        self.next_try(now, took, random)
    }

    /// A try that took so long has succeeded.
    pub fn opened(&mut self, now: Instant, took: Duration) {
        self.tried = now.checked_sub(took);
        self.there_since = Some(now);
    }

    /// What was there is lost. It was there since [`Retry::opened`].
    pub fn lost(&mut self, now: Instant, random: u64) -> Verdict {
        let since = self.there_since.unwrap_or(now);
        self.lost_after(now.saturating_duration_since(since), now, random)
    }

    /// The same, where the loss was noticed by a silence of this length: that is no time in which
    /// it did its work.
    pub fn lost_by_silence(&mut self, silence: Duration, now: Instant, random: u64) -> Verdict {
        let there = self.there_since.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.lost_after(there.saturating_sub(silence), now, random)
    }

    /// What was there, and did its work for so long, is lost.
    pub fn lost_after(&mut self, worked: Duration, now: Instant, random: u64) -> Verdict {
        self.there_since = None;
        if worked >= STEADY {
            self.steady();
        }
        let is_first = self.lost_since.is_none();
        self.lost_since.get_or_insert(now);
        let tried = self.tried.take();
        if is_first && self.policy.first_at_once {
            return Verdict::TryAt(now);
        }
        let took = tried.map_or(Duration::ZERO, |tried| now.saturating_duration_since(tried));
        self.next_try(now, took, random)
    }

    /// It is steady: all that was before is forgotten.
    pub fn steady(&mut self) {
        (self.wait, self.lost_since, self.tried) = (FIRST, None, None);
    }

    /// The wait goes from one try's start to the next one's: a server that keeps a player waiting
    /// for its publisher is asked again soon.
    fn next_try(&mut self, now: Instant, took: Duration, random: u64) -> Verdict {
        let wait = shortened(self.wait, random).saturating_sub(took).max(SHORTEST);
        self.wait = (self.wait * 2).min(LONGEST);
        let lost_for =
            self.lost_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        match self.policy.limit {
            Some(limit) if lost_for.saturating_add(wait) > limit => Verdict::GiveUp,
            _ => Verdict::TryAt(now.checked_add(wait).unwrap_or(now)),
        }
    }
}

/// A wait less up to a half of it.
fn shortened(wait: Duration, random: u64) -> Duration {
    // The upper 53 bits: as many as an f64 holds.
    let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
    wait - wait.mul_f64(share / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// What happens to an end, in seconds.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// It was there for so long, and is lost.
        Lost(f64),
        /// A try takes so long and fails.
        Failed(f64),
        /// A try takes so long, and opens it.
        Opened(f64),
    }

    /// The waits before tries; less than nothing where it was given up, which ends it.
    fn waits(policy: RetryPolicy, steps: &[Step], random: u64) -> Vec<f64> {
        let (mut retry, mut now, mut all) = (Retry::new(policy), Instant::now(), Vec::new());
        for step in steps {
            let verdict = match *step {
                Step::Lost(there) => {
                    now += seconds(there);
                    retry.lost(now, random)
                }
                Step::Failed(took) => {
                    now += seconds(took);
                    retry.failed(now, seconds(took), random)
                }
                Step::Opened(took) => {
                    now += seconds(took);
                    retry.opened(now, seconds(took));
                    continue;
                }
            };
            match verdict {
                Verdict::TryAt(at) => {
                    all.push((at - now).as_secs_f64());
                    now = at;
                }
                Verdict::GiveUp => {
                    all.push(-1.0);
                    break;
                }
            }
        }
        all
    }

    use Step::{Failed, Lost, Opened};

    #[test]
    fn tries_follow_each_other_as_the_table_says() {
        let connection = RetryPolicy::connection(None);
        let dies = |after: f64| [Opened(0.0), Lost(after)];
        for (name, steps, expected) in [
            (
                "the first loss is answered at once, and then the waits double",
                vec![
                    Lost(3.0),
                    Failed(0.0),
                    Failed(0.0),
                    Failed(0.0),
                    Failed(0.0),
                    Failed(0.0),
                    Failed(0.0),
                ],
                vec![0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0],
            ),
            (
                "the time of a try is part of the wait",
                vec![Failed(0.1), Failed(0.9), Failed(9.0), Failed(3.0), Failed(7.0), Failed(9.9)],
                vec![0.4, 0.25, 0.25, 1.0, 1.0, 0.25],
            ),
            (
                "what opens and dies at once has failed",
                [vec![Lost(20.0)], (0..7).flat_map(|_| dies(0.0)).collect()].concat(),
                vec![0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0],
            ),
            (
                "what opens and dies after 3 s has failed, and that time is part of the wait",
                [vec![Lost(20.0)], (0..5).flat_map(|_| dies(3.0)).collect()].concat(),
                vec![0.0, 0.25, 0.25, 0.25, 1.0, 5.0],
            ),
            (
                "what was there for 10 s begins anew",
                [vec![Lost(1.0), Failed(0.0), Failed(0.0)], dies(10.0).to_vec(), vec![Failed(0.0)]]
                    .concat(),
                vec![0.0, 0.5, 1.0, 0.0, 0.5],
            ),
            (
                "a little less is too little",
                [vec![Lost(1.0), Failed(0.0), Failed(0.0)], dies(9.99).to_vec(), vec![Failed(0.0)]]
                    .concat(),
                vec![0.0, 0.5, 1.0, 0.25, 4.0],
            ),
        ] {
            let got = waits(connection, &steps, 0);
            let is_same = got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(is_same && got.len() == expected.len(), "{name}: {got:?}, not {expected:?}");
        }
    }

    #[test]
    fn a_program_is_never_started_again_at_once() {
        let (mut retry, now) = (Retry::new(RetryPolicy::process()), Instant::now());
        let mut wait = |worked: u64| match retry.lost_after(Duration::from_secs(worked), now, 0) {
            Verdict::TryAt(at) => at - now,
            Verdict::GiveUp => panic!("given up"),
        };
        let waits: Vec<_> = [0, 3, 9, 3600, 9].map(|worked| wait(worked).as_millis()).into();
        assert_eq!(waits, [500, 1000, 2000, 500, 1000]);
    }

    #[test]
    fn the_limit_runs_until_what_was_lost_is_steady() {
        let policy = RetryPolicy::connection(Some(seconds(5.0)));
        let dies = |after: f64| [Opened(0.0), Lost(after)];
        let failing = [Lost(60.0), Failed(0.0), Failed(0.0), Failed(0.0), Failed(0.0)];
        assert_eq!(waits(policy, &failing, 0), [0.0, 0.5, 1.0, 2.0, -1.0]);
        let dying = [vec![Lost(60.0)], (0..9).flat_map(|_| dies(0.0)).collect()].concat();
        assert_eq!(waits(policy, &dying, 0), [0.0, 0.5, 1.0, 2.0, -1.0]);
        // Though it was there in between: not for long enough.
        let back = [vec![Lost(60.0)], dies(9.0).to_vec()].concat();
        assert_eq!(waits(policy, &back, 0), [0.0, -1.0]);
        let back = [vec![Lost(60.0)], dies(10.0).to_vec(), dies(10.0).to_vec()].concat();
        assert_eq!(waits(policy, &back, 0), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn the_longest_of_durations_is_no_limit() {
        let policy = RetryPolicy::connection(Some(Duration::MAX));
        let (mut retry, now) = (Retry::new(policy), Instant::now());
        assert_eq!(retry.lost(now, 0), Verdict::TryAt(now));
        let tried = retry.failed(now, Duration::MAX, 0);
        assert_eq!(tried, Verdict::TryAt(now + SHORTEST));
        retry.opened(now, Duration::MAX);
        assert_eq!(retry.lost_after(Duration::MAX, now, 0), Verdict::TryAt(now));
    }

    #[test]
    fn chance_shortens_a_wait_by_a_half_at_the_most() {
        for (random, ms) in [(0, 500), (1 << 63, 375), (3 << 62, 313), (u64::MAX, 250)] {
            let wait = shortened(FIRST, random);
            assert_eq!(wait.as_secs_f64().mul_add(1000.0, 0.5) as u64, ms, "{random}");
        }
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0.0..15.0).prop_map(Lost),
            (0.0..2.0).prop_map(Lost),
            (0.0..15.0).prop_map(Failed),
            (0.0..1.0).prop_map(Failed),
        ]
    }

    proptest! {
        #[test]
        fn tries_keep_their_distance_and_their_limit(
            steps in proptest::collection::vec((step(), any::<u64>()), 1..60),
            limit in proptest::option::of(0_u64..200),
        ) {
            let limit = limit.map(Duration::from_secs);
            let mut retry = Retry::new(RetryPolicy::connection(limit));
            let mut now = Instant::now();
            let (mut last_try, mut lost_since): (Option<Instant>, Option<Instant>) = (None, None);
            for (step, random) in steps {
                let (mut due, mut is_at_once) = (retry.wait, false);
                let (began, verdict) = match step {
                    Lost(there) => {
                        retry.opened(now, Duration::ZERO);
                        now += seconds(there);
                        if there >= 10.0 {
                            (lost_since, due) = (None, FIRST);
                        }
                        is_at_once = lost_since.is_none();
                        lost_since.get_or_insert(now);
                        (now - seconds(there), retry.lost(now, random))
                    }
                    Failed(took) => {
                        lost_since.get_or_insert(now);
                        now += seconds(took);
                        (now - seconds(took), retry.failed(now, seconds(took), random))
                    }
                    Opened(_) => unreachable!(),
                };
                let lost_for = now - lost_since.unwrap();
                match verdict {
                    Verdict::GiveUp => {
                        let limit = limit.unwrap();
                        prop_assert!(lost_for + LONGEST > limit, "{lost_for:?} of {limit:?}");
                        return Ok(());
                    }
                    Verdict::TryAt(at) => {
                        prop_assert!(at >= now && at - now <= LONGEST);
                        if let Some(last) = last_try {
                            prop_assert!(at - last >= SHORTEST, "{:?}", at - last);
                        }
                        // From one start to the next: never shorter than half of what is due, and
                        // what is due never gets shorter before it is steady.
                        prop_assert!(is_at_once || at - began >= due / 2, "{:?}", at - began);
                        prop_assert!(retry.wait >= due && retry.wait <= LONGEST);
                        if let Some(limit) = limit {
                            prop_assert!(at - lost_since.unwrap() <= limit.max(Duration::ZERO));
                        }
                        (last_try, now) = (Some(at), at);
                    }
                }
            }
        }
    }
}
