//! What a pipeline has around it: time, and how its ends are opened.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use super::{Opened, Output, Target};
use crate::error::Result;
use crate::options::{InputOptions, OutputOptions};
use crate::time::clock::{Clock, RealClock};
use crate::time::stop::Stop;

/// Opens what is read from and written to.
pub(crate) trait EndOpener: Debug + Send + Sync {
    /// Opens an input and finds out what is in it. A live one may give nothing for `stall_limit`.
    fn input(
        &self,
        url: &str,
        options: &InputOptions,
        stall_limit: Duration,
        stop: &Stop,
    ) -> Result<Opened>;

    /// What packets for a target are written with, not connected yet.
    fn output(
        &self,
        target: &Target,
        options: &OutputOptions,
        stop: &Stop,
    ) -> Result<Box<dyn Output>>;
}

/// Files, devices and the network.
#[derive(Debug)]
struct RealEndOpener;

impl EndOpener for RealEndOpener {
    fn input(
        &self,
        url: &str,
        options: &InputOptions,
        stall_limit: Duration,
        stop: &Stop,
    ) -> Result<Opened> {
        super::open_input(url, options, stall_limit, stop)
    }

    fn output(
        &self,
        target: &Target,
        options: &OutputOptions,
        stop: &Stop,
    ) -> Result<Box<dyn Output>> {
        target.protocol.output(target, options, stop)
    }
}

/// Time and ends; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) opener: Arc<dyn EndOpener>,
}

impl Environment {
    /// The machine's.
    pub(crate) fn real() -> Environment {
        Environment { clock: Arc::new(RealClock), opener: Arc::new(RealEndOpener) }
    }
}
