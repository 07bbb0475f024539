//! FFmpeg's own options, which go to libav by name.

use super::specifier::{Specifier, StreamPlace};
use crate::av::{self, Direction, MediaKind};
use crate::error::{Result, Setting};

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
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a stream specifier that doesn't exist.
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
        Ok(Some(AvOption {
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
        }))
    }

    /// Whether it may be meant for the codec of this stream.
    pub(crate) fn is_for(&self, stream: StreamPlace) -> bool {
        let is_of_kind = self.only.is_none_or(|only| only == stream.kind);
        self.for_codec && self.specifier.covers(stream) && is_of_kind
    }

    /// The option as errors name it.
    pub(crate) fn setting(&self) -> Setting {
        Setting::ffmpeg(format!("{}{}", self.name, self.specifier))
    }
}
