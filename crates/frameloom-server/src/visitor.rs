//! A client that asks to publish or play, and what stands in its URL.

use std::net::SocketAddr;
use std::sync::Arc;

use frameloom_rtmp::{Secret, percent_decode};

/// What someone wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Publish,
    Play,
}

impl Action {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Action::Publish => "publish",
            Action::Play => "play",
        }
    }
}

/// Someone who asks to publish or play, and what it said of itself. It holds secrets.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) action: Action,
    pub(crate) app: String,
    pub(crate) name: String,
    /// The queries that may have the key, the stream's own first.
    pub(crate) queries: [Secret; 2],
    pub(crate) address: SocketAddr,
    pub(crate) client_id: u64,
    pub(crate) client: Arc<str>,
    pub(crate) tc_url: Secret,
    /// It showed the API's token: who has that may do more than play.
    pub(crate) has_token: bool,
}

/// The names and values of a query, without their percent signs.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(name), percent_decode(value))
    })
}
