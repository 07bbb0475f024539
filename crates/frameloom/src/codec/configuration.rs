//! What holds for the packets of a stream from some point on: codec parameters with their
//! extradata, time base, frame rate, shape.

use std::sync::Arc;

use crate::av::{CodecParams, StreamInfo};
use crate::codec::packet::Packet;
use crate::error::{Result, Stage};
use crate::time::{Rate, TimeBase};

/// What a muxer must know of a stream before its first packet, and again before the first packet
/// for which something else holds. A writer keeps the one in force for each stream.
pub(crate) struct StreamConfiguration {
    pub(crate) params: CodecParams,
    pub(crate) time_base: TimeBase,
    pub(crate) frame_rate: Option<Rate>,
    pub(crate) sample_aspect_ratio: Option<(i32, i32)>,
    pub(crate) display_matrix: Option<[i32; 9]>,
}

/// Width to height of one pixel, where a picture of this size is shown in a shape.
pub(crate) fn pixel_shape(aspect: (i32, i32), size: (u32, u32)) -> Option<(i32, i32)> {
    let width = i64::from(aspect.0) * i64::from(size.1);
    let height = i64::from(aspect.1) * i64::from(size.0);
    let (mut divisor, mut rest) = (width, height);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let reduced = |n: i64| i32::try_from(n / divisor.max(1)).ok().filter(|&n| n > 0);
    reduced(width).zip(reduced(height))
}

impl StreamConfiguration {
    /// The same, shown in another shape.
    ///
    /// # Errors
    /// Where memory runs out.
    pub(crate) fn shown_as(&self, aspect: (i32, i32)) -> Result<Arc<StreamConfiguration>> {
        let size = (self.params.width(), self.params.height());
        Ok(Arc::new(StreamConfiguration {
            params: self.params.share().map_err(|e| e.in_stage(Stage::Sink))?,
            sample_aspect_ratio: pixel_shape(aspect, size).or(self.sample_aspect_ratio),
            ..*self
        }))
    }

    /// A demuxed stream's.
    ///
    /// # Errors
    /// Where memory runs out.
    pub(crate) fn of(stream: &StreamInfo) -> Result<Arc<StreamConfiguration>> {
        Ok(Arc::new(StreamConfiguration {
            params: stream.params.share().map_err(|e| e.in_stage(Stage::Source))?,
            time_base: stream.time_base,
            frame_rate: stream.frame_rate,
            sample_aspect_ratio: stream.sample_aspect_ratio,
            display_matrix: stream.display_matrix,
        }))
    }
}

/// What a stream consists of, in this order: a configuration, and the packets for which it holds.
pub(crate) enum StreamMessage {
    Configuration(Arc<StreamConfiguration>),
    Packet(Packet),
}
