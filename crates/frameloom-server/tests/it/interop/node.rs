//! Peers from the world of Node.js: node-media-server, and a browser with mpegts.js.

use std::net::SocketAddr;
use std::path::PathBuf;

use frameloom_rtmp::{ClientRole, MediaType, PublishKind};
use frameloom_server::Server;
use serde_json::{Value, json};

use super::clips::{clip, room};
use super::ffmpeg::HalfSent;
use super::run::{Ffmpeg, find, start_node};
use super::{http, wait_until_played};
use crate::client::{Client, Packet, connect, gop, headers, serve, wait_until};

#[test]
fn our_client_publishes_to_node_media_server_and_plays_from_it() {
    let room = room();
    let mut peer = start_node("media-server.mjs", args![room.path()]);
    let mut address: Option<SocketAddr> = None;
    wait_until("node-media-server listens", || {
        peer.assert_running();
        let said = peer.stdout();
        let port = said.lines().find_map(|line| line.strip_prefix("port="));
        // A line that is not all there yet has no end.
        address = port
            .filter(|_| said.ends_with('\n'))
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())));
        address.is_some()
    });
    let address = address.unwrap();
    let open = |role| Client::new(connect(address), "live", "camera", role);

    let mut publisher = open(ClientRole::Publish(PublishKind::Live)).started();
    let (sent_headers, first, second) = (headers(0), gop(0, 20), gop(1000, 20));
    publisher.send_all(&sent_headers);
    publisher.send_all(&first);
    let mut player = open(ClientRole::Play { buffer_ms: 100 }).started();
    publisher.send_all(&second);

    let total = sent_headers.len() + first.len() + second.len();
    let mut played = Vec::new();
    while played.len() < total {
        let packet = Packet::from(player.media());
        // It says `|RtmpSampleAccess` as well.
        if packet.kind != MediaType::Data {
            played.push(packet);
        }
    }
    // It puts the headers in an order of its own.
    let of = |packets: &[Packet], kind: MediaType| -> Vec<Packet> {
        packets.iter().filter(|packet| packet.kind == kind).cloned().collect()
    };
    let sent = [sent_headers, first, second].concat();
    for kind in [MediaType::Metadata, MediaType::Video, MediaType::Audio] {
        let (played, sent) = (of(&played, kind), of(&sent, kind));
        assert!(played == sent, "{kind:?} is not what was published");
    }
    publisher.finish();
}

/// Debian's Chromium, the small one without windows where it is installed.
fn chromium() -> PathBuf {
    let names = ["chromium-headless-shell", "chromium"];
    let found = names.iter().find_map(|name| find(name.as_ref()));
    found.expect("no chromium-headless-shell: run script/setup --tests")
}

/// mpegts.js plays the URL in a page: time goes on, the picture moves, and nothing is amiss.
fn chromium_plays(url: impl FnOnce(&Server) -> String) {
    let clip = clip(Ffmpeg::System, "-c:v libx264 -preset veryfast -bf 0 -c:a aac");
    let room = room();
    // The page is another server's.
    let server = serve(|config| config.allow_origins = vec!["*".to_owned()]);
    let sent = room.path().join("sent.flv");
    let mut publisher = HalfSent::start(&server, Ffmpeg::System, &clip, &sent);
    let browser = start_node("browser.mjs", args![chromium(), url(&server)]);
    wait_until_played(&server, &mut publisher.ffmpeg, 1);
    publisher.finish();
    let seen: Value = serde_json::from_str(browser.ok().trim_end()).unwrap();
    assert_eq!(seen["errors"], json!([]), "{seen}");
    assert_eq!([&seen["videoWidth"], &seen["videoHeight"]], [&json!(320), &json!(180)], "{seen}");
    let number = |name: &str| seen[name].as_f64().unwrap();
    assert!(number("currentTime") > number("first") + 1.0, "{seen}");
    // The counter of the test picture alone is hundreds of pixels.
    assert!(number("bytesThatDiffer") > 1000.0, "{seen}");
}

#[test]
fn chromium_plays_http_flv() {
    chromium_plays(|server| http(server, "camera"));
}

#[test]
fn chromium_plays_websocket_flv() {
    chromium_plays(|server| http(server, "camera").replace("http:", "ws:"));
}
