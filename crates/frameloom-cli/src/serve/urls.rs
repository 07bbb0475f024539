//! Where the server is reached from this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use frameloom_server::Server;

/// Where a server is reached from this machine.
pub(crate) struct Urls {
    pub(crate) rtmp: Option<String>,
    rtmps: Option<String>,
    pub(crate) http: Option<String>,
}

impl Urls {
    pub(crate) fn of(server: &Server) -> Urls {
        let base = |scheme: &str, address: Option<SocketAddr>| {
            address.map(|address| format!("{scheme}://{}", reachable(address)))
        };
        Urls {
            rtmp: base("rtmp", server.rtmp_addr()),
            rtmps: base("rtmps", server.rtmps_addr()),
            http: base("http", server.http_addr()),
        }
    }

    /// What a user is told of them.
    pub(super) fn lines(&self, app: &str, name: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(base) = &self.http {
            lines.push(format!("page:             {base}/"));
        }
        for base in [&self.rtmp, &self.rtmps].into_iter().flatten() {
            lines.push(format!("publish and play: {base}/{app}/{name}"));
        }
        if let Some(base) = &self.http {
            lines.push(format!("play:             {base}/{app}/{name}.flv"));
            lines.push(format!("status, metrics:  {base}/api/v1/status  {base}/metrics"));
        }
        lines
    }
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_named_first() {
        let urls = Urls {
            rtmp: Some("rtmp://127.0.0.1:1935".into()),
            rtmps: None,
            http: Some("http://127.0.0.1:8080".into()),
        };
        let lines = urls.lines("live", "cam");
        assert_eq!(lines[0], "page:             http://127.0.0.1:8080/");
        assert_eq!(lines[1], "publish and play: rtmp://127.0.0.1:1935/live/cam");
        let urls = Urls { http: None, ..urls };
        assert_eq!(urls.lines("live", "cam").len(), 1);
    }
}
