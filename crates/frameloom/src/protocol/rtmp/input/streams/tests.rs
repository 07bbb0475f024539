//! Which streams are known when, by what messages say.

use super::*;

fn streams() -> FlvStreams {
    FlvStreams::new(&InputOptions::new())
}

fn media(kind: Kind, timestamp_ms: u64, payload: &[u8]) -> Media {
    Media { stream_id: 1, kind, timestamp_ms, payload: Bytes::copy_from_slice(payload) }
}

fn metadata(properties: &[(&str, f64)]) -> Media {
    let mut payload = b"\x02\0\x0aonMetaData\x08\0\0\0\0".to_vec();
    for (name, number) in properties {
        payload.extend_from_slice(&[0, u8::try_from(name.len()).unwrap()]);
        payload.extend_from_slice(name.as_bytes());
        payload.push(0);
        payload.extend_from_slice(&number.to_be_bytes());
    }
    payload.extend_from_slice(&[0, 0, 9]);
    media(Kind::Metadata, 0, &payload)
}

const AVC_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 2, 3];
const AVC_KEY: &[u8] = &[0x17, 1, 0, 0, 80, 9, 9];
const AAC_HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];
const AAC: &[u8] = &[0xAF, 1, 1, 2, 3];

/// One message of metadata whose values are text.
fn words(properties: &[(&str, &str)]) -> Media {
    let mut payload = b"\x02\0\x0aonMetaData\x08\0\0\0\0".to_vec();
    for (name, word) in properties {
        for (text, marker) in [(name, None), (word, Some(2))] {
            payload.extend(marker);
            payload.extend_from_slice(&[0, u8::try_from(text.len()).unwrap()]);
            payload.extend_from_slice(text.as_bytes());
        }
    }
    payload.extend_from_slice(&[0, 0, 9]);
    media(Kind::Metadata, 0, &payload)
}

#[test]
fn streams_are_known_as_soon_as_each_that_is_named_has_come() {
    let both = metadata(&[("videocodecid", 7.0), ("audiocodecid", 10.0)]);
    let as_words = words(&[("videocodecid", "avc1"), ("audiocodecid", "mp4a")]);
    for said in [both, as_words] {
        let mut streams = streams();
        streams.take(&said).unwrap();
        for (kind, bytes) in [
            (Kind::Video, AVC_HEADER),
            (Kind::Video, AVC_KEY),
            (Kind::Audio, AAC_HEADER),
            (Kind::Audio, AAC),
        ] {
            assert!(!streams.are_known());
            streams.take(&media(kind, 0, bytes)).unwrap();
        }
        assert!(streams.are_known());
    }
}

/// What metadata says is a hint: the other stream may come all the same.
#[test]
fn a_stream_that_is_not_named_is_waited_for_a_little() {
    let silent = [("videocodecid", 7.0), ("width", 320.0)];
    let nginx_silent = [("videocodecid", 7.0), ("audiocodecid", 0.0), ("audiodatarate", 0.0)];
    for said in [&silent[..], &nginx_silent[..]] {
        let mut streams = streams();
        streams.take(&metadata(said)).unwrap();
        streams.take(&media(Kind::Video, 0, AVC_HEADER)).unwrap();
        for at in [0, 500] {
            streams.take(&media(Kind::Video, at, AVC_KEY)).unwrap();
            assert!(!streams.are_known(), "{said:?}");
        }
        streams.take(&media(Kind::Video, 501, AVC_KEY)).unwrap();
        assert!(streams.are_known() && streams.info(AUDIO).unwrap().is_none(), "{said:?}");
    }
    for said in [&[("audiocodecid", 10.0)][..], &[("videocodecid", 0.0), ("audiocodecid", 10.0)]] {
        let mut streams = streams();
        streams.take(&metadata(said)).unwrap();
        streams.take(&media(Kind::Audio, 0, AAC_HEADER)).unwrap();
        streams.take(&media(Kind::Audio, 0, AAC)).unwrap();
        assert!(!streams.are_known(), "{said:?}");
        streams.take(&media(Kind::Video, 300, AVC_HEADER)).unwrap();
        streams.take(&media(Kind::Video, 300, AVC_KEY)).unwrap();
        assert!(streams.are_known() && streams.info(VIDEO).unwrap().is_some(), "{said:?}");
    }
}

#[test]
fn metadata_takes_back_nothing_that_has_come_or_was_there_before() {
    let mut streams = streams();
    streams.take(&media(Kind::Audio, 0, AAC_HEADER)).unwrap();
    streams.take(&metadata(&[("videocodecid", 7.0)])).unwrap();
    assert_eq!(streams.said, [Said::Yes; 2]);
    let options = InputOptions { expected: [true, true], ..InputOptions::new() };
    let mut streams = FlvStreams::new(&options);
    streams.take(&metadata(&[("videocodecid", 7.0)])).unwrap();
    assert_eq!(streams.said, [Said::Yes; 2]);
}

/// AAC LC, 44.1 kHz, two channels, behind a header of ADTS.
const ADTS: &[u8] = &[0xAF, 1, 0xFF, 0xF1, 0x50, 0x80, 0, 0, 0xFC, 0x21, 0x10, 0x04];

#[test]
fn aac_with_adts_is_known_by_that() {
    let mut streams = streams();
    let packet = streams.take(&media(Kind::Audio, 0, ADTS)).unwrap().unwrap();
    assert_eq!(packet.data(), [0x21, 0x10, 0x04]);
    let info = streams.info(AUDIO).unwrap().unwrap();
    assert_eq!(info.params.extradata(), [0x12, 0x10]);
}

#[test]
fn aac_without_a_configuration_is_no_stream_until_that_comes() {
    let mut streams = streams();
    streams.take(&media(Kind::Video, 0, AVC_HEADER)).unwrap();
    for at in [0, 1001, 3999] {
        streams.take(&media(Kind::Video, at, AVC_KEY)).unwrap();
        assert!(streams.take(&media(Kind::Audio, at, AAC)).unwrap().is_none());
        assert!(!streams.are_known() && streams.info(AUDIO).unwrap().is_none());
    }
    streams.take(&media(Kind::Video, 4001, AVC_KEY)).unwrap();
    assert!(streams.are_known() && streams.info(VIDEO).unwrap().is_some());
    assert!(streams.info(AUDIO).unwrap().is_none());
    streams.is_open = [true, false];
    streams.take(&media(Kind::Audio, 5000, AAC_HEADER)).unwrap();
    let packet = streams.take(&media(Kind::Audio, 5000, AAC)).unwrap().unwrap();
    let late = streams.begin_late(&packet).unwrap().unwrap();
    assert_eq!((late.params.sample_rate(), late.params.channels()), (44_100, 2));
    assert!(streams.is_open[AUDIO]);
}

#[test]
fn without_metadata_the_other_stream_is_waited_for() {
    let mut streams = streams();
    for at in [0, 1000] {
        streams.take(&media(Kind::Video, at, AVC_KEY)).unwrap();
        assert!(!streams.are_known());
    }
    streams.take(&media(Kind::Video, 1001, AVC_KEY)).unwrap();
    assert!(streams.are_known());
    let mut streams = FlvStreams::new(&InputOptions::new().with("vn", "").unwrap());
    streams.take(&media(Kind::Audio, 0, AAC_HEADER)).unwrap();
    streams.take(&media(Kind::Audio, 0, AAC)).unwrap();
    assert!(streams.are_known());
}

#[test]
fn times_go_on_past_32_bits() {
    let mut streams = streams();
    for at in [0xFF_FFFF, 0x7FFF_FFFF, 0x8000_0001, 0xFFFF_FFFF, 0x1_0000_0010] {
        let packet = streams.take(&media(Kind::Video, at, AVC_KEY)).unwrap().unwrap();
        let at = i64::try_from(at).unwrap();
        assert_eq!((packet.dts(), packet.pts()), (Some(at), Some(at + 80)));
        assert_eq!(packet.data(), [9, 9]);
    }
}

#[test]
fn a_new_configuration_goes_with_the_packet_behind_it() {
    let mut streams = streams();
    streams.take(&media(Kind::Video, 0, AVC_HEADER)).unwrap();
    streams.is_open = [true; 2];
    let take = |streams: &mut FlvStreams| {
        let packet = streams.take(&media(Kind::Video, 40, AVC_KEY)).unwrap().unwrap();
        packet.new_extradata().map(<[u8]>::to_vec)
    };
    assert_eq!(take(&mut streams), None);
    streams.take(&media(Kind::Video, 0, AVC_HEADER)).unwrap();
    assert_eq!(take(&mut streams), None);
    streams.take(&media(Kind::Video, 40, &[0x17, 0, 0, 0, 0, 7])).unwrap();
    assert_eq!(take(&mut streams), Some(vec![7]));
    assert_eq!(take(&mut streams), None);
}

#[test]
fn what_is_no_flv_is_left_out() {
    let mut streams = streams();
    for bytes in [&[0x17][..], &[0x17, 9, 0, 0, 0], &[0xFF, 0], &[0x91], &[0x11, 0]] {
        assert!(streams.take(&media(Kind::Video, 0, bytes)).unwrap().is_none());
    }
    for bytes in [&[0xAF][..], &[0xAF, 9], &[0x9F, 0], &[0x91], &[0xF0, 0]] {
        assert!(streams.take(&media(Kind::Audio, 0, bytes)).unwrap().is_none());
    }
    assert!(streams.take(&media(Kind::Metadata, 0, &[2, 0, 99])).unwrap().is_none());
    assert!(streams.nothing().to_string().contains("nothing in it can be read"));
}

#[test]
fn rates_are_what_the_numbers_were_made_of() {
    for (number, num, den) in
        [(25.0, 25, 1), (29.97, 30_000, 1001), (23.976_023_97, 24_000, 1001), (12.5, 12_500, 1000)]
    {
        assert_eq!(rate_of(number), Rate::new(num, den), "{number}");
    }
    for number in [0.0, -1.0, 1000.0, f64::NAN, f64::INFINITY] {
        assert_eq!(rate_of(number), None);
    }
}
