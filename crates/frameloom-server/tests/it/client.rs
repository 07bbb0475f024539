//! An RTMP client over a socket, and what tests publish with it.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use frameloom_rtmp::amf0::{encode, object};
use frameloom_rtmp::chunk::ChunkWriter;
use frameloom_rtmp::message::{Message, kind};
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, Media, MediaType, OutputBuffer,
    PublishKind,
};
use frameloom_server::{Server, ServerConfig};

/// How long anything may take: far more than it ever should.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A server on free ports.
pub(crate) fn serve(change: impl FnOnce(&mut ServerConfig)) -> Server {
    let free = Some(([127, 0, 0, 1], 0).into());
    let mut config =
        ServerConfig { rtmp_listen: free, http_listen: free, ..ServerConfig::default() };
    change(&mut config);
    Server::spawn(config).unwrap()
}

/// Waits for what is to become true.
pub(crate) fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < LIMIT, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) trait Socket: Read + Write + Send {}
impl<T: Read + Write + Send> Socket for T {}

pub(crate) struct Client {
    session: ClientSession,
    socket: Box<dyn Socket>,
    events: VecDeque<ClientEvent>,
    closed: bool,
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    socket.set_write_timeout(Some(LIMIT)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

impl Client {
    pub(crate) fn new(
        socket: impl Socket + 'static,
        app: &str,
        key: &str,
        role: ClientRole,
    ) -> Self {
        let tc_url = format!("rtmp://localhost/{app}");
        let session = ClientSession::new(ClientConfig::new(&tc_url, app, key, role));
        let socket = Box::new(socket);
        let mut client = Client { session, socket, events: VecDeque::new(), closed: false };
        client.flush();
        client
    }

    fn open(server: &Server, app: &str, key: &str, role: ClientRole) -> Self {
        Client::new(connect(server.rtmp_addr().unwrap()), app, key, role)
    }

    /// Asks to publish `live/KEY`.
    pub(crate) fn ask_publish(server: &Server, key: &str) -> Self {
        Client::open(server, "live", key, ClientRole::Publish(PublishKind::Live))
    }

    /// Asks to play `live/KEY`.
    pub(crate) fn ask_play(server: &Server, key: &str) -> Self {
        Client::open(server, "live", key, ClientRole::Play { buffer_ms: 100 })
    }

    pub(crate) fn publish(server: &Server, key: &str) -> Self {
        Client::ask_publish(server, key).started()
    }

    pub(crate) fn play(server: &Server, key: &str) -> Self {
        Client::ask_play(server, key).started()
    }

    pub(crate) fn started(mut self) -> Self {
        loop {
            match self.event() {
                Some(ClientEvent::Started) => return self,
                Some(ClientEvent::Connected(_) | ClientEvent::Status { .. }) => {}
                other => panic!("not started: {other:?}"),
            }
        }
    }

    /// The code with which the server refuses.
    pub(crate) fn refusal(self) -> String {
        self.refusal_and_reason().0
    }

    /// And the reason that it gives.
    pub(crate) fn refusal_and_reason(mut self) -> (String, String) {
        loop {
            match self.event() {
                Some(ClientEvent::Refused { code, description, .. }) => {
                    // Then it closes.
                    while self.event().is_some() {}
                    return (code, description.expose().to_owned());
                }
                Some(ClientEvent::Connected(_) | ClientEvent::Status { .. }) => {}
                other => panic!("not refused: {other:?}"),
            }
        }
    }

    fn flush(&mut self) {
        while let Some(piece) = self.session.poll_output() {
            // A server that closed says why in what is still to be read.
            if self.socket.write_all(&piece).is_err() {
                break;
            }
        }
    }

    /// Takes what has come, and tells whether there was anything.
    pub(crate) fn pump(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match self.socket.read(&mut bytes) {
            Ok(0) => self.closed = true,
            Ok(count) => {
                self.session.receive(&bytes[..count]).unwrap();
                while let Some(event) = self.session.poll_event() {
                    self.events.push_back(event);
                }
                self.flush();
                return true;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.closed = true,
        }
        false
    }

    /// The next event, or `None` where the server has closed the connection.
    pub(crate) fn event(&mut self) -> Option<ClientEvent> {
        let start = Instant::now();
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.closed {
                return None;
            }
            assert!(start.elapsed() < LIMIT, "the server says nothing");
            self.pump();
        }
    }

    /// The next packet; panics where the stream is over.
    pub(crate) fn media(&mut self) -> Media {
        match self.event() {
            Some(ClientEvent::Media(media)) => media,
            other => panic!("no media: {other:?}"),
        }
    }

    /// The next packets.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Packet> {
        (0..count).map(|_| Packet::from(self.media())).collect()
    }

    /// The next packet of those that have come.
    pub(crate) fn queued(&mut self) -> Option<Packet> {
        while let Some(event) = self.events.pop_front() {
            if let ClientEvent::Media(media) = event {
                return Some(media.into());
            }
        }
        None
    }

    pub(crate) fn send(&mut self, packet: &Packet) {
        let Packet { kind, timestamp_ms, payload } = packet.clone();
        self.session.send_media(kind, timestamp_ms, payload).unwrap();
        self.flush();
    }

    /// Sends without waiting to be allowed to.
    pub(crate) fn send_unasked(&mut self, packets: &[Packet]) {
        let mut writer = ChunkWriter::new();
        let mut output = OutputBuffer::new();
        for Packet { kind, timestamp_ms, payload } in packets.iter().cloned() {
            assert_eq!(kind, MediaType::Audio);
            let timestamp = u32::try_from(timestamp_ms).unwrap();
            let (kind, chunk_stream, stream_id) = (kind::AUDIO, 4, 1);
            let message = Message { chunk_stream, timestamp, kind, stream_id, payload };
            writer.write(&message, &mut output).unwrap();
        }
        while let Some(piece) = output.poll() {
            self.socket.write_all(&piece).unwrap();
        }
    }

    pub(crate) fn send_all(&mut self, packets: &[Packet]) {
        packets.iter().for_each(|packet| self.send(packet));
    }

    /// Ends the stream and closes.
    pub(crate) fn finish(mut self) {
        self.session.finish().unwrap();
        self.flush();
    }

    /// The end of a stream that is played.
    pub(crate) fn ended(&mut self) {
        loop {
            match self.event() {
                Some(ClientEvent::Ended { .. }) => return,
                Some(_) => {}
                None => panic!("closed without a word"),
            }
        }
    }

    /// Waits until the server closes.
    pub(crate) fn closed(&mut self) {
        while self.event().is_some() {}
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: MediaType,
    pub(crate) timestamp_ms: u64,
    pub(crate) payload: Bytes,
}

impl From<Media> for Packet {
    fn from(media: Media) -> Self {
        Packet { kind: media.kind, timestamp_ms: media.timestamp_ms, payload: media.payload }
    }
}

pub(crate) fn packet(kind: MediaType, timestamp_ms: u64, payload: impl Into<Bytes>) -> Packet {
    Packet { kind, timestamp_ms, payload: payload.into() }
}

pub(crate) fn metadata(timestamp_ms: u64) -> Packet {
    let mut payload = BytesMut::new();
    encode(&"onMetaData".into(), &mut payload);
    let size = [("width", 640.0.into()), ("height", 360.0.into()), ("audiocodecid", 10.0.into())];
    encode(&object(size), &mut payload);
    packet(MediaType::Metadata, timestamp_ms, payload)
}

pub(crate) fn video_header(timestamp_ms: u64, fill: u8) -> Packet {
    packet(MediaType::Video, timestamp_ms, vec![0x17, 0, 0, 0, 0, 1, fill])
}

pub(crate) fn audio_header(timestamp_ms: u64) -> Packet {
    packet(MediaType::Audio, timestamp_ms, vec![0xAF, 0, 0x12, 0x10])
}

/// A video frame of `bytes` bytes, each of them `fill`.
pub(crate) fn video(timestamp_ms: u64, keyframe: bool, fill: u8, bytes: usize) -> Packet {
    let mut payload = vec![if keyframe { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    payload.resize(bytes.max(5), fill);
    packet(MediaType::Video, timestamp_ms, payload)
}

pub(crate) fn audio(timestamp_ms: u64, fill: u8) -> Packet {
    packet(MediaType::Audio, timestamp_ms, vec![0xAF, 1, fill, fill, fill])
}

/// Metadata and both headers.
pub(crate) fn headers(timestamp_ms: u64) -> Vec<Packet> {
    vec![metadata(timestamp_ms), video_header(timestamp_ms, 1), audio_header(timestamp_ms)]
}

/// A keyframe and `frames` others, 40 ms apart, with audio beside each.
pub(crate) fn gop(start_ms: u64, frames: u8) -> Vec<Packet> {
    let mut packets = Vec::new();
    for index in 0..=frames {
        let time = start_ms + 40 * u64::from(index);
        packets.push(video(time, index == 0, index, 5000));
        packets.push(audio(time + 3, index));
    }
    packets
}

/// What a player that joins at a time gets of the headers.
pub(crate) fn joined(timestamp_ms: u64) -> Vec<Packet> {
    vec![metadata(0), video_header(timestamp_ms, 1), audio_header(timestamp_ms)]
}

/// Headers with another time.
pub(crate) fn at(packets: &[Packet], timestamp_ms: u64) -> Vec<Packet> {
    packets.iter().map(|packet| Packet { timestamp_ms, ..packet.clone() }).collect()
}
