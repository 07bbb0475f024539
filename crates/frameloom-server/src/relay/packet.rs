//! What a publisher sent, and what it is good for.

use bytes::Bytes;
use frameloom_rtmp::MediaType;
use frameloom_rtmp::flv::{
    AudioCodec, AudioPacketKind, AudioTag, FlvError, VideoCodec, VideoPacketKind, VideoTag,
};

/// One packet of a stream, as it goes to every player.
#[derive(Clone)]
pub(crate) struct RelayPacket {
    pub(crate) kind: MediaType,
    pub(crate) part: PacketRole,
    /// Milliseconds on the clock that players see.
    pub(crate) timestamp_ms: u64,
    /// Milliseconds of media since the stream began; it never steps back.
    pub(crate) clock_ms: u64,
    pub(crate) payload: Bytes,
}

/// What a packet is for someone who joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketRole {
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
pub(crate) enum StreamCodec {
    Video(VideoCodec),
    Audio(AudioCodec),
}

/// Tells a packet's part. `main_track` is the video track whose keyframes count: the first one.
///
/// # Errors
///
/// [`FlvError`] where the payload is no body of an FLV tag of its kind.
pub(crate) fn classify(
    kind: MediaType,
    payload: &Bytes,
    main_track: &mut Option<u8>,
) -> Result<(PacketRole, Option<StreamCodec>), FlvError> {
    match kind {
        MediaType::Metadata => Ok((PacketRole::Header(Slot::Metadata), None)),
        MediaType::Data => Ok((PacketRole::Other, None)),
        MediaType::Audio => {
            let packet = AudioTag::parse(payload)?;
            let track = packet.track.unwrap_or(0);
            let part = match packet.kind {
                AudioPacketKind::SequenceHeader => PacketRole::Header(Slot::Audio(track)),
                AudioPacketKind::MultichannelConfig => PacketRole::Header(Slot::Channels(track)),
                _ => PacketRole::Other,
            };
            Ok((part, Some(StreamCodec::Audio(packet.codec))))
        }
        MediaType::Video => {
            let packet = VideoTag::parse(payload)?;
            let track = packet.track.unwrap_or(0);
            let part = match packet.kind {
                VideoPacketKind::SequenceHeader | VideoPacketKind::Mpeg2TsSequenceHeader => {
                    PacketRole::Header(Slot::Video(track))
                }
                VideoPacketKind::Metadata => PacketRole::Header(Slot::VideoMetadata(track)),
                VideoPacketKind::Frame => {
                    let main = *main_track.get_or_insert(track);
                    if packet.keyframe && track == main {
                        PacketRole::GopStart
                    } else {
                        PacketRole::Picture
                    }
                }
                _ => PacketRole::Other,
            };
            let counts = !matches!(packet.kind, VideoPacketKind::Command(_));
            Ok((part, counts.then_some(StreamCodec::Video(packet.codec))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: MediaType, payload: &'static [u8]) -> PacketRole {
        classify(kind, &Bytes::from_static(payload), &mut None).unwrap().0
    }

    #[test]
    fn headers_and_keyframes_are_recognised_in_every_form() {
        use MediaType::{Audio, Video};
        assert_eq!(part(Video, b"\x17\0\0\0\0avcC"), PacketRole::Header(Slot::Video(0)));
        assert_eq!(part(Video, b"\x17\x01\0\0\0idr"), PacketRole::GopStart);
        assert_eq!(part(Video, b"\x27\x01\0\0\0p"), PacketRole::Picture);
        assert_eq!(part(Video, b"\x17\x02\0\0\0"), PacketRole::Other);
        assert_eq!(part(Video, b"\x90hvc1hvcC"), PacketRole::Header(Slot::Video(0)));
        assert_eq!(part(Video, b"\x93hvc1idr"), PacketRole::GopStart);
        assert_eq!(
            part(Video, b"\x94hvc1\x02\0\x09colorInfo"),
            PacketRole::Header(Slot::VideoMetadata(0))
        );
        assert_eq!(part(Video, b"\x96\0av01\x03av1C"), PacketRole::Header(Slot::Video(3)));
        assert_eq!(part(Video, b"\x52\x00"), PacketRole::Other);
        assert_eq!(part(Audio, b"\xAF\0\x12\x10"), PacketRole::Header(Slot::Audio(0)));
        assert_eq!(part(Audio, b"\xAF\x01aac"), PacketRole::Other);
        assert_eq!(part(Audio, b"\x90OpusOpusHead"), PacketRole::Header(Slot::Audio(0)));
        assert_eq!(part(Audio, b"\x94Opus\0\x02"), PacketRole::Header(Slot::Channels(0)));
        assert_eq!(part(Audio, b"\x2Fmp3"), PacketRole::Other);
    }

    #[test]
    fn only_the_main_tracks_keyframes_start_a_gop() {
        let mut main = None;
        let mut video = |payload: &'static [u8]| {
            classify(MediaType::Video, &Bytes::from_static(payload), &mut main).unwrap().0
        };
        assert_eq!(video(b"\x17\x01\0\0\0idr"), PacketRole::GopStart);
        // One track, number 1, a coded frame of AV1, a keyframe.
        assert_eq!(video(b"\x96\x01av01\x01idr"), PacketRole::Picture);
        assert_eq!(video(b"\x96\x01av01\x00idr"), PacketRole::GopStart);
    }

    #[test]
    fn what_is_no_tag_is_told_apart() {
        for payload in [&b""[..], b"\x17", b"\x17\x09\0\0\0", b"\x9Fav01", b"\x90av"] {
            let payload = Bytes::from_static(payload);
            assert!(classify(MediaType::Video, &payload, &mut None).is_err());
        }
    }
}
