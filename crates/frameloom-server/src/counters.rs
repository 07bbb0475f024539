//! What is counted, and by what it is told apart.

use std::sync::atomic::{AtomicU64, Ordering};

use frameloom_rtmp::Refusal;

/// Counts since the server's start.
#[derive(Default)]
pub(crate) struct ServerCounters {
    pub(crate) connections: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) player_skips: AtomicU64,
    pub(crate) players_cut: AtomicU64,
    pub(crate) dropped_packets: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) bad_input: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
}

impl ServerCounters {
    pub(crate) fn refuse(&self, reason: Reason) {
        if let Some(count) = self.refused.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn refused(&self, reason: Reason) -> u64 {
        self.refused.get(reason as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Connections,
    ConnectionsPerAddress,
    PublishKey,
    PlayKey,
    Callback,
    BadName,
    NameTaken,
    NotFound,
    Stopping,
    Memory,
}

impl Reason {
    pub(crate) const ALL: [Reason; 10] = [
        Reason::Connections,
        Reason::ConnectionsPerAddress,
        Reason::PublishKey,
        Reason::PlayKey,
        Reason::Callback,
        Reason::BadName,
        Reason::NameTaken,
        Reason::NotFound,
        Reason::Stopping,
        Reason::Memory,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Reason::Connections => "connections",
            Reason::ConnectionsPerAddress => "connections_per_address",
            Reason::PublishKey => "publish_key",
            Reason::PlayKey => "play_key",
            Reason::Callback => "callback",
            Reason::BadName => "bad_name",
            Reason::NameTaken => "name_taken",
            Reason::NotFound => "not_found",
            Reason::Stopping => "stopping",
            Reason::Memory => "memory_limit",
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Reason::Connections | Reason::ConnectionsPerAddress => "too many connections",
            Reason::PublishKey | Reason::PlayKey => "wrong or missing key",
            Reason::Callback => "the callback did not allow it",
            Reason::BadName => {
                "the name is empty, too long, or has characters that no name may have"
            }
            Reason::NameTaken => "another publisher has this name",
            Reason::NotFound => "nobody publishes this name",
            Reason::Stopping => "the server is stopping",
            Reason::Memory => "the server has no memory left for it",
        }
    }

    /// How RTMP says it.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Reason::PublishKey | Reason::PlayKey | Reason::Callback => Refusal::Unauthorized,
            Reason::BadName => Refusal::BadName,
            Reason::NameTaken => Refusal::NameTaken,
            Reason::NotFound => Refusal::NotFound,
            Reason::Connections | Reason::ConnectionsPerAddress | Reason::Stopping => {
                Refusal::Unavailable
            }
            Reason::Memory => Refusal::NoMemory,
        }
    }
}

/// How a stream is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlayProtocol {
    Rtmp,
    HttpFlv,
    WebSocketFlv,
}

impl PlayProtocol {
    pub(crate) const ALL: [PlayProtocol; 3] =
        [PlayProtocol::Rtmp, PlayProtocol::HttpFlv, PlayProtocol::WebSocketFlv];

    pub(crate) fn label(self) -> &'static str {
        match self {
            PlayProtocol::Rtmp => "rtmp",
            PlayProtocol::HttpFlv => "http-flv",
            PlayProtocol::WebSocketFlv => "websocket-flv",
        }
    }
}
