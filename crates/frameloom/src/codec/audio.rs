//! Audio that can't be copied: decoded, brought to what the encoder takes, encoded again.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::av::{
    AudioShape, AvError, AvFilterGraph, AvFrame, Decoder, Dict, Encoder, EncoderSetup, GraphInput,
    MediaKind, Received, StreamInfo,
};
use crate::codec::configuration::{StreamConfiguration, StreamMessage};
use crate::codec::decode::open_decoder;
use crate::codec::encode::find_encoder;
use crate::codec::packet::Packet;
use crate::codec::window::Window;
use crate::error::{Error, ErrorKind, Result, Stage, were};
use crate::options::InputOptions;
use crate::stats::Stats;
use crate::time::arrival::Arrival;
use crate::time::{Round, TimeBase, Timestamp};

/// Everything that decides how audio is encoded. Outputs with equal plans share one encoding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AudioPlan {
    pub(crate) encoder: String,
    /// A filter graph for the samples.
    pub(crate) filter: Option<String>,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) window: Window,
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

/// Transcodes one audio stream, sample-exact on the pipeline's clock: gaps become silence.
pub(crate) struct AudioTranscoder {
    plan: AudioPlan,
    decoder: Decoder,
    time_base: TimeBase,
    sought: bool,
    floor: Timestamp,
    /// Where what is wanted of the input ends.
    limit: Option<Timestamp>,
    global_header: bool,
    open: Option<OpenTranscoder>,
    ready: VecDeque<StreamMessage>,
    arrived: Option<Arrival>,
    next_pts: i64,
    limit_reached: bool,
    /// Nothing more was sent.
    is_drained: bool,
    failures: u64,
    /// Where the last frame that was decoded ends, in samples.
    sound_end: Option<Timestamp>,
    /// A piece of silence like what came last.
    silence: Option<AvFrame>,
    stats: Stats,
}

struct OpenTranscoder {
    graph: AvFilterGraph,
    /// What the graph takes: sample format, samples a second, channels.
    takes: SoundFormat,
    /// What the encoder takes.
    shape: AudioShape,
    encoder: Encoder,
}

/// The part of a stream that is wanted, to the sample.
#[derive(Clone, Copy)]
struct SampleWindow {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

type SoundFormat = (i32, (u32, u32));

fn sound_of(frame: &AvFrame) -> SoundFormat {
    (frame.samples().0, frame.sound())
}

/// Samples in a piece of silence.
const SILENT_SAMPLES: u32 = 1024;

impl AudioTranscoder {
    pub(crate) fn open(
        plan: AudioPlan,
        stream: &StreamInfo,
        options: &InputOptions,
        is_live: bool,
        global_header: bool,
        stats: Stats,
    ) -> Result<AudioTranscoder> {
        find_encoder(&plan.encoder)?;
        Ok(AudioTranscoder {
            plan,
            decoder: open_decoder(stream, options, is_live)?,
            time_base: stream.time_base,
            sought: options.start.is_some(),
            floor: Timestamp::ZERO,
            limit: options.limit(),
            global_header,
            open: None,
            ready: VecDeque::new(),
            arrived: None,
            next_pts: 0,
            limit_reached: false,
            is_drained: false,
            failures: 0,
            sound_end: None,
            silence: None,
            stats,
        })
    }

    /// Goes on with packets of another connection to the source, by a decoder of their own. What
    /// is before their floor is not wanted.
    pub(crate) fn replace_source(&mut self, decoder: Decoder, time_base: TimeBase) {
        self.decoder = decoder;
        if let Some(open) = self.open.as_mut().filter(|_| self.time_base != time_base) {
            // The graph counts in the old one.
            open.takes = (-1, (0, 0));
        }
        self.next_pts = self.time_base.at(self.next_pts).rescale(time_base).ticks();
        self.time_base = time_base;
        self.sought = true;
    }

    /// Leaves out what is before `floor`: the output has it from elsewhere.
    pub(crate) fn begin_at(&mut self, floor: Timestamp) {
        self.next_pts = floor.rescale(self.time_base).ticks();
        self.sought = true;
    }

    /// Fills up with silence, from where the sound ended up to `until`.
    pub(crate) fn fill(&mut self, until: Timestamp) -> Result<()> {
        let Some(silence) = &self.silence else { return Ok(()) };
        let (count, (rate, _)) = (silence.samples().1, silence.sound());
        let Some(sample) = i32::try_from(rate).ok().and_then(|rate| TimeBase::new(1, rate)) else {
            return Ok(());
        };
        let start = self.time_base.at(self.next_pts);
        let piece = sample.at(count.into());
        let mut at = start.rescale(sample);
        while at.plus(piece) <= until && !self.limit_reached {
            let Some(silence) = &self.silence else { return Ok(()) };
            let mut frame = silence.share().map_err(|e| failed(&self.plan, e))?;
            frame.set_pts(Some(at.rescale(self.time_base).ticks()));
            frame.set_duration(piece.rescale(self.time_base).ticks());
            at = at.plus(piece);
            self.arrived = None;
            let begin = self.time_base.at(frame.pts().unwrap_or(self.next_pts));
            self.encode(frame, begin)?;
        }
        if at > start {
            self.next_pts = at.rescale(self.time_base).ticks();
        }
        Ok(())
    }

    /// Sends one packet. A damaged one is counted, not an error.
    pub(crate) fn send(&mut self, packet: &Packet) -> Result<()> {
        self.arrived = packet.arrived;
        self.floor = packet.floor;
        loop {
            let accepted = match self.decoder.send(Some(&packet.av)) {
                Ok(accepted) => accepted,
                Err(_) => {
                    self.failures += 1;
                    self.stats.packet_corrupt();
                    true
                }
            };
            self.take_frames()?;
            if accepted {
                return Ok(());
            }
        }
    }

    /// Gives out a piece of what it still holds: a filter may make sound without end. `false` once that
    /// was all.
    pub(crate) fn drain(&mut self) -> Result<bool> {
        if !std::mem::replace(&mut self.is_drained, true) {
            while !self.decoder.send(None).map_err(|e| e.in_stage(Stage::Decode))? {
                self.take_frames()?;
            }
            self.take_frames()?;
            if self.failures > 0 {
                let left_out = were(self.failures, "damaged or undecodable packet");
                tracing::warn!("{left_out} left out of the audio");
            }
            if let Some(open) = &mut self.open {
                open.graph.send(None).map_err(|e| failed(&self.plan, e))?;
            }
        }
        let Some(open) = &mut self.open else { return Ok(false) };
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
        self.ready.pop_front()
    }

    /// Whether the plan's last sample was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.limit_reached
    }

    fn take_frames(&mut self) -> Result<()> {
        loop {
            match self.decoder.receive() {
                Ok(Received::Item(frame)) => self.accept(frame)?,
                Ok(Received::Again | Received::End) => return Ok(()),
                Err(_) => {
                    self.failures += 1;
                    self.stats.packet_corrupt();
                    return Ok(());
                }
            }
        }
    }

    fn accept(&mut self, mut frame: AvFrame) -> Result<()> {
        frame.assume_channel_layout();
        let pts = frame.best_effort_pts().unwrap_or(self.next_pts);
        frame.set_pts(Some(pts));
        self.next_pts = pts.saturating_add(frame.duration().max(1));
        let at = self.continued(&frame, pts);
        let wanted = SampleWindow { from: self.sought.then_some(self.floor), to: self.limit };
        let Some((frame, at)) = self.cut(frame, at, wanted)? else { return Ok(()) };
        if self.silence.as_ref().is_none_or(|silence| sound_of(silence) != sound_of(&frame)) {
            let silence = frame.silent_like(SILENT_SAMPLES);
            self.silence = Some(silence.map_err(|e| failed(&self.plan, e))?);
        }
        self.encode(frame, at)
    }

    /// Where a frame begins, to the sample: where the last one ended, unless its pts says something
    /// else than rounding to the container's ticks can explain.
    fn continued(&mut self, frame: &AvFrame, pts: i64) -> Timestamp {
        let at = self.time_base.at(pts);
        let ((_, count), (rate, _)) = (frame.samples(), frame.sound());
        let Some(sample) = i32::try_from(rate).ok().and_then(|rate| TimeBase::new(1, rate)) else {
            return at;
        };
        let rounded = at.rescale(sample);
        let tick = self.time_base.at(1).rescale_rounded(sample, Round::Up).ticks();
        let goes_on =
            |end: &Timestamp| end.base() == sample && (end.ticks() - rounded.ticks()).abs() <= tick;
        let at = self.sound_end.filter(goes_on).unwrap_or(rounded);
        self.sound_end = Some(at.plus(sample.at(count.into())));
        at
    }

    fn encode(&mut self, mut frame: AvFrame, at: Timestamp) -> Result<()> {
        let Window { start, length } = self.plan.window;
        let begin = start.unwrap_or(Timestamp::ZERO);
        let end = length.map(|length| begin.plus(length));
        self.limit_reached |= end.is_some_and(|end| at >= end);
        let span = SampleWindow { from: start, to: end };
        let Some((cut, _)) = self.cut(frame, at, span)? else { return Ok(()) };
        frame = cut;
        if start.is_some() {
            let shift = begin.rescale(self.time_base).ticks();
            frame.set_pts(frame.pts().map(|pts| pts.saturating_sub(shift)));
        }
        if self.open.is_none() {
            let open = self.open_for(&frame)?;
            self.open = Some(open);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.takes != sound_of(&frame) {
            open.adapt_to(&self.plan, &frame, self.time_base).map_err(|e| failed(&self.plan, e))?;
        }
        open.graph.send(Some(&frame)).map_err(|e| failed(&self.plan, e))?;
        open.encode(&self.plan, &mut self.ready, self.arrived)
    }

    /// The samples that lie in a span of a frame that begins at `at`, and where they begin; `None` where
    /// there are none.
    fn cut(
        &self,
        frame: AvFrame,
        at: Timestamp,
        span: SampleWindow,
    ) -> Result<Option<(AvFrame, Timestamp)>> {
        let ((_, count), (rate, _)) = (frame.samples(), frame.sound());
        let Some(sample) = i32::try_from(rate).ok().and_then(|rate| TimeBase::new(1, rate)) else {
            return Ok(Some((frame, at)));
        };
        let samples_to = |to: Timestamp| {
            let samples = to.rescale(sample).ticks() - at.rescale(sample).ticks();
            u32::try_from(samples.max(0)).unwrap_or(u32::MAX)
        };
        let first = span.from.map_or(0, samples_to);
        let last = span.to.map_or(count, samples_to).min(count);
        if first >= last {
            return Ok(None);
        }
        if (first, last) == (0, count) {
            return Ok(Some((frame, at)));
        }
        let mut part = frame.part(first, last - first).map_err(|e| failed(&self.plan, e))?;
        let begin = at.rescale(sample).plus(sample.at(first.into()));
        if first > 0 {
            part.set_pts(Some(begin.rescale(self.time_base).ticks()));
        }
        part.set_duration(sample.at((last - first).into()).rescale(self.time_base).ticks());
        Ok(Some((part, begin)))
    }

    fn open_for(&mut self, frame: &AvFrame) -> Result<OpenTranscoder> {
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
        // async=1 fills gaps and trims overlaps, so that the sample count keeps to the clock.
        let mut spec = self.plan.behind_filter("aresample=async=1");
        if !format.is_empty() {
            spec.push_str(",aformat=");
            spec.push_str(&format.join(":"));
        }
        let input = GraphInput { frame, time_base: self.time_base, frame_rate: None };
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
        Ok(OpenTranscoder { graph, takes: sound_of(frame), shape, encoder })
    }
}

impl OpenTranscoder {
    /// Makes the graph take samples of another kind. What the old one still holds, less than one
    /// frame of the encoder's, is lost: an encoder takes no short frame but for its last one.
    fn adapt_to(
        &mut self,
        plan: &AudioPlan,
        frame: &AvFrame,
        time_base: TimeBase,
    ) -> Result<(), AvError> {
        let AudioShape { sample_rate, sample_format, channel_layout } = &self.shape;
        let spec = format!(
            "aresample=async=1,aformat=sample_fmts={sample_format}:sample_rates={sample_rate}:\
             channel_layouts={channel_layout}"
        );
        let (input, spec) =
            (GraphInput { frame, time_base, frame_rate: None }, plan.behind_filter(&spec));
        self.graph = AvFilterGraph::audio(&input, &spec, self.encoder.frame_samples())?;
        self.takes = sound_of(frame);
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
