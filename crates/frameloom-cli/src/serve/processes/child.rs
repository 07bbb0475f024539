//! A process of the server. Its stdin is a socket that ends when the process is to end, so that it
//! ends with a server that was killed, too. What it writes to stderr are log lines.
//!
//! A pipeline's is this program again, which gets its words and sends its reports on that socket.

use std::ffi::OsString;
use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use frameloom::internal::redact;
use rustix::process::{Pid, Signal, kill_process_group};

use super::lines::{Piece, each_line};
use crate::report::{ChildReport, LINE_BYTES as REPORT_BYTES};
use crate::supervised::{self, ChildOrder};

/// How long a pipeline's child that was asked to end may take. It takes 2 s by itself at the most.
const STOP_TIMEOUT: Duration = Duration::from_millis(2600);

/// How long the last line of one that ended may take to be heard.
const LAST_LINE: Duration = Duration::from_millis(300);

/// The longest line of a log, in bytes. A longer one is cut into several.
const LINE_BYTES: usize = 16 << 10;

/// How much of what a child writes is read at once, in bytes: a flood is to cost little.
const BUFFER_BYTES: usize = 64 << 10;

/// What a server gives to no child: they are its own keys.
const OWN_SECRETS: [&str; 3] =
    ["FRAMELOOM_API_TOKEN", "FRAMELOOM_PUBLISH_KEY", "FRAMELOOM_PLAY_KEY"];

/// How this program is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramFile {
    file: PathBuf,
    /// What it was called, which tells a Python where its packages are.
    called: OsString,
    /// What stands before the words: nothing, or a Python's own.
    prefix: Vec<OsString>,
}

impl ProgramFile {
    /// Out of how this process was started for `words`, as its last arguments. `None` where it
    /// was started for something else.
    pub(crate) fn new(
        file: PathBuf,
        started: impl IntoIterator<Item = OsString>,
        words: &[OsString],
    ) -> Option<ProgramFile> {
        let mut started = started.into_iter();
        let called = started.next()?;
        let mut prefix: Vec<OsString> = started.collect();
        let own = prefix.len().checked_sub(words.len())?;
        if !prefix.ends_with(words) {
            return None;
        }
        prefix.truncate(own);
        Some(ProgramFile { file, called, prefix })
    }
}

/// What a pipeline's child says.
#[derive(Debug)]
pub(crate) enum ChildMessage {
    /// A line on stderr, by the pipeline itself or by its COMMAND.
    Line(String),
    Report(Box<ChildReport>),
    /// What stands where a report should, and is none.
    Wrong,
}

/// How a pipeline's child is started.
#[derive(Clone, Debug)]
pub(crate) struct ChildStart {
    pub(crate) program: ProgramFile,
    pub(crate) name: String,
    /// Names of environment variables that it doesn't get: the server's file puts them where they
    /// belong.
    pub(crate) withheld: Vec<String>,
}

/// A command that runs this program as a child. Its stdin is to be set.
pub(crate) fn command(start: &ChildStart) -> Command {
    let ChildStart { program, name, withheld } = start;
    let mut command = Command::new(&program.file);
    command.arg0(&program.called).args(&program.prefix);
    command.arg(format!("{}{name}", supervised::OPTION));
    // A group of its own, so that a terminal's Ctrl-C reaches the server alone.
    command.process_group(0);
    command.env(supervised::SERVER, redact::servers_with_shown_names().join(","));
    withhold(&mut command, withheld);
    command
}

/// Leaves the server's own keys out of a command's environment, and these variables.
pub(crate) fn withhold(command: &mut Command, names: &[String]) {
    OWN_SECRETS.into_iter().chain(names.iter().map(String::as_str)).for_each(|name| {
        command.env_remove(name);
    });
}

/// The line that tells a child what to do.
pub(crate) fn line_of(order: &ChildOrder) -> String {
    // Strings can't fail to be JSON.
    serde_json::to_string(order).unwrap_or_default() + "\n"
}

/// A running child. Dropping it kills it.
pub(crate) struct Child {
    process: Process,
    server_connection: UnixStream,
    stop_timeout: Duration,
    listening: Vec<JoinHandle<()>>,
    asked: Option<Instant>,
    ended: bool,
}

impl Child {
    /// Starts a pipeline's child, and has `on_message` called with all that it says.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn start(
        start: &ChildStart,
        order: &ChildOrder,
        on_message: impl Fn(ChildMessage) + Clone + Send + 'static,
    ) -> io::Result<Child> {
        let (listener, name) = (on_message.clone(), &start.name);
        let on_line = move |line| on_message(ChildMessage::Line(line));
        let mut child = Child::spawn(command(start), name, STOP_TIMEOUT, on_line)?;
        (&child.server_connection).write_all(line_of(order).as_bytes())?;
        let reports = child.server_connection.try_clone()?;
        child.listen(format!("reports {name}"), move || read_reports(reports, &listener))?;
        Ok(child)
    }

    /// Starts a command, and has `on_line` called with each line that it writes to stderr. Its stdin
    /// ends when it is asked to end, for which it has `stop_timeout`.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn spawn(
        mut command: Command,
        name: &str,
        stop_timeout: Duration,
        on_line: impl Fn(String) + Send + 'static,
    ) -> io::Result<Child> {
        let (server_connection, theirs) = UnixStream::pair()?;
        // A group of its own: it is killed with all that it has started, and a terminal's Ctrl-C reaches
        // the server alone.
        command.process_group(0).stdin(Stdio::from(OwnedFd::from(theirs)));
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        // The child's end is to be open in the child alone.
        drop(command);
        let stderr = process.stderr.take();
        let listening = Vec::new();
        let mut child = Child {
            process,
            server_connection,
            stop_timeout,
            listening,
            asked: None,
            ended: false,
        };
        if let Some(stderr) = stderr {
            child.listen(format!("lines {name}"), move || read_lines(stderr, &on_line))?;
        }
        Ok(child)
    }

    fn listen(&mut self, name: String, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.listening.push(thread::Builder::new().name(name).spawn(body)?);
        Ok(())
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to finish what it does and end.
    pub(crate) fn ask_to_end(&mut self) {
        // It still reports how it ends. Where it is gone already there is nothing to be shut.
        let _ = self.server_connection.shutdown(Shutdown::Write);
        self.asked.get_or_insert_with(Instant::now);
    }

    /// How it ended, where it has. One that was asked and takes too long is killed.
    pub(crate) fn look(&mut self) -> Option<ExitStatus> {
        if self.asked.is_some_and(|asked| asked.elapsed() > self.stop_timeout) {
            self.kill();
        }
        let status = self.process.try_wait().ok().flatten();
        if status.is_some() {
            self.ended = true;
            self.drain_output();
        }
        status
    }

    /// Its last line may still be on its way. What it started may hold the pipe open for longer.
    fn drain_output(&self) {
        let until = Instant::now() + LAST_LINE;
        while Instant::now() < until && !self.listening.iter().all(JoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        let group = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group.filter(|_| !self.ended) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
            let _ = self.process.wait();
        }
    }
}

/// How a process ended, in words.
pub(crate) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit status {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

/// Takes each line for a report.
pub(crate) fn read_reports(from: impl io::Read, on_message: &impl Fn(ChildMessage)) {
    each_line(BufReader::new(from), REPORT_BYTES, |piece| {
        let report = match piece {
            Piece::Whole(line) => serde_json::from_slice(line).ok(),
            // The rest of a line that is too long is no line of its own.
            Piece::Middle(_) => return,
            Piece::Last(_) => None,
        };
        on_message(
            report.map_or(ChildMessage::Wrong, |report| ChildMessage::Report(Box::new(report))),
        );
    });
}

fn read_lines(from: impl io::Read, on_line: &impl Fn(String)) {
    each_line(BufReader::with_capacity(BUFFER_BYTES, from), LINE_BYTES, |piece| {
        let text = String::from_utf8_lossy(piece.bytes());
        let text = text.trim_end_matches('\r');
        if !text.is_empty() {
            on_line(text.to_owned());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_started_as_it_was() {
        let of = |line: &str, words: &str| {
            let started = line.split(' ').map(OsString::from);
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            ProgramFile::new("/usr/bin/it".into(), started, &words)
        };
        let program = of("frameloom serve a.toml", "serve a.toml").unwrap();
        assert_eq!((program.called, program.prefix.len()), ("frameloom".into(), 0));
        let program = of("/venv/bin/python -m frameloom serve a", "serve a").unwrap();
        assert_eq!(program.prefix, ["-m", "frameloom"]);
        let program = of("python -m frameloom demo -- cat -u", "demo -- cat -u").unwrap();
        assert_eq!(program.prefix, ["-m", "frameloom"]);
        assert_eq!(of("python worker.py", "serve a.toml"), None);
        assert_eq!(of("python", "serve"), None);
    }

    fn heard<T>(read: impl FnOnce(&dyn Fn(T))) -> Vec<T> {
        let all = std::cell::RefCell::new(Vec::new());
        read(&|said| all.borrow_mut().push(said));
        all.into_inner()
    }

    #[test]
    fn lines_are_cut_where_they_are_too_long() {
        let text = format!("one\r\n\n{}\nlast", "x".repeat(20_000));
        let lines: Vec<String> = heard(|on_line| read_lines(text.as_bytes(), &on_line));
        let lengths: Vec<usize> = lines.iter().map(String::len).collect();
        assert_eq!(lengths, [3, LINE_BYTES, 20_000 - LINE_BYTES, 4]);
    }

    #[test]
    fn what_looks_like_a_report_on_stderr_is_a_line() {
        let text = "{}\n{\"state\":\"running\"}\n{\"stats\":{\"fps\":1e9}}\n";
        let said: Vec<String> = heard(|on_line| read_lines(text.as_bytes(), &on_line));
        assert_eq!(said, text.lines().collect::<Vec<_>>());
    }

    #[test]
    fn reports_are_checked() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let sending = thread::spawn(move || {
            let long = format!("{{\"event\":{{\"text\":\"{}\"}}}}", "x".repeat(200_000));
            for line in [
                "{\"state\":\"running\"}",
                "{}",
                "[]",
                "no JSON",
                "",
                "{\"stats\":{\"fps\":25.0}}",
                "{\"state\":\"flying\"}",
                long.as_str(),
                "{\"state\":{\"opened\":{\"is_live\":1}}}",
                "{\"state\":{\"opened\":{\"is_live\":false}}}",
            ] {
                writeln!(theirs, "{line}").unwrap();
            }
            theirs.write_all(b"{\"state\":\"run").unwrap();
        });
        let said: Vec<ChildMessage> = heard(|on_message| read_reports(ours, &on_message));
        sending.join().unwrap();
        let right: Vec<usize> = (0..said.len())
            .filter(|n| matches!(&said[*n], ChildMessage::Report(report) if matches!(**report, ChildReport::State(_))))
            .collect();
        assert_eq!((said.len(), right), (11, vec![0, 9]));
    }
}
