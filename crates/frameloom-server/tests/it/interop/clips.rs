//! Streams to publish, made by the `ffmpeg` program, and what is in them packet by packet.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::run::Ffmpeg;

/// A folder of the test's own, removed when it is dropped.
pub(super) fn room() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("frameloom-").tempdir().unwrap()
}

/// Three seconds of FLV with a single keyframe: the server keeps all of it for late players.
///
/// The sound begins after the picture, so that all of it is behind the keyframe. `codecs` are
/// words for `ffmpeg`.
///
/// Each test may be a process of its own: a clip is written under another name and renamed, so
/// that it is there whole or not at all.
pub(super) fn clip(by: Ffmpeg, codecs: &str) -> PathBuf {
    let recipe = format!(
        "-f lavfi -i testsrc2=size=320x180:rate=25:duration=3 -itsoffset 0.1 \
         -f lavfi -i sine=frequency=440:sample_rate=48000:duration=2.5 -map 0:v -map 1:a \
         -pix_fmt yuv420p -g 1000 -ac 2 {codecs}"
    );
    let mut hasher = DefaultHasher::new();
    (&recipe, by.path()).hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clips");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{:016x}.flv", hasher.finish()));
    if !path.exists() {
        let unfinished = tempfile::Builder::new().prefix("making-").tempdir_in(&folder).unwrap();
        let made = unfinished.path().join("clip.flv");
        let mut args: Vec<OsString> = recipe.split_whitespace().map(OsString::from).collect();
        args.push(made.clone().into());
        by.run(args);
        fs::rename(made, &path).unwrap();
    }
    path
}

/// The arguments with which `ffmpeg` lists the packets of a URL or file, see [`packets`].
pub(super) fn listing(input: &str) -> Vec<OsString> {
    let streams = ["-map", "0:v", "-map", "0:a"];
    let mut args = args!["-copyts", "-i", input];
    args.extend(streams.map(OsString::from));
    args.extend(args!["-c", "copy", "-f", "framemd5", "-"]);
    args
}

/// All packets in a listing, stream by stream: each one's dts, pts, duration, size and MD5; and
/// first, of each stream, its codec's and its header's.
pub(super) fn packets(listing: &str) -> Vec<String> {
    let described = ["#codec_id", "#extradata"];
    let mut lines: Vec<(String, String)> = Vec::new();
    for line in listing.lines() {
        let words: Vec<&str> = line.split([',', ' ']).filter(|word| !word.is_empty()).collect();
        let stream = match words[..] {
            [kind, stream, ..] if described.contains(&kind.trim_end_matches(':')) => stream,
            // `ffmpeg` sends an empty packet with Opus, ahead of the keyframe.
            [_, _, _, _, "0", _] => continue,
            [first, ..] if !first.starts_with('#') => first,
            _ => continue,
        };
        lines.push((stream.trim_end_matches(':').to_owned(), words.join(" ")));
    }
    lines.sort_by(|(one, _), (other, _)| one.cmp(other));
    lines.into_iter().map(|(_, line)| line).collect()
}

/// What is in a file, as `by` reads it.
pub(super) fn packets_of(by: Ffmpeg, file: &Path) -> Vec<String> {
    packets(&by.run(listing(file.to_str().unwrap())))
}

/// Both are the same packets; where not, it tells the first that differs.
#[track_caller]
pub(super) fn assert_same(played: &[String], published: &[String], by: &str) {
    for (index, wanted) in published.iter().enumerate() {
        assert_eq!(played.get(index), Some(wanted), "{by}: packet {index}");
    }
    assert_eq!(played.len(), published.len(), "{by}: more than was published");
}
