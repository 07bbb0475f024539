//! What goes in: each codec decodes to the pictures that ffmpeg sees.

use std::path::{Path, PathBuf};

use crate::harness::pixels::inverted;
use crate::harness::*;

/// Runs `input` through a command that inverts every picture, and compares all pictures and
/// their times with ffmpeg's own reading of `same`, the input options and the input itself.
fn assert_edited(input: Vec<std::ffi::OsString>, seconds_a_frame: Rational) {
    let room = room();
    let out = room.path().join("out.mkv");
    let mut args = input.clone();
    args.extend(args!["-c:v", "ffv1", &out, "--", python(), fixture("invert.py")]);
    frameloom(args).run().ok();
    let (before, after) = (pixels::decode_with(input, "rgb24"), decode(&out, "rgb24"));
    assert_eq!((after.width, after.height), (before.width, before.height));
    assert_eq!(after.frames.len(), before.frames.len(), "another number of frames");
    for (i, (old, new)) in before.frames.iter().zip(&after.frames).enumerate() {
        let likeness = psnr(&inverted(old), new);
        assert!(likeness > 20.0, "frame {i} is not the inverted one: {likeness:.1} dB");
    }
    for pair in times(&out, Kind::Video).windows(2) {
        let off = (pair[1] - pair[0] - seconds_a_frame).abs();
        assert!(off <= Rational::millis(1), "frames {:?} apart", pair[1] - pair[0]);
    }
}

/// Two seconds at 10 frames a second, by the given encoder.
fn made(name: &str, encoder: &str) -> PathBuf {
    let lavfi = counted("320x240", "10", 2);
    let path = clip(name, &format!("-f lavfi -i {lavfi} {encoder}"));
    assert_eq!(counters(&path), (0..20).collect::<Vec<_>>(), "the clip itself is wrong");
    path
}

fn assert_codec(name: &str, encoder: &str, codec: &str) {
    let source = made(name, encoder);
    assert_eq!(video_info(&source)["codec_name"], codec);
    assert_edited(args!["-i", source], Rational::new(1, 10));
}

#[test]
fn h264_in_mp4() {
    assert_codec("h264.mp4", "-c:v libx264 -pix_fmt yuv420p", "h264");
}

#[test]
fn h264_in_ts() {
    assert_codec("h264.ts", "-c:v libx264 -pix_fmt yuv420p -bf 2", "h264");
}

#[test]
fn hevc_in_mp4() {
    assert_codec("hevc.mp4", "-c:v libx265 -preset ultrafast -x265-params log-level=1", "hevc");
}

#[test]
fn vp9_in_webm() {
    assert_codec("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8", "vp9");
}

#[test]
fn av1_in_mkv() {
    assert_codec("av1.mkv", "-c:v libaom-av1 -usage realtime -cpu-used 8", "av1");
}

#[test]
fn mpeg2_in_ts() {
    // MPEG-2 knows no 10 frames a second.
    let lavfi = counted("320x240", "25", 1);
    let encoder = "-c:v mpeg2video -q:v 2 -bf 2";
    let source = clip("mpeg2.ts", &format!("-f lavfi -i {lavfi} {encoder}"));
    assert_eq!(video_info(&source)["codec_name"], "mpeg2video");
    assert_edited(args!["-i", source], Rational::new(1, 25));
}

#[test]
fn mjpeg_in_avi() {
    assert_codec("mjpeg.avi", "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p", "mjpeg");
}

#[test]
fn h264_with_10_bits() {
    assert_codec("10bit.mkv", "-c:v libx264 -pix_fmt yuv420p10le", "h264");
}

#[test]
fn hevc_with_10_bits() {
    let encoder = "-c:v libx265 -preset ultrafast -x265-params log-level=1 -pix_fmt yuv420p10le";
    assert_codec("10bit.mp4", encoder, "hevc");
}

#[test]
fn gray_h264() {
    assert_codec("gray.mkv", "-c:v libx264 -pix_fmt gray", "h264");
}

#[test]
fn a_gif() {
    assert_codec("animated.gif", "-c:v gif", "gif");
}

#[test]
fn a_png_sequence() {
    let folder = room();
    let pattern = folder.path().join("in_%03d.png");
    ffmpeg(args!["-i", made("h264.mp4", "-c:v libx264 -pix_fmt yuv420p"), &pattern]);
    assert_edited(args!["-framerate", "10", "-i", pattern], Rational::new(1, 10));
}

#[test]
fn a_jpeg_sequence() {
    let folder = room();
    let pattern = folder.path().join("in_%03d.jpg");
    ffmpeg(args!["-i", made("h264.mp4", "-c:v libx264 -pix_fmt yuv420p"), &pattern]);
    assert_edited(args!["-framerate", "10", "-i", pattern], Rational::new(1, 10));
}

#[test]
fn raw_video() {
    let folder = room();
    let raw = folder.path().join("in.raw");
    let source = made("h264.mp4", "-c:v libx264 -pix_fmt yuv420p");
    ffmpeg(args!["-i", source, "-f", "rawvideo", "-pix_fmt", "rgb24", &raw]);
    let input = args!["-f", "rawvideo", "-s", "320x240", "-pix_fmt", "rgb24", "-r", "10"];
    assert_edited([input, args!["-i", raw]].concat(), Rational::new(1, 10));
}

#[test]
fn a_generated_source() {
    let input = args!["-f", "lavfi", "-i", "testsrc2=s=320x240:r=10:d=2"];
    assert_edited(input, Rational::new(1, 10));
}

#[test]
fn an_input_rate_replaces_the_times() {
    let source = made("h264.mp4", "-c:v libx264 -pix_fmt yuv420p");
    assert_edited(args!["-r", "20", "-i", source], Rational::new(1, 20));
}

/// A stream whose pictures change their size from 320x240 to 640x480 after ten frames.
fn growing(folder: &Path) -> PathBuf {
    let part = |size: &str| {
        let path = folder.join(format!("{size}.ts"));
        let lavfi = counted(size, "10", 1);
        ffmpeg(args!["-f", "lavfi", "-i", lavfi, "-c:v", "libx264", "-bf", "0", &path]);
        std::fs::read(path).unwrap()
    };
    let path = folder.join("growing.ts");
    std::fs::write(&path, [part("320x240"), part("640x480")].concat()).unwrap();
    path
}

#[test]
fn a_size_that_changes_midway() {
    for own in [args![], args!["--frame-size=320x240"]] {
        let room = room();
        let (source, out) = (growing(room.path()), room.path().join("out.mkv"));
        let command =
            if own.is_empty() { args![] } else { args!["--", python(), fixture("invert.py")] };
        let encode = args!["-i", source, "-c:v", "libx264", &out];
        frameloom([own, encode, command].concat()).run().ok();
        let made = decode(&out, "gray");
        assert_eq!((made.width, made.height), (320, 240));
        assert_eq!(made.frames.len(), 20);
    }
}

/// A command is told a size once, and shown all that follows in that size.
#[test]
fn a_size_that_changes_midway_under_a_command() {
    let room = room();
    let (source, out) = (growing(room.path()), room.path().join("out.mkv"));
    frameloom(args!["-i", source, &out, "--", python(), fixture("invert.py")]).run().ok();
    let made = decode(&out, "gray");
    assert_eq!((made.width, made.height, made.frames.len()), (320, 240, 20));
}
