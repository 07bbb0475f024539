//! Which URLs lead to this server.

use std::net::{IpAddr, SocketAddr};

use frameloom::internal::redact;
use frameloom::internal::url::Address;
use frameloom_server::{Server, ServerConfig, stream_of_path};

/// A stream on a server: its application, and its name there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StreamOf {
    pub(crate) app: String,
    pub(crate) name: String,
}

impl StreamOf {
    /// The path of its URLs, without a slash before it.
    pub(crate) fn path(&self) -> String {
        let slash = if self.app.is_empty() { "" } else { "/" };
        format!("{}{slash}{}", self.app, self.name)
    }
}

/// Where this server is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Here {
    pub(crate) rtmp: Option<SocketAddr>,
    pub(crate) rtmps: Option<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
}

impl Here {
    /// Where it is to listen. A port may be 0 as yet.
    pub(crate) fn wanted(config: &ServerConfig) -> Here {
        let &ServerConfig { rtmp_listen, rtmps_listen, http_listen, .. } = config;
        Here { rtmp: rtmp_listen, rtmps: rtmps_listen, http: http_listen }
    }

    /// Where it listens.
    pub(crate) fn of(server: &Server) -> Here {
        let (rtmp, rtmps) = (server.rtmp_addr(), server.rtmps_addr());
        Here { rtmp, rtmps, http: server.http_addr() }
    }

    /// Shows the names of this server's streams in URLs from now on, whatever they are.
    pub(crate) fn show_names(&self) {
        for listens in [self.rtmp, self.rtmps, self.http].into_iter().flatten() {
            let (ip, port) = (listens.ip(), listens.port());
            redact::show_names_at(&listens.to_string());
            if is_at("localhost", ip) {
                for host in ["localhost", "127.0.0.1", "[::1]"] {
                    redact::show_names_at(&format!("{host}:{port}"));
                }
            }
        }
    }

    /// The stream of this server that is at `url`, where it is one.
    pub(crate) fn stream(&self, url: &str) -> Option<StreamOf> {
        let parts = parts(url)?;
        let (listens, suffix) = match parts.scheme.as_str() {
            "rtmp" => (self.rtmp?, ""),
            "rtmps" => (self.rtmps?, ""),
            "http" => (self.http?, ".flv"),
            _ => return None,
        };
        if parts.port != listens.port() || !is_at(&parts.host, listens.ip()) {
            return None;
        }
        let (app, name) = stream_of_path(parts.path.strip_suffix(suffix)?)?;
        Some(StreamOf { app, name })
    }

    /// What tells whether two URLs are about one stream; `None` for what is no stream on a
    /// network.
    pub(crate) fn identity(&self, url: &str) -> Option<String> {
        if let Some(stream) = self.stream(url) {
            return Some(stream.path());
        }
        let parts = parts(url)?;
        let local = parts.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let host = if local { "localhost" } else { &parts.host };
        Some(format!("{}://{host}:{}/{}", parts.scheme, parts.port, parts.path))
    }
}

struct UrlParts {
    scheme: String,
    host: String,
    port: u16,
    /// Without the query, and without the slash before it.
    path: String,
}

fn parts(url: &str) -> Option<UrlParts> {
    let address = Address::parse(url)?;
    let (host, _) = address.host_and_port()?;
    Some(UrlParts {
        scheme: address.scheme.to_ascii_lowercase(),
        host: host.trim_end_matches('.').to_ascii_lowercase(),
        port: address.port()?,
        path: address.bare_path().trim_matches('/').to_owned(),
    })
}

/// Whether a socket that listens at `listens` is reached by the name `host`.
fn is_at(host: &str, listens: IpAddr) -> bool {
    let takes_local = listens.is_loopback() || listens.is_unspecified();
    match host.parse::<IpAddr>() {
        Ok(ip) => ip == listens || takes_local && (ip.is_loopback() || ip.is_unspecified()),
        Err(_) => host == "localhost" && takes_local,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_url_is_too_strange(url in "(rtmp|http|x)://[a-z@:\\[\\]0-9/?#.é]{0,30}") {
            let here = Here { rtmp: Some(([127, 0, 0, 1], 1935).into()), ..Here::default() };
            if let Some(stream) = here.stream(&url) {
                prop_assert_eq!(here.identity(&url), Some(stream.path()));
            }
        }
    }

    #[test]
    fn names_on_this_server_are_shown() {
        let here = Here { rtmp: Some(([0, 0, 0, 0], 19_351).into()), ..Here::default() };
        here.show_names();
        for (given, shown) in [
            (
                "rtmp://localhost:19351/live/Front-Door?key=k",
                "rtmp://localhost:19351/live/Front-Door?***",
            ),
            ("rtmp://[::1]:19351/live/Front-Door", "rtmp://[::1]:19351/live/Front-Door"),
            ("rtmp://camera:19351/live/Front-Door", "rtmp://camera:19351/live/***"),
        ] {
            assert_eq!(redact::url(given), shown);
        }
    }

    #[test]
    fn urls_of_this_server_are_known() {
        let here = Here {
            rtmp: Some(([0, 0, 0, 0], 1935).into()),
            rtmps: None,
            http: Some(([127, 0, 0, 1], 8080).into()),
        };
        let name = |url: &str| here.stream(url).map(|of| format!("{} {}", of.app, of.name));
        for url in [
            "rtmp://localhost/live/cam",
            "rtmp://127.0.0.1:1935/live/cam?key=k",
            "RTMP://u:p@LOCALHOST:1935/live/cam",
            "rtmp://[::1]/live/cam",
            "http://localhost:8080/live/cam.flv",
        ] {
            assert_eq!(name(url).as_deref(), Some("live cam"), "{url}");
            assert_eq!(here.identity(url).as_deref(), Some("live/cam"));
        }
        assert_eq!(name("rtmp://localhost/a/b/c").as_deref(), Some("a/b c"));
        assert_eq!(name("rtmp://localhost/cam").as_deref(), Some(" cam"));
        assert_eq!(name("http://localhost:8080/cam.flv").as_deref(), Some(" cam"));
        for url in [
            "rtmp://camera/live/cam",
            "rtmp://localhost:1936/live/cam",
            "rtmps://localhost/live/cam",
            "http://localhost:8080/live/cam",
            "rtmp://localhost/",
            "clip.mp4",
            "file:///live/cam",
        ] {
            assert_eq!(name(url), None, "{url}");
        }
        assert_eq!(here.identity("clip.mp4"), None);
        assert_eq!(here.identity("rtsp://C/x?k=1"), here.identity("rtsp://u@c:554/x"));
    }
}
