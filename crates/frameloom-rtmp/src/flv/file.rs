//! FLV files and HTTP-FLV: FLV 10.1, sections E.2 to E.4.1.

use bytes::{Buf, Bytes, BytesMut};

use super::FlvError;
use crate::message::kind;

/// What a tag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// For [`AudioPacket`](super::AudioPacket).
    Audio,
    /// For [`VideoPacket`](super::VideoPacket).
    Video,
    /// AMF0: a name and a value, mostly `onMetaData`.
    Script,
}

/// One tag of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlvTag {
    /// What it holds.
    pub kind: TagKind,
    /// Decoding time in milliseconds; it wraps after 2^32, for [`TimestampUnwrapper`](crate::Timeline).
    pub timestamp_ms: u32,
    /// The tag's body, at most 16,777,215 bytes.
    pub data: Bytes,
}

/// A file's first 13 bytes: the header, and the zero size of the tag before the first.
#[must_use]
pub fn file_header(audio: bool, video: bool) -> [u8; 13] {
    let flags = u8::from(audio) << 2 | u8::from(video);
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// What stands before a tag's body of `length` bytes, of which the low 24 bits are written.
#[must_use]
pub fn tag_header(kind: TagKind, timestamp_ms: u32, length: usize) -> [u8; 11] {
    let kind = match kind {
        TagKind::Audio => kind::AUDIO,
        TagKind::Video => kind::VIDEO,
        TagKind::Script => kind::DATA_AMF0,
    };
    let [.., l2, l1, l0] = length.to_be_bytes();
    let [t3, t2, t1, t0] = timestamp_ms.to_be_bytes();
    [kind, l2, l1, l0, t2, t1, t0, t3, 0, 0, 0]
}

/// What stands after a tag's body of `length` bytes.
#[must_use]
pub fn tag_trailer(length: usize) -> [u8; 4] {
    // The cast drops nothing of a length that a tag can have.
    (length as u32).wrapping_add(11).to_be_bytes()
}

/// Tags out of bytes that come in pieces of any size.
#[derive(Debug)]
pub struct FlvReader {
    buffer: BytesMut,
    limit_bytes: usize,
    /// Bytes of the header or a trailer that are still to be passed over.
    skip: usize,
    started: bool,
}

impl FlvReader {
    /// A reader from a file's first byte on, for tags of at most `limit_bytes`.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        FlvReader { buffer: BytesMut::new(), limit_bytes, skip: 0, started: false }
    }

    /// Takes bytes. Poll until there is no tag before the next ones.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next tag, or `None` where more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`FlvError`] where this is no FLV, or a tag passes the limit. Nothing can be read after.
    pub fn poll(&mut self) -> Result<Option<FlvTag>, FlvError> {
        if !self.started {
            let Some(header) = self.buffer.first_chunk::<9>() else {
                let length = self.buffer.len().min(4);
                let wrong = self.buffer[..length] != b"FLV\x01"[..length];
                return if wrong { Err(FlvError::Signature) } else { Ok(None) };
            };
            let [b'F', b'L', b'V', 1, _, o3, o2, o1, o0] = *header else {
                return Err(FlvError::Signature);
            };
            let offset = u32::from_be_bytes([o3, o2, o1, o0]);
            // A header longer than 9 bytes is passed over, one shorter than itself is none.
            if !(9..=1024).contains(&offset) {
                return Err(FlvError::Signature);
            }
            self.skip = offset as usize + 4;
            self.started = true;
        }
        let skipped = self.skip.min(self.buffer.len());
        self.buffer.advance(skipped);
        self.skip -= skipped;
        let Some(header) = self.buffer.first_chunk::<11>().copied() else {
            return Ok(None);
        };
        let [tag, l2, l1, l0, t2, t1, t0, t3, ..] = header;
        let kind = match tag & 0x3F {
            kind::AUDIO => TagKind::Audio,
            kind::VIDEO => TagKind::Video,
            kind::DATA_AMF0 => TagKind::Script,
            _ => return Err(FlvError::TagType(tag)),
        };
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if length > self.limit_bytes {
            return Err(FlvError::Length(length));
        }
        if self.buffer.len() < 11 + length {
            return Ok(None);
        }
        self.buffer.advance(11);
        self.skip = 4;
        Ok(Some(FlvTag {
            kind,
            timestamp_ms: u32::from_be_bytes([t3, t2, t1, t0]),
            data: self.buffer.split_to(length).freeze(),
        }))
    }
}
