//! Whose page asks.
//!
//! A browser lets any page ask any server that it reaches, also one at home or on the same machine.
//! It says for whom: in `Origin` where the page is to read the answer, in `Sec-Fetch-Site` else.
//! Programs that are no browsers say nothing of the kind.

use std::net::IpAddr;

use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HOST, ORIGIN, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, Version};

use crate::shared::ServerState;

/// The header that tells browsers which pages may embed an answer without reading it.
const RESOURCE_POLICY: &str = "cross-origin-resource-policy";

/// Whose page asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestOrigin {
    /// No page of another origin.
    Own,
    /// One that may, and what it is told so by.
    Allowed(HeaderValue),
    Foreign,
}

impl RequestOrigin {
    /// Finds out from a request's headers whose page asks. `allowed` names the other origins whose
    /// pages may ask; `*` stands for all.
    pub(super) fn of(headers: &HeaderMap, allowed: &[String]) -> RequestOrigin {
        if is_own(headers) {
            return RequestOrigin::Own;
        }
        if allowed.iter().any(|allowed| allowed == "*") {
            return RequestOrigin::Allowed(HeaderValue::from_static("*"));
        }
        let origin = headers.get(ORIGIN);
        let named = origin.and_then(|origin| origin.to_str().ok());
        let is_named = |origin: &str| allowed.iter().any(|one| one.eq_ignore_ascii_case(origin));
        match origin {
            Some(origin) if named.is_some_and(is_named) => RequestOrigin::Allowed(origin.clone()),
            _ => RequestOrigin::Foreign,
        }
    }

    /// Tells the browser what the page may do with the answer.
    pub(super) fn tell(&self, headers: &mut HeaderMap, allowed: &[String]) {
        let policy = match self {
            RequestOrigin::Own | RequestOrigin::Foreign => "same-origin",
            RequestOrigin::Allowed(origin) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                "cross-origin"
            }
        };
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static(policy));
        if !allowed.is_empty() {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// Whether somebody follows a link, or the browser's address line: then no page gets the answer.
pub(super) fn is_visit(method: &Method, headers: &HeaderMap) -> bool {
    let says = |name, value: &[u8]| headers.get(name).is_some_and(|said| said.as_bytes() == value);
    matches!(*method, Method::GET | Method::HEAD)
        && !headers.contains_key(ORIGIN)
        && says("sec-fetch-mode", b"navigate")
        && says("sec-fetch-dest", b"document")
}

/// Whether somebody did so by hand, and no page's program.
pub(super) fn is_visit_by_hand(method: &Method, headers: &HeaderMap) -> bool {
    is_visit(method, headers)
        && headers.get("sec-fetch-user").is_some_and(|said| said.as_bytes() == b"?1")
}

/// Whether a request came under a name of this server. A page on the internet may have pointed its
/// own name at this machine: a server that listens on loopback only is meant for this machine's own
/// programs.
pub(super) fn has_own_host(shared: &ServerState, headers: &HeaderMap, version: Version) -> bool {
    let is_hidden = shared.addresses.http.is_some_and(|address| address.ip().is_loopback());
    !is_hidden || is_local(headers, version)
}

/// Whether no browser says that another site's page asks. Programs say nothing about it.
fn is_own(headers: &HeaderMap) -> bool {
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
    use axum::http::header::HeaderName;

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
            is_own(&headers)
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

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        lines.collect()
    }

    #[test]
    fn pages_of_named_origins_may_ask() {
        let named = ["https://Pages.example".to_owned(), "http://a.example:81".to_owned()];
        let of = |lines: &[_], allowed: &[String]| RequestOrigin::of(&headers(lines), allowed);
        for origin in ["https://pages.example", "http://a.example:81"] {
            let allowed = RequestOrigin::Allowed(HeaderValue::from_static(origin));
            assert_eq!(of(&[("host", "h"), ("origin", origin)], &named), allowed);
        }
        for origin in ["http://pages.example", "https://pages.example.evil", "null"] {
            assert_eq!(of(&[("host", "h"), ("origin", origin)], &named), RequestOrigin::Foreign);
            let any = ["*".to_owned()];
            let allowed = RequestOrigin::Allowed(HeaderValue::from_static("*"));
            assert_eq!(of(&[("host", "h"), ("origin", origin)], &any), allowed);
        }
        assert_eq!(
            of(&[("host", "h"), ("sec-fetch-site", "cross-site")], &named),
            RequestOrigin::Foreign
        );
        assert_eq!(of(&[("host", "h")], &named), RequestOrigin::Own);
    }

    #[test]
    fn a_link_is_no_page_that_asks() {
        let link = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(is_visit(&Method::GET, &headers(&link)));
        assert!(!is_visit(&Method::POST, &headers(&link)));
        assert!(!is_visit_by_hand(&Method::GET, &headers(&link)));
        let by_hand = [link[0], link[1], ("sec-fetch-user", "?1")];
        assert!(is_visit_by_hand(&Method::GET, &headers(&by_hand)));
        let frame = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        assert!(!is_visit(&Method::GET, &headers(&frame)));
    }
}
