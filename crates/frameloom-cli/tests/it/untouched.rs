//! Video of which only what code touches is encoded (`--on-untouched=copy`).

use std::path::{Path, PathBuf};

use crate::harness::judge::{assert_playable, packet_hashes_through, picture_hashes};
use crate::harness::pixels::inverted;
use crate::harness::*;

/// Frames in a GOP of the clips here.
const GOP: usize = 25;

/// Six seconds of numbered frames by libx264 with these options.
fn source(name: &str, options: &str) -> PathBuf {
    let lavfi = counted("320x240", "25", 6);
    let recipe = format!("-f lavfi -i {lavfi} -c:v libx264 -g {GOP} -pix_fmt yuv420p {options}");
    clip(name, &recipe)
}

/// Runs frameloom with a command that inverts the frames of these numbers. Gives what it wrote to stderr.
fn edited(source: &Path, out: &Path, touched: &[usize], options: &[&str]) -> String {
    let list: Vec<String> = touched.iter().map(usize::to_string).collect();
    let mut args = args!["-y", "-v", "info", "--on-untouched=copy"];
    args.extend(options.iter().map(Into::into));
    args.extend(args!["-i", source, out, "--", python(), fixture("some_frames.py")]);
    frameloom(args).env("FRAMES", list.join(",")).run().ok().stderr
}

/// The numbers of pictures that are not bit for bit those of the source.
fn changed(source: &Path, out: &Path) -> Vec<usize> {
    let (before, after) = (picture_hashes(source), picture_hashes(out));
    assert_eq!(before.len(), after.len(), "{}: another number of pictures", out.display());
    let pairs = before.iter().zip(&after).enumerate();
    pairs.filter(|(_, (before, after))| before != after).map(|(number, _)| number).collect()
}

/// Asserts that of the GOPs of these frames all from the earliest that had not left is encoded, and looks as it
/// should.
#[track_caller]
fn assert_edited(source: &Path, out: &Path, touched: &[usize]) {
    assert_playable(out);
    assert_eq!(counters(source), (0..150).collect::<Vec<_>>());
    let (before, after) = (decode(source, "yuv420p"), decode(out, "yuv420p"));
    let changed = changed(source, out);
    for (number, (old, new)) in before.frames.iter().zip(&after.frames).enumerate() {
        let expected = if touched.contains(&number) { inverted(old) } else { old.clone() };
        // Chroma and the limits of luma aside: the same picture.
        let luma = 320 * 240;
        let likeness = psnr(&expected[..luma], &new[..luma]);
        assert!(likeness > 20.0, "picture {number} of {}: {likeness:.1} dB", out.display());
        let in_gop = touched.iter().filter(|at| number / GOP == *at / GOP).min();
        // Pictures that are decoded before the touched one has been seen are shown before it.
        let may_change = in_gop.is_some_and(|first| number + 16 > *first);
        let must_change = in_gop.is_some_and(|first| number >= *first);
        assert!(!must_change || changed.contains(&number), "picture {number} is not encoded");
        assert!(may_change || !changed.contains(&number), "picture {number} is encoded");
    }
}

#[test]
fn what_nobody_touches_goes_out_packet_by_packet() {
    let (source, room) = (counted_av("untouched.mp4"), room());
    for name in ["out.mp4", "out.mkv", "out.mov"] {
        let out = room.path().join(name);
        edited(&source, &out, &[], &[]);
        assert_playable(&out);
        for kind in [Kind::Video, Kind::Audio] {
            assert_eq!(packet_hashes(&out, kind), packet_hashes(&source, kind), "{name}");
        }
        assert_eq!(times(&out, Kind::Video).len(), 150);
    }
    for (name, filter) in [("out.ts", "filter_units=remove_types=6-9"), ("out.flv", "null")] {
        let out = room.path().join(name);
        edited(&source, &out, &[], &[]);
        assert_playable(&out);
        if filter == "null" {
            assert_eq!(packet_hashes(&out, Kind::Video), packet_hashes(&source, Kind::Video));
        } else {
            let raw = |path| packet_hashes_through(path, Kind::Video, filter).len();
            assert_eq!(raw(&out), 150);
        }
        assert_eq!(changed(&source, &out), Vec::<usize>::new(), "{name}");
    }
}

/// Inverts three frames of a source on the way to each container, and judges what comes out.
#[track_caller]
fn assert_edited_to(source: &Path, containers: &[&str]) {
    let (room, touched) = (room(), [31, 80, 82]);
    for to in containers {
        let out = room.path().join(format!("out.{to}"));
        edited(source, &out, &touched, &["--untouched-after=0"]);
        assert_edited(source, &out, &touched);
    }
}

#[test]
fn of_a_touched_gop_all_is_encoded_that_has_not_left_and_nothing_else() {
    assert_edited_to(&source("b-frames.mp4", "-preset veryfast -bf 2"), &["mp4", "flv"]);
    assert_edited_to(&source("b-frames.ts", "-preset veryfast -bf 2"), &["ts", "mkv"]);
}

#[test]
#[ignore = "slow"]
fn so_it_is_in_every_container_and_for_any_gop() {
    for (name, options) in [
        ("b-frames.mp4", "-preset veryfast -bf 2"),
        ("b-frames.ts", "-preset veryfast -bf 2"),
        ("b-frames.mkv", "-preset veryfast -bf 2"),
        ("b-frames.flv", "-preset veryfast -bf 2"),
        ("no-b.mp4", "-preset veryfast -bf 0"),
        ("slow.mp4", "-preset slow -bf 8 -refs 6"),
        ("baseline.mp4", "-preset ultrafast -profile:v baseline"),
        ("live.flv", "-preset veryfast -tune zerolatency"),
    ] {
        assert_edited_to(&source(name, options), &["mp4", "ts", "flv", "mkv"]);
    }
}

#[test]
fn the_first_frame_and_the_last_may_be_touched() {
    let (source, room) = (source("b-frames.mp4", "-preset veryfast -bf 2"), room());
    for touched in [vec![0], vec![149], vec![0, 149], (0..150).collect()] {
        let out = room.path().join("out.mp4");
        edited(&source, &out, &touched, &["--untouched-after=0"]);
        assert_edited(&source, &out, &touched);
    }
}

#[test]
fn copying_waits_until_nothing_was_touched_for_a_second() {
    let (source, room) = (source("b-frames.mp4", "-preset veryfast -bf 2"), room());
    let out = room.path().join("out.mp4");
    // Frame 24 ends its GOP; the next one begins 40 ms behind it.
    edited(&source, &out, &[24], &[]);
    let changed = changed(&source, &out);
    assert_eq!(changed.last(), Some(&49), "{changed:?}");
    edited(&source, &out, &[24], &["--untouched-after=2.5"]);
    let changed = self::changed(&source, &out);
    assert_eq!(changed.last(), Some(&99), "{changed:?}");
}

#[test]
fn an_open_gop_is_no_place_to_go_back() {
    let room = room();
    let open = source("open.mp4", "-preset veryfast -x264-params open-gop=1");
    let out = room.path().join("out.mp4");
    edited(&open, &out, &[60], &["--untouched-after=0"]);
    assert_playable(&out);
    let changed = changed(&open, &out);
    assert!((50..=60).contains(&changed[0]) && changed.last() == Some(&149), "{changed:?}");
    // The touched one's number is inverted too.
    let mut shown = counters(&out);
    shown[60] = 60;
    assert_eq!(shown, (0..150).collect::<Vec<_>>());
}

#[test]
fn what_can_not_be_copied_is_encoded_and_that_is_said() {
    let (source, room) = (source("b-frames.mp4", "-preset veryfast -bf 2"), room());
    let out = room.path().join("out.mp4");
    let whole = |said: String| {
        assert!(said.contains("all of the video is encoded: "), "{said}");
        assert_eq!(changed(&source, &out).len(), 150);
        assert_playable(&out);
    };
    let run = |options: &[&str]| {
        let mut args = args!["-y", "-v", "info", "--on-untouched=copy", "-i", &source];
        args.extend(options.iter().map(Into::into));
        args.extend(args![&out, "--", "cat"]);
        frameloom(args).run().ok().stderr
    };
    whole(run(&["-vf", "hflip"]));
    whole(run(&["-c:v", "mpeg4"]));
    whole(run(&["-aspect", "2:1"]));
    assert!(run(&[]).find("all of the video is encoded").is_none());
}
