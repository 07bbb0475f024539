//! Devices that decode, encode and filter. Where there is none, what is said of it; and what can be shown on
//! one that needs no hardware, as Mesa draws Vulkan by the processor.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::harness::judge::picture_hashes;
use crate::harness::*;

/// A file that was there before, and that a run which can't be leaves as it was.
const OLD: &str = "what was there before";

/// Runs `line` (with `IN` and `OUT` filled in) and expects it refused with each of `words` in the one line
/// that says why, and nothing written.
#[track_caller]
fn assert_refused(line: &str, status: i32, words: &[&str]) {
    let room = room();
    let (source, out) = (counted_av("numbered.mp4"), room.path().join("out.mkv"));
    fs::write(&out, OLD).unwrap();
    let fill = |word: &str| -> OsString {
        match word {
            "IN" => source.clone().into(),
            "OUT" => out.clone().into(),
            other => other.into(),
        }
    };
    let mut all = args!["-y"];
    all.extend(line.split_whitespace().map(fill));
    let said = frameloom(all).run().refuses(status);
    for word in words {
        assert!(said.contains(word), "{line}: no {word:?} in: {said}");
    }
    assert_eq!(fs::read_to_string(&out).unwrap(), OLD, "{line}: an output was begun all the same");
}

fn has_no_gpu() -> bool {
    !["/dev/dri", "/dev/nvidiactl"].iter().any(|path| Path::new(path).exists())
}

#[test]
fn what_no_machine_could_do_is_wrong_usage() {
    for (line, words) in [
        ("-hwaccel nosuch -i IN OUT", &["-hwaccel", "'nosuch' is no kind of device", "auto"][..]),
        ("-hwaccel d3d11va -i IN OUT", &["-hwaccel", "were built without d3d11va"]),
        ("-hwaccel:a auto -i IN OUT", &["-hwaccel:a", "it means nothing to streams of ':a'"]),
        ("-i IN -hwaccel auto OUT", &["-hwaccel is not an option of an output"]),
        ("-hwaccel auto -hwaccel_output_format nv21x -i IN OUT", &["nv21x", "nv21"]),
        ("-init_hw_device nosuch -i IN OUT", &["-init_hw_device", "'nosuch'", "vaapi"]),
        ("-init_hw_device vaapi=a@b -i IN OUT", &["there is no device 'b'"]),
        ("-init_hw_device vaapi=a -init_hw_device vaapi=a -i IN OUT", &["'a' already"]),
        ("-filter_hw_device gpu -i IN OUT", &["-filter_hw_device", "there is no device 'gpu'"]),
        (
            "-init_hw_device vaapi=gpu -filter_hw_device gqu -i IN OUT",
            &["there is no device 'gqu'", "did you mean gpu?"],
        ),
        (
            "-hwaccel opencl -i IN -c:v ffv1 OUT",
            &["decode: -hwaccel opencl is not possible: no decoder", "h264", "use -hwaccel auto"],
        ),
        (
            "-hwaccel vaapi -hwaccel_output_format cuda -i IN -c:v ffv1 OUT",
            &["-hwaccel_output_format cuda can't be", "pictures on a vaapi device are vaapi"],
        ),
    ] {
        assert_refused(line, 2, words);
    }
}

#[test]
fn a_device_that_is_not_there_is_told_with_what_is_missing() {
    if !has_no_gpu() {
        eprintln!("not tested: there is a device");
        return;
    }
    let no_file = "there is no /dev/dri/renderD";
    for (line, words) in [
        (
            "-hwaccel vaapi -i IN -c:v ffv1 OUT",
            &["decode: -hwaccel: no vaapi device can be opened", no_file][..],
        ),
        (
            "-hwaccel vaapi -hwaccel_device /dev/dri/renderD129 -i IN -c:v ffv1 OUT",
            &["the vaapi device '/dev/dri/renderD129' can't be opened", "no /dev/dri/renderD129"],
        ),
        (
            "-init_hw_device vaapi=gpu:/dev/dri/renderD130 -hwaccel vaapi -hwaccel_device gpu -i IN \
             -c:v ffv1 OUT",
            &["the vaapi device '/dev/dri/renderD130' can't be opened", "no /dev/dri/renderD130"],
        ),
        // Nobody uses it, and it must be there all the same.
        ("-init_hw_device vaapi -i IN -c copy OUT", &["no vaapi device", no_file]),
        ("-vaapi_device /dev/dri/renderD131 -i IN -c copy OUT", &["no /dev/dri/renderD131"]),
        (
            "-i IN -c:v h264_vaapi OUT",
            &["encode: h264_vaapi needs a device: no vaapi device can be opened", no_file],
        ),
        (
            "-i IN -vf format=nv12,hwupload -c:v h264_vaapi OUT",
            &["encode: h264_vaapi needs a device", no_file],
        ),
        ("-i IN -c:v h264_qsv OUT", &["encode: h264_qsv can't be opened", no_file]),
        (
            "-i IN -c:v h264_nvenc OUT",
            &["encode: h264_nvenc can't be opened", "there is no libcuda.so.1"],
        ),
        ("-hwaccel cuda -i IN -c:v ffv1 OUT", &["-hwaccel: no cuda", "there is no libcuda.so.1"]),
        ("-hwaccel cuvid -i IN -c:v ffv1 OUT", &["-hwaccel: no cuda", "there is no libcuda.so.1"]),
        ("-init_hw_device cuda=c:1 -i IN -c copy OUT", &["the cuda device '1'", "libcuda.so.1"]),
    ] {
        assert_refused(line, 1, words);
    }
}

#[test]
fn a_stream_that_is_copied_needs_no_device() {
    let room = room();
    let (source, out) = (counted_av("numbered.mp4"), room.path().join("out.mp4"));
    let copied = args!["-hwaccel", "vaapi", "-i", source, "-c", "copy", out];
    frameloom(copied).run().ok();
    assert_eq!(packet_hashes(&out, Kind::Video), packet_hashes(&source, Kind::Video));
    let none =
        args!["-y", "-hwaccel", "none", "-i", source, "-c:v", "ffv1", "-an", "-f", "null", "-"];
    frameloom(none).run().ok();
}

#[test]
fn auto_decodes_by_the_processor_where_no_device_can_and_says_so_once() {
    let room = room();
    let source = counted_av("numbered.mp4");
    let pictures = |name: &str, words: Vec<OsString>| {
        let out = room.path().join(name);
        let mut all = words;
        all.extend(args!["-i", source, "-t", "1", "-c:v", "ffv1", "-an", out]);
        let said = frameloom(all).run().ok().stderr;
        (picture_hashes(&out), said.matches("no device can decode").count())
    };
    let (expected, said) = pictures("plain.mkv", args![]);
    assert_eq!((expected.len(), said), (25, 0));
    for (n, words) in [
        args!["-hwaccel", "auto"],
        args!["-hwaccel:v:0", "auto", "-hwaccel_device", "7"],
        args!["-hwaccel", "auto", "-hwaccel_output_format", "nv12"],
    ]
    .into_iter()
    .enumerate()
    {
        let shown = format!("{words:?}");
        let (found, said) = pictures(&format!("{n}.mkv"), words);
        // A device may decode in another format that has the same samples.
        assert!(!has_no_gpu() || found == expected, "{shown}");
        assert_eq!(said, usize::from(has_no_gpu()), "{shown}");
    }
}

/// Whether the ffmpeg program finds a device for Vulkan. Where it doesn't, that is said.
fn has_vulkan() -> bool {
    let input = args!["-f", "lavfi", "-i", "color", "-frames:v", "1", "-f", "null", "-"];
    let mut all = args!["-v", "error", "-init_hw_device", "vulkan"];
    all.extend(input);
    let found = Run::new("ffmpeg", all).run();
    if found.code() != Some(0) {
        eprintln!("not tested: no device for Vulkan: {}", found.stderr);
    }
    found.code() == Some(0)
}

#[test]
fn pictures_go_to_a_device_and_are_fetched_where_pixels_are_wanted() {
    if !has_vulkan() {
        return;
    }
    let room = room();
    let source = counted_av("numbered.mp4");
    let pictures =
        |name: &str, device: Vec<OsString>, words: Vec<OsString>, code: Vec<OsString>| {
            let out = room.path().join(name);
            let mut all = device;
            all.extend(args!["-i", source, "-t", "1"]);
            all.extend(words);
            all.extend(args!["-c:v", "ffv1", "-an", out]);
            all.extend(code);
            frameloom(all).run().ok();
            picture_hashes(&out)
        };
    let device = || args!["-init_hw_device", "vulkan=gpu", "-filter_hw_device", "gpu"];
    let up = "format=nv12,hwupload";
    let round = format!("{up},hwdownload,format=nv12");
    let plain = pictures("plain.mkv", args![], args!["-vf", "format=nv12"], args![]);
    assert_eq!(plain.len(), 25);
    for (n, (words, code)) in [
        (args!["-vf", round], args![]),
        // An encoder of the processor gets them from there.
        (args!["-vf", up], args![]),
        // And so does code.
        (args!["-filter_complex", format!("[0:v]{up}[v]"), "-map", "[v]"], args![]),
        (args!["-filter_complex", format!("[0:v]{up}[v]"), "-map", "[v]"], args!["--", "cat"]),
    ]
    .into_iter()
    .enumerate()
    {
        let shown = format!("{words:?} {code:?}");
        assert_eq!(pictures(&format!("{n}.mkv"), device(), words, code), plain, "{shown}");
    }
    // The last device is the filters' where none is named.
    let last = args!["-init_hw_device", "vulkan"];
    assert_eq!(pictures("last.mkv", last, args!["-vf", up], args![]), plain);
    // Filters of the processor too, of which FFmpeg would say that they can't be.
    let small = || args!["-s", "160x120"];
    let mut words = args!["-filter_complex", "[0:v]format=nv12[v]", "-map", "[v]"];
    words.extend(small());
    let plain = pictures("small.mkv", args![], words, args![]);
    let mut words = args!["-filter_complex", format!("[0:v]{up}[v]"), "-map", "[v]"];
    words.extend(small());
    assert_eq!(pictures("small-up.mkv", device(), words, args![]), plain);
}

#[test]
fn filters_without_a_device_say_so() {
    let words = ["-i", "IN", "-vf", "format=nv12,hwupload", "-c:v", "ffv1", "OUT"];
    let room = room();
    let (source, out) = (counted_av("numbered.mp4"), room.path().join("out.mkv"));
    let fill = |word: &str| -> OsString {
        match word {
            "IN" => source.clone().into(),
            "OUT" => out.clone().into(),
            other => other.into(),
        }
    };
    let said = frameloom(words.into_iter().map(fill).collect()).run();
    assert_ne!(said.code(), Some(0));
    assert!(said.stderr.contains("hwupload"), "{}", said.stderr);
    assert!(said.stderr.contains("-init_hw_device"), "{}", said.stderr);
    assert!(!out.exists());
}

/// Those that libav offers for the codec and that this device can't do after all.
#[test]
fn a_device_that_cannot_decode_the_stream_is_an_error() {
    if !has_vulkan() {
        return;
    }
    let room = room();
    let (source, out) = (counted_av("numbered.mp4"), room.path().join("out.mkv"));
    let run = frameloom(args!["-hwaccel", "vulkan", "-i", source, "-c:v", "ffv1", out]).run();
    if run.code() == Some(0) {
        eprintln!("not tested: this device decodes H.264");
        return;
    }
    assert!(run.stderr.contains("-hwaccel vulkan is not possible"), "{}", run.stderr);
    assert!(run.stderr.contains("(use -hwaccel auto)"), "{}", run.stderr);
    assert!(!out.exists());
}
