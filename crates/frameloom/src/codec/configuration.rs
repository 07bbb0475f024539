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

impl StreamConfiguration {
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
