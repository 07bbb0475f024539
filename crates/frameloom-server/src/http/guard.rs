//! Which requests are let through for more than streams: the status, the metrics, and what the
//! program around the server serves.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Map;

use super::answer::{Peer, problem, problem_details};
use super::origin::{RequestOrigin, has_own_host, is_visit};
use crate::access::equal;
use crate::deadline::within;
use crate::shared::ServerState;

/// Most bytes of a request's body.
const MOST_BODY: usize = 64 << 10;

/// Lets a request through, or says why not.
pub(super) async fn check(
    State(shared): State<Arc<ServerState>>,
    request: Request,
    next: Next,
) -> Response {
    let allowed = &shared.config.allow_origins;
    let asker = RequestOrigin::of(request.headers(), allowed);
    let mut response = match judge(&shared, &asker, request).await {
        Ok(request) => answer(&shared, next, request).await,
        Err(refusal) => *refusal,
    };
    asker.tell(response.headers_mut(), allowed);
    response
}

/// The request with all of its body, or why it is not answered.
async fn judge(
    shared: &ServerState,
    asker: &RequestOrigin,
    request: Request,
) -> Result<Request, Box<Response>> {
    let path = request.uri().path();
    let is_api = path.starts_with("/api/");
    let refuse = |status, text: &str| {
        let refusal =
            if is_api { problem_details(status, text, Map::new()) } else { problem(status, text) };
        Err(Box::new(refusal))
    };
    if !has_own_host(shared, request.headers(), request.version()) {
        return refuse(StatusCode::FORBIDDEN, "only localhost is served under this address");
    }
    let only_reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let may = match asker {
        RequestOrigin::Own => true,
        RequestOrigin::Allowed(_) => only_reads,
        RequestOrigin::Foreign => !is_api && is_visit(request.method(), request.headers()),
    };
    if !may {
        let text = "a page of another origin may neither see nor change anything here";
        return refuse(StatusCode::FORBIDDEN, text);
    }
    let needs_token = shared.config.api_token.is_some() && (is_api || path == "/metrics");
    if needs_token && !shows_token(shared, request.headers()) {
        let text = "a token is needed: send the header 'Authorization: Bearer TOKEN'";
        return refuse(StatusCode::UNAUTHORIZED, text).map_err(|mut response| {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        });
    }
    if request.body().is_end_stream() {
        return Ok(request);
    }
    // Here, so that no handler waits for a body that never ends.
    let (parts, body) = request.into_parts();
    let limit = shared.config.timeouts.request_body;
    let refuse = |status, text: &str| {
        let mut refusal = problem_details(status, text, Map::new());
        refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        Err(Box::new(refusal))
    };
    match within(limit, to_bytes(body, MOST_BODY)).await {
        Some(Ok(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        // What breaks it but for its length is the connection, which then gets no answer.
        Some(Err(_)) => refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 64 KiB"),
        None => refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
    }
}

/// The answer, of which what waits to be sent counts.
async fn answer(shared: &ServerState, next: Next, request: Request) -> Response {
    let account = request.extensions().get::<Peer>().map(|peer| Arc::clone(&peer.account));
    let (parts, body) = next.run(request).await.into_parts();
    let (Some(account), Some(_)) = (account, body.size_hint().exact()) else {
        return Response::from_parts(parts, body);
    };
    // It is all there already.
    let bytes: Bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    match shared.memory.keep(&account, bytes) {
        Ok(bytes) => Response::from_parts(parts, Body::from(bytes)),
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "the server is out of memory"),
    }
}

/// Whether the API's token is among these headers. Where the API has none, nothing is.
pub(super) fn shows_token(shared: &ServerState, headers: &HeaderMap) -> bool {
    shared.config.api_token.as_ref().is_some_and(|token| has_token(headers, token.expose()))
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    given.is_some_and(|(scheme, given)| {
        scheme.eq_ignore_ascii_case("bearer") && equal(given.trim().as_bytes(), token.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_whole_token() {
        let given = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            has_token(&headers, "0123456789abcdef")
        };
        assert!(given("Bearer 0123456789abcdef") && given("bearer  0123456789abcdef"));
        for value in ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Basic 0123456789abcdef"] {
            assert!(!given(value), "{value}");
        }
        assert!(!has_token(&HeaderMap::new(), ""));
    }
}
