//! Everything that goes to stderr, so that lines and the progress bar don't cross.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indicatif::ProgressBar;

use crate::log_file::LogFile;

/// A handle on stderr; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Screen {
    bar: Arc<Mutex<Option<ProgressBar>>>,
    log_file: Arc<OnceLock<LogFile>>,
}

impl Screen {
    /// Everything is written to this file, too, from now on.
    pub(crate) fn record(&self, log_file: LogFile) {
        // There is one at the most.
        let _ = self.log_file.set(log_file);
    }

    /// The file that everything is written to, where there is one.
    pub(crate) fn log_file(&self) -> Option<&LogFile> {
        self.log_file.get()
    }

    /// Writes one line, above the bar where there is one, and to the file.
    pub(crate) fn line(&self, text: &str) {
        self.show(text);
        self.write_down(text);
    }

    /// Writes one line to the file alone, where there is one.
    pub(crate) fn write_down(&self, text: &str) {
        if let Some(log_file) = self.log_file() {
            log_file.line(&printable(text));
        }
    }

    /// Writes one line, above the bar where there is one, and not to the file.
    pub(crate) fn show(&self, text: &str) {
        self.raw(&format!("{}\n", printable(text)));
    }

    /// Writes a text of the program's own, above the bar where there is one. The reader of stderr may
    /// be gone: then there is nobody left to tell.
    pub(crate) fn raw(&self, text: &str) {
        let write = || {
            // One call, so that another process's line can't come in between.
            let _ = io::stderr().write_all(text.as_bytes());
        };
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Draws on the bar; `make` makes it where there is none yet.
    pub(crate) fn draw(&self, make: impl FnOnce() -> ProgressBar, draw: impl FnOnce(&ProgressBar)) {
        draw(self.bar.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(make));
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    /// As [`Screen::clear`], unless that would have to wait.
    pub(crate) fn clear_now(&self) {
        if let Ok(mut bar) = self.bar.try_lock()
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
