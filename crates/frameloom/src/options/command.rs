use super::value::Size;
use crate::image::PixelFormat;

/// What a COMMAND reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandOptions {
    pub(crate) frame_format: Option<PixelFormat>,
    pub(crate) frame_size: Option<Size>,
}

impl CommandOptions {
    /// RGB24, in the size of the input.
    pub fn new() -> CommandOptions {
        CommandOptions::default()
    }

    /// The pixel format; RGB24 by default.
    #[must_use]
    pub fn frame_format(mut self, format: PixelFormat) -> CommandOptions {
        self.frame_format = Some(format);
        self
    }

    /// The size that frames are scaled to; by default the input's.
    #[must_use]
    pub fn frame_size(mut self, size: Size) -> CommandOptions {
        self.frame_size = Some(size);
        self
    }
}
