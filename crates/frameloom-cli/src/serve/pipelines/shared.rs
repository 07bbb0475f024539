//! What all pipelines of a server share.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use frameloom_server::Observer;

use crate::serve::models::sockets::ModelSockets;
use crate::serve::place::StreamOf;
use crate::serve::processes::child::{ChildStart, ProgramFile};
use crate::serve::processes::context::{ProcessContext, ServeEvent};

/// What all pipelines share.
pub(crate) struct PipelinesShared {
    /// This program.
    program: ProgramFile,
    context: Arc<ProcessContext>,
    /// Where its programs reach the file's models.
    pub(super) sockets: Arc<ModelSockets>,
    /// There as soon as the server is.
    observer: OnceLock<Observer>,
    /// Streams of which a picture is being taken.
    onlookers: Mutex<Vec<StreamOf>>,
}

impl PipelinesShared {
    pub(super) fn new(
        program: ProgramFile,
        context: Arc<ProcessContext>,
        sockets: Arc<ModelSockets>,
    ) -> PipelinesShared {
        PipelinesShared {
            program,
            context,
            sockets,
            observer: OnceLock::new(),
            onlookers: Mutex::default(),
        }
    }

    /// How the child `name` is started.
    pub(super) fn start_of(&self, name: &str) -> ChildStart {
        let withheld = self.context.withheld();
        ChildStart { program: self.program.clone(), name: name.to_owned(), withheld }
    }

    /// The server runs from now on.
    pub(super) fn attach(&self, observer: Observer) {
        // It is called once.
        let _ = self.observer.set(observer);
    }

    pub(super) fn tell(&self, event: ServeEvent) {
        self.context.tell(event);
    }

    fn onlookers(&self) -> MutexGuard<'_, Vec<StreamOf>> {
        self.onlookers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many play a stream, or wait for it. A snapshot of it doesn't count: to look
    /// at what is on demand must not keep it running.
    pub(super) fn players(&self, stream: &StreamOf) -> usize {
        let onlookers = self.onlookers().iter().filter(|seen| *seen == stream).count();
        let players = self.observer.get();
        let players = players.map_or(0, |server| server.players(&stream.app, &stream.name));
        players.saturating_sub(onlookers)
    }

    /// Whether the server refuses or cuts for want of memory.
    pub(super) fn is_at_memory_limit(&self) -> bool {
        self.observer.get().is_some_and(frameloom_server::Observer::is_at_memory_limit)
    }

    pub(super) fn is_published(&self, stream: &StreamOf) -> bool {
        self.observer.get().is_some_and(|server| server.is_published(&stream.app, &stream.name))
    }
}

/// Somebody who takes a picture of a stream, until this is dropped.
pub(crate) struct SnapshotGuard {
    shared: Arc<PipelinesShared>,
    stream: StreamOf,
}

impl SnapshotGuard {
    pub(super) fn new(shared: &Arc<PipelinesShared>, stream: &StreamOf) -> SnapshotGuard {
        shared.onlookers().push(stream.clone());
        SnapshotGuard { shared: Arc::clone(shared), stream: stream.clone() }
    }
}

impl Drop for SnapshotGuard {
    fn drop(&mut self) {
        let mut all = self.shared.onlookers();
        if let Some(place) = all.iter().position(|stream| *stream == self.stream) {
            all.swap_remove(place);
        }
    }
}
