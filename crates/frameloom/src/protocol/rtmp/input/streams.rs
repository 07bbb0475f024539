//! What is in a stream, from its metadata and sequence headers, and the packets in its messages.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use frameloom_rtmp::amf0::{Value, decode_all};
use frameloom_rtmp::flv::{
    AudioCodec, AudioPacketKind, AudioTag, FlvError, VideoCodec, VideoPacketKind, VideoTag,
};
use frameloom_rtmp::{Limits, Media, MediaType as Kind};

use crate::av::{AvError, AvPacket, CodecId, CodecParams, MediaKind, StreamInfo};
use crate::codec::aac;
use crate::error::{Error, ErrorKind, Hint, Result, Stage};
use crate::options::InputOptions;
use crate::protocol::discover;
use crate::protocol::rtmp::codecs;
use crate::time::{Rate, TimeBase};

/// The streams' numbers.
pub(super) const VIDEO: usize = 0;
pub(super) const AUDIO: usize = 1;

/// How long a stream with video may go without the audio that its metadata may have, until it is
/// taken to have none.
const AUDIO_WAIT_MS: u64 = 1_000;

/// The same where metadata names other streams alone. It may be wrong: encoders name what was there when
/// they began, with zeros, with words, or not at all.
const UNNAMED_WAIT_MS: u64 = 500;

/// The same where sound comes that can't be decoded yet, as the codec's configuration isn't there.
const CONFIGURATION_WAIT_MS: u64 = 4_000;

/// How long a stream with audio may go without video until it is taken to have none. A server
/// that has begun inside a GOP may send no video before the next one.
const VIDEO_WAIT_MS: u64 = 12_000;

/// The same where metadata names sound alone.
const UNNAMED_VIDEO_WAIT_MS: u64 = 1_000;

/// What metadata says of a stream of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Said {
    /// Nothing, or nothing that can be relied on.
    #[default]
    Nothing,
    Yes,
    No,
}

/// What a message of audio or video holds.
struct Coded {
    stream: usize,
    data: Bytes,
    is_key: bool,
    shown_after_ms: i32,
}

/// The streams, as far as they are known.
pub(super) struct FlvStreams {
    wants: [bool; 2],
    said: [Said; 2],
    pub(super) frame_rate: Option<Rate>,
    video: Option<(VideoCodec, &'static str)>,
    audio: Option<(AudioCodec, &'static str)>,
    extradata: [Bytes; 2],
    /// The extradata came anew after the first packets: for the next packet.
    changed: [bool; 2],
    /// Samples a second and channels by FLV's own first byte.
    legacy_sound: Option<(u32, u32)>,
    has_keyframe: bool,
    has_sound: bool,
    /// Sound came that can't be decoded: AAC, whose configuration is not there.
    has_unknown_sound: bool,
    /// Streams that were there on an earlier connection.
    expected: [bool; 2],
    /// Milliseconds from one picture to the next; 0 where not known.
    pub(super) video_ms: i64,
    pub(super) sound: Option<CodecParams>,
    pub(super) first: Option<u64>,
    last: u64,
    /// Which streams are passed on.
    pub(super) is_open: [bool; 2],
    warned_of_late: bool,
    /// What came and can't be read: FLV's words or the codec.
    unknown: Option<String>,
}

impl FlvStreams {
    pub(super) fn new(options: &InputOptions) -> FlvStreams {
        FlvStreams {
            wants: [!options.no_video, !options.no_audio],
            said: options.expected.map(|yes| if yes { Said::Yes } else { Said::Nothing }),
            frame_rate: None,
            video: None,
            audio: None,
            extradata: [Bytes::new(), Bytes::new()],
            changed: [false; 2],
            legacy_sound: None,
            has_keyframe: false,
            has_sound: false,
            has_unknown_sound: false,
            expected: options.expected,
            video_ms: 0,
            sound: None,
            first: None,
            last: 0,
            is_open: [false; 2],
            warned_of_late: false,
            unknown: None,
        }
    }

    /// Whether it is clear which streams there are.
    pub(super) fn are_known(&self) -> bool {
        let span = self.last.saturating_sub(self.first.unwrap_or(0));
        let missing = |index: usize| !self.wants[index] || span > self.wait_ms(index);
        let video = self.has_keyframe || missing(VIDEO);
        let audio = self.has_sound || missing(AUDIO);
        // Video has a longer wait than sound: whoever has sound alone waits for it.
        video && audio && (self.has_keyframe || self.has_sound)
    }

    /// How long the other stream may go without this one until it is taken not to be there.
    fn wait_ms(&self, index: usize) -> u64 {
        match (index, self.said[index]) {
            (VIDEO, Said::No) => UNNAMED_VIDEO_WAIT_MS,
            (VIDEO, _) => VIDEO_WAIT_MS,
            _ if self.has_unknown_sound => CONFIGURATION_WAIT_MS,
            (_, Said::No) => UNNAMED_WAIT_MS,
            _ => AUDIO_WAIT_MS,
        }
    }

    /// The error where nothing can be read.
    pub(super) fn nothing(&self) -> Error {
        match &self.unknown {
            Some(what) => {
                let cause = format!("nothing in it can be read: {what}");
                Error::new(ErrorKind::InvalidData, Stage::Source, cause)
            }
            None => {
                let cause = "it ended before anything came";
                Error::new(ErrorKind::InvalidData, Stage::Source, cause)
                    .hint(Hint::CheckStillPublished)
            }
        }
    }

    pub(super) fn info(&self, index: usize) -> Result<Option<StreamInfo>> {
        let (kind, name) = match index {
            VIDEO => (MediaKind::Video, self.video.map(|(_, name)| name)),
            _ if self.lacks_configuration() => (MediaKind::Audio, None),
            _ => (MediaKind::Audio, self.audio.map(|(_, name)| name)),
        };
        let Some(codec) = name.and_then(CodecId::named) else { return Ok(None) };
        let params = CodecParams::of_codec(kind, codec, &self.extradata[index]);
        let mut params = params.map_err(|e| no_memory(&e))?;
        let is_aac = self.audio.is_some_and(|(codec, _)| codec == AudioCodec::Aac);
        let sound = match is_aac {
            // No frame need be decoded for that, and perhaps none can be yet.
            true => aac::audio_specific_config(&self.extradata[AUDIO]),
            false => self.legacy_sound,
        };
        if let (AUDIO, Some((rate, channels))) = (index, sound) {
            params.describe_sound(rate, channels);
        }
        Ok(Some(stream_info(index, params)))
    }

    /// Whether its sound is AAC of which nobody knows rate and channels.
    fn lacks_configuration(&self) -> bool {
        let is_aac = self.audio.is_some_and(|(codec, _)| codec == AudioCodec::Aac);
        is_aac && self.extradata[AUDIO].is_empty()
    }

    /// Begins to pass on a stream that was not there when it was opened, with its first packet. `None`
    /// where that doesn't tell what the stream is.
    pub(super) fn begin_late(&mut self, first: &AvPacket) -> Result<Option<StreamInfo>> {
        let index = first.stream();
        let Some(mut info) = self.info(index)? else { return Ok(None) };
        let packets = VecDeque::from([first.share().map_err(|e| no_memory(&e))?]);
        let is_described = match index {
            VIDEO => {
                discover::complete(&mut info, &packets);
                info.frame_rate = info.frame_rate.or(self.frame_rate);
                self.video_ms = info.frame_rate.map_or(0, frame_ms);
                info.params.width() > 0
            }
            _ => {
                discover::complete_sound(&mut info, &packets);
                self.sound = info.params.share().ok();
                info.params.sample_rate() > 0
            }
        };
        self.is_open[index] = is_described;
        self.changed[index] = false;
        Ok(is_described.then_some(info))
    }

    /// Milliseconds that a packet lasts; 0 where not known.
    pub(super) fn duration(&self, stream: usize, bytes: usize) -> i64 {
        if stream == VIDEO {
            return self.video_ms;
        }
        let Some(sound) = self.sound.as_ref().filter(|s| s.sample_rate() > 0) else { return 0 };
        let samples = u64::from(sound.packet_samples(bytes).unwrap_or(0));
        let rate = u64::from(sound.sample_rate());
        i64::try_from((samples * 1000 + rate / 2) / rate).unwrap_or(0)
    }

    /// The packet in a message, where there is one.
    pub(super) fn take(&mut self, media: &Media) -> Result<Option<AvPacket>, AvError> {
        let coded = match media.kind {
            Kind::Metadata => {
                self.read_metadata(&media.payload);
                return Ok(None);
            }
            Kind::Data => return Ok(None),
            Kind::Video => self.take_video(media),
            Kind::Audio => self.take_audio(media),
        };
        match coded {
            Ok(coded) => coded.map(|coded| self.packet(&coded, media.timestamp_ms)).transpose(),
            Err(error) => {
                if self.unknown.is_none() {
                    tracing::warn!("a packet that is no FLV was left out: {error}");
                }
                self.unknown.get_or_insert_with(|| error.to_string());
                Ok(None)
            }
        }
    }

    fn take_video(&mut self, media: &Media) -> Result<Option<Coded>, FlvError> {
        let mut packet = VideoTag::parse(&media.payload)?;
        let is_frame = packet.kind == VideoPacketKind::Frame;
        // Of several tracks the first is taken; it may also come without a number.
        if packet.track.is_some_and(|track| track > 0)
            || !is_frame && packet.kind != VideoPacketKind::SequenceHeader
        {
            return Ok(None);
        }
        let Some(name) = codecs::video_name(packet.codec) else {
            self.unknown.get_or_insert_with(|| format!("its video codec is {:?}", packet.codec));
            return Ok(None);
        };
        if self.video.is_some_and(|(codec, _)| codec != packet.codec) && self.is_open[VIDEO] {
            return Ok(None);
        }
        self.video = Some((packet.codec, name));
        // Whatever metadata said, which may be from before it came.
        self.said[VIDEO] = Said::Yes;
        if !is_frame {
            // What VP8 and VP9 have there is MP4's box: no decoder needs it, no muxer wants it.
            if !matches!(packet.codec, VideoCodec::Vp8 | VideoCodec::Vp9) {
                self.set_extradata(VIDEO, packet.data);
            }
            return Ok(None);
        }
        if packet.codec == VideoCodec::Legacy(4) && !packet.data.is_empty() {
            // VP6's first byte says how much of the picture is padding.
            let adjustment = packet.data.split_to(1);
            self.set_extradata(VIDEO, adjustment);
        }
        if packet.data.is_empty() {
            return Ok(None);
        }
        self.has_keyframe |= packet.keyframe;
        let (is_key, shown_after_ms) = (packet.keyframe, packet.composition_time_ms);
        Ok(Some(Coded { stream: VIDEO, data: packet.data, is_key, shown_after_ms }))
    }

    fn take_audio(&mut self, media: &Media) -> Result<Option<Coded>, FlvError> {
        let mut packet = AudioTag::parse(&media.payload)?;
        let is_frame = packet.kind == AudioPacketKind::Frame;
        if packet.track.is_some_and(|track| track > 0)
            || !is_frame && packet.kind != AudioPacketKind::SequenceHeader
        {
            return Ok(None);
        }
        let Some(name) = codecs::audio_name(packet.codec, packet.flags) else {
            self.unknown.get_or_insert_with(|| format!("its audio codec is {:?}", packet.codec));
            return Ok(None);
        };
        if self.audio.is_some_and(|(codec, _)| codec != packet.codec) && self.is_open[AUDIO] {
            return Ok(None);
        }
        self.audio = Some((packet.codec, name));
        self.said[AUDIO] = Said::Yes;
        if let (AudioCodec::Legacy(_) | AudioCodec::Mp3, Some(flags)) = (packet.codec, packet.flags)
        {
            self.legacy_sound = Some(codecs::sound_of(packet.codec, flags));
        }
        if !is_frame {
            self.set_extradata(AUDIO, extradata_of(packet.codec, packet.data));
            return Ok(None);
        }
        // Some encoders keep the headers of ADTS, which are a configuration too.
        if packet.codec == AudioCodec::Aac
            && let Some((configuration, size)) = aac::adts_configuration(&packet.data)
        {
            if self.extradata[AUDIO].get(..2) != Some(&configuration[..]) {
                self.set_extradata(AUDIO, Bytes::copy_from_slice(&configuration));
            }
            packet.data.advance(size);
        }
        if packet.data.is_empty() {
            return Ok(None);
        }
        // AAC without its configuration is noise.
        if self.lacks_configuration() {
            if !std::mem::replace(&mut self.has_unknown_sound, true) {
                tracing::warn!(
                    "its sound is AAC without a configuration; it is left out until that comes"
                );
            }
            return Ok(None);
        }
        self.has_sound = true;
        Ok(Some(Coded { stream: AUDIO, data: packet.data, is_key: true, shown_after_ms: 0 }))
    }

    fn set_extradata(&mut self, stream: usize, extradata: Bytes) {
        if self.extradata[stream] != extradata {
            self.changed[stream] = self.is_open[stream];
            self.extradata[stream] = extradata;
        }
    }

    fn packet(&mut self, coded: &Coded, timestamp_ms: u64) -> Result<AvPacket, AvError> {
        self.first.get_or_insert(timestamp_ms);
        self.last = self.last.max(timestamp_ms);
        let mut packet = AvPacket::of_bytes(&coded.data, coded.stream, coded.is_key)?;
        if std::mem::take(&mut self.changed[coded.stream]) {
            packet.set_new_extradata(&self.extradata[coded.stream])?;
        }
        let dts = i64::try_from(timestamp_ms).unwrap_or(i64::MAX);
        packet.set_times(Some(dts.saturating_add(coded.shown_after_ms.into())), Some(dts), 0);
        Ok(packet)
    }

    /// Whether packets of a stream may be used.
    pub(super) fn is_wanted(&self, stream: usize) -> bool {
        self.wants.get(stream) == Some(&true)
    }

    /// Which streams have come, of those that may be used.
    pub(super) fn seen(&self) -> [bool; 2] {
        [self.video.is_some() && self.wants[VIDEO], self.audio.is_some() && self.wants[AUDIO]]
    }

    pub(super) fn warn_of_late(&mut self, stream: usize) {
        if self.wants[stream] && !std::mem::replace(&mut self.warned_of_late, true) {
            let what = if stream == VIDEO { "video" } else { "audio" };
            tracing::warn!("{what} came after the stream was open; it is left out");
        }
    }

    fn read_metadata(&mut self, payload: &[u8]) {
        let Ok(values) = decode_all(payload, &Limits::default()) else { return };
        let Some(metadata) = values.get(1) else { return };
        let number = |name: &str| metadata.get(name).and_then(Value::as_number);
        let names = |name: &&str| match metadata.get(name) {
            // Some servers write every name, with zeros for what there isn't.
            Some(Value::Number(number)) => *number > 0.0,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Boolean(yes)) => *yes,
            _ => false,
        };
        let named = [
            ["videocodecid", "width", "videodatarate", "hasVideo"].iter().any(names),
            ["audiocodecid", "audiodatarate", "audiosamplerate", "hasAudio"].iter().any(names),
        ];
        let was_there = [self.video.is_some(), self.audio.is_some()];
        let names_any = named.contains(&true);
        for index in [VIDEO, AUDIO] {
            // What has come counts, and what was there on an earlier connection.
            self.said[index] = match named[index] || was_there[index] || self.expected[index] {
                true => Said::Yes,
                false if names_any => Said::No,
                false => Said::Nothing,
            };
        }
        let rate = number("framerate").or_else(|| number("fps"));
        self.frame_rate = rate.and_then(rate_of).or(self.frame_rate);
    }
}

pub(super) fn no_memory(error: &AvError) -> Error {
    error.clone().in_stage(Stage::Source)
}

pub(super) fn stream_info(index: usize, params: CodecParams) -> StreamInfo {
    StreamInfo::of_params(index, params, TimeBase::MILLIS)
}

/// A configuration as libav has it: of FLAC, STREAMINFO without the marker and header before it.
fn extradata_of(codec: AudioCodec, data: Bytes) -> Bytes {
    match codec {
        AudioCodec::Flac if data.starts_with(b"fLaC") && data.len() >= 42 => data.slice(8..42),
        _ => data,
    }
}

/// Whole milliseconds from one frame to the next, rounded.
pub(super) fn frame_ms(rate: Rate) -> i64 {
    let (num, den) = (i64::from(rate.num()), i64::from(rate.den()));
    (1000 * den + num / 2) / num.max(1)
}

/// The rate that a floating-point number was made of: one in whole frames, or NTSC's.
fn rate_of(number: f64) -> Option<Rate> {
    if !(1.0..=240.0).contains(&number) {
        return None;
    }
    // In range, so the casts drop nothing but the fraction.
    let whole = number.round();
    if (number - whole).abs() < 0.001 {
        return Rate::new(whole as i32, 1);
    }
    let ntsc = (number * 1.001).round();
    if (ntsc / 1.001 - number).abs() < 0.01 {
        return Rate::new(ntsc as i32 * 1000, 1001);
    }
    Rate::new((number * 1000.0).round() as i32, 1000)
}

#[cfg(test)]
mod tests;
