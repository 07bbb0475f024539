//! Files, pipes, devices and protocols that libav reads and writes: whatever no other protocol
//! takes.

mod first_times;
mod input;
mod output;
mod recovery;
mod seek;

pub(crate) use input::open_plainly;

use std::time::Duration;

use crate::error::Result;
use crate::options::{InputOptions, OutputOptions};
use crate::protocol::backend::{Opened, Output, Protocol, Target};
use crate::time::stop::Stop;
use crate::url;

/// libavformat.
#[derive(Debug)]
pub(crate) struct Libav;

impl Protocol for Libav {
    fn name(&self) -> &'static str {
        "libav"
    }

    fn reads(&self, _url: &str, _options: &InputOptions) -> bool {
        true
    }

    fn open(
        &self,
        url: &str,
        options: &InputOptions,
        stall_limit: Duration,
        stop: &Stop,
    ) -> Result<Opened> {
        input::open(url, options, stall_limit, stop)
    }

    fn writes(&self, _url: &str, _options: &OutputOptions) -> bool {
        true
    }

    fn option_schemes(&self, url: &str) -> Vec<String> {
        vec![url::scheme(url).unwrap_or_else(|| "file".to_owned())]
    }

    fn output(
        &self,
        target: &Target,
        options: &OutputOptions,
        stop: &Stop,
    ) -> Result<Box<dyn Output>> {
        Ok(Box::new(output::LibavOutput::new(target, options, stop)?))
    }
}
