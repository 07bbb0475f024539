//! Opens the nodes of the [graph](super::graph): codecs, streams that are copied, and the queues to
//! the writers. Everything that can fail at the start does so here, before a thread exists.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use crate::av::StreamInfo;
use crate::codec::audio::{AudioDecoder, AudioTranscoder};
use crate::codec::decode::VideoDecoder;
use crate::codec::encode::VideoEncoder;
use crate::codec::subtitle::SubtitleTranscoder;
use crate::edit::complex::ComplexGraph;
use crate::error::{Result, Stage};
use crate::image::BufferPool;
use crate::input::Source;
use crate::live::slate::Slate;
use crate::options::{InputOptions, LiveOptions, OnLoss, StreamPlace};
use crate::protocol::Target;
use crate::protocol::environment::Environment;
use crate::run::delivery::{Drops, Relief, SinkMessage, SinkStream};
use crate::run::filters::pad_input;
use crate::run::graph::{
    AudioEncoderNode, CopyNode, EditSource, FramesFrom, PipelineGraph, Port, VideoEncoderNode,
    WriterNode,
};
use crate::run::lane::CopyLane;
use crate::run::late::LateStream;
use crate::run::planned::{OutputPlan, PlannedGraph, PlannedInput, StreamSource};
use crate::run::registry::Registry;
use crate::run::sound::SoundPull;
use crate::run::stages::VideoGroup;
use crate::run::threads::Failure;
use crate::run::writing::SinkEnd;
use crate::stats::Stats;
use crate::stats::event::{EventSum, Events};
use crate::time::Rate;
use crate::time::stop::Stop;

/// Views kept for the next frames of a filter graph.
const IDLE_VIEWS: usize = 2;

/// What every node may need.
#[derive(Clone)]
pub(super) struct NodeContext {
    pub(super) live: LiveOptions,
    pub(super) on_loss: OnLoss,
    pub(super) stall_limit: Duration,
    /// What held outputs show instead of their last picture.
    pub(super) slate: Option<Arc<Slate>>,
    pub(super) events: Events,
    pub(super) stats: Stats,
    pub(super) environment: Environment,
    pub(super) stop: Stop,
    pub(super) failure: Failure,
    pub(super) registry: Registry,
    /// Outputs may come while it runs.
    pub(super) is_controlled: bool,
    /// The caller takes the frames itself, or the sound.
    pub(super) pulls: Option<SoundPull>,
}

/// The graph's nodes, opened. None has a thread.
pub(super) struct Nodes {
    pub(super) decoders: Vec<VideoDecoder>,
    pub(super) audio_decoders: Vec<AudioDecoder>,
    pub(super) filters: Vec<ComplexGraph>,
    pub(super) video_encoders: Vec<VideoGroup>,
    pub(super) audio_encoders: Vec<(AudioTranscoder, Vec<SinkStream>)>,
    pub(super) lanes: Vec<(usize, CopyLane)>,
    pub(super) late_streams: Vec<(usize, LateStream)>,
    pub(super) writers: Vec<WriterQueue>,
}

/// The queue to a writer.
pub(super) struct WriterQueue {
    output: usize,
    sender: Sender<SinkMessage>,
    relief: Option<Relief>,
    pub(super) end: SinkEnd,
}

impl WriterQueue {
    /// `key_wishes` are those of the graph's video encoders.
    pub(super) fn new(
        node: &WriterNode,
        key_wishes: &[Arc<AtomicBool>],
        context: &NodeContext,
    ) -> WriterQueue {
        let (sender, messages) = bounded(node.queue);
        let drops = Drops {
            output: node.output,
            stats: context.stats.clone(),
            events: context.events.clone(),
            sum: Arc::new(EventSum::new()),
            clock: Arc::clone(&context.environment.clock),
        };
        let relief = node.drops_when_full.then(|| Relief::new(drops.clone()));
        let wish = |place: &usize| key_wishes.get(*place).cloned();
        let keyframe_requests = node.video_encoders.iter().filter_map(wish).collect();
        let end = SinkEnd { messages, keyframe_requests, drops };
        WriterQueue { output: node.output, sender, relief, end }
    }

    pub(super) fn stream(&self, index: usize) -> SinkStream {
        let (sink, relief) = (self.sender.clone(), self.relief.clone());
        SinkStream { output: self.output, sink, index, relief }
    }
}

/// The streams that a node's packets go to.
pub(super) fn streams_of(writers: &[WriterQueue], ports: &[Port]) -> Vec<SinkStream> {
    let stream = |port: &Port| Some(writers.get(port.writer)?.stream(port.stream));
    ports.iter().filter_map(stream).collect()
}

/// One wish for a keyframe for each of the graph's video encoders.
pub(super) fn key_wishes(graph: &PipelineGraph) -> Vec<Arc<AtomicBool>> {
    graph.video_encoders.iter().map(|_| Arc::default()).collect()
}

/// Opens an encoder of video whose frames have this rate.
pub(super) fn open_video_encoder(
    node: &VideoEncoderNode,
    keyframe_request: &Arc<AtomicBool>,
    writers: &[WriterQueue],
    rate: Option<Rate>,
    context: &NodeContext,
) -> Result<VideoGroup> {
    let mut encoder = VideoEncoder::new(node.plan.clone(), node.global_header, rate)?
        .on_resize(context.live.on_resize);
    if node.holds {
        let card = context.slate.as_deref().map(Slate::frame).transpose()?;
        encoder = encoder.holding(card);
    }
    Ok(VideoGroup {
        encoder,
        users: streams_of(writers, &node.users),
        leaving: Vec::new(),
        cuts: node.plan.frames.is_some_and(|limit| limit.ends_output),
        keyframe_request: Arc::clone(keyframe_request),
    })
}

/// Opens a transcoder of sound; of what a filter graph or code makes, an encoder alone.
pub(super) fn open_audio_encoder(
    node: &AudioEncoderNode,
    source: Option<(&StreamInfo, &InputOptions)>,
    is_live: bool,
    context: &NodeContext,
) -> Result<AudioTranscoder> {
    let (plan, stats) = (node.plan.clone(), context.stats.clone());
    match source {
        Some((stream, options)) => {
            AudioTranscoder::open(plan, stream, options, is_live, node.global_header, stats)
        }
        None => {
            AudioTranscoder::of_samples(plan, node.global_header, node.of == StreamSource::Caller)
        }
    }
}

/// Opens a transcoder of subtitles, where a stream that goes to an output is encoded on its way.
pub(super) fn open_subtitles(
    node: &CopyNode,
    target: &Target,
    (stream, options, is_live): (&StreamInfo, &InputOptions, bool),
    context: &NodeContext,
) -> Result<Option<SubtitleTranscoder>> {
    let open = |plan| {
        let global_header = target.muxer.wants_global_header();
        let stats = context.stats.of_input(node.of.input);
        SubtitleTranscoder::open(plan, stream, options, is_live, global_header, stats)
    };
    node.subtitles.as_ref().map(open).transpose()
}

impl Nodes {
    /// Opens what the graph has: decoders, encoders and the streams that are copied. `plans` are
    /// those of its writers.
    pub(super) fn open(
        graph: &PipelineGraph,
        plans: &[OutputPlan],
        sources: &[Source],
        context: &NodeContext,
    ) -> Result<Nodes> {
        let key_wishes = key_wishes(graph);
        let mut nodes = Nodes::with_writers(graph, &key_wishes, context);
        nodes.open_copies(graph, plans, sources, context)?;
        for node in &graph.decoders {
            let Some(source) = sources.get(node.of.input) else { continue };
            if let Some(video) = source.streams.get(node.of.stream) {
                let (options, stats) = (&source.options, context.stats.of_input(node.of.input));
                let streams = source.streams.specified();
                let place = StreamPlace::of(&streams, node.of.stream);
                let decoder = VideoDecoder::open((video, place), options, source.is_live, stats)?;
                let decoder = decoder.lacking_pts(source.may_lack_pts());
                nodes.decoders.push(decoder.ending_at(source.end_of_video()));
            }
        }
        nodes.open_filters(graph, sources, context)?;
        for (node, keyframe_request) in graph.video_encoders.iter().zip(&key_wishes) {
            let rate = nodes.frame_rate(graph, node.from);
            let group = open_video_encoder(node, keyframe_request, &nodes.writers, rate, context)?;
            nodes.video_encoders.push(group);
        }
        nodes.open_audio(graph, sources, context)?;
        Ok(nodes)
    }

    /// Opens the encoders of a caller's own frames, which have this rate, and of a caller's own sound.
    pub(super) fn open_for_caller(
        graph: &PipelineGraph,
        rate: Option<Rate>,
        context: &NodeContext,
    ) -> Result<Nodes> {
        let key_wishes = key_wishes(graph);
        let mut nodes = Nodes::with_writers(graph, &key_wishes, context);
        for (node, keyframe_request) in graph.video_encoders.iter().zip(&key_wishes) {
            let group = open_video_encoder(node, keyframe_request, &nodes.writers, rate, context)?;
            nodes.video_encoders.push(group);
        }
        nodes.open_audio(graph, &[], context)?;
        Ok(nodes)
    }

    fn with_writers(
        graph: &PipelineGraph,
        key_wishes: &[Arc<AtomicBool>],
        context: &NodeContext,
    ) -> Nodes {
        let queue = |node| WriterQueue::new(node, key_wishes, context);
        Nodes {
            decoders: Vec::new(),
            audio_decoders: Vec::new(),
            filters: Vec::new(),
            video_encoders: Vec::new(),
            audio_encoders: Vec::new(),
            lanes: Vec::new(),
            late_streams: Vec::new(),
            writers: graph.writers.iter().map(queue).collect(),
        }
    }

    /// The rate of the frames that an encoder gets.
    pub(super) fn frame_rate(&self, graph: &PipelineGraph, from: FramesFrom) -> Option<Rate> {
        let FramesFrom::Edit(edit) = from else { return None };
        self.rate_before(graph, graph.edits.get(edit)?.from)
    }

    /// The rate of the frames that are edited.
    pub(super) fn rate_before(&self, graph: &PipelineGraph, from: EditSource) -> Option<Rate> {
        match from {
            EditSource::Decoder(decoder) => {
                self.decoders.get(decoder).and_then(VideoDecoder::frame_rate)
            }
            EditSource::Filter(pad) => {
                let outputs = &graph.filters.get(pad.graph)?.plan.outputs;
                outputs.get(pad.pad)?.frame_rate
            }
        }
    }

    /// Opens what goes into the filter graphs, and the graphs.
    fn open_filters(
        &mut self,
        graph: &PipelineGraph,
        sources: &[Source],
        context: &NodeContext,
    ) -> Result<()> {
        for node in &graph.audio_decoders {
            let Some(source) = sources.get(node.of.input) else { continue };
            if let Some(audio) = source.streams.get(node.of.stream) {
                let (options, stats) = (&source.options, context.stats.of_input(node.of.input));
                let decoder = AudioDecoder::open(audio, options, source.is_live, stats)?;
                self.audio_decoders.push(decoder);
            }
        }
        let inputs: Vec<_> = sources.iter().map(PlannedInput::of).collect();
        for node in &graph.filters {
            let PlannedGraph { spec, inputs: wanted, outputs, ticks, device } = &node.plan;
            let known = wanted.iter().map(|input| pad_input(*input, *ticks, &inputs));
            let known = known.collect::<Result<Vec<_>>>()?;
            let kinds = outputs.iter().map(|output| output.kind);
            let pool = BufferPool::new(IDLE_VIEWS);
            let device = device.as_ref().map(|device| device.open(Stage::Process)).transpose()?;
            let graph = ComplexGraph::new(spec.clone(), known, kinds, pool);
            self.filters.push(graph.with_device(device));
        }
        Ok(())
    }

    fn open_copies(
        &mut self,
        graph: &PipelineGraph,
        plans: &[OutputPlan],
        sources: &[Source],
        context: &NodeContext,
    ) -> Result<()> {
        for node in &graph.copies {
            let Some(source) = sources.get(node.of.input) else { continue };
            let stream = source.streams.get(node.of.stream);
            let to = self.writers.get(node.to.writer).map(|w| w.stream(node.to.stream));
            if let (Some(stream), Some(to)) = (stream, to) {
                let mut lane =
                    CopyLane::new((node.of.stream, stream), to, node.window, node.frames)?
                        .becoming(node.kind);
                if let Some(plan) = plans.get(node.to.writer) {
                    lane = lane.into_container(&plan.target);
                    let source = (stream, &source.options, source.is_live);
                    if let Some(transcoder) = open_subtitles(node, &plan.target, source, context)? {
                        lane = lane.encoding_subtitles(transcoder)?;
                    }
                }
                // What can't be sought in is read from its start.
                let is_unsought = source.options.start.is_some() && !source.is_seekable();
                let lane = lane.dropping_before_floor(node.drops_before_floor || is_unsought);
                self.lanes.push((node.of.input, lane));
            }
        }
        for node in &graph.late_streams {
            let to = self.writers.get(node.to.writer).map(|w| w.stream(node.to.stream));
            if let (Some(to), Some(plan)) = (to, plans.get(node.to.writer)) {
                let (kind, window, target) = (node.kind, node.window, plan.target.clone());
                self.late_streams.push((node.input, LateStream { kind, to, window, target }));
            }
        }
        Ok(())
    }

    fn open_audio(
        &mut self,
        graph: &PipelineGraph,
        sources: &[Source],
        context: &NodeContext,
    ) -> Result<()> {
        for node in &graph.audio_encoders {
            let of = node.of.input().filter(|_| !node.is_edited);
            let source = of.and_then(|of| Some((of, sources.get(of.input)?)));
            let stream = source
                .and_then(|(of, source)| Some((source.streams.get(of.stream)?, &source.options)));
            let is_live = source.is_some_and(|(_, source)| source.is_live);
            let transcoder = open_audio_encoder(node, stream, is_live, context)?;
            self.audio_encoders.push((transcoder, streams_of(&self.writers, &node.users)));
        }
        Ok(())
    }
}
