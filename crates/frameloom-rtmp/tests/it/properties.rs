//! What holds for any bytes. The fuzz targets call these, and so do the tests with the fuzzers'
//! corpora. The first byte settles how the rest is split and what the other side does.
#![allow(dead_code, reason = "each fuzz target takes one of them")]

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use frameloom_rtmp::amf0::{self, decode_all};
use frameloom_rtmp::chunk::{ChunkReader, ChunkWriter};
use frameloom_rtmp::flv::{
    AudioTag, FlvReader, FlvTag, VideoTag, file_header, readable_script, tag_header, tag_trailer,
};
use frameloom_rtmp::handshake::{DigestScheme, Handshake, PACKET_BYTES};
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, Error, Limits, MediaType, OutputBuffer,
    PublishKind, Refusal, ServerEvent, ServerSession, ServerSessionConfig,
};

/// `bytes` in pieces: of one byte, of a few, or of many.
fn pieces(seed: u8, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let longest = [1, 7, 200, 5000][usize::from(seed % 4)];
    let (mut state, mut rest) = (u32::from(seed) + 1, bytes);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, after) = rest.split_at((1 + (state >> 8) as usize % longest).min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn drain(output: &mut OutputBuffer) -> Vec<u8> {
    std::iter::from_fn(|| output.poll()).flatten().collect()
}

/// A handshake uses its own bytes and no other, however they come. Ours fit each other.
pub(crate) fn handshake(data: &[u8]) {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let schemes = [None, Some(DigestScheme::KeyFirst), Some(DigestScheme::DigestFirst)];
    let scheme = schemes[usize::from(seed / 2 % 3)];
    let start = |output: &mut OutputBuffer| match seed % 2 {
        0 => Handshake::server(seed.into()),
        _ => Handshake::client(seed.into(), scheme, output),
    };
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut output = OutputBuffer::new();
        let mut handshake = start(&mut output);
        let mut rest = Vec::new();
        let mut result = Ok(false);
        for mut piece in pieces {
            result = handshake.read(&mut piece, &mut output);
            if result.is_err() {
                break;
            }
            rest.extend_from_slice(piece);
        }
        (result, handshake.scheme(), handshake.is_done(), drain(&mut output), rest)
    };
    let whole = run(&mut std::iter::once(bytes));
    let first_bytes = 1 + 2 * PACKET_BYTES;
    if whole.2 {
        assert_eq!(whole.4, bytes[first_bytes..]);
        assert_eq!(whole.3.len(), first_bytes);
    } else {
        assert!(whole.0.is_err() || whole.4.is_empty());
    }
    assert!(run(&mut pieces(seed, bytes)) == whole);

    let mut number = [0; 8];
    number.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let number = u64::from_be_bytes(number);
    let (mut to_server, mut to_client) = (OutputBuffer::new(), OutputBuffer::new());
    let mut client = Handshake::client(number, scheme, &mut to_server);
    let mut server = Handshake::server(!number);
    for _ in 0..2 {
        let sent = drain(&mut to_server);
        server.read(&mut &sent[..], &mut to_client).expect("what a client sends is right");
        let sent = drain(&mut to_client);
        client.read(&mut &sent[..], &mut to_server).expect("what a server sends is right");
    }
    assert!(server.is_done() && client.is_done());
    assert_eq!((server.scheme(), client.scheme()), (scheme, scheme));
}

/// Messages come out the same however the bytes are split, limits hold, and what we write of them
/// reads as the same again.
pub(crate) fn chunk(data: &[u8]) {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let limits = Limits {
        chunk_streams: 8,
        message_bytes: 70_000,
        connection_bytes: 100_000,
        ..Limits::default()
    };
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut reader = ChunkReader::new(limits.clone());
        let mut messages = Vec::new();
        for mut piece in pieces {
            loop {
                match reader.read(&mut piece) {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error)),
                }
                assert!(reader.held_bytes() <= limits.connection_bytes);
            }
            assert!(piece.is_empty() && reader.held_bytes() <= limits.connection_bytes);
        }
        (messages, None)
    };
    let whole = run(&mut std::iter::once(bytes));
    assert!(whole.0.iter().all(|message| message.payload.len() <= limits.message_bytes));
    assert!(run(&mut pieces(seed, bytes)) == whole);

    let (mut writer, mut output) = (ChunkWriter::new(), OutputBuffer::new());
    for message in &whole.0 {
        writer.write(message, &mut output).expect("what was read can be written");
    }
    let written = drain(&mut output);
    let again = run(&mut pieces(seed, &written));
    assert!(again == (whole.0, None));
}

/// Values are read or refused, and what we write of them reads as the same again.
pub(crate) fn amf0(data: &[u8]) {
    let small = Limits { amf_depth: 4, amf_values: 50, ..Limits::default() };
    script(&Bytes::copy_from_slice(data));
    script(&[b"\x02\0\x0aonMetaData", data].concat().into());
    let Ok(values) = decode_all(data, &Limits::default()) else {
        assert!(decode_all(data, &small).is_err());
        return;
    };
    // Their bytes are compared, since a number that is none differs from itself.
    let write = |values: &[amf0::Value]| {
        let mut bytes = BytesMut::new();
        values.iter().for_each(|value| amf0::encode(value, &mut bytes));
        bytes
    };
    let written = write(&values);
    let again = decode_all(&written, &Limits::default()).expect("what was written can be read");
    assert!(write(&again) == written);
    let _ = (format!("{values:?}"), decode_all(data, &small));
}

/// What is made readable is well formed, and stays as it is from then on.
fn script(body: &Bytes) {
    let limits = Limits::default();
    if let Some(readable) = readable_script(body, &limits) {
        let mut decoder = amf0::Amf0Decoder::new(&readable, &limits);
        while decoder.value().expect("it is well formed").is_some() {}
        assert!(decoder.is_whole());
        assert_eq!(readable_script(&readable, &limits), Some(readable));
    }
}

/// Tag bodies are read or refused, and read the same when we write them; so is a file of tags,
/// however its bytes are split.
pub(crate) fn flv(data: &[u8]) {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let body = Bytes::copy_from_slice(bytes);
    if let Ok(packet) = VideoTag::parse(&body) {
        assert!(packet.data.len() < bytes.len() && packet.timestamp_offset_ns < 1_000_000);
        if let Some(body) = packet.body() {
            let expected = VideoTag {
                timestamp_offset_ns: 0,
                track: None,
                enhanced: body[0] & 0x80 != 0,
                ..packet
            };
            assert_eq!(VideoTag::parse(&body), Ok(expected));
        }
    }
    if let Ok(packet) = AudioTag::parse(&body) {
        assert!(packet.data.len() < bytes.len() && packet.timestamp_offset_ns < 1_000_000);
        if let Some(body) = packet.body() {
            let expected = AudioTag { timestamp_offset_ns: 0, track: None, ..packet };
            assert_eq!(AudioTag::parse(&body), Ok(expected));
        }
    }

    let limit_bytes = 3000;
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut reader = FlvReader::new(limit_bytes);
        let mut tags: Vec<FlvTag> = Vec::new();
        for piece in pieces {
            reader.push(piece);
            loop {
                match reader.poll() {
                    Ok(Some(tag)) => tags.push(tag),
                    Ok(None) => break,
                    Err(error) => return (tags, Some(error)),
                }
            }
        }
        (tags, None)
    };
    // Half of the time the header is given, so that tags are come by.
    let header = file_header(true, true);
    let file = if seed & 0x80 != 0 { [&header, bytes].concat() } else { bytes.to_vec() };
    let whole = run(&mut std::iter::once(&file[..]));
    assert!(whole.0.iter().all(|tag| tag.data.len() <= limit_bytes));
    assert!(run(&mut pieces(seed, &file)) == whole);
    let mut written = header.to_vec();
    for tag in &whole.0 {
        written.extend(tag_header(tag.kind, tag.timestamp_ms, tag.data.len()));
        written.extend_from_slice(&tag.data);
        written.extend(tag_trailer(tag.data.len()));
    }
    assert!(run(&mut pieces(seed, &written)) == (whole.0, None));
}

/// A session and who embeds it.
trait Embedded: Debug {
    type Event: Debug + PartialEq;
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Error>;
    fn poll_event(&mut self) -> Option<Self::Event>;
    fn poll_output(&mut self) -> Option<Bytes>;
    fn output_bytes(&self) -> usize;
    fn act(&mut self, event: &Self::Event, seed: u8);
}

const PAYLOAD: &[u8] = &[0x17; 700];

impl Embedded for ServerSession {
    type Event = ServerEvent;

    fn receive(&mut self, bytes: &[u8]) -> Result<(), Error> {
        ServerSession::receive(self, bytes)
    }

    fn poll_event(&mut self) -> Option<ServerEvent> {
        ServerSession::poll_event(self)
    }

    fn poll_output(&mut self) -> Option<Bytes> {
        ServerSession::poll_output(self)
    }

    fn output_bytes(&self) -> usize {
        ServerSession::output_bytes(self)
    }

    fn act(&mut self, event: &ServerEvent, seed: u8) {
        // By the time of an answer what asked for it may be gone, so every answer may fail.
        match event {
            ServerEvent::ConnectRequested(_) => {
                let _ = self.accept_connect();
            }
            ServerEvent::PublishRequested(request) => {
                let _ = self.accept(request.stream_id);
                if seed & 0x20 != 0 {
                    let _ = self.refuse(request.stream_id, Refusal::NameTaken);
                }
            }
            ServerEvent::PlayRequested(request) => {
                let id = request.stream_id;
                let _ = self.accept(id);
                for time in [0, 20, 0x100_0000, 0xFFFF_FFFF, 0x1_0000_0013] {
                    let payload = Bytes::from_static(PAYLOAD);
                    let _ = self.send_media(id, MediaType::Video, time, payload);
                }
                if seed & 0x20 != 0 {
                    let _ = self.finish_play(id);
                }
            }
            _ => {}
        }
    }
}

impl Embedded for ClientSession {
    type Event = ClientEvent;

    fn receive(&mut self, bytes: &[u8]) -> Result<(), Error> {
        ClientSession::receive(self, bytes)
    }

    fn poll_event(&mut self) -> Option<ClientEvent> {
        ClientSession::poll_event(self)
    }

    fn poll_output(&mut self) -> Option<Bytes> {
        ClientSession::poll_output(self)
    }

    fn output_bytes(&self) -> usize {
        ClientSession::output_bytes(self)
    }

    fn act(&mut self, event: &ClientEvent, seed: u8) {
        if *event == ClientEvent::Started {
            let _ = self.send_media(MediaType::Video, 0, Bytes::from_static(PAYLOAD));
            if seed & 0x20 != 0 {
                let _ = self.finish();
            }
        }
    }
}

/// Feeds a session after its handshake, and gives what happened.
///
/// Whoever embeds it acts at fixed places, not whenever a piece has come: what a session does
/// depends on when it is answered, and is not to depend on how the bytes are split between.
fn drive<S: Embedded>(
    mut session: S,
    seed: u8,
    bytes: &[u8],
    whole: bool,
) -> (Vec<S::Event>, Result<(), Error>) {
    let mut sent = Vec::new();
    let mut events = Vec::new();
    let mut result = session.receive(&[3]).and_then(|()| session.receive(&[0; 2 * PACKET_BYTES]));
    for segment in bytes.chunks(64 * (1 + usize::from(seed & 0x1F))) {
        if result.is_err() {
            break;
        }
        result = if whole {
            session.receive(segment)
        } else {
            pieces(seed, segment).try_for_each(|piece| session.receive(piece))
        };
        while let Some(event) = session.poll_event() {
            session.act(&event, seed);
            events.push(event);
        }
        assert!(session.output_bytes() <= Limits::default().connection_bytes);
        while let Some(piece) = session.poll_output() {
            assert!(!piece.is_empty());
            sent.extend_from_slice(&piece);
        }
        assert_eq!(session.output_bytes(), 0);
    }
    if result.is_err() {
        assert_eq!(session.receive(&[]), Err(Error::Failed));
    }
    // What it says is RTMP, from the first byte to the last.
    let mut said = sent.get(1 + 2 * PACKET_BYTES..).unwrap_or_default();
    let mut reader = ChunkReader::new(Limits::default());
    while reader.read(&mut said).expect("what a session sends can be read").is_some() {}
    assert_eq!(reader.held_bytes(), 0);
    let _ = format!("{session:?} {events:?}");
    (events, result)
}

fn small() -> Limits {
    Limits {
        chunk_streams: 8,
        message_bytes: 70_000,
        amf_values: 200,
        message_streams: 3,
        held_messages: 20,
        ..Limits::default()
    }
}

/// The same happens in a server's session however the bytes are split.
pub(crate) fn server(data: &[u8]) {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let config = ServerSessionConfig {
        limits: small(),
        hold_connect: seed & 0x40 != 0,
        chunk_size: if seed & 0x80 != 0 { 128 } else { 65_536 },
        ..ServerSessionConfig::default()
    };
    let whole = drive(ServerSession::new(config.clone()), seed, bytes, true);
    assert!(drive(ServerSession::new(config), seed, bytes, false) == whole);
}

/// The same happens in a client's session however the bytes are split.
pub(crate) fn client(data: &[u8]) {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let role = match seed & 0x40 {
        0 => ClientRole::Play { buffer_ms: 500 },
        _ => ClientRole::Publish(PublishKind::Live),
    };
    let config = ClientConfig {
        limits: small(),
        chunk_size: if seed & 0x80 != 0 { 128 } else { 65_536 },
        ..ClientConfig::new("rtmp://localhost/live", "live", "camera", role)
    };
    let whole = drive(ClientSession::new(config.clone()), seed, bytes, true);
    assert!(drive(ClientSession::new(config), seed, bytes, false) == whole);
}
