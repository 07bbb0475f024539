//! FLV (Adobe Flash Video File Format 10.1, annex E): files and tags, and what a tag of audio or
//! video says of itself, Enhanced RTMP v1 and v2 included. RTMP's audio, video and data messages
//! are the bodies of such tags.

mod audio;
mod file;
mod script;
mod video;

use bytes::{Buf, Bytes};

pub use audio::{AudioCodec, AudioPacketKind, AudioTag};
pub use file::{FlvReader, FlvTag, TagKind, file_header, tag_header, tag_trailer};
pub use script::readable_script;
pub use video::{VideoCodec, VideoPacketKind, VideoTag};

/// Why bytes are not FLV, or nothing that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlvError {
    /// A tag's body ends within its header.
    #[error("the tag ends within its header")]
    Truncated,
    /// A file that doesn't start with `FLV` and version 1.
    #[error("no FLV signature")]
    Signature,
    /// A tag of encrypted media, or of no known type.
    #[error("tag type {0:#04x}")]
    TagType(u8),
    /// A tag longer than the limit.
    #[error("a tag of {0} bytes")]
    Length(usize),
    /// An Enhanced RTMP packet type with no known meaning.
    #[error("packet type {0}")]
    PacketType(u8),
}

/// Four characters that name a codec. Enhanced RTMP v1.
pub type FourCc = [u8; 4];

fn take_u8(data: &mut Bytes) -> Result<u8, FlvError> {
    take_array::<1>(data).map(|[byte]| byte)
}

fn take_array<const N: usize>(data: &mut Bytes) -> Result<[u8; N], FlvError> {
    let head = *data.first_chunk::<N>().ok_or(FlvError::Truncated)?;
    data.advance(N);
    Ok(head)
}

fn take_u24(data: &mut Bytes) -> Result<u32, FlvError> {
    take_array::<3>(data).map(|[high, middle, low]| u32::from_be_bytes([0, high, middle, low]))
}

fn take(data: &mut Bytes, count: usize) -> Result<Bytes, FlvError> {
    if count > data.len() {
        return Err(FlvError::Truncated);
    }
    Ok(data.split_to(count))
}

/// What Enhanced RTMP v2 puts before a packet of audio or video alike.
struct EnhancedHeader {
    packet_type: u8,
    four_cc: FourCc,
    track: Option<u8>,
    timestamp_offset_ns: u32,
}

const MULTITRACK_MANY: u8 = 1;
const MULTITRACK_MANY_CODECS: u8 = 2;
const MODIFIER: u8 = 7;

/// Reads modifiers from `data`: they come first, and the packet type proper follows the last.
fn modifiers(data: &mut Bytes, mut packet_type: u8) -> Result<(u8, u32), FlvError> {
    let mut offset_ns = 0;
    while packet_type == MODIFIER {
        let mut size = usize::from(take_u8(data)?) + 1;
        if size == 256 {
            size = usize::from(u16::from_be_bytes(take_array(data)?)) + 1;
        }
        let mut modifier = take(data, size)?;
        let next = take_u8(data)?;
        if next >> 4 == 0 {
            offset_ns = take_u24(&mut modifier).unwrap_or(0).min(999_999);
        }
        packet_type = next & 0x0F;
    }
    Ok((packet_type, offset_ns))
}

/// Reads up to the codec's own bytes, and cuts `data` to the first track's.
fn enhanced(
    data: &mut Bytes,
    packet_type: u8,
    timestamp_offset_ns: u32,
    multitrack: u8,
) -> Result<EnhancedHeader, FlvError> {
    if packet_type != multitrack {
        let four_cc = take_array(data)?;
        return Ok(EnhancedHeader { packet_type, four_cc, track: None, timestamp_offset_ns });
    }
    let byte = take_u8(data)?;
    let (layout, packet_type) = (byte >> 4, byte & 0x0F);
    if packet_type == multitrack || layout > MULTITRACK_MANY_CODECS {
        return Err(FlvError::PacketType(packet_type));
    }
    let four_cc = take_array(data)?;
    let track = Some(take_u8(data)?);
    if matches!(layout, MULTITRACK_MANY | MULTITRACK_MANY_CODECS) {
        let size = take_u24(data)? as usize;
        *data = take(data, size)?;
    }
    Ok(EnhancedHeader { packet_type, four_cc, track, timestamp_offset_ns })
}
