//! What code knows of a frame: a dictionary in Python, JSON in the library.

use frameloom::FrameData;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{invalid, raised};

/// What a dictionary says, as JSON. Numbers and arrays of numpy are taken for those of Python.
pub(crate) fn frame_data(value: &Bound<'_, PyAny>) -> PyResult<FrameData> {
    let py = value.py();
    let options = PyDict::new(py);
    options.set_item("separators", (",", ":"))?;
    options.set_item("ensure_ascii", false)?;
    options.set_item("allow_nan", false)?;
    options.set_item("default", py.import("frameloom._data")?.getattr("plain")?)?;
    let text = py.import("json")?.getattr("dumps")?.call((value,), Some(&options));
    let text: String = text
        .map_err(|e| {
            let error = invalid(format!("data: it can't be written as JSON: {}", e.value(py)));
            error.set_cause(py, Some(e));
            error
        })?
        .extract()?;
    FrameData::from_json(&text).map_err(|e| raised(&e))
}
