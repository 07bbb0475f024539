//! `-progress`: where a program reads how far the run is.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use frameloom::internal::{UrlWriter, redact};
use frameloom::{Error, ErrorKind, Result, Setting, Stage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::screen::Screen;
use crate::stdout::is_stdout;

/// How long it may take to open, and to take what is written; also what is written last.
const LIMIT: Duration = Duration::from_secs(5);

/// What `-progress` names; clones are the same.
#[derive(Clone)]
pub(crate) enum ProgressTarget {
    Stdout,
    Stderr(Screen),
    Url(Arc<Mutex<UrlWriter>>),
}

impl ProgressTarget {
    /// Opens what `-progress` names.
    ///
    /// # Errors
    /// What can't be written to.
    pub(crate) fn open(url: &str, screen: &Screen) -> Result<ProgressTarget> {
        if is_stdout(url) {
            return Ok(ProgressTarget::Stdout);
        }
        if url == "pipe:2" {
            return Ok(ProgressTarget::Stderr(screen.clone()));
        }
        redact::remember_url(url);
        let writer = UrlWriter::open(url, LIMIT);
        let writer = writer.map_err(|error| error.about(Setting::ffmpeg("progress")))?;
        Ok(ProgressTarget::Url(Arc::new(Mutex::new(writer))))
    }

    /// Writes a block; one that a pipe has no room for is left out, unless it is the last.
    ///
    /// # Errors
    /// Where nobody reads any more.
    pub(super) fn write(&self, block: &str, is_last: bool) -> Result<()> {
        match self {
            ProgressTarget::Stdout => {
                let mut stdout = io::stdout().lock();
                let limit = if is_last { LIMIT } else { Duration::ZERO };
                if !is_ready(&stdout, limit) {
                    return Ok(());
                }
                let written = stdout.write_all(block.as_bytes()).and_then(|()| stdout.flush());
                written.map_err(|error| Error::io(Stage::Sink, error).at("stdout"))
            }
            ProgressTarget::Stderr(screen) => {
                screen.raw(block);
                Ok(())
            }
            ProgressTarget::Url(writer) => {
                writer.lock().unwrap_or_else(PoisonError::into_inner).write(block.as_bytes())
            }
        }
    }
}

/// Whether a block can be written without waiting for whoever reads it: a pipe that is ready has room
/// for more than one.
fn is_ready(fd: &impl AsFd, limit: Duration) -> bool {
    let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: 0 };
    let mut polled = [PollFd::new(fd, PollFlags::OUT)];
    // What can't be asked is written to as it comes.
    poll(&mut polled, Some(&limit)).is_ok_and(|ready| ready > 0)
}

/// The error for two things on one stdout.
pub(crate) fn shares_stdout() -> Error {
    let progress = Setting::ffmpeg("progress");
    let cause = frameloom::sentence!("{} and an OUTPUT both write to stdout", progress.clone());
    Error::new(ErrorKind::Usage, Stage::Options, cause)
        .hint(frameloom::Hint::Use(vec![progress.to("pipe:2")]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pipe_is_not_waited_for() {
        let (_read, mut write) = std::io::pipe().unwrap();
        assert!(is_ready(&write, Duration::ZERO));
        while is_ready(&write, Duration::ZERO) {
            write.write_all(&[0; 4096]).unwrap();
        }
        assert!(!is_ready(&write, Duration::ZERO));
    }
}
