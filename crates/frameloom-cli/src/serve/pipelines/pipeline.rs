//! One pipeline of a server: what it is to do, how it gets on, and the thread that sees to it.

use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use frameloom::{AlertKind, Error, ErrorKind, Snapshot};
use serde_json::{Value as Json, json};

use super::alerts::{AlertChange, AlertList, AlertSources};
use super::idle::IdleTimeout;
use super::settings::Settings;
use super::shared::PipelinesShared;
use crate::report::{ChildProgress, ChildReport};
use crate::serve::api::urls::PlayUrls;
use crate::serve::history::{HistoryLine, LastFew, Point, now_ms, points};
use crate::serve::models::sockets;
use crate::serve::processes::cause::{Cause, EndReason};
use crate::serve::processes::child::{Child, ChildMessage, ending};
use crate::serve::processes::context::ServeEvent;
use crate::serve::processes::log::ProcessLog;
use crate::serve::processes::state::ProcessState;
use crate::serve::processes::usage::{Usage, Used};
use crate::serve::processes::watch::{
    ChildEnd, ProcessOwner, ReportTimeout, Restarts, pause, watch,
};
use crate::serve::wording::Keys;
use crate::supervised::ChildOrder;

/// The longest wait for a stream on this server: to ask there again costs next to nothing, and
/// the server itself holds whoever asks until the stream comes.
const LOCAL_RETRY_MAX: Duration = Duration::from_secs(1);
/// How long a process may say nothing: it tells once a second that it is there. Before its first
/// word it may take longer, to be loaded.
const REPORT_TIMEOUT: Duration = Duration::from_secs(8);
const FIRST_REPORT_TIMEOUT: Duration = Duration::from_secs(30);
/// Stats that are older say nothing about now.
const STATS_MAX_AGE: Duration = Duration::from_secs(5);

/// What its owner wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DesiredState {
    Run,
    Stop,
    /// Stop, and never run again.
    End,
}

/// One pipeline.
pub(crate) struct ManagedPipeline {
    pub(crate) name: String,
    shared: Arc<PipelinesShared>,
    inner: Mutex<PipelineData>,
    /// The desired changed, or somebody wants to play.
    changed: Condvar,
}

struct PipelineData {
    settings: Arc<Settings>,
    /// Rises with each change of the settings: the time of the last one.
    version: u64,
    desired: DesiredState,
    /// It came to its end by itself, and nobody has asked for more.
    is_over: bool,
    /// Rises where what runs has to make place for a new one.
    generation: u64,
    /// Somebody asked for an output, and it is on demand.
    is_wanted: bool,
    state: ProcessState,
    since_ms: u64,
    restarts: u64,
    pid: Option<u32>,
    error: Option<Cause>,
    /// The number of the process that runs, or ran last: what an earlier one says about itself
    /// comes too late.
    run: u64,
    /// Since when its process has an open input.
    running_since: Option<Instant>,
    /// Whether its input is live, where it has reported that.
    is_live: Option<bool>,
    /// The error that it reported.
    failure: Option<Error>,
    stats: Option<(Instant, Snapshot)>,
    /// What its process has reported since it was started.
    reports: u64,
    alerts: AlertList,
    /// When its process was last found to hang.
    hung: Option<Instant>,
    /// Lines from it that should have been reports, and were none.
    wrong_reports: u64,
    usage: Usage,
    used: Used,
    history: LastFew<Point>,
    log: ProcessLog,
}

/// A process of a pipeline, and what it is watched for.
struct PipelineRun<'a> {
    pipeline: &'a ManagedPipeline,
    settings: &'a Settings,
    generation: u64,
    idle: &'a mut IdleTimeout,
}

impl ProcessOwner for PipelineRun<'_> {
    fn is_wanted(&mut self) -> bool {
        self.pipeline.is_due(self.settings, self.generation, self.idle)
    }

    fn reports(&self) -> u64 {
        self.pipeline.lock().reports
    }

    fn hangs(&self) {
        self.pipeline.lock().hung = Some(Instant::now());
    }

    fn wait(&self, limit: Duration) {
        let inner = self.pipeline.lock();
        drop(self.pipeline.changed.wait_timeout(inner, limit));
    }
}

impl ManagedPipeline {
    pub(super) fn new(settings: Settings, shared: Arc<PipelinesShared>) -> Arc<ManagedPipeline> {
        let desired = if settings.enabled { DesiredState::Run } else { DesiredState::Stop };
        Arc::new(ManagedPipeline {
            name: settings.name.clone(),
            shared,
            inner: Mutex::new(PipelineData {
                settings: Arc::new(settings),
                version: now_ms(),
                desired,
                is_over: false,
                generation: 0,
                is_wanted: false,
                state: ProcessState::Stopped,
                since_ms: now_ms(),
                restarts: 0,
                pid: None,
                error: None,
                run: 0,
                running_since: None,
                is_live: None,
                failure: None,
                stats: None,
                reports: 0,
                alerts: AlertList::default(),
                hung: None,
                wrong_reports: 0,
                usage: Usage::default(),
                used: Used::default(),
                history: points(),
                log: ProcessLog::new(),
            }),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, PipelineData> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.lock().settings)
    }

    /// The version of its settings.
    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Runs it, where it doesn't.
    pub(crate) fn start(&self) {
        self.desired(|inner| inner.desired = DesiredState::Run);
    }

    pub(crate) fn stop(&self) {
        self.desired(|inner| inner.desired = DesiredState::Stop);
    }

    pub(crate) fn restart(&self) {
        self.desired(|inner| {
            inner.desired = DesiredState::Run;
            inner.generation += 1;
        });
    }

    pub(super) fn change(&self, settings: Settings) {
        self.desired(|inner| {
            inner.desired = if settings.enabled { DesiredState::Run } else { DesiredState::Stop };
            inner.settings = Arc::new(settings);
            inner.version = now_ms().max(inner.version + 1);
            inner.generation += 1;
        });
        self.shared.tell(ServeEvent::State(self.name.clone()));
    }

    /// Ends it for ever.
    pub(super) fn end(&self) {
        self.desired(|inner| inner.desired = DesiredState::End);
    }

    fn desired(&self, change: impl FnOnce(&mut PipelineData)) {
        let mut inner = self.lock();
        if inner.desired != DesiredState::End {
            inner.is_over = false;
            change(&mut inner);
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Somebody wants to play a stream that nobody publishes. Whether this one is about to.
    pub(super) fn is_asked(&self, app: &str, name: &str) -> bool {
        let mut inner = self.lock();
        let mut outputs = inner.settings.outputs_here.iter();
        let is_its = outputs.any(|stream| stream.app == app && stream.name == name);
        if !is_its || inner.desired != DesiredState::Run {
            return false;
        }
        if inner.settings.on_demand && !inner.is_wanted {
            inner.is_wanted = true;
            self.changed.notify_all();
        }
        true
    }

    /// Sees to it until it is to end for ever.
    pub(super) fn supervise(self: &Arc<Self>) {
        let mut restarts = Restarts::new();
        // From one process to the next: one that fails has no players either.
        let mut idle = IdleTimeout::default();
        while let Some((settings, generation)) = self.wait_until_due() {
            let run =
                PipelineRun { pipeline: self, settings: &settings, generation, idle: &mut idle };
            let Some(cause) = self.run_once(run) else { continue };
            let running_since = self.lock().running_since;
            let Some(mut wait) = restarts.wait_after(running_since) else { break };
            if settings.reads_here() {
                wait = wait.min(LOCAL_RETRY_MAX);
            }
            let what = format!("pipeline {}", self.name);
            cause.log_restart(&what, self.lock().error.as_ref(), wait);
            self.enter(ProcessState::Restarting, |inner| {
                inner.restarts += 1;
                inner.error = Some(cause);
            });
            let idle = &mut idle;
            pause(wait, &mut PipelineRun { pipeline: self, settings: &settings, generation, idle });
        }
        self.enter(ProcessState::Stopped, |_| ());
    }

    /// Runs one process to its end. Returns why it ended where another one is to be started for that.
    fn run_once(self: &Arc<Self>, mut run: PipelineRun<'_>) -> Option<Cause> {
        let (settings, generation) = (run.settings, run.generation);
        let mut number = 0;
        self.enter(ProcessState::Starting, |inner| number = inner.begin_run());
        let pipeline = Arc::clone(self);
        let on_message = move |said: ChildMessage| pipeline.on_message(said, number);
        let child = self
            .order(settings)
            .and_then(|order| Child::start(&self.shared.start_of(&self.name), &order, on_message));
        match child.map(|child| self.watch_child(child, &mut run)) {
            Ok(ChildEnd::Asked) => None,
            Ok(ChildEnd::ByItself(status)) if status.success() && !self.is_live(settings) => {
                self.rest(ProcessState::Stopped, None, generation);
                None
            }
            Ok(ChildEnd::ByItself(status)) => {
                let (cause, is_final) = self.cause_of(status);
                if is_final {
                    self.rest(ProcessState::Failed, Some(cause), generation);
                    return None;
                }
                Some(cause)
            }
            Ok(ChildEnd::Hung) => Some(Cause {
                text: format!("its process said nothing for {} s", REPORT_TIMEOUT.as_secs()),
                reason: EndReason::Hung,
            }),
            Err(error) => Some(Cause {
                text: format!("its process can't be started: {error}"),
                reason: EndReason::NotStarted(error.kind()),
            }),
        }
    }

    /// What its process is told, with where its COMMAND reaches its model.
    fn order(&self, settings: &Settings) -> io::Result<ChildOrder> {
        let mut order = settings.order();
        if let Some(model) = settings.model() {
            order.env.insert(sockets::VARIABLE.to_owned(), self.shared.sockets.path(model)?);
        }
        Ok(order)
    }

    /// Waits until it is to run. `None` where it never will.
    fn wait_until_due(&self) -> Option<(Arc<Settings>, u64)> {
        let mut inner = self.lock();
        loop {
            let resting = match inner.desired {
                DesiredState::End => return None,
                DesiredState::Run if !inner.settings.on_demand || inner.is_wanted => {
                    return Some((Arc::clone(&inner.settings), inner.generation));
                }
                DesiredState::Run => ProcessState::Waiting,
                DesiredState::Stop if inner.state == ProcessState::Failed => ProcessState::Failed,
                DesiredState::Stop => ProcessState::Stopped,
            };
            if inner.state != resting {
                drop(inner);
                self.enter(resting, |inner| {
                    if resting == ProcessState::Waiting {
                        inner.error = None;
                    }
                });
                inner = self.lock();
                continue;
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Watches a child to its end.
    fn watch_child(&self, mut child: Child, run: &mut PipelineRun<'_>) -> ChildEnd {
        self.enter(ProcessState::Starting, |inner| inner.pid = Some(child.id()));
        let silence = ReportTimeout::new(Instant::now(), (FIRST_REPORT_TIMEOUT, REPORT_TIMEOUT));
        let end = watch(&mut child, silence, run);
        let mut inner = self.lock();
        (inner.pid, inner.stats, inner.used) = (None, None, Used::default());
        inner.usage.kill_rest();
        let left_out = inner.log.rest();
        drop(inner);
        self.tell_lines(left_out);
        end
    }

    /// Whether what was begun is to go on.
    fn is_due(&self, settings: &Settings, generation: u64, idle: &mut IdleTimeout) -> bool {
        let players = || {
            let outputs = settings.outputs_here.iter();
            outputs.map(|stream| self.shared.players(stream)).sum::<usize>()
        };
        let is_idle = settings.on_demand && idle.is_over(settings.idle_timeout, players);
        let mut inner = self.lock();
        if is_idle {
            inner.is_wanted = false;
            *idle = IdleTimeout::default();
        }
        inner.desired == DesiredState::Run && inner.generation == generation && !is_idle
    }

    /// Stops by itself, unless something else was wanted meanwhile.
    fn rest(&self, state: ProcessState, error: Option<Cause>, generation: u64) {
        if let Some(error) = &error {
            tracing::error!("pipeline {}: {}", self.name, error.text);
        }
        self.enter(state, |inner| {
            inner.error = error;
            if inner.desired == DesiredState::Run && inner.generation == generation {
                inner.desired = DesiredState::Stop;
                inner.is_over = true;
            }
        });
    }

    fn enter(&self, state: ProcessState, change: impl FnOnce(&mut PipelineData)) {
        let mut inner = self.lock();
        change(&mut inner);
        if inner.state != state {
            inner.state = state;
            inner.since_ms = now_ms();
            let line = HistoryLine::of_state(state, &inner.account());
            self.shared.tell(ServeEvent::Log(self.name.clone(), line.clone()));
            inner.log.push(line);
        }
        drop(inner);
        if !self.update_alerts() {
            self.shared.tell(ServeEvent::State(self.name.clone()));
        }
    }

    /// Says what has changed of the alerts. Whether anything has.
    fn update_alerts(&self) -> bool {
        let is_at_limit = self.shared.is_at_memory_limit();
        let mut inner = self.lock();
        let changes = inner.update_alerts(is_at_limit);
        for change in &changes {
            let line = change.line();
            let (name, text) = (&self.name, &line.text);
            match change {
                // Why a process ended is logged with what is done about it.
                AlertChange::Begun(_) if inner.error.is_some() => {}
                AlertChange::Begun(_) => tracing::warn!("pipeline {name}: {text}"),
                AlertChange::Over(_) => tracing::info!("pipeline {name}: {text}"),
            }
            self.shared.tell(ServeEvent::Log(self.name.clone(), line.clone()));
            inner.log.push(line);
        }
        drop(inner);
        if !changes.is_empty() {
            self.shared.tell(ServeEvent::State(self.name.clone()));
        }
        !changes.is_empty()
    }

    /// What its process says.
    fn on_message(&self, said: ChildMessage, run: u64) {
        match said {
            ChildMessage::Line(text) => self.on_line(HistoryLine::new(&text)),
            ChildMessage::Report(report) => self.on_report(*report, run),
            ChildMessage::Wrong => {
                self.lock().wrong_reports += 1;
                tracing::debug!("pipeline {}: a report of its process can't be read", self.name);
            }
        }
    }

    fn on_line(&self, line: HistoryLine) {
        let new = self.lock().log.take(line, Instant::now());
        self.tell_lines(new);
    }

    fn tell_lines(&self, lines: impl IntoIterator<Item = HistoryLine>) {
        for line in lines {
            self.shared.tell(ServeEvent::Log(self.name.clone(), line));
        }
    }

    fn on_report(&self, report: ChildReport, run: u64) {
        let mut inner = self.lock();
        if inner.run != run {
            return;
        }
        inner.reports += 1;
        match report {
            ChildReport::Alive => {}
            ChildReport::State(ChildProgress::Opening) => {}
            ChildReport::State(ChildProgress::Opened { is_live }) => inner.is_live = Some(is_live),
            ChildReport::State(ChildProgress::Running) => {
                let is_first = inner.state == ProcessState::Starting;
                inner.running_since.get_or_insert_with(Instant::now);
                drop(inner);
                if is_first {
                    self.enter(ProcessState::Running, |inner| inner.error = None);
                }
            }
            ChildReport::Stats(stats) => inner.stats = Some((Instant::now(), *stats)),
            ChildReport::Error(error) => inner.failure = Some(error),
            ChildReport::Log(report) => {
                drop(inner);
                self.on_line(HistoryLine::of_log(&report));
            }
            ChildReport::Event(happened) => {
                drop(inner);
                let (name, line) = (self.name.clone(), HistoryLine::new(&happened.text));
                let about = (happened.kind, happened.input);
                self.shared.tell(ServeEvent::Reported(name, about, line));
            }
        }
    }

    /// Whether its input has no end by itself: what its process says, or as it looks.
    fn is_live(&self, settings: &Settings) -> bool {
        self.lock().is_live.unwrap_or(settings.is_live)
    }

    /// Why a child ended: the error that it reported, where it did. And whether it would end in the
    /// same way again.
    fn cause_of(&self, status: ExitStatus) -> (Cause, bool) {
        // One that was killed did not come to an end by its error.
        let error = self.lock().failure.take().filter(|_| status.code().is_some());
        let is_usage = error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Usage);
        let cause = match error {
            Some(error) => Cause {
                text: HistoryLine::new(&error.display(&Keys).to_string()).text,
                reason: EndReason::Reported(error),
            },
            None => Cause { text: ending(status), reason: EndReason::Exited(status) },
        };
        (cause, is_usage || status.code() == Some(2))
    }

    /// To be called once a second.
    pub(super) fn tick(&self, now: Instant) {
        let mut inner = self.lock();
        let left_out = inner.log.sum(now);
        drop(inner);
        self.tell_lines(left_out);
        self.update_alerts();
        let mut inner = self.lock();
        let Some(pid) = inner.pid else { return };
        let used = inner.usage.look(pid, now);
        inner.used = used;
        let point = match &inner.stats {
            Some((at, stats)) if now.saturating_duration_since(*at) < STATS_MAX_AGE => {
                Point::of(Some(stats), used)
            }
            _ => Point::of(None, used),
        };
        inner.history.push(point);
        drop(inner);
        self.shared.tell(ServeEvent::Stats(self.name.clone()));
    }

    /// As the API shows it.
    pub(crate) fn shown(&self, urls: &PlayUrls) -> Json {
        let inner = self.lock();
        let settings = &inner.settings;
        json!({
            "name": self.name,
            "settings": settings.shown(),
            "version": inner.version,
            "state": inner.state,
            "since_ms": inner.since_ms,
            "restarts": inner.restarts,
            "pid": inner.pid,
            "error": inner.error.as_ref().map(|cause| &cause.text),
            "alerts": inner.alerts.all(),
            "stats": inner.shown_now(),
            "play": {
                "input": settings.first_input().and_then(|(_, here)| here).map(|stream| urls.of(stream)),
                "output": settings.outputs_here.first().map(|stream| urls.of(stream)),
            },
        })
    }

    /// Its counters at this moment.
    pub(crate) fn counts(&self) -> Counts {
        let inner = self.lock();
        Counts {
            state: inner.state,
            restarts: inner.restarts,
            wrong_reports: inner.wrong_reports,
            alerts: inner.alerts.all().iter().map(|alert| alert.kind).collect(),
            stats: inner.now().cloned(),
            used: inner.used,
        }
    }

    pub(crate) fn state(&self) -> ProcessState {
        self.lock().state
    }

    /// Whether it has come to its end by itself, and is not tried again.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Why it does not run, where that was nobody's desired.
    pub(crate) fn failure(&self) -> Option<Cause> {
        let inner = self.lock();
        let has_failed = matches!(inner.state, ProcessState::Restarting | ProcessState::Failed);
        inner.error.clone().filter(|_| has_failed)
    }

    /// Its stats now, as the API shows them.
    pub(crate) fn stats(&self) -> Option<Json> {
        self.lock().shown_now()
    }

    /// Its stats now.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.lock().now().cloned()
    }

    /// Its stats over the last ten minutes.
    pub(crate) fn history(&self) -> Vec<Point> {
        self.lock().history.last(usize::MAX).cloned().collect()
    }

    /// The last second of them.
    pub(crate) fn last_point(&self) -> Option<Point> {
        self.lock().history.last(1).next().cloned()
    }

    /// The last `count` lines that it said.
    pub(crate) fn log(&self, count: usize) -> Vec<HistoryLine> {
        self.lock().log.last(count)
    }
}

/// What is counted of a pipeline.
pub(crate) struct Counts {
    pub(crate) state: ProcessState,
    pub(crate) restarts: u64,
    /// Lines that should have been reports of its process, and were none.
    pub(crate) wrong_reports: u64,
    pub(crate) alerts: Vec<AlertKind>,
    pub(crate) stats: Option<Snapshot>,
    pub(crate) used: Used,
}

impl PipelineData {
    /// Another process is about to start. Its number is returned.
    fn begin_run(&mut self) -> u64 {
        self.run += 1;
        (self.is_live, self.failure, self.running_since) = (None, None, None);
        self.reports = 0;
        self.run
    }

    /// Goes over to the alerts of now: a pipeline that nobody wants to run has none.
    fn update_alerts(&mut self, is_at_limit: bool) -> Vec<AlertChange> {
        let is_wanted = !matches!(self.state, ProcessState::Stopped | ProcessState::Waiting);
        let reported = self.stats.as_ref().filter(|(at, _)| at.elapsed() <= STATS_MAX_AGE);
        let sources = AlertSources {
            reported: reported.map(|(_, stats)| stats.alerts.as_slice()).unwrap_or_default(),
            cause: self.error.as_ref(),
            hung: self.hung,
            // What it reads or publishes elsewhere is another server's.
            is_at_memory_limit: is_at_limit
                && (self.settings.reads_here() || !self.settings.outputs_here.is_empty()),
        };
        let sources = if is_wanted { sources } else { AlertSources::default() };
        self.alerts.update(sources, Instant::now())
    }

    /// A line of the log about the state that it came to.
    fn account(&self) -> String {
        match (self.state, self.pid, &self.error) {
            (ProcessState::Running, Some(pid), _) => format!("running: process {pid}"),
            (ProcessState::Restarting | ProcessState::Failed, _, Some(error)) => {
                format!("{}: {}", self.state.name(), error.text)
            }
            (state, ..) => state.name().to_owned(),
        }
    }

    fn now(&self) -> Option<&Snapshot> {
        self.stats.as_ref().filter(|(at, _)| at.elapsed() <= STATS_MAX_AGE).map(|(_, stats)| stats)
    }

    fn shown_now(&self) -> Option<Json> {
        // Its types can all be written.
        let mut stats = serde_json::to_value(self.now()?).ok()?;
        // They stand beside the stats.
        stats.as_object_mut()?.remove("alerts");
        stats["cpu_percent"] = self.used.cpu_percent.into();
        stats["memory_bytes"] = self.used.memory_bytes.into();
        Some(stats)
    }
}
