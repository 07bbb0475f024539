//! Everything that decides how video is encoded.

use crate::codec::encode::keyframes::KeyframeRule;
use crate::codec::encode::passes::PassPlan;
use crate::codec::window::{PictureLimit, Window};
use crate::options::{HardwareDevices, PixelFormatChoice, Size};
use crate::time::Rate;

/// Everything that decides how video is encoded. Outputs with equal plans share one encoding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VideoPlan {
    pub(crate) encoder: String,
    pub(crate) filter: Option<String>,
    pub(crate) size: Option<Size>,
    pub(crate) rate: Option<Rate>,
    pub(crate) pixel_format: Option<PixelFormatChoice>,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) is_live: bool,
    pub(crate) window: Window,
    pub(crate) frames: Option<PictureLimit>,
    /// Frames are repeated and left out: the container has no times of its own, or it was asked for.
    pub(crate) constant_rate: bool,
    /// The container says only in which order packets are decoded: pictures are to be shown in it.
    pub(crate) has_no_pts: bool,
    /// Width to height of the picture as it is shown.
    pub(crate) aspect: Option<(i32, i32)>,
    /// The container has room for these pixel formats alone; empty where it doesn't matter.
    pub(crate) formats: &'static [&'static str],
    /// Transparency is there again when the output is read.
    pub(crate) keeps_alpha: bool,
    /// Pictures that are to be keyframes, beside those of the encoder's own choice.
    pub(crate) keyframes: Option<KeyframeRule>,
    pub(crate) passes: Option<PassPlan>,
    /// Someone may have painted into the frames.
    pub(crate) is_edited: bool,
    /// The devices for its filters and its encoder.
    pub(crate) devices: HardwareDevices,
}

impl VideoPlan {
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}
