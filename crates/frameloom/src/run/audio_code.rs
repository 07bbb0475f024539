//! The threads of your code for sound: one that runs it, and one at the [gate](AudioGate) before it, which
//! never does. Sound is not dropped: where the code of a live pipeline is too slow, it goes by unedited.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, TryRecvError, bounded};

use crate::codec::audio_frame::AudioFrame;
use crate::edit::AudioCommand;
use crate::edit::audio_convert::AudioConverter;
use crate::edit::audio_gate::AudioGate;
use crate::edit::complex::MediaFrame;
use crate::error::{Error, Result, Stage};
use crate::options::OnError;
use crate::run::audio_command::{AudioFeed, AudioFeedState};
use crate::run::audio_messages::{AudioReport, AudioStage, run_stages};
use crate::run::code::HANG_LIMIT;
use crate::run::command::CommandHandle;
use crate::run::stages::AudioMessage;
use crate::run::threads::{Threads, start_thread};
use crate::stats::Stats;
use crate::stats::event::Events;
use crate::time::clock::Clock;
use crate::time::stop::Stop;

/// How long sound of a live pipeline waits for the code, where nothing else was said.
const LIVE_LIMIT: Duration = Duration::from_millis(500);

/// Pieces of sound that the code may be asked about at once: some 200 ms of AAC.
const ASKED: usize = 8;

/// The same for a program, which may hold sound back: some 12 s of AAC.
const ASKED_OF_COMMAND: usize = 512;

/// How long a program that holds so much back may give nothing, where it is waited for.
const HOLD_LIMIT: Duration = Duration::from_secs(10);

/// How often it is looked whether a stop was asked for.
const TICK: Duration = Duration::from_millis(100);

/// What the code still gets once a stop was asked for, or the sound has ended.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// The same for a program, which may take its pipes' patience, and as long again to end.
const COMMAND_STOP_TIMEOUT: Duration = Duration::from_secs(12);

/// Your code for sound, and all that decides how it is treated.
pub(super) struct AudioCode {
    pub(super) stages: Vec<AudioStage>,
    /// A program behind them.
    pub(super) command: Option<AudioCommand>,
    pub(super) on_error: OnError,
    pub(super) events: Events,
    /// How long sound waits for it; `None` where it waits for ever.
    pub(super) limit: Option<Duration>,
    pub(super) stats: Stats,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: Stop,
}

impl AudioCode {
    /// How long sound waits for code with this deadline.
    pub(super) fn limit(is_live: bool, deadline: Option<Duration>) -> Option<Duration> {
        is_live.then(|| deadline.unwrap_or(LIVE_LIMIT))
    }
}

/// The way to a thread that encodes sound.
pub(super) struct AudioEncoderEnd {
    pub(super) packets: Sender<AudioMessage>,
    /// The numbers of the outputs that use it.
    pub(super) outputs: Vec<usize>,
}

/// What the thread at the gate is told of outputs that come and go.
pub(super) enum AudioChange {
    Add(AudioEncoderEnd),
    /// The output of this number gets nothing more.
    Leave(usize),
}

/// Where sound comes from, and where it goes.
pub(super) struct AudioQueues {
    pub(super) frames: Receiver<MediaFrame>,
    pub(super) encoders: Vec<AudioEncoderEnd>,
    pub(super) changes: Receiver<AudioChange>,
}

/// Starts the threads.
pub(super) fn start(code: AudioCode, queues: AudioQueues, threads: &mut Threads) -> Result<()> {
    let AudioCode { mut stages, command, on_error, events, limit, stats, clock, stop } = code;
    // What is late passes, so more of it would only be later.
    let most = if command.is_some() && limit.is_none() { ASKED_OF_COMMAND } else { ASKED };
    let (asks, asked) = bounded::<(u64, AudioFrame)>(most);
    let (report, reports) = bounded(1);
    let handle = CommandHandle::default();
    let options = command.as_ref().map(AudioCommand::options);
    let converter = options.and_then(|o| AudioConverter::new(o.sample_rate, o.channels));
    let end_limit = if command.is_some() { COMMAND_STOP_TIMEOUT } else { STOP_TIMEOUT };
    // Code may hang for ever, and then nobody waits for it.
    drop(match command {
        Some(command) => {
            let feed = AudioFeed {
                command,
                stages,
                asked,
                reports: report,
                on_error,
                hang_limit: (on_error != OnError::Stop)
                    .then(|| HANG_LIMIT.saturating_add(limit.unwrap_or_default())),
                most: ASKED_OF_COMMAND,
                handle: handle.clone(),
                events,
                clock: Arc::clone(&clock),
                stop: stop.clone(),
                state: AudioFeedState::new(),
            };
            start_thread("frameloom-command-in", move || feed.run())?
        }
        None => start_thread("frameloom-process", move || {
            for (number, mut frame) in asked {
                let said = match run_stages(&mut stages, &mut frame) {
                    Ok(()) => AudioReport::Answer(number, frame),
                    Err(error) => AudioReport::Failed(number, error),
                };
                if report.send(said).is_err() {
                    return;
                }
            }
        })?,
    });
    let gating = AudioGating {
        gate: AudioGate::new(limit),
        // Without an encoder the code only listens.
        only_listens: queues.encoders.is_empty(),
        queues,
        has_ended: false,
        stopped: None,
        asks: Some(asks),
        reports,
        is_bypassing: false,
        passes_failed: on_error != OnError::Stop,
        is_limited: limit.is_some(),
        most,
        heard: clock.now(),
        converter,
        handle,
        end_limit,
        stats,
        clock,
        stop,
    };
    threads.spawn("frameloom-gate", move || gating.run())
}

struct AudioGating {
    gate: AudioGate<AudioFrame>,
    queues: AudioQueues,
    only_listens: bool,
    /// Nothing more comes in.
    has_ended: bool,
    /// When the wish to stop was seen.
    stopped: Option<Instant>,
    asks: Option<Sender<(u64, AudioFrame)>>,
    reports: Receiver<AudioReport>,
    /// Sound goes by unedited, and that was said.
    is_bypassing: bool,
    passes_failed: bool,
    is_limited: bool,
    /// Pieces that the code may be asked about at once.
    most: usize,
    /// When the code last said something.
    heard: Instant,
    /// Brings sound to what the program takes.
    converter: Option<AudioConverter>,
    handle: CommandHandle,
    /// How long the code's threads may take to end.
    end_limit: Duration,
    stats: Stats,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl AudioGating {
    fn run(mut self) -> Result<()> {
        let result = self.pass_all();
        // The outputs are finished while the code ends.
        self.queues.encoders.clear();
        self.asks = None;
        let ended = self.end_code();
        self.handle.kill();
        result.and(ended)
    }

    /// Waits for the end of the code's threads, and hears what they have to say of it.
    fn end_code(&mut self) -> Result<()> {
        let limit = self.clock.now() + self.end_limit;
        while self.clock.now() < limit {
            match self.reports.recv_timeout(TICK) {
                Ok(AudioReport::Fatal(error)) => return Err(error),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
        Ok(())
    }

    fn pass_all(&mut self) -> Result<()> {
        loop {
            self.take_changes();
            while let Some((frame, is_answer)) = self.gate.leave(self.clock.now()) {
                self.note(is_answer);
                self.give(frame)?;
            }
            let nobody_listens = self.queues.encoders.is_empty() && !self.only_listens;
            if self.has_ended && self.gate.len() == 0 || nobody_listens {
                return Ok(());
            }
            self.wait();
            self.take_reports()?;
            self.take_frame()?;
            self.watch_stop();
            self.check_held()?;
        }
    }

    /// Says once that sound goes by, and once that it doesn't any more.
    fn note(&mut self, is_answer: bool) {
        match (is_answer, self.is_bypassing) {
            (false, false) => {
                tracing::warn!("sound goes by unedited: the code is too slow, or has failed");
            }
            (true, true) => tracing::info!("the sound is edited again"),
            _ => {}
        }
        self.is_bypassing = !is_answer;
    }

    fn give(&mut self, frame: AudioFrame) -> Result<()> {
        let others = self.queues.encoders.len().saturating_sub(1);
        let shared = (0..others).map(|_| frame.share()).collect::<std::result::Result<Vec<_>, _>>();
        let shared = shared.map_err(|e| e.in_stage(Stage::Process))?;
        let mut frames = shared.into_iter().chain(std::iter::once(frame));
        self.queues.encoders.retain(|encoder| {
            let message = frames.next().map(AudioMessage::Samples);
            message.is_some_and(|message| encoder.packets.send(message).is_ok())
        });
        Ok(())
    }

    fn take_changes(&mut self) {
        while let Ok(change) = self.queues.changes.try_recv() {
            match change {
                AudioChange::Add(end) => self.queues.encoders.push(end),
                AudioChange::Leave(output) => {
                    for encoder in &mut self.queues.encoders {
                        if encoder.outputs.contains(&output) {
                            encoder.outputs.retain(|other| *other != output);
                            // An encoder that has ended needs no message.
                            let _ = encoder.packets.send(AudioMessage::Leave(output));
                        }
                    }
                }
            }
        }
    }

    fn wants_frame(&self) -> bool {
        // Where nothing goes by unedited, the code sets the pace.
        !self.has_ended && (self.is_limited || self.gate.len() < self.most)
    }

    fn wait(&self) {
        let mut select = Select::new();
        if self.wants_frame() {
            select.recv(&self.queues.frames);
        }
        select.recv(&self.reports);
        let now = self.clock.now();
        let due = self.gate.deadline().map(|at| at.saturating_duration_since(now));
        let due = self.clock.after(due);
        select.recv(&due);
        // Nothing ready is as good an answer: it is looked what else there is.
        let _ = select.ready_timeout(TICK);
    }

    fn take_reports(&mut self) -> Result<()> {
        loop {
            if !self.reports.is_empty() {
                self.heard = self.clock.now();
            }
            match self.reports.try_recv() {
                Ok(AudioReport::Answer(number, frame)) => self.gate.answer(number, frame),
                Ok(AudioReport::Pass(number)) => self.gate.pass(number),
                Ok(AudioReport::Fatal(error)) => return Err(error),
                Ok(AudioReport::Failed(number, error)) => {
                    if !self.passes_failed {
                        return Err(error);
                    }
                    if !self.is_bypassing {
                        tracing::warn!("{error}");
                    }
                    self.stats.code_failed(&error, false, false);
                    self.stats.errors(1);
                    self.gate.pass(number);
                }
                Err(TryRecvError::Empty) => return Ok(()),
                // It ends once nothing more is asked.
                Err(TryRecvError::Disconnected) => {
                    self.gate.pass_all();
                    return Ok(());
                }
            }
        }
    }

    fn take_frame(&mut self) -> Result<()> {
        if !self.wants_frame() {
            return Ok(());
        }
        let frame = match self.queues.frames.try_recv() {
            Ok(MediaFrame::Audio(frame)) => frame,
            Ok(MediaFrame::Video(_)) | Err(TryRecvError::Empty) => return Ok(()),
            Err(TryRecvError::Disconnected) => {
                self.has_ended = true;
                let rest = self.converter.as_mut().map_or(Ok(Vec::new()), AudioConverter::drain)?;
                rest.into_iter().try_for_each(|frame| self.ask(frame))?;
                self.asks = None;
                return Ok(());
            }
        };
        match &mut self.converter {
            None => self.ask(frame),
            Some(converter) => {
                let converted = converter.convert(&frame)?;
                converted.into_iter().try_for_each(|frame| self.ask(frame))
            }
        }
    }

    /// Asks the code about a piece.
    fn ask(&mut self, frame: AudioFrame) -> Result<()> {
        let shown = frame.share().map_err(|e| e.in_stage(Stage::Process))?;
        let number = self.gate.ask(frame, self.clock.now());
        let is_asked =
            self.asks.as_ref().is_some_and(|asks| asks.try_send((number, shown)).is_ok());
        if !is_asked {
            self.gate.pass(number);
        }
        Ok(())
    }

    /// Fails where a program holds more back than is waited for.
    fn check_held(&mut self) -> Result<()> {
        let now = self.clock.now();
        let is_full = !self.is_limited && self.gate.len() >= ASKED_OF_COMMAND;
        if !is_full || now.saturating_duration_since(self.heard) < HOLD_LIMIT {
            return Ok(());
        }
        let cause = "the COMMAND for sound holds back more than 10 s of it: it has to give sound back as \
                     it gets it";
        Err(Error::process(cause))
    }

    fn watch_stop(&mut self) {
        if !self.stop.is_stopped() {
            return;
        }
        let now = self.clock.now();
        let stopped = *self.stopped.get_or_insert(now);
        if now.saturating_duration_since(stopped) >= STOP_TIMEOUT {
            self.gate.pass_all();
        }
    }
}
