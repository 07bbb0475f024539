//! What the handlers of the API share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode};

use super::problem::Problem;
use super::urls::PlayUrls;
use crate::serve::fault::FaultKind;
use crate::serve::models::Models;
use crate::serve::pipelines::Pipelines;
use crate::serve::place::Here;
use crate::serve::processes::context::ProcessContext;
use crate::serve::save::ChangeStore;
use crate::serve::snapshot::Snapshots;

/// Lines of a log that are told where nobody says how many.
const LINES: usize = 100;

/// How many lines of a log a request asks for.
pub(super) fn lines_asked(query: &HashMap<String, String>) -> Result<usize, Problem> {
    query.get("lines").map_or(Ok(LINES), |text| text.parse()).map_err(|_| {
        let text = "lines is a whole number, as in ?lines=50";
        Problem::new(StatusCode::BAD_REQUEST, FaultKind::BadRequest, text)
    })
}

/// What the handlers share.
pub(crate) struct Api {
    pub(crate) pipelines: Arc<Pipelines>,
    pub(crate) models: Arc<Models>,
    pub(crate) context: Arc<ProcessContext>,
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
