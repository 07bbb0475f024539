//! Code for sound, and what its threads say.

use crate::codec::audio_frame::AudioFrame;
use crate::edit::chain::guarded;
use crate::error::{BoxError, Error, Result};

/// A piece of your code.
pub(crate) type AudioStage = Box<dyn FnMut(&mut AudioFrame) -> Result<(), BoxError> + Send>;

/// What the code's threads say.
pub(super) enum AudioReport {
    Answer(u64, AudioFrame),
    Failed(u64, Error),
    /// There is nobody to ask.
    Pass(u64),
    /// The run has to end.
    Fatal(Error),
}

/// Runs the code on a piece of sound; a panic in it is an error.
pub(super) fn run_stages(stages: &mut [AudioStage], frame: &mut AudioFrame) -> Result<()> {
    guarded(|| stages.iter_mut().try_for_each(|stage| stage(frame)).map_err(Error::from))
}
