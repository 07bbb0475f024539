//! WebSocket-FLV: the same tags, each a binary message of its own, after one with the file's
//! header.
//!
//! axum shakes hands; the frames are written here (RFC 6455, section 5.2), because a library's
//! would copy each payload for each player. Of a player's own frames only pings and the close
//! matter.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use frameloom_rtmp::OutputBuffer;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::{FlvStream, NextTag, PlayedTag};
use crate::io::{Guarded, give_way};
use crate::outgoing::poll_write;
use crate::relay::wake::Wake;
use crate::shared::{Phase, ServerState};

/// With so many bytes waiting to be written, no more is pulled.
const PULL_BYTES: usize = 64 << 10;
/// With so many bytes waiting to be written, pings are not answered.
const PONG_BYTES: usize = 128 << 10;
/// Reads before other connections get their turn.
const READS: usize = 8;
/// How long a closed connection waits for the player to close too.
const LINGER: Duration = Duration::from_secs(1);

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8A;
/// Section 7.4.1: a normal closure, and a policy that was violated.
const NORMAL: u16 = 1000;
const POLICY: u16 = 1008;

/// A request that asks for a WebSocket, as it should.
pub(super) struct UpgradeRequest {
    upgrade: WebSocketUpgrade,
}

impl UpgradeRequest {
    /// Checks a request.
    ///
    /// # Errors
    ///
    /// The answer to one that asks in the wrong way.
    pub(super) async fn check(parts: &mut Parts) -> Result<Self, Response> {
        // axum is given an upgrade that never comes: it makes the answer, and we take the
        // connection.
        parts.extensions.insert(hyper::upgrade::on(axum::http::Request::new(())));
        match WebSocketUpgrade::from_request_parts(parts, &()).await {
            Ok(upgrade) => Ok(UpgradeRequest { upgrade }),
            Err(refusal) => Err(refusal.into_response()),
        }
    }

    /// Answers yes, and plays once the connection is ours.
    pub(super) fn accept(
        self,
        shared: &Arc<ServerState>,
        upgraded: OnUpgrade,
        flv: FlvStream,
        wake: Arc<Wake>,
    ) -> Response {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let Ok(upgraded) = upgraded.await else {
                return;
            };
            let Ok(parts) = upgraded.downcast::<TokioIo<Guarded>>() else {
                return;
            };
            let mut viewer = Viewer::new(parts.io.into_inner(), flv, wake);
            if viewer.receive(&parts.read_buf).is_err() {
                return;
            }
            tokio::select! {
                () = shared.wait_for(Phase::Over) => {}
                () = poll_fn(|cx| viewer.poll(cx)) => {
                    // The player has a moment to read the end.
                    let _ = tokio::time::timeout(LINGER, poll_fn(|cx| viewer.poll_end(cx))).await;
                }
            }
        });
        self.upgrade.on_upgrade(|_| async {})
    }
}

/// The connection is over.
struct Over;

/// A player.
struct Viewer {
    io: Guarded,
    flv: FlvStream,
    wake: Arc<Wake>,
    output: OutputBuffer,
    incoming: FrameParser,
    /// The last frame is among the outgoing ones.
    closing: bool,
}

impl Viewer {
    fn new(io: Guarded, flv: FlvStream, wake: Arc<Wake>) -> Self {
        let (output, incoming) = (OutputBuffer::new(), FrameParser::default());
        Viewer { io, flv, wake, output, incoming, closing: false }
    }

    /// Ready when the last frame is written, or the connection is broken.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.wake.register(cx.waker());
        let mut reads = 0;
        loop {
            match self.read(cx) {
                Poll::Ready(Ok(())) if reads == READS => {
                    give_way(cx);
                    break;
                }
                Poll::Ready(Ok(())) => reads += 1,
                Poll::Ready(Err(Over)) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        loop {
            while !self.closing && self.output.bytes() < PULL_BYTES {
                match self.flv.next() {
                    NextTag::Tag(tag) => self.send(tag),
                    NextTag::Wait => break,
                    NextTag::Ended => self.close(NORMAL),
                    NextTag::Cut => self.close(POLICY),
                }
            }
            if self.output.bytes() == 0 {
                return if self.closing { Poll::Ready(()) } else { Poll::Pending };
            }
            match poll_write(&mut self.io, cx, &mut self.output) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {
                    self.wake.no_media();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Ready when the player has closed its side too.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(Pin::new(&mut self.io).poll_shutdown(cx)).is_err() {
            return Poll::Ready(());
        }
        while let Poll::Ready(Ok(())) = self.read(cx) {}
        self.read(cx).map(|_| ())
    }

    #[inline(never)]
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Over>> {
        let mut space = [MaybeUninit::uninit(); 2048];
        let mut buffer = ReadBuf::uninit(&mut space);
        match ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => Poll::Ready(self.receive(buffer.filled())),
            _ => Poll::Ready(Err(Over)),
        }
    }

    fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Over> {
        while let Some(frame) = self.incoming.read(&mut bytes)? {
            match frame.opcode {
                Opcode::Ping if !self.closing && self.output.bytes() < PONG_BYTES => {
                    frame_header(PONG, frame.payload.len(), &mut self.output);
                    self.output.put(&frame.payload);
                }
                Opcode::Close => self.close(NORMAL),
                _ => {}
            }
        }
        Ok(())
    }

    fn send(&mut self, tag: PlayedTag) {
        if let Some(header) = &tag.file_header {
            frame_header(BINARY, header.len(), &mut self.output);
            self.output.put(header);
        }
        let length = tag.header.len() + tag.payload.len() + tag.trailer.len();
        frame_header(BINARY, length, &mut self.output);
        self.output.put(&tag.header);
        self.output.push(tag.payload);
        self.output.put(&tag.trailer);
    }

    fn close(&mut self, code: u16) {
        if !self.closing {
            self.closing = true;
            frame_header(CLOSE, 2, &mut self.output);
            self.output.put(&code.to_be_bytes());
        }
    }
}

/// A server's frames are not masked.
fn frame_header(first: u8, length: usize, output: &mut OutputBuffer) {
    match length {
        // The casts are exact: each range fits.
        0..126 => output.put(&[first, length as u8]),
        126..65_536 => {
            output.put(&[first, 126]);
            output.put(&(length as u16).to_be_bytes());
        }
        _ => {
            output.put(&[first, 127]);
            output.put(&(length as u64).to_be_bytes());
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opcode {
    Close,
    Ping,
    Other,
}

/// A frame from the player. Only a control frame's payload is kept, which is at most 125 bytes.
#[derive(Debug, PartialEq, Eq)]
struct ControlFrame {
    opcode: Opcode,
    payload: Bytes,
}

/// Frames out of bytes that come in pieces of any size.
#[derive(Default)]
struct FrameParser {
    /// A header of which the end has not come yet: at most 14 bytes.
    header: Vec<u8>,
    frame: Option<Arriving>,
}

struct Arriving {
    opcode: Opcode,
    mask: [u8; 4],
    lacking: u64,
    payload: Vec<u8>,
}

impl FrameParser {
    /// Reads from the front of `bytes` until a frame is complete, or they are used up (`None`).
    fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<ControlFrame>, Over> {
        loop {
            let Some(frame) = &mut self.frame else {
                let Some((&byte, rest)) = bytes.split_first() else {
                    return Ok(None);
                };
                self.header.push(byte);
                *bytes = rest;
                self.frame = parse_header(&self.header)?;
                if self.frame.is_some() {
                    self.header.clear();
                }
                continue;
            };
            let count = usize::try_from(frame.lacking).unwrap_or(usize::MAX).min(bytes.len());
            let (part, rest) = bytes.split_at(count);
            if frame.opcode != Opcode::Other {
                frame.payload.extend_from_slice(part);
            }
            *bytes = rest;
            frame.lacking -= count as u64;
            if frame.lacking > 0 {
                return Ok(None);
            }
            if let Some(mut frame) = self.frame.take() {
                let mask = frame.mask.iter().cycle();
                frame.payload.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
                let payload = frame.payload.into();
                return Ok(Some(ControlFrame { opcode: frame.opcode, payload }));
            }
        }
    }
}

/// The frame that a complete header begins.
fn parse_header(header: &[u8]) -> Result<Option<Arriving>, Over> {
    let [first, second, rest @ ..] = header else {
        return Ok(None);
    };
    let opcode = match first & 0x0F {
        0..=2 | 10 => Opcode::Other,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        _ => return Err(Over),
    };
    let (length, rest) = match second & 0x7F {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u16::from_be_bytes(*length).into(), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        short => (u64::from(short), rest),
    };
    // Section 5.1: a client's frames are masked. Section 5.5: control frames are short.
    if second & 0x80 == 0 || (opcode != Opcode::Other && length > 125) {
        return Err(Over);
    }
    let Some(mask) = rest.first_chunk() else {
        return Ok(None);
    };
    Ok(Some(Arriving { opcode, mask: *mask, lacking: length, payload: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut header = OutputBuffer::new();
        frame_header(first, payload.len(), &mut header);
        let mut out = header.chunk().to_vec();
        out[1] |= 0x80;
        let mask = [1, 2, 3, 4];
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        out
    }

    #[test]
    fn frames_are_read_however_they_are_split() {
        let mut bytes = client_frame(0x81, &[7; 70_000]);
        bytes.extend(client_frame(0x89, b"hello"));
        bytes.extend(client_frame(0x82, &[7; 300]));
        bytes.extend(client_frame(0x88, &NORMAL.to_be_bytes()));
        for size in [1, 3, 1000, bytes.len()] {
            let mut incoming = FrameParser::default();
            let mut frames = Vec::new();
            for mut part in bytes.chunks(size) {
                while let Ok(Some(frame)) = incoming.read(&mut part) {
                    frames.push((frame.opcode, frame.payload));
                }
            }
            let close = Bytes::copy_from_slice(&NORMAL.to_be_bytes());
            let other = || (Opcode::Other, Bytes::new());
            let ping = (Opcode::Ping, Bytes::from_static(b"hello"));
            assert_eq!(frames, [other(), ping, other(), (Opcode::Close, close)]);
        }
    }

    #[test]
    fn frames_that_no_client_may_send_end_it() {
        for bytes in [&[0x81, 0x01, 0, 0, 0, 0][..], &[0x8B, 0x80], &[0x89, 0xFE, 1, 0]] {
            assert!(FrameParser::default().read(&mut &bytes[..]).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn lengths_of_every_size_are_written() {
        for (length, header) in [
            (125, &[BINARY, 125][..]),
            (126, &[BINARY, 126, 0, 126]),
            (65_535, &[BINARY, 126, 255, 255]),
            (65_536, &[BINARY, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut output = OutputBuffer::new();
            frame_header(BINARY, length, &mut output);
            assert_eq!(output.chunk(), header);
        }
    }
}
