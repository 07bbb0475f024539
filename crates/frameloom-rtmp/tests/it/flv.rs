//! FLV tags: the forms that publishers send, and bytes that are none.

use bytes::Bytes;
use frameloom_rtmp::flv::{
    AudioCodec, AudioPacketKind, AudioTag, FlvError, FlvReader, FlvTag, TagKind, VideoCodec,
    VideoPacketKind, VideoTag, file_header, tag_header, tag_trailer,
};
use proptest::prelude::*;

fn video(bytes: &[u8]) -> VideoTag {
    VideoTag::parse(&Bytes::copy_from_slice(bytes)).unwrap()
}

fn audio(bytes: &[u8]) -> AudioTag {
    AudioTag::parse(&Bytes::copy_from_slice(bytes)).unwrap()
}

#[test]
fn avc_as_flv_has_it() {
    let header = video(&[0x17, 0, 0, 0, 0, 1, 0x64]);
    assert_eq!((header.codec, header.kind), (VideoCodec::Avc, VideoPacketKind::SequenceHeader));
    assert_eq!(&header.data[..], [1, 0x64]);
    let frame = video(&[0x27, 1, 0xFF, 0xFF, 0xD8, 9]);
    assert_eq!((frame.keyframe, frame.composition_time_ms), (false, -40));
    assert_eq!(frame.kind, VideoPacketKind::Frame);
}

#[test]
fn enhanced_video_of_every_codec() {
    let codecs = [
        (b"avc1", VideoCodec::Avc),
        (b"hvc1", VideoCodec::Hevc),
        (b"av01", VideoCodec::Av1),
        (b"vp09", VideoCodec::Vp9),
        (b"vp08", VideoCodec::Vp8),
    ];
    for (four_cc, codec) in codecs {
        let header = video(&[&[0x90], &four_cc[..], &[7]].concat());
        assert_eq!((header.codec, header.kind), (codec, VideoPacketKind::SequenceHeader));
        let timed = matches!(codec, VideoCodec::Avc | VideoCodec::Hevc);
        let time: &[u8] = if timed { &[0, 0, 80] } else { &[] };
        let frame = video(&[&[0x91], &four_cc[..], time, &[7, 8]].concat());
        assert_eq!(frame.composition_time_ms, if timed { 80 } else { 0 });
        assert!(frame.keyframe);
        assert_eq!(&frame.data[..], [7, 8]);
        let untimed = video(&[&[0xA3], &four_cc[..], &[7, 8]].concat());
        assert_eq!((untimed.keyframe, untimed.composition_time_ms), (false, 0));
    }
}

#[test]
fn of_many_tracks_the_first_is_taken() {
    let mut body = vec![0x96, 1 << 4 | 1];
    body.extend(b"hvc1");
    body.extend([3, 0, 0, 5, 0, 0, 40, 1, 2]);
    body.extend([4, 0, 0, 4, 0, 0, 0, 9]);
    let packet = video(&body);
    assert_eq!((packet.track, packet.composition_time_ms), (Some(3), 40));
    assert_eq!(&packet.data[..], [1, 2]);

    let mut body = vec![0x95, 2 << 4];
    body.extend(b"Opus");
    body.extend([0, 0, 0, 2, 7, 8]);
    body.extend(b"mp4a");
    body.extend([1, 0, 0, 1, 9]);
    let packet = audio(&body);
    assert_eq!((packet.codec, packet.track), (AudioCodec::Opus, Some(0)));
    assert_eq!(&packet.data[..], [7, 8]);
}

#[test]
fn one_track_of_several_says_which() {
    let mut body = vec![0xA6, 3];
    body.extend(b"avc1");
    body.extend([2, 7, 8]);
    let packet = video(&body);
    assert_eq!((packet.track, packet.kind), (Some(2), VideoPacketKind::Frame));
    assert_eq!(&packet.data[..], [7, 8]);
    // Several tracks in several tracks, and a layout to come.
    for byte in [0x16, 0x31] {
        let mut body = vec![0x96, byte];
        body.extend([b'a'; 20]);
        let refused = VideoTag::parse(&Bytes::from(body));
        assert_eq!(refused, Err(FlvError::PacketType(byte & 0x0F)));
    }
}

#[test]
fn a_composition_time_is_written_or_the_packet_is_not() {
    let late = |codec, enhanced, composition_time_ms| {
        let header = video(&[0x17, 1, 0, 0, 0, 9]);
        VideoTag { codec, enhanced, composition_time_ms, ..header }
    };
    for (codec, time) in [(VideoCodec::Avc, 0x7F_FFFF), (VideoCodec::Hevc, -0x80_0000)] {
        let packet = late(codec, true, time);
        assert_eq!(VideoTag::parse(&packet.body().unwrap()), Ok(packet));
    }
    for (codec, time) in
        [(VideoCodec::Av1, 40), (VideoCodec::Vp9, -1), (VideoCodec::Avc, 0x80_0000)]
    {
        assert_eq!(late(codec, true, time).body(), None, "{codec:?}");
    }
    // In a header's field there may stand anything.
    assert_eq!(video(&[0x17, 0, 1, 2, 3, 1]).composition_time_ms, 0);
}

#[test]
fn modifiers_are_passed_over_and_nanoseconds_kept() {
    let mut body = vec![0x97, 2, 0, 1, 0, 0x07, 0, 5, 0x13];
    body.extend(b"av01");
    body.push(7);
    // The first adds 256 ns; the second, of an unknown type, is skipped.
    let packet = video(&body);
    assert_eq!((packet.timestamp_offset_ns, packet.kind), (256, VideoPacketKind::Frame));
    assert_eq!(&packet.data[..], [7]);
}

#[test]
fn audio_as_flv_has_it_and_enhanced() {
    let header = audio(&[0xAF, 0, 0x12, 0x10]);
    assert_eq!((header.codec, header.kind), (AudioCodec::Aac, AudioPacketKind::SequenceHeader));
    assert_eq!(&header.data[..], [0x12, 0x10]);
    assert_eq!(audio(&[0x2F, 9]).codec, AudioCodec::Mp3);
    let codecs = [
        (b"Opus", AudioCodec::Opus),
        (b"fLaC", AudioCodec::Flac),
        (b"ac-3", AudioCodec::Ac3),
        (b"mp4a", AudioCodec::Aac),
        (b".mp3", AudioCodec::Mp3),
    ];
    for (four_cc, codec) in codecs {
        let packet = audio(&[&[0x91], &four_cc[..], &[7]].concat());
        assert_eq!((packet.codec, packet.kind), (codec, AudioPacketKind::Frame));
        assert_eq!(packet.body().unwrap(), [&[0x91], &four_cc[..], &[7]].concat());
    }
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let mut reader = FlvReader::new(1000);
    reader.push(b"HT");
    assert_eq!(reader.poll(), Err(FlvError::Signature));
    let mut reader = FlvReader::new(1000);
    reader.push(&file_header(true, true));
    reader.push(&tag_header(TagKind::Video, 0, 0xFF_FFFF));
    assert_eq!(reader.poll(), Err(FlvError::Length(0xFF_FFFF)));
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let bytes = Bytes::from(bytes);
        let _ = VideoTag::parse(&bytes);
        let _ = AudioTag::parse(&bytes);
        let mut reader = FlvReader::new(1000);
        reader.push(&file_header(true, true));
        reader.push(&bytes);
        while let Ok(Some(_)) = reader.poll() {}
    }

    #[test]
    fn video_bodies_written_are_read(
        codec in 0_usize..5, kind in 0_usize..3, keyframe in any::<bool>(),
        time in -0x80_0000_i32..0x80_0000, data in prop::collection::vec(any::<u8>(), 0..9),
        enhanced in any::<bool>(),
    ) {
        let codec = [VideoCodec::Avc, VideoCodec::Hevc, VideoCodec::Av1, VideoCodec::Vp8,
            VideoCodec::Vp9][codec];
        let kind = [VideoPacketKind::SequenceHeader, VideoPacketKind::Frame,
            VideoPacketKind::SequenceEnd][kind];
        let timed = matches!(codec, VideoCodec::Avc | VideoCodec::Hevc)
            && kind == VideoPacketKind::Frame;
        let packet = VideoTag {
            codec, kind, keyframe, composition_time_ms: if timed { time } else { 0 },
            timestamp_offset_ns: 0, track: None, enhanced: enhanced || codec != VideoCodec::Avc,
            data: data.into(),
        };
        prop_assert_eq!(VideoTag::parse(&packet.body().unwrap()), Ok(packet));
    }

    #[test]
    fn files_written_are_read_however_they_are_split(
        tags in prop::collection::vec(
            (0_usize..3, any::<u32>(), prop::collection::vec(any::<u8>(), 0..50)), 0..9),
        split in 1_usize..40,
    ) {
        let kinds = [TagKind::Audio, TagKind::Video, TagKind::Script];
        let tags: Vec<FlvTag> = tags.into_iter().map(|(kind, timestamp_ms, data)| {
            FlvTag { kind: kinds[kind], timestamp_ms, data: data.into() }
        }).collect();
        let mut file = file_header(true, false).to_vec();
        for tag in &tags {
            file.extend(tag_header(tag.kind, tag.timestamp_ms, tag.data.len()));
            file.extend(&tag.data);
            file.extend(tag_trailer(tag.data.len()));
        }
        let mut reader = FlvReader::new(1000);
        let mut read = Vec::new();
        for piece in file.chunks(split) {
            reader.push(piece);
            while let Some(tag) = reader.poll().unwrap() {
                read.push(tag);
            }
        }
        prop_assert_eq!(read, tags);
    }
}
