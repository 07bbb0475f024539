//! Your code's threads, from the decoder's frames to the encoders, and the gate before them.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, never, select};

use crate::edit::chain::{Chain, guarded};
use crate::edit::gate::GateRules;
use crate::edit::{Command, FrameProcessor, Resize};
use crate::error::Result;
use crate::image::Frame;
use crate::live::hold::HeldPicture;
use crate::live::slate::Slate;
use crate::options::{LiveOptions, OnError, OnSlow};
use crate::run::code_messages::{Ask, CodeChannels, CodeReport, Overtaken};
use crate::run::command::{CommandFeed, CommandHandle, CommandPolicy, Restarts, answers_loop};
use crate::run::gating::{GateQueues, Gating};
use crate::run::stages::Fanout;
use crate::run::threads::{Threads, start_thread};
use crate::stats::Stats;
use crate::stats::event::Events;
use crate::time::Rate;
use crate::time::clock::Clock;
use crate::time::stop::Stop;

/// What the code still gets once a stop was asked for.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// The same for a command whose failure ends the run: it may take its pipes' patience, and as long
/// again to end.
const COMMAND_STOP_TIMEOUT: Duration = Duration::from_secs(12);
/// A command may stand still for so long, besides its deadline.
pub(super) const HANG_LIMIT: Duration = Duration::from_secs(5);
/// Frames of one ask that are reported together.
const FRAMES_A_REPORT: usize = 8;

/// Your code, and all that decides how it is treated.
pub(super) struct Code {
    pub(super) stages: Vec<Box<dyn FrameProcessor>>,
    pub(super) command: Option<Command>,
    /// The caller's thread stands in the place of the code's, and runs the stages itself.
    pub(super) is_pulled: bool,
    /// There is no output, and none can come.
    pub(super) only_reads: bool,
    pub(super) live: LiveOptions,
    pub(super) is_live: bool,
    /// The decoder's frame rate.
    pub(super) rate: Option<Rate>,
    pub(super) events: Events,
    pub(super) stats: Stats,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: Stop,
}

/// The end of a caller who pulls.
pub(crate) enum Pulling {
    /// At the gate, as code of its own.
    Gate(CodeChannels, Overtaken),
    /// At the decoder: where every frame waits and none is written, there is nothing for a gate to
    /// decide.
    Decoder(Receiver<Frame>, Box<LaterGate>),
}

/// Starts everything between the decoder's frames and the encoders. Gives the caller's end of the
/// queues, where it pulls.
pub(super) fn start(
    code: Code,
    frames: Receiver<Frame>,
    fanout: Fanout,
    threads: &mut Threads,
) -> Result<Option<Pulling>> {
    let on_slow = code.live.slow_policy(code.is_live);
    if code.is_pulled && code.only_reads && on_slow == OnSlow::Block {
        let code = Code { only_reads: false, ..code };
        let later = LaterGate { code, frames: frames.clone(), fanout };
        return Ok(Some(Pulling::Decoder(frames, Box::new(later))));
    }
    let Code { mut stages, command, is_pulled, only_reads, mut live, .. } = code;
    let Code { is_live, rate, events, stats, clock, stop, .. } = code;
    if is_live && command.as_ref().is_some_and(Command::hides) {
        live.hold_by_default();
    }
    let unedited = if only_reads { "none" } else { live.unedited(is_live) };
    let command = command.map(|command| command.unedited(unedited));
    if stages.is_empty() && command.is_none() && !is_pulled {
        threads.spawn("frameloom-process", move || pass_on(&frames, fanout))?;
        return Ok(None);
    }
    let on_error = live.error_policy(is_live, command.is_some());
    let rules =
        GateRules { on_slow, deadline: live.deadline, passes_failed: on_error != OnError::Stop };
    let held = match live.holds_unedited() {
        true => Some(HeldPicture::new(Slate::load(live.slate_path())?)),
        false => None,
    };
    let size = command.as_ref().and_then(Command::size);
    if let Some(size) = size {
        stages.push(Box::new(Resize::new(size)));
    }
    // The gate asks only code that is ready. What it asked just before a command failed may stand
    // there beside what it asks when the command is back.
    let (asks, asked) = bounded(2);
    let (report, reports) = bounded(1);
    let channels = CodeChannels { asks: asked, reports: report };
    let overtaken = Overtaken::new();
    let stop_timeout = if command.is_some() && on_error == OnError::Stop {
        COMMAND_STOP_TIMEOUT
    } else {
        STOP_TIMEOUT
    };
    let handle = CommandHandle::default();
    let chain = Chain { stages };
    let mut handles = Vec::new();
    let mut pulling = None;
    match command {
        None if is_pulled => pulling = Some(Pulling::Gate(channels, overtaken.clone())),
        None => {
            let passes_failed = rules.passes_failed;
            handles.push(start_thread("frameloom-process", move || {
                let ended = stages_loop(chain, &channels, passes_failed);
                channels.report(CodeReport::Ended(ended));
            })?);
        }
        Some(command) => {
            let limit = HANG_LIMIT.saturating_add(live.deadline.unwrap_or_default());
            let policy = CommandPolicy {
                keeps_pipes_empty: on_slow != OnSlow::Block,
                on_error,
                on_resize: live.on_resize,
                hang_limit: rules.passes_failed.then_some(limit),
            };
            let (answering, sessions) = bounded(1);
            let reports = channels.reports.clone();
            let feed = CommandFeed {
                command,
                rate,
                reads_only: fanout.encoders.is_empty(),
                clock: Arc::clone(&clock),
                stop: stop.clone(),
                chain,
                stats: stats.clone(),
                policy,
                channels,
                answering,
                handle: handle.clone(),
                restarts: Restarts::new(),
            };
            handles.push(start_thread("frameloom-command-in", move || feed.run())?);
            handles.push(start_thread("frameloom-command-out", move || {
                answers_loop(&sessions, &reports);
            })?);
        }
    }
    let parts = GateQueues {
        rules,
        frames,
        asks,
        reports,
        overtaken,
        stop_timeout,
        fanout,
        scale: size.map(Resize::new),
        held,
        events,
        stats,
        clock,
        stop,
        command: handle,
        handles,
    };
    threads.spawn("frameloom-gate", move || Gating::new(parts).run())?;
    Ok(pulling)
}

/// A gate that is not needed yet, as the caller who pulls only reads.
pub(crate) struct LaterGate {
    code: Code,
    frames: Receiver<Frame>,
    fanout: Fanout,
}

impl LaterGate {
    /// Starts it, as an output is to come: what the decoder gives goes through it from here on.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn start(self, threads: &mut Threads) -> Result<Option<Pulling>> {
        start(self.code, self.frames, self.fanout, threads)
    }
}

/// The thread that hands frames to the encoders where there is no code.
fn pass_on(frames: &Receiver<Frame>, mut fanout: Fanout) -> Result<()> {
    loop {
        let changes = fanout.changes.clone();
        select! {
            recv(frames) -> frame => {
                let Ok(frame) = frame else { return Ok(()) };
                if !fanout.send(frame)? {
                    return Ok(());
                }
            }
            recv(changes) -> change => match change {
                Ok(change) => fanout.change(change),
                // No output can come any more.
                Err(_) => fanout.changes = never(),
            },
        }
        if fanout.encoders.is_empty() {
            return Ok(());
        }
    }
}

/// The thread of closures and filter graphs.
fn stages_loop(mut chain: Chain, channels: &CodeChannels, passes_failed: bool) -> Result<()> {
    for ask in &channels.asks {
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
                Ok(channels.report(CodeReport::Answer { number, frames, is_whole, is_ready }))
            };
            match ask {
                Ask::Frame(_, frame) => chain.feed(0, frame, &mut out),
                Ask::Drain(_) => chain.drain(&mut out),
            }
        });
        let is_whole = result.is_ok();
        let is_ready = is_whole && !is_drain;
        channels.report(CodeReport::Answer { number, frames, is_whole, is_ready });
        match result {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if passes_failed => {
                channels.report(CodeReport::Failed { number, error });
                if !is_drain {
                    channels.report(CodeReport::Ready(number));
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
