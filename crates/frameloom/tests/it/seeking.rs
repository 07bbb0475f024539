//! Seeking gives what reading from the start gives: each frame of many kinds of files, by each way
//! there is. ffmpeg makes the files.
//!
//! The ordinary suite takes a few files of each codec and some of their frames. `script/test --slow`
//! takes every file and every frame.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use frameloom::options::InputOptions;
use frameloom::{Frame, Pipeline, PixelFormat, Reader, Timestamp};

use super::url;

const SIZE: (usize, usize) = (64, 48);

/// How a stream's pictures depend on each other.
struct Gop {
    name: &'static str,
    /// The encoder's words for it.
    words: &'static str,
    frames: u32,
}

const fn gop(name: &'static str, words: &'static str, frames: u32) -> Gop {
    Gop { name, words, frames }
}

/// A codec, the containers that carry it, and the kinds of GOP that it has.
struct Codec {
    name: &'static str,
    encoder: &'static str,
    containers: &'static [&'static str],
    gops: &'static [Gop],
}

const CODECS: &[Codec] = &[
    Codec {
        name: "h264",
        encoder: "-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
        containers: &[
            "mp4", "ts", "mkv", "avi", "flv", "mov", "mpg", "nut", "m3u8", "frag.mp4", "asf",
            "h264",
        ],
        gops: &[
            gop("one", "-bf 2 -g 9999", 60),
            gop("closed", "-bf 2 -g 12", 60),
            gop("open", "-x264-params open-gop=1:keyint=12:min-keyint=12:bframes=3:b-adapt=0", 60),
            gop("pyramid", "-g 24 -x264-params bframes=5:b-pyramid=normal:b-adapt=0", 60),
            gop("long", "-bf 2 -g 250 -sc_threshold 0", 280),
            gop("intra", "-g 1", 30),
            gop("plain", "-bf 0 -g 12", 60),
            gop("refresh", "-x264-params intra-refresh=1:keyint=16:bframes=0", 60),
        ],
    },
    Codec {
        name: "hevc",
        encoder: "-c:v libx265 -preset ultrafast -pix_fmt yuv420p",
        containers: &["mp4", "ts", "mkv", "mov", "nut", "m3u8", "hevc"],
        gops: &[
            gop("one", "-x265-params log-level=error:keyint=-1:bframes=3", 60),
            gop("closed", "-x265-params log-level=error:keyint=12:open-gop=0:bframes=3", 60),
            gop("open", "-x265-params log-level=error:keyint=12:open-gop=1:bframes=3", 60),
            gop("pyramid", "-x265-params log-level=error:keyint=24:b-pyramid=1:bframes=5", 60),
            gop("intra", "-x265-params log-level=error:keyint=1", 30),
        ],
    },
    Codec {
        name: "mpeg4",
        encoder: "-c:v mpeg4 -q:v 3",
        containers: &["avi", "mp4", "mkv", "ts", "nut", "mov"],
        gops: &[
            gop("closed", "-bf 2 -g 12 -flags +cgop -sc_threshold 1000000000", 60),
            gop("open", "-bf 2 -g 12", 60),
            gop("one", "-bf 2 -g 600", 60),
            gop("plain", "-g 12", 60),
            gop("intra", "-g 1", 30),
        ],
    },
    Codec {
        name: "mpeg2",
        encoder: "-c:v mpeg2video -q:v 3",
        containers: &["mpg", "ts", "mkv", "vob", "mp4", "avi", "mxf", "m2v"],
        gops: &[
            gop("open", "-bf 2 -g 12", 60),
            gop("closed", "-bf 2 -g 12 -flags +cgop -sc_threshold 1000000000", 60),
            gop("one", "-bf 2 -g 600", 60),
            gop("plain", "-g 12", 60),
            gop("intra", "-g 1", 30),
        ],
    },
    Codec {
        name: "vp8",
        encoder: "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 300k",
        containers: &["webm", "mkv"],
        gops: &[
            gop("one", "-g 600", 60),
            gop("hidden", "-g 20 -auto-alt-ref 1 -lag-in-frames 10 -deadline good", 60),
        ],
    },
    Codec {
        name: "vp9",
        encoder: "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 300k",
        containers: &["webm", "mp4", "mkv"],
        gops: &[
            gop("one", "-g 600", 60),
            gop("hidden", "-g 20 -auto-alt-ref 1 -lag-in-frames 10 -deadline good", 60),
        ],
    },
    Codec {
        name: "av1",
        encoder: "-c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 300k",
        containers: &["mp4", "webm", "mkv"],
        gops: &[gop("one", "-g 600", 40), gop("short", "-g 10", 40)],
    },
    Codec {
        name: "intra",
        encoder: "-pix_fmt yuv420p",
        containers: &["y4m", "avi", "nut", "mov", "mkv"],
        gops: &[gop("ffv1", "-c:v ffv1", 30), gop("raw", "-c:v rawvideo", 30)],
    },
    Codec {
        name: "mjpeg",
        encoder: "-c:v mjpeg -pix_fmt yuvj420p",
        containers: &["avi", "mov", "mkv", "mjpeg"],
        gops: &[gop("intra", "", 30)],
    },
    Codec {
        name: "pictures",
        encoder: "",
        containers: &["gif", "apng", "%02d.png", "%02d.jpg"],
        gops: &[gop("own", "", 20)],
    },
    Codec {
        name: "theora",
        encoder: "-c:v libtheora -q:v 7",
        containers: &["ogv", "mkv"],
        gops: &[gop("short", "-g 12", 60), gop("one", "-g 600", 60)],
    },
    Codec {
        name: "old",
        encoder: "",
        containers: &["asf", "flv", "avi"],
        gops: &[gop("wmv2", "-c:v wmv2 -g 12", 60), gop("flv1", "-c:v flv1 -g 12", 60)],
    },
];

/// Pairs that no muxer takes, or that ffmpeg itself can't read back.
fn can_be(codec: &Codec, container: &str, gop: &Gop, times: Times) -> bool {
    match (codec.name, container, gop.name) {
        // What begins inside a refresh has no right picture at first.
        (_, _, "refresh") if times == Times::Cut => false,
        ("old", "flv", kind) => kind == "flv1",
        ("old", "asf", kind) => kind == "wmv2",
        ("intra", "y4m", kind) => kind == "raw",
        ("intra", "mov" | "mkv", kind) => kind == "ffv1",
        _ => true,
    }
}

/// What is special about the times of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Times {
    Even,
    BesideSound,
    /// It begins 8.3 s after 0.
    Late,
    /// Frames at uneven distances.
    Uneven,
    /// Cut without encoding: where the container can, an edit list hides what is before the cut.
    Cut,
}

const ALL_TIMES: [Times; 5] =
    [Times::Even, Times::BesideSound, Times::Late, Times::Uneven, Times::Cut];

/// What the ways of seeking are compared with.
struct Plain {
    times: Vec<Timestamp>,
    pictures: Vec<u64>,
}

fn picture(frame: &Frame) -> u64 {
    let mut hasher = DefaultHasher::new();
    let image = frame.image(PixelFormat::Yuv420p).unwrap();
    image.planes().iter().for_each(|plane| plane.iter_rows().for_each(|row| row.hash(&mut hasher)));
    hasher.finish()
}

fn micros(at: Timestamp) -> i64 {
    at.as_micros()
}

/// Makes a file; `None` where ffmpeg can't.
fn file(folder: &Path, codec: &Codec, gop: &Gop, container: &str, times: Times) -> Option<PathBuf> {
    let name = format!("{}-{}-{times:?}", codec.name, gop.name);
    let path = folder.join(format!("{name}.{container}"));
    let (width, height) = SIZE;
    let length = f64::from(gop.frames) / 25.0;
    let mut words = format!("-f lavfi -i testsrc2=s={width}x{height}:r=25:d={length}");
    if times == Times::BesideSound {
        let sound = if matches!(container, "webm" | "ogv") { "libvorbis" } else { "aac" };
        let sound = if matches!(container, "mpg" | "vob" | "asf") { "mp2" } else { sound };
        write!(words, " -f lavfi -i sine=r=44100:d={length} -c:a {sound} -ac 2").unwrap();
    }
    if times == Times::Uneven {
        words += " -vf settb=1/1000,setpts='N*40+mod(N*N*7,31)' -fps_mode passthrough";
        words += " -enc_time_base 1/1000";
    }
    write!(words, " {} {}", codec.encoder, gop.words).unwrap();
    match container {
        "frag.mp4" => words += " -movflags frag_keyframe+empty_moov",
        "m3u8" => words += " -hls_time 1 -hls_playlist_type vod",
        _ => {}
    }
    if times == Times::Late {
        words += " -output_ts_offset 8.3";
    }
    let made = make(&words, &path);
    if times != Times::Cut || !made {
        return made.then_some(path);
    }
    let cut = folder.join(format!("{name}-part.{container}"));
    let is_made = make(&format!("-ss 0.7 -i {} -c copy", path.display()), &cut);
    // Of a stream with one keyframe nothing may be left.
    let has_content = || cut.metadata().map_or(container.contains('%'), |file| file.len() > 1000);
    (is_made && has_content()).then_some(cut)
}

fn make(words: &str, path: &Path) -> bool {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y"]).args(words.split_whitespace()).arg(path);
    command.output().expect("run script/setup --tests").status.success()
}

/// The pictures as ffmpeg decodes them, where they are of the format that is compared.
fn decoded_by_ffmpeg(path: &Path) -> Vec<u64> {
    let out = Command::new("ffmpeg")
        .args(["-v", "quiet", "-i", url(path), "-map", "0:v:0", "-fps_mode", "passthrough"])
        .args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"])
        .output()
        .unwrap();
    let (width, height) = SIZE;
    let size = width * height * 3 / 2;
    let hash = |bytes: &[u8]| {
        let mut hasher = DefaultHasher::new();
        let (luma, chroma) = bytes.split_at(width * height);
        luma.chunks(width).chain(chroma.chunks(width / 2)).for_each(|row| row.hash(&mut hasher));
        hasher.finish()
    };
    out.stdout.chunks_exact(size).map(hash).collect()
}

fn read(path: &Path) -> Result<Plain, String> {
    let mut plain = Plain { times: Vec::new(), pictures: Vec::new() };
    let reader = Reader::open(url(path)).map_err(|e| e.to_string())?;
    for frame in reader {
        let frame = frame.map_err(|e| format!("reading: {e}"))?;
        plain.times.push(frame.pts());
        plain.pictures.push(picture(&frame));
    }
    Ok(plain)
}

/// Whether ffmpeg itself finds a time of its own for each picture.
fn has_times(path: &Path) -> bool {
    let out = Command::new("ffmpeg")
        .args(["-v", "quiet", "-copyts", "-i", url(path), "-map", "0:v:0"])
        .args(["-fps_mode", "passthrough", "-enc_time_base", "1/90000", "-f", "framecrc", "-"])
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&out.stdout);
    let pts = |line: &str| line.split(',').nth(2)?.trim().parse::<i64>().ok();
    let times: Vec<i64> =
        listed.lines().filter(|line| !line.starts_with('#')).filter_map(pts).collect();
    times.windows(2).all(|pair| pair[0] < pair[1])
}

/// Compares every way of seeking in a file with reading it; says what differs.
fn compare(path: &Path, every: usize) -> Result<usize, String> {
    let plain = read(path)?;
    let count = plain.times.len();
    if plain.times.windows(2).any(|pair| pair[1] <= pair[0]) {
        return Err(format!("times don't increase: {:?}", plain.times));
    }
    let theirs = decoded_by_ffmpeg(path);
    let first = Reader::open(url(path)).unwrap().next().ok_or("no frame")?.unwrap();
    if first.format_name() == "yuv420p" && theirs != plain.pictures {
        let differs = theirs.iter().zip(&plain.pictures).position(|(a, b)| a != b);
        let theirs = theirs.len();
        return Err(format!("ffmpeg has {theirs} frames, {count} here; first other {differs:?}"));
    }
    let mut reader = Reader::open(url(path)).unwrap();
    let mut wrong = String::new();
    let mut note = |how: &str, n: usize, frame: Option<&Frame>| {
        let found =
            frame.map(|f| (plain.times.iter().position(|at| *at == f.pts()), f.pts(), picture(f)));
        let is_right =
            found.is_some_and(|(at, _, seen)| at == Some(n) && seen == plain.pictures[n]);
        if !is_right {
            let what = match found {
                None => "none".to_owned(),
                Some((Some(at), _, _)) if at != n => format!("frame {at}"),
                Some((Some(_), _, _)) => "other pixels".to_owned(),
                Some((None, at, _)) => format!("a frame at {}", micros(at)),
            };
            if wrong.len() < 300 {
                write!(wrong, "{how} {n}: {what}; ").unwrap();
            }
        }
    };
    // In an order that goes to and fro.
    let step = (1..=count).find(|s| gcd(*s, count) == 1 && s * 3 > count).unwrap_or(1);
    let order: Vec<usize> = (0..count)
        .map(|n| n * step % count)
        .filter(|n| n % every == 0 || *n < 3 || n + 3 > count)
        .filter(|n| plain.times[*n] >= Timestamp::ZERO)
        .collect();
    for &n in &order {
        let at = plain.times[n];
        let found = reader.frame_at(at).map_err(|e| format!("frame_at {n}: {e}"))?;
        note("frame_at", n, found.as_ref());
        if let Some(next) = plain.times.get(n + 1) {
            let between = Timestamp::from_micros((micros(*next) + micros(at)) / 2);
            let found = reader.frame_at(between).map_err(|e| format!("frame_at: {e}"))?;
            note("frame_at behind", n, found.as_ref());
        }
    }
    for &n in &order {
        reader.seek(plain.times[n]).map_err(|e| format!("seek {n}: {e}"))?;
        for later in n..(n + 3).min(count) {
            let frame = reader.next().transpose().map_err(|e| format!("behind seek {n}: {e}"))?;
            note(if later == n { "seek" } else { "behind seek" }, later, frame.as_ref());
        }
    }
    // To the end, from one place.
    let middle = count / 2;
    reader.seek(plain.times[middle]).map_err(|e| e.to_string())?;
    let rest = reader.by_ref().count();
    if rest != count - middle {
        note("rest of", middle, None);
    }
    // These open the file each time.
    let some = order.len().div_ceil(8).max(1);
    for &n in order.iter().step_by(some) {
        let pipeline = Pipeline::builder(url(path)).start_at(plain.times[n]).open();
        let mut frames =
            pipeline.and_then(Pipeline::frames).map_err(|e| format!("start {n}: {e}"))?;
        let frame = frames.next().transpose().map_err(|e| format!("start {n}: {e}"))?;
        note("start_at", n, frame.as_ref());
    }
    for &n in order.iter().skip(1).step_by(2 * some) {
        let options = InputOptions::new().start(std::time::Duration::from_micros(
            u64::try_from(micros(plain.times[n])).unwrap_or(0),
        ));
        let reader = Reader::builder(url(path)).input(options).open();
        let frame = reader.map_err(|e| format!("-ss {n}: {e}"))?.next().transpose();
        let frame = frame.map_err(|e| format!("-ss {n}: {e}"))?;
        let is_right = frame.as_ref().is_some_and(|frame| picture(frame) == plain.pictures[n]);
        if !is_right {
            note("-ss", n, None);
        }
    }
    if wrong.is_empty() { Ok(count) } else { Err(wrong) }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Checks the files of one codec. `every` says which of their frames are sought.
#[allow(clippy::print_stderr, reason = "it is to be seen which files this FFmpeg can't make")]
fn check(name: &str, every: usize, wanted: impl Fn(&Gop, &str, Times) -> bool) {
    let codec = CODECS.iter().find(|codec| codec.name == name).unwrap();
    let room = tempfile::tempdir().unwrap();
    let (mut files, mut tried, mut wrong) = (0, 0, String::new());
    for gop in codec.gops {
        for container in codec.containers {
            for times in ALL_TIMES {
                if !can_be(codec, container, gop, times) || !wanted(gop, container, times) {
                    continue;
                }
                tried += 1;
                let folder = room.path().join(tried.to_string());
                std::fs::create_dir(&folder).unwrap();
                let Some(path) = file(&folder, codec, gop, container, times) else {
                    eprintln!("not made: {name} {} {container} {times:?}", gop.name);
                    continue;
                };
                if !has_times(&path) {
                    eprintln!("no times by ffmpeg: {name} {} {container} {times:?}", gop.name);
                    continue;
                }
                files += 1;
                if let Err(what) = compare(&path, every) {
                    writeln!(wrong, "{name} {} {container} {times:?}: {what}", gop.name).unwrap();
                }
                std::fs::remove_dir_all(&folder).unwrap();
            }
        }
    }
    eprintln!("{files} files");
    assert!(wrong.is_empty(), "of {files} files:\n{wrong}");
    assert!(files > 0);
}

/// The files that the ordinary suite takes of a codec: of each kind of GOP and of each container one.
fn check_some(name: &str) {
    let codec = CODECS.iter().find(|codec| codec.name == name).unwrap();
    check(name, 9, |gop, container, times| {
        let place = |found: Option<usize>| found.unwrap_or(0);
        let of_gop = place(codec.gops.iter().position(|g| g.name == gop.name));
        let of_container = place(codec.containers.iter().position(|c| *c == container));
        let most = codec.gops.len().max(codec.containers.len());
        let is_taken = (0..most)
            .any(|n| n % codec.gops.len() == of_gop && n % codec.containers.len() == of_container);
        is_taken && times == ALL_TIMES[(of_gop + of_container) % ALL_TIMES.len()]
    });
}

/// All files, but for those that differ from another in nothing that matters: special times come with
/// two kinds of GOP of each codec.
fn check_all(name: &str, gops: &[&str]) {
    let codec = CODECS.iter().find(|codec| codec.name == name).unwrap();
    check(name, 1, |gop, _, times| {
        let is_common = codec.gops.iter().take(2).any(|common| common.name == gop.name);
        (gops.is_empty() || gops.contains(&gop.name)) && (times == Times::Even || is_common)
    });
}

macro_rules! parts {
    ($($part:ident $codec:literal $gops:expr;)*) => {
        $(
            #[test]
            #[ignore = "slow"]
            fn $part() {
                super::check_all($codec, &$gops);
            }
        )*
    };
}

mod every_frame_of {
    parts! {
        h264_of_one_gop "h264" ["one"];
        h264_of_closed_gops "h264" ["closed"];
        h264_of_open_gops "h264" ["open", "pyramid"];
        h264_of_long_gops "h264" ["long"];
        h264_without_b_frames "h264" ["intra", "plain", "refresh"];
        hevc_of_one_gop "hevc" ["one"];
        hevc_of_closed_gops "hevc" ["closed"];
        hevc_of_other_gops "hevc" ["open", "pyramid", "intra"];
        mpeg4 "mpeg4" [];
        mpeg2 "mpeg2" [];
        vp8 "vp8" [];
        vp9 "vp9" [];
        av1 "av1" [];
        codecs_of_single_pictures "intra" [];
        mjpeg "mjpeg" [];
        pictures "pictures" [];
        theora "theora" [];
        old_codecs "old" [];
    }
}

macro_rules! samples {
    ($($codec:ident)*) => {
        $(
            #[test]
            fn $codec() {
                super::check_some(stringify!($codec));
            }
        )*
    };
}

mod some_frames_of {
    samples!(h264 hevc vp9 intra mjpeg pictures);
}
