//! `frameloom demo`: a server with its page, a camera, your code and its result, all on this machine.

mod browser;
mod picture;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command as Program, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use frameloom::internal::ProgramHint;
use frameloom::{Error, ErrorKind, Result, Stage, Stop};
use frameloom_server::ServerConfig;
use serde_json::{Value as Json, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::level::Level;
use crate::options::Verb;
use crate::options::demo::{DemoOptions, TABLE, find};
use crate::options::program::{self, ProgramOptions};
use crate::screen::Screen;
use crate::serve::fleet::ServerRun;
use crate::serve::node::Node;
use crate::serve::pipelines::Refused;
use crate::serve::pipelines::circle::Clash;
use crate::serve::pipelines::settings::Settings;
use crate::serve::processes::cause::{Cause, EndReason};
use crate::serve::processes::context::ServeEvent;
use crate::status::{self, Mode};
use crate::usage::{no_value, usage};
use crate::{log, signals};

/// What edits the stream where no COMMAND is given.
const EXAMPLE: &str = include_str!("../../../python/examples/edit.py");

/// A moving picture with a beep each second, in FFmpeg's language for filter graphs.
const MOVING_PICTURE: &str = "testsrc2=size=1280x720:rate=25[out0];\
                      sine=frequency=330:beep_factor=4:sample_rate=44100[out1]";

const APP: &str = "live";
const CAMERA: &str = "camera";
const EDITED: &str = "edited";

/// How long the camera, and then the edited stream, may take to be there.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// What the words of `frameloom demo` say.
#[derive(Debug, Default)]
pub(crate) struct DemoArgs {
    options: DemoOptions,
    command: Option<Vec<String>>,
    program: ProgramOptions,
}

impl DemoArgs {
    /// Reads the words that follow `demo`.
    ///
    /// # Errors
    /// Wrong usage.
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<DemoArgs> {
        let mut parsed = DemoArgs::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--" {
                let command = words.map(text).collect::<Result<Vec<String>>>()?;
                if command.is_empty() {
                    return Err(usage("no COMMAND follows --"));
                }
                parsed.command = Some(command);
                break;
            }
            parsed
                .option(&text(word)?, || words.next().and_then(|value| value.into_string().ok()))?;
        }
        Ok(parsed)
    }

    /// Takes one word, and its value from `next` where the value is a word of its own.
    fn option(&mut self, word: &str, next: impl FnOnce() -> Option<String>) -> Result<()> {
        let unknown = || {
            let settings = TABLE.iter().map(|option| option.row.setting()).collect();
            usage(format!("demo has no use for '{word}'"))
                .hint(ProgramHint::SettingsAndCode(settings))
        };
        let (name, is_long) = match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(name), _) => (name, true),
            (None, Some(name)) => (name, false),
            (None, None) => return Err(unknown()),
        };
        let (name, attached) = match name.split_once('=').filter(|_| is_long) {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let (own, program) = (find(name, is_long), program::find(Verb::Demo, name, is_long));
        let row = own.map(|s| &s.row).or(program.map(|s| &s.row)).ok_or_else(unknown)?;
        let dashed = row.dashed(name);
        let value = match (row.takes_value(), attached) {
            (false, Some(_)) => return Err(usage(format!("{dashed} takes no value"))),
            (false, None) => String::new(),
            (true, Some(value)) => value,
            (true, None) => next().ok_or_else(|| no_value(&dashed))?,
        };
        if let Some(setting) = own {
            (setting.set)(&mut self.options, &value).map_err(|e| e.at(&dashed))?;
        }
        program.map_or(Ok(()), |setting| self.program.take(setting, &value))
    }
}

/// Shows it, until a signal or for as long as the words say.
pub(crate) fn run(words: Vec<OsString>, screen: &Screen) -> Result<()> {
    let started = [&["demo".into()], words.as_slice()].concat();
    let words = DemoArgs::parse(words)?;
    // What the server and its pipelines do stands on the page.
    let is_usual = matches!(words.program.level, Level::Info | Level::Warning);
    log::start(if is_usual { Level::Error } else { words.program.level }, false, screen, None);
    let command = match &words.command {
        Some(command) => command.clone(),
        None => example()?,
    };
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    let start = || ServerRun::start(&started, on_free_ports(), None);
    // Somebody may take a port between the look at it and the server's start.
    let fleet = start().or_else(|_| start())?;
    let urls = fleet.urls();
    let (Some(rtmp), Some(http)) = (urls.rtmp, urls.http) else {
        return Err(Error::new(ErrorKind::Other, Stage::Options, "the server has no address"));
    };
    let events = fleet.api.context.events();
    let screen = screen.clone();
    let mut demo = Demo {
        words,
        fleet,
        events,
        rtmp,
        http,
        screen,
        stop,
        reports_ends: false,
        last_cause: None,
    };
    let shown = demo.show(&command);
    demo.stop.stop();
    demo.screen.clear();
    demo.fleet.end();
    shown
}

/// A demo that runs.
struct Demo {
    words: DemoArgs,
    fleet: ServerRun,
    events: Receiver<ServeEvent>,
    /// Where the server is, without a slash at the end.
    rtmp: String,
    http: String,
    screen: Screen,
    stop: Stop,
    /// Whether it is said why a pipeline ended: the first end of one is the demo's.
    reports_ends: bool,
    /// What was said last.
    last_cause: Option<Cause>,
}

impl Demo {
    /// Shows it to its end.
    fn show(&mut self, command: &[String]) -> Result<()> {
        let page = format!("{}/", self.http);
        self.say(&format!("page: {page}"));
        let edit = json!({
            "input": self.url(CAMERA),
            "outputs": [self.url(EDITED)],
            "command": command,
        });
        let (camera, edit) = (self.settings(CAMERA, self.camera())?, self.settings(EDITED, edit)?);
        self.add(camera)?;
        if !self.wait_for(CAMERA)? {
            return Ok(());
        }
        let begun = Instant::now();
        for name in [CAMERA, EDITED] {
            self.say(&format!("{name}: {}   {}/{APP}/{name}.flv", self.url(name), self.http));
        }
        self.say("open the page in a browser, or a stream in VLC, mpv or ffplay; Ctrl-C ends it");
        if !self.words.options.no_browser && std::io::stderr().is_terminal() {
            browser::open(&page);
        }
        self.add(edit)?;
        if !self.wait_for(EDITED)? {
            return Ok(());
        }
        self.reports_ends = true;
        let file =
            self.words.options.picture.clone().unwrap_or_else(|| "frameloom-demo.png".into());
        let picture = DemoThread::start("demo-picture", {
            let (camera, edited) = (self.url(CAMERA), self.url(EDITED));
            let (file, stop) = (file.clone(), self.stop.clone());
            move || picture::save(&camera, &edited, &file, &stop)
        })?;
        while !picture.is_finished() {
            self.go_on()?;
        }
        if picture.finish()? {
            self.say(&format!("left the camera, right the result: {}", file.display()));
        }
        let is_over = |length: &Duration| begun.elapsed() >= *length;
        while !self.stop.is_stopped() && !self.words.options.length.as_ref().is_some_and(is_over) {
            self.go_on()?;
        }
        Ok(())
    }

    fn say(&self, text: &str) {
        if self.words.program.level >= Level::Info {
            self.screen.line(text);
        }
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{APP}/{name}", self.rtmp)
    }

    /// The settings of what publishes the moving picture, or an input of the user's own, over and
    /// over.
    fn camera(&self) -> Json {
        let input = self.words.options.input.as_deref();
        let options = match input {
            None => json!({ "f": "lavfi", "re": true }),
            Some(input) if frameloom::internal::url::is_live(input) => json!({}),
            Some(_) => json!({ "re": true, "stream_loop": -1 }),
        };
        json!({
            "input": input.unwrap_or(MOVING_PICTURE),
            "input_options": options,
            "outputs": [self.url(CAMERA)],
        })
    }

    fn settings(&self, name: &str, mut settings: Json) -> Result<Settings> {
        if let Some(level) = &self.words.program.level_text {
            settings["loglevel"] = level.as_str().into();
        }
        let here = self.fleet.api.here();
        Settings::read(name, &Node::from_json(settings), None, &here).map_err(|fault| {
            // Nobody wrote these keys: the tables they are in would say nothing.
            Error::new(ErrorKind::Other, Stage::Options, fault.text)
        })
    }

    /// Starts a pipeline.
    fn add(&self, settings: Settings) -> Result<()> {
        match self.fleet.pipelines().add(settings) {
            // Where somebody was faster, by the API, theirs is as good.
            Ok(_) | Err(Refused::Taken | Refused::Unknown) => Ok(()),
            Err(Refused::Conflict(Clash { text, .. }) | Refused::Full(text)) => {
                Err(Error::new(ErrorKind::Other, Stage::Options, text))
            }
        }
    }

    /// Waits until a pipeline publishes its stream; false where a stop came first.
    fn wait_for(&mut self, name: &str) -> Result<bool> {
        let server = self.fleet.server().observer();
        let until = Instant::now() + START_TIMEOUT;
        while !self.stop.is_stopped() {
            if server.is_published(APP, name) {
                return Ok(true);
            }
            let pipeline = self.fleet.pipelines().find(name);
            if let Some(cause) = pipeline.as_ref().and_then(|pipeline| pipeline.failure()) {
                return Err(failure(&cause));
            }
            if Instant::now() > until {
                let mut cause = format!("it was not there after {} s", START_TIMEOUT.as_secs());
                let said = pipeline.map(|pipeline| pipeline.log(usize::MAX)).unwrap_or_default();
                if let Some(line) = said.iter().rfind(|line| line.is_said()) {
                    cause += &format!("; the last that was said is: {line}");
                }
                return Err(Error::new(ErrorKind::TimedOut, Stage::Source, cause).at(name));
            }
            self.go_on()?;
        }
        Ok(false)
    }

    /// Goes on for a moment.
    ///
    /// # Errors
    /// The camera has ended: there is nothing more to be shown.
    fn go_on(&mut self) -> Result<()> {
        let second = self.fleet.go_on();
        if second && matches!(Mode::of_level(self.words.program.level), Mode::Terminal) {
            let edit = self.fleet.pipelines().find(EDITED);
            if let Some(stats) = edit.and_then(|edit| edit.snapshot()) {
                status::draw(&self.screen, &stats);
            }
        }
        loop {
            match self.events.try_recv() {
                // What became of it otherwise stands on the page.
                Ok(ServeEvent::Log(name, line)) if line.is_said() => {
                    self.screen.line(&format!("{name}: {line}"));
                }
                Ok(ServeEvent::State(name)) => self.report_end(&name),
                Ok(_) | Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        let camera = self.fleet.pipelines().find(CAMERA);
        match camera.filter(|camera| camera.is_over()) {
            None => Ok(()),
            Some(camera) => Err(camera.failure().map_or_else(
                || Error::new(ErrorKind::Other, Stage::Source, "the camera's stream ended"),
                |cause| failure(&cause),
            )),
        }
    }

    /// Tells why a pipeline ended, if it did; a reason that stays the same is told once.
    fn report_end(&mut self, name: &str) {
        let cause = self.fleet.pipelines().find(name).and_then(|pipeline| pipeline.failure());
        let is_new =
            |cause: &Cause| !self.last_cause.as_ref().is_some_and(|last| last.is_like(cause));
        if let Some(cause) = cause.filter(|cause| self.reports_ends && is_new(cause)) {
            if self.words.program.level >= Level::Warning {
                let text = &cause.text;
                self.screen.line(&format!("{name}: warning: {text}; it is started again"));
            }
            self.last_cause = Some(cause);
        }
    }
}

/// The error of a pipeline: the one that its process reported, or how it ended.
fn failure(cause: &Cause) -> Error {
    match &cause.reason {
        EndReason::Reported(error) => error.clone(),
        _ => Error::new(ErrorKind::Other, Stage::Process, &cause.text),
    }
}

/// The example in Python, where there is a Python with numpy.
fn example() -> Result<Vec<String>> {
    let mut python = Program::new("python3");
    python.args(["-c", "import numpy"]).stdin(Stdio::null());
    let found = python.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(["python3", "-c", EXAMPLE].map(str::to_owned).into());
    }
    let error = Error::new(ErrorKind::NotFound, Stage::Process, "there is no python3 with numpy");
    Err(error.hint(ProgramHint::InstallOrGiveCode))
}

/// The usual ports, or free ones where those are taken.
fn on_free_ports() -> ServerConfig {
    let usual = ServerConfig::default();
    let free = |address: Option<SocketAddr>| {
        address.map(|address| match TcpListener::bind(address) {
            Ok(_) => address,
            Err(_) => SocketAddr::new(address.ip(), 0),
        })
    };
    let (rtmp_listen, http_listen) = (free(usual.rtmp_listen), free(usual.http_listen));
    ServerConfig { rtmp_listen, http_listen, ..usual }
}

fn text(word: OsString) -> Result<String> {
    word.into_string().map_err(|_| usage("an argument is not UTF-8 text"))
}

/// What runs beside the main thread.
struct DemoThread<T>(JoinHandle<Result<T>>);

impl<T: Send + 'static> DemoThread<T> {
    fn start(
        name: &str,
        body: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<DemoThread<T>> {
        let handle = thread::Builder::new().name(name.to_owned()).spawn(body);
        handle.map(DemoThread).map_err(|error| {
            Error::new(ErrorKind::Other, Stage::Process, format!("no thread: {error}"))
        })
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    fn finish(self) -> Result<T> {
        self.0.join().unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Process, Stage::Process, "a thread of the demo panicked"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        let parse = |line: &str| DemoArgs::parse(line.split_whitespace().map(OsString::from));
        let words =
            parse("-i clip.mp4 -t 5 --picture=a.png --no-browser -- python3 edit.py -t 3").unwrap();
        assert_eq!(words.options.input.as_deref(), Some("clip.mp4"));
        assert_eq!(words.options.length, Some(Duration::from_secs(5)));
        assert_eq!(words.options.picture, Some("a.png".into()));
        assert_eq!(words.command.unwrap().len(), 4);
        assert!(words.options.no_browser);
        for (line, mentions) in [
            ("-t", "-t takes a value"),
            ("-t soon", "'soon' is not a time"),
            ("clip.mp4", "'clip.mp4'"),
            ("--", "no COMMAND"),
        ] {
            let shown = parse(line).unwrap_err().to_string();
            assert!(shown.contains(mentions), "{line}: {shown}");
        }
    }
}
