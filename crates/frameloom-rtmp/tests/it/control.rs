//! A server session fed message by message: control messages, envelopes, aggregates, and the
//! commands that clients send besides publishing and playing. And credentials in queries.

use bytes::{Bytes, BytesMut};
use frameloom_rtmp::amf0::AmfError;
use frameloom_rtmp::auth::{AuthScheme, Challenge};
use frameloom_rtmp::command::CommandMessage;
use frameloom_rtmp::message::{BandwidthLimit, ControlMessage, Message, UserControl, kind};
use frameloom_rtmp::{Error, MediaType, Secret, ServerEvent};

use crate::far_end::{FarEnd, connect};

fn media(kind: u8, timestamp: u32, payload: impl Into<Bytes>) -> Message {
    Message { chunk_stream: 6, timestamp, kind, stream_id: 1, payload: payload.into() }
}

#[test]
fn commands_in_the_amf3_envelope_are_read() {
    let mut peer = FarEnd::new();
    let plain = connect(&[("app", "live".into())]);
    let payload = [&[0], &plain.payload[..]].concat().into();
    peer.send(&Message { kind: kind::COMMAND_AMF3, payload, ..plain }).unwrap();
    match peer.session.poll_event() {
        Some(ServerEvent::Connected(request)) => assert_eq!(request.app, "live"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn commands_besides_are_answered_politely() {
    let mut peer = FarEnd::connected();
    assert_eq!(peer.call("createStream", 2.0, vec![], 0), ["_result"]);
    assert_eq!(peer.call("seek", 0.0, vec![1.0.into()], 1), ["onStatus NetStream.Seek.Failed"]);
    assert_eq!(peer.call("getStreamLength", 3.0, vec!["camera".into()], 0), ["_result"]);
    assert_eq!(peer.call("releaseStream", 4.0, vec!["camera".into()], 0), ["_result"]);
    assert_eq!(peer.call("whatever", 5.0, vec![], 0), ["_error NetConnection.Call.Failed"]);
    assert!(peer.call("whatever", 0.0, vec![], 0).is_empty());
    peer.call("play", 0.0, vec!["camera".into()], 1);
    peer.session.accept(1).unwrap();
    let codes = peer.call("pause", 0.0, vec![true.into(), 0.0.into()], 1);
    assert!(codes.contains(&"onStatus NetStream.Pause.Notify".to_owned()), "{codes:?}");
    peer.call("deleteStream", 0.0, vec![1.0.into()], 0);
    let last = peer.events().pop();
    assert_eq!(last, Some(ServerEvent::PlayEnded { stream_id: 1 }));
    assert_eq!(peer.session.accept(1), Err(Error::Stream(1)));
}

#[test]
fn a_command_before_connect_ends_it() {
    let mut peer = FarEnd::new();
    let create = CommandMessage::new("createStream", 1.0, vec![]).message(0);
    assert_eq!(peer.send(&create), Err(Error::Command("a command before connect")));
}

#[test]
fn pings_and_windows_are_answered() {
    let mut peer = FarEnd::publishing();
    let ping = ControlMessage::User(UserControl::PingRequest(77)).message();
    let pong = ControlMessage::User(UserControl::PingResponse(77));
    let answers = peer.send(&ping).unwrap();
    assert_eq!(ControlMessage::parse(&answers[answers.len() - 1]).unwrap(), Some(pong));
    peer.send(&ControlMessage::WindowAckSize(5000).message()).unwrap();
    let before = peer.send(&media(kind::VIDEO, 0, vec![0; 100])).unwrap().len();
    let after = peer.send(&media(kind::VIDEO, 40, vec![0; 6000])).unwrap();
    assert!(before <= 1);
    assert_eq!(after.last().map(|message| message.kind), Some(kind::ACKNOWLEDGEMENT));
}

#[test]
fn control_messages_that_are_too_short_are_ignored() {
    let mut peer = FarEnd::publishing();
    let types = [
        (kind::SET_CHUNK_SIZE, 4),
        (kind::ABORT, 4),
        (kind::ACKNOWLEDGEMENT, 4),
        (kind::USER_CONTROL, 6),
        (kind::WINDOW_ACK_SIZE, 4),
        (kind::SET_PEER_BANDWIDTH, 4),
    ];
    for (kind, needed) in types {
        for length in 0..needed {
            // A ping without its time, where it is a user control message.
            let payload = [0, 6, 1, 2, 3].get(..length).unwrap().to_vec().into();
            let message = Message { chunk_stream: 2, timestamp: 0, kind, stream_id: 0, payload };
            assert_eq!(peer.send(&message).unwrap(), [], "type {kind}, {length} bytes");
        }
    }
    // The player's buffer without its length.
    let payload = Bytes::from_static(&[0, 3, 0, 0, 0, 1, 0, 0]);
    let short = Message { kind: kind::USER_CONTROL, payload, ..media(0, 0, vec![]) };
    assert_eq!(peer.send(&short).unwrap(), []);
    peer.send(&media(kind::VIDEO, 0, vec![0x17; 10])).unwrap();
    assert_eq!(peer.events().len(), 1);
}

#[test]
fn the_parts_of_an_aggregate_do_not_keep_it_in_memory() {
    let mut peer = FarEnd::publishing();
    let mut payload = vec![kind::AUDIO, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xAF, 1, 2, 0, 0, 0, 14];
    payload.extend([7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    payload.resize(payload.len() + 0x1_0000, 0);
    let whole = Bytes::from(payload);
    peer.session.set_input_bytes(usize::MAX);
    peer.send(&media(kind::AGGREGATE, 0, whole)).unwrap();
    match peer.events().pop() {
        Some(ServerEvent::Media(part)) => {
            // The only reference to its memory, which has room for nothing else.
            let part = part.payload.try_into_mut().unwrap();
            assert_eq!((part.len(), part.capacity()), (3, 3));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_aggregate_of_many_parts_leaves_no_room_behind() {
    let mut peer = FarEnd::publishing();
    let before = peer.session.held_bytes();
    let tag = [kind::AUDIO, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xAF, 1, 0, 0, 0, 13];
    peer.send(&media(kind::AGGREGATE, 0, tag.repeat(20_000))).unwrap();
    assert!(peer.session.held_bytes() > before + 1_000_000);
    assert_eq!(peer.events().len(), 20_000);
    assert!(peer.session.held_bytes() < before + 20_000);
}

#[test]
fn a_client_may_be_given_little_room_before_it_publishes() {
    let mut peer = FarEnd::connected();
    peer.session.set_input_bytes(10_000);
    let error = peer.send(&media(kind::VIDEO, 0, vec![0; 20_000])).unwrap_err();
    assert_eq!(error, Error::ConnectionBytes(10_000));
    // What waits for an answer counts, and is told.
    let mut peer = FarEnd::connected();
    peer.session.set_input_bytes(10_000);
    peer.call("publish", 0.0, vec!["camera".into()], 1);
    let before = peer.session.held_bytes();
    peer.send(&media(kind::VIDEO, 0, vec![0; 6000])).unwrap();
    assert!(peer.session.waiting_bytes() >= 6000);
    assert!(peer.session.held_bytes() >= before + 6000);
    let error = peer.send(&media(kind::VIDEO, 0, vec![0; 6000])).unwrap_err();
    assert_eq!(error, Error::ConnectionBytes(10_000));
    // A player's output doesn't.
    let mut peer = FarEnd::connected();
    peer.session.set_input_bytes(10_000);
    peer.call("play", 0.0, vec!["camera".into()], 1);
    peer.session.accept(1).unwrap();
    peer.session.send_media(1, MediaType::Video, 0, vec![0; 500_000].into()).unwrap();
    let mut output = frameloom_rtmp::OutputBuffer::new();
    let mut writer = frameloom_rtmp::chunk::ChunkWriter::new();
    writer.write(&ControlMessage::Acknowledgement(1).message(), &mut output).unwrap();
    while let Some(piece) = output.poll() {
        peer.session.receive(&piece).unwrap();
    }
}

/// Wirecast says nothing of a window, and stops when nothing is acknowledged.
#[test]
fn a_peer_that_names_no_window_is_acknowledged_after_ours() {
    let mut peer = FarEnd::publishing();
    let acknowledged = |answers: Vec<Message>| {
        answers.iter().filter(|answer| answer.kind == kind::ACKNOWLEDGEMENT).count()
    };
    assert_eq!(acknowledged(peer.send(&media(kind::VIDEO, 0, vec![0; 2_400_000])).unwrap()), 0);
    assert_eq!(acknowledged(peer.send(&media(kind::VIDEO, 40, vec![0; 200_000])).unwrap()), 1);
    assert_eq!(acknowledged(peer.send(&media(kind::VIDEO, 80, vec![0; 200_000])).unwrap()), 0);
}

#[test]
fn a_bandwidth_is_answered_with_a_window_once() {
    let mut peer = FarEnd::publishing();
    let mut windows = |window, limit| {
        let answers =
            peer.send(&ControlMessage::SetPeerBandwidth { window, limit }.message()).unwrap();
        let controls = answers.iter().filter_map(|answer| ControlMessage::parse(answer).unwrap());
        controls
            .filter(|control| matches!(control, ControlMessage::WindowAckSize(_)))
            .collect::<Vec<_>>()
    };
    assert_eq!(windows(5000, BandwidthLimit::Hard), [ControlMessage::WindowAckSize(5000)]);
    assert_eq!(windows(5000, BandwidthLimit::Soft), []);
    assert_eq!(windows(9000, BandwidthLimit::Dynamic), []);
    assert_eq!(windows(9000, BandwidthLimit::Soft), [ControlMessage::WindowAckSize(9000)]);
}

#[test]
fn an_output_that_is_full_does_not_fail_the_peers_short_messages() {
    let mut peer = FarEnd::connected();
    peer.call("createStream", 2.0, vec![], 0);
    peer.call("play", 0.0, vec!["camera".into()], 1);
    peer.session.accept(1).unwrap();
    for length in [8000, 1] {
        let payload = Bytes::from(vec![7; length]);
        while peer.session.send_media(1, MediaType::Video, 0, payload.clone()).is_ok() {}
    }
    let full = peer.session.output_bytes();
    // Straight to the session: nothing is read from it.
    let mut output = frameloom_rtmp::OutputBuffer::new();
    let mut writer = frameloom_rtmp::chunk::ChunkWriter::new();
    writer.write(&ControlMessage::Acknowledgement(1).message(), &mut output).unwrap();
    writer
        .write(&ControlMessage::User(UserControl::PingRequest(7)).message(), &mut output)
        .unwrap();
    while let Some(piece) = output.poll() {
        peer.session.receive(&piece).unwrap();
    }
    assert!(peer.session.output_bytes() > full);
}

/// As raw chunks, since a right writer writes no such thing.
#[test]
fn a_message_that_shrinks_mid_assembly_does_not_end_a_session() {
    let mut peer = FarEnd::publishing();
    let mut bytes = vec![7, 0, 0, 0, 0, 1, 44, 9, 1, 0, 0, 0];
    bytes.extend([0x17; 128]);
    bytes.extend([7, 0, 0, 40, 0, 0, 3, 9, 1, 0, 0, 0, 0x27, 1, 2]);
    peer.session.receive(&bytes).unwrap();
    match &peer.events()[..] {
        [ServerEvent::Media(media)] => {
            assert_eq!((media.timestamp_ms, &media.payload[..]), (40, &[0x27, 1, 2][..]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_of_250_kb_of_nested_amf0_ends_its_session_and_nothing_else() {
    let call = CommandMessage::new("x", 5.0, vec![]).message(0);
    for nested in [&[0x03, 0, 1, b'a'][..], &[0x0A, 0, 0, 0, 1], &[0x11, 9, 3, 1]] {
        let payload = [&call.payload, &nested.repeat(250_000 / nested.len())[..]].concat();
        let message = Message { payload: payload.into(), ..call.clone() };
        let error = FarEnd::connected().send(&message).unwrap_err();
        let deep = matches!(error, Error::Amf(AmfError::Depth(32)));
        // AMF0's marker can't stand within AMF3.
        assert!(deep || error == Error::Amf(AmfError::Marker(0x11)), "{error}");
    }
}

#[test]
fn an_aggregate_is_taken_apart() {
    let mut peer = FarEnd::publishing();
    let mut aggregate = BytesMut::new();
    for (tag, time, fill) in [(9, 500_u32, 1), (8, 520, 2), (9, 540, 3)] {
        aggregate.extend_from_slice(&[tag, 0, 0, 2]);
        aggregate.extend_from_slice(&time.to_be_bytes()[1..]);
        aggregate.extend_from_slice(&[0, 0, 0, 0, fill, fill, 0, 0, 0, 13]);
    }
    // A tag that claims more than there is ends it.
    aggregate.extend_from_slice(&[9, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 1]);
    peer.send(&media(kind::AGGREGATE, 1000, aggregate.freeze())).unwrap();
    let got: Vec<_> = peer
        .events()
        .into_iter()
        .map(|event| match event {
            ServerEvent::Media(media) => (media.kind, media.timestamp_ms, media.payload[0]),
            other => panic!("{other:?}"),
        })
        .collect();
    let (audio, video) = (MediaType::Audio, MediaType::Video);
    assert_eq!(got, [(video, 1000, 1), (audio, 1020, 2), (video, 1040, 3)]);
}

#[test]
fn an_aggregate_of_half_a_million_tags_is_too_much() {
    let mut peer = FarEnd::publishing();
    let tag = [8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xAF, 0, 0, 0, 12];
    let mut send = |count| peer.send(&media(kind::AGGREGATE, 0, tag.repeat(count)));
    send(20_000).unwrap();
    assert_eq!(send(500_000), Err(Error::ConnectionBytes(16 << 20)));
    // What was understood before stands.
    let events = peer.events().len();
    assert!((20_000..200_000).contains(&events), "{events}");
}

#[test]
fn metadata_that_is_no_amf0_is_passed_on_as_data() {
    let mut peer = FarEnd::publishing();
    peer.send(&media(kind::DATA_AMF0, 0, vec![2, 0xFF, 0xFF])).unwrap();
    peer.send(&media(kind::DATA_AMF0, 0, [0x0A, 0, 0, 0, 1].repeat(20_000))).unwrap();
    // A keep-alive of no bytes is no tag.
    peer.send(&media(kind::VIDEO, 0, vec![])).unwrap();
    assert_eq!(peer.events().len(), 2);
}

#[test]
fn adobe_credentials_take_three_connections() {
    let secret = Secret::from("secret");
    let need = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
    let first = Challenge::parse(need).unwrap();
    assert_eq!(first.answer("live", "me", &secret, 0).expose(), "?authmod=adobe&user=me");
    let second = "[ AccessManager.Reject ] : [ authmod=adobe ] : \
                  ?reason=needauth&user=me&salt=salt1&challenge=chal&opaque=opq";
    let second = Challenge::parse(second).unwrap();
    assert_eq!(
        second.answer("live", "me", &secret, 0xBEEF).expose(),
        "?authmod=adobe&user=me&challenge=0000beef&response=YvN1P4Lb/cWlTCZ6fAicvQ==&opaque=opq"
    );
    let plain = "[ authmod=adobe ] : ?reason=needauth&user=me&salt=salt1&challenge=chal";
    assert_eq!(
        Challenge::parse(plain).unwrap().answer("live", "me", &secret, 0xBEEF).expose(),
        "?authmod=adobe&user=me&challenge=0000beef&response=if6pQ1IJr2TiHxYY1Sua3w=="
    );
    assert_eq!(Challenge::parse("[ authmod=adobe ] : ?reason=authfailed&opaque=x"), None);
    assert_eq!(Challenge::parse("no such application"), None);
    assert!(!format!("{second:?}").contains("salt1"));
}

#[test]
fn limelight_credentials_are_answered() {
    let asked = "[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&user=me&nonce=nnn";
    let challenge = Challenge::parse(asked).unwrap();
    assert_eq!(challenge.scheme(), AuthScheme::Limelight);
    assert_eq!(
        challenge.answer("live", "me", &Secret::from("secret"), 0xBEEF).expose(),
        "?authmod=llnw&user=me&nonce=nnn&cnonce=0000beef&nc=00000001\
         &response=f1e6b6b4bac510fd38299db7c0562ada"
    );
}
