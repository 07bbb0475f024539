//! Gives each node of the [graph](super::graph) its ends of the queues, and its thread.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::codec::audio::AudioTranscoder;
use crate::codec::configuration::StreamMessage;
use crate::codec::decode::VideoDecoder;
use crate::codec::untouched::SwitchRules;
use crate::edit::complex::MediaFrame;
use crate::edit::{AudioCommand, Command, FrameProcessor};
use crate::error::Result;
use crate::image::Frame;
use crate::input::Source;
use crate::input::streams::InputStreamId;
use crate::live::supervise::{Hold, PresenceSignal, micros};
use crate::output::{Sink, nothing_written};
use crate::run::audio_code::{self, AudioChange, AudioCode, AudioEncoderEnd, AudioQueues};
use crate::run::audio_messages::AudioStage;
use crate::run::change::{CHANGES, ReaderChange};
use crate::run::code::{self, Code, Pulling};
use crate::run::delivery::SinkStream;
use crate::run::filtering::{FilterEnds, FilterOutput, LiveContext};
use crate::run::graph::{
    AudioEncoderNode, CodeKind, EditSource, FILTER_QUEUE, FramesFrom, InputNode, PipelineGraph,
    Port, VideoEncoderNode, WriterNode,
};
use crate::run::joining::Joining;
use crate::run::lane::CopyLane;
use crate::run::late::LateStream;
use crate::run::open::{NodeContext, Nodes, WriterQueue};
use crate::run::planned::{GraphPad, StreamSource};
use crate::run::positions::{ReadPosition, ReadPositions};
use crate::run::reading::{AudioEnd, DecoderEnd, LiveReading, LiveRules, Preroll, Reading};
use crate::run::sound::{SoundReader, SoundSender, sound_of};
use crate::run::stages::{
    AudioMessage, DecodeMessage, EncoderEnd, Encoding, Fanout, FrameTaker, FramesChange,
    VideoGroup, audio_loop, decode_audio_loop, decode_loop,
};
use crate::run::streams::KnownStreams;
use crate::run::threads::Threads;
use crate::run::untouched::{CopyUntouched, PACKETS, PacketsEnd, Switching, SwitchingParts};
use crate::run::writing::{SinkOpener, Writing};
use crate::time::Rate;
use crate::time::stop::Stop;

/// The user's code.
#[derive(Default)]
pub(super) struct Stages {
    pub(super) stages: Vec<Box<dyn FrameProcessor>>,
    pub(super) command: Option<Command>,
    pub(super) audio: Vec<AudioStage>,
    pub(super) audio_command: Option<AudioCommand>,
}

/// A way to an input's threads, for outputs that come and go.
pub(super) struct InputLink {
    pub(super) node: InputNode,
    pub(super) changes: Sender<ReaderChange>,
    pub(super) streams: Arc<Mutex<KnownStreams>>,
    pub(super) presence: PresenceSignal,
    /// Where the frames of each video that is decoded are handed to the encoders, by the stream's
    /// number.
    pub(super) frames: Mutex<BTreeMap<usize, FramesLink>>,
}

/// A way to the thread that hands frames to the encoders.
#[derive(Clone)]
pub(super) struct FramesLink {
    pub(super) changes: Sender<FramesChange>,
    pub(super) rate: Option<Rate>,
}

impl FramesLink {
    /// Whether the thread has ended, as nobody wanted frames any more.
    pub(super) fn is_gone(&self) -> bool {
        // A change that says nothing is refused by nobody else.
        matches!(self.changes.try_send(FramesChange::Nothing), Err(TrySendError::Disconnected(_)))
    }
}

/// Ways to what gets its frames from filter graphs, for outputs that go.
pub(super) struct FilterLinks {
    /// To the threads that hand pictures to the encoders.
    pub(super) changes: Vec<Sender<FramesChange>>,
    /// To the graphs' own threads: outputs that get nothing more, by their numbers.
    pub(super) graphs: Vec<Sender<usize>>,
}

/// What came of starting the threads.
pub(super) struct StartedThreads {
    pub(super) inputs: Vec<InputLink>,
    pub(super) filters: FilterLinks,
    /// The way to the code for sound, where there is some.
    pub(super) audio_changes: Option<Sender<AudioChange>>,
    /// The caller's end, where it pulls.
    pub(super) pulling: Option<Pulling>,
    /// For as long as the caller who pulls has it, the readers wait for outputs.
    pub(super) caller: Option<Sender<()>>,
    /// The input's audio, where it pulls.
    pub(super) sound: Option<SoundReader>,
    /// The ways to the encoders of sound of its own, by the outputs' numbers.
    pub(super) own_sound: Vec<(usize, Sender<AudioMessage>)>,
}

/// What a writer writes to.
pub(super) struct WriterSink {
    pub(super) sink: Sink,
    pub(super) opener: SinkOpener,
    /// Ends every wait for the other end.
    pub(super) stop: Stop,
    /// Of an output that is added while the pipeline runs.
    pub(super) joining: Option<Joining>,
}

impl Nodes {
    /// Gives each node its thread, the last ones first. `sinks` are the writers' own.
    pub(super) fn spawn(
        mut self,
        graph: &PipelineGraph,
        sources: Vec<Source>,
        sinks: Vec<WriterSink>,
        mut user: Stages,
        context: &NodeContext,
        threads: &mut Threads,
    ) -> Result<StartedThreads> {
        self.spawn_writers(graph, sinks, context, threads)?;
        let presences: Vec<PresenceSignal> =
            graph.inputs.iter().map(|_| PresenceSignal::new()).collect();
        let SpawnedEncoders { ends: mut frames, untouched } =
            self.spawn_encoders(graph, &sources, &presences, &user, context, threads)?;
        let SpawnedAudio { mut readings, of_filters, of_code, of_caller } =
            self.spawn_audio(graph, &context.stop, threads)?;
        for (of, packets) in untouched {
            if let Some(reading) = readings.get_mut(of.input) {
                reading.untouched.push(PacketsEnd { stream: of.stream, packets });
            }
        }
        let audio = (std::mem::take(&mut user.audio), user.audio_command.take());
        let mut pulling = None;
        let mut takers: Vec<Vec<FrameTaker>> = graph.decoders.iter().map(|_| Vec::new()).collect();
        let mut filters = FilterEnds::new(graph);
        for (pad, sender) in of_filters {
            filters.set_output(pad, FilterOutput::Audio(sender));
        }
        let (mut changes, mut audio_changes) = (Vec::new(), None);
        for (place, node) in graph.edits.iter().enumerate() {
            let encoders = frames.get_mut(place).map(std::mem::take).unwrap_or_default();
            let code = match node.code {
                CodeKind::None => Stages::default(),
                _ => std::mem::take(&mut user),
            };
            let rate = self.rate_before(graph, node.from);
            let is_live = graph
                .inputs_before(node)
                .iter()
                .any(|input| sources.get(*input).is_some_and(|source| source.is_live));
            let edit = Edit { code: node.code, user: code, is_live, rate, encoders };
            let edited = spawn_code(edit, node.queue, context, threads)?;
            pulling = pulling.or(edited.pulling);
            match node.from {
                EditSource::Filter(pad) => {
                    filters.set_output(pad, FilterOutput::Video(edited.frames));
                    changes.push(edited.changes);
                }
                EditSource::Decoder(decoder) => {
                    if let Some(takers) = takers.get_mut(decoder) {
                        takers.push(FrameTaker::Edit(edited.frames));
                    }
                    let of = graph.decoders.get(decoder).map(|node| node.of);
                    if let Some(of) = of
                        && let Some(reading) = readings.get_mut(of.input)
                    {
                        let link = FramesLink { changes: edited.changes, rate };
                        reading.frames.insert(of.stream, link);
                    }
                }
            }
        }
        let mut audio_edit = None;
        if let Some(from) = graph.audio_edit {
            let is_live = sources.iter().any(|source| source.is_live);
            let (frames, changes) = spawn_audio_code(audio, of_code, is_live, context, threads)?;
            match from {
                EditSource::Filter(pad) => filters.set_output(pad, FilterOutput::AudioEdit(frames)),
                EditSource::Decoder(place) => audio_edit = Some((place, frames)),
            }
            audio_changes = Some(changes);
        }
        let audio_decoders = self.audio_decoders.drain(..);
        for (place, (node, decoder)) in graph.audio_decoders.iter().zip(audio_decoders).enumerate()
        {
            let mut takers: Vec<_> =
                node.filters.iter().filter_map(|input| filters.input(*input)).collect();
            let edit = audio_edit.take_if(|(edited, _)| *edited == place);
            takers.extend(edit.map(|(_, frames)| frames));
            let (packets, waiting) = bounded(node.queue);
            let stop = context.stop.clone();
            threads.spawn("frameloom-decode", move || {
                decode_audio_loop(decoder, &waiting, takers, &stop)
            })?;
            if let Some(reading) = readings.get_mut(node.of.input) {
                reading.audio.push(AudioEnd { stream: node.of.stream, packets });
            }
        }
        let decoders = std::mem::take(&mut self.decoders);
        for ((node, decoder), mut takers) in graph.decoders.iter().zip(decoders).zip(takers) {
            let inputs = node.filters.iter().filter_map(|input| filters.input(*input));
            takers.extend(inputs.map(FrameTaker::Filter));
            let packets = spawn_decoder(decoder, node.queue, takers, context, threads)?;
            if let Some(reading) = readings.get_mut(node.of.input) {
                let stream = node.of.stream;
                reading.decoders.push(DecoderEnd { stream, packets, awaits_key: false });
            }
        }
        let mut graphs = Vec::new();
        let live = LiveContext {
            slate: context.slate.clone(),
            clock: Arc::clone(&context.environment.clock),
            stats: context.stats.clone(),
        };
        let of_graphs = self.filters.drain(..);
        for (filtering, leaves) in
            filters.into_threads(&graph.filters, of_graphs, &live, &context.stop)
        {
            threads.spawn("frameloom-filter", move || filtering.run())?;
            graphs.push(leaves);
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
        let is_pulled = graph.code == CodeKind::Pulled;
        let (caller, is_there) = is_pulled.then(|| bounded(0)).unzip();
        let mut inputs = Vec::new();
        let beside = Nodes::positions(graph, &sources);
        // The sound that a caller pulls is that of one input.
        let heard = sources.iter().position(|source| source.audio().is_some()).unwrap_or(0);
        let mut heard = match (context.pulls, sources.get(heard)) {
            (Some(pull), Some(source)) => {
                let (sender, reader) = sound_of(source, pull, &context.stats, &context.stop)?;
                Some((heard, sender, reader))
            }
            _ => None,
        };
        let mut sound = None;
        let readers = graph.inputs.iter().zip(sources).zip(presences).zip(readings);
        for ((number, (((node, source), presence), to)), beside) in readers.enumerate().zip(beside)
        {
            let own = heard.take_if(|(place, ..)| *place == number);
            let own = own.map(|(_, sender, reader)| {
                sound = Some(reader);
                sender
            });
            let beside = (own, beside, is_there.clone());
            let context = NodeContext { stats: context.stats.of_input(number), ..context.clone() };
            inputs.push(spawn_reader(*node, source, presence, to, beside, &context, threads)?);
        }
        let filters = FilterLinks { changes, graphs };
        let own_sound = of_caller;
        Ok(StartedThreads { inputs, filters, audio_changes, pulling, caller, sound, own_sound })
    }

    /// A place for each stored input beside the others, where there are several. A filter graph takes
    /// what it needs of an input, when it needs it.
    fn positions(graph: &PipelineGraph, sources: &[Source]) -> Vec<Option<ReadPosition>> {
        let all = ReadPositions::default();
        let is_beside = |(number, source): &(usize, &Source)| {
            !source.is_live && graph.has_direct_streams(*number)
        };
        let numbered = || sources.iter().enumerate();
        let has_several = numbered().filter(is_beside).count() > 1;
        let place = |input: (usize, &Source)| {
            (has_several && is_beside(&input)).then(|| all.add(input.1.options.offset))
        };
        numbered().map(place).collect()
    }

    pub(super) fn spawn_writers(
        &mut self,
        graph: &PipelineGraph,
        sinks: Vec<WriterSink>,
        context: &NodeContext,
        threads: &mut Threads,
    ) -> Result<()> {
        let writers = graph.writers.iter().zip(self.writers.drain(..)).zip(sinks);
        for ((node, queue), sink) in writers {
            spawn_writer(node, queue, sink, context, threads)?;
        }
        Ok(())
    }

    /// Gives the encoders of each edit, and the ways to those that copy what nobody touches.
    fn spawn_encoders(
        &mut self,
        graph: &PipelineGraph,
        sources: &[Source],
        presences: &[PresenceSignal],
        user: &Stages,
        context: &NodeContext,
        threads: &mut Threads,
    ) -> Result<SpawnedEncoders> {
        let mut untouched = Vec::new();
        // Code that hides something must have seen a frame, and a caller may write only some of them.
        let hides = user.command.as_ref().is_some_and(Command::hides);
        let needs_every_frame =
            context.live.holds_unedited() || hides || graph.code == CodeKind::Pulled;
        let mut ends: Vec<Vec<EncoderEnd>> = graph.edits.iter().map(|_| Vec::new()).collect();
        let groups = std::mem::take(&mut self.video_encoders);
        for (number, (node, group)) in graph.video_encoders.iter().zip(groups).enumerate() {
            let FramesFrom::Edit(edit) = node.from else { continue };
            let rate = self.frame_rate(graph, node.from);
            let of = graph.video_of(node.from).and_then(StreamSource::input);
            let presence = of.and_then(|of| presences.get(of.input)).filter(|_| node.holds);
            let hold = presence.map(|presence| Hold::new(presence.clone(), rate));
            let outputs = users_of(graph, &node.users);
            let counts = number == 0;
            let rules = context
                .live
                .copies_after()
                .map(|after| SwitchRules { after: micros(after), needs_every_frame });
            let copying = rules.and_then(|rules| copying(node, of, rate, sources, rules));
            let end = match copying {
                Some((copy, of)) => {
                    let parts = SwitchingParts {
                        hold,
                        counts,
                        clock: Arc::clone(&context.environment.clock),
                        stats: context.stats.clone(),
                        stop: context.stop.clone(),
                    };
                    let switching = Switching::new(group, copy, parts);
                    let ((frames, waiting), (sender, packets)) =
                        (bounded(node.queue), bounded(PACKETS));
                    untouched.push((of, sender));
                    threads.spawn("frameloom-encode", move || switching.run(&waiting, &packets))?;
                    EncoderEnd { frames, outputs, from: None }
                }
                None => spawn_video_encoder(node, group, outputs, hold, counts, context, threads)?,
            };
            if let Some(ends) = ends.get_mut(edit) {
                ends.push(end);
            }
        }
        Ok(SpawnedEncoders { ends, untouched })
    }

    fn spawn_audio(
        &mut self,
        graph: &PipelineGraph,
        stop: &Stop,
        threads: &mut Threads,
    ) -> Result<SpawnedAudio> {
        let readings = graph.inputs.iter().map(|_| ReaderEnds::default()).collect();
        let mut spawned = SpawnedAudio {
            readings,
            of_filters: Vec::new(),
            of_code: Vec::new(),
            of_caller: Vec::new(),
        };
        let transcoders = self.audio_encoders.drain(..);
        for (node, (transcoder, users)) in graph.audio_encoders.iter().zip(transcoders) {
            let packets = spawn_audio_encoder(node, transcoder, users, stop, threads)?;
            match node.of {
                _ if node.is_edited => {
                    let outputs = users_of(graph, &node.users);
                    spawned.of_code.push(AudioEncoderEnd { packets, outputs });
                }
                StreamSource::Graph(pad) => {
                    spawned.of_filters.push((pad, packets));
                }
                StreamSource::Input(InputStreamId { input, stream }) => {
                    if let Some(reading) = spawned.readings.get_mut(input) {
                        reading.audio.push(AudioEnd { stream, packets });
                    }
                }
                StreamSource::Caller => {
                    let outputs = users_of(graph, &node.users);
                    let ends = outputs.into_iter().map(|output| (output, packets.clone()));
                    spawned.of_caller.extend(ends);
                }
            }
        }
        Ok(spawned)
    }
}

/// The ways to encoders of video.
struct SpawnedEncoders {
    /// Those of each edit, for frames.
    ends: Vec<Vec<EncoderEnd>>,
    /// For packets of what is copied where nobody touches it.
    untouched: Vec<(InputStreamId, Sender<StreamMessage>)>,
}

/// What came of starting the threads that encode sound.
struct SpawnedAudio {
    /// What each reader is to send to.
    readings: Vec<ReaderEnds>,
    /// What filter graphs are to send to.
    of_filters: Vec<(GraphPad, Sender<AudioMessage>)>,
    /// What the code for sound is to send to.
    of_code: Vec<AudioEncoderEnd>,
    /// What the caller is to send to, by the outputs' numbers.
    of_caller: Vec<(usize, Sender<AudioMessage>)>,
}

/// How an encoder's video is copied where nobody touches it; `None` where all of it is encoded.
fn copying(
    node: &VideoEncoderNode,
    of: Option<InputStreamId>,
    rate: Option<Rate>,
    sources: &[Source],
    rules: SwitchRules,
) -> Option<(CopyUntouched, InputStreamId)> {
    let stream = of.and_then(|of| Some((of, sources.get(of.input)?.streams.get(of.stream)?)));
    let known = stream.ok_or_else(|| "it is made by a filter graph".to_owned());
    let copy = known.and_then(|(of, stream)| {
        CopyUntouched::of(&node.plan, rate, stream, rules).map(|copy| (copy, of))
    });
    copy.inspect_err(|reason| tracing::info!("all of the video is encoded: {reason}")).ok()
}

/// What a reader sends to.
#[derive(Default)]
struct ReaderEnds {
    lanes: Vec<CopyLane>,
    late_streams: Vec<LateStream>,
    decoders: Vec<DecoderEnd>,
    frames: BTreeMap<usize, FramesLink>,
    audio: Vec<AudioEnd>,
    untouched: Vec<PacketsEnd>,
}

/// The numbers of the outputs that some ports belong to.
pub(super) fn users_of(graph: &PipelineGraph, ports: &[Port]) -> Vec<usize> {
    ports.iter().filter_map(|port| Some(graph.writers.get(port.writer)?.output)).collect()
}

/// Starts the thread that writes an output.
pub(super) fn spawn_writer(
    node: &WriterNode,
    queue: WriterQueue,
    sink: WriterSink,
    context: &NodeContext,
    threads: &mut Threads,
) -> Result<()> {
    let WriterSink { sink, opener, stop, joining } = sink;
    let (number, url, is_added) = (node.output, opener.target.url.clone(), joining.is_some());
    let takes_frames = opener.options.preroll.is_none();
    let opener = node.reopens.then_some(opener);
    let leaves = context.registry.add(number, stop.clone(), takes_frames);
    let environment = context.environment.clone();
    let writing =
        Writing::new(sink, queue.end, opener, joining, Arc::clone(&leaves), environment, stop);
    let NodeContext { registry, stats, failure, .. } = context.clone();
    threads.spawn("frameloom-write", move || {
        let result = match writing.run() {
            Ok(true) => Ok(()),
            Ok(false) if leaves.load(Ordering::Relaxed) => Err(nothing_written(&url)),
            Ok(false) if is_added => {
                // It was added too late for anything to come: the others are none the worse.
                tracing::warn!("{}", nothing_written(&url));
                Ok(())
            }
            Ok(false) => {
                failure.note_unwritten(nothing_written(&url));
                Ok(())
            }
            Err(error) => Err(error),
        };
        registry.ended(number, result, &stats)
    })
}

/// Starts the thread that encodes video for these outputs. The first of all encoders `counts` for
/// all.
pub(super) fn spawn_video_encoder(
    node: &VideoEncoderNode,
    group: VideoGroup,
    outputs: Vec<usize>,
    hold: Option<Hold>,
    counts: bool,
    context: &NodeContext,
    threads: &mut Threads,
) -> Result<EncoderEnd> {
    let (frames, waiting) = bounded(node.queue);
    let (stats, stop) = (context.stats.clone(), context.stop.clone());
    let clock = Arc::clone(&context.environment.clock);
    let encoding = Encoding { group, hold, counts, clock, stats, stop };
    threads.spawn("frameloom-encode", move || encoding.run(&waiting))?;
    Ok(EncoderEnd { frames, outputs, from: None })
}

/// Starts the thread that transcodes sound.
pub(super) fn spawn_audio_encoder(
    node: &AudioEncoderNode,
    transcoder: AudioTranscoder,
    mut users: Vec<SinkStream>,
    stop: &Stop,
    threads: &mut Threads,
) -> Result<Sender<AudioMessage>> {
    let (sender, receiver) = bounded(node.queue);
    let stop = stop.clone();
    threads
        .spawn("frameloom-audio", move || audio_loop(transcoder, &receiver, &mut users, &stop))?;
    Ok(sender)
}

/// What stands between frames and the encoders.
pub(super) struct Edit {
    pub(super) code: CodeKind,
    pub(super) user: Stages,
    pub(super) is_live: bool,
    /// That of the frames.
    pub(super) rate: Option<Rate>,
    pub(super) encoders: Vec<EncoderEnd>,
}

/// The ends of an edit that runs.
struct CodeQueues {
    frames: Sender<Frame>,
    changes: Sender<FramesChange>,
    pulling: Option<Pulling>,
}

/// The ends of a decoder and an edit that run.
pub(super) struct EditQueues {
    pub(super) packets: Sender<DecodeMessage>,
    pub(super) changes: Sender<FramesChange>,
}

/// Starts a decoder's thread, and that which hands its frames to encoders. `queues` are for how many
/// packets may wait for the decoder, and how many frames behind it.
pub(super) fn spawn_edit(
    decoder: VideoDecoder,
    edit: Edit,
    [packets, frames]: [usize; 2],
    context: &NodeContext,
    threads: &mut Threads,
) -> Result<EditQueues> {
    let CodeQueues { frames, changes, .. } = spawn_code(edit, frames, context, threads)?;
    let takers = vec![FrameTaker::Edit(frames)];
    let packets = spawn_decoder(decoder, packets, takers, context, threads)?;
    Ok(EditQueues { packets, changes })
}

/// Starts a decoder's thread.
fn spawn_decoder(
    decoder: VideoDecoder,
    queue: usize,
    takers: Vec<FrameTaker>,
    context: &NodeContext,
    threads: &mut Threads,
) -> Result<Sender<DecodeMessage>> {
    let (packets, waiting) = bounded(queue);
    let stop = context.stop.clone();
    threads.spawn("frameloom-decode", move || decode_loop(decoder, &waiting, takers, &stop))?;
    Ok(packets)
}

/// Starts the threads of the code, or the one that hands frames to the encoders.
fn spawn_code(
    edit: Edit,
    queue: usize,
    context: &NodeContext,
    threads: &mut Threads,
) -> Result<CodeQueues> {
    let Edit { code, user, is_live, rate, encoders } = edit;
    let (sender, frames) = bounded(queue);
    let (changes, to_come) = bounded(CHANGES);
    let only_reads = encoders.is_empty() && !context.is_controlled;
    let fanout = Fanout {
        encoders,
        changes: to_come,
        has_code: code != CodeKind::None,
        stats: context.stats.clone(),
    };
    let code = Code {
        stages: user.stages,
        command: user.command,
        is_pulled: code == CodeKind::Pulled,
        only_reads,
        live: context.live.clone(),
        is_live,
        rate,
        events: context.events.clone(),
        stats: context.stats.clone(),
        clock: Arc::clone(&context.environment.clock),
        stop: context.stop.clone(),
    };
    let pulling = code::start(code, frames, fanout, threads)?;
    Ok(CodeQueues { frames: sender, changes, pulling })
}

/// Starts the threads of the code for sound. Gives the way to them, and that for outputs that come and go.
fn spawn_audio_code(
    (stages, command): (Vec<AudioStage>, Option<AudioCommand>),
    encoders: Vec<AudioEncoderEnd>,
    is_live: bool,
    context: &NodeContext,
    threads: &mut Threads,
) -> Result<(Sender<MediaFrame>, Sender<AudioChange>)> {
    let (sender, frames) = bounded(FILTER_QUEUE);
    let (changes, to_come) = bounded(CHANGES);
    let code = AudioCode {
        stages,
        limit: AudioCode::limit(is_live, context.live.deadline),
        on_error: context.live.error_policy(is_live, command.is_some()),
        events: context.events.clone(),
        command,
        stats: context.stats.clone(),
        clock: Arc::clone(&context.environment.clock),
        stop: context.stop.clone(),
    };
    let queues = AudioQueues { frames, encoders, changes: to_come };
    audio_code::start(code, queues, threads)?;
    Ok((sender, changes))
}

/// Starts the thread that reads an input.
fn spawn_reader(
    node: InputNode,
    source: Source,
    presence: PresenceSignal,
    to: ReaderEnds,
    (sound, beside, caller): (Option<SoundSender>, Option<ReadPosition>, Option<Receiver<()>>),
    context: &NodeContext,
    threads: &mut Threads,
) -> Result<InputLink> {
    let rules = LiveRules {
        presence: presence.clone(),
        events: context.events.clone(),
        input: context.stats.input_number(),
        on_loss: context.on_loss,
        reconnect_for: context.live.reconnect_for,
        stall_limit: context.stall_limit,
        clock: Arc::clone(&context.environment.clock),
    };
    let (changes, to_come) = bounded(CHANGES);
    let streams = Arc::new(Mutex::new(KnownStreams::of(&source)?));
    let preroll = source.options.preroll;
    let reading = Reading {
        preroll: (!preroll.is_zero()).then(|| Preroll::new(micros(preroll))),
        live: source.is_live.then(|| LiveReading::new(&source, rules)),
        source,
        lanes: to.lanes,
        expected: [false; 2],
        late_streams: to.late_streams,
        decoders: to.decoders,
        audio: to.audio,
        untouched: to.untouched,
        changes: to_come,
        streams: Arc::clone(&streams),
        position: None,
        sound,
        caller,
        stats: context.stats.clone(),
        environment: context.environment.clone(),
        stop: context.stop.clone(),
        moved_by: None,
        beside,
    };
    threads.spawn_source("frameloom-read", move || reading.run())?;
    Ok(InputLink { node, changes, streams, presence, frames: Mutex::new(to.frames) })
}
