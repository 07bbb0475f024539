//! Keyword arguments to the library's settings.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use frameloom::Rate;
use frameloom::internal::{LibraryOption, ValueType, library, nearest};
use frameloom::options::{InputOptions, LiveOptions, OutputOptions, Size, from_os, parse_rate};
use frameloom::{End, Setting};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString, PyTuple};

use crate::error::{invalid, raised};
use crate::shared::at_seconds;

/// A path or URL.
pub(crate) fn place(given: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(number) = given.extract::<u32>() {
        return Err(PyTypeError::new_err(format!(
            "expected a path or a URL, not {number}; a camera is '/dev/video{number}' with \
             format='v4l2'"
        )));
    }
    let bytes = given.py().import("os")?.getattr("fsencode")?.call1((given,))?;
    let bytes: Vec<u8> = bytes.extract()?;
    let text = from_os(OsStr::from_bytes(&bytes));
    // A path object is a path, whatever the name looks like.
    let is_path = given.hasattr("__fspath__")?;
    let looks_otherwise = text == "-" || text.split('/').next().is_some_and(|s| s.contains(':'));
    Ok(if is_path && looks_otherwise { format!("file:{text}") } else { text })
}

/// A value as the command line would have it; `None` where it is as if nothing was given.
fn words(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if value.is_none() {
        return Ok(None);
    }
    if let Ok(yes) = value.cast::<PyBool>() {
        return Ok(Some(if yes.is_true() { "1" } else { "0" }.to_owned()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Some(text.to_string()));
    }
    if value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>() {
        let Ok([width, height]) = value.extract::<[u32; 2]>() else {
            let what = "is not a width and a height, two numbers above 0";
            return Err(invalid(format!("a size: {value} {what}")));
        };
        return Ok(Some(format!("{width}x{height}")));
    }
    if value.hasattr("__fspath__")? {
        return place(value).map(Some);
    }
    Ok(Some(value.str()?.to_string()))
}

/// Width and height: a pair of numbers, or a name that FFmpeg knows.
pub(crate) fn size_of(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Size>> {
    let Some(text) = given.map(words).transpose()?.flatten() else { return Ok(None) };
    Size::parse(&text).map(Some).map_err(|e| raised(&e.about(Setting::ffmpeg("s").of(End::Output))))
}

/// Frames a second: a number, a fraction, or as FFmpeg writes it.
pub(crate) fn rate_of(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Rate>> {
    let Some(text) = given.map(words).transpose()?.flatten() else { return Ok(None) };
    parse_rate(&text).map(Some).map_err(|e| raised(&e.about(Setting::ffmpeg("r").of(End::Output))))
}

/// Seconds, or as FFmpeg writes a time.
pub(crate) fn seconds_of(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if let Ok(seconds) = given.extract::<f64>() {
        if !seconds.is_finite() || seconds < 0.0 {
            return Err(invalid(format!("{name}: {seconds} is not a time in seconds")));
        }
        return Ok(Some(format!("{seconds:.6}")));
    }
    words(given)
}

/// A time in a video.
pub(crate) fn time_of(name: &str, given: &Bound<'_, PyAny>) -> PyResult<frameloom::Timestamp> {
    let text = seconds_of(name, given)?.unwrap_or_default();
    let parsed = frameloom::options::parse_span(&text).map_err(|e| raised(&e.at(name)))?;
    at_seconds(parsed.as_secs_f64())
        .ok_or_else(|| invalid(format!("{name}: {text} is no time in a video")))
}

/// A span of time, 0 or more.
pub(crate) fn span_of(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let micros = u64::try_from(time_of(name, given)?.as_micros());
    micros
        .map(Duration::from_micros)
        .map_err(|_| invalid(format!("{name}: a span of time is 0 or more")))
}

/// How long to wait; for ever where nothing is given.
pub(crate) fn limit_of(timeout: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let limit = timeout.map(|given| time_of("timeout", given)).transpose()?;
    Ok(limit.map(|limit| Duration::from_secs_f64(limit.as_secs_f64())))
}

/// The input's settings, as `open` takes them.
#[derive(Default)]
pub(crate) struct InputKeywords<'a, 'py> {
    pub(crate) format: Option<&'a str>,
    pub(crate) start: Option<&'a Bound<'py, PyAny>>,
    pub(crate) duration: Option<&'a Bound<'py, PyAny>>,
    pub(crate) repeat: Option<&'a Bound<'py, PyAny>>,
    pub(crate) realtime: bool,
    pub(crate) options: Option<&'a Bound<'py, PyDict>>,
}

impl InputKeywords<'_, '_> {
    /// `settings` with what is given here.
    pub(crate) fn settings(&self, mut settings: InputOptions) -> PyResult<InputOptions> {
        let mut set = |option: &'static str, value: &str| {
            let about = Setting::ffmpeg(option).of(End::Input);
            settings.set(option, value).map_err(|e| raised(&e.about(about)))
        };
        if let Some(format) = self.format {
            set("f", format)?;
        }
        for (name, option, given) in [("start", "ss", self.start), ("duration", "t", self.duration)]
        {
            let value = given.map(|given| seconds_of(name, given)).transpose()?.flatten();
            if let Some(value) = value {
                set(option, &value)?;
            }
        }
        if let Some(repeat) = self.repeat {
            let times = match repeat.cast::<PyBool>() {
                Ok(yes) if yes.is_true() => -1,
                Ok(_) => 0,
                // So often in all, of which the first is no repetition.
                Err(_) => match repeat.extract::<i64>()?.saturating_sub(1) {
                    times if times < 0 => {
                        return Err(invalid("loop: it is played once at least"));
                    }
                    times => times,
                },
            };
            set("stream_loop", &times.to_string())?;
        }
        if self.realtime {
            set("re", "")?;
        }
        each(self.options, End::Input, |name, value| settings.set(name, value))?;
        Ok(settings)
    }
}

/// The values of an option that is given several times: a list of strings.
fn several(value: &Bound<'_, PyAny>) -> Option<Vec<String>> {
    let is_list = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    is_list.then(|| value.extract().ok()).flatten()
}

/// Sets FFmpeg's options from a dictionary.
fn each(
    options: Option<&Bound<'_, PyDict>>,
    end: End,
    mut set: impl FnMut(&str, &str) -> frameloom::Result<()>,
) -> PyResult<()> {
    for (name, value) in options.into_iter().flatten() {
        let name: String = name.extract()?;
        let name = name.trim_start_matches('-');
        let about = Setting::ffmpeg(name.to_owned()).of(end);
        let is_flag = library().iter().any(|entry| {
            let row = &entry.row;
            row.value == ValueType::Flag && row.names().any(|known| known == name)
        });
        let no = is_flag && value.cast::<PyBool>().is_ok_and(|yes| !yes.is_true());
        if let Some(all) = several(&value) {
            all.iter()
                .try_for_each(|value| set(name, value))
                .map_err(|e| raised(&e.about(about)))?;
            continue;
        }
        let set = match name {
            // It has a word for the contrary.
            "y" if no => set("n", ""),
            _ if no => Ok(()),
            _ => words(&value)?.map_or(Ok(()), |value| set(name, &value)),
        };
        set.map_err(|e| raised(&e.about(about)))?;
    }
    Ok(())
}

/// What `open` takes besides what its signature names, which is Frameloom's own: the live policies,
/// and settings of the input to go on with.
pub(crate) fn policies(
    given: Option<&Bound<'_, PyDict>>,
    known: &[&str],
) -> PyResult<(LiveOptions, InputOptions)> {
    let (mut live, mut input) = (LiveOptions::new(), InputOptions::new());
    for (key, value) in given.into_iter().flatten() {
        let key: String = key.extract()?;
        let entry = policy_keywords("open").find(|entry| entry.row.keyword_name() == key);
        let Some(entry) = entry else { return Err(unknown("open", &key, known)) };
        if value.is_none() {
            continue;
        }
        let row = &entry.row;
        let text = match (row.value, value.cast::<PyBool>()) {
            (ValueType::Flag, _) if !value.is_truthy()? => continue,
            (ValueType::Flag, _) => String::new(),
            (ValueType::Duration, _) => seconds_of(&key, &value)?.unwrap_or_default(),
            (ValueType::Choice(names), Ok(yes)) if names.contains(&"yes") => {
                if yes.is_true() { "yes" } else { "no" }.to_owned()
            }
            _ => words(&value)?.unwrap_or_default(),
        };
        let fail = |e: frameloom::Error| raised(&e.about(row.setting()));
        entry.set_live(&mut live, &text).map_err(fail)?;
        entry.set_input(&mut input, &text).map_err(fail)?;
    }
    Ok((live, input))
}

/// Frameloom's own options that a function takes as keywords.
fn policy_keywords(function: &str) -> impl Iterator<Item = &'static LibraryOption> {
    library().iter().filter(move |e| e.row.is_long && e.row.python.contains(&function))
}

/// What `Video.output` takes by name.
pub(crate) const OUTPUT_NAMES: &[&str] = &[
    "codec",
    "audio_codec",
    "bit_rate",
    "format",
    "size",
    "rate",
    "audio",
    "overwrite",
    "preroll",
    "options",
];

/// Whether and for how long an output that was lost is opened again.
pub(crate) fn reconnecting(limit: Option<&Bound<'_, PyAny>>, never: bool) -> PyResult<LiveOptions> {
    let mut live = LiveOptions::new();
    let given = limit.map(|given| seconds_of("reconnect_for", given)).transpose()?.flatten();
    if let Some(limit) = given {
        let about = Setting::own("reconnect-for");
        live.set("reconnect-for", &limit).map_err(|e| raised(&e.about(about)))?;
    }
    if never {
        live.set("no-reconnect", "").map_err(|e| raised(&e))?;
    }
    live.check(false, false).map_err(|e| raised(&e))?;
    Ok(live)
}

/// The error for a keyword that doesn't exist, with the nearest that does.
pub(crate) fn unknown(function: &str, name: &str, known: &[&str]) -> PyErr {
    let is_policy = policy_keywords("open").any(|entry| entry.row.keyword_name() == name);
    if is_policy && function != "open" {
        return PyTypeError::new_err(format!(
            "{function}() has no argument '{name}': it is about an input, and one of open()"
        ));
    }
    let live: Vec<String> = if function == "open" {
        policy_keywords("open").map(|entry| entry.row.keyword_name()).collect()
    } else {
        Vec::new()
    };
    let names = known.iter().copied().chain(live.iter().map(String::as_str));
    let near = nearest(name, names);
    let elsewhere =
        [("fps", "rate"), ("width", "size"), ("height", "size"), ("resolution", "size")];
    let meant = elsewhere.into_iter().find(|(word, ours)| *word == name && known.contains(ours));
    let hint = match (meant, near.first()) {
        (Some((_, ours)), _) => format!(" (it is {ours} here)"),
        (None, Some(near)) => format!(" (did you mean {near}?)"),
        (None, None) if function == "open" && OUTPUT_NAMES.contains(&name) => {
            format!(" (it is one of output(), and of run() as output={{'{name}': ...}})")
        }
        (None, None) => format!(" (FFmpeg's own options go into options={{'{name}': ...}})"),
    };
    PyTypeError::new_err(format!("{function}() has no argument '{name}'{hint}"))
}

/// An output's settings, as `output` and `create` take them.
#[derive(Default)]
pub(crate) struct OutputKeywords<'a, 'py> {
    pub(crate) format: Option<&'a str>,
    pub(crate) codec: Option<&'a str>,
    pub(crate) audio_codec: Option<&'a str>,
    pub(crate) bit_rate: Option<&'a Bound<'py, PyAny>>,
    pub(crate) size: Option<Size>,
    pub(crate) rate: Option<Rate>,
    pub(crate) audio: bool,
    pub(crate) overwrite: bool,
    pub(crate) preroll: Option<Duration>,
    pub(crate) options: Option<&'a Bound<'py, PyDict>>,
}

impl OutputKeywords<'_, '_> {
    pub(crate) fn settings(&self) -> PyResult<OutputOptions> {
        let mut settings = OutputOptions::new();
        let mut set = |option: &'static str, value: &str| {
            let about = Setting::ffmpeg(option).of(End::Output);
            settings.set(option, value).map_err(|e| raised(&e.about(about)))
        };
        if self.overwrite {
            set("y", "")?;
        }
        if !self.audio {
            set("an", "")?;
        }
        for (option, value) in [("f", self.format), ("c:v", self.codec), ("c:a", self.audio_codec)]
        {
            if let Some(value) = value {
                set(option, value)?;
            }
        }
        if let Some(bits) = self.bit_rate.map(words).transpose()?.flatten() {
            set("b:v", &bits)?;
        }
        if let Some(size) = self.size {
            set("s", &format!("{}x{}", size.width(), size.height()))?;
        }
        if let Some(rate) = self.rate {
            set("r", &format!("{}/{}", rate.num(), rate.den()))?;
        }
        if let Some(span) = self.preroll {
            settings = settings.preroll(span);
        }
        each(self.options, End::Output, |name, value| settings.set(name, value))?;
        settings.check().map_err(|e| raised(&e))?;
        Ok(settings)
    }
}
