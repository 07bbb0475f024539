//! The thread that runs a filter graph across streams.
//!
//! It takes a frame when the graph asks for it, and so reads of each input what is needed, when it is
//! needed: of two that are joined one behind the other, the second waits. An input's reader goes on only
//! where all of its streams are taken, so what another stream of the same input gives meanwhile waits here.
//! Live inputs make nobody wait: what they give is taken when it comes, and the graph gets it at the ticks of
//! one clock.

mod live;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded};

pub(super) use self::live::LiveContext;
use self::live::LivePads;
use crate::av::Advance;
use crate::edit::complex::{ComplexGraph, MediaFrame};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::Frame;
use crate::run::change::CHANGES;
use crate::run::graph::{FILTER_QUEUE, FilterInput, FilterNode, PipelineGraph};
use crate::run::planned::GraphPad;
use crate::run::stages::AudioMessage;
use crate::time::clock::Clock;
use crate::time::stop::Stop;

/// How long nothing may come that the graph asks for until what else there is is taken: two inputs may
/// wait for each other elsewhere.
const PATIENCE: Duration = Duration::from_millis(100);

/// What may wait for a graph. A graph that joins the parts of a long input in another order needs all
/// of it decoded.
const MOST_WAITING_BYTES: usize = 4 << 30;

/// The receiver of the frames that an output of a graph gives.
pub(super) enum FilterOutput {
    Video(Sender<Frame>),
    Audio(Sender<AudioMessage>),
    /// Code that edits sound.
    AudioEdit(Sender<MediaFrame>),
    /// Nobody any more.
    Gone,
}

/// The ends of the queues of all filter graphs, before their threads run.
pub(super) struct FilterEnds(Vec<GraphEnds>);

struct GraphEnds {
    inputs: Vec<InputEnd>,
    /// The ways in, as far as nobody took them.
    senders: Vec<Option<Sender<MediaFrame>>>,
    outputs: Vec<FilterOutput>,
}

/// Where frames for an input of a graph come from.
struct InputEnd {
    frames: Receiver<MediaFrame>,
    /// The number of the pipeline's input.
    input: usize,
    is_over: bool,
}

impl FilterEnds {
    /// Of a pipeline's graphs.
    pub(super) fn new(graph: &PipelineGraph) -> FilterEnds {
        let ends = graph.filters.iter().map(|node| {
            let queues = node.plan.inputs.iter().map(|planned| {
                let (sender, frames) = bounded(FILTER_QUEUE);
                let end = InputEnd { frames, input: planned.from.input, is_over: false };
                (end, Some(sender))
            });
            let (inputs, senders) = queues.unzip();
            let outputs = node.plan.outputs.iter().map(|_| FilterOutput::Gone).collect();
            GraphEnds { inputs, senders, outputs }
        });
        FilterEnds(ends.collect())
    }

    /// The way to an input of a graph, for the one who sends to it.
    pub(super) fn input(&mut self, of: FilterInput) -> Option<Sender<MediaFrame>> {
        self.0.get_mut(of.filter)?.senders.get_mut(of.pad)?.take()
    }

    /// Says who gets what comes out there.
    pub(super) fn set_output(&mut self, pad: GraphPad, output: FilterOutput) {
        let outputs = self.0.get_mut(pad.graph).map(|ends| &mut ends.outputs);
        if let Some(place) = outputs.and_then(|outputs| outputs.get_mut(pad.pad)) {
            *place = output;
        }
    }

    /// What the graphs' threads run, each with the way to tell it that an output gets nothing more.
    pub(super) fn into_threads(
        self,
        nodes: &[FilterNode],
        graphs: impl IntoIterator<Item = ComplexGraph>,
        context: &LiveContext,
        stop: &Stop,
    ) -> Vec<(Filtering, Sender<usize>)> {
        let threads = self.0.into_iter().zip(nodes).zip(graphs).map(|((ends, node), graph)| {
            let (leaves, leaving) = bounded(CHANGES);
            let GraphEnds { inputs, outputs, .. } = ends;
            let live = LivePads::of(&node.plan, context);
            let (clock, stop) = (Arc::clone(&context.clock), stop.clone());
            (Filtering { graph, inputs, outputs, live, leaving, clock, stop }, leaves)
        });
        threads.collect()
    }
}

/// The thread that runs a graph.
pub(super) struct Filtering {
    graph: ComplexGraph,
    inputs: Vec<InputEnd>,
    outputs: Vec<FilterOutput>,
    live: Option<LivePads>,
    /// Outputs of the pipeline that get nothing more.
    leaving: Receiver<usize>,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl Filtering {
    pub(super) fn run(mut self) -> Result<()> {
        loop {
            self.tell_leaving();
            while let Some((output, frame)) = self.graph.receive() {
                self.give(output, frame);
            }
            let is_wanted = |output: &FilterOutput| !matches!(output, FilterOutput::Gone);
            if self.stop.is_stopped() || !self.outputs.iter().any(is_wanted) {
                return Ok(());
            }
            // Before it is judged who is missing: this thread may have waited for others meanwhile.
            self.take_live();
            let has_ticked = match &mut self.live {
                Some(live) => live.tick(&mut self.graph)?,
                None => false,
            };
            match self.graph.advance()? {
                Advance::NeedsInput if !has_ticked => {
                    if self.is_over() {
                        return Ok(());
                    }
                    self.take_input()?;
                }
                Advance::Ready | Advance::NeedsInput => {}
                Advance::End => break,
            }
        }
        while let Some((output, frame)) = self.graph.receive() {
            self.give(output, frame);
        }
        Ok(())
    }

    /// Whether nothing more comes in.
    fn is_over(&self) -> bool {
        self.inputs.iter().all(|input| input.is_over)
            && self.live.as_ref().is_none_or(LivePads::has_ended)
    }

    fn is_live(&self, input: usize) -> bool {
        self.live.as_ref().is_some_and(|live| live.has(input))
    }

    fn give(&mut self, output: usize, frame: MediaFrame) {
        let Some(to) = self.outputs.get_mut(output) else { return };
        let is_open = match (&*to, frame) {
            (FilterOutput::Video(frames), MediaFrame::Video(frame)) => frames.send(frame).is_ok(),
            (FilterOutput::Audio(samples), MediaFrame::Audio(frame)) => {
                samples.send(AudioMessage::Samples(frame)).is_ok()
            }
            (FilterOutput::AudioEdit(frames), frame) => frames.send(frame).is_ok(),
            _ => false,
        };
        if !is_open {
            *to = FilterOutput::Gone;
        }
    }

    fn tell_leaving(&mut self) {
        while let Ok(output) = self.leaving.try_recv() {
            for to in &self.outputs {
                if let FilterOutput::Audio(samples) = to {
                    // An encoder that has ended needs no message.
                    let _ = samples.send(AudioMessage::Leave(output));
                }
            }
        }
    }

    /// Waits for what the graph asks for, and for whatever is live.
    fn take_input(&mut self) -> Result<()> {
        let is_open = |number: &usize| self.inputs.get(*number).is_some_and(|input| !input.is_over);
        let all: Vec<usize> = (0..self.inputs.len()).filter(is_open).collect();
        let (live, stored): (Vec<usize>, Vec<usize>) =
            all.into_iter().partition(|number| self.is_live(*number));
        let mut wanted: Vec<usize> =
            stored.iter().copied().filter(|number| self.graph.wants(*number)).collect();
        if wanted.is_empty() && live.is_empty() {
            wanted.clone_from(&stored);
        }
        if self.take_from(&wanted) | self.take_from(&live) {
            return Ok(());
        }
        let source = |number: &usize| self.inputs.get(*number).map(|input| input.input);
        let sources: Vec<_> = wanted.iter().map(source).collect();
        // What is wanted may stand behind it.
        let beside = stored.iter().copied().filter(|number| sources.contains(&source(number)));
        let awaited: Vec<usize> = beside.chain(live.iter().copied()).collect();
        let deadline = self.live.as_ref().and_then(LivePads::deadline);
        let due = deadline.map(|at| at.saturating_duration_since(self.clock.now()));
        let due = self.clock.after(due);
        let mut select = Select::new();
        select.recv(&due);
        for number in &awaited {
            if let Some(input) = self.inputs.get(*number) {
                select.recv(&input.frames);
            }
        }
        let has_come = select.ready_timeout(PATIENCE).is_ok();
        drop(select);
        self.take_from(&awaited);
        if !has_come && !self.take_from(&wanted) && live.is_empty() {
            self.take_from(&stored);
        }
        if self.graph.waiting_bytes() > MOST_WAITING_BYTES {
            let cause = "a filter graph needs more of an input at once than memory has room for";
            return Err(Error::new(ErrorKind::Other, Stage::Process, cause));
        }
        Ok(())
    }

    /// Takes all that has come of live inputs.
    fn take_live(&mut self) {
        if self.live.is_none() {
            return;
        }
        let live: Vec<usize> = (0..self.inputs.len()).filter(|n| self.is_live(*n)).collect();
        // An input that sends more meanwhile must not keep this going for ever.
        let mut rounds = 0..2 * FILTER_QUEUE;
        while rounds.next().is_some() && self.take_from(&live) {}
    }

    /// Takes a frame from each of these inputs that has one. `false` where none has.
    fn take_from(&mut self, numbers: &[usize]) -> bool {
        let mut has_taken = false;
        for number in numbers {
            let Some(input) = self.inputs.get_mut(*number).filter(|input| !input.is_over) else {
                continue;
            };
            let live = self.live.as_mut().filter(|live| live.has(*number));
            match (input.frames.try_recv(), live) {
                (Ok(frame), Some(live)) => live.offer(*number, frame),
                (Ok(frame), None) => self.graph.send(*number, frame),
                (Err(TryRecvError::Empty), _) => continue,
                (Err(TryRecvError::Disconnected), live) => {
                    input.is_over = true;
                    match live {
                        Some(live) => live.end(*number),
                        None => self.graph.end(*number),
                    }
                }
            }
            has_taken = true;
        }
        has_taken
    }
}
