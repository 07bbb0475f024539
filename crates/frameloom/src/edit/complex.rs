//! A filter graph with any number of inputs and outputs, of pictures and of sound: what
//! `-filter_complex` describes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::graph::{graph_error, uploads};
use crate::av::{
    Advance, AvComplexGraph, AvError, AvFrame, ComplexInput, Device, GraphInput, MediaKind,
    OpenPad, Received, silently,
};
use crate::codec::audio_frame::AudioFrame;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::{BufferPool, Frame};
use crate::time::arrival::Arrival;
use crate::time::{Rate, TimeBase, Timestamp};

/// Most frames inside a graph of which it is remembered when they came.
const IN_FLIGHT: usize = 1024;

/// Most frames that a graph which puts pictures on a device may still be reading.
const IN_USE: usize = 16;

/// A frame of either kind.
pub(crate) enum MediaFrame {
    Video(Frame),
    Audio(AudioFrame),
}

/// What is known of an input of a graph before its first frame.
pub(crate) struct PadInput {
    /// The number of the pipeline's input.
    pub(crate) source: usize,
    /// A frame without content, of the kind that will come, where that is known.
    pub(crate) like: Option<AvFrame>,
    pub(crate) time_base: TimeBase,
    /// Of pictures.
    pub(crate) frame_rate: Option<Rate>,
    /// Sound is stretched and filled so that it keeps to its times.
    pub(crate) follows_clock: bool,
    /// Its pictures may come on a device, which tells more of them.
    pub(crate) stays_on_device: bool,
}

impl PadInput {
    fn described(&self) -> Option<ComplexInput<'_>> {
        let PadInput { like, time_base, frame_rate, follows_clock, .. } = self;
        let (time_base, frame_rate) = (*time_base, *frame_rate);
        let frame = GraphInput { frame: like.as_ref()?, time_base, frame_rate };
        Some(ComplexInput { frame, follows_clock: *follows_clock })
    }
}

/// The open pads of a graph, in the order of its description.
#[derive(Debug)]
pub(crate) struct GraphPads {
    pub(crate) inputs: Vec<OpenPad>,
    pub(crate) outputs: Vec<OpenPad>,
}

/// Reads a graph's description.
///
/// # Errors
/// [`ErrorKind::Usage`] where libav can't make a graph of it.
pub(crate) fn pads_of(spec: &str) -> Result<GraphPads> {
    let graph = AvComplexGraph::parse(spec);
    let graph = graph.map_err(|e| graph_error(spec, e, Stage::Options))?;
    let (inputs, outputs) = (graph.inputs().cloned().collect(), graph.outputs().cloned().collect());
    Ok(GraphPads { inputs, outputs })
}

/// The rate of what each output will give, of pictures, where that is known.
///
/// # Errors
/// [`ErrorKind::Usage`] where the graph can't take such inputs.
pub(crate) fn rates_of(
    spec: &str,
    inputs: &[PadInput],
    device: Option<&Device>,
) -> Result<Vec<Option<Rate>>> {
    let failed = |e| graph_error(spec, e, Stage::Options);
    let mut graph = AvComplexGraph::parse(spec).map_err(failed)?;
    let outputs = graph.outputs().count();
    let described: Option<Vec<_>> = inputs.iter().map(PadInput::described).collect();
    let Some(described) = described.filter(|_| !inputs.iter().any(|i| i.stays_on_device)) else {
        return Ok(vec![None; outputs]);
    };
    graph.configure(&described, device).map_err(failed)?;
    Ok((0..outputs).map(|output| graph.frame_rate(output)).collect())
}

/// Runs a graph. It is made by the first frames, and anew where their shape changes.
pub(crate) struct ComplexGraph {
    spec: String,
    pads: Vec<InputPad>,
    outputs: Vec<Output>,
    open: Option<AvComplexGraph>,
    ready: VecDeque<(usize, MediaFrame)>,
    /// When the pictures inside came, by their times.
    arrivals: VecDeque<(Timestamp, Arrival)>,
    pool: BufferPool,
    /// The one that its filters use.
    device: Option<Arc<Device>>,
    /// Its filters can't take pictures from a device.
    is_in_memory: bool,
    /// It puts pictures on a device.
    uploads: bool,
    /// What it was given since it gave something: what puts it on a device may still be at work.
    in_use: VecDeque<AvFrame>,
}

struct InputPad {
    known: PadInput,
    /// Frames that the graph didn't ask for yet.
    waiting: VecDeque<MediaFrame>,
    /// Nothing more comes.
    has_ended: bool,
    /// The graph was told so.
    is_closed: bool,
}

struct Output {
    kind: MediaKind,
    /// Frames that it gave.
    count: u64,
    /// Where the last one ends.
    end: Timestamp,
}

impl InputPad {
    /// Whether nothing more can be given for it.
    fn is_over(&self) -> bool {
        self.has_ended && self.waiting.is_empty()
    }
}

impl ComplexGraph {
    pub(crate) fn new(
        spec: String,
        inputs: Vec<PadInput>,
        outputs: impl IntoIterator<Item = MediaKind>,
        pool: BufferPool,
    ) -> ComplexGraph {
        let pad = |known| InputPad {
            known,
            waiting: VecDeque::new(),
            has_ended: false,
            is_closed: false,
        };
        let uploads = uploads(&spec);
        ComplexGraph {
            spec,
            pads: inputs.into_iter().map(pad).collect(),
            outputs: outputs
                .into_iter()
                .map(|kind| Output { kind, count: 0, end: Timestamp::ZERO })
                .collect(),
            open: None,
            ready: VecDeque::new(),
            arrivals: VecDeque::new(),
            pool,
            device: None,
            is_in_memory: false,
            uploads,
            in_use: VecDeque::new(),
        }
    }

    /// Gives its filters a device.
    pub(crate) fn with_device(mut self, device: Option<Arc<Device>>) -> ComplexGraph {
        self.device = device;
        self
    }

    /// Takes a frame for an input. It waits here until the graph asks for it.
    pub(crate) fn send(&mut self, input: usize, mut frame: MediaFrame) {
        // A device has few pictures to lend. What fails here fails again, and is told, where the graph
        // gets the frame.
        let _ = frame.settle(self.is_in_memory);
        if let Some(pad) = self.pads.get_mut(input) {
            pad.waiting.push_back(frame);
        }
    }

    /// Says that an input has ended.
    pub(crate) fn end(&mut self, input: usize) {
        if let Some(pad) = self.pads.get_mut(input) {
            pad.has_ended = true;
        }
    }

    /// Whether the graph can't go on without a frame for this input.
    pub(crate) fn wants(&self, input: usize) -> bool {
        let Some(pad) = self.pads.get(input) else { return false };
        let is_asked = |at: usize| self.open.as_ref().is_none_or(|open| open.wants(at));
        // One that has ended waits for the others of its input.
        let has_ended = |at: &usize| self.pads.get(*at).is_some_and(|pad| pad.has_ended);
        let is_awaited =
            || self.group_of(input).into_iter().any(|at| is_asked(at) && has_ended(&at));
        pad.waiting.is_empty() && !pad.has_ended && (is_asked(input) || is_awaited())
    }

    /// Runs it until it has given something, or needs more.
    ///
    /// # Errors
    /// Where the graph can't be made for the frames, or a filter fails.
    pub(crate) fn advance(&mut self) -> Result<Advance> {
        if self.open.is_none() {
            let is_known = |pad: &InputPad| !pad.waiting.is_empty() || pad.has_ended;
            if !self.pads.iter().all(is_known) {
                return Ok(Advance::NeedsInput);
            }
            self.open()?;
        }
        loop {
            let Some(open) = &mut self.open else { return Ok(Advance::End) };
            match open.advance() {
                Ok(Advance::Ready) => {
                    self.collect()?;
                    return Ok(Advance::Ready);
                }
                Ok(Advance::NeedsInput) => {}
                Ok(Advance::End) => {
                    self.collect()?;
                    return Ok(Advance::End);
                }
                Err(e) => return Err(self.fail(e)),
            }
            let mut is_fed = false;
            for input in 0..self.pads.len() {
                if self.open.as_ref().is_some_and(|open| open.wants(input)) {
                    is_fed |= self.feed_group(input)?;
                }
            }
            if !is_fed && !self.ready.is_empty() {
                return Ok(Advance::Ready);
            }
            if !is_fed && !self.close_all()? {
                return Ok(Advance::NeedsInput);
            }
        }
    }

    /// How many frames wait for an input.
    pub(crate) fn waiting(&self, input: usize) -> usize {
        self.pads.get(input).map_or(0, |pad| pad.waiting.len())
    }

    /// A frame without content, of the kind that an input is known to get.
    pub(crate) fn like(&self, input: usize) -> Option<&AvFrame> {
        self.pads.get(input)?.known.like.as_ref()
    }

    /// The memory of the frames that wait.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let frames = self.pads.iter().flat_map(|pad| &pad.waiting);
        frames.map(|frame| frame.content().size_bytes()).sum()
    }

    /// The next frame, and the output that gave it.
    pub(crate) fn receive(&mut self) -> Option<(usize, MediaFrame)> {
        self.ready.pop_front()
    }

    fn fail(&self, e: AvError) -> Error {
        graph_error(&self.spec, e, Stage::Process)
    }

    /// Makes the graph for the frames that wait. Where its filters can't take them from a device, they come
    /// into memory.
    fn open(&mut self) -> Result<()> {
        let is_on_device = |frame: &MediaFrame| frame.content().is_on_device();
        let mut waiting = self.pads.iter().flat_map(|pad| &pad.waiting);
        if waiting.any(is_on_device) {
            if silently(|| self.open_as_it_is()).is_ok() {
                return Ok(());
            }
            self.is_in_memory = true;
            let mut waiting = self.pads.iter_mut().flat_map(|pad| &mut pad.waiting);
            waiting.try_for_each(|frame| frame.settle(true))?;
        }
        self.open_as_it_is()
    }

    /// Makes the graph for the frames that wait, and for those that were there before.
    fn open_as_it_is(&mut self) -> Result<()> {
        for (number, pad) in self.pads.iter_mut().enumerate() {
            if let Some(frame) = pad.waiting.front() {
                let like = frame.content().like();
                pad.known.like =
                    Some(like.map_err(|e| graph_error(&self.spec, e, Stage::Process))?);
                pad.known.time_base = frame.time_base();
            }
            if pad.known.like.is_none() {
                let cause =
                    format!("nothing came for input {number} of filter graph '{}'", self.spec);
                return Err(Error::new(ErrorKind::InvalidData, Stage::Process, cause));
            }
            pad.is_closed = false;
        }
        let mut graph = AvComplexGraph::parse(&self.spec).map_err(|e| self.fail(e))?;
        let known = self.pads.iter().filter_map(|pad| pad.known.described());
        let inputs: Vec<ComplexInput<'_>> = known.collect();
        graph.configure(&inputs, self.device.as_deref()).map_err(|e| self.fail(e))?;
        self.open = Some(graph);
        Ok(())
    }

    /// The pads that get streams of the same input of the pipeline.
    fn group_of(&self, input: usize) -> Vec<usize> {
        let source = |pad: &InputPad| pad.known.source;
        let own = self.pads.get(input).map(source);
        (0..self.pads.len()).filter(|at| self.pads.get(*at).map(source) == own).collect()
    }

    /// Gives the graph what it asked for, where that is there, and before it what stands before it in
    /// other streams of the same input. As in FFmpeg, streams of an input end together.
    fn feed_group(&mut self, input: usize) -> Result<bool> {
        let group = self.group_of(input);
        let begins = |pad: &InputPad| pad.waiting.front().map(MediaFrame::begin);
        let wanted = self.pads.get(input).and_then(begins);
        let mut is_fed = false;
        for other in &group {
            let is_before = |pad: &InputPad| match (begins(pad), wanted) {
                (Some(at), Some(wanted)) => at <= wanted,
                (Some(_), None) => pad.has_ended,
                (None, _) => false,
            };
            while self.pads.get(*other).is_some_and(is_before) {
                self.feed(*other)?;
                is_fed = true;
            }
        }
        let is_over = |at: &usize| self.pads.get(*at).is_none_or(InputPad::is_over);
        if !is_fed && group.iter().all(is_over) {
            for at in group {
                // A filter that is told so early, as xfade, may leave out what it still has of this input.
                if self.open.as_ref().is_some_and(|open| open.wants(at)) {
                    is_fed |= self.close(at)?;
                }
            }
        }
        Ok(is_fed)
    }

    /// Where nothing more comes for any input, tells the graph so of all.
    fn close_all(&mut self) -> Result<bool> {
        let mut is_fed = false;
        if self.pads.iter().all(InputPad::is_over) {
            for at in 0..self.pads.len() {
                is_fed |= self.close(at)?;
            }
        }
        Ok(is_fed)
    }

    /// Tells the graph that an input has ended.
    fn close(&mut self, input: usize) -> Result<bool> {
        let Some(pad) = self.pads.get_mut(input) else { return Ok(false) };
        if std::mem::replace(&mut pad.is_closed, true) {
            return Ok(false);
        }
        let sent = self.open.as_mut().map_or(Ok(()), |open| open.send(input, None));
        sent.map(|()| true).map_err(|e| self.fail(e))
    }

    /// Gives the graph the frame that waits first for an input.
    fn feed(&mut self, input: usize) -> Result<()> {
        let Some(pad) = self.pads.get_mut(input) else { return Ok(()) };
        let Some(mut frame) = pad.waiting.pop_front() else { return Ok(()) };
        frame.settle(self.is_in_memory)?;
        let like = pad.known.like.as_ref();
        if like.is_none_or(|like| !like.is_like(frame.content())) {
            pad.waiting.push_front(frame);
            return self.reopen();
        }
        let time_base = pad.known.time_base;
        let from = frame.time_base();
        let mut content = match frame {
            MediaFrame::Video(frame) => {
                self.arrivals.push_back((frame.pts(), frame.arrival()));
                if self.arrivals.len() > IN_FLIGHT {
                    self.arrivals.pop_front();
                }
                frame.into_picture()?
            }
            MediaFrame::Audio(frame) => {
                if let Some(arrived) = frame.arrived {
                    self.arrivals.push_back((frame.begin, arrived));
                }
                frame.samples
            }
        };
        if from != time_base {
            content.rescale_pts(from, time_base);
        }
        let sent = self.open.as_mut().map_or(Ok(()), |open| open.send(input, Some(&content)));
        if self.uploads {
            self.in_use.push_back(content);
            if self.in_use.len() > IN_USE {
                self.in_use.pop_front();
            }
        }
        sent.map_err(|e| self.fail(e))
    }

    /// Makes the graph anew, as FFmpeg does where the shape of frames changes: what its filters held is
    /// lost.
    fn reopen(&mut self) -> Result<()> {
        self.collect()?;
        self.open = None;
        self.open()
    }

    /// Takes what the outputs have.
    fn collect(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        for (number, output) in self.outputs.iter_mut().enumerate() {
            let base = open.time_base(number);
            loop {
                let mut content = match open.receive(number) {
                    Ok(Received::Item(content)) => content,
                    Ok(Received::Again | Received::End) => break,
                    Err(e) => return Err(graph_error(&self.spec, e, Stage::Process)),
                };
                // Some filters give the rest of what they hold without times.
                let ticks = content.pts().unwrap_or_else(|| output.end.rescale(base).ticks());
                content.set_pts(Some(ticks));
                let at = base.at(ticks);
                while self.arrivals.get(1).is_some_and(|(next, _)| *next <= at) {
                    self.arrivals.pop_front();
                }
                let arrived = self.arrivals.front().map(|(_, arrived)| *arrived);
                let frame = match output.kind {
                    MediaKind::Audio => {
                        let frame =
                            AudioFrame { samples: content, time_base: base, begin: at, arrived };
                        output.end = at.plus(frame.length());
                        MediaFrame::Audio(frame)
                    }
                    _ => {
                        // Filters leave a frame's length as it was, in ticks that are no more theirs.
                        let length = open.frame_rate(number).map(|rate| rate.time_base().at(1));
                        let ticks = length.map_or(0, |length| length.rescale(base).ticks());
                        content.set_duration(ticks);
                        output.end = at.plus(base.at(ticks));
                        let arrived = arrived.unwrap_or_else(Arrival::now);
                        let (index, pool) = (output.count, self.pool.clone());
                        let frame = Frame::new(content, base, index, arrived, pool);
                        // What a graph put on a device is wanted there.
                        let frame = frame.staying_on_device();
                        MediaFrame::Video(if self.uploads { frame.finished()? } else { frame })
                    }
                };
                output.count += 1;
                self.ready.push_back((number, frame));
                self.in_use.clear();
            }
        }
        Ok(())
    }
}

impl MediaFrame {
    /// Brings an edit into the picture, as only that goes through a graph, and a picture that isn't to stay
    /// on its device into memory.
    fn settle(&mut self, in_memory: bool) -> Result<()> {
        match self {
            MediaFrame::Audio(_) => Ok(()),
            MediaFrame::Video(frame) if frame.stays_on_device() && !in_memory => Ok(()),
            MediaFrame::Video(frame) => frame.download(),
        }
    }

    fn content(&self) -> &AvFrame {
        match self {
            MediaFrame::Video(frame) => frame.picture(),
            MediaFrame::Audio(frame) => &frame.samples,
        }
    }

    fn begin(&self) -> Timestamp {
        match self {
            MediaFrame::Video(frame) => frame.pts(),
            MediaFrame::Audio(frame) => frame.begin,
        }
    }

    fn time_base(&self) -> TimeBase {
        match self {
            MediaFrame::Video(frame) => frame.time_base(),
            MediaFrame::Audio(frame) => frame.time_base,
        }
    }
}
