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
