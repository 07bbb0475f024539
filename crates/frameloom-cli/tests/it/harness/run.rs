//! Processes with a time limit, their memory, and what they said.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a run may take before it is killed and fails its test. Nothing is asserted about
/// speed, so this only has to be longer than any run that works.
const LIMIT: Duration = Duration::from_secs(90);

/// A process to be started.
pub(crate) struct Run {
    command: Command,
    stdin: Option<Box<dyn FnOnce(ChildStdin) + Send>>,
    limit: Duration,
}

/// The program under test, with the arguments `args`.
pub(crate) fn frameloom(args: Vec<OsString>) -> Run {
    Run::new(env!("CARGO_BIN_EXE_frameloom"), args)
}

/// Runs `ffmpeg` to its end and returns its stdout.
pub(crate) fn ffmpeg(args: Vec<OsString>) -> Vec<u8> {
    ffmpeg_reader(args).run().ok().stdout
}

/// `ffmpeg` as a peer: a publisher or a reader that runs beside frameloom.
pub(crate) fn ffmpeg_reader(args: Vec<OsString>) -> Run {
    let mut all = args!["-hide_banner", "-nostdin", "-v", "error", "-y"];
    all.extend(args);
    Run::new("ffmpeg", all)
}

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>, args: Vec<OsString>) -> Run {
        // It dies with the test, even where the test is killed and drops nothing.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(args);
        // A group of its own, so that a kill also reaches what it started.
        command.process_group(0);
        Run { command, stdin: None, limit: LIMIT }
    }

    pub(crate) fn stdin(self, bytes: Vec<u8>) -> Run {
        // An early end of the reader is for the test to see in the outcome.
        self.fed_by(move |mut stdin| drop(stdin.write_all(&bytes)))
    }

    /// Its stdin is written by `feed`, on a thread of its own.
    pub(crate) fn fed_by(mut self, feed: impl FnOnce(ChildStdin) + Send + 'static) -> Run {
        self.stdin = Some(Box::new(feed));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(name, value);
        self
    }

    pub(crate) fn cwd(mut self, folder: &Path) -> Run {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn limit_s(mut self, seconds: u64) -> Run {
        self.limit = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn run(self) -> Outcome {
        self.spawn().wait()
    }

    pub(crate) fn spawn(mut self) -> Running {
        let line = format!("{:?}", self.command);
        self.command
            .stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
        if let Some(feed) = self.stdin {
            let pipe = child.stdin.take().unwrap();
            thread::spawn(move || feed(pipe));
        }
        let stdout = Captured::start(child.stdout.take().unwrap());
        let stderr = Captured::start(child.stderr.take().unwrap());
        let started = Instant::now();
        Running { line, child, stdout, stderr, started, limit: self.limit, ended: false }
    }
}

/// What a pipe brought so far.
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Captured {
    fn start(mut pipe: impl Read + Send + 'static) -> Captured {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let filled = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut part = vec![0; 1 << 16];
            while let Ok(n @ 1..) = pipe.read(&mut part) {
                filled.lock().unwrap().extend_from_slice(&part[..n]);
            }
        });
        Captured { bytes, thread: Some(thread) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Everything, once the last writer has closed the pipe or two seconds after the program
    /// ended: a grandchild that lives on may hold it open.
    fn finish(&mut self) -> Vec<u8> {
        let thread = self.thread.take().unwrap();
        let deadline = Instant::now() + Duration::from_secs(2);
        while !thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        std::mem::take(&mut *self.bytes.lock().unwrap())
    }
}

/// A process that runs; killed with all it started when it is dropped.
pub(crate) struct Running {
    line: String,
    child: Child,
    stdout: Captured,
    stderr: Captured,
    started: Instant,
    limit: Duration,
    ended: bool,
}

impl Running {
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Sends it the signal called `name` (`INT`, `TERM`).
    pub(crate) fn signal(&self, name: &str) {
        signal(name, &self.child.id().to_string());
    }

    /// Sends a signal to it and all it started, as a terminal does on Ctrl-C.
    pub(crate) fn signal_group(&self, name: &str) {
        signal(name, &format!("-{}", self.child.id()));
    }

    /// Kills it with all it started, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.signal_group("KILL");
        self.child.wait().unwrap();
        self.ended = true;
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, watching its memory.
    pub(crate) fn wait(mut self) -> Outcome {
        let mut memory = Vec::new();
        let mut peak_kib = 0;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let since = self.started.elapsed();
            if let Some((rss, hwm)) = memory_kib(self.child.id()) {
                peak_kib = hwm.max(peak_kib);
                memory.push((since, rss));
            }
            if since > self.limit {
                let said = self.stderr();
                panic!("{} did not end in {:?}; it said:\n{said}", self.line, self.limit);
            }
            thread::sleep(Duration::from_millis(10));
        };
        let wall = self.started.elapsed();
        self.ended = true;
        let stdout = self.stdout.finish();
        let stderr = String::from_utf8_lossy(&self.stderr.finish()).into_owned();
        assert!(!stderr.starts_with("setpriv: "), "{stderr}: run script/setup --tests");
        Outcome { line: self.line.clone(), status, stdout, stderr, wall, memory, peak_kib }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            signal("KILL", &format!("-{}", self.child.id()));
            self.child.wait().ok();
        }
    }
}

/// How a process ended and what it left.
#[derive(Debug)]
pub(crate) struct Outcome {
    line: String,
    status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) wall: Duration,
    /// Resident memory (KiB) at points of time since the start.
    pub(crate) memory: Vec<(Duration, u64)>,
    pub(crate) peak_kib: u64,
}

impl Outcome {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// It ended with exit status 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Outcome {
        self.ended_with(0);
        self
    }

    /// It ended with exit status `code` and one line that says why; the line is returned.
    ///
    /// A run that got under way may have said other things before; the error is its last line
    /// and the only one of its kind.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        self.ended_with(code);
        let errors: Vec<&str> = self.stderr.lines().filter(|line| is_error(line)).collect();
        assert_eq!(errors.len(), 1, "not one error: {}\n{}", self.line, self.stderr);
        let last = self.stderr.lines().last().unwrap();
        assert_eq!(errors, [last], "the error is not the last line: {}", self.line);
        last.to_owned()
    }

    /// As `fails`, for what went wrong before anything was under way: nothing else is said.
    #[track_caller]
    pub(crate) fn refuses(self, code: i32) -> String {
        let said = self.stderr.clone();
        let line = self.fails(code);
        assert_eq!(said.lines().count(), 1, "more than one line:\n{said}");
        line
    }

    #[track_caller]
    fn ended_with(&self, code: i32) {
        assert_eq!(
            self.code(),
            Some(code),
            "{} ended with {:?} (signal {:?}); it said:\n{}",
            self.line,
            self.status,
            self.status.signal(),
            self.stderr
        );
    }
}

/// Whether it is the error of a run, and not a message of some level.
fn is_error(line: &str) -> bool {
    let levels = ["warning: ", "info: ", "debug: ", "trace: "];
    let message = line.strip_prefix("frameloom: ");
    message.is_some_and(|text| !levels.iter().any(|level| text.starts_with(level)))
}

/// Sends a signal by the shell's own `kill`; a negative `pid` means the process group.
pub(crate) fn signal(name: &str, pid: &str) {
    Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).output().unwrap();
}

/// Resident memory and its highest value, from the kernel.
fn memory_kib(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}

/// Waits until `condition` holds; the test fails when it doesn't within half a minute.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
