//! Opens the inputs of a pipeline, and puts what stands in for them in the place of those that are missing.

use std::time::{Duration, Instant};

use super::Pending;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::input::Source;
use crate::live::stand_in::{StandInPicture, stand_in};
use crate::options::{InputOptions, Live, WaitForInputs};
use crate::protocol::environment::Environment;
use crate::time::stop::Stop;
use crate::url;

/// How long one input is waited for before the next one is looked at.
const SLICE: Duration = Duration::from_millis(10);

/// How long inputs that may be missing are waited for once another live one is there.
const BESIDE: Duration = Duration::from_secs(2);

/// An input that is being opened.
struct Opening {
    url: String,
    options: InputOptions,
    stop: Stop,
    pending: Pending<Source>,
    found: Option<Found>,
}

enum Found {
    Source(Box<Source>),
    /// A run may begin without it.
    Missing(Error),
}

/// Opens all inputs, each on a thread of its own where there are several: live ones begin together.
///
/// # Errors
/// Those of the first that can't be opened and must be there.
pub(super) fn open_inputs(
    inputs: Vec<(String, InputOptions)>,
    environment: &Environment,
    stop: &Stop,
) -> Result<Vec<Source>> {
    // What is being opened is given up where another one fails.
    let all = stop.child();
    let start = |(url, options): (String, InputOptions)| {
        let stop = all.child();
        let pending = {
            let (url, options) = (url.clone(), options.clone());
            let (environment, stop) = (environment.clone(), stop.clone());
            Pending::start(move || Source::open(&url, options, &environment, &stop))?
        };
        Ok(Opening { url, options, stop, pending, found: None })
    };
    let mut openings = inputs.into_iter().map(start).collect::<Result<Vec<Opening>>>()?;
    let opened = wait_for(&mut openings, environment).inspect_err(|_| all.stop());
    opened?;
    let sources = openings.iter().filter_map(|opening| match &opening.found {
        Some(Found::Source(source)) => source.video(),
        _ => None,
    });
    let picture = StandInPicture::like(sources.into_iter().next());
    let source = |opening: Opening| match opening.found {
        Some(Found::Source(source)) => Ok(*source),
        Some(Found::Missing(cause)) => {
            let opened = stand_in(picture, &opening.options, cause)?;
            Source::of(&opening.url, opening.options, opened, environment)
        }
        None => Err(Error::process("an input was not waited for")),
    };
    openings.into_iter().map(source).collect()
}

/// Waits until it is known of each what comes of it.
fn wait_for(openings: &mut [Opening], environment: &Environment) -> Result<()> {
    let clock = &environment.clock;
    let mut first: Option<Instant> = None;
    while openings.iter().any(|opening| opening.found.is_none()) {
        for opening in openings.iter_mut().filter(|opening| opening.found.is_none()) {
            let found = match opening.pending.wait(SLICE) {
                Some(Ok(source)) => {
                    first = first.or(source.is_live.then(|| clock.now()));
                    Found::Source(Box::new(source))
                }
                Some(Err(error)) if opening.may_do_without(&error) => Found::Missing(error),
                Some(Err(error)) => return Err(error),
                None if opening.may_be_missing() && has_passed(first, clock.now()) => {
                    opening.stop.stop();
                    let error =
                        Error::new(ErrorKind::TimedOut, Stage::Source, "it is not there yet");
                    Found::Missing(error.at(&opening.url))
                }
                None => continue,
            };
            opening.found = Some(found);
        }
    }
    Ok(())
}

fn has_passed(first: Option<Instant>, now: Instant) -> bool {
    first.is_some_and(|first| now.saturating_duration_since(first) >= BESIDE)
}

impl Opening {
    /// Whether the run may begin without it.
    fn may_be_missing(&self) -> bool {
        let is_live = match self.options.live {
            Live::Auto => url::is_network(&self.url),
            Live::Yes => true,
            Live::No => false,
        };
        is_live && self.options.wait == WaitForInputs::Any
    }

    /// Whether it may yet come, where this was said of it now.
    fn may_do_without(&self, error: &Error) -> bool {
        let is_missing = matches!(
            error.kind(),
            ErrorKind::Connection | ErrorKind::TimedOut | ErrorKind::NotFound
        );
        is_missing && self.may_be_missing()
    }
}
