//! Another source in the place of the first: its picture, its sound, its clock.

use std::path::Path;

use serde_json::Value;

use super::assert_loss_is_bridged;
use crate::harness::camera::Film;
use crate::harness::scene::{Ending, Scene, Script};
use crate::harness::stats::Count;
use crate::harness::*;

/// A plain camera goes and this one comes, or the other way round by `first`.
fn replaced(name: &'static str, first: Film, second: &Film) -> Ending {
    let mut scene = Script::new(name).film(first).start();
    scene.run_a_while();
    scene.lose_and_replace_camera(second);
    let ending = scene.finish();
    let stats = ending.stats();
    assert_eq!(stats.count(Count::Reconnects), 1, "{stats:?}");
    ending
}

/// The output is what it was at first, in size and sound.
#[track_caller]
fn assert_output_is_the_first_s(ending: &Ending) {
    let info = video_info(&ending.parts[0].file);
    assert_eq!((info["width"].as_u64(), info["height"].as_u64()), (Some(320), Some(240)), "{info}");
    let pictures = decode(&ending.parts[0].file, "gray");
    assert_eq!((pictures.width, pictures.height), (320, 240));
    let streams = probe_streams(&ending.parts[0].file);
    let audio = streams.iter().find(|stream| stream["codec_type"] == "audio").expect("no sound");
    assert_eq!(audio["sample_rate"], "44100", "{audio}");
}

const BACK: std::ops::Range<usize> = Film::SECOND_FIRST..Film::SECOND_FIRST + 500;

#[test]
#[ignore = "slow"]
fn a_source_that_comes_back_larger_is_scaled() {
    let second = Film { size: "640x480", ..Film::second() };
    let ending = replaced("back-larger", Film::plain(), &second);
    assert_loss_is_bridged(&ending.story(), BACK, [25, 25]);
    assert_output_is_the_first_s(&ending);
}

/// The reader's own tools say what size each picture has.
#[test]
#[ignore = "slow"]
fn a_source_that_comes_back_larger_starts_the_encoder_anew_if_asked() {
    let options = args!["--on-resize=restart"];
    let mut scene = Script::new("back-larger-restart").options(options).start();
    scene.run_a_while();
    scene.lose_and_replace_camera(&Film { size: "640x480", ..Film::second() });
    let ending = scene.finish();
    assert_eq!(ending.parts.len(), 1, "the connection on the output was closed");
    assert_eq!(sizes_of(&ending.parts[0].file), [(320, 240), (640, 480)]);
    let times = packets(&ending.parts[0].file, Kind::Video);
    assert!(times.windows(2).all(|two| two[0].dts < two[1].dts), "times don't rise");
}

/// The sizes of the pictures in a file, each where it is another than before.
fn sizes_of(file: &Path) -> Vec<(u64, u64)> {
    let shown = ["-select_streams", "v:0", "-show_entries", "frame=width,height"];
    let shown = judge::ffprobe(file, &shown);
    let frames = shown["frames"].as_array().expect("no pictures");
    let size = |frame: &Value| Some((frame["width"].as_u64()?, frame["height"].as_u64()?));
    let mut sizes: Vec<_> = frames.iter().map(|frame| size(frame).expect("no size")).collect();
    sizes.dedup();
    sizes
}

/// The camera has become a larger one; then the connection on the output breaks and comes back.
fn opened_again_after(mut scene: Scene, grow: impl FnOnce(&mut Scene, &Film)) {
    scene.run_a_while();
    grow(&mut scene, &Film { size: "640x480", profile: "high", ..Film::second() });
    scene.output.refuse();
    scene.output.cut();
    scene.wait_for_loss_of_output();
    scene.output.heal();
    scene.wait_for_return_of_output(0, 75);
    let ending = scene.finish();
    let last = ending.parts.last().expect("the output did not come back");
    assert_eq!(sizes_of(&last.file), [(640, 480)]);
    judge::assert_playable(&last.file);
    let shown = decode(&last.file, "gray").frames;
    assert!(shown.len() >= 20, "{} pictures came back", shown.len());
    assert!(shown.windows(2).all(|two| two[0] != two[1]), "the picture stands still");
}

#[test]
#[ignore = "slow"]
fn an_output_that_is_opened_again_announces_the_picture_that_came_midway() {
    let scene = Script::new("renewed-midway").copying().start();
    // The connection to the camera's server stays: it says what is new in its own stream.
    opened_again_after(scene, |scene, film| {
        scene.replace_camera(film);
        scene.wait_for_frames(75);
    });
}

#[test]
#[ignore = "slow"]
fn an_output_that_is_opened_again_announces_the_picture_that_came_behind_a_loss() {
    let scene = Script::new("renewed-behind-a-loss").copying().start();
    opened_again_after(scene, Scene::lose_and_replace_camera);
}

#[test]
#[ignore = "slow"]
fn an_output_that_is_opened_again_announces_the_encoder_that_runs_now() {
    let options = args!["--on-resize=restart"];
    let scene = Script::new("renewed-encoder").options(options).start();
    opened_again_after(scene, Scene::lose_and_replace_camera);
}

#[test]
#[ignore = "slow"]
fn a_source_that_comes_back_in_another_shape_gets_bars() {
    let second = Film { drawn: "320x180", size: "640x360", ..Film::second() };
    let ending = replaced("back-wider", Film::plain(), &second);
    // The camera's picture stands in the middle: 30 rows above it and 30 below.
    let (below, whole) = (ending.story_with_margin(30), ending.story());
    let back = below
        .shown
        .iter()
        .position(|shown| shown.number.is_some_and(|number| BACK.contains(&number)));
    let back = back.expect("no picture of the second camera between the bars");
    let mut after = below.clone();
    after.shown.drain(..back);
    assert!(after.shown.len() >= 25, "only {} pictures came back", after.shown.len());
    after.assert_moving(0);
    whole.assert_no_gap_above(super::NO_GAP_MS);
    whole.assert_sound_throughout();
    let pictures = decode(&ending.parts[0].file, "gray");
    for gray in &pictures.frames[back..] {
        let bar = |rows: std::ops::Range<usize>| {
            let bytes = &gray[rows.start * 320..rows.end * 320];
            bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>() / bytes.len() as u64
        };
        assert!(bar(0..26) < 30 && bar(214..240) < 30, "no black bars");
    }
    assert_output_is_the_first_s(&ending);
}

#[test]
#[ignore = "slow"]
fn a_source_that_comes_back_at_another_frame_rate() {
    for (name, rate) in [("back-at-15", 15), ("back-at-30", 30)] {
        let ending = replaced(name, Film::plain(), &Film { rate, ..Film::second() });
        let story = ending.story();
        let seam = story.assert_held_once(BACK, super::AT_SEAM);
        super::assert_loss_is_heard(&story, seam, [25, rate]);
        let last = story.shown.last().unwrap();
        let first = story.shown.iter().find(|shown| shown.at_ms >= seam.back_ms).unwrap();
        let (pictures, ms) =
            (last.number.unwrap() - first.number.unwrap(), last.at_ms - first.at_ms);
        let made_rate = pictures as f64 * 1000.0 / ms as f64;
        assert!((made_rate / rate as f64 - 1.0).abs() < 0.1, "{made_rate:.1} pictures a second");
    }
}

#[test]
#[ignore = "slow"]
fn a_source_that_comes_back_with_another_codec_profile() {
    let second = Film { profile: "high", ..Film::second() };
    let ending = replaced("back-in-high", Film::plain(), &second);
    assert_loss_is_bridged(&ending.story(), BACK, [25, 25]);
    assert_output_is_the_first_s(&ending);
}

#[test]
#[ignore = "slow"]
fn a_source_that_comes_back_without_sound_is_silent() {
    let second = Film { sample_rate: None, ..Film::second() };
    let ending = replaced("back-without-sound", Film::plain(), &second);
    let story = ending.story();
    story.assert_no_gap_above(2_500);
    story.assert_sound_throughout();
    let seam = story.assert_held_once(BACK, super::AT_SEAM);
    story.assert_silent_between(seam.lost_ms + 700, i64::MAX);
    story.assert_tone_between(story.shown[0].at_ms + 300, seam.lost_ms - 300);
}

/// A live output has no room for a stream that was not there at its beginning; the picture goes on.
#[test]
#[ignore = "slow"]
fn a_source_that_comes_back_with_sound_where_it_had_none() {
    let first = Film { sample_rate: None, ..Film::plain() };
    let ending = replaced("back-with-sound", first, &Film::second());
    let story = ending.story();
    let seam = story.assert_held_once(BACK, super::AT_SEAM);
    assert!(seam.back_ms > seam.lost_ms);
}

#[test]
#[ignore = "slow"]
fn a_source_that_comes_back_at_another_sample_rate_is_resampled() {
    let second = Film { sample_rate: Some(48_000), ..Film::second() };
    let ending = replaced("back-at-48000-hz", Film::plain(), &second);
    assert_loss_is_bridged(&ending.story(), BACK, [25, 25]);
    assert_output_is_the_first_s(&ending);
}

#[test]
#[ignore = "slow"]
fn a_source_whose_clock_starts_high_goes_on_where_the_first_was() {
    // Beyond 16,777,215 ms, where RTMP's timestamps are extended.
    let second = Film { clock_s: 20_000, ..Film::second() };
    let ending = replaced("back-at-a-high-clock", Film::plain(), &second);
    let story = ending.story();
    assert_loss_is_bridged(&story, BACK, [25, 25]);
    assert!(story.shown.last().unwrap().at_ms < 120_000, "the output's clock jumped");
}

/// The publisher is another, and the connection of frameloom to the server is not lost: nginx
/// has players wait for the next publisher.
#[test]
#[ignore = "slow"]
fn a_source_that_is_replaced_at_once() {
    let mut scene = Script::new("replaced-at-once").start();
    scene.run_a_while();
    scene.replace_camera(&Film { clock_s: 300, ..Film::second() });
    scene.wait_for_frames(75);
    let ending = scene.finish();
    let story = ending.story();
    story.assert_no_gap_above(super::NO_GAP_MS);
    story.assert_sound_throughout();
    story.assert_moving(Film::SECOND_FIRST);
    assert!(story.shown.last().unwrap().number >= Some(Film::SECOND_FIRST + 40));
}
