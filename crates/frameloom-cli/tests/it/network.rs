//! Live protocols other than RTMP, on loopback.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::thread;

use crate::harness::judge::position_of;
use crate::harness::pixels::{assert_unbroken, both_counters};
use crate::harness::rational::Rational;
use crate::harness::*;

/// A UDP port that nobody was bound to a moment ago.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A source for MPEG-TS: a keyframe every second, B-frames, AAC.
fn source() -> std::path::PathBuf {
    counted_av("live.ts")
}

/// Every frame is there with its edit, in one stretch; returns the first one's number.
fn assert_burnt(recorded: &Path, at_least: usize) -> usize {
    let frames = both_counters(recorded);
    assert_unbroken(&frames);
    assert!(frames.len() >= at_least, "only {} frames", frames.len());
    frames[0].1
}

#[test]
fn srt_out() {
    let room = room();
    let recorded = room.path().join("recorded.ts");
    let port = free_port();
    let listen = format!("srt://127.0.0.1:{port}?mode=listener");
    let reader = ffmpeg_reader(args!["-i", listen, "-c", "copy", &recorded]).spawn();
    wait_for_udp(port);
    let target = format!("srt://127.0.0.1:{port}");
    let args = args!["-re", "-i", source(), "-f", "mpegts", target, "--"];
    frameloom([args, args![python(), fixture("burn.py")]].concat()).run().ok();
    reader.wait().ok();
    // A sender that hangs up takes with it what was not read yet, the more the busier the machine.
    assert_eq!(assert_burnt(&recorded, 100), 0);
    let (sent, got) = (audio(&source()), audio(&recorded));
    position_of(&got, &sent);
}

/// The audio packets less MPEG-TS's framing.
fn audio(path: &Path) -> Vec<String> {
    judge::packet_hashes_through(path, Kind::Audio, "aac_adtstoasc")
}

#[test]
fn srt_in() {
    let room = room();
    let out = room.path().join("out.mkv");
    let port = free_port();
    let listen = format!("srt://127.0.0.1:{port}?mode=listener");
    let args = args![
        "--on-loss=end",
        "--on-slow=block",
        "--open-timeout=60s",
        "-i",
        listen,
        "-preset",
        "ultrafast",
        &out,
        "--"
    ];
    let frameloom = frameloom([args, args![python(), fixture("burn.py")]].concat()).spawn();
    wait_for_udp(port);
    let target = format!("srt://127.0.0.1:{port}");
    ffmpeg_reader(args!["-re", "-i", source(), "-c", "copy", "-f", "mpegts", target])
        .spawn()
        .wait()
        .ok();
    frameloom.wait().ok();
    // Here too the hang-up takes with it what was not read yet.
    assert_burnt(&out, 50);
    position_of(&packet_hashes(&out, Kind::Audio), &audio(&source()));
}

#[test]
#[ignore = "slow"]
fn udp_out() {
    let room = room();
    let recorded = room.path().join("recorded.ts");
    let port = free_port();
    // UDP has no end; the reader takes silence for one.
    let listen = format!("udp://127.0.0.1:{port}?timeout=4000000&fifo_size=100000");
    let reader = ffmpeg_reader(args!["-i", listen, "-c", "copy", &recorded]).spawn();
    wait_for_udp(port);
    let target = format!("udp://127.0.0.1:{port}?pkt_size=1316");
    let args = args!["-re", "-i", source(), "-f", "mpegts", target, "--"];
    frameloom([args, args![python(), fixture("burn.py")]].concat()).run().ok();
    reader.wait();
    assert_eq!(assert_burnt(&recorded, 140), 0);
    position_of(&audio(&recorded), &audio(&source()));
}

#[test]
fn udp_in() {
    let room = room();
    let out = room.path().join("out.mkv");
    let port = free_port();
    let listen = format!("udp://127.0.0.1:{port}?fifo_size=100000");
    let args =
        args!["--on-slow=block", "--open-timeout=60s", "-i", listen, "-frames:v", "75", &out, "--"];
    let frameloom = frameloom([args, args![python(), fixture("burn.py")]].concat()).spawn();
    wait_for_udp(port);
    let target = format!("udp://127.0.0.1:{port}?pkt_size=1316");
    let publisher =
        ffmpeg_reader(args!["-re", "-i", source(), "-c", "copy", "-f", "mpegts", target]).spawn();
    frameloom.wait().ok();
    drop(publisher);
    assert_burnt(&out, 75);
    position_of(&packet_hashes(&out, Kind::Audio), &audio(&source()));
}

/// Of several frames of sound in one packet of MPEG-TS only the first has a time.
#[test]
fn the_first_sound_of_live_mpegts_keeps_its_distances() {
    let source = counted("320x240", "25", 3);
    let sound = "-f lavfi -i sine=r=44100:d=3";
    let codecs = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -c:a aac";
    let sent =
        fs::read(clip("sound.ts", &format!("-f lavfi -i {source} {sound} {codecs}"))).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let from = format!("tcp://{}", listener.local_addr().unwrap());
    // Dropped, and so closed, at the end.
    let server = thread::spawn(move || listener.accept().unwrap().0.write_all(&sent).unwrap());
    let room = room();
    let out = room.path().join("out.mkv");
    frameloom(args!["--on-loss=end", "-i", from, &out]).run().ok();
    server.join().unwrap();
    let times: Vec<i64> = times(&out, Kind::Audio).into_iter().map(Rational::as_ms).collect();
    // A frame is 1024 samples, 23.2 ms.
    let steps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.len() > 100 && steps.iter().all(|step| (22..=25).contains(step)), "{steps:?}");
}
