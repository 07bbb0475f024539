//! Streams that come late, that pause, and that the metadata says nothing or something wrong of.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use frameloom::options::{InputOptions, LiveOptions};
use frameloom::{Frame, Pipeline, PixelFormat, Probe, Stop};
use frameloom_rtmp::amf0::Value;
use frameloom_rtmp::flv::{FlvTag, TagKind};
use frameloom_server::Server;

use super::peers::{
    Player, Publisher, is_aac_header, is_header, metadata, tags, tags_of_one_gop,
    tags_with_keyframes,
};
use super::{at, clip, ending, packets, serve, tool, url, wait_for_publisher, wait_until};

/// Sends a clip again and again, until the server's stream `out` is as it is to be. `is_sent` chooses
/// its tags; it is told whether somebody publishes `out` already.
fn publish_until(
    server: &Server,
    publisher: &mut Publisher,
    tags: &[FlvTag],
    is_sent: impl Fn(&FlvTag, bool) -> bool,
    is_right: impl Fn(&Probe) -> bool,
) {
    let (mut shift, mut is_published, mut is_over) = (0, false, false);
    wait_until("the output is as it is to be", || {
        is_published = is_published || server.status().streams.len() == 2;
        for tag in tags.iter().filter(|tag| tag.kind != TagKind::Script) {
            if is_sent(tag, is_published) {
                publisher.send(tag, shift);
            }
        }
        shift += 2000;
        let found = || frameloom::probe(&at(server, "out"), InputOptions::new(), &Stop::new());
        is_over = is_over || is_published && found().is_ok_and(|found| is_right(&found));
        is_over
    });
}

/// A camera's microphone, or its picture, that is there only later.
#[test]
fn a_stream_that_comes_late_is_carried_on() {
    let tags = tags_with_keyframes();
    for first in [TagKind::Video, TagKind::Audio] {
        let server = serve(|_| {});
        let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "camera");
        let (from, to) = (at(&server, "camera"), at(&server, "out"));
        let stop = Stop::new();
        let running = {
            let stop = stop.clone();
            thread::spawn(move || Pipeline::builder(&from).stop(&stop).open()?.to_url(&to)?.run())
        };
        publish_until(
            &server,
            &mut publisher,
            &tags,
            |tag, is_published| is_published || tag.kind == first,
            |found| found.streams.len() == 2,
        );
        stop.stop();
        let snapshot = running.join().unwrap().unwrap();
        assert_eq!(snapshot.reconnects, 0, "{first:?} first: the connection is the same");
    }
}

/// What comes out as a file of a stream of these tags, which end; copied, or encoded.
fn recorded(tags: &[FlvTag], is_encoded: bool, to: &Path) -> frameloom::Snapshot {
    // What an earlier one left.
    let _ = fs::remove_file(to);
    let server = serve(|_| {});
    let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "odd");
    tags.iter().for_each(|tag| publisher.send(tag, 0));
    wait_for_publisher(&server);
    let from = at(&server, "odd");
    let opened = thread::spawn(move || Pipeline::from_url(&from));
    wait_until("it is played", || {
        server.status().streams.first().is_some_and(|stream| !stream.players.is_empty())
    });
    publisher.finish();
    // All of it comes at once: nothing is to be skipped for what is live.
    let live = ending().with("on-slow", "block").unwrap();
    let mut pipeline = opened.join().unwrap().unwrap().live(live);
    if is_encoded {
        pipeline = pipeline.process(|frame: &mut Frame| {
            frame.image_mut(PixelFormat::Rgb24)?.row_mut(0).fill(255);
            Ok(())
        });
    }
    pipeline.to_url(url(to)).unwrap().run().unwrap()
}

/// Encoders write metadata of what there was when they began, or of what another wrote before them.
#[test]
fn metadata_that_is_wrong_loses_no_stream() {
    let room = tempfile::tempdir().unwrap();
    let out = room.path().join("out.mkv");
    let all = tags_of_one_gop();
    let number = Value::Number;
    let video = || vec![("width", number(320.0)), ("videocodecid", number(7.0))];
    for (name, said) in [
        ("only the picture", video()),
        ("no sound", [video(), vec![("audiocodecid", number(0.0))]].concat()),
        ("words", vec![("videocodecid", "avc1".into()), ("audiocodecid", "mp4a".into())]),
        ("only the sound", vec![("audiocodecid", number(10.0))]),
        ("a flag", vec![("hasAudio", true.into()), ("width", number(320.0))]),
        ("nothing", vec![("duration", number(0.0))]),
    ] {
        // The stream that isn't named comes a little later than the other.
        let late = if name == "only the sound" { TagKind::Video } else { TagKind::Audio };
        let later = |tag: &FlvTag| {
            let by = if tag.kind == late { 200 } else { 0 };
            FlvTag { timestamp_ms: tag.timestamp_ms + by, ..tag.clone() }
        };
        let mut tags: Vec<_> =
            all.iter().filter(|tag| tag.kind != TagKind::Script).map(later).collect();
        tags.sort_by_key(|tag| tag.timestamp_ms);
        tags.insert(0, metadata(said));
        for is_encoded in [false, true] {
            let snapshot = recorded(&tags, is_encoded, &out);
            assert_eq!(snapshot.reconnects, 0, "{name}");
            for kind in ["v", "a"] {
                let count = packets(&out, kind).len();
                assert!(count >= 45, "{name}: {count} packets of {kind}, encoded: {is_encoded}");
            }
        }
    }
}

#[test]
fn sound_that_cannot_be_decoded_yet_never_ends_the_picture() {
    let room = tempfile::tempdir().unwrap();
    let out = room.path().join("out.mkv");
    let all: Vec<_> = tags_of_one_gop().into_iter().filter(|t| t.kind != TagKind::Script).collect();
    let header = all.iter().find(|tag| is_aac_header(tag)).unwrap().clone();
    let bare: Vec<_> = all.iter().filter(|tag| !is_aac_header(tag)).cloned().collect();
    let late = {
        let header = FlvTag { timestamp_ms: 1000, ..header.clone() };
        let mut tags = bare.clone();
        let at = tags.iter().position(|tag| tag.timestamp_ms >= 1000).unwrap();
        tags.insert(at, header);
        tags
    };
    // 48 kHz, one channel.
    let adts: Vec<_> = bare
        .iter()
        .map(|tag| match tag.kind {
            TagKind::Audio => {
                let sound = &tag.data[2..];
                let length = sound.len() + 7;
                let low = |n: usize| u8::try_from(n & 0xFF).unwrap();
                let head = [
                    0xFF,
                    0xF1,
                    0x4C,
                    0x40 | low(length >> 11),
                    low(length >> 3),
                    low(length << 5) | 0x1F,
                    0xFC,
                ];
                let data = [&tag.data[..2], &head, sound].concat().into();
                FlvTag { data, ..tag.clone() }
            }
            _ => tag.clone(),
        })
        .collect();
    let before_metadata = {
        let mut tags = all.clone();
        tags.retain(|tag| !is_aac_header(tag));
        [vec![header, metadata(vec![("videocodecid", 7.0.into())])], tags].concat()
    };
    for (name, tags, least) in
        [("never", bare, 0), ("late", late, 40), ("adts", adts, 90), ("first", before_metadata, 90)]
    {
        for is_encoded in [false, true] {
            recorded(&tags, is_encoded, &out);
            assert_eq!(packets(&out, "v").len(), 50, "{name}");
            let streams = frameloom::probe(url(&out), InputOptions::new(), &Stop::new()).unwrap();
            assert_eq!(streams.streams.len(), if least > 0 { 2 } else { 1 }, "{name}");
            if least > 0 {
                let count = packets(&out, "a").len();
                assert!(count >= least, "{name}: {count} packets of sound");
                tool("ffmpeg", &format!("-v error -xerror -i {} -f null -", out.display()));
            }
        }
    }
}

/// What RTMP doesn't carry is encoded for it, as it would have been at first.
#[test]
fn sound_that_comes_late_and_that_rtmp_does_not_carry_is_encoded() {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(
        &source,
        "-c:v libx264 -preset ultrafast -force_key_frames expr:gte(t,n_forced*0.5) \
         -c:a pcm_mulaw -ar 8000 -ac 1",
    );
    let tags = tags(&source);
    let server = serve(|_| {});
    let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "camera");
    let (from, to) = (at(&server, "camera"), at(&server, "out"));
    let stop = Stop::new();
    let running = {
        let stop = stop.clone();
        thread::spawn(move || Pipeline::builder(&from).stop(&stop).open()?.to_url(&to)?.run())
    };
    publish_until(
        &server,
        &mut publisher,
        &tags,
        |tag, is_published| is_published || tag.kind == TagKind::Video,
        |found| found.streams.iter().any(|stream| stream.codec == "aac"),
    );
    stop.stop();
    assert_eq!(running.join().unwrap().unwrap().reconnects, 0);
}

/// Pictures pause while sound goes on, or the other way round: what goes on is on its way at once, and a
/// picture that is encoded is held.
#[test]
#[ignore = "slow"]
fn one_stream_goes_on_at_once_while_the_other_pauses() {
    let tags = tags_with_keyframes();
    for (pausing, is_encoded, on_loss) in [
        (TagKind::Video, false, "hold"),
        (TagKind::Video, true, "hold"),
        (TagKind::Audio, false, "end"),
        (TagKind::Audio, true, "end"),
    ] {
        let server = serve(|_| {});
        let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "camera");
        let (from, to) = (at(&server, "camera"), at(&server, "out"));
        let stop = Stop::new();
        let running = {
            let stop = stop.clone();
            let live = LiveOptions::new().with("on-loss", on_loss).unwrap();
            thread::spawn(move || {
                let mut pipeline = Pipeline::builder(&from).stop(&stop).open()?.live(live);
                if is_encoded {
                    pipeline = pipeline.process(|frame: &mut Frame| {
                        frame.image_mut(PixelFormat::Rgb24)?.row_mut(0).fill(255);
                        Ok(())
                    });
                }
                pipeline.to_url(&to)?.run()
            })
        };
        let mut player = Player::open(server.rtmp_addr().unwrap(), "out");
        let media = tags.iter().filter(|tag| tag.kind != TagKind::Script);
        let begun = Instant::now();
        // Both for two seconds and one alone for eight, at their own speed.
        let rounds = [true, false, false, false, false];
        let all = (0_u64..).zip(rounds).flat_map(|(round, has_both)| {
            let kept = media.clone().filter(move |tag| {
                (has_both || tag.kind != pausing) && (round == 0 || !is_header(tag))
            });
            kept.map(move |tag| (tag, round * 2000))
        });
        let going_on = usize::from(pausing == TagKind::Video);
        let mut worst_ms = 0;
        for (tag, shift) in all {
            let due = Duration::from_millis(u64::from(tag.timestamp_ms) + shift);
            while begun.elapsed() < due {
                player.turn();
            }
            publisher.send(tag, shift);
            let sent = u64::from(tag.timestamp_ms) + shift;
            // The pause has to be noticed first.
            if sent > 5000 {
                worst_ms = worst_ms.max(sent.saturating_sub(player.latest[going_on]));
            }
        }
        let latest = player.latest;
        stop.stop();
        let snapshot = running.join().unwrap().unwrap();
        let what = format!("{pausing:?} pauses, encoded: {is_encoded}");
        // A writer that waits for the other stream would be eight seconds late.
        assert!(worst_ms < 4000, "{worst_ms} ms late where {what}");
        if is_encoded && pausing == TagKind::Video {
            assert!(snapshot.frames_held > 50, "{} held", snapshot.frames_held);
            assert!(latest[0] > 5000, "the picture is not held: {latest:?}");
        }
    }
}

#[test]
fn code_waits_for_video_that_comes_late() {
    let tags = tags_with_keyframes();
    let server = serve(|_| {});
    let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "camera");
    let (from, to) = (at(&server, "camera"), at(&server, "out"));
    let (opened, seen) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let stop = Stop::new();
    let running = {
        let (stop, opened, seen) = (stop.clone(), Arc::clone(&opened), Arc::clone(&seen));
        thread::spawn(move || {
            let pipeline = Pipeline::builder(&from).stop(&stop).open()?;
            opened.store(true, Ordering::SeqCst);
            let count = move |frame: &mut Frame| {
                frame.image_mut(PixelFormat::Rgb24)?.row_mut(0).fill(255);
                seen.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            pipeline.process(count).to_url(&to)?.run()
        })
    };
    publish_until(
        &server,
        &mut publisher,
        &tags,
        |tag, _| tag.kind == TagKind::Audio || opened.load(Ordering::SeqCst),
        |found| found.streams.len() == 2,
    );
    stop.stop();
    running.join().unwrap().unwrap();
    assert!(seen.load(Ordering::SeqCst) > 0);
}

/// A camera that was restarted with another size: its server has sound of it at once, and pictures from
/// the next keyframe on.
#[test]
fn a_picture_that_comes_back_later_than_its_sound_is_shown_again() {
    let room = tempfile::tempdir().unwrap();
    let large = room.path().join("large.flv");
    let keyframes = "-force_key_frames expr:gte(t,n_forced*0.5)";
    clip(&large, &format!("-s 640x360 -c:v libx264 -preset ultrafast {keyframes} -c:a aac"));
    let server = serve(|_| {});
    let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "camera");
    let (from, to) = (at(&server, "camera"), at(&server, "out"));
    let (seen, stop) = (Arc::<AtomicU64>::default(), Stop::new());
    let (tell, told) = mpsc::channel();
    let running = {
        let (stop, seen) = (stop.clone(), Arc::clone(&seen));
        thread::spawn(move || {
            let pipeline = Pipeline::builder(&from).stop(&stop).open()?;
            let _ = tell.send(pipeline.stats());
            let count = move |frame: &mut Frame| {
                frame.image_mut(PixelFormat::Rgb24)?.row_mut(0).fill(255);
                seen.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            pipeline.process(count).to_url(&to)?.run()
        })
    };
    let frames = || seen.load(Ordering::SeqCst);
    let mut shift = 0;
    let mut send = |publisher: &mut Publisher, tags: &[FlvTag], only: Option<TagKind>| {
        let is_sent = |tag: &&FlvTag| only.is_none_or(|kind| tag.kind == kind);
        tags.iter().filter(is_sent).for_each(|tag| publisher.send(tag, shift));
        shift += 2000;
    };
    let (before, after) = (tags_with_keyframes(), tags(&large));
    wait_until("its frames come", || {
        send(&mut publisher, &before, None);
        frames() > 20
    });
    let stats = told.recv().unwrap();
    publisher.finish();
    wait_until("it is lost", || {
        stats.snapshot().inputs.iter().any(|input| input.lost_for_ms.is_some())
    });
    let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "camera");
    wait_until("its sound is back", || {
        send(&mut publisher, &after, Some(TagKind::Audio));
        stats.snapshot().reconnects == 1
    });
    let known = frames();
    wait_until("its picture is back", || {
        send(&mut publisher, &after, None);
        frames() > known + 20
    });
    stop.stop();
    let snapshot = running.join().unwrap().unwrap();
    assert_eq!(snapshot.reconnects, 1, "the picture came on the same connection");
}
