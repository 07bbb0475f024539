//! Several message streams on one connection, and pauses: with commands made by hand, as a
//! client session has one stream.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use frameloom_rtmp::amf0::{Value, object};
use frameloom_rtmp::chunk::{ChunkReader, ChunkWriter};
use frameloom_rtmp::command::CommandMessage;
use frameloom_rtmp::handshake::Handshake;
use frameloom_rtmp::message::{Message, kind};
use frameloom_rtmp::{Limits, MediaType, OutputBuffer};
use frameloom_server::Server;

use crate::client::{
    Client, LIMIT, Packet, audio, connect, gop, headers, serve, video, wait_until,
};

struct Wire {
    socket: TcpStream,
    reader: ChunkReader,
    writer: ChunkWriter,
    input: VecDeque<u8>,
    messages: VecDeque<Message>,
}

impl Wire {
    /// Connects to the application `live`.
    fn open(server: &Server) -> Self {
        let mut wire = Wire {
            socket: connect(server.rtmp_addr().unwrap()),
            reader: ChunkReader::new(Limits::default()),
            writer: ChunkWriter::new(),
            input: VecDeque::new(),
            messages: VecDeque::new(),
        };
        let mut output = OutputBuffer::new();
        let mut handshake = Handshake::client(1, None, &mut output);
        let start = Instant::now();
        loop {
            wire.write(&mut output);
            assert!(start.elapsed() < LIMIT, "no handshake");
            wire.fill();
            let input = Vec::from(std::mem::take(&mut wire.input));
            let mut rest = &input[..];
            let done = handshake.read(&mut rest, &mut output).unwrap();
            wire.input.extend(rest);
            if done {
                break;
            }
        }
        wire.write(&mut output);
        let information = object([("app", "live".into()), ("tcUrl", "rtmp://localhost".into())]);
        let connect = CommandMessage {
            object: information,
            ..CommandMessage::new("connect", 1.0, Vec::new())
        };
        wire.send(&connect.message(0));
        wire.answer("_result");
        wire
    }

    fn write(&mut self, output: &mut OutputBuffer) {
        while let Some(piece) = output.poll() {
            self.socket.write_all(&piece).unwrap();
        }
    }

    fn send(&mut self, message: &Message) {
        let mut output = OutputBuffer::new();
        self.writer.write(message, &mut output).unwrap();
        self.write(&mut output);
    }

    fn call(&mut self, stream_id: u32, name: &str, arguments: Vec<Value>) {
        self.send(&CommandMessage::new(name, 2.0, arguments).message(stream_id));
    }

    fn fill(&mut self) {
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(0) => panic!("the server has closed"),
            Ok(count) => self.input.extend(&bytes[..count]),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
            }
        }
    }

    /// The next message that `wanted` takes; the others stay.
    fn next<T>(&mut self, mut wanted: impl FnMut(&Message) -> Option<T>) -> T {
        let start = Instant::now();
        let mut index = 0;
        loop {
            while let Some(message) = self.messages.get(index) {
                if let Some(found) = wanted(message) {
                    self.messages.remove(index);
                    return found;
                }
                index += 1;
            }
            assert!(start.elapsed() < LIMIT, "the server does not answer");
            self.fill();
            let input = Vec::from(std::mem::take(&mut self.input));
            let mut rest = &input[..];
            while let Some(message) = self.reader.read(&mut rest).unwrap() {
                self.messages.push_back(message);
            }
        }
    }

    /// A command of this name.
    fn answer(&mut self, name: &str) -> CommandMessage {
        self.next(|message| {
            CommandMessage::parse(message, &Limits::default())
                .unwrap()
                .filter(|got| got.name == name)
        })
    }

    /// An `onStatus` with this code, on this message stream.
    fn status(&mut self, stream_id: u32, code: &str) {
        self.next(|message| {
            let command = CommandMessage::parse(message, &Limits::default()).unwrap()?;
            let got = command.arguments.first()?.get("code")?.as_str()?;
            (message.stream_id == stream_id && got == code).then_some(())
        });
    }

    fn create_stream(&mut self) -> u32 {
        self.call(0, "createStream", Vec::new());
        self.answer("_result").number(0).unwrap() as u32
    }

    /// The next packets on this message stream.
    fn take(&mut self, stream_id: u32, count: usize) -> Vec<Packet> {
        (0..count)
            .map(|_| {
                self.next(|message| {
                    let kind = match message.kind {
                        kind::AUDIO => MediaType::Audio,
                        kind::VIDEO => MediaType::Video,
                        kind::DATA_AMF0 => MediaType::Metadata,
                        _ => return None,
                    };
                    let (timestamp_ms, payload) =
                        (message.timestamp.into(), message.payload.clone());
                    let packet = Packet { kind, timestamp_ms, payload };
                    (message.stream_id == stream_id).then_some(packet)
                })
            })
            .collect()
    }
}

#[test]
fn one_connection_publishes_and_plays_several_streams() {
    let server = serve(|config| config.timeouts.play_wait = Duration::ZERO);
    let mut wire = Wire::open(&server);
    let ids: Vec<_> = (0..3).map(|_| wire.create_stream()).collect();
    wire.call(ids[0], "publish", vec!["mine".into(), "live".into()]);
    wire.status(ids[0], "NetStream.Publish.Start");
    wire.call(ids[1], "play", vec!["mine".into()]);
    wire.status(ids[1], "NetStream.Play.Start");
    let mut other = Client::publish(&server, "other");
    wire.call(ids[2], "play", vec!["other".into()]);
    wire.status(ids[2], "NetStream.Play.Start");

    for index in 0..20_u8 {
        let time = 10 * u64::from(index);
        other.send(&audio(time, 100 + index));
        let Packet { payload, .. } = audio(time, index);
        let (kind, stream_id) = (kind::AUDIO, ids[0]);
        let timestamp = time as u32;
        wire.send(&Message { chunk_stream: 4, timestamp, kind, stream_id, payload });
    }
    let expected = |first: u8| -> Vec<_> {
        (0..20).map(|index| audio(10 * u64::from(index), first + index)).collect()
    };
    assert_eq!(wire.take(ids[1], 20), expected(0));
    assert_eq!(wire.take(ids[2], 20), expected(100));

    // One ends, the others go on.
    wire.call(0, "deleteStream", vec![f64::from(ids[0]).into()]);
    wire.status(ids[1], "NetStream.Play.UnpublishNotify");
    other.send(&audio(500, 7));
    assert_eq!(wire.take(ids[2], 1), [audio(500, 7)]);
    wait_until("one stream is left", || server.status().streams.len() == 1);
    // One that is refused doesn't end the others either.
    wire.call(ids[1], "play", vec!["nothing".into()]);
    wire.status(ids[1], "NetStream.Play.StreamNotFound");
    other.send(&audio(510, 8));
    assert_eq!(wire.take(ids[2], 1), [audio(510, 8)]);
}

#[test]
fn a_paused_player_gets_nothing_and_goes_on_at_a_keyframe() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let mut witness = Client::play(&server, "camera");
    let mut wire = Wire::open(&server);
    let id = wire.create_stream();
    wire.call(id, "play", vec!["camera".into()]);
    wire.status(id, "NetStream.Play.Start");
    let mut sent = headers(0);
    sent.extend(gop(0, 2));
    publisher.send_all(&sent);
    assert_eq!(wire.take(id, sent.len()), sent);
    witness.take(sent.len());

    wire.call(id, "pause", vec![true.into(), 0.0.into()]);
    wire.status(id, "NetStream.Pause.Notify");
    publisher.send_all(&gop(200, 2));
    publisher.send_all(&gop(400, 2));
    witness.take(12);
    wire.call(id, "pause", vec![false.into(), 0.0.into()]);
    wire.status(id, "NetStream.Unpause.Notify");
    publisher.send(&video(600, false, 9, 100));
    let mut expected = gop(400, 2);
    expected.push(video(600, false, 9, 100));
    assert_eq!(wire.take(id, expected.len()), expected);
}

#[test]
fn a_stream_that_has_ended_is_not_kept_for_a_player_that_pauses() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let mut wire = Wire::open(&server);
    let id = wire.create_stream();
    wire.call(id, "play", vec!["camera".into()]);
    wire.status(id, "NetStream.Play.Start");
    wire.call(id, "pause", vec![true.into(), 0.0.into()]);
    wire.status(id, "NetStream.Pause.Notify");
    for number in 0..5 {
        publisher.send(&video(40 * number, true, 1, 1_000_000));
    }
    publisher.finish();
    wire.status(id, "NetStream.Play.Stop");
    let held = || server.status().memory.held_bytes;
    wait_until("it is forgotten", || held() < 1 << 20);
}

#[test]
fn a_stream_that_is_over_may_be_followed_by_another() {
    let server = serve(|_| {});
    let mut wire = Wire::open(&server);
    let id = wire.create_stream();
    for name in ["one", "two"] {
        let mut publisher = Client::publish(&server, name);
        publisher.send_all(&headers(0));
        wire.call(id, "play", vec![name.into()]);
        wire.status(id, "NetStream.Play.Start");
        assert_eq!(wire.take(id, 3), headers(0));
        publisher.finish();
        wire.status(id, "NetStream.Play.Stop");
    }
}
