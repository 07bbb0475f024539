//! The file, read again on SIGHUP and when it changes.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use frameloom::{Error, ErrorKind, Result, Stage};
use signal_hook::consts::SIGHUP;

use super::api::Api;
use super::file::{File, FileContents};
use super::node::NodeEntry;
use super::pipelines::Refused;
use super::pipelines::circle::Clash;

/// What tells two versions of a file apart without reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    length: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Version {
    fn of(metadata: &Metadata) -> Version {
        Version {
            inode: metadata.ino(),
            length: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}

/// Watches the file.
pub(crate) struct Reload {
    path: PathBuf,
    asked: Arc<AtomicBool>,
    /// The one that was read last, and the one that was there a second ago.
    read: Option<Version>,
    seen: Option<Version>,
    /// What it said when it was last taken.
    server: Vec<NodeEntry>,
    contents: FileContents,
    /// The environment variables that it named at the start.
    variables: BTreeSet<String>,
}

impl Reload {
    /// Watches a file that was read.
    ///
    /// # Errors
    /// The system's, where it allows no handler for SIGHUP.
    pub(crate) fn new(file: &File) -> Result<Reload> {
        let asked = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, Arc::clone(&asked)).map_err(|error| {
            let cause = format!("SIGHUP can't be handled: {error}");
            Error::new(ErrorKind::Other, Stage::Options, cause)
        })?;
        let version = version(&file.path);
        Ok(Reload {
            path: file.path.clone(),
            asked,
            read: version,
            seen: version,
            server: file.server.clone(),
            contents: FileContents::default(),
            variables: file.variables.clone(),
        })
    }

    /// Starts what the file says at the server's start.
    pub(crate) fn begin(&mut self, api: &Api, wanted: FileContents) {
        api.context.withhold(std::mem::take(&mut self.variables));
        self.follow(api, wanted);
    }

    /// Reads the file again where it was asked to, or, once in a `second`, where it has changed.
    pub(crate) fn look(
        &mut self,
        api: &Api,
        second: bool,
        environment: &dyn Fn(&str) -> Option<String>,
    ) {
        let asked = self.asked.swap(false, Ordering::SeqCst);
        if !asked && !second {
            return;
        }
        let now = version(&self.path);
        // It may be written at this moment: it has to look the same twice.
        let has_settled = now == std::mem::replace(&mut self.seen, now);
        if asked || (has_settled && now != self.read && now.is_some()) {
            self.read = now;
            self.reload(api, environment);
        }
    }

    fn reload(&mut self, api: &Api, environment: &dyn Fn(&str) -> Option<String>) {
        // What the API writes is read whole, and followed before it changes again.
        let _order = api.order.lock().unwrap_or_else(PoisonError::into_inner);
        let file = File::read(&self.path, environment);
        let checked = file.and_then(|file| {
            let contents = file.contents(&api.here())?;
            Ok((file, contents))
        });
        match checked {
            Ok((file, contents)) => {
                tracing::info!("{} was read again", self.path.display());
                if file.server != self.server {
                    tracing::warn!("what has changed in [server] holds from the next start on");
                }
                api.context.withhold(file.variables);
                self.follow(api, contents);
            }
            Err(error) => self.refused(api, &error.to_string()),
        }
    }

    fn follow(&mut self, api: &Api, contents: FileContents) {
        let FileContents { pipelines, models } = &contents;
        let names = models.iter().map(|model| model.name.as_str()).collect();
        // A pipeline waits for its model, so it makes no difference which of them is first.
        match api.pipelines.follow(&self.contents.pipelines, pipelines, &names) {
            Ok(()) => {
                if let Err(error) = api.models.follow(&self.contents.models, models) {
                    tracing::error!("a model can't be started: {error}");
                }
                self.contents = contents;
                *api.file_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            Err(Refused::Conflict(Clash { name, text, .. })) => {
                self.refused(api, &format!("pipelines.{name}: {text}"));
            }
            Err(Refused::Full(text)) => self.refused(api, &text),
            Err(Refused::Taken | Refused::Unknown) => {}
        }
    }

    fn refused(&self, api: &Api, text: &str) {
        tracing::error!("nothing has changed: {text}");
        *api.file_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
    }
}

fn version(path: &PathBuf) -> Option<Version> {
    std::fs::metadata(path).ok().as_ref().map(Version::of)
}
