//! A live input that has no video yet, though there is code to edit it.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::input::{Next, Source};
use crate::live::retry::{Retry, RetryPolicy};
use crate::live::supervise::{Reopened, due, reopen};
use crate::protocol::ends::Outside;
use crate::time::stop::Stop;

/// Waits until the input has video, and opens it again as it is then. What comes before that is
/// not used.
///
/// # Errors
/// Where video can't come, or the input ends; [`ErrorKind::Interrupted`] at a stop.
pub(super) fn await_video(
    mut source: Source,
    stall_limit: Duration,
    reconnect_for: Option<Duration>,
    outside: &Outside,
    stop: &Stop,
) -> Result<Source> {
    let mut told = false;
    let mut retry = Retry::new(RetryPolicy::connection(reconnect_for));
    while source.video.is_none() {
        let none =
            Error::new(ErrorKind::InvalidData, Stage::Source, "there is no video in it to edit")
                .at(source.url());
        if source.options.no_video || !source.reopen_on_new_stream(true) {
            return Err(none);
        }
        if !std::mem::replace(&mut told, true) {
            tracing::info!("there is only sound yet; the video is waited for");
        }
        source.set_stall_limit(stall_limit);
        let cause = loop {
            match source.next()? {
                _ if stop.is_stopped() => {
                    return Err(Error::new(ErrorKind::Interrupted, Stage::Source, "stopped"));
                }
                Next::Packet(_) | Next::Configuration(_) => {}
                Next::Over => return Err(none),
                Next::Lost(cause) => break cause,
            }
        };
        let open = || Source::open_again(source.url(), &source.options, stall_limit, outside, stop);
        let clock = &*outside.clock;
        let first = due(retry.lost(clock.now(), clock.random()), &retry, &cause)?;
        let Reopened { end, retry: after, .. } = reopen(open, retry, first, clock, stop)?;
        retry = after;
        let options = source.options;
        source = end;
        source.options = options;
    }
    Ok(source)
}
