//! Settings by name, for the edges: a command line, a file, a dictionary of Python's.

use super::av_option::AvOption;
use super::input::InputOptions;
use super::live::LiveOptions;
use super::output::OutputOptions;
use super::row::Row;
use super::table::{find_ffmpeg, find_long, library};
use crate::av::{self, Direction};
use crate::error::{Error, Result, did_you_mean};

impl InputOptions {
    /// Sets an option by FFmpeg's name, without the dash; `value` is ignored where the option
    /// takes none. A name Frameloom doesn't know is an AVOption of the protocol, the demuxer or
    /// the decoder.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that nothing knows and for a value
    /// that can't be, with the nearest that can.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match find_ffmpeg(name) {
            Some(entry) if entry.is_for_input() => entry.set_input(self, value),
            Some(_) => Err(misplaced(name, Direction::Input)),
            None => {
                let option = AvOption::new(name, value, Direction::Input)?;
                self.av.push(option.ok_or_else(|| unknown_option(name))?);
                Ok(())
            }
        }
    }

    /// As [`InputOptions::set`], for chains.
    ///
    /// # Errors
    /// As [`InputOptions::set`].
    pub fn with(mut self, name: &str, value: &str) -> Result<InputOptions> {
        self.set(name, value)?;
        Ok(self)
    }
}

impl OutputOptions {
    /// Sets an option by FFmpeg's name, without the dash; `value` is ignored where the option
    /// takes none. A name Frameloom doesn't know is an AVOption of the encoder, the muxer or the
    /// protocol.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that nothing knows and for a value
    /// that can't be, with the nearest that can.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match find_ffmpeg(name) {
            Some(entry) if entry.is_for_output() => entry.set_output(self, value),
            Some(_) => Err(misplaced(name, Direction::Output)),
            None => {
                let option = AvOption::new(name, value, Direction::Output)?;
                self.av.push(option.ok_or_else(|| unknown_option(name))?);
                Ok(())
            }
        }
    }

    /// As [`OutputOptions::set`], for chains.
    ///
    /// # Errors
    /// As [`OutputOptions::set`].
    pub fn with(mut self, name: &str, value: &str) -> Result<OutputOptions> {
        self.set(name, value)?;
        Ok(self)
    }
}

impl LiveOptions {
    /// Sets an option by the command line's name, without the dashes; `value` is ignored where
    /// the option takes none.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name or a value that doesn't exist, with
    /// those that do.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match find_long(name).filter(|entry| entry.is_for_live()) {
            Some(entry) => entry.set_live(self, value),
            None => {
                let known = library().iter().filter(|entry| entry.is_for_live());
                let error = Error::usage(format!("there is no option --{name}"));
                Err(match did_you_mean(name, known.map(|entry| entry.row.name)) {
                    Some(near) => error.hint(near),
                    None => error,
                })
            }
        }
    }

    /// As [`LiveOptions::set`], for chains.
    ///
    /// # Errors
    /// As [`LiveOptions::set`].
    pub fn with(mut self, name: &str, value: &str) -> Result<LiveOptions> {
        self.set(name, value)?;
        Ok(self)
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
    let known = library().iter().map(|entry| &entry.row).filter(|row| !row.is_long);
    let known = known.flat_map(Row::names);
    let names: Vec<&str> = known.chain(av::option_names()).collect();
    let error = Error::usage(format!("there is no option -{name}"));
    let dashed: Vec<String> = names.iter().map(|n| format!("-{n}")).collect();
    match did_you_mean(&format!("-{name}"), dashed.iter().map(String::as_str)) {
        Some(near) => error.hint(near),
        None => error.hint("see frameloom -h"),
    }
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
