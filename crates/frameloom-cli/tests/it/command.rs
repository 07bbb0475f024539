//! COMMAND: whatever it does, nothing hangs, and a failure is one clear line.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::judge::{assert_playable, picture_hashes};
use crate::harness::pixels::both_counters;
use crate::harness::*;

const FRAMES: usize = 150;

fn source() -> PathBuf {
    counted_av("numbered.mp4")
}

/// A run on the numbered clip with `command`, into an MP4 in `room`.
fn run(room: &Path, command: Vec<std::ffi::OsString>) -> (Outcome, PathBuf) {
    let out = room.join("out.mp4");
    let input = args!["-i", source(), "-preset", "ultrafast", &out, "--"];
    (frameloom([input, command].concat()).run(), out)
}

/// A Python program's text as a command; `size` is the bytes of a frame, `read` and `write`
/// are unbuffered.
fn script(body: &str) -> Vec<std::ffi::OsString> {
    let head = "import os, sys, time\n\
                size = int(os.environ['FRAMELOOM_FRAME_BYTES'])\n\
                stdin, stdout = sys.stdin.buffer, sys.stdout.buffer\n";
    args![python(), "-u", "-c", format!("{head}{body}")]
}

/// The command fails in the middle: one clear line that holds each of `words`, exit status 1,
/// and what was ready until then is a playable file; where nothing was,
/// there is no file.
#[track_caller]
fn assert_fails(command: Vec<std::ffi::OsString>, words: &[&str], at_least: usize) -> String {
    let room = room();
    let (outcome, out) = run(room.path(), command);
    let said = outcome.stderr.clone();
    let line = outcome.fails(1);
    for word in words {
        assert!(line.contains(word), "no {word:?} in: {line}");
    }
    if at_least > 0 {
        assert_playable(&out);
        let frames = counters(&out);
        assert_eq!(frames, (0..frames.len()).collect::<Vec<_>>(), "frames out of order");
        assert!(frames.len() >= at_least, "only {} frames were kept:\n{said}", frames.len());
    } else if out.exists() {
        // What went out before it was clear that nothing fits together.
        assert_playable(&out);
    }
    line
}

#[test]
fn a_shell_command() {
    let room = room();
    let (outcome, out) = run(room.path(), args!["sh", "-c", "cat"]);
    outcome.ok();
    assert_eq!(counters(&out), (0..FRAMES).collect::<Vec<_>>());
    assert_playable(&out);
}

#[test]
fn a_python_command() {
    let room = room();
    let (outcome, out) = run(room.path(), args![python(), fixture("burn.py")]);
    outcome.ok();
    assert_eq!(both_counters(&out), (0..FRAMES).map(|n| (n, n)).collect::<Vec<_>>());
}

#[test]
fn a_c_program() {
    let room = room();
    let program = room.path().join("burn");
    Run::new("cc", args!["-O2", "-o", &program, fixture("burn.c")]).run().ok();
    let (outcome, out) = run(room.path(), args![program]);
    outcome.ok();
    assert_eq!(both_counters(&out), (0..FRAMES).map(|n| (n, n)).collect::<Vec<_>>());
}

/// A command may hold frames back, as a model that works on batches does.
#[test]
fn a_command_that_answers_in_batches() {
    let body = "\
batch = []
while data := stdin.read(size):
    batch.append(data)
    if len(batch) == 3:
        stdout.write(b''.join(batch))
        batch = []
stdout.write(b''.join(batch))
";
    let room = room();
    let (outcome, out) = run(room.path(), script(body));
    outcome.ok();
    assert_eq!(counters(&out), (0..FRAMES).collect::<Vec<_>>());
}

#[test]
fn a_command_that_floods_its_stderr() {
    let body = "\
for _ in range(10):
    sys.stderr.write(('x' * 99 + '\\n') * 10000)
while data := stdin.read(size):
    sys.stderr.write('y' * 50000 + '\\n')
    stdout.write(data)
";
    let room = room();
    let (outcome, out) = run(room.path(), script(body));
    outcome.ok();
    assert_eq!(counters(&out), (0..FRAMES).collect::<Vec<_>>());
}

#[test]
fn what_a_command_says_is_passed_on() {
    let room = room();
    let (outcome, _) = run(room.path(), args!["sh", "-c", "echo hello from inside >&2; exec cat"]);
    let said = outcome.ok().stderr;
    assert!(said.contains("hello from inside"), "{said}");
}

#[test]
fn a_command_that_exits_at_once() {
    let line = assert_fails(args!["sh", "-c", "exit 3"], &["sh", "3"], 0);
    assert!(line.contains("exit"), "what happened? {line}");
}

#[test]
fn a_command_that_exits_at_once_without_a_failure() {
    assert_fails(args!["true"], &["true"], 0);
}

#[test]
fn a_command_that_exits_in_the_middle() {
    let body = "\
for _ in range(60):
    stdout.write(stdin.read(size))
sys.exit(7)
";
    assert_fails(script(body), &["7"], 55);
}

#[test]
fn a_command_that_is_killed() {
    let body = "\
for _ in range(60):
    stdout.write(stdin.read(size))
os.kill(os.getpid(), 9)
";
    assert_fails(script(body), &["signal"], 55);
}

#[test]
fn a_command_that_raises_tells_its_own_error() {
    let body = "\
for _ in range(60):
    stdout.write(stdin.read(size))
raise ValueError('the model is out of tune')
";
    let room = room();
    let (outcome, _) = run(room.path(), script(body));
    let said = outcome.stderr.clone();
    outcome.fails(1);
    assert!(said.contains("the model is out of tune"), "{said}");
}

#[test]
fn a_command_that_writes_half_a_frame() {
    let body = "\
for _ in range(60):
    stdout.write(stdin.read(size))
stdout.write(stdin.read(size)[:size // 2])
";
    // 320 * 240 * 3 bytes make a frame.
    assert_fails(script(body), &["115200", "230400"], 55);
}

#[test]
fn a_command_that_writes_nothing() {
    assert_fails(args!["sh", "-c", "cat >/dev/null"], &["sh"], 0);
}

#[test]
fn a_command_that_writes_too_much() {
    let body = "\
while data := stdin.read(size):
    stdout.write(data + data)
";
    assert_fails(script(body), &["more"], 0);
}

#[test]
fn a_command_that_writes_frames_of_another_size() {
    let body = "\
while data := stdin.read(size):
    stdout.write(data[: size // 3])
";
    assert_fails(script(body), &["frame"], 0);
}

#[test]
fn a_command_that_never_reads_but_writes() {
    let body = "\
while True:
    stdout.write(bytes(size))
";
    assert_fails(script(body), &[], 0);
}

#[test]
fn a_command_that_closes_its_input_and_ends() {
    let body = "\
stdin.close()
time.sleep(0.2)
";
    assert_fails(script(body), &[], 0);
}

#[test]
fn a_command_that_does_not_exist() {
    let room = room();
    let (outcome, out) = run(room.path(), args!["no-such-command"]);
    let line = outcome.refuses(1);
    assert!(line.contains("no-such-command"), "{line}");
    assert!(!out.exists(), "an output was begun for nothing");
}

#[test]
fn a_command_that_may_not_be_run() {
    let room = room();
    let file = room.path().join("notes.txt");
    fs::write(&file, "not a program\n").unwrap();
    let (outcome, out) = run(room.path(), args![&file]);
    let line = outcome.refuses(1);
    assert!(line.contains("notes.txt"), "{line}");
    assert!(!out.exists(), "an output was begun for nothing");
}

#[test]
fn a_command_that_fails_after_its_last_frame() {
    let body = "\
while data := stdin.read(size):
    stdout.write(data)
sys.exit(5)
";
    assert_fails(script(body), &["5"], FRAMES);
}

/// Its stdout is frameloom's own, its exit status counts, and it needn't read everything.
#[test]
fn without_an_output_a_command_only_reads() {
    let body = "\
count = 0
while stdin.read(size):
    count += 1
print(count, 'frames of', size)
";
    let args = [args!["-i", source(), "--"], script(body)].concat();
    let out = frameloom(args).run().ok().stdout;
    assert_eq!(String::from_utf8(out).unwrap(), "150 frames of 230400\n");
}

#[test]
fn without_an_output_a_command_may_have_seen_enough() {
    let body = "\
stdin.read(size)
print('seen enough')
";
    let args = [args!["-i", source(), "--"], script(body)].concat();
    let outcome = frameloom(args).run();
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "seen enough\n");
    outcome.ok();
}

#[test]
fn without_an_output_a_command_may_fail() {
    let body = "\
stdin.read(size)
sys.exit(9)
";
    let args = [args!["-i", source(), "--"], script(body)].concat();
    let line = frameloom(args).run().fails(1);
    assert!(line.contains('9'), "{line}");
}

/// A frame larger than any pipe's buffer makes no difference.
#[test]
fn large_frames() {
    let lavfi = counted("1920x1080", "5", 2);
    let recipe = format!("-f lavfi -i {lavfi} -c:v libx264 -qp 0 -preset ultrafast");
    let source = clip("large.mkv", &recipe);
    let room = room();
    let out = room.path().join("out.mkv");
    let encoder = args!["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"];
    let args = [args!["-i", source], encoder, args![&out, "--", "cat"]].concat();
    frameloom(args).run().ok();
    assert_eq!(picture_hashes(&out), picture_hashes(&source));
}
