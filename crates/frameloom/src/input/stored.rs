//! The clock of a stored input that may begin anew in its middle: recordings that were joined byte by
//! byte, and playlists with discontinuities.

use std::time::Duration;

use crate::av::MediaKind;
use crate::input::timeline::{Timeline, TimelineLimits};
use crate::time::{TimeBase, Timestamp};

/// A [`Timeline`] for which the time that the input itself has reached stands for the machine's: while
/// one stream goes on, another may pause.
#[derive(Debug)]
pub(super) struct StoredTimeline {
    timeline: Timeline,
    /// The furthest time so far.
    reached: Duration,
    /// The clock began anew at least once since the input was opened.
    has_jumped: bool,
}

impl StoredTimeline {
    pub(super) fn new() -> StoredTimeline {
        let timeline = Timeline::with_limits(TimelineLimits::STORED);
        StoredTimeline { timeline, reached: Duration::ZERO, has_jumped: false }
    }

    /// For packets from another place.
    pub(super) fn begin_anew(self) -> StoredTimeline {
        StoredTimeline { has_jumped: self.has_jumped, ..StoredTimeline::new() }
    }

    /// Whether the clock began anew at least once.
    pub(super) fn has_jumped(&self) -> bool {
        self.has_jumped
    }

    /// A packet's pts and dts on the clock that goes on, in its own ticks as the duration.
    pub(super) fn place(
        &mut self,
        kind: MediaKind,
        base: TimeBase,
        (pts, dts): (Option<i64>, Option<i64>),
        duration: i64,
    ) -> (Option<i64>, Option<i64>) {
        let stream = usize::from(kind != MediaKind::Video);
        let at = |ticks: Option<i64>| ticks.map(|ticks| base.at(ticks));
        let (now, length) = (self.reached, base.at(duration));
        let placed = self.timeline.place(stream, at(pts), at(dts), length, now);
        self.has_jumped |= placed.jumped;
        if let Some(reached) = placed.dts.or(placed.pts) {
            let micros = u64::try_from(reached.as_micros()).unwrap_or(0);
            self.reached = self.reached.max(Duration::from_micros(micros));
        }
        let ticks = |at: Option<Timestamp>| at.map(|at| at.rescale(base).ticks());
        (ticks(placed.pts), ticks(placed.dts))
    }

    /// The same of a packet of a further stream, which goes along with the main one of its kind.
    pub(super) fn beside(
        &self,
        kind: MediaKind,
        base: TimeBase,
        (pts, dts): (Option<i64>, Option<i64>),
    ) -> (Option<i64>, Option<i64>) {
        let stream = usize::from(kind == MediaKind::Audio);
        let moved = |ticks: Option<i64>| {
            let at = self.timeline.beside(stream, base.at(ticks?));
            Some(at.rescale(base).ticks())
        };
        (moved(pts), moved(dts))
    }
}
