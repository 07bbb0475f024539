//! What players get.

use std::time::{Duration, Instant};

use frameloom_rtmp::MediaType;
use frameloom_server::{SecondPublisher, Server};

use crate::client::{
    Client, Packet, at, audio, audio_header, gop, headers, joined, packet, serve, video,
    video_header, wait_until,
};

/// Waits until a publisher's only packets are with the server.
fn wait_until_received(server: &Server, sent: &[Packet]) {
    let bytes: usize = sent.iter().map(|packet| packet.payload.len()).sum();
    let received = || server.status().streams.first().map_or(0, |stream| stream.received_bytes);
    wait_until("all has come", || received() == bytes as u64);
}

#[test]
fn what_is_published_is_played_bit_for_bit() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    let mut sent = headers(0);
    sent.extend(gop(0, 20));
    sent.push(packet(MediaType::Data, 900, &b"\x02\0\x05onCue\x05"[..]));
    // A frame of many chunks, and one of a single byte of data.
    sent.push(video(940, true, 9, 700_000));
    sent.push(audio(941, 1));
    publisher.send_all(&sent);
    assert!(player.take(sent.len()) == sent);
    publisher.finish();
    player.ended();
}

/// More than one thread of the server has a part in them.
#[test]
fn hundreds_of_players_get_the_same() {
    let server = serve(|config| config.max_connections_per_address = 400);
    let mut publisher = Client::publish(&server, "camera");
    publisher.send_all(&headers(0));
    publisher.send_all(&gop(0, 3));
    let mut players: Vec<_> = (0..300).map(|_| Client::play(&server, "camera")).collect();
    let mut sent = gop(1000, 20);
    sent.push(video(1900, true, 9, 200_000));
    publisher.send_all(&sent);
    publisher.finish();
    for player in &mut players {
        while player.take(1) != sent[..1] {}
        assert!(player.take(sent.len() - 1) == sent[1..]);
        player.ended();
    }
}

#[test]
fn a_late_player_gets_metadata_headers_and_the_current_gop() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let (first, second) = (gop(0, 5), gop(1000, 3));
    for packets in [&headers(0), &first, &second] {
        publisher.send_all(packets);
    }
    let mut witness = Client::play(&server, "camera");
    publisher.send(&audio(1200, 77));
    while Packet::from(witness.media()) != audio(1200, 77) {}

    let mut late = Client::play(&server, "camera");
    let mut expected = joined(1000);
    expected.extend(second);
    expected.push(audio(1200, 77));
    assert_eq!(late.take(expected.len()), expected);
    publisher.send(&audio(1300, 78));
    assert_eq!(late.take(1), [audio(1300, 78)]);
}

#[test]
fn a_changed_header_comes_in_order_and_late_players_get_the_new_one() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    let mut sent = headers(0);
    sent.extend(gop(0, 3));
    sent.push(video_header(200, 2));
    sent.extend(gop(200, 3));
    publisher.send_all(&sent);
    assert_eq!(player.take(sent.len()), sent);

    let mut late = Client::play(&server, "camera");
    let got = late.take(4);
    assert_eq!(got[1..], [video_header(200, 2), audio_header(200), video(200, true, 0, 5000)]);
}

#[test]
fn without_a_keyframe_a_player_gets_audio_now_and_video_from_the_next_one() {
    let server = serve(|config| config.relay.cache_bytes = 20_000);
    let mut publisher = Client::publish(&server, "camera");
    let mut sent = headers(0);
    sent.extend(gop(0, 20));
    publisher.send_all(&sent);
    wait_until_received(&server, &sent);

    let mut player = Client::play(&server, "camera");
    publisher.send_all(&[video(900, false, 5, 100), audio(901, 6)]);
    publisher.send_all(&[video(940, true, 7, 100), video(980, false, 8, 100)]);
    let got = player.take(6);
    assert_eq!(got[..3], joined(803));
    assert_eq!(got[3..], [audio(901, 6), video(940, true, 7, 100), video(980, false, 8, 100)]);
}

#[test]
fn audio_alone_is_played_from_now_on() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "radio");
    publisher.send(&audio_header(0));
    let mut first = Client::play(&server, "radio");
    for index in 0..50 {
        publisher.send(&audio(u64::from(index) * 23, index));
    }
    while Packet::from(first.media()).payload != audio(0, 49).payload {}
    let mut late = Client::play(&server, "radio");
    publisher.send(&audio(1150, 50));
    assert_eq!(late.take(2), [audio_header(49 * 23), audio(1150, 50)]);
}

#[test]
fn enhanced_streams_start_at_their_keyframes() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let enhanced = |time, bytes: &'static [u8]| packet(MediaType::Video, time, bytes);
    let sent = [
        enhanced(0, b"\x90hvc1config"),
        packet(MediaType::Audio, 0, &b"\x90OpusOpusHead"[..]),
        enhanced(0, b"\x93hvc1one"),
        enhanced(40, b"\xA3hvc1two"),
        enhanced(80, b"\x93hvc1three"),
        packet(MediaType::Audio, 80, &b"\x91Opussound"[..]),
    ];
    publisher.send_all(&sent);
    wait_until_received(&server, &sent);
    let mut player = Client::play(&server, "camera");
    let mut expected = at(&sent[..2], 80);
    expected.extend_from_slice(&sent[4..]);
    assert_eq!(player.take(4), expected);
    let status = server.status();
    let codecs = status.streams.first().map(|stream| (stream.video.clone(), stream.audio.clone()));
    let (Some(video), Some(audio)) = codecs.unwrap() else { panic!("no codecs") };
    assert_eq!((video.codec.as_str(), audio.codec.as_str()), ("hevc", "opus"));
}

#[test]
fn times_go_on_past_every_wrap() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    for border in [1_u64 << 24, 1 << 31, 1 << 32] {
        let near = border - 100;
        let mut sent = headers(near);
        sent.extend(gop(near, 6));
        publisher.send_all(&sent);
        assert_eq!(player.take(sent.len()), sent);
        // The wire has 32 bits, so a new player's clock starts with those.
        let mut late = Client::play(&server, "camera");
        let got = late.take(3 + 14);
        let wire: Vec<_> = got.iter().map(|packet| packet.timestamp_ms as u32).collect();
        let expected: Vec<_> = sent[3..].iter().map(|packet| packet.timestamp_ms as u32).collect();
        assert_eq!(wire[3..], expected);
    }
}

#[test]
fn many_players_get_the_same() {
    let server = serve(|_| {});
    let mut publisher = Client::publish(&server, "camera");
    let mut players: Vec<_> = (0..20).map(|_| Client::play(&server, "camera")).collect();
    let mut sent = headers(0);
    sent.extend(gop(0, 10));
    publisher.send_all(&sent);
    for player in &mut players {
        assert!(player.take(sent.len()) == sent);
    }
    assert_eq!(server.status().streams[0].players.len(), 20);
    drop(players);
    wait_until("they are gone", || server.status().streams[0].players.is_empty());
}

#[test]
fn a_player_outlives_its_publisher_by_what_is_left() {
    let server = serve(|config| config.timeouts.play_wait = Duration::ZERO);
    let mut publisher = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    let mut sent = headers(0);
    sent.extend(gop(0, 100));
    publisher.send_all(&sent);
    publisher.finish();
    assert!(player.take(sent.len()) == sent);
    player.ended();
    assert_eq!(Client::ask_play(&server, "camera").refusal(), "NetStream.Play.StreamNotFound");
}

#[test]
fn a_player_that_comes_first_waits_for_its_publisher() {
    let server = serve(|_| {});
    let mut early = Client::ask_play(&server, "camera");
    let mut other = Client::ask_play(&server, "attic");
    // Nothing tells that a player waits but that it is not refused.
    wait_until("both are connected", || {
        early.pump() && other.pump() && server.status().connections == 2
    });
    let mut publisher = Client::publish(&server, "camera");
    let mut player = early.started();
    let mut sent = headers(0);
    sent.extend(gop(0, 5));
    publisher.send_all(&sent);
    assert_eq!(player.take(sent.len()), sent);
    let _attic = Client::publish(&server, "attic");
    other.started();

    let server = serve(|config| config.timeouts.play_wait = Duration::from_millis(300));
    let waited = Instant::now();
    assert_eq!(Client::ask_play(&server, "camera").refusal(), "NetStream.Play.StreamNotFound");
    assert!(waited.elapsed() >= Duration::from_millis(300));
}

#[test]
fn players_go_on_when_another_publisher_takes_over() {
    let server = serve(|config| config.second_publisher = SecondPublisher::TakeOver);
    let mut first = Client::publish(&server, "camera");
    let mut player = Client::play(&server, "camera");
    first.send_all(&headers(5000));
    first.send_all(&gop(5000, 3));
    player.take(3 + 8);

    let mut second = Client::publish(&server, "camera");
    first.closed();
    // It begins within a GOP: that part is of no use to anyone.
    second.send_all(&[video_header(0, 9), audio_header(0), video(70_000, false, 1, 50)]);
    second.send_all(&[audio(70_010, 2), video(70_040, true, 3, 50), audio(70_050, 4)]);
    let got = player.take(5);
    let expected = [
        video_header(5123, 9),
        audio_header(5123),
        audio(5124, 2),
        video(5154, true, 3, 50),
        audio(5164, 4),
    ];
    assert_eq!(got, expected);
    // A late player gets nothing of the first one's.
    let mut late = Client::play(&server, "camera");
    assert_eq!(late.take(2), at(&expected[..2], 5154));
    second.finish();
    player.ended();
}
