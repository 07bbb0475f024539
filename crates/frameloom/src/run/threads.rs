//! Threads with names, and what became of them.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Select, Sender, bounded};

use crate::error::{Error, ErrorKind, Result, Stage, os_words};
use crate::time::stop::Stop;

/// Whether who sends would have to wait. Where the receiver is gone, nobody waits; a channel's own answer
/// is that it is full for ever.
pub(super) fn is_full<T>(sender: &Sender<T>) -> bool {
    sender.is_full() && {
        let mut select = Select::new();
        select.send(sender);
        select.try_ready().is_err()
    }
}

/// The first error of any stage.
#[derive(Clone)]
pub(crate) struct Failure {
    first: Arc<Mutex<Option<Error>>>,
    /// Outputs of which nothing was written: an error where there is no other that explains it.
    unwritten: Arc<Mutex<Vec<Error>>>,
    stop: Stop,
}

impl Failure {
    /// Nothing has failed yet. A failure stops `stop`.
    pub(crate) fn new(stop: Stop) -> Failure {
        Failure { first: Arc::default(), unwritten: Arc::default(), stop }
    }

    fn record(&self, error: Error) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Records the error and has the input stop.
    fn report(&self, error: Error) {
        self.record(error);
        self.stop.stop();
    }

    /// Notes an output of which nothing was written.
    pub(super) fn note_unwritten(&self, error: Error) {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }

    /// Whether anything went wrong so far.
    pub(crate) fn is_there(&self) -> bool {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What went wrong and wasn't taken yet. `was_asked` says that a stop was asked for.
    pub(crate) fn take(&self, was_asked: bool) -> Result<()> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(error) = first.filter(|e| !(was_asked && e.kind() == ErrorKind::Interrupted)) {
            return Err(error);
        }
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match unwritten {
            Some(error) if !was_asked => Err(error),
            Some(error) => {
                tracing::warn!("{error}");
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// A pipeline's threads.
pub(crate) struct Threads {
    handles: Arc<Mutex<Vec<JoinHandle<()>>>>,
    failure: Failure,
    /// Nothing is ever sent: that all threads have ended is known by its last end's drop.
    alive: Option<Arc<Sender<()>>>,
    over: Receiver<()>,
}

/// A way to start more threads of a pipeline, for as long as any of them runs.
#[derive(Clone)]
pub(crate) struct MoreThreads {
    handles: Arc<Mutex<Vec<JoinHandle<()>>>>,
    failure: Failure,
    alive: Weak<Sender<()>>,
    over: Receiver<()>,
}

impl MoreThreads {
    /// The threads to which some are added; `None` once all have ended.
    pub(crate) fn open(&self) -> Option<Threads> {
        let alive = Some(self.alive.upgrade()?);
        let (handles, over) = (Arc::clone(&self.handles), self.over.clone());
        Some(Threads { handles, failure: self.failure.clone(), alive, over })
    }
}

impl Threads {
    /// No thread yet; the errors of those to come go to `failure`.
    pub(super) fn new(failure: Failure) -> Threads {
        let (alive, over) = bounded(0);
        Threads { handles: Arc::default(), failure, alive: Some(Arc::new(alive)), over }
    }

    pub(super) fn spawn(
        &mut self,
        name: &str,
        run: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let failure = self.failure.clone();
        self.start(name, move || run().unwrap_or_else(|error| failure.report(error)))
    }

    /// As `spawn`, for the thread that reads: where the input breaks off, what was read of it goes
    /// all the way through.
    pub(super) fn spawn_source(
        &mut self,
        name: &str,
        run: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let failure = self.failure.clone();
        self.start(name, move || run().unwrap_or_else(|error| failure.record(error)))
    }

    fn start(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let alive = self.alive.clone();
        let handle = start_thread(name, move || {
            body();
            drop(alive);
        })?;
        let ended = {
            let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
            let ended: Vec<_> = handles.extract_if(.., |thread| thread.is_finished()).collect();
            handles.push(handle);
            ended
        };
        // What comes and goes must not heap up: a thread keeps its stack until it is joined.
        ended.into_iter().for_each(|thread| self.end(thread));
        Ok(())
    }

    /// Joins a thread; a panic is a failure.
    fn end(&self, thread: JoinHandle<()>) {
        let name = thread.thread().name().unwrap_or("a stage").to_owned();
        if thread.join().is_err() {
            let cause = format!("{name} panicked");
            self.failure.report(Error::new(ErrorKind::Process, Stage::Process, cause));
        }
    }

    /// Starts no more but by what is given. What [`Threads::over`] gives is disconnected once all
    /// have ended.
    pub(super) fn close(&mut self) -> MoreThreads {
        let alive = self.alive.take().map_or_else(Weak::new, |alive| Arc::downgrade(&alive));
        let (handles, over) = (Arc::clone(&self.handles), self.over.clone());
        MoreThreads { handles, failure: self.failure.clone(), alive, over }
    }

    /// Disconnected once all have ended; nothing is ever sent.
    pub(crate) fn over(&self) -> &Receiver<()> {
        &self.over
    }

    /// Waits for all of them; a panic is a failure.
    pub(crate) fn join(&mut self) {
        // A caller that adds one holds this up until it is among the handles.
        let _ = self.over.recv();
        let handles =
            std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        handles.into_iter().for_each(|thread| self.end(thread));
    }
}

/// Starts a thread of this name.
///
/// # Errors
/// Where the system gives none.
pub(crate) fn start_thread(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(|e| {
        let cause = format!("no thread could be started: {}", os_words(&e));
        Error::new(ErrorKind::Other, Stage::Process, cause).because(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_receiver_that_is_gone() {
        let (sender, receiver) = bounded(1);
        assert!(!is_full(&sender));
        sender.send(()).unwrap();
        assert!(is_full(&sender));
        drop(receiver);
        assert!(!is_full(&sender));
    }
}
