//! The library's errors as Python's.

use frameloom::{Error, ErrorKind, Sentence, Wording};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::wording::Keywords;

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

/// The error number of the builtin class that the exception is one of, where it stands for one.
fn usual_errno(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound => Some("ENOENT"),
        ErrorKind::AlreadyExists => Some("EEXIST"),
        ErrorKind::PermissionDenied => Some("EACCES"),
        ErrorKind::TimedOut => Some("ETIMEDOUT"),
        ErrorKind::StorageFull => Some("ENOSPC"),
        ErrorKind::Interrupted => Some("EINTR"),
        _ => None,
    }
}

fn errno(py: Python<'_>, error: &Error) -> PyResult<Option<i32>> {
    if error.errno().is_some() {
        return Ok(error.errno());
    }
    let usual = |name| py.import("errno")?.getattr(name)?.extract();
    usual_errno(error.kind()).map(usual).transpose()
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let class = py.import("frameloom._errors")?.getattr(class(error.kind()))?;
    let details = PyDict::new(py);
    details.set_item("stage", error.stage().to_string())?;
    details.set_item("url", error.target())?;
    details.set_item("cause", error.cause().display(&Keywords).to_string())?;
    details.set_item("hint", error.advice_in(&Keywords))?;
    details.set_item("option", error.option().map(|option| Keywords.name(option)))?;
    details.set_item("errno", errno(py, error)?)?;
    let made = class.call((error.display(&Keywords).to_string(),), Some(&details))?;
    Ok(PyErr::from_value(made))
}

/// The Python exception for an error of the library.
pub(crate) fn raised(error: &Error) -> PyErr {
    Python::attach(|py| {
        exception(py, error)
            .unwrap_or_else(|_| PyRuntimeError::new_err(error.display(&Keywords).to_string()))
    })
}

/// A wrong value.
pub(crate) fn invalid(text: impl Into<Sentence>) -> PyErr {
    raised(&Error::new(ErrorKind::Usage, frameloom::Stage::Options, text))
}

/// What leaving a `with` block comes to, closed as it was: what went wrong first is what is told.
pub(crate) fn left(kind: &Bound<'_, PyAny>, closed: PyResult<()>) -> PyResult<bool> {
    match closed {
        Err(later) if kind.is_none() => Err(later),
        _ => Ok(false),
    }
}
