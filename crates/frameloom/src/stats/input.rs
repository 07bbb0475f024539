//! What is counted of one input.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::snapshot::{EndState, InputSnapshot};

#[derive(Debug)]
pub(super) struct InputCounters {
    /// As it may be shown.
    url: String,
    is_live: bool,
    lost: Mutex<Option<Instant>>,
    reconnects: AtomicU64,
    frames_in: AtomicU64,
    packets_in: AtomicU64,
    bytes_in: AtomicU64,
}

impl InputCounters {
    pub(super) fn new(url: String, is_live: bool) -> InputCounters {
        InputCounters {
            url,
            is_live,
            lost: Mutex::default(),
            reconnects: AtomicU64::new(0),
            frames_in: AtomicU64::new(0),
            packets_in: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }

    pub(super) fn packet_in(&self, bytes: usize) {
        self.packets_in.fetch_add(1, Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn frame_in(&self) {
        self.frames_in.fetch_add(1, Relaxed);
    }

    pub(super) fn lost(&self, now: Instant) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    pub(super) fn back(&self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.reconnects.fetch_add(1, Relaxed);
    }

    pub(super) fn snapshot(&self, now: Instant) -> InputSnapshot {
        let lost = *self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let lost_for = lost.map(|since| now.saturating_duration_since(since).as_millis());
        InputSnapshot {
            url: self.url.clone(),
            live: self.is_live,
            state: if lost.is_some() { EndState::Lost } else { EndState::Ok },
            lost_for_ms: lost_for.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
            reconnects: self.reconnects.load(Relaxed),
            frames_in: self.frames_in.load(Relaxed),
            packets_in: self.packets_in.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
        }
    }
}
