//! What breaks all day long, and what a reader of the output sees of it.
//!
//! Each test plays a whole scene: a camera, two servers, frameloom, a reader that keeps every
//! packet, and proxies between them. Its random choices come from a seed that it prints;
//! `FRAMELOOM_TEST_SEED` sets another.

mod changes;
mod code;
mod input;
mod judges;
mod missing;
mod mix;
mod output;
mod proxy;
mod several;
mod slated;
mod stopping;
mod untouched;
mod wall;

use crate::harness::recorder::Part;
use crate::harness::story::{Seam, Story};

/// Longest time between two pictures of a stream that is never interrupted, on a busy machine.
const NO_GAP_MS: i64 = 700;

/// Pictures that may be missing where a source comes back: those that a burst of it brings for
/// times that held pictures have taken.
const AT_SEAM: usize = 50;

/// What a reader sees of any loss of the input: one connection, a picture that is held, a tone,
/// silence, and picture and tone again, as far apart as before.
#[track_caller]
fn assert_loss_is_bridged(story: &Story, again: std::ops::Range<usize>, rates: [usize; 2]) -> Seam {
    let seam = story.assert_held_once(again, AT_SEAM);
    assert_loss_is_heard(story, seam, rates);
    seam
}

/// The story of what one reader kept of a stream that nothing interrupted: no picture and no sound is
/// missing. `said` is what frameloom said of it.
#[track_caller]
fn assert_one_whole_recording(parts: &[Part], said: &str) -> Story {
    assert_eq!(parts.len(), 1, "{said}");
    let story = Story::of(&parts[0]);
    story.assert_times_rise();
    story.assert_no_gap_above(NO_GAP_MS);
    story.assert_sound_throughout();
    story
}

/// What goes for any loss, whatever was shown meanwhile.
#[track_caller]
fn assert_loss_is_heard(story: &Story, seam: Seam, rates: [usize; 2]) {
    story.assert_no_gap_above(NO_GAP_MS);
    story.assert_sound_throughout();
    // What was on its way when the loss began still sounds, and so does what comes back first.
    story.assert_tone_between(story.shown[0].at_ms + 300, seam.lost_ms - 300);
    story.assert_silent_between(seam.lost_ms + 700, seam.back_ms - 700);
    story.assert_in_sync_behind(seam, rates);
}
