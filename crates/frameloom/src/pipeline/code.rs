//! Your code's threads, from the decoder's frames to the encoders, and the gate round them.
//!
//! One thread stands at the [`Gate`] and never runs your code: it takes frames from the decoder,
//! asks the code, and sends on what leaves. The code's own threads are behind it. Where they hang
//! for ever, the gate goes on without them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded, never};

use super::command::{Care, CommandFeed, Reins, Restarts, answers_loop};
use super::gate::{Gate, Leaving, Passing, Rules};
use super::stages::Fanout;
use super::{Threads, start_thread};
use crate::error::{Error, Result};
use crate::event::{Event, Events, Sum};
use crate::frame::Frame;
use crate::options::{LiveOptions, OnError, OnSlow, Size};
use crate::process::{Command, FilterGraph, FrameProcessor};
use crate::stats::Stats;
use crate::stop::Stop;
use crate::time::{Rate, Timestamp};

/// How often the gate looks whether a stop was asked for.
const TICK: Duration = Duration::from_millis(100);
/// What the code still gets once a stop was asked for.
const GRACE: Duration = Duration::from_secs(1);
/// The same for a command whose failure ends the run: it may take its pipes' patience, and as long
/// again to end.
const LONG_GRACE: Duration = Duration::from_secs(12);
/// How long the code may say nothing behind the end of the input, where the policies let no frame
/// wait for it without end.
const END_PATIENCE: Duration = Duration::from_secs(12);
/// How long the code's threads may take to end once nobody wants anything of them.
const FAREWELL: Duration = Duration::from_millis(300);
/// A command may stand still for so long, besides its deadline.
const HANG_LIMIT: Duration = Duration::from_secs(5);
/// Frames of one ask that are reported together.
const FRAMES_A_REPORT: usize = 8;
/// Reports heeded before what leaves is sent on.
const REPORTS_AT_ONCE: usize = 4;

/// What the code is asked.
pub(super) enum Ask {
    Frame(u64, Frame),
    /// To give out all it holds: no more frames come.
    Drain(u64),
}

/// What the code's threads tell the gate.
pub(super) enum Report {
    /// It takes the next frame, after this ask.
    Ready(u64),
    /// What came out for an ask. With `is_whole` nothing more does, with `is_ready` it takes the
    /// next frame.
    Answer { number: u64, frames: Vec<Frame>, is_whole: bool, is_ready: bool },
    /// It failed on an ask.
    Failed { number: u64, error: Error },
    /// The command is gone; with `is_final` it doesn't come back.
    Down { error: Error, is_final: bool },
    /// The command is started again with the next frame.
    Up,
    /// The command answers.
    Warm,
    /// The code has given out everything, or takes no more, or has failed for good.
    Ended(Result<()>),
}

/// The code's end of the queues to and from the gate.
pub(super) struct Link {
    pub(super) asks: Receiver<Ask>,
    pub(super) reports: Sender<Report>,
}

impl Link {
    /// `false` where the gate is gone.
    pub(super) fn report(&self, report: Report) -> bool {
        self.reports.send(report).is_ok()
    }
}

impl Passing for Frame {
    fn pts(&self) -> Timestamp {
        Frame::pts(self)
    }

    fn copy(&mut self) -> Result<Frame> {
        self.share()
    }
}

/// The stages of your code, one behind the other.
#[derive(Default)]
pub(super) struct Chain {
    pub(super) stages: Vec<Box<dyn FrameProcessor>>,
}

impl Chain {
    /// Sends a frame in at stage `from`, and what comes out at the end to `out`; `false` once
    /// `out` takes no more.
    pub(super) fn feed(
        &mut self,
        from: usize,
        frame: Frame,
        out: &mut dyn FnMut(Frame) -> Result<bool>,
    ) -> Result<bool> {
        let Some(stage) = self.stages.get_mut(from) else { return out(frame) };
        stage.send(frame)?;
        self.collect(from, out)
    }

    fn collect(&mut self, from: usize, out: &mut dyn FnMut(Frame) -> Result<bool>) -> Result<bool> {
        while let Some(frame) =
            self.stages.get_mut(from).map(|s| s.receive()).transpose()?.flatten()
        {
            if !self.feed(from + 1, frame, out)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn drain(&mut self, out: &mut dyn FnMut(Frame) -> Result<bool>) -> Result<bool> {
        for i in 0..self.stages.len() {
            if let Some(stage) = self.stages.get_mut(i) {
                stage.drain()?;
            }
            if !self.collect(i, out)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Runs your code: its panic is an error like any other.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    // A stage whose state a panic spoilt is its owner's to judge: it was told of the policies.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    match text.or_else(|| panic.downcast_ref::<&str>().copied()) {
        Some(text) => Error::process(format!("your code panicked: {text}")),
        None => Error::process("your code panicked"),
    }
}

/// Your code, and all that decides how it is treated.
pub(super) struct Code {
    pub(super) stages: Vec<Box<dyn FrameProcessor>>,
    pub(super) command: Option<Command>,
    pub(super) live: LiveOptions,
    pub(super) is_live: bool,
    /// The decoder's frame rate.
    pub(super) rate: Option<Rate>,
    pub(super) events: Events,
    pub(super) stats: Stats,
    pub(super) stop: Stop,
}

/// Starts everything between the decoder's frames and the encoders.
pub(super) fn start(
    code: Code,
    frames: Receiver<Frame>,
    mut fanout: Fanout,
    threads: &mut Threads,
) -> Result<()> {
    let Code { mut stages, command, live, is_live, rate, events, stats, stop } = code;
    if stages.is_empty() && command.is_none() {
        return threads.spawn("frameloom-process", move || {
            for frame in frames {
                if !fanout.send(frame)? {
                    break;
                }
            }
            Ok(())
        });
    }
    let on_slow = live.on_slow(is_live);
    let on_error = live.on_error(is_live, command.is_some());
    let rules =
        Rules { on_slow, deadline: live.deadline, passes_failed: on_error != OnError::Stop };
    let size = command.as_ref().and_then(Command::size);
    if let Some(size) = size {
        stages.push(Box::new(scaler(size)));
    }
    // The gate asks only code that is ready. What it asked just before a command failed may stand
    // there beside what it asks when the command is back.
    let (asks, asked) = bounded(2);
    let (report, reports) = bounded(1);
    let link = Link { asks: asked, reports: report };
    let grace = if command.is_some() && on_error == OnError::Stop { LONG_GRACE } else { GRACE };
    let reins = Reins::default();
    let chain = Chain { stages };
    let mut handles = Vec::new();
    match command {
        None => {
            let passes_failed = rules.passes_failed;
            handles.push(start_thread("frameloom-process", move || {
                let ended = stages_loop(chain, &link, passes_failed);
                link.report(Report::Ended(ended));
            })?);
        }
        Some(command) => {
            let limit = HANG_LIMIT + live.deadline.unwrap_or_default();
            let care = Care {
                keeps_pipes_empty: on_slow != OnSlow::Block,
                on_error,
                on_resize: live.on_resize,
                hang_limit: rules.passes_failed.then_some(limit),
            };
            let (answering, sessions) = bounded(1);
            let reports = link.reports.clone();
            let feed = CommandFeed {
                command,
                rate,
                reads_only: fanout.encoders.is_empty(),
                stop: stop.clone(),
                chain,
                stats: stats.clone(),
                care,
                link,
                answering,
                reins: reins.clone(),
                restarts: Restarts::new(),
            };
            handles.push(start_thread("frameloom-command-in", move || feed.run())?);
            handles.push(start_thread("frameloom-command-out", move || {
                answers_loop(&sessions, &reports);
            })?);
        }
    }
    let gate = GateLoop {
        gate: Gate::new(rules),
        rules,
        frames,
        frames_ended: None,
        asks: Some(asks),
        reports,
        code: CodeState::Runs,
        heard: Instant::now(),
        stopped: None,
        grace,
        fanout,
        scale: size.map(scaler),
        lost_for: None,
        told: Told {
            events,
            dropped: Sum::new(),
            bypassed: Sum::new(),
            failed: Sum::new(),
            cause: None,
        },
        stats,
        stop,
        reins,
        handles,
    };
    threads.spawn("frameloom-gate", move || gate.run())
}

/// As it scales the frames that a command is shown.
fn scaler(size: Size) -> FilterGraph {
    FilterGraph::new(format!("scale={}:{}", size.width(), size.height()), None)
}

/// The thread of closures and filter graphs.
fn stages_loop(mut chain: Chain, link: &Link, passes_failed: bool) -> Result<()> {
    for ask in &link.asks {
        let (number, is_drain) = match &ask {
            Ask::Frame(number, _) => (*number, false),
            Ask::Drain(number) => (*number, true),
        };
        let mut frames = Vec::new();
        let result = guarded(|| {
            let mut out = |frame| {
                frames.push(frame);
                if frames.len() < FRAMES_A_REPORT {
                    return Ok(true);
                }
                let frames = std::mem::take(&mut frames);
                let (is_whole, is_ready) = (false, false);
                Ok(link.report(Report::Answer { number, frames, is_whole, is_ready }))
            };
            match ask {
                Ask::Frame(_, frame) => chain.feed(0, frame, &mut out),
                Ask::Drain(_) => chain.drain(&mut out),
            }
        });
        let is_whole = result.is_ok();
        let is_ready = is_whole && !is_drain;
        link.report(Report::Answer { number, frames, is_whole, is_ready });
        match result {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if passes_failed => {
                link.report(Report::Failed { number, error });
                if !is_drain {
                    link.report(Report::Ready(number));
                }
            }
            Err(error) => return Err(error),
        }
        if is_drain {
            break;
        }
    }
    Ok(())
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

/// The thread at the gate.
struct GateLoop {
    gate: Gate<Frame>,
    rules: Rules,
    frames: Receiver<Frame>,
    /// When the decoder's last frame had come.
    frames_ended: Option<Instant>,
    asks: Option<Sender<Ask>>,
    reports: Receiver<Report>,
    code: CodeState,
    /// When the code last told anything.
    heard: Instant,
    /// When the wish to stop was seen.
    stopped: Option<Instant>,
    grace: Duration,
    fanout: Fanout,
    /// Brings what passes by a command to the size of the command's frames.
    scale: Option<FilterGraph>,
    /// Why the command is down.
    lost_for: Option<Error>,
    told: Told,
    stats: Stats,
    stop: Stop,
    reins: Reins,
    handles: Vec<JoinHandle<()>>,
}

/// What is told in sum.
struct Told {
    events: Events,
    dropped: Sum,
    bypassed: Sum,
    failed: Sum,
    /// The last failure.
    cause: Option<Error>,
}

impl GateLoop {
    fn run(mut self) -> Result<()> {
        let result = self.pass_all();
        self.count();
        self.tell_rest();
        // The outputs are finished while the code ends.
        self.fanout.encoders.clear();
        self.end_code();
        result
    }

    fn pass_all(&mut self) -> Result<()> {
        loop {
            if !self.send_leaving()? {
                return Ok(());
            }
            self.count();
            if self.gate.is_over() && (self.code != CodeState::Runs || self.gate.is_down()) {
                return Ok(());
            }
            self.ask()?;
            self.wait();
            let mut heeded = 0;
            while heeded < REPORTS_AT_ONCE && self.code == CodeState::Runs {
                match self.reports.try_recv() {
                    Ok(report) => {
                        if !self.heed(report)? {
                            return Ok(());
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        return Err(Error::process("the thread of your code panicked"));
                    }
                }
                heeded += 1;
            }
            let now = Instant::now();
            self.gate.expire(now);
            self.take_frame(now);
            self.watch(now);
        }
    }

    /// Whether encoders that are behind hold up what leaves. Where nothing is dropped, or no more
    /// comes, the gate simply waits for them.
    fn held_up(&self) -> Option<&Sender<Frame>> {
        let waits = self.rules.on_slow == OnSlow::Block || self.frames_ended.is_some();
        self.fanout.full().filter(|_| !waits && self.gate.has_leaving())
    }

    /// Sends on whatever leaves; `false` where nobody takes more.
    fn send_leaving(&mut self) -> Result<bool> {
        while self.held_up().is_none() {
            let is_open = match self.gate.leave() {
                None => break,
                Some(Leaving::Answer(frame)) => self.fanout.send(frame)?,
                Some(Leaving::Unedited(frame)) => self.send_unedited(frame)?,
            };
            if !is_open {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn send_unedited(&mut self, frame: Frame) -> Result<bool> {
        let Some(scale) = &mut self.scale else { return self.fanout.send(frame) };
        scale.send(frame)?;
        while let Some(frame) = scale.receive()? {
            if !self.fanout.send(frame)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn ask(&mut self) -> Result<()> {
        if self.held_up().is_some() {
            return Ok(());
        }
        let Some(asks) = &self.asks else { return Ok(()) };
        let now = Instant::now();
        let ask = match self.gate.ask(now)? {
            Some((number, frame)) => Some(Ask::Frame(number, frame)),
            None => self.gate.ask_drain(now).map(Ask::Drain),
        };
        if let Some(ask) = ask {
            self.heard = now;
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
        let now = Instant::now();
        let deadline = self.gate.deadline().map(|at| at.saturating_duration_since(now));
        // Nothing ready is as good an answer.
        let _ = select.ready_timeout(deadline.map_or(TICK, |left| left.min(TICK)));
    }

    fn take_frame(&mut self, now: Instant) {
        if !self.wants_frame() {
            return;
        }
        match self.frames.try_recv() {
            Ok(frame) => self.gate.offer(frame),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => {
                self.frames_ended = Some(now);
                self.gate.end();
            }
        }
    }

    /// `false` where the code takes no more frames and gives none.
    fn heed(&mut self, report: Report) -> Result<bool> {
        self.heard = Instant::now();
        match report {
            Report::Ready(number) => self.gate.ready(number),
            Report::Answer { number, frames, is_whole, is_ready } => {
                self.gate.answer(number, frames, is_whole);
                if is_ready {
                    self.gate.ready(number);
                }
            }
            Report::Failed { number, error } => {
                self.gate.fail(number);
                self.failed(1, error);
            }
            Report::Down { error, is_final } => {
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
            Report::Up => {
                self.gate.up();
                self.stats.restarted();
                if let Some(cause) = self.lost_for.take() {
                    self.told.events.tell(&Event::CommandRestarted { cause });
                }
            }
            Report::Warm => self.gate.warm(),
            Report::Ended(ended) => {
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
        let past_grace = self.stopped.is_some_and(|at| now.duration_since(at) >= self.grace);
        let patience = END_PATIENCE + self.rules.deadline.unwrap_or_default();
        let is_patient = self.rules.on_slow == OnSlow::Block;
        let past_patience = self.frames_ended.is_some_and(|ended| {
            !is_patient && now.duration_since(ended.max(self.heard)) >= patience
        });
        if past_grace || past_patience {
            self.code = CodeState::LeftBehind;
            self.asks = None;
            self.gate.down();
        }
    }

    fn count(&mut self) {
        let tally = self.gate.take_tally();
        let now = Instant::now();
        if tally.dropped > 0 {
            self.stats.frames_dropped(tally.dropped);
            if let Some((count, span)) = self.told.dropped.add(tally.dropped, now) {
                self.told.events.tell(&Event::FramesDropped { count, span });
            }
        }
        if tally.bypassed > 0 {
            self.stats.frames_bypassed(tally.bypassed);
            if let Some((count, span)) = self.told.bypassed.add(tally.bypassed, now) {
                self.told.events.tell(&Event::FramesBypassed { count, span });
            }
        }
        self.stats.errors(tally.failed);
    }

    fn failed(&mut self, count: u64, cause: Error) {
        let told = &mut self.told;
        if let Some((count, span)) = told.failed.add(count, Instant::now()) {
            told.events.tell(&Event::CodeFailed { count, span, cause });
        } else {
            told.cause = Some(cause);
        }
    }

    /// Tells what was counted and not told yet.
    fn tell_rest(&mut self) {
        let (now, told) = (Instant::now(), &mut self.told);
        if let Some((count, span)) = told.dropped.rest(now) {
            told.events.tell(&Event::FramesDropped { count, span });
        }
        if let Some((count, span)) = told.bypassed.rest(now) {
            told.events.tell(&Event::FramesBypassed { count, span });
        }
        if let (Some((count, span)), Some(cause)) = (told.failed.rest(now), told.cause.take()) {
            told.events.tell(&Event::CodeFailed { count, span, cause });
        }
    }

    /// Waits for the code's threads. Those that hang are left behind: nothing can end them.
    fn end_code(&mut self) {
        self.asks = None;
        if self.code == CodeState::LeftBehind {
            self.reins.kill();
        }
        // Whoever has a frame or something to report learns that nobody listens.
        (self.reports, self.frames) = (never(), never());
        let all_ended = |handles: &[JoinHandle<()>]| {
            let until = Instant::now() + FAREWELL;
            while !handles.iter().all(JoinHandle::is_finished) {
                if Instant::now() >= until {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            true
        };
        if !all_ended(&self.handles) {
            self.reins.kill();
            if !all_ended(&self.handles) {
                tracing::warn!("your code did not come back: its thread is left behind");
            }
        }
    }
}
