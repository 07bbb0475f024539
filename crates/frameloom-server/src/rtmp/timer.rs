//! What may take how long on an RTMP connection.

use std::future::Future;
use std::task::{Context, Poll, ready};

use frameloom_rtmp::Refusal;
use tokio::time::Instant;

use super::connection::Connection;
use super::end::CloseReason;
use super::role::Role;
use crate::deadline::postponed;

/// What has taken too long.
#[derive(Clone, Copy)]
enum Overdue {
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

impl Overdue {
    /// Whether it says something of the client.
    fn is_time_out(self) -> bool {
        !matches!(self, Overdue::Round | Overdue::Closed)
    }
}

impl Connection {
    /// Ready when the connection has to end now.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        loop {
            let Some((deadline, due)) = self.deadline() else {
                return Poll::Pending;
            };
            if deadline <= self.now {
                // What came while this process stood still is read before the client is judged.
                match postponed(deadline, self.now).filter(|_| due.is_time_out()) {
                    Some(postponed) => self.grace = Some(postponed),
                    None => return self.expire(cx, due),
                }
                continue;
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
    fn deadline(&self) -> Option<(Instant, Overdue)> {
        if let Some(closing) = &self.closing {
            return Some((closing.deadline, Overdue::Closed));
        }
        let timeouts = &self.shared.config.timeouts;
        let mut next: Option<(Instant, Overdue)> = None;
        let mut consider = |deadline: Instant, due: Overdue| {
            let deadline = match self.grace {
                Some(grace) if due.is_time_out() => deadline.max(grace),
                _ => deadline,
            };
            if next.as_ref().is_none_or(|(earliest, _)| deadline < *earliest) {
                next = Some((deadline, due));
            }
        };
        if self.session.is_handshaking() {
            consider(self.handshake_deadline, Overdue::Handshake);
        } else if self.roles.is_empty() {
            consider(self.idle_since + timeouts.command, Overdue::Command);
        }
        if let Some(since) = self.blocked_since {
            consider(since + timeouts.player_stall, Overdue::Stall);
        }
        for (stream_id, role) in &self.roles {
            match role {
                Role::Publish(publish) => {
                    consider(
                        publish.last_media + timeouts.idle_publisher,
                        Overdue::Media(*stream_id),
                    );
                    if let Some(due) = publish.round_due() {
                        consider(due, Overdue::Round);
                    }
                }
                Role::Waits(waits) => consider(waits.deadline, Overdue::Wait(*stream_id)),
                Role::Asked(..) | Role::Play(_) => {}
            }
        }
        next
    }

    fn expire(&mut self, cx: &mut Context<'_>, due: Overdue) -> Poll<CloseReason> {
        match due {
            Overdue::Closed => return self.closed(),
            Overdue::Handshake => return Poll::Ready(CloseReason::HandshakeTimeOut),
            Overdue::Stall => {
                self.leave();
                return Poll::Ready(CloseReason::Stalled);
            }
            Overdue::Round => self.wake_players(),
            Overdue::Wait(stream_id) => {
                if let Err(end) = self.give_up_waiting(stream_id) {
                    self.close(end);
                }
            }
            Overdue::Command => self.close(CloseReason::CommandTimeOut),
            Overdue::Media(stream_id) => {
                let _ = self.session.refuse(stream_id, Refusal::Unavailable);
                self.remove(stream_id);
                if self.roles.is_empty() {
                    self.close(CloseReason::IdlePublisher);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
