//! From the input's own timestamps to the pipeline's clock.

use super::stored::StoredTimeline;
use crate::codec::packet::Packet;
use crate::time::Timestamp;

/// Where the input's own timestamps lie on the pipeline's clock.
#[derive(Debug)]
pub(super) struct InputClock {
    /// The input's timestamp at the pipeline's zero.
    pub(super) zero: Timestamp,
    /// What loops have added so far.
    pub(super) looped: Timestamp,
    /// The latest end of any packet of this loop, on the pipeline's clock less `looped`.
    pub(super) end: Timestamp,
    /// The packet that ends there doesn't say how long it is.
    pub(super) ends_open: bool,
    /// The same, where it is before zero too; `None` before the first packet with a time.
    pub(super) latest: Option<Timestamp>,
    /// Where reading is to stop, on the pipeline's clock.
    pub(super) limit: Option<Timestamp>,
    /// Goes on where the clock of a stored input begins anew; none where it can't.
    pub(super) joined: Option<StoredTimeline>,
}

impl InputClock {
    /// Moves a packet's times to the pipeline's clock. The main streams decide what becomes of the
    /// clock of an input that begins anew.
    pub(super) fn place(&mut self, packet: &mut Packet, is_main: bool) {
        let base = packet.time_base;
        let shift = self.zero.rescale(base).ticks();
        let looped = self.looped.rescale(base).ticks();
        let duration = packet.av.duration();
        let moved = |t: i64| t.saturating_sub(shift);
        let (pts, dts) = (packet.av.pts().map(moved), packet.av.dts().map(moved));
        let (pts, dts) = match &mut self.joined {
            Some(joined) if is_main => joined.place(packet.kind, base, (pts, dts), duration),
            Some(joined) => joined.beside(packet.kind, base, (pts, dts)),
            None => (pts, dts),
        };
        match pts.or(dts).map(|t| base.at(t.saturating_add(duration))) {
            // How long a subtitle is shown says nothing of the input's length.
            _ if packet.kind.is_sparse() => {}
            Some(end) => {
                if end >= self.end {
                    self.ends_open = duration == 0;
                }
                self.end = self.end.max(end);
                self.latest = self.latest.max(Some(end));
            }
            // Packets without times follow each other.
            None => {
                let length = base.at(duration.max(1));
                self.end = self.end.plus(length);
                self.latest = self.latest.map(|latest| latest.plus(length));
            }
        }
        let placed = |t: i64| t.saturating_add(looped);
        packet.av.set_times(pts.map(placed), dts.map(placed), duration);
        packet.av.clear_position();
    }

    /// Whether the packet, and with it all that follow in its stream, lies behind the limit. That
    /// goes by dts: a packet to be shown later may be needed by one to be shown before.
    pub(super) fn is_over(&self, packet: &Packet) -> bool {
        match (self.limit, packet.dts().or(packet.pts())) {
            (Some(limit), Some(at)) => at >= limit,
            _ => false,
        }
    }
}
