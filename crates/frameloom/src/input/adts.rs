//! Sound whose packets say by themselves what holds for them.

use std::sync::Arc;

use crate::av::{AvPacket, StreamInfo};
use crate::codec::aac::Adts;
use crate::codec::configuration::StreamConfiguration;
use crate::error::Result;

/// What the headers of AAC packets said last.
#[derive(Default)]
pub(super) struct AdtsHeaders(Option<Adts>);

impl AdtsHeaders {
    /// Takes over what a packet's header says of its stream, where that is something new, and gives
    /// it out.
    pub(super) fn reconfigure(
        &mut self,
        stream: &mut StreamInfo,
        packet: &AvPacket,
    ) -> Result<Option<Arc<StreamConfiguration>>> {
        let params = &mut stream.params;
        if params.codec().name() != "aac" || !params.extradata().is_empty() {
            return Ok(None);
        }
        let Some(now) = Adts::of(packet.data()) else { return Ok(None) };
        let Some(before) = self.0.replace(now).filter(|before| *before != now) else {
            return Ok(None);
        };
        // Half of the rate is said where the other half is made by the decoder.
        let times = (params.sample_rate() / before.sample_rate).max(1);
        let channels = if now.channels == 0 { params.channels() } else { now.channels };
        params.describe_sound(now.sample_rate * times, channels);
        StreamConfiguration::of(stream).map(Some)
    }
}
