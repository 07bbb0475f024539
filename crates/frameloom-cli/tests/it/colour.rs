//! Colours: what the command sees, and the tags that go on to the output.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::pixels::{decode_with, picture_bytes, split};
use crate::harness::*;

/// A second of small film, tagged, without loss.
fn tagged(format: &str, matrix: &str, range: &str) -> PathBuf {
    let space = match matrix {
        "bt601" => "smpte170m",
        "bt2020" => "bt2020nc",
        other => other,
    };
    let scale = format!("scale=320:180:out_color_matrix={matrix}:out_range={range}");
    // Versions of ffmpeg take the tags from the pictures, or from the options.
    let tags = format!("setparams=colorspace={space}:range={range}");
    let mut args = args!["-t", "1", "-i", film(), "-an", "-r", "10"];
    args.extend(args!["-vf", format!("{scale},format={format},{tags}"), "-c:v", "ffv1"]);
    args.extend(args!["-colorspace", space, "-color_range", range]);
    let path = clips::clip_of(&format!("{format}-{matrix}-{range}.mkv"), &args);
    let info = video_info(&path);
    assert_eq!(info["color_space"], space, "the clip lost its matrix");
    assert_eq!(info["color_range"], range, "the clip lost its range");
    path
}

/// What a command is shown of `source`.
fn shown(source: &Path, layout: &str) -> Vec<Vec<u8>> {
    let room = room();
    let dump = room.path().join("dump");
    let format = format!("--frame-format={layout}");
    let args = args![format, "-i", source, "--", "sh", "-c", "cat > \"$DUMP\""];
    frameloom(args).env("DUMP", &dump).run().ok();
    let info = video_info(source);
    let size = |name: &str| info[name].as_u64().unwrap() as usize;
    split(&fs::read(&dump).unwrap(), picture_bytes(size("width"), size("height"), layout))
}

/// What ffmpeg's most accurate conversion makes of it.
fn accurate(source: &Path, layout: &str, matrix: &str, range: &str) -> Vec<Vec<u8>> {
    let flags = "accurate_rnd+full_chroma_int+full_chroma_inp";
    let filter =
        format!("scale=in_color_matrix={matrix}:in_range={range}:flags={flags},format={layout}");
    decode_with(args!["-i", source, "-vf", filter], layout).frames
}

#[track_caller]
fn assert_alike(got: &[Vec<u8>], wanted: &[Vec<u8>], what: &str) {
    assert_eq!(got.len(), wanted.len(), "{what}: another number of frames");
    for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let apart = mean_difference(got, wanted);
        assert!(apart <= 2.0, "{what}: frame {i} is {apart:.2} levels off on average");
    }
}

/// Each format with each matrix and range, where the others would show: a wrong matrix or range
/// is several levels off.
fn assert_rgb_right(format: &str) {
    for matrix in ["bt601", "bt709"] {
        for range in ["tv", "pc"] {
            let source = tagged(format, matrix, range);
            let wanted = accurate(&source, "rgb24", matrix, range);
            let other = if matrix == "bt601" { "bt709" } else { "bt601" };
            let wrong = accurate(&source, "rgb24", other, range);
            let telling = mean_difference(&wanted[0], &wrong[0]);
            assert!(telling > 2.0, "the film can't tell the matrices apart: {telling:.2}");
            assert_alike(&shown(&source, "rgb24"), &wanted, &format!("{format} {matrix} {range}"));
        }
    }
}

#[test]
fn rgb_is_right_from_4_2_0() {
    assert_rgb_right("yuv420p");
}

#[test]
fn rgb_is_right_from_4_2_2() {
    assert_rgb_right("yuv422p");
}

#[test]
fn rgb_is_right_from_4_4_4() {
    assert_rgb_right("yuv444p");
}

#[test]
fn rgb_is_right_from_10_bit() {
    assert_rgb_right("yuv420p10le");
}

#[test]
fn rgb_is_right_from_bt2020() {
    let source = tagged("yuv420p10le", "bt2020", "tv");
    let wanted = accurate(&source, "rgb24", "bt2020", "tv");
    assert_alike(&shown(&source, "rgb24"), &wanted, "BT.2020");
}

#[test]
fn rgb_is_right_from_nv12() {
    let mut args = args!["-t", "1", "-i", film(), "-an", "-r", "10", "-s", "320x180"];
    args.extend(args!["-c:v", "rawvideo", "-pix_fmt", "nv12"]);
    let source = clips::clip_of("nv12.nut", &args);
    assert_eq!(video_info(&source)["pix_fmt"], "nv12");
    let wanted = accurate(&source, "rgb24", "bt601", "tv");
    assert_alike(&shown(&source, "rgb24"), &wanted, "NV12");
}

#[test]
fn rgb_is_right_from_gray() {
    let source = tagged("gray", "bt601", "pc");
    assert_alike(&shown(&source, "rgb24"), &accurate(&source, "rgb24", "bt601", "pc"), "gray");
}

#[test]
fn every_layout_is_right() {
    let source = tagged("yuv420p", "bt709", "tv");
    for layout in ["rgb24", "bgr24", "rgba", "gray", "yuv420p", "nv12"] {
        let wanted = accurate(&source, layout, "bt709", "tv");
        assert_alike(&shown(&source, layout), &wanted, layout);
    }
}

#[test]
fn a_command_is_told_its_layout() {
    let source = tagged("yuv420p", "bt709", "tv");
    let script = "echo $FRAMELOOM_WIDTH $FRAMELOOM_HEIGHT $FRAMELOOM_PIX_FMT \
                  $FRAMELOOM_FRAME_BYTES $FRAMELOOM_RATE; cat >/dev/null";
    for layout in ["rgb24", "bgr24", "rgba", "gray", "yuv420p", "nv12"] {
        let args = args!["--frame-format", layout, "-i", source, "--", "sh", "-c", script];
        let out = String::from_utf8(frameloom(args).run().ok().stdout).unwrap();
        let bytes = picture_bytes(320, 180, layout);
        let words: Vec<&str> = out.split_whitespace().collect();
        assert_eq!(words[..4], ["320", "180", layout, &bytes.to_string()], "{layout}");
        assert_eq!(Rational::parse(words[4]), Rational::new(10, 1), "the rate");
    }
}

/// All tags of a stream's colours, in its H.264 form and its container.
fn tags(path: &Path) -> [String; 4] {
    let info = video_info(path);
    ["color_space", "color_primaries", "color_transfer", "color_range"]
        .map(|name| info[name].as_str().unwrap_or("none").to_owned())
}

#[test]
fn colour_tags_go_on_to_the_output() {
    for (space, range) in [("bt709", "tv"), ("bt709", "pc"), ("smpte170m", "tv")] {
        let source = clip(
            &format!("tags-{space}-{range}.mp4"),
            &format!(
                "-f lavfi -i testsrc2=s=320x240:r=10:d=1 \
                 -vf scale=out_range={range},format=yuv420p,setparams=range={range}:\
                 colorspace={space}:color_primaries={space}:color_trc={space} \
                 -c:v libx264 -bf 0 -colorspace {space} -color_primaries {space} \
                 -color_trc {space} -color_range {range}"
            ),
        );
        let before = tags(&source);
        assert_eq!(before, [space, space, space, range].map(str::to_owned), "the clip");
        let runs = [
            ("copied", args!["-c", "copy"], args![]),
            ("encoded", args!["-c:v", "libx264"], args![]),
            ("filtered", args!["-vf", "negate"], args![]),
            ("edited", args![], args!["--", python(), fixture("invert.py")]),
            ("lossless", args!["-c:v", "ffv1"], args!["--", "cat"]),
        ];
        for (how, options, command) in runs {
            let room = room();
            let name = if how == "lossless" { "out.mkv" } else { "out.mp4" };
            let out = room.path().join(name);
            frameloom([args!["-i", source], options, args![&out], command].concat()).run().ok();
            assert_eq!(tags(&out), before, "{how}");
        }
    }
}

/// Full range stays full range through an edit: white is not grey afterwards.
#[test]
fn an_edit_keeps_black_and_white() {
    for range in ["tv", "pc"] {
        let source = clip(
            &format!("steps-{range}.mkv"),
            &format!(
                "-f lavfi -i color=white:s=320x240:r=10:d=1,drawbox=w=160:h=240:color=black:t=fill \
                 -vf scale=out_range={range}:out_color_matrix=bt709,format=yuv420p,\
                 setparams=range={range}:colorspace=bt709 \
                 -c:v ffv1 -color_range {range} -colorspace bt709"
            ),
        );
        let room = room();
        let out = room.path().join("out.mkv");
        let command = args![python(), fixture("invert.py")];
        frameloom([args!["-i", source, "-c:v", "ffv1", &out, "--"], command].concat()).run().ok();
        let luma = decode_with(args!["-i", &out, "-vf", "extractplanes=y"], "gray").frames;
        let (black, white) = if range == "tv" { (16, 235) } else { (0, 255) };
        for frame in luma {
            let (left, right) = (frame[120 * 320 + 80], frame[120 * 320 + 240]);
            assert!(left.abs_diff(white) <= 1, "{range}: black became {left}");
            assert!(right.abs_diff(black) <= 1, "{range}: white became {right}");
        }
    }
}
