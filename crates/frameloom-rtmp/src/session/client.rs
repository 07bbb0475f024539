//! The client's side of a connection: one stream, published or played.

use std::collections::VecDeque;

use bytes::Bytes;

use super::auth::Challenge;
use super::enhanced::{self, FourCcInfo, PeerCapabilities};
use super::link::{ChunkLink, IncomingMessage};
use super::media::{is_media, media_message, media_of, next_event, room_for_event};
use super::{Media, MediaType, PublishKind, Secret, StreamKey, TimestampUnwrapper};
use crate::amf0::{Properties, Value};
use crate::command::CommandMessage;
use crate::handshake::{DigestScheme, Handshake};
use crate::message::{ControlMessage, Message, UserControl};
use crate::output::OutputBuffer;
use crate::{Error, Limits, Result};

/// What to do once connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRole {
    /// Send a stream.
    Publish(PublishKind),
    /// Receive a live stream, and tell the server of a buffer of this many milliseconds.
    Play {
        /// Milliseconds.
        buffer_ms: u32,
    },
}

/// Which stream of a name a player asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlayStart {
    /// A live one where there is one, or else a recorded one.
    #[default]
    Any,
    /// A live one.
    Live,
    /// A recorded one.
    Recorded,
}

impl PlayStart {
    /// As `play` has it.
    fn number(self) -> f64 {
        match self {
            PlayStart::Any => -2000.0,
            PlayStart::Live => -1000.0,
            PlayStart::Recorded => 0.0,
        }
    }
}

/// A client session's settings.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// What the peer may make us hold.
    pub limits: Limits,
    /// Makes the handshake's filler; any number that differs between connections.
    pub seed: u64,
    /// Sign the handshake; `None`, the default, suits every server in use today.
    pub digest: Option<DigestScheme>,
    /// The application: the URL's path up to the stream's name, with a query where one is needed.
    pub app: Secret,
    /// The URL up to and including the application.
    pub tc_url: Secret,
    /// The stream's name and query.
    pub key: StreamKey,
    /// Publish or play.
    pub role: ClientRole,
    /// Our name for ourselves (`flashVer`). Some servers look for `FMLE/` in a publisher's.
    pub flash_version: String,
    /// The player's own URL (`swfUrl`), for servers that ask who plays or publishes.
    pub swf_url: Option<String>,
    /// The URL of the page that the player stands in (`pageUrl`), which only players tell.
    pub page_url: Option<String>,
    /// More arguments of `connect`, behind its object.
    pub connect_arguments: Vec<Value>,
    /// Which stream of the name is played.
    pub play_start: PlayStart,
    /// The stream that a player subscribes to (`FCSubscribe`) before it plays. One that asks for
    /// live streams alone subscribes to what it plays.
    pub subscribe: Option<StreamKey>,
    /// The largest chunk payload we write, in bytes, 1 to 16,777,215. Default 65,536.
    pub chunk_size: u32,
    /// Bytes after which the server is to acknowledge. Default 2,500,000.
    pub window_bytes: u32,
    /// Say in `connect` what we know of Enhanced RTMP. Default true; for old servers that refuse
    /// a `connect` with more in it than they know.
    pub enhanced: bool,
}

impl ClientConfig {
    /// Settings for one stream, the rest as by default.
    #[must_use]
    pub fn new(tc_url: &str, app: &str, key: &str, role: ClientRole) -> Self {
        ClientConfig {
            limits: Limits::default(),
            seed: 0x5EED,
            digest: None,
            app: app.into(),
            tc_url: tc_url.into(),
            key: key.into(),
            role,
            flash_version: match role {
                ClientRole::Publish(_) => "FMLE/3.0 (compatible; Frameloom)".to_owned(),
                ClientRole::Play { .. } => "LNX 9,0,124,2".to_owned(),
            },
            swf_url: None,
            page_url: None,
            connect_arguments: Vec::new(),
            play_start: PlayStart::Any,
            subscribe: None,
            chunk_size: 65_536,
            window_bytes: 2_500_000,
            enhanced: true,
        }
    }
}

/// What a server said of itself in the answer to `connect`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its version (`fmsVer`).
    pub version: String,
    /// Enhanced RTMP codecs it knows; empty for one that knows nothing of them.
    pub four_ccs: Vec<String>,
    /// Enhanced RTMP v2 capability bits, see [`caps_ex`](crate::caps_ex).
    pub caps_ex: u32,
    /// What the server does with video codecs, by Enhanced RTMP v2.
    pub video_codecs: Vec<FourCcInfo>,
    /// What the server does with audio codecs, by Enhanced RTMP v2.
    pub audio_codecs: Vec<FourCcInfo>,
}

/// What happened on a connection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server accepted `connect`.
    Connected(ServerInfo),
    /// The server accepted `publish` or `play`: media may flow.
    Started,
    /// Media of the stream that we play.
    Media(Media),
    /// The stream that we play is over, or the server ended our publishing.
    Ended {
        /// The status code, such as `NetStream.Play.UnpublishNotify`.
        code: String,
    },
    /// The server refused. The connection has to be closed.
    Refused {
        /// The status code, such as `NetStream.Publish.BadName`; empty where there was none.
        code: String,
        /// The server's words; they may repeat the stream's name, so they are not for logs.
        description: Secret,
        /// Where it wants credentials: how to ask again, on a new connection.
        challenge: Option<Challenge>,
    },
    /// The server wants us on a new connection: by a reconnect request of Enhanced RTMP v2, and
    /// then this connection goes on until we leave it, best at a keyframe; or by a redirect, and
    /// then [`ClientEvent::Refused`] follows.
    ReconnectRequested {
        /// The URL up to and including the application, in full. `None` for the one we have.
        tc_url: Option<Secret>,
    },
    /// The answer to [`ClientSession::ping`].
    Pong(u32),
    /// Any other status.
    Status {
        /// The status code.
        code: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientState {
    Handshake,
    Connecting,
    Creating,
    Asking,
    Running,
    Over,
}

const CONNECT: f64 = 1.0;
const RELEASE: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE: f64 = 4.0;
const ASK: f64 = 5.0;
const SUBSCRIBE: f64 = 6.0;

/// The client's side of one connection. See the crate's documentation for its run loop.
#[derive(Debug)]
pub struct ClientSession {
    link: ChunkLink,
    config: ClientConfig,
    state: ClientState,
    stream_id: u32,
    timeline: TimestampUnwrapper,
    events: VecDeque<ClientEvent>,
    failed: bool,
}

impl ClientSession {
    /// A session for a new connection. The client speaks first: there is output at once.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        let mut output = OutputBuffer::new();
        let handshake = Handshake::client(config.seed, config.digest, &mut output);
        ClientSession {
            link: ChunkLink::new(config.limits.clone(), config.window_bytes, handshake, output),
            config,
            state: ClientState::Handshake,
            stream_id: 0,
            timeline: TimestampUnwrapper::default(),
            events: VecDeque::new(),
            failed: false,
        }
    }

    /// Takes bytes that came from the server, all of them.
    ///
    /// # Errors
    ///
    /// [`Error`] where they are not RTMP or a limit is passed. What was understood before stands
    /// in the events; after that the connection has to be closed, and every further call gives
    /// [`Error::Failed`].
    pub fn receive(&mut self, mut input: &[u8]) -> Result<()> {
        if self.failed {
            return Err(Error::Failed);
        }
        let result = self.receive_all(&mut input);
        self.failed = result.is_err();
        result
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        next_event(&mut self.events)
    }

    /// What is to be written to the server, to be written from where it is and taken away by
    /// [`Buf::advance`](bytes::Buf::advance).
    pub fn output(&mut self) -> &mut OutputBuffer {
        &mut self.link.output
    }

    /// The next bytes to write to the server, in order: the same as [`ClientSession::output`] in
    /// pieces of their own.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.link.output.poll()
    }

    /// Bytes that wait for [`ClientSession::poll_output`].
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        self.link.output.bytes()
    }

    /// Sends media after [`ClientEvent::Started`]. The payload is not copied, except metadata's.
    ///
    /// # Errors
    ///
    /// [`Error::Stream`] where we don't publish, or not yet; [`Error::ConnectionBytes`] where the
    /// server reads too slowly (nothing is sent then, and the session goes on);
    /// [`Error::MessageLength`] above 16,777,215 bytes.
    pub fn send_media(&mut self, kind: MediaType, timestamp_ms: u64, payload: Bytes) -> Result<()> {
        if self.state != ClientState::Running || !self.publishes() {
            return Err(Error::Stream(self.stream_id));
        }
        let message = media_message(self.stream_id, kind, timestamp_ms, payload, true);
        self.link.send_media(message)
    }

    /// Asks the server for a sign of life, which comes as [`ClientEvent::Pong`]. Not every server
    /// answers.
    ///
    /// # Errors
    ///
    /// [`Error::ConnectionBytes`] where the output is full.
    pub fn ping(&mut self, time: u32) -> Result<()> {
        self.link.send(ControlMessage::User(UserControl::PingRequest(time)).message())
    }

    /// Says goodbye: write the output, then close the connection.
    ///
    /// # Errors
    ///
    /// [`Error::ConnectionBytes`] where the output is full.
    pub fn finish(&mut self) -> Result<()> {
        if !matches!(self.state, ClientState::Asking | ClientState::Running) {
            self.state = ClientState::Over;
            return Ok(());
        }
        self.state = ClientState::Over;
        if self.publishes() {
            self.call("FCUnpublish", 0.0, vec![self.config.key.expose().into()], 0)?;
        }
        self.call("deleteStream", 0.0, vec![f64::from(self.stream_id).into()], 0)
    }

    fn publishes(&self) -> bool {
        matches!(self.config.role, ClientRole::Publish(_))
    }

    fn receive_all(&mut self, input: &mut &[u8]) -> Result<()> {
        while let Some(incoming) = self.link.read(input, 0)? {
            room_for_event(&self.events, &self.link.limits)?;
            match incoming {
                IncomingMessage::Ready => self.connect()?,
                IncomingMessage::User(UserControl::PingResponse(time)) => {
                    self.events.push_back(ClientEvent::Pong(time));
                }
                IncomingMessage::User(UserControl::StreamEof(id)) if id == self.stream_id => {
                    self.ended("NetStream.Play.Stop");
                }
                IncomingMessage::User(_) => {}
                IncomingMessage::Message(message) if is_media(&message) => self.media(message)?,
                IncomingMessage::Message(message) => {
                    if let Some(command) = CommandMessage::parse(&message, &self.link.limits)? {
                        self.command(&command)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn media(&mut self, message: Message) -> Result<()> {
        if self.publishes() || !matches!(self.state, ClientState::Asking | ClientState::Running) {
            return Ok(());
        }
        // Some servers send media with no word before it.
        self.started();
        let (events, limits) = (&mut self.events, &self.link.limits);
        media_of(message, &mut self.timeline, limits, &mut |media| {
            room_for_event(events, limits)?;
            events.push_back(ClientEvent::Media(media));
            Ok(())
        })
    }

    fn started(&mut self) {
        if self.state == ClientState::Asking {
            self.state = ClientState::Running;
            self.events.push_back(ClientEvent::Started);
        }
    }

    fn ended(&mut self, code: &str) {
        if self.state != ClientState::Over {
            self.state = ClientState::Over;
            self.events.push_back(ClientEvent::Ended { code: code.to_owned() });
        }
    }

    fn call(
        &mut self,
        name: &str,
        transaction: f64,
        arguments: Vec<Value>,
        stream_id: u32,
    ) -> Result<()> {
        self.link.send(CommandMessage::new(name, transaction, arguments).message(stream_id))
    }

    fn connect(&mut self) -> Result<()> {
        let chunk_size = self.config.chunk_size.clamp(1, 0xFF_FFFF);
        self.link.send(ControlMessage::SetChunkSize(chunk_size).message())?;
        let mut properties = vec![
            ("app", self.config.app.expose().into()),
            ("flashVer", self.config.flash_version.as_str().into()),
            ("tcUrl", self.config.tc_url.expose().into()),
        ];
        if let Some(url) = &self.config.swf_url {
            properties.insert(2, ("swfUrl", url.as_str().into()));
        }
        if self.publishes() {
            properties.insert(1, ("type", "nonprivate".into()));
        } else {
            properties.extend([
                ("fpad", false.into()),
                ("capabilities", 15.0.into()),
                // The codecs that Flash Player had: servers that look at these want them all.
                ("audioCodecs", 4071.0.into()),
                ("videoCodecs", 252.0.into()),
                ("videoFunction", 1.0.into()),
            ]);
            if let Some(url) = &self.config.page_url {
                properties.push(("pageUrl", url.as_str().into()));
            }
        }
        let properties = properties.into_iter().map(|(key, value)| (key.to_owned(), value));
        let mut properties: Properties = properties.collect();
        if self.config.enhanced {
            properties.extend(enhanced::request(self.publishes()));
        }
        let command = CommandMessage {
            object: Value::Object(properties),
            ..CommandMessage::new("connect", CONNECT, self.config.connect_arguments.clone())
        };
        self.state = ClientState::Connecting;
        self.link.send(command.message(0))
    }

    fn command(&mut self, command: &CommandMessage) -> Result<()> {
        match command.name.as_str() {
            "_result"
                if command.transaction == CONNECT && self.state == ClientState::Connecting =>
            {
                self.connected(command)
            }
            "_result" if command.transaction == CREATE && self.state == ClientState::Creating => {
                // Whole and small in every server there is; anything else saturates harmlessly.
                self.stream_id = command.number(0).unwrap_or(1.0) as u32;
                self.ask()
            }
            // To releaseStream and FCPublish many servers answer with an error that means nothing.
            "_error" if [CONNECT, CREATE, ASK].contains(&command.transaction) => {
                self.refused(command);
                Ok(())
            }
            "onStatus" => {
                self.on_status(command);
                Ok(())
            }
            "onBWDone" => self.call("_checkbw", 0.0, Vec::new(), 0),
            "close" => {
                self.ended("NetConnection.Connect.Closed");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn connected(&mut self, command: &CommandMessage) -> Result<()> {
        // Enhanced RTMP servers say it in either object.
        let objects = [Some(&command.object), command.arguments.first()];
        let said = objects.into_iter().flatten().map(PeerCapabilities::parse);
        let said = said.reduce(|first, second| if first.is_empty() { second } else { first });
        let said = said.unwrap_or_default();
        let version = command.object.get("fmsVer").and_then(Value::as_str).unwrap_or_default();
        let info = ServerInfo {
            version: version.to_owned(),
            four_ccs: said.four_ccs,
            caps_ex: said.caps_ex.unwrap_or(0),
            video_codecs: said.video,
            audio_codecs: said.audio,
        };
        self.events.push_back(ClientEvent::Connected(info));
        self.state = ClientState::Creating;
        if self.publishes() {
            let name = Value::from(self.config.key.expose());
            self.call("releaseStream", RELEASE, vec![name.clone()], 0)?;
            self.call("FCPublish", FC_PUBLISH, vec![name], 0)?;
        } else {
            self.link.send_window(self.config.window_bytes)?;
        }
        self.call("createStream", CREATE, Vec::new(), 0)?;
        let is_live = self.config.play_start == PlayStart::Live;
        let subscribed = self.config.subscribe.as_ref().or(is_live.then_some(&self.config.key));
        match subscribed.filter(|_| !self.publishes()) {
            Some(key) => {
                let name = Value::from(key.expose());
                self.call("FCSubscribe", SUBSCRIBE, vec![name], 0)
            }
            None => Ok(()),
        }
    }

    fn ask(&mut self) -> Result<()> {
        self.state = ClientState::Asking;
        let stream_id = self.stream_id;
        let key = Value::from(self.config.key.expose());
        match self.config.role {
            ClientRole::Publish(kind) => {
                self.call("publish", ASK, vec![key, kind.as_str().into()], stream_id)
            }
            ClientRole::Play { buffer_ms } => {
                self.call(
                    "play",
                    ASK,
                    vec![key, self.config.play_start.number().into()],
                    stream_id,
                )?;
                let event = UserControl::SetBufferLength { stream_id, buffer_ms };
                self.link.send(ControlMessage::User(event).message())
            }
        }
    }

    fn on_status(&mut self, command: &CommandMessage) {
        let information = command.arguments.first();
        let text = |name| information.and_then(|info| info.get(name)).and_then(Value::as_str);
        let code = text("code").unwrap_or_default();
        match code {
            "NetConnection.Connect.ReconnectRequest" => {
                let tc_url = text("tcUrl").map(|url| self.absolute(url));
                self.events.push_back(ClientEvent::ReconnectRequested { tc_url });
            }
            "NetStream.Publish.Start" if self.publishes() => self.started(),
            "NetStream.Play.Start" if !self.publishes() => self.started(),
            "NetStream.Play.UnpublishNotify"
            | "NetStream.Play.Stop"
            | "NetStream.Play.Complete"
            | "NetStream.Unpublish.Success"
            | "NetConnection.Connect.Closed" => self.ended(code),
            _ if text("level") == Some("error") => self.refused(command),
            _ => self.events.push_back(ClientEvent::Status { code: code.to_owned() }),
        }
    }

    fn refused(&mut self, command: &CommandMessage) {
        if self.state == ClientState::Over {
            return;
        }
        self.state = ClientState::Over;
        let information = command.arguments.first();
        let text = |name| information.and_then(|info| info.get(name)).and_then(Value::as_str);
        let description = text("description").unwrap_or_default();
        let redirect = information.and_then(|info| info.get("ex")?.get("redirect")?.as_str());
        if let Some(url) = redirect {
            let tc_url = Some(self.absolute(url));
            self.events.push_back(ClientEvent::ReconnectRequested { tc_url });
        }
        self.events.push_back(ClientEvent::Refused {
            code: text("code").unwrap_or_default().to_owned(),
            description: description.into(),
            challenge: Challenge::parse(description),
        });
    }

    /// A URL that may lack its front, which then is ours.
    fn absolute(&self, url: &str) -> Secret {
        let base = self.config.tc_url.expose();
        let scheme = base.find("://").map_or(0, |at| at + 1);
        let host = base.get(scheme + 2..).and_then(|rest| rest.find('/'));
        let host = host.map_or(base.len(), |at| scheme + 2 + at);
        let front = match url {
            _ if url.contains("://") => "",
            _ if url.starts_with("//") => &base[..scheme],
            _ if url.starts_with('/') => &base[..host],
            // Beside our application.
            _ => base.rfind('/').map_or("", |at| &base[..=at]),
        };
        format!("{front}{url}").into()
    }
}
