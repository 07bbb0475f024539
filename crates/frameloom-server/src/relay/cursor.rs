//! A player's place in the log.

use std::sync::Arc;

use frameloom_rtmp::MediaType;

use super::log::{Headers, PacketLog};
use super::packet::{PacketRole, RelayPacket};

/// When a player is too slow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LagRules {
    /// Milliseconds of media a player may be behind.
    pub(crate) lag_ms: u64,
    /// Skips without having caught up in between.
    pub(crate) skips: u32,
}

/// What there is for a player.
pub(crate) enum CursorRead {
    Packet(RelayPacket),
    /// Nothing yet.
    Wait,
    /// The stream is over, and the player has had all of it.
    Ended,
    /// The player is too slow to be worth going on with.
    Cut,
}

/// Where a player is. What waits for a slow player is this, and no copy of anything.
pub(crate) struct PlayerCursor {
    next: u64,
    headers: Option<DueHeaders>,
    /// Video is left out until a keyframe comes.
    waits_for_keyframe: bool,
    skips_in_a_row: u32,
    skips: u64,
    clock_ms: u64,
}

/// Headers that the player is to get before the packet at its place.
struct DueHeaders {
    headers: Arc<Headers>,
    index: usize,
    /// The player has had those before this sequence number.
    from: u64,
    timestamp_ms: u64,
}

impl PlayerCursor {
    /// The place of a player that joins now: the latest keyframe, or where there is none, the end.
    pub(crate) fn join(log: &PacketLog) -> Self {
        let mut cursor = PlayerCursor {
            next: 0,
            headers: None,
            waits_for_keyframe: false,
            skips_in_a_row: 0,
            skips: 0,
            clock_ms: log.clock_ms(),
        };
        cursor.jump(log, 0);
        cursor
    }

    /// Goes on after a pause. Where a keyframe has come meanwhile it starts there; otherwise it
    /// goes on where it stopped, which no decoder notices.
    pub(crate) fn resume(&mut self, log: &PacketLog) {
        let newer = log.latest_start().is_some_and(|start| start.sequence > self.next);
        if newer || self.next < log.first() {
            self.jump(log, self.had());
        }
    }

    /// Whether the player has had all that there is in a log that goes on and ends at `end`.
    pub(crate) fn has_all(&mut self, end: u64) -> bool {
        let has_all = self.headers.is_none() && self.next == end;
        if has_all {
            self.skips_in_a_row = 0;
        }
        has_all
    }

    /// What the player is to get next.
    pub(crate) fn step(&mut self, log: &PacketLog, rules: LagRules) -> CursorRead {
        if self.is_late(log, rules) {
            if self.skips_in_a_row >= rules.skips {
                return CursorRead::Cut;
            }
            self.skips_in_a_row += 1;
            self.skips += 1;
            self.jump(log, self.had());
        }
        if let Some(packet) = self.header() {
            return CursorRead::Packet(packet);
        }
        while let Some(packet) = log.get(self.next) {
            self.next += 1;
            self.clock_ms = packet.clock_ms;
            match packet.part {
                PacketRole::GopStart => self.waits_for_keyframe = false,
                PacketRole::Picture if self.waits_for_keyframe => continue,
                _ => {}
            }
            return CursorRead::Packet(packet.clone());
        }
        self.skips_in_a_row = 0;
        self.clock_ms = log.clock_ms();
        if log.has_ended() { CursorRead::Ended } else { CursorRead::Wait }
    }

    /// Skips since the player joined.
    pub(crate) fn skips(&self) -> u64 {
        self.skips
    }

    /// How far the player has come, in milliseconds on the log's clock.
    pub(crate) fn clock_ms(&self) -> u64 {
        self.clock_ms
    }

    /// Up to which sequence number the player has had all headers.
    fn had(&self) -> u64 {
        self.headers.as_ref().map_or(self.next, |due| due.from)
    }

    fn is_late(&self, log: &PacketLog, rules: LagRules) -> bool {
        if self.next < log.first() {
            return true;
        }
        let Some(packet) = log.get(self.next) else {
            return false;
        };
        let newer = log.latest_start().is_some_and(|start| start.sequence > self.next);
        newer && log.clock_ms().saturating_sub(packet.clock_ms) > rules.lag_ms
    }

    /// Goes to the latest keyframe, or to the end where there is none. Headers from `had` on are
    /// due first.
    fn jump(&mut self, log: &PacketLog, had: u64) {
        let (next, headers) = match log.latest_start() {
            Some(start) => (start.sequence, log.start_headers()),
            None => (log.end(), log.headers()),
        };
        self.waits_for_keyframe = log.latest_start().is_none();
        self.next = next;
        let timestamp_ms = log.get(next).map_or(log.last_ms(), |packet| packet.timestamp_ms);
        self.headers =
            Some(DueHeaders { headers: Arc::clone(headers), index: 0, from: had, timestamp_ms });
    }

    fn header(&mut self) -> Option<RelayPacket> {
        let due = self.headers.as_mut()?;
        while let Some(header) = due.headers.entries().get(due.index) {
            due.index += 1;
            if header.sequence >= due.from {
                let mut packet = header.packet.clone();
                packet.timestamp_ms = due.timestamp_ms;
                if packet.kind == MediaType::Metadata && due.from == 0 {
                    packet.timestamp_ms = metadata_ms(due.timestamp_ms);
                }
                return Some(packet);
            }
        }
        self.headers = None;
        None
    }
}

/// The timestamp of the metadata for a player that joins at `join_ms`: 0, because FFmpeg takes any
/// other for a stream of subtitles, unless players could then not tell which way the 32 bits of
/// the wire's clock went.
fn metadata_ms(join_ms: u64) -> u64 {
    // The cast keeps what the wire has.
    if (join_ms as u32) < 1 << 31 { 0 } else { join_ms }
}
