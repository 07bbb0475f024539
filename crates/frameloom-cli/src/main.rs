//! The `frameloom` program: see the library of this crate.

use std::ffi::OsString;
use std::process::ExitCode;

use frameloom_cli::CalledAs;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    let words: Vec<_> = words.collect();
    let variable = |name: &str| std::env::var_os(name);
    let called = CalledAs::of(&program, words.first().map(OsString::as_os_str), variable);
    ExitCode::from(frameloom_cli::main(called, words))
}
