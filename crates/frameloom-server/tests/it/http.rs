//! FLV over HTTP and WebSockets, the status and the metrics.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use frameloom_rtmp::MediaType;
use frameloom_rtmp::flv::{FlvReader, TagKind};
use frameloom_server::Server;

use crate::client::{
    Client, LIMIT, Packet, audio, connect, gop, headers, serve, video, wait_until,
};

/// Asks over HTTP, and gives the answer's head and whatever follows until the server closes.
pub(crate) fn get(server: &Server, method: &str, path: &str, more: &str) -> (String, String) {
    let mut socket = connect(server.http_addr().unwrap());
    let host = if more.contains("Host:") { "" } else { "Host: localhost\r\n" };
    write!(socket, "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{more}\r\n").unwrap();
    let mut all = Vec::new();
    let start = Instant::now();
    let mut bytes = [0; 4096];
    loop {
        assert!(start.elapsed() < LIMIT, "no end of the answer");
        match socket.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => all.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let text = String::from_utf8(all).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Bytes as they come, with some that were read too far.
pub(crate) struct Stream {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Stream {
    pub(crate) fn ask(server: &Server, path: &str, more: &str) -> (String, Self) {
        let mut socket = connect(server.http_addr().unwrap());
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n").unwrap();
        let mut stream = Stream { socket, read: Vec::new() };
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(char::from(stream.take(1)[0]));
        }
        (head, stream)
    }

    /// The next bytes, exactly so many.
    fn take(&mut self, count: usize) -> Vec<u8> {
        let start = Instant::now();
        let mut bytes = [0; 4096];
        while self.read.len() < count {
            assert!(start.elapsed() < LIMIT, "nothing comes");
            match self.socket.read(&mut bytes) {
                Ok(0) => panic!("closed after {} of {count} bytes", self.read.len()),
                Ok(count) => self.read.extend_from_slice(&bytes[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => panic!("{error}"),
            }
        }
        self.read.drain(..count).collect()
    }

    /// The next part of a chunked body; empty at its end.
    fn part(&mut self) -> Vec<u8> {
        let mut line = String::new();
        while !line.ends_with("\r\n") {
            line.push(char::from(self.take(1)[0]));
        }
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let part = self.take(length);
        assert_eq!(self.take(2), b"\r\n");
        part
    }

    /// The next frame of a WebSocket.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.take(2);
        let length = match head[1] {
            126 => u16::from_be_bytes(self.take(2).try_into().unwrap()).into(),
            127 => u64::from_be_bytes(self.take(8).try_into().unwrap()),
            short => short.into(),
        };
        (head[0], self.take(length.try_into().unwrap()))
    }
}

fn tags(reader: &mut FlvReader, count: usize, mut more: impl FnMut() -> Vec<u8>) -> Vec<Packet> {
    let mut packets = Vec::new();
    while packets.len() < count {
        match reader.poll().unwrap() {
            Some(tag) => packets.push(Packet {
                kind: match tag.kind {
                    TagKind::Audio => MediaType::Audio,
                    TagKind::Video => MediaType::Video,
                    TagKind::Script => MediaType::Metadata,
                },
                timestamp_ms: tag.timestamp_ms.into(),
                payload: tag.data,
            }),
            None => reader.push(&more()),
        }
    }
    packets
}

#[test]
fn http_flv_has_all_that_rtmp_has() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let mut sent = headers(0);
    sent.extend(gop(0, 10));
    publisher.send_all(&sent);
    let mut witness = Client::play(&server, "camera");
    witness.take(sent.len());

    let (head, mut stream) = Stream::ask(&server, "/live/camera.flv", "");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let lower = head.to_ascii_lowercase();
    for line in [
        "content-type: video/x-flv",
        "cache-control: no-store",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(lower.contains(line), "{head}");
    }
    let mut reader = FlvReader::new(1 << 20);
    assert!(tags(&mut reader, sent.len(), || stream.part()) == sent);
    // A tag is whole, trailer included, before the next one comes.
    reader.push(&stream.part());
    let last = video(420, false, 7, 3000);
    publisher.send(&last);
    let mut bytes = Vec::new();
    while bytes.len() < 11 + 3000 + 4 {
        bytes.extend(stream.part());
    }
    assert_eq!(bytes.len(), 11 + 3000 + 4);
    reader.push(&bytes);
    assert_eq!(tags(&mut reader, 1, Vec::new), [last]);
    let players = server.status().streams[0].players.clone();
    assert!(players.iter().any(|player| player.protocol == "http-flv"), "{players:?}");

    publisher.finish();
    assert!(stream.part().is_empty());
}

#[test]
fn the_flv_header_says_what_there_is() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "radio");
    for index in 0..100 {
        publisher.send(&audio(20 * u64::from(index), index));
    }
    let mut witness = Client::play(&server, "radio");
    wait_until("all has come", || server.status().streams[0].received_bytes == 500);
    let (_, mut stream) = Stream::ask(&server, "/live/radio.flv", "");
    publisher.send(&audio(3000, 1));
    witness.media();
    assert_eq!(stream.part()[..5], *b"FLV\x01\x04");
}

pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn a_websocket_has_a_message_for_each_tag() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let mut sent = headers(0);
    sent.extend(gop(0, 3));
    sent.push(video(200, true, 1, 100_000));
    publisher.send_all(&sent);
    let mut player = Client::play(&server, "camera");
    while player.media().payload.len() != 100_000 {}

    let (head, mut stream) = Stream::ask(&server, "/live/camera.flv", UPGRADE);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // The example of RFC 6455, section 1.3.
    assert!(head.to_ascii_lowercase().contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    let (first, header) = stream.frame();
    assert_eq!((first, &header[..5]), (0x82, &b"FLV\x01\x05"[..]));
    let mut reader = FlvReader::new(1 << 20);
    reader.push(&header);
    for expected in [&sent[0], &sent[1], &sent[2], &sent[sent.len() - 1]] {
        let (first, message) = stream.frame();
        assert_eq!((first, message.len()), (0x82, 11 + expected.payload.len() + 4));
        let tag = tags(&mut reader, 1, || message.clone()).remove(0);
        assert_eq!((tag.kind, tag.payload), (expected.kind, expected.payload.clone()));
    }
    // A masked ping of "hi", with a mask of zeros.
    stream.socket.write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i']).unwrap();
    assert_eq!(stream.frame(), (0x8A, b"hi".to_vec()));
    publisher.finish();
    assert_eq!(stream.frame(), (0x88, 1000_u16.to_be_bytes().to_vec()));
}

#[test]
fn a_websocket_that_its_player_closes_is_closed() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    publisher.send(&audio(0, 1));
    let (_, mut stream) = Stream::ask(&server, "/live/camera.flv", UPGRADE);
    wait_until("it plays", || server.status().streams[0].players.len() == 1);
    stream.socket.write_all(&[0x88, 0x80, 0, 0, 0, 0]).unwrap();
    while stream.frame().0 != 0x88 {}
    wait_until("it is gone", || server.status().streams[0].players.is_empty());
    let (head, _) = Stream::ask(&server, "/live/nothing.flv", UPGRADE);
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

#[test]
fn what_is_not_there_is_said_in_words() {
    let server = serve(|_| {});
    let (head, body) = get(&server, "GET", "/live/nothing.flv", "");
    assert!(head.starts_with("HTTP/1.1 404 ") && body.contains("nobody publishes"), "{head}{body}");
    let (head, body) = get(&server, "GET", "/", "");
    assert!(head.starts_with("HTTP/1.1 404 ") && body.contains("/APP/NAME.flv"), "{head}{body}");
    for path in ["/api/v1/status", "/metrics", "/live/camera.flv"] {
        let (head, _) = get(&server, "DELETE", path, "");
        assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    }
}

#[test]
fn status_and_metrics_tell_what_goes_on() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera?token=hidden");
    publisher.send_all(&headers(0));
    let mut player = Client::play(&server, "camera");
    player.take(3);
    Client::ask_publish(&server, "camera").refusal();

    let (head, body) = get(&server, "GET", "/api/v1/status", "");
    assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("access-control-allow-origin"), "{head}");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    let stream = &json["streams"][0];
    assert_eq!((&stream["app"], &stream["name"]), (&"live".into(), &"camera".into()));
    assert_eq!(stream["video"]["width"], 640);
    assert_eq!(stream["players"][0]["protocol"], "rtmp");
    assert!(!body.contains("hidden"));

    let (head, body) = get(&server, "GET", "/metrics", "");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    for line in [
        "# TYPE frameloom_server_sent_bytes_total counter",
        "frameloom_server_publishers 1",
        "frameloom_server_players{protocol=\"rtmp\"} 1",
        "frameloom_server_players{protocol=\"http-flv\"} 0",
        "frameloom_server_refused_total{reason=\"name_taken\"} 1",
        "frameloom_server_refused_total{reason=\"publish_key\"} 0",
        "frameloom_server_refused_total{reason=\"memory_limit\"} 0",
        "frameloom_server_memory_limit_total 0",
        "# TYPE frameloom_server_memory_bytes gauge",
    ] {
        assert!(body.lines().any(|other| other == line), "{line}\n{body}");
    }
}

#[test]
fn a_page_that_was_led_here_sees_no_status() {
    let server = serve(|_| {});
    let port = server.http_addr().unwrap().port();
    for path in ["/api/v1/status", "/metrics"] {
        let host = format!("Host: evil.example:{port}\r\n");
        assert!(get(&server, "GET", path, &host).0.starts_with("HTTP/1.1 403 "));
        let host = format!("Host: localhost:{port}\r\n");
        assert!(get(&server, "GET", path, &host).0.starts_with("HTTP/1.1 200 "));
    }
}

fn status_of(server: &Server, path: &str, more: &str) -> (u16, String) {
    let (head, _) = Stream::ask(server, path, more);
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase())
}

const EVIL: &str = "Origin: http://evil.example\r\n";
const ELSEWHERE: &str = "Sec-Fetch-Site: cross-site\r\n";

#[test]
fn a_page_of_another_origin_plays_nothing_and_wakes_nothing() {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let server = serve(|config| {
        config.timeouts.play_wait = Duration::from_millis(50);
        config.extensions.wanted = Some(Arc::new(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
            true
        }));
    });
    let mut publisher = Client::publish(&server, "camera");
    publisher.send(&audio(0, 1));
    let port = server.http_addr().unwrap().port();
    let own = format!("Origin: http://localhost\r\n{UPGRADE}");
    assert_eq!(status_of(&server, "/live/camera.flv", &own).0, 101);
    assert_eq!(status_of(&server, "/live/camera.flv", "").0, 200);
    for more in [EVIL, ELSEWHERE, "Sec-Fetch-Site: same-site\r\n", "Origin: null\r\n"] {
        for path in ["/live/camera.flv", "/live/demand.flv", "/api/v1/status"] {
            for more in [more.to_owned(), format!("{more}{UPGRADE}")] {
                let (status, head) = status_of(&server, path, &more);
                assert_eq!(status, 403, "{path} {more}");
                assert!(!head.contains("access-control-allow-origin"), "{head}");
                assert!(head.contains("cross-origin-resource-policy: same-origin"), "{head}");
            }
        }
    }
    // Nor one whose name was led here, where only this machine's programs are meant.
    for path in ["/live/camera.flv", "/live/demand.flv"] {
        let led = format!("Host: evil.example:{port}\r\n");
        assert!(get(&server, "HEAD", path, &led).0.starts_with("HTTP/1.1 403 "));
    }
    assert_eq!(woken.load(Ordering::SeqCst), 0);
    // A link that somebody follows is no page that asks.
    let link = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-User: ?1\r\n";
    assert_eq!(status_of(&server, "/live/camera.flv", &format!("{ELSEWHERE}{link}")).0, 200);
}

#[test]
fn players_that_are_no_browsers_come_by_any_host_name() {
    let server = serve(|config| config.http_listen = Some(([0, 0, 0, 0], 0).into()));
    let mut publisher = Client::publish(&server, "camera");
    publisher.send(&audio(0, 1));
    let address = ([127, 0, 0, 1], server.http_addr().unwrap().port()).into();
    for host in ["nas.local:8080", "192.168.1.5:8080", "cam.example.com"] {
        let mut socket = connect(address);
        let agent = "User-Agent: VLC/3.0.18 LibVLC/3.0.18";
        write!(socket, "GET /live/camera.flv HTTP/1.1\r\nHost: {host}\r\n{agent}\r\n\r\n").unwrap();
        let mut head = [0; 12];
        wait_until("it answers", || socket.read_exact(&mut head).is_ok());
        assert_eq!(&head, b"HTTP/1.1 200", "{host}");
    }
}

#[test]
fn pages_of_named_origins_may_play() {
    let server = serve(|config| config.allow_origins = vec!["https://pages.example".to_owned()]);
    let mut publisher = Client::publish(&server, "camera");
    publisher.send(&audio(0, 1));
    let named = "Origin: https://pages.example\r\n";
    let (status, head) = status_of(&server, "/live/camera.flv", named);
    assert_eq!(status, 200);
    for line in [
        "access-control-allow-origin: https://pages.example",
        "cross-origin-resource-policy: cross-origin",
        "vary: origin",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert_eq!(status_of(&server, "/live/camera.flv", EVIL).0, 403);
    let all = serve(|config| config.allow_origins = vec!["*".to_owned()]);
    let mut publisher = Client::publish(&all, "camera");
    publisher.send(&audio(0, 1));
    for more in [EVIL, ELSEWHERE] {
        let (status, head) = status_of(&all, "/live/camera.flv", more);
        assert_eq!(status, 200);
        assert!(head.contains("access-control-allow-origin: *\r\n"), "{head}");
    }
}
