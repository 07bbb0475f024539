//! What both sessions share: handshake, chunks, and the control messages that answer themselves.

use crate::chunk::{ChunkReader, ChunkWriter};
use crate::handshake::Handshake;
use crate::message::{BandwidthLimit, ControlMessage, Message, UserControl};
use crate::output::OutputBuffer;
use crate::{Error, Limits, Result};

/// Room for short messages above the limit, both ways, so that media that fills it is no failure.
const ANSWER_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct ChunkLink {
    pub(super) limits: Limits,
    pub(super) output: OutputBuffer,
    handshake: Option<Handshake>,
    reader: ChunkReader,
    writer: ChunkWriter,
    /// Bytes received, wrapping as the acknowledgement's sequence number does.
    received: u32,
    acknowledged: u32,
    /// The peer wants an acknowledgement after so many bytes; 0 means never. Until it says so, our
    /// own window stands: some encoders say nothing and stop when none comes (Wirecast).
    window: u32,
    window_sent: u32,
}

pub(super) enum IncomingMessage {
    /// The handshake is complete.
    Ready,
    User(UserControl),
    Message(Message),
}

impl ChunkLink {
    pub(super) fn new(
        limits: Limits,
        window: u32,
        handshake: Handshake,
        output: OutputBuffer,
    ) -> Self {
        ChunkLink {
            reader: ChunkReader::new(limits.clone()),
            limits,
            output,
            handshake: Some(handshake),
            writer: ChunkWriter::new(),
            received: 0,
            acknowledged: 0,
            window,
            window_sent: 0,
        }
    }

    /// The next message from the front of `input`, of which `held_bytes` are kept elsewhere.
    pub(super) fn read(
        &mut self,
        input: &mut &[u8],
        held_bytes: usize,
    ) -> Result<Option<IncomingMessage>> {
        let before = input.len();
        let incoming = self.read_uncounted(input, held_bytes);
        // The cast keeps the low bits, as the sequence number does.
        self.received = self.received.wrapping_add((before - input.len()) as u32);
        let incoming = incoming?;
        if self.window > 0 && self.received.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.received;
            self.send(ControlMessage::Acknowledgement(self.received).message())?;
        }
        Ok(incoming)
    }

    fn read_uncounted(
        &mut self,
        input: &mut &[u8],
        held_bytes: usize,
    ) -> Result<Option<IncomingMessage>> {
        if let Some(handshake) = &mut self.handshake {
            if !handshake.read(input, &mut self.output)? {
                return Ok(None);
            }
            self.handshake = None;
            return Ok(Some(IncomingMessage::Ready));
        }
        loop {
            // A full output must not fail the peer's short messages, such as acknowledgements.
            let other_bytes = held_bytes + self.output.bytes();
            self.reader.set_other_bytes(other_bytes.saturating_sub(ANSWER_BYTES), held_bytes);
            let Some(message) = self.reader.read(input)? else {
                return Ok(None);
            };
            match ControlMessage::parse(&message)? {
                None => return Ok(Some(IncomingMessage::Message(message))),
                Some(ControlMessage::User(UserControl::PingRequest(time))) => {
                    self.send(ControlMessage::User(UserControl::PingResponse(time)).message())?;
                }
                Some(ControlMessage::User(event)) => return Ok(Some(IncomingMessage::User(event))),
                Some(ControlMessage::WindowAckSize(window)) => self.window = window,
                Some(ControlMessage::SetPeerBandwidth { window, limit }) => {
                    // How fast we send is the embedder's affair; the peer only wants to hear it.
                    if limit != BandwidthLimit::Dynamic || self.window_sent == 0 {
                        self.send_window(window)?;
                    }
                }
                Some(_) => {}
            }
        }
    }

    pub(super) fn send_window(&mut self, window: u32) -> Result<()> {
        if self.window_sent == window {
            return Ok(());
        }
        self.window_sent = window;
        self.send(ControlMessage::WindowAckSize(window).message())
    }

    pub(super) fn send(&mut self, message: Message) -> Result<()> {
        self.within(self.limits.connection_bytes + ANSWER_BYTES, message)
    }

    pub(super) fn send_media(&mut self, message: Message) -> Result<()> {
        self.within(self.limits.connection_bytes, message)
    }

    fn within(&mut self, limit: usize, message: Message) -> Result<()> {
        if self.output.bytes() + message.payload.len() > limit {
            return Err(Error::ConnectionBytes(self.limits.connection_bytes));
        }
        self.writer.write_owned(message, &mut self.output)
    }

    /// Bytes of memory for unfinished messages and for what waits to be written.
    pub(super) fn room_bytes(&self) -> usize {
        self.reader.room_bytes() + self.output.room_bytes()
    }

    pub(super) fn drop_input(&mut self) {
        self.reader = ChunkReader::new(self.limits.clone());
    }

    pub(super) fn set_input_bytes(&mut self, bytes: usize) {
        self.reader.set_input_bytes(bytes.min(self.limits.connection_bytes));
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.handshake.is_some()
    }
}
