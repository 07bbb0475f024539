//! What a muxer must know of a stream before its first packet.

use crate::av::CodecParams;
use crate::error::{Result, Stage};
use crate::time::{Rate, TimeBase};

/// What a muxer must know of a stream before its first packet.
pub(crate) struct StreamHeader {
    pub(crate) params: CodecParams,
    pub(crate) time_base: TimeBase,
    pub(crate) frame_rate: Option<Rate>,
    pub(crate) sample_aspect_ratio: Option<(i32, i32)>,
    pub(crate) display_matrix: Option<[i32; 9]>,
}

impl StreamHeader {
    pub(crate) fn share(&self) -> Result<StreamHeader> {
        let params = self.params.share().map_err(|e| e.in_stage(Stage::Sink))?;
        Ok(StreamHeader { params, ..*self })
    }
}
