//! Caps, and players that are too slow.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use frameloom_rtmp::{ClientRole, MediaType};
use frameloom_server::Server;
use socket2::{Domain, Socket, Type};

use crate::client::{Client, Packet, audio, connect, gop, headers, serve, video, wait_until};

/// Whether the server has closed a connection.
fn is_closed(socket: &mut TcpStream) -> bool {
    match socket.read(&mut [0; 64]) {
        Ok(count) => count == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn a_connection_cap_that_really_closes_sockets() {
    let server = serve(|config| {
        config.max_connections = 5;
        config.max_connections_per_address = 3;
    });
    let address = server.rtmp_addr().unwrap();
    let mut open: Vec<_> = (0..3).map(|_| connect(address)).collect();
    wait_until("they are in", || server.status().connections == 3);
    for _ in 0..20 {
        let mut over = connect(address);
        wait_until("the fourth is closed", || is_closed(&mut over));
    }
    assert_eq!(server.status().connections, 3);
    assert!(open.iter_mut().all(|socket| !is_closed(socket)));
    // Over HTTP it is the same cap.
    let mut over = connect(server.http_addr().unwrap());
    wait_until("HTTP is closed", || is_closed(&mut over));
    open.pop();
    wait_until("there is room", || server.status().connections == 2);
    let mut next = connect(address);
    wait_until("it is in", || server.status().connections == 3);
    assert!(!is_closed(&mut next));
}

/// Linux alone tells whose a socket is.
#[cfg(target_os = "linux")]
#[test]
fn a_process_of_our_own_finds_a_place_where_others_have_taken_all() {
    let server = serve(|config| {
        config.max_connections = 6;
        config.max_connections_per_address = 3;
    });
    let address = server.rtmp_addr().unwrap();
    let taken: Vec<_> = (0..3).map(|_| connect(address)).collect();
    wait_until("they are in", || server.status().connections == 3);
    let mut over = connect(address);
    wait_until("one more is closed", || is_closed(&mut over));
    // It connects, and waits for its input to end.
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}; read", address.port());
    let mut children: Vec<_> = (0..4)
        .map(|_| {
            let mut bash = std::process::Command::new("bash");
            bash.args(["-c", &script]).stdin(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    wait_until("our own are in", || server.status().connections == 7);
    for child in &mut children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    wait_until("they are gone", || server.status().connections == 3);
    drop(taken);
}

#[test]
fn a_thousand_connections_at_once_harm_nobody() {
    let server = serve(|config| {
        config.max_connections = 200;
        config.timeouts.handshake = Duration::from_secs(20);
    });
    let address = server.rtmp_addr().unwrap();
    let mut publisher = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    // Each end here is a file too, so those that are over the cap are let go in between.
    let mut held = Vec::new();
    for round in 0..5 {
        let mut sockets: Vec<_> = (0..200).map(|_| connect(address)).collect();
        publisher.send(&audio(round * 10, 1));
        assert_eq!(player.take(1), [audio(round * 10, 1)]);
        if round == 0 {
            wait_until("the server is full", || server.status().connections == 200);
            held.append(&mut sockets);
            continue;
        }
        for socket in &mut sockets {
            wait_until("it is closed", || is_closed(socket));
        }
    }
    let closed = held.iter_mut().filter_map(|socket| is_closed(socket).then_some(())).count();
    assert_eq!(closed, 2);
    assert_eq!(server.status().connections, 200);
    drop(held);
    wait_until("they are gone", || server.status().connections == 2);
    Client::play(&server, "camera");
}

/// A player whose system takes few bytes.
fn narrow_player(server: &Server, key: &str) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address: SocketAddr = server.rtmp_addr().unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    Client::new(TcpStream::from(socket), "live", key, ClientRole::Play { buffer_ms: 0 }).started()
}

fn skips(server: &Server) -> Option<u64> {
    server.status().streams.first()?.players.iter().map(|player| player.skips).max()
}

#[test]
fn a_player_that_stops_reading() {
    let server = serve(|config| {
        config.relay.player_lag = Duration::from_millis(500);
        config.timeouts.player_stall = Duration::from_millis(1500);
    });
    let mut publisher = Client::publish(&server, "camera");
    publisher.send_all(&headers(0));
    let _stopped = narrow_player(&server, "camera");
    let mut player = Client::play(&server, "camera");
    assert_eq!(player.take(3), headers(0));
    let mut start_ms = 0;
    wait_until("the one that stopped is cut", || {
        // Much more than fits into the system, and all of it reaches the other one.
        let sent: Vec<Packet> =
            (0..10).map(|i| video(start_ms + 40 * i, i == 0, 5, 100_000)).collect();
        for packet in &sent {
            publisher.send(packet);
            assert!(player.take(1) == [packet.clone()]);
        }
        start_ms += 400;
        server.status().totals.players_cut == 1
    });
    assert_eq!(server.status().streams[0].players.len(), 1);
}

#[test]
fn a_slow_player_skips_to_a_keyframe_and_is_cut_when_that_does_not_help() {
    let server = serve(|config| {
        config.relay.player_lag = Duration::from_millis(500);
        config.relay.player_skips = 2;
    });
    let mut publisher = Client::publish(&server, "camera");
    publisher.send_all(&headers(0));
    let mut slow = narrow_player(&server, "camera");
    let mut start_ms = 0;
    let mut send_gop = |publisher: &mut Client| {
        for packet in (0..25).map(|i| video(start_ms + 40 * i, i == 0, 5, 50_000)) {
            publisher.send(&packet);
        }
        start_ms += 1000;
    };
    // It reads too little of it, until it has skipped.
    wait_until("it skips", || {
        send_gop(&mut publisher);
        slow.pump();
        skips(&server) == Some(1)
    });
    // Now it reads everything: what comes after the gap begins with a keyframe.
    let mut last = None;
    let mut gaps = 0;
    wait_until("it has come across the gap", || {
        while slow.pump() {}
        while let Some(packet) = slow.queued() {
            if packet.kind != MediaType::Video || packet.payload.len() < 100 {
                continue;
            }
            if last.is_some_and(|last| packet.timestamp_ms != last + 40) {
                assert_eq!(packet.payload[0], 0x17, "after a gap at {}", packet.timestamp_ms);
                gaps += 1;
            }
            last = Some(packet.timestamp_ms);
        }
        gaps > 0
    });
    // And then it is slow again, for too long.
    wait_until("it is cut", || {
        send_gop(&mut publisher);
        slow.pump();
        server.status().totals.players_cut == 1
    });
    assert!(server.status().totals.player_skips >= 2);
    wait_until("it is gone", || server.status().streams[0].players.is_empty());
}

#[test]
fn a_player_of_http_that_stops_reading_is_cut() {
    let server = serve(|config| config.timeouts.player_stall = Duration::from_millis(500));
    let mut publisher = Client::publish(&server, "camera");
    publisher.send_all(&headers(0));
    let mut socket = connect(server.http_addr().unwrap());
    std::io::Write::write_all(
        &mut socket,
        b"GET /live/camera.flv HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )
    .unwrap();
    wait_until("it plays", || server.status().streams[0].players.len() == 1);
    let mut start_ms = 0;
    wait_until("it is cut", || {
        publisher.send_all(&gop(start_ms, 20));
        publisher.send(&video(start_ms + 999, false, 1, 1_000_000));
        start_ms += 1000;
        server.status().totals.players_cut == 1
    });
    wait_until("it is gone", || server.status().streams[0].players.is_empty());
}
