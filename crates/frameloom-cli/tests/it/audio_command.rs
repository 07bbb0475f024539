//! A COMMAND for sound: samples through its pipes, judged by ffmpeg's own filters.

use std::ffi::OsString;
use std::path::Path;

use crate::harness::*;

/// Halves every sample.
const HALVE: &str = "import array, os, sys\n\
    assert os.environ['FRAMELOOM_AUDIO_FORMAT'] == 'f32le'\n\
    assert os.environ['FRAMELOOM_AUDIO_RATE'] == '44100', os.environ['FRAMELOOM_AUDIO_RATE']\n\
    assert os.environ['FRAMELOOM_AUDIO_CHANNELS'] == '2'\n\
    while data := sys.stdin.buffer.read1(4096):\n    \
        while len(data) % 4:\n        \
            data += sys.stdin.buffer.read1(4 - len(data) % 4)\n    \
        samples = array.array('f', data)\n    \
        for n in range(len(samples)):\n        \
            samples[n] *= 0.5\n    \
        sys.stdout.buffer.write(samples.tobytes())\n    \
        sys.stdout.buffer.flush()\n";

/// Gives back what it gets, and fails in the middle.
const DIES: &str = "import sys, os\n\
    for _ in range(20):\n    \
        sys.stdout.buffer.write(b'\\0' * len(sys.stdin.buffer.read(2048)))\n    \
        sys.stdout.buffer.flush()\n\
    os._exit(3)\n";

/// Gives nothing back before it has all.
const HOLDS: &str = "import sys\n\
    sys.stdout.buffer.write(sys.stdin.buffer.read())\n";

/// A program written down, and the option that names it.
fn program(room: &Path, text: &str) -> OsString {
    let file = room.join("sound effect.py");
    std::fs::write(&file, text).unwrap();
    let python = python().display().to_string();
    format!("--audio-command={python} '{}'", file.display()).into()
}

/// The samples, as ffmpeg decodes them, behind a filter.
fn samples(path: &Path, filter: &str) -> Vec<i16> {
    let raw = ffmpeg(args!["-i", path, "-map", "0:a", "-af", filter, "-f", "s16le", "-"]);
    raw.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
}

/// How far behind the first picture the first sound is: the first that is heard.
fn lag(path: &Path) -> Rational {
    let first = |kind| packets(path, kind).into_iter().filter(|p| !p.discard).map(|p| p.pts).min();
    first(Kind::Audio).unwrap() - first(Kind::Video).unwrap()
}

/// Sound is where it was, to the sample, and has no gap.
#[track_caller]
fn assert_in_sync(made: &Path, source: &Path) {
    assert_eq!(lag(made), lag(source));
    let sound = packets(made, Kind::Audio);
    for two in sound.windows(2) {
        assert_eq!(two[0].pts + two[0].duration, two[1].pts);
    }
}

fn pcm() -> Vec<OsString> {
    args!["-c:v", "copy", "-c:a", "pcm_f32le"]
}

#[test]
fn a_command_changes_every_sample_and_nothing_moves() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    // Its times are in samples.
    let out = room.path().join("out.mov");
    let code = args!["--audio-format=f32le", program(room.path(), HALVE)];
    frameloom([args!["-i", &source], code, pcm(), args![&out]].concat()).run().ok();
    let expected = samples(&source, "volume=0.5");
    assert!(expected.len() > 200_000);
    assert_eq!(samples(&out, "anull"), expected);
    assert_in_sync(&out, &source);
    let pts =
        |path: &Path| packets(path, Kind::Video).iter().map(|p| p.pts.as_ms()).collect::<Vec<_>>();
    assert_eq!(pts(&out), pts(&source), "the picture is where it was");
}

/// One program edits the pictures, another one the sound.
#[test]
fn a_command_for_sound_works_beside_one_for_frames() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let out = room.path().join("out.mov");
    let sound = args!["--audio-format=f32le", program(room.path(), HALVE)];
    let codecs = args!["-c:v", "ffv1", "-c:a", "pcm_f32le", &out];
    let code = args!["--", python(), fixture("invert.py")];
    frameloom([args!["-i", &source], sound, codecs, code].concat()).run().ok();
    assert_eq!(samples(&out, "anull"), samples(&source, "volume=0.5"));
    assert_in_sync(&out, &source);
    assert_eq!(times(&out, Kind::Video), times(&source, Kind::Video));
    let inverted = decode(&out, "rgb24");
    let pictures = decode(&source, "rgb24");
    assert_eq!(inverted.frames.len(), 150);
    for (a, b) in inverted.frames.iter().zip(&pictures.frames).step_by(25) {
        let turned: Vec<u8> = b.iter().map(|byte| 255 - byte).collect();
        assert!(mean_difference(a, &turned) < 3.0, "a picture is not inverted");
    }
}

/// A command's words reach it as they are: nothing in them is a shell's.
#[test]
fn no_shell_reads_a_command_for_sound() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let out = room.path().join("out.mkv");
    let checks = "import sys\n\
        assert sys.argv[1:] == ['$HOME', '|', ';', '>x', '*', 'a b', '`id`', '&&'], sys.argv\n\
        while data := sys.stdin.buffer.read1(4096):\n    \
            sys.stdout.buffer.write(b'\\0' * len(data))\n    \
            sys.stdout.buffer.flush()\n";
    let mut code = program(room.path(), checks);
    code.push(" $HOME | ; >x * 'a b' `id` &&");
    frameloom([args!["-i", &source], args![code], pcm(), args![&out]].concat()).run().ok();
    let made = samples(&out, "anull");
    assert!(made.len() > 200_000 && made.iter().all(|sample| *sample == 0));
}

#[test]
fn what_a_command_gives_back_as_it_was_stays_bit_for_bit() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let out = room.path().join("out.mkv");
    // 16 bits are less than the codec has.
    let code = args!["--audio-command=cat"];
    frameloom([args!["-i", &source], code, pcm(), args![&out]].concat()).run().ok();
    let hash = |path: &Path| {
        ffmpeg(args!["-i", path, "-map", "0:a", "-c:a", "pcm_f32le", "-f", "md5", "-"])
    };
    assert_eq!(hash(&out), hash(&source));
}

#[test]
fn sound_is_brought_to_what_the_command_takes() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let out = room.path().join("out.mkv");
    let counts = "import os, sys\n\
        assert os.environ['FRAMELOOM_AUDIO_RATE'] == '16000'\n\
        assert os.environ['FRAMELOOM_AUDIO_CHANNELS'] == '1'\n\
        size = 0\n\
        while data := sys.stdin.buffer.read1(4096):\n    \
            size += len(data)\n    \
            sys.stdout.buffer.write(data)\n    \
            sys.stdout.buffer.flush()\n\
        assert abs(size - 6 * 16000 * 2) < 2000, size\n";
    let options = args!["--audio-rate=16000", "--audio-channels=1", program(room.path(), counts)];
    frameloom([args!["-i", &source], options, pcm(), args![&out]].concat()).run().ok();
    let streams = probe_streams(&out);
    assert_eq!((&streams[1]["sample_rate"], &streams[1]["channels"]), (&"16000".into(), &1.into()));
    let (made, whole) =
        (samples(&out, "anull"), samples(&source, "aresample=16000,pan=mono|c0=c0"));
    assert!(made.len().abs_diff(whole.len()) < 1000, "{} of {}", made.len(), whole.len());
}

#[test]
fn a_command_that_dies_leaves_the_original_sound() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let out = room.path().join("out.mkv");
    let code = || args![program(room.path(), DIES)];
    let line = [args!["-i", &source, "--on-error=bypass"], code(), pcm(), args![&out]].concat();
    let run = frameloom(line).run().ok();
    assert!(run.stderr.contains("exit status 3"), "{}", run.stderr);
    let (made, whole) = (samples(&out, "anull"), samples(&source, "anull"));
    assert_eq!(made.len(), whole.len());
    let silent = made.iter().take_while(|sample| **sample == 0).count();
    assert!((15_000..40_000).contains(&silent), "{silent} samples were edited");
    let end = silent + 2048;
    assert_eq!(made[end..], whole[end..]);
    // By default a file's run ends there.
    let stopped = room.path().join("stopped.mkv");
    let line = [args!["-i", &source], code(), pcm(), args![&stopped]].concat();
    let said = frameloom(line).run().refuses(1);
    assert!(said.contains("exit status 3"), "{said}");
}

/// A program that works on a file may look ahead, and not without end.
#[test]
#[ignore = "slow"]
fn a_command_may_hold_back_some_of_a_file() {
    let room = room();
    let out = room.path().join("out.mkv");
    let held = |source: &Path| {
        let line =
            args!["-y", "-i", source, "-vn", program(room.path(), HOLDS), "-c:a", "pcm_f32le"];
        frameloom([line, args![&out]].concat()).run()
    };
    let source = counted_av("numbered.mp4");
    held(&source).ok();
    assert_eq!(samples(&out, "anull"), samples(&source, "anull"));
    let long = clip("half-a-minute.mka", "-f lavfi -i sine=440:r=44100:d=30 -c:a aac -ac 1");
    let said = held(&long).refuses(1);
    assert!(said.contains("holds back"), "{said}");
}

#[test]
fn a_live_stream_gets_its_command_again() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let (out, starts) = (room.path().join("out.mkv"), room.path().join("starts"));
    let text = format!("open({:?}, 'a').write('x')\n{DIES}", starts.display().to_string());
    let live = args!["--live=yes", "--no-reconnect", "-re", "-i", &source];
    let line = [live, args![program(room.path(), &text)], pcm(), args![&out]].concat();
    frameloom(line).run().ok();
    assert!(std::fs::read(&starts).unwrap().len() >= 2, "it was started once");
    let (made, whole) = (samples(&out, "anull"), samples(&source, "anull"));
    assert!(made.len().abs_diff(whole.len()) <= 2048, "{} of {}", made.len(), whole.len());
    assert!(made.iter().any(|sample| sample.abs() > 1000), "no original sound");
}

/// What comes back too late from a slow program goes by as it came, and nothing is missing.
#[test]
#[ignore = "slow"]
fn a_live_stream_does_not_wait_for_a_slow_command() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let out = room.path().join("out.mkv");
    // Twice as long for a piece as it sounds, and two of them at once in the end.
    let slow = "import sys, time\n\
        while data := sys.stdin.buffer.read(4096):\n    \
            time.sleep(2 * len(data) / 4 / 44100)\n    \
            sys.stdout.buffer.write(b'\\0' * len(data))\n    \
            sys.stdout.buffer.flush()\n";
    let live = args!["--live=yes", "--no-reconnect", "--deadline=200ms", "-re", "-i", &source];
    let line = [live, args![program(room.path(), slow)], pcm(), args![&out]].concat();
    let run = frameloom(line).run().ok();
    assert!(run.stderr.contains("goes by unedited"), "{}", run.stderr);
    let (made, whole) = (samples(&out, "anull"), samples(&source, "anull"));
    assert_eq!(made.len(), whole.len());
    let is_one = |(made, whole): (&i16, &i16)| *made == 0 || made == whole;
    assert!(made.iter().zip(&whole).all(is_one), "sound that is neither edited nor as it was");
    let edited = made.iter().take_while(|sample| **sample == 0).count();
    assert!(edited > 1024 && edited < made.len() / 2, "{edited} samples were edited");
    let late = made.len() - 88_200;
    assert_eq!(made[late..], whole[late..]);
}

/// A program that hangs is started again, and meanwhile the sound goes by as it came.
#[test]
#[ignore = "slow"]
fn a_command_that_hangs_is_started_again() {
    let recipe = "-f lavfi -i sine=440:r=44100:d=14 -c:a aac -ac 2";
    let (source, room) = (clip("long-tone.mka", recipe), room());
    let (out, starts) = (room.path().join("out.mkv"), room.path().join("starts"));
    let hangs = format!(
        "import sys, time\n\
         with open({:?}, 'a') as starts:\n    \
             starts.write('x')\n    \
             is_first = starts.tell() == 1\n\
         count = 0\n\
         while data := sys.stdin.buffer.read1(4096):\n    \
             count += 1\n    \
             if is_first and count > 20:\n        \
                 time.sleep(3600)\n    \
             sys.stdout.buffer.write(b'\\0' * len(data))\n    \
             sys.stdout.buffer.flush()\n",
        starts.display().to_string()
    );
    let live = args!["--live=yes", "--no-reconnect", "--deadline=200ms", "-re", "-i", &source];
    let code = args![program(room.path(), &hangs), "-c:a", "pcm_f32le", &out];
    let run = frameloom([live, code].concat()).run().ok();
    assert!(run.stderr.contains("for too long"), "{}", run.stderr);
    assert_eq!(std::fs::read(&starts).unwrap(), b"xx");
    let made = samples(&out, "anull");
    // Edited, then as it was, then edited again.
    let second = 2 * 44_100;
    let is_silent = |at: usize| made[at..at + second / 2].iter().all(|sample| *sample == 0);
    assert!(made.len().abs_diff(14 * second) < second, "{} samples", made.len());
    let edited = made.iter().take_while(|sample| **sample == 0).count();
    assert!((1024..2 * second).contains(&edited), "{edited} samples were edited at first");
    assert!(!is_silent(4 * second), "what it hung on is missing");
    assert!(is_silent(made.len() - 2 * second), "it was not started again");
}

#[test]
fn a_command_for_sound_that_can_not_be_is_an_error() {
    let source = counted_av("numbered.mp4");
    for (words, status, mentions) in [
        (args!["--audio-command=no-such-program-anywhere"], 1, "no-such-program-anywhere"),
        (args!["--audio-command=cat 'x"], 2, "--audio-command"),
        (args!["--audio-command="], 2, "--audio-command"),
        (args!["--audio-command=cat", "--audio-format=mp3"], 2, "s16le or f32le"),
        (args!["--audio-command=cat", "--audio-rate=0"], 2, "--audio-rate"),
        (args!["--audio-command=cat", "--audio-channels=65"], 2, "--audio-channels"),
        (args!["--audio-format=s16le"], 2, "--audio-command"),
        (args!["--audio-command=cat", "-c:a", "copy"], 2, "edits the sound"),
    ] {
        let room = room();
        let out = room.path().join("out.mkv");
        let run = frameloom([args!["-i", &source], words.clone(), args![&out]].concat()).run();
        let said = run.refuses(status);
        assert!(said.contains(mentions), "{words:?}: {said}");
    }
}
