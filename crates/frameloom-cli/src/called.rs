//! The name that the program is called by: programs that start `ffmpeg` read what that says.

use std::ffi::OsStr;
use std::path::Path;

/// The name that the program is called by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CalledAs {
    /// Its own, or any other.
    #[default]
    Frameloom,
    /// It says what the ffmpeg program says.
    Ffmpeg,
    /// It is `frameloom probe`.
    Ffprobe,
}

impl CalledAs {
    /// What the first word of a command line is.
    pub fn of(program: &OsStr) -> CalledAs {
        match Path::new(program).file_name().and_then(OsStr::to_str) {
            Some("ffmpeg") => CalledAs::Ffmpeg,
            Some("ffprobe") => CalledAs::Ffprobe,
            _ => CalledAs::Frameloom,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_the_file() {
        for (program, called) in [
            ("ffmpeg", CalledAs::Ffmpeg),
            ("/opt/tools/ffmpeg", CalledAs::Ffmpeg),
            ("./ffmpeg", CalledAs::Ffmpeg),
            ("/opt/tools/ffprobe", CalledAs::Ffprobe),
            ("frameloom", CalledAs::Frameloom),
            ("/opt/ffmpeg/frameloom", CalledAs::Frameloom),
            ("ffmpeg5", CalledAs::Frameloom),
            ("", CalledAs::Frameloom),
        ] {
            assert_eq!(CalledAs::of(OsStr::new(program)), called, "{program}");
        }
    }
}
