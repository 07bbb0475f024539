//! Outputs that begin with what was read before they were added, and outputs of a caller who pulls.

use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use frameloom::options::{InputOptions, LiveOptions, OutputOptions};
use frameloom::{Control, EndState, ErrorKind, Frames, OutputId, Pipeline};

use super::control::{
    check_sound, film, hashes, is_finished, place_of, pulled, shown, times, write_to,
};
use super::rtmp::{LIMIT, at, serve, wait_until};
use super::{lossless, pictures, url};

fn keeping(seconds: u64) -> InputOptions {
    InputOptions::new().preroll(Duration::from_secs(seconds))
}

fn since(seconds: u64) -> OutputOptions {
    OutputOptions::new().preroll(Duration::from_secs(seconds))
}

/// Takes frames up to this one, and writes none.
fn read_to(frames: &mut Frames, number: u64) {
    for frame in frames.by_ref() {
        if frame.unwrap().index() + 1 == number {
            break;
        }
    }
}

/// A recording has every packet of a part of the source, as it is there, from a keyframe on, and sound in
/// step. Tells where that part begins and ends, in pictures.
fn check_recorded(recording: &Path, source: &Path) -> std::ops::Range<usize> {
    let (video, whole) = (shown(recording, "v"), shown(source, "v"));
    let place = place_of(&hashes(&video), &hashes(&whole));
    assert_eq!((place % 25, video[0].0), (0, 0.0), "it begins with packet {place}");
    check_sound(recording, source, whole[place].0);
    let rising = |kind: &str| {
        let times: Vec<f64> = shown(recording, kind).iter().map(|(at, _)| *at).collect();
        // Those of pictures are in the order of decoding.
        kind == "v" || times.is_sorted_by(|a, b| a < b)
    };
    assert!(rising("v") && rising("a"));
    // Every picture is the source's own time behind the first.
    for (recorded, original) in video.iter().zip(&whole[place..]) {
        let moved = original.0 - recorded.0;
        assert!((moved - whole[place].0).abs() < 0.002, "moved by {moved}");
    }
    place..place + video.len()
}

#[test]
fn an_output_begins_with_what_was_kept_and_goes_on_without_a_gap() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let pipeline = Pipeline::builder(url(&source)).input(keeping(3)).open().unwrap();
    let mut frames = pipeline.frames().unwrap();
    read_to(&mut frames, 100);
    // Nobody has asked for outputs yet.
    let control = frames.control().unwrap();
    let first = control.add_output(url(&path("first.mp4")), since(2)).unwrap();
    // More than is kept.
    let second = control.add_output(url(&path("second.mkv")), since(60)).unwrap();
    read_to(&mut frames, 120);
    let finished = frames.remove_output(first).unwrap();
    // It is finished though nobody reads on.
    finished.wait(LIMIT).expect("it is finished in time").unwrap();
    read_to(&mut frames, 150);
    let third = control.add_output(url(&path("third.mkv")), since(1)).unwrap();
    let frame = frames.next().unwrap().unwrap();
    let error = frames.write_to(third.number(), frame).unwrap_err();
    assert!(error.to_string().contains("no frames can be written"), "{error}");
    is_finished(&control, second);
    read_to(&mut frames, 199);
    // All of the input is read, and frames of it are still to come.
    let last = control.add_output(url(&path("last.mkv")), since(1)).unwrap();
    read_to(&mut frames, 200);
    is_finished(&control, last);
    frames.finish().unwrap();

    // Read ahead of the frames: the queues' packets.
    let ahead = 30;
    let part = check_recorded(&path("first.mp4"), &source);
    assert!((25..=50 + ahead).contains(&part.start), "{part:?}");
    assert!((118..=120 + ahead).contains(&part.end), "{part:?}");
    let part = check_recorded(&path("second.mkv"), &source);
    assert!((0..=25 + ahead).contains(&part.start), "{part:?}");
    let part = check_recorded(&path("third.mkv"), &source);
    assert!((100..=125 + ahead).contains(&part.start), "{part:?}");
    assert_eq!(part.end, 200, "it ends with the input");
    assert_eq!(check_recorded(&path("last.mkv"), &source), 150..200);
}

/// The ffmpeg program, which publishes at the film's own speed. Dropped, it is ended.
struct FfmpegPublisher(Child);

impl FfmpegPublisher {
    fn start(source: &Path, target: &str) -> FfmpegPublisher {
        let words = format!("-v error -re -i {} -c copy -f flv {target}", source.display());
        FfmpegPublisher(Command::new("ffmpeg").args(words.split(' ')).spawn().unwrap())
    }
}

impl Drop for FfmpegPublisher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "slow"]
fn events_of_a_live_stream_are_recorded_with_what_came_before() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let server = serve(|_| {});
    let camera = FfmpegPublisher::start(&source, &at(&server, "camera"));
    wait_until("the camera is there", || !server.status().streams.is_empty());
    let pipeline = Pipeline::builder(&at(&server, "camera")).input(keeping(3)).open().unwrap();
    let live = LiveOptions::new().with("on-loss", "end").unwrap();
    // Before it runs there is nothing yet to begin with.
    let pipeline = pipeline.live(live).to_url_with(url(&path("all.mkv")), since(1)).unwrap();
    let mut frames = pipeline.frames().unwrap();
    let mut event: Option<OutputId> = None;
    let mut seen = 0;
    while let Some(frame) = frames.next() {
        let frame = frame.unwrap();
        let at = frame.pts().as_secs_f64();
        match event {
            None if seen < 2 && at > [2.6, 5.1][seen] => {
                let name = path(["one.mp4", "two.mkv"][seen]);
                event = Some(frames.control().unwrap().add_output(url(&name), since(2)).unwrap());
            }
            Some(open) if at > [3.6, 6.1][seen] => {
                let finished = frames.remove_output(open).unwrap();
                finished.wait(LIMIT).expect("it is finished in time").unwrap();
                (event, seen) = (None, seen + 1);
            }
            _ => {}
        }
    }
    frames.finish().unwrap();
    drop(camera);
    assert_eq!(seen, 2, "the stream goes on behind an event");
    let whole = shown(&source, "v");
    // The pipeline's clock begins with the first packet that it got.
    let all = hashes(&shown(&path("all.mkv"), "v"));
    let begun = place_of(&all, &hashes(&whole));
    assert_eq!(begun + all.len(), 200);
    for (name, opened, closed) in [("one.mp4", 2.6, 3.6), ("two.mkv", 5.1, 6.1)] {
        let part = check_recorded(&path(name), &source);
        let begin = whole[part.start].0 - whole[begun].0;
        // From the keyframe two seconds before the newest packet, which is a little ahead of the frame.
        assert!((opened - 3.1..=opened - 2.0 + 1.0).contains(&begin), "{name}: {begin}");
        let length = f64::from(u32::try_from(part.len()).unwrap()) / 25.0;
        assert!(begin + length >= closed - 0.3, "{name}: {begin} and {length}");
    }
}

#[test]
fn what_is_kept_begins_anew_behind_a_loss() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let recording = room.path().join("after.mkv");
    let server = serve(|_| {});
    let camera = FfmpegPublisher::start(&source, &at(&server, "camera"));
    wait_until("the camera is there", || !server.status().streams.is_empty());
    let pipeline = Pipeline::builder(&at(&server, "camera")).input(keeping(60)).open().unwrap();
    let pipeline = pipeline.to_url(&at(&server, "again")).unwrap();
    let (control, stats, stop) = (pipeline.control(), pipeline.stats(), pipeline.stop_handle());
    let run = thread::spawn(move || pipeline.run());
    wait_until("enough is read", || stats.snapshot().packets_in > 150);
    drop(camera);
    wait_until("it is lost", || stats.snapshot().input != EndState::Ok);
    let read = stats.snapshot().packets_in;
    let camera = FfmpegPublisher::start(&source, &at(&server, "camera"));
    wait_until("it is back and enough is read", || stats.snapshot().packets_in > read + 150);
    let added = control.add_output(url(&recording), since(60)).unwrap();
    let at_add = stats.snapshot().packets_in;
    wait_until("more is read", || stats.snapshot().packets_in > at_add + 60);
    is_finished(&control, added);
    stop.stop();
    run.join().unwrap().unwrap();
    drop(camera);
    // All of it is one part of the film: nothing of what came before the loss stands in it.
    let part = check_recorded(&recording, &source);
    assert!(part.len() > 60, "{part:?}");
}

#[test]
#[ignore = "slow"]
fn a_pipeline_without_code_records_with_preroll() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let input = keeping(2).with("re", "").unwrap();
    let pipeline = Pipeline::builder(url(&source)).input(input).open().unwrap();
    let pipeline = pipeline.to_url(url(&path("first.mkv"))).unwrap();
    let (control, stats) = (pipeline.control(), pipeline.stats());
    let run = thread::spawn(move || pipeline.run());
    wait_until("enough is read", || stats.snapshot().packets_in > 240);
    let added = control.add_output(url(&path("added.mkv")), since(1)).unwrap();
    let short = since(2).with("t", "1.5").unwrap();
    control.add_output(url(&path("short.mkv")), short).unwrap();
    wait_until("more is read", || stats.snapshot().packets_in > 330);
    is_finished(&control, added);
    run.join().unwrap().unwrap();
    // Some 69 packets a second.
    let part = check_recorded(&path("added.mkv"), &source);
    assert!((25..=75).contains(&part.start) && part.end > 105, "{part:?}");
    let part = check_recorded(&path("short.mkv"), &source);
    assert!(part.start <= 50 && (36..=40).contains(&part.len()), "{part:?}");
}

#[test]
fn what_cant_be_had_with_preroll_is_refused() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let add = |control: &Control, name: &str, options: OutputOptions| {
        control.add_output(url(&path(name)), options).map(drop).unwrap_err()
    };
    let pipeline = Pipeline::builder(url(&source)).input(keeping(3)).open().unwrap();
    let mut frames = pipeline.frames().unwrap();
    read_to(&mut frames, 10);
    let control = frames.control().unwrap();
    let with = |name: &str, value: &str| since(2).with(name, value).unwrap();
    for (name, options, mentions) in [
        ("encoded.mp4", with("c:v", "libx264"), "the video is encoded"),
        ("sound.mp4", with("c:a", "ac3"), "the sound is encoded"),
        ("small.mp4", with("s", "96x54"), "the video is encoded"),
        // H.264 and AAC are nothing for it.
        ("other.webm", since(2), "packets are kept, not frames"),
        ("late.mp4", with("ss", "1"), "-ss"),
    ] {
        let error = add(&control, name, options);
        assert_eq!(error.kind(), ErrorKind::Usage, "{name}: {error}");
        assert!(error.to_string().contains(mentions), "{name}: {error}");
        assert!(!path(name).exists(), "{name}");
    }
    frames.finish().unwrap();

    let (mut frames, control) = pulled(&source, &path("first.mkv"));
    write_to(&mut frames, 10);
    let error = add(&control, "none.mp4", since(2));
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("--preroll=10"), "{error}");
    frames.finish().unwrap();
}

#[test]
fn an_output_that_is_removed_has_all_that_was_written_to_it_though_nobody_reads_on() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let mut frames = Pipeline::from_url(url(&source)).unwrap().frames().unwrap();
    read_to(&mut frames, 20);
    for n in 0..3 {
        let name = path(&format!("{n}.mkv"));
        let control = frames.control().unwrap();
        let added = control.add_output(url(&name), lossless()).unwrap();
        let end = 60 + 40 * n;
        write_to(&mut frames, end);
        let finished = frames.remove_output(added).unwrap();
        finished.wait(LIMIT).expect("it is finished in time").unwrap();
        // It may be removed once.
        assert_eq!(frames.remove_output(added).unwrap_err().kind(), ErrorKind::Usage);
        let (recorded, whole) = (pictures(&name), pictures(&source));
        let begin = place_of(&recorded, &whole);
        assert_eq!(begin + recorded.len(), usize::try_from(end).unwrap(), "{n}");
        assert!(recorded.len() > 10, "{n}: {} of them", recorded.len());
        check_sound(&name, &source, times(&source)[begin]);
    }
    frames.finish().unwrap();
}

#[test]
fn an_output_that_is_removed_at_the_end_of_the_input_is_as_if_it_had_not_been() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let (mut frames, _) = pulled(&source, &path("whole.mkv"));
    write_to(&mut frames, 1000);
    frames.finish().unwrap();
    let (mut frames, _) = pulled(&source, &path("removed.mkv"));
    write_to(&mut frames, 1000);
    assert!(frames.is_over());
    let finished = frames.remove_output(0.into()).unwrap();
    finished.wait(LIMIT).expect("it is finished in time").unwrap();
    frames.finish().unwrap();
    for kind in ["v", "a"] {
        assert_eq!(shown(&path("removed.mkv"), kind), shown(&path("whole.mkv"), kind), "{kind}");
    }
}
