//! The main job: a live stream in, every frame through your code, a live stream out.

use std::path::Path;

use crate::harness::judge::{assert_same_times, md5, position_of};
use crate::harness::pixels::both_counters;
use crate::harness::*;

/// A reader that waits for `stream` and keeps every packet of it in `file`.
fn record(nginx: &Nginx, stream: &str, file: &Path) -> Running {
    let reader = ffmpeg_reader(args!["-i", nginx.url(stream), "-c", "copy", file]).spawn();
    nginx.wait_for_player(stream);
    reader
}

/// A publisher that sends `file` as it is, in real time.
fn publish(nginx: &Nginx, stream: &str, file: &Path) -> Running {
    ffmpeg_reader(args!["-re", "-i", file, "-c", "copy", "-f", "flv", nginx.url(stream)]).spawn()
}

/// Publishes `source`, lets frameloom carry it on with `extra` arguments, and records what comes
/// out into `recorded`. Everyone is in place before the first packet is sent.
fn carry(source: &Path, recorded: &Path, extra: Vec<std::ffi::OsString>) -> Outcome {
    let nginx = Nginx::start();
    let reader = record(&nginx, "out", recorded);
    let mut args =
        args!["--on-loss=end", "--on-slow=block", "--open-timeout=60s", "-i", nginx.url("in")];
    args.extend(args!["-f", "flv", nginx.url("out")]);
    args.extend(extra);
    let frameloom = frameloom(args).spawn();
    nginx.wait_for_player("in");
    let publisher = publish(&nginx, "in", source);
    publisher.wait().ok();
    let outcome = frameloom.wait().ok();
    reader.wait().ok();
    outcome
}

/// Audio and video kept their distance, to within a millisecond for every packet.
fn assert_in_sync(source: &Path, made: &Path, first_video: usize, first_audio: usize) {
    let shift = |kind, first: usize| {
        let (before, after) = (times(source, kind), times(made, kind));
        let before = &before[first..first + after.len()];
        assert_same_times(before, &after, Rational::ZERO);
        after[0] - before[0]
    };
    let apart = (shift(Kind::Video, first_video) - shift(Kind::Audio, first_audio)).abs();
    assert!(apart <= Rational::millis(1), "audio and video moved apart by {apart:?}");
}

#[test]
fn every_frame_is_edited_and_the_audio_is_untouched() {
    let source = counted_av("live.flv");
    let room = room();
    let recorded = room.path().join("recorded.flv");
    carry(&source, &recorded, args!["--", python(), fixture("burn.py")]);

    let frames = both_counters(&recorded);
    let expected: Vec<(usize, usize)> = (0..frames.len()).map(|n| (n, n)).collect();
    assert_eq!(frames, expected, "(the command's number, the source's number)");
    assert_eq!(frames.len(), 150, "not every frame arrived");
    assert_eq!(md5(&recorded, Kind::Audio), md5(&source, Kind::Audio));
    assert_in_sync(&source, &recorded, 0, 0);
}

#[test]
#[ignore = "slow"]
fn real_film_is_edited_and_its_audio_is_untouched() {
    let film = film();
    let room = room();
    let (source, recorded) = (room.path().join("film.flv"), room.path().join("recorded.flv"));
    ffmpeg(args!["-i", film, "-c", "copy", &source]);
    carry(&source, &recorded, args!["--", python(), fixture("invert.py")]);

    let (before, after) = (decode(&source, "rgb24"), decode(&recorded, "rgb24"));
    assert_eq!((after.width, after.height), (1280, 720));
    assert_eq!(after.frames.len(), before.frames.len(), "not every frame arrived");
    for (i, (old, new)) in before.frames.iter().zip(&after.frames).enumerate() {
        let likeness = psnr(&pixels::inverted(old), new);
        assert!(likeness > 25.0, "frame {i} is not the inverted one: {likeness:.1} dB");
    }
    assert_eq!(md5(&recorded, Kind::Audio), md5(&source, Kind::Audio));
    assert_in_sync(&source, &recorded, 0, 0);
}

#[test]
fn what_nobody_edits_is_copied_packet_by_packet() {
    let source = counted_av("live.flv");
    let room = room();
    let recorded = room.path().join("recorded.flv");
    carry(&source, &recorded, vec![]);

    for kind in [Kind::Video, Kind::Audio] {
        assert_eq!(packet_hashes(&recorded, kind), packet_hashes(&source, kind), "{kind:?}");
    }
    assert_in_sync(&source, &recorded, 0, 0);
}

#[test]
fn a_stream_without_audio_is_edited() {
    let lavfi = counted("320x240", "30", 3);
    let source =
        clip("silent.flv", &format!("-f lavfi -i {lavfi} -c:v libx264 -pix_fmt yuv420p -g 30"));
    let room = room();
    let recorded = room.path().join("recorded.flv");
    carry(&source, &recorded, args!["--", python(), fixture("burn.py")]);

    let frames = both_counters(&recorded);
    assert_eq!(frames, (0..90).map(|n| (n, n)).collect::<Vec<_>>());
    assert_eq!(probe_streams(&recorded).len(), 1, "a stream appeared from nowhere");
}

#[test]
fn a_stream_that_already_runs_is_joined_at_a_keyframe() {
    let source = counted_av("live.flv");
    let room = room();
    let recorded = room.path().join("recorded.flv");
    let nginx = Nginx::start();
    let reader = record(&nginx, "out", &recorded);
    let mut args = args!["-progress", "pipe:2", "-stats_period", "0.1", "-re", "-i", &source];
    args.extend(args!["-c", "copy", "-f", "flv", nginx.url("in")]);
    let publisher = ffmpeg_reader(args).spawn();
    wait_until("a part of the stream has gone by", || {
        let said = publisher.stderr();
        let sent_us = said.lines().rev().find_map(|line| line.strip_prefix("out_time_us="));
        sent_us.and_then(|text| text.parse().ok()).is_some_and(|us: i64| us > 1_200_000)
    });
    let frameloom = frameloom(args![
        "--on-loss=end",
        "--on-slow=block",
        "-i",
        nginx.url("in"),
        "-f",
        "flv",
        nginx.url("out"),
        "--",
        python(),
        fixture("burn.py"),
    ])
    .spawn();
    publisher.wait().ok();
    frameloom.wait().ok();
    reader.wait().ok();

    let frames = both_counters(&recorded);
    let first = frames[0].1;
    assert!(first > 0, "the stream had not begun before frameloom joined it");
    assert_eq!(first % 25, 0, "the first frame was no keyframe: {first}");
    assert_eq!(frames, (first..150).map(|n| (n - first, n)).collect::<Vec<_>>());
    let (sent, got) = (packet_hashes(&source, Kind::Audio), packet_hashes(&recorded, Kind::Audio));
    let first_audio = position_of(&got, &sent);
    assert_eq!(first_audio + got.len(), sent.len(), "the last audio packets are missing");
    assert_in_sync(&source, &recorded, first, first_audio);
}
