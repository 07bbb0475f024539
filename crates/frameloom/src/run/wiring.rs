//! Who gets what: the queues between the stages, laid out from the plans.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::{Receiver, bounded};

use super::{LIVE_SINK_QUEUE, SINK_QUEUE};
use crate::av::{MediaKind, StreamInfo};
use crate::codec::audio::{AudioPlan, AudioTranscoder};
use crate::codec::decode::VideoDecoder;
use crate::codec::encode::{VideoEncoder, VideoPlan};
use crate::codec::window::Window;
use crate::error::Result;
use crate::input::Source;
use crate::options::OnResize;
use crate::output::container::can_copy;
use crate::protocol::Target;
use crate::run::delivery::{Drops, Relief, SinkMessage, SinkStream};
use crate::run::lane::CopyLane;
use crate::run::plan::{OutputPlan, Treatment};
use crate::stats::Stats;
use crate::stats::event::{Events, Sum};
use crate::time::clock::Clock;

/// An encoder of video, and who uses it.
pub(super) struct VideoGroup {
    pub(super) encoder: VideoEncoder,
    pub(super) users: Vec<SinkStream>,
    /// It may end before the input does.
    pub(super) cuts: bool,
    /// The first output that uses it.
    pub(super) output: usize,
    /// Set by an output that needs a keyframe.
    pub(super) key_wish: Arc<AtomicBool>,
}

/// What the outputs' wiring needs to know beside the plans.
pub(super) struct Ground<'a> {
    pub(super) source: &'a Source,
    pub(super) stats: &'a Stats,
    pub(super) events: &'a Events,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) is_edited: bool,
    pub(super) on_resize: OnResize,
    /// Live outputs never make the others wait.
    pub(super) relieves: bool,
    /// Frames may be for one output alone: each has an encoder of its own.
    pub(super) apart: bool,
}

/// Who gets what, decided from the plans.
pub(super) struct Wiring {
    pub(super) decoder: Option<VideoDecoder>,
    pub(super) lanes: Vec<CopyLane>,
    pub(super) video_encoders: Vec<VideoGroup>,
    pub(super) audio_transcoders: Vec<(AudioTranscoder, Vec<SinkStream>)>,
    pub(super) sinks: Vec<SinkEnd>,
    pub(super) spares: Vec<Spare>,
}

/// A place in an output for a stream that the source hasn't got yet.
pub(super) struct Spare {
    pub(super) kind: MediaKind,
    to: SinkStream,
    window: Window,
    target: Target,
}

impl Spare {
    /// The lane for it, now that it is there; `None` where it can't be carried as it is.
    pub(super) fn lane(&self, stream: &StreamInfo) -> Result<Option<CopyLane>> {
        if !can_copy(&self.target, stream.params.codec(), self.kind) {
            return Ok(None);
        }
        let mut lane = CopyLane::new(stream, self.to.clone(), self.window, None)?;
        lane.prepare_to_fill();
        lane.announce();
        Ok(Some(lane.dropping_before_floor(self.kind == MediaKind::Audio)))
    }
}

/// The places that an output has for a stream that may come late: a live one that can take it.
fn spare_of(
    output: &OutputPlan,
    source: &Source,
    stream: impl Fn(usize) -> SinkStream,
) -> Option<Spare> {
    let options = &output.options;
    let absent = match (&source.video, &source.audio) {
        (Some(_), None) if !options.no_audio => MediaKind::Audio,
        (None, Some(_)) if !options.no_video => MediaKind::Video,
        _ => return None,
    };
    let is_copied = output.target.is_own_rtmp && !options.asks_to_encode(absent);
    is_copied.then(|| Spare {
        kind: absent,
        to: stream(1),
        window: output.window,
        target: output.target.clone(),
    })
}

/// What the thread that writes an output gets.
pub(super) struct SinkEnd {
    pub(super) messages: Receiver<SinkMessage>,
    /// Has the output's video begin anew with a keyframe, where it is encoded.
    pub(super) key_wish: Option<Arc<AtomicBool>>,
    pub(super) drops: Drops,
}

impl Wiring {
    pub(super) fn new(ground: &Ground<'_>, plans: &[OutputPlan]) -> Result<Wiring> {
        let Ground { source, stats, events, clock, is_edited, .. } = *ground;
        let Ground { on_resize, relieves, apart, .. } = *ground;
        let mut videos: Vec<(&VideoPlan, Vec<SinkStream>, bool)> = Vec::new();
        let mut audios: Vec<(&AudioPlan, Vec<SinkStream>, bool)> = Vec::new();
        let mut lanes = Vec::new();
        let mut sinks = Vec::new();
        let mut spares = Vec::new();
        // The encoder of each output, by its place in `videos`.
        let mut encoder_of = vec![None; plans.len()];
        for (number, output) in plans.iter().enumerate() {
            stats.output_exists(number, output.window.start);
            let relieved = relieves && output.target.is_live;
            let (sink, messages) = bounded(if relieved { LIVE_SINK_QUEUE } else { SINK_QUEUE });
            let (stats, events, clock) = (stats.clone(), events.clone(), Arc::clone(clock));
            let drops = Drops { output: number, stats, events, sum: Arc::new(Sum::new()), clock };
            let global = output.target.muxer.wants_global_header();
            let relief = relieved.then(|| Relief::new(drops.clone()));
            let stream = |index| SinkStream { sink: sink.clone(), index, relief: relief.clone() };
            sinks.push((messages, drops));
            spares.extend(spare_of(output, source, stream).filter(|_| relieved));
            match (&output.video, &source.video) {
                (Some(Treatment::Copy), Some(info)) => {
                    lanes.push(CopyLane::new(info, stream(0), output.window, output.frames)?);
                }
                (Some(Treatment::Encode(plan)), _) => {
                    let place = if apart {
                        videos.push((plan, vec![stream(0)], global));
                        videos.len() - 1
                    } else {
                        join(&mut videos, plan, stream(0), global)
                    };
                    if let Some(encoder) = encoder_of.get_mut(number) {
                        *encoder = Some(place);
                    }
                }
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
        let mut wishes: Vec<Arc<AtomicBool>> = Vec::new();
        for (place, (plan, users, global)) in videos.into_iter().enumerate() {
            let key_wish = Arc::new(AtomicBool::new(false));
            wishes.push(Arc::clone(&key_wish));
            let output = encoder_of.iter().position(|of| *of == Some(place));
            video_encoders.push(VideoGroup {
                encoder: VideoEncoder::new(plan.clone(), global, rate)?.on_resize(on_resize),
                users,
                cuts: plan.frames.is_some(),
                output: output.unwrap_or_default(),
                key_wish,
            });
        }
        let sinks = sinks.into_iter().zip(encoder_of).map(|((messages, drops), encoder)| {
            let key_wish = encoder.and_then(|place| wishes.get(place)).cloned();
            SinkEnd { messages, key_wish, drops }
        });
        let sinks = sinks.collect();
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
        Ok(Wiring { decoder, lanes, video_encoders, audio_transcoders, sinks, spares })
    }
}

/// Adds a user to the plan's group, and says which that is. Headers outside the packets suit every container: those that
/// want them inside put them there themselves.
pub(super) fn join<'a, P: PartialEq>(
    groups: &mut Vec<(&'a P, Vec<SinkStream>, bool)>,
    plan: &'a P,
    user: SinkStream,
    global: bool,
) -> usize {
    match groups.iter_mut().enumerate().find(|(_, (p, ..))| *p == plan) {
        Some((place, (_, users, any))) => {
            users.push(user);
            *any |= global;
            place
        }
        None => {
            groups.push((plan, vec![user], global));
            groups.len() - 1
        }
    }
}
