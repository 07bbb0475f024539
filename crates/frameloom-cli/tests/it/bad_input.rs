//! Bad input: one line, exit status 1, and nothing half-written left unsaid.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::harness::judge::assert_playable;
use crate::harness::nginx::free_port;
use crate::harness::web::Web;
use crate::harness::*;

/// Reads `input` (a path or a URL) into a new file, alone and with a command, and expects one
/// line with each of `words` and no output.
#[track_caller]
fn assert_unreadable(input: impl AsRef<std::ffi::OsStr>, words: &[&str]) {
    for command in [args![], args!["--", "cat"]] {
        let room = room();
        let out = room.path().join("out.mp4");
        let args = [args!["-i", input.as_ref(), &out], command].concat();
        let line = frameloom(args).run().refuses(1);
        for word in words {
            assert!(line.contains(word), "no {word:?} in: {line}");
        }
        assert!(!out.exists(), "an output was begun for nothing");
    }
    let line = frameloom(args!["probe", input.as_ref()]).run().refuses(1);
    assert!(words.iter().all(|word| line.contains(word)), "probe: {line}");
}

#[test]
fn a_missing_file() {
    assert_unreadable("/nonexistent/clip.mp4", &["/nonexistent/clip.mp4", "no such file"]);
}

#[test]
fn a_directory() {
    let folder = room();
    let name = folder.path().to_str().unwrap();
    assert_unreadable(folder.path(), &[name, "directory"]);
}

#[test]
fn a_text_file() {
    let folder = room();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "Dear diary,\nno video today.\n".repeat(50)).unwrap();
    assert_unreadable(&file, &["notes.txt"]);
    let posing = folder.path().join("posing.mp4");
    fs::copy(&file, &posing).unwrap();
    assert_unreadable(&posing, &["posing.mp4"]);
}

/// The index tells where the pictures are.
#[test]
fn an_index_behind_what_a_pipe_has_given_already() {
    let bytes = fs::read(counted_av("numbered.mp4")).unwrap();
    let room = room();
    let out = room.path().join("out.mkv");
    let line = frameloom(args!["-i", "-", &out]).stdin(bytes).run().refuses(1);
    assert!(line.contains("its index stands behind its pictures"), "{line}");
    assert!(line.contains("+faststart") && !line.contains("was kept"), "{line}");
    assert!(!out.exists());
}

#[test]
fn an_empty_file() {
    let folder = room();
    for name in ["empty.mp4", "empty.flv", "empty.ts"] {
        let file = folder.path().join(name);
        fs::write(&file, "").unwrap();
        assert_unreadable(&file, &[name, "empty"]);
    }
}

#[test]
fn a_file_that_may_not_be_read() {
    let folder = room();
    let file = folder.path().join("loop.mp4");
    std::os::unix::fs::symlink(&file, &file).unwrap();
    assert_unreadable(&file, &["loop.mp4"]);
}

/// An MP4 whose index stands first, cut in its middle.
fn cut(folder: &Path) -> PathBuf {
    let source = counted_av("numbered.mp4");
    let (fast, cut) = (folder.join("fast.mp4"), folder.join("cut.mp4"));
    ffmpeg(args!["-i", source, "-c", "copy", "-movflags", "+faststart", &fast]);
    let bytes = fs::read(fast).unwrap();
    fs::write(&cut, &bytes[..bytes.len() * 6 / 10]).unwrap();
    cut
}

#[test]
fn a_truncated_mp4_is_kept_as_far_as_it_goes() {
    for command in [args![], args!["--", "cat"]] {
        let room = room();
        let (source, out) = (cut(room.path()), room.path().join("out.mp4"));
        let line = frameloom([args!["-i", source, &out], command].concat()).run().fails(1);
        assert!(line.contains("cut.mp4"), "{line}");
        let numbers = counters(&out);
        assert!(numbers.len() > 50, "only {} frames were kept", numbers.len());
        assert_eq!(numbers[..50], (0..50).collect::<Vec<_>>());
    }
}

#[test]
fn an_mp4_without_its_index() {
    let folder = room();
    let bytes = fs::read(counted_av("numbered.mp4")).unwrap();
    let file = folder.path().join("headless.mp4");
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert_unreadable(&file, &["headless.mp4"]);
}

#[test]
fn raw_video_that_is_cut_short() {
    for command in [args![], args!["--", "cat"]] {
        let room = room();
        let out = room.path().join("out.mkv");
        let input = args!["-f", "rawvideo", "-s", "320x240", "-pix_fmt", "rgb24", "-r", "10"];
        let output = args!["-i", "-", "-c:v", "ffv1", &out];
        // Five frames and the half of a sixth.
        let bytes = vec![90; 320 * 240 * 3 * 5 + 115_200];
        let args = [input, output, command].concat();
        let line = frameloom(args).stdin(bytes).run().fails(1);
        assert!(line.contains("115200"), "the rest is not counted: {line}");
        assert_playable(&out);
        assert_eq!(times(&out, Kind::Video).len(), 5);
    }
}

#[test]
fn raw_video_that_is_none() {
    let folder = room();
    let out = folder.path().join("out.mkv");
    let input = args!["-f", "rawvideo", "-s", "320x240", "-pix_fmt", "rgb24", "-r", "10", "-i"];
    for bytes in [vec![], vec![90; 1000]] {
        let args = [input.clone(), args!["-", "-c:v", "ffv1", &out]].concat();
        frameloom(args).stdin(bytes).run().fails(1);
        assert!(!out.exists(), "an output without a frame");
    }
}

#[test]
fn a_url_that_refuses() {
    let port = free_port();
    for scheme in ["rtmp", "tcp", "http"] {
        let url = format!("{scheme}://127.0.0.1:{port}/live/camera");
        let host = format!("127.0.0.1:{port}");
        assert_unreadable(&url, &[&host, "refused"]);
    }
    let room = room();
    let source = counted_av("numbered.mp4");
    let url = format!("rtmp://127.0.0.1:{port}/live/camera");
    let line = frameloom(args!["-i", source, "-f", "flv", url]).cwd(room.path()).run().refuses(1);
    assert!(line.contains(&format!("127.0.0.1:{port}")) && line.contains("refused"), "{line}");
}

#[test]
fn a_host_that_does_not_exist() {
    assert_unreadable("rtmp://no-such-host.invalid/live/camera", &["no-such-host.invalid"]);
}

#[test]
fn a_stream_that_nobody_publishes() {
    let nginx = Nginx::start();
    let room = room();
    let out = room.path().join("out.mp4");
    let line =
        frameloom(args!["--open-timeout=2s", "-i", nginx.url("nobody"), &out]).run().refuses(1);
    assert!(line.contains("2 s") || line.contains("2s"), "no word on the time: {line}");
    assert!(!out.exists(), "an output was begun for nothing");
}

#[test]
fn an_unknown_protocol() {
    let line = frameloom(args!["probe", "gopher2://127.0.0.1/clip"]).run().refuses(2);
    assert!(line.contains("gopher2"), "{line}");
}

/// A server that takes the connection and never says a word.
#[test]
fn a_url_that_never_answers() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_given_up(server.local_addr().unwrap());
}

/// A server whose queue is full, so that the connection itself is never made.
#[test]
fn a_url_in_a_black_hole() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(waiting) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(waiting);
        assert!(queue.len() < 20_000, "the queue never fills");
    }
    assert_given_up(address);
}

fn assert_given_up(address: SocketAddr) {
    let source = counted_av("numbered.mp4");
    for scheme in ["rtmp", "http"] {
        let room = room();
        let out = room.path().join("out.mp4");
        let url = format!("{scheme}://{address}/live/camera");
        let reading = args!["--open-timeout=2s", "-i", &url, &out];
        let writing = args!["--open-timeout", "2s", "-i", &source, "-f", "flv", &url];
        let runs = if scheme == "rtmp" { vec![reading, writing] } else { vec![reading] };
        for args in runs {
            let outcome = frameloom(args).run();
            let wall = outcome.wall;
            let line = outcome.refuses(1);
            assert!(line.contains(&address.to_string()), "{line}");
            assert!(line.contains("2 s") || line.contains("2s"), "no word on the time: {line}");
            assert!(wall > Duration::from_millis(1900), "given up after {wall:?}");
            assert!(wall < Duration::from_secs(30), "not given up before {wall:?}");
        }
        assert!(!out.exists(), "an output was begun for nothing");
    }
}

const KEY: &str = "S3cr3t-Key";
const PASSWORD: &str = "pa55w0rd";

#[track_caller]
fn assert_discreet(outcome: &Outcome) {
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    for text in [&*stdout, &outcome.stderr] {
        for secret in [KEY, PASSWORD] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} was printed");
        }
    }
}

#[test]
fn a_secret_in_a_url_that_fails_is_never_printed() {
    let port = free_port();
    let source = counted_av("numbered.mp4");
    let room = room();
    let out = room.path().join("out.mp4");
    for url in [
        format!("rtmp://user:{PASSWORD}@127.0.0.1:{port}/live/{KEY}"),
        format!("rtmp://127.0.0.1:{port}/live/camera?token={KEY}"),
        format!("http://user:{PASSWORD}@127.0.0.1:{port}/{KEY}/index.m3u8?sig={KEY}"),
        format!("tcp://127.0.0.1:{port}/{KEY}"),
        format!("srt://127.0.0.1:{port}?passphrase={KEY}&streamid={PASSWORD}&connect_timeout=500"),
    ] {
        for level in ["info", "trace"] {
            let outcome = frameloom(args!["-v", level, "-i", &url, &out]).run();
            assert_discreet(&outcome);
            assert!(outcome.fails(1).contains("127.0.0.1"), "which URL?");
            let args = args!["-v", level, "-i", &source, "-f", "mpegts", &url];
            let args = if url.starts_with("rtmp") {
                args![&args[0], level, "-i", &source, "-f", "flv", &url]
            } else {
                args
            };
            let outcome = frameloom(args).run();
            assert_discreet(&outcome);
            assert!(outcome.fails(1).contains("127.0.0.1"), "which URL?");
            assert_discreet(&frameloom(args!["-v", level, "probe", &url]).run());
        }
    }
}

/// What ends a user and password in a URL may stand in a password all the same.
#[test]
fn a_password_that_is_not_encoded_is_never_printed() {
    let port = free_port();
    for scheme in ["rtmp", "rtsp", "http", "srt"] {
        for mark in ['/', '?', '#'] {
            let url = format!("{scheme}://user:{PASSWORD}{mark}{KEY}@127.0.0.1:{port}/live/x");
            for level in ["info", "trace"] {
                let args = args!["-v", level, "--open-timeout=5s", "-i", &url, "-f", "null", "-"];
                let outcome = frameloom(args).run();
                assert_discreet(&outcome);
                let line = outcome.stderr.lines().last().unwrap_or_default();
                assert!(line.contains("127.0.0.1") && line.contains("%2F"), "{line}");
                assert_ne!(outcome.code(), Some(0), "{line}");
            }
        }
    }
    // Nor one in what lacks its scheme.
    let args =
        args!["-v", "trace", "-i", format!("user:{PASSWORD}@127.0.0.1/x"), "-f", "null", "-"];
    let outcome = frameloom(args).run();
    assert_discreet(&outcome);
    assert!(outcome.fails(2).contains("***@127.0.0.1"), "which one?");
}

/// FFmpeg's libraries tell at this level what they send.
#[test]
fn credentials_that_are_sent_are_never_printed() {
    // `joe:PASSWORD` as HTTP's Basic authentication has it.
    const SENT: &str = "am9lOnBhNTV3MHJk";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let camera = thread::spawn(move || {
        let mut socket = listener.accept().unwrap().0;
        let mut received = String::new();
        let mut bytes = [0; 4096];
        let mut answered = 0;
        while let Ok(count @ 1..) = socket.read(&mut bytes) {
            received += &String::from_utf8_lossy(&bytes[..count]);
            while received.matches("\r\n\r\n").count() > answered {
                answered += 1;
                let refusal = format!(
                    "RTSP/1.0 401 Unauthorized\r\nCSeq: {answered}\r\n\
                     WWW-Authenticate: Basic realm=\"cam\"\r\n\r\n"
                );
                if socket.write_all(refusal.as_bytes()).is_err() {
                    return received;
                }
            }
        }
        received
    });
    let url = format!("rtsp://joe:{PASSWORD}@127.0.0.1:{port}/cam");
    let args = args!["-v", "trace", "-rtsp_transport", "tcp", "-i", url, "-f", "null", "-"];
    let outcome = frameloom(args).run();
    assert_discreet(&outcome);
    assert!(!outcome.stderr.contains(SENT), "{}", outcome.stderr);
    outcome.fails(1);
    assert!(camera.join().unwrap().contains(SENT), "nothing was sent");

    let web = Web::start(|_, reply| reply.not_found());
    for header in [format!("Authorization: Bearer {KEY}\r\n"), format!("X-Camera: {KEY}\r\n")] {
        let url = web.url("/cam");
        let args = args!["-v", "trace", "-headers", header, "-i", url, "-f", "null", "-"];
        let outcome = frameloom(args).run();
        assert_discreet(&outcome);
        outcome.fails(1);
    }
}

#[test]
fn a_stream_key_that_works_is_never_printed() {
    let nginx = Nginx::start();
    let source = counted_av("live.flv");
    let target = nginx.url(&format!("{KEY}-in"));
    let args = args![
        "-v",
        "trace",
        "--stats=json",
        "--open-timeout=60s",
        "--reconnect-for=1s",
        "-i",
        &target,
        "-f",
        "flv",
        nginx.url(&format!("{KEY}-out")),
        "--",
        "cat",
    ];
    let frameloom = frameloom(args).spawn();
    nginx.wait_for_player(&format!("{KEY}-in"));
    ffmpeg(args!["-re", "-t", "2", "-i", source, "-c", "copy", "-f", "flv", target]);
    let outcome = frameloom.wait();
    assert_discreet(&outcome);
    let line = outcome.fails(1);
    assert!(line.contains("not back within 1 s"), "{line}");
}

#[test]
fn an_output_that_exists() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let (new, old) = (room.path().join("new.mp4"), room.path().join("old.mp4"));
    fs::write(&old, "precious").unwrap();
    for flags in [args![], args!["-n"]] {
        let args = [flags, args!["-i", &source, &new, &old]].concat();
        let line = frameloom(args).run().refuses(1);
        assert!(line.contains("old.mp4") && line.contains("-y"), "{line}");
        assert_eq!(fs::read(&old).unwrap(), b"precious");
        assert!(!new.exists(), "the other output was begun all the same");
    }
    frameloom(args!["-y", "-i", &source, &old]).run().ok();
    assert_playable(&old);
}

#[test]
fn an_output_that_is_the_input() {
    let room = room();
    let file = room.path().join("clip.mp4");
    fs::copy(counted_av("numbered.mp4"), &file).unwrap();
    let before = fs::read(&file).unwrap();
    let by_another_name = room.path().join("./clip.mp4");
    for out in [&file, &by_another_name] {
        let line = frameloom(args!["-y", "-i", &file, out, "--", "cat"]).run().refuses(2);
        assert!(line.contains("clip.mp4"), "{line}");
        assert_eq!(fs::read(&file).unwrap(), before, "the input was destroyed");
    }
}

#[test]
fn an_output_folder_that_does_not_exist() {
    let room = room();
    let out = room.path().join("missing/out.mp4");
    let line = frameloom(args!["-i", counted_av("numbered.mp4"), &out]).run().refuses(1);
    assert!(line.contains("missing"), "{line}");
    let pattern = room.path().join("missing/out_%04d.png");
    let line = frameloom(args!["-i", counted_av("numbered.mp4"), &pattern]).run().refuses(1);
    assert!(line.contains("missing"), "{line}");
}

#[test]
fn an_output_that_is_a_directory() {
    let room = room();
    let out = room.path().join("folder.mp4");
    fs::create_dir(&out).unwrap();
    for flags in [args![], args!["-y"]] {
        let args = [flags, args!["-i", counted_av("numbered.mp4"), &out]].concat();
        let line = frameloom(args).run().refuses(1);
        assert!(line.contains("folder.mp4"), "{line}");
    }
}

#[test]
fn a_full_disk() {
    let source = counted_av("numbered.mp4");
    for format in ["flv", "matroska", "mpegts"] {
        for command in [args![], args!["--", "cat"]] {
            let args = args!["-y", "-i", &source, "-f", format, "/dev/full"];
            let line = frameloom([args, command].concat()).run().fails(1);
            assert!(line.contains("/dev/full") && line.contains("space"), "{format}: {line}");
        }
    }
}

/// A file that may not grow beyond some size stands for a disk that fills up in the middle.
#[test]
fn a_disk_that_fills_up() {
    let source = counted_av("numbered.mp4");
    for name in ["out.flv", "out.mkv", "out.ts"] {
        let room = room();
        let out = room.path().join(name);
        // In blocks of 512 bytes.
        let script = "trap '' XFSZ; ulimit -f 200; exec \"$@\"";
        let program = env!("CARGO_BIN_EXE_frameloom");
        let args = args!["-c", script, "sh", program, "-i", &source, "-c", "copy", &out];
        let line = Run::new("sh", args).run().fails(1);
        assert!(line.contains(name), "{line}");
        let numbers = counters(&out);
        assert!(numbers.len() > 20, "{name}: only {} frames are left", numbers.len());
    }
}
