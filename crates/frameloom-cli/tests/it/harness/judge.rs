//! What is in a file, by `ffprobe` and `ffmpeg`.

use std::path::Path;

use serde_json::Value;

use super::{Rational, Run};

/// Which streams of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Video,
    Audio,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Kind::Video => 'v',
            Kind::Audio => 'a',
        }
    }
}

/// An encoded packet; times in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) pts: Rational,
    pub(crate) dts: Option<Rational>,
    pub(crate) duration: Rational,
    pub(crate) key: bool,
    /// The container hides it: it is decoded, not shown.
    pub(crate) discard: bool,
}

pub(crate) fn ffprobe(path: &Path, args: &[&str]) -> Value {
    let mut all = args!["-v", "error", "-of", "json"];
    all.extend(args.iter().map(Into::into));
    all.extend(args![path]);
    let out = Run::new("ffprobe", all).run().ok();
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Every stream's description, as `ffprobe` gives it.
pub(crate) fn probe_streams(path: &Path) -> Vec<Value> {
    let mut all = ffprobe(path, &["-show_streams"]);
    match all["streams"].take() {
        Value::Array(streams) => streams,
        other => panic!("{}: streams are {other}", path.display()),
    }
}

/// The description of the first video stream.
pub(crate) fn video_info(path: &Path) -> Value {
    probe_streams(path)
        .into_iter()
        .find(|stream| stream["codec_type"] == "video")
        .unwrap_or_else(|| panic!("{}: no video", path.display()))
}

/// The packets of the first stream of a kind, in the order of the file.
pub(crate) fn packets(path: &Path, kind: Kind) -> Vec<Packet> {
    let select = format!("{}:0", kind.letter());
    let entries = "packet=pts,dts,duration,flags:stream=time_base";
    let all = ffprobe(path, &["-select_streams", &select, "-show_entries", entries]);
    let time_base = all["streams"][0]["time_base"].as_str();
    let time_base = time_base.unwrap_or_else(|| panic!("{}: no {kind:?}", path.display()));
    let time_base = Rational::parse(time_base);
    let read = |packet: &Value| Packet {
        pts: time_base.times(packet["pts"].as_i64().expect("a packet without pts")),
        dts: packet["dts"].as_i64().map(|dts| time_base.times(dts)),
        duration: time_base.times(packet["duration"].as_i64().unwrap_or(0)),
        key: packet["flags"].as_str().unwrap().starts_with('K'),
        discard: packet["flags"].as_str().unwrap().contains('D'),
    };
    all["packets"].as_array().unwrap().iter().map(read).collect()
}

/// When each packet of the first stream of a kind is shown, in that order.
pub(crate) fn times(path: &Path, kind: Kind) -> Vec<Rational> {
    let mut times: Vec<Rational> = packets(path, kind).iter().map(|packet| packet.pts).collect();
    times.sort();
    times
}

/// A hash of each packet of the first stream of a kind, in the order of the file.
pub(crate) fn packet_hashes(path: &Path, kind: Kind) -> Vec<String> {
    packet_hashes_through(path, kind, "null")
}

/// As `packet_hashes`, behind a bit stream filter that undoes what a container asks for.
pub(crate) fn packet_hashes_through(path: &Path, kind: Kind, filter: &str) -> Vec<String> {
    let letter = kind.letter();
    let hashes = framehash(args![
        "-i",
        path,
        "-map",
        format!("0:{letter}:0"),
        "-c",
        "copy",
        format!("-bsf:{letter}"),
        filter,
    ]);
    assert!(!hashes.is_empty(), "{}: no {kind:?} packets", path.display());
    hashes
}

/// A hash of each decoded picture, as the codec left it.
pub(crate) fn picture_hashes(path: &Path) -> Vec<String> {
    framehash(args!["-noautorotate", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough"])
}

fn framehash(mut args: Vec<std::ffi::OsString>) -> Vec<String> {
    args.extend(args!["-f", "framemd5", "-"]);
    let text = String::from_utf8(super::ffmpeg(args)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    // stream, dts, pts, duration, size, hash; behind them may stand what goes with the packet.
    lines.map(|line| line.split(',').nth(5).unwrap().trim().to_owned()).collect()
}

/// The hash of all packets of a kind together, as `ffmpeg -c copy -f md5` prints it.
pub(crate) fn md5(path: &Path, kind: Kind) -> String {
    let map = format!("0:{}", kind.letter());
    let out = super::ffmpeg(args!["-i", path, "-map", map, "-c", "copy", "-f", "md5", "-"]);
    String::from_utf8(out).unwrap()
}

/// `ffmpeg` decodes the file from start to end without a complaint.
#[track_caller]
pub(crate) fn assert_playable(path: &Path) {
    let out = super::ffmpeg_reader(args!["-i", path, "-f", "null", "-"]).run().ok();
    let name = path.display();
    assert_eq!(out.stderr, "", "{name} does not decode cleanly");
    let packets = packets(path, Kind::Video);
    assert!(!packets.is_empty(), "{name}: no video");
    // A file may leave a dts out; the others rise, and nothing is shown before it is decoded.
    let stamped: Vec<_> = packets.iter().filter_map(|one| Some((one.dts?, one.pts))).collect();
    assert!(stamped.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name}: dts don't rise");
    assert!(stamped.iter().all(|(dts, pts)| dts <= pts), "{name}: a pts before its dts");
}

/// What is added to every time of `source` to get those of `made`; it must be the same for all,
/// to within `tolerance`.
#[track_caller]
pub(crate) fn assert_same_times(source: &[Rational], made: &[Rational], tolerance: Rational) {
    assert_eq!(source.len(), made.len(), "another number of times");
    let shift = made[0] - source[0];
    for (i, (&before, &after)) in source.iter().zip(made).enumerate() {
        let off = (after - before - shift).abs();
        assert!(off <= tolerance, "time {i}: {before:?} became {after:?}, shift {shift:?}");
    }
}

/// Where `part` stands in `whole`, as one uninterrupted stretch.
#[track_caller]
pub(crate) fn position_of(part: &[String], whole: &[String]) -> usize {
    assert!(!part.is_empty(), "nothing arrived");
    let at = whole.windows(part.len()).position(|stretch| stretch == part);
    at.unwrap_or_else(|| {
        let strangers = part.iter().filter(|one| !whole.contains(one)).count();
        panic!(
            "{} packets are not a stretch of the {} that went in; {strangers} are strangers",
            part.len(),
            whole.len()
        )
    })
}
