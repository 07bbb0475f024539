//! Audio that can't be copied: decoded, brought to what the encoder takes, encoded again.

mod decode;
mod encode;
mod reshape;

pub(crate) use decode::AudioDecoder;
pub(crate) use encode::{AudioEncoder, AudioPlan};

use crate::av::{Decoder, StreamInfo};
use crate::codec::audio_frame::AudioFrame;
use crate::codec::configuration::StreamMessage;
use crate::codec::packet::Packet;
use crate::error::Result;
use crate::options::InputOptions;
use crate::stats::Stats;
use crate::time::{TimeBase, Timestamp};

/// Transcodes one audio stream, sample-exact on the pipeline's clock: gaps become silence.
pub(crate) struct AudioTranscoder {
    /// `None` where what comes is decoded already.
    decoder: Option<AudioDecoder>,
    encoder: AudioEncoder,
    /// Nothing more was sent.
    is_drained: bool,
}

impl AudioTranscoder {
    pub(crate) fn open(
        plan: AudioPlan,
        stream: &StreamInfo,
        options: &InputOptions,
        is_live: bool,
        global_header: bool,
        stats: Stats,
    ) -> Result<AudioTranscoder> {
        let encoder = AudioEncoder::new(plan, global_header, true)?;
        let decoder = AudioDecoder::open(stream, options, is_live, stats)?;
        Ok(AudioTranscoder { decoder: Some(decoder), encoder, is_drained: false })
    }

    /// For samples that are decoded elsewhere. With `fills_gaps`, silence stands where some are missing.
    pub(crate) fn of_samples(
        plan: AudioPlan,
        global_header: bool,
        fills_gaps: bool,
    ) -> Result<AudioTranscoder> {
        let encoder = AudioEncoder::new(plan, global_header, fills_gaps)?;
        Ok(AudioTranscoder { decoder: None, encoder, is_drained: false })
    }

    /// Goes on with packets of another connection to the source, by a decoder of their own. What
    /// is before their floor is not wanted.
    pub(crate) fn replace_source(&mut self, decoder: Decoder, time_base: TimeBase) {
        if let Some(own) = &mut self.decoder {
            own.replace_source(decoder, time_base);
        }
    }

    /// Takes what the decoder still holds: nothing more comes of this source.
    pub(crate) fn finish_source(&mut self) -> Result<()> {
        if let Some(decoder) = &mut self.decoder {
            decoder.drain()?;
        }
        self.encode_decoded()
    }

    /// Leaves out what is before `floor`: the output has it from elsewhere.
    pub(crate) fn begin_at(&mut self, floor: Timestamp) {
        if let Some(decoder) = &mut self.decoder {
            decoder.begin_at(floor);
        }
    }

    /// Fills up with silence, from where the sound ended up to `until`.
    pub(crate) fn fill(&mut self, until: Timestamp) -> Result<()> {
        if let Some(decoder) = &mut self.decoder {
            decoder.fill(until);
        }
        self.encode_decoded()
    }

    /// Sends one packet. A damaged one is counted, not an error.
    pub(crate) fn send(&mut self, packet: &Packet) -> Result<()> {
        if let Some(decoder) = &mut self.decoder {
            decoder.send(packet)?;
        }
        self.encode_decoded()
    }

    /// Sends samples that were decoded elsewhere.
    pub(crate) fn send_samples(&mut self, frame: AudioFrame) -> Result<()> {
        self.encoder.send(frame)
    }

    fn encode_decoded(&mut self) -> Result<()> {
        while !self.is_done()
            && let Some(frame) = self.decoder.as_mut().map_or(Ok(None), AudioDecoder::receive)?
        {
            self.encoder.send(frame)?;
        }
        Ok(())
    }

    /// Gives out a piece of what it still holds: a filter may make sound without end. `false` once that
    /// was all.
    pub(crate) fn drain(&mut self) -> Result<bool> {
        if !std::mem::replace(&mut self.is_drained, true) {
            if let Some(decoder) = &mut self.decoder {
                decoder.drain()?;
            }
            self.encode_decoded()?;
        }
        self.encoder.drain()
    }

    /// The next packet, and before the first one the encoder's configuration.
    pub(crate) fn receive(&mut self) -> Option<StreamMessage> {
        self.encoder.receive()
    }

    /// Whether the plan's last sample was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.encoder.is_done()
    }
}
