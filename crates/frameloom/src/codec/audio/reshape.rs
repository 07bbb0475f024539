//! Decoded sound on its way to be played at another speed, or in another rate and layout.

use crate::av::{AvError, AvFilterGraph, AvFrame, GraphInput, Received};
use crate::error::{Result, Stage};
use crate::options::{InputOptions, Speed};
use crate::time::{TimeBase, Timestamp};

/// How far sound may be from where it is expected until the filters begin anew there: what they are sent is
/// one piece to them.
const JUMP: Timestamp = Timestamp::from_micros(100_000);

/// What stands behind a decoder where its sound isn't taken as it is.
pub(super) struct Reshape {
    speed: Option<Speed>,
    spec: String,
    open: Option<OpenReshape>,
}

struct OpenReshape {
    graph: AvFilterGraph,
    /// A frame of the kind that it takes.
    like: AvFrame,
    time_base: TimeBase,
    /// Where what it was sent ends.
    end: Timestamp,
}

/// Sound, with the unit of its pts.
pub(super) type Reshaped = (AvFrame, TimeBase);

impl Reshape {
    /// `None` where the sound is taken as it is.
    pub(super) fn of(options: &InputOptions) -> Option<Reshape> {
        let speed = options.speed.map(Speed::filters);
        let shape = options.joined.as_ref().and_then(|joined| joined.sound.as_ref());
        let shape = shape
            .map(|(rate, layout)| format!("aformat=sample_rates={rate}:channel_layouts={layout}"));
        let spec: Vec<String> = speed.into_iter().chain(shape).collect();
        let (speed, spec) = (options.speed, spec.join(","));
        (!spec.is_empty()).then_some(Reshape { speed, spec, open: None })
    }

    /// What comes out for a frame with a pts in this unit, and what there is still of those before.
    pub(super) fn send(&mut self, frame: &AvFrame, time_base: TimeBase) -> Result<Vec<Reshaped>> {
        let failed = |e: AvError| e.in_stage(Stage::Decode);
        let begin = time_base.at(frame.pts().unwrap_or(0));
        let goes_on = |open: &OpenReshape| {
            let off = begin.minus(open.end).as_micros().saturating_abs();
            open.like.is_like(frame) && open.time_base == time_base && off < JUMP.as_micros()
        };
        let mut out = Vec::new();
        if !self.open.as_ref().is_some_and(goes_on) {
            out = self.drain()?;
            let input = GraphInput { frame, time_base, frame_rate: None };
            let graph = AvFilterGraph::audio(&input, &self.spec, None).map_err(failed)?;
            let like = frame.like().map_err(failed)?;
            self.open = Some(OpenReshape { graph, like, time_base, end: begin });
        }
        if let Some(open) = &mut self.open {
            open.graph.send(Some(frame)).map_err(failed)?;
            let length = length_of(frame);
            let length = self.speed.map_or(length, |speed| speed.of_time(length));
            open.end = begin.plus(length);
        }
        self.collect(&mut out)?;
        Ok(out)
    }

    /// What it still has.
    pub(super) fn drain(&mut self) -> Result<Vec<Reshaped>> {
        let mut out = Vec::new();
        if let Some(open) = &mut self.open {
            open.graph.send(None).map_err(|e| e.in_stage(Stage::Decode))?;
        }
        self.collect(&mut out)?;
        self.open = None;
        Ok(out)
    }

    fn collect(&mut self, out: &mut Vec<Reshaped>) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let base = open.graph.time_base();
        while let Received::Item(frame) =
            open.graph.receive().map_err(|e| e.in_stage(Stage::Decode))?
        {
            out.push((frame, base));
        }
        Ok(())
    }
}

/// How long the samples last by their own rate.
fn length_of(frame: &AvFrame) -> Timestamp {
    let ((_, count), (rate, _)) = (frame.samples(), frame.sound());
    let base = i32::try_from(rate).ok().and_then(|rate| TimeBase::new(1, rate));
    base.map_or(Timestamp::ZERO, |base| base.at(count.into()))
}
