//! The one public error: where it happened, to what, why, and what to do about it.

use std::fmt;

use crate::url::redact;

/// The part of the pipeline an error comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Options that don't fit together or don't exist.
    Options,
    /// Opening or reading the input.
    Source,
    /// Packets to frames.
    Decode,
    /// The code in the middle: a closure, a command, a filter graph.
    Process,
    /// Pixel format or size conversion.
    Convert,
    /// Frames to packets.
    Encode,
    /// Opening or writing an output.
    Sink,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Options => "options",
            Stage::Source => "input",
            Stage::Decode => "decode",
            Stage::Process => "process",
            Stage::Convert => "convert",
            Stage::Encode => "encode",
            Stage::Sink => "output",
        })
    }
}

/// What kind of failure it is, for a program to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller asked for something that can't be: exit status 2 on the command line.
    Usage,
    /// The file or stream isn't there.
    NotFound,
    /// The output is there already and may not be overwritten.
    AlreadyExists,
    /// The operating system doesn't allow it.
    PermissionDenied,
    /// The other end refused, closed or could not be reached.
    Connection,
    /// It took longer than its limit.
    TimedOut,
    /// The bytes are not what they should be, or end too early.
    InvalidData,
    /// No room left to write.
    StorageFull,
    /// The user's code failed.
    Process,
    /// A stop was asked for while it was under way.
    Interrupted,
    /// Anything else.
    Other,
}

/// What every fallible call of the library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the library, shown as one line: stage, redacted URL, cause, hint.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    stage: Stage,
    target: Option<String>,
    cause: String,
    hint: Option<String>,
}

impl Error {
    /// An error of `stage`; `cause` is redacted.
    pub fn new(kind: ErrorKind, stage: Stage, cause: impl AsRef<str>) -> Error {
        let cause = redact::text(cause.as_ref());
        Error(Box::new(Inner { kind, stage, target: None, cause, hint: None }))
    }

    pub(crate) fn usage(cause: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Usage, Stage::Options, cause)
    }

    /// An error of the user's own code, from its message.
    pub fn process(cause: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Process, Stage::Process, cause)
    }

    /// Names the URL, path or command it happened to; URLs are redacted.
    #[must_use]
    pub fn at(mut self, target: &str) -> Error {
        self.0.target = Some(redact::url(target));
        self
    }

    /// Adds what the user can do about it, where nothing was said yet.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Error {
        if self.0.hint.is_none() {
            self.0.hint = Some(redact::text(hint.as_ref()));
        }
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where it happened.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// The redacted URL, the path or the command, where there is one.
    pub fn target(&self) -> Option<&str> {
        self.0.target.as_deref()
    }

    /// What to do about it, where that is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Why.
    pub fn cause(&self) -> &str {
        &self.0.cause
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { stage, target, cause, hint, .. } = &*self.0;
        let one_line = |s: &str| s.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
        write!(f, "{stage}: ")?;
        if let Some(target) = target {
            write!(f, "{}: ", one_line(target))?;
        }
        f.write_str(&one_line(cause))?;
        if let Some(hint) = hint {
            write!(f, " ({})", one_line(hint))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {self})", self.0.kind)
    }
}

impl std::error::Error for Error {}

/// The names in `known` that are nearest to `name`, best first, at most three; none that is far off.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|k| {
            let distance = strsim::damerau_levenshtein(name, k);
            let close = distance <= (name.chars().count() / 3).max(1);
            let contains = name.len() >= 3 && k.contains(name);
            (close || contains).then_some((if contains { distance.min(2) } else { distance }, k))
        })
        .collect();
    scored.sort();
    scored.dedup();
    scored.into_iter().take(3).map(|(_, k)| k).collect()
}

/// "did you mean a, b or c?", where anything is near.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let near = nearest(name, known);
    let (last, rest) = near.split_last()?;
    let list =
        if rest.is_empty() { (*last).to_owned() } else { format!("{} or {last}", rest.join(", ")) };
    Some(format!("did you mean {list}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_without_secrets() {
        let e = Error::new(ErrorKind::Connection, Stage::Sink, "refused\nby rtmp://h/live/k3y")
            .at("rtmp://u:p@h/live/k3y")
            .hint("is a server listening there?");
        assert_eq!(
            e.to_string(),
            "output: rtmp://h/live/***: refused by rtmp://h/live/*** (is a server listening there?)"
        );
    }

    #[test]
    fn nearest_names_are_near() {
        assert_eq!(nearest("libx265", ["libx264", "libvpx", "aac"]), ["libx264"]);
        assert!(nearest("zzzzzz", ["libx264", "aac"]).is_empty());
        assert_eq!(
            did_you_mean("yuv42p", ["yuv420p", "yuv422p", "gray"]).as_deref(),
            Some("did you mean yuv420p or yuv422p?")
        );
    }
}
