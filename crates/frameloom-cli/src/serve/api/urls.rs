//! Where the streams of this server are played, as the asker reaches it.

use axum::http::HeaderMap;
use axum::http::header::HOST;
use serde_json::{Value as Json, json};

use crate::serve::place::{Here, StreamOf};

/// What stands before a stream's application and name.
#[derive(Clone, Debug)]
pub(crate) struct PlayUrls {
    rtmp: Option<String>,
    http: Option<String>,
}

impl PlayUrls {
    /// For whoever sent these headers: under the name by which it reached the server.
    pub(crate) fn of_request(here: &Here, headers: &HeaderMap) -> PlayUrls {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let host = if host.chars().all(plain) { host } else { "localhost" };
        let name = match host.rfind(':') {
            Some(at) if !host.ends_with(']') => &host[..at],
            _ => host,
        };
        let port = |port: u16, usual: u16| {
            if port == usual { String::new() } else { format!(":{port}") }
        };
        PlayUrls {
            rtmp: here.rtmp.map(|at| format!("rtmp://{name}{}", port(at.port(), 1935))),
            // As it was reached: there may be a proxy in between.
            http: here.http.map(|_| format!("http://{host}")),
        }
    }

    /// What stands before every stream's application and name.
    pub(crate) fn bases(&self) -> Json {
        json!({ "rtmp": self.rtmp, "http": self.http })
    }

    /// The URLs of a stream.
    pub(crate) fn of(&self, stream: &StreamOf) -> Json {
        let path = stream.path();
        json!({
            "rtmp": self.rtmp.as_ref().map(|base| format!("{base}/{path}")),
            "flv": self.http.as_ref().map(|base| format!("{base}/{path}.flv")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_the_asker() {
        let here = Here {
            rtmp: Some(([0, 0, 0, 0], 1936).into()),
            rtmps: None,
            http: Some(([0, 0, 0, 0], 8080).into()),
        };
        let stream = StreamOf { app: "live".to_owned(), name: "cam".to_owned() };
        let of = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            PlayUrls::of_request(&here, &headers).of(&stream)
        };
        for (host, rtmp, flv) in [
            ("box:8080", "rtmp://box:1936/live/cam", "http://box:8080/live/cam.flv"),
            ("[::1]:8080", "rtmp://[::1]:1936/live/cam", "http://[::1]:8080/live/cam.flv"),
            ("[::1]", "rtmp://[::1]:1936/live/cam", "http://[::1]/live/cam.flv"),
            ("a b", "rtmp://localhost:1936/live/cam", "http://localhost/live/cam.flv"),
        ] {
            assert_eq!(of(host), json!({ "rtmp": rtmp, "flv": flv }), "{host}");
        }
    }
}
