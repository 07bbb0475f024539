//! The publishing side of an RTMP connection.

use std::sync::Arc;

use frameloom_rtmp::{Media, MediaType, Refusal};

use super::connection::Connection;
use super::end::CloseReason;
use super::role::{Publish, Role};
use crate::counters::Reason;
use crate::relay::{Appended, Publisher, StreamName};
use crate::warnings::Warning;

impl Connection {
    pub(super) fn begin_publish(&self, stream_id: u32, name: &StreamName) -> Result<Role, Reason> {
        let client = self.client_name();
        let publisher = Publisher {
            address: self.permit.peer,
            client: Arc::clone(&client),
            since: self.now.into_std(),
            wake: Arc::clone(&self.enrolled.wake),
            account: Arc::clone(&self.permit.account),
        };
        let publication = self
            .shared
            .relays
            .publish(name, publisher, self.shared.config.second_publisher)
            .map_err(|_| Reason::NameTaken)?;
        let peer = self.permit.peer;
        self.shared.warnings.warn(Warning::Publishing, || {
            format!("{peer} publishes {name} on message stream {stream_id} ({client})")
        });
        let (since, last_media) = (self.now, self.now);
        let next_round = self.now;
        let publish = Publish { publication, since, last_media, next_round, warned: false };
        Ok(Role::Publish(Box::new(publish)))
    }

    pub(super) fn media(&mut self, media: Media) -> Result<(), CloseReason> {
        let (now, peer) = (self.now, self.permit.peer);
        let role = self.roles.iter_mut().find(|(id, _)| *id == media.stream_id);
        let Some((_, Role::Publish(publish))) = role else {
            return Ok(());
        };
        let kind = media.kind;
        match publish.publication.append(media, now.into_std()) {
            Appended::Yes if matches!(kind, MediaType::Audio | MediaType::Video) => {
                publish.last_media = now;
            }
            Appended::Unreadable if !publish.warned => {
                publish.warned = true;
                let name = &publish.publication.relay().name;
                self.shared.warnings.warn(Warning::Unreadable, || {
                    format!("{peer} sends {kind:?} on {name} that is no FLV; it is left out")
                });
            }
            // A connection that was replaced sees that by itself.
            Appended::Yes | Appended::Unreadable | Appended::Replaced => {}
            Appended::NoMemory => return Err(CloseReason::OutOfMemory),
        }
        Ok(())
    }

    /// Hands on what has come, unless it is too early for that.
    pub(super) fn wake_players(&mut self) {
        for (_, role) in &mut self.roles {
            if let Role::Publish(publish) = role {
                publish.wake_players();
            }
        }
    }

    /// Ends what another publisher has taken over.
    pub(super) fn leave_replaced(&mut self) -> Result<(), CloseReason> {
        let replaced = |(_, role): &(u32, Role)| match role {
            Role::Publish(publish) => publish.publication.is_replaced(),
            _ => false,
        };
        while let Some(stream_id) = self.roles.iter().find(|role| replaced(role)).map(|(id, _)| *id)
        {
            let _ = self.session.refuse(stream_id, Refusal::NameTaken);
            self.remove(stream_id);
            if self.roles.is_empty() {
                return Err(CloseReason::Replaced);
            }
        }
        Ok(())
    }
}
