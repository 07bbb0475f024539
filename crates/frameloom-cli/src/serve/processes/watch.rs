//! A process on its way to its end, and when another one is started after it.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use frameloom::internal::{Jitter, Retry, RetryPolicy, Verdict};

use super::child::Child;

/// How often a process is looked at.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How a process came to its end.
#[derive(Debug)]
pub(crate) enum ChildEnd {
    Asked,
    ByItself(ExitStatus),
    /// It said nothing for too long, and was killed.
    Hung,
}

/// Whose process it is.
pub(crate) trait ProcessOwner {
    /// Whether the process is to go on.
    fn is_wanted(&mut self) -> bool;

    /// How much it has reported.
    fn reports(&self) -> u64;

    /// It hangs, and is killed.
    fn hangs(&self) {}

    /// Called each time that the process is looked at, and found to run.
    fn look(&self) {}

    /// Waits for so long, or until something has changed.
    fn wait(&self, limit: Duration);
}

/// Watches a process to its end: asks it to end once it isn't wanted any more, and kills it where it
/// says nothing for too long.
pub(crate) fn watch(
    child: &mut Child,
    mut silence: ReportTimeout,
    owner: &mut impl ProcessOwner,
) -> ChildEnd {
    let (mut asked, mut is_hung) = (false, false);
    loop {
        if let Some(status) = child.look() {
            return match (asked, is_hung) {
                (true, _) => ChildEnd::Asked,
                (false, true) => ChildEnd::Hung,
                (false, false) => ChildEnd::ByItself(status),
            };
        }
        owner.look();
        if !asked && !owner.is_wanted() {
            asked = true;
            child.ask_to_end();
        }
        if silence.is_over(owner.reports(), Instant::now()) && !is_hung {
            is_hung = true;
            owner.hangs();
            child.kill();
        }
        // An early wake-up is as good.
        owner.wait(POLL_INTERVAL);
    }
}

/// Waits for so long, unless something else is wanted meanwhile.
pub(crate) fn pause(limit: Duration, owner: &mut impl ProcessOwner) {
    let until = Instant::now() + limit;
    while Instant::now() < until && owner.is_wanted() {
        owner.wait(POLL_INTERVAL);
    }
}

/// When a process that ended is started again: for ever, after waits that grow.
pub(crate) struct Restarts {
    retry: Retry,
    jitter: Jitter,
}

impl Restarts {
    pub(crate) fn new() -> Restarts {
        Restarts { retry: Retry::new(RetryPolicy::process()), jitter: Jitter::new() }
    }

    /// How long to wait after one that ran since `running_since`. An opening that takes its time to
    /// fail is no time in which it ran. `None` is never.
    pub(crate) fn wait_after(&mut self, running_since: Option<Instant>) -> Option<Duration> {
        let now = Instant::now();
        let ran =
            running_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        match self.retry.lost_after(ran, now, self.jitter.number()) {
            Verdict::TryAt(at) => Some(at.saturating_duration_since(now)),
            Verdict::GiveUp => None,
        }
    }
}

/// For how long a process has said nothing. Only time in which the server itself went on counts: a
/// server that was stopped, or a machine that slept, makes no process hang.
#[derive(Debug)]
pub(crate) struct ReportTimeout {
    /// How long it may say nothing before its first word, and after it.
    limits: (Duration, Duration),
    reports: u64,
    looked: Instant,
    silent: Duration,
}

impl ReportTimeout {
    /// A process may say nothing for the first of these before its first word, to be loaded, and then for the second.
    pub(crate) fn new(now: Instant, limits: (Duration, Duration)) -> ReportTimeout {
        ReportTimeout { limits, reports: 0, looked: now, silent: Duration::ZERO }
    }

    /// Whether it is too long, where so many reports have come by `now`.
    fn is_over(&mut self, reports: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.looked).min(POLL_INTERVAL * 4);
        self.looked = now;
        if reports == self.reports {
            self.silent += passed;
        } else {
            (self.reports, self.silent) = (reports, Duration::ZERO);
        }
        let (first, later) = self.limits;
        self.silent >= if reports == 0 { first } else { later }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::process::Command;
    use std::thread;

    use super::*;

    /// An owner that wants a process or not.
    #[derive(Default)]
    struct Owner {
        wants: bool,
        reports: u64,
        has_seen_hang: Cell<bool>,
    }

    impl ProcessOwner for Owner {
        fn is_wanted(&mut self) -> bool {
            self.wants
        }

        fn reports(&self) -> u64 {
            self.reports
        }

        fn hangs(&self) {
            self.has_seen_hang.set(true);
        }

        fn wait(&self, _: Duration) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How a command ends that has so long for its first report, the next ones, and its end.
    fn end_of(words: &[&str], limits: [Duration; 3], owner: &mut Owner) -> ChildEnd {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let [first, later, stop] = limits;
        let mut child = Child::spawn(command, "test", stop, |_| ()).unwrap();
        watch(&mut child, ReportTimeout::new(Instant::now(), (first, later)), owner)
    }

    #[test]
    fn a_process_ends_by_itself_or_is_asked_or_killed() {
        let (never, now) = (Duration::MAX, Duration::ZERO);
        let mut wants = Owner { wants: true, ..Owner::default() };
        match end_of(&["sh", "-c", "exit 3"], [never; 3], &mut wants) {
            ChildEnd::ByItself(status) => assert_eq!(status.code(), Some(3)),
            other => panic!("{other:?}"),
        }
        // The end of its stdin asks it; it ends by that, or else when its time is over.
        for (words, stop) in [(&["cat"][..], never), (&["sleep", "100000"], now)] {
            let end = end_of(words, [never, never, stop], &mut Owner::default());
            assert!(matches!(end, ChildEnd::Asked), "{words:?}: {end:?}");
        }
        assert!(!wants.has_seen_hang.get());
        // It hangs where it has not reported for too long, or never has.
        for (reports, limits) in [(0, [now, never, never]), (1, [never, now, never])] {
            let mut owner = Owner { wants: true, reports, ..Owner::default() };
            let end = end_of(&["sleep", "100000"], limits, &mut owner);
            assert!(matches!(end, ChildEnd::Hung), "{reports}: {end:?}");
            assert!(owner.has_seen_hang.get());
        }
    }

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
        let limits = (Duration::from_secs(30), Duration::from_secs(8));
        let mut silence = ReportTimeout::new(now, limits);
        assert_eq!(looks(&mut silence, 0, &mut now, 50), 600);
        assert!(!silence.is_over(1, now));
        assert_eq!(looks(&mut silence, 1, &mut now, 50), 160);
        // The server was stopped for a day, and then for another: each counts as a moment.
        assert!(!silence.is_over(2, now));
        assert_eq!(looks(&mut silence, 2, &mut now, 86_400_000), 40);
        assert!(!silence.is_over(3, now));
    }
}
