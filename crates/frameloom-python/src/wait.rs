//! Waits, in slices: between them the GIL is free, and Python looks at its signals.

use std::time::Duration;

use frameloom::{Pending, Result, Stop};
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

/// Waits for something that is being opened; `stop` ends that.
pub(crate) fn opened<T: Send + 'static>(
    py: Python<'_>,
    pending: Result<Pending<T>>,
    stop: &Stop,
) -> PyResult<T> {
    let pending = pending.map_err(|e| raised(&e))?;
    until(py, || pending.wait(SLICE).transpose(), || stop.stop())
}
