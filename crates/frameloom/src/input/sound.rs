//! Sound whose packets say by themselves what holds for them.

use crate::av::{AvPacket, CodecParams, Parser};
use crate::codec::aac::Adts;
use crate::codec::ac3;

/// What a packet states of its sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stated {
    sample_rate: u32,
    /// 0 where it is not stated.
    channels: u32,
}

/// What a packet means for its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What held before holds for it.
    Same,
    /// It states something else. The next packet tells whether that is so, or this one is damaged.
    Doubtful,
    /// It states what the one before it did, and that is something else than before.
    Changed { from: Stated, to: Stated },
}

/// What the packets of a stream of sound state.
#[derive(Default)]
pub(super) struct PacketSound {
    headers: Headers,
    statements: Statements,
}

/// The part that reads the headers of packets.
#[derive(Default)]
enum Headers {
    /// No packet came yet.
    #[default]
    Unknown,
    /// Where libav's parsers don't say it: that of AAC never, as decoders may double it; that of AC-3
    /// only with the next packet, and of E-AC-3 without the channels.
    Own(fn(&[u8]) -> Option<Stated>),
    Parser(SoundParser),
    /// They state nothing.
    None,
}

struct SoundParser {
    parser: Parser,
    /// Bytes of a packet in which headers are looked for.
    within: usize,
    /// Packets since the last one that stated something.
    silent: u32,
    /// One has stated something.
    has_stated: bool,
}

/// Of MPEG audio (ISO/IEC 11172-3, 2.4.2.3).
const MPEG_HEADER_BYTES: usize = 4;

/// After so many packets that state nothing, none will. Of TrueHD one in 128 does.
const SILENT_PACKETS: u32 = 500;

impl PacketSound {
    /// Takes the next packet of a stream.
    pub(super) fn judge(&mut self, params: &CodecParams, packet: &AvPacket) -> Verdict {
        let stated = self.headers.read(params, packet);
        self.statements.judge(stated)
    }
}

impl Headers {
    fn read(&mut self, params: &CodecParams, packet: &AvPacket) -> Option<Stated> {
        if matches!(self, Headers::Unknown) {
            *self = Headers::of(params);
        }
        match self {
            Headers::Own(read) => read(packet.data()),
            Headers::Parser(parser) => {
                let stated = parser.read(params, packet);
                if !parser.has_stated && parser.silent >= SILENT_PACKETS {
                    *self = Headers::None;
                }
                stated
            }
            Headers::Unknown | Headers::None => None,
        }
    }

    fn of(params: &CodecParams) -> Headers {
        match params.codec().name() {
            "aac" if params.extradata().is_empty() => Headers::Own(|packet| {
                let Adts { sample_rate, channels } = Adts::of(packet)?;
                Some(Stated { sample_rate, channels })
            }),
            // What holds for its packets stands outside of them.
            "aac" => Headers::None,
            "ac3" | "eac3" => Headers::Own(|packet| {
                let (sample_rate, channels) = ac3::sound(packet)?;
                Some(Stated { sample_rate, channels })
            }),
            name => match Parser::of(params.codec()) {
                Some(parser) => {
                    // In the rest of a packet, libav's parser would look for one more header.
                    let is_mpeg = matches!(name, "mp1" | "mp2" | "mp3");
                    let within = if is_mpeg { MPEG_HEADER_BYTES } else { usize::MAX };
                    Headers::Parser(SoundParser { parser, within, silent: 0, has_stated: false })
                }
                None => Headers::None,
            },
        }
    }
}

impl SoundParser {
    fn read(&mut self, params: &CodecParams, packet: &AvPacket) -> Option<Stated> {
        let mut stated = self.state(packet);
        if stated.is_none() && self.has_stated && self.silent == 0 {
            // Some parsers believe what is new only after several packets, but a first one at once.
            // Here the next packet decides.
            self.parser = Parser::of(params.codec())?;
            stated = self.state(packet);
        }
        self.silent = if stated.is_some() { 0 } else { self.silent.saturating_add(1) };
        self.has_stated |= stated.is_some();
        stated
    }

    fn state(&mut self, packet: &AvPacket) -> Option<Stated> {
        let (sample_rate, channels) = self.parser.sound(packet, self.within);
        (sample_rate > 0).then_some(Stated { sample_rate, channels })
    }
}

/// What was stated last, and whether it is believed.
#[derive(Default)]
struct Statements {
    /// What two packets stated, one after the other.
    holds: Option<Stated>,
    /// What one packet has stated so far.
    doubtful: Option<Stated>,
}

impl Statements {
    fn judge(&mut self, stated: Option<Stated>) -> Verdict {
        let Some(now) = stated else { return Verdict::Same };
        if self.holds == Some(now) {
            self.doubtful = None;
            return Verdict::Same;
        }
        let is_believed = self.doubtful.replace(now) == Some(now);
        match self.holds {
            Some(from) if is_believed => {
                (self.holds, self.doubtful) = (Some(now), None);
                Verdict::Changed { from, to: now }
            }
            Some(_) => Verdict::Doubtful,
            None => {
                self.holds = self.doubtful.take_if(|_| is_believed);
                Verdict::Same
            }
        }
    }
}

impl Stated {
    /// Samples a second and channels of a stream whose packets state this now, and stated `from` when
    /// `params` held.
    pub(super) fn sound(self, from: Stated, params: &CodecParams) -> (u32, u32) {
        // Half of the rate is stated where the other half is made by the decoder.
        let times = (params.sample_rate() / from.sample_rate.max(1)).max(1);
        let is_counted = self.channels != 0 && self.channels != from.channels;
        let channels = if is_counted { self.channels } else { params.channels() };
        (self.sample_rate.saturating_mul(times), channels)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::av::{AudioShape, AvFrame, CodecId, Dict, EncoderSetup, MediaKind, Received};

    fn stated(sample_rate: u32, channels: u32) -> Stated {
        Stated { sample_rate, channels }
    }

    fn params(codec: &str, rate: u32, channels: u32) -> CodecParams {
        let codec = CodecId::named(codec).unwrap();
        let mut params = CodecParams::of_codec(MediaKind::Audio, codec, &[]).unwrap();
        params.describe_sound(rate, channels);
        params
    }

    #[test]
    fn what_two_packets_state_is_believed() {
        let (a, b, c) = (stated(44_100, 2), stated(48_000, 2), stated(48_000, 1));
        let to = |from, to| Verdict::Changed { from, to };
        use Verdict::{Doubtful, Same};
        for (packets, expected) in [
            (&[Some(a), Some(a), Some(a)][..], &[Same, Same, Same][..]),
            (
                &[Some(a), Some(a), Some(b), Some(b), Some(b)],
                &[Same, Same, Doubtful, to(a, b), Same],
            ),
            // A damaged one.
            (
                &[Some(a), Some(a), Some(b), Some(a), Some(b)],
                &[Same, Same, Doubtful, Same, Doubtful],
            ),
            (
                &[Some(a), Some(a), Some(b), Some(c), Some(c)],
                &[Same, Same, Doubtful, Doubtful, to(a, c)],
            ),
            // The first one may be damaged too.
            (&[Some(b), Some(a), Some(a), Some(a)], &[Same; 4]),
            // Not each states something.
            (&[None, Some(a), None, Some(a), None], &[Same; 5]),
            (&[Some(a), Some(a), Some(b), None, Some(b)], &[Same, Same, Doubtful, Same, to(a, b)]),
            (&[None; 3], &[Same; 3]),
        ] {
            let mut statements = Statements::default();
            let judged: Vec<_> = packets.iter().map(|stated| statements.judge(*stated)).collect();
            assert_eq!(judged, expected, "{packets:?}");
        }
    }

    #[test]
    fn what_is_stated_counts_from_what_was_stated_first() {
        for (container, from, to, expected) in [
            ((44_100, 2), (44_100, 2), (48_000, 2), (48_000, 2)),
            ((44_100, 2), (44_100, 2), (44_100, 1), (44_100, 1)),
            // HE-AAC, of which a header states half of the rate; with parametric stereo, one channel.
            ((48_000, 2), (24_000, 2), (22_050, 2), (44_100, 2)),
            ((48_000, 2), (24_000, 1), (22_050, 1), (44_100, 2)),
            // Channels that the header leaves to the packet.
            ((48_000, 6), (48_000, 0), (44_100, 0), (44_100, 6)),
            // The container is wrong.
            ((32_000, 1), (44_100, 2), (48_000, 2), (48_000, 1)),
        ] {
            let of = |(rate, channels)| stated(rate, channels);
            let params = params("aac", container.0, container.1);
            assert_eq!(of(to).sound(of(from), &params), expected, "{container:?} {from:?} {to:?}");
        }
    }

    /// Packets of a tone by libav's encoder.
    fn encoded(encoder: &str, rate: u32, layout: &str) -> Vec<AvPacket> {
        let setup = EncoderSetup::find(encoder).unwrap();
        let shape = AudioShape {
            sample_rate: rate,
            sample_format: (*setup.sample_formats().first().unwrap()).to_owned(),
            channel_layout: layout.to_owned(),
        };
        let mut options = Dict::from_pairs([("strict", "experimental")]);
        let mut encoder = setup.open_audio(&shape, false, &mut options).unwrap();
        let samples = encoder.frame_samples().unwrap();
        let mut packets = Vec::new();
        for n in 0..12 {
            let mut frame = AvFrame::silence(&shape, samples).unwrap();
            frame.set_pts(Some(n * i64::from(samples)));
            encoder.send(Some(&frame)).unwrap();
            while let Ok(Received::Item(packet)) = encoder.receive() {
                packets.push(packet);
            }
        }
        packets
    }

    #[test]
    fn a_change_is_noticed_with_the_second_packet_of_it() {
        for (codec, encoder) in [
            ("mp3", "libmp3lame"),
            ("mp2", "mp2"),
            ("ac3", "ac3"),
            ("eac3", "eac3"),
            ("dts", "dca"),
        ] {
            let first = encoded(encoder, 44_100, "stereo");
            let params = params(codec, 44_100, 2);
            for (rate, layout, channels) in [(48_000, "stereo", 2), (44_100, "mono", 1)] {
                if (codec, layout) == ("dts", "mono") {
                    continue;
                }
                let second = encoded(encoder, rate, layout);
                let mut sound = PacketSound::default();
                for packet in &first {
                    assert_eq!(sound.judge(&params, packet), Verdict::Same, "{codec}");
                }
                let mut judged = second.iter().map(|packet| sound.judge(&params, packet));
                assert_eq!(judged.next(), Some(Verdict::Doubtful), "{codec} {layout}");
                let Some(Verdict::Changed { from, to }) = judged.next() else {
                    panic!("{codec} {layout}")
                };
                assert_eq!(to.sound(from, &params), (rate, channels), "{codec}");
                assert!(judged.all(|verdict| verdict == Verdict::Same), "{codec} {layout}");
            }
        }
    }

    /// Of AC-3 in each place, of MPEG audio in its header.
    #[test]
    fn a_damaged_packet_is_no_change() {
        for (codec, encoder, damaged) in [
            ("ac3", "ac3", 0..60),
            ("eac3", "eac3", 0..60),
            ("mp3", "libmp3lame", 0..4),
            ("mp2", "mp2", 0..4),
            ("dts", "dca", 0..12),
        ] {
            let packets = encoded(encoder, 48_000, "stereo");
            let params = params(codec, 48_000, 2);
            let mut sound = PacketSound::default();
            for (at, bit) in damaged.flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                for (n, packet) in packets.iter().enumerate() {
                    let mut bytes = packet.data().to_vec();
                    if n == 5 {
                        bytes[at] ^= 1 << bit;
                    }
                    let packet = AvPacket::of_bytes(&bytes, 0, true).unwrap();
                    let verdict = sound.judge(&params, &packet);
                    let is_change = matches!(verdict, Verdict::Changed { .. });
                    assert!(!is_change, "{codec}: bit {bit} of byte {at}, {verdict:?}");
                    assert!(n == 5 || verdict == Verdict::Same, "{codec}: {n}, {verdict:?}");
                }
            }
        }
    }

    #[test]
    fn codecs_that_state_nothing_are_not_asked_for_ever() {
        let packet = AvPacket::of_bytes(&[0xFC, 1, 2, 3], 0, true).unwrap();
        let params = params("vorbis", 48_000, 2);
        let mut sound = PacketSound::default();
        for _ in 0..=SILENT_PACKETS {
            assert_eq!(sound.judge(&params, &packet), Verdict::Same);
        }
        assert!(matches!(sound.headers, Headers::None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..8),
            codec in prop::sample::select(
                &["aac", "mp1", "mp2", "mp3", "ac3", "eac3", "dts", "truehd", "mlp", "flac", "aac_latm",
                  "opus", "vorbis", "tak", "sbc", "adpcm_ima_wav", "pcm_s16le"][..]),
            begins_well: bool,
        ) {
            let params = params(codec, 48_000, 2);
            let sync: &[u8] = match codec {
                "ac3" | "eac3" => &[0x0B, 0x77],
                "dts" => &[0x7F, 0xFE, 0x80, 0x01],
                "truehd" | "mlp" => &[0xF0, 0, 0, 0, 0xF8, 0x72, 0x6F, 0xBA],
                "aac_latm" => &[0x56, 0xE0],
                "flac" => &[0xFF, 0xF8],
                _ => &[0xFF, 0xFB],
            };
            let mut sound = PacketSound::default();
            for bytes in packets {
                let bytes = if begins_well { [sync, &bytes].concat() } else { bytes };
                let packet = AvPacket::of_bytes(&bytes, 0, true).unwrap();
                sound.judge(&params, &packet);
            }
        }
    }
}
