//! The options of `frameloom demo`.

use std::path::PathBuf;
use std::time::Duration;

use frameloom::Result;
use frameloom::internal::{Group, Row, Scope, ValueType};
use frameloom::options::parse_duration;

use crate::usage::usage;

/// What the options of `frameloom demo` say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DemoOptions {
    pub(crate) input: Option<String>,
    pub(crate) length: Option<Duration>,
    pub(crate) picture: Option<PathBuf>,
    pub(crate) no_browser: bool,
}

/// An option of `frameloom demo`.
pub(crate) struct DemoOption {
    pub(crate) row: Row,
    pub(crate) set: fn(&mut DemoOptions, &str) -> Result<()>,
}

/// Every option of `frameloom demo`.
pub(crate) const TABLE: &[DemoOption] = &[
    DemoOption {
        row: Row::ffmpeg(
            "i",
            Scope::Global,
            ValueType::Input,
            "show this file or stream; a file is repeated",
        )
        .default("a moving picture"),
        set: |o, v| {
            o.input = Some(v.to_owned());
            Ok(())
        },
    },
    DemoOption {
        row: Row::ffmpeg("t", Scope::Global, ValueType::Duration, "end after this long")
            .default("never"),
        set: |o, v| parse_duration(v).map(|length| o.length = Some(length)),
    },
    DemoOption {
        row: Row::long(
            "picture",
            Group::Program,
            ValueType::Path,
            "where to save a picture of the input and the result side by side, as PNG",
        )
        .default("frameloom-demo.png"),
        set: |o, v| {
            if v.is_empty() {
                return Err(usage("the picture's name is empty"));
            }
            o.picture = Some(v.into());
            Ok(())
        },
    },
    DemoOption {
        row: Row::long("no-browser", Group::Program, ValueType::Flag, "open no browser"),
        set: |o, _| {
            o.no_browser = true;
            Ok(())
        },
    },
];

/// The option of this name, without its dashes.
pub(crate) fn find(name: &str, is_long: bool) -> Option<&'static DemoOption> {
    TABLE.iter().find(|setting| setting.row.is_long == is_long && setting.row.is_named(name))
}
