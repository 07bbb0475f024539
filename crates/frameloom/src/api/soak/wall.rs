//! A day of a wall of cameras in one picture, by a filter graph: whatever becomes of a camera, the wall goes
//! on, each tile is the right one, and those that move are in step.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use crate::api::Pipeline;
use crate::api::soak::cameras::{CAMERAS, Gates, Yard};
use crate::api::soak::clock::Leaping;
use crate::api::soak::ends::{AUDIO, VIDEO};
use crate::api::soak::{
    CLOCK_MS, EventCounts, GROWTH_KIB, SoakRun, alone, input, output, seed, wait_for_a_day,
};
use crate::options::LiveOptions;
use crate::protocol::environment::Environment;
use crate::time::stop::Stop;

/// Real time after which less than a day is enough, on a machine with other work, and after which
/// something hangs.
const LIMITS: [Duration; 2] = [Duration::from_secs(400), Duration::from_secs(560)];

/// Until then every camera has been lost and come back: threads that open them again have memory of their own.
const SETTLED: Duration = Duration::from_secs(8 * 3600);

/// From one picture of the wall to the next: its length, and how long a camera is waited for.
const PICTURE_GAP_MS: i64 = 1000 + 300;

/// The same of sound, whose pieces are as long, and which is waited for likewise.
const SOUND_GAP_MS: i64 = 2 * PICTURE_GAP_MS;

/// How long no picture may leave. The clock leaps on while the graph waits for a processor.
const PAUSE_MS: i64 = 6000;

const GRAPH: &str = "[0:v][1:v][2:v][3:v]xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0;[0:a][1:a]amix";

#[test]
#[ignore = "slow"]
fn a_wall_of_cameras_lives_through_a_day() {
    alone(module_path!(), "a_wall_of_cameras_lives_through_a_day", live_through_a_day);
}

fn wall(environment: Environment, yard: &Arc<Yard>) -> Pipeline {
    let mut live = LiveOptions::new();
    // Computing takes no time here, so that no frame is too late for the code.
    live.set("on-slow", "block").unwrap();
    let cameras = (0..CAMERAS).map(|camera| (Yard::url(camera), input())).collect();
    let yard = Arc::clone(yard);
    Pipeline::open_all(environment, cameras, &Stop::new())
        .unwrap()
        .live(live)
        .filter_complex(GRAPH)
        .unwrap()
        .process(move |frame| Ok(yard.look(frame)?))
        .to_url_with("rtmp://wall/live/a", output("pcm_alaw"))
        .unwrap()
}

fn live_through_a_day() {
    let seed = seed();
    let clock = Leaping::new(seed);
    let yard = Yard::new(&clock, seed);
    let environment =
        Environment { clock: clock.clone(), opener: Arc::new(Gates(Arc::clone(&yard))) };
    let events = Arc::new(EventCounts::default());
    let listener = Arc::clone(&events);
    let pipeline = wall(environment, &yard).on_event(move |event| listener.hear(event));
    let run = SoakRun::start(pipeline, &yard.stats);
    let stats = run.stats.clone();
    let day = wait_for_a_day(&run, &clock, LIMITS, SETTLED, || yard.are_there(&stats.snapshot()));
    let counted = run.end();
    let seen = yard.seen.lock().unwrap().clone();
    let ledger = yard.ledger.lock().unwrap().clone();
    let losses = yard.losses.each_ref().map(|count| count.load(SeqCst));
    println!("{counted:?}\n{events:?}\n{ledger:?}\n{seen:?}\nlosses {losses:?}; {day:?}");

    // A busy machine does less than a day, and whoever reads its log has to see how much.
    let hours = day.passed.as_secs() / 3600;
    eprintln!("the wall lived through {hours} simulated hours");
    let (first, last) = (day.first, day.last);
    assert_eq!((last.descriptors, last.threads), (first.descriptors, first.threads));
    // On a machine that stands still frames wait, and their memory is kept for the next ones.
    let waited_kib = if counted.frames_dropped > 0 { 16 << 10 } else { 0 };
    let most_kib = first.memory_kib + GROWTH_KIB + waited_kib;
    assert!(last.memory_kib <= most_kib, "{first:?}, then {last:?}");
    assert!(losses[0] >= hours / 3 && losses[1] > 5 * hours && losses[2] > 3 * hours, "{losses:?}");
    let all = losses.iter().sum();
    assert_eq!((counted.reconnects, counted.packets_corrupt, counted.errors), (all, 0, 0));
    assert_eq!(events.counts(), [[all; 2], [0; 2]]);

    // It never stops, and nothing of it is missing.
    assert_eq!(counted.frames_out, ledger.packets[VIDEO]);
    assert_eq!((ledger.disordered, ledger.finished), (0, 1));
    // A machine that stands still for seconds leaves ticks out.
    let left_out = counted.frames_dropped;
    assert!(left_out <= seen.pictures / 200, "{left_out} ticks are left out");
    let left_out_ms = 1000 * i64::try_from(left_out).unwrap();
    assert!(ledger.gap_ms[VIDEO] <= PICTURE_GAP_MS + left_out_ms, "{ledger:?}");
    assert!(ledger.gap_ms[AUDIO] <= SOUND_GAP_MS + left_out_ms, "{ledger:?}");
    assert!(seen.pause_ms <= PAUSE_MS + left_out_ms, "{seen:?}");
    let due = u64::try_from(day.passed.as_millis() / 1000).unwrap();
    let missing = seen.pictures.abs_diff(due);
    assert!(missing < 20 + due / 1000 + left_out, "{} of {due}", seen.pictures);
    // Where the camera that sets the clock comes back, that may be a picture's length ahead.
    let clock_ms = CLOCK_MS + 1000 * i64::try_from(losses[0] + 2).unwrap();
    for last_ms in ledger.last_ms {
        let ahead = last_ms.unwrap() - i64::try_from(day.passed.as_millis()).unwrap();
        assert!(ahead.abs() < clock_ms, "the output's clock is off by {ahead} ms");
    }

    // Each tile is the right one, and they are in step.
    assert!(seen.wrong.is_empty(), "{:?}", seen.wrong);
    assert!(seen.judged > seen.pictures / 2, "{seen:?}");
    assert!(seen.tiles.iter().all(|count| *count > seen.pictures / 2), "{seen:?}");
    assert!(seen.out_of_step <= seen.judged / 1000 + left_out, "{seen:?}");
}
