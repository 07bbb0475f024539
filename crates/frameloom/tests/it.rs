//! The library as its users see it, judged by the ffmpeg program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "it/control.rs"]
mod control;
#[path = "it/outputs.rs"]
mod outputs;
#[path = "it/policies.rs"]
mod policies;
#[path = "it/preroll.rs"]
mod preroll;
#[path = "it/pull.rs"]
mod pull;
#[path = "it/pulled_sound.rs"]
mod pulled_sound;
#[path = "it/rtmp.rs"]
mod rtmp;
#[path = "it/seeking.rs"]
mod seeking;
#[path = "it/sound.rs"]
mod sound;
#[path = "it/streams.rs"]
mod streams;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use frameloom::options::{InputOptions, OutputOptions};
use frameloom::{
    BoxError, Error, ErrorKind, Frame, FrameProcessor, Image, Pipeline, PixelFormat, Rate, Reader,
    Result, Stage, Writer,
};

/// Runs ffmpeg or ffprobe and returns what it printed.
fn tool(name: &str, arguments: &str) -> String {
    let output = Command::new(name)
        .args(arguments.split_whitespace())
        .output()
        .expect("run script/setup --tests");
    assert!(
        output.status.success(),
        "{name} {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A two-second clip of 50 frames with B-frames, beside audio.
fn clip(folder: &Path) -> PathBuf {
    let path = folder.join("clip.mp4");
    tool(
        "ffmpeg",
        &format!(
            "-v error -y -f lavfi -i testsrc2=s=192x108:r=25:d=2 -f lavfi -i sine=d=2 \
             -pix_fmt yuv420p -c:v libx264 -bf 2 -c:a aac {}",
            path.display()
        ),
    );
    path
}

/// The checksum of every decoded picture.
fn pictures(path: &Path) -> Vec<String> {
    let listed = tool("ffmpeg", &format!("-v error -i {} -map 0:v -f framemd5 -", path.display()));
    let lines = listed.lines().filter(|l| !l.starts_with('#'));
    lines.map(|l| l.rsplit(',').next().unwrap_or_default().trim().to_owned()).collect()
}

/// The first picture as rgb24.
fn first_rgb(path: &Path) -> Vec<u8> {
    let arguments =
        format!("-v error -i {} -frames:v 1 -f rawvideo -pix_fmt rgb24 -", path.display());
    Command::new("ffmpeg").args(arguments.split_whitespace()).output().unwrap().stdout
}

fn url(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn lossless() -> OutputOptions {
    OutputOptions::new().with("c:v", "ffv1").unwrap()
}

#[test]
fn a_closure_edits_every_frame_and_the_audio_passes() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let snapshot = Pipeline::from_url(url(&source))
        .unwrap()
        .process(|frame: &mut Frame| {
            // Two rows: in 4:2:0 they share their colour.
            frame.image_mut(PixelFormat::Rgb24)?.rows_mut().take(2).for_each(|row| row.fill(255));
            Ok(())
        })
        .to_url_with(url(&target), lossless())
        .unwrap()
        .run()
        .unwrap();
    assert_eq!((snapshot.frames_in, snapshot.frames_edited, snapshot.frames_out), (50, 50, 50));
    let (before, after) = (pictures(&source), pictures(&target));
    assert_eq!(after.len(), 50);
    assert!(before.iter().zip(&after).all(|(a, b)| a != b), "a frame came through unedited");
    assert!(first_rgb(&target)[..192 * 3].iter().all(|&byte| byte > 250));
    let audio = |path: &Path| {
        tool("ffmpeg", &format!("-v error -i {} -map 0:a -c copy -f md5 -", path.display()))
    };
    assert_eq!(audio(&source), audio(&target));
}

#[test]
fn a_frame_that_was_only_read_goes_out_as_it_came() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    Pipeline::from_url(url(&source))
        .unwrap()
        .process(|frame: &mut Frame| {
            let seen = frame.image(PixelFormat::Bgr24)?.row(3).iter().any(|&byte| byte > 0);
            assert!(seen && !frame.is_edited());
            Ok(())
        })
        .to_url_with(url(&target), lossless())
        .unwrap()
        .run()
        .unwrap();
    assert_eq!(pictures(&source), pictures(&target));
}

#[test]
fn views_of_one_frame_agree_after_an_edit() {
    let room = tempfile::tempdir().unwrap();
    let mut frame = Reader::open(url(&clip(room.path()))).unwrap().next().unwrap().unwrap();
    frame.image_mut(PixelFormat::Rgb24).unwrap().rows_mut().for_each(|row| row.fill(200));
    for format in [PixelFormat::Bgr24, PixelFormat::Rgba, PixelFormat::Gray] {
        let image = frame.image(format).unwrap();
        let shown = image.pixel(96, 54).unwrap();
        let close = |byte: &u8| byte.abs_diff(200) <= 1;
        assert!(shown.iter().take(3).all(close), "{format}: {shown:?}");
    }
    frame.image_mut(PixelFormat::Yuv420p).unwrap().row_mut(0).fill(16);
    let black = frame.image(PixelFormat::Rgb24).unwrap().pixel(0, 0).unwrap().to_vec();
    assert!(black.iter().all(|&byte| byte <= 2), "{black:?}");
}

#[test]
fn a_reader_gives_every_frame_in_order_with_its_time() {
    let room = tempfile::tempdir().unwrap();
    let frames: Vec<Frame> =
        Reader::open(url(&clip(room.path()))).unwrap().map(Result::unwrap).collect();
    assert_eq!(frames.len(), 50);
    for (n, frame) in frames.iter().enumerate() {
        assert_eq!(frame.pts().as_micros(), n as i64 * 40_000);
        assert_eq!(frame.index(), n as u64);
        assert_eq!((frame.width(), frame.height(), frame.format_name()), (192, 108, "yuv420p"));
    }
    assert!(frames[0].key_frame() && !frames[1].key_frame());
}

#[test]
fn a_writer_writes_frames_at_their_own_times() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("out.mkv");
    let base = Rate::new(1000, 1).unwrap().time_base();
    let times = [0, 40, 45, 300, 1000];
    let mut writer = Writer::create(url(&target)).unwrap();
    for ms in times {
        let pixels = vec![90u8; 64 * 48 * 3];
        let image = Image::packed(PixelFormat::Rgb24, 64, 48, &pixels).unwrap();
        writer.write(Frame::from_image(&image, base.at(ms)).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let shown = tool(
        "ffprobe",
        &format!(
            "-v error -select_streams v -show_entries frame=pts -of csv=p=0 {}",
            target.display()
        ),
    );
    let shown: Vec<i64> =
        shown.lines().filter_map(|l| l.trim_end_matches(',').parse().ok()).collect();
    assert_eq!(shown, times);
    assert!(first_rgb(&target).iter().all(|&byte| byte.abs_diff(90) <= 3));
}

#[test]
fn an_error_of_the_closure_ends_the_run_and_keeps_what_was_done() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let error = Pipeline::from_url(url(&source))
        .unwrap()
        .process(|frame: &mut Frame| match frame.index() {
            20 => Err(Error::process("the model is out of memory"))?,
            _ => Ok(()),
        })
        .to_url_with(url(&target), lossless())
        .unwrap()
        .run()
        .unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Process, Stage::Process));
    assert_eq!(error.to_string(), "process: the model is out of memory");
    assert_eq!(pictures(&target), pictures(&source)[..20]);
}

#[test]
fn a_panic_of_the_closure_is_an_error() {
    let room = tempfile::tempdir().unwrap();
    let source = clip(room.path());
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let run = pipeline.process(|_: &mut Frame| panic!("on purpose")).run();
    assert_eq!(run.unwrap_err().kind(), ErrorKind::Process);
}

#[test]
fn your_code_may_fail_with_any_error() {
    let room = tempfile::tempdir().unwrap();
    let source = clip(room.path());
    let missing = room.path().join("overlay.txt");
    let failed = |read: bool| {
        let missing = missing.clone();
        let pipeline = Pipeline::from_url(url(&source)).unwrap().process(move |frame| {
            // Errors of the library, of the system and of one's own stand side by side.
            frame.image(PixelFormat::Rgb24)?;
            if read {
                std::fs::read(&missing)?;
            }
            Err("not today")?;
            Ok(())
        });
        pipeline.run().unwrap_err()
    };
    let (system, own) = (failed(true), failed(false));
    assert_eq!((system.kind(), system.stage()), (ErrorKind::Process, Stage::Process));
    let cause = std::error::Error::source(&system).unwrap();
    let cause = cause.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
    assert_eq!(system.errno(), cause.raw_os_error());
    assert!(own.to_string().contains("not today"), "{own}");
    let library = Pipeline::from_url(url(&source)).unwrap().process(|frame| {
        frame.rows(PixelFormat::Rgb24, 0..1000)?;
        Ok(())
    });
    let library = library.run().unwrap_err();
    assert_eq!((library.kind(), library.stage()), (ErrorKind::Usage, Stage::Convert));
}

#[test]
fn rows_are_read_side_by_side_and_edited_apart() {
    let room = tempfile::tempdir().unwrap();
    let mut frame = Reader::open(url(&clip(room.path()))).unwrap().next().unwrap().unwrap();
    let before = frame.image(PixelFormat::Rgb24).unwrap().to_packed_vec();
    {
        let (rgb, gray) = (frame.image(PixelFormat::Rgb24), frame.image(PixelFormat::Gray));
        let (rgb, gray) = (rgb.unwrap(), gray.unwrap());
        let band = frame.rows(PixelFormat::Rgb24, 16..32).unwrap();
        assert_eq!((band.width(), band.height()), (192, 16));
        assert!(band.rows().eq((16..32).map(|y| rgb.row(y))));
        assert_eq!(band.as_packed().unwrap().len(), 16 * 192 * 3);
        let chroma = frame.rows(PixelFormat::Yuv420p, 106..108).unwrap().plane(2).unwrap();
        let whole = frame.image(PixelFormat::Yuv420p).unwrap().plane(2).unwrap();
        assert_eq!((chroma.rows(), chroma.row(0)), (1, whole.row(53)));
        assert_eq!(gray.height(), 108);
    }
    assert!(!frame.is_edited() && frame.edited_rows().is_empty());
    frame.rows_mut(PixelFormat::Rgb24, 20..22).unwrap().row_mut(1).fill(7);
    frame.rows_mut(PixelFormat::Rgb24, 40..41).unwrap().row_mut(0).fill(8);
    assert_eq!((frame.is_edited(), frame.edited_rows()), (true, 20..41));
    let after = frame.image(PixelFormat::Rgb24).unwrap();
    for (y, old) in (0..108).zip(before.chunks(192 * 3)) {
        match y {
            21 => assert!(after.row(y).iter().all(|&byte| byte == 7)),
            40 => assert!(after.row(y).iter().all(|&byte| byte == 8)),
            _ => assert_eq!(after.row(y), old, "row {y}"),
        }
    }
    // What is looked at in another format shows the edit, and the edit itself stays as it was made.
    let gray = frame.image(PixelFormat::Gray).unwrap();
    assert!(gray.pixel(90, 40).unwrap()[0] < 30);
    assert_eq!(frame.image(PixelFormat::Rgb24).unwrap().row(21)[0], 7);
    let mut yuv = frame.rows_mut(PixelFormat::Yuv420p, 50..54).unwrap();
    yuv.row_mut(3).fill(235);
    assert_eq!(yuv.plane(1).unwrap().rows(), 2);
    assert!(frame.image(PixelFormat::Gray).unwrap().row(53).iter().all(|&byte| byte > 250));
    for (format, rows) in
        [(PixelFormat::Rgb24, 0..109), (PixelFormat::Rgb24, 5..5), (PixelFormat::Yuv420p, 1..4)]
    {
        let (read, edited) = (frame.rows(format, rows.clone()).err(), frame.rows_mut(format, rows));
        let kinds = [read.unwrap().kind(), edited.err().unwrap().kind()];
        assert_eq!(kinds, [ErrorKind::Usage; 2], "{format}");
    }
}

/// Drops the frames of odd index, and holds each one back until the next comes.
#[derive(Default)]
struct Thin {
    held: Option<Frame>,
    ready: Vec<Frame>,
}

impl FrameProcessor for Thin {
    fn send(&mut self, frame: Frame) -> Result<(), BoxError> {
        if let Some(held) = self.held.replace(frame)
            && held.index() % 2 == 0
        {
            self.ready.push(held);
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Frame>, BoxError> {
        Ok(self.ready.pop())
    }

    fn drain(&mut self) -> Result<(), BoxError> {
        self.ready.extend(self.held.take());
        Ok(())
    }
}

#[test]
fn a_stage_may_drop_frames_and_hold_them_back() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let pipeline = Pipeline::from_url(url(&source)).unwrap().processor(Thin::default());
    pipeline.filter("negate").to_url_with(url(&target), lossless()).unwrap().run().unwrap();
    // 25 of even index, and the last one, which was held.
    assert_eq!(pictures(&target).len(), 26);
}

#[test]
fn a_stop_ends_an_input_without_an_end() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let options = InputOptions::new().with("re", "").unwrap().with("stream_loop", "-1").unwrap();
    let pipeline = Pipeline::builder(url(&source)).input(options).open().unwrap();
    let (stop, seen) = (pipeline.stop_handle(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&seen);
    pipeline
        .process(move |_: &mut Frame| {
            if counted.fetch_add(1, Ordering::Relaxed) == 60 {
                stop.stop();
            }
            Ok(())
        })
        .to_url_with(url(&target), lossless())
        .unwrap()
        .run()
        .unwrap();
    assert!(pictures(&target).len() >= 60);
}

/// An example as cargo built it beside this test.
fn example(name: &str, arguments: &[&Path]) -> String {
    let here = std::env::current_exe().unwrap();
    let program = here.ancestors().nth(2).unwrap().join("examples").join(name);
    let output = Command::new(&program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_examples_do_what_they_say() {
    let room = tempfile::tempdir().unwrap();
    let source = clip(room.path());

    let edited = room.path().join("edited.mkv");
    example("01_edit", &[&source, &edited]);
    assert_eq!(pictures(&edited).len(), 50);

    let printed = example("02_read", &[&source]);
    let last = printed.lines().last().unwrap();
    assert!(last.starts_with("49 0:00:01.960 "), "{last}");

    let written = room.path().join("written.mp4");
    example("03_write", &[&written]);
    assert_eq!(pictures(&written).len(), 48);

    let measured = room.path().join("measured.mkv");
    // Its block lies in rows and columns that a small picture lacks.
    let large = room.path().join("large.mp4");
    tool(
        "ffmpeg",
        &format!(
            "-v error -f lavfi -i testsrc2=s=640x360:r=5:d=1 -pix_fmt yuv420p {}",
            large.display()
        ),
    );
    example("bench_edit", &[&large, &measured, Path::new("30")]);
    let edited = first_rgb(&measured);
    let is_white = |y: usize| edited[(y * 640 + 100) * 3..][..3].iter().all(|&byte| byte > 240);
    assert!(is_white(20) && !is_white(60));
    example("bench_edit", &[&large, &measured, Path::new("boxes")]);
}
