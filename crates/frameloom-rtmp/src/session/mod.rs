//! Whole connections: the server's side and the client's.

pub mod auth;
mod client;
mod enhanced;
mod link;
mod media;
mod secret;
mod server;
mod timeline;

pub use client::{ClientConfig, ClientEvent, ClientRole, ClientSession, PlayStart, ServerInfo};
pub use enhanced::{FOUR_CCS, FourCcInfo, caps_ex};
pub use media::{Media, MediaType};
pub use secret::{Secret, StreamKey, percent_decode};
pub use server::{
    ConnectRequest, PlayRequest, PublishRequest, Refusal, ServerEvent, ServerSession,
    ServerSessionConfig,
};
pub use timeline::TimestampUnwrapper;

/// What a publisher asks for. RTMP 1.0, section 7.2.2.6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishKind {
    /// Only relayed; also what any unknown word is taken for.
    #[default]
    Live,
    /// To be recorded, replacing an earlier recording.
    Record,
    /// To be added to an earlier recording.
    Append,
}

impl PublishKind {
    fn parse(text: Option<&str>) -> Self {
        match text {
            Some("record") => PublishKind::Record,
            Some("append") => PublishKind::Append,
            _ => PublishKind::Live,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            PublishKind::Live => "live",
            PublishKind::Record => "record",
            PublishKind::Append => "append",
        }
    }
}
