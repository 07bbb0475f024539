//! The well-known recipe works with `ffmpeg` replaced by `frameloom`, as it stands.

use std::path::{Path, PathBuf};

use crate::harness::judge::assert_same_times;
use crate::harness::pixels::{decode_with, split, worst_psnr};
use crate::harness::*;

/// Two seconds of film at the recipe's own rate and size, and at another size.
fn source(size: &str) -> PathBuf {
    let recipe = format!("-r 24 -s {size} -c:v libx264 -preset veryfast -g 24 -c:a copy");
    let mut args = args!["-t", "2", "-i", film()];
    args.extend(recipe.split(' ').map(Into::into));
    clips::clip_of(&format!("recipe-{size}.flv"), &args)
}

/// A line of the recipe, with `INPUT` and `OUTPUT` filled in.
fn line(text: &str, input: &str, output: &str) -> Vec<std::ffi::OsString> {
    let fill = |word: &str| word.replace("INPUT", input).replace("OUTPUT", output);
    text.split_whitespace().map(|word| fill(word).into()).collect()
}

fn publish(nginx: &Nginx, file: &Path) -> Running {
    nginx.wait_for_player("livestream1");
    ffmpeg_reader(args!["-re", "-i", file, "-c", "copy", "-f", "flv", nginx.url("livestream1")])
        .spawn()
}

/// Runs the first line against nginx and returns what it wrote to stdout, and what it said.
fn first_line(source: &Path, text: &str) -> Outcome {
    let nginx = Nginx::start();
    let reader = frameloom(line(text, &nginx.url("livestream1"), "")).spawn();
    publish(&nginx, source).wait().ok();
    reader.wait().ok()
}

/// The frames of `source` as the recipe's reader wants them, by ffmpeg.
fn frames_of(source: &Path, size: &str) -> Vec<Vec<u8>> {
    decode_with(args!["-i", source, "-s", size], "rgb24").frames
}

#[test]
fn the_first_line_reads_raw_pictures() {
    let source = source("960x540");
    let text = "-i INPUT -f image2pipe -pix_fmt rgb24 -vcodec rawvideo -";
    let got = split(&first_line(&source, text).stdout, 960 * 540 * 3);
    let likeness = worst_psnr(&got, &frames_of(&source, "960x540"));
    assert!(likeness > 35.0, "the pictures differ: {likeness:.1} dB");
}

#[test]
#[ignore = "slow"]
fn the_first_line_scales_when_told_a_size() {
    let source = source("1280x720");
    let text = "-i INPUT -f image2pipe -pix_fmt rgb24 -s 960x540 -vcodec rawvideo -";
    let got = split(&first_line(&source, text).stdout, 960 * 540 * 3);
    let likeness = worst_psnr(&got, &frames_of(&source, "960x540"));
    assert!(likeness > 30.0, "the pictures differ: {likeness:.1} dB");
}

#[test]
#[ignore = "slow"]
fn the_first_line_keeps_the_true_size_and_tells_it() {
    let source = source("1280x720");
    let text = "-i INPUT -f image2pipe -pix_fmt rgb24 -vcodec rawvideo -";
    let outcome = first_line(&source, text);
    assert!(outcome.stderr.contains("1280x720"), "no size in:\n{}", outcome.stderr);
    let got = split(&outcome.stdout, 1280 * 720 * 3);
    let likeness = worst_psnr(&got, &frames_of(&source, "1280x720"));
    assert!(likeness > 35.0, "the pictures differ: {likeness:.1} dB");
}

/// Runs the second line on real pictures and judges the FLV file it makes.
fn second_line(text: &str, codec: &str, least_db: f64) {
    let frames = frames_of(&source("960x540"), "960x540");
    let room = room();
    frameloom(line(text, "", "output_video.flv"))
        .cwd(room.path())
        .stdin(frames.concat())
        .run()
        .ok();
    let made = room.path().join("output_video.flv");
    let streams = probe_streams(&made);
    assert_eq!(streams.len(), 1, "only video was wanted");
    assert_eq!(streams[0]["codec_name"], codec);
    let likeness = worst_psnr(&decode(&made, "rgb24").frames, &frames);
    assert!(likeness > least_db, "the pictures differ: {likeness:.1} dB");
    // FLV counts in milliseconds.
    let count = frames.len() as i64;
    let wanted: Vec<Rational> = (0..count).map(|n| Rational::new(n, 24)).collect();
    assert_same_times(&wanted, &times(&made, Kind::Video), Rational::millis(1));
}

#[test]
#[ignore = "slow"]
fn the_second_line_writes_a_file() {
    let text = "-y -f rawvideo -s 960x540 -pix_fmt rgb24 -r 24 -i - -an OUTPUT";
    second_line(text, "h264", 25.0);
}

#[test]
#[ignore = "slow"]
fn the_second_line_writes_h264() {
    let text = "-y -f rawvideo -s 960x540 -pix_fmt rgb24 -r 24 -i - -an -vcodec libx264 OUTPUT";
    second_line(text, "h264", 25.0);
}

#[test]
fn the_third_line_publishes_the_file_as_it_is() {
    let source = source("960x540");
    let room = room();
    let recorded = room.path().join("recorded.flv");
    let nginx = Nginx::start();
    let target = nginx.url("livestream2");
    let reader = ffmpeg_reader(args!["-i", target, "-c", "copy", recorded]).spawn();
    nginx.wait_for_player("livestream2");
    let text = "-re -i INPUT -f flv OUTPUT";
    frameloom(line(text, source.to_str().unwrap(), &target)).run().ok();
    reader.wait().ok();
    for kind in [Kind::Video, Kind::Audio] {
        assert_eq!(packet_hashes(&recorded, kind), packet_hashes(&source, kind), "{kind:?}");
    }
}

/// The recipe as a script, with only `FFMPEG_BIN` changed, from stream to stream.
fn script(size: &str, width: usize, height: usize) {
    let source = source(size);
    let room = room();
    let recorded = room.path().join("recorded.flv");
    let nginx = Nginx::start();
    let (from, to) = (nginx.url("livestream1"), nginx.url("livestream2"));
    let reader = ffmpeg_reader(args!["-i", to, "-c", "copy", recorded]).spawn();
    nginx.wait_for_player("livestream2");
    let args = args![fixture("recipe.py"), from, to, width.to_string(), height.to_string()];
    let script = Run::new(python(), args)
        .env("FFMPEG_BIN", env!("CARGO_BIN_EXE_frameloom"))
        .cwd(room.path())
        .spawn();
    publish(&nginx, &source).wait().ok();
    script.wait().ok();
    reader.wait().ok();

    let mut wanted = frames_of(&source, size);
    for frame in &mut wanted {
        for row in frame.chunks_mut(width * 3).take(16) {
            row[..64 * 3].copy_from_slice(&[255, 0, 0].repeat(64));
        }
    }
    let likeness = worst_psnr(&decode(&recorded, "rgb24").frames, &wanted);
    assert!(likeness > 25.0, "the pictures differ: {likeness:.1} dB");
}

#[test]
#[ignore = "slow"]
fn the_script_works_with_only_the_program_changed() {
    script("960x540", 960, 540);
}

#[test]
#[ignore = "slow"]
fn the_script_works_at_another_size() {
    script("1280x720", 1280, 720);
}
