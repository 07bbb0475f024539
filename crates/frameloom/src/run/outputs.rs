//! An output before its pipeline runs: checked, and maybe opened already.

use crate::error::Result;
use crate::options::OutputOptions;
use crate::output::{Sink, StreamSetup};
use crate::protocol::Target;

/// An output of a pipeline that doesn't run yet. Dropped, it is given up.
pub(crate) struct NewOutput {
    pub(crate) target: Target,
    pub(crate) options: OutputOptions,
    pub(crate) open: Option<OpenSink>,
}

/// A sink, and the streams that it was opened for.
pub(crate) struct OpenSink {
    pub(crate) streams: Vec<StreamSetup>,
    pub(crate) sink: Sink,
}

impl NewOutput {
    /// Checked, but not opened.
    pub(crate) fn new(url: &str, options: OutputOptions) -> Result<NewOutput> {
        options.check()?;
        let target = Target::resolve(url, &options)?;
        target.check_writable(&options)?;
        Ok(NewOutput { target, options, open: None })
    }
}
