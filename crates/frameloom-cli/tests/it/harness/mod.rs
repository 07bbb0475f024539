//! What the tests share: processes with a limit, nginx, clips, and the judging of what came out.

/// A command line of strings and paths, mixed.
macro_rules! args {
    ($($arg:expr),* $(,)?) => {
        vec![$(std::ffi::OsString::from(AsRef::<std::ffi::OsStr>::as_ref(&$arg))),*]
    };
}

pub(crate) mod camera;
pub(crate) mod clips;
pub(crate) mod fleet;
pub(crate) mod judge;
pub(crate) mod nginx;
pub(crate) mod pixels;
pub(crate) mod places;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod rational;
pub(crate) mod recorder;
pub(crate) mod run;
pub(crate) mod scene;
pub(crate) mod stats;
pub(crate) mod story;
pub(crate) mod timed_camera;
pub(crate) mod web;

pub(crate) use clips::{clip, counted, counted_av};
pub(crate) use fleet::{Fleet, Ports};
pub(crate) use judge::{Kind, packet_hashes, packets, probe_streams, times, video_info};
pub(crate) use nginx::Nginx;
pub(crate) use pixels::{counters, decode, mean_difference, psnr};
pub(crate) use places::{film, fixture, python, room, wait_for_udp};
pub(crate) use random::Rng;
pub(crate) use rational::Rational;
pub(crate) use run::{Outcome, Run, Running, ffmpeg, ffmpeg_reader, frameloom, signal, wait_until};
