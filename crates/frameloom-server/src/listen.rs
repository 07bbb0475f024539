//! Listening sockets, and the loops that accept connections on them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::caps::{Full, Permit};
use crate::counters::Reason;
use crate::io::tune;
use crate::shared::{Phase, ServerState};
use crate::warnings::Warning;
use crate::{Error, Result};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// The pause after a failed accept, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Listens on `address`.
///
/// # Errors
///
/// [`Error::Listen`].
pub(crate) fn bind(service: &'static str, address: SocketAddr) -> Result<TcpListener> {
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

/// Accepts until the server stops, and hands each connection that is let in to `serve`.
pub(crate) async fn accept_all(
    shared: Arc<ServerState>,
    listener: TcpListener,
    serve: impl Fn(TcpStream, Permit),
) {
    let mut pause = FIRST_PAUSE;
    let stopping = shared.wait_for(Phase::Draining);
    tokio::pin!(stopping);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = FIRST_PAUSE;
                admit(&shared, stream, peer, &serve);
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

fn admit(
    shared: &ServerState,
    stream: TcpStream,
    peer: SocketAddr,
    serve: &impl Fn(TcpStream, Permit),
) {
    match shared.caps.admit(peer) {
        Ok(permit) => {
            shared.counters.connections.fetch_add(1, Ordering::Relaxed);
            tune(&stream);
            serve(stream, permit);
        }
        Err(full) => {
            drop(stream);
            let config = &shared.config;
            let (reason, cap, setting) = match full {
                Full::Total => (Reason::Connections, config.max_connections, "max_connections"),
                Full::Address => (
                    Reason::ConnectionsPerAddress,
                    config.max_connections_per_address,
                    "max_connections_per_address",
                ),
            };
            shared.counters.refuse(reason);
            shared.warnings.warn(Warning::Cap, || {
                format!("closed a connection from {peer}: there are {cap} already ({setting})")
            });
        }
    }
}
