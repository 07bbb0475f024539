//! Streams that don't begin together keep their distance, whatever the container.

use crate::harness::*;

/// One stream begins this much later than the other.
const LATE_MS: i64 = 480;

/// A clip in which `late` begins after the other stream.
fn late(container: &str, late: Kind) -> std::path::PathBuf {
    let lavfi = counted("320x240", "25", 2);
    let offset = format!("-itsoffset 0.{LATE_MS}");
    let (video, audio) = match late {
        Kind::Video => (offset.as_str(), ""),
        Kind::Audio => ("", offset.as_str()),
    };
    let source = clip(
        &format!("late-{late:?}.{container}"),
        &format!(
            "{video} -f lavfi -i {lavfi} {audio} -f lavfi -i sine=440:r=48000:d=2 \
             -c:v libx264 -fps_mode passthrough \
             -preset veryfast -bf 2 -g 25 -pix_fmt yuv420p -c:a aac"
        ),
    );
    let apart = distance(&source).abs() - Rational::millis(LATE_MS);
    assert!(apart.abs() <= Rational::millis(50), "the clip's streams begin {apart:?} off");
    source
}

/// How much later the first picture is than the first sound.
fn distance(path: &std::path::Path) -> Rational {
    times(path, Kind::Video)[0] - times(path, Kind::Audio)[0]
}

/// Copied, encoded and edited by a command: the distance is what it was.
fn assert_distance_kept(container: &str) {
    for kind in [Kind::Video, Kind::Audio] {
        let source = late(container, kind);
        let runs: [(&str, Vec<_>, Vec<_>); 3] = [
            ("copied", args!["-c", "copy"], args![]),
            ("encoded", args!["-c:v", "libx264", "-c:a", "copy"], args![]),
            ("edited", args![], args!["--", "cat"]),
        ];
        for (how, options, command) in runs {
            let room = room();
            let out = room.path().join(format!("out.{container}"));
            let mut args = args!["-i", source];
            args.extend(options);
            args.extend(args![out]);
            args.extend(command);
            frameloom(args).run().ok();
            let (before, after) = (distance(&source), distance(&out));
            let off = (after - before).abs();
            assert!(
                off <= Rational::millis(1),
                "{kind:?} late, {how}: {before:?} became {after:?}"
            );
            let count = |path, kind| times(path, kind).len();
            assert_eq!(count(&out, kind), count(&source, kind), "{kind:?} late, {how}");
        }
    }
}

#[test]
fn a_late_stream_stays_late_in_mp4() {
    assert_distance_kept("mp4");
}

#[test]
#[ignore = "slow"]
fn a_late_stream_stays_late_in_mkv() {
    assert_distance_kept("mkv");
}

#[test]
fn a_late_stream_stays_late_in_flv() {
    assert_distance_kept("flv");
}

#[test]
#[ignore = "slow"]
fn a_late_stream_stays_late_in_ts() {
    assert_distance_kept("ts");
}

/// Encoded audio (here for a container that can't carry the source's) begins with the encoder's
/// priming, which no player shows: what counts is when the first true sample is heard.
#[test]
fn audio_that_is_encoded_stays_in_sync() {
    let lavfi = counted("320x240", "25", 3);
    // Silence, then from 1.5 s on a tone.
    let source = clip(
        "beep.mkv",
        &format!(
            "-f lavfi -i {lavfi} -f lavfi -i sine=1000:r=48000:d=3 -af volume=0:enable='lt(t,1.5)' \
             -c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a pcm_s16le -ac 1"
        ),
    );
    let room = room();
    let out = room.path().join("out.mp4");
    frameloom(args!["-i", &source, "-c:a", "aac", "-preset", "ultrafast", &out, "--", "cat"])
        .run()
        .ok();
    let onset = |path: &std::path::Path| {
        let raw = ffmpeg(args![
            "-i",
            path,
            "-map",
            "0:a",
            "-af",
            "aresample=48000:async=1:first_pts=0",
            "-ac",
            "1",
            "-f",
            "s16le",
            "-",
        ]);
        let loud = |pair: &[u8]| i16::from_le_bytes([pair[0], pair[1]]).abs() > 1000;
        let first = raw.chunks_exact(2).position(loud).expect("no tone");
        Rational::new(first as i64, 48000) - times(path, Kind::Video)[0]
    };
    // AAC smears an onset over a part of its window.
    let off = (onset(&out) - onset(&source)).abs();
    assert!(off <= Rational::millis(5), "the tone moved by {off:?}");
}
