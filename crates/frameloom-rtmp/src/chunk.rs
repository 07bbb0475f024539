//! Chunks (RTMP 1.0, section 5.3): messages out of chunks, and chunks out of messages.

use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::message::{ControlMessage, Message, kind};
use crate::output::OutputBuffer;
use crate::{Error, Limits, Result};

/// The chunk size both sides start with, in bytes. Section 5.4.1.
pub const DEFAULT_CHUNK_SIZE: usize = 128;

/// A 24-bit timestamp field with this value says that 32 bits follow the header. Section 5.3.1.3.
const EXTENDED: u32 = 0xFF_FFFF;

/// The first room made for a message. More comes as bytes do, never because a header claims them:
/// a peer that opens every chunk stream with a header of 8 MiB gets this much for each.
const FIRST_ROOM: usize = 4096;

fn be24(bytes: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])
}

/// What is known of one chunk stream, and the message under way on it.
struct Assembly {
    chunk_stream: u32,
    /// Of the message under way, or of the last one.
    timestamp: u32,
    /// The last timestamp field: absolute after type 0, else a difference. A chunk of type 3 that
    /// starts a message adds it again (section 5.3.1.2.4), after type 0 too: FFmpeg and SRS do so.
    field: u32,
    /// The last header of type 0 to 2 had an extended timestamp.
    extended: bool,
    /// Whether chunks of type 3 repeat it, known from the first one.
    repeats: Option<bool>,
    length: usize,
    kind: u8,
    stream_id: u32,
    under_way: bool,
    data: Vec<u8>,
}

/// One side's incoming chunks. Set Chunk Size and Abort take effect here, and are returned too.
///
/// A header of type 0 to 2 in the middle of a message continues it where it names the same length,
/// type and stream (and, for type 0, timestamp); otherwise the unfinished message is dropped and a
/// new one starts. Chunks of type 3 may or may not repeat an extended timestamp.
pub struct ChunkReader {
    limits: Limits,
    chunk_size: usize,
    /// In the order in which they were opened. A connection has 3 to 6 of them, and at most
    /// [`Limits::chunk_streams`]: looking through is faster than any map.
    streams: Vec<Assembly>,
    /// A header of which the end has not come yet: at most 18 bytes.
    carry: Vec<u8>,
    /// The chunk under way: its place in `streams`, and the payload bytes it still lacks.
    chunk: Option<(usize, usize)>,
    held_bytes: usize,
    /// What else the connection holds, for the common limit.
    other_bytes: usize,
    /// What else of it came from the peer, for the limit of input.
    waiting_bytes: usize,
    /// Unfinished and waiting messages together. It is below the common limit until the peer is
    /// known for one that may publish.
    input_bytes: usize,
    dropped_messages: u64,
}

impl fmt::Debug for ChunkReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Unfinished messages may hold a stream key.
        f.debug_struct("ChunkReader")
            .field("chunk_size", &self.chunk_size)
            .field("chunk_streams", &self.streams.len())
            .field("held_bytes", &self.held_bytes)
            .field("dropped_messages", &self.dropped_messages)
            .finish_non_exhaustive()
    }
}

enum ChunkStep {
    /// The header is incomplete.
    More,
    /// So many bytes were used.
    Used(usize),
    /// So many bytes were used, and the message at this place in `streams` is complete.
    Complete(usize, usize),
}

impl ChunkReader {
    /// A reader for a connection's first chunk on.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        ChunkReader {
            input_bytes: limits.connection_bytes,
            limits,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            carry: Vec::with_capacity(18),
            chunk: None,
            held_bytes: 0,
            other_bytes: 0,
            waiting_bytes: 0,
            dropped_messages: 0,
        }
    }

    /// Bytes of unfinished messages.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes of memory that unfinished messages take: room is made ahead of what comes.
    pub(crate) fn room_bytes(&self) -> usize {
        self.streams.iter().map(|open| open.data.capacity()).sum()
    }

    pub(crate) fn set_other_bytes(&mut self, bytes: usize, waiting: usize) {
        self.other_bytes = bytes;
        self.waiting_bytes = waiting;
    }

    pub(crate) fn set_input_bytes(&mut self, bytes: usize) {
        self.input_bytes = bytes;
    }

    /// Messages that the peer never finished: aborted, or replaced by another half-way.
    #[must_use]
    pub fn dropped_messages(&self) -> u64 {
        self.dropped_messages
    }

    /// Reads from the front of `input` until a message is complete, or `input` is used up (`None`).
    ///
    /// # Errors
    ///
    /// [`Error`] where the chunks make no sense or a limit is passed. Nothing can be read after.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>> {
        loop {
            let step = if self.carry.is_empty() {
                if input.is_empty() {
                    return Ok(None);
                }
                let step = self.step(input)?;
                match step {
                    ChunkStep::More => {
                        self.carry.extend_from_slice(input);
                        *input = &[];
                        return Ok(None);
                    }
                    ChunkStep::Used(used) | ChunkStep::Complete(used, _) => {
                        *input = input.get(used..).unwrap_or_default();
                    }
                }
                step
            } else {
                let mut carry = std::mem::take(&mut self.carry);
                let step = self.step(&carry);
                match step {
                    Ok(ChunkStep::Used(used) | ChunkStep::Complete(used, _)) => {
                        carry.drain(..used);
                    }
                    Ok(ChunkStep::More) => match input.split_first() {
                        Some((&byte, rest)) => {
                            carry.push(byte);
                            *input = rest;
                        }
                        None => {
                            self.carry = carry;
                            return Ok(None);
                        }
                    },
                    Err(_) => {}
                }
                self.carry = carry;
                step?
            };
            if let ChunkStep::Complete(_, index) = step {
                return self.complete(index).map(Some);
            }
        }
    }

    fn step(&mut self, input: &[u8]) -> Result<ChunkStep> {
        let Some((index, lacking)) = self.chunk else {
            return self.header(input);
        };
        let assembly = &mut self.streams[index];
        let count = lacking.min(input.len());
        if self.held_bytes + self.other_bytes + count > self.limits.connection_bytes {
            return Err(Error::ConnectionBytes(self.limits.connection_bytes));
        }
        if self.held_bytes + self.waiting_bytes + count > self.input_bytes {
            return Err(Error::ConnectionBytes(self.input_bytes));
        }
        let data = &mut assembly.data;
        if data.capacity() - data.len() < count {
            let room = FIRST_ROOM.max(data.len()).max(count);
            data.reserve_exact(room.min(assembly.length - data.len()));
        }
        data.extend_from_slice(&input[..count]);
        self.held_bytes += count;
        if count < lacking {
            self.chunk = Some((index, lacking - count));
            return Ok(ChunkStep::Used(count));
        }
        self.chunk = None;
        if data.len() < assembly.length {
            return Ok(ChunkStep::Used(count));
        }
        Ok(ChunkStep::Complete(count, index))
    }

    fn header(&mut self, input: &[u8]) -> Result<ChunkStep> {
        let Some((format, chunk_stream, basic)) = basic_header(input) else {
            return Ok(ChunkStep::More);
        };
        let fields = &input[basic..];
        let size = [11, 7, 3, 0][usize::from(format)];
        if fields.len() < size {
            return Ok(ChunkStep::More);
        }
        let known = self.streams.iter().position(|open| open.chunk_stream == chunk_stream);
        if known.is_none() {
            // Type 1 without a type 0 before it is against the letter, but some clients begin a
            // chunk stream so (librtmp's pings); all that is missing is a stream id, and it is 0.
            if format > 1 {
                return Err(Error::NoHeader { chunk_stream, format });
            }
            if self.streams.len() >= self.limits.chunk_streams {
                return Err(Error::ChunkStreams(self.limits.chunk_streams));
            }
        }
        let mut used = basic + size;
        let mut field = fields.first_chunk().copied().map_or(0, be24);
        let mut extended = false;
        if format < 3 && field == EXTENDED {
            let Some(word) = input.get(used..).and_then(<[u8]>::first_chunk) else {
                return Ok(ChunkStep::More);
            };
            field = u32::from_be_bytes(*word);
            extended = true;
            used += 4;
        }
        let length = fields.get(3..).and_then(<[u8]>::first_chunk).copied().map_or(0, be24);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let kind = fields.get(6).copied().unwrap_or(0);
        let stream_id = fields.get(7..).and_then(<[u8]>::first_chunk).copied();
        let stream_id = stream_id.map_or(0, u32::from_le_bytes);
        if format <= 1 && length > self.limits.message_bytes {
            return Err(Error::MessageLength { length, limit: self.limits.message_bytes });
        }

        let index = known.unwrap_or_else(|| {
            self.streams.push(Assembly::new(chunk_stream));
            self.streams.len() - 1
        });
        let assembly = &mut self.streams[index];
        if format == 3 && assembly.extended {
            match assembly.repeated(&input[used..]) {
                None => return Ok(ChunkStep::More),
                Some(true) => used += 4,
                Some(false) => {}
            }
        }
        if assembly.under_way {
            let same = match format {
                0 => {
                    (length, kind, stream_id, field)
                        == (assembly.length, assembly.kind, assembly.stream_id, assembly.timestamp)
                }
                1 => (length, kind) == (assembly.length, assembly.kind),
                _ => true,
            };
            if !same {
                self.held_bytes -= assembly.data.len();
                assembly.data = Vec::new();
                assembly.under_way = false;
                self.dropped_messages += 1;
            }
        }
        if format < 3 {
            assembly.extended = extended;
            assembly.repeats = None;
            if !assembly.under_way {
                assembly.field = field;
            }
        }
        if !assembly.under_way {
            assembly.under_way = true;
            if format <= 1 {
                assembly.length = length;
                assembly.kind = kind;
            }
            if format == 0 {
                assembly.stream_id = stream_id;
                assembly.timestamp = field;
            } else {
                assembly.timestamp = assembly.timestamp.wrapping_add(assembly.field);
            }
        }
        let lacking = assembly.length - assembly.data.len();
        if lacking == 0 {
            return Ok(ChunkStep::Complete(used, index));
        }
        self.chunk = Some((index, lacking.min(self.chunk_size)));
        Ok(ChunkStep::Used(used))
    }

    fn complete(&mut self, index: usize) -> Result<Message> {
        let assembly = &mut self.streams[index];
        assembly.under_way = false;
        let payload = Bytes::from(std::mem::take(&mut assembly.data));
        self.held_bytes -= payload.len();
        let message = Message {
            chunk_stream: assembly.chunk_stream,
            timestamp: assembly.timestamp,
            kind: assembly.kind,
            stream_id: assembly.stream_id,
            payload,
        };
        if matches!(message.kind, kind::SET_CHUNK_SIZE | kind::ABORT) {
            match ControlMessage::parse(&message)? {
                Some(ControlMessage::SetChunkSize(size)) => {
                    self.chunk_size = usize::try_from(size).unwrap_or(usize::MAX);
                }
                Some(ControlMessage::Abort(aborted)) => self.abort(aborted),
                _ => {}
            }
        }
        Ok(message)
    }

    fn abort(&mut self, chunk_stream: u32) {
        let open = self.streams.iter_mut().find(|open| open.chunk_stream == chunk_stream);
        if let Some(assembly) = open.filter(|open| open.under_way) {
            assembly.under_way = false;
            self.held_bytes -= assembly.data.len();
            assembly.data = Vec::new();
            self.dropped_messages += 1;
        }
    }
}

impl Assembly {
    fn new(chunk_stream: u32) -> Self {
        Assembly {
            chunk_stream,
            timestamp: 0,
            field: 0,
            extended: false,
            repeats: None,
            length: 0,
            kind: 0,
            stream_id: 0,
            under_way: false,
            data: Vec::new(),
        }
    }

    /// Whether the bytes after a header of type 3 repeat the extended timestamp, or `None` where
    /// there are too few to tell. FFmpeg and librtmp repeat the field as it stood in the last full
    /// header, others write the message's absolute time, and old encoders repeat nothing.
    fn repeated(&mut self, bytes: &[u8]) -> Option<bool> {
        if self.repeats == Some(false) {
            return Some(false);
        }
        let head = &bytes[..bytes.len().min(4)];
        let repeats = self.repeats == Some(true)
            || self.field.to_be_bytes().starts_with(head)
            || (self.under_way && self.timestamp.to_be_bytes().starts_with(head));
        if repeats && head.len() < 4 {
            return None;
        }
        self.repeats = Some(repeats);
        Some(repeats)
    }
}

/// The type, the chunk stream and the size of a basic header. Section 5.3.1.1.
fn basic_header(input: &[u8]) -> Option<(u8, u32, usize)> {
    let first = *input.first()?;
    let format = first >> 6;
    Some(match first & 0x3F {
        0 => (format, 64 + u32::from(*input.get(1)?), 2),
        1 => {
            let [low, high] = *input.get(1..)?.first_chunk::<2>()?;
            (format, 64 + u32::from(u16::from_le_bytes([low, high])), 3)
        }
        id => (format, id.into(), 1),
    })
}

/// What the last message on a chunk stream was.
#[derive(Clone, Copy, Debug)]
struct LastMessage {
    chunk_stream: u32,
    timestamp: u32,
    /// The last difference, where the last header had one.
    delta: Option<u32>,
    length: u32,
    kind: u8,
    stream_id: u32,
}

/// Chunk streams on which a player is sent anything: control, commands, audio, data, video.
const USUAL_STREAMS: usize = 5;

/// One side's outgoing chunks, with the shortest headers that every known reader takes the same
/// way. Payloads above some hundred bytes are not copied: their slices go into the output.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_size: usize,
    /// In the order of their first messages; a handful, as in [`ChunkReader`]. With hundreds of
    /// players each packet finds none of this in the cache, so it is all in one place.
    streams: SmallVec<[LastMessage; USUAL_STREAMS]>,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        ChunkWriter { chunk_size: DEFAULT_CHUNK_SIZE, streams: SmallVec::new() }
    }
}

/// Up to here a payload is copied beside its header: cheaper than a piece of its own, which counts
/// references in memory that all players share and takes an entry of its own in each write.
const COPIED_BYTES: usize = 512;

/// A header's most bytes: basic header, message header, extended timestamp.
const HEADER_BYTES: usize = 3 + 11 + 4;

/// A header while it is made. It has its place on the stack, and goes into the output at once.
#[derive(Default)]
struct ChunkHeader {
    bytes: [u8; HEADER_BYTES],
    length: usize,
}

impl ChunkHeader {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(bytes);
            self.length = end;
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl ChunkWriter {
    /// A writer for a connection's first chunk on.
    #[must_use]
    pub fn new() -> Self {
        ChunkWriter::default()
    }

    /// Appends `message`'s chunks to `output`. A Set Chunk Size takes effect after itself.
    ///
    /// # Errors
    ///
    /// [`Error::MessageLength`] above the 16,777,215 bytes that a header can say;
    /// [`Error::ChunkStreams`] for a chunk stream id outside 2 to 65,599; that of
    /// [`ControlMessage::parse`] for an impossible Set Chunk Size. Nothing is written then.
    pub fn write(&mut self, message: &Message, output: &mut OutputBuffer) -> Result<()> {
        self.write_owned(message.clone(), output)
    }

    /// The same without another reference to the payload. References to one payload that goes to
    /// many players are counted in one place, for which their threads compete.
    pub(crate) fn write_owned(
        &mut self,
        message: Message,
        output: &mut OutputBuffer,
    ) -> Result<()> {
        let length = message.payload.len();
        if length > 0xFF_FFFF {
            return Err(Error::MessageLength { length, limit: 0xFF_FFFF });
        }
        if !(2..=65_599).contains(&message.chunk_stream) {
            return Err(Error::ChunkStreams(65_599));
        }
        let new_size = match message.kind {
            kind::SET_CHUNK_SIZE => ControlMessage::parse(&message)?,
            _ => None,
        };
        let mut header = ChunkHeader::default();
        let extended = self.first_header(&message, &mut header);
        output.put(header.as_slice());
        let mut rest = message.payload;
        if rest.len() > self.chunk_size {
            let mut header = ChunkHeader::default();
            put_basic(3, message.chunk_stream, &mut header);
            if let Some(field) = extended {
                header.put(&field.to_be_bytes());
            }
            while rest.len() > self.chunk_size {
                put_payload(rest.split_to(self.chunk_size), output);
                output.put(header.as_slice());
            }
        }
        // The last piece is the payload itself: another reference would have to be counted.
        put_payload(rest, output);
        if let Some(ControlMessage::SetChunkSize(size)) = new_size {
            self.chunk_size = usize::try_from(size).unwrap_or(usize::MAX);
        }
        Ok(())
    }

    /// Writes the header and returns its extended timestamp.
    fn first_header(&mut self, message: &Message, out: &mut ChunkHeader) -> Option<u32> {
        let Message { chunk_stream, timestamp, kind, stream_id, .. } = *message;
        // Longer ones were refused.
        let length = message.payload.len() as u32;
        let known = self.streams.iter_mut().find(|last| last.chunk_stream == chunk_stream);
        // A time that steps back is a huge difference here, and goes out in full.
        let delta = known
            .as_ref()
            .filter(|last| last.stream_id == stream_id)
            .map(|last| (**last, timestamp.wrapping_sub(last.timestamp)))
            .filter(|(_, delta)| *delta < EXTENDED);
        let (format, field) = match delta {
            None => (0, timestamp),
            Some((last, delta)) if (last.length, last.kind) != (length, kind) => (1, delta),
            // Readers disagree on what type 3 means right after type 0, hence the `Some`.
            Some((last, delta)) if last.delta == Some(delta) => (3, delta),
            Some((_, delta)) => (2, delta),
        };
        let delta = delta.map(|(_, delta)| delta);
        let this = LastMessage { chunk_stream, timestamp, delta, length, kind, stream_id };
        match known {
            Some(last) => *last = this,
            None => self.streams.push(this),
        }

        put_basic(format, chunk_stream, out);
        let extended = (field >= EXTENDED).then_some(field);
        if format < 3 {
            out.put(&field.min(EXTENDED).to_be_bytes()[1..]);
        }
        if format < 2 {
            out.put(&length.to_be_bytes()[1..]);
            out.put(&[kind]);
        }
        if format < 1 {
            out.put(&stream_id.to_le_bytes());
        }
        if let Some(field) = extended {
            out.put(&field.to_be_bytes());
        }
        extended
    }
}

fn put_payload(piece: Bytes, output: &mut OutputBuffer) {
    if piece.len() <= COPIED_BYTES {
        output.put(&piece);
    } else {
        output.push(piece);
    }
}

fn put_basic(format: u8, chunk_stream: u32, out: &mut ChunkHeader) {
    let format = format << 6;
    match chunk_stream {
        // The casts keep the low bits, and each range fits.
        0..64 => out.put(&[format | chunk_stream as u8]),
        64..320 => out.put(&[format, (chunk_stream - 64) as u8]),
        _ => {
            let [low, high] = ((chunk_stream - 64) as u16).to_le_bytes();
            out.put(&[format | 1, low, high]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that claims the most on every chunk stream, and sends next to nothing.
    #[test]
    fn memory_follows_bytes_and_not_claims() {
        let mut reader = ChunkReader::new(Limits::default());
        let room = |reader: &ChunkReader| -> usize {
            reader.streams.iter().map(|open| open.data.capacity()).sum()
        };
        for id in 2_u8..64 {
            let header = [id, 0, 0, 0, 0x7F, 0xFF, 0xFF, 9, 1, 0, 0, 0];
            // A chunk has to be whole before the next stream's.
            let chunk = [&header[..], &[0; DEFAULT_CHUNK_SIZE]].concat();
            assert!(reader.read(&mut &chunk[..]).unwrap().is_none());
        }
        assert_eq!(reader.streams.len(), 62);
        assert!(room(&reader) <= 256 << 10);

        let mut reader = ChunkReader::new(Limits::default());
        let header = [4, 0, 0, 0, 0x7F, 0xFF, 0xFF, 9, 1, 0, 0, 0];
        reader.read(&mut &header[..]).unwrap();
        for _ in 0..8000 {
            reader.read(&mut &[0; DEFAULT_CHUNK_SIZE][..]).unwrap();
            reader.read(&mut &[0xC4][..]).unwrap();
            assert!(room(&reader) <= FIRST_ROOM.max(2 * reader.held_bytes()));
        }
        assert_eq!(reader.held_bytes(), 8000 * DEFAULT_CHUNK_SIZE);
    }
}
