//! Other programs that publish and play: GStreamer, librtmp's rtmpdump, mpv.

use std::path::{Path, PathBuf};

use frameloom_server::Server;

use super::clips::{assert_same, clip, packets_of, room};
use super::ffmpeg::HalfSent;
use super::run::{Ffmpeg, Running, start};
use super::{http, rtmp, wait_until_played, wait_until_received};
use crate::client::{serve, wait_until};

const H264_AAC: &str = "-c:v libx264 -preset veryfast -c:a aac";

/// Has a program play what `ffmpeg` publishes; returns what was sent and what the program wrote.
fn play(play: impl FnOnce(&Server, &Path) -> Running) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let room = room();
    let (sent, played) = (room.path().join("sent.flv"), room.path().join("played.flv"));
    let server = serve(|_| {});
    let clip = clip(Ffmpeg::System, H264_AAC);
    let mut publisher = HalfSent::start(&server, Ffmpeg::System, &clip, &sent);
    let player = play(&server, &played);
    wait_until_played(&server, &mut publisher.ffmpeg, 1);
    publisher.finish();
    player.ok();
    (room, sent, played)
}

fn packets(file: &Path) -> Vec<String> {
    packets_of(Ffmpeg::System, file)
}

#[track_caller]
fn assert_same_packets(played: &Path, sent: &Path, by: &str) {
    let sent = packets(sent);
    assert!(sent.len() > 60, "{sent:?}");
    assert_same(&packets(played), &sent, by);
}

/// How many packets of sound are in a file before the first of the picture.
fn sound_ahead_of_the_picture(file: &Path) -> usize {
    let args = args!["-v", "error", "-show_entries", "packet=codec_type", "-of", "csv=p=0", file];
    let kinds = start("ffprobe", args).ok();
    kinds.lines().take_while(|kind| kind.starts_with("audio")).count()
}

#[test]
fn rtmpdump_plays() {
    let (_room, sent, played) = play(|server, file| {
        start("rtmpdump", args!["-q", "--live", "-r", rtmp(server, "camera"), "-o", file])
    });
    assert_same_packets(&played, &sent, "rtmpdump");
}

#[test]
fn gstreamers_rtmp2src_plays() {
    let (_room, sent, played) = play(|server, file| {
        let source = format!("location={}", rtmp(server, "camera"));
        let sink = format!("location={}", file.display());
        start("gst-launch-1.0", args!["-q", "rtmp2src", source, "!", "filesink", sink])
    });
    let (played, mut sent) = (packets(&played), packets(&sent));
    // It throws away the message that it holds when it hears of the stream's end.
    let last = sent.iter().rposition(|packet| packet.starts_with("0 ")).unwrap();
    if !played.contains(&sent[last]) {
        sent.remove(last);
    }
    assert_same(&played, &sent, "rtmp2src");
}

/// mpv decodes as well: its pictures are those that are in what was sent.
fn mpv_plays(url: impl FnOnce(&Server) -> String) {
    let (_room, sent, played) = play(|server, file| {
        let mut args = args!["--no-config", "--no-terminal", "--ovc=rawvideo", "--no-audio"];
        args.extend(args!["--of=framemd5", format!("--o={}", file.display()), url(server)]);
        start("mpv", args)
    });
    let decode = |file: &Path| {
        let pictures = args!["-i", file, "-an", "-fps_mode", "passthrough", "-f", "framemd5", "-"];
        Ffmpeg::System.run(pictures)
    };
    let hashes = |listing: &str| {
        let frames = listing.lines().filter(|line| !line.starts_with('#'));
        frames.filter_map(|line| line.rsplit(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    let sent = hashes(&decode(&sent));
    assert_eq!(sent.len(), 75);
    assert_same(&hashes(&std::fs::read_to_string(played).unwrap()), &sent, "mpv");
}

#[test]
fn mpv_plays_rtmp() {
    mpv_plays(|server| rtmp(server, "camera"));
}

#[test]
fn mpv_plays_http_flv() {
    mpv_plays(|server| http(server, "camera"));
}

#[test]
fn gstreamers_rtmp2sink_publishes() {
    gstreamer_publishes("rtmp2sink");
}

/// GStreamer's older sink is librtmp.
#[test]
fn librtmp_publishes() {
    gstreamer_publishes("rtmpsink");
}

fn gstreamer_publishes(sink: &str) {
    let room = room();
    let sent = room.path().join("sent.flv");
    let server = serve(|_| {});
    let mut args = args!["-q", "-e"];
    let pipeline = format!(
        "flvmux name=mux streamable=true ! tee name=t \
         t. ! queue ! {sink} location={} t. ! queue ! filesink location={} \
         videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=25/1 ! \
         x264enc tune=zerolatency key-int-max=100000 option-string=scenecut=0 ! \
         queue ! mux. \
         audiotestsrc is-live=true ! audio/x-raw,rate=44100 ! \
         lamemp3enc ! mpegaudioparse ! queue ! mux.",
        rtmp(&server, "camera"),
        sent.display()
    );
    args.extend(pipeline.split_whitespace().map(std::ffi::OsString::from));
    let mut publisher = start("gst-launch-1.0", args);
    // With a keyframe, from which on late players get all.
    wait_until_received(&server, &mut publisher, 20_000);
    let urls = [rtmp(&server, "camera"), http(&server, "camera")];
    let playing = urls.map(|url| {
        let played =
            room.path().join(if url.starts_with("rtmp") { "rtmp.flv" } else { "http.flv" });
        let args = args!["-copyts", "-i", &url, "-map", "0", "-c", "copy", "-f", "flv", &played];
        (url, Ffmpeg::System.start(args), played)
    });
    wait_until_played(&server, &mut publisher, playing.len());
    let received = |server: &Server| server.status().streams[0].received_bytes;
    let before = received(&server);
    wait_until("more was published", || received(&server) > before + 200_000);
    publisher.interrupt();
    publisher.ok();
    let ahead = sound_ahead_of_the_picture(&sent);
    let mut sent = packets(&sent);
    let first = sent.iter().position(|packet| packet.starts_with("1 ")).unwrap();
    sent.drain(first..first + ahead);
    assert!(sent.len() > 60, "{sent:?}");
    for (url, player, played) in playing {
        player.ok();
        assert_same(&packets(&played), &sent, &url);
    }
}
