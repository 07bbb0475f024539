//! Audio tags: FLV 10.1, section E.4.2; Enhanced RTMP v2, "Enhanced Audio".

use bytes::{BufMut, Bytes, BytesMut};

use super::{FlvError, FourCc, enhanced, modifiers, take_u8};

/// An audio codec. `mp4a` and FLV's 10 are one here, as are all such pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AudioCodec {
    /// 10 or `mp4a`.
    Aac,
    /// 2, 14 or `.mp3`.
    Mp3,
    /// `Opus`.
    Opus,
    /// `fLaC`.
    Flac,
    /// `ac-3`.
    Ac3,
    /// `ec-3`.
    Eac3,
    /// FLV's own number: 0 and 3 PCM, 1 ADPCM, 4 to 6 Nellymoser, 7 and 8 G.711, 11 Speex.
    Legacy(u8),
    /// Any other four characters.
    Other(FourCc),
}

impl AudioCodec {
    /// The codec's four characters in Enhanced RTMP; `None` for FLV's old ones.
    #[must_use]
    pub fn four_cc(self) -> Option<FourCc> {
        Some(match self {
            AudioCodec::Aac => *b"mp4a",
            AudioCodec::Mp3 => *b".mp3",
            AudioCodec::Opus => *b"Opus",
            AudioCodec::Flac => *b"fLaC",
            AudioCodec::Ac3 => *b"ac-3",
            AudioCodec::Eac3 => *b"ec-3",
            AudioCodec::Other(four_cc) => four_cc,
            AudioCodec::Legacy(_) => return None,
        })
    }

    fn from_four_cc(four_cc: FourCc) -> Self {
        match &four_cc {
            b"mp4a" => AudioCodec::Aac,
            b".mp3" => AudioCodec::Mp3,
            b"Opus" => AudioCodec::Opus,
            b"fLaC" => AudioCodec::Flac,
            b"ac-3" => AudioCodec::Ac3,
            b"ec-3" => AudioCodec::Eac3,
            _ => AudioCodec::Other(four_cc),
        }
    }
}

/// What an audio packet's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudioPacketKind {
    /// The decoder's configuration: AudioSpecificConfig, `OpusHead`, FLAC's STREAMINFO.
    SequenceHeader,
    /// One coded frame.
    Frame,
    /// No more of this sequence; no data.
    SequenceEnd,
    /// The order of channels.
    MultichannelConfig,
}

/// An audio tag's body, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioTag {
    /// The codec.
    pub codec: AudioCodec,
    /// What `data` is.
    pub kind: AudioPacketKind,
    /// FLV's first byte, for the rate, size and channels of its old codecs; AAC ignores them.
    /// `None` in Enhanced RTMP's form, which has none.
    pub flags: Option<u8>,
    /// To be added to the message's time, in nanoseconds: 0 to 999,999.
    pub timestamp_offset_ns: u32,
    /// The track, where there may be several. Of several in one packet the first is taken.
    /// Publishers send their main one as `None` or 0, and the others in packets of their own.
    pub track: Option<u8>,
    /// The codec's bytes.
    pub data: Bytes,
}

const MULTITRACK: u8 = 5;

impl AudioTag {
    /// Reads an audio tag's or message's body. Nothing is copied.
    ///
    /// # Errors
    ///
    /// [`FlvError::Truncated`], and [`FlvError::PacketType`] for one of no known meaning.
    pub fn parse(body: &Bytes) -> Result<AudioTag, FlvError> {
        let mut data = body.clone();
        let first = take_u8(&mut data)?;
        if first >> 4 == 9 {
            let (packet_type, offset_ns) = modifiers(&mut data, first & 0x0F)?;
            let head = enhanced(&mut data, packet_type, offset_ns, MULTITRACK)?;
            let kind = match head.packet_type {
                0 => AudioPacketKind::SequenceHeader,
                1 => AudioPacketKind::Frame,
                2 => AudioPacketKind::SequenceEnd,
                4 => AudioPacketKind::MultichannelConfig,
                other => return Err(FlvError::PacketType(other)),
            };
            return Ok(AudioTag {
                codec: AudioCodec::from_four_cc(head.four_cc),
                kind,
                flags: None,
                timestamp_offset_ns: head.timestamp_offset_ns,
                track: head.track,
                data,
            });
        }
        let codec = match first >> 4 {
            10 => AudioCodec::Aac,
            2 | 14 => AudioCodec::Mp3,
            other => AudioCodec::Legacy(other),
        };
        let kind = match codec {
            AudioCodec::Aac => match take_u8(&mut data)? {
                0 => AudioPacketKind::SequenceHeader,
                1 => AudioPacketKind::Frame,
                other => return Err(FlvError::PacketType(other)),
            },
            _ => AudioPacketKind::Frame,
        };
        let flags = Some(first);
        Ok(AudioTag { codec, kind, flags, timestamp_offset_ns: 0, track: None, data })
    }

    /// The body that says this: FLV's own form where `flags` is set, else Enhanced RTMP's with a
    /// single track. The modifier and the track are not written.
    ///
    /// `None` for an old codec without its flags, and for what FLV's own form can't say.
    #[must_use]
    pub fn body(&self) -> Option<Bytes> {
        let mut out = BytesMut::with_capacity(5 + self.data.len());
        let packet_type = match self.kind {
            AudioPacketKind::SequenceHeader => 0,
            AudioPacketKind::Frame => 1,
            AudioPacketKind::SequenceEnd => 2,
            AudioPacketKind::MultichannelConfig => 4,
        };
        match self.flags {
            None => {
                out.put_u8(9 << 4 | packet_type);
                out.put_slice(&self.codec.four_cc()?);
            }
            Some(flags) => {
                out.put_u8(flags);
                match (self.codec, packet_type) {
                    (AudioCodec::Aac, 0 | 1) => out.put_u8(packet_type),
                    (AudioCodec::Mp3 | AudioCodec::Legacy(_), 1) => {}
                    _ => return None,
                }
            }
        }
        out.put_slice(&self.data);
        Some(out.freeze())
    }
}
