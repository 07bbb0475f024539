//! The half of a COMMAND that writes to it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use super::exchange::{Message, ShownFrame, ShownPixels, UNTOUCHED, Way};
use super::shared_memory::Slot;
use super::{EXIT_TIMEOUT, HELD_TIMEOUT, RunningCommand, exit_text};
use crate::edit::Fit;
use crate::error::{Error, Hint, Result, counted, os_words};
use crate::image::Frame;
use crate::protocol::pipe::{self, Guard, Piece, Transfer};
use crate::time::stop::Stop;

/// The half that writes to the program's stdin.
pub(crate) struct CommandInput {
    stdin: Option<OwnedFd>,
    /// Where its answers come, to see whether it says something unasked.
    answers: Option<OwnedFd>,
    way: Way,
    /// The size it was started for.
    fit: Fit,
    sent: u64,
    /// Bytes that were written to it.
    written: u64,
    /// Bytes that it had read when it closed its stdin.
    read_last: u64,
    reads_only: bool,
    /// Of one that only reads, the slots that it has.
    lent: VecDeque<Slot>,
    running: Arc<RunningCommand>,
    stop: Stop,
}

impl CommandInput {
    /// For a program that was started for frames of the size `fit`.
    pub(super) fn new(
        stdin: OwnedFd,
        answers: Option<OwnedFd>,
        way: Way,
        fit: (u32, u32),
        running: &Arc<RunningCommand>,
        stop: &Stop,
        reads_only: bool,
    ) -> CommandInput {
        CommandInput {
            stdin: Some(stdin),
            answers,
            way,
            fit: Fit::new(fit),
            sent: 0,
            written: 0,
            read_last: 0,
            reads_only,
            lent: VecDeque::new(),
            running: Arc::clone(running),
            stop: stop.clone(),
        }
    }

    /// The size of the frames that it reads, width and height.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.fit.size()
    }

    /// Gets a frame ready to be shown to the program: to be handed to the other half before a
    /// single byte of it is written. One of another size than the first is brought to that.
    pub(crate) fn show(&mut self, frame: Frame) -> Result<Option<(ShownFrame, Message)>> {
        // In this order: an answer that is read meanwhile is owed no more.
        let owes_nothing = self.running.owed() == 0;
        let answers = self.answers.as_ref().filter(|_| !self.reads_only);
        let unasked = answers.map_or(0, |out| pipe::unread(out.as_fd()));
        // What it says before its first frame is noticed with its first answer, or its end.
        if unasked > 0 && owes_nothing && self.sent > 0 {
            return Err(self.running.wrote_too_much(self.sent));
        }
        let Some(frame) = self.fit.fit(frame)? else { return Ok(None) };
        if self.reads_only && self.way.memory.is_some() {
            return self.lend(frame);
        }
        let shown = self.way.show(frame)?;
        let shown = shown.ok_or_else(|| self.holds_too_many(self.running.owed()))?;
        self.running.owes();
        Ok(Some(shown))
    }

    /// Shows a frame in shared memory to a program that only reads: it writes a slot's number when it
    /// needs the frame no more.
    fn lend(&mut self, mut frame: Frame) -> Result<Option<(ShownFrame, Message)>> {
        let mut waits = false;
        loop {
            self.take_back(waits)?;
            if let Some((shown, message)) = self.way.show(frame.share()?)? {
                let ShownFrame { frame, shown } = shown;
                let ShownPixels::Slot(slot) = shown else { return Ok(None) };
                self.lent.push_back(slot);
                self.running.owes();
                return Ok(Some((ShownFrame { frame, shown: ShownPixels::Lent }, message)));
            }
            waits = true;
        }
    }

    /// Takes slots back that the program has given back.
    fn take_back(&mut self, waits: bool) -> Result<()> {
        let Some(answers) = &self.answers else { return Ok(()) };
        let mut number = [0; 4];
        let mut waits = waits;
        loop {
            let reader = LentSlots {
                running: &self.running,
                stdin: self.stdin.as_ref(),
                idle: Cell::default(),
            };
            match pipe::read_some(answers.as_fd(), &mut number, waits, &self.stop, &reader) {
                // A number is written as a whole, and read as one.
                Ok(Piece::Bytes(count)) if count < number.len() => {
                    self.running.kill();
                    return Err(self.running.error("it gave back a part of a slot's number"));
                }
                Ok(Piece::Bytes(_)) => {
                    let number = u32::from_ne_bytes(number) & !UNTOUCHED;
                    self.lent.retain(|slot| slot.number() != number);
                    waits = false;
                }
                Ok(Piece::Nothing) if waits => {
                    self.running.kill();
                    return Err(self
                        .running
                        .error("it gave no frame's memory back and was killed"));
                }
                Ok(Piece::Nothing) => return Ok(()),
                Ok(Piece::Closed) => {
                    // It is gone, which the next write finds.
                    self.lent.clear();
                    return Ok(());
                }
                Err(e) => {
                    let cause = format!("its answers can't be read: {}", os_words(&e));
                    return Err(self.running.error(cause).because(e));
                }
            }
        }
    }

    /// Writes a frame to its stdin; `false` where it takes no more.
    pub(crate) fn write(&mut self, message: &Message) -> Result<bool> {
        let Some(stdin) = &self.stdin else { return Ok(false) };
        let reader = StdinActivity(&self.running);
        let bytes = message.as_bytes();
        match pipe::write_all(stdin.as_fd(), bytes, &self.stop, &reader) {
            Ok(Transfer::Done) => {
                self.sent += 1;
                self.written += bytes.len() as u64;
                Ok(true)
            }
            Ok(Transfer::Closed(count)) => {
                self.written += count as u64;
                self.read_last = self.written.saturating_sub(pipe::unread(stdin.as_fd()));
                self.stdin = None;
                Ok(false)
            }
            Ok(Transfer::Stuck) => {
                self.running.kill();
                Err(self.running.error("it stopped reading its frames and was killed"))
            }
            Err(e) => Err(self.running.error(format!("writing to its stdin failed: {e}"))),
        }
    }

    /// Bytes that it was written and has not read yet.
    pub(crate) fn unread(&self) -> u64 {
        self.stdin.as_ref().map_or(0, |stdin| pipe::unread(stdin.as_fd()))
    }

    /// Whether it has come further than its first frame: read some of the next, where it only reads;
    /// answered, where it is to.
    pub(crate) fn has_worked(&self) -> bool {
        if !self.reads_only {
            return !self.running.never_answered();
        }
        let read = match &self.stdin {
            Some(_) => self.written.saturating_sub(self.unread()),
            None => self.read_last,
        };
        read > self.way.message_bytes as u64
    }

    /// Whether it has closed its stdin, or is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.stdin.as_ref().is_none_or(|stdin| pipe::is_broken(stdin.as_fd()))
    }

    /// When it has stood still for too long, where it has something to do and goes on so.
    pub(crate) fn hangs_at(&self) -> Option<Instant> {
        self.running.hangs_at(self.unread() > 0)
    }

    /// The error for a program that stands still for too long with something to do.
    pub(crate) fn hung(&self) -> Option<Error> {
        if !self.running.is_hung(self.unread() > 0) {
            return None;
        }
        Some(self.running.hangs())
    }

    /// Closes its stdin. Where it only reads, this waits for its end.
    ///
    /// # Errors
    /// Where it only reads and failed.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.stdin = None;
        if !self.reads_only {
            return Ok(());
        }
        match self.running.wait(EXIT_TIMEOUT) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.running.error(format!(
                "it ended with {} after {}",
                exit_text(status),
                counted(self.sent, "frame")
            ))),
            None => Err(self.running.error("it did not end when its frames did, and was killed")),
        }
    }

    /// Closes its stdin because another program takes its place: frames wait for its end, so that
    /// it may not stand still for longer than while it was written to.
    ///
    /// # Errors
    /// As [`CommandInput::close`].
    pub(crate) fn close_to_replace(&mut self) -> Result<()> {
        self.running.leaves();
        self.close()
    }

    /// The error for a program that ended, where nothing better is known.
    pub(crate) fn gone(&self) -> Error {
        self.running.error(format!("it ended after it took {}", counted(self.sent, "frame")))
    }

    /// The error for a program that takes frames and gives none back.
    pub(crate) fn holds_too_many(&self, limit: usize) -> Error {
        self.running.kill();
        self.running
            .error(format!("it took {} and gave none back", counted(limit as u64, "frame")))
            .hint(Hint::AnswerOrOnlyRead)
    }
}

/// A program that only reads and has all slots: one that has read what it was written and waits for more gives
/// none back any more.
struct LentSlots<'a> {
    running: &'a RunningCommand,
    stdin: Option<&'a OwnedFd>,
    /// Since when it has nothing to read.
    idle: Cell<Option<Instant>>,
}

impl Guard for LentSlots<'_> {
    fn moved(&self) {
        self.running.moved();
    }

    fn gives_up(&self) -> bool {
        let has_unread = self.stdin.is_some_and(|stdin| pipe::unread(stdin.as_fd()) > 0);
        let since = (!has_unread).then(|| self.idle.get().unwrap_or_else(Instant::now));
        self.idle.set(since);
        self.running.gives_up()
            || self.running.is_hung(true)
            || since.is_some_and(|since| since.elapsed() >= HELD_TIMEOUT)
    }
}

/// A program that is to read what is written to it.
struct StdinActivity<'a>(&'a RunningCommand);

impl Guard for StdinActivity<'_> {
    fn moved(&self) {
        self.0.moved();
    }

    fn gives_up(&self) -> bool {
        self.0.gives_up() || self.0.is_hung(true)
    }
}
