//! A look at a running server from outside.

use std::fmt;
use std::sync::Arc;

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
        self.shared.relays.find(&stream_name(app, name)).is_some()
    }

    /// How many play this stream, or wait for somebody to publish it.
    #[must_use]
    pub fn players(&self, app: &str, name: &str) -> usize {
        self.shared.relays.count_players(&stream_name(app, name))
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("addresses", &self.shared.addresses).finish()
    }
}

fn stream_name(app: &str, name: &str) -> StreamName {
    StreamName { app: app.into(), name: name.into() }
}
