//! One stream that is copied to one output, packet by packet.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::av::{AvError, CodecParams, MediaKind, StreamInfo};
use crate::codec::aac::Adts;
use crate::codec::audio::{AudioPlan, AudioTranscoder};
use crate::codec::configuration::{StreamConfiguration, StreamMessage};
use crate::codec::packet::Packet;
use crate::codec::silence::{Silence, encoder_of};
use crate::codec::subtitle::SubtitleTranscoder;
use crate::codec::window::{PictureLimit, Window, WindowPosition};
use crate::error::{Result, Stage};
use crate::options::InputOptions;
use crate::output::container::takes_new_sound;
use crate::protocol::Target;
use crate::run::delivery::{SinkMessage, SinkStream};
use crate::stats::Stats;
use crate::time::{TimeBase, Timestamp};

/// How often the last keyframe is sent again while the input is lost: nothing here could make a
/// small picture of it, and a keyframe is large.
const HOLD_EVERY: Timestamp = Timestamp::from_micros(500_000);

/// Encoded bytes of a GOP that wait until it is known whether the output begins in it.
const MOST_HELD_BYTES: usize = 64 << 20;

/// With what a copied stream begins.
enum LaneStart {
    /// It has begun.
    Done,
    /// With the next keyframe.
    NextKey,
    /// Where it is wanted, or with the last keyframe before that: a decoder can begin with a keyframe
    /// only. What was read from there on.
    Wanted(VecDeque<Packet>),
}

/// Copies the packets of one stream to one output.
pub(super) struct CopyLane {
    pub(super) kind: MediaKind,
    /// The stream's number in the input.
    pub(super) from: usize,
    to: SinkStream,
    window: Window,
    frames_left: Option<PictureLimit>,
    start: LaneStart,
    /// What comes before the part of the input that is wanted is dropped: sound wholly, video up to
    /// the last keyframe before it.
    drops_before_floor: bool,
    pub(super) open: bool,
    /// The stream as it was first.
    stream: StreamInfo,
    silence: Option<Silence>,
    /// Where what was sent ends.
    end: Option<Timestamp>,
    /// The last keyframe, to be sent again.
    key: Option<Packet>,
    /// What holds for the packets that come.
    configuration: Arc<StreamConfiguration>,
    /// Sound that is not any more what it was first is brought to that.
    transcoder: Option<Box<AudioTranscoder>>,
    /// What the transcoder makes is what the stream is at first.
    adopts: bool,
    /// Subtitles that are encoded on their way.
    subtitles: Option<Box<SubtitleTranscoder>>,
    /// Its packets say themselves what holds for them.
    has_headers: bool,
    /// Sound goes on as it is where something else holds for it.
    takes_new_sound: bool,
    /// The stream as it is now is nothing that this output could carry.
    mute: bool,
}

impl CopyLane {
    pub(super) fn new(
        (from, stream): (usize, &StreamInfo),
        to: SinkStream,
        window: Window,
        frames: Option<PictureLimit>,
    ) -> Result<CopyLane> {
        let configuration = StreamConfiguration::of(stream)?;
        let start = match window.start {
            Some(_) if stream.kind == MediaKind::Video => LaneStart::Wanted(VecDeque::new()),
            _ => LaneStart::Done,
        };
        Ok(CopyLane {
            kind: stream.kind,
            from,
            to,
            window,
            frames_left: frames,
            start,
            drops_before_floor: false,
            open: true,
            stream: stream.share().map_err(|e| e.in_stage(Stage::Source))?,
            silence: None,
            end: None,
            key: None,
            configuration,
            transcoder: None,
            adopts: false,
            subtitles: None,
            has_headers: has_headers(stream),
            takes_new_sound: true,
            mute: false,
        })
    }

    /// Drops what comes before the part of the input that is wanted.
    pub(super) fn dropping_before_floor(mut self, drops: bool) -> CopyLane {
        self.drops_before_floor = drops;
        if drops && self.kind == MediaKind::Video {
            self.start = LaneStart::Wanted(VecDeque::new());
        }
        self
    }

    /// What the stream is in the output: a picture may be the cover there.
    pub(super) fn becoming(mut self, kind: MediaKind) -> CopyLane {
        self.kind = kind;
        self
    }

    /// Encodes sound that the output can't carry as it is. It is announced with its first packet.
    pub(super) fn encoding_by(mut self, transcoder: AudioTranscoder) -> CopyLane {
        (self.transcoder, self.adopts) = (Some(Box::new(transcoder)), true);
        self.has_headers = false;
        self
    }

    /// Encodes subtitles that the output can't carry as they are.
    ///
    /// # Errors
    /// Where memory runs out.
    pub(super) fn encoding_subtitles(mut self, transcoder: SubtitleTranscoder) -> Result<CopyLane> {
        self.configuration = transcoder.configuration()?;
        self.subtitles = Some(Box::new(transcoder));
        Ok(self)
    }

    /// Says what the container makes of sound that changes.
    pub(super) fn into_container(mut self, target: &Target) -> CopyLane {
        self.takes_new_sound = takes_new_sound(target, &self.stream.params);
        self
    }

    /// Begins with the next keyframe, as the stream runs already.
    pub(super) fn at_next_key(mut self) -> CopyLane {
        self.start = LaneStart::NextKey;
        self
    }

    /// Sends to another end from here on. Gives the one before.
    pub(super) fn send_to(&mut self, sink: Sender<SinkMessage>) -> Sender<SinkMessage> {
        std::mem::replace(&mut self.to.sink, sink)
    }

    /// The number of the output that it copies to.
    pub(super) fn output(&self) -> usize {
        self.to.output
    }

    /// Prepares for a loss of the input.
    pub(super) fn prepare_to_fill(&mut self) {
        if self.kind == MediaKind::Audio {
            self.silence = Silence::of(&self.stream);
        }
    }

    pub(super) fn announce(&mut self) {
        self.open = self.to.send_configuration(Arc::clone(&self.configuration));
    }

    /// Goes on with packets for which something else holds. What is transcoded comes out as before,
    /// and so does sound from here on that the container can't have change.
    pub(super) fn configure(
        &mut self,
        configuration: &Arc<StreamConfiguration>,
        options: &InputOptions,
        stats: &Stats,
    ) -> Result<()> {
        if self.mute || self.transcoder.is_some() || self.subtitles.is_some() {
            return Ok(());
        }
        let (first, now) = (&self.stream.params, &configuration.params);
        let changes = self.kind == MediaKind::Audio && !is_same_sound(first, now);
        if changes && !self.takes_new_sound {
            let said = format!(
                "the sound changes from {} Hz, {} channels to {} Hz, {} channels",
                first.sample_rate(),
                first.channels(),
                now.sample_rate(),
                now.channels()
            );
            let failed = |e: AvError| e.in_stage(Stage::Source);
            let mut stream = self.stream.share().map_err(failed)?;
            stream.params = now.share().map_err(failed)?;
            match self.transcoder_from(&stream, options, stats) {
                Ok(transcoder) => {
                    tracing::warn!("{said}: it is encoded to what it was at first");
                    self.transcoder = Some(Box::new(transcoder));
                    return Ok(());
                }
                Err(error) => tracing::warn!("{said}, and goes on as it comes: {error}"),
            }
        }
        self.configuration = Arc::clone(configuration);
        if self.open {
            self.announce();
        }
        Ok(())
    }

    /// Takes a packet of the source.
    pub(super) fn send(&mut self, packet: &Packet) -> Result<()> {
        if self.mute {
            return Ok(());
        }
        if self.kind == MediaKind::Cover {
            return self.send_cover(packet);
        }
        if let Some(subtitles) = &mut self.subtitles {
            subtitles.send(packet);
            return self.send_subtitles();
        }
        let Some(transcoder) = &mut self.transcoder else { return self.copy(packet) };
        transcoder.send(packet)?;
        self.send_transcoded()
    }

    /// A cover belongs to any part of the whole, and is all that there is of its stream.
    fn send_cover(&mut self, packet: &Packet) -> Result<()> {
        let mut cover = Packet { kind: MediaKind::Cover, ..packet.share()? };
        cover.av.set_times(Some(0), Some(0), 0);
        self.to.send_packet(cover);
        self.close();
        Ok(())
    }

    fn send_subtitles(&mut self) -> Result<()> {
        while let Some(packet) = self.subtitles.as_mut().and_then(|s| s.receive()) {
            if self.open {
                self.copy(&packet)?;
            }
        }
        Ok(())
    }

    fn send_transcoded(&mut self) -> Result<()> {
        while let Some(message) = self.transcoder.as_mut().and_then(|t| t.receive()) {
            match message {
                StreamMessage::Configuration(configuration) => {
                    if std::mem::take(&mut self.adopts) {
                        let params = configuration.params.share();
                        self.stream.params = params.map_err(|e| e.in_stage(Stage::Encode))?;
                        self.prepare_to_fill();
                    }
                    self.configuration = configuration;
                    self.announce();
                }
                // An encoder begins with what only leads up to the sound.
                StreamMessage::Packet(packet) if self.leads_up(&packet) => {}
                StreamMessage::Packet(packet) => self.copy(&self.with_header(packet)?)?,
            }
        }
        Ok(())
    }

    /// Whether it lies before the end of what was sent already.
    fn leads_up(&self, packet: &Packet) -> bool {
        let half = packet.time_base.at(packet.av.duration() / 2);
        let middle = packet.pts().map(|pts| pts.plus(half));
        self.end.zip(middle).is_some_and(|(end, middle)| middle < end)
    }

    /// The packet as the source has its own.
    fn with_header(&self, mut packet: Packet) -> Result<Packet> {
        let params = &self.stream.params;
        let adts = Adts { sample_rate: params.sample_rate(), channels: params.channels() };
        let header = adts.header(packet.av.size()).filter(|_| self.has_headers);
        if let Some(header) = header {
            packet.av = packet.av.with_prefix(&header).map_err(|e| e.in_stage(Stage::Encode))?;
        }
        Ok(packet)
    }

    fn copy(&mut self, packet: &Packet) -> Result<()> {
        let is_key = self.kind == MediaKind::Video && packet.av.is_key();
        match &mut self.start {
            LaneStart::Done => {}
            // What stands inside a GOP is of no use to anyone.
            LaneStart::NextKey if !is_key => return Ok(()),
            LaneStart::NextKey => self.start = LaneStart::Done,
            LaneStart::Wanted(_) => return self.hold(packet, is_key),
        }
        self.pass(packet)
    }

    /// Keeps what a decoder needs until the first packet that is wanted is there.
    fn hold(&mut self, packet: &Packet, is_key: bool) -> Result<()> {
        let LaneStart::Wanted(held) = &mut self.start else { return Ok(()) };
        let floor = if self.drops_before_floor { packet.floor } else { Timestamp::ZERO };
        let begin = self.window.start.map_or(floor, |start| start.max(floor));
        let shown = packet.pts().or(packet.dts()).unwrap_or(begin);
        // A keyframe that no other wanted picture is shown before makes what is held needless.
        if is_key && shown < begin.plus(packet.duration().max(shown.base().at(1))) {
            held.clear();
        }
        if is_key || !held.is_empty() {
            held.push_back(packet.share()?);
        }
        if held.iter().map(|packet| packet.av.size()).sum::<usize>() > MOST_HELD_BYTES {
            held.clear();
            self.start = LaneStart::NextKey;
            return Ok(());
        }
        if shown.is_before(begin) {
            return Ok(());
        }
        let held = std::mem::take(held);
        // With no keyframe before it, it begins with the next one.
        self.start = if held.is_empty() { LaneStart::NextKey } else { LaneStart::Done };
        if let Some(first) = held.front().and_then(|packet| packet.pts().or(packet.dts()))
            && first.is_before(begin)
        {
            let early = begin.minus(first).as_secs_f64();
            tracing::warn!(
                "the copied video begins with a keyframe, {early:.2} s before the time that was asked \
                 for"
            );
        }
        for packet in held {
            self.pass(&packet)?;
        }
        Ok(())
    }

    fn pass(&mut self, packet: &Packet) -> Result<()> {
        let at = packet.dts().or(packet.pts()).unwrap_or(Timestamp::ZERO);
        let is_video = self.kind == MediaKind::Video;
        if self.drops_before_floor && !is_video && at.plus(packet.duration()) <= packet.floor {
            return Ok(());
        }
        match self.window.place(at) {
            WindowPosition::Before if !is_video => return Ok(()),
            WindowPosition::After => {
                self.close();
                return Ok(());
            }
            WindowPosition::Before | WindowPosition::Inside(_) => {}
        }
        let is_key = is_video && packet.av.is_key();
        let mut copy = packet.share()?;
        self.end = Some(at.plus(packet.duration()));
        if is_key {
            self.key = Some(packet.share()?);
        }
        if let Some(start) = self.window.start {
            let shift = start.rescale(copy.time_base).ticks();
            let (pts, dts) = (copy.av.pts().map(|t| t - shift), copy.av.dts().map(|t| t - shift));
            let duration = copy.av.duration();
            copy.av.set_times(pts, dts, duration);
        }
        let end = copy.pts().or(copy.dts()).map(|t| t.plus(copy.duration()));
        self.open = self.to.send_packet(copy);
        if let Some(left) = &mut self.frames_left {
            left.count -= 1;
            if left.count == 0 {
                if let Some(end) = end.filter(|_| left.ends_output) {
                    self.to.send(|_| SinkMessage::Cut(end));
                }
                self.close();
            }
        }
        Ok(())
    }

    /// Goes on without the source up to `until`: with silence, or with the last keyframe. Tells
    /// how many keyframes that took.
    pub(super) fn fill(&mut self, until: Timestamp) -> Result<u64> {
        if let Some(transcoder) = &mut self.transcoder {
            transcoder.fill(until)?;
            self.send_transcoded()?;
            return Ok(0);
        }
        let mut held = 0;
        while let Some(end) = self.end.filter(|_| self.open) {
            let (packet, next) = match (&self.silence, &self.key) {
                (Some(silence), _) => {
                    let at = end.rescale(silence.length().base());
                    let base = self.stream.time_base;
                    (silence.packet(self.stream.index, at, base)?, at.plus(silence.length()))
                }
                (None, Some(key)) => (shown_again(key, end)?, end.plus(HOLD_EVERY)),
                (None, None) => break,
            };
            if next > until {
                break;
            }
            self.copy(&packet)?;
            self.end = Some(next);
            held += u64::from(packet.kind == MediaKind::Video);
        }
        Ok(held)
    }

    /// Goes on with another connection to the source, of which `stream` is this stream as it is now.
    pub(super) fn go_on_with(
        &mut self,
        stream: Option<&StreamInfo>,
        options: &InputOptions,
        stats: &Stats,
    ) -> Result<()> {
        let Some(stream) = stream else { return Ok(()) };
        if let Some(subtitles) = &mut self.subtitles {
            let replaced = subtitles.replace_source(stream, options);
            self.mute = replaced.is_err();
            return replaced;
        }
        let (first, now) = (&self.stream.params, &stream.params);
        self.drops_before_floor |= self.kind == MediaKind::Audio;
        if self.kind == MediaKind::Video {
            self.start = LaneStart::NextKey;
            self.mute = first.codec() != now.codec();
            if now.extradata() != self.configuration.params.extradata() {
                self.configure(&StreamConfiguration::of(stream)?, options, stats)?;
            }
            return Ok(());
        }
        let is_same = is_same_sound(first, now);
        self.mute = false;
        self.transcoder = None;
        if !is_same {
            let transcoder = self.transcoder_from(stream, options, stats);
            self.mute = transcoder.is_err();
            self.transcoder = Some(Box::new(transcoder?));
        } else if now.extradata() != self.configuration.params.extradata() {
            self.configure(&StreamConfiguration::of(stream)?, options, stats)?;
        }
        Ok(())
    }

    /// Brings another kind of sound to what the output has.
    fn transcoder_from(
        &self,
        stream: &StreamInfo,
        options: &InputOptions,
        stats: &Stats,
    ) -> Result<AudioTranscoder> {
        let first = &self.stream.params;
        let sound = [
            ("ar".to_owned(), first.sample_rate().to_string()),
            ("ch_layout".to_owned(), first.channel_layout()),
            // Encoders of DTS and TrueHD.
            ("strict".to_owned(), "experimental".to_owned()),
        ];
        let plan = AudioPlan {
            filter: None,
            encoder: encoder_of(first.codec().name()).to_owned(),
            options: sound.into(),
            window: Window::default(),
            packets: None,
        };
        plan.check()?;
        let mut transcoder =
            AudioTranscoder::open(plan, stream, options, true, true, stats.clone())?;
        transcoder.begin_at(self.end.unwrap_or(Timestamp::ZERO));
        Ok(transcoder)
    }

    /// Ends it with what its transcoder still holds.
    pub(super) fn finish(&mut self) -> Result<()> {
        if let Some(subtitles) = &mut self.subtitles {
            subtitles.drain();
        }
        let last = self.send_subtitles().and(self.drain_transcoder());
        self.close();
        last
    }

    fn drain_transcoder(&mut self) -> Result<()> {
        while let Some(transcoder) = self.transcoder.as_mut().filter(|_| self.open && !self.mute) {
            let goes_on = transcoder.drain()?;
            self.send_transcoded()?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.to.send(SinkMessage::End);
        }
    }
}

/// Whether the packets of a stream say themselves what holds for them.
fn has_headers(stream: &StreamInfo) -> bool {
    stream.params.codec().name() == "aac" && stream.params.extradata().is_empty()
}

fn is_same_sound(first: &CodecParams, now: &CodecParams) -> bool {
    first.codec() == now.codec()
        && (first.sample_rate(), first.channels()) == (now.sample_rate(), now.channels())
        && first.profile_name() == now.profile_name()
}

/// A keyframe once more, at another time.
fn shown_again(key: &Packet, at: Timestamp) -> Result<Packet> {
    let mut again = key.share()?;
    let base: TimeBase = again.time_base;
    let ticks = at.rescale(base).ticks();
    again.av.set_times(Some(ticks), Some(ticks), HOLD_EVERY.rescale(base).ticks());
    again.arrived = None;
    Ok(again)
}
