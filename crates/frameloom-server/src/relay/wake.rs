//! How a publisher wakes the connections of its players.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// Wakes one connection's task, however many streams it plays. Each time costs a wake-up only if
/// the task has run since the last one and is not held up by its own peer.
#[derive(Default)]
pub(crate) struct Wake {
    waker: AtomicWaker,
    wants_media: AtomicBool,
}

impl Wake {
    /// To be called first whenever the task runs: what changes after this wakes it again.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
        self.wants_media.store(true, Ordering::SeqCst);
    }

    /// The task can't use media now: until it has registered again, only [`Wake::wake`] wakes it.
    pub(crate) fn no_media(&self) {
        self.wants_media.store(false, Ordering::SeqCst);
    }

    /// There is new media.
    pub(crate) fn media(&self) {
        if self.wants_media.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    /// Something changed that the task has to see.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }
}
