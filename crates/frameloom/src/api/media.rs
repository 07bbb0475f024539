//! One piece of code for pictures and for sound.

use std::sync::{Arc, Mutex, PoisonError};

use crate::codec::audio_frame::AudioFrame;
use crate::edit::{Closure, FrameProcessor};
use crate::error::BoxError;
use crate::image::Frame;
use crate::run::audio_messages::AudioStage;

/// What code for pictures and sound is called with: the next of the one or of the other.
#[derive(Debug)]
#[non_exhaustive]
pub enum Media<'a> {
    /// A picture.
    Video(&'a mut Frame),
    /// A piece of sound.
    Audio(&'a mut AudioFrame),
}

/// The code as a stage for pictures and as one for sound, of which one works at a time.
pub(super) fn stages_of<F>(edit: F) -> (impl FrameProcessor, AudioStage)
where
    F: FnMut(Media<'_>) -> Result<(), BoxError> + Send + 'static,
{
    let video = Arc::new(Mutex::new(edit));
    let audio = Arc::clone(&video);
    // Code that panicked on one picture may well work on the next.
    let of_video = move |frame: &mut Frame| {
        let mut edit = video.lock().unwrap_or_else(PoisonError::into_inner);
        edit(Media::Video(frame))
    };
    let of_audio = move |sound: &mut AudioFrame| {
        let mut edit = audio.lock().unwrap_or_else(PoisonError::into_inner);
        edit(Media::Audio(sound))
    };
    (Closure::new(of_video), Box::new(of_audio))
}
