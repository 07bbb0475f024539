//! For how long nobody may play a pipeline that is on demand.

use std::time::{Duration, Instant};

use crate::serve::processes::watch::POLL_INTERVAL;

/// For how long nobody has played.
#[derive(Debug, Default)]
pub(super) struct IdleTimeout {
    since: Option<Instant>,
    looked: Option<Instant>,
}

impl IdleTimeout {
    /// Whether nobody has played for `limit`. Players are counted a few times a second.
    pub(super) fn is_over(&mut self, limit: Duration, players: impl FnOnce() -> usize) -> bool {
        let now = Instant::now();
        if self.looked.is_none_or(|looked| now.duration_since(looked) >= POLL_INTERVAL * 4) {
            self.looked = Some(now);
            if players() > 0 {
                self.since = None;
            } else {
                self.since.get_or_insert(now);
            }
        }
        self.since.is_some_and(|since| now.duration_since(since) >= limit)
    }
}
