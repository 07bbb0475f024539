//! Days of live pipelines, with a loss every few minutes, in simulated time: nothing grows, and
//! nothing is unaccounted for.

mod cameras;
mod clip;
mod clock;
mod ends;
mod eventful;
mod programs;
mod wall;

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::clock::Leaping;
use self::ends::{CAMERA, CameraPace, Doors, FRAME_MS, Ledger, SHAKY, STEADY, World};
use crate::api::Pipeline;
use crate::error::Result;
use crate::image::PixelFormat;
use crate::options::{InputOptions, LiveOptions, OutputOptions};
use crate::protocol::environment::Environment;
use crate::stats::event::Event;
use crate::stats::{EndState, Snapshot, Stats};
use crate::time::stop::Stop;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Real time after which something hangs.
const LIMIT: Duration = Duration::from_secs(200);

/// Real time after which less than what was planned is enough, on a machine with other work.
const ENOUGH: Duration = Duration::from_secs(90);

/// Real time in which nothing at all has happened where nothing will.
const IDLE: Duration = Duration::from_millis(10);

/// What the process may have more of at the end than after the first hour.
const GROWTH_KIB: u64 = 4096;

/// How far the outputs' clock may be off after a day.
const CLOCK_MS: i64 = 10_000;

/// From one picture to the next: where one is held that is a frame's length, and where frames come
/// again less than another, or than two where the first comes too late.
const PICTURE_GAP_MS: i64 = 3 * FRAME_MS;

/// From one packet of sound to the next: so long it is waited for before there is silence.
const SOUND_GAP_MS: i64 = 1500;

/// The shortest time from one try to the next.
const LEAST_GAP: Duration = Duration::from_millis(250);

/// Set where the test has a process of its own.
const ALONE: &str = "FRAMELOOM_SOAK_ALONE";

/// What the process has of what must not grow.
#[derive(Clone, Copy, Debug)]
struct ProcessUse {
    memory_kib: u64,
    descriptors: usize,
    threads: usize,
}

impl ProcessUse {
    fn now() -> ProcessUse {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let count = |folder| std::fs::read_dir(folder).unwrap().count();
        ProcessUse {
            memory_kib: resident.trim_end_matches("kB").trim().parse().unwrap(),
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
        }
    }

    /// The most of each.
    fn max(self, other: ProcessUse) -> ProcessUse {
        ProcessUse {
            memory_kib: self.memory_kib.max(other.memory_kib),
            descriptors: self.descriptors.max(other.descriptors),
            threads: self.threads.max(other.threads),
        }
    }
}

/// What was told while it ran.
#[derive(Debug, Default)]
struct EventCounts {
    input: [AtomicU64; 2],
    output: [AtomicU64; 2],
}

impl EventCounts {
    fn hear(&self, event: &Event) {
        let count = match event {
            Event::InputLost { .. } => &self.input[0],
            Event::InputBack { .. } => &self.input[1],
            Event::OutputLost { .. } => &self.output[0],
            Event::OutputBack { .. } => &self.output[1],
            _ => return,
        };
        count.fetch_add(1, SeqCst);
    }

    /// Losses and returns, of the input and of outputs.
    fn counts(&self) -> [[u64; 2]; 2] {
        [&self.input, &self.output].map(|both| both.each_ref().map(|n| n.load(SeqCst)))
    }
}

#[test]
#[ignore = "slow"]
fn a_day_of_losses_leaves_nothing_behind() {
    alone(module_path!(), "a_day_of_losses_leaves_nothing_behind", live_through_a_day);
}

/// Runs the test `name` of a module in a process of its own: beside other tests, nobody could say
/// whose memory it is.
fn alone(module: &str, name: &str, test: impl FnOnce()) {
    let is_alone = std::env::var_os(ALONE).is_some()
        || std::env::var("NEXTEST_EXECUTION_MODE").is_ok_and(|mode| mode == "process-per-test");
    if is_alone {
        return test();
    }
    let (_, module) = module.split_once("::").unwrap();
    let name = format!("{module}::{name}");
    let mut run = Command::new(std::env::current_exe().unwrap());
    let output = run.args(["--exact", &name, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    println!("{said}");
}

/// What all chance comes from.
fn seed() -> u64 {
    let seed = std::env::var("FRAMELOOM_TEST_SEED").ok().and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or(20_261_124);
    println!("FRAMELOOM_TEST_SEED={seed}");
    seed
}

fn pace() -> CameraPace {
    CameraPace {
        due: |c| c.frames_edited + c.frames_bypassed + c.frames_held - c.frames_late,
        behind: 20,
        patience: Duration::from_millis(100),
        counts_old_frames: false,
    }
}

/// A pipeline in a thread of its own.
struct SoakRun {
    thread: JoinHandle<Result<Snapshot>>,
    stats: Stats,
    stop: Stop,
    begun: Instant,
}

impl SoakRun {
    /// Starts it, with its counters where the ends look at them.
    fn start(pipeline: Pipeline, counters: &OnceLock<Stats>) -> SoakRun {
        let (stats, stop) = (pipeline.stats(), pipeline.stop_handle());
        counters.set(stats.clone()).unwrap();
        let thread = std::thread::spawn(move || pipeline.run());
        SoakRun { thread, stats, stop, begun: Instant::now() }
    }

    fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops it, and says what it counted.
    fn end(self) -> Snapshot {
        self.stop.stop();
        let asked = Instant::now();
        while !self.is_finished() {
            std::thread::sleep(IDLE);
            let counted = self.stats.snapshot();
            assert!(asked.elapsed() < LIMIT, "it doesn't stop: {counted:?}");
        }
        self.thread.join().unwrap().unwrap()
    }
}

/// The losses of the input and of the output in so much time, which must be many.
fn losses_within(passed: Duration, world: &World) -> [u64; 2] {
    let losses = world.losses.each_ref().map(|count| count.load(SeqCst));
    let hours = passed.as_secs() / 3600;
    assert!(losses[0] > 10 * hours && losses[1] > 6 * hours, "{losses:?}");
    losses
}

/// What the process had once it had settled and at the end, and how much time had passed then.
#[derive(Debug)]
struct SoakDay {
    first: ProcessUse,
    last: ProcessUse,
    passed: Duration,
}

/// Lets a simulated day pass; of two `limits` in real time the first says after how long less is enough, the
/// second when something hangs. It is looked at the process when `are_there` says that nothing is lost, once
/// `settled` has passed and at the end.
fn wait_for_a_day(
    run: &SoakRun,
    clock: &Leaping,
    [enough, limit]: [Duration; 2],
    settled: Duration,
    are_there: impl Fn() -> bool,
) -> SoakDay {
    let mut first = None;
    while !run.is_finished() {
        let leaps = clock.leaps();
        std::thread::sleep(IDLE);
        clock.nudge(leaps);
        let (passed, took) = (clock.passed(), run.begun.elapsed());
        assert!(took < limit, "{passed:?} have passed, {:?}", run.stats.snapshot());
        // Whatever is looked at must not be lost meanwhile.
        clock.stand(true);
        if first.is_none() && clock.passed() >= settled && are_there() {
            first = Some(ProcessUse::now());
        }
        let is_over = clock.passed() >= DAY || took >= enough && first.is_some();
        if is_over && are_there() {
            break;
        }
        clock.stand(false);
    }
    let (last, passed) = (ProcessUse::now(), clock.passed());
    println!("{passed:?} in {:?}, {} leaps", run.begun.elapsed(), clock.leaps());
    SoakDay { first: first.unwrap(), last, passed }
}

fn live_through_a_day() {
    let seed = seed();
    let clock = Leaping::new(seed);
    let world = World::new(&clock, seed, pace());
    let environment =
        Environment { clock: clock.clone(), opener: Arc::new(Doors(Arc::clone(&world))) };
    let (events, seen) = (Arc::new(EventCounts::default()), Arc::new(AtomicU64::new(0)));
    let pipeline = plain(environment, &clock, &seen);
    let listener = Arc::clone(&events);
    let pipeline = pipeline.on_event(move |event| listener.hear(event));
    let run = SoakRun::start(pipeline, &world.stats);
    let stats = run.stats.clone();

    let limits = [ENOUGH, LIMIT];
    let day = wait_for_a_day(&run, &clock, limits, HOUR, || are_there(&stats.snapshot(), &world));
    let SoakDay { first, last, passed } = day;
    let counted = run.end();
    let seen = seen.load(SeqCst);
    println!("{counted:?}\n{events:?}\n{:?}", world.ledgers());
    println!("{first:?}, then {last:?}; tries {:?} apart", world.closest_tries());

    assert_eq!((last.descriptors, last.threads), (first.descriptors, first.threads));
    assert!(last.memory_kib <= first.memory_kib + GROWTH_KIB, "{first:?}, then {last:?}");
    let losses = losses_within(passed, &world);
    account_for(&counted, losses, &world.ledgers());
    account_for_code(&counted, seen, &world.ledgers());
    assert_eq!(events.counts(), losses.map(|count| [count; 2]));
    // A storm of tries is none, though many connections end as soon as they are there.
    let short = world.short.each_ref().map(|count| count.load(SeqCst));
    assert!(short.iter().all(|count| *count >= passed.as_secs() / 3600), "{short:?}");
    assert!(world.closest_tries().iter().all(|gap| *gap >= LEAST_GAP));
    let [steady, _] = world.ledgers();
    let ahead = steady.last_ms[0].unwrap() - i64::try_from(passed.as_millis()).unwrap();
    assert!(ahead.abs() < CLOCK_MS, "the outputs' clock is off by {ahead} ms");
}

/// Whether the input and the outputs are there, and the pipeline knows it.
fn are_there(counted: &Snapshot, world: &World) -> bool {
    let outputs = counted.outputs.iter().map(|output| output.state);
    let known = outputs.chain([counted.input]).all(|state| state == EndState::Ok);
    known && world.there.iter().all(|there| there.load(SeqCst))
}

/// Every packet is somewhere.
fn account_for(counted: &Snapshot, losses: [u64; 2], ledgers: &[Ledger; 2]) {
    let [steady, shaky] = ledgers;
    let sum = |ledger: &Ledger| ledger.packets.iter().sum::<u64>();
    assert_eq!(counted.reconnects, losses[0] + losses[1]);
    let outputs: Vec<_> = counted.outputs.iter().map(|output| output.reconnects).collect();
    assert_eq!(outputs, [0, losses[1]]);

    assert_eq!(counted.packets_corrupt, 0);
    assert_eq!(counted.frames_out, steady.packets[0] + shaky.packets[0]);
    assert_eq!(counted.packets_out, sum(steady) + sum(shaky));
    assert_eq!(counted.outputs[0].packets_dropped, 0);
    assert_eq!(sum(steady), sum(shaky) + counted.outputs[1].packets_dropped);

    for ledger in ledgers {
        assert_eq!((ledger.disordered, ledger.keyless, ledger.finished), (0, 0, 1), "{ledger:?}");
        assert_eq!(ledger.misannounced, 0, "{ledger:?}");
    }
    assert!(steady.gap_ms[1] <= SOUND_GAP_MS, "{steady:?}");
}

/// The closure saw every frame that is written, but for those that were held.
fn account_for_code(counted: &Snapshot, seen: u64, [steady, _]: &[Ledger; 2]) {
    assert_eq!((counted.frames_edited, counted.frames_dropped, counted.errors), (seen, 0, 0));
    assert!(steady.gap_ms[0] <= PICTURE_GAP_MS, "{steady:?}");
    assert_eq!(steady.packets[0], seen + counted.frames_held - counted.frames_late);
}

fn input() -> InputOptions {
    InputOptions::new().with("threads", "1").unwrap()
}

fn output(audio: &str) -> OutputOptions {
    let options = [("c:a", audio), ("preset:v", "ultrafast"), ("threads:v", "1")];
    options.iter().fold(OutputOptions::new(), |all, (name, value)| all.with(name, value).unwrap())
}

fn plain(environment: Environment, clock: &Arc<Leaping>, seen: &Arc<AtomicU64>) -> Pipeline {
    let mut live = LiveOptions::new();
    // Computing takes no time here, so that no frame is too late for the code.
    live.set("on-slow", "block").unwrap();
    let (clock, seen) = (Arc::clone(clock), Arc::clone(seen));
    Pipeline::open_all(environment, vec![(CAMERA.to_owned(), input())], &Stop::new())
        .unwrap()
        .live(live)
        .process(move |frame| {
            frame.image_mut(PixelFormat::Rgb24)?.row_mut(0).fill(255);
            seen.fetch_add(1, SeqCst);
            clock.arrived();
            Ok(())
        })
        .to_url_with(STEADY, output("copy"))
        .unwrap()
        .to_url_with(SHAKY, output("copy"))
        .unwrap()
}
