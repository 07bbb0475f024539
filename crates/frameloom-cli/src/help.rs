//! The help text, from the same tables that the arguments are read by.

use std::fmt::Write;

use frameloom::options::{Arity, KNOWN, Place};

use crate::long::LONG;
use crate::serve::settings::SETTINGS;

const WIDTH: usize = 80;
/// Where what is said about an option starts.
const COLUMN: usize = 28;

const ABOUT: &str = "your own code in the middle of a live video stream";

const USAGE: &str = "\
usage: frameloom [global options] [input options] -i INPUT
                 {[output options] OUTPUT}... [-- COMMAND [ARG]...]
       frameloom probe [input options] INPUT
       frameloom serve [FILE] [OPTION...]
       frameloom demo [-i INPUT] [-t SECONDS] [--picture=FILE] [--no-browser]
                      [-- COMMAND...]

An INPUT or OUTPUT is a URL or a file; - is stdin or stdout. COMMAND reads raw
frames on stdin and writes one raw frame on stdout for each; FRAMELOOM_WIDTH,
_HEIGHT, _PIX_FMT, _FRAME_BYTES and _RATE in its environment describe them.
Without an OUTPUT it only reads. probe tells what is in INPUT, as JSON. serve is
a media server: RTMP to publish and play, HTTP-FLV to play; and it runs the
pipelines that FILE describes, as TOML. demo shows it all on this machine: a
camera, a server, a COMMAND, and the result to watch on the server's page.
";

const AV_OPTIONS: &str = "\
Any other -NAME X is an option of FFmpeg's own protocol, format or codec, as
in -preset fast -crf 23; add :v or :a to the name for one of the streams.
";

const EXAMPLES: &str = "\
Examples:
  frameloom -i rtmp://HOST/live/1 -f flv rtmp://HOST/live/2 -- python3 edit.py
  frameloom -i clip.mp4 -vf hflip -c:v libx264 -crf 20 mirrored.mp4
  frameloom -i rtmp://HOST/live/1 --frame-size=640x360 -- python3 detect.py

Exit status: 0 done, or stopped by a signal with the outputs complete;
1 something failed; 2 wrong usage. A second signal stops at once.
";

/// The help text.
pub(crate) fn text() -> String {
    let mut text = format!("{}: {ABOUT}\n\n{USAGE}", version());
    for (title, place) in [
        ("Options before -i or an OUTPUT", Place::Both),
        ("Options before -i", Place::Input),
        ("Options before an OUTPUT", Place::Output),
        ("Options anywhere", Place::Global),
    ] {
        // Writing to a String can't fail, here and below.
        let _ = writeln!(text, "\n{title}:");
        for known in KNOWN.iter().filter(|known| known.place == place) {
            let names: Vec<String> = known.names.iter().map(|name| format!("-{name}")).collect();
            let value = if known.arity == Arity::Value { " X" } else { "" };
            entry(&mut text, &(names.join(", ") + value), known.help);
        }
    }
    let _ = writeln!(text, "\nFrameloom's own, anywhere before --:");
    for long in LONG {
        let value = long.value.map(|value| format!("={value}")).unwrap_or_default();
        entry(&mut text, &format!("--{}{value}", long.name), long.help);
    }
    let _ = write!(text, "\n{AV_OPTIONS}");
    let _ = writeln!(text, "\nOptions of serve:");
    for setting in SETTINGS {
        entry(&mut text, &format!("--{}={}", setting.name, setting.value), setting.help);
    }
    let _ = write!(text, "\n{EXAMPLES}");
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
        let text = text();
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "too wide: {line}");
            assert_eq!(line, line.trim_end());
        }
        for name in KNOWN.iter().flat_map(|known| known.names) {
            assert!(text.contains(&format!(" -{name}")), "{name}");
        }
        for setting in SETTINGS {
            assert!(text.contains(&format!("  --{}=", setting.name)), "{}", setting.name);
        }
        for long in LONG {
            assert!(text.contains(&format!("  --{}", long.name)), "{}", long.name);
        }
    }
}
