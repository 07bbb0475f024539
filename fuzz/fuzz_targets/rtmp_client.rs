//! Bytes from a server, after the handshake, for a client's session.
#![no_main]

#[path = "../../crates/frameloom-rtmp/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::client(data));
