//! FFmpeg's own options, which go to libav by name.

use super::specifier::{Specifier, StreamPlace};
use crate::av::listing::{OptionEntry, OptionKind};
use crate::av::{self, Direction, MediaKind, OptionClasses};
use crate::error::{End, Error, ExpectedValue, Hint, Result, Setting, ValueKind, nearest};

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

/// Parts of names whose values are never shown.
const SECRET: [&str; 12] = [
    "key", "pass", "auth", "cookie", "header", "token", "secret", "playpath", "conn", "streamid",
    "params", "proxy",
];

impl AvOption {
    /// An option of this name; `None` where nothing in libav knows it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a stream specifier that doesn't exist, and
    /// for a value that no part of libav takes for it.
    pub(super) fn new(name: &str, value: &str, direction: Direction) -> Result<Option<AvOption>> {
        let (bare, specifier) = Specifier::split(name)?;
        let scope = av::find_option(bare, direction);
        if !scope.is_known() {
            return Ok(None);
        }
        if SECRET.iter().any(|part| bare.contains(part)) {
            if bare == "rtmp_playpath" {
                crate::url::redact::remember_name(value);
            } else {
                crate::url::redact::remember(value);
            }
            if bare.contains("header") {
                let values = value.lines().filter_map(|line| line.split_once(':'));
                values.for_each(|(_, value)| crate::url::redact::remember(value.trim()));
            }
            crate::url::redact::remember_url(value);
        }
        let option = AvOption {
            name: bare.to_owned(),
            specifier,
            value: value.to_owned(),
            for_codec: scope.codec,
            for_format: scope.format,
            only: match (scope.audio, scope.video, scope.subtitles) {
                (true, false, false) => Some(MediaKind::Audio),
                (false, true, false) => Some(MediaKind::Video),
                (false, false, true) => Some(MediaKind::Subtitle),
                _ => None,
            },
        };
        let refusals = av::refused_everywhere(bare, value, direction);
        if refusals.is_empty() {
            Ok(Some(option))
        } else {
            // The caller adds the name that its user gave the option.
            Err(wrong_value(value, expected(&refusals, value)))
        }
    }

    /// Refuses a value that libav would refuse where it gives the option to these parts of it.
    pub(crate) fn check_value(&self, end: End, classes: &OptionClasses) -> Result<()> {
        match classes.refusal(&self.name, &self.value) {
            None => Ok(()),
            Some(entry) => {
                let error = wrong_value(&self.value, expected(&[entry], &self.value));
                Err(error.about(self.setting().of(end)))
            }
        }
    }

    /// Whether it may be meant for the codec of this stream.
    pub(crate) fn is_for(&self, stream: StreamPlace<'_>) -> bool {
        let is_of_kind = self.only.is_none_or(|only| only == stream.kind);
        self.for_codec && self.specifier.covers(stream) && is_of_kind
    }

    /// The option as errors name it.
    pub(crate) fn setting(&self) -> Setting {
        let name = match self.name.as_str() {
            // Only `-ac` gives it.
            "ch_layout" => "ac",
            name => name,
        };
        Setting::ffmpeg(format!("{name}{}", self.specifier))
    }
}

/// As much of a value as an error quotes, in characters.
const MOST_QUOTED: usize = 80;

/// The error for a value that an option doesn't take.
pub(crate) fn wrong_value(value: &str, expected: ExpectedValue) -> Error {
    let cause = format!("'{}' can't be", quoted(value));
    Error::usage(cause).hint(Hint::Takes(expected))
}

/// A value as an error quotes it.
pub(crate) fn quoted(value: &str) -> String {
    let mut quoted: String = value.chars().take(MOST_QUOTED).collect();
    if quoted.len() < value.len() {
        quoted.push('…');
    }
    quoted
}

/// What one or more parts of libav take for an option.
pub(crate) fn expected(entries: &[OptionEntry], value: &str) -> ExpectedValue {
    let Some(first) = entries.first() else { return ExpectedValue::of_kind(ValueKind::Other) };
    let kind = match first.kind {
        _ if first.is_list => ValueKind::Other,
        OptionKind::Flags => ValueKind::Flags,
        OptionKind::Int | OptionKind::Int64 | OptionKind::Uint | OptionKind::Uint64 => {
            ValueKind::WholeNumber
        }
        OptionKind::Double | OptionKind::Float => ValueKind::Number,
        OptionKind::Rational => ValueKind::Fraction,
        OptionKind::Binary => ValueKind::Bytes,
        OptionKind::Dictionary => ValueKind::Pairs,
        OptionKind::ImageSize => ValueKind::Size,
        OptionKind::PixelFormat => ValueKind::PixelFormat,
        OptionKind::SampleFormat => ValueKind::SampleFormat,
        OptionKind::VideoRate => ValueKind::Rate,
        OptionKind::Duration => ValueKind::Time,
        OptionKind::Color => ValueKind::Color,
        OptionKind::ChannelLayout | OptionKind::ChannelMask => ValueKind::ChannelLayout,
        OptionKind::Bool => ValueKind::YesOrNo,
        OptionKind::Text | OptionKind::Other => ValueKind::Other,
    };
    let mut names: Vec<&str> = Vec::new();
    for name in entries.iter().flat_map(|entry| &entry.constants).map(|constant| constant.name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // With names, a bound that only says what a number of this size can hold says nothing.
    let is_said = |bound: &f64| {
        names.is_empty() || ![f64::from(i32::MIN), f64::from(i32::MAX)].contains(bound)
    };
    let is_whole = kind != ValueKind::Number && kind != ValueKind::Fraction;
    let ranges = || entries.iter().filter_map(|entry| entry.range);
    let least = ranges().map(|(least, _)| least).min_by(f64::total_cmp);
    let greatest = ranges().map(|(_, greatest)| greatest).max_by(f64::total_cmp);
    // What was given as one of several flags.
    let last = value.rsplit(['+', '-', '|']).next().unwrap_or_default();
    let near = nearest(last, names.iter().copied());
    ExpectedValue {
        kind,
        least: least.filter(is_said).and_then(|least| bound(least, is_whole)),
        greatest: greatest.filter(is_said).and_then(|greatest| bound(greatest, is_whole)),
        near: near.into_iter().map(str::to_owned).collect(),
        names: names.into_iter().map(str::to_owned).collect(),
    }
}

/// A bound as it is written; `None` for one that only says what a number of this size can hold.
fn bound(bound: f64, is_whole: bool) -> Option<String> {
    if !is_whole {
        return (bound.abs() < f64::from(f32::MAX)).then(|| bound.to_string());
    }
    // A whole number of 64 bits: a double has no nearer one than the power of two beside the largest.
    const LARGEST: f64 = i64::MAX as f64;
    (bound.abs() < LARGEST).then(|| (bound as i64).to_string())
}
