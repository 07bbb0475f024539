//! Decoded pictures, and how alike they are.

use std::ffi::OsString;
use std::path::Path;

use super::clips::{BITS, CELL};

/// The pictures of a file in one raw layout.
pub(crate) struct Pictures {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) frames: Vec<Vec<u8>>,
}

/// How many bytes a picture takes.
pub(crate) fn picture_bytes(width: usize, height: usize, layout: &str) -> usize {
    let halved = width.div_ceil(2) * height.div_ceil(2);
    match layout {
        "rgb24" | "bgr24" | "yuv444p" => width * height * 3,
        "rgba" => width * height * 4,
        "gray" => width * height,
        "yuv420p" | "nv12" => width * height + 2 * halved,
        other => panic!("the tests don't know {other}"),
    }
}

/// Decodes every frame, turned upright if the file says so, as FFmpeg converts most accurately.
pub(crate) fn decode(path: &Path, layout: &str) -> Pictures {
    decode_with(args!["-i", path], layout)
}

/// As `decode`, with input options of the caller's own before the `-i`.
pub(crate) fn decode_with(input: Vec<OsString>, layout: &str) -> Pictures {
    let mut args = input;
    args.extend(args!["-map", "0:v:0", "-fps_mode", "passthrough"]);
    args.extend(args!["-sws_flags", "accurate_rnd+full_chroma_int+full_chroma_inp"]);
    args.extend(args!["-c:v", "rawvideo", "-pix_fmt", layout]);
    // The bytes go to a file; the list of hashes tells the size of the pictures.
    let room = super::room();
    let raw = room.path().join("raw");
    args.extend(args!["-f", "tee", format!("[f=rawvideo]{}|[f=framemd5]pipe:1", raw.display())]);
    let list = String::from_utf8(super::ffmpeg(args)).unwrap();
    let size = list.lines().find_map(|line| line.strip_prefix("#dimensions 0: ")).unwrap();
    let (width, height) = size.split_once('x').unwrap();
    let (width, height) = (width.parse().unwrap(), height.parse().unwrap());
    let frames = split(&std::fs::read(raw).unwrap(), picture_bytes(width, height, layout));
    Pictures { width, height, frames }
}

/// Cuts raw bytes into frames; a rest is a failure.
#[track_caller]
pub(crate) fn split(raw: &[u8], bytes: usize) -> Vec<Vec<u8>> {
    assert_eq!(raw.len() % bytes, 0, "{} bytes are not frames of {bytes}", raw.len());
    raw.chunks(bytes).map(<[u8]>::to_vec).collect()
}

/// The peak signal-to-noise ratio of two pictures in dB; infinite where they are the same.
#[track_caller]
pub(crate) fn psnr(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len(), "pictures of another size");
    let squares: u64 = one.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    10.0 * (255.0 * 255.0 * one.len() as f64 / squares as f64).log10()
}

/// The lowest ratio of any pair of frames.
#[track_caller]
pub(crate) fn worst_psnr(one: &[Vec<u8>], other: &[Vec<u8>]) -> f64 {
    assert_eq!(one.len(), other.len(), "another number of frames");
    one.iter().zip(other).map(|(a, b)| psnr(a, b)).fold(f64::INFINITY, f64::min)
}

/// How far the bytes of two pictures are apart on average.
#[track_caller]
pub(crate) fn mean_difference(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len(), "pictures of another size");
    let sum: u64 = one.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / one.len() as f64
}

/// The number that each frame carries along its lower edge (by `counted`).
pub(crate) fn counters(path: &Path) -> Vec<usize> {
    let pictures = decode(path, "gray");
    let read = |frame: &Vec<u8>| number(frame, pictures.width, pictures.height - CELL / 2);
    pictures.frames.iter().map(read).collect()
}

/// The numbers along the upper edge (by `burn.py`) and along the lower.
pub(crate) fn both_counters(path: &Path) -> Vec<(usize, usize)> {
    let pictures = decode(path, "gray");
    let read = |frame: &Vec<u8>| {
        let lower = number(frame, pictures.width, pictures.height - CELL / 2);
        (number(frame, pictures.width, CELL / 2), lower)
    };
    pictures.frames.iter().map(read).collect()
}

/// Frames with both numbers follow each other without a hole. Where a stream was cut off, a
/// B-frame or two may be missing that would have come behind their successor.
#[track_caller]
pub(crate) fn assert_unbroken(frames: &[(usize, usize)]) {
    let (edit, source) = frames[0];
    let (whole, end) = frames.split_at(frames.len() - 2);
    let wanted: Vec<_> = (0..whole.len()).map(|n| (edit + n, source + n)).collect();
    assert_eq!(whole, wanted);
    assert_eq!(end[1].0, edit + frames.len() - 1, "a frame was edited and not kept: {end:?}");
    assert!(end[1].1 - source <= frames.len() + 1, "frames are missing before {end:?}");
}

fn number(gray: &[u8], width: usize, row: usize) -> usize {
    let bit = |i: usize| usize::from(gray[row * width + i * CELL + CELL / 2] > 127) << i;
    (0..BITS).map(bit).sum()
}

/// The picture with every byte turned around, as `invert.py` does.
pub(crate) fn inverted(frame: &[u8]) -> Vec<u8> {
    frame.iter().map(|byte| 255 - byte).collect()
}
