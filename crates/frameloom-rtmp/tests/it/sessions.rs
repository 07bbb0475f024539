//! A client session against a server session, in memory.

use bytes::Bytes;
use frameloom_rtmp::handshake::DigestScheme;
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, Error, Limits, Media, MediaType,
    PublishKind, Refusal, Secret, ServerEvent, ServerSession, ServerSessionConfig,
};
use proptest::prelude::*;

const PLAY: ClientRole = ClientRole::Play { buffer_ms: 500 };
const PUBLISH: ClientRole = ClientRole::Publish(PublishKind::Live);

struct Pair {
    client: ClientSession,
    server: ServerSession,
    split: usize,
    client_events: Vec<ClientEvent>,
    server_events: Vec<ServerEvent>,
    answer: fn(&mut ServerSession, u32),
}

fn yes(server: &mut ServerSession, stream_id: u32) {
    server.accept(stream_id).unwrap();
}

fn config(role: ClientRole) -> ClientConfig {
    ClientConfig::new("rtmp://localhost/live", "live?user=me", "camera?token=1", role)
}

impl Pair {
    fn new(config: ClientConfig, split: usize) -> Self {
        Pair {
            client: ClientSession::new(config),
            server: ServerSession::new(ServerSessionConfig::default()),
            split,
            client_events: Vec::new(),
            server_events: Vec::new(),
            answer: yes,
        }
    }

    fn run(&mut self) {
        loop {
            let mut to_server = Vec::new();
            while let Some(piece) = self.client.poll_output() {
                to_server.extend_from_slice(&piece);
            }
            to_server.chunks(self.split).for_each(|piece| self.server.receive(piece).unwrap());
            while let Some(event) = self.server.poll_event() {
                match &event {
                    ServerEvent::PublishRequested(request) => {
                        (self.answer)(&mut self.server, request.stream_id);
                    }
                    ServerEvent::PlayRequested(request) => {
                        (self.answer)(&mut self.server, request.stream_id);
                    }
                    _ => {}
                }
                self.server_events.push(event);
            }
            let mut to_client = Vec::new();
            while let Some(piece) = self.server.poll_output() {
                to_client.extend_from_slice(&piece);
            }
            to_client.chunks(self.split).for_each(|piece| self.client.receive(piece).unwrap());
            while let Some(event) = self.client.poll_event() {
                self.client_events.push(event);
            }
            if to_server.is_empty() && to_client.is_empty() {
                break;
            }
        }
    }
}

fn started(role: ClientRole, digest: Option<DigestScheme>, split: usize) -> Pair {
    let mut pair = Pair::new(ClientConfig { digest, ..config(role) }, split);
    pair.run();
    assert_eq!(pair.client_events.last(), Some(&ClientEvent::Started));
    pair
}

/// As a message stream has it: a picture of 100 KB, sound, metadata, and times of all sizes.
fn sample() -> Vec<Media> {
    let times = [0, 40, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 0x7FFF_FFFF, 0x8000_0010];
    let times = times.into_iter().chain([0xFFFF_FFF0, 0x1_0000_0005, 0x1_0000_0019]);
    let mut all = Vec::new();
    for (index, timestamp_ms) in times.enumerate() {
        let video = Bytes::from(vec![u8::try_from(index).unwrap(); 100_000]);
        let mut metadata = vec![2, 0, 10];
        metadata.extend(b"onMetaData\x08\0\0\0\0\0\0\x09");
        let parts = [
            (MediaType::Video, video),
            (MediaType::Audio, Bytes::from(vec![0xAF; 300])),
            (MediaType::Metadata, Bytes::from(metadata)),
            (MediaType::Data, Bytes::from_static(b"\x02\0\x05onCue\x05")),
        ];
        for (kind, payload) in parts {
            all.push(Media { stream_id: 1, kind, timestamp_ms, payload });
        }
    }
    all
}

#[test]
fn published_media_arrives_bit_for_bit() {
    let schemes = [None, Some(DigestScheme::KeyFirst), Some(DigestScheme::DigestFirst)];
    for digest in schemes {
        let mut pair = started(PUBLISH, digest, 1000);
        match &pair.server_events[..] {
            [ServerEvent::Connected(connect), ServerEvent::PublishRequested(publish)] => {
                assert_eq!((connect.app.as_str(), connect.parameter("user")), ("live", Some("me")));
                assert!(connect.four_ccs.iter().any(|code| code == "hvc1"));
                assert_eq!(publish.key.name(), "camera");
                assert_eq!(publish.key.parameter("token"), Some("1"));
            }
            other => panic!("{other:?}"),
        }
        pair.server_events.clear();
        for media in sample() {
            pair.client.send_media(media.kind, media.timestamp_ms, media.payload).unwrap();
        }
        pair.client.finish().unwrap();
        pair.run();
        let last = pair.server_events.pop();
        assert_eq!(last, Some(ServerEvent::PublishEnded { stream_id: 1 }));
        let sent: Vec<_> = sample().into_iter().map(ServerEvent::Media).collect();
        assert!(pair.server_events == sent);
    }
}

#[test]
fn played_media_arrives_bit_for_bit() {
    let mut pair = started(PLAY, None, 777);
    pair.client_events.clear();
    for media in sample() {
        pair.server.send_media(1, media.kind, media.timestamp_ms, media.payload).unwrap();
    }
    pair.server.finish_play(1).unwrap();
    pair.run();
    let code = "NetStream.Play.UnpublishNotify".to_owned();
    assert_eq!(pair.client_events.pop(), Some(ClientEvent::Ended { code }));
    let sent: Vec<_> = sample().into_iter().map(ClientEvent::Media).collect();
    assert!(pair.client_events == sent);
}

/// Sound and pictures across `boundary`, out of step as they are on the wire.
fn across(boundary: u64) -> Vec<Media> {
    let media = |kind, timestamp_ms: u64, length: usize| {
        // Equal lengths and differences make for the shortest headers.
        let payload = vec![u8::try_from(timestamp_ms % 251).unwrap(); length].into();
        Media { stream_id: 1, kind, timestamp_ms, payload }
    };
    let steps = (0..20).flat_map(|index| {
        let time = boundary - 200 + index * 20;
        [media(MediaType::Video, time, 3000), media(MediaType::Audio, time + 7, 200)]
    });
    steps.collect()
}

#[test]
fn sessions_keep_time_across_16_777_215_and_2_to_the_31_and_32_ms() {
    for boundary in [0xFF_FFFF, 1 << 31, 1 << 32] {
        // In one chunk and in many, on which the extended timestamp is repeated.
        for chunk_size in [65_536, 128] {
            let mut pair = Pair::new(ClientConfig { chunk_size, ..config(PUBLISH) }, 100);
            pair.run();
            pair.server_events.clear();
            for media in across(boundary) {
                pair.client.send_media(media.kind, media.timestamp_ms, media.payload).unwrap();
            }
            pair.run();
            let sent: Vec<_> = across(boundary).into_iter().map(ServerEvent::Media).collect();
            assert!(pair.server_events == sent, "published {boundary} {chunk_size}");

            let server = ServerSessionConfig { chunk_size, ..ServerSessionConfig::default() };
            let mut pair = Pair::new(config(PLAY), 100);
            pair.server = ServerSession::new(server);
            pair.run();
            pair.client_events.clear();
            for media in across(boundary) {
                pair.server.send_media(1, media.kind, media.timestamp_ms, media.payload).unwrap();
            }
            pair.run();
            let sent: Vec<_> = across(boundary).into_iter().map(ClientEvent::Media).collect();
            assert!(pair.client_events == sent, "played {boundary} {chunk_size}");
        }
    }
}

#[test]
fn a_refused_connect_and_a_reconnect_request_reach_the_client() {
    let held = ServerSessionConfig { hold_connect: true, ..ServerSessionConfig::default() };
    let mut pair = Pair::new(config(PUBLISH), 100);
    pair.server = ServerSession::new(held);
    pair.run();
    assert!(matches!(pair.server_events[..], [ServerEvent::ConnectRequested(_)]));
    assert!(pair.client_events.is_empty());
    let asked = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
    pair.server.refuse_connect(asked).unwrap();
    pair.run();
    match &pair.client_events[..] {
        [ClientEvent::Refused { code, challenge: Some(_), .. }] => {
            assert_eq!(code, "NetConnection.Connect.Rejected");
        }
        other => panic!("{other:?}"),
    }

    let mut pair = started(PUBLISH, None, 100);
    pair.client_events.clear();
    pair.server.request_reconnect(Some("/other")).unwrap();
    pair.server.request_reconnect(None).unwrap();
    pair.run();
    let tc_url = Some(Secret::from("rtmp://localhost/other"));
    let events = [tc_url, None].map(|tc_url| ClientEvent::ReconnectRequested { tc_url });
    assert_eq!(pair.client_events, events);
    let fresh = &mut ServerSession::new(ServerSessionConfig::default());
    assert!(fresh.request_reconnect(None).is_err());
}

#[test]
fn a_payload_is_not_copied_for_a_player() {
    let mut pair = started(PLAY, None, 1000);
    let payload = Bytes::from(vec![7; 60_000]);
    pair.server.send_media(1, MediaType::Video, 0, payload.clone()).unwrap();
    let mut shared = false;
    while let Some(piece) = pair.server.poll_output() {
        shared |= piece.as_ptr() == payload.as_ptr() && piece.len() == payload.len();
    }
    assert!(shared);
}

#[test]
fn a_refusal_reaches_the_client() {
    for (role, code) in
        [(PUBLISH, "NetStream.Publish.BadName"), (PLAY, "NetStream.Play.StreamNotFound")]
    {
        let mut pair = Pair::new(config(role), 100);
        pair.answer = |server, id| server.refuse(id, Refusal::NotFound).unwrap();
        pair.run();
        match pair.client_events.last() {
            Some(ClientEvent::Refused { code: got, challenge: None, .. }) => assert_eq!(got, code),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn media_before_the_answer_is_held() {
    let mut pair = Pair::new(config(PUBLISH), 1000);
    pair.answer = |_, _| {};
    pair.run();
    // A publisher that does not wait: the same bytes as one that was accepted sends.
    let mut eager = started(PUBLISH, None, 1000);
    for media in sample().into_iter().take(8) {
        eager.client.send_media(media.kind, media.timestamp_ms, media.payload).unwrap();
    }
    while let Some(piece) = eager.client.poll_output() {
        pair.server.receive(&piece).unwrap();
    }
    assert_eq!(pair.server.poll_event(), None);
    pair.server.accept(1).unwrap();
    let held: Vec<_> = std::iter::from_fn(|| pair.server.poll_event()).collect();
    let sent: Vec<_> = sample().into_iter().take(8).map(ServerEvent::Media).collect();
    assert!(held == sent);
}

#[test]
fn a_player_that_stops_reading_fills_its_output_and_no_more() {
    let mut pair = started(PLAY, None, 1000);
    let payload = Bytes::from(vec![7; 1 << 20]);
    let sent = (0..100)
        .take_while(|index| {
            pair.server.send_media(1, MediaType::Video, index * 40, payload.clone()).is_ok()
        })
        .count();
    assert_eq!(sent, 15);
    assert!(pair.server.output_bytes() <= 16 << 20);
    // It reads again: nothing was lost by half.
    pair.client_events.clear();
    pair.run();
    assert_eq!(pair.client_events.len(), 15);
    pair.server.send_media(1, MediaType::Video, 0, payload).unwrap();
}

#[test]
fn another_protocol_is_known_by_its_first_byte() {
    let mut server = ServerSession::new(ServerSessionConfig::default());
    assert_eq!(server.receive(b"GET / HTTP/1.1\r\n"), Err(Error::Version(b'G')));
    assert_eq!(server.receive(&[3]), Err(Error::Failed));
}

#[test]
fn debug_output_has_no_stream_key() {
    let mut pair = started(PUBLISH, None, 1000);
    pair.client.finish().unwrap();
    let session = format!("{:?} {:?}", pair.client, pair.server);
    for text in [session, format!("{:?} {:?}", pair.client_events, pair.server_events)] {
        assert!(!text.contains("camera") && !text.contains("token"), "{text}");
        assert!(!text.contains("user=me"), "{text}");
    }
}

#[test]
fn streams_and_nesting_on_a_connection_are_limited() {
    use frameloom_rtmp::chunk::ChunkWriter;
    use frameloom_rtmp::command::CommandMessage;
    use frameloom_rtmp::{OutputBuffer, amf0};
    let mut client = ClientSession::new(config(PLAY));
    let mut server = ServerSession::new(ServerSessionConfig {
        limits: Limits { message_streams: 2, ..Limits::default() },
        ..ServerSessionConfig::default()
    });
    while let Some(piece) = client.poll_output() {
        server.receive(&piece).unwrap();
    }
    server.receive(&[0; 1536]).unwrap();
    let mut output = OutputBuffer::new();
    let mut writer = ChunkWriter::new();
    let connect =
        CommandMessage { object: amf0::object([]), ..CommandMessage::new("connect", 1.0, vec![]) };
    writer.write(&connect.message(0), &mut output).unwrap();
    for transaction in [2.0, 3.0, 4.0] {
        let create = CommandMessage::new("createStream", transaction, vec![]);
        writer.write(&create.message(0), &mut output).unwrap();
    }
    let nested = (0..40).fold(amf0::Value::Null, |value, _| amf0::Value::StrictArray(vec![value]));
    writer.write(&CommandMessage::new("x", 5.0, vec![nested]).message(0), &mut output).unwrap();
    let bytes: Vec<u8> = std::iter::from_fn(|| output.poll()).flatten().collect();
    assert_eq!(server.receive(&bytes), Err(Error::Amf(amf0::AmfError::Depth(32))));
    let answers: Vec<u8> = std::iter::from_fn(|| server.poll_output()).flatten().collect();
    let text = String::from_utf8_lossy(&answers);
    assert_eq!(text.matches("too many streams").count(), 1);
}

/// All that a publishing client sends, for a server to be fed with in pieces.
fn publishing() -> Vec<u8> {
    let mut pair = Pair::new(config(PUBLISH), usize::MAX);
    let mut sent = Vec::new();
    for round in 0..6 {
        let mut bytes = Vec::new();
        while let Some(piece) = pair.client.poll_output() {
            bytes.extend_from_slice(&piece);
        }
        sent.extend_from_slice(&bytes);
        pair.server.receive(&bytes).unwrap();
        while let Some(event) = pair.server.poll_event() {
            if let ServerEvent::PublishRequested(request) = event {
                pair.server.accept(request.stream_id).unwrap();
            }
        }
        while let Some(piece) = pair.server.poll_output() {
            pair.client.receive(&piece).unwrap();
        }
        if round == 4 {
            for media in sample() {
                pair.client.send_media(media.kind, media.timestamp_ms, media.payload).unwrap();
            }
        }
    }
    sent
}

fn events(bytes: &[u8], splits: &[usize]) -> Vec<ServerEvent> {
    let mut server = ServerSession::new(ServerSessionConfig::default());
    let mut events = Vec::new();
    let mut rest = bytes;
    let mut splits = splits.iter().cycle();
    while !rest.is_empty() {
        let count = (*splits.next().unwrap()).min(rest.len());
        let (piece, after) = rest.split_at(count);
        rest = after;
        let failed = server.receive(piece).is_err();
        while let Some(event) = server.poll_event() {
            if let ServerEvent::PublishRequested(request) = &event {
                server.accept(request.stream_id).unwrap();
            }
            events.push(event);
        }
        if failed {
            break;
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_events(
        splits in prop::collection::vec(1_usize..3000, 1..20),
    ) {
        let bytes = publishing();
        let whole = events(&bytes, &[usize::MAX]);
        prop_assert_eq!(whole.len(), 2 + sample().len());
        prop_assert!(events(&bytes, &splits) == whole);
    }

    #[test]
    fn damaged_bytes_never_panic(
        damage in prop::collection::vec((0.0..1.0, any::<u8>()), 1..20),
        split in 1_usize..3000,
    ) {
        let mut bytes = publishing();
        bytes.truncate(40_000);
        for (at, byte) in damage {
            // Most of it where the commands are.
            let at = 3073 + (at * 2000.0) as usize;
            bytes[at] = byte;
        }
        events(&bytes, &[split]);
    }

    #[test]
    fn any_bytes_after_the_handshake_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..4000),
    ) {
        let mut all = vec![3];
        all.extend([0; 3072]);
        all.extend(&bytes);
        events(&all, &[100]);
        let mut client = ClientSession::new(config(PLAY));
        let _ = client.receive(&all);
    }
}
