//! One RTMP connection: the loop round [`ServerSession`](frameloom_rtmp::ServerSession).

mod connection;
mod direct;
mod end;
mod play;
mod publish;
mod role;
mod timer;

use std::future::poll_fn;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use self::connection::Connection;
use self::direct::SharedConnection;
use self::end::CloseReason;
use crate::caps::Permit;
use crate::deadline::until;
use crate::io::Io;
use crate::shared::{Phase, ServerState};

/// What every connection takes: its task, its session, and what it plays.
pub(crate) const CONNECTION_BYTES: u64 = 16 << 10;
/// With the buffers of TLS.
pub(crate) const TLS_CONNECTION_BYTES: u64 = 80 << 10;

/// Serves a connection to its end.
pub(crate) async fn serve(
    shared: Arc<ServerState>,
    stream: TcpStream,
    permit: Permit,
    acceptor: Option<TlsAcceptor>,
) {
    let deadline = Instant::now() + shared.config.timeouts.handshake;
    let io = match acceptor {
        None => Io::Plain(stream),
        // In a box, as it is large and soon over.
        Some(acceptor) => match Box::pin(accept_tls(&shared, &acceptor, stream, deadline)).await {
            Ok(io) => io,
            Err(end) => {
                end.report(&shared, permit.peer, false);
                return;
            }
        },
    };
    let served = SharedConnection::new(|direct| {
        Connection::new(Arc::clone(&shared), permit, io, deadline, direct)
    });
    let end = poll_fn(|cx| served.with(|connection| connection.poll(cx))).await;
    served.with(|connection| end.report(&shared, connection.permit.peer, connection.was_of_use));
}

async fn accept_tls(
    shared: &ServerState,
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    deadline: Instant,
) -> Result<Io, CloseReason> {
    tokio::select! {
        () = shared.wait_for(Phase::Draining) => Err(CloseReason::Stopped),
        accepted = until(deadline, acceptor.accept(stream)) => match accepted {
            Some(Ok(stream)) => Ok(Io::Tls(Box::new(stream))),
            Some(Err(error)) => Err(CloseReason::Tls(error)),
            None => Err(CloseReason::HandshakeTimeOut),
        },
    }
}
