//! Everything that goes to stderr, so that lines and the progress bar don't cross.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;

/// A handle on stderr; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Screen(Arc<Mutex<Option<ProgressBar>>>);

impl Screen {
    /// Writes one line, above the bar where there is one. The reader of stderr may be gone: then
    /// there is nobody left to tell.
    pub(crate) fn line(&self, text: &str) {
        let line = format!("{}\n", printable(text));
        let write = || {
            // One call, so that another process's line can't come in between.
            let _ = io::stderr().write_all(line.as_bytes());
        };
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Draws on the bar; `make` makes it where there is none yet.
    pub(crate) fn draw(&self, make: impl FnOnce() -> ProgressBar, draw: impl FnOnce(&ProgressBar)) {
        draw(self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(make));
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        if let Some(bar) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    /// As [`Screen::clear`], unless that would have to wait.
    pub(crate) fn clear_now(&self) {
        if let Ok(mut bar) = self.0.try_lock()
            && let Some(bar) = bar.take()
        {
            bar.finish_and_clear();
        }
    }
}

/// `text` without characters that a terminal would act on: a stream's title is not to be trusted.
fn printable(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\t';
    if text.contains(harmful) {
        Cow::Owned(text.replace(harmful, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_but_text() {
        assert_eq!(printable("a\tb é"), "a\tb é");
        assert_eq!(printable("\x1b[2Jgone\r\n"), "\u{fffd}[2Jgone\u{fffd}\u{fffd}");
    }
}
