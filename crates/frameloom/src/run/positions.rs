//! How far the stored inputs of one pipeline have been read. Each waits for those that are behind, so
//! that what an output has of them comes nearly at once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::Timestamp;
use crate::time::stop::Stop;

/// How far one input may be read ahead of another.
const AHEAD: Timestamp = Timestamp::from_micros(1_000_000);
/// How often a wait looks whether a stop was asked for.
const TICK: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Shared {
    /// One for each input; `None` for one that is read to its end.
    reached: Mutex<Vec<Option<Timestamp>>>,
    changed: Condvar,
}

/// The positions of a pipeline's stored inputs; a clone is the same.
#[derive(Clone, Default)]
pub(super) struct ReadPositions(Arc<Shared>);

/// That of one input. Dropped, the others wait for it no more.
pub(super) struct ReadPosition {
    all: ReadPositions,
    number: usize,
}

impl ReadPositions {
    fn reached(&self) -> MutexGuard<'_, Vec<Option<Timestamp>>> {
        self.0.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more input, whose packets begin there.
    pub(super) fn add(&self, begin: Timestamp) -> ReadPosition {
        let mut reached = self.reached();
        reached.push(Some(begin));
        ReadPosition { all: self.clone(), number: reached.len() - 1 }
    }
}

impl ReadPosition {
    /// The input is read up to `at`: waits while another one is further behind than may be, or until a
    /// stop.
    pub(super) fn reach(&self, at: Timestamp, stop: &Stop) {
        let mut reached = self.all.reached();
        if let Some(own) = reached.get_mut(self.number) {
            *own = (*own).max(Some(at));
        }
        self.all.0.changed.notify_all();
        let is_ahead = |reached: &[Option<Timestamp>]| {
            reached.iter().flatten().any(|other| other.plus(AHEAD) < at)
        };
        while is_ahead(&reached) && !stop.is_stopped() {
            let waited = self.all.0.changed.wait_timeout(reached, TICK);
            (reached, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for ReadPosition {
    fn drop(&mut self) {
        if let Some(own) = self.all.reached().get_mut(self.number) {
            *own = None;
        }
        self.all.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1000)
    }

    #[test]
    fn an_input_waits_for_one_that_is_behind() {
        let all = ReadPositions::default();
        let (first, second) = (all.add(at(0)), all.add(at(0)));
        let stop = Stop::new();
        first.reach(at(1000), &stop);
        let (sender, passed) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                for ms in [1001, 3000, 9000] {
                    first.reach(at(ms), &stop);
                    sender.send(ms).unwrap();
                }
            });
            second.reach(at(500), &stop);
            assert_eq!(passed.recv().unwrap(), 1001);
            second.reach(at(2000), &stop);
            assert_eq!(passed.recv().unwrap(), 3000);
            // It is over, and nobody waits for it.
            drop(second);
            assert_eq!(passed.recv().unwrap(), 9000);
        });
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let all = ReadPositions::default();
        let (first, _second) = (all.add(at(0)), all.add(at(0)));
        let stop = Stop::new();
        stop.stop();
        first.reach(at(60_000), &stop);
    }
}
