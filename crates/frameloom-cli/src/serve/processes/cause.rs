//! Why a process ended.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use frameloom::{AlertKind, Error, ErrorKind, Stage};

/// Why a pipeline or a model does not run.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    pub(crate) text: String,
    pub(crate) reason: EndReason,
}

/// What a [`Cause`] is made of.
#[derive(Clone, Debug)]
pub(crate) enum EndReason {
    /// Its process reported this error.
    Reported(Error),
    /// Its process ended, and had no time to report why.
    Exited(ExitStatus),
    /// It said nothing for too long, and was killed.
    Hung,
    /// It has no process.
    NotStarted(io::ErrorKind),
}

impl Cause {
    /// Whether both came about in the same way. Times and numbers in the text may differ.
    pub(crate) fn is_like(&self, other: &Cause) -> bool {
        match (&self.reason, &other.reason) {
            (EndReason::Reported(a), EndReason::Reported(b)) => {
                let data = |error: &Error| {
                    let target = error.target().map(str::to_owned);
                    (error.kind(), error.stage(), target, error.option().cloned(), error.errno())
                };
                data(a) == data(b)
            }
            (EndReason::Exited(a), EndReason::Exited(b)) => a == b,
            (EndReason::Hung, EndReason::Hung) => true,
            (EndReason::NotStarted(a), EndReason::NotStarted(b)) => a == b,
            _ => false,
        }
    }

    /// Says in the server's log that something of this name ended, and that it is started again. What
    /// ends in the same way again and again, as a camera that is off all night, is told of once.
    pub(crate) fn log_restart(&self, what: &str, before: Option<&Cause>, wait: Duration) {
        let (text, wait_ms) = (&self.text, wait.as_millis());
        if before.is_some_and(|before| before.is_like(self)) {
            tracing::debug!("{what}: {text}; again in {wait_ms} ms");
        } else {
            tracing::warn!("{what}: {text}; again in {wait_ms} ms, and so on");
        }
    }

    /// Which state it leaves the pipeline in.
    pub(crate) fn alert(&self) -> AlertKind {
        match &self.reason {
            EndReason::Hung => AlertKind::ProcessHung,
            EndReason::Reported(error) => match (error.kind(), error.stage()) {
                (ErrorKind::StorageFull, _) => AlertKind::DiskFull,
                (_, Stage::Source) => AlertKind::InputLost,
                (_, Stage::Sink) => AlertKind::OutputLost,
                (_, Stage::Process) => AlertKind::CodeFailing,
                _ => AlertKind::ProcessEnded,
            },
            EndReason::Exited(_) | EndReason::NotStarted(_) => AlertKind::ProcessEnded,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn causes_are_compared_by_what_they_are_not_by_their_text() {
        let cause = |text: &str, reason| Cause { text: text.to_owned(), reason };
        let lost = |seconds: u32, url: &str| {
            let text = format!("not back within {seconds} s");
            let error = Error::new(ErrorKind::Connection, Stage::Source, &text).at(url);
            cause(&text, EndReason::Reported(error))
        };
        let exit = |status| cause("it ended", EndReason::Exited(ExitStatus::from_raw(status)));
        let unstarted = || cause("no", EndReason::NotStarted(io::ErrorKind::NotFound));
        assert!(lost(1, "rtmp://a/live/x").is_like(&lost(2, "rtmp://a/live/x")));
        assert!(!lost(1, "rtmp://a/live/x").is_like(&lost(1, "rtmp://b/live/x")));
        assert!(exit(9).is_like(&exit(9)) && !exit(9).is_like(&exit(256)));
        assert!(unstarted().is_like(&unstarted()) && !unstarted().is_like(&exit(9)));
    }
}
