//! The judges themselves, on stories made by hand.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::harness::camera::Film;
use crate::harness::scene::Script;
use crate::harness::stats::Count;
use crate::harness::story::{Heard, Seam, Shown, Stamp, Story};

/// 25 pictures a second with these numbers, tones at these levels for each 20 ms.
fn story(numbers: &[usize], levels: &[f64]) -> Story {
    let at = |i: usize, step: i64| i as i64 * step;
    let shown = |(i, &number): (usize, &usize)| Shown { at_ms: at(i, 40), number: Some(number) };
    let heard = |(i, &level_db): (usize, &f64)| Heard { at_ms: at(i, 20), level_db };
    let stamps = |count, step| {
        (0..count).map(|i| Stamp { dts: at(i, step), pts: at(i, step) }).collect::<Vec<_>>()
    };
    Story {
        video: stamps(numbers.len(), 40),
        audio: stamps(levels.len(), 20),
        shown: numbers.iter().enumerate().map(shown).collect(),
        heard: levels.iter().enumerate().map(heard).collect(),
        said: String::new(),
    }
}

#[track_caller]
fn fails(what: &str, judge: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(judge)).is_err(), "{what} passed");
}

/// Fifty pictures, the last of them held for a second, and fifty others.
fn bridged() -> Vec<usize> {
    (0..50).chain([49; 25]).chain(2003..2053).collect()
}

#[test]
fn a_held_picture_is_found_with_its_seam() {
    let seam = story(&bridged(), &[]).assert_held_once(2000..2010, 0);
    assert_eq!(seam, Seam { lost_ms: 49 * 40, back_ms: 75 * 40 });
    fails("another camera", || {
        story(&bridged(), &[]).assert_held_once(0..100, 0);
    });
    fails("nothing held", || {
        story(&(0..100).collect::<Vec<_>>(), &[]).assert_held_once(0..100, 0);
    });
    fails("a picture missing before the loss", || {
        let numbers: Vec<_> = (0..20).chain(21..50).chain([49; 25]).chain(60..90).collect();
        story(&numbers, &[]).assert_held_once(60..61, 5);
    });
    let carded: Vec<_> = (0..50).chain([7; 25]).chain(60..90).collect();
    let seam = story(&carded, &[]).assert_bridged_once(60..61, 0);
    assert_eq!(seam, Seam { lost_ms: 50 * 40, back_ms: 75 * 40 });
    fails("a card in the place of the last picture", || {
        story(&carded, &[]).assert_held_once(60..61, 0);
    });
    fails("it stays away", || {
        let numbers: Vec<_> = (0..50).chain([49; 25]).collect();
        story(&numbers, &[]).assert_held_once(0..100, 5);
    });
}

#[test]
fn pictures_move_one_by_one() {
    let numbers: Vec<_> = (0..20).chain(22..40).collect();
    story(&numbers, &[]).assert_moving(2);
    fails("two missing", || story(&numbers, &[]).assert_moving(1));
    fails("a step back", || story(&[5, 6, 5, 7], &[]).assert_moving(9));
}

#[test]
fn times_rise_or_are_found_not_to() {
    let good = story(&[0, 1, 2, 3], &[-20.0; 8]);
    good.assert_times_rise();
    good.assert_no_gap_above(40);
    let broken = |change: fn(&mut Story)| {
        let mut story = good.clone();
        change(&mut story);
        story
    };
    fails("the same dts twice", || broken(|s| s.video[2].dts = 40).assert_times_rise());
    fails("sound that goes back", || broken(|s| s.audio[3].dts = 0).assert_times_rise());
    fails("shown before it is decoded", || broken(|s| s.video[1].pts = 0).assert_times_rise());
    fails("the reader's word", || {
        broken(|s| s.said = "Non-monotonous DTS in output stream".into()).assert_times_rise();
    });
    fails("a picture away", || {
        broken(|s| {
            s.shown.remove(1);
        })
        .assert_no_gap_above(40);
    });
    fails("sound away", || broken(|s| drop(s.audio.drain(2..5))).assert_no_gap_above(40));
}

#[test]
fn tones_silence_and_their_sync_are_heard() {
    // The louder tone 40 ms behind the picture of each second's beginning.
    let tone = |i: usize| if (2..7).contains(&(i % 50)) { -9.0 } else { -23.0 };
    let mut levels: Vec<f64> = (0..250).map(tone).collect();
    levels[100..150].fill(f64::NEG_INFINITY);
    let numbers: Vec<_> = (0..50).chain([49; 25]).chain(75..125).collect();
    let story = story(&numbers, &levels);
    story.assert_silent_between(2000, 3000);
    story.assert_tone_between(0, 2000);
    fails("a tone in the silence", || story.assert_silent_between(1900, 3000));
    fails("a hole in the tone", || story.assert_tone_between(1500, 2100));
    fails("no sound at all", || story.assert_silent_between(9000, 9500));
    assert_eq!(story.sync(0, 2000, 25), [40, 40]);
    let seam = Seam { lost_ms: 49 * 40, back_ms: 75 * 40 };
    story.assert_in_sync_behind(seam, [25, 25]);
    let mut late = story.clone();
    late.heard.iter_mut().filter(|one| one.at_ms > 3000).for_each(|one| one.at_ms += 120);
    fails("sound that is late behind the seam", || late.assert_in_sync_behind(seam, [25, 25]));
}

/// With nothing broken the harness sees nothing broken, also without any reconnecting.
#[test]
#[ignore = "slow"]
fn a_scene_without_a_fault() {
    for (name, options) in [("plain", args![]), ("no-reconnect", args!["--no-reconnect"])] {
        let mut scene = Script::new(name).options(options).keeping_a_file().start();
        scene.wait_for_frames(60);
        let ending = scene.finish();
        let story = ending.story();
        story.assert_no_gap_above(super::NO_GAP_MS);
        story.assert_sound_throughout();
        story.assert_moving(0);
        let last = story.shown.last().unwrap().at_ms;
        story.assert_tone_between(story.shown[0].at_ms + 300, last - 300);
        assert!(story.sync(0, i64::MAX, 25).iter().all(|away| away.abs() <= 100));
        assert_eq!(Story::of_file(&ending.kept, 0).shown.len(), story.shown.len());
        let stats = ending.stats();
        // Counted for each of the two outputs.
        assert_eq!(stats.count(Count::FramesOut), 2 * story.shown.len() as u64);
        assert_eq!(stats.count(Count::FramesIn), story.shown.len() as u64);
        for none in [Count::FramesHeld, Count::Reconnects, Count::PacketsDropped] {
            assert_eq!(stats.count(none), 0, "{none:?}");
        }
    }
}

/// Each film shows what the tests take it for.
#[test]
fn films_are_what_they_say() {
    for film in [Film::plain(), Film::second()] {
        let story = Story::of_file(&film.file(), 0);
        story.assert_moving(0);
        assert_eq!(story.shown[0].number, Some(film.first));
        story.assert_tone_between(100, 59_000);
        let sync = story.sync(0, 59_000, film.rate);
        assert!(sync.len() >= 55 && sync.iter().all(|away| away.abs() <= 60), "{sync:?}");
    }
}
