//! Pipelines that run while somebody plays them.

use crate::harness::camera::{Camera, Film};
use crate::harness::*;

fn file(ports: Ports) -> String {
    format!(
        "[pipelines.mirror]\ninput = \"{}\"\noutputs = [\"{}\"]\nfilter = \"hflip\"\n\
         on_demand = true\nidle_timeout = \"1s\"\n",
        ports.url("camera"),
        ports.url("mirror"),
    )
}

#[test]
fn the_first_player_starts_it_and_the_last_one_ends_it() {
    let fleet = Fleet::start(file);
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    wait_until("the camera is there", || {
        fleet.get("/api/v1/status").json()["streams"][0]["video"]["codec"] == "h264"
    });
    fleet.wait_for_state("mirror", "waiting");
    for url in [fleet.url("mirror"), fleet.flv("mirror")] {
        let before = fleet.wait_for_state("mirror", "waiting");
        assert!(before["pid"].is_null(), "{before:#}");
        // A picture comes, and it is that of a stream that nobody published when it was asked for.
        let folder = room();
        let picture = folder.path().join("mirror.png");
        ffmpeg(args!["-i", &url, "-frames:v", "1", &picture]);
        assert_eq!(video_info(&picture)["width"], 320);
        let after = fleet.wait_for_state("mirror", "waiting");
        assert_eq!(after["restarts"], 0, "{after:#}");
    }
    // As long as somebody plays, it goes on.
    let player = ffmpeg_reader(args!["-i", fleet.url("mirror"), "-f", "null", "-"]).spawn();
    let pid = fleet.wait_for_state("mirror", "running")["pid"].clone();
    fleet.wait_for("mirror", "at it for a while", |p| p["stats"]["frames_out"].as_u64() > Some(75));
    assert_eq!(fleet.pipeline("mirror")["pid"], pid);
    player.signal("INT");
    player.wait();
    // Whoever looks at pictures of it doesn't play it.
    let mut pictures = 0;
    wait_until("it ends", || {
        pictures += usize::from(fleet.get("/api/v1/pipelines/mirror/output.jpg").status == 200);
        fleet.pipeline("mirror")["state"] == "waiting"
    });
    assert!(pictures > 0, "there was no picture of what ran");
    fleet.get("/api/v1/pipelines/mirror/output.jpg").problem(503);
    assert_eq!(fleet.pipeline("mirror")["state"], "waiting");
    // Nobody can start what was stopped.
    fleet.request("POST", "/api/v1/pipelines/mirror/stop", "", "");
    fleet.wait_for_state("mirror", "stopped");
    assert!(fleet.get("/live/mirror.flv").status == 404);
}

#[test]
fn one_that_fails_is_left_alone_when_nobody_waits_for_it() {
    let fleet = Fleet::start(|ports| {
        let output = ports.url("broken");
        format!(
            "[server]\nplay_wait = \"5s\"\n[pipelines.broken]\ninput = \"rtmp://127.0.0.1:1/live/x\"\n\
             outputs = [\"{output}\"]\non_demand = true\nidle_timeout = \"1s\"\n"
        )
    });
    fleet.wait_for_state("broken", "waiting");
    // Tried again for as long as the player waits.
    assert_eq!(fleet.get("/live/broken.flv").status, 404);
    assert!(fleet.pipeline("broken")["restarts"].as_u64() >= Some(1));
    fleet.wait_for_state("broken", "waiting");
    assert!(fleet.pipeline("broken")["pid"].is_null());
}
