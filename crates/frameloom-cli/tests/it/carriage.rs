//! Every codec into every container where nobody asks for anything: whatever comes out is complete,
//! begins at its beginning, lasts as long as it should, and is decoded without a complaint.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::clips::write_turned;
use crate::harness::pixels::worst_psnr;
use crate::harness::places::{chromium, node};
use crate::harness::*;

/// Pictures a second of every video here.
const RATE: i64 = 25;
/// Seconds.
const LENGTH: i64 = 2;

/// A codec, how it is encoded, and the containers that take it as it is.
struct Case {
    codec: &'static str,
    /// Words for ffmpeg, behind the encoder's option.
    encoder: &'static str,
    /// What the source is kept in.
    source: &'static str,
    copied: &'static [&'static str],
}

macro_rules! cases {
    ($($codec:literal $encoder:literal $source:literal [$($copied:literal)*];)*) => {
        &[$(Case { codec: $codec, encoder: $encoder, source: $source, copied: &[$($copied),*] }),*]
    };
}

#[rustfmt::skip]
const VIDEO: &[Case] = cases![
    "h264" "libx264 -bf 2 -g 25" "mp4" ["mp4" "mov" "mkv" "ts" "flv" "m4a"];
    "hevc" "libx265 -x265-params log-level=error:keyint=25" "mp4" ["mp4" "mov" "mkv" "ts"];
    "vp8" "libvpx -deadline realtime -cpu-used 8 -g 25" "webm" ["mkv" "webm"];
    "vp9" "libvpx-vp9 -deadline realtime -cpu-used 8 -g 25" "webm" ["mp4" "mkv" "webm"];
    "av1" "libsvtav1 -preset 12 -g 25" "mp4" ["mp4" "mkv" "webm"];
    "mpeg4" "mpeg4 -g 25 -bf 0" "mp4" ["mp4" "mov" "mkv" "avi" "m4a"];
    "mpeg4" "mpeg4 -g 25 -bf 2" "mp4" ["mp4" "mov" "mkv" "m4a"];
    "mpeg2video" "mpeg2video -g 25" "ts" ["mp4" "mov" "mkv" "ts" "mpg"];
    "mpeg1video" "mpeg1video -g 25" "ts" ["mp4" "mov" "mkv" "ts" "mpg"];
    "mjpeg" "mjpeg -pix_fmt yuvj420p" "avi" ["mov" "mkv" "avi"];
    "png" "png" "avi" ["mov"];
    "gif" "gif" "nut" [];
    "prores" "prores_ks" "mov" ["mov" "mkv"];
    "qtrle" "qtrle -g 25" "mov" ["mov"];
    "ffv1" "ffv1 -g 25" "mkv" ["mkv" "avi"];
    "huffyuv" "huffyuv -pix_fmt yuv422p" "avi" ["avi"];
    "theora" "libtheora -g 25" "ogg" ["mkv" "ogg"];
    "jpeg2000" "jpeg2000" "mov" ["mov"];
    "flv1" "flv1 -g 25" "flv" ["flv"];
    "wmv2" "wmv2 -g 25" "avi" ["avi"];
    "rawvideo" "rawvideo -pix_fmt yuv420p" "nut" [];
];

#[rustfmt::skip]
const AUDIO: &[Case] = cases![
    "aac" "aac" "mp4" ["mp4" "mov" "mkv" "avi" "ts" "flv" "m4a"];
    "mp3" "libmp3lame" "mkv" ["mp4" "mov" "mkv" "avi" "ts" "flv" "mpg"];
    "mp2" "mp2" "mkv" ["mov" "mkv" "avi" "ts" "mpg"];
    "ac3" "ac3" "mkv" ["mp4" "mov" "mkv" "avi" "ts" "mpg" "m4a"];
    "eac3" "eac3" "mkv" ["mp4" "mov" "mkv" "ts"];
    "dts" "dca -strict -2" "mkv" ["mp4" "mkv" "ts"];
    "flac" "flac" "mkv" ["mkv" "ogg"];
    "alac" "alac" "mov" ["mp4" "mov" "mkv" "m4a"];
    "opus" "libopus -ar 48000" "mkv" ["mp4" "mkv" "webm" "ts" "ogg"];
    "vorbis" "libvorbis" "mkv" ["mkv" "webm" "ogg"];
    "truehd" "truehd -strict -2" "mkv" ["mkv"];
    "wavpack" "wavpack" "mkv" ["mkv"];
    "wmav2" "wmav2" "avi" ["avi"];
    "pcm_s16le" "pcm_s16le" "mkv" ["mov" "mkv" "avi"];
    "pcm_s16be" "pcm_s16be" "mov" ["mov" "mkv"];
    "pcm_f32le" "pcm_f32le" "mkv" ["mov" "mkv"];
    "pcm_mulaw" "pcm_mulaw -ar 8000" "mov" ["mov" "avi"];
];

/// H.264 in AVI has no B-frames; what is carried by FLV depends on FFmpeg's version.
const ENCODED_ALIKE: [(&str, &str); 4] =
    [("h264", "avi"), ("hevc", "flv"), ("vp9", "flv"), ("av1", "flv")];

/// How much of an input is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Whole,
    /// The second second, where a keyframe stands.
    AtKey,
    /// From within a GOP on.
    Inside,
    Twice,
}

const PARTS: [Part; 4] = [Part::Whole, Part::AtKey, Part::Inside, Part::Twice];

impl Part {
    fn options(self) -> Vec<OsString> {
        match self {
            Part::Whole => args![],
            Part::AtKey => args!["-ss", "1"],
            Part::Inside => args!["-ss", "0.6", "-t", "0.8"],
            Part::Twice => args!["-stream_loop", "1"],
        }
    }

    fn length(self) -> Rational {
        match self {
            Part::Whole => Rational::new(LENGTH, 1),
            Part::AtKey => Rational::new(LENGTH - 1, 1),
            Part::Inside => Rational::millis(800),
            Part::Twice => Rational::new(2 * LENGTH, 1),
        }
    }

    /// Pictures of a video.
    fn pictures(self) -> i64 {
        self.length().as_ms() * RATE / 1000
    }
}

impl Case {
    fn source(&self, kind: Kind) -> PathBuf {
        let Case { codec, encoder, source, .. } = self;
        let recipe = match kind {
            Kind::Audio => format!("sine=440:d={LENGTH}:r=44100 -ac 2 -vn -c:a {encoder}"),
            // What is transparent stays so.
            Kind::Video => {
                let is_told =
                    encoder.contains("pix_fmt") || ["png", "gif", "qtrle"].contains(codec);
                let format = if is_told { "" } else { "-pix_fmt yuv420p" };
                format!("testsrc2=s=192x144:r={RATE}:d={LENGTH} {format} -c:v {encoder}")
            }
        };
        clip(&format!("{codec}.{source}"), &format!("-f lavfi -i {recipe}"))
    }

    /// By how much it may begin and end elsewhere: FLV begins where the first picture can be decoded,
    /// copied sound is cut by its packets, and some encoders and decoders of sound begin late.
    fn slack(&self, part: Part) -> Rational {
        Rational::millis(match self.codec {
            "flac" | "alac" => 220,
            "wmav2" => 210,
            // AAC of 8 kHz is made of it, in packets of 128 ms.
            "pcm_mulaw" => 300,
            // Its packets are half a second long.
            "wavpack" if part == Part::Inside => 520,
            _ => 90,
        })
    }

    /// Makes a file of it, and judges that.
    fn carry(&self, kind: Kind, container: &str, part: Part) {
        let what = format!("{} ({}) into {container}, {part:?}", self.codec, self.encoder);
        let room = room();
        let out = room.path().join(format!("out.{container}"));
        let source = self.source(kind);
        let run = frameloom([part.options(), args!["-i", source, &out]].concat()).run().ok();
        let codec = &probe_streams(&out)[0]["codec_name"];
        // Nothing but a keyframe can be begun with; with B-frames it may stand elsewhere.
        let is_moved = part == Part::AtKey && self.encoder.contains("-bf 2");
        let is_cut = (part == Part::Inside || is_moved) && kind == Kind::Video;
        let is_copied = self.copied.contains(&container);
        // What is encoded may be of the same codec then.
        let is_told = !ENCODED_ALIKE.contains(&(self.codec, container));
        if is_told && (!is_copied || !is_cut) {
            assert_eq!(codec == self.codec, is_copied, "{what}: {codec}, {}", run.stderr);
        }
        let Decoded { begin, end, frames } = decoded(&out);
        let slack = self.slack(part);
        let has_offset = ["ts", "mpg"].contains(&container);
        assert!(has_offset || begin.abs() <= slack, "{what}: begins at {begin:?}");
        let length = end - begin;
        assert!((length - part.length()).abs() <= slack, "{what}: {length:?} long");
        if kind == Kind::Video {
            // FLV doesn't say how long its last picture is shown.
            let slack = i64::from(part == Part::Twice && self.source == "flv");
            let wanted = part.pictures();
            assert!((frames - wanted).abs() <= slack, "{what}: {frames} pictures, not {wanted}");
        }
    }
}

/// What comes out of a decoder.
struct Decoded {
    begin: Rational,
    end: Rational,
    frames: i64,
}

/// Decodes a file's only stream; the decoder has nothing to complain of.
fn decoded(path: &Path) -> Decoded {
    let judge = args!["-copyts", "-i", path, "-fps_mode", "passthrough", "-f", "framemd5", "-"];
    let out = ffmpeg_reader(judge).run().ok();
    assert_eq!(out.stderr, "", "{} does not decode cleanly", path.display());
    let text = String::from_utf8(out.stdout).unwrap();
    let base = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")).unwrap();
    let base = Rational::parse(base);
    let frames = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        // stream, dts, pts, duration
        let numbers: Vec<i64> = line.split(',').map_while(|n| n.trim().parse().ok()).collect();
        (base.times(numbers[2]), base.times(numbers[2] + numbers[3]))
    });
    let frames: Vec<(Rational, Rational)> = frames.collect();
    let begin = frames.iter().map(|frame| frame.0).min();
    let begin = begin.unwrap_or_else(|| panic!("{}: nothing is decoded", path.display()));
    let end = frames.iter().map(|frame| frame.1).max().unwrap();
    Decoded { begin, end, frames: frames.len() as i64 }
}

fn case(codec: &str) -> (&'static Case, Kind) {
    let of = |cases: &'static [Case]| cases.iter().find(|case| case.codec == codec);
    let video = of(VIDEO).map(|case| (case, Kind::Video));
    video.or_else(|| of(AUDIO).map(|case| (case, Kind::Audio))).unwrap()
}

/// Those of every kind: pictures, what libav can write and players don't read, what an index or a
/// missing pts spoils, and what goes as it is.
#[test]
#[ignore = "slow"]
fn what_comes_out_can_be_read() {
    for (codec, containers) in [
        ("png", ["mp4", "mkv"]),
        ("mjpeg", ["mp4", "avi"]),
        ("vp8", ["mov", "avi"]),
        ("mpeg4", ["ts", "avi"]),
        ("flac", ["mp4", "mov"]),
        ("opus", ["mov", "ogg"]),
        ("vorbis", ["avi", "mp4"]),
        ("dts", ["avi", "mkv"]),
        ("pcm_s16le", ["avi", "mp4"]),
    ] {
        let (case, kind) = case(codec);
        for container in containers {
            case.carry(kind, container, Part::Whole);
        }
    }
    for (codec, container) in [("h264", "mp4"), ("vp9", "webm"), ("aac", "ts")] {
        let (case, kind) = case(codec);
        for part in [Part::AtKey, Part::Inside, Part::Twice] {
            case.carry(kind, container, part);
        }
    }
}

/// Every codec into one container, all of it and parts of it.
fn all_into(container: &str) {
    let takes_video = container != "ogg";
    let video = VIDEO.iter().filter(|_| takes_video).map(|case| (case, Kind::Video));
    let mut wrong = Vec::new();
    for (case, kind) in video.chain(AUDIO.iter().map(|case| (case, Kind::Audio))) {
        for part in PARTS {
            let carried = std::panic::catch_unwind(|| case.carry(kind, container, part));
            wrong.extend(carried.is_err().then(|| format!("{} {part:?}", case.codec)));
        }
    }
    assert!(wrong.is_empty(), "into {container}: {wrong:?}");
}

macro_rules! containers {
    ($($name:ident $container:literal;)*) => {
        mod every_codec_into {
            $(
                #[test]
                #[ignore = "slow"]
                fn $name() {
                    super::all_into($container);
                }
            )*
        }
    };
}

containers! {
    mp4 "mp4";
    mov "mov";
    mkv "mkv";
    avi "avi";
    webm "webm";
    mpeg_ts "ts";
    flv "flv";
    ogg "ogg";
    mpeg_ps "mpg";
    m4a "m4a";
}

/// Plays files in Chromium; what it says of each.
fn played(files: &[PathBuf]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/plays.mjs");
    let (node, packages) = node();
    let mut args = args![script, packages, chromium()];
    args.extend(files.iter().map(OsString::from));
    let out = Run::new(node, args).limit_s(200).run().ok();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What no browser could show, or hear, before.
#[test]
fn a_browser_plays_what_is_made_for_it() {
    let room = room();
    let mut files = Vec::new();
    for (codec, container) in
        [("png", "mp4"), ("mjpeg", "mp4"), ("flac", "mp4"), ("prores", "webm"), ("vp9", "mp4")]
    {
        let (case, kind) = case(codec);
        let out = room.path().join(format!("{codec}.{container}"));
        frameloom(args!["-i", case.source(kind), &out]).run().ok();
        files.push(out);
    }
    for played in played(&files) {
        assert_eq!(played["error"], Value::Null, "{played}");
        let end = played["end"].as_f64().unwrap();
        assert!((1.9..2.1).contains(&end), "{played}");
        let is_video = played["file"] != "flac.mp4";
        assert_eq!(played["width"], if is_video { 192 } else { 0 }, "{played}");
    }
}

/// A container that can't say that a picture is to be turned gets it turned.
#[test]
fn a_picture_that_is_to_be_turned_is_shown_so_in_every_container() {
    let source = clip(
        "turned.mp4",
        "-f lavfi -i testsrc2=s=192x144:r=25:d=1 -c:v libx264 -pix_fmt yuv420p -bf 0",
    );
    let turned_in = room();
    let turned = turned_in.path().join("turned90.mp4");
    write_turned(&source, 144, &turned);
    let upright = decode(&turned, "gray");
    assert_eq!((upright.width, upright.height), (144, 192));
    for container in ["mp4", "mov", "mkv", "ts", "flv", "avi", "webm"] {
        let room = room();
        let out = room.path().join(format!("out.{container}"));
        frameloom(args!["-i", &turned, &out]).run().ok();
        let shown = decode(&out, "gray");
        assert_eq!((shown.width, shown.height), (144, 192), "{container}");
        let likeness = worst_psnr(&upright.frames, &shown.frames);
        assert!(likeness > 25.0, "{container}: another picture, {likeness:.1} dB");
    }
}

#[test]
fn what_a_format_has_no_place_for_is_said() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let out = room.path().join("out.gif");
    let said = frameloom(args!["-i", &source, "-t", "0.2", &out]).run().ok().stderr;
    assert!(said.contains("the audio is left out, as format gif has no place for it"), "{said}");
    let out = room.path().join("out.mp3");
    let said = frameloom(args!["-i", &source, "-t", "0.2", &out]).run().ok().stderr;
    assert!(said.contains("the video is left out, as format mp3 has no place for it"), "{said}");
    let out = room.path().join("silent.gif");
    let said = frameloom(args!["-i", &source, "-t", "0.2", "-an", &out]).run().ok().stderr;
    assert!(!said.contains("left out"), "{said}");
}

#[test]
fn a_copy_that_was_asked_for_is_made_and_judged() {
    let (case, kind) = case("png");
    let room = room();
    let out = room.path().join("out.mp4");
    let said = frameloom(args!["-i", case.source(kind), "-c", "copy", &out]).run().ok().stderr;
    assert_eq!(video_info(&out)["codec_name"], "png");
    assert!(said.contains("hardly any player reads it right in format mp4"), "{said}");
}

/// The least, a half, nearly all and all of what a picture may have of opacity, from left to right.
const OPACITY: [u8; 4] = [0, 64, 128, 252];

/// The opacity of a picture's four quarters, as a decoder that knows of it gives it.
fn opacity(path: &Path, decoder: &[&str]) -> Vec<u8> {
    let mut args: Vec<OsString> = decoder.iter().map(OsString::from).collect();
    args.extend(args!["-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgba", "-"]);
    let bytes = ffmpeg(args);
    [32, 96, 160, 224].map(|x| bytes[(40 * 256 + x) * 4 + 3]).to_vec()
}

#[test]
fn transparency_is_kept_where_players_show_it() {
    let steps = "if(lt(X,64),0,if(lt(X,128),64,if(lt(X,192),128,252)))";
    let picture = format!("testsrc2=s=256x80:r=25:d=0.4,format=rgba,geq=r='r(X,Y)':a='{steps}'");
    let still = clip("alpha.png", &format!("-f lavfi -i {picture} -frames:v 1"));
    let moving = clip("alpha.mov", &format!("-f lavfi -i {picture} -c:v qtrle"));
    let room = room();
    let near = |path: &Path, decoder: &[&str]| {
        let found = opacity(path, decoder);
        let is_near = found.iter().zip(OPACITY).all(|(a, b)| a.abs_diff(b) <= 6);
        assert!(is_near, "{}: {found:?}", path.display());
    };
    for (source, name, options, decoder) in [
        (&moving, "vp9.webm", args![], &["-c:v", "libvpx-vp9"][..]),
        (&moving, "vp8.webm", args!["-c:v", "libvpx"], &["-c:v", "libvpx"]),
        (&moving, "vp9.mkv", args!["-c:v", "libvpx-vp9"], &["-c:v", "libvpx-vp9"]),
        (&still, "out.webp", args![], &[]),
        (&still, "out.png", args![], &[]),
        (&moving, "prores.mov", args!["-c:v", "prores_ks"], &[]),
        (&moving, "out.apng", args![], &[]),
        (&moving, "ffv1.mkv", args!["-c:v", "ffv1"], &[]),
    ] {
        let out = room.path().join(name);
        frameloom([args!["-i", source], options, args![&out]].concat()).run().ok();
        near(&out, decoder);
    }
    // What is transparent stays so where it is copied, and where it is encoded once more.
    let [webm, copy, again] =
        ["vp9.webm", "copy.mkv", "again.webm"].map(|name| room.path().join(name));
    frameloom(args!["-i", &webm, &copy]).run().ok();
    frameloom(args!["-i", &copy, "-vf", "null", &again]).run().ok();
    for path in [&copy, &again] {
        near(path, &["-c:v", "libvpx-vp9"]);
        let tags = &video_info(path)["tags"];
        assert!(tags["alpha_mode"] == "1" || tags["ALPHA_MODE"] == "1", "{tags}");
    }
}
