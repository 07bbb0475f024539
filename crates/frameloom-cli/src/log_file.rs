//! `-report` and `FFREPORT`: a file with the command line and everything that is said.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use frameloom::internal::{local_time, redact};
use frameloom::options::from_os;
use frameloom::{Error, Result, Setting, Stage};

use crate::level::Level;
use crate::usage::usage;

/// The environment variable that asks for one, and says where it goes and how much is in it.
pub(crate) const VARIABLE: &str = "FFREPORT";

const PROGRAM: &str = "frameloom";

/// What is wanted of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    name: String,
    level: Level,
}

/// The file; clones are the same.
#[derive(Clone)]
pub(crate) struct LogFile {
    level: Level,
    state: Arc<Mutex<State>>,
}

struct State {
    file: File,
    /// What was said before the command line could be written.
    waiting: Option<Vec<String>>,
}

impl Wish {
    /// What the value of [`VARIABLE`] says: `file=NAME:level=LEVEL`, with `\` before a colon in it.
    ///
    /// # Errors
    /// What makes no sense.
    fn parse(text: &str, now: SystemTime) -> Result<Wish> {
        let mut wish = Wish { name: "%p-%t.log".to_owned(), level: Level::Debug };
        for pair in parts(text) {
            match pair.split_once('=') {
                Some(("file", name)) => wish.name = name.to_owned(),
                Some(("level", level)) => wish.level = Level::parse(level)?,
                _ => {
                    let cause = format!("'{pair}' in {VARIABLE} is neither file=NAME nor level=N");
                    return Err(usage(cause).about(Setting::ffmpeg("report")));
                }
            }
        }
        wish.name = filled_in(&wish.name, now);
        Ok(wish)
    }
}

/// The parts between colons; `\` takes the next character as it is.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let taken = if c == '\\' { chars.next() } else { Some(c) };
        match (c, taken, parts.last_mut()) {
            (':', ..) => parts.push(String::new()),
            (_, Some(taken), Some(part)) => part.push(taken),
            _ => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// A name with FFmpeg's words filled in: `%p` the program, `%t` the time, `%%` a percent sign.
fn filled_in(name: &str, now: SystemTime) -> String {
    let time = local_time("%Y%m%d-%H%M%S", now).unwrap_or_default();
    let mut filled = String::new();
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match (c, c == '%') {
            (_, false) => filled.push(c),
            (_, true) => match chars.next() {
                Some('p') => filled += PROGRAM,
                Some('t') => filled += &time,
                Some('%') => filled.push('%'),
                _ => {}
            },
        }
    }
    filled
}

impl LogFile {
    /// Opens the file that `-report` or the environment asks for, if either does.
    ///
    /// # Errors
    /// What makes no sense, and a file that can't be written.
    pub(crate) fn open(is_asked_for: bool, variable: Option<String>) -> Result<Option<LogFile>> {
        if !is_asked_for && variable.is_none() {
            return Ok(None);
        }
        let now = SystemTime::now();
        let Wish { name, level } = Wish::parse(&variable.unwrap_or_default(), now)?;
        let path = PathBuf::from(&name);
        let file = File::create(&path).map_err(|error| {
            Error::io(Stage::Options, error).at(&name).about(Setting::ffmpeg("report"))
        })?;
        let state = Arc::new(Mutex::new(State { file, waiting: Some(Vec::new()) }));
        let log_file = LogFile { level, state };
        let started = local_time("%Y-%m-%d at %H:%M:%S", now).unwrap_or_default();
        log_file.write(&format!("{PROGRAM} started on {started}"));
        log_file.write(&format!("Report written to \"{}\"", shown_name(&name)));
        Ok(Some(log_file))
    }

    /// How much is in it.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// Adds a line, which is redacted and printable already. What was said before the command line waits for it.
    pub(crate) fn line(&self, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut state.waiting {
            Some(waiting) => waiting.push(text.to_owned()),
            // A full disk is no reason to end a run.
            None => drop(writeln!(state.file, "{text}")),
        }
    }

    /// Adds the command line, once everything in it that is secret is known.
    pub(crate) fn command_line(&self, words: &[OsString]) {
        let own = words.iter().take_while(|word| *word != "--");
        let mut shown: Vec<String> = own.map(|word| shown(&from_os(word))).collect();
        if let Some(command) = words.iter().skip_while(|word| *word != "--").nth(1) {
            // Its arguments are nobody's to judge.
            shown.extend(["--".to_owned(), shown_word(&from_os(command)), "...".to_owned()]);
        }
        self.begin(&format!("{PROGRAM} {}", shown.join(" ")));
    }

    /// Ends the head of the file with this line.
    fn begin(&self, command_line: &str) {
        let waiting = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.waiting.take()
        };
        let Some(waiting) = waiting else { return };
        for line in ["Command line:", command_line] {
            self.write(line);
        }
        waiting.iter().for_each(|line| self.line(line));
    }

    /// Writes what waits: nothing more comes. The command line is not shown where it made no sense,
    /// as what is secret in it is not known.
    pub(crate) fn finish(&self) {
        self.begin("(not shown)");
    }

    fn write(&self, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // As in `line`.
        let _ = writeln!(state.file, "{text}");
    }
}

/// A word of the command line without its secrets, as a shell would read it.
fn shown(word: &str) -> String {
    shown_word(&redact::text(&redact::url(word)))
}

/// A name without characters that a terminal would act on.
fn shown_name(name: &str) -> String {
    name.replace(char::is_control, "\u{fffd}")
}

fn shown_word(word: &str) -> String {
    let word = shown_name(word);
    let is_plain = |c: char| c.is_alphanumeric() || "-_=+:./,@%*~".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_ffmpegs() {
        let wish = |text: &str| Wish::parse(text, SystemTime::UNIX_EPOCH);
        for (text, name, level) in [
            ("file=a.log:level=32", "a.log", Level::Info),
            ("level=warning", "", Level::Warning),
            ("file=%p-100%%.log", "frameloom-100%.log", Level::Debug),
            (r"file=C\:\\x.log", r"C:\x.log", Level::Debug),
            ("", "", Level::Debug),
        ] {
            let Wish { name: found, level: said } = wish(text).unwrap();
            assert_eq!(said, level, "{text}");
            if name.is_empty() {
                // frameloom-YYYYMMDD-HHMMSS.log
                let digits =
                    found.strip_prefix("frameloom-").unwrap().strip_suffix(".log").unwrap();
                assert_eq!(digits.len(), 15, "{found}");
            } else {
                assert_eq!(found, name, "{text}");
            }
        }
        for text in ["fil=a.log", "a.log", "level=loud"] {
            assert!(wish(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_shown_without_secrets_as_a_shell_reads_them() {
        for (word, as_shown) in [
            ("-c:v", "-c:v"),
            ("my clip's.mp4", r"'my clip'\''s.mp4'"),
            ("", "''"),
            ("rtmp://u:secret@h/live/x", "rtmp://h/live/x"),
        ] {
            let found = shown(word);
            assert!(!found.contains("secret"), "{found}");
            if !word.contains("secret") {
                assert_eq!(found, as_shown);
            }
        }
    }
}
