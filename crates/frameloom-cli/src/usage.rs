//! The error for words that make no sense.

use frameloom::{Error, ErrorKind, Sentence, Stage};

/// Wrong usage: exit status 2. The cause is shown without URLs' secrets.
pub(crate) fn usage(cause: impl Into<Sentence>) -> Error {
    Error::new(ErrorKind::Usage, Stage::Options, cause)
}

/// The error for an option without its value.
pub(crate) fn no_value(option: &str) -> Error {
    usage(format!("{option} takes a value, and none follows it"))
}
