//! Option names and values from outside: any text is taken or refused, never a crash.
#![no_main]

use frameloom::options::{InputOptions, OutputOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|words: Vec<(String, String)>| {
    let (mut input, mut output) = (InputOptions::new(), OutputOptions::new());
    for (name, value) in &words {
        let _ = input.set(name, value);
        let _ = output.set(name, value);
    }
    let _ = (input.check(), output.check());
});
