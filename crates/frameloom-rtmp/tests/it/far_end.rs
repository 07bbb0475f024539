//! The far end of a session, message by message, after the handshake.

use frameloom_rtmp::amf0::Value;
use frameloom_rtmp::chunk::{ChunkReader, ChunkWriter};
use frameloom_rtmp::command::CommandMessage;
use frameloom_rtmp::message::Message;
use frameloom_rtmp::{
    ClientSession, Error, Limits, OutputBuffer, ServerSession, ServerSessionConfig,
};

pub(crate) trait Session {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Error>;
    fn poll_output(&mut self) -> Option<bytes::Bytes>;
}

impl Session for ServerSession {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Error> {
        ServerSession::receive(self, bytes)
    }

    fn poll_output(&mut self) -> Option<bytes::Bytes> {
        ServerSession::poll_output(self)
    }
}

impl Session for ClientSession {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), Error> {
        ClientSession::receive(self, bytes)
    }

    fn poll_output(&mut self) -> Option<bytes::Bytes> {
        ClientSession::poll_output(self)
    }
}

pub(crate) struct FarEnd<S> {
    pub(crate) session: S,
    writer: ChunkWriter,
    reader: ChunkReader,
}

impl<S: Session> FarEnd<S> {
    /// `sent` are the bytes of the session's own handshake.
    fn after_handshake(mut session: S, sent: usize) -> Self {
        session.receive(&[3]).unwrap();
        session.receive(&[0; 3072]).unwrap();
        let mut handshake = 0;
        while handshake < sent {
            handshake += session.poll_output().unwrap().len();
        }
        assert_eq!(handshake, sent);
        let (writer, reader) = (ChunkWriter::new(), ChunkReader::new(Limits::default()));
        FarEnd { session, writer, reader }
    }

    fn read(&mut self, mut bytes: &[u8]) -> Vec<Message> {
        std::iter::from_fn(|| self.reader.read(&mut bytes).unwrap()).collect()
    }

    pub(crate) fn answers(&mut self) -> Vec<Message> {
        let mut answers = Vec::new();
        while let Some(piece) = self.session.poll_output() {
            answers.extend(self.read(&piece));
        }
        answers
    }

    /// The messages that answer `message`.
    pub(crate) fn send(&mut self, message: &Message) -> Result<Vec<Message>, Error> {
        let mut output = OutputBuffer::new();
        self.writer.write(message, &mut output).unwrap();
        while let Some(piece) = output.poll() {
            self.session.receive(&piece)?;
        }
        Ok(self.answers())
    }

    /// The names of the commands that answer, with the status codes in them.
    pub(crate) fn call(
        &mut self,
        name: &str,
        transaction: f64,
        arguments: Vec<Value>,
        id: u32,
    ) -> Vec<String> {
        let answers =
            self.send(&CommandMessage::new(name, transaction, arguments).message(id)).unwrap();
        commands(&answers).iter().map(named).collect()
    }
}

pub(crate) fn commands(messages: &[Message]) -> Vec<CommandMessage> {
    let parse = |message| CommandMessage::parse(message, &Limits::default()).unwrap();
    messages.iter().filter_map(parse).collect()
}

pub(crate) fn named(command: &CommandMessage) -> String {
    let code = command.arguments.first().and_then(|info| info.get("code")).and_then(Value::as_str);
    format!("{} {}", command.name, code.unwrap_or_default()).trim().to_owned()
}

impl FarEnd<ServerSession> {
    pub(crate) fn new() -> Self {
        FarEnd::with(ServerSessionConfig::default())
    }

    pub(crate) fn with(config: ServerSessionConfig) -> Self {
        FarEnd::after_handshake(ServerSession::new(config), 3073)
    }

    pub(crate) fn connected() -> Self {
        let mut peer = FarEnd::new();
        peer.send(&connect(&[("app", "live/?a=b".into())])).unwrap();
        peer.session.poll_event().unwrap();
        peer
    }

    /// On message stream 1, accepted.
    pub(crate) fn publishing() -> Self {
        let mut peer = FarEnd::connected();
        peer.call("createStream", 2.0, vec![], 0);
        peer.call("publish", 3.0, vec!["camera".into(), "live".into()], 1);
        peer.session.accept(1).unwrap();
        peer.answers();
        peer.events();
        peer
    }

    pub(crate) fn events(&mut self) -> Vec<frameloom_rtmp::ServerEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

impl FarEnd<ClientSession> {
    /// And the `connect` that the client sent.
    pub(crate) fn client(config: frameloom_rtmp::ClientConfig) -> (Self, CommandMessage) {
        let mut far_end = FarEnd::after_handshake(ClientSession::new(config), 3073);
        let connect = commands(&far_end.answers()).remove(0);
        (far_end, connect)
    }

    pub(crate) fn events(&mut self) -> Vec<frameloom_rtmp::ClientEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

pub(crate) fn connect(properties: &[(&str, Value)]) -> Message {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let object = Value::Object(properties.collect());
    CommandMessage { object, ..CommandMessage::new("connect", 1.0, vec![]) }.message(0)
}
