//! Command lines of `fixtures/like_ffmpeg.txt`, run by ffmpeg and by frameloom.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::beside::{broadcast, captured, lettered, timecoded, with_gaps};
use crate::covers::{picture, song, tune};
use crate::harness::clips::clip_of;
use crate::harness::judge::ffprobe;
use crate::harness::*;
use crate::subtitles::{captioned, notes, pictures, styled};

/// What is alike in two files.
struct Facts {
    /// One line for each fact.
    said: Vec<String>,
    /// When each packet is shown, in that order.
    times: Vec<Shown>,
}

/// When a packet is shown.
struct Shown {
    stream: u64,
    at: Rational,
    /// The unit of the stream's times.
    tick: Rational,
    /// It is a keyframe, where that is asked for.
    is_key: bool,
}

/// What is alike in two files; with which packets are keyframes, where that is asked for.
fn facts(path: &Path, with_keys: bool) -> Facts {
    let streams = probe_streams(path);
    let mut said_of = Vec::new();
    for stream in &streams {
        let fact = |name: &str| match &stream[name] {
            Value::Null => String::new(),
            value => format!(" {name}={}", value.as_str().map_or(value.to_string(), str::to_owned)),
        };
        let names = [
            "index",
            "codec_type",
            "codec_name",
            "width",
            "height",
            "pix_fmt",
            "display_aspect_ratio",
            "sample_rate",
            "channels",
            "sample_fmt",
        ];
        said_of.push(names.map(fact).concat());
    }
    said_of.extend(said(path));
    let packets = ffprobe(path, &["-show_entries", "packet=stream_index,pts,dts,flags"]);
    let mut times: Vec<Shown> = Vec::new();
    for packet in packets["packets"].as_array().unwrap() {
        let stream = packet["stream_index"].as_u64().unwrap();
        let base = streams[usize::try_from(stream).unwrap()]["time_base"].as_str().unwrap();
        let tick = Rational::parse(base);
        let at = packet["pts"].as_i64().or(packet["dts"].as_i64()).unwrap_or(0);
        let is_key = with_keys && packet["flags"].as_str().unwrap().starts_with('K');
        times.push(Shown { stream, at: tick.times(at), tick, is_key });
    }
    times.sort_by_key(|shown| (shown.stream, shown.at, shown.is_key));
    Facts { said: said_of, times }
}

/// What is said beside the streams: tags that are not the muxer's own, what streams are for, chapters.
fn said(path: &Path) -> Vec<String> {
    let entries = [
        "-show_entries",
        "stream=index:stream_tags:stream_disposition=default,forced,comment,attached_pic",
        "-show_entries",
        "format_tags:chapter=start_time,end_time:chapter_tags",
    ];
    let all = ffprobe(path, &entries);
    let muxers_own = [
        "encoder",
        "DURATION",
        "handler_name",
        "vendor_id",
        "major_brand",
        "minor_version",
        "compatible_brands",
        "ENCODER",
        "material_package_umid",
        "file_package_umid",
        "modification_date",
    ];
    let tags = |of: &Value| {
        let mut tags = of["tags"].as_object().cloned().unwrap_or_default();
        tags.retain(|name, _| !muxers_own.contains(&&**name));
        format!("{tags:?}")
    };
    let mut facts = vec![format!("format {}", tags(&all["format"]))];
    for stream in all["streams"].as_array().unwrap() {
        facts.push(format!("{} {} {}", stream["index"], stream["disposition"], tags(stream)));
    }
    for chapter in all["chapters"].as_array().into_iter().flatten() {
        let (start, end) = (&chapter["start_time"], &chapter["end_time"]);
        facts.push(format!("chapter {start} {end} {}", tags(chapter)));
    }
    facts
}

/// A hash of every picture, of all samples, and of every event with how long it is shown.
fn content(path: &Path) -> Vec<String> {
    let mut facts = Vec::new();
    for (number, stream) in probe_streams(path).iter().enumerate() {
        // Samples may come in frames of another length.
        // The last columns of a packet that is copied: its length, its size, its hash.
        let (format, more, columns) = match stream["codec_type"].as_str() {
            Some("video") => ("framemd5", args!["-fps_mode", "passthrough"], 1),
            Some("audio") => ("md5", args![], 1),
            Some("subtitle" | "data") => ("framemd5", args!["-c", "copy"], 3),
            Some("attachment") => {
                facts.push(attached(path, number));
                continue;
            }
            _ => continue,
        };
        let input = args!["-i", path, "-map", format!("0:{number}")];
        let listed = ffmpeg([input, more, args!["-f", format, "-"]].concat());
        let listed = String::from_utf8(listed).unwrap();
        let lines = listed.lines().filter(|line| !line.starts_with('#'));
        facts.extend(lines.map(|line| {
            let mut told: Vec<&str> = line.rsplit(',').take(columns).map(str::trim).collect();
            told.reverse();
            told.join(" ")
        }));
    }
    facts
}

/// A hash of what is attached.
fn attached(path: &Path, number: usize) -> String {
    let select = number.to_string();
    let entries = ["-show_entries", "stream=extradata_hash", "-show_data_hash", "md5"];
    let shown = ffprobe(path, &[&["-select_streams", &select][..], &entries[..]].concat());
    let hash = shown["streams"][0]["extradata_hash"].as_str();
    hash.expect("an attachment without bytes").to_owned()
}

/// The first fact that differs.
fn difference(theirs: &[String], ours: &[String]) -> Option<String> {
    if theirs.len() != ours.len() {
        return Some(format!("ffmpeg has {} facts, frameloom {}", theirs.len(), ours.len()));
    }
    let pair = theirs.iter().zip(ours).find(|(theirs, ours)| theirs != ours)?;
    Some(format!("ffmpeg: {}; frameloom: {}", pair.0, pair.1))
}

/// The first packet that is shown at another time: by more than a tick, of the container whose ticks are the
/// longer ones. A time is counted from 0, or from the first one where both may begin where they like.
fn moved(theirs: &[Shown], ours: &[Shown], from_first: bool) -> Option<String> {
    if theirs.len() != ours.len() {
        return Some(format!("ffmpeg has {} packets, frameloom {}", theirs.len(), ours.len()));
    }
    let begin = |all: &[Shown]| {
        let first = all.iter().map(|shown| shown.at).min().filter(|_| from_first);
        first.unwrap_or(Rational::ZERO)
    };
    let (theirs_begin, ours_begin) = (begin(theirs), begin(ours));
    let is_alike = |(a, b): &(&Shown, &Shown)| {
        let apart = (a.at - theirs_begin - (b.at - ours_begin)).abs();
        apart <= a.tick.max(b.tick) && (a.stream, a.is_key) == (b.stream, b.is_key)
    };
    let (n, (a, b)) = theirs.iter().zip(ours).enumerate().find(|(_, pair)| !is_alike(pair))?;
    let shown =
        |s: &Shown| format!("{} {:?}{}", s.stream, s.at, if s.is_key { " (key)" } else { "" });
    Some(format!("packet {n}: ffmpeg: {}; frameloom: {}", shown(a), shown(b)))
}

/// What is wrong with a command line of the list.
fn compare(line: &str, room: &Path) -> Option<String> {
    let (marks, line) = match line.split_once(' ') {
        Some((marks, rest)) if marks.chars().all(|mark| "=kb".contains(mark)) => (marks, rest),
        _ => ("", line),
    };
    let [is_exact, with_keys, begins_elsewhere] = ['=', 'k', 'b'].map(|mark| marks.contains(mark));
    let written = line.split([' ', '|']).filter_map(|word| Some(word.split_once("OUT")?.1));
    let outputs: Vec<&str> = written.collect();
    assert!(!outputs.is_empty(), "{line}");
    let words = |who: &str, line: &str| -> Vec<OsString> {
        let place = |name: &str| room.join(format!("{who}{name}")).display().to_string();
        let word = |word: &str| match word {
            "A" => counted_av("numbered.mp4").into(),
            "B" => manifold().into(),
            "S" => sound().into(),
            "T" => subtitles().into(),
            "W" => notes().into(),
            "Y" => styled().into(),
            "M" => captioned().into(),
            "P" => pictures().into(),
            "K" => song().into(),
            "L" => tune().into(),
            "G" => picture().into(),
            "C" => twice().into(),
            "D" => captured().into(),
            "F" => lettered().into(),
            "V" => timecoded().into(),
            "N" => broadcast().into(),
            "U" => with_gaps().into(),
            _ => {
                let lines = || subtitles().display().to_string();
                let word = word.replace("OUT", &place("")).replace("LOG", &place("log"));
                if word.contains("LINES") { word.replace("LINES", &lines()) } else { word }.into()
            }
        };
        line.split(' ').map(word).collect()
    };
    for line in line.split(" && ") {
        ffmpeg(words("ffmpeg", line));
        let run = frameloom([args!["-v", "error"], words("frameloom", line)].concat()).run();
        if run.code() != Some(0) {
            return Some(run.stderr);
        }
    }
    let files = |who: &str| -> Vec<PathBuf> {
        outputs.iter().flat_map(|output| written_as(room, &format!("{who}{output}"))).collect()
    };
    let (theirs, ours) = (files("ffmpeg"), files("frameloom"));
    if theirs.len() != ours.len() {
        return Some(format!("ffmpeg has {} files, frameloom {}", theirs.len(), ours.len()));
    }
    theirs.iter().zip(&ours).find_map(|(theirs, ours)| {
        let (a, b) = (facts(theirs, with_keys), facts(ours, with_keys));
        difference(&a.said, &b.said)
            .or_else(|| moved(&a.times, &b.times, begins_elsewhere))
            .or_else(|| difference(&content(theirs), &content(ours)).filter(|_| is_exact))
    })
}

/// The files of a name, which may stand for several by `%d` or `%03d`, in their order.
fn written_as(room: &Path, name: &str) -> Vec<PathBuf> {
    let Some((before, rest)) = name.split_once('%') else { return vec![room.join(name)] };
    let (_, behind) = rest.split_once('d').unwrap();
    let files = std::fs::read_dir(room).unwrap().map(|entry| entry.unwrap().file_name());
    let files = files.map(|name| name.into_string().unwrap());
    let is_one = |name: &String| {
        let middle = name.strip_prefix(before).and_then(|name| name.strip_suffix(behind));
        middle.is_some_and(|number| number.chars().all(|digit| digit.is_ascii_digit()))
    };
    let mut files: Vec<String> = files.filter(is_one).collect();
    assert!(!files.is_empty(), "no {name}");
    files.sort_unstable();
    files.into_iter().map(|name| room.join(name)).collect()
}

/// A list for the concat demuxer: the same clip twice.
fn twice() -> PathBuf {
    let file = counted_av("numbered.mp4");
    let list = file.with_file_name("twice.ffconcat");
    std::fs::write(
        &list,
        format!("ffconcat version 1.0\nfile '{0}'\nfile '{0}'\n", file.display()),
    )
    .unwrap();
    list
}

/// Two videos, two sounds, subtitles, chapters and tags.
pub(crate) fn manifold() -> PathBuf {
    let words = "-f lavfi -i testsrc2=s=320x240:r=25:d=4 -f lavfi -i testsrc=s=160x120:r=10:d=4 \
                 -f lavfi -i sine=440:r=44100:d=4 -f lavfi -i sine=880:r=48000:d=4";
    let more = "-map 0 -map 1 -map 2 -map 3 -map 4 -map_metadata 5 -map_chapters 5 -c:v libx264 -bf 0 \
                -g 25 -pix_fmt yuv420p -c:a flac -c:s srt -metadata:s:a:1 language=ger \
                -metadata:s:s:0 language=eng -disposition:a:1 default";
    let split = |text: &str| text.split_whitespace().map(OsString::from).collect::<Vec<_>>();
    let files = args!["-i", fixture("lines.srt"), "-i", fixture("chapters.txt")];
    clip_of("manifold.mkv", &[split(words), files, split(more)].concat())
}

pub(crate) fn subtitles() -> PathBuf {
    let words = args!["-i", manifold(), "-map", "0:s"];
    clip_of("lines.srt", &words)
}

/// Three seconds of sound alone.
pub(crate) fn sound() -> PathBuf {
    clip("sound.mka", "-f lavfi -i sine=660:r=48000:d=3 -c:a aac -ac 2")
}

/// A filter that makes sound without end ends with the picture.
#[test]
fn sound_without_end_ends_with_the_picture() {
    let room = room();
    let out = room.path().join("out.mkv");
    let inputs = args!["-i", counted_av("numbered.mp4"), "-i", sound()];
    let maps = args!["-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "flac"];
    frameloom([inputs, maps, args!["-af", "apad", "-shortest", &out]].concat()).run().ok();
    let packets = ffprobe(&out, &["-select_streams", "a", "-show_entries", "packet=pts_time"]);
    let times = packets["packets"].as_array().unwrap().iter();
    let last = times.map(|p| p["pts_time"].as_str().unwrap().parse::<f64>().unwrap());
    let last = last.fold(0.0, f64::max);
    assert!((5.7..6.1).contains(&last), "the last sound is at {last} s");
}

/// What goes on after the shortest stream is cut there: of streams that are encoded at that frame, of copied
/// ones but for what is stored ahead of what is shown before.
#[test]
fn the_shortest_stream_ends_the_others() {
    let room = room();
    let end = |path: &Path, kind| {
        let packets = packets(path, kind);
        packets.iter().map(|packet| packet.pts + packet.duration).max().unwrap()
    };
    for (inputs, codecs, ending, most) in [
        ([counted_av("numbered.mp4"), sound()], "-c:v ffv1 -c:a flac", "mkv", 1),
        ([counted_av("numbered.mp4"), sound()], "-c:v ffv1 -c:a copy", "mkv", 1),
        ([counted_av("numbered.mp4"), sound()], "-c copy", "mkv", 4),
        ([counted_av("numbered.mp4"), sound()], "-c:v libx264 -c:a aac", "mp4", 4),
        ([manifold(), counted_av("numbered.mp4")], "-c:v ffv1 -c:a pcm_s16le", "mkv", 1),
    ] {
        let out = room.path().join(format!("out.{ending}"));
        let words = format!("-map 0:v:0 -map 1:a -shortest {codecs}");
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let line = args!["-y", "-i", &inputs[0], "-i", &inputs[1]];
        frameloom([line, words, args![&out]].concat()).run().ok();
        let (video, sound) = (end(&out, Kind::Video), end(&out, Kind::Audio));
        let shortest = Rational::millis(if inputs[0] == manifold() { 4000 } else { 3030 });
        let apart = |at: Rational| (at - shortest).abs();
        assert!(apart(video) <= Rational::millis(40 * most + 2), "{codecs}: {video:?}");
        assert!(apart(sound) <= Rational::millis(100), "{codecs}: {sound:?}");
    }
}

/// Maps that can't be: an error in one line, and nothing half-written.
#[test]
fn a_map_of_what_is_not_there_is_an_error() {
    let source = manifold();
    for (words, ending, mentions) in [
        ("-map 1", "mkv", "no input 1"),
        ("-map 0:v:2", "mkv", "0:v:2?"),
        ("-map 0:v:2?", "mkv", "no stream is left"),
        ("-map 0:a -map -0:a", "mkv", "no stream is left"),
        ("-map v:0", "mkv", "number of an input"),
        ("-map 0:x", "mkv", ":x"),
        ("-map 0:m:language:fin", "mkv", "no stream"),
        ("-map 0:s -c copy", "flv", "no place for stream 0:4, subtitle (subrip)"),
        ("-map 0:a -b:a:2 64k", "mkv", "-b:a:2"),
        ("-map 0:v -map_metadata 3", "mkv", "no input 3"),
        ("-map_metadata:x 0", "mkv", "'x'"),
        ("-map_chapters 2", "mkv", "no input 2"),
        ("-metadata title", "mkv", "'title'"),
        ("-metadata:s:9 title=x", "mkv", "-metadata:s:9"),
        ("-metadata:c:9 title=x", "mkv", "-metadata:c:9"),
        ("-metadata:p:0 title=x", "mkv", "'p:0'"),
        ("-filter_complex [0:s]hflip[v] -map [v]", "mkv", "a graph takes no subtitles"),
        ("-disposition:a loud", "mkv", "'loud'"),
    ] {
        let room = room();
        let out = room.path().join(format!("out.{ending}"));
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let run = frameloom([args!["-i", &source], words.clone(), args![&out]].concat()).run();
        let said = run.refuses(2);
        assert!(said.contains(mentions), "{words:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert!(!out.exists());
    }
}

/// Code edits the one video that is mapped.
#[test]
fn a_map_says_which_video_the_code_edits() {
    let (source, room) = (manifold(), room());
    let out = room.path().join("out.mkv");
    let run = |maps: &str| {
        let maps: Vec<OsString> = maps.split(' ').map(OsString::from).collect();
        let line = [args!["-y", "-i", &source], maps, args![&out, "--", "cat"]].concat();
        frameloom(line).run()
    };
    run("-map 0:v:1 -map 0:a").ok();
    let widths: Vec<Value> =
        probe_streams(&out).iter().map(|stream| stream["width"].clone()).collect();
    assert_eq!(widths, [Value::from(160), Value::Null, Value::Null]);
    let flips = "-filter_complex [0:v:0]hflip[a];[0:v:1]vflip";
    for (ambiguous, says, settled) in [
        ("-map 0:v".to_owned(), "with -map 0:v:0", "-map 0:v:0".to_owned()),
        (
            format!("{flips}[b] -map [a] -map [b]"),
            "with -map [a], and end [b] in nullsink",
            format!("{flips},nullsink -map [a]"),
        ),
        (
            "-filter_complex [0:v:0]hflip[a] -map 0:v:1 -map [a]".to_owned(),
            "with -map 0:v:1, and end [a] in nullsink",
            "-filter_complex [0:v:0]hflip,nullsink -map 0:v:1".to_owned(),
        ),
    ] {
        let said = run(&ambiguous).refuses(2);
        assert!(said.contains("several videos") && said.contains(says), "{said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        run(&settled).ok();
    }
    // The label of one settles it.
    run("-filter_complex [0:v:0]scale=64:48[a];[0:v:1]nullsink -map [a]").ok();
    assert_eq!(probe_streams(&out)[0]["width"], 64);
}

/// The lines of one part of the list.
fn lines_of(part: &str) -> Vec<String> {
    let list = std::fs::read_to_string(fixture("like_ffmpeg.txt")).unwrap();
    let (begin, is_head) = (format!("# [{part}]"), |line: &&str| line.starts_with("# ["));
    let behind = list.lines().skip_while(|line| !line.starts_with(&begin)).skip(1);
    let lines = behind.take_while(|line| !is_head(line));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[track_caller]
fn assert_like_ffmpeg(part: &str, least: usize) {
    let (lines, mut wrong) = (lines_of(part), String::new());
    for line in &lines {
        let room = room();
        if let Some(what) = compare(line, room.path()) {
            writeln!(wrong, "{line}\n    {what}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "of {} lines:\n{wrong}", lines.len());
    assert!(lines.len() >= least, "{} lines", lines.len());
}

/// Command lines do what ffmpeg does.
mod lines {
    use super::assert_like_ffmpeg;

    #[test]
    #[ignore = "slow"]
    fn specifiers() {
        assert_like_ffmpeg("specifiers", 50);
    }

    #[test]
    #[ignore = "slow"]
    fn quality() {
        assert_like_ffmpeg("quality", 6);
    }

    #[test]
    #[ignore = "slow"]
    fn sound() {
        assert_like_ffmpeg("sound", 9);
    }

    #[test]
    #[ignore = "slow"]
    fn maps() {
        assert_like_ffmpeg("maps", 23);
    }

    #[test]
    #[ignore = "slow"]
    fn metadata() {
        assert_like_ffmpeg("metadata", 10);
    }

    #[test]
    #[ignore = "slow"]
    fn beside() {
        assert_like_ffmpeg("beside", 30);
    }

    #[test]
    #[ignore = "slow"]
    fn uneven() {
        assert_like_ffmpeg("uneven", 10);
    }

    #[test]
    #[ignore = "slow"]
    fn inputs() {
        assert_like_ffmpeg("inputs", 20);
    }

    #[test]
    #[ignore = "slow"]
    fn subtitles() {
        assert_like_ffmpeg("subtitles", 49);
    }

    #[test]
    #[ignore = "slow"]
    fn covers() {
        assert_like_ffmpeg("covers", 24);
    }

    #[test]
    #[ignore = "slow"]
    fn packets() {
        assert_like_ffmpeg("packets", 11);
    }

    #[test]
    #[ignore = "slow"]
    fn keyframes() {
        assert_like_ffmpeg("keyframes", 8);
    }

    #[test]
    #[ignore = "slow"]
    fn passes() {
        assert_like_ffmpeg("passes", 3);
    }

    #[test]
    #[ignore = "slow"]
    fn files() {
        assert_like_ffmpeg("files", 12);
    }

    #[test]
    #[ignore = "slow"]
    fn stills() {
        assert_like_ffmpeg("stills", 10);
    }

    #[test]
    #[ignore = "slow"]
    fn loops() {
        assert_like_ffmpeg("loops", 15);
    }

    #[test]
    #[ignore = "slow"]
    fn graphs() {
        assert_like_ffmpeg("graphs", 31);
    }
}

/// Forty inputs, all of them mapped, and all of them in one graph.
#[test]
#[ignore = "slow"]
fn forty_inputs_are_read() {
    let numbers: Vec<usize> = (0..40).collect();
    let inputs = vec!["-i S"; numbers.len()].join(" ");
    let maps: Vec<String> = numbers.iter().map(|n| format!("-map {n}:a")).collect();
    let offsets = numbers.iter().map(|n| format!("-itsoffset 0.{n:02} -i S"));
    let offsets = offsets.collect::<Vec<_>>().join(" ");
    for line in [
        format!("= {inputs} {} -c copy OUT.mka", maps.join(" ")),
        format!("= {offsets} {} -c copy OUT.mka", maps.join(" ")),
        format!("= {inputs} -filter_complex amix=inputs=40 -c:a flac OUT.mka"),
    ] {
        let room = room();
        assert_eq!(compare(&line, room.path()), None, "{line}");
    }
}

/// Graphs that can't be: an error in one line, and nothing half-written.
#[test]
fn a_graph_that_can_not_be_is_an_error() {
    for (words, mentions) in [
        ("-filter_complex [0:v]hflp[v] -map [v]", "did you mean hflip"),
        ("-filter_complex [0:v]scale=2:2:interl=9[v] -map [v]", "interl of filter scale"),
        ("-filter_complex [0:v]hflip[v]", "-map [v]"),
        ("-filter_complex [0:v]hflip[v] -map [w]", "of that label"),
        ("-filter_complex [0:v]hflip[v] -map [v] -map [v]", "taken twice"),
        ("-filter_complex [0:v]split[v][v] -map [v]", "given twice"),
        ("-filter_complex [0:v]hflip[v] -filter_complex [0:v]vflip[v] -map [v]", "given twice"),
        ("-filter_complex [in]hflip[v] -map [v]", "[in]"),
        ("-filter_complex [2:v]hflip[v] -map [v]", "there is 1 input"),
        ("-filter_complex [0:v:3]hflip[v] -map [v]", "no such video"),
        ("-filter_complex [0:a:7]volume=2[a] -map [a]", "no such audio"),
        ("-filter_complex overlay,hstack=3 -an", "no further video"),
        ("-filter_complex [0:v][0:v]hstack[v", "-filter_complex"),
        ("-filter_complex [0:v:0][0:v:1]hstack[v] -map [v]", "-filter_complex"),
        ("-filter_complex [0:v]hflip[v] -map [v] -c:v copy", "-c:v copy"),
        ("-filter_complex [0:v]hflip[v] -map [v] -vf vflip", "-filter_complex"),
        ("-filter_complex_script /no/such/file -map [v]", "/no/such/file"),
    ] {
        let (source, room) = (manifold(), room());
        let out = room.path().join("out.mkv");
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let run = frameloom([args!["-i", &source], words.clone(), args![&out]].concat()).run();
        let said = run.refuses(2);
        assert!(said.contains(mentions), "{words:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert!(!out.exists(), "{words:?}");
    }
}

/// Code edits what a graph makes.
#[test]
fn code_edits_what_a_graph_makes() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let graph = room.path().join("graph.txt");
    std::fs::write(&graph, "[0:v][1:v]\n  hstack [both]\n").unwrap();
    let out = room.path().join("out.mkv");
    let inputs = args!["-i", &source, "-i", &source, "-filter_complex_script", &graph];
    let words = args!["-map", "[both]", "-map", "0:a", "-t", "1", "-c:v", "ffv1", &out];
    let invert = "import os, sys\n\
                  size = int(os.environ['FRAMELOOM_FRAME_BYTES'])\n\
                  assert os.environ['FRAMELOOM_WIDTH'] == '640', os.environ['FRAMELOOM_WIDTH']\n\
                  while frame := sys.stdin.buffer.read(size):\n    \
                      sys.stdout.buffer.write(bytes(255 - byte for byte in frame))\n";
    let code = args!["--", python(), "-c", invert];
    frameloom([inputs, words, code].concat()).run().ok();
    let streams = probe_streams(&out);
    assert_eq!(streams[0]["width"], 640);
    assert_eq!(streams[1]["codec_name"], "aac");
    assert_eq!(packets(&out, Kind::Video).len(), 25);
}

#[test]
fn a_specifier_that_names_no_stream_is_an_error() {
    let source = counted_av("numbered.mp4");
    for (words, mentions) in [
        ("-b:a:1 64k -c:a:1 aac", "-c:a:1"),
        ("-s:v:1 64x48", "-s:v:1"),
        ("-metadata_x:v:0 1", "-metadata_x"),
        ("-s:a 64x48", "-s:a"),
        ("-r:x 10", ":x"),
        ("-c:x copy", ":x"),
        ("-c:v:0:1 copy", ":v:0:1"),
        ("-c:0 aac", "not for video"),
        ("-q:v 3 -c:v libx264", "-crf"),
        ("-q:v fine -c:v mpeg4", "'fine'"),
    ] {
        let room = room();
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let out = room.path().join("out.mp4");
        let said = frameloom([args!["-i", &source], words.clone(), args![&out]].concat()).run();
        let said = said.refuses(2);
        assert!(said.contains(mentions), "{words:?}: {said}");
        assert!(!out.exists());
    }
}
