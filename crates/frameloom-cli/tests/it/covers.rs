//! Cover pictures beside sound and video.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::harness::clips::clip_of;
use crate::harness::*;
use crate::like_ffmpeg::sound;

fn split(words: &str) -> Vec<OsString> {
    words.split(' ').map(OsString::from).collect()
}

/// A picture.
pub(crate) fn picture() -> PathBuf {
    clip("picture.png", "-f lavfi -i testsrc=s=120x80:d=1 -frames:v 1")
}

fn photograph() -> PathBuf {
    clip("photograph.jpg", "-f lavfi -i testsrc2=s=96x64:d=1 -frames:v 1 -q:v 2")
}

/// Three seconds of MP3 with a JPEG as its cover.
pub(crate) fn song() -> PathBuf {
    let inputs = args!["-i", sound(), "-i", photograph()];
    let words = "-map 0 -map 1 -c:a libmp3lame -c:v copy -id3v2_version 3 -metadata title=Song";
    let of_cover = args!["-metadata:s:v", "title=Album", "-metadata:s:v", "comment=Cover (front)"];
    clip_of("song.mp3", &[inputs, split(words), of_cover].concat())
}

/// Three seconds of AAC with a PNG as its cover.
pub(crate) fn tune() -> PathBuf {
    let inputs = args!["-i", sound(), "-i", picture()];
    let words = "-map 0 -map 1 -c copy -disposition:v attached_pic";
    clip_of("tune.m4a", &[inputs, split(words)].concat())
}

/// Six seconds of video and sound with a PNG as its cover.
fn film_with_cover() -> PathBuf {
    let inputs = args!["-i", counted_av("numbered.mp4"), "-i", picture()];
    let words = "-map 0 -map 1 -c copy -disposition:v:1 attached_pic";
    clip_of("covered.mp4", &[inputs, split(words)].concat())
}

/// The codecs of a file's streams, covers in brackets.
fn codecs(path: &std::path::Path) -> Vec<String> {
    let codec = |stream: &serde_json::Value| {
        let name = stream["codec_name"].as_str().unwrap();
        match stream["disposition"]["attached_pic"] == 1 {
            true => format!("({name})"),
            false => name.to_owned(),
        }
    };
    probe_streams(path).iter().map(codec).collect()
}

/// A cover goes along by itself where players find one, as it is; where it can't be, it is left out.
#[test]
fn a_cover_goes_along_with_sound() {
    for (source, words, ending, expected) in [
        (song(), "", "m4a", &["aac", "(mjpeg)"][..]),
        (song(), "", "mp3", &["mp3", "(mjpeg)"]),
        (song(), "", "flac", &["flac", "(mjpeg)"]),
        (tune(), "", "mp3", &["mp3", "(png)"]),
        (tune(), "-ss 1 -t 1", "m4a", &["aac", "(png)"]),
        (song(), "", "ogg", &["vorbis"]),
        (song(), "", "wav", &["pcm_s16le"]),
        (song(), "-vn", "m4a", &["aac"]),
        (song(), "-c:v png", "m4a", &["aac", "(png)"]),
        (song(), "-vf scale=32:-2", "mp3", &["mp3", "(png)"]),
        (song(), "-map 0 -c copy", "mkv", &["mp3", "mjpeg"]),
        (film_with_cover(), "", "mp4", &["h264", "aac"]),
        (film_with_cover(), "-map 0", "mp4", &["h264", "aac", "(png)"]),
        (film_with_cover(), "", "mp3", &["mp3", "(png)"]),
        (film_with_cover(), "-map 0:V -map 0:a", "mp4", &["h264", "aac"]),
    ] {
        let room = room();
        let out = room.path().join(format!("out.{ending}"));
        let more = if words.is_empty() { Vec::new() } else { split(words) };
        frameloom([args!["-i", &source], more, args![&out]].concat()).run().ok();
        assert_eq!(codecs(&out), expected, "{} {words} {ending}", source.display());
    }
}

/// Code edits the video, not the cover beside it.
#[test]
fn code_never_edits_a_cover() {
    let room = room();
    let out = room.path().join("out.mp4");
    let negate = "import sys\nwhile frame := sys.stdin.buffer.read(320 * 240 * 3):\n    \
                  sys.stdout.buffer.write(bytes(320 * 240 * 3))\n";
    let words =
        args!["-i", film_with_cover(), "-map", "0", "-t", "1", &out, "--", python(), "-c", negate];
    frameloom(words).run().ok();
    assert_eq!(codecs(&out), ["h264", "aac", "(png)"]);
    let picture_of = |path: &std::path::Path, map: &str| {
        ffmpeg(args!["-i", path, "-map", map, "-c", "copy", "-f", "md5", "-"])
    };
    assert_eq!(picture_of(&out, "0:v:1"), picture_of(&film_with_cover(), "0:v:1"));
    assert_eq!(packets(&out, Kind::Video).len(), 25);
    let said = frameloom(args!["-i", song(), room.path().join("no.mp4"), "--", "cat"]).run();
    assert!(said.refuses(1).contains("no video"));
}

/// A cover for which the container has no place is an error that says what to do.
#[test]
fn a_cover_that_can_not_be_is_an_error() {
    for (words, ending, mentions) in [
        ("-map 0 -c:v libx264", "mp4", "-c:v:1 copy"),
        ("-map 0 -map -0:v:0 -c:v mpeg4", "mp3", "no place for a cover of codec mpeg4"),
        ("-map 0", "wav", "no place for stream 0:0, video (h264)"),
    ] {
        let room = room();
        let out = room.path().join(format!("out.{ending}"));
        let line = [args!["-v", "error", "-i", film_with_cover()], split(words), args![&out]];
        let said = frameloom(line.concat()).run().refuses(2);
        assert!(said.contains(mentions), "{words}: {said}");
        assert!(!out.exists(), "{words}");
    }
}
