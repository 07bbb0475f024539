//! Lines that a program writes: a line of JSON for each frame.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::image::FrameData;
use crate::protocol::pipe::{self, Guard, Piece};
use crate::time::stop::Stop;

/// How much is read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// The longest line: the longest data, and room for spaces round it.
const MAX_LINE_BYTES: usize = FrameData::MAX_BYTES + 1024;

/// Reads lines from a pipe.
pub(super) struct Lines {
    from: OwnedFd,
    /// The beginning of a line.
    begun: Vec<u8>,
    whole: VecDeque<String>,
    /// The most lines that wait.
    limit: usize,
    is_closed: bool,
    /// What is wrong with what came, until that is told. Nothing is read after it.
    failed: Option<LinesError>,
}

/// Why lines can't be read.
#[derive(Debug)]
pub(super) enum LinesError {
    Pipe(io::Error),
    /// A line is too long.
    Long,
    /// There are more of them than frames.
    Many,
    /// It isn't UTF-8.
    NoText,
}

/// What waiting for a line came to.
#[derive(Debug)]
pub(super) enum NextLine {
    Line(String),
    Closed,
    /// Nobody waits any more.
    Stuck,
}

impl Lines {
    /// Those of a prepared pipe, of which at most `limit` wait to be taken.
    pub(super) fn new(from: OwnedFd, limit: usize) -> Lines {
        Lines {
            from,
            begun: Vec::new(),
            whole: VecDeque::new(),
            limit,
            is_closed: false,
            failed: None,
        }
    }

    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.from
    }

    /// The next line, if one is there.
    pub(super) fn next(
        &mut self,
        stop: &Stop,
        guard: &dyn Guard,
    ) -> Result<Option<String>, LinesError> {
        self.gather(stop, guard);
        self.pop()
    }

    /// Of a program whose lines are wrong, those before are not wanted either.
    fn pop(&mut self) -> Result<Option<String>, LinesError> {
        self.take_failure().map_or_else(|| Ok(self.whole.pop_front()), Err)
    }

    /// Whether something is wrong with what came.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// What is wrong with what came.
    pub(super) fn take_failure(&mut self) -> Option<LinesError> {
        self.failed.take()
    }

    /// Whether a line, or the beginning of one, was read and not taken.
    pub(super) fn has_more(&self) -> bool {
        !self.whole.is_empty() || !self.begun.is_empty()
    }

    /// The next line, which is waited for.
    pub(super) fn wait(&mut self, stop: &Stop, guard: &dyn Guard) -> Result<NextLine, LinesError> {
        loop {
            if let Some(line) = self.pop()? {
                return Ok(NextLine::Line(line));
            }
            if self.is_closed {
                // The last line may lack its end.
                let rest = std::mem::take(&mut self.begun);
                return Ok(match rest.is_empty() {
                    true => NextLine::Closed,
                    false => NextLine::Line(text(rest)?),
                });
            }
            if !self.read(true, stop, guard) && !self.is_closed {
                return Ok(NextLine::Stuck);
            }
        }
    }

    /// Reads all that is there, and waits for nothing. What is wrong with it is told where the next line is
    /// taken.
    pub(super) fn gather(&mut self, stop: &Stop, guard: &dyn Guard) {
        while !self.is_closed && self.read(false, stop, guard) {}
    }

    /// Reads a piece; `false` where none came.
    fn read(&mut self, waits: bool, stop: &Stop, guard: &dyn Guard) -> bool {
        let mut bytes = [0; PIECE_BYTES];
        let piece = pipe::read_some(self.from.as_fd(), &mut bytes, waits, stop, guard);
        let taken = match piece {
            Ok(Piece::Bytes(count)) => self.take(bytes.get(..count).unwrap_or_default()),
            Ok(Piece::Closed) => {
                self.is_closed = true;
                return false;
            }
            Ok(Piece::Nothing) => return false,
            Err(e) => Err(LinesError::Pipe(e)),
        };
        self.failed = taken.err();
        self.is_closed = self.failed.is_some();
        self.failed.is_none()
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), LinesError> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, is_whole) = match part.split_last() {
                Some((b'\n', part)) => (part, true),
                _ => (part, false),
            };
            if self.begun.len() + part.len() > MAX_LINE_BYTES {
                return Err(LinesError::Long);
            }
            self.begun.extend_from_slice(part);
            if is_whole {
                if self.whole.len() >= self.limit {
                    return Err(LinesError::Many);
                }
                self.whole.push_back(text(std::mem::take(&mut self.begun))?);
            }
        }
        Ok(())
    }
}

fn text(bytes: Vec<u8>) -> Result<String, LinesError> {
    String::from_utf8(bytes).map_err(|_| LinesError::NoText)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Nobody;

    impl Guard for Nobody {
        fn moved(&self) {}

        fn gives_up(&self) -> bool {
            true
        }
    }

    fn lines(limit: usize) -> (Lines, io::PipeWriter) {
        let (from, to) = io::pipe().unwrap();
        pipe::prepare(from.as_fd()).unwrap();
        (Lines::new(from.into(), limit), to)
    }

    #[test]
    fn lines_are_read_as_they_come_in_pieces() {
        let (mut lines, mut to) = lines(8);
        let stop = Stop::new();
        to.write_all(b"one\n\ntw").unwrap();
        let mut next = || lines.next(&stop, &Nobody).unwrap();
        assert_eq!((next().as_deref(), next().as_deref(), next()), (Some("one"), Some(""), None));
        assert!(lines.has_more());
        to.write_all(b"o\nthree").unwrap();
        assert!(matches!(lines.wait(&stop, &Nobody), Ok(NextLine::Line(line)) if line == "two"));
        assert!(matches!(lines.wait(&stop, &Nobody), Ok(NextLine::Stuck)));
        drop(to);
        assert!(matches!(lines.wait(&stop, &Nobody), Ok(NextLine::Line(line)) if line == "three"));
        assert!(matches!(lines.wait(&stop, &Nobody), Ok(NextLine::Closed)));
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let stop = Stop::new();
        let (mut many, mut to) = lines(2);
        to.write_all(b"1\n2\n3\n").unwrap();
        // Seen while an answer is waited for, it is an error where the next line is taken.
        many.gather(&stop, &Nobody);
        many.gather(&stop, &Nobody);
        assert!(many.has_failed());
        assert!(matches!(many.next(&stop, &Nobody), Err(LinesError::Many)));
        let (mut long, mut to) = lines(2);
        to.write_all(&vec![b'x'; MAX_LINE_BYTES + 1]).unwrap();
        assert!(matches!(long.next(&stop, &Nobody), Err(LinesError::Long)));
        let (mut binary, mut to) = lines(2);
        to.write_all(b"one\n\xff\ntwo\n").unwrap();
        binary.gather(&stop, &Nobody);
        assert!(matches!(binary.wait(&stop, &Nobody), Err(LinesError::NoText)));
    }
}
