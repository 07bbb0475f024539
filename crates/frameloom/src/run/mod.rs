//! The whole: threads and queues between the stages.
//!
//! One thread reads, one decodes, one stands at the gate before your code, one (two for a command)
//! runs it, one encodes for each distinct encoding, one writes for each output. Every queue between
//! them is bounded, so the slowest stage sets the pace; whoever is done drops its end of the queue,
//! and that is how the others learn of it.

mod ahead;
mod arrival;
mod code;
mod command;
mod delivery;
mod gating;
mod lane;
mod link;
mod pending;
pub(crate) mod plan;
mod pull;
mod push;
mod reading;
#[cfg(test)]
mod soak;
mod sound;
mod stages;
mod wiring;
mod writing;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

pub use self::ahead::Outgoing;
pub use self::pending::Pending;
pub use self::pull::{Frames, Pulled};
pub use self::push::{Feed, FeedBuilder};
pub use self::sound::AudioPacket;

use self::arrival::await_video;
use self::code::Code;
use self::link::Pulling;
use self::reading::{Keep, Live, Reading};
use self::sound::Sound;
use self::stages::{EncoderEnd, Encoding, Fanout, audio_loop, decode_loop};
use self::wiring::{Ground, Wiring};
use self::writing::{Again, Writing};
use crate::codec::decode::VideoDecoder;
use crate::edit::{Closure, Command, FilterGraph, FrameProcessor};
use crate::error::{Error, ErrorKind, Result, Stage, os_words};
use crate::image::Frame;
use crate::input::Source;
use crate::input::probe::{self, Probe};
use crate::live::slate::Slate;
use crate::live::supervise::{Hold, Line};
use crate::options::{InputOptions, LiveOptions, OnLoss, OnResize, OutputOptions};
use crate::protocol::ends::Outside;
use crate::run::plan::{OutputPlan, plan};
use crate::stats::event::{Event, Events};
use crate::stats::{Snapshot, Stats};
use crate::time::Timestamp;
use crate::time::stop::Stop;
use crate::url;

/// Packets between reader and decoder: enough to ride over a slow frame.
const PACKET_QUEUE: usize = 16;
/// Frames between two stages: pictures are large, and each that waits is late.
const FRAME_QUEUE: usize = 1;
/// Frames decoded ahead for a caller who only reads: a thread that wakes late costs nothing then.
const READ_AHEAD: usize = 4;
/// Messages to a writer.
const SINK_QUEUE: usize = 256;
/// Messages to the writer of a live output, which makes nobody wait: what a server may take ten
/// seconds to read is kept.
const LIVE_SINK_QUEUE: usize = 1024;
/// How long a live input may be silent: servers that lose a publisher often say nothing at all.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A live stream in, every frame through your code, a live stream out.
///
/// ```no_run
/// use frameloom::{Frame, Pipeline, PixelFormat::Rgb24};
///
/// # fn main() -> frameloom::Result<()> {
/// Pipeline::from_url("rtmp://localhost/live/camera")?
///     .process(|frame: &mut Frame| {
///         frame.image_mut(Rgb24)?.row_mut(0).fill(255);
///         Ok(())
///     })
///     .to_url("rtmp://localhost/live/edited")?
///     .run()?;
/// # Ok(())
/// # }
/// ```
pub struct Pipeline {
    source: Source,
    outside: Outside,
    stages: Vec<Box<dyn FrameProcessor>>,
    command: Option<Command>,
    outputs: Vec<Outgoing>,
    live: LiveOptions,
    events: Events,
    stats: Stats,
    /// The caller's wish to stop.
    asked: Stop,
    /// Stopped with it, and by a stage that fails.
    stop: Stop,
}

impl Pipeline {
    /// Opens an input with FFmpeg's defaults.
    ///
    /// # Errors
    /// Where it can't be opened or holds neither video nor audio.
    pub fn from_url(url: &str) -> Result<Pipeline> {
        Pipeline::open(url, InputOptions::new(), &Stop::new())
    }

    /// Opens an input. `stop` ends the wait for it, and later the run.
    ///
    /// # Errors
    /// Where it can't be opened or holds neither video nor audio.
    pub fn open(url: &str, options: InputOptions, stop: &Stop) -> Result<Pipeline> {
        Pipeline::open_in(Outside::real(), url, options, stop)
    }

    fn open_in(
        outside: Outside,
        url: &str,
        options: InputOptions,
        stop: &Stop,
    ) -> Result<Pipeline> {
        let asked = stop.child();
        let stop = asked.child();
        let source = Source::open(url, options, &outside, &stop)?;
        let stats = Stats::new(source.duration(), Arc::clone(&outside.clock));
        Ok(Pipeline {
            source,
            outside,
            stages: Vec::new(),
            command: None,
            outputs: Vec::new(),
            live: LiveOptions::new(),
            events: Events::default(),
            stats,
            asked,
            stop,
        })
    }

    /// As [`Pipeline::open`], beginning at `at` on the clock that the frames would have had then.
    ///
    /// # Errors
    /// As [`Pipeline::open`], and where the input can't be sought in.
    pub fn open_at(
        url: &str,
        options: InputOptions,
        at: Timestamp,
        stop: &Stop,
    ) -> Result<Pipeline> {
        Pipeline::open(url, options.beginning_at(at), stop)
    }

    /// Sets how it lives with losses, slow code and failing code.
    #[must_use]
    pub fn live(mut self, options: LiveOptions) -> Pipeline {
        self.live = options;
        self
    }

    /// Has `listener` told of everything that happens while it runs, from whichever thread it
    /// happens in: it must not take long.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Pipeline {
        self.events.listen(listener);
        self
    }

    /// Has every frame pass through a closure, after what was added before.
    #[must_use]
    pub fn process<F>(self, edit: F) -> Pipeline
    where
        F: FnMut(&mut Frame) -> Result<()> + Send + 'static,
    {
        self.processor(Closure::new(edit))
    }

    /// Has every frame pass through a stage, after what was added before.
    #[must_use]
    pub fn processor(mut self, stage: impl FrameProcessor + 'static) -> Pipeline {
        self.stages.push(Box::new(stage));
        self
    }

    /// Has every frame pass through a filter graph in FFmpeg's syntax, after what was added
    /// before.
    #[must_use]
    pub fn filter(self, spec: &str) -> Pipeline {
        let rate = self.source.video.as_ref().and_then(|v| v.frame_rate);
        self.processor(FilterGraph::new(spec, rate))
    }

    /// Has every frame pass through a program, after everything else.
    #[must_use]
    pub fn command(mut self, command: Command) -> Pipeline {
        self.command = Some(command);
        self
    }

    /// Adds an output with the defaults.
    ///
    /// # Errors
    /// Where the name doesn't tell the format, or the file may not be written.
    pub fn to_url(self, url: &str) -> Result<Pipeline> {
        self.to_url_with(url, OutputOptions::new())
    }

    /// Adds an output.
    ///
    /// # Errors
    /// Where options contradict each other, or the file may not be written.
    pub fn to_url_with(mut self, url: &str, options: OutputOptions) -> Result<Pipeline> {
        self.outputs.push(Outgoing::new(url, options)?);
        Ok(self)
    }

    /// The counters, which may be looked at while it runs.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// What is in the input, as [`probe`](crate::probe()) tells it.
    ///
    /// # Errors
    /// Where a stream of it can't be described.
    pub fn info(&self) -> Result<Probe> {
        probe::of(&self.source)
    }

    /// Whether the input runs at its own speed and has no end that is known.
    pub fn is_live(&self) -> bool {
        self.source.is_live
    }

    /// What a decoder of the input's audio needs besides the packets; `None` where there is no
    /// audio, empty where it needs nothing.
    pub fn audio_extradata(&self) -> Option<&[u8]> {
        self.source.audio.as_ref().map(|audio| audio.params.extradata())
    }

    /// How long the input is, where that is known.
    pub fn duration(&self) -> Option<Timestamp> {
        self.source.duration()
    }

    /// Asks this pipeline alone to finish.
    pub fn stop_handle(&self) -> Stop {
        self.asked.clone()
    }

    /// Runs to the end of the input, or to a stop, and finishes every output.
    ///
    /// # Errors
    /// The first thing that went wrong. The outputs are finished all the same, as far as they
    /// can be.
    pub fn run(self) -> Result<Snapshot> {
        let stats = self.stats.clone();
        let asked = self.asked.clone();
        let failure =
            Failure { first: Arc::default(), unwritten: Arc::default(), stop: self.stop.clone() };
        let Started { threads, .. } = match self.start(&failure, false) {
            // Stopped before anything was begun.
            Err(e) if e.kind() == ErrorKind::Interrupted && asked.is_stopped() => {
                return Ok(stats.snapshot());
            }
            started => started?,
        };
        join(threads, &failure);
        failure.into_result(asked.is_stopped()).map(|()| stats.snapshot())
    }

    fn start(self, failure: &Failure, is_pulled: bool) -> Result<Started> {
        let has_code = is_pulled || !self.stages.is_empty() || self.command.is_some();
        self.live.check(self.command.is_some(), has_code)?;
        let Pipeline { mut source, outside, stages, command, outputs, .. } = self;
        let Pipeline { live, events, stats, stop, .. } = self;
        let stall_limit = live.stall_timeout.unwrap_or(STALL_TIMEOUT);
        source.set_stall_limit(stall_limit);
        let is_edited = has_code;
        if outputs.is_empty() && !is_edited {
            return Err(Error::usage("there is neither an output nor code to run"));
        }
        if is_edited && source.video.is_none() {
            source = await_video(source, stall_limit, live.reconnect_for, &outside, &stop)?;
        }
        let (mut plans, mut opened) = (Vec::new(), Vec::new());
        for Outgoing { target, options, open } in outputs {
            let (video, audio) = (source.video.as_ref(), source.audio.as_ref());
            plans.push(plan(video, audio, target, options, is_edited)?);
            opened.push(open);
        }

        if live.on_resize == OnResize::Restart {
            plans.iter().try_for_each(OutputPlan::check_resize)?;
        }

        let whole = source.duration();
        if let Some(longest) = plans.iter().map(|p| p.duration(whole)).max().flatten() {
            stats.expect(longest);
        }

        // Everything that can fail at the start does so here, before a thread exists.
        let to_pipe = plans.iter().any(|plan| url::is_pipe(&plan.target.url));
        let on_loss = live.on_loss(to_pipe);
        let is_kept = source.is_live && on_loss != OnLoss::End;
        let reopens = !live.no_reconnect && (source.is_live || source.options.realtime);
        let slate = match on_loss {
            OnLoss::Slate if is_kept => Some(Slate::load(live.slate())?),
            _ => None,
        };
        let mut wiring = Wiring::new(
            &Ground {
                source: &source,
                stats: &stats,
                events: &events,
                clock: &outside.clock,
                is_edited,
                on_resize: live.on_resize,
                relieves: reopens,
                apart: is_pulled,
            },
            &plans,
        )?;
        // Nothing is ever sent: that all threads have ended is told by its last end's drop.
        let (alive, over) = bounded(0);
        let mut threads = Threads { handles: Vec::new(), failure: failure.clone(), alive };
        let mut link = None;
        let mut writings = Vec::new();
        let ends = wiring.sinks.drain(..).zip(opened);
        for (plan, (end, opened)) in plans.iter().zip(ends) {
            let again = Again::new(plan, &stats, &live);
            let sink = match opened.filter(|opened| opened.kinds == again.kinds) {
                Some(opened) => opened.sink,
                None => again.open(&outside, &stop)?,
            };
            let again = (reopens && plan.target.is_live).then_some(again);
            let unwritten = Arc::clone(&failure.unwritten);
            writings.push(Writing::new(sink, end, again, unwritten, outside.clone(), stop.clone()));
        }
        let decoder = wiring.decoder.take();
        let rate = decoder.as_ref().and_then(VideoDecoder::frame_rate);
        let line = Line::new();

        for writing in writings {
            threads.spawn("frameloom-write", move || writing.run())?;
        }
        let mut encode_senders = Vec::new();
        for (number, mut group) in wiring.video_encoders.drain(..).enumerate() {
            let (sender, receiver) = bounded(FRAME_QUEUE);
            encode_senders.push(EncoderEnd { frames: sender, output: group.output });
            let hold = is_kept.then(|| Hold::new(line.clone(), rate));
            if is_kept {
                let card = slate.as_ref().map(Slate::frame).transpose()?;
                group.encoder = group.encoder.holding(card);
            }
            let (stats, stop) = (stats.clone(), stop.clone());
            let clock = Arc::clone(&outside.clock);
            let encoding = Encoding { group, hold, counts: number == 0, clock, stats, stop };
            threads.spawn("frameloom-encode", move || encoding.run(&receiver))?;
        }
        let mut audio_senders = Vec::new();
        for (transcoder, mut users) in wiring.audio_transcoders.drain(..) {
            let (sender, receiver) = bounded(SINK_QUEUE);
            audio_senders.push(sender);
            threads
                .spawn("frameloom-audio", move || audio_loop(transcoder, &receiver, &mut users))?;
        }
        let decode_sender = match decoder {
            None => None,
            Some(decoder) => {
                let (packets, packet_receiver) = bounded(PACKET_QUEUE);
                let ahead = if is_pulled && plans.is_empty() { READ_AHEAD } else { FRAME_QUEUE };
                let (frames, frame_receiver) = bounded(ahead);
                let decode_stop = stop.clone();
                threads.spawn("frameloom-decode", move || {
                    decode_loop(decoder, &packet_receiver, &frames, &decode_stop)
                })?;
                let fanout = Fanout { encoders: encode_senders, stats: stats.clone() };
                let code = Code {
                    stages,
                    command,
                    is_pulled,
                    live: live.clone(),
                    is_live: source.is_live,
                    rate,
                    events: events.clone(),
                    stats: stats.clone(),
                    stop: stop.clone(),
                };
                link = code::start(code, frame_receiver, fanout, &mut threads)?;
                Some(packets)
            }
        };
        let (clock, reconnect_for) = (Arc::clone(&outside.clock), live.reconnect_for);
        let keep = Keep { line, events, on_loss, reconnect_for, stall_limit, clock };
        let sound = is_pulled.then(Sound::default);
        let reading = Reading {
            live: source.is_live.then(|| Live::new(&source, keep)),
            source,
            lanes: wiring.lanes,
            spares: if is_kept { wiring.spares } else { Vec::new() },
            decode: decode_sender,
            audio: audio_senders,
            sound: sound.clone(),
            stats,
            outside,
            stop,
            moved_by: None,
        };
        threads.spawn_source("frameloom-read", move || reading.run())?;
        Ok(Started { threads: threads.handles, over, link, sound })
    }
}

/// A pipeline's threads at work.
struct Started {
    threads: Vec<JoinHandle<()>>,
    /// Disconnected once all have ended.
    over: Receiver<()>,
    /// The caller's end, where it pulls.
    link: Option<Pulling>,
    /// The input's audio, where it pulls.
    sound: Option<Sound>,
}

/// Waits for threads to end; a panic is a failure.
fn join(threads: Vec<JoinHandle<()>>, failure: &Failure) {
    for thread in threads {
        let name = thread.thread().name().unwrap_or("a stage").to_owned();
        if thread.join().is_err() {
            failure.report(Error::new(
                ErrorKind::Process,
                Stage::Process,
                format!("{name} panicked"),
            ));
        }
    }
}

/// The first error of any stage.
#[derive(Clone)]
struct Failure {
    first: Arc<Mutex<Option<Error>>>,
    /// Outputs of which nothing was written: an error where there is no other that explains it.
    unwritten: Arc<Mutex<Vec<Error>>>,
    stop: Stop,
}

impl Failure {
    fn record(&self, error: Error) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Records the error and has the input stop.
    fn report(&self, error: Error) {
        self.record(error);
        self.stop.stop();
    }

    /// Whether anything went wrong so far.
    fn is_there(&self) -> bool {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn into_result(self, was_asked: bool) -> Result<()> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(error) = first.filter(|e| !(was_asked && e.kind() == ErrorKind::Interrupted)) {
            return Err(error);
        }
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match unwritten {
            Some(error) if !was_asked => Err(error),
            Some(error) => {
                tracing::warn!("{error}");
                Ok(())
            }
            None => Ok(()),
        }
    }
}

struct Threads {
    handles: Vec<JoinHandle<()>>,
    failure: Failure,
    alive: Sender<()>,
}

impl Threads {
    fn spawn(
        &mut self,
        name: &str,
        run: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let failure = self.failure.clone();
        self.start(name, move || run().unwrap_or_else(|error| failure.report(error)))
    }

    /// As `spawn`, for the thread that reads: where the input breaks off, what was read of it goes
    /// all the way through.
    fn spawn_source(
        &mut self,
        name: &str,
        run: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let failure = self.failure.clone();
        self.start(name, move || run().unwrap_or_else(|error| failure.record(error)))
    }

    fn start(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let alive = self.alive.clone();
        self.handles.push(start_thread(name, move || {
            body();
            drop(alive);
        })?);
        Ok(())
    }
}

fn start_thread(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(|e| {
        let cause = format!("no thread could be started: {}", os_words(&e));
        Error::new(ErrorKind::Other, Stage::Process, cause).because(e)
    })
}
