//! How a video is opened from Python: one file or stream, or several files as one.

use std::sync::Arc;

use frameloom::options::InputOptions;
use frameloom::{
    ErrorKind, Pipeline, PixelFormat, Probe, ProbeStream, ProbeVideo, Rate, Size, Stop,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments;
use crate::array::format_of;
use crate::error::{invalid, raised};
use crate::exit::remember;
use crate::info::as_dict;
use crate::settings::{InputKeywords, place, policies, rate_of, size_of};
use crate::shared::{Opening, VideoShared};
use crate::video::PyVideo;
use crate::wait::opened;

/// What `open` takes by name, besides the policies.
const OPEN_NAMES: &[&str] = &[
    "pix_fmt", "size", "rate", "start", "duration", "loop", "realtime", "format", "options",
    "progress",
];

/// What `concat` takes by name.
const CONCAT_NAMES: &[&str] = &["pix_fmt", "size", "rate", "options", "progress"];

/// What frames are to be like.
struct Wanted {
    pixels: PixelFormat,
    size: Option<Size>,
    rate: Option<Rate>,
    progress: bool,
    /// A part, or a repetition, was asked for.
    is_cut: bool,
}

/// Open a file or a stream and read its frames.
///
/// A live stream that is lost is opened again, for ever by default, and the loop over its frames
/// simply goes on.
///
/// `pix_fmt` is the arrays' format: "rgb24", "bgr24" (OpenCV's), "gray", "rgba", "bgra",
/// "yuv420p", "nv12" and the like. `size` (width, height) scales the frames, `rate` (frames a
/// second) repeats or leaves out frames, `start` and `duration` (seconds) cut, `loop` plays it so
/// often, or for ever with `True`, `realtime` reads a file at its own speed. `format` and `options`
/// are FFmpeg's for the input. `progress` shows on stderr how far a loop over the frames is.
/// `speed` plays a file faster (2.0: twice as fast) or slower: pictures and sound, which keeps its
/// pitch; all times are then those of the faster or slower video.
///
/// The policies have the names of the command line. `on_loss`: what happens while the input is lost
/// ("hold", "slate", "end"); `on_slow`: to frames that your code is too slow for ("latest",
/// "block", "bypass"); `on_error`: when it fails ("bypass", "stop"); `on_resize`: when the
/// pictures' size changes ("fit", "restart"); `wait_for_inputs`: whether it may be opened before the
/// stream is there, and shows a card until it comes ("all", "any"). `preroll`: how long the newest packets
/// are kept for outputs that begin with them. Times are in seconds. `live` says whether the input
/// counts as live; by default what was opened decides.
///
/// Raises a `frameloom.Error` where it can't be opened, `ValueError` for a value that can't be,
/// `TypeError` for an argument that doesn't exist, with the nearest that does.
#[pyfunction]
#[pyo3(
    signature = (
        source, *, pix_fmt="rgb24", size=None, rate=None, start=None, duration=None, r#loop=None,
        realtime=false, format=None, options=None, progress=false, **policies
    ),
    text_signature = "(source, *, pix_fmt='rgb24', size=None, rate=None, start=None, \
        duration=None, loop=None, realtime=False, format=None, options=None, progress=False, \
        on_loss=None, slate=None, on_slow=None, deadline=None, on_error=None, on_resize=None, \
        on_untouched=None, untouched_after=None, reconnect_for=None, no_reconnect=False, stall_timeout=None, open_timeout=None, \
        wait_for_inputs=None, preroll=None, speed=None, live='auto')"
)]
#[expect(clippy::too_many_arguments, reason = "Python's are named")]
pub(crate) fn open(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    pix_fmt: &str,
    size: Option<&Bound<'_, PyAny>>,
    rate: Option<&Bound<'_, PyAny>>,
    start: Option<&Bound<'_, PyAny>>,
    duration: Option<&Bound<'_, PyAny>>,
    r#loop: Option<&Bound<'_, PyAny>>,
    realtime: bool,
    format: Option<&str>,
    options: Option<&Bound<'_, PyDict>>,
    progress: bool,
    policies: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyVideo> {
    let url = place(source)?;
    let pixels = format_of(pix_fmt)?;
    let (live, input) = self::policies(policies, OPEN_NAMES)?;
    live.check(false, true).map_err(|e| raised(&e))?;
    let (size, rate) = (size_of(size)?, rate_of(rate)?);
    let is_cut = start.is_some() || duration.is_some() || r#loop.is_some() || rate.is_some();
    let keywords = InputKeywords { format, start, duration, repeat: r#loop, realtime, options };
    let input = keywords.settings(input)?;
    input.check().map_err(|e| raised(&e))?;
    let wanted = Wanted { pixels, size, rate, progress, is_cut };
    let opening = opening(url, &[], input, live, &wanted);
    opened_video(py, opening, &wanted)
}

/// Several files as one video, one after the other: times go on where the one before ended.
///
/// Frames are brought to the first one's size, with black bars where the shape differs (or to
/// `size`, then, without keeping the shape), and to its frame rate, or to `rate`; sound to its rate
/// and channels. A file without sound is silent, and where the first has none, there is none. Each
/// is opened once at the start, so that one that can't be read raises at once. `speed` and
/// `options` are for all of them; the other arguments are those of `open`.
///
/// Raises what `open` does, and `ValueError` for no source, a live stream or a pipe.
#[pyfunction]
#[pyo3(
    signature = (
        sources, *, pix_fmt="rgb24", size=None, rate=None, options=None, progress=false, **policies
    ),
    text_signature = "(sources, *, pix_fmt='rgb24', size=None, rate=None, options=None, \
        progress=False, on_error=None, speed=None)"
)]
#[expect(clippy::too_many_arguments, reason = "Python's are named")]
pub(crate) fn concat(
    py: Python<'_>,
    #[pyo3(from_py_with = arguments::sources)] sources: Vec<Bound<'_, PyAny>>,
    pix_fmt: &str,
    size: Option<&Bound<'_, PyAny>>,
    rate: Option<&Bound<'_, PyAny>>,
    options: Option<&Bound<'_, PyDict>>,
    progress: bool,
    policies: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyVideo> {
    let urls = sources.into_iter().map(|source| place(&source));
    let mut urls = urls.collect::<PyResult<Vec<String>>>()?.into_iter();
    let Some(first) = urls.next() else {
        return Err(invalid("sources: there is nothing to read"));
    };
    let pixels = format_of(pix_fmt)?;
    let (live, input) = self::policies(policies, CONCAT_NAMES)?;
    live.check(false, true).map_err(|e| raised(&e))?;
    let (size, rate) = (size_of(size)?, rate_of(rate)?);
    let input = InputKeywords { options, ..InputKeywords::default() }.settings(input)?;
    input.check().map_err(|e| raised(&e))?;
    let following: Vec<String> = urls.collect();
    let is_cut = rate.is_some() || !following.is_empty();
    let wanted = Wanted { pixels, size, rate, progress, is_cut };
    let opening = opening(first, &following, input, live, &wanted);
    opened_video(py, opening, &wanted)
}

fn opening(
    source: String,
    following: &[String],
    input: InputOptions,
    live: frameloom::options::LiveOptions,
    wanted: &Wanted,
) -> Opening {
    Opening {
        source,
        following: following.to_vec(),
        input,
        live,
        filter: wanted.rate.map(|rate| format!("fps={}/{}", rate.num(), rate.den())),
        size: wanted.size,
        format: wanted.pixels,
        progress: wanted.progress,
    }
}

/// Opens it, and finds out what is in it.
fn opened_video(py: Python<'_>, opening: Opening, wanted: &Wanted) -> PyResult<PyVideo> {
    let stop = Stop::new();
    let url = opening.source.clone();
    let builder = Pipeline::builder(&url).input(opening.input.clone()).stop(&stop);
    let follow = |builder: frameloom::InputBuilder<Pipeline>, url: &String| {
        builder.followed_by(url, opening.input.clone())
    };
    let builder = opening.following.iter().fold(builder, follow);
    let pipeline = opened(py, builder.open_pending(), &stop)?;
    let info = pipeline.info().map_err(|e| raised(&e))?;
    let Some((stream, video)) = video_of(&info) else {
        let cause = "there is no video in it: open_audio() reads sound alone";
        let stage = frameloom::Stage::Source;
        return Err(raised(&frameloom::Error::new(ErrorKind::InvalidData, stage, cause).at(&url)));
    };
    let own_rate = video.frame_rate.as_deref().and_then(|r| frameloom::options::parse_rate(r).ok());
    let whole = pipeline.duration().map(frameloom::Timestamp::as_secs_f64);
    let seconds = whole.or(stream.duration.filter(|_| opening.following.is_empty()));
    // Where it is to start behind its end, nothing is left.
    let seconds = seconds.map(|seconds| seconds.max(0.0));
    let is_live = pipeline.is_live();
    let audio_extradata = pipeline.audio_extradata().map(<[u8]>::to_vec);
    let rate = wanted.rate.or(own_rate);
    let counted = video.frames.filter(|_| !wanted.is_cut).and_then(|n| usize::try_from(n).ok());
    // Its pictures may begin behind its sound.
    let late = stream.start.zip(info.start).map_or(0.0, |(own, first)| (own - first).max(0.0));
    let late = if wanted.is_cut || !opening.following.is_empty() { 0.0 } else { late };
    let frames_in = |s: f64, rate: frameloom::Rate| ((s - late).max(0.0) * rate.as_f64()).round();
    let reckoned = seconds.zip(rate).map(|(s, rate)| frames_in(s, rate) as usize);
    let own = match video.rotation {
        90 | 270 => (video.height, video.width),
        _ => (video.width, video.height),
    };
    let size = opening.size.map_or(own, |size| (size.width(), size.height()));
    let shared = py.detach(|| Arc::new(VideoShared::new(opening, pipeline, stop)));
    remember(&shared);
    Ok(PyVideo::new(
        shared,
        crate::video::Known {
            is_live,
            duration: seconds.filter(|_| !is_live),
            rate,
            size: Some(size).filter(|&(w, h)| w > 0 && h > 0),
            frames: counted.or(reckoned).filter(|_| !is_live),
            info,
            audio_extradata,
        },
    ))
}

fn video_of(info: &Probe) -> Option<(&ProbeStream, &ProbeVideo)> {
    info.streams.iter().find(|s| s.selected && s.video.is_some()).and_then(|s| {
        let video = s.video.as_ref()?;
        Some((s, video))
    })
}

/// What is in a file or stream, as `frameloom probe` tells it.
///
/// Raises a `frameloom.Error` where it can't be opened.
#[pyfunction]
#[pyo3(signature = (source, *, format=None, options=None))]
pub(crate) fn probe<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    format: Option<&str>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let url = place(source)?;
    let input = InputKeywords { format, options, ..InputKeywords::default() }
        .settings(InputOptions::new())?;
    let stop = Stop::new();
    let pipeline =
        opened(py, Pipeline::builder(&url).input(input).stop(&stop).open_pending(), &stop)?;
    let info = pipeline.info().map_err(|e| raised(&e))?;
    as_dict(py, &info)
}
