//! The program of a COMMAND while it runs: what it owes, whether it hangs, and its end.

use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::edit::command::program::Program;
use crate::error::{Error, Hint, Sentence, counted};
use crate::protocol::pipe::Guard;
use crate::time::clock::Clock;
use crate::time::stop::Stop;

/// How long a program may take for its first answer, whatever else it is allowed: models are
/// loaded in that time.
const WARM_UP: Duration = Duration::from_secs(60);

/// The program behind both halves.
pub(crate) struct RunningCommand {
    program: Mutex<Box<dyn Program>>,
    name: String,
    clock: Arc<dyn Clock>,
    pulse: Mutex<Activity>,
    /// How long it may stand still, where it isn't waited for without end.
    hang_limit: Option<Duration>,
    /// How long one that closed its stdout may take to end.
    pub(super) farewell: Duration,
    /// Both halves are to let go of it.
    cut: Stop,
    /// It was found to stand still for too long.
    was_hung: AtomicBool,
}

struct Activity {
    /// When it last read or wrote something.
    moved: Instant,
    /// Frames it was shown and has not answered.
    owed: usize,
    /// It is in the middle of an answer.
    is_answering: bool,
    /// It is to give back what it has, and to end.
    is_leaving: bool,
    /// It was killed though it might have worked: it hung, or wrote what is no frame.
    was_stopped: bool,
    first_answer: Option<Instant>,
    last_answer: Option<Instant>,
}

impl RunningCommand {
    pub(super) fn new(
        program: Box<dyn Program>,
        name: String,
        hang_limit: Option<Duration>,
        farewell: Duration,
        clock: Arc<dyn Clock>,
    ) -> RunningCommand {
        let pulse = Activity {
            moved: clock.now(),
            owed: 0,
            is_answering: false,
            is_leaving: false,
            was_stopped: false,
            first_answer: None,
            last_answer: None,
        };
        RunningCommand {
            program: Mutex::new(program),
            name,
            clock,
            pulse: Mutex::new(pulse),
            hang_limit,
            farewell,
            cut: Stop::new(),
            was_hung: AtomicBool::new(false),
        }
    }

    fn program(&self) -> MutexGuard<'_, Box<dyn Program>> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn error(&self, cause: impl Into<Sentence>) -> Error {
        Error::process(cause).at(&self.name)
    }

    /// The error for a program that writes more than it was given; it is killed.
    pub(super) fn wrote_too_much(&self, frames: u64) -> Error {
        self.pulse(|p| p.was_stopped = true);
        self.kill();
        let after = counted(frames, "frame");
        self.error(format!("it wrote more to stdout than a frame for each it read, after {after}"))
            .hint(Hint::OnlyFramesOnStdout)
    }

    /// The program, as it is named in errors.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Ends it for an answer that is none.
    pub(super) fn is_wrong(&self) {
        self.pulse(|p| p.was_stopped = true);
        self.kill();
    }

    fn pulse<T>(&self, with: impl FnOnce(&mut Activity) -> T) -> T {
        with(&mut self.pulse.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// It is about to be shown a frame.
    pub(super) fn owes(&self) {
        self.pulse(|p| {
            // What it did while it owed nothing doesn't count.
            if p.owed == 0 {
                p.moved = self.clock.now();
            }
            p.owed += 1;
        });
    }

    pub(crate) fn owed(&self) -> usize {
        self.pulse(|p| p.owed)
    }

    /// A piece of an answer came; `is_whole` with the last.
    pub(super) fn answers(&self, is_whole: bool) {
        let now = self.clock.now();
        self.pulse(|p| {
            p.moved = now;
            p.is_answering = !is_whole;
            if is_whole {
                p.owed = p.owed.saturating_sub(1);
                p.first_answer.get_or_insert(now);
                p.last_answer = Some(now);
            }
        });
    }

    /// It has read something.
    pub(crate) fn moved_on(&self) {
        let now = self.clock.now();
        self.pulse(|p| p.moved = now);
    }

    /// It has all of a frame to which no answer comes.
    pub(crate) fn answered(&self) {
        self.answers(true);
    }

    /// It is to give back what it has, and to end, for which it has as long as for anything else.
    pub(super) fn leaves(&self) {
        let now = self.clock.now();
        self.pulse(|p| (p.is_leaving, p.moved) = (true, now));
    }

    /// For how long it has answered.
    pub(crate) fn answered_for(&self) -> Duration {
        self.pulse(|p| match (p.first_answer, p.last_answer) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            _ => Duration::ZERO,
        })
    }

    /// Whether it has ended, or took many frames and gave none back, before its first answer. One that
    /// hung or wrote what is no frame was stopped, and may do better.
    pub(crate) fn never_answered(&self) -> bool {
        self.pulse(|p| p.first_answer.is_none() && !p.was_stopped)
    }

    /// The error for one that stands still; it is killed.
    pub(super) fn hangs(&self) -> Error {
        self.pulse(|p| p.was_stopped = true);
        self.kill();
        self.error("it neither read what it was given nor answered for too long")
    }

    /// When it has done nothing for too long, where it has something to do and does nothing from
    /// now on. `has_unread` where there is something for it to read.
    pub(super) fn hangs_at(&self, has_unread: bool) -> Option<Instant> {
        let limit = self.hang_limit?;
        self.pulse(|p| {
            let limit = if p.first_answer.is_none() { limit.max(WARM_UP) } else { limit };
            let has_to_do = has_unread || p.is_answering || p.is_leaving;
            has_to_do.then(|| p.moved.checked_add(limit)).flatten()
        })
    }

    /// Whether it has something to do and has done nothing for too long.
    pub(super) fn is_hung(&self, has_unread: bool) -> bool {
        let is_hung = self.hangs_at(has_unread).is_some_and(|at| at <= self.clock.now());
        self.was_hung.fetch_or(is_hung, Ordering::Relaxed);
        is_hung
    }

    /// Whether it was ever found to hang.
    pub(crate) fn was_hung(&self) -> bool {
        self.was_hung.load(Ordering::Relaxed)
    }

    /// Kills it with all that it started, and has both halves let go of it: what it started may
    /// hold its pipes open.
    pub(crate) fn kill(&self) {
        self.cut.stop();
        self.program().kill();
    }

    /// For how long it has neither read nor written anything.
    pub(crate) fn idle_for(&self) -> Duration {
        let now = self.clock.now();
        self.pulse(|p| now.saturating_duration_since(p.moved))
    }

    /// The error for one that reads no more and lives on; it is killed.
    pub(crate) fn lives_on(&self) -> Error {
        self.kill();
        self.error("it closed its stdin before its frames ended, lived on, and was killed")
    }

    /// Whether it was killed.
    pub(crate) fn is_killed(&self) -> bool {
        self.cut.is_stopped()
    }

    /// Waits for its end, and kills it after `limit` of the machine's time.
    pub(super) fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            let mut program = self.program();
            match program.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if begun.elapsed() < limit => {}
                Ok(None) | Err(_) => {
                    self.cut.stop();
                    program.end();
                    return None;
                }
            }
            drop(program);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Gives it `limit` of the machine's time to end by itself, then kills it, and what it started
    /// in any case. Its status where it ended by itself.
    pub(crate) fn end(&self, limit: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while !self.program().has_ended() && !self.is_killed() && begun.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
        let by_itself = self.program().has_ended() && !self.is_killed();
        self.cut.stop();
        let status = self.program().end();
        status.filter(|_| by_itself)
    }
}

impl Guard for RunningCommand {
    fn moved(&self) {
        let now = self.clock.now();
        self.pulse(|p| p.moved = now);
    }

    fn gives_up(&self) -> bool {
        self.is_killed()
    }
}
