//! Sockets, and what guards them.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;

use crate::caps::Permit;
use crate::counters::Reason;
use crate::deadline::postponed;
use crate::relay::wake::Wake;
use crate::shared::ServerState;
use crate::warnings::Warning;

/// How long a connection may be silent before the system asks whether the peer is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// Bytes that may wait in the system for the peer's acknowledgements to come nearer. What a slow
/// player has not had is better left where it can still be skipped.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 << 10;

/// Sets what every connection has. Where the system can't, the connection works without.
pub(crate) fn tune(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES);
}

/// Runs the task again once all others had their turn and the runtime has looked at its sockets. A
/// waker would put it behind those alone that are known to be ready: with a few clients that
/// always have more to read, the others' packets would lie in their sockets for hundreds of turns.
pub(crate) fn give_way(cx: &mut Context<'_>) {
    // That it was asked once is enough; it is not waited for.
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}

/// Sends what there is, and only where the system takes nothing waits for it to do so. tokio would
/// look first whether the socket is ready, which it nearly always is: with hundreds of players
/// that is memory of each that is in no cache.
fn poll_send(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    send: impl Fn(&SockRef<'_>) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let mut result = send(&SockRef::from(stream));
    while matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
        ready!(stream.poll_write_ready(cx))?;
        // Where this fails alike, tokio knows from it that the socket is not ready after all.
        result = stream.try_io(Interest::WRITABLE, || send(&SockRef::from(stream)));
    }
    Poll::Ready(result)
}

/// An RTMP connection's socket, with or without TLS.
pub(crate) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    /// Whether this is TLS: then written bytes may wait for a flush.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Io::Tls(_))
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Io::Plain(stream) => poll_send(stream, cx, |socket| socket.send(bytes)),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            // `sendmsg` costs a tenth less than the `writev` that tokio would use.
            Io::Plain(stream) => poll_send(stream, cx, |socket| socket.send_vectored(slices)),
            Io::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// An HTTP connection's socket: it counts bytes, holds the connection's permit (also after an
/// upgrade), and fails where the peer takes nothing for too long.
pub(crate) struct Guarded {
    stream: TcpStream,
    shared: Arc<ServerState>,
    /// Runs while the peer takes nothing.
    timer: Option<Pin<Box<Sleep>>>,
    /// Woken when the connection has to go.
    eviction: Arc<Wake>,
    is_told: bool,
    permit: Permit,
}

impl Guarded {
    pub(crate) fn new(stream: TcpStream, permit: Permit, shared: Arc<ServerState>) -> Self {
        let eviction: Arc<Wake> = Arc::default();
        permit.account.may_be_evicted(&eviction);
        Guarded { stream, shared, timer: None, eviction, is_told: false, permit }
    }

    /// Fails where the connection holds the most of all, and memory is used up.
    fn stay(&mut self, cx: &Context<'_>) -> io::Result<()> {
        self.eviction.register(cx.waker());
        if !self.permit.account.is_evicted() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.is_told, true) {
            self.shared.counters.refuse(Reason::Memory);
            self.shared.out_of_memory(self.permit.peer);
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.timer = None;
            return result;
        }
        let stall = self.shared.config.timeouts.player_stall;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(timer.as_mut().poll(cx));
        if let Some(deadline) = postponed(timer.deadline(), Instant::now()) {
            timer.as_mut().reset(deadline);
            ready!(timer.as_mut().poll(cx));
        }
        self.shared.counters.players_cut.fetch_add(1, Ordering::Relaxed);
        self.shared.warnings.warn(Warning::SlowPlayer, || {
            format!("closed {}: it took nothing for {stall:?}", self.permit.peer)
        });
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn count(&self, result: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = result {
            self.shared.counters.sent_bytes.fetch_add(*count as u64, Ordering::Relaxed);
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.stay(cx)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let count = buffer.filled().len() - before;
        this.shared.counters.received_bytes.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.stay(cx)?;
        let result = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.count(&result);
        this.watch(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.stay(cx)?;
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.count(&result);
        this.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
