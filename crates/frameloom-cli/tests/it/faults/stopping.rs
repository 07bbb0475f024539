//! A stop that is asked for while something is broken.

use std::time::{Duration, Instant};

use super::code::troubled;
use crate::harness::judge::assert_playable;
use crate::harness::proxy::Way;
use crate::harness::scene::{Scene, Script, wait_for_file};
use crate::harness::story::Story;
use crate::harness::*;

/// Two seconds are what it may take; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

/// Stops it. It ends soon and well, and the file beside is whole.
#[track_caller]
fn stops_at_once(scene: Scene, code: &[i32]) {
    let (asked, mut ended) = (Instant::now(), None);
    scene.running.signal("INT");
    let ending = {
        let mut scene = scene;
        wait_until("it ends", || {
            let over = !scene.running.is_running();
            if over {
                ended.get_or_insert_with(Instant::now);
            }
            over
        });
        scene.await_end()
    };
    let took = ended.unwrap() - asked;
    let said = &ending.outcome.stderr;
    eprintln!("it ended after {took:?}");
    assert!(took < LIMIT, "it took {took:?} to stop:\n{said}");
    let status = ending.outcome.code().expect("it was killed");
    assert!(code.contains(&status), "exit status {status}:\n{said}");
    assert_playable(&ending.kept);
    let kept = Story::of_file(&ending.kept, 0);
    kept.assert_times_rise();
    kept.assert_sound_throughout();
    assert!(kept.shown.len() >= 20, "only {} pictures were kept", kept.shown.len());
}

/// A scene with a file beside, of which a part is written.
fn scene(name: &'static str) -> Scene {
    let mut scene = Script::new(name).keeping_a_file().start();
    scene.run_a_while();
    wait_for_file(&scene.room().join("kept.mkv"), 1);
    scene
}

#[test]
#[ignore = "slow"]
fn while_the_input_is_lost() {
    let mut scene = scene("stop-input-lost");
    scene.camera.take().unwrap().kill();
    scene.wait_for_loss_of_input();
    scene.random_pause(500, 2500);
    stops_at_once(scene, &[0]);
}

/// Nobody takes the connection: it waits for its next try.
#[test]
#[ignore = "slow"]
fn while_the_input_refuses() {
    let mut scene = scene("stop-input-refuses");
    scene.input.refuse();
    scene.input.reset();
    scene.wait_for_loss_of_input();
    scene.random_pause(500, 2500);
    stops_at_once(scene, &[0]);
}

/// A connection is taken, and no word comes: it is in the middle of its try.
#[test]
#[ignore = "slow"]
fn while_the_input_is_opened_again() {
    let mut scene = scene("stop-reconnecting");
    scene.input.stall(Way::Down);
    scene.input.reset();
    let taken = scene.input.accepted();
    scene.wait_for_loss_of_input();
    wait_until("it connects again", || scene.input.accepted() > taken);
    scene.random_pause(0, 1000);
    stops_at_once(scene, &[0]);
}

#[test]
#[ignore = "slow"]
fn while_the_publisher_is_frozen() {
    let mut scene = scene("stop-publisher-frozen");
    scene.camera.as_ref().unwrap().freeze();
    // Before or behind the moment at which that is a loss.
    scene.random_pause(100, 2000);
    stops_at_once(scene, &[0]);
}

#[test]
#[ignore = "slow"]
fn while_an_output_is_lost() {
    let mut scene = scene("stop-output-lost");
    scene.output.refuse();
    scene.output.reset();
    scene.wait_for_loss_of_output();
    scene.random_pause(500, 2500);
    stops_at_once(scene, &[0, 1]);
}

#[test]
#[ignore = "slow"]
fn while_an_output_is_opened_again() {
    let mut scene = scene("stop-output-reconnecting");
    scene.output.stall(Way::Down);
    scene.output.reset();
    let taken = scene.output.accepted();
    scene.wait_for_loss_of_output();
    wait_until("it connects again", || scene.output.accepted() > taken);
    scene.random_pause(0, 1000);
    stops_at_once(scene, &[0, 1]);
}

#[test]
#[ignore = "slow"]
fn while_an_output_stalls() {
    let mut scene = scene("stop-output-stalled");
    scene.output.stall(Way::Up);
    scene.random_pause(500, 3000);
    stops_at_once(scene, &[0, 1]);
}

#[test]
#[ignore = "slow"]
fn while_an_output_s_server_is_frozen() {
    let mut scene = scene("stop-server-frozen");
    scene.target.freeze();
    scene.random_pause(500, 3000);
    stops_at_once(scene, &[0, 1]);
}

#[test]
#[ignore = "slow"]
fn while_both_ends_are_lost() {
    let mut scene = scene("stop-both-lost");
    scene.input.refuse();
    scene.output.refuse();
    scene.input.reset();
    scene.output.reset();
    scene.wait("both are lost", |seen| seen.input_is_lost() && seen.output_is_lost(0));
    stops_at_once(scene, &[0, 1]);
}

#[test]
#[ignore = "slow"]
fn while_the_code_is_slow() {
    let mut scene =
        Script::new("stop-slow-code").code(troubled("slow=200")).keeping_a_file().start();
    scene.run_a_while();
    stops_at_once(scene, &[0]);
}

#[test]
#[ignore = "slow"]
fn while_the_command_hangs() {
    let mut scene = Script::new("stop-hanging").code(troubled("hangs=40")).keeping_a_file().start();
    scene.random_pause(2000, 4000);
    stops_at_once(scene, &[0]);
}
