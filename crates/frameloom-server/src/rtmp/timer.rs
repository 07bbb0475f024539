//! What may take how long on an RTMP connection.

use std::future::Future;
use std::task::{Context, Poll, ready};

use frameloom_rtmp::Refusal;
use tokio::time::Instant;

use super::connection::Connection;
use super::end::End;
use super::role::Role;

/// What has taken too long.
#[derive(Clone, Copy)]
enum Due {
    Handshake,
    /// Nothing was published or played.
    Command,
    /// This message stream had no media.
    Media(u32),
    /// This is no time-out: players get what had to wait.
    Round,
    /// Nobody has published what this message stream is to play.
    Wait(u32),
    /// The client took nothing.
    Stall,
    /// The client did not close its side.
    Closed,
}

impl Connection {
    /// Ready when the connection has to end now.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let Some((deadline, due)) = self.deadline() else {
                return Poll::Pending;
            };
            if deadline <= self.now {
                return self.expire(cx, due);
            }
            // A timer that runs out too early costs less than one that is moved at every write.
            if deadline < self.timer.deadline() || self.timer.is_elapsed() {
                self.timer.as_mut().reset(deadline);
            }
            ready!(self.timer.as_mut().poll(cx));
            self.now = Instant::now();
        }
    }

    /// When the next thing has taken too long, and which.
    fn deadline(&self) -> Option<(Instant, Due)> {
        if let Some(closing) = &self.closing {
            return Some((closing.deadline, Due::Closed));
        }
        let timeouts = &self.shared.config.timeouts;
        let mut next: Option<(Instant, Due)> = None;
        let mut consider = |deadline, due| {
            if next.as_ref().is_none_or(|(earliest, _)| deadline < *earliest) {
                next = Some((deadline, due));
            }
        };
        if self.session.is_handshaking() {
            consider(self.handshake_deadline, Due::Handshake);
        } else if self.roles.is_empty() {
            consider(self.idle_since + timeouts.command, Due::Command);
        }
        if let Some(since) = self.blocked_since {
            consider(since + timeouts.player_stall, Due::Stall);
        }
        for (stream_id, role) in &self.roles {
            match role {
                Role::Publish(publish) => {
                    consider(publish.last_media + timeouts.idle_publisher, Due::Media(*stream_id));
                    if let Some(due) = publish.round_due() {
                        consider(due, Due::Round);
                    }
                }
                Role::Waits(waits) => consider(waits.deadline, Due::Wait(*stream_id)),
                Role::Asked(..) | Role::Play(_) => {}
            }
        }
        next
    }

    fn expire(&mut self, cx: &mut Context<'_>, due: Due) -> Poll<End> {
        match due {
            Due::Closed => return self.closed(),
            Due::Handshake => return Poll::Ready(End::HandshakeTimeOut),
            Due::Stall => {
                self.leave();
                return Poll::Ready(End::Stalled);
            }
            Due::Round => self.wake_players(),
            Due::Wait(stream_id) => {
                if let Err(end) = self.give_up_waiting(stream_id) {
                    self.close(end);
                }
            }
            Due::Command => self.close(End::CommandTimeOut),
            Due::Media(stream_id) => {
                let _ = self.session.refuse(stream_id, Refusal::Unavailable);
                self.remove(stream_id);
                if self.roles.is_empty() {
                    self.close(End::IdlePublisher);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
