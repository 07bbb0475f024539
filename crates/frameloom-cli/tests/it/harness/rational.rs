//! Exact times: a rational number of seconds.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Sub};

/// A rational number, always with a positive denominator.
#[derive(Clone, Copy)]
pub(crate) struct Rational {
    num: i128,
    den: i128,
}

impl Rational {
    pub(crate) const ZERO: Rational = Rational { num: 0, den: 1 };

    pub(crate) fn new(num: i64, den: i64) -> Rational {
        assert!(den > 0, "a denominator of {den}");
        Rational { num: num.into(), den: den.into() }.reduced()
    }

    /// Parses `1/90000`, `4:3` or a whole number.
    pub(crate) fn parse(text: &str) -> Rational {
        let (num, den) = text.split_once(['/', ':']).unwrap_or((text, "1"));
        Rational::new(num.parse().unwrap(), den.parse().unwrap())
    }

    pub(crate) fn millis(ms: i64) -> Rational {
        Rational::new(ms, 1000)
    }

    pub(crate) fn times(self, by: i64) -> Rational {
        Rational { num: self.num * i128::from(by), den: self.den }.reduced()
    }

    /// Milliseconds of a time in seconds, rounded down.
    pub(crate) fn as_ms(self) -> i64 {
        i64::try_from((self.num * 1000).div_euclid(self.den)).unwrap()
    }

    pub(crate) fn abs(self) -> Rational {
        Rational { num: self.num.abs(), den: self.den }
    }

    fn reduced(self) -> Rational {
        let (mut a, mut b) = (self.num.abs(), self.den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        if a == 0 { self } else { Rational { num: self.num / a, den: self.den / a } }
    }
}

impl Add for Rational {
    type Output = Rational;
    fn add(self, other: Rational) -> Rational {
        Rational { num: self.num * other.den + other.num * self.den, den: self.den * other.den }
            .reduced()
    }
}

impl Sub for Rational {
    type Output = Rational;
    fn sub(self, other: Rational) -> Rational {
        self + Rational { num: -other.num, den: other.den }
    }
}

impl Ord for Rational {
    fn cmp(&self, other: &Rational) -> Ordering {
        (self.num * other.den).cmp(&(other.num * self.den))
    }
}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Rational) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rational {
    fn eq(&self, other: &Rational) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rational {}

impl fmt::Debug for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ({:.6} s)", self.num, self.den, self.num as f64 / self.den as f64)
    }
}
