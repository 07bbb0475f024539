//! Against another independent implementation, `oxideav-rtmp`: it reads what we write and we read
//! what it writes, chunks, AMF0, AMF3 and handshakes, and each plays the other's counterpart.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use frameloom_rtmp::amf0::{self, Value, decode_all};
use frameloom_rtmp::chunk::{ChunkReader, ChunkWriter};
use frameloom_rtmp::flv::{AudioTag, VideoPacketKind, VideoTag};
use frameloom_rtmp::handshake::{DigestScheme, Handshake};
use frameloom_rtmp::message::{Message, kind};
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, Limits, MediaType, OutputBuffer,
    PublishKind, ServerEvent, ServerSession, ServerSessionConfig,
};
use oxideav_rtmp::chunk as theirs;
use oxideav_rtmp::handshake::{
    HandshakeKind, client_handshake_digest, server_handshake_negotiated,
};
use oxideav_rtmp::{Amf0Value, Amf3Value, RtmpClient, RtmpServer, StreamPacket, amf, amf3};
use proptest::prelude::*;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

fn drain(output: &mut OutputBuffer) -> Vec<u8> {
    std::iter::from_fn(|| output.poll()).flatten().collect()
}

/// Times of all sizes, forwards and back.
fn messages() -> impl Strategy<Value = Vec<Message>> {
    let time = prop_oneof![
        0_u32..200,
        0xFF_FFE0_u32..0x100_0020,
        0x7FFF_FFE0_u32..0x8000_0020,
        0xFFFF_FFE0_u32..=0xFFFF_FFFF,
    ];
    let kind = prop_oneof![Just(kind::AUDIO), Just(kind::VIDEO), Just(kind::DATA_AMF0)];
    let length = prop_oneof![1..300_usize, 127..130_usize, 0..9000_usize];
    let chunk_stream = prop_oneof![3_u32..8, 63_u32..66, 319_u32..322];
    let one = (chunk_stream, time, kind, 1_u32..3, length, any::<u8>()).prop_map(
        |(chunk_stream, timestamp, kind, stream_id, length, fill)| Message {
            chunk_stream,
            timestamp,
            kind,
            stream_id,
            payload: vec![fill; length].into(),
        },
    );
    prop::collection::vec(one, 0..30)
}

/// What both tell of a message.
type Plain = (u8, u32, u32, Bytes);

fn plain(message: &Message) -> Plain {
    (message.kind, message.stream_id, message.timestamp, message.payload.clone())
}

fn we_read(mut bytes: &[u8], chunk_size: usize) -> Vec<Plain> {
    let mut reader = ChunkReader::new(Limits::default());
    let size =
        frameloom_rtmp::message::ControlMessage::SetChunkSize(u32::try_from(chunk_size).unwrap());
    let mut output = OutputBuffer::new();
    ChunkWriter::new().write(&size.message(), &mut output).unwrap();
    assert!(reader.read(&mut &drain(&mut output)[..]).unwrap().is_some());
    let messages = std::iter::from_fn(|| reader.read(&mut bytes).unwrap());
    messages.map(|message| plain(&message)).collect()
}

fn they_read(bytes: &[u8], chunk_size: usize, count: usize) -> Vec<Plain> {
    let mut reader = theirs::ChunkReader::new(bytes);
    reader.set_chunk_size(chunk_size);
    let messages = (0..count).map(|_| reader.read_message().unwrap());
    messages.map(|m| (m.msg_type_id, m.msg_stream_id, m.timestamp, m.payload.into())).collect()
}

/// Chunks as the specification has them, of type 0 and 3, in any order of the chunk streams.
fn interleaved(messages: &[Message], chunk_size: usize, order: &[u8]) -> Vec<u8> {
    let mut waiting: Vec<VecDeque<Vec<u8>>> = Vec::new();
    for message in messages {
        let mut chunks = VecDeque::new();
        let mut rest = &message.payload[..];
        let long = message.timestamp >= 0xFF_FFFF;
        loop {
            let mut chunk = Vec::new();
            let id = u8::try_from(message.chunk_stream).unwrap();
            if chunks.is_empty() {
                chunk.push(id);
                chunk.extend(&message.timestamp.min(0xFF_FFFF).to_be_bytes()[1..]);
                chunk.extend(&u32::try_from(message.payload.len()).unwrap().to_be_bytes()[1..]);
                chunk.push(message.kind);
                chunk.extend(message.stream_id.to_le_bytes());
            } else {
                chunk.push(0xC0 | id);
            }
            if long {
                chunk.extend(message.timestamp.to_be_bytes());
            }
            let (piece, after) = rest.split_at(chunk_size.min(rest.len()));
            chunk.extend(piece);
            chunks.push_back(chunk);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        waiting.push(chunks);
    }
    let mut bytes = Vec::new();
    let mut order = order.iter().cycle();
    while !waiting.is_empty() {
        let index = usize::from(*order.next().unwrap()) % waiting.len();
        bytes.extend(waiting[index].pop_front().unwrap());
        if waiting[index].is_empty() {
            waiting.remove(index);
        }
    }
    bytes
}

/// The strategy's values in both implementations' terms.
type Pair = (Value, Amf0Value);

fn amf0_pairs() -> impl Strategy<Value = Pair> {
    let leaf = prop_oneof![
        (-1e15..1e15).prop_map(|number| (Value::Number(number), Amf0Value::Number(number))),
        any::<bool>().prop_map(|boolean| (boolean.into(), Amf0Value::Boolean(boolean))),
        ".{0,20}".prop_map(|text| (text.as_str().into(), Amf0Value::String(text))),
        Just((Value::Null, Amf0Value::Null)),
        Just((Value::Undefined, Amf0Value::Undefined)),
        Just((Value::Unsupported, Amf0Value::Unsupported)),
        (0.0..1e13, any::<i16>()).prop_map(|(millis, zone)| {
            let date = Value::Date { unix_ms: millis, zone };
            (date, Amf0Value::Date { millis, timezone: zone })
        }),
        "[a-z]{0,9}".prop_map(|text| (Value::Xml(text.clone()), Amf0Value::XmlDocument(text))),
        Just("long".repeat(20_000))
            .prop_map(|text| (text.as_str().into(), Amf0Value::String(text))),
    ];
    leaf.prop_recursive(5, 30, 5, |inner| {
        let properties = prop::collection::vec(("[a-zA-Z]{1,9}", inner.clone()), 0..5);
        let items = prop::collection::vec(inner, 0..5);
        prop_oneof![
            properties.clone().prop_map(|all| {
                let (ours, theirs) = split(all);
                (Value::Object(ours), Amf0Value::Object(theirs))
            }),
            properties.clone().prop_map(|all| {
                let (ours, theirs) = split(all);
                (Value::EcmaArray(ours), Amf0Value::EcmaArray(theirs))
            }),
            ("[a-z]{1,9}", properties).prop_map(|(class, all)| {
                let (properties, theirs) = split(all);
                let ours = Value::TypedObject { class: class.clone(), properties };
                (ours, Amf0Value::TypedObject { class_name: class, properties: theirs })
            }),
            items.prop_map(|all| {
                let (ours, theirs) = all.into_iter().unzip();
                (Value::StrictArray(ours), Amf0Value::StrictArray(theirs))
            }),
        ]
    })
}

type Named<T> = Vec<(String, T)>;

fn split<A, B>(all: Named<(A, B)>) -> (Named<A>, Named<B>) {
    all.into_iter().map(|(name, (ours, theirs))| ((name.clone(), ours), (name, theirs))).unzip()
}

fn amf3_pairs() -> impl Strategy<Value = (Value, Amf3Value)> {
    let leaf = prop_oneof![
        (-268_435_456_i32..268_435_456).prop_map(|n| (f64::from(n).into(), Amf3Value::Integer(n))),
        (-1e15..1e15).prop_map(|number| (Value::Number(number), Amf3Value::Double(number))),
        any::<bool>().prop_map(|boolean| (boolean.into(), Amf3Value::Boolean(boolean))),
        // Few of them, so that many are written as references.
        "[ab]{0,2}".prop_map(|text| (text.as_str().into(), Amf3Value::String(text))),
        Just((Value::Null, Amf3Value::Null)),
        Just((Value::Undefined, Amf3Value::Undefined)),
        (0.0..1e13).prop_map(|ms| (Value::Date { unix_ms: ms, zone: 0 }, Amf3Value::Date(ms))),
        "[a-z]{0,9}".prop_map(|text| (Value::Xml(text.clone()), Amf3Value::Xml(text))),
        prop::collection::vec(any::<u8>(), 0..9)
            .prop_map(|bytes| (Value::Unsupported, Amf3Value::ByteArray(bytes))),
    ];
    leaf.prop_recursive(5, 30, 5, |inner| {
        let named = prop::collection::vec(("[ab]{1,2}", inner.clone()), 0..4);
        let items = prop::collection::vec(inner, 0..5);
        prop_oneof![
            items.prop_map(|all| {
                let (ours, dense) = all.into_iter().unzip();
                (Value::StrictArray(ours), Amf3Value::Array { dense, assoc: Vec::new() })
            }),
            ("[A-C]{0,1}", named.clone(), named, any::<bool>()).prop_map(
                |(class, sealed, more, dynamic)| {
                    let (mut properties, sealed) = split(sealed);
                    let (more, dynamic_members) =
                        if dynamic { split(more) } else { Default::default() };
                    properties.extend(more);
                    let theirs = Amf3Value::Object {
                        class_name: class.clone(),
                        dynamic,
                        sealed,
                        dynamic_members,
                        externalizable_body: None,
                    };
                    let ours = if class.is_empty() {
                        Value::Object(properties)
                    } else {
                        Value::TypedObject { class, properties }
                    };
                    (ours, theirs)
                }
            ),
        ]
    })
}

proptest! {
    #[test]
    fn they_read_what_we_write(messages in messages(), size in 1_u32..9000) {
        let (mut writer, mut output) = (ChunkWriter::new(), OutputBuffer::new());
        let control = frameloom_rtmp::message::ControlMessage::SetChunkSize(size);
        writer.write(&control.message(), &mut output).unwrap();
        drain(&mut output);
        messages.iter().for_each(|message| writer.write(message, &mut output).unwrap());
        let got = they_read(&drain(&mut output), size as usize, messages.len());
        prop_assert!(got == messages.iter().map(plain).collect::<Vec<_>>());
    }

    #[test]
    fn we_read_what_they_write(messages in messages(), size in 1_usize..9000) {
        let mut writer = theirs::ChunkWriter::new(Vec::new());
        writer.set_chunk_size(size);
        for message in &messages {
            let theirs = theirs::Message {
                msg_type_id: message.kind,
                msg_stream_id: message.stream_id,
                timestamp: message.timestamp,
                payload: message.payload.to_vec(),
            };
            writer.write_message(message.chunk_stream, &theirs).unwrap();
        }
        let got = we_read(writer.inner_mut(), size);
        prop_assert!(got == messages.iter().map(plain).collect::<Vec<_>>());
    }

    #[test]
    fn both_read_interleaved_chunks_alike(
        mut messages in messages(), size in 1_usize..500,
        order in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        // One message on each chunk stream at a time, as the specification has it.
        messages.truncate(20);
        messages.retain(|message| !message.payload.is_empty());
        for (index, message) in messages.iter_mut().enumerate() {
            message.chunk_stream = 3 + u32::try_from(index).unwrap();
        }
        let bytes = interleaved(&messages, size, &order);
        let ours = we_read(&bytes, size);
        prop_assert!(ours == they_read(&bytes, size, messages.len()));
        let (mut sorted, mut sent) = (ours, messages.iter().map(plain).collect::<Vec<_>>());
        sorted.sort();
        sent.sort();
        prop_assert!(sorted == sent);
    }

    #[test]
    fn amf0_is_read_alike(pairs in prop::collection::vec(amf0_pairs(), 0..4)) {
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let mut written = BytesMut::new();
        ours.iter().for_each(|value| amf0::encode(value, &mut written));
        prop_assert!(amf::decode_all(&written).unwrap() == theirs);
        let mut written = Vec::new();
        theirs.iter().for_each(|value| amf::encode(&mut written, value));
        prop_assert!(decode_all(&written, &Limits::default()).unwrap() == ours);
    }

    #[test]
    fn we_read_amf3_as_they_write_it(pairs in prop::collection::vec(amf3_pairs(), 0..4)) {
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let mut written = Vec::new();
        for value in &theirs {
            written.push(0x11);
            amf3::encode(&mut written, value);
        }
        prop_assert!(decode_all(&written, &Limits::default()).unwrap() == ours);
    }
}

/// Our side of a handshake on a socket.
fn shake(mut handshake: Handshake, mut output: OutputBuffer, socket: &mut UnixStream) -> Handshake {
    let mut buffer = [0; 500];
    loop {
        socket.write_all(&drain(&mut output)).unwrap();
        if handshake.is_done() {
            return handshake;
        }
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0);
        handshake.read(&mut &buffer[..count], &mut output).unwrap();
    }
}

fn sockets() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    for socket in [&ours, &theirs] {
        socket.set_read_timeout(PATIENCE).unwrap();
    }
    (ours, theirs)
}

#[test]
fn our_client_shakes_hands_with_their_server() {
    for seed in 1..10 {
        for scheme in [None, Some(DigestScheme::KeyFirst), Some(DigestScheme::DigestFirst)] {
            let (mut ours, mut theirs) = sockets();
            let server = thread::spawn(move || server_handshake_negotiated(&mut theirs).unwrap());
            let mut output = OutputBuffer::new();
            let client = Handshake::client(seed, scheme, &mut output);
            let client = shake(client, output, &mut ours);
            assert_eq!(client.scheme(), scheme);
            let verified = matches!(
                server.join().unwrap(),
                HandshakeKind::Digest { peer_response_verified: true, .. }
            );
            assert_eq!(verified, scheme.is_some());
        }
    }
}

#[test]
fn their_client_shakes_hands_with_our_server() {
    use oxideav_rtmp::handshake::DigestScheme as Theirs;
    let schemes = [
        (None, None),
        (Some(Theirs::Schema0), Some(DigestScheme::KeyFirst)),
        (Some(Theirs::Schema1), Some(DigestScheme::DigestFirst)),
    ];
    for (theirs_scheme, scheme) in schemes {
        let (mut ours, mut theirs) = sockets();
        let client = thread::spawn(move || match theirs_scheme {
            Some(scheme) => client_handshake_digest(&mut theirs, scheme).unwrap(),
            None => {
                oxideav_rtmp::handshake::client_handshake(&mut theirs).unwrap();
                HandshakeKind::Simple
            }
        });
        let server = shake(Handshake::server(7), OutputBuffer::new(), &mut ours);
        assert_eq!(server.scheme(), scheme);
        let verified = matches!(
            client.join().unwrap(),
            HandshakeKind::Digest { peer_response_verified: true, .. }
        );
        assert_eq!(verified, scheme.is_some());
    }
}

const FRAMES: [(u32, bool, &[u8]); 3] =
    [(0, true, &[5; 20_000]), (40, false, &[6; 300]), (0x100_0000, false, &[7; 9000])];

#[test]
fn their_client_publishes_to_our_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live/camera", listener.local_addr().unwrap());
    let client = thread::spawn(move || {
        let mut client = RtmpClient::connect(&url).unwrap();
        client.send_metadata(amf::obj([("width", Amf0Value::Number(640.0))])).unwrap();
        client.send_video_sequence_header(&[1, 0x64, 0, 0x1F]).unwrap();
        client.send_audio_sequence_header(&[0x12, 0x10]).unwrap();
        for (time, keyframe, body) in FRAMES {
            client.send_video(time, keyframe, body).unwrap();
            client.send_audio(time, &[9; 200]).unwrap();
        }
        client.close().unwrap();
    });
    let mut socket = listener.accept().unwrap().0;
    socket.set_read_timeout(PATIENCE).unwrap();
    let mut session = ServerSession::new(ServerSessionConfig::default());
    let mut buffer = [0; 4096];
    let (mut video, mut audio, mut metadata, mut ended) = (Vec::new(), Vec::new(), 0, false);
    loop {
        let count = socket.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            break;
        }
        session.receive(&buffer[..count]).unwrap();
        while let Some(event) = session.poll_event() {
            match event {
                ServerEvent::PublishRequested(request) => {
                    assert_eq!((request.app.as_str(), request.key.name()), ("live", "camera"));
                    session.accept(request.stream_id).unwrap();
                }
                ServerEvent::Media(media) => match media.kind {
                    MediaType::Video => {
                        let packet = VideoTag::parse(&media.payload).unwrap();
                        video.push((media.timestamp_ms, packet));
                    }
                    MediaType::Audio => {
                        let packet = AudioTag::parse(&media.payload).unwrap();
                        audio.push((media.timestamp_ms, packet));
                    }
                    _ => metadata += 1,
                },
                ServerEvent::PublishEnded { .. } => ended = true,
                _ => {}
            }
        }
        while let Some(piece) = session.poll_output() {
            // It may be gone once it has said goodbye.
            let _ = socket.write_all(&piece);
        }
    }
    client.join().unwrap();
    assert!(ended && metadata == 1);
    assert_eq!(video[0].1.kind, VideoPacketKind::SequenceHeader);
    assert_eq!(&audio[0].1.data[..], [0x12, 0x10]);
    assert_eq!((video.len(), audio.len()), (1 + FRAMES.len(), 1 + FRAMES.len()));
    for ((time, keyframe, body), (got_ms, packet)) in FRAMES.iter().zip(&video[1..]) {
        assert_eq!((u64::from(*time), *keyframe), (*got_ms, packet.keyframe));
        assert!(packet.data == *body);
    }
    for ((time, ..), (got_ms, packet)) in FRAMES.iter().zip(&audio[1..]) {
        assert!(u64::from(*time) == *got_ms && packet.data == [9; 200][..]);
    }
}

#[test]
fn our_client_publishes_to_their_server() {
    let server = RtmpServer::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let server = thread::spawn(move || {
        let request = server.accept().unwrap();
        assert_eq!((request.app.as_str(), request.stream_name.as_str()), ("live", "camera"));
        let mut session = request.accept().unwrap();
        session.set_read_timeout(PATIENCE).unwrap();
        let mut got = Vec::new();
        while let Ok(Some(packet)) = session.next_packet() {
            match packet {
                StreamPacket::Video { timestamp, tag } => got.push((timestamp, tag.body)),
                StreamPacket::Audio { timestamp, tag } => got.push((timestamp, tag.body)),
                _ => {}
            }
        }
        got
    });
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(PATIENCE).unwrap();
    let role = ClientRole::Publish(PublishKind::Live);
    let url = format!("rtmp://{address}/live");
    let mut client = ClientSession::new(ClientConfig::new(&url, "live", "camera", role));
    let mut buffer = [0; 4096];
    let mut started = false;
    while !started {
        while let Some(piece) = client.poll_output() {
            socket.write_all(&piece).unwrap();
        }
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0);
        client.receive(&buffer[..count]).unwrap();
        while let Some(event) = client.poll_event() {
            started |= event == ClientEvent::Started;
        }
    }
    for (time, keyframe, body) in FRAMES {
        let head = [if keyframe { 0x17 } else { 0x27 }, 1, 0, 0, 0];
        let payload = Bytes::from([&head, body].concat());
        client.send_media(MediaType::Video, time.into(), payload).unwrap();
        let audio = Bytes::from_static(&[0xAF, 1, 9, 9, 9]);
        client.send_media(MediaType::Audio, time.into(), audio).unwrap();
    }
    client.finish().unwrap();
    while let Some(piece) = client.poll_output() {
        socket.write_all(&piece).unwrap();
    }
    let got = server.join().unwrap();
    let expected =
        FRAMES.iter().flat_map(|(time, _, body)| [(*time, body.to_vec()), (*time, vec![9, 9, 9])]);
    assert!(got == expected.collect::<Vec<_>>());
}
