//! `frameloom serve`: the embedded media server from the command line, and the pipelines of a file.

pub(crate) mod api;
mod file;
mod history;
mod metrics;
mod node;
mod page;
pub(crate) mod pipelines;
mod place;
mod reload;
mod save;
pub(crate) mod settings;
mod snapshot;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use frameloom::{Error, ErrorKind, Result, Stage, Stop};
use frameloom_server::{Extensions, Server, ServerConfig};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::api::Api;
use self::file::File;
use self::pipelines::Pipelines;
use self::place::Here;
use self::reload::Reload;
use self::save::Store;
use self::settings::Words;
use self::snapshot::Snapshots;
use crate::level::Level;
use crate::screen::Screen;
use crate::{log, signals};

/// How often a wait looks for the stop.
const TICK: Duration = Duration::from_millis(50);
/// How often pipelines are measured and the file is looked at.
const SECOND: Duration = Duration::from_secs(1);
/// How long the pipelines have the server for themselves when it stops: what they finish goes
/// through it.
const HEAD_START: Duration = Duration::from_millis(800);
/// How long they may take in all, which is longer than they take.
const FAREWELL: Duration = Duration::from_secs(3);

/// Serves until a signal.
///
/// # Errors
/// Wrong words, a wrong file, an address that can't be listened on: nothing is begun then.
pub(crate) fn run(mut words: Vec<String>, screen: &Screen) -> Result<()> {
    let environment = |name: &str| std::env::var(name).ok();
    let started = [&["serve".to_owned()], words.as_slice()].concat();
    let has_file = words.first().is_some_and(|word| !word.starts_with('-'));
    let file = match has_file {
        true => Some(File::read(Path::new(&words.remove(0)), &environment)?),
        false => None,
    };
    let words = Words::parse(words, file.as_ref(), environment)?;
    log::start(words.level, screen);
    let (config, level, save) = (words.config, words.level, words.save);
    let listens =
        Here { rtmp: config.rtmp_listen, rtmps: config.rtmps_listen, http: config.http_listen };
    let wanted = file.as_ref().map(|file| file.pipelines(&listens)).transpose()?;
    allow_many_files();
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    let mut reload = file.as_ref().map(Reload::new).transpose()?;
    let open = config.publish_key.is_none() && config.on_publish.is_none();
    let pipelines = Arc::new(Pipelines::new(&started)?);
    let api = Arc::new(Api {
        pipelines: Arc::clone(&pipelines),
        here: Mutex::new(listens),
        file_error: Mutex::default(),
        snapshots: Snapshots::new(),
        store: file.as_ref().filter(|_| save).map(|file| Store::new(&file.path)),
    });
    let server = start(ServerConfig { extensions: extensions(&api), ..config })?;
    let here =
        Here { rtmp: server.rtmp_addr(), rtmps: server.rtmps_addr(), http: server.http_addr() };
    *api.here.lock().unwrap_or_else(PoisonError::into_inner) = here;
    pipelines.attach(server.observer());
    say_where(&server, level, open, screen);
    if let (Some(reload), Some(wanted)) = (&mut reload, wanted) {
        reload.begin(&api, wanted);
    }
    let mut due = Instant::now();
    while !stop.is_stopped() {
        thread::sleep(TICK);
        let second = Instant::now() >= due;
        if second {
            // A machine that slept makes up for nothing.
            due = (due + SECOND).max(Instant::now());
            pipelines.tick();
        }
        if let Some(reload) = &mut reload {
            reload.look(&api, second, &environment);
        }
    }
    end(server, &pipelines);
    Ok(())
}

/// What is added to the media server.
fn extensions(api: &Arc<Api>) -> Extensions {
    let (asked, counted) = (Arc::clone(&api.pipelines), Arc::clone(&api.pipelines));
    Extensions {
        routes: Some(api::routes(Arc::clone(api)).merge(page::routes())),
        metrics: Some(Arc::new(move || metrics::text(&counted))),
        wanted: Some(Arc::new(move |app, name| asked.is_asked(app, name))),
    }
}

/// Ends the pipelines and the server.
fn end(server: Server, pipelines: &Arc<Pipelines>) {
    pipelines.end();
    let until = Instant::now() + FAREWELL;
    pipelines.wait(HEAD_START);
    server.stop_blocking();
    if !pipelines.wait(until.saturating_duration_since(Instant::now())) {
        tracing::warn!("a pipeline did not end in {} s", FAREWELL.as_secs());
    }
}

/// Tells where everything is, and what is open to strangers.
fn say_where(server: &Server, level: Level, open: bool, screen: &Screen) {
    let urls = Urls::of(server);
    if level >= Level::Info {
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
