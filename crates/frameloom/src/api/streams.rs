//! Several streams at once, and the newest frames of them in batches: many cameras, one model.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Select;

use crate::api::batch::{Batch, StreamFrame, StreamId};
use crate::api::control::Control;
use crate::api::latest::LatestBatches;
use crate::api::pending::Pending;
use crate::api::stream::{
    Slot, SlotState, StreamOutput, StreamSettings, Wanted, WantedOutput, add_late, open,
};
use crate::api::turns::Turns;
use crate::error::{Error, Result};
use crate::image::Frame;
use crate::options::{LiveOptions, OutputOptions};
use crate::stats::Snapshot;
use crate::time::moment_after;
use crate::time::stop::Stop;

/// How often streams are asked that can't say by themselves that they have something.
const TICK: Duration = Duration::from_millis(5);
/// What an untimed call waits for at once.
const LONG: Duration = Duration::from_secs(1);

/// Streams that run side by side. Each is opened on a thread of its own and, where it is live, again and
/// again until it is there; one that is lost comes back by itself. None waits for another.
///
/// ```no_run
/// use std::time::Duration;
/// use frameloom::options::OutputOptions;
/// use frameloom::{StreamSettings, Streams, TensorOptions};
///
/// # fn main() -> frameloom::Result<()> {
/// let mut streams = Streams::new();
/// for camera in ["a", "b", "c"] {
///     let settings = StreamSettings::new(&format!("rtmp://localhost/live/{camera}"));
///     let edited = format!("rtmp://localhost/edited/{camera}");
///     streams.add(settings.output(&edited, OutputOptions::new()))?;
/// }
/// while let Some(batch) = streams.next_batch(8, Duration::from_millis(20))? {
///     let (tensor, transforms) = batch.tensor::<f32>(&TensorOptions::new(640, 640))?;
///     // ... a model reads the tensor, and finds something ...
///     for item in batch.frames {
///         streams.write(item.stream, item.frame)?;
///     }
/// #   drop((tensor, transforms));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Streams {
    live: LiveOptions,
    slots: Vec<Slot>,
    /// Streams that there have been.
    count: usize,
    /// Batches that there have been.
    batches: u64,
    turns: Turns,
    gathered: Gathered,
    latest: LatestBatches,
    stop: Stop,
}

/// The frames of the next batch, as far as they are there.
#[derive(Default)]
struct Gathered {
    frames: Vec<StreamFrame>,
    /// When it is given out at the latest.
    until: Option<Instant>,
}

impl Streams {
    /// None yet.
    pub fn new() -> Streams {
        Streams::default()
    }

    /// How each lives with what breaks. It holds for streams that are added from here on.
    pub fn live(mut self, options: LiveOptions) -> Streams {
        self.live = options;
        self
    }

    /// Adds a stream, before the first batch or later. It is opened while others go on.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for options that contradict each other, and where the system gives no thread.
    pub fn add(&mut self, settings: StreamSettings) -> Result<StreamId> {
        self.live.check(false, true)?;
        settings.input.check()?;
        settings.outputs.iter().try_for_each(|(_, options)| options.check())?;
        let (id, url, stop) = (StreamId(self.count), settings.url.clone(), Stop::new());
        let first = settings.outputs.iter().cloned().map(|(url, options)| {
            let output = StreamOutput::default();
            WantedOutput { url, options, output }
        });
        let outputs = Arc::new(Wanted::new(first.collect()));
        let opening = open(settings, self.live.clone(), stop.clone(), Arc::clone(&outputs))?;
        self.count += 1;
        let state = SlotState::Opening(opening);
        self.slots.push(Slot { id, url, stop, outputs, state, served: 0 });
        Ok(id)
    }

    /// Adds an output to a stream, at any time: to one that is being opened, for when it is there, and to a file
    /// before the first batch, with all of it; to one
    /// that runs, from its next frame on, or from before with [`OutputOptions::preroll`], once the output could
    /// be opened. Nobody waits for that; where it can't be opened, a warning says so.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where there is no such stream, where it is over, and for options that contradict
    /// each other.
    pub fn add_output(
        &mut self,
        stream: StreamId,
        url: &str,
        options: OutputOptions,
    ) -> Result<StreamOutput> {
        options.check()?;
        let slot = self.slots.iter().find(|slot| slot.id == stream);
        let slot = slot.ok_or_else(|| no_stream(stream))?;
        let output = StreamOutput::default();
        let asked = WantedOutput { url: url.to_owned(), options, output: output.clone() };
        match &slot.state {
            SlotState::Opening(_) => slot.outputs.outputs().push(asked),
            SlotState::Running(_, control) => add_late(control, asked)?,
            SlotState::Ending(..) | SlotState::Over(_) => return Err(is_over()),
        }
        Ok(output)
    }

    /// Removes an output of a stream and finishes it, while the stream goes on: as
    /// [`Frames::remove_output_timeout`]. One that is not there yet will not come, and one that is gone is
    /// finished already.
    ///
    /// # Errors
    /// As there.
    pub fn remove_output_timeout(
        &mut self,
        stream: StreamId,
        output: &StreamOutput,
        limit: Duration,
    ) -> Result<Option<Pending<()>>> {
        let slot = self.slots.iter_mut().find(|slot| slot.id == stream);
        let number = output.leave_unless_there();
        let ending = match (slot.map(|slot| &mut slot.state), number) {
            (Some(SlotState::Running(frames, _)), Some(number)) => {
                frames.remove_output_timeout(number, limit)?
            }
            _ => Some(Pending::of(None)),
        };
        if ending.is_some() {
            output.note_removed();
        }
        Ok(ending)
    }

    /// Ends a stream and finishes its outputs.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where there is none of this number; what went wrong with its outputs.
    pub fn remove(&mut self, stream: StreamId) -> Result<()> {
        while !self.remove_timeout(stream, LONG)? {}
        Ok(())
    }

    /// As [`Streams::remove`], for as long as `limit`: whether it is removed by then. The first call begins
    /// it.
    ///
    /// # Errors
    /// As [`Streams::remove`].
    pub fn remove_timeout(&mut self, stream: StreamId, limit: Duration) -> Result<bool> {
        let place = self.slots.iter().position(|slot| slot.id == stream);
        let place = place.ok_or_else(|| no_stream(stream))?;
        let Some(slot) = self.slots.get_mut(place) else { return Ok(true) };
        self.gathered.frames.retain(|item| item.stream != stream);
        self.latest.forget(stream);
        self.turns.forget(stream);
        slot.begin_ending();
        if !slot.is_over_by(moment_after(Instant::now(), limit)) {
            return Ok(false);
        }
        self.slots.remove(place).end().map(|()| true)
    }

    /// The streams that there are, in the order in which they were added.
    pub fn ids(&self) -> Vec<StreamId> {
        let mut ids: Vec<StreamId> = self.slots.iter().map(|slot| slot.id).collect();
        ids.sort_unstable();
        ids
    }

    /// A stream's URL, as it was given.
    pub fn url(&self, stream: StreamId) -> Option<&str> {
        self.slot(stream).map(|slot| slot.url.as_str())
    }

    /// Why a stream is over; `None` where it isn't, or where it simply ended.
    pub fn error(&self, stream: StreamId) -> Option<&Error> {
        match &self.slot(stream)?.state {
            SlotState::Over(end) => end.error.as_ref(),
            _ => None,
        }
    }

    /// Adds outputs to a stream that runs, and removes them; `None` before it is open and once it is over.
    pub fn control(&self, stream: StreamId) -> Option<Control> {
        match &self.slot(stream)?.state {
            SlotState::Running(_, control) => Some(control.clone()),
            _ => None,
        }
    }

    /// A stream's counters; `None` before it is open and once it is over.
    pub fn snapshot(&self, stream: StreamId) -> Option<Snapshot> {
        match &self.slot(stream)?.state {
            SlotState::Running(frames, _) => Some(frames.stats().snapshot()),
            _ => None,
        }
    }

    /// Ends all waits: the next batch is `None`. From any thread.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// The newest frame of each stream that has one, of at most `size` streams; `None` once all streams are
    /// over. It waits for a first frame; then, for at most `wait`, until `size` streams or all that run
    /// have one, or until a newer frame comes of a live stream that has one: waiting longer would leave that
    /// out. What is lost or not there yet is not waited for. Streams that were not served for longest come
    /// first.
    ///
    /// # Errors
    /// None of the streams': [`Streams::error`] has them.
    pub fn next_batch(&mut self, size: usize, wait: Duration) -> Result<Option<Batch>> {
        self.batch_until(size, wait, None)
    }

    /// As [`Streams::next_batch`]; a batch without frames where none was whole within `limit`. What it has by
    /// then is in the next one.
    ///
    /// # Errors
    /// As there.
    pub fn next_batch_timeout(
        &mut self,
        size: usize,
        wait: Duration,
        limit: Duration,
    ) -> Result<Option<Batch>> {
        self.batch_until(size, wait, Some(moment_after(Instant::now(), limit)))
    }

    fn batch_until(
        &mut self,
        size: usize,
        wait: Duration,
        end: Option<Instant>,
    ) -> Result<Option<Batch>> {
        let size = size.max(1);
        if self.gathered.frames.is_empty() {
            self.batches += 1;
        }
        loop {
            self.gather(size);
            let now = Instant::now();
            let is_empty = self.gathered.frames.is_empty();
            if !is_empty && self.gathered.until.is_none() {
                self.gathered.until = Some(moment_after(now, wait));
            }
            let until = self.gathered.until;
            let is_full = self.gathered.frames.len() >= size || !self.has_more();
            let is_due = is_full || self.is_overtaken();
            if !is_empty && (is_due || until.is_some_and(|until| now >= until)) {
                let Gathered { mut frames, .. } = std::mem::take(&mut self.gathered);
                for StreamFrame { stream, frame } in &mut frames {
                    self.latest.put(*stream, frame)?;
                }
                return Ok(Some(Batch { frames }));
            }
            if is_empty && (self.stop.is_stopped() || self.is_over()) {
                self.latest.end();
                return Ok(None);
            }
            if end.is_some_and(|end| now >= end) {
                return Ok(Some(Batch { frames: Vec::new() }));
            }
            self.wait(until.map_or(TICK, |until| until.saturating_duration_since(now).min(TICK)));
        }
    }

    /// The newest frames that were taken here, for another thread: a model that is slower than the streams,
    /// whose loop draws the last answer on every frame and so keeps their rates.
    pub fn latest(&self) -> LatestBatches {
        self.latest.clone()
    }

    /// Takes the frames that are there for a batch of this size.
    fn gather(&mut self, size: usize) {
        self.slots.sort_by_key(|slot| self.turns.key(slot.id));
        for slot in &mut self.slots {
            if self.gathered.frames.len() < size
                && slot.served < self.batches
                && let Some(frame) = slot.poll()
            {
                slot.served = self.batches;
                self.turns.serve(slot.id);
                self.gathered.frames.push(StreamFrame { stream: slot.id, frame });
            }
        }
    }

    /// Gives a frame to the outputs of its stream. One that is not written before its stream's next frame is
    /// taken is left out of them.
    ///
    /// # Errors
    /// As [`Frames::write`], and [`ErrorKind::Usage`] where the stream is over or was removed.
    pub fn write(&mut self, stream: StreamId, frame: Frame) -> Result<()> {
        let mut frame = frame;
        while let Some(back) = self.write_timeout(stream, frame, LONG)? {
            frame = back;
        }
        Ok(())
    }

    /// As [`Streams::write`], within `limit`; gives the frame back where there was no room for it by then.
    ///
    /// # Errors
    /// As [`Streams::write`].
    pub fn write_timeout(
        &mut self,
        stream: StreamId,
        frame: Frame,
        limit: Duration,
    ) -> Result<Option<Frame>> {
        let slot = self.slots.iter_mut().find(|slot| slot.id == stream);
        match slot.map(|slot| &mut slot.state) {
            Some(SlotState::Running(frames, _)) => frames.write_timeout(None, frame, limit),
            Some(_) => Err(is_over()),
            None => Err(no_stream(stream)),
        }
    }

    /// Ends all streams and finishes their outputs.
    ///
    /// # Errors
    /// The first thing that went wrong with an output.
    pub fn finish(mut self) -> Result<()> {
        while !self.finish_timeout(LONG)? {}
        Ok(())
    }

    /// As [`Streams::finish`], for as long as `limit`: whether all is finished by then. The first call begins
    /// it.
    ///
    /// # Errors
    /// As [`Streams::finish`], once all is finished.
    pub fn finish_timeout(&mut self, limit: Duration) -> Result<bool> {
        let until = moment_after(Instant::now(), limit);
        self.stop.stop();
        self.latest.end();
        self.gathered = Gathered::default();
        // None of them waits for another.
        self.slots.iter_mut().for_each(Slot::begin_ending);
        for slot in &mut self.slots {
            if !slot.is_over_by(until) {
                return Ok(false);
            }
        }
        self.slots.sort_by_key(|slot| slot.id);
        let ends = std::mem::take(&mut self.slots).into_iter().map(Slot::end);
        ends.fold(Ok(()), Result::and).map(|()| true)
    }

    fn slot(&self, stream: StreamId) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.id == stream)
    }

    /// Whether a stream runs that is not in the next batch yet.
    fn has_more(&self) -> bool {
        let batch = &self.gathered.frames;
        let is_in = |slot: &Slot| batch.iter().any(|item| item.stream == slot.id);
        self.slots.iter().any(|slot| slot.runs() && !is_in(slot))
    }

    /// Whether a newer frame came of a stream that is in the next batch.
    fn is_overtaken(&self) -> bool {
        let in_batch = self.slots.iter().filter(|slot| slot.served == self.batches);
        in_batch.into_iter().any(Slot::is_overtaken)
    }

    fn is_over(&self) -> bool {
        self.slots.iter().all(|slot| matches!(slot.state, SlotState::Over(_)))
    }

    /// Waits until a stream has something, at most for so long.
    fn wait(&self, limit: Duration) {
        let mut select = Select::new();
        for slot in &self.slots {
            match &slot.state {
                SlotState::Running(frames, _) if slot.served < self.batches => {
                    frames.wait_for(&mut select);
                }
                SlotState::Running(frames, _) => frames.wait_for_overtaken(&mut select),
                _ => {}
            }
        }
        // Nothing ready is as good an answer.
        let _ = select.ready_timeout(limit);
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.latest.end();
        // What is being opened ends by itself.
        self.slots.iter().for_each(|slot| slot.stop.stop());
    }
}

fn is_over() -> Error {
    Error::usage("the stream is over")
}

fn no_stream(stream: StreamId) -> Error {
    Error::usage(format!("there is no stream {}", stream.number()))
}
