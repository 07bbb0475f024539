//! One model of a server: the process that runs it for its pipelines, and the thread that sees to
//! it.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::settings::ModelSettings;
use super::sockets::ModelSockets;
use super::stats::{ModelCounts, ModelReport, ModelStats};
use crate::serve::history::{HistoryLine, now_ms};
use crate::serve::processes::cause::{Cause, EndReason};
use crate::serve::processes::child::{Child, ending, withhold};
use crate::serve::processes::context::{ProcessContext, ServeEvent};
use crate::serve::processes::log::ProcessLog;
use crate::serve::processes::state::ProcessState;
use crate::serve::processes::usage::{Usage, Used};
use crate::serve::processes::watch::{
    ChildEnd, ProcessOwner, ReportTimeout, Restarts, pause, watch,
};

/// Asks `frameloom.detect` to end when its stdin does: it must not outlive a server that was killed.
const END_WITH_STDIN: &str = "FRAMELOOM_END_WITH_STDIN";

/// How long a process that was asked to end may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a process that reports may say nothing: as long as its clients wait for an answer. How
/// long it takes to load a model nobody knows.
const REPORT_TIMEOUT: Duration = Duration::from_secs(60);

/// One model.
pub(crate) struct ManagedModel {
    pub(crate) name: String,
    context: Arc<ProcessContext>,
    sockets: Arc<ModelSockets>,
    inner: Mutex<ModelData>,
    /// It is to end, or to be restarted.
    changed: Condvar,
}

struct ModelData {
    settings: Arc<ModelSettings>,
    /// It is to end for ever.
    is_ending: bool,
    /// Rises where what runs has to make place for a new one.
    generation: u64,
    /// The generation that can't be run as it is.
    failed: Option<u64>,
    state: ProcessState,
    since_ms: u64,
    restarts: u64,
    pid: Option<u32>,
    error: Option<Cause>,
    /// The number of the process that runs, or ran last: what an earlier one says comes too late.
    run: u64,
    /// Since when its process takes clients.
    running_since: Option<Instant>,
    counts: ModelCounts,
    /// What its process said last that was no report.
    last_line: Option<String>,
    usage: Usage,
    used: Used,
    log: ProcessLog,
}

/// A process of a model, and what it is watched for.
struct ModelRun<'a> {
    model: &'a ManagedModel,
    generation: u64,
    socket: &'a str,
}

impl ProcessOwner for ModelRun<'_> {
    fn is_wanted(&mut self) -> bool {
        let inner = self.model.lock();
        !inner.is_ending && inner.generation == self.generation
    }

    fn reports(&self) -> u64 {
        self.model.lock().counts.reports
    }

    fn look(&self) {
        let is_starting = self.model.lock().state == ProcessState::Starting;
        if is_starting && Path::new(self.socket).exists() {
            self.model.enter(ProcessState::Running, |inner| {
                inner.running_since = Some(Instant::now());
                inner.error = None;
            });
        }
    }

    fn wait(&self, limit: Duration) {
        let inner = self.model.lock();
        drop(self.model.changed.wait_timeout(inner, limit));
    }
}

impl ManagedModel {
    pub(super) fn new(
        settings: ModelSettings,
        context: Arc<ProcessContext>,
        sockets: Arc<ModelSockets>,
    ) -> Arc<ManagedModel> {
        Arc::new(ManagedModel {
            name: settings.name.clone(),
            context,
            sockets,
            inner: Mutex::new(ModelData {
                settings: Arc::new(settings),
                is_ending: false,
                generation: 0,
                failed: None,
                state: ProcessState::Stopped,
                since_ms: now_ms(),
                restarts: 0,
                pid: None,
                error: None,
                run: 0,
                running_since: None,
                counts: ModelCounts::default(),
                last_line: None,
                usage: Usage::default(),
                used: Used::default(),
                log: ProcessLog::new(),
            }),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, ModelData> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends its process, and starts another one.
    pub(crate) fn restart(&self) {
        self.want(|inner| inner.generation += 1);
    }

    pub(super) fn change(&self, settings: ModelSettings) {
        self.want(|inner| {
            inner.settings = Arc::new(settings);
            inner.generation += 1;
        });
        self.context.tell(ServeEvent::Model(self.name.clone()));
    }

    /// Ends it for ever.
    pub(super) fn end(&self) {
        self.want(|inner| inner.is_ending = true);
    }

    fn want(&self, change: impl FnOnce(&mut ModelData)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Sees to it until it is to end for ever.
    pub(super) fn supervise(self: &Arc<Self>) {
        let mut restarts = Restarts::new();
        while let Some((settings, generation)) = self.wait_until_due() {
            let Some(cause) = self.run_once(&settings, generation) else { continue };
            let running_since = self.lock().running_since;
            let Some(wait) = restarts.wait_after(running_since) else { break };
            let what = format!("model {}", self.name);
            cause.log_restart(&what, self.lock().error.as_ref(), wait);
            self.enter(ProcessState::Restarting, |inner| {
                inner.restarts += 1;
                inner.error = Some(cause);
            });
            pause(wait, &mut ModelRun { model: self, generation, socket: "" });
        }
        self.enter(ProcessState::Stopped, |_| ());
    }

    /// Waits until it is to run. `None` where it never will.
    fn wait_until_due(&self) -> Option<(Arc<ModelSettings>, u64)> {
        let mut inner = self.lock();
        while !inner.is_ending && inner.failed == Some(inner.generation) {
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        (!inner.is_ending).then(|| (Arc::clone(&inner.settings), inner.generation))
    }

    /// Runs one process to its end. Returns why it ended where another one is to be started for that.
    fn run_once(self: &Arc<Self>, settings: &ModelSettings, generation: u64) -> Option<Cause> {
        self.enter(ProcessState::Starting, ModelData::begin_run);
        let end = self.sockets.path(&self.name).and_then(|socket| {
            let child = self.start(settings, &socket)?;
            Ok(self.watch_child(child, &mut ModelRun { model: self, generation, socket: &socket }))
        });
        match end {
            Ok(ChildEnd::Asked) => None,
            Ok(ChildEnd::ByItself(status)) => {
                let cause = self.cause_of(status);
                if status.code() != Some(2) {
                    return Some(cause);
                }
                tracing::error!("model {}: {}", self.name, cause.text);
                self.enter(ProcessState::Failed, |inner| {
                    inner.error = Some(cause);
                    inner.failed = Some(generation);
                });
                None
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

    /// Starts a process that is to listen on `socket`.
    fn start(self: &Arc<Self>, settings: &ModelSettings, socket: &str) -> io::Result<Child> {
        // One that was killed leaves it behind.
        match fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut words = settings.words(socket).into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        withhold(&mut command, &self.context.withheld());
        command.envs(&settings.env).env(END_WITH_STDIN, "1");
        let (model, run) = (Arc::clone(self), self.lock().run);
        let on_line = move |line: String| model.on_line(&line, run);
        Child::spawn(command, &self.name, STOP_TIMEOUT, on_line)
    }

    /// Watches a process to its end.
    fn watch_child(&self, mut child: Child, run: &mut ModelRun<'_>) -> ChildEnd {
        self.enter(ProcessState::Starting, |inner| inner.pid = Some(child.id()));
        let silence = ReportTimeout::new(Instant::now(), (Duration::MAX, REPORT_TIMEOUT));
        let end = watch(&mut child, silence, run);
        let mut inner = self.lock();
        (inner.pid, inner.used) = (None, Used::default());
        inner.usage.kill_rest();
        inner.log.rest();
        end
    }

    /// Why a process ended: what it said last says most, unless it was killed.
    fn cause_of(&self, status: ExitStatus) -> Cause {
        let last = self.lock().last_line.take().filter(|_| status.code().is_some());
        let said = last.map(|line| format!(": {line}")).unwrap_or_default();
        Cause { text: ending(status) + &said, reason: EndReason::Exited(status) }
    }

    fn enter(&self, state: ProcessState, change: impl FnOnce(&mut ModelData)) {
        let mut inner = self.lock();
        change(&mut inner);
        if inner.state != state {
            inner.state = state;
            inner.since_ms = now_ms();
            let line = HistoryLine::of_state(state, &inner.account());
            inner.log.push(line);
        }
        drop(inner);
        self.context.tell(ServeEvent::Model(self.name.clone()));
    }

    /// A line that its process wrote to stderr.
    fn on_line(&self, text: &str, run: u64) {
        let now = Instant::now();
        let mut inner = self.lock();
        match ModelReport::read(text) {
            Some(report) if inner.run == run => inner.counts.add(report, now),
            Some(_) => {}
            None => {
                let line = HistoryLine::new(text);
                inner.last_line = Some(line.text.clone());
                inner.log.take(line, now);
            }
        }
    }

    /// To be called once a second.
    pub(super) fn tick(&self, now: Instant) {
        let mut inner = self.lock();
        inner.log.sum(now);
        let Some(pid) = inner.pid else { return };
        inner.used = inner.usage.look(pid, now);
        drop(inner);
        self.context.tell(ServeEvent::Model(self.name.clone()));
    }

    /// As the API shows it.
    pub(crate) fn shown(&self) -> Json {
        let inner = self.lock();
        json!({
            "name": self.name,
            "settings": inner.settings.shown(),
            "state": inner.state,
            "since_ms": inner.since_ms,
            "restarts": inner.restarts,
            "pid": inner.pid,
            "error": inner.error.as_ref().map(|cause| &cause.text),
            "stats": inner.counts.now(Instant::now()),
            "cpu_percent": inner.used.cpu_percent,
            "memory_bytes": inner.used.memory_bytes,
        })
    }

    /// What is counted of it at this moment.
    pub(super) fn counts(&self) -> ModelAtMoment {
        let inner = self.lock();
        let (batches, frames) = inner.counts.totals();
        let (state, restarts, used) = (inner.state, inner.restarts, inner.used);
        ModelAtMoment {
            state,
            restarts,
            used,
            batches,
            frames,
            now: inner.counts.now(Instant::now()),
        }
    }

    /// The last `count` lines that it said.
    pub(crate) fn log(&self, count: usize) -> Vec<HistoryLine> {
        self.lock().log.last(count)
    }
}

/// What is counted of a model.
pub(super) struct ModelAtMoment {
    pub(super) state: ProcessState,
    pub(super) restarts: u64,
    pub(super) used: Used,
    pub(super) batches: u64,
    pub(super) frames: u64,
    pub(super) now: Option<ModelStats>,
}

impl ModelData {
    /// Another process is about to start.
    fn begin_run(&mut self) {
        self.run += 1;
        self.counts.begin();
        (self.running_since, self.last_line) = (None, None);
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
}
