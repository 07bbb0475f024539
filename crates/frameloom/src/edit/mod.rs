//! Your code in the middle: a closure, a command over pipes, a filter graph.

pub(crate) mod audio_convert;
pub(crate) mod audio_gate;
pub(crate) mod chain;
mod closure;
mod command;
pub(crate) mod complex;
mod fit;
pub(crate) mod gate;
mod graph;
mod opens;
mod resize;

pub(crate) use closure::Closure;
pub use command::audio::AudioCommand;
pub(crate) use command::audio::{AudioCommandInput, SpawnedAudioCommand};
#[cfg(test)]
pub(crate) use command::program::{Launch, Launched, Launcher, Program};
pub use command::{Command, kill_commands};
pub(crate) use command::{CommandInput, CommandOutput, RunningCommand, ShownFrame, SpawnedCommand};
pub(crate) use fit::{Fit, FitAll};
pub(crate) use graph::{FilterGraph, check_graph};
pub use opens::{OpeningFilter, opening_filter};
pub(crate) use resize::Resize;

use crate::error::BoxError;
use crate::image::Frame;

/// A stage between decoder and encoder.
///
/// Frames are sent in the order of showing and received the same way; a stage may keep some back
/// and may give out more or fewer than it got. A plain closure is given to
/// [`Pipeline::process`](crate::Pipeline::process) as it is.
pub trait FrameProcessor: Send {
    /// Takes one frame.
    ///
    /// # Errors
    /// Whatever keeps the stage from going on.
    fn send(&mut self, frame: Frame) -> Result<(), BoxError>;

    /// Gives out the next frame that is ready; `None` until it is sent more.
    ///
    /// # Errors
    /// Whatever keeps the stage from going on.
    fn receive(&mut self) -> Result<Option<Frame>, BoxError>;

    /// Tells it that no more frames come: what it still holds must be given out by
    /// [`FrameProcessor::receive`].
    ///
    /// # Errors
    /// Whatever keeps the stage from going on.
    fn drain(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}
