//! The other ways between a COMMAND and its frames: lines of data that are drawn, and shared memory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::harness::judge::picture_hashes;
use crate::harness::pixels::{decode, inverted};
use crate::harness::*;

/// Ten moving pictures without loss.
fn source() -> PathBuf {
    clip("exchange.mkv", "-f lavfi -i testsrc2=s=320x240:r=10:d=1 -pix_fmt yuv420p -c:v ffv1")
}

/// A run on them with a lossless encoder behind the command.
fn run(options: &[&str], out: &Path, command: Vec<OsString>) -> Outcome {
    let mut args: Vec<OsString> = options.iter().map(Into::into).collect();
    args.extend(args!["-i", source(), "-c:v", "ffv1", out, "--"]);
    args.extend(command);
    frameloom(args).run()
}

/// A Python program. `size` is the bytes of what it reads for a frame; `frame()` reads that, and is empty
/// at the end.
fn script(body: &str) -> Vec<OsString> {
    let head = "import json, mmap, os, struct, sys, time\n\
                get = os.environ.get\n\
                shared = 'FRAMELOOM_SHM_FD' in os.environ\n\
                size = 4 if shared else int(get('FRAMELOOM_FRAME_BYTES'))\n\
                width, height = int(get('FRAMELOOM_WIDTH')), int(get('FRAMELOOM_HEIGHT'))\n\
                def frame():\n    \
                    data = b''\n    \
                    while len(data) < size and (more := os.read(0, size - len(data))): data += more\n    \
                    return data\n";
    args![python(), "-c", format!("{head}{body}")]
}

const DRAW: &[&str] = &["--draw=data"];

/// Each frame of the source with what the Rust library draws for the same data. Red, within a frame of
/// two pixels round the box; all else is as it was.
fn assert_boxed(out: &Path, [left, top, right, bottom]: [usize; 4]) {
    let (was, now) = (decode(&source(), "yuv420p"), decode(out, "yuv420p"));
    assert_eq!((now.width, now.height, now.frames.len()), (320, 240, 10));
    for (was, now) in was.frames.iter().zip(&now.frames) {
        for y in 0..240 {
            for x in 0..320 {
                let at = y * 320 + x;
                let is_near = |n: usize, edge: usize| n + 1 == edge || n == edge;
                let is_edge = (is_near(x, left) || is_near(x, right)) && (top..bottom).contains(&y)
                    || (is_near(y, top) || is_near(y, bottom)) && (left..right).contains(&x);
                let is_far = x + 3 < left
                    || x > right + 3
                    || y + 3 < top
                    || y > bottom + 3
                    || (x > left + 3 && x + 3 < right && y > top + 3 && y + 3 < bottom);
                if is_edge {
                    // Red of BT.601: what the clip says nothing about is taken for that.
                    assert!(now[at].abs_diff(82) < 3, "{} at {x},{y}", now[at]);
                } else if is_far {
                    assert_eq!(now[at], was[at], "at {x},{y}");
                }
            }
        }
    }
}

#[test]
fn a_line_of_json_is_drawn_and_the_rest_is_untouched() {
    let room = room();
    let out = room.path().join("out.mkv");
    let body = "while frame():\n    print('{\"boxes\": [{\"xyxy\": [100, 60, 220, 180], \
                \"color\": \"red\"}]}', flush=True)";
    run(DRAW, &out, script(body)).ok();
    assert_boxed(&out, [100, 60, 220, 180]);
}

#[test]
fn what_only_the_command_sees_is_small_and_its_places_are_those_of_the_large_picture() {
    let room = room();
    let out = room.path().join("out.mkv");
    let body = "assert (width, height) == (160, 120) and get('FRAMELOOM_ANSWER') == 'data'\n\
                while frame():\n    print('{\"boxes\": [{\"xyxy\": [50, 30, 110, 90], \
                \"color\": \"red\"}]}', flush=True)";
    for transport in ["pipe", "shm"] {
        let transport = format!("--frame-transport={transport}");
        run(&["--draw=data", "--frame-size=160x120", &transport, "-y"], &out, script(body)).ok();
        assert_boxed(&out, [100, 60, 220, 180]);
    }
}

#[test]
fn empty_lines_and_objects_touch_nothing() {
    let room = room();
    for line in ["", "{}", "{\"camera\": 3}"] {
        let out = room.path().join("out.mkv");
        let body = format!("while frame():\n    print('{line}', flush=True)");
        run(&["--draw=data", "-y"], &out, script(&body)).ok();
        assert_eq!(picture_hashes(&out), picture_hashes(&source()), "{line}");
    }
}

#[test]
fn lines_may_come_in_batches_and_the_last_may_lack_its_end() {
    let room = room();
    let out = room.path().join("out.mkv");
    let body = "n = 0\nwhile frame(): n += 1\n\
                sys.stdout.write('\\n'.join(['{\"boxes\": [{\"xyxy\": [100, 60, 220, 180], \
                \"color\": \"red\"}]}'] * n))";
    run(DRAW, &out, script(body)).ok();
    assert_boxed(&out, [100, 60, 220, 180]);
}

#[test]
fn lines_that_are_none_end_a_file() {
    let room = room();
    for (line, said) in [
        ("print('hello', flush=True)", "no JSON object"),
        ("print('[1]', flush=True)", "no JSON object"),
        ("print('{\"boxes\": 7}', flush=True)", "can't be drawn"),
        (
            "print('{\"boxes\": [{\"xyxy\": [1, 2, 3, 4], \"color\": \"reddish\"}]}', flush=True)",
            "reddish",
        ),
        ("print('{\"a\": \"' + 'x' * 70000 + '\"}', flush=True)", "longer than 65536 bytes"),
        ("os.write(1, b'\\xff\\n')", "no UTF-8"),
        ("os.write(1, b'{}\\n{}\\n')", "wrote more"),
        ("sys.exit(3)", "exit status 3"),
    ] {
        let out = room.path().join("out.mkv");
        let outcome =
            run(&["--draw=data", "-y"], &out, script(&format!("while frame():\n    {line}")));
        let error = outcome.fails(1);
        assert!(error.contains(said), "{line}: {error}");
    }
}

/// The program of the examples, compiled.
fn inverter(room: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/command_shm.c");
    let program = room.join("invert");
    Run::new("cc", args!["-O2", "-Wall", "-Werror", "-o", &program, source]).run().ok();
    program
}

const SHARED: &[&str] = &["--frame-transport=shm", "--frame-format=yuv420p"];

#[test]
fn a_c_program_edits_frames_in_shared_memory() {
    let room = room();
    let out = room.path().join("out.mkv");
    run(SHARED, &out, args![inverter(room.path())]).ok();
    let (was, now) = (decode(&source(), "yuv420p"), decode(&out, "yuv420p"));
    assert_eq!(now.frames.len(), 10);
    assert!(was.frames.iter().map(|frame| inverted(frame)).eq(now.frames));
    // By pipe it has no frames.
    let error = run(&["-y"], &out, args![inverter(room.path())]).fails(1);
    assert!(error.contains("exit status 1"), "{error}");
}

/// Answers each slot by what `answer` says.
fn shared(answer: &str) -> Vec<OsString> {
    let body = "frame_bytes, slots = int(get('FRAMELOOM_FRAME_BYTES')), int(get('FRAMELOOM_SHM_SLOTS'))\n\
                memory = mmap.mmap(int(get('FRAMELOOM_SHM_FD')), 0)\n\
                assert len(memory) == frame_bytes * slots\n\
                answers = int(get('FRAMELOOM_SHM_ANSWER_FD'))\n\
                def give(n): os.write(answers, struct.pack('=I', n))\n\
                print('this harms nobody')\n\
                held = []\n\
                while data := frame():\n    \
                    (slot,) = struct.unpack('=I', data)\n    ";
    script(&format!("{body}{answer}"))
}

#[test]
fn frames_that_are_said_to_be_untouched_are() {
    let room = room();
    let out = room.path().join("out.mkv");
    let rgb = &["--frame-transport=shm"];
    run(rgb, &out, shared("give(slot | 1 << 31)")).ok();
    assert_eq!(picture_hashes(&out), picture_hashes(&source()));
}

#[test]
fn frames_in_shared_memory_may_be_held_back() {
    let room = room();
    let out = room.path().join("out.mkv");
    let held = "held.append(slot)\nfor slot in held: give(slot | 1 << 31)";
    run(SHARED, &out, shared(held)).ok();
    assert_eq!(picture_hashes(&out), picture_hashes(&source()));
}

#[test]
fn wrong_answers_about_shared_memory_end_a_file() {
    let room = room();
    for (answer, said) in [
        ("give(slot + 1)", "memory of another frame"),
        ("give(0x7fffffff)", "memory of another frame"),
        // Whichever comes first: the second answer, or the second frame.
        ("give(slot); give(slot)", "wrote more|memory of another frame"),
        ("sys.exit(5)", "exit status 5"),
        ("os.write(answers, b'ab'); sys.exit(0)", "in the middle of a frame: 2 of 4 bytes"),
        ("memory.resize(1)", "exit status 1"),
    ] {
        let out = room.path().join("out.mkv");
        let error = run(&[SHARED, &["-y"]].concat(), &out, shared(answer)).fails(1);
        assert!(said.split('|').any(|said| error.contains(said)), "{answer}: {error}");
    }
}

#[test]
fn a_command_that_only_reads_has_shared_memory_too() {
    let mut args = args!["--frame-transport=shm", "--frame-format=gray", "-i", source(), "--"];
    let answer = "held.append(sum(memory[slot * frame_bytes:(slot + 1) * frame_bytes])); give(slot)\n\
                  sys.stdout.write(json.dumps(held))";
    args.extend(shared(answer));
    let said = String::from_utf8(frameloom(args).run().ok().stdout).unwrap();
    let sums: Vec<u64> = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let gray = decode(&source(), "gray");
    let expected = gray.frames.iter().map(|frame| frame.iter().map(|b| u64::from(*b)).sum::<u64>());
    let near = |(a, b): (u64, u64)| a.abs_diff(b) < 320 * 240 * 2;
    assert_eq!(sums.len(), 10);
    assert!(expected.zip(sums).all(near));
}

/// It reads every number and waits for more, which there can't be.
#[test]
#[ignore = "slow"]
fn a_command_that_keeps_all_shared_memory_is_an_error() {
    let source = clip("many.mkv", &format!("-f lavfi -i {}", counted("320x240", "25", 60)));
    let mut args = args!["--frame-transport=shm", "--frame-format=gray", "-i", source, "--"];
    args.extend(shared("held.append(slot)"));
    let error = frameloom(args).run().fails(1);
    assert!(error.contains("gave no frame's memory back"), "{error}");
}
