//! Frames → packets, keyframes forced where a live output needs them.

mod choice;
mod keyframes;
mod on_device;
mod passes;
mod plan;

pub(crate) use keyframes::KeyframeRule;
pub(crate) use passes::PassPlan;
pub(crate) use plan::VideoPlan;

use std::collections::VecDeque;
use std::sync::Arc;

use self::keyframes::ForcedKeyframes;
use self::on_device::{EncodingDevice, PicturePlace};
use self::passes::StatisticsFile;
use crate::av::{AvError, AvFrame, Encoder, EncoderSetup, MediaKind, Received, VideoShape};
use crate::codec::configuration::{StreamConfiguration, StreamMessage, pixel_shape};
use crate::codec::packet::Packet;
use crate::codec::window::WindowPosition;
use crate::edit::{FilterGraph, Fit};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::image::Frame;
use crate::options::OnResize;
use crate::time::arrival::Arrival;
use crate::time::{Rate, Round, TimeBase, Timestamp};

/// Seconds between keyframes of a live output: what the big platforms ask for.
const LIVE_KEYFRAME_SECONDS: u32 = 2;

/// Encodes frames by a plan; the encoder is opened by the first one.
pub(crate) struct VideoEncoder {
    plan: VideoPlan,
    setup: EncoderSetup,
    /// `None` where the processor encodes, or the encoder finds its device itself.
    device: Option<EncodingDevice>,
    global_header: bool,
    source_rate: Option<Rate>,
    graph: Option<FilterGraph>,
    open: Option<OpenEncoder>,
    ready: VecDeque<StreamMessage>,
    taken: u64,
    limit_reached: bool,
    on_resize: OnResize,
    /// Keeps the last picture, to show it again.
    holds: bool,
    /// To be shown in place of the last picture.
    slate: Option<Frame>,
    /// Where the pictures that were shown again end, until a frame follows them.
    held_until: Option<Timestamp>,
    /// Frames that came too late for their place.
    late: u64,
    /// The next picture is to be a keyframe.
    wants_key: bool,
    keyframes: Option<ForcedKeyframes>,
}

/// Most pictures inside an encoder of which something is remembered.
const INSIDE: usize = 1024;

/// What is remembered of a picture until its packet comes.
#[derive(Clone, Copy)]
struct CodedPicture {
    pts: i64,
    /// How long it is shown, in ticks; 0 where that isn't known.
    duration: i64,
    /// `None` for a picture that is shown again.
    arrived: Option<Arrival>,
}

struct OpenEncoder {
    encoder: Encoder,
    /// What a first pass writes.
    statistics: Option<StatisticsFile>,
    shape: VideoShape,
    /// Where the encoder takes its pictures.
    place: PicturePlace,
    time_base: TimeBase,
    /// Brings frames of another size to the first one's, before any padding.
    fit: Fit,
    last_pts: Option<i64>,
    last_key: Option<Timestamp>,
    /// The pictures inside, by their pts.
    inside: VecDeque<CodedPicture>,
    /// Where the first picture begins.
    begin: Option<Timestamp>,
    /// The dts of the first packet, in the encoder's ticks.
    first_dts: Option<i64>,
    /// Where the last one ends.
    end: Timestamp,
    /// What is shown while no frames come: the last picture, or the slate.
    held: Option<AvFrame>,
    /// Whether `held` is the slate.
    shows_slate: bool,
}

impl VideoEncoder {
    pub(crate) fn new(
        plan: VideoPlan,
        global_header: bool,
        source_rate: Option<Rate>,
    ) -> Result<VideoEncoder> {
        let setup = find_encoder(&plan.encoder)?;
        let device = EncodingDevice::choose(&setup, &plan)?;
        let keyframes = plan.keyframes.as_ref().map(ForcedKeyframes::new).transpose()?;
        let graph =
            |spec| FilterGraph::new(spec, source_rate).with_device(plan.devices.for_filters());
        let graph = filters(&plan, &setup, source_rate).map(graph);
        Ok(VideoEncoder {
            plan,
            setup,
            device,
            global_header,
            source_rate,
            graph,
            open: None,
            ready: VecDeque::new(),
            taken: 0,
            limit_reached: false,
            on_resize: OnResize::Fit,
            holds: false,
            slate: None,
            held_until: None,
            late: 0,
            wants_key: false,
            keyframes,
        })
    }

    /// Sets what it does with frames whose size is not the first one's.
    pub(crate) fn on_resize(mut self, policy: OnResize) -> VideoEncoder {
        self.on_resize = policy;
        self
    }

    /// Makes it keep what [`VideoEncoder::repeat`] needs: its last picture, or a slate.
    pub(crate) fn holding(mut self, slate: Option<Frame>) -> VideoEncoder {
        self.holds = true;
        self.slate = slate;
        self
    }

    /// Shows the last picture once more, or the slate, at `at`. `false` where there is none yet.
    pub(crate) fn repeat(&mut self, at: Timestamp, length: Timestamp) -> Result<bool> {
        let placed = match self.plan.window.place(at) {
            WindowPosition::Inside(placed) if !self.is_done() => placed,
            WindowPosition::After => {
                self.limit_reached = true;
                return Ok(false);
            }
            _ => return Ok(false),
        };
        let Some(open) = &mut self.open else { return Ok(false) };
        if let Some(slate) = self.slate.as_mut().filter(|_| !open.shows_slate) {
            let slate = slate.share()?;
            if let Some(card) = open.fit.fit(slate)? {
                open.held = Some(open.coded(card)?);
                open.shows_slate = true;
                self.wants_key = true;
            }
        }
        let Some(held) = &open.held else { return Ok(false) };
        let picture = held.share().map_err(|e| failed(&self.setup, e))?;
        self.held_until = Some(at.plus(length));
        self.code(picture, placed, length, None)?;
        Ok(true)
    }

    /// Opens the encoder for frames like this, before there is one: its configuration can be received then.
    pub(crate) fn open_like(&mut self, frame: &Frame) -> Result<()> {
        if self.open.is_none() {
            let open = self.open_for(frame)?;
            self.open = Some(open);
        }
        Ok(())
    }

    /// Keeps a picture that [`VideoEncoder::repeat`] can show, where there is none yet.
    pub(crate) fn keep(&mut self, frame: Frame) -> Result<()> {
        self.open_like(&frame)?;
        if let Some(open) = self.open.as_mut().filter(|open| open.held.is_none())
            && let Some(frame) = open.fit.fit(frame)?
        {
            open.held = Some(open.coded(frame)?);
        }
        Ok(())
    }

    /// Makes the next picture a keyframe.
    pub(crate) fn want_key(&mut self) {
        self.wants_key = true;
    }

    /// How many frames came too late for their place, since this was asked last.
    pub(crate) fn take_late(&mut self) -> u64 {
        std::mem::take(&mut self.late)
    }

    /// Sends one frame, in the order of showing.
    pub(crate) fn send(&mut self, frame: Frame) -> Result<()> {
        match &mut self.graph {
            None => self.encode(frame),
            Some(graph) => {
                graph.send(frame)?;
                self.encode_filtered()
            }
        }
    }

    /// Has graph and encoder give out what they still hold.
    pub(crate) fn drain(&mut self) -> Result<()> {
        if let Some(graph) = &mut self.graph {
            graph.drain()?;
            self.encode_filtered()?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        loop {
            let done = open.encoder.send(None).map_err(|e| failed(&self.setup, e))?;
            open.collect(&self.setup, &mut self.ready)?;
            if done {
                open.lengthen_last(&mut self.ready);
                let file = open.statistics.as_mut();
                return file.map_or(Ok(()), |file| file.take(&open.encoder));
            }
        }
    }

    /// The next packet, and before the first one of each encoder its configuration.
    pub(crate) fn receive(&mut self) -> Option<StreamMessage> {
        self.ready.pop_front()
    }

    /// Whether the plan's last frame was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.limit_reached || self.plan.frames.is_some_and(|limit| self.taken >= limit.count)
    }

    /// Where the last frame taken ends, on the output's clock.
    pub(crate) fn end(&self) -> Timestamp {
        self.open.as_ref().map_or(Timestamp::ZERO, |o| o.end)
    }

    fn encode_filtered(&mut self) -> Result<()> {
        while let Some(frame) = self.graph.as_mut().map(FilterGraph::receive).transpose()?.flatten()
        {
            self.encode(frame)?;
        }
        Ok(())
    }

    fn encode(&mut self, frame: Frame) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        if self.held_until.is_some_and(|until| frame.pts() < until) {
            self.late += 1;
            return Ok(());
        }
        self.held_until = None;
        let placed = match self.plan.window.place(frame.pts()) {
            WindowPosition::Before => return Ok(()),
            WindowPosition::After => {
                self.limit_reached = true;
                return Ok(());
            }
            WindowPosition::Inside(placed) => placed,
        };
        let size = (frame.width(), frame.height());
        if self.on_resize == OnResize::Restart
            && self.open.as_ref().is_some_and(|open| open.fit.size() != size)
        {
            self.restart(&frame)?;
        }
        if self.open.is_none() {
            let open = self.open_for(&frame)?;
            self.open = Some(open);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let arrived = frame.arrival();
        let Some(frame) = open.fit.fit(frame)? else { return Ok(()) };
        let duration = frame.duration();
        let picture = open.coded(frame)?;
        if self.holds {
            open.held = Some(picture.share().map_err(|e| failed(&self.setup, e))?);
            open.shows_slate = false;
        }
        self.code(picture, placed, duration, Some(arrived))
    }

    /// Sends a picture in the encoder's own format and size.
    fn code(
        &mut self,
        mut picture: AvFrame,
        placed: Timestamp,
        duration: Timestamp,
        arrived: Option<Arrival>,
    ) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let wants_key = std::mem::take(&mut self.wants_key);
        let at = open.stamp(&mut picture, placed, duration);
        let was_key = picture.is_key();
        let is_forced = self.keyframes.as_mut().is_some_and(|k| k.forces(at, was_key));
        open.request_key(&mut picture, at, &self.plan, wants_key || is_forced);
        let (pts, duration) = (picture.pts().unwrap_or(0), picture.duration());
        open.inside.push_back(CodedPicture { pts, duration, arrived });
        // An encoder that outputs nothing for so long has lost them.
        if open.inside.len() > INSIDE {
            open.inside.pop_front();
        }
        self.taken += 1;
        loop {
            let accepted = open.encoder.send(Some(&picture)).map_err(|e| failed(&self.setup, e))?;
            open.collect(&self.setup, &mut self.ready)?;
            if accepted {
                return Ok(());
            }
        }
    }

    /// Ends the encoder, and begins another one for frames like this.
    fn restart(&mut self, frame: &Frame) -> Result<()> {
        let Some(mut old) = self.open.take() else { return Ok(()) };
        while !old.encoder.send(None).map_err(|e| failed(&self.setup, e))? {
            old.collect(&self.setup, &mut self.ready)?;
        }
        old.collect(&self.setup, &mut self.ready)?;
        let mut open = self.open_for(frame)?;
        open.last_pts = old.last_pts.map(|pts| {
            let after = old.time_base.at(pts).rescale_rounded(open.time_base, Round::Up);
            after.ticks()
        });
        self.open = Some(open);
        Ok(())
    }

    fn open_for(&mut self, frame: &Frame) -> Result<OpenEncoder> {
        let picture = frame.picture();
        let own = picture.contents().ok_or_else(|| {
            Error::new(ErrorKind::InvalidData, Stage::Encode, "frames without a pixel format")
        })?;
        let device = self.device.as_ref();
        let on_device = device.map(|device| device.contents(self.setup.codec().name()));
        let on_device = on_device.unwrap_or_default();
        let needs = choice::FormatNeeds {
            choice: self.plan.pixel_format.as_ref(),
            is_edited: self.plan.is_edited,
            keeps_alpha: self.plan.keeps_alpha,
            container: self.plan.formats,
            device: &on_device,
        };
        let format = choice::pixel_format(&self.setup, own, &needs)?;
        let rate = match &self.graph {
            Some(graph) => graph.frame_rate().or(self.source_rate),
            None => self.source_rate,
        };
        let (width, height) = choice::size(&self.setup, format, picture.width(), picture.height());
        let colors = crate::image::picture::tags_in(picture, format);
        let live_gop = self.plan.is_live && self.plan.option("g").is_none();
        let shape = VideoShape {
            width,
            height,
            format,
            sample_aspect_ratio: match self.plan.aspect {
                Some(aspect) => pixel_shape(aspect, (width, height)),
                None => picture.sample_aspect_ratio(),
            },
            colors,
            frame_rate: rate,
            // Live keyframes are forced by the clock; the encoder's own counter is a backstop.
            gop: live_gop.then(|| {
                rate.or(Rate::new(30, 1)).map_or(60, |r| r.frames_in(2 * LIVE_KEYFRAME_SECONDS))
            }),
            b_frames: !(self.plan.is_live || self.plan.has_no_pts)
                || self.plan.option("bf").is_some(),
        };
        let time_base = frame.time_base();
        let mut dict = choice::options(&self.setup, &self.plan, format);
        let of = (&self.setup, &self.plan);
        let place = PicturePlace::for_first(frame, of, device, (format, (width, height)))?;
        let of_first = place.of_first(frame);
        let input = place.input(&of_first, device);
        let (mut statistics, mut file) = (None, None);
        if let Some(passes) = &self.plan.passes {
            passes.set(self.setup.name(), &mut dict);
            statistics = passes.read(self.setup.name())?;
            file = passes.create(self.setup.name())?;
        }
        let encoder = self
            .setup
            .open_video(&shape, time_base, self.global_header, input, &mut dict, statistics)
            .map_err(|e| {
                let cause = format!(
                    "{} can't be opened for {width}x{height} {}: {}",
                    self.setup.name(),
                    format.name(),
                    e.cause()
                );
                let error = e.in_stage(Stage::Encode).of_kind(ErrorKind::Usage).reworded(cause);
                EncodingDevice::told(&self.setup, error)
            })?;
        if self.setup.name() == "rawvideo" {
            // The reader must know it, and the bytes don't say.
            let bytes: usize = (0..format.plane_count())
                .filter_map(|p| format.plane_size(p, width, height))
                .map(|(row, rows)| row * rows)
                .sum();
            let rate = rate.map_or_else(String::new, |r| format!(", {r} frames a second"));
            tracing::info!(
                "raw video: {width}x{height} {}, {bytes} bytes a frame{rate}",
                format.name()
            );
        }
        let time_base = encoder.time_base();
        let configuration = StreamConfiguration {
            params: encoder.params().map_err(|e| failed(&self.setup, e))?,
            time_base,
            frame_rate: rate,
            sample_aspect_ratio: shape.sample_aspect_ratio,
            display_matrix: None,
        };
        self.ready.push_back(StreamMessage::Configuration(Arc::new(configuration)));
        let source = (picture.width(), picture.height());
        if (width, height) != source {
            tracing::warn!(
                "{} needs an even size: {}x{} is padded to {width}x{height} by repeating the last row and column",
                self.setup.name(),
                source.0,
                source.1
            );
        }
        Ok(OpenEncoder {
            encoder,
            statistics: file,
            shape,
            place,
            time_base,
            fit: Fit::new(source),
            last_pts: None,
            last_key: None,
            inside: VecDeque::new(),
            begin: None,
            first_dts: None,
            end: Timestamp::ZERO,
            held: None,
            shows_slate: false,
        })
    }
}

impl OpenEncoder {
    /// The frame's picture as the encoder takes it.
    fn coded(&self, frame: Frame) -> Result<AvFrame> {
        if self.place.takes(&frame) {
            return frame.into_picture();
        }
        let picture = frame.into_picture_as(self.shape.format)?;
        let VideoShape { width, height, .. } = self.shape;
        let picture = match (picture.width(), picture.height()) == (width, height) {
            true => picture,
            false => crate::image::picture::padded(&picture, width, height)?,
        };
        self.place.put(picture)
    }

    /// Gives the picture its time in the encoder's ticks, always later than the one before.
    fn stamp(&mut self, picture: &mut AvFrame, at: Timestamp, duration: Timestamp) -> Timestamp {
        let base = self.time_base;
        let ticks = at.rescale(base).ticks();
        let pts = self.last_pts.map_or(ticks, |last| ticks.max(last + 1));
        self.last_pts = Some(pts);
        picture.set_pts(Some(pts));
        picture.set_duration(duration.rescale(base).ticks());
        picture.set_quality(self.encoder.global_quality());
        self.begin.get_or_insert(base.at(pts));
        self.end = base.at(pts).plus(duration);
        base.at(pts)
    }

    /// Says whether the picture at `at` is to be a keyframe.
    fn request_key(
        &mut self,
        picture: &mut AvFrame,
        at: Timestamp,
        plan: &VideoPlan,
        wants_key: bool,
    ) {
        let due = self.last_key.is_none_or(|key| {
            at.minus(key) >= Timestamp::from_micros(i64::from(LIVE_KEYFRAME_SECONDS) * 1_000_000)
        });
        let force = wants_key || plan.is_live && plan.option("g").is_none() && due;
        if force {
            self.last_key = Some(at);
        }
        picture.request_key(force);
    }

    /// Makes the last picture, and the last packet, last until the end. Containers take a stream's end
    /// from the one or the other, and encoders don't say how long a picture is shown.
    fn lengthen_last(&self, ready: &mut VecDeque<StreamMessage>) {
        let packets = ready.iter_mut().filter_map(|message| match message {
            StreamMessage::Packet(packet) => Some(packet),
            StreamMessage::Configuration(_) => None,
        });
        let mut packets: Vec<&mut Packet> = packets.collect();
        let (Some(begin), Some(first)) = (self.begin, self.first_dts) else { return };
        // In the order of decoding everything is earlier, by as much as the first picture.
        let early = begin.minus(self.time_base.at(first));
        if let Some(last) = packets.last_mut() {
            let at = last.av.dts().or(last.av.pts());
            last.lasts_until(at, self.end.minus(early));
        }
        if let Some(last) = packets.iter_mut().max_by_key(|packet| packet.av.pts()) {
            let at = last.av.pts();
            // Of the last in both orders only this one counts.
            last.lasts_until(at, self.end);
        }
    }

    fn collect(&mut self, setup: &EncoderSetup, ready: &mut VecDeque<StreamMessage>) -> Result<()> {
        while let Received::Item(mut av) = self.encoder.receive().map_err(|e| failed(setup, e))? {
            let is_it = |pts| self.inside.iter().position(|picture| picture.pts == pts);
            let found = av.pts().and_then(is_it).unwrap_or(0);
            let picture = self.inside.remove(found);
            let arrived = picture.and_then(|picture| picture.arrived);
            // Not every encoder says how long a picture is shown.
            if let Some(picture) = picture.filter(|_| av.duration() <= 0) {
                av.set_times(av.pts(), av.dts(), picture.duration);
            }
            self.first_dts = self.first_dts.or(av.dts());
            if let Some(file) = &mut self.statistics {
                file.take(&self.encoder)?;
            }
            let quality = Some(av.quality().unwrap_or(-1));
            ready.push_back(StreamMessage::Packet(Packet {
                av,
                kind: MediaKind::Video,
                stream: 0,
                time_base: self.time_base,
                arrived,
                quality,
                floor: Timestamp::ZERO,
                discontinuity: false,
            }));
        }
        Ok(())
    }
}

/// The filter graph from the user's frames to the encoder's, where one is needed.
fn filters(plan: &VideoPlan, setup: &EncoderSetup, source_rate: Option<Rate>) -> Option<String> {
    let mut filters = Vec::new();
    filters.extend(plan.filter.clone());
    filters.extend(plan.size.map(|s| format!("scale={}:{}:flags=bicubic", s.width(), s.height())));
    let constant = (plan.constant_rate || choice::needs_constant_rate(setup.codec().name()))
        .then(|| source_rate.or(Rate::new(25, 1)))
        .flatten();
    filters.extend(plan.rate.or(constant).map(|r| format!("fps={}/{}", r.num(), r.den())));
    if setup.name() == "gif" && plan.pixel_format.is_none() {
        // A palette for each frame: one for all would have to wait for the last of them.
        filters.push("split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=bayer:bayer_scale=5".to_owned());
    }
    (!filters.is_empty()).then(|| filters.join(","))
}

/// The encoder by its name or its codec's.
pub(crate) fn find_encoder(name: &str) -> Result<EncoderSetup> {
    EncoderSetup::find(name).ok_or_else(|| {
        Error::usage(format!(
            "there is no encoder '{name}' in the FFmpeg libraries of this machine"
        ))
    })
}

fn failed(setup: &EncoderSetup, e: AvError) -> Error {
    let cause = format!("{}: {}", setup.name(), e.cause());
    e.in_stage(Stage::Encode).reworded(cause)
}
