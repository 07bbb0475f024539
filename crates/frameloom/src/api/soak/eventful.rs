//! Some hours in which everything is lost, changes its size, fails and hangs.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::api::Pipeline;
use crate::api::soak::clock::Leaping;
use crate::api::soak::ends::{CAMERA, CameraPace, Doors, Ledger, SHAKY, STEADY, World};
use crate::api::soak::programs::Programs;
use crate::api::soak::{
    CLOCK_MS, ENOUGH, EventCounts, GROWTH_KIB, HOUR, IDLE, LEAST_GAP, LIMIT, ProcessUse, SoakRun,
    account_for, alone, are_there, input, losses_within, output, seed,
};
use crate::edit::Command;
use crate::options::LiveOptions;
use crate::protocol::environment::Environment;
use crate::stats::Snapshot;
use crate::time::stop::Stop;

const MINUTE: Duration = Duration::from_secs(60);

/// How often, in real time, it is looked how far the frames are.
const LOOK: Duration = Duration::from_micros(100);

/// For how long, in real time, it may take until all that is on its way has left: while there is time for
/// another look, and when there is none.
const PATIENCE: Duration = Duration::from_millis(100);
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// A COMMAND may hang for 5 s, and no picture comes meanwhile.
const PICTURE_GAP_MS: i64 = 15_000;

#[test]
#[ignore = "slow"]
fn an_eventful_day_leaves_nothing_behind() {
    alone(module_path!(), "an_eventful_day_leaves_nothing_behind", live_through_it);
}

fn pace() -> CameraPace {
    CameraPace {
        due: |c| (c.frames_in + c.frames_held).saturating_sub(left_out(c) + c.frames_late),
        behind: 8,
        patience: Duration::from_secs(2),
        counts_old_frames: true,
    }
}

/// Frames that went nowhere: the camera sends some at once, and a program is slow to start.
fn left_out(counted: &Snapshot) -> u64 {
    counted.frames_dropped + counted.frames_skipped
}

/// Frames that have left the gate, in whichever way.
fn gone(counted: &Snapshot) -> u64 {
    counted.frames_edited + counted.frames_bypassed + left_out(counted)
}

fn live_through_it() {
    let seed = seed();
    let begun = Instant::now();
    let clock = Leaping::new(seed);
    let world = World::new(&clock, seed, pace());
    let programs = Programs::new(&clock, &world, !seed);
    let environment =
        Environment { clock: clock.clone(), opener: Arc::new(Doors(Arc::clone(&world))) };
    let events = Arc::new(EventCounts::default());
    let listener = Arc::clone(&events);
    let pipeline = eventful(environment, &programs).on_event(move |event| listener.hear(event));
    let run = SoakRun::start(pipeline, &world.stats);
    let stats = run.stats.clone();

    let is_whole = || {
        let counted = stats.snapshot();
        let faults: u64 = programs.faults.counts().iter().sum();
        let is_all_gone = counted.frames_in == gone(&counted);
        are_there(&counted, &world) && counted.restarts == faults && is_all_gone
    };
    let becomes_whole = || {
        let patience = if begun.elapsed() < ENOUGH { PATIENCE } else { LAST_PATIENCE };
        let begun = Instant::now();
        while !is_whole() && begun.elapsed() < patience {
            std::thread::sleep(LOOK);
        }
        is_whole()
    };
    let (mut looks, mut next_look) = (Vec::new(), MINUTE);
    let (mut have_gone, mut leapt) = (0, (0, Instant::now()));
    while !run.is_finished() {
        std::thread::sleep(LOOK);
        let counted = stats.snapshot();
        assert!(begun.elapsed() < LIMIT, "{:?} have passed, {counted:?}", clock.passed());
        if programs.has_to_read() {
            // On a machine with other work that may take longer than it may hang.
            continue;
        }
        let now_gone = gone(&counted);
        (have_gone..now_gone).for_each(|_| clock.arrived());
        have_gone = now_gone;
        if leapt.0 != clock.leaps() {
            leapt = (clock.leaps(), Instant::now());
        } else if leapt.1.elapsed() >= IDLE && (counted.frames_in == now_gone || programs.hangs()) {
            // Not all that the camera sends becomes a frame, and a program that hangs has some.
            clock.nudge(leapt.0);
            leapt.1 = Instant::now();
        }
        if clock.passed() < next_look {
            continue;
        }
        clock.stand(true);
        programs.calm(true);
        looks.push((clock.passed(), ProcessUse::now()));
        let is_over = clock.passed() >= 4 * HOUR || begun.elapsed() >= ENOUGH;
        if is_over && becomes_whole() {
            break;
        }
        next_look = clock.passed() + MINUTE;
        programs.calm(false);
        clock.stand(false);
    }
    let (last, passed) = (ProcessUse::now(), clock.passed());
    let counted = run.end();
    let faults = programs.faults.counts();
    // The last quarter may not need more than the two before it.
    let before = |(at, _): &&(Duration, ProcessUse)| *at > passed / 4 && *at < passed * 3 / 4;
    let most = looks.iter().filter(before).map(|(_, held)| *held).reduce(ProcessUse::max).unwrap();
    println!("{:?} in {:?}, {} leaps", clock.passed(), begun.elapsed(), clock.leaps());
    println!("{counted:?}\n{events:?}\n{:?}", world.ledgers());
    println!("{faults:?} programs died, hung, were cut short; {most:?}, then {last:?}");

    assert!(last.descriptors <= most.descriptors && last.threads <= most.threads);
    assert!(last.memory_kib <= most.memory_kib + GROWTH_KIB, "{most:?}, then {last:?}");
    let losses = losses_within(passed, &world);
    let hours = passed.as_secs() / 3600;
    account_for(&counted, losses, &world.ledgers());
    account_for_command(&counted, faults, programs.answers.load(SeqCst), &world.ledgers());
    assert_eq!(events.counts(), losses.map(|count| [count; 2]));
    let short = world.short.each_ref().map(|count| count.load(SeqCst));
    assert!(short.iter().all(|count| *count > hours), "{short:?}");
    assert!(faults.iter().all(|count| *count > 3 * hours), "{faults:?}");
    assert!(world.ledgers().iter().all(|ledger| ledger.resizes > 2 * hours));
    assert!(world.closest_tries().iter().all(|gap| *gap >= LEAST_GAP));
    let [steady, _] = world.ledgers();
    for last_ms in steady.last_ms {
        let ahead = last_ms.unwrap() - i64::try_from(passed.as_millis()).unwrap();
        assert!(ahead.abs() < CLOCK_MS, "the outputs' clock is off by {ahead} ms: {steady:?}");
    }
}

/// Every frame is somewhere, every program that failed was replaced, and the outputs changed their
/// size and have the sound that was asked for.
fn account_for_command(counted: &Snapshot, faults: [u64; 3], answers: u64, ledgers: &[Ledger; 2]) {
    assert_eq!(counted.frames_in, gone(counted));
    let [steady, _] = ledgers;
    let coded = counted.frames_edited + counted.frames_bypassed;
    assert_eq!(steady.packets[0], coded + counted.frames_held - counted.frames_late);
    assert!(counted.frames_edited <= answers, "{answers} answers, {counted:?}");
    let failed: u64 = faults.iter().sum();
    assert_eq!((counted.restarts, counted.errors), (failed, failed));
    assert!(counted.frames_edited > counted.frames_in / 2, "{counted:?}");
    for ledger in ledgers {
        assert_eq!(ledger.sound, "aac");
    }
    assert!(steady.gap_ms[0] <= PICTURE_GAP_MS, "{steady:?}");
}

fn eventful(environment: Environment, programs: &Arc<Programs>) -> Pipeline {
    let mut live = LiveOptions::new();
    for (name, value) in [
        ("on-loss", "slate"),
        ("on-slow", "latest"),
        ("on-error", "restart"),
        ("on-resize", "restart"),
    ] {
        live.set(name, value).unwrap();
    }
    let command = Command::new(vec!["edit".into()]).unwrap();
    let launcher = Arc::clone(programs);
    Pipeline::open_all(environment, vec![(CAMERA.to_owned(), input())], &Stop::new())
        .unwrap()
        .live(live)
        .command(command.launched_by(launcher))
        .to_url_with(STEADY, output("aac"))
        .unwrap()
        .to_url_with(SHAKY, output("aac"))
        .unwrap()
}
