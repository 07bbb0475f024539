//! What a process said, in bounded memory.

use std::time::Instant;

use super::lines::{LineRateLimiter, left_out};
use crate::serve::history::{HistoryLine, LastFew, lines};

/// The last lines of a process and of what became of it.
pub(crate) struct ProcessLog {
    flood: LineRateLimiter,
    kept: LastFew<HistoryLine>,
}

impl ProcessLog {
    pub(crate) fn new() -> ProcessLog {
        ProcessLog { flood: LineRateLimiter::new(), kept: lines() }
    }

    /// Takes a line that the process wrote. Returns what is new in the log: of a flood, not the line
    /// but how many were left out.
    pub(crate) fn take(&mut self, line: HistoryLine, now: Instant) -> Vec<HistoryLine> {
        let is_kept = self.flood.admits(now);
        let mut new: Vec<HistoryLine> = self.sum(now).into_iter().collect();
        if is_kept {
            self.push(line.clone());
            new.push(line);
        }
        new
    }

    /// How many lines were left out, where it is time to say it.
    pub(crate) fn sum(&mut self, now: Instant) -> Option<HistoryLine> {
        let count = self.flood.sum(now)?;
        Some(self.left_out(count))
    }

    /// How many lines were left out, at the process's end.
    pub(crate) fn rest(&mut self) -> Option<HistoryLine> {
        let count = self.flood.rest()?;
        Some(self.left_out(count))
    }

    fn left_out(&mut self, count: u64) -> HistoryLine {
        let line = HistoryLine::new(&left_out(count));
        self.push(line.clone());
        line
    }

    /// Adds a line about the process, which is never left out.
    pub(crate) fn push(&mut self, line: HistoryLine) {
        self.kept.push(line);
    }

    /// The last `count` lines, oldest first.
    pub(crate) fn last(&self, count: usize) -> Vec<HistoryLine> {
        self.kept.last(count).cloned().collect()
    }
}
