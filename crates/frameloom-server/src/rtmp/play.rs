//! The playing side of an RTMP connection.

use std::sync::Arc;

use super::connection::{Connection, PULL_BYTES};
use super::end::CloseReason;
use super::role::{Play, PullEnd, Role, Waits};
use crate::counters::{PlayProtocol, Reason};
use crate::relay::StreamName;
use crate::relay::cursor::CursorRead;
use crate::visitor::Action;

impl Connection {
    pub(super) fn begin_play(&self, stream_id: u32, name: &StreamName) -> Result<Role, Reason> {
        let (peer, wake) = (self.permit.peer, Arc::clone(&self.enrolled.wake));
        let subscription = self
            .shared
            .relays
            .play(name, PlayProtocol::Rtmp, peer, wake)
            .ok_or(Reason::NotFound)?;
        tracing::debug!(target: crate::LOG, "{peer} plays {name} on message stream {stream_id}");
        Ok(Role::Play(Play { subscription, paused: false }))
    }

    /// A place among those that wait for `name`, where they may.
    pub(super) fn wait_for(&self, name: &StreamName) -> Option<Role> {
        self.shared.is_wanted(name);
        let wait = self.shared.config.timeouts.play_wait;
        if wait.is_zero() {
            return None;
        }
        tracing::debug!(target: crate::LOG, "{} waits for {name}", self.permit.peer);
        let waiting = self.shared.relays.wait_for(name, Arc::clone(&self.enrolled.wake));
        Some(Role::Waits(Box::new(Waits { waiting, deadline: self.now + wait })))
    }

    /// Begins what was waited for.
    pub(super) fn look_for_publishers(&mut self) -> Result<(), CloseReason> {
        let is_there = |(_, role): &(u32, Role)| match role {
            Role::Waits(waits) => waits.waiting.is_over(),
            _ => false,
        };
        while let Some(place) = self.roles.iter().position(is_there) {
            let (stream_id, role) = self.roles.swap_remove(place);
            if let Role::Waits(waits) = role {
                let name = &waits.waiting.name;
                let begun = self.begin_play(stream_id, name);
                self.answer(Action::Play, stream_id, &name.app, begun)?;
            }
        }
        Ok(())
    }

    /// Nobody came.
    pub(super) fn give_up_waiting(&mut self, stream_id: u32) -> Result<(), CloseReason> {
        let place = self.roles.iter().position(|(id, _)| *id == stream_id);
        match place.map(|place| self.roles.swap_remove(place)) {
            Some((_, Role::Waits(waits))) => {
                let app = &waits.waiting.name.app;
                self.answer(Action::Play, stream_id, app, Err(Reason::NotFound))
            }
            _ => Ok(()),
        }
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
    pub(super) fn pull(&mut self) -> Result<bool, CloseReason> {
        let mut index = 0;
        while index < self.roles.len() {
            match self.pull_one(index)? {
                PullEnd::Enough => return Ok(true),
                PullEnd::All => index += 1,
                PullEnd::Ended => {
                    let stream_id = self.roles.get(index).map_or(0, |(id, _)| *id);
                    // The client may have ended it itself.
                    let _ = self.session.finish_play(stream_id);
                    self.remove(stream_id);
                    if self.draining && self.roles.is_empty() {
                        self.close(CloseReason::Stopped);
                    }
                }
            }
        }
        Ok(false)
    }

    pub(super) fn pull_one(&mut self, index: usize) -> Result<PullEnd, CloseReason> {
        let Some((stream_id, Role::Play(play))) = self.roles.get_mut(index) else {
            return Ok(PullEnd::All);
        };
        if play.paused {
            // What nobody publishes any more waits for nobody.
            if !play.subscription.has_ended() {
                return Ok(PullEnd::All);
            }
            play.set_paused(false);
        }
        while self.session.output_bytes() < PULL_BYTES {
            match play.subscription.step() {
                CursorRead::Packet(packet) => {
                    play.subscription.sent(packet.payload.len());
                    self.session
                        .send_media(*stream_id, packet.kind, packet.timestamp_ms, packet.payload)
                        .map_err(CloseReason::Protocol)?;
                }
                CursorRead::Wait => return Ok(PullEnd::All),
                CursorRead::Ended => return Ok(PullEnd::Ended),
                CursorRead::Cut => return Err(CloseReason::TooSlow),
            }
        }
        Ok(PullEnd::Enough)
    }
}
