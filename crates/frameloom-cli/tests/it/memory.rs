//! Memory stays flat, however long the run.

use std::time::Duration;

use crate::harness::*;

const MIB: u64 = 1024;

/// A run's memory was below the limit, and at its end what it was in its middle, but for so much.
fn assert_flat(outcome: &Outcome, slack: u64) {
    let peak = outcome.peak_kib / MIB;
    assert!(peak > 5, "no memory was measured");
    assert!(peak < 200, "the peak is {peak} MiB");
    let mean_between = |from: f64, to: f64| {
        let within =
            |at: Duration| (from..=to).contains(&(at.as_secs_f64() / outcome.wall.as_secs_f64()));
        let all: Vec<u64> =
            outcome.memory.iter().filter(|(at, _)| within(*at)).map(|(_, kib)| *kib).collect();
        all.iter().sum::<u64>() / all.len() as u64 / MIB
    };
    let (middle, end) = (mean_between(0.4, 0.6), mean_between(0.85, 0.98));
    assert!(end <= middle + slack, "{middle} MiB in the middle, {end} MiB at the end");
}

/// Ten seconds at 1080p that are quick to decode, beside audio.
fn ten_seconds() -> std::path::PathBuf {
    clip(
        "ten-seconds.mp4",
        "-f lavfi -i color=gray:s=1920x1080:r=25:d=10 -f lavfi -i sine=440:r=44100:d=10 \
         -c:v libx264 -preset veryfast -g 50 -pix_fmt yuv420p -c:a aac -b:a 64k",
    )
}

#[test]
#[ignore = "slow"]
fn ten_minutes_at_1080p() {
    let room = room();
    let out = room.path().join("out.mkv");
    let args = args![
        "-stream_loop",
        "59",
        "-i",
        ten_seconds(),
        "-vf",
        "drawbox=w=64:h=64:t=fill",
        "-g",
        "250"
    ];
    let outcome =
        frameloom([args, args!["-preset", "ultrafast", &out]].concat()).limit_s(280).run().ok();
    let frames = times(&out, Kind::Video).len();
    assert_eq!(frames, 15_000);
    assert_flat(&outcome, 8);
}

#[test]
#[ignore = "slow"]
fn a_command_at_1080p() {
    let room = room();
    let out = room.path().join("out.mkv");
    // Live settings: what an encoder keeps to look ahead is its own affair.
    let args = args!["-stream_loop", "2", "-i", ten_seconds(), "-tune", "zerolatency", &out];
    let command = args!["--", python(), fixture("invert.py")];
    let outcome = frameloom([args, command].concat()).run().ok();
    assert_eq!(times(&out, Kind::Video).len(), 750);
    // A frame on its way through a command is 9 MiB, and on a busy machine there is one more.
    assert_flat(&outcome, 24);
}
