//! Live inputs that are not there yet at the start: a run may begin without them.

use crate::harness::camera::{Camera, Film};
use crate::harness::clips::CELL;
use crate::harness::nginx::free_port;
use crate::harness::pixels::decode_with;
use crate::harness::scene::encoding;
use crate::harness::stats::Stats;
use crate::harness::story::number_in;
use crate::harness::*;

use super::assert_one_whole_recording;
use super::slated::{is_card, tile_of};
use crate::harness::recorder::Recorder;

const TILE: (usize, usize) = (208, 160);

/// The first number of each camera's film.
const FIRST: [usize; 2] = [0, 800];

fn film(place: usize) -> Film {
    Film { first: FIRST[place], drawn: "208x160", size: "208x160", ..Film::plain() }
}

/// One of two cameras is missing at the start. The wall begins without it: a card stands in its place,
/// until it comes.
#[test]
#[ignore = "slow"]
fn a_wall_begins_without_a_camera_that_is_missing() {
    let (source, target, room) = (Nginx::start(), Nginx::start(), room());
    let recorder = Recorder::start(target.url("out"), room.path());
    target.wait_for_player("out");
    let first = Camera::start(&film(0), &source.url("a"));
    wait_until("the camera publishes", || source.times_published("a") > 0);
    let graph = "[0:v][1:v]hstack[wall];[0:a][1:a]amix[sound]";
    let inputs = args!["--wait-for-inputs=any", "-i", source.url("a"), "-i", source.url("b")];
    let outputs = args!["-filter_complex", graph, "-map", "[wall]", "-map", "[sound]"];
    let to = args!["-c:a", "aac", "-f", "flv", target.url("out")];
    let words = [args!["--stats=json"], inputs, outputs, encoding(), to].concat();
    let running = frameloom(words).limit_s(240).spawn();
    let stats = Stats(&running);
    stats.wait_for_frames(75);
    assert_eq!(stats.last().unwrap().inputs_lost(), [false, true]);
    let second = Camera::start(&film(1), &source.url("b"));
    stats.wait_for_lost(&[false; 2]);
    stats.wait_for_frames(150);
    running.signal("INT");
    let ended = running.wait().ok();
    drop((first, second));
    assert!(ended.stderr.contains("input 2 is lost"), "{}", ended.stderr);
    assert!(ended.stderr.contains("input 2 is back"), "{}", ended.stderr);
    let parts = recorder.finish();
    assert_one_whole_recording(&parts, &ended.stderr);
    let pictures = decode_with(args!["-i", &parts[0].file], "gray");
    assert_eq!((pictures.width, pictures.height), (2 * TILE.0, TILE.1));
    let row = (TILE.1 - CELL / 2) * pictures.width;
    let number = |gray: &Vec<u8>, place: usize| {
        let shown = number_in(&gray[row + place * TILE.0..], pictures.width, 0)?;
        shown.checked_sub(FIRST[place])
    };
    let numbers = |place: usize| -> Vec<Option<usize>> {
        pictures.frames.iter().map(|gray| number(gray, place)).collect()
    };
    let (there, missing) = (numbers(0), numbers(1));
    assert!(there.iter().all(Option::is_some), "{there:?}");
    let begin = missing.iter().position(Option::is_some).expect("the second camera is never seen");
    assert!(begin >= 75, "the second camera is seen in picture {begin}, before it was there");
    let seen = missing[begin..].iter().filter(|number| number.is_some()).count();
    assert!(seen * 10 >= 9 * (missing.len() - begin), "{missing:?}");
    for gray in pictures.frames[..begin].iter().step_by(10) {
        let tile = tile_of(gray, pictures.width, (TILE.0, 0), TILE);
        assert!(is_card(&tile, TILE), "the second tile shows no card");
    }
    let there = pictures.frames.last().unwrap();
    assert!(!is_card(&tile_of(there, pictures.width, (TILE.0, 0), TILE), TILE));
}

/// A camera that never comes: the card stands in its place to the end, and the run ends as ever.
#[test]
#[ignore = "slow"]
fn a_camera_may_never_come() {
    let (source, room) = (Nginx::start(), room());
    let out = room.path().join("out.mkv");
    let first = Camera::start(&film(0), &source.url("a"));
    wait_until("the camera publishes", || source.times_published("a") > 0);
    let nobody = Nginx::url_by(free_port(), "nobody");
    let inputs =
        args!["--stats=json", "--wait-for-inputs=any", "-i", source.url("a"), "-i", nobody];
    let graph = args!["-filter_complex", "[1:v]scale=208:160[b];[0:v][b]hstack", "-an", &out];
    let running = frameloom([inputs, graph].concat()).limit_s(120).spawn();
    let stats = Stats(&running);
    stats.wait_for_frames(100);
    assert_eq!(stats.last().unwrap().inputs_lost(), [false, true]);
    running.signal("INT");
    running.wait().ok();
    drop(first);
    let pictures = decode_with(args!["-i", &out], "gray");
    assert!(pictures.frames.len() > 75, "{} pictures", pictures.frames.len());
    let row = (TILE.1 - CELL / 2) * pictures.width;
    for gray in &pictures.frames {
        assert!(number_in(&gray[row..], pictures.width, 0).is_some(), "the camera is not seen");
        let tile = gray.chunks_exact(pictures.width).flat_map(|line| &line[TILE.0..]);
        let (darkest, brightest) =
            tile.fold((255, 0), |(low, high): (u8, u8), &level| (low.min(level), high.max(level)));
        assert!(brightest - darkest > 50, "no card stands there");
    }
}

/// A single input may be missing too: the output begins with the card.
#[test]
#[ignore = "slow"]
fn a_run_begins_before_its_only_camera() {
    let (source, room) = (Nginx::start(), room());
    let out = room.path().join("out.mkv");
    let words = args!["--stats=json", "--wait-for-inputs=any", "-i", source.url("in"), &out];
    let running = frameloom(words).limit_s(120).spawn();
    let stats = Stats(&running);
    stats.wait_for_frames(25);
    let camera = Camera::start(&Film::plain(), &source.url("in"));
    wait_until("the camera is there", || stats.last().is_some_and(|seen| !seen.input_is_lost()));
    stats.wait_for_frames(50);
    running.signal("INT");
    running.wait().ok();
    drop(camera);
    let video = &probe_streams(&out)[0];
    assert_eq!((&video["width"], &video["height"]), (&1280.into(), &720.into()));
    let pictures = decode_with(args!["-i", &out, "-vf", "scale=64:36"], "gray");
    let bright = |gray: &Vec<u8>| gray.iter().map(|level| u64::from(*level)).sum::<u64>();
    let first = bright(&pictures.frames[0]);
    assert!(pictures.frames[..20].iter().all(|gray| bright(gray).abs_diff(first) < first / 20));
    assert_ne!(pictures.frames[0], *pictures.frames.last().unwrap());
}

/// What can't be together with an input that is missing is an error, before anything is written.
#[test]
fn what_needs_the_input_is_an_error() {
    let room = room();
    let out = room.path().join("out.mkv");
    let nobody = Nginx::url_by(free_port(), "nobody");
    let run = |before: &[&str], behind: &[&str]| {
        let words = [
            args!["--wait-for-inputs=any"],
            before.iter().map(Into::into).collect(),
            args!["-i", &nobody],
            behind.iter().map(Into::into).collect(),
            args![&out],
        ];
        frameloom(words.concat()).limit_s(60).run()
    };
    for (before, behind, mentions) in [
        (&[][..], &["-c", "copy"][..], "-c:v copy of an input that is missing"),
        (&["--on-loss=end"], &[], "--wait-for-inputs=any needs something to be shown"),
        (&["--no-reconnect"], &[], "--wait-for-inputs=any needs something to be shown"),
    ] {
        let said = run(before, behind).refuses(2);
        assert!(said.contains(mentions), "{said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert!(!out.exists());
    }
    // A file that isn't there won't come.
    let missing = room.path().join("missing.mp4");
    let words = args!["--wait-for-inputs=any", "-i", missing, &out];
    assert!(frameloom(words).run().refuses(1).contains("missing.mp4"));
}
