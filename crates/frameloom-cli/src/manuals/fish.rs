//! Completion for fish.

use std::fmt::Write;

use frameloom::internal::{Row, ValueType};

use crate::help::explained;
use crate::options::Verb;

const START: &str = r#"# Completion of frameloom for fish, from the tables of options. Written by script/manuals.
function __frameloom_verb
    set -l words (commandline -opc)
    # Behind -- stands a COMMAND with words of its own.
    contains -- -- $words; and return 1
    set -l verb run
    if set -q words[2]; and contains -- $words[2] probe serve demo help
        set verb $words[2]
    end
    test $verb = $argv[1]
end
function __frameloom_first
    test (count (commandline -opc)) -eq 1
end
complete -c frameloom -n __frameloom_first -a probe -d 'show what is in an input, as JSON'
complete -c frameloom -n __frameloom_first -a serve -d 'run the media server'
complete -c frameloom -n __frameloom_first -a demo -d 'show everything on this machine'
complete -c frameloom -n __frameloom_first -a help -d 'show the options of a verb'
complete -c frameloom -n '__frameloom_verb help' -f -a 'probe serve demo'
"#;

pub(super) fn completion() -> String {
    let mut text = START.to_owned();
    for verb in Verb::ALL {
        let name = if verb == Verb::Run { "run" } else { verb.name() };
        for row in verb.rows() {
            for option in row.names() {
                // Writing to a String can't fail.
                let _ = writeln!(
                    text,
                    "complete -c frameloom -n '__frameloom_verb {name}' {} {option} {}-d {}",
                    switch(row, option),
                    value(row),
                    quoted(&explained(row)),
                );
            }
        }
    }
    text
}

fn switch(row: &Row, option: &str) -> &'static str {
    match (row.is_long, option.len()) {
        (true, _) => "-l",
        (false, 1) => "-s",
        (false, _) => "-o",
    }
}

fn value(row: &Row) -> String {
    match (row.choices(), row.value) {
        ([], ValueType::Flag) => String::new(),
        ([], ValueType::Path | ValueType::Input) => "-r -F ".to_owned(),
        ([], _) => "-x ".to_owned(),
        (choices, _) => format!("-x -a '{}' ", choices.join(" ")),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
