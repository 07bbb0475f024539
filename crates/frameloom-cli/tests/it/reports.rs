//! What a run tells of itself, in FFmpeg's words: `-progress`, `-stats`, `-benchmark`, `-report`.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use crate::harness::*;

/// One block of `-progress`: keys and values in their order.
type Block = Vec<(String, String)>;

/// Reads FFmpeg's blocks; what is no block fails the test.
#[track_caller]
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = vec![Block::new()];
    for line in text.lines() {
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("no key=value: {line}"));
        blocks.last_mut().unwrap().push((key.to_owned(), value.trim().to_owned()));
        if key == "progress" {
            blocks.push(Block::new());
        }
    }
    assert!(blocks.pop().unwrap().is_empty(), "the last block is not whole: {text}");
    let ends = |block: &Block| block.last().unwrap().1.clone();
    let (last, before) = blocks.split_last().expect("there is no block");
    assert_eq!(ends(last), "end");
    assert!(before.iter().all(|block| ends(block) == "continue"), "{text}");
    blocks
}

fn value<'a>(block: &'a Block, key: &str) -> &'a str {
    let found = block.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {key} in {block:?}"))
}

fn keys(block: &Block) -> Vec<&str> {
    block.iter().map(|(key, _)| key.as_str()).collect()
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(Into::into).collect()
}

/// The values are what the documentation of FFmpeg says they are.
#[track_caller]
fn assert_documented(block: &Block) {
    for (key, value) in block {
        let is_unknown = value == "N/A";
        let is_number = |text: &str| text.parse::<f64>().is_ok();
        let is_right = match key.as_str() {
            "frame" | "dup_frames" | "drop_frames" => value.parse::<u64>().is_ok(),
            "total_size" => is_unknown || value.parse::<u64>().is_ok(),
            "out_time_us" | "out_time_ms" => is_unknown || value.parse::<i64>().is_ok(),
            "fps" => is_number(value),
            "bitrate" => is_unknown || value.strip_suffix("kbits/s").is_some_and(is_number),
            "speed" => is_unknown || value.strip_suffix('x').is_some_and(is_number),
            "out_time" => {
                is_unknown
                    || value.len() == 15 && value.replace([':', '.'], "").parse::<u64>().is_ok()
            }
            "progress" => ["continue", "end"].contains(&value.as_str()),
            key => key.starts_with("stream_") && key.ends_with("_q") && is_number(value),
        };
        assert!(is_right, "{key}={value}");
    }
}

#[test]
fn progress_has_ffmpegs_keys_and_values() {
    let source = counted_av("numbered.mp4");
    for (line, name) in [
        ("-c copy", "copy.mkv"),
        ("-c:v libx264 -preset ultrafast -c:a aac", "encoded.mp4"),
        ("-c:v mpeg4 -an", "mpeg4.avi"),
        ("-vn -c:a aac", "sound.m4a"),
        ("-c:v rawvideo -c:a pcm_s16le -f null", "null"),
    ] {
        let room = room();
        let ours = room.path().join(name);
        let theirs = room.path().join(format!("ffmpeg-{name}"));
        let line_to = |out: &Path| {
            let start = args!["-y", "-v", "error", "-progress", "-", "-i", &source];
            [start, words(line), args![out]].concat()
        };
        let said = frameloom(line_to(&ours)).run().ok();
        assert_eq!(said.stderr, "", "{line}");
        let text = String::from_utf8(said.stdout).unwrap();
        let reference = ffmpeg(line_to(&theirs));
        let (found, expected) = (blocks(&text), blocks(&String::from_utf8(reference).unwrap()));
        found.iter().chain(&expected).for_each(assert_documented);
        let (found, expected) = (found.last().unwrap(), expected.last().unwrap());
        assert_eq!(keys(found), keys(expected), "{line}");
        for key in keys(found) {
            let (ours, theirs) = (value(found, key), value(expected, key));
            match key {
                "frame" | "dup_frames" | "drop_frames" => assert_eq!(ours, theirs, "{line}: {key}"),
                "stream_0_0_q" if line.contains("copy") => assert_eq!(ours, theirs),
                // Where the last sound ends depends on what an encoder adds, and a picture's length
                // on the container.
                "out_time_us" | "out_time_ms" => {
                    let micros = |text: &str| text.parse::<i64>().unwrap();
                    let apart = (micros(ours) - micros(theirs)).abs();
                    assert!(apart <= 80_000, "{line}: {key} {ours} {theirs}");
                }
                "total_size" | "bitrate" => {
                    assert_eq!(ours == "N/A", theirs == "N/A", "{line}: {key} {ours} {theirs}");
                }
                _ => {}
            }
        }
        if name != "null" {
            let size = fs::metadata(&ours).unwrap().len();
            assert_eq!(value(found, "total_size"), size.to_string(), "{line}");
            let micros: f64 = value(found, "out_time_us").parse().unwrap();
            let rate: f64 =
                value(found, "bitrate").strip_suffix("kbits/s").unwrap().parse().unwrap();
            assert!((rate - size as f64 * 8000.0 / micros).abs() < 0.1, "{line}: {rate}");
        }
    }
}

#[test]
fn progress_goes_on_while_it_runs() {
    let source = counted_av("numbered.mp4");
    let line = "-v error -stats_period 0.05 -progress pipe:1 -nostats -stream_loop -1 -re -i";
    let run = frameloom([words(line), args![&source, "-c", "copy", "-f", "null", "-"]].concat());
    let running = run.spawn();
    let told = |text: &str| text.matches("progress=continue").count();
    wait_until("a few blocks", || told(&running.stdout()) > 3);
    running.signal("INT");
    let said = running.wait().ok();
    let found = blocks(&String::from_utf8(said.stdout).unwrap());
    found.iter().for_each(assert_documented);
    let frames = found.iter().map(|block| value(block, "frame").parse::<u64>().unwrap());
    let frames: Vec<u64> = frames.collect();
    assert!(frames.is_sorted() && frames[0] < *frames.last().unwrap(), "{frames:?}");
}

#[test]
fn progress_goes_where_it_is_told() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let start = |url: &str| args!["-v", "error", "-progress", url, "-i", &source];
    let null = || args!["-c", "copy", "-f", "null", "-"];
    let frames = |text: &str| value(blocks(text).last().unwrap(), "frame").to_owned();
    // A file, which is written anew.
    let file = room.path().join("progress.txt");
    fs::write(&file, "old\n".repeat(1000)).unwrap();
    frameloom([start(file.to_str().unwrap()), null()].concat()).run().ok();
    assert_eq!(frames(&fs::read_to_string(&file).unwrap()), "150");
    // Stderr, and a descriptor of the caller's.
    let said = frameloom([start("pipe:2"), null()].concat()).run().ok();
    assert_eq!(frames(&said.stderr), "150");
    let shell = args!["-c", r#""$@" 3>third"#, "sh", env!("CARGO_BIN_EXE_frameloom")];
    Run::new("sh", [shell, start("pipe:3"), null()].concat()).cwd(room.path()).run().ok();
    assert_eq!(frames(&fs::read_to_string(room.path().join("third")).unwrap()), "150");
    // A connection.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let reader = thread::spawn(move || {
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    frameloom([start(&url), null()].concat()).run().ok();
    assert_eq!(frames(&reader.join().unwrap()), "150");
}

#[test]
fn progress_that_can_not_be_written_is_refused_before_anything_is_done() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let out = room.path().join("out.mkv");
    for (url, code, says) in [
        ("/no/such/folder/x", 1, "/no/such/folder/x"),
        ("tcp://127.0.0.1:1", 1, "refused"),
        ("nosuch://host/x", 2, "protocol not found"),
    ] {
        let line = args!["-progress", url, "-i", &source, "-c", "copy", &out];
        let said = frameloom(line).run().refuses(code);
        assert!(said.contains("-progress") && said.contains(says), "{url}: {said}");
        assert!(!out.exists(), "{url}");
    }
    let line = args!["-progress", "-", "-i", &source, "-c", "copy", "-f", "matroska", "pipe:1"];
    let said = frameloom(line).run().refuses(2);
    assert!(said.contains("both write to stdout (use -progress pipe:2)"), "{said}");
}

#[test]
fn a_reader_of_progress_that_goes_away_ends_nothing() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let out = room.path().join("out.mkv");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let reader = thread::spawn(move || drop(listener.accept().unwrap()));
    let line = args!["-stats_period", "0.02", "-progress", &url, "-re", "-t", "2", "-i", &source];
    let said = frameloom([line, args!["-c", "copy", &out]].concat()).run().ok();
    reader.join().unwrap();
    assert_eq!(said.stderr.matches("-progress").count(), 1, "{}", said.stderr);
    assert!(packets(&out, Kind::Video).len() >= 50);
}

/// A program of others that reads ffmpeg's progress.
#[test]
#[ignore = "slow"]
fn ffmpeg_progress_yield_reads_it() {
    let source = counted_av("numbered.mp4");
    let script = "import sys; from ffmpeg_progress_yield import FfmpegProgress
told = list(FfmpegProgress(sys.argv[1:]).run_command_with_progress(duration_override=6))
print(*told)";
    let told = |program: &str| {
        let line = args!["-y", "-stats_period", "0.1", "-re", "-t", "6", "-i", &source];
        let line = [args!["-c", script, program], line, words("-c copy -f null -")].concat();
        let said = Run::new(python(), line).run().ok();
        let text = String::from_utf8(said.stdout).unwrap();
        text.split_whitespace().map(|word| word.parse().unwrap()).collect::<Vec<f64>>()
    };
    for program in [env!("CARGO_BIN_EXE_frameloom"), "ffmpeg"] {
        let told = told(program);
        assert!(told.is_sorted() && told.len() > 5, "{program}: {told:?}");
        assert_eq!((told[0], *told.last().unwrap()), (0.0, 100.0), "{program}");
    }
}

/// What stands in a line, with every number as 0 and without what it is filled up with.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line.chars().filter(|c| *c != ' ') {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if c != '0' || !shape.ends_with('0') {
            shape.push(c);
        }
    }
    // A number without a point is one with it.
    shape.replace("0.0", "0").replace("0e+0", "0").replace("-0", "0")
}

#[test]
fn stats_are_ffmpegs_line_where_there_is_no_terminal() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let line = |name: &str| {
        let start = args!["-y", "-v", "error", "-stats", "-i", &source, "-c", "copy"];
        [start, args![room.path().join(name)]].concat()
    };
    let ours = frameloom(line("ours.mkv")).run().ok().stderr;
    let theirs = ffmpeg_reader(line("theirs.mkv")).run().ok().stderr;
    let last = |text: &str| text.rsplit('\r').next().unwrap().to_owned();
    assert_eq!(shape(&last(&ours)), shape(&last(&theirs)), "{ours}{theirs}");
    assert!(last(&ours).starts_with("frame=  150 fps=0.0 q=-1.0 Lsize="), "{ours}");
    // Nobody asked for it.
    let quiet = args!["-v", "error", "-y", "-i", &source, "-c", "copy", room.path().join("x.mkv")];
    assert_eq!(frameloom(quiet).run().ok().stderr, "");
}

#[test]
fn a_benchmark_is_ffmpegs() {
    let source = counted_av("numbered.mp4");
    let line = || args!["-benchmark", "-i", &source, "-f", "null", "-"];
    let lines = |text: &str| -> Vec<String> {
        let benches = text.lines().filter(|line| line.starts_with("bench: "));
        benches.map(shape).collect()
    };
    let ours = frameloom(line()).run().ok().stderr;
    let theirs = Run::new("ffmpeg", [args!["-nostdin"], line()].concat()).run().ok().stderr;
    assert_eq!(lines(&ours), lines(&theirs), "{ours}");
    assert_eq!(lines(&ours).len(), 2, "{ours}");
    let quiet = frameloom([args!["-v", "error"], line()].concat()).run().ok().stderr;
    assert_eq!(quiet, "");
}

/// The one file in a folder with this ending.
fn only_file(folder: &Path, ending: &str) -> std::path::PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.extension().is_some_and(|found| found == ending));
    let file = files.next().expect("no file");
    assert!(files.next().is_none(), "more than one file");
    file
}

#[test]
fn a_report_has_everything_but_secrets() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let line = args![
        "-report",
        "-v",
        "error",
        "-user_agent",
        "plain",
        "-i",
        &source,
        "-c",
        "copy",
        "-f",
        "flv",
        "-rtmp_playpath",
        "Hush9f8e7d6c5b4a3",
        "rtmp://user:sesame@127.0.0.1:1/live/Key-9f8e7d6c5b4a",
    ];
    let said = frameloom(line).cwd(room.path()).run();
    assert_ne!(said.code(), Some(0));
    let path = only_file(room.path(), "log");
    let name = path.file_name().unwrap().to_str().unwrap();
    let time = name.strip_prefix("frameloom-").unwrap().strip_suffix(".log").unwrap();
    assert_eq!(shape(time), "0-0".replace("-0", "0"), "{name}");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("frameloom started on 20"), "{text}");
    assert_eq!(lines[1], format!("Report written to \"{name}\""));
    assert_eq!(lines[2], "Command line:");
    assert!(lines[3].starts_with("frameloom -report -v error "), "{text}");
    assert!(lines[3].contains("rtmp://127.0.0.1:1/live"), "{text}");
    let error = said.stderr.lines().last().unwrap();
    assert_eq!(lines.last(), Some(&error), "{text}");
    for secret in ["sesame", "Hush9f8e7d6c5b4a3", "Key-9f8e7d6c5b4a"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[test]
fn the_environment_asks_for_a_report() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let null = || args!["-v", "error", "-i", &source, "-f", "null", "-", "--", "cat", "-u"];
    let run = || frameloom(null()).cwd(room.path());
    let file = |name: &str| fs::read_to_string(room.path().join(name)).unwrap();
    assert_eq!(run().env("FFREPORT", "file=%p.log:level=16").run().ok().stderr, "");
    let quiet = file("frameloom.log");
    assert_eq!(quiet.lines().count(), 4, "{quiet}");
    assert!(quiet.ends_with(" -f null - -- cat ...\n"), "{quiet}");
    assert_eq!(run().env("FFREPORT", "file=all.log:level=debug").run().ok().stderr, "");
    assert!(file("all.log").contains("libav: "), "{}", file("all.log"));
    for wrong in ["fle=x.log", "file=/no/such/folder/x.log", "level=loud"] {
        let said = run().env("FFREPORT", wrong).run();
        assert!([Some(1), Some(2)].contains(&said.code()), "{wrong}: {}", said.stderr);
        assert_eq!(said.stderr.lines().count(), 1, "{wrong}: {}", said.stderr);
    }
    // What makes no sense is not shown: nobody knows what in it is secret.
    let wrong = args!["-report", "-i", &source, "-nosuchthing", "sesame", "x.mp4"];
    let said = frameloom(wrong).env("FFREPORT", "file=wrong.log").cwd(room.path()).run();
    said.refuses(2);
    let text = file("wrong.log");
    assert!(text.contains("(not shown)") && text.contains("-nosuchthing"), "{text}");
    assert!(!text.contains("sesame"), "{text}");
}

#[test]
fn more_damage_than_is_allowed_is_a_failure() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let damaged = room.path().join("damaged.mkv");
    ffmpeg(args!["-i", &source, "-an", "-c", "copy", "-bsf:v", "noise=amount=200", &damaged]);
    let run = |rate: &[&str]| {
        let rate: Vec<OsString> = rate.iter().map(Into::into).collect();
        let null = args!["-v", "error", "-i", &damaged, "-c:v", "rawvideo", "-f", "null", "-"];
        frameloom([rate, null].concat()).run()
    };
    run(&[]).ok();
    run(&["-max_error_rate", "1"]).ok();
    let said = run(&["-max_error_rate", "0"]).fails(1);
    assert!(said.contains("packets were damaged, more than -max_error_rate 0"), "{said}");
    let fine = args!["-max_error_rate", "0", "-i", &source, "-f", "null", "-"];
    frameloom(fine).run().ok();
}

/// An option for what is encoded, where the stream is copied, says what would have it encoded.
#[test]
fn what_a_copy_can_not_have_says_how_to_encode() {
    let source = counted_av("numbered.mp4");
    for (line, name, option, says) in [
        ("-c copy -crf 20", "out.mp4", "-crf", "add -c:v libx264"),
        ("-c:v copy -vf hflip", "out.mp4", "-vf", "add -c:v libx264"),
        ("-c copy -b:a 64k", "out.mp4", "-b:a", "add -c:a aac"),
        ("-c:v libx264 -c:a copy -b:a 64k", "out.mp4", "-b:a", "add -c:a aac"),
        ("-c copy -aspect 16:9", "out.ts", "-aspect", "add -c:v libx264"),
        ("-c copy -q:v 5", "out.mp4", "-q:v", "add -c:v libx264"),
        ("-c copy -q 5", "out.mp4", "-q:v", "add -c:v libx264"),
        ("-c copy -qscale:v 5", "out.mp4", "-q:v", "add -c:v libx264"),
        ("-c:v libx264 -c:a copy -q:a 5", "out.mp4", "-q:a", "add -c:a aac"),
        ("-c copy -ac 2", "out.mp4", "-ac", "add -c:a aac"),
        ("-c copy -ar 44100", "out.mp4", "-ar", "add -c:a aac"),
        ("-c copy -sws_flags bicubic", "out.mp4", "-sws_flags", "add -c:v libx264"),
        ("-c copy -passlogfile x", "out.mp4", "-passlogfile", "add -c:v libx264"),
        ("-c:v libx264 -c:a copy -crff 20", "out.mp4", "-crff", "did you mean -crf"),
    ] {
        let room = room();
        let out = room.path().join(name);
        let run = frameloom([args!["-i", &source], words(line), args![&out]].concat()).run();
        let said = run.fails(2);
        assert!(said.contains(option) && said.contains(says), "{line}: {said}");
        assert!(!out.exists());
    }
}
