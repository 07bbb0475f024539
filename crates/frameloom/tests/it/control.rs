//! Outputs that come and go while the pipeline runs.

use std::path::{Path, PathBuf};
use std::thread;

use frameloom::options::{InputOptions, OutputOptions};
use frameloom::{Control, EndState, ErrorKind, Frames, OutputId, Pipeline, Reader};

use super::rtmp::{LIMIT, at, serve, wait_until};
use super::{lossless, pictures, tool, url};

/// Eight seconds of 200 frames, a keyframe each second, beside sound.
pub(super) fn film(folder: &Path) -> PathBuf {
    let path = folder.join("film.mkv");
    let input = "-f lavfi -i testsrc2=s=192x108:r=25:d=8 -f lavfi -i sine=d=8";
    let codecs = "-pix_fmt yuv420p -c:v libx264 -g 25 -keyint_min 25 -bf 2 -c:a aac";
    tool("ffmpeg", &format!("-v error -y {input} {codecs} {}", path.display()));
    path
}

/// Times and checksums of every packet, whatever the container says of itself.
fn packets(path: &Path) -> Vec<String> {
    let listed =
        tool("ffmpeg", &format!("-v error -i {} -map 0 -c copy -f framemd5 -", path.display()));
    listed.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The checksums of a kind's packets, with the seconds at which they are shown.
pub(super) fn shown(path: &Path, kind: &str) -> Vec<(f64, String)> {
    let entries = "-show_packets -show_data_hash md5 -show_entries packet=pts_time,data_hash";
    let listed = tool(
        "ffprobe",
        &format!("-v error -select_streams {kind} {entries} -of csv=p=0 {}", path.display()),
    );
    let line = |line: &str| {
        let (time, hash) = line.trim().trim_end_matches(',').split_once(',')?;
        Some((time.parse().ok()?, hash.to_owned()))
    };
    listed.lines().filter_map(line).collect()
}

/// Where `part` stands in `whole`, one behind the other.
pub(super) fn place_of(part: &[String], whole: &[String]) -> usize {
    let place = whole.windows(part.len()).position(|window| window == part);
    place.unwrap_or_else(|| panic!("{} are no part of {}", part.len(), whole.len()))
}

/// When each picture of a film is shown, in seconds.
pub(super) fn times(film: &Path) -> Vec<f64> {
    let mut times: Vec<f64> = shown(film, "v").into_iter().map(|(at, _)| at).collect();
    times.sort_by(f64::total_cmp);
    times
}

pub(super) fn hashes(packets: &[(f64, String)]) -> Vec<String> {
    packets.iter().map(|(_, hash)| hash.clone()).collect()
}

/// The sound of an output that was added is the input's, begins with the picture, ends with it, and
/// is in step: `begin` is where the output begins in the input, in seconds.
pub(super) fn check_sound(output: &Path, input: &Path, begin: f64) {
    let (sound, whole, video) = (shown(output, "a"), shown(input, "a"), shown(output, "v"));
    let place = place_of(&hashes(&sound), &hashes(&whole));
    let moved = whole[place].0 - sound[0].0;
    assert!((moved - begin).abs() < 0.003, "sound moved by {moved}, pictures by {begin}");
    assert!((0.0..0.05).contains(&sound[0].0), "sound begins at {}", sound[0].0);
    let end = |packets: &[(f64, String)]| packets.iter().map(|(at, _)| *at).fold(0.0, f64::max);
    let apart = end(&sound) - end(&video);
    // A copy ends in the order of decoding, where pictures to be shown later came before.
    assert!(apart.abs() < 0.25, "sound ends {apart} s behind the picture");
}

pub(super) fn pulled(source: &Path, target: &Path) -> (Frames, Control) {
    let pipeline = Pipeline::from_url(url(source)).unwrap();
    let pipeline = pipeline.to_url_with(url(target), lossless()).unwrap();
    let control = pipeline.control();
    (pipeline.frames().unwrap(), control)
}

/// Takes frames and writes them, up to this one.
pub(super) fn write_to(frames: &mut Frames, number: u64) {
    while let Some(frame) = frames.next() {
        let frame = frame.unwrap();
        let is_last = frame.index() + 1 == number;
        frames.write(frame).unwrap();
        if is_last {
            break;
        }
    }
}

pub(super) fn is_finished(control: &Control, output: OutputId) {
    let finished = control.remove_output(output).unwrap();
    finished.wait(LIMIT).expect("it is finished in time").unwrap();
}

#[test]
fn an_encoded_output_comes_and_goes_and_the_other_is_as_without_it() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let (mut frames, _) = pulled(&source, &path("alone.mkv"));
    write_to(&mut frames, 200);
    frames.finish().unwrap();

    let (mut frames, control) = pulled(&source, &path("first.mkv"));
    write_to(&mut frames, 30);
    let added = control.add_output(url(&path("added.mkv")), lossless()).unwrap();
    let late = control.add_output(url(&path("late.mp4")), OutputOptions::new()).unwrap();
    assert_eq!((added.number(), late.number()), (1, 2));
    write_to(&mut frames, 150);
    let finished = control.remove_output(added).unwrap();
    write_to(&mut frames, 200);
    let states = frames.stats().snapshot().outputs.iter().map(|o| o.state).collect::<Vec<_>>();
    finished.wait(LIMIT).unwrap().unwrap();
    let snapshot = frames.finish().unwrap();
    assert_eq!(states.len(), 3);
    assert_eq!(snapshot.outputs[1].state, EndState::Removed);
    assert_eq!(snapshot.outputs[0].state, EndState::Ok);

    assert_eq!(packets(&path("first.mkv")), packets(&path("alone.mkv")));
    let (added, whole) = (pictures(&path("added.mkv")), pictures(&source));
    let begin = place_of(&added, &whole);
    // It begins with what was read when it was added, and ends with what was written.
    assert!((30..90).contains(&begin), "it begins with frame {begin}");
    assert!((148..=150).contains(&(begin + added.len())), "{} of them", added.len());
    assert_eq!(shown(&path("added.mkv"), "v")[0].0, 0.0);
    check_sound(&path("added.mkv"), &source, times(&source)[begin]);
    // The other runs to the end, through an encoder that holds frames back.
    let late = shown(&path("late.mp4"), "v");
    // A frame may have been read between the two calls that added them.
    let late_begin = 200 - late.len();
    assert!((begin..90).contains(&late_begin), "it begins with frame {late_begin}, not {begin}");
    check_sound(&path("late.mp4"), &source, times(&source)[late_begin]);
}

#[test]
fn outputs_come_and_go_many_times_in_a_row() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |n: u64| room.path().join(format!("{n}.mkv"));
    let (mut frames, control) = pulled(&source, &room.path().join("first.mkv"));
    let silent = || lossless().with("an", "").unwrap();
    write_to(&mut frames, 10);
    for n in 0..5 {
        let base = 10 + 30 * n;
        let output = control.add_output(url(&path(n)), silent()).unwrap();
        assert_eq!(output.number() as u64, n + 1);
        write_to(&mut frames, base + 10);
        // A frame for it alone is missing in the first.
        let frame = frames.next().unwrap().unwrap();
        frames.write_to(output.number(), frame).unwrap();
        write_to(&mut frames, base + 20);
        is_finished(&control, output);
        let frame = frames.next().unwrap().unwrap();
        let error = frames.write_to(output.number(), frame).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(control.remove_output(output).unwrap_err().kind(), ErrorKind::Usage);
        write_to(&mut frames, base + 30);
    }
    write_to(&mut frames, 200);
    frames.finish().unwrap();
    let (first, whole) = (pictures(&room.path().join("first.mkv")), pictures(&source));
    for n in 0..5 {
        let added = pictures(&path(n));
        let place = place_of(&added, &whole);
        let base = 10 + 30 * usize::try_from(n).unwrap();
        // A frame that was written may still be on its way to the encoders.
        assert!((base - 2..=base).contains(&place), "{n} begins with frame {place}");
        assert!((base + 18..=base + 20).contains(&(place + added.len())), "{n}: {}", added.len());
        assert_eq!(shown(&path(n), "v")[0].0, 0.0, "{n}");
        assert!(!first.contains(&whole[base + 10]) && !first.contains(&whole[base + 20]), "{n}");
    }
    assert_eq!(first.len(), 190);
}

#[test]
fn what_cant_be_added_or_removed_is_an_error_and_changes_nothing() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let (mut frames, control) = pulled(&source, &path("first.mkv"));
    write_to(&mut frames, 10);
    let refused = |name: &str, options: OutputOptions| {
        control.add_output(url(&path(name)), options).map(drop).unwrap_err().kind()
    };
    assert_eq!(refused("missing/out.mkv", lossless()), ErrorKind::NotFound);
    assert_eq!(refused("first.mkv", lossless()), ErrorKind::AlreadyExists);
    assert_eq!(refused("out.unknown", OutputOptions::new()), ErrorKind::Usage);
    let option = |name: &str, value: &str| lossless().with(name, value).unwrap();
    assert_eq!(refused("late.mkv", option("ss", "1")), ErrorKind::Usage);
    assert_eq!(refused("copy.mkv", option("c:v", "copy")), ErrorKind::Usage);
    assert_eq!(control.remove_output(7.into()).unwrap_err().kind(), ErrorKind::Usage);
    let nobody = control.add_output("rtmp://127.0.0.1:1/live/x", OutputOptions::new());
    assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Connection);
    write_to(&mut frames, 200);
    assert_eq!(frames.stats().snapshot().outputs.len(), 1);
    frames.finish().unwrap();
    assert_eq!(pictures(&path("first.mkv")), pictures(&source));
    assert_eq!(std::fs::read_dir(room.path()).unwrap().count(), 2);
    let ended = control.add_output(url(&path("late.mkv")), lossless()).unwrap_err();
    assert!(ended.to_string().contains("has ended"), "{ended}");
    assert!(control.remove_output(0.into()).is_err());
}

#[test]
fn outputs_are_added_and_removed_before_it_runs() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let control = pipeline.control();
    let first = control.add_output(url(&path("first.mkv")), OutputOptions::new()).unwrap();
    control.add_output(url(&path("second.mkv")), OutputOptions::new()).unwrap();
    control.remove_output(first).unwrap().wait(LIMIT).unwrap().unwrap();
    assert!(control.remove_output(first).is_err());
    pipeline.run().unwrap();
    assert!(!path("first.mkv").exists());
    assert_eq!(packets(&path("second.mkv")).len(), packets(&source).len());
}

#[test]
#[ignore = "slow"]
fn a_copied_output_begins_with_a_keyframe_and_an_encoded_one_beside_it() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let path = |name: &str| room.path().join(name);
    let input = InputOptions::new().with("re", "").unwrap();
    let pipeline = Pipeline::builder(url(&source)).input(input).open().unwrap();
    let pipeline = pipeline.to_url(url(&path("first.mkv"))).unwrap();
    let (control, stats) = (pipeline.control(), pipeline.stats());
    let run = thread::spawn(move || pipeline.run());
    let read = |count: u64| {
        wait_until("enough is read", || stats.snapshot().packets_in > count);
    };
    // Some 69 packets a second.
    read(30);
    let copied = control.add_output(url(&path("copied.mkv")), OutputOptions::new()).unwrap();
    // Nothing was decoded before.
    let encoded = control.add_output(url(&path("encoded.mkv")), lossless()).unwrap();
    let short = OutputOptions::new().with("t", "1.5").unwrap();
    control.add_output(url(&path("short.mkv")), short).unwrap();
    read(330);
    is_finished(&control, copied);
    is_finished(&control, encoded);
    let last = control.remove_output(OutputId::from(0)).err();
    assert_eq!(last.map(|e| e.kind()), Some(ErrorKind::Usage));
    run.join().unwrap().unwrap();

    assert_eq!(packets(&path("first.mkv")), packets(&source));
    let whole = shown(&source, "v");
    for name in ["copied.mkv", "short.mkv"] {
        let video = shown(&path(name), "v");
        let place = place_of(&hashes(&video), &hashes(&whole));
        assert_eq!((place % 25, video[0].0), (0, 0.0), "{name} begins with packet {place}");
        check_sound(&path(name), &source, whole[place].0);
        assert!(video.len() > 30, "{name}: {}", video.len());
    }
    let length = shown(&path("short.mkv"), "v").len();
    assert!((36..=40).contains(&length), "{length} pictures in 1.5 s");
    let (encoded, pictures) = (pictures(&path("encoded.mkv")), pictures(&source));
    let place = place_of(&encoded, &pictures);
    assert!(place.is_multiple_of(25) && encoded.len() > 30, "{place}, {}", encoded.len());
    check_sound(&path("encoded.mkv"), &source, times(&source)[place]);
}

#[test]
fn a_live_pipeline_publishes_once_more_for_a_while() {
    let room = tempfile::tempdir().unwrap();
    let source = film(room.path());
    let server = serve(|_| {});
    let endless = InputOptions::new().with("re", "").unwrap().with("stream_loop", "-1").unwrap();
    let camera = Pipeline::builder(url(&source)).input(endless).open().unwrap();
    let camera = camera.to_url(&at(&server, "camera")).unwrap();
    let camera_stop = camera.stop_handle();
    let publishing = thread::spawn(move || camera.run());
    wait_until("the camera is there", || !server.status().streams.is_empty());

    let pipeline = Pipeline::from_url(&at(&server, "camera")).unwrap();
    let pipeline = pipeline.to_url(&at(&server, "first")).unwrap();
    let (control, stop) = (pipeline.control(), pipeline.stop_handle());
    let run = thread::spawn(move || pipeline.run());
    for codec in ["copy", "libx264"] {
        let options = OutputOptions::new().with("c:v", codec).unwrap();
        let second = control.add_output(&at(&server, "second"), options).unwrap();
        let has = |name: &str| {
            let streams = server.status().streams;
            streams.iter().any(|s| s.name == name && s.video.is_some() && s.audio.is_some())
        };
        wait_until("both are published", || has("first") && has("second"));
        let frames = Reader::open(&at(&server, "second")).unwrap();
        let times: Vec<_> = frames.take(10).map(|frame| frame.unwrap().pts()).collect();
        assert!(times.is_sorted(), "{codec}: {times:?}");
        is_finished(&control, second);
        wait_until("it is gone", || !server.status().streams.iter().any(|s| s.name == "second"));
        assert!(has("first"), "{codec}");
    }
    stop.stop();
    run.join().unwrap().unwrap();
    camera_stop.stop();
    publishing.join().unwrap().unwrap();
}

/// An output that comes later has the input's subtitles from then on, encoded as its container has them, and
/// no cover: that was read at the beginning.
#[test]
fn an_output_that_comes_later_has_subtitles() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    let (film, lines, source) = (film(room.path()), path("lines.srt"), path("source.mkv"));
    let event =
        |second: u32| format!("{second}\n00:00:0{second},500 --> 00:00:0{second},900\nx\n\n");
    std::fs::write(&lines, (0..8).map(event).collect::<String>()).unwrap();
    let inputs = format!("-i {} -i {}", film.display(), lines.display());
    tool("ffmpeg", &format!("-v error {inputs} -map 0 -map 1 -c copy {}", source.display()));
    let (mut frames, control) = pulled(&source, &path("first.mkv"));
    write_to(&mut frames, 30);
    let with_text = OutputOptions::new().with("c:s", "mov_text").unwrap();
    control.add_output(url(&path("late.mp4")), with_text).unwrap();
    write_to(&mut frames, 200);
    frames.finish().unwrap();
    let begin = 200 - shown(&path("late.mp4"), "v").len();
    let begin = times(&source)[begin];
    let text = tool("ffmpeg", &format!("-v error -i {} -f srt -", path("late.mp4").display()));
    let spoken = text.lines().filter(|line| line.contains("-->")).count();
    let to_come = (0..8).filter(|second| f64::from(*second) + 0.5 >= begin).count();
    assert_eq!(spoken, to_come, "it begins at {begin} s:\n{text}");
    assert!(spoken > 3, "{text}");
}
