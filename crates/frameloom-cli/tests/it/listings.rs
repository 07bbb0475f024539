//! Listings of what FFmpeg has: the same as the `ffmpeg` program's on this machine.

use std::io::{Read, pipe};
use std::process::{Command, Stdio};

use crate::harness::*;

/// Each listing, and how many words of a row are its flags and its name.
const LISTINGS: [(&str, usize); 17] = [
    ("-formats", 3),
    ("-muxers", 3),
    ("-demuxers", 3),
    ("-devices", 3),
    ("-codecs", 2),
    ("-encoders", 2),
    ("-decoders", 2),
    ("-filters", 3),
    ("-bsfs", 1),
    ("-protocols", 1),
    ("-hwaccels", 1),
    ("-pix_fmts", 5),
    ("-sample_fmts", 2),
    ("-layouts", 2),
    ("-colors", 2),
    ("-dispositions", 1),
    ("-buildconf", 1),
];

/// A part of each kind, with options of every type among them.
const PARTS: [&str; 13] = [
    "encoder=libx264",
    "encoder=aac",
    // A codec: all of its encoders.
    "encoder=h264",
    "decoder=h264",
    "muxer=mp4",
    "muxer=hls",
    "demuxer=mov",
    "filter=scale",
    "filter=overlay",
    "filter=split",
    "filter=color",
    "bsf=h264_metadata",
    "protocol=http",
];

fn stdout(run: Run) -> String {
    String::from_utf8(run.run().ok().stdout).unwrap()
}

fn ours(words: &[&str]) -> String {
    stdout(frameloom(words.iter().map(Into::into).collect()))
}

fn theirs(words: &[&str]) -> String {
    let mut all = args!["-hide_banner"];
    all.extend(words.iter().map(std::ffi::OsString::from));
    stdout(Run::new("ffmpeg", all))
}

/// Whether whole texts can be compared: the program and our libraries are of one version, and that
/// is 5. What words and columns of newer ones look like changes from one to the next.
fn is_same_layout() -> bool {
    let version = |text: &str| {
        let (_, rest) = text.split_once("ffmpeg version ").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let version_of_ours = version(&ours(&["-version"]));
    version_of_ours == version(&theirs(&["-version"])) && version_of_ours.starts_with("5.")
}

/// The first words of each row, sorted. Headings and legends are left out.
fn rows(text: &str, words: usize) -> Vec<String> {
    let is_row = |line: &&str| {
        let is_line = line.trim().chars().all(|letter| letter == '-');
        !is_line && !line.trim_end().ends_with(':') && !line.contains(" = ")
    };
    let first = |line: &str| line.split_whitespace().take(words).collect::<Vec<_>>().join(" ");
    let mut rows: Vec<String> = text.lines().filter(is_row).map(first).collect();
    rows.sort();
    rows
}

#[test]
fn each_lists_what_ffmpeg_lists() {
    let is_same_layout = is_same_layout();
    for (listing, words) in LISTINGS {
        let (ours, theirs) = (ours(&[listing]), theirs(&[listing]));
        let (found, expected) = (rows(&ours, words), rows(&theirs, words));
        assert!(expected.len() > 5, "{listing}: {theirs}");
        assert_eq!(found, expected, "{listing}");
        if is_same_layout {
            assert_eq!(ours, theirs, "{listing}");
        }
    }
}

/// Names of options and of their values, each with its default.
fn options(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().skip_while(|line| !line.ends_with("AVOptions:"));
    let options = lines.filter(|line| line.starts_with("  "));
    options
        .map(|line| {
            let name = line.split_whitespace().next().unwrap();
            let default = line.rsplit_once(" (default ").map_or("", |(_, default)| default);
            (name.to_owned(), default.to_owned())
        })
        .collect()
}

#[test]
fn parts_have_the_options_that_ffmpeg_tells() {
    let is_same_layout = is_same_layout();
    for part in PARTS {
        let (ours, theirs) = (ours(&["-h", part]), theirs(&["-h", part]));
        assert!(!options(&theirs).is_empty(), "{part}: {theirs}");
        assert_eq!(options(&ours), options(&theirs), "{part}");
        if is_same_layout {
            assert_eq!(ours, theirs, "{part}");
        }
    }
}

#[test]
fn they_work_wherever_they_stand_and_end_the_run() {
    let room = room();
    let out = room.path().join("out.mp4");
    let out = out.to_str().unwrap();
    let expected = ours(&["-sample_fmts"]);
    for words in [
        &["-hide_banner", "-v", "error", "-sample_fmts"][..],
        &["-i", "nosuch.mp4", "-sample_fmts", "-c:v", "libx264", out],
        &["-y", "-i", "nosuch.mp4", "-c:v", "libx264", out, "-sample_fmts"],
        &["probe", "-sample_fmts", "nosuch.mp4"],
    ] {
        assert_eq!(ours(words), expected, "{words:?}");
    }
    assert!(!room.path().join("out.mp4").exists());
    for help in [&["-h", "long"][..], &["-h", "full"], &["-h", "-i", "nosuch.mp4"]] {
        assert_eq!(ours(help), ours(&["-h"]), "{help:?}");
    }
    assert!(ours(&["--help", "bsf=null"]).starts_with("Bit stream filter null\n"));
}

#[test]
fn a_name_that_is_not_there_is_refused_with_those_that_are_near() {
    for (part, words) in [
        ("encoder=libx246", ["encoder 'libx246'", "libx264"]),
        ("decoder=h265", ["decoder 'h265'", "h26"]),
        // A codec that FFmpeg has no encoder for.
        ("encoder=vp6", ["encoder 'vp6'", "vp8"]),
        ("muxer=matroshka", ["muxer 'matroshka'", "matroska"]),
        ("demuxer=matroshka", ["demuxer 'matroshka'", "matroska"]),
        ("filter=scael", ["filter 'scael'", "scale"]),
        ("bsf=h264_metadat", ["bit stream filter 'h264_metadat'", "h264_metadata"]),
        ("protocol=htpp", ["protocol 'htpp'", "http"]),
        ("filter=zzzzzzzzz", ["filter 'zzzzzzzzz'", "-filters"]),
        ("filter=", ["filter ''", "-filters"]),
        ("filter", ["filter", "-filters"]),
        ("encodr=libx264", ["'encodr'", "encoder"]),
    ] {
        let said = frameloom(args!["-h", part]).run().refuses(2);
        for word in words {
            assert!(said.contains(word), "{part}: no {word:?} in: {said}");
        }
    }
    let said = frameloom(args!["--formats"]).run().refuses(2);
    assert!(said.contains("-formats"), "{said}");
}

#[test]
fn versions_and_licences_are_told() {
    let version = ours(&["-version"]);
    assert!(
        version.starts_with(&format!("frameloom {}\n", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    let of_libraries = |text: &str| {
        let called = ["avutil", "avcodec", "avformat", "avdevice", "avfilter", "swscale"];
        let lines = text
            .lines()
            .filter(|line| called.iter().any(|name| line.starts_with(&format!("lib{name} "))));
        // What each program was built for may differ; the libraries in use are the same.
        let in_use = |line: &str| line.split_once(" / ").map(|(_, version)| version.to_owned());
        lines.map(|line| (line[..14].to_owned(), in_use(line))).collect::<Vec<_>>()
    };
    let found = of_libraries(&version);
    assert_eq!(found.len(), 6, "{version}");
    assert_eq!(found, of_libraries(&theirs(&["-version"])));
    let licence = ours(&["-L"]);
    for word in ["MIT", "Apache", "GPL"] {
        assert!(licence.contains(word), "no {word} in: {licence}");
    }
}

#[test]
fn nobody_who_reads_is_no_failure() {
    for words in [&["-decoders"][..], &["-h", "filter=scale"]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut program = Command::new(env!("CARGO_BIN_EXE_frameloom"));
        program.args(words).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success() && said.is_empty(), "{words:?}: {status}: {said}");
    }
}
