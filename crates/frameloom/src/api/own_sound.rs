//! Sound of the caller's own on its way to an encoder.

use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender};

use crate::codec::audio_frame::AudioFrame;
use crate::error::{Error, Result};
use crate::run::stages::AudioMessage;
use crate::time::Timestamp;

/// The longest gap between two pieces. Its silence is made at once.
const MOST_SILENCE: Timestamp = Timestamp::from_micros(600_000_000);

/// The sound of an output.
pub(super) struct OwnSound {
    /// `None` once it is finished.
    samples: Option<Sender<AudioMessage>>,
    rate: u32,
    channels: u32,
    /// Where what was written of it ends.
    end: Option<Timestamp>,
}

/// What became of sound that was written.
pub(super) enum WrittenSound {
    Taken,
    /// There was no room for it.
    Back(AudioFrame),
    /// The encoder takes no more.
    Ended,
}

impl OwnSound {
    /// Of this rate and layout, which there is.
    pub(super) fn new(
        samples: Option<Sender<AudioMessage>>,
        (rate, layout): &(u32, String),
    ) -> Result<OwnSound> {
        let channels = AudioFrame::channels_of(layout)?;
        Ok(OwnSound { samples, rate: *rate, channels, end: None })
    }

    /// Tells the encoder that no more sound comes.
    pub(super) fn finish(&mut self) {
        self.samples = None;
    }

    /// Hands it on within `limit`.
    ///
    /// # Errors
    /// For sound that doesn't go on with what was written.
    pub(super) fn write(&mut self, sound: AudioFrame, limit: Duration) -> Result<WrittenSound> {
        let end = self.check(&sound)?;
        let Some(samples) = &self.samples else { return Ok(WrittenSound::Ended) };
        match samples.send_timeout(AudioMessage::Samples(sound), limit) {
            Err(SendTimeoutError::Timeout(AudioMessage::Samples(sound))) => {
                Ok(WrittenSound::Back(sound))
            }
            Ok(()) | Err(SendTimeoutError::Timeout(_)) => {
                self.end = Some(end);
                Ok(WrittenSound::Taken)
            }
            Err(SendTimeoutError::Disconnected(_)) => Ok(WrittenSound::Ended),
        }
    }

    /// Refuses sound that doesn't go on with what was written. Gives where it ends.
    fn check(&self, sound: &AudioFrame) -> Result<Timestamp> {
        let (rate, channels) = (sound.sample_rate(), sound.channels());
        if (rate, channels) != (self.rate, self.channels) {
            return Err(Error::usage(format!(
                "the sound has {rate} Hz and {channels} channels, and the output {} Hz and {}",
                self.rate, self.channels
            )));
        }
        let end = sound.pts().plus(sound.duration());
        let gap = self.end.map_or(Timestamp::ZERO, |before| sound.pts().minus(before));
        if gap > MOST_SILENCE {
            return Err(Error::usage(format!(
                "the sound at {:.3} s leaves {:.0} s of silence behind what is written already, and at most \
                 {:.0} s are filled: write silence",
                sound.pts().as_secs_f64(),
                gap.as_secs_f64(),
                MOST_SILENCE.as_secs_f64()
            )));
        }
        let before = self.end.filter(|end| sound.pts().is_before(*end));
        let Some(before) = before else { return Ok(end) };
        let (at, before) = (sound.pts().as_secs_f64(), before.as_secs_f64());
        Err(Error::usage(format!(
            "the sound at {at:.3} s is written when there is sound up to {before:.3} s already: its \
             times rise"
        )))
    }
}
