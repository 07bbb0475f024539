//! The newest frame that a loop has read, for another thread: a model that is slower than the stream.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use frameloom::{Frame, Result};

use crate::lock::lock;

/// The newest frame that was read and that nobody took yet.
#[derive(Default)]
pub(crate) struct Latest {
    state: Mutex<LatestState>,
    changed: Condvar,
}

#[derive(Default)]
struct LatestState {
    /// Somebody has asked for one: before that, nothing is kept.
    is_wanted: bool,
    frame: Option<Frame>,
    is_over: bool,
}

/// What there is of the newest frame.
pub(crate) enum LatestFrame {
    Frame(Frame),
    Over,
    NotYet,
}

impl Latest {
    /// Keeps a frame that was read, as it is now, in place of the one before.
    pub(crate) fn put(&self, frame: &mut Frame) -> Result<()> {
        let mut state = lock(&self.state);
        state.is_over = false;
        if state.is_wanted {
            state.frame = Some(frame.share()?);
            self.changed.notify_one();
        }
        Ok(())
    }

    /// No more come.
    pub(crate) fn end(&self) {
        lock(&self.state).is_over = true;
        self.changed.notify_all();
    }

    /// Takes the newest frame; waits for one for at most so long.
    pub(crate) fn take(&self, limit: Duration) -> LatestFrame {
        let mut state = lock(&self.state);
        state.is_wanted = true;
        if state.frame.is_none() && !state.is_over {
            let waited = self.changed.wait_timeout(state, limit);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match state.frame.take() {
            Some(frame) => LatestFrame::Frame(frame),
            None if state.is_over => LatestFrame::Over,
            None => LatestFrame::NotYet,
        }
    }
}
