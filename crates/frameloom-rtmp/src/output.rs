//! Bytes on their way to the peer.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Room for copied bytes that is kept while nothing waits: some headers, or a header and a short
/// payload. An idle connection holds no more than this.
const KEPT_BYTES: usize = 1024;
/// Room for parts that is kept while nothing waits.
const KEPT_PARTS: usize = 4;

/// What waits to be written to the peer, in order: write it from where it is as a [`Buf`], by
/// vectored writes best, or take it in pieces by [`OutputBuffer::poll`].
///
/// Headers and short payloads are copied one behind the other, long payloads are shared. So what
/// one message mostly needs is two slices, and no piece of it is allocated or counted.
#[derive(Default)]
pub struct OutputBuffer {
    /// All copied bytes that wait, and before them `done` that do so no more.
    copied: Vec<u8>,
    done: usize,
    /// What is written next. `None` where there is no shared payload at all: mostly that or this
    /// one is all there is, so it is here and not among the others.
    first: Option<OutputPiece>,
    later: VecDeque<OutputPiece>,
    /// Copied bytes that belong to a part. Those behind them follow the last part.
    in_parts: usize,
    bytes: usize,
}

/// Some copied bytes, and after them a shared payload.
struct OutputPiece {
    copied: usize,
    shared: Bytes,
}

impl fmt::Debug for OutputBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes hold stream keys and credentials.
        f.debug_struct("OutputBuffer").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl OutputBuffer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        OutputBuffer::default()
    }

    /// Appends bytes that are shared.
    pub fn push(&mut self, shared: Bytes) {
        if shared.is_empty() {
            return;
        }
        self.bytes += shared.len();
        let copied = self.copied.len() - self.done - self.in_parts;
        self.in_parts += copied;
        let part = OutputPiece { copied, shared };
        if self.first.is_none() {
            self.first = Some(part);
        } else {
            self.later.push_back(part);
        }
    }

    /// Appends bytes that are copied.
    pub fn put(&mut self, bytes: &[u8]) {
        // Where half of the room is of no use any more, what waits is moved and nothing grows.
        if self.copied.capacity() - self.copied.len() < bytes.len()
            && self.done > self.copied.len() / 2
        {
            self.copied.drain(..self.done);
            self.done = 0;
        }
        self.bytes += bytes.len();
        self.copied.extend_from_slice(bytes);
    }

    /// The next piece, never empty.
    pub fn poll(&mut self) -> Option<Bytes> {
        match &mut self.first {
            Some(part) if part.copied == 0 => {
                let shared = std::mem::take(&mut part.shared);
                self.bytes -= shared.len();
                self.first = self.later.pop_front();
                self.rest();
                Some(shared)
            }
            _ if self.bytes == 0 => None,
            _ => {
                let piece = Bytes::copy_from_slice(self.chunk());
                self.advance(piece.len());
                Some(piece)
            }
        }
    }

    /// Bytes in all pieces together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Of all bytes those that are copied, and take memory of their own.
    #[must_use]
    pub fn copied_bytes(&self) -> usize {
        self.copied.len() - self.done
    }

    /// Bytes of memory that it takes for itself, shared payloads left out.
    #[must_use]
    pub fn room_bytes(&self) -> usize {
        self.copied.capacity() + self.later.capacity() * size_of::<OutputPiece>()
    }

    /// Where nothing waits, no more room is kept than the next message needs.
    fn rest(&mut self) {
        if self.bytes > 0 {
            return;
        }
        self.copied.clear();
        self.done = 0;
        if self.copied.capacity() > KEPT_BYTES {
            self.copied.shrink_to(KEPT_BYTES);
        }
        if self.later.capacity() > KEPT_PARTS {
            self.later.shrink_to(KEPT_PARTS);
        }
    }

    /// `length` copied bytes, `skipped` after the first that wait.
    fn copied_at(&self, skipped: usize, length: usize) -> &[u8] {
        let start = self.done + skipped;
        self.copied.get(start..start + length).unwrap_or_default()
    }
}

impl Buf for OutputBuffer {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        match &self.first {
            Some(OutputPiece { copied: 0, shared }) => shared,
            Some(part) => self.copied_at(0, part.copied),
            None => self.copied.get(self.done..).unwrap_or_default(),
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut slices = slices.iter_mut();
        let room = slices.len();
        let mut skipped = 0;
        for part in self.first.iter().chain(&self.later) {
            let copied = self.copied_at(skipped, part.copied);
            skipped += part.copied;
            for bytes in [copied, &part.shared] {
                if !bytes.is_empty() {
                    match slices.next() {
                        Some(slice) => *slice = IoSlice::new(bytes),
                        None => return room,
                    }
                }
            }
        }
        let last = self.copied.get(self.done + skipped..).unwrap_or_default();
        if !last.is_empty() {
            match slices.next() {
                Some(slice) => *slice = IoSlice::new(last),
                None => return room,
            }
        }
        room - slices.len()
    }

    /// Takes away what was written. More than there is counts as all.
    fn advance(&mut self, count: usize) {
        let mut count = count.min(self.bytes);
        self.bytes -= count;
        while let Some(part) = &mut self.first {
            let copied = count.min(part.copied);
            part.copied -= copied;
            self.in_parts -= copied;
            self.done += copied;
            count -= copied;
            if count < part.shared.len() || part.copied > 0 {
                part.shared.advance(count);
                return;
            }
            count -= part.shared.len();
            self.first = self.later.pop_front();
        }
        self.done += count;
        self.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of every kind in turn, and what they are together.
    fn filled(output: &mut OutputBuffer) -> Vec<u8> {
        let mut all = Vec::new();
        for length in 0..60_u8 {
            let piece = vec![length; length.into()];
            all.extend_from_slice(&piece);
            if length % 3 == 0 {
                output.push(piece.into());
            } else {
                output.put(&piece);
            }
        }
        all
    }

    /// What a vectored write of so many slices would be given.
    fn slices(output: &OutputBuffer, most: usize) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); most];
        let count = output.chunks_vectored(&mut slices);
        assert!(slices[count..].iter().all(|slice| slice.is_empty()));
        slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[test]
    fn bytes_leave_in_order_however_they_are_taken() {
        for step in [1, 2, 7, 64, 100_000] {
            for most in [1, 2, 3, 64] {
                let mut output = OutputBuffer::new();
                let all = filled(&mut output);
                let mut rest = &all[..];
                while output.has_remaining() {
                    assert_eq!((output.bytes(), output.remaining()), (rest.len(), rest.len()));
                    let given = slices(&output, most);
                    assert!(!given.is_empty() && !output.chunk().is_empty());
                    assert!(rest.starts_with(&given) && rest.starts_with(output.chunk()));
                    let taken = given.len().min(step);
                    output.advance(taken);
                    rest = &rest[taken..];
                }
                assert!(rest.is_empty() && output.poll().is_none());
                assert_eq!((output.chunk(), slices(&output, 4)), (&[][..], Vec::new()));
            }
        }
        let mut output = OutputBuffer::new();
        let all = filled(&mut output);
        output.advance(40);
        let mut taken = all[..40].to_vec();
        while let Some(piece) = output.poll() {
            assert!(!piece.is_empty());
            taken.extend_from_slice(&piece);
        }
        assert_eq!((taken, output.bytes()), (all, 0));
    }

    #[test]
    fn what_is_added_while_something_waits_comes_after_it() {
        let (mut output, mut all, mut taken) = (OutputBuffer::new(), Vec::new(), Vec::new());
        for round in 0..40_usize {
            all.extend_from_slice(&filled(&mut output));
            let count = (round * 97 + 1) % output.bytes();
            for _ in 0..count {
                taken.push(output.chunk()[0]);
                output.advance(1);
            }
        }
        while output.has_remaining() {
            taken.push(output.chunk()[0]);
            output.advance(1);
        }
        assert_eq!(taken, all);
    }

    #[test]
    fn room_follows_what_waits() {
        let mut output = OutputBuffer::new();
        // Never empty: the room must not grow with all that ever passed.
        output.put(&[0; 100]);
        for _ in 0..10_000 {
            output.put(&[0; 100]);
            output.advance(100);
        }
        assert!(output.copied.capacity() <= 1024, "{}", output.copied.capacity());
        for _ in 0..10_000 {
            output.put(&[0; 10]);
            output.push(Bytes::from_static(&[0; 1000]));
        }
        output.advance(output.bytes());
        assert!(output.copied.capacity() <= KEPT_BYTES);
        assert!(output.later.capacity() <= 2 * KEPT_PARTS);
    }
}
