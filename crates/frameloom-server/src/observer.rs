//! A look at a running server from outside.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::relay::StreamName;
use crate::shared::ServerState;
use crate::status::{self, ServerStatus};

/// Tells what a server does, also to those who don't own it. Clones look at the same one. It keeps
/// nothing running: of a server that has stopped it tells that nothing is there.
#[derive(Clone)]
pub struct Observer {
    shared: Arc<ServerState>,
}

impl Observer {
    pub(crate) fn new(shared: Arc<ServerState>) -> Self {
        Observer { shared }
    }

    /// What the server is doing.
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        status::snapshot(&self.shared)
    }

    /// Whether somebody publishes the stream `name` of the application `app`.
    #[must_use]
    pub fn is_published(&self, app: &str, name: &str) -> bool {
        let name = StreamName::new(app, name);
        name.is_some_and(|name| self.shared.relays.find(&name).is_some())
    }

    /// Whether a connection was refused or cut within the last minute because memory was used up.
    #[must_use]
    pub fn is_at_memory_limit(&self) -> bool {
        self.shared.memory.is_at_limit(Instant::now())
    }

    /// How many play this stream, or wait for somebody to publish it.
    #[must_use]
    pub fn players(&self, app: &str, name: &str) -> usize {
        StreamName::new(app, name).map_or(0, |name| self.shared.relays.count_players(&name))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("addresses", &self.shared.addresses).finish()
    }
}
