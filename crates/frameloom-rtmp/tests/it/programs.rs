//! The sessions on real sockets, against the ffmpeg program and against nginx: what a player gets
//! is bit for bit what the publisher sent. Only here are there sockets and threads.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use frameloom_rtmp::flv::{
    AudioCodec, AudioTag, FlvReader, FlvTag, TagKind, VideoCodec, VideoPacketKind, VideoTag,
};
use frameloom_rtmp::{
    ClientConfig, ClientEvent, ClientRole, ClientSession, Media, MediaType, PublishKind,
    ServerEvent, ServerSession, ServerSessionConfig, TimestampUnwrapper,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("frameloom-rtmp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A child that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

thread_local! {
    /// The ffmpeg of the test that runs in this thread.
    static PROGRAM: RefCell<OsString> = RefCell::new("ffmpeg".into());
}

/// An ffmpeg of version 8 or newer, which knows Enhanced RTMP: what `FRAMELOOM_TEST_FFMPEG` names,
/// or the one that script/setup puts into target/venv.
fn newest_ffmpeg() -> OsString {
    let named = std::env::var_os("FRAMELOOM_TEST_FFMPEG");
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/lib");
    let pythons = std::fs::read_dir(libraries).into_iter().flatten().flatten();
    let folders = pythons.map(|p| p.path().join("site-packages/imageio_ffmpeg/binaries"));
    let programs = folders.filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten();
    let found = programs.map(|p| p.path()).find(|p| p.to_string_lossy().contains("/ffmpeg-"));
    named.or(found.map(Into::into)).expect("no newer ffmpeg: run script/setup --tests")
}

fn ffmpeg(arguments: &[&str]) -> Command {
    let mut command = PROGRAM.with_borrow(|program| Command::new(program));
    command.args(["-v", "error", "-nostdin", "-y"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> String {
    let output = ffmpeg(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A second of picture, with B-frames, and sound.
fn clip(directory: &Path) -> String {
    let path = directory.join("clip.flv").to_str().unwrap().to_owned();
    run(&[
        "-f",
        "lavfi",
        "-i",
        "testsrc=size=320x240:rate=25:duration=2",
        "-f",
        "lavfi",
        "-i",
        "sine=duration=2",
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-bf",
        "2",
        "-g",
        "25",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-f",
        "flv",
        &path,
    ]);
    path
}

/// Every packet's time, size and hash.
fn hashes(input: &str) -> Vec<String> {
    let text =
        run(&["-i", input, "-map", "0:v", "-map", "0:a", "-c", "copy", "-f", "framehash", "-"]);
    let lines = text.lines().filter(|line| !line.starts_with("#software"));
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    assert!(lines.len() > 100, "{text}");
    lines
}

fn tags(path: &str) -> Vec<FlvTag> {
    let mut reader = FlvReader::new(8 << 20);
    reader.push(&std::fs::read(path).unwrap());
    std::iter::from_fn(|| reader.poll().unwrap()).collect()
}

fn kind_of(tag: &FlvTag) -> MediaType {
    match tag.kind {
        TagKind::Audio => MediaType::Audio,
        TagKind::Video => MediaType::Video,
        TagKind::Script => MediaType::Metadata,
    }
}

fn accept(listener: &TcpListener) -> TcpStream {
    let socket = listener.accept().unwrap().0;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The next bytes; none at the end, or where the peer closed with something unread.
fn receive<'a>(socket: &mut TcpStream, buffer: &'a mut [u8]) -> &'a [u8] {
    match socket.read(buffer) {
        Ok(count) => &buffer[..count],
        Err(error) if error.kind() == ErrorKind::ConnectionReset => &[],
        Err(error) => panic!("{error}"),
    }
}

/// Serves one publisher to its end.
fn serve_publisher(listener: &TcpListener) -> Vec<Media> {
    let mut socket = accept(listener);
    let mut session = ServerSession::new(ServerSessionConfig::default());
    let mut buffer = vec![0; 64 * 1024];
    let mut all = Vec::new();
    loop {
        let bytes = receive(&mut socket, &mut buffer);
        if bytes.is_empty() {
            return all;
        }
        session.receive(bytes).unwrap();
        while let Some(event) = session.poll_event() {
            match event {
                ServerEvent::PublishRequested(request) => {
                    assert_eq!((request.app.as_str(), request.key.name()), ("live", "camera"));
                    session.accept(request.stream_id).unwrap();
                }
                ServerEvent::Media(media) => all.push(media),
                ServerEvent::PublishEnded { .. } | ServerEvent::Connected(_) => {}
                other => panic!("{other:?}"),
            }
        }
        while let Some(piece) = session.poll_output() {
            socket.write_all(&piece).unwrap();
        }
    }
}

/// Serves one player all there is, then the end.
fn serve_player(listener: &TcpListener, media: &[Media]) {
    let mut socket = accept(listener);
    let mut session = ServerSession::new(ServerSessionConfig::default());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let bytes = receive(&mut socket, &mut buffer);
        if bytes.is_empty() {
            return;
        }
        session.receive(bytes).unwrap();
        while let Some(event) = session.poll_event() {
            if let ServerEvent::PlayRequested(request) = event {
                let id = request.stream_id;
                session.accept(id).unwrap();
                for media in media {
                    let payload = media.payload.clone();
                    session.send_media(id, media.kind, media.timestamp_ms, payload).unwrap();
                }
                session.finish_play(id).unwrap();
            }
        }
        while let Some(piece) = session.poll_output() {
            if socket.write_all(&piece).is_err() {
                return;
            }
        }
    }
}

#[test]
fn ffmpeg_publishes_and_another_ffmpeg_plays_bit_for_bit() {
    let scratch = Scratch::new("relay");
    let clip = clip(&scratch.0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live/camera?token=1", listener.local_addr().unwrap());
    let publisher = ffmpeg(&["-i", &clip, "-c", "copy", "-f", "flv", &url]).spawn().unwrap();
    let mut publisher = Running(publisher);
    let media = serve_publisher(&listener);
    assert!(publisher.0.wait().unwrap().success());
    // ffmpeg copies packets: what came is what is in the file.
    let frames = |kind| media.iter().filter(|media| media.kind == kind).count();
    assert!(frames(MediaType::Video) > 50 && frames(MediaType::Audio) > 80);
    assert!(frames(MediaType::Metadata) > 0);

    let server = thread::spawn(move || serve_player(&listener, &media));
    assert_eq!(hashes(&url), hashes(&clip));
    server.join().unwrap();
}

/// FFmpeg writes HEVC, AV1 and VP9 into FLV from 6.1 on, Opus from 8 on.
#[test]
fn ffmpeg_relays_enhanced_rtmp_bit_for_bit() {
    PROGRAM.set(newest_ffmpeg());
    let scratch = Scratch::new("enhanced");
    let cases = [
        ("libx265", "aac", VideoCodec::Hevc, AudioCodec::Aac),
        ("libsvtav1", "libopus", VideoCodec::Av1, AudioCodec::Opus),
        ("libvpx-vp9", "flac", VideoCodec::Vp9, AudioCodec::Flac),
        ("libx264", "ac3", VideoCodec::Avc, AudioCodec::Ac3),
        ("libx264", "libmp3lame", VideoCodec::Avc, AudioCodec::Mp3),
    ];
    for (video, audio, video_codec, audio_codec) in cases {
        let clip = scratch.0.join(format!("{video}-{audio}.flv")).to_str().unwrap().to_owned();
        run(&[
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=320x240:rate=25:duration=2",
            "-f",
            "lavfi",
            "-i",
            "sine=duration=2:sample_rate=48000",
            "-c:v",
            video,
            "-g",
            "25",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            audio,
            "-strict",
            "-2",
            "-f",
            "flv",
            &clip,
        ]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtmp://{}/live/camera", listener.local_addr().unwrap());
        let publisher = ffmpeg(&["-i", &clip, "-c", "copy", "-f", "flv", &url]).spawn().unwrap();
        let mut publisher = Running(publisher);
        let media = serve_publisher(&listener);
        assert!(publisher.0.wait().unwrap().success());
        let bodies = |kind| media.iter().filter(move |media| media.kind == kind);
        let packets: Vec<_> = bodies(MediaType::Video)
            .map(|media| VideoTag::parse(&media.payload).unwrap())
            .filter(|packet| packet.kind != VideoPacketKind::Metadata)
            .collect();
        assert!(packets.iter().all(|packet| packet.codec == video_codec), "{video}");
        assert_eq!(packets[0].kind, VideoPacketKind::SequenceHeader);
        assert!(packets[1].keyframe);
        for media in bodies(MediaType::Audio) {
            assert_eq!(AudioTag::parse(&media.payload).unwrap().codec, audio_codec);
        }
        let server = thread::spawn(move || serve_player(&listener, &media));
        // What the publisher sends is not the file's to the bit: it writes VP9's header anew.
        let copy = format!("{clip}.copy.flv");
        run(&["-i", &clip, "-c", "copy", "-f", "flv", &copy]);
        assert_eq!(hashes(&url), hashes(&copy), "{video} {audio}");
        server.join().unwrap();
    }
}

/// Size and hash of every packet, without its times.
fn without_times(hashes: &[String]) -> Vec<(String, String)> {
    let lines = hashes.iter().filter(|line| !line.starts_with('#'));
    let mut rows: Vec<_> = lines
        .map(|line| {
            let columns: Vec<&str> = line.split(',').map(str::trim).collect();
            (columns[0].to_owned(), format!("{} {}", columns[4], columns[5]))
        })
        .collect();
    // By stream: packets of equal times may change places with the clock's rounding.
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

#[test]
fn ffmpeg_plays_across_16_777_215_and_2_to_the_31_ms_bit_for_bit() {
    let scratch = Scratch::new("late");
    let clip = clip(&scratch.0);
    let expected = without_times(&hashes(&clip));
    for boundary in [0xFF_FFFF_u64, 1 << 31] {
        let media: Vec<Media> = tags(&clip)
            .into_iter()
            .map(|tag| Media {
                stream_id: 1,
                kind: kind_of(&tag),
                timestamp_ms: boundary - 1000 + u64::from(tag.timestamp_ms),
                payload: tag.data,
            })
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtmp://{}/live/camera", listener.local_addr().unwrap());
        let server = thread::spawn(move || serve_player(&listener, &media));
        assert_eq!(without_times(&hashes(&url)), expected, "{boundary}");
        server.join().unwrap();
    }
}

/// Runs a client until `done` says so.
fn drive(
    client: &mut ClientSession,
    socket: &mut TcpStream,
    mut done: impl FnMut(ClientEvent) -> bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while let Some(piece) = client.poll_output() {
            socket.write_all(&piece).unwrap();
        }
        while let Some(event) = client.poll_event() {
            if done(event) {
                return;
            }
        }
        let bytes = receive(socket, &mut buffer);
        assert!(!bytes.is_empty(), "the server closed the connection");
        client.receive(bytes).unwrap();
    }
}

fn connect(address: &str) -> TcpStream {
    let start = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(socket) => {
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                return socket;
            }
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn publish(client: &mut ClientSession, socket: &mut TcpStream, tags: &[FlvTag]) {
    drive(client, socket, |event| match event {
        ClientEvent::Started => true,
        ClientEvent::Refused { .. } | ClientEvent::Ended { .. } => panic!("{event:?}"),
        _ => false,
    });
    let mut timeline = TimestampUnwrapper::default();
    for tag in tags {
        client
            .send_media(kind_of(tag), timeline.unwrap_ms(tag.timestamp_ms), tag.data.clone())
            .unwrap();
        while let Some(piece) = client.poll_output() {
            socket.write_all(&piece).unwrap();
        }
    }
}

fn config(address: &str, role: ClientRole) -> ClientConfig {
    ClientConfig::new(&format!("rtmp://{address}/live"), "live", "camera", role)
}

const PUBLISH: ClientRole = ClientRole::Publish(PublishKind::Live);

/// A port that nothing listened on a moment ago.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn our_client_publishes_to_ffmpeg_bit_for_bit() {
    let scratch = Scratch::new("listen");
    let clip = clip(&scratch.0);
    let copy = scratch.0.join("copy.flv").to_str().unwrap().to_owned();
    let address = free_address();
    let url = format!("rtmp://{address}/live/camera");
    let server = ffmpeg(&["-listen", "1", "-i", &url, "-c", "copy", "-f", "flv", &copy]).spawn();
    let mut server = Running(server.unwrap());
    let mut socket = connect(&address);
    let mut client = ClientSession::new(config(&address, PUBLISH));
    publish(&mut client, &mut socket, &tags(&clip));
    client.finish().unwrap();
    while let Some(piece) = client.poll_output() {
        socket.write_all(&piece).unwrap();
    }
    // It reads on until we close, and loses what we did not read if we do so first.
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let _ = socket.read_to_end(&mut Vec::new());
    assert!(server.0.wait().unwrap().success());
    assert_eq!(hashes(&copy), hashes(&clip));
}

#[test]
fn our_client_publishes_to_nginx_and_plays_from_it_bit_for_bit() {
    let scratch = Scratch::new("nginx");
    let clip = clip(&scratch.0);
    let address = free_address();
    let directory = scratch.0.to_str().unwrap();
    let module = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
    let settings = format!(
        "load_module {module};\npid {directory}/pid;\nerror_log {directory}/log;\ndaemon off;\n\
         master_process off;\nevents {{}}\n\
         rtmp {{ server {{ listen {address}; application live {{ live on; }} }} }}\n"
    );
    let path = scratch.0.join("nginx.conf");
    std::fs::write(&path, settings).unwrap();
    let mut nginx = Command::new("nginx");
    nginx.arg("-c").arg(&path).arg("-p").arg(directory);
    let mut nginx = nginx.stderr(Stdio::null()).spawn().map(Running).unwrap();
    let mut play_socket = connect(&address);
    let mut player = ClientSession::new(config(&address, ClientRole::Play { buffer_ms: 100 }));
    drive(&mut player, &mut play_socket, |event| event == ClientEvent::Started);

    let mut socket = connect(&address);
    let mut client = ClientSession::new(config(&address, PUBLISH));
    let tags = tags(&clip);
    publish(&mut client, &mut socket, &tags);
    let media: Vec<&FlvTag> = tags.iter().filter(|tag| tag.kind != TagKind::Script).collect();
    let sent = |kind| -> Bytes {
        let tags = media.iter().filter(|tag| tag.kind == kind);
        tags.flat_map(|tag| tag.data.clone()).collect::<BytesMut>().freeze()
    };
    let (audio, video) = (sent(TagKind::Audio), sent(TagKind::Video));
    let (mut got_audio, mut got_video) = (BytesMut::new(), BytesMut::new());
    drive(&mut player, &mut play_socket, |event| {
        if let ClientEvent::Media(media) = event {
            match media.kind {
                MediaType::Audio => got_audio.extend_from_slice(&media.payload),
                MediaType::Video => got_video.extend_from_slice(&media.payload),
                MediaType::Metadata | MediaType::Data => {}
            }
        }
        got_audio.len() >= audio.len() && got_video.len() >= video.len()
    });
    assert!(got_audio == audio && got_video == video);
    assert!(nginx.0.try_wait().unwrap().is_none());
}
