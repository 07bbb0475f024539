//! Video tags: FLV 10.1, section E.4.3; Enhanced RTMP v2, "Enhanced Video".

use bytes::{BufMut, Bytes, BytesMut};

use super::{FlvError, FourCc, enhanced, modifiers, take_array, take_u8};

/// A video codec. `hvc1` and FLV's unofficial 12 are one here, as are all such pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VideoCodec {
    /// H.264: 7 or `avc1`.
    Avc,
    /// H.265: `hvc1`, or 12 as Chinese platforms had it before.
    Hevc,
    /// `av01`, or 13.
    Av1,
    /// `vp08`.
    Vp8,
    /// `vp09`.
    Vp9,
    /// FLV's own number: 2 Sorenson H.263, 3 and 6 Screen Video, 4 and 5 VP6.
    Legacy(u8),
    /// Any other four characters.
    Other(FourCc),
}

impl VideoCodec {
    /// The codec's four characters in Enhanced RTMP; `None` for FLV's old ones.
    #[must_use]
    pub fn four_cc(self) -> Option<FourCc> {
        Some(match self {
            VideoCodec::Avc => *b"avc1",
            VideoCodec::Hevc => *b"hvc1",
            VideoCodec::Av1 => *b"av01",
            VideoCodec::Vp8 => *b"vp08",
            VideoCodec::Vp9 => *b"vp09",
            VideoCodec::Other(four_cc) => four_cc,
            VideoCodec::Legacy(_) => return None,
        })
    }

    fn from_four_cc(four_cc: FourCc) -> Self {
        match &four_cc {
            b"avc1" => VideoCodec::Avc,
            b"hvc1" => VideoCodec::Hevc,
            b"av01" => VideoCodec::Av1,
            b"vp08" => VideoCodec::Vp8,
            b"vp09" => VideoCodec::Vp9,
            _ => VideoCodec::Other(four_cc),
        }
    }

    fn has_composition_time(self) -> bool {
        matches!(self, VideoCodec::Avc | VideoCodec::Hevc) || self == VideoCodec::Other(*b"vvc1")
    }
}

/// What a video packet's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VideoPacketKind {
    /// The decoder's configuration: avcC, hvcC, av1C or vpcC, as in MP4.
    SequenceHeader,
    /// One coded frame, with lengths before its NAL units where the codec has such.
    Frame,
    /// No more of this sequence; no data.
    SequenceEnd,
    /// AMF0: a name and a value, such as `colorInfo`.
    Metadata,
    /// An AV1 descriptor as in MPEG-2 TS.
    Mpeg2TsSequenceHeader,
    /// A message to players: 0 seeking starts, 1 it ends. No frame.
    Command(u8),
}

/// A video tag's body, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoTag {
    /// The codec.
    pub codec: VideoCodec,
    /// What `data` is.
    pub kind: VideoPacketKind,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// Presentation minus decoding time, in milliseconds: −8,388,608 to 8,388,607.
    pub composition_time_ms: i32,
    /// To be added to the message's time, in nanoseconds: 0 to 999,999.
    pub timestamp_offset_ns: u32,
    /// The track, where there may be several. Of several in one packet the first is taken.
    /// Publishers send their main one as `None` or 0, and the others in packets of their own.
    pub track: Option<u8>,
    /// Whether the tag is in Enhanced RTMP's form.
    pub enhanced: bool,
    /// The codec's bytes.
    pub data: Bytes,
}

const MULTITRACK: u8 = 6;

impl VideoTag {
    /// Reads a video tag's or message's body. Nothing is copied.
    ///
    /// # Errors
    ///
    /// [`FlvError::Truncated`], and [`FlvError::PacketType`] for one of no known meaning.
    pub fn parse(body: &Bytes) -> Result<VideoTag, FlvError> {
        let mut data = body.clone();
        let first = take_u8(&mut data)?;
        let frame_type = first >> 4 & 7;
        if first & 0x80 == 0 {
            return legacy(frame_type, first & 0x0F, data);
        }
        let (packet_type, offset_ns) = modifiers(&mut data, first & 0x0F)?;
        let keyframe = frame_type == 1;
        // A command has no codec, and neither frame nor track.
        if frame_type == 5 && packet_type != 4 {
            let kind = VideoPacketKind::Command(take_u8(&mut data)?);
            return Ok(VideoTag {
                codec: VideoCodec::Legacy(0),
                kind,
                keyframe: false,
                composition_time_ms: 0,
                timestamp_offset_ns: offset_ns,
                track: None,
                enhanced: true,
                data,
            });
        }
        let head = enhanced(&mut data, packet_type, offset_ns, MULTITRACK)?;
        let codec = VideoCodec::from_four_cc(head.four_cc);
        let mut composition_time_ms = 0;
        let kind = match head.packet_type {
            0 => VideoPacketKind::SequenceHeader,
            1 => {
                if codec.has_composition_time() {
                    composition_time_ms = signed24(take_array(&mut data)?);
                }
                VideoPacketKind::Frame
            }
            2 => VideoPacketKind::SequenceEnd,
            // As type 1 with a composition time of zero left out.
            3 => VideoPacketKind::Frame,
            4 => VideoPacketKind::Metadata,
            5 => VideoPacketKind::Mpeg2TsSequenceHeader,
            other => return Err(FlvError::PacketType(other)),
        };
        Ok(VideoTag {
            codec,
            kind,
            keyframe: keyframe && kind != VideoPacketKind::Metadata,
            composition_time_ms,
            timestamp_offset_ns: head.timestamp_offset_ns,
            track: head.track,
            enhanced: true,
            data,
        })
    }

    /// The body that says this: FLV's own form for H.264 unless `enhanced`, else Enhanced RTMP's
    /// with a single track. The modifier and the track are not written.
    ///
    /// `None` for FLV's old codecs, which are not written, for commands, and for a composition time
    /// that the form has no place for.
    #[must_use]
    pub fn body(&self) -> Option<Bytes> {
        let timed = self.codec.has_composition_time() && self.kind == VideoPacketKind::Frame;
        let range = if timed { -0x80_0000..=0x7F_FFFF } else { 0..=0 };
        if !range.contains(&self.composition_time_ms) {
            return None;
        }
        let mut out = BytesMut::with_capacity(8 + self.data.len());
        let frame_type = if self.keyframe { 1 << 4 } else { 2 << 4 };
        let time = &self.composition_time_ms.to_be_bytes()[1..];
        if self.codec == VideoCodec::Avc && !self.enhanced {
            out.put_u8(frame_type | 7);
            out.put_u8(match self.kind {
                VideoPacketKind::SequenceHeader => 0,
                VideoPacketKind::Frame => 1,
                VideoPacketKind::SequenceEnd => 2,
                _ => return None,
            });
            out.put_slice(time);
        } else {
            let packet_type = match self.kind {
                VideoPacketKind::SequenceHeader => 0,
                VideoPacketKind::Frame if timed && self.composition_time_ms == 0 => 3,
                VideoPacketKind::Frame => 1,
                VideoPacketKind::SequenceEnd => 2,
                VideoPacketKind::Metadata => 4,
                VideoPacketKind::Mpeg2TsSequenceHeader => 5,
                VideoPacketKind::Command(_) => return None,
            };
            out.put_u8(0x80 | frame_type | packet_type);
            out.put_slice(&self.codec.four_cc()?);
            if packet_type == 1 && timed {
                out.put_slice(time);
            }
        }
        out.put_slice(&self.data);
        Some(out.freeze())
    }
}

fn signed24([high, middle, low]: [u8; 3]) -> i32 {
    i32::from_be_bytes([high, middle, low, 0]) >> 8
}

fn legacy(frame_type: u8, codec: u8, mut data: Bytes) -> Result<VideoTag, FlvError> {
    let codec = match codec {
        7 => VideoCodec::Avc,
        12 => VideoCodec::Hevc,
        13 => VideoCodec::Av1,
        other => VideoCodec::Legacy(other),
    };
    let mut composition_time_ms = 0;
    let kind = if frame_type == 5 {
        VideoPacketKind::Command(take_u8(&mut data)?)
    } else if matches!(codec, VideoCodec::Legacy(_)) {
        VideoPacketKind::Frame
    } else {
        let packet_type = take_u8(&mut data)?;
        let time = signed24(take_array(&mut data)?);
        match packet_type {
            0 => VideoPacketKind::SequenceHeader,
            1 => {
                // Elsewhere the field has no meaning, and some encoders leave anything in it.
                composition_time_ms = time;
                VideoPacketKind::Frame
            }
            2 => VideoPacketKind::SequenceEnd,
            other => return Err(FlvError::PacketType(other)),
        }
    };
    Ok(VideoTag {
        codec,
        kind,
        // 4 is a keyframe that a server made from others.
        keyframe: matches!(frame_type, 1 | 4),
        composition_time_ms,
        timestamp_offset_ns: 0,
        track: None,
        enhanced: false,
        data,
    })
}
