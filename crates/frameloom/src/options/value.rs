//! Values as text: what the command line, a file and Python give, judged before anything is opened.

use std::time::Duration;

use super::specifier::Specifier;
use crate::av::listing::bitstream_filters as bitstream_filter_list;
use crate::av::{self, BitstreamFilter, Direction, EncoderSetup, MediaKind};
use crate::error::{End, Error, Hint, Result, Setting, sentence};
use crate::image::PixelFormat;
use crate::time::{Rate, Timestamp};

/// What becomes of the times of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameTimes {
    /// Each frame keeps its own time.
    Own,
    /// The stream's rate is constant: frames are repeated and left out.
    Constant,
}

/// Reads a value of `-fps_mode`, or one of `-vsync`'s numbers.
pub(super) fn frame_times(value: &str) -> Result<FrameTimes> {
    match value {
        "auto" | "passthrough" | "vfr" | "-1" | "0" | "2" => Ok(FrameTimes::Own),
        "cfr" | "1" => Ok(FrameTimes::Constant),
        _ => {
            let known = ["auto", "passthrough", "cfr", "vfr"];
            Err(Error::usage(format!("there is no '{value}'")).hint(Hint::one_of(value, known)))
        }
    }
}

/// What is to become of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CodecChoice {
    Copy,
    /// An encoder's name, or a codec's.
    Encoder(String),
}

/// FFmpeg's `-pix_fmt` on an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PixelFormatChoice {
    /// `None` for the input's own.
    pub(crate) format: Option<String>,
    /// An unsupported format is an error, not the nearest one.
    pub(crate) strict: bool,
}

/// libav takes no picture of more than about so many pixels (`av_image_check_size`).
const MOST_PIXELS: u64 = 1 << 28;

/// A picture size in pixels, never zero either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    width: u32,
    height: u32,
}

impl Size {
    /// A size; `None` where one side is zero.
    pub const fn new(width: u32, height: u32) -> Option<Size> {
        if width > 0 && height > 0 { Some(Size { width, height }) } else { None }
    }

    /// By libav's parser: `960x540`, `hd720`, `vga`.
    pub fn parse(text: &str) -> Result<Size> {
        let sane = |&(w, h): &(u32, u32)| u64::from(w) * u64::from(h) <= MOST_PIXELS;
        let parsed = av::video_size(text).filter(sane);
        parsed.and_then(|(w, h)| Size::new(w, h)).ok_or_else(|| {
            Error::usage(format!("'{text}' is not a picture size")).hint(Hint::WriteSize)
        })
    }

    /// Pixels from left to right.
    pub const fn width(self) -> u32 {
        self.width
    }

    /// Pixels from top to bottom.
    pub const fn height(self) -> u32 {
        self.height
    }
}

/// Parses a frame rate by libav's parser: `24`, `30000/1001`, `ntsc`.
pub fn parse_rate(text: &str) -> Result<Rate> {
    av::rate(text)
        .ok_or_else(|| Error::usage(format!("'{text}' is not a frame rate")).hint(Hint::WriteRate))
}

/// Parses width to height by libav's parser: `16:9`, `1.85`.
pub(super) fn parse_ratio(text: &str) -> Result<(i32, i32)> {
    av::ratio(text).ok_or_else(|| {
        Error::usage(format!("'{text}' is not a ratio of width to height, such as 16:9"))
    })
}

/// Parses a span of time by libav's parser: `90`, `1:30.5`, `200ms`.
pub fn parse_span(text: &str) -> Result<Timestamp> {
    av::duration_micros(text)
        .map(Timestamp::from_micros)
        .ok_or_else(|| Error::usage(format!("'{text}' is not a time")).hint(Hint::WriteTime))
}

/// Parses a waiting time, which can't be negative: `2s`, `500ms`, `1.5`.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let micros = parse_span(
        text.strip_suffix('s')
            .filter(|t| t.ends_with(|c: char| c.is_ascii_digit()))
            .unwrap_or(text),
    )?
    .as_micros();
    u64::try_from(micros)
        .map(Duration::from_micros)
        .map_err(|_| Error::usage(format!("'{text}' is less than nothing")))
}

/// The longest span of time that a setting keeps, 100 years: what is longer is for ever, and can be
/// added to a clock.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A span of time that can be added to a clock.
pub(super) fn bounded(span: Duration) -> Duration {
    span.min(FOR_EVER)
}

/// A span of time as one of a stream.
pub(super) fn timestamp(span: Duration) -> Timestamp {
    Timestamp::from_micros(i64::try_from(bounded(span).as_micros()).unwrap_or(i64::MAX))
}

/// An enumeration whose values have names.
pub(super) trait Choice: Sized + Copy + 'static {
    const VALUES: &'static [(&'static str, Self)];
}

/// The names of an enumeration's values.
pub(super) const fn names<C: Copy, const N: usize>(
    values: &[(&'static str, C)],
) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = values[at].0;
        at += 1;
    }
    names
}

/// The value that option `name` gives this name.
pub(super) fn choice<C: Choice>(name: &'static str, value: &str) -> Result<C> {
    let names = || C::VALUES.iter().map(|(name, _)| *name);
    let found = C::VALUES.iter().find(|(name, _)| *name == value);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let cause = sentence!("'{}' is no value of {}", value, Setting::own(name));
        Error::usage(cause).hint(Hint::one_of(value, names()))
    })
}

/// The error for a setting that is 0 or less.
pub(super) fn must_be_more(setting: &Setting) -> Error {
    Error::usage(sentence!("{} must be more than 0", setting))
}

/// A waiting time above 0, for option `name`.
pub(super) fn above_zero(name: &'static str, value: &str) -> Result<Duration> {
    let span = parse_duration(value)?;
    if span.is_zero() {
        return Err(must_be_more(&Setting::own(name)));
    }
    Ok(span)
}

pub(super) fn check_format(name: &str, direction: Direction) -> Result<()> {
    let exists = match direction {
        Direction::Input => av::demuxer_exists(name),
        Direction::Output => av::muxer_for(Some(name), "").is_some(),
    };
    if exists {
        return Ok(());
    }
    let what = if direction == Direction::Input { "read" } else { "write" };
    Err(Error::usage(format!("there is no format '{name}' to {what}"))
        .hint_near(name, av::format_names(direction)))
}

pub(super) fn pixel_format(name: &str) -> Result<av::PixFmt> {
    av::PixFmt::named(name).filter(|f| !f.is_hardware()).ok_or_else(|| {
        Error::usage(format!("there is no pixel format '{name}'"))
            .hint_near(name, av::PixFmt::all_names())
            .hint(Hint::UsualPixelFormats)
    })
}

pub(super) fn parse_loops(value: &str) -> Result<Option<u64>> {
    match value.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(n) if n >= 0 => Ok(Some(n.unsigned_abs())),
        _ => {
            Err(Error::usage(format!("'{value}' is not a number of loops")).hint(Hint::WriteLoops))
        }
    }
}

pub(super) fn decoder(name: &str) -> Result<String> {
    if av::decoder_exists(name) {
        return Ok(name.to_owned());
    }
    let names = [av::MediaKind::Video, av::MediaKind::Audio].map(av::encoder_names).concat();
    Err(Error::usage(format!("there is no decoder '{name}'")).hint_near(name, names))
}

pub(super) fn codec_choice(name: &str, kind: MediaKind) -> Result<CodecChoice> {
    if name == "copy" {
        return Ok(CodecChoice::Copy);
    }
    if EncoderSetup::find(name).is_some_and(|e| e.kind() == kind) {
        return Ok(CodecChoice::Encoder(name.to_owned()));
    }
    Err(Error::usage(format!("there is no {} encoder '{name}'", kind.name()))
        .hint_near(name, av::encoder_names(kind))
        .hint(if kind == MediaKind::Subtitle {
            let all = av::encoder_names(kind).into_iter().map(str::to_owned).collect();
            Hint::OneOf { near: Vec::new(), all }
        } else {
            Hint::UsualEncoders
        }))
}

/// As [`codec_choice`], for streams of whatever kind the encoder is for.
pub(super) fn codec_choice_of_any_kind(name: &str) -> Result<CodecChoice> {
    let kind = EncoderSetup::find(name).map_or(MediaKind::Video, |encoder| encoder.kind());
    codec_choice(name, kind)
}

pub(super) fn pixel_format_choice(value: &str) -> Result<PixelFormatChoice> {
    let bare = value.strip_prefix('+');
    let strict = bare.is_some();
    let name = bare.unwrap_or(value);
    let format =
        if strict && name.is_empty() { None } else { Some(pixel_format(name)?.name().to_owned()) };
    Ok(PixelFormatChoice { format, strict })
}

/// The usual channel layout for a number of channels. Since FFmpeg 7 its libraries have no option
/// for the bare number.
pub(super) fn usual_layout(channels: &str) -> Result<&'static str> {
    let layouts = ["mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1"];
    let number = channels.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    number.and_then(|n| layouts.get(n)).copied().ok_or_else(|| {
        let ac = Setting::ffmpeg("ac").of(End::Output);
        Error::usage(sentence!("{} takes a number of channels from 1 to 8, not '{}'", ac, channels))
    })
}

/// A number of samples a second, which libav may be given in thousands, as `44.1k`.
pub(super) fn sample_rate(value: &str) -> String {
    let thousands = value.strip_suffix(['k', 'K']).and_then(|number| number.parse::<f64>().ok());
    thousands.map_or_else(|| value.to_owned(), |number| (number * 1000.0).round().to_string())
}

/// A list of bitstream filters that there are, with values that they take.
pub(super) fn bitstream_filters(list: &str) -> Result<String> {
    let Err(e) = BitstreamFilter::parse(list) else { return Ok(list.to_owned()) };
    let known: Vec<_> = bitstream_filter_list().into_iter().map(|filter| filter.name).collect();
    let names = list.split(',').map(|filter| filter.split('=').next().unwrap_or_default());
    let unknown = names.into_iter().find(|name| !known.contains(name));
    Err(match unknown {
        Some(name) => Error::usage(format!("there is no bitstream filter '{name}'"))
            .hint(Hint::near_or_all(name, known)),
        None => Error::usage(format!("'{list}': {}", e.cause())),
    })
}

/// A pass of two: 1, 2, or 3 for both at once.
pub(super) fn encoding_pass(value: &str) -> Result<u8> {
    let pass = value.parse().ok().filter(|pass| (1..=3).contains(pass));
    pass.ok_or_else(|| Error::usage(format!("'{value}' is no pass: 1, 2 or 3 for both")))
}

/// The four letters that a container calls a codec by, or their number.
pub(super) fn codec_tag(value: &str) -> Result<u32> {
    let number = match value.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    };
    let letters = || value.as_bytes().try_into().ok().map(u32::from_le_bytes);
    number.or_else(letters).ok_or_else(|| {
        Error::usage(format!("'{value}' is neither four letters, such as hvc1, nor a number"))
    })
}

/// Flags of libav's scaler, such as `bicubic+accurate_rnd`.
pub(super) fn scaler_flags(value: &str) -> Result<String> {
    // Within a graph anything else would end them.
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-');
    if value.is_empty() || !value.chars().all(is_name) {
        let cause = format!("'{value}' are no flags of the scaler, such as bicubic+accurate_rnd");
        return Err(Error::usage(cause));
    }
    Ok(value.to_owned())
}

/// Refuses a filter graph for streams that have no frames to filter.
pub(super) fn filtered_streams(streams: &Specifier) -> Result<()> {
    match streams.kind() {
        None | Some(MediaKind::Video | MediaKind::Audio) => Ok(()),
        Some(kind) => Err(Error::usage(format!("filters are not for {}", kind.name()))),
    }
}

/// A timecode by libav's parser: `hh:mm:ss:ff`, with `;` or `.` before the frames where numbers are left out
/// to keep to the clock.
pub(super) fn timecode(value: &str) -> Result<String> {
    match av::is_timecode(value) {
        true => Ok(value.to_owned()),
        false => Err(Error::usage(format!("'{value}' is no timecode, such as 01:00:00:00"))),
    }
}

pub(super) fn parse_frames(name: &'static str, value: &str) -> Result<u64> {
    value.parse().ok().filter(|&n| n > 0).ok_or_else(|| {
        let name = Setting::ffmpeg(name).of(End::Output);
        Error::usage(sentence!("{} takes a number of frames above 0, not '{}'", name, value))
    })
}

/// A place on an encoder's scale of quality, in libav's units (`FF_QP2LAMBDA` of them are 1).
pub(super) fn quality(value: &str) -> Result<i64> {
    let number = value.parse::<f64>().ok().filter(|q| (-1000.0..=1000.0).contains(q));
    // In that range, so the cast drops nothing but the fraction.
    number
        .map(|q| (q * 118.0).round() as i64)
        .ok_or_else(|| Error::usage(format!("'{value}' is no number from -1000 to 1000")))
}

/// The pixel format of this name, of those that a frame can be viewed as.
pub(super) fn frame_format(name: &str) -> Result<PixelFormat> {
    PixelFormat::from_name(name).ok_or_else(|| {
        let names = PixelFormat::ALL.iter().map(|format| format.name());
        Error::usage(format!("'{name}' is not a frame format")).hint(Hint::near_or_all(name, names))
    })
}
