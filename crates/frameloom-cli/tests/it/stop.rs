//! Stopping, and what is told on the way.

use std::path::Path;

use serde_json::Value;

use crate::harness::judge::assert_playable;
use crate::harness::pixels::{assert_unbroken, both_counters};
use crate::harness::*;

/// The statistics a run has given so far.
fn statistics(said: &str) -> Vec<Value> {
    let lines = said.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).expect("a line that is no JSON")).collect()
}

/// Waits until the run has put out `count` frames.
fn wait_for_frames(running: &Running, count: u64) {
    wait_until("frames are put out", || {
        let said = running.stderr();
        // The last line may be half written.
        let whole = &said[..said.rfind('\n').map_or(0, |end| end + 1)];
        let last = statistics(whole).pop();
        last.is_some_and(|seen| seen["frames_out"].as_u64().unwrap() >= count)
    });
}

/// Frames 0, 1, 2... and no hole, at least `least` of them, but not the whole clip.
#[track_caller]
fn assert_complete(path: &Path, least: usize) {
    assert_playable(path);
    let frames = both_counters(path);
    assert!(frames.len() >= least, "only {} frames", frames.len());
    assert!(frames.len() < 150, "it was not stopped at all");
    assert_unbroken(&frames);
    assert_eq!(frames[0], (0, 0));
    let end = |kind| *times(path, kind).last().unwrap();
    let apart = (end(Kind::Video) - end(Kind::Audio)).abs();
    assert!(apart < Rational::millis(500), "audio and video end {apart:?} apart");
}

fn edited(out: &Path) -> Vec<std::ffi::OsString> {
    let source = counted_av("numbered.mp4");
    args!["--stats=json", "-re", "-i", source, out, "--", python(), fixture("burn.py")]
}

#[test]
fn a_signal_finishes_the_output() {
    for (signal, name) in [("INT", "out.mp4"), ("TERM", "out.mkv"), ("INT", "out.flv")] {
        let room = room();
        let out = room.path().join(name);
        let running = frameloom(edited(&out)).spawn();
        wait_for_frames(&running, 30);
        running.signal(signal);
        running.wait().ok();
        assert_complete(&out, 30);
    }
}

#[test]
fn a_signal_finishes_what_nobody_touches_too() {
    for name in ["out.mp4", "out.flv"] {
        let (room, source) = (room(), counted_av("numbered.mp4"));
        let out = room.path().join(name);
        let args =
            args!["--on-untouched=copy", "--stats=json", "-re", "-i", source, &out, "--", "cat"];
        let running = frameloom(args).spawn();
        wait_for_frames(&running, 30);
        running.signal("INT");
        running.wait().ok();
        assert_playable(&out);
        let (seen, end) = (counters(&out), |kind| *times(&out, kind).last().unwrap());
        assert!(seen.len() >= 30 && seen.len() < 150, "{} frames", seen.len());
        // A packet that is decoded before others leaves before them.
        assert_eq!(seen[..20], (0..20).collect::<Vec<_>>());
        let apart = (end(Kind::Video) - end(Kind::Audio)).abs();
        assert!(apart < Rational::millis(500), "audio and video end {apart:?} apart");
    }
}

/// Ctrl-C on a terminal reaches the command as well.
#[test]
fn a_signal_to_the_whole_group_finishes_the_output() {
    let room = room();
    let out = room.path().join("out.mp4");
    let running = frameloom(edited(&out)).spawn();
    wait_for_frames(&running, 30);
    running.signal_group("INT");
    running.wait().ok();
    assert_complete(&out, 30);
}

#[test]
fn a_signal_finishes_a_copy() {
    let room = room();
    let out = room.path().join("out.mp4");
    let args = args!["--stats=json", "-re", "-i", counted_av("numbered.mp4"), &out];
    let running = frameloom(args).spawn();
    // Past the first key frame's reordering; what a copy counts as frames are packets.
    wait_until("packets are put out", || statistics_lines(&running) >= 2);
    running.signal("INT");
    running.wait().ok();
    assert_playable(&out);
    let numbers = counters(&out);
    assert!(numbers.len() < 150 && numbers.len() > 5, "{} frames", numbers.len());
}

fn statistics_lines(running: &Running) -> usize {
    running.stderr().lines().filter(|line| line.starts_with('{') && line.ends_with('}')).count()
}

#[test]
fn a_signal_ends_a_live_stream_for_its_players() {
    let nginx = Nginx::start();
    let room = room();
    let (recorded, kept) = (room.path().join("recorded.flv"), room.path().join("kept.mkv"));
    let reader = ffmpeg_reader(args!["-i", nginx.url("out"), "-c", "copy", &recorded]).spawn();
    nginx.wait_for_player("out");
    let mut args = args!["--stats=json", "--on-slow=block", "--open-timeout=60s"];
    args.extend(args!["-i", nginx.url("in"), "-f", "flv"]);
    args.extend(args![nginx.url("out"), &kept, "--", python(), fixture("burn.py")]);
    let running = frameloom(args).spawn();
    nginx.wait_for_player("in");
    let source = counted_av("live.flv");
    let mut args = args!["-re", "-stream_loop", "-1", "-i", source, "-c", "copy", "-f", "flv"];
    args.extend(args![nginx.url("in")]);
    let publisher = ffmpeg_reader(args).spawn();
    wait_for_frames(&running, 50);
    running.signal("TERM");
    running.wait().ok();
    reader.wait().ok();
    drop(publisher);
    assert_complete(&recorded, 30);
    assert_complete(&kept, 30);
}

/// Nothing comes from this input: there is nothing to finish.
#[test]
fn a_signal_while_the_input_is_awaited() {
    let nginx = Nginx::start();
    let room = room();
    let out = room.path().join("out.mp4");
    let running = frameloom(args!["--open-timeout=60s", "-i", nginx.url("in"), &out]).spawn();
    nginx.wait_for_player("in");
    running.signal("INT");
    let outcome = running.wait();
    assert_eq!(outcome.code(), Some(0), "{}", outcome.stderr);
    assert!(!out.exists(), "an output without a frame");
}

/// A run whose command gives ten frames back and then hangs for good, and the command's id.
fn hanging(room: &Path, before: &str) -> (Running, String) {
    let mark = room.join("mark");
    let script = format!("{before} head -c 2304000; echo $$ >\"$MARK\"; while :; do sleep 1; done");
    let out = room.join("out.mp4");
    let args = args!["-i", counted_av("numbered.mp4"), out, "--", "sh", "-c", script];
    let running = frameloom(args).env("MARK", &mark).spawn();
    let mut id = String::new();
    wait_until("the command hangs", || {
        id = std::fs::read_to_string(&mark).unwrap_or_default();
        id.ends_with('\n')
    });
    (running, id.trim().to_owned())
}

/// Nothing that was started is left behind.
#[track_caller]
fn assert_gone(id: &str) {
    wait_until("the command is gone", || {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
}

#[test]
fn a_signal_stops_a_command_that_hangs() {
    let room = room();
    let (running, command) = hanging(room.path(), "");
    running.signal("INT");
    // Frames that never came back are for the run to say.
    let outcome = running.wait();
    assert!(outcome.code().is_some(), "{}", outcome.stderr);
    assert_playable(&room.path().join("out.mp4"));
    assert_gone(&command);
}

#[test]
fn a_second_signal_stops_at_once() {
    let room = room();
    let (running, command) = hanging(room.path(), "trap '' INT TERM;");
    running.signal("INT");
    // Two signals in the same moment are one to the kernel.
    std::thread::sleep(std::time::Duration::from_millis(200));
    running.signal("INT");
    let outcome = running.wait();
    assert_eq!(outcome.code(), Some(1), "{}", outcome.stderr);
    assert_gone(&command);
}

#[test]
fn statistics_are_a_line_of_json_a_second() {
    let room = room();
    let out = room.path().join("out.mp4");
    let outcome = frameloom(edited(&out)).run().ok();
    let all = statistics(&outcome.stderr);
    assert!((5..=10).contains(&all.len()), "{} lines in six seconds", all.len());
    let count = |name: &str| -> Vec<u64> {
        all.iter().map(|seen| seen[name].as_u64().unwrap_or_else(|| panic!("no {name}"))).collect()
    };
    for name in ["frames_in", "frames_out"] {
        let counts = count(name);
        assert!(counts.is_sorted(), "{name} runs backwards: {counts:?}");
        assert_eq!(counts.last(), Some(&150), "{name}: {counts:?}");
        assert!(counts[1] < counts[counts.len() - 2], "{name} stands still: {counts:?}");
    }
}

#[test]
fn without_a_terminal_nothing_moves() {
    let room = room();
    let out = room.path().join("out.mp4");
    let args = args!["-nostats", "-hide_banner", "-nostdin", "-i", counted_av("numbered.mp4")];
    let said = frameloom([args, args![&out, "--", "cat"]].concat()).run().ok().stderr;
    assert!(!said.contains('\r') && !said.contains('\u{1b}'), "terminal codes: {said:?}");
    let args = args!["-v", "error", "-i", counted_av("numbered.mp4"), "-f", "null", "-"];
    assert_eq!(frameloom(args).run().ok().stderr, "", "not quiet");
}

/// Every value called `name`, wherever it stands.
fn found<'a>(value: &'a Value, name: &str, all: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                if key == name {
                    all.push(field);
                }
                found(field, name, all);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| found(item, name, all)),
        _ => {}
    }
}

#[test]
fn probe_tells_what_is_in_an_input() {
    let out = frameloom(args!["probe", counted_av("numbered.mp4")]).run().ok().stdout;
    let told: Value = serde_json::from_slice(&out).expect("no JSON");
    let all = |name| {
        let mut all = Vec::new();
        found(&told, name, &mut all);
        all
    };
    assert_eq!(all("codec"), ["h264", "aac"], "{told:#}");
    assert_eq!((all("width"), all("height")), (vec![&320.into()], vec![&240.into()]), "{told:#}");
    assert_eq!(all("sample_rate"), [44100], "{told:#}");
}

#[test]
fn a_signal_while_a_named_pipe_has_no_other_end() {
    let room = room();
    let (pipe, out) = (room.path().join("pipe"), room.path().join("out.mp4"));
    Run::new("mkfifo", args![&pipe]).run().ok();
    let source = counted_av("numbered.mp4");
    for args in [args!["-i", &pipe, &out], args!["-i", &source, "-f", "mpegts", &pipe]] {
        let running = frameloom(args).spawn();
        let tasks = format!("/proc/{}/task", running.id());
        // The threads are there once it is under way; the signal's own is the first of them.
        wait_until("it is under way", || {
            std::fs::read_dir(&tasks).is_ok_and(|all| all.count() >= 2)
        });
        running.signal("INT");
        let outcome = running.wait();
        assert_eq!(outcome.code(), Some(0), "{}", outcome.stderr);
        assert!(!out.exists(), "an output without a frame");
    }
}

#[test]
fn a_named_pipe_carries_a_stream_both_ways() {
    let room = room();
    let (pipe, out) = (room.path().join("pipe"), room.path().join("out.mkv"));
    Run::new("mkfifo", args![&pipe]).run().ok();
    let source = counted_av("numbered.mp4");
    let writer = frameloom(args!["-i", &source, "-c", "copy", "-f", "mpegts", &pipe]).spawn();
    frameloom(args!["-i", &pipe, "-c", "copy", &out]).run().ok();
    writer.wait().ok();
    let count = |path| times(path, Kind::Video).len();
    assert_eq!(count(&out), count(&source));
}
