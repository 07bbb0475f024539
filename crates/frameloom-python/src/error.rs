//! The library's errors as Python's.

use frameloom::{Error, ErrorKind};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The class in `frameloom._errors` for a kind.
fn class(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Usage => "InvalidValue",
        ErrorKind::NotFound => "NotFound",
        ErrorKind::AlreadyExists => "AlreadyExists",
        ErrorKind::PermissionDenied => "NotPermitted",
        ErrorKind::Connection => "ConnectionFailed",
        ErrorKind::TimedOut => "TimedOut",
        ErrorKind::InvalidData => "InvalidData",
        ErrorKind::StorageFull => "StorageFull",
        ErrorKind::Interrupted => "Interrupted",
        _ => "Error",
    }
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let class = py.import("frameloom._errors")?.getattr(class(error.kind()))?;
    let made = class.call1((
        error.to_string(),
        error.stage().to_string(),
        error.target(),
        error.cause(),
        error.hint_text(),
    ))?;
    Ok(PyErr::from_value(made))
}

/// The Python exception for an error of the library.
pub(crate) fn raised(error: &Error) -> PyErr {
    Python::attach(|py| {
        exception(py, error).unwrap_or_else(|_| PyRuntimeError::new_err(error.to_string()))
    })
}

/// A wrong value.
pub(crate) fn invalid(text: impl AsRef<str>) -> PyErr {
    raised(&Error::new(ErrorKind::Usage, frameloom::Stage::Options, text))
}
