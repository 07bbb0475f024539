//! What the gate and the threads of your code tell each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Select, Sender, bounded};

use crate::error::{Error, Result};
use crate::image::Frame;

/// What the code is asked.
pub(crate) enum Ask {
    Frame(u64, Frame),
    /// To give out all it holds: no more frames come.
    Drain(u64),
}

/// What the code's threads tell the gate.
pub(crate) enum CodeReport {
    /// It takes the next frame, after this ask.
    Ready(u64),
    /// What came out for an ask. With `is_whole` nothing more does, with `is_ready` it takes the
    /// next frame.
    Answer { number: u64, frames: Vec<Frame>, is_whole: bool, is_ready: bool },
    /// It failed on an ask.
    Failed { number: u64, error: Error },
    /// The command is gone; with `is_final` it doesn't come back. `hangs` where it was killed
    /// because it did nothing.
    Down { error: Error, is_final: bool, hangs: bool },
    /// The command is started again with the next frame.
    Up,
    /// The command answers.
    Warm,
    /// Whoever sends this waits until all that was reported before has gone to the encoders: then the other
    /// end of this channel is gone.
    Flush(Sender<()>),
    /// The code has given out everything, or takes no more, or has failed for good.
    Ended(Result<()>),
}

/// Which frame of the code's is not the newest any more. Clones are the same.
#[derive(Clone)]
pub(crate) struct Overtaken {
    /// The number of its ask and one more, so that zero is none.
    past: Arc<AtomicU64>,
    noted: (Sender<()>, Receiver<()>),
}

impl Overtaken {
    pub(super) fn new() -> Overtaken {
        Overtaken { past: Arc::new(AtomicU64::new(0)), noted: bounded(1) }
    }

    /// A newer frame came than the one of this ask.
    pub(super) fn note(&self, number: u64) {
        self.past.store(number.saturating_add(1), Ordering::Release);
        // Where one is there already, whoever waits is woken by that.
        let _ = self.noted.0.try_send(());
    }

    /// Forgets what was noted of earlier asks.
    pub(crate) fn begin(&self) {
        while self.noted.1.try_recv().is_ok() {}
    }

    /// Whether a newer frame came than the one of this ask.
    pub(crate) fn is_past(&self, number: u64) -> bool {
        self.past.load(Ordering::Acquire) > number
    }

    /// Has `select` wait for that, unless it is so already.
    pub(crate) fn wait_for<'a>(&'a self, select: &mut Select<'a>) {
        select.recv(&self.noted.1);
    }
}

/// The code's end of the queues to and from the gate.
pub(crate) struct CodeChannels {
    pub(crate) asks: Receiver<Ask>,
    pub(crate) reports: Sender<CodeReport>,
}

impl CodeChannels {
    /// `false` where the gate is gone.
    pub(crate) fn report(&self, report: CodeReport) -> bool {
        self.reports.send(report).is_ok()
    }
}
