//! Code that is slow, fails or hangs, under each policy.

use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use frameloom::options::{InputOptions, LiveOptions, OutputOptions};
use frameloom::{Error, Event, Frame, Pipeline, PixelFormat, Result, Snapshot, Stop};

use super::{tool, url};

/// Six times as long as a frame of the source is.
const SLOW: Duration = Duration::from_millis(240);

/// Frames that the source has.
const FRAMES: u64 = 50;

/// Far more than anything here should take.
const LIMIT: Duration = Duration::from_secs(60);

fn policies(words: &str) -> LiveOptions {
    let mut options = LiveOptions::new();
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        options.set(name, value).unwrap();
    }
    options
}

/// Two seconds of moving pictures at their own speed, like a camera's.
fn camera(words: &str, stop: &Stop) -> Pipeline {
    let input = InputOptions::new().with("f", "lavfi").unwrap().with("re", "").unwrap();
    let source = "testsrc2=s=160x120:r=25:d=2";
    Pipeline::builder(source).input(input).stop(stop).open().unwrap().live(policies(words))
}

fn encoded(pipeline: Pipeline, out: &Path) -> Pipeline {
    let options = OutputOptions::new().with("preset", "ultrafast").unwrap();
    pipeline.to_url_with(url(out), options).unwrap()
}

/// Makes the frame black.
fn paint(frame: &mut Frame) -> Result<()> {
    let mut image = frame.image_mut(PixelFormat::Rgb24)?;
    for y in 0..image.height() {
        image.row_mut(y).fill(0);
    }
    Ok(())
}

/// Runs a pipeline with code under these policies.
fn run(words: &str, mut edit: impl FnMut(&mut Frame) -> Result<()> + Send + 'static) -> Outcome {
    let room = tempfile::tempdir().unwrap();
    let out = room.path().join("out.mkv");
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let pipeline =
        camera(words, &Stop::new()).process(move |frame| Ok(edit(frame)?)).on_event(move |event| {
            listener.lock().unwrap().push(event.clone());
        });
    let snapshot = encoded(pipeline, &out).run();
    let listed = "-v error -select_streams v -show_entries packet=pts -of csv=p=0";
    let listed = tool("ffprobe", &format!("{listed} {}", out.display()));
    let mut times: Vec<i64> = listed.lines().filter_map(|line| line.trim().parse().ok()).collect();
    times.sort_unstable();
    times.dedup();
    let events = std::mem::take(&mut *told.lock().unwrap());
    Outcome { snapshot, times, events }
}

struct Outcome {
    snapshot: Result<Snapshot>,
    /// Of each picture that was written, without those that share one.
    times: Vec<i64>,
    events: Vec<Event>,
}

impl Outcome {
    /// The counters of a run that ended well, with every written picture at a time of its own.
    fn counted(&self) -> &Snapshot {
        let snapshot = self.snapshot.as_ref().unwrap();
        assert_eq!(self.times.len() as u64, snapshot.frames_out, "{snapshot:?}");
        assert_eq!(snapshot.frames_in, FRAMES, "{snapshot:?}");
        snapshot
    }
}

fn slow(frame: &mut Frame) -> Result<()> {
    std::thread::sleep(SLOW);
    paint(frame)
}

#[test]
fn latest_drops_what_slow_code_never_sees() {
    let outcome = run("on-slow=latest", slow);
    let counted = outcome.counted();
    // Those that came before the first answer are no sign of slowness.
    let left_out = counted.frames_dropped + counted.frames_skipped;
    assert_eq!(counted.frames_in, counted.frames_out + left_out, "{counted:?}");
    assert_eq!(counted.frames_edited, counted.frames_out, "{counted:?}");
    assert!(left_out > FRAMES / 2, "{counted:?}");
    // Without drops the last frame would be ten seconds late.
    assert!(counted.latency_p99_ms.unwrap() < 5_000.0, "{counted:?}");
    let told = outcome.events.iter().any(|event| matches!(event, Event::FramesDropped { .. }));
    assert!(told, "{:?}", outcome.events);
}

#[test]
fn bypass_lets_them_by_unedited() {
    let outcome = run("on-slow=bypass", slow);
    let counted = outcome.counted();
    assert_eq!((counted.frames_out, counted.frames_dropped), (FRAMES, 0), "{counted:?}");
    assert_eq!(counted.frames_edited + counted.frames_bypassed, FRAMES, "{counted:?}");
    assert!(counted.frames_edited > 0 && counted.frames_bypassed > FRAMES / 2, "{counted:?}");
    let told = outcome.events.iter().any(|event| matches!(event, Event::FramesBypassed { .. }));
    assert!(told, "{:?}", outcome.events);
}

#[test]
fn past_its_deadline_a_frame_goes_out_as_it_came() {
    let outcome = run("deadline=40ms", slow);
    let counted = outcome.counted();
    assert_eq!((counted.frames_out, counted.frames_edited), (FRAMES, 0), "{counted:?}");
    assert_eq!(counted.frames_bypassed, FRAMES, "{counted:?}");
}

#[test]
#[ignore = "slow"]
fn block_has_every_frame_edited() {
    let outcome = run("on-slow=block", slow);
    let counted = outcome.counted();
    assert_eq!((counted.frames_out, counted.frames_edited), (FRAMES, FRAMES), "{counted:?}");
}

/// What an error says of it, and how the code fails.
type Failure = (&'static str, fn() -> Result<()>);

const FAILURES: [Failure; 2] = [
    ("no face in it", || Err(Error::process("no face in it"))),
    ("your code panicked: no face at all", || panic!("no face at all")),
];

/// Code that goes wrong on every third frame.
fn every_third(
    mut wrong: impl FnMut() -> Result<()> + Send + 'static,
) -> impl FnMut(&mut Frame) -> Result<()> + Send + 'static {
    let mut seen = 0;
    move |frame| {
        seen += 1;
        if seen % 3 == 0 {
            return wrong();
        }
        paint(frame)
    }
}

#[test]
fn a_frame_on_which_the_code_fails_goes_out_as_it_came() {
    for (words, wrong) in FAILURES {
        let outcome = run("on-slow=block on-error=bypass", every_third(wrong));
        let counted = outcome.counted();
        let failed = FRAMES / 3;
        assert_eq!((counted.frames_out, counted.errors), (FRAMES, failed), "{counted:?}");
        assert_eq!(counted.frames_edited, FRAMES - failed, "{counted:?}");
        let of_code = |event: &&Event| matches!(event, Event::CodeFailed { .. });
        let told: Vec<String> =
            outcome.events.iter().filter(of_code).map(Event::to_string).collect();
        assert!(told[0].contains(words), "{told:?}");
        assert!(told.len() <= 3, "a line a frame: {told:?}");
    }
}

#[test]
fn under_stop_the_first_failure_ends_the_run() {
    for (words, wrong) in FAILURES {
        let outcome = run("on-slow=block on-error=stop", every_third(wrong));
        let told = outcome.snapshot.unwrap_err().to_string();
        assert!(told.contains(words), "{told}");
        assert_eq!(outcome.times.len(), 2, "what was done before is kept");
    }
}

/// Nothing can end a thread that doesn't come back: the run goes on without it.
#[test]
fn code_that_hangs_for_ever_keeps_no_stop_from_ending() {
    for words in ["on-slow=block", "on-slow=latest", "on-slow=bypass", "deadline=40ms"] {
        let room = tempfile::tempdir().unwrap();
        let out = room.path().join("out.mkv");
        let stop = Stop::new();
        let (reached, hangs) = channel();
        let pipeline = camera(words, &stop).process(move |frame| {
            if frame.index() < 5 {
                return Ok(paint(frame)?);
            }
            reached.send(()).ok();
            loop {
                std::thread::park();
            }
        });
        let pipeline = encoded(pipeline, &out);
        let (done, ended) = channel();
        std::thread::spawn(move || done.send(pipeline.run()).ok());
        hangs.recv_timeout(LIMIT).unwrap();
        stop.stop();
        let snapshot = ended.recv_timeout(LIMIT).expect("it never ended").unwrap();
        assert!(snapshot.frames_out >= 5, "{words}: {snapshot:?}");
        let listed = format!(
            "-v error -count_packets -show_entries stream=nb_read_packets -of csv=p=0 {}",
            out.display()
        );
        let kept: u64 = tool("ffprobe", &listed).trim().parse().unwrap();
        assert_eq!(kept, snapshot.frames_out, "{words}");
    }
}

/// What `hold` promises: nobody sees a picture that the code has not given out.
#[test]
fn under_hold_no_picture_is_seen_unedited() {
    let room = tempfile::tempdir().unwrap();
    for words in ["on-error=hold on-slow=block", "on-slow=hold deadline=20ms", "on-slow=hold"] {
        let out = room.path().join("out.mkv");
        let _ = std::fs::remove_file(&out);
        let mut count = 0;
        let edit = move |frame: &mut Frame| {
            count += 1;
            if words.contains("on-slow=hold") {
                std::thread::sleep(if count % 4 == 1 { SLOW } else { Duration::ZERO });
            } else if count < 5 || count % 3 == 0 {
                return Err(Error::process("no face").into());
            }
            Ok(paint(frame)?)
        };
        let pipeline = camera(words, &Stop::new()).process(edit);
        let snapshot = encoded(pipeline, &out).run().unwrap();
        assert_eq!(snapshot.frames_bypassed, 0, "{words}");
        assert!(snapshot.frames_held > 5, "{words}: {} held", snapshot.frames_held);
        let mut seen = 0;
        for frame in frameloom::Reader::open(url(&out)).unwrap() {
            let frame = frame.unwrap();
            let image = frame.image(PixelFormat::Gray).unwrap();
            let levels: Vec<u8> = image.rows().flatten().copied().collect();
            // Black, or the card: dark, with a few light letters. The source has all levels.
            let dark = levels.iter().filter(|level| **level < 48).count();
            assert!(dark * 10 > levels.len() * 7, "{words}: frame {seen} was seen");
            seen += 1;
        }
        assert_eq!(seen, FRAMES, "{words}");
    }
}
