//! What a server is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use frameloom_rtmp::{Limits, Secret};

use crate::{Callback, Extensions};

/// A server's settings. Nothing is open to other machines by default.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where RTMP is served; port 0 takes a free one. Default 127.0.0.1:1935.
    pub rtmp_listen: Option<SocketAddr>,
    /// Where RTMP over TLS is served; it needs [`ServerConfig::tls`]. Default `None`.
    pub rtmps_listen: Option<SocketAddr>,
    /// Where HTTP-FLV, WebSocket-FLV, the status and the metrics are served.
    /// Default 127.0.0.1:8080.
    pub http_listen: Option<SocketAddr>,
    /// The certificate for [`ServerConfig::rtmps_listen`]. Default `None`.
    pub tls: Option<TlsFiles>,
    /// What a publisher has to give as `key` in the query. Default `None`: anyone may publish.
    pub publish_key: Option<Secret>,
    /// What a player has to give as `key` in the query. One over HTTP that shows the
    /// [`api_token`](Self::api_token) needs none. Default `None`: anyone may play.
    pub play_key: Option<Secret>,
    /// Asked for every publisher that has the right key. Default `None`.
    pub on_publish: Option<Callback>,
    /// Asked for every player that has the right key. Default `None`.
    pub on_play: Option<Callback>,
    /// What happens to a second publisher of the same name. Default: it is refused.
    pub second_publisher: SecondPublisher,
    /// Connections of all kinds together; one more is closed at once. Default 4096.
    pub max_connections: usize,
    /// Connections from one address; of IPv6, from one /64 network. Default 1024.
    pub max_connections_per_address: usize,
    /// Bytes of memory that all connections and streams together may make the server hold. When
    /// they are used up, whoever holds most is cut. Default `None`: a quarter of what the machine,
    /// or the control group that the server is in, has.
    pub max_memory: Option<u64>,
    /// What one RTMP connection may make the server hold. One that does not publish may have
    /// 256 KiB of messages that are not complete.
    pub rtmp: Limits,
    /// How long each thing may take.
    pub timeouts: Timeouts,
    /// How much of a stream is kept, and how far behind a player may be.
    pub relay: RelayLimits,
    /// What a request for the status, the metrics or anything below `/api/` has to give as bearer
    /// token. Default `None`: anyone who reaches the server may ask.
    pub api_token: Option<Secret>,
    /// Origins, such as `https://pages.example`, whose pages may play streams and read what is
    /// served over HTTP; `*` for all. Default: none but the server's own. Programs that are no
    /// browsers have no origin, and may in any case.
    pub allow_origins: Vec<String>,
    /// What the program around the server adds to it. Default: nothing.
    pub extensions: Extensions,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        ServerConfig {
            rtmp_listen: Some(SocketAddr::new(loopback, 1935)),
            rtmps_listen: None,
            http_listen: Some(SocketAddr::new(loopback, 8080)),
            tls: None,
            publish_key: None,
            play_key: None,
            on_publish: None,
            on_play: None,
            second_publisher: SecondPublisher::default(),
            max_connections: 4096,
            max_connections_per_address: 1024,
            max_memory: None,
            rtmp: Limits::default(),
            timeouts: Timeouts::default(),
            relay: RelayLimits::default(),
            api_token: None,
            allow_origins: Vec::new(),
            extensions: Extensions::default(),
        }
    }
}

/// A certificate and its key, both as PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to the root.
    pub certificate: PathBuf,
    /// The certificate's private key: PKCS#8, PKCS#1 or SEC1.
    pub private_key: PathBuf,
}

/// What happens to a second publisher of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondPublisher {
    /// It is refused, for as long as the first one publishes.
    #[default]
    Refuse,
    /// The first one is disconnected. Players stay, and go on with what the second one sends.
    TakeOver,
}

/// How long each thing may take.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// From a connection's start to the end of its handshake, TLS included; for HTTP, to the end
    /// of the request's header. Default 5 s.
    pub handshake: Duration,
    /// How long the body of a request may take. Default 10 s.
    pub request_body: Duration,
    /// How long an RTMP connection may be without publishing or playing. Default 10 s.
    pub command: Duration,
    /// How long a publisher may send no audio or video that can be read. Default 15 s.
    pub idle_publisher: Duration,
    /// How long a peer may take nothing of what waits for it. Default 8 s.
    pub player_stall: Duration,
    /// How long a player over RTMP may wait for a name that nobody publishes, before it is told so:
    /// most are asked for just before the publisher comes, or while it is away. It is best below
    /// the 10 s after which many players give up. Default 9 s.
    pub play_wait: Duration,
    /// How long a callback may take to answer. Default 5 s.
    pub callback: Duration,
    /// How long a stop waits for players to take what is left. Default 2 s.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            handshake: Duration::from_secs(5),
            request_body: Duration::from_secs(10),
            command: Duration::from_secs(10),
            idle_publisher: Duration::from_secs(15),
            player_stall: Duration::from_secs(8),
            play_wait: Duration::from_secs(9),
            callback: Duration::from_secs(5),
            drain: Duration::from_secs(2),
        }
    }
}

/// How much of a stream is kept, and how far behind a player may be.
#[derive(Clone, Debug)]
pub struct RelayLimits {
    /// Most bytes kept of one stream. A GOP larger than this can't be joined: late players then
    /// wait for the next keyframe. Default 32 MiB.
    pub cache_bytes: usize,
    /// How much media a player may be behind before it skips to the latest keyframe. Default 5 s.
    pub player_lag: Duration,
    /// How often a player may skip without having caught up in between, before it is
    /// disconnected. Default 3.
    pub player_skips: u32,
}

impl Default for RelayLimits {
    fn default() -> Self {
        RelayLimits { cache_bytes: 32 << 20, player_lag: Duration::from_secs(5), player_skips: 3 }
    }
}
