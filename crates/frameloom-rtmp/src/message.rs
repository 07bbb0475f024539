//! RTMP messages (RTMP 1.0, sections 5.4, 6.1 and 7.1) and the control messages among them.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Error, Result};

/// Message type ids.
pub mod kind {
    /// Set Chunk Size, section 5.4.1.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message, section 5.4.2.
    pub const ABORT: u8 = 2;
    /// Acknowledgement, section 5.4.3.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control Message, section 6.2.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size, section 5.4.4.
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// Set Peer Bandwidth, section 5.4.5.
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio, section 7.1.4: the body of an FLV audio tag.
    pub const AUDIO: u8 = 8;
    /// Video, section 7.1.5: the body of an FLV video tag.
    pub const VIDEO: u8 = 9;
    /// Data in the AMF3 envelope, section 7.1.2.
    pub const DATA_AMF3: u8 = 15;
    /// A command in the AMF3 envelope, section 7.1.1.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data, section 7.1.2: the body of an FLV script tag.
    pub const DATA_AMF0: u8 = 18;
    /// A command, section 7.1.1.
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate, section 7.1.6: several FLV tags in one message.
    pub const AGGREGATE: u8 = 22;
}

/// One RTMP message, whole. `Debug` shows the payload's length only: it may hold a stream key.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The chunk stream it came on or goes on: 2 to 65,599.
    pub chunk_stream: u32,
    /// Milliseconds, as on the wire: it wraps after 2^32.
    pub timestamp: u32,
    /// The message type id, see [`kind`].
    pub kind: u8,
    /// The message stream it belongs to; 0 is the connection itself.
    pub stream_id: u32,
    /// The payload, at most 16,777,215 bytes.
    pub payload: Bytes,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("chunk_stream", &self.chunk_stream)
            .field("timestamp", &self.timestamp)
            .field("kind", &self.kind)
            .field("stream_id", &self.stream_id)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

/// How strictly a Set Peer Bandwidth is meant. Section 5.4.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BandwidthLimit {
    /// Exactly this window.
    Hard,
    /// This window, or the one in force where that is smaller.
    Soft,
    /// Hard where the last one was hard, otherwise to be ignored.
    Dynamic,
}

/// User control events. Section 6.2.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserControl {
    /// Event 0: the message stream is ready for use.
    StreamBegin(u32),
    /// Event 1: playback of the message stream is over.
    StreamEof(u32),
    /// Event 2: no data for now.
    StreamDry(u32),
    /// Event 3: the player's buffer, in milliseconds.
    SetBufferLength {
        /// The message stream.
        stream_id: u32,
        /// Milliseconds.
        buffer_ms: u32,
    },
    /// Event 4: the message stream is a recording.
    StreamIsRecorded(u32),
    /// Event 6: to be answered with the same time.
    PingRequest(u32),
    /// Event 7.
    PingResponse(u32),
    /// Any other event.
    Other(u16),
}

/// A protocol control message or a user control event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlMessage {
    /// The largest chunk payload the sender writes from now on: 1 to 2^31 − 1 bytes.
    SetChunkSize(u32),
    /// Drop what has been received of the message on this chunk stream.
    Abort(u32),
    /// Bytes received so far, wrapping after 2^32.
    Acknowledgement(u32),
    /// Bytes after which the sender wants an acknowledgement.
    WindowAckSize(u32),
    /// Bytes the receiver may have unacknowledged.
    SetPeerBandwidth {
        /// Bytes.
        window: u32,
        /// How strictly.
        limit: BandwidthLimit,
    },
    /// A user control event.
    User(UserControl),
}

fn word(payload: &[u8], at: usize) -> Option<u32> {
    payload.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

impl ControlMessage {
    /// The control message in `message`, or `None` where it is of another type. One that is too
    /// short for what it should say is `None` as well: some clients send such, and a server that
    /// ignores them, as nginx-rtmp does, loses nothing.
    ///
    /// # Errors
    ///
    /// [`Error::ChunkSize`] for an impossible one.
    pub fn parse(message: &Message) -> Result<Option<ControlMessage>> {
        match ControlMessage::read(message) {
            Some(ControlMessage::SetChunkSize(size)) if !(1..=0x7FFF_FFFF).contains(&size) => {
                Err(Error::ChunkSize(size))
            }
            control => Ok(control),
        }
    }

    /// What `message` says, whether or not it is possible.
    fn read(message: &Message) -> Option<ControlMessage> {
        let payload = &message.payload[..];
        let first = || word(payload, 0);
        Some(match message.kind {
            kind::SET_CHUNK_SIZE => ControlMessage::SetChunkSize(first()?),
            kind::ABORT => ControlMessage::Abort(first()?),
            kind::ACKNOWLEDGEMENT => ControlMessage::Acknowledgement(first()?),
            kind::WINDOW_ACK_SIZE => ControlMessage::WindowAckSize(first()?),
            kind::SET_PEER_BANDWIDTH => ControlMessage::SetPeerBandwidth {
                window: first()?,
                limit: match payload.get(4) {
                    Some(0) => BandwidthLimit::Hard,
                    Some(1) => BandwidthLimit::Soft,
                    // Some peers leave the byte off or write nonsense; it changes nothing here.
                    _ => BandwidthLimit::Dynamic,
                },
            },
            kind::USER_CONTROL => {
                let event = payload.first_chunk().copied().map(u16::from_be_bytes)?;
                let value = || word(payload, 2);
                ControlMessage::User(match event {
                    0 => UserControl::StreamBegin(value()?),
                    1 => UserControl::StreamEof(value()?),
                    2 => UserControl::StreamDry(value()?),
                    3 => UserControl::SetBufferLength {
                        stream_id: value()?,
                        buffer_ms: word(payload, 6)?,
                    },
                    4 => UserControl::StreamIsRecorded(value()?),
                    6 => UserControl::PingRequest(value()?),
                    7 => UserControl::PingResponse(value()?),
                    other => UserControl::Other(other),
                })
            }
            _ => return None,
        })
    }

    /// The message, on chunk stream 2 and message stream 0 as section 5.4 wants.
    #[must_use]
    pub fn message(&self) -> Message {
        let mut payload = BytesMut::with_capacity(10);
        let kind = match self {
            ControlMessage::SetChunkSize(size) => {
                payload.put_u32(*size);
                kind::SET_CHUNK_SIZE
            }
            ControlMessage::Abort(chunk_stream) => {
                payload.put_u32(*chunk_stream);
                kind::ABORT
            }
            ControlMessage::Acknowledgement(sequence) => {
                payload.put_u32(*sequence);
                kind::ACKNOWLEDGEMENT
            }
            ControlMessage::WindowAckSize(window) => {
                payload.put_u32(*window);
                kind::WINDOW_ACK_SIZE
            }
            ControlMessage::SetPeerBandwidth { window, limit } => {
                payload.put_u32(*window);
                payload.put_u8(*limit as u8);
                kind::SET_PEER_BANDWIDTH
            }
            ControlMessage::User(event) => {
                put_user(event, &mut payload);
                kind::USER_CONTROL
            }
        };
        Message { chunk_stream: 2, timestamp: 0, kind, stream_id: 0, payload: payload.freeze() }
    }
}

fn put_user(event: &UserControl, payload: &mut BytesMut) {
    let (event, value) = match *event {
        UserControl::StreamBegin(stream) => (0, stream),
        UserControl::StreamEof(stream) => (1, stream),
        UserControl::StreamDry(stream) => (2, stream),
        UserControl::SetBufferLength { stream_id, buffer_ms } => {
            payload.put_u16(3);
            payload.put_u32(stream_id);
            payload.put_u32(buffer_ms);
            return;
        }
        UserControl::StreamIsRecorded(stream) => (4, stream),
        UserControl::PingRequest(time) => (6, time),
        UserControl::PingResponse(time) => (7, time),
        UserControl::Other(event) => {
            payload.put_u16(event);
            return;
        }
    };
    payload.put_u16(event);
    payload.put_u32(value);
}
