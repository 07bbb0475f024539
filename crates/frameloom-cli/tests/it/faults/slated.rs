//! A card in place of what is lost, where several live inputs go through a graph.

use super::assert_one_whole_recording;
use crate::harness::camera::{Camera, Film};
use crate::harness::clips::CELL;
use crate::harness::pixels::decode_with;
use crate::harness::recorder::Recorder;
use crate::harness::scene::encoding;
use crate::harness::stats::Stats;
use crate::harness::story::number_in;
use crate::harness::*;

const TILE: (usize, usize) = (208, 160);

/// The first number of each camera's film.
const FIRST: [usize; 2] = [0, 2000];

/// The shades of the built-in card, and how far an encoder may be off.
const DARK: u8 = 32;
const LIGHT: u8 = 224;
const OFF: u8 = 14;

/// A part of a picture by its left upper corner and its size.
pub(super) fn tile_of(
    gray: &[u8],
    width: usize,
    (left, top): (usize, usize),
    (across, down): (usize, usize),
) -> Vec<u8> {
    let row = |y: usize| &gray[(top + y) * width + left..][..across];
    (0..down).flat_map(row).copied().collect()
}

/// Whether a tile shows the built-in card, brought to its size with bars: dark all round, and light words in
/// the middle, which fill about a sixth of the rows that they are in.
pub(super) fn is_card(tile: &[u8], (width, height): (usize, usize)) -> bool {
    let near = |level: u8, shade: u8| level.abs_diff(shade) <= OFF;
    let row = |y: usize| &tile[y * width..][..width];
    let card_height = width * 9 / 16;
    let top = (height - card_height) / 2;
    let is_dark = |y: usize| row(y).iter().all(|level| near(*level, DARK));
    let dark = [top + 8, top + card_height / 4, top + card_height * 3 / 4, top + card_height - 8];
    let middle = (height / 2 - 8..height / 2 + 8).flat_map(row);
    let light = middle.clone().filter(|level| near(**level, LIGHT)).count();
    let bars = [2, height - 3].iter().all(|y| row(*y).iter().all(|level| *level < DARK - OFF));
    bars && dark.into_iter().all(is_dark) && light * 12 > middle.count()
}

/// Of two cameras one is lost: its tile shows the card, and no more its last picture, until it is back. The
/// other goes on.
#[test]
#[ignore = "slow"]
fn a_tile_shows_the_card_while_its_camera_is_lost() {
    let (source, target, room) = (Nginx::start(), Nginx::start(), room());
    let recorder = Recorder::start(target.url("out"), room.path());
    target.wait_for_player("out");
    let film =
        |n: usize| Film { first: FIRST[n], drawn: "208x160", size: "208x160", ..Film::plain() };
    let first = Camera::start(&film(0), &source.url("a"));
    let second = Camera::start(&film(1), &source.url("b"));
    for name in ["a", "b"] {
        wait_until("the cameras publish", || source.times_published(name) > 0);
    }
    let inputs = args!["--on-loss=slate", "-i", source.url("a"), "-i", source.url("b")];
    let graph = "[0:v][1:v]hstack[wall];[0:a][1:a]amix[sound]";
    let maps = args!["-filter_complex", graph, "-map", "[wall]", "-map", "[sound]"];
    let to = args!["-c:a", "aac", "-f", "flv", target.url("out")];
    let words = [args!["--stats=json"], inputs, maps, encoding(), to].concat();
    let running = frameloom(words).limit_s(240).spawn();
    let stats = Stats(&running);
    stats.wait_for_frames(75);
    second.kill();
    stats.wait_for_lost(&[false, true]);
    stats.wait_for_frames(100);
    let second = Camera::start(&film(1), &source.url("b"));
    stats.wait_for_lost(&[false; 2]);
    stats.wait_for_frames(100);
    running.signal("INT");
    let ended = running.wait().ok();
    drop((first, second));
    let parts = recorder.finish();
    assert_one_whole_recording(&parts, &ended.stderr);

    let pictures = decode_with(args!["-i", &parts[0].file], "gray");
    assert_eq!((pictures.width, pictures.height), (2 * TILE.0, TILE.1));
    let row = (TILE.1 - CELL / 2) * pictures.width;
    let number = |gray: &Vec<u8>, n: usize| number_in(&gray[row + n * TILE.0..], pictures.width, 0);
    let all: Vec<_> = pictures.frames.iter().map(|gray| number(gray, 0)).collect();
    assert!(all.iter().all(|n| n.is_some_and(|n| n < FIRST[1])), "the other goes on: {all:?}");
    let card = |gray: &Vec<u8>| is_card(&tile_of(gray, pictures.width, (TILE.0, 0), TILE), TILE);
    let cards: Vec<bool> = pictures.frames.iter().map(card).collect();
    let shown: Vec<_> = pictures.frames.iter().map(|gray| number(gray, 1)).collect();
    let begin = cards.iter().position(|is_card| *is_card).expect("no card is seen");
    let end = cards.iter().rposition(|is_card| *is_card).unwrap() + 1;
    assert!(cards[begin..end].iter().all(|is_card| *is_card), "one card, all along: {cards:?}");
    assert!(end - begin >= 60, "the card is seen in {} pictures", end - begin);
    let is_own = |n: &Option<usize>| n.is_some_and(|n| n >= FIRST[1]);
    let (before, behind) = (&shown[..begin], &shown[end..]);
    assert!(before.len() >= 75 && before.iter().all(is_own), "before the card: {before:?}");
    assert!(behind.len() >= 75 && behind.iter().all(is_own), "behind it: {behind:?}");
    // It is the last picture that is shown at first, for a second.
    let held = before.iter().rev().take_while(|n| **n == before[begin - 1]).count();
    assert!((15..50).contains(&held), "the last picture is held {held} times");
}
