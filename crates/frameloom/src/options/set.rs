//! Settings by name, for the edges: a command line, a file, a dictionary of Python's.

use super::absent::find_absent;
use super::av_option::AvOption;
use super::input::InputOptions;
use super::live::LiveOptions;
use super::output::OutputOptions;
use super::row::Row;
use super::table::{find_ffmpeg, find_long, library};
use crate::av::{self, Direction};
use crate::error::{End, Error, Hint, Result, Setting, nearest, sentence};

impl InputOptions {
    /// Sets an option by FFmpeg's name, without the dash; `value` is ignored where the option
    /// takes none. A name Frameloom doesn't know is an AVOption of the protocol, the demuxer or
    /// the decoder.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that nothing knows and for a value
    /// that can't be, with the nearest that can.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let about = |error: Error| error.about(Setting::ffmpeg(name.to_owned()).of(End::Input));
        no_nul(&[name, value]).map_err(about)?;
        match find_ffmpeg(name) {
            Some(entry) if entry.is_for_input() => {
                entry.set_input_as(name, self, value).map_err(about)
            }
            Some(_) => Err(misplaced(name, End::Input)),
            None if has_no_effect(name, End::Input)? => Ok(()),
            None => {
                let option = AvOption::new(name, value, Direction::Input).map_err(about)?;
                self.av.push(option.ok_or_else(|| unknown_option(name, End::Input))?);
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
        let about = |error: Error| error.about(Setting::ffmpeg(name.to_owned()).of(End::Output));
        no_nul(&[name, value]).map_err(about)?;
        match find_ffmpeg(name) {
            Some(entry) if entry.is_for_output() => {
                entry.set_output_as(name, self, value).map_err(about)
            }
            Some(_) => Err(misplaced(name, End::Output)),
            None if has_no_effect(name, End::Output)? => Ok(()),
            None => {
                let option = AvOption::new(name, value, Direction::Output).map_err(about)?;
                self.av.push(option.ok_or_else(|| unknown_option(name, End::Output))?);
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
        no_nul(&[name, value]).map_err(|error| error.about(Setting::own(name.to_owned())))?;
        match find_long(name).filter(|entry| entry.is_for_live()) {
            Some(entry) => {
                entry.set_live(self, value).map_err(|error| error.about(entry.row.setting()))
            }
            None => {
                let known = library().iter().filter(|entry| entry.is_for_live());
                let known: Vec<&str> = known.map(|entry| entry.row.name).collect();
                let near = nearest(name, known).into_iter().map(Setting::own);
                Err(no_such_option(Setting::own(name.to_owned()), near.collect()))
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

/// Refuses texts with a NUL character in them: libav and the system would read up to it.
fn no_nul(texts: &[&str]) -> Result<()> {
    if texts.iter().any(|text| text.contains('\0')) {
        return Err(Error::usage("it has a NUL character, which no setting can have"));
    }
    Ok(())
}

/// Whether it is an option of FFmpeg's that has nothing to change here.
///
/// # Errors
/// One that is not here, with what there is instead.
fn has_no_effect(name: &str, end: End) -> Result<bool> {
    let Some(option) = find_absent(name) else { return Ok(false) };
    let refusal = option.refusal(Setting::ffmpeg(name.to_owned()).of(end));
    refusal.map_or(Ok(true), Err)
}

/// The error for an option's name that nothing knows, with the nearest that are known.
fn unknown_option(name: &str, end: End) -> Error {
    let option = Setting::ffmpeg(name.to_owned()).of(end);
    let other = match end {
        End::Input => Direction::Output,
        End::Output => Direction::Input,
    };
    if av::find_option(name.split(':').next().unwrap_or_default(), other).is_known() {
        return misplaced(name, end);
    }
    let known = library().iter().map(|entry| &entry.row).filter(|row| !row.is_long);
    let names: Vec<&str> = known.flat_map(Row::names).chain(av::option_names()).collect();
    // libav has names that are for no end.
    let near = nearest(name, names).into_iter().filter(|near| *near != name);
    no_such_option(option, near.map(|near| Setting::ffmpeg(near.to_owned()).of(end)).collect())
}

fn no_such_option(option: Setting, near: Vec<Setting>) -> Error {
    let error = Error::usage(sentence!("there is no option {}", option));
    error.hint(if near.is_empty() { Hint::ListOfOptions } else { Hint::DidYouMeanSetting(near) })
}

/// The error for an option that stands at `end`, where it means nothing.
fn misplaced(name: &str, end: End) -> Error {
    let option = Setting::ffmpeg(name.to_owned()).of(end);
    let (here, other) = match end {
        End::Input => ("an input", End::Output),
        End::Output => ("an output", End::Input),
    };
    Error::usage(sentence!("{} is not an option of {}", option, here)).hint(Hint::BelongsTo(other))
}
