//! The two threads round a command: one writes frames to it, one reads its answers.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};

use super::stages::{Chain, Fanout};
use crate::error::Result;
use crate::frame::Frame;
use crate::process::{Command, CommandOutput, InFlight, Spawned};
use crate::stats::Stats;
use crate::stop::Stop;
use crate::time::Rate;

/// How often the reader of a command's answers looks whether it is still there.
const ANSWER_TICK: Duration = Duration::from_millis(100);

/// The thread that writes frames to a command.
pub(super) struct CommandFeed {
    pub(super) command: Command,
    pub(super) rate: Option<Rate>,
    pub(super) reads_only: bool,
    pub(super) stop: Stop,
    pub(super) chain: Chain,
    pub(super) stats: Stats,
}

/// What the reader of a command's answers needs, once the command is started.
pub(super) type Handoff = (CommandOutput, Receiver<InFlight>);

/// A command that was started, and where its frames wait for their answers.
pub(super) struct Fed {
    pub(super) spawned: Spawned,
    pub(super) waiting: Option<Sender<InFlight>>,
}

impl CommandFeed {
    pub(super) fn run(self, frames: &Receiver<Frame>, handoff: &Sender<Handoff>) -> Result<()> {
        let CommandFeed { command, rate, reads_only, stop, mut chain, stats } = self;
        let mut fed: Option<Fed> = None;
        let mut out = |frame: Frame| -> Result<bool> {
            if reads_only {
                stats.reached(frame.pts());
            }
            if fed.is_none() {
                fed = Some(start_command(&command, &frame, rate, reads_only, &stop, handoff)?);
            }
            fed.as_mut().map_or(Ok(false), |fed| fed.take(frame))
        };
        let mut fed_all = true;
        for frame in frames {
            if !chain.feed(0, frame, &mut out)? {
                fed_all = false;
                break;
            }
        }
        if fed_all {
            chain.drain(&mut out)?;
        }
        match fed {
            Some(mut fed) => fed.spawned.input.close(),
            None => Ok(()),
        }
    }
}

pub(super) fn start_command(
    command: &Command,
    frame: &Frame,
    rate: Option<Rate>,
    reads_only: bool,
    stop: &Stop,
    handoff: &Sender<Handoff>,
) -> Result<Fed> {
    let mut spawned = command.spawn(frame, rate, reads_only, stop)?;
    let waiting = spawned.output.take().map(|output| {
        let (sender, receiver) = bounded(spawned.in_flight_limit);
        // The other thread waits for exactly this; if it is gone, so is the reason to send.
        let _ = handoff.send((output, receiver));
        sender
    });
    Ok(Fed { spawned, waiting })
}

impl Fed {
    /// `false` where the command takes no more.
    pub(super) fn take(&mut self, frame: Frame) -> Result<bool> {
        let (in_flight, shown) = self.spawned.input.show(frame)?;
        if let Some(waiting) = &self.waiting {
            match waiting.try_send(in_flight) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    return Err(self.spawned.input.holds_too_many(self.spawned.in_flight_limit));
                }
                Err(TrySendError::Disconnected(_)) => return Ok(false),
            }
        }
        self.spawned.input.write(&shown)
    }
}

pub(super) fn answers_loop(handed: &Receiver<Handoff>, mut fanout: Fanout) -> Result<()> {
    // Nothing is handed over where there was no frame at all, or where the command only reads.
    let Ok((mut output, waiting)) = handed.recv() else { return Ok(()) };
    loop {
        let asked = match waiting.recv_timeout(ANSWER_TICK) {
            Ok(asked) => asked,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if !output.is_readable() => continue,
            // A frame is queued before its first byte is written, so what can be read now either
            // answers one that has come since, or answers nothing.
            Err(RecvTimeoutError::Timeout) => match waiting.try_recv() {
                Ok(asked) => asked,
                Err(TryRecvError::Empty) => return Err(output.unasked()),
                Err(TryRecvError::Disconnected) => break,
            },
        };
        let mut frame = output.answer(asked)?;
        frame.shrink()?;
        if !fanout.send(frame)? {
            output.abandon();
            return Ok(());
        }
    }
    output.finish()
}
