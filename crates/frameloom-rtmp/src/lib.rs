//! RTMP and FLV tags, sans-IO.

pub mod amf0;
pub mod chunk;
pub mod command;
mod error;
pub mod flv;
pub mod handshake;
mod limits;
pub mod message;
mod output;

pub use error::{Error, Result};
pub use limits::Limits;
pub use output::Output;
