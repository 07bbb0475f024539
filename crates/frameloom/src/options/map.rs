//! Which streams of the inputs an output has (ffmpeg(1), `-map`).

use super::specifier::Specifier;
use crate::error::{Error, Hint, Result};

/// One `-map`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamMap {
    /// It takes away what maps before it gave.
    pub(crate) is_negative: bool,
    pub(crate) from: MapSource,
    /// That there is no such stream is no error.
    pub(crate) is_optional: bool,
}

/// Where a map takes streams from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MapSource {
    /// The streams that are meant of the input of this number.
    Input(usize, Specifier),
    /// The output of a filter graph that has this label.
    Label(String),
}

impl StreamMap {
    /// Reads `0`, `0:v`, `-0:a:1`, `0:s?`, `[label]` and the like.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub(crate) fn parse(text: &str) -> Result<StreamMap> {
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if let Some((label, _)) = bracketed.filter(|(label, _)| !label.is_empty()) {
            let from = MapSource::Label(label.to_owned());
            return Ok(StreamMap { is_negative: false, from, is_optional: false });
        }
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // FFmpeg used to take a stream to synchronize with behind a comma, and ignores it now.
        let rest = rest.split_once(',').map_or(rest, |(rest, _)| rest);
        let (rest, is_optional) = match rest.strip_suffix('?') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (input, streams) = match rest.split_once(':') {
            Some((input, streams)) => {
                (input, Specifier::parse(streams).map_err(|e| e.hint(Hint::UseMaps))?)
            }
            None => (rest, Specifier::default()),
        };
        let input = input.parse().map_err(|_| {
            let cause = format!("'{text}' does not begin with the number of an input");
            Error::usage(cause).hint(Hint::UseMaps)
        })?;
        Ok(StreamMap { is_negative, from: MapSource::Input(input, streams), is_optional })
    }
}

/// As it is written on the command line.
impl std::fmt::Display for StreamMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, mark) =
            (if self.is_negative { "-" } else { "" }, if self.is_optional { "?" } else { "" });
        match &self.from {
            MapSource::Input(input, streams) => write!(f, "{sign}{input}{streams}{mark}"),
            MapSource::Label(label) => write!(f, "[{label}]"),
        }
    }
}
