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

/// Whether a terminal or a page would act on it: control characters but the tabulator, and what turns the
/// direction of the text behind it, so that a line would be read as another.
fn is_acted_on(c: char) -> bool {
    let turns_text = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() && c != '\t' || turns_text
}

/// `text` without characters that a terminal or a page would act on: a stream's title is not to be
/// trusted.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(is_acted_on) {
        Cow::Owned(text.replace(is_acted_on, "\u{fffd}"))
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
        assert_eq!(printable("\u{202e}drawkcab\u{2069}"), "\u{fffd}drawkcab\u{fffd}");
    }
}
