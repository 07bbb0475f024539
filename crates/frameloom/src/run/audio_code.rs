//! The threads of your code for sound: one that runs it, and one at the [gate](AudioGate) before it, which
//! never does. Sound is not dropped: where the code of a live pipeline is too slow, it goes by unedited.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded};

use crate::audio::AudioFrame;
use crate::edit::audio_gate::AudioGate;
use crate::edit::chain::guarded;
use crate::edit::complex::MediaFrame;
use crate::error::{BoxError, Error, Result, Stage};
use crate::run::stages::AudioMessage;
use crate::run::threads::{Threads, start_thread};
use crate::stats::Stats;
use crate::time::clock::Clock;
use crate::time::stop::Stop;

/// A piece of your code.
pub(crate) type AudioStage = Box<dyn FnMut(&mut AudioFrame) -> Result<(), BoxError> + Send>;

/// How long sound of a live pipeline waits for the code, where nothing else was said.
const LIVE_LIMIT: Duration = Duration::from_millis(500);

/// Pieces of sound that the code may be asked about at once: some 200 ms of AAC.
const ASKED: usize = 8;

/// How often it is looked whether a stop was asked for.
const TICK: Duration = Duration::from_millis(100);

/// What the code still gets once a stop was asked for.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Your code for sound, and all that decides how it is treated.
pub(super) struct AudioCode {
    pub(super) stages: Vec<AudioStage>,
    /// How long sound waits for it; `None` where it waits for ever.
    pub(super) limit: Option<Duration>,
    /// What it fails at goes by unedited.
    pub(super) passes_failed: bool,
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

/// What the code's thread says.
enum AudioReport {
    Answer(u64, AudioFrame),
    Failed(u64, Error),
}

/// Starts both threads.
pub(super) fn start(code: AudioCode, queues: AudioQueues, threads: &mut Threads) -> Result<()> {
    let AudioCode { mut stages, limit, passes_failed, stats, clock, stop } = code;
    let (asks, asked) = bounded::<(u64, AudioFrame)>(ASKED);
    let (report, reports) = bounded(1);
    // It may hang for ever, and then nobody waits for it.
    drop(start_thread("frameloom-process", move || {
        for (number, mut frame) in asked {
            let edited = guarded(|| {
                stages.iter_mut().try_for_each(|stage| stage(&mut frame)).map_err(Error::from)
            });
            let said = match edited {
                Ok(()) => AudioReport::Answer(number, frame),
                Err(error) => AudioReport::Failed(number, error),
            };
            if report.send(said).is_err() {
                return;
            }
        }
    })?);
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
        passes_failed,
        is_limited: limit.is_some(),
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
    stats: Stats,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl AudioGating {
    fn run(mut self) -> Result<()> {
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
                            // Whoever has ended needs no telling.
                            let _ = encoder.packets.send(AudioMessage::Leave(output));
                        }
                    }
                }
            }
        }
    }

    fn wants_frame(&self) -> bool {
        // Where nothing goes by unedited, the code sets the pace.
        !self.has_ended && (self.is_limited || self.gate.len() < ASKED)
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
            match self.reports.try_recv() {
                Ok(AudioReport::Answer(number, frame)) => self.gate.answer(number, frame),
                Ok(AudioReport::Failed(number, error)) => {
                    if !self.passes_failed {
                        return Err(error);
                    }
                    if !self.is_bypassing {
                        tracing::warn!("{error}");
                    }
                    self.stats.code_failed(&error, false, false);
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
                self.asks = None;
                return Ok(());
            }
        };
        let shown = frame.share().map_err(|e| e.in_stage(Stage::Process))?;
        let number = self.gate.ask(frame, self.clock.now());
        let is_asked =
            self.asks.as_ref().is_some_and(|asks| asks.try_send((number, shown)).is_ok());
        if !is_asked {
            self.gate.pass(number);
        }
        Ok(())
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
