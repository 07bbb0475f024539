//! The pipeline pulled: the caller's thread stands where your code's own would.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, SendTimeoutError, Sender, bounded};

use crate::api::control::{Control, OutputId};
use crate::api::latest::Latest;
use crate::api::next_frame::NextFrame;
use crate::api::own_sound::{OwnSound, WrittenSound};
use crate::api::pending::Pending;
use crate::api::write_order::{WriteOrder, WrittenFrame};
use crate::codec::audio_frame::AudioFrame;
use crate::edit::chain::{Chain, guarded};
use crate::error::{End, Error, ErrorKind, Hint, Result, Setting, Stage};
use crate::image::Frame;
use crate::options::OnError;
use crate::run::code::Pulling;
use crate::run::code_messages::{Ask, CodeReport};
use crate::run::control::{OutputsOwner, has_ended};
use crate::run::registry::Registry;
use crate::run::sound::{AudioPacket, SoundReader};
use crate::run::threads::{Failure, MoreThreads, Threads};
use crate::run::{Setup, Started};
use crate::stats::{Snapshot, Stats};
use crate::time::moment_after;
use crate::time::stop::Stop;

/// How long a wait goes on before it looks whether a stop was asked for.
const TICK: Duration = Duration::from_millis(20);
/// What an untimed call waits for at once.
const LONG: Duration = Duration::from_secs(1);

enum PulledItem {
    Ask(Ask),
    Frame(Frame),
}

/// A running pipeline from which you take the frames yourself.
///
/// It is an iterator. A frame goes to the outputs by [`Frames::write`]; one that was not written
/// before the next is asked for is left out of them, and counted
/// ([`Snapshot::frames_unwritten`]). Frames may be held back and written later, in the order of
/// showing. Dropped, it finishes the outputs.
///
/// ```no_run
/// use frameloom::{Pipeline, PixelFormat::Rgb24};
///
/// # fn main() -> frameloom::Result<()> {
/// let pipeline = Pipeline::from_url("rtmp://localhost/live/camera")?;
/// let mut frames = pipeline.to_url("rtmp://localhost/live/edited")?.frames()?;
/// while let Some(frame) = frames.next() {
///     let mut frame = frame?;
///     frame.image_mut(Rgb24)?.row_mut(0).fill(255);
///     frames.write(frame)?;
/// }
/// frames.finish()?;
/// # Ok(())
/// # }
/// ```
pub struct Frames {
    channels: Option<Pulling>,
    chain: Chain,
    /// Made of the frame that was asked for last, and not given out yet.
    ready: VecDeque<Frame>,
    /// The ask that isn't answered in full.
    asked: Option<u64>,
    /// The last frame given out was not written yet.
    unwritten: bool,
    /// The last frame was given out before there was a gate.
    came_before: bool,
    /// That what was written went to the encoders is awaited here.
    flushed: Option<Receiver<()>>,
    /// The input has ended.
    is_drained: bool,
    /// The gate takes no more.
    is_closed: bool,
    /// The outputs that are there.
    registry: Registry,
    /// Kept for as long as outputs may be added.
    outputs: Option<OutputsOwner>,
    /// Dropped when it takes no more frames and adds no outputs.
    caller: Option<Sender<()>>,
    stops_at_error: bool,
    threads: Threads,
    more: MoreThreads,
    failure: Failure,
    has_reported: bool,
    sound: Option<SoundReader>,
    /// Sound of the caller's own, by the outputs' numbers.
    own_sound: BTreeMap<usize, OwnSound>,
    /// What was written last.
    order: WriteOrder,
    latest: Latest,
    stop: Stop,
    stats: Stats,
}

impl Frames {
    /// Starts a pipeline for a caller that takes the frames. `asked` is its wish to stop.
    pub(super) fn start(mut setup: Setup, asked: Stop) -> Result<Frames> {
        if setup.command.is_some() {
            return Err(Error::usage("a pipeline with a COMMAND can't be pulled"));
        }
        let stats = setup.stats.clone();
        let failure = Failure::new(setup.stop.clone());
        let stops_at_error = setup.live.error_policy(setup.is_live(), false) == OnError::Stop;
        let chain = Chain { stages: std::mem::take(&mut setup.stages) };
        let Started { threads, pulling, caller, sound, own_sound, registry, outputs, more } =
            setup.start(&failure)?;
        let own_sound = own_sound
            .into_iter()
            .map(|(number, shape, end)| Ok((number, OwnSound::new(Some(end), &shape)?)));
        Ok(Frames {
            channels: pulling,
            chain,
            ready: VecDeque::new(),
            asked: None,
            unwritten: false,
            came_before: false,
            flushed: None,
            is_drained: false,
            is_closed: false,
            registry,
            outputs: Some(outputs),
            caller,
            stops_at_error,
            threads,
            more,
            failure,
            has_reported: false,
            sound,
            own_sound: own_sound.collect::<Result<_>>()?,
            order: WriteOrder::default(),
            latest: Latest::new(),
            stop: asked,
            stats,
        })
    }

    /// The next frame, if one comes within `limit`.
    ///
    /// # Errors
    /// What ended the run, once.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<NextFrame> {
        let until = moment_after(Instant::now(), limit);
        loop {
            if let Some(mut frame) = self.ready.pop_front() {
                self.pass_over();
                self.unwritten = true;
                self.latest.put(&mut frame)?;
                return Ok(NextFrame::Frame(frame));
            }
            if self.is_drained || self.is_closed || self.stop.is_stopped() {
                self.pass_over();
                return self.end_of_frames(until);
            }
            if let Some(number) = self.asked {
                let answer = CodeReport::Answer {
                    number,
                    frames: Vec::new(),
                    is_whole: true,
                    is_ready: true,
                };
                if self.report(answer, until).is_some() {
                    return Ok(NextFrame::NotYet);
                }
                self.asked = None;
                self.pass_over();
                continue;
            }
            let Some(channels) = &self.channels else { return Ok(NextFrame::Over) };
            let left = until.saturating_duration_since(Instant::now());
            let came = match channels {
                Pulling::Gate(channels, _) => {
                    channels.asks.recv_timeout(left.min(TICK)).map(PulledItem::Ask)
                }
                Pulling::Decoder(frames, _) => {
                    frames.recv_timeout(left.min(TICK)).map(PulledItem::Frame)
                }
            };
            let is_at_gate = matches!(channels, Pulling::Gate(..));
            match came {
                Ok(PulledItem::Ask(ask)) => self.take_ask(ask)?,
                Ok(PulledItem::Frame(frame)) => {
                    self.stats.reached(frame.pts());
                    self.run_stages(Some(frame))?;
                }
                Err(RecvTimeoutError::Timeout) if left <= TICK => return Ok(NextFrame::NotYet),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if is_at_gate => self.is_closed = true,
                Err(RecvTimeoutError::Disconnected) => {
                    self.is_drained = true;
                    self.run_stages(None)?;
                }
            }
        }
    }

    /// Has `select` wait for what [`Frames::is_overtaken`] tells.
    pub(super) fn wait_for_overtaken<'a>(&'a self, select: &mut Select<'a>) {
        if let Some(Pulling::Gate(_, overtaken)) = &self.channels {
            overtaken.wait_for(select);
        }
    }

    /// Has `select` wait for what [`Frames::next_timeout`] would find.
    pub(super) fn wait_for<'a>(&'a self, select: &mut Select<'a>) {
        match &self.channels {
            Some(Pulling::Gate(channels, _)) => {
                select.recv(&channels.asks);
            }
            Some(Pulling::Decoder(frames, _)) => {
                select.recv(frames);
            }
            None => {}
        }
    }

    /// Whether a newer frame came than the one that was taken last, and goes by or is left out unless the next
    /// is asked for soon. Where every frame waits, none does.
    pub(super) fn is_overtaken(&self) -> bool {
        match (&self.channels, self.asked) {
            (Some(Pulling::Gate(_, overtaken)), Some(number)) => overtaken.is_past(number),
            _ => false,
        }
    }

    fn take_ask(&mut self, ask: Ask) -> Result<()> {
        if let Some(Pulling::Gate(_, overtaken)) = &self.channels {
            overtaken.begin();
        }
        match ask {
            Ask::Frame(number, frame) => {
                self.came_before = false;
                self.asked = Some(number);
                self.run_stages(Some(frame))
            }
            Ask::Drain(number) => {
                self.is_drained = true;
                self.asked = Some(number);
                self.run_stages(None)
            }
        }
    }

    /// Makes ready what the stages make of a frame, or still hold behind the last.
    fn run_stages(&mut self, frame: Option<Frame>) -> Result<()> {
        let (chain, ready) = (&mut self.chain, &mut self.ready);
        let mut out = |frame| {
            ready.push_back(frame);
            Ok(true)
        };
        let made = guarded(|| match frame {
            Some(frame) => chain.feed(0, frame, &mut out),
            None => chain.drain(&mut out),
        });
        match made {
            Ok(_) => Ok(()),
            Err(error) => self.fail(error),
        }
    }

    /// Counts the last frame where it was written nowhere.
    fn pass_over(&mut self) {
        if std::mem::take(&mut self.unwritten) && !self.registry.is_empty() {
            self.stats.frame_unwritten();
        }
    }

    /// No more frames: with what went wrong, if anything did.
    fn end_of_frames(&mut self, until: Instant) -> Result<NextFrame> {
        self.latest.end();
        // With no output there is nothing that could still be written, and with an error nothing
        // that could be wanted.
        if self.registry.is_empty() || self.failure.is_there() {
            let left = until.saturating_duration_since(Instant::now());
            if self.finish_timeout(left)?.is_none() {
                return Ok(NextFrame::NotYet);
            }
        }
        Ok(NextFrame::Over)
    }

    /// Gives a report back where the gate doesn't take it in time.
    fn report(&mut self, report: CodeReport, until: Instant) -> Option<CodeReport> {
        let Some(Pulling::Gate(channels, _)) = &self.channels else { return None };
        match channels.reports.send_deadline(report, until) {
            Ok(()) => None,
            Err(SendTimeoutError::Timeout(report)) => Some(report),
            Err(SendTimeoutError::Disconnected(_)) => {
                self.is_closed = true;
                None
            }
        }
    }

    /// Gives a frame to every output. It waits while they are behind, where the policies say so.
    ///
    /// # Errors
    /// What ended the run; [`ErrorKind::Usage`] before the first frame was taken, and for a frame that
    /// is shown before one that was written already.
    pub fn write(&mut self, frame: Frame) -> Result<()> {
        self.write_long(None, frame)
    }

    /// Gives a frame to one output alone, numbered from 0 in the order in which they were added.
    ///
    /// # Errors
    /// As [`Frames::write`], and [`ErrorKind::Usage`] where there is no output of this number.
    pub fn write_to(&mut self, output: usize, frame: Frame) -> Result<()> {
        self.write_long(Some(output), frame)
    }

    fn write_long(&mut self, output: Option<usize>, frame: Frame) -> Result<()> {
        let mut frame = frame;
        while let Some(back) = self.write_timeout(output, frame, LONG)? {
            frame = back;
        }
        Ok(())
    }

    /// Gives a frame to an output, or to all, within `limit`; gives it back where there was no room
    /// for it by then.
    ///
    /// # Errors
    /// As [`Frames::write`].
    pub fn write_timeout(
        &mut self,
        output: Option<usize>,
        frame: Frame,
        limit: Duration,
    ) -> Result<Option<Frame>> {
        if self.channels.is_none() {
            return Err(Error::new(ErrorKind::Usage, Stage::Sink, "the outputs are finished"));
        }
        if output.is_some_and(|number| self.registry.is_copied(number)) {
            let cause = "it is copied from what the input keeps: no frames can be written to it";
            let preroll = Setting::own("preroll").of(End::Output);
            return Err(Error::usage(cause).hint(Hint::LeaveOut(preroll)));
        }
        if self.registry.is_empty() {
            return Err(Error::usage("there is no output to write to"));
        }
        if let Some(number) = output.filter(|number| !self.registry.contains(*number)) {
            return Err(no_output(number, &self.registry.numbers()));
        }
        let Some(number) = self.asked else {
            // The outputs that are there were added behind it.
            if !self.came_before {
                return Err(Error::usage("a frame can't be written before one was taken"));
            }
            self.unwritten = false;
            return Ok(None);
        };
        let written = WrittenFrame::of(&frame);
        self.order.check(output, written)?;
        let mut frame = frame.for_output(output);
        frame.shrink()?;
        let answer =
            CodeReport::Answer { number, frames: vec![frame], is_whole: false, is_ready: false };
        let back = self.report(answer, moment_after(Instant::now(), limit));
        if self.is_closed && self.failure.is_there() {
            self.end()?;
        }
        match back {
            Some(CodeReport::Answer { mut frames, .. }) => Ok(frames.pop()),
            _ => {
                self.unwritten = false;
                let to = output.map_or_else(|| self.registry.numbers(), |number| vec![number]);
                self.order.note(to, written);
                Ok(None)
            }
        }
    }

    /// Gives sound of your own to an output that was opened for it ([`OutputOptions::own_audio`]), numbered
    /// from 0 in the order in which they were added, within `limit`; gives it back where there was no
    /// room for it by then. It is heard at its own pts, on the clock of the frames. Pieces follow each other,
    /// and go beside the frames: see [`Feed::write_audio_timeout`](crate::Feed::write_audio_timeout).
    ///
    /// [`OutputOptions::own_audio`]: crate::options::OutputOptions::own_audio
    ///
    /// # Errors
    /// What ended the run; [`ErrorKind::Usage`] for an output without sound of your own, for another rate or
    /// number of channels, and for sound that begins before the last piece ended.
    pub fn write_audio_timeout(
        &mut self,
        output: usize,
        sound: AudioFrame,
        limit: Duration,
    ) -> Result<Option<AudioFrame>> {
        if self.channels.is_none() {
            return Err(Error::new(ErrorKind::Usage, Stage::Sink, "the outputs are finished"));
        }
        let Some(own) = self.own_sound.get_mut(&output) else {
            return Err(Error::usage("the output was opened without sound of its own"));
        };
        match own.write(sound, limit)? {
            WrittenSound::Taken => Ok(None),
            WrittenSound::Back(sound) => Ok(Some(sound)),
            WrittenSound::Ended => {
                if self.failure.is_there() {
                    self.end()?;
                }
                Ok(None)
            }
        }
    }

    /// Says that the code failed on the last frame. Where the policy is to bypass, the frame goes
    /// out as it came, and it is counted; where it is to stop, the run ends.
    ///
    /// # Errors
    /// The error itself, where the policy is to stop.
    pub fn fail(&mut self, error: Error) -> Result<()> {
        if self.stops_at_error {
            self.stop.stop();
            return Err(error);
        }
        let Some(number) = self.asked.filter(|_| !self.is_drained) else { return Ok(()) };
        self.unwritten = false;
        let mut report = CodeReport::Failed { number, error };
        while let Some(back) = self.report(report, Instant::now() + LONG) {
            report = back;
        }
        Ok(())
    }

    /// Adds outputs while it runs, and removes them. What an added output gets are the frames that are read
    /// from the input from then on: one that was taken before is left out of it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] once everything is over; where the system gives no thread.
    pub fn control(&mut self) -> Result<Control> {
        if let Some(Pulling::Decoder(..)) = &self.channels
            && !self.is_drained
            && !self.is_closed
        {
            let mut threads = self.more.open().ok_or_else(has_ended)?;
            if let Some(Pulling::Decoder(_, later)) = self.channels.take() {
                self.channels = later.start(&mut threads)?;
                self.came_before = true;
            }
        }
        let outputs = self.outputs.as_ref().filter(|_| self.channels.is_some());
        outputs.map(|outputs| Control(outputs.outputs())).ok_or_else(has_ended)
    }

    /// Removes an output and finishes it, while the others go on: with all that was written to it, and the
    /// sound up to there. What is given tells when it is finished, and with what error if there is one. An
    /// output that has ended by itself is finished already.
    ///
    /// # Errors
    /// As [`Control::remove_output`].
    pub fn remove_output(&mut self, output: OutputId) -> Result<Pending<()>> {
        loop {
            if let Some(finished) = self.remove_output_timeout(output, LONG)? {
                return Ok(finished);
            }
        }
    }

    /// As [`Frames::remove_output`]; `None` where what was written hadn't gone to its encoder within `limit`.
    ///
    /// # Errors
    /// As [`Control::remove_output`].
    pub fn remove_output_timeout(
        &mut self,
        output: OutputId,
        limit: Duration,
    ) -> Result<Option<Pending<()>>> {
        let until = moment_after(Instant::now(), limit);
        // The end of its own sound.
        self.own_sound.remove(&output.number());
        if self.registry.has_ended(output.number()) {
            return Ok(Some(Pending::of(None)));
        }
        if self.flushed.is_none() && matches!(self.channels, Some(Pulling::Gate(..))) {
            let (done, flushed) = bounded(0);
            if self.report(CodeReport::Flush(done), until).is_some() {
                return Ok(None);
            }
            self.flushed = Some(flushed);
        }
        if let Some(flushed) = &self.flushed
            && let Err(RecvTimeoutError::Timeout) = flushed.recv_deadline(until)
        {
            return Ok(None);
        }
        self.flushed = None;
        let Some(outputs) = &self.outputs else { return Ok(Some(Pending::of(None))) };
        let number = output.number();
        // Where nothing was written, it is for the end of all to say so: a loop may have been left early.
        let is_unwritten = !self.registry.is_copied(number) && !self.order.has(number);
        let ending = outputs.outputs().remove(number, self.is_over() || is_unwritten)?;
        self.order.forget(number);
        Ok(Some(Pending::of(ending)))
    }

    /// The newest frame that was taken here, for another thread: a model that is slower than the stream.
    pub fn latest(&self) -> Latest {
        self.latest.clone()
    }

    /// Whether no more frames come: the input has ended, something has failed, or a stop was asked for.
    pub fn is_over(&self) -> bool {
        self.is_drained || self.is_closed || self.failure.is_there() || self.stop.is_stopped()
    }

    /// The input's audio packets that were read since this was asked last, as they came. The last
    /// 1024 are kept for you; once you have asked, what goes before you ask again is counted
    /// ([`Snapshot::audio_dropped`]).
    pub fn audio(&self) -> Vec<AudioPacket> {
        let packets = self.sound.as_ref().map(SoundReader::packets);
        packets.and_then(Result::ok).unwrap_or_default()
    }

    /// The input's sound that was read since this was asked last, decoded: on the clock of the frames, and
    /// with what they are of only by its times, as sound may be read somewhat before or after the
    /// pictures that it belongs to. It is decoded here, by the thread that asks. Of what isn't asked for
    /// the last 1024 packets are kept, some 20 s of AAC; once you have asked, what goes before you ask again
    /// is counted ([`Snapshot::audio_dropped`]). For the sound alone there is
    /// [`Pipeline::audio_frames`](crate::Pipeline::audio_frames).
    ///
    /// # Errors
    /// Where there is no decoder for it.
    pub fn audio_frames(&mut self) -> Result<Vec<AudioFrame>> {
        self.sound.as_mut().map_or(Ok(Vec::new()), SoundReader::frames)
    }

    /// The counters, which may be looked at at any time.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Asks it to finish.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Finishes every output and waits for that. What of the input wasn't taken is left out.
    ///
    /// # Errors
    /// The first thing that went wrong and was not told before.
    pub fn finish(mut self) -> Result<Snapshot> {
        self.end()
    }

    /// As [`Frames::finish`], for as long as `limit`; `None` where it isn't done by then. The first
    /// call begins it.
    ///
    /// # Errors
    /// As [`Frames::finish`].
    pub fn finish_timeout(&mut self, limit: Duration) -> Result<Option<Snapshot>> {
        self.leave();
        if let Err(RecvTimeoutError::Timeout) = self.threads.over().recv_timeout(limit) {
            return Ok(None);
        }
        self.end().map(Some)
    }

    /// Lets go of the gate.
    fn leave(&mut self) {
        self.latest.end();
        if self.channels.is_some() {
            self.pass_over();
            if !self.is_drained && !self.is_closed {
                self.stop.stop();
            }
            self.ready.clear();
            self.own_sound.clear();
            self.channels = None;
        }
        self.caller = None;
    }

    fn end(&mut self) -> Result<Snapshot> {
        self.leave();
        self.threads.join();
        self.outputs = None;
        if !std::mem::replace(&mut self.has_reported, true) {
            self.failure.take(self.stop.is_stopped())?;
        }
        Ok(self.stats.snapshot())
    }
}

impl Iterator for Frames {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        loop {
            match self.next_timeout(LONG) {
                Ok(NextFrame::Frame(frame)) => return Some(Ok(frame)),
                Ok(NextFrame::NotYet) => {}
                Ok(NextFrame::Over) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!("{error}");
        }
    }
}

fn no_output(number: usize, there: &[usize]) -> Error {
    let there = match there {
        [one] => format!("there is one output, number {one}"),
        all => {
            let all: Vec<String> = all.iter().map(usize::to_string).collect();
            format!("the outputs have the numbers {}", all.join(", "))
        }
    };
    Error::usage(format!("there is no output {number}: {there}"))
}
