//! Arguments of a few numbers, and lists of sources: what is wrong with one is told with its name.
//!
//! pyo3 names an argument in a `TypeError` alone, and numbers that are out of range raise another.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};

use crate::error::invalid;

/// A whole number from `least` on.
fn whole(name: &str, given: &Bound<'_, PyAny>, least: u32) -> PyResult<u32> {
    match given.extract::<u32>() {
        Ok(number) if number >= least => Ok(number),
        Err(error) if error.is_instance_of::<PyTypeError>(given.py()) => Err(error),
        _ => {
            Err(invalid(format!("{name}: {given} is no whole number from {least} to {}", u32::MAX)))
        }
    }
}

pub(crate) fn x(given: &Bound<'_, PyAny>) -> PyResult<u32> {
    whole("x", given, 0)
}

pub(crate) fn y(given: &Bound<'_, PyAny>) -> PyResult<u32> {
    whole("y", given, 0)
}

pub(crate) fn width(given: &Bound<'_, PyAny>) -> PyResult<u32> {
    whole("width", given, 1)
}

pub(crate) fn height(given: &Bound<'_, PyAny>) -> PyResult<u32> {
    whole("height", given, 1)
}

pub(crate) fn some_width(given: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
    if given.is_none() { Ok(None) } else { width(given).map(Some) }
}

pub(crate) fn some_height(given: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
    if given.is_none() { Ok(None) } else { height(given).map(Some) }
}

/// The corners of a rectangle.
fn corners(name: &str, given: &Bound<'_, PyAny>) -> PyResult<[f64; 4]> {
    given.extract().map_err(|_| {
        invalid(format!("{name}: {given} is not four numbers: left, top, right, bottom"))
    })
}

pub(crate) fn xyxy(given: &Bound<'_, PyAny>) -> PyResult<[f64; 4]> {
    corners("xyxy", given)
}

pub(crate) fn region(given: &Bound<'_, PyAny>) -> PyResult<Option<[f64; 4]>> {
    if given.is_none() { Ok(None) } else { corners("region", given).map(Some) }
}

fn point(name: &str, given: &Bound<'_, PyAny>) -> PyResult<[f64; 2]> {
    let point = given.extract();
    point.map_err(|_| invalid(format!("{name}: {given} is not two numbers: x, y")))
}

pub(crate) fn start(given: &Bound<'_, PyAny>) -> PyResult<[f64; 2]> {
    point("start", given)
}

pub(crate) fn end(given: &Bound<'_, PyAny>) -> PyResult<[f64; 2]> {
    point("end", given)
}

pub(crate) fn center(given: &Bound<'_, PyAny>) -> PyResult<[f64; 2]> {
    point("center", given)
}

pub(crate) fn at(given: &Bound<'_, PyAny>) -> PyResult<[f64; 2]> {
    point("at", given)
}

/// The corner of something that is laid pixel on pixel.
pub(crate) fn at_pixel(given: &Bound<'_, PyAny>) -> PyResult<[i64; 2]> {
    let pixel = given.extract();
    pixel.map_err(|_| invalid(format!("at: {given} is not two whole numbers: x, y")))
}

/// Red, green and blue of the bars beside a picture.
pub(crate) fn fill(given: &Bound<'_, PyAny>) -> PyResult<[u8; 3]> {
    given.extract().map_err(|_| {
        invalid(format!("fill: {given} is not three whole numbers from 0 to 255: red, green, blue"))
    })
}

/// Paths and URLs. A single one would be read letter by letter.
pub(crate) fn sources<'py>(given: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let is_one = given.is_instance_of::<PyString>()
        || given.is_instance_of::<PyBytes>()
        || given.is_instance_of::<PyByteArray>()
        || given.hasattr("__fspath__")?;
    if is_one {
        return Err(PyTypeError::new_err(
            "expected a list of sources, and this is a single one: put it into [ ]",
        ));
    }
    given.extract()
}
