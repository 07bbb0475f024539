//! A place in an output for a stream that the input hasn't got yet.

use crate::av::{MediaKind, StreamInfo};
use crate::codec::audio::{AudioPlan, AudioTranscoder};
use crate::codec::window::Window;
use crate::error::Result;
use crate::options::InputOptions;
use crate::output::container::{Carriage, carriage, default_encoder};
use crate::protocol::Target;
use crate::run::delivery::SinkStream;
use crate::run::lane::CopyLane;
use crate::stats::Stats;

/// A place in an output for a stream that the input hasn't got yet.
pub(super) struct LateStream {
    pub(super) kind: MediaKind,
    pub(super) to: SinkStream,
    pub(super) window: Window,
    pub(super) target: Target,
}

impl LateStream {
    /// The lane for it, now that it is there; `None` where it can't be carried. Sound that can't be
    /// carried as it is is encoded, as it would have been at first.
    pub(super) fn lane(
        &self,
        (number, stream): (usize, &StreamInfo),
        options: &InputOptions,
        stats: &Stats,
    ) -> Result<Option<CopyLane>> {
        let carriage = carriage(&self.target, stream);
        if carriage != Carriage::Copy {
            let encoder = default_encoder(&self.target, self.kind);
            let is_encoded = carriage == Carriage::Encode && self.kind == MediaKind::Audio;
            let Some(encoder) = encoder.filter(|_| is_encoded) else { return Ok(None) };
            let plan = AudioPlan {
                filter: None,
                encoder: encoder.to_owned(),
                options: Vec::new(),
                window: Window::default(),
                packets: None,
            };
            let global_header = self.target.muxer.wants_global_header();
            let transcoder =
                AudioTranscoder::open(plan, stream, options, true, global_header, stats.clone())?;
            let lane = CopyLane::new((number, stream), self.to.clone(), self.window, None)?;
            return Ok(Some(lane.encoding_by(transcoder)));
        }
        let lane = CopyLane::new((number, stream), self.to.clone(), self.window, None)?;
        let mut lane = lane.into_container(&self.target);
        lane.prepare_to_fill();
        lane.announce();
        Ok(Some(lane.dropping_before_floor(self.kind == MediaKind::Audio)))
    }
}
