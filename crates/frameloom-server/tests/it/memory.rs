//! The memory that peers can make a server hold.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use frameloom_rtmp::ClientRole;
use frameloom_server::Server;

use crate::client::{Client, connect, headers, serve, video, wait_until};
use crate::hostile::{Attack, attack};
use crate::http::get;

const LIMIT: u64 = 64 << 20;

fn held(server: &Server) -> u64 {
    server.status().memory.held_bytes
}

/// A frame that is like no other.
fn frame(number: u64) -> crate::client::Packet {
    // 4 Mbit/s, and a keyframe every two seconds.
    let bytes = if number.is_multiple_of(50) { 80_000 } else { 18_000 };
    video(number * 40, number.is_multiple_of(50), (number % 251) as u8, bytes)
}

#[test]
#[ignore = "slow"]
fn hostile_publishers_never_pass_the_limit_and_harm_no_stream_beside_them() {
    let server = serve(|config| config.max_memory = Some(LIMIT));
    let address = server.rtmp_addr().unwrap();
    let mut publisher = Client::publish(&server, "camera");
    publisher.send_all(&headers(0));
    let mut player = Client::play(&server, "camera");
    assert_eq!(player.take(3), headers(0));
    let state = Attack::default();
    thread::scope(|scope| {
        for seed in 0..14 {
            let state = &state;
            scope.spawn(move || attack(address, seed, state));
        }
        scope.spawn(|| {
            while !state.over.load(Ordering::Relaxed) {
                assert!(held(&server) <= LIMIT);
                thread::sleep(Duration::from_millis(1));
            }
        });
        let end = Over(&state);
        let start = Instant::now();
        let mut number = 0;
        // Long enough for each to have been refused, and not without a frame in between.
        while number < 150 || server.status().memory.limit_reached < 20 {
            assert!(number < 1500, "{:?}", server.status().memory);
            publisher.send(&frame(number));
            assert!(player.take(1) == [frame(number)], "frame {number}");
            number += 1;
            let due = start + Duration::from_millis(40 * number);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        drop(end);
    });
    assert!(state.sent_bytes.load(Ordering::Relaxed) > LIMIT);
    assert!(server.status().memory.is_at_limit);
    let metrics = get(&server, "GET", "/metrics", "").1;
    assert!(metrics.contains("\nframeloom_server_memory_limit_reached 1\n"), "{metrics}");
    for name in ["memory_limit_total", "refused_total{reason=\"memory_limit\"}"] {
        let line =
            metrics.lines().find(|line| line.starts_with(&format!("frameloom_server_{name} ")));
        let count: u64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
        assert!(count >= 20, "{line:?}");
    }
    wait_until("they are gone", || server.status().connections == 2);
    // What is left is one stream's.
    wait_until("it is given back", || held(&server) < 6 << 20);
    drop((publisher, player));
    wait_until("all of it is given back", || held(&server) == 0);
}

/// Ends the attack also where the test fails.
struct Over<'a>(&'a Attack);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_client_that_does_not_publish_may_send_next_to_nothing() {
    let server = serve(|_| {});
    let mut sockets = Vec::new();
    for role in [None, Some(ClientRole::Play { buffer_ms: 100 })] {
        for _ in 0..30 {
            let mut socket = connect(server.rtmp_addr().unwrap());
            let clone = socket.try_clone().unwrap();
            let _client = match role {
                Some(role) => {
                    let mut client = Client::new(clone, "live", "camera", role);
                    while client.pump() {}
                    Some(client)
                }
                None => None,
            };
            if role.is_none() {
                socket.write_all(&[3]).unwrap();
                socket.write_all(&[0; 3072]).unwrap();
            }
            // Chunks of 60,000 bytes; messages of 8 MiB, on as many chunk streams as there may be.
            let _ = socket.write_all(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0xEA, 0x60]);
            for chunk_stream in 10..60 {
                let header = [chunk_stream, 0, 0, 0, 0x7F, 0xFF, 0xFF, 9, 1, 0, 0, 0];
                // It may be closed by now.
                if socket.write_all(&header).and_then(|()| socket.write_all(&[0; 60_000])).is_err()
                {
                    break;
                }
            }
            sockets.push(socket);
            assert!(held(&server) < 60 << 20);
        }
    }
    wait_until("each is closed", || server.status().connections == 0);
    assert_eq!(held(&server), 0);
}

#[test]
fn a_stream_of_equal_timestamps_holds_no_more_than_its_cache() {
    let server = serve(|config| config.relay.cache_bytes = 4 << 20);
    let mut publisher = Client::publish(&server, "camera");
    for number in 0..200_u64 {
        publisher.send(&video(7, number % 10 == 0, 1, 100_000));
        assert!(held(&server) < 6 << 20);
    }
    wait_until("all has come", || server.status().streams[0].received_bytes == 200 * 100_000);
    assert!(held(&server) < 5 << 20, "{}", held(&server));
}

#[test]
fn connections_that_memory_is_too_short_for_are_refused() {
    let server = serve(|config| config.max_memory = Some(1 << 20));
    let address = server.http_addr().unwrap();
    let open: Vec<_> = (0..40).map(|_| connect(address)).collect();
    wait_until("some are refused", || server.status().memory.limit_reached > 0);
    assert!(held(&server) <= 1 << 20);
    drop(open);
    wait_until("there is room again", || held(&server) == 0);
    assert!(get(&server, "GET", "/api/v1/status", "").0.starts_with("HTTP/1.1 200 "));
}
