//! Cameras: publishers that go on for ever, and can be killed, frozen and set up anew.

use std::ffi::OsString;
use std::path::PathBuf;

use super::clips::{clip, counted_from};
use super::run::{Running, ffmpeg_reader};

/// What a camera shows: numbered pictures, and a tone that is louder for the first tenth of each
/// second.
#[derive(Clone, Copy)]
pub(crate) struct Film {
    /// The number of the first picture.
    pub(crate) first: usize,
    /// What the pictures are drawn at, counter and all.
    pub(crate) drawn: &'static str,
    /// What they are scaled to then.
    pub(crate) size: &'static str,
    pub(crate) rate: usize,
    /// Of the encoder.
    pub(crate) profile: &'static str,
    /// In Hz; none without audio.
    pub(crate) sample_rate: Option<u32>,
    /// The tone's, in Hz.
    pub(crate) tone: u32,
    /// What is added to every time.
    pub(crate) clock_s: u32,
}

/// Long enough that no test sees its end; a camera begins anew there.
pub(super) const SECONDS: u32 = 60;

impl Film {
    /// Where a camera begins that is set up in the place of another, so that the two can be told
    /// apart: a number at which a second begins at any of the tests' rates.
    pub(crate) const SECOND_FIRST: usize = 2100;

    /// What the first camera of most tests shows.
    pub(crate) const fn plain() -> Film {
        Film {
            first: 0,
            drawn: "320x240",
            size: "320x240",
            rate: 25,
            profile: "baseline",
            sample_rate: Some(44_100),
            tone: 440,
            clock_s: 0,
        }
    }

    /// What a camera in its place shows.
    pub(crate) const fn second() -> Film {
        Film { first: Film::SECOND_FIRST, ..Film::plain() }
    }

    /// A keyframe every second, and no B-frames.
    pub(crate) fn file(&self) -> PathBuf {
        let picture = counted_from(self.first, self.drawn, &self.rate.to_string(), SECONDS);
        let scaled = format!("{picture},scale={}:flags=neighbor", self.size.replace('x', ":"));
        let mut recipe = format!("-f lavfi -i {scaled}");
        if let Some(rate) = self.sample_rate {
            recipe += &format!(
                " -f lavfi -i aevalsrc=(0.1+0.4*lt(mod(t\\,1)\\,0.1))*sin({}*PI*t):s={rate}:\
                 d={SECONDS} -c:a aac -b:a 64k -ac 2",
                2 * self.tone
            );
        }
        let (rate, profile) = (self.rate, self.profile);
        recipe += &format!(
            " -c:v libx264 -preset superfast -bf 0 -g {rate} -keyint_min {rate} -sc_threshold 0 \
             -pix_fmt yuv420p -profile:v {profile}"
        );
        clip("film.flv", &recipe)
    }
}

/// A publisher in real time, of a film again and again.
pub(crate) struct Camera {
    publisher: Running,
}

impl Camera {
    pub(crate) fn start(film: &Film, url: &str) -> Camera {
        Camera::start_to(film, args!["-f", "flv", url])
    }

    /// As `start`, to an output of the caller's own.
    pub(crate) fn start_to(film: &Film, output: Vec<OsString>) -> Camera {
        let mut args = args!["-re", "-stream_loop", "-1", "-i", film.file(), "-c", "copy"];
        args.extend(args!["-output_ts_offset", film.clock_s.to_string()]);
        args.extend(output);
        Camera { publisher: ffmpeg_reader(args).limit_s(600).spawn() }
    }

    /// Ends it as a power cut of the camera's does; its server sees the connection closed.
    pub(crate) fn kill(self) {
        self.publisher.kill();
    }

    /// It sends nothing more, and its connection stays.
    pub(crate) fn freeze(&self) {
        self.publisher.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.publisher.signal("CONT");
    }
}
