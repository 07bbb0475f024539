//! What goes out: containers, image sequences, several outputs at once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::judge::{assert_playable, packet_hashes_through, picture_hashes};
use crate::harness::pixels::{both_counters, worst_psnr};
use crate::harness::*;

/// Copied into another container: every packet is what it was, less the container's framing.
fn assert_copied(source: &Path, out: &Path) {
    frameloom(args!["-i", source, out]).run().ok();
    assert_eq!(picture_hashes(out), picture_hashes(source));
    let plain = |path: &Path| {
        let framed = path.extension().is_some_and(|name| name == "ts" || name == "m3u8");
        packet_hashes_through(path, Kind::Audio, if framed { "aac_adtstoasc" } else { "null" })
    };
    assert_eq!(plain(out), plain(source), "audio");
}

/// Edited into a container: every frame is there with its own edit, and the audio is untouched.
fn assert_edited(source: &Path, out: &Path) {
    frameloom(args!["-i", source, out, "--", python(), fixture("burn.py")]).run().ok();
    let frames = both_counters(out);
    assert_eq!(frames, (0..150).map(|n| (n, n)).collect::<Vec<_>>());
    let count = |path| packet_hashes(path, Kind::Audio).len();
    assert_eq!(count(out), count(source), "audio packets");
    assert_playable(out);
}

fn assert_container(name: &str) {
    let source = counted_av("numbered.mp4");
    let room = room();
    assert_copied(&source, &room.path().join(format!("copied-{name}")));
    assert_edited(&source, &room.path().join(format!("edited-{name}")));
}

#[test]
fn flv() {
    assert_container("out.flv");
}

#[test]
fn mp4() {
    assert_container("out.mp4");
}

#[test]
fn mkv() {
    assert_container("out.mkv");
}

#[test]
fn mpeg_ts() {
    assert_container("out.ts");
}

#[test]
fn hls() {
    let source = counted_av("numbered.mp4");
    for command in [args![], args!["--", python(), fixture("burn.py")]] {
        let room = room();
        let list = room.path().join("live.m3u8");
        let options = args!["-hls_time", "1", "-hls_list_size", "0", "-g", "25"];
        // Nobody edits the first: `-g` is no reason to encode, so it isn't given there.
        let options = if command.is_empty() { options[..4].to_vec() } else { options };
        frameloom([args!["-i", source], options, args![&list], command].concat()).run().ok();
        assert_eq!(counters(&list), (0..150).collect::<Vec<_>>());
        let text = fs::read_to_string(&list).unwrap();
        let segments = text.lines().filter(|line| line.ends_with(".ts")).count();
        assert!((5..=7).contains(&segments), "{segments} segments:\n{text}");
        assert!(text.ends_with("#EXT-X-ENDLIST\n"), "the list is not finished:\n{text}");
    }
}

#[test]
fn a_png_sequence() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let pattern = room.path().join("out_%04d.png");
    frameloom(args!["-t", "1", "-i", &source, &pattern]).run().ok();
    let mut names: Vec<_> = fs::read_dir(room.path()).unwrap().map(|f| f.unwrap().path()).collect();
    names.sort();
    let wanted: Vec<PathBuf> =
        (1..=25).map(|n| room.path().join(format!("out_{n:04}.png"))).collect();
    assert_eq!(names, wanted);
    assert_eq!(video_info(&names[0])["codec_name"], "png");
    let before = pixels::decode_with(args!["-t", "1", "-i", source], "rgb24");
    let likeness = worst_psnr(&before.frames, &decode(&pattern, "rgb24").frames);
    assert!(likeness > 25.0, "other pictures: {likeness:.1} dB");
}

#[test]
fn a_single_picture() {
    for name in ["shot.png", "shot.jpg"] {
        let room = room();
        let out = room.path().join(name);
        let args = args!["-ss", "2", "-i", counted_av("numbered.mp4"), "-frames:v", "1", &out];
        frameloom(args).run().ok();
        assert_eq!(counters(&out), [50]);
    }
}

#[test]
fn a_gif_with_a_palette_of_its_own() {
    let mut args = args!["-t", "1", "-i", film(), "-an", "-r", "10", "-s", "320x180"];
    args.extend(args!["-c:v", "libx264", "-qp", "0"]);
    let source = clips::clip_of("film-10.mp4", &args);
    let room = room();
    let out = room.path().join("out.gif");
    frameloom(args!["-i", source, &out]).run().ok();
    let (before, after) = (decode(&source, "rgb24"), decode(&out, "rgb24"));
    assert_eq!(after.frames.len(), before.frames.len());
    let colours: BTreeSet<&[u8]> = after.frames[0].chunks(3).collect();
    assert!(colours.len() > 30, "only {} colours", colours.len());
    let likeness = worst_psnr(&before.frames, &after.frames);
    assert!(likeness > 28.0, "the colours are poor: {likeness:.1} dB");
    for pair in times(&out, Kind::Video).windows(2) {
        assert_eq!(pair[1] - pair[0], Rational::new(1, 10));
    }
}

/// The pictures of a file as its encoder made them, packet by packet.
fn video(path: &Path) -> Vec<String> {
    packet_hashes(path, Kind::Video)
}

#[test]
fn outputs_that_agree_share_one_encoding() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let path = |name: &str| room.path().join(name);
    // Two threads make x264's output depend on nothing but its input too; what shows that there
    // was one encoding is that the command ran once and both files hold the same packets.
    let (first, second) = (path("a.mp4"), path("b.flv"));
    let command = args!["--", python(), fixture("burn.py")];
    let encoding = args!["-c:v", "libx264", "-crf", "30"];
    let outputs = [encoding.clone(), args![&first], encoding, args![&second]].concat();
    frameloom([args!["-i", source], outputs, command].concat()).run().ok();
    assert_eq!(video(&first), video(&second));
    for out in [&first, &second] {
        assert_eq!(both_counters(out), (0..150).map(|n| (n, n)).collect::<Vec<_>>());
        assert_eq!(packet_hashes(out, Kind::Audio), packet_hashes(&source, Kind::Audio));
    }
}

#[test]
fn outputs_that_differ_are_encoded_each_its_own_way() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let path = |name: &str| room.path().join(name);
    let (large, small, silent) = (path("large.mp4"), path("small.mkv"), path("silent.flv"));
    let outputs = [
        args!["-b:v", "1M", &large],
        args!["-s", "192x144", "-r", "5", &small],
        args!["-an", "-g", "10", &silent],
    ];
    let command = args!["--", python(), fixture("burn.py")];
    frameloom([args!["-i", source], outputs.concat(), command].concat()).run().ok();
    assert_eq!(both_counters(&large), (0..150).map(|n| (n, n)).collect::<Vec<_>>());
    let small_info = video_info(&small);
    assert_eq!((&small_info["width"], &small_info["height"]), (&192.into(), &144.into()));
    assert!((29..=31).contains(&video(&small).len()), "{} frames at 5 fps", video(&small).len());
    assert_eq!(probe_streams(&silent).len(), 1, "audio after -an");
    let keys = packets(&silent, Kind::Video);
    for (i, packet) in keys.iter().enumerate() {
        assert!(packet.key || i % 10 != 0, "frame {i} should be a keyframe by -g 10");
    }
    assert!(packets(&large, Kind::Video).iter().skip(1).any(|packet| !packet.key));
}

#[test]
fn an_output_that_nobody_edits_is_copied_beside_one_that_is_encoded() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let (copy, small) = (room.path().join("copy.mkv"), room.path().join("small.mkv"));
    frameloom(args!["-i", &source, "-c", "copy", &copy, "-s", "160x120", &small]).run().ok();
    assert_eq!(video(&copy), video(&source));
    assert_eq!(video(&small).len(), 150);
}

#[test]
fn a_filter_graph_edits() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let out = room.path().join("out.mkv");
    let graph = "hflip,scale=160:120,drawbox=w=20:h=20:color=red:t=fill";
    frameloom(args!["-i", &source, "-vf", graph, "-c:v", "ffv1", &out]).run().ok();
    let before = pixels::decode_with(args!["-i", &source, "-vf", graph], "yuv420p");
    let after = decode(&out, "yuv420p");
    assert_eq!((after.width, after.height), (160, 120));
    let likeness = worst_psnr(&before.frames, &after.frames);
    assert!(likeness > 35.0, "another picture: {likeness:.1} dB");
    assert_eq!(packet_hashes(&out, Kind::Audio), packet_hashes(&source, Kind::Audio));
}

#[test]
fn a_filter_graph_stands_beside_a_command() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let out = room.path().join("out.mkv");
    let args = args!["-i", &source, "-vf", "drawbox=x=300:w=20:h=20:color=white:t=fill", &out];
    let command = args!["--", python(), fixture("burn.py")];
    frameloom([args, command].concat()).run().ok();
    assert_eq!(both_counters(&out), (0..150).map(|n| (n, n)).collect::<Vec<_>>());
    let pictures = decode(&out, "gray");
    assert!(pictures.frames.iter().all(|frame| frame[10 * 320 + 310] > 200), "no box");
}

/// A filter that changes the rate (here by dropping) leaves the others' times alone.
#[test]
fn a_filter_graph_may_drop_frames() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let out = room.path().join("out.mp4");
    frameloom(args!["-i", &source, "-vf", "select='mod(n,3)'", &out]).run().ok();
    let wanted: Vec<usize> = (0..150).filter(|n| n % 3 != 0).collect();
    assert_eq!(counters(&out), wanted);
    let start = times(&source, Kind::Video)[0];
    for (n, time) in wanted.iter().zip(times(&out, Kind::Video)) {
        let due = Rational::new(*n as i64, 25) + start;
        assert!((time - due).abs() <= Rational::millis(1), "frame {n} at {time:?}");
    }
}

#[test]
fn audio_that_a_container_cannot_carry_becomes_aac() {
    let lavfi = counted("320x240", "25", 3);
    let source = clip(
        "opus.mkv",
        &format!(
            "-f lavfi -i {lavfi} -f lavfi -i sine=440:r=48000:d=3 -c:v libx264 -pix_fmt yuv420p \
             -c:a libopus"
        ),
    );
    for command in [args![], args!["--", "cat"]] {
        let room = room();
        let out = room.path().join("out.flv");
        let said = frameloom([args!["-i", &source, &out], command].concat()).run().ok().stderr;
        let streams = probe_streams(&out);
        let audio = streams.iter().find(|stream| stream["codec_type"] == "audio");
        assert_eq!(audio.expect("the audio got lost")["codec_name"], "aac", "{said}");
        let span = times(&out, Kind::Audio);
        let off = (span[span.len() - 1] - span[0] - Rational::new(3, 1)).abs();
        assert!(off < Rational::millis(100), "audio of another length: {off:?}");
        assert_playable(&out);
    }
}

#[test]
fn audio_can_be_left_out_or_encoded() {
    let source = counted_av("numbered.mp4");
    let room = room();
    let path = |name: &str| room.path().join(name);
    let (none, only, mp3) = (path("none.mp4"), path("only.mka"), path("mp3.mkv"));
    frameloom(args!["-i", &source, "-an", &none]).run().ok();
    let kinds = |path: &Path| -> Vec<String> {
        let all = probe_streams(path);
        all.iter().map(|stream| stream["codec_type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&none), ["video"]);
    frameloom(args!["-i", &source, "-vn", "-c:a", "copy", &only]).run().ok();
    assert_eq!(kinds(&only), ["audio"]);
    frameloom(args!["-i", &source, "-c:a", "libmp3lame", "-b:a", "64k", &mp3]).run().ok();
    assert_eq!(kinds(&mp3), ["video", "audio"]);
    let audio = &probe_streams(&mp3)[1];
    assert_eq!(audio["codec_name"], "mp3");
    assert_eq!(video(&mp3), video(&source), "the video had no reason to be encoded");
}

/// To a live output no frame waits for a later one, and a player can join within two seconds.
#[test]
fn the_defaults_for_a_file() {
    let source = clip(
        "mjpeg-av.mkv",
        &format!(
            "-f lavfi -i {} -f lavfi -i sine=440:d=6 -c:v mjpeg -q:v 3 -c:a aac",
            counted("320x240", "25", 6)
        ),
    );
    let room = room();
    let out = room.path().join("out.mp4");
    frameloom(args!["-i", source, &out, "--", "cat"]).run().ok();
    let info = video_info(&out);
    assert_eq!(info["codec_name"], "h264");
    assert!(info["pix_fmt"] == "yuv420p" || info["pix_fmt"] == "yuvj420p", "{}", info["pix_fmt"]);
}
