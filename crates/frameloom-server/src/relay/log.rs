//! The packets of one stream, in order, as far back as someone may still want them.
//!
//! It is the GOP cache, and the queue of every player at once: a player is a
//! [`PlayerCursor`](super::cursor::PlayerCursor) into it. Nothing here knows of sockets or clocks.
//!
//! What it holds follows from what comes and when it comes. A publisher's timestamps only place
//! media on the players' clock: ones that stand still or leap keep nothing for longer.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use frameloom_rtmp::MediaType;

use super::packet::{PacketRole, RelayPacket, Slot};
use crate::memory::cost;

/// Headers that are kept, in bytes and number: far above what any codec has, and far below what
/// a publisher would need to use up memory with them.
const HEADER_BYTES: usize = 1 << 20;
const HEADER_COUNT: usize = 64;

/// The most by which the clock moves on for one packet because time has passed, in milliseconds:
/// when nothing came for longer, nobody fell behind in the meantime.
const LONGEST_WAIT_MS: u64 = 1000;

/// Room for packets that is kept where there are few.
const FEW_PACKETS: usize = 256;

/// A step of the publisher's clock that is media; a longer one is a jump.
const LONGEST_STEP_MS: u64 = 10_000;

/// The headers in force at some point, in the order in which players get them.
#[derive(Clone, Default)]
pub(crate) struct Headers {
    entries: Vec<LogHeader>,
    /// What they take.
    bytes: usize,
}

#[derive(Clone)]
pub(crate) struct LogHeader {
    slot: Slot,
    pub(crate) sequence: u64,
    pub(crate) packet: RelayPacket,
}

impl Headers {
    fn set(&mut self, slot: Slot, sequence: u64, packet: &RelayPacket) {
        self.entries.retain(|entry| entry.slot != slot);
        self.bytes = self.entries.iter().map(|entry| cost(&entry.packet.payload)).sum();
        let bytes = cost(&packet.payload);
        if self.bytes + bytes > HEADER_BYTES || self.entries.len() >= HEADER_COUNT {
            return;
        }
        self.bytes += bytes;
        let place = self.entries.partition_point(|entry| entry.slot < slot);
        self.entries.insert(place, LogHeader { slot, sequence, packet: packet.clone() });
    }

    pub(crate) fn entries(&self) -> &[LogHeader] {
        &self.entries
    }
}

/// A keyframe in the log.
pub(crate) struct LogKeyframe {
    pub(crate) sequence: u64,
    clock_ms: u64,
}

/// How a publisher's timestamps become those that players see.
enum Base {
    /// They are the same.
    Same,
    /// After another publisher: not known before the first frame.
    After { floor_ms: u64 },
    /// After another publisher: moved, and never before where that one ended.
    Moved { floor_ms: u64, by_ms: i128 },
}

pub(crate) struct PacketLog {
    packets: VecDeque<RelayPacket>,
    /// The sequence number of the first packet that is kept.
    first: u64,
    bytes: usize,
    starts: VecDeque<LogKeyframe>,
    headers: Arc<Headers>,
    /// What was in force just before the latest keyframe. Nobody joins at another one.
    start_headers: Arc<Headers>,
    clock_ms: u64,
    /// When the last packet came, in milliseconds on the server's clock.
    arrived_ms: Option<u64>,
    /// How far the clock is by what has passed on the server's, longer waits left out.
    passed_ms: u64,
    /// The newest of the publisher's timestamps, from which the clock moves on.
    newest_ms: Option<u64>,
    /// The highest timestamp that players have seen.
    last_ms: u64,
    base: Base,
    /// A new publisher's video is of no use before its first keyframe.
    needs_keyframe: bool,
    ended: bool,
    cache_bytes: usize,
    retention_ms: u64,
}

impl PacketLog {
    /// A log of at most `cache_bytes`, which keeps `retention_ms` of media and the GOP before the
    /// current one where they fit: a player may be so far behind without losing anything.
    pub(crate) fn new(cache_bytes: usize, retention_ms: u64) -> Self {
        PacketLog {
            packets: VecDeque::new(),
            first: 0,
            bytes: 0,
            starts: VecDeque::new(),
            headers: Arc::default(),
            start_headers: Arc::default(),
            clock_ms: 0,
            arrived_ms: None,
            passed_ms: 0,
            newest_ms: None,
            last_ms: 0,
            base: Base::Same,
            needs_keyframe: false,
            ended: false,
            cache_bytes,
            retention_ms,
        }
    }

    /// Adds what a publisher sent, and what came `arrived_ms` on the server's clock.
    pub(crate) fn append(
        &mut self,
        kind: MediaType,
        part: PacketRole,
        timestamp_ms: u64,
        arrived_ms: u64,
        payload: Bytes,
    ) {
        match part {
            PacketRole::GopStart => self.needs_keyframe = false,
            PacketRole::Picture if self.needs_keyframe => return,
            _ => {}
        }
        let clock_ms = self.advance(timestamp_ms, arrived_ms);
        let timestamp_ms = self.place(timestamp_ms, !matches!(part, PacketRole::Header(_)));
        self.last_ms = self.last_ms.max(timestamp_ms);
        let packet = RelayPacket { kind, part, timestamp_ms, clock_ms, payload };
        let sequence = self.end();
        match part {
            PacketRole::Header(slot) => {
                Arc::make_mut(&mut self.headers).set(slot, sequence, &packet);
            }
            PacketRole::GopStart => {
                self.start_headers = Arc::clone(&self.headers);
                self.starts.push_back(LogKeyframe { sequence, clock_ms });
            }
            PacketRole::Picture | PacketRole::Other => {}
        }
        self.bytes += cost(&packet.payload);
        self.packets.push_back(packet);
        self.trim();
    }

    /// Another publisher goes on from here. Its timestamps follow the last ones, and nobody
    /// joins in what was before.
    pub(crate) fn change_publisher(&mut self) {
        self.starts.clear();
        self.headers = Arc::default();
        self.start_headers = Arc::default();
        self.needs_keyframe = true;
        self.newest_ms = None;
        if self.end() > 0 {
            self.base = Base::After { floor_ms: self.last_ms };
        }
    }

    /// What it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let start = match Arc::ptr_eq(&self.headers, &self.start_headers) {
            true => 0,
            false => self.start_headers.bytes,
        };
        self.bytes + self.headers.bytes + start
    }

    /// Holds no more than this, as far as that is possible without its last packet and the
    /// headers.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        while self.bytes() > bytes && self.packets.len() > 1 {
            self.drop_first();
        }
        self.drop_starts();
    }

    /// Nobody gets any more of it. For one that has ended.
    pub(crate) fn clear(&mut self) {
        while !self.packets.is_empty() {
            self.drop_first();
        }
        self.packets = VecDeque::new();
        self.headers = Arc::default();
        self.start_headers = Arc::default();
        self.drop_starts();
    }

    /// Nothing more will come.
    pub(crate) fn end_stream(&mut self) {
        self.ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The sequence number that the next packet will have.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.packets.len() as u64
    }

    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    pub(crate) fn get(&self, sequence: u64) -> Option<&RelayPacket> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        self.packets.get(index)
    }

    /// The latest keyframe that is still here.
    pub(crate) fn latest_start(&self) -> Option<&LogKeyframe> {
        self.starts.back()
    }

    /// The headers in force before the latest keyframe.
    pub(crate) fn start_headers(&self) -> &Arc<Headers> {
        &self.start_headers
    }

    /// The headers in force at the end.
    pub(crate) fn headers(&self) -> &Arc<Headers> {
        &self.headers
    }

    /// Milliseconds of media so far.
    pub(crate) fn clock_ms(&self) -> u64 {
        self.clock_ms
    }

    /// The highest timestamp so far, in milliseconds on the players' clock.
    pub(crate) fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// Moves the clock on by what the timestamps say, jumps left out: lag is measured by it, and
    /// a publisher that sets its clock must not make every player late. It is never behind the time
    /// that has really passed: a publisher whose clock stands still must not make nobody late.
    fn advance(&mut self, timestamp_ms: u64, arrived_ms: u64) -> u64 {
        let waited = arrived_ms.saturating_sub(self.arrived_ms.unwrap_or(arrived_ms));
        self.passed_ms += waited.min(LONGEST_WAIT_MS);
        self.arrived_ms = Some(arrived_ms);
        match self.newest_ms {
            Some(newest) if timestamp_ms <= newest => {
                if newest - timestamp_ms > LONGEST_STEP_MS {
                    self.newest_ms = Some(timestamp_ms);
                }
            }
            newest => {
                let step = timestamp_ms - newest.unwrap_or(timestamp_ms);
                if step <= LONGEST_STEP_MS {
                    self.clock_ms += step;
                }
                self.newest_ms = Some(timestamp_ms);
            }
        }
        self.clock_ms = self.clock_ms.max(self.passed_ms);
        self.clock_ms
    }

    /// The timestamp that players see. Headers often come with a time of 0, whatever the frames
    /// have, so a frame sets the base.
    fn place(&mut self, timestamp_ms: u64, frame: bool) -> u64 {
        if let (Base::After { floor_ms }, true) = (&self.base, frame) {
            let by_ms = i128::from(*floor_ms) + 1 - i128::from(timestamp_ms);
            self.base = Base::Moved { floor_ms: *floor_ms, by_ms };
        }
        match self.base {
            Base::Same => timestamp_ms,
            Base::After { floor_ms } => floor_ms,
            Base::Moved { floor_ms, by_ms } => {
                let moved = i128::from(timestamp_ms) + by_ms;
                u64::try_from(moved).unwrap_or(floor_ms).max(floor_ms)
            }
        }
    }

    fn trim(&mut self) {
        // The GOP before the current one stays whole, and so do those that are recent enough.
        while self.starts.len() > 2 && self.is_old(self.starts.get(1).map(|start| start.clock_ms)) {
            self.starts.pop_front();
            let keep = self.starts.front().map_or(self.first, |start| start.sequence);
            while self.first < keep {
                self.drop_first();
            }
        }
        if self.starts.is_empty() {
            while self.packets.len() > 1
                && self.is_old(self.packets.front().map(|packet| packet.clock_ms))
            {
                self.drop_first();
            }
        }
        self.shrink_to(self.cache_bytes);
    }

    /// Forgets the keyframes that are no more.
    fn drop_starts(&mut self) {
        while self.starts.front().is_some_and(|start| start.sequence < self.first) {
            self.starts.pop_front();
        }
        if self.starts.is_empty() {
            self.start_headers = Arc::clone(&self.headers);
        }
    }

    fn is_old(&self, clock_ms: Option<u64>) -> bool {
        clock_ms.is_some_and(|clock_ms| clock_ms + self.retention_ms < self.clock_ms)
    }

    fn drop_first(&mut self) {
        if let Some(packet) = self.packets.pop_front() {
            self.bytes -= cost(&packet.payload);
            self.first += 1;
        }
        let (count, room) = (self.packets.len(), self.packets.capacity());
        if room > FEW_PACKETS && count < room / 4 {
            self.packets.shrink_to(count * 2);
        }
    }
}
