//! Completion for zsh.

use std::fmt::Write;

use frameloom::internal::{Row, ValueType};

use crate::help::explained;
use crate::options::Verb;

const START: &str = r#"#compdef frameloom
# Completion of frameloom for zsh, from the tables of options. Written by script/manuals.
_frameloom() {
    local -a options
    # Behind -- stands a COMMAND with words of its own.
    if (( ${words[(i)--]} < CURRENT )); then
        words=("${(@)words[(i)--,-1]}")
        (( CURRENT = ${#words} ))
        _normal
        return
    fi
    case ${words[2]} in
"#;

const END: &str = r#"    esac
    if (( CURRENT == 2 )); then
        _alternative 'verbs:verb:(probe serve demo help)' 'files:file:_files'
    fi
    _arguments -s $options '*:file:_files'
}
_frameloom "$@"
"#;

pub(super) fn completion() -> String {
    let mut text = START.to_owned();
    // The last is for whatever no verb is.
    let order = [Verb::Probe, Verb::Serve, Verb::Demo, Verb::Run];
    for verb in order {
        let pattern = if verb == Verb::Run { "*" } else { verb.name() };
        // Writing to a String can't fail, here and below.
        let _ = writeln!(text, "        {pattern}) options=(");
        for row in verb.rows() {
            for name in row.names() {
                let _ = writeln!(text, "            '{}'", spec(row, name));
            }
        }
        let _ = writeln!(text, "        ) ;;");
    }
    text + END
}

/// The option in the language of `_arguments`. It may be given for each end anew.
fn spec(row: &Row, name: &str) -> String {
    let tail = if row.is_long && row.takes_value() { "=" } else { "" };
    let option = row.dashed(name).replace(':', "\\:");
    let help = explained(row);
    let help = help.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
    let mut text = format!("*{option}{tail}[{}]", help.replace('\'', "'\\''"));
    if row.takes_value() {
        let action = match (row.choices(), row.value) {
            ([], ValueType::Path | ValueType::Input) => "_files".to_owned(),
            ([], _) => " ".to_owned(),
            (choices, _) => format!("({})", choices.join(" ")),
        };
        text += &format!(":value:{action}");
    }
    text
}
