//! A reader that keeps every packet of a live stream, and comes back when the stream was away.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::run::{Run, Running};

const LOOK: Duration = Duration::from_millis(20);

/// How long the stream's end may take to reach its reader.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was recorded between the stream's beginning and its end, or a loss of it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) file: PathBuf,
    /// What the reader complained of.
    pub(crate) said: String,
}

pub(crate) struct Recorder {
    last: Arc<AtomicBool>,
    parts: Arc<Mutex<Vec<Part>>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Records what is at `url`, in real time, into files in `folder`.
    pub(crate) fn start(url: String, folder: &Path) -> Recorder {
        let last = Arc::new(AtomicBool::new(false));
        let parts = Arc::new(Mutex::new(Vec::new()));
        let (ends, kept) = (Arc::clone(&last), Arc::clone(&parts));
        let folder = folder.to_owned();
        let thread = thread::spawn(move || {
            for number in 0.. {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let file = folder.join(format!("part-{number}.flv"));
                let said = watch(reader(&url, &file).spawn(), &ends);
                // Where nobody published there is no file, or one without a packet.
                if std::fs::metadata(&file).is_ok_and(|file| file.len() > 1000) {
                    kept.lock().unwrap().push(Part { file, said });
                }
            }
        });
        Recorder { last, parts, thread: Some(thread) }
    }

    /// Everything, once the stream has ended.
    pub(crate) fn finish(mut self) -> Vec<Part> {
        self.end();
        std::mem::take(&mut *self.parts.lock().unwrap())
    }

    fn end(&mut self) {
        self.last.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end();
    }
}

/// The times stay the publisher's, also from one part to the next. A warning tells of times that
/// the reader had to change.
fn reader(url: &str, file: &Path) -> Run {
    let mut args = args!["-hide_banner", "-nostdin", "-v", "warning", "-y", "-copyts"];
    args.extend(args!["-i", url, "-c", "copy", "-flush_packets", "1", file]);
    Run::new("ffmpeg", args).limit_s(600)
}

/// Waits for the reader's end; once the recording is to end, no longer than that may take.
fn watch(mut reader: Running, ends: &AtomicBool) -> String {
    let mut asked: Option<Instant> = None;
    while reader.is_running() {
        if asked.is_none() && ends.load(Ordering::SeqCst) {
            asked = Some(Instant::now());
        }
        if asked.is_some_and(|asked| asked.elapsed() > PATIENCE) {
            reader.signal("INT");
            break;
        }
        thread::sleep(LOOK);
    }
    reader.wait().stderr
}
