//! The name that the program is called by: programs that start `ffmpeg` read what that says.

use std::ffi::{OsStr, OsString};
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
    /// What the first word of a command line is, with the word behind it. `variable` gives the environment's.
    pub fn of(
        program: &OsStr,
        next: Option<&OsStr>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> CalledAs {
        // A program that starts ffmpeg gives it an option first. A person may give a verb.
        let has_option = next.is_some_and(|next| next.as_encoded_bytes().starts_with(b"-"));
        let is_named = || VARIABLES.iter().any(|name| variable(name).as_deref() == Some(program));
        match Path::new(program).file_name().and_then(OsStr::to_str) {
            Some("ffmpeg") => CalledAs::Ffmpeg,
            Some("ffprobe") => CalledAs::Ffprobe,
            _ if has_option && is_named() => CalledAs::Ffmpeg,
            _ => CalledAs::Frameloom,
        }
    }
}

/// What names the ffmpeg program to moviepy and to imageio-ffmpeg.
const VARIABLES: [&str; 2] = ["FFMPEG_BINARY", "IMAGEIO_FFMPEG_EXE"];

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
            let found = CalledAs::of(OsStr::new(program), Some(OsStr::new("-i")), |_| None);
            assert_eq!(found, called, "{program}");
        }
    }

    #[test]
    fn a_program_that_a_variable_names_is_ffmpeg_where_an_option_follows() {
        let variable = |of: &str| (of == "IMAGEIO_FFMPEG_EXE").then(|| "/opt/frameloom".into());
        for (program, next, called) in [
            ("/opt/frameloom", Some("-i"), CalledAs::Ffmpeg),
            ("/opt/frameloom", Some("-version"), CalledAs::Ffmpeg),
            ("/opt/frameloom", Some("serve"), CalledAs::Frameloom),
            ("/opt/frameloom", None, CalledAs::Frameloom),
            ("/usr/bin/frameloom", Some("-i"), CalledAs::Frameloom),
        ] {
            let found = CalledAs::of(OsStr::new(program), next.map(OsStr::new), variable);
            assert_eq!(found, called, "{program} {next:?}");
        }
    }
}
