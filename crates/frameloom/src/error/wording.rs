//! How errors spell settings, for whoever reads them.

use std::sync::{PoisonError, RwLock};

use super::setting::{End, Setting};

/// The words of one front: the command line, Python, a file.
///
/// An [`Error`](crate::Error) holds its settings as data. [`Error::display`](crate::Error::display)
/// makes the sentence, and asks a `Wording` for what differs between the fronts.
pub trait Wording {
    /// The setting's name alone: `--on-loss`, `-c:v`.
    fn name(&self, setting: &Setting) -> String;

    /// The setting as it is written, with its value where it has one: `--on-loss=hold`,
    /// `-c:v copy`.
    fn written(&self, setting: &Setting) -> String;

    /// What to do with an option that belongs to `end`, as an imperative.
    fn place(&self, end: End) -> &'static str;

    /// How code is given, as an imperative.
    fn code(&self) -> &'static str;

    /// Where the options are listed, as a whole clause.
    fn list_of_options(&self) -> &'static str;
}

/// FFmpeg's command line with Frameloom's long options: `-c:v copy`, `--on-loss=hold`.
///
/// It is what the `Display` of the library's types and the log speak, unless the front that runs is
/// another one.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandLine;

static DEFAULT_WORDING: RwLock<&'static (dyn Wording + Sync)> = RwLock::new(&CommandLine);

/// Chooses the words of `Display` and of the log. A front does so when it starts.
pub fn set_default_wording(wording: &'static (dyn Wording + Sync)) {
    *DEFAULT_WORDING.write().unwrap_or_else(PoisonError::into_inner) = wording;
}

/// The words of the front that runs.
pub(crate) fn default_wording() -> &'static dyn Wording {
    *DEFAULT_WORDING.read().unwrap_or_else(PoisonError::into_inner)
}

impl Wording for CommandLine {
    fn name(&self, setting: &Setting) -> String {
        let name = setting.name();
        if setting.is_ffmpegs() {
            format!("-{name}")
        } else {
            format!("--{}", name.replace('_', "-"))
        }
    }

    fn written(&self, setting: &Setting) -> String {
        let name = self.name(setting);
        match setting.value() {
            Some(value) if setting.is_ffmpegs() => format!("{name} {value}"),
            Some(value) => format!("{name}={value}"),
            None => name,
        }
    }

    fn place(&self, end: End) -> &'static str {
        match end {
            End::Input => "put it before the -i it belongs to",
            End::Output => "put it before the output it belongs to",
        }
    }

    fn code(&self) -> &'static str {
        "give your code behind --, as in -- python3 edit.py"
    }

    fn list_of_options(&self) -> &'static str {
        "frameloom -h lists the options"
    }
}
