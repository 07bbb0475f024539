//! The help texts: one for each verb, from the tables that the words are read by.

use std::fmt::Write;

use frameloom::internal::{Group, Row, Scope};

use crate::options::Verb;

const WIDTH: usize = 80;
/// Where what is said about an option starts.
const COLUMN: usize = 28;

pub(crate) const ABOUT: &str = "your own code in the middle of a live video stream";

/// How a verb is called.
pub(crate) fn synopsis(verb: Verb) -> &'static str {
    match verb {
        Verb::Run => {
            "\
frameloom [global options] [input options] -i INPUT
          {[output options] OUTPUT}... [-- COMMAND [ARG]...]"
        }
        Verb::Probe => "frameloom probe [input options] INPUT",
        Verb::Serve => "frameloom serve [FILE] [OPTION]...",
        Verb::Demo => "frameloom demo [OPTION]... [-- COMMAND [ARG]...]",
    }
}

/// What a verb does.
pub(crate) fn about(verb: Verb) -> &'static str {
    match verb {
        Verb::Run => {
            "\
An INPUT or OUTPUT is a URL or a file; - is stdin or stdout. COMMAND reads raw
frames on stdin and writes one raw frame on stdout for each; FRAMELOOM_WIDTH,
_HEIGHT, _PIX_FMT, _FRAME_BYTES and _RATE in its environment describe them.
Without an OUTPUT it only reads."
        }
        Verb::Probe => "Shows what is in INPUT, as JSON on stdout.",
        Verb::Serve => {
            "\
A media server: RTMP to publish and play, HTTP-FLV to play. It runs the
pipelines that FILE describes, as TOML. The options below are keys of FILE's
[server] too, with _ for -."
        }
        Verb::Demo => {
            "\
Shows everything on this machine: a camera, a server, a COMMAND that edits the
stream, and the result to watch on the server's page."
        }
    }
}

/// What stands below the options.
fn closing(verb: Verb) -> &'static str {
    match verb {
        Verb::Run => {
            "\
Any other -NAME X is an option of FFmpeg's own protocol, format or codec, as
in -preset fast -crf 23; add :v or :a to the name for one of the streams.

Other things to do:
  frameloom probe INPUT     show what is in INPUT, as JSON
  frameloom serve [FILE]    run the media server, and pipelines from a file
  frameloom demo            show everything on this machine
  frameloom help VERB       show the options of probe, serve or demo
  frameloom -h encoder=NAME show what an encoder is, and its options; the same
                            for decoders, muxers, demuxers, filters, ...

Examples:
  frameloom -i rtmp://HOST/live/1 -f flv rtmp://HOST/live/2 -- python3 edit.py
  frameloom -i clip.mp4 -vf hflip -c:v libx264 -crf 20 mirrored.mp4
  frameloom -i rtmp://HOST/live/1 --frame-size=640x360 -- python3 detect.py

Exit status: 0 done, or stopped by a signal with the outputs complete;
1 something failed; 2 wrong usage. A second signal stops at once."
        }
        Verb::Probe => {
            "\
Any other -NAME X is an option of FFmpeg's own protocol, format or decoder.

Example:
  frameloom probe rtmp://HOST/live/1"
        }
        Verb::Serve => {
            "\
Examples:
  frameloom serve
  frameloom serve cameras.toml --rtmp-listen=0.0.0.0:1935"
        }
        Verb::Demo => {
            "\
Examples:
  frameloom demo
  frameloom demo -i clip.mp4 -- python3 edit.py"
        }
    }
}

/// The options of a verb in sections, each with its heading.
pub(crate) fn sections(verb: Verb) -> Vec<(&'static str, Vec<&'static Row>)> {
    let rows = verb.rows();
    let place = |row: &Row| match (verb, row.group, row.scope) {
        (Verb::Run, Group::Ffmpeg, Scope::Input) => "Before -i",
        (Verb::Run, Group::Ffmpeg, Scope::Output) => "Before an OUTPUT",
        (Verb::Run, Group::Ffmpeg, Scope::Both) => "Before -i or an OUTPUT",
        (Verb::Run, Group::Ffmpeg, Scope::Global) => "Anywhere before --",
        (_, Group::Ffmpeg, _) => "Options",
        (_, group, _) => group.title(),
    };
    let mut sections: Vec<(&'static str, Vec<&'static Row>)> = Vec::new();
    for group in Group::ALL {
        for row in rows.iter().copied().filter(|row| row.group == group) {
            let title = place(row);
            match sections.iter_mut().find(|(known, _)| *known == title) {
                Some((_, section)) => section.push(row),
                None => sections.push((title, vec![row])),
            }
        }
    }
    sections
}

/// An option's names with their dashes, and what its value is called.
pub(crate) fn heading(row: &Row) -> String {
    let names: Vec<String> = row.names().map(|name| row.dashed(name)).collect();
    let names = names.join(", ");
    match (row.takes_value(), row.is_long) {
        (false, _) => names,
        (true, true) => format!("{names}={}", shown_value(row)),
        (true, false) => format!("{names} {}", shown_value(row)),
    }
}

/// What an option's value is called, or the values where they are few.
pub(crate) fn shown_value(row: &Row) -> String {
    match row.choices() {
        [] => row.placeholder.to_owned(),
        _ if !row.placeholder.is_empty() => row.placeholder.to_owned(),
        few => few.join("|"),
    }
}

/// What an option does, with its values where the heading doesn't have them, and its default.
pub(crate) fn explained(row: &Row) -> String {
    let mut text = row.help.to_owned();
    let choices = row.choices();
    if !choices.is_empty() && !row.placeholder.is_empty() {
        text += &format!(": {}", choices.join(", "));
    }
    if let Some(default) = row.default {
        text += &format!(" (default: {default})");
    }
    text
}

/// The help text of a verb.
pub(crate) fn text(verb: Verb) -> String {
    let mut text = format!("{}: {ABOUT}\n\n", version());
    for (at, line) in synopsis(verb).lines().enumerate() {
        // Writing to a String can't fail, here and below.
        let _ = writeln!(text, "{} {line}", if at == 0 { "usage:" } else { "      " });
    }
    let _ = writeln!(text, "\n{}", about(verb));
    for (title, rows) in sections(verb) {
        let _ = writeln!(text, "\n{title}:");
        for row in rows {
            entry(&mut text, &heading(row), &explained(row));
        }
    }
    let _ = writeln!(text, "\n{}", closing(verb));
    text
}

/// The name and the version.
pub(crate) fn version() -> String {
    format!("frameloom {}", env!("CARGO_PKG_VERSION"))
}

fn entry(text: &mut String, name: &str, about: &str) {
    // A word brings the blank before it.
    let mut line = format!("  {name:<width$}", width = COLUMN - 3);
    if line.len() >= COLUMN {
        let _ = writeln!(text, "{line}");
        line = " ".repeat(COLUMN - 1);
    }
    for word in about.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = " ".repeat(COLUMN - 1);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_a_terminal_and_names_everything() {
        for verb in Verb::ALL {
            let text = text(verb);
            for line in text.lines() {
                assert!(line.chars().count() <= WIDTH, "too wide: {line}");
                assert_eq!(line, line.trim_end());
            }
            for row in verb.rows() {
                for name in row.names() {
                    let named = format!(" {}", row.dashed(name));
                    assert!(text.contains(&named), "{verb:?}: {named}");
                }
            }
        }
    }

    #[test]
    fn a_verb_shows_its_own_options_only() {
        for (verb, has, lacks) in [
            (Verb::Run, "--on-slow=", "--rtmp-listen"),
            (Verb::Probe, "--open-timeout=", "--on-slow"),
            (Verb::Serve, "--rtmp-listen=", "--on-slow"),
            (Verb::Demo, "--picture=", "--on-slow"),
        ] {
            let text = text(verb);
            assert!(text.contains(has) && !text.contains(lacks), "{text}");
        }
    }

    /// No option is in two sections, and none is left out.
    #[test]
    fn sections_hold_each_option_once() {
        for verb in Verb::ALL {
            let shown: usize = sections(verb).iter().map(|(_, rows)| rows.len()).sum();
            assert_eq!(shown, verb.rows().len(), "{verb:?}");
        }
    }
}
