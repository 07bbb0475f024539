//! A setting as data, for errors to name.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The end of a pipeline that a setting belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum End {
    /// An input.
    Input,
    /// An output.
    Output,
}

/// A setting that an error names: which one, and its value where the error is about that.
///
/// How it is written depends on who reads the error, and is a
/// [`Wording`](crate::Wording)'s to know: `-c:v copy` on the command line is `codec="copy"` in
/// Python.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Setting {
    name: Cow<'static, str>,
    is_ffmpegs: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<End>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'static, str>>,
}

impl Setting {
    /// One of FFmpeg's options, by its name without the dash: `c:v`, `ca_file`.
    pub fn ffmpeg(name: impl Into<Cow<'static, str>>) -> Setting {
        Setting { name: name.into(), is_ffmpegs: true, end: None, value: None }
    }

    /// One of Frameloom's own settings, by its name with dashes or underscores: `on-loss`.
    pub fn own(name: impl Into<Cow<'static, str>>) -> Setting {
        Setting { name: name.into(), is_ffmpegs: false, end: None, value: None }
    }

    /// The setting as it belongs to `end`: some names mean one thing on an input and another on an
    /// output.
    #[must_use]
    pub fn of(mut self, end: End) -> Setting {
        self.end = Some(end);
        self
    }

    /// The setting with a value.
    #[must_use]
    pub fn to(mut self, value: impl Into<Cow<'static, str>>) -> Setting {
        self.value = Some(value.into());
        self
    }

    /// Its name, without dashes in front.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is one of FFmpeg's options, not one of Frameloom's own settings.
    pub fn is_ffmpegs(&self) -> bool {
        self.is_ffmpegs
    }

    /// The end it belongs to, where that is known.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// The value that the error is about.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Whether both are the same setting, whatever their values.
    pub fn is_same(&self, other: &Setting) -> bool {
        let same = |(a, b): (char, char)| a == b || matches!((a, b), ('-', '_') | ('_', '-'));
        self.is_ffmpegs == other.is_ffmpegs
            && self.name.len() == other.name.len()
            && self.name.chars().zip(other.name.chars()).all(same)
    }

    /// What a user gave as a name may be a URL.
    pub(super) fn redacted(self, redact: impl Fn(&str) -> String) -> Setting {
        let shown = |text: Cow<'static, str>| match text {
            Cow::Borrowed(_) => text,
            Cow::Owned(text) => Cow::Owned(redact(&text)),
        };
        Setting { name: shown(self.name), value: self.value.map(shown), ..self }
    }
}
