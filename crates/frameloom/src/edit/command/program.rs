//! The program behind a COMMAND: a process, or what a test puts in its place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Debug};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open,
    pidfd_send_signal, waitid,
};

/// Programs that are running now: their process groups, and the marks of all that they started.
static RUNNING: Mutex<BTreeMap<i32, String>> = Mutex::new(BTreeMap::new());

/// In the environment of a program and of all that it starts, unless that takes it out: so what has left
/// its group, and whose parent has ended, is found.
const MARK: &str = "FRAMELOOM_COMMAND_ID";

/// Kills a program with all that it started when the pipe on its stdin ends, which it does however this
/// process ends.
const GUARD: &str = "while read -r _; do :; done
kill -KILL -- \"-$1\" 2>/dev/null
for round in 1 2 3; do
    for file in $(grep -ls \"$2\" /proc/[0-9]*/environ 2>/dev/null); do
        pid=${file#/proc/}
        kill -KILL \"${pid%/environ}\" 2>/dev/null
    done
done";

/// How often is looked for what a program started: what is found may be starting more.
const ROUNDS: usize = 5;

/// Kills every COMMAND that is running, with its process group: for a front that is about to exit
/// without waiting for its pipelines.
pub fn kill_commands() {
    let groups = std::mem::take(&mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner));
    groups.into_iter().for_each(|(group, mark)| kill_all(group, &mark));
}

fn kill_all(group: i32, mark: &str) {
    if let Some(pid) = Pid::from_raw(group) {
        // It may have ended by itself.
        let _ = kill_process_group(pid, Signal::KILL);
    }
    for _ in 0..ROUNDS {
        if kill_marked(mark) == 0 {
            break;
        }
    }
}

/// Kills each process of this machine that has this mark in its environment. Returns how many it found;
/// none where the system doesn't show them.
fn kill_marked(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut found = 0;
    for pid in numbers.filter_map(Pid::from_raw) {
        // From here on the number stands for this process, whatever becomes of it.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let environment = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
        let has_mark = |pair: &[u8]| pair == mark.as_bytes();
        if environment.is_ok_and(|all| all.split(|byte| *byte == 0).any(has_mark)) {
            found += usize::from(pidfd_send_signal(process, Signal::KILL).is_ok());
        }
    }
    found
}

/// A mark that nobody else has.
fn new_mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{MARK}={}-{}-{number}", std::process::id(), since.as_nanos())
}

/// Starts what kills a program if this process ends before it. Without a shell there is none.
fn guard(group: i32, mark: &str) -> Option<Child> {
    let mut guard = Command::new("sh");
    // What this process's environment holds is none of the command's business, which may look.
    guard.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    guard.args(["-c", GUARD, "frameloom-guard", &group.to_string(), mark]);
    let quiet = guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A Ctrl-C at the terminal is not for it.
    let started = quiet.process_group(0).spawn();
    started.inspect_err(|e| tracing::debug!("no guard for the command: {e}")).ok()
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
    pub(crate) stdout: ProgramStdout,
    /// What it finds open, and by which numbers.
    pub(crate) descriptors: Vec<ProgramDescriptor>,
}

/// What a program's stdout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgramStdout {
    /// A pipe, for its answers.
    Answers,
    /// Our own: it gives nothing back.
    Ours,
    /// Our stderr: its answers go another way.
    Stderr,
}

/// What a program finds open beside its stdin, stdout and stderr.
#[derive(Debug)]
pub(crate) struct ProgramDescriptor {
    pub(crate) number: i32,
    pub(crate) file: OwnedFd,
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
    /// `None` where it is not for answers.
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
        let mark = new_mark();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(launch.own.0.iter().map(|(name, value)| (name, value)))
            .envs(mark.split_once('='))
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(match launch.stdout {
                ProgramStdout::Answers => Stdio::piped(),
                ProgramStdout::Ours => Stdio::inherit(),
                ProgramStdout::Stderr => io::stderr().as_fd().try_clone_to_owned()?.into(),
            })
            // A Ctrl-C at the terminal is for us alone: the program ends when its stdin does.
            .process_group(0);
        if !launch.descriptors.is_empty() {
            let mapping = |own: &ProgramDescriptor| {
                Ok(FdMapping { parent_fd: own.file.try_clone()?, child_fd: own.number })
            };
            let mappings =
                launch.descriptors.iter().map(mapping).collect::<io::Result<Vec<_>>>()?;
            let mapped = command.fd_mappings(mappings);
            mapped.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        }
        let mut child = command.spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let group = i32::try_from(child.id()).unwrap_or(0);
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(group, mark.clone());
        let guard = guard(group, &mark);
        let program = CommandProcess { child, group, mark, guard, is_reaped: false };
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
    mark: String,
    guard: Option<Child>,
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
            kill_all(self.group, &self.mark);
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
        if let Some(guard) = &mut self.guard {
            // A killed process ends.
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }
}
