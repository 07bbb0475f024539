//! How a publisher wakes the connections of its players.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;

use crate::lock::lock;

/// How far a player has come.
#[derive(Default)]
pub(crate) struct PlayerProgress {
    /// Bytes of media.
    pub(crate) sent_bytes: AtomicU64,
    /// Milliseconds on the log's clock.
    pub(crate) clock_ms: AtomicU64,
}

/// A connection that can take media without its task.
pub(crate) trait Direct: Send + Sync {
    /// Takes all media that there is. False where the task has to run: there is more than can be
    /// taken at once, or something else to be done. It must not leave a stream.
    fn take_media(&self) -> bool;
}

/// Wakes one connection's task, however many streams it plays. Each time costs a wake-up only if
/// the task has run since the last one and is not held up by its own peer.
///
/// As a waker of its own, for reading alone, it tells input from everything else: with hundreds of
/// players, looking for input at every packet is a good part of what a player costs.
///
/// All that a packet touches of it is in one line of the cache.
#[repr(align(64))]
pub(crate) struct Wake {
    task: Mutex<Waker>,
    direct: Option<Weak<dyn Direct>>,
    wants_media: AtomicBool,
    has_input: AtomicBool,
    is_claimed: AtomicBool,
    progress: PlayerProgress,
}

impl Default for Wake {
    fn default() -> Self {
        Wake {
            task: Mutex::new(Waker::noop().clone()),
            direct: None,
            wants_media: AtomicBool::new(false),
            // Nobody has looked yet.
            has_input: AtomicBool::new(true),
            is_claimed: AtomicBool::new(false),
            progress: PlayerProgress::default(),
        }
    }
}

impl Wake {
    /// To be called first whenever the task runs: what changes after this wakes it again.
    pub(crate) fn register(&self, waker: &Waker) {
        // It stays the same one for as long as the task is not moved into another.
        lock(&self.task).clone_from(waker);
        self.wants_media.store(true, Ordering::SeqCst);
    }

    /// The task can't use media now: until it has registered again, only [`Wake::wake`] wakes it.
    pub(crate) fn no_media(&self) {
        self.wants_media.store(false, Ordering::SeqCst);
    }

    /// As the default, for a connection that can take media without its task.
    pub(crate) fn direct(direct: Weak<dyn Direct>) -> Self {
        Wake { direct: Some(direct), ..Wake::default() }
    }

    /// There is new media, to be taken in the caller's turn if that is possible.
    pub(crate) fn media_at_once(&self) {
        if !self.wants_media.load(Ordering::SeqCst) {
            return;
        }
        let direct = self.direct.as_ref().and_then(Weak::upgrade);
        if !direct.is_some_and(|direct| direct.take_media()) {
            self.media();
        }
    }

    /// There is new media.
    pub(crate) fn media(&self) {
        if self.wants_media.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Something changed that the task has to see.
    pub(crate) fn wake(&self) {
        lock(&self.task).wake_by_ref();
    }

    /// Whether the caller's player is the first one here. [`Wake::progress`] is that one's.
    pub(crate) fn claim(&self) -> bool {
        !self.is_claimed.swap(true, Ordering::SeqCst)
    }

    /// How far the player has come that claimed it.
    pub(crate) fn progress(&self) -> &PlayerProgress {
        &self.progress
    }

    /// Whether the waker for reading was used since the last time.
    pub(crate) fn take_input(&self) -> bool {
        self.has_input.load(Ordering::SeqCst) && self.has_input.swap(false, Ordering::SeqCst)
    }
}

impl std::task::Wake for Wake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_input.store(true, Ordering::SeqCst);
        Wake::wake(self);
    }
}
