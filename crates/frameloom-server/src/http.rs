//! HTTP: streams as FLV, the status, the metrics.

mod flv;
mod stream;
mod websocket;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, middleware};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;

use crate::caps::Permit;
use crate::io::Guarded;
use crate::metrics;
use crate::shared::{Phase, Shared};
use crate::status::{self, Status};

/// Bytes that may wait in a connection, to be written or to become a request's header.
const BUFFER_BYTES: usize = 64 << 10;

/// Who asks, for the handlers.
#[derive(Clone, Copy)]
struct Peer {
    id: u64,
    address: SocketAddr,
}

/// What is served.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let about = Router::new()
        .route("/api/v1/status", get(show_status).fallback(wrong_method))
        .route("/metrics", get(show_metrics).fallback(wrong_method))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), check_host));
    about.fallback(flv::serve).with_state(shared)
}

/// Serves a connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, router: Router, stream: TcpStream, permit: Permit) {
    let peer = Peer { id: permit.id, address: permit.peer };
    let timeouts = &shared.config.timeouts;
    let io = Guarded::new(stream, permit, Arc::clone(&shared));
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.handshake)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(connection);
    let result = tokio::select! {
        result = &mut connection => result,
        () = shared.wait_for(Phase::Draining) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = &mut connection => result,
                () = shared.wait_for(Phase::Over) => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        let address = peer.address;
        tracing::debug!(target: crate::LOG, "the HTTP connection from {address} broke: {error}");
    }
}

/// A short text that says what is wrong.
fn problem(status: StatusCode, text: &str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response()
}

async fn wrong_method() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here")
}

async fn show_status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    Json(status::snapshot(&shared))
}

async fn show_metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = metrics::text(&status::snapshot(&shared), &shared.counters);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Refuses names that a page on the internet may have pointed at this machine: a server that
/// listens on loopback only is meant for this machine's own programs.
async fn check_host(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: middleware::Next,
) -> Response {
    let local = shared.addresses.http.is_some_and(|address| address.ip().is_loopback());
    if local && !is_local(request.headers(), request.version()) {
        return problem(StatusCode::FORBIDDEN, "only localhost is served under this address");
    }
    next.run(request).await
}

fn is_local(headers: &HeaderMap, version: Version) -> bool {
    let Some(host) = headers.get(HOST) else {
        // Browsers always say where they believe to be.
        return version < Version::HTTP_11;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_names_are_local() {
        let local = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            is_local(&headers, Version::HTTP_11)
        };
        for host in
            ["localhost", "LocalHost.:80", "127.0.0.1:1", "[::1]:80", "127.9.9.9", "a.localhost"]
        {
            assert!(local(host), "{host}");
        }
        for host in ["example.com", "localhost.example", "10.0.0.1:80", "[2001:db8::1]", ""] {
            assert!(!local(host), "{host}");
        }
        assert!(!is_local(&HeaderMap::new(), Version::HTTP_11));
        assert!(is_local(&HeaderMap::new(), Version::HTTP_10));
    }
}
