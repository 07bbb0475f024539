//! Pictures as numpy arrays: their shapes, their memory, and what is accepted for one.

use std::sync::Mutex;

use frameloom::{Image, ImageError, PixelFormat};
use numpy::ndarray::{ArrayD, IxDyn};
use numpy::{Element, PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyException, PyMemoryError};
use pyo3::prelude::*;

use crate::error::invalid;
use crate::lock::lock;

/// A picture in Python.
pub(crate) type Pixels = PyArrayDyn<u8>;

/// Arrays that are kept for the next frames. A loop has one frame in hand while the next is made.
const KEPT: usize = 3;

/// The format of this name.
pub(crate) fn format_of(name: &str) -> PyResult<PixelFormat> {
    PixelFormat::from_name(name).ok_or_else(|| {
        let names = || PixelFormat::ALL.iter().map(|format| format.name());
        let near = frameloom::internal::nearest(name, names());
        let list = names().collect::<Vec<_>>().join(", ");
        invalid(match near.first() {
            Some(near) => format!("pix_fmt: there is no format '{name}' (did you mean {near}?)"),
            None => format!("pix_fmt: there is no format '{name}' (there are {list})"),
        })
    })
}

/// The shape of a picture's array. YUV planes lie below each other, as far as they have one width.
pub(crate) fn shape_of(format: PixelFormat, width: u32, height: u32) -> Vec<usize> {
    let (w, h) = (width as usize, height as usize);
    match format {
        PixelFormat::Gray => vec![h, w],
        _ if !format.is_yuv() => vec![h, w, format.pixel_bytes()],
        PixelFormat::Yuv444p => vec![3, h, w],
        _ => {
            let bytes = format.frame_bytes(width, height);
            // An odd width has rows of two lengths.
            if bytes.is_multiple_of(w) { vec![bytes / w, w] } else { vec![bytes] }
        }
    }
}

/// Arrays that nobody uses any more, for the next frames: fresh memory would have to be zeroed
/// first, a third of what the conversion costs that fills it.
#[derive(Default)]
pub(crate) struct ArrayPool {
    kept: Mutex<Vec<Py<Pixels>>>,
}

impl ArrayPool {
    /// An array of this shape. What is in it is left from before.
    pub(crate) fn take<'py>(
        &self,
        py: Python<'py>,
        shape: &[usize],
    ) -> PyResult<Bound<'py, Pixels>> {
        let free = {
            let mut kept = lock(&self.kept);
            #[expect(deprecated, reason = "what is to replace it is unsafe to call")]
            let place = kept.iter().position(|array| {
                // Views of it, and whatever else shows its memory, hold it.
                array.get_refcnt(py) == 1 && array.bind(py).shape() == shape
            });
            place.map(|place| kept.remove(place).into_bound(py))
        };
        let usable = free.filter(|array| array.is_c_contiguous() && array.try_readwrite().is_ok());
        let array = match usable {
            Some(array) => array,
            None => new_array(py, shape)?,
        };
        // Whatever Python does when the oldest goes, it does without the lock.
        let _oldest = {
            let mut kept = lock(&self.kept);
            let oldest = (kept.len() >= KEPT).then(|| kept.remove(0));
            kept.push(array.clone().unbind());
            oldest
        };
        Ok(array)
    }
}

/// A new array of zeros. `vec!` would end the process where the memory doesn't suffice.
pub(crate) fn new_array<'py, T: Element + Clone + Default>(
    py: Python<'py>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let length = shape.iter().product();
    let mut numbers = Vec::new();
    let reserved = numbers.try_reserve_exact(length);
    reserved.map_err(|_| {
        let of = shown(shape);
        PyMemoryError::new_err(format!("there is no memory for an array of shape {of}"))
    })?;
    numbers.resize(length, T::default());
    let array = ArrayD::from_shape_vec(IxDyn(shape), numbers);
    let array = array.map_err(|e| PyMemoryError::new_err(e.to_string()))?;
    Ok(PyArrayDyn::from_owned_array(py, array))
}

/// A new array for a picture of a size that was asked for.
pub(crate) fn new_picture(
    py: Python<'_>,
    format: PixelFormat,
    (width, height): (u32, u32),
) -> PyResult<Bound<'_, Pixels>> {
    // The library looks at the size first, so that what it would refuse takes no memory.
    if let Err(error @ ImageError::TooLarge { .. }) = Image::packed(format, width, height, &[]) {
        return Err(invalid(format!("width, height: {error}")));
    }
    new_array(py, &shape_of(format, width, height))
}

/// What was given for a picture, as a contiguous array of the shape that is wanted: itself, where
/// it is one, and a copy where it can be copied.
pub(crate) fn accepted<'py>(
    given: &Bound<'py, PyAny>,
    format: PixelFormat,
    size: (u32, u32),
) -> PyResult<Bound<'py, Pixels>> {
    let array = as_bytes(given, format)?;
    let wanted = shape_of(format, size.0, size.1);
    if array.shape() != wanted {
        return Err(invalid(format!(
            "expected an array of shape {} ({format}, {}x{} pixels), and it is of shape {}{}",
            shown(&wanted),
            size.0,
            size.1,
            shown(array.shape()),
            cure_of_shape(array.shape(), format)
        )));
    }
    contiguous(array)
}

/// What was given for a picture of any size, and that size.
pub(crate) fn accepted_any<'py>(
    given: &Bound<'py, PyAny>,
    format: PixelFormat,
) -> PyResult<(Bound<'py, Pixels>, (u32, u32))> {
    let array = as_bytes(given, format)?;
    let shape = array.shape().to_vec();
    let size = match (shape.as_slice(), format) {
        ([h, w], PixelFormat::Gray) => Some((*w, *h)),
        ([h, w, c], _) if !format.is_yuv() && *c == format.pixel_bytes() => Some((*w, *h)),
        ([3, h, w], PixelFormat::Yuv444p) => Some((*w, *h)),
        ([rows, w], PixelFormat::Yuv420p | PixelFormat::Nv12 | PixelFormat::Nv21) => {
            Some((*w, rows * 2 / 3))
        }
        ([rows, w], PixelFormat::Yuv422p | PixelFormat::Nv16) => Some((*w, rows / 2)),
        ([rows, w], PixelFormat::Nv24) => Some((*w, rows / 3)),
        _ => None,
    };
    let size = size
        .and_then(|(w, h)| Some((u32::try_from(w).ok()?, u32::try_from(h).ok()?)))
        .filter(|&(w, h)| w > 0 && h > 0 && shape_of(format, w, h) == shape);
    let Some(size) = size else {
        return Err(invalid(format!(
            "expected an array of shape {} ({format}), and it is of shape {}{}",
            wanted_in_words(format),
            shown(&shape),
            cure_of_shape(&shape, format)
        )));
    };
    Ok((contiguous(array)?, size))
}

fn wanted_in_words(format: PixelFormat) -> String {
    match format {
        PixelFormat::Gray => "(height, width)".to_owned(),
        _ if !format.is_yuv() => format!("(height, width, {})", format.pixel_bytes()),
        PixelFormat::Yuv444p => "(3, height, width)".to_owned(),
        PixelFormat::Yuv422p | PixelFormat::Nv16 => "(height * 2, width)".to_owned(),
        PixelFormat::Nv24 => "(height * 3, width)".to_owned(),
        _ => "(height * 3 / 2, width)".to_owned(),
    }
}

fn as_bytes<'py>(given: &Bound<'py, PyAny>, format: PixelFormat) -> PyResult<Bound<'py, Pixels>> {
    if let Ok(array) = given.cast::<Pixels>() {
        return Ok(array.clone());
    }
    // numpy doesn't try DLPack by itself.
    let only_dlpack = given.hasattr("__dlpack__")? && !given.hasattr("__array__")?;
    let way = if only_dlpack { "from_dlpack" } else { "asarray" };
    let array = by_numpy(given, way, None)?;
    if let Ok(array) = array.cast::<Pixels>() {
        return Ok(array.clone());
    }
    let (found, cure) = match array.cast::<PyUntypedArray>() {
        Ok(array) => {
            let found = format!("{} of shape {}", array.dtype(), shown(array.shape()));
            let kind: String = array.dtype().getattr("kind")?.extract()?;
            (found, cure_of_kind(&kind))
        }
        Err(_) => ("something else".to_owned(), ""),
    };
    Err(invalid(format!(
        "expected an array of uint8 of shape {} ({format}), and it is {found}{cure}",
        wanted_in_words(format)
    )))
}

/// What one of numpy's functions makes of something foreign.
pub(crate) fn by_numpy<'py>(
    given: &Bound<'py, PyAny>,
    function: &str,
    dtype: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let function = given.py().import("numpy")?.getattr(function)?;
    let made = match dtype {
        Some(dtype) => function.call1((given, dtype)),
        None => function.call1((given,)),
    };
    made.map_err(|error| not_read(given, error))
}

/// The error for something that numpy fails on, with what it said as its cause.
fn not_read(given: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = given.py();
    // Ctrl-C may come within, and memory that is short is no fault of what was given.
    if !error.is_instance_of::<PyException>(py) || error.is_instance_of::<PyMemoryError>(py) {
        return error;
    }
    let kind = given.get_type().name().map_or_else(|_| "this".to_owned(), |name| name.to_string());
    let said = error.value(py).to_string();
    let said = said.lines().next().unwrap_or_default().trim_end_matches('.');
    let has = |name| given.hasattr(name).unwrap_or(false);
    let cure = if has("detach") && has("cpu") {
        ": pass .detach().cpu() of it, which numpy reads"
    } else if said.contains("inhomogeneous") {
        ": every row has to have the same length"
    } else {
        ""
    };
    let wrapped = invalid(format!("numpy can't read {kind} ({said}){cure}"));
    wrapped.set_cause(py, Some(error));
    wrapped
}

/// How numbers of another kind, by numpy's letter for it, become pixels.
fn cure_of_kind(kind: &str) -> &'static str {
    match kind {
        "f" => {
            ": array.astype(np.uint8), where it goes from 0 to 255, or (array * 255).astype(np.uint8)"
        }
        "b" => ": array.astype(np.uint8) * 255",
        "i" | "u" => ": array.clip(0, 255).astype(np.uint8)",
        _ => "",
    }
}

/// How an array of another shape becomes a picture, or the picture takes it.
fn cure_of_shape(shape: &[usize], format: PixelFormat) -> &'static str {
    match (shape, format.pixel_bytes()) {
        _ if format.is_yuv() => "",
        ([_, _, 4], 3) => "; pix_fmt=\"rgba\" has four channels",
        ([_, _, 3], 4) => "; pix_fmt=\"rgb24\" has three channels",
        ([_, _], 3 | 4) | ([_, _, 1], 3 | 4) => "; pix_fmt=\"gray\" has one channel",
        ([3 | 4, _, _], 3 | 4) => {
            "; the channels come last: np.moveaxis(array, 0, 2), or torch's permute(1, 2, 0)"
        }
        ([1, _, _, _], _) => "; it is a batch of one: array[0]",
        _ => "",
    }
}

fn contiguous(array: Bound<'_, Pixels>) -> PyResult<Bound<'_, Pixels>> {
    if array.is_c_contiguous() {
        return Ok(array);
    }
    let copy = array.py().import("numpy")?.getattr("ascontiguousarray")?.call1((&array,))?;
    Ok(copy.cast_into::<Pixels>()?)
}

/// As Python writes a tuple.
pub(crate) fn shown(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => {
            let parts: Vec<_> = shape.iter().map(usize::to_string).collect();
            format!("({})", parts.join(", "))
        }
    }
}
