//! What one option is: everything that help, the man page, completions, the reference, a file's
//! keys and Python's keywords say of it.

use crate::error::{End, Setting};

/// Where an option may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Before an input.
    Input,
    /// Before an output.
    Output,
    /// Before an input or an output.
    Both,
    /// Anywhere before `--`; it is about the run as a whole.
    Global,
}

/// What the value of an option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueType {
    /// No value: the option is given or not.
    Flag,
    /// A point or span of time, which may be negative: `90`, `1:30.5`, `200ms`.
    Time,
    /// A span of time, 0 or more: `2s`, `500ms`, `1.5`.
    Duration,
    /// A picture's width and height: `960x540`, `hd720`.
    Size,
    /// Frames a second: `25`, `30000/1001`, `ntsc`.
    Rate,
    /// Width to height of the picture as it is shown: `16:9`, `1.85`.
    Ratio,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A whole number of bits a second, with a unit or without: `2M`, `128k`.
    BitRate,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A file.
    Path,
    /// A URL.
    Url,
    /// A URL or a file.
    Input,
    /// An address to listen on: `HOST:PORT`, `PORT` or `none`.
    Address,
    /// The name of a container, device or protocol format.
    Format,
    /// The name of one of FFmpeg's pixel formats.
    PixelFormat,
    /// The name of a codec, a decoder or an encoder, or `copy`.
    Codec,
    /// A filter graph in FFmpeg's language.
    FilterGraph,
}

impl ValueType {
    /// What help calls such a value; empty where there is none, and for a list of names.
    pub const fn placeholder(self) -> &'static str {
        match self {
            ValueType::Flag | ValueType::Choice(_) => "",
            ValueType::Time | ValueType::Duration => "TIME",
            ValueType::Size => "SIZE",
            ValueType::Rate => "RATE",
            ValueType::Ratio => "RATIO",
            ValueType::Integer | ValueType::Number => "N",
            ValueType::BitRate => "BITS",
            ValueType::Text => "TEXT",
            ValueType::Path => "FILE",
            ValueType::Url => "URL",
            ValueType::Input => "INPUT",
            ValueType::Address => "ADDR",
            ValueType::Format | ValueType::PixelFormat => "FORMAT",
            ValueType::Codec => "CODEC",
            ValueType::FilterGraph => "GRAPH",
        }
    }
}

/// What options are about: the sections of help and of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Group {
    /// FFmpeg's options of inputs and outputs.
    Ffmpeg,
    /// Opening the ends, and what happens when one is lost.
    Ends,
    /// The code that edits the frames.
    Code,
    /// What the program says and shows.
    Program,
    /// What FFmpeg's libraries have: each prints a list, and ends the run.
    Listings,
    /// Where a server listens.
    Listening,
    /// The right to use a server.
    Access,
    /// What a server holds at most.
    Limits,
    /// How long a server waits.
    Timeouts,
}

impl Group {
    /// Every group, in the order that they are shown in.
    pub const ALL: [Group; 9] = [
        Group::Ffmpeg,
        Group::Ends,
        Group::Code,
        Group::Listening,
        Group::Access,
        Group::Limits,
        Group::Timeouts,
        Group::Program,
        Group::Listings,
    ];

    /// The heading over its options.
    pub const fn title(self) -> &'static str {
        match self {
            Group::Ffmpeg => "FFmpeg's options",
            Group::Ends => "Inputs and outputs",
            Group::Code => "Your code",
            Group::Program => "The program",
            Group::Listings => "Listings",
            Group::Listening => "Where the server listens",
            Group::Access => "Who may publish, play and change",
            Group::Limits => "Limits",
            Group::Timeouts => "Time limits",
        }
    }
}

/// One option.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Row {
    /// The name without dashes.
    pub name: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// Whether it is written `--name=value`, not `-name value` as FFmpeg's are.
    pub is_long: bool,
    /// Where it may stand.
    pub scope: Scope,
    /// What its value is.
    pub value: ValueType,
    /// What help calls its value; empty where there is none, or where its names are shown.
    pub placeholder: &'static str,
    /// What holds where it is not given, in words.
    pub default: Option<&'static str>,
    /// What it does, in one sentence without its full stop.
    pub help: &'static str,
    /// Whether its value is never shown.
    pub is_secret: bool,
    /// What it is about.
    pub group: Group,
    /// Python's keyword for it, where it is not the name with `_` for `-`.
    pub keyword: Option<&'static str>,
    /// Python's functions that take it as a keyword.
    pub python: &'static [&'static str],
}

impl Row {
    /// An option of FFmpeg's name, written with one dash.
    pub const fn ffmpeg(
        name: &'static str,
        scope: Scope,
        value: ValueType,
        help: &'static str,
    ) -> Row {
        Row {
            name,
            aliases: &[],
            is_long: false,
            scope,
            value,
            placeholder: value.placeholder(),
            default: None,
            help,
            is_secret: false,
            group: Group::Ffmpeg,
            keyword: None,
            python: &[],
        }
    }

    /// An option of Frameloom's own, written with two dashes.
    pub const fn long(
        name: &'static str,
        group: Group,
        value: ValueType,
        help: &'static str,
    ) -> Row {
        Row { is_long: true, group, ..Row::ffmpeg(name, Scope::Global, value, help) }
    }

    /// The row with other names.
    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Row {
        Row { aliases, ..self }
    }

    /// The row with another word for the value.
    #[must_use]
    pub const fn placeholder(self, placeholder: &'static str) -> Row {
        Row { placeholder, ..self }
    }

    /// The row with what holds where the option is not given.
    #[must_use]
    pub const fn default(self, default: &'static str) -> Row {
        Row { default: Some(default), ..self }
    }

    /// The row with a value that is never shown.
    #[must_use]
    pub const fn secret(self) -> Row {
        Row { is_secret: true, ..self }
    }

    /// The row in another group.
    #[must_use]
    pub const fn group(self, group: Group) -> Row {
        Row { group, ..self }
    }

    /// The row with Python's functions that take it, by its name with `_` for `-`.
    #[must_use]
    pub const fn python(self, python: &'static [&'static str]) -> Row {
        Row { python, ..self }
    }

    /// The row with another keyword in Python.
    #[must_use]
    pub const fn keyword(self, keyword: &'static str) -> Row {
        Row { keyword: Some(keyword), ..self }
    }

    /// Its name and its other names, without dashes.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Whether this is one of its names.
    pub fn is_named(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Whether a value follows the name.
    pub fn takes_value(&self) -> bool {
        self.value != ValueType::Flag
    }

    /// One of its names with its dashes.
    pub fn dashed(&self, name: &str) -> String {
        format!("{}{name}", if self.is_long { "--" } else { "-" })
    }

    /// The option as errors name it.
    pub fn setting(&self) -> Setting {
        let setting =
            if self.is_long { Setting::own(self.name) } else { Setting::ffmpeg(self.name) };
        match self.scope {
            Scope::Input => setting.of(End::Input),
            Scope::Output => setting.of(End::Output),
            Scope::Both | Scope::Global => setting,
        }
    }

    /// Its name as a key of a file and of the API.
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Python's keyword for it.
    pub fn keyword_name(&self) -> String {
        self.keyword.map_or_else(|| self.key(), str::to_owned)
    }

    /// The values it takes, where they are a list.
    pub fn choices(&self) -> &'static [&'static str] {
        match self.value {
            ValueType::Choice(names) => names,
            _ => &[],
        }
    }
}
