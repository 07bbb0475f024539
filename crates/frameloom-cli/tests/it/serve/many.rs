//! Twenty pipelines at once.

use std::time::{Duration, Instant};

use crate::harness::*;

const COUNT: usize = 20;

/// A camera of 24 pictures a second.
fn film() -> std::path::PathBuf {
    clip(
        "camera-24.flv",
        &format!(
            "-f lavfi -i {} -f lavfi -i sine=440:r=44100:d=60 -c:v libx264 -preset superfast -bf 0 \
             -g 24 -pix_fmt yuv420p -c:a aac -b:a 64k",
            clips::counted("640x360", "24", 60)
        ),
    )
}

/// Memory in bytes that a process shares with none and that is no part of a file: heaps and
/// stacks. Second, all that it shares with none, what the libraries write to their own data too.
fn private(pid: u64) -> (u64, u64) {
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let (mut own, mut all, mut is_file) = (0, 0, false);
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if first.contains('-') {
            is_file = words.nth(4).is_some_and(|path| path.starts_with('/'));
        } else if first.starts_with("Private_") {
            let kib: u64 = words.next().unwrap().parse().unwrap();
            all += kib << 10;
            own += if is_file { 0 } else { kib << 10 };
        }
    }
    (own, all)
}

#[test]
#[ignore = "slow"]
fn twenty_that_copy_take_little_and_the_api_answers_meanwhile() {
    let fleet = Fleet::start(|ports| {
        (0..COUNT)
            .map(|n| {
                format!(
                    "[pipelines.copy-{n}]\ninput = \"{}\"\noutputs = [\"{}\"]\n",
                    ports.url("camera"),
                    ports.url(&format!("copy-{n}")),
                )
            })
            .collect()
    });
    let args = args!["-re", "-stream_loop", "-1", "-i", film(), "-c", "copy", "-f", "flv"];
    let _camera = ffmpeg_reader([args, args![fleet.url("camera")]].concat()).limit_s(600).spawn();
    let pids: Vec<u64> = (0..COUNT)
        .map(|n| {
            let at_work = |p: &serde_json::Value| p["stats"]["frames_out"].as_u64() > Some(100);
            fleet.wait_for(&format!("copy-{n}"), "at work", at_work)["pid"].as_u64().unwrap()
        })
        .collect();
    let most = pids.iter().map(|pid| private(*pid)).max().unwrap();
    let mut answers: Vec<Duration> = (0..50)
        .map(|_| {
            let begun = Instant::now();
            let answer = fleet.get("/api/v1/pipelines");
            assert_eq!(answer.json()["pipelines"].as_array().unwrap().len(), COUNT);
            begun.elapsed()
        })
        .collect();
    answers.sort();
    eprintln!(
        "private memory above the libraries {} KiB at the most ({} KiB with what they write to \
         themselves); the list of {COUNT} took {:?} in the median, {:?} at the most",
        most.0 >> 10,
        most.1 >> 10,
        answers[25],
        answers[49]
    );
    assert!(most.0 < 10 << 20, "{} bytes of private memory", most.0);
    assert!(answers[25] < Duration::from_secs(2), "{answers:?}");
    for n in 0..COUNT {
        let stats = fleet.pipeline(&format!("copy-{n}"))["stats"].clone();
        assert_eq!((&stats["packets_dropped"], &stats["reconnects"]), (&0.into(), &0.into()));
    }
    fleet.signal("TERM");
    fleet.wait().ok();
}
