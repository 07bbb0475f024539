//! What an option takes, as data.

use serde::{Deserialize, Serialize};

use super::sentence::{Sentence, sentence};

/// What an option takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedValue {
    /// What its value is.
    pub kind: ValueKind,
    /// The least number, as it is written; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<String>,
    /// The greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greatest: Option<String>,
    /// The values that have a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The names that resemble what was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
}

/// What the value of an option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ValueKind {
    /// A whole number, or a name for one.
    WholeNumber,
    /// A number, or a name for one.
    Number,
    /// Names, each with + or - before it.
    Flags,
    /// 1 or 0.
    YesOrNo,
    /// One of the names.
    Name,
    /// A number or a fraction.
    Fraction,
    /// A size of pictures.
    Size,
    /// A frame rate.
    Rate,
    /// A span of time.
    Time,
    /// A colour.
    Color,
    /// A pixel format.
    PixelFormat,
    /// A sample format.
    SampleFormat,
    /// A channel layout.
    ChannelLayout,
    /// `NAME=VALUE`, several of them with `:` between.
    Pairs,
    /// Hexadecimal digits.
    Bytes,
    /// Several values, or what has no such name.
    Other,
}

impl ExpectedValue {
    /// Nothing more than the kind is known.
    pub(crate) fn of_kind(kind: ValueKind) -> ExpectedValue {
        ExpectedValue { kind, least: None, greatest: None, names: Vec::new(), near: Vec::new() }
    }

    /// One of these names.
    pub fn named(kind: ValueKind, names: impl IntoIterator<Item = String>) -> ExpectedValue {
        ExpectedValue { names: names.into_iter().collect(), ..ExpectedValue::of_kind(kind) }
    }

    /// What to do about a value that is none of these.
    pub(super) fn sentence(&self) -> Sentence {
        let takes = self.takes();
        if self.near.is_empty() {
            return takes;
        }
        sentence!("did you mean {}? {}", Sentence::list(&self.near, "or"), takes)
    }

    fn takes(&self) -> Sentence {
        let names = || Sentence::list(&self.names, "or");
        let number = |what: &'static str| {
            let numbers = match (&self.least, &self.greatest) {
                (Some(least), Some(greatest)) => {
                    sentence!("{} from {} to {}", what, least, greatest)
                }
                (Some(least), None) => sentence!("{} from {} on", what, least),
                (None, Some(greatest)) => sentence!("{} up to {}", what, greatest),
                (None, None) => what.into(),
            };
            if self.names.is_empty() {
                return sentence!("it takes {}", numbers);
            }
            sentence!("it takes {}, or {}", numbers, names())
        };
        match self.kind {
            ValueKind::WholeNumber => number("a whole number"),
            ValueKind::Number => number("a number"),
            ValueKind::Flags if self.names.is_empty() => number("a whole number"),
            ValueKind::Flags => sentence!("it takes {}, each with + or - before it", names()),
            ValueKind::Name if !self.names.is_empty() => sentence!("it takes {}", names()),
            ValueKind::YesOrNo if self.names.is_empty() => "it takes 1 or 0".into(),
            ValueKind::YesOrNo => sentence!("it takes 1, 0 or {}", names()),
            ValueKind::Fraction => number("a number or a fraction, such as 4/3,"),
            ValueKind::Size => {
                "it takes WIDTHxHEIGHT, such as 960x540, or a name such as hd720".into()
            }
            ValueKind::Rate => {
                "it takes a number or a fraction above 0, such as 25 or 30000/1001".into()
            }
            ValueKind::Time => {
                "it takes seconds (1.5), [HH:]MM:SS[.m], or a number with ms or us behind it".into()
            }
            ValueKind::Color => "it takes a colour's name, or #RRGGBB".into(),
            ValueKind::PixelFormat => "it takes a pixel format, such as yuv420p or rgb24".into(),
            ValueKind::SampleFormat => "it takes a sample format, such as s16 or fltp".into(),
            ValueKind::ChannelLayout => {
                "it takes a channel layout, such as mono, stereo or 5.1".into()
            }
            ValueKind::Pairs => "it takes NAME=VALUE, several of them with : between".into(),
            ValueKind::Bytes => "it takes hexadecimal digits, two for each byte".into(),
            ValueKind::Name | ValueKind::Other => "it takes something else".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_said_in_a_sentence() {
        let plain = ExpectedValue::of_kind;
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let some = |text: &str| Some(text.to_owned());
        let whole = plain(ValueKind::WholeNumber);
        for (expected, said) in [
            (whole.clone(), "it takes a whole number"),
            (
                ExpectedValue { least: some("-1"), greatest: some("63"), ..whole.clone() },
                "it takes a whole number from -1 to 63",
            ),
            (
                ExpectedValue { least: some("0"), ..whole.clone() },
                "it takes a whole number from 0 on",
            ),
            (
                ExpectedValue {
                    greatest: some("3"),
                    names: texts(&["good", "best"]),
                    near: texts(&["good"]),
                    ..whole
                },
                "did you mean good? it takes a whole number up to 3, or good or best",
            ),
            (
                ExpectedValue { names: texts(&["faststart"]), ..plain(ValueKind::Flags) },
                "it takes faststart, each with + or - before it",
            ),
            (plain(ValueKind::YesOrNo), "it takes 1 or 0"),
            (
                ExpectedValue { names: texts(&["auto"]), ..plain(ValueKind::YesOrNo) },
                "it takes 1, 0 or auto",
            ),
        ] {
            assert_eq!(expected.sentence().to_string(), said);
        }
    }
}
