//! Published outputs that are opened early, and those that come back.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use frameloom::options::OutputOptions;
use frameloom::{EndState, ErrorKind, Event, Feed, Frame, Image, Pipeline, PixelFormat, TimeBase};

use super::rtmp::{LIMIT, at, clip, serve, wait_for_publisher, wait_until};
use super::url;

/// A gray picture at its place in a stream of 25 frames a second.
fn gray_at(number: i64) -> Frame {
    let image = Image::packed(PixelFormat::Gray, 64, 48, &[120; 64 * 48]).unwrap();
    Frame::from_image(&image, TimeBase::new(1, 25).unwrap().at(number)).unwrap()
}

/// Writes at the stream's own speed until `is_so`.
fn feed_until(feed: &mut Feed, number: &mut i64, what: &str, mut is_so: impl FnMut(&Feed) -> bool) {
    wait_until(what, || {
        assert!(feed.write_timeout(gray_at(*number), LIMIT).unwrap().is_none());
        *number += 1;
        thread::sleep(Duration::from_millis(40));
        is_so(feed)
    });
}

#[test]
fn a_feed_goes_on_when_its_server_comes_back() {
    let server = serve(|_| {});
    let (target, listened) = (at(&server, "drawn"), server.rtmp_addr());
    let told = Arc::new(AtomicU64::new(0));
    let heard = Arc::clone(&told);
    let listener = move |event: &Event| match event {
        Event::OutputLost { .. } => _ = heard.fetch_add(1, Ordering::SeqCst),
        Event::OutputBack { .. } => _ = heard.fetch_add(10, Ordering::SeqCst),
        _ => {}
    };
    let builder = Feed::builder(&target);
    let mut feed = builder.on_event(listener).open().unwrap();
    let state = |feed: &Feed| feed.stats().snapshot().outputs[0].state;
    let mut number = 0;
    feed_until(&mut feed, &mut number, "it is published", |_| !server.status().streams.is_empty());
    drop(server);
    feed_until(&mut feed, &mut number, "the loss is seen", |f| state(f) == EndState::Lost);
    let server = serve(|config| config.rtmp_listen = listened);
    feed_until(&mut feed, &mut number, "it is back", |f| state(f) == EndState::Ok);
    let has_video = || server.status().streams.iter().any(|stream| stream.video.is_some());
    feed_until(&mut feed, &mut number, "its video comes", |_| has_video());
    assert!(feed.finish_timeout(LIMIT).unwrap());
    assert_eq!(told.load(Ordering::SeqCst), 11);
    assert!(feed.stats().snapshot().packets_dropped > 0);
}

#[test]
fn an_output_is_connected_before_the_pipeline_runs() {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("source.mkv");
    clip(&source, "-c:v libx264 -c:a aac");
    let server = serve(|_| {});
    let target = at(&server, "clip");
    let pipeline = Pipeline::from_url(url(&source)).unwrap();
    let pending = |url: &str| pipeline.outgoing_pending(url, OutputOptions::new()).unwrap();
    let nowhere = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("rtmp://{}/live/clip", listener.local_addr().unwrap())
    };
    let refused = pending(&nowhere).wait(LIMIT).unwrap().err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Connection);
    // Given up, it leaves.
    let outgoing = pending(&target).wait(LIMIT).unwrap().unwrap();
    wait_for_publisher(&server);
    drop(outgoing);
    wait_until("it is gone", || server.status().streams.is_empty());

    let outgoing = pending(&target).wait(LIMIT).unwrap().unwrap();
    let mut frames = pipeline.to(outgoing).frames().unwrap();
    while let Some(frame) = frames.next() {
        frames.write(frame.unwrap()).unwrap();
    }
    assert_eq!(frames.finish().unwrap().frames_out, 50);
    assert_eq!(server.status().totals.connections, 2);
}
