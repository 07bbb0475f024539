//! Validated settings, under FFmpeg's own option names.
//!
//! [`InputOptions`] and [`OutputOptions`] take values as FFmpeg's command line does,
//! `set("s", "hd720")`, and refuse at once what can't be: an unknown name, a size of 0x0, a codec
//! that libav lacks. A name that is not in [`KNOWN`] is an AVOption for libav.

mod input;
mod live;
mod output;

pub use input::InputOptions;
pub use live::{Live, LiveOptions, OnError, OnLoss, OnResize, OnSlow};
pub use output::OutputOptions;
pub(crate) use output::{CodecChoice, PixelFormatChoice};

use std::time::Duration;

use crate::av::{self, Direction, MediaKind};
use crate::error::{Error, Result, Setting, did_you_mean};
use crate::time::{Rate, Timestamp};

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
            Error::usage(format!("'{text}' is not a picture size"))
                .hint("write WIDTHxHEIGHT, such as 960x540, or a name such as hd720")
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
    av::rate(text).ok_or_else(|| {
        Error::usage(format!("'{text}' is not a frame rate"))
            .hint("write a number or a fraction above 0, such as 25 or 30000/1001")
    })
}

/// Parses a span of time by libav's parser: `90`, `1:30.5`, `200ms`.
pub fn parse_span(text: &str) -> Result<Timestamp> {
    av::duration_micros(text).map(Timestamp::from_micros).ok_or_else(|| {
        Error::usage(format!("'{text}' is not a time"))
            .hint("write seconds (1.5), [HH:]MM:SS[.m], or a number with ms or us behind it")
    })
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

/// Which media a `:v` or `:a` behind an option's name restricts it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Specifier {
    All,
    Video,
    Audio,
}

impl Specifier {
    pub(crate) fn covers(self, kind: MediaKind) -> bool {
        match self {
            Specifier::All => true,
            Specifier::Video => kind == MediaKind::Video,
            Specifier::Audio => kind == MediaKind::Audio,
        }
    }

    /// The name without its specifier.
    fn split(name: &str) -> Result<(&str, Specifier)> {
        match name.split_once(':') {
            None => Ok((name, Specifier::All)),
            Some((bare, "v" | "v:0" | "V")) => Ok((bare, Specifier::Video)),
            Some((bare, "a" | "a:0")) => Ok((bare, Specifier::Audio)),
            Some((_, other)) => {
                Err(Error::usage(format!("stream specifier ':{other}' in -{name}"))
                    .hint("frameloom carries one video and one audio stream: use :v or :a"))
            }
        }
    }
}

/// An option that libav is to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AvOption {
    pub(crate) name: String,
    pub(crate) specifier: Specifier,
    pub(crate) value: String,
    /// Codecs know an option of this name.
    pub(crate) for_codec: bool,
    /// Containers, devices or protocols know an option of this name.
    pub(crate) for_format: bool,
    /// The one kind of codec that it is for, where it is for one alone.
    pub(crate) only: Option<MediaKind>,
}

impl AvOption {
    /// Refuses a name that nothing in libav knows.
    fn new(name: &str, value: &str, direction: Direction) -> Result<AvOption> {
        let (bare, specifier) = Specifier::split(name)?;
        let scope = av::find_option(bare, direction);
        if !scope.is_known() {
            return Err(unknown_option(name));
        }
        let secret = [
            "key", "pass", "auth", "cookie", "header", "token", "secret", "playpath", "conn",
            "streamid", "params", "proxy",
        ];
        if secret.iter().any(|part| bare.contains(part)) {
            crate::url::redact::remember(value);
            crate::url::redact::remember_url(value);
        }
        Ok(AvOption {
            name: bare.to_owned(),
            specifier,
            value: value.to_owned(),
            for_codec: scope.codec,
            for_format: scope.format,
            only: match (scope.audio, scope.video) {
                (true, false) => Some(MediaKind::Audio),
                (false, true) => Some(MediaKind::Video),
                _ => None,
            },
        })
    }

    /// Whether it may be meant for the codec of streams of this kind.
    pub(crate) fn is_for(&self, kind: MediaKind) -> bool {
        self.for_codec && self.specifier.covers(kind) && self.only.is_none_or(|only| only == kind)
    }

    /// The option as errors name it.
    pub(crate) fn setting(&self) -> Setting {
        let tail = match self.specifier {
            Specifier::All => "",
            Specifier::Video => ":v",
            Specifier::Audio => ":a",
        };
        Setting::ffmpeg(format!("{}{tail}", self.name))
    }
}

/// The error for an option's name that nothing knows, with the nearest that are known.
pub fn unknown_option(name: &str) -> Error {
    let instead = match name.split(':').next().unwrap_or_default() {
        "map" | "sn" | "dn" => {
            Some("the best video and audio stream are taken; -an and -vn leave one out")
        }
        "filter_complex" | "lavfi" => Some("one graph for the video goes with -vf"),
        "af" | "filter" => Some("audio is copied or encoded, not filtered; -vf filters the video"),
        "shortest" => Some("-t or -frames:v ends an output early"),
        "bsf" => Some("the bit stream filters that a container needs are applied by themselves"),
        "q" | "qscale" | "aq" => {
            Some("use the encoder's own option, such as -crf or -global_quality")
        }
        _ => None,
    };
    if let Some(instead) = instead {
        return Error::usage(format!("-{name} is not an option here")).hint(instead);
    }
    let known = KNOWN.iter().flat_map(|k| k.names.iter().copied());
    let names: Vec<&str> = known.chain(av::option_names()).collect();
    let error = Error::usage(format!("there is no option -{name}"));
    let dashed: Vec<String> = names.iter().map(|n| format!("-{n}")).collect();
    match did_you_mean(&format!("-{name}"), dashed.iter().map(String::as_str)) {
        Some(near) => error.hint(near),
        None => error.hint("see frameloom -h"),
    }
}

fn check_format(name: &str, direction: Direction) -> Result<()> {
    let exists = match direction {
        Direction::Input => av::demuxer_exists(name),
        Direction::Output => av::muxer_for(Some(name), "").is_some(),
    };
    if exists {
        return Ok(());
    }
    let what = if direction == Direction::Input { "read" } else { "write" };
    let error = Error::usage(format!("there is no format '{name}' to {what}"));
    Err(match did_you_mean(name, av::format_names(direction)) {
        Some(near) => error.hint(near),
        None => error,
    })
}

fn pixel_format(name: &str) -> Result<av::PixFmt> {
    av::PixFmt::named(name).filter(|f| !f.is_hardware()).ok_or_else(|| {
        let error = Error::usage(format!("there is no pixel format '{name}'"));
        match did_you_mean(name, av::PixFmt::all_names()) {
            Some(near) => error.hint(near),
            None => error.hint("rgb24, bgr24, gray, yuv420p and nv12 are the usual ones"),
        }
    })
}

/// How many words an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// The name alone.
    Flag,
    /// The name and a value.
    Value,
}

/// Where an option may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before `-i`.
    Input,
    /// Before an output.
    Output,
    /// Either.
    Both,
    /// Anywhere; it belongs to the run as a whole.
    Global,
}

/// One of FFmpeg's option names that Frameloom itself understands.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The name and its other spellings.
    pub names: &'static [&'static str],
    /// Whether a value follows.
    pub arity: Arity,
    /// Where it may stand.
    pub place: Place,
    /// One line of help.
    pub help: &'static str,
}

const fn known(
    names: &'static [&'static str],
    arity: Arity,
    place: Place,
    help: &'static str,
) -> Known {
    Known { names, arity, place, help }
}

/// Every option of FFmpeg's that Frameloom itself understands.
pub const KNOWN: &[Known] = &[
    known(&["y"], Arity::Flag, Place::Global, "overwrite output files"),
    known(&["n"], Arity::Flag, Place::Global, "never overwrite output files (the default)"),
    known(
        &["v", "loglevel"],
        Arity::Value,
        Place::Global,
        "quiet, error, warning, info, verbose, debug or trace",
    ),
    known(&["hide_banner"], Arity::Flag, Place::Global, "accepted; there is no banner"),
    known(&["nostdin"], Arity::Flag, Place::Global, "accepted; the keyboard is never read"),
    known(&["nostats"], Arity::Flag, Place::Global, "no progress bar or status line"),
    known(&["stats"], Arity::Flag, Place::Global, "accepted; the status line is on by default"),
    known(&["f"], Arity::Value, Place::Both, "the format, instead of a guess"),
    known(&["s"], Arity::Value, Place::Both, "picture size: of raw input, or to scale to"),
    known(&["pix_fmt"], Arity::Value, Place::Both, "pixel format: of raw input, or to encode"),
    known(&["r"], Arity::Value, Place::Both, "frame rate: of raw input, or constant on the output"),
    known(&["re"], Arity::Flag, Place::Input, "read at the stream's own speed"),
    known(&["ss"], Arity::Value, Place::Both, "start at this time"),
    known(&["t"], Arity::Value, Place::Both, "stop after this long"),
    known(&["to"], Arity::Value, Place::Both, "stop at this time"),
    known(&["stream_loop"], Arity::Value, Place::Input, "read it so many times more; -1 for ever"),
    known(&["an"], Arity::Flag, Place::Both, "no audio"),
    known(&["vn"], Arity::Flag, Place::Both, "no video"),
    known(&["c", "codec"], Arity::Value, Place::Both, "codec for all streams, or copy"),
    known(&["c:v", "vcodec", "codec:v"], Arity::Value, Place::Both, "video codec, or copy"),
    known(&["c:a", "acodec", "codec:a"], Arity::Value, Place::Both, "audio codec, or copy"),
    known(&["b:v"], Arity::Value, Place::Output, "video bit rate, such as 2M"),
    known(&["b:a"], Arity::Value, Place::Output, "audio bit rate, such as 128k"),
    known(&["ac"], Arity::Value, Place::Output, "audio channels"),
    known(&["g"], Arity::Value, Place::Output, "frames between keyframes, at the most"),
    known(&["vf", "filter:v"], Arity::Value, Place::Output, "filter graph for the video"),
    known(
        &["frames:v", "vframes"],
        Arity::Value,
        Place::Output,
        "stop after this many video frames",
    ),
];

/// How many words the option takes; an AVOption always takes a value.
pub fn arity(name: &str) -> Arity {
    find_known(name).map_or(Arity::Value, |k| k.arity)
}

/// The entry of [`KNOWN`] with this name.
pub fn find_known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.names.contains(&name))
}

/// The error for an option that stands where it means nothing.
fn misplaced(name: &str, direction: Direction) -> Error {
    let (here, there) = match direction {
        Direction::Input => ("an input", "the output it belongs to"),
        Direction::Output => ("an output", "-i"),
    };
    Error::usage(format!("-{name} is not an option of {here}"))
        .hint(format!("put it before {there}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn values_are_libavs_own() {
        assert_eq!(Size::parse("hd720").unwrap(), Size { width: 1280, height: 720 });
        assert_eq!(parse_rate("ntsc").unwrap(), Rate::new(30_000, 1001).unwrap());
        assert_eq!(parse_span("1:30.5").unwrap().as_micros(), 90_500_000);
        assert_eq!(parse_span("-2").unwrap().as_micros(), -2_000_000);
        assert_eq!(parse_duration("2s").unwrap(), Duration::from_secs(2));
        assert_eq!(parse_duration("200ms").unwrap(), Duration::from_millis(200));
    }

    #[test]
    fn nonsense_is_wrong_usage() {
        for error in [
            Size::parse("0x0").unwrap_err(),
            Size::parse("axb").unwrap_err(),
            parse_rate("0").unwrap_err(),
            parse_rate("-25").unwrap_err(),
            parse_span("soon").unwrap_err(),
            parse_duration("-1").unwrap_err(),
            InputOptions::new().set("nosuchthing", "1").unwrap_err(),
            InputOptions::new().set("vf", "scale=2:2").unwrap_err(),
            OutputOptions::new().set("re", "").unwrap_err(),
            OutputOptions::new().set("c:v", "libx26").unwrap_err(),
            OutputOptions::new().set("c:a", "libx264").unwrap_err(),
            OutputOptions::new().set("f", "flvv").unwrap_err(),
            OutputOptions::new().set("pix_fmt", "yuv42p").unwrap_err(),
            OutputOptions::new().set("preset:s", "fast").unwrap_err(),
            OutputOptions::new().set("frames:v", "0").unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        }
    }

    #[test]
    fn the_nearest_names_are_told() {
        let told = OutputOptions::new().set("c:v", "libx246").unwrap_err().to_string();
        assert!(told.contains("libx264"), "{told}");
        let told = OutputOptions::new().set("pixfmt", "gray").unwrap_err().to_string();
        assert!(told.contains("pix_fmt"), "{told}");
    }

    #[test]
    fn contradictions_can_not_be_built() {
        let built = |pairs: &[(&str, &str)]| {
            let mut options = OutputOptions::new();
            pairs.iter().try_for_each(|(n, v)| options.set(n, v)).and_then(|()| options.check())
        };
        assert!(built(&[("c:v", "copy"), ("vf", "hflip")]).is_err());
        assert!(built(&[("c", "copy"), ("s", "2x2")]).is_err());
        assert!(built(&[("vn", ""), ("an", "")]).is_err());
        assert!(built(&[("c:v", "copy"), ("c:a", "aac")]).is_ok());
    }
}
