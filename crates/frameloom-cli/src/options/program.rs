//! The options about the program itself: what it says and shows.

use std::time::Duration;

use frameloom::Result;
use frameloom::internal::{Group, Row, Scope, ValueType};
use frameloom::options::parse_duration;
use frameloom::{Hint, sentence};

use super::listing;
use super::verb::Verb;
use crate::called::CalledAs;
use crate::ffprobe::{Asked, Layout};
use crate::level::{LEVELS, Level};
use crate::usage::usage;

/// What the options about the program itself say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgramOptions {
    /// The name that the program was called by.
    pub(crate) called: CalledAs,
    pub(crate) hides_banner: bool,
    /// What is asked for in ffprobe's options.
    pub(crate) asked: Asked,
    pub(crate) level: Level,
    /// The level as it was written, where one was.
    pub(crate) level_text: Option<String>,
    /// `-stats` or `-nostats`, where one was given.
    pub(crate) status: Option<bool>,
    pub(crate) stats_json: bool,
    /// How often the status, and what goes to `-progress`, is renewed.
    pub(crate) stats_period: Option<Duration>,
    /// Where a program reads how far the run is.
    pub(crate) progress: Option<String>,
    pub(crate) benchmark: bool,
    /// A file with everything that is said.
    pub(crate) report: bool,
    /// The share of the packets that may be damaged, in millionths.
    pub(crate) max_error_ppm: Option<u64>,
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

/// An option of ffprobe's that shows a part.
const fn shows(
    name: &'static str,
    help: &'static str,
    set: fn(&mut ProgramOptions, &str) -> Result<()>,
) -> ProgramOption {
    let row = short(name, ValueType::Flag, help);
    ProgramOption { row, verbs: &[Verb::Probe], set: Some(set) }
}

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
        row: short(
            "stats",
            ValueType::Flag,
            "show the progress bar or status line; FFmpeg's line where stderr is no terminal",
        )
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
        row: short(
            "stats_period",
            ValueType::Duration,
            "how often the status is renewed, and what -progress writes",
        )
        .default("0.5; 1 for --stats=json"),
        verbs: &[Verb::Run],
        set: Some(|o, v| {
            let about = || frameloom::Setting::ffmpeg("stats_period");
            let period = parse_duration(v).map_err(|error| error.about(about()))?;
            if period.is_zero() {
                return Err(usage(sentence!("{} must be more than 0", about())));
            }
            o.stats_period = Some(period);
            Ok(())
        }),
    },
    ProgramOption {
        row: short(
            "progress",
            ValueType::Url,
            "write FFmpeg's key=value lines of how far the run is; - is stdout",
        ),
        verbs: &[Verb::Run],
        set: Some(|o, v| {
            o.progress = Some(v.to_owned());
            Ok(())
        }),
    },
    ProgramOption {
        row: short(
            "benchmark",
            ValueType::Flag,
            "say at the end what time and memory the run took",
        ),
        verbs: &[Verb::Run],
        set: Some(|o, _| {
            o.benchmark = true;
            Ok(())
        }),
    },
    ProgramOption {
        row: short(
            "report",
            ValueType::Flag,
            "write everything that is said, for debugging, to frameloom-YYYYMMDD-HHMMSS.log; FFREPORT \
             says so too, and names file and level",
        ),
        verbs: &[Verb::Run, Verb::Probe],
        set: Some(|o, _| {
            o.report = true;
            Ok(())
        }),
    },
    ProgramOption {
        row: short(
            "max_error_rate",
            ValueType::Text,
            "fail at the end where a larger share of the packets was damaged, from 0 to 1",
        )
        .placeholder("SHARE")
        .default("1"),
        verbs: &[Verb::Run],
        set: Some(|o, v| {
            let share: Option<f64> = v.parse().ok().filter(|share| (0.0..=1.0).contains(share));
            let Some(share) = share else {
                return Err(usage(format!("'{v}' is no number from 0 to 1"))
                    .about(frameloom::Setting::ffmpeg("max_error_rate")));
            };
            o.max_error_ppm = Some((share * 1e6).round() as u64);
            Ok(())
        }),
    },
    ProgramOption {
        row: short(
            "hide_banner",
            ValueType::Flag,
            "show no banner, which there is only where the program is called by the name ffmpeg",
        ),
        verbs: ALL,
        set: Some(|o, _| {
            o.hides_banner = true;
            Ok(())
        }),
    },
    ProgramOption {
        row: short("nostdin", ValueType::Flag, "accepted; the keyboard is never read")
            .aliases(&["stdin"]),
        verbs: ALL,
        set: None,
    },
    shows("show_format", "as ffprobe: what is said of the whole", |o, _| {
        o.asked.show("format");
        Ok(())
    }),
    shows("show_streams", "as ffprobe: what is said of each stream", |o, _| {
        o.asked.show("stream");
        Ok(())
    }),
    shows("show_chapters", "as ffprobe: every chapter", |o, _| {
        o.asked.show("chapter");
        Ok(())
    }),
    shows("show_packets", "as ffprobe: every packet", |o, _| {
        o.asked.show("packet");
        Ok(())
    }),
    ProgramOption {
        row: short(
            "show_entries",
            ValueType::Text,
            "as ffprobe: these keys alone, such as stream=index,codec_name:format=duration",
        ),
        verbs: &[Verb::Probe],
        set: Some(|o, v| o.asked.show_entries(v)),
    },
    ProgramOption {
        row: short(
            "select_streams",
            ValueType::Text,
            "as ffprobe: these streams alone, such as v:0",
        ),
        verbs: &[Verb::Probe],
        set: Some(|o, v| {
            v.clone_into(&mut o.asked.streams);
            Ok(())
        }),
    },
    shows("count_frames", "as ffprobe: decode, and say how many frames there are", |o, _| {
        o.asked.counts_frames = true;
        Ok(())
    }),
    shows("count_packets", "as ffprobe: read, and say how many packets there are", |o, _| {
        o.asked.counts_packets = true;
        Ok(())
    }),
    ProgramOption {
        row: short(
            "of",
            ValueType::Text,
            "the layout of what is told in ffprobe's options: default, json, csv or compact, with \
             their options, such as default=nw=1:nk=1",
        )
        .aliases(&["print_format", "output_format"])
        .default("default"),
        verbs: &[Verb::Probe],
        set: Some(|o, v| {
            o.asked.layout = Some(Layout::parse(v)?);
            Ok(())
        }),
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
