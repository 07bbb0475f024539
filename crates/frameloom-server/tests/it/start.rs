//! Starting, stopping, and TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use frameloom_rtmp::{ClientEvent, ClientRole, PublishKind};
use frameloom_server::{Error, Server, ServerConfig, TlsFiles};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{Client, Packet, audio, connect, gop, headers, serve, wait_until};

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn only_rtmp(address: SocketAddr) -> ServerConfig {
    ServerConfig { rtmp_listen: Some(address), http_listen: None, ..ServerConfig::default() }
}

#[test]
fn a_port_in_use_is_an_error_that_says_so() {
    let other = TcpListener::bind(local(0)).unwrap();
    let address = other.local_addr().unwrap();
    let error = Server::spawn(only_rtmp(address)).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("can't serve RTMP on {address}: ")), "{text}");
    assert!(text.ends_with("choose another port with rtmp_listen"), "{text}");
    // What was listened on before the error is free again.
    let config = ServerConfig { http_listen: Some(address), ..only_rtmp(local(0)) };
    assert!(matches!(Server::spawn(config), Err(Error::Listen { service: "HTTP", .. })));
}

#[test]
fn nothing_to_listen_on_is_an_error() {
    let config = ServerConfig { rtmp_listen: None, ..only_rtmp(local(0)) };
    assert!(matches!(Server::spawn(config), Err(Error::NoListener)));
}

/// A certificate for `localhost`, in files.
fn certificate(folder: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles {
        certificate: folder.join("certificate.pem"),
        private_key: folder.join("key.pem"),
    };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.private_key, made.key_pair.serialize_pem()).unwrap();
    (files, made.cert.der().clone())
}

#[test]
fn a_bad_certificate_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (good, _) = certificate(folder.path());
    let config = |tls| ServerConfig { rtmps_listen: Some(local(0)), tls, ..only_rtmp(local(0)) };
    assert!(matches!(Server::spawn(config(None)), Err(Error::NoCertificate)));

    let missing = TlsFiles { certificate: folder.path().join("missing.pem"), ..good.clone() };
    let text = Server::spawn(config(Some(missing))).unwrap_err().to_string();
    assert!(text.contains("missing.pem as the certificate"), "{text}");
    let swapped =
        TlsFiles { certificate: good.private_key.clone(), private_key: good.certificate.clone() };
    let text = Server::spawn(config(Some(swapped))).unwrap_err().to_string();
    assert!(text.contains("key.pem as the certificate: there is no certificate in it"), "{text}");
    let another = tempfile::tempdir().unwrap();
    let (other, _) = certificate(another.path());
    let mixed = TlsFiles { private_key: other.private_key, ..good };
    assert!(matches!(Server::spawn(config(Some(mixed))), Err(Error::Tls { .. })));
}

#[test]
fn rtmps_carries_a_stream_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let (files, root) = certificate(folder.path());
    let server = serve(|config| {
        config.rtmps_listen = Some(local(0));
        config.tls = Some(files);
        config.timeouts.handshake = Duration::from_secs(1);
    });
    let address = server.rtmps_addr().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let open = || {
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::clone(&config), name).unwrap();
        let socket = TcpStream::connect(address).unwrap();
        let mut stream = StreamOwned::new(session, socket);
        stream.flush().unwrap();
        stream.sock.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        stream
    };
    let publish = ClientRole::Publish(PublishKind::Live);
    let mut publisher = Client::new(open(), "live", "camera", publish).started();
    let mut sent = headers(0);
    sent.extend(gop(0, 200));
    publisher.send_all(&sent[..3]);
    let mut player =
        Client::new(open(), "live", "camera", ClientRole::Play { buffer_ms: 0 }).started();
    publisher.send_all(&sent[3..]);
    assert!(player.take(sent.len()) == sent);
    // What is no TLS is closed, and so is who says nothing.
    for hello in [&b"GET / HTTP/1.1\r\n\r\n"[..], b""] {
        let mut socket = connect(address);
        socket.write_all(hello).unwrap();
        let mut rest = [0; 64];
        wait_until("it is closed", || match socket.read(&mut rest) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        });
    }
    publisher.finish();
    player.ended();
}

#[test]
fn a_stop_lets_players_finish() {
    let server = serve(|_| {});
    let rtmp = server.rtmp_addr().unwrap();
    let mut publisher = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    let mut sent = headers(0);
    sent.extend(gop(0, 50));
    publisher.send_all(&sent);
    wait_until("all has come", || server.status().streams[0].received_bytes > 51 * 5000 + 50 * 5);
    let waits = connect(rtmp);
    let stopping = std::thread::spawn(move || server.stop_blocking());
    let mut got: Vec<Packet> = Vec::new();
    loop {
        match player.event() {
            Some(ClientEvent::Media(media)) => got.push(media.into()),
            Some(ClientEvent::Ended { .. }) => break,
            Some(_) => {}
            None => panic!("closed without a word"),
        }
    }
    assert!(got == sent);
    player.closed();
    publisher.closed();
    stopping.join().unwrap();
    drop(waits);
    assert!(TcpStream::connect(rtmp).is_err());
    // The port can be listened on again at once.
    Server::spawn(only_rtmp(rtmp)).unwrap();
}

#[test]
fn a_server_that_is_dropped_is_gone() {
    let server = serve(|_| {});
    let rtmp = server.rtmp_addr().unwrap();
    let mut publisher = Client::publish(&server, "camera");
    drop(server);
    publisher.closed();
    wait_until("the port is closed", || TcpStream::connect(rtmp).is_err());
}

#[tokio::test]
async fn a_server_runs_in_the_callers_runtime() {
    let server = Server::start(only_rtmp(local(0))).await.unwrap();
    assert_eq!((server.http_addr(), server.rtmps_addr()), (None, None));
    let rtmp = server.rtmp_addr().unwrap();
    let publishes = tokio::task::spawn_blocking(move || {
        let role = ClientRole::Publish(PublishKind::Live);
        let mut publisher = Client::new(connect(rtmp), "live", "camera", role).started();
        publisher.send(&audio(0, 1));
        publisher
    });
    let mut publisher = publishes.await.unwrap();
    server.stop().await;
    tokio::task::spawn_blocking(move || publisher.closed()).await.unwrap();
    assert!(TcpStream::connect(rtmp).is_err());
}

#[tokio::test]
async fn a_spawned_server_may_be_used_within_a_runtime() {
    let server = Server::spawn(only_rtmp(local(0))).unwrap();
    let rtmp = server.rtmp_addr().unwrap();
    server.stop().await;
    assert!(TcpStream::connect(rtmp).is_err());
    Server::spawn(only_rtmp(local(0))).unwrap().stop_blocking();
    drop(Server::spawn(only_rtmp(local(0))).unwrap());
}
