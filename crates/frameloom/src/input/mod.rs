//! URL → packets, on the pipeline's clock.

mod clock;
pub(crate) mod ffprobe;
mod following;
mod joined;
mod pace;
pub(crate) mod probe;
mod seek;
mod sound;
mod sound_times;
mod speed;
mod stored;
pub(crate) mod streams;
pub(crate) mod timeline;

use clock::InputClock;
use following::Following;
pub(crate) use pace::Pace;
use sound::{PacketSound, Verdict};
use sound_times::SoundTimes;
use speed::at_speed;
use stored::StoredTimeline;
use streams::InputStreams;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::av::metadata::ContainerMetadata;
use crate::av::{AvPacket, MediaKind, StreamInfo, dump_of_input, tell_dump};
use crate::codec::configuration::StreamConfiguration;
use crate::codec::packet::Packet;
use crate::error::{End, Error, ErrorKind, Hint, Result, Setting, Stage, counted};
use crate::options::InputOptions;
use crate::protocol::environment::Environment;
use crate::protocol::{Break, Input, Opened};
use crate::protocol::{check_input, discover};
use crate::time::Timestamp;
use crate::time::arrival::Arrival;
use crate::time::stop::Stop;

/// An open input. Of its streams one video and one audio are read, chosen as FFmpeg chooses, where
/// nobody asks for others.
pub(crate) struct Source {
    url: String,
    environment: Environment,
    input: Box<dyn Input>,
    pub(crate) streams: InputStreams,
    metadata: ContainerMetadata,
    /// When it was open.
    opened: Instant,
    pub(crate) is_live: bool,
    /// What was set before it was opened.
    pub(crate) options: InputOptions,
    /// The input's own first timestamp.
    pub(crate) begin: Timestamp,
    /// Where what is wanted begins, on the pipeline's clock.
    floor: Timestamp,
    pending: VecDeque<AvPacket>,
    /// Read already, on the way to a place that can't be sought by time.
    passed: VecDeque<Packet>,
    /// What sound needs beside, by the streams' numbers.
    sounds: BTreeMap<usize, SoundState>,
    /// Why nothing follows the sound that was held back.
    postponed: Option<Result<Option<AvPacket>, Break>>,
    clock: InputClock,
    loops_left: Option<u64>,
    /// The numbers of streams of which nothing came yet in this round of a loop.
    rewound: BTreeSet<usize>,
    cut_short: Option<usize>,
    new_kind: Option<MediaKind>,
    /// The numbers of streams of which nothing more is wanted.
    over: BTreeSet<usize>,
    /// The protocol knows which streams are read.
    is_narrowed: bool,
    ended: bool,
    /// Why a live input gives nothing more.
    loss: Option<Error>,
    /// It was cut off: it did not end by itself.
    is_cut: bool,
    /// What is read behind it.
    following: Following,
}

/// What is read of a source.
pub(crate) enum SourceMessage {
    Packet(Packet),
    /// What holds for the packets of the stream of this number from here on.
    Configuration(usize, Arc<StreamConfiguration>),
}

/// A source's packet, or why there is none.
pub(crate) enum SourceItem {
    Packet(Packet),
    /// What holds for the packets of the stream of this number from here on: it is not what held
    /// before.
    Configuration(usize, Arc<StreamConfiguration>),
    /// It is over: at its end, where reading was to stop, or at a stop.
    Over,
    /// A live input ended, broke or fell silent.
    Lost(Error),
}

/// What is to be done with what was read.
enum Checked {
    /// To go on with this packet.
    Packet(AvPacket),
    /// To read on: the packet is held back until it is known whether what it states is so.
    Held,
    /// To give this out. The packets for which it holds are read next.
    Configuration(Arc<StreamConfiguration>),
}

/// How long a live input may be silent: servers that lose a publisher often say nothing at all.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// How long what a server sends at once may take to come.
const LONGEST_BURST: Duration = Duration::from_millis(1500);

/// How long is looked at how fast packets come.
const BURST_LOOK: Duration = Duration::from_millis(60);

impl Source {
    /// Opens the input and gets to know its streams.
    pub(crate) fn open(
        url: &str,
        mut options: InputOptions,
        environment: &Environment,
        stop: &Stop,
    ) -> Result<Source> {
        options.check()?;
        crate::url::redact::remember_url(url);
        check_input(url, &options)?;
        let mut opened = environment.opener.input(url, &options, STALL_LIMIT, stop)?;
        if let Some(speed) = options.speed {
            let about = |e: Error| e.at(url).about(Setting::own("speed"));
            opened = at_speed(opened, speed).map_err(about)?;
        }
        let following = std::mem::take(&mut options.following);
        let mut source = Source::of(url, options, opened, environment)?;
        source.join(following, environment, stop)?;
        Ok(source)
    }

    /// Gets to know the streams of what was opened.
    pub(crate) fn of(
        url: &str,
        options: InputOptions,
        opened: Opened,
        environment: &Environment,
    ) -> Result<Source> {
        let Opened { input, video, audio, is_live, pending, begin } = opened;
        let mut options =
            counted_from_start(options, input.as_ref(), is_live).map_err(|e| e.at(url))?;
        let streams = input.streams().map_err(|e| e.at(url))?;
        let streams = InputStreams::new(streams, video, audio);
        options.know_streams(&streams.iter().map(|(_, info)| info).collect::<Vec<_>>());
        let metadata = input.metadata();
        let origin = options.origin.or(options.start);
        let zero = begin.plus(origin.unwrap_or(Timestamp::ZERO));
        let offset = match options.keeps_times && !is_live {
            true => options.offset.plus(zero),
            false => options.offset,
        };
        let options = InputOptions { offset, keeps_times: false, ..options };
        let clock = InputClock {
            zero,
            looped: Timestamp::ZERO,
            end: Timestamp::ZERO,
            ends_open: false,
            latest: None,
            limit: options.length(),
            joined: (!is_live && input.clock_may_restart()).then(StoredTimeline::new),
        };
        let loops_left = options.loops;
        let options_floor = options.floor();
        let mut source = Source {
            url: url.to_owned(),
            environment: environment.clone(),
            input,
            streams,
            metadata,
            opened: environment.clock.now(),
            is_live,
            options,
            begin,
            floor: options_floor,
            pending,
            passed: VecDeque::new(),
            sounds: BTreeMap::new(),
            postponed: None,
            clock,
            loops_left,
            rewound: BTreeSet::new(),
            cut_short: None,
            new_kind: None,
            over: BTreeSet::new(),
            is_narrowed: false,
            ended: false,
            loss: None,
            is_cut: false,
            following: Following::default(),
        };
        if source.options.start.is_some() && source.input.is_seekable() {
            source.check_start(options_floor)?;
            source.go_to(options_floor)?;
        }
        Ok(source)
    }

    /// Opens a live input once more: everything it is not to do again is left out. What it sends at
    /// once is read, so that it is known where its present is.
    pub(crate) fn open_again(
        url: &str,
        options: &InputOptions,
        stall_limit: Duration,
        environment: &Environment,
        stop: &Stop,
    ) -> Result<Source> {
        let options = InputOptions {
            start: None,
            start_from_end: None,
            duration: None,
            end: None,
            loops: Some(0),
            ..options.clone()
        };
        let mut source = Source::open(url, options, environment, stop)?;
        if !source.is_live {
            // A playlist that has got its end: the stream is over, and what is left of it would be
            // played once more.
            let cause = "the live stream is over: what is there now has an end";
            return Err(Error::new(ErrorKind::Connection, Stage::Source, cause).at(url));
        }
        source.set_stall_limit(stall_limit);
        // A keyframe that comes late in what is sent at once is not the one to be left out.
        source.accept_new_streams();
        source.read_burst()?;
        Ok(source)
    }

    /// How long a live input may be silent.
    pub(crate) fn set_stall_limit(&mut self, limit: Duration) {
        self.input.set_stall_limit(limit);
    }

    /// Passes on streams that a live input hadn't got at first. False where it is not known how to tell.
    pub(crate) fn accept_new_streams(&mut self) -> bool {
        self.input.accept_new_streams()
    }

    /// Begins with the packet that is read next, as if nothing had come before.
    pub(crate) fn begin_here(&mut self) {
        let next = self.pending.front();
        let at = next.and_then(|packet| {
            let (_, stream) = self.stream(packet.stream())?;
            Some(stream.time_base.at(packet.pts().or(packet.dts())?))
        });
        if let Some(at) = at {
            (self.begin, self.clock.zero, self.clock.end) = (at, at, Timestamp::ZERO);
        }
    }

    /// The kind of the stream that has come late since this was asked last. Its configuration was read
    /// just now.
    pub(crate) fn take_new_kind(&mut self) -> Option<MediaKind> {
        self.new_kind.take()
    }

    /// Whether it has, or has seen, video and sound.
    pub(crate) fn seen(&self) -> [bool; 2] {
        if self.is_stand_in() {
            return [false; 2];
        }
        let [video, audio] = self.input.seen();
        [video || self.video().is_some(), audio || self.audio().is_some()]
    }

    /// Whether it only stands in for an input that isn't there yet.
    pub(crate) fn is_stand_in(&self) -> bool {
        self.input.is_stand_in()
    }

    /// Reads for as long as packets come faster than their own clock runs.
    fn read_burst(&mut self) -> Result<()> {
        let start = self.environment.clock.now();
        let (mut mark, mut mark_at) = (start, self.edge());
        while self.environment.clock.now().duration_since(start) < LONGEST_BURST {
            let packet = match self.input.read() {
                Ok(Some(packet)) => packet,
                // It is told when what was read has been used.
                Ok(None) => break,
                Err(broken) => return Err(self.fault(broken)),
            };
            self.pending.push_back(packet);
            let now = self.environment.clock.now();
            let passed = now.duration_since(mark);
            if passed >= BURST_LOOK {
                let at = self.edge();
                let came = at.zip(mark_at).map_or(Timestamp::ZERO, |(at, mark)| at.minus(mark));
                if came.as_micros() < 2 * i64::try_from(passed.as_micros()).unwrap_or(i64::MAX) {
                    break;
                }
                (mark, mark_at) = (now, at);
            }
        }
        Ok(())
    }

    /// The latest time in what was read and not used yet, on its own clock from its start on.
    pub(crate) fn edge(&self) -> Option<Timestamp> {
        let time = |packet: &AvPacket| {
            let (_, stream) = self.stream(packet.stream())?;
            let at = packet.dts().or(packet.pts())?;
            Some(self.on_pipeline(stream.time_base.at(at)))
        };
        self.pending.iter().filter_map(time).max()
    }

    /// The first keyframe's time in what was read and not used yet, likewise.
    pub(crate) fn first_key(&self) -> Option<Timestamp> {
        let video = self.video()?;
        let mut keys = self.pending.iter().filter(|p| p.stream() == video.index && p.is_key());
        let at = keys.next().and_then(|p| p.dts().or(p.pts()))?;
        Some(self.on_pipeline(video.time_base.at(at)))
    }

    /// The moment that its zero stands for, if what was read of it last came when it was opened.
    pub(crate) fn began(&self) -> Option<Instant> {
        let edge = self.edge()?.minus(self.options.offset).as_micros();
        self.opened.checked_sub(Duration::from_micros(u64::try_from(edge).unwrap_or(0)))
    }

    /// A time of the input's own on the pipeline's clock.
    fn on_pipeline(&self, at: Timestamp) -> Timestamp {
        at.minus(self.clock.zero).plus(self.options.offset)
    }

    /// A stream that is read, with its number.
    fn stream(&self, index: usize) -> Option<(usize, &StreamInfo)> {
        let number = self.streams.number_of(index)?;
        Some((number, self.streams.get(number)?))
    }

    /// The main video, where it is there.
    pub(crate) fn video(&self) -> Option<&StreamInfo> {
        self.streams.video()
    }

    /// The main audio, where it is there.
    pub(crate) fn audio(&self) -> Option<&StreamInfo> {
        self.streams.audio()
    }

    /// Chooses the streams that are read, by their numbers. The caller does so before it reads the
    /// first packet.
    ///
    /// # Errors
    /// Where it was to begin later and can't be sought in again.
    pub(crate) fn read_only(&mut self, numbers: &[usize]) -> Result<()> {
        let video = self.streams.main(MediaKind::Video);
        self.streams.read_only(numbers);
        self.is_narrowed = false;
        let is_sought = self.options.start.is_some() && self.is_seekable();
        if is_sought && self.streams.main(MediaKind::Video) != video {
            // Another video has its keyframes elsewhere.
            self.go_to(self.floor)?;
        }
        Ok(())
    }

    /// What the times of the packet that was read last were moved by.
    pub(crate) fn moved_by(&self) -> Timestamp {
        self.clock.looped.minus(self.clock.zero).plus(self.options.offset)
    }

    /// The next packet of the chosen streams. A live input that gives nothing more is lost,
    /// whatever the reason.
    ///
    /// # Errors
    /// As [`Source::read`], of an input that is not live.
    pub(crate) fn next(&mut self) -> Result<SourceItem> {
        match self.read() {
            Ok(Some(SourceMessage::Packet(packet))) => Ok(SourceItem::Packet(packet)),
            Ok(Some(SourceMessage::Configuration(of, to))) => Ok(SourceItem::Configuration(of, to)),
            Ok(None) => Ok(self.loss.take().map_or(SourceItem::Over, SourceItem::Lost)),
            Err(error) if self.is_live && error.kind() != ErrorKind::Interrupted => {
                Ok(SourceItem::Lost(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Why a live input that gives nothing more was cut off; `None` where it ended by itself.
    pub(crate) fn take_cut(&mut self) -> Option<Error> {
        self.loss.take().filter(|_| self.is_cut)
    }

    /// What the container said of itself when it was opened.
    pub(crate) fn metadata(&self) -> &ContainerMetadata {
        &self.metadata
    }

    /// Where the pipeline's zero lies on the input's own clock.
    pub(crate) fn zero(&self) -> Timestamp {
        self.clock.zero
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// FFmpeg's name of the format.
    pub(crate) fn format_name(&self) -> &'static str {
        self.input.format_name()
    }

    /// Every stream in it, the chosen ones among them.
    pub(crate) fn all_streams(&self) -> Result<Vec<StreamInfo>> {
        self.input.streams().map_err(|e| e.at(&self.url))
    }

    /// Says what is in it, the input of this number, in the ffmpeg program's layout.
    pub(crate) fn tell_contents(&self, number: usize) {
        let url = crate::url::redact::url(&self.url);
        let known = || {
            let streams = self.input.streams().ok()?;
            dump_of_input(number, &url, self.input.format_name(), &streams).ok()
        };
        let told = self.input.dump(number, &url).or_else(known);
        told.iter().for_each(|told| tell_dump(told));
    }

    /// The whole input's duration in microseconds, where known.
    pub(crate) fn duration_micros(&self) -> Option<i64> {
        self.input.duration_micros()
    }

    /// Bits a second; 0 where not known.
    pub(crate) fn bit_rate(&self) -> i64 {
        self.input.bit_rate()
    }

    /// How long what is read will be, where that is known before it is read.
    pub(crate) fn duration(&self) -> Option<Timestamp> {
        let looped = match (self.end(), self.options.loops) {
            (Some(d), Some(n)) => Some(d.base().at(
                d.ticks().saturating_mul(i64::try_from(n).unwrap_or(i64::MAX).saturating_add(1)),
            )),
            _ => None,
        };
        let own = match (looped.filter(|_| !self.is_live), self.clock.limit) {
            (Some(d), Some(limit)) => Some(d.min(limit)),
            (known, limit) => known.or(limit),
        };
        own.zip(self.following_length()).map(|(own, more)| own.plus(more))
    }

    /// The next packet of the chosen streams; `None` at the end, or once a stop was asked for.
    ///
    /// # Errors
    /// What the protocol or the demuxer said, also where the input turns out to be cut short.
    pub(crate) fn read(&mut self) -> Result<Option<SourceMessage>> {
        let mut has_stopped = false;
        if !std::mem::replace(&mut self.is_narrowed, true) {
            self.input.read_only(&self.streams.indices_read());
        }
        while !self.ended || !self.passed.is_empty() {
            if let Some(packet) = self.passed.pop_front() {
                return Ok(Some(SourceMessage::Packet(packet)));
            }
            let mut next = self.read_packet();
            // Nothing follows that could confirm what it states.
            let held = match next {
                Ok(Some(_)) => None,
                _ => self.sounds.values_mut().find_map(|state| state.doubtful.take()),
            };
            let is_last = held.is_some();
            if is_last {
                self.postponed = Some(std::mem::replace(&mut next, Ok(held)));
            }
            let packet = match next {
                Ok(Some(packet)) => packet,
                Ok(None) if self.rewind()? => continue,
                Err(Break::Stopped) => {
                    has_stopped = true;
                    break;
                }
                Ok(None) => {
                    if self.is_live {
                        let cause = "the stream ended";
                        let error = Error::new(ErrorKind::Connection, Stage::Source, cause);
                        self.loss = Some(error.at(&self.url));
                    }
                    break;
                }
                Err(Break::Closed(error)) if self.is_live && self.clock.end > Timestamp::ZERO => {
                    self.loss = Some(error.at(&self.url));
                    self.is_cut = true;
                    break;
                }
                Err(broken) => {
                    self.ended = true;
                    return Err(self.fault(broken));
                }
            };
            if let Some(new) = self.input.new_stream() {
                let (number, configuration) = self.begin_late(new)?;
                self.pending.push_front(packet);
                return Ok(Some(SourceMessage::Configuration(number, configuration)));
            }
            let Some((number, stream)) = self.stream(packet.stream()) else { continue };
            let (kind, time_base) = (stream.kind, stream.time_base);
            let mut packet = packet;
            if kind == MediaKind::Audio
                && let Some(audio) = self.streams.get(number)
            {
                let state = self.sounds.entry(number).or_default();
                state.times.fill_in(&mut packet, &audio.params, time_base);
            }
            let packet = match self.check(number, packet, is_last)? {
                Checked::Packet(packet) => packet,
                Checked::Held => continue,
                Checked::Configuration(configuration) => {
                    return Ok(Some(SourceMessage::Configuration(number, configuration)));
                }
            };
            if packet.is_corrupt() && self.ends_at_corruption() {
                self.cut_short = Some(packet.size());
                continue;
            }
            let mut packet = Packet {
                av: packet,
                kind,
                stream: number,
                time_base,
                arrived: Some(Arrival::at(self.environment.clock.now())),
                quality: None,
                floor: self.clock.looped.max(self.floor).plus(self.options.offset),
                discontinuity: self.rewound.contains(&number),
            };
            let is_main = self.streams.main(kind) == Some(number);
            self.clock.place(&mut packet, is_main);
            if kind == MediaKind::Cover {
                // It has no time of its own, and is there from the beginning.
                let at = Some(self.floor.rescale(time_base).ticks());
                packet.av.set_times(at, at, 0);
            }
            if self.clock.is_over(&packet) {
                self.over.insert(number);
                self.ended = self.all_is_over();
                continue;
            }
            self.rewound.remove(&number);
            packet.move_by(self.options.offset);
            return Ok(Some(SourceMessage::Packet(packet)));
        }
        let was_ended = std::mem::replace(&mut self.ended, true);
        if !was_ended && !self.is_live && !has_stopped && self.begins_behind_end() {
            return Err(self.behind_end(self.clock.latest));
        }
        match self.cut_short.take() {
            Some(bytes) => {
                let left_out = counted(bytes as u64, "byte");
                let cause = format!(
                    "it ends in the middle of a frame; the whole frames were kept, and what came \
                     of the last one ({left_out}) was left out"
                );
                Err(Error::new(ErrorKind::InvalidData, Stage::Source, cause).at(&self.url))
            }
            None => Ok(None),
        }
    }

    /// Whether nothing more is wanted of any stream that others wait for; of any at all, where all come
    /// only now and then.
    fn all_is_over(&self) -> bool {
        let read = || self.streams.iter().filter(|(number, _)| self.streams.is_read(*number));
        let is_alone = read().all(|(_, stream)| stream.kind.is_sparse());
        let mut counted = read().filter(|(_, stream)| is_alone || !stream.kind.is_sparse());
        counted.all(|(number, _)| self.over.contains(&number))
    }

    /// Takes a stream that was not there at first.
    fn begin_late(&mut self, stream: StreamInfo) -> Result<(usize, Arc<StreamConfiguration>)> {
        let configuration = StreamConfiguration::of(&stream)?;
        self.new_kind = Some(stream.kind);
        let number = self.streams.add(stream);
        self.sounds.remove(&number);
        Ok((number, configuration))
    }

    fn read_packet(&mut self) -> Result<Option<AvPacket>, Break> {
        match self.pending.pop_front() {
            Some(packet) => Ok(Some(packet)),
            None => self.postponed.take().unwrap_or_else(|| self.input.read()),
        }
    }

    /// Takes over what a packet, or what stands beside it, says of its stream, where that is something
    /// new, and gives it out before the packet. `is_last` says that nothing follows.
    fn check(&mut self, number: usize, packet: AvPacket, is_last: bool) -> Result<Checked> {
        let Some(stream) = self.streams.get_mut(number) else { return Ok(Checked::Packet(packet)) };
        let is_sound = stream.kind == MediaKind::Audio;
        if let Some(extradata) = packet.new_extradata() {
            if stream.params.extradata() == extradata {
                return Ok(Checked::Packet(packet));
            }
            discover::renew(stream, extradata, &packet).map_err(|e| e.in_stage(Stage::Source))?;
            let configuration = StreamConfiguration::of(stream)?;
            if let Some(state) = self.sounds.get_mut(&number) {
                state.packets = PacketSound::default();
            }
            self.pending.push_front(packet);
            return Ok(Checked::Configuration(configuration));
        }
        if !is_sound || is_last {
            return Ok(Checked::Packet(packet));
        }
        let state = self.sounds.entry(number).or_default();
        let (from, to) = match state.packets.judge(&stream.params, &packet) {
            Verdict::Same => {
                let Some(held) = state.doubtful.take() else { return Ok(Checked::Packet(packet)) };
                self.pending.push_front(packet);
                return Ok(Checked::Packet(held));
            }
            Verdict::Doubtful => {
                let held = state.doubtful.replace(packet);
                return Ok(held.map_or(Checked::Held, Checked::Packet));
            }
            Verdict::Changed { from, to } => (from, to),
        };
        let (sample_rate, channels) = to.sound(from, &stream.params);
        stream.params.describe_sound(sample_rate, channels);
        let configuration = StreamConfiguration::of(stream)?;
        self.pending.push_front(packet);
        if let Some(held) = state.doubtful.take() {
            self.pending.push_front(held);
        }
        Ok(Checked::Configuration(configuration))
    }

    fn fault(&self, broken: Break) -> Error {
        let error = match broken {
            Break::Silent(limit) => {
                let cause = format!("nothing came for {} s", limit.as_secs_f64());
                Error::new(ErrorKind::TimedOut, Stage::Source, cause)
                    .hint(Hint::CheckStillPublished)
            }
            Break::Damaged => Error::new(
                ErrorKind::InvalidData,
                Stage::Source,
                "it is damaged or ends too early; what could be read was kept",
            ),
            Break::Stopped => Error::new(ErrorKind::Interrupted, Stage::Source, "stopped"),
            Break::Closed(error) | Break::Failed(error) => error,
        };
        error.at(&self.url)
    }

    /// Formats in which a damaged packet can only be one whose rest is missing.
    fn ends_at_corruption(&self) -> bool {
        matches!(self.input.format_name(), "rawvideo" | "mov,mp4,m4a,3gp,3g2,mj2")
    }

    /// Goes back to the start for another loop, where one is due.
    fn rewind(&mut self) -> Result<bool> {
        let stopped = self.clock.end <= Timestamp::ZERO;
        match &mut self.loops_left {
            _ if self.is_live || stopped => return Ok(false),
            Some(0) => return Ok(false),
            Some(n) => *n -= 1,
            None => {}
        }
        // Where the last packet doesn't say how long it is, the container may say where it ends.
        let stated = self.end().filter(|_| self.clock.ends_open && self.input.has_exact_duration());
        let end = self.clock.end;
        self.clock.looped = self.clock.looped.plus(stated.map_or(end, |stated| stated.max(end)));
        self.clock.end = Timestamp::ZERO;
        self.rewound = self.streams.iter().map(|(number, _)| number).collect();
        self.go_to(self.floor).map_err(|e| e.hint(Hint::LoopNeedsSeek))?;
        Ok(true)
    }
}

/// The options with the start where it is from the input's own beginning, if it was counted from its end.
///
/// # Errors
/// Where that end is not known.
fn counted_from_start(
    options: InputOptions,
    input: &dyn Input,
    is_live: bool,
) -> Result<InputOptions> {
    let Some(from_end) = options.start_from_end.filter(|_| options.start.is_none()) else {
        return Ok(options);
    };
    let whole = input.duration_micros().filter(|_| !is_live).map(Timestamp::from_micros);
    let unknown = || Error::usage("it is not known where the input ends");
    let whole = whole.ok_or_else(|| unknown().about(Setting::ffmpeg("sseof").of(End::Input)))?;
    let start = Some(whole.plus(from_end).max(Timestamp::ZERO));
    Ok(InputOptions { start, ..options })
}

/// What is kept of a stream of sound.
#[derive(Default)]
struct SoundState {
    times: SoundTimes,
    /// What its packets state by themselves.
    packets: PacketSound,
    /// One that states something else than what came before, until the next one confirms it.
    doubtful: Option<AvPacket>,
}
