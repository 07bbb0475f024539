//! What is in an input, as Python sees it.

use frameloom::Probe;
use pyo3::prelude::*;

use crate::error::raised;

/// As a dictionary.
pub(crate) fn as_dict<'py>(py: Python<'py>, info: &Probe) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(info)
        .map_err(|e| raised(&frameloom::Error::process(e.to_string())))?;
    py.import("json")?.getattr("loads")?.call1((text,))
}
