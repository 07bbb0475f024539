//! A media server to embed: RTMP ingest and play, HTTP-FLV and WebSocket-FLV, status and metrics.
//!
//! ```text
//! publisher ── RTMP ──▶ relay: one log of packets a stream ──┬─▶ RTMP
//!                                                            ├─▶ HTTP-FLV, /APP/NAME.flv
//!                                                            └─▶ WebSocket-FLV, the same URL
//! ```
//!
//! Late joiners get metadata, sequence headers and the current GOP from the relay's log. A player
//! that is too slow skips to the latest keyframe, and is cut if that doesn't help; it never slows
//! the publisher or another player. Payloads are shared by all players and never copied.
//!
//! ```
//! use frameloom_server::{Server, ServerConfig};
//!
//! # fn main() -> frameloom_server::Result<()> {
//! let free_port = Some(([127, 0, 0, 1], 0).into());
//! let config = ServerConfig {
//!     rtmp_listen: free_port,
//!     http_listen: free_port,
//!     publish_key: Some("secret".into()),
//!     ..ServerConfig::default()
//! };
//!
//! let server = Server::spawn(config)?;
//! if let (Some(rtmp), Some(http)) = (server.rtmp_addr(), server.http_addr()) {
//!     let publish = format!("rtmp://{rtmp}/live/camera?key=secret");
//!     let play = format!("http://{http}/live/camera.flv");
//!     # let _ = (publish, play);
//! }
//! assert_eq!(server.status().connections, 0);
//! server.stop_blocking();
//! # Ok(())
//! # }
//! ```
//!
//! Inside a tokio runtime, [`Server::start`] does the same without threads of its own.
//!
//! Stream keys and queries are secrets: they are in no log, status or error. Names that were
//! accepted are public.

mod access;
mod callback;
mod caps;
mod children;
mod config;
mod counters;
mod deadline;
mod error;
mod extensions;
mod http;
mod io;
mod listen;
mod lock;
mod memory;
mod metrics;
mod observer;
mod outgoing;
mod relay;
mod rtmp;
mod server;
mod shared;
mod status;
mod tls;
mod visitor;
mod warnings;

pub use callback::Callback;
pub use config::{RelayLimits, SecondPublisher, ServerConfig, Timeouts, TlsFiles};
pub use error::{Error, Result};
pub use extensions::{Extensions, MetricsSource, Wanted};
pub use frameloom_rtmp::{Limits, Secret};
pub use http::problem_details;
pub use observer::Observer;
pub use relay::name::stream_of_path;
pub use server::Server;
pub use status::{
    AudioStatus, MemoryStatus, PlayerStatus, PublisherStatus, ServerStatus, StreamStatus, Totals,
    VideoStatus,
};

/// What the log's lines are filed under.
const LOG: &str = "frameloom_server";
