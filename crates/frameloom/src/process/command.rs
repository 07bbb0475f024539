//! COMMAND: any program that reads raw frames on stdin and writes one back for each.
//!
//! Two halves, so that a program may take several frames before it gives the first one back and
//! neither side waits for the other: [`CommandInput`] writes frames to its stdin, [`CommandOutput`]
//! reads them from its stdout. The pipeline runs each in a thread of its own. Its stderr is ours.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::frame::Frame;
use crate::image::{PixelBuffer, PixelFormat};
use crate::options::Size;
use crate::pipes::{self, Transfer};
use crate::stop::Stop;
use crate::time::Rate;

/// Frames a program may hold back besides those that fit into the pipes and buffers of its own
/// of the pipes' size.
const HELD_BACK: usize = 64;

/// How long a program may take to end after its stdin was closed.
const FAREWELL: Duration = Duration::from_secs(5);

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

/// A program that edits frames: how to start it, and what frames it wants.
#[derive(Clone, Debug)]
pub struct Command {
    argv: Vec<OsString>,
    format: PixelFormat,
    size: Option<Size>,
}

impl Command {
    /// A program and its arguments; rgb24 frames of the stream's own size.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where `argv` is empty.
    pub fn new(argv: Vec<OsString>) -> Result<Command> {
        if argv.first().is_none_or(|program| program.is_empty()) {
            return Err(Error::usage("there is no command behind --"));
        }
        Ok(Command { argv, format: PixelFormat::Rgb24, size: None })
    }

    /// The format of the frames it reads and writes.
    #[must_use]
    pub fn frame_format(mut self, format: PixelFormat) -> Command {
        self.format = format;
        self
    }

    /// Scales the stream to this size before the program sees it.
    #[must_use]
    pub fn frame_size(mut self, size: Size) -> Command {
        self.size = Some(size);
        self
    }

    pub(crate) fn size(&self) -> Option<Size> {
        self.size
    }

    fn name(&self) -> String {
        self.argv.first().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Starts it for frames like `frame`. With `reads_only` its stdout is ours.
    pub(crate) fn spawn(
        &self,
        frame: &Frame,
        rate: Option<Rate>,
        reads_only: bool,
        stop: &Stop,
    ) -> Result<Spawned> {
        let (program, arguments) =
            self.argv.split_first().ok_or_else(|| Error::usage("there is no command"))?;
        let (width, height) = (frame.width(), frame.height());
        let frame_bytes = self.format.frame_bytes(width, height);
        let mut command = std::process::Command::new(program);
        command
            .args(arguments)
            .env("FRAMELOOM_WIDTH", width.to_string())
            .env("FRAMELOOM_HEIGHT", height.to_string())
            .env("FRAMELOOM_PIX_FMT", self.format.name())
            .env("FRAMELOOM_FRAME_BYTES", frame_bytes.to_string())
            .env("FRAMELOOM_RATE", rate.map_or_else(String::new, |r| r.to_string()))
            .stdin(Stdio::piped())
            .stdout(if reads_only { Stdio::inherit() } else { Stdio::piped() })
            // A Ctrl-C at the terminal is for us alone: the program ends when its stdin does.
            .process_group(0);
        let fail = |e: std::io::Error, what: &str| {
            let kind = if e.kind() == std::io::ErrorKind::NotFound {
                ErrorKind::NotFound
            } else {
                ErrorKind::Process
            };
            let text = e.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
            Error::new(kind, Stage::Process, format!("{what}: {text}")).at(&self.name())
        };
        let mut child = command.spawn().map_err(|e| fail(e, "the command can't be started"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let running = Arc::new(Running::new(child, self.name()));
        let stdin = stdin.ok_or_else(|| Error::process("the command has no stdin"))?;
        pipes::prepare(stdin.as_fd()).map_err(|e| fail(e, "its stdin"))?;
        if let Some(stdout) = &stdout {
            pipes::prepare(stdout.as_fd()).map_err(|e| fail(e, "its stdout"))?;
        }
        let input = CommandInput {
            stdin: Some(stdin),
            format: self.format,
            size: (width, height),
            sent: 0,
            reads_only,
            running: Arc::clone(&running),
            stop: stop.clone(),
        };
        let output = stdout.map(|stdout| CommandOutput {
            stdout,
            format: self.format,
            received: 0,
            running,
            stop: stop.clone(),
        });
        let limit = HELD_BACK + 4 * pipes::PIPE_BYTES / frame_bytes.max(1);
        Ok(Spawned { input, output, in_flight_limit: limit })
    }
}

/// A program that was started.
pub(crate) struct Spawned {
    pub(crate) input: CommandInput,
    /// `None` where it only reads.
    pub(crate) output: Option<CommandOutput>,
    /// How many frames may be inside it before it is clear that none will come back.
    pub(crate) in_flight_limit: usize,
}

/// A frame whose pixels a program is looking at.
pub(crate) struct InFlight {
    frame: Frame,
    shown: Arc<PixelBuffer>,
}

/// The half that writes to the program's stdin.
pub(crate) struct CommandInput {
    stdin: Option<ChildStdin>,
    format: PixelFormat,
    size: (u32, u32),
    sent: u64,
    reads_only: bool,
    running: Arc<Running>,
    stop: Stop,
}

impl CommandInput {
    /// Gets a frame ready to be shown to the program: to be handed to the other half before a
    /// single byte of it is written.
    pub(crate) fn show(&self, mut frame: Frame) -> Result<(InFlight, Arc<PixelBuffer>)> {
        if (frame.width(), frame.height()) != self.size {
            let (w, h) = self.size;
            return Err(self.running.error(format!(
                "the stream changed from {w}x{h} to {}x{}, and the command was started for the first",
                frame.width(),
                frame.height()
            ))
            .hint("--frame-size gives it frames of one size"));
        }
        let shown = Arc::new(frame.take_packed(self.format)?);
        Ok((InFlight { frame, shown: Arc::clone(&shown) }, shown))
    }

    /// Writes a frame to its stdin; `false` where it takes no more.
    pub(crate) fn write(&mut self, pixels: &PixelBuffer) -> Result<bool> {
        let Some(stdin) = &self.stdin else { return Ok(false) };
        match pipes::write_all(stdin.as_fd(), pixels.as_slice(), &self.stop) {
            Ok(Transfer::Done) => {
                self.sent += 1;
                Ok(true)
            }
            Ok(Transfer::Closed(_)) => {
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

    /// Closes its stdin. Where it only reads, this waits for its end.
    ///
    /// # Errors
    /// Where it only reads and failed.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.stdin = None;
        if !self.reads_only {
            return Ok(());
        }
        match self.running.wait(FAREWELL) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.running.error(format!(
                "it ended with {} after {} frames",
                told(status),
                self.sent
            ))),
            None => Err(self.running.error("it did not end when its frames did, and was killed")),
        }
    }

    /// The error for a program that takes frames and gives none back.
    pub(crate) fn holds_too_many(&self, limit: usize) -> Error {
        self.running.kill();
        self.running
            .error(format!("it took {limit} frames and gave none back"))
            .hint("it must write one frame for each it reads; with no output it may just read")
    }
}

/// The half that reads from the program's stdout.
pub(crate) struct CommandOutput {
    stdout: ChildStdout,
    format: PixelFormat,
    received: u64,
    running: Arc<Running>,
    stop: Stop,
}

impl CommandOutput {
    /// Reads the answer to `asked`, the frame sent longest ago.
    ///
    /// # Errors
    /// Where the program ends, or writes what is not a frame.
    pub(crate) fn answer(&mut self, asked: InFlight) -> Result<Frame> {
        let InFlight { mut frame, shown } = asked;
        let mut answer = frame.blank_view(self.format)?;
        let mut same = true;
        let original = shown.as_slice();
        let read =
            pipes::read_all(self.stdout.as_fd(), answer.as_mut_slice(), &self.stop, |at, piece| {
                same = same && original.get(at..at + piece.len()) == Some(piece);
            });
        match read {
            Ok(Transfer::Done) => {
                self.received += 1;
                if !same {
                    frame.replace(answer);
                }
                Ok(frame)
            }
            Ok(Transfer::Closed(bytes)) => Err(self.ended_early(bytes, original.len())),
            Ok(Transfer::Stuck) => {
                self.running.kill();
                Err(self.running.error("it did not give its last frames back and was killed"))
            }
            Err(e) => Err(self.running.error(format!("reading from its stdout failed: {e}"))),
        }
    }

    fn ended_early(&self, bytes: usize, whole: usize) -> Error {
        let status = self.running.wait(FAREWELL).map_or_else(|| "no exit status".to_owned(), told);
        let n = self.received;
        if bytes > 0 {
            let cause = format!(
                "it ended ({status}) in the middle of a frame: {bytes} of {whole} bytes, after {n} whole frames"
            );
            return self.running.error(cause);
        }
        self.running
            .error(format!("it ended ({status}) before it gave every frame back, after {n} frames"))
            .hint("it must write one frame for each it reads, until its stdin ends")
    }

    /// Waits for the program's end after every frame was answered.
    ///
    /// # Errors
    /// Where it writes on, or ends with a failure.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let deadline = Instant::now() + FAREWELL;
        let patient = Stop::new();
        let mut rest = [0u8; 1];
        // A stopped pipeline waits no longer than its patience; this one is as patient from now on.
        patient.stop();
        match pipes::read_all(self.stdout.as_fd(), &mut rest, &patient, |_, _| ()) {
            Ok(Transfer::Closed(_)) => {}
            Ok(Transfer::Stuck) => {
                self.running.kill();
                return Err(self
                    .running
                    .error("it did not end when its frames did, and was killed"));
            }
            Ok(Transfer::Done) => {
                self.running.kill();
                return Err(self.wrote_too_much());
            }
            Err(e) => {
                return Err(self.running.error(format!("reading from its stdout failed: {e}")));
            }
        }
        match self.running.wait(deadline.saturating_duration_since(Instant::now())) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.running.error(format!(
                "it ended with {} after {} frames",
                told(status),
                self.received
            ))),
            None => Err(self.running.error("it did not end when its frames did, and was killed")),
        }
    }

    /// Whether there is something to read, or it is closed.
    pub(crate) fn is_readable(&self) -> bool {
        pipes::is_readable(self.stdout.as_fd())
    }

    /// The error for a program whose stdout became readable with no frame to answer.
    pub(crate) fn unasked(&mut self) -> Error {
        let mut one = [0u8; 1];
        match pipes::read_all(self.stdout.as_fd(), &mut one, &self.stop, |_, _| ()) {
            Ok(Transfer::Done) => self.wrote_too_much(),
            _ => self.ended_early(0, 0),
        }
    }

    /// The error for a program that writes more than it was given.
    fn wrote_too_much(&self) -> Error {
        self.running.kill();
        self.running
            .error(format!("it wrote more than one frame for each it read, after {} frames", self.received))
            .hint("do its frames have the size of FRAMELOOM_FRAME_BYTES, and does it print nothing else on stdout?")
    }

    /// Ends the program where the pipeline takes no more of its frames.
    pub(crate) fn abandon(&self) {
        self.running.kill();
    }
}

/// The process behind both halves.
struct Running {
    child: Mutex<Child>,
    group: i32,
    name: String,
}

impl Running {
    fn new(child: Child, name: String) -> Running {
        let group = i32::try_from(child.id()).unwrap_or(0);
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(group);
        Running { child: Mutex::new(child), group, name }
    }

    fn error(&self, cause: impl AsRef<str>) -> Error {
        Error::process(cause).at(&self.name)
    }

    fn kill(&self) {
        kill_group(self.group);
    }

    /// Waits for its end, and kills it after `limit`.
    fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            match child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => {}
                Ok(None) | Err(_) => {
                    self.kill();
                    // Reaps it; a killed process ends.
                    let _ = child.wait();
                    return None;
                }
            }
            drop(child);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.group);
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(child.try_wait(), Ok(None)) {
            kill_group(self.group);
            // Reaps it; a killed process ends.
            let _ = child.wait();
        }
    }
}

fn told(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit status".to_owned(),
    }
}
