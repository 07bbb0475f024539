//! Bytes from a client, after the handshake, for a server's session.
#![no_main]

#[path = "../../crates/frameloom-rtmp/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::server(data));
