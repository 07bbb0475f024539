//! What a stream has, as far as its packets and its metadata tell.

use std::collections::VecDeque;

use bytes::Bytes;
use frameloom_rtmp::Limits;
use frameloom_rtmp::amf0::{Amf0Decoder, Value};
use frameloom_rtmp::flv::{AudioCodec, FourCc, VideoCodec};

use super::packet::StreamCodec;

/// Seconds over which a bit rate is measured.
const RATE_SAMPLES: usize = 6;

#[derive(Clone, Debug, Default)]
pub(crate) struct Info {
    pub(crate) video: Option<VideoCodec>,
    pub(crate) audio: Option<AudioCodec>,
    /// Pixels.
    pub(crate) width: Option<u32>,
    /// Pixels.
    pub(crate) height: Option<u32>,
    /// What the metadata says there will be, where there is metadata.
    announced: Option<(bool, bool)>,
}

impl Info {
    pub(crate) fn saw(&mut self, codec: StreamCodec) {
        match codec {
            StreamCodec::Video(codec) => self.video = Some(codec),
            StreamCodec::Audio(codec) => self.audio = Some(codec),
        }
    }

    /// Reads `onMetaData`. What it doesn't say stays as it was.
    pub(crate) fn read_metadata(&mut self, payload: &Bytes) {
        let limits = Limits::default();
        let mut decoder = Amf0Decoder::new(payload, &limits);
        let (Ok(Some(_name)), Ok(Some(metadata))) = (decoder.value(), decoder.value()) else {
            return;
        };
        let pixels = |name| {
            let number = metadata.get(name).and_then(Value::as_number)?;
            // In this range the cast is exact but for the fraction, which pixels don't have.
            (1.0..=65_535.0).contains(&number).then_some(number as u32)
        };
        self.width = pixels("width").or(self.width);
        self.height = pixels("height").or(self.height);
        let has = |names: [&str; 2]| names.iter().any(|name| metadata.get(name).is_some());
        self.announced =
            Some((has(["audiocodecid", "audiodatarate"]), has(["videocodecid", "width"])));
    }

    /// Whether there is audio, and whether there is video, for the header of an FLV stream that
    /// has run for `clock_ms` milliseconds. A player waits for what the header promises, and shows
    /// nothing of what it leaves out; so both are promised where it can't be known yet.
    pub(crate) fn flags(&self, clock_ms: u64) -> (bool, bool) {
        let (audio, video) = (self.audio.is_some(), self.video.is_some());
        match self.announced {
            Some((a, v)) if a || v => (audio || a, video || v),
            _ if clock_ms >= 1000 && (audio || video) => (audio, video),
            _ => (true, true),
        }
    }
}

/// The codec's name for the status.
pub(crate) fn video_name(codec: VideoCodec) -> String {
    match codec {
        VideoCodec::Avc => "h264".to_owned(),
        VideoCodec::Hevc => "hevc".to_owned(),
        VideoCodec::Av1 => "av1".to_owned(),
        VideoCodec::Vp8 => "vp8".to_owned(),
        VideoCodec::Vp9 => "vp9".to_owned(),
        VideoCodec::Legacy(number) => format!("flv{number}"),
        VideoCodec::Other(four_cc) => four_cc_name(four_cc),
        _ => "unknown".to_owned(),
    }
}

/// The codec's name for the status.
pub(crate) fn audio_name(codec: AudioCodec) -> String {
    match codec {
        AudioCodec::Aac => "aac".to_owned(),
        AudioCodec::Mp3 => "mp3".to_owned(),
        AudioCodec::Opus => "opus".to_owned(),
        AudioCodec::Flac => "flac".to_owned(),
        AudioCodec::Ac3 => "ac3".to_owned(),
        AudioCodec::Eac3 => "eac3".to_owned(),
        AudioCodec::Legacy(number) => format!("flv{number}"),
        AudioCodec::Other(four_cc) => four_cc_name(four_cc),
        _ => "unknown".to_owned(),
    }
}

fn four_cc_name(four_cc: FourCc) -> String {
    four_cc.escape_ascii().to_string()
}

/// A rate over the last seconds, from a count that is looked at once a second.
#[derive(Default)]
pub(crate) struct BitRateMeter {
    /// Milliseconds since the stream began, and bytes by then.
    samples: VecDeque<(u64, u64)>,
}

impl BitRateMeter {
    pub(crate) fn sample(&mut self, time_ms: u64, bytes: u64) {
        if self.samples.len() >= RATE_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((time_ms, bytes));
    }

    /// Bits a second; 0 before there are two samples.
    pub(crate) fn bits_per_second(&self) -> u64 {
        match (self.samples.front(), self.samples.back()) {
            (Some((from_ms, from)), Some((to_ms, to))) if to_ms > from_ms => {
                (to - from) * 8 * 1000 / (to_ms - from_ms)
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use frameloom_rtmp::amf0::{encode, object};

    use super::*;

    fn metadata(value: &Value) -> Bytes {
        let mut payload = BytesMut::new();
        encode(&"onMetaData".into(), &mut payload);
        encode(value, &mut payload);
        payload.freeze()
    }

    #[test]
    fn metadata_tells_the_size_and_what_there_will_be() {
        let mut info = Info::default();
        assert_eq!(info.flags(0), (true, true));
        let properties = [("width", 1280.0.into()), ("height", 720.0.into())];
        info.read_metadata(&metadata(&object(properties)));
        assert_eq!((info.width, info.height), (Some(1280), Some(720)));
        assert_eq!(info.flags(0), (false, true));
        info.saw(StreamCodec::Audio(AudioCodec::Aac));
        assert_eq!(info.flags(0), (true, true));
    }

    #[test]
    fn without_metadata_the_packets_tell_after_a_second() {
        let mut info = Info::default();
        info.saw(StreamCodec::Audio(AudioCodec::Opus));
        assert_eq!(info.flags(999), (true, true));
        assert_eq!(info.flags(1000), (true, false));
        info.read_metadata(&Bytes::from_static(b"\x02\0\x0aonMetaData"));
        info.read_metadata(&metadata(&object([("width", (-1.0).into())])));
        assert_eq!(info.width, None);
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let mut rate = BitRateMeter::default();
        assert_eq!(rate.bits_per_second(), 0);
        for second in 0..20 {
            rate.sample(second * 1000, second.min(10) * 125_000);
        }
        assert_eq!(rate.bits_per_second(), 0);
        rate.sample(20_000, 12 * 125_000);
        assert_eq!(rate.bits_per_second(), 400_000);
    }
}
