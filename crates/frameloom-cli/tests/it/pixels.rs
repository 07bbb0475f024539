//! Pixels: what nobody changed is untouched, and geometry survives.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::clips::write_turned;
use crate::harness::judge::picture_hashes;
use crate::harness::pixels::{inverted, split, worst_psnr};
use crate::harness::*;

/// A clip without loss, so that its layout and tags are exactly what was asked for.
fn lossless(name: &str, format: &str, size: &str) -> PathBuf {
    let (width, height) = size.split_once('x').unwrap();
    // The source itself makes even sizes only.
    let lavfi = "testsrc2=s=640x480:r=10:d=1,format=yuv444p";
    let crop = format!("crop={width}:{height}:0:0:exact=1");
    let recipe = format!("-f lavfi -i {lavfi} -vf {crop},format={format} -c:v ffv1");
    let path = clip(name, &recipe);
    let info = video_info(&path);
    assert_eq!(format!("{}x{}", info["width"], info["height"]), size, "the clip's size");
    path
}

/// `cat` as the command, a lossless encoder behind it: every picture is bit for bit the same.
fn assert_untouched(source: &Path, own: &[&str], encoder: &[&str]) {
    let room = room();
    let out = room.path().join("out.mkv");
    let mut args = args![];
    args.extend(own.iter().map(Into::into));
    args.extend(args!["-i", source]);
    args.extend(encoder.iter().map(Into::into));
    args.extend(args![&out, "--", "cat"]);
    frameloom(args).run().ok();
    let info = |path| video_info(path)["pix_fmt"].clone();
    assert_eq!(info(&out), info(source), "another pixel format");
    assert_eq!(picture_hashes(&out), picture_hashes(source));
}

const FFV1: [&str; 2] = ["-c:v", "ffv1"];

#[test]
fn film_that_cat_returns_is_untouched() {
    assert_untouched(&film(), &[], &["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast"]);
}

#[test]
#[ignore = "slow"]
fn pictures_that_cat_returns_are_untouched_in_every_layout() {
    for format in ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "gray", "bgr0", "yuvj420p"] {
        let source = lossless(&format!("plain-{format}.mkv"), format, "320x240");
        assert_untouched(&source, &[], &FFV1);
    }
}

#[test]
fn pictures_that_cat_returns_are_untouched_whatever_it_was_shown() {
    let source = lossless("plain-yuv420p.mkv", "yuv420p", "320x240");
    for shown in ["rgb24", "bgr24", "rgba", "gray", "yuv420p", "nv12"] {
        assert_untouched(&source, &["--frame-format", shown], &FFV1);
    }
}

#[test]
fn odd_sizes_that_cat_returns_are_untouched() {
    let source = lossless("odd.mkv", "yuv420p", "321x241");
    assert_untouched(&source, &[], &FFV1);
}

/// A command that changes every picture a little: the way to RGB and back costs little.
fn assert_round_trip(source: &Path, change: &str) {
    let room = room();
    let out = room.path().join("out.mkv");
    let program = format!(
        "import os, sys, numpy as np\n\
         size = int(os.environ['FRAMELOOM_FRAME_BYTES'])\n\
         while data := sys.stdin.buffer.read(size):\n    \
             image = np.frombuffer(data, np.uint8).copy()\n    \
             {change}\n    \
             sys.stdout.buffer.write(image)\n"
    );
    frameloom(args!["-i", source, "-c:v", "ffv1", &out, "--", python(), "-c", program]).run().ok();
    let layout = video_info(source)["pix_fmt"].as_str().unwrap().to_owned();
    let (before, after) = (decode(source, &layout), decode(&out, &layout));
    let likeness = worst_psnr(&before.frames, &after.frames);
    assert!(likeness > 40.0, "{change}: {likeness:.1} dB");
    assert_ne!(picture_hashes(&out), picture_hashes(source), "the change got lost");
}

/// A second of film in a small picture.
fn small_film(format: &str) -> PathBuf {
    let mut args = args!["-t", "1", "-i", film(), "-an", "-s", "320x180"];
    args.extend(args!["-pix_fmt", format, "-c:v", "ffv1"]);
    clips::clip_of(&format!("film-{format}.mkv"), &args)
}

#[test]
fn a_pixel_changed_in_film_costs_little_elsewhere() {
    for format in ["yuv420p", "yuv444p"] {
        assert_round_trip(&small_film(format), "image[:30] = 255 - image[:30]");
    }
}

/// Of RGB that a command gives back, only the bands of 16 rows in which something changed go to YUV again.
#[test]
fn bands_of_rgb_that_a_command_left_alone_are_untouched() {
    for (format, transport) in [("yuv420p", "pipe"), ("yuv444p", "pipe"), ("yuv420p", "shm")] {
        let (source, room) = (small_film(format), room());
        let out = room.path().join("out.mkv");
        let command = args!["--", python(), fixture("some_rows.py")];
        let transport = format!("--frame-transport={transport}");
        let args = args!["--frame-format=rgb24", transport, "-i", source, "-c:v", "ffv1", &out];
        frameloom([args, command].concat()).run().ok();
        let (before, after) = (decode(&source, format), decode(&out, format));
        assert_eq!(before.frames.len(), after.frames.len());
        let (across, down) = if format == "yuv420p" { (2, 2) } else { (1, 1) };
        for (number, (before, after)) in before.frames.iter().zip(&after.frames).enumerate() {
            if number % 2 == 1 {
                assert_eq!(before, after, "{format}: picture {number}");
                continue;
            }
            let mut begin = 0;
            for (width, height, unit) in
                [(320, 180, 1), (320 / across, 180 / down, down), (320 / across, 180 / down, down)]
            {
                let is_changed = |row: usize| (32..64).contains(&row) || (160..176).contains(&row);
                for row in (0..height).filter(|row| !is_changed(row * unit)) {
                    let span = begin + row * width..begin + (row + 1) * width;
                    assert_eq!(before[span.clone()], after[span], "{format}: row {row}");
                }
                begin += width * height;
            }
            assert_ne!(before[50 * 320..][..320], after[50 * 320..][..320], "nothing changed");
            assert_ne!(before[170 * 320], after[170 * 320], "one pixel is enough");
        }
    }
}

#[test]
fn the_lowest_bits_changed_in_film_cost_little() {
    assert_round_trip(&small_film("yuv420p"), "image ^= 1");
}

#[test]
fn a_command_that_only_reads_sees_each_frame_in_its_size() {
    let source = lossless("plain-yuv420p.mkv", "yuv420p", "320x240");
    let room = room();
    let dump = room.path().join("dump");
    let script = "cat > \"$DUMP\"";
    let args = args!["--frame-size=160x120", "-i", source, "--", "sh", "-c", script];
    frameloom(args).env("DUMP", &dump).run().ok();
    let frames = split(&fs::read(&dump).unwrap(), 160 * 120 * 3);
    assert_eq!(frames.len(), 10);
    let wanted = pixels::decode_with(args!["-i", source, "-s", "160x120"], "rgb24");
    let likeness = worst_psnr(&frames, &wanted.frames);
    assert!(likeness > 20.0, "another picture: {likeness:.1} dB");
}

#[test]
fn a_frame_size_is_the_size_that_goes_out() {
    let source = lossless("plain-yuv420p.mkv", "yuv420p", "320x240");
    let room = room();
    let out = room.path().join("out.mkv");
    let args = args!["--frame-size", "160x120", "-i", source, "-c:v", "ffv1", &out, "--"];
    let command = args![python(), fixture("invert.py")];
    frameloom([args, command].concat()).run().ok();
    let wanted = pixels::decode_with(args!["-i", source, "-s", "160x120"], "rgb24");
    let made = decode(&out, "rgb24");
    assert_eq!((made.width, made.height), (160, 120));
    for (before, after) in wanted.frames.iter().zip(&made.frames) {
        let likeness = psnr(&inverted(before), after);
        assert!(likeness > 20.0, "another picture: {likeness:.1} dB");
    }
}

#[test]
fn odd_sizes_are_padded_by_their_own_edge() {
    let source = lossless("odd.mkv", "yuv420p", "321x241");
    for extra in [args![], args!["--", "cat"]] {
        let room = room();
        let out = room.path().join("out.mp4");
        let args = args!["-i", source, "-c:v", "libx264", "-qp", "0", &out];
        let said = frameloom([args, extra].concat()).run().ok().stderr;
        let (before, after) = (decode(&source, "yuv420p"), decode(&out, "yuv420p"));
        assert_eq!((after.width, after.height), (322, 242));
        assert_eq!(after.frames.len(), before.frames.len());
        for (old, new) in before.frames.iter().zip(&after.frames) {
            let luma = |x: usize, y: usize| new[y * 322 + x];
            for y in 0..241 {
                assert_eq!(new[y * 322..][..321], old[y * 321..][..321], "row {y}");
                assert_eq!(luma(321, y), luma(320, y), "the last column of row {y}");
            }
            assert!((0..322).all(|x| luma(x, 241) == luma(x, 240)), "the last row");
        }
        let told = said.lines().filter(|line| line.contains("322x242")).count();
        assert_eq!(told, 1, "the padding is told once:\n{said}");
    }
}

#[test]
fn odd_sizes_can_be_edited() {
    let source = lossless("odd.mkv", "yuv420p", "321x241");
    let room = room();
    let out = room.path().join("out.mkv");
    let command = args![python(), fixture("invert.py")];
    frameloom([args!["-i", source, "-c:v", "ffv1", &out, "--"], command].concat()).run().ok();
    let (before, after) = (decode(&source, "rgb24"), decode(&out, "rgb24"));
    assert_eq!((after.width, after.height), (321, 241));
    for (old, new) in before.frames.iter().zip(&after.frames) {
        let likeness = psnr(&inverted(old), new);
        assert!(likeness > 20.0, "another picture: {likeness:.1} dB");
    }
}

/// An MP4 that says "turn me a quarter".
fn turned(room: &Path) -> PathBuf {
    let lavfi = "testsrc2=s=320x240:r=10:d=1";
    let source = clip("upright.mp4", &format!("-f lavfi -i {lavfi} -c:v libx264 -bf 0"));
    let path = room.join("turned.mp4");
    write_turned(&source, 240, &path);
    assert!(rotation(&path).is_some(), "ffprobe sees no rotation");
    path
}

/// The rotation that the file asks players for.
fn rotation(path: &Path) -> Option<i64> {
    let info = video_info(path);
    let side = info["side_data_list"].as_array()?.iter();
    side.filter_map(|data| data["rotation"].as_i64()).find(|turn| *turn != 0)
}

#[test]
fn a_copy_keeps_the_rotation() {
    let room = room();
    let source = turned(room.path());
    let out = room.path().join("out.mp4");
    frameloom(args!["-i", source, "-c", "copy", &out]).run().ok();
    assert_eq!(rotation(&out), rotation(&source));
}

#[test]
fn an_edited_picture_is_upright() {
    let command = args!["--", python(), fixture("invert.py")];
    for (edit, command) in [(true, command), (false, args!["--", "cat"]), (false, args![])] {
        let room = room();
        let source = turned(room.path());
        let out = room.path().join("out.mkv");
        let args = args!["-i", source, "-c:v", "ffv1", &out];
        frameloom([args, command].concat()).run().ok();
        assert_eq!(rotation(&out), None, "it would be turned twice");
        let (before, after) = (decode(&source, "rgb24"), decode(&out, "rgb24"));
        assert_eq!((after.width, after.height), (240, 320));
        for (old, new) in before.frames.iter().zip(&after.frames) {
            let wanted = if edit { inverted(old) } else { old.clone() };
            let likeness = psnr(&wanted, new);
            let least = if edit { 20.0 } else { 60.0 };
            assert!(likeness > least, "another picture: {likeness:.1} dB");
        }
    }
}

#[test]
fn a_command_is_shown_the_upright_picture() {
    let room = room();
    let source = turned(room.path());
    let script = "echo $FRAMELOOM_WIDTH $FRAMELOOM_HEIGHT; cat >/dev/null";
    let out = frameloom(args!["-i", source, "--", "sh", "-c", script]).run().ok().stdout;
    assert_eq!(String::from_utf8(out).unwrap(), "240 320\n");
}

#[test]
fn the_pixel_aspect_ratio_is_kept() {
    let lavfi = "testsrc2=s=320x240:r=10:d=1,setsar=4/3";
    let source = clip("anamorphic.mp4", &format!("-f lavfi -i {lavfi} -c:v libx264 -bf 0"));
    let runs = [
        ("copied", args!["-c", "copy"], args![]),
        ("encoded", args!["-c:v", "libx264"], args![]),
        ("edited", args![], args!["--", python(), fixture("invert.py")]),
    ];
    for (how, options, command) in runs {
        for container in ["mp4", "mkv", "ts"] {
            let room = room();
            let out = room.path().join(format!("out.{container}"));
            let input = args!["-i", source];
            frameloom([input, options.clone(), args![&out], command.clone()].concat()).run().ok();
            let info = video_info(&out);
            assert_eq!(info["sample_aspect_ratio"], "4:3", "{how} to {container}");
        }
    }
}
