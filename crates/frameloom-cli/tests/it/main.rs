//! What frameloom must show, against real peers: nginx with its RTMP module, and the `ffmpeg`
//! program as publisher and as the independent judge of what came out.
//!
//! `harness` holds what the tests share. A test that can't find what it needs (the film, numpy,
//! nginx) fails and names `script/setup`; none is skipped silently.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the harness fails a test by panicking, as the tests themselves do"
)]

#[macro_use]
mod harness;

mod audio_command;
mod bad_input;
mod bad_usage;
mod beside;
mod carriage;
mod colour;
mod command;
mod command_exchange;
mod covers;
mod dropin;
mod edges;
mod effects;
mod faults;
mod files;
mod formats_in;
mod formats_out;
mod frame_data;
mod hardware;
mod http;
mod like_ffmpeg;
mod listings;
mod live;
mod live_code;
mod memory;
mod midway;
mod network;
mod offset;
mod pixels;
mod recipe;
mod reports;
mod serve;
mod service;
mod stop;
mod subtitles;
mod time;
mod untouched;
