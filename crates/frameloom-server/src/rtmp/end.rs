//! How an RTMP connection ends, and what the log says of it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use frameloom_rtmp::Error;

use crate::counters::Reason;
use crate::shared::ServerState;
use crate::warnings::Warning;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum CloseReason {
    /// The client closed it.
    Closed,
    /// The connection broke.
    Io(io::Error),
    /// No TLS.
    Tls(io::Error),
    /// What came was not RTMP, or passed a limit.
    Protocol(Error),
    HandshakeTimeOut,
    /// The client neither published nor played.
    CommandTimeOut,
    IdlePublisher,
    /// The client took nothing.
    Stalled,
    /// The player skipped too often.
    TooSlow,
    /// It holds the most of all, and memory is used up.
    OutOfMemory,
    /// Another publisher took over.
    Replaced,
    /// It was told so, and the log has it.
    Refused,
    /// The server stops.
    Stopped,
}

/// What the first byte of a connection tells.
enum Stranger {
    Http,
    Tls,
    Other,
}

fn stranger(first: u8) -> Stranger {
    match first {
        // CONNECT, DELETE, GET, HEAD, OPTIONS, POST, PUT, TRACE
        b'C' | b'D' | b'G' | b'H' | b'O' | b'P' | b'T' => Stranger::Http,
        // A TLS record with a handshake.
        0x16 => Stranger::Tls,
        _ => Stranger::Other,
    }
}

impl CloseReason {
    /// Whether there is nothing to be said to the client any more.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            CloseReason::Closed
                | CloseReason::Io(_)
                | CloseReason::Tls(_)
                | CloseReason::HandshakeTimeOut
                | CloseReason::Stalled
        )
    }

    /// What to tell a client that speaks another protocol.
    pub(super) fn hint(&self, shared: &ServerState) -> Option<String> {
        let CloseReason::Protocol(Error::Version(first)) = self else {
            return None;
        };
        if !matches!(stranger(*first), Stranger::Http) {
            return None;
        }
        let text = match shared.addresses.http {
            Some(address) => {
                format!("This is the RTMP port; HTTP is on port {}.\n", address.port())
            }
            None => "This is the RTMP port; HTTP is not served.\n".to_owned(),
        };
        Some(format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{text}",
            text.len()
        ))
    }

    /// Writes a line to the log, or adds to a sum. `was_of_use` says whether the connection ever
    /// published or played.
    pub(super) fn report(&self, shared: &ServerState, peer: SocketAddr, was_of_use: bool) {
        let counters = &shared.counters;
        let timeouts = &shared.config.timeouts;
        let warn = |warning, text: String| shared.warnings.warn(warning, || text);
        match self {
            CloseReason::Closed => {
                tracing::debug!(target: crate::LOG, "{peer} closed the connection");
            }
            CloseReason::Io(error) => {
                tracing::debug!(target: crate::LOG, "the connection from {peer} broke: {error}");
            }
            CloseReason::Tls(error) => {
                counters.bad_input.fetch_add(1, Ordering::Relaxed);
                warn(Warning::Tls, format!("no TLS from {peer} on the RTMPS port: {error}"));
            }
            CloseReason::Protocol(error) => {
                counters.bad_input.fetch_add(1, Ordering::Relaxed);
                warn(Warning::Protocol, format!("closed {peer}: {}", explain(error, shared)));
            }
            CloseReason::HandshakeTimeOut => {
                counters.timed_out.fetch_add(1, Ordering::Relaxed);
                let limit = timeouts.handshake;
                let text = format!("closed {peer}: no handshake within {limit:?}");
                warn(Warning::TimeOut, text);
            }
            // A player whose stream is over may well stay until it is told to go.
            CloseReason::CommandTimeOut if was_of_use => {
                tracing::debug!(target: crate::LOG, "closed {peer}: nothing to do any more");
            }
            CloseReason::CommandTimeOut => {
                counters.timed_out.fetch_add(1, Ordering::Relaxed);
                let limit = timeouts.command;
                let text = format!("closed {peer}: neither publish nor play within {limit:?}");
                warn(Warning::TimeOut, text);
            }
            CloseReason::IdlePublisher => {
                counters.timed_out.fetch_add(1, Ordering::Relaxed);
                let limit = timeouts.idle_publisher;
                let text = format!("closed publisher {peer}: no audio or video for {limit:?}");
                warn(Warning::TimeOut, text);
            }
            CloseReason::Stalled => {
                counters.players_cut.fetch_add(1, Ordering::Relaxed);
                let limit = timeouts.player_stall;
                warn(Warning::SlowPlayer, format!("closed {peer}: it took nothing for {limit:?}"));
            }
            CloseReason::TooSlow => {
                let text = format!("closed {peer}: too slow for what it plays");
                warn(Warning::SlowPlayer, text);
            }
            CloseReason::OutOfMemory => {
                counters.refuse(Reason::Memory);
                shared.out_of_memory(peer);
            }
            CloseReason::Replaced => {
                tracing::info!(target: crate::LOG, "closed {peer}: another publisher took over");
            }
            CloseReason::Refused | CloseReason::Stopped => {}
        }
    }
}

fn explain(error: &Error, shared: &ServerState) -> String {
    let Error::Version(first) = error else {
        return error.to_string();
    };
    match (stranger(*first), shared.addresses.http, shared.addresses.rtmps) {
        (Stranger::Http, Some(address), _) => {
            format!("that is HTTP on the RTMP port; HTTP is on port {}", address.port())
        }
        (Stranger::Http, None, _) => "that is HTTP on the RTMP port; HTTP is not served".to_owned(),
        (Stranger::Tls, _, Some(address)) => {
            format!("that is TLS on the plain RTMP port; RTMPS is on port {}", address.port())
        }
        (Stranger::Tls, _, None) => {
            "that is TLS on the plain RTMP port; RTMPS is not served".to_owned()
        }
        (Stranger::Other, ..) => error.to_string(),
    }
}
