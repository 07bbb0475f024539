//! Code that is slow, dies or hangs.

use super::NO_GAP_MS;
use crate::harness::scene::{Ending, Script};
use crate::harness::stats::{Count, Seen};
use crate::harness::story::Story;
use crate::harness::*;

/// The command with a trouble of its own.
pub(super) fn troubled(trouble: &str) -> Vec<std::ffi::OsString> {
    args!["env", format!("TROUBLE={trouble}"), python(), fixture("troubled.py")]
}

/// A picture's number when it is inverted: every bit the other way round.
const INVERTED: usize = (1 << 12) - 1;

/// The story with the camera's numbers, and which of its pictures were inverted. The camera's
/// numbers stay far below the middle.
fn uninverted(story: &Story) -> (Story, Vec<bool>) {
    let inverted = |number: Option<usize>| number.is_some_and(|number| number > INVERTED / 2);
    let edited = story.shown.iter().map(|shown| inverted(shown.number)).collect();
    let mut plain = story.clone();
    for shown in plain.shown.iter_mut().filter(|shown| inverted(shown.number)) {
        shown.number = shown.number.map(|number| INVERTED - number);
    }
    (plain, edited)
}

struct Judged {
    stats: Seen,
    /// How many pictures the reader saw, and how many of them edited.
    shown: u64,
    edited: u64,
}

/// What holds for any troubled code: one connection, sound all along, pictures in their order.
#[track_caller]
fn judge(ending: &Ending, gap_ms: i64) -> Judged {
    let (story, edited) = uninverted(&ending.story());
    story.assert_no_gap_above(gap_ms);
    story.assert_sound_throughout();
    let last = story.shown.last().unwrap().at_ms;
    story.assert_tone_between(story.shown[0].at_ms + 500, last - 1000);
    let stats = ending.stats();
    let dropped = stats.left_out() as usize;
    story.assert_moving(dropped);
    let edited = edited.iter().filter(|edited| **edited).count() as u64;
    assert!(edited > 0, "nothing was edited");
    assert_eq!(stats.count(Count::FramesOut), story.shown.len() as u64, "{stats:?}");
    assert_eq!(stats.count(Count::FramesEdited), edited, "{stats:?}");
    assert_eq!(
        stats.count(Count::FramesIn),
        story.shown.len() as u64 + dropped as u64,
        "not every frame is shown or counted: {stats:?}"
    );
    Judged { stats, shown: story.shown.len() as u64, edited }
}

#[track_caller]
fn run(name: &'static str, options: Vec<std::ffi::OsString>, trouble: &str) -> Ending {
    let mut scene = Script::new(name).options(options).code(troubled(trouble)).start();
    scene.run_a_while();
    scene.wait_for_frames(100);
    scene.finish()
}

/// Five times slower than the camera.
const SLOW: &str = "slow=200";

#[test]
#[ignore = "slow"]
fn slow_code_gets_the_latest_frame() {
    let ending = run("slow-latest", args!["--on-slow=latest"], SLOW);
    let Judged { stats, shown, edited } = judge(&ending, 2000);
    assert_eq!(shown, edited, "each picture that is shown was edited: {stats:?}");
    assert!(stats.count(Count::FramesDropped) > shown, "{stats:?}");
    // One frame in the code's hands and one that waits.
    let latency_ms = stats.latency_ms().unwrap();
    assert!(latency_ms < 2000.0, "latency of {latency_ms} ms");
}

#[test]
#[ignore = "slow"]
fn slow_code_is_bypassed() {
    let ending = run("slow-bypass", args!["--on-slow=bypass"], SLOW);
    let Judged { stats, shown, edited } = judge(&ending, 2000);
    assert_eq!(stats.count(Count::FramesDropped), 0, "{stats:?}");
    assert_eq!(stats.count(Count::FramesBypassed), shown - edited, "{stats:?}");
    assert!(edited < shown / 2, "{edited} of {shown} were edited");
}

/// Every frame is too late: all go out unedited but those that the machine was quick with.
#[test]
#[ignore = "slow"]
fn slow_code_has_a_deadline() {
    let options = args!["--deadline=100ms"];
    let mut scene = Script::new("slow-deadline").options(options).code(troubled(SLOW)).start();
    scene.run_a_while();
    scene.wait_for_frames(100);
    let ending = scene.finish();
    let story = ending.story();
    story.assert_no_gap_above(NO_GAP_MS);
    story.assert_sound_throughout();
    let (plain, _) = uninverted(&story);
    plain.assert_moving(0);
    let stats = ending.stats();
    assert_eq!(stats.count(Count::FramesDropped), 0, "{stats:?}");
    let unedited = story.shown.len() as u64 - stats.count(Count::FramesEdited);
    assert_eq!(stats.count(Count::FramesBypassed), unedited, "{stats:?}");
    assert!(unedited > story.shown.len() as u64 / 2, "{stats:?}");
    let latency_ms = stats.latency_ms().unwrap();
    assert!(latency_ms < 1500.0, "latency of {latency_ms} ms");
}

#[test]
#[ignore = "slow"]
fn a_command_that_dies_every_three_seconds_is_started_again() {
    let options = args!["--on-slow=bypass"];
    let mut scene = Script::new("dies").options(options).code(troubled("dies=3")).start();
    scene.wait("it was started again twice", |seen| seen.count(Count::Restarts) >= 2);
    // And works again.
    let edited = scene.count(Count::FramesEdited);
    scene.wait("frames are edited again", |seen| seen.count(Count::FramesEdited) > edited + 25);
    let ending = scene.finish();
    let Judged { stats, shown, edited } = judge(&ending, 1500);
    assert_eq!(stats.count(Count::FramesDropped), 0, "{stats:?}");
    assert!(shown > edited, "nothing went out unedited");
    assert_eq!(stats.count(Count::FramesBypassed), shown - edited, "{stats:?}");
}

#[test]
#[ignore = "slow"]
fn a_command_that_dies_is_not_started_again_under_bypass() {
    let options = args!["--on-slow=bypass", "--on-error=bypass"];
    let mut scene = Script::new("dies-bypass").options(options).code(troubled("dies=2")).start();
    scene.wait("it has failed", |seen| seen.count(Count::Errors) > 0);
    scene.wait_for_output(50);
    let ending = scene.finish();
    let Judged { stats, .. } = judge(&ending, 1500);
    assert_eq!(stats.count(Count::Restarts), 0, "{stats:?}");
}

#[test]
fn a_command_that_dies_ends_the_run_under_stop() {
    let options = args!["--on-error=stop"];
    let mut scene =
        Script::new("dies-stop").options(options).code(troubled("dies=2")).keeping_a_file().start();
    scene.wait_for_frames(1);
    let ending = scene.await_end();
    assert_eq!(ending.outcome.code(), Some(1), "{}", ending.outcome.stderr);
    crate::harness::judge::assert_playable(&ending.kept);
}

/// What must not be seen unedited: the last edited picture is shown again, or a card where there is none yet.
#[test]
#[ignore = "slow"]
fn no_unedited_picture_is_shown_under_hold() {
    // Words that a COMMAND of this name has hold without being asked to: it is there to hide something.
    let hides = args!["frameloom.detect", "--draw", "blur"];
    for (name, trouble, options, words) in [
        ("hold-dies", "dies=2", args!["--on-error=hold"], args![]),
        ("hold-hangs", "hangs=40", args!["--on-error=hold", "--on-slow=hold"], args![]),
        ("hold-slow", SLOW, args!["--on-slow=hold"], args![]),
        ("hold-dies-shm", "dies=2", args!["--on-error=hold", "--frame-transport=shm"], args![]),
        ("hold-by-default", "dies=2", args![], hides),
    ] {
        let code = [troubled(trouble), words].concat();
        let mut scene = Script::new(name).options(options).code(code).start();
        let fails = trouble != SLOW;
        scene.wait("pictures are held", |seen| {
            let has_failed = !fails || seen.count(Count::Restarts) > 0;
            seen.count(Count::FramesHeld) > 20 && has_failed
        });
        let edited = scene.count(Count::FramesEdited);
        scene.wait("frames are edited again", |seen| seen.count(Count::FramesEdited) > edited + 10);
        let ending = scene.finish();
        let story = ending.story();
        story.assert_sound_throughout();
        let stats = ending.stats();
        assert_eq!(stats.count(Count::FramesBypassed), 0, "{name}: {stats:?}");
        let is_edited = |number: Option<usize>| number.is_none_or(|number| number > INVERTED / 2);
        let shown = story.shown.iter();
        let unedited: Vec<_> = shown.filter(|shown| !is_edited(shown.number)).collect();
        assert!(unedited.is_empty(), "{name}: {unedited:?}");
    }
}

/// The policies are the same where frames are exchanged in shared memory.
#[test]
#[ignore = "slow"]
fn shared_memory_lives_through_the_same() {
    let shm = || args!["--frame-transport=shm", "--on-slow=bypass"];
    let mut scene = Script::new("shm-dies").options(shm()).code(troubled("dies=3")).start();
    scene.wait("it was started again twice", |seen| seen.count(Count::Restarts) >= 2);
    let edited = scene.count(Count::FramesEdited);
    scene.wait("frames are edited again", |seen| seen.count(Count::FramesEdited) > edited + 25);
    let Judged { stats, shown, edited } = judge(&scene.finish(), 1500);
    assert_eq!(stats.count(Count::FramesBypassed), shown - edited, "{stats:?}");

    let latest = args!["--frame-transport=shm", "--on-slow=latest"];
    let Judged { stats, shown, edited } = judge(&run("shm-latest", latest, SLOW), 2000);
    assert_eq!(shown, edited, "each picture that is shown was edited: {stats:?}");
    assert!(stats.count(Count::FramesDropped) > shown, "{stats:?}");

    let deadline = args!["--frame-transport=shm", "--deadline=200ms"];
    let mut scene = Script::new("shm-hangs").options(deadline).code(troubled("hangs=40")).start();
    scene.wait("it was started again", |seen| seen.count(Count::Restarts) >= 1);
    let edited = scene.count(Count::FramesEdited);
    scene.wait("frames are edited again", |seen| seen.count(Count::FramesEdited) > edited + 10);
    let Judged { stats, shown, edited } = judge(&scene.finish(), 1500);
    assert!(shown > edited + 50, "{stats:?}");
}

/// It hangs after a second and a half, in each of its lives.
#[test]
#[ignore = "slow"]
fn a_command_that_hangs_is_killed_and_started_again() {
    let options = args!["--deadline=200ms"];
    let mut scene = Script::new("hangs").options(options).code(troubled("hangs=40")).start();
    scene.wait("it was started again", |seen| seen.count(Count::Restarts) >= 1);
    let edited = scene.count(Count::FramesEdited);
    scene.wait("frames are edited again", |seen| seen.count(Count::FramesEdited) > edited + 10);
    let ending = scene.finish();
    let Judged { stats, shown, edited } = judge(&ending, 1500);
    assert!(shown > edited + 50, "{stats:?}");
}
