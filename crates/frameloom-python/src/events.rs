//! What happened, kept for who asks for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use frameloom::Event;

use crate::lock::lock;
use crate::state::PyEvent;

/// Events that are kept.
const KEPT: usize = 1000;

/// What has happened since it was made. Clones are the same log.
#[derive(Clone)]
pub(crate) struct EventLog {
    since: Instant,
    /// Each with the seconds since then.
    events: Arc<Mutex<VecDeque<(f64, Event)>>>,
}

impl EventLog {
    pub(crate) fn new() -> EventLog {
        EventLog { since: Instant::now(), events: Arc::default() }
    }

    /// Puts down what it is events.
    pub(crate) fn listener(&self) -> impl Fn(&Event) + Send + Sync + 'static {
        let log = self.clone();
        move |event| {
            let mut events = lock(&log.events);
            if events.len() >= KEPT {
                events.pop_front();
            }
            events.push_back((log.since.elapsed().as_secs_f64(), event.clone()));
        }
    }

    /// All of it, as Python sees it.
    pub(crate) fn list(&self) -> Vec<PyEvent> {
        lock(&self.events).iter().map(|(at, event)| PyEvent::new(*at, event)).collect()
    }
}
