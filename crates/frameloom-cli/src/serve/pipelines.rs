//! The pipelines of a server, each a process of its own.

mod alerts;
pub(crate) mod circle;
mod idle;
pub(crate) mod opens;
pub(crate) mod pipeline;
pub(crate) mod settings;
pub(crate) mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use frameloom::internal::ProgramHint;
use frameloom::{Error, ErrorKind, Result, Stage};
use frameloom_server::Observer;

use self::circle::Clash;
use self::pipeline::ManagedPipeline;
use self::settings::Settings;
use self::shared::{PipelinesShared, SnapshotGuard};
use super::fault::FaultKind;
use super::models::sockets::ModelSockets;
use super::place::StreamOf;
use super::processes::child::{ChildStart, ProgramFile};
use super::processes::context::{ProcessContext, ServeEvent};
use super::processes::leaving::Leaving;

/// Most pipelines of one server.
const MOST: usize = 500;

/// Why something was not done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is one of this name already.
    Taken,
    /// There is none of this name.
    Unknown,
    /// It can't be beside the others.
    Conflict(Clash),
    /// The server can take no more.
    Full(String),
}

/// All pipelines, by name.
pub(crate) struct Pipelines {
    shared: Arc<PipelinesShared>,
    all: Mutex<BTreeMap<String, PipelineThread>>,
    /// Those that were removed and have not ended yet.
    leaving: Leaving,
}

struct PipelineThread {
    pipeline: Arc<ManagedPipeline>,
    thread: JoinHandle<()>,
}

impl Pipelines {
    /// None yet, of a process that was started with `words` as its last arguments.
    ///
    /// # Errors
    /// A process that can't be started again: its file is gone, or it was started otherwise.
    pub(crate) fn new(
        words: &[OsString],
        context: Arc<ProcessContext>,
        sockets: Arc<ModelSockets>,
    ) -> Result<Pipelines> {
        let file = std::env::current_exe().ok();
        let program = file.and_then(|file| ProgramFile::new(file, std::env::args_os(), words));
        let program = program.ok_or_else(|| {
            let cause = "this process does not know how it was started, to start pipelines so";
            Error::new(ErrorKind::Other, Stage::Options, cause).hint(ProgramHint::RunByItself)
        })?;
        let shared = Arc::new(PipelinesShared::new(program, context, sockets));
        Ok(Pipelines { shared, all: Mutex::default(), leaving: Leaving::default() })
    }

    /// The server runs from now on.
    pub(crate) fn attach(&self, observer: Observer) {
        self.shared.attach(observer);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, PipelineThread>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a child of this name is started.
    pub(crate) fn start_of(&self, name: &str) -> ChildStart {
        self.shared.start_of(name)
    }

    pub(crate) fn is_published(&self, stream: &StreamOf) -> bool {
        self.shared.is_published(stream)
    }

    /// Somebody is about to take a picture of `stream`.
    pub(crate) fn begin_snapshot(&self, stream: &StreamOf) -> SnapshotGuard {
        SnapshotGuard::new(&self.shared, stream)
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<ManagedPipeline>> {
        self.lock().values().map(|kept| Arc::clone(&kept.pipeline)).collect()
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<ManagedPipeline>> {
        self.lock().get(name).map(|kept| Arc::clone(&kept.pipeline))
    }

    /// Adds one that is new.
    ///
    /// # Errors
    /// [`Refused`], and nothing has changed.
    pub(crate) fn add(
        &self,
        settings: Settings,
    ) -> std::result::Result<Arc<ManagedPipeline>, Refused> {
        let mut all = self.lock();
        if all.contains_key(&settings.name) {
            return Err(Refused::Taken);
        }
        self.insert(&mut all, settings)
    }

    fn insert(
        &self,
        all: &mut BTreeMap<String, PipelineThread>,
        settings: Settings,
    ) -> std::result::Result<Arc<ManagedPipeline>, Refused> {
        fits(all, &settings)?;
        if all.len() >= MOST {
            return Err(too_many());
        }
        self.start(all, settings)
    }

    /// Starts one that was judged.
    fn start(
        &self,
        all: &mut BTreeMap<String, PipelineThread>,
        settings: Settings,
    ) -> std::result::Result<Arc<ManagedPipeline>, Refused> {
        let pipeline = ManagedPipeline::new(settings, Arc::clone(&self.shared));
        let supervised = Arc::clone(&pipeline);
        let thread = thread::Builder::new()
            .name(format!("pipeline {}", pipeline.name))
            .spawn(move || supervised.supervise())
            .map_err(|error| Refused::Full(format!("no thread: {error}")))?;
        all.insert(
            pipeline.name.clone(),
            PipelineThread { pipeline: Arc::clone(&pipeline), thread },
        );
        Ok(pipeline)
    }

    /// Gives one other settings, and starts it anew with them.
    ///
    /// # Errors
    /// [`Refused`], and nothing has changed.
    pub(crate) fn change(
        &self,
        settings: Settings,
    ) -> std::result::Result<Arc<ManagedPipeline>, Refused> {
        let all = self.lock();
        let kept = all.get(&settings.name).ok_or(Refused::Unknown)?;
        fits(&all, &settings)?;
        kept.pipeline.change(settings);
        Ok(Arc::clone(&kept.pipeline))
    }

    /// Takes one away.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub(crate) fn remove(&self, name: &str) -> std::result::Result<(), Refused> {
        let kept = self.lock().remove(name).ok_or(Refused::Unknown)?;
        self.end_one(kept);
        Ok(())
    }

    fn end_one(&self, kept: PipelineThread) {
        kept.pipeline.end();
        self.leaving.push(kept.thread);
    }

    /// Goes from what a file said to what it says now: only what differs is touched. The change is
    /// judged as a whole, and then made as a whole: what one pipeline gives up another may take.
    ///
    /// # Errors
    /// What can't be beside pipelines that the API added, and these without a model of `models` that
    /// they name; nothing has changed then.
    pub(crate) fn follow(
        &self,
        before: &[Settings],
        now: &[Settings],
        models: &BTreeSet<&str>,
    ) -> std::result::Result<(), Refused> {
        let same_name = |list: &[Settings], name: &str| list.iter().any(|s| s.name == name);
        let is_gone = |name: &str| same_name(before, name) && !same_name(now, name);
        let mut all = self.lock();
        let others: Vec<_> = all
            .values()
            .map(|kept| kept.pipeline.settings())
            .filter(|settings| !same_name(now, &settings.name) && !is_gone(&settings.name))
            .collect();
        circle::check(others.iter().map(AsRef::as_ref).chain(now)).map_err(Refused::Conflict)?;
        if let Some(clash) = others.iter().find_map(|settings| without_model(settings, models)) {
            return Err(Refused::Conflict(clash));
        }
        if others.len() + now.len() > MOST {
            return Err(too_many());
        }
        let gone: Vec<String> = all.keys().filter(|name| is_gone(name)).cloned().collect();
        // The API may have removed one before.
        gone.iter().filter_map(|name| all.remove(name)).for_each(|kept| self.end_one(kept));
        for settings in now.iter().filter(|settings| !before.contains(settings)) {
            match all.get(&settings.name) {
                // The API has made it so, and written it to the file.
                Some(kept) if *kept.pipeline.settings() == *settings => {}
                Some(kept) => kept.pipeline.change(settings.clone()),
                None => drop(self.start(&mut all, settings.clone())?),
            }
        }
        Ok(())
    }

    /// A player asks for a stream that nobody publishes. Whether somebody is about to.
    pub(crate) fn is_asked(&self, app: &str, name: &str) -> bool {
        self.all().iter().fold(false, |found, pipeline| pipeline.is_asked(app, name) | found)
    }

    /// To be called once a second.
    pub(crate) fn tick(&self) {
        let now = Instant::now();
        self.all().iter().for_each(|pipeline| pipeline.tick(now));
    }

    /// Asks all of them to end.
    pub(crate) fn end(&self) {
        self.all().iter().for_each(|pipeline| pipeline.end());
        self.shared.tell(ServeEvent::Over);
    }

    /// Waits until all have ended, for `limit` at the most. Whether they have.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        self.leaving.wait(limit, || self.lock().values().all(|kept| kept.thread.is_finished()))
    }
}

fn too_many() -> Refused {
    Refused::Full(format!("more than {MOST} pipelines are too many"))
}

/// What is wrong with a pipeline whose model is none of these.
fn without_model(settings: &Settings, models: &BTreeSet<&str>) -> Option<Clash> {
    let model = settings.model().filter(|model| !models.contains(model))?;
    let text = format!("it names the model {model}, which the file has no more");
    Some(Clash::new(&settings.name, text, (FaultKind::NoModel, "model"), Vec::new()))
}

/// Whether a pipeline can be beside the others.
fn fits(
    all: &BTreeMap<String, PipelineThread>,
    settings: &Settings,
) -> std::result::Result<(), Refused> {
    let others = all.values().map(|kept| kept.pipeline.settings());
    let others: Vec<_> = others.filter(|other| other.name != settings.name).collect();
    circle::check(others.iter().map(AsRef::as_ref).chain([settings])).map_err(Refused::Conflict)
}
