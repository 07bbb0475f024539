//! The models of the file: what the API shows of them, and their restart.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::problem::Problem;
use super::shared::{Api, lines_asked};
use crate::serve::fault::FaultKind;
use crate::serve::models::model::ManagedModel;

fn find(api: &Api, name: &str) -> Result<Arc<ManagedModel>, Problem> {
    api.models.find(name).ok_or_else(|| {
        let text = "there is no model of this name; GET /api/v1/models tells which there are";
        Problem::new(StatusCode::NOT_FOUND, FaultKind::NoModel, text)
    })
}

pub(super) async fn list(State(api): State<Arc<Api>>) -> Json<Value> {
    let all: Vec<Value> = api.models.all().iter().map(|model| model.shown()).collect();
    Json(json!({ "models": all }))
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(find(&api, &name)?.shown()))
}

pub(super) async fn restart(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let model = find(&api, &name)?;
    model.restart();
    Ok((StatusCode::ACCEPTED, Json(model.shown())))
}

pub(super) async fn log(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Problem> {
    let model = find(&api, &name)?;
    Ok(Json(json!({ "lines": model.log(lines_asked(&query)?) })))
}
