//! A source that changes midway, copied: every picture can be decoded, and sound keeps its pitch.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::clips::clip_of;
use crate::harness::*;

/// Two seconds of pictures of a size, without parameter sets in them, and of a tone of 440 Hz.
fn part(size: &str, rate: u32) -> PathBuf {
    clip(
        "part.mp4",
        &format!(
            "-f lavfi -i testsrc2=s={size}:r=25:d=2 -f lavfi -i sine=440:r={rate}:d=2 -c:v libx264 \
             -bf 0 -g 10 -pix_fmt yuv420p -c:a aac -ac 2 -b:a 128k"
        ),
    )
}

/// The one a little behind the other, with new headers midway.
fn flv() -> PathBuf {
    let first = args!["-i", part("320x240", 44_100), "-c", "copy"];
    let first = clip_of("first.flv", &first);
    let later = args!["-itsoffset", "2.1", "-i", part("160x120", 48_000), "-c", "copy", "-copyts"];
    let second = fs::read(clip_of("second.flv", &later)).unwrap();
    // The header of the file, and the size of the tag before the first.
    joined("joined.flv", &first, &second[13..])
}

/// The same, where packets say themselves what holds for them.
fn ts() -> PathBuf {
    let copied = |size, rate| {
        let copy = args!["-i", part(size, rate), "-c", "copy"];
        clip_of("part.ts", &copy)
    };
    let second = fs::read(copied("160x120", 48_000)).unwrap();
    joined("joined.ts", &copied("320x240", 44_100), &second)
}

fn joined(name: &str, first: &Path, second: &[u8]) -> PathBuf {
    let path = first.with_file_name(name);
    let unfinished = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    fs::write(&unfinished, [&fs::read(first).unwrap(), second].concat()).unwrap();
    unfinished.persist(&path).unwrap();
    path
}

/// How often a second the tone swings, in each half second.
fn pitches(path: &Path) -> Vec<usize> {
    const RATE: usize = 48_000;
    let rate = RATE.to_string();
    let sound =
        ffmpeg(args!["-i", path, "-map", "0:a", "-ac", "1", "-ar", rate, "-f", "s16le", "-"]);
    let samples: Vec<i16> =
        sound.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
    let swings = |half: &[i16]| half.windows(2).filter(|two| two[0] < 0 && two[1] >= 0).count();
    samples.chunks_exact(RATE / 2).map(|half| 2 * swings(half)).collect()
}

#[track_caller]
fn assert_goes_on(source: &Path, container: &str) {
    let room = room();
    let out = room.path().join(format!("out.{container}"));
    let said = frameloom(args!["-i", source, &out]).run().ok().stderr;
    let from = source.extension().unwrap().to_str().unwrap();
    let what = format!("{from} into {container}: {said}");
    let judge = args!["-i", &out, "-map", "0:v", "-fps_mode", "passthrough", "-f", "null", "-"];
    assert_eq!(ffmpeg_reader(judge).run().ok().stderr, "", "{what}");
    let entries = ["-select_streams", "v", "-show_entries", "frame=width"];
    let frames = judge::ffprobe(&out, &entries);
    let widths = frames["frames"].as_array().unwrap().iter().map(|f| f["width"].as_i64().unwrap());
    let widths: Vec<i64> = widths.collect();
    assert_eq!(widths, [[320; 50], [160; 50]].concat(), "{what}");
    // It is a copy.
    assert_eq!(packet_hashes(&out, Kind::Video).len(), 100, "{what}");
    let pitches = pitches(&out);
    assert!(pitches.len() >= 7, "{what}: {pitches:?}");
    // Where the two meet, the tone begins anew.
    for (half, pitch) in pitches.iter().enumerate().filter(|(half, _)| ![0, 3, 4].contains(half)) {
        assert!((434..=446).contains(pitch), "{what}: {pitch} Hz in half second {half}");
    }
}

#[test]
fn what_changes_is_written_or_encoded_to_what_it_was() {
    for source in [flv(), ts()] {
        for container in ["mp4", "mkv", "ts", "flv", "mov"] {
            assert_goes_on(&source, container);
        }
    }
}

/// A player may begin at any keyframe.
#[test]
fn each_keyframe_behind_a_change_can_be_begun_with() {
    let room = room();
    for container in ["mp4", "mkv"] {
        let out = room.path().join(format!("out.{container}"));
        frameloom(args!["-i", flv(), "-an", &out]).run().ok();
        let judge = args!["-ss", "3.3", "-i", &out, "-fps_mode", "passthrough", "-f", "null", "-"];
        assert_eq!(ffmpeg_reader(judge).run().ok().stderr, "", "{container}");
    }
}

#[test]
fn sound_that_is_encoded_from_there_on_is_said() {
    let room = room();
    let said = frameloom(args!["-i", ts(), room.path().join("out.mkv")]).run().ok().stderr;
    assert!(said.contains("from 44100 Hz, 2 channels to 48000 Hz, 2 channels"), "{said}");
}

/// Two seconds of a tone of 440 Hz, in packets that say themselves what holds for them.
fn tone(encoder: &str, (rate, channels): (u32, u32)) -> PathBuf {
    let bits = if encoder == "dca" { "768k" } else { "192k" };
    clip(
        "tone.ts",
        &format!(
            "-f lavfi -i sine=440:r={rate}:d=2 -ac {channels} -c:a {encoder} -strict -2 -b:a {bits}"
        ),
    )
}

/// Rate and channels of the frames of sound, each time that they change.
fn shapes(path: &Path) -> Vec<String> {
    let judge =
        args!["-v", "info", "-i", path, "-map", "0:a", "-af", "ashowinfo", "-f", "null", "-"];
    let said = ffmpeg_reader(judge).run().ok().stderr;
    let frames = said.lines().filter(|line| line.contains(" nb_samples:"));
    let mut shapes: Vec<_> = frames
        .map(|line| {
            let word =
                |name: &str| line.split_whitespace().find(|word| word.starts_with(name)).unwrap();
            format!("{} {}", word("rate:"), word("channels:"))
        })
        .collect();
    shapes.dedup();
    shapes
}

/// Joins two tones in one stream, and judges what comes out of it.
#[track_caller]
fn assert_sound_goes_on(encoder: &str, later: (u32, u32), container: &str, is_copied: bool) {
    let room = room();
    let second = fs::read(tone(encoder, later)).unwrap();
    let name = format!("{encoder}-{}-{}.ts", later.0, later.1);
    let source = joined(&name, &tone(encoder, (44_100, 2)), &second);
    let out = room.path().join(format!("out.{container}"));
    let said = frameloom(args!["-i", &source, &out]).run().ok().stderr;
    let what = format!("{encoder} into {container}: {said}");
    let (read, written) = (packet_hashes(&source, Kind::Audio), packet_hashes(&out, Kind::Audio));
    assert_eq!(read[..40] == written[..40], is_copied, "{what}");
    let change = format!("from 44100 Hz, 2 channels to {} Hz, {} channels", later.0, later.1);
    if container == "ts" {
        assert_eq!(read, written, "{what}");
        assert!(!said.contains("the sound changes"), "{what}");
    } else {
        assert_eq!(shapes(&out), ["rate:44100 channels:2"], "{what}");
        // What is encoded from the start on goes on as it was.
        assert_eq!(said.contains(&change), is_copied, "{what}");
    }
    let pitches = pitches(&out);
    assert!(pitches.len() >= 8, "to its end, {what}: {pitches:?}");
    for (half, pitch) in pitches.iter().enumerate().filter(|(half, _)| ![0, 3, 4].contains(half)) {
        assert!((434..=446).contains(pitch), "{what}: {pitch} Hz in half second {half}");
    }
}

#[test]
#[ignore = "slow"]
fn a_rate_that_packets_state_is_written_or_encoded_to_what_it_was() {
    let copied: [(&str, &[&str]); 5] = [
        ("libmp3lame", &["mp4", "mkv", "ts", "flv"]),
        ("mp2", &["mkv", "ts"]),
        ("ac3", &["mp4", "mkv", "ts"]),
        ("eac3", &["mp4", "mkv", "ts"]),
        ("dca", &["mp4", "mkv", "ts"]),
    ];
    for (encoder, containers) in copied {
        for container in ["mp4", "mkv", "ts", "flv"] {
            let is_copied = containers.contains(&container);
            assert_sound_goes_on(encoder, (48_000, 2), container, is_copied);
        }
    }
}

#[test]
fn channels_that_packets_state_are_encoded_to_what_they_were() {
    for encoder in ["libmp3lame", "mp2", "ac3", "eac3"] {
        assert_sound_goes_on(encoder, (44_100, 1), "mkv", true);
    }
}

/// A live stream has damaged packets, and the last one may be one of them.
#[test]
fn a_single_damaged_header_changes_nothing() {
    let room = room();
    let whole = tone("aac", (44_100, 2));
    let mut bytes = fs::read(&whole).unwrap();
    let four = bytes.windows(4).enumerate();
    let headers = four.filter(|(_, four)| *four == b"\xFF\xF1\x50\x80").map(|(at, _)| at);
    let headers: Vec<usize> = headers.collect();
    assert!(headers.len() > 40, "{}", headers.len());
    for at in [headers[headers.len() / 2], *headers.last().unwrap()] {
        // 48 kHz.
        bytes[at + 2] = 0x4C;
    }
    let damaged = room.path().join("damaged.ts");
    fs::write(&damaged, bytes).unwrap();
    let written = |source: &Path, name: &str| {
        let out = room.path().join(name);
        let said = frameloom(args!["-i", source, &out]).run().ok().stderr;
        assert!(!said.contains("the sound changes"), "{said}");
        packet_hashes(&out, Kind::Audio)
    };
    assert_eq!(written(&damaged, "damaged.mkv"), written(&whole, "whole.mkv"));
}
