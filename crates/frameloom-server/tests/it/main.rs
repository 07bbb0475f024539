//! The server over real sockets, on ports that the system picks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod access;
mod bad_input;
mod client;
mod extensions;
mod hostile;
mod http;
mod interop;
mod limits;
mod memory;
mod play;
mod publish;
mod start;
mod streams;
