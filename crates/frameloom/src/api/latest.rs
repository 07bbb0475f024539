//! The newest frames that a loop has taken, for another thread: a model that is slower than its streams.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::batch::{Batch, StreamFrame, StreamId};
use crate::api::next_frame::NextFrame;
use crate::api::turns::Turns;
use crate::error::Result;
use crate::image::Frame;
use crate::time::moment_after;

/// What an untimed call waits for at once.
const LONG: Duration = Duration::from_secs(1);

/// The newest frame that a loop has taken, for another thread: a model that is slower than the stream.
/// [`Frames::latest`](crate::Frames::latest) has the frames of its loop; one of your own takes those that you
/// [`put`](Latest::put). Clones are the same: each frame goes to one of them.
///
/// ```no_run
/// use std::sync::{Arc, Mutex};
/// use frameloom::{BoxStyle, Color, Pipeline, TensorOptions};
///
/// # fn main() -> frameloom::Result<()> {
/// let pipeline = Pipeline::from_url("rtmp://localhost/live/camera")?;
/// let mut frames = pipeline.to_url("rtmp://localhost/live/edited")?.frames()?;
/// let (latest, found) = (frames.latest(), Arc::new(Mutex::new(Vec::new())));
/// let answers = Arc::clone(&found);
/// let model = std::thread::spawn(move || {
///     while let Some(mut frame) = latest.next_frame() {
///         let (tensor, transform) = frame.tensor::<f32>(&TensorOptions::new(640, 640))?;
/// #       let detect = |_: Vec<f32>| vec![[0.0; 4]];
///         let boxes = detect(tensor).into_iter().map(|xyxy| transform.to_frame(xyxy));
///         *answers.lock().unwrap() = boxes.collect();
///     }
///     frameloom::Result::Ok(())
/// });
/// while let Some(frame) = frames.next() {
///     let mut frame = frame?;
///     for xyxy in found.lock().unwrap().iter() {
///         frame.draw()?.bounding_box(*xyxy, &BoxStyle::new(Color::rgb(255, 0, 0)));
///     }
///     frames.write(frame)?;
/// }
/// frames.finish()?;
/// model.join().unwrap()
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Latest(Newest);

impl Latest {
    /// Without a frame yet.
    pub fn new() -> Latest {
        Latest::default()
    }

    /// The newest frame, as it was when the loop took it; it waits for one that was not given out here yet.
    /// `None` once there are no more.
    pub fn next_frame(&self) -> Option<Frame> {
        loop {
            match self.next_frame_timeout(LONG) {
                NextFrame::Frame(frame) => return Some(frame),
                NextFrame::NotYet => {}
                NextFrame::Over => return None,
            }
        }
    }

    /// As [`Latest::next_frame`], within `limit`.
    pub fn next_frame_timeout(&self, limit: Duration) -> NextFrame {
        match self.0.take(1, limit).map(|mut frames| frames.pop()) {
            Some(Some(item)) => NextFrame::Frame(item.frame),
            Some(None) => NextFrame::NotYet,
            None => NextFrame::Over,
        }
    }

    /// Keeps a frame as it is now, in place of the one before. Before a first one was asked for, nothing is
    /// kept: a frame that is kept is copied where the loop edits it.
    ///
    /// # Errors
    /// As [`Frame::share`].
    pub fn put(&self, frame: &mut Frame) -> Result<()> {
        self.0.put(StreamId(0), frame)
    }

    /// Says that no more come: who waits gets `None`. A frame that is put nevertheless begins anew.
    pub fn end(&self) {
        self.0.end();
    }
}

/// The newest frame of each of [`Streams`](crate::Streams) that a loop has taken, for another thread: see
/// [`Streams::latest`](crate::Streams::latest). Clones are the same: each frame goes to one of them.
#[derive(Clone, Debug, Default)]
pub struct LatestBatches(Newest);

impl LatestBatches {
    /// The newest frame of each stream of which one was not given out here yet, of at most `size` streams: as
    /// it was when the loop took it. It waits for one. Streams that were not served for longest come first.
    /// `None` once there are no more.
    pub fn next_batch(&self, size: usize) -> Option<Batch> {
        loop {
            match self.next_batch_timeout(size, LONG) {
                Some(batch) if batch.frames.is_empty() => {}
                found => return found,
            }
        }
    }

    /// As [`LatestBatches::next_batch`]; a batch without frames where none came within `limit`.
    pub fn next_batch_timeout(&self, size: usize, limit: Duration) -> Option<Batch> {
        self.0.take(size, limit).map(|frames| Batch { frames })
    }

    pub(super) fn put(&self, stream: StreamId, frame: &mut Frame) -> Result<()> {
        self.0.put(stream, frame)
    }

    pub(super) fn forget(&self, stream: StreamId) {
        let mut state = self.0.state();
        state.frames.remove(&stream);
        state.turns.forget(stream);
    }

    pub(super) fn end(&self) {
        self.0.end();
    }
}

/// One frame of each stream at most: a newer one takes its place.
#[derive(Clone, Debug, Default)]
struct Newest(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<NewestState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct NewestState {
    /// One was asked for.
    is_wanted: bool,
    frames: BTreeMap<StreamId, Frame>,
    turns: Turns,
    is_over: bool,
}

impl Newest {
    fn state(&self) -> MutexGuard<'_, NewestState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, stream: StreamId, frame: &mut Frame) -> Result<()> {
        let mut state = self.state();
        state.is_over = false;
        if state.is_wanted {
            state.frames.insert(stream, frame.share()?);
            self.0.changed.notify_all();
        }
        Ok(())
    }

    /// No more come.
    fn end(&self) {
        self.state().is_over = true;
        self.0.changed.notify_all();
    }

    /// Takes up to so many; waits for a first one, at most for so long. `None` once there are no more.
    fn take(&self, size: usize, limit: Duration) -> Option<Vec<StreamFrame>> {
        let until = moment_after(Instant::now(), limit);
        let mut state = self.state();
        state.is_wanted = true;
        while state.frames.is_empty() && !state.is_over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(Vec::new());
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.frames.is_empty() {
            return None;
        }
        let NewestState { frames, turns, .. } = &mut *state;
        let mut streams: Vec<StreamId> = frames.keys().copied().collect();
        streams.sort_by_key(|stream| turns.key(*stream));
        streams.truncate(size.max(1));
        let taken = streams.into_iter().filter_map(|stream| {
            turns.serve(stream);
            frames.remove(&stream).map(|frame| StreamFrame { stream, frame })
        });
        Some(taken.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tensor::tests::noise_frame;

    fn numbers(batch: Option<Batch>) -> Option<Vec<usize>> {
        batch.map(|batch| batch.frames.iter().map(|item| item.stream.number()).collect())
    }

    fn now(latest: &LatestBatches, size: usize) -> Option<Vec<usize>> {
        numbers(latest.next_batch_timeout(size, Duration::ZERO))
    }

    #[test]
    fn nothing_is_kept_that_nobody_asked_for() {
        let latest = Latest::default();
        let mut frame = noise_frame("yuv420p", 16, 8);
        latest.put(&mut frame).unwrap();
        assert!(matches!(latest.next_frame_timeout(Duration::ZERO), NextFrame::NotYet));
        latest.put(&mut frame).unwrap();
        assert!(matches!(latest.next_frame_timeout(Duration::ZERO), NextFrame::Frame(_)));
        assert!(matches!(latest.next_frame_timeout(Duration::ZERO), NextFrame::NotYet));
    }

    #[test]
    fn what_is_there_at_the_end_is_still_given_out() {
        let latest = LatestBatches::default();
        assert_eq!(now(&latest, 8), Some(vec![]));
        latest.put(StreamId(3), &mut noise_frame("yuv420p", 16, 8)).unwrap();
        latest.end();
        assert_eq!(numbers(latest.next_batch(8)), Some(vec![3]));
        assert_eq!(numbers(latest.next_batch(8)), None);
    }

    #[test]
    fn no_stream_is_served_twice_before_another() {
        let latest = LatestBatches::default();
        assert_eq!(now(&latest, 2), Some(vec![]));
        let mut frame = noise_frame("yuv420p", 16, 8);
        let mut all = || (0..3).for_each(|n| latest.put(StreamId(n), &mut frame).unwrap());
        all();
        assert_eq!(now(&latest, 2), Some(vec![0, 1]));
        all();
        assert_eq!(now(&latest, 2), Some(vec![2, 0]));
        all();
        assert_eq!(now(&latest, 2), Some(vec![1, 2]));
        latest.forget(StreamId(0));
        assert_eq!(now(&latest, 2), Some(vec![]));
    }

    #[test]
    fn a_wait_ends_with_a_frame_of_another_thread() {
        let latest = LatestBatches::default();
        let waiting = latest.clone();
        let thread = std::thread::spawn(move || numbers(waiting.next_batch(8)));
        while !latest.0.state().is_wanted {
            std::thread::yield_now();
        }
        latest.put(StreamId(7), &mut noise_frame("yuv420p", 16, 8)).unwrap();
        assert_eq!(thread.join().unwrap(), Some(vec![7]));
    }
}
