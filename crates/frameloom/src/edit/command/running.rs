//! The process of a COMMAND, and how it gets on.

use std::collections::BTreeSet;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::error::{Error, Hint, Sentence, counted};
use crate::protocol::pipe::Guard;
use crate::time::moment_after;
use crate::time::stop::Stop;

/// How long a program may take for its first answer, whatever else it is allowed: models are
/// loaded in that time.
const WARM_UP: Duration = Duration::from_secs(60);

/// Programs that are running now, by process group.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Kills every COMMAND that is running, with its process group: for a front that is about to exit
/// without waiting for its pipelines.
pub fn kill_commands() {
    let groups = std::mem::take(&mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner));
    groups.into_iter().for_each(kill_group);
}

fn kill_group(group: i32) {
    if let Some(pid) = Pid::from_raw(group) {
        // It may have ended by itself.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// The process behind both halves.
pub(crate) struct Running {
    child: Mutex<Process>,
    group: i32,
    name: String,
    pulse: Mutex<Pulse>,
    /// How long it may stand still, where it isn't waited for without end.
    hang_limit: Option<Duration>,
    /// How long one that closed its stdout may take to end.
    pub(super) farewell: Duration,
    /// Both halves are to let go of it.
    cut: Stop,
}

struct Process {
    child: Child,
    /// Its number may be another's now.
    is_reaped: bool,
}

struct Pulse {
    /// When it last read or wrote something.
    moved: Instant,
    /// Frames it was shown and has not answered.
    owed: usize,
    /// It is in the middle of an answer.
    is_answering: bool,
    first_answer: Option<Instant>,
    last_answer: Option<Instant>,
}

impl Running {
    pub(super) fn new(
        child: Child,
        name: String,
        hang_limit: Option<Duration>,
        farewell: Duration,
    ) -> Running {
        let group = i32::try_from(child.id()).unwrap_or(0);
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(group);
        let pulse = Pulse {
            moved: Instant::now(),
            owed: 0,
            is_answering: false,
            first_answer: None,
            last_answer: None,
        };
        Running {
            child: Mutex::new(Process { child, is_reaped: false }),
            group,
            name,
            pulse: Mutex::new(pulse),
            hang_limit,
            farewell,
            cut: Stop::new(),
        }
    }

    pub(super) fn error(&self, cause: impl Into<Sentence>) -> Error {
        Error::process(cause).at(&self.name)
    }

    /// The error for a program that writes more than it was given; it is killed.
    pub(super) fn wrote_too_much(&self, frames: u64) -> Error {
        self.kill();
        let after = counted(frames, "frame");
        self.error(format!("it wrote more than one frame for each it read, after {after}"))
            .hint(Hint::OnlyFramesOnStdout)
    }

    fn pulse<T>(&self, with: impl FnOnce(&mut Pulse) -> T) -> T {
        with(&mut self.pulse.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// It is about to be shown a frame.
    pub(super) fn owes(&self) {
        self.pulse(|p| {
            // What it did while it owed nothing doesn't count.
            if p.owed == 0 {
                p.moved = Instant::now();
            }
            p.owed += 1;
        });
    }

    pub(crate) fn owed(&self) -> usize {
        self.pulse(|p| p.owed)
    }

    /// A piece of an answer came; `is_whole` with the last.
    pub(super) fn answers(&self, is_whole: bool) {
        let now = Instant::now();
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
        self.pulse(|p| p.moved = Instant::now());
    }

    /// It has all of a frame to which no answer comes.
    pub(crate) fn answered(&self) {
        self.answers(true);
    }

    /// For how long it has answered.
    pub(crate) fn answered_for(&self) -> Duration {
        self.pulse(|p| match (p.first_answer, p.last_answer) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            _ => Duration::ZERO,
        })
    }

    /// Whether it has something to do and has done nothing for too long. `has_unread` where there
    /// is something for it to read.
    pub(super) fn is_hung(&self, has_unread: bool) -> bool {
        let Some(limit) = self.hang_limit else { return false };
        self.pulse(|p| {
            let limit = if p.first_answer.is_none() { limit.max(WARM_UP) } else { limit };
            (has_unread || p.is_answering) && p.moved.elapsed() >= limit
        })
    }

    /// Kills it with its process group, and has both halves let go of it: what it started may hold
    /// its pipes open.
    pub(crate) fn kill(&self) {
        self.cut.stop();
        let process = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if !process.is_reaped {
            kill_group(self.group);
        }
    }

    /// Whether it was killed.
    pub(crate) fn is_killed(&self) -> bool {
        self.cut.is_stopped()
    }

    /// Waits for its end, and kills it after `limit`.
    pub(super) fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let deadline = moment_after(Instant::now(), limit);
        loop {
            let mut process = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            match process.child.try_wait() {
                Ok(Some(status)) => {
                    process.is_reaped = true;
                    return Some(status);
                }
                Ok(None) if Instant::now() < deadline => {}
                Ok(None) | Err(_) => {
                    self.cut.stop();
                    process.kill(self.group);
                    return None;
                }
            }
            drop(process);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Gives it `limit` to end by itself, then kills it, and what it started in any case. Its
    /// status where it ended by itself.
    pub(crate) fn end(&self, limit: Duration) -> Option<ExitStatus> {
        let deadline = moment_after(Instant::now(), limit);
        while !self.has_ended() && !self.is_killed() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let by_itself = self.has_ended() && !self.is_killed();
        self.cut.stop();
        let mut process = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = process.kill(self.group);
        status.filter(|_| by_itself)
    }

    /// Whether it has ended. It is not reaped by this, so its number stays its own.
    fn has_ended(&self) -> bool {
        let process = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        process.is_reaped
            || Pid::from_raw(self.group)
                .is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }
}

impl Process {
    /// Kills and reaps it; a killed process ends.
    fn kill(&mut self, group: i32) -> Option<ExitStatus> {
        if !std::mem::replace(&mut self.is_reaped, true) {
            kill_group(group);
        }
        self.child.wait().ok()
    }
}

impl Guard for Running {
    fn moved(&self) {
        self.pulse(|p| p.moved = Instant::now());
    }

    fn gives_up(&self) -> bool {
        self.is_killed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.group);
        let process = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(process.child.try_wait(), Ok(None)) {
            process.kill(self.group);
        }
    }
}
