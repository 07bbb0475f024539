//! What every handler needs: the address of the client, and the answers that say what is wrong.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::memory::Account;

/// The client of a request, for the handlers.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) id: u64,
    pub(super) address: SocketAddr,
    /// What its connection holds.
    pub(super) account: Arc<Account>,
}

/// A short text that says what is wrong.
pub(super) fn problem(status: StatusCode, text: &str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response()
}

/// The answer to a method that nothing here has.
pub(super) async fn wrong_method() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here")
}

/// An answer that says what is wrong, as `application/problem+json` (RFC 9457). `detail` is shown
/// to whoever asked, and has no secrets; `members` say the same for programs.
#[must_use]
pub fn problem_details(
    status: StatusCode,
    detail: &str,
    mut members: Map<String, Value>,
) -> Response {
    let title = status.canonical_reason().unwrap_or("error");
    members.insert("type".to_owned(), "about:blank".into());
    members.insert("title".to_owned(), title.into());
    members.insert("status".to_owned(), status.as_u16().into());
    members.insert("detail".to_owned(), detail.into());
    let mut response = Response::new(Value::Object(members).to_string().into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
