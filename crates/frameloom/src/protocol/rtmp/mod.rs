//! RTMP as a client: a session of `frameloom-rtmp` on a socket, with time-outs, and what FLV calls
//! the codecs that libav has under other names.
//!
//! `input.rs` plays with it and `output.rs` publishes.

mod codecs;
mod connection;
mod endpoint;
mod fault;
mod input;
mod output;
mod socket;
mod tls;

use std::time::Duration;

use self::endpoint::Endpoint;
use crate::av::{CodecId, MediaKind};
use crate::error::Result;
use crate::options::{InputOptions, OutputOptions};
use crate::protocol::backend::{Opened, Output, Protocol, Target};
use crate::time::stop::Stop;

/// RTMP and RTMPS by our own client.
#[derive(Debug)]
pub(crate) struct Rtmp;

impl Protocol for Rtmp {
    fn name(&self) -> &'static str {
        "rtmp"
    }

    fn reads(&self, url: &str, options: &InputOptions) -> bool {
        let format = options.format.as_deref();
        matches!(format, None | Some("flv" | "live_flv"))
            && endpoint::is_for_us(url, options.format_options())
    }

    fn open(
        &self,
        url: &str,
        options: &InputOptions,
        stall_limit: Duration,
        stop: &Stop,
    ) -> Result<Opened> {
        input::open(&Endpoint::of_input(url, options)?, url, options, stall_limit, stop)
    }

    fn writes(&self, url: &str, options: &OutputOptions) -> bool {
        options.format.as_deref().is_none_or(|format| format.eq_ignore_ascii_case("flv"))
            && endpoint::is_for_us(url, options.format_options())
    }

    fn check_input(&self, url: &str, options: &InputOptions) -> Result<()> {
        Endpoint::of_input(url, options).map(drop)
    }

    fn check_output(&self, url: &str, options: &OutputOptions) -> Result<()> {
        Endpoint::of_output(url, options).map(drop)
    }

    fn option_schemes(&self, _url: &str) -> Vec<String> {
        endpoint::LIBAVS_SCHEMES.map(str::to_owned).to_vec()
    }

    fn carries(&self, codec: CodecId, kind: MediaKind) -> Option<bool> {
        Some(match kind {
            MediaKind::Video => codecs::video_codec(codec).is_some(),
            _ => codecs::audio_codec(codec).is_some(),
        })
    }

    /// libav's FLV files may have them; of what is published, servers and players expect more.
    fn allows_equal_dts(&self) -> bool {
        false
    }

    fn takes_late_streams(&self) -> bool {
        true
    }

    fn output(
        &self,
        target: &Target,
        options: &OutputOptions,
        stop: &Stop,
    ) -> Result<Box<dyn Output>> {
        let endpoint = Endpoint::of_output(&target.url, options)?;
        Ok(Box::new(output::RtmpOutput::new(endpoint, target, options, stop)))
    }
}
