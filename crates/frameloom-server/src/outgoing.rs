//! Bytes on their way to a peer, in pieces that are shared with other peers.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Pieces in one system call. A frame and its header are two.
const PIECES: usize = 64;
const FEW_PIECES: usize = 4;
/// Room for pieces that a connection keeps while nothing waits.
const KEPT_PIECES: usize = 16;

#[derive(Default)]
pub(crate) struct Outgoing {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Outgoing {
    pub(crate) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.pieces.push_back(piece);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Writes as much as one call takes, and tells how many bytes that was.
    pub(crate) fn poll_write(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let written = match self.pieces.len() {
            0 => return Poll::Ready(Ok(0)),
            // Most writes are one small message, or the two pieces of a larger one.
            1 => ready!(Pin::new(io).poll_write(cx, &self.pieces[0]))?,
            2..=FEW_PIECES => ready!(self.poll_vectored::<FEW_PIECES>(io, cx))?,
            _ => ready!(self.poll_vectored::<PIECES>(io, cx))?,
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(written);
        Poll::Ready(Ok(written))
    }

    fn poll_vectored<const N: usize>(
        &self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); N];
        let count = N.min(self.pieces.len());
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
        }
        Pin::new(io).poll_write_vectored(cx, &slices[..count])
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(first) = self.pieces.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.pieces.pop_front();
        }
        if self.pieces.capacity() > KEPT_PIECES {
            self.pieces.shrink_to(KEPT_PIECES);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes in each call.
    struct Narrow(usize, Vec<u8>);

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.0);
            self.1.extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn pieces_of_any_size_arrive_in_order() {
        for width in [1, 2, 3, 7, 1000] {
            let mut outgoing = Outgoing::default();
            let mut all = Vec::new();
            for length in 0..40_u8 {
                let piece = vec![length; length.into()];
                all.extend_from_slice(&piece);
                outgoing.push(piece.into());
            }
            assert_eq!(outgoing.bytes(), all.len());
            let mut writer = Narrow(width, Vec::new());
            let mut cx = Context::from_waker(Waker::noop());
            while !outgoing.is_empty() {
                assert!(outgoing.poll_write(&mut writer, &mut cx).is_ready());
            }
            assert_eq!((writer.1, outgoing.bytes()), (all, 0));
        }
        let mut outgoing = Outgoing::default();
        outgoing.push(Bytes::from_static(b"x"));
        let mut cx = Context::from_waker(Waker::noop());
        let result = outgoing.poll_write(&mut Narrow(0, Vec::new()), &mut cx);
        assert!(matches!(result, Poll::Ready(Err(_))));
    }
}
