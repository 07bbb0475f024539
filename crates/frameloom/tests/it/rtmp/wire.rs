//! What is sent to a server: the application, the name and the options.

use std::time::Duration;

use frameloom::options::{InputOptions, OutputOptions};
use frameloom::{Pipeline, Reader};

use super::peers::{Publisher, Tap, tags_with_keyframes};
use super::{clip, serve, url, wait_for_publisher};

/// As FFmpeg, GStreamer and rtmpdump take them apart.
#[test]
fn a_name_is_found_behind_the_applications_query_and_beside_an_application_that_is_given() {
    let tags = tags_with_keyframes();
    let server = serve(|_| {});
    let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "camera");
    tags.iter().for_each(|tag| publisher.send(tag, 0));
    wait_for_publisher(&server);
    let address = server.rtmp_addr().unwrap();
    let plain = InputOptions::new();
    for (path, options) in [
        ("live?token=abc/camera", plain.clone()),
        ("camera", plain.clone().with("rtmp_app", "live").unwrap()),
        ("live/camera?token=a/b", plain),
    ] {
        let url = format!("rtmp://{address}/{path}");
        let opened = Reader::builder(&url).input(options).open();
        assert!(opened.is_ok(), "{path}: {:?}", opened.err());
    }
    publisher.finish();
}

/// As AMF0 has a property or argument that is text.
fn amf_text(name: Option<&str>, text: &str) -> Vec<u8> {
    let short = |text: &str| {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&length[..], text.as_bytes()].concat()
    };
    [name.map(short).unwrap_or_default(), vec![2], short(text)].concat()
}

fn amf_number(number: f64) -> Vec<u8> {
    [&[0][..], &number.to_be_bytes()].concat()
}

/// What FFmpeg's `rtmpproto.c` sends for its options.
#[test]
fn options_of_rtmp_are_sent_as_ffmpeg_sends_them() {
    let tags = tags_with_keyframes();
    let server = serve(|_| {});
    let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "wire");
    tags.iter().for_each(|tag| publisher.send(tag, 0));
    wait_for_publisher(&server);
    let played = |live: f64| {
        [amf_text(None, "play"), amf_number(5.0), vec![5], amf_text(None, "wire"), amf_number(live)]
            .concat()
    };
    let object_end = [0, 0, 9];
    for (name, value, wanted) in [
        ("rtmp_swfurl", "http://h/p.swf", amf_text(Some("swfUrl"), "http://h/p.swf")),
        ("rtmp_pageurl", "http://h/page", amf_text(Some("pageUrl"), "http://h/page")),
        ("rtmp_flashver", "WIN 32", amf_text(Some("flashVer"), "WIN 32")),
        ("rtmp_tcurl", "rtmp://else/where", amf_text(Some("tcUrl"), "rtmp://else/where")),
        (
            "rtmp_conn",
            "B:1 S:auth N:2",
            [&object_end[..], &[1, 1], &amf_text(None, "auth"), &amf_number(2.0)].concat(),
        ),
        (
            "rtmp_conn",
            "O:1 NS:k:v O:0",
            [&object_end[..], &[3], &amf_text(Some("k"), "v"), &object_end].concat(),
        ),
        ("rtmp_live", "any", played(-2000.0)),
        ("rtmp_live", "live", played(-1000.0)),
        ("rtmp_live", "recorded", played(0.0)),
        ("rtmp_live", "live", amf_text(None, "FCSubscribe")),
        ("rtmp_subscribe", "news", [amf_number(6.0), vec![5], amf_text(None, "news")].concat()),
    ] {
        let tap = Tap::to(server.rtmp_addr().unwrap());
        let options = InputOptions::new().with(name, value).unwrap();
        let from = format!("rtmp://{}/live/wire", tap.address);
        // A server may refuse what it is asked so.
        let _ = Reader::builder(&from).input(options.open_timeout(Duration::from_secs(3))).open();
        assert!(tap.has_sent(&wanted), "-{name} {value}: not sent");
    }
    publisher.finish();
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(&source, "-c:v libx264 -preset ultrafast -c:a aac");
    for (name, value, wanted) in [
        ("rtmp_swfurl", "http://h/p.swf", amf_text(Some("swfUrl"), "http://h/p.swf")),
        ("rtmp_flashver", "WIN 32", amf_text(Some("flashVer"), "WIN 32")),
        ("rtmp_tcurl", "rtmp://else/where", amf_text(Some("tcUrl"), "rtmp://else/where")),
        (
            "rtmp_conn",
            "B:1 S:auth N:2",
            [&object_end[..], &[1, 1], &amf_text(None, "auth"), &amf_number(2.0)].concat(),
        ),
    ] {
        let tap = Tap::to(server.rtmp_addr().unwrap());
        let options = OutputOptions::new().with(name, value).unwrap();
        let to = format!("rtmp://{}/live/sent", tap.address);
        let pipeline = Pipeline::from_url(url(&source)).unwrap();
        pipeline.to_url_with(&to, options).unwrap().run().unwrap();
        assert!(tap.has_sent(&wanted), "-{name} {value}: not sent by an output");
    }
}
