//! Packets of silence, for a stream whose own packets are copied and have stopped coming.

use crate::av::{
    AudioShape, AvFrame, AvPacket, Dict, EncoderSetup, MediaKind, Received, StreamInfo,
};
use crate::codec::packet::Packet;
use crate::error::{Result, Stage};
use crate::time::{TimeBase, Timestamp};

/// Packets until an encoder's own start is over.
const SETTLED: usize = 8;

/// Samples in a packet where the codec leaves the choice.
const PLAIN_SAMPLES: u32 = 1024;

/// One packet of silence in a stream's own codec, rate and channels, to be sent as often as
/// needed.
pub(crate) struct Silence {
    data: Vec<u8>,
    samples: u32,
    /// One sample.
    sample: TimeBase,
}

impl Silence {
    /// `None` where nobody here can code the stream as it is.
    pub(crate) fn of(stream: &StreamInfo) -> Option<Silence> {
        let params = &stream.params;
        let codec = params.codec().name();
        let is_plain_aac = codec != "aac" || matches!(params.profile_name(), None | Some("LC"));
        let setup = EncoderSetup::find(encoder_of(codec)).filter(|_| is_plain_aac)?;
        let format = (*setup.sample_formats().first()?).to_owned();
        let shape = AudioShape {
            sample_rate: params.sample_rate(),
            sample_format: format,
            channel_layout: params.channel_layout(),
        };
        let sample = TimeBase::new(1, i32::try_from(shape.sample_rate).ok()?)?;
        let (data, samples) = coded(&setup, &shape)?;
        let data = match codec {
            // Without a configuration of their own, packets of AAC bring it along.
            "aac" if params.extradata().is_empty() => {
                [&adts_header(shape.sample_rate, params.channels(), data.len())?[..], &data]
                    .concat()
            }
            _ => data,
        };
        Some(Silence { data, samples, sample })
    }

    /// How long one packet lasts.
    pub(crate) fn length(&self) -> Timestamp {
        self.sample.at(self.samples.into())
    }

    /// A packet of the stream at `at`, in its own time base.
    pub(crate) fn packet(&self, stream: usize, at: Timestamp, base: TimeBase) -> Result<Packet> {
        let av = AvPacket::of_bytes(&self.data, stream, true);
        let mut av = av.map_err(|e| e.in_stage(Stage::Source))?;
        let ticks = at.rescale(base).ticks();
        av.set_times(Some(ticks), Some(ticks), self.length().rescale(base).ticks());
        Ok(Packet {
            av,
            kind: MediaKind::Audio,
            stream: 0,
            time_base: base,
            arrived: None,
            quality: None,
            floor: Timestamp::ZERO,
            discontinuity: false,
        })
    }
}

/// The encoder for a codec, by name.
pub(crate) fn encoder_of(codec: &str) -> &str {
    match codec {
        "dts" => "dca",
        "mp3" => "libmp3lame",
        "opus" => "libopus",
        "vorbis" => "libvorbis",
        other => other,
    }
}

/// The bytes of one packet of silence, and its samples.
fn coded(setup: &EncoderSetup, shape: &AudioShape) -> Option<(Vec<u8>, u32)> {
    let mut encoder = setup.open_audio(shape, true, &mut Dict::new()).ok()?;
    let samples = encoder.frame_samples().unwrap_or(PLAIN_SAMPLES);
    let mut last = None;
    for n in 0..SETTLED {
        let mut frame = AvFrame::silence(shape, samples).ok()?;
        frame.set_pts(i64::try_from(n).ok().map(|n| n * i64::from(samples)));
        encoder.send(Some(&frame)).ok()?;
        while let Ok(Received::Item(packet)) = encoder.receive() {
            last = Some(packet.data().to_vec());
        }
    }
    last.map(|data| (data, samples))
}

/// ISO/IEC 13818-7, 6.2: seven bytes before each packet of AAC-LC.
fn adts_header(sample_rate: u32, channels: u32, bytes: usize) -> Option<[u8; 7]> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    let rate = u8::try_from(RATES.iter().position(|&r| r == sample_rate)?).ok()?;
    let channels = u8::try_from(match channels {
        8 => 7,
        n @ 1..=6 => n,
        _ => return None,
    })
    .ok()?;
    let length = u16::try_from(bytes + 7).ok().filter(|&n| n < 1 << 13)?;
    let [high, low] = length.to_be_bytes();
    Some([
        0xFF,
        0xF1,
        1 << 6 | rate << 2 | channels >> 2,
        (channels & 3) << 6 | high >> 3,
        high << 5 | low >> 3,
        low << 5 | 0x1F,
        0xFC,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::{CodecId, CodecParams, Decoder, DecoderSetup};

    fn stream(codec: &str, rate: u32, channels: u32) -> StreamInfo {
        let id = CodecId::named(codec).unwrap();
        let mut params = CodecParams::of_codec(MediaKind::Audio, id, &[]).unwrap();
        params.describe_sound(rate, channels);
        StreamInfo::of_params(1, params, TimeBase::MILLIS)
    }

    #[test]
    fn it_is_decoded_as_silence_of_the_streams_own_kind() {
        for (codec, rate, channels) in
            [("aac", 44_100, 2), ("aac", 48_000, 1), ("mp3", 44_100, 2), ("opus", 48_000, 2)]
        {
            let stream = stream(codec, rate, channels);
            let silence = Silence::of(&stream).unwrap();
            let setup = DecoderSetup {
                params: &stream.params,
                time_base: stream.time_base,
                frame_rate: None,
                name: None,
                low_delay: true,
                on: None,
            };
            let mut decoder = Decoder::open(&setup, &mut Dict::new()).unwrap();
            let mut heard = 0;
            for n in 0..10 {
                let at = silence.length();
                let at = at.base().at(at.ticks() * n);
                let packet = silence.packet(1, at, TimeBase::MILLIS).unwrap();
                assert_eq!(packet.pts(), Some(at.rescale(TimeBase::MILLIS)));
                decoder.send(Some(&packet.av)).unwrap();
                while let Ok(Received::Item(frame)) = decoder.receive() {
                    assert_eq!(frame.sound(), (rate, channels), "{codec}");
                    assert!(frame.is_silent(), "{codec}");
                    heard += 1;
                }
            }
            assert!(heard >= 8, "{codec}: {heard} frames");
        }
    }

    #[test]
    fn what_nobody_can_code_has_none() {
        assert!(Silence::of(&stream("nellymoser", 48_000, 2)).is_none());
        assert!(Silence::of(&stream("aac", 12_345, 2)).is_none());
    }
}
