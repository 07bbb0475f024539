//! What a wait for a frame finds.

use crate::image::Frame;

/// What [`Frames::next_timeout`](crate::Frames::next_timeout) found.
#[derive(Debug)]
#[non_exhaustive]
pub enum NextFrame {
    /// The next frame.
    Frame(Frame),
    /// None came within the limit.
    NotYet,
    /// There are no more.
    Over,
}
