//! What a filter graph is given of live inputs: at each tick, a picture of each and the sound up to then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::av::{AvFrame, MediaKind};
use crate::codec::audio_frame::{AudioFrame, SampleWindow};
use crate::edit::Fit;
use crate::edit::complex::{ComplexGraph, MediaFrame};
use crate::error::{Result, Stage};
use crate::image::Frame;
use crate::live::frame_sync::{FrameSync, SyncedSource, Tick, TickContent};
use crate::live::slate::Slate;
use crate::run::planned::PlannedGraph;
use crate::stats::Stats;
use crate::time::clock::Clock;
use crate::time::{Rate, TimeBase, Timestamp};

/// How long a picture is missing until the slate takes its place.
const SLATE_AFTER: Duration = Duration::from_secs(1);

/// Sound that overlaps what was given already by more than this is cut; less is stretched.
const OVERLAP: Timestamp = Timestamp::from_micros(50_000);

/// Frames that may wait for a graph that doesn't ask for them.
const WAITING: usize = 50;

/// What live inputs in a graph need beside their frames.
#[derive(Clone)]
pub(in crate::run) struct LiveContext {
    /// What is shown in place of a picture that is missing.
    pub(in crate::run) slate: Option<Arc<Slate>>,
    pub(in crate::run) clock: Arc<dyn Clock>,
    pub(in crate::run) stats: Stats,
}

/// The live inputs of a graph.
pub(super) struct LivePads {
    sync: FrameSync<MediaFrame>,
    step: TimeBase,
    pads: Vec<LivePad>,
    context: LiveContext,
}

/// What is remembered of one.
struct LivePad {
    /// The graph's input.
    input: usize,
    /// Brings pictures to the first one's size.
    fit: Option<Fit>,
    /// The last picture, in that size.
    shown: Option<Frame>,
    slate: Option<Frame>,
    /// Where the sound that was given ends.
    end: Option<Timestamp>,
    /// Sound of the kind that comes.
    like: Option<AvFrame>,
}

impl LivePads {
    /// Of a graph; `None` where no input of it is live.
    pub(super) fn of(plan: &PlannedGraph, context: &LiveContext) -> Option<LivePads> {
        let rate = plan.ticks?;
        let live = || plan.inputs.iter().enumerate().filter(|(_, input)| input.is_live);
        // Pictures decide what time it is, where there are any.
        let mut numbers: Vec<usize> = live().map(|(number, _)| number).collect();
        let is_sound = |number: usize| {
            plan.inputs.get(number).is_some_and(|input| input.kind == MediaKind::Audio)
        };
        numbers.sort_by_key(|number| (is_sound(*number), *number));
        let source = |number: &usize| {
            let input = plan.inputs.get(*number)?.from.input;
            Some(SyncedSource { input, is_sound: is_sound(*number), length: length_of(rate) })
        };
        let sources: Vec<SyncedSource> = numbers.iter().filter_map(source).collect();
        let sync = FrameSync::new(&sources, rate, context.clock.now());
        let pad = |input: usize| LivePad {
            input,
            fit: None,
            shown: None,
            slate: None,
            end: None,
            like: None,
        };
        let pads = numbers.into_iter().map(pad).collect();
        Some(LivePads { sync, step: rate.time_base(), pads, context: context.clone() })
    }

    /// Whether the graph's input of this number is live.
    pub(super) fn has(&self, input: usize) -> bool {
        self.pads.iter().any(|pad| pad.input == input)
    }

    /// Takes a frame for an input.
    pub(super) fn offer(&mut self, input: usize, frame: MediaFrame) {
        let Some(place) = self.pads.iter().position(|pad| pad.input == input) else { return };
        let (span, arrived) = match &frame {
            MediaFrame::Video(frame) => ((frame.pts(), frame.duration()), Some(frame.arrival())),
            MediaFrame::Audio(frame) => ((frame.begin, frame.length()), frame.arrived),
        };
        self.sync.offer(place, span, (arrived, self.context.clock.now()), frame);
    }

    /// Says that an input has ended.
    pub(super) fn end(&mut self, input: usize) {
        if let Some(place) = self.pads.iter().position(|pad| pad.input == input) {
            self.sync.end(place);
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.sync.has_ended()
    }

    /// When the next tick is due at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.sync.deadline()
    }

    /// Gives the graph what every input has at the next tick, where that is due. `false` where it isn't.
    pub(super) fn tick(&mut self, graph: &mut ComplexGraph) -> Result<bool> {
        let Some(tick) = self.sync.due(self.context.clock.now()) else { return Ok(false) };
        let Tick { number, contents, left_out } = tick;
        self.context.stats.frames_dropped(left_out);
        for (pad, content) in self.pads.iter_mut().zip(contents) {
            if graph.waiting(pad.input) >= WAITING {
                continue;
            }
            match content {
                TickContent::Picture(MediaFrame::Video(frame)) => {
                    pad.take(frame)?;
                    pad.show(number, self.step, Duration::ZERO, graph, &self.context)?;
                }
                TickContent::Again(missing) => {
                    pad.show(number, self.step, missing, graph, &self.context)?;
                }
                TickContent::Sound { pieces, moved_by, silent_until } => {
                    for piece in pieces {
                        if let MediaFrame::Audio(frame) = piece {
                            pad.hear(frame, moved_by, graph)?;
                        }
                    }
                    if let Some(until) = silent_until {
                        pad.be_silent(self.step.at(number), until, graph)?;
                    }
                }
                TickContent::Ended | TickContent::Picture(MediaFrame::Audio(_)) => {
                    graph.end(pad.input);
                }
            }
        }
        Ok(true)
    }
}

/// How long a picture is shown of a source that has so many a second.
fn length_of(rate: Rate) -> Timestamp {
    rate.time_base().at(1)
}

impl LivePad {
    /// Takes another picture.
    fn take(&mut self, frame: Frame) -> Result<()> {
        let size = (frame.width(), frame.height());
        let fit = self.fit.get_or_insert_with(|| Fit::new(size));
        if let Some(frame) = fit.fit(frame)? {
            self.shown = Some(frame);
        }
        Ok(())
    }

    /// Shows the last picture, or the slate.
    fn show(
        &mut self,
        tick: i64,
        step: TimeBase,
        missing: Duration,
        graph: &mut ComplexGraph,
        context: &LiveContext,
    ) -> Result<()> {
        if !missing.is_zero() {
            context.stats.frame_held();
        }
        let shows_slate = context.slate.is_some() && missing >= SLATE_AFTER;
        if (shows_slate || self.shown.is_none()) && self.slate.is_none() {
            self.slate = self.make_slate(graph, context)?;
        }
        let shown = match shows_slate {
            true => self.slate.as_mut(),
            false => self.shown.as_mut().or(self.slate.as_mut()),
        };
        if let Some(frame) = shown {
            graph.send(self.input, MediaFrame::Video(frame.share()?.at_tick(tick, step)));
        }
        Ok(())
    }

    /// The slate in the size of the pictures; the built-in one where none has come yet.
    fn make_slate(&mut self, graph: &ComplexGraph, context: &LiveContext) -> Result<Option<Frame>> {
        let card = match &context.slate {
            Some(slate) => slate.frame()?,
            None => Slate::load(None)?.frame()?,
        };
        let known = graph.like(self.input).map(|like| (like.width(), like.height()));
        let size = known.unwrap_or((card.width(), card.height()));
        self.fit.get_or_insert_with(|| Fit::new(size)).fit(card)
    }

    /// Gives the graph a piece of sound.
    fn hear(
        &mut self,
        frame: AudioFrame,
        moved_by: Timestamp,
        graph: &mut ComplexGraph,
    ) -> Result<()> {
        let mut frame = frame.moved(moved_by);
        if let Some(end) = self.end.filter(|end| frame.begin.plus(OVERLAP) < *end) {
            let rest = SampleWindow { from: Some(end), to: None };
            match frame.cut(rest).map_err(|e| e.in_stage(Stage::Process))? {
                Some(rest) => frame = rest,
                None => return Ok(()),
            }
        }
        self.end = Some(frame.begin.plus(frame.length()));
        self.like = Some(frame.samples.like().map_err(|e| e.in_stage(Stage::Process))?);
        graph.send(self.input, MediaFrame::Audio(frame));
        Ok(())
    }

    /// Gives the graph silence, from where the sound ended.
    fn be_silent(
        &mut self,
        begin: Timestamp,
        until: Timestamp,
        graph: &mut ComplexGraph,
    ) -> Result<()> {
        let Some(like) = self.like.as_ref().or(graph.like(self.input)) else { return Ok(()) };
        let begin = self.end.unwrap_or(begin);
        let silence = AudioFrame::silence(like, begin, until);
        let Some(silence) = silence.map_err(|e| e.in_stage(Stage::Process))? else {
            return Ok(());
        };
        self.end = Some(silence.begin.plus(silence.length()));
        graph.send(self.input, MediaFrame::Audio(silence));
        Ok(())
    }
}
