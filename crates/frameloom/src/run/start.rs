//! A pipeline's start: from its description to plans, a graph, and threads.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::av::{Device, MediaKind};
use crate::edit::{AudioCommand, Command, FrameProcessor};
use crate::error::{Error, Hint, Result, Setting, sentence};
use crate::input::Source;
use crate::live::slate::Slate;
use crate::live::supervise::micros;
use crate::options::{LiveOptions, OnLoss, OnResize, OutputOptions, WaitForInputs};
use crate::protocol::Target;
use crate::protocol::environment::Environment;
use crate::run::arrival::await_video;
use crate::run::audio_messages::AudioStage;
use crate::run::code::Pulling;
use crate::run::control::{OutputsOwner, RunningPipeline};
use crate::run::filters::{check_taken, plan_graphs};
use crate::run::graph::{CodeKind, InputNode, PipelineGraph};
use crate::run::metadata::of_options;
use crate::run::open::{NodeContext, Nodes};
use crate::run::outputs::{NewOutput, OpenSink};
use crate::run::plan::plan;
use crate::run::plan_writer::{WriterPlan, plan_feed};
use crate::run::planned::{Edited, OutputPlan, PlannedGraph, PlannedInput, StreamSource};
use crate::run::registry::Registry;
use crate::run::selection::{Offer, choose, edited};
use crate::run::sound::{SoundPull, SoundReader};
use crate::run::spawn::{Stages, StartedThreads, WriterSink};
use crate::run::spawn_caller::CallerEnds;
use crate::run::stages::AudioMessage;
use crate::run::threads::{Failure, MoreThreads, Threads};
use crate::run::writing::SinkOpener;
use crate::stats::Stats;
use crate::stats::event::Events;
use crate::time::Rate;
use crate::time::stop::Stop;
use crate::url;

/// How long a live input may be silent: servers that lose a publisher often say nothing at all.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A pipeline as its user described it.
pub(crate) struct Setup {
    pub(crate) sources: Vec<Source>,
    /// Kept open until whoever uses one has it.
    pub(crate) _devices: Vec<Arc<Device>>,
    /// Filter graphs across streams, in FFmpeg's language.
    pub(crate) graphs: Vec<String>,
    pub(crate) stages: Vec<Box<dyn FrameProcessor>>,
    pub(crate) command: Option<Command>,
    /// The code for sound.
    pub(crate) audio_stages: Vec<AudioStage>,
    pub(crate) audio_command: Option<AudioCommand>,
    /// The caller takes the frames itself, or the sound.
    pub(crate) pulls: Option<SoundPull>,
    pub(crate) outputs: OutputsOwner,
    pub(crate) live: LiveOptions,
    pub(crate) events: Events,
    pub(crate) stats: Stats,
    pub(crate) environment: Environment,
    /// Ends the run; also what a stage that fails stops.
    pub(crate) stop: Stop,
}

/// A caller's own frames into one output, as the caller described it.
pub(crate) struct FeedSetup {
    pub(crate) target: Target,
    pub(crate) options: OutputOptions,
    /// That of the frames, where it is known.
    pub(crate) rate: Option<Rate>,
    /// There is sound of the caller's own.
    pub(crate) has_audio: bool,
    pub(crate) live: LiveOptions,
    pub(crate) events: Events,
    pub(crate) stats: Stats,
    pub(crate) environment: Environment,
    /// Ends every wait; also what a stage that fails stops.
    pub(crate) stop: Stop,
}

/// An output's number, and what it is written to where that is open already.
type NumberedSink = (usize, Option<OpenSink>);

/// What was decided before anything is opened.
struct Planned {
    plans: Vec<OutputPlan>,
    graphs: Vec<PlannedGraph>,
    opened: Vec<NumberedSink>,
    edited: Edited,
}

/// A pipeline's threads at work.
pub(crate) struct Started {
    pub(crate) threads: Threads,
    /// The caller's end, where it pulls.
    pub(crate) pulling: Option<Pulling>,
    /// For as long as the caller who pulls has it, the readers wait for outputs.
    pub(crate) caller: Option<Sender<()>>,
    /// The input's audio, where it pulls.
    pub(crate) sound: Option<SoundReader>,
    /// The ways to the encoders of sound of its own, by the outputs' numbers, with its rate and layout.
    pub(crate) own_sound: Vec<(usize, (u32, String), Sender<AudioMessage>)>,
    /// The outputs that are there.
    pub(crate) registry: Registry,
    /// Kept for as long as outputs may be added.
    pub(crate) outputs: OutputsOwner,
    /// A way to start more threads.
    pub(crate) more: MoreThreads,
}

impl Setup {
    /// Whether one of its inputs is live.
    pub(crate) fn is_live(&self) -> bool {
        self.sources.iter().any(|source| source.is_live)
    }

    fn edits_audio(&self) -> bool {
        !self.audio_stages.is_empty() || self.audio_command.is_some()
    }

    fn code(&self) -> CodeKind {
        match self.pulls {
            Some(SoundPull::BesideFrames) => CodeKind::Pulled,
            _ if self.stages.is_empty() && self.command.is_none() => CodeKind::None,
            _ => CodeKind::Stages,
        }
    }

    /// Plans it, lays out its graph, opens everything and starts the threads.
    ///
    /// # Errors
    /// Whatever keeps it from starting. What happens later goes to `failure`.
    pub(crate) fn start(mut self, failure: &Failure) -> Result<Started> {
        let code = self.code();
        let is_edited = code != CodeKind::None;
        let edits_audio = self.edits_audio();
        self.live.check(self.command.is_some(), is_edited || edits_audio)?;
        let url = self.sources.first().map_or("", Source::url);
        self.live.check_input(self.is_live()).map_err(|e| e.at(url))?;
        let mut described = self.outputs.begin();
        let does_nothing = !is_edited && !edits_audio && self.pulls.is_none();
        if described.iter().all(Option::is_none) && does_nothing {
            return Err(Error::usage("there is neither an output nor code to run"));
        }
        let stall_limit = self.live.stall_timeout.unwrap_or(STALL_TIMEOUT);
        self.sources.iter_mut().for_each(|source| source.set_stall_limit(stall_limit));
        if is_edited && self.sources.iter().all(|source| source.video().is_none()) {
            let (limit, environment, stop) =
                (self.live.reconnect_for, &self.environment, &self.stop);
            let first = self.sources.iter().position(|source| source.is_live).unwrap_or(0);
            let source = self.sources.remove(first);
            let source = await_video(source, stall_limit, limit, environment, stop)?;
            self.sources.insert(first, source);
        }
        self.align();
        let next = Mutex::new(described.len());
        let named = described.drain(..).enumerate().filter_map(|(n, output)| Some((n, output?)));
        let planned = self.plan_outputs(named.collect(), is_edited)?;
        let context = self.context(&planned.plans, stall_limit, failure)?;
        let graph = self.graph(code, &planned, context.on_loss);
        self.narrow(&planned)?;
        let Planned { plans, opened, edited, .. } = planned;
        let own_shapes = self.own_shapes(&plans, &opened)?;
        let reopens = self.sources.iter().any(|source| self.reopens_outputs(source));
        let Setup { sources, stages, command, audio_stages, audio_command, outputs, .. } = self;
        let command_only_reads = command.is_some() && plans.is_empty();
        let nodes = Nodes::open(&graph, &plans, &sources, &context)?;
        let sinks = open_sinks(&plans, opened, reopens, &context)?;
        let mut threads = Threads::new(failure.clone());
        let user = Stages { stages, command, audio: audio_stages, audio_command };
        let StartedThreads { inputs, filters, audio_changes, pulling, caller, sound, own_sound } =
            nodes.spawn(&graph, sources, sinks, user, &context, &mut threads)?;
        let (more, registry) = (threads.close(), context.registry.clone());
        outputs.run(RunningPipeline {
            context,
            threads: more.clone(),
            code,
            edited,
            command_only_reads,
            inputs,
            filters,
            audio_changes,
            next,
        });
        let shape = |(number, end): (usize, Sender<AudioMessage>)| {
            let (_, shape) = own_shapes.iter().find(|(output, _)| *output == number)?;
            Some((number, shape.clone(), end))
        };
        let own_sound = own_sound.into_iter().filter_map(shape).collect();
        Ok(Started { threads, pulling, caller, sound, own_sound, registry, outputs, more })
    }

    /// The outputs that have sound of the caller's own, with its rate and layout.
    ///
    /// # Errors
    /// Where the caller can't write any.
    fn own_shapes(
        &self,
        plans: &[OutputPlan],
        opened: &[NumberedSink],
    ) -> Result<Vec<(usize, (u32, String))>> {
        let own = plans
            .iter()
            .zip(opened)
            .filter_map(|(plan, (number, _))| Some((*number, plan.options.own_audio.clone()?)));
        let own: Vec<_> = own.collect();
        if !own.is_empty() && self.pulls != Some(SoundPull::BesideFrames) {
            let cause = "sound of your own is written beside frames that you pull";
            return Err(Error::usage(cause));
        }
        Ok(own)
    }

    /// Puts live inputs on one clock by when they came, where there are several inputs: what came at one
    /// moment is at one time.
    fn align(&mut self) {
        let began = |source: &Source| source.began().filter(|_| source.is_live);
        let Some(first) = self.sources.iter().filter_map(began).min() else { return };
        if self.sources.len() < 2 {
            return;
        }
        for source in &mut self.sources {
            let Some(own) = source.began().filter(|_| source.is_live) else { continue };
            let later = micros(own.saturating_duration_since(first));
            source.options.offset = source.options.offset.plus(later);
        }
    }

    /// Decides what becomes of the streams in each output.
    fn plan_outputs(&self, outputs: Vec<(usize, NewOutput)>, is_edited: bool) -> Result<Planned> {
        let inputs: Vec<_> = self.sources.iter().map(PlannedInput::of).collect();
        let graphs = plan_graphs(&self.graphs, &inputs)?;
        let offer = Offer { inputs: &inputs, graphs: &graphs };
        let choose = |(place, (_, output)): (usize, &(usize, NewOutput))| {
            choose(offer, &output.target, &output.options, place == 0)
        };
        let chosen = outputs.iter().enumerate().map(choose).collect::<Result<Vec<_>>>()?;
        let of_kind =
            |is_edited: bool, kind| is_edited.then(|| edited(offer, &chosen, kind)).transpose();
        let edited = Edited {
            video: of_kind(is_edited, MediaKind::Video)?,
            audio: of_kind(self.edits_audio(), MediaKind::Audio)?,
        };
        let (mut plans, mut opened) = (Vec::new(), Vec::new());
        for ((number, output), chosen) in outputs.into_iter().zip(chosen) {
            let NewOutput { target, options, open } = output;
            let plan = plan(&inputs, &chosen, target, options, edited)?;
            self.stats.output_exists(number, plan.window.start);
            plans.push(plan);
            opened.push((number, open));
        }
        check_taken(&graphs, &plans)?;
        if self.live.on_resize == OnResize::Restart {
            plans.iter().try_for_each(OutputPlan::check_resize)?;
        }
        let whole = self.sources.iter().map(Source::duration).max().flatten();
        if let Some(longest) = plans.iter().map(|p| p.duration(whole)).max().flatten() {
            self.stats.expect(longest);
        }
        Ok(Planned { plans, graphs, opened, edited })
    }

    /// Tells each input which of its streams the outputs and the code want.
    fn narrow(&mut self, planned: &Planned) -> Result<()> {
        let Planned { plans, graphs, edited, .. } = planned;
        // Who writes no output, or adds one later, may want the main ones.
        let wants_main = self.pulls.is_some()
            || self.outputs.is_shared()
            || plans.is_empty()
            || plans.iter().any(|plan| !plan.options.has_maps());
        for (input, source) in self.sources.iter_mut().enumerate() {
            let taken = plans.iter().flat_map(|plan| plan.streams.iter().map(|s| s.from));
            let edited = edited.video.into_iter().chain(edited.audio);
            let direct = taken.chain(edited).filter_map(StreamSource::input);
            let filtered = graphs.iter().flat_map(|graph| graph.inputs.iter().map(|i| i.from));
            let wanted = direct.chain(filtered).filter(|from| from.input == input);
            let mut numbers: Vec<usize> = wanted.map(|from| from.stream).collect();
            if wants_main {
                let only_sound = self.pulls == Some(SoundPull::Alone) && plans.is_empty();
                let mains = match only_sound && !source.is_live {
                    true => &[MediaKind::Audio][..],
                    false => &[MediaKind::Video, MediaKind::Audio],
                };
                numbers.extend(mains.iter().filter_map(|kind| source.streams.main(*kind)));
            }
            source.read_only(&numbers)?;
        }
        Ok(())
    }

    /// Whether outputs of this input that are lost are opened again: it goes on at its own speed.
    fn reopens_outputs(&self, source: &Source) -> bool {
        !self.live.no_reconnect && (source.is_live || source.options.realtime)
    }

    fn context(
        &self,
        plans: &[OutputPlan],
        stall_limit: Duration,
        failure: &Failure,
    ) -> Result<NodeContext> {
        let to_pipe = plans.iter().any(|plan| url::is_pipe(&plan.target.url));
        let on_loss = self.live.loss_policy(to_pipe);
        let may_miss =
            |source: &Source| source.is_live && source.options.wait == WaitForInputs::Any;
        if on_loss == OnLoss::End && self.sources.iter().any(may_miss) {
            let any = Setting::own("wait-for-inputs").to("any");
            let cause = sentence!("{} needs something to be shown during a loss", any);
            return Err(
                Error::usage(cause).hint(Hint::Use(vec![Setting::own("on-loss").to("hold")]))
            );
        }
        let slate = match on_loss {
            OnLoss::Slate if self.sources.iter().any(|source| source.is_live) => {
                Some(Arc::new(Slate::load(self.live.slate_path())?))
            }
            _ => None,
        };
        Ok(NodeContext {
            live: self.live.clone(),
            on_loss,
            stall_limit,
            slate,
            events: self.events.clone(),
            stats: self.stats.clone(),
            environment: self.environment.clone(),
            stop: self.stop.clone(),
            failure: failure.clone(),
            registry: Registry::default(),
            is_controlled: self.outputs.is_shared(),
            pulls: self.pulls,
        })
    }

    fn graph(&self, code: CodeKind, planned: &Planned, on_loss: OnLoss) -> PipelineGraph {
        let Planned { plans, graphs, opened, edited } = planned;
        let mut graph = PipelineGraph::new(code, edited.video);
        for source in &self.sources {
            graph.add_input(InputNode {
                video: source.streams.main(MediaKind::Video),
                audio: source.streams.main(MediaKind::Audio),
                was_sought: source.options.start.is_some(),
                is_held: source.is_live && on_loss != OnLoss::End,
                reopens_outputs: self.reopens_outputs(source),
            });
        }
        graphs.iter().for_each(|planned| graph.add_filter(planned));
        edited.audio.into_iter().for_each(|audio| graph.edit_audio(audio));
        for (plan, (number, _)) in plans.iter().zip(opened) {
            graph.add_output(*number, plan);
        }
        graph
    }
}

/// Opens what the writers write to, where that isn't open already.
fn open_sinks(
    plans: &[OutputPlan],
    opened: Vec<NumberedSink>,
    reopens: bool,
    context: &NodeContext,
) -> Result<Vec<WriterSink>> {
    let mut sinks = Vec::new();
    for (plan, (_, opened)) in plans.iter().zip(opened) {
        let opener = SinkOpener::new(plan, &context.stats, &context.live, reopens);
        let stop = context.stop.child();
        let sink = match opened.filter(|opened| opened.streams == opener.streams) {
            Some(opened) => opened.sink,
            None => opener.open(&context.environment, &stop)?,
        };
        sinks.push(WriterSink { sink, opener, stop, joining: None });
    }
    Ok(sinks)
}

impl FeedSetup {
    /// Opens everything and starts the threads. Gives the ways to the encoders.
    ///
    /// # Errors
    /// Whatever keeps it from starting. What happens later goes to `failure`.
    pub(crate) fn start(self, failure: &Failure) -> Result<(CallerEnds, Threads)> {
        let WriterPlan { video, audio, streams } =
            plan_feed(&self.target, &self.options, self.has_audio)?;
        let reopens = self.target.is_live && !self.live.no_reconnect;
        let global_header = self.target.muxer.wants_global_header();
        let kinds: Vec<MediaKind> = streams.iter().map(|stream| stream.kind).collect();
        let graph = PipelineGraph::of_caller(video, audio, global_header, reopens);
        self.stats.output_exists(0, None);
        let metadata = Arc::new(of_options(&self.options, &kinds)?);
        let opener = SinkOpener {
            target: self.target,
            options: self.options,
            streams,
            metadata,
            stats: self.stats.clone(),
            limit: self.live.reconnect_for,
            is_recording: false,
        };
        let context = NodeContext {
            live: self.live,
            on_loss: OnLoss::End,
            stall_limit: STALL_TIMEOUT,
            slate: None,
            events: self.events,
            stats: self.stats,
            environment: self.environment,
            stop: self.stop,
            failure: failure.clone(),
            registry: Registry::default(),
            is_controlled: false,
            pulls: None,
        };
        let nodes = Nodes::open_for_caller(&graph, self.rate, &context)?;
        let sink = opener.open(&context.environment, &context.stop)?;
        let mut threads = Threads::new(failure.clone());
        let stop = context.stop.clone();
        let sinks = vec![WriterSink { sink, opener, stop, joining: None }];
        let ends = nodes.spawn_for_caller(&graph, sinks, &context, &mut threads)?;
        threads.close();
        Ok((ends, threads))
    }
}
