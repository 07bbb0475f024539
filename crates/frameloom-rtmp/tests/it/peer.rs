//! Against an independent implementation, `rml_rtmp`: chunks both ways, handshakes in both roles.
//! Kept to what it does right: it reads no interleaved chunks, and no time that steps back.

use bytes::Bytes;
use frameloom_rtmp::chunk::{ChunkReader, ChunkWriter};
use frameloom_rtmp::handshake::{DigestScheme, Handshake};
use frameloom_rtmp::message::{Message, kind};
use frameloom_rtmp::{Limits, OutputBuffer};
use proptest::prelude::*;
use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
use rml_rtmp::handshake::{Handshake as PeerHandshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;

fn drain(output: &mut OutputBuffer) -> Vec<u8> {
    std::iter::from_fn(|| output.poll()).flatten().collect()
}

/// Type, message stream, time and payload: what both implementations tell of a message.
type Plain = (u8, u32, u32, Bytes);

fn messages() -> impl Strategy<Value = Vec<Plain>> {
    let kind = prop_oneof![Just(kind::AUDIO), Just(kind::VIDEO), Just(kind::DATA_AMF0)];
    let one = (kind, Just(1_u32), 0_u32..100_000, 1_usize..2000, any::<u8>());
    prop::collection::vec(one, 0..30).prop_map(|all| {
        let mut time = 0;
        all.into_iter()
            .map(|(kind, stream, step, length, fill)| {
                time += step;
                (kind, stream, time, Bytes::from(vec![fill; length]))
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn the_peer_reads_what_we_write(messages in messages()) {
        let mut writer = ChunkWriter::new();
        let mut output = OutputBuffer::new();
        for (kind, stream_id, timestamp, payload) in messages.clone() {
            let chunk_stream = u32::from(kind);
            let message = Message { chunk_stream, timestamp, kind, stream_id, payload };
            writer.write(&message, &mut output).unwrap();
        }
        let mut peer = ChunkDeserializer::new();
        let mut bytes = drain(&mut output);
        let mut got = Vec::new();
        while let Some(message) = peer.get_next_message(&bytes).unwrap() {
            bytes.clear();
            got.push((message.type_id, message.message_stream_id, message.timestamp.value,
                message.data));
        }
        prop_assert!(got == messages);
    }

    #[test]
    fn we_read_what_the_peer_writes(messages in messages(), size in 1_u32..3000) {
        let mut peer = ChunkSerializer::new();
        let mut bytes = peer.set_max_chunk_size(size, RtmpTimestamp::new(0)).unwrap().bytes;
        for (type_id, message_stream_id, timestamp, data) in messages.clone() {
            let timestamp = RtmpTimestamp::new(timestamp);
            let payload = MessagePayload { timestamp, type_id, message_stream_id, data };
            bytes.extend(peer.serialize(&payload, false, false).unwrap().bytes);
        }
        let mut reader = ChunkReader::new(Limits::default());
        let mut rest = &bytes[..];
        let mut got = Vec::new();
        while let Some(message) = reader.read(&mut rest).unwrap() {
            got.push((message.kind, message.stream_id, message.timestamp, message.payload));
        }
        prop_assert!(got[1..] == messages);
    }
}

#[test]
fn our_client_shakes_hands_with_the_peer() {
    for seed in 1..20 {
        for scheme in [None, Some(DigestScheme::KeyFirst), Some(DigestScheme::DigestFirst)] {
            let mut output = OutputBuffer::new();
            let mut client = Handshake::client(seed, scheme, &mut output);
            let mut peer = PeerHandshake::new(PeerType::Server);
            let answer = match peer.process_bytes(&drain(&mut output)).unwrap() {
                HandshakeProcessResult::InProgress { response_bytes } => response_bytes,
                HandshakeProcessResult::Completed { .. } => panic!("too soon"),
            };
            assert!(client.read(&mut &answer[..], &mut output).unwrap());
            let last = drain(&mut output);
            match peer.process_bytes(&last).unwrap() {
                HandshakeProcessResult::Completed { remaining_bytes, .. } => {
                    assert!(remaining_bytes.is_empty());
                }
                HandshakeProcessResult::InProgress { .. } => panic!("not done"),
            }
            // It signs whether or not we do; we look for its digest where we gave one.
            assert_eq!(client.scheme().is_some(), scheme.is_some());
        }
    }
}

#[test]
fn the_peer_shakes_hands_with_our_server() {
    for seed in 1..20 {
        let mut peer = PeerHandshake::new(PeerType::Client);
        let hello = peer.generate_outbound_p0_and_p1().unwrap();
        let mut server = Handshake::server(seed);
        let mut output = OutputBuffer::new();
        for byte in &hello {
            assert!(!server.read(&mut &[*byte][..], &mut output).unwrap());
        }
        assert!(server.scheme().is_some());
        let answer = match peer.process_bytes(&drain(&mut output)).unwrap() {
            HandshakeProcessResult::Completed { response_bytes, .. } => response_bytes,
            HandshakeProcessResult::InProgress { .. } => panic!("not done"),
        };
        let mut rest = &[&answer[..], b"rest"].concat()[..];
        assert!(server.read(&mut rest, &mut output).unwrap());
        assert_eq!(rest, b"rest");
    }
}
