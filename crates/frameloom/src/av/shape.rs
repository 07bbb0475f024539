use super::{ColorTags, PixFmt};
use crate::time::Rate;

/// The pictures that a video encoder will be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct VideoShape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: PixFmt,
    pub(crate) sample_aspect_ratio: Option<(i32, i32)>,
    pub(crate) colors: ColorTags,
    pub(crate) frame_rate: Option<Rate>,
    /// Frames between keyframes, where the caller has an opinion.
    pub(crate) gop: Option<i32>,
    pub(crate) b_frames: bool,
}

/// The sound that an audio encoder will be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AudioShape {
    pub(crate) sample_rate: u32,
    pub(crate) sample_format: String,
    pub(crate) channel_layout: String,
}
