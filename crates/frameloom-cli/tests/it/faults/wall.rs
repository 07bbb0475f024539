//! A wall of cameras in one picture, by a filter graph: whatever becomes of a camera, the wall goes on.

use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use super::assert_one_whole_recording;
use crate::harness::camera::Film;
use crate::harness::clips::CELL;
use crate::harness::pixels::decode_with;
use crate::harness::proxy::{Proxy, Way};
use crate::harness::recorder::Recorder;
use crate::harness::scene::encoding;
use crate::harness::stats::Stats;
use crate::harness::story::number_in;
use crate::harness::timed_camera::{TimedCamera, apart_ms};
use crate::harness::*;

const TILE: (usize, usize) = (208, 160);

/// Pictures a second of each camera, and its film's first number: they tell the cameras apart.
const RATES: [usize; 4] = [25, 20, 15, 8];
const FIRST: [usize; 4] = [0, 1500, 2700, 3600];

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// The same picture so often is held: on a busy machine for a moment, and because its camera is lost.
const HELD: usize = 12;
const LOST: usize = 40;

/// Pictures of the wall in which a camera that goes on again is not judged yet.
const SETTLING: usize = 50;

/// What the network and this machine may add to how far two cameras are apart, in milliseconds.
const NOISE_MS: i64 = 25;

fn film(place: usize) -> Film {
    let (first, rate) = (FIRST[place], RATES[place]);
    Film { first, rate, drawn: "208x160", size: "208x160", ..Film::plain() }
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
        let own = FIRST[place]..FIRST[place] + 60 * RATES[place];
        assert!(own.contains(&number), "tile {place} shows {number} of another camera");
        Some(number - FIRST[place])
    };
    pictures.frames.iter().map(|gray| (0..4).map(|place| read(gray, place)).collect()).collect()
}

/// The parts of a tile's numbers in which they move, as places in the list. One that stays so often as
/// `held` says doesn't.
fn moving(numbers: &[Option<usize>], held: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut from, mut same) = (0, 0);
    for at in 1..=numbers.len() {
        let is_same = numbers.get(at).is_some_and(|number| *number == numbers[at - 1]);
        match is_same {
            true => same += 1,
            false if same >= held => {
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

/// How much further than a picture of the slower one two cameras are apart, in milliseconds, for each
/// picture of the wall in which both move.
fn out_of_step(wall: &[Tiles], parts: &[Vec<Range<usize>>], pair: [usize; 2]) -> Vec<i64> {
    let moves = |place: usize, at: usize| {
        parts[place].iter().any(|part| (part.start + SETTLING..part.end).contains(&at))
    };
    let sent_ms = |place: usize, at: usize| {
        let number = i64::try_from(wall[at][place]?).unwrap();
        Some(number * 1000 / i64::try_from(RATES[place]).unwrap())
    };
    let slower = i64::try_from(1000 / RATES[pair[0]].min(RATES[pair[1]])).unwrap();
    let both = (0..wall.len()).filter(|at| pair.iter().all(|place| moves(*place, *at)));
    let apart = both.filter_map(|at| Some(apart_ms(sent_ms(pair[0], at)?, sent_ms(pair[1], at)?)));
    apart.map(|apart| apart.abs() - slower).collect()
}

fn graph() -> Vec<OsString> {
    let graph = "[0:v][1:v][2:v][3:v]xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0[wall];\
                 [0:a][1:a]amix[sound]";
    args!["-filter_complex", graph, "-map", "[wall]", "-map", "[sound]"]
}

/// Of four cameras one is killed, one says nothing though its connection stays, and one comes back in
/// another size. The player sees a wall that never stops, in which each tile is the right one. At each
/// moment those that move are no further apart than a picture of the slower one, by when they sent what is
/// seen of them: also behind a return.
#[test]
#[ignore = "slow"]
fn a_wall_of_cameras_never_stops() {
    let (source, target, room) = (Nginx::start(), Nginx::start(), room());
    let recorder = Recorder::start(target.url("out"), room.path());
    target.wait_for_player("out");
    let films = [film(0), film(1), film(2), film(3)];
    let larger = Film { drawn: "208x160", size: "416x320", ..film(3) };
    // They are made before the clock of all runs.
    films.iter().chain([&larger]).for_each(|film| drop(film.file()));
    let epoch = Instant::now();
    let start =
        |place: usize, film: &Film| TimedCamera::start(film, epoch, &source.url(NAMES[place]));
    let mut cameras: Vec<_> = (0..4).map(|place| Some(start(place, &films[place]))).collect();
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
    let stats = Stats(&running);
    stats.wait_for_frames(150);
    cameras[1].take().unwrap().kill();
    stats.wait_for_lost(&[false, true, false, false]);
    stats.wait_for_frames(50);
    proxies[2].stall(Way::Down);
    stats.wait_for_lost(&[false, true, true, false]);
    stats.wait_for_frames(50);
    cameras[3].take().unwrap().kill();
    stats.wait_for_lost(&[false, true, true, true]);
    stats.wait_for_frames(50);
    cameras[3] = Some(start(3, &larger));
    cameras[1] = Some(start(1, &films[1]));
    proxies[2].heal();
    stats.wait_for_lost(&[false; 4]);
    stats.wait_for_frames(250);
    running.signal("INT");
    let ended = running.wait().ok();
    drop(cameras);
    let recorded = recorder.finish();
    assert_one_whole_recording(&recorded, &ended.stderr);
    let wall = tiles(&recorded[0].file);
    let numbers = |place: usize| wall.iter().map(|tiles| tiles[place]).collect::<Vec<_>>();
    for place in 0..4 {
        let numbers = numbers(place);
        let (parts, expected) = (moving(&numbers, LOST), if place == 0 { 1 } else { 2 });
        assert_eq!(parts.len(), expected, "tile {place} moves in {parts:?}: {numbers:?}");
        let end = parts[expected - 1].end;
        assert_eq!(end, numbers.len(), "tile {place} stands still at the end: {numbers:?}");
    }
    let parts: Vec<_> = (0..4).map(|place| moving(&numbers(place), HELD)).collect();
    for pair in [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]] {
        let apart = out_of_step(&wall, &parts, pair);
        let count = apart.len();
        assert!(count > 200, "tiles {pair:?} move together in {count} pictures");
        let far = apart.iter().filter(|apart| **apart > NOISE_MS).count();
        assert!(far * 50 <= count, "tiles {pair:?} are out of step in {far} of {count}: {apart:?}");
    }
}
