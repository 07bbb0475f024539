//! Which process opened something. A fork copies what is open, but none of its threads: to use it, to
//! wait for it or to end it would hang.

use frameloom::{Error, ErrorKind, Stage};

/// The process that opened something.
pub(crate) struct Owner(u32);

impl Owner {
    /// This one.
    pub(crate) fn here() -> Owner {
        Owner(std::process::id())
    }

    /// Whether it is another one than this, before a fork.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.0 != std::process::id()
    }
}

/// The error of what another process opened.
pub(crate) fn elsewhere() -> Error {
    let cause = "it was opened before a fork, by another process: open it in this one";
    Error::new(ErrorKind::Usage, Stage::Options, cause)
}
