//! What the program around a server adds to it.

use std::fmt;
use std::sync::Arc;

use axum::Router;

/// Text in Prometheus' format, made when somebody asks.
pub type MetricsSource = Arc<dyn Fn() -> String + Send + Sync>;

/// Told the application and the name that a player asks for and nobody publishes. True says that
/// somebody is about to.
pub type Wanted = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// What the program around a server adds to it. Nothing by default.
#[derive(Clone, Default)]
pub struct Extensions {
    /// Routes beside the server's own, behind the same limits and time-outs. Requests to them are
    /// checked as those for the status are: for their Host, their Origin and, below `/api/`, for
    /// [`ServerConfig::api_token`](crate::ServerConfig::api_token). They must not begin with
    /// `/api/v1/status` or `/metrics`, and must not end with `.flv`.
    pub routes: Option<Router>,
    /// What `/metrics` shows behind the server's own metrics.
    pub metrics: Option<MetricsSource>,
    /// Called for each player of a name that nobody publishes, and quick to return. Players over
    /// RTMP wait for [`Timeouts::play_wait`](crate::Timeouts::play_wait) in any case; those over
    /// HTTP and WebSockets only if this says that it is worth it.
    pub wanted: Option<Wanted>,
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions")
            .field("routes", &self.routes.is_some())
            .field("metrics", &self.metrics.is_some())
            .field("wanted", &self.wanted.is_some())
            .finish()
    }
}
