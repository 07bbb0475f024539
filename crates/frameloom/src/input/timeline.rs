//! The one continuous clock made of what a live source says.
//!
//! Sources restart their clocks, wrap round, leap and lie. Here each packet's times are moved by a
//! shift that is one constant for as long as the source's clock goes on, and that changes where it
//! doesn't. Nothing here knows the time: `now` is the time on the machine's monotonic clock since
//! any fixed moment.

use std::time::Duration;

use crate::time::{Round, TimeBase, Timestamp};

/// What positions and shifts are counted in here. Milliseconds, microseconds, MPEG-TS's ticks and
/// samples at the usual rates are whole numbers of it, so that a shift one stream found is the
/// very same in the other.
const FINE: TimeBase = match TimeBase::new(1, 882_000_000) {
    Some(base) => base,
    None => TimeBase::MICROS,
};

const MILLISECOND: i64 = 882_000;
const SECOND: i64 = 1000 * MILLISECOND;

/// A time further from 0 than a hundred years is taken for one that far away: sums of a few such
/// times still have room in 64 bits.
const FURTHEST: i64 = 100 * 365 * 86_400 * SECOND;

/// By how much a dts may step back. `sink/order.rs` sees to it that it increases.
const BACK: i64 = 100 * MILLISECOND;

/// The same where only the pts is known, and pictures come in the order in which they are decoded.
const REORDERED: i64 = SECOND;

/// How near another shift must bring a packet to where it is expected.
const NEAR: i64 = 100 * MILLISECOND;

/// How far from the other stream a stream may begin. Servers send their cached GOP one stream behind
/// the other, and GOPs can be long.
const BEGIN: i64 = 60 * SECOND;

/// The longest step between two packets that is believed in.
const STEP: i64 = 2 * SECOND;

/// From this much silence on, a clock that jumped goes on where the machine's clock says. Below it
/// is the network's noise.
const PAUSE: i64 = 500 * MILLISECOND;

/// How far a second stream may overlap with itself on the first one's new clock, for both to be
/// moved ahead by that. With more it is another jump.
const OVERLAP: i64 = SECOND;

/// The furthest a pts and its dts can be apart.
const DELAY: i64 = 5 * SECOND;

/// How many shifts are remembered.
const SHIFTS: usize = 8;

/// How long leads are watched before they are compared.
const WINDOW: i64 = 5 * SECOND;

/// How many windows in a row must show a drift.
const DRIFTED: u32 = 3;

/// How far from the base line is a drift.
const DRIFT: i64 = 500 * MILLISECOND;

/// The most that audio is moved by at once: below what is a jump itself.
const MOVE: i64 = 1800 * MILLISECOND;

/// By what clocks jump where they wrap: 31 and 32 bits of milliseconds, MPEG-TS's 33 bits of ticks,
/// and RTMP's 24 bits, of which the last value means that more bits follow.
const WRAPS: [i64; 5] = [
    (1 << 31) * MILLISECOND,
    (1 << 32) * MILLISECOND,
    (1 << 33) * (SECOND / 90_000),
    0xFF_FFFF * MILLISECOND,
    0x100_0000 * MILLISECOND,
];

/// A packet's times on the continuous clock, in their own time bases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// `None` also where it lay so far from the dts that it can't have been meant.
    pub(crate) pts: Option<Timestamp>,
    pub(crate) dts: Option<Timestamp>,
    /// From this packet on the stream is moved by another amount than before.
    pub(crate) jumped: bool,
}

/// From where on a step counts as a jump of the clock, in ticks of `FINE`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimelineLimits {
    /// By how much a packet may be further ahead than its stream's step and the machine's clock
    /// allow.
    ahead: i64,
    /// Whether streams that drift apart are brought together again.
    mends_drift: bool,
}

impl TimelineLimits {
    /// For what comes as fast as it is made.
    pub(crate) const LIVE: TimelineLimits = TimelineLimits { ahead: 2 * SECOND, mends_drift: true };
    /// For what was recorded: FFmpeg's threshold. A shorter gap is one that was recorded.
    pub(crate) const STORED: TimelineLimits =
        TimelineLimits { ahead: 10 * SECOND, mends_drift: false };
}

/// The dts that packets of a live source get: of each its stream (0 video, 1 audio), pts, dts, duration
/// and when it came. For the fuzz target; `None` where a packet has no time.
pub fn dts_on_one_clock(
    packets: impl IntoIterator<
        Item = (usize, Option<Timestamp>, Option<Timestamp>, Timestamp, Duration),
    >,
) -> Vec<Option<Timestamp>> {
    let mut timeline = Timeline::new();
    let place =
        |(stream, pts, dts, duration, now)| timeline.place(stream, pts, dts, duration, now).dts;
    packets.into_iter().map(place).collect()
}

/// Puts the packets of a source on one clock that goes on whatever the source's does.
#[derive(Debug)]
pub(crate) struct Timeline {
    limits: TimelineLimits,
    /// Video and audio.
    streams: [StreamClock; 2],
    /// The shifts that were in use on this connection, the latest first.
    recent: Vec<i64>,
    /// By how much audio is moved beyond its shift, because its clock drifted.
    correction: i64,
    drift: Drift,
    /// The latest packet.
    latest: Option<Latest>,
}

/// One stream of the connection. Positions and spans are in ticks of `FINE`.
#[derive(Clone, Copy, Debug, Default)]
struct StreamClock {
    shift: i64,
    /// The furthest position so far.
    front: Option<i64>,
    /// When the last packet came.
    came: i64,
    /// How long the last packet is, or the last step from packet to packet.
    step: i64,
    /// Whether `front` is a dts, and not a pts.
    by_dts: bool,
    /// How far behind its front it may lie because it was moved back.
    overlap: i64,
    /// It was moved without a packet of its own.
    was_moved: bool,
}

/// The packet that is furthest ahead, or the moment at which the source was opened again.
#[derive(Clone, Copy, Debug)]
struct Latest {
    position: i64,
    /// Where the last picture or sound ends.
    end: i64,
    came: i64,
}

/// Where a packet may lie, in ticks of `FINE`.
#[derive(Clone, Copy, Debug)]
struct PlausibleSpan {
    low: i64,
    high: i64,
    /// Where it should lie if the source's clock stood still meanwhile, and if it went on.
    expected: (i64, i64),
    /// How far from there is near.
    near: i64,
}

impl PlausibleSpan {
    const ANYWHERE: PlausibleSpan =
        PlausibleSpan { low: i64::MIN, high: i64::MAX, expected: (0, 0), near: i64::MAX };

    fn has(&self, position: i64) -> bool {
        (self.low..=self.high).contains(&position)
    }

    /// How far the position is from where it should be.
    fn distance(&self, position: i64) -> i64 {
        let (first, last) = self.expected;
        (first.saturating_sub(position)).max(position.saturating_sub(last)).max(0)
    }

    fn is_near(&self, position: i64) -> bool {
        self.has(position) && self.distance(position) <= self.near
    }
}

impl Timeline {
    pub(crate) fn new() -> Timeline {
        Timeline::with_limits(TimelineLimits::LIVE)
    }

    pub(crate) fn with_limits(limits: TimelineLimits) -> Timeline {
        Timeline {
            limits,
            streams: [StreamClock::default(); 2],
            recent: vec![0],
            correction: 0,
            drift: Drift::default(),
            latest: None,
        }
    }

    /// Times of a packet of stream number `stream` (0 video, 1 audio) that came at `now`, on the
    /// continuous clock. `duration` is zero where it isn't known.
    pub(crate) fn place(
        &mut self,
        stream: usize,
        pts: Option<Timestamp>,
        dts: Option<Timestamp>,
        duration: Timestamp,
        now: Duration,
    ) -> Placed {
        let (pts, dts) = (pts.map(within_reach), dts.map(within_reach));
        let Some(key) = dts.or(pts) else {
            return Placed { pts: None, dts: None, jumped: false };
        };
        let stream = usize::from(stream != 0);
        let now = on_machine(now);
        if let Some(off) = self.drift.due(now).filter(|_| self.limits.mends_drift) {
            self.correct(off);
        }
        let before = self.streams[stream];
        let window = self.window(stream, dts.is_some(), now);
        self.streams[stream].shift = self.shift_for(stream, key, &window);
        let total = self.total(stream, self.streams[stream].shift);
        let position = fine(key.plus(FINE.at(total)));
        self.drift.note(stream, position.saturating_sub(now), now);

        let s = &mut self.streams[stream];
        let lift = match s.front {
            Some(front) if s.overlap > 0 && position < front => front.saturating_sub(position),
            _ => 0,
        };
        if lift == 0 {
            s.overlap = 0;
        }
        let position = position.saturating_add(lift);
        let duration = Some(fine(duration)).filter(|d| (1..=STEP).contains(d));
        s.advance(position, dts.is_some(), duration, now);
        let step = s.step;
        let jumped = s.shift != before.shift || std::mem::take(&mut s.was_moved);

        let moved = |t: Timestamp| t.plus(FINE.at(total.saturating_add(lift)));
        let pts = match (pts, dts) {
            (Some(pts), Some(dts)) => beside(pts, dts),
            (pts, _) => pts,
        };
        let placed = Placed { pts: pts.map(moved), dts: dts.map(moved), jumped };
        let shown = placed.pts.map_or(position, |pts| fine(pts).max(position));
        let end = shown.saturating_add(duration.unwrap_or(step));
        let latest = self.latest.get_or_insert(Latest { position, end, came: now });
        if position >= latest.position {
            (latest.position, latest.came) = (position, now);
        }
        latest.end = latest.end.max(end);
        placed
    }

    /// The time of a packet of a further stream, moved as those of stream number `stream` are now; where
    /// nothing came of that, as those of the other.
    pub(crate) fn beside(&self, stream: usize, time: Timestamp) -> Timestamp {
        let stream = usize::from(stream != 0);
        let has_begun = |stream: usize| self.streams[stream].front.is_some();
        let like = if has_begun(stream) { stream } else { 1 - stream };
        let total = self.total(like, self.streams[like].shift);
        within_reach(time).plus(FINE.at(total))
    }

    /// Where the continuous clock stands at `now`: at the latest packet's time, and as much later as
    /// it is since that came. That may be before the packet's end: a clock that began there would
    /// be ahead by the rest of it, and by more with each loss. `None` before the first packet.
    pub(crate) fn at(&self, now: Duration) -> Option<Timestamp> {
        self.position_at(on_machine(now)).map(|p| FINE.at(p).rescale(TimeBase::MICROS))
    }

    fn position_at(&self, now: i64) -> Option<i64> {
        self.latest.map(|latest| {
            let since = now.saturating_sub(latest.came).max(0);
            latest.position.saturating_add(since)
        })
    }

    /// The source was opened again. `edge` is the latest packet's time in what it sent at once, on
    /// the new connection's own clock. From here on that moment is `at` on the continuous clock,
    /// for all streams; where what came before ends later, it is that end.
    pub(crate) fn resume(&mut self, edge: Timestamp, at: Timestamp, now: Duration) {
        let (now, at) = (on_machine(now), fine(within_reach(at)));
        let target = self.latest.map_or(at, |latest| at.max(latest.end));
        let shift = shift_to(within_reach(edge), target);
        self.streams = [StreamClock { shift, ..StreamClock::default() }; 2];
        self.recent = vec![shift];
        self.correction = 0;
        self.drift = Drift::default();
        self.latest = Some(Latest { position: target, end: target, came: now });
    }

    /// All that a packet of this stream is moved by where `shift` is the shift.
    fn total(&self, stream: usize, shift: i64) -> i64 {
        if stream == 0 { shift } else { shift.saturating_add(self.correction) }
    }

    /// Where a packet of this stream may lie.
    fn window(&mut self, stream: usize, has_dts: bool, now: i64) -> PlausibleSpan {
        let (other, ahead) = (self.streams[1 - stream], self.limits.ahead);
        let s = &mut self.streams[stream];
        let Some(front) = s.front else {
            let Some(front) = other.front else { return PlausibleSpan::ANYWHERE };
            s.shift = other.shift;
            let from = front.saturating_add(now.saturating_sub(other.came).max(0));
            let (low, high) = (from.saturating_sub(BEGIN), from.saturating_add(BEGIN));
            return PlausibleSpan { low, high, expected: (from, from), near: BEGIN };
        };
        let gap = now.saturating_sub(s.came).max(0);
        let (next, later) = (front.saturating_add(s.step), front.saturating_add(gap));
        let back = if has_dts && s.by_dts { BACK } else { REORDERED };
        PlausibleSpan {
            low: front.saturating_sub(back).saturating_sub(s.overlap),
            high: next.saturating_add(gap).saturating_add(ahead),
            expected: (next, if later > next.saturating_add(PAUSE) { later } else { next }),
            near: back.max(NEAR),
        }
    }

    /// The shift that belongs to a packet with this time: the stream's own unless it puts the
    /// packet where it can't be.
    fn shift_for(&mut self, stream: usize, key: Timestamp, window: &PlausibleSpan) -> i64 {
        let (own, other) = (self.streams[stream].shift, self.streams[1 - stream]);
        let position = |shift: i64| fine(key.plus(FINE.at(self.total(stream, shift))));
        if window.has(position(own)) {
            return own;
        }
        let wrapped = WRAPS
            .iter()
            .flat_map(|wrap| [own.saturating_sub(*wrap), own.saturating_add(*wrap)])
            .filter(|shift| window.has(position(*shift)))
            .min_by_key(|shift| window.distance(position(*shift)));
        let known = || {
            let near = self.recent.iter().copied().filter(|shift| window.is_near(position(*shift)));
            near.min_by_key(|shift| window.distance(position(*shift)))
        };
        let others = || {
            let is_new = other.front.is_some() && other.shift != own;
            Some(other.shift).filter(|_| is_new)
        };
        let fitting = others().filter(|shift| window.has(position(*shift)));
        let overlapping = others().filter(|shift| {
            let behind = window.low.saturating_sub(position(*shift));
            (0..=OVERLAP).contains(&behind)
        });
        let invented = shift_to(key, window.expected.1).saturating_sub(self.total(stream, 0));
        // Before all else, so that both streams always have the very same shift.
        let beside = others().filter(|shift| window.is_near(position(*shift)));
        let shift = beside.or(wrapped).or_else(known).or(fitting).unwrap_or_else(|| {
            if overlapping.is_some() {
                let first = &mut self.streams[1 - stream];
                first.shift = invented;
                first.was_moved = true;
            }
            invented
        });
        for used in [own, shift] {
            self.recent.retain(|s| *s != used);
            self.recent.insert(0, used);
        }
        self.recent.truncate(SHIFTS);
        shift
    }

    /// Moves audio by what its clock is off, so that it is as far from video as it was at first.
    fn correct(&mut self, off: i64) {
        let by = off.saturating_neg().clamp(-MOVE, MOVE);
        self.correction = self.correction.saturating_add(by);
        let audio = &mut self.streams[1];
        audio.overlap = audio.overlap.saturating_sub(by).max(0);
        audio.was_moved = true;
    }
}

impl StreamClock {
    /// A packet was placed there.
    fn advance(&mut self, position: i64, has_dts: bool, duration: Option<i64>, now: i64) {
        self.came = now;
        if self.by_dts && !has_dts {
            return;
        }
        let front = self.front.filter(|_| self.by_dts == has_dts);
        let observed = front.map(|front| position.saturating_sub(front));
        let observed = observed.filter(|step| (1..=STEP).contains(step));
        self.step = duration.or(observed).unwrap_or(self.step);
        self.front = Some(front.map_or(position, |front| front.max(position)));
        self.by_dts = has_dts;
    }
}

/// Watches whether audio and video clocks drift apart.
///
/// A stream's lead is how far its packets are ahead of the machine's clock. Networks only ever
/// make it smaller, by delay; so the largest lead of a few seconds tells the source's clock.
#[derive(Debug, Default)]
struct Drift {
    /// When this window began.
    began: Option<i64>,
    /// The largest lead of each stream in this window.
    leads: [Option<i64>; 2],
    /// Whether there was a window with both streams. Streams begin in bursts, so the first one
    /// tells nothing.
    has_begun: bool,
    /// By how much audio's lead is larger than video's when nothing has drifted yet.
    base_line: Option<i64>,
    /// How many windows showed a drift, one behind the other, and the least that they showed.
    run: (u32, i64),
}

impl Drift {
    fn note(&mut self, stream: usize, lead: i64, now: i64) {
        self.began.get_or_insert(now);
        let largest = &mut self.leads[stream];
        *largest = Some(largest.map_or(lead, |l| l.max(lead)));
    }

    /// How far audio has drifted ahead, where it is time to do something about it.
    fn due(&mut self, now: i64) -> Option<i64> {
        if now.saturating_sub(self.began?) < WINDOW {
            return None;
        }
        self.began = None;
        let (Some(video), Some(audio)) = (self.leads[0].take(), self.leads[1].take()) else {
            self.leads = [None; 2];
            return None;
        };
        let apart = audio.saturating_sub(video);
        if !std::mem::replace(&mut self.has_begun, true) {
            return None;
        }
        let off = apart.saturating_sub(*self.base_line.get_or_insert(apart));
        let (windows, least) = self.run;
        self.run = match off.saturating_abs() > DRIFT {
            true if windows > 0 && (least > 0) == (off > 0) => {
                (windows + 1, if off > 0 { off.min(least) } else { off.max(least) })
            }
            true => (1, off),
            false => (0, 0),
        };
        let (_, least) = self.run;
        if self.run.0 < DRIFTED {
            return None;
        }
        self.run = (0, 0);
        Some(least)
    }
}

/// The shift, in ticks of `FINE`, that puts this time there or less than one of its ticks behind.
fn shift_to(time: Timestamp, position: i64) -> i64 {
    let wanted = FINE.at(position).rescale_rounded(time.base(), Round::Up);
    fine(wanted.base().at(wanted.ticks().saturating_sub(time.ticks())))
}

/// The pts that goes with a dts: one of the two may have wrapped already.
fn beside(pts: Timestamp, dts: Timestamp) -> Option<Timestamp> {
    let is_beside = |pts: &Timestamp| {
        let apart = fine(*pts).saturating_sub(fine(dts));
        (-DELAY..=DELAY).contains(&apart)
    };
    let wrapped = WRAPS.iter().flat_map(|w| [pts.plus(FINE.at(*w)), pts.minus(FINE.at(*w))]);
    std::iter::once(pts).chain(wrapped).find(is_beside)
}

fn fine(time: Timestamp) -> i64 {
    time.rescale(FINE).ticks()
}

/// The machine's time in ticks of `FINE`.
fn on_machine(now: Duration) -> i64 {
    let micros = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    fine(Timestamp::from_micros(micros)).min(FURTHEST)
}

fn within_reach(time: Timestamp) -> Timestamp {
    let furthest = FINE.at(FURTHEST).rescale_rounded(time.base(), Round::Down).ticks();
    time.base().at(time.ticks().clamp(-furthest, furthest))
}

#[cfg(test)]
mod tests;
