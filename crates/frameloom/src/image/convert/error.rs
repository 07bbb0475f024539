//! Why a conversion can't be done.

use super::color::ColorSpec;
use crate::image::PixelFormat;

/// Why a conversion can't be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The two pictures differ in size.
    #[error("can't convert {}x{} pixels to {}x{}: nothing is scaled here", .from.0, .from.1, .to.0, .to.1)]
    Size {
        /// Width and height of the source in pixels.
        from: (u32, u32),
        /// Width and height of the destination in pixels.
        to: (u32, u32),
    },
    /// There is no such conversion here; see [`supports`](super::supports).
    #[error("no direct conversion from {from} to {to}")]
    Unsupported {
        /// The format of the source.
        from: PixelFormat,
        /// The format of the destination.
        to: PixelFormat,
    },
    /// A change of layout would also have to change the colour matrix or the range.
    #[error("the two pictures have the same samples only in the same colour space: {from} to {to}")]
    Color {
        /// Colours of the source.
        from: ColorSpec,
        /// Colours of the destination.
        to: ColorSpec,
    },
    /// The conversion routine refused planes that had passed every check before.
    #[error("colour conversion failed: {0}")]
    Kernel(String),
}

impl From<yuv::YuvError> for ConvertError {
    fn from(error: yuv::YuvError) -> Self {
        Self::Kernel(error.to_string())
    }
}
