//! Cases at the edge, each of which once went wrong or would go wrong unseen.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::judge::{assert_playable, md5, picture_hashes};
use crate::harness::nginx::free_port;
use crate::harness::*;

/// Six seconds of 25 frames with B-frames, beside audio. The AAC has no noise that decoders make up.
fn source() -> PathBuf {
    let lavfi = counted("320x240", "25", 6);
    clip(
        "edges.mp4",
        &format!(
            "-f lavfi -i {lavfi} -f lavfi -i sine=440:r=44100:d=6 -c:v libx264 -bf 2 -g 50 \
             -preset veryfast -pix_fmt yuv420p -c:a aac -aac_pns 0"
        ),
    )
}

/// Runs frameloom on the source, with options before it and behind it.
fn made(room: &Path, before: &str, behind: &str, name: &str) -> PathBuf {
    let words = |text: &str| text.split_whitespace().map(Into::into).collect::<Vec<_>>();
    let out = room.join(name);
    let args = [words(before), args!["-i", source()], words(behind), args![&out]].concat();
    frameloom(args).run().ok();
    out
}

fn frames(path: &Path) -> usize {
    times(path, Kind::Video).len()
}

#[test]
fn a_constant_rate_has_exactly_its_frames() {
    let room = room();
    for (options, name, count) in [
        ("-r 25", "same.mp4", 150),
        ("-r 50", "twice.mp4", 300),
        ("-r 24", "fewer.mp4", 144),
        ("-c:v mpeg4", "mpeg4.mp4", 150),
        ("-c:v mpeg2video", "mpeg2.ts", 150),
        ("-vf fps=10", "filter.mp4", 60),
        ("-an", "raw.y4m", 150),
        ("-c:v libx264", "counted.avi", 150),
    ] {
        let out = made(room.path(), "", options, name);
        assert_eq!(picture_hashes(&out).len(), count, "{options} to {name}");
    }
}

#[test]
fn an_audio_option_asks_for_audio_alone() {
    let room = room();
    let out = made(room.path(), "", "-ar 22050 -ac 2", "out.mp4");
    assert_eq!(md5(&out, Kind::Video), md5(&source(), Kind::Video), "the video was encoded");
    let streams = probe_streams(&out);
    let audio = streams.iter().find(|s| s["codec_type"] == "audio").unwrap();
    assert_eq!((&audio["sample_rate"], &audio["channels"]), (&"22050".into(), &2.into()));
}

#[test]
fn audio_ends_with_the_last_frame_wanted() {
    let room = room();
    for options in
        ["-frames:v 10 -vf negate", "-frames:v 10 -c copy", "-frames:v 10 -c:a aac -vf negate"]
    {
        let out = made(room.path(), "", &format!("-y {options}"), "out.mkv");
        assert_eq!(frames(&out), 10, "{options}");
        // Sound that leads up to the first picture moves both up.
        let begin = times(&out, Kind::Video)[0];
        let last = *times(&out, Kind::Audio).last().unwrap() - begin;
        assert!(last < Rational::millis(480), "{options}: audio until {last:?}");
    }
}

#[test]
fn a_window_counts_what_comes_out_of_the_filters() {
    let room = room();
    let slow = made(room.path(), "", "-an -t 2 -vf setpts=2*PTS", "slow.mkv");
    assert_eq!(frames(&slow), 25);
    let moved = made(room.path(), "", "-an -ss 2 -vf setpts=PTS-STARTPTS", "moved.mkv");
    let shown = times(&moved, Kind::Video);
    assert_eq!((shown.len(), shown[0]), (100, Rational::ZERO));
    assert_eq!(shown[99], Rational::millis(3960));
}

/// Of the source's 6 s, AAC's frames end 616 samples behind the last picture.
#[test]
fn every_round_of_a_loop_is_decoded_from_scratch_and_keeps_to_the_pictures() {
    let room = room();
    let samples = |before: &str, behind: &str, name: &str| {
        let out = made(room.path(), before, &format!("{behind} -vn -f s16le"), name);
        let bytes = fs::read(out).unwrap();
        bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect::<Vec<_>>()
    };
    let once = samples("", "", "once.raw");
    assert_eq!(once.len(), 264_600 + 616);
    let looped = samples("-stream_loop 9", "", "looped.raw");
    assert_eq!(looped.len(), 10 * 264_600 + 616);
    let (first, rest) = looped.split_at(once.len());
    assert!(first == once, "the first round");
    for (number, round) in rest.chunks(264_600).enumerate() {
        assert!(round == &once[616..], "round {}", number + 2);
    }
    let cut = samples("-stream_loop -1", "-t 14", "cut.raw");
    assert!(cut == looped[..14 * 44_100], "{} samples of 14 s", cut.len());
}

#[test]
fn a_loop_begins_where_the_first_reading_began() {
    let room = room();
    let out = made(room.path(), "-stream_loop 1 -ss 3.3", "-an -c:v libx264", "out.mkv");
    // 67 frames are shown from 3.32 s on.
    assert_eq!(frames(&out), 134);
    let shown = times(&out, Kind::Video);
    let close = shown.windows(2).filter(|w| w[1] - w[0] < Rational::millis(30)).count();
    assert_eq!(close, 0, "frames from before the start are crammed in: {shown:?}");
}

#[test]
fn a_seek_in_a_stream_without_an_index_finds_its_frames() {
    let room = room();
    let ts = made(room.path(), "", "-c copy", "in.ts");
    for (at, count) in [("2.1", 97), ("3.3", 67), ("5.9", 2)] {
        let out = room.path().join("out.mkv");
        frameloom(args!["-y", "-ss", at, "-i", &ts, "-an", "-c:v", "libx264", &out]).run().ok();
        let frames = frames(&out);
        assert!(frames.abs_diff(count) <= 1, "{frames} frames from {at} s on");
    }
}

#[test]
fn a_window_behind_the_end_is_told() {
    let room = room();
    let out = room.path().join("out.mp4");
    let line = frameloom(args!["-i", source(), "-ss", "20", "-c", "copy", &out]).run().refuses(1);
    assert!(line.contains("nothing was written"), "{line}");
    assert!(!out.exists(), "an empty file is left");
}

#[test]
fn one_file_is_not_two_outputs() {
    let room = room();
    let out = room.path().join("out.mp4");
    let line = frameloom(args!["-i", source(), &out, &out]).run().refuses(2);
    assert!(line.contains("twice"), "{line}");
}

#[test]
fn a_wrong_muxer_option_overwrites_nothing() {
    let room = room();
    let out = room.path().join("out.mkv");
    fs::write(&out, "precious").unwrap();
    let args = args!["-y", "-i", source(), "-movflags", "faststart", "-c", "copy", &out];
    let line = frameloom(args).run().refuses(2);
    assert!(line.contains("-movflags"), "{line}");
    assert_eq!(fs::read(&out).unwrap(), b"precious");
}

/// Apple's players read HEVC by the name hvc1 alone.
#[test]
fn hevc_has_the_name_that_players_need() {
    let recipe = "-f lavfi -i testsrc2=s=320x240:d=1 -pix_fmt yuv420p -c:v libx265 -preset ultrafast \
                  -x265-params log-level=error";
    let room = room();
    for (name, tag) in [("hvc1.mp4", " -tag:v hvc1"), ("hev1.mp4", ""), ("hevc.ts", "")] {
        let hevc = clip(name, &format!("{recipe}{tag}"));
        for (container, words) in [("mp4", ""), ("mov", ""), ("mp4", "-c:v libx265")] {
            let out = room.path().join(format!("out.{container}"));
            let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
            frameloom([args!["-y", "-i", &hevc], words, args![&out]].concat()).run().ok();
            assert_eq!(video_info(&out)["codec_tag_string"], "hvc1", "{name} to {container}");
            assert_playable(&out);
        }
    }
}

#[test]
fn colour_tags_that_nobody_knows_are_no_crash() {
    let room = room();
    let (good, bad) = (room.path().join("good.mkv"), room.path().join("bad.mkv"));
    // Versions of ffmpeg take the tags from the pictures, or from the options.
    let tagged = "testsrc2=s=64x64:d=0.2,format=yuv420p,\
                  setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709";
    let lavfi = ["-f", "lavfi", "-i", tagged, "-pix_fmt", "yuv420p"];
    let tags = [
        "-c:v",
        "ffv1",
        "-colorspace",
        "bt709",
        "-color_primaries",
        "bt709",
        "-color_trc",
        "bt709",
    ];
    ffmpeg([lavfi.map(Into::into).to_vec(), tags.map(Into::into).to_vec(), args![&good]].concat());
    // MatrixCoefficients, TransferCharacteristics and Primaries: two bytes of ID, one of length, one of value.
    let mut bytes = fs::read(&good).unwrap();
    let mut changed = 0;
    for at in 0..bytes.len() - 3 {
        if matches!(bytes[at..at + 4], [0x55, 0xB1 | 0xBA | 0xBB, 0x81, 1]) {
            bytes[at + 3] = 200;
            changed += 1;
        }
    }
    assert!(changed >= 2, "the tags were not found");
    fs::write(&bad, bytes).unwrap();
    let out = room.path().join("out.mkv");
    frameloom(args!["-i", &bad, &out, "--", "sh", "-c", "cat"]).run().ok();
    assert_eq!(frames(&out), 5);
}

/// White and black as a command sees them in gray, and as they come out again.
#[test]
fn gray_is_of_full_range_whatever_it_is_made_from() {
    for format in ["rgb24", "bgra", "gbrp", "yuv420p", "yuv420p10le", "gray", "gray10le"] {
        let lavfi = "-f lavfi -i color=white:s=32x32:r=5:d=0.4,format=rgb24,drawbox=w=16:h=32:c=black:t=fill";
        let source =
            clip(&format!("gray-{format}.mkv"), &format!("{lavfi} -pix_fmt {format} -c:v ffv1"));
        let room = room();
        let dump = room.path().join("dump");
        let args = args!["--frame-format=gray", "-i", &source, "--", "sh", "-c", "cat > \"$DUMP\""];
        frameloom(args).env("DUMP", &dump).run().ok();
        let seen = fs::read(&dump).unwrap();
        assert_eq!(seen.len(), 2 * 32 * 32, "{format}");
        assert!(seen[4] <= 1 && seen[28] >= 254, "{format}: {} and {}", seen[4], seen[28]);

        // An edited frame is as bright as one that was not.
        let out = room.path().join("out.mkv");
        let edit = "head -c 1024; head -c 1 > /dev/null; printf '\\377'; cat";
        let args = args![
            "--frame-format=gray",
            "-i",
            &source,
            "-c:v",
            "ffv1",
            &out,
            "--",
            "sh",
            "-c",
            edit
        ];
        frameloom(args).run().ok();
        let pictures = decode(&out, "gray").frames;
        let (kept, edited) = (pictures[0][30 * 32 + 28], pictures[1][30 * 32 + 28]);
        assert!(kept.abs_diff(edited) <= 2, "{format}: {kept} became {edited}");
    }
}

#[test]
fn a_secret_in_a_url_inside_another_is_never_printed() {
    const KEY: &str = "Hidden-Key";
    let port = free_port();
    let room = room();
    for url in [
        format!("cache:http://user:{KEY}@127.0.0.1:{port}/{KEY}"),
        format!("concat:rtmp://127.0.0.1:{port}/live/{KEY}|rtmp://127.0.0.1:{port}/live/{KEY}"),
    ] {
        for level in ["info", "trace"] {
            let outcome =
                frameloom(args!["-v", level, "-i", &url, room.path().join("out.mp4")]).run();
            assert!(!outcome.stderr.contains(KEY), "{}", outcome.stderr);
            outcome.fails(1);
        }
    }
    let tee = format!("[f=flv]rtmp://127.0.0.1:{port}/live/{KEY}|x.mkv");
    let outcome =
        frameloom(args!["-i", source(), "-c", "copy", "-f", "tee", &tee]).cwd(room.path()).run();
    assert!(!outcome.stderr.contains(KEY), "{}", outcome.stderr);
}
