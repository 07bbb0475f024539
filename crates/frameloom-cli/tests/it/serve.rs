//! `frameloom serve` and `frameloom demo`, as a user starts them.

mod alerts;
mod api;
mod bad_files;
mod clock;
mod demand;
mod demo;
mod hostile;
mod many;
mod models;
mod page;
mod pipelines;
mod reload;
mod reports;
mod several;
mod stopped;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::harness::judge::md5;
use crate::harness::pixels::both_counters;
use crate::harness::*;

/// A server of the program's own, and where it is.
struct Served {
    running: Running,
    rtmp: String,
    http: String,
}

fn serve(extra: Vec<std::ffi::OsString>) -> Served {
    let mut args = args!["serve", "--rtmp-listen=127.0.0.1:0", "--http-listen=127.0.0.1:0"];
    args.extend(extra);
    let running = frameloom(args).limit_s(300).spawn();
    let told = |said: &str, scheme: &str, end: &str| {
        let urls = said.split_whitespace().filter(|word| word.starts_with(&format!("{scheme}://")));
        urls.filter_map(|url| url.strip_suffix(end)).next().map(str::to_owned)
    };
    let mut found = None;
    wait_until("it says where it is", || {
        let said = running.stderr();
        let rtmp = told(&said, "rtmp", "/APP/NAME");
        found = rtmp.zip(told(&said, "http", "/APP/NAME.flv"));
        found.is_some()
    });
    let (rtmp, http) = found.unwrap();
    Served { running, rtmp, http }
}

impl Served {
    fn url(&self, name: &str) -> String {
        format!("{}/live/{name}", self.rtmp)
    }

    fn get(&self, path: &str) -> String {
        let address = self.http.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    fn wait_for(&self, name: &str) {
        let name = format!("\"name\":\"{name}\"");
        let squeezed = || self.get("/api/v1/status").replace(": ", ":");
        wait_until(&format!("{name} is published"), || squeezed().contains(&name));
    }
}

#[test]
fn a_stream_is_edited_through_it_and_its_audio_is_untouched() {
    let source = counted_av("live.flv");
    let room = room();
    let (by_rtmp, by_http) = (room.path().join("rtmp.flv"), room.path().join("http.flv"));
    let served = serve(vec![]);
    let publisher =
        ffmpeg_reader(args!["-re", "-i", &source, "-c", "copy", "-f", "flv", served.url("in")])
            .spawn();
    served.wait_for("in");
    let edit = frameloom(args![
        "--on-loss=end",
        "--on-slow=block",
        "-i",
        served.url("in"),
        "-f",
        "flv",
        served.url("out"),
        "--",
        python(),
        fixture("burn.py")
    ])
    .spawn();
    served.wait_for("out");
    let http = format!("{}/live/out.flv", served.http);
    let readers = [(served.url("out"), &by_rtmp), (http, &by_http)]
        .map(|(url, file)| ffmpeg_reader(args!["-i", url, "-c", "copy", file]).spawn());
    publisher.wait().ok();
    edit.wait().ok();
    let _ = readers.map(|reader| reader.wait().ok());
    for recorded in [&by_rtmp, &by_http] {
        let frames = both_counters(recorded);
        let (first, late) = (frames[0].0, frames[0].1 - frames[0].0);
        // On a busy machine the edit may begin with a later keyframe.
        assert_eq!(late % 25, 0, "the edit did not begin with a keyframe");
        let expected: Vec<(usize, usize)> = (first..150 - late).map(|n| (n, n + late)).collect();
        assert_eq!(frames, expected, "(the command's number, the source's number)");
        let (sent, got) =
            (packet_hashes(&source, Kind::Audio), packet_hashes(recorded, Kind::Audio));
        assert!(got.len() > 100 && sent.ends_with(&got), "the audio is not the source's");
        if got.len() == sent.len() {
            assert_eq!(md5(recorded, Kind::Audio), md5(&source, Kind::Audio));
        }
    }
    served.running.signal("TERM");
    served.running.wait().ok();
}

#[test]
fn keys_keep_strangers_out_and_are_told_to_nobody() {
    let served = serve(args!["--publish-key=let-me-write", "--play-key=let-me-see"]);
    let clip = counted_av("live.flv");
    let publish = |key: &str| {
        let url = format!("{}?key={key}", served.url("door"));
        frameloom(args!["-re", "-i", &clip, "-c", "copy", "-f", "flv", url]).spawn()
    };
    let told = publish("wrong-one-here").wait().fails(1);
    assert!(told.contains("the server refused") && !told.contains("wrong-one"), "{told}");
    let publisher = publish("let-me-write");
    served.wait_for("door");
    let read = |key: &str| {
        let url = format!("{}?key={key}", served.url("door"));
        frameloom(args!["-i", url, "-frames:v", "3", "-f", "null", "-"]).run()
    };
    read("let-me-see").ok();
    assert!(read("let-me-guess").fails(1).contains("the server refused"));
    publisher.signal("INT");
    publisher.wait().ok();
    served.running.signal("INT");
    let said = served.running.wait().ok();
    for secret in ["let-me-write", "let-me-see", "let-me-guess", "wrong-one-here"] {
        assert!(!said.stderr.contains(secret), "{}", said.stderr);
    }
}

#[test]
fn a_wrong_word_or_a_port_in_use_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (code, words, mentions) in [
        (1, args![format!("--rtmp-listen={address}")], "choose another port with --rtmp-listen"),
        (2, args!["--rtmp-lisen=1"], "did you mean --rtmp-listen"),
        (2, args!["cameras.toml"], "'cameras.toml'"),
        (2, args!["--http-listen"], "takes a value"),
        (2, args!["--max-connections=many"], "'many'"),
    ] {
        let mut all = args!["serve", "--http-listen=none"];
        all.extend(words);
        let told = frameloom(all).run().fails(code);
        assert!(told.contains(mentions), "{told}");
        assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    }
}

#[test]
fn another_protocol_on_the_port_is_a_line_in_the_log_and_harms_nobody() {
    let served = serve(vec![]);
    let address = served.rtmp.strip_prefix("rtmp://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    // Whether it is reset or closed, it is over.
    let _ = socket.read_to_end(&mut rest);
    wait_until("it is told", || served.running.stderr().contains("HTTP"));
    let publisher = ffmpeg_reader(args![
        "-re",
        "-i",
        counted_av("live.flv"),
        "-c",
        "copy",
        "-f",
        "flv",
        served.url("still")
    ])
    .spawn();
    served.wait_for("still");
    publisher.signal("INT");
    publisher.wait();
}
