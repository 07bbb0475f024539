//! How fast a stored input is played.

use crate::error::{Error, Result};
use crate::time::{Rate, TimeBase, Timestamp};

/// What a speed may be.
const SLOWEST: f64 = 0.1;
const FASTEST: f64 = 100.0;

/// Speeds are whole thousandths.
const THOUSANDTHS: i32 = 1000;

/// How much of the input's own time passes in a second, in lowest terms; not 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Speed {
    num: i32,
    den: i32,
}

impl Speed {
    /// A speed, `None` for the input's own.
    pub(crate) fn new(speed: f64) -> Result<Option<Speed>> {
        if !(SLOWEST..=FASTEST).contains(&speed) {
            return Err(Error::usage(format!(
                "{speed} is not a speed from {SLOWEST} to {FASTEST}: 2 is twice as fast, 0.5 half as fast"
            )));
        }
        let thousandths = (speed * f64::from(THOUSANDTHS)).round() as i32;
        let (num, den) = reduced(thousandths.into(), THOUSANDTHS.into());
        Ok((num != den).then_some(Speed { num, den }))
    }

    pub(crate) fn parse(text: &str) -> Result<Option<Speed>> {
        let given = text.parse::<f64>();
        Speed::new(given.map_err(|_| {
            Error::usage(format!("'{text}' is not a speed: 2 is twice as fast, 0.5 half as fast"))
        })?)
    }

    /// The unit in which the same ticks are played at this speed.
    pub(crate) fn of_base(self, base: TimeBase) -> TimeBase {
        let (num, den) = (i64::from(base.num()) * i64::from(self.den), i64::from(base.den()));
        base_of(num, den * i64::from(self.num))
    }

    /// The other way round.
    pub(crate) fn own_base(self, base: TimeBase) -> TimeBase {
        Speed { num: self.den, den: self.num }.of_base(base)
    }

    /// A time of the input's own, as it is played.
    pub(crate) fn of_time(self, at: Timestamp) -> Timestamp {
        self.of_base(at.base()).at(at.ticks())
    }

    /// The other way round.
    pub(crate) fn own_time(self, at: Timestamp) -> Timestamp {
        self.own_base(at.base()).at(at.ticks())
    }

    /// A rate of pictures as they are played, where it can be told.
    pub(crate) fn of_rate(self, rate: Rate) -> Option<Rate> {
        let (num, den) = (i64::from(rate.num()), i64::from(rate.den()));
        let (num, den) = reduced(num * i64::from(self.num), den * i64::from(self.den));
        Rate::new(num, den)
    }

    /// libav's filters for sound of which the pitch stays.
    pub(crate) fn filters(self) -> String {
        let mut speed = f64::from(self.num) / f64::from(self.den);
        let mut filters = Vec::new();
        // One filter goes no lower.
        while speed < 0.5 {
            filters.push("atempo=0.5".to_owned());
            speed /= 0.5;
        }
        filters.push(format!("atempo={speed}"));
        filters.join(",")
    }
}

/// In lowest terms; rounded, where that is more than libav's fractions hold.
fn reduced(num: i64, den: i64) -> (i32, i32) {
    let (mut a, mut b) = (num.max(1), den.max(1));
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let (mut num, mut den) = (num.max(1) / a, den.max(1) / a);
    while num.max(den) > i64::from(i32::MAX) {
        (num, den) = ((num / 2).max(1), (den / 2).max(1));
    }
    (i32::try_from(num).unwrap_or(1), i32::try_from(den).unwrap_or(1))
}

fn base_of(num: i64, den: i64) -> TimeBase {
    let (num, den) = reduced(num, den);
    TimeBase::new(num, den).unwrap_or(TimeBase::MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_scales_times_exactly() {
        let double = Speed::parse("2").unwrap().unwrap();
        let base = TimeBase::new(1, 12_800).unwrap();
        assert_eq!(double.of_base(base), TimeBase::new(1, 25_600).unwrap());
        assert_eq!(double.own_base(double.of_base(base)), base);
        assert_eq!(double.of_rate(Rate::new(30_000, 1001).unwrap()), Rate::new(60_000, 1001));
        let half = Speed::parse("0.5").unwrap().unwrap();
        assert_eq!(
            half.of_time(Timestamp::from_micros(1_500_000)),
            Timestamp::from_micros(3_000_000)
        );
        assert_eq!(
            half.own_time(Timestamp::from_micros(3_000_000)),
            Timestamp::from_micros(1_500_000)
        );
        assert_eq!(Speed::parse("1.0").unwrap(), None);
        // More than a fraction holds.
        let odd = Speed::parse("1.001").unwrap().unwrap();
        let fine = TimeBase::new(1, 1_000_000_000).unwrap();
        let scaled = odd.of_base(fine);
        let seconds = f64::from(scaled.num()) / f64::from(scaled.den());
        assert!((seconds * 1e9 * 1.001 - 1.0).abs() < 1e-8, "{scaled}");
    }

    #[test]
    fn slow_sound_passes_several_filters() {
        let filters = |text: &str| Speed::parse(text).unwrap().unwrap().filters();
        assert_eq!(filters("2"), "atempo=2");
        assert_eq!(filters("0.5"), "atempo=0.5");
        assert_eq!(filters("0.2"), "atempo=0.5,atempo=0.5,atempo=0.8");
    }

    #[test]
    fn what_is_no_speed_is_refused() {
        for text in ["0", "-1", "0.01", "1000", "nan", "inf", "fast", ""] {
            let error = Speed::parse(text).unwrap_err();
            assert!(error.to_string().contains("twice as fast"), "{text}: {error}");
        }
    }
}
