//! Threads of what was removed and has not ended yet.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often an end looks at what still runs.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(crate) struct Leaving(Mutex<Vec<JoinHandle<()>>>);

impl Leaving {
    fn lock(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the thread of something that was asked to end.
    pub(crate) fn push(&self, thread: JoinHandle<()>) {
        let mut threads = self.lock();
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }

    /// Waits until all of them have ended, and `others` have, for `limit` at the most. Whether they have.
    pub(crate) fn wait(&self, limit: Duration, others: impl Fn() -> bool) -> bool {
        let until = Instant::now() + limit;
        while !(self.lock().iter().all(JoinHandle::is_finished) && others()) {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }
}
