//! A live input that has no video yet, though there is code to edit it.

use std::time::Duration;

use crate::av::MediaKind;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::input::{Source, SourceItem};
use crate::live::retry::{Retry, RetryPolicy};
use crate::live::supervise::{Reopened, due, reopen};
use crate::protocol::environment::Environment;
use crate::time::stop::Stop;

/// Waits until the input has video. What comes before that is not used.
///
/// # Errors
/// Where video can't come, or the input ends; [`ErrorKind::Interrupted`] at a stop.
pub(super) fn await_video(
    mut source: Source,
    stall_limit: Duration,
    reconnect_for: Option<Duration>,
    environment: &Environment,
    stop: &Stop,
) -> Result<Source> {
    let mut is_logged = false;
    let mut retry = Retry::new(RetryPolicy::connection(reconnect_for));
    while source.video().is_none() {
        let none =
            Error::new(ErrorKind::InvalidData, Stage::Source, "there is no video in it to edit")
                .at(source.url());
        if source.options.no_video || !source.accept_new_streams() {
            return Err(none);
        }
        if !std::mem::replace(&mut is_logged, true) {
            tracing::info!("there is only sound yet; the video is waited for");
        }
        source.set_stall_limit(stall_limit);
        let cause = loop {
            let next = source.next()?;
            if source.take_new_kind() == Some(MediaKind::Video) {
                // Its first keyframe is read next: here the outputs begin.
                source.begin_here();
                return Ok(source);
            }
            match next {
                _ if stop.is_stopped() => {
                    return Err(Error::new(ErrorKind::Interrupted, Stage::Source, "stopped"));
                }
                SourceItem::Packet(_) | SourceItem::Configuration(..) => {}
                SourceItem::Over => return Err(none),
                SourceItem::Lost(cause) => break cause,
            }
        };
        let open =
            || Source::open_again(source.url(), &source.options, stall_limit, environment, stop);
        let clock = &*environment.clock;
        let first = due(retry.lost(clock.now(), clock.random()), &retry, &cause)?;
        let Reopened { end, retry: after, .. } = reopen(open, retry, first, clock, stop)?;
        retry = after;
        let options = source.options;
        source = end;
        source.options = options;
    }
    Ok(source)
}
