//! Which requests are let through for more than streams: the status, the metrics, and what the program around the
//! server serves.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use axum::middleware::Next;
use axum::response::Response;

use super::answer::{problem, problem_details};
use crate::access::equal;
use crate::shared::ServerState;

/// Lets a request through, or says why not.
pub(super) async fn check(
    State(shared): State<Arc<ServerState>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let is_api = path.starts_with("/api/");
    let refuse = |status, text: &str| {
        if is_api { problem_details(status, text) } else { problem(status, text) }
    };
    // A page on the internet may have pointed its own name at this machine: a server that listens
    // on loopback only is meant for this machine's own programs.
    let local = shared.addresses.http.is_some_and(|address| address.ip().is_loopback());
    if local && !is_local(request.headers(), request.version()) {
        return refuse(StatusCode::FORBIDDEN, "only localhost is served under this address");
    }
    let only_reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !only_reads && !is_own_origin(request.headers()) {
        let text = "a page of another origin may change nothing here";
        return refuse(StatusCode::FORBIDDEN, text);
    }
    let needs_token = shared.config.api_token.is_some() && (is_api || path == "/metrics");
    if needs_token && !shows_token(&shared, request.headers()) {
        let text = "a token is needed: send the header 'Authorization: Bearer TOKEN'";
        let mut response = refuse(StatusCode::UNAUTHORIZED, text);
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    next.run(request).await
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

/// Whether no browser says that another site's page asks. Programs say nothing about it.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        return matches!(site, None | Some(b"same-origin" | b"none"));
    };
    let (Ok(origin), Some(Ok(host))) =
        (origin.to_str(), headers.get(HOST).map(HeaderValue::to_str))
    else {
        return false;
    };
    let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    own.is_some_and(|own| own.eq_ignore_ascii_case(host))
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

    #[test]
    fn only_the_servers_own_pages_may_change_something() {
        let own = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_own_origin(&headers)
        };
        assert!(own(&[]));
        assert!(own(&[("host", "h:8080"), ("origin", "http://h:8080")]));
        assert!(own(&[("host", "h"), ("origin", "https://H")]));
        assert!(own(&[("host", "h"), ("sec-fetch-site", "same-origin")]));
        for lines in [
            &[("host", "h:8080"), ("origin", "http://h:8081")][..],
            &[("host", "h"), ("origin", "http://h.evil")],
            &[("host", "h"), ("origin", "null")],
            &[("origin", "http://h")],
            &[("host", "h"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!own(lines), "{lines:?}");
        }
    }

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
