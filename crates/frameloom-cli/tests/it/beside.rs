//! What else is in a file: data, attachments, timecodes and programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::harness::clips::clip_of;
use crate::harness::judge::ffprobe;
use crate::harness::*;
use crate::like_ffmpeg::manifold;

fn split(words: &str) -> Vec<OsString> {
    words.split_whitespace().map(OsString::from).collect()
}

/// Packets of a transport stream that hold these bytes (ISO/IEC 13818-1, 2.4.3), the last one stuffed.
fn transport(pid: u16, counter: &mut u8, bytes: &[u8]) -> Vec<u8> {
    let mut packets = Vec::new();
    for (n, piece) in bytes.chunks(184).enumerate() {
        let [high, low] = pid.to_be_bytes();
        let start = if n == 0 { 0x40 } else { 0 };
        let stuffing = 184 - piece.len();
        let control = if stuffing > 0 { 0x30 } else { 0x10 };
        packets.extend([0x47, start | high, low, control | (*counter & 0x0f)]);
        if stuffing > 0 {
            packets.push(u8::try_from(stuffing - 1).unwrap());
            packets.extend([0].iter().take(stuffing - 1));
            packets.extend(vec![0xff; stuffing.saturating_sub(2)]);
        }
        packets.extend(piece);
        *counter += 1;
    }
    packets
}

/// A section of a transport stream, as it stands in its packet: with its length and its checksum.
fn section(table: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len() + 4).unwrap();
    let mut section = [&[table, 0xb0, length], body].concat();
    let crc = section.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(*byte) << 24), |crc, _| {
            (crc << 1) ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    section.extend(crc.to_be_bytes());
    section.insert(0, 0);
    section.resize(184, 0xff);
    section
}

/// Five packets of ID3 tags with times, one a second, as streams for phones have them.
fn tags() -> PathBuf {
    let mut counters = [0; 3];
    let mut bytes = transport(0, &mut counters[0], &section(0, &[0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0]));
    let descriptor = b"\x26\x0d\xff\xffID3 \xffID3 \x00\x0f";
    let stream = [&[0x15, 0xe1, 0x01, 0xf0, 0x0f], &descriptor[..]].concat();
    let program = [&[0, 1, 0xc1, 0, 0, 0xff, 0xff, 0xf0, 0], &stream[..]].concat();
    bytes.extend(transport(0x100, &mut counters[1], &section(2, &program)));
    for second in 0..5_u8 {
        let pts = 90_000 * u32::from(second);
        let [a, b, c] = [pts >> 30, pts >> 15, pts].map(|part| (part & 0x7fff) as u16);
        let [b, c] = [b, c].map(|part| ((part << 1) | 1).to_be_bytes());
        let frame = [b"PRIV\0\0\0\x04\0\0who\0".as_slice(), &[b'0' + second]].concat();
        let frame = &frame[..frame.len() - 1];
        let value = [b"ID3\x04\0\0\0\0\0\x0e".as_slice(), frame].concat();
        let length = u16::try_from(8 + value.len()).unwrap().to_be_bytes();
        let times = [0x21 | (a as u8) << 1, b[0], b[1], c[0], c[1]];
        let packet =
            [&[0, 0, 1, 0xbd], &length[..], &[0x84, 0x80, 5], &times[..], &value[..]].concat();
        bytes.extend(transport(0x101, &mut counters[2], &packet));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut made = tempfile::NamedTempFile::new_in(folder).unwrap();
    std::io::Write::write_all(&mut made, &bytes).unwrap();
    let path = folder.join("tags.ts");
    made.persist(&path).unwrap();
    path
}

/// Six seconds of video and sound, and tags with times beside them.
pub(crate) fn captured() -> PathBuf {
    let inputs = args!["-i", counted_av("numbered.mp4"), "-i", tags()];
    clip_of("captured.ts", &[inputs, split("-map 0 -map 1 -c copy")].concat())
}

/// What [`manifold`] has, and a font.
pub(crate) fn lettered() -> PathBuf {
    let font = Path::new(env!("CARGO_MANIFEST_DIR"));
    let font = font.join("../frameloom/src/image/draw/font/DejaVuSans.ttf");
    let words = "-map 0 -c copy -metadata:s:t mimetype=application/x-truetype-font";
    let attached = args!["-attach", font];
    clip_of("lettered.mkv", &[args!["-i", manifold()], split(words), attached].concat())
}

/// Six seconds of video and sound, and a track of timecodes.
pub(crate) fn timecoded() -> PathBuf {
    let words = args!["-i", counted_av("numbered.mp4"), "-c", "copy", "-timecode", "01:00:00:00"];
    clip_of("timecoded.mov", &words)
}

/// Two programs, each of one video and one sound.
pub(crate) fn broadcast() -> PathBuf {
    let words = "-map 0:v -map 0:a -c:v copy -c:a mp2 -program title=one:program_num=1:st=0:st=2 \
                 -program title=two:program_num=2:st=1:st=3";
    clip_of("broadcast.ts", &[args!["-i", manifold()], split(words)].concat())
}

/// Four seconds of pictures that come every 40 ms, and of which many are missing.
pub(crate) fn with_gaps() -> PathBuf {
    let pictures = counted("320x240", "25", 4);
    clip(
        "gaps.mkv",
        &format!(
            "-f lavfi -i {pictures} -vf select='not(mod(n,3))+gt(mod(n,7),4)' -fps_mode vfr \
             -c:v libx264 -bf 0 -preset veryfast"
        ),
    )
}

/// The times and the hash of each packet of a file's data.
fn data(path: &Path) -> Vec<String> {
    let listed =
        ffmpeg(args!["-i", path, "-map", "0:d", "-c", "copy", "-copyts", "-f", "framemd5", "-"]);
    let listed = String::from_utf8(listed).unwrap();
    listed.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Data goes along beside video that code edits, packet for packet, as ffmpeg takes it along.
#[test]
fn data_goes_along_beside_edited_video() {
    let (source, room) = (captured(), room());
    let [out, theirs] = ["out.ts", "theirs.ts"].map(|name| room.path().join(name));
    let line = args!["-i", &source, "-map", "0", "-c:a", "copy", &out, "--", "cat"];
    frameloom(line).run().ok();
    ffmpeg(args!["-i", &source, "-map", "0", "-c", "copy", &theirs]);
    assert_eq!(data(&theirs).len(), 5);
    assert_eq!(data(&out), data(&theirs));
    let kinds: Vec<_> = probe_streams(&out).iter().map(|s| s["codec_name"].clone()).collect();
    assert_eq!(kinds, ["h264", "aac", "timed_id3"]);
}

/// What a format has no place for is an error before anything is written.
#[test]
fn what_the_format_has_no_place_for_is_an_error() {
    for (source, words, ending, mentions) in [
        (captured(), "-map 0:d -c copy", "mkv", "no place for stream 0:2, data (timed_id3)"),
        (captured(), "-map 0 -c copy", "mp4", "no place for stream 0:2, data (timed_id3)"),
        (captured(), "-map 0", "mov", "no place for stream 0:2, data (timed_id3)"),
        (captured(), "-map 0 -c copy", "flv", "no place for stream 0:2, data (timed_id3)"),
        (captured(), "-map 0:d", "mp3", "no place for stream 0:2, data (timed_id3)"),
        (captured(), "-map 0:d:1", "ts", "0:d:1?"),
        (captured(), "-map 0:d -dn", "ts", "no stream is left"),
        (captured(), "-map 0:t", "mkv", "0:t?"),
        (captured(), "-map 0:d -c:d libx264", "ts", "-c:d"),
        (lettered(), "-map 0:t", "mp4", "no place for stream 0:5, attachment (ttf)"),
        (lettered(), "-map 0:v -map 0:t -c copy", "webm", "no place for stream 0:5, attachment"),
        (timecoded(), "-map 0:d", "mkv", "no place for stream 0:2, data"),
        (timecoded(), "-timecode soon", "mov", "'soon' is no timecode"),
        (timecoded(), "-timecode 1:2", "mov", "'1:2' is no timecode"),
    ] {
        let room = room();
        let out = room.path().join(format!("out.{ending}"));
        let words = split(words);
        let run = frameloom([args!["-i", source], words.clone(), args![&out]].concat()).run();
        let said = run.refuses(2);
        assert!(said.contains(mentions), "{words:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert!(!out.exists(), "{words:?}");
    }
}

/// Encoders that write a timecode in each GOP begin with the one that is given.
#[test]
fn a_timecode_is_in_the_pictures_too() {
    let (source, room) = (counted_av("numbered.mp4"), room());
    let words = "-an -t 1 -c:v mpeg2video -q:v 3 -threads 1 -bf 0 -timecode 10:20:30:12";
    let packets = |name: &str| {
        let path = room.path().join(name);
        let line = [args!["-i", &source], split(words), args![&path]].concat();
        match name.starts_with("ffmpeg") {
            true => drop(ffmpeg(line)),
            false => drop(frameloom(line).run().ok()),
        }
        packet_hashes(&path, Kind::Video)
    };
    let (theirs, ours) = (packets("ffmpeg.m2v"), packets("frameloom.m2v"));
    assert_eq!(theirs, ours);
    let without = words.split(" -timecode").next().unwrap();
    let plain = room.path().join("plain.m2v");
    frameloom([args!["-i", &source], split(without), args![&plain]].concat()).run().ok();
    assert_ne!(packet_hashes(&plain, Kind::Video), ours, "the timecode changes nothing");
}

/// What a specifier of an output says of programs and tags is what the input says of the stream.
#[test]
fn an_outputs_option_may_be_for_a_program_or_a_tag() {
    let room = room();
    let out = room.path().join("out.mkv");
    let made = |source: PathBuf, words: &str| {
        let line = [args!["-y", "-i", source, "-map", "0:v", "-map", "0:a"], split(words)];
        frameloom([line.concat(), args![&out]].concat()).run().ok();
        let streams = probe_streams(&out);
        streams.iter().map(|s| s["codec_name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(made(broadcast(), "-c copy"), ["h264", "h264", "mp2", "mp2"]);
    let codecs = made(broadcast(), "-c copy -c:p:1:v ffv1 -c:a:p:2 flac");
    assert_eq!(codecs, ["ffv1", "h264", "mp2", "flac"]);
    let codecs = made(broadcast(), "-c copy -c:#0x101 ffv1 -c:i:0x102 pcm_s16le");
    assert_eq!(codecs, ["h264", "ffv1", "pcm_s16le", "mp2"]);
    let codecs = made(manifold(), "-c copy -c:m:language:ger mp2");
    assert_eq!(codecs, ["h264", "h264", "flac", "mp2"]);
    // A quieter sound, and what the streams are for.
    let volume = "-c copy -c:a flac -filter:m:language:ger volume=0.25";
    made(manifold(), volume);
    let loudness = |path: &Path, number: u8| {
        let sound = args!["-i", path, "-map", format!("0:a:{number}"), "-f", "s16le", "-"];
        let raw = ffmpeg(sound);
        raw.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]).unsigned_abs()).max().unwrap()
    };
    assert_eq!(loudness(&out, 0), loudness(&manifold(), 0));
    assert!(loudness(&out, 1).abs_diff(loudness(&manifold(), 1) / 4) <= 1);
    made(manifold(), "-c copy -disposition:a 0 -disposition:m:language:ger forced");
    let shown = ffprobe(&out, &["-show_entries", "stream_disposition=default,forced"]);
    let is_for = |number: usize| shown["streams"][number]["disposition"].clone();
    assert_eq!(is_for(2), serde_json::json!({ "default": 0, "forced": 0 }));
    assert_eq!(is_for(3), serde_json::json!({ "default": 0, "forced": 1 }));
    // Twice as long between packets, for one of the sounds.
    made(manifold(), "-c copy -bsf:m:language:ger setts=ts=TS*2");
    let last = |number: &str| {
        let select = ["-select_streams", number, "-show_entries", "packet=pts_time"];
        let listed = ffprobe(&out, &select);
        let last = listed["packets"].as_array().unwrap().last().unwrap()["pts_time"].clone();
        last.as_str().unwrap().parse::<f64>().unwrap()
    };
    assert!(last("a:0") < 4.1 && last("a:1") > 7.5, "{} {}", last("a:0"), last("a:1"));
    // Bits and quality.
    let sizes = |words: &str| {
        made(manifold(), words);
        let size = |number: &str| {
            let select = ["-select_streams", number, "-show_entries", "packet=size"];
            let listed = ffprobe(&out, &select);
            let packets = listed["packets"].as_array().unwrap().iter();
            packets.map(|p| p["size"].as_str().unwrap().parse::<u64>().unwrap()).sum::<u64>()
        };
        [size("a:0"), size("a:1")]
    };
    let [first, second] = sizes("-c:v copy -c:a mp2 -b:a 128k -b:m:language:ger 32k");
    assert!(first > 3 * second, "{first} and {second} bytes");
    let [first, second] = sizes("-c:v copy -c:a libmp3lame -q:a 0 -q:m:language:ger 9");
    assert!(first > 3 * second / 2, "{first} and {second} bytes");
}
