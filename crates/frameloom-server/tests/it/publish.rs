//! What publishers may do.

use std::time::Duration;

use frameloom_rtmp::MediaType;

use crate::client::{Client, audio, gop, headers, metadata, packet, serve, video, wait_until};

#[test]
fn a_second_publisher_is_refused() {
    let server = serve(|_| {});
    let mut first = Client::publish(&server, "camera");
    assert_eq!(Client::ask_publish(&server, "camera").refusal(), "NetStream.Publish.BadName");
    let mut player = Client::play(&server, "camera");
    first.send(&audio(0, 1));
    assert_eq!(player.take(1), [audio(0, 1)]);
    first.finish();
    player.ended();
    wait_until("the name is free", || server.status().streams.is_empty());
    Client::publish(&server, "camera");
}

#[test]
fn a_publisher_that_sends_nothing_is_closed() {
    let server = serve(|config| config.timeouts.idle_publisher = Duration::from_millis(300));
    let mut publisher = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    publisher.closed();
    player.ended();
}

#[test]
fn what_is_no_media_is_left_out_and_does_not_count_as_any() {
    let server = serve(|config| config.timeouts.idle_publisher = Duration::from_millis(1500));
    let mut publisher = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    publisher.send_all(&headers(0));
    publisher.send_all(&[
        packet(MediaType::Video, 0, &b"\x17"[..]),
        packet(MediaType::Video, 0, &b"\x9Fhvc1"[..]),
        packet(MediaType::Audio, 0, &b"\xAF\x07"[..]),
    ]);
    publisher.send(&video(10, true, 1, 100));
    let got = player.take(4);
    assert_eq!(got[3], video(10, true, 1, 100));
    assert_eq!(server.status().streams[0].dropped_packets, 3);
    // From here on nothing but rubbish.
    let mut index = 0;
    wait_until("the publisher is gone", || {
        index += 1;
        publisher.send(&packet(MediaType::Video, index, &b"\x17"[..]));
        server.status().streams.is_empty()
    });
    player.ended();
}

#[test]
fn metadata_that_is_cut_short_reaches_players_well_formed() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    let whole = metadata(0);
    let cut = whole.payload.slice(..whole.payload.len() - 3);
    let mut unknown = whole.payload.slice(..whole.payload.len() - 3).to_vec();
    unknown.extend(b"\0\x04what\x04\0\0\0");
    for payload in [cut, unknown.into()] {
        publisher.send(&packet(MediaType::Metadata, 0, payload));
        assert_eq!(player.take(1)[0], whole);
        assert_eq!(Client::play(&server, "camera").take(1)[0], whole);
    }
    // What says nothing at all is left out.
    publisher.send(&packet(MediaType::Metadata, 0, &b"\x02\0\x0aonMetaData\x03\0\x05width"[..]));
    publisher.send(&packet(MediaType::Data, 0, &b"\x03\0\0\x09"[..]));
    publisher.send(&audio(10, 1));
    assert_eq!(player.take(1), [audio(10, 1)]);
    assert_eq!(server.status().streams[0].dropped_packets, 2);
}

#[test]
fn the_status_tells_of_the_stream() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera?token=hidden");
    publisher.send_all(&headers(0));
    publisher.send_all(&gop(0, 10));
    let mut player = Client::play(&server, "camera");
    player.take(3 + 22);
    wait_until("there is a bit rate", || {
        publisher.send(&audio(500, 1));
        player.pump();
        server.status().streams[0].bit_rate > 0
    });
    let status = server.status();
    let stream = &status.streams[0];
    assert_eq!((stream.app.as_str(), stream.name.as_str()), ("live", "camera"));
    assert_eq!(stream.publisher.client, "FMLE/3.0 (compatible; Frameloom)");
    let video = stream.video.clone().unwrap();
    assert_eq!((video.codec.as_str(), video.width, video.height), ("h264", Some(640), Some(360)));
    assert_eq!(stream.audio.clone().unwrap().codec, "aac");
    assert_eq!(stream.players.len(), 1);
    let player = &stream.players[0];
    assert_eq!((player.protocol, player.skips), ("rtmp", 0));
    assert!(player.sent_bytes > 50_000);
    assert!(status.totals.sent_bytes > 50_000 && status.totals.received_bytes > 50_000);
    assert_eq!((status.connections, status.totals.connections), (2, 2));
    assert!(!format!("{status:?}").contains("hidden"));
}
