//! A publish by our own RTMP: metadata, sequence headers, then each packet as an FLV tag.

use std::borrow::Cow;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use frameloom_rtmp::amf0::{self, Value};
use frameloom_rtmp::flv::{
    AudioCodec, AudioPacketKind, AudioTag, VideoCodec, VideoPacketKind, VideoTag,
};
use frameloom_rtmp::{ClientRole, MediaType as Kind, PublishKind};

use crate::av::metadata::StreamMetadata;
use crate::av::{AvError, AvPacket, CodecParams, MediaKind, configuration_box};
use crate::codec::configuration::StreamConfiguration;
use crate::codec::{aac, bitstream};
use crate::error::{Error, ErrorKind, Hint, Result, Stage};
use crate::options::OutputOptions;
use crate::protocol::backend::{OPEN_LIMIT, Output, Target, WRITE_LIMIT};
use crate::protocol::rtmp::codecs;
use crate::protocol::rtmp::connection::ClientConnection;
use crate::protocol::rtmp::endpoint::Endpoint;
use crate::protocol::rtmp::fault::ConnectionFault;
use crate::time::stop::Stop;
use crate::time::{Rate, TimeBase, Timestamp};

/// What FLV adds to the body of a tag: its header, and its size behind it.
const FLV_TAG_BYTES: u64 = 15;

pub(super) struct RtmpOutput {
    server: Endpoint,
    url: String,
    open_limit: Duration,
    write_limit: Duration,
    stop: Stop,
    connection: Option<ClientConnection>,
    streams: Vec<PublishedStream>,
    /// Milliseconds added to every time: FLV's begin at 0 or later.
    shift_ms: Option<i64>,
    /// As FLV in a file: the bodies of what was sent, and round each what a tag adds.
    sent_bytes: u64,
}

struct PublishedStream {
    codec: FlvCodec,
    params: CodecParams,
    frame_rate: Option<f64>,
    /// What was sent as the decoder's configuration.
    configuration: Option<Bytes>,
    /// `params` are newer than that.
    is_renewed: bool,
}

#[derive(Clone, Copy)]
enum FlvCodec {
    Video(VideoCodec),
    Audio(AudioCodec),
}

impl RtmpOutput {
    /// Connects to nothing yet.
    pub(super) fn new(
        server: Endpoint,
        target: &Target,
        options: &OutputOptions,
        stop: &Stop,
    ) -> RtmpOutput {
        RtmpOutput {
            write_limit: server.idle_limit.unwrap_or(WRITE_LIMIT),
            server,
            url: target.url.clone(),
            open_limit: options.open_timeout.unwrap_or(OPEN_LIMIT),
            stop: stop.clone(),
            connection: None,
            streams: Vec::new(),
            shift_ms: None,
            sent_bytes: 0,
        }
    }

    fn fault(&self, fault: ConnectionFault) -> Error {
        fault.into_error(Stage::Sink, &self.url)
    }

    fn error(&self, error: AvError) -> Error {
        error.in_stage(Stage::Sink).at(&self.url)
    }

    fn send(&mut self, kind: Kind, timestamp_ms: i64, payload: Bytes) -> Result<()> {
        let Some(connection) = &mut self.connection else {
            return Err(Error::new(ErrorKind::Other, Stage::Sink, "it is not open").at(&self.url));
        };
        let timestamp_ms = u64::try_from(timestamp_ms).unwrap_or(0);
        self.sent_bytes += FLV_TAG_BYTES + payload.len() as u64;
        let sent = connection.send(kind, timestamp_ms, payload, self.write_limit);
        sent.map_err(|fault| self.fault(fault).hint(Hint::BrokeOff))
    }

    /// Sends a stream's sequence header, where there is one and it is not the one that was sent.
    fn send_configuration(
        &mut self,
        number: usize,
        at_ms: i64,
        packet: Option<&AvPacket>,
    ) -> Result<()> {
        let Some(stream) = self.streams.get_mut(number) else { return Ok(()) };
        let found = stream.configuration_of(packet);
        let Some(found) = found.map_err(|e| self.error(e))? else { return Ok(()) };
        let Some(stream) = self.streams.get_mut(number) else { return Ok(()) };
        stream.is_renewed = false;
        if stream.configuration.as_ref() == Some(&found) {
            return Ok(());
        }
        stream.configuration = Some(found.clone());
        let (kind, body) = match stream.codec {
            FlvCodec::Video(codec) => {
                (Kind::Video, video_body(codec, VideoPacketKind::SequenceHeader, true, 0, found))
            }
            FlvCodec::Audio(codec) => {
                let flags = sound_flags(codec, &stream.params);
                (Kind::Audio, audio_body(codec, AudioPacketKind::SequenceHeader, flags, found))
            }
        };
        body.map_or(Ok(()), |body| self.send(kind, at_ms, body))
    }
}

impl Output for RtmpOutput {
    fn open(&mut self) -> Result<()> {
        let role = ClientRole::Publish(PublishKind::Live);
        let opened = ClientConnection::open(&self.server, role, self.open_limit, &self.stop);
        let mut connection = opened.map_err(|fault| self.fault(fault))?;
        connection.outlive_stop();
        self.connection = Some(connection);
        Ok(())
    }

    fn add_stream(
        &mut self,
        header: &StreamConfiguration,
        _metadata: &StreamMetadata,
    ) -> Result<usize> {
        let id = header.params.codec();
        let codec = match header.params.kind() {
            MediaKind::Video => codecs::video_codec(id).map(FlvCodec::Video),
            _ => codecs::audio_codec(id).map(FlvCodec::Audio),
        };
        let Some(codec) = codec else {
            let cause = format!("RTMP doesn't carry {}", id.name());
            return Err(Error::new(ErrorKind::InvalidData, Stage::Sink, cause)
                .at(&self.url)
                .hint(Hint::TakeUsualCodecs));
        };
        if let Some(four_cc) = codec.only_enhanced()
            && self.connection.as_ref().is_some_and(|c| !c.knows(four_cc))
        {
            let (url, name) = (crate::url::redact::url(&self.url), id.name());
            tracing::warn!("{url}: the server doesn't say that it knows {name}");
        }
        let params = header.params.share().map_err(|e| self.error(e))?;
        let frame_rate = header.frame_rate.map(Rate::as_f64);
        self.streams.push(PublishedStream {
            codec,
            params,
            frame_rate,
            configuration: None,
            is_renewed: false,
        });
        Ok(self.streams.len() - 1)
    }

    fn write_header(&mut self) -> Result<()> {
        let metadata = metadata(&self.streams);
        self.send(Kind::Metadata, 0, metadata)?;
        (0..self.streams.len()).try_for_each(|number| self.send_configuration(number, 0, None))
    }

    fn time_base(&self, _number: usize) -> TimeBase {
        TimeBase::MILLIS
    }

    fn configure(&mut self, number: usize, configuration: &StreamConfiguration) -> Result<()> {
        let params = configuration.params.share().map_err(|e| self.error(e))?;
        if let Some(stream) = self.streams.get_mut(number) {
            stream.params = params;
            stream.is_renewed = true;
        }
        Ok(())
    }

    fn write(&mut self, packet: &mut AvPacket) -> Result<()> {
        let dts = packet.dts().or(packet.pts()).unwrap_or(0);
        let shift = *self.shift_ms.get_or_insert((-dts).max(0));
        let at_ms = dts.saturating_add(shift).max(0);
        let number = packet.stream();
        self.send_configuration(number, at_ms, Some(packet))?;
        let Some(stream) = self.streams.get(number) else { return Ok(()) };
        let data = stream.payload(packet);
        if data.is_empty() {
            return Ok(());
        }
        let data = Bytes::copy_from_slice(&data);
        let (kind, body) = match stream.codec {
            FlvCodec::Video(codec) => {
                let shown_after = packet.pts().unwrap_or(dts).saturating_sub(dts);
                let shown_after = i32::try_from(shown_after).unwrap_or(0);
                let kind = VideoPacketKind::Frame;
                (Kind::Video, video_body(codec, kind, packet.is_key(), shown_after, data))
            }
            FlvCodec::Audio(codec) => {
                let flags = sound_flags(codec, &stream.params);
                (Kind::Audio, audio_body(codec, AudioPacketKind::Frame, flags, data))
            }
        };
        body.map_or(Ok(()), |body| self.send(kind, at_ms, body))
    }

    fn shift(&self) -> Option<Timestamp> {
        self.shift_ms.map(|shift| TimeBase::MILLIS.at(shift))
    }

    fn size(&self) -> Option<u64> {
        Some(self.sent_bytes)
    }

    fn finish(&mut self) -> Result<()> {
        match self.connection.take() {
            Some(connection) => connection.finish().map_err(|fault| self.fault(fault)),
            None => Ok(()),
        }
    }
}

impl FlvCodec {
    /// The four characters of a codec that FLV has no number for.
    fn only_enhanced(self) -> Option<[u8; 4]> {
        match self {
            FlvCodec::Video(VideoCodec::Avc)
            | FlvCodec::Audio(AudioCodec::Aac | AudioCodec::Mp3) => None,
            FlvCodec::Video(codec) => codec.four_cc(),
            FlvCodec::Audio(codec) => codec.four_cc(),
        }
    }

    /// As metadata has it: FLV's number, or the four characters as one.
    fn number(self) -> f64 {
        match (self, self.only_enhanced()) {
            (_, Some(four_cc)) => u32::from_be_bytes(four_cc).into(),
            (FlvCodec::Video(VideoCodec::Legacy(number)), _)
            | (FlvCodec::Audio(AudioCodec::Legacy(number)), _) => number.into(),
            (FlvCodec::Video(_), _) => 7.0,
            (FlvCodec::Audio(AudioCodec::Mp3), _) => 2.0,
            (FlvCodec::Audio(_), _) => 10.0,
        }
    }
}

impl PublishedStream {
    /// The decoder's configuration as a sequence header has it, where the codec has one and it is
    /// known; `packet` may tell what the encoder didn't.
    fn configuration_of(&self, packet: Option<&AvPacket>) -> Result<Option<Bytes>, AvError> {
        if !self.is_renewed && self.configuration.is_some() {
            return Ok(self.configuration.clone());
        }
        let extradata = self.params.extradata();
        let own = |bytes: &[u8]| Ok((!bytes.is_empty()).then(|| Bytes::copy_from_slice(bytes)));
        let name = match self.codec {
            FlvCodec::Video(VideoCodec::Avc) => *b"avcC",
            FlvCodec::Video(VideoCodec::Hevc) => *b"hvcC",
            FlvCodec::Video(VideoCodec::Av1) => *b"av1C",
            FlvCodec::Video(VideoCodec::Vp9) => *b"vpcC",
            FlvCodec::Video(_) => return Ok(None),
            FlvCodec::Audio(AudioCodec::Aac) if extradata.is_empty() => {
                let found = packet.and_then(|p| aac::adts_configuration(p.data()));
                return Ok(found.map(|(config, _)| Bytes::copy_from_slice(&config)));
            }
            FlvCodec::Audio(AudioCodec::Aac | AudioCodec::Opus) => return own(extradata),
            FlvCodec::Audio(_) => return Ok(None),
        };
        // As MP4 has it already; AV1's begins with a marker.
        let is_record = match &name {
            b"avcC" | b"hvcC" => extradata.first() == Some(&1),
            b"av1C" => extradata.first() == Some(&0x81),
            _ => false,
        };
        if is_record {
            return own(extradata);
        }
        // Parameter sets may stand in the first keyframe alone.
        let in_packet = packet.filter(|p| p.is_key()).map_or(&[][..], AvPacket::data);
        let source = if extradata.is_empty() { in_packet } else { extradata };
        if source.is_empty() {
            return Ok(None);
        }
        let mut params = self.params.share()?;
        params.set_extradata(if &name == b"vpcC" { &[] } else { source })?;
        let found = configuration_box(&params, name)?.map(Bytes::from);
        // MP4's box of VP9 begins with a version, which the record is without.
        Ok(found.map(|b| if &name == b"vpcC" { b.slice(b.len().min(4)..) } else { b }))
    }

    /// The packet's bytes as FLV has them.
    fn payload<'a>(&self, packet: &'a AvPacket) -> Cow<'a, [u8]> {
        let data = packet.data();
        match self.codec {
            FlvCodec::Video(VideoCodec::Avc | VideoCodec::Hevc) => {
                // A configuration with lengths goes with packets that have them.
                let has_lengths = self.params.extradata().first() == Some(&1);
                if !has_lengths && bitstream::has_start_codes(data) {
                    return bitstream::with_lengths(data).into();
                }
                data.into()
            }
            FlvCodec::Video(VideoCodec::Av1) => bitstream::without_temporal_delimiter(data).into(),
            FlvCodec::Audio(AudioCodec::Aac) if self.params.extradata().is_empty() => {
                let header = aac::adts_configuration(data).map_or(0, |(_, size)| size);
                data.get(header..).unwrap_or_default().into()
            }
            _ => data.into(),
        }
    }
}

fn video_body(
    codec: VideoCodec,
    kind: VideoPacketKind,
    keyframe: bool,
    composition_time_ms: i32,
    data: Bytes,
) -> Option<Bytes> {
    if let VideoCodec::Legacy(number) = codec {
        let mut body = BytesMut::with_capacity(1 + data.len());
        body.put_u8(if keyframe { 0x10 } else { 0x20 } | number);
        body.put_slice(&data);
        return Some(body.freeze());
    }
    let enhanced = codec != VideoCodec::Avc;
    let (timestamp_offset_ns, track) = (0, None);
    VideoTag {
        codec,
        kind,
        keyframe,
        composition_time_ms,
        timestamp_offset_ns,
        track,
        enhanced,
        data,
    }
    .body()
}

fn audio_body(
    codec: AudioCodec,
    kind: AudioPacketKind,
    flags: Option<u8>,
    data: Bytes,
) -> Option<Bytes> {
    AudioTag { codec, kind, flags, timestamp_offset_ns: 0, track: None, data }.body()
}

/// FLV's first byte of sound: codec, rate, size of samples, channels. FLV 10.1, section E.4.2.1.
fn sound_flags(codec: AudioCodec, params: &CodecParams) -> Option<u8> {
    let stereo = u8::from(params.channels() > 1);
    let rate = match params.sample_rate() {
        0..=5_512 => 0,
        5_513..=11_025 => 1,
        11_026..=22_050 => 2,
        // There is no number for 48 kHz: decoders look at the frame itself.
        _ => 3,
    };
    match codec {
        // Always so, whatever the configuration says.
        AudioCodec::Aac => Some(0xAF),
        AudioCodec::Mp3 if params.sample_rate() == 8_000 => Some(14 << 4 | 2 | stereo),
        AudioCodec::Mp3 => Some(2 << 4 | rate << 2 | 2 | stereo),
        AudioCodec::Legacy(11) => Some(11 << 4 | 1 << 2 | 2),
        AudioCodec::Legacy(number) => Some(number << 4 | rate << 2 | 2 | stereo),
        _ => None,
    }
}

/// `onMetaData`. FLV 10.1, section E.5; Enhanced RTMP v2 for the numbers of its codecs.
fn metadata(streams: &[PublishedStream]) -> Bytes {
    let mut properties: Vec<(String, Value)> = Vec::new();
    let mut set = |name: &str, value: Value| properties.push((name.to_owned(), value));
    set("duration", 0.0.into());
    for stream in streams {
        let params = &stream.params;
        // Kilobits, and bit rates are far from what a double can't hold.
        let rate = params.bit_rate() as f64 / 1000.0;
        match stream.codec {
            FlvCodec::Video(_) => {
                set("width", f64::from(params.width()).into());
                set("height", f64::from(params.height()).into());
                set("videodatarate", rate.into());
                if let Some(frame_rate) = stream.frame_rate {
                    set("framerate", frame_rate.into());
                }
                set("videocodecid", stream.codec.number().into());
            }
            FlvCodec::Audio(_) => {
                set("audiodatarate", rate.into());
                set("audiosamplerate", f64::from(params.sample_rate()).into());
                set("audiosamplesize", 16.0.into());
                set("stereo", (params.channels() > 1).into());
                set("audiocodecid", stream.codec.number().into());
            }
        }
    }
    set("encoder", concat!("Frameloom ", env!("CARGO_PKG_VERSION")).into());
    let mut out = BytesMut::new();
    amf0::encode(&"onMetaData".into(), &mut out);
    amf0::encode(&Value::EcmaArray(properties), &mut out);
    out.freeze()
}
