//! Listening sockets, and the loops that accept connections on them.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::Error;
use crate::caps::{CapReached, Permit};
use crate::children;
use crate::counters::Reason;
use crate::io::tune;
use crate::shared::{Phase, ServerState};
use crate::warnings::Warning;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Connections over the cap of which it is looked where they come from, at once.
const MOST_OVER: usize = 512;
/// The pause after a failed accept, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Listens on `address`.
///
/// # Errors
///
/// [`Error::Listen`].
pub(crate) fn bind(service: &'static str, address: SocketAddr) -> crate::Result<TcpListener> {
    listener(address).map_err(|source| Error::Listen { service, address, source })
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows it would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until the server stops, and hands each connection that is let in to `serve`. Each takes
/// `connection_bytes` of memory whatever it does.
pub(crate) async fn accept_all(
    shared: Arc<ServerState>,
    listener: TcpListener,
    connection_bytes: u64,
    serve: impl Fn(TcpStream, Permit),
) {
    let mut pause = FIRST_PAUSE;
    let mut overflow = Overflow::default();
    let stopping = shared.wait_for(Phase::Draining);
    tokio::pin!(stopping);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => return,
            sockets = overflow.sockets() => {
                for over in overflow.take() {
                    let is_own = sockets.contains(&canonical(over.peer));
                    let permit = if is_own {
                        shared.caps.admit_own(over.peer, connection_bytes)
                    } else {
                        Err(over.full)
                    };
                    settle(&shared, over.stream, over.peer, permit, &serve);
                }
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = FIRST_PAUSE;
                match shared.caps.admit(peer, connection_bytes) {
                    Err(full @ (CapReached::Total | CapReached::Address))
                        if overflow.has_room(peer) =>
                    {
                        overflow.push(OverCap { stream, peer, full });
                    }
                    permit => settle(&shared, stream, peer, permit, &serve),
                }
            }
            // The peer gave up while it waited.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Mostly too many open files: they don't come back at once.
                shared.warnings.warn(Warning::Accept, || {
                    format!(
                        "can't accept connections: {error}; is the limit of open files too low?"
                    )
                });
                tokio::select! {
                    () = &mut stopping => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

/// A connection that there is no place for, unless it comes from a process of our own.
struct OverCap {
    stream: TcpStream,
    peer: SocketAddr,
    full: CapReached,
}

/// Connections over the cap, until it is known where they come from. To look takes some
/// milliseconds, so it is done elsewhere and for all at once that have come.
#[derive(Default)]
struct Overflow {
    /// Those that the look that is under way is for.
    looked_for: Vec<OverCap>,
    looking: Option<JoinHandle<HashSet<SocketAddr>>>,
    /// Those that have come since.
    waiting: Vec<OverCap>,
}

impl Overflow {
    fn has_room(&self, peer: SocketAddr) -> bool {
        canonical(peer).ip().is_loopback() && self.waiting.len() < MOST_OVER
    }

    fn push(&mut self, over: OverCap) {
        self.waiting.push(over);
        self.look();
    }

    fn look(&mut self) {
        if self.looking.is_none() && !self.waiting.is_empty() {
            self.looked_for = std::mem::take(&mut self.waiting);
            self.looking = Some(spawn_blocking(children::sockets));
        }
    }

    /// The sockets of our own processes, when they are known.
    async fn sockets(&mut self) -> HashSet<SocketAddr> {
        match &mut self.looking {
            Some(looking) => looking.await.unwrap_or_default(),
            None => std::future::pending().await,
        }
    }

    /// Those that it is now known of. A look for the others begins.
    fn take(&mut self) -> Vec<OverCap> {
        self.looking = None;
        let over = std::mem::take(&mut self.looked_for);
        self.look();
        over
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn settle(
    shared: &ServerState,
    stream: TcpStream,
    peer: SocketAddr,
    permit: Result<Permit, CapReached>,
    serve: &impl Fn(TcpStream, Permit),
) {
    let config = &shared.config;
    let (reason, cap, setting) = match permit {
        Ok(permit) => {
            shared.counters.connections.fetch_add(1, Ordering::Relaxed);
            tune(&stream);
            return serve(stream, permit);
        }
        Err(CapReached::Memory) => {
            shared.counters.refuse(Reason::Memory);
            return shared.out_of_memory(peer);
        }
        Err(CapReached::Total) => (Reason::Connections, config.max_connections, "max_connections"),
        Err(CapReached::Address) => {
            let cap = config.max_connections_per_address;
            (Reason::ConnectionsPerAddress, cap, "max_connections_per_address")
        }
    };
    drop(stream);
    shared.counters.refuse(reason);
    shared.warnings.warn(Warning::Cap, || {
        format!("closed a connection from {peer}: there are {cap} already ({setting})")
    });
}
