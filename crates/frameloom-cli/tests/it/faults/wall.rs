//! A wall of cameras in one picture, by a filter graph: whatever becomes of a camera, the wall goes on.

use std::ffi::OsString;
use std::path::Path;

use super::assert_one_whole_recording;
use crate::harness::camera::{Camera, Film};
use crate::harness::clips::CELL;
use crate::harness::pixels::decode_with;
use crate::harness::proxy::{Proxy, Way};
use crate::harness::recorder::Recorder;
use crate::harness::scene::encoding;
use crate::harness::stats::{Count, Seen};
use crate::harness::story::number_in;
use crate::harness::*;

const TILE: (usize, usize) = (208, 160);

/// Cameras whose numbers tell them apart for as long as a test runs.
const FIRST: [usize; 4] = [0, 800, 1600, 2400];

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// The same picture so often is held.
const HELD: usize = 12;

fn film(place: usize) -> Film {
    Film { first: FIRST[place], drawn: "208x160", size: "208x160", ..Film::plain() }
}

/// A picture of each tile at one time: how far the camera's film was.
type Tiles = Vec<Option<usize>>;

/// What the tiles show in each picture of the wall.
fn tiles(file: &Path) -> Vec<Tiles> {
    let pictures = decode_with(args!["-copyts", "-i", file], "gray");
    let (width, height) = TILE;
    assert_eq!((pictures.width, pictures.height), (2 * width, 2 * height));
    let read = |gray: &Vec<u8>, place: usize| {
        let (left, top) = (place % 2 * width, place / 2 * height);
        // A tile's lower edge, from its left on.
        let row = (top + height - CELL / 2) * pictures.width + left;
        let number = number_in(&gray[row..], pictures.width, 0)?;
        let shown = number.checked_sub(FIRST[place]);
        Some(shown.unwrap_or_else(|| panic!("tile {place} shows {number} of another camera")))
    };
    pictures.frames.iter().map(|gray| (0..4).map(|place| read(gray, place)).collect()).collect()
}

/// The parts of a tile's numbers in which they move, as places in the list.
fn moving(numbers: &[Option<usize>]) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let (mut from, mut same) = (0, 0);
    for at in 1..=numbers.len() {
        let is_same = numbers.get(at).is_some_and(|number| *number == numbers[at - 1]);
        match is_same {
            true => same += 1,
            false if same >= HELD => {
                if at - 1 - same > from {
                    parts.push(from..at - 1 - same);
                }
                (from, same) = (at, 0);
            }
            false => same = 0,
        }
    }
    if numbers.len() > from {
        parts.push(from..numbers.len());
    }
    parts
}

/// How far one tile is before the first, in the middle of all pictures of a part.
fn lead(wall: &[Tiles], place: usize, part: &std::ops::Range<usize>) -> i64 {
    let number = |tiles: &Tiles, place: usize| tiles[place].map(|n| i64::try_from(n).unwrap());
    let both = wall[part.clone()].iter().map(|t| Some(number(t, place)? - number(t, 0)?));
    let mut leads: Vec<i64> = both.flatten().collect();
    assert!(leads.len() > 20, "tile {place} is told in {} pictures", leads.len());
    leads.sort_unstable();
    leads[leads.len() / 2]
}

/// Of pictures in which two tiles move, the share in which they are no further apart than `most` frames
/// from what is usual, in percent.
fn in_step(wall: &[Tiles], place: usize, part: &std::ops::Range<usize>, most: i64) -> usize {
    let usual = lead(wall, place, part);
    let all = &wall[part.clone()];
    let is_near = |tiles: &&Tiles| match (tiles[place], tiles[0]) {
        (Some(one), Some(first)) => {
            let lead = i64::try_from(one).unwrap() - i64::try_from(first).unwrap();
            (lead - usual).abs() <= most
        }
        _ => false,
    };
    100 * all.iter().filter(is_near).count() / all.len()
}

fn graph() -> Vec<OsString> {
    let graph = "[0:v][1:v][2:v][3:v]xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0[wall];\
                 [0:a][1:a]amix[sound]";
    args!["-filter_complex", graph, "-map", "[wall]", "-map", "[sound]"]
}

/// Of four cameras one is killed, one says nothing though its connection stays, and one comes back in
/// another size. The player sees a wall that never stops, in which each tile is the right one, and those
/// that move are in step.
#[test]
#[ignore = "slow"]
fn a_wall_of_cameras_never_stops() {
    let (source, target, room) = (Nginx::start(), Nginx::start(), room());
    let recorder = Recorder::start(target.url("out"), room.path());
    target.wait_for_player("out");
    let start = |place: usize, film: &Film| Camera::start(film, &source.url(NAMES[place]));
    let mut cameras: Vec<Option<Camera>> = (0..4).map(|n| Some(start(n, &film(n)))).collect();
    for name in NAMES {
        wait_until("the cameras publish", || source.times_published(name) > 0);
    }
    let proxies: Vec<Proxy> = NAMES.iter().map(|_| Proxy::to(source.port())).collect();
    let mut words = args!["--stats=json", "--stall-timeout=1s"];
    for (proxy, name) in proxies.iter().zip(NAMES) {
        words.extend(args!["-i", Nginx::url_by(proxy.port(), name)]);
    }
    words.extend(
        [graph(), encoding(), args!["-c:a", "aac", "-f", "flv", target.url("out")]].concat(),
    );
    let running = frameloom(words).limit_s(240).spawn();
    let frames = || Seen::all(&running.stderr()).pop().map_or(0, |s| s.count(Count::FramesOut));
    let wait_for = |more: u64| {
        let from = frames();
        wait_until("the wall goes on", || frames() > from + more);
    };
    wait_for(100);
    cameras[1].take().unwrap().kill();
    wait_for(75);
    proxies[2].stall(Way::Down);
    wait_for(100);
    cameras[3].take().unwrap().kill();
    wait_for(50);
    let larger = Film { drawn: "208x160", size: "416x320", ..film(3) };
    cameras[3] = Some(start(3, &larger));
    cameras[1] = Some(start(1, &film(1)));
    proxies[2].heal();
    wait_for(250);
    running.signal("INT");
    let ended = running.wait().ok();
    drop(cameras);
    let parts = recorder.finish();
    assert_one_whole_recording(&parts, &ended.stderr);
    let wall = tiles(&parts[0].file);
    for place in 0..4 {
        let numbers: Vec<Option<usize>> = wall.iter().map(|tiles| tiles[place]).collect();
        let parts = moving(&numbers);
        let expected = if place == 0 { 1 } else { 2 };
        assert_eq!(parts.len(), expected, "tile {place} moves in {parts:?}: {numbers:?}");
        if place == 0 {
            continue;
        }
        for part in &parts {
            let share = in_step(&wall, place, part, 1);
            assert!(share >= 80, "tile {place} is in step in {share} % of {part:?}");
        }
        assert!(parts[1].end == numbers.len(), "tile {place} stands still at the end: {numbers:?}");
    }
    // The camera that only was not heard is where it would have been.
    let third: Vec<Option<usize>> = wall.iter().map(|tiles| tiles[2]).collect();
    let parts = moving(&third);
    let leads = [lead(&wall, 2, &parts[0]), lead(&wall, 2, &parts[1])];
    assert!((leads[0] - leads[1]).abs() <= 2, "{leads:?}");
}
