//! Gives each node of the [graph](super::graph) its ends of the queues, and its thread.
//!
//! Opening comes first: everything that can fail does so before a thread exists.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::av::MediaKind;
use crate::codec::audio::AudioTranscoder;
use crate::codec::decode::VideoDecoder;
use crate::codec::encode::VideoEncoder;
use crate::edit::{Command, FrameProcessor};
use crate::error::{Error, Result};
use crate::image::Frame;
use crate::input::Source;
use crate::live::slate::Slate;
use crate::live::supervise::{Hold, Line};
use crate::options::{LiveOptions, OnLoss};
use crate::output::Sink;
use crate::protocol::ends::Outside;
use crate::run::code::{self, Code};
use crate::run::delivery::{Drops, Relief, SinkMessage, SinkStream};
use crate::run::graph::{
    CodeKind, EditNode, FramesFrom, Graph, Port, VideoEncoderNode, WriterNode,
};
use crate::run::lane::CopyLane;
use crate::run::late::LateStream;
use crate::run::link::Pulling;
use crate::run::plan::OutputPlan;
use crate::run::reading::{Live, LiveRules, Reading};
use crate::run::sound::Sound;
use crate::run::stages::{
    AudioMessage, DecodeMessage, EncoderEnd, Encoding, Fanout, VideoGroup, audio_loop, decode_loop,
};
use crate::run::threads::{Failure, Threads};
use crate::run::writing::{Again, SinkEnd, Writing};
use crate::stats::Stats;
use crate::stats::event::{Events, Sum};
use crate::time::Rate;
use crate::time::stop::Stop;

/// What every node may need.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) live: LiveOptions,
    pub(super) on_loss: OnLoss,
    pub(super) stall_limit: Duration,
    /// What held outputs show instead of their last picture.
    pub(super) slate: Option<Arc<Slate>>,
    pub(super) events: Events,
    pub(super) stats: Stats,
    pub(super) outside: Outside,
    pub(super) stop: Stop,
    pub(super) failure: Failure,
}

/// The user's code.
pub(super) struct Stages {
    pub(super) stages: Vec<Box<dyn FrameProcessor>>,
    pub(super) command: Option<Command>,
}

/// The graph's nodes, opened. None has a thread.
pub(super) struct Nodes {
    decoders: Vec<VideoDecoder>,
    video_encoders: Vec<VideoGroup>,
    audio_encoders: Vec<(AudioTranscoder, Vec<SinkStream>)>,
    lanes: Vec<(usize, CopyLane)>,
    late_streams: Vec<(usize, LateStream)>,
    writers: Vec<WriterQueue>,
}

/// The queue to a writer.
pub(super) struct WriterQueue {
    sender: Sender<SinkMessage>,
    relief: Option<Relief>,
    end: SinkEnd,
}

impl WriterQueue {
    /// `key_wishes` are those of the graph's video encoders.
    pub(super) fn new(
        node: &WriterNode,
        key_wishes: &[Arc<AtomicBool>],
        context: &Context,
    ) -> WriterQueue {
        let (sender, messages) = bounded(node.queue);
        let drops = Drops {
            output: node.output,
            stats: context.stats.clone(),
            events: context.events.clone(),
            sum: Arc::new(Sum::new()),
            clock: Arc::clone(&context.outside.clock),
        };
        let relief = node.relieves.then(|| Relief::new(drops.clone()));
        let key_wish = node.video_encoder.and_then(|place| key_wishes.get(place)).cloned();
        WriterQueue { sender, relief, end: SinkEnd { messages, key_wish, drops } }
    }

    fn stream(&self, index: usize) -> SinkStream {
        SinkStream { sink: self.sender.clone(), index, relief: self.relief.clone() }
    }
}

/// The streams that a node's packets go to.
fn streams(writers: &[WriterQueue], ports: &[Port]) -> Vec<SinkStream> {
    let stream = |port: &Port| Some(writers.get(port.writer)?.stream(port.stream));
    ports.iter().filter_map(stream).collect()
}

/// One wish for a keyframe for each of the graph's video encoders.
pub(super) fn key_wishes(graph: &Graph) -> Vec<Arc<AtomicBool>> {
    graph.video_encoders.iter().map(|_| Arc::default()).collect()
}

/// Opens an encoder of video whose frames have this rate.
pub(super) fn open_video_encoder(
    node: &VideoEncoderNode,
    key_wish: &Arc<AtomicBool>,
    writers: &[WriterQueue],
    rate: Option<Rate>,
    context: &Context,
) -> Result<VideoGroup> {
    let mut encoder = VideoEncoder::new(node.plan.clone(), node.global_header, rate)?
        .on_resize(context.live.on_resize);
    if node.holds {
        let card = context.slate.as_deref().map(Slate::frame).transpose()?;
        encoder = encoder.holding(card);
    }
    Ok(VideoGroup {
        encoder,
        users: streams(writers, &node.users),
        cuts: node.plan.frames.is_some(),
        key_wish: Arc::clone(key_wish),
    })
}

impl Nodes {
    /// Opens what the graph has: decoders, encoders and the streams that are copied. `plans` are
    /// those of its writers.
    pub(super) fn open(
        graph: &Graph,
        plans: &[OutputPlan],
        sources: &[Source],
        context: &Context,
    ) -> Result<Nodes> {
        let key_wishes = key_wishes(graph);
        let mut nodes = Nodes::with_writers(graph, &key_wishes, context);
        nodes.open_copies(graph, plans, sources)?;
        for node in &graph.decoders {
            let Some(source) = sources.get(node.of.input) else { continue };
            if let Some(video) = &source.video {
                let (options, stats) = (&source.options, context.stats.clone());
                nodes.decoders.push(VideoDecoder::open(video, options, source.is_live, stats)?);
            }
        }
        for (node, key_wish) in graph.video_encoders.iter().zip(&key_wishes) {
            let rate = nodes.frame_rate(graph, node.from);
            let group = open_video_encoder(node, key_wish, &nodes.writers, rate, context)?;
            nodes.video_encoders.push(group);
        }
        nodes.open_audio(graph, sources, context)?;
        Ok(nodes)
    }

    /// Opens the encoders of a caller's own frames, which have this rate.
    pub(super) fn open_for_caller(
        graph: &Graph,
        rate: Option<Rate>,
        context: &Context,
    ) -> Result<Nodes> {
        let key_wishes = key_wishes(graph);
        let mut nodes = Nodes::with_writers(graph, &key_wishes, context);
        for (node, key_wish) in graph.video_encoders.iter().zip(&key_wishes) {
            let group = open_video_encoder(node, key_wish, &nodes.writers, rate, context)?;
            nodes.video_encoders.push(group);
        }
        Ok(nodes)
    }

    fn with_writers(graph: &Graph, key_wishes: &[Arc<AtomicBool>], context: &Context) -> Nodes {
        let queue = |node| WriterQueue::new(node, key_wishes, context);
        Nodes {
            decoders: Vec::new(),
            video_encoders: Vec::new(),
            audio_encoders: Vec::new(),
            lanes: Vec::new(),
            late_streams: Vec::new(),
            writers: graph.writers.iter().map(queue).collect(),
        }
    }

    /// The rate of the frames that an encoder gets.
    fn frame_rate(&self, graph: &Graph, from: FramesFrom) -> Option<Rate> {
        let FramesFrom::Edit(edit) = from else { return None };
        let decoder = graph.edits.get(edit)?.decoder;
        self.decoders.get(decoder).and_then(VideoDecoder::frame_rate)
    }

    fn open_copies(
        &mut self,
        graph: &Graph,
        plans: &[OutputPlan],
        sources: &[Source],
    ) -> Result<()> {
        for node in &graph.copies {
            let Some(source) = sources.get(node.of.input) else { continue };
            let stream = match node.of.kind {
                MediaKind::Video => &source.video,
                _ => &source.audio,
            };
            let to = self.writers.get(node.to.writer).map(|w| w.stream(node.to.stream));
            if let (Some(stream), Some(to)) = (stream, to) {
                let lane = CopyLane::new(stream, to, node.window, node.frames)?;
                let lane = lane.dropping_before_floor(node.drops_before_floor);
                self.lanes.push((node.of.input, lane));
            }
        }
        for node in &graph.late_streams {
            let to = self.writers.get(node.to.writer).map(|w| w.stream(node.to.stream));
            if let (Some(to), Some(plan)) = (to, plans.get(node.to.writer)) {
                let (kind, window, target) = (node.of.kind, node.window, plan.target.clone());
                self.late_streams.push((node.of.input, LateStream { kind, to, window, target }));
            }
        }
        Ok(())
    }

    fn open_audio(&mut self, graph: &Graph, sources: &[Source], context: &Context) -> Result<()> {
        for node in &graph.audio_encoders {
            let Some(source) = sources.get(node.of.input) else { continue };
            let Some(audio) = &source.audio else { continue };
            let transcoder = AudioTranscoder::open(
                node.plan.clone(),
                audio,
                &source.options,
                source.is_live,
                node.global_header,
                context.stats.clone(),
            )?;
            self.audio_encoders.push((transcoder, streams(&self.writers, &node.users)));
        }
        Ok(())
    }

    /// Gives each node its thread, the last ones first. `sinks` are the writers' own. Gives the
    /// caller's end, where it pulls.
    pub(super) fn spawn(
        mut self,
        graph: &Graph,
        sources: Vec<Source>,
        sinks: Vec<(Sink, Again)>,
        mut user: Stages,
        context: &Context,
        threads: &mut Threads,
    ) -> Result<(Option<Pulling>, Option<Sound>)> {
        self.spawn_writers(graph, sinks, context, threads)?;
        let lines: Vec<Line> = graph.inputs.iter().map(|_| Line::new()).collect();
        let mut frames = self.spawn_encoders(graph, &lines, context, threads)?;
        let mut readings = self.spawn_audio(graph, threads)?;
        let mut pulling = None;
        for (place, (node, decoder)) in
            graph.edits.iter().zip(std::mem::take(&mut self.decoders)).enumerate()
        {
            let encoders = match frames.get_mut(place) {
                Some(encoders) => std::mem::take(encoders),
                None => Vec::new(),
            };
            let Some(input) = graph.decoders.get(node.decoder).map(|d| d.of.input) else {
                continue;
            };
            let is_live = sources.get(input).is_some_and(|source| source.is_live);
            let code =
                Stages { stages: std::mem::take(&mut user.stages), command: user.command.take() };
            let (packets, end) =
                spawn_edit(graph, node, decoder, (code, is_live), encoders, context, threads)?;
            pulling = pulling.or(end);
            if let Some(reading) = readings.get_mut(input) {
                reading.decode = Some(packets);
            }
        }
        for (input, lane) in self.lanes.drain(..) {
            if let Some(reading) = readings.get_mut(input) {
                reading.lanes.push(lane);
            }
        }
        for (input, late) in self.late_streams.drain(..) {
            if let Some(reading) = readings.get_mut(input) {
                reading.late_streams.push(late);
            }
        }
        let sound = (graph.code == CodeKind::Pulled).then(Sound::default);
        for ((source, line), to) in sources.into_iter().zip(lines).zip(readings) {
            spawn_reader(source, line, to, sound.clone(), context, threads)?;
        }
        Ok((pulling, sound))
    }

    /// As [`Nodes::spawn`], for a caller's own frames. Gives the way to their encoder.
    pub(super) fn spawn_for_caller(
        mut self,
        graph: &Graph,
        sinks: Vec<(Sink, Again)>,
        context: &Context,
        threads: &mut Threads,
    ) -> Result<Sender<Frame>> {
        self.spawn_writers(graph, sinks, context, threads)?;
        let mut frames = None;
        for (number, (node, group)) in
            graph.video_encoders.iter().zip(self.video_encoders).enumerate()
        {
            let end = spawn_video_encoder(node, group, None, number == 0, context, threads)?;
            frames = frames.or(Some(end.frames));
        }
        frames.ok_or_else(|| Error::process("there is no encoder for the frames"))
    }

    fn spawn_writers(
        &mut self,
        graph: &Graph,
        sinks: Vec<(Sink, Again)>,
        context: &Context,
        threads: &mut Threads,
    ) -> Result<()> {
        let writers = graph.writers.iter().zip(self.writers.drain(..)).zip(sinks);
        for ((node, queue), (sink, again)) in writers {
            spawn_writer(node, queue, sink, again, context, threads)?;
        }
        Ok(())
    }

    /// Gives the encoders of each edit.
    fn spawn_encoders(
        &mut self,
        graph: &Graph,
        lines: &[Line],
        context: &Context,
        threads: &mut Threads,
    ) -> Result<Vec<Vec<EncoderEnd>>> {
        let mut ends: Vec<Vec<EncoderEnd>> = graph.edits.iter().map(|_| Vec::new()).collect();
        let groups = std::mem::take(&mut self.video_encoders);
        for (number, (node, group)) in graph.video_encoders.iter().zip(groups).enumerate() {
            let FramesFrom::Edit(edit) = node.from else { continue };
            let rate = self.frame_rate(graph, node.from);
            let input = graph.edits.get(edit).and_then(|e| graph.decoders.get(e.decoder));
            let line = input.and_then(|d| lines.get(d.of.input)).filter(|_| node.holds);
            let hold = line.map(|line| Hold::new(line.clone(), rate));
            let end = spawn_video_encoder(node, group, hold, number == 0, context, threads)?;
            if let Some(ends) = ends.get_mut(edit) {
                ends.push(end);
            }
        }
        Ok(ends)
    }

    /// Gives what each reader is to send to.
    fn spawn_audio(&mut self, graph: &Graph, threads: &mut Threads) -> Result<Vec<ReaderEnds>> {
        let mut readings: Vec<_> = graph.inputs.iter().map(|_| ReaderEnds::default()).collect();
        let transcoders = self.audio_encoders.drain(..);
        for (node, (transcoder, mut users)) in graph.audio_encoders.iter().zip(transcoders) {
            let (sender, receiver) = bounded(node.queue);
            if let Some(reading) = readings.get_mut(node.of.input) {
                reading.audio.push(sender);
            }
            threads
                .spawn("frameloom-audio", move || audio_loop(transcoder, &receiver, &mut users))?;
        }
        Ok(readings)
    }
}

/// What a reader sends to.
#[derive(Default)]
struct ReaderEnds {
    lanes: Vec<CopyLane>,
    late_streams: Vec<LateStream>,
    decode: Option<Sender<DecodeMessage>>,
    audio: Vec<Sender<AudioMessage>>,
}

/// Starts the thread that writes an output.
pub(super) fn spawn_writer(
    node: &WriterNode,
    queue: WriterQueue,
    sink: Sink,
    again: Again,
    context: &Context,
    threads: &mut Threads,
) -> Result<()> {
    let again = node.reopens.then_some(again);
    let (outside, stop) = (context.outside.clone(), context.stop.clone());
    let writing = Writing::new(sink, queue.end, again, context.failure.unwritten(), outside, stop);
    threads.spawn("frameloom-write", move || writing.run())
}

/// Starts the thread that encodes video. The first of all encoders `counts` for all.
pub(super) fn spawn_video_encoder(
    node: &VideoEncoderNode,
    group: VideoGroup,
    hold: Option<Hold>,
    counts: bool,
    context: &Context,
    threads: &mut Threads,
) -> Result<EncoderEnd> {
    let (frames, waiting) = bounded(node.queue);
    let (stats, stop) = (context.stats.clone(), context.stop.clone());
    let clock = Arc::clone(&context.outside.clock);
    let encoding = Encoding { group, hold, counts, clock, stats, stop };
    threads.spawn("frameloom-encode", move || encoding.run(&waiting))?;
    Ok(EncoderEnd { frames, output: node.output })
}

/// Starts a decoder's thread, and those of the code that gets its frames. Gives the way to the
/// decoder, and the caller's end where it pulls.
fn spawn_edit(
    graph: &Graph,
    node: &EditNode,
    decoder: VideoDecoder,
    (user, is_live): (Stages, bool),
    encoders: Vec<EncoderEnd>,
    context: &Context,
    threads: &mut Threads,
) -> Result<(Sender<DecodeMessage>, Option<Pulling>)> {
    let rate = decoder.frame_rate();
    let queue = graph.decoders.get(node.decoder).map_or(0, |d| d.queue);
    let (packets, waiting): (_, Receiver<DecodeMessage>) = bounded(queue);
    let (sender, frames) = bounded(node.queue);
    let stop = context.stop.clone();
    threads.spawn("frameloom-decode", move || decode_loop(decoder, &waiting, &sender, &stop))?;
    let fanout = Fanout { encoders, stats: context.stats.clone() };
    let code = Code {
        stages: user.stages,
        command: user.command,
        is_pulled: graph.code == CodeKind::Pulled,
        live: context.live.clone(),
        is_live,
        rate,
        events: context.events.clone(),
        stats: context.stats.clone(),
        stop: context.stop.clone(),
    };
    let pulling = code::start(code, frames, fanout, threads)?;
    Ok((packets, pulling))
}

/// Starts the thread that reads an input.
fn spawn_reader(
    source: Source,
    line: Line,
    to: ReaderEnds,
    sound: Option<Sound>,
    context: &Context,
    threads: &mut Threads,
) -> Result<()> {
    let rules = LiveRules {
        line,
        events: context.events.clone(),
        on_loss: context.on_loss,
        reconnect_for: context.live.reconnect_for,
        stall_limit: context.stall_limit,
        clock: Arc::clone(&context.outside.clock),
    };
    let reading = Reading {
        live: source.is_live.then(|| Live::new(&source, rules)),
        source,
        lanes: to.lanes,
        late_streams: to.late_streams,
        decode: to.decode,
        audio: to.audio,
        sound,
        stats: context.stats.clone(),
        outside: context.outside.clone(),
        stop: context.stop.clone(),
        moved_by: None,
    };
    threads.spawn_source("frameloom-read", move || reading.run())
}
