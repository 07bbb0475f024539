//! The input breaks, and comes back.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{AT_SEAM, NO_GAP_MS, assert_loss_is_bridged, assert_loss_is_heard};
use crate::harness::camera::{Camera, Film};
use crate::harness::proxy::Way;
use crate::harness::random::seed;
use crate::harness::recorder::Recorder;
use crate::harness::scene::{Ending, Scene, Script, encoding};
use crate::harness::stats::{Count, Seen};
use crate::harness::story::{Seam, Story};
use crate::harness::*;

/// The numbers of the camera that took the first one's place.
const SECOND: std::ops::Range<usize> = Film::SECOND_FIRST..Film::SECOND_FIRST + 500;

/// What any bridged loss leaves in the statistics: all that the reader got is what came and what
/// was held, less what came too late.
#[track_caller]
fn assert_counted(ending: &Ending, story: &Story, losses: u64) {
    let stats = ending.stats();
    let (came, late) = (stats.count(Count::FramesIn), stats.count(Count::FramesLate));
    let dropped = stats.left_out();
    let held = stats.count(Count::FramesHeld);
    let out = stats.count(Count::FramesOut);
    assert_eq!(out, story.shown.len() as u64, "the reader missed something");
    assert_eq!(came + held, out + late + dropped, "{stats:?}");
    assert!(held > 0, "{stats:?}");
    assert_eq!(stats.count(Count::Reconnects), losses, "{stats:?}");
}

/// Ends the scene and judges one loss of the input in it.
#[track_caller]
fn judge_one_loss(scene: Scene, again: std::ops::Range<usize>) -> Seam {
    let ending = scene.finish();
    let story = ending.story();
    let seam = assert_loss_is_bridged(&story, again, [25, 25]);
    assert_counted(&ending, &story, 1);
    seam
}

#[test]
#[ignore = "slow"]
fn a_publisher_that_is_killed_is_away_for_ten_seconds() {
    let mut scene = Script::new("killed-for-ten-seconds").start();
    scene.run_a_while();
    scene.camera.take().unwrap().kill();
    scene.wait_for_loss_of_input();
    scene.random_pause(10_000, 10_500);
    scene.replace_camera(&Film::second());
    scene.wait_for_return_of_input(50);
    let seam = judge_one_loss(scene, SECOND);
    assert!(seam.back_ms - seam.lost_ms > 9_500, "{seam:?}");
}

#[test]
#[ignore = "slow"]
fn a_command_goes_on_behind_a_loss() {
    let code = args![python(), fixture("burn.py")];
    // A command that is still starting would miss the first pictures.
    let options = args!["--on-slow=block"];
    let mut scene = Script::new("command-behind-a-loss").options(options).code(code).start();
    scene.run_a_while();
    scene.lose_and_replace_camera(&Film::second());
    judge_one_loss(scene, SECOND);
}

/// The time from the publisher's first packet, a keyframe, to its picture at the reader, on the
/// reader's clock, which goes on in real time through the loss.
#[test]
#[ignore = "slow"]
fn the_picture_is_back_soon_behind_the_first_keyframe() {
    let mut scene = Script::new("back-soon").start();
    scene.run_a_while();
    let killed = Instant::now();
    scene.camera.take().unwrap().kill();
    scene.wait_for_loss_of_input();
    scene.random_pause(500, 1500);
    let published = scene.source.times_published("in");
    scene.replace_camera(&Film::second());
    wait_until("the second camera publishes", || scene.source.times_published("in") > published);
    let away_ms = killed.elapsed().as_millis() as i64;
    scene.wait_for_return_of_input(50);
    let seam = judge_one_loss(scene, SECOND);
    let recovery_ms = seam.back_ms - seam.lost_ms - away_ms;
    eprintln!("the picture was back {recovery_ms} ms behind the publisher");
    // A second is what it takes; the rest is for a back-off that is under way and a busy machine.
    assert!(recovery_ms < 6_000, "the picture took {recovery_ms} ms to come back");
}

/// Breaks the input by `break_it`, and heals it a while after that was noticed. The camera goes on.
fn lost_and_back(
    name: &'static str,
    break_it: impl FnOnce(&mut Scene),
    heal_it: impl FnOnce(&mut Scene),
) {
    let mut scene = Script::new(name).start();
    scene.run_a_while();
    break_it(&mut scene);
    scene.wait_for_loss_of_input();
    scene.random_pause(500, 2500);
    heal_it(&mut scene);
    scene.wait_for_return_of_input(50);
    judge_one_loss(scene, 26..500);
}

#[test]
#[ignore = "slow"]
fn a_publisher_that_freezes_is_a_loss_until_it_goes_on() {
    lost_and_back(
        "frozen-publisher",
        |scene| scene.camera.as_ref().unwrap().freeze(),
        |scene| scene.camera.as_ref().unwrap().thaw(),
    );
}

#[test]
#[ignore = "slow"]
fn a_connection_that_is_closed_is_opened_again() {
    lost_and_back(
        "input-closed",
        |scene| {
            scene.input.refuse();
            scene.input.cut();
        },
        |scene| scene.input.heal(),
    );
}

#[test]
#[ignore = "slow"]
fn a_connection_that_is_reset_is_opened_again() {
    lost_and_back(
        "input-reset",
        |scene| {
            scene.input.refuse();
            scene.input.reset();
        },
        |scene| scene.input.heal(),
    );
}

#[test]
#[ignore = "slow"]
fn a_stall_without_an_end_is_a_loss() {
    lost_and_back(
        "input-stalled",
        |scene| scene.input.stall(Way::Down),
        |scene| scene.input.heal(),
    );
}

/// What is late comes, and nothing of it is lost: that is no loss, and the stream goes on at its
/// own times.
#[test]
#[ignore = "slow"]
fn a_throttled_input_catches_up() {
    let mut scene = Script::new("input-throttled").options(args!["--stall-timeout=5s"]).start();
    scene.run_a_while();
    scene.input.throttle(Way::Down, 6_000);
    scene.random_pause(2000, 2500);
    scene.input.heal();
    scene.wait_for_frames(75);
    let ending = scene.finish();
    let story = ending.story();
    let stats = ending.stats();
    assert_eq!(stats.count(Count::Reconnects), 0, "{stats:?}");
    story.assert_sound_throughout();
    // What was held and what was then too late is counted one by one.
    let late = stats.count(Count::FramesLate) as usize;
    story.assert_moving(late + stats.left_out() as usize);
    let (came, held) = (stats.count(Count::FramesIn), stats.count(Count::FramesHeld));
    let dropped = stats.left_out();
    assert_eq!(came + held, story.shown.len() as u64 + late as u64 + dropped, "{stats:?}");
}

#[test]
#[ignore = "slow"]
fn a_delayed_input_loses_nothing() {
    let mut scene = Script::new("input-delayed").options(args!["--stall-timeout=5s"]).start();
    scene.run_a_while();
    let delay_ms = scene.random.between(300, 900);
    scene.input.delay(Way::Down, Duration::from_millis(delay_ms));
    scene.wait_for_frames(50);
    scene.input.heal();
    scene.wait_for_frames(50);
    let ending = scene.finish();
    let story = ending.story();
    story.assert_sound_throughout();
    story.assert_moving(0);
    let stats = ending.stats();
    for none in [Count::Reconnects, Count::FramesLate, Count::FramesDropped, Count::FramesSkipped] {
        assert_eq!(stats.count(none), 0, "{none:?}: {stats:?}");
    }
}

/// One byte of a hundred is wrong for a while, of RTMP itself: no connection lives long.
#[test]
#[ignore = "slow"]
fn corrupted_rtmp_is_a_loss_and_no_end() {
    let mut scene = Script::new("input-corrupted-rtmp").start();
    scene.run_a_while();
    let seed = scene.random.next();
    // Behind the handshake.
    scene.input.corrupt(Way::Down, 10_000, 3_200, seed);
    scene.random_pause(2500, 3500);
    scene.input.heal();
    // A connection that still waits for the rest of a message that never was is noticed, too.
    scene.input.cut();
    let deadline = Instant::now() + Duration::from_secs(2);
    scene.wait("it heals", |seen| Instant::now() > deadline && !seen.input_is_lost());
    scene.wait_for_frames(75);
    let ending = scene.finish();
    let story = ending.story();
    story.assert_no_gap_above(1500);
    story.assert_sound_throughout();
    assert_moves_at_the_end(&story, 50);
    let stats = ending.stats();
    assert!(stats.count(Count::Reconnects) > 0, "{stats:?}");
}

/// The last pictures are the camera's, one by one.
#[track_caller]
fn assert_moves_at_the_end(story: &Story, count: usize) {
    let mut last = story.clone();
    last.shown = story.shown[story.shown.len() - count..].to_vec();
    last.assert_moving(0);
}

/// One byte of a hundred is wrong for a while, of MPEG-TS in UDP datagrams.
#[test]
#[ignore = "slow"]
fn corrupted_mpeg_ts_is_lived_through() {
    let mut random = Rng::new(seed("input-corrupted-ts"));
    let corrupts = Arc::new(AtomicBool::new(false));
    let relay = UdpRelay::start(random.next(), Arc::clone(&corrupts));
    let nginx = Nginx::start();
    let room = room();
    let recorder = Recorder::start(nginx.url("out"), room.path());
    nginx.wait_for_player("out");
    let from = format!("udp://127.0.0.1:{}?fifo_size=100000", relay.far);
    let mut args = args!["--stats=json", "--open-timeout=60s", "--stall-timeout=1s", "-i", from];
    args.extend(encoding());
    args.extend(args!["-f", "flv", nginx.url("out")]);
    let running = frameloom(args).limit_s(240).spawn();
    // It gets the first keyframe, too.
    wait_for_udp(relay.far);
    let to = format!("udp://127.0.0.1:{}?pkt_size=1316", relay.near);
    let camera = Camera::start_to(&Film::plain(), args!["-f", "mpegts", to]);
    let last = || Seen::all(&running.stderr()).pop();
    let frames = || last().map_or(0, |seen| seen.count(Count::FramesIn));
    wait_until(&format!("frames come ({})", running.stderr()), || frames() > 50);
    corrupts.store(true, Ordering::SeqCst);
    thread::sleep(Duration::from_millis(random.between(2500, 3500)));
    corrupts.store(false, Ordering::SeqCst);
    let healed = frames();
    wait_until("frames come again", || frames() > healed + 100);
    running.signal("INT");
    let outcome = running.wait().ok();
    drop(camera);
    let parts = recorder.finish();
    assert_eq!((nginx.times_published("out"), parts.len()), (1, 1), "{}", outcome.stderr);
    let story = Story::of(&parts[0]);
    story.assert_times_rise();
    story.assert_sound_throughout();
    // Every packet is damaged for up to 3.5 s, and up to a second then lacks its keyframe.
    story.assert_no_gap_above(6_000);
    assert_moves_at_the_end(&story, 40);
    let stats = Seen::all(&outcome.stderr).pop().unwrap();
    assert!(stats.count(Count::PacketsCorrupt) > 0, "{stats:?}");
}

/// Carries datagrams from one port to another, with a hundredth of their bytes changed at times.
struct UdpRelay {
    near: u16,
    far: u16,
    closed: Arc<AtomicBool>,
}

impl UdpRelay {
    fn start(seed: u64, corrupts: Arc<AtomicBool>) -> UdpRelay {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let near = socket.local_addr().unwrap().port();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let closed = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&closed);
        thread::spawn(move || {
            let mut random = Rng::new(seed);
            let mut bytes = [0; 2048];
            while !ends.load(Ordering::SeqCst) {
                let Ok(count) = socket.recv(&mut bytes) else { continue };
                if corrupts.load(Ordering::SeqCst) {
                    for byte in &mut bytes[..count] {
                        if random.below(100) == 0 {
                            *byte ^= random.between(1, 255) as u8;
                        }
                    }
                }
                socket.send_to(&bytes[..count], ("127.0.0.1", far)).ok();
            }
        });
        UdpRelay { near, far, closed }
    }
}

impl Drop for UdpRelay {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

/// Each loss comes before the connection has been steady, so each wait is longer than the one before.
#[test]
#[ignore = "slow"]
fn six_losses_in_a_row() {
    let mut scene = Script::new("six-losses").start();
    scene.run_a_while();
    for round in 1..=6 {
        scene.input.reset();
        scene.wait("it is back", |seen| {
            seen.count(Count::Reconnects) >= round && !seen.input_is_lost()
        });
    }
    scene.wait_for_frames(50);
    let ending = scene.finish();
    let story = ending.story();
    story.assert_no_gap_above(NO_GAP_MS);
    story.assert_sound_throughout();
    assert_moves_at_the_end(&story, 25);
    let stats = ending.stats();
    assert_eq!(stats.count(Count::Reconnects), 6, "{stats:?}");
    // Nothing ever went back, whatever was missing in between.
    story.assert_moving(AT_SEAM * 6 * 10);
}

#[test]
#[ignore = "slow"]
fn the_source_s_server_is_killed_and_comes_back() {
    let mut scene = Script::new("source-server-killed").start();
    scene.run_a_while();
    scene.source.kill();
    scene.camera.take().unwrap().kill();
    scene.wait_for_loss_of_input();
    scene.random_pause(500, 2000);
    scene.source.start_again();
    scene.replace_camera(&Film::second());
    scene.wait_for_return_of_input(50);
    judge_one_loss(scene, SECOND);
}

#[test]
#[ignore = "slow"]
fn both_ends_are_lost_at_once() {
    let mut scene = Script::new("both-ends").keeping_a_file().start();
    scene.run_a_while();
    scene.input.refuse();
    scene.output.refuse();
    scene.input.reset();
    scene.output.reset();
    scene.wait("both ends are lost", |seen| seen.input_is_lost() && seen.output_is_lost(0));
    scene.random_pause(1000, 2000);
    scene.input.heal();
    scene.output.heal();
    scene.wait("both ends are back", |seen| !seen.input_is_lost() && !seen.output_is_lost(0));
    scene.wait_for_frames(50);
    let ending = scene.finish();
    let stories = ending.stories();
    assert_eq!(stories.len(), 2, "parts seen by the reader");
    assert_moves_at_the_end(&stories[1], 30);
    // The file was there all the time: for it, only the input was lost.
    let kept = Story::of_file(&ending.kept, 0);
    kept.assert_times_rise();
    assert_loss_is_bridged(&kept, 26..500, [25, 25]);
    let stats = ending.stats();
    assert_eq!(stats.count(Count::Reconnects), 2, "{stats:?}");
    assert!(stats.count(Count::PacketsDropped) > 0, "{stats:?}");
}

/// The gray pictures shown within a time.
fn grays(ending: &Ending, from_ms: i64, to_ms: i64) -> Vec<Vec<u8>> {
    let file = &ending.parts[0].file;
    let times: Vec<i64> = times(file, Kind::Video).iter().map(|at| at.as_ms()).collect();
    let all = decode(file, "gray").frames;
    let within = times.iter().zip(all).filter(|(at, _)| (from_ms..to_ms).contains(*at));
    within.map(|(_, gray)| gray).collect()
}

/// A loss under a policy that shows a card, and the card's pictures.
fn card(name: &'static str, options: Vec<std::ffi::OsString>) -> Vec<Vec<u8>> {
    let mut scene = Script::new(name).options(options).start();
    scene.run_a_while();
    let held = scene.count(Count::FramesHeld);
    scene.camera.take().unwrap().kill();
    scene.wait_for_loss_of_input();
    scene.wait("the card is shown", |seen| seen.count(Count::FramesHeld) >= held + 50);
    scene.replace_camera(&Film::second());
    scene.wait_for_return_of_input(50);
    let ending = scene.finish();
    let story = ending.story();
    let seam = story.assert_bridged_once(SECOND, AT_SEAM);
    assert_loss_is_heard(&story, seam, [25, 25]);
    assert_counted(&ending, &story, 1);
    let grays = grays(&ending, seam.lost_ms + 800, seam.back_ms - 100);
    assert!(grays.len() > 20, "the card was shown {} times", grays.len());
    grays
}

#[test]
#[ignore = "slow"]
fn a_slate_says_that_there_is_no_signal() {
    let cards = card("slate", args!["--on-loss=slate"]);
    let likeness = pixels::worst_psnr(&cards[..cards.len() - 1], &cards[1..]);
    assert!(likeness > 30.0, "the card moves: {likeness:.1} dB");
    let card = &cards[cards.len() / 2];
    let (dark, bright) = (card.iter().min().unwrap(), card.iter().max().unwrap());
    assert!(bright - dark > 100, "nothing is written on it: {dark} to {bright}");
    let film = decode(&Film::plain().file(), "gray");
    let nearest = film.frames[..400].iter().map(|one| psnr(one, card)).fold(0.0, f64::max);
    assert!(nearest < 20.0, "the card is a picture of the camera: {nearest:.1} dB");
}

#[test]
#[ignore = "slow"]
fn a_slate_of_one_s_own_is_shown() {
    let room = room();
    let image = room.path().join("card.png");
    ffmpeg(args!["-f", "lavfi", "-i", "smptebars=s=320x240", "-frames:v", "1", &image]);
    let cards = card("own-slate", args![format!("--slate={}", image.display())]);
    let wanted = decode(&image, "gray");
    for card in cards {
        let likeness = psnr(&card, &wanted.frames[0]);
        assert!(likeness > 25.0, "another picture than the card: {likeness:.1} dB");
    }
}

/// A run that ends by itself once its input is lost; the reader has all of it.
fn ends_by_itself(name: &'static str, options: Vec<std::ffi::OsString>, code: i32) -> Ending {
    let mut scene = Script::new(name).options(options).keeping_a_file().start();
    scene.run_a_while();
    scene.camera.take().unwrap().kill();
    let ending = scene.await_end();
    assert_eq!(ending.outcome.code(), Some(code), "{}", ending.outcome.stderr);
    let story = ending.story();
    story.assert_sound_throughout();
    judge::assert_playable(&ending.kept);
    let kept = Story::of_file(&ending.kept, 0);
    assert_eq!(kept.shown.len(), story.shown.len(), "the file and the reader differ");
    ending
}

#[test]
#[ignore = "slow"]
fn on_loss_end_ends_well() {
    ends_by_itself("on-loss-end", args!["--on-loss=end"], 0).story().assert_moving(0);
}

#[test]
#[ignore = "slow"]
fn no_reconnect_ends_well() {
    ends_by_itself("no-reconnect-ends", args!["--no-reconnect"], 0).story().assert_moving(0);
}

#[test]
#[ignore = "slow"]
fn reconnecting_gives_up_when_its_time_is_over() {
    let start = Instant::now();
    let ending = ends_by_itself("reconnect-for", args!["--reconnect-for=3s"], 1);
    // Also where the server is there and only has nothing to send: opening may take a minute here.
    assert!(start.elapsed() < Duration::from_secs(45), "it took {:?}", start.elapsed());
    let said = &ending.outcome.stderr;
    let last = said.lines().last().unwrap();
    assert!(last.contains("3 s") && last.contains("--reconnect-for"), "{last}");
    assert!(!ending.story().holds().is_empty(), "nothing was held meanwhile");
}

#[test]
#[ignore = "slow"]
fn an_input_that_opens_and_dies_at_once_is_tried_less_and_less_and_given_up() {
    let options = args!["--reconnect-for=6s"];
    let mut scene = Script::new("input-dies-at-once").options(options).start();
    scene.run_a_while();
    let before = scene.input.accepted();
    let begun = Instant::now();
    scene.input.cut_after(Way::Down, 80_000);
    while scene.running.is_running() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it goes on for ever");
        thread::sleep(Duration::from_millis(20));
    }
    let tries = scene.input.accepted() - before;
    let ending = scene.await_end();
    let said = &ending.outcome.stderr;
    assert_eq!(ending.outcome.code(), Some(1), "{said}");
    assert!(said.contains("the input is back"), "it was never there\n{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains("not back within 6 s"), "{last}");
    // At 0, 0.25, 0.75, 1.75 and 3.75 s, where chance shortens every wait by a half.
    assert!((2..=5).contains(&tries), "{tries} connections\n{said}");
}
