//! Bytes on the channel between a server and the process of a pipeline, both ways.
#![no_main]

use frameloom_cli::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::reports(bytes);
    fuzzing::order(bytes);
});
