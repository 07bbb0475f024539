//! Exact stream time: integer ticks of a rational time base, never floating point.

pub(crate) mod arrival;
pub(crate) mod clock;
pub(crate) mod jitter;
pub(crate) mod stop;

use std::cmp::Ordering;
use std::fmt;
use std::time::{Duration, Instant};

/// Longer than anything runs, and short enough to be added to any moment.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The moment that is `span` after `from`: a far one where that is more than can be counted, as
/// with a limit of [`Duration::MAX`].
pub(crate) fn moment_after(from: Instant, span: Duration) -> Instant {
    from.checked_add(span).unwrap_or_else(|| from + FAR)
}

/// The length of one tick, as a fraction of a second: `num / den` seconds, both positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeBase {
    num: i32,
    den: i32,
}

impl TimeBase {
    /// Milliseconds, as FLV and RTMP count.
    pub const MILLIS: TimeBase = TimeBase { num: 1, den: 1_000 };
    /// Microseconds, libav's `AV_TIME_BASE_Q`.
    pub const MICROS: TimeBase = TimeBase { num: 1, den: 1_000_000 };

    /// A time base of `num / den` seconds; `None` unless both are positive.
    pub const fn new(num: i32, den: i32) -> Option<TimeBase> {
        if num > 0 && den > 0 { Some(TimeBase { num, den }) } else { None }
    }

    /// The numerator, seconds.
    pub const fn num(self) -> i32 {
        self.num
    }

    /// The denominator.
    pub const fn den(self) -> i32 {
        self.den
    }

    /// `ticks` of this base as a timestamp.
    pub const fn at(self, ticks: i64) -> Timestamp {
        Timestamp { ticks, base: self }
    }
}

impl fmt::Display for TimeBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

/// A frame rate in frames a second, an exact positive fraction such as 30000/1001.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    num: i32,
    den: i32,
}

impl Rate {
    /// `num / den` frames a second; `None` unless both are positive.
    pub const fn new(num: i32, den: i32) -> Option<Rate> {
        if num > 0 && den > 0 { Some(Rate { num, den }) } else { None }
    }

    /// So many frames a second, one at least.
    pub(crate) const fn whole(frames: u8) -> Rate {
        Rate { num: if frames > 0 { frames as i32 } else { 1 }, den: 1 }
    }

    /// The numerator.
    pub const fn num(self) -> i32 {
        self.num
    }

    /// The denominator.
    pub const fn den(self) -> i32 {
        self.den
    }

    /// The time base whose tick is one frame.
    pub const fn time_base(self) -> TimeBase {
        TimeBase { num: self.den, den: self.num }
    }

    /// Whole frames in `seconds`, rounded to nearest and at least 1.
    pub fn frames_in(self, seconds: u32) -> i32 {
        let frames = (i64::from(self.num) * i64::from(seconds) * 2 + i64::from(self.den))
            / (2 * i64::from(self.den));
        i32::try_from(frames.max(1)).unwrap_or(i32::MAX)
    }

    /// For showing only.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den == 1 {
            write!(f, "{}", self.num)
        } else {
            write!(f, "{}/{}", self.num, self.den)
        }
    }
}

/// How a value that falls between two ticks is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// To the nearest tick, halves away from zero: libav's `AV_ROUND_NEAR_INF`.
    Near,
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
}

/// A point in stream time, or a span of it: `ticks` of `base`.
///
/// Comparison is by the instant it names, not by its ticks: 1 s equals 1000 ms.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp {
    ticks: i64,
    base: TimeBase,
}

impl Timestamp {
    /// Zero, in microseconds.
    pub const ZERO: Timestamp = TimeBase::MICROS.at(0);

    /// `micros` microseconds.
    pub const fn from_micros(micros: i64) -> Timestamp {
        TimeBase::MICROS.at(micros)
    }

    /// The number of ticks.
    pub const fn ticks(self) -> i64 {
        self.ticks
    }

    /// What one tick is.
    pub const fn base(self) -> TimeBase {
        self.base
    }

    /// The same instant in ticks of `base`, rounded to nearest; saturates at the ends of `i64`.
    pub fn rescale(self, base: TimeBase) -> Timestamp {
        self.rescale_rounded(base, Round::Near)
    }

    /// The same instant in ticks of `base`, rounded as told; saturates at the ends of `i64`.
    pub fn rescale_rounded(self, base: TimeBase, round: Round) -> Timestamp {
        if base == self.base {
            return self;
        }
        let n = i128::from(self.ticks) * i128::from(self.base.num) * i128::from(base.den);
        let d = i128::from(self.base.den) * i128::from(base.num);
        let floor = n.div_euclid(d);
        let rest = n.rem_euclid(d);
        let up = match round {
            Round::Down => false,
            Round::Up => rest != 0,
            Round::Near => rest * 2 > d || (rest * 2 == d && n >= 0),
        };
        let ticks = floor + i128::from(up);
        base.at(ticks.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }

    /// This instant moved by `span`, in this timestamp's own base (the span is rounded to it).
    #[must_use]
    pub fn plus(self, span: Timestamp) -> Timestamp {
        self.base.at(self.ticks.saturating_add(span.rescale(self.base).ticks))
    }

    /// This instant moved back by `span`, in this timestamp's own base (the span is rounded to it).
    #[must_use]
    pub fn minus(self, span: Timestamp) -> Timestamp {
        self.base.at(self.ticks.saturating_sub(span.rescale(self.base).ticks))
    }

    /// Whether it is earlier, by more than what rounding to microseconds explains: times that users
    /// give come out of decimal numbers.
    pub(crate) fn is_before(self, other: Timestamp) -> bool {
        self < other && self.as_micros() < other.as_micros()
    }

    /// Microseconds, rounded to nearest.
    pub fn as_micros(self) -> i64 {
        self.rescale(TimeBase::MICROS).ticks
    }

    /// Seconds, for showing only.
    pub fn as_secs_f64(self) -> f64 {
        self.ticks as f64 * f64::from(self.base.num) / f64::from(self.base.den)
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Timestamp) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Timestamp) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Timestamp) -> Ordering {
        let left = i128::from(self.ticks) * i128::from(self.base.num) * i128::from(other.base.den);
        let right =
            i128::from(other.ticks) * i128::from(other.base.num) * i128::from(self.base.den);
        left.cmp(&right)
    }
}

/// `H:MM:SS.mmm`, with a sign where negative.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.rescale(TimeBase::MILLIS).ticks;
        let sign = if millis < 0 { "-" } else { "" };
        let m = millis.unsigned_abs();
        let (h, min, s, ms) = (m / 3_600_000, m / 60_000 % 60, m / 1000 % 60, m % 1000);
        write!(f, "{sign}{h}:{min:02}:{s:02}.{ms:03}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TS: TimeBase = TimeBase { num: 1, den: 90_000 };
    const NTSC: TimeBase = TimeBase { num: 1001, den: 30_000 };

    #[test]
    fn rescales_as_the_table_says() {
        for (ticks, from, to, round, want) in [
            (1, TimeBase::MILLIS, TS, Round::Near, 90),
            (44, TS, TimeBase::MILLIS, Round::Near, 0),
            (45, TS, TimeBase::MILLIS, Round::Near, 1),
            (-45, TS, TimeBase::MILLIS, Round::Near, -1),
            (-44, TS, TimeBase::MILLIS, Round::Near, 0),
            (1, NTSC, TS, Round::Near, 3003),
            (107_892, NTSC, TimeBase::MILLIS, Round::Near, 3_599_996),
            (1, NTSC, TimeBase::MILLIS, Round::Up, 34),
            (1, NTSC, TimeBase::MILLIS, Round::Down, 33),
            (-1, NTSC, TimeBase::MILLIS, Round::Down, -34),
            (i64::MAX, TimeBase::MILLIS, TimeBase::MICROS, Round::Near, i64::MAX),
        ] {
            let got = from.at(ticks).rescale_rounded(to, round).ticks();
            assert_eq!(got, want, "{ticks} of {from} to {to}, {round:?}");
        }
    }

    #[test]
    fn shows_hours_and_sign() {
        assert_eq!(Timestamp::from_micros(3_723_004_000).to_string(), "1:02:03.004");
        assert_eq!(Timestamp::from_micros(-500_000).to_string(), "-0:00:00.500");
    }

    #[test]
    fn an_hour_of_ntsc_frames_does_not_drift() {
        let hour = NTSC.at(107_892);
        assert_eq!(hour.rescale(TS).rescale(NTSC), hour);
        assert_eq!(Rate { num: 30_000, den: 1001 }.frames_in(2), 60);
    }

    fn base() -> impl Strategy<Value = TimeBase> {
        (1..=1001i32, 1..=1_000_000i32).prop_map(|(num, den)| TimeBase { num, den })
    }

    proptest! {
        #[test]
        fn a_finer_base_and_back_is_exact(ticks in -1i64 << 40..1i64 << 40, b in base(), k in 1..=1000i32) {
            let fine = TimeBase { num: b.num, den: b.den.saturating_mul(k).max(b.den) };
            prop_assume!(i64::from(b.den) * i64::from(k) <= i64::from(i32::MAX));
            prop_assert_eq!(b.at(ticks).rescale(fine).rescale(b).ticks(), ticks);
        }

        #[test]
        fn rounding_is_within_half_a_tick(ticks in -1i64 << 40..1i64 << 40, a in base(), b in base()) {
            let got = a.at(ticks).rescale(b);
            let (low, high) = (a.at(ticks).rescale_rounded(b, Round::Down), a.at(ticks).rescale_rounded(b, Round::Up));
            prop_assert!(low <= a.at(ticks) && a.at(ticks) <= high);
            prop_assert!(got.ticks() == low.ticks() || got.ticks() == high.ticks());
        }

        #[test]
        fn order_is_kept(x in -1i64 << 40..1i64 << 40, y in -1i64 << 40..1i64 << 40, a in base(), b in base()) {
            if a.at(x) <= a.at(y) {
                prop_assert!(a.at(x).rescale(b).ticks() <= a.at(y).rescale(b).ticks());
            }
        }
    }
}
