//! An output breaks, and comes back.

use super::NO_GAP_MS;
use crate::harness::camera::Film;
use crate::harness::judge::{assert_playable, position_of};
use crate::harness::proxy::{Proxy, Way};
use crate::harness::recorder::Recorder;
use crate::harness::scene::{Ending, Scene, Script};
use crate::harness::stats::Count;
use crate::harness::story::Story;
use crate::harness::*;

/// The file beside missed nothing: each picture one by one, from the first to the last.
#[track_caller]
fn assert_file_is_whole(ending: &Ending) {
    assert_playable(&ending.kept);
    let kept = Story::of_file(&ending.kept, 0);
    kept.assert_times_rise();
    kept.assert_moving(0);
    kept.assert_sound_throughout();
    kept.assert_no_gap_above(NO_GAP_MS);
    let stats = ending.stats();
    assert_eq!(stats.output_packets_dropped(1), 0, "{stats:?}");
    assert_eq!(stats.count(Count::FramesIn), kept.shown.len() as u64, "{stats:?}");
}

/// The reader saw the stream twice, each time whole and from a keyframe on, and its sound packet by
/// packet as the file has it.
#[track_caller]
fn assert_both_parts_are_of_the_file(ending: &Ending) {
    let whole = packet_hashes(&ending.kept, Kind::Audio);
    let stories = ending.stories();
    assert_eq!(stories.len(), 2, "parts seen by the reader");
    let mut end = 0;
    for (part, story) in ending.parts.iter().zip(&stories) {
        story.assert_moving(0);
        story.assert_sound_throughout();
        assert!(story.shown.len() >= 20, "a part of {} pictures", story.shown.len());
        assert!(packets(&part.file, Kind::Video)[0].key, "a part begins without a keyframe");
        let hashes = packet_hashes(&part.file, Kind::Audio);
        let at = position_of(&hashes, &whole);
        assert!(at >= end, "a part goes back");
        end = at + hashes.len();
    }
    let last = |story: &Story| story.shown.last().unwrap().number;
    assert!(stories[1].shown[0].number > last(&stories[0]), "the second part shows the first's");
}

/// Breaks the output by `break_it`, and heals it once that was noticed.
fn lost_and_back(
    name: &'static str,
    break_it: impl FnOnce(&mut Scene),
    heal_it: impl FnOnce(&mut Scene),
) -> Ending {
    let mut scene = Script::new(name).keeping_a_file().start();
    scene.run_a_while();
    break_it(&mut scene);
    scene.wait_for_loss_of_output();
    scene.random_pause(500, 2000);
    heal_it(&mut scene);
    scene.wait_for_return_of_output(0, 100);
    let ending = scene.finish();
    assert_file_is_whole(&ending);
    let stats = ending.stats();
    assert_eq!(stats.count(Count::Reconnects), 1, "{stats:?}");
    assert!(stats.count(Count::PacketsDropped) > 0, "{stats:?}");
    ending
}

#[test]
#[ignore = "slow"]
fn an_output_that_is_reset_is_opened_again() {
    let ending = lost_and_back(
        "output-reset",
        |scene| {
            scene.output.refuse();
            scene.output.reset();
        },
        |scene| scene.output.heal(),
    );
    assert_both_parts_are_of_the_file(&ending);
}

#[test]
#[ignore = "slow"]
fn an_output_that_is_closed_and_refused_for_a_while() {
    let ending = lost_and_back(
        "output-refused",
        |scene| {
            scene.output.refuse();
            scene.output.cut();
        },
        |scene| {
            scene.random_pause(2000, 4000);
            scene.output.heal();
        },
    );
    assert_both_parts_are_of_the_file(&ending);
}

#[test]
#[ignore = "slow"]
fn the_output_s_server_is_killed_and_comes_back() {
    let ending = lost_and_back(
        "target-server-killed",
        |scene| scene.target.kill(),
        |scene| scene.target.start_again(),
    );
    assert_both_parts_are_of_the_file(&ending);
}

/// The kernel goes on taking what is sent; only the server says nothing any more.
#[test]
#[ignore = "slow"]
fn an_output_s_server_that_freezes_is_noticed() {
    let ending = lost_and_back(
        "target-server-frozen",
        |scene| scene.target.freeze(),
        |scene| scene.target.thaw(),
    );
    // Thawed, it first reads what was sent before; the reader may get that as one part or two.
    assert!(ending.stories().len() <= 3, "{} parts", ending.parts.len());
}

/// No end and no error, and a receiver that takes nothing, for longer than the watchdog waits.
#[test]
#[ignore = "slow"]
fn an_output_that_stalls_for_fifteen_seconds() {
    let mut scene = Script::new("output-stalled").keeping_a_file().start();
    scene.run_a_while();
    let start = std::time::Instant::now();
    scene.output.stall(Way::Up);
    scene.wait_for_loss_of_output();
    // The watchdog's ten seconds, and the rest for a busy machine and statistics once a second.
    assert!(start.elapsed() < std::time::Duration::from_secs(25), "{:?}", start.elapsed());
    let stalled_ms = 15_000_u64.saturating_sub(start.elapsed().as_millis() as u64);
    scene.random_pause(stalled_ms, stalled_ms + 500);
    scene.output.heal();
    scene.wait_for_return_of_output(0, 100);
    let ending = scene.finish();
    assert_file_is_whole(&ending);
    ending.stories();
    let stats = ending.stats();
    assert!(stats.count(Count::PacketsDropped) > 0, "{stats:?}");
}

/// A stall that is over before anyone takes it for a loss costs nothing.
#[test]
#[ignore = "slow"]
fn a_short_stall_of_an_output_loses_nothing() {
    let mut scene = Script::new("output-stalled-shortly").keeping_a_file().start();
    scene.run_a_while();
    scene.output.stall(Way::Up);
    scene.random_pause(1000, 2000);
    scene.output.heal();
    scene.wait_for_frames(50);
    let ending = scene.finish();
    assert_file_is_whole(&ending);
    ending.story().assert_moving(0);
    let stats = ending.stats();
    assert_eq!(stats.count(Count::Reconnects), 0, "{stats:?}");
    assert_eq!(stats.count(Count::PacketsDropped), 0, "{stats:?}");
}

#[test]
#[ignore = "slow"]
fn an_output_that_is_throttled_for_a_while_loses_nothing() {
    let mut scene = Script::new("output-throttled").keeping_a_file().start();
    scene.run_a_while();
    scene.output.throttle(Way::Up, 8_000);
    scene.random_pause(1500, 2500);
    scene.output.heal();
    scene.wait_for_frames(75);
    let ending = scene.finish();
    assert_file_is_whole(&ending);
    ending.story().assert_moving(0);
}

/// Three outputs, of which one is lost: the others and the file miss nothing, bit for bit.
#[test]
#[ignore = "slow"]
fn one_of_two_outputs_is_lost() {
    let other = Nginx::start();
    let way = Proxy::to(other.port());
    let room = room();
    let reader = Recorder::start(other.url("other"), room.path());
    other.wait_for_player("other");
    let second = args!["-c", "copy", "-f", "flv", Nginx::url_by(way.port(), "other")];
    let script = Script::new("one-of-two").copying().keeping_a_file().output(second);
    let mut scene = script.start();
    scene.run_a_while();
    way.refuse();
    way.reset();
    scene.wait("the second output is lost", |seen| seen.output_is_lost(2));
    scene.random_pause(500, 2000);
    way.heal();
    scene.wait_for_return_of_output(2, 150);
    let ending = scene.finish();
    let parts = reader.finish();
    assert_file_is_whole(&ending);
    let story = ending.story();
    story.assert_moving(0);
    story.assert_no_gap_above(NO_GAP_MS);
    let film = Film::plain().file();
    for kind in [Kind::Video, Kind::Audio] {
        let sent = packet_hashes(&film, kind);
        let (kept, seen) = (&ending.kept, &ending.parts[0].file);
        let kept = packet_hashes(kept, kind);
        assert_eq!(position_of(&kept, &sent), 0, "{kind:?}");
        assert_eq!(packet_hashes(seen, kind), kept, "{kind:?}");
        assert_eq!(parts.len(), 2, "parts seen by the lost output's reader");
        for part in &parts {
            position_of(&packet_hashes(&part.file, kind), &sent);
        }
    }
    assert!(packets(&parts[1].file, Kind::Video)[0].key, "it came back without a keyframe");
    let stats = ending.stats();
    assert_eq!(stats.output_packets_dropped(0), 0, "{stats:?}");
    assert!(stats.output_packets_dropped(2) > 0, "{stats:?}");
    assert_eq!(stats.count(Count::PacketsDropped), stats.output_packets_dropped(2));
    assert_eq!(stats.count(Count::Reconnects), 1, "{stats:?}");
}

#[test]
#[ignore = "slow"]
fn no_reconnect_ends_with_a_lost_output() {
    let options = args!["--no-reconnect"];
    let mut scene = Script::new("no-reconnect-output").options(options).keeping_a_file().start();
    scene.run_a_while();
    scene.output.refuse();
    scene.output.reset();
    let ending = scene.await_end();
    assert_eq!(ending.outcome.code(), Some(1), "{}", ending.outcome.stderr);
    assert_playable(&ending.kept);
    Story::of_file(&ending.kept, 0).assert_moving(0);
}

/// The tries that back-off allows within 6 s where each takes no time and chance shortens every
/// wait by a half: at 0, 0.25, 0.75, 1.75 and 3.75 s.
const TRIES_IN_6_S: usize = 5;

#[test]
#[ignore = "slow"]
fn an_output_that_opens_and_dies_at_once_is_tried_less_and_less_and_given_up() {
    let options = args!["--reconnect-for=6s"];
    let mut scene = Script::new("output-dies-at-once").options(options).start();
    scene.run_a_while();
    let before = scene.output.accepted();
    let begun = std::time::Instant::now();
    scene.output.cut_after(Way::Up, 20_000);
    while scene.running.is_running() {
        assert!(begun.elapsed().as_secs() < 60, "it goes on for ever");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let tries = scene.output.accepted() - before;
    let ending = scene.await_end();
    let said = &ending.outcome.stderr;
    assert_eq!(ending.outcome.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains("not back within 6 s"), "{last}");
    assert!((2..=TRIES_IN_6_S).contains(&tries), "{tries} connections\n{said}");
}
