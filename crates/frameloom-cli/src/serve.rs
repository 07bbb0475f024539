//! `frameloom serve`: the embedded media server from the command line.

pub(crate) mod settings;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use frameloom::{Error, ErrorKind, Result, Stage, Stop};
use frameloom_server::{Server, ServerConfig};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::settings::Words;
use crate::level::Level;
use crate::screen::Screen;
use crate::{log, signals};

/// How often a wait looks for the stop.
const TICK: Duration = Duration::from_millis(50);

/// Serves until a signal.
pub(crate) fn run(words: Words, screen: &Screen) -> Result<()> {
    log::start(words.level, screen);
    allow_many_files();
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    let open = words.config.publish_key.is_none() && words.config.on_publish.is_none();
    let server = start(words.config)?;
    let urls = Urls::of(&server);
    if words.level >= Level::Info {
        for line in urls.lines("APP", "NAME") {
            screen.line(&line);
        }
    }
    for address in [server.rtmp_addr(), server.rtmps_addr()].into_iter().flatten() {
        if open && !address.ip().is_loopback() {
            tracing::warn!(
                "whoever reaches {address} may publish there; --publish-key asks for a key"
            );
        }
    }
    while !stop.is_stopped() {
        thread::sleep(TICK);
    }
    server.stop_blocking();
    Ok(())
}

/// Starts a server.
///
/// # Errors
/// Its own, such as a port in use, with the option that helps.
pub(crate) fn start(config: ServerConfig) -> Result<Server> {
    Server::spawn(config).map_err(|error| {
        let told = error.to_string();
        // The library names its settings; here they are options.
        let told = ["rtmp_listen", "rtmps_listen", "http_listen"]
            .iter()
            .fold(told, |told, name| told.replace(name, &format!("--{}", name.replace('_', "-"))));
        Error::new(ErrorKind::Other, Stage::Options, told)
    })
}

/// Each connection is an open file, and what a shell allows is often 1024.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it can't be raised, the server still closes what is too much.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

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

    fn lines(&self, app: &str, name: &str) -> Vec<String> {
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
