//! Drawing on a frame from Python: on its array where that was asked for, else on the codec's planes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use frameloom::{BoxStyle, Color, Draw, Font, Image, PixelFormat, TextStyle};
use numpy::{PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::arguments;
use crate::array::{accepted_any, by_numpy, shown};
use crate::data::frame_data;
use crate::error::{invalid, raised};
use crate::lock::lock;
use crate::settings::size_of;

/// Draws on a frame, anti-aliased: `frame.draw`.
#[pyclass(frozen, name = "Draw", module = "frameloom")]
pub(crate) struct PyDraw(pub(crate) Box<DrawTarget>);

/// Something that is drawn, and that knows nothing of what it is drawn on.
pub(crate) type Drawing<'a> = Box<dyn FnOnce(&mut Draw<'_>) -> frameloom::Result<()> + Send + 'a>;

/// What is drawn on.
pub(crate) type DrawTarget = dyn Fn(Python<'_>, Drawing<'_>) -> PyResult<()> + Send + Sync;

/// A colour: FFmpeg's name for it, or red, green, blue and, where given, opacity.
#[derive(Clone, Copy)]
struct Paint(Color);

impl<'py> FromPyObject<'_, 'py> for Paint {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Paint> {
        if let Ok(name) = given.extract::<String>() {
            return name.parse().map(Paint).map_err(|e: frameloom::Error| raised(&e));
        }
        if let Ok(rgb) = given.extract::<[u8; 3]>() {
            return Ok(Paint(Color::from(rgb)));
        }
        given.extract::<[u8; 4]>().map(|rgba| Paint(Color::from(rgba))).map_err(|_| {
            invalid(format!(
                "color: {} is neither a name nor red, green, blue (and opacity) from 0 to 255",
                given.to_owned()
            ))
        })
    }
}

/// Fonts that were opened, by their paths: a font is read once.
static FONTS: LazyLock<Mutex<HashMap<PathBuf, Font>>> = LazyLock::new(Mutex::default);

/// The most of them.
const MOST_FONTS: usize = 16;

fn font_of(path: Option<PathBuf>) -> PyResult<Font> {
    let Some(path) = path else { return Ok(Font::embedded()) };
    if let Some(font) = lock(&FONTS).get(&path) {
        return Ok(font.clone());
    }
    let font = Font::open(&path).map_err(|e| raised(&e))?;
    let mut fonts = lock(&FONTS);
    if fonts.len() >= MOST_FONTS {
        fonts.clear();
    }
    fonts.insert(path, font.clone());
    Ok(font)
}

/// Places, as an array whose last axis is x and y.
fn points_of(given: &Bound<'_, PyAny>) -> PyResult<Vec<[f64; 2]>> {
    let array = by_numpy(given, "array", Some("float64"))?;
    let array: PyReadonlyArrayDyn<'_, f64> = array.extract()?;
    if !matches!(array.shape(), [_, 2]) {
        let of = shown(array.shape());
        return Err(invalid(format!(
            "points: expected an array of shape (n, 2), and it is of shape {of}"
        )));
    }
    let numbers: Vec<f64> = array.as_array().iter().copied().collect();
    Ok(numbers.as_chunks().0.to_vec())
}

impl PyDraw {
    fn on(
        &self,
        py: Python<'_>,
        draw: impl FnOnce(&mut Draw<'_>) -> frameloom::Result<()> + Send,
    ) -> PyResult<()> {
        (self.0)(py, Box::new(draw))
    }
}

#[pymethods]
impl PyDraw {
    /// A box round something that was found, and its label, which keeps inside the picture.
    #[pyo3(signature = (xyxy, label="", *, color=Paint(Color::rgb(255, 200, 0)), width=2.0,
        label_size=16.0, font=None), text_signature = "($self, xyxy, label=\"\", *, \
        color=(255, 200, 0), width=2.0, label_size=16.0, font=None)")]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn r#box(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::xyxy)] xyxy: [f64; 4],
        label: &str,
        color: Paint,
        width: f64,
        label_size: f64,
        font: Option<PathBuf>,
    ) -> PyResult<()> {
        let style = BoxStyle::new(color.0)
            .width(width)
            .label(label)
            .label_size(label_size)
            .font(font_of(font)?);
        self.on(py, move |draw| {
            draw.bounding_box(xyxy, &style);
            Ok(())
        })
    }

    /// The edges of a rectangle.
    #[pyo3(signature = (xyxy, color, *, width=2.0))]
    fn rectangle(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::xyxy)] xyxy: [f64; 4],
        color: Paint,
        width: f64,
    ) -> PyResult<()> {
        self.on(py, move |draw| {
            draw.rectangle(xyxy, color.0, width);
            Ok(())
        })
    }

    /// A rectangle, filled.
    fn fill(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::xyxy)] xyxy: [f64; 4],
        color: Paint,
    ) -> PyResult<()> {
        self.on(py, move |draw| {
            draw.fill(xyxy, color.0);
            Ok(())
        })
    }

    /// A straight line with round ends.
    #[pyo3(signature = (start, end, color, *, width=2.0))]
    fn line(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::start)] start: [f64; 2],
        #[pyo3(from_py_with = arguments::end)] end: [f64; 2],
        color: Paint,
        width: f64,
    ) -> PyResult<()> {
        self.on(py, move |draw| {
            draw.line(start, end, color.0, width);
            Ok(())
        })
    }

    /// A line through points, (n, 2).
    #[pyo3(signature = (points, color, *, width=2.0))]
    fn polyline(
        &self,
        py: Python<'_>,
        points: &Bound<'_, PyAny>,
        color: Paint,
        width: f64,
    ) -> PyResult<()> {
        let points = points_of(points)?;
        self.on(py, move |draw| {
            draw.polyline(&points, color.0, width);
            Ok(())
        })
    }

    /// What lies between corners, (n, 2), filled.
    fn polygon(&self, py: Python<'_>, points: &Bound<'_, PyAny>, color: Paint) -> PyResult<()> {
        let points = points_of(points)?;
        self.on(py, move |draw| {
            draw.polygon(&points, color.0);
            Ok(())
        })
    }

    /// A circle: a line as wide as `width`, or filled where that is `None`.
    #[pyo3(signature = (center, radius, color, *, width=None))]
    fn circle(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::center)] center: [f64; 2],
        radius: f64,
        color: Paint,
        width: Option<f64>,
    ) -> PyResult<()> {
        self.on(py, move |draw| {
            draw.circle(center, radius, color.0, width);
            Ok(())
        })
    }

    /// Text whose upper left corner is at `at`.
    #[pyo3(signature = (at, text, *, size=24.0, color=Paint(Color::WHITE), background=None, font=None),
        text_signature = "($self, at, text, *, size=24.0, color=\"white\", background=None, font=None)")]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn text(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::at)] at: [f64; 2],
        text: &str,
        size: f64,
        color: Paint,
        background: Option<Paint>,
        font: Option<PathBuf>,
    ) -> PyResult<()> {
        let mut style = TextStyle::new(size).color(color.0).font(font_of(font)?);
        if let Some(background) = background {
            style = style.background(background.0);
        }
        self.on(py, move |draw| {
            draw.text(at, text, &style);
            Ok(())
        })
    }

    /// A picture, (height, width, 3) or (height, width, 4) with its opacity, whose upper left corner is
    /// at `at`.
    #[pyo3(signature = (array, at=[0, 0], *, opacity=1.0),
        text_signature = "($self, array, at=(0, 0), *, opacity=1.0)")]
    fn image(
        &self,
        py: Python<'_>,
        array: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = arguments::at_pixel)] at: [i64; 2],
        opacity: f64,
    ) -> PyResult<()> {
        let shape: Vec<usize> = by_numpy(array, "shape", None)?.extract()?;
        let format = match shape.as_slice() {
            [_, _] => PixelFormat::Gray,
            [_, _, 3] => PixelFormat::Rgb24,
            _ => PixelFormat::Rgba,
        };
        let (pixels, (width, height)) = accepted_any(array, format)?;
        let pixels = pixels.try_readonly().map_err(|e| invalid(e.to_string()))?;
        let bytes = pixels.as_slice().map_err(|e| invalid(e.to_string()))?;
        let image =
            Image::packed(format, width, height, bytes).map_err(|e| invalid(e.to_string()))?;
        self.on(py, move |draw| draw.image(at, &image, opacity))
    }

    /// A colour where a mask, (height, width), says so: of bool, of uint8 from 0 to 255, or of numbers
    /// from 0 to 1. Its upper left corner is at `at`.
    #[pyo3(signature = (mask, color, *, opacity=0.5, at=[0, 0]),
        text_signature = "($self, mask, color, *, opacity=0.5, at=(0, 0))")]
    fn mask(
        &self,
        py: Python<'_>,
        mask: &Bound<'_, PyAny>,
        color: Paint,
        opacity: f64,
        #[pyo3(from_py_with = arguments::at_pixel)] at: [i64; 2],
    ) -> PyResult<()> {
        let array = by_numpy(mask, "asarray", None)?;
        let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
        let array = match kind.as_str() {
            "b" => array.call_method1("astype", ("uint8",))?.mul(255u8)?,
            "f" => {
                let numpy = py.import("numpy")?;
                let clipped =
                    numpy.getattr("nan_to_num")?.call1((array.call_method1("clip", (0, 1))?,))?;
                clipped.mul(255)?.call_method1("round", ())?.call_method1("astype", ("uint8",))?
            }
            _ => array,
        };
        let (pixels, (width, height)) = accepted_any(&array, PixelFormat::Gray)?;
        let pixels = pixels.try_readonly().map_err(|e| invalid(e.to_string()))?;
        let bytes = pixels.as_slice().map_err(|e| invalid(e.to_string()))?;
        let image = Image::packed(PixelFormat::Gray, width, height, bytes)
            .map_err(|e| invalid(e.to_string()))?;
        let alpha = f64::from(color.0.alpha) * opacity.clamp(0.0, 1.0);
        let color = color.0.with_alpha(alpha.round() as u8);
        self.on(py, move |draw| draw.mask(at, &image, color))
    }

    /// What a frame's data says: the `boxes`, `lines`, `points` and `text` of a dictionary as `Frame.data` has
    /// them. `size` is the width and height of the picture that its places are in pixels of, where it isn't
    /// this one.
    #[pyo3(signature = (data, *, size=None))]
    fn data(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        size: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let data = frame_data(data)?;
        let size = size_of(size)?.map(|size| (size.width(), size.height()));
        self.on(py, move |draw| {
            let size = size.unwrap_or_else(|| draw.size());
            draw.data(&data, size)
        })
    }

    /// What lies within a rectangle, blurred.
    #[pyo3(signature = (xyxy, radius=None))]
    fn blur(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::xyxy)] xyxy: [f64; 4],
        radius: Option<f64>,
    ) -> PyResult<()> {
        self.on(py, move |draw| {
            draw.blur(xyxy, radius);
            Ok(())
        })
    }

    /// What lies within a rectangle, in blocks of one colour each.
    #[pyo3(signature = (xyxy, block=None))]
    fn pixelate(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::xyxy)] xyxy: [f64; 4],
        block: Option<f64>,
    ) -> PyResult<()> {
        self.on(py, move |draw| {
            draw.pixelate(xyxy, block);
            Ok(())
        })
    }
}
