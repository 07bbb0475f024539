//! Sound through code, judged by the ffmpeg program's own filters.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use frameloom::options::{InputOptions, LiveOptions, OutputOptions};
use frameloom::{AudioFrame, Error, ErrorKind, Media, Pipeline, PixelFormat};

use super::{clip, pictures, tool, url};

/// The samples of a file, or of what a filter makes of them, as 16-bit numbers of one channel.
fn samples(path: &Path, filter: &str) -> Vec<i16> {
    let words = format!("-v error -i {} -map 0:a -af {filter} -f s16le -ac 1 -", path.display());
    let raw = Command::new("ffmpeg").args(words.split_whitespace()).output().unwrap().stdout;
    raw.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
}

fn lossless() -> OutputOptions {
    let options = OutputOptions::new().with("c:v", "ffv1").unwrap();
    options.with("c:a", "pcm_f32le").unwrap()
}

fn opened(source: &Path) -> Pipeline {
    Pipeline::from_url(url(source)).unwrap()
}

fn into(pipeline: Pipeline, target: &Path) -> frameloom::Result<()> {
    pipeline.to_url_with(url(target), lossless())?.run().map(drop)
}

fn halve(sound: &mut AudioFrame) -> frameloom::Result<()> {
    for channel in sound.planar_f32_mut()? {
        channel.iter_mut().for_each(|sample| *sample *= 0.5);
    }
    Ok(())
}

/// Where the first decoded sound begins, in samples behind the first picture; that no sample is missing or
/// there twice behind it is asserted.
fn lag(path: &Path) -> i64 {
    let of = |kind: char| -> Vec<(i64, i64)> {
        let words = format!("-v error -select_streams {kind} -of csv=p=0 -show_entries");
        let base = tool("ffprobe", &format!("{words} stream=time_base {}", path.display()));
        let (num, den) = base.trim().split_once('/').unwrap();
        let scale = 44_100 * num.parse::<i64>().unwrap();
        let den: i64 = den.parse().unwrap();
        let frames = format!("{words} frame=pts,nb_samples {}", path.display());
        let times = |line: &str| {
            let mut fields = line.split(',');
            let pts: i64 = fields.next()?.parse().ok()?;
            assert_eq!(pts * scale % den, 0, "a time that is not in samples");
            let samples = fields.next().and_then(|samples| samples.parse().ok());
            Some((pts * scale / den, samples.unwrap_or(0)))
        };
        tool("ffprobe", &frames).lines().filter_map(times).collect()
    };
    let sound = of('a');
    assert!(sound.len() > 10);
    for two in sound.windows(2) {
        assert_eq!(two[0].0 + two[0].1, two[1].0);
    }
    sound[0].0 - of('v')[0].0
}

#[test]
fn a_closure_changes_every_sample_and_nothing_moves() {
    let room = tempfile::tempdir().unwrap();
    // Its times are in samples.
    let (source, target) = (clip(room.path()), room.path().join("out.mov"));
    into(opened(&source).process_audio(|sound| Ok(halve(sound)?)), &target).unwrap();
    assert_eq!(lag(&target), lag(&source), "the sound has moved");
    let expected = samples(&source, "volume=0.5");
    assert!(expected.len() > 80_000 && expected.iter().any(|sample| *sample > 1000));
    assert_eq!(samples(&target, "anull"), expected);
    assert_eq!(pictures(&target), pictures(&source), "the pictures are as they were");
}

#[test]
fn sound_that_was_only_read_is_the_same_bit_for_bit() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&heard);
    let pipeline = opened(&source).process_audio(move |sound| {
        assert_eq!((sound.sample_rate(), sound.channels()), (44_100, 1));
        assert_eq!((sound.format_name(), sound.samples()), ("fltp", 1024));
        let (planes, interleaved) = (sound.to_planar_f32()?, sound.to_interleaved_f32()?);
        assert_eq!(planes[0], interleaved);
        let begin = sound.pts().as_micros();
        all.lock().unwrap().push((begin, sound.to_interleaved_s16()?));
        Ok(())
    });
    into(pipeline, &target).unwrap();
    let listed = |path: &Path| {
        tool("ffmpeg", &format!("-v error -i {} -map 0:a -c:a pcm_f32le -f md5 -", path.display()))
    };
    assert_eq!(listed(&target), listed(&source));
    let heard = heard.lock().unwrap();
    for (n, (begin, _)) in heard.iter().enumerate() {
        let exact = n as i64 * 1024 * 1_000_000 / 44_100;
        assert!((begin - heard[0].0 - exact).abs() <= 1, "piece {n} is at {begin}");
    }
    let all: Vec<i16> = heard.iter().flat_map(|(_, samples)| samples.clone()).collect();
    assert_eq!(all, samples(&source, "anull"));
}

#[test]
fn samples_are_changed_in_any_view() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let pipeline = opened(&source)
        .process_audio(|sound| {
            sound.interleaved_f32_mut()?.iter_mut().for_each(|sample| *sample *= 0.25);
            assert_eq!(sound.format_name(), "flt");
            Ok(())
        })
        .process_audio(|sound| {
            sound.interleaved_s16_mut()?.iter_mut().for_each(|sample| *sample *= 2);
            assert_eq!(sound.format_name(), "s16");
            Ok(())
        });
    into(pipeline, &target).unwrap();
    let (expected, made) = (samples(&source, "volume=0.5"), samples(&target, "anull"));
    assert_eq!(expected.len(), made.len());
    // Half a step is lost where the quarter is rounded, and doubled.
    assert!(expected.iter().zip(&made).all(|(a, b)| (a - b).abs() <= 1));
}

/// One closure gets pictures and sound, and what it remembers of the one is there for the other.
#[test]
fn one_closure_edits_pictures_and_sound() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let (mut pieces, mut begin) = (0usize, None);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let pipeline = opened(&source).process_media(move |media| {
        match media {
            Media::Audio(sound) => {
                halve(sound)?;
                pieces += 1;
                begin = Some(sound.pts());
            }
            Media::Video(frame) => {
                noted.lock().unwrap().push((pieces, begin.map(|at| frame.pts().minus(at))));
                frame.image_mut(PixelFormat::Rgb24)?.rows_mut().for_each(|row| row.fill(255));
            }
            _ => {}
        }
        Ok(())
    });
    into(pipeline, &target).unwrap();
    assert_eq!(samples(&target, "anull"), samples(&source, "volume=0.5"));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), pictures(&source).len());
    assert!(seen.windows(2).all(|two| two[0].0 <= two[1].0), "{seen:?}");
    assert!(seen.last().unwrap().0 > 10, "pictures know of the sound before them: {seen:?}");
    let white = pictures(&target);
    assert!(white.windows(2).all(|two| two[0] == two[1]) && white[0] != pictures(&source)[0]);
}

#[test]
fn code_for_pictures_and_for_sound_run_side_by_side() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let other = room.path().join("other.mkv");
    let pipeline = opened(&source)
        .process(|frame| {
            frame.image_mut(PixelFormat::Rgb24)?.rows_mut().take(2).for_each(|row| row.fill(255));
            Ok(())
        })
        .process_audio(|sound| Ok(halve(sound)?))
        .to_url_with(url(&other), lossless().with("c:a", "flac").unwrap())
        .unwrap();
    into(pipeline, &target).unwrap();
    for target in [&target, &other] {
        let made = samples(target, "anull");
        let expected = samples(&source, "volume=0.5");
        assert_eq!(made.len(), expected.len());
        assert!(expected.iter().zip(&made).all(|(a, b)| (a - b).abs() <= 1));
    }
    let (before, after) = (pictures(&source), pictures(&target));
    assert!(before.iter().zip(&after).all(|(a, b)| a != b));
}

#[test]
fn the_code_gets_what_a_graph_makes() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let pipeline = Pipeline::builder(url(&source)).and(url(&source), InputOptions::new());
    let pipeline = pipeline.open().unwrap();
    let options = lossless().map("[sound]").unwrap();
    pipeline
        .filter_complex("[0:a][1:a]amix=normalize=0[sound]")
        .unwrap()
        .process_audio(|sound| Ok(halve(sound)?))
        .to_url_with(url(&target), options)
        .unwrap()
        .run()
        .unwrap();
    assert_eq!(samples(&target, "anull"), samples(&source, "anull"));
}

#[test]
fn an_error_ends_the_run_or_lets_the_sound_by() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let failing = |policy: &str| {
        let count = Arc::new(AtomicUsize::new(0));
        let options = LiveOptions::new().with("on-error", policy).unwrap();
        opened(&source).live(options).process_audio(move |sound| {
            if count.fetch_add(1, Ordering::SeqCst) % 3 == 1 {
                sound.planar_f32_mut()?[0].fill(0.0);
                Err(Error::process("no voice in it"))?;
            }
            Ok(halve(sound)?)
        })
    };
    let error = into(failing("stop"), &target).unwrap_err();
    assert_eq!(error.to_string(), "process: no voice in it");
    let target = room.path().join("bypassed.mkv");
    into(failing("bypass"), &target).unwrap();
    let (whole, half) = (samples(&source, "anull"), samples(&source, "volume=0.5"));
    let made = samples(&target, "anull");
    assert_eq!(made.len(), whole.len());
    // The first piece begins with what the encoder needs before it.
    for (n, sample) in made.iter().enumerate() {
        assert!([whole[n], half[n]].contains(sample), "sample {n}");
    }
    assert!(made.iter().zip(&whole).filter(|(a, b)| a == b).count() > made.len() / 4);
}

#[test]
fn slow_code_loses_no_sound_of_a_live_stream() {
    let room = tempfile::tempdir().unwrap();
    let source: PathBuf = clip(room.path());
    let target = room.path().join("out.mkv");
    let input = InputOptions::new().with("re", "").unwrap();
    let live = input.live(frameloom::options::Live::Yes);
    let pipeline = Pipeline::builder(url(&source)).input(live).open().unwrap();
    let options = LiveOptions::new().deadline(Duration::from_millis(80)).no_reconnect(true);
    let hangs = Arc::new(AtomicBool::new(false));
    let code = Arc::clone(&hangs);
    let pipeline = pipeline.live(options).process_audio(move |sound| {
        // The rest of the stream passes meanwhile.
        if code.swap(true, Ordering::SeqCst) {
            std::thread::sleep(Duration::from_secs(60));
        }
        Ok(halve(sound)?)
    });
    into(pipeline, &target).unwrap();
    assert!(hangs.load(Ordering::SeqCst));
    let (whole, made) = (samples(&source, "anull"), samples(&target, "anull"));
    assert!(made.len().abs_diff(whole.len()) <= 2048, "{} of {}", made.len(), whole.len());
    let end = made.len().min(whole.len());
    assert_eq!(made[end / 2..end], whole[end / 2..end]);
}

#[test]
fn what_has_no_sound_or_several_is_an_error() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let silent = room.path().join("silent.mp4");
    tool("ffmpeg", &format!("-v error -i {} -an -c copy {}", source.display(), silent.display()));
    let error = into(opened(&silent).process_audio(|_| Ok(())), &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let copied = opened(&source).process_audio(|_| Ok(()));
    let options = OutputOptions::new().with("c:a", "copy").unwrap();
    let error = copied.to_url_with(url(&target), options).unwrap().run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("edits the sound"), "{error}");
    let two = Pipeline::builder(url(&source)).and(url(&source), InputOptions::new());
    let options = lossless().map("0:a").unwrap().map("1:a").unwrap();
    let two = two.open().unwrap().process_audio(|_| Ok(()));
    let error = two.to_url_with(url(&target), options).unwrap().run().unwrap_err();
    assert!(error.to_string().contains("several sounds"), "{error}");
    assert!(error.to_string().contains("-map 0:a:0"), "{error}");
    let two = Pipeline::builder(url(&source)).and(url(&source), InputOptions::new());
    let options = lossless().map("0:v").unwrap().map("1:v").unwrap();
    let two = two.open().unwrap().process(|_| Ok(()));
    let error = two.to_url_with(url(&target), options).unwrap().run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("several videos"), "{error}");
    assert!(error.to_string().contains("-map 0:v:0"), "{error}");
    assert!(!target.exists());
}
