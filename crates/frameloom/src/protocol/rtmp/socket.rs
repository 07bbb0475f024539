//! A TCP or TLS connection that never blocks for longer than it is told to.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use socket2::{Domain, Protocol, SockRef, Type};

use crate::protocol::lookup::{self, LookupFault};
use crate::protocol::rtmp::fault::ConnectionFault;
use crate::protocol::rtmp::tls::Tls;
use crate::time::moment_after;
use crate::time::stop::Stop;

/// How often a wait looks for a stop.
const TICK: Duration = Duration::from_millis(50);

/// How long one address may take until the next one is tried beside it (RFC 8305, section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

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
    /// Connects to the first of the host's addresses that answers, by RFC 8305, and begins TLS where asked
    /// to.
    pub(super) fn connect(
        host: &str,
        port: u16,
        tls: Option<&Tls>,
        limits: WaitLimit<'_>,
    ) -> Result<Socket, ConnectionFault> {
        let found = lookup::addresses(host, port, limits.until, limits.stop);
        let addresses = found.map_err(|fault| match fault {
            LookupFault::Stopped => ConnectionFault::Stopped,
            LookupFault::TimedOut => ConnectionFault::TimedOut(limits.limit),
            LookupFault::Failed(error) => ConnectionFault::Resolve(error),
        })?;
        let tcp = connect_to_first(&addresses, limits)?;
        let tls = tls.map(|tls| tls.begin(host)).transpose()?;
        Ok(Socket { tcp, tls })
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
    poll_for(&mut [PollFd::new(tcp, events)], tick)
}

fn poll_for(fds: &mut [PollFd<'_>], tick: Duration) -> Result<(), ConnectionFault> {
    let timeout = Timespec { tv_sec: 0, tv_nsec: tick.min(TICK).subsec_nanos().into() };
    match poll(fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(ConnectionFault::from_io(error.into())),
    }
}

/// Tries one address after the other, without waiting for those before for longer than a moment: an
/// address behind which nothing answers is common where IPv6 is set up wrongly. The first that answers is
/// taken.
fn connect_to_first(
    addresses: &[SocketAddr],
    limits: WaitLimit<'_>,
) -> Result<TcpStream, ConnectionFault> {
    let mut addresses = addresses.iter();
    let (mut tries, mut next_at): (Vec<TcpStream>, _) = (Vec::new(), Instant::now());
    let mut failed = None;
    loop {
        let tick = limits.check()?;
        let now = Instant::now();
        if now >= next_at
            && let Some(address) = addresses.next()
        {
            match begin_to_connect(*address) {
                Ok(tcp) => {
                    tries.push(tcp);
                    next_at = now + NEXT_ADDRESS;
                }
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
            continue;
        }
        if tries.is_empty() {
            let nothing = || io::Error::new(ErrorKind::NotFound, "the host has no address");
            return Err(ConnectionFault::Closed(failed.unwrap_or_else(nothing)));
        }
        let until_next = next_at.saturating_duration_since(now);
        wait_for_any(&tries, if addresses.len() > 0 { tick.min(until_next) } else { tick })?;
        let mut waiting = Vec::with_capacity(tries.len());
        for tcp in tries {
            match progress_of(&tcp) {
                Ok(true) => {
                    watch_for_dead_peer(&tcp);
                    return Ok(tcp);
                }
                Ok(false) => waiting.push(tcp),
                Err(error) => {
                    failed.get_or_insert(error);
                    // The next one need not wait for what has failed.
                    next_at = now;
                }
            }
        }
        tries = waiting;
    }
}

/// Whether a connection is there.
fn progress_of(tcp: &TcpStream) -> io::Result<bool> {
    if let Some(error) = tcp.take_error()? {
        return Err(error);
    }
    match tcp.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

fn begin_to_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from(socket)),
    }
}

fn wait_for_any(tries: &[TcpStream], tick: Duration) -> Result<(), ConnectionFault> {
    let mut fds: Vec<_> = tries.iter().map(|tcp| PollFd::new(tcp, PollFlags::OUT)).collect();
    poll_for(&mut fds, tick)
}

/// Where the system can't, our own time-outs still hold.
fn watch_for_dead_peer(tcp: &TcpStream) {
    let socket = SockRef::from(tcp);
    let keepalive = socket2::TcpKeepalive::new().with_time(DEAD_PEER).with_interval(DEAD_PEER / 4);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(DEAD_PEER));
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server whose queue is full, so that it answers nobody; with what fills it.
    fn silent() -> (socket2::Socket, Vec<TcpStream>) {
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut filling = Vec::new();
        loop {
            let tcp = begin_to_connect(address).unwrap();
            wait_for_any(std::slice::from_ref(&tcp), TICK).unwrap();
            let is_there = progress_of(&tcp).unwrap();
            filling.push(tcp);
            if !is_there {
                return (socket, filling);
            }
        }
    }

    fn address_of(socket: &socket2::Socket) -> SocketAddr {
        socket.local_addr().unwrap().as_socket().unwrap()
    }

    /// An address at which nobody listens.
    fn refused() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[test]
    fn an_address_that_answers_nothing_holds_up_no_other() {
        let (silent, _filling) = silent();
        let good = TcpListener::bind("127.0.0.1:0").unwrap();
        let good_address = good.local_addr().unwrap();
        for before in
            [vec![address_of(&silent)], vec![refused()], vec![address_of(&silent), refused()]]
        {
            let addresses = [before, vec![good_address]].concat();
            let limits = WaitLimit::new(None, Duration::from_secs(30));
            let tcp = connect_to_first(&addresses, limits).unwrap();
            assert_eq!(tcp.peer_addr().unwrap(), good_address);
        }
    }

    #[test]
    fn a_server_that_answers_nothing_is_given_up_at_the_limit_or_a_stop() {
        let (silent, _filling) = silent();
        let addresses = [address_of(&silent)];
        let limits = WaitLimit::new(None, Duration::from_millis(120));
        assert!(matches!(connect_to_first(&addresses, limits), Err(ConnectionFault::TimedOut(_))));
        let stop = Stop::new();
        stop.stop();
        let limits = WaitLimit::new(Some(&stop), Duration::from_secs(60));
        assert!(matches!(connect_to_first(&addresses, limits), Err(ConnectionFault::Stopped)));
    }

    #[test]
    fn where_none_answers_the_first_reason_is_told() {
        let limits = WaitLimit::new(None, Duration::from_secs(30));
        let Err(ConnectionFault::Closed(error)) = connect_to_first(&[refused(), refused()], limits)
        else {
            panic!("somebody listens there");
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
}
