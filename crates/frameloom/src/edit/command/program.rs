//! The program behind a COMMAND: a process, or what a test puts in its place.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::{self, Debug};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

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

/// Environment variables, whose values may be secrets.
#[derive(Clone, Default)]
pub(crate) struct Variables(pub(crate) Vec<(String, String)>);

impl Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// What a program is started with.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The program, and its arguments.
    pub(crate) argv: &'a [OsString],
    /// Variables that its user gave it.
    pub(crate) own: &'a Variables,
    pub(crate) environment: Vec<(&'static str, String)>,
    /// It gives no frames back, and its stdout is ours.
    pub(crate) reads_only: bool,
}

/// Starts programs.
pub(crate) trait Launcher: Debug + Send + Sync {
    /// Starts one.
    ///
    /// # Errors
    /// The system's.
    fn launch(&self, launch: &Launch<'_>) -> io::Result<Launched>;
}

/// A program that was started, with its end of the pipes.
pub(crate) struct Launched {
    pub(crate) program: Box<dyn Program>,
    pub(crate) stdin: OwnedFd,
    /// `None` where it only reads.
    pub(crate) stdout: Option<OwnedFd>,
}

/// A program that was started.
pub(crate) trait Program: Send {
    /// Whether it has ended.
    fn has_ended(&self) -> bool;

    /// How it ended, where it has.
    ///
    /// # Errors
    /// The system's.
    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>>;

    /// Kills it with all that it started.
    fn kill(&mut self);

    /// Kills it, and waits for its end. How it ended, where it had done so before.
    fn end(&mut self) -> Option<ExitStatus>;
}

/// Starts processes.
#[derive(Debug)]
pub(crate) struct Processes;

impl Launcher for Processes {
    fn launch(&self, launch: &Launch<'_>) -> io::Result<Launched> {
        let Some((program, arguments)) = launch.argv.split_first() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(launch.own.0.iter().map(|(name, value)| (name, value)))
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(if launch.reads_only { Stdio::inherit() } else { Stdio::piped() })
            // A Ctrl-C at the terminal is for us alone: the program ends when its stdin does.
            .process_group(0);
        let mut child = command.spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let group = i32::try_from(child.id()).unwrap_or(0);
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(group);
        let program = CommandProcess { child, group, is_reaped: false };
        let stdin = stdin.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Launched {
            program: Box::new(program),
            stdin: stdin.into(),
            stdout: stdout.map(OwnedFd::from),
        })
    }
}

/// A process, in a group of its own.
struct CommandProcess {
    child: Child,
    group: i32,
    /// Its number may be another's now.
    is_reaped: bool,
}

impl Program for CommandProcess {
    /// It is not reaped by this, so its number stays its own.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.is_reaped
            || Pid::from_raw(self.group)
                .is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        self.is_reaped |= status.is_some();
        Ok(status)
    }

    fn kill(&mut self) {
        if !self.is_reaped {
            kill_group(self.group);
        }
    }

    fn end(&mut self) -> Option<ExitStatus> {
        // A killed process ends.
        self.kill();
        self.is_reaped = true;
        self.child.wait().ok()
    }
}

impl Drop for CommandProcess {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.group);
        if matches!(self.try_wait(), Ok(None)) {
            self.end();
        }
    }
}
