//! FFmpeg's own options, which go to libav by name.

use crate::av::{self, Direction, MediaKind};
use crate::error::{Error, Hint, Result, Setting};

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
                let cause = format!("there is no stream for the specifier ':{other}'");
                Err(Error::usage(cause)
                    .about(Setting::ffmpeg(name.to_owned()))
                    .hint(Hint::UseSpecifiers))
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
