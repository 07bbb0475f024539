//! Which pictures are to be keyframes, where an output says it (FFmpeg's `-force_key_frames`).

use crate::av::Expression;
use crate::error::{Error, Result};
use crate::options::KEYFRAME_NAMES;
use crate::time::Timestamp;

/// Which pictures are to be keyframes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyframeRule {
    /// The first at or behind each of these times, which increase.
    Times(Vec<Timestamp>),
    /// Those for which it is not 0, in FFmpeg's language.
    Expression(String),
    /// Those that the input has.
    Source,
}

/// Follows a rule from picture to picture.
pub(super) struct ForcedKeyframes {
    rule: Rule,
    seen: u64,
    forced: u64,
    /// The number and the time of the last one that was forced.
    last: Option<(u64, Timestamp)>,
}

enum Rule {
    Times(std::vec::IntoIter<Timestamp>),
    Expression(Expression),
    Source,
}

impl ForcedKeyframes {
    pub(super) fn new(rule: &KeyframeRule) -> Result<ForcedKeyframes> {
        let rule = match rule {
            KeyframeRule::Times(times) => Rule::Times(times.clone().into_iter()),
            KeyframeRule::Expression(text) => {
                let expression = Expression::parse(text, &KEYFRAME_NAMES);
                Rule::Expression(expression.map_err(|e| Error::usage(e.cause().clone()))?)
            }
            KeyframeRule::Source => Rule::Source,
        };
        Ok(ForcedKeyframes { rule, seen: 0, forced: 0, last: None })
    }

    /// Whether the next picture, which is shown at `at`, is to be one; `was_key` says that the input had
    /// one there.
    pub(super) fn forces(&mut self, at: Timestamp, was_key: bool) -> bool {
        let forces = match &mut self.rule {
            Rule::Times(times) => match times.as_slice().first() {
                // One picture for each time, as in FFmpeg.
                Some(due) if at >= *due => times.next().is_some(),
                _ => false,
            },
            Rule::Source => was_key,
            Rule::Expression(expression) => {
                let (number, time) = self
                    .last
                    .map_or((f64::NAN, f64::NAN), |(number, at)| (number as f64, at.as_secs_f64()));
                let (seen, forced) = (self.seen as f64, self.forced as f64);
                let value = expression.value(&[seen, forced, number, time, at.as_secs_f64()]);
                // What is no number forces too, as in FFmpeg.
                value != 0.0
            }
        };
        if forces {
            self.last = Some((self.seen, at));
            self.forced += 1;
        }
        self.seen += 1;
        forces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the pictures that are forced, of 100 at 10 a second.
    fn forced(rule: &KeyframeRule) -> Vec<usize> {
        let mut keyframes = ForcedKeyframes::new(rule).unwrap();
        let at = |n: usize| Timestamp::from_micros(i64::try_from(n).unwrap() * 100_000);
        (0..100).filter(|n| keyframes.forces(at(*n), n % 33 == 0)).collect()
    }

    #[test]
    fn rules_force_what_ffmpeg_forces() {
        let times = |times: &[i64]| {
            KeyframeRule::Times(times.iter().map(|ms| Timestamp::from_micros(ms * 1000)).collect())
        };
        let expression = |text: &str| KeyframeRule::Expression(text.to_owned());
        for (rule, expected) in [
            (times(&[]), &[][..]),
            (times(&[0, 1000, 2050]), &[0, 10, 21]),
            // Two times before one picture make two keyframes.
            (times(&[310, 320, 60_000]), &[4, 5]),
            (KeyframeRule::Source, &[0, 33, 66, 99]),
            (expression("gte(t,n_forced*3)"), &[0, 30, 60, 90]),
            (expression("eq(mod(n,40),7)"), &[7, 47, 87]),
            (expression("if(isnan(prev_forced_t),gte(t,1),gte(t,prev_forced_t+4))"), &[10, 50, 90]),
            (expression("if(isnan(prev_forced_n),eq(n,3),eq(n,prev_forced_n+48))"), &[3, 51, 99]),
        ] {
            assert_eq!(forced(&rule), expected, "{rule:?}");
        }
    }
}
