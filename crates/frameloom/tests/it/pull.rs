//! The pipeline pulled, the writer fed, and the reader sought in.

use std::time::{Duration, Instant};

use frameloom::options::{InputOptions, OutputOptions};
use frameloom::{
    Error, ErrorKind, Feed, Frame, Frames, Image, NextFrame, Pipeline, PixelFormat, Rate, Reader,
    Stop, Timestamp,
};

use super::{clip, lossless, pictures, url};

/// Far more than anything here should take.
const LIMIT: Duration = Duration::from_secs(60);

fn pulled(path: &std::path::Path) -> Frames {
    Pipeline::from_url(url(path)).unwrap().frames().unwrap()
}

fn seconds(at: f64) -> Timestamp {
    Timestamp::from_micros((at * 1e6).round() as i64)
}

#[test]
fn frames_are_pulled_and_written() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let mut frames = pipeline.to_url_with(url(&target), lossless()).unwrap().frames().unwrap();
    while let Some(frame) = frames.next() {
        let mut frame = frame.unwrap();
        if frame.index() % 2 == 0 {
            frame.image_mut(PixelFormat::Rgb24).unwrap().rows_mut().for_each(|row| row.fill(9));
        }
        frames.write(frame).unwrap();
    }
    let snapshot = frames.finish().unwrap();
    assert_eq!(
        (snapshot.frames_out, snapshot.frames_edited, snapshot.frames_unwritten),
        (50, 25, 0)
    );
    let (before, after) = (pictures(&source), pictures(&target));
    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_eq!(before == after, number % 2 == 1, "frame {number}");
    }
}

#[test]
fn another_thread_sees_the_newest_frame_as_it_was() {
    let room = tempfile::tempdir().unwrap();
    let frames = pulled(&clip(room.path()));
    let latest = frames.latest();
    assert!(matches!(latest.next_frame_timeout(Duration::ZERO), NextFrame::NotYet));
    let model = std::thread::spawn(move || {
        let mut seen = Vec::new();
        while let Some(frame) = latest.next_frame() {
            let image = frame.image(PixelFormat::Gray).unwrap();
            assert!(image.to_packed_vec().iter().any(|level| *level != 9));
            seen.push(frame.index());
        }
        seen
    });
    let mut count = 0;
    for frame in frames {
        let mut frame = frame.unwrap();
        frame.image_mut(PixelFormat::Gray).unwrap().rows_mut().for_each(|row| row.fill(9));
        count += 1;
    }
    let seen = model.join().unwrap();
    assert_eq!((count, seen.last()), (50, Some(&49)));
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}

#[test]
fn what_is_not_written_is_left_out_and_counted() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let mut frames = pipeline.to_url_with(url(&target), lossless()).unwrap().frames().unwrap();
    let mut held: Option<Frame> = None;
    while let Some(frame) = frames.next() {
        let frame = frame.unwrap();
        if let Some(held) = held.take() {
            frames.write(held).unwrap();
        }
        // Each fifth is held back until the next one is there, all others are left out.
        held = (frame.index() % 5 == 4).then_some(frame);
    }
    // Also behind the end.
    frames.write(held.unwrap()).unwrap();
    let snapshot = frames.finish().unwrap();
    assert_eq!(snapshot.frames_out, 10);
    assert!(snapshot.frames_unwritten >= 39, "{}", snapshot.frames_unwritten);
    let before = pictures(&source);
    let kept: Vec<_> = before.into_iter().skip(4).step_by(5).collect();
    assert_eq!(pictures(&target), kept);
}

#[test]
fn a_frame_goes_to_one_output_or_to_all() {
    let room = tempfile::tempdir().unwrap();
    let source = clip(room.path());
    let targets = ["a.mkv", "b.mkv"].map(|name| room.path().join(name));
    let mut pipeline = Pipeline::from_url(url(&source)).unwrap();
    for target in &targets {
        pipeline = pipeline.to_url_with(url(target), lossless()).unwrap();
    }
    let mut frames = pipeline.frames().unwrap();
    while let Some(frame) = frames.next() {
        let frame = frame.unwrap();
        match frame.index() % 3 {
            0 => frames.write_to(0, frame).unwrap(),
            1 => frames.write_to(1, frame).unwrap(),
            _ => frames.write(frame).unwrap(),
        }
    }
    frames.finish().unwrap();
    let before = pictures(&source);
    for (output, target) in targets.iter().enumerate() {
        let expected: Vec<_> = before
            .iter()
            .enumerate()
            .filter(|(number, _)| number % 3 == 2 || number % 3 == output)
            .map(|(_, picture)| picture.clone())
            .collect();
        assert_eq!(pictures(target), expected, "output {output}");
    }
}

#[test]
fn a_pull_that_ends_early_finishes_its_output() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let mut frames = pipeline.to_url_with(url(&target), lossless()).unwrap().frames().unwrap();
    for _ in 0..10 {
        let frame = frames.next().unwrap().unwrap();
        frames.write(frame).unwrap();
    }
    drop(frames);
    assert_eq!(pictures(&target), pictures(&source)[..10]);
}

#[test]
fn stages_run_before_a_frame_is_given_out() {
    let room = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::from_url(url(&clip(room.path()))).unwrap();
    let frames = pipeline.filter("fps=10,scale=64:36").frames().unwrap();
    let shown: Vec<_> =
        frames.map(|frame| frame.map(|f| (f.pts().as_micros(), f.width())).unwrap()).collect();
    assert_eq!(shown, (0..20).map(|n| (n * 100_000, 64)).collect::<Vec<_>>());
}

#[test]
fn a_failure_ends_the_run_or_passes_the_frame_unedited() {
    let room = tempfile::tempdir().unwrap();
    let source = clip(room.path());
    for (policy, written) in [("bypass", 50), ("stop", 20)] {
        let target = room.path().join(format!("{policy}.mkv"));
        let live = frameloom::options::LiveOptions::new().with("on-error", policy).unwrap();
        let pipeline = Pipeline::from_url(url(&source)).unwrap().live(live);
        let mut frames = pipeline.to_url_with(url(&target), lossless()).unwrap().frames().unwrap();
        while let Some(frame) = frames.next() {
            let mut frame = frame.unwrap();
            let index = frame.index();
            frame.image_mut(PixelFormat::Gray).unwrap().row_mut(0).fill(0);
            if index >= 20 {
                let failed = frames.fail(Error::process("on purpose"));
                assert_eq!(failed.is_err(), policy == "stop");
                continue;
            }
            frames.write(frame).unwrap();
        }
        let snapshot = frames.finish().unwrap();
        assert_eq!(snapshot.errors, if policy == "stop" { 0 } else { 30 });
        assert_eq!(pictures(&target).len(), written);
        assert_eq!(pictures(&target)[20..], pictures(&source)[20..written]);
    }
}

#[test]
fn an_output_that_is_not_there_is_an_error() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let mut frames = pipeline.to_url_with(url(&target), lossless()).unwrap().frames().unwrap();
    let first = frames.next().unwrap().unwrap();
    let error = frames.write_to(7, first).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("no output 7"), "{error}");
    while frames.next().is_some() {}
    let snapshot = frames.stats().snapshot();
    // The refused frame is one of those that nobody wrote.
    assert_eq!((snapshot.frames_out, snapshot.frames_unwritten), (0, 50));
    drop(frames);
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let mut frames = pipeline.to_url_with(url(&target), lossless()).unwrap().frames().unwrap();
    while let Some(frame) = frames.next() {
        frames.write_to(0, frame.unwrap()).unwrap();
    }
    assert_eq!(frames.finish().unwrap().frames_out, 50);
}

#[test]
fn the_longest_limit_is_no_limit() {
    let room = tempfile::tempdir().unwrap();
    let (source, target) = (clip(room.path()), room.path().join("out.mkv"));
    let input = InputOptions::new().open_timeout(Duration::MAX);
    let pending = Pipeline::builder(url(&source)).input(input).open_pending().unwrap();
    let output = lossless().open_timeout(Duration::MAX);
    let pipeline = pending.wait(Duration::MAX).unwrap().unwrap();
    let pipeline = pipeline.to_url_with(url(&target), output.clone()).unwrap();
    let mut frames = pipeline.frames().unwrap();
    while let NextFrame::Frame(frame) = frames.next_timeout(Duration::MAX).unwrap() {
        assert!(frames.write_timeout(None, frame, Duration::MAX).unwrap().is_none());
    }
    assert_eq!(frames.finish_timeout(Duration::MAX).unwrap().unwrap().frames_out, 50);
    let output = output.with("y", "").unwrap();
    let mut feed = Feed::builder(url(&target)).output(output).open().unwrap();
    let image = Image::packed(PixelFormat::Gray, 64, 48, &[90; 64 * 48]).unwrap();
    let frame = Frame::from_image(&image, Timestamp::ZERO).unwrap();
    assert!(feed.write_timeout(frame, Duration::MAX).unwrap().is_none());
    assert!(feed.finish_timeout(Duration::MAX).unwrap());
    let refused = InputOptions::new().open_timeout(Duration::MAX);
    let refused = Reader::builder("rtmp://127.0.0.1:1/live/x").input(refused).open();
    assert_eq!(refused.err().unwrap().kind(), ErrorKind::Connection);
}

#[test]
fn every_wait_has_a_limit_and_heeds_a_stop() {
    let stop = Stop::new();
    let input = InputOptions::new().with("f", "lavfi").unwrap().with("re", "").unwrap();
    // One frame in ten minutes.
    let pending = Pipeline::builder("testsrc2=s=64x36:r=1/600")
        .input(input)
        .stop(&stop)
        .open_pending()
        .unwrap();
    let pipeline = pending.wait(LIMIT).unwrap().unwrap();
    let mut frames = pipeline.frames_pending().unwrap().wait(LIMIT).unwrap().unwrap();
    let until = Instant::now() + LIMIT;
    loop {
        match frames.next_timeout(Duration::from_millis(10)).unwrap() {
            NextFrame::Frame(_) => break,
            NextFrame::NotYet => assert!(Instant::now() < until),
            _ => panic!("it has no end"),
        }
    }
    while let NextFrame::Frame(_) = frames.next_timeout(Duration::from_millis(10)).unwrap() {}
    stop.stop();
    assert!(matches!(frames.next_timeout(LIMIT).unwrap(), NextFrame::Over));
    assert!(frames.finish_timeout(LIMIT).unwrap().is_some());
}

#[test]
fn an_error_at_the_start_reaches_the_caller() {
    let room = tempfile::tempdir().unwrap();
    let source = clip(room.path());
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let refused = pipeline.to_url("rtmp://127.0.0.1:1/live/x").unwrap().frames().err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Connection);
    let mut frames = pulled(&source);
    let frame = frames.next().unwrap().unwrap();
    drop(frames);
    let mut fresh = pulled(&source);
    assert_eq!(fresh.write(frame).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn pixels_go_out_and_in_without_a_view() {
    let room = tempfile::tempdir().unwrap();
    let mut frame = Reader::open(url(&clip(room.path()))).unwrap().next().unwrap().unwrap();
    let mut pixels = vec![0; 192 * 108 * 3];
    {
        let mut image =
            frameloom::ImageMut::packed(PixelFormat::Rgb24, 192, 108, &mut pixels).unwrap();
        frame.copy_to(&mut image).unwrap();
    }
    assert!(!frame.is_edited());
    assert_eq!(frame.image(PixelFormat::Rgb24).unwrap().to_packed_vec(), pixels);
    pixels.fill(200);
    frame.set_image(&Image::packed(PixelFormat::Rgb24, 192, 108, &pixels).unwrap()).unwrap();
    assert!(frame.is_edited());
    let gray = frame.image(PixelFormat::Gray).unwrap().to_packed_vec();
    assert!(gray.iter().all(|byte| byte.abs_diff(200) <= 1));
    let small = Image::packed(PixelFormat::Rgb24, 2, 2, &pixels[..12]).unwrap();
    let wrong = frame.set_image(&small).unwrap_err();
    let cause = wrong.cause().to_string();
    assert!(cause.contains("192x108") && cause.contains("2x2"), "{wrong}");
    let scaled = frame.scaled(96, 54).unwrap();
    assert_eq!((scaled.width(), scaled.height()), (96, 54));
}

#[test]
fn a_reader_is_sought_exactly() {
    let room = tempfile::tempdir().unwrap();
    let source = clip(room.path());
    let gray = |frame: &Frame| frame.image(PixelFormat::Gray).unwrap().to_packed_vec();
    let plain: Vec<_> =
        Reader::open(url(&source)).unwrap().map(|frame| gray(&frame.unwrap())).collect();
    let mut reader = Reader::open(url(&source)).unwrap();
    for number in [30, 3, 49, 0] {
        reader.seek(seconds(number as f64 / 25.0)).unwrap();
        let frame = reader.next().unwrap().unwrap();
        assert_eq!(frame.pts().as_micros(), number as i64 * 40_000);
        assert_eq!(gray(&frame), plain[number]);
    }
    for (at, number) in [(0.05, 1), (0.08, 2), (0.119, 2), (1.5, 37), (0.0, 0), (1.99, 49)] {
        let frame = reader.frame_at(seconds(at)).unwrap().unwrap();
        assert_eq!(frame.pts().as_micros(), number as i64 * 40_000, "at {at}");
        assert_eq!(gray(&frame), plain[number], "at {at}");
    }
    assert!(reader.frame_at(seconds(2.5)).unwrap().is_none());
    assert_eq!(reader.frame_at(seconds(-1.0)).unwrap_err().kind(), ErrorKind::Usage);
    let sought = Pipeline::builder(url(&source)).start_at(seconds(1.2)).open();
    let first = sought.unwrap().frames().unwrap().next().unwrap().unwrap();
    assert_eq!(first.pts().as_micros(), 1_200_000);
}

#[test]
fn a_feed_encodes_on_a_thread_of_its_own() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("out.mkv");
    let rate = Rate::new(24, 1).unwrap();
    let mut feed = Feed::builder(url(&target)).output(lossless()).rate(rate).open().unwrap();
    for number in 0..24 {
        let pixels = vec![number * 10; 64 * 48];
        let image = Image::packed(PixelFormat::Gray, 64, 48, &pixels).unwrap();
        let frame = Frame::from_image(&image, rate.time_base().at(i64::from(number))).unwrap();
        assert!(feed.write_timeout(frame, LIMIT).unwrap().is_none());
    }
    assert!(feed.finish_timeout(LIMIT).unwrap());
    assert_eq!(pictures(&target).len(), 24);
    // Codecs that need a constant rate get it by a filter, which is told where the last one ends.
    for codec in ["mpeg4", "mpeg2video", "ffv1"] {
        let options = lossless().with("c:v", codec).unwrap().with("y", "").unwrap();
        for count in [1, 2, 5] {
            let mut feed =
                Feed::builder(url(&target)).output(options.clone()).rate(rate).open().unwrap();
            for number in 0..count {
                let image = Image::packed(PixelFormat::Gray, 64, 48, &[90; 64 * 48]).unwrap();
                let frame = Frame::from_image(&image, rate.time_base().at(number)).unwrap();
                assert!(feed.write_timeout(frame, LIMIT).unwrap().is_none());
            }
            assert!(feed.finish_timeout(LIMIT).unwrap());
            assert_eq!(pictures(&target).len() as i64, count, "{codec}");
        }
    }
    let overwriting = OutputOptions::new().with("y", "").unwrap();
    let mut empty = Feed::builder(url(&target)).output(overwriting).open().unwrap();
    assert!(empty.finish_timeout(LIMIT).is_err());
}
