//! Where keyframes are asked for (`-force_key_frames`).

use super::value::parse_span;
use crate::av::Expression;
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Names of what an expression may look at, in the order of its values.
pub(crate) const NAMES: [&str; 5] = ["n", "n_forced", "prev_forced_n", "prev_forced_t", "t"];

/// Where keyframes are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyframeChoice {
    /// At the first picture at or behind these times, and behind the begin of each chapter by these.
    Times { times: Vec<Timestamp>, behind_chapters: Vec<Timestamp> },
    /// Where this is not 0.
    Expression(String),
    /// Where the input has some.
    Source,
}

impl KeyframeChoice {
    /// Reads `1.5,0:00:03,chapters-0.1`, `expr:gte(t,n_forced*2)` or `source`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub(super) fn parse(text: &str) -> Result<KeyframeChoice> {
        if let Some(expression) = text.strip_prefix("expr:") {
            Expression::parse(expression, &NAMES)
                .map_err(|e| Error::usage(format!("'{expression}': {}", e.cause())))?;
            return Ok(KeyframeChoice::Expression(expression.to_owned()));
        }
        if text == "source" || text == "source_no_drop" {
            return Ok(KeyframeChoice::Source);
        }
        let (mut times, mut behind_chapters) = (Vec::new(), Vec::new());
        for part in text.split(',') {
            match part.strip_prefix("chapters") {
                Some("") => behind_chapters.push(Timestamp::ZERO),
                Some(by) => behind_chapters.push(parse_span(by)?),
                None => times.push(parse_span(part)?),
            }
        }
        Ok(KeyframeChoice::Times { times, behind_chapters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_those_of_ffmpeg() {
        let micros = Timestamp::from_micros;
        let times = |times: &[i64], behind: &[i64]| KeyframeChoice::Times {
            times: times.iter().copied().map(micros).collect(),
            behind_chapters: behind.iter().copied().map(micros).collect(),
        };
        let expression = |text: &str| KeyframeChoice::Expression(text.to_owned());
        for (text, expected) in [
            ("1.5", times(&[1_500_000], &[])),
            ("0:00:03,1", times(&[3_000_000, 1_000_000], &[])),
            ("0,chapters,chapters-0.1", times(&[0], &[0, -100_000])),
            ("expr:gte(t,n_forced*2)", expression("gte(t,n_forced*2)")),
            ("source", KeyframeChoice::Source),
            ("source_no_drop", KeyframeChoice::Source),
        ] {
            assert_eq!(KeyframeChoice::parse(text).unwrap(), expected, "{text}");
        }
        for text in ["", "soon", "1,", "expr:", "expr:gte(t", "expr:frame", "chaptersx", "sources"]
        {
            assert!(KeyframeChoice::parse(text).is_err(), "{text}");
        }
    }
}
