//! Pipelines of a file: each by itself, started again, and ended with the server.

use std::collections::HashSet;
use std::fs;

use crate::harness::camera::{Camera, Film};
use crate::harness::fleet::is_alive;
use crate::harness::recorder::Recorder;
use crate::harness::*;

/// A pipeline that copies the camera's stream to one of its own name.
fn copies(ports: Ports, name: &str) -> String {
    let (input, output) = (ports.url("camera"), ports.url(name));
    format!("[pipelines.{name}]\ninput = \"{input}\"\noutputs = [\"{output}\"]\n")
}

/// The frames of a film that runs again and again.
#[track_caller]
fn assert_unbroken(frames: &[usize], film: usize) {
    assert!(frames.len() > 50, "only {} frames", frames.len());
    for (n, pair) in frames.windows(2).enumerate() {
        let next = (pair[0] + 1) % film;
        assert_eq!(pair[1], next, "frame {n} of {} is followed by another one", frames.len());
    }
}

#[test]
fn one_that_fails_takes_down_nothing_else() {
    let fleet = Fleet::start(|ports| {
        let crashing = copies(ports, "crashing") + "command = [\"false\"]\non_error = \"stop\"\n";
        copies(ports, "healthy") + &copies(ports, "killed") + &crashing
    });
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    let healthy = fleet.wait_for_state("healthy", "running");
    let killed = fleet.wait_for_state("killed", "running");
    let folder = room();
    let recorder = Recorder::start(fleet.url("healthy"), folder.path());
    let crashes = |count: u64| {
        fleet.wait_for("crashing", "restarted", |p| p["restarts"].as_u64().unwrap() >= count)
    };
    crashes(2);
    let pid = killed["pid"].as_u64().unwrap();
    std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    let again = fleet.wait_for("killed", "killed", |p| p["restarts"] == 1);
    assert!(again["error"].as_str().unwrap().contains("signal 9"), "{again:#}");
    let again = fleet.wait_for_state("killed", "running");
    assert_ne!(again["pid"], killed["pid"]);
    assert_eq!(again["error"], serde_json::Value::Null);
    let crashed = crashes(4);
    assert_eq!(fleet.pipeline("healthy")["pid"], healthy["pid"]);
    assert_eq!(fleet.pipeline("healthy")["restarts"], 0);
    // Why it fails stands in what is shown of it, and in its log.
    let crashed = fleet.wait_for("crashing", "explained", |p| {
        p["error"].as_str().is_some_and(|error| error.contains("false"))
    })["restarts"]
        .as_u64()
        .max(crashed["restarts"].as_u64());
    assert!(crashed >= Some(4));
    let log = fleet.get("/api/v1/pipelines/crashing/log?lines=20").json();
    assert!(log.to_string().contains("false"), "{log:#}");
    let frames = |p: &serde_json::Value| p["stats"]["frames_out"].as_u64().unwrap_or(0);
    let so_far = frames(&fleet.pipeline("healthy"));
    fleet.wait_for("healthy", "at it for longer", |p| frames(p) > so_far + 75);
    fleet.signal("TERM");
    fleet.wait().ok();
    let parts = recorder.finish();
    assert_eq!(parts.len(), 1, "the healthy one's player was interrupted: {parts:?}");
    assert_unbroken(&counters(&parts[0].file), 1500);
}

/// A pipeline whose program neither reads nor ends by itself.
fn stuck(ports: Ports) -> String {
    let (input, output) = (ports.url("camera"), ports.url("stuck"));
    format!(
        "[pipelines.stuck]\ninput = \"{input}\"\noutputs = [\"{output}\"]\n\
         command = [\"sleep\", \"100000\"]\n"
    )
}

/// A fleet with all that is hard to end, and all the processes in it.
fn busy() -> (Fleet, Camera, Vec<u32>) {
    let fleet = Fleet::start(|ports| copies(ports, "one") + &copies(ports, "two") + &stuck(ports));
    let camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    fleet.wait_for_state("one", "running");
    fleet.wait_for_state("two", "running");
    let mut all = Vec::new();
    wait_until("the program runs", || {
        all = fleet.descendants();
        // Three pipelines, and the program of one.
        all.len() >= 4
    });
    (fleet, camera, all)
}

#[test]
fn a_stop_ends_every_process() {
    let (fleet, _camera, all) = busy();
    fleet.signal("TERM");
    let outcome = fleet.wait().ok();
    let left: Vec<_> = all.into_iter().filter(|pid| is_alive(*pid)).collect();
    assert!(left.is_empty(), "{left:?} are left; it said {}", outcome.stderr);
    assert!(!outcome.stderr.contains("did not end"), "{}", outcome.stderr);
}

#[test]
fn a_server_that_is_killed_leaves_no_orphan() {
    let (fleet, _camera, all) = busy();
    fleet.signal("KILL");
    fleet.wait();
    wait_until("everything is gone", || !all.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn what_a_killed_pipeline_had_started_is_ended_too() {
    let fleet = Fleet::start(stuck);
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    let mut all = Vec::new();
    wait_until("the program runs, and was seen", || {
        all = fleet.descendants();
        let history = fleet.get("/api/v1/pipelines/stuck/stats").json()["history"].clone();
        let last = history.as_array().unwrap().last().cloned().unwrap_or_default();
        // A second after the program was there.
        let seen = last["time_ms"].as_u64().unwrap_or(0);
        all.len() >= 2 && all.iter().all(|pid| started_ms(*pid) + 1500 < seen)
    });
    let pid = fleet.pipeline("stuck")["pid"].as_u64().unwrap();
    std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    wait_until("they are gone", || !all.iter().any(|pid| is_alive(*pid)));
}

/// When a process was started, since 1970.
fn started_ms(pid: u32) -> u64 {
    let folder = fs::metadata(format!("/proc/{pid}"));
    let started = folder.and_then(|folder| folder.modified()).ok();
    let since = started.map(|at| at.duration_since(std::time::UNIX_EPOCH).unwrap());
    since.map_or(u64::MAX / 2, |since| since.as_millis() as u64)
}

#[test]
fn a_process_shows_its_name_and_no_secret() {
    let fleet = Fleet::start(|ports| {
        let input = format!("{}?key=${{CAMERA_KEY}}", ports.url("camera"));
        let output = ports.url("out");
        format!("[pipelines.door]\ninput = \"{input}\"\noutputs = [\"{output}\"]\n")
    });
    let _camera = Camera::start(&Film::plain(), &fleet.url("camera"));
    fleet.wait_for_state("door", "running");
    let lines: HashSet<String> = fleet
        .descendants()
        .into_iter()
        .map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default())
        .collect();
    assert!(lines.iter().any(|line| line.contains("door")), "{lines:?}");
    let all = fleet.get("/api/v1/pipelines");
    let shown = format!("{lines:?} {} {}", String::from_utf8_lossy(&all.body), fleet.said());
    assert!(!shown.contains("sesame"), "{shown}");
}

#[test]
fn a_file_that_has_ended_is_not_begun_again() {
    let clip = counted_av("live.flv");
    let folder = room();
    let copy = folder.path().join("copy.flv");
    let fleet = Fleet::start(|_| {
        format!(
            "[pipelines.once]\ninput = \"{}\"\noutputs = \"{}\"\noutput_options = {{ c = \"copy\" }}\n",
            clip.display(),
            copy.display()
        )
    });
    let once = fleet.wait_for_state("once", "stopped");
    wait_until("it is done", || fleet.pipeline("once")["state"] == "stopped" && copy.exists());
    assert_eq!((&once["restarts"], &once["error"]), (&0.into(), &serde_json::Value::Null));
    assert_eq!(packet_hashes(&copy, Kind::Video), packet_hashes(&clip, Kind::Video));
    // Wrong on its face only now: the file is there, and -y was not given.
    fleet.request("POST", "/api/v1/pipelines/once/start", "", "");
    let failed = fleet.wait_for("once", "refused", |p| !p["error"].is_null());
    assert!(failed["error"].as_str().unwrap().contains("it exists already"), "{failed:#}");
}
