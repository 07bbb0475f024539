//! What a message stream of a connection does.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::access::PendingDecision;
use crate::relay::{Publication, Subscription, WaitingPlayer};
use crate::visitor::Action;
use crate::warnings::{Warning, Warnings};

/// What a message stream does.
pub(super) enum Role {
    /// It waits for a callback's word.
    Asked(Action, String, PendingDecision),
    /// It may play what nobody publishes yet.
    Waits(Box<Waits>),
    Publish(Box<Publish>),
    /// It is not in a box: with hundreds of players, each packet finds none of it in the cache.
    Play(Play),
}

/// A message stream that plays.
pub(super) struct Play {
    pub(super) subscription: Subscription,
    pub(super) paused: bool,
}

impl Play {
    pub(super) fn log_end(&self, peer: SocketAddr) {
        let name = self.subscription.name();
        tracing::debug!(target: crate::LOG, "{peer} has played {name}");
    }
}

/// A message stream that waits for a publisher.
pub(super) struct Waits {
    pub(super) waiting: WaitingPlayer,
    /// When it is told that there is none.
    pub(super) deadline: Instant,
}

/// Why a player pulls no more for now.
pub(super) enum PullEnd {
    /// There is nothing.
    All,
    /// There is enough to write.
    Enough,
    /// The stream is over.
    Ended,
}

impl Play {
    pub(super) fn set_paused(&mut self, paused: bool) {
        if self.paused && !paused {
            self.subscription.resume();
        }
        self.paused = paused;
    }
}

/// A round through the players that takes as long as this is followed by a pause just as long, so that
/// under load what comes close together leaves together: each write costs much more than its bytes.
/// Shorter ones follow each other as packets come.
const SHORT_ROUND: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// A message stream that publishes.
pub(super) struct Publish {
    pub(super) publication: Publication,
    pub(super) since: Instant,
    /// When audio or video came last.
    pub(super) last_media: Instant,
    /// Before this nothing is handed on to the players.
    pub(super) next_round: Instant,
    pub(super) warned: bool,
}

impl Publish {
    pub(super) fn log_end(&self, warnings: &Warnings, peer: SocketAddr, now: Instant) {
        let relay = self.publication.relay();
        let seconds = now.saturating_duration_since(self.since).as_secs();
        let bytes = relay.received_bytes();
        let name = &relay.name;
        warnings.warn(Warning::Published, || {
            format!("{peer} published {name} for {seconds} s, {bytes} bytes")
        });
    }
}

impl Publish {
    pub(super) fn wake_players(&mut self) {
        if !self.publication.has_news() {
            return;
        }
        let start = Instant::now();
        if start < self.next_round {
            return;
        }
        self.publication.wake_players();
        let took = start.elapsed();
        if took >= SHORT_ROUND {
            self.next_round = start + took + took.min(LONGEST_PAUSE);
        }
    }

    /// When there is something to hand on that had to wait.
    pub(super) fn round_due(&self) -> Option<Instant> {
        self.publication.has_news().then_some(self.next_round)
    }
}
