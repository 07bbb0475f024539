//! A server session fed message by message: control messages, envelopes, aggregates, and the
//! commands that clients send besides publishing and playing. And credentials in queries.

use bytes::{Bytes, BytesMut};
use frameloom_rtmp::amf0::{Value, object};
use frameloom_rtmp::auth::{AuthScheme, Challenge};
use frameloom_rtmp::chunk::{ChunkReader, ChunkWriter};
use frameloom_rtmp::command::Command;
use frameloom_rtmp::message::{Control, Message, UserControl, kind};
use frameloom_rtmp::{
    Error, Limits, MediaKind, Output, Secret, ServerConfig, ServerEvent, ServerSession,
};

struct Peer {
    session: ServerSession,
    writer: ChunkWriter,
    reader: ChunkReader,
}

impl Peer {
    /// After the handshake.
    fn new() -> Self {
        let mut session = ServerSession::new(ServerConfig::default());
        session.receive(&[3]).unwrap();
        session.receive(&[0; 3072]).unwrap();
        let answer: usize =
            std::iter::from_fn(|| session.poll_output()).map(|piece| piece.len()).sum();
        assert_eq!(answer, 3073);
        Peer { session, writer: ChunkWriter::new(), reader: ChunkReader::new(Limits::default()) }
    }

    fn connected() -> Self {
        let mut peer = Peer::new();
        peer.send(&connect().message(0)).unwrap();
        peer.session.poll_event().unwrap();
        peer
    }

    /// On message stream 1, accepted.
    fn publishing() -> Self {
        let mut peer = Peer::connected();
        peer.call("createStream", 2.0, vec![], 0);
        peer.call("publish", 3.0, vec!["camera".into(), "live".into()], 1);
        peer.session.accept(1).unwrap();
        peer.events();
        peer
    }

    /// The messages that answer `message`.
    fn send(&mut self, message: &Message) -> Result<Vec<Message>, Error> {
        let mut output = Output::new();
        self.writer.write(message, &mut output).unwrap();
        while let Some(piece) = output.poll() {
            self.session.receive(&piece)?;
        }
        let mut answers = Vec::new();
        while let Some(piece) = self.session.poll_output() {
            let mut rest = &piece[..];
            while let Some(message) = self.reader.read(&mut rest).unwrap() {
                answers.push(message);
            }
        }
        Ok(answers)
    }

    fn call(
        &mut self,
        name: &str,
        transaction: f64,
        arguments: Vec<Value>,
        id: u32,
    ) -> Vec<String> {
        let answers = self.send(&Command::new(name, transaction, arguments).message(id)).unwrap();
        let commands = answers.iter().filter_map(|message| {
            let command = Command::parse(message, &Limits::default()).unwrap()?;
            let code = command.arguments.first().and_then(|info| info.get("code")).cloned();
            let code = code.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
            Some(format!("{} {}", command.name, code).trim().to_owned())
        });
        commands.collect()
    }

    fn events(&mut self) -> Vec<ServerEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

fn connect() -> Command {
    let codecs = Value::StrictArray(vec!["hvc1".into(), "xyz1".into(), "Opus".into()]);
    Command {
        object: object([("app", "live/?a=b".into()), ("fourCcList", codecs)]),
        ..Command::new("connect", 1.0, vec![])
    }
}

fn media(kind: u8, timestamp: u32, payload: impl Into<Bytes>) -> Message {
    Message { chunk_stream: 6, timestamp, kind, stream_id: 1, payload: payload.into() }
}

#[test]
fn the_codecs_we_know_are_echoed() {
    let mut peer = Peer::new();
    let answers = peer.send(&connect().message(0)).unwrap();
    let result = Command::parse(answers.last().unwrap(), &Limits::default()).unwrap().unwrap();
    let known = Value::StrictArray(vec!["hvc1".into(), "Opus".into()]);
    assert_eq!(result.object.get("fourCcList"), Some(&known));
}

#[test]
fn commands_in_the_amf3_envelope_are_read() {
    let mut peer = Peer::new();
    let plain = connect().message(0);
    let payload = [&[0], &plain.payload[..]].concat().into();
    peer.send(&Message { kind: kind::COMMAND_AMF3, payload, ..plain }).unwrap();
    match peer.session.poll_event() {
        Some(ServerEvent::Connected(request)) => assert_eq!(request.app, "live"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn commands_besides_are_answered_politely() {
    let mut peer = Peer::connected();
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
    let mut peer = Peer::new();
    let create = Command::new("createStream", 1.0, vec![]).message(0);
    assert_eq!(peer.send(&create), Err(Error::Command("a command before connect")));
}

#[test]
fn pings_and_windows_are_answered() {
    let mut peer = Peer::publishing();
    let ping = Control::User(UserControl::PingRequest(77)).message();
    let pong = Control::User(UserControl::PingResponse(77));
    let answers = peer.send(&ping).unwrap();
    assert_eq!(Control::parse(&answers[answers.len() - 1]).unwrap(), Some(pong));
    peer.send(&Control::WindowAckSize(5000).message()).unwrap();
    let before = peer.send(&media(kind::VIDEO, 0, vec![0; 100])).unwrap().len();
    let after = peer.send(&media(kind::VIDEO, 40, vec![0; 6000])).unwrap();
    assert!(before <= 1);
    assert_eq!(after.last().map(|message| message.kind), Some(kind::ACKNOWLEDGEMENT));
}

#[test]
fn an_aggregate_is_taken_apart() {
    let mut peer = Peer::publishing();
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
    let (audio, video) = (MediaKind::Audio, MediaKind::Video);
    assert_eq!(got, [(video, 1000, 1), (audio, 1020, 2), (video, 1040, 3)]);
}

#[test]
fn metadata_that_is_no_amf0_is_passed_on_as_data() {
    let mut peer = Peer::publishing();
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
