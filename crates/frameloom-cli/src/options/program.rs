//! The options about the program itself: what it says and shows.

use frameloom::Result;
use frameloom::internal::{Group, Row, Scope, ValueType};
use frameloom::{Hint, sentence};

use super::listing;
use super::verb::Verb;
use crate::level::{LEVELS, Level};
use crate::usage::usage;

/// What the options about the program itself say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgramOptions {
    pub(crate) level: Level,
    /// The level as it was written, where one was.
    pub(crate) level_text: Option<String>,
    /// `-stats` or `-nostats`, where one was given.
    pub(crate) status: Option<bool>,
    pub(crate) stats_json: bool,
}

/// An option about the program itself.
pub(crate) struct ProgramOption {
    pub(crate) row: Row,
    /// The verbs that take it.
    pub(crate) verbs: &'static [Verb],
    /// `None` for what the parser of the words handles itself.
    set: Option<fn(&mut ProgramOptions, &str) -> Result<()>>,
}

impl ProgramOptions {
    /// Takes an option, by its name with its dashes.
    ///
    /// # Errors
    /// A value that can't be.
    pub(crate) fn take(&mut self, setting: &ProgramOption, value: &str) -> Result<()> {
        setting.set.map_or(Ok(()), |set| set(self, value))
    }
}

/// The option of this name, with or without dashes in front as `is_long` says.
pub(crate) fn find(verb: Verb, name: &str, is_long: bool) -> Option<&'static ProgramOption> {
    let named = |s: &&ProgramOption| s.row.is_long == is_long && s.row.is_named(name);
    TABLE.iter().filter(|setting| setting.verbs.contains(&verb)).find(named)
}

const VERSION: &str = "show the version, and those of FFmpeg's libraries";
const HELP: &str = "show this text";

/// The kinds are those of `listings/part.rs`, which a test compares.
const HELP_OF_PART: &str = "\
    show this text; with encoder=NAME, decoder=NAME, muxer=NAME, demuxer=NAME, filter=NAME, bsf=NAME \
    or protocol=NAME behind it, that part of FFmpeg and its options";

const ALL: &[Verb] = &Verb::ALL;

const fn short(name: &'static str, value: ValueType, help: &'static str) -> Row {
    Row::ffmpeg(name, Scope::Global, value, help).group(Group::Program)
}

/// Every option about the program itself.
pub(crate) const TABLE: &[ProgramOption] = &[
    ProgramOption {
        row: short("i", ValueType::Input, "the input: a URL or a file; - is stdin")
            .group(Group::Ffmpeg),
        verbs: &[Verb::Run, Verb::Probe],
        set: None,
    },
    ProgramOption {
        row: short("v", ValueType::Choice(&LEVELS), "how much is said on stderr")
            .aliases(&["loglevel"])
            .placeholder("LEVEL")
            .default("info"),
        verbs: ALL,
        set: Some(|o, v| {
            o.level = Level::parse(v)?;
            o.level_text = Some(v.to_owned());
            Ok(())
        }),
    },
    ProgramOption {
        row: Row::long(
            "stats",
            Group::Program,
            ValueType::Choice(&["json"]),
            "write a JSON object a second to stderr in place of the status line; the last one has \
             \"done\"",
        ),
        verbs: &[Verb::Run],
        set: Some(|o, v| {
            if v != "json" {
                let cause =
                    sentence!("'{}' is no value of {}", v, frameloom::Setting::own("stats"));
                return Err(usage(cause).hint(Hint::one_of(v, ["json"])));
            }
            o.stats_json = true;
            Ok(())
        }),
    },
    ProgramOption {
        row: short("stats", ValueType::Flag, "show the progress bar or status line")
            .default("on a terminal, unless -v is below info"),
        verbs: &[Verb::Run, Verb::Probe],
        set: Some(|o, _| {
            o.status = Some(true);
            Ok(())
        }),
    },
    ProgramOption {
        row: short("nostats", ValueType::Flag, "show no progress bar and no status line"),
        verbs: ALL,
        set: Some(|o, _| {
            o.status = Some(false);
            Ok(())
        }),
    },
    ProgramOption {
        row: short("hide_banner", ValueType::Flag, "accepted; there is no banner"),
        verbs: ALL,
        set: None,
    },
    ProgramOption {
        row: short("nostdin", ValueType::Flag, "accepted; the keyboard is never read"),
        verbs: ALL,
        set: None,
    },
    ProgramOption {
        row: short("h", ValueType::Flag, HELP_OF_PART).aliases(&["help"]),
        verbs: listing::VERBS,
        set: None,
    },
    ProgramOption {
        row: short("h", ValueType::Flag, HELP).aliases(&["help"]),
        verbs: &[Verb::Serve, Verb::Demo],
        set: None,
    },
    ProgramOption {
        row: Row::long("help", Group::Program, ValueType::Flag, HELP),
        verbs: ALL,
        set: None,
    },
    ProgramOption {
        row: short("version", ValueType::Flag, VERSION),
        verbs: &[Verb::Run, Verb::Probe],
        set: None,
    },
    ProgramOption {
        row: Row::long("version", Group::Program, ValueType::Flag, VERSION),
        verbs: &[Verb::Run, Verb::Probe],
        set: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listings::PartKind;

    #[test]
    fn help_names_every_kind_of_part() {
        for kind in PartKind::ALL {
            assert!(HELP_OF_PART.contains(&format!("{}=NAME", kind.word())), "{kind:?}");
        }
    }
}
