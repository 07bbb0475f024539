//! Bytes for an RTMP chunk reader, and what it read for the writer.
#![no_main]

#[path = "../../crates/frameloom-rtmp/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::chunk(data));
