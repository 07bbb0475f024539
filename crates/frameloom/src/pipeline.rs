//! The whole: threads and queues between the stages.
//!
//! One thread reads, one decodes, one (two for a command) runs your code, one encodes for each
//! distinct encoding, one writes for each output. Every queue between them is bounded, so the
//! slowest stage sets the pace; whoever is done drops its end of the queue, and that is how the
//! others learn of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};

use crate::audio::{AudioPlan, AudioTranscoder};
use crate::av::{MediaKind, StreamInfo};
use crate::decode::VideoDecoder;
use crate::encode::{Place, VideoEncoder, VideoPlan, Window};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::frame::Frame;
use crate::options::{InputOptions, OutputOptions};
use crate::packet::Packet;
use crate::plan::{OutputPlan, Treatment, plan};
use crate::process::{Closure, Command, CommandOutput, FilterGraph, FrameProcessor, InFlight, Spawned};
use crate::sink::{Sink, StreamHeader, Target};
use crate::source::{Pace, Source};
use crate::stats::{Snapshot, Stats};
use crate::stop::Stop;
use crate::time::{Rate, Timestamp};

/// Packets between reader and decoder: enough to ride over a slow frame.
const PACKET_QUEUE: usize = 16;
/// Frames between two stages: pictures are large, and each that waits is late.
const FRAME_QUEUE: usize = 2;
/// Messages to a writer.
const SINK_QUEUE: usize = 256;
/// How often the reader of a command's answers looks whether it is still there.
const ANSWER_TICK: Duration = Duration::from_millis(100);

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
    stages: Vec<Box<dyn FrameProcessor>>,
    command: Option<Command>,
    outputs: Vec<(Target, OutputOptions)>,
    stats: Stats,
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
        let stop = stop.child();
        let source = Source::open(url, options, &stop)?;
        let stats = Stats::new(source.duration());
        Ok(Pipeline { source, stages: Vec::new(), command: None, outputs: Vec::new(), stats, stop })
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
        options.check()?;
        let target = Target::resolve(url, &options)?;
        target.check_writable(options.overwrite)?;
        self.outputs.push((target, options));
        Ok(self)
    }

    /// The counters, which may be looked at while it runs.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Whether the input runs at its own speed and has no end that is known.
    pub fn is_live(&self) -> bool {
        self.source.is_live
    }

    /// How long the input is, where that is known.
    pub fn duration(&self) -> Option<Timestamp> {
        self.source.duration()
    }

    /// Asks this pipeline alone to finish.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Runs to the end of the input, or to a stop, and finishes every output.
    ///
    /// # Errors
    /// The first thing that went wrong. The outputs are finished all the same, as far as they
    /// can be.
    pub fn run(self) -> Result<Snapshot> {
        let stats = self.stats.clone();
        let failure = Failure { first: Arc::default(), stop: self.stop.clone() };
        let threads = self.start(&failure)?;
        for thread in threads {
            let name = thread.thread().name().unwrap_or("a stage").to_owned();
            if thread.join().is_err() {
                failure.report(Error::new(ErrorKind::Process, Stage::Process, format!("{name} panicked")));
            }
        }
        failure.into_result().map(|()| stats.snapshot())
    }

    fn start(self, failure: &Failure) -> Result<Vec<JoinHandle<()>>> {
        let Pipeline { source, mut stages, command, outputs, stats, stop } = self;
        let is_edited = !stages.is_empty() || command.is_some();
        let scales = command.as_ref().and_then(Command::size);
        if let Some(size) = scales {
            stages.push(Box::new(FilterGraph::new(format!("scale={}:{}", size.width(), size.height()), None)));
        }
        if outputs.is_empty() && !is_edited {
            return Err(Error::usage("there is neither an output nor code to run"));
        }
        if is_edited && source.video.is_none() {
            return Err(Error::new(ErrorKind::InvalidData, Stage::Source, "there is no video in it to edit").at(source.url()));
        }
        let plans = outputs
            .into_iter()
            .map(|(target, options)| plan(source.video.as_ref(), source.audio.as_ref(), target, options, is_edited))
            .collect::<Result<Vec<_>>>()?;

        // Everything that can fail at the start does so here, before a thread exists.
        let mut wiring = Wiring::new(&source, &stats, &plans, is_edited)?;
        let mut threads = Threads { handles: Vec::new(), failure: failure.clone() };
        let mut sinks = Vec::new();
        for plan in &plans {
            sinks.push(Sink::open(plan.target.clone(), &plan.options, &plan.kinds(), stats.clone())?);
        }
        let decoder = wiring.decoder.take();
        let rate = decoder.as_ref().and_then(VideoDecoder::frame_rate);

        for (sink, receiver) in sinks.into_iter().zip(wiring.sink_receivers.drain(..)) {
            threads.spawn("frameloom-write", move || write_loop(sink, &receiver))?;
        }
        let mut encode_senders = Vec::new();
        for (encoder, users, frames) in wiring.video_encoders.drain(..) {
            let (sender, receiver) = bounded(FRAME_QUEUE);
            encode_senders.push(sender);
            threads.spawn("frameloom-encode", move || encode_loop(encoder, &receiver, &users, frames))?;
        }
        let mut audio_senders = Vec::new();
        for (transcoder, users) in wiring.audio_transcoders.drain(..) {
            let (sender, receiver) = bounded(SINK_QUEUE);
            audio_senders.push(sender);
            threads.spawn("frameloom-audio", move || audio_loop(transcoder, &receiver, &users))?;
        }
        let decode_sender = match decoder {
            None => None,
            Some(decoder) => {
                let (packets, packet_receiver) = bounded(PACKET_QUEUE);
                let (frames, frame_receiver) = bounded(FRAME_QUEUE);
                let decode_stop = stop.clone();
                threads.spawn("frameloom-decode", move || decode_loop(decoder, &packet_receiver, &frames, &decode_stop))?;
                let fanout = Fanout { encoders: encode_senders, stats: stats.clone() };
                let chain = Chain { stages };
                match command {
                    None => threads.spawn("frameloom-process", move || process_loop(chain, &frame_receiver, fanout))?,
                    Some(command) => {
                        let reads_only = fanout.encoders.is_empty();
                        let feed = CommandFeed { command, rate, reads_only, stop: stop.clone(), chain };
                        let (handoff, handed) = bounded(1);
                        threads.spawn("frameloom-command-in", move || feed.run(&frame_receiver, &handoff))?;
                        threads.spawn("frameloom-command-out", move || answers_loop(&handed, fanout))?;
                    }
                }
                Some(packets)
            }
        };
        let reading = Reading { source, lanes: wiring.lanes, decode: decode_sender, audio: audio_senders, stats, stop };
        threads.spawn("frameloom-read", move || reading.run())?;
        Ok(threads.handles)
    }
}

/// The first error of any stage; whoever reports one has the input stop.
#[derive(Clone)]
struct Failure {
    first: Arc<Mutex<Option<Error>>>,
    stop: Stop,
}

impl Failure {
    fn report(&self, error: Error) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stop.stop();
    }

    fn into_result(self) -> Result<()> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

struct Threads {
    handles: Vec<JoinHandle<()>>,
    failure: Failure,
}

impl Threads {
    fn spawn(&mut self, name: &str, run: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
        let failure = self.failure.clone();
        let body = move || {
            if let Err(error) = run() {
                failure.report(error);
            }
        };
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        let handle = handle.map_err(|e| Error::new(ErrorKind::Other, Stage::Process, format!("no thread could be started: {e}")))?;
        self.handles.push(handle);
        Ok(())
    }
}

/// What is sent to the thread that writes an output.
enum SinkMessage {
    Header(usize, StreamHeader),
    Packet(usize, Packet),
    /// The other streams are to end here too.
    Cut(Timestamp),
    End(usize),
}

/// One stream of one output.
#[derive(Clone)]
struct SinkStream {
    sink: Sender<SinkMessage>,
    index: usize,
}

impl SinkStream {
    /// `false` where the output is done or has failed.
    fn send(&self, message: impl FnOnce(usize) -> SinkMessage) -> bool {
        self.sink.send(message(self.index)).is_ok()
    }
}

/// Who gets what, decided from the plans.
struct Wiring {
    decoder: Option<VideoDecoder>,
    lanes: Vec<CopyLane>,
    video_encoders: Vec<(VideoEncoder, Vec<SinkStream>, bool)>,
    audio_transcoders: Vec<(AudioTranscoder, Vec<SinkStream>)>,
    sink_receivers: Vec<Receiver<SinkMessage>>,
}

impl Wiring {
    fn new(source: &Source, stats: &Stats, plans: &[OutputPlan], is_edited: bool) -> Result<Wiring> {
        let mut videos: Vec<(&VideoPlan, Vec<SinkStream>, bool)> = Vec::new();
        let mut audios: Vec<(&AudioPlan, Vec<SinkStream>, bool)> = Vec::new();
        let mut lanes = Vec::new();
        let mut sink_receivers = Vec::new();
        for output in plans {
            let (sink, receiver) = bounded(SINK_QUEUE);
            sink_receivers.push(receiver);
            let global = output.target.muxer.wants_global_header();
            let stream = |index| SinkStream { sink: sink.clone(), index };
            match (&output.video, &source.video) {
                (Some(Treatment::Copy), Some(info)) => lanes.push(CopyLane::new(info, stream(0), output.window, output.frames)?),
                (Some(Treatment::Encode(plan)), _) => join(&mut videos, plan, stream(0), global),
                _ => {}
            }
            match (&output.audio, &source.audio) {
                (Some(Treatment::Copy), Some(info)) => lanes.push(CopyLane::new(info, stream(output.audio_index()), output.window, None)?),
                (Some(Treatment::Encode(plan)), _) => join(&mut audios, plan, stream(output.audio_index()), global),
                _ => {}
            }
        }
        let options = &source.options;
        let decoder = match &source.video {
            Some(video) if is_edited || !videos.is_empty() => Some(VideoDecoder::open(video, options, source.is_live, stats.clone())?),
            _ => None,
        };
        let rate = decoder.as_ref().and_then(VideoDecoder::frame_rate);
        let mut video_encoders = Vec::new();
        for (plan, users, global) in videos {
            video_encoders.push((VideoEncoder::new(plan.clone(), global, rate)?, users, plan.frames.is_some()));
        }
        let mut audio_transcoders = Vec::new();
        for (plan, users, global) in audios {
            if let Some(audio) = &source.audio {
                let transcoder = AudioTranscoder::open(plan.clone(), audio, options, source.is_live, global, stats.clone())?;
                audio_transcoders.push((transcoder, users));
            }
        }
        Ok(Wiring { decoder, lanes, video_encoders, audio_transcoders, sink_receivers })
    }
}

/// Adds a user to the plan's group. Headers outside the packets suit every container: those that
/// want them inside put them there themselves.
fn join<'a, P: PartialEq>(groups: &mut Vec<(&'a P, Vec<SinkStream>, bool)>, plan: &'a P, user: SinkStream, global: bool) {
    match groups.iter_mut().find(|(p, ..)| *p == plan) {
        Some((_, users, any)) => {
            users.push(user);
            *any |= global;
        }
        None => groups.push((plan, vec![user], global)),
    }
}

/// Copies the packets of one stream to one output.
struct CopyLane {
    kind: MediaKind,
    to: SinkStream,
    header: Option<StreamHeader>,
    window: Window,
    frames_left: Option<u64>,
    started: bool,
    open: bool,
}

impl CopyLane {
    fn new(stream: &StreamInfo, to: SinkStream, window: Window, frames: Option<u64>) -> Result<CopyLane> {
        let header = StreamHeader {
            params: stream.params.share().map_err(|e| e.in_stage(Stage::Source))?,
            time_base: stream.time_base,
            frame_rate: stream.frame_rate,
            sample_aspect_ratio: stream.sample_aspect_ratio,
            display_matrix: stream.display_matrix,
        };
        let started = window.start.is_none();
        Ok(CopyLane { kind: stream.kind, to, header: Some(header), window, frames_left: frames, started, open: true })
    }

    fn announce(&mut self) {
        if let Some(header) = self.header.take() {
            self.open = self.to.send(|index| SinkMessage::Header(index, header));
        }
    }

    fn send(&mut self, packet: &Packet) -> Result<()> {
        let at = packet.dts().or(packet.pts()).unwrap_or(Timestamp::ZERO);
        let shifted = match self.window.place(at) {
            Place::Before => return Ok(()),
            Place::After => {
                self.close();
                return Ok(());
            }
            Place::Inside(placed) => at.minus(placed),
        };
        // A decoder can begin with a keyframe only.
        self.started |= self.kind != MediaKind::Video || packet.av.is_key();
        if !self.started {
            return Ok(());
        }
        let mut copy = packet.share()?;
        if self.window.start.is_some() {
            let shift = shifted.rescale(copy.time_base).ticks();
            let (pts, dts) = (copy.av.pts().map(|t| t - shift), copy.av.dts().map(|t| t - shift));
            let duration = copy.av.duration();
            copy.av.set_times(pts, dts, duration);
        }
        let end = copy.pts().or(copy.dts()).map(|t| t.plus(copy.duration()));
        self.open = self.to.send(|index| SinkMessage::Packet(index, copy));
        if let Some(left) = &mut self.frames_left {
            *left -= 1;
            if *left == 0 {
                if let Some(end) = end {
                    self.to.send(|_| SinkMessage::Cut(end));
                }
                self.close();
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.to.send(SinkMessage::End);
        }
    }
}

/// The thread that reads the input.
struct Reading {
    source: Source,
    lanes: Vec<CopyLane>,
    decode: Option<Sender<Packet>>,
    audio: Vec<Sender<Packet>>,
    stats: Stats,
    stop: Stop,
}

impl Reading {
    fn run(mut self) -> Result<()> {
        self.lanes.iter_mut().for_each(CopyLane::announce);
        let result = self.read_all();
        self.lanes.iter_mut().for_each(CopyLane::close);
        result
    }

    fn read_all(&mut self) -> Result<()> {
        let mut pace = self.source.options.realtime.then(Pace::default);
        while !self.stop.is_stopped() && self.has_takers() {
            let Some(packet) = self.source.read()? else { return Ok(()) };
            self.stats.packet_in();
            if let (Some(pace), Some(at)) = (&mut pace, packet.dts().or(packet.pts())) {
                self.stop.wait(pace.wait(Instant::now(), at));
            }
            if packet.kind == MediaKind::Video && self.decode.is_none() {
                self.stats.frame_in();
            }
            for lane in self.lanes.iter_mut().filter(|l| l.open && l.kind == packet.kind) {
                lane.send(&packet)?;
            }
            match packet.kind {
                MediaKind::Video => {
                    if let Some(decode) = self.decode.take() {
                        self.decode = decode.send(packet).is_ok().then_some(decode);
                    }
                }
                _ => {
                    let mut alive = Vec::with_capacity(self.audio.len());
                    for sender in self.audio.drain(..) {
                        if sender.send(packet.share()?).is_ok() {
                            alive.push(sender);
                        }
                    }
                    self.audio = alive;
                }
            }
        }
        Ok(())
    }

    fn has_takers(&self) -> bool {
        self.decode.is_some() || !self.audio.is_empty() || self.lanes.iter().any(|l| l.open)
    }
}

fn decode_loop(mut decoder: VideoDecoder, packets: &Receiver<Packet>, frames: &Sender<Frame>, stop: &Stop) -> Result<()> {
    let pass_on = |decoder: &mut VideoDecoder| {
        while let Some(frame) = decoder.receive() {
            if frames.send(frame).is_err() {
                return false;
            }
        }
        true
    };
    for packet in packets {
        // What was read and not decoded when a stop came would only delay the end.
        if stop.is_stopped() {
            break;
        }
        decoder.send(&packet)?;
        if !pass_on(&mut decoder) {
            return Ok(());
        }
    }
    decoder.drain()?;
    pass_on(&mut decoder);
    decoder.finish()
}

/// The stages of your code, one behind the other.
struct Chain {
    stages: Vec<Box<dyn FrameProcessor>>,
}

impl Chain {
    /// Sends a frame in at stage `from`, and what comes out at the end to `out`; `false` once
    /// `out` takes no more.
    fn feed(&mut self, from: usize, frame: Frame, out: &mut dyn FnMut(Frame) -> Result<bool>) -> Result<bool> {
        let Some(stage) = self.stages.get_mut(from) else { return out(frame) };
        stage.send(frame)?;
        self.collect(from, out)
    }

    fn collect(&mut self, from: usize, out: &mut dyn FnMut(Frame) -> Result<bool>) -> Result<bool> {
        while let Some(frame) = self.stages.get_mut(from).map(|s| s.receive()).transpose()?.flatten() {
            if !self.feed(from + 1, frame, out)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn drain(&mut self, out: &mut dyn FnMut(Frame) -> Result<bool>) -> Result<()> {
        for i in 0..self.stages.len() {
            if let Some(stage) = self.stages.get_mut(i) {
                stage.drain()?;
            }
            if !self.collect(i, out)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Hands frames to every encoder.
struct Fanout {
    encoders: Vec<Sender<Frame>>,
    stats: Stats,
}

impl Fanout {
    /// `false` once no encoder takes more, where there were any.
    fn send(&mut self, mut frame: Frame) -> Result<bool> {
        if frame.is_edited() {
            self.stats.frame_edited();
        }
        if self.encoders.is_empty() {
            return Ok(true);
        }
        while self.encoders.len() > 1 {
            let shared = (0..self.encoders.len() - 1).map(|_| frame.share()).collect::<Result<Vec<_>>>()?;
            let mut frames = shared.into_iter().chain(std::iter::once(frame));
            self.encoders.retain(|encoder| frames.next().is_some_and(|f| encoder.send(f).is_ok()));
            return Ok(!self.encoders.is_empty());
        }
        Ok(self.encoders.first().is_some_and(|encoder| encoder.send(frame).is_ok()))
    }
}

fn process_loop(mut chain: Chain, frames: &Receiver<Frame>, mut fanout: Fanout) -> Result<()> {
    let mut out = |frame| fanout.send(frame);
    for frame in frames {
        if !chain.feed(0, frame, &mut out)? {
            return Ok(());
        }
    }
    chain.drain(&mut out)
}

/// The thread that writes frames to a command.
struct CommandFeed {
    command: Command,
    rate: Option<Rate>,
    reads_only: bool,
    stop: Stop,
    chain: Chain,
}

/// What the reader of a command's answers needs, once the command is started.
type Handoff = (CommandOutput, Receiver<InFlight>);

/// A command that was started, and where its frames wait for their answers.
struct Fed {
    spawned: Spawned,
    waiting: Option<Sender<InFlight>>,
}

impl CommandFeed {
    fn run(self, frames: &Receiver<Frame>, handoff: &Sender<Handoff>) -> Result<()> {
        let CommandFeed { command, rate, reads_only, stop, mut chain } = self;
        let mut fed: Option<Fed> = None;
        let mut out = |frame: Frame| -> Result<bool> {
            if fed.is_none() {
                fed = Some(start_command(&command, &frame, rate, reads_only, &stop, handoff)?);
            }
            fed.as_mut().map_or(Ok(false), |fed| fed.take(frame))
        };
        let mut fed_all = true;
        for frame in frames {
            if !chain.feed(0, frame, &mut out)? {
                fed_all = false;
                break;
            }
        }
        if fed_all {
            chain.drain(&mut out)?;
        }
        match fed {
            Some(mut fed) => fed.spawned.input.close(),
            None => Ok(()),
        }
    }
}

fn start_command(command: &Command, frame: &Frame, rate: Option<Rate>, reads_only: bool, stop: &Stop, handoff: &Sender<Handoff>) -> Result<Fed> {
    let mut spawned = command.spawn(frame, rate, reads_only, stop)?;
    let waiting = spawned.output.take().map(|output| {
        let (sender, receiver) = bounded(spawned.in_flight_limit);
        // The other thread waits for exactly this; if it is gone, so is the reason to send.
        let _ = handoff.send((output, receiver));
        sender
    });
    Ok(Fed { spawned, waiting })
}

impl Fed {
    /// `false` where the command takes no more.
    fn take(&mut self, frame: Frame) -> Result<bool> {
        let (in_flight, shown) = self.spawned.input.show(frame)?;
        if let Some(waiting) = &self.waiting {
            match waiting.try_send(in_flight) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return Err(self.spawned.input.holds_too_many(self.spawned.in_flight_limit)),
                Err(TrySendError::Disconnected(_)) => return Ok(false),
            }
        }
        self.spawned.input.write(&shown)
    }
}

fn answers_loop(handed: &Receiver<Handoff>, mut fanout: Fanout) -> Result<()> {
    // Nothing is handed over where there was no frame at all, or where the command only reads.
    let Ok((mut output, waiting)) = handed.recv() else { return Ok(()) };
    loop {
        let asked = match waiting.recv_timeout(ANSWER_TICK) {
            Ok(asked) => asked,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if !output.is_readable() => continue,
            // A frame is queued before its first byte is written, so what can be read now either
            // answers one that has come since, or answers nothing.
            Err(RecvTimeoutError::Timeout) => match waiting.try_recv() {
                Ok(asked) => asked,
                Err(TryRecvError::Empty) => return Err(output.unasked()),
                Err(TryRecvError::Disconnected) => break,
            },
        };
        let frame = output.answer(asked)?;
        if !fanout.send(frame)? {
            output.abandon();
            return Ok(());
        }
    }
    output.finish()
}

fn encode_loop(mut encoder: VideoEncoder, frames: &Receiver<Frame>, users: &[SinkStream], cuts: bool) -> Result<()> {
    let result = encode_all(&mut encoder, frames, users);
    if cuts && encoder.is_done() {
        let end = encoder.end();
        users.iter().for_each(|user| {
            user.send(|_| SinkMessage::Cut(end));
        });
    }
    users.iter().for_each(|user| {
        user.send(SinkMessage::End);
    });
    result
}

fn encode_all(encoder: &mut VideoEncoder, frames: &Receiver<Frame>, users: &[SinkStream]) -> Result<()> {
    for frame in frames {
        encoder.send(frame)?;
        let (header, packets) = (encoder.take_header(), std::iter::from_fn(|| encoder.receive()));
        if !deliver(header, packets, users)? {
            return Ok(());
        }
        if encoder.is_done() {
            break;
        }
    }
    encoder.drain()?;
    let header = encoder.take_header();
    deliver(header, std::iter::from_fn(|| encoder.receive()), users).map(drop)
}

fn audio_loop(mut transcoder: AudioTranscoder, packets: &Receiver<Packet>, users: &[SinkStream]) -> Result<()> {
    let result = transcode_all(&mut transcoder, packets, users);
    users.iter().for_each(|user| {
        user.send(SinkMessage::End);
    });
    result
}

fn transcode_all(transcoder: &mut AudioTranscoder, packets: &Receiver<Packet>, users: &[SinkStream]) -> Result<()> {
    for packet in packets {
        transcoder.send(&packet)?;
        let header = transcoder.take_header();
        if !deliver(header, std::iter::from_fn(|| transcoder.receive()), users)? {
            return Ok(());
        }
        if transcoder.is_done() {
            break;
        }
    }
    transcoder.drain()?;
    let header = transcoder.take_header();
    deliver(header, std::iter::from_fn(|| transcoder.receive()), users).map(drop)
}

/// Sends what an encoder gave to every output that uses it; `false` once none takes more.
fn deliver(header: Option<StreamHeader>, packets: impl Iterator<Item = Packet>, users: &[SinkStream]) -> Result<bool> {
    let mut anyone = true;
    if let Some(header) = header {
        for user in users {
            let header = header.share()?;
            user.send(|index| SinkMessage::Header(index, header));
        }
    }
    for packet in packets {
        anyone = false;
        for user in users {
            let packet = packet.share()?;
            anyone |= user.send(|index| SinkMessage::Packet(index, packet));
        }
    }
    Ok(anyone)
}

fn write_loop(mut sink: Sink, messages: &Receiver<SinkMessage>) -> Result<()> {
    for message in messages {
        match message {
            SinkMessage::Header(stream, header) => sink.announce(stream, header)?,
            SinkMessage::Packet(stream, packet) => sink.write(stream, packet)?,
            SinkMessage::Cut(end) => sink.cut_at(end),
            SinkMessage::End(stream) => sink.end(stream)?,
        }
        if sink.is_complete() {
            break;
        }
    }
    sink.finish()
}
