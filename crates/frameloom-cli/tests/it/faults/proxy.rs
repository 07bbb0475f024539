//! The proxy itself, against a plain echo.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::proxy::{Proxy, Way};
use crate::harness::{Rng, wait_until};

/// Gives back what it gets, on as many connections as come.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(socket) = socket else { return };
            thread::spawn(move || std::io::copy(&mut &socket, &mut &socket).ok());
        }
    });
    port
}

fn connect(proxy: &Proxy) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

/// Sends the bytes and reads as many.
fn round(mut socket: &TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut writer = socket.try_clone().unwrap();
    let sent = bytes.to_vec();
    let sender = thread::spawn(move || writer.write_all(&sent));
    let mut back = vec![0; bytes.len()];
    socket.read_exact(&mut back).unwrap();
    sender.join().unwrap().unwrap();
    back
}

fn some_bytes(count: usize) -> Vec<u8> {
    let mut random = Rng::new(7);
    (0..count).map(|_| random.next() as u8).collect()
}

/// Nothing comes for a while that is long enough to see it come where it does.
fn assert_silent(mut socket: &TcpStream) {
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let kind = socket.read(&mut [0]).expect_err("something came").kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{kind}");
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
}

#[test]
fn unbroken_it_carries_every_byte() {
    let proxy = Proxy::to(echo());
    let bytes = some_bytes(3_000_000);
    let socket = connect(&proxy);
    assert!(round(&socket, &bytes) == bytes, "other bytes");
    assert_eq!(proxy.carried_bytes(Way::Up), 3_000_000);
    assert_eq!(proxy.carried_bytes(Way::Down), 3_000_000);
    assert_eq!(proxy.accepted(), 1);
}

#[test]
fn one_side_that_closes_can_still_read() {
    let proxy = Proxy::to(echo());
    let mut socket = connect(&proxy);
    socket.write_all(b"the last words").unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut back = Vec::new();
    socket.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"the last words");
}

#[test]
fn a_cut_is_an_end_and_a_reset_is_none() {
    let proxy = Proxy::to(echo());
    let mut socket = connect(&proxy);
    assert_eq!(round(&socket, b"here"), b"here");
    proxy.cut();
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);

    let mut socket = connect(&proxy);
    assert_eq!(round(&socket, b"again"), b"again");
    proxy.reset();
    assert_eq!(socket.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);

    assert_eq!(round(&connect(&proxy), b"and again"), b"and again");
    assert_eq!(proxy.accepted(), 3);
}

#[test]
fn a_stall_keeps_what_is_sent_and_what_connects() {
    let proxy = Proxy::to(echo());
    let mut old = connect(&proxy);
    assert_eq!(round(&old, b"here"), b"here");
    for way in [Way::Up, Way::Down] {
        proxy.stall(way);
        let mut new = connect(&proxy);
        for socket in [&mut old, &mut new] {
            socket.write_all(b"later").unwrap();
        }
        assert_silent(&old);
        assert_silent(&new);
        proxy.heal();
        for socket in [&mut old, &mut new] {
            let mut back = [0; 5];
            socket.read_exact(&mut back).unwrap();
            assert_eq!(&back, b"later");
        }
    }
}

#[test]
fn refused_is_refused_until_it_is_healed() {
    let proxy = Proxy::to(echo());
    let old = connect(&proxy);
    assert_eq!(round(&old, b"here"), b"here");
    for _ in 0..3 {
        proxy.refuse();
        let error = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(round(&old, b"still"), b"still");
        proxy.heal();
        assert_eq!(round(&connect(&proxy), b"again"), b"again");
    }
}

#[test]
fn delayed_bytes_come_later_and_whole() {
    let proxy = Proxy::to(echo());
    let socket = connect(&proxy);
    assert_eq!(round(&socket, b"here"), b"here");
    proxy.delay(Way::Down, Duration::from_millis(400));
    let bytes = some_bytes(100_000);
    let start = Instant::now();
    assert!(round(&socket, &bytes) == bytes, "other bytes");
    assert!(start.elapsed() >= Duration::from_millis(400), "{:?}", start.elapsed());
}

#[test]
fn throttled_bytes_take_their_time() {
    let proxy = Proxy::to(echo());
    let socket = connect(&proxy);
    assert_eq!(round(&socket, b"here"), b"here");
    proxy.throttle(Way::Up, 200_000);
    let bytes = some_bytes(100_000);
    let start = Instant::now();
    assert!(round(&socket, &bytes) == bytes, "other bytes");
    // A tenth of a second may have been saved up.
    assert!(start.elapsed() >= Duration::from_millis(380), "{:?}", start.elapsed());
}

#[test]
fn a_share_of_the_bytes_is_corrupted_and_the_same_with_the_same_seed() {
    let bytes = some_bytes(200_000);
    let corrupted = |seed| {
        let proxy = Proxy::to(echo());
        proxy.corrupt(Way::Up, 10_000, 5_000, seed);
        round(&connect(&proxy), &bytes)
    };
    let once = corrupted(1);
    assert!(once[..5_000] == bytes[..5_000], "the spared bytes are others");
    let wrong = once.iter().zip(&bytes).filter(|(got, sent)| got != sent).count();
    assert!((1_500..2_500).contains(&wrong), "{wrong} of 195,000 bytes are wrong");
    assert!(corrupted(1) == once, "another corruption with the same seed");
    assert!(corrupted(2) != once, "the same corruption with another seed");
}

#[test]
fn without_a_target_the_connection_ends() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy = Proxy::to(nobody);
    let mut socket = connect(&proxy);
    // An end or a reset, by what is read first.
    wait_until("the connection ends", || !matches!(socket.read(&mut [0]), Ok(1..)));
}

#[test]
fn it_ends_with_all_its_connections() {
    let proxy = Proxy::to(echo());
    let mut socket = connect(&proxy);
    assert_eq!(round(&socket, b"here"), b"here");
    proxy.stall(Way::Down);
    drop(proxy);
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);
}
