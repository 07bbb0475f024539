//! What happens, as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use serde_json::{Value as Json, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::shared::Api;
use super::urls::PlayUrls;
use crate::serve::processes::context::ServeEvent;

/// With nothing else to say for so long, a comment is sent: what is in between may close a
/// connection that is silent.
const SILENCE: Duration = Duration::from_secs(15);

/// One asker.
struct EventStream {
    api: Arc<Api>,
    urls: PlayUrls,
    events: Receiver<ServeEvent>,
    /// What is to be sent before anything new.
    first: VecDeque<Bytes>,
}

/// `GET /api/v1/events`: at first a `pipeline` or `model` event for each that is there.
pub(super) async fn serve(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let urls = api.urls(&headers);
    // From here on nothing is missed that is not in the first events.
    let events = api.context.events();
    let all = api.pipelines.all();
    let first = all.iter().map(|pipeline| event("pipeline", &pipeline.shown(&urls)));
    let models = api.models.all();
    let first = first.chain(models.iter().map(|model| event("model", &model.shown()))).collect();
    let listener = EventStream { api, urls, events, first };
    let stream = unfold(listener, |mut listener| async {
        listener.next().await.map(|bytes| (Ok::<_, Infallible>(bytes), listener))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(stream)).into_response()
}

impl EventStream {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(bytes) = self.first.pop_front() {
            return Some(bytes);
        }
        loop {
            match timeout(SILENCE, self.events.recv()).await {
                Err(_) => return Some(Bytes::from_static(b": nothing new\n\n")),
                Ok(Ok(ServeEvent::Over) | Err(RecvError::Closed)) => return None,
                Ok(Err(RecvError::Lagged(_))) => {}
                Ok(Ok(happened)) => {
                    if let Some(bytes) = self.message(&happened) {
                        return Some(bytes);
                    }
                }
            }
        }
    }

    fn message(&self, happened: &ServeEvent) -> Option<Bytes> {
        let find = |name: &str| self.api.pipelines.find(name);
        Some(match happened {
            ServeEvent::State(name) => match find(name) {
                Some(pipeline) => event("pipeline", &pipeline.shown(&self.urls)),
                None => event("removed", &json!({ "name": name })),
            },
            ServeEvent::Stats(name) => {
                let pipeline = find(name)?;
                let now = json!({
                    "name": name,
                    "now": pipeline.stats(),
                    "point": pipeline.last_point(),
                });
                event("stats", &now)
            }
            ServeEvent::Log(name, line) => {
                let mut fields = json!(line);
                fields["name"] = json!(name);
                event("log", &fields)
            }
            ServeEvent::Reported(name, (kind, input), line) => {
                let (time_ms, text) = (line.time_ms, &line.text);
                let fields = json!({
                    "name": name, "kind": kind, "input": input, "time_ms": time_ms, "text": text,
                });
                event("event", &fields)
            }
            ServeEvent::Model(name) => match self.api.models.find(name) {
                Some(model) => event("model", &model.shown()),
                None => event("model_removed", &json!({ "name": name })),
            },
            ServeEvent::Over => return None,
        })
    }
}

fn event(name: &str, data: &Json) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}
