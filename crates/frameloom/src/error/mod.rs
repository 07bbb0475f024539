//! The one public error: where it happened, to what, why, and what to do about it.

mod expected;
mod hint;
mod instead;
mod program_hint;
mod sentence;
mod setting;
mod wording;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use expected::{ExpectedValue, ValueKind};
pub use hint::{Hint, nearest};
pub use instead::Instead;
pub use program_hint::ProgramHint;
pub use sentence::{Sentence, SentencePart};
pub(crate) use sentence::{counted, sentence, were};
pub use setting::{End, Setting};
pub(crate) use wording::default_wording;
pub use wording::{CommandLine, Wording, set_default_wording};

use crate::url::redact;

/// The part of the pipeline an error comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// What your own code may fail with: any error, an [`Error`] of the library among them. `?` makes
/// one of whatever implements [`std::error::Error`], and of a `&str` or `String`.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error of the library.
///
/// It is data: [`kind`](Error::kind) for a program to act on, [`stage`](Error::stage) and
/// [`target`](Error::target) for where it happened, [`settings`](Error::settings) for the options
/// that it is about, [`advice`](Error::advice) for what to do about it, and
/// [`errno`](Error::errno) and [`source`](std::error::Error::source) for what the system or a
/// library said.
///
/// Shown, it is one line: stage, target, cause, and advice in parentheses. `Display` spells options
/// as the front that runs does, which is the command line where none was chosen;
/// [`display`](Error::display) spells them in another front's words. The
/// line repeats what the source says, so there is no need to print the chain. URLs in it are
/// without credentials and stream keys; those of the source may be with them.
///
/// With serde it crosses from one process to another; the source stays behind.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(Box<ErrorData>);

#[derive(Clone, Serialize, Deserialize)]
struct ErrorData {
    kind: ErrorKind,
    stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    option: Option<Setting>,
    cause: Sentence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<Hint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(skip)]
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `stage`; `cause` is redacted.
    pub fn new(kind: ErrorKind, stage: Stage, cause: impl Into<Sentence>) -> Error {
        let cause = cause.into().redacted(&redact::text);
        Error(Box::new(ErrorData {
            kind,
            stage,
            target: None,
            option: None,
            cause,
            hint: None,
            errno: None,
            source: None,
        }))
    }

    pub(crate) fn usage(cause: impl Into<Sentence>) -> Error {
        Error::new(ErrorKind::Usage, Stage::Options, cause)
    }

    /// An error of the user's own code, from its message.
    pub fn process(cause: impl Into<Sentence>) -> Error {
        Error::new(ErrorKind::Process, Stage::Process, cause)
    }

    /// What the operating system said to something that `stage` did.
    pub fn io(stage: Stage, error: std::io::Error) -> Error {
        Error::new(kind_of(error.kind()), stage, os_words(&error)).because(error)
    }

    /// Names the URL, path or command it happened to; URLs are redacted.
    #[must_use]
    pub fn at(mut self, target: &str) -> Error {
        self.0.target = Some(redact::url(target));
        // Whatever it was taken for, this is what is wrong with it.
        if redact::has_torn_credentials(target) {
            self.0.hint = Some(Hint::EncodeCredentials);
        }
        self
    }

    /// Names the option it is about, where none is named yet.
    #[must_use]
    pub fn about(mut self, option: Setting) -> Error {
        self.0.option.get_or_insert_with(|| option.redacted(redact::text));
        self
    }

    /// Adds what the user can do about it, where nothing was said yet.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Error {
        self.0.hint.get_or_insert_with(|| hint.into().redacted(&redact::text));
        self
    }

    /// Adds the names in `known` that resemble `name`, where there are any.
    #[must_use]
    pub(crate) fn hint_near<'a>(
        self,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Error {
        match Hint::near(name, known) {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Adds what the system or a library said: its [`source`](std::error::Error::source).
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let source = source.into();
        if let Some(io) = source.downcast_ref::<std::io::Error>() {
            self.0.errno = self.0.errno.or(io.raw_os_error());
        }
        self.0.source = Some(Arc::from(source));
        self
    }

    /// Adds the operating system's error number.
    #[must_use]
    pub(crate) fn with_errno(mut self, errno: i32) -> Error {
        self.0.errno = Some(errno);
        self
    }

    /// The same error with another cause, which may quote the first.
    #[must_use]
    pub(crate) fn reworded(mut self, cause: impl Into<Sentence>) -> Error {
        self.0.cause = cause.into().redacted(&redact::text);
        self
    }

    /// The same error with other advice.
    #[must_use]
    pub(crate) fn advised(mut self, hint: Hint) -> Error {
        self.0.hint = Some(hint);
        self
    }

    /// The same error of another kind.
    #[must_use]
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Error {
        self.0.kind = kind;
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

    /// The option it is about, where it is about one: the one that was named first.
    pub fn option(&self) -> Option<&Setting> {
        self.0.option.as_ref().or_else(|| self.0.cause.settings().into_iter().next())
    }

    /// Every option that it is about.
    pub fn settings(&self) -> Vec<&Setting> {
        self.0.option.iter().chain(self.0.cause.settings()).collect()
    }

    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<&Hint> {
        self.0.hint.as_ref()
    }

    /// What to do about it as a sentence in the words of `wording`, where that is known.
    pub fn advice_in(&self, wording: &dyn Wording) -> Option<String> {
        self.advice_sentence(wording).map(|sentence| sentence.display(wording).to_string())
    }

    /// What to do about it in the words of `wording`, with settings as data.
    pub fn advice_sentence(&self, wording: &dyn Wording) -> Option<Sentence> {
        self.0.hint.as_ref().map(|hint| hint.sentence(wording))
    }

    /// Why.
    pub fn cause(&self) -> &Sentence {
        &self.0.cause
    }

    /// The operating system's error number, where that is what went wrong.
    pub fn errno(&self) -> Option<i32> {
        self.0.errno
    }

    /// The error as one line in the words of `wording`.
    pub fn display<'a>(&'a self, wording: &'a dyn Wording) -> ErrorDisplay<'a> {
        ErrorDisplay { error: self, wording, has_stage: true }
    }
}

/// An [`Error`] as it is shown in a front's words.
pub struct ErrorDisplay<'a> {
    error: &'a Error,
    wording: &'a dyn Wording,
    has_stage: bool,
}

impl ErrorDisplay<'_> {
    /// Leaves out the stage where it is [`Stage::Options`], for a reader who sees which option it
    /// is by other means.
    #[must_use]
    pub fn in_place(mut self) -> Self {
        self.has_stage = self.error.stage() != Stage::Options;
        self
    }
}

impl fmt::Display for ErrorDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorData { stage, target, option, cause, hint, .. } = &*self.error.0;
        if self.has_stage {
            write!(f, "{stage}: ")?;
        }
        if let Some(target) = target {
            sentence::one_line(target, f)?;
            f.write_str(": ")?;
        }
        let is_said = |option: &Setting| cause.settings().iter().any(|said| said.is_same(option));
        if let Some(option) = option.as_ref().filter(|option| !is_said(option)) {
            write!(f, "{}: ", self.wording.name(option))?;
        }
        cause.display(self.wording).fmt(f)?;
        match hint {
            Some(hint) => {
                write!(f, " ({})", hint.sentence(self.wording).display(self.wording))
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(default_wording()).fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {self})", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| {
            let source: &(dyn std::error::Error + 'static) = &**source;
            source
        })
    }
}

/// What your code failed with: an error of the library's as it is, any other one as the
/// [`source`](std::error::Error::source) of an error of [`Stage::Process`].
impl From<BoxError> for Error {
    fn from(error: BoxError) -> Error {
        match error.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => {
                let mut error = Error::process(other.to_string());
                error.0.errno =
                    other.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
                error.0.source = Some(Arc::from(other));
                error
            }
        }
    }
}

/// What the operating system's error means, without its number, which is [`Error::errno`].
pub fn os_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let number = error.raw_os_error().map(|errno| format!(" (os error {errno})"));
    let text = number.as_deref().and_then(|number| text.strip_suffix(number)).unwrap_or(&text);
    let mut chars = text.chars();
    match (chars.next(), chars.as_str()) {
        // A word in capitals stays one.
        (Some(first), rest) if !rest.starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(rest.chars()).collect()
        }
        _ => text.to_owned(),
    }
}

/// The kind of what the operating system said.
pub(crate) fn kind_of(kind: std::io::ErrorKind) -> ErrorKind {
    use std::io::ErrorKind as Io;
    match kind {
        Io::NotFound => ErrorKind::NotFound,
        Io::AlreadyExists => ErrorKind::AlreadyExists,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
        Io::ConnectionRefused
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::NotConnected
        | Io::BrokenPipe
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::UnexpectedEof => ErrorKind::Connection,
        Io::TimedOut => ErrorKind::TimedOut,
        Io::InvalidData => ErrorKind::InvalidData,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::StorageFull,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io;

    use super::*;

    #[test]
    fn an_error_is_one_line_without_secrets() {
        let said = "refused\nby rtmp://h/live/K3y";
        let e = Error::new(ErrorKind::Connection, Stage::Sink, said.to_owned())
            .at("rtmp://u:p@h/live/K3y")
            .hint(Hint::CheckPublishing);
        assert_eq!(
            e.to_string(),
            "output: rtmp://h/live/***: refused by rtmp://h/live/*** \
             (is a server running there, and does it allow publishing?)"
        );
    }

    #[test]
    fn the_option_is_named_once() {
        let option = Setting::ffmpeg("t");
        let e = Error::usage("'soon' is not a time").about(option.clone());
        assert_eq!(e.to_string(), "options: -t: 'soon' is not a time");
        assert_eq!(e.display(&CommandLine).in_place().to_string(), "-t: 'soon' is not a time");
        let e = Error::usage(sentence!("{} must be more than 0", &option)).about(option.clone());
        assert_eq!(e.to_string(), "options: -t must be more than 0");
        assert_eq!(e.option(), Some(&option));
    }

    #[test]
    fn what_the_system_said_is_the_source() {
        let e = Error::io(Stage::Source, io::Error::from_raw_os_error(libc::ECONNREFUSED));
        assert_eq!((e.kind(), e.errno()), (ErrorKind::Connection, Some(libc::ECONNREFUSED)));
        assert_eq!(e.to_string(), "input: connection refused");
        let source = e.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::ConnectionRefused));
    }
}
