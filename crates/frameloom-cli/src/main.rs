//! The `frameloom` program: see the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(frameloom_cli::main(std::env::args_os().skip(1).collect()))
}
