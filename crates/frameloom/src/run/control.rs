//! Outputs that are added to a running pipeline and removed from it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender};

use crate::av::MediaKind;
use crate::codec::audio::AudioTranscoder;
use crate::codec::decode::VideoDecoder;
use crate::error::{End, Error, Result, Setting, sentence};
use crate::input::streams::InputStreamId;
use crate::live::supervise::{Hold, micros};
use crate::options::{OnResize, StreamPlace};
use crate::run::audio_code::{AudioChange, AudioEncoderEnd};
use crate::run::change::{NewCopies, NewCopy, ReaderChange, tell, too_many_changes};
use crate::run::delivery::SinkStream;
use crate::run::graph::{CodeKind, InputNode, PipelineGraph};
use crate::run::joining::Joining;
use crate::run::late::LateStream;
use crate::run::open::{
    NodeContext, WriterQueue, key_wishes, open_audio_encoder, open_subtitles, open_video_encoder,
    streams_of,
};
use crate::run::outputs::NewOutput;
use crate::run::plan::plan;
use crate::run::planned::{Edited, OutputPlan, StreamSource};
use crate::run::selection::{Offer, choose};
use crate::run::spawn::{
    Edit, FilterLinks, FramesLink, InputLink, Stages, WriterSink, spawn_audio_encoder, spawn_edit,
    spawn_video_encoder, spawn_writer,
};
use crate::run::stages::{EncoderEnd, FramesChange, VideoGroup};
use crate::run::streams::KnownStreams;
use crate::run::threads::{MoreThreads, Threads, is_full};
use crate::run::writing::SinkOpener;
use crate::time::Rate;

/// The outputs of a pipeline, from its description to its end. Clones are the same.
#[derive(Clone)]
pub(crate) struct Outputs(Arc<ControlState>);

struct ControlState {
    state: Mutex<OutputsState>,
    changed: Condvar,
}

enum OutputsState {
    /// It doesn't run yet. An output that was removed leaves its place empty.
    Described(Vec<Option<NewOutput>>),
    Starting,
    Running(Arc<RunningPipeline>),
    Ended,
}

/// Whose end is the end of the pipeline.
pub(crate) struct OutputsOwner(Outputs);

/// What is needed to add an output to a pipeline that runs.
pub(super) struct RunningPipeline {
    pub(super) context: NodeContext,
    pub(super) threads: MoreThreads,
    pub(super) code: CodeKind,
    /// The video that the code edits.
    pub(super) edited: Edited,
    /// A COMMAND whose answers nobody reads, as there was no output when it began.
    pub(super) command_only_reads: bool,
    pub(super) inputs: Vec<InputLink>,
    pub(super) filters: FilterLinks,
    pub(super) audio_changes: Option<Sender<AudioChange>>,
    /// The number of the next output.
    pub(super) next: Mutex<usize>,
}

impl OutputsOwner {
    /// None yet.
    pub(crate) fn new() -> OutputsOwner {
        let state = Mutex::new(OutputsState::Described(Vec::new()));
        OutputsOwner(Outputs(Arc::new(ControlState { state, changed: Condvar::new() })))
    }

    /// The same outputs, for whoever adds and removes some.
    pub(crate) fn outputs(&self) -> Outputs {
        self.0.clone()
    }

    /// Whether somebody else may add outputs.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0.0) > 1
    }

    /// Those that were described, each in its place.
    pub(super) fn begin(&self) -> Vec<Option<NewOutput>> {
        match std::mem::replace(&mut *self.0.state(), OutputsState::Starting) {
            OutputsState::Described(outputs) => outputs,
            _ => Vec::new(),
        }
    }

    /// From now on, outputs come and go while it runs.
    pub(super) fn run(&self, running: RunningPipeline) {
        self.0.set(OutputsState::Running(Arc::new(running)));
    }
}

impl Drop for OutputsOwner {
    fn drop(&mut self) {
        self.0.set(OutputsState::Ended);
    }
}

impl Outputs {
    fn state(&self) -> MutexGuard<'_, OutputsState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: OutputsState) {
        *self.state() = state;
        self.0.changed.notify_all();
    }

    /// The state, once it is not starting any more.
    fn settled(&self) -> MutexGuard<'_, OutputsState> {
        let starting = |state: &mut OutputsState| matches!(state, OutputsState::Starting);
        let waited = self.0.changed.wait_while(self.state(), starting);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an output, and opens it where the pipeline runs. Gives its number.
    ///
    /// # Errors
    /// Where it can't be planned or opened, or the pipeline has ended.
    pub(crate) fn add(&self, output: NewOutput) -> Result<usize> {
        let running = match &mut *self.settled() {
            OutputsState::Described(outputs) => {
                outputs.push(Some(output));
                return Ok(outputs.len() - 1);
            }
            OutputsState::Running(running) => Arc::clone(running),
            OutputsState::Starting | OutputsState::Ended => return Err(has_ended()),
        };
        running.add(output)
    }

    /// Removes an output. What becomes of its end is sent to what is given; nothing where it had
    /// not begun. `is_over` says that the input has ended: then it ends as it would anyway.
    ///
    /// # Errors
    /// Where there is no such output, or the pipeline has ended.
    pub(crate) fn remove(
        &self,
        number: usize,
        is_over: bool,
    ) -> Result<Option<Receiver<Result<()>>>> {
        let running = match &mut *self.settled() {
            OutputsState::Described(outputs) => {
                let output = outputs.get_mut(number).and_then(Option::take);
                return output.map(|_| None).ok_or_else(|| not_there(number));
            }
            OutputsState::Running(running) => Arc::clone(running),
            OutputsState::Starting | OutputsState::Ended => return Err(has_ended()),
        };
        running.remove(number, is_over).map(Some)
    }
}

/// The error for a pipeline that is over.
pub(crate) fn has_ended() -> Error {
    Error::usage("the pipeline has ended")
}

fn not_there(number: usize) -> Error {
    Error::usage(format!("there is no output {number} that could be removed"))
}

/// What is opened of an output before it has a number.
struct OpenedOutput {
    plan: OutputPlan,
    /// Of each input.
    streams: Vec<KnownStreams>,
    sink: WriterSink,
}

/// What an output that is added needs to be encoded.
struct Codecs {
    transcoders: Vec<(AudioTranscoder, Vec<SinkStream>)>,
    videos: Vec<VideoCodecs>,
}

/// What one video of it needs.
struct VideoCodecs {
    of: InputStreamId,
    /// Where no decoder runs.
    decoder: Option<VideoDecoder>,
    encoder: VideoGroup,
    /// That of the frames.
    rate: Option<Rate>,
}

impl RunningPipeline {
    fn remove(&self, number: usize, is_over: bool) -> Result<Receiver<Result<()>>> {
        // One change at a time: there is room for this one until it is sent.
        let _next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = |input: &InputLink| -> Vec<FramesLink> {
            let frames = input.frames.lock().unwrap_or_else(PoisonError::into_inner);
            frames.values().cloned().collect()
        };
        let takes_none = |input: &InputLink| {
            is_full(&input.changes) || frames(input).iter().any(|frames| is_full(&frames.changes))
        };
        if self.inputs.iter().any(takes_none) {
            return Err(too_many_changes());
        }
        let awaited = self.context.registry.leave(number, self.code == CodeKind::None, is_over)?;
        for input in &self.inputs {
            // A thread that has ended gives the output nothing more anyway.
            let _ = tell(&input.changes, ReaderChange::Leave(number));
            for frames in frames(input) {
                let _ = tell(&frames.changes, FramesChange::Leave(number));
            }
        }
        if let Some(changes) = &self.audio_changes {
            let _ = tell(changes, AudioChange::Leave(number));
        }
        for frames in &self.filters.changes {
            let _ = tell(frames, FramesChange::Leave(number));
        }
        for graph in &self.filters.graphs {
            let _ = tell(graph, number);
        }
        Ok(awaited)
    }

    fn add(&self, output: NewOutput) -> Result<usize> {
        let opened = self.open(output)?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut threads = self.threads.open().ok_or_else(has_ended)?;
        let number = *next;
        // What failed to start may still have to end: its number is not given again.
        *next += 1;
        self.start(number, opened, &mut threads)?;
        Ok(number)
    }

    /// Plans an output, and opens what it is written to.
    fn open(&self, output: NewOutput) -> Result<OpenedOutput> {
        if self.command_only_reads {
            let cause =
                "the COMMAND's answers are not read, as the pipeline began without an output";
            return Err(Error::usage(cause).at(&output.target.url));
        }
        let NewOutput { target, mut options, .. } = output;
        if options.start.is_some() {
            let cause = sentence!(
                "{}: an output that is added while the pipeline runs begins at once",
                Setting::ffmpeg("ss").of(End::Output)
            );
            return Err(Error::usage(cause).at(&target.url));
        }
        if options.own_audio.is_some() {
            let cause = "sound of your own is for outputs that are there when the pipeline begins";
            return Err(Error::usage(cause).at(&target.url));
        }
        let length = options.length();
        (options.duration, options.end) = (None, None);
        let share = |input: &InputLink| {
            input.streams.lock().unwrap_or_else(PoisonError::into_inner).share()
        };
        let streams = self.inputs.iter().map(share).collect::<Result<Vec<_>>>()?;
        let inputs: Vec<_> = streams.iter().map(KnownStreams::planned).collect();
        let offer = Offer { inputs: &inputs, graphs: &[] };
        let chosen = choose(offer, &target, &options, false)?;
        let plan = plan(&inputs, &chosen, target, options, self.edited)?;
        self.check_read(&plan, &streams)?;
        if self.context.live.on_resize == OnResize::Restart {
            plan.check_resize()?;
        }
        let stop = self.context.stop.child();
        let (stats, live) = (&self.context.stats, &self.context.live);
        let reopens = self.inputs.iter().any(|input| input.node.reopens_outputs);
        let opener = SinkOpener::new(&plan, stats, live, reopens);
        let sink = opener.open(&self.context.environment, &stop)?;
        let joining = Some(Joining::new(plan.has(MediaKind::Video), length));
        Ok(OpenedOutput { plan, streams, sink: WriterSink { sink, opener, stop, joining } })
    }

    /// Refuses streams that are not read: a reader that runs keeps to those that were wanted first.
    fn check_read(&self, plan: &OutputPlan, streams: &[KnownStreams]) -> Result<()> {
        let is_read = |from: StreamSource| {
            let Some(from) = from.input() else { return false };
            streams.get(from.input).is_some_and(|known| known.streams.is_read(from.stream))
        };
        if plan.streams.iter().all(|stream| is_read(stream.from)) {
            return Ok(());
        }
        let cause = "it has a stream that no output had when the pipeline began";
        Err(Error::usage(cause).at(&plan.target.url))
    }

    /// Starts an output's threads, and has those that run send to them.
    fn start(&self, number: usize, opened: OpenedOutput, threads: &mut Threads) -> Result<()> {
        let OpenedOutput { plan, streams, sink } = opened;
        let context = NodeContext { stop: sink.stop.clone(), ..self.context.clone() };
        let mut graph = PipelineGraph::new(CodeKind::None, None);
        for (input, known) in self.inputs.iter().zip(&streams) {
            graph.add_input(InputNode {
                video: known.streams.main(MediaKind::Video),
                audio: known.streams.main(MediaKind::Audio),
                was_sought: false,
                ..input.node
            });
        }
        self.edited.audio.into_iter().for_each(|audio| graph.mark_edited_audio(audio));
        graph.add_output(number, &plan);
        let wishes = key_wishes(&graph);
        let mut writers: Vec<_> =
            graph.writers.iter().map(|node| WriterQueue::new(node, &wishes, &context)).collect();
        let changes = reader_changes(&graph, &plan, &writers, &streams, &context)?;
        // In the inputs' order, as everybody takes them.
        let mut frames: Vec<_> = self
            .inputs
            .iter()
            .map(|input| input.frames.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        let codecs = self.open_codecs(&graph, &wishes, &writers, &streams, &frames, &context)?;

        // Nothing fails any more but for want of threads, or as the pipeline ends.
        if let (Some(node), Some(queue)) = (graph.writers.first(), writers.pop()) {
            spawn_writer(node, queue, sink, &context, threads)?;
            self.context.stats.output_exists(number, None);
        }
        let started =
            self.start_codecs(&graph, codecs, &mut frames, &context, threads).and_then(|()| {
                let mut changes = changes.into_iter();
                changes.try_for_each(|(input, change)| tell(&self.input(input)?.changes, change))
            });
        if started.is_err() {
            // Whatever its threads make of it is no error of the pipeline's.
            let _ = self.context.registry.leave(number, false, false);
        }
        started
    }

    fn input(&self, number: usize) -> Result<&InputLink> {
        self.inputs.get(number).ok_or_else(has_ended)
    }

    /// Opens an output's codecs, and decoders where none run.
    fn open_codecs(
        &self,
        graph: &PipelineGraph,
        wishes: &[Arc<AtomicBool>],
        writers: &[WriterQueue],
        streams: &[KnownStreams],
        frames: &[MutexGuard<'_, BTreeMap<usize, FramesLink>>],
        context: &NodeContext,
    ) -> Result<Codecs> {
        let mut codecs = Codecs { transcoders: Vec::new(), videos: Vec::new() };
        for node in &graph.audio_encoders {
            let of = node.of.input().filter(|_| !node.is_edited);
            let known = of.and_then(|of| Some((of, streams.get(of.input)?)));
            let stream =
                known.and_then(|(of, known)| Some((known.streams.get(of.stream)?, &known.options)));
            if stream.is_none() && !node.is_edited {
                return Err(has_ended());
            }
            let is_live = known.is_some_and(|(_, known)| known.is_live);
            let transcoder = open_audio_encoder(node, stream, is_live, context)?;
            codecs.transcoders.push((transcoder, streams_of(writers, &node.users)));
        }
        for (node, wish) in graph.video_encoders.iter().zip(wishes) {
            let of = graph.video_of(node.from).and_then(StreamSource::input);
            let of = of.ok_or_else(has_ended)?;
            let known = streams.get(of.input).ok_or_else(has_ended)?;
            let link = frames.get(of.input).and_then(|frames| frames.get(&of.stream));
            let (decoder, rate) = match link.filter(|link| !link.is_gone()) {
                Some(link) => (None, link.rate),
                None => {
                    let decoder = self.open_decoder(of, known)?;
                    let rate = decoder.as_ref().and_then(VideoDecoder::frame_rate);
                    (decoder, rate)
                }
            };
            let encoder = open_video_encoder(node, wish, writers, rate, context)?;
            codecs.videos.push(VideoCodecs { of, decoder, encoder, rate });
        }
        Ok(codecs)
    }

    /// Starts the codecs' threads, and has those that run send to them.
    fn start_codecs(
        &self,
        graph: &PipelineGraph,
        codecs: Codecs,
        frames: &mut [MutexGuard<'_, BTreeMap<usize, FramesLink>>],
        context: &NodeContext,
        threads: &mut Threads,
    ) -> Result<()> {
        let Codecs { transcoders, videos } = codecs;
        let has_sound = !graph.audio_encoders.is_empty()
            || graph.copies.iter().any(|copy| copy.kind == MediaKind::Audio);
        for (node, (transcoder, users)) in graph.audio_encoders.iter().zip(transcoders) {
            let sender = spawn_audio_encoder(node, transcoder, users, &context.stop, threads)?;
            if node.is_edited {
                let outputs = graph.writers.iter().map(|writer| writer.output).collect();
                let end = AudioEncoderEnd { packets: sender, outputs };
                let changes = self.audio_changes.as_ref().ok_or_else(has_ended)?;
                tell(changes, AudioChange::Add(end))?;
                continue;
            }
            let of = node.of.input().ok_or_else(has_ended)?;
            tell(&self.input(of.input)?.changes, ReaderChange::Audio(of.stream, sender))?;
        }
        for (node, video) in graph.video_encoders.iter().zip(videos) {
            let VideoCodecs { of, decoder, encoder, rate } = video;
            let input = self.input(of.input)?;
            let hold = node.holds.then(|| Hold::new(input.presence.clone(), rate));
            let outputs = vec![node.output];
            let end = spawn_video_encoder(node, encoder, outputs, hold, false, context, threads)?;
            let Some(frames) = frames.get_mut(of.input) else { continue };
            self.send_frames(of, frames, (end, has_sound), decoder, threads)?;
        }
        Ok(())
    }

    fn open_decoder(
        &self,
        of: InputStreamId,
        known: &KnownStreams,
    ) -> Result<Option<VideoDecoder>> {
        let open = |video| {
            let stats = self.context.stats.of_input(of.input);
            let streams = known.streams.specified();
            let place = StreamPlace::of(&streams, of.stream);
            VideoDecoder::open((video, place), &known.options, known.is_live, stats)
        };
        known.streams.get(of.stream).map(open).transpose()
    }

    /// Gives an encoder frames, from a decoder that is begun if none runs.
    fn send_frames(
        &self,
        of: InputStreamId,
        frames: &mut BTreeMap<usize, FramesLink>,
        (end, has_sound): (EncoderEnd, bool),
        decoder: Option<VideoDecoder>,
        threads: &mut Threads,
    ) -> Result<()> {
        let input = self.input(of.input)?;
        let Some(decoder) = decoder else {
            let frames = frames.get(&of.stream).ok_or_else(has_ended)?.changes.clone();
            return match has_sound {
                true => tell(&input.changes, ReaderChange::Encode { frames, end }),
                false => tell(&frames, FramesChange::Add(end)),
            };
        };
        let rate = decoder.frame_rate();
        let edit = Edit {
            code: CodeKind::None,
            user: Stages::default(),
            is_live: input.node.is_held,
            rate,
            encoders: vec![end],
        };
        let queues = PipelineGraph::DECODING;
        let edited = spawn_edit(decoder, edit, queues, &self.context, threads)?;
        frames.insert(of.stream, FramesLink { changes: edited.changes, rate });
        tell(&input.changes, ReaderChange::Decode(of.stream, edited.packets))
    }
}

/// What the readers of the inputs are to do for an output: its copied streams, those of one input at once so
/// that they begin together, and places for those that are late.
fn reader_changes(
    graph: &PipelineGraph,
    plan: &OutputPlan,
    writers: &[WriterQueue],
    streams: &[KnownStreams],
    context: &NodeContext,
) -> Result<Vec<(usize, ReaderChange)>> {
    let Some(writer) = writers.first() else { return Ok(Vec::new()) };
    let mut copies: BTreeMap<usize, Vec<NewCopy>> = BTreeMap::new();
    for node in &graph.copies {
        let (stream, window, frames) = (node.of.stream, node.window, node.frames);
        let (to, target) = (writer.stream(node.to.stream), plan.target.clone());
        let known = streams.get(node.of.input);
        let source = known.and_then(|known| {
            Some((known.streams.get(node.of.stream)?, &known.options, known.is_live))
        });
        let open = |source| open_subtitles(node, &plan.target, source, context);
        let subtitles = source.map_or(Ok(None), open)?;
        let kind = node.kind;
        let copy = NewCopy { stream, kind, to, window, frames, target, subtitles };
        copies.entry(node.of.input).or_default().push(copy);
    }
    let preroll = plan.options.preroll.map(micros);
    let copies = copies
        .into_iter()
        .map(|(input, copies)| (input, ReaderChange::Copy(NewCopies { copies, preroll })));
    let mut changes: Vec<_> = copies.collect();
    for node in &graph.late_streams {
        let (kind, window, target) = (node.kind, node.window, plan.target.clone());
        let to = writer.stream(node.to.stream);
        let late = LateStream { kind, to, window, target };
        changes.push((node.input, ReaderChange::Late(late)));
    }
    Ok(changes)
}
