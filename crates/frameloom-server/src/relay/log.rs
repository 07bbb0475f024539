//! The packets of one stream, in order, as far back as someone may still want them.
//!
//! It is the GOP cache, and the queue of every player at once: a player is a
//! [`PlayerCursor`](super::cursor::Cursor) into it. Nothing here knows of sockets or clocks.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use frameloom_rtmp::MediaType;

use super::packet::{PacketRole, RelayPacket, Slot};

/// Headers that are kept, in bytes and number: far above what any codec has, and far below what
/// a publisher would need to use up memory with them.
const HEADER_BYTES: usize = 1 << 20;
const HEADER_COUNT: usize = 64;

/// A step of the publisher's clock that is media; a longer one is a jump.
const LONGEST_STEP_MS: u64 = 10_000;

/// The headers in force at some point, in the order in which players get them.
#[derive(Clone, Default)]
pub(crate) struct Headers {
    entries: Vec<LogHeader>,
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
        let held: usize = self.entries.iter().map(|entry| entry.packet.payload.len()).sum();
        if held + packet.payload.len() > HEADER_BYTES || self.entries.len() >= HEADER_COUNT {
            return;
        }
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
    /// What was in force just before it.
    pub(crate) headers: Arc<Headers>,
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
    clock_ms: u64,
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
            clock_ms: 0,
            newest_ms: None,
            last_ms: 0,
            base: Base::Same,
            needs_keyframe: false,
            ended: false,
            cache_bytes,
            retention_ms,
        }
    }

    /// Adds what a publisher sent.
    pub(crate) fn append(
        &mut self,
        kind: MediaType,
        part: PacketRole,
        timestamp_ms: u64,
        payload: Bytes,
    ) {
        match part {
            PacketRole::GopStart => self.needs_keyframe = false,
            PacketRole::Picture if self.needs_keyframe => return,
            _ => {}
        }
        let clock_ms = self.advance(timestamp_ms);
        let timestamp_ms = self.place(timestamp_ms, !matches!(part, PacketRole::Header(_)));
        self.last_ms = self.last_ms.max(timestamp_ms);
        let packet = RelayPacket { kind, part, timestamp_ms, clock_ms, payload };
        let sequence = self.end();
        match part {
            PacketRole::Header(slot) => {
                Arc::make_mut(&mut self.headers).set(slot, sequence, &packet);
            }
            PacketRole::GopStart => {
                let headers = Arc::clone(&self.headers);
                self.starts.push_back(LogKeyframe { sequence, clock_ms, headers });
            }
            PacketRole::Picture | PacketRole::Other => {}
        }
        self.bytes += cost(&packet);
        self.packets.push_back(packet);
        self.trim();
    }

    /// Another publisher goes on from here. Its timestamps follow the last ones, and nobody
    /// joins in what was before.
    pub(crate) fn change_publisher(&mut self) {
        self.starts.clear();
        self.headers = Arc::default();
        self.needs_keyframe = true;
        self.newest_ms = None;
        if self.end() > 0 {
            self.base = Base::After { floor_ms: self.last_ms };
        }
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
    /// a publisher that sets its clock must not make every player late.
    fn advance(&mut self, timestamp_ms: u64) -> u64 {
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
        while self.bytes > self.cache_bytes && self.packets.len() > 1 {
            self.drop_first();
        }
        while self.starts.front().is_some_and(|start| start.sequence < self.first) {
            self.starts.pop_front();
        }
    }

    fn is_old(&self, clock_ms: Option<u64>) -> bool {
        clock_ms.is_some_and(|clock_ms| clock_ms + self.retention_ms < self.clock_ms)
    }

    fn drop_first(&mut self) {
        if let Some(packet) = self.packets.pop_front() {
            self.bytes -= cost(&packet);
            self.first += 1;
        }
    }
}

/// What a packet takes, in bytes: tiny ones must not pass the limit by their number.
fn cost(packet: &RelayPacket) -> usize {
    size_of::<RelayPacket>() + packet.payload.len()
}
