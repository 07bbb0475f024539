//! A picture in a picture, two voices mixed, and a file beside them: one graph of live inputs and a stored
//! one, of which a live one is lost.

use std::ffi::OsString;
use std::path::Path;

use super::assert_one_whole_recording;
use crate::harness::camera::{Camera, Film};
use crate::harness::clips::{CELL, counted_from};
use crate::harness::pixels::{Pictures, decode_with};
use crate::harness::recorder::Recorder;
use crate::harness::scene::encoding;
use crate::harness::stats::Stats;
use crate::harness::story::{Heard, levels, number_in};
use crate::harness::*;

/// The first numbers of the large picture, of the small one, and of the file.
const FIRST: [usize; 3] = [0, 1500, 3000];

/// Where each one's numbers are: rows of the whole picture, at its left.
const ROWS: [usize; 3] = [240 - CELL / 2, 160 - CELL / 2, 224 - CELL / 2];

/// The tones of the two cameras, in Hz.
const TONES: [u32; 2] = [440, 1500];

/// The same picture so often is held.
const HELD: usize = 12;

/// How many pictures the file has until it begins anew.
const FILE_PICTURES: usize = 100;

/// A tone that is heard is above this, one that isn't is below the other.
const HEARD_DB: f64 = -45.0;
const SILENT_DB: f64 = -60.0;

fn films() -> [Film; 2] {
    let small = Film { drawn: "208x160", size: "208x160", ..Film::plain() };
    let film = |camera: usize, film| Film { first: FIRST[camera], tone: TONES[camera], ..film };
    [film(0, Film::plain()), film(1, small)]
}

/// The large picture with the small one and the file's in it.
fn words(inputs: [String; 2], out: &str) -> Vec<OsString> {
    let file = counted_from(FIRST[2], "208x60", "25", 4);
    let recipe = format!("-f lavfi -i {file} -c:v libx264 -qp 0 -bf 0 -pix_fmt yuv420p");
    let file = clip("banner.mp4", &recipe);
    let graph = "[0:v][1:v]overlay=0:0[both];[both][2:v]overlay=0:164[v];[0:a][1:a]amix[a]";
    let [large, small] = inputs;
    let inputs = args!["-i", large, "-i", small, "-stream_loop", "-1", "-i", file];
    let maps = args!["-filter_complex", graph, "-map", "[v]", "-map", "[a]"];
    let to = args!["-c:a", "aac", "-b:a", "128k", "-f", "flv", out];
    [args!["--stats=json", "--stall-timeout=2s"], inputs, maps, encoding(), to].concat()
}

/// What each of the three shows, picture by picture.
fn numbers(pictures: &Pictures) -> [Vec<usize>; 3] {
    [0, 1, 2].map(|which| {
        let read = |gray: &Vec<u8>| number_in(gray, pictures.width, ROWS[which]);
        let own = |number: usize| number.checked_sub(FIRST[which]).filter(|n| *n < 1500);
        let all = pictures.frames.iter().enumerate().map(|(at, gray)| {
            let number = read(gray).and_then(own);
            number.unwrap_or_else(|| panic!("nothing of {which} can be read in picture {at}"))
        });
        all.collect()
    })
}

/// How loud the tone is by itself: the middle of each tenth of a second, for levels leap with the window.
fn tone(file: &Path, hz: u32) -> Vec<Heard> {
    let band = format!("bandpass=f={hz}:width_type=h:width=80,");
    let all = levels(file, &format!("{band}{band}{band}"));
    let pieces = all.chunks(5).filter(|piece| piece.len() == 5);
    let middle = pieces.map(|piece| {
        let mut sorted: Vec<f64> = piece.iter().map(|heard| heard.level_db).collect();
        sorted.sort_by(f64::total_cmp);
        Heard { at_ms: piece[2].at_ms, level_db: sorted[2] }
    });
    middle.collect()
}

/// Both voices are heard, and both pictures move, beside a file that is read as the stream goes. Then one
/// camera is lost: its picture is held and its voice is silent, and all else goes on as if nothing had
/// happened. It comes back where it was.
#[test]
#[ignore = "slow"]
fn a_voice_and_a_picture_in_a_picture_come_and_go() {
    let (source, target, room) = (Nginx::start(), Nginx::start(), room());
    let recorder = Recorder::start(target.url("out"), room.path());
    target.wait_for_player("out");
    let [large, small] = films();
    let first = Camera::start(&large, &source.url("large"));
    let second = Camera::start(&small, &source.url("small"));
    for name in ["large", "small"] {
        wait_until("the cameras publish", || source.times_published(name) > 0);
    }
    let inputs = [source.url("large"), source.url("small")];
    let running = frameloom(words(inputs, &target.url("out"))).limit_s(240).spawn();
    let stats = Stats(&running);
    stats.wait_for_frames(125);
    second.kill();
    // A file is never lost.
    stats.wait_for_lost(&[false, true, false]);
    stats.wait_for_frames(100);
    let second = Camera::start(&small, &source.url("small"));
    stats.wait_for_lost(&[false; 3]);
    stats.wait_for_frames(125);
    running.signal("INT");
    let ended = running.wait().ok();
    drop((first, second));
    let parts = recorder.finish();
    let story = assert_one_whole_recording(&parts, &ended.stderr);

    let [large, small, file] =
        numbers(&decode_with(args!["-copyts", "-i", &parts[0].file], "gray"));
    assert!(moves(&large), "the large picture goes on: {large:?}");
    // The file knows no other clock than the graph's.
    for (at, pair) in file.windows(2).enumerate() {
        let next = (pair[0] + 1) % FILE_PICTURES;
        assert!(pair[1] == next, "the file shows {pair:?} at picture {at}: {file:?}");
    }
    let same = |at: &usize| small[*at] == small[*at - 1];
    let held: Vec<usize> = (1..small.len()).filter(same).collect();
    let held = longest_row(&held);
    assert!(held.len() > 75, "the small picture is held in {held:?}: {small:?}");
    assert!(moves(&small[..held.start]), "it moves before: {small:?}");
    assert!(moves(&small[held.end + 50..]), "it moves again: {small:?}");

    let at = |picture: usize| story.shown[picture].at_ms;
    let [one, other] = TONES.map(|hz| tone(&parts[0].file, hz));
    let within = |heard: &[Heard], from: i64, to: i64| -> Vec<f64> {
        let inside = heard.iter().filter(|heard| (from..to).contains(&heard.at_ms));
        inside.map(|heard| heard.level_db).collect()
    };
    let end = at(story.shown.len() - 1);
    let whole = within(&one, at(0) + 500, end - 1000);
    assert!(whole.len() > 100, "{whole:?}");
    assert!(whole.iter().all(|level| *level > HEARD_DB), "the first voice goes on: {whole:?}");
    let lost = within(&other, at(held.start) + 1000, at(held.end) - 1000);
    assert!(lost.len() > 10, "{lost:?}");
    assert!(lost.iter().all(|level| *level < SILENT_DB), "the second voice is silent: {lost:?}");
    for (from, to) in [(at(0) + 500, at(held.start) - 500), (at(held.end) + 1500, end - 1000)] {
        let there = within(&other, from, to);
        assert!(there.len() > 15, "{from} to {to}: {other:?}");
        assert!(there.iter().all(|level| *level > HEARD_DB), "it is heard: {there:?}");
    }
}

/// Whether numbers never go back, and none stays for long.
fn moves(numbers: &[usize]) -> bool {
    let goes_back = numbers.windows(2).any(|pair| pair[1] < pair[0]);
    let stays = numbers.windows(HELD).any(|all| all.iter().all(|number| *number == all[0]));
    !goes_back && !stays
}

/// The longest run of numbers that follow each other.
fn longest_row(numbers: &[usize]) -> std::ops::Range<usize> {
    let mut rows: Vec<std::ops::Range<usize>> = Vec::new();
    for number in numbers {
        match rows.last_mut() {
            Some(row) if row.end == *number => row.end += 1,
            _ => rows.push(*number..number + 1),
        }
    }
    rows.into_iter().max_by_key(std::ops::Range::len).unwrap_or_default()
}
