//! Sound as numpy arrays: (n, channels), one row for each moment.

use std::sync::Mutex;

use frameloom::{AudioFrame, TimeBase, Timestamp};
use numpy::ndarray::Array2;
use numpy::{
    PyArray2, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::array::shown;
use crate::error::{invalid, raised};
use crate::lock::lock;
use crate::wait::until;

/// What sound of one's own is like, as `audio=` says it.
#[derive(Clone, Debug)]
pub(crate) struct SoundSpec {
    pub(crate) rate: u32,
    /// By FFmpeg's name.
    pub(crate) layout: String,
    pub(crate) channels: usize,
}

impl SoundSpec {
    /// (samples a second, a layout's name or a number of channels).
    pub(crate) fn of(given: &Bound<'_, PyAny>) -> PyResult<SoundSpec> {
        let wrong = || {
            invalid(format!(
                "audio: {given} is not samples a second and channels, such as (48000, \"stereo\") or \
                 (16000, 1)"
            ))
        };
        let is_pair = given.is_instance_of::<PyTuple>() || given.is_instance_of::<PyList>();
        if !is_pair || given.len()? != 2 {
            return Err(wrong());
        }
        let rate: u32 = given.get_item(0)?.extract().map_err(|_| wrong())?;
        let channels = given.get_item(1)?;
        let layout = match channels.extract::<u32>() {
            // The usual layout for so many.
            Ok(count) => format!("{count}c"),
            Err(_) => channels.extract::<String>().map_err(|_| wrong())?,
        };
        let count = AudioFrame::channels_of(&layout).map_err(|e| raised(&e.at("audio")))?;
        let channels = usize::try_from(count).unwrap_or(1);
        Ok(SoundSpec { rate, layout, channels })
    }
}

/// Samples that were given.
pub(crate) enum Samples<'py> {
    F32(PyReadonlyArrayDyn<'py, f32>),
    S16(PyReadonlyArrayDyn<'py, i16>),
}

impl Samples<'_> {
    /// Moments from one on, at most so many, as sound that begins at `pts`; `None` where there are no more.
    pub(crate) fn piece(
        &self,
        (from, most): (usize, usize),
        spec: &SoundSpec,
        pts: Timestamp,
    ) -> frameloom::Result<Option<AudioFrame>> {
        fn part<T>(all: Option<&[T]>, from: usize, most: usize, channels: usize) -> Option<&[T]> {
            let rest = all?.get(from * channels..)?;
            let part = rest.get(..(most * channels).min(rest.len()))?;
            (!part.is_empty()).then_some(part)
        }
        let made = match self {
            Samples::F32(array) => {
                let part = part(array.as_slice().ok(), from, most, spec.channels);
                part.map(|p| AudioFrame::from_interleaved_f32(p, spec.rate, &spec.layout, pts))
            }
            Samples::S16(array) => {
                let part = part(array.as_slice().ok(), from, most, spec.channels);
                part.map(|p| AudioFrame::from_interleaved_s16(p, spec.rate, &spec.layout, pts))
            }
        };
        made.transpose()
    }
}

/// What was given for sound: (n, channels) of float32 or int16; of one channel also (n,).
pub(crate) fn accepted_samples<'py>(
    given: &Bound<'py, PyAny>,
    channels: usize,
) -> PyResult<Samples<'py>> {
    let numpy = given.py().import("numpy")?;
    // numpy doesn't try DLPack by itself.
    let only_dlpack = given.hasattr("__dlpack__")? && !given.hasattr("__array__")?;
    let way = if only_dlpack { "from_dlpack" } else { "asarray" };
    let array = numpy.getattr(way)?.call1((given,))?;
    let untyped = array
        .cast::<PyUntypedArray>()
        .map_err(|_| invalid("expected an array of samples, and it is something else"))?;
    let shape = untyped.shape().to_vec();
    let kind = untyped.dtype();
    let wanted = format!("(n, {channels})");
    let is_shaped = match shape.as_slice() {
        [_] => channels == 1,
        [_, c] => *c == channels,
        _ => false,
    };
    let name = kind.to_string();
    if name != "float32" && name != "int16" {
        return Err(invalid(format!(
            "expected an array of float32 or int16 of shape {wanted}, and it is {name} of shape {}{}",
            shown(&shape),
            cure_of_kind(&name)
        )));
    }
    if !is_shaped {
        return Err(invalid(format!(
            "expected an array of shape {wanted}, and it is of shape {}{}",
            shown(&shape),
            cure_of_shape(&shape, channels)
        )));
    }
    let array = numpy.getattr("ascontiguousarray")?.call1((array.clone(),))?;
    if let Ok(array) = array.cast::<PyArrayDyn<f32>>() {
        let array = array.try_readonly().map_err(|e| invalid(e.to_string()))?;
        let all = array.as_slice().map_err(|e| invalid(e.to_string()))?;
        if !all.iter().all(|sample| sample.is_finite()) {
            return Err(invalid(
                "a sample is not a number (NaN), or infinite; np.nan_to_num(array) makes numbers of them",
            ));
        }
        return Ok(Samples::F32(array));
    }
    if let Ok(array) = array.cast::<PyArrayDyn<i16>>() {
        return Ok(Samples::S16(array.try_readonly().map_err(|e| invalid(e.to_string()))?));
    }
    // Bytes in the order of another processor.
    Err(invalid(
        "expected samples in this processor's order of bytes: array.astype(array.dtype.newbyteorder(\"=\"))",
    ))
}

/// How numbers of another kind become samples from -1 to 1.
fn cure_of_kind(kind: &str) -> &'static str {
    match kind {
        "float64" | "float16" => ": array.astype(np.float32)",
        "int32" => ": (array / 2**31).astype(np.float32)",
        "uint8" => ": ((array - 128.0) / 128).astype(np.float32)",
        "int8" => ": (array / 128).astype(np.float32)",
        "int64" | "uint16" | "uint32" | "uint64" => {
            ": array.astype(np.int16), where it goes from -32768 to 32767"
        }
        _ => "",
    }
}

fn cure_of_shape(shape: &[usize], channels: usize) -> String {
    match shape {
        [c, _] if *c == channels => "; the channels come last: array.T".to_owned(),
        [_, 1] if channels > 1 => format!("; np.repeat(array, {channels}, axis=1) has it in all"),
        [_] => format!("; np.repeat(array[:, None], {channels}, axis=1) has it in all"),
        [_, _] if channels == 1 => "; array.mean(axis=1) mixes the channels".to_owned(),
        _ => String::new(),
    }
}

/// Sound of one's own that an output has, and where it stands.
pub(crate) struct OwnSound {
    pub(crate) spec: SoundSpec,
    /// The sample that follows what was written.
    next: Mutex<i64>,
}

impl OwnSound {
    pub(crate) fn new(spec: SoundSpec) -> OwnSound {
        OwnSound { spec, next: Mutex::new(0) }
    }

    /// Writes an array behind what was written, or at a time, in pieces that `write` takes or gives back.
    pub(crate) fn write(
        &self,
        py: Python<'_>,
        array: &Bound<'_, PyAny>,
        time: Option<Timestamp>,
        mut write: impl FnMut(AudioFrame) -> frameloom::Result<Option<AudioFrame>> + Send,
    ) -> PyResult<()> {
        let spec = &self.spec;
        let samples = accepted_samples(array, spec.channels)?;
        let base = i32::try_from(spec.rate).ok().and_then(|rate| TimeBase::new(1, rate));
        let Some(base) = base else { return Err(invalid("audio: the rate is too high")) };
        let begin = match time {
            Some(time) => time.rescale(base).ticks(),
            None => *lock(&self.next),
        };
        let most = usize::try_from(spec.rate).unwrap_or(1);
        let mut done = 0usize;
        loop {
            let at = begin.saturating_add(i64::try_from(done).unwrap_or(i64::MAX));
            let piece = samples.piece((done, most), spec, base.at(at)).map_err(|e| raised(&e))?;
            let Some(piece) = piece else { return Ok(()) };
            let length = piece.samples();
            let mut waiting = Some(piece);
            let step = || {
                let Some(piece) = waiting.take() else { return Ok(Some(())) };
                waiting = write(piece)?;
                Ok(waiting.is_none().then_some(()))
            };
            until(py, step, || {})?;
            done += length;
            *lock(&self.next) = at.saturating_add(i64::try_from(length).unwrap_or(i64::MAX));
        }
    }
}

/// Samples as an array of the caller's own.
pub(crate) fn array_of<'py>(
    py: Python<'py>,
    samples: Vec<f32>,
    channels: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let channels = channels.max(1);
    let array = Array2::from_shape_vec((samples.len() / channels, channels), samples);
    let array = array.map_err(|e| invalid(e.to_string()))?;
    Ok(PyArray2::from_owned_array(py, array))
}

/// A piece of decoded sound, and where it belongs in time.
#[pyclass(frozen, name = "AudioFrame", module = "frameloom")]
pub(crate) struct PyAudioFrame {
    array: Py<PyArray2<f32>>,
    time: f64,
    duration: f64,
    rate: u32,
    channels: u32,
}

impl PyAudioFrame {
    pub(crate) fn new(py: Python<'_>, frame: &AudioFrame) -> PyResult<PyAudioFrame> {
        let samples = py.detach(|| frame.to_interleaved_f32()).map_err(|e| raised(&e))?;
        let channels = frame.channels();
        let array = array_of(py, samples, usize::try_from(channels).unwrap_or(1))?;
        Ok(PyAudioFrame {
            array: array.unbind(),
            time: frame.pts().as_secs_f64(),
            duration: frame.duration().as_secs_f64(),
            rate: frame.sample_rate(),
            channels,
        })
    }
}

#[pymethods]
impl PyAudioFrame {
    /// The samples as a numpy array of float32, (n, channels), from -1 to 1.
    #[getter]
    fn array<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f32>> {
        self.array.bind(py).clone()
    }

    /// When the first sample is to be heard, in seconds, on the clock of the frames.
    #[getter]
    fn time(&self) -> f64 {
        self.time
    }

    /// How long it is to be heard, in seconds.
    #[getter]
    fn duration(&self) -> f64 {
        self.duration
    }

    /// Samples a second of each channel.
    #[getter]
    fn rate(&self) -> u32 {
        self.rate
    }

    /// How many channels there are.
    #[getter]
    fn channels(&self) -> u32 {
        self.channels
    }

    /// How many samples each channel has.
    #[getter]
    fn samples(&self, py: Python<'_>) -> usize {
        self.array.bind(py).shape().first().copied().unwrap_or(0)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "<frameloom.AudioFrame at {:.3} s, {} samples, {} Hz, {} channels>",
            self.time,
            self.samples(py),
            self.rate,
            self.channels
        )
    }
}

/// Samples that take the place of so many moments in so many channels, as numbers from -1 to 1.
pub(crate) fn flat(samples: &Samples<'_>, shape: (usize, usize)) -> PyResult<Vec<f32>> {
    let flat: Vec<f32> = match samples {
        Samples::F32(array) => array.as_slice().map_err(|e| invalid(e.to_string()))?.to_vec(),
        Samples::S16(array) => {
            let whole = array.as_slice().map_err(|e| invalid(e.to_string()))?;
            whole.iter().map(|sample| f32::from(*sample) / 32768.0).collect()
        }
    };
    let (moments, channels) = shape;
    if flat.len() != moments * channels {
        let found = flat.len() / channels.max(1);
        return Err(invalid(format!(
            "expected an array of shape ({moments}, {channels}), as the sound had, and it is of shape \
             ({found}, {channels})"
        )));
    }
    Ok(flat)
}
