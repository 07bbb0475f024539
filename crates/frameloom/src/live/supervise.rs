//! What keeps a live pipeline going: ends that are lost are opened again, and meanwhile the
//! outputs' clock goes on.
//!
//! Nothing here has a thread or sleeps by itself: the pipeline's threads ask, and time is given to
//! it or comes from a [`Clock`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::TrySendError::Disconnected;
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{Error, ErrorKind, Hint, Result, sentence};
use crate::live::retry::{Retry, Verdict};
use crate::time::clock::Clock;
use crate::time::stop::Stop;
use crate::time::{Rate, Timestamp};

/// An end that was opened again.
pub(crate) struct Reopened<T> {
    pub(crate) end: T,
    pub(crate) tries: u64,
    /// As it stands now, to be asked about the next loss.
    pub(crate) retry: Retry,
}

/// Tries `open` at `first`, and then until it works, as `retry` says. Gives up with its last error
/// once the limit is over, and at once on a stop.
pub(crate) fn reopen<T>(
    mut open: impl FnMut() -> Result<T>,
    mut retry: Retry,
    first: Instant,
    clock: &dyn Clock,
    stop: &Stop,
) -> Result<Reopened<T>> {
    let mut tries = 0;
    let mut next = first;
    loop {
        let wait = next.saturating_duration_since(clock.now());
        if !wait.is_zero() {
            clock.wait(wait, stop);
        }
        tries += 1;
        let began = clock.now();
        let opened = open();
        let now = clock.now();
        let took = now.saturating_duration_since(began);
        let failed = match opened {
            Ok(end) => {
                retry.opened(now, took);
                return Ok(Reopened { end, tries, retry });
            }
            Err(error) => error,
        };
        if stop.is_stopped() || failed.kind() == ErrorKind::Interrupted {
            return Err(failed);
        }
        next = due(retry.failed(now, took, clock.random()), &retry, &failed)?;
        let wait = next.saturating_duration_since(now);
        tracing::debug!("not yet: {failed}; the next try is in {:.1} s", wait.as_secs_f64());
    }
}

/// When the next try is, for an end that was lost because of `cause`.
///
/// # Errors
/// Where it is given up.
pub(crate) fn due(verdict: Verdict, retry: &Retry, cause: &Error) -> Result<Instant> {
    match verdict {
        Verdict::TryAt(at) => Ok(at),
        Verdict::GiveUp => Err(gave_up(cause, retry.limit().unwrap_or_default())),
    }
}

fn gave_up(last: &Error, limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    let cause = sentence!("it was lost, and not back within {} s: {}", seconds, last.cause());
    last.clone().reworded(cause).advised(Hint::TryLonger)
}

/// Whether the input's pictures come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PicturePresence {
    There,
    /// They don't; at the moment `since` the outputs' clock stood at `clock`.
    Lost {
        since: Instant,
        clock: Timestamp,
    },
    /// They come again, and belong behind this time on the outputs' clock.
    Back(Timestamp),
}

/// How many seams are remembered: more of them than frames on their way to an encoder.
const SEAMS: usize = 64;

/// Tells those who encode whether pictures come. Clones are the same line.
#[derive(Clone, Debug)]
pub(crate) struct PresenceSignal(Arc<Mutex<PresenceState>>);

#[derive(Debug)]
struct PresenceState {
    state: PicturePresence,
    /// The last times from which on pictures came again. Who encodes may be so far behind that it has
    /// missed one of them.
    seams: VecDeque<Timestamp>,
    /// Each is told that there is another state; which one they look up themselves.
    watchers: Vec<Sender<()>>,
}

impl PresenceSignal {
    pub(crate) fn new() -> PresenceSignal {
        PresenceSignal(Arc::new(Mutex::new(PresenceState {
            state: PicturePresence::There,
            seams: VecDeque::new(),
            watchers: Vec::new(),
        })))
    }

    fn shared(&self) -> MutexGuard<'_, PresenceState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, state: PicturePresence) {
        let mut shared = self.shared();
        shared.state = state;
        if let PicturePresence::Back(from) = state {
            shared.seams.push_back(from);
            if shared.seams.len() > SEAMS {
                shared.seams.pop_front();
            }
        }
        // Where one is told already, once is enough.
        shared.watchers.retain(|watcher| !matches!(watcher.try_send(()), Err(Disconnected(()))));
    }

    /// Gets a message each time the state has changed.
    fn changes(&self) -> Receiver<()> {
        let (watcher, changes) = bounded(1);
        self.shared().watchers.push(watcher);
        changes
    }

    /// Nothing comes any more: what is held ends at `now`, for all alike.
    pub(crate) fn end(&self, now: Instant) {
        if let PicturePresence::Lost { since, clock } = self.state() {
            let at = clock.plus(micros(now.saturating_duration_since(since)));
            self.set(PicturePresence::Back(at));
        }
    }

    pub(crate) fn state(&self) -> PicturePresence {
        self.shared().state
    }

    /// Whether pictures were away between a picture that ended at `end` and one at `at`.
    fn has_seam(&self, end: Timestamp, at: Timestamp) -> bool {
        self.shared().seams.iter().any(|from| end < *from && *from <= at)
    }
}

/// How long a line must have been lost, and no frame have come, before pictures are held: what is
/// still on its way goes first.
const HOLD_DELAY: Duration = Duration::from_millis(250);

/// The rate of held pictures where the stream has none.
const PLAIN_RATE: Timestamp = Timestamp::from_micros(40_000);

/// Says when the last picture is to be shown again.
#[derive(Debug)]
pub(crate) struct Hold {
    presence: PresenceSignal,
    changes: Receiver<()>,
    step: Timestamp,
    /// When the last frame came, and where it ends.
    last: Option<(Instant, Timestamp)>,
    /// Whether pictures were held since.
    holds: bool,
}

impl Hold {
    pub(crate) fn new(presence: PresenceSignal, rate: Option<Rate>) -> Hold {
        let step = rate.map_or(PLAIN_RATE, |rate| rate.time_base().at(1));
        let changes = presence.changes();
        Hold { presence, changes, step, last: None, holds: false }
    }

    /// Gets a message when another picture may be due, or at another time.
    pub(crate) fn changes(&self) -> &Receiver<()> {
        &self.changes
    }

    /// How long it is until the next picture is due, where no frame comes and the line stays as it
    /// is; `None` where none will be.
    pub(crate) fn time_until_next(&self, now: Instant) -> Option<Duration> {
        let (PicturePresence::Lost { since, clock }, Some((came, end))) =
            (self.presence.state(), self.last)
        else {
            return None;
        };
        // Fractions of a microsecond are no reason to ask twice.
        let until = end.plus(self.step).minus(clock).as_micros().saturating_add(1);
        let until = Duration::from_micros(u64::try_from(until).unwrap_or(0));
        let due = (since + until).max(since + HOLD_DELAY).max(came + HOLD_DELAY);
        Some(due.saturating_duration_since(now))
    }

    /// Where the next held picture belongs, and for how long, where one is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(Timestamp, Timestamp)> {
        let (came, end) = self.last?;
        let until = match self.presence.state() {
            PicturePresence::There => return None,
            PicturePresence::Lost { since, clock } => {
                let lost = now.saturating_duration_since(since);
                if lost < HOLD_DELAY || now.saturating_duration_since(came) < HOLD_DELAY {
                    return None;
                }
                clock.plus(micros(lost))
            }
            PicturePresence::Back(from) if self.holds => from,
            PicturePresence::Back(_) => return None,
        };
        self.before(until, came, end)
    }

    /// The same where a frame has come that belongs at `at`.
    pub(crate) fn due_before(&mut self, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let (came, end) = self.last?;
        // An input that had been silent and is back at once left no time to hold anything.
        if !self.holds && !self.presence.has_seam(end, at) {
            return None;
        }
        self.before(at, came, end)
    }

    fn before(
        &mut self,
        until: Timestamp,
        came: Instant,
        end: Timestamp,
    ) -> Option<(Timestamp, Timestamp)> {
        let next = end.plus(self.step);
        if next > until {
            return None;
        }
        self.holds = true;
        self.last = Some((came, next));
        Some((end, self.step))
    }

    /// A frame is about to be encoded. Whether it is the first one after held pictures.
    pub(crate) fn saw(&mut self, at: Timestamp, duration: Timestamp, now: Instant) -> bool {
        let length = if duration > Timestamp::ZERO { duration } else { self.step };
        self.last = Some((now, at.plus(length)));
        std::mem::take(&mut self.holds)
    }

    /// Where what is held ends: frames from before that come too late.
    pub(crate) fn held_until(&self) -> Option<Timestamp> {
        self.last.filter(|_| self.holds).map(|(_, end)| end)
    }
}

/// A span of the machine's time on the pipeline's clock.
pub(crate) fn micros(span: Duration) -> Timestamp {
    Timestamp::from_micros(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::never;

    use super::*;
    use crate::error::Stage;
    use crate::live::retry::RetryPolicy;

    /// Time that passes only where someone waits.
    #[derive(Debug)]
    struct FakeClock {
        start: Instant,
        waits: Mutex<Vec<Duration>>,
        /// What passed otherwise.
        spent: Mutex<Duration>,
    }

    impl FakeClock {
        fn new() -> FakeClock {
            FakeClock { start: Instant::now(), waits: Mutex::default(), spent: Mutex::default() }
        }

        fn waits(&self) -> Vec<Duration> {
            self.waits.lock().unwrap().clone()
        }

        fn passed(&self) -> Duration {
            self.waits().iter().sum::<Duration>() + *self.spent.lock().unwrap()
        }
    }

    impl Clock for FakeClock {
        fn now(&self) -> Instant {
            self.start + self.passed()
        }

        fn after(&self, _: Option<Duration>) -> Receiver<Instant> {
            never()
        }

        fn wait(&self, span: Duration, _: &Stop) {
            self.waits.lock().unwrap().push(span);
        }

        fn random(&self) -> u64 {
            0
        }
    }

    fn refused() -> Error {
        Error::new(ErrorKind::Connection, Stage::Source, "connection refused").at("rtmp://h/a/b")
    }

    /// Tries at once.
    fn reopen<T>(
        open: impl FnMut() -> Result<T>,
        limit: Option<Duration>,
        clock: &FakeClock,
        stop: &Stop,
    ) -> Result<Reopened<T>> {
        let mut retry = Retry::new(RetryPolicy::connection(limit));
        assert_eq!(retry.lost(clock.now(), 0), Verdict::TryAt(clock.now()));
        super::reopen(open, retry, clock.now(), clock, stop)
    }

    #[test]
    fn it_is_tried_for_ever_with_longer_and_longer_waits() {
        let clock = FakeClock::new();
        let mut left = 8;
        let open = || {
            left -= 1;
            if left > 0 { Err(refused()) } else { Ok("open") }
        };
        let found = reopen(open, None, &clock, &Stop::new()).unwrap();
        assert_eq!((found.end, found.tries), ("open", 8));
        let waits: Vec<_> = clock.waits().iter().map(Duration::as_secs_f64).collect();
        assert_eq!(waits, [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]);
    }

    #[test]
    fn the_time_that_a_try_takes_is_part_of_the_wait() {
        let clock = FakeClock::new();
        let mut took = [0.1, 0.9, 9.0, 3.0, 7.0, 9.9].map(Duration::from_secs_f64).into_iter();
        let open = || match took.next() {
            Some(span) => {
                *clock.spent.lock().unwrap() += span;
                Err(refused())
            }
            None => Ok(()),
        };
        reopen(open, None, &clock, &Stop::new()).unwrap();
        let waits: Vec<_> = clock.waits().iter().map(Duration::as_millis).collect();
        assert_eq!(waits, [400, 250, 250, 1000, 1000, 250]);
    }

    #[test]
    fn it_is_given_up_when_its_time_is_over() {
        let clock = FakeClock::new();
        let open = || -> Result<()> { Err(refused()) };
        let limit = Some(Duration::from_secs(5));
        let Err(error) = reopen(open, limit, &clock, &Stop::new()) else {
            panic!("it never opens");
        };
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.to_string().contains("not back within 5 s: connection refused"), "{error}");
        assert!(clock.passed() <= Duration::from_secs(5));
    }

    #[test]
    fn a_stop_ends_it_at_once() {
        let (clock, stop) = (FakeClock::new(), Stop::new());
        let mut tries = 0;
        let open = || -> Result<()> {
            tries += 1;
            stop.stop();
            Err(refused())
        };
        assert!(reopen(open, None, &clock, &stop).is_err());
        assert_eq!((tries, clock.waits().len()), (1, 0));
    }

    #[test]
    fn after_a_long_loss_the_waits_begin_where_they_were() {
        let clock = FakeClock::new();
        let mut left = 8;
        let open = || {
            left -= 1;
            if left > 0 { Err(refused()) } else { Ok(()) }
        };
        let mut retry = reopen(open, None, &clock, &Stop::new()).unwrap().retry;
        let before = clock.waits().len();
        for _ in 0..2 {
            // It opens, and is lost at once.
            let at = due(retry.lost(clock.now(), 0), &retry, &refused()).unwrap();
            retry = super::reopen(|| Ok(()), retry, at, &clock, &Stop::new()).unwrap().retry;
        }
        assert_eq!(clock.waits()[before..], [Duration::from_secs(10); 2]);
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1000)
    }

    #[test]
    fn pictures_are_held_at_the_streams_rate_until_frames_come_again() {
        let (presence, start) = (PresenceSignal::new(), Instant::now());
        let later = |ms| start + Duration::from_millis(ms);
        let mut hold = Hold::new(presence.clone(), Rate::new(25, 1));
        assert_eq!(hold.due(later(0)), None, "nothing was there to be held");
        assert!(!hold.saw(at(1000), at(40), later(0)));
        assert_eq!(hold.due(later(900)), None, "the line is there");

        presence.set(PicturePresence::Lost { since: later(1000), clock: at(2040) });
        assert_eq!(hold.due(later(1200)), None, "frames may be on their way");
        let mut held = Vec::new();
        while let Some((at, step)) = hold.due(later(1260)) {
            assert_eq!(step.as_micros(), 40_000);
            held.push(at.as_micros() / 1000);
        }
        let expected: Vec<i64> =
            (0..).map(|n| 1040 + 40 * n).take_while(|t| t + 40 <= 2300).collect();
        assert_eq!(held, expected, "all that is missing by then");
        assert_eq!(hold.due(later(1275)), None);
        assert_eq!(hold.due(later(1281)), Some((at(2280), at(40))));
        assert_eq!(hold.held_until(), Some(at(2320)));

        presence.end(later(1360));
        assert_eq!(presence.state(), PicturePresence::Back(at(2400)));
        assert_eq!(hold.due(later(1282)), Some((at(2320), at(40))));
        assert_eq!(hold.due(later(1282)), Some((at(2360), at(40))));
        assert_eq!(hold.due(later(1282)), None);
        assert_eq!(hold.due_before(at(2481)), Some((at(2400), at(40))));
        assert_eq!(hold.due_before(at(2481)), Some((at(2440), at(40))));
        assert_eq!(hold.due_before(at(2481)), None);
        assert!(hold.saw(at(2481), at(40), later(1400)), "the first frame behind the seam");
        assert!(!hold.saw(at(2521), at(40), later(1440)));
        assert_eq!(hold.due(later(9000)), None);
    }

    #[test]
    fn a_frame_that_still_comes_is_waited_for() {
        let (presence, start) = (PresenceSignal::new(), Instant::now());
        let later = |ms| start + Duration::from_millis(ms);
        let mut hold = Hold::new(presence.clone(), None);
        hold.saw(at(0), at(0), later(0));
        presence.set(PicturePresence::Lost { since: later(40), clock: at(80) });
        hold.saw(at(40), at(0), later(280));
        assert_eq!(hold.due(later(300)), None);
        assert_eq!(hold.due(later(540)), Some((at(80), at(40))));
    }

    /// Ten pictures a second, of which one has come when the input is lost, and back 10 ms later.
    fn back_at_once() -> (PresenceSignal, impl Fn(u64) -> Instant, Hold) {
        let (presence, start) = (PresenceSignal::new(), Instant::now());
        let later = move |ms| start + Duration::from_millis(ms);
        let mut hold = Hold::new(presence.clone(), Rate::new(10, 1));
        hold.saw(at(0), at(100), later(0));
        presence.set(PicturePresence::Lost { since: later(500), clock: at(500) });
        presence.set(PicturePresence::Back(at(510)));
        (presence, later, hold)
    }

    #[test]
    fn a_silence_is_filled_though_the_input_is_back_at_once() {
        let (_, later, mut hold) = back_at_once();
        assert_eq!(hold.due(later(510)), None, "frames from before may be on their way");
        assert_eq!(hold.due_before(at(100)), None, "such as this one");
        hold.saw(at(100), at(100), later(520));
        for held in [200, 300, 400] {
            assert_eq!(hold.due_before(at(510)), Some((at(held), at(100))));
        }
        assert_eq!(hold.due_before(at(510)), None);
        assert!(hold.saw(at(510), at(100), later(520)));
        assert_eq!(hold.due_before(at(5000)), None, "a pause of the stream itself");
    }

    #[test]
    fn a_silence_is_filled_though_another_follows_before_its_first_frame_is_encoded() {
        let (presence, later, mut hold) = back_at_once();
        presence.set(PicturePresence::Lost { since: later(700), clock: at(700) });
        presence.set(PicturePresence::Back(at(900)));
        for held in [100, 200, 300, 400] {
            assert_eq!(hold.due_before(at(510)), Some((at(held), at(100))));
        }
        assert_eq!(hold.due_before(at(510)), None);
        hold.saw(at(510), at(100), later(900));
        for held in [610, 710] {
            assert_eq!(hold.due_before(at(900)), Some((at(held), at(100))));
        }
        assert_eq!(hold.due_before(at(900)), None);
    }

    #[test]
    fn it_is_known_when_the_next_picture_is_due() {
        let (presence, start) = (PresenceSignal::new(), Instant::now());
        let later = |ms| start + Duration::from_millis(ms);
        let mut hold = Hold::new(presence.clone(), Rate::new(2, 1));
        hold.saw(at(0), at(500), later(0));
        assert_eq!(hold.time_until_next(later(100)), None, "frames come");
        assert!(hold.changes().try_recv().is_err());
        presence.set(PicturePresence::Lost { since: later(400), clock: at(500) });
        assert!(hold.changes().try_recv().is_ok(), "it isn't known to be lost");
        let time_until_next = hold.time_until_next(later(400)).unwrap();
        assert_eq!(hold.due(later(400) + time_until_next - Duration::from_micros(2)), None);
        assert_eq!(hold.due(later(400) + time_until_next), Some((at(500), at(500))));
        assert_eq!(hold.due(later(400) + time_until_next), None);
        let time_until_next = hold.time_until_next(later(950)).unwrap();
        assert!(time_until_next >= Duration::from_millis(450), "{time_until_next:?}");
        assert_eq!(hold.due(later(950) + time_until_next), Some((at(1000), at(500))));
        presence.set(PicturePresence::Back(at(1500)));
        presence.set(PicturePresence::Back(at(1500)));
        assert!(hold.changes().try_recv().is_ok() && hold.changes().try_recv().is_err());
        assert_eq!(hold.time_until_next(later(1500)), None);
    }
}
