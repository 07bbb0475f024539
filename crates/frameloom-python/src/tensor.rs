//! Pictures as a model reads them, and the way back from what it found.

use frameloom::{
    ChannelOrder, Fit, Frame, Scaling, TensorElement, TensorLayout, TensorOptions, Transform,
};
use half::f16;
use numpy::ndarray::{ArrayD, IxDyn};
use numpy::{
    Element, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray,
    PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;

use crate::array::{by_numpy, new_array, shown};
use crate::error::{invalid, raised};

/// `Frame.tensor`'s arguments.
pub(crate) struct TensorKeywords<'a, 'py> {
    pub(crate) size: &'a Bound<'py, PyAny>,
    pub(crate) fit: &'a str,
    pub(crate) fill: [u8; 3],
    pub(crate) scaling: &'a str,
    pub(crate) layout: &'a str,
    pub(crate) order: &'a str,
    pub(crate) dtype: Option<&'a Bound<'py, PyAny>>,
    pub(crate) scale: Option<f32>,
    pub(crate) mean: Option<&'a Bound<'py, PyAny>>,
    pub(crate) std: Option<&'a Bound<'py, PyAny>>,
    pub(crate) region: Option<[f64; 4]>,
    pub(crate) out: Option<&'a Bound<'py, PyAny>>,
}

impl TensorKeywords<'_, '_> {
    fn options(&self) -> PyResult<TensorOptions> {
        let (width, height) = size_of(self.size)?;
        let fit = named("fit", &Fit::ALL.map(Fit::name), self.fit)?;
        let scaling = named("scaling", &Scaling::ALL.map(Scaling::name), self.scaling)?;
        let layout = layout_of(self.layout)?;
        let order =
            [ChannelOrder::Rgb, ChannelOrder::Bgr][named("order", &["RGB", "BGR"], self.order)?];
        let mut options = TensorOptions::new(width, height)
            .fit(Fit::ALL[fit])
            .fill(self.fill)
            .scaling(Scaling::ALL[scaling])
            .layout(layout)
            .order(order);
        if let Some(scale) = self.scale {
            options = options.scale(scale);
        }
        if let Some(mean) = self.mean {
            options = options.mean(each_channel("mean", mean)?);
        }
        if let Some(std) = self.std {
            options = options.std(each_channel("std", std)?);
        }
        if let Some(region) = self.region {
            options = options.region(region);
        }
        Ok(options)
    }
}

/// Which of the names that there are this is.
fn named(name: &str, known: &[&'static str], given: &str) -> PyResult<usize> {
    let found = known.iter().position(|known| known.eq_ignore_ascii_case(given));
    found.ok_or_else(|| invalid(format!("{name}: '{given}' is none of {}", known.join(", "))))
}

fn layout_of(given: &str) -> PyResult<TensorLayout> {
    let layouts = [TensorLayout::Nchw, TensorLayout::Nhwc];
    Ok(layouts[named("layout", &["NCHW", "NHWC"], given)?])
}

/// Width and height; one number for both.
fn size_of(given: &Bound<'_, PyAny>) -> PyResult<(u32, u32)> {
    if let Ok(side) = given.extract::<u32>() {
        return Ok((side, side));
    }
    given.extract().map_err(|_| {
        invalid(format!(
            "size: {given} is neither a pair of width and height nor one number for both"
        ))
    })
}

/// A number for each channel; one for all.
fn each_channel(name: &str, given: &Bound<'_, PyAny>) -> PyResult<[f32; 3]> {
    if let Ok(all) = given.extract::<f32>() {
        return Ok([all; 3]);
    }
    let listed: PyResult<[f32; 3]> = given.extract();
    listed.map_err(|_| invalid(format!("{name}: {given} is neither a number nor three of them")))
}

/// numpy's kind of numbers by this name or type.
fn dtype_of<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = given.py();
    py.import("numpy")?.getattr("dtype")?.call1((given,)).map_err(|cause| {
        let error = no_dtype(&given.to_string());
        error.set_cause(py, Some(cause));
        error
    })
}

fn no_dtype(given: &str) -> PyErr {
    invalid(format!("dtype: a tensor is of float32, float16 or uint8, not of {given}"))
}

/// The shape of the tensor of so many frames.
pub(crate) fn shape_of_batch(
    size: &Bound<'_, PyAny>,
    layout: &str,
    frames: usize,
) -> PyResult<[usize; 4]> {
    let (width, height) = size_of(size)?;
    let [_, rest @ ..] = TensorOptions::new(width, height).layout(layout_of(layout)?).shape();
    let [first, second, third] = rest;
    Ok([frames, first, second, third])
}

/// The tensor of a frame, with the way back.
pub(crate) fn tensor_of<'py>(
    py: Python<'py>,
    frame: impl FnOnce() -> PyResult<Frame>,
    keywords: &TensorKeywords<'_, 'py>,
) -> PyResult<(Bound<'py, PyAny>, PyTransform)> {
    let options = keywords.options()?;
    let wanted = match (keywords.dtype, keywords.out) {
        (Some(given), _) => Some(dtype_of(given)?),
        (None, Some(out)) => out.cast::<PyUntypedArray>().ok().map(|out| out.dtype().into_any()),
        (None, None) => None,
    };
    let name: String = match &wanted {
        Some(wanted) => wanted.getattr("name")?.extract()?,
        None => "float32".to_owned(),
    };
    let (array, transform) = match name.as_str() {
        "float32" => filled::<f32>(py, frame, &options, keywords.out)?,
        "float16" => filled::<f16>(py, frame, &options, keywords.out)?,
        "uint8" => filled::<u8>(py, frame, &options, keywords.out)?,
        _ => return Err(no_dtype(&name)),
    };
    Ok((array, PyTransform(transform)))
}

fn filled<'py, T: TensorElement + Element>(
    py: Python<'py>,
    frame: impl FnOnce() -> PyResult<Frame>,
    options: &TensorOptions,
    out: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Bound<'py, PyAny>, Transform)> {
    let array = match out {
        Some(out) => checked::<T>(out, options)?,
        None => new_tensor::<T>(py, options)?,
    };
    let mut borrowed = array.try_readwrite().map_err(|e| invalid(format!("out: {e}")))?;
    let numbers = borrowed.as_slice_mut().map_err(|e| invalid(format!("out: {e}")))?;
    let frame = frame()?;
    let transform =
        py.detach(move || frame.tensor_into(options, numbers)).map_err(|e| raised(&e))?;
    drop(borrowed);
    Ok((array.into_any(), transform))
}

/// The array that was given to be filled.
fn checked<'py, T: Element>(
    out: &Bound<'py, PyAny>,
    options: &TensorOptions,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let wanted = dtype::<T>(out.py());
    let shape = options.shape();
    let kind =
        || format!("an array of {wanted} of shape {} or {}", shown(&shape), shown(&shape[1..]));
    let Ok(array) = out.cast::<PyUntypedArray>() else {
        return Err(invalid(format!("out: expected {}, and it is no array", kind())));
    };
    let fits = array.shape() == shape || array.shape() == &shape[1..];
    if !fits || !array.dtype().is_equiv_to(&wanted) {
        let (found, of) = (array.dtype(), shown(array.shape()));
        return Err(invalid(format!(
            "out: expected {}, and it is of {found} of shape {of}",
            kind()
        )));
    }
    if !array.is_c_contiguous() {
        return Err(invalid(
            "out: its numbers are not one behind the other: pass an array, or one picture of a batch, that is contiguous",
        ));
    }
    Ok(out.cast::<PyArrayDyn<T>>()?.clone())
}

fn new_tensor<'py, T: TensorElement + Element>(
    py: Python<'py>,
    options: &TensorOptions,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    // What the library refuses it refuses before it is asked for memory.
    options.check().map_err(|e| raised(&e))?;
    new_array(py, &options.shape())
}

/// The way between a picture and the tensor that was made of it.
#[pyclass(frozen, name = "Transform", module = "frameloom")]
pub(crate) struct PyTransform(pub(crate) Transform);

#[pymethods]
impl PyTransform {
    /// Boxes or points of the tensor as boxes or points of the picture, in pixels: an array whose last
    /// axis is left, top, right, bottom, or x and y. What lies outside the picture is moved to its
    /// edge.
    fn to_frame<'py>(&self, places: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        mapped(places, |point| self.0.point_to_frame(point))
    }

    /// Boxes or points of the picture as boxes or points of the tensor, the other way round from
    /// `to_frame`.
    fn to_tensor<'py>(&self, places: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        mapped(places, |point| self.0.point_to_tensor(point))
    }

    /// How many pixels of the tensor a pixel of the picture is, across and down.
    #[getter]
    fn scale(&self) -> (f64, f64) {
        self.0.scale()
    }

    /// Where in the tensor the picture's upper left corner would be, in pixels.
    #[getter]
    fn offset(&self) -> (f64, f64) {
        self.0.offset()
    }

    fn __repr__(&self) -> String {
        let ((sx, sy), (ox, oy)) = (self.0.scale(), self.0.offset());
        format!("<frameloom.Transform scale=({sx:.4}, {sy:.4}) offset=({ox:.1}, {oy:.1})>")
    }
}

/// Places, each moved by itself; a box is two of them.
fn mapped<'py>(
    places: &Bound<'py, PyAny>,
    map: impl Fn([f64; 2]) -> [f64; 2],
) -> PyResult<Bound<'py, PyAny>> {
    let py = places.py();
    let array = by_numpy(places, "array", Some("float64"))?;
    let array: PyReadonlyArrayDyn<'py, f64> = array.extract()?;
    if !matches!(array.shape().last(), Some(2 | 4)) {
        let of = shown(array.shape());
        let cause = format!(
            "expected boxes (left, top, right, bottom) or points (x, y) along the last axis, and it is of shape {of}"
        );
        return Err(invalid(cause));
    }
    let numbers: Vec<f64> = array.as_array().iter().copied().collect();
    let moved = numbers.as_chunks::<2>().0.iter().flat_map(|point| map(*point));
    let made = ArrayD::from_shape_vec(IxDyn(array.shape()), moved.collect());
    let made = made.map_err(|e| PyMemoryError::new_err(e.to_string()))?;
    Ok(PyArrayDyn::from_owned_array(py, made).into_any())
}
