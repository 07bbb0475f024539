//! How far it is: a bar, a status line, JSON, or reports to a server, by a thread that looks at the
//! counters.

mod ffmpeg;
pub(crate) mod progress;
mod view;

use std::io::IsTerminal;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use console::Term;
use frameloom::{Error, Setting, Snapshot, Stats, Stop};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::args::RunArgs;
use crate::called::CalledAs;
use crate::level::Level;
use crate::report::{ChildProgress, ChildReport, Reporter};
use crate::screen::Screen;
use ffmpeg::FfmpegReport;
use progress::ProgressTarget;
use view::View;

const REDRAW: Duration = Duration::from_millis(500);
const JSON: Duration = Duration::from_secs(1);

/// What indicatif allows at the most: above what is asked of it, so that it leaves out nothing.
const REDRAWS_A_SECOND: u8 = 10;

/// What the bar takes of a line, with the percentage and the blanks.
const BAR_COLUMNS: usize = 29;

/// How the state is shown.
#[derive(Clone)]
pub(crate) enum Mode {
    /// Not at all.
    Hidden,
    /// A bar or a line, redrawn.
    Terminal,
    /// FFmpeg's line: `-stats` where stderr is no terminal, and wherever it is called ffmpeg.
    Lines,
    /// `--stats=json`.
    Json,
    /// `-progress`.
    Progress(ProgressTarget),
    /// Told to the server that supervises this process.
    Reports(Reporter),
}

impl Mode {
    /// What a level asks for and stderr can show.
    pub(crate) fn of_level(level: Level) -> Mode {
        if level >= Level::Info && std::io::stderr().is_terminal() {
            Mode::Terminal
        } else {
            Mode::Hidden
        }
    }

    /// What the words ask for and stderr can show.
    pub(crate) fn of(words: &RunArgs, reporter: Option<&Reporter>) -> Mode {
        let wanted = words.program.status.unwrap_or(words.program.level >= Level::Info);
        if let Some(reporter) = reporter {
            Mode::Reports(reporter.clone())
        } else if words.program.stats_json {
            Mode::Json
        } else if wanted && words.program.called == CalledAs::Ffmpeg {
            Mode::Lines
        } else if wanted && std::io::stderr().is_terminal() {
            Mode::Terminal
        } else if words.program.status == Some(true) {
            Mode::Lines
        } else {
            Mode::Hidden
        }
    }
}

/// Draws the status line of a live pipeline with one output.
pub(crate) fn draw(screen: &Screen, snapshot: &Snapshot) {
    let line = View::of(snapshot, 1).line();
    screen.draw(|| bar(None), |bar| bar.set_message(view::fit(&line, columns())));
}

fn columns() -> usize {
    let (_, columns) = Term::stderr().size();
    usize::from(columns)
}

/// A pipeline's counters, and whether its input is live.
type Followed = (Stats, bool);

/// The thread that shows the state.
pub(crate) struct StatusLine {
    mode: Mode,
    outputs: usize,
    screen: Screen,
    thread: Option<(Sender<Followed>, JoinHandle<()>)>,
}

impl StatusLine {
    /// Shows that the input is being opened, for a pipeline with so many outputs; then its state
    /// each `period`, or as often as is usual.
    pub(crate) fn start(
        mode: Mode,
        outputs: usize,
        period: Option<Duration>,
        screen: &Screen,
        stop: &Stop,
    ) -> StatusLine {
        let (sender, inbox) = mpsc::channel();
        let shown = StatusTarget { outputs, screen: screen.clone(), stop: stop.clone() };
        let is_hidden = matches!(mode, Mode::Hidden);
        let own_mode = mode.clone();
        let usual = period.unwrap_or(REDRAW);
        let body = move || match own_mode {
            Mode::Hidden => {}
            Mode::Terminal => shown.draw(&inbox, usual),
            Mode::Lines => in_ffmpegs_words(&inbox, usual, |report, is_last| {
                shown.screen.raw(&report.line(is_last));
                true
            }),
            Mode::Json => {
                if let Ok((stats, _)) = inbox.recv() {
                    let line = || shown.screen.line(&json(&stats.snapshot()));
                    each(&inbox, period.unwrap_or(JSON), line);
                }
            }
            Mode::Progress(target) => in_ffmpegs_words(&inbox, usual, |report, is_last| {
                let written = target.write(&report.block(is_last), is_last);
                let about = |error: Error| error.about(Setting::ffmpeg("progress"));
                written.map_err(about).inspect_err(|error| tracing::warn!("{error}")).is_ok()
            }),
            Mode::Reports(reporter) => report(&inbox, &reporter),
        };
        let builder = thread::Builder::new().name("status".to_owned());
        // Without the thread the pipeline runs as well, unseen.
        let thread = (!is_hidden).then(|| builder.spawn(body).ok()).flatten();
        StatusLine {
            mode,
            outputs,
            screen: screen.clone(),
            thread: thread.map(|thread| (sender, thread)),
        }
    }

    /// Shows these counters from now on.
    pub(crate) fn follow(&self, stats: Stats, live: bool) {
        if let Some((sender, _)) = &self.thread {
            // The thread listens until it is told to end.
            let _ = sender.send((stats, live));
        }
    }

    /// Ends the showing; with one closing line where the pipeline came to a good end.
    pub(crate) fn finish(self, done: Option<&Snapshot>) {
        if let Some((sender, thread)) = self.thread {
            drop(sender);
            let _ = thread.join();
        }
        self.screen.clear();
        let Some(snapshot) = done else { return };
        match self.mode {
            // These end in their threads, also where the run has failed.
            Mode::Hidden | Mode::Lines | Mode::Progress(_) => {}
            Mode::Terminal => {
                self.screen
                    .line(&format!("frameloom: {}", View::of(snapshot, self.outputs).summary()));
            }
            Mode::Json => self.screen.line(&json(&LastSnapshot { snapshot, done: true })),
            Mode::Reports(reporter) => {
                reporter.send(&ChildReport::Stats(Box::new(snapshot.clone())));
            }
        }
    }
}

/// The last JSON object.
#[derive(Serialize)]
struct LastSnapshot<'a> {
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    done: bool,
}

fn json(value: &impl Serialize) -> String {
    // Numbers and names only: nothing in it can fail.
    serde_json::to_string(value).unwrap_or_default()
}

struct StatusTarget {
    outputs: usize,
    screen: Screen,
    stop: Stop,
}

impl StatusTarget {
    fn draw(&self, inbox: &Receiver<Followed>, period: Duration) {
        let opening = Instant::now();
        let mut followed: Option<Followed> = None;
        loop {
            match inbox.recv_timeout(period) {
                Ok(opened) => {
                    followed = Some(opened);
                    // The style depends on what was opened.
                    self.screen.clear();
                }
                Err(RecvTimeoutError::Timeout) => match &followed {
                    Some((stats, live)) => {
                        self.show(&View::of(&stats.snapshot(), self.outputs), *live);
                    }
                    None => {
                        let waited = opening.elapsed().as_secs();
                        self.show_parts(None, vec![format!("opening the input, {waited} s")]);
                    }
                },
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn show(&self, view: &View, live: bool) {
        match view.length_ms().filter(|_| !live) {
            Some(length) => {
                let bar = Done { position_ms: view.position_ms(length), length_ms: length };
                self.show_parts(Some(&bar), view.progress(length));
            }
            None => self.show_parts(None, view.line()),
        }
    }

    fn show_parts(&self, progress: Option<&Done>, mut parts: Vec<String>) {
        if self.stop.is_stopped() {
            parts.insert(0, "finishing".to_owned());
        }
        let taken = if progress.is_some() { BAR_COLUMNS } else { 0 };
        let message = view::fit(&parts, columns().saturating_sub(taken));
        let draw = |bar: &ProgressBar| {
            if let Some(progress) = progress {
                bar.set_position(progress.position_ms);
            }
            bar.set_message(message);
        };
        self.screen.draw(|| bar(progress), draw);
    }
}

/// Calls `tell` each `period`, up to the end.
fn each(inbox: &Receiver<Followed>, period: Duration, mut tell: impl FnMut()) {
    let mut due = Instant::now() + period;
    while let Err(RecvTimeoutError::Timeout) =
        inbox.recv_timeout(due.saturating_duration_since(Instant::now()))
    {
        tell();
        due += period;
    }
}

/// Calls `tell` each `period` from when something is written, and once more at the end, for as long
/// as it can be told.
fn in_ffmpegs_words(
    inbox: &Receiver<Followed>,
    period: Duration,
    tell: impl Fn(&FfmpegReport, bool) -> bool,
) {
    let Ok((stats, _)) = inbox.recv() else { return };
    let mut is_heard = true;
    each(inbox, period, || {
        let report = FfmpegReport::of(&stats);
        is_heard = is_heard && (!report.has_begun() || tell(&report, false));
    });
    if is_heard {
        tell(&FfmpegReport::of(&stats), true);
    }
}

fn report(inbox: &Receiver<Followed>, reporter: &Reporter) {
    reporter.send(&ChildReport::State(ChildProgress::Opening));
    let (stats, is_live) = loop {
        match inbox.recv_timeout(JSON) {
            Ok(opened) => break opened,
            Err(RecvTimeoutError::Timeout) => reporter.send(&ChildReport::Alive),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    };
    reporter.send(&ChildReport::State(ChildProgress::Opened { is_live }));
    let mut is_running = false;
    each(inbox, JSON, || {
        if !std::mem::replace(&mut is_running, true) {
            reporter.send(&ChildReport::State(ChildProgress::Running));
        }
        reporter.send(&ChildReport::Stats(Box::new(stats.snapshot())));
    });
}

/// How much of a file is done.
struct Done {
    position_ms: u64,
    length_ms: u64,
}

/// A bar beside a message, or a message alone.
fn bar(progress: Option<&Done>) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(REDRAWS_A_SECOND);
    let bar = ProgressBar::with_draw_target(progress.map(|p| p.length_ms), target);
    let template = if progress.is_some() { "[{bar:20}] {percent:>3}%  {msg}" } else { "{msg}" };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
