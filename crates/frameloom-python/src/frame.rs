//! A frame in Python: converted when it is first looked at, into the array's own memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use frameloom::{Frame, Image, ImageMut, PixelFormat, TimeBase, Timestamp};
use numpy::PyArrayMethods;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::arguments;
use crate::array::{Pixels, accepted, accepted_any, format_of, new_array, new_picture, shape_of};
use crate::data::frame_data;
use crate::draw::{Drawing, PyDraw};
use crate::error::{invalid, raised};
use crate::lock::lock;
use crate::settings::size_of;
use crate::shared::FrameSource;
use crate::tensor::{PyTransform, TensorKeywords, tensor_of};

/// One decoded picture, and where it belongs in time.
///
/// Nothing is converted before you look at it. `array` is the picture to change, `image` the same
/// read-only; a frame of which only `image` was used goes out as it was decoded.
#[pyclass(frozen, name = "Frame", module = "frameloom")]
pub(crate) struct PyFrame {
    pub(crate) inner: Arc<Mutex<Frame>>,
    /// Of the video that it was read from; `None` of a still frame.
    pub(crate) source: Arc<FrameSource>,
    held: Mutex<FrameArray>,
    format: PixelFormat,
    width: u32,
    height: u32,
    index: u64,
    pts: i64,
    time: f64,
    duration: f64,
    time_base: TimeBase,
    key_frame: bool,
    codec_format: &'static str,
}

#[derive(Default)]
struct FrameArray {
    array: Option<Py<Pixels>>,
    /// It was handed out to be changed.
    is_writable: bool,
    /// The frame was made of it.
    is_own: bool,
}

impl PyFrame {
    pub(crate) fn new(frame: Frame, source: Arc<FrameSource>) -> PyFrame {
        PyFrame {
            held: Mutex::default(),
            format: source.format,
            width: frame.width(),
            height: frame.height(),
            index: frame.index(),
            pts: frame.pts().ticks(),
            time: frame.pts().as_secs_f64(),
            duration: frame.duration().as_secs_f64(),
            time_base: frame.time_base(),
            key_frame: frame.key_frame(),
            codec_format: frame.format_name(),
            inner: Arc::new(Mutex::new(frame)),
            source,
        }
    }

    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The array, converted on first use. Locks are let go of in between: Python may do anything
    /// while it makes an array.
    fn converted<'py>(&self, py: Python<'py>, to_write: bool) -> PyResult<Bound<'py, Pixels>> {
        let found = {
            let mut held = lock(&self.held);
            held.is_writable |= to_write && held.array.is_some();
            held.array.as_ref().map(|array| array.clone_ref(py))
        };
        if let Some(array) = found {
            return Ok(array.into_bound(py));
        }
        let array = self.source.pool.take(py, &shape_of(self.format, self.width, self.height))?;
        {
            let mut borrowed = array.try_readwrite().map_err(|e| invalid(e.to_string()))?;
            let bytes = borrowed.as_slice_mut().map_err(|e| invalid(e.to_string()))?;
            let done = py.detach(|| {
                let mut target = ImageMut::packed(self.format, self.width, self.height, bytes)
                    .map_err(|e| frameloom::Error::process(e.to_string()))?;
                lock(&self.inner).copy_to(&mut target)
            });
            done.map_err(|e| raised(&e))?;
        }
        let mut held = lock(&self.held);
        held.is_writable |= to_write;
        // Another thread may have been quicker.
        let kept = held.array.get_or_insert_with(|| array.unbind());
        Ok(kept.clone_ref(py).into_bound(py))
    }

    /// The frame as it is to be encoded: with what was made of its array.
    pub(crate) fn finished(&self, py: Python<'_>) -> PyResult<Frame> {
        let changed = {
            let held = lock(&self.held);
            held.array.as_ref().filter(|_| held.is_writable).map(|array| array.clone_ref(py))
        };
        match changed {
            None => py.detach(|| lock(&self.inner).share()).map_err(|e| raised(&e)),
            Some(array) => self.made_of(py, array.bind(py)),
        }
    }

    /// The array, where it was asked for to be changed.
    fn array_to_change(&self, py: Python<'_>) -> Option<Py<Pixels>> {
        let mut held = lock(&self.held);
        held.is_writable |= held.is_own;
        if !held.is_writable {
            // What was only looked at is converted anew when it is looked at again.
            held.array = None;
        }
        held.array.as_ref().map(|array| array.clone_ref(py))
    }

    /// Draws on the array where it was asked for to be changed, else on the codec's own planes.
    pub(crate) fn draw(&self, py: Python<'_>, drawing: Drawing<'_>) -> PyResult<()> {
        let Some(array) = self.array_to_change(py) else {
            let drawn = py.detach(|| {
                let mut frame = lock(&self.inner);
                drawing(&mut frame.draw()?)
            });
            return drawn.map_err(|e| raised(&e));
        };
        let mut borrowed = array.bind(py).try_readwrite().map_err(|e| invalid(e.to_string()))?;
        let bytes = borrowed.as_slice_mut().map_err(|e| invalid(e.to_string()))?;
        let drawn = py.detach(|| {
            let image = ImageMut::packed(self.format, self.width, self.height, bytes)
                .map_err(|e| frameloom::Error::process(e.to_string()))?;
            let frame = lock(&self.inner);
            let mut target = frame.draw_on(image)?;
            drawing(&mut target)
        });
        drawn.map_err(|e| raised(&e))
    }

    /// The frame with these pixels in place of its own.
    pub(crate) fn made_of(&self, py: Python<'_>, array: &Bound<'_, Pixels>) -> PyResult<Frame> {
        made_of(py, &self.inner, array, self.format)
    }
}

/// A frame of these pixels, with the times and colours of `like`.
pub(crate) fn made_of(
    py: Python<'_>,
    like: &Arc<Mutex<Frame>>,
    array: &Bound<'_, Pixels>,
    format: PixelFormat,
) -> PyResult<Frame> {
    let borrowed = array.try_readonly().map_err(|e| invalid(e.to_string()))?;
    let bytes = borrowed.as_slice().map_err(|e| invalid(e.to_string()))?;
    let made = py.detach(|| {
        // The lock is let go of before the conversion, which needs the tags alone.
        let mut made = lock(like).share()?;
        let image = Image::packed(format, made.width(), made.height(), bytes)
            .map_err(|e| frameloom::Error::process(e.to_string()))?;
        made.set_image(&image)?;
        Ok(made)
    });
    made.map_err(|e: frameloom::Error| raised(&e))
}

/// A frame of these pixels, that shares their memory.
fn frame_over(
    py: Python<'_>,
    array: &Bound<'_, Pixels>,
    format: PixelFormat,
    (width, height): (u32, u32),
) -> PyResult<PyFrame> {
    let borrowed = array.try_readonly().map_err(|e| invalid(e.to_string()))?;
    let bytes = borrowed.as_slice().map_err(|e| invalid(e.to_string()))?;
    let made = py.detach(|| {
        let image = Image::packed(format, width, height, bytes)
            .map_err(|e| frameloom::Error::process(e.to_string()))?;
        Frame::from_image(&image, Timestamp::ZERO)
    });
    let source = FrameSource::new(format, String::new(), None);
    let frame = PyFrame::new(made.map_err(|e| raised(&e))?, Arc::new(source));
    let array = Some(array.clone().unbind());
    *lock(&frame.held) = FrameArray { array, is_writable: false, is_own: true };
    Ok(frame)
}

#[pymethods]
impl PyFrame {
    /// The picture as a writable numpy array of uint8: (height, width, 3) for rgb24 and bgr24,
    /// (height, width, 4) for rgba and bgra, (height, width) for gray, planes below each other
    /// for YUV. What is changed in it is what an output gets. Assign an array of the same shape to
    /// replace it.
    #[getter]
    fn array<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Pixels>> {
        self.converted(py, true)
    }

    #[setter]
    fn set_array(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let array = accepted(value, self.format, self.size())?;
        let _before = {
            let mut held = lock(&self.held);
            held.is_writable = true;
            held.array.replace(array.unbind())
        };
        Ok(())
    }

    /// The same picture, read-only. A frame of which nothing else was used goes out untouched.
    #[getter]
    fn image<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let view = self.converted(py, false)?.call_method0("view")?;
        let flags = PyDict::new(py);
        flags.set_item("write", false)?;
        view.call_method("setflags", (), Some(&flags))?;
        Ok(view)
    }

    /// The stream that it is of, where it came in a batch of several; else `None`.
    #[getter]
    fn stream(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.source.stream.as_ref().map(|stream| stream.clone_ref(py))
    }

    /// Give it to the outputs of its stream. Only for frames of a batch; others are written by
    /// `Output.write`.
    fn write(slf: &Bound<'_, Self>) -> PyResult<()> {
        let stream = slf.get().stream(slf.py());
        let stream = stream.ok_or_else(|| {
            invalid("the frame is of no batch: write it by the write() of an output")
        })?;
        stream.bind(slf.py()).call_method1("write", (slf,)).map(drop)
    }

    /// A frame of your own pixels, an array of uint8 as `array` describes it for `format`. It shares their
    /// memory: what is drawn on the frame is drawn on the array.
    #[staticmethod]
    #[pyo3(signature = (array, format="rgb24"))]
    fn from_ndarray(array: &Bound<'_, PyAny>, format: &str) -> PyResult<PyFrame> {
        let py = array.py();
        let format = format_of(format)?;
        let (array, (width, height)) = accepted_any(array, format)?;
        let frame = frame_over(py, &array, format, (width, height))?;
        lock(&frame.held).is_writable = true;
        Ok(frame)
    }

    /// The same, of which it is known whether it was changed.
    #[staticmethod]
    fn _of_command(
        array: &Bound<'_, PyAny>,
        format: &str,
        width: u32,
        height: u32,
    ) -> PyResult<PyFrame> {
        let format = format_of(format)?;
        let array = accepted(array, format, (width, height))?;
        frame_over(array.py(), &array, format, (width, height))
    }

    /// The shape of an array of such a picture.
    #[staticmethod]
    fn _shape_of<'py>(
        py: Python<'py>,
        format: &str,
        width: u32,
        height: u32,
    ) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, shape_of(format_of(format)?, width, height))
    }

    /// Whether its array was asked for to be changed.
    #[getter]
    fn _is_changed(&self) -> bool {
        lock(&self.held).is_writable
    }

    /// Its data as the JSON that it is kept as.
    #[getter]
    fn _data_json(&self, py: Python<'_>) -> Option<String> {
        py.detach(|| lock(&self.inner).data()).map(|data| data.as_json().to_owned())
    }

    /// What code knows of the frame: a dictionary that can be written as a JSON object of 64 KiB at most,
    /// and that goes along with the frame; `None` where there is nothing. What is changed in it counts
    /// once it is assigned.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let data = py.detach(|| lock(&self.inner).data());
        let Some(data) = data else { return Ok(None) };
        py.import("json")?.getattr("loads")?.call1((data.as_json(),)).map(Some)
    }

    #[setter]
    fn set_data(&self, py: Python<'_>, value: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let data = value.map(|value| frame_data(&value)).transpose()?;
        let set = py.detach(|| lock(&self.inner).set_data(data.as_ref()));
        set.map_err(|e| raised(&e))
    }

    /// The array's shape.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, shape_of(self.format, self.width, self.height))
    }

    /// A frame of its own: what is changed in one of the two is not changed in the other.
    fn copy(&self, py: Python<'_>) -> PyResult<PyFrame> {
        Ok(PyFrame::new(self.finished(py)?, Arc::clone(&self.source)))
    }

    /// A new array of `width` x `height` pixels whose upper left corner is at `x`, `y`: only they are
    /// converted. `set_region` puts what was made of it back.
    fn region<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::x)] x: u32,
        #[pyo3(from_py_with = arguments::y)] y: u32,
        #[pyo3(from_py_with = arguments::width)] width: u32,
        #[pyo3(from_py_with = arguments::height)] height: u32,
    ) -> PyResult<Bound<'py, Pixels>> {
        let frame = self.finished(py)?;
        let format = self.format;
        let region = py.detach(move || frame.region(format, [x, y], [width, height]));
        let region = region.map_err(|e| raised(&e))?;
        let array = new_array(py, &shape_of(format, width, height))?;
        {
            let mut borrowed = array.try_readwrite().map_err(|e| invalid(e.to_string()))?;
            let bytes = borrowed.as_slice_mut().map_err(|e| invalid(e.to_string()))?;
            bytes.copy_from_slice(&region.image().to_packed_vec());
        }
        Ok(array)
    }

    /// Replace the pixels whose upper left corner is at `x`, `y` by an array: only they are converted.
    fn set_region(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::x)] x: u32,
        #[pyo3(from_py_with = arguments::y)] y: u32,
        array: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (pixels, (width, height)) = accepted_any(array, self.format)?;
        let borrowed = pixels.try_readonly().map_err(|e| invalid(e.to_string()))?;
        let bytes = borrowed.as_slice().map_err(|e| invalid(e.to_string()))?;
        let image = Image::packed(self.format, width, height, bytes);
        let image = image.map_err(|e| invalid(e.to_string()))?;
        if let Some(held) = self.array_to_change(py) {
            let mut target = held.bind(py).try_readwrite().map_err(|e| invalid(e.to_string()))?;
            let bytes = target.as_slice_mut().map_err(|e| invalid(e.to_string()))?;
            let mut whole = ImageMut::packed(self.format, self.width, self.height, bytes)
                .map_err(|e| invalid(e.to_string()))?;
            return whole.paste([x, y], &image).map_err(|e| raised(&e));
        }
        let set = py.detach(|| lock(&self.inner).set_region([x, y], &image));
        set.map_err(|e| raised(&e))
    }

    /// Write the picture to an image file, as `x.jpg` or `x.png`, over one that is there.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let mut frame = self.finished(py)?;
        py.detach(move || frame.save(path)).map_err(|e| raised(&e))
    }

    /// The picture as notebooks show it.
    fn _repr_png_<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut frame = self.finished(py)?;
        let bytes = py.detach(move || frame.to_image_file("frame.png"));
        Ok(PyBytes::new(py, &bytes.map_err(|e| raised(&e))?))
    }

    /// A new array of the picture, in another format or size where they are given; one that shrinks is
    /// scaled by the mean of what a pixel covers.
    #[pyo3(signature = (format=None, *, size=None, width=None, height=None))]
    fn to_ndarray<'py>(
        &self,
        py: Python<'py>,
        format: Option<&str>,
        size: Option<&Bound<'py, PyAny>>,
        #[pyo3(from_py_with = arguments::some_width)] width: Option<u32>,
        #[pyo3(from_py_with = arguments::some_height)] height: Option<u32>,
    ) -> PyResult<Bound<'py, Pixels>> {
        let format = format.map_or(Ok(self.format), format_of)?;
        let (width, height) = match (size_of(size)?, width, height) {
            (None, width, height) => (width.unwrap_or(self.width), height.unwrap_or(self.height)),
            (Some(size), None, None) => (size.width(), size.height()),
            _ => return Err(invalid("size has both: give it, or width and height")),
        };
        let array = new_picture(py, format, (width, height))?;
        let mut frame = self.finished(py)?;
        {
            let mut borrowed = array.try_readwrite().map_err(|e| invalid(e.to_string()))?;
            let bytes = borrowed.as_slice_mut().map_err(|e| invalid(e.to_string()))?;
            let done = py.detach(move || {
                let mut target = ImageMut::packed(format, width, height, bytes)
                    .map_err(|e| frameloom::Error::process(e.to_string()))?;
                frame.copy_scaled_to(&mut target)
            });
            done.map_err(|e| raised(&e))?;
        }
        Ok(array)
    }

    /// The picture as a model reads it, and the way back: see `frameloom.Transform`.
    #[pyo3(signature = (size, *, fit="letterbox", fill=[114, 114, 114], scaling="area",
        layout="NCHW", order="RGB", dtype=None, scale=None, mean=None, std=None, region=None,
        out=None),
        text_signature = "($self, size, *, fit=\"letterbox\", fill=(114, 114, 114), \
        scaling=\"area\", layout=\"NCHW\", order=\"RGB\", dtype=None, scale=None, mean=None, \
        std=None, region=None, out=None)")]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn tensor<'py>(
        &self,
        py: Python<'py>,
        size: &Bound<'py, PyAny>,
        fit: &str,
        #[pyo3(from_py_with = arguments::fill)] fill: [u8; 3],
        scaling: &str,
        layout: &str,
        order: &str,
        dtype: Option<&Bound<'py, PyAny>>,
        scale: Option<f32>,
        mean: Option<&Bound<'py, PyAny>>,
        std: Option<&Bound<'py, PyAny>>,
        #[pyo3(from_py_with = arguments::region)] region: Option<[f64; 4]>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyAny>, PyTransform)> {
        let keywords = TensorKeywords {
            size,
            fit,
            fill,
            scaling,
            layout,
            order,
            dtype,
            scale,
            mean,
            std,
            region,
            out,
        };
        // What was made of its array is in it.
        tensor_of(py, || self.finished(py), &keywords)
    }

    /// Draws on the picture: boxes, text, blur and more. Where the array was not asked for, nothing is
    /// converted.
    #[getter]
    #[pyo3(name = "draw")]
    fn drawing(slf: Py<Self>) -> PyDraw {
        PyDraw(Box::new(move |py, drawing| slf.get().draw(py, drawing)))
    }

    /// When it is to be shown, in seconds; 0 is where the input starts.
    #[getter]
    fn time(&self) -> f64 {
        self.time
    }

    /// When it is to be shown, in units of `time_base`.
    #[getter]
    fn pts(&self) -> i64 {
        self.pts
    }

    /// The unit of `pts` in seconds, a `fractions.Fraction`.
    #[getter]
    fn time_base<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let class = py.import("fractions")?.getattr("Fraction")?;
        class.call1((self.time_base.num(), self.time_base.den()))
    }

    /// How long it is to be shown, in seconds; 0 where the stream doesn't say.
    #[getter]
    fn duration(&self) -> f64 {
        self.duration
    }

    /// Whether the codec coded it without reference to another.
    #[getter]
    fn key_frame(&self) -> bool {
        self.key_frame
    }

    /// Its number since the video was opened or sought, from 0. Of a frame from `frame_at` it says
    /// nothing.
    #[getter]
    fn index(&self) -> u64 {
        self.index
    }

    /// Pixels across.
    #[getter]
    fn width(&self) -> u32 {
        self.width
    }

    /// Pixels down.
    #[getter]
    fn height(&self) -> u32 {
        self.height
    }

    /// FFmpeg's name of the array's format.
    #[getter]
    fn pix_fmt(&self) -> &'static str {
        self.format.name()
    }

    /// FFmpeg's name of the codec's own format.
    #[getter]
    fn codec_pix_fmt(&self) -> &'static str {
        self.codec_format
    }

    /// The array, for numpy and whatever takes what numpy takes.
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<&Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let array = self.converted(py, true)?;
        let numpy = py.import("numpy")?;
        if copy == Some(true) {
            return numpy.getattr("array")?.call1((array, dtype));
        }
        let same = numpy.getattr("asarray")?.call1((&array, dtype))?;
        if copy == Some(false) && !same.is(&array) {
            return Err(invalid("it can't be had without a copy: the array is of uint8"));
        }
        Ok(same)
    }

    /// The array's memory by the buffer protocol. Python 3.12 or newer asks for it here.
    fn __buffer__<'py>(&self, py: Python<'py>, flags: i32) -> PyResult<Bound<'py, PyAny>> {
        let _ = flags;
        py.import("builtins")?.getattr("memoryview")?.call1((self.converted(py, true)?,))
    }

    /// The array's memory by DLPack, for torch and others.
    #[pyo3(signature = (**options))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.converted(py, true)?.call_method("__dlpack__", (), options)
    }

    /// Where the memory is: the processor's.
    fn __dlpack_device__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.converted(py, true)?.call_method0("__dlpack_device__")
    }

    fn __repr__(&self) -> String {
        let key = if self.key_frame { " key" } else { "" };
        format!(
            "<frameloom.Frame {} at {:.3} s, {}x{} {}{key}>",
            self.index, self.time, self.width, self.height, self.codec_format
        )
    }
}
