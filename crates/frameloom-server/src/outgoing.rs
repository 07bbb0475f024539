//! Writing what waits for a peer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::io::AsyncWrite;

/// Slices in one system call. A packet and its header are two.
const SLICES: usize = 64;
const FEW_SLICES: usize = 4;

/// Writes as much of `output` as one call takes, takes it away there, and tells how many bytes
/// that was.
pub(crate) fn poll_write(
    io: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    output: &mut impl Buf,
) -> Poll<io::Result<usize>> {
    if !output.has_remaining() {
        return Poll::Ready(Ok(0));
    }
    let mut slices = [IoSlice::new(&[]); FEW_SLICES];
    let written = match output.chunks_vectored(&mut slices) {
        // Most writes are one small message, or the two slices of a larger one.
        1 => ready!(Pin::new(io).poll_write(cx, &slices[0]))?,
        FEW_SLICES => ready!(poll_write_many(io, cx, output))?,
        count => ready!(Pin::new(io).poll_write_vectored(cx, &slices[..count]))?,
    };
    if written == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    output.advance(written);
    Poll::Ready(Ok(written))
}

/// As [`poll_write`], with a `send` that never waits.
///
/// # Errors
///
/// Those of `send`.
pub(crate) fn try_write(
    output: &mut impl Buf,
    send: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); FEW_SLICES];
    let count = output.chunks_vectored(&mut slices);
    let written = send(&slices[..count])?;
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    output.advance(written);
    Ok(written)
}

/// Not inlined, so that so many slices are on the stack only where they are needed.
#[inline(never)]
fn poll_write_many(
    io: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    output: &impl Buf,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = output.chunks_vectored(&mut slices);
    Pin::new(io).poll_write_vectored(cx, &slices[..count])
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use frameloom_rtmp::OutputBuffer;

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
            let mut output = OutputBuffer::new();
            let mut all = Vec::new();
            for length in 0..200_u8 {
                let piece = vec![length; length.into()];
                all.extend_from_slice(&piece);
                match length % 3 {
                    0 => output.put(&piece),
                    _ => output.push(piece.into()),
                }
            }
            assert_eq!(output.bytes(), all.len());
            let mut writer = Narrow(width, Vec::new());
            let mut cx = Context::from_waker(Waker::noop());
            while output.has_remaining() {
                assert!(poll_write(&mut writer, &mut cx, &mut output).is_ready());
            }
            assert_eq!((writer.1, output.bytes()), (all, 0));
        }
        let mut output = OutputBuffer::new();
        output.put(b"x");
        let mut cx = Context::from_waker(Waker::noop());
        let result = poll_write(&mut Narrow(0, Vec::new()), &mut cx, &mut output);
        assert!(matches!(result, Poll::Ready(Err(_))));
    }
}
