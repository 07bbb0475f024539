//! Chunks: what has broken other readers, and that ours and our writer are each other's inverse.

use bytes::Bytes;
use frameloom_rtmp::chunk::{ChunkReader, ChunkWriter};
use frameloom_rtmp::message::{ControlMessage, Message, kind};
use frameloom_rtmp::{Error, Limits, OutputBuffer, TimestampUnwrapper};
use proptest::prelude::*;

fn message(chunk_stream: u32, timestamp: u32, payload: impl Into<Bytes>) -> Message {
    Message { chunk_stream, timestamp, kind: kind::VIDEO, stream_id: 1, payload: payload.into() }
}

fn read_with(reader: &mut ChunkReader, mut bytes: &[u8]) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut bytes)? {
        messages.push(message);
    }
    Ok(messages)
}

fn read(bytes: &[u8]) -> Result<Vec<Message>, Error> {
    read_with(&mut ChunkReader::new(Limits::default()), bytes)
}

fn write(messages: &[Message]) -> Vec<u8> {
    let mut writer = ChunkWriter::new();
    let mut output = OutputBuffer::new();
    messages.iter().for_each(|message| writer.write(message, &mut output).unwrap());
    std::iter::from_fn(|| output.poll()).flatten().collect()
}

/// A chunk of type 0 of a video message on message stream 1.
fn full(chunk_stream: u8, timestamp: u32, length: u32, payload: &[u8]) -> Vec<u8> {
    let field = timestamp.min(0xFF_FFFF);
    let mut bytes = vec![chunk_stream];
    bytes.extend(&field.to_be_bytes()[1..]);
    bytes.extend(&length.to_be_bytes()[1..]);
    bytes.extend([9, 1, 0, 0, 0]);
    if field == 0xFF_FFFF {
        bytes.extend(timestamp.to_be_bytes());
    }
    bytes.extend(payload);
    bytes
}

#[test]
fn interleaved_chunks_on_several_chunk_streams() {
    let streams = [3, 4, 5, 6, 7, 8, 9, 63_u8];
    let mut bytes = Vec::new();
    for &id in &streams {
        bytes.extend(full(id, 10, 300, &[id; 128]));
    }
    for count in [128, 44] {
        for &id in streams.iter().rev() {
            bytes.push(0xC0 | id);
            bytes.extend(vec![id; count]);
        }
    }
    let messages = read(&bytes).unwrap();
    let expected: Vec<_> =
        streams.iter().rev().map(|&id| message(id.into(), 10, vec![id; 300])).collect();
    assert!(messages == expected);
}

#[test]
fn a_message_that_shrinks_mid_assembly_starts_anew() {
    let mut bytes = full(4, 0, 300, &[1; 128]);
    bytes.extend(full(4, 40, 100, &[2; 100]));
    // The same by type 1, which has a length but no stream.
    bytes.extend(full(4, 0, 300, &[1; 128]));
    bytes.extend([0x44, 0, 0, 5, 0, 0, 50, 9]);
    bytes.extend([3; 50]);
    let mut reader = ChunkReader::new(Limits::default());
    let messages = read_with(&mut reader, &bytes).unwrap();
    assert_eq!(messages, [message(4, 40, vec![2; 100]), message(4, 5, vec![3; 50])]);
    assert_eq!((reader.dropped_messages(), reader.held_bytes()), (2, 0));
}

#[test]
fn a_message_that_grows_mid_assembly_starts_anew() {
    let mut bytes = full(4, 0, 200, &[1; 128]);
    bytes.extend(full(4, 0, 250, &[2; 128]));
    bytes.push(0xC4);
    bytes.extend([2; 122]);
    assert_eq!(read(&bytes).unwrap(), [message(4, 0, vec![2; 250])]);
}

#[test]
fn a_message_may_be_continued_by_a_header_that_says_the_same() {
    let mut bytes = full(4, 7, 200, &[1; 128]);
    bytes.extend([0x84, 0, 0, 0]);
    bytes.extend([1; 72]);
    assert_eq!(read(&bytes).unwrap(), [message(4, 7, vec![1; 200])]);
}

#[test]
fn fmt_3_starts_a_new_message() {
    // After type 0 the timestamp field is added again (FFmpeg, SRS), after 1 and 2 the difference.
    let mut bytes = full(4, 20, 2, &[1; 2]);
    bytes.extend([0xC4, 2, 2]);
    bytes.extend([0x84, 0, 0, 33, 3, 3]);
    bytes.extend([0xC4, 4, 4, 0xC4, 5, 5]);
    let times: Vec<_> = read(&bytes).unwrap().iter().map(|message| message.timestamp).collect();
    assert_eq!(times, [20, 40, 73, 106, 139]);
}

#[test]
fn fmt_3_starts_a_new_message_with_an_extended_timestamp() {
    let long = [0x01, 0, 0, 0_u8];
    for repeated in [&long[..], &[]] {
        // A difference of 2^24 ms, then the same again: with the field repeated or without.
        let mut bytes = full(4, 20, 2, &[1; 2]);
        bytes.extend([0x84, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 2, 2]);
        bytes.extend([&[0xC4], repeated, &[3, 3]].concat());
        // A short difference ends it.
        bytes.extend([0x84, 0, 0, 33, 4, 4, 0xC4, 5, 5]);
        let messages = read(&bytes).unwrap();
        let times: Vec<_> = messages.iter().map(|message| message.timestamp).collect();
        let expected = [20, 0x100_0014, 0x200_0014, 0x200_0035, 0x200_0056];
        assert_eq!(times, expected, "{repeated:?}");
        assert!(messages[2].payload == [3, 3][..] && messages[4].payload == [5, 5][..]);
    }
}

#[test]
fn fmt_3_continues_between_other_streams_messages() {
    let mut bytes = full(4, 20, 130, &[1; 128]);
    bytes.extend(full(5, 21, 1, &[9]));
    bytes.extend([0xC5, 8]);
    bytes.extend([0xC4, 1, 1]);
    let ids: Vec<_> = read(&bytes).unwrap().iter().map(|message| message.chunk_stream).collect();
    assert_eq!(ids, [5, 5, 4]);
}

#[test]
fn timestamps_cross_16_777_215_and_2_to_the_31_and_32_ms() {
    for boundary in [0xFF_FFFF_u32, 0x7FFF_FFFF, 0xFFFF_FFFF] {
        let messages: Vec<_> = (0..12)
            .map(|index| {
                message(6, boundary.wrapping_add(index * 13).wrapping_sub(65), vec![7; 300])
            })
            .collect();
        let bytes = write(&messages);
        assert!(read(&bytes).unwrap() == messages, "{boundary}");
        let mut timeline = TimestampUnwrapper::default();
        let times: Vec<_> =
            messages.iter().map(|message| timeline.unwrap_ms(message.timestamp)).collect();
        let first = u64::from(boundary) - 65;
        assert_eq!(times, (0..12).map(|index| first + index * 13).collect::<Vec<_>>());
    }
}

#[test]
fn extended_timestamps_are_repeated_on_continuations_or_not() {
    for time in [0xFF_FFFF_u32, 0x100_0000, 0xFFFF_FFFF] {
        let expected = [message(6, time, vec![7; 300]), message(6, time, vec![8; 3])];
        for repeated in [true, false] {
            let mut bytes = full(6, time, 300, &[7; 128]);
            for count in [128, 44] {
                bytes.push(0xC6);
                if repeated {
                    bytes.extend(time.to_be_bytes());
                }
                bytes.extend(vec![7; count]);
            }
            bytes.extend(full(6, time, 3, &[8; 3]));
            assert_eq!(read(&bytes).unwrap(), expected, "{time} {repeated}");
            // A byte at a time, too: whether it is repeated is known from the bytes alone.
            let mut reader = ChunkReader::new(Limits::default());
            let mut messages = Vec::new();
            for byte in &bytes {
                messages.extend(read_with(&mut reader, &[*byte]).unwrap());
            }
            assert_eq!(messages, expected);
        }
    }
}

#[test]
fn time_that_steps_back_is_kept() {
    let messages = [message(4, 1000, vec![1]), message(4, 960, vec![1]), message(4, 0, vec![1])];
    assert_eq!(read(&write(&messages)).unwrap(), messages);
    let mut timeline = TimestampUnwrapper::default();
    let times = [5_000_000, 0, 5_000_040].map(|time| timeline.unwrap_ms(time));
    assert_eq!(times, [5_000_000, 0, 5_000_040]);
}

#[test]
fn times_a_little_below_zero_are_zero_and_do_no_lasting_harm() {
    let mut timeline = TimestampUnwrapper::default();
    let wire = [5, 0xFFFF_FFFA, 0xFFFF_F000, 12, 25];
    assert_eq!(wire.map(|time| timeline.unwrap_ms(time)), [5, 0, 0, 12, 25]);
    // Far below zero is no step back.
    let mut timeline = TimestampUnwrapper::default();
    let wire = [0, 3_000_000_000, 3_000_000_040];
    assert_eq!(wire.map(|time| timeline.unwrap_ms(time)), wire.map(u64::from));
}

#[test]
fn a_time_of_zero_past_2_to_the_31_does_no_lasting_harm() {
    let mut timeline = TimestampUnwrapper::default();
    assert_eq!(timeline.unwrap_ms(3_000_000_000), 3_000_000_000);
    timeline.unwrap_ms(0);
    assert_eq!(timeline.unwrap_ms(3_000_000_040), 3_000_000_040);
}

#[test]
fn oversized_and_negative_lengths_are_refused() {
    for length in [0xFF_FFFF, 0x80_0001] {
        let error = Error::MessageLength { length: length as usize, limit: 8 << 20 };
        assert_eq!(read(&full(4, 0, length, &[])), Err(error));
    }
    assert!(read(&full(4, 0, 8 << 20, &[])).unwrap().is_empty());
    for size in [0_u32, 0x8000_0000, 0xFFFF_FFFF] {
        let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];
        bytes.extend(size.to_be_bytes());
        assert_eq!(read(&bytes), Err(Error::ChunkSize(size)));
    }
    let short = [2, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 1, 2, 3];
    // One that is too short says nothing.
    assert_eq!(read(&short).unwrap().len(), 1);
}

#[test]
fn chunk_streams_and_unfinished_bytes_are_limited() {
    let bytes: Vec<u8> = (2..64).flat_map(|id| full(id, 0, 1, &[0])).collect();
    let mut reader = ChunkReader::new(Limits::default());
    assert_eq!(read_with(&mut reader, &bytes).unwrap().len(), 62);
    let more: Vec<u8> = [0_u8, 1, 2]
        .iter()
        .flat_map(|id| {
            let mut chunk = full(0, 0, 1, &[0]);
            chunk.insert(1, *id);
            chunk
        })
        .collect();
    assert_eq!(read_with(&mut reader, &more), Err(Error::ChunkStreams(64)));

    let limits = Limits { connection_bytes: 1000, ..Limits::default() };
    let bytes: Vec<u8> = (4..12).flat_map(|id| full(id, 0, 5000, &[0; 128])).collect();
    let result = read_with(&mut ChunkReader::new(limits), &bytes);
    assert_eq!(result, Err(Error::ConnectionBytes(1000)));
}

#[test]
fn a_chunk_stream_has_to_begin_with_a_header() {
    let error = Error::NoHeader { chunk_stream: 4, format: 3 };
    assert_eq!(read(&[0xC4, 0]), Err(error));
}

#[test]
fn an_aborted_message_is_dropped() {
    let mut bytes = full(4, 0, 300, &[1; 128]);
    bytes.extend(write(&[ControlMessage::Abort(4).message()]));
    bytes.extend(full(4, 9, 2, &[2; 2]));
    let messages = read(&bytes).unwrap();
    assert_eq!(messages[1..], [message(4, 9, vec![2; 2])]);
}

#[test]
fn a_chunk_size_takes_effect_within_another_message() {
    let mut bytes = full(4, 0, 300, &[1; 128]);
    bytes.extend(write(&[ControlMessage::SetChunkSize(1000).message()]));
    bytes.push(0xC4);
    bytes.extend([1; 172]);
    assert_eq!(read(&bytes).unwrap()[1..], [message(4, 0, vec![1; 300])]);
}

#[test]
fn headers_are_as_short_as_every_reader_understands() {
    let at = |time, length| message(4, time, vec![1; length]);
    // In full; type 1; type 3 with the same difference; type 2; type 3; time steps back; a leap.
    let messages =
        [at(0, 5), at(20, 6), at(40, 6), at(70, 6), at(100, 6), at(80, 6), at(0x100_0100, 6)];
    let expected = [12, 8, 1, 4, 1, 12, 16];
    let mut writer = ChunkWriter::new();
    for (message, header) in messages.iter().zip(expected) {
        let mut output = OutputBuffer::new();
        writer.write(message, &mut output).unwrap();
        assert_eq!(output.bytes() - message.payload.len(), header, "{message:?}");
    }
    assert_eq!(read(&write(&messages)).unwrap(), messages);
}

fn any_message() -> impl Strategy<Value = Message> {
    let chunk_stream = prop_oneof![3_u32..10, 60_u32..70, 315_u32..325, 65_590_u32..65_600];
    let timestamp = prop_oneof![
        0_u32..100,
        0xFF_FFF0_u32..0x100_0010,
        0x7FFF_FFF0_u32..0x8000_0010,
        0xFFFF_FFF0_u32..=0xFFFF_FFFF,
        any::<u32>(),
    ];
    let kind = prop_oneof![Just(kind::AUDIO), Just(kind::VIDEO), Just(kind::DATA_AMF0)];
    let length = prop_oneof![Just(0_usize), 1..300_usize, Just(128), Just(129), 0..20_000_usize];
    (chunk_stream, timestamp, kind, 0_u32..3, length, any::<u8>()).prop_map(
        |(chunk_stream, timestamp, kind, stream_id, length, fill)| Message {
            chunk_stream,
            timestamp,
            kind,
            stream_id,
            payload: vec![fill; length].into(),
        },
    )
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let chunk_size = (1_u32..70_000).prop_map(|size| ControlMessage::SetChunkSize(size).message());
    prop::collection::vec(prop_oneof![9 => any_message(), 1 => chunk_size], 0..30)
}

proptest! {
    #[test]
    fn what_is_written_is_read(messages in messages()) {
        prop_assert!(read(&write(&messages)).unwrap() == messages);
    }

    #[test]
    fn any_split_of_the_bytes_gives_the_same_messages(
        messages in messages(), splits in prop::collection::vec(1_usize..400, 1..20),
    ) {
        let bytes = write(&messages);
        let mut reader = ChunkReader::new(Limits::default());
        let mut got = Vec::new();
        let mut rest = &bytes[..];
        for split in splits.iter().cycle() {
            let (piece, after) = rest.split_at((*split).min(rest.len()));
            got.extend(read_with(&mut reader, piece).unwrap());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(got == messages);
        prop_assert_eq!(reader.held_bytes(), 0);
    }

    /// Bytes that are mostly headers: where a read stops and goes on makes no difference.
    #[test]
    fn any_bytes_are_read_the_same_in_pieces_or_refused(
        bytes in prop::collection::vec(
            prop_oneof![Just(0_u8), Just(0xFF), Just(4), Just(0xC4), Just(0x44), any::<u8>()],
            0..600),
    ) {
        let mut whole = ChunkReader::new(Limits::default());
        let mut pieces = ChunkReader::new(Limits::default());
        let mut first = Vec::new();
        let mut rest = &bytes[..];
        let first_error = loop {
            match whole.read(&mut rest) {
                Ok(Some(message)) => first.push(message),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let mut second = Vec::new();
        let mut second_error = None;
        for byte in &bytes {
            match read_with(&mut pieces, &[*byte]) {
                Ok(messages) => second.extend(messages),
                Err(error) => {
                    second_error = Some(error);
                    break;
                }
            }
        }
        prop_assert_eq!(first, second);
        prop_assert_eq!(first_error, second_error);
    }
}
