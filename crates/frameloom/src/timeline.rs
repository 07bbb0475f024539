use crate::time::Timestamp;
use std::time::Duration;
pub(crate) struct Placed {
    pub(crate) pts: Option<Timestamp>,
    pub(crate) dts: Option<Timestamp>,
    pub(crate) jumped: bool,
}
pub(crate) struct Timeline {
    shift: Timestamp,
    last: Option<(Timestamp, Duration)>,
}
impl Timeline {
    pub(crate) fn new() -> Timeline {
        Timeline { shift: Timestamp::ZERO, last: None }
    }
    pub(crate) fn place(
        &mut self,
        _: usize,
        pts: Option<Timestamp>,
        dts: Option<Timestamp>,
        duration: Timestamp,
        now: Duration,
    ) -> Placed {
        let m = |t: Option<Timestamp>| t.map(|t| t.plus(self.shift));
        let p = Placed { pts: m(pts), dts: m(dts), jumped: false };
        if let Some(d) = p.dts {
            let e = d.plus(duration);
            if self.last.is_none_or(|(l, _)| e > l) {
                self.last = Some((e, now));
            }
        }
        p
    }
    pub(crate) fn at(&self, now: Duration) -> Option<Timestamp> {
        self.last.map(|(l, a)| l.plus(crate::supervise::micros(now.saturating_sub(a))))
    }
    pub(crate) fn resume(&mut self, edge: Timestamp, not_before: Timestamp, now: Duration) {
        let at = self.at(now).map_or(not_before, |t| t.max(not_before));
        self.shift = at.minus(edge);
    }
}
