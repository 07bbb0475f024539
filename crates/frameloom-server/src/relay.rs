//! What is published under a name, and who plays it.
//!
//! A publisher appends to the stream's [`log`]; every player is a [`cursor`] into it and pulls
//! when its connection has room. So a packet is held once for all players, and what waits for a
//! slow one is a number. Nothing here knows of sockets.

pub(crate) mod cursor;
pub(crate) mod info;
pub(crate) mod log;
pub(crate) mod name;
pub(crate) mod packet;
pub(crate) mod wake;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::available_parallelism;
use std::time::Instant;

use bytes::Bytes;
use frameloom_rtmp::flv::readable_script;
use frameloom_rtmp::{Limits, Media, MediaType};

use self::cursor::{CursorRead, LagRules, PlayerCursor};
use self::info::{BitRateMeter, Info};
use self::log::PacketLog;
pub(crate) use self::name::StreamName;
use self::packet::{StreamCodec, classify};
use self::wake::{PlayerProgress, Wake};
use crate::config::{RelayLimits, SecondPublisher};
use crate::counters::{PlayProtocol, ServerCounters};
use crate::lock::lock;
use crate::memory::{Account, Memory, MemoryFull, cost};

/// The publisher of a stream.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) address: SocketAddr,
    /// The client's name for itself.
    pub(crate) client: Arc<str>,
    pub(crate) since: Instant,
    pub(crate) wake: Arc<Wake>,
    pub(crate) account: Arc<Account>,
}

/// A player, and how far it has come.
pub(crate) struct Player {
    pub(crate) protocol: PlayProtocol,
    pub(crate) address: SocketAddr,
    pub(crate) since: Instant,
    pub(crate) skips: AtomicU64,
    wake: Arc<Wake>,
    /// That of a connection's first player is beside its wake-up, for the sake of speed.
    progress: Option<PlayerProgress>,
}

impl Player {
    pub(crate) fn progress(&self) -> &PlayerProgress {
        self.progress.as_ref().unwrap_or_else(|| self.wake.progress())
    }
}

/// Players of one stream that the publisher's thread serves itself. The others are work for all
/// threads.
const DIRECT_PLAYERS: usize = 256;

/// In place of a log's end: there is more to see than that.
const LOOK: u64 = u64::MAX;

/// One stream.
pub(crate) struct Relay {
    pub(crate) name: StreamName,
    pub(crate) since: Instant,
    rules: LagRules,
    direct_players: usize,
    state: Mutex<RelayState>,
    /// How far the log goes, or [`LOOK`]. A player that has all of it needs no lock to know so.
    end: AtomicU64,
    /// With each player's wake-up beside it: walking them at every packet is felt.
    players: Mutex<Vec<(Arc<Wake>, Arc<Player>)>>,
    info: Mutex<Info>,
    rate: Mutex<BitRateMeter>,
    received_bytes: AtomicU64,
    dropped_packets: AtomicU64,
    counters: Arc<ServerCounters>,
}

struct RelayState {
    log: PacketLog,
    publisher: Publisher,
    /// Which publisher may append: it rises when another one takes over.
    epoch: u64,
}

impl Relay {
    pub(crate) fn publisher(&self) -> Publisher {
        lock(&self.state).publisher.clone()
    }

    pub(crate) fn info(&self) -> Info {
        lock(&self.info).clone()
    }

    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    /// Packets that were not what they said.
    pub(crate) fn dropped_packets(&self) -> u64 {
        self.dropped_packets.load(Ordering::Relaxed)
    }

    pub(crate) fn players(&self) -> Vec<Arc<Player>> {
        lock(&self.players).iter().map(|(_, player)| Arc::clone(player)).collect()
    }

    pub(crate) fn bit_rate(&self) -> u64 {
        lock(&self.rate).bits_per_second()
    }

    /// How far `player` is behind, in milliseconds of media.
    pub(crate) fn lag_ms(&self, player: &Player) -> u64 {
        let clock_ms = lock(&self.state).log.clock_ms();
        clock_ms.saturating_sub(player.progress().clock_ms.load(Ordering::Relaxed))
    }

    /// Looks at the byte count; to be called once a second.
    pub(crate) fn sample(&self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.since).as_millis();
        let time_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
        lock(&self.rate).sample(time_ms, self.received_bytes());
    }

    /// Tells the players of new media. Many of them take it here and now.
    fn wake_players(&self) {
        let players = lock(&self.players);
        let (direct, woken) = players.split_at(players.len().min(self.direct_players));
        // First, so that other threads have begun with them meanwhile.
        for (wake, _) in woken {
            wake.media();
        }
        for (wake, _) in direct {
            wake.media_at_once();
        }
    }
}

/// All streams.
pub(crate) struct Relays {
    streams: Mutex<HashMap<StreamName, Arc<Relay>>>,
    /// Players of names that nobody publishes.
    waiting: Mutex<Vec<(StreamName, Arc<Wake>)>>,
    /// Streams that have ended, for as long as players may take what is left of them.
    ended: Mutex<Vec<(Instant, Weak<Relay>)>>,
    limits: RelayLimits,
    direct_players: usize,
    counters: Arc<ServerCounters>,
    memory: Arc<Memory>,
}

/// Why someone may not publish.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NameTaken;

impl Relays {
    pub(crate) fn new(
        limits: RelayLimits,
        counters: Arc<ServerCounters>,
        memory: Arc<Memory>,
    ) -> Self {
        let is_alone = available_parallelism().is_ok_and(|threads| threads.get() == 1);
        let direct_players = if is_alone { usize::MAX } else { DIRECT_PLAYERS };
        let (streams, waiting, ended) = (Mutex::default(), Mutex::default(), Mutex::default());
        Relays { streams, waiting, ended, limits, direct_players, counters, memory }
    }

    /// Lets `publisher` publish as `name`. A former one is woken if it has to go.
    pub(crate) fn publish(
        self: &Arc<Self>,
        name: &StreamName,
        publisher: Publisher,
        second: SecondPublisher,
    ) -> Result<Publication, NameTaken> {
        let account = Arc::clone(&publisher.account);
        let mut streams = lock(&self.streams);
        let (relay, epoch) = match (streams.get(name), second) {
            (Some(_), SecondPublisher::Refuse) => return Err(NameTaken),
            (Some(relay), SecondPublisher::TakeOver) => {
                let mut state = lock(&relay.state);
                state.epoch += 1;
                state.log.change_publisher();
                relay.end.store(LOOK, Ordering::SeqCst);
                std::mem::replace(&mut state.publisher, publisher).wake.wake();
                *lock(&relay.info) = Info::default();
                (Arc::clone(relay), state.epoch)
            }
            (None, _) => {
                let lag_ms = u64::try_from(self.limits.player_lag.as_millis()).unwrap_or(u64::MAX);
                let relay = Arc::new(Relay {
                    name: name.clone(),
                    since: publisher.since,
                    rules: LagRules { lag_ms, skips: self.limits.player_skips },
                    direct_players: self.direct_players,
                    state: Mutex::new(RelayState {
                        log: PacketLog::new(self.limits.cache_bytes, lag_ms),
                        publisher,
                        epoch: 0,
                    }),
                    end: AtomicU64::new(0),
                    players: Mutex::default(),
                    info: Mutex::default(),
                    rate: Mutex::default(),
                    received_bytes: AtomicU64::new(0),
                    dropped_packets: AtomicU64::new(0),
                    counters: Arc::clone(&self.counters),
                });
                streams.insert(name.clone(), Arc::clone(&relay));
                (relay, 0)
            }
        };
        drop(streams);
        for (_, wake) in lock(&self.waiting).iter().filter(|(waits_for, _)| waits_for == name) {
            wake.wake();
        }
        Ok(Publication {
            relay,
            relays: Arc::clone(self),
            epoch,
            main_track: None,
            codecs: [None; 2],
            appended: false,
            account,
            held_bytes: 0,
        })
    }

    /// Joins a stream, if somebody publishes it.
    pub(crate) fn play(
        &self,
        name: &StreamName,
        protocol: PlayProtocol,
        address: SocketAddr,
        wake: Arc<Wake>,
    ) -> Option<Subscription> {
        let relay = self.find(name)?;
        let cursor = PlayerCursor::join(&lock(&relay.state).log);
        let is_first = wake.claim();
        let player = Arc::new(Player {
            protocol,
            address,
            since: Instant::now(),
            skips: AtomicU64::new(0),
            wake: Arc::clone(&wake),
            progress: (!is_first).then(PlayerProgress::default),
        });
        player.progress().clock_ms.store(cursor.clock_ms(), Ordering::Relaxed);
        lock(&relay.players).push((Arc::clone(&wake), Arc::clone(&player)));
        Some(Subscription { relay, player, wake, is_first, cursor })
    }

    /// Wakes `wake` whenever `name` is published, until the result is dropped.
    pub(crate) fn wait_for(self: &Arc<Self>, name: &StreamName, wake: Arc<Wake>) -> WaitingPlayer {
        lock(&self.waiting).push((name.clone(), Arc::clone(&wake)));
        WaitingPlayer { relays: Arc::clone(self), name: name.clone(), wake }
    }

    /// How many play `name`, or wait for it.
    pub(crate) fn count_players(&self, name: &StreamName) -> usize {
        let play = self.find(name).map_or(0, |relay| lock(&relay.players).len());
        let waiting = lock(&self.waiting).iter().filter(|(waits_for, _)| waits_for == name).count();
        play + waiting
    }

    pub(crate) fn find(&self, name: &StreamName) -> Option<Arc<Relay>> {
        lock(&self.streams).get(name).cloned()
    }

    /// All streams, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Relay>> {
        let mut all: Vec<_> = lock(&self.streams).values().cloned().collect();
        all.sort_by(|a, b| (&a.name.app, &a.name.name).cmp(&(&b.name.app, &b.name.name)));
        all
    }

    fn end(&self, relay: &Arc<Relay>, epoch: u64) {
        {
            let mut streams = lock(&self.streams);
            let mut state = lock(&relay.state);
            if state.epoch != epoch {
                return;
            }
            state.log.end_stream();
            relay.end.store(LOOK, Ordering::SeqCst);
            streams.remove(&relay.name);
        }
        lock(&self.ended).push((Instant::now(), Arc::downgrade(relay)));
        relay.wake_players();
    }

    /// Lets go of streams that ended `before`, or of all that have where memory is short: a player
    /// that takes its time must not hold what nobody publishes any more.
    pub(crate) fn forget_ended(&self, before: Instant) {
        let is_short = self.memory.is_short();
        let mut over = Vec::new();
        lock(&self.ended).retain(|(since, relay)| {
            let Some(relay) = relay.upgrade() else { return false };
            let is_over = is_short || *since < before;
            if is_over {
                over.push(relay);
            }
            !is_over
        });
        for relay in over {
            lock(&relay.state).log.clear();
            relay.wake_players();
        }
    }
}

/// A player's place among those that wait for a publisher.
pub(crate) struct WaitingPlayer {
    relays: Arc<Relays>,
    pub(crate) name: StreamName,
    wake: Arc<Wake>,
}

impl WaitingPlayer {
    /// Whether there is a publisher.
    pub(crate) fn is_over(&self) -> bool {
        self.relays.find(&self.name).is_some()
    }
}

impl Drop for WaitingPlayer {
    fn drop(&mut self) {
        let mut waiting = lock(&self.relays.waiting);
        let this = |(name, wake): &(StreamName, Arc<Wake>)| {
            *name == self.name && Arc::ptr_eq(wake, &self.wake)
        };
        if let Some(place) = waiting.iter().position(this) {
            waiting.swap_remove(place);
        }
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is on its way to the players.
    Yes,
    /// It is no FLV audio or video, and was left out.
    Unreadable,
    /// There is no memory for it.
    NoMemory,
    /// Another publisher has taken over; nothing is taken any more.
    Replaced,
}

/// The right to publish under a name. Dropping it ends the stream.
pub(crate) struct Publication {
    relay: Arc<Relay>,
    relays: Arc<Relays>,
    epoch: u64,
    main_track: Option<u8>,
    /// The last codec of video and of audio, so that each packet need not lock the information.
    codecs: [Option<StreamCodec>; 2],
    appended: bool,
    account: Arc<Account>,
    /// What the stream counts for in the account.
    held_bytes: usize,
}

impl Publication {
    pub(crate) fn relay(&self) -> &Arc<Relay> {
        &self.relay
    }

    /// Whether another publisher has taken over.
    pub(crate) fn is_replaced(&self) -> bool {
        lock(&self.relay.state).epoch != self.epoch
    }

    /// Adds a packet. Players learn of it by [`Publication::wake_players`]: once for all that came
    /// in one read.
    pub(crate) fn append(&mut self, media: Media, now: Instant) -> Appended {
        let bytes = media.payload.len() as u64;
        let Some(media) = readable(media) else {
            return self.leave_out();
        };
        let Ok((part, codec)) = classify(media.kind, &media.payload, &mut self.main_track) else {
            return self.leave_out();
        };
        let Ok(payload) = self.keep(media.payload) else {
            return Appended::NoMemory;
        };
        let metadata = (media.kind == MediaType::Metadata).then(|| payload.clone());
        let arrived = now.saturating_duration_since(self.relay.since).as_millis();
        let arrived_ms = u64::try_from(arrived).unwrap_or(u64::MAX);
        let held_bytes = {
            let mut state = lock(&self.relay.state);
            if state.epoch != self.epoch {
                return Appended::Replaced;
            }
            state.log.append(media.kind, part, media.timestamp_ms, arrived_ms, payload);
            self.relay.end.store(state.log.end(), Ordering::SeqCst);
            state.log.bytes()
        };
        self.holds(held_bytes);
        if let Some(metadata) = metadata {
            lock(&self.relay.info).read_metadata(&metadata);
        }
        self.note(codec);
        self.relay.received_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.appended = true;
        Appended::Yes
    }

    /// Counts a payload in the server's memory. When only the reserve is left, this closes a larger
    /// connection; until that one is gone, the stream drops what it holds for players that come late.
    fn keep(&mut self, payload: Bytes) -> Result<Bytes, MemoryFull> {
        let memory = Arc::clone(&self.relays.memory);
        let payload = match memory.keep_freely(payload) {
            Ok(payload) => return Ok(payload),
            Err(payload) => payload,
        };
        memory.make_room(self.account.bytes() + cost(&payload) as u64);
        let share = usize::try_from(memory.fair_share()).unwrap_or(usize::MAX);
        let held_bytes = {
            let mut state = lock(&self.relay.state);
            if state.epoch == self.epoch {
                state.log.shrink_to(share.saturating_sub(cost(&payload)));
            }
            state.log.bytes()
        };
        self.holds(held_bytes);
        memory.keep(&self.account, payload)
    }

    fn holds(&mut self, bytes: usize) {
        self.account.stream_holds(self.held_bytes, bytes);
        self.held_bytes = bytes;
    }

    fn leave_out(&self) -> Appended {
        self.relay.dropped_packets.fetch_add(1, Ordering::Relaxed);
        self.relay.counters.dropped_packets.fetch_add(1, Ordering::Relaxed);
        Appended::Unreadable
    }

    /// Whether anything was added since players were last woken.
    pub(crate) fn has_news(&self) -> bool {
        self.appended
    }

    /// Wakes the players if anything was added since the last time.
    pub(crate) fn wake_players(&mut self) {
        if std::mem::take(&mut self.appended) {
            self.relay.wake_players();
        }
    }

    fn note(&mut self, codec: Option<StreamCodec>) {
        let Some(codec) = codec else {
            return;
        };
        let last = match codec {
            StreamCodec::Video(_) => &mut self.codecs[0],
            StreamCodec::Audio(_) => &mut self.codecs[1],
        };
        if *last != Some(codec) {
            *last = Some(codec);
            lock(&self.relay.info).saw(codec);
        }
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.holds(0);
        self.relays.end(&self.relay, self.epoch);
    }
}

/// What every player can read of media. Many take metadata that is cut short, or has values of a
/// type that they don't know, for the end of the stream.
fn readable(media: Media) -> Option<Media> {
    match media.kind {
        MediaType::Audio | MediaType::Video => Some(media),
        MediaType::Metadata | MediaType::Data => {
            let payload = readable_script(&media.payload, &Limits::default())?;
            Some(Media { payload, ..media })
        }
    }
}

/// A player's part in a stream. Dropping it leaves.
pub(crate) struct Subscription {
    relay: Arc<Relay>,
    player: Arc<Player>,
    wake: Arc<Wake>,
    /// The player is the first one of its connection.
    is_first: bool,
    cursor: PlayerCursor,
}

impl Subscription {
    pub(crate) fn name(&self) -> &StreamName {
        &self.relay.name
    }

    /// What the player is to get next.
    pub(crate) fn step(&mut self) -> CursorRead {
        // The order is total: whoever sees an old end here is woken after it has changed.
        if self.cursor.has_all(self.relay.end.load(Ordering::SeqCst)) {
            return CursorRead::Wait;
        }
        let skips = self.cursor.skips();
        let step = self.cursor.step(&lock(&self.relay.state).log, self.relay.rules);
        self.progress().clock_ms.store(self.cursor.clock_ms(), Ordering::Relaxed);
        if self.cursor.skips() > skips {
            self.player.skips.store(self.cursor.skips(), Ordering::Relaxed);
            self.relay.counters.player_skips.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(step, CursorRead::Cut) {
            self.relay.counters.players_cut.fetch_add(1, Ordering::Relaxed);
        }
        step
    }

    fn progress(&self) -> &PlayerProgress {
        if self.is_first { self.wake.progress() } else { self.player.progress() }
    }

    /// Whether nothing more will come, though there may be something left.
    pub(crate) fn has_ended(&self) -> bool {
        self.relay.end.load(Ordering::SeqCst) == LOOK && lock(&self.relay.state).log.has_ended()
    }

    /// Goes on after a pause.
    pub(crate) fn resume(&mut self) {
        self.cursor.resume(&lock(&self.relay.state).log);
    }

    /// Counts what was sent, in bytes of media.
    pub(crate) fn sent(&self, bytes: usize) {
        self.progress().sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether an FLV stream from here on has audio, and whether it has video.
    pub(crate) fn flags(&self) -> (bool, bool) {
        let clock_ms = lock(&self.relay.state).log.clock_ms();
        lock(&self.relay.info).flags(clock_ms)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut players = lock(&self.relay.players);
        if let Some(place) =
            players.iter().position(|(_, player)| Arc::ptr_eq(player, &self.player))
        {
            players.swap_remove(place);
        }
    }
}
