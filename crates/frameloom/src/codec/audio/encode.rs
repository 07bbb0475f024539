//! Samples → packets.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::av::{
    AudioShape, AvError, AvFilterGraph, Dict, Encoder, EncoderSetup, GraphInput, MediaKind,
    Received,
};
use crate::codec::audio_frame::{AudioFrame, SampleWindow};
use crate::codec::configuration::{StreamConfiguration, StreamMessage};
use crate::codec::encode::find_encoder;
use crate::codec::packet::Packet;
use crate::codec::window::Window;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::time::arrival::Arrival;
use crate::time::{TimeBase, Timestamp};

/// Everything that decides how audio is encoded. Outputs with equal plans share one encoding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AudioPlan {
    pub(crate) encoder: String,
    /// A filter graph for the samples.
    pub(crate) filter: Option<String>,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) window: Window,
    /// It ends after so many packets.
    pub(crate) packets: Option<u64>,
}

impl AudioPlan {
    /// A graph that gets what the user's filter makes.
    fn behind_filter(&self, spec: &str) -> String {
        self.filter.as_ref().map_or_else(|| spec.to_owned(), |own| format!("{own},{spec}"))
    }

    fn option(&self, name: &str) -> Option<&str> {
        let set = self.options.iter().rev().find(|(n, _)| n == name);
        set.map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// Where there is no such encoder here, or it can't encode to the rate and layout that are planned.
    /// Otherwise that shows with the first sound only.
    pub(crate) fn check(&self) -> Result<()> {
        let setup = find_encoder(&self.encoder)?;
        let shape = AudioShape {
            sample_rate: self.option("ar").and_then(|rate| rate.parse().ok()).unwrap_or(0),
            sample_format: (*setup.sample_formats().first().unwrap_or(&"")).to_owned(),
            channel_layout: self.option("ch_layout").unwrap_or_default().to_owned(),
        };
        self.open_encoder(&setup, &shape, true).map(drop)
    }

    fn open_encoder(
        &self,
        setup: &EncoderSetup,
        shape: &AudioShape,
        global_header: bool,
    ) -> Result<Encoder> {
        let kept = self.options.iter().filter(|(n, _)| n != "ar" && n != "ch_layout");
        let mut dict = Dict::from_pairs(kept.map(|(n, v)| (n.as_str(), v.as_str())));
        setup.open_audio(shape, global_header, &mut dict).map_err(|e| {
            let AudioShape { sample_rate, channel_layout, .. } = shape;
            let what = format!("can't be opened for {sample_rate} Hz {channel_layout}");
            let cause = format!("{} {what}: {}", self.encoder, e.cause());
            e.in_stage(Stage::Encode).of_kind(ErrorKind::Usage).reworded(cause)
        })
    }
}

/// Encodes samples by a plan; the encoder is opened by the first ones.
pub(crate) struct AudioEncoder {
    plan: AudioPlan,
    global_header: bool,
    /// What stands before the conversion to what the encoder takes.
    resampler: &'static str,
    open: Option<OpenEncoder>,
    ready: VecDeque<StreamMessage>,
    arrived: Option<Arrival>,
    /// Packets that the plan still has room for.
    packets_left: Option<u64>,
    limit_reached: bool,
    /// The graph was told that nothing more comes.
    is_drained: bool,
}

struct OpenEncoder {
    graph: AvFilterGraph,
    takes: SoundFormat,
    /// What the encoder takes.
    shape: AudioShape,
    encoder: Encoder,
}

/// What a graph takes: sample format, samples a second, channels, and the unit of its times.
type SoundFormat = (i32, (u32, u32), TimeBase);

fn format_of(frame: &AudioFrame) -> SoundFormat {
    (frame.samples.samples().0, frame.samples.sound(), frame.time_base)
}

impl AudioEncoder {
    /// With `fills_gaps`, silence stands where samples are missing, and what overlaps is cut, so that the
    /// number of samples keeps to the clock.
    pub(crate) fn new(
        plan: AudioPlan,
        global_header: bool,
        fills_gaps: bool,
    ) -> Result<AudioEncoder> {
        find_encoder(&plan.encoder)?;
        Ok(AudioEncoder {
            packets_left: plan.packets,
            plan,
            global_header,
            resampler: if fills_gaps { "aresample=async=1" } else { "aresample" },
            open: None,
            ready: VecDeque::new(),
            arrived: None,
            limit_reached: false,
            is_drained: false,
        })
    }

    /// Takes samples, in the order of time.
    pub(crate) fn send(&mut self, frame: AudioFrame) -> Result<()> {
        self.arrived = frame.arrived;
        let Window { start, length } = self.plan.window;
        let begin = start.unwrap_or(Timestamp::ZERO);
        let end = length.map(|length| begin.plus(length));
        self.limit_reached |= end.is_some_and(|end| frame.begin >= end);
        let span = SampleWindow { from: start, to: end };
        let cut = frame.cut(span).map_err(|e| failed(&self.plan, e))?;
        let Some(mut frame) = cut else { return Ok(()) };
        if start.is_some() {
            let shift = begin.rescale(frame.time_base).ticks();
            let moved = frame.samples.pts().map(|pts| pts.saturating_sub(shift));
            frame.samples.set_pts(moved);
        }
        if self.open.is_none() {
            let open = self.open_for(&frame)?;
            self.open = Some(open);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.takes != format_of(&frame) {
            let adapted = open.adapt_to(&self.plan, self.resampler, &frame);
            adapted.map_err(|e| failed(&self.plan, e))?;
        }
        open.graph.send(Some(&frame.samples)).map_err(|e| failed(&self.plan, e))?;
        open.encode(&self.plan, &mut self.ready, self.arrived)
    }

    /// Gives out a piece of what it still holds: a filter may make sound without end. `false` once that
    /// was all.
    pub(crate) fn drain(&mut self) -> Result<bool> {
        let Some(open) = self.open.as_mut().filter(|_| self.packets_left != Some(0)) else {
            return Ok(false);
        };
        if !std::mem::replace(&mut self.is_drained, true) {
            open.graph.send(None).map_err(|e| failed(&self.plan, e))?;
        }
        if open.encode_one(&self.plan, &mut self.ready, self.arrived)? {
            return Ok(true);
        }
        while !open.encoder.send(None).map_err(|e| failed(&self.plan, e))? {
            open.collect(&self.plan, &mut self.ready, self.arrived)?;
        }
        open.collect(&self.plan, &mut self.ready, self.arrived)?;
        Ok(false)
    }

    /// The next packet, and before the first one the encoder's configuration.
    pub(crate) fn receive(&mut self) -> Option<StreamMessage> {
        let message = self.ready.pop_front()?;
        if let (StreamMessage::Packet(_), Some(left)) = (&message, &mut self.packets_left) {
            *left = left.checked_sub(1)?;
        }
        Some(message)
    }

    /// Whether the plan's last sample was taken, or its last packet.
    pub(crate) fn is_done(&self) -> bool {
        self.limit_reached || self.packets_left == Some(0)
    }

    fn open_for(&mut self, frame: &AudioFrame) -> Result<OpenEncoder> {
        let setup = find_encoder(&self.plan.encoder)?;
        let option = |name: &str| self.plan.option(name);
        let mut format = Vec::new();
        let formats = setup.sample_formats();
        if !formats.is_empty() {
            format.push(format!("sample_fmts={}", formats.join("|")));
        }
        match option("ar") {
            Some(rate) => format.push(format!("sample_rates={rate}")),
            None => {
                let rates: Vec<String> = setup.sample_rates().iter().map(u32::to_string).collect();
                if !rates.is_empty() {
                    format.push(format!("sample_rates={}", rates.join("|")));
                }
            }
        }
        match option("ch_layout") {
            Some(layout) => format.push(format!("channel_layouts={layout}")),
            None => {
                let layouts = setup.channel_layouts();
                if !layouts.is_empty() {
                    format.push(format!("channel_layouts={}", layouts.join("|")));
                }
            }
        }
        let mut spec = self.plan.behind_filter(self.resampler);
        if !format.is_empty() {
            spec.push_str(",aformat=");
            spec.push_str(&format.join(":"));
        }
        let time_base = frame.time_base;
        let input = GraphInput { frame: &frame.samples, time_base, frame_rate: None };
        let plan = &self.plan;
        let probe = AvFilterGraph::audio(&input, &spec, None).map_err(|e| failed(plan, e))?;
        let shape = AudioShape {
            sample_rate: probe.sample_rate(),
            sample_format: probe.sample_format().to_owned(),
            channel_layout: probe.channel_layout(),
        };
        let encoder = plan.open_encoder(&setup, &shape, self.global_header)?;
        let graph = AvFilterGraph::audio(&input, &spec, encoder.frame_samples())
            .map_err(|e| failed(plan, e))?;
        let configuration = StreamConfiguration {
            params: encoder.params().map_err(|e| failed(plan, e))?,
            time_base: encoder.time_base(),
            frame_rate: None,
            sample_aspect_ratio: None,
            display_matrix: None,
        };
        self.ready.push_back(StreamMessage::Configuration(Arc::new(configuration)));
        Ok(OpenEncoder { graph, takes: format_of(frame), shape, encoder })
    }
}

impl OpenEncoder {
    /// Makes the graph take samples of another kind. What the old one still holds, less than one
    /// frame of the encoder's, is lost: an encoder takes no short frame but for its last one.
    fn adapt_to(
        &mut self,
        plan: &AudioPlan,
        resampler: &str,
        frame: &AudioFrame,
    ) -> Result<(), AvError> {
        let AudioShape { sample_rate, sample_format, channel_layout } = &self.shape;
        let spec = format!(
            "{resampler},aformat=sample_fmts={sample_format}:sample_rates={sample_rate}:\
             channel_layouts={channel_layout}"
        );
        let time_base = frame.time_base;
        let input = GraphInput { frame: &frame.samples, time_base, frame_rate: None };
        let spec = plan.behind_filter(&spec);
        self.graph = AvFilterGraph::audio(&input, &spec, self.encoder.frame_samples())?;
        self.takes = format_of(frame);
        Ok(())
    }

    fn encode(
        &mut self,
        plan: &AudioPlan,
        ready: &mut VecDeque<StreamMessage>,
        arrived: Option<Arrival>,
    ) -> Result<()> {
        while self.encode_one(plan, ready, arrived)? {}
        Ok(())
    }

    /// Encodes what the graph has next; `false` where that is nothing now.
    fn encode_one(
        &mut self,
        plan: &AudioPlan,
        ready: &mut VecDeque<StreamMessage>,
        arrived: Option<Arrival>,
    ) -> Result<bool> {
        let base = self.graph.time_base();
        let received = self.graph.receive().map_err(|e| failed(plan, e))?;
        let Received::Item(mut samples) = received else { return Ok(false) };
        samples.rescale_pts(base, self.encoder.time_base());
        while !self.encoder.send(Some(&samples)).map_err(|e| failed(plan, e))? {
            self.collect(plan, ready, arrived)?;
        }
        self.collect(plan, ready, arrived)?;
        Ok(true)
    }

    fn collect(
        &mut self,
        plan: &AudioPlan,
        ready: &mut VecDeque<StreamMessage>,
        arrived: Option<Arrival>,
    ) -> Result<()> {
        while let Received::Item(av) = self.encoder.receive().map_err(|e| failed(plan, e))? {
            ready.push_back(StreamMessage::Packet(Packet {
                av,
                kind: MediaKind::Audio,
                stream: 0,
                time_base: self.encoder.time_base(),
                arrived,
                quality: None,
                floor: Timestamp::ZERO,
                discontinuity: false,
            }));
        }
        Ok(())
    }
}

fn failed(plan: &AudioPlan, e: AvError) -> Error {
    let cause = format!("{}: {}", plan.encoder, e.cause());
    e.in_stage(Stage::Encode).reworded(cause)
}
