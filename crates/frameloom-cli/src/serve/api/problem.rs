//! What the API answers where something is not done.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use frameloom_server::problem_details;
use serde_json::Value;

use crate::serve::fault::{FaultDetails, FaultKind};
use crate::serve::pipelines::Refused;
use crate::serve::pipelines::circle::Clash;

/// Why something is not done.
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: String,
    pub(super) details: Box<FaultDetails>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, kind: FaultKind, detail: impl Into<String>) -> Problem {
        let details = FaultDetails::of_kind(kind).into();
        Problem { status, detail: detail.into(), details }
    }

    /// About a key of the settings.
    pub(super) fn about(mut self, key: &str) -> Problem {
        self.details.key = Some(key.to_owned());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let members = match serde_json::to_value(&self.details) {
            Ok(Value::Object(members)) => members,
            _ => serde_json::Map::new(),
        };
        problem_details(self.status, &self.detail, members)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::Unknown => Problem::new(
                StatusCode::NOT_FOUND,
                FaultKind::NoPipeline,
                "there is no pipeline of this name; GET /api/v1/pipelines tells which there are",
            ),
            Refused::Taken => Problem::new(
                StatusCode::CONFLICT,
                FaultKind::NameTaken,
                "there is a pipeline of this name; PUT changes it",
            )
            .about("name"),
            Refused::Conflict(Clash { text, details, .. }) => {
                Problem { status: StatusCode::CONFLICT, detail: text, details }
            }
            Refused::Full(text) => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, FaultKind::Full, text)
            }
        }
    }
}
