//! A program that edits sound: how it is started, and samples through its pipes.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::{Command, EXIT_TIMEOUT, RunningCommand, exit_text};
use crate::codec::audio_frame::AudioFrame;
use crate::edit::command::program::{Launched, ProgramStdout};
use crate::error::{Error, Result, os_words};
use crate::options::{AudioCommandOptions, AudioFormat};
use crate::protocol::pipe::{self, Guard, Transfer};
use crate::time::clock::Clock;
use crate::time::stop::Stop;

/// A program that edits sound: how to start it, and what samples it wants.
#[derive(Clone, Debug)]
pub struct AudioCommand {
    command: Command,
    options: AudioCommandOptions,
}

impl AudioCommand {
    /// A program and its arguments.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) where `argv` is empty.
    pub fn new(argv: Vec<OsString>, options: AudioCommandOptions) -> Result<AudioCommand> {
        Ok(AudioCommand { command: Command::new(argv)?, options })
    }

    /// A command line, split into words as a shell splits it. It is run without a shell.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) where a quote in it has no end, or nothing is in it.
    pub fn from_line(line: &str, options: AudioCommandOptions) -> Result<AudioCommand> {
        let words = shlex::split(line).ok_or_else(|| Error::usage("a quote in it has no end"))?;
        AudioCommand::new(words.into_iter().map(OsString::from).collect(), options)
    }

    /// Sets an environment variable for the program, which has all others of this process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> AudioCommand {
        self.command = self.command.env(name, value);
        self
    }

    pub(crate) fn options(&self) -> &AudioCommandOptions {
        &self.options
    }

    /// Starts it for sound like this. With a `hang_limit` it may not stand still for longer with something to
    /// do, by `clock`.
    pub(crate) fn spawn(
        &self,
        like: &AudioFrame,
        hang_limit: Option<Duration>,
        clock: &Arc<dyn Clock>,
        stop: &Stop,
    ) -> Result<SpawnedAudioCommand> {
        let format = self.options.format;
        let environment = vec![
            ("FRAMELOOM_AUDIO_FORMAT", format.name().to_owned()),
            ("FRAMELOOM_AUDIO_RATE", like.sample_rate().to_string()),
            ("FRAMELOOM_AUDIO_CHANNELS", like.channels().to_string()),
        ];
        let Launched { program, stdin, stdout } =
            self.command.launch(environment, ProgramStdout::Answers, Vec::new())?;
        let stdout = stdout.ok_or_else(|| Error::process("it has no stdout"))?;
        let (name, clock) = (self.command.name(), Arc::clone(clock));
        let running = Arc::new(RunningCommand::new(program, name, hang_limit, EXIT_TIMEOUT, clock));
        let input = AudioCommandInput {
            stdin: Some(stdin),
            format,
            written: 0,
            read: 0,
            running: Arc::clone(&running),
            stop: stop.clone(),
        };
        let output = AudioCommandOutput {
            stdout,
            format,
            running: Arc::clone(&running),
            stop: stop.clone(),
        };
        Ok(SpawnedAudioCommand { input, output, running })
    }
}

/// A program that was started.
pub(crate) struct SpawnedAudioCommand {
    pub(crate) input: AudioCommandInput,
    pub(crate) output: AudioCommandOutput,
    pub(crate) running: Arc<RunningCommand>,
}

/// The half that writes to the program's stdin.
pub(crate) struct AudioCommandInput {
    stdin: Option<OwnedFd>,
    format: AudioFormat,
    /// Bytes that were written to it, and those of them that it was seen to have read.
    written: u64,
    read: u64,
    running: Arc<RunningCommand>,
    stop: Stop,
}

impl AudioCommandInput {
    /// The bytes that the program gets of a piece of sound.
    pub(crate) fn bytes_of(&self, frame: &AudioFrame) -> Result<Vec<u8>> {
        Ok(match self.format {
            AudioFormat::S16le => {
                frame.to_interleaved_s16()?.into_iter().flat_map(i16::to_le_bytes).collect()
            }
            AudioFormat::F32le => {
                frame.to_interleaved_f32()?.into_iter().flat_map(f32::to_le_bytes).collect()
            }
        })
    }

    /// Writes to it; `false` where it reads no more.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<bool> {
        self.note_reading();
        let Some(stdin) = &self.stdin else { return Ok(false) };
        self.running.owes();
        match pipe::write_all(stdin.as_fd(), bytes, &self.stop, &SoundReader(&self.running)) {
            Ok(Transfer::Done) => {
                self.written += bytes.len() as u64;
                Ok(true)
            }
            Ok(Transfer::Stuck) if self.running.was_hung() => Err(self.running.hangs()),
            Ok(Transfer::Closed(_) | Transfer::Stuck) => Ok(false),
            Err(e) => {
                let cause = format!("its stdin can't be written: {}", os_words(&e));
                Err(self.running.error(cause).because(e))
            }
        }
    }

    /// Bytes that it was written and has not read yet.
    fn unread(&self) -> u64 {
        self.stdin.as_ref().map_or(0, |stdin| pipe::unread(stdin.as_fd()))
    }

    /// Notes what it has read since this was done last: its pipe has room for seconds of sound, and takes
    /// that from whoever reads none of it.
    fn note_reading(&mut self) {
        let read = self.written.saturating_sub(self.unread());
        if read > self.read {
            self.read = read;
            self.running.moved_on();
        }
    }

    /// The error for a program that stands still for too long with something to do.
    pub(crate) fn hung(&mut self) -> Option<Error> {
        self.note_reading();
        self.running.is_hung(self.unread() > 0).then(|| self.running.hangs())
    }

    /// Says that nothing more comes.
    pub(crate) fn close(&mut self) {
        self.stdin = None;
    }
}

/// A program that is to read what is written to it; what its pipe takes says nothing of it.
struct SoundReader<'a>(&'a RunningCommand);

impl Guard for SoundReader<'_> {
    fn moved(&self) {}

    fn gives_up(&self) -> bool {
        self.0.gives_up() || self.0.is_hung(true)
    }
}

/// The half that reads from the program's stdout.
pub(crate) struct AudioCommandOutput {
    stdout: OwnedFd,
    format: AudioFormat,
    running: Arc<RunningCommand>,
    stop: Stop,
}

impl AudioCommandOutput {
    /// Reads what the program made of a piece of sound: as many samples as it got. What it gave back as it
    /// was stays as it was decoded.
    ///
    /// # Errors
    /// Where the program ends before.
    pub(crate) fn answer(&mut self, mut frame: AudioFrame, shown: &[u8]) -> Result<AudioFrame> {
        let mut bytes = vec![0; shown.len()];
        let running = &self.running;
        let read =
            pipe::read_all(self.stdout.as_fd(), &mut bytes, &self.stop, &**running, |at, piece| {
                running.answers(at + piece.len() == shown.len());
            });
        match read {
            Ok(Transfer::Done) => {}
            Ok(Transfer::Closed(_) | Transfer::Stuck) => return Err(self.ended()),
            Err(e) => {
                let cause = format!("its stdout can't be read: {}", os_words(&e));
                return Err(self.running.error(cause).because(e));
            }
        }
        if bytes == shown {
            return Ok(frame);
        }
        match self.format {
            AudioFormat::S16le => {
                let values = bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]));
                frame.interleaved_s16_mut()?.iter_mut().zip(values).for_each(|(s, v)| *s = v);
            }
            AudioFormat::F32le => {
                let values =
                    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                frame.interleaved_f32_mut()?.iter_mut().zip(values).for_each(|(s, v)| *s = v);
            }
        }
        Ok(frame)
    }

    /// As [`answer`](AudioCommandOutput::answer), or nothing where the program is known to be gone.
    pub(crate) fn answer_unless(
        &mut self,
        is_gone: bool,
        frame: AudioFrame,
        shown: &[u8],
    ) -> Result<Option<AudioFrame>> {
        if is_gone { Ok(None) } else { self.answer(frame, shown).map(Some) }
    }

    fn ended(&self) -> Error {
        let status = self.running.end(EXIT_TIMEOUT);
        let status = status.map_or_else(|| "no exit status".to_owned(), exit_text);
        self.running.error(format!("it ended ({status}) before it gave all sound back"))
    }

    /// Waits for the program's end, once all sound was given back.
    ///
    /// # Errors
    /// Where it writes on, doesn't end, or ends with a failure.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let patient = Stop::new();
        // As patient as after a stop.
        patient.stop();
        let mut rest = [0u8; 1];
        let guard = &*self.running;
        match pipe::read_all(self.stdout.as_fd(), &mut rest, &patient, guard, |_, _| ()) {
            Ok(Transfer::Closed(_)) => {}
            Ok(Transfer::Done) => {
                self.running.kill();
                return Err(self.running.error("it wrote more sound than it got"));
            }
            Ok(Transfer::Stuck) | Err(_) => {
                self.running.kill();
                return Err(self
                    .running
                    .error("it did not end when its sound did, and was killed"));
            }
        }
        match self.running.wait(Duration::from_secs(5)) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.running.error(format!("it ended with {}", exit_text(status)))),
            None => Err(self.running.error("it did not end when its sound did, and was killed")),
        }
    }
}
