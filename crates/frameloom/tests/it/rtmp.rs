//! The library's own RTMP, against the embedded server: every codec, odd clocks, bad servers.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use frameloom::options::{InputOptions, LiveOptions, OutputOptions};
use frameloom::{ErrorKind, Frame, Image, Pipeline, PixelFormat, Reader, TimeBase, Writer};
use frameloom_rtmp::flv::{FlvTag, TagKind};
use frameloom_server::{Server, ServerConfig, TlsFiles};

use self::peers::{Publisher, Way, stand_still, tags};
use super::{tool, url};

#[path = "rtmp/late.rs"]
mod late;
#[path = "rtmp/peers.rs"]
pub(super) mod peers;
#[path = "rtmp/wire.rs"]
mod wire;

/// Far more than anything here should take.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn serve(change: impl FnOnce(&mut ServerConfig)) -> Server {
    let free = Some(([127, 0, 0, 1], 0).into());
    let mut config =
        ServerConfig { rtmp_listen: free, http_listen: None, ..ServerConfig::default() };
    change(&mut config);
    Server::spawn(config).unwrap()
}

pub(super) fn at(server: &Server, name: &str) -> String {
    format!("rtmp://{}/live/{name}", server.rtmp_addr().unwrap())
}

pub(super) fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < LIMIT, "waited too long until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The run ends where the stream does.
fn ending() -> LiveOptions {
    LiveOptions::new().with("on-loss", "end").unwrap()
}

pub(super) fn wait_for_publisher(server: &Server) {
    wait_until("someone publishes", || !server.status().streams.is_empty());
}

/// The checksum of every packet of a kind.
fn packets(path: &Path, kind: &str) -> Vec<String> {
    let listed = tool(
        "ffmpeg",
        &format!("-v error -i {} -map 0:{kind} -c copy -f framemd5 -", path.display()),
    );
    let lines = listed.lines().filter(|l| !l.starts_with('#'));
    // Behind the packet's own checksum there may be others, of side data.
    lines.map(|l| l.split(',').nth(5).unwrap_or_default().trim().to_owned()).collect()
}

/// Two seconds with one keyframe, so that whoever comes late still gets all of it.
pub(super) fn clip(path: &Path, codecs: &str) {
    tool(
        "ffmpeg",
        &format!(
            "-v error -y -f lavfi -i testsrc2=s=320x180:r=25:d=2 -f lavfi -i sine=r=48000:d=2 \
             -pix_fmt yuv420p -g 1000 {codecs} {}",
            path.display()
        ),
    );
}

#[test]
#[ignore = "slow"]
fn every_codec_goes_out_and_comes_in_bit_for_bit() {
    let room = tempfile::tempdir().unwrap();
    for (n, codecs) in [
        "-c:v libx264 -bf 2 -c:a aac",
        "-c:v libx265 -x265-params log-level=none -c:a libmp3lame",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
        "-c:v libaom-av1 -usage realtime -cpu-used 8 -c:a aac",
    ]
    .into_iter()
    .enumerate()
    {
        let source = room.path().join(format!("{n}.mkv"));
        let received = room.path().join(format!("{n}-received.mkv"));
        clip(&source, codecs);
        let server = serve(|_| {});
        let target = at(&server, "clip");
        let publisher = {
            let (source, target) = (url(&source).to_owned(), target.clone());
            thread::spawn(move || {
                let options = InputOptions::new().with("re", "")?;
                Pipeline::builder(&source).input(options).open()?.to_url(&target)?.run()
            })
        };
        wait_for_publisher(&server);
        let pipeline = Pipeline::from_url(&target).unwrap().live(ending());
        pipeline.to_url(url(&received)).unwrap().run().unwrap();
        publisher.join().unwrap().unwrap();
        for kind in ["v", "a"] {
            let sent = packets(&source, kind);
            assert!(sent.len() >= 50);
            let received = packets(&received, kind);
            // The player begins with the keyframe: sound that came before it is not for it.
            let missing = sent.len() - received.len();
            assert!(missing <= usize::from(kind == "a"), "{codecs}: {missing} of {kind}");
            assert!(received == sent[missing..], "{codecs}: not the same {kind}");
        }
    }
}

#[test]
fn what_an_encoder_gives_is_published_with_its_configuration() {
    for encoder in ["libx264", "libx265", "libvpx-vp9"] {
        let server = serve(|_| {});
        let target = at(&server, "made");
        let mut options = OutputOptions::new().with("c:v", encoder).unwrap();
        if encoder == "libvpx-vp9" {
            options = options.with("deadline", "realtime").unwrap();
        }
        let mut writer = Writer::builder(&target).output(options).open().unwrap();
        let ticks = TimeBase::new(1, 25).unwrap();
        let mut write = |n: i64| {
            let pixels = vec![u8::try_from(n % 200).unwrap(); 320 * 180 * 3];
            let image = Image::packed(PixelFormat::Rgb24, 320, 180, &pixels).unwrap();
            writer.write(Frame::from_image(&image, ticks.at(n)).unwrap()).unwrap();
        };
        (0..60).for_each(&mut write);
        let (sender, receiver) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut reader = Reader::open(&target).unwrap();
            let frame = reader.next().unwrap().unwrap();
            let image = frame.image(PixelFormat::Rgb24).unwrap();
            let seen = (image.width(), image.height());
            sender.send(seen).unwrap();
        });
        let mut n = 60;
        wait_until("a frame is seen", || {
            write(n);
            n += 1;
            receiver.try_recv().is_ok_and(|size| size == (320, 180))
        });
        reader.join().unwrap();
        writer.finish().unwrap();
    }
}

#[test]
fn timestamps_go_on_past_2_to_the_24_31_and_32_ms() {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(&source, "-c:v libx264 -bf 0 -c:a aac");
    let tags = tags(&source);
    for border in [1_u64 << 24, 1 << 31, 1 << 32] {
        let server = serve(|_| {});
        let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "clock");
        tags.iter().for_each(|tag| publisher.send(tag, border - 1000));
        wait_for_publisher(&server);
        let url = at(&server, "clock");
        let reader = thread::spawn(move || {
            let frames = Reader::open(&url).unwrap();
            frames.map(|f| f.unwrap().pts().as_micros() / 1000).collect::<Vec<i64>>()
        });
        wait_until("the reader is there", || {
            server.status().streams.first().is_some_and(|s| !s.players.is_empty())
        });
        publisher.finish();
        let times = reader.join().unwrap();
        let first = times[0];
        // Sound may begin a little before or behind the picture.
        assert!(first.abs() < 100, "{border}: it begins at {first} ms");
        let expected: Vec<i64> = (0..50).map(|n| first + 40 * n).collect();
        assert_eq!(times, expected, "across {border} ms");
    }
}

#[test]
fn a_reader_tells_a_lost_connection_from_the_end_of_a_stream() {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(&source, "-c:v libx264 -bf 0 -c:a aac");
    let server = serve(|_| {});
    let address = server.rtmp_addr().unwrap();
    for is_cut in [true, false] {
        let name = format!("way{is_cut}");
        let mut publisher = Publisher::open(address, &name);
        tags(&source).iter().for_each(|tag| publisher.send(tag, 0));
        wait_until("it is published", || server.status().streams.iter().any(|s| s.name == name));
        let way = Way::to(address);
        let mut frames = Reader::open(&format!("rtmp://{}/live/{name}", way.address)).unwrap();
        assert!(frames.next().unwrap().is_ok());
        if is_cut {
            way.cut();
        } else {
            publisher.finish();
        }
        let rest: Vec<_> = frames.by_ref().collect();
        let (frames_there, errors): (Vec<_>, Vec<_>) = rest.into_iter().partition(Result::is_ok);
        let errors: Vec<_> = errors.into_iter().map(|e| e.unwrap_err().kind()).collect();
        assert_eq!(errors, if is_cut { vec![ErrorKind::Connection] } else { vec![] });
        // What had come was decoded all the same.
        assert!(is_cut || frames_there.len() == 49, "{}", frames_there.len());
        assert!(frames.next().is_none(), "an error is the last item");
    }
}

#[test]
fn a_stream_of_sound_alone_is_open_while_it_still_runs() {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("sound.flv");
    tool("ffmpeg", &format!("-v error -y -f lavfi -i sine=d=1 -c:a aac {}", source.display()));
    let server = serve(|_| {});
    let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "sound");
    tags(&source).iter().for_each(|tag| publisher.send(tag, 0));
    wait_for_publisher(&server);
    // One second of sound was sent, and the publisher is silent now.
    let out = room.path().join("out.mp4");
    let pipeline = Pipeline::from_url(&at(&server, "sound")).unwrap().live(ending());
    let pipeline = pipeline.to_url(url(&out)).unwrap();
    publisher.finish();
    pipeline.run().unwrap();
    assert_eq!(packets(&out, "a"), packets(&source, "a"));
}

#[test]
fn a_publisher_that_lies_about_its_codec_is_an_error_and_harms_nobody() {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(&source, "-c:v flv -c:a aac");
    let server = serve(|_| {});
    let mut liar = Publisher::open(server.rtmp_addr().unwrap(), "liar");
    for tag in tags(&source) {
        // Sorenson's pictures under H.264's number, and no configuration that fits.
        let mut data = tag.data.to_vec();
        if tag.kind == TagKind::Video {
            data.splice(..1, [data[0] & 0xF0 | 7, 1, 0, 0, 0]);
        }
        liar.send(&FlvTag { data: data.into(), ..tag }, 0);
    }
    wait_for_publisher(&server);
    let target = at(&server, "liar");
    let reader = thread::spawn(move || {
        let frames = Reader::open(&target)?.collect::<frameloom::Result<Vec<Frame>>>()?;
        Ok::<usize, frameloom::Error>(frames.len())
    });
    wait_until("the reader has it", || {
        reader.is_finished()
            || server.status().streams.first().is_some_and(|s| !s.players.is_empty())
    });
    liar.finish();
    let error = reader.join().unwrap().expect_err("pictures came of nothing");
    assert_eq!(error.to_string().lines().count(), 1);

    let honest = room.path().join("honest.flv");
    clip(&honest, "-c:v libx264 -bf 0 -c:a aac");
    let mut publisher = Publisher::open(server.rtmp_addr().unwrap(), "honest");
    tags(&honest).iter().for_each(|tag| publisher.send(tag, 0));
    let target = at(&server, "honest");
    wait_until("it is published", || server.status().streams.iter().any(|s| s.name == "honest"));
    assert!(Reader::open(&target).unwrap().next().unwrap().is_ok());
    publisher.finish();
}

#[test]
fn a_refusal_says_why_without_the_key() {
    let server = serve(|config| config.publish_key = Some("open-sesame".into()));
    let refused = |url: &str| Writer::create(url).map(drop);
    let error = refused(&at(&server, "camera?key=abracadabra")).unwrap_err();
    let told = error.to_string();
    assert!(!told.contains("abracadabra") && !told.contains("camera"), "{told}");
    assert!(told.contains("the server refused") && told.contains("stream key right?"), "{told}");

    let first = Writer::create(&at(&server, "camera?key=open-sesame"));
    let first = first.unwrap();
    let second = refused(&at(&server, "camera?key=open-sesame")).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::AlreadyExists);
    drop(first);

    let missing = Reader::open(&at(&server, "nobody")).map(drop).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("has no such stream"), "{missing}");
}

#[test]
fn rtmps_goes_to_servers_that_are_trusted() {
    let room = tempfile::tempdir().unwrap();
    let (certificate, private_key) = (room.path().join("cert.pem"), room.path().join("key.pem"));
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = authority.self_signed(&authority_key).unwrap();
    let server_key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&server_key, &authority, &authority_key).unwrap();
    let trusted = room.path().join("authority.pem");
    fs::write(&trusted, authority.pem()).unwrap();
    fs::write(&certificate, server.pem()).unwrap();
    fs::write(&private_key, server_key.serialize_pem()).unwrap();
    let trusted = url(&trusted).to_owned();
    let server = serve(|config| {
        config.rtmps_listen = config.rtmp_listen;
        config.tls = Some(TlsFiles { certificate, private_key });
    });
    let port = server.rtmps_addr().unwrap().port();
    let target = format!("rtmps://localhost:{port}/live/secret");

    let error = Writer::create(&target).map(drop).unwrap_err();
    assert!(error.to_string().contains("-ca_file"), "{error}");

    let options = OutputOptions::new().with("ca_file", &trusted).unwrap();
    let mut writer = Writer::builder(&target).output(options).open().unwrap();
    let ticks = TimeBase::new(1, 25).unwrap();
    for n in 0..30 {
        let pixels = vec![90; 64 * 64 * 3];
        let image = Image::packed(PixelFormat::Rgb24, 64, 64, &pixels).unwrap();
        writer.write(Frame::from_image(&image, ticks.at(n)).unwrap()).unwrap();
    }
    wait_for_publisher(&server);
    let reader = thread::spawn(move || {
        let anyone = InputOptions::new().with("tls_verify", "0").unwrap();
        Reader::builder(&target).input(anyone).open().unwrap().filter(Result::is_ok).count()
    });
    wait_until("the reader is there", || {
        server.status().streams.first().is_some_and(|s| !s.players.is_empty())
    });
    writer.finish().unwrap();
    assert_eq!(reader.join().unwrap(), 30);
}

#[test]
fn a_server_that_stops_reading_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("rtmp://{}/live/x", listener.local_addr().unwrap());
    let server = thread::spawn(move || stand_still(&listener));
    let options = OutputOptions::new()
        .with("rw_timeout", "500000")
        .and_then(|o| o.with("c:v", "libx264"))
        .and_then(|o| o.with("qp", "0"))
        .and_then(|o| o.with("preset", "ultrafast"))
        .unwrap();
    let mut writer = Writer::builder(&target).output(options).open().unwrap();
    let still_open = server.join().unwrap();
    let ticks = TimeBase::new(1, 25).unwrap();
    let begun = Instant::now();
    let mut noise = 1_u32;
    let error = (0..).find_map(|n| {
        assert!(begun.elapsed() < LIMIT, "it was not noticed");
        // Noise does not compress, so that the socket is full soon.
        let pixels: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_be_bytes()[0]
        })
        .take(640 * 360 * 3)
        .collect();
        let image = Image::packed(PixelFormat::Rgb24, 640, 360, &pixels).unwrap();
        writer.write(Frame::from_image(&image, ticks.at(n)).unwrap()).err()
    });
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    drop(still_open);
}

#[test]
fn libavs_rtmp_stays_within_reach() {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(&source, "-c:v libx264 -bf 0 -c:a aac");
    let server = serve(|_| {});
    let target = at(&server, "clip");
    let publisher = {
        let (source, target) = (url(&source).to_owned(), target.clone());
        thread::spawn(move || {
            let input = InputOptions::new().with("re", "")?;
            let output = OutputOptions::new().rtmp_by_libav(true);
            let pipeline = Pipeline::builder(&source).input(input).open()?;
            pipeline.to_url_with(&target, output)?.run()
        })
    };
    wait_for_publisher(&server);
    let published = server.status().streams[0].publisher.client.clone();
    assert!(!format!("{published:?}").contains("Frameloom"), "{published:?}");
    let options = InputOptions::new().rtmp_by_libav(true);
    let reader = Reader::builder(&target).input(options).open().unwrap();
    assert_eq!(reader.filter(Result::is_ok).count(), 50);
    publisher.join().unwrap().unwrap();
}
