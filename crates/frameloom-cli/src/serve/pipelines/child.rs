//! A pipeline's process: this program again, fed with its words, and heard line by line.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child as Process, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use frameloom::redact;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::supervised;

/// How long a child that was asked to end may take. It takes 2 s by itself at the most.
const PATIENCE: Duration = Duration::from_millis(2600);

/// How long the last line of one that ended may take to be heard.
const LAST_LINE: Duration = Duration::from_millis(300);

/// Longest line that is kept whole, in bytes.
const LINE_BYTES: u64 = 16 << 10;

/// What a server gives to no child: they are its own keys.
const OWN_SECRETS: [&str; 3] =
    ["FRAMELOOM_API_TOKEN", "FRAMELOOM_PUBLISH_KEY", "FRAMELOOM_PLAY_KEY"];

/// How this program is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    file: PathBuf,
    /// What it was called, which tells a Python where its packages are.
    called: OsString,
    /// What stands before the words: nothing, or a Python's own.
    prefix: Vec<OsString>,
}

impl Program {
    /// Out of how this process was started for `words`, as its last arguments. `None` where it
    /// was started for something else.
    pub(crate) fn new(
        file: PathBuf,
        started: impl IntoIterator<Item = OsString>,
        words: &[OsString],
    ) -> Option<Program> {
        let mut started = started.into_iter();
        let called = started.next()?;
        let mut prefix: Vec<OsString> = started.collect();
        let own = prefix.len().checked_sub(words.len())?;
        if !prefix.ends_with(words) {
            return None;
        }
        prefix.truncate(own);
        Some(Program { file, called, prefix })
    }
}

/// A command that runs this program as the child `name`.
pub(crate) fn command(program: &Program, name: &str) -> Command {
    let mut command = Command::new(&program.file);
    command.arg0(&program.called).args(&program.prefix);
    command.arg(format!("{}{name}", supervised::OPTION));
    // A group of its own, so that a terminal's Ctrl-C reaches the server alone.
    command.process_group(0).stdin(Stdio::piped());
    command.env(supervised::SERVER, redact::servers_with_shown_names().join(","));
    OWN_SECRETS.iter().for_each(|name| {
        command.env_remove(name);
    });
    command
}

/// The line that tells a child its words.
pub(crate) fn line_of(words: &[String]) -> String {
    // Strings can't fail to be JSON.
    serde_json::to_string(words).unwrap_or_default() + "\n"
}

/// A running child. Dropping it kills it.
pub(crate) struct Child {
    process: Process,
    lifeline: Option<ChildStdin>,
    hearing: Option<JoinHandle<()>>,
    asked: Option<Instant>,
    ended: bool,
}

impl Child {
    /// Starts a child, and has `hear` called with each line that it writes to stderr.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn start(
        program: &Program,
        name: &str,
        words: &[String],
        mut hear: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Child> {
        let mut command = command(program, name);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let lifeline = process.stdin.take();
        let stderr = process.stderr.take();
        let mut child = Child { process, lifeline, hearing: None, asked: None, ended: false };
        if let Some(pipe) = child.lifeline.as_mut() {
            pipe.write_all(line_of(words).as_bytes())?;
        }
        if let Some(stderr) = stderr {
            let body = move || each_line(BufReader::new(stderr), &mut hear);
            let thread = thread::Builder::new().name(format!("hear {name}"));
            child.hearing = Some(thread.spawn(body)?);
        }
        Ok(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to finish its outputs and end.
    pub(crate) fn ask_to_end(&mut self) {
        self.lifeline = None;
        self.asked.get_or_insert_with(Instant::now);
    }

    /// How it ended, where it has. One that was asked and takes too long is killed.
    pub(crate) fn look(&mut self) -> Option<ExitStatus> {
        if self.asked.is_some_and(|asked| asked.elapsed() > PATIENCE) {
            self.kill();
        }
        let status = self.process.try_wait().ok().flatten();
        if status.is_some() {
            self.ended = true;
            self.hear_the_rest();
        }
        status
    }

    /// Its last line may still be on its way. What it started may hold the pipe open for longer.
    fn hear_the_rest(&self) {
        let until = Instant::now() + LAST_LINE;
        while Instant::now() < until && self.hearing.as_ref().is_some_and(|h| !h.is_finished()) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn kill(&self) {
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

fn each_line(mut from: impl BufRead, hear: &mut impl FnMut(&str)) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match from.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches(['\n', '\r']);
                if !text.is_empty() {
                    hear(text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_started_as_it_was() {
        let of = |line: &str, words: &str| {
            let started = line.split(' ').map(OsString::from);
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            Program::new("/usr/bin/it".into(), started, &words)
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

    #[test]
    fn lines_are_cut_where_they_are_too_long() {
        let text = format!("one\r\n\n{}\nlast", "x".repeat(20_000));
        let mut heard = Vec::new();
        each_line(text.as_bytes(), &mut |line| heard.push(line.len()));
        assert_eq!(heard, [3, LINE_BYTES as usize, 20_000 - LINE_BYTES as usize, 4]);
    }
}
