//! The playing side of an RTMP connection.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Connection, End, PULL_BYTES, Role};
use crate::counters::{Protocol, Reason};
use crate::relay::cursor::Step;
use crate::relay::{StreamName, Subscription};

/// A message stream that plays.
pub(super) struct Play {
    subscription: Subscription,
    paused: bool,
}

impl Play {
    pub(super) fn log_end(&self, peer: SocketAddr) {
        let name = self.subscription.name();
        tracing::debug!(target: crate::LOG, "{peer} has played {name}");
    }
}

/// Why a player pulls no more for now.
pub(super) enum Pulled {
    /// There is nothing.
    All,
    /// There is enough to write.
    Enough,
    /// The stream is over.
    Ended,
}

impl Connection {
    pub(super) fn begin_play(&self, stream_id: u32, name: &StreamName) -> Result<Role, Reason> {
        let (peer, wake) = (self.permit.peer, Arc::clone(&self.enrolled.wake));
        let subscription =
            self.shared.relays.play(name, Protocol::Rtmp, peer, wake).ok_or(Reason::NotFound)?;
        tracing::debug!(target: crate::LOG, "{peer} plays {name} on message stream {stream_id}");
        Ok(Role::Play(Play { subscription, paused: false }))
    }

    pub(super) fn pause(&mut self, stream_id: u32, paused: bool) {
        let role = self.roles.iter_mut().find(|(id, _)| *id == stream_id);
        if let Some((_, Role::Play(play))) = role {
            play.set_paused(paused);
        }
    }

    /// A paused player would never see the end of its stream.
    pub(super) fn end_pauses(&mut self) {
        for (_, role) in &mut self.roles {
            if let Role::Play(play) = role {
                play.set_paused(false);
            }
        }
    }

    /// Moves media from the relays to the output, as far as the client keeps up. Tells whether
    /// there may be more.
    pub(super) fn pull(&mut self) -> Result<bool, End> {
        let mut index = 0;
        while index < self.roles.len() {
            match self.pull_one(index)? {
                Pulled::Enough => return Ok(true),
                Pulled::All => index += 1,
                Pulled::Ended => {
                    let stream_id = self.roles.get(index).map_or(0, |(id, _)| *id);
                    // The client may have ended it itself.
                    let _ = self.session.finish_play(stream_id);
                    self.remove(stream_id);
                    if self.draining && self.roles.is_empty() {
                        self.close(End::Stopped);
                    }
                }
            }
        }
        Ok(false)
    }

    pub(super) fn pull_one(&mut self, index: usize) -> Result<Pulled, End> {
        let Some((stream_id, Role::Play(play))) = self.roles.get_mut(index) else {
            return Ok(Pulled::All);
        };
        if play.paused {
            return Ok(Pulled::All);
        }
        while self.session.output_bytes() < PULL_BYTES {
            match play.subscription.step() {
                Step::Packet(packet) => {
                    play.subscription.sent(packet.payload.len());
                    self.session
                        .send_media(*stream_id, packet.kind, packet.timestamp_ms, packet.payload)
                        .map_err(End::Protocol)?;
                }
                Step::Wait => return Ok(Pulled::All),
                Step::Ended => return Ok(Pulled::Ended),
                Step::Cut => return Err(End::TooSlow),
            }
        }
        Ok(Pulled::Enough)
    }
}

impl Play {
    fn set_paused(&mut self, paused: bool) {
        if self.paused && !paused {
            self.subscription.resume();
        }
        self.paused = paused;
    }
}
