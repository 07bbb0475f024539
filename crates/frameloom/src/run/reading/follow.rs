//! What the thread that reads does at the end of an input that another one follows.

use super::Reading;
use crate::av::MediaKind;
use crate::error::Result;
use crate::run::stages::{AudioMessage, DecodeMessage};
use crate::run::streams::KnownStreams;

impl Reading {
    /// Goes on with the input that follows; `false` where there is none.
    ///
    /// # Errors
    /// Where it can't be opened, or decoded.
    pub(super) fn follow(&mut self) -> Result<bool> {
        let end = self.source.end_of_read();
        let next = self.source.open_next(end, &self.environment, &self.stop)?;
        let Some(next) = next else { return Ok(false) };
        // What decoders still hold belongs before what follows.
        self.each_decoder(|| Some(DecodeMessage::Lost))?;
        self.each_audio(None, || Ok(AudioMessage::Lost))?;
        // Sound that is shorter than the picture, or that one of them lacks.
        self.fill(MediaKind::Audio, end)?;
        let successors = self.open_successors(&next, |_| true)?;
        self.use_successors(successors)?;
        self.source = next;
        let streams = KnownStreams::of(&self.source)?;
        *self.known_streams() = streams;
        Ok(true)
    }
}
