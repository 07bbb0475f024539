//! The two threads round a COMMAND for sound: one starts it and writes to it, again and again where it is to
//! be started again, and one reads its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select_biased};

use crate::codec::audio_frame::AudioFrame;
use crate::edit::{AudioCommand, SpawnedAudioCommand};
use crate::error::{Error, Result};
use crate::live::retry::{Retry, RetryPolicy, Verdict};
use crate::options::OnError;
use crate::run::audio_messages::{AudioReport, AudioStage, run_stages};
use crate::run::command::CommandHandle;
use crate::run::threads::start_thread;
use crate::stats::event::{Event, Events};
use crate::time::clock::Clock;
use crate::time::stop::Stop;

/// How long the answers' thread may take to say why the command is gone.
const VERDICT_LIMIT: Duration = Duration::from_secs(1);

/// How often it is looked whether it hangs.
const TICK: Duration = Duration::from_millis(100);

/// A piece of sound that the command was shown: its number, the piece, and the bytes.
type Owed = (u64, AudioFrame, Vec<u8>);

/// The thread that starts a command and writes sound to it.
pub(super) struct AudioFeed {
    pub(super) command: AudioCommand,
    pub(super) stages: Vec<AudioStage>,
    pub(super) asked: Receiver<(u64, AudioFrame)>,
    pub(super) reports: Sender<AudioReport>,
    pub(super) on_error: OnError,
    /// How long it may stand still with something to do.
    pub(super) hang_limit: Option<Duration>,
    /// Pieces that may be inside it.
    pub(super) most: usize,
    pub(super) handle: CommandHandle,
    pub(super) events: Events,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: Stop,
    pub(super) state: AudioFeedState,
}

/// How the command is.
pub(super) struct AudioFeedState {
    session: Option<Session>,
    retry: Retry,
    /// When it is started again, and why it must be; `None` before its first start.
    down: Option<(Option<Instant>, Error)>,
    /// One of them has answered.
    has_worked: Arc<AtomicBool>,
}

impl AudioFeedState {
    pub(super) fn new() -> AudioFeedState {
        AudioFeedState {
            session: None,
            retry: Retry::new(RetryPolicy::process()),
            down: None,
            has_worked: Arc::default(),
        }
    }
}

/// A command that runs.
struct Session {
    spawned: SpawnedInput,
    owed: Sender<Owed>,
    /// Why it is gone.
    lost: Receiver<Error>,
    reader: JoinHandle<()>,
}

type SpawnedInput = (crate::edit::AudioCommandInput, Arc<crate::edit::RunningCommand>);

impl AudioFeed {
    pub(super) fn run(mut self) {
        if let Err(error) = self.feed_all() {
            let _ = self.reports.send(AudioReport::Fatal(error));
        }
    }

    fn feed_all(&mut self) -> Result<()> {
        while let Some((number, mut frame)) = self.next()? {
            let report = match run_stages(&mut self.stages, &mut frame) {
                Err(error) => Some(AudioReport::Failed(number, error)),
                Ok(()) => (!self.feed(number, frame)?).then_some(AudioReport::Pass(number)),
            };
            if report.is_some_and(|report| self.reports.send(report).is_err()) {
                break;
            }
        }
        let Some(session) = self.state.session.take() else { return Ok(()) };
        let Session { spawned: (mut input, running), owed, lost, reader } = session;
        input.close();
        drop(owed);
        // It ends with the command, which is killed where it doesn't end.
        let _ = reader.join();
        drop(running);
        self.handle.set(None);
        match lost.try_recv() {
            Ok(error) if self.on_error == OnError::Stop => Err(error),
            Ok(error) => {
                tracing::warn!("{error}");
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    /// The next piece; meanwhile it is seen where the command is lost.
    fn next(&mut self) -> Result<Option<(u64, AudioFrame)>> {
        loop {
            let silent = never();
            let lost = self.state.session.as_ref().map_or(&silent, |session| &session.lost);
            select_biased! {
                recv(lost) -> error => {
                    self.lost(error.unwrap_or_else(|_| Error::process("it ended")))?;
                }
                recv(self.asked) -> ask => return Ok(ask.ok()),
                default(TICK) => {
                    let session = self.state.session.as_mut();
                    if let Some(error) = session.and_then(|session| session.spawned.0.hung()) {
                        self.lost(error)?;
                    }
                }
            }
        }
    }

    /// Writes a piece to the command; `false` where there is none now.
    fn feed(&mut self, number: u64, frame: AudioFrame) -> Result<bool> {
        if !self.start(&frame)? {
            return Ok(false);
        }
        let Some(session) = &mut self.state.session else { return Ok(false) };
        let (input, _) = &mut session.spawned;
        if let Some(error) = input.hung() {
            self.lost(error)?;
            return Ok(false);
        }
        // It is late in any case.
        if session.owed.is_full() {
            return Ok(false);
        }
        let bytes = input.bytes_of(&frame)?;
        let is_owed = session.owed.send((number, frame, bytes.clone())).is_ok();
        let written = if is_owed { input.write(&bytes) } else { Ok(false) };
        let error = match written {
            Ok(true) => return Ok(true),
            Ok(false) => {
                let error = session.lost.recv_timeout(VERDICT_LIMIT);
                error.unwrap_or_else(|_| Error::process("it reads no more sound"))
            }
            Err(error) => error,
        };
        self.lost(error)?;
        // The thread that reads the answers has let this piece pass.
        Ok(true)
    }

    /// Starts the command, where it doesn't run and it is time for it.
    fn start(&mut self, like: &AudioFrame) -> Result<bool> {
        if self.state.session.is_some() {
            return Ok(true);
        }
        let is_due = |at: &Option<Instant>| at.is_some_and(|at| self.clock.now() >= at);
        if self.state.down.as_ref().is_some_and(|(at, _)| !is_due(at)) {
            return Ok(false);
        }
        let spawned = match self.command.spawn(like, self.hang_limit, &self.clock, &self.stop) {
            Ok(spawned) => spawned,
            Err(error) => {
                self.lost(error)?;
                return Ok(false);
            }
        };
        let SpawnedAudioCommand { input, mut output, running } = spawned;
        self.handle.set(Some(Arc::clone(&running)));
        let (owed, to_answer) = bounded::<Owed>(self.most);
        let (lost, why) = bounded(1);
        let (reports, has_worked) = (self.reports.clone(), Arc::clone(&self.state.has_worked));
        // Where its failure is the end, nothing passes.
        let passes = self.on_error != OnError::Stop;
        let reader = start_thread("frameloom-command-out", move || {
            let mut failed = None;
            for (number, frame, bytes) in &to_answer {
                let report = match (&failed, output.answer_unless(failed.is_some(), frame, &bytes))
                {
                    (None, Ok(Some(frame))) => {
                        has_worked.store(true, Ordering::Relaxed);
                        AudioReport::Answer(number, frame)
                    }
                    (None, Err(error)) => {
                        failed = Some(());
                        let _ = lost.try_send(error);
                        AudioReport::Pass(number)
                    }
                    _ => AudioReport::Pass(number),
                };
                if !passes && failed.is_some() {
                    continue;
                }
                if reports.send(report).is_err() {
                    return;
                }
            }
            if failed.is_none()
                && let Err(error) = output.finish()
            {
                let _ = lost.try_send(error);
            }
        })?;
        let now = self.clock.now();
        self.state.retry.opened(now, Duration::ZERO);
        if let Some((_, cause)) = self.state.down.take() {
            self.events.tell(&Event::CommandRestarted { cause });
        }
        let spawned = (input, running);
        self.state.session = Some(Session { spawned, owed, lost: why, reader });
        Ok(true)
    }

    /// The command is gone: what becomes of it is said by the policy. One that never worked is not started
    /// again, but where it hung: it may do better.
    fn lost(&mut self, error: Error) -> Result<()> {
        let mut was_hung = false;
        if let Some(session) = self.state.session.take() {
            was_hung = session.spawned.1.was_hung();
            session.spawned.1.kill();
        }
        self.handle.set(None);
        let has_worked = was_hung || self.state.has_worked.load(Ordering::Relaxed);
        if self.on_error == OnError::Stop || self.stop.is_stopped() || !has_worked {
            return Err(error);
        }
        tracing::warn!("{error}");
        let now = self.clock.now();
        let verdict = self.state.retry.lost(now, self.clock.random());
        let at = match verdict {
            Verdict::TryAt(at) if self.on_error == OnError::Restart => Some(at),
            _ => None,
        };
        self.state.down = Some((at, error));
        Ok(())
    }
}
