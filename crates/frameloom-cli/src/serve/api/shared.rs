//! What the handlers of the API share.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;

use super::urls::PlayUrls;
use crate::serve::pipelines::Pipelines;
use crate::serve::place::Here;
use crate::serve::save::ChangeStore;
use crate::serve::snapshot::Snapshots;

/// What the handlers share.
pub(crate) struct Api {
    pub(crate) pipelines: Arc<Pipelines>,
    /// Where the server is, once it is.
    pub(crate) here: Mutex<Here>,
    /// Why the file was not taken when it last changed.
    pub(crate) file_error: Mutex<Option<String>>,
    /// Whether who publishes and who plays is asked for a key.
    pub(crate) publish_key: bool,
    pub(crate) play_key: bool,
    pub(crate) snapshots: Snapshots,
    /// Where what is changed here is written to, if anywhere.
    pub(crate) store: Option<ChangeStore>,
    /// Held from the first look at what is to be changed until the change is written: one change
    /// comes after the other, in the pipelines as in the file.
    pub(crate) order: Mutex<()>,
}

impl Api {
    pub(crate) fn here(&self) -> Here {
        *self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where streams are played, for whoever sent these headers.
    pub(super) fn urls(&self, headers: &HeaderMap) -> PlayUrls {
        PlayUrls::of_request(&self.here(), headers)
    }
}
