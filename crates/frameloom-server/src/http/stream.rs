//! A player's packets as FLV, tag by tag.

use std::sync::Arc;

use bytes::Bytes;
use frameloom_rtmp::MediaType;
use frameloom_rtmp::flv::{TagKind, file_header as file_header_of, tag_header, tag_trailer};

use super::answer::Peer;
use crate::memory::Account;
use crate::relay::Subscription;
use crate::relay::cursor::CursorRead;
use crate::relay::packet::RelayPacket;
use crate::shared::ServerState;
use crate::warnings::Warning;

/// One tag, and before the first one the file's header.
pub(super) struct PlayedTag {
    pub(super) file_header: Option<[u8; 13]>,
    pub(super) header: [u8; 11],
    pub(super) payload: Bytes,
    pub(super) trailer: [u8; 4],
}

/// What comes next.
pub(super) enum NextTag {
    Tag(PlayedTag),
    /// Nothing yet.
    Wait,
    /// The stream is over.
    Ended,
    /// The player is too slow.
    Cut,
}

/// A player's packets as FLV.
pub(super) struct FlvStream {
    shared: Arc<ServerState>,
    peer: Peer,
    subscription: Subscription,
    begun: bool,
    account: Arc<Account>,
    /// The last payload, which the connection has until it is sent, also where the stream lets it
    /// go.
    pinned_bytes: usize,
}

impl FlvStream {
    pub(super) fn new(shared: &Arc<ServerState>, peer: &Peer, subscription: Subscription) -> Self {
        let (address, name) = (peer.address, subscription.name());
        tracing::debug!(target: crate::LOG, "{address} plays {name} as FLV");
        let (shared, account) = (Arc::clone(shared), Arc::clone(&peer.account));
        let peer = peer.clone();
        FlvStream { shared, peer, subscription, begun: false, account, pinned_bytes: 0 }
    }

    fn pins(&mut self, bytes: usize) {
        self.account.stream_holds(self.pinned_bytes, bytes);
        self.pinned_bytes = bytes;
    }

    pub(super) fn next(&mut self) -> NextTag {
        let packet = match self.subscription.step() {
            CursorRead::Packet(packet) => packet,
            CursorRead::Wait => return NextTag::Wait,
            CursorRead::Ended => return NextTag::Ended,
            CursorRead::Cut => {
                let peer = self.peer.address;
                self.shared.warnings.warn(Warning::SlowPlayer, || {
                    format!("closed {peer}: too slow for what it plays")
                });
                return NextTag::Cut;
            }
        };
        let mut file_header = None;
        if !self.begun {
            self.begun = true;
            // It says what the stream has, which is known best when the first packet is there.
            let (audio, video) = self.subscription.flags();
            file_header = Some(file_header_of(audio, video));
        }
        let length = packet.payload.len();
        self.pins(length);
        self.subscription.sent(11 + length + 4);
        NextTag::Tag(PlayedTag {
            file_header,
            header: tag(&packet),
            payload: packet.payload,
            trailer: tag_trailer(length),
        })
    }
}

impl Drop for FlvStream {
    fn drop(&mut self) {
        self.pins(0);
    }
}

fn tag(packet: &RelayPacket) -> [u8; 11] {
    let kind = match packet.kind {
        MediaType::Audio => TagKind::Audio,
        MediaType::Video => TagKind::Video,
        MediaType::Metadata | MediaType::Data => TagKind::Script,
    };
    // The file's clock has 32 bits; the cast is its wrap.
    tag_header(kind, packet.timestamp_ms as u32, packet.payload.len())
}
