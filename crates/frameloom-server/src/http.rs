//! HTTP: streams as FLV, the status, the metrics.

mod answer;
mod flv;
mod guard;
mod origin;
mod stream;
mod websocket;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, middleware};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;

pub use self::answer::problem_details;
use self::answer::{Peer, wrong_method};
use crate::caps::Permit;
use crate::io::Guarded;
use crate::metrics;
use crate::shared::{Phase, ServerState};
use crate::status::{self, ServerStatus};

/// Bytes that may wait in a connection, to be written or to become a request's header.
const BUFFER_BYTES: usize = 64 << 10;

/// What every connection takes: its task, and what may wait in it.
pub(crate) const CONNECTION_BYTES: u64 = (16 << 10) + BUFFER_BYTES as u64;

/// What is served.
pub(crate) fn router(shared: Arc<ServerState>) -> Router {
    let about = Router::new()
        .route("/api/v1/status", get(show_status).fallback(wrong_method))
        .route("/metrics", get(show_metrics).fallback(wrong_method))
        .with_state(Arc::clone(&shared));
    let about = match shared.config.extensions.routes.clone() {
        Some(routes) => about.merge(routes),
        None => about,
    };
    let guard = middleware::from_fn_with_state(Arc::clone(&shared), guard::check);
    let streams = Router::new().fallback(flv::serve).with_state(shared);
    about.route_layer(guard).fallback_service(streams)
}

/// Serves a connection to its end.
pub(crate) async fn serve(
    shared: Arc<ServerState>,
    router: Router,
    stream: TcpStream,
    permit: Permit,
) {
    let account = Arc::clone(&permit.account);
    let peer = Peer { id: permit.id, address: permit.peer, account };
    let address = peer.address;
    let timeouts = &shared.config.timeouts;
    let io = Guarded::new(stream, permit, Arc::clone(&shared));
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
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
        tracing::debug!(target: crate::LOG, "the HTTP connection from {address} broke: {error}");
    }
}

async fn show_status(State(shared): State<Arc<ServerState>>) -> Json<ServerStatus> {
    Json(status::snapshot(&shared))
}

async fn show_metrics(State(shared): State<Arc<ServerState>>) -> Response {
    let mut text = metrics::text(&status::snapshot(&shared), &shared.counters);
    if let Some(more) = &shared.config.extensions.metrics {
        text += &more();
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
