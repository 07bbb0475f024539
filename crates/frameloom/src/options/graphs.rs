//! Filter graphs across streams (ffmpeg(1), `-filter_complex`).

use std::path::Path;

use crate::error::{Error, Result};

/// The longest description that is read from a file.
const LONGEST_BYTES: u64 = 1 << 20;

/// Filter graphs across streams, in FFmpeg's language and in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterGraphs {
    specs: Vec<String>,
}

impl FilterGraphs {
    /// None.
    pub fn new() -> FilterGraphs {
        FilterGraphs::default()
    }

    /// The descriptions.
    pub fn specs(&self) -> &[String] {
        &self.specs
    }

    /// Adds one.
    pub(crate) fn add(&mut self, spec: &str) {
        self.specs.push(spec.to_owned());
    }

    /// Adds the one that a file holds.
    ///
    /// # Errors
    /// Where the file can't be read, or is longer than 1 MiB.
    pub(crate) fn add_file(&mut self, path: &str) -> Result<()> {
        let path = crate::url::local_path(path).unwrap_or_else(|| Path::new(path).to_owned());
        let failed = |e: std::io::Error| {
            let cause = format!("the file '{}' can't be read: {e}", path.display());
            Error::usage(cause)
        };
        let length = std::fs::metadata(&path).map_err(failed)?.len();
        if length > LONGEST_BYTES {
            return Err(Error::usage("the file is longer than a description can be"));
        }
        self.specs.push(std::fs::read_to_string(&path).map_err(failed)?);
        Ok(())
    }
}
