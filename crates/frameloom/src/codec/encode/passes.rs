//! Two passes: the first writes down what it saw, the second reads it (FFmpeg's `-pass`).

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use crate::av::{Dict, Encoder};
use crate::error::{Error, ErrorKind, Hint, Result, Setting, Stage, kind_of, os_words};

/// Which pass an encoding is, and where its statistics lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PassPlan {
    /// They are written.
    pub(crate) is_first: bool,
    /// They are read.
    pub(crate) is_second: bool,
    pub(crate) file: PathBuf,
}

/// Encoders that read and write the file themselves, where their option `stats` names it.
const OWN_FILE: [&str; 2] = ["libx264", "libx264rgb"];

impl PassPlan {
    /// Adds what the encoder must be told.
    pub(super) fn set(&self, encoder: &str, options: &mut Dict) {
        let flags = [(self.is_first, "+pass1"), (self.is_second, "+pass2")];
        let flags = flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag));
        let given = options.get("flags").unwrap_or_default();
        options.set("flags", &flags.fold(given, |all, flag| all + flag));
        if OWN_FILE.contains(&encoder) {
            options.set_default("stats", &self.file.to_string_lossy());
        }
    }

    /// What the first pass wrote down, for an encoder that doesn't read it itself.
    ///
    /// # Errors
    /// Where there is nothing to read.
    pub(super) fn read(&self, encoder: &str) -> Result<Option<CString>> {
        if !self.is_second {
            return Ok(None);
        }
        // The encoder's own words for a file that is missing name nothing.
        let read = fs::read(&self.file).map_err(|e| self.failed(e).hint(Hint::FirstPassBefore))?;
        if OWN_FILE.contains(&encoder) {
            return Ok(None);
        }
        let text =
            CString::new(read).map_err(|e| self.error("it is not a first pass's").because(e));
        text.map(Some)
    }

    /// The file for what the encoder says, where it doesn't write it itself.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(super) fn create(&self, encoder: &str) -> Result<Option<StatisticsFile>> {
        if !self.is_first || OWN_FILE.contains(&encoder) {
            return Ok(None);
        }
        let file = File::create(&self.file).map_err(|e| self.failed(e))?;
        Ok(Some(StatisticsFile { plan: self.clone(), file, last: Vec::new() }))
    }

    fn failed(&self, e: std::io::Error) -> Error {
        Error::new(kind_of(e.kind()), Stage::Encode, os_words(&e))
            .at(&self.file.to_string_lossy())
            .about(Setting::ffmpeg("passlogfile"))
            .because(e)
    }

    fn error(&self, cause: &'static str) -> Error {
        Error::new(ErrorKind::InvalidData, Stage::Encode, cause)
            .at(&self.file.to_string_lossy())
            .about(Setting::ffmpeg("passlogfile"))
    }
}

/// Where the first pass writes down what an encoder says.
pub(super) struct StatisticsFile {
    plan: PassPlan,
    file: File,
    /// What was written last.
    last: Vec<u8>,
}

impl StatisticsFile {
    /// Writes what the encoder says of what it gave last, where that is something new.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub(super) fn take(&mut self, encoder: &Encoder) -> Result<()> {
        let said = encoder.statistics().unwrap_or_default();
        if said == self.last {
            return Ok(());
        }
        self.last = said.to_vec();
        self.file.write_all(said).map_err(|e| self.plan.failed(e))
    }
}
