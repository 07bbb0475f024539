//! Video that nobody touches is copied (`--on-untouched=copy`), and lives through what breaks.

use super::{NO_GAP_MS, assert_loss_is_bridged};
use crate::harness::camera::Film;
use crate::harness::scene::Script;
use crate::harness::stats::Count;

const SECOND: std::ops::Range<usize> = Film::SECOND_FIRST..Film::SECOND_FIRST + 500;

#[test]
#[ignore = "slow"]
fn untouched_video_is_copied_without_a_gap() {
    let options = args!["--on-untouched=copy"];
    let mut scene = Script::new("untouched").options(options).code(args!["cat"]).start();
    scene.run_a_while();
    scene.wait_for_frames(100);
    let ending = scene.finish();
    let story = ending.story();
    story.assert_no_gap_above(NO_GAP_MS);
    story.assert_sound_throughout();
    let stats = ending.stats();
    assert_eq!(stats.count(Count::FramesEdited), 0, "{stats:?}");
    assert!(stats.count(Count::FramesCopied) > 90, "{stats:?}");
}

#[test]
#[ignore = "slow"]
fn a_loss_is_bridged_by_encoded_pictures_and_copying_goes_on_behind_it() {
    let options = args!["--on-untouched=copy", "--untouched-after=0"];
    let mut scene = Script::new("untouched-loss").options(options).code(args!["cat"]).start();
    scene.run_a_while();
    scene.lose_and_replace_camera(&Film::second());
    let copied = scene.count(Count::FramesCopied);
    scene.wait("copying goes on", |seen| seen.count(Count::FramesCopied) > copied + 50);
    let ending = scene.finish();
    assert_loss_is_bridged(&ending.story(), SECOND, [25, 25]);
    let stats = ending.stats();
    assert!(stats.count(Count::FramesHeld) > 0, "{stats:?}");
}
