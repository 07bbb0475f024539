//! The thread that reads the input.

mod follow;
mod live;
mod loss;
mod preroll;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender, TrySendError, select, unbounded};

use self::live::LossOutcome;
pub(super) use self::live::{LiveReading, LiveRules};
pub(super) use self::preroll::Preroll;
use crate::av::MediaKind;
use crate::codec::configuration::StreamMessage;
use crate::codec::packet::Packet;
use crate::error::{Error, ErrorKind, Result};
use crate::input::{Pace, Source, SourceItem};
use crate::options::OnLoss;
use crate::protocol::environment::Environment;
use crate::run::change::{NewCopies, NewCopy, ReaderChange, tell};
use crate::run::delivery::SinkMessage;
use crate::run::lane::CopyLane;
use crate::run::late::LateStream;
use crate::run::positions::ReadPosition;
use crate::run::sound::SoundSender;
use crate::run::stages::{AudioMessage, DecodeMessage, FramesChange};
use crate::run::streams::KnownStreams;
use crate::run::untouched::PacketsEnd;
use crate::stats::Stats;
use crate::stats::event::Event;
use crate::time::Timestamp;
use crate::time::stop::Stop;

/// How far sound may stay behind the picture before silence takes its place, and up to where.
const SOUND_MISSED: Timestamp = Timestamp::from_micros(1_500_000);
const SOUND_FILLED: Timestamp = Timestamp::from_micros(500_000);

/// How often it looks behind the end of the input whether a stop was asked for.
const END_TICK: Duration = Duration::from_millis(100);

/// The thread that reads the input.
pub(super) struct Reading {
    pub(super) source: Source,
    pub(super) lanes: Vec<CopyLane>,
    /// Kinds of streams that have been there on any connection: video, and sound.
    pub(super) expected: [bool; 2],
    /// Places for a stream that the source hasn't got yet.
    pub(super) late_streams: Vec<LateStream>,
    pub(super) decoders: Vec<DecoderEnd>,
    pub(super) audio: Vec<AudioEnd>,
    /// Threads that copy video which nobody touches.
    pub(super) untouched: Vec<PacketsEnd>,
    /// Outputs that come and go.
    pub(super) changes: Receiver<ReaderChange>,
    /// The newest packets, where outputs may begin with them.
    pub(super) preroll: Option<Preroll>,
    /// What the input has, for outputs to come.
    pub(super) streams: Arc<Mutex<KnownStreams>>,
    /// Where what was read so far ends.
    pub(super) position: Option<Timestamp>,
    /// For a caller who pulls.
    pub(super) sound: Option<SoundSender>,
    /// Disconnected once the caller who pulls has gone.
    pub(super) caller: Option<Receiver<()>>,
    pub(super) stats: Stats,
    pub(super) environment: Environment,
    pub(super) stop: Stop,
    pub(super) live: Option<LiveReading>,
    /// What the source's own times were moved by last.
    pub(super) moved_by: Option<Timestamp>,
    /// Where it is beside other stored inputs.
    pub(super) beside: Option<ReadPosition>,
}

/// The way to a decoder of video.
pub(super) struct DecoderEnd {
    /// The stream's number.
    pub(super) stream: usize,
    pub(super) packets: Sender<DecodeMessage>,
    /// It begins with the next keyframe.
    pub(super) awaits_key: bool,
}

/// The way to a thread that transcodes sound.
pub(super) struct AudioEnd {
    /// The stream's number.
    pub(super) stream: usize,
    pub(super) packets: Sender<AudioMessage>,
}

/// How reading ended.
enum ReadEnd {
    Over,
    Lost(Error),
}

impl Reading {
    pub(super) fn run(mut self) -> Result<()> {
        self.lanes.iter_mut().for_each(CopyLane::announce);
        if self.live.as_ref().is_some_and(|live| live.on_loss != OnLoss::End) {
            self.lanes.iter_mut().for_each(CopyLane::prepare_to_fill);
        }
        if self.live.is_some() {
            self.source.accept_new_streams();
        }
        let result = self.read_on();
        let finished = self.lanes.iter_mut().map(CopyLane::finish);
        let result = finished.fold(result, Result::and);
        if let Some(live) = &self.live
            && let Some((count, span)) = live.jumps.rest(live.clock.now())
        {
            live.events.tell(&Event::ClockJumped { input: live.input, count, span });
        }
        result.and_then(|()| self.serve_outputs())
    }

    /// Behind the end of the input, frames may still be on their way to a caller who pulls and adds outputs.
    /// Such an output has what is kept; one that is encoded has those frames, without sound.
    fn serve_outputs(&mut self) -> Result<()> {
        let Some(caller) = self.caller.take() else { return Ok(()) };
        let changes = self.changes.clone();
        (self.position, self.beside) = (None, None);
        // Nothing more is read: who pulls the sound gets what its decoder still holds.
        self.sound = None;
        loop {
            let finished = self.lanes.iter_mut().map(CopyLane::finish);
            finished.fold(Ok(()), Result::and)?;
            self.lanes.clear();
            self.late_streams.clear();
            self.decoders.clear();
            self.audio.clear();
            self.untouched.clear();
            let change = select! {
                recv(changes) -> change => change.ok(),
                recv(caller) -> _ => None,
                default(END_TICK) => {
                    if self.stop.is_stopped() {
                        return Ok(());
                    }
                    continue;
                }
            };
            let Some(change) = change else { return Ok(()) };
            self.take_change(change)?;
        }
    }

    fn read_on(&mut self) -> Result<()> {
        loop {
            let cause = match self.read_all()? {
                ReadEnd::Over if self.stop.is_stopped() || !self.has_takers() => return Ok(()),
                ReadEnd::Over if self.follow()? => continue,
                ReadEnd::Over => return Ok(()),
                ReadEnd::Lost(cause) => cause,
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
                LossOutcome::Back => {}
                LossOutcome::Over => return Ok(()),
            }
        }
    }

    fn read_all(&mut self) -> Result<ReadEnd> {
        let mut pace = self.source.options.realtime.then(Pace::default);
        loop {
            self.take_changes()?;
            if self.stop.is_stopped() || !self.has_takers() {
                return Ok(ReadEnd::Over);
            }
            let mut packet = match self.source.next()? {
                SourceItem::Packet(packet) => packet,
                SourceItem::Configuration(number, configuration) => {
                    if let Some(kind) = self.source.take_new_kind() {
                        self.begin_late_stream(kind)?;
                        continue;
                    }
                    let mut lanes = self.lanes.iter_mut().filter(|lane| lane.from == number);
                    let (options, stats) = (&self.source.options, &self.stats);
                    lanes.try_for_each(|lane| lane.configure(&configuration, options, stats))?;
                    self.known_streams().configure(number, &configuration)?;
                    let told = || StreamMessage::Configuration(Arc::clone(&configuration));
                    self.untouched
                        .retain(|end| end.stream != number || end.packets.send(told()).is_ok());
                    // An output begins with one configuration.
                    self.preroll.iter_mut().for_each(Preroll::clear);
                    continue;
                }
                SourceItem::Over => return Ok(ReadEnd::Over),
                SourceItem::Lost(_) if self.stop.is_stopped() => return Ok(ReadEnd::Over),
                SourceItem::Lost(cause) => return Ok(ReadEnd::Lost(cause)),
            };
            self.stats.packet_in(packet.av.size());
            let before = packet.dts().or(packet.pts());
            if let Some(live) = &mut self.live {
                let is_main = self.source.streams.main(packet.kind) == Some(packet.stream);
                live.place(&mut packet, is_main);
                if live.is_over(packet.dts().or(packet.pts())) {
                    return Ok(ReadEnd::Over);
                }
                if is_main {
                    live.watch_pictures(&packet);
                }
            }
            self.note_move(before, &packet);
            if let (Some(pace), Some(at)) = (&mut pace, packet.dts().or(packet.pts())) {
                let clock = &self.environment.clock;
                clock.wait(pace.wait(clock.now(), at), &self.stop);
            }
            if let (Some(beside), Some(at)) = (&self.beside, packet.dts().or(packet.pts())) {
                beside.reach(at, &self.stop);
            }
            self.pass_on(packet)?;
            self.fill_in()?;
        }
    }

    /// Does what came of outputs that come and go.
    fn take_changes(&mut self) -> Result<()> {
        while let Ok(change) = self.changes.try_recv() {
            self.take_change(change)?;
        }
        Ok(())
    }

    fn take_change(&mut self, change: ReaderChange) -> Result<()> {
        match change {
            ReaderChange::Copy(copies) => self.add_lanes(copies)?,
            ReaderChange::Late(late) => {
                self.late_streams.push(late);
            }
            ReaderChange::Audio(stream, packets) => {
                self.audio.push(AudioEnd { stream, packets });
            }
            ReaderChange::Decode(stream, packets) => {
                self.decoders.push(DecoderEnd { stream, packets, awaits_key: true });
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
                self.each_audio(None, || Ok(AudioMessage::Leave(output)))?;
            }
        }
        Ok(())
    }

    /// Copies streams to one more output, from the next keyframe on or from one that was kept.
    fn add_lanes(&mut self, NewCopies { copies, preroll }: NewCopies) -> Result<()> {
        let there = self.lanes.len();
        copies.into_iter().try_for_each(|copy| self.add_lane(copy))?;
        let (Some(kept), Some(span)) = (&self.preroll, preroll) else { return Ok(()) };
        let Some(lanes) = self.lanes.get_mut(there..) else { return Ok(()) };
        // As much as is kept, and no more.
        let (sender, collected) = unbounded();
        let mut ends: Vec<_> = lanes.iter_mut().map(|lane| lane.send_to(sender.clone())).collect();
        for packet in kept.since(span) {
            for lane in lanes.iter_mut().filter(|l| l.open && l.from == packet.stream) {
                lane.send(packet)?;
            }
        }
        let messages = SinkMessage::Kept(collected.try_iter().collect());
        // All are the way to the one output.
        let is_there = ends.first().is_some_and(|end| end.send(messages).is_ok());
        for (lane, end) in lanes.iter_mut().zip(ends.drain(..)) {
            lane.send_to(end);
            lane.open &= is_there;
        }
        Ok(())
    }

    fn known_streams(&self) -> MutexGuard<'_, KnownStreams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies a stream to one more output, from its next keyframe on.
    fn add_lane(&mut self, copy: NewCopy) -> Result<()> {
        let NewCopy { stream: number, kind, to, window, frames, target, subtitles } = copy;
        let known = self.known_streams();
        let Some(stream) = known.streams.get(number) else {
            // It was there when the output was planned.
            to.send(SinkMessage::End);
            return Ok(());
        };
        let lane = CopyLane::new((number, stream), to, window, frames)?;
        let mut lane = lane.into_container(&target).becoming(kind);
        drop(known);
        if let Some(transcoder) = subtitles {
            lane = lane.encoding_subtitles(transcoder)?;
        }
        if lane.kind == MediaKind::Video {
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
        let streams = &self.source.streams;
        let main = streams.video().and(streams.main(MediaKind::Video));
        if main.or(streams.main(MediaKind::Audio)) != Some(packet.stream) {
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
        let is_main = self.source.streams.main(packet.kind) == Some(packet.stream);
        let is_decoded = self.decoders.iter().any(|decoder| decoder.stream == packet.stream);
        if packet.kind == MediaKind::Video && is_main && !is_decoded {
            self.stats.frame_in();
        }
        if let Some(preroll) = &mut self.preroll {
            let begins = match self.source.video() {
                Some(_) => packet.kind == MediaKind::Video,
                None => packet.kind == MediaKind::Audio,
            };
            preroll.keep(&packet, is_main && begins)?;
        }
        for lane in self.lanes.iter_mut().filter(|l| l.open && l.from == packet.stream) {
            lane.send(&packet)?;
        }
        match packet.kind {
            MediaKind::Video | MediaKind::Cover => {
                // A frame comes behind its packet.
                for end in self.untouched.iter().filter(|end| end.stream == packet.stream) {
                    // One that is gone has ended by itself.
                    let _ = end.packets.send(StreamMessage::Packet(packet.share()?));
                }
                self.decode(packet)?;
            }
            MediaKind::Audio => {
                if let Some(sound) = self.sound.as_ref().filter(|_| is_main) {
                    sound.send(AudioMessage::Packet(packet.share()?));
                }
                let stream = Some(packet.stream);
                self.each_audio(stream, || Ok(AudioMessage::Packet(packet.share()?)))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives a packet of video to its decoder.
    fn decode(&mut self, packet: Packet) -> Result<()> {
        let place = self.decoders.iter().position(|decoder| decoder.stream == packet.stream);
        let Some((place, decoder)) = place.and_then(|p| Some((p, self.decoders.get_mut(p)?)))
        else {
            return Ok(());
        };
        if decoder.awaits_key && !packet.av.is_key() {
            return Ok(());
        }
        decoder.awaits_key = false;
        // Nothing follows a cover that its decoder could wait for.
        let is_last = packet.kind == MediaKind::Cover;
        let decoder = decoder.packets.clone();
        let is_sent = self.send_and_change(&decoder, DecodeMessage::Packet(packet))?;
        if !is_sent || is_last {
            self.decoders.remove(place);
        }
        Ok(())
    }

    /// Sends every decoder of video what is for it; one that is gone is forgotten.
    fn each_decoder(&mut self, mut message: impl FnMut() -> Option<DecodeMessage>) -> Result<()> {
        let mut alive = Vec::with_capacity(self.decoders.len());
        for end in std::mem::take(&mut self.decoders) {
            let is_there = match message() {
                Some(message) => self.send_and_change(&end.packets, message)?,
                None => true,
            };
            alive.extend(is_there.then_some(end));
        }
        // Those that came meanwhile.
        alive.append(&mut self.decoders);
        self.decoders = alive;
        Ok(())
    }

    /// Sends to a decoder, and does meanwhile what comes of outputs that come and go: whoever makes the
    /// decoder wait may wait for an output's end. `false` where the decoder is gone.
    fn send_and_change(
        &mut self,
        decoder: &Sender<DecodeMessage>,
        message: DecodeMessage,
    ) -> Result<bool> {
        let message = match decoder.try_send(message) {
            Ok(()) => return Ok(true),
            Err(TrySendError::Disconnected(_)) => return Ok(false),
            Err(TrySendError::Full(message)) => message,
        };
        let changes = self.changes.clone();
        loop {
            let mut select = Select::new();
            let to_decoder = select.send(decoder);
            select.recv(&changes);
            let ready = select.select();
            if ready.index() == to_decoder {
                return Ok(ready.send(decoder, message).is_ok());
            }
            match ready.recv(&changes) {
                Ok(change) => self.take_change(change)?,
                // None can come any more.
                Err(_) => return Ok(decoder.send(message).is_ok()),
            }
        }
    }

    /// Sends to the threads that transcode sound; to those of one stream, where its number is given.
    fn each_audio(
        &mut self,
        stream: Option<usize>,
        mut message: impl FnMut() -> Result<AudioMessage>,
    ) -> Result<()> {
        if let (None, Some(sound)) = (stream, &self.sound) {
            sound.send(message()?);
        }
        let mut alive = Vec::with_capacity(self.audio.len());
        for end in self.audio.drain(..) {
            let is_meant = stream.is_none_or(|stream| stream == end.stream);
            if !is_meant || end.packets.send(message()?).is_ok() {
                alive.push(end);
            }
        }
        self.audio = alive;
        Ok(())
    }

    fn has_takers(&self) -> bool {
        !self.decoders.is_empty()
            || !self.audio.is_empty()
            || self.lanes.iter().any(|l| l.open)
            || self.sound.as_ref().is_some_and(SoundSender::is_taken)
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
            self.each_audio(None, || Ok(AudioMessage::Silence(until)))?;
        }
        Ok(())
    }
}
