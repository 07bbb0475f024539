//! Starting and stopping.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::listen::{accept_all, bind};
use crate::shared::{Addresses, Phase, ServerState};
use crate::status::{self, ServerStatus};
use crate::{Error, Observer, Result, ServerConfig, http, rtmp, tls};

/// How long connections may take to see that they are over.
const LAST_MOMENT: Duration = Duration::from_secs(2);
/// How often rates are taken and warnings are summed up.
const TICK: Duration = Duration::from_secs(1);

/// Tasks that run before a thread looks at its sockets again: a packet wakes all players of its
/// stream, and to look in between a dozen times for one packet costs more than it brings.
const EVENT_INTERVAL: u32 = 256;

/// A running server. Dropping it stops it at once; [`Server::stop`] lets players finish.
pub struct Server {
    shared: Arc<ServerState>,
    tasks: Vec<JoinHandle<()>>,
    /// That of [`Server::spawn`].
    runtime: Option<Runtime>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.shared.addresses).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts a server in the tokio runtime that this runs in, which needs its I/O and time
    /// drivers. When it returns, connections are accepted.
    ///
    /// # Errors
    ///
    /// [`Error`]: an address that can't be listened on, a certificate that can't be used.
    // It awaits nothing, but it needs a runtime, which only a caller in one has.
    pub async fn start(config: ServerConfig) -> Result<Server> {
        let acceptor = match (config.rtmps_listen, &config.tls) {
            (Some(_), Some(files)) => Some(tls::acceptor(files)?),
            (Some(_), None) => return Err(Error::NoCertificate),
            (None, _) => None,
        };
        let listen = |service, address: Option<SocketAddr>| {
            address.map(|address| Listening::new(service, address)).transpose()
        };
        let rtmp = listen("RTMP", config.rtmp_listen)?;
        let rtmps = listen("RTMPS", config.rtmps_listen)?;
        let http = listen("HTTP", config.http_listen)?;
        let address = |listening: &Option<Listening>| listening.as_ref().map(|l| l.address);
        let addresses =
            Addresses { rtmp: address(&rtmp), rtmps: address(&rtmps), http: address(&http) };
        if rtmp.is_none() && rtmps.is_none() && http.is_none() {
            return Err(Error::NoListener);
        }
        let shared = Arc::new(ServerState::new(config, addresses)?);
        let mut tasks = vec![tokio::spawn(tick(Arc::clone(&shared)))];
        for (listening, acceptor, bytes) in
            [(rtmp, None, rtmp::CONNECTION_BYTES), (rtmps, acceptor, rtmp::TLS_CONNECTION_BYTES)]
        {
            let Some(listening) = listening else {
                continue;
            };
            let owner = Arc::clone(&shared);
            let listener = listening.listener;
            let accept = accept_all(Arc::clone(&shared), listener, bytes, move |tcp, permit| {
                tokio::spawn(rtmp::serve(Arc::clone(&owner), tcp, permit, acceptor.clone()));
            });
            tasks.push(tokio::spawn(accept));
        }
        if let Some(listening) = http {
            let owner = Arc::clone(&shared);
            let router = http::router(Arc::clone(&shared));
            let (listener, bytes) = (listening.listener, http::CONNECTION_BYTES);
            let accept = accept_all(Arc::clone(&shared), listener, bytes, move |tcp, permit| {
                tokio::spawn(http::serve(Arc::clone(&owner), router.clone(), tcp, permit));
            });
            tasks.push(tokio::spawn(accept));
        }
        Ok(Server { shared, tasks, runtime: None })
    }

    /// Starts a server on threads of its own, named `frameloom-server`: for programs that don't
    /// use tokio, and just as well for those that do. It returns when connections are accepted.
    ///
    /// # Errors
    ///
    /// As [`Server::start`], and [`Error::Threads`].
    pub fn spawn(config: ServerConfig) -> Result<Server> {
        let runtime = Builder::new_multi_thread()
            .thread_name("frameloom-server")
            .event_interval(EVENT_INTERVAL)
            .enable_all()
            .build()
            .map_err(Error::Threads)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            let _ = sender.send(Server::start(config).await);
        });
        match receiver.recv() {
            Ok(Ok(mut server)) => {
                server.runtime = Some(runtime);
                Ok(server)
            }
            failed => {
                runtime.shutdown_background();
                let gone = || Error::Threads(std::io::Error::other("the starting task ended"));
                Err(failed.map_or_else(|_| gone(), |result| result.err().unwrap_or_else(gone)))
            }
        }
    }

    /// Where RTMP is served, with the real port.
    #[must_use]
    pub fn rtmp_addr(&self) -> Option<SocketAddr> {
        self.shared.addresses.rtmp
    }

    /// Where RTMPS is served, with the real port.
    #[must_use]
    pub fn rtmps_addr(&self) -> Option<SocketAddr> {
        self.shared.addresses.rtmps
    }

    /// Where HTTP is served, with the real port.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.shared.addresses.http
    }

    /// What the server is doing.
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        status::snapshot(&self.shared)
    }

    /// A look at the server for those who don't own it.
    #[must_use]
    pub fn observer(&self) -> Observer {
        Observer::new(Arc::clone(&self.shared))
    }

    /// Stops: nothing new is accepted, publishers are closed, and players get what is left and
    /// the end of their streams, for up to
    /// [`Timeouts::drain`](crate::Timeouts::drain). Then all ports and connections are closed.
    pub async fn stop(mut self) {
        match &self.runtime {
            None => drain(Arc::clone(&self.shared), std::mem::take(&mut self.tasks)).await,
            Some(runtime) => {
                let tasks = std::mem::take(&mut self.tasks);
                // The connections are on that runtime, and so are their timers.
                let _ = runtime.spawn(drain(Arc::clone(&self.shared), tasks)).await;
            }
        }
    }

    /// [`Server::stop`] for a synchronous program that used [`Server::spawn`]. A server that was
    /// started by [`Server::start`] is stopped at once, as by dropping it: waiting here could
    /// block the thread that it runs on.
    pub fn stop_blocking(mut self) {
        if let Some(runtime) = &self.runtime {
            let (sender, receiver) = mpsc::sync_channel(1);
            let (shared, tasks) = (Arc::clone(&self.shared), std::mem::take(&mut self.tasks));
            runtime.spawn(async move {
                drain(shared, tasks).await;
                let _ = sender.send(());
            });
            // An error says that the task is gone, and so there is nothing to wait for.
            let _ = receiver.recv();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.set_phase(Phase::Over);
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(runtime) = self.runtime.take() {
            // Allowed anywhere, also within another runtime.
            runtime.shutdown_background();
        }
    }
}

/// A socket that listens.
struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening {
    fn new(service: &'static str, wanted: SocketAddr) -> Result<Self> {
        let listener = bind(service, wanted)?;
        let address = listener.local_addr().map_err(|source| Error::Listen {
            service,
            address: wanted,
            source,
        })?;
        tracing::info!(target: crate::LOG, "{service} on {address}");
        Ok(Listening { listener, address })
    }
}

async fn drain(shared: Arc<ServerState>, tasks: Vec<JoinHandle<()>>) {
    shared.set_phase(Phase::Draining);
    for task in tasks {
        let _ = task.await;
    }
    let drain = shared.config.timeouts.drain;
    let finished = timeout(drain, shared.caps.wait_until_empty()).await.is_ok();
    shared.set_phase(Phase::Over);
    if !finished {
        let left = shared.caps.open();
        tracing::warn!(target: crate::LOG, "closed {left} connections that took longer than {drain:?}");
        let _ = timeout(LAST_MOMENT, shared.caps.wait_until_empty()).await;
    }
    shared.warnings.flush_all(Instant::now());
}

/// What is to be done every second.
async fn tick(shared: Arc<ServerState>) {
    let stopping = shared.wait_for(Phase::Draining);
    tokio::pin!(stopping);
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = &mut stopping => return,
            _ = interval.tick() => {}
        }
        let now = Instant::now();
        shared.relays.all().iter().for_each(|relay| relay.sample(now));
        shared.warnings.flush(now);
        let patience = shared.config.timeouts.player_stall;
        shared.relays.forget_ended(now.checked_sub(patience).unwrap_or(now));
    }
}
