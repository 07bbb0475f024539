//! One picture of what goes in or comes out, as JPEG, by a child that reads one frame.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use frameloom_server::{Secret, problem_details};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::pipelines::Pipelines;
use super::pipelines::pipeline::ManagedPipeline;
use super::pipelines::settings::Settings;
use super::place::StreamOf;
use super::processes::child::{command, line_of};
use super::processes::state::ProcessState;
use crate::supervised::ChildOrder;

/// How long a picture may take, and how long a request may wait for its turn.
const LIMIT: Duration = Duration::from_secs(8);
/// How long a picture is good for whoever asks next.
const FRESH: Duration = Duration::from_secs(1);
/// Pictures that are made at once.
const AT_ONCE: usize = 2;
/// Longest picture, in bytes.
const MOST_BYTES: u64 = 8 << 20;
/// No picture is wider, in pixels: they are shown small.
const SCALE: &str = "scale='min(640,iw)':-2";

/// Which end of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PipelineEnd {
    Input,
    Output,
}

/// Makes pictures, and keeps each for a moment.
pub(crate) struct Snapshots {
    turns: Semaphore,
    kept: Mutex<HashMap<(String, PipelineEnd), (Instant, Bytes)>>,
    /// What this server asks its players for: whoever may ask for a picture may see it.
    play_key: Option<Secret>,
}

impl Snapshots {
    pub(crate) fn new(play_key: Option<Secret>) -> Snapshots {
        Snapshots { turns: Semaphore::new(AT_ONCE), kept: Mutex::default(), play_key }
    }

    /// The answer to a request for a picture.
    pub(crate) async fn picture(
        &self,
        pipelines: &Pipelines,
        pipeline: &Arc<ManagedPipeline>,
        end: PipelineEnd,
    ) -> Response {
        let answer = timeout(LIMIT, self.make(pipelines, pipeline, end)).await;
        match answer.unwrap_or_else(|_| Err("no picture came in time; try again")) {
            Ok(bytes) => {
                let headers = [(CONTENT_TYPE, "image/jpeg"), (CACHE_CONTROL, "no-store")];
                (headers, bytes).into_response()
            }
            Err(text) => {
                problem_details(StatusCode::SERVICE_UNAVAILABLE, text, serde_json::Map::new())
            }
        }
    }

    async fn make(
        &self,
        pipelines: &Pipelines,
        pipeline: &Arc<ManagedPipeline>,
        end: PipelineEnd,
    ) -> Result<Bytes, &'static str> {
        let settings = pipeline.settings();
        // First of all, so that nobody sees what is no more.
        self.words(pipelines, pipeline, &settings, end)?;
        if let Some(bytes) = self.kept(&pipeline.name, end) {
            return Ok(bytes);
        }
        let Ok(_turn) = self.turns.acquire().await else { return Err("the server stops") };
        // The request before this one may have made it.
        if let Some(bytes) = self.kept(&pipeline.name, end) {
            return Ok(bytes);
        }
        let (words, stream) = self.words(pipelines, pipeline, &settings, end)?;
        let _onlooker = stream.map(|stream| pipelines.begin_snapshot(stream));
        let bytes = run(pipelines, &words).await.ok_or("no picture could be read; see the log")?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| at.elapsed() < FRESH);
        kept.insert((pipeline.name.clone(), end), (Instant::now(), bytes.clone()));
        Ok(bytes)
    }

    /// The words that make the picture, and the stream of this server that it is of. To ask for a
    /// stream that isn't there would start what is on demand, or wait.
    fn words<'a>(
        &self,
        pipelines: &Pipelines,
        pipeline: &ManagedPipeline,
        settings: &'a Settings,
        end: PipelineEnd,
    ) -> Result<(Vec<String>, Option<&'a StreamOf>), &'static str> {
        let mut words = vec!["-v".to_owned(), "error".to_owned()];
        let (url, here) = match end {
            PipelineEnd::Input => {
                let (input, here) = settings.first_input().ok_or("it has no input")?;
                words.extend(input.options.iter().cloned());
                (input.url.as_str(), here)
            }
            PipelineEnd::Output => {
                let playable = settings.playable().ok_or("it has no output that can be played")?;
                if pipeline.state() != ProcessState::Running {
                    return Err("it is not running: there is no output to be seen");
                }
                playable
            }
        };
        if here.is_some_and(|stream| !pipelines.is_published(stream)) {
            return Err("nobody publishes this stream now");
        }
        let rest =
            ["-frames:v", "1", "-an", "-vf", SCALE, "-c:v", "mjpeg", "-f", "image2pipe", "pipe:1"];
        let url = match (&self.play_key, here) {
            (Some(key), Some(_)) => with_key(url, key),
            _ => url.to_owned(),
        };
        words.extend(["-i".to_owned(), url]);
        words.extend(rest.map(str::to_owned));
        Ok((words, here))
    }

    fn kept(&self, name: &str, end: PipelineEnd) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, bytes) = kept.get(&(name.to_owned(), end))?;
        (at.elapsed() < FRESH).then(|| bytes.clone())
    }
}

/// The URL of a stream of this server, as a player with the server's key asks for it.
fn with_key(url: &str, key: &Secret) -> String {
    let bare = url.split('?').next().unwrap_or_default();
    let coded = key.expose().bytes().map(|byte| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    format!("{bare}?key={}", coded.collect::<String>())
}

async fn run(pipelines: &Pipelines, words: &[String]) -> Option<Bytes> {
    let mut command = Command::from(command(&pipelines.start_of("snapshot")));
    // Without a socket it reports nothing.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().ok()?;
    // Held open: its end is the child's.
    let mut server_connection = child.stdin.take()?;
    let order = ChildOrder { words: words.to_vec(), ..ChildOrder::default() };
    server_connection.write_all(line_of(&order).as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    child.stdout.take()?.take(MOST_BYTES).read_to_end(&mut bytes).await.ok()?;
    let status = child.wait().await.ok()?;
    (status.success() && !bytes.is_empty()).then(|| bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_takes_the_place_of_what_was_asked_with() {
        let key = Secret::from("a&b=é~");
        let expected = "rtmp://h/live/x?key=a%26b%3D%C3%A9~";
        assert_eq!(with_key("rtmp://h/live/x", &key), expected);
        assert_eq!(with_key("rtmp://h/live/x?key=to-publish&y=1", &key), expected);
    }
}
