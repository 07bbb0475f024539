//! Peers that don't speak RTMP, or don't speak at all.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use frameloom_server::{Server, ServerConfig};
use tracing::field::{Field, Visit};

use crate::client::{Client, LIMIT, audio, connect, serve, wait_until};

/// The lines of this process' log. Each test has a process or shares the log with others, so
/// tests look for lines of their own.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "frameloom_server"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(format!("{} {}", event.metadata().level(), text.0));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

fn log() -> Log {
    static LOG: std::sync::OnceLock<Log> = std::sync::OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.clone()).unwrap();
        log
    });
    log.clone()
}

impl Log {
    fn wait_for(&self, text: &str) -> String {
        let find = || self.0.lock().unwrap().iter().find(|line| line.contains(text)).cloned();
        wait_until(text, || find().is_some());
        find().unwrap()
    }
}

/// All that comes until the server closes.
fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let start = Instant::now();
    let mut all = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        assert!(start.elapsed() < LIMIT, "the server does not close");
        match socket.read(&mut bytes) {
            Ok(0) => return all,
            Ok(count) => all.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return all,
        }
    }
}

fn send(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut socket = connect(server.rtmp_addr().unwrap());
    socket.write_all(bytes).unwrap();
    socket
}

/// A publisher and a player go on as if nothing had happened.
fn others_are_well(server: &Server, during: impl FnOnce()) {
    let mut publisher = Client::publish(server, "well");
    let mut player = Client::play(server, "well");
    publisher.send(&audio(0, 1));
    assert_eq!(player.take(1), [audio(0, 1)]);
    during();
    publisher.send(&audio(10, 2));
    assert_eq!(player.take(1), [audio(10, 2)]);
}

#[test]
fn http_on_the_rtmp_port_is_told_where_http_is() {
    let log = log();
    let server = serve(|_| {});
    let port = server.http_addr().unwrap().port();
    others_are_well(&server, || {
        let mut socket = send(&server, b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = String::from_utf8(rest(&mut socket)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.ends_with(&format!("HTTP is on port {port}.\n")), "{answer}");
        let line = log.wait_for(&format!("HTTP is on port {port}"));
        let peer = socket.local_addr().unwrap();
        assert!(line.starts_with(&format!("WARN closed {peer}: that is HTTP")), "{line}");
    });
}

#[test]
fn tls_on_the_plain_port_and_garbage_are_closed() {
    let log = log();
    let server = serve(|_| {});
    others_are_well(&server, || {
        assert!(rest(&mut send(&server, &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3])).is_empty());
        log.wait_for("that is TLS on the plain RTMP port; RTMPS is not served");
    });
    let server = serve(|_| {});
    others_are_well(&server, || {
        assert!(rest(&mut send(&server, &[0xFF; 5000])).is_empty());
        log.wait_for("not RTMP: the first byte is 0xff");
    });
}

#[test]
fn a_length_past_the_limit_is_closed() {
    let log = log();
    let server = serve(|_| {});
    others_are_well(&server, || {
        let mut hello = vec![3; 1 + 1536 + 1536];
        // A message of 16 MiB on chunk stream 3.
        hello.extend_from_slice(&[0x03, 0, 0, 0, 0xFF, 0xFF, 0xFF, 20, 0, 0, 0, 0]);
        let answer = rest(&mut send(&server, &hello));
        assert_eq!(answer.len(), 1 + 1536 + 1536);
        log.wait_for("a message of 16777215 bytes");
    });
}

#[test]
fn a_client_that_drips_or_is_silent_is_closed() {
    let log = log();
    let server = serve(|config| {
        config.timeouts.handshake = Duration::from_millis(400);
    });
    others_are_well(&server, || {
        let mut silent = connect(server.rtmp_addr().unwrap());
        let mut drips = send(&server, &[3]);
        let start = Instant::now();
        // A byte at a time does not help.
        while drips.write_all(&[0]).is_ok() {
            assert!(start.elapsed() < LIMIT, "the server waits forever");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(rest(&mut silent).is_empty());
        log.wait_for("no handshake within 400ms");
    });
    let server = serve(|config| config.timeouts.command = Duration::from_millis(400));
    others_are_well(&server, || {
        // A whole handshake, and then nothing.
        let answer = rest(&mut send(&server, &[3; 1 + 1536 + 1536]));
        assert_eq!(answer.len(), 1 + 1536 + 1536);
        log.wait_for("neither publish nor play within 400ms");
    });
}

#[test]
fn a_client_that_shuts_its_side_is_closed() {
    let server = serve(|_| {});
    let mut socket = connect(server.rtmp_addr().unwrap());
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(rest(&mut socket).is_empty());
    wait_until("it is gone", || server.status().connections == 0);
}

#[test]
fn a_slow_request_over_http_is_closed() {
    let server = serve(|config| config.timeouts.handshake = Duration::from_millis(300));
    let mut socket = connect(server.http_addr().unwrap());
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: local").unwrap();
    rest(&mut socket);
    wait_until("it is gone", || server.status().connections == 0);
}

#[test]
fn a_body_that_never_ends_is_answered_and_closed() {
    let server = serve(|config| {
        config.timeouts.request_body = Duration::from_millis(300);
        config.extensions.routes = Some(axum::Router::new().route(
            "/api/v1/more",
            axum::routing::post(|body: axum::body::Bytes| async move { body.len().to_string() }),
        ));
    });
    let post = |more: &str, body: &[u8]| {
        let mut socket = connect(server.http_addr().unwrap());
        let head = format!("POST /api/v1/more HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
        socket.write_all(&[head.as_bytes(), body].concat()).unwrap();
        socket
    };
    for more in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut socket = post(more, b"7\r\n{");
        let answer = String::from_utf8(rest(&mut socket)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    let mut long = post("Content-Length: 70000\r\n", &[b' '; 70_000]);
    let answer = String::from_utf8_lossy(&rest(&mut long)).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let mut whole = post("Content-Length: 3\r\nConnection: close\r\n", b"abc");
    let answer = String::from_utf8(rest(&mut whole)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n3"), "{answer}");
    wait_until("they are gone", || server.status().connections == 0);
}

#[test]
fn publishers_that_come_and_go_by_the_hundred_are_summed_up() {
    let log = log();
    let server = serve(|_| {});
    for _ in 0..200 {
        Client::publish(&server, "come-and-go").finish();
        wait_until("the name is free", || server.status().streams.is_empty());
    }
    server.stop_blocking();
    log.wait_for("more publishers that ended; the last: ");
    let lines = log.0.lock().unwrap().clone();
    let about = lines.iter().filter(|line| line.contains("live/come-and-go")).count();
    assert!((40..60).contains(&about), "{about} lines");
}

#[test]
fn what_a_client_calls_itself_can_not_turn_a_line_of_the_log_round() {
    let log = log();
    let server = serve(|config| config.publish_key = Some("k".into()));
    let role = frameloom_rtmp::ClientRole::Publish(frameloom_rtmp::PublishKind::Live);
    let socket = connect(server.rtmp_addr().unwrap());
    Client::new(socket, "turned\u{202E}round", "camera", role).refusal();
    log.wait_for("turned?round/***: the name is empty");
}

#[test]
fn what_is_refused_is_logged_without_its_name() {
    let log = log();
    let server = serve(|config| config.publish_key = Some("k".into()));
    Client::ask_publish(&server, "very-secret-stream-key?key=also-secret").refusal();
    log.wait_for("may not publish live/***: wrong or missing key");
    let lines = log.0.lock().unwrap().join("\n");
    assert!(!lines.contains("secret"), "{lines}");
    let config =
        ServerConfig { publish_key: Some("very-secret".into()), ..ServerConfig::default() };
    assert!(!format!("{config:?}").contains("very-secret"));
}
