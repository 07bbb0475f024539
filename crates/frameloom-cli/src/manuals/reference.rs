//! docs/options.md.

use std::fmt::Write;

use frameloom::internal::{AbsentOption, Outcome, Row, absent};
use frameloom::{CommandLine, Setting};

use crate::help::{heading, sections, synopsis};
use crate::options::keys::{self, FileKey};
use crate::options::{Verb, serve};
use crate::serve::pipelines::settings::option_keys;

const START: &str = "\
# Options

<!-- Written by script/manuals from the tables of options. Change those, and run it. -->

Options of FFmpeg's have one dash and stand before the input or output that they are about. \
Frameloom's own have two and stand anywhere before `--`. Any other `-name value` is an option of \
FFmpeg's own protocol, format or codec. The last columns name the option in a file of `frameloom \
serve` and as a keyword in Python.

Times are `90`, `1:30.5`, `200ms` or `5s`; sizes `960x540` or `hd720`; rates `25`, `30000/1001` or \
`ntsc`; bit rates `2M` or `128k`.
";

pub(super) fn text() -> String {
    let mut text = START.to_owned();
    for verb in Verb::ALL {
        let title = match verb {
            Verb::Run => "A pipeline",
            Verb::Probe => "`frameloom probe`",
            Verb::Serve => "`frameloom serve`",
            Verb::Demo => "`frameloom demo`",
        };
        // Writing to a String can't fail, here and below.
        let _ = writeln!(text, "\n## {title}\n");
        for line in synopsis(verb).lines() {
            let _ = writeln!(text, "    {line}");
        }
        for (section, rows) in sections(verb) {
            let _ = writeln!(text, "\n### {section}\n");
            table(&mut text, verb, &rows);
        }
        if verb == Verb::Run {
            file_keys(&mut text);
        }
    }
    absent_options(&mut text);
    text
}

/// FFmpeg's options that are not here, those of which the same is said in one line.
fn absent_options(text: &mut String) {
    let _ = writeln!(text, "\n## Options of the ffmpeg program that are not here\n");
    let _ = writeln!(text, "These have nothing to change, and are accepted:\n");
    grouped(text, "why", |option| match option.outcome {
        Outcome::NoEffect(why) => Some(why.to_owned()),
        Outcome::Refused(_) => None,
    });
    let _ = writeln!(text, "\nThese are errors, which say what there is instead:\n");
    grouped(text, "instead", |option| {
        let error = option.refusal(Setting::ffmpeg(option.name))?;
        Some(error.advice_in(&CommandLine).unwrap_or_default())
    });
}

/// A table of those options of which something is said.
fn grouped(text: &mut String, title: &str, said: impl Fn(&AbsentOption) -> Option<String>) {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for option in absent() {
        let Some(said) = said(option) else { continue };
        let name = code(&format!("-{}", option.name));
        match lines.iter_mut().find(|(known, _)| *known == said) {
            Some((_, names)) => names.push(name),
            None => lines.push((said, vec![name])),
        }
    }
    let _ = writeln!(text, "| option | {title} |\n| --- | --- |");
    for (said, names) in lines {
        let _ = writeln!(text, "| {} | {} |", names.join(", "), cell(&said));
    }
}

/// What tables in a file have beside options.
fn file_keys(text: &mut String) {
    for (title, keys) in [
        ("Further keys of a pipeline in a file and in the API", keys::PIPELINE),
        ("Keys of a model in a file", keys::MODEL),
        ("`options` of a model in a file", keys::MODEL_OPTIONS),
    ] {
        let _ = writeln!(text, "\n### {title}\n");
        let _ =
            writeln!(text, "| key | what it says | value | default |\n| --- | --- | --- | --- |");
        for FileKey { name, value, default, help } in keys {
            let cells = [&code(name), *help, value.title(), default.unwrap_or_default()];
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
}

/// The options of a section; a column that would be empty is left out.
fn table(text: &mut String, verb: Verb, rows: &[&Row]) {
    let columns: [(&str, Vec<String>); 5] = [
        ("option", rows.iter().map(|row| code(&heading(row))).collect()),
        ("what it does", rows.iter().map(|row| cell(&what(row))).collect()),
        ("default", rows.iter().map(|row| cell(row.default.unwrap_or_default())).collect()),
        ("file", rows.iter().map(|row| file_key(verb, row)).collect()),
        ("Python", rows.iter().map(|row| keywords(verb, row)).collect()),
    ];
    let is_used = |column: &(&str, Vec<String>)| column.1.iter().any(|cell| !cell.is_empty());
    let columns: Vec<_> = columns.into_iter().filter(is_used).collect();
    let mut line = |cells: Vec<&str>| {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(columns.iter().map(|(title, _)| *title).collect());
    line(columns.iter().map(|_| "---").collect());
    for at in 0..rows.len() {
        line(columns.iter().map(|(_, cells)| cells[at].as_str()).collect());
    }
}

/// What the option does, and its values where the heading doesn't name them.
fn what(row: &Row) -> String {
    let secret = if row.is_secret { "; the value is never shown" } else { "" };
    match row.choices() {
        [] => format!("{}{secret}", row.help),
        _ if row.placeholder.is_empty() => format!("{}{secret}", row.help),
        choices => format!("{}: {}{secret}", row.help, choices.join(", ")),
    }
}

/// The key in a file: of `[server]`, of a pipeline, or of its options.
fn file_key(verb: Verb, row: &Row) -> String {
    let own = option_keys().any(|key| key.name == row.name);
    match (verb, row.is_long) {
        (Verb::Serve, true) if serve::find(row.name).is_some() => code(&row.key()),
        (Verb::Run, true) if own => code(&row.key()),
        (Verb::Run, false) if row.name == "vf" => code("filter"),
        (Verb::Run, false) if row.name == "v" => code("loglevel"),
        _ => String::new(),
    }
}

/// Python's functions that take it, with its keyword there.
fn keywords(verb: Verb, row: &Row) -> String {
    if verb != Verb::Run || row.python.is_empty() {
        return String::new();
    }
    let functions: Vec<String> = row.python.iter().map(|name| code(&format!("{name}()"))).collect();
    format!("{} of {}", code(&row.keyword_name()), functions.join(", "))
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
