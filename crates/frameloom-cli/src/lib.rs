//! The `frameloom` command line: FFmpeg's, with a hole in the middle for your code.
//!
//! `args` parses the words, `job` makes the library's settings of them, and what is here runs
//! them. `screen` owns stderr: the status line, the log and the error all go through it.
//!
//! It is a library so that the Python package can be the same program.

mod args;
mod demo;
mod help;
mod job;
mod level;
mod log;
mod long;
mod screen;
mod serve;
mod signals;
mod status;
mod supervised;

use std::ffi::OsString;
use std::io::{self, Write};

use frameloom::{Error, ErrorKind, Pipeline, Result, Sentence, Snapshot, Stage, Stop};

use crate::args::{Invocation, ProbeWords, RunWords};
use crate::job::Job;
use crate::level::Level;
use crate::screen::Screen;
use crate::status::{Mode, Status};
use crate::supervised::Lifeline;

/// Runs the program with these words, the program's own name not among them, and returns its exit
/// status: 0 done, 1 something failed, 2 wrong usage. It handles SIGINT and SIGTERM from then on,
/// and the second of them ends the process.
pub fn main(words: Vec<OsString>) -> u8 {
    let screen = Screen::default();
    let (words, lifeline) = match supervised::words(words) {
        Ok(words) => words,
        Err(error) => return ended(Level::default(), Err(error), &screen),
    };
    let level_of_words = Level::of_words(&words);
    let (level, done) = match args::parse(words) {
        Ok(Invocation::Help) => (Level::default(), print(&help::text())),
        Ok(Invocation::Version) => (Level::default(), print(&format!("{}\n", help::version()))),
        Ok(Invocation::Probe(words)) => (words.level, probe(&words, &screen)),
        Ok(Invocation::Run(words)) => (words.level, run(words, lifeline, &screen)),
        Ok(Invocation::Serve(words)) => (level_of_words, serve::run(words, &screen)),
        Ok(Invocation::Demo(words)) => (level_of_words, demo::run(words, &screen)),
        Err(error) => (level_of_words, Err(error)),
    };
    ended(level, done, &screen)
}

/// Says what went wrong, and how to exit.
fn ended(level: Level, done: Result<()>, screen: &Screen) -> u8 {
    let Err(error) = done else { return 0 };
    if level > Level::Quiet {
        screen.line(&format!("frameloom: {error}"));
    }
    if error.kind() == ErrorKind::Usage { 2 } else { 1 }
}

fn probe(words: &ProbeWords, screen: &Screen) -> Result<()> {
    log::start(words.level, screen);
    let options = job::probe_options(words)?;
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    let found = frameloom::probe(&words.input.url, options, &stop)?;
    let json = serde_json::to_string_pretty(&found);
    print(&(json.map_err(|error| not_printed(&error.to_string()))? + "\n"))
}

fn run(words: RunWords, lifeline: Option<Lifeline>, screen: &Screen) -> Result<()> {
    log::start(words.level, screen);
    let mode = Mode::of(&words);
    let job = Job::new(words)?;
    frameloom::check_outputs(&job.url, &job.outputs, job.command.is_some())?;
    frameloom::check_slate(&job.live)?;
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    if let Some(lifeline) = lifeline {
        lifeline.watch(&stop)?;
    }
    let status = Status::start(mode, job.outputs.len(), screen, &stop);
    let done = carry(job, &stop, &status);
    status.finish(done.as_ref().ok().and_then(Option::as_ref));
    done.map(drop)
}

/// Runs the pipeline to its end. `None` where a signal came before the input was there: nothing
/// was begun, so there is nothing that could be incomplete.
fn carry(job: Job, stop: &Stop, status: &Status) -> Result<Option<Snapshot>> {
    let mut pipeline = match Pipeline::open(&job.url, job.input, stop) {
        Err(error) if error.kind() == ErrorKind::Interrupted && stop.is_stopped() => {
            return Ok(None);
        }
        opened => opened?,
    };
    pipeline = pipeline.live(job.live);
    if let Some(command) = job.command {
        pipeline = pipeline.command(command);
    }
    for (url, options) in job.outputs {
        pipeline = pipeline.to_url_with(&url, options)?;
    }
    status.follow(pipeline.stats(), pipeline.is_live());
    pipeline.run().map(Some)
}

/// Writes to stdout. That its reader has seen enough is no failure.
fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(not_printed(&error.to_string()))
        }
        _ => Ok(()),
    }
}

fn not_printed(cause: &str) -> Error {
    // The number says nothing that the words don't.
    let cause = cause.split(" (os error").next().unwrap_or(cause);
    Error::new(ErrorKind::Other, Stage::Sink, cause).at("stdout")
}

/// The error for words that make no sense. Its cause is shown without URLs' secrets.
fn usage(cause: impl Into<Sentence>) -> Error {
    Error::new(ErrorKind::Usage, Stage::Options, cause)
}
