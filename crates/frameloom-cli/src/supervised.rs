//! The program as a server's child: it takes its words from stdin, and ends when stdin does.
//!
//! Words on stdin are seen by nobody, where a process's arguments are seen by every user of the
//! machine. Stdin is one end of a socket pair, and the child sends its reports on it. The server
//! keeps its end open for as long as the pipeline is to run: when the server closes it, or is gone
//! for whatever reason, the pipeline finishes its outputs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Stdin, stdin};
use std::thread;
use std::time::Duration;

use frameloom::internal::redact;
use frameloom::{Error, ErrorKind, Result, Stage, Stop};
use rustix::io::fcntl_dupfd_cloexec;
use serde::{Deserialize, Serialize};
use signal_hook::low_level;

use crate::report::Reporter;
use crate::usage::usage;

/// Before the pipeline's name, as the program's only argument.
pub(crate) const OPTION: &str = "--supervised=";

/// The environment variable in which a server says where it listens: the names of its streams are
/// no secrets.
pub(crate) const SERVER: &str = "FRAMELOOM_SERVER";

/// How long the outputs may take to be finished. A server ends all its children within 3 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest line of words, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// The first number that a copy of stdin may have: behind those of stdin, stdout and stderr.
const FIRST_FREE: i32 = 3;

/// What a server tells its child.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ChildOrder {
    /// The command line's words.
    pub(crate) words: Vec<String>,
    /// Environment variables for its COMMAND.
    pub(crate) env: BTreeMap<String, String>,
}

/// The connection from the server.
pub(crate) struct ServerConnection {
    from: BufReader<Stdin>,
    reporter: Reporter,
    env: BTreeMap<String, String>,
}

/// The words to go by: those given, or those that a server sends.
///
/// # Errors
/// Words that can't be read.
pub(crate) fn words(given: Vec<OsString>) -> Result<(Vec<OsString>, Option<ServerConnection>)> {
    let is_child = match given.as_slice() {
        [only] => only.to_str().is_some_and(|word| word.starts_with(OPTION)),
        _ => false,
    };
    if !is_child {
        return Ok((given, None));
    }
    let server = std::env::var(SERVER).unwrap_or_default();
    server.split(',').filter(|at| !at.is_empty()).for_each(redact::show_names_at);
    let mut from = BufReader::new(stdin());
    let mut line = String::new();
    let read = from.by_ref().take(MOST_BYTES).read_line(&mut line);
    let order: Option<ChildOrder> = read.ok().and_then(|_| serde_json::from_str(&line).ok());
    let Some(ChildOrder { words, env }) = order else {
        return Err(usage(format!("{OPTION}NAME is for a server, which sends the words on stdin")));
    };
    // COMMAND has a stdin of its own, and inherits no copy of this one.
    let copy = fcntl_dupfd_cloexec(stdin(), FIRST_FREE).map_err(|error| {
        Error::new(ErrorKind::Other, Stage::Options, format!("stdin can't be used: {error}"))
    })?;
    let server_connection = ServerConnection { from, reporter: Reporter::new(copy), env };
    Ok((words.into_iter().map(OsString::from).collect(), Some(server_connection)))
}

impl ServerConnection {
    /// Environment variables for COMMAND.
    pub(crate) fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Where the server is told how the pipeline gets on.
    pub(crate) fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// Asks for `stop` when the server closes its end, and exits where that takes too long.
    ///
    /// # Errors
    /// The system's, where there is no thread.
    pub(crate) fn watch(mut self, stop: &Stop) -> Result<()> {
        let stop = stop.clone();
        let body = move || {
            let mut bytes = [0; 64];
            while matches!(self.from.read(&mut bytes), Ok(1..)) {}
            stop.stop();
            thread::sleep(STOP_TIMEOUT);
            frameloom::internal::kill_commands();
            // As behind a second signal: no hooks, which may wait for what hangs.
            low_level::exit(1);
        };
        let thread = thread::Builder::new().name("server".to_owned()).spawn(body);
        thread.map(drop).map_err(|error| {
            Error::new(ErrorKind::Other, Stage::Options, format!("no thread: {error}"))
        })
    }
}
