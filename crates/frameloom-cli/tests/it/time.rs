//! Timestamps: what came in goes out, exactly.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::judge::assert_same_times;
use crate::harness::*;

const LOSSLESS: &str = "-c:v libx264 -qp 0 -preset ultrafast -pix_fmt yuv420p";

/// A clip whose frames come at uneven distances, beside audio.
fn uneven(name: &str, encoder: &str) -> PathBuf {
    let lavfi = counted("320x240", "25", 3);
    let path = clip(
        name,
        &format!(
            "-f lavfi -i {lavfi} -f lavfi -i sine=440:r=48000:d=4 \
             -vf settb=1/90000,setpts='(N*40+mod(N*N*7,31))*90' -fps_mode passthrough \
             -enc_time_base 1:90000 {encoder} -video_track_timescale 90000 -c:a aac"
        ),
    );
    let shown = times(&path, Kind::Video);
    let distances: Vec<Rational> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let different = (0..distances.len()).filter(|i| !distances[..*i].contains(&distances[*i]));
    assert!(different.count() > 10, "the clip has a constant rate after all");
    path
}

/// Runs frameloom on `source` with `options` and a command (or none), and returns what it made.
fn made(room: &Path, source: &Path, name: &str, options: &str, command: &[&str]) -> PathBuf {
    let path = room.join(name);
    let mut args = args!["-i", source];
    args.extend(options.split_whitespace().map(Into::into));
    args.extend(args![&path]);
    if !command.is_empty() {
        args.extend(args!["--"]);
        args.extend(command.iter().map(Into::into));
    }
    frameloom(args).run().ok();
    path
}

/// Copied and re-encoded, by a filter and by a command: each pts is what it was, but for one
/// constant shift of video and audio together.
fn assert_times_kept(source: &Path, name: &str, tolerance: Rational) {
    let runs: [(&str, &str, &[&str]); 4] = [
        ("copied", "", &[]),
        ("encoded", "-c:v libx264 -preset ultrafast", &[]),
        ("filtered", "-vf negate -preset ultrafast", &[]),
        ("commanded", "-preset ultrafast", &["cat"]),
    ];
    for (how, options, command) in runs {
        let room = room();
        let out = made(room.path(), source, name, options, command);
        let shift = |kind| {
            let (mut before, mut after) = (times(source, kind), times(&out, kind));
            // Newer versions of ffmpeg give the last frame of an uneven MP4 no length, and hide it.
            let last = before.last().copied();
            if packets(source, kind).iter().any(|p| p.discard && Some(p.pts) == last) {
                before.pop();
                after.truncate(before.len());
            }
            eprintln!("{how}, {kind:?}:");
            assert_same_times(&before, &after, tolerance);
            after[0] - before[0]
        };
        let apart = (shift(Kind::Video) - shift(Kind::Audio)).abs();
        assert!(apart <= Rational::millis(1), "{how}: audio and video moved by {apart:?}");
    }
}

#[test]
fn uneven_times_are_kept_in_mp4() {
    let source = uneven("uneven.mp4", "-c:v libx264 -bf 0 -preset veryfast");
    assert_times_kept(&source, "out.mp4", Rational::ZERO);
}

#[test]
fn uneven_times_are_kept_in_mkv() {
    let source = uneven("uneven.mkv", "-c:v libx264 -bf 0 -preset veryfast");
    assert_times_kept(&source, "out.mkv", Rational::ZERO);
}

#[test]
fn uneven_times_with_b_frames_are_kept_in_mp4() {
    let source = uneven("uneven-b.mp4", "-c:v libx264 -bf 3 -b_strategy 0 -preset veryfast");
    assert_times_kept(&source, "out.mp4", Rational::ZERO);
}

#[test]
fn uneven_times_with_b_frames_are_kept_in_mkv() {
    let source = uneven("uneven-b.mkv", "-c:v libx264 -bf 3 -b_strategy 0 -preset veryfast");
    assert_times_kept(&source, "out.mkv", Rational::ZERO);
}

#[test]
#[ignore = "slow"]
fn uneven_times_cross_containers_to_their_resolution() {
    let source = uneven("uneven-b.mp4", "-c:v libx264 -bf 3 -b_strategy 0 -preset veryfast");
    assert_times_kept(&source, "out.mkv", Rational::millis(1));
    assert_times_kept(&source, "out.flv", Rational::millis(1));
    assert_times_kept(&source, "out.ts", Rational::ZERO);
}

#[test]
fn an_output_begins_at_zero_where_the_input_begins() {
    let lavfi = counted("320x240", "25", 2);
    let source = clip(
        "begins-at-100.ts",
        &format!(
            "-f lavfi -i {lavfi} -f lavfi -i sine=440:d=2 -c:v libx264 -bf 0 -c:a aac \
             -output_ts_offset 100"
        ),
    );
    assert!(times(&source, Kind::Video)[0] > Rational::new(99, 1), "the clip begins elsewhere");
    for (how, options) in [("copied", "-c copy"), ("encoded", "-c:v libx264 -bf 0 -c:a copy")] {
        let room = room();
        let out = made(room.path(), &source, "out.mkv", options, &[]);
        let start = |path: &Path| times(path, Kind::Video)[0].min(times(path, Kind::Audio)[0]);
        assert!(start(&out).abs() <= Rational::millis(1), "{how}: begins at {:?}", start(&out));
    }
}

#[test]
fn times_before_zero_are_kept_apart_as_they_were() {
    let lavfi = counted("320x240", "25", 2);
    let source = clip(
        "negative.ts",
        &format!(
            "-f lavfi -i {lavfi} -f lavfi -i sine=440:d=2 -c:v libx264 -bf 2 -c:a aac \
             -output_ts_offset -10 -avoid_negative_ts disabled"
        ),
    );
    assert!(times(&source, Kind::Video)[0] < Rational::ZERO, "the clip has no negative times");
    assert_times_kept(&source, "out.mkv", Rational::millis(1));
}

/// The `-r` of an output gives it a constant rate.
fn assert_constant_rate(rate: &str, per_frame: Rational, frames: std::ops::RangeInclusive<usize>) {
    let source = uneven("uneven.mp4", "-c:v libx264 -bf 0 -preset veryfast");
    for command in [&[] as &[&str], &["cat"]] {
        let room = room();
        let options = format!("-r {rate} -an -preset ultrafast");
        let out = made(room.path(), &source, "out.mp4", &options, command);
        let shown = times(&out, Kind::Video);
        for (i, pair) in shown.windows(2).enumerate() {
            assert_eq!(pair[1] - pair[0], per_frame, "after frame {i}");
        }
        assert!(frames.contains(&shown.len()), "{} frames at {rate}", shown.len());
    }
}

#[test]
fn an_output_rate_makes_it_constant() {
    assert_constant_rate("25", Rational::new(1, 25), 74..=77);
}

#[test]
fn a_lower_output_rate_drops_frames() {
    assert_constant_rate("10", Rational::new(1, 10), 29..=32);
}

#[test]
fn an_output_rate_may_be_ntsc() {
    assert_constant_rate("ntsc", Rational::new(1001, 30000), 89..=92);
}

/// The numbers of the frames that a run on numbered frames leaves.
fn numbers(input: &str, output: &str) -> Vec<usize> {
    let source = counted_av("numbered.mp4");
    let room = room();
    let out = room.path().join("out.mp4");
    let mut args: Vec<_> = input.split_whitespace().map(Into::into).collect();
    args.extend(args!["-i", source]);
    args.extend(output.split_whitespace().map(Into::into));
    args.extend(LOSSLESS.split_whitespace().map(Into::into));
    args.extend(args![&out]);
    frameloom(args).run().ok();
    // The audio packet that is heard at the beginning may start before it.
    assert_eq!(times(&out, Kind::Video)[0], Rational::ZERO, "it doesn't begin at zero");
    counters(&out)
}

#[test]
fn an_input_seeks_to_the_very_frame() {
    assert_eq!(numbers("-ss 2.4", ""), (60..150).collect::<Vec<_>>());
}

#[test]
fn an_input_ends_after_a_time() {
    assert_eq!(numbers("-ss 1 -t 2", ""), (25..75).collect::<Vec<_>>());
}

#[test]
fn an_input_ends_at_a_time() {
    assert_eq!(numbers("-ss 1 -to 2", ""), (25..50).collect::<Vec<_>>());
    assert_eq!(numbers("-to 00:00:01.2", ""), (0..30).collect::<Vec<_>>());
}

#[test]
fn an_output_begins_and_ends_at_a_time() {
    assert_eq!(numbers("", "-t 1"), (0..25).collect::<Vec<_>>());
    assert_eq!(numbers("", "-ss 1 -t 1"), (25..50).collect::<Vec<_>>());
    assert_eq!(numbers("", "-ss 1 -to 3"), (25..75).collect::<Vec<_>>());
}

#[test]
fn an_output_ends_after_some_frames() {
    assert_eq!(numbers("", "-frames:v 10"), (0..10).collect::<Vec<_>>());
    assert_eq!(numbers("", "-vframes 1"), [0]);
}

#[test]
fn a_copy_ends_after_a_time() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let out = made(room.path(), &source, "out.mp4", "-t 2 -c copy", &[]);
    for kind in [Kind::Video, Kind::Audio] {
        let shown = times(&out, kind);
        let span = shown[shown.len() - 1] - shown[0];
        // Packets come in the order of their dts, so that a B-frame or two may be left out.
        assert!(span < Rational::millis(2200), "{kind:?} goes on for {span:?}");
        assert!(span > Rational::millis(1800), "{kind:?} ends after {span:?}");
        let (sent, got) = (packet_hashes(&source, kind), packet_hashes(&out, kind));
        assert_eq!(got, sent[..got.len()], "{kind:?}");
    }
}

#[test]
fn a_looped_input_goes_on_without_a_gap() {
    let source = counted_av("numbered.mp4");
    for options in ["-c copy", "-c:v libx264 -qp 0 -preset ultrafast -bf 0"] {
        let room = room();
        let out = room.path().join("out.mp4");
        let mut args = args!["-stream_loop", "2", "-i", &source];
        args.extend(options.split_whitespace().map(Into::into));
        args.extend(args![&out]);
        frameloom(args).run().ok();
        let wanted: Vec<usize> = (0..3).flat_map(|_| 0..150).collect();
        assert_eq!(counters(&out), wanted, "{options}");
        let shown = times(&out, Kind::Video);
        let distances = shown.windows(2).map(|pair| pair[1] - pair[0]);
        for (i, distance) in distances.enumerate() {
            // Audio that is longer than the video decides where the next round begins.
            let longest = if i % 150 == 149 { 100 } else { 40 };
            assert!(distance > Rational::ZERO, "{options}: time stands still after frame {i}");
            assert!(distance <= Rational::millis(longest), "{options}: {distance:?} after {i}");
        }
        let rounds = times(&out, Kind::Audio).len() / times(&source, Kind::Audio).len();
        assert_eq!(rounds, 3, "{options}: audio");
    }
}

#[test]
fn real_time_is_not_overtaken() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let out = room.path().join("out.mp4");
    let outcome = frameloom(args!["-re", "-i", source, "-t", "3", &out]).run().ok();
    assert!(outcome.wall > Duration::from_millis(2500), "done after {:?}", outcome.wall);
    let out = room.path().join("edited.mp4");
    let args = args!["-re", "-t", "3", "-i", counted_av("numbered.mp4"), &out, "--", "cat"];
    let outcome = frameloom(args).run().ok();
    assert!(outcome.wall > Duration::from_millis(2500), "done after {:?}", outcome.wall);
}

#[test]
#[ignore = "slow"]
fn audio_and_video_end_together_after_an_hour() {
    let source = clip(
        "hour.mp4",
        "-f lavfi -i color=gray:s=64x36:r=30000/1001:d=3600 -f lavfi -i sine=440:r=22050:d=3600 \
         -c:v libx264 -preset ultrafast -g 300 -pix_fmt yuv420p -c:a aac -b:a 16k -ac 1",
    );
    let room = room();
    let options = "-preset ultrafast -g 300";
    let out = made(room.path(), &source, "out.mp4", options, &["cat"]);
    let frame = Rational::new(1001, 30000);
    let end = |path: &Path, kind| {
        let all = packets(path, kind);
        all.iter().map(|packet| packet.pts + packet.duration).max().unwrap()
    };
    for (name, path) in [("source", &source), ("output", &out)] {
        let apart = (end(path, Kind::Video) - end(path, Kind::Audio)).abs();
        assert!(apart <= frame, "{name}: audio and video end {apart:?} apart");
    }
    let shown = times(&out, Kind::Video);
    assert_eq!(shown.len(), times(&source, Kind::Video).len());
    let distances: BTreeSet<Rational> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(distances.into_iter().collect::<Vec<_>>(), [frame]);
}
