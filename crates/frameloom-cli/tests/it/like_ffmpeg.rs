//! Command lines of `fixtures/like_ffmpeg.txt`, run by ffmpeg and by frameloom.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::judge::ffprobe;
use crate::harness::*;

/// What is alike in two files, one line for each fact.
fn facts(path: &Path) -> Vec<String> {
    let mut facts = Vec::new();
    for stream in probe_streams(path) {
        let fact = |name: &str| match &stream[name] {
            Value::Null => String::new(),
            value => format!(" {name}={}", value.as_str().map_or(value.to_string(), str::to_owned)),
        };
        let names = [
            "index",
            "codec_type",
            "codec_name",
            "width",
            "height",
            "pix_fmt",
            "display_aspect_ratio",
            "sample_rate",
            "channels",
            "sample_fmt",
        ];
        facts.push(names.map(fact).concat());
    }
    let packets = ffprobe(path, &["-show_entries", "packet=stream_index,pts_time"]);
    let mut times: Vec<(u64, i64)> = Vec::new();
    for packet in packets["packets"].as_array().unwrap() {
        let time = packet["pts_time"].as_str().map_or(0.0, |text| text.parse::<f64>().unwrap());
        // To the millisecond, which Matroska and FLV have.
        times.push((packet["stream_index"].as_u64().unwrap(), (time * 1000.0).round() as i64));
    }
    // Containers may begin with any time.
    let first = times.iter().map(|(_, ms)| *ms).min().unwrap_or(0);
    times.iter_mut().for_each(|(_, ms)| *ms -= first);
    times.sort_unstable();
    facts.extend(times.iter().map(|(stream, ms)| format!("{stream}: {ms} ms")));
    facts
}

/// A hash of every picture and of all samples.
fn content(path: &Path) -> Vec<String> {
    let mut facts = Vec::new();
    for (number, stream) in probe_streams(path).iter().enumerate() {
        // Samples may come in frames of another length.
        let format = if stream["codec_type"] == "audio" { "md5" } else { "framemd5" };
        let map = format!("0:{number}");
        let words = args!["-i", path, "-map", map, "-fps_mode", "passthrough", "-f", format, "-"];
        let listed = String::from_utf8(ffmpeg(words)).unwrap();
        let lines = listed.lines().filter(|line| !line.starts_with('#'));
        facts.extend(lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()));
    }
    facts
}

/// The first fact that differs.
fn difference(theirs: &[String], ours: &[String]) -> Option<String> {
    if theirs.len() != ours.len() {
        return Some(format!("ffmpeg has {} facts, frameloom {}", theirs.len(), ours.len()));
    }
    let pair = theirs.iter().zip(ours).find(|(theirs, ours)| theirs != ours)?;
    Some(format!("ffmpeg: {}; frameloom: {}", pair.0, pair.1))
}

/// What is wrong with a command line of the list.
fn compare(line: &str, room: &Path) -> Option<String> {
    let (is_exact, line) = match line.strip_prefix("= ") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let output = line.split(' ').find_map(|word| word.strip_prefix("OUT")).unwrap();
    let [theirs, ours] = ["ffmpeg", "frameloom"].map(|who| room.join(format!("{who}{output}")));
    let words = |out: &PathBuf| -> Vec<OsString> {
        let word = |word: &str| match word {
            "A" => counted_av("numbered.mp4").into(),
            _ if word.starts_with("OUT") => out.into(),
            _ => OsString::from(word),
        };
        line.split(' ').map(word).collect()
    };
    ffmpeg(words(&theirs));
    let run = frameloom([args!["-v", "error"], words(&ours)].concat()).run();
    if run.code() != Some(0) {
        return Some(run.stderr);
    }
    difference(&facts(&theirs), &facts(&ours))
        .or_else(|| difference(&content(&theirs), &content(&ours)).filter(|_| is_exact))
}

#[test]
fn command_lines_do_what_ffmpeg_does() {
    let list = include_str!("fixtures/like_ffmpeg.txt");
    let (mut count, mut wrong) = (0, String::new());
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let room = room();
        if let Some(what) = compare(line, room.path()) {
            writeln!(wrong, "{line}\n    {what}").unwrap();
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "of {count} lines:\n{wrong}");
    assert!(count >= 20);
}

#[test]
fn a_specifier_that_names_no_stream_is_an_error() {
    let source = counted_av("numbered.mp4");
    for (words, mentions) in [
        ("-b:a:1 64k -c:a:1 aac", "-c:a:1"),
        ("-s:v:1 64x48", "-s:v:1"),
        ("-metadata_x:v:0 1", "-metadata_x"),
        ("-s:a 64x48", "-s:a"),
        ("-r:x 10", ":x"),
        ("-c:s copy", ":s"),
        ("-c:v:0:1 copy", ":v:0:1"),
        ("-c:0 aac", "not for video"),
        ("-q:v 3 -c:v libx264", "-crf"),
        ("-q:v fine -c:v mpeg4", "'fine'"),
    ] {
        let room = room();
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let out = room.path().join("out.mp4");
        let said = frameloom([args!["-i", &source], words.clone(), args![&out]].concat()).run();
        let said = said.refuses(2);
        assert!(said.contains(mentions), "{words:?}: {said}");
        assert!(!out.exists());
    }
}
