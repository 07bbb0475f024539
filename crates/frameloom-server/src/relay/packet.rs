//! What a publisher sent, and what it is good for.

use bytes::Bytes;
use frameloom_rtmp::MediaKind;
use frameloom_rtmp::flv::{
    AudioCodec, AudioPacket, AudioPacketKind, FlvError, VideoCodec, VideoPacket, VideoPacketKind,
};

/// One packet of a stream, as it goes to every player.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) kind: MediaKind,
    pub(crate) part: Part,
    /// Milliseconds on the clock that players see.
    pub(crate) timestamp_ms: u64,
    /// Milliseconds of media since the stream began; it never steps back.
    pub(crate) clock_ms: u64,
    pub(crate) payload: Bytes,
}

/// What a packet is for someone who joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Needed before anything that follows: metadata, a decoder's configuration.
    Header(Slot),
    /// A keyframe of the main track: decoding can start here.
    GopStart,
    /// A video frame that needs others.
    Picture,
    /// Audio and data, of use by themselves.
    Other,
}

/// Which header a packet is: a later one replaces it. In the order in which players get them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    Metadata,
    /// The configuration of a video track.
    Video(u8),
    /// Colour and the like, of a video track.
    VideoMetadata(u8),
    /// The configuration of an audio track.
    Audio(u8),
    /// The order of an audio track's channels.
    Channels(u8),
}

/// A codec, for whoever shows what a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Video(VideoCodec),
    Audio(AudioCodec),
}

/// Tells a packet's part. `main_track` is the video track whose keyframes count: the first one.
///
/// # Errors
///
/// [`FlvError`] where the payload is no body of an FLV tag of its kind.
pub(crate) fn classify(
    kind: MediaKind,
    payload: &Bytes,
    main_track: &mut Option<u8>,
) -> Result<(Part, Option<Codec>), FlvError> {
    match kind {
        MediaKind::Metadata => Ok((Part::Header(Slot::Metadata), None)),
        MediaKind::Data => Ok((Part::Other, None)),
        MediaKind::Audio => {
            let packet = AudioPacket::parse(payload)?;
            let track = packet.track.unwrap_or(0);
            let part = match packet.kind {
                AudioPacketKind::SequenceHeader => Part::Header(Slot::Audio(track)),
                AudioPacketKind::MultichannelConfig => Part::Header(Slot::Channels(track)),
                _ => Part::Other,
            };
            Ok((part, Some(Codec::Audio(packet.codec))))
        }
        MediaKind::Video => {
            let packet = VideoPacket::parse(payload)?;
            let track = packet.track.unwrap_or(0);
            let part = match packet.kind {
                VideoPacketKind::SequenceHeader | VideoPacketKind::Mpeg2TsSequenceHeader => {
                    Part::Header(Slot::Video(track))
                }
                VideoPacketKind::Metadata => Part::Header(Slot::VideoMetadata(track)),
                VideoPacketKind::Frame => {
                    let main = *main_track.get_or_insert(track);
                    if packet.keyframe && track == main { Part::GopStart } else { Part::Picture }
                }
                _ => Part::Other,
            };
            let counts = !matches!(packet.kind, VideoPacketKind::Command(_));
            Ok((part, counts.then_some(Codec::Video(packet.codec))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: MediaKind, payload: &'static [u8]) -> Part {
        classify(kind, &Bytes::from_static(payload), &mut None).unwrap().0
    }

    #[test]
    fn headers_and_keyframes_are_recognised_in_every_form() {
        use MediaKind::{Audio, Video};
        assert_eq!(part(Video, b"\x17\0\0\0\0avcC"), Part::Header(Slot::Video(0)));
        assert_eq!(part(Video, b"\x17\x01\0\0\0idr"), Part::GopStart);
        assert_eq!(part(Video, b"\x27\x01\0\0\0p"), Part::Picture);
        assert_eq!(part(Video, b"\x17\x02\0\0\0"), Part::Other);
        assert_eq!(part(Video, b"\x90hvc1hvcC"), Part::Header(Slot::Video(0)));
        assert_eq!(part(Video, b"\x93hvc1idr"), Part::GopStart);
        assert_eq!(
            part(Video, b"\x94hvc1\x02\0\x09colorInfo"),
            Part::Header(Slot::VideoMetadata(0))
        );
        assert_eq!(part(Video, b"\x96\0av01\x03av1C"), Part::Header(Slot::Video(3)));
        assert_eq!(part(Video, b"\x52\x00"), Part::Other);
        assert_eq!(part(Audio, b"\xAF\0\x12\x10"), Part::Header(Slot::Audio(0)));
        assert_eq!(part(Audio, b"\xAF\x01aac"), Part::Other);
        assert_eq!(part(Audio, b"\x90OpusOpusHead"), Part::Header(Slot::Audio(0)));
        assert_eq!(part(Audio, b"\x94Opus\0\x02"), Part::Header(Slot::Channels(0)));
        assert_eq!(part(Audio, b"\x2Fmp3"), Part::Other);
    }

    #[test]
    fn only_the_main_tracks_keyframes_start_a_gop() {
        let mut main = None;
        let mut video = |payload: &'static [u8]| {
            classify(MediaKind::Video, &Bytes::from_static(payload), &mut main).unwrap().0
        };
        assert_eq!(video(b"\x17\x01\0\0\0idr"), Part::GopStart);
        // One track, number 1, a coded frame of AV1, a keyframe.
        assert_eq!(video(b"\x96\x01av01\x01idr"), Part::Picture);
        assert_eq!(video(b"\x96\x01av01\x00idr"), Part::GopStart);
    }

    #[test]
    fn what_is_no_tag_is_told_apart() {
        for payload in [&b""[..], b"\x17", b"\x17\x09\0\0\0", b"\x9Fav01", b"\x90av"] {
            let payload = Bytes::from_static(payload);
            assert!(classify(MediaKind::Video, &payload, &mut None).is_err());
        }
    }
}
