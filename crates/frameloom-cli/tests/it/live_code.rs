//! COMMAND on a live input: what is wrong with it is known at once, and what is right says nothing.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::harness::stats::{Count, Seen};
use crate::harness::web::Web;
use crate::harness::*;

/// Numbered pictures for so many seconds, as FLV of a media server.
fn flv(name: &str, seconds: u32, options: &str) -> Vec<u8> {
    let source = counted("320x240", "25", seconds);
    let encoder = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -flvflags no_duration_filesize";
    fs::read(clip(name, &format!("-f lavfi -i {source} {encoder} {options}"))).unwrap()
}

/// A media server with a camera that goes on and on; at first it sends `burst_ms` at once.
fn camera(flv: Vec<u8>, burst_ms: u64) -> Web {
    Web::start(move |_, reply| {
        let mut body = reply.without_length("video/x-flv")?;
        body.flv(&flv, burst_ms)?;
        body.fall_silent();
        Ok(())
    })
}

/// A Python program that edits frames; `stdin` and `stdout` are binary, a frame has `size` bytes.
fn script(body: &str) -> Vec<OsString> {
    let head = "import os, sys, time\n\
                size = int(os.environ['FRAMELOOM_FRAME_BYTES'])\n\
                stdin, stdout = sys.stdin.buffer, sys.stdout.buffer\n";
    args![python(), "-c", format!("{head}{body}")]
}

/// A run on a camera of half a minute, with a keyframe every second.
fn run(options: Vec<OsString>, output: Vec<OsString>, command: Vec<OsString>) -> (Web, Running) {
    let web = camera(flv("code-live.flv", 30, "-g 25"), 0);
    let mut args = args!["--stats=json"];
    args.extend(options);
    args.extend(args!["-i", web.url("/live/cam.flv")]);
    args.extend(output);
    args.push("--".into());
    args.extend(command);
    let running = frameloom(args).spawn();
    (web, running)
}

fn null() -> Vec<OsString> {
    args!["-f", "null", "-"]
}

fn encoded(file: &Path) -> Vec<OsString> {
    args!["-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", file]
}

#[test]
fn a_command_that_never_worked_ends_the_run_at_once() {
    let missing = || args![python(), "no-such-file.py"];
    let text = || args!["sh", "-c", "echo usage: edit; exit 3"];
    for (options, output, command) in [
        (args![], null(), missing()),
        (args!["--on-error=bypass"], null(), missing()),
        (args!["--on-slow=bypass"], null(), missing()),
        (args![], args![], missing()),
        (args![], null(), text()),
        (args![], null(), args!["true"]),
        (args![], null(), script("stdin.read(size)\nraise ValueError\n")),
        (args![], null(), args!["sh", "-c", "exec cat >/dev/null"]),
    ] {
        let (_web, running) = run(options, output, command);
        let outcome = running.wait();
        let said = &outcome.stderr;
        assert_eq!(outcome.code(), Some(1), "{said}");
        let restarts = Seen::all(said).pop().map_or(0, |seen| seen.count(Count::Restarts));
        assert_eq!(restarts, 0, "{said}");
    }
}

/// One that worked is started again as ever.
#[test]
fn a_command_that_has_worked_is_started_again() {
    let body = "\
for _ in range(10):
    stdout.write(stdin.read(size))
    stdout.flush()
sys.exit(4)
";
    let (_web, running) = run(args![], null(), script(body));
    let restarted = |seen: &Seen| seen.count(Count::Restarts) >= 2;
    wait_until("it was started again", || Seen::all(&running.stderr()).iter().any(restarted));
    running.signal("INT");
    running.wait().ok();
}

/// A line on stdout shears every later picture. None of them goes out.
#[test]
fn what_a_command_prints_is_noticed_before_a_picture_is_sheared() {
    let early = "print('model loaded', flush=True)\n\
                 while data := stdin.read(size):\n    stdout.write(data)\n    stdout.flush()\n";
    // As slow as the camera, so that it always has the next frame.
    let slow = "print('model loaded', flush=True)\n\
                while data := stdin.read(size):\n    time.sleep(0.2)\n    stdout.write(data)\n    stdout.flush()\n";
    for body in [early, slow] {
        let room = room();
        let out = room.path().join("out.mkv");
        let (_web, running) = run(args![], encoded(&out), script(body));
        wait_until("frames go out unedited", || {
            Seen::all(&running.stderr()).iter().any(|seen| seen.count(Count::FramesBypassed) > 25)
        });
        running.signal("INT");
        let outcome = running.wait();
        let said = &outcome.stderr;
        assert!(said.contains("stdout is for frames"), "{said}");
        // A sheared picture has no number that can be read, or one out of its order.
        let numbers = counters(&out);
        assert!(numbers.is_sorted() && numbers.len() > 25, "{numbers:?}\n{said}");
        assert_eq!(Seen::all(said).pop().unwrap().count(Count::FramesEdited), 0, "{said}");
    }
}

/// The same where the line comes late.
#[test]
fn what_a_slow_command_prints_later_is_noticed_within_its_next_frames() {
    let body = "\
number = 0
while data := stdin.read(size):
    number += 1
    if number == 10:
        print('a face', flush=True)
    time.sleep(0.1)
    stdout.write(data)
    stdout.flush()
";
    let (_web, running) = run(args![], null(), script(body));
    wait_until("it is noticed", || running.stderr().contains("stdout is for frames"));
    let seen = Seen::all(&running.stderr()).pop().unwrap();
    assert!(seen.count(Count::FramesEdited) < 40, "{}", running.stderr());
}

/// A server's cached GOP, and what comes while a program starts, are no slowness of the program.
#[test]
fn what_a_server_sends_at_once_is_skipped_without_a_warning() {
    let web = camera(flv("code-gop.flv", 14, "-g 250"), 9_000);
    let body = "\
time.sleep(0.3)
while data := stdin.read(size):
    stdout.write(bytes(255 - byte for byte in data[:30]) + data[30:])
    stdout.flush()
";
    let mut args = args![
        "--stats=json",
        "-v",
        "info",
        "-i",
        web.url("/live/cam.flv"),
        "-f",
        "null",
        "-",
        "--"
    ];
    args.extend(script(body));
    let running = frameloom(args).spawn();
    let edited = |seen: &Seen| seen.count(Count::FramesEdited) > 50;
    wait_until("frames are edited", || Seen::all(&running.stderr()).iter().any(edited));
    let said = running.stderr();
    running.signal("INT");
    let outcome = running.wait().ok();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("to the live edge")).collect();
    // A busy machine makes more bursts later, and slow code.
    assert!(!lines.is_empty(), "{said}");
    assert!(lines[0].starts_with("frameloom: info: skipped "), "{said}");
    let tenths: u64 =
        lines[0].chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
    assert!((60..=110).contains(&tenths), "{said}");
    let before = said.split(lines[0]).next().unwrap();
    assert!(!before.contains("too slow"), "{said}");
    let last = Seen::all(&outcome.stderr).pop().unwrap();
    assert!(last.count(Count::FramesSkipped) > 150, "{last:?}");
}

/// Whether a process of this number runs: it is there, and no zombie.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Starts programs in sessions of their own, one of which has no parent any more, and says their numbers
/// in a file.
const FAMILY: &str = "\
import subprocess
subprocess.run(['sh', '-c', 'setsid sleep 300 < /dev/null & echo $! >> pids'])
child = subprocess.Popen(['setsid', 'sh', '-c', 'sleep 300'], stdin=subprocess.DEVNULL)
open('pids', 'a').write(f'{os.getpid()}\\n{child.pid}\\ndone\\n')
";

fn family(room: &Path, rest: &str, input: Vec<OsString>) -> (Running, Vec<String>) {
    let mut args = input;
    args.extend(null());
    args.push("--".into());
    args.extend(script(&format!("{FAMILY}{rest}")));
    let running = frameloom(args).cwd(room).spawn();
    let file = room.join("pids");
    wait_until("the programs run", || {
        fs::read_to_string(&file).is_ok_and(|said| said.ends_with("done\n"))
    });
    let said = fs::read_to_string(&file).unwrap();
    let pids: Vec<String> = said.lines().filter(|line| *line != "done").map(Into::into).collect();
    assert!(pids.len() == 3 && pids.iter().all(|pid| runs(pid)), "{pids:?}");
    (running, pids)
}

const ECHO: &str = "\
while data := stdin.read(size):
    stdout.write(data)
    stdout.flush()
";

#[test]
fn nothing_of_a_command_is_left_however_the_run_ends() {
    for signal in ["KILL", "INT"] {
        let room = room();
        let web = camera(flv("code-live.flv", 30, "-g 25"), 0);
        let input = args!["-i", web.url("/live/cam.flv")];
        let (running, pids) = family(room.path(), ECHO, input);
        running.signal(signal);
        wait_until(&format!("nothing is left after {signal}"), || {
            !pids.iter().any(|pid| runs(pid))
        });
    }
}

/// It reads no more, and does not end either.
#[test]
fn a_command_that_closes_its_input_and_lives_on_is_ended() {
    let room = room();
    let rest = "stdout.write(stdin.read(size))\nstdout.flush()\nos.close(0)\ntime.sleep(300)\n";
    let (running, pids) = family(room.path(), rest, args!["-i", counted_av("numbered.mp4")]);
    let line = running.wait().fails(1);
    assert!(line.contains("closed its stdin"), "{line}");
    wait_until("nothing is left", || !pids.iter().any(|pid| runs(pid)));
}

/// Frames that wait behind an output that has all it wants hold nothing up.
#[test]
fn an_output_that_is_done_ends_the_run_whatever_passes_by() {
    let room = room();
    let source = clip("code-done.mkv", &format!("-f lavfi -i {}", counted("320x240", "25", 4)));
    for policy in ["bypass", "latest", "hold"] {
        let out = room.path().join(format!("{policy}.mkv"));
        let options = args![format!("--on-slow={policy}"), "-i", &source, "-frames:v", "1"];
        let line = [options, encoded(&out), args!["--", "cat"]].concat();
        frameloom(line).run().ok();
        assert_eq!(counters(&out).len(), 1, "{policy}");
    }
}
