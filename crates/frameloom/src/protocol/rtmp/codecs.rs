//! What libav calls the codecs of FLV and Enhanced RTMP.

use frameloom_rtmp::flv::{AudioCodec, VideoCodec};

use crate::av::CodecId;

/// Codecs of video: FLV's name, FFmpeg's name.
const VIDEO: [(VideoCodec, &str); 8] = [
    (VideoCodec::Avc, "h264"),
    (VideoCodec::Hevc, "hevc"),
    (VideoCodec::Av1, "av1"),
    (VideoCodec::Vp9, "vp9"),
    (VideoCodec::Vp8, "vp8"),
    (VideoCodec::Other(*b"vvc1"), "vvc"),
    (VideoCodec::Legacy(2), "flv1"),
    (VideoCodec::Legacy(4), "vp6f"),
];

/// Codecs of audio: FLV's name, FFmpeg's name. Where two share one, the first is written.
const AUDIO: [(AudioCodec, &str); 13] = [
    (AudioCodec::Aac, "aac"),
    (AudioCodec::Mp3, "mp3"),
    (AudioCodec::Opus, "opus"),
    (AudioCodec::Flac, "flac"),
    (AudioCodec::Ac3, "ac3"),
    (AudioCodec::Eac3, "eac3"),
    (AudioCodec::Legacy(11), "speex"),
    (AudioCodec::Legacy(6), "nellymoser"),
    (AudioCodec::Legacy(5), "nellymoser"),
    (AudioCodec::Legacy(4), "nellymoser"),
    (AudioCodec::Legacy(7), "pcm_alaw"),
    (AudioCodec::Legacy(8), "pcm_mulaw"),
    (AudioCodec::Legacy(1), "adpcm_swf"),
];

/// FFmpeg's name of a video codec, where it has one.
pub(crate) fn video_name(codec: VideoCodec) -> Option<&'static str> {
    VIDEO.iter().find(|(flv, _)| *flv == codec).map(|(_, name)| *name)
}

/// FFmpeg's name of an audio codec, where it has one. PCM's name depends on FLV's first byte.
pub(crate) fn audio_name(codec: AudioCodec, flags: Option<u8>) -> Option<&'static str> {
    if let (AudioCodec::Legacy(0 | 3), Some(flags)) = (codec, flags) {
        return Some(if flags & 2 == 0 { "pcm_u8" } else { "pcm_s16le" });
    }
    AUDIO.iter().find(|(flv, _)| *flv == codec).map(|(_, name)| *name)
}

/// Samples a second and channels by FLV's first byte, which holds for its old codecs only.
/// FLV 10.1, section E.4.2.1.
pub(crate) fn sound_of(codec: AudioCodec, flags: u8) -> (u32, u32) {
    let rate = [5_512, 11_025, 22_050, 44_100][usize::from(flags >> 2 & 3)];
    match codec {
        AudioCodec::Legacy(4 | 11) => (16_000, 1),
        AudioCodec::Legacy(5 | 7 | 8) => (8_000, 1),
        _ => (rate, 1 + u32::from(flags & 1)),
    }
}

/// FLV's name of a video codec, where our own RTMP writes it.
pub(crate) fn video_codec(codec: CodecId) -> Option<VideoCodec> {
    let name = codec.name();
    let written = matches!(name, "h264" | "hevc" | "av1" | "vp9" | "flv1");
    VIDEO.iter().find(|(_, n)| written && *n == name).map(|(flv, _)| *flv)
}

/// FLV's name of an audio codec, where our own RTMP writes it.
pub(crate) fn audio_codec(codec: CodecId) -> Option<AudioCodec> {
    let name = codec.name();
    let written = matches!(name, "aac" | "mp3" | "opus" | "speex" | "nellymoser");
    AUDIO.iter().find(|(_, n)| written && *n == name).map(|(flv, _)| *flv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_have_their_names_both_ways() {
        for (flv, name) in VIDEO {
            assert_eq!(video_name(flv), Some(name));
            if let Some(id) = CodecId::named(name) {
                assert_eq!(id.name(), name);
                let is_written = !matches!(name, "vp6f" | "vp8" | "vvc");
                assert_eq!(video_codec(id), is_written.then_some(flv), "{name}");
            }
        }
        for (flv, name) in AUDIO {
            assert_eq!(audio_name(flv, None), Some(name));
            assert!(CodecId::named(name).is_some(), "{name}");
        }
        assert_eq!(audio_name(AudioCodec::Legacy(3), Some(0x3E)), Some("pcm_s16le"));
        assert_eq!(audio_codec(CodecId::named("aac").unwrap()), Some(AudioCodec::Aac));
        assert_eq!(audio_codec(CodecId::named("flac").unwrap()), None);
        assert_eq!(sound_of(AudioCodec::Mp3, 0x2F), (44_100, 2));
        assert_eq!(sound_of(AudioCodec::Legacy(11), 0xB2), (16_000, 1));
    }
}
