//! Subtitles that can't be copied: decoded, and encoded again event by event.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::av::{
    AvError, AvSubtitle, Decoder, Dict, Encoder, EncoderSetup, MediaKind, StreamInfo, SubtitlePart,
};
use crate::codec::configuration::StreamConfiguration;
use crate::codec::decode::open_decoder;
use crate::codec::encode::find_encoder;
use crate::codec::packet::Packet;
use crate::error::{Result, Stage, were};
use crate::options::InputOptions;
use crate::stats::Stats;
use crate::time::arrival::Arrival;
use crate::time::{TimeBase, Timestamp};

/// The most bytes of an encoded event.
const MOST_BYTES: usize = 1 << 20;

/// Everything that decides how subtitles are encoded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SubtitlePlan {
    pub(crate) encoder: String,
    pub(crate) options: Vec<(String, String)>,
}

impl SubtitlePlan {
    fn open(&self, decoder: &Decoder, global_header: bool) -> Result<(Encoder, EncoderSetup)> {
        let setup = find_encoder(&self.encoder)?;
        let options = self.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut dict = Dict::from_pairs(options);
        let encoder = setup.open_subtitle(decoder, global_header, &mut dict).map_err(|e| {
            let cause = format!("the encoder {} can't be opened: {}", self.encoder, e.cause());
            e.in_stage(Stage::Encode).reworded(cause)
        })?;
        Ok((encoder, setup))
    }
}

/// In how many packets an encoder wants an event.
#[derive(Clone, Copy)]
enum Packets {
    One,
    /// One for each text.
    EachPart,
    /// One that draws it, and one that clears it away.
    DrawAndClear,
}

impl Packets {
    fn of(encoder: &EncoderSetup) -> Packets {
        match encoder.codec().name() {
            "ass" => Packets::EachPart,
            "dvb_subtitle" => Packets::DrawAndClear,
            _ => Packets::One,
        }
    }

    /// What each packet holds.
    fn parts(self, event: &AvSubtitle) -> Vec<SubtitlePart> {
        match self {
            Packets::One => vec![SubtitlePart::All],
            Packets::EachPart => (0..event.parts()).map(SubtitlePart::One).collect(),
            Packets::DrawAndClear => vec![SubtitlePart::All, SubtitlePart::Nothing],
        }
    }
}

/// Transcodes one stream of subtitles. The encoder is open from the start, as nothing may wait for the
/// first event.
pub(crate) struct SubtitleTranscoder {
    decoder: Decoder,
    encoder: Encoder,
    packets: Packets,
    room: Vec<u8>,
    ready: VecDeque<Packet>,
    /// Of the packet that was sent last.
    arrived: Option<Arrival>,
    floor: Timestamp,
    failures: u64,
    stats: Stats,
}

impl SubtitleTranscoder {
    /// # Errors
    /// Where there is no decoder or encoder for it, or it doesn't take the options.
    pub(crate) fn open(
        plan: &SubtitlePlan,
        stream: &StreamInfo,
        options: &InputOptions,
        is_live: bool,
        global_header: bool,
        stats: Stats,
    ) -> Result<SubtitleTranscoder> {
        let decoder = open_decoder(stream, options, is_live)?;
        let (encoder, setup) = plan.open(&decoder, global_header)?;
        Ok(SubtitleTranscoder {
            decoder,
            encoder,
            packets: Packets::of(&setup),
            room: vec![0; MOST_BYTES],
            ready: VecDeque::new(),
            arrived: None,
            floor: Timestamp::ZERO,
            failures: 0,
            stats,
        })
    }

    /// What holds for its packets.
    ///
    /// # Errors
    /// Where memory runs out.
    pub(crate) fn configuration(&self) -> Result<Arc<StreamConfiguration>> {
        Ok(Arc::new(StreamConfiguration {
            params: self.encoder.params().map_err(|e| e.in_stage(Stage::Encode))?,
            time_base: TimeBase::MICROS,
            frame_rate: None,
            sample_aspect_ratio: None,
            display_matrix: None,
        }))
    }

    /// Goes on with packets of another connection to the source.
    ///
    /// # Errors
    /// Where they can't be decoded.
    pub(crate) fn replace_source(
        &mut self,
        stream: &StreamInfo,
        options: &InputOptions,
    ) -> Result<()> {
        self.decoder = open_decoder(stream, options, true)?;
        Ok(())
    }

    /// Sends one packet. A damaged one, and an event that can't be encoded, is counted, not an error.
    pub(crate) fn send(&mut self, packet: &Packet) {
        (self.arrived, self.floor) = (packet.arrived, packet.floor);
        match self.decoder.decode_subtitle(Some(&packet.av)) {
            Ok(Some(event)) => self.encode(&event),
            Ok(None) => {}
            Err(_) => self.fail(),
        }
    }

    /// Drains the decoder: what it still holds can be received then.
    pub(crate) fn drain(&mut self) {
        while let Ok(Some(event)) = self.decoder.decode_subtitle(None) {
            self.encode(&event);
        }
        let failures = std::mem::take(&mut self.failures);
        if failures > 0 {
            let left_out = were(failures, "damaged or unencodable packet");
            tracing::warn!("{left_out} left out of the subtitles");
        }
    }

    /// The next packet.
    pub(crate) fn receive(&mut self) -> Option<Packet> {
        self.ready.pop_front()
    }

    fn fail(&mut self) {
        self.failures += 1;
        self.stats.packet_corrupt();
    }

    fn encode(&mut self, event: &AvSubtitle) {
        // What only ends what was shown before is no event of its own.
        if event.parts() == 0 {
            return;
        }
        let Some(pts) = event.pts_micros() else { return self.fail() };
        for part in self.packets.parts(event) {
            match self.packet(event, part, pts) {
                Ok(packet) => self.ready.push_back(packet),
                Err(_) => self.fail(),
            }
        }
    }

    fn packet(
        &mut self,
        event: &AvSubtitle,
        part: SubtitlePart,
        pts: i64,
    ) -> Result<Packet, AvError> {
        const MICROS_IN_MS: i64 = 1000;
        let mut av = self.encoder.encode_subtitle(event, part, &mut self.room)?;
        let duration = i64::from(event.shown_for_ms()) * MICROS_IN_MS;
        let begin = pts.saturating_add(i64::from(event.shown_from_ms()) * MICROS_IN_MS);
        let at = match part {
            SubtitlePart::Nothing => begin.saturating_add(duration),
            SubtitlePart::All | SubtitlePart::One(_) => begin,
        };
        av.set_times(Some(at), Some(at), duration);
        Ok(Packet {
            av,
            kind: MediaKind::Subtitle,
            stream: 0,
            time_base: TimeBase::MICROS,
            arrived: self.arrived,
            quality: None,
            floor: self.floor,
            discontinuity: false,
        })
    }
}
