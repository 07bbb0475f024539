//! `/APP/NAME.flv`: a stream as one endless FLV file.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, UPGRADE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use frameloom_rtmp::{Secret, percent_decode};
use http_body::Frame;

use super::answer::{Peer, problem, wrong_method};
use super::origin::{RequestOrigin, has_own_host, is_visit_by_hand};
use super::stream::{FlvStream, NextTag};
use super::{guard, websocket};
use crate::access::Decision;
use crate::counters::{PlayProtocol, Reason};
use crate::relay::StreamName;
use crate::relay::name::stream_of_path;
use crate::relay::wake::Wake;
use crate::shared::{Phase, ServerState, shown};
use crate::visitor::{Action, Visitor};

/// Answers every request that nothing else answers.
pub(super) async fn serve(State(shared): State<Arc<ServerState>>, request: Request) -> Response {
    let allowed = &shared.config.allow_origins;
    let asker = RequestOrigin::of(request.headers(), allowed);
    let mut response = match refusal(&shared, &asker, &request) {
        Some(text) => problem(StatusCode::FORBIDDEN, text),
        None => match *request.method() {
            Method::GET | Method::HEAD => answer(&shared, request).await,
            _ => wrong_method().await,
        },
    };
    asker.tell(response.headers_mut(), allowed);
    response
}

/// Why a page may not play, nor wake what is on demand. Without a play key this is all that keeps
/// any page that somebody looks at from streams that only this network reaches.
fn refusal(shared: &ServerState, asker: &RequestOrigin, request: &Request) -> Option<&'static str> {
    let headers = request.headers();
    if !has_own_host(shared, headers, request.version()) {
        return Some("only localhost is served under this address");
    }
    (*asker == RequestOrigin::Foreign && !is_visit_by_hand(request.method(), headers))
        .then_some("a page of another origin may not play here")
}

async fn answer(shared: &Arc<ServerState>, request: Request) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().cloned() else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "the connection has no address");
    };
    let Some((app, name)) = stream_at(request.uri().path()) else {
        return problem(StatusCode::NOT_FOUND, "nothing is here; streams are at /APP/NAME.flv");
    };
    let agent = request.headers().get("user-agent").and_then(|value| value.to_str().ok());
    let visitor = Visitor {
        action: Action::Play,
        app: app.clone(),
        name,
        queries: [request.uri().query().unwrap_or_default().into(), Secret::default()],
        address: peer.address,
        client_id: peer.id,
        client: shown(agent.unwrap_or_default()).into(),
        tc_url: Secret::default(),
        has_token: guard::shows_token(shared, request.headers()),
    };
    let verdict = match shared.access.decide(visitor) {
        Decision::Now(verdict) => verdict,
        Decision::Later(pending) => pending.await,
    };
    let refuse = |reason: Reason| {
        shared.refused(Action::Play, &app, peer.address, reason);
        let status = match reason {
            Reason::NotFound | Reason::BadName => StatusCode::NOT_FOUND,
            Reason::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::FORBIDDEN,
        };
        problem(status, reason.text())
    };
    match verdict {
        Err(reason) => refuse(reason),
        Ok(_) if shared.phase() != Phase::Running => refuse(Reason::Stopping),
        Ok(name) => {
            wait_for(shared, &name).await;
            match play(shared, request, &peer, &name).await {
                Some(response) => response,
                None => refuse(Reason::NotFound),
            }
        }
    }
}

/// Waits until somebody publishes `name`, where that is to be expected.
async fn wait_for(shared: &Arc<ServerState>, name: &StreamName) {
    if shared.relays.find(name).is_some() || !shared.is_wanted(name) {
        return;
    }
    let wake: Arc<Wake> = Arc::default();
    let waiting = shared.relays.wait_for(name, Arc::clone(&wake));
    let published = poll_fn(|cx| {
        wake.register(cx.waker());
        if waiting.is_over() { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::select! {
        () = published => {}
        () = tokio::time::sleep(shared.config.timeouts.play_wait) => {}
        () = shared.wait_for(Phase::Draining) => {}
    }
}

async fn play(
    shared: &Arc<ServerState>,
    request: Request,
    peer: &Peer,
    name: &StreamName,
) -> Option<Response> {
    let wake: Arc<Wake> = Arc::default();
    let join = |protocol| shared.relays.play(name, protocol, peer.address, Arc::clone(&wake));
    if request.headers().contains_key(UPGRADE) {
        let (mut parts, _) = request.into_parts();
        let upgraded = parts.extensions.remove();
        let handshake = match websocket::UpgradeRequest::check(&mut parts).await {
            Ok(handshake) => handshake,
            Err(refusal) => return Some(refusal),
        };
        let flv = FlvStream::new(shared, peer, join(PlayProtocol::WebSocketFlv)?);
        return Some(handshake.accept(shared, upgraded?, flv, wake));
    }
    let body = if *request.method() == Method::HEAD {
        shared.relays.find(name)?;
        Body::empty()
    } else {
        let flv = FlvStream::new(shared, peer, join(PlayProtocol::HttpFlv)?);
        Body::new(FlvBody { flv, wake: Arc::clone(&wake), rest: Default::default() })
    };
    let headers = [(CONTENT_TYPE, "video/x-flv"), (CACHE_CONTROL, "no-store")];
    Some((headers, body).into_response())
}

/// The application and the name in a path.
fn stream_at(path: &str) -> Option<(String, String)> {
    let path = path.strip_prefix('/')?.strip_suffix(".flv")?;
    // Each part by itself: a slash that was encoded is one within a name, and no name has one.
    let parts: Vec<_> = path.split('/').map(percent_decode).collect();
    if parts.iter().any(|part| part.contains('/')) || path.is_empty() || path.ends_with('/') {
        return None;
    }
    stream_of_path(&parts.join("/"))
}

/// An HTTP response's body.
struct FlvBody {
    flv: FlvStream,
    wake: Arc<Wake>,
    /// What follows the bytes that were sent last: a payload and a trailer. Players wait for the
    /// trailer before they look at the tag, so it doesn't wait for the next one.
    rest: [Bytes; 2],
}

impl http_body::Body for FlvBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Some(bytes) = this.rest.iter_mut().find(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))));
        }
        this.wake.register(cx.waker());
        match this.flv.next() {
            NextTag::Tag(tag) => {
                let mut small = BytesMut::with_capacity(13 + 11 + 4);
                small.put_slice(tag.file_header.as_ref().map_or(&[], |header| &header[..]));
                small.put_slice(&tag.header);
                small.put_slice(&tag.trailer);
                let mut small = small.freeze();
                let trailer = small.split_off(small.len() - tag.trailer.len());
                this.rest = [tag.payload, trailer];
                Poll::Ready(Some(Ok(Frame::data(small))))
            }
            NextTag::Wait => Poll::Pending,
            NextTag::Ended => Poll::Ready(None),
            NextTag::Cut => Poll::Ready(Some(Err(std::io::ErrorKind::TimedOut.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_an_application_and_a_name() {
        let of = |path| stream_at(path).map(|(app, name)| format!("{app} {name}"));
        assert_eq!(of("/live/camera.flv").as_deref(), Some("live camera"));
        assert_eq!(of("/live/room/a%20b.flv").as_deref(), Some("live/room a b"));
        assert_eq!(of("/a/b//c.flv").as_deref(), Some("a/b c"));
        assert_eq!(of("/camera.flv").as_deref(), Some(" camera"));
        for path in
            ["/", "/.flv", "/live/.flv", "/live/camera", "/live%2Froom/x.flv", "/live/a%2Fb.flv"]
        {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
