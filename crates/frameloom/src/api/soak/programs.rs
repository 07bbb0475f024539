//! Programs for a COMMAND that are threads of this process, and fail now and then.

use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};

use crate::api::soak::clock::{Leaping, Worker};
use crate::api::soak::ends::World;
use crate::edit::{Launch, Launched, Launcher, Program};
use crate::protocol::pipe::is_readable;
use crate::time::jitter::Jitter;

/// A program fails at one frame of so many, and at one of two that are the last before a loss.
const FRAMES_A_FAULT: u64 = 300;
const LAST_FRAMES_A_FAULT: u64 = 2;
/// One of so many programs hangs when it is to end.
const ENDS_A_HANG: u64 = 4;

/// The exit status of one that fails.
const FAILED: i32 = 1;

/// How a program fails.
#[derive(Clone, Copy, Debug)]
enum ProgramFault {
    /// It takes a frame and does nothing more.
    Hangs,
    /// It takes a frame and ends.
    Dies,
    /// It answers, and ends.
    DiesIdle,
    /// It ends in the middle of an answer.
    CutsShort,
}

/// How many programs failed, by how they did.
#[derive(Debug, Default)]
pub(super) struct FaultCounts {
    pub(super) died: AtomicU64,
    pub(super) hung: AtomicU64,
    pub(super) cut_short: AtomicU64,
}

impl FaultCounts {
    pub(super) fn counts(&self) -> [u64; 3] {
        [&self.died, &self.hung, &self.cut_short].map(|count| count.load(SeqCst))
    }
}

/// Starts programs, of which one runs at a time.
#[derive(Debug)]
pub(super) struct Programs {
    me: Weak<Programs>,
    clock: Arc<Leaping>,
    world: Arc<World>,
    chance: Mutex<Jitter>,
    pub(super) faults: FaultCounts,
    pub(super) answers: AtomicU64,
    /// The last one that was started.
    current: Mutex<Weak<ProgramPipes>>,
}

/// What a program has, for as long as it runs.
#[derive(Debug)]
struct ProgramPipes {
    stdin: PipeReader,
    stdout: PipeWriter,
    /// Its other end is closed to kill the program.
    kill: PipeReader,
    hangs: AtomicBool,
}

impl ProgramPipes {
    /// Waits for something to read on stdin, or its end. `false` where the program was killed.
    fn wait_for_stdin(&self) -> bool {
        let mut fds = [
            PollFd::from_borrowed_fd(self.stdin.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.kill.as_fd(), PollFlags::IN),
        ];
        while poll(&mut fds, None) == Err(rustix::io::Errno::INTR) {}
        fds[1].revents().is_empty()
    }

    fn hang(&self) {
        self.hangs.store(true, SeqCst);
        let mut fds = [PollFd::from_borrowed_fd(self.kill.as_fd(), PollFlags::IN)];
        while poll(&mut fds, None) == Err(rustix::io::Errno::INTR) {}
    }

    /// Fills `frame`; `None` where the program was killed, `false` at the end of its stdin.
    fn read(&self, frame: &mut [u8]) -> Option<bool> {
        let mut filled = 0;
        while filled < frame.len() {
            if !self.wait_for_stdin() {
                return None;
            }
            match (&self.stdin).read(&mut frame[filled..]).unwrap() {
                0 => return Some(false),
                n => filled += n,
            }
        }
        Some(true)
    }
}

impl Programs {
    pub(super) fn new(clock: &Arc<Leaping>, world: &Arc<World>, seed: u64) -> Arc<Programs> {
        Arc::new_cyclic(|me: &Weak<Programs>| {
            // A program that was given no time yet does not hang.
            clock.wait_for_worker(me.clone());
            Programs {
                me: me.clone(),
                clock: Arc::clone(clock),
                world: Arc::clone(world),
                chance: Mutex::new(Jitter::from_seed(seed)),
                faults: FaultCounts::default(),
                answers: AtomicU64::new(0),
                current: Mutex::default(),
            }
        })
    }

    /// Whether the program hangs.
    pub(super) fn hangs(&self) -> bool {
        self.current().is_some_and(|program| program.hangs.load(SeqCst))
    }

    /// Whether the program has still to read what is in its stdin, or to see that it is closed.
    pub(super) fn has_to_read(&self) -> bool {
        self.current().is_some_and(|program| {
            !program.hangs.load(SeqCst) && is_readable(program.stdin.as_fd())
        })
    }

    fn current(&self) -> Option<Arc<ProgramPipes>> {
        self.current.lock().unwrap().upgrade()
    }

    /// Turns failures and losses off, or on again.
    pub(super) fn calm(&self, is_calm: bool) {
        // What fails already is counted.
        let _chance = self.chance.lock().unwrap();
        self.world.is_calm.store(is_calm, SeqCst);
    }

    /// How a program fails at this frame, if it does.
    fn fault(&self, is_first: bool) -> Option<ProgramFault> {
        let frames =
            if self.world.is_last.load(SeqCst) { LAST_FRAMES_A_FAULT } else { FRAMES_A_FAULT };
        self.one_of(frames, |chance| match chance % 4 {
            // It would be waited for as if it loaded a model.
            0 if !is_first => ProgramFault::Hangs,
            1 => ProgramFault::DiesIdle,
            2 => ProgramFault::CutsShort,
            _ => ProgramFault::Dies,
        })
    }

    /// One fault of so many chances, counted.
    fn one_of(&self, many: u64, fault: impl FnOnce(u64) -> ProgramFault) -> Option<ProgramFault> {
        let mut chance = self.chance.lock().unwrap();
        if !chance.number().is_multiple_of(many) || self.world.is_calm.load(SeqCst) {
            return None;
        }
        let fault = fault(chance.number());
        let count = match fault {
            ProgramFault::Hangs => &self.faults.hung,
            ProgramFault::Dies | ProgramFault::DiesIdle => &self.faults.died,
            ProgramFault::CutsShort => &self.faults.cut_short,
        };
        count.fetch_add(1, SeqCst);
        Some(fault)
    }

    /// A program from its first frame to its end: its exit status; `None` where it was killed. One
    /// that ends by itself stops the time until the pipeline has noticed.
    fn live(&self, pipes: &ProgramPipes, frame_bytes: usize) -> Option<i32> {
        let mut frame = vec![0; frame_bytes];
        let mut has_answered = false;
        while pipes.read(&mut frame)? {
            let fault = self.fault(!has_answered);
            frame.iter_mut().for_each(|byte| *byte = !*byte);
            let answer = match fault {
                Some(ProgramFault::Hangs | ProgramFault::Dies) => 0,
                Some(ProgramFault::CutsShort) => frame_bytes / 2,
                Some(ProgramFault::DiesIdle) | None => frame_bytes,
            };
            let ends = fault.is_some_and(|fault| !matches!(fault, ProgramFault::Hangs));
            if ends {
                self.clock.happened();
            }
            // Where nobody reads it, the program is about to be killed.
            let _ = (&pipes.stdout).write_all(&frame[..answer]);
            has_answered |= answer == frame_bytes;
            self.answers.fetch_add(u64::from(answer == frame_bytes), SeqCst);
            if ends {
                return Some(FAILED);
            }
            if fault.is_some() {
                pipes.hang();
                return None;
            }
        }
        if self.one_of(ENDS_A_HANG, |_| ProgramFault::Hangs).is_some() {
            pipes.hang();
            return None;
        }
        self.clock.happened();
        Some(0)
    }
}

impl Worker for Programs {
    fn has_work(&self) -> bool {
        self.has_to_read()
    }
}

impl Launcher for Programs {
    fn launch(&self, launch: &Launch<'_>) -> io::Result<Launched> {
        let bytes = launch.environment.iter().find(|(name, _)| *name == "FRAMELOOM_FRAME_BYTES");
        let frame_bytes = bytes.unwrap().1.parse().unwrap();
        let ((stdin, to_stdin), (from_stdout, stdout), (kill, leash)) = (pipe()?, pipe()?, pipe()?);
        let pipes = Arc::new(ProgramPipes { stdin, stdout, kill, hangs: AtomicBool::new(false) });
        *self.current.lock().unwrap() = Arc::downgrade(&pipes);
        let end = Arc::new(OnceLock::new());
        let (programs, its_end) = (self.me.upgrade().unwrap(), Arc::clone(&end));
        let thread = std::thread::Builder::new().name("program".to_owned()).spawn(move || {
            let code = programs.live(&pipes, frame_bytes);
            // A signal, or an exit status.
            let _ = its_end.set(ExitStatus::from_raw(code.map_or(9, |code| code << 8)));
        })?;
        let programs = self.me.upgrade().unwrap();
        let program =
            Box::new(ProgramThread { end, programs, leash: Some(leash), thread: Some(thread) });
        Ok(Launched { program, stdin: to_stdin.into(), stdout: Some(from_stdout.into()) })
    }
}

/// A program, as the pipeline has it.
struct ProgramThread {
    end: Arc<OnceLock<ExitStatus>>,
    programs: Arc<Programs>,
    leash: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Program for ProgramThread {
    fn has_ended(&self) -> bool {
        self.end.get().is_some()
    }

    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        Ok(self.end.get().copied())
    }

    fn kill(&mut self) {
        self.leash = None;
    }

    fn end(&mut self) -> Option<ExitStatus> {
        self.kill();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
            if self.end.get().is_some_and(|status| status.signal().is_none()) {
                self.programs.clock.noticed();
            }
        }
        self.end.get().copied()
    }
}

impl Drop for ProgramThread {
    fn drop(&mut self) {
        self.end();
    }
}
