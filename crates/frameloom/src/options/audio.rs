//! What a COMMAND for sound is, and what it reads and writes.

use std::fmt;

use crate::error::{Error, Hint, Result};

/// How the samples of a COMMAND for sound are written. Channels are interleaved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudioFormat {
    /// Whole numbers of 16 bits, the lower byte first.
    #[default]
    S16le,
    /// Floating-point numbers of 32 bits from -1 to 1, the lowest byte first.
    F32le,
}

impl AudioFormat {
    pub(crate) const VALUES: &[(&'static str, AudioFormat)] =
        &[("s16le", AudioFormat::S16le), ("f32le", AudioFormat::F32le)];

    /// FFmpeg's name.
    pub fn name(self) -> &'static str {
        match self {
            AudioFormat::S16le => "s16le",
            AudioFormat::F32le => "f32le",
        }
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a COMMAND for sound reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AudioCommandOptions {
    pub(crate) line: Option<String>,
    pub(crate) format: AudioFormat,
    pub(crate) sample_rate: Option<u32>,
    pub(crate) channels: Option<u32>,
}

impl AudioCommandOptions {
    /// s16le, at the stream's own rate and with its channels.
    pub fn new() -> AudioCommandOptions {
        AudioCommandOptions::default()
    }

    /// The command line, as it was given by an option.
    pub fn line(&self) -> Option<&str> {
        self.line.as_deref()
    }

    /// How samples are written; s16le by default.
    #[must_use]
    pub fn format(mut self, format: AudioFormat) -> AudioCommandOptions {
        self.format = format;
        self
    }

    /// The rate, in samples a second, that the sound is brought to; by default its own.
    #[must_use]
    pub fn sample_rate(mut self, rate: u32) -> AudioCommandOptions {
        self.sample_rate = Some(rate);
        self
    }

    /// The number of channels that the sound is brought to; by default its own.
    #[must_use]
    pub fn channels(mut self, channels: u32) -> AudioCommandOptions {
        self.channels = Some(channels);
        self
    }
}

/// Reads a whole number from 1 to `most`.
pub(super) fn count(value: &str, most: u32) -> Result<u32> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| {
        let cause = format!("'{value}' is no whole number from 1 to {most}");
        Error::usage(cause)
    })
}

/// Reads a format's name.
pub(super) fn audio_format(value: &str) -> Result<AudioFormat> {
    let known = AudioFormat::VALUES.iter().find(|(name, _)| *name == value);
    known.map(|(_, format)| *format).ok_or_else(|| {
        let names = AudioFormat::VALUES.iter().map(|(name, _)| *name);
        Error::usage(format!("'{value}' is no format of samples")).hint(Hint::one_of(value, names))
    })
}
