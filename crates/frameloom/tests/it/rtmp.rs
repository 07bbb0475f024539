//! The library's own RTMP, against the embedded server: every codec, odd clocks, bad servers.

use std::fs;
use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use frameloom::options::{InputOptions, LiveOptions, OutputOptions};
use frameloom::{ErrorKind, Frame, Image, Pipeline, PixelFormat, Reader, Stop, TimeBase, Writer};
use frameloom_rtmp::amf0::{self, Value};
use frameloom_rtmp::flv::{FlvReader, FlvTag, TagKind};
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, MediaType, PublishKind, ServerEvent,
    ServerSession, ServerSessionConfig as SessionConfig,
};
use frameloom_server::{Server, ServerConfig, TlsFiles};

use super::{tool, url};

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

/// A client that publishes FLV tags, with times of its own.
struct Publisher {
    session: ClientSession,
    socket: TcpStream,
}

impl Publisher {
    fn open(address: SocketAddr, name: &str) -> Publisher {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let role = ClientRole::Publish(PublishKind::Live);
        let config = ClientConfig::new("rtmp://localhost/live", "live", name, role);
        let mut publisher = Publisher { session: ClientSession::new(config), socket };
        let mut started = false;
        wait_until("the server lets us publish", || {
            publisher.turn();
            while let Some(event) = publisher.session.poll_event() {
                started |= event == ClientEvent::Started;
            }
            started
        });
        publisher
    }

    fn turn(&mut self) {
        while let Some(piece) = self.session.poll_output() {
            self.socket.write_all(&piece).unwrap();
        }
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(count) => self.session.receive(&bytes[..count]).unwrap(),
            Err(e) if matches!(e.kind(), IoErrorKind::WouldBlock | IoErrorKind::TimedOut) => {}
            Err(e) => panic!("{e}"),
        }
    }

    fn send(&mut self, tag: &FlvTag, shift_ms: u64) {
        let kind = match tag.kind {
            TagKind::Audio => MediaType::Audio,
            TagKind::Video => MediaType::Video,
            TagKind::Script => MediaType::Metadata,
        };
        let at = u64::from(tag.timestamp_ms) + shift_ms;
        self.session.send_media(kind, at, tag.data.clone()).unwrap();
        while let Some(piece) = self.session.poll_output() {
            self.socket.write_all(&piece).unwrap();
        }
    }

    fn finish(mut self) {
        self.session.finish().unwrap();
        while let Some(piece) = self.session.poll_output() {
            self.socket.write_all(&piece).unwrap();
        }
    }
}

fn tags(path: &Path) -> Vec<FlvTag> {
    let mut reader = FlvReader::new(1 << 24);
    reader.push(&fs::read(path).unwrap());
    std::iter::from_fn(|| reader.poll().unwrap()).collect()
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

/// A way to a server that can be cut.
struct Way {
    address: SocketAddr,
    ends: mpsc::Receiver<[TcpStream; 2]>,
}

impl Way {
    fn to(server: SocketAddr) -> Way {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, ends) = mpsc::channel();
        thread::spawn(move || {
            let near = listener.accept().unwrap().0;
            let far = TcpStream::connect(server).unwrap();
            let clone = |socket: &TcpStream| socket.try_clone().unwrap();
            sender.send([clone(&near), clone(&far)]).unwrap();
            let carry = |mut from: TcpStream, mut to: TcpStream| {
                thread::spawn(move || std::io::copy(&mut from, &mut to));
            };
            carry(clone(&near), clone(&far));
            carry(far, near);
        });
        Way { address, ends }
    }

    fn cut(self) {
        let ends = self.ends.recv_timeout(LIMIT).unwrap();
        ends.iter().for_each(|end| drop(end.shutdown(std::net::Shutdown::Both)));
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

/// Lets one client publish, and reads nothing more from then on, while the socket stays open.
fn stand_still(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().unwrap();
    let mut session = ServerSession::new(SessionConfig::default());
    let mut bytes = [0; 4096];
    loop {
        let mut accepted = false;
        while let Some(event) = session.poll_event() {
            if let ServerEvent::PublishRequested(request) = event {
                session.accept(request.stream_id).unwrap();
                accepted = true;
            }
        }
        while let Some(piece) = session.poll_output() {
            socket.write_all(&piece).unwrap();
        }
        if accepted {
            return socket;
        }
        let count = socket.read(&mut bytes).unwrap();
        session.receive(&bytes[..count]).unwrap();
    }
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

/// Of a clip with sound, and a keyframe at its begin alone, so that a server sends all of it.
fn tags_of_one_gop() -> Vec<FlvTag> {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(&source, "-c:v libx264 -preset ultrafast -c:a aac");
    tags(&source)
}

/// Of a clip with sound, and a keyframe twice a second.
fn tags_with_keyframes() -> Vec<FlvTag> {
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("clip.flv");
    clip(
        &source,
        "-c:v libx264 -preset ultrafast -force_key_frames expr:gte(t,n_forced*0.5) -c:a aac",
    );
    tags(&source)
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
        let both = || {
            let found = frameloom::probe(&at(&server, "out"), InputOptions::new(), &stop);
            found.is_ok_and(|found| found.streams.len() == 2)
        };
        let is_published = || server.status().streams.len() == 2;
        let (mut shift, mut begun) = (0, false);
        let mut has_both = false;
        wait_until("the output has both streams", || {
            begun = begun || is_published();
            for tag in tags.iter().filter(|tag| tag.kind != TagKind::Script) {
                if begun || tag.kind == first {
                    publisher.send(tag, shift);
                }
            }
            shift += 2000;
            has_both = has_both || begun && both();
            has_both
        });
        stop.stop();
        let snapshot = running.join().unwrap().unwrap();
        assert_eq!(snapshot.reconnects, 0, "{first:?} first: the connection is the same");
    }
}

/// An `onMetaData` of these properties.
fn metadata(properties: Vec<(&str, Value)>) -> FlvTag {
    let named = properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut data = BytesMut::new();
    amf0::encode(&"onMetaData".into(), &mut data);
    amf0::encode(&Value::EcmaArray(named), &mut data);
    FlvTag { kind: TagKind::Script, timestamp_ms: 0, data: data.freeze() }
}

/// Whether it is a sequence header of H.264 or AAC.
fn is_header(tag: &FlvTag) -> bool {
    tag.kind != TagKind::Script && tag.data.get(1) == Some(&0)
}

fn is_aac_header(tag: &FlvTag) -> bool {
    tag.kind == TagKind::Audio && tag.data.get(1) == Some(&0)
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
    let (mut shift, mut begun, mut is_aac) = (0, false, false);
    wait_until("the output has sound", || {
        begun = begun || server.status().streams.len() == 2;
        for tag in tags.iter().filter(|tag| tag.kind != TagKind::Script) {
            if begun || tag.kind == TagKind::Video {
                publisher.send(tag, shift);
            }
        }
        shift += 2000;
        is_aac = is_aac
            || begun && {
                let found = frameloom::probe(&at(&server, "out"), InputOptions::new(), &stop);
                found.is_ok_and(|found| found.streams.iter().any(|stream| stream.codec == "aac"))
            };
        is_aac
    });
    stop.stop();
    assert_eq!(running.join().unwrap().unwrap().reconnects, 0);
}

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

/// What a client sends to a server, and the way to it.
struct Tap {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    fn to(server: SocketAddr) -> Tap {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let sent: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = Arc::clone(&sent);
        thread::spawn(move || {
            let mut near = listener.accept().unwrap().0;
            let mut far = TcpStream::connect(server).unwrap();
            let (mut back, mut to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut back, &mut to));
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = near.read(&mut bytes) {
                kept.lock().unwrap().extend_from_slice(&bytes[..count]);
                if far.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            let _ = far.shutdown(std::net::Shutdown::Both);
        });
        Tap { address, sent }
    }

    fn has_sent(&self, bytes: &[u8]) -> bool {
        self.sent.lock().unwrap().windows(bytes.len()).any(|window| window == bytes)
    }
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

/// A client that plays: when the last sound and picture were.
struct Player {
    session: ClientSession,
    socket: TcpStream,
    latest: [u64; 2],
}

impl Player {
    fn open(address: SocketAddr, name: &str) -> Player {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let role = ClientRole::Play { buffer_ms: 0 };
        let config = ClientConfig::new("rtmp://localhost/live", "live", name, role);
        Player { session: ClientSession::new(config), socket, latest: [0; 2] }
    }

    fn turn(&mut self) {
        while let Some(piece) = self.session.poll_output() {
            self.socket.write_all(&piece).unwrap();
        }
        let mut bytes = [0; 65536];
        if let Ok(count) = self.socket.read(&mut bytes) {
            self.session.receive(&bytes[..count]).unwrap();
        }
        while let Some(event) = self.session.poll_event() {
            if let ClientEvent::Media(media) = event {
                let latest = match media.kind {
                    MediaType::Video => &mut self.latest[0],
                    MediaType::Audio => &mut self.latest[1],
                    _ => continue,
                };
                *latest = (*latest).max(media.timestamp_ms);
            }
        }
    }
}

/// Pictures pause while sound goes on, or the other way round: what goes on is on its way at once, and a
/// picture that is encoded is held.
#[test]
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
    let (mut shift, mut has_both) = (0, false);
    wait_until("the output has both streams", || {
        let is_open = opened.load(Ordering::SeqCst);
        for tag in tags.iter().filter(|tag| tag.kind != TagKind::Script) {
            if is_open || tag.kind == TagKind::Audio {
                publisher.send(tag, shift);
            }
        }
        shift += 2000;
        has_both = has_both
            || server.status().streams.len() == 2 && {
                let found = frameloom::probe(&at(&server, "out"), InputOptions::new(), &stop);
                found.is_ok_and(|found| found.streams.len() == 2)
            };
        has_both
    });
    stop.stop();
    running.join().unwrap().unwrap();
    assert!(seen.load(Ordering::SeqCst) > 0);
}
