//! The thread of video of which only what code touched is encoded: everything else goes out as it came in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender, never, select_biased};

use crate::av::StreamInfo;
use crate::codec::bitstream::with_lengths;
use crate::codec::configuration::{StreamConfiguration, StreamMessage};
use crate::codec::encode::{VideoEncoder, VideoPlan};
use crate::codec::packet::Packet;
use crate::codec::parameter_sets::{NalForm, ParameterSets, Sps, has_idr};
use crate::codec::untouched::{SeenFrame, SourcePacket, SwitchRules, SwitchStep, UntouchedSwitch};
use crate::codec::window::Window;
use crate::error::{Result, Stage};
use crate::image::Frame;
use crate::live::supervise::Hold;
use crate::run::delivery::SinkMessage;
use crate::run::stages::{EncodeMessage, VideoGroup, deliver};
use crate::stats::Stats;
use crate::time::clock::Clock;
use crate::time::stop::Stop;
use crate::time::{Rate, Timestamp};

/// Packets on their way to a thread that copies what is untouched. It takes them at any time.
pub(super) const PACKETS: usize = 64;

/// Of so much of the source the bit rate counts for what is encoded.
const RATE_SPAN: Timestamp = Timestamp::from_micros(5_000_000);

/// A way for the packets of a stream of the input, and for what holds for them.
pub(super) struct PacketsEnd {
    pub(super) stream: usize,
    pub(super) packets: Sender<StreamMessage>,
}

/// How untouched packets are copied beside what an encoder makes.
pub(super) struct CopyUntouched {
    pub(super) plan: VideoPlan,
    pub(super) rate: Option<Rate>,
    pub(super) rules: SwitchRules,
    form: NalForm,
    size: (u32, u32),
    configuration: Arc<StreamConfiguration>,
}

impl CopyUntouched {
    /// For a stream of an input that is encoded by this plan.
    ///
    /// # Errors
    /// Why all of it has to be encoded.
    pub(super) fn of(
        plan: &VideoPlan,
        rate: Option<Rate>,
        stream: &StreamInfo,
        rules: SwitchRules,
    ) -> std::result::Result<CopyUntouched, String> {
        let asks = plan.filter.is_some()
            || plan.size.is_some()
            || plan.rate.is_some()
            || plan.pixel_format.is_some()
            || plan.frames.is_some()
            || plan.aspect.is_some()
            || plan.keyframes.is_some()
            || plan.passes.is_some()
            || plan.window != Window::default();
        let codec = stream.params.codec();
        if asks {
            return Err("an option changes the pictures or chooses some of them".to_owned());
        }
        if codec.name() != "h264" || plan.encoder != "libx264" {
            return Err(format!("{} beside {} can't be copied", codec.name(), plan.encoder));
        }
        if plan.constant_rate || plan.has_no_pts {
            return Err("the container has no times of its own".to_owned());
        }
        if stream.display_matrix.is_some() {
            return Err("the picture is turned".to_owned());
        }
        let known = ParameterSets::of(stream.params.extradata());
        let (sets, form) =
            known.ok_or_else(|| "the source has no parameter sets in front".to_owned())?;
        let first = sets.sps.first().and_then(|sps| Sps::of(sps));
        let sps = first.ok_or_else(|| "its parameter sets can't be read".to_owned())?;
        if sps.is_interlaced {
            return Err("it is interlaced".to_owned());
        }
        let id = sets.free_id().ok_or_else(|| "it uses all numbers of sets".to_owned())?;
        let plan = beside(plan, &sps, id);
        let configuration = StreamConfiguration::of(stream).map_err(|e| e.to_string())?;
        let size = (stream.params.width(), stream.params.height());
        Ok(CopyUntouched { plan, rate, rules, form, size, configuration })
    }
}

/// The plan with what makes the encoder's packets stand beside the source's. What the user set stays.
fn beside(plan: &VideoPlan, sps: &Sps, id: u32) -> VideoPlan {
    let mut plan = plan.clone();
    let profile = match sps.profile {
        66 => Some("baseline"),
        77 => Some("main"),
        100 => Some("high"),
        110 => Some("high10"),
        122 => Some("high422"),
        244 => Some("high444"),
        _ => None,
    };
    let mut set = |name: &str, value: String| {
        if !plan.options.iter().any(|(given, _)| given == name) {
            plan.options.push((name.to_owned(), value));
        }
    };
    // Pictures leave in the order in which they came: each stands in the place of one packet.
    set("bf", "0".to_owned());
    set("refs", sps.reference_frames.clamp(1, 4).to_string());
    set("level", format!("{}.{}", sps.level / 10, sps.level % 10));
    if let Some(profile) = profile {
        set("profile", profile.to_owned());
    }
    let own = format!("sps-id={id}");
    match plan.options.iter_mut().find(|(name, _)| name == "x264-params") {
        Some((_, params)) => *params = format!("{params}:{own}"),
        None => plan.options.push(("x264-params".to_owned(), own)),
    }
    plan
}

/// A packet of the source, with what holds from it on where that is something new.
struct CopiedPacket {
    packet: Packet,
    configuration: Option<Arc<StreamConfiguration>>,
}

/// The thread.
pub(super) struct Switching {
    /// Its encoder is the first one.
    group: VideoGroup,
    copy: CopyUntouched,
    switch: UntouchedSwitch<CopiedPacket, Frame>,
    /// Open, and not begun.
    prepared: Option<VideoEncoder>,
    encoder: Option<VideoEncoder>,
    /// The encoder's own parameter sets.
    own: Option<ParameterSets>,
    /// What holds for the source's packets that come next, where it was not told yet.
    pending: Option<Arc<StreamConfiguration>>,
    /// Where the picture that was sent and is shown last ends.
    end: Timestamp,
    /// The outputs were told what the stream is.
    is_announced: bool,
    source_rate: BitRate,
    /// The last frame, for when the input is lost.
    last: Option<Frame>,
    hold: Option<Hold>,
    counts: bool,
    clock: Arc<dyn Clock>,
    stats: Stats,
    stop: Stop,
}

/// What a thread is given beside its queues.
pub(super) struct SwitchingParts {
    pub(super) hold: Option<Hold>,
    pub(super) counts: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stats: Stats,
    pub(super) stop: Stop,
}

impl Switching {
    pub(super) fn new(group: VideoGroup, copy: CopyUntouched, parts: SwitchingParts) -> Switching {
        let SwitchingParts { hold, counts, clock, stats, stop } = parts;
        Switching {
            group,
            switch: UntouchedSwitch::new(copy.rules),
            pending: Some(Arc::clone(&copy.configuration)),
            copy,
            prepared: None,
            encoder: None,
            own: None,
            end: Timestamp::ZERO,
            is_announced: false,
            source_rate: BitRate::default(),
            last: None,
            hold,
            counts,
            clock,
            stats,
            stop,
        }
    }

    pub(super) fn run(
        mut self,
        frames: &Receiver<EncodeMessage>,
        packets: &Receiver<StreamMessage>,
    ) -> Result<()> {
        let result = self.run_all(frames, packets);
        let is_cut = self.stop.is_stopped() && self.end > Timestamp::ZERO;
        self.group.end(&result, is_cut.then_some(self.end));
        result
    }

    fn run_all(
        &mut self,
        frames: &Receiver<EncodeMessage>,
        packets: &Receiver<StreamMessage>,
    ) -> Result<()> {
        let mut packets = packets.clone();
        loop {
            let due = match &self.hold {
                Some(hold) => self.clock.after(hold.time_until_next(self.clock.now())),
                None => never(),
            };
            let changes = self.hold.as_ref().map_or_else(never, |hold| hold.changes().clone());
            // A frame comes behind its packet.
            select_biased! {
                recv(packets) -> message => match message {
                    Ok(message) => self.take(message),
                    Err(_) => packets = never(),
                },
                recv(frames) -> message => match message {
                    Ok(EncodeMessage::Frame(frame)) => {
                        while let Ok(message) = packets.try_recv() {
                            self.take(message);
                        }
                        if !self.hold_on(Some(frame.pts()))? || !self.take_frame(frame)? {
                            return Ok(());
                        }
                    }
                    Ok(EncodeMessage::Leave(output)) => self.leave(output),
                    Err(_) => break,
                },
                recv(changes) -> _ => if !self.hold_on(None)? {
                    return Ok(());
                },
                recv(due) -> _ => if !self.hold_on(None)? {
                    return Ok(());
                },
            }
        }
        while let Ok(message) = packets.try_recv() {
            self.take(message);
        }
        self.hold_on(None)?;
        // What was read and not decoded when a stop came has no frames.
        if !self.stop.is_stopped() {
            self.switch.finish();
        } else {
            self.switch.finish_encoding();
        }
        self.do_steps().map(drop)
    }

    /// Takes what comes of the source.
    fn take(&mut self, message: StreamMessage) {
        let packet = match message {
            StreamMessage::Configuration(configuration) => {
                self.pending = Some(configuration);
                return;
            }
            StreamMessage::Packet(packet) => packet,
        };
        // What has no time is encoded: nothing tells where it belongs.
        let (Some(pts), dts) = (packet.pts(), packet.dts()) else { return };
        self.source_rate.add(dts.unwrap_or(pts), packet.av.size());
        let is_idr = packet.av.is_key() && has_idr(packet.av.data(), self.copy.form);
        let configuration = self.pending.take();
        let item = CopiedPacket { packet, configuration };
        self.switch.packet(SourcePacket { pts, dts, is_idr, item });
    }

    /// `false` once nobody takes more.
    fn take_frame(&mut self, mut frame: Frame) -> Result<bool> {
        let mut is_late = false;
        if let Some(hold) = &mut self.hold {
            is_late = hold.held_until().is_some_and(|until| frame.pts() < until);
            if !is_late {
                hold.saw(frame.pts(), frame.duration(), self.clock.now());
            }
            self.last = Some(frame.share()?);
        }
        if self.own.is_none() {
            self.prepare(&frame)?;
        }
        // Where held pictures have taken its place, its packet has none.
        let is_touched = is_late || !frame.is_as_decoded();
        self.switch.frame(SeenFrame { pts: frame.pts(), is_touched, item: frame });
        self.do_steps()
    }

    /// Opens the first encoder, of which the outputs are told before the first packet.
    fn prepare(&mut self, frame: &Frame) -> Result<()> {
        let mut encoder = self.new_encoder()?;
        encoder.open_like(frame)?;
        let configuration =
            std::iter::from_fn(|| encoder.receive()).find_map(|message| match message {
                StreamMessage::Configuration(configuration) => Some(configuration),
                StreamMessage::Packet(_) => None,
            });
        let sets = configuration.and_then(|c| ParameterSets::of(c.params.extradata()));
        let sets = sets.map(|(sets, _)| self.like_the_source(sets)).unwrap_or_default();
        if (frame.width(), frame.height()) != self.copy.size || sets.sps.is_empty() {
            tracing::info!("all of the video is encoded: frames have another size than the source");
            self.switch.never_copy();
        }
        self.own = Some(sets);
        self.prepared = Some(encoder);
        Ok(())
    }

    /// The encoder's sets with the source's buffer of pictures.
    fn like_the_source(&self, mut sets: ParameterSets) -> ParameterSets {
        let of_source = ParameterSets::of(self.copy.configuration.params.extradata());
        let buffer = of_source.and_then(|(sets, _)| Sps::of(sets.sps.first()?)?.buffer);
        for sps in &mut sets.sps {
            if let Some(changed) = Sps::with_buffer(sps, buffer) {
                *sps = changed;
            }
        }
        sets
    }

    fn new_encoder(&self) -> Result<VideoEncoder> {
        let mut plan = self.copy.plan.clone();
        let is_given = |name: &str| plan.options.iter().any(|(given, _)| given == name);
        if let Some(bits) = self.source_rate.per_second()
            && !["b", "crf", "qp"].into_iter().any(is_given)
        {
            plan.options.push(("b".to_owned(), bits.to_string()));
        }
        VideoEncoder::new(plan, true, self.copy.rate)
    }

    /// Does what the switch says; `false` once nobody takes more.
    fn do_steps(&mut self) -> Result<bool> {
        let mut anyone = true;
        while let Some(step) = self.switch.next_step() {
            match step {
                SwitchStep::Copy(CopiedPacket { packet, configuration }) => {
                    if let Some(configuration) = configuration {
                        self.announce(&configuration)?;
                    }
                    self.stats.frame_copied();
                    anyone = self.send(StreamMessage::Packet(packet))?;
                }
                SwitchStep::Begin => {
                    let encoder = match self.prepared.take() {
                        Some(encoder) => encoder,
                        None => self.new_encoder()?,
                    };
                    self.encoder = Some(encoder);
                }
                SwitchStep::Encode(frame, replaced) => {
                    let configuration = replaced.and_then(|packet| packet.configuration);
                    let first = || self.pending.take().filter(|_| !self.is_announced);
                    if let Some(configuration) = configuration.or_else(first) {
                        self.announce(&configuration)?;
                    }
                    if let Some(encoder) = &mut self.encoder {
                        if self.group.keyframe_request.swap(false, Ordering::Relaxed) {
                            encoder.want_key();
                        }
                        encoder.send(frame)?;
                        self.stats.frames_late(encoder.take_late());
                    }
                    anyone = self.deliver_encoded()?;
                }
                SwitchStep::Finish => {
                    if let Some(encoder) = &mut self.encoder {
                        encoder.drain()?;
                    }
                    anyone = self.deliver_encoded()?;
                    self.encoder = None;
                }
            }
        }
        Ok(anyone)
    }

    /// Tells the outputs what holds for the source's packets, and for the encoder's.
    fn announce(&mut self, source: &Arc<StreamConfiguration>) -> Result<()> {
        let failed = |e: crate::av::AvError| e.in_stage(Stage::Encode);
        let mut params = source.params.share().map_err(failed)?;
        let own = self.own.clone().unwrap_or_default();
        let both =
            ParameterSets::of(params.extradata()).and_then(|(sets, form)| sets.beside(&own, form));
        if let Some(both) = both {
            params.set_extradata(&both).map_err(failed)?;
        }
        self.is_announced = true;
        let StreamConfiguration { time_base, frame_rate, .. } = **source;
        let StreamConfiguration { sample_aspect_ratio, display_matrix, .. } = **source;
        let told = StreamConfiguration {
            params,
            time_base,
            frame_rate,
            sample_aspect_ratio,
            display_matrix,
        };
        self.send(StreamMessage::Configuration(Arc::new(told))).map(drop)
    }

    fn deliver_encoded(&mut self) -> Result<bool> {
        let mut anyone = true;
        while let Some(message) = self.encoder.as_mut().and_then(VideoEncoder::receive) {
            // Its sets were announced with the first one's, which had the same options.
            let StreamMessage::Packet(packet) = message else { continue };
            let packet = self.in_place(packet)?;
            anyone = self.send(StreamMessage::Packet(packet))?;
        }
        Ok(anyone)
    }

    /// A packet of the encoder as the source would have it.
    fn in_place(&mut self, mut packet: Packet) -> Result<Packet> {
        let base = self.copy.configuration.time_base;
        let pts = packet.pts().unwrap_or(packet.time_base.at(0));
        let dts = self.switch.encoded_dts(pts);
        let failed = |e: crate::av::AvError| e.in_stage(Stage::Encode);
        packet.av = match (self.copy.form, &self.own) {
            (NalForm::Lengths, _) => {
                packet.av.with_data(&with_lengths(packet.av.data())).map_err(failed)?
            }
            (NalForm::StartCodes, Some(own)) if packet.av.is_key() => {
                packet.av.with_prefix(&own.in_front()).map_err(failed)?
            }
            (NalForm::StartCodes, _) => packet.av,
        };
        let duration = packet.duration().rescale(base).ticks();
        let ticks = |at: Timestamp| Some(at.rescale(base).ticks());
        packet.av.set_times(ticks(pts), ticks(dts), duration);
        packet.time_base = base;
        Ok(packet)
    }

    fn send(&mut self, message: StreamMessage) -> Result<bool> {
        if let StreamMessage::Packet(packet) = &message
            && let Some(pts) = packet.pts()
        {
            self.end = self.end.max(pts.plus(packet.duration()));
        }
        let VideoGroup { users, leaving, .. } = &mut self.group;
        leaving.retain(|(user, end)| {
            let is_over = match &message {
                StreamMessage::Packet(packet) => packet.dts().is_some_and(|dts| dts >= *end),
                StreamMessage::Configuration(_) => false,
            };
            if is_over {
                user.send(SinkMessage::End);
            }
            !is_over
        });
        let leaves = leaving.iter_mut().map(|(user, _)| user);
        for user in leaves {
            match &message {
                StreamMessage::Packet(packet) => user.send_packet(packet.share()?),
                StreamMessage::Configuration(to) => user.send_configuration(Arc::clone(to)),
            };
        }
        deliver(std::iter::once(message), users)
    }

    /// Gives an output nothing more than what came so far.
    fn leave(&mut self, output: usize) {
        let (leaving, users) = std::mem::take(&mut self.group.users)
            .into_iter()
            .partition(|user| user.output == output);
        self.group.users = users;
        let leaving: Vec<_> = leaving;
        let end = self.switch.position();
        self.group.leaving.extend(leaving.into_iter().map(|user| (user, end)));
    }

    /// Shows what is held, for as long as that is due. `false` once nobody takes it.
    fn hold_on(&mut self, before: Option<Timestamp>) -> Result<bool> {
        loop {
            let Some(hold) = &mut self.hold else { return Ok(true) };
            let due = match before {
                Some(at) => hold.due_before(at),
                None => hold.due(self.clock.now()),
            };
            let Some((at, length)) = due else { return Ok(true) };
            let Some(last) = &mut self.last else { return Ok(true) };
            let picture = last.share()?;
            self.switch.hold(at);
            if !self.do_steps()? {
                return Ok(false);
            }
            let Some(encoder) = &mut self.encoder else { return Ok(true) };
            encoder.keep(picture)?;
            if encoder.repeat(at, length)? && self.counts {
                self.stats.frame_held();
            }
            if !self.deliver_encoded()? {
                return Ok(false);
            }
        }
    }
}

/// How many bits a second a source has.
#[derive(Default)]
struct BitRate {
    packets: VecDeque<(Timestamp, usize)>,
    bytes: usize,
}

impl BitRate {
    fn add(&mut self, dts: Timestamp, bytes: usize) {
        self.packets.push_back((dts, bytes));
        self.bytes += bytes;
        while let Some((first, bytes)) = self.packets.front()
            && first.plus(RATE_SPAN) < dts
        {
            self.bytes -= bytes;
            self.packets.pop_front();
        }
    }

    /// None of less than half a second.
    fn per_second(&self) -> Option<u64> {
        let ((first, _), (last, _)) = (self.packets.front()?, self.packets.back()?);
        let micros = u64::try_from(last.minus(*first).as_micros()).ok()?;
        let bits = self.bytes as u64 * 8;
        (micros >= 500_000).then(|| bits.saturating_mul(1_000_000) / micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let at = |millis: i64| Timestamp::from_micros(millis * 1000);
        let mut rate = BitRate::default();
        rate.add(at(0), 1000);
        assert_eq!(rate.per_second(), None);
        (1..=200).for_each(|n| rate.add(at(n * 40), 1000));
        let bits = rate.per_second().unwrap();
        assert!((200_000..=202_000).contains(&bits), "{bits}");
        (201..=400).for_each(|n| rate.add(at(n * 40), 500));
        assert!((100_000..=101_000).contains(&rate.per_second().unwrap()));
    }
}
