//! A TCP or TLS connection that never blocks for longer than it is told to.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use socket2::{Domain, Protocol, SockRef, Type};

use crate::protocol::rtmp::fault::ConnectionFault;
use crate::protocol::rtmp::tls::Tls;
use crate::time::moment_after;
use crate::time::stop::Stop;

/// How often a wait looks for a stop.
const TICK: Duration = Duration::from_millis(50);

/// What the kernel may keep unacknowledged before it gives the peer up. Our own watchdog sees only
/// a peer that doesn't read; this one sees a peer that is gone.
const DEAD_PEER: Duration = Duration::from_secs(10);

/// An open connection, not blocking.
pub(super) struct Socket {
    tcp: TcpStream,
    tls: Option<Box<rustls::ClientConnection>>,
}

/// When a wait ends without what it waits for.
#[derive(Clone, Copy)]
pub(super) struct WaitLimit<'a> {
    /// `None` where what goes on is to be finished in spite of a stop.
    pub(super) stop: Option<&'a Stop>,
    pub(super) until: Instant,
    /// How long it was in all, for the error.
    pub(super) limit: Duration,
}

impl<'a> WaitLimit<'a> {
    pub(super) fn new(stop: Option<&'a Stop>, limit: Duration) -> Self {
        WaitLimit { stop, until: moment_after(Instant::now(), limit), limit }
    }

    fn check(&self) -> Result<Duration, ConnectionFault> {
        if self.stop.is_some_and(Stop::is_stopped) {
            return Err(ConnectionFault::Stopped);
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ConnectionFault::TimedOut(self.limit)) } else { Ok(left.min(TICK)) }
    }
}

impl Socket {
    /// Connects to the first of the host's addresses that answers, and begins TLS where asked to.
    pub(super) fn connect(
        host: &str,
        port: u16,
        tls: Option<&Tls>,
        limits: WaitLimit<'_>,
    ) -> Result<Socket, ConnectionFault> {
        let addresses = (host, port).to_socket_addrs().map_err(ConnectionFault::Resolve)?;
        let mut failed = None;
        for address in addresses {
            match connect_to(address, limits) {
                Ok(tcp) => {
                    let tls = tls.map(|tls| tls.begin(host)).transpose()?;
                    return Ok(Socket { tcp, tls });
                }
                Err(ConnectionFault::Closed(error)) => failed = Some(error),
                Err(other) => return Err(other),
            }
        }
        let nothing = || io::Error::new(ErrorKind::NotFound, "the host has no address");
        Err(ConnectionFault::Closed(failed.unwrap_or_else(nothing)))
    }

    /// Reads what is there; `None` where nothing is, 0 at the end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<Option<usize>, ConnectionFault> {
        let read = match &mut self.tls {
            None => self.tcp.read(into),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.tcp).read(into),
        };
        match ready(read) {
            // Peers that leave without TLS's goodbye are the rule.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Some(0)),
            other => other.map_err(ConnectionFault::from_io),
        }
    }

    /// Writes as much as is taken; `None` where nothing is.
    pub(super) fn write(
        &mut self,
        pieces: &[IoSlice<'_>],
    ) -> Result<Option<usize>, ConnectionFault> {
        let written = match &mut self.tls {
            None => self.tcp.write_vectored(pieces),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.tcp).write_vectored(pieces),
        };
        ready(written).map_err(ConnectionFault::from_io)
    }

    /// Whether TLS has taken bytes that are still to be sent.
    pub(super) fn holds_back(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Sends what TLS holds, as much as is taken.
    pub(super) fn flush(&mut self) -> Result<(), ConnectionFault> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match ready(tls.write_tls(&mut self.tcp)).map_err(ConnectionFault::from_io)? {
                Some(0) => return Err(ConnectionFault::Closed(ErrorKind::WriteZero.into())),
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
    }

    /// Waits until it can be read, or written where `write` says so, for one tick at most.
    pub(super) fn wait(&self, write: bool, limits: WaitLimit<'_>) -> Result<(), ConnectionFault> {
        let tick = limits.check()?;
        let events = if write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        wait_for(&self.tcp, events, tick)
    }

    /// Says that nothing more will be written.
    pub(super) fn end_writing(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // The peer learns of the end by the one that follows, too.
            let _ = tls.write_tls(&mut self.tcp);
        }
        let _ = self.tcp.shutdown(Shutdown::Write);
    }
}

fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(e) => Err(e),
    }
}

fn wait_for(tcp: &TcpStream, events: PollFlags, tick: Duration) -> Result<(), ConnectionFault> {
    let mut fds = [PollFd::new(tcp, events)];
    let timeout = Timespec { tv_sec: 0, tv_nsec: tick.min(TICK).subsec_nanos().into() };
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(ConnectionFault::from_io(error.into())),
    }
}

fn connect_to(address: SocketAddr, limits: WaitLimit<'_>) -> Result<TcpStream, ConnectionFault> {
    let start = || -> io::Result<socket2::Socket> {
        let domain = Domain::for_address(address);
        let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        Ok(socket)
    };
    let socket = start().map_err(ConnectionFault::from_io)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(ConnectionFault::Closed(error)),
    }
    let tcp = TcpStream::from(socket);
    loop {
        let tick = limits.check()?;
        wait_for(&tcp, PollFlags::OUT, tick)?;
        if let Some(error) = tcp.take_error().map_err(ConnectionFault::from_io)? {
            return Err(ConnectionFault::Closed(error));
        }
        match tcp.peer_addr() {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::NotConnected => {}
            Err(error) => return Err(ConnectionFault::Closed(error)),
        }
    }
    watch_for_dead_peer(&tcp);
    Ok(tcp)
}

/// Where the system can't, our own time-outs still hold.
fn watch_for_dead_peer(tcp: &TcpStream) {
    let socket = SockRef::from(tcp);
    let keepalive = socket2::TcpKeepalive::new().with_time(DEAD_PEER).with_interval(DEAD_PEER / 4);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(DEAD_PEER));
}
