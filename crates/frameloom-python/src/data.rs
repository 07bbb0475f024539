//! What code knows of a frame: a dictionary in Python, JSON in the library.

use frameloom::FrameData;
use pyo3::prelude::*;

use crate::error::{invalid, raised};

/// What a dictionary says, as JSON. Numbers and arrays of numpy are taken for those of Python.
pub(crate) fn frame_data(value: &Bound<'_, PyAny>) -> PyResult<FrameData> {
    let py = value.py();
    let text = py.import("frameloom._data")?.getattr("as_json")?.call1((value,));
    let text: String = text
        .map_err(|e| {
            let error = invalid(format!("data: it can't be written as JSON: {}", e.value(py)));
            error.set_cause(py, Some(e));
            error
        })?
        .extract()?;
    FrameData::from_json(&text).map_err(|e| raised(&e))
}
