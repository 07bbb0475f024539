use super::value::{Choice, Size};
use crate::image::PixelFormat;

/// What a COMMAND gives back for each frame that it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandAnswer {
    /// The frame's pixels, edited or not.
    #[default]
    Pixels,
    /// A line of JSON on its stdout, which becomes the frame's [data](crate::Frame::data) and is
    /// [drawn](crate::Draw::data). The frame that goes out is never converted, and with a
    /// [`frame_size`](CommandOptions::frame_size) only the program's copy is scaled.
    Data,
}

/// How frames get to a COMMAND and back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameTransport {
    /// Through its stdin and stdout, which any program can read and write.
    #[default]
    Pipe,
    /// In memory that it shares with Frameloom: nothing is copied, and the program has to know how to find
    /// the frames. Linux only.
    Shm,
}

impl CommandAnswer {
    /// Its values and their names.
    pub(super) const VALUES: &'static [(&'static str, CommandAnswer); 2] =
        &[("pixels", CommandAnswer::Pixels), ("data", CommandAnswer::Data)];
}

impl Choice for CommandAnswer {
    const VALUES: &'static [(&'static str, CommandAnswer)] = CommandAnswer::VALUES;
}

impl FrameTransport {
    /// Its values and their names.
    pub(super) const VALUES: &'static [(&'static str, FrameTransport); 2] =
        &[("pipe", FrameTransport::Pipe), ("shm", FrameTransport::Shm)];
}

impl Choice for FrameTransport {
    const VALUES: &'static [(&'static str, FrameTransport)] = FrameTransport::VALUES;
}

/// What a COMMAND reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandOptions {
    pub(crate) frame_format: Option<PixelFormat>,
    pub(crate) frame_size: Option<Size>,
    pub(crate) answer: Option<CommandAnswer>,
    pub(crate) transport: Option<FrameTransport>,
}

impl CommandOptions {
    /// RGB24, in the size of the input, by pipes in both directions.
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

    /// What the program gives back; pixels by default.
    #[must_use]
    pub fn answer(mut self, answer: CommandAnswer) -> CommandOptions {
        self.answer = Some(answer);
        self
    }

    /// How frames get to the program and back; by pipes by default.
    #[must_use]
    pub fn transport(mut self, transport: FrameTransport) -> CommandOptions {
        self.transport = Some(transport);
        self
    }
}
