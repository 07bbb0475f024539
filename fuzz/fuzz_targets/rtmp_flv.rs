//! Bytes for the readers of FLV tags' bodies and of FLV files.
#![no_main]

#[path = "../../crates/frameloom-rtmp/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::flv(data));
