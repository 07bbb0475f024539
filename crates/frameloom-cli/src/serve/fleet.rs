//! The media server with the pipelines around it, from its start to its end.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use frameloom::internal::allocator;
use frameloom::{CommandLine, Error, ErrorKind, Result, Setting, Stage, Wording};
use frameloom_server::{Extensions, Server, ServerConfig};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::api::Api;
use super::metrics;
use super::models::Models;
use super::models::sockets::ModelSockets;
use super::pipelines::Pipelines;
use super::place::Here;
use super::processes::context::ProcessContext;
use super::save::ChangeStore;
use super::snapshot::Snapshots;
use super::urls::Urls;
use super::{api, page};

/// How often is looked at what there is to do.
const TICK: Duration = Duration::from_millis(50);
/// How often pipelines and models are measured.
const SECOND: Duration = Duration::from_secs(1);
/// How long the pipelines have the server for themselves when it stops: what they finish goes
/// through it.
const PIPELINE_STOP_TIME: Duration = Duration::from_millis(800);
/// How long they may take in all, which is longer than they take.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the models may take behind them, which is longer than they take.
const MODEL_STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// The server's memory is returned to the system when it holds so much less for its peers than
/// before, and less than three quarters of that.
const RETURNED_BYTES: u64 = 8 << 20;

/// A media server, its pipelines and models, and the API to all of them.
pub(crate) struct ServerRun {
    pub(crate) api: Arc<Api>,
    server: Server,
    /// Where its models are reached.
    sockets: Arc<ModelSockets>,
    /// When the pipelines and models are measured next.
    due: Instant,
    /// The most that the server held for its peers since memory was last returned to the system.
    most_held: u64,
}

impl ServerRun {
    /// Starts the server of a process that was started with `words` as its last arguments. There
    /// are no pipelines yet; what the API changes of them goes to `store`.
    ///
    /// # Errors
    /// An address that can't be listened on; a process that doesn't know how it was started.
    pub(crate) fn start(
        words: &[OsString],
        config: ServerConfig,
        store: Option<ChangeStore>,
    ) -> Result<ServerRun> {
        allow_many_files();
        allocator::return_large_blocks();
        let (context, sockets) = (Arc::new(ProcessContext::new()), Arc::default());
        let pipelines = Pipelines::new(words, Arc::clone(&context), Arc::clone(&sockets))?;
        let pipelines = Arc::new(pipelines);
        let models = Arc::new(Models::new(Arc::clone(&context), Arc::clone(&sockets)));
        let api = Arc::new(Api {
            pipelines: Arc::clone(&pipelines),
            models,
            context,
            here: Mutex::new(Here::wanted(&config)),
            file_error: Mutex::default(),
            publish_key: config.publish_key.is_some(),
            play_key: config.play_key.is_some(),
            snapshots: Snapshots::new(config.play_key.clone()),
            store,
            order: Mutex::default(),
        });
        let server = serve(ServerConfig { extensions: extensions(&api), ..config })?;
        *api.here.lock().unwrap_or_else(PoisonError::into_inner) = Here::of(&server);
        Here::of(&server).show_names();
        pipelines.attach(server.observer());
        Ok(ServerRun { api, server, sockets, due: Instant::now(), most_held: 0 })
    }

    pub(crate) fn pipelines(&self) -> &Pipelines {
        &self.api.pipelines
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Where it is reached from this machine.
    pub(crate) fn urls(&self) -> Urls {
        Urls::of(&self.server)
    }

    /// Goes on for a moment. Whether a second is over with it.
    pub(crate) fn go_on(&mut self) -> bool {
        thread::sleep(TICK);
        let second = Instant::now() >= self.due;
        if second {
            // A machine that slept makes up for nothing.
            self.due = (self.due + SECOND).max(Instant::now());
            self.api.pipelines.tick();
            self.api.models.tick();
            self.return_memory();
        }
        second
    }

    /// Returns what peers needed to the system once they have left.
    fn return_memory(&mut self) {
        let held = self.server.status().memory.held_bytes;
        self.most_held = self.most_held.max(held);
        if held + RETURNED_BYTES <= self.most_held && held < self.most_held / 4 * 3 {
            allocator::trim();
            self.most_held = held;
        }
    }

    /// Ends the pipelines, the models, and the server.
    pub(crate) fn end(self) {
        let Api { pipelines, models, .. } = &*self.api;
        pipelines.end();
        let until = Instant::now() + STOP_TIMEOUT;
        // What a pipeline finishes may still need its model.
        if pipelines.wait(PIPELINE_STOP_TIME) {
            models.end();
        }
        self.server.stop_blocking();
        if !pipelines.wait(until.saturating_duration_since(Instant::now())) {
            tracing::warn!("a pipeline did not end in {} s", STOP_TIMEOUT.as_secs());
        }
        models.end();
        if !models.wait(MODEL_STOP_TIMEOUT) {
            tracing::warn!("a model did not end in {} s", MODEL_STOP_TIMEOUT.as_secs());
        }
        self.sockets.remove();
    }
}

/// What is added to the media server.
fn extensions(api: &Arc<Api>) -> Extensions {
    let (asked, counted) = (Arc::clone(&api.pipelines), Arc::clone(&api.pipelines));
    let models = Arc::clone(&api.models);
    Extensions {
        routes: Some(api::routes(Arc::clone(api)).merge(page::routes())),
        metrics: Some(Arc::new(move || metrics::text(&counted) + &models.metrics())),
        wanted: Some(Arc::new(move |app, name| asked.is_asked(app, name))),
    }
}

/// Starts a server.
///
/// # Errors
/// Its own, such as a port in use, with the option that helps.
fn serve(config: ServerConfig) -> Result<Server> {
    Server::spawn(config).map_err(|error| {
        let spell = |name: &str| {
            let name = if name == "tls" { "tls-cert" } else { name };
            CommandLine.name(&Setting::own(name.to_owned()))
        };
        let text = error.spelled(&spell).to_string();
        Error::new(ErrorKind::Other, Stage::Options, text).because(error)
    })
}

/// Each connection is an open file, and what a shell allows is often 1024.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it can't be raised, the server still closes what is too much.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
