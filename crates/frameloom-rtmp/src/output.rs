//! Bytes on their way to the peer.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};

/// Room for some hundred headers at once: a player's headers cost no allocation each, also while
/// earlier ones still wait to be written.
const BLOCK_BYTES: usize = 2048;

/// What waits to be written to the peer, in order, in pieces for a vectored write.
#[derive(Default)]
pub struct Output {
    pieces: VecDeque<Bytes>,
    /// Bytes in `pieces`.
    bytes: usize,
    /// What follows the pieces: headers and short payloads, joined into one piece for as long as
    /// nothing long comes between them.
    tail: BytesMut,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes hold stream keys and credentials.
        f.debug_struct("Output").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl Output {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Output::default()
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        self.end_tail();
        self.add(piece);
    }

    /// Where to append bytes that are to be copied: at least `room` of them fit.
    pub(crate) fn tail(&mut self, room: usize) -> &mut BytesMut {
        if self.tail.capacity() - self.tail.len() < room {
            // Growing it would copy what is there; as a piece it stays where it is.
            self.end_tail();
            self.tail.reserve(room.max(BLOCK_BYTES));
        }
        &mut self.tail
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            let piece = self.tail.split().freeze();
            self.add(piece);
        }
    }

    fn add(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// The next piece, never empty.
    pub fn poll(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.pieces.pop_front() {
            self.bytes -= piece.len();
            return Some(piece);
        }
        (!self.tail.is_empty()).then(|| self.tail.split().freeze())
    }

    /// Bytes in all pieces together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.tail.len()
    }
}
