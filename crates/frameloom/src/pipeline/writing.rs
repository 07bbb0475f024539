//! The thread that writes an output, and what it does while a live one is lost.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::start_thread;
use super::wiring::{SinkEnd, SinkMessage};
use crate::av::MediaKind;
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::options::OutputOptions;
use crate::packet::Packet;
use crate::sink::{Sink, StreamHeader, Target, nothing_written};
use crate::stats::Stats;
use crate::stop::Stop;
use crate::supervise::{RealClock, Reopened, reopen};
use crate::time::Timestamp;

/// How often a lost output is looked at where nothing is sent to it.
const TICK: Duration = Duration::from_millis(50);

/// How long an output must have been there for its next loss to be a new one.
const STEADY: Duration = Duration::from_secs(10);

/// The thread that writes an output.
pub(super) struct Writing {
    pub(super) sink: Sink,
    pub(super) end: SinkEnd,
    /// How to open it again. `None` where its first failure is its end.
    pub(super) again: Option<Again>,
    /// Outputs of which nothing was written.
    pub(super) unwritten: Arc<Mutex<Vec<Error>>>,
    pub(super) stop: Stop,
}

/// How an output is opened again.
#[derive(Clone)]
pub(super) struct Again {
    pub(super) target: Target,
    pub(super) options: OutputOptions,
    pub(super) kinds: Vec<MediaKind>,
    pub(super) stats: Stats,
    pub(super) limit: Option<Duration>,
}

impl Again {
    pub(super) fn open(&self, stop: &Stop) -> Result<Sink> {
        Sink::open(self.target.clone(), &self.options, &self.kinds, self.stats.clone(), stop)
    }

    fn has_video(&self) -> bool {
        self.kinds.contains(&MediaKind::Video)
    }
}

/// What was told of the streams, for an output that is opened again.
#[derive(Default)]
struct Told {
    headers: Vec<(usize, StreamHeader)>,
    ended: Vec<usize>,
    cut: Option<Timestamp>,
}

impl Told {
    fn note(&mut self, message: &SinkMessage) -> Result<()> {
        match message {
            SinkMessage::Header(stream, header) => self.headers.push((*stream, header.share()?)),
            SinkMessage::Packet(..) => {}
            SinkMessage::Cut(end) => self.cut = Some(self.cut.map_or(*end, |cut| cut.min(*end))),
            SinkMessage::End(stream) => self.ended.push(*stream),
        }
        Ok(())
    }

    fn tell(&self, sink: &mut Sink) -> Result<()> {
        if let Some(cut) = self.cut {
            sink.cut_at(cut);
        }
        for (stream, header) in &self.headers {
            sink.announce(*stream, header.share()?)?;
        }
        self.ended.iter().try_for_each(|stream| sink.end(*stream))
    }
}

/// An output that is being opened again.
struct Loss {
    since: Instant,
    cause: Error,
    /// Packets that it missed.
    missed: u64,
    reopening: Receiver<Result<Reopened<Sink>>>,
}

enum State {
    Open(Box<Sink>),
    Lost(Box<Loss>),
}

/// A live output that is lost when a stop comes: there is nothing to be finished.
fn at_stop(cause: &Error) -> Result<()> {
    tracing::warn!("stopped while an output was lost: {cause}");
    Ok(())
}

impl Writing {
    pub(super) fn run(self) -> Result<()> {
        let Writing { sink, end, again, unwritten, stop } = self;
        let mut told = Told::default();
        let mut state = State::Open(Box::new(sink));
        let mut backoff: Option<Backoff> = None;
        let mut since = Instant::now();
        // From a keyframe on, once it was opened again.
        let mut waits_for_key = false;
        let mut missed = 0;
        loop {
            let message = match &state {
                State::Open(_) => end.messages.recv().ok(),
                State::Lost(_) => match end.messages.recv_timeout(TICK) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                },
            };
            if message.is_none() && matches!(state, State::Open(_)) {
                break;
            }
            if let (Some(message), Some(_)) = (&message, &again) {
                told.note(message)?;
            }
            state = match (state, message) {
                (State::Open(mut sink), Some(message)) => {
                    let skips = waits_for_key && is_before_key(&message, again.as_ref());
                    if skips {
                        end.drops.stats.packet_dropped(end.drops.output);
                        missed += 1;
                        State::Open(sink)
                    } else {
                        waits_for_key &= !matches!(message, SinkMessage::Packet(..));
                        match write(&mut sink, message) {
                            Ok(()) if sink.is_complete() => {
                                state = State::Open(sink);
                                break;
                            }
                            Ok(()) => State::Open(sink),
                            Err(cause) => {
                                let Some(again) = &again else { return Err(cause) };
                                if stop.is_stopped() {
                                    return at_stop(&cause);
                                }
                                end.drops.stats.output_lost(end.drops.output);
                                let (output, shown) = (end.drops.output, cause.clone());
                                end.drops.events.tell(&Event::OutputLost { output, cause: shown });
                                // What it held back is lost with it.
                                let unsent = sink.waiting_packets();
                                (0..unsent).for_each(|_| end.drops.stats.packet_dropped(output));
                                drop(sink);
                                let kept = backoff.take().filter(|_| since.elapsed() < STEADY);
                                let reopening = open_again(again, kept, &stop)?;
                                let missed = unsent + std::mem::take(&mut missed);
                                let since = Instant::now();
                                State::Lost(Box::new(Loss { since, cause, missed, reopening }))
                            }
                        }
                    }
                }
                (State::Lost(mut loss), message) => {
                    if matches!(message, Some(SinkMessage::Packet(..))) {
                        loss.missed += 1;
                        end.drops.stats.packet_dropped(end.drops.output);
                    }
                    match loss.reopening.try_recv() {
                        Err(_) => State::Lost(loss),
                        Ok(Err(_)) if stop.is_stopped() => return at_stop(&loss.cause),
                        Ok(Err(error)) => return Err(error),
                        Ok(Ok(Reopened { end: mut sink, backoff: kept, .. })) => {
                            backoff = Some(kept);
                            since = Instant::now();
                            match told.tell(&mut sink) {
                                Ok(()) => {
                                    waits_for_key = true;
                                    if let Some(wish) = &end.key_wish {
                                        wish.store(true, Ordering::Relaxed);
                                    }
                                    let (output, lost_for) =
                                        (end.drops.output, loss.since.elapsed());
                                    let packets = loss.missed;
                                    end.drops.stats.output_back(output);
                                    end.drops.events.tell(&Event::OutputBack {
                                        output,
                                        lost_for,
                                        packets,
                                    });
                                    State::Open(Box::new(sink))
                                }
                                Err(error) => {
                                    tracing::debug!("open, and lost again: {error}");
                                    let Some(again) = &again else { return Err(error) };
                                    loss.reopening = open_again(again, backoff.take(), &stop)?;
                                    State::Lost(loss)
                                }
                            }
                        }
                    }
                }
                (state, _) => state,
            };
        }
        end.drops.tell_rest();
        match state {
            State::Open(sink) => {
                let url = sink.url().to_owned();
                let finished = match sink.finish() {
                    Err(cause) if again.is_some() && stop.is_stopped() => return at_stop(&cause),
                    finished => finished?,
                };
                if !finished {
                    let mut unwritten = unwritten.lock().unwrap_or_else(PoisonError::into_inner);
                    unwritten.push(nothing_written(&url));
                }
                Ok(())
            }
            State::Lost(loss) if stop.is_stopped() => at_stop(&loss.cause),
            State::Lost(loss) => Err(loss.cause),
        }
    }
}

fn write(sink: &mut Sink, message: SinkMessage) -> Result<()> {
    match message {
        SinkMessage::Header(stream, header) => sink.announce(stream, header),
        SinkMessage::Packet(stream, packet) => sink.write(stream, packet),
        SinkMessage::Cut(end) => {
            sink.cut_at(end);
            Ok(())
        }
        SinkMessage::End(stream) => sink.end(stream),
    }
}

/// Whether a message is one that nobody can begin with.
fn is_before_key(message: &SinkMessage, again: Option<&Again>) -> bool {
    let SinkMessage::Packet(_, packet) = message else { return false };
    let begins = |packet: &Packet| packet.kind == MediaKind::Video && packet.av.is_key();
    again.is_some_and(Again::has_video) && !begins(packet)
}

/// Starts the thread that opens an output again.
fn open_again(
    again: &Again,
    backoff: Option<Backoff>,
    stop: &Stop,
) -> Result<Receiver<Result<Reopened<Sink>>>> {
    let (sender, receiver) = bounded(1);
    let (again, stop) = (again.clone(), stop.clone());
    start_thread("frameloom-reopen", move || {
        let backoff = backoff.unwrap_or_else(Backoff::new);
        let found = reopen(|| again.open(&stop), backoff, again.limit, &RealClock::new(), &stop);
        // Nobody waits for it any more after a stop.
        let _ = sender.send(found);
    })?;
    Ok(receiver)
}
