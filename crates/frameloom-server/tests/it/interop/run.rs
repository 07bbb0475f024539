//! Programs beside the server: with a time limit, killed with all they started.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a program may take. Nothing is asserted about speed: it is only longer than any run
/// that works.
const LIMIT: Duration = Duration::from_secs(90);

/// A program that runs.
pub(super) struct Running {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Captured,
    stderr: Captured,
    ended: bool,
}

/// Starts a program. Its stdin stays open until the test closes it.
pub(super) fn start(program: impl AsRef<Path>, args: Vec<OsString>) -> Running {
    let program = program.as_ref();
    let found = find(program);
    let path =
        found.unwrap_or_else(|| panic!("no {}: run script/setup --tests", program.display()));
    // It dies with the test, even where the test is killed and drops nothing.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(path).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that a kill also reaches what it started.
    let mut child = command.process_group(0).spawn().expect("setpriv: run script/setup --tests");
    Running {
        name: program.display().to_string(),
        stdin: child.stdin.take(),
        stdout: Captured::start(child.stdout.take().unwrap()),
        stderr: Captured::start(child.stderr.take().unwrap()),
        child,
        ended: false,
    }
}

/// Where a program is: one named by its path, or on the `PATH`.
pub(super) fn find(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

impl Running {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let pipe = self.stdin.as_mut().unwrap();
        if let Err(error) = pipe.write_all(bytes) {
            panic!("{} takes no more: {error}; it said:\n{}", self.name, self.said());
        }
    }

    pub(super) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Asks it to end, as Ctrl-C does.
    pub(super) fn interrupt(&self) {
        signal("INT", &self.child.id().to_string());
    }

    /// What it wrote to stdout so far.
    pub(super) fn stdout(&self) -> String {
        self.stdout.text()
    }

    fn said(&self) -> String {
        format!("{}{}", self.stdout(), self.stderr.text())
    }

    #[track_caller]
    pub(super) fn assert_running(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{} ended with {ended:?}; it said:\n{}", self.name, self.said());
    }

    /// Waits for its end and for exit status 0; returns its stdout.
    #[track_caller]
    pub(super) fn ok(mut self) -> String {
        self.stdin = None;
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let said = || self.said();
            assert!(started.elapsed() < LIMIT, "{} doesn't end; it said:\n{}", self.name, said());
            thread::sleep(Duration::from_millis(10));
        };
        self.ended = true;
        self.stdout.finish();
        self.stderr.finish();
        assert!(status.success(), "{}: {status}; it said:\n{}", self.name, self.said());
        self.stdout()
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

/// Sends a signal by the shell's own `kill`; a negative `pid` means the process group.
fn signal(name: &str, pid: &str) {
    Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).output().unwrap();
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
            let mut part = [0; 1 << 14];
            while let Ok(count @ 1..) = pipe.read(&mut part) {
                filled.lock().unwrap().extend_from_slice(&part[..count]);
            }
        });
        Captured { bytes, thread: Some(thread) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn finish(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")
}

/// The two ages of the `ffmpeg` program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ffmpeg {
    /// The distribution's.
    System,
    /// The newest there is, which knows Enhanced RTMP.
    New,
}

impl Ffmpeg {
    pub(super) fn path(self) -> PathBuf {
        static NEW: OnceLock<PathBuf> = OnceLock::new();
        match self {
            Ffmpeg::System => "ffmpeg".into(),
            Ffmpeg::New => NEW.get_or_init(new_ffmpeg).clone(),
        }
    }

    pub(super) fn start(self, args: Vec<OsString>) -> Running {
        let mut all = args!["-hide_banner", "-v", "error", "-y"];
        all.extend(args);
        start(self.path(), all)
    }

    pub(super) fn run(self, args: Vec<OsString>) -> String {
        self.start(args).ok()
    }
}

fn new_ffmpeg() -> PathBuf {
    let python = match std::env::var_os("FRAMELOOM_TEST_PYTHON") {
        Some(path) => path.into(),
        None => target().join("venv/bin/python"),
    };
    let code = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())";
    start(python, args!["-c", code]).ok().trim_end().into()
}

/// Starts one of the programs in `tests/node`, on the packages that `script/setup` installed.
pub(super) fn start_node(script: &str, args: Vec<OsString>) -> Running {
    let node = match std::env::var_os("FRAMELOOM_TEST_NODE") {
        Some(path) => PathBuf::from(path),
        None => target().join("node/node"),
    };
    let packages = target().join("node");
    assert!(
        packages.join("node_modules").is_dir(),
        "no {}: run script/setup --tests",
        packages.display()
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node").join(script);
    let mut all = args![script, packages];
    all.extend(args);
    start(node, all)
}
