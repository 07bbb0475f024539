//! The server's side of a connection.

mod commands;
mod request;

use std::collections::VecDeque;

use bytes::Bytes;
use smallvec::SmallVec;

use super::enhanced::PeerCapabilities;
use super::link::{ChunkLink, IncomingMessage};
use super::media::{is_media, media_message, media_of, next_event, room_for_event};
use super::{MediaType, StreamKey, TimestampUnwrapper};
use crate::command::CommandMessage;
use crate::handshake::Handshake;
use crate::message::{ControlMessage, Message, UserControl};
use crate::output::OutputBuffer;
use crate::{Error, Limits, Result};

pub use request::{ConnectRequest, PlayRequest, PublishRequest, Refusal, ServerEvent};

/// A server session's settings.
#[derive(Clone, Debug)]
pub struct ServerSessionConfig {
    /// What the peer may make us hold.
    pub limits: Limits,
    /// Makes the handshake's filler; any number that differs between connections.
    pub seed: u64,
    /// The largest chunk payload we write, in bytes, 1 to 16,777,215. Default 65,536.
    pub chunk_size: u32,
    /// Bytes after which the client is to acknowledge. Default 2,500,000.
    pub window_bytes: u32,
    /// Leave the answer to `connect` to the embedder, by [`ServerSession::accept_connect`] or
    /// [`ServerSession::refuse_connect`]. By default it is accepted at once.
    pub hold_connect: bool,
}

impl Default for ServerSessionConfig {
    fn default() -> Self {
        ServerSessionConfig {
            limits: Limits::default(),
            seed: 0x5EED,
            chunk_size: 65_536,
            window_bytes: 2_500_000,
            hold_connect: false,
        }
    }
}

/// What a refused name is told.
const BAD_NAME: &str = "the name is empty, too long, or has characters that no name may have";

/// What a message that waits takes, in bytes: short ones must not pass the limit by their number.
fn held_by(message: &Message) -> usize {
    2 * size_of::<Message>() + message.payload.len()
}

/// How far `connect` has come.
#[derive(Debug)]
enum Connect {
    Awaited,
    Asked(Box<AskedConnect>),
    /// The application.
    Accepted(String),
    Refused,
}

/// A `connect` that waits for the embedder's answer.
#[derive(Debug)]
struct AskedConnect {
    app: String,
    transaction: f64,
    enhanced: PeerCapabilities,
    /// What the client sent since.
    waiting: VecDeque<Message>,
}

#[derive(Debug, Default)]
enum StreamRole {
    #[default]
    Idle,
    PublishAsked(VecDeque<Message>),
    Publishing,
    PlayAsked,
    Playing,
}

#[derive(Debug, Default)]
struct MessageStream {
    id: u32,
    role: StreamRole,
    timeline: TimestampUnwrapper,
    key: StreamKey,
}

/// The server's side of one connection. See the crate's documentation for its run loop.
#[derive(Debug)]
pub struct ServerSession {
    link: ChunkLink,
    config: ServerSessionConfig,
    connect: Connect,
    /// One or two; [`Limits::message_streams`] at most.
    streams: SmallVec<[MessageStream; 1]>,
    events: VecDeque<ServerEvent>,
    held_bytes: usize,
    failed: bool,
}

impl ServerSession {
    /// A session for a connection that was just accepted.
    #[must_use]
    pub fn new(config: ServerSessionConfig) -> Self {
        let handshake = Handshake::server(config.seed);
        ServerSession {
            link: ChunkLink::new(
                config.limits.clone(),
                config.window_bytes,
                handshake,
                OutputBuffer::new(),
            ),
            config,
            connect: Connect::Awaited,
            streams: SmallVec::new(),
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
        next_event(&mut self.events)
    }

    /// What is to be written to the client, to be written from where it is and taken away by
    /// [`Buf::advance`](bytes::Buf::advance).
    pub fn output(&mut self) -> &mut OutputBuffer {
        &mut self.link.output
    }

    /// The next bytes to write to the client, in order: the same as [`ServerSession::output`] in
    /// pieces of their own.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.link.output.poll()
    }

    /// Bytes that wait for [`ServerSession::poll_output`].
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        self.link.output.bytes()
    }

    /// Bytes of memory that the session takes: unfinished messages, those that wait for an answer,
    /// events, and what waits to be written. Payloads that it was given by
    /// [`ServerSession::send_media`] are shared, and left out.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let events = self.events.capacity() * size_of::<ServerEvent>();
        self.link.room_bytes() + self.held_bytes + events
    }

    /// Bytes of messages that wait for the embedder's answer. With many of them it is best to read
    /// no more from the client before it has decided: past the limit the session fails.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.held_bytes
    }

    /// How much of unfinished and waiting messages the client may make us hold from now on, at
    /// most and by default [`Limits::connection_bytes`]. A client that may not publish needs next
    /// to nothing.
    pub fn set_input_bytes(&mut self, bytes: usize) {
        self.link.set_input_bytes(bytes);
    }

    /// Of [`ServerSession::output_bytes`] those that take memory of their own: answers, headers,
    /// and short payloads.
    #[must_use]
    pub fn copied_bytes(&self) -> usize {
        self.link.output.copied_bytes()
    }

    /// Forgets what has come of unfinished messages. For a connection that is to be read no more.
    pub fn drop_input(&mut self) {
        self.failed = true;
        self.link.drop_input();
        self.events = VecDeque::new();
    }

    /// Whether the handshake is still to be completed, for the embedder's time-out.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.link.is_handshaking()
    }

    /// Answers a [`ServerEvent::ConnectRequested`] with yes. What the client sent since follows as
    /// events.
    ///
    /// # Errors
    ///
    /// [`Error::MessageStream`] where no `connect` waits for an answer; any other from what was held, as
    /// from [`ServerSession::receive`].
    pub fn accept_connect(&mut self) -> Result<()> {
        let asked = self.take_connect(Connect::Refused)?;
        let result = self.accept_asked(*asked);
        self.failed |= result.is_err();
        result
    }

    /// Answers a [`ServerEvent::ConnectRequested`] with no. What the client sent since is dropped,
    /// and so is what it sends yet: write the output, then close the connection.
    ///
    /// The client is told `description`. Adobe-style authentication is asked for in it.
    ///
    /// # Errors
    ///
    /// [`Error::MessageStream`] where no `connect` waits for an answer.
    pub fn refuse_connect(&mut self, description: &str) -> Result<()> {
        let asked = self.take_connect(Connect::Refused)?;
        self.held_bytes = 0;
        self.reject(asked.transaction, description)
    }

    fn take_connect(&mut self, next: Connect) -> Result<Box<AskedConnect>> {
        match std::mem::replace(&mut self.connect, next) {
            Connect::Asked(asked) => Ok(asked),
            other => {
                self.connect = other;
                Err(Error::Stream(0))
            }
        }
    }

    fn accept_asked(&mut self, asked: AskedConnect) -> Result<()> {
        self.accepted(asked.app, asked.transaction, &asked.enhanced)?;
        for message in asked.waiting {
            self.held_bytes = self.held_bytes.saturating_sub(held_by(&message));
            self.message(message)?;
        }
        Ok(())
    }

    /// Asks the client to connect anew, here or at another URL, as before a restart (Enhanced RTMP
    /// v2, "Reconnect Request"). Go on serving it until it leaves. Clients that know of it say so
    /// with [`caps_ex::RECONNECT`](crate::caps_ex::RECONNECT); others ignore it.
    ///
    /// # Errors
    ///
    /// [`Error::MessageStream`] before `connect` was accepted; [`Error::ConnectionBytes`] where the
    /// output is full.
    pub fn request_reconnect(&mut self, tc_url: Option<&str>) -> Result<()> {
        match self.connect {
            Connect::Accepted(_) => self.reconnect(tc_url),
            _ => Err(Error::Stream(0)),
        }
    }

    /// Lets a publisher or player begin. A publisher's held media follows as events.
    ///
    /// # Errors
    ///
    /// [`Error::MessageStream`] where this message stream asked for nothing, or does so no more;
    /// [`Error::ConnectionBytes`] where the output is full, or what was held is too much for events.
    pub fn accept(&mut self, stream_id: u32) -> Result<()> {
        let stream = self.stream(stream_id).ok_or(Error::Stream(stream_id))?;
        match std::mem::take(&mut stream.role) {
            StreamRole::PublishAsked(held) => {
                stream.role = StreamRole::Publishing;
                self.begin(stream_id)?;
                self.status(stream_id, "status", "NetStream.Publish.Start", "publishing")?;
                for message in held {
                    self.held_bytes = self.held_bytes.saturating_sub(held_by(&message));
                    self.media(message)?;
                }
                Ok(())
            }
            StreamRole::PlayAsked => {
                stream.role = StreamRole::Playing;
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
    /// [`Error::MessageStream`] where this message stream neither asked for anything nor was accepted.
    pub fn refuse(&mut self, stream_id: u32, why: Refusal) -> Result<()> {
        let stream = self.stream(stream_id).ok_or(Error::Stream(stream_id))?;
        let publish = match std::mem::take(&mut stream.role) {
            StreamRole::PublishAsked(held) => {
                let bytes: usize = held.iter().map(held_by).sum();
                self.held_bytes = self.held_bytes.saturating_sub(bytes);
                true
            }
            StreamRole::Publishing => true,
            StreamRole::PlayAsked | StreamRole::Playing => false,
            StreamRole::Idle => return Err(Error::Stream(stream_id)),
        };
        let (code, description) = match (publish, why) {
            (true, Refusal::BadName) => ("NetStream.Publish.BadName", BAD_NAME),
            (false, Refusal::BadName) => ("NetStream.Play.Failed", BAD_NAME),
            (_, Refusal::NoMemory) => {
                ("NetStream.Failed", "the server is out of memory for streams")
            }
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
    /// [`Error::MessageStream`] where this message stream doesn't play; [`Error::ConnectionBytes`] where
    /// the client reads too slowly (nothing is sent then, and the session goes on);
    /// [`Error::MessageLength`] above 16,777,215 bytes.
    pub fn send_media(
        &mut self,
        stream_id: u32,
        kind: MediaType,
        timestamp_ms: u64,
        payload: Bytes,
    ) -> Result<()> {
        match self.stream(stream_id) {
            Some(MessageStream { role: StreamRole::Playing, .. }) => {}
            _ => return Err(Error::Stream(stream_id)),
        }
        let message = media_message(stream_id, kind, timestamp_ms, payload, false);
        self.link.send_media(message)
    }

    /// Tells a player that the stream is over.
    ///
    /// # Errors
    ///
    /// [`Error::MessageStream`] where this message stream doesn't play.
    pub fn finish_play(&mut self, stream_id: u32) -> Result<()> {
        match self.stream(stream_id) {
            Some(stream) if matches!(stream.role, StreamRole::Playing) => {
                stream.role = StreamRole::Idle;
            }
            _ => return Err(Error::Stream(stream_id)),
        }
        self.status(stream_id, "status", "NetStream.Play.UnpublishNotify", "the stream is over")?;
        self.link.send(ControlMessage::User(UserControl::StreamEof(stream_id)).message())?;
        self.status(stream_id, "status", "NetStream.Play.Stop", "the stream is over")
    }

    /// Asks the client for a sign of life, which comes as [`ServerEvent::Pong`].
    ///
    /// # Errors
    ///
    /// [`Error::ConnectionBytes`] where the output is full.
    pub fn ping(&mut self, time: u32) -> Result<()> {
        self.link.send(ControlMessage::User(UserControl::PingRequest(time)).message())
    }

    fn receive_all(&mut self, input: &mut &[u8]) -> Result<()> {
        while let Some(incoming) = self.link.read(input, self.held_bytes)? {
            room_for_event(&self.events, &self.link.limits)?;
            match incoming {
                IncomingMessage::Ready => {}
                IncomingMessage::User(UserControl::PingResponse(time)) => {
                    self.events.push_back(ServerEvent::Pong(time));
                }
                IncomingMessage::User(_) => {}
                IncomingMessage::Message(message) => self.message(message)?,
            }
        }
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<()> {
        match &mut self.connect {
            Connect::Refused => return Ok(()),
            Connect::Asked(asked) => {
                if asked.waiting.len() >= self.link.limits.held_messages {
                    return Err(Error::Command("more before connect was answered"));
                }
                self.held_bytes += held_by(&message);
                asked.waiting.push_back(message);
                return Ok(());
            }
            Connect::Awaited | Connect::Accepted(_) => {}
        }
        let stream_id = self.meant(message.stream_id);
        if is_media(&message) {
            let stream_id = self.publisher(stream_id);
            return self.media_or_hold(Message { stream_id, ..message });
        }
        match CommandMessage::parse(&message, &self.link.limits)? {
            Some(command) => self.command(stream_id, &command),
            None => Ok(()),
        }
    }

    /// The only stream where none is named: some encoders create one and then leave it at 0, and
    /// a chunk stream that begins with a header of type 1 can't name any.
    fn meant(&self, stream_id: u32) -> u32 {
        match &self.streams[..] {
            [only] if stream_id == 0 => only.id,
            _ => stream_id,
        }
    }

    fn stream(&mut self, stream_id: u32) -> Option<&mut MessageStream> {
        self.streams.iter_mut().find(|stream| stream.id == stream_id)
    }

    /// The stream that a message with media is for. The number that it names counts only where
    /// there is something to choose: nginx-rtmp doesn't look at it, and some encoders write another
    /// one than that of their `publish`.
    fn publisher(&self, stream_id: u32) -> u32 {
        let mut publishers = self.streams.iter().filter(|stream| {
            matches!(stream.role, StreamRole::Publishing | StreamRole::PublishAsked(_))
        });
        let named = self.streams.iter().find(|stream| stream.id == stream_id);
        // What a refused or finished publisher still had on its way is for nobody else.
        let has_done = named.is_some_and(|stream| !stream.key.expose().is_empty());
        match (publishers.next(), publishers.next()) {
            (Some(only), None) if !has_done => only.id,
            _ => stream_id,
        }
    }

    fn media_or_hold(&mut self, message: Message) -> Result<()> {
        let stream = self.streams.iter_mut().find(|stream| stream.id == message.stream_id);
        let Some(stream) = stream else {
            return Ok(());
        };
        match &mut stream.role {
            StreamRole::Publishing => return self.media(message),
            StreamRole::PublishAsked(held) => {
                if held.len() >= self.link.limits.held_messages {
                    return Err(Error::Command("media before publish was answered"));
                }
                self.held_bytes += held_by(&message);
                held.push_back(message);
            }
            // What a refused or finished publisher still had on its way.
            StreamRole::Idle | StreamRole::PlayAsked | StreamRole::Playing => {}
        }
        Ok(())
    }

    fn media(&mut self, message: Message) -> Result<()> {
        let stream = self.streams.iter_mut().find(|stream| stream.id == message.stream_id);
        let Some(stream) = stream else {
            return Ok(());
        };
        let (events, limits) = (&mut self.events, &self.link.limits);
        media_of(message, &mut stream.timeline, limits, &mut |media| {
            room_for_event(events, limits)?;
            events.push_back(ServerEvent::Media(media));
            Ok(())
        })
    }
}
