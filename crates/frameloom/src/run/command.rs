//! The two threads round a command: one starts it and writes frames to it, again and again where
//! it is to be started again, and one reads its answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{
    Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded, never, select,
};

use crate::edit::chain::{Chain, guarded};
use crate::edit::{
    Command, CommandInput, CommandOutput, RunningCommand, ShownFrame, SpawnedCommand,
};
use crate::error::{Error, Result};
use crate::image::Frame;
use crate::live::retry::{Retry, RetryPolicy, Verdict};
use crate::options::{OnError, OnResize};
use crate::run::code_messages::{Ask, CodeChannels, CodeReport};
use crate::stats::Stats;
use crate::time::Rate;
use crate::time::clock::{Clock, receive_within};
use crate::time::stop::Stop;

/// How often both threads look whether the command is still there.
const TICK: Duration = Duration::from_millis(100);
/// How often the writer looks whether the command has read its last frame.
const READ_TICK: Duration = Duration::from_millis(1);
/// How long the answers' thread may take to say why the command is gone.
const VERDICT_LIMIT: Duration = Duration::from_secs(1);

/// How long one that reads no more may do nothing until it is ended.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// How often a command that gives each frame back before it reads the next one is shown no frame until
/// it has: what it has written by then beside its answer is no frame.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it may take then, from when it has read the frame. One that takes longer may hold frames
/// back, and isn't looked at again.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

/// How a command is treated.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommandPolicy {
    /// It gets the next frame when it has read the last one, so that none waits in a pipe.
    pub(super) keeps_pipes_empty: bool,
    pub(super) on_error: OnError,
    pub(super) on_resize: OnResize,
    /// How long it may stand still with something to do.
    pub(super) hang_limit: Option<Duration>,
}

/// The command that runs now, for whoever must end it from another thread.
#[derive(Clone, Default)]
pub(super) struct CommandHandle(Arc<Mutex<Option<Arc<RunningCommand>>>>);

impl CommandHandle {
    pub(super) fn set(&self, running: Option<Arc<RunningCommand>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    pub(super) fn kill(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(running) = running {
            running.kill();
        }
    }
}

/// What the reader of a command's answers waits for.
enum ExpectedAnswer {
    Frame(u64, ShownFrame),
    /// Nothing more comes for this ask.
    End(u64),
}

/// What the reader of answers needs of a command that was started.
pub(super) struct Answering {
    output: CommandOutput,
    owed: Receiver<ExpectedAnswer>,
    verdict: Sender<Result<()>>,
}

/// A command that runs.
struct CommandSession {
    spawned: SpawnedCommand,
    owed: Option<Sender<ExpectedAnswer>>,
    verdict: Receiver<Result<()>>,
    /// When its stdout is looked at next; `None` where frames have to be shown before it answers.
    next_look: Option<Instant>,
}

/// Why the writer can't go on.
enum WriterStop {
    /// The command failed.
    Lost(Error),
    /// The run has to end.
    Fatal(Error),
    /// A command that only reads has seen enough.
    Enough,
    /// Nobody takes its answers.
    Over,
}

/// The thread that starts a command and writes frames to it.
pub(super) struct CommandFeed {
    pub(super) command: Command,
    pub(super) rate: Option<Rate>,
    pub(super) reads_only: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: Stop,
    pub(super) chain: Chain,
    pub(super) stats: Stats,
    pub(super) policy: CommandPolicy,
    pub(super) channels: CodeChannels,
    pub(super) answering: Sender<Answering>,
    pub(super) handle: CommandHandle,
    pub(super) restarts: Restarts,
}

/// What is remembered from one command to the next.
pub(super) struct Restarts {
    session: Option<CommandSession>,
    has_started: bool,
    /// One of them has worked.
    has_worked: bool,
    retry: Retry,
}

impl Restarts {
    pub(super) fn new() -> Restarts {
        let retry = Retry::new(RetryPolicy::process());
        Restarts { session: None, has_started: false, has_worked: false, retry }
    }
}

impl CommandFeed {
    pub(super) fn run(mut self) {
        let ended = loop {
            let result = match self.next_ask() {
                Ok(Ask::Frame(number, frame)) => self.take(number, frame),
                Ok(Ask::Drain(number)) => self.drain(number),
                Err(trouble) => Err(trouble),
            };
            match result {
                Ok(true) => {}
                Ok(false) | Err(WriterStop::Enough) => break Ok(()),
                Err(WriterStop::Over) => return,
                Err(WriterStop::Fatal(error)) => break Err(error),
                Err(WriterStop::Lost(error)) => match self.lost(error) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => break Err(error),
                },
            }
        };
        self.channels.report(CodeReport::Ended(ended));
    }

    fn next_ask(&mut self) -> Result<Ask, WriterStop> {
        loop {
            let silent = never();
            let session = self.restarts.session.as_ref();
            let verdict = session.map_or(&silent, |session| &session.verdict);
            let hangs = self.clock.after(self.until_it_hangs());
            select! {
                recv(self.channels.asks) -> ask => return ask.map_err(|_| WriterStop::Over),
                recv(verdict) -> verdict => return Err(self.interpreted(verdict.ok())),
                recv(hangs) -> _ => self.check_hang()?,
                // What it has read is not known before it is asked for.
                default(TICK) => self.check_hang()?,
            }
        }
    }

    /// How long it is until the command has stood still for too long.
    fn until_it_hangs(&self) -> Option<Duration> {
        let at = self.restarts.session.as_ref()?.spawned.input.hangs_at()?;
        Some(at.saturating_duration_since(self.clock.now()))
    }

    fn check_hang(&self) -> Result<(), WriterStop> {
        let session = self.restarts.session.as_ref();
        session.and_then(|s| s.spawned.input.hung()).map_or(Ok(()), |e| Err(WriterStop::Lost(e)))
    }

    /// Whether the command was found to hang.
    fn is_hung(&self) -> bool {
        self.restarts.session.as_ref().is_some_and(|s| s.spawned.running.was_hung())
    }

    /// Why the command is gone, when it is.
    fn verdict(&self) -> WriterStop {
        let Some(session) = &self.restarts.session else { return WriterStop::Over };
        // The answers' thread has seen it or is about to. Where the run ends with the first
        // failure it may first read all that the command still gives.
        let running = &session.spawned.running;
        let ended = loop {
            let ended = session.verdict.recv_timeout(VERDICT_LIMIT);
            let waits = self.policy.on_error == OnError::Stop
                && matches!(ended, Err(RecvTimeoutError::Timeout))
                && !running.is_killed();
            match ended {
                _ if waits && running.idle_for() >= IDLE_LIMIT => {
                    return WriterStop::Lost(running.lives_on());
                }
                _ if waits => {}
                ended => break ended,
            }
        };
        self.interpreted(ended.ok())
    }

    /// What the answers' thread said means.
    fn interpreted(&self, ended: Option<Result<()>>) -> WriterStop {
        match (ended, &self.restarts.session) {
            (Some(Err(error)), _) => WriterStop::Lost(error),
            (_, Some(session)) => WriterStop::Lost(session.spawned.input.gone()),
            (_, None) => WriterStop::Over,
        }
    }

    /// Gives the command what your own code makes of a frame; `false` where nothing more is taken.
    fn take(&mut self, number: u64, frame: Frame) -> Result<bool, WriterStop> {
        let shown = self.through(number, |chain, out| chain.feed(0, frame, out))?;
        if let Some(error) = shown.failed {
            if self.policy.on_error == OnError::Stop {
                return Err(WriterStop::Fatal(error));
            }
            self.channels.report(CodeReport::Failed { number, error });
        } else {
            self.whole(number, shown.any);
        }
        let looks = self.is_look_due();
        if self.policy.keeps_pipes_empty || looks {
            self.wait_for_reader()?;
        }
        if looks {
            self.wait_for_answer()?;
        }
        Ok(self.channels.report(CodeReport::Ready(number)))
    }

    /// Has your own code and the command give out what they hold; `false` with the last of it.
    fn drain(&mut self, number: u64) -> Result<bool, WriterStop> {
        let shown = self.through(number, Chain::drain)?;
        if let Some(error) = shown.failed {
            if self.policy.on_error == OnError::Stop {
                return Err(WriterStop::Fatal(error));
            }
            self.channels.report(CodeReport::Failed { number, error });
        }
        self.whole(number, shown.any);
        match self.finish_command(CommandInput::close) {
            Ok(()) => Ok(false),
            Err(WriterStop::Lost(error)) if self.never_worked() => Err(WriterStop::Fatal(error)),
            Err(WriterStop::Lost(error)) if self.policy.on_error != OnError::Stop => {
                let hangs = self.is_hung();
                self.end_session();
                // There is nothing left to start it for.
                self.channels.report(CodeReport::Down { error, is_final: true, hangs });
                Err(WriterStop::Over)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Nothing more comes for this ask.
    fn whole(&mut self, number: u64, any_shown: bool) {
        let owed = self.restarts.session.as_ref().and_then(|session| session.owed.as_ref());
        match owed.filter(|_| any_shown) {
            Some(owed) => {
                // The answers' thread says itself why it takes no more.
                let _ = owed.send(ExpectedAnswer::End(number));
            }
            None => {
                let (frames, is_ready) = (Vec::new(), false);
                self.channels.report(CodeReport::Answer {
                    number,
                    frames,
                    is_whole: true,
                    is_ready,
                });
            }
        }
    }

    /// Runs your own code's stages and shows the command what comes out of them.
    fn through(
        &mut self,
        number: u64,
        run: impl FnOnce(&mut Chain, &mut dyn FnMut(Frame) -> Result<bool>) -> Result<bool>,
    ) -> Result<AskOutcome, WriterStop> {
        let mut chain = std::mem::take(&mut self.chain);
        let (mut any, mut trouble) = (false, None);
        let result = guarded(|| {
            run(&mut chain, &mut |frame| {
                any = true;
                match self.show(number, frame) {
                    Ok(()) => Ok(true),
                    Err(found) => {
                        trouble = Some(found);
                        Ok(false)
                    }
                }
            })
        });
        self.chain = chain;
        match trouble {
            Some(trouble) => Err(trouble),
            None => Ok(AskOutcome { any, failed: result.err() }),
        }
    }

    fn show(&mut self, number: u64, frame: Frame) -> Result<(), WriterStop> {
        let size = (frame.width(), frame.height());
        let was = self.restarts.session.as_ref().map(|s| s.spawned.input.size());
        if self.policy.on_resize == OnResize::Restart && was.is_some_and(|was| was != size) {
            self.finish_command(CommandInput::close_to_replace)?;
            self.end_session();
        }
        if self.restarts.session.is_none() {
            self.start(&frame)?;
        }
        let pts = frame.pts();
        let Some(session) = &mut self.restarts.session else { return Ok(()) };
        let shown = session.spawned.input.show(frame).map_err(WriterStop::Lost)?;
        let Some((in_flight, message)) = shown else { return Ok(()) };
        if self.reads_only {
            self.stats.reached(pts);
        }
        if let Some(owed) = &session.owed {
            let limit = session.spawned.in_flight_limit;
            if session.spawned.running.owed() > limit {
                return Err(WriterStop::Lost(session.spawned.input.holds_too_many(limit)));
            }
            match owed.try_send(ExpectedAnswer::Frame(number, in_flight)) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    return Err(WriterStop::Lost(session.spawned.input.holds_too_many(limit)));
                }
                Err(TrySendError::Disconnected(_)) => return Err(self.verdict()),
            }
        }
        match session.spawned.input.write(&message) {
            Ok(true) => {
                if self.reads_only {
                    session.spawned.running.answered();
                }
                Ok(())
            }
            Ok(false) => Err(self.closed()),
            Err(error) => Err(WriterStop::Lost(error)),
        }
    }

    /// The command has closed its stdin, or is gone.
    fn closed(&mut self) -> WriterStop {
        match &mut self.restarts.session {
            Some(session) if self.reads_only => match session.spawned.input.close() {
                Ok(()) => WriterStop::Enough,
                Err(error) => WriterStop::Lost(error),
            },
            _ => self.verdict(),
        }
    }

    fn start(&mut self, frame: &Frame) -> Result<(), WriterStop> {
        let is_first = !std::mem::replace(&mut self.restarts.has_started, true);
        let limit = self.policy.hang_limit;
        let spawned =
            self.command.spawn(frame, self.rate, self.reads_only, limit, &self.clock, &self.stop);
        let mut spawned = match spawned {
            Ok(spawned) => spawned,
            // A name that is wrong is wrong for ever.
            Err(error) if is_first => return Err(WriterStop::Fatal(error)),
            Err(error) => return Err(WriterStop::Lost(error)),
        };
        self.handle.set(Some(Arc::clone(&spawned.running)));
        let (verdict_sender, verdict) = bounded(1);
        let owed = spawned.output.take().map(|output| {
            // Each frame and the end of its ask.
            let (sender, owed) = bounded(2 * spawned.in_flight_limit + 2);
            // The other thread waits for exactly this; if it is gone, so is the reason to send.
            let _ = self.answering.send(Answering { output, owed, verdict: verdict_sender });
            sender
        });
        let verdict = if owed.is_some() { verdict } else { never() };
        let next_look = owed.as_ref().map(|_| Instant::now());
        self.restarts.session = Some(CommandSession { spawned, owed, verdict, next_look });
        Ok(())
    }

    fn is_look_due(&self) -> bool {
        let next = self.restarts.session.as_ref().and_then(|session| session.next_look);
        next.is_some_and(|at| at <= Instant::now())
    }

    /// Waits until the command has answered all it has read, if it does so before it reads more: the
    /// answers' thread then sees whether it has written anything else.
    fn wait_for_answer(&mut self) -> Result<(), WriterStop> {
        let begun = Instant::now();
        loop {
            let Some(session) = &mut self.restarts.session else { return Ok(()) };
            if session.spawned.running.owed() == 0 {
                session.next_look = Some(Instant::now() + LOOK_EVERY);
                return Ok(());
            }
            if begun.elapsed() >= LOOK_LIMIT {
                session.next_look = None;
                return Ok(());
            }
            if !session.verdict.is_empty() || session.spawned.running.is_killed() {
                return Err(self.verdict());
            }
            std::thread::sleep(READ_TICK);
        }
    }

    /// Waits until the command has read its last frame.
    fn wait_for_reader(&mut self) -> Result<(), WriterStop> {
        let mut last = u64::MAX;
        loop {
            let Some(session) = &self.restarts.session else { return Ok(()) };
            let unread = session.spawned.input.unread();
            if unread == 0 {
                return Ok(());
            }
            if unread < last {
                session.spawned.running.moved_on();
                last = unread;
            }
            if session.spawned.input.is_closed() {
                return Err(self.closed());
            }
            if session.spawned.running.is_killed() {
                return Err(self.verdict());
            }
            let hangs = self.clock.after(self.until_it_hangs());
            select! {
                recv(session.verdict) -> verdict => return Err(self.interpreted(verdict.ok())),
                recv(hangs) -> _ => self.check_hang()?,
                default(READ_TICK) => self.check_hang()?,
            }
        }
    }

    /// Closes the command's stdin and waits until it has given everything back and ended.
    fn finish_command(
        &mut self,
        close: impl FnOnce(&mut CommandInput) -> Result<()>,
    ) -> Result<(), WriterStop> {
        let Some(session) = &mut self.restarts.session else { return Ok(()) };
        session.owed = None;
        close(&mut session.spawned.input).map_err(WriterStop::Lost)?;
        if self.reads_only {
            return Ok(());
        }
        loop {
            let hangs = self.clock.after(self.until_it_hangs());
            let Some(session) = &self.restarts.session else { return Ok(()) };
            select! {
                recv(session.verdict) -> verdict => {
                    return verdict.map_err(|_| WriterStop::Over)?.map_err(WriterStop::Lost);
                }
                recv(hangs) -> _ => self.check_hang()?,
                default(TICK) => self.check_hang()?,
            }
        }
    }

    /// Whether neither the command that has failed now nor one before it has ever worked: as a URL that
    /// never worked, it is wrong, and would be so the next time.
    fn never_worked(&mut self) -> bool {
        let Some(session) = &self.restarts.session else { return false };
        self.restarts.has_worked |= session.spawned.input.has_worked();
        !self.restarts.has_worked
    }

    /// Ends the command that runs. Returns for how long it has answered.
    fn end_session(&mut self) -> Duration {
        self.handle.set(None);
        let Some(session) = self.restarts.session.take() else { return Duration::ZERO };
        session.spawned.running.end(Duration::ZERO);
        session.spawned.running.answered_for()
    }

    /// Ends a command that failed, and waits until it may be started again; `false` where it isn't.
    fn lost(&mut self, error: Error) -> Result<bool> {
        let hangs = self.is_hung();
        let is_wrong = self.never_worked();
        let worked = self.end_session();
        if is_wrong {
            return Err(error);
        }
        match self.policy.on_error {
            OnError::Stop => return Err(error),
            OnError::Bypass => {
                self.channels.report(CodeReport::Down { error, is_final: true, hangs });
                return Ok(false);
            }
            OnError::Restart | OnError::Hold => {
                self.channels.report(CodeReport::Down { error, is_final: false, hangs });
            }
        }
        let now = self.clock.now();
        let verdict = self.restarts.retry.lost_after(worked, now, self.clock.random());
        // A command is started again for ever.
        let Verdict::TryAt(at) = verdict else { return Ok(false) };
        loop {
            let left = at.saturating_duration_since(self.clock.now());
            match receive_within(&self.channels.asks, left, &*self.clock) {
                // Asked before the gate knew; it has passed by.
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(self.channels.report(CodeReport::Up)),
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
            }
        }
    }
}

/// What became of the frames of an ask.
struct AskOutcome {
    any: bool,
    failed: Option<Error>,
}

/// The thread that reads the answers of one command after the other.
pub(super) fn answers_loop(sessions: &Receiver<Answering>, reports: &Sender<CodeReport>) {
    for Answering { mut output, owed, verdict } in sessions {
        let ended = read_answers(&mut output, &owed, reports);
        // Before the next command is started: it would have its pipes beside these.
        drop(output);
        // The writer may be gone already.
        let _ = verdict.send(ended);
    }
}

fn read_answers(
    output: &mut CommandOutput,
    owed: &Receiver<ExpectedAnswer>,
    reports: &Sender<CodeReport>,
) -> Result<()> {
    let mut is_warm = false;
    loop {
        let next = match owed.recv_timeout(TICK) {
            Ok(next) => next,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if !output.is_readable() => continue,
            // A frame is queued before its first byte is written, so what can be read now either
            // answers one that has come since, or answers nothing.
            Err(RecvTimeoutError::Timeout) => match owed.try_recv() {
                Ok(next) => next,
                Err(TryRecvError::Empty) => return Err(output.unasked()),
                Err(TryRecvError::Disconnected) => break,
            },
        };
        let (number, frames, is_whole) = match next {
            ExpectedAnswer::Frame(number, in_flight) => {
                let mut frame = output.answer(in_flight)?;
                frame.shrink()?;
                (number, vec![frame], false)
            }
            ExpectedAnswer::End(number) => (number, Vec::new(), true),
        };
        if !std::mem::replace(&mut is_warm, true) && reports.send(CodeReport::Warm).is_err() {
            break;
        }
        let answer = CodeReport::Answer { number, frames, is_whole, is_ready: false };
        if reports.send(answer).is_err() {
            output.abandon();
            return Ok(());
        }
    }
    output.finish()
}
