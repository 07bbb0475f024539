//! COMMAND: any program that reads raw frames on stdin and writes one back for each.
//!
//! Two halves, so that a program may take several frames before it gives the first one back and
//! neither side waits for the other: [`CommandInput`] writes frames to its stdin, [`CommandOutput`]
//! reads them from its stdout. The pipeline runs each in a thread of its own. Its stderr is ours.

pub(crate) mod audio;
mod exchange;
mod input;
mod lines;
mod output;
pub(crate) mod program;
mod running;
mod shared_memory;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::exchange::ShownFrame;
use self::exchange::{Exchange, Terms};
pub(crate) use self::input::CommandInput;
pub(crate) use self::output::CommandOutput;
pub use self::program::kill_commands;
use self::program::{
    Launch, Launched, Launcher, Processes, ProgramDescriptor, ProgramStdout, Variables,
};
pub(crate) use self::running::RunningCommand;
use crate::error::{Error, ErrorKind, Result, Stage, os_words};
use crate::image::{Frame, PixelFormat};
use crate::options::{CommandAnswer, CommandOptions, FrameTransport, Size};
use crate::protocol::pipe;
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

/// How long one that only reads may have every slot of the shared memory, and nothing to read.
const HELD_TIMEOUT: Duration = Duration::from_secs(10);

/// A program that edits frames: how to start it, and what frames it wants.
#[derive(Clone, Debug)]
pub struct Command {
    argv: Vec<OsString>,
    terms: Terms,
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
            terms: Terms {
                format: PixelFormat::Rgb24,
                answer: CommandAnswer::default(),
                transport: FrameTransport::default(),
            },
            size: None,
            environment: Variables::default(),
            launcher: Arc::new(Processes),
        })
    }

    /// The format of the frames it reads and writes.
    #[must_use]
    pub fn frame_format(mut self, format: PixelFormat) -> Command {
        self.terms.format = format;
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

    /// Takes what `options` sets of the frames and the answers.
    #[must_use]
    pub fn options(mut self, options: CommandOptions) -> Command {
        let terms = &mut self.terms;
        terms.format = options.frame_format.unwrap_or(terms.format);
        terms.answer = options.answer.unwrap_or(terms.answer);
        terms.transport = options.transport.unwrap_or(terms.transport);
        self.size = options.frame_size.or(self.size);
        self
    }

    /// The size that all frames are scaled to: where only data comes back, that is the program's affair.
    pub(crate) fn size(&self) -> Option<Size> {
        self.size.filter(|_| self.terms.answer == CommandAnswer::Pixels)
    }

    /// Whether it hides what must not be seen: detection that blurs or pixelates what it finds.
    ///
    /// The words are looked at as one text, as they may stand behind `env`, `uv run` or in a line of a
    /// shell. Where that finds too much, a picture is held that might have been shown. What it can't find,
    /// as a script that starts the detection, learns from [`Command::unedited`] what would be shown.
    pub(crate) fn hides(&self) -> bool {
        let words: Vec<_> = self.argv.iter().map(|word| word.to_string_lossy()).collect();
        let line = words.join(" ");
        let hides = |after: &str| {
            let way = after.trim_start_matches(|c: char| c.is_whitespace() || "='\"\\".contains(c));
            way.starts_with("blur") || way.starts_with("pixelate")
        };
        line.contains("frameloom.detect") && line.split("--draw").skip(1).any(hides)
    }

    /// Says to the program what becomes of frames that it doesn't give back: see
    /// [`LiveOptions::unedited`](crate::options::LiveOptions::unedited).
    #[must_use]
    pub(crate) fn unedited(self, what: &str) -> Command {
        self.env("FRAMELOOM_UNEDITED", what)
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
        stdout: ProgramStdout,
        descriptors: Vec<ProgramDescriptor>,
    ) -> Result<Launched> {
        let (argv, own) = (&self.argv, &self.environment);
        let launch = Launch { argv, own, environment, stdout, descriptors };
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
        let whole = (frame.width(), frame.height());
        let shown = self.size.map_or(whole, |size| (size.width(), size.height()));
        let frame_bytes = self.terms.format.frame_bytes(shown.0, shown.1);
        let limit = HELD_BACK + 4 * pipe::PIPE_BYTES / frame_bytes.max(1);
        let fail = |e, what| self.fail(e, what);
        let exchange = Exchange::new(self.terms, shown, frame_bytes, limit, reads_only);
        let exchange = exchange.map_err(|e| fail(e, "its frames can't be shared"))?;
        let Exchange { mut environment, stdout, descriptors, way, ours } = exchange;
        environment.extend([
            ("FRAMELOOM_WIDTH", shown.0.to_string()),
            ("FRAMELOOM_HEIGHT", shown.1.to_string()),
            ("FRAMELOOM_PIX_FMT", self.terms.format.name().to_owned()),
            ("FRAMELOOM_FRAME_BYTES", frame_bytes.to_string()),
            ("FRAMELOOM_RATE", rate.map_or_else(String::new, |r| r.to_string())),
        ]);
        let Launched { program, stdin, stdout } = self.launch(environment, stdout, descriptors)?;
        let answers = ours.answers.or(stdout);
        let copied = answers.as_ref().map(|out| out.as_fd().try_clone_to_owned()).transpose();
        let copied = copied.map_err(|e| fail(e, "its answers can't be read"))?;
        let farewell = if hang_limit.is_some() { SHORT_EXIT_TIMEOUT } else { EXIT_TIMEOUT };
        let clock = Arc::clone(clock);
        let running = RunningCommand::new(program, self.name(), hang_limit, farewell, clock);
        let running = Arc::new(running);
        let input = CommandInput::new(stdin, copied, way, whole, &running, stop, reads_only);
        let output = answers.filter(|_| !reads_only).map(|answers| {
            CommandOutput::new(answers, ours.data, self.terms, shown, limit, &running, stop)
        });
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

fn exit_text(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit status".to_owned(),
    }
}
