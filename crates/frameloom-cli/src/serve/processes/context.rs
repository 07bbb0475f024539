//! What all processes of a server share: what happens to them, and which environment variables
//! they don't get.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::report::EventKind;
use crate::serve::history::HistoryLine;

/// Events that a slow listener may be behind before it misses some.
const EVENTS: usize = 256;

/// What happens to a pipeline or a model, by its name.
#[derive(Clone, Debug)]
pub(crate) enum ServeEvent {
    /// A pipeline's state, or what else is shown of it.
    State(String),
    /// A second of a pipeline has gone by.
    Stats(String),
    /// A pipeline said something.
    Log(String, HistoryLine),
    /// Something happened that a pipeline's process reported, of several inputs to the one of this
    /// number.
    Reported(String, (EventKind, Option<usize>), HistoryLine),
    /// A model's state, or what else is shown of it.
    Model(String),
    /// The server stops.
    Over,
}

/// What all processes share.
pub(crate) struct ProcessContext {
    /// Environment variables that the file names: no process gets them.
    withheld: Mutex<BTreeSet<String>>,
    events: broadcast::Sender<ServeEvent>,
}

impl ProcessContext {
    pub(crate) fn new() -> ProcessContext {
        ProcessContext { withheld: Mutex::default(), events: broadcast::Sender::new(EVENTS) }
    }

    /// No process gets these environment variables from now on.
    pub(crate) fn withhold(&self, names: BTreeSet<String>) {
        self.withheld.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    /// The environment variables that no process gets.
    pub(crate) fn withheld(&self) -> Vec<String> {
        let withheld = self.withheld.lock().unwrap_or_else(PoisonError::into_inner);
        withheld.iter().cloned().collect()
    }

    /// What happens from now on.
    pub(crate) fn events(&self) -> broadcast::Receiver<ServeEvent> {
        self.events.subscribe()
    }

    pub(crate) fn tell(&self, event: ServeEvent) {
        // Mostly nobody listens.
        let _ = self.events.send(event);
    }
}
