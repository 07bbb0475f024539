//! Waits, in slices: between them the GIL is free, and Python looks at its signals.

use std::time::{Duration, Instant};

use frameloom::{Error, ErrorKind, Pending, Result, Stage, Stop};
use pyo3::prelude::*;

use crate::error::raised;

/// How long a wait goes on before Python may look at its signals.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// Calls `step` with the GIL released, over and over, until it gives something. `on_signal` is told
/// where a signal's handler raises, as Ctrl-C's does.
pub(crate) fn until<T: Send>(
    py: Python<'_>,
    mut step: impl FnMut() -> Result<Option<T>> + Send,
    mut on_signal: impl FnMut(),
) -> PyResult<T> {
    loop {
        let stepped = py.detach(&mut step);
        if let Some(found) = stepped.map_err(|e| raised(&e))? {
            return Ok(found);
        }
        if let Err(interrupt) = py.check_signals() {
            on_signal();
            return Err(interrupt);
        }
    }
}

/// The same for at most so long, where a limit is given: `None` where nothing came by then. `step` waits for
/// as long as it is told.
pub(crate) fn within<T: Send>(
    py: Python<'_>,
    limit: Option<Duration>,
    mut step: impl FnMut(Duration) -> Result<Option<T>> + Send,
) -> PyResult<Option<T>> {
    // More than a clock can count is no limit.
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    let step = || {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let slice = left.map_or(SLICE, |left| left.min(SLICE));
        let is_last = left.is_some_and(|left| left <= slice);
        let found = step(slice)?;
        Ok((found.is_some() || is_last).then_some(found))
    };
    until(py, step, || {})
}

/// The error where a wait was over before a frame came.
pub(crate) fn nothing_came(limit: Option<Duration>, source: Option<&str>) -> PyErr {
    let cause = format!("no frame came within {} s", limit.unwrap_or_default().as_secs_f64());
    let late = Error::new(ErrorKind::TimedOut, Stage::Source, cause);
    raised(&source.map_or_else(|| late.clone(), |source| late.clone().at(source)))
}

/// Waits for something that is being opened; `stop` ends that.
pub(crate) fn opened<T: Send + 'static>(
    py: Python<'_>,
    pending: Result<Pending<T>>,
    stop: &Stop,
) -> PyResult<T> {
    let pending = pending.map_err(|e| raised(&e))?;
    until(py, || pending.wait(SLICE).transpose(), || stop.stop())
}
