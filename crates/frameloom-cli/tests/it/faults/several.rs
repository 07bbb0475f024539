//! Several live inputs: each is lost and comes back by itself, and all stay on one clock.

use std::ffi::OsString;

use super::assert_one_whole_recording;
use crate::harness::camera::{Camera, Film};
use crate::harness::nginx::free_port;
use crate::harness::proxy::Proxy;
use crate::harness::recorder::Recorder;
use crate::harness::scene::encoding;
use crate::harness::stats::{Count, Seen, Stats};
use crate::harness::*;

/// Two inputs of which one gives the picture and the other the sound. `a` and `b` are ports at which
/// they are played.
fn picture_and_sound(a: u16, b: u16, out: &str) -> Vec<OsString> {
    let [a, b] = [a, b].map(|port| Nginx::url_by(port, "in"));
    let inputs = args!["--stats=json", "-i", a, "-i", b, "-map", "0:v", "-map", "1:a"];
    [inputs, encoding(), args!["-f", "flv", out]].concat()
}

fn median(mut all: Vec<i64>) -> i64 {
    assert!(!all.is_empty(), "no beginning of a second was heard");
    all.sort_unstable();
    all[all.len() / 2]
}

/// One camera read twice: picture and sound are as far apart as in one input. Then the way of the
/// sound's input is cut: the picture goes on as if nothing had happened, beside silence, and the sound
/// is back where it belongs.
#[test]
#[ignore = "slow"]
fn one_input_is_lost_while_the_other_goes_on() {
    let (source, target, room) = (Nginx::start(), Nginx::start(), room());
    let recorder = Recorder::start(target.url("out"), room.path());
    target.wait_for_player("out");
    let camera = Camera::start(&Film::plain(), &source.url("in"));
    let sound = Proxy::to(source.port());
    wait_until("the camera publishes", || source.times_published("in") > 0);
    let words = picture_and_sound(source.port(), sound.port(), &target.url("out"));
    let running = frameloom(words).limit_s(240).spawn();
    let stats = Stats(&running);
    let is_lost = || stats.last().is_some_and(|seen| seen.input_is_lost());
    stats.wait_for_frames(100);
    let lost_at = stats.frames_out();
    sound.refuse();
    sound.reset();
    wait_until("the input is lost", is_lost);
    assert_eq!(stats.last().unwrap().inputs_lost(), [false, true]);
    let silent_from = stats.wait_for_frames(60);
    let silent_to = stats.frames_out();
    sound.heal();
    wait_until("the input is back", || !is_lost());
    let back = stats.wait_for_frames(120);
    running.signal("INT");
    let ended = running.wait().ok();
    drop(camera);
    let parts = recorder.finish();
    let story = assert_one_whole_recording(&parts, &ended.stderr);
    let holds = story.holds();
    assert!(holds.is_empty(), "the picture was held: {holds:?}");
    let at = |frame: u64| 40 * i64::try_from(frame).unwrap() + story.shown[0].at_ms;
    // The input's stall is found by its connection's end; what was on its way still sounds.
    story.assert_silent_between(at(silent_from) + 700, at(silent_to) - 300);
    let before = median(story.sync(i64::MIN, at(lost_at), 25));
    let after = median(story.sync(at(back) + 300, i64::MAX, 25));
    assert!(before.abs() <= 250, "sound was {before} ms behind the picture at first");
    assert!((before - after).abs() <= 150, "sound was {before} ms behind, then {after} ms");
    let stats = Seen::all(&ended.stderr).pop().unwrap();
    assert_eq!((stats.count(Count::Reconnects), stats.count(Count::FramesHeld)), (1, 0));
    assert_eq!(stats.inputs_lost(), [false, false]);
    assert_eq!((0..2).map(|n| stats.of_input(n, "reconnects")).collect::<Vec<_>>(), [0, 1]);
    // The picture is decoded from the first input alone.
    assert_eq!(stats.of_input(0, "frames_in"), stats.count(Count::FramesIn));
    assert!(stats.of_input(1, "packets_in") > 100, "{stats:?}");
    assert!(ended.stderr.contains("input 2 is lost"), "{}", ended.stderr);
    assert!(ended.stderr.contains("input 2 is back"), "{}", ended.stderr);
}

/// An input that can't be opened ends the run at the start, and says which one.
#[test]
fn each_input_has_to_be_there_at_the_start() {
    let (source, room) = (Nginx::start(), room());
    let camera = Camera::start(&Film::plain(), &source.url("in"));
    wait_until("the camera publishes", || source.times_published("in") > 0);
    let out = room.path().join("out.mkv");
    let nobody = Nginx::url_by(free_port(), "nobody");
    let words = args!["-i", source.url("in"), "-i", &nobody, "-map", "0:v", "-map", "1:a", &out];
    let said = frameloom(words).limit_s(60).run().refuses(1);
    assert!(said.contains("nobody"), "{said}");
    assert!(!out.exists());
    // One that takes the connection and never says anything.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = Nginx::url_by(listener.local_addr().unwrap().port(), "silent");
    let inputs = args!["--open-timeout=2s", "-i", source.url("in"), "-i", &silent];
    let words = [inputs, args!["-map", "0:v", "-map", "1:a", &out]].concat();
    let said = frameloom(words).limit_s(60).run().refuses(1);
    assert!(said.contains("silent") && said.contains("within 2 s"), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(!out.exists());
    drop((camera, listener));
}
