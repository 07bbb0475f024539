//! What the server is doing, as the JSON status shows it.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde::Serialize;

use crate::relay::info::{audio_name, video_name};
use crate::relay::{Player, Relay};
use crate::shared::ServerState;

/// A snapshot of the server.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ServerStatus {
    /// The server's version.
    pub version: &'static str,
    /// Seconds since its start.
    pub uptime_seconds: u64,
    /// Open connections of all kinds.
    pub connections: usize,
    /// The memory that all connections and streams together hold.
    pub memory: MemoryStatus,
    /// What is published, by name.
    pub streams: Vec<StreamStatus>,
    /// Counts since the start.
    pub totals: Totals,
}

/// The memory that connections and streams hold.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MemoryStatus {
    /// Bytes held now.
    pub held_bytes: u64,
    /// The most that there may be, [`ServerConfig::max_memory`](crate::ServerConfig::max_memory).
    pub limit_bytes: u64,
    /// How often a connection was refused or cut because there was no more.
    pub limit_reached: u64,
    /// Whether that was within the last minute.
    pub is_at_limit: bool,
}

/// One stream.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StreamStatus {
    /// The application.
    pub app: String,
    /// The name in it.
    pub name: String,
    /// Its publisher.
    pub publisher: PublisherStatus,
    /// Its video; `None` as long as there is none.
    pub video: Option<VideoStatus>,
    /// Its audio; `None` as long as there is none.
    pub audio: Option<AudioStatus>,
    /// Bits a second that came over the last seconds.
    pub bit_rate: u64,
    /// Bytes of media that came so far.
    pub received_bytes: u64,
    /// Packets that were left out because they were not what they said.
    pub dropped_packets: u64,
    /// Its players.
    pub players: Vec<PlayerStatus>,
}

/// A stream's video.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VideoStatus {
    /// Such as `h264`.
    pub codec: String,
    /// In pixels, if the metadata says it.
    pub width: Option<u32>,
    /// In pixels, if the metadata says it.
    pub height: Option<u32>,
}

/// A stream's audio.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AudioStatus {
    /// Such as `aac`.
    pub codec: String,
}

/// The publisher of a stream.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PublisherStatus {
    /// Where from.
    pub address: SocketAddr,
    /// Seconds it has published.
    pub since_seconds: u64,
    /// The client's name for itself.
    pub client: String,
}

/// A player of a stream.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PlayerStatus {
    /// `rtmp`, `http-flv` or `websocket-flv`.
    pub protocol: &'static str,
    /// Where to.
    pub address: SocketAddr,
    /// Seconds it has played.
    pub since_seconds: u64,
    /// Bytes of media that it was sent.
    pub sent_bytes: u64,
    /// Milliseconds of media that it is behind.
    pub lag_ms: u64,
    /// How often it skipped to a keyframe because it was too slow.
    pub skips: u64,
}

/// Counts since the server's start.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// Connections that were accepted.
    pub connections: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// How often slow players skipped.
    pub player_skips: u64,
    /// Players that were cut for being too slow.
    pub players_cut: u64,
}

pub(crate) fn snapshot(shared: &ServerState) -> ServerStatus {
    let now = Instant::now();
    let counters = &shared.counters;
    ServerStatus {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: seconds(shared.started, now),
        connections: shared.caps.open(),
        memory: MemoryStatus {
            held_bytes: shared.memory.held(),
            limit_bytes: shared.memory.limit(),
            limit_reached: shared.memory.reached(),
            is_at_limit: shared.memory.is_at_limit(now),
        },
        streams: shared.relays.all().iter().map(|relay| stream(relay, now)).collect(),
        totals: Totals {
            connections: counters.connections.load(Ordering::Relaxed),
            received_bytes: counters.received_bytes.load(Ordering::Relaxed),
            sent_bytes: counters.sent_bytes.load(Ordering::Relaxed),
            player_skips: counters.player_skips.load(Ordering::Relaxed),
            players_cut: counters.players_cut.load(Ordering::Relaxed),
        },
    }
}

fn stream(relay: &Relay, now: Instant) -> StreamStatus {
    let info = relay.info();
    let publisher = relay.publisher();
    StreamStatus {
        app: relay.name.app.to_string(),
        name: relay.name.name.to_string(),
        publisher: PublisherStatus {
            address: publisher.address,
            since_seconds: seconds(publisher.since, now),
            client: publisher.client.to_string(),
        },
        video: info.video.map(|codec| VideoStatus {
            codec: video_name(codec),
            width: info.width,
            height: info.height,
        }),
        audio: info.audio.map(|codec| AudioStatus { codec: audio_name(codec) }),
        bit_rate: relay.bit_rate(),
        received_bytes: relay.received_bytes(),
        dropped_packets: relay.dropped_packets(),
        players: relay.players().iter().map(|player| play(relay, player, now)).collect(),
    }
}

fn play(relay: &Relay, player: &Player, now: Instant) -> PlayerStatus {
    PlayerStatus {
        protocol: player.protocol.label(),
        address: player.address,
        since_seconds: seconds(player.since, now),
        sent_bytes: player.progress().sent_bytes.load(Ordering::Relaxed),
        lag_ms: relay.lag_ms(player),
        skips: player.skips.load(Ordering::Relaxed),
    }
}

fn seconds(since: Instant, now: Instant) -> u64 {
    now.saturating_duration_since(since).as_secs()
}
