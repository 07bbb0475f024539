//! The man page.

use std::fmt::Write;

use crate::help::{about, explained, heading, sections, synopsis, version};
use crate::options::Verb;

const INTRODUCTION: &str = "\
frameloom pulls a live stream, hands every decoded frame to your code, and publishes the result with \
its audio in sync. The options have FFmpeg's names, order and values; any other -name value is an \
option of FFmpeg's own protocol, format or codec. Frameloom's own options are written with two \
dashes.";

const STATUS: &str = "\
0: done, or stopped by a signal with the outputs complete. 1: something failed. 2: wrong usage. A \
second signal stops at once.";

const FILES: [(&str, &str); 3] = [
    ("FRAMELOOM_PUBLISH_KEY", "the key of publishers, where --publish-key is not given"),
    ("FRAMELOOM_PLAY_KEY", "the key of players, where --play-key is not given"),
    ("FRAMELOOM_API_TOKEN", "the token of the API, where --api-token is not given"),
];

pub(super) fn page() -> String {
    let mut text = String::from(".\\\" Written by script/manuals from the tables of options.\n");
    // Writing to a String can't fail, here and below.
    let _ = writeln!(text, ".TH FRAMELOOM 1 \"\" \"{}\" \"User commands\"", escaped(&version()));
    heading_of(&mut text, "NAME");
    let _ = writeln!(text, "frameloom \\- {}", escaped(crate::help::ABOUT));
    heading_of(&mut text, "SYNOPSIS");
    let _ = writeln!(text, ".nf");
    for line in Verb::ALL.into_iter().flat_map(|verb| synopsis(verb).lines()) {
        let _ = writeln!(text, "{}", line_of(line));
    }
    let _ = writeln!(text, ".fi");
    heading_of(&mut text, "DESCRIPTION");
    let _ = writeln!(text, "{}", line_of(INTRODUCTION));
    for verb in Verb::ALL {
        match verb {
            Verb::Run => heading_of(&mut text, "A PIPELINE"),
            _ => heading_of(&mut text, &format!("frameloom {}", verb.name()).to_uppercase()),
        }
        for line in about(verb).lines() {
            let _ = writeln!(text, "{}", line_of(line));
        }
        for (title, rows) in sections(verb) {
            let _ = writeln!(text, ".SS \"{}\"", escaped(title));
            for row in rows {
                let _ = writeln!(text, ".TP\n.B {}", escaped(&heading(row)));
                let _ = writeln!(text, "{}", line_of(&sentence(&explained(row))));
            }
        }
    }
    heading_of(&mut text, "ENVIRONMENT");
    for (name, what) in FILES {
        let _ = writeln!(text, ".TP\n.B {}\n{}", escaped(name), line_of(&sentence(what)));
    }
    heading_of(&mut text, "EXIT STATUS");
    let _ = writeln!(text, "{}", line_of(STATUS));
    heading_of(&mut text, "SEE ALSO");
    let _ = writeln!(text, ".BR ffmpeg (1)");
    text
}

fn heading_of(text: &mut String, title: &str) {
    let _ = writeln!(text, ".SH \"{}\"", escaped(title));
}

/// The text as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// A line of text, which no dot or quote at its start makes a request.
fn line_of(line: &str) -> String {
    let line = escaped(line);
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq")
}
