//! Subtitles that are encoded on their way into another container.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::harness::clips::clip_of;
use crate::harness::*;
use crate::like_ffmpeg::{manifold, subtitles};

/// Four events of text with styles, two of them at the same time.
pub(crate) fn styled() -> PathBuf {
    fixture("styled.ass")
}

/// Three events with marks in their text.
pub(crate) fn notes() -> PathBuf {
    fixture("notes.vtt")
}

/// Six seconds of video and sound, and subtitles as MP4 has them, in German.
pub(crate) fn captioned() -> PathBuf {
    let inputs =
        args!["-i", counted_av("numbered.mp4"), "-i", subtitles(), "-map", "0", "-map", "1"];
    let words = args!["-c", "copy", "-c:s", "mov_text", "-metadata:s:s:0", "language=ger"];
    clip_of("captioned.mp4", &[inputs, words].concat())
}

/// A segment of presentation graphics, of a Blu-ray disc, with its time in ticks of 90 kHz.
fn segment(at: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let size = u16::try_from(payload.len()).unwrap();
    let times = [at.to_be_bytes(), at.to_be_bytes()].concat();
    [b"PG".as_slice(), &times, &[kind], &size.to_be_bytes(), payload].concat()
}

/// Subtitles that are pictures: one of 8x2 pixels, from 0.5 s to 1.5 s.
pub(crate) fn pictures() -> PathBuf {
    let composition = |number: u8, objects: &[u8]| {
        let state = if objects.is_empty() { 0 } else { 0x80 };
        let count = u8::from(!objects.is_empty());
        [&[1, 64, 0, 240, 16, 0, number, state, 0, 0, count], objects].concat()
    };
    let window = [1, 0, 0, 20, 0, 30, 0, 8, 0, 2];
    let line = [0, 0x88, 1, 0, 0];
    let object = [&[0, 0, 0, 0xc0, 0, 0, 14, 0, 8, 0, 2], &line[..], &line[..]].concat();
    let (begin, end) = (45_000, 135_000);
    let bytes = [
        segment(begin, 0x16, &composition(0, &[0, 0, 0, 0, 0, 20, 0, 30])),
        segment(begin, 0x17, &window),
        segment(begin, 0x14, &[0, 0, 1, 235, 128, 128, 255]),
        segment(begin, 0x15, &object),
        segment(begin, 0x80, &[]),
        segment(end, 0x16, &composition(1, &[])),
        segment(end, 0x17, &window),
        segment(end, 0x80, &[]),
    ];
    // Each test may be a process of its own: it is there whole or not at all.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut made = tempfile::NamedTempFile::new_in(folder).unwrap();
    made.write_all(&bytes.concat()).unwrap();
    let path = folder.join("pictures.sup");
    made.persist(&path).unwrap();
    path
}

/// Subtitles that can't be: an error in one line, and nothing half-written.
#[test]
fn subtitles_that_can_not_be_are_an_error() {
    let (film, text, pictures) = (counted_av("numbered.mp4"), manifold(), pictures());
    for (source, words, ending, mentions) in [
        (&text, "-map 0:s -c:s mov_text", "mkv", "no place for subtitles of codec mov_text"),
        (&text, "-map 0:v:0 -map 0:s -c:s webvtt", "mp4", "no place for subtitles of codec webvtt"),
        (&text, "-c:s subrip", "mp4", "no place for subtitles of codec subrip"),
        (&text, "-c:s webvtt", "srt", "no place for subtitles of codec webvtt"),
        (&text, "-map 0:s -c copy", "mp4", "(use -c:s mov_text)"),
        (&text, "-c:v copy -an -c:s copy", "mp4", "(use -c:s mov_text)"),
        (&text, "-map 0:s -c:s dvdsub", "mkv", "can't become pictures"),
        (&text, "-map 0:s -c:s dvbsub", "ts", "can't become pictures"),
        (&text, "-map 0:s", "ts", "no place for stream 0:4, subtitle (subrip)"),
        (&pictures, "-map 0:s -c:s srt", "mkv", "can't become text"),
        (&pictures, "-map 0:s", "srt", "no place for stream 0:0, subtitle (hdmv_pgs_subtitle)"),
        (&film, "-map 0:s", "mkv", "no stream of the input is that"),
        (&film, "-map 0:v -c:s sub_rip", "mkv", "no subtitle encoder 'sub_rip'"),
        (&film, "-map 0:v -c:s libx264", "mkv", "no subtitle encoder 'libx264'"),
        (&film, "-vn -an", "srt", "nothing of the input goes into format srt"),
        (&text, "-map 0:s -c:s mov_text -height:s tall", "mp4", "-height:s"),
    ] {
        let room = room();
        let out = room.path().join(format!("out.{ending}"));
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let line = [args!["-v", "error", "-i", source], words.clone(), args![&out]].concat();
        let said = frameloom(line).run().refuses(2);
        assert!(said.contains(mentions), "{words:?}: {said}");
        assert!(!out.exists(), "{words:?}");
    }
}

/// The events that a file of text has.
fn events(path: &Path) -> Vec<String> {
    let said = fs::read_to_string(path).unwrap();
    said.lines().filter(|line| line.contains("-->")).map(str::to_owned).collect()
}

/// An output's start and length cut events as FFmpeg does: by when they begin, and each is shown for as
/// long as it was.
#[test]
fn an_output_is_cut_by_when_events_begin() {
    for (words, expected) in [
        ("-ss 0.4", &["00:00:00,100 --> 00:00:01,100", "00:00:01,600 --> 00:00:02,600"][..]),
        ("-ss 0.6", &["00:00:01,400 --> 00:00:02,400"]),
        ("-t 2", &["00:00:00,500 --> 00:00:01,500"]),
        ("-t 2.1", &["00:00:00,500 --> 00:00:01,500", "00:00:02,000 --> 00:00:03,000"]),
        ("-ss 0.4 -t 1.5", &["00:00:00,100 --> 00:00:01,100"]),
        ("-ss 0.4 -to 1.9", &["00:00:00,100 --> 00:00:01,100"]),
    ] {
        for codec in ["copy", "srt"] {
            let room = room();
            let out = room.path().join("out.srt");
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            let line = [args!["-i", subtitles(), "-c:s", codec], words.clone(), args![&out]];
            frameloom(line.concat()).run().ok();
            assert_eq!(events(&out), expected, "{words:?} {codec}");
        }
    }
}

/// Code edits the video, and the subtitles beside it keep their times.
#[test]
fn subtitles_go_along_beside_edited_video() {
    let room = room();
    let (out, text) = (room.path().join("out.mp4"), room.path().join("out.srt"));
    let words = args!["-i", captioned(), "-map", "0", "-c:s", "mov_text", &out, "--", "cat"];
    frameloom(words).run().ok();
    let streams = probe_streams(&out);
    let names: Vec<_> = streams.iter().map(|s| s["codec_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["h264", "aac", "mov_text"]);
    assert_eq!(streams[2]["tags"]["language"], "ger");
    ffmpeg(args!["-i", &out, &text]);
    let expected = ["00:00:00,500 --> 00:00:01,500", "00:00:02,000 --> 00:00:03,000"];
    assert_eq!(events(&text), expected);
}

/// Text in another encoding is read as what it is.
#[test]
fn the_encoding_of_text_can_be_named() {
    let room = room();
    let (latin, out) = (room.path().join("latin.srt"), room.path().join("out.srt"));
    fs::write(&latin, b"1\n00:00:01,000 --> 00:00:02,000\nT\xfcr\n").unwrap();
    frameloom(args!["-sub_charenc", "ISO-8859-1", "-i", &latin, &out]).run().ok();
    let said = fs::read_to_string(&out).unwrap();
    assert!(said.contains("Tür"), "{said}");
}

/// Pictures and sound go out while the first event is still to come.
#[test]
fn nothing_waits_for_the_first_event() {
    let inputs = args!["-i", counted_av("numbered.mp4"), "-itsoffset", "5", "-i", subtitles()];
    let words = args!["-map", "0", "-map", "1", "-c", "copy"];
    let source = clip_of("late-lines.mkv", &[inputs, words].concat());
    let film = fs::read(&source).unwrap();
    for codec in ["copy", "ass"] {
        let room = room();
        let pipe = room.path().join("pipe");
        Run::new("mkfifo", args![&pipe]).run().ok();
        let words = args!["-map", "0", "-c", "copy", "-c:s", codec, "-f", "matroska", "-"];
        let run = frameloom([args!["-v", "error", "-i", &pipe], words].concat()).spawn();
        let mut way = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        let (first, rest) = film.split_at(film.len() / 2);
        way.write_all(first).unwrap();
        wait_until("a quarter of the film comes out", || run.stdout().len() > film.len() / 4);
        way.write_all(rest).unwrap();
        drop(way);
        let path = |name: &str| room.path().join(name);
        fs::write(path("made.mkv"), run.wait().ok().stdout).unwrap();
        ffmpeg(args!["-i", path("made.mkv"), path("made.srt")]);
        ffmpeg(args!["-i", &source, path("source.srt")]);
        assert_eq!(events(&path("made.srt")).len(), 2);
        assert_eq!(events(&path("made.srt")), events(&path("source.srt")), "{codec}");
    }
}

/// What an output is cut into has the subtitles of its time, as its own container holds them.
#[test]
fn parts_of_an_output_have_subtitles() {
    for (ending, codec) in [("mp4", "mov_text"), ("mkv", "subrip")] {
        let room = room();
        let words = args!["-i", captioned(), "-map", "0", "-c", "copy", "-c:s", codec];
        let parts =
            args!["-f", "segment", "-segment_time", "2", room.path().join(format!("%d.{ending}"))];
        frameloom([words, parts].concat()).run().ok();
        let first = probe_streams(&room.path().join(format!("0.{ending}")));
        let names: Vec<_> = first.iter().map(|s| s["codec_name"].as_str().unwrap()).collect();
        assert_eq!(names, ["h264", "aac", codec]);
    }
}
