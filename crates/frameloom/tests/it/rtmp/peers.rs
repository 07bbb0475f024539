//! Clients, servers and ways between them, for whatever a real one doesn't do at will.

use std::fs;
use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use frameloom_rtmp::amf0::{self, Value};
use frameloom_rtmp::flv::{FlvReader, FlvTag, TagKind};
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, MediaType, PublishKind, ServerEvent,
    ServerSession, ServerSessionConfig as SessionConfig,
};

use super::{LIMIT, clip, wait_until};

/// A client that publishes FLV tags, with times of its own.
pub(crate) struct Publisher {
    session: ClientSession,
    socket: TcpStream,
}

impl Publisher {
    pub(crate) fn open(address: SocketAddr, name: &str) -> Publisher {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let role = ClientRole::Publish(PublishKind::Live);
        let config = ClientConfig::new("rtmp://localhost/live", "live", name, role);
        let mut publisher = Publisher { session: ClientSession::new(config), socket };
        let mut started = false;
        wait_until("the server lets us publish", || {
            publisher.turn();
            while let Some(event) = publisher.session.poll_event() {
                started |= event == ClientEvent::Started;
            }
            started
        });
        publisher
    }

    pub(super) fn turn(&mut self) {
        while let Some(piece) = self.session.poll_output() {
            self.socket.write_all(&piece).unwrap();
        }
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(count) => self.session.receive(&bytes[..count]).unwrap(),
            Err(e) if matches!(e.kind(), IoErrorKind::WouldBlock | IoErrorKind::TimedOut) => {}
            Err(e) => panic!("{e}"),
        }
    }

    pub(crate) fn send(&mut self, tag: &FlvTag, shift_ms: u64) {
        let kind = match tag.kind {
            TagKind::Audio => MediaType::Audio,
            TagKind::Video => MediaType::Video,
            TagKind::Script => MediaType::Metadata,
        };
        let at = u64::from(tag.timestamp_ms) + shift_ms;
        self.session.send_media(kind, at, tag.data.clone()).unwrap();
        while let Some(piece) = self.session.poll_output() {
            self.socket.write_all(&piece).unwrap();
        }
    }

    pub(super) fn finish(mut self) {
        self.session.finish().unwrap();
        while let Some(piece) = self.session.poll_output() {
            self.socket.write_all(&piece).unwrap();
        }
    }
}

/// A client that plays: when the last sound and picture were.
pub(super) struct Player {
    session: ClientSession,
    socket: TcpStream,
    pub(super) latest: [u64; 2],
}

impl Player {
    pub(super) fn open(address: SocketAddr, name: &str) -> Player {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let role = ClientRole::Play { buffer_ms: 0 };
        let config = ClientConfig::new("rtmp://localhost/live", "live", name, role);
        Player { session: ClientSession::new(config), socket, latest: [0; 2] }
    }

    pub(super) fn turn(&mut self) {
        while let Some(piece) = self.session.poll_output() {
            self.socket.write_all(&piece).unwrap();
        }
        let mut bytes = [0; 65536];
        if let Ok(count) = self.socket.read(&mut bytes) {
            self.session.receive(&bytes[..count]).unwrap();
        }
        while let Some(event) = self.session.poll_event() {
            if let ClientEvent::Media(media) = event {
                let latest = match media.kind {
                    MediaType::Video => &mut self.latest[0],
                    MediaType::Audio => &mut self.latest[1],
                    _ => continue,
                };
                *latest = (*latest).max(media.timestamp_ms);
            }
        }
    }
}

/// A way to a server that can be cut.
pub(super) struct Way {
    pub(super) address: SocketAddr,
    ends: mpsc::Receiver<[TcpStream; 2]>,
}

impl Way {
    pub(super) fn to(server: SocketAddr) -> Way {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, ends) = mpsc::channel();
        thread::spawn(move || {
            let near = listener.accept().unwrap().0;
            let far = TcpStream::connect(server).unwrap();
            let clone = |socket: &TcpStream| socket.try_clone().unwrap();
            sender.send([clone(&near), clone(&far)]).unwrap();
            let carry = |mut from: TcpStream, mut to: TcpStream| {
                thread::spawn(move || std::io::copy(&mut from, &mut to));
            };
            carry(clone(&near), clone(&far));
            carry(far, near);
        });
        Way { address, ends }
    }

    pub(super) fn cut(self) {
        let ends = self.ends.recv_timeout(LIMIT).unwrap();
        ends.iter().for_each(|end| drop(end.shutdown(std::net::Shutdown::Both)));
    }
}

/// What a client sends to a server, and the way to it.
pub(super) struct Tap {
    pub(super) address: SocketAddr,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    pub(super) fn to(server: SocketAddr) -> Tap {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let sent: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = Arc::clone(&sent);
        thread::spawn(move || {
            let mut near = listener.accept().unwrap().0;
            let mut far = TcpStream::connect(server).unwrap();
            let (mut back, mut to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut back, &mut to));
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = near.read(&mut bytes) {
                kept.lock().unwrap().extend_from_slice(&bytes[..count]);
                if far.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            let _ = far.shutdown(std::net::Shutdown::Both);
        });
        Tap { address, sent }
    }

    pub(super) fn has_sent(&self, bytes: &[u8]) -> bool {
        self.sent.lock().unwrap().windows(bytes.len()).any(|window| window == bytes)
    }
}

/// Lets one client publish, and reads nothing more from then on, while the socket stays open.
pub(super) fn stand_still(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().unwrap();
    let mut session = ServerSession::new(SessionConfig::default());
    let mut bytes = [0; 4096];
    loop {
        let mut accepted = false;
        while let Some(event) = session.poll_event() {
            if let ServerEvent::PublishRequested(request) = event {
                session.accept(request.stream_id).unwrap();
                accepted = true;
            }
        }
        while let Some(piece) = session.poll_output() {
            socket.write_all(&piece).unwrap();
        }
        if accepted {
            return socket;
        }
        let count = socket.read(&mut bytes).unwrap();
        session.receive(&bytes[..count]).unwrap();
    }
}

pub(super) fn tags(path: &Path) -> Vec<FlvTag> {
    let mut reader = FlvReader::new(1 << 24);
    reader.push(&fs::read(path).unwrap());
    std::iter::from_fn(|| reader.poll().unwrap()).collect()
}

/// Of a clip with sound, and a keyframe at its begin alone, so that a server sends all of it.
pub(super) fn tags_of_one_gop() -> Vec<FlvTag> {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(&source, "-c:v libx264 -preset ultrafast -c:a aac");
    tags(&source)
}

/// Of a clip with sound, and a keyframe twice a second.
pub(crate) fn tags_with_keyframes() -> Vec<FlvTag> {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(
        &source,
        "-c:v libx264 -preset ultrafast -force_key_frames expr:gte(t,n_forced*0.5) -c:a aac",
    );
    tags(&source)
}

/// An `onMetaData` of these properties.
pub(super) fn metadata(properties: Vec<(&str, Value)>) -> FlvTag {
    let named = properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut data = BytesMut::new();
    amf0::encode(&"onMetaData".into(), &mut data);
    amf0::encode(&Value::EcmaArray(named), &mut data);
    FlvTag { kind: TagKind::Script, timestamp_ms: 0, data: data.freeze() }
}

/// Whether it is a sequence header of H.264 or AAC.
pub(super) fn is_header(tag: &FlvTag) -> bool {
    tag.kind != TagKind::Script && tag.data.get(1) == Some(&0)
}

pub(super) fn is_aac_header(tag: &FlvTag) -> bool {
    tag.kind == TagKind::Audio && tag.data.get(1) == Some(&0)
}
