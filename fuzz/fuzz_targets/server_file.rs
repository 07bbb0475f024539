//! Text for the file of `frameloom serve`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| frameloom_cli::fuzzing::server_file(text));
