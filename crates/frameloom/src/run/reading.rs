//! The thread that reads the input, and what it does while a live one is lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::av::{MediaKind, StreamInfo};
use crate::codec::decode::{VideoDecoder, open_decoder};
use crate::codec::packet::Packet;
use crate::codec::window::Window;
use crate::error::{Error, ErrorKind, Result, counted};
use crate::input::timeline::Timeline;
use crate::input::{Next, Pace, Source};
use crate::live::retry::{Retry, RetryPolicy};
use crate::live::supervise::{Line, LineState, Reopened, due, micros, reopen};
use crate::options::OnLoss;
use crate::protocol::ends::Outside;
use crate::run::change::{ReaderChange, tell};
use crate::run::delivery::{SinkMessage, SinkStream};
use crate::run::lane::CopyLane;
use crate::run::late::LateStream;
use crate::run::sound::Sound;
use crate::run::stages::{AudioMessage, DecodeMessage, FramesChange};
use crate::run::streams::Streams;
use crate::run::threads::start_thread;
use crate::stats::Stats;
use crate::stats::event::{Event, Events, Sum};
use crate::time::Timestamp;
use crate::time::clock::{Clock, receive_within};
use crate::time::stop::Stop;

/// How often silence is sent while the input is lost.
const TICK: Duration = Duration::from_millis(20);

/// How far sound may stay behind the picture before silence takes its place, and up to where.
const SOUND_MISSED: Timestamp = Timestamp::from_micros(1_500_000);
const SOUND_FILLED: Timestamp = Timestamp::from_micros(500_000);

/// The thread that reads the input.
pub(super) struct Reading {
    pub(super) source: Source,
    pub(super) lanes: Vec<CopyLane>,
    /// Places for a stream that the source hasn't got yet.
    pub(super) late_streams: Vec<LateStream>,
    pub(super) decode: Option<Sender<DecodeMessage>>,
    pub(super) audio: Vec<Sender<AudioMessage>>,
    /// Outputs that come and go.
    pub(super) changes: Receiver<ReaderChange>,
    /// What the input has, for outputs to come.
    pub(super) streams: Arc<Mutex<Streams>>,
    /// Where what was read so far ends.
    pub(super) position: Option<Timestamp>,
    /// The decoder begins with the next keyframe.
    pub(super) awaits_key: bool,
    /// For a caller who pulls.
    pub(super) sound: Option<Sound>,
    pub(super) stats: Stats,
    pub(super) outside: Outside,
    pub(super) stop: Stop,
    pub(super) live: Option<Live>,
    /// What the source's own times were moved by last.
    pub(super) moved_by: Option<Timestamp>,
}

/// What a live input needs beside.
pub(super) struct Live {
    line: Line,
    timeline: Timeline,
    events: Events,
    on_loss: OnLoss,
    reconnect_for: Option<Duration>,
    stall_limit: Duration,
    /// Where reading is to stop.
    limit: Option<Timestamp>,
    jumps: Sum,
    clock: Arc<dyn Clock>,
    start: Instant,
    /// How far what was sent at once put the outputs' clock ahead.
    ahead: Timestamp,
    /// Where the wanted part of this connection to the source begins.
    floor: Timestamp,
    /// `None` while a thread opens it again.
    retry: Option<Retry>,
    had_audio: bool,
    has_audio: bool,
    /// Where the last packets of video and audio end.
    ends: [Option<Timestamp>; 2],
}

/// What a live input goes by.
pub(super) struct LiveRules {
    pub(super) line: Line,
    pub(super) events: Events,
    pub(super) on_loss: OnLoss,
    pub(super) reconnect_for: Option<Duration>,
    pub(super) stall_limit: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

impl Live {
    pub(super) fn new(source: &Source, rules: LiveRules) -> Live {
        let LiveRules { line, events, on_loss, reconnect_for, stall_limit, clock } = rules;
        let now = clock.now();
        let mut retry = Retry::new(RetryPolicy::connection(reconnect_for));
        retry.opened(now, Duration::ZERO);
        Live {
            line,
            timeline: Timeline::new(),
            events,
            on_loss,
            reconnect_for,
            stall_limit,
            limit: source.options.length(),
            jumps: Sum::new(),
            clock,
            start: now,
            ahead: Timestamp::ZERO,
            floor: Timestamp::ZERO,
            retry: Some(retry),
            had_audio: source.audio.is_some(),
            has_audio: source.audio.is_some(),
            ends: [None; 2],
        }
    }

    /// The clock's time since the start.
    fn now(&self) -> Duration {
        self.elapsed(self.start)
    }

    fn elapsed(&self, since: Instant) -> Duration {
        self.clock.now().saturating_duration_since(since)
    }

    /// Puts a packet on the outputs' clock.
    fn place(&mut self, packet: &mut Packet) {
        let stream = usize::from(packet.kind != MediaKind::Video);
        let now = self.now();
        let placed =
            self.timeline.place(stream, packet.pts(), packet.dts(), packet.duration(), now);
        let ticks = |at: Option<Timestamp>| at.map(|at| at.rescale(packet.time_base).ticks());
        let (pts, dts) = (ticks(placed.pts), ticks(placed.dts));
        packet.av.set_times(pts, dts, packet.av.duration());
        packet.floor = packet.floor.max(self.floor);
        if placed.jumped
            && let Some((count, span)) = self.jumps.add(1, self.clock.now())
        {
            self.events.tell(&Event::ClockJumped { count, span });
        }
        let at = placed.dts.or(placed.pts).map(|at| at.plus(packet.duration()));
        if let (Some(end), Some(at)) = (self.ends.get_mut(stream), at) {
            *end = Some(end.map_or(at, |end| end.max(at)));
        }
    }

    fn is_over(&self, at: Option<Timestamp>) -> bool {
        self.limit.zip(at).is_some_and(|(limit, at)| at >= limit)
    }
}

/// How reading ended.
enum Ended {
    Over,
    Lost(Error),
}

/// What came of a loss.
enum Outcome {
    Back,
    Over,
}

type Reopening = Receiver<Result<Reopened<Source>>>;

impl Reading {
    pub(super) fn run(mut self) -> Result<()> {
        self.lanes.iter_mut().for_each(CopyLane::announce);
        if self.live.as_ref().is_some_and(|live| live.on_loss != OnLoss::End) {
            self.lanes.iter_mut().for_each(CopyLane::prepare_to_fill);
        }
        self.source.reopen_on_new_stream(!self.late_streams.is_empty());
        let result = self.read_on();
        self.lanes.iter_mut().for_each(CopyLane::close);
        if let Some(live) = &self.live
            && let Some((count, span)) = live.jumps.rest(live.clock.now())
        {
            live.events.tell(&Event::ClockJumped { count, span });
        }
        result
    }

    fn read_on(&mut self) -> Result<()> {
        loop {
            let cause = match self.read_all()? {
                Ended::Over => return Ok(()),
                Ended::Lost(cause) => cause,
            };
            let Some(live) = &self.live else { return Err(cause) };
            if live.on_loss == OnLoss::End {
                let has_begun = live.ends.iter().any(Option::is_some);
                if cause.kind() != ErrorKind::Connection || !has_begun {
                    return Err(cause);
                }
                tracing::info!("{cause}");
                return Ok(());
            }
            match self.reopen_while_filling(cause)? {
                Outcome::Back => {}
                Outcome::Over => return Ok(()),
            }
        }
    }

    fn read_all(&mut self) -> Result<Ended> {
        let mut pace = self.source.options.realtime.then(Pace::default);
        loop {
            self.take_changes()?;
            if self.stop.is_stopped() || !self.has_takers() {
                return Ok(Ended::Over);
            }
            let mut packet = match self.source.next()? {
                Next::Packet(packet) => packet,
                Next::Configuration(configuration) => {
                    let kind = configuration.params.kind();
                    let lanes = self.lanes.iter_mut().filter(|lane| lane.kind == kind);
                    lanes.for_each(|lane| lane.configure(&configuration));
                    self.known_streams().configure(&configuration)?;
                    continue;
                }
                Next::Over => return Ok(Ended::Over),
                Next::Lost(_) if self.stop.is_stopped() => return Ok(Ended::Over),
                Next::Lost(cause) => return Ok(Ended::Lost(cause)),
            };
            self.stats.packet_in(packet.av.size());
            let before = packet.dts().or(packet.pts());
            if let Some(live) = &mut self.live {
                live.place(&mut packet);
                if live.is_over(packet.dts().or(packet.pts())) {
                    return Ok(Ended::Over);
                }
            }
            self.note_move(before, &packet);
            if let (Some(pace), Some(at)) = (&mut pace, packet.dts().or(packet.pts())) {
                let clock = &self.outside.clock;
                clock.wait(pace.wait(clock.now(), at), &self.stop);
            }
            self.pass_on(packet)?;
            self.fill_in()?;
        }
    }

    /// Does what came of outputs that come and go.
    fn take_changes(&mut self) -> Result<()> {
        while let Ok(change) = self.changes.try_recv() {
            match change {
                ReaderChange::Copy { kind, to, window, frames } => {
                    self.add_lane(kind, to, window, frames)?;
                }
                ReaderChange::Late(late) => {
                    self.late_streams.push(late);
                    self.source.reopen_on_new_stream(true);
                }
                ReaderChange::Audio(transcoder) => self.audio.push(transcoder),
                ReaderChange::Decode(decoder) => {
                    (self.decode, self.awaits_key) = (Some(decoder), true);
                }
                ReaderChange::Encode { frames, mut end } => {
                    end.from = self.position;
                    if let Err(error) = tell(&frames, FramesChange::Add(end)) {
                        tracing::warn!("an output was added too late: {error}");
                    }
                }
                ReaderChange::Leave(output) => {
                    for lane in self.lanes.iter_mut().filter(|lane| lane.output() == output) {
                        lane.close();
                    }
                    self.lanes.retain(|lane| lane.output() != output);
                    self.late_streams.retain(|late| late.to.output != output);
                    self.each_audio(|| Ok(AudioMessage::Leave(output)))?;
                }
            }
        }
        Ok(())
    }

    fn known_streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies a stream to one more output, from its next keyframe on.
    fn add_lane(
        &mut self,
        kind: MediaKind,
        to: SinkStream,
        window: Window,
        frames: Option<u64>,
    ) -> Result<()> {
        let streams = self.known_streams();
        let stream = match kind {
            MediaKind::Video => &streams.video,
            _ => &streams.audio,
        };
        let Some(stream) = stream else {
            // It was there when the output was planned.
            to.send(SinkMessage::End);
            return Ok(());
        };
        let mut lane = CopyLane::new(stream, to, window, frames)?;
        drop(streams);
        if kind == MediaKind::Video {
            lane = lane.at_next_key();
        }
        if self.live.as_ref().is_some_and(|live| live.on_loss != OnLoss::End) {
            lane.prepare_to_fill();
        }
        lane.announce();
        self.lanes.push(lane);
        Ok(())
    }

    /// Notes by how much the source's own times are moved, from this packet on; `before` is its time
    /// on the connection's clock. Sound is moved by itself where its clock drifts, so the picture's
    /// times count where there is one.
    fn note_move(&mut self, before: Option<Timestamp>, packet: &Packet) {
        if packet.kind != MediaKind::Video && self.source.video.is_some() {
            return;
        }
        let after = packet.dts().or(packet.pts());
        let Some((before, after)) = before.zip(after) else { return };
        let by = after.minus(before).plus(self.source.moved_by());
        if self.moved_by != Some(by) {
            self.moved_by = Some(by);
            self.stats.input_moved(after, by);
        }
    }

    fn pass_on(&mut self, packet: Packet) -> Result<()> {
        let end = packet.dts().or(packet.pts()).map(|at| at.plus(packet.duration()));
        self.position = self.position.max(end);
        if packet.kind == MediaKind::Video && self.decode.is_none() {
            self.stats.frame_in();
        }
        for lane in self.lanes.iter_mut().filter(|l| l.open && l.kind == packet.kind) {
            lane.send(&packet)?;
        }
        match packet.kind {
            MediaKind::Video if self.awaits_key && !packet.av.is_key() => {}
            MediaKind::Video => {
                self.awaits_key = false;
                self.decode_next(DecodeMessage::Packet(packet));
            }
            _ => {
                if let Some(sound) = &self.sound {
                    sound.keep(&packet)?;
                }
                self.each_audio(|| Ok(AudioMessage::Packet(packet.share()?)))?;
            }
        }
        Ok(())
    }

    fn decode_next(&mut self, message: DecodeMessage) {
        if let Some(decode) = self.decode.take() {
            self.decode = decode.send(message).is_ok().then_some(decode);
        }
    }

    fn each_audio(&mut self, mut message: impl FnMut() -> Result<AudioMessage>) -> Result<()> {
        let mut alive = Vec::with_capacity(self.audio.len());
        for sender in self.audio.drain(..) {
            if sender.send(message()?).is_ok() {
                alive.push(sender);
            }
        }
        self.audio = alive;
        Ok(())
    }

    fn has_takers(&self) -> bool {
        self.decode.is_some() || !self.audio.is_empty() || self.lanes.iter().any(|l| l.open)
    }

    /// Whether some output's video is copied: that can't begin but with a keyframe.
    fn copies_video(&self) -> bool {
        self.lanes.iter().any(|lane| lane.kind == MediaKind::Video)
    }

    /// Silence where the source has no sound, or none any more, though its picture goes on.
    fn fill_in(&mut self) -> Result<()> {
        let Some(live) = &mut self.live else { return Ok(()) };
        if live.on_loss == OnLoss::End || !live.had_audio {
            return Ok(());
        }
        let [Some(video), Some(audio)] = live.ends else { return Ok(()) };
        let (missed, short_of) = match live.has_audio {
            true => (SOUND_MISSED, SOUND_FILLED),
            // None will come, so the picture need not wait for any.
            false => (Timestamp::ZERO, Timestamp::ZERO),
        };
        if audio.plus(missed) >= video {
            return Ok(());
        }
        let until = video.minus(short_of);
        live.floor = live.floor.max(until);
        live.ends = [Some(video), Some(until)];
        self.fill(MediaKind::Audio, until)
    }

    /// Has streams of a kind go on without the source up to `until`.
    fn fill(&mut self, kind: MediaKind, until: Timestamp) -> Result<()> {
        let mut held = 0;
        for lane in self.lanes.iter_mut().filter(|l| l.open && l.kind == kind) {
            held = lane.fill(until)?.max(held);
        }
        (0..held).for_each(|_| self.stats.frame_held());
        if kind == MediaKind::Audio {
            self.each_audio(|| Ok(AudioMessage::Silence(until)))?;
        }
        Ok(())
    }

    /// Opens the input again, while the outputs go on without it.
    fn reopen_while_filling(&mut self, cause: Error) -> Result<Outcome> {
        let outcome = self.reopen_and_fill(cause);
        if !matches!(outcome, Ok(Outcome::Back))
            && let Some(live) = &self.live
        {
            live.line.end(live.clock.now());
        }
        outcome
    }

    fn reopen_and_fill(&mut self, cause: Error) -> Result<Outcome> {
        let clock = Arc::clone(&self.outside.clock);
        let lost = clock.now();
        let lost_for = || clock.now().saturating_duration_since(lost);
        let Some(live) = &mut self.live else { return Err(cause) };
        live.events.tell(&Event::InputLost { cause: cause.clone() });
        self.stats.input_lost();
        let from = live.timeline.at(live.now()).unwrap_or(Timestamp::ZERO).minus(live.ahead);
        live.line.set(LineState::Lost { since: lost, clock: from });
        let mut tries = 0;
        let mut cause = cause;
        self.decode_next(DecodeMessage::Lost);
        loop {
            let reopening = self.reopen(&cause)?;
            let found = loop {
                self.take_changes()?;
                if self.stop.is_stopped() || !self.has_takers() {
                    return Ok(Outcome::Over);
                }
                let at = from.plus(micros(lost_for()));
                if self.live.as_ref().is_some_and(|live| live.is_over(Some(at))) {
                    return Ok(Outcome::Over);
                }
                self.fill(MediaKind::Audio, at)?;
                self.fill(MediaKind::Video, at)?;
                match receive_within(&reopening, TICK, &*clock) {
                    Ok(found) => break found,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Error::process("the thread that opens the input is gone"));
                    }
                }
            };
            let Reopened { end, tries: more, retry } = match found {
                Err(_) if self.stop.is_stopped() => return Ok(Outcome::Over),
                found => found?,
            };
            tries += more;
            if let Some(live) = &mut self.live {
                live.retry = Some(retry);
            }
            match self.go_on_with(end, from.plus(micros(lost_for()))) {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!("the input is back and can't be used: {error}");
                    cause = error;
                }
            }
        }
        self.stats.input_back();
        if let Some(live) = &self.live {
            live.events.tell(&Event::InputBack { lost_for: lost_for(), tries });
        }
        Ok(Outcome::Back)
    }

    /// Starts the thread that opens the input again.
    ///
    /// # Errors
    /// Where it is given up.
    fn reopen(&mut self, cause: &Error) -> Result<Reopening> {
        let (sender, receiver) = bounded(1);
        let (url, mut options) = (self.source.url().to_owned(), self.source.options.clone());
        let (outside, stop) = (self.outside.clone(), self.stop.clone());
        let Some(live) = &mut self.live else { return Ok(receiver) };
        let (limit, stall_limit) = (live.reconnect_for, live.stall_limit);
        if let Some(limit) = limit {
            options.open_timeout = options.open_timeout.min(limit);
        }
        let Some(mut retry) = live.retry.take() else { return Ok(receiver) };
        let silence = match cause.kind() {
            ErrorKind::TimedOut => stall_limit,
            _ => Duration::ZERO,
        };
        let (now, random) = (live.clock.now(), live.clock.random());
        let first = due(retry.lost_by_silence(silence, now, random), &retry, cause)?;
        start_thread("frameloom-reopen", move || {
            let open = || Source::open_again(&url, &options, stall_limit, &outside, &stop);
            let found = reopen(open, retry, first, &*outside.clock, &stop);
            // Nobody waits for it any more after a stop.
            let _ = sender.send(found);
        })?;
        Ok(receiver)
    }

    /// Goes on with another connection to the source, whose present is at `now` on the outputs'
    /// clock.
    fn go_on_with(&mut self, source: Source, now: Timestamp) -> Result<()> {
        let is_decoded = self.decode.is_some();
        let decoder = match &source.video {
            Some(video) if is_decoded => {
                Some(VideoDecoder::open(video, &source.options, true, self.stats.clone())?)
            }
            _ => None,
        };
        let mut sounds = Vec::new();
        if let Some(audio) = &source.audio {
            for _ in &self.audio {
                sounds.push(open_decoder(audio, &source.options, true)?);
            }
        }
        let copies = self.copies_video();
        let (audio_base, changed) =
            (source.audio.as_ref().map(|a| a.time_base), changes(&self.source, &source));
        for lane in &mut self.lanes {
            let stream = match lane.kind {
                MediaKind::Video => source.video.as_ref(),
                _ => source.audio.as_ref(),
            };
            if let Err(error) = lane.go_on_with(stream, &source.options, &self.stats) {
                tracing::warn!("{error}");
            }
        }
        self.use_late_streams(&source)?;
        let has_video = source.video.is_some() || self.source.video.is_none();
        if let Some(live) = &mut self.live {
            let edge = source.edge().unwrap_or(Timestamp::ZERO);
            let begin = source.first_key().filter(|_| copies).unwrap_or(edge);
            live.ahead = edge.minus(begin);
            live.timeline.resume(begin, now, live.now());
            live.floor = now;
            live.has_audio = source.audio.is_some();
            live.had_audio |= live.has_audio;
            if has_video {
                live.line.set(LineState::Back(now));
            }
            if let Some(what) = changed {
                live.events.tell(&Event::InputChanged { what });
            }
        }
        if let Some(decoder) = decoder {
            self.decode_next(DecodeMessage::Source(Box::new(decoder)));
        }
        let mut sounds = sounds.into_iter();
        if let Some(base) = audio_base {
            let mut alive = Vec::with_capacity(self.audio.len());
            for sender in self.audio.drain(..) {
                let Some(decoder) = sounds.next() else { continue };
                if sender.send(AudioMessage::Source(Box::new(decoder), base)).is_ok() {
                    alive.push(sender);
                }
            }
            self.audio = alive;
        }
        // What the next connection is opened with is what the user said of the first.
        let first = std::mem::replace(&mut self.source, source);
        self.source.options = first.options;
        let streams = Streams::of(&self.source)?;
        *self.known_streams() = streams;
        self.source.reopen_on_new_stream(!self.late_streams.is_empty());
        Ok(())
    }
}

impl Reading {
    /// Gives a stream that has come late its place in the outputs.
    fn use_late_streams(&mut self, source: &Source) -> Result<()> {
        let mut left = Vec::new();
        for late in self.late_streams.drain(..) {
            let stream = match late.kind {
                MediaKind::Video => &source.video,
                _ => &source.audio,
            };
            match stream {
                None => left.push(late),
                Some(stream) => match late.lane(stream)? {
                    Some(lane) => self.lanes.push(lane),
                    None => {
                        tracing::warn!("a stream that came late can't be copied; it is left out");
                    }
                },
            }
        }
        self.late_streams = left;
        Ok(())
    }
}

/// In words, what is another kind of picture or sound than before.
fn changes(before: &Source, after: &Source) -> Option<String> {
    let video = |s: &StreamInfo| {
        let (name, p) = (s.params.codec().name(), &s.params);
        let rate = s.frame_rate.map_or_else(String::new, |r| format!(" {:.2} fps", r.as_f64()));
        format!("{name} {}x{}{rate}", p.width(), p.height())
    };
    let audio = |s: &StreamInfo| {
        let (name, p) = (s.params.codec().name(), &s.params);
        let channels = counted(p.channels().into(), "channel");
        format!("{name} {} Hz {channels}", p.sample_rate())
    };
    let told = |s: Option<String>, none: &str| s.unwrap_or_else(|| none.to_owned());
    let pairs = [
        (before.video.as_ref().map(video), after.video.as_ref().map(video), "no video"),
        (before.audio.as_ref().map(audio), after.audio.as_ref().map(audio), "no audio"),
    ];
    let changed = pairs.into_iter().filter(|(old, new, _)| old != new);
    let words: Vec<_> = changed
        .map(|(old, new, none)| format!("{}, now {}", told(old, none), told(new, none)))
        .collect();
    (!words.is_empty()).then(|| words.join("; "))
}
