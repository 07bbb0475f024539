//! The API below `/api/v1`: JSON in and out, and `application/problem+json` where it fails.
//! `api/openapi.json` describes it; who may ask at all is the server's affair.

mod events;
mod models;
mod problem;
mod shared;
pub(crate) mod urls;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use self::problem::Problem;
pub(crate) use self::shared::Api;
use self::shared::lines_asked;
use super::fault::{FaultDetails, FaultKind};
use super::keys::HIDDEN;
use super::node::Node;
use super::pipelines::Refused;
use super::pipelines::opens;
use super::pipelines::pipeline::ManagedPipeline;
use super::pipelines::settings::Settings;
use super::save::Change;
use super::snapshot::PipelineEnd;

/// Most bytes of a request's body.
const MOST_BODY: usize = 64 << 10;

impl Api {
    fn find(&self, name: &str) -> Result<Arc<ManagedPipeline>, Problem> {
        self.pipelines.find(name).ok_or_else(|| Refused::Unknown.into())
    }

    /// Makes a change once all earlier ones are made, and writes it to the file where that is
    /// wanted. A request that is given up meanwhile is done all the same.
    async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Api) -> Result<(T, Change), Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let api = Arc::clone(self);
        let work = move || {
            let _order = api.order.lock().unwrap_or_else(PoisonError::into_inner);
            let (done, change) = change(&api)?;
            api.keep(&change).map(|()| done)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, FaultKind::Full, "the server stops")
        })?
    }

    fn keep(&self, change: &Change) -> Result<(), Problem> {
        let Some(store) = &self.store else { return Ok(()) };
        let environment = |name: &str| std::env::var(name).ok();
        store.keep(change, &environment).map_err(|cause| {
            let text = format!("done until the server ends, but {cause}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, FaultKind::NotSaved, text)
        })
    }
}

/// The routes.
pub(crate) fn routes(api: Arc<Api>) -> Router {
    let act = |act: fn(&ManagedPipeline)| {
        let order = move |api: State<Arc<Api>>, headers: HeaderMap, name: Path<String>| async move {
            ordered(&api, &headers, &name, act)
        };
        only("POST", post(order))
    };
    let picture = |end: PipelineEnd| {
        let show = move |State(api): State<Arc<Api>>, name: Path<String>| async move {
            let pipeline = api.find(&name)?;
            Ok::<_, Problem>(api.snapshots.picture(&api.pipelines, &pipeline, end).await)
        };
        only("GET", get(show))
    };
    let one = "/api/v1/pipelines/{name}";
    Router::new()
        .route("/api/v1/pipelines", only("GET, POST", get(list).post(add)))
        .route(one, only("GET, PUT, DELETE", get(show).put(change).delete(remove)))
        .route(&format!("{one}/start"), act(ManagedPipeline::start))
        .route(&format!("{one}/stop"), act(ManagedPipeline::stop))
        .route(&format!("{one}/restart"), act(ManagedPipeline::restart))
        .route(&format!("{one}/stats"), only("GET", get(stats)))
        .route(&format!("{one}/log"), only("GET", get(log)))
        .route(&format!("{one}/input.jpg"), picture(PipelineEnd::Input))
        .route(&format!("{one}/output.jpg"), picture(PipelineEnd::Output))
        .route("/api/v1/models", only("GET", get(models::list)))
        .route("/api/v1/models/{name}", only("GET", get(models::show)))
        .route("/api/v1/models/{name}/restart", only("POST", post(models::restart)))
        .route("/api/v1/models/{name}/log", only("GET", get(models::log)))
        .route("/api/v1/events", only("GET", get(events::serve)))
        .route("/api/v1/openapi.json", only("GET", get(description)))
        .route("/api/{*rest}", axum::routing::any(nothing))
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .with_state(api)
}

/// Answers other methods with what is allowed.
fn only(allowed: &'static str, methods: MethodRouter<Arc<Api>>) -> MethodRouter<Arc<Api>> {
    methods.fallback(move || async move {
        let text = format!("only {allowed} is served here");
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, FaultKind::BadRequest, text);
        let mut response = problem.into_response();
        response.headers_mut().insert(ALLOW, axum::http::HeaderValue::from_static(allowed));
        response
    })
}

async fn nothing() -> Problem {
    let text = "nothing is here; /api/v1/openapi.json tells what is where";
    Problem::new(StatusCode::NOT_FOUND, FaultKind::BadRequest, text)
}

async fn description() -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
    (headers, include_str!("api/openapi.json")).into_response()
}

async fn list(State(api): State<Arc<Api>>, headers: HeaderMap) -> Json<Value> {
    let urls = api.urls(&headers);
    let all: Vec<Value> = api.pipelines.all().iter().map(|p| p.shown(&urls)).collect();
    let file_error = api.file_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Json(json!({
        "pipelines": all,
        "file_error": file_error,
        "urls": urls.bases(),
        "publish_key": api.publish_key,
        "play_key": api.play_key,
    }))
}

async fn add(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let urls = api.urls(&headers);
    let pipeline = api
        .change(move |api| {
            let settings = settings_of(api, &headers, body, None)?;
            let pipeline = api.pipelines.add(settings.clone())?;
            Ok((pipeline, Change::Set(settings.into())))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(pipeline.shown(&urls))))
}

async fn show(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(api.find(&name)?.shown(&api.urls(&headers))))
}

async fn change(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let urls = api.urls(&headers);
    Ok(Json(
        api.change(move |api| {
            let pipeline = api.find(&name)?;
            check_version(&headers, pipeline.version())?;
            let old = pipeline.settings();
            let settings = settings_of(api, &headers, body, Some(&old))?;
            let pipeline = api.pipelines.change(settings.clone())?;
            Ok((pipeline, Change::Set(settings.into())))
        })
        .await?
        .shown(&urls),
    ))
}

async fn remove(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    api.change(move |api| {
        api.pipelines.remove(&name)?;
        Ok(((), Change::Removed(name)))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn ordered(
    api: &Api,
    headers: &HeaderMap,
    name: &str,
    act: fn(&ManagedPipeline),
) -> Result<(StatusCode, Json<Value>), Problem> {
    let pipeline = api.find(name)?;
    act(&pipeline);
    Ok((StatusCode::ACCEPTED, Json(pipeline.shown(&api.urls(headers)))))
}

async fn stats(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let pipeline = api.find(&name)?;
    Ok(Json(json!({ "now": pipeline.stats(), "history": pipeline.history() })))
}

async fn log(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "lines": api.find(&name)?.log(lines_asked(&query)?) })))
}

/// Refuses a change of settings that somebody else has changed meanwhile.
fn check_version(headers: &HeaderMap, version: u64) -> Result<(), Problem> {
    let Some(wanted) = headers.get(IF_MATCH) else { return Ok(()) };
    let version = format!("\"{version}\"");
    let mut named = wanted.to_str().unwrap_or_default().split(',').map(str::trim);
    if named.any(|name| name == "*" || name == version) {
        return Ok(());
    }
    let text = "somebody else has changed it meanwhile; GET tells what it is now";
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, FaultKind::Changed, text))
}

/// The settings in a request's body: those of a new pipeline, or the ones in place of `old`, of
/// which what was shown hidden stays as it is.
fn settings_of(
    api: &Api,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    old: Option<&Settings>,
) -> Result<Settings, Problem> {
    let bad = |status, text: &str| Problem::new(status, FaultKind::BadRequest, text);
    let body = body.map_err(|rejected| match rejected.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            bad(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 64 KiB")
        }
        status => bad(status, "the body could not be read; send it again"),
    })?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let text = "send the settings as JSON, with the header 'Content-Type: application/json'";
        return Err(bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let parsed: Value = serde_json::from_slice(&body).map_err(|error| {
        // Its text may quote what was sent; the place is enough.
        let place = format!("line {}, column {}", error.line(), error.column());
        bad(StatusCode::BAD_REQUEST, &format!("this is no JSON: {place}"))
    })?;
    let Value::Object(mut map) = parsed else {
        return Err(bad(StatusCode::BAD_REQUEST, "the settings are a JSON object"));
    };
    let wrong = |kind, text: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, kind, text);
    let name = match (map.remove("name"), old.map(|old| old.name.as_str())) {
        (None, Some(name)) => name.to_owned(),
        (Some(Value::String(given)), Some(name)) if given == name => given,
        (Some(Value::String(given)), None) => given,
        (Some(_), Some(name)) => {
            let text = format!("the name is {name}; add a new one for another name");
            return Err(wrong(FaultKind::WrongName, &text).about("name"));
        }
        (_, None) => {
            return Err(wrong(FaultKind::Missing, "the settings need a name").about("name"));
        }
    };
    let mut node = Node::from_json(Value::Object(map));
    if let Some(old) = old {
        node = old.restored(node);
    }
    if let Some(path) = node.path_to(HIDDEN) {
        let text = "a value has '***' in it, as hidden ones are shown: write it in full";
        return Err(wrong(FaultKind::Hidden, text).about(&path.join(".")));
    }
    // Whoever sent one pipeline knows which it is.
    let own = format!("pipelines.{name}");
    let read = Settings::read(&name, &node, None, &api.here());
    let models = api.models.all();
    let checked = read.and_then(|settings| {
        settings.check_model(models.iter().map(|model| model.name.as_str()))?;
        opens::refuse(&settings, old).map(|()| settings)
    });
    checked.map_err(|fault| {
        let key = fault.key.strip_prefix(&own).map(|key| key.trim_start_matches('.'));
        let key = key.unwrap_or(&fault.key);
        let detail =
            if key.is_empty() { fault.text.clone() } else { format!("{key}: {}", fault.text) };
        let known = fault.details.key.clone().or_else(|| (!key.is_empty()).then(|| key.to_owned()));
        let details = FaultDetails { key: known, ..*fault.details }.into();
        Problem { status: StatusCode::UNPROCESSABLE_ENTITY, detail, details }
    })
}
