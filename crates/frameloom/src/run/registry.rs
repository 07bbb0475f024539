//! Which outputs a running pipeline has.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::{Error, Hint, Result};
use crate::stats::Stats;
use crate::time::stop::Stop;

/// The outputs of a running pipeline, by their numbers. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<BTreeMap<usize, RegisteredOutput>>>);

struct RegisteredOutput {
    stop: Stop,
    leaves: Arc<AtomicBool>,
    /// Frames are written to it; to one that is copied from packets that were kept, none are.
    takes_frames: bool,
    state: OutputState,
}

enum OutputState {
    There,
    /// It ended by itself.
    Ended,
    /// It was removed; what becomes of its end is awaited here.
    Leaves(Sender<Result<()>>),
}

impl Registry {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<usize, RegisteredOutput>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an output, every wait for whose other end `stop` ends. What is given is set when the
    /// output is removed before its end.
    pub(super) fn add(&self, number: usize, stop: Stop, takes_frames: bool) -> Arc<AtomicBool> {
        let leaves = Arc::<AtomicBool>::default();
        let state = OutputState::There;
        let entry = RegisteredOutput { stop, leaves: Arc::clone(&leaves), takes_frames, state };
        self.entries().insert(number, entry);
        leaves
    }

    /// Notes that an output has ended. Gives the result back unless the output was removed: then
    /// it is for whoever removed it.
    pub(super) fn ended(&self, number: usize, result: Result<()>, stats: &Stats) -> Result<()> {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&number) else { return result };
        if let OutputState::Leaves(awaited) = &entry.state {
            // Nobody may want to know.
            let _ = awaited.send(result);
            entries.remove(&number);
            stats.output_removed(number);
            return Ok(());
        }
        entry.state = OutputState::Ended;
        result
    }

    /// Begins the end of an output. What comes of it is sent to what is given. `is_over` says that the input
    /// has ended, so that the output ends as it would anyway.
    ///
    /// # Errors
    /// Where there is no output of this number, or no more; where it is the last and `keeps_one`.
    pub(super) fn leave(
        &self,
        number: usize,
        keeps_one: bool,
        is_over: bool,
    ) -> Result<Receiver<Result<()>>> {
        let mut entries = self.entries();
        let there =
            entries.values().filter(|entry| matches!(entry.state, OutputState::There)).count();
        let entry = entries.get_mut(&number);
        let (sender, receiver) = bounded(1);
        if entry.as_ref().is_some_and(|entry| matches!(entry.state, OutputState::Ended)) {
            // It has ended by itself, and is finished.
            let _ = sender.send(Ok(()));
            return Ok(receiver);
        }
        let Some(entry) = entry.filter(|entry| matches!(entry.state, OutputState::There)) else {
            return Err(Error::usage(format!("there is no output {number} that could be removed")));
        };
        if keeps_one && there == 1 {
            let cause = "the last output can't be removed: nothing would be left to do";
            return Err(Error::usage(cause).hint(Hint::StopThePipeline));
        }
        entry.state = OutputState::Leaves(sender);
        entry.leaves.store(!is_over, Ordering::Relaxed);
        entry.stop.stop();
        Ok(receiver)
    }

    /// Whether frames can be written to an output of this number.
    pub(crate) fn contains(&self, number: usize) -> bool {
        let entries = self.entries();
        entries.get(&number).is_some_and(|entry| !matches!(entry.state, OutputState::Leaves(_)))
    }

    /// Whether an output of this number is there that gets packets of the input alone.
    pub(crate) fn is_copied(&self, number: usize) -> bool {
        self.entries().get(&number).is_some_and(|entry| !entry.takes_frames)
    }

    /// Whether an output of this number has ended by itself.
    pub(crate) fn has_ended(&self, number: usize) -> bool {
        let entries = self.entries();
        entries.get(&number).is_some_and(|entry| matches!(entry.state, OutputState::Ended))
    }

    /// The numbers of the outputs that frames can be written to.
    pub(crate) fn numbers(&self) -> Vec<usize> {
        let entries = self.entries();
        let there = entries.iter().filter(|(_, entry)| {
            entry.takes_frames && !matches!(entry.state, OutputState::Leaves(_))
        });
        there.map(|(number, _)| *number).collect()
    }

    /// Whether there is none that frames can be written to.
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers().is_empty()
    }
}
