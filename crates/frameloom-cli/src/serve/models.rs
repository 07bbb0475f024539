//! The models of a server's file, each a process that several pipelines use.

mod metrics;
pub(crate) mod model;
pub(crate) mod settings;
pub(crate) mod sockets;
mod stats;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::model::ManagedModel;
use self::settings::ModelSettings;
use self::sockets::ModelSockets;
use super::processes::context::{ProcessContext, ServeEvent};
use super::processes::leaving::Leaving;

/// Most models of one server.
pub(crate) const MOST: usize = 64;

/// All models, by name.
pub(crate) struct Models {
    context: Arc<ProcessContext>,
    sockets: Arc<ModelSockets>,
    all: Mutex<BTreeMap<String, ModelThread>>,
    /// Those that were removed and have not ended yet.
    leaving: Leaving,
}

struct ModelThread {
    model: Arc<ManagedModel>,
    thread: JoinHandle<()>,
}

impl Models {
    /// None yet.
    pub(crate) fn new(context: Arc<ProcessContext>, sockets: Arc<ModelSockets>) -> Models {
        Models { context, sockets, all: Mutex::default(), leaving: Leaving::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ModelThread>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<ManagedModel>> {
        self.lock().values().map(|kept| Arc::clone(&kept.model)).collect()
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<ManagedModel>> {
        self.lock().get(name).map(|kept| Arc::clone(&kept.model))
    }

    /// Goes over to what the file says: only what differs from what runs is touched.
    ///
    /// # Errors
    /// The system's, where there is no thread.
    pub(crate) fn follow(&self, before: &[ModelSettings], now: &[ModelSettings]) -> io::Result<()> {
        let mut all = self.lock();
        let gone = |name: &String| now.iter().all(|settings| settings.name != *name);
        let gone: Vec<String> = all.keys().filter(|name| gone(name)).cloned().collect();
        for kept in gone.iter().filter_map(|name| all.remove(name)) {
            kept.model.end();
            self.leaving.push(kept.thread);
        }
        for settings in now.iter().filter(|settings| !before.contains(settings)) {
            match all.get(&settings.name) {
                Some(kept) => kept.model.change(settings.clone()),
                None => {
                    let kept = self.start(settings.clone())?;
                    all.insert(settings.name.clone(), kept);
                }
            }
        }
        drop(all);
        gone.into_iter().for_each(|name| self.context.tell(ServeEvent::Model(name)));
        Ok(())
    }

    fn start(&self, settings: ModelSettings) -> io::Result<ModelThread> {
        let (context, sockets) = (Arc::clone(&self.context), Arc::clone(&self.sockets));
        let model = ManagedModel::new(settings, context, sockets);
        let supervised = Arc::clone(&model);
        let name = format!("model {}", model.name);
        let thread = thread::Builder::new().name(name).spawn(move || supervised.supervise())?;
        Ok(ModelThread { model, thread })
    }

    /// To be called once a second.
    pub(crate) fn tick(&self) {
        let now = Instant::now();
        self.all().iter().for_each(|model| model.tick(now));
    }

    /// Asks all of them to end.
    pub(crate) fn end(&self) {
        self.all().iter().for_each(|model| model.end());
    }

    /// Waits until all have ended, for `limit` at the most. Whether they have.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        self.leaving.wait(limit, || self.lock().values().all(|kept| kept.thread.is_finished()))
    }

    /// Their metrics, as Prometheus reads them.
    pub(crate) fn metrics(&self) -> String {
        metrics::text(&self.all())
    }
}
