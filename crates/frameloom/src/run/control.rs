//! Outputs that are added to a running pipeline and removed from it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Receiver;

use crate::av::MediaKind;
use crate::codec::audio::AudioTranscoder;
use crate::codec::decode::VideoDecoder;
use crate::error::{End, Error, Result, Setting, sentence};
use crate::live::supervise::Hold;
use crate::options::OnResize;
use crate::run::change::{NewCopy, ReaderChange, tell, too_many_changes};
use crate::run::delivery::SinkStream;
use crate::run::graph::{CodeKind, InputNode, PipelineGraph};
use crate::run::joining::Joining;
use crate::run::late::LateStream;
use crate::run::open::{
    NodeContext, WriterQueue, key_wishes, open_audio_encoder, open_video_encoder, streams_of,
};
use crate::run::outputs::NewOutput;
use crate::run::plan::{Between, OutputPlan, plan};
use crate::run::spawn::{
    Edit, FramesLink, InputLink, Stages, WriterSink, spawn_audio_encoder, spawn_edit,
    spawn_video_encoder, spawn_writer,
};
use crate::run::stages::{EncoderEnd, FramesChange, VideoGroup};
use crate::run::streams::KnownStreams;
use crate::run::threads::{MoreThreads, Threads};
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
    /// A COMMAND whose answers nobody reads, as there was no output when it began.
    pub(super) command_only_reads: bool,
    pub(super) inputs: Vec<InputLink>,
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
    /// not begun.
    ///
    /// # Errors
    /// Where there is no such output, or the pipeline has ended.
    pub(crate) fn remove(&self, number: usize) -> Result<Option<Receiver<Result<()>>>> {
        let running = match &mut *self.settled() {
            OutputsState::Described(outputs) => {
                let output = outputs.get_mut(number).and_then(Option::take);
                return output.map(|_| None).ok_or_else(|| not_there(number));
            }
            OutputsState::Running(running) => Arc::clone(running),
            OutputsState::Starting | OutputsState::Ended => return Err(has_ended()),
        };
        running.remove(number).map(Some)
    }
}

fn has_ended() -> Error {
    Error::usage("the pipeline has ended")
}

fn not_there(number: usize) -> Error {
    Error::usage(format!("there is no output {number} that could be removed"))
}

/// What is opened of an output before it has a number.
struct OpenedOutput {
    plan: OutputPlan,
    streams: KnownStreams,
    sink: WriterSink,
}

/// What an output that is added needs to be encoded.
struct Codecs {
    transcoder: Option<(AudioTranscoder, Vec<SinkStream>)>,
    /// Where no decoder runs.
    decoder: Option<VideoDecoder>,
    encoder: Option<VideoGroup>,
    /// That of the frames.
    rate: Option<Rate>,
}

impl RunningPipeline {
    fn remove(&self, number: usize) -> Result<Receiver<Result<()>>> {
        // One change at a time: there is room for this one until it is sent.
        let _next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let frames =
            |input: &InputLink| input.frames.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_full = |input: &InputLink| {
            input.changes.is_full() || frames(input).is_some_and(|frames| frames.changes.is_full())
        };
        if self.inputs.iter().any(is_full) {
            return Err(too_many_changes());
        }
        let awaited = self.context.registry.leave(number, self.code == CodeKind::None)?;
        for input in &self.inputs {
            // A thread that has ended gives the output nothing more anyway.
            let _ = tell(&input.changes, ReaderChange::Leave(number));
            if let Some(frames) = frames(input) {
                let _ = tell(&frames.changes, FramesChange::Leave(number));
            }
        }
        Ok(awaited)
    }

    fn add(&self, output: NewOutput) -> Result<usize> {
        let input = self.inputs.first().ok_or_else(has_ended)?;
        let opened = self.open(input, output)?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut threads = self.threads.open().ok_or_else(has_ended)?;
        let number = *next;
        // What failed to start may still have to end: its number is not given again.
        *next += 1;
        self.start(number, input, opened, &mut threads)?;
        Ok(number)
    }

    /// Plans an output, and opens what it is written to.
    fn open(&self, input: &InputLink, output: NewOutput) -> Result<OpenedOutput> {
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
        let length = options.length();
        (options.duration, options.end) = (None, None);
        let streams = input.streams.lock().unwrap_or_else(PoisonError::into_inner).share()?;
        let (video, audio) = (streams.video.as_ref(), streams.audio.as_ref());
        let between = Between { is_edited: self.code != CodeKind::None, begins_with_key: true };
        let plan = plan(video, audio, target, options, &streams.options, between)?;
        if self.context.live.on_resize == OnResize::Restart {
            plan.check_resize()?;
        }
        let stop = self.context.stop.child();
        let (stats, live) = (&self.context.stats, &self.context.live);
        let opener = SinkOpener::new(&plan, stats, live, input.node.reopens_outputs);
        let sink = opener.open(&self.context.environment, &stop)?;
        let joining = Some(Joining::new(plan.video.is_some(), length));
        Ok(OpenedOutput { plan, streams, sink: WriterSink { sink, opener, stop, joining } })
    }

    /// Starts an output's threads, and has those that run send to them.
    fn start(
        &self,
        number: usize,
        input: &InputLink,
        opened: OpenedOutput,
        threads: &mut Threads,
    ) -> Result<()> {
        let OpenedOutput { plan, streams, sink } = opened;
        let context = NodeContext { stop: sink.stop.clone(), ..self.context.clone() };
        let mut graph = PipelineGraph::new(CodeKind::None);
        let place = graph.add_input(InputNode {
            has_video: streams.video.is_some(),
            has_audio: streams.audio.is_some(),
            was_sought: false,
            ..input.node
        });
        graph.add_output(number, place, &plan);
        let wishes = key_wishes(&graph);
        let mut writers: Vec<_> =
            graph.writers.iter().map(|node| WriterQueue::new(node, &wishes, &context)).collect();
        let changes = reader_changes(&graph, &plan, &writers);
        let mut frames = input.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let codecs =
            self.open_codecs(&graph, &wishes, &writers, &streams, frames.as_ref(), &context)?;

        // Nothing fails any more but for want of threads, or as the pipeline ends.
        if let (Some(node), Some(queue)) = (graph.writers.first(), writers.pop()) {
            spawn_writer(node, queue, sink, &context, threads)?;
            self.context.stats.output_exists(number, None);
        }
        let started = self
            .start_codecs(input, &graph, codecs, &mut frames, &context, threads)
            .and_then(|()| changes.into_iter().try_for_each(|change| tell(&input.changes, change)));
        if started.is_err() {
            // Whatever its threads make of it is no error of the pipeline's.
            let _ = self.context.registry.leave(number, false);
        }
        started
    }

    /// Opens an output's codecs, and a decoder where none runs.
    fn open_codecs(
        &self,
        graph: &PipelineGraph,
        wishes: &[Arc<AtomicBool>],
        writers: &[WriterQueue],
        streams: &KnownStreams,
        frames: Option<&FramesLink>,
        context: &NodeContext,
    ) -> Result<Codecs> {
        let mut codecs = Codecs { transcoder: None, decoder: None, encoder: None, rate: None };
        if let (Some(node), Some(audio)) = (graph.audio_encoders.first(), &streams.audio) {
            let (options, is_live) = (&streams.options, streams.is_live);
            let transcoder = open_audio_encoder(node, audio, options, is_live, context)?;
            codecs.transcoder = Some((transcoder, streams_of(writers, &node.users)));
        }
        let Some((node, wish)) = graph.video_encoders.first().zip(wishes.first()) else {
            return Ok(codecs);
        };
        match frames.filter(|frames| !frames.is_gone()) {
            Some(frames) => codecs.rate = frames.rate,
            None => {
                codecs.decoder = self.open_decoder(streams)?;
                codecs.rate = codecs.decoder.as_ref().and_then(VideoDecoder::frame_rate);
            }
        }
        codecs.encoder = Some(open_video_encoder(node, wish, writers, codecs.rate, context)?);
        Ok(codecs)
    }

    /// Starts the codecs' threads, and has those that run send to them.
    fn start_codecs(
        &self,
        input: &InputLink,
        graph: &PipelineGraph,
        codecs: Codecs,
        frames: &mut Option<FramesLink>,
        context: &NodeContext,
        threads: &mut Threads,
    ) -> Result<()> {
        let Codecs { transcoder, decoder, encoder, rate } = codecs;
        let has_sound = !graph.audio_encoders.is_empty()
            || graph.copies.iter().any(|copy| copy.of.kind == MediaKind::Audio);
        if let (Some(node), Some((transcoder, users))) = (graph.audio_encoders.first(), transcoder)
        {
            let sender = spawn_audio_encoder(node, transcoder, users, threads)?;
            tell(&input.changes, ReaderChange::Audio(sender))?;
        }
        let (Some(node), Some(group)) = (graph.video_encoders.first(), encoder) else {
            return Ok(());
        };
        let hold = node.holds.then(|| Hold::new(input.presence.clone(), rate));
        let outputs = vec![node.output];
        let end = spawn_video_encoder(node, group, outputs, hold, false, context, threads)?;
        self.send_frames(input, frames, (end, has_sound), decoder, threads)
    }

    fn open_decoder(&self, streams: &KnownStreams) -> Result<Option<VideoDecoder>> {
        let open = |video| {
            let stats = self.context.stats.clone();
            VideoDecoder::open(video, &streams.options, streams.is_live, stats)
        };
        streams.video.as_ref().map(open).transpose()
    }

    /// Gives an encoder frames, from a decoder that is begun if none runs.
    fn send_frames(
        &self,
        input: &InputLink,
        frames: &mut Option<FramesLink>,
        (end, has_sound): (EncoderEnd, bool),
        decoder: Option<VideoDecoder>,
        threads: &mut Threads,
    ) -> Result<()> {
        let Some(decoder) = decoder else {
            let frames = frames.as_ref().ok_or_else(has_ended)?.changes.clone();
            return match has_sound {
                true => tell(&input.changes, ReaderChange::Encode { frames, end }),
                false => tell(&frames, FramesChange::Add(end)),
            };
        };
        let rate = decoder.frame_rate();
        let edit = Edit {
            code: CodeKind::None,
            user: Stages { stages: Vec::new(), command: None },
            is_live: input.node.is_held,
            encoders: vec![end],
            queues: PipelineGraph::DECODING,
        };
        let edited = spawn_edit(decoder, edit, &self.context, threads)?;
        *frames = Some(FramesLink { changes: edited.changes, rate });
        tell(&input.changes, ReaderChange::Decode(edited.packets))
    }
}

/// What the reader is to do for an output: its copied streams, and places for those that are late.
fn reader_changes(
    graph: &PipelineGraph,
    plan: &OutputPlan,
    writers: &[WriterQueue],
) -> Vec<ReaderChange> {
    let mut changes = Vec::new();
    let Some(writer) = writers.first() else { return changes };
    for node in &graph.copies {
        let (kind, window, frames) = (node.of.kind, node.window, node.frames);
        let (to, target) = (writer.stream(node.to.stream), plan.target.clone());
        changes.push(ReaderChange::Copy(NewCopy { kind, to, window, frames, target }));
    }
    for node in &graph.late_streams {
        let (kind, window, target) = (node.of.kind, node.window, plan.target.clone());
        let to = writer.stream(node.to.stream);
        changes.push(ReaderChange::Late(LateStream { kind, to, window, target }));
    }
    changes
}
