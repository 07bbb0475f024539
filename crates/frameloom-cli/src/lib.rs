//! The `frameloom` command line: FFmpeg's, with a hole in the middle for your code.
//!
//! `args` parses the words, `job` makes the library's settings of them, and `run`, `serve` and
//! `demo` run them. `screen` owns stderr: the status line, the log and the error all go through it.
//!
//! It is a library so that the Python package can be the same program.

mod args;
mod bench;
mod called;
mod demo;
mod ffprobe;
#[doc(hidden)]
pub mod fuzzing;
mod help;
mod job;
mod level;
mod listings;
mod log;
mod log_file;
mod manuals;
mod options;
mod report;
mod run;
mod screen;
mod serve;
mod signals;
mod status;
mod stdout;
mod supervised;
mod usage;

/// Compiles what the guide for Rust says to write.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust.md")]
mod guide {}

use std::ffi::OsString;

use frameloom::internal::set_default_wording;
use frameloom::{CommandLine, ErrorKind, Result, Stage, Wording};

pub use crate::called::CalledAs;

use crate::args::Invocation;
use crate::level::Level;
use crate::log_file::LogFile;
use crate::report::{ChildReport, Reporter};
use crate::screen::Screen;
use crate::serve::wording::Keys;
use crate::stdout::print;
use crate::supervised::ServerConnection;

/// Runs the program, called by this name, with the words behind it, and returns its exit status: 0 done, 1 something failed, 2 wrong usage. It handles SIGINT and SIGTERM from then on,
/// and the second of them ends the process.
pub fn main(called: CalledAs, words: Vec<OsString>) -> u8 {
    let screen = Screen::default();
    let (words, server_connection) = match supervised::words(words) {
        Ok(words) => words,
        Err(error) => return ended(called, Level::default(), Err(error), &screen, None),
    };
    set_default_wording(wording(server_connection.is_some()));
    let reporter = server_connection.as_ref().map(ServerConnection::reporter);
    let level_of_words = Level::of_words(&words);
    let typed = words.clone();
    let (level, done) = match args::parse(called, words) {
        Ok(Invocation::Describe(words)) if server_connection.is_none() => {
            let level = words.program.level;
            let done = run::describe(words, &typed, &screen);
            // As ffmpeg ends.
            return ended(called, level, done, &screen, None).max(1);
        }
        Ok(Invocation::Describe(words)) => (words.program.level, Err(args::nothing_to_do())),
        Ok(Invocation::Help(verb)) => (Level::default(), print(&help::text(verb))),
        Ok(Invocation::Manuals(folder)) => (level_of_words, manuals::write(&folder)),
        Ok(Invocation::HelpOf(part)) => (level_of_words, part.text().and_then(|text| print(&text))),
        Ok(Invocation::List(listing)) => (Level::default(), print(&(listing.text)())),
        Ok(Invocation::Version) => (Level::default(), print(&listings::version(called))),
        Ok(Invocation::Probe(words)) => (words.program.level, run::probe(&words, &typed, &screen)),
        Ok(Invocation::Run(words)) => {
            (words.program.level, run::run(words, &typed, server_connection, &screen))
        }
        Ok(Invocation::Serve(words)) => (level_of_words, serve::run(words, &screen)),
        Ok(Invocation::Demo(words)) => (level_of_words, demo::run(words, &screen)),
        Err(error) => (level_of_words, Err(error)),
    };
    ended(called, level, done, &screen, reporter.as_ref())
}

/// The words of the log: a server's file and its API have keys, which is what its pipelines were
/// described in.
fn wording(is_supervised: bool) -> &'static (dyn Wording + Sync) {
    if is_supervised { &Keys } else { &CommandLine }
}

/// Says what went wrong, and how to exit.
fn ended(
    called: CalledAs,
    level: Level,
    done: Result<()>,
    screen: &Screen,
    reporter: Option<&Reporter>,
) -> u8 {
    if let Err(error) = &done {
        screen.write_down(&format!("frameloom: {error}"));
    }
    screen.log_file().into_iter().for_each(LogFile::finish);
    let Err(error) = done else { return 0 };
    // A server has it from the report, and logs it.
    let is_reported =
        reporter.is_some_and(|reporter| reporter.send_last(&ChildReport::Error(error.clone())));
    if level > Level::Quiet && !is_reported {
        let is_missing = error.kind() == ErrorKind::NotFound && error.stage() == Stage::Source;
        if let Some(target) = error.target().filter(|_| is_missing && called == CalledAs::Ffmpeg) {
            // The words that programs look for.
            screen.show(&format!("{target}: No such file or directory"));
        }
        screen.show(&format!("frameloom: {error}"));
    }
    if error.kind() == ErrorKind::Usage { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use frameloom::Setting;

    use super::*;

    #[test]
    fn the_log_speaks_the_words_of_whoever_described_the_pipeline() {
        let setting = Setting::own("on-loss").to("hold");
        assert_eq!(wording(false).written(&setting), "--on-loss=hold");
        assert_eq!(wording(true).written(&setting), "on_loss = \"hold\"");
    }
}
