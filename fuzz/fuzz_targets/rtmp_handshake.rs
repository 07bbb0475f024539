//! Bytes for either side of an RTMP handshake.
#![no_main]

#[path = "../../crates/frameloom-rtmp/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::handshake(data));
