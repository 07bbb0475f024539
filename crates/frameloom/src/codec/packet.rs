//! An encoded packet on its way from a source, or from an encoder, to a sink.

use crate::av::{AvPacket, MediaKind};
use crate::error::{Result, Stage};
use crate::time::arrival::Arrival;
use crate::time::{TimeBase, Timestamp};

/// An encoded packet of one stream, with its times in the pipeline's own clock: zero is where the
/// input starts.
pub(crate) struct Packet {
    pub(crate) av: AvPacket,
    pub(crate) kind: MediaKind,
    /// The number of its stream in the input; 0 for what an encoder made.
    pub(crate) stream: usize,
    /// The unit of the packet's times.
    pub(crate) time_base: TimeBase,
    /// When the input's packet behind it was read. `None` where there is none: held pictures, silence.
    pub(crate) arrived: Option<Arrival>,
    /// What an encoder says of its quality, in libav's unit, and -1 where it says nothing; `None` for
    /// what is copied.
    pub(crate) quality: Option<i32>,
    /// Where the part of the input that is wanted begins: what is before it is only needed to
    /// decode what follows.
    pub(crate) floor: Timestamp,
    /// What came before it has nothing to do with it: a decoder must drain first.
    pub(crate) discontinuity: bool,
}

impl Packet {
    pub(crate) fn pts(&self) -> Option<Timestamp> {
        self.av.pts().map(|t| self.time_base.at(t))
    }

    pub(crate) fn dts(&self) -> Option<Timestamp> {
        self.av.dts().map(|t| self.time_base.at(t))
    }

    pub(crate) fn duration(&self) -> Timestamp {
        self.time_base.at(self.av.duration())
    }

    /// Moves its times.
    pub(crate) fn move_by(&mut self, by: Timestamp) {
        let ticks = by.rescale(self.time_base).ticks();
        if ticks != 0 {
            let moved = |at: Option<i64>| at.map(|at| at.saturating_add(ticks));
            let (pts, dts) = (moved(self.av.pts()), moved(self.av.dts()));
            let duration = self.av.duration();
            self.av.set_times(pts, dts, duration);
        }
    }

    /// Sets its length so that it ends at `end`, counted from `at` in its own ticks.
    pub(crate) fn lasts_until(&mut self, at: Option<i64>, end: Timestamp) {
        let Some(at) = at else { return };
        let length = end.minus(self.time_base.at(at)).rescale(self.time_base).ticks();
        if length > 0 {
            let (pts, dts) = (self.av.pts(), self.av.dts());
            self.av.set_times(pts, dts, length);
        }
    }

    /// Another reference to the same bytes.
    pub(crate) fn share(&self) -> Result<Packet> {
        Ok(Packet { av: self.av.share().map_err(|e| e.in_stage(Stage::Sink))?, ..*self })
    }
}
