//! RTMP, both roles, and FLV tags, sans-IO: bytes in, events and bytes out. No sockets, no clock,
//! no threads.
//!
//! # The run loop
//!
//! A session ([`ServerSession`] or [`ClientSession`]) is driven by whoever owns the socket. After
//! **every** call that may change it, in this order:
//!
//! 1. **Events:** `poll_event` until it gives `None`, acting on each. Events that are left queue
//!    up in memory, and count: past [`Limits::connection_bytes`] the session fails.
//! 2. **OutputBuffer:** `poll_output` until it gives `None`, writing each piece in full and in order.
//!    Where the socket takes no more, keep what is left of the piece and call again later;
//!    `output_bytes` says how much waits. Or write `output`, which is a [`bytes::Buf`], from where
//!    it is: with many connections that is a good deal faster.
//! 3. **Input:** read from the socket and hand what came to `receive`, in pieces of any size: the
//!    events don't depend on how the bytes are split. On an error, write the output that there is
//!    and close; the session is over.
//!
//! At the connection's end just drop the session: whatever published or played on it has ended,
//! and no event says so. Time-outs are the owner's: a session never waits for anything.
//!
//! ```
//! use frameloom_rtmp::{ClientConfig, ClientEvent, ClientRole, ClientSession, PublishKind};
//! use frameloom_rtmp::{ServerEvent, ServerSession, ServerSessionConfig};
//!
//! # fn main() -> frameloom_rtmp::Result<()> {
//! let role = ClientRole::Publish(PublishKind::Live);
//! let config = ClientConfig::new("rtmp://localhost/live", "live", "camera", role);
//! let mut client = ClientSession::new(config);
//! let mut server = ServerSession::new(ServerSessionConfig::default());
//!
//! // Two sessions in one program need no socket between them.
//! let mut started = false;
//! while !started {
//!     while let Some(piece) = client.poll_output() {
//!         server.receive(&piece)?;
//!     }
//!     while let Some(event) = server.poll_event() {
//!         if let ServerEvent::PublishRequested(request) = event {
//!             server.accept(request.stream_id)?;
//!         }
//!     }
//!     while let Some(piece) = server.poll_output() {
//!         client.receive(&piece)?;
//!     }
//!     while let Some(event) = client.poll_event() {
//!         started |= event == ClientEvent::Started;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Below the sessions
//!
//! Each layer stands alone: [`handshake`], [`chunk`] (messages in chunks), [`message`] (control
//! messages), [`amf0`] and [`command`], and [`flv`], which reads what a message of audio or video
//! holds, Enhanced RTMP included.
//!
//! Everything that a peer can make us hold is bounded by [`Limits`]. Stream keys and credentials
//! are in types whose `Debug` shows nothing ([`StreamKey`], [`Secret`]), and no error has them.

pub mod amf0;
pub mod chunk;
pub mod command;
mod error;
pub mod flv;
pub mod handshake;
mod limits;
pub mod message;
mod output;
mod session;

pub use error::{Error, Result};
pub use limits::Limits;
pub use output::OutputBuffer;
pub use session::auth;
pub use session::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, ConnectRequest, FOUR_CCS, FourCcInfo,
    Media, MediaType, PlayRequest, PlayStart, PublishKind, PublishRequest, Refusal, Secret,
    ServerEvent, ServerInfo, ServerSession, ServerSessionConfig, StreamKey, TimestampUnwrapper,
    caps_ex, percent_decode,
};
