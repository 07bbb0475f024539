//! The thread that runs a filter graph across streams.
//!
//! It takes a frame when the graph asks for it, and so reads of each input what is needed, when it is
//! needed: of two that are joined one behind the other, the second waits. An input's reader goes on only
//! where all of its streams are taken, so what another stream of the same input gives meanwhile waits here.

use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded};

use crate::av::Advance;
use crate::edit::complex::{ComplexGraph, MediaFrame};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::Frame;
use crate::run::change::CHANGES;
use crate::run::graph::{FILTER_QUEUE, FilterInput, PipelineGraph};
use crate::run::planned::GraphPad;
use crate::run::stages::AudioMessage;
use crate::time::stop::Stop;

/// How long nothing may come that the graph asks for until what else there is is taken: two inputs may
/// wait for each other elsewhere.
const PATIENCE: Duration = Duration::from_millis(100);

/// What may wait for a graph. A graph that joins the parts of a long input in another order needs all
/// of it decoded.
const MOST_WAITING_BYTES: usize = 4 << 30;

/// Who gets what a graph gives.
pub(super) enum FilterOutput {
    Video(Sender<Frame>),
    Audio(Sender<AudioMessage>),
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
        graphs: impl IntoIterator<Item = ComplexGraph>,
        stop: &Stop,
    ) -> Vec<(Filtering, Sender<usize>)> {
        let threads = self.0.into_iter().zip(graphs).map(|(ends, graph)| {
            let (leaves, leaving) = bounded(CHANGES);
            let GraphEnds { inputs, outputs, .. } = ends;
            let stop = stop.clone();
            (Filtering { graph, inputs, outputs, leaving, stop }, leaves)
        });
        threads.collect()
    }
}

/// The thread that runs a graph.
pub(super) struct Filtering {
    graph: ComplexGraph,
    inputs: Vec<InputEnd>,
    outputs: Vec<FilterOutput>,
    /// Outputs of the pipeline that get nothing more.
    leaving: Receiver<usize>,
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
            match self.graph.advance()? {
                Advance::Ready => {}
                Advance::NeedsInput => {
                    if self.inputs.iter().all(|input| input.is_over) {
                        return Ok(());
                    }
                    self.take_input()?;
                }
                Advance::End => break,
            }
        }
        while let Some((output, frame)) = self.graph.receive() {
            self.give(output, frame);
        }
        Ok(())
    }

    fn give(&mut self, output: usize, frame: MediaFrame) {
        let Some(to) = self.outputs.get_mut(output) else { return };
        let is_open = match (&*to, frame) {
            (FilterOutput::Video(frames), MediaFrame::Video(frame)) => frames.send(frame).is_ok(),
            (FilterOutput::Audio(samples), MediaFrame::Audio(frame)) => {
                samples.send(AudioMessage::Samples(frame)).is_ok()
            }
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
                    // Whoever has ended needs no telling.
                    let _ = samples.send(AudioMessage::Leave(output));
                }
            }
        }
    }

    /// Waits for what the graph asks for.
    fn take_input(&mut self) -> Result<()> {
        let is_open = |number: &usize| self.inputs.get(*number).is_some_and(|input| !input.is_over);
        let all: Vec<usize> = (0..self.inputs.len()).filter(is_open).collect();
        let mut wanted: Vec<usize> =
            all.iter().copied().filter(|number| self.graph.wants(*number)).collect();
        if wanted.is_empty() {
            wanted.clone_from(&all);
        }
        if self.take_from(&wanted) {
            return Ok(());
        }
        let source = |number: &usize| self.inputs.get(*number).map(|input| input.input);
        let sources: Vec<_> = wanted.iter().map(source).collect();
        // What is wanted may stand behind it.
        let beside: Vec<usize> =
            all.iter().copied().filter(|number| sources.contains(&source(number))).collect();
        let mut select = Select::new();
        for number in &beside {
            if let Some(input) = self.inputs.get(*number) {
                select.recv(&input.frames);
            }
        }
        let has_come = select.ready_timeout(PATIENCE).is_ok();
        drop(select);
        self.take_from(if has_come { &beside } else { &all });
        if self.graph.waiting_bytes() > MOST_WAITING_BYTES {
            let cause = "a filter graph needs more of an input at once than memory has room for";
            return Err(Error::new(ErrorKind::Other, Stage::Process, cause));
        }
        Ok(())
    }

    /// Takes a frame from each of these inputs that has one. `false` where none has.
    fn take_from(&mut self, numbers: &[usize]) -> bool {
        let mut has_taken = false;
        for number in numbers {
            let Some(input) = self.inputs.get_mut(*number).filter(|input| !input.is_over) else {
                continue;
            };
            match input.frames.try_recv() {
                Ok(frame) => self.graph.send(*number, frame),
                Err(TryRecvError::Empty) => continue,
                Err(TryRecvError::Disconnected) => {
                    input.is_over = true;
                    self.graph.end(*number);
                }
            }
            has_taken = true;
        }
        has_taken
    }
}
