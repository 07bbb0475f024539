//! What the program writes to stdout.

use std::io::{self, Write};

use frameloom::{Error, Result, Stage};

/// Whether a URL names it.
pub(crate) fn is_stdout(url: &str) -> bool {
    matches!(url, "-" | "pipe:" | "pipe:1")
}

/// Writes to stdout. That its reader has seen enough is no failure.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::io(Stage::Sink, error).at("stdout"))
        }
        _ => Ok(()),
    }
}
