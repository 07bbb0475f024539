//! From the `ffmpeg` program to the `ffmpeg` program.

use std::fs;
use std::path::Path;

use frameloom_server::Server;

use super::clips::{assert_same, clip, listing, packets, packets_of, room};
use super::run::{Ffmpeg, Running};
use super::{http, rtmp, wait_until_played, wait_until_received};
use crate::client::serve;

/// A publisher that has sent about half of a clip.
pub(super) struct HalfSent {
    pub(super) ffmpeg: Running,
    rest: Vec<u8>,
}

impl HalfSent {
    /// Publishes `live/camera`, and writes the same to the file `sent`.
    pub(super) fn start(server: &Server, by: Ffmpeg, clip: &Path, sent: &Path) -> HalfSent {
        let mut first = fs::read(clip).unwrap();
        let rest = first.split_off(first.len() / 2);
        let url = rtmp(server, "camera");
        // Little probing, which would wait for more than there is yet.
        let mut args = args!["-probesize", "32000", "-f", "flv", "-i", "pipe:0"];
        for output in [Path::new(&url), sent] {
            args.extend(args!["-map", "0", "-c", "copy", "-f", "flv", output]);
        }
        let mut ffmpeg = by.start(args);
        ffmpeg.write(&first);
        wait_until_received(server, &mut ffmpeg, 1);
        HalfSent { ffmpeg, rest }
    }

    /// Sends the rest and ends the stream.
    pub(super) fn finish(mut self) {
        self.ffmpeg.write(&self.rest);
        self.ffmpeg.close_stdin();
        self.ffmpeg.ok();
    }
}

fn is_played_as_published(by: Ffmpeg, codecs: &str, players: &[Ffmpeg]) {
    let clip = clip(by, codecs);
    let room = room();
    let sent = room.path().join("sent.flv");
    let server = serve(|_| {});
    let mut publisher = HalfSent::start(&server, by, &clip, &sent);
    let mut playing = Vec::new();
    for &player in players {
        for url in [rtmp(&server, "camera"), http(&server, "camera")] {
            playing.push((player, format!("{player:?} {url}"), player.start(listing(&url))));
        }
    }
    wait_until_played(&server, &mut publisher.ffmpeg, playing.len());
    publisher.finish();
    for (player, name, running) in playing {
        let published = packets_of(player, &sent);
        assert!(published.len() > 100, "{published:?}");
        assert_same(&packets(&running.ok()), &published, &name);
    }
}

const BOTH: [Ffmpeg; 2] = [Ffmpeg::System, Ffmpeg::New];

#[test]
fn h264_and_aac_from_the_systems_ffmpeg() {
    is_played_as_published(Ffmpeg::System, "-c:v libx264 -preset veryfast -c:a aac", &BOTH);
}

#[test]
fn h264_and_aac_from_the_newest_ffmpeg() {
    is_played_as_published(Ffmpeg::New, "-c:v libx264 -preset veryfast -c:a aac", &BOTH);
}

#[test]
fn mp3_from_the_systems_ffmpeg() {
    let codecs = "-c:v libx264 -preset veryfast -c:a libmp3lame -ar 44100";
    is_played_as_published(Ffmpeg::System, codecs, &BOTH);
}

#[test]
fn mp3_from_the_newest_ffmpeg() {
    let codecs = "-c:v libx264 -preset veryfast -c:a libmp3lame -ar 44100";
    is_played_as_published(Ffmpeg::New, codecs, &BOTH);
}

#[test]
fn hevc() {
    let codecs = "-c:v libx265 -preset ultrafast -x265-params log-level=none -c:a aac";
    is_played_as_published(Ffmpeg::New, codecs, &[Ffmpeg::New]);
}

#[test]
fn av1_and_opus() {
    let codecs = "-c:v libaom-av1 -cpu-used 8 -usage realtime -c:a libopus";
    is_played_as_published(Ffmpeg::New, codecs, &[Ffmpeg::New]);
}

#[test]
fn vp9_and_opus() {
    let codecs = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus";
    is_played_as_published(Ffmpeg::New, codecs, &[Ffmpeg::New]);
}
