//! Audio, video and data as they pass a session.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::amf0::{self, Value};
use crate::command::without_envelope;
use crate::message::{Message, kind};
use crate::{Error, Limits, Result, TimestampUnwrapper};

/// What a piece of media is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// The body of an FLV audio tag.
    Audio,
    /// The body of an FLV video tag.
    Video,
    /// The body of an FLV script tag that starts with `onMetaData`.
    Metadata,
    /// The body of any other script tag: cue points, captions.
    Data,
}

/// One message of a published or played stream. `Debug` shows the payload's length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// The message stream it belongs to.
    pub stream_id: u32,
    /// What the payload is.
    pub kind: MediaType,
    /// Decoding time in milliseconds on the publisher's clock, unwrapped past 2^32.
    pub timestamp_ms: u64,
    /// An FLV tag's body, for [`crate::flv`] to read.
    pub payload: Bytes,
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("stream_id", &self.stream_id)
            .field("kind", &self.kind)
            .field("timestamp_ms", &self.timestamp_ms)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

pub(super) fn is_media(message: &Message) -> bool {
    matches!(
        message.kind,
        kind::AUDIO | kind::VIDEO | kind::DATA_AMF0 | kind::DATA_AMF3 | kind::AGGREGATE
    )
}

/// Hands every piece of media in `message` to `each`, up to the first error.
pub(super) fn media_of(
    message: Message,
    timeline: &mut TimestampUnwrapper,
    limits: &Limits,
    each: &mut impl FnMut(Media) -> Result<()>,
) -> Result<()> {
    if message.kind == kind::AGGREGATE {
        return parts(&message, &mut |part| media_of(part, timeline, limits, each));
    }
    // Publishers send empty ones to keep a connection alive; as FLV tags they'd be broken.
    if message.payload.is_empty() {
        return Ok(());
    }
    let (kind, payload) = match message.kind {
        kind::AUDIO => (MediaType::Audio, message.payload),
        kind::VIDEO => (MediaType::Video, message.payload),
        kind::DATA_AMF0 | kind::DATA_AMF3 => {
            let mut payload = without_envelope(&message);
            let mut name = data_name(&payload, limits);
            if let Some(("@setDataFrame", size)) = name.as_ref().map(|(n, s)| (n.as_str(), *s)) {
                payload = payload.slice(size..);
                name = data_name(&payload, limits);
            }
            match name.as_ref().map(|(name, _)| name.as_str()) {
                Some("onMetaData") => (MediaType::Metadata, payload),
                Some("@clearDataFrame") => return Ok(()),
                _ => (MediaType::Data, payload),
            }
        }
        _ => return Ok(()),
    };
    let timestamp_ms = timeline.unwrap_ms(message.timestamp);
    each(Media { stream_id: message.stream_id, kind, timestamp_ms, payload })
}

/// The name a data message starts with, and its size on the wire.
fn data_name(payload: &[u8], limits: &Limits) -> Option<(String, usize)> {
    // Only a short string: anything else could be a large value, decoded for nothing.
    if payload.first() != Some(&0x02) {
        return None;
    }
    let mut decoder = amf0::Amf0Decoder::new(payload, limits);
    match decoder.value() {
        Ok(Some(Value::String(name))) => Some((name, payload.len() - decoder.rest().len())),
        _ => None,
    }
}

/// The messages of an aggregate (RTMP 1.0, section 7.1.6): FLV tags whose times count from the
/// first one's. One that is cut short ends it.
fn parts(message: &Message, each: &mut dyn FnMut(Message) -> Result<()>) -> Result<()> {
    let mut rest = message.payload.clone();
    let mut first = None;
    while let Some(header) = rest.first_chunk::<11>().copied() {
        let [tag, l2, l1, l0, t2, t1, t0, t3, ..] = header;
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if rest.len() < 11 + length {
            break;
        }
        let time = u32::from_be_bytes([t3, t2, t1, t0]);
        let first = *first.get_or_insert(time);
        // An aggregate in an aggregate would be recursion without an end.
        if matches!(tag, kind::AUDIO | kind::VIDEO | kind::DATA_AMF0 | kind::DATA_AMF3) {
            each(Message {
                timestamp: message.timestamp.wrapping_add(time.wrapping_sub(first)),
                kind: tag,
                // A copy: a slice would keep the whole aggregate in memory, for as long as anybody
                // wants this part.
                payload: Bytes::copy_from_slice(&rest[11..11 + length]),
                ..*message
            })?;
        }
        // The four bytes after each tag repeat its size; the last one may lack them.
        rest = rest.slice((11 + length + 4).min(rest.len())..);
    }
    Ok(())
}

/// What an allocation takes beside its bytes.
const ALLOCATION_BYTES: usize = 64;

/// Whether one more event may wait. Each takes more than the few bytes that make it, of which one
/// aggregate may have hundreds of thousands.
pub(super) fn room_for_event<E>(events: &VecDeque<E>, limits: &Limits) -> Result<()> {
    if (events.len() + 1) * (size_of::<E>() + ALLOCATION_BYTES) > limits.connection_bytes {
        return Err(Error::ConnectionBytes(limits.connection_bytes));
    }
    Ok(())
}

/// Room for events that is kept while none waits.
const KEPT_EVENTS: usize = 64;

/// The next event. The room that one aggregate needed is given back after the last one.
pub(super) fn next_event<E>(events: &mut VecDeque<E>) -> Option<E> {
    let event = events.pop_front();
    if events.is_empty() && events.capacity() > KEPT_EVENTS {
        events.shrink_to(KEPT_EVENTS);
    }
    event
}

/// The message that carries media to the peer. `publish` wraps metadata as publishers do.
pub(super) fn media_message(
    stream_id: u32,
    kind: MediaType,
    timestamp_ms: u64,
    payload: Bytes,
    publish: bool,
) -> Message {
    let (chunk_stream, kind, payload) = match kind {
        MediaType::Audio => (4, kind::AUDIO, payload),
        MediaType::Video => (6, kind::VIDEO, payload),
        MediaType::Metadata if publish => {
            let mut wrapped = BytesMut::with_capacity(16 + payload.len());
            amf0::encode(&Value::from("@setDataFrame"), &mut wrapped);
            wrapped.extend_from_slice(&payload);
            (5, kind::DATA_AMF0, wrapped.freeze())
        }
        MediaType::Metadata | MediaType::Data => (5, kind::DATA_AMF0, payload),
    };
    // The wire's clock has 32 bits; the cast is its wrap.
    Message { chunk_stream, timestamp: timestamp_ms as u32, kind, stream_id, payload }
}
