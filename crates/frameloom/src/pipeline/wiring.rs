//! Who gets what: the queues between the stages, laid out from the plans.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::SINK_QUEUE;
use crate::audio::{AudioPlan, AudioTranscoder};
use crate::av::{MediaKind, StreamInfo};
use crate::decode::VideoDecoder;
use crate::encode::{Place, VideoEncoder, VideoPlan, Window};
use crate::error::{Result, Stage};
use crate::packet::Packet;
use crate::plan::{OutputPlan, Treatment};
use crate::sink::StreamHeader;
use crate::source::Source;
use crate::stats::Stats;
use crate::time::Timestamp;

/// What is sent to the thread that writes an output.
pub(super) enum SinkMessage {
    Header(usize, StreamHeader),
    Packet(usize, Packet),
    /// The other streams are to end here too.
    Cut(Timestamp),
    End(usize),
}

/// One stream of one output.
#[derive(Clone)]
pub(super) struct SinkStream {
    pub(super) sink: Sender<SinkMessage>,
    pub(super) index: usize,
}

impl SinkStream {
    /// `false` where the output is done or has failed.
    pub(super) fn send(&self, message: impl FnOnce(usize) -> SinkMessage) -> bool {
        self.sink.send(message(self.index)).is_ok()
    }
}

/// Who gets what, decided from the plans.
pub(super) struct Wiring {
    pub(super) decoder: Option<VideoDecoder>,
    pub(super) lanes: Vec<CopyLane>,
    pub(super) video_encoders: Vec<(VideoEncoder, Vec<SinkStream>, bool)>,
    pub(super) audio_transcoders: Vec<(AudioTranscoder, Vec<SinkStream>)>,
    pub(super) sink_receivers: Vec<Receiver<SinkMessage>>,
}

impl Wiring {
    pub(super) fn new(
        source: &Source,
        stats: &Stats,
        plans: &[OutputPlan],
        is_edited: bool,
    ) -> Result<Wiring> {
        let mut videos: Vec<(&VideoPlan, Vec<SinkStream>, bool)> = Vec::new();
        let mut audios: Vec<(&AudioPlan, Vec<SinkStream>, bool)> = Vec::new();
        let mut lanes = Vec::new();
        let mut sink_receivers = Vec::new();
        for output in plans {
            let (sink, receiver) = bounded(SINK_QUEUE);
            sink_receivers.push(receiver);
            let global = output.target.muxer.wants_global_header();
            let stream = |index| SinkStream { sink: sink.clone(), index };
            match (&output.video, &source.video) {
                (Some(Treatment::Copy), Some(info)) => {
                    lanes.push(CopyLane::new(info, stream(0), output.window, output.frames)?);
                }
                (Some(Treatment::Encode(plan)), _) => join(&mut videos, plan, stream(0), global),
                _ => {}
            }
            match (&output.audio, &source.audio) {
                (Some(Treatment::Copy), Some(info)) => {
                    let beside_encoded = matches!(output.video, Some(Treatment::Encode(_)));
                    let drops = source.options.start.is_some() && beside_encoded;
                    let to = stream(output.audio_index());
                    lanes.push(
                        CopyLane::new(info, to, output.window, None)?.dropping_before_floor(drops),
                    );
                }
                (Some(Treatment::Encode(plan)), _) => {
                    join(&mut audios, plan, stream(output.audio_index()), global);
                }
                _ => {}
            }
        }
        let options = &source.options;
        let decoder = match &source.video {
            Some(video) if is_edited || !videos.is_empty() => {
                Some(VideoDecoder::open(video, options, source.is_live, stats.clone())?)
            }
            _ => None,
        };
        let rate = decoder.as_ref().and_then(VideoDecoder::frame_rate);
        let mut video_encoders = Vec::new();
        for (plan, users, global) in videos {
            video_encoders.push((
                VideoEncoder::new(plan.clone(), global, rate)?,
                users,
                plan.frames.is_some(),
            ));
        }
        let mut audio_transcoders = Vec::new();
        for (plan, users, global) in audios {
            if let Some(audio) = &source.audio {
                let transcoder = AudioTranscoder::open(
                    plan.clone(),
                    audio,
                    options,
                    source.is_live,
                    global,
                    stats.clone(),
                )?;
                audio_transcoders.push((transcoder, users));
            }
        }
        Ok(Wiring { decoder, lanes, video_encoders, audio_transcoders, sink_receivers })
    }
}

/// Adds a user to the plan's group. Headers outside the packets suit every container: those that
/// want them inside put them there themselves.
pub(super) fn join<'a, P: PartialEq>(
    groups: &mut Vec<(&'a P, Vec<SinkStream>, bool)>,
    plan: &'a P,
    user: SinkStream,
    global: bool,
) {
    match groups.iter_mut().find(|(p, ..)| *p == plan) {
        Some((_, users, any)) => {
            users.push(user);
            *any |= global;
        }
        None => groups.push((plan, vec![user], global)),
    }
}

/// Copies the packets of one stream to one output.
pub(super) struct CopyLane {
    pub(super) kind: MediaKind,
    pub(super) to: SinkStream,
    pub(super) header: Option<StreamHeader>,
    pub(super) window: Window,
    pub(super) frames_left: Option<u64>,
    pub(super) started: bool,
    /// Beside video that is encoded, and so begins where it is wanted: what comes before is dropped.
    pub(super) drops_before_floor: bool,
    pub(super) open: bool,
}

impl CopyLane {
    pub(super) fn new(
        stream: &StreamInfo,
        to: SinkStream,
        window: Window,
        frames: Option<u64>,
    ) -> Result<CopyLane> {
        let header = StreamHeader {
            params: stream.params.share().map_err(|e| e.in_stage(Stage::Source))?,
            time_base: stream.time_base,
            frame_rate: stream.frame_rate,
            sample_aspect_ratio: stream.sample_aspect_ratio,
            display_matrix: stream.display_matrix,
        };
        let started = window.start.is_none();
        Ok(CopyLane {
            kind: stream.kind,
            to,
            header: Some(header),
            window,
            frames_left: frames,
            started,
            drops_before_floor: false,
            open: true,
        })
    }

    /// Drops what ends before the part of the input that is wanted.
    pub(super) fn dropping_before_floor(mut self, drops: bool) -> CopyLane {
        self.drops_before_floor = drops;
        self
    }

    pub(super) fn announce(&mut self) {
        if let Some(header) = self.header.take() {
            self.open = self.to.send(|index| SinkMessage::Header(index, header));
        }
    }

    pub(super) fn send(&mut self, packet: &Packet) -> Result<()> {
        let at = packet.dts().or(packet.pts()).unwrap_or(Timestamp::ZERO);
        if self.drops_before_floor && at.plus(packet.duration()) <= packet.floor {
            return Ok(());
        }
        let shifted = match self.window.place(at) {
            Place::Before => return Ok(()),
            Place::After => {
                self.close();
                return Ok(());
            }
            Place::Inside(placed) => at.minus(placed),
        };
        // A decoder can begin with a keyframe only.
        self.started |= self.kind != MediaKind::Video || packet.av.is_key();
        if !self.started {
            return Ok(());
        }
        let mut copy = packet.share()?;
        if self.window.start.is_some() {
            let shift = shifted.rescale(copy.time_base).ticks();
            let (pts, dts) = (copy.av.pts().map(|t| t - shift), copy.av.dts().map(|t| t - shift));
            let duration = copy.av.duration();
            copy.av.set_times(pts, dts, duration);
        }
        let end = copy.pts().or(copy.dts()).map(|t| t.plus(copy.duration()));
        self.open = self.to.send(|index| SinkMessage::Packet(index, copy));
        if let Some(left) = &mut self.frames_left {
            *left -= 1;
            if *left == 0 {
                if let Some(end) = end {
                    self.to.send(|_| SinkMessage::Cut(end));
                }
                self.close();
            }
        }
        Ok(())
    }

    pub(super) fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.to.send(SinkMessage::End);
        }
    }
}
