//! The server's side of a connection.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::link::{Incoming, Link};
use super::media::{is_media, media_message, media_of};
use super::secret::query_parameter;
use super::{FOUR_CCS, Media, MediaKind, PublishKind, Secret, StreamKey, Timeline};
use crate::amf0::{Value, object};
use crate::command::{Command, status};
use crate::handshake::Handshake;
use crate::message::{BandwidthLimit, Control, Message, UserControl};
use crate::output::Output;
use crate::{Error, Limits, Result};

/// A server session's settings.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What the peer may make us hold.
    pub limits: Limits,
    /// Makes the handshake's filler; any number that differs between connections.
    pub seed: u64,
    /// The largest chunk payload we write, in bytes, 1 to 16,777,215. Default 65,536.
    pub chunk_size: u32,
    /// Bytes after which the client is to acknowledge. Default 2,500,000.
    pub window_bytes: u32,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            limits: Limits::default(),
            seed: 0x5EED,
            chunk_size: 65_536,
            window_bytes: 2_500_000,
        }
    }
}

/// What a client said in `connect`. RTMP 1.0, section 7.2.1.1; Enhanced RTMP v2.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectRequest {
    /// The application, without query and slashes around it.
    pub app: String,
    /// What follows `?` in the application: Adobe-style credentials and tokens.
    pub query: Secret,
    /// The URL that the client was given; it may hold credentials.
    pub tc_url: Secret,
    /// The client's name for itself (`flashVer`).
    pub flash_version: String,
    /// Enhanced RTMP codecs the client knows; empty for one that knows nothing of them.
    pub four_ccs: Vec<String>,
    /// Enhanced RTMP v2 capability bits (`capsEx`).
    pub caps_ex: u32,
}

impl ConnectRequest {
    /// The value of `name` in the application's query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        query_parameter(self.query.expose(), name)
    }
}

/// A client wants to publish; answer with [`ServerSession::accept`] or [`ServerSession::refuse`].
/// Media that arrives before the answer is held.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishRequest {
    /// The message stream to answer for.
    pub stream_id: u32,
    /// The application from `connect`.
    pub app: String,
    /// The stream's name and query.
    pub key: StreamKey,
    /// Live or to be recorded.
    pub kind: PublishKind,
}

/// A client wants to play; answer with [`ServerSession::accept`] or [`ServerSession::refuse`].
#[derive(Clone, Debug, PartialEq)]
pub struct PlayRequest {
    /// The message stream to answer for.
    pub stream_id: u32,
    /// The application from `connect`.
    pub app: String,
    /// The stream's name and query.
    pub key: StreamKey,
    /// Milliseconds into a recording; −2000 live or recorded, −1000 live only. The specification
    /// says seconds (section 7.2.2.1); what clients write is milliseconds.
    pub start_ms: f64,
}

/// What happened on a connection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// `connect` came, and has been answered.
    Connected(ConnectRequest),
    /// A client wants to publish.
    PublishRequested(PublishRequest),
    /// A client wants to play.
    PlayRequested(PlayRequest),
    /// Media of an accepted publisher.
    Media(Media),
    /// The publisher on this message stream has finished.
    PublishEnded {
        /// The message stream.
        stream_id: u32,
    },
    /// The player on this message stream has finished.
    PlayEnded {
        /// The message stream.
        stream_id: u32,
    },
    /// The player pauses or goes on. The client has been told yes; on going on, the embedder
    /// resumes at a keyframe.
    Paused {
        /// The message stream.
        stream_id: u32,
        /// Whether to stop sending.
        paused: bool,
    },
    /// The answer to [`ServerSession::ping`].
    Pong(u32),
}

/// Why the embedder refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Someone else publishes under this name, or the name is not allowed.
    NameTaken,
    /// Wrong or missing key.
    Unauthorized,
    /// Nothing of this name to play.
    NotFound,
    /// Anything else: too many players, shutting down.
    Unavailable,
}

#[derive(Debug, Default)]
enum Role {
    #[default]
    Idle,
    PublishAsked(VecDeque<Message>),
    Publishing,
    PlayAsked,
    Playing,
}

#[derive(Debug, Default)]
struct Stream {
    role: Role,
    timeline: Timeline,
    key: StreamKey,
}

/// The server's side of one connection. See the crate's documentation for its run loop.
#[derive(Debug)]
pub struct ServerSession {
    link: Link,
    config: ServerConfig,
    app: Option<String>,
    streams: BTreeMap<u32, Stream>,
    events: VecDeque<ServerEvent>,
    held_bytes: usize,
    failed: bool,
}

impl ServerSession {
    /// A session for a connection that was just accepted.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        let handshake = Handshake::server(config.seed);
        ServerSession {
            link: Link::new(config.limits.clone(), handshake, Output::new()),
            config,
            app: None,
            streams: BTreeMap::new(),
            events: VecDeque::new(),
            held_bytes: 0,
            failed: false,
        }
    }

    /// Takes bytes that came from the client, all of them.
    ///
    /// # Errors
    ///
    /// [`Error`] where they are not RTMP or a limit is passed. What was understood before stands
    /// in the events and the output; after that the connection has to be closed, and every
    /// further call gives [`Error::Failed`].
    pub fn receive(&mut self, mut input: &[u8]) -> Result<()> {
        if self.failed {
            return Err(Error::Failed);
        }
        let result = self.receive_all(&mut input);
        self.failed = result.is_err();
        result
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// The next bytes to write to the client, in order.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.link.output.poll()
    }

    /// Bytes that wait for [`ServerSession::poll_output`].
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        self.link.output.bytes()
    }

    /// Whether the handshake is still to be completed, for the embedder's time-out.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.link.is_handshaking()
    }

    /// Lets a publisher or player begin. A publisher's held media follows as events.
    ///
    /// # Errors
    ///
    /// [`Error::Stream`] where this message stream asked for nothing, or does so no more.
    pub fn accept(&mut self, stream_id: u32) -> Result<()> {
        let stream = self.streams.get_mut(&stream_id).ok_or(Error::Stream(stream_id))?;
        match std::mem::take(&mut stream.role) {
            Role::PublishAsked(held) => {
                stream.role = Role::Publishing;
                self.begin(stream_id)?;
                self.status(stream_id, "status", "NetStream.Publish.Start", "publishing")?;
                for message in held {
                    self.held_bytes = self.held_bytes.saturating_sub(message.payload.len());
                    self.media(&message);
                }
                Ok(())
            }
            Role::PlayAsked => {
                stream.role = Role::Playing;
                self.begin(stream_id)?;
                self.status(stream_id, "status", "NetStream.Play.Reset", "playing anew")?;
                self.status(stream_id, "status", "NetStream.Play.Start", "playing")
            }
            other => {
                stream.role = other;
                Err(Error::Stream(stream_id))
            }
        }
    }

    /// Tells a publisher or player no, or ends one that was accepted. The connection stays open:
    /// flush the output, then close it.
    ///
    /// # Errors
    ///
    /// [`Error::Stream`] where this message stream neither asked for anything nor was accepted.
    pub fn refuse(&mut self, stream_id: u32, why: Refusal) -> Result<()> {
        let stream = self.streams.get_mut(&stream_id).ok_or(Error::Stream(stream_id))?;
        let publish = match std::mem::take(&mut stream.role) {
            Role::PublishAsked(held) => {
                let bytes: usize = held.iter().map(|message| message.payload.len()).sum();
                self.held_bytes = self.held_bytes.saturating_sub(bytes);
                true
            }
            Role::Publishing => true,
            Role::PlayAsked | Role::Playing => false,
            Role::Idle => return Err(Error::Stream(stream_id)),
        };
        let (code, description) = match (publish, why) {
            (true, Refusal::NameTaken) => ("NetStream.Publish.BadName", "the name is in use"),
            (true, Refusal::Unauthorized) => ("NetStream.Publish.BadName", "not authorized"),
            (true, Refusal::NotFound) => ("NetStream.Publish.BadName", "no such application"),
            (true, Refusal::Unavailable) => ("NetStream.Publish.BadName", "not available now"),
            (false, Refusal::NotFound) => ("NetStream.Play.StreamNotFound", "no such stream"),
            (false, Refusal::Unauthorized) => ("NetStream.Play.Failed", "not authorized"),
            (false, Refusal::NameTaken | Refusal::Unavailable) => {
                ("NetStream.Play.Failed", "not available now")
            }
        };
        self.status(stream_id, "error", code, description)
    }

    /// Sends media to a player. The payload is not copied.
    ///
    /// # Errors
    ///
    /// [`Error::Stream`] where this message stream doesn't play; [`Error::ConnectionBytes`] where
    /// the client reads too slowly (nothing is sent then, and the session goes on);
    /// [`Error::MessageLength`] above 16,777,215 bytes.
    pub fn send_media(
        &mut self,
        stream_id: u32,
        kind: MediaKind,
        timestamp_ms: u64,
        payload: Bytes,
    ) -> Result<()> {
        match self.streams.get(&stream_id) {
            Some(Stream { role: Role::Playing, .. }) => {}
            _ => return Err(Error::Stream(stream_id)),
        }
        let message = media_message(stream_id, kind, timestamp_ms, payload, false);
        self.link.send_media(&message)
    }

    /// Tells a player that the stream is over.
    ///
    /// # Errors
    ///
    /// [`Error::Stream`] where this message stream doesn't play.
    pub fn finish_play(&mut self, stream_id: u32) -> Result<()> {
        match self.streams.get_mut(&stream_id) {
            Some(stream) if matches!(stream.role, Role::Playing) => stream.role = Role::Idle,
            _ => return Err(Error::Stream(stream_id)),
        }
        self.status(stream_id, "status", "NetStream.Play.UnpublishNotify", "the stream is over")?;
        self.link.send(&Control::User(UserControl::StreamEof(stream_id)).message())?;
        self.status(stream_id, "status", "NetStream.Play.Stop", "the stream is over")
    }

    /// Asks the client for a sign of life, which comes as [`ServerEvent::Pong`].
    ///
    /// # Errors
    ///
    /// [`Error::ConnectionBytes`] where the output is full.
    pub fn ping(&mut self, time: u32) -> Result<()> {
        self.link.send(&Control::User(UserControl::PingRequest(time)).message())
    }

    fn receive_all(&mut self, input: &mut &[u8]) -> Result<()> {
        while let Some(incoming) = self.link.read(input, self.held_bytes)? {
            match incoming {
                Incoming::Ready => {}
                Incoming::User(UserControl::PingResponse(time)) => {
                    self.events.push_back(ServerEvent::Pong(time));
                }
                Incoming::User(_) => {}
                Incoming::Message(message) if is_media(&message) => self.media_or_hold(message)?,
                Incoming::Message(message) => {
                    if let Some(command) = Command::parse(&message, &self.link.limits)? {
                        self.command(message.stream_id, &command)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn media_or_hold(&mut self, message: Message) -> Result<()> {
        let Some(stream) = self.streams.get_mut(&message.stream_id) else {
            return Ok(());
        };
        match &mut stream.role {
            Role::Publishing => self.media(&message),
            Role::PublishAsked(held) => {
                if held.len() >= self.link.limits.held_messages {
                    return Err(Error::Command("media before publish was answered"));
                }
                self.held_bytes += message.payload.len();
                held.push_back(message);
            }
            // What a refused or finished publisher still had on its way.
            Role::Idle | Role::PlayAsked | Role::Playing => {}
        }
        Ok(())
    }

    fn media(&mut self, message: &Message) {
        if let Some(stream) = self.streams.get_mut(&message.stream_id) {
            let events = &mut self.events;
            media_of(message, &mut stream.timeline, &self.link.limits, &mut |media| {
                events.push_back(ServerEvent::Media(media));
            });
        }
    }

    fn command(&mut self, stream_id: u32, command: &Command) -> Result<()> {
        if command.name == "connect" {
            return self.connect(command);
        }
        let Some(app) = self.app.clone() else {
            return Err(Error::Command("a command before connect"));
        };
        match command.name.as_str() {
            "createStream" => self.create_stream(command.transaction),
            "publish" => self.publish(stream_id, app, command),
            "play" => self.play(stream_id, app, command),
            "pause" => self.pause(stream_id, command.arguments.first() == Some(&true.into())),
            "seek" => {
                self.status(stream_id, "error", "NetStream.Seek.Failed", "a live stream can't seek")
            }
            "deleteStream" => {
                // The number is whole and small, or names no stream of ours.
                let id = command.number(0).unwrap_or(0.0) as u32;
                self.end(id);
                self.streams.remove(&id);
                Ok(())
            }
            "closeStream" => {
                self.end(stream_id);
                Ok(())
            }
            "FCUnpublish" => {
                let name = command.text(0).map(StreamKey::from).unwrap_or_default();
                let ended = self.streams.iter().find_map(|(id, stream)| {
                    let publishes = matches!(stream.role, Role::Publishing);
                    (publishes && stream.key.name() == name.name()).then_some(*id)
                });
                if let Some(id) = ended {
                    self.end(id);
                }
                self.notice("onFCUnpublish", "NetStream.Unpublish.Success")
            }
            "FCPublish" => {
                self.result(command.transaction, Value::Null, Value::Undefined)?;
                self.notice("onFCPublish", "NetStream.Publish.Start")
            }
            "FCSubscribe" => self.notice("onFCSubscribe", "NetStream.Play.Start"),
            "getStreamLength" => self.result(command.transaction, Value::Null, 0.0.into()),
            "releaseStream" | "_checkbw" => {
                self.result(command.transaction, Value::Null, Value::Undefined)
            }
            // Answers to what we never asked, and switches that a relay ignores.
            "_result" | "_error" | "onStatus" | "receiveAudio" | "receiveVideo" => Ok(()),
            _ if command.transaction != 0.0 => self.error(command.transaction, "no such command"),
            _ => Ok(()),
        }
    }

    fn connect(&mut self, command: &Command) -> Result<()> {
        if self.app.is_some() {
            return Err(Error::Command("a second connect"));
        }
        let text = |name| command.object.get(name).and_then(Value::as_str).unwrap_or_default();
        let (app, query) = text("app").split_once('?').unwrap_or((text("app"), ""));
        let app = app.trim_matches('/').to_owned();
        let four_ccs: Vec<String> = match command.object.get("fourCcList") {
            Some(Value::StrictArray(items)) => {
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let caps_ex = command.object.get("capsEx").and_then(Value::as_number).unwrap_or(0.0);
        self.link.send_window(self.config.window_bytes)?;
        let limit = BandwidthLimit::Dynamic;
        let bandwidth = Control::SetPeerBandwidth { window: self.config.window_bytes, limit };
        self.link.send(&bandwidth.message())?;
        let chunk_size = self.config.chunk_size.clamp(1, 0xFF_FFFF);
        self.link.send(&Control::SetChunkSize(chunk_size).message())?;
        self.begin(0)?;
        let mut server = vec![
            ("fmsVer".to_owned(), "FMS/3,0,1,123".into()),
            ("capabilities".to_owned(), 31.0.into()),
        ];
        if !four_ccs.is_empty() {
            let known =
                |code: &&String| code.as_str() == "*" || FOUR_CCS.iter().any(|known| known == code);
            let list = four_ccs.iter().filter(known).map(|code| code.as_str().into()).collect();
            server.push(("fourCcList".to_owned(), Value::StrictArray(list)));
        }
        let information = object([
            ("level", "status".into()),
            ("code", "NetConnection.Connect.Success".into()),
            ("description", "Connection succeeded.".into()),
            // We never write AMF3, and say so whatever the client asked for.
            ("objectEncoding", 0.0.into()),
        ]);
        self.result(command.transaction, Value::Object(server), information)?;
        self.app = Some(app.clone());
        self.events.push_back(ServerEvent::Connected(ConnectRequest {
            app,
            query: query.into(),
            tc_url: text("tcUrl").into(),
            flash_version: text("flashVer").to_owned(),
            four_ccs,
            // Saturates, which is right for bits beyond the known ones too.
            caps_ex: caps_ex as u32,
        }));
        Ok(())
    }

    fn create_stream(&mut self, transaction: f64) -> Result<()> {
        if self.streams.len() >= self.link.limits.message_streams {
            return self.error(transaction, "too many streams");
        }
        let id = (1..).find(|id| !self.streams.contains_key(id)).unwrap_or(1);
        self.streams.insert(id, Stream::default());
        self.result(transaction, Value::Null, f64::from(id).into())
    }

    fn publish(&mut self, stream_id: u32, app: String, command: &Command) -> Result<()> {
        let Some(stream) = self.streams.get_mut(&stream_id) else {
            return Err(Error::Command("publish on a stream that was not created"));
        };
        let key = StreamKey::from(command.text(0).unwrap_or_default());
        if !matches!(stream.role, Role::Idle) || key.name().is_empty() {
            let text = "the stream is busy, or the name is missing";
            return self.status(stream_id, "error", "NetStream.Publish.BadName", text);
        }
        *stream = Stream { role: Role::PublishAsked(VecDeque::new()), key, ..Stream::default() };
        self.events.push_back(ServerEvent::PublishRequested(PublishRequest {
            stream_id,
            app,
            key: stream.key.clone(),
            kind: PublishKind::parse(command.text(1)),
        }));
        Ok(())
    }

    fn play(&mut self, stream_id: u32, app: String, command: &Command) -> Result<()> {
        let Some(stream) = self.streams.get_mut(&stream_id) else {
            return Err(Error::Command("play on a stream that was not created"));
        };
        let key = StreamKey::from(command.text(0).unwrap_or_default());
        if !matches!(stream.role, Role::Idle) || key.name().is_empty() {
            let text = "the stream is busy, or the name is missing";
            return self.status(stream_id, "error", "NetStream.Play.Failed", text);
        }
        *stream = Stream { role: Role::PlayAsked, key, ..Stream::default() };
        self.events.push_back(ServerEvent::PlayRequested(PlayRequest {
            stream_id,
            app,
            key: stream.key.clone(),
            start_ms: command.number(1).unwrap_or(-2000.0),
        }));
        Ok(())
    }

    fn pause(&mut self, stream_id: u32, paused: bool) -> Result<()> {
        if !matches!(self.streams.get(&stream_id), Some(Stream { role: Role::Playing, .. })) {
            return Ok(());
        }
        self.events.push_back(ServerEvent::Paused { stream_id, paused });
        let code = if paused { "NetStream.Pause.Notify" } else { "NetStream.Unpause.Notify" };
        self.status(stream_id, "status", code, "as asked")
    }

    fn end(&mut self, stream_id: u32) {
        let Some(stream) = self.streams.get_mut(&stream_id) else {
            return;
        };
        match std::mem::take(&mut stream.role) {
            Role::Idle => {}
            Role::PublishAsked(held) => {
                let bytes: usize = held.iter().map(|message| message.payload.len()).sum();
                self.held_bytes = self.held_bytes.saturating_sub(bytes);
                self.events.push_back(ServerEvent::PublishEnded { stream_id });
            }
            Role::Publishing => self.events.push_back(ServerEvent::PublishEnded { stream_id }),
            Role::PlayAsked | Role::Playing => {
                self.events.push_back(ServerEvent::PlayEnded { stream_id });
            }
        }
    }

    fn begin(&mut self, stream_id: u32) -> Result<()> {
        self.link.send(&Control::User(UserControl::StreamBegin(stream_id)).message())
    }

    fn status(&mut self, stream_id: u32, level: &str, code: &str, text: &str) -> Result<()> {
        let command = Command::new("onStatus", 0.0, vec![status(level, code, text)]);
        self.link.send(&command.message(stream_id))
    }

    fn notice(&mut self, name: &str, code: &str) -> Result<()> {
        let command = Command::new(name, 0.0, vec![status("status", code, "as asked")]);
        self.link.send(&command.message(0))
    }

    fn result(&mut self, transaction: f64, object: Value, argument: Value) -> Result<()> {
        let command = Command { object, ..Command::new("_result", transaction, vec![argument]) };
        self.link.send(&command.message(0))
    }

    fn error(&mut self, transaction: f64, text: &str) -> Result<()> {
        let argument = status("error", "NetConnection.Call.Failed", text);
        self.link.send(&Command::new("_error", transaction, vec![argument]).message(0))
    }
}
