//! Camera, server, frameloom, server, reader; and between them what can be broken.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::camera::{Camera, Film};
use super::nginx::Nginx;
use super::proxy::Proxy;
use super::random::{Rng, seed};
use super::recorder::{Part, Recorder};
use super::run::{Outcome, Running, frameloom, wait_until};
use super::stats::{Count, Seen};
use super::story::Story;

/// How long anything may take to be seen: longer than the longest back-off and a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be played.
pub(crate) struct Script {
    name: &'static str,
    film: Film,
    options: Vec<OsString>,
    code: Vec<OsString>,
    encoding: Vec<OsString>,
    outputs: Vec<OsString>,
    keeps: bool,
}

impl Script {
    /// A plain camera and no code. `name` is the test's, for its seed.
    pub(crate) fn new(name: &'static str) -> Script {
        Script {
            name,
            film: Film::plain(),
            options: args!["--stall-timeout=1s"],
            code: Vec::new(),
            encoding: encoding(),
            outputs: Vec::new(),
            keeps: false,
        }
    }

    pub(crate) fn film(mut self, film: Film) -> Script {
        self.film = film;
        self
    }

    /// More words before the input; a later one has the last word.
    pub(crate) fn options(mut self, words: Vec<OsString>) -> Script {
        self.options.extend(words);
        self
    }

    /// The command that edits each picture.
    pub(crate) fn code(mut self, words: Vec<OsString>) -> Script {
        self.code = words;
        self
    }

    /// The camera's packets go out as they are.
    pub(crate) fn copying(mut self) -> Script {
        self.encoding = args!["-c", "copy"];
        self
    }

    /// One more output, with its options.
    pub(crate) fn output(mut self, words: Vec<OsString>) -> Script {
        self.outputs.extend(words);
        self
    }

    /// A file beside the published stream, with the same encoding.
    pub(crate) fn keeping_a_file(mut self) -> Script {
        self.keeps = true;
        self
    }

    pub(crate) fn start(self) -> Scene {
        Scene::start(self)
    }
}

/// What every output is encoded by: the picture has to be told, not to be fine.
pub(crate) fn encoding() -> Vec<OsString> {
    args!["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25"]
}

/// Everything runs, and the reader gets pictures.
pub(crate) struct Scene {
    pub(crate) camera: Option<Camera>,
    pub(crate) running: Running,
    pub(crate) recorder: Recorder,
    /// Between the camera's server and frameloom; `Way::Down` is the way of the stream.
    pub(crate) input: Proxy,
    /// Between frameloom and the reader's server; `Way::Up` is the way of the stream.
    pub(crate) output: Proxy,
    pub(crate) source: Nginx,
    pub(crate) target: Nginx,
    pub(crate) random: Rng,
    kept: PathBuf,
    room: tempfile::TempDir,
}

impl Scene {
    fn start(script: Script) -> Scene {
        let random = Rng::new(seed(script.name));
        let room = super::room();
        let (source, target) = (Nginx::start(), Nginx::start());
        let (input, output) = (Proxy::to(source.port()), Proxy::to(target.port()));
        let recorder = Recorder::start(target.url("out"), room.path());
        target.wait_for_player("out");
        let kept = room.path().join("kept.mkv");
        let mut args = args!["--stats=json", "--open-timeout=60s"];
        args.extend(script.options);
        args.extend(args!["-i", Nginx::url_by(input.port(), "in")]);
        args.extend(script.encoding.clone());
        args.extend(args!["-f", "flv", Nginx::url_by(output.port(), "out")]);
        if script.keeps {
            args.extend(script.encoding);
            args.extend(args![&kept]);
        }
        args.extend(script.outputs);
        if !script.code.is_empty() {
            args.extend(args!["--"]);
            args.extend(script.code);
        }
        let running = frameloom(args).limit_s(240).spawn();
        source.wait_for_player("in");
        let camera = Some(Camera::start(&script.film, &source.url("in")));
        let mut scene =
            Scene { camera, running, recorder, input, output, source, target, random, kept, room };
        scene.wait("pictures go out", |seen| seen.count(Count::FramesOut) >= 25);
        scene
    }

    pub(crate) fn room(&self) -> &Path {
        self.room.path()
    }

    /// What it told last.
    pub(crate) fn stats(&self) -> Option<Seen> {
        Seen::all(&self.running.stderr()).pop()
    }

    pub(crate) fn count(&self, what: Count) -> u64 {
        self.stats().map_or(0, |seen| seen.count(what))
    }

    /// Waits until the statistics show it.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, mut shown: impl FnMut(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !self.stats().is_some_and(|seen| shown(&seen)) {
            let runs = self.running.is_running();
            if !runs || Instant::now() > deadline {
                let end = if runs { "waited too long" } else { "frameloom ended" };
                panic!("{end}: {what}; it said:\n{}", self.running.stderr());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until so many more frames came from the input.
    #[track_caller]
    pub(crate) fn wait_for_frames(&mut self, more: u64) {
        let wanted = self.count(Count::FramesIn) + more;
        self.wait("frames come", |seen| seen.count(Count::FramesIn) >= wanted);
    }

    /// Waits until so many more frames went out.
    #[track_caller]
    pub(crate) fn wait_for_output(&mut self, more: u64) {
        let wanted = self.count(Count::FramesOut) + more;
        self.wait("frames go out", |seen| seen.count(Count::FramesOut) >= wanted);
    }

    /// Lets it run up to a moment that the seed chooses.
    #[track_caller]
    pub(crate) fn run_a_while(&mut self) {
        let frames = self.random.between(10, 40);
        self.wait_for_frames(frames);
        self.random_pause(0, 900);
    }

    /// For a fault that is a time: so many ms.
    pub(crate) fn random_pause(&mut self, least_ms: u64, most_ms: u64) -> u64 {
        let pause_ms = self.random.between(least_ms, most_ms);
        thread::sleep(Duration::from_millis(pause_ms));
        pause_ms
    }

    #[track_caller]
    pub(crate) fn wait_for_loss_of_input(&mut self) {
        self.wait("the input is lost", Seen::input_is_lost);
    }

    #[track_caller]
    pub(crate) fn wait_for_loss_of_output(&mut self) {
        self.wait("the output is lost", |seen| seen.output_is_lost(0));
    }

    /// Waits until the input is there again, and so many of its frames.
    #[track_caller]
    pub(crate) fn wait_for_return_of_input(&mut self, frames: u64) {
        self.wait("the input is back", |seen| !seen.input_is_lost());
        self.wait_for_frames(frames);
    }

    #[track_caller]
    pub(crate) fn wait_for_return_of_output(&mut self, number: usize, frames: u64) {
        self.wait("the output is back", |seen| !seen.output_is_lost(number));
        self.wait_for_output(frames);
    }

    /// Another camera in the place of the first, which is gone or goes now.
    pub(crate) fn replace_camera(&mut self, film: &Film) {
        if let Some(camera) = self.camera.take() {
            camera.kill();
        }
        self.camera = Some(Camera::start(film, &self.source.url("in")));
    }

    /// The first camera goes, and another comes once that was noticed.
    #[track_caller]
    pub(crate) fn lose_and_replace_camera(&mut self, film: &Film) {
        self.camera.take().unwrap().kill();
        self.wait_for_loss_of_input();
        self.random_pause(500, 1500);
        let held = self.count(Count::FramesHeld);
        self.wait("pictures are held", |seen| seen.count(Count::FramesHeld) >= held.max(10));
        self.replace_camera(film);
        self.wait_for_return_of_input(50);
    }

    /// Stops frameloom, which ends well.
    #[track_caller]
    pub(crate) fn finish(self) -> Ending {
        let asked = Instant::now();
        self.running.signal("INT");
        let ending = self.await_end();
        let took = asked.elapsed();
        let said = &ending.outcome.stderr;
        assert_eq!(ending.outcome.code(), Some(0), "it ended badly after {took:?}:\n{said}");
        ending
    }

    /// Waits for an end by itself.
    #[track_caller]
    pub(crate) fn await_end(self) -> Ending {
        let outcome = self.running.wait();
        self.target.thaw();
        // What broke doesn't keep the reader from seeing the end.
        self.output.heal();
        let parts = self.recorder.finish();
        Ending {
            outcome,
            parts,
            times_published: self.target.times_published("out"),
            kept: self.kept,
            _room: self.room,
        }
    }
}

/// What is left when all is over.
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    pub(crate) parts: Vec<Part>,
    /// How often the output was published.
    pub(crate) times_published: usize,
    /// The file that was written beside.
    pub(crate) kept: PathBuf,
    _room: tempfile::TempDir,
}

impl Ending {
    /// What it told last of all.
    #[track_caller]
    pub(crate) fn stats(&self) -> Seen {
        let said = &self.outcome.stderr;
        let last = Seen::all(said).pop().unwrap_or_else(|| panic!("no statistics:\n{said}"));
        assert!(last.is_last(), "not the last statistics:\n{said}");
        last
    }

    /// What the reader saw, whose connection was never closed; with times that rise.
    #[track_caller]
    pub(crate) fn story(&self) -> Story {
        self.story_with_margin(0)
    }

    /// As `story`, where the camera's picture ends so many rows above the lower edge.
    #[track_caller]
    pub(crate) fn story_with_margin(&self, margin: usize) -> Story {
        let said = &self.outcome.stderr;
        let parts = self.parts.len();
        assert_eq!((self.times_published, parts), (1, 1), "the output was closed:\n{said}");
        let story = Story {
            said: self.parts[0].said.clone(),
            ..Story::of_file(&self.parts[0].file, margin)
        };
        story.assert_times_rise();
        story
    }

    /// What the reader saw in each of its connections; with times that rise all over them.
    #[track_caller]
    pub(crate) fn stories(&self) -> Vec<Story> {
        let stories: Vec<Story> = self.parts.iter().map(Story::of).collect();
        let mut all = Story::default();
        for story in &stories {
            story.assert_times_rise();
            all.video.extend(&story.video);
            all.audio.extend(&story.audio);
        }
        all.assert_times_rise();
        stories
    }
}

/// Waits until a file has grown to so many bytes.
#[track_caller]
pub(crate) fn wait_for_file(path: &Path, bytes: u64) {
    wait_until("the file grows", || std::fs::metadata(path).is_ok_and(|file| file.len() >= bytes));
}
