//! `frameloom demo`: a camera, a server, your code and its result, all on this machine.

mod picture;

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command as Program, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use frameloom::options::{InputOptions, OutputOptions, parse_duration};
use frameloom::{Command, Error, ErrorKind, Pipeline, Result, Snapshot, Stage, Stop};
use frameloom_server::{Server, ServerConfig};

use crate::level::Level;
use crate::screen::Screen;
use crate::serve::{self, Urls};
use crate::status::{Mode, Status};
use crate::{log, signals, usage};

/// What edits the stream where no COMMAND is given.
const EXAMPLE: &str = include_str!("../../../python/examples/edit.py");

/// A moving picture with a beep each second, in FFmpeg's language for filter graphs.
const MOVING_PICTURE: &str = "testsrc2=size=1280x720:rate=25[out0];\
                      sine=frequency=330:beep_factor=4:sample_rate=44100[out1]";

const APP: &str = "live";
const CAMERA: &str = "camera";
const EDITED: &str = "edited";

/// How often a wait looks for what it waits for.
const TICK: Duration = Duration::from_millis(50);

/// How long the camera, and then the edited stream, may take to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the words of `frameloom demo` say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    input: Option<String>,
    length: Option<Duration>,
    picture: Option<PathBuf>,
    command: Option<Vec<OsString>>,
    level: Level,
}

impl Words {
    /// Reads the words that follow `demo`.
    ///
    /// # Errors
    /// Wrong usage.
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Words> {
        let mut parsed = Words::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--" {
                let command: Vec<OsString> = words.collect();
                if command.is_empty() {
                    return Err(usage("no COMMAND follows --"));
                }
                parsed.command = Some(command);
                break;
            }
            let word = word.into_string().map_err(|_| usage("an argument is not UTF-8 text"))?;
            let mut value = || {
                let value = words.next().and_then(|value| value.into_string().ok());
                value.ok_or_else(|| usage(format!("{word} takes a value, and none follows it")))
            };
            match word.as_str() {
                "-i" => parsed.input = Some(value()?),
                "-t" => parsed.length = Some(parse_duration(&value()?).map_err(|e| e.at("-t"))?),
                "-v" | "-loglevel" => parsed.level = Level::parse(&value()?)?,
                "-hide_banner" | "-nostdin" | "-nostats" => {}
                "--picture" => parsed.picture = Some(value()?.into()),
                other => match other.strip_prefix("--picture=") {
                    Some(file) if !file.is_empty() => parsed.picture = Some(file.into()),
                    _ => {
                        let error = usage(format!("demo has no use for '{other}'"));
                        return Err(error.hint(
                            "it takes -i INPUT, -t SECONDS, --picture=FILE, and your code behind --",
                        ));
                    }
                },
            }
        }
        Ok(parsed)
    }
}

/// Shows it, until a signal or for as long as the words say.
pub(crate) fn run(words: Words, screen: &Screen) -> Result<()> {
    log::start(words.level, screen);
    let say = |text: &str| {
        if words.level >= Level::Info {
            screen.line(text);
        }
    };
    let command = Command::new(match words.command {
        Some(argv) => argv,
        None => example()?,
    })?;
    let stop = Stop::new();
    signals::start(&stop, screen)?;
    let server = Arc::new(start_server()?);
    let urls = Urls::of(&server);
    let (Some(rtmp), Some(http)) = (&urls.rtmp, &urls.http) else {
        return Err(Error::new(ErrorKind::Other, Stage::Options, "the server has no address"));
    };
    let camera_url = format!("{rtmp}/{APP}/{CAMERA}");
    let edited_url = format!("{rtmp}/{APP}/{EDITED}");

    let camera = Side::start("demo-camera", &stop, {
        let (input, url, stop) = (words.input, camera_url.clone(), stop.clone());
        move || film(input.as_deref(), &url, &stop)
    })?;
    wait_for(&server, CAMERA, &stop)?;
    let mut done = Ok(());
    if !stop.is_stopped() {
        say(&format!("camera: {camera_url}   {http}/{APP}/{CAMERA}.flv"));
        say(&format!("edited: {edited_url}   {http}/{APP}/{EDITED}.flv"));
        say("open them in VLC, mpv or ffplay; Ctrl-C ends it");
        let beside = Side::start("demo-picture", &stop, {
            let (server, stop, screen) = (Arc::clone(&server), stop.clone(), screen.clone());
            let (camera_url, edited_url) = (camera_url.clone(), edited_url.clone());
            let file = words.picture.unwrap_or_else(|| "frameloom-demo.png".into());
            let (shows, length) = (words.level >= Level::Info, words.length);
            move || {
                let begun = Instant::now();
                wait_for(&server, EDITED, &stop)?;
                if !stop.is_stopped()
                    && picture::save(&camera_url, &edited_url, &file, &stop)?
                    && shows
                {
                    screen.line(&format!("left the camera, right the result: {}", file.display()));
                }
                if let Some(length) = length {
                    while begun.elapsed() < length && !stop.is_stopped() {
                        thread::sleep(TICK);
                    }
                    stop.stop();
                }
                Ok(())
            }
        })?;
        let status = Status::start(Mode::of_level(words.level), 1, screen, &stop);
        let edited = edit(&camera_url, &edited_url, command, &status, &stop);
        let was_asked = stop.is_stopped();
        stop.stop();
        status.finish(edited.as_ref().ok().and_then(Option::as_ref));
        let pictured = beside.finish();
        done = edited.and(pictured);
        if done.is_ok() && !was_asked {
            done = Err(Error::new(ErrorKind::Other, Stage::Source, "the camera's stream ended"));
        }
    }
    stop.stop();
    // Why there is no camera tells more than that there is none.
    let done = camera.finish().and(done);
    if let Some(server) = Arc::into_inner(server) {
        server.stop_blocking();
    }
    done
}

/// Publishes the moving picture, or an input of the user's own, over and over.
fn film(input: Option<&str>, url: &str, stop: &Stop) -> Result<()> {
    let options = InputOptions::new();
    let options = match input {
        None => options.with("f", "lavfi")?.with("re", "")?,
        Some(input) if input.contains("://") => options,
        Some(_) => options.with("re", "")?.with("stream_loop", "-1")?,
    };
    let pipeline = Pipeline::open(input.unwrap_or(MOVING_PICTURE), options, stop);
    let pipeline = match pipeline {
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
        opened => opened?,
    };
    pipeline.to_url_with(url, OutputOptions::new().with("f", "flv")?)?.run().map(drop)
}

/// What the demo is about. `None` where a signal came before the stream was open.
fn edit(
    camera_url: &str,
    edited_url: &str,
    command: Command,
    status: &Status,
    stop: &Stop,
) -> Result<Option<Snapshot>> {
    let pipeline = match Pipeline::open(camera_url, InputOptions::new(), stop) {
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(None),
        opened => opened?,
    };
    let pipeline = pipeline.command(command).to_url(edited_url)?;
    status.follow(pipeline.stats(), pipeline.is_live());
    pipeline.run().map(Some)
}

/// The example in Python, where there is a Python with numpy.
fn example() -> Result<Vec<OsString>> {
    let mut python = Program::new("python3");
    python.args(["-c", "import numpy"]).stdin(Stdio::null());
    let found = python.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(["python3", "-c", EXAMPLE].map(OsString::from).into());
    }
    let error = Error::new(ErrorKind::NotFound, Stage::Process, "there is no python3 with numpy");
    Err(error.hint("install them, or give code of your own behind --"))
}

/// A server on the usual ports, or on free ones where those are taken.
fn start_server() -> Result<Server> {
    let usual = ServerConfig::default();
    let free = |address: Option<SocketAddr>| {
        address.map(|address| match TcpListener::bind(address) {
            Ok(_) => address,
            Err(_) => SocketAddr::new(address.ip(), 0),
        })
    };
    let (rtmp_listen, http_listen) = (free(usual.rtmp_listen), free(usual.http_listen));
    serve::start(ServerConfig { rtmp_listen, http_listen, ..usual })
}

/// Waits until someone publishes under `name`, or a stop.
fn wait_for(server: &Server, name: &str, stop: &Stop) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !stop.is_stopped() {
        if server.status().streams.iter().any(|s| s.app == APP && s.name == name) {
            return Ok(());
        }
        if Instant::now() > until {
            let cause = format!("the {name} stream was not there after {} s", PATIENCE.as_secs());
            return Err(Error::new(ErrorKind::TimedOut, Stage::Source, cause));
        }
        thread::sleep(TICK);
    }
    Ok(())
}

/// What runs beside the main thread. Where it fails, all else ends.
struct Side(JoinHandle<Result<()>>);

impl Side {
    fn start(
        name: &str,
        stop: &Stop,
        body: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<Side> {
        let stop = stop.clone();
        let body = move || body().inspect_err(|_| stop.stop());
        let handle = thread::Builder::new().name(name.to_owned()).spawn(body);
        handle.map(Side).map_err(|error| {
            Error::new(ErrorKind::Other, Stage::Process, format!("no thread: {error}"))
        })
    }

    fn finish(self) -> Result<()> {
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
        let parse = |line: &str| Words::parse(line.split_whitespace().map(OsString::from));
        let words = parse("-i clip.mp4 -t 5 --picture=a.png -- python3 edit.py -t 3").unwrap();
        assert_eq!(words.input.as_deref(), Some("clip.mp4"));
        assert_eq!(words.length, Some(Duration::from_secs(5)));
        assert_eq!(words.picture, Some("a.png".into()));
        assert_eq!(words.command.unwrap().len(), 4);
        for (line, mentions) in [
            ("-t", "-t takes a value"),
            ("-t soon", "'soon' is not a time"),
            ("clip.mp4", "'clip.mp4'"),
            ("--", "no COMMAND"),
        ] {
            let told = parse(line).unwrap_err().to_string();
            assert!(told.contains(mentions), "{line}: {told}");
        }
    }
}
