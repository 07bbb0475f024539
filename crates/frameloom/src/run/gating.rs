//! The thread at the [`Gate`]: it never runs your code. It takes frames from the decoder, asks the
//! code, and sends on what leaves. Where the code's own threads hang for ever, it goes on without
//! them.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, never};

use crate::edit::gate::{Gate, GateItem, GateRules, Released};
use crate::edit::{FrameProcessor, Resize};
use crate::error::{Error, Result};
use crate::image::Frame;
use crate::live::hold::HeldPicture;
use crate::options::OnSlow;
use crate::run::code_messages::{Ask, CodeReport, Overtaken};
use crate::run::command::CommandHandle;
use crate::run::stages::{EncodeMessage, Fanout};
use crate::stats::Stats;
use crate::stats::event::{Event, EventSum, Events};
use crate::time::Timestamp;
use crate::time::clock::Clock;
use crate::time::stop::Stop;

/// How often the gate looks whether a stop was asked for.
const TICK: Duration = Duration::from_millis(100);
/// How long the code may say nothing behind the end of the input, where the policies let no frame
/// wait for it without end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(12);
/// How long the code's threads may take to end once nobody wants anything of them.
const EXIT_TIMEOUT: Duration = Duration::from_millis(300);
/// Reports taken before what leaves is sent on.
const REPORTS_AT_ONCE: usize = 4;

impl GateItem for Frame {
    fn pts(&self) -> Timestamp {
        Frame::pts(self)
    }

    fn copy(&mut self) -> Result<Frame> {
        self.share()
    }

    fn in_burst(&self) -> bool {
        self.arrival().in_burst
    }
}

/// Where the code's threads are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CodeState {
    Runs,
    /// They have said that they end, or will not come back.
    Ended,
    /// The gate goes on without them.
    LeftBehind,
}

/// What the thread at the gate is given.
pub(super) struct GateQueues {
    pub(super) rules: GateRules,
    /// From the decoder.
    pub(super) frames: Receiver<Frame>,
    pub(super) asks: Sender<Ask>,
    pub(super) reports: Receiver<CodeReport>,
    pub(super) overtaken: Overtaken,
    /// What the code still gets once a stop was asked for.
    pub(super) stop_timeout: Duration,
    pub(super) fanout: Fanout,
    /// Brings what passes by a command to the size of the command's frames.
    pub(super) scale: Option<Resize>,
    /// What is shown in place of what passes by; none where that goes out.
    pub(super) held: Option<HeldPicture>,
    pub(super) events: Events,
    pub(super) stats: Stats,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: Stop,
    pub(super) command: CommandHandle,
    /// The code's threads; none where the caller's stands in their place.
    pub(super) handles: Vec<JoinHandle<()>>,
}

/// The thread at the gate.
pub(super) struct Gating {
    gate: Gate<Frame>,
    rules: GateRules,
    frames: Receiver<Frame>,
    /// When the decoder's last frame had come.
    frames_ended: Option<Instant>,
    asks: Option<Sender<Ask>>,
    reports: Receiver<CodeReport>,
    overtaken: Overtaken,
    code: CodeState,
    /// When the code last told anything.
    heard: Instant,
    /// When the wish to stop was seen.
    stopped: Option<Instant>,
    stop_timeout: Duration,
    fanout: Fanout,
    scale: Option<Resize>,
    held: Option<HeldPicture>,
    /// Why the command is down.
    lost_for: Option<Error>,
    summary: Summary,
    stats: Stats,
    clock: Arc<dyn Clock>,
    stop: Stop,
    command: CommandHandle,
    handles: Vec<JoinHandle<()>>,
}

/// Events that are told in sum.
struct Summary {
    events: Events,
    dropped: EventSum,
    /// Frames that were skipped and not told yet, and for how much of the stream.
    skipped: (u64, Duration),
    bypassed: EventSum,
    failed: EventSum,
    /// The last failure.
    cause: Option<Error>,
}

impl Summary {
    /// Tells what was skipped, once that is over.
    fn emit_skipped(&mut self) {
        let (count, span) = std::mem::take(&mut self.skipped);
        if count > 0 {
            self.events.tell(&Event::FramesSkipped { count, span });
        }
    }
}

impl Gating {
    pub(super) fn new(parts: GateQueues) -> Gating {
        let GateQueues { rules, frames, asks, reports, overtaken, stop_timeout, fanout, .. } =
            parts;
        let GateQueues { held, scale, events, stats, clock, stop, command, handles, .. } = parts;
        Gating {
            gate: Gate::new(rules),
            rules,
            frames,
            frames_ended: None,
            asks: Some(asks),
            reports,
            overtaken,
            code: CodeState::Runs,
            heard: clock.now(),
            stopped: None,
            stop_timeout,
            fanout,
            scale,
            held,
            lost_for: None,
            summary: Summary {
                events,
                dropped: EventSum::new(),
                skipped: (0, Duration::ZERO),
                bypassed: EventSum::new(),
                failed: EventSum::new(),
                cause: None,
            },
            stats,
            clock,
            stop,
            command,
            handles,
        }
    }

    pub(super) fn run(mut self) -> Result<()> {
        let result = self.pass_all();
        self.count();
        self.emit_pending();
        // The outputs are finished while the code ends.
        self.fanout.encoders.clear();
        self.end_code();
        result
    }

    fn pass_all(&mut self) -> Result<()> {
        loop {
            self.fanout.update();
            if !self.send_leaving()? {
                return Ok(());
            }
            self.count();
            if self.gate.is_over() && (self.code != CodeState::Runs || self.gate.is_down()) {
                return Ok(());
            }
            self.ask()?;
            self.wait();
            let mut taken = 0;
            while taken < REPORTS_AT_ONCE && self.code == CodeState::Runs {
                match self.reports.try_recv() {
                    Ok(report) => {
                        if !self.take_report(report)? {
                            return Ok(());
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) if self.handles.is_empty() => {
                        // The caller who pulled the frames has gone.
                        if !self.take_report(CodeReport::Ended(Ok(())))? {
                            return Ok(());
                        }
                    }
                    Err(TryRecvError::Disconnected) => {
                        return Err(Error::process("the thread of your code panicked"));
                    }
                }
                taken += 1;
            }
            let now = self.clock.now();
            self.gate.expire(now);
            self.take_frame(now);
            self.watch(now);
        }
    }

    /// Whether encoders that are behind hold up what leaves. Where nothing is dropped, or no more
    /// comes, the gate simply waits for them.
    fn held_up(&self) -> Option<&Sender<EncodeMessage>> {
        let waits = self.rules.on_slow == OnSlow::Block || self.frames_ended.is_some();
        self.fanout.full().filter(|_| !waits && self.gate.has_leaving())
    }

    /// Sends on whatever leaves and encoders take; `false` where nobody takes more.
    fn send_leaving(&mut self) -> Result<bool> {
        self.send_where(|gating| gating.held_up().is_none())
    }

    fn send_where(&mut self, goes_on: impl Fn(&Gating) -> bool) -> Result<bool> {
        while goes_on(self) {
            let is_open = match self.gate.leave() {
                None => break,
                Some(Released::Answer(mut frame)) => {
                    if let Some(held) = &mut self.held {
                        held.keep(&mut frame)?;
                    }
                    self.fanout.send(frame)?
                }
                Some(Released::Unedited(frame)) => self.send_unedited(frame)?,
            };
            if !is_open {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn send_unedited(&mut self, frame: Frame) -> Result<bool> {
        let Some(scale) = &mut self.scale else { return self.send_in_place_of(frame) };
        scale.send(frame)?;
        while let Some(frame) = self.scale.as_mut().map_or(Ok(None), Resize::receive)? {
            if !self.send_in_place_of(frame)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends on what is shown for a frame that passes by: itself, or what is held.
    fn send_in_place_of(&mut self, frame: Frame) -> Result<bool> {
        let Some(held) = &mut self.held else { return self.fanout.send(frame) };
        let shown = held.in_place_of(frame)?;
        self.stats.frame_held();
        self.fanout.send(shown)
    }

    fn ask(&mut self) -> Result<()> {
        if self.held_up().is_some() {
            return Ok(());
        }
        let Some(asks) = &self.asks else { return Ok(()) };
        let now = self.clock.now();
        let ask = match self.gate.ask(now)? {
            Some((number, frame)) => Some(Ask::Frame(number, frame)),
            None => self.gate.ask_drain(now).map(Ask::Drain),
        };
        if let Some(ask) = ask {
            self.heard = now;
            self.stats.code_asked();
            // A thread that ended has said why.
            let _ = asks.send(ask);
        }
        Ok(())
    }

    fn wants_frame(&self) -> bool {
        self.frames_ended.is_none() && self.gate.wants_frame(self.held_up().is_some())
    }

    /// Waits until there is something to do.
    fn wait(&self) {
        let mut select = Select::new();
        if self.wants_frame() {
            select.recv(&self.frames);
        }
        if self.code == CodeState::Runs {
            select.recv(&self.reports);
        }
        if let Some(encoder) = self.held_up() {
            select.send(encoder);
        }
        let now = self.clock.now();
        let next = [self.gate.deadline(), self.leaves_code_at()].into_iter().flatten().min();
        let due = self.clock.after(next.map(|at| at.saturating_duration_since(now)));
        select.recv(&due);
        // Nothing ready is as good an answer: it is looked whether a stop was asked for.
        let _ = select.ready_timeout(TICK);
    }

    fn take_frame(&mut self, now: Instant) {
        if !self.wants_frame() {
            return;
        }
        match self.frames.try_recv() {
            Ok(frame) => {
                if let Some(number) = self.gate.overtaken_by_next() {
                    self.overtaken.note(number);
                }
                self.gate.offer(frame);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                self.frames_ended = Some(now);
                self.gate.end();
            }
        }
    }

    /// `false` where the code takes no more frames and gives none.
    fn take_report(&mut self, report: CodeReport) -> Result<bool> {
        self.heard = self.clock.now();
        self.stats.code_heard(matches!(report, CodeReport::Answer { .. } | CodeReport::Warm));
        match report {
            CodeReport::Ready(number) => self.gate.ready(number),
            CodeReport::Answer { number, frames, is_whole, is_ready } => {
                self.gate.answer(number, frames, is_whole);
                if is_ready {
                    self.gate.ready(number);
                }
            }
            CodeReport::Failed { number, error } => {
                self.gate.fail(number);
                self.stats.code_failed(&error, false, false);
                self.failed(1, error);
            }
            CodeReport::Down { error, is_final, hangs } => {
                self.stats.code_failed(&error, hangs, true);
                let lost = self.gate.down();
                self.stats.errors(1);
                if is_final {
                    self.code = CodeState::Ended;
                    self.asks = None;
                    self.failed(lost, error);
                } else {
                    self.lost_for = Some(error);
                }
            }
            CodeReport::Up => {
                self.gate.up();
                self.stats.restarted();
                if let Some(cause) = self.lost_for.take() {
                    self.summary.events.tell(&Event::CommandRestarted { cause });
                }
            }
            CodeReport::Warm => self.gate.warm(),
            CodeReport::Flush(done) => {
                let is_open = self.send_where(|_| true)?;
                drop(done);
                return Ok(is_open);
            }
            CodeReport::Ended(ended) => {
                self.code = CodeState::Ended;
                let is_drained = self.gate.close();
                self.send_leaving()?;
                ended?;
                return Ok(is_drained);
            }
        }
        Ok(true)
    }

    /// Goes on without code that a stop, or the end of the input, finds hanging.
    fn watch(&mut self, now: Instant) {
        if self.stopped.is_none() && self.stop.is_stopped() {
            self.stopped = Some(now);
        }
        if self.code != CodeState::Runs {
            return;
        }
        if self.leaves_code_at().is_some_and(|at| at <= now) {
            self.code = CodeState::LeftBehind;
            self.asks = None;
            self.gate.down();
        }
    }

    /// When it goes on without the code, unless that says something before: after a stop, or after
    /// the end of the input.
    fn leaves_code_at(&self) -> Option<Instant> {
        if self.code != CodeState::Runs {
            return None;
        }
        let past_stop_timeout = self.stopped.and_then(|at| at.checked_add(self.stop_timeout));
        let patience = DRAIN_TIMEOUT.saturating_add(self.rules.deadline.unwrap_or_default());
        let ended = self.frames_ended.filter(|_| self.rules.on_slow != OnSlow::Block);
        let past_drain_timeout =
            ended.and_then(|ended| ended.max(self.heard).checked_add(patience));
        [past_stop_timeout, past_drain_timeout].into_iter().flatten().min()
    }

    fn count(&mut self) {
        let tally = self.gate.take_tally();
        let now = self.clock.now();
        if tally.dropped > 0 {
            self.stats.frames_dropped(tally.dropped);
            if let Some((count, span)) = self.summary.dropped.add(tally.dropped, now) {
                self.summary.events.tell(&Event::FramesDropped { count, span });
            }
        }
        if tally.skipped > 0 {
            self.stats.frames_skipped(tally.skipped);
            let (count, span) = self.summary.skipped;
            let more = Duration::from_micros(u64::try_from(tally.skipped_for.0).unwrap_or(0));
            self.summary.skipped = (count + tally.skipped, span.saturating_add(more));
        }
        if self.gate.is_live() {
            self.summary.emit_skipped();
        }
        if tally.bypassed > 0 {
            let is_held = self.held.is_some();
            if !is_held {
                self.stats.frames_bypassed(tally.bypassed);
            }
            if let Some((count, span)) = self.summary.bypassed.add(tally.bypassed, now) {
                self.summary.events.tell(&Event::FramesBypassed { count, span, is_held });
            }
        }
        self.stats.errors(tally.failed);
    }

    fn failed(&mut self, count: u64, cause: Error) {
        let is_held = self.held.is_some();
        let (now, summary) = (self.clock.now(), &mut self.summary);
        if let Some((count, span)) = summary.failed.add(count, now) {
            summary.events.tell(&Event::CodeFailed { count, span, cause, is_held });
        } else {
            summary.cause = Some(cause);
        }
    }

    /// Tells what was counted and not told yet.
    fn emit_pending(&mut self) {
        let is_held = self.held.is_some();
        let (now, summary) = (self.clock.now(), &mut self.summary);
        summary.emit_skipped();
        if let Some((count, span)) = summary.dropped.rest(now) {
            summary.events.tell(&Event::FramesDropped { count, span });
        }
        if let Some((count, span)) = summary.bypassed.rest(now) {
            summary.events.tell(&Event::FramesBypassed { count, span, is_held });
        }
        if let (Some((count, span)), Some(cause)) = (summary.failed.rest(now), summary.cause.take())
        {
            summary.events.tell(&Event::CodeFailed { count, span, cause, is_held });
        }
    }

    /// Waits for the code's threads. Those that hang are left behind: nothing can end them.
    fn end_code(&mut self) {
        self.asks = None;
        if self.code == CodeState::LeftBehind {
            self.command.kill();
        }
        // A thread with a frame or a report learns that nobody listens.
        (self.reports, self.frames) = (never(), never());
        let all_ended = |handles: &[JoinHandle<()>]| {
            let until = Instant::now() + EXIT_TIMEOUT;
            while !handles.iter().all(JoinHandle::is_finished) {
                if Instant::now() >= until {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            true
        };
        if !all_ended(&self.handles) {
            self.command.kill();
            if !all_ended(&self.handles) {
                tracing::warn!("your code did not come back: its thread is left behind");
            }
        }
    }
}
