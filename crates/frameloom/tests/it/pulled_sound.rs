//! Sound that the caller takes, and sound of the caller's own, judged by the ffmpeg program.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use frameloom::options::{InputOptions, OutputOptions};
use frameloom::{
    AudioFrame, ErrorKind, Feed, Frame, Image, Pipeline, PixelFormat, Rate, TimeBase, Timestamp,
};

use super::{clip, pictures, tool, url};

const LONG: Duration = Duration::from_secs(60);

/// A file's sound as 16-bit numbers, its channels side by side.
fn samples(path: &Path) -> Vec<i16> {
    let words = format!("-v error -i {} -map 0:a -f s16le -", path.display());
    let raw = Command::new("ffmpeg").args(words.split_whitespace()).output().unwrap().stdout;
    raw.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
}

/// A second of pictures beside sound of this frequency.
fn second(folder: &Path, name: &str, size: &str, hertz: u32) -> std::path::PathBuf {
    let path = folder.join(name);
    tool(
        "ffmpeg",
        &format!(
            "-v error -y -f lavfi -i testsrc2=s={size}:r=25:d=1 -f lavfi -i sine=f={hertz}:d=1:r=48000 \
             -pix_fmt yuv420p -c:v libx264 -c:a flac {}",
            path.display()
        ),
    );
    path
}

fn picture(n: i64) -> Frame {
    let pixels = vec![0u8; 64 * 64 * 3];
    let image = Image::packed(PixelFormat::Rgb24, 64, 64, &pixels).unwrap();
    Frame::from_image(&image, TimeBase::new(1, 25).unwrap().at(n)).unwrap()
}

/// A ramp that no lossy codec would keep.
fn ramp(from: i64, count: usize) -> AudioFrame {
    let samples: Vec<i16> = (0..count * 2).map(|n| (from as usize * 2 + n) as i16).collect();
    let at = TimeBase::new(1, 48_000).unwrap().at(from);
    AudioFrame::from_interleaved_s16(&samples, 48_000, "stereo", at).unwrap()
}

#[test]
fn the_sound_of_a_file_is_taken_sample_for_sample() {
    let room = tempfile::tempdir().unwrap();
    let source = clip(room.path());
    let (mut all, mut end) = (Vec::new(), None);
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let mut frames = pipeline.audio_frames().unwrap();
    for sound in frames.by_ref() {
        let sound = sound.unwrap();
        assert!(end.is_none_or(|end| sound.pts() == end), "{sound:?} goes on at {end:?}");
        end = Some(sound.pts().plus(sound.duration()));
        all.extend(sound.to_interleaved_s16().unwrap());
    }
    assert_eq!(all, samples(&source));
    assert_eq!(frames.stats().snapshot().frames_in, 0, "no picture is looked at");
    // An output beside it gets what it always gets.
    let copy = room.path().join("copy.mkv");
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let heard = pipeline.to_url(url(&copy)).unwrap().audio_frames().unwrap().count();
    assert!(heard > 80);
    assert_eq!(pictures(&copy), pictures(&source));
    let packets = |path: &Path| {
        tool("ffmpeg", &format!("-v error -i {} -map 0:a -c copy -f md5 -", path.display()))
    };
    assert_eq!(packets(&copy), packets(&source));
}

#[test]
fn sound_comes_beside_pulled_frames() {
    let room = tempfile::tempdir().unwrap();
    let source = clip(room.path());
    let mut frames = Pipeline::from_url(url(&source)).unwrap().frames().unwrap();
    let (mut all, mut packets) = (Vec::new(), 0);
    while let Some(frame) = frames.next() {
        frame.unwrap();
        packets += frames.audio().len();
        for sound in frames.audio_frames().unwrap() {
            all.extend(sound.to_interleaved_s16().unwrap());
        }
    }
    packets += frames.audio().len();
    for sound in frames.audio_frames().unwrap() {
        all.extend(sound.to_interleaved_s16().unwrap());
    }
    assert_eq!(all, samples(&source));
    assert!(packets > 80);
    assert_eq!(frames.stats().snapshot().audio_dropped, 0);
}

#[test]
fn what_has_no_sound_cant_be_heard() {
    let room = tempfile::tempdir().unwrap();
    let silent = room.path().join("silent.mkv");
    tool("ffmpeg", &format!("-v error -f lavfi -i testsrc2=d=1 -c:v ffv1 {}", silent.display()));
    let opened = || Pipeline::from_url(url(&silent)).unwrap();
    let error = opened().audio_frames().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    let edited = opened().process(|_: &mut Frame| Ok(())).audio_frames().err().unwrap();
    assert_eq!(edited.kind(), ErrorKind::Usage, "{edited}");
}

#[test]
fn a_feed_takes_sound_beside_frames() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("made.mkv");
    let options = OutputOptions::new().with("c:v", "ffv1").unwrap();
    let options = options.with("c:a", "pcm_s16le").unwrap();
    let rate = Rate::new(25, 1).unwrap();
    let feed = Feed::builder(url(&target)).output(options).rate(rate);
    let mut feed = feed.audio(48_000, "stereo").unwrap().open().unwrap();
    for n in 0..25 {
        assert!(feed.write_timeout(picture(n), LONG).unwrap().is_none());
        assert!(feed.write_audio_timeout(ramp(n * 1920, 1920), LONG).unwrap().is_none());
    }
    // It is refused, and what follows goes on.
    let late = feed.write_audio_timeout(ramp(100, 100), LONG).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Usage, "{late}");
    let mono = AudioFrame::from_interleaved_s16(&[0; 9], 48_000, "mono", Timestamp::ZERO);
    let other = feed.write_audio_timeout(mono.unwrap(), LONG).unwrap_err();
    assert!(other.to_string().contains("1 channels"), "{other}");
    assert!(feed.write_audio_timeout(ramp(48_000, 48), LONG).unwrap().is_none());
    assert!(feed.finish_timeout(LONG).unwrap());
    assert!(feed.write_audio_timeout(ramp(96_000, 48), LONG).is_err());
    let expected: Vec<i16> = (0..(48_000 + 48) * 2).map(|n: usize| n as i16).collect();
    assert_eq!(samples(&target), expected);
    assert_eq!(pictures(&target).len(), 25);
}

#[test]
fn a_feed_of_sound_alone_takes_no_frames() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("made.wav");
    let feed = Feed::builder(url(&target)).audio(48_000, "stereo").unwrap();
    let mut feed = feed.open().unwrap();
    assert!(feed.write_audio_timeout(ramp(0, 4800), LONG).unwrap().is_none());
    let error = feed.write_timeout(picture(0), LONG).err().unwrap();
    assert!(error.to_string().contains("sound alone"), "{error}");
    assert!(feed.finish_timeout(LONG).unwrap());
    assert_eq!(samples(&target).len(), 9600);
    let none = Feed::builder(url(&room.path().join("none.mkv"))).open().unwrap();
    let mut none = none;
    let error = none.write_audio_timeout(ramp(0, 48), LONG).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

#[test]
fn sound_that_cant_be_is_refused() {
    let made = |samples: &[f32], rate, layout: &str| {
        AudioFrame::from_interleaved_f32(samples, rate, layout, Timestamp::ZERO).map(drop)
    };
    for (samples, rate, layout, mentions) in [
        (&[0.0f32, 0.0][..], 48_000, "quadro", "quadro"),
        (&[0.0, 0.0], 0, "stereo", "0 samples"),
        (&[0.0, 0.0, 0.0], 48_000, "stereo", "3 samples"),
        (&[], 48_000, "stereo", "0 samples"),
        (&[0.0, f32::NAN], 48_000, "stereo", "NaN"),
        (&[0.0, f32::INFINITY], 48_000, "stereo", "infinite"),
    ] {
        let error = made(samples, rate, layout).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(mentions), "{error}");
    }
    made(&[0.0; 6], 8000, "5.1").unwrap();
    assert!(Feed::builder("made.mkv").audio(48_000, "quadro").is_err());
    assert!(OutputOptions::new().own_audio(0, "mono").is_err());
}

#[test]
fn own_sound_needs_frames_that_are_pulled() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let options = OutputOptions::new().own_audio(48_000, "stereo").unwrap();
    let pipeline = || {
        let pipeline = Pipeline::from_url(url(&source)).unwrap();
        pipeline.to_url_with(url(&target), options.clone().overwrite(true)).unwrap()
    };
    let error = pipeline().run().err().unwrap();
    assert!(error.to_string().contains("frames that you pull"), "{error}");
    let mut frames = pipeline().frames().unwrap();
    while let Some(frame) = frames.next() {
        let frame = frame.unwrap();
        let at = frame.pts().rescale(TimeBase::new(1, 48_000).unwrap()).ticks();
        frames.write(frame).unwrap();
        assert!(frames.write_audio_timeout(0, ramp(at, 1920), LONG).unwrap().is_none());
        assert!(frames.write_audio_timeout(1, ramp(at, 1920), LONG).is_err());
    }
    frames.finish().unwrap();
    let heard = samples(&target);
    assert!(heard.len() >= 2 * 96_000 && heard.len() < 2 * 96_000 + 4096, "{}", heard.len());
}

#[test]
fn inputs_follow_each_other() {
    let room = tempfile::tempdir().unwrap();
    let first = second(room.path(), "a.mkv", "192x108", 400);
    let next = second(room.path(), "b.mkv", "64x64", 900);
    let target = room.path().join("joined.mkv");
    let joined = || {
        let options = InputOptions::new();
        Pipeline::builder(url(&first)).followed_by(url(&next), options).open().unwrap()
    };
    assert_eq!(joined().duration().map(Timestamp::as_micros), Some(2_000_000));
    let options = OutputOptions::new().with("c:v", "ffv1").unwrap();
    let options = options.with("c:a", "pcm_s16le").unwrap();
    joined().to_url_with(url(&target), options).unwrap().run().unwrap();
    let [one, two] = [samples(&first), samples(&next)];
    assert_eq!(samples(&target), [one, two].concat(), "sample for sample");
    let listed = tool(
        "ffprobe",
        &format!(
            "-v error -select_streams v -show_entries frame=pts_time,width,height -of csv=p=0 {}",
            target.display()
        ),
    );
    let expected: Vec<String> =
        (0..50).map(|n| format!("{:.6},192,108", f64::from(n) / 25.0)).collect();
    let lines: Vec<&str> = listed.lines().map(|line| line.trim_end_matches(',')).collect();
    assert_eq!(lines, expected);
    let copy = OutputOptions::new().with("c", "copy").unwrap().overwrite(true);
    let error = joined().to_url_with(url(&target), copy).unwrap().run().err().unwrap();
    assert!(error.to_string().contains("follow each other"), "{error}");
    let missing = Pipeline::builder(url(&first)).followed_by("missing.mkv", InputOptions::new());
    assert_eq!(missing.open().err().unwrap().kind(), ErrorKind::NotFound);
}

#[test]
fn a_speed_is_that_of_pictures_and_sound() {
    let room = tempfile::tempdir().unwrap();
    let source = second(room.path(), "a.mkv", "64x64", 440);
    let options = InputOptions::new().speed(2.0).unwrap();
    let opened = || Pipeline::builder(url(&source)).input(options.clone()).open().unwrap();
    assert_eq!(opened().duration().map(Timestamp::as_micros), Some(500_000));
    let times: Vec<i64> =
        opened().frames().unwrap().map(|frame| frame.unwrap().pts().as_micros()).collect();
    assert_eq!(times, (0..25).map(|n| n * 20_000).collect::<Vec<_>>());
    // Pictures may be copied, with shorter ticks; sound is made anew.
    let target = room.path().join("fast.mkv");
    let copied = OutputOptions::new().with("c:v", "copy").unwrap().with("c:a", "flac").unwrap();
    opened().to_url_with(url(&target), copied).unwrap().run().unwrap();
    assert_eq!(pictures(&target), pictures(&source));
    let count = samples(&target).len();
    assert!((23_000..25_000).contains(&count), "{count}");
    let copied = OutputOptions::new().with("c", "copy").unwrap().overwrite(true);
    let error = opened().to_url_with(url(&target), copied).unwrap().run().err().unwrap();
    assert!(error.to_string().contains("speed"), "{error}");
}
