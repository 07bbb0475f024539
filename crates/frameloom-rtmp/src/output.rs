//! Bytes on their way to the peer.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

/// What waits to be written to the peer, in order, in pieces for a vectored write.
#[derive(Default)]
pub struct Output {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes hold stream keys and credentials.
        f.debug_struct("Output").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Output {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Output::default()
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// The next piece, never empty.
    pub fn poll(&mut self) -> Option<Bytes> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.len();
        Some(piece)
    }

    /// Bytes in all pieces together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
