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

/// What the command line's hints say, in Python's names.
const HINTS: &[(&str, &str)] = &[
    ("name it with -f, such as -f flv, mp4,", "name it with format=\"flv\", \"mp4\","),
    (" matroska or mpegts", " \"matroska\" or \"mpegts\""),
    ("name the format with -f", "name the format with format=\"...\""),
    (
        "raw input needs -f, -s and -pix_fmt",
        "raw input needs format, and in options video_size \
      and pixel_format",
    ),
    ("-y overwrites it", "overwrite=True overwrites it"),
    ("--reconnect-for sets", "reconnect_for sets"),
    ("--on-resize=fit", "on_resize=\"fit\""),
    ("--slate takes", "slate takes"),
    ("leave -c out", "leave codec out"),
    ("leave -c:v copy out", "leave codec=\"copy\" out"),
    ("-stream_loop needs", "loop needs"),
    ("-ca_file names", "options={\"ca_file\": ...} names"),
    ("-tls_verify 0 trusts", "{\"tls_verify\": 0} trusts"),
];

fn hint_of(error: &Error) -> Option<String> {
    let said = |hint: String, (theirs, ours): &(&str, &str)| hint.replace(theirs, ours);
    error.hint_text().map(|hint| HINTS.iter().fold(hint.to_owned(), said))
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let class = py.import("frameloom._errors")?.getattr(class(error.kind()))?;
    let hint = hint_of(error);
    let line = match (error.hint_text(), &hint) {
        (Some(theirs), Some(ours)) => error.to_string().replace(theirs, ours),
        _ => error.to_string(),
    };
    let made =
        class.call1((line, error.stage().to_string(), error.target(), error.cause(), hint))?;
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

/// What leaving a `with` block comes to, closed as it was: what went wrong first is what is told.
pub(crate) fn left(kind: &Bound<'_, PyAny>, closed: PyResult<()>) -> PyResult<bool> {
    match closed {
        Err(later) if kind.is_none() => Err(later),
        _ => Ok(false),
    }
}
