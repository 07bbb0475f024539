//! What is in an input, for `frameloom probe`.

use serde::Serialize;

use crate::av::{MediaKind, PixFmt, StreamInfo};
use crate::codec::decode::rotation_degrees;
use crate::error::Result;
use crate::input::Source;
use crate::options::InputOptions;
use crate::protocol::environment::Environment;
use crate::time::stop::Stop;

/// What an input holds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Probe {
    /// The URL without its credentials and stream key.
    pub url: String,
    /// The demuxer's name.
    pub format: String,
    /// Whether it runs at its own speed.
    pub live: bool,
    /// Seconds.
    pub start: Option<f64>,
    /// Seconds.
    pub duration: Option<f64>,
    /// Bits a second.
    pub bit_rate: Option<i64>,
    /// Every stream, in the container's order.
    pub streams: Vec<ProbeStream>,
}

/// One elementary stream of an input.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProbeStream {
    /// Its place in the container, from 0.
    pub index: usize,
    /// "video", "audio", "subtitle", "data", "attachment" or "other".
    pub kind: &'static str,
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// The codec's profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether a pipeline would take it.
    pub selected: bool,
    /// The unit of the stream's timestamps, seconds as a fraction.
    pub time_base: String,
    /// Seconds.
    pub start: Option<f64>,
    /// Seconds.
    pub duration: Option<f64>,
    /// Bits a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bit_rate: Option<i64>,
    /// What only video has.
    #[serde(flatten)]
    pub video: Option<ProbeVideo>,
    /// What only audio has.
    #[serde(flatten)]
    pub audio: Option<ProbeAudio>,
}

/// What only a video stream has.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProbeVideo {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// FFmpeg's name of the codec's own format.
    pub pix_fmt: Option<String>,
    /// Frames a second, a fraction.
    pub frame_rate: Option<String>,
    /// Frames, where the container says.
    pub frames: Option<i64>,
    /// Width to height of one pixel.
    pub sample_aspect_ratio: Option<String>,
    /// "limited" or "full", where tagged.
    pub color_range: Option<&'static str>,
    /// The matrix, ITU-T H.273: "bt709", "bt601" and so on, where tagged.
    pub color_matrix: Option<&'static str>,
    /// Degrees clockwise by which a player turns the picture.
    pub rotation: i32,
}

/// What only an audio stream has.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProbeAudio {
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u32,
}

/// Opens an input, says what is in it, and closes it.
///
/// # Errors
/// As opening it for a pipeline.
pub fn probe(url: &str, options: InputOptions, stop: &Stop) -> Result<Probe> {
    of(&Source::open(url, options, &Environment::real(), stop)?)
}

/// What is in an open input.
pub(crate) fn of(source: &Source) -> Result<Probe> {
    let streams = source.all_streams()?;
    let streams = streams.iter().map(|stream| {
        let chosen = source.streams.number_of(stream.index);
        match chosen.and_then(|number| source.streams.get(number)) {
            Some(stream) => describe(stream, true),
            None => describe(stream, false),
        }
    });
    let streams = streams.collect();
    let seconds = |micros: i64| micros as f64 / 1e6;
    Ok(Probe {
        url: crate::url::redact::url(source.url()),
        format: source.format_name().to_owned(),
        live: source.is_live,
        start: Some(source.begin.as_secs_f64()),
        duration: source.duration_micros().map(seconds),
        bit_rate: Some(source.bit_rate()).filter(|&b| b > 0),
        streams,
    })
}

fn describe(stream: &StreamInfo, selected: bool) -> ProbeStream {
    let params = &stream.params;
    let seconds = |ticks: i64| stream.time_base.at(ticks).as_secs_f64();
    let colors = params.colors();
    ProbeStream {
        index: stream.index,
        kind: stream.kind.name(),
        codec: params.codec().name().to_owned(),
        profile: params.profile_name().map(str::to_owned),
        selected,
        time_base: stream.time_base.to_string(),
        start: stream.start.map(seconds),
        duration: stream.duration.map(seconds),
        bit_rate: Some(params.bit_rate()).filter(|&b| b > 0),
        video: (stream.kind.of_codec() == MediaKind::Video).then(|| ProbeVideo {
            width: params.width(),
            height: params.height(),
            pix_fmt: PixFmt::from_raw(params.format()).map(|f| f.name().to_owned()),
            frame_rate: stream.frame_rate.map(|r| r.to_string()),
            frames: Some(stream.frames).filter(|&n| n > 0),
            sample_aspect_ratio: stream.sample_aspect_ratio.map(|(n, d)| format!("{n}:{d}")),
            color_range: colors.range_name(),
            color_matrix: colors.matrix_name(),
            rotation: stream.display_matrix.map_or(0, |m| rotation_degrees(&m)),
        }),
        audio: (stream.kind == MediaKind::Audio)
            .then(|| ProbeAudio { sample_rate: params.sample_rate(), channels: params.channels() }),
    }
}
