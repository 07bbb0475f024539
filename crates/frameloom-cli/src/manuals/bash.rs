//! Completion for bash.

use std::fmt::Write;

use frameloom::internal::{Row, ValueType};

use crate::options::Verb;

const START: &str = r#"# Completion of frameloom for bash, from the tables of options. Written by script/manuals.
_frameloom() {
    local verb=run cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} word values=
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        # COMMAND's own words.
        if [[ $word == -- ]]; then
            return
        fi
    done
    if ((COMP_CWORD > 1)); then
        case ${COMP_WORDS[1]} in
            probe | serve | demo | help) verb=${COMP_WORDS[1]} ;;
        esac
    fi
    # bash takes --name=value for three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $option == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $verb:$option in
"#;

const MIDDLE: &str = r#"    esac
    if [[ -n $values ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
        return
    fi
    if [[ $cur == -* ]]; then
        case $verb in
"#;

const END: &str = r#"        esac
    elif ((COMP_CWORD == 1)); then
        values="probe serve demo help"
    elif [[ $verb == help ]]; then
        values="probe serve demo"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
    # The value follows at once.
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace
    fi
}
complete -o default -F _frameloom frameloom
"#;

pub(super) fn completion() -> String {
    let mut text = START.to_owned();
    for verb in Verb::ALL {
        let rows = verb.rows();
        // Writing to a String can't fail, here and below.
        for row in rows.iter().filter(|row| !row.choices().is_empty()) {
            let (patterns, values) = (patterns(verb, row), row.choices().join(" "));
            let _ = writeln!(text, "        {patterns}) values=\"{values}\" ;;");
        }
        let free = |row: &&&Row| row.takes_value() && row.choices().is_empty();
        for row in rows.iter().filter(free) {
            let _ = writeln!(text, "        {}) {} ;;", patterns(verb, row), value_of(row));
        }
    }
    text += MIDDLE;
    for verb in Verb::ALL {
        let rows = verb.rows();
        let words = rows.iter().flat_map(|row| {
            let tail = if row.is_long && row.takes_value() { "=" } else { "" };
            row.names().map(move |name| row.dashed(name) + tail)
        });
        let words: Vec<String> = words.collect();
        let _ = writeln!(text, "            {}) values=\"{}\" ;;", name(verb), words.join(" "));
    }
    text + END
}

fn name(verb: Verb) -> &'static str {
    if verb == Verb::Run { "run" } else { verb.name() }
}

fn patterns(verb: Verb, row: &Row) -> String {
    let patterns = row.names().map(|written| format!("{}:{}", name(verb), row.dashed(written)));
    patterns.collect::<Vec<_>>().join(" | ")
}

/// What completes a value that isn't one of a few names. Without a word of ours bash offers files.
fn value_of(row: &Row) -> &'static str {
    match row.value {
        ValueType::Path | ValueType::Input => "return",
        // Nothing can be offered, and files would be wrong.
        _ => "compopt +o default; return",
    }
}
