//! The page at `/`: what `script/page` made of the folder `page/`, inside the program.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

/// All that the page may load is this server's own. mpegts.js plays what it makes itself, and
/// pictures come with the API's token: both are blobs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is shown where the program was built without its page.
const NONE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Frameloom</title>\
                    <h1>Frameloom</h1><p>This program was built without its page: run script/page \
                    and build it again. <a href=\"/api/v1/pipelines\">Pipelines</a> \
                    <a href=\"/api/v1/status\">Status</a> <a href=\"/metrics\">Metrics</a>";

#[derive(RustEmbed)]
#[folder = "../../page/dist"]
#[allow_missing = true]
struct Files;

/// The routes.
pub(crate) fn routes() -> Router {
    let fixed =
        |name: &'static str| get(move |headers: HeaderMap| async move { file(name, &headers) });
    let asset = |Path(name): Path<String>, headers: HeaderMap| async move {
        file(&format!("assets/{name}"), &headers)
    };
    Router::new()
        .route("/", fixed("index.html"))
        .route("/icon.svg", fixed("icon.svg"))
        .route("/licenses.md", fixed("licenses.md"))
        .route("/assets/{name}", get(asset))
}

fn file(name: &str, asked: &HeaderMap) -> Response {
    let mut response = match Files::get(name) {
        Some(file) => found(name, file, asked),
        None if name == "index.html" => with_type("text/html", NONE),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    };
    let headers = response.headers_mut();
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn found(name: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let hash: String = file.metadata.sha256_hash().iter().map(|b| format!("{b:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let is_known = asked.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => with_type(file.metadata.mimetype(), file.data),
    };
    // A file of the assets has its content's hash in its name.
    let lasts = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(lasts));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

fn with_type(kind: &str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let kind =
        if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() };
    if let Ok(kind) = HeaderValue::from_str(&kind) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}
