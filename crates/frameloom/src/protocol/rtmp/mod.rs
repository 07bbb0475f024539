//! RTMP as a client: a session of `frameloom-rtmp` on a socket, with time-outs, and what FLV calls
//! the codecs that libav has under other names.
//!
//! `input.rs` plays with it and `output.rs` publishes.

mod bitstream;
pub(crate) mod codecs;
mod connection;
mod fault;
pub(crate) mod input;
pub(crate) mod output;
mod socket;
mod target;
mod tls;

pub(crate) use connection::Connection;
pub(crate) use fault::Fault;
pub(crate) use target::Target;

/// The protocols whose options mean something to RTMP, by libav's names.
pub(crate) const PROTOCOLS: [&str; 4] = ["rtmp", "rtmps", "tcp", "tls"];
