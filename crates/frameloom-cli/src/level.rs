//! `-v`: how much is said, by FFmpeg's names and numbers.

use std::ffi::OsString;

use frameloom::{Error, Hint, LogLevel, Setting};

use crate::usage::usage;

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing; the exit status tells.
    Quiet,
    /// What ended the run.
    Error,
    /// What went wrong on the way, too.
    Warning,
    /// What is being done, and the status line.
    #[default]
    Info,
    /// And libav's own messages.
    Verbose,
    /// And what helps to debug.
    Debug,
    /// Everything.
    Trace,
}

/// FFmpeg's names. Its "panic" is a crash, and a crash of libav's is the end of this program too.
const NAMES: &[(&str, Level)] = &[
    ("quiet", Level::Quiet),
    ("panic", Level::Quiet),
    ("fatal", Level::Error),
    ("error", Level::Error),
    ("warning", Level::Warning),
    ("info", Level::Info),
    ("verbose", Level::Verbose),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];

/// The names that help shows.
pub(crate) const LEVELS: [&str; 7] =
    ["quiet", "error", "warning", "info", "verbose", "debug", "trace"];

/// How FFmpeg would write its lines; accepted and without effect, since there is one way here.
const FLAGS: &[&str] = &["repeat", "level", "time", "datetime"];

impl Level {
    /// `warning`, `24`, or FFmpeg's form with flags, `repeat+level+warning`.
    pub(crate) fn parse(text: &str) -> Result<Level, Error> {
        if let Some(level) = Level::plain(text) {
            return Ok(level);
        }
        let mut level = Level::default();
        for part in text.trim_start_matches(['+', '-']).split(['+', '-']) {
            match Level::plain(part) {
                Some(named) => level = named,
                None if FLAGS.contains(&part) => {}
                None => {
                    let names = NAMES.iter().map(|(name, _)| *name);
                    return Err(usage(format!("'{text}' is not a log level"))
                        .about(Setting::ffmpeg("v"))
                        .hint(Hint::one_of(part, names)));
                }
            }
        }
        Ok(level)
    }

    fn plain(text: &str) -> Option<Level> {
        if let Some((_, level)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Some(*level);
        }
        Some(match text.parse::<i32>().ok()? {
            ..8 => Level::Quiet,
            8..24 => Level::Error,
            24..32 => Level::Warning,
            32..40 => Level::Info,
            40..48 => Level::Verbose,
            48..56 => Level::Debug,
            56.. => Level::Trace,
        })
    }

    /// The level that words ask for which can't be parsed as a whole: the error about them is
    /// subject to it as well.
    pub(crate) fn of_words(words: &[OsString]) -> Level {
        let own = words.iter().take_while(|word| *word != "--");
        let named =
            own.clone().zip(own.skip(1)).filter(|(name, _)| *name == "-v" || *name == "-loglevel");
        let last = named.filter_map(|(_, value)| Level::parse(value.to_str()?).ok()).last();
        last.unwrap_or_default()
    }

    /// How much of libav's own messages belongs to it. Below `verbose` none does: what libav calls
    /// an error or a warning is mostly neither here, and the rest comes with the library's errors.
    pub(crate) fn of_libav(self) -> LogLevel {
        match self {
            Level::Quiet | Level::Error | Level::Warning | Level::Info => LogLevel::Quiet,
            Level::Verbose => LogLevel::Verbose,
            Level::Debug => LogLevel::Debug,
            Level::Trace => LogLevel::Trace,
        }
    }
}

/// "a, b or c".
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ffmpegs() {
        for (text, level) in [
            ("quiet", Level::Quiet),
            ("panic", Level::Quiet),
            ("fatal", Level::Error),
            ("error", Level::Error),
            ("warning", Level::Warning),
            ("info", Level::Info),
            ("verbose", Level::Verbose),
            ("debug", Level::Debug),
            ("trace", Level::Trace),
            ("-8", Level::Quiet),
            ("0", Level::Quiet),
            ("16", Level::Error),
            ("24", Level::Warning),
            ("32", Level::Info),
            ("40", Level::Verbose),
            ("48", Level::Debug),
            ("99", Level::Trace),
            ("repeat", Level::Info),
            ("+level", Level::Info),
            ("-repeat", Level::Info),
            ("repeat+level+verbose", Level::Verbose),
            ("level+16", Level::Error),
        ] {
            assert_eq!(Level::parse(text).unwrap(), level, "{text}");
        }
        for text in ["", "loud", "repeat+loud", "1.5"] {
            assert!(Level::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_level_is_found_among_words_that_make_no_sense() {
        for (words, level) in [
            ("-i", Level::Info),
            ("-v quiet -i", Level::Quiet),
            ("-i in -loglevel 16 -bad", Level::Error),
            ("-v", Level::Info),
            ("-v loud", Level::Info),
            ("-i -- -v quiet", Level::Info),
        ] {
            let split: Vec<OsString> = words.split(' ').map(Into::into).collect();
            assert_eq!(Level::of_words(&split), level, "{words}");
        }
    }
}
