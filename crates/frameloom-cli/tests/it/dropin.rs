//! What programs that start `ffmpeg` read of it.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::clips::{clip_of, write_turned};
use crate::harness::*;

/// The program under another name.
fn named(name: &str, room: &Path) -> PathBuf {
    let link = room.join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_frameloom"), &link).unwrap();
    }
    link
}

fn said(program: impl AsRef<Path>, words: Vec<OsString>, code: i32) -> String {
    let run = Run::new(program.as_ref(), words).run();
    assert_eq!(run.code(), Some(code), "{}", run.stderr);
    run.stderr
}

/// Two streams with tags and chapters.
fn tagged() -> PathBuf {
    let made = args![
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=320x240:r=25:d=3",
        "-f",
        "lavfi",
        "-i",
        "sine=r=44100:d=3",
        "-metadata",
        "title=A title",
        "-metadata:s:1",
        "language=deu",
        "-c:v",
        "libx264",
        "-c:a",
        "aac"
    ];
    let chapters = clip_of("chapters.mkv", &made);
    let about = chapters.with_extension("txt");
    std::fs::write(
        &about,
        ";FFMETADATA1\ntitle=A title\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\n\
         title=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1500\nEND=3000\ntitle=Two\n",
    )
    .unwrap();
    let joined = args!["-i", chapters, "-i", about, "-map_metadata", "1", "-c", "copy"];
    clip_of("tagged.mp4", &joined)
}

/// The lines that tell of inputs, from the first `Input` on.
fn contents(said: &str) -> Vec<String> {
    let lines = said.lines().skip_while(|line| !line.starts_with("Input #"));
    lines.map(str::to_owned).collect()
}

fn is_same_version() -> bool {
    let version = |program: &str| {
        let run = Run::new(program, args!["-version"]).run().ok();
        let text = String::from_utf8(run.stdout).unwrap();
        let (_, rest) = text.split_once("ffmpeg version ").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    version(env!("CARGO_BIN_EXE_frameloom")) == version("ffmpeg")
}

#[test]
fn an_input_alone_is_described_as_ffmpeg_does() {
    let inputs = [
        args!["-i", tagged()],
        args!["-i", counted_av("numbered.mp4"), "-i", counted_av("numbered.mkv")],
        args!["-f", "lavfi", "-i", "sine=d=1"],
        args!["-f", "rawvideo", "-s", "32x32", "-pix_fmt", "rgb24", "-r", "10", "-i", tagged()],
    ];
    for words in inputs {
        let ours = said(env!("CARGO_BIN_EXE_frameloom"), words.clone(), 1);
        let theirs = said("ffmpeg", [args!["-hide_banner"], words.clone()].concat(), 1);
        assert!(ours.ends_with("At least one output file must be specified\n"), "{ours}");
        assert!(ours.starts_with("Input #0, "), "{ours}");
        if is_same_version() {
            assert_eq!(contents(&ours), contents(&theirs), "{words:?}");
        }
    }
}

#[test]
fn a_level_is_heeded_and_what_cannot_be_opened_is_one_error() {
    let words = |level: &str| args!["-v", level, "-i", tagged()];
    let program = env!("CARGO_BIN_EXE_frameloom");
    let closing = "At least one output file must be specified\n";
    assert_eq!(said(program, words("error"), 1), closing);
    assert_eq!(said(program, words("quiet"), 1), "");
    let line = frameloom(args!["-i", "nosuch.mp4"]).run().refuses(1);
    assert!(line.contains("nosuch.mp4") && line.contains("no such file"), "{line}");
    let line = frameloom(args!["-nosuchthing", "1", "-i", tagged()]).run().refuses(2);
    assert!(line.contains("-nosuchthing"), "{line}");
}

#[test]
fn by_the_name_ffmpeg_it_says_what_ffmpeg_says() {
    let room = room();
    let ffmpeg = named("ffmpeg", room.path());
    let target = room.path().join("out.mp4");
    let words = |more: Vec<OsString>| {
        let encoded = args!["-y", "-i", tagged(), "-c:v", "libx264", "-c:a", "aac", target];
        [more, encoded].concat()
    };
    let text = said(&ffmpeg, words(vec![]), 0);
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("ffmpeg version ") && first.contains(" Copyright (c) "), "{text}");
    let inputs = text.find("\nInput #0, mov,mp4,").unwrap();
    let output = text.find("\nOutput #0, mp4, to '").unwrap();
    let status = text.rfind("frame=   75 fps=").unwrap();
    assert!(inputs < output && output < status, "{text}");
    assert!(text[..inputs].contains("\n  configuration: "), "{text}");
    assert!(text[..inputs].contains("\n  libavcodec "), "{text}");
    let told = &text[output..status];
    assert!(told.contains("Stream #0:0") && told.contains(": Video: h264"), "{text}");
    assert!(told.contains("Stream #0:1") && told.contains(": Audio: aac"), "{text}");
    let last = text.lines().last().unwrap();
    assert!(
        last.contains("time=00:00:0") && last.contains(" bitrate=") && last.contains(" speed=")
    );

    let text = said(&ffmpeg, words(args!["-hide_banner"]), 0);
    assert!(text.starts_with("Input #0, "), "{text}");
    let text = said(&ffmpeg, words(args!["-nostats"]), 0);
    assert!(text.contains("Output #0, ") && !text.contains("frame="), "{text}");
    assert_eq!(said(&ffmpeg, words(args!["-v", "error"]), 0), "");
    let text = said(&ffmpeg, words(args!["-v", "error", "-stats"]), 0);
    assert!(text.starts_with("frame="), "{text}");
    // By its own name nothing of that is said.
    assert_eq!(said(env!("CARGO_BIN_EXE_frameloom"), words(vec![]), 0), "");
}

#[test]
fn by_the_name_ffmpeg_there_are_no_verbs() {
    let room = room();
    let ffmpeg = named("ffmpeg", room.path());
    let run = Run::new(&ffmpeg, args!["-version"]).run().ok();
    assert!(String::from_utf8(run.stdout).unwrap().starts_with("ffmpeg version "));
    let line = Run::new(&ffmpeg, args!["probe", tagged()]).run().refuses(2);
    assert!(line.contains("no input is named"), "{line}");
}

/// Runs both programs with these words, and returns what they wrote to stdout.
fn both(words: &[OsString], stdin: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let run = |program: &str| {
        let quiet = args!["-v", "error", "-y"];
        let run = Run::new(program, [quiet, words.to_vec()].concat()).stdin(stdin.to_vec());
        run.run().ok().stdout
    };
    (run(env!("CARGO_BIN_EXE_frameloom")), run("ffmpeg"))
}

#[test]
fn raw_sound_has_the_rate_and_channels_that_are_given() {
    let samples: Vec<u8> =
        (0..88_200_u32).flat_map(|n| (n as u16).wrapping_mul(7).to_le_bytes()).collect();
    for rate in ["22050", "22.05k"] {
        let raw = args!["-f", "s16le", "-acodec", "pcm_s16le", "-ar", rate, "-ac", "2", "-i", "-"];
        let words = [raw, args!["-acodec", "pcm_s16le", "-ar", "22050", "-f", "framecrc", "-"]];
        let (ours, theirs) = both(&words.concat(), &samples);
        let length = |text: &[u8]| String::from_utf8_lossy(text).lines().count();
        assert!(length(&ours) > 10 && length(&theirs) > 10);
        let raw = args!["-f", "s16le", "-ar", rate, "-ac", "2", "-i", "-"];
        let (ours, theirs) =
            both(&[raw, args!["-c:a", "copy", "-f", "wav", "-"]].concat(), &samples);
        // The channels, samples a second and bytes a second of a WAVE header.
        assert_eq!(ours[22..32], theirs[22..32], "{rate}");
    }
    let words = args!["-i", counted_av("numbered.mp4"), "-vn", "-f", "s16le", "-ac", "1"];
    let (ours, theirs) = both(&[words, args!["-ar", "16k", "-"]].concat(), &[]);
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() > 100_000);
}

#[test]
fn filters_scale_as_sws_flags_say() {
    let scaled = |flags: Vec<OsString>| {
        let words = args!["-i", counted_av("numbered.mp4"), "-vf", "scale=100:70"];
        let rest = args!["-an", "-frames:v", "3", "-f", "rawvideo", "-"];
        both(&[words, flags, rest].concat(), &[])
    };
    let (ours, theirs) = scaled(args!["-sws_flags", "neighbor"]);
    assert_eq!(ours, theirs);
    let (usual, theirs) = scaled(vec![]);
    assert_eq!(usual, theirs);
    assert_ne!(ours, usual);
    let line = frameloom(args!["-i", "in.mp4", "-sws_flags", "a;movie=b", "out.mp4"]);
    assert!(line.run().refuses(2).contains("-sws_flags"));
}

#[test]
fn a_tag_and_times_are_kept_as_is_said() {
    let room = room();
    let packets = |file: &Path| {
        let entries = "stream=codec_tag_string:packet=stream_index,pts_time";
        let words = args!["-v", "error", "-show_entries", entries, "-of", "compact", file];
        String::from_utf8(Run::new("ffprobe", words).run().ok().stdout).unwrap()
    };
    let cut = args!["-ss", "2.5", "-i", counted_av("numbered.mp4"), "-t", "4", "-map", "0"];
    for (name, words) in [
        ("kept.mp4", [cut, args!["-vcodec", "copy", "-acodec", "copy", "-copyts"]].concat()),
        (
            "tag.avi",
            args!["-i", counted_av("numbered.mp4"), "-an", "-c:v", "mpeg4", "-vtag", "XVID"],
        ),
        ("tag.mp4", args!["-i", counted_av("numbered.mp4"), "-c", "copy", "-tag:v", "avc3"]),
    ] {
        let (ours, theirs) = (room.path().join(name), room.path().join(format!("ffmpeg-{name}")));
        frameloom([args!["-v", "error"], words.clone(), args![&ours]].concat()).run().ok();
        ffmpeg([words, args![&theirs]].concat());
        assert_eq!(packets(&ours), packets(&theirs), "{name}");
    }
}

/// What `frameloom probe` and ffprobe print for the same words.
fn probed(words: &[OsString]) -> (String, String) {
    let run = |program: &Path, more: Vec<OsString>| {
        let run = Run::new(program, [more, args!["-v", "error"], words.to_vec()].concat());
        String::from_utf8(run.run().ok().stdout).unwrap()
    };
    let ours = run(Path::new(env!("CARGO_BIN_EXE_frameloom")), args!["probe"]);
    (ours, run(Path::new("ffprobe"), vec![]))
}

/// What an opened decoder or demuxer alone knows.
const NOT_TOLD: [&str; 7] = [
    "closed_captions",
    "film_grain",
    "refs",
    "is_avc",
    "nal_length_size",
    "ts_id",
    "ts_packetsize",
];

/// Without the keys that are not told, and without what packets bring beside them.
fn comparable(text: &str) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.retain(|key, _| !NOT_TOLD.contains(&key.as_str()));
                let packets = object.get_mut("packets").and_then(Value::as_array_mut);
                for packet in packets.into_iter().flatten().filter_map(Value::as_object_mut) {
                    packet.remove("side_data_list");
                }
                object.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    strip(&mut value);
    value
}

#[test]
fn probe_tells_what_ffprobe_tells() {
    let words = args!["-i", tagged(), "-c", "copy", "-metadata:s:a", "title=Sound"];
    let titled = clip_of("titled.mkv", &words);
    let colored = clip(
        "colored.mov",
        "-f lavfi -i testsrc2=s=64x48:r=30000/1001:d=1 -c:v prores_ks -color_range pc -colorspace bt709 \
         -color_trc bt709 -color_primaries bt709 -aspect 16:9",
    );
    let ts = clip("plain.ts", "-f lavfi -i sine=d=1 -c:a mp2");
    let flac = clip("sound.flac", "-f lavfi -i sine=d=1 -ac 2");
    let room = room();
    let turned = room.path().join("turned.mp4");
    write_turned(&counted_av("numbered.mp4"), 240, &turned);
    let all = args!["-of", "json", "-show_format", "-show_streams", "-show_chapters"];
    for file in [tagged(), titled, colored, ts, flac, turned] {
        let (ours, theirs) = probed(&[all.clone(), args![&file]].concat());
        if is_same_version() {
            assert_eq!(comparable(&ours), comparable(&theirs), "{}", file.display());
        }
        let json: Value = serde_json::from_str(&ours).unwrap();
        assert_eq!(json["format"]["filename"], file.to_str().unwrap());
    }
    for words in [
        args!["-print_format", "json=compact=1", "-select_streams", "v:0", "-count_packets"],
        args!["-of", "json", "-select_streams", "a", "-count_frames"],
    ] {
        let (ours, theirs) = probed(&[words, args!["-show_streams", tagged()]].concat());
        if is_same_version() {
            assert_eq!(comparable(&ours), comparable(&theirs));
        }
    }
    let words = args!["-of", "json", "-show_packets", tagged()];
    let (ours, theirs) = probed(&words);
    if is_same_version() {
        assert_eq!(comparable(&ours), comparable(&theirs));
    }
}

#[test]
fn probe_writes_ffprobes_layouts() {
    let entries =
        "stream=index,codec_name,width:stream_tags=language:format=duration:format_tags=title";
    for words in [
        args!["-show_entries", entries],
        args!["-show_entries", entries, "-of", "csv"],
        args!["-show_entries", entries, "-of", "csv=p=0:s=;"],
        args!["-show_entries", entries, "-of", "compact"],
        args!["-show_entries", entries, "-of", "json"],
        args!["-show_entries", "format=duration", "-of", "default=noprint_wrappers=1:nokey=1"],
        args!["-show_entries", "packet=pts_time", "-select_streams", "v:0", "-of", "csv=p=0"],
        args!["-show_entries", "packet=pts,dts,flags", "-of", "json"],
        args!["-of", "json"],
        args!["-show_entries", entries, "-of", "xml"],
        args!["-show_entries", "packet=pts:chapter=id:chapter_tags", "-of", "xml"],
        args!["-of", "xml"],
    ] {
        let (ours, theirs) = probed(&[words.clone(), args![tagged()]].concat());
        // Packets have more beside them there, of which only that it is there is seen.
        let plain = |text: &str| {
            let lines = text.lines().map(|line| line.trim_end_matches(',').to_owned());
            lines.filter(|line| !line.is_empty()).collect::<Vec<_>>()
        };
        match serde_json::from_str::<Value>(&theirs) {
            Ok(_) => assert_eq!(comparable(&ours), comparable(&theirs), "{words:?}"),
            Err(_) => assert_eq!(plain(&ours), plain(&theirs), "{words:?}"),
        }
    }
}

#[test]
fn by_the_name_ffprobe_it_is_probe() {
    let room = room();
    let ffprobe = named("ffprobe", room.path());
    let words = args!["-show_entries", "format=duration", "-of", "csv=p=0", tagged()];
    let run = Run::new(&ffprobe, words.clone()).run().ok();
    assert!(String::from_utf8(run.stdout).unwrap().starts_with("3.0"));
    assert!(run.stderr.starts_with("ffprobe version ") && run.stderr.contains("\nInput #0, mov"));
    let quiet = Run::new(&ffprobe, [args!["-v", "quiet"], words].concat()).run().ok();
    assert!(quiet.stderr.is_empty());
    let run = Run::new(&ffprobe, args!["-v", "error", tagged()]).run().ok();
    let told: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(told["streams"][0]["codec"], "h264");
    for (words, mentions) in [
        (args!["-show_frames"], "-show_frames is an option of ffprobe that is not here"),
        (args!["-show_entries", "frame=pts"], "'frame'"),
        (args!["-of", "yaml"], "'yaml'"),
        (args!["-select_streams", "x"], "x"),
    ] {
        let words = [args!["-hide_banner", "-v", "error"], words, args!["-show_format", tagged()]];
        let line = Run::new(&ffprobe, words.concat()).run().refuses(2);
        assert!(line.contains(mentions), "{line}");
    }
}
