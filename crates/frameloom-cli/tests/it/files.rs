//! Files that are joined, cut, begun late or end slowly: what comes out is as long as what went in, and
//! begins where it was asked for.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::clips::counted_from;
use crate::harness::judge::ffprobe;
use crate::harness::*;

const FAST: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
const LOSSLESS: &str = "-c:v libx264 -qp 0 -preset ultrafast -pix_fmt yuv420p";

fn words(text: &str) -> impl Iterator<Item = OsString> {
    text.split_whitespace().map(OsString::from)
}

/// Runs frameloom with `before`, an input, and `after`, and returns what it made.
fn made(room: &Path, before: &str, input: &Path, after: &str, name: &str) -> PathBuf {
    let path = room.join(name);
    let mut args: Vec<OsString> = words(before).collect();
    args.extend(args!["-y", "-i", input]);
    args.extend(words(after));
    args.extend(args![&path]);
    frameloom(args).run().ok();
    path
}

/// Seconds, as the container states them.
fn duration(path: &Path) -> f64 {
    let format = ffprobe(path, &["-show_format"]);
    format["format"]["duration"].as_str().unwrap().parse().unwrap()
}

fn stream_duration(path: &Path, kind: &str) -> f64 {
    let streams = probe_streams(path);
    let stream = streams.iter().find(|stream| stream["codec_type"] == kind).unwrap();
    stream["duration"].as_str().unwrap().parse().unwrap()
}

/// Two seconds of numbered frames with sound; the first frame's number and the time at its start are
/// given.
fn part(name: &str, first: usize, offset: &str) -> PathBuf {
    let lavfi = counted_from(first, "320x240", "25", 2);
    let encoder = if name.ends_with("mpg") {
        "-c:v mpeg2video -q:v 2 -bf 2 -g 12 -c:a mp2"
    } else {
        "-c:v libx264 -preset ultrafast -bf 2 -g 25 -c:a aac"
    };
    clip(
        name,
        &format!(
            "-f lavfi -i {lavfi} -f lavfi -i sine=440:r=48000:d=2 -pix_fmt yuv420p {encoder} \
             -output_ts_offset {offset}"
        ),
    )
}

/// The bytes of two files, one behind the other.
fn joined(room: &Path, one: &Path, other: &Path, name: &str) -> PathBuf {
    let path = room.join(name);
    let bytes = [fs::read(one).unwrap(), fs::read(other).unwrap()].concat();
    fs::write(&path, bytes).unwrap();
    path
}

/// The longest distance between two neighbouring times.
fn longest_step(shown: &[Rational]) -> Rational {
    shown.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
}

#[test]
fn a_clock_that_begins_anew_in_a_file_goes_on() {
    let room = room();
    for (name, again) in [("part.ts", "0"), ("part.mpg", "0"), ("part.ts", "900")] {
        let (one, other) = (part(name, 0, "0"), part(&format!("next-{again}-{name}"), 50, again));
        let source = joined(room.path(), &one, &other, name);
        for options in [LOSSLESS, "-c copy"] {
            let out = made(room.path(), "", &source, options, "out.mp4");
            let what = format!("{name} that goes on at {again} s, {options}");
            assert_eq!(counters(&out), (0..100).collect::<Vec<_>>(), "{what}");
            let shown = times(&out, Kind::Video);
            assert!(longest_step(&shown) <= Rational::millis(140), "{what}: {shown:?}");
            let span = shown[99] - shown[0];
            assert!(
                (span - Rational::millis(3960)).abs() <= Rational::millis(100),
                "{what}: {span:?}"
            );
            let sound = times(&out, Kind::Audio);
            let span = sound[sound.len() - 1] - sound[0];
            assert!(span > Rational::millis(3800), "{what}: {span:?} of sound");
        }
    }
}

#[test]
fn a_discontinuity_of_a_playlist_is_no_gap() {
    let room = room();
    for (n, offset) in ["0", "5000"].into_iter().enumerate() {
        let from = part(&format!("segment-{n}.ts"), n * 50, offset);
        fs::copy(from, room.path().join(format!("{n}.ts"))).unwrap();
    }
    let playlist = room.path().join("list.m3u8");
    let text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n0.ts\n\
                #EXT-X-DISCONTINUITY\n#EXTINF:2.0,\n1.ts\n#EXT-X-ENDLIST\n";
    fs::write(&playlist, text).unwrap();
    let out = made(room.path(), "", &playlist, LOSSLESS, "out.mp4");
    assert_eq!(counters(&out), (0..100).collect::<Vec<_>>());
    assert!(longest_step(&times(&out, Kind::Video)) <= Rational::millis(140));
}

#[test]
fn a_short_gap_of_a_recording_stays_and_a_long_one_is_closed() {
    let room = room();
    for (gap, offset, kept) in [(4, "6", true), (20, "22", false)] {
        let (one, other) = (part("first.ts", 0, "0"), part(&format!("after-{gap}.ts"), 50, offset));
        let source = joined(room.path(), &one, &other, "gap.ts");
        let out = made(room.path(), "", &source, LOSSLESS, "out.mp4");
        let longest = longest_step(&times(&out, Kind::Video));
        assert_eq!(longest > Rational::millis(3900), kept, "{gap} s: {longest:?}");
        assert!(longest < Rational::millis(4500), "{gap} s: {longest:?}");
    }
}

#[test]
fn the_last_picture_keeps_its_own_length() {
    let gif = clip("slow-end.gif", "-f lavfi -i testsrc2=s=64x48:r=10:d=0.5 -final_delay 50");
    let uneven = "setpts='if(lt(N,1),0,if(lt(N,2),0.5,3.5))/TB'";
    let slides = clip(
        "slides.mkv",
        &format!(
            "-f lavfi -i testsrc2=s=64x48:r=25:d=0.12 -vf settb=1/1000,{uneven} \
             -fps_mode passthrough -enc_time_base 1/1000 {FAST} -bf 0"
        ),
    );
    let room = room();
    for (source, length) in [(&gif, 0.9), (&slides, duration(&slides))] {
        for (name, options) in [
            ("out.mp4", FAST),
            ("b-frames.mp4", "-c:v libx264 -preset veryfast -bf 3 -b_strategy 0 -pix_fmt yuv420p"),
            ("out.mkv", FAST),
            ("out.webm", "-c:v libvpx-vp9 -b:v 200k -deadline realtime -cpu-used 8"),
        ] {
            let out = made(room.path(), "", source, options, name);
            let off = (duration(&out) - length).abs();
            assert!(off < 0.011, "{} to {name}: {} of {length}", source.display(), duration(&out));
        }
    }
}

#[test]
fn encoded_sound_is_cut_to_the_sample() {
    let source = clip(
        "long-packets.mkv",
        "-f lavfi -i testsrc2=s=64x48:r=25:d=4 -f lavfi -i sine=440:r=48000:d=4 -c:v libx264 \
         -preset ultrafast -g 25 -c:a flac -frame_size 16384",
    );
    let room = room();
    let options = format!("{FAST} -c:a aac");
    let late = made(room.path(), "-ss 1.3", &source, &options, "late.mp4");
    let sound: Vec<_> = packets(&late, Kind::Audio).into_iter().filter(|p| !p.discard).collect();
    // An encoder's priming lies before 0 and is hidden.
    let first = sound.iter().map(|packet| packet.pts).min().unwrap();
    assert!(first <= Rational::ZERO && first > Rational::millis(-50), "it begins at {first:?}");
    assert!((stream_duration(&late, "audio") - 2.7).abs() < 0.003);
    for (before, after) in [("", "-t 1"), ("-t 1", ""), ("-ss 0.5 -t 1", ""), ("", "-ss 0.5 -t 1")]
    {
        let after = format!("{after} {options}");
        let out = made(room.path(), before, &source, &after, "short.mp4");
        let length = stream_duration(&out, "audio");
        assert!((length - 1.0).abs() < 0.003, "{before} -i, {after}: {length}");
        let pcm = made(room.path(), before, &source, &format!("{after} -c:a pcm_s16le"), "s.mkv");
        let listed = ffmpeg(args!["-i", &pcm, "-map", "0:a", "-f", "s16le", "-"]);
        assert_eq!(listed.len() / 2, 48_000, "{before} -i, {after}");
    }
}

/// Numbered frames with one keyframe.
fn one_gop(name: &str) -> PathBuf {
    let source = counted("320x240", "25", 6);
    clip(
        name,
        &format!(
            "-f lavfi -i {source} -f lavfi -i sine=440:r=48000:d=6 -c:v libx264 -preset ultrafast \
             -qp 0 -bf 2 -g 250 -pix_fmt yuv420p -c:a aac"
        ),
    )
}

#[test]
fn a_cut_that_no_keyframe_begins_is_encoded_unless_a_copy_is_asked_for() {
    let source = one_gop("one-gop.mp4");
    let room = room();
    for (before, after, name) in
        [("", "-ss 3 -t 1", "cut.mp4"), ("-ss 3 -t 1", "", "cut.mkv"), ("-ss 3", "-t 1", "cut.ts")]
    {
        let out = made(room.path(), before, &source, after, name);
        assert_eq!(counters(&out), (75..100).collect::<Vec<_>>(), "{before} -i {after} {name}");
    }
    for (before, after) in [("", "-ss 3 -t 1 -c copy"), ("-ss 3 -t 1", "-c copy")] {
        let out = room.path().join("copy.mkv");
        let mut args: Vec<OsString> = words(before).collect();
        args.extend(args!["-y", "-i", &source]);
        args.extend(words(after));
        args.extend(args![&out]);
        let told = frameloom(args).run().ok();
        let told = told.stderr;
        assert!(told.contains("3.00 s before"), "{before} -i {after}: {told}");
        let numbers = counters(&out);
        assert_eq!(numbers[..76], (0..76).collect::<Vec<_>>(), "{before} -i {after}");
        // Packets come in the order of decoding: up to three pictures more or less.
        assert!(numbers.len().abs_diff(100) <= 3, "{before} -i {after}: {}", numbers.len());
    }
}

#[test]
fn a_cut_that_a_keyframe_begins_is_copied() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let out = made(room.path(), "-ss 2", &source, "", "cut.mp4");
    let (all, kept) = (packet_hashes(&source, Kind::Video), packet_hashes(&out, Kind::Video));
    assert_eq!(kept, all[50..]);
}

#[test]
fn a_pipe_is_cut_as_a_file() {
    let room = room();
    let bytes = fs::read(one_gop("one-gop.ts")).unwrap();
    let run = |after: &str, name: &str| {
        let out = room.path().join(name);
        let mut args = args!["-y", "-ss", "1", "-i", "-"];
        args.extend(words(after));
        args.extend(args![&out]);
        let told = frameloom(args).stdin(bytes.clone()).run().ok();
        (out, told.stderr)
    };
    let (out, _) = run("", "out.mp4");
    assert_eq!(counters(&out), (25..150).collect::<Vec<_>>());
    let (out, told) = run("-c copy", "copy.mkv");
    assert!(told.contains("s before the time that was asked for"), "{told}");
    assert_eq!(counters(&out), (0..150).collect::<Vec<_>>());
}

#[test]
fn a_start_behind_the_end_is_an_error_that_says_how_long_the_input_is() {
    let room = room();
    let out = room.path().join("out.mp4");
    let source = counted_av("numbered.mp4");
    for start in ["6.5", "100"] {
        let told = frameloom(args!["-ss", start, "-i", &source, &out]).run().fails(2);
        assert!(told.contains("6.0 s long"), "{told}");
    }
    let piped = frameloom(args!["-ss", "100", "-i", "-", &out]);
    let told = piped.stdin(fs::read(counted_av("numbered.ts")).unwrap()).run().fails(2);
    assert!(told.contains("6.0 s long"), "{told}");
    assert!(!out.exists());
}

#[test]
fn one_picture_is_a_video_of_one_frame() {
    let photo = clip("photo.jpg", "-f lavfi -i testsrc2=s=64x48 -frames:v 1");
    let room = room();
    let out = made(room.path(), "-ss 0", &photo, "", "out.png");
    assert_eq!(decode(&out, "rgb24").frames.len(), 1);
    let out = made(room.path(), "-stream_loop 9", &photo, FAST, "out.mp4");
    assert_eq!(times(&out, Kind::Video).len(), 10);
}

#[test]
fn the_streams_are_those_that_ffmpeg_chooses() {
    let pictures = "-f lavfi -i testsrc2=s=64x48:r=25:d=1 -f lavfi -i testsrc2=s=128x96:r=25:d=1 \
                    -f lavfi -i anullsrc=cl=mono:d=1 -f lavfi -i anullsrc=cl=stereo:d=1 \
                    -f lavfi -i anullsrc=cl=5.1:d=1 -t 1 -map 0 -map 1 -map 2 -map 3 -map 4 \
                    -c:v mpeg2video -c:a ac3 -disposition:v 0 -disposition:a 0";
    let chosen = |name: &str, more: &str| -> Vec<i64> {
        let source = clip(name, &format!("{pictures} {more}"));
        let told = frameloom(args!["probe", &source]).run().ok();
        let info: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        let streams = info["streams"].as_array().unwrap();
        let selected = streams.iter().filter(|stream| stream["selected"] == true);
        selected.map(|stream| stream["index"].as_i64().unwrap()).collect()
    };
    assert_eq!(chosen("several.ts", ""), [1, 4]);
    assert_eq!(chosen("several.mkv", ""), [1, 4]);
    let marked = "-disposition:v:0 default -disposition:a:1 default";
    assert_eq!(chosen("marked.mkv", marked), [0, 3]);
}

#[test]
fn a_duration_is_that_of_what_can_be_read() {
    let late = "-f lavfi -i testsrc2=s=64x48:r=25:d=0.4 -c:v libx264 -output_ts_offset 8.3";
    let late = clip("late.mp4", late);
    let room = room();
    let cut = room.path().join("cut.mp4");
    ffmpeg(args!["-ss", "2.5", "-i", counted_av("numbered.mp4"), "-c", "copy", &cut]);
    for (path, length) in [(&late, 0.4), (&cut, 3.5)] {
        let told = frameloom(args!["probe", path]).run().ok();
        let info: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        let stated = info["duration"].as_f64().unwrap();
        assert!((stated - length).abs() < 0.05, "{}: {stated}", path.display());
    }
}

#[test]
fn what_is_encoded_into_avi_is_shown_in_the_order_of_decoding() {
    let room = room();
    let source = counted_av("numbered.mp4");
    let out =
        made(room.path(), "", &source, "-c:v libx264 -qp 0 -preset veryfast -c:a mp3", "o.avi");
    assert_eq!(video_info(&out)["has_b_frames"], 0);
    assert_eq!(counters(&out), (0..150).collect::<Vec<_>>());
    let back = made(room.path(), "", &out, LOSSLESS, "back.mp4");
    let shown = times(&back, Kind::Video);
    assert_eq!((shown[0], shown.len()), (Rational::ZERO, 150));
}

/// Names of files are bytes, not text.
#[test]
fn a_name_that_is_no_utf8_text() {
    use std::os::unix::ffi::OsStrExt;
    let room = room();
    let name = |name: &[u8]| room.path().join(std::ffi::OsStr::from_bytes(name));
    let (source, out) = (name(b"caf\xe9.mp4"), name(b"\xff\xfe.mkv"));
    std::fs::copy(counted_av("numbered.mp4"), &source).unwrap();
    frameloom(args!["-i", &source, "-t", "1", &out]).run().ok();
    assert!(packet_hashes(&out, Kind::Audio).len() > 40);
    // It is known again, and shown as well as it can be.
    let line = frameloom(args!["-i", &source, &out]).run().refuses(1);
    assert!(line.contains("\u{fffd}.mkv") && line.contains("exists already"), "{line}");
    let line = frameloom(args!["-y", "-i", &source, &source]).run().refuses(2);
    assert!(line.contains("caf\u{fffd}.mp4"), "{line}");
}
