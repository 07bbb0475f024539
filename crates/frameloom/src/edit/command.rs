//! COMMAND: any program that reads raw frames on stdin and writes one back for each.
//!
//! Two halves, so that a program may take several frames before it gives the first one back and
//! neither side waits for the other: [`CommandInput`] writes frames to its stdin, [`CommandOutput`]
//! reads them from its stdout. The pipeline runs each in a thread of its own. Its stderr is ours.

pub(crate) mod audio;
pub(crate) mod program;
mod running;

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::program::kill_commands;
use self::program::{Launch, Launched, Launcher, Processes, Variables};
pub(crate) use self::running::RunningCommand;
use crate::edit::Fit;
use crate::error::{Error, ErrorKind, Hint, Result, Stage, counted, os_words};
use crate::image::Frame;
use crate::image::{PixelBuffer, PixelFormat};
use crate::options::{CommandOptions, Size};
use crate::protocol::pipe::{self, Guard, Transfer};
use crate::time::Rate;
use crate::time::clock::Clock;
use crate::time::stop::Stop;

/// Frames a program may hold back besides those that fit into the pipes and buffers of its own
/// of the pipes' size.
const HELD_BACK: usize = 64;

/// How long a program may take to end after its stdin was closed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for one that closed its stdout while frames wait for its answers.
const SHORT_EXIT_TIMEOUT: Duration = Duration::from_millis(300);

/// A program that edits frames: how to start it, and what frames it wants.
#[derive(Clone, Debug)]
pub struct Command {
    argv: Vec<OsString>,
    format: PixelFormat,
    size: Option<Size>,
    environment: Variables,
    launcher: Arc<dyn Launcher>,
}

impl Command {
    /// A program and its arguments; rgb24 frames of the stream's own size.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where `argv` is empty.
    pub fn new(argv: Vec<OsString>) -> Result<Command> {
        if argv.first().is_none_or(|program| program.is_empty()) {
            return Err(Error::usage("the command has no program"));
        }
        Ok(Command {
            argv,
            format: PixelFormat::Rgb24,
            size: None,
            environment: Variables::default(),
            launcher: Arc::new(Processes),
        })
    }

    /// The format of the frames it reads and writes.
    #[must_use]
    pub fn frame_format(mut self, format: PixelFormat) -> Command {
        self.format = format;
        self
    }

    /// Uses `launcher` to start the program, in the place of the system.
    #[cfg(test)]
    pub(crate) fn launched_by(mut self, launcher: Arc<dyn Launcher>) -> Command {
        self.launcher = launcher;
        self
    }

    /// Scales the stream to this size before the program sees it.
    #[must_use]
    pub fn frame_size(mut self, size: Size) -> Command {
        self.size = Some(size);
        self
    }

    /// Sets an environment variable for the program, which has all others of this process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Command {
        self.environment.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes what `options` sets of the frames' format and size.
    #[must_use]
    pub fn options(mut self, options: CommandOptions) -> Command {
        self.format = options.frame_format.unwrap_or(self.format);
        self.size = options.frame_size.or(self.size);
        self
    }

    pub(crate) fn size(&self) -> Option<Size> {
        self.size
    }

    fn name(&self) -> String {
        self.argv.first().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn fail(&self, e: std::io::Error, what: &str) -> Error {
        let kind = if e.kind() == std::io::ErrorKind::NotFound {
            ErrorKind::NotFound
        } else {
            ErrorKind::Process
        };
        let cause = format!("{what}: {}", os_words(&e));
        Error::new(kind, Stage::Process, cause).because(e).at(&self.name())
    }

    /// Starts the program, with its pipes prepared.
    fn launch(
        &self,
        environment: Vec<(&'static str, String)>,
        reads_only: bool,
    ) -> Result<Launched> {
        let launch = Launch { argv: &self.argv, own: &self.environment, environment, reads_only };
        let launched = self.launcher.launch(&launch);
        let launched = launched.map_err(|e| self.fail(e, "the command can't be started"))?;
        let stdin = pipe::prepare(launched.stdin.as_fd());
        stdin.map_err(|e| self.fail(e, "its stdin can't be written"))?;
        if let Some(stdout) = &launched.stdout {
            let stdout = pipe::prepare(stdout.as_fd());
            stdout.map_err(|e| self.fail(e, "its stdout can't be read"))?;
        }
        Ok(launched)
    }

    /// Starts it for frames like `frame`. With `reads_only` its stdout is ours. With a `hang_limit`
    /// it may not stand still for longer, by `clock`.
    pub(crate) fn spawn(
        &self,
        frame: &Frame,
        rate: Option<Rate>,
        reads_only: bool,
        hang_limit: Option<Duration>,
        clock: &Arc<dyn Clock>,
        stop: &Stop,
    ) -> Result<SpawnedCommand> {
        let (width, height) = (frame.width(), frame.height());
        let frame_bytes = self.format.frame_bytes(width, height);
        let environment = vec![
            ("FRAMELOOM_WIDTH", width.to_string()),
            ("FRAMELOOM_HEIGHT", height.to_string()),
            ("FRAMELOOM_PIX_FMT", self.format.name().to_owned()),
            ("FRAMELOOM_FRAME_BYTES", frame_bytes.to_string()),
            ("FRAMELOOM_RATE", rate.map_or_else(String::new, |r| r.to_string())),
        ];
        let Launched { program, stdin, stdout } = self.launch(environment, reads_only)?;
        let fail = |e, what| self.fail(e, what);
        let answers = stdout.as_ref().map(|out| out.as_fd().try_clone_to_owned()).transpose();
        let answers = answers.map_err(|e| fail(e, "its stdout can't be read"))?;
        let farewell = if hang_limit.is_some() { SHORT_EXIT_TIMEOUT } else { EXIT_TIMEOUT };
        let clock = Arc::clone(clock);
        let running = RunningCommand::new(program, self.name(), hang_limit, farewell, clock);
        let running = Arc::new(running);
        let input = CommandInput {
            stdin: Some(stdin),
            answers,
            format: self.format,
            fit: Fit::new((width, height)),
            sent: 0,
            written: 0,
            read_last: 0,
            reads_only,
            running: Arc::clone(&running),
            stop: stop.clone(),
        };
        let output = stdout.map(|stdout| CommandOutput {
            stdout,
            format: self.format,
            received: 0,
            running: Arc::clone(&running),
            stop: stop.clone(),
        });
        let limit = HELD_BACK + 4 * pipe::PIPE_BYTES / frame_bytes.max(1);
        Ok(SpawnedCommand { input, output, running, in_flight_limit: limit })
    }
}

/// A program that was started.
pub(crate) struct SpawnedCommand {
    pub(crate) input: CommandInput,
    /// `None` where it only reads.
    pub(crate) output: Option<CommandOutput>,
    pub(crate) running: Arc<RunningCommand>,
    /// How many frames may be inside it before it is clear that none will come back.
    pub(crate) in_flight_limit: usize,
}

/// A frame whose pixels a program is looking at.
pub(crate) struct ShownFrame {
    frame: Frame,
    shown: Arc<PixelBuffer>,
}

/// The half that writes to the program's stdin.
pub(crate) struct CommandInput {
    stdin: Option<OwnedFd>,
    /// Its stdout, to see whether it says something unasked.
    answers: Option<OwnedFd>,
    format: PixelFormat,
    /// The size it was started for.
    fit: Fit,
    sent: u64,
    /// Bytes that were written to it.
    written: u64,
    /// Bytes that it had read when it closed its stdin.
    read_last: u64,
    reads_only: bool,
    running: Arc<RunningCommand>,
    stop: Stop,
}

impl CommandInput {
    /// The size of the frames that it reads, width and height.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.fit.size()
    }

    /// Gets a frame ready to be shown to the program: to be handed to the other half before a
    /// single byte of it is written. One of another size than the first is brought to that.
    pub(crate) fn show(&mut self, frame: Frame) -> Result<Option<(ShownFrame, Arc<PixelBuffer>)>> {
        // In this order: an answer that is read meanwhile is owed no more.
        let owes_nothing = self.running.owed() == 0;
        let unasked = self.answers.as_ref().map_or(0, |out| pipe::unread(out.as_fd()));
        // What it says before its first frame is noticed with its first answer, or its end.
        if unasked > 0 && owes_nothing && self.sent > 0 {
            return Err(self.running.wrote_too_much(self.sent));
        }
        let Some(mut frame) = self.fit.fit(frame)? else { return Ok(None) };
        let shown = Arc::new(frame.take_packed(self.format)?);
        self.running.owes();
        Ok(Some((ShownFrame { frame, shown: Arc::clone(&shown) }, shown)))
    }

    /// Writes a frame to its stdin; `false` where it takes no more.
    pub(crate) fn write(&mut self, pixels: &PixelBuffer) -> Result<bool> {
        let Some(stdin) = &self.stdin else { return Ok(false) };
        let reader = StdinActivity(&self.running);
        let bytes = pixels.as_slice();
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
        let (width, height) = self.fit.size();
        let read = match &self.stdin {
            Some(_) => self.written.saturating_sub(self.unread()),
            None => self.read_last,
        };
        read > self.format.frame_bytes(width, height) as u64
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

/// The half that reads from the program's stdout.
pub(crate) struct CommandOutput {
    stdout: OwnedFd,
    format: PixelFormat,
    received: u64,
    running: Arc<RunningCommand>,
    stop: Stop,
}

impl CommandOutput {
    /// Reads the answer to `asked`, the frame sent longest ago.
    ///
    /// # Errors
    /// Where the program ends, or writes what is not a frame.
    pub(crate) fn answer(&mut self, asked: ShownFrame) -> Result<Frame> {
        let ShownFrame { mut frame, shown } = asked;
        let mut answer = frame.blank_view(self.format)?;
        let mut same = true;
        let original = shown.as_slice();
        let running = &self.running;
        let read = pipe::read_all(
            self.stdout.as_fd(),
            answer.as_mut_slice(),
            &self.stop,
            &**running,
            |at, piece| {
                same = same && original.get(at..at + piece.len()) == Some(piece);
                running.answers(at + piece.len() == original.len());
            },
        );
        match read {
            Ok(Transfer::Done) => {
                self.received += 1;
                // In this order: what is shown meanwhile may be answered already.
                let surplus = pipe::unread(self.stdout.as_fd()) > 0;
                if surplus && running.owed() == 0 {
                    return Err(running.wrote_too_much(self.received));
                }
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
            Err(e) => Err(self
                .running
                .error(format!("its stdout can't be read: {}", os_words(&e)))
                .because(e)),
        }
    }

    fn ended_early(&self, bytes: usize, whole: usize) -> Error {
        let status = self.running.end(self.running.farewell);
        let status = status.map_or_else(|| "no exit status".to_owned(), exit_text);
        let n = counted(self.received, "frame");
        if bytes > 0 {
            let cause = format!(
                "it ended ({status}) in the middle of a frame: {bytes} of {whole} bytes, after {n}"
            );
            let error = self.running.error(cause);
            return if self.received == 0 { error.hint(Hint::OnlyFramesOnStdout) } else { error };
        }
        self.running
            .error(format!("it ended ({status}) before it gave every frame back, after {n}"))
            .hint(Hint::AnswerToTheEnd)
    }

    /// Waits for the program's end after every frame was answered.
    ///
    /// # Errors
    /// Where it writes on, or ends with a failure.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let deadline = Instant::now() + EXIT_TIMEOUT;
        let patient = Stop::new();
        let mut rest = [0u8; 1];
        // A stopped pipeline waits no longer than its patience; this one is as patient from now on.
        patient.stop();
        match pipe::read_all(self.stdout.as_fd(), &mut rest, &patient, &*self.running, |_, _| ()) {
            Ok(Transfer::Closed(_)) => {}
            Ok(Transfer::Stuck) => {
                self.running.kill();
                return Err(self
                    .running
                    .error("it did not end when its frames did, and was killed"));
            }
            Ok(Transfer::Done) => {
                return Err(self.running.wrote_too_much(self.received));
            }
            Err(e) => {
                return Err(self
                    .running
                    .error(format!("its stdout can't be read: {}", os_words(&e)))
                    .because(e));
            }
        }
        match self.running.wait(deadline.saturating_duration_since(Instant::now())) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.running.error(format!(
                "it ended with {} after {}",
                exit_text(status),
                counted(self.received, "frame")
            ))),
            None => Err(self.running.error("it did not end when its frames did, and was killed")),
        }
    }

    /// Whether there is something to read, or it is closed.
    pub(crate) fn is_readable(&self) -> bool {
        pipe::is_readable(self.stdout.as_fd())
    }

    /// The error for a program whose stdout became readable with no frame to answer.
    pub(crate) fn unasked(&mut self) -> Error {
        let mut one = [0u8; 1];
        match pipe::read_all(self.stdout.as_fd(), &mut one, &self.stop, &*self.running, |_, _| ()) {
            Ok(Transfer::Done) => self.running.wrote_too_much(self.received),
            _ => self.ended_early(0, 0),
        }
    }

    /// Ends the program where the pipeline takes no more of its frames.
    pub(crate) fn abandon(&self) {
        self.running.kill();
    }
}

fn exit_text(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit status".to_owned(),
    }
}
