//! Many streams, and their frames in batches.

use std::collections::BTreeMap;
use std::time::Duration;

use frameloom::options::{InputOptions, LiveOptions, OnSlow, OutputOptions};
use frameloom::{StreamId, StreamSettings, Streams, TensorOptions};

use super::rtmp::peers::{Publisher, tags_with_keyframes};
use super::rtmp::{at, serve, wait_until};
use super::{lossless, pictures, url};

const WAIT: Duration = Duration::from_millis(20);

/// A second of moving pictures, each stream's of another colour.
fn film(hue: u32) -> StreamSettings {
    let input = InputOptions::new().with("f", "lavfi").unwrap();
    StreamSettings::new(&format!("testsrc2=s=64x48:r=25:d=1,hue=h={hue}")).input(input)
}

fn counts(streams: &mut Streams, size: usize) -> BTreeMap<StreamId, u64> {
    let mut counts = BTreeMap::new();
    while let Some(batch) = streams.next_batch(size, WAIT).unwrap() {
        assert!(!batch.frames.is_empty() && batch.frames.len() <= size);
        for item in batch.frames {
            let count = counts.entry(item.stream).or_insert(0);
            assert_eq!(item.frame.index(), *count, "of a file every frame comes");
            *count += 1;
        }
    }
    counts
}

#[test]
fn every_stream_is_served_however_many_fit_into_a_batch() {
    for size in [1, 2, 3, 8] {
        let mut streams = Streams::new();
        let ids: Vec<_> = [0, 90, 180].map(|hue| streams.add(film(hue)).unwrap()).to_vec();
        let counts = counts(&mut streams, size);
        assert_eq!(counts, ids.iter().map(|id| (*id, 25)).collect(), "batches of {size}");
        assert!(ids.iter().all(|id| streams.error(*id).is_none()));
        assert_eq!(streams.ids(), ids, "as they were added");
    }
}

#[test]
fn a_slow_thread_sees_what_is_new_of_each_stream() {
    let mut streams = Streams::new();
    let ids: Vec<_> = [0, 90, 180].map(|hue| streams.add(film(hue)).unwrap()).to_vec();
    let latest = streams.latest();
    assert!(latest.next_batch_timeout(8, Duration::ZERO).unwrap().frames.is_empty());
    let model = std::thread::spawn(move || {
        let mut seen = BTreeMap::new();
        while let Some(batch) = latest.next_batch(2) {
            assert!((1..=2).contains(&batch.frames.len()));
            for item in batch.frames {
                seen.entry(item.stream).or_insert_with(Vec::new).push(item.frame.index());
            }
        }
        seen
    });
    assert_eq!(counts(&mut streams, 8).len(), 3, "the loop has every frame");
    let seen = model.join().unwrap();
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), ids);
    assert!(seen.values().all(|indices| indices.is_sorted_by(|a, b| a < b)), "{seen:?}");
}

#[test]
fn what_is_written_goes_to_the_streams_own_output() {
    let room = tempfile::tempdir().unwrap();
    let out = |n: usize| room.path().join(format!("{n}.mkv"));
    let mut streams = Streams::new();
    for (n, hue) in [0, 120].into_iter().enumerate() {
        streams.add(film(hue).output(url(&out(n)), lossless())).unwrap();
    }
    while let Some(batch) = streams.next_batch(2, WAIT).unwrap() {
        for item in batch.frames {
            streams.write(item.stream, item.frame).unwrap();
        }
    }
    streams.finish().unwrap();
    let (one, two) = (pictures(&out(0)), pictures(&out(1)));
    assert_eq!((one.len(), two.len()), (25, 25));
    assert!(one.iter().zip(&two).all(|(one, two)| one != two), "each has its own pictures");
}

#[test]
fn a_batch_is_one_tensor() {
    let mut streams = Streams::new();
    for hue in [0, 90, 180] {
        streams.add(film(hue)).unwrap();
    }
    let options = TensorOptions::new(32, 24);
    let mut largest = 0;
    while let Some(batch) = streams.next_batch(3, Duration::from_secs(5)).unwrap() {
        let (tensor, transforms) = batch.tensor::<f32>(&options).unwrap();
        assert_eq!(
            (tensor.len(), transforms.len()),
            (3 * 32 * 24 * batch.frames.len(), batch.frames.len())
        );
        largest = largest.max(batch.frames.len());
        for (piece, item) in tensor.chunks(options.length()).zip(&batch.frames) {
            assert_eq!(piece, item.frame.tensor::<f32>(&options).unwrap().0);
        }
    }
    assert_eq!(largest, 3);
}

#[test]
fn a_camera_that_is_not_there_makes_nobody_wait_and_joins_when_it_comes() {
    let tags = tags_with_keyframes();
    let server = serve(|_| {});
    let address = server.rtmp_addr().unwrap();
    let mut streams = Streams::new();
    let ids = ["a", "b"].map(|name| streams.add(StreamSettings::new(&at(&server, name))).unwrap());
    let mut publishers = vec![Publisher::open(address, "a")];
    let mut counts = [0, 0];
    let mut shift = 0;
    let mut turn = |streams: &mut Streams, publishers: &mut [Publisher], counts: &mut [i32; 2]| {
        for publisher in publishers.iter_mut() {
            tags.iter().for_each(|tag| publisher.send(tag, shift));
        }
        shift += 2000;
        let batch = streams.next_batch(2, WAIT).unwrap().unwrap();
        for item in batch.frames {
            counts[usize::from(item.stream == ids[1])] += 1;
        }
    };
    // The first batch waits for the first frame, which has to be on its way.
    wait_until("the first camera's frames come", || {
        turn(&mut streams, &mut publishers, &mut counts);
        counts[0] > 20
    });
    assert_eq!(counts[1], 0);
    publishers.push(Publisher::open(address, "b"));
    wait_until("the second camera's come as well", || {
        turn(&mut streams, &mut publishers, &mut counts);
        counts[1] > 20
    });
    // It is lost, and comes back by itself.
    publishers.pop();
    wait_until("its publisher is gone", || server.status().streams.len() == 1);
    let (lost_at, first) = (counts[1], counts[0]);
    publishers.push(Publisher::open(address, "b"));
    wait_until("the second camera is back", || {
        turn(&mut streams, &mut publishers, &mut counts);
        let reconnects = streams.snapshot(ids[1]).map_or(0, |seen| seen.reconnects);
        reconnects > 0 && counts[1] > lost_at + 20
    });
    assert!(counts[0] > first, "the first went on meanwhile");
    let before = counts[0];
    streams.remove(ids[1]).unwrap();
    assert_eq!(streams.ids(), [ids[0]]);
    wait_until("the first goes on alone", || {
        turn(&mut streams, &mut publishers, &mut counts);
        counts[0] > before + 20
    });
}

/// The slow camera's second frame is due after a day.
#[test]
fn no_batch_waits_for_a_slow_camera_where_a_fast_one_would_lose_a_frame() {
    let camera = |rate: &str| {
        let input = InputOptions::new().with("f", "lavfi").unwrap().with("re", "").unwrap();
        StreamSettings::new(&format!("testsrc2=s=64x48:r={rate}")).input(input)
    };
    let mut streams = Streams::new().live(LiveOptions::new().on_slow(OnSlow::Latest));
    let fast = streams.add(camera("25")).unwrap();
    let slow = streams.add(camera("1/86400")).unwrap();
    let mut alone = 0;
    while alone < 10 {
        let batch = streams.next_batch(2, Duration::from_secs(86_400)).unwrap().unwrap();
        let ids: Vec<_> = batch.frames.iter().map(|item| item.stream).collect();
        assert!(ids.contains(&fast) || ids == [slow], "{ids:?}");
        alone += usize::from(ids == [fast]);
    }
    streams.finish().unwrap();
}

#[test]
fn what_can_not_be_is_an_error_of_that_stream_alone() {
    let mut streams = Streams::new();
    let wrong = streams.add(StreamSettings::new("no/such/file.mp4")).unwrap();
    let right = streams.add(film(0)).unwrap();
    let counts = counts(&mut streams, 2);
    assert_eq!(counts, BTreeMap::from([(right, 25)]));
    assert_eq!(streams.error(wrong).unwrap().kind(), frameloom::ErrorKind::NotFound);
    assert!(streams.error(right).is_none() && streams.control(right).is_none());
    assert!(streams.remove(wrong).is_ok() && streams.remove(wrong).is_err());
}

#[test]
fn a_batch_that_is_not_whole_in_time_is_not_lost() {
    let mut streams = Streams::new();
    let (one, other) = (streams.add(film(0)).unwrap(), streams.add(film(90)).unwrap());
    let (mut counts, mut waits) = (BTreeMap::new(), 0);
    // Each batch wants one more frame than there can be, and is asked for in steps.
    while let Some(batch) =
        streams.next_batch_timeout(3, Duration::from_millis(5), Duration::ZERO).unwrap()
    {
        waits += u32::from(batch.frames.is_empty());
        for item in batch.frames {
            let count = counts.entry(item.stream).or_insert(0);
            assert_eq!(item.frame.index(), *count);
            *count += 1;
        }
    }
    assert_eq!(counts, BTreeMap::from([(one, 25), (other, 25)]));
    assert!(waits > 0);
}

#[test]
fn an_output_that_fails_at_its_end_is_told() {
    let mut streams = Streams::new();
    let full =
        streams.add(film(0).output("/dev/full", lossless().with("f", "nut").unwrap())).unwrap();
    let right = streams.add(film(90)).unwrap();
    while let Some(batch) = streams.next_batch(2, WAIT).unwrap() {
        for item in batch.frames {
            if item.stream == full {
                // It may have failed already.
                let _ = streams.write(full, item.frame);
            }
        }
    }
    assert!(streams.error(full).is_some(), "its disk is full");
    assert!(streams.error(right).is_none());
}

/// A pipe that nobody reads keeps an output from being finished, and the other stream from nothing.
#[test]
fn a_stream_whose_output_takes_long_to_finish_holds_up_no_other() {
    let room = tempfile::tempdir().unwrap();
    let pipe = room.path().join("slow.nut");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // Open at both ends, it is opened at once, and read below.
    let mut end = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let raw = OutputOptions::new().with("c:v", "rawvideo").unwrap().with("y", "").unwrap();
    let large = InputOptions::new().with("f", "lavfi").unwrap();
    let large = StreamSettings::new("testsrc2=s=320x240:r=25:d=0.2").input(large);
    let mut streams = Streams::new();
    let slow = streams.add(large.output(url(&pipe), raw)).unwrap();
    let other = streams.add(film(90)).unwrap();
    let mut counts = BTreeMap::new();
    // Either may be open before the other.
    while counts.get(&other) != Some(&25) || counts.get(&slow) != Some(&5) {
        let batch = streams.next_batch(2, WAIT).unwrap().expect("the slow one is not over");
        for item in batch.frames {
            *counts.entry(item.stream).or_insert(0) += 1;
            if item.stream == slow {
                assert!(streams.write_timeout(slow, item.frame, WAIT).unwrap().is_none());
            }
        }
    }
    assert!(!streams.finish_timeout(Duration::ZERO).unwrap(), "it can't be finished yet");
    let reading = std::thread::spawn(move || {
        let (mut bytes, mut count) = ([0; 4096], 0);
        // Five pictures of 4:2:0; behind them the pipe stays open.
        while count < 5 * 320 * 240 * 3 / 2 {
            count += std::io::Read::read(&mut end, &mut bytes).unwrap();
        }
        end
    });
    wait_until("it is finished", || streams.finish_timeout(WAIT).unwrap());
    drop(reading.join().unwrap());
}
