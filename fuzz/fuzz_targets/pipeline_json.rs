//! Bytes for the body of a request that adds or changes a pipeline.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frameloom_cli::fuzzing::pipeline_json(bytes));
