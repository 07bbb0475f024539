use crate::av::{AvError, AvFilterGraph, AvFrame, GraphInput, Received};
use crate::codec::audio_frame::AudioFrame;
use crate::error::{Result, Stage};
use crate::time::TimeBase;
use crate::time::arrival::Arrival;

/// Brings sound to another rate, or to another number of channels.
pub(crate) struct AudioConverter {
    spec: String,
    open: Option<OpenConverter>,
    arrived: Option<Arrival>,
}

struct OpenConverter {
    graph: AvFilterGraph,
    /// A frame of the kind that it takes.
    like: AvFrame,
    time_base: TimeBase,
}

impl AudioConverter {
    /// `None` where nothing is to be changed.
    pub(crate) fn new(sample_rate: Option<u32>, channels: Option<u32>) -> Option<AudioConverter> {
        let rate = sample_rate.map(|rate| format!("sample_rates={rate}"));
        let layout = channels.map(|channels| format!("channel_layouts={channels}c"));
        let all: Vec<String> = rate.into_iter().chain(layout).collect();
        let spec = format!("aformat={}", all.join(":"));
        (!all.is_empty()).then_some(AudioConverter { spec, open: None, arrived: None })
    }

    /// What comes out for a piece of sound, and what it has still of those before.
    pub(crate) fn convert(&mut self, frame: &AudioFrame) -> Result<Vec<AudioFrame>> {
        self.arrived = frame.arrived;
        let failed = |e: AvError| e.in_stage(Stage::Process);
        let takes = |open: &OpenConverter| {
            open.like.is_like(&frame.samples) && open.time_base == frame.time_base
        };
        let mut out = Vec::new();
        if !self.open.as_ref().is_some_and(takes) {
            out = self.drain()?;
            let time_base = frame.time_base;
            let input = GraphInput { frame: &frame.samples, time_base, frame_rate: None };
            let graph = AvFilterGraph::audio(&input, &self.spec, None).map_err(failed)?;
            let like = frame.samples.like().map_err(failed)?;
            self.open = Some(OpenConverter { graph, like, time_base });
        }
        if let Some(open) = &mut self.open {
            open.graph.send(Some(&frame.samples)).map_err(failed)?;
        }
        self.collect(&mut out)?;
        Ok(out)
    }

    /// What it still has.
    pub(crate) fn drain(&mut self) -> Result<Vec<AudioFrame>> {
        let mut out = Vec::new();
        if let Some(open) = &mut self.open {
            open.graph.send(None).map_err(|e| e.in_stage(Stage::Process))?;
        }
        self.collect(&mut out)?;
        self.open = None;
        Ok(out)
    }

    fn collect(&mut self, out: &mut Vec<AudioFrame>) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let time_base = open.graph.time_base();
        while let Received::Item(samples) =
            open.graph.receive().map_err(|e| e.in_stage(Stage::Process))?
        {
            let begin = time_base.at(samples.pts().unwrap_or(0));
            out.push(AudioFrame { samples, time_base, begin, arrived: self.arrived });
        }
        Ok(())
    }
}
