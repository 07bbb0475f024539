//! What all of a server's connections share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::access::Access;
use crate::caps::Caps;
use crate::counters::{Reason, ServerCounters};
use crate::lock::lock;
use crate::memory::{Memory, quarter};
use crate::relay::name::is_hidden;
use crate::relay::wake::{Direct, Wake};
use crate::relay::{Relays, StreamName};
use crate::visitor::Action;
use crate::warnings::{Warning, Warnings};
use crate::{Result, ServerConfig};

/// How far the server's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// Nothing new begins; publishers are gone, and players take what is left.
    Draining,
    /// Every connection closes at once.
    Over,
}

/// The addresses that are really listened on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) rtmp: Option<SocketAddr>,
    pub(crate) rtmps: Option<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
}

pub(crate) struct ServerState {
    pub(crate) config: ServerConfig,
    pub(crate) addresses: Addresses,
    pub(crate) started: Instant,
    pub(crate) access: Access,
    pub(crate) caps: Arc<Caps>,
    pub(crate) counters: Arc<ServerCounters>,
    pub(crate) relays: Arc<Relays>,
    pub(crate) warnings: Arc<Warnings>,
    pub(crate) memory: Arc<Memory>,
    /// The phase again, for tasks that look at it each time they run.
    phase_now: AtomicU8,
    phase: watch::Sender<Phase>,
    /// RTMP connections by their number, to be woken when the phase changes.
    wakes: Mutex<HashMap<u64, Arc<Wake>>>,
    seed: AtomicU64,
}

impl ServerState {
    /// # Errors
    ///
    /// [`Error::RootCertificates`](crate::Error::RootCertificates), see [`Access::new`].
    pub(crate) fn new(config: ServerConfig, addresses: Addresses) -> Result<Self> {
        let counters: Arc<ServerCounters> = Arc::default();
        let warnings: Arc<Warnings> = Arc::default();
        let memory = Memory::new(config.max_memory.unwrap_or_else(quarter));
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(ServerState {
            access: Access::new(&config, Arc::clone(&warnings))?,
            caps: Caps::new(
                config.max_connections,
                config.max_connections_per_address,
                Arc::clone(&memory),
            ),
            relays: Arc::new(Relays::new(
                config.relay.clone(),
                Arc::clone(&counters),
                Arc::clone(&memory),
            )),
            config,
            addresses,
            started: Instant::now(),
            counters,
            warnings,
            memory,
            phase_now: AtomicU8::new(Phase::Running as u8),
            phase: watch::Sender::new(Phase::Running),
            wakes: Mutex::default(),
            // The low bits are what differs from one start to the next.
            seed: AtomicU64::new(since_1970.as_nanos() as u64),
        })
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase_now.load(Ordering::SeqCst) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Over,
        }
    }

    /// Goes on to a later phase, and tells everyone.
    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase_now.fetch_max(phase as u8, Ordering::SeqCst);
        self.phase.send_if_modified(|now| {
            let later = phase > *now;
            *now = phase.max(*now);
            later
        });
        for wake in lock(&self.wakes).values() {
            wake.wake();
        }
    }

    /// Waits for a phase, or a later one.
    pub(crate) async fn wait_for(&self, phase: Phase) {
        let mut receiver = self.phase.subscribe();
        // It fails only where the sender is gone, and that is in `self`.
        let _ = receiver.wait_for(|now| *now >= phase).await;
    }

    /// A connection's wake-up, told of every change of phase until it is dropped.
    pub(crate) fn enroll(self: &Arc<Self>, id: u64, direct: Weak<dyn Direct>) -> Enrolled {
        let wake = Arc::new(Wake::direct(direct));
        lock(&self.wakes).insert(id, Arc::clone(&wake));
        Enrolled { shared: Arc::clone(self), id, wake }
    }

    /// Tells the program around the server that a player asks for `name`, which nobody publishes.
    /// Whether it says that somebody is about to.
    pub(crate) fn is_wanted(&self, name: &StreamName) -> bool {
        let wanted = self.config.extensions.wanted.as_ref();
        wanted.is_some_and(|wanted| wanted(&name.app, &name.name))
    }

    /// Counts that `peer` is refused or cut because memory is used up, and warns of it.
    pub(crate) fn out_of_memory(&self, peer: SocketAddr) {
        self.memory.count_reached();
        self.warnings.warn(Warning::Memory, || {
            let mebibytes = self.memory.limit() >> 20;
            format!(
                "closed {peer}: the memory for streams is used up, {mebibytes} MiB (max_memory)"
            )
        });
    }

    /// A number that differs between connections.
    pub(crate) fn next_seed(&self) -> u64 {
        self.seed.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
    }

    /// Counts a refusal and warns of it. `app` is that of the path ([`split`](crate::relay::name::split)):
    /// the path's last part is left out. As nobody accepted it, it may be a stream key that went to
    /// the wrong place.
    pub(crate) fn refused(&self, action: Action, app: &str, peer: SocketAddr, reason: Reason) {
        self.counters.refuse(reason);
        self.warnings.warn(Warning::Refused, || {
            let (word, text) = (action.word(), reason.text());
            let slash = if app.is_empty() { "" } else { "/" };
            format!("{peer} may not {word} {}{slash}***: {text}", shown(app))
        });
    }
}

/// An entry among those that learn of the phase.
pub(crate) struct Enrolled {
    shared: Arc<ServerState>,
    id: u64,
    pub(crate) wake: Arc<Wake>,
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        lock(&self.shared.wakes).remove(&self.id);
    }
}

/// What a client says of itself, fit for a line in a log: short, and without characters that can't
/// be seen or turn the line round.
pub(crate) fn shown(text: &str) -> String {
    let plain = |character: char| if is_hidden(character) { '?' } else { character };
    text.chars().take(64).map(plain).collect()
}
