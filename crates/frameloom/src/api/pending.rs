//! What takes its time, on a thread of its own: whoever waits for it can do so in slices.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::error::{Error, Result};
use crate::run::threads::start_thread;

/// Something that is being opened, started or finished. Dropped, it goes on to its end and what came of it is
/// let go: stop it by the [`Stop`](crate::Stop) that it was given.
pub struct Pending<T> {
    found: Receiver<Result<T>>,
}

impl<T: Send + 'static> Pending<T> {
    /// Starts `open` on a thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn start(open: impl FnOnce() -> Result<T> + Send + 'static) -> Result<Pending<T>> {
        let (sender, found) = bounded(1);
        start_thread("frameloom-open", move || {
            // Nobody may want it any more.
            let _ = sender.send(open());
        })?;
        Ok(Pending { found })
    }

    /// What came of it; `None` where nothing did within `limit`. It comes once.
    pub fn wait(&self, limit: Duration) -> Option<Result<T>> {
        match self.found.recv_timeout(limit) {
            Ok(found) => Some(found),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some(Err(Error::process("the thread that opens it panicked")))
            }
        }
    }
}

impl<T> Pending<T> {
    /// Something that is there already.
    pub fn done(it: T) -> Pending<T> {
        let (sender, found) = bounded(1);
        // There is room for one.
        let _ = sender.send(Ok(it));
        Pending { found }
    }
}

impl Pending<()> {
    /// What `found` gives; done already where there is nothing to wait for.
    pub(super) fn of(found: Option<Receiver<Result<()>>>) -> Pending<()> {
        found.map_or_else(|| Pending::done(()), |found| Pending { found })
    }
}

impl<T> std::fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
