//! A row of the library's table: an option, and what it sets.

use super::audio::AudioCommandOptions;
use super::command::CommandOptions;
use super::graphs::FilterGraphs;
use super::input::InputOptions;
use super::live::LiveOptions;
use super::output::OutputOptions;
use super::row::Row;
use super::specifier::{Specifier, StreamPlace};
use crate::av::MediaKind;
use crate::error::{Error, Hint, Result};

type Set<T> = fn(&mut T, &str) -> Result<()>;
type SetInputStream = fn(&mut InputOptions, Specifier, &str) -> Result<()>;
type SetSuffixed = fn(&mut OutputOptions, &str, &str) -> Result<()>;
type SetStream = fn(&mut OutputOptions, Specifier, &str) -> Result<()>;

/// A row of the library's table: an option, and what it sets.
#[derive(Clone, Copy, Debug)]
pub struct LibraryOption {
    /// The option.
    pub row: Row,
    input: Option<Set<InputOptions>>,
    /// For one or more of an input's streams: for those that a specifier names, or for all of this kind.
    input_stream: Option<(Option<MediaKind>, SetInputStream)>,
    output: Option<Set<OutputOptions>>,
    /// For one or more of an output's streams: for those that a specifier names, or for all of this kind.
    stream: Option<(Option<MediaKind>, SetStream)>,
    /// For what the rest of its name says, which may be empty.
    suffixed: Option<SetSuffixed>,
    live: Option<Set<LiveOptions>>,
    command: Option<Set<CommandOptions>>,
    graphs: Option<Set<FilterGraphs>>,
    audio: Option<Set<AudioCommandOptions>>,
}

impl LibraryOption {
    pub(super) const fn new(row: Row) -> LibraryOption {
        LibraryOption {
            row,
            input: None,
            input_stream: None,
            output: None,
            stream: None,
            suffixed: None,
            live: None,
            command: None,
            graphs: None,
            audio: None,
        }
    }

    pub(super) const fn input(self, set: Set<InputOptions>) -> LibraryOption {
        LibraryOption { input: Some(set), ..self }
    }

    pub(super) const fn output(self, set: Set<OutputOptions>) -> LibraryOption {
        LibraryOption { output: Some(set), ..self }
    }

    pub(super) const fn per_input_stream(
        self,
        without: Option<MediaKind>,
        set: SetInputStream,
    ) -> LibraryOption {
        LibraryOption { input_stream: Some((without, set)), ..self }
    }

    pub(super) const fn per_stream(
        self,
        without: Option<MediaKind>,
        set: SetStream,
    ) -> LibraryOption {
        LibraryOption { stream: Some((without, set)), ..self }
    }

    pub(super) const fn suffixed(self, set: SetSuffixed) -> LibraryOption {
        LibraryOption { suffixed: Some(set), ..self }
    }

    pub(super) const fn live(self, set: Set<LiveOptions>) -> LibraryOption {
        LibraryOption { live: Some(set), ..self }
    }

    pub(super) const fn command(self, set: Set<CommandOptions>) -> LibraryOption {
        LibraryOption { command: Some(set), ..self }
    }

    pub(super) const fn audio(self, set: Set<AudioCommandOptions>) -> LibraryOption {
        LibraryOption { audio: Some(set), ..self }
    }

    pub(super) const fn graphs(self, set: Set<FilterGraphs>) -> LibraryOption {
        LibraryOption { graphs: Some(set), ..self }
    }

    /// Whether it is an option of an input.
    pub fn is_for_input(&self) -> bool {
        self.input.is_some() || self.input_stream.is_some()
    }

    /// Whether it is an option of an output.
    pub fn is_for_output(&self) -> bool {
        self.output.is_some() || self.stream.is_some() || self.suffixed.is_some()
    }

    /// Whether something of its own may stand behind its name.
    pub(super) fn is_suffixed(&self) -> bool {
        self.suffixed.is_some()
    }

    /// Whether a stream specifier may stand behind its name.
    pub fn is_per_stream(&self) -> bool {
        self.stream.is_some() || self.input_stream.is_some()
    }

    /// Whether it is a policy about losses, slow code or failing code.
    pub fn is_for_live(&self) -> bool {
        self.live.is_some()
    }

    /// Whether it gives a filter graph across streams.
    pub fn is_for_graphs(&self) -> bool {
        self.graphs.is_some()
    }

    /// Whether it is about a COMMAND for sound.
    pub fn is_for_audio(&self) -> bool {
        self.audio.is_some()
    }

    /// Whether it is about a COMMAND.
    pub fn is_for_command(&self) -> bool {
        self.command.is_some()
    }

    /// Sets it where it is an option of an input, and does nothing otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a value that can't be.
    pub fn set_input(&self, options: &mut InputOptions, value: &str) -> Result<()> {
        match self.input_stream {
            Some((without, set)) => set(options, Specifier::of_kind(without), value),
            None => self.input.map_or(Ok(()), |set| set(options, value)),
        }
    }

    /// Sets it where it is an option of an output, and does nothing otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a value that can't be.
    pub fn set_output(&self, options: &mut OutputOptions, value: &str) -> Result<()> {
        match (self.stream, self.suffixed) {
            (Some((without, set)), _) => set(options, Specifier::of_kind(without), value),
            (_, Some(set)) => set(options, "", value),
            _ => self.output.map_or(Ok(()), |set| set(options, value)),
        }
    }

    /// As [`LibraryOption::set_input`], under a name that may have a stream specifier.
    pub(super) fn set_input_as(
        &self,
        name: &str,
        options: &mut InputOptions,
        value: &str,
    ) -> Result<()> {
        if let Some((without, set)) = self.input_stream {
            let specifier = specifier_of(name, without)?;
            if without.is_some_and(|kind| !specifier.is_for(kind)) {
                let cause = format!("it means nothing to streams of '{specifier}'");
                return Err(Error::usage(cause));
            }
            return set(options, specifier, value);
        }
        if let Some((without, _)) = self.stream {
            let specifier = specifier_of(name, without)?;
            let is_read = |kind| specifier.covers(StreamPlace::only(kind));
            if !without.is_some_and(is_read) {
                let cause = format!("an input has no stream for the specifier '{specifier}'");
                return Err(Error::usage(cause).hint(Hint::UseSpecifiers));
            }
        }
        self.set_input(options, value)
    }

    /// As [`LibraryOption::set_output`], under a name that may have a stream specifier.
    pub(super) fn set_output_as(
        &self,
        name: &str,
        options: &mut OutputOptions,
        value: &str,
    ) -> Result<()> {
        match self.stream {
            Some((without, set)) => {
                let specifier = specifier_of(name, without)?;
                if without.is_some_and(|kind| !specifier.is_for(kind)) {
                    let cause = format!("it means nothing to streams of '{specifier}'");
                    return Err(Error::usage(cause));
                }
                set(options, specifier, value)
            }
            None => match (self.suffixed, name.split_once(':')) {
                (Some(set), Some((_, suffix))) => set(options, suffix, value),
                _ => self.set_output(options, value),
            },
        }
    }

    /// Sets it where it is a policy, and does nothing otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a value that can't be.
    pub fn set_live(&self, options: &mut LiveOptions, value: &str) -> Result<()> {
        self.live.map_or(Ok(()), |set| set(options, value))
    }

    /// Sets it where it is about a COMMAND, and does nothing otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a value that can't be.
    pub fn set_command(&self, options: &mut CommandOptions, value: &str) -> Result<()> {
        self.command.map_or(Ok(()), |set| set(options, value))
    }

    /// Sets it where it is about a COMMAND for sound, and does nothing otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a value that can't be.
    pub fn set_audio(&self, options: &mut AudioCommandOptions, value: &str) -> Result<()> {
        self.audio.map_or(Ok(()), |set| set(options, value))
    }

    /// Sets it where it gives a filter graph across streams, and does nothing otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a file that can't be read.
    pub fn set_graphs(&self, graphs: &mut FilterGraphs, value: &str) -> Result<()> {
        self.graphs.map_or(Ok(()), |set| set(graphs, value))
    }
}

/// The specifier behind an option's name; all streams of the kind `without` where there is none.
fn specifier_of(name: &str, without: Option<MediaKind>) -> Result<Specifier> {
    let given = name.split_once(':').map(|(_, specifier)| Specifier::parse(specifier));
    given.unwrap_or_else(|| Ok(Specifier::of_kind(without)))
}
