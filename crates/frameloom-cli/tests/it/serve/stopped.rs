//! A server that is stopped for a while, and goes on.

use std::thread;
use std::time::Duration;

use super::serve;
use crate::harness::*;

#[test]
#[ignore = "slow"]
fn a_publisher_that_kept_sending_is_not_cut() {
    let served = serve(args!["--idle-publisher=2s", "--player-stall=2s"]);
    let room = room();
    let file = room.path().join("out.flv");
    let publisher = ffmpeg_reader(args![
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=320x240:r=25:d=14",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-g",
        "25",
        "-f",
        "flv",
        served.url("camera")
    ])
    .spawn();
    served.wait_for("camera");
    let player = ffmpeg_reader(args!["-i", served.url("camera"), "-c", "copy", &file]).spawn();
    wait_until("it plays", || served.get("/metrics").contains("players{protocol=\"rtmp\"} 1"));
    for _ in 0..2 {
        served.running.signal("STOP");
        // Twice as long as either may be silent.
        thread::sleep(Duration::from_secs(4));
        served.running.signal("CONT");
        served.wait_for("camera");
    }
    publisher.wait().ok();
    player.wait().ok();
    // All that was sent from its joining on, up to the last frame.
    let times = times(&file, Kind::Video);
    let all_there = times.windows(2).all(|pair| pair[1] - pair[0] == Rational::millis(40));
    assert!(all_there && times.len() > 250, "{} frames", times.len());
    served.running.signal("TERM");
    let said = served.running.wait().ok().stderr;
    assert!(!said.contains("closed"), "{said}");
}
