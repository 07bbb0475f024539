//! The thread that writes an output, and what it does while a live one is lost.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded, never, select_biased};
use rustix::fs::statvfs;

use crate::av::MediaKind;
use crate::codec::configuration::StreamConfiguration;
use crate::codec::packet::Packet;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::live::retry::{Retry, RetryPolicy};
use crate::live::supervise::{Reopened, due, reopen};
use crate::options::{LiveOptions, OutputOptions};
use crate::output::{OutputMetadata, Sink, StreamSetup};
use crate::protocol::Target;
use crate::protocol::WRITE_LIMIT;
use crate::protocol::environment::Environment;
use crate::run::delivery::{Drops, SinkMessage};
use crate::run::joining::Joining;
use crate::run::planned::OutputPlan;
use crate::run::threads::start_thread;
use crate::stats::Stats;
use crate::stats::event::Event;
use crate::time::Timestamp;
use crate::time::stop::Stop;
use crate::url::local_path;

/// What the thread that writes an output gets.
pub(super) struct SinkEnd {
    pub(super) messages: Receiver<SinkMessage>,
    /// Each makes a video of the output that is encoded begin anew with a keyframe.
    pub(super) keyframe_requests: Vec<Arc<AtomicBool>>,
    pub(super) drops: Drops,
}

/// The thread that writes an output.
pub(super) struct Writing {
    end: SinkEnd,
    /// How to open it again. `None` where its first failure is its end.
    opener: Option<SinkOpener>,
    /// Of an output that was added while the pipeline ran.
    joining: Option<Joining>,
    /// The output was removed.
    leaves: Arc<AtomicBool>,
    /// Where the last picture that was written ends, and the number of its stream in the output.
    video_end: Option<(usize, Timestamp)>,
    environment: Environment,
    stop: Stop,
    state: SinkState,
    /// What the output adds to times, as it was told last.
    shift: Option<Timestamp>,
    announced: Announced,
    /// From a loss on, until it has begun again.
    loss_record: Option<LossRecord>,
    /// `None` while a thread opens it again.
    retry: Option<Retry>,
}

/// How an output is opened, first and each time again.
#[derive(Clone)]
pub(crate) struct SinkOpener {
    pub(crate) target: Target,
    pub(crate) options: OutputOptions,
    pub(crate) streams: Vec<StreamSetup>,
    pub(crate) metadata: Arc<OutputMetadata>,
    pub(crate) stats: Stats,
    pub(crate) limit: Option<Duration>,
    /// It is a file of a live input: begun again under a name of its own, for ever.
    pub(crate) is_recording: bool,
}

/// Bytes that must be free on a disk that was full before a recording is begun again on it.
const ROOM_BYTES: u64 = 16 << 20;

impl SinkOpener {
    /// With `reopens` it may be opened again while the pipeline runs.
    pub(crate) fn new(
        plan: &OutputPlan,
        stats: &Stats,
        live: &LiveOptions,
        reopens: bool,
    ) -> SinkOpener {
        let is_recording = reopens && plan.target.is_file();
        SinkOpener {
            target: plan.target.clone(),
            options: plan.options.clone().keep_old(plan.options.keep_old && is_recording),
            streams: plan.setups(),
            metadata: Arc::clone(&plan.metadata),
            stats: stats.clone(),
            limit: live.reconnect_for.filter(|_| !is_recording),
            is_recording,
        }
    }

    pub(crate) fn open(&self, environment: &Environment, stop: &Stop) -> Result<Sink> {
        let target = match self.is_recording {
            true => self.target.for_recording(self.options.keep_old),
            false => self.target.clone(),
        };
        self.open_target(target, environment, stop)
    }

    /// Opens it once more, after it was lost for this cause.
    fn open_again(&self, cause: &Error, environment: &Environment, stop: &Stop) -> Result<Sink> {
        if !self.is_recording {
            return self.open(environment, stop);
        }
        let target = self.target.for_recording(true);
        if cause.kind() == ErrorKind::StorageFull {
            check_room(&target)?;
        }
        self.open_target(target, environment, stop)
    }

    fn open_target(&self, target: Target, environment: &Environment, stop: &Stop) -> Result<Sink> {
        let stats = self.stats.clone();
        Sink::open(target, &self.options, &self.streams, &self.metadata, stats, environment, stop)
    }

    fn has_video(&self) -> bool {
        self.streams.iter().any(|stream| stream.kind == MediaKind::Video)
    }
}

/// Refuses a disk that is still full: to try would leave a file there each time.
fn check_room(target: &Target) -> Result<()> {
    let Some(path) = local_path(&target.url) else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Ok(disk) = statvfs(folder.unwrap_or(Path::new("."))) else { return Ok(()) };
    if disk.f_bavail.saturating_mul(disk.f_frsize) >= ROOM_BYTES {
        return Ok(());
    }
    let cause = format!("less than {} MiB are free on its disk", ROOM_BYTES >> 20);
    Err(Error::new(ErrorKind::StorageFull, Stage::Sink, cause).at(&target.url))
}

/// What was announced of the streams, for an output that is opened again.
#[derive(Default)]
struct Announced {
    /// What is in force, by the streams' numbers.
    configurations: Vec<Option<Arc<StreamConfiguration>>>,
    ended: Vec<usize>,
    cut: Option<Timestamp>,
}

impl Announced {
    fn note(&mut self, message: &SinkMessage) {
        match message {
            SinkMessage::Configuration(stream, configuration) => {
                if self.configurations.len() <= *stream {
                    self.configurations.resize(stream + 1, None);
                }
                if let Some(in_force) = self.configurations.get_mut(*stream) {
                    *in_force = Some(Arc::clone(configuration));
                }
            }
            SinkMessage::Packet(..) | SinkMessage::Kept(_) => {}
            SinkMessage::Cut(end) => self.cut = Some(self.cut.map_or(*end, |cut| cut.min(*end))),
            SinkMessage::End(stream) | SinkMessage::Failed(stream) => {
                if !self.ended.contains(stream) {
                    self.ended.push(*stream);
                }
            }
        }
    }

    fn repeat_to(&self, sink: &mut Sink) -> Result<()> {
        if let Some(cut) = self.cut {
            sink.cut_at(cut);
        }
        for (stream, configuration) in self.configurations.iter().enumerate() {
            if let Some(configuration) = configuration {
                sink.configure(stream, Arc::clone(configuration))?;
            }
        }
        self.ended.iter().try_for_each(|stream| sink.end(*stream))
    }
}

/// An output that is being opened again.
struct Loss {
    cause: Error,
    reopening: Receiver<Result<Reopened<Box<Sink>>>>,
}

/// What the thread is woken by.
enum WriterWake {
    Message(SinkMessage),
    /// Opening it again has come to an end.
    Found(Result<Reopened<Box<Sink>>>),
}

enum SinkState {
    Open(Box<Sink>),
    Lost(Box<Loss>),
    /// A stop came while it was lost: there is nothing to be finished.
    Left,
}

/// What is remembered from a loss to the first packet behind it.
struct LossRecord {
    since: Instant,
    /// Packets that it missed.
    missed: u64,
}

impl Writing {
    pub(super) fn new(
        mut sink: Sink,
        end: SinkEnd,
        opener: Option<SinkOpener>,
        joining: Option<Joining>,
        leaves: Arc<AtomicBool>,
        environment: Environment,
        stop: Stop,
    ) -> Writing {
        sink.number(end.drops.output);
        let limit = opener.as_ref().and_then(|opener| opener.limit);
        let mut retry = Retry::new(RetryPolicy::connection(limit));
        retry.opened(environment.clock.now(), Duration::ZERO);
        Writing {
            end,
            opener,
            joining,
            leaves,
            video_end: None,
            environment,
            stop,
            state: SinkState::Open(Box::new(sink)),
            shift: None,
            announced: Announced::default(),
            loss_record: None,
            retry: Some(retry),
        }
    }

    /// Writes to the output's end; `false` where nothing was written, because nothing came.
    pub(super) fn run(mut self) -> Result<bool> {
        loop {
            let found = match &self.state {
                SinkState::Lost(loss) => &loss.reopening,
                _ => &never(),
            };
            let next = select_biased! {
                recv(found) -> found => WriterWake::Found(found.map_err(|_| gone())?),
                recv(self.end.messages) -> message => match message {
                    Ok(message) => WriterWake::Message(message),
                    Err(_) => break,
                },
            };
            match (next, &mut self.joining) {
                (WriterWake::Message(message), None) => self.take(WriterWake::Message(message))?,
                (WriterWake::Message(message), Some(joining)) => {
                    let had_begun = joining.begin().is_some();
                    let messages = joining.take(message);
                    let begin = joining.begin().filter(|_| !had_begun);
                    if begin.is_some() {
                        let Drops { output, stats, .. } = &self.end.drops;
                        stats.output_exists(*output, begin);
                    }
                    for message in messages {
                        self.take(WriterWake::Message(message))?;
                    }
                }
                (found, _) => self.take(found)?,
            }
            match &self.state {
                SinkState::Open(sink) if sink.is_complete() => break,
                SinkState::Left => break,
                _ => {}
            }
        }
        self.finish()
    }

    fn take(&mut self, next: WriterWake) -> Result<()> {
        if let (WriterWake::Message(message), Some(_)) = (&next, &self.opener) {
            self.announced.note(message);
        }
        let state = std::mem::replace(&mut self.state, SinkState::Left);
        self.state = match (state, next) {
            (SinkState::Open(sink), WriterWake::Message(message)) => self.write(sink, message)?,
            (SinkState::Lost(loss), WriterWake::Found(found)) => self.go_on(&loss, found)?,
            (SinkState::Lost(loss), WriterWake::Message(message)) => {
                self.count_missed(matches!(message, SinkMessage::Packet(..)).into());
                SinkState::Lost(loss)
            }
            (state, _) => state,
        };
        Ok(())
    }

    /// Ends the sound with the picture, if the output is removed.
    fn cut_sound(&mut self, sink: &mut Sink, message: &SinkMessage) {
        match message {
            SinkMessage::Packet(stream, packet) if packet.kind == MediaKind::Video => {
                let end = packet.pts().map(|pts| pts.plus(packet.duration()));
                let (video, last) = self.video_end.unzip();
                if video.is_none_or(|video| video == *stream) {
                    self.video_end = last.max(end).map(|end| (*stream, end));
                }
            }
            SinkMessage::End(stream) if self.leaves.load(Ordering::Relaxed) => {
                if let Some((_, end)) = self.video_end.filter(|(video, _)| video == stream) {
                    sink.cut_at(end);
                }
            }
            _ => {}
        }
    }

    fn write(&mut self, mut sink: Box<Sink>, message: SinkMessage) -> Result<SinkState> {
        if let (Some(_), SinkMessage::Packet(_, packet)) = (&self.loss_record, &message) {
            if self.begins_with(packet) {
                self.handle_return();
            } else {
                self.count_missed(1);
                return Ok(SinkState::Open(sink));
            }
        }
        self.cut_sound(&mut sink, &message);
        let written = match message {
            SinkMessage::Configuration(stream, to) => sink.configure(stream, to),
            SinkMessage::Packet(stream, packet) => sink.write(stream, packet),
            SinkMessage::Cut(end) => {
                sink.cut_at(end);
                Ok(())
            }
            SinkMessage::End(stream) => sink.end(stream),
            SinkMessage::Failed(stream) => {
                sink.give_up_without(stream);
                sink.end(stream)
            }
            // An output that was added takes it apart where it begins; no other gets it.
            SinkMessage::Kept(_) => Ok(()),
        };
        if sink.shift() != self.shift {
            self.shift = sink.shift();
            let Drops { output, stats, .. } = &self.end.drops;
            stats.output_shifts(*output, self.shift);
        }
        match written {
            Ok(()) => Ok(SinkState::Open(sink)),
            Err(cause) => self.lose(&sink, cause),
        }
    }

    /// Whether an output that was opened again can begin with a packet: with video, at a keyframe.
    fn begins_with(&self, packet: &Packet) -> bool {
        let has_video = self.opener.as_ref().is_some_and(SinkOpener::has_video);
        !has_video || packet.kind == MediaKind::Video && packet.av.is_key()
    }

    fn lose(&mut self, sink: &Sink, cause: Error) -> Result<SinkState> {
        if self.opener.is_none() {
            return Err(cause);
        }
        if self.stop.is_stopped() {
            return Ok(left(&cause));
        }
        if self.loss_record.is_none() {
            let Drops { output, stats, events, .. } = &self.end.drops;
            let is_file = self.opener.as_ref().is_some_and(|opener| opener.is_recording);
            stats.output_lost(*output, is_file, &cause);
            events.tell(&Event::OutputLost { output: *output, cause: cause.clone() });
            self.loss_record = Some(LossRecord { since: self.environment.clock.now(), missed: 0 });
        }
        // What it held back is lost with it.
        self.count_missed(sink.unwritten_packets());
        self.reopen(cause)
    }

    /// Starts the thread that opens it again.
    ///
    /// # Errors
    /// Where it is given up.
    fn reopen(&mut self, cause: Error) -> Result<SinkState> {
        let (Some(opener), Some(mut retry)) = (self.opener.clone(), self.retry.take()) else {
            return Err(cause);
        };
        let clock = &self.environment.clock;
        let silence = match cause.kind() {
            ErrorKind::TimedOut => WRITE_LIMIT,
            _ => Duration::ZERO,
        };
        let verdict = retry.lost_by_silence(silence, clock.now(), clock.random());
        let first = due(verdict, &retry, &cause)?;
        let (sender, reopening) = bounded(1);
        let (environment, stop) = (self.environment.clone(), self.stop.clone());
        let lost_for = cause.clone();
        start_thread("frameloom-reopen", move || {
            let open = || opener.open_again(&cause, &environment, &stop).map(Box::new);
            let found = reopen(open, retry, first, &*environment.clock, &stop);
            // Nobody waits for it any more after a stop.
            let _ = sender.send(found);
        })?;
        Ok(SinkState::Lost(Box::new(Loss { cause: lost_for, reopening })))
    }

    /// Goes on with what came of opening it again.
    fn go_on(&mut self, loss: &Loss, found: Result<Reopened<Box<Sink>>>) -> Result<SinkState> {
        let Reopened { end: mut sink, retry, .. } = match found {
            Err(_) if self.stop.is_stopped() => return Ok(left(&loss.cause)),
            found => found?,
        };
        sink.number(self.end.drops.output);
        self.retry = Some(retry);
        match self.announced.repeat_to(&mut sink) {
            Ok(()) => {
                for wish in &self.end.keyframe_requests {
                    wish.store(true, Ordering::Relaxed);
                }
                Ok(SinkState::Open(sink))
            }
            Err(error) => {
                tracing::debug!("open, and lost again: {error}");
                self.reopen(error)
            }
        }
    }

    /// The first packet behind a loss is about to be written.
    fn handle_return(&mut self) {
        let Some(LossRecord { since, missed }) = self.loss_record.take() else { return };
        let Drops { output, stats, events, .. } = &self.end.drops;
        stats.output_back(*output);
        events.tell(&Event::OutputBack {
            output: *output,
            lost_for: self.elapsed(since),
            packets: missed,
        });
    }

    fn elapsed(&self, since: Instant) -> Duration {
        self.environment.clock.now().saturating_duration_since(since)
    }

    fn count_missed(&mut self, packets: u64) {
        let Drops { output, stats, .. } = &self.end.drops;
        (0..packets).for_each(|_| stats.packet_dropped(*output));
        if let Some(loss_record) = &mut self.loss_record {
            loss_record.missed += packets;
        }
    }

    fn finish(self) -> Result<bool> {
        self.end.drops.emit_pending();
        let sink = match self.state {
            SinkState::Open(sink) => sink,
            SinkState::Lost(loss) if self.stop.is_stopped() => {
                left(&loss.cause);
                return Ok(true);
            }
            SinkState::Lost(loss) => return Err(loss.cause),
            SinkState::Left => return Ok(true),
        };
        match sink.finish() {
            Err(cause) if self.opener.is_some() && self.stop.is_stopped() => {
                left(&cause);
                Ok(true)
            }
            finished => finished,
        }
    }
}

fn gone() -> Error {
    Error::process("the thread that opens an output is gone")
}

fn left(cause: &Error) -> SinkState {
    tracing::warn!("stopped while an output was lost: {cause}");
    SinkState::Left
}
