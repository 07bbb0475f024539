//! What clients ask of a server, and what happens on a connection.

use super::super::enhanced::{FourCcInfo, PeerCapabilities};
use super::super::secret::query_parameter;
use super::super::{Media, PublishKind, Secret, StreamKey};
#[cfg(doc)]
use super::{ServerSession, ServerSessionConfig};
use crate::amf0::Value;
use crate::command::CommandMessage;

/// What a client said in `connect`. RTMP 1.0, section 7.2.1.1; Enhanced RTMP v2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectRequest {
    /// The application, without query, slashes around it, and the default instance that some
    /// clients name (`live/_definst_`). What of a URL is the application and what the stream's
    /// name, clients decide differently where there are more than two parts.
    pub app: String,
    /// What follows `?` in the application: Adobe-style credentials and tokens.
    pub query: Secret,
    /// The URL that the client was given; it may hold credentials.
    pub tc_url: Secret,
    /// The client's name for itself (`flashVer`).
    pub flash_version: String,
    /// Enhanced RTMP codecs the client knows; empty for one that knows nothing of them.
    pub four_ccs: Vec<String>,
    /// Enhanced RTMP v2 capability bits, see [`caps_ex`](crate::caps_ex).
    pub caps_ex: u32,
    /// What the client can do with video codecs, by Enhanced RTMP v2.
    pub video_codecs: Vec<FourCcInfo>,
    /// What the client can do with audio codecs, by Enhanced RTMP v2.
    pub audio_codecs: Vec<FourCcInfo>,
}

impl ConnectRequest {
    pub(super) fn parse(command: &CommandMessage, enhanced: &PeerCapabilities) -> Self {
        let text = |name| command.object.get(name).and_then(Value::as_str).unwrap_or_default();
        let (app, query) = text("app").split_once('?').unwrap_or((text("app"), ""));
        let app = app.trim_matches('/');
        ConnectRequest {
            app: app.strip_suffix("/_definst_").unwrap_or(app).to_owned(),
            query: query.into(),
            tc_url: text("tcUrl").into(),
            flash_version: text("flashVer").to_owned(),
            four_ccs: enhanced.four_ccs.clone(),
            caps_ex: enhanced.caps_ex.unwrap_or(0),
            video_codecs: enhanced.video.clone(),
            audio_codecs: enhanced.audio.clone(),
        }
    }

    /// The value of `name` in the application's query, or else in the one of `tcUrl`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let url_query = self.tc_url.expose().split_once('?').map_or("", |(_, query)| query);
        query_parameter(self.query.expose(), name).or_else(|| query_parameter(url_query, name))
    }
}

/// A client wants to publish; answer with [`ServerSession::accept`] or [`ServerSession::refuse`].
/// Media that arrives before the answer is held.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishRequest {
    /// The message stream to answer for.
    pub stream_id: u32,
    /// The application from `connect`.
    pub app: String,
    /// The stream's name and query. The name may be empty: what of a URL is the application and
    /// what the name, clients decide differently.
    pub key: StreamKey,
    /// Live or to be recorded.
    pub kind: PublishKind,
}

/// A client wants to play; answer with [`ServerSession::accept`] or [`ServerSession::refuse`].
#[derive(Clone, Debug, PartialEq)]
pub struct PlayRequest {
    /// The message stream to answer for.
    pub stream_id: u32,
    /// The application from `connect`.
    pub app: String,
    /// The stream's name and query. The name may be empty, as in [`PublishRequest`].
    pub key: StreamKey,
    /// Milliseconds into a recording; −2000 live or recorded, −1000 live only. The specification
    /// says seconds (section 7.2.2.1); what clients write is milliseconds.
    pub start_ms: f64,
}

/// What happened on a connection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// `connect` came, and has been answered.
    Connected(ConnectRequest),
    /// `connect` came, and waits for [`ServerSession::accept_connect`] or
    /// [`ServerSession::refuse_connect`], in place of [`ServerEvent::Connected`]: only with
    /// [`ServerSessionConfig::hold_connect`]. What the client sends before the answer is held.
    ConnectRequested(ConnectRequest),
    /// A client wants to publish.
    PublishRequested(PublishRequest),
    /// A client wants to play.
    PlayRequested(PlayRequest),
    /// Media of an accepted publisher.
    Media(Media),
    /// The publisher on this message stream has finished.
    PublishEnded {
        /// The message stream.
        stream_id: u32,
    },
    /// The player on this message stream has finished.
    PlayEnded {
        /// The message stream.
        stream_id: u32,
    },
    /// The player pauses or goes on. The client has been told yes; on going on, the embedder
    /// resumes at a keyframe.
    Paused {
        /// The message stream.
        stream_id: u32,
        /// Whether to stop sending.
        paused: bool,
    },
    /// The answer to [`ServerSession::ping`].
    Pong(u32),
}

/// Why the embedder refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Someone else publishes under this name.
    NameTaken,
    /// No stream can have this name.
    BadName,
    /// Wrong or missing key.
    Unauthorized,
    /// Nothing of this name to play.
    NotFound,
    /// The server holds as much as it may.
    NoMemory,
    /// Anything else: too many players, shutting down.
    Unavailable,
}
