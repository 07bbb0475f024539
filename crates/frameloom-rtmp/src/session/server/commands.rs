//! Commands from clients, and the answers to them.

use std::collections::VecDeque;

use super::super::enhanced::PeerCapabilities;
use super::super::{PublishKind, StreamKey};
use super::{
    AskedConnect, Connect, ConnectRequest, MessageStream, PlayRequest, PublishRequest, ServerEvent,
    ServerSession, StreamRole, held_by,
};
use crate::amf0::{Value, object};
use crate::command::{CommandMessage, status};
use crate::message::{BandwidthLimit, ControlMessage, UserControl};
use crate::{Error, Result};

/// What a client is told that asks for more on a stream, or for more streams, than there can be.
const BUSY: &str = "the message stream is busy, or there are too many";

impl ServerSession {
    pub(super) fn command(&mut self, stream_id: u32, command: &CommandMessage) -> Result<()> {
        let app = match &self.connect {
            Connect::Awaited if command.name == "connect" => return self.connect(command),
            Connect::Accepted(_) if command.name == "connect" => {
                return Err(Error::Command("a second connect"));
            }
            Connect::Accepted(app) => app.clone(),
            _ => return Err(Error::Command("a command before connect")),
        };
        match command.name.as_str() {
            "createStream" => self.create_stream(command.transaction),
            "publish" => self.publish(stream_id, app, command),
            "play" => self.play(stream_id, app, command),
            "pause" | "pauseRaw" => {
                self.pause(stream_id, command.arguments.first() == Some(&true.into()))
            }
            "seek" => {
                self.status(stream_id, "error", "NetStream.Seek.Failed", "a live stream can't seek")
            }
            "deleteStream" => {
                // The number is whole and small, or names no stream of ours.
                let id = command.number(0).unwrap_or(0.0) as u32;
                self.end(id);
                self.streams.retain(|stream| stream.id != id);
                Ok(())
            }
            "closeStream" => {
                if self.end(stream_id) {
                    let text = "the stream is closed";
                    self.status(stream_id, "status", "NetStream.Unpublish.Success", text)?;
                }
                Ok(())
            }
            "FCUnpublish" => {
                let name = command.text(0).map(StreamKey::from).unwrap_or_default();
                let ended = self.streams.iter().find_map(|stream| {
                    let publishes = matches!(stream.role, StreamRole::Publishing);
                    (publishes && stream.key.name() == name.name()).then_some(stream.id)
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

    fn connect(&mut self, command: &CommandMessage) -> Result<()> {
        let enhanced = PeerCapabilities::parse(&command.object);
        let request = ConnectRequest::parse(command, &enhanced);
        let app = request.app.clone();
        let transaction = command.transaction;
        if self.config.hold_connect {
            let waiting = VecDeque::new();
            let asked = AskedConnect { app, transaction, enhanced, waiting };
            self.connect = Connect::Asked(Box::new(asked));
            self.events.push_back(ServerEvent::ConnectRequested(request));
        } else {
            self.accepted(app, transaction, &enhanced)?;
            self.events.push_back(ServerEvent::Connected(request));
        }
        Ok(())
    }

    pub(super) fn accepted(
        &mut self,
        app: String,
        transaction: f64,
        enhanced: &PeerCapabilities,
    ) -> Result<()> {
        self.link.send_window(self.config.window_bytes)?;
        let limit = BandwidthLimit::Dynamic;
        let bandwidth =
            ControlMessage::SetPeerBandwidth { window: self.config.window_bytes, limit };
        self.link.send(bandwidth.message())?;
        let chunk_size = self.config.chunk_size.clamp(1, 0xFF_FFFF);
        self.link.send(ControlMessage::SetChunkSize(chunk_size).message())?;
        self.begin(0)?;
        let mut server = vec![
            ("fmsVer".to_owned(), "FMS/3,0,1,123".into()),
            ("capabilities".to_owned(), 31.0.into()),
        ];
        server.extend(enhanced.answer());
        let information = object([
            ("level", "status".into()),
            ("code", "NetConnection.Connect.Success".into()),
            ("description", "Connection succeeded.".into()),
            // We never write AMF3, and say so whatever the client asked for.
            ("objectEncoding", 0.0.into()),
        ]);
        self.connect = Connect::Accepted(app);
        self.result(transaction, Value::Object(server), information)
    }

    pub(super) fn reject(&mut self, transaction: f64, description: &str) -> Result<()> {
        let argument = status("error", "NetConnection.Connect.Rejected", description);
        self.link.send(CommandMessage::new("_error", transaction, vec![argument]).message(0))
    }

    pub(super) fn reconnect(&mut self, tc_url: Option<&str>) -> Result<()> {
        let code = "NetConnection.Connect.ReconnectRequest";
        let mut information = status("status", code, "please connect again");
        if let (Value::Object(properties), Some(url)) = (&mut information, tc_url) {
            properties.push(("tcUrl".to_owned(), url.into()));
        }
        self.link.send(CommandMessage::new("onStatus", 0.0, vec![information]).message(0))
    }

    fn create_stream(&mut self, transaction: f64) -> Result<()> {
        let mut free = (1..).filter(|id| self.streams.iter().all(|stream| stream.id != *id));
        let id = free.next().unwrap_or(1);
        if self.opened(id).is_none() {
            return self.error(transaction, "too many streams");
        }
        self.result(transaction, Value::Null, f64::from(id).into())
    }

    /// The stream, created where it wasn't: some encoders publish on a number of their own, or on
    /// the connection itself. `None` where there are too many.
    fn opened(&mut self, id: u32) -> Option<&mut MessageStream> {
        if self.stream(id).is_none() {
            if self.streams.len() >= self.link.limits.message_streams {
                return None;
            }
            self.streams.push(MessageStream { id, ..MessageStream::default() });
        }
        self.stream(id)
    }

    /// The stream, where it does nothing yet.
    fn idle(&mut self, id: u32) -> Option<&mut MessageStream> {
        self.opened(id).filter(|stream| matches!(stream.role, StreamRole::Idle))
    }

    fn publish(&mut self, stream_id: u32, app: String, command: &CommandMessage) -> Result<()> {
        // Flash's way to stop.
        if command.arguments.first() == Some(&false.into()) {
            self.end(stream_id);
            return Ok(());
        }
        let key = StreamKey::from(command.text(0).unwrap_or_default());
        let Some(stream) = self.idle(stream_id) else {
            return self.status(stream_id, "error", "NetStream.Publish.BadName", BUSY);
        };
        let role = StreamRole::PublishAsked(VecDeque::new());
        *stream =
            MessageStream { id: stream_id, role, key: key.clone(), ..MessageStream::default() };
        let kind = PublishKind::parse(command.text(1));
        let request = PublishRequest { stream_id, app, key, kind };
        self.events.push_back(ServerEvent::PublishRequested(request));
        Ok(())
    }

    fn play(&mut self, stream_id: u32, app: String, command: &CommandMessage) -> Result<()> {
        // Another name on the same stream is Flash's way to change over, and no name to stop.
        if matches!(self.stream(stream_id), Some(MessageStream { role: StreamRole::Playing, .. })) {
            self.end(stream_id);
        }
        if command.arguments.first() == Some(&false.into()) {
            return Ok(());
        }
        let key = StreamKey::from(command.text(0).unwrap_or_default());
        let Some(stream) = self.idle(stream_id) else {
            return self.status(stream_id, "error", "NetStream.Play.Failed", BUSY);
        };
        let role = StreamRole::PlayAsked;
        *stream =
            MessageStream { id: stream_id, role, key: key.clone(), ..MessageStream::default() };
        let start_ms = command.number(1).filter(|start| start.is_finite()).unwrap_or(-2000.0);
        let request = PlayRequest { stream_id, app, key, start_ms };
        self.events.push_back(ServerEvent::PlayRequested(request));
        Ok(())
    }

    fn pause(&mut self, stream_id: u32, paused: bool) -> Result<()> {
        if !matches!(self.stream(stream_id), Some(MessageStream { role: StreamRole::Playing, .. }))
        {
            return Ok(());
        }
        self.events.push_back(ServerEvent::Paused { stream_id, paused });
        let code = if paused { "NetStream.Pause.Notify" } else { "NetStream.Unpause.Notify" };
        self.status(stream_id, "status", code, "as asked")
    }

    /// Ends what the stream does. True where it published.
    fn end(&mut self, stream_id: u32) -> bool {
        let Some(stream) = self.stream(stream_id) else {
            return false;
        };
        match std::mem::take(&mut stream.role) {
            StreamRole::Idle => false,
            StreamRole::PublishAsked(held) => {
                let bytes: usize = held.iter().map(held_by).sum();
                self.held_bytes = self.held_bytes.saturating_sub(bytes);
                self.events.push_back(ServerEvent::PublishEnded { stream_id });
                true
            }
            StreamRole::Publishing => {
                self.events.push_back(ServerEvent::PublishEnded { stream_id });
                true
            }
            StreamRole::PlayAsked | StreamRole::Playing => {
                self.events.push_back(ServerEvent::PlayEnded { stream_id });
                false
            }
        }
    }

    pub(super) fn begin(&mut self, stream_id: u32) -> Result<()> {
        self.link.send(ControlMessage::User(UserControl::StreamBegin(stream_id)).message())
    }

    pub(super) fn status(
        &mut self,
        stream_id: u32,
        level: &str,
        code: &str,
        text: &str,
    ) -> Result<()> {
        let command = CommandMessage::new("onStatus", 0.0, vec![status(level, code, text)]);
        self.link.send(command.message(stream_id))
    }

    fn notice(&mut self, name: &str, code: &str) -> Result<()> {
        let command = CommandMessage::new(name, 0.0, vec![status("status", code, "as asked")]);
        self.link.send(command.message(0))
    }

    fn result(&mut self, transaction: f64, object: Value, argument: Value) -> Result<()> {
        let command = CommandMessage {
            object,
            ..CommandMessage::new("_result", transaction, vec![argument])
        };
        self.link.send(command.message(0))
    }

    fn error(&mut self, transaction: f64, text: &str) -> Result<()> {
        let argument = status("error", "NetConnection.Call.Failed", text);
        self.link.send(CommandMessage::new("_error", transaction, vec![argument]).message(0))
    }
}
