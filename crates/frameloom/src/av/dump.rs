//! What is in inputs and outputs, in the layout that the ffmpeg program writes: programs read it.

use ffmpeg_sys_next as ff;

use super::{
    AvError, CodecParams, Demuxer, Interrupt, Muxer, StreamInfo, c_string, log, muxer_for,
};
use crate::time::stop::Stop;
use crate::url::redact;

/// The target of the events that tell it.
pub const DUMP_TARGET: &str = "libav::dump";

/// Whether somebody reads it.
pub(crate) fn is_dump_wanted() -> bool {
    tracing::enabled!(target: DUMP_TARGET, tracing::Level::INFO)
}

/// Tells it, as one event of several lines.
pub(crate) fn tell_dump(text: &str) {
    let lines: Vec<String> = text.lines().map(redact::text).collect();
    tracing::info!(target: DUMP_TARGET, "{}", lines.join("\n"));
}

impl Demuxer {
    /// What is in it: the input of this number, which is shown as `url`.
    pub(crate) fn dump(&self, number: usize, url: &str) -> String {
        dump(self.context(), number, url, false)
    }
}

impl Muxer {
    /// What goes into it: the output of this number, which is shown as `url`.
    pub(crate) fn dump(&self, number: usize, url: &str) -> String {
        dump(self.context(), number, url, true)
    }
}

fn dump(context: &ff::AVFormatContext, number: usize, url: &str, is_output: bool) -> String {
    let (number, url) = (libc::c_int::try_from(number).unwrap_or(0), c_string(url));
    let context = std::ptr::from_ref(context).cast_mut();
    // SAFETY: an open context, which is only read, and a NUL-terminated string.
    log::said_during(|| unsafe {
        ff::av_dump_format(context, number, url.as_ptr(), libc::c_int::from(is_output));
    })
}

/// The same of an output that no muxer of libav writes: its container's name, and its streams.
pub(crate) fn dump_of_output(
    number: usize,
    url: &str,
    container: &str,
    streams: &[&CodecParams],
) -> Result<String, AvError> {
    let format = muxer_for(Some(container), "");
    let format = format.ok_or_else(|| AvError::new(ff::AVERROR_MUXER_NOT_FOUND))?;
    let mut muxer = Muxer::new("", format, Interrupt::new(Stop::new()))?;
    for params in streams {
        muxer.add_stream(params, crate::time::TimeBase::MILLIS, None, None, None)?;
    }
    Ok(muxer.dump(number, url))
}

/// The same of an input that no demuxer of libav reads.
pub(crate) fn dump_of_input(
    number: usize,
    url: &str,
    container: &str,
    streams: &[StreamInfo],
) -> Result<String, AvError> {
    let demuxer = Demuxer::described(container, streams)?;
    Ok(demuxer.dump(number, url))
}
