//! The wish that a pipeline finish its outputs and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::time::moment_after;

/// Asks one or more pipelines to finish their outputs and end. Clones are the same wish.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    parent: Option<Arc<Stop>>,
}

impl Stop {
    /// Nothing asked yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks for it; wakes whoever waits for an input.
    pub fn stop(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked for.
    pub fn is_stopped(&self) -> bool {
        self.flag.load(Ordering::Relaxed) || self.parent.as_ref().is_some_and(|p| p.is_stopped())
    }

    /// One that is also stopped by this one, but not the other way round.
    pub(crate) fn child(&self) -> Stop {
        Stop { flag: Arc::default(), parent: Some(Arc::new(self.clone())) }
    }

    /// Waits for so long, or until a stop.
    pub(crate) fn wait(&self, span: Duration) {
        let until = moment_after(Instant::now(), span);
        while !self.is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_stops_with_its_parent_and_not_the_other_way_round() {
        let parent = Stop::new();
        let (a, b) = (parent.child(), parent.child());
        a.stop();
        assert!(a.is_stopped() && !b.is_stopped() && !parent.is_stopped());
        parent.clone().stop();
        assert!(b.is_stopped());
    }
}
