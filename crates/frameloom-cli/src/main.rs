//! The `frameloom` program: see the library of this crate.

use std::process::ExitCode;

use frameloom_cli::CalledAs;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = CalledAs::of(&words.next().unwrap_or_default());
    ExitCode::from(frameloom_cli::main(called, words.collect()))
}
