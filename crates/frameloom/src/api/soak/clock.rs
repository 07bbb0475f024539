//! A clock whose time passes only while everyone waits for it.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never};

use crate::time::clock::Clock;
use crate::time::jitter::Jitter;
use crate::time::moment_after;
use crate::time::stop::Stop;

/// The name of threads that open an end again.
const REOPENING: &str = "frameloom-reopen";

/// How long, in real time, a thread waits before it looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);

/// Someone whose work no thread of the pipeline knows of.
pub(super) trait Worker: Debug + Send + Sync {
    /// Whether time has to stand until something is done.
    fn has_work(&self) -> bool;
}

/// Leaps from one moment that someone waits for to the next, as soon as nobody works.
///
/// A thread works from when its time has come until it asks for another; one that was woken by
/// something else than the time is not known to. Frames between the source and the user's code are
/// work as well, and so is what is told to be on its way.
#[derive(Debug)]
pub(super) struct Leaping {
    me: Weak<Leaping>,
    start: Instant,
    state: Mutex<SoakClockState>,
    /// Frames on their way to the user's code.
    on_their_way: AtomicI64,
    /// Events that must be noticed before time passes, however long that takes.
    unnoticed: AtomicI64,
    /// Threads that will open something again, and don't wait yet.
    starting: AtomicI64,
    worker: OnceLock<Weak<dyn Worker>>,
}

#[derive(Debug)]
struct SoakClockState {
    now: Instant,
    waiting: HashMap<ThreadId, (Instant, Sender<Instant>)>,
    working: HashSet<ThreadId>,
    chance: Jitter,
    leaps: u64,
    stands: bool,
}

thread_local! {
    static HERE: std::cell::RefCell<Option<Leave>> = const { std::cell::RefCell::new(None) };
}

/// Tells the clock that a thread ends.
struct Leave(Weak<Leaping>);

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(clock) = self.0.upgrade() {
            let mut state = clock.state();
            let thread = thread::current().id();
            state.waiting.remove(&thread);
            state.working.remove(&thread);
            clock.pass(&mut state);
        }
    }
}

impl Leaping {
    pub(super) fn new(seed: u64) -> Arc<Leaping> {
        let start = Instant::now();
        let state = SoakClockState {
            now: start,
            waiting: HashMap::new(),
            working: HashSet::new(),
            chance: Jitter::from_seed(seed),
            leaps: 0,
            stands: false,
        };
        Arc::new_cyclic(|me| Leaping {
            me: me.clone(),
            start,
            state: Mutex::new(state),
            on_their_way: AtomicI64::new(0),
            unnoticed: AtomicI64::new(0),
            starting: AtomicI64::new(0),
            worker: OnceLock::new(),
        })
    }

    /// No time passes while `worker` has work. The thread that sees the work done calls [`Leaping::nudge`],
    /// or something else that lets time pass.
    pub(super) fn wait_for_worker(&self, worker: Weak<dyn Worker>) {
        self.worker.set(worker).unwrap();
    }

    fn has_work(&self) -> bool {
        self.worker.get().and_then(Weak::upgrade).is_some_and(|worker| worker.has_work())
    }

    fn state(&self) -> MutexGuard<'_, SoakClockState> {
        self.state.lock().unwrap()
    }

    /// How much time has passed on it.
    pub(super) fn passed(&self) -> Duration {
        self.state().now - self.start
    }

    /// Stops it until it is told to go on.
    pub(super) fn stand(&self, still: bool) {
        let mut state = self.state();
        state.stands = still;
        self.pass(&mut state);
    }

    /// How often it has leapt.
    pub(super) fn leaps(&self) -> u64 {
        self.state().leaps
    }

    /// A frame is on its way to the user's code.
    pub(super) fn sent(&self) {
        self.on_their_way.fetch_add(1, Ordering::SeqCst);
    }

    /// Something is lost: time stands until the thread that opens it again waits.
    pub(super) fn lost(&self) {
        self.starting.fetch_add(1, Ordering::SeqCst);
    }

    /// What happened is noticed by a thread that works until it asks for another moment.
    pub(super) fn notice_and_work(&self) {
        self.register();
        self.state().working.insert(thread::current().id());
        self.noticed();
    }

    /// A thread asks for the time, maybe for the first time.
    fn register(&self) {
        HERE.with_borrow_mut(|here| {
            if here.is_some() {
                return;
            }
            *here = Some(Leave(self.me.clone()));
            if thread::current().name() == Some(REOPENING) {
                take_one(&self.starting);
            }
        });
    }

    /// One that was on its way is there.
    pub(super) fn arrived(&self) {
        // Of what a source sends at once, not all is counted.
        take_one(&self.on_their_way);
        self.pass(&mut self.state());
    }

    /// Something has happened: time stands until that is noticed, however long it takes.
    pub(super) fn happened(&self) {
        self.unnoticed.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn noticed(&self) {
        self.unnoticed.fetch_sub(1, Ordering::SeqCst);
        self.pass(&mut self.state());
    }

    /// To be called where it has not leapt for a while, since it stood at `leaps`: frames that still
    /// seem to be on their way will not come. Not all that a source sends becomes a picture.
    pub(super) fn nudge(&self, leaps: u64) {
        let mut state = self.state();
        if state.leaps == leaps {
            self.on_their_way.store(0, Ordering::SeqCst);
            self.pass(&mut state);
        }
    }

    fn pass(&self, state: &mut SoakClockState) {
        while !state.stands
            && state.working.is_empty()
            && self.on_their_way.load(Ordering::SeqCst) == 0
            && self.unnoticed.load(Ordering::SeqCst) == 0
            && self.starting.load(Ordering::SeqCst) == 0
            && !self.has_work()
        {
            if !self.leap(state) {
                return;
            }
        }
    }

    /// Goes to the next moment that someone waits for. `false` where there is none.
    fn leap(&self, state: &mut SoakClockState) -> bool {
        let Some(due) = state.waiting.values().map(|(due, _)| *due).min() else { return false };
        state.now = state.now.max(due);
        state.leaps += 1;
        let now = state.now;
        let due: Vec<_> =
            state.waiting.iter().filter(|(_, w)| w.0 <= now).map(|(thread, _)| *thread).collect();
        for thread in due {
            let (_, sender) = state.waiting.remove(&thread).unwrap();
            // A thread that was woken by something else has no use for it.
            if sender.try_send(now).is_ok() {
                state.working.insert(thread);
            }
        }
        true
    }
}

impl Clock for Leaping {
    fn now(&self) -> Instant {
        self.state().now
    }

    fn after(&self, span: Option<Duration>) -> Receiver<Instant> {
        let (thread, mut state) = (thread::current().id(), self.state());
        state.working.remove(&thread);
        state.waiting.remove(&thread);
        let receiver = span.map_or_else(never, |span| {
            self.register();
            let (sender, receiver) = bounded(1);
            let due = moment_after(state.now, span);
            state.waiting.insert(thread, (due, sender));
            receiver
        });
        self.pass(&mut state);
        receiver
    }

    fn wait(&self, span: Duration, stop: &Stop) {
        wait_for(&self.after(Some(span)), stop);
    }

    fn random(&self) -> u64 {
        self.state().chance.number()
    }
}

fn take_one(count: &AtomicI64) {
    let _ = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| Some((n - 1).max(0)));
}

fn wait_for(over: &Receiver<Instant>, stop: &Stop) {
    while !stop.is_stopped() {
        match over.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return,
        }
    }
}
