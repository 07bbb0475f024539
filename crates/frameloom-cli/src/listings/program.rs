//! What the program is made of, and what may be done with it.

use std::fmt::Write;

use frameloom::internal::listing;

use crate::called::CalledAs;

/// `-version`: our own line, then those that scripts look for. Called by the name ffmpeg or ffprobe, its line is
/// the first.
pub(crate) fn version(called: CalledAs) -> String {
    let (own, ffmpegs) = (crate::help::version(), listing::ffmpeg_version());
    let mut text = match called {
        CalledAs::Frameloom => format!("{own}\nwith the libraries of ffmpeg version {ffmpegs}\n"),
        CalledAs::Ffmpeg | CalledAs::Ffprobe => {
            let name = if called == CalledAs::Ffmpeg { "ffmpeg" } else { "ffprobe" };
            // The years are those of the libraries' licences: programs look for a number here.
            format!(
                "{name} version {ffmpegs} Copyright (c) 2000-2026 the FFmpeg developers\n\
                 called by {own}\n"
            )
        }
    };
    // Writing to a String can't fail, here and below.
    let _ = writeln!(text, "configuration: {}", listing::configuration());
    for library in listing::libraries() {
        let numbers = |[major, minor, micro]: [u32; 3]| format!("{major:>2}.{minor:>3}.{micro:>3}");
        let (built_for, in_use) = (numbers(library.built_for), numbers(library.in_use));
        let _ = writeln!(text, "{:<14} {built_for} / {in_use}", library.name);
    }
    text
}

/// What the program says first where it is called by the name ffmpeg or ffprobe.
pub(crate) fn banner(called: CalledAs) -> String {
    version(called).trim_end().replace('\n', "\n  ")
}

/// `-buildconf`: how FFmpeg's libraries were configured, one option a line.
pub(crate) fn build_configuration() -> String {
    let mut text = String::from("\n  configuration:\n");
    for option in options(listing::configuration()) {
        let _ = writeln!(text, "    {option}");
    }
    text
}

/// The options of a configuration. A blank begins one only before two dashes, and not within the
/// value of `--pkg-config`.
fn options(configuration: &str) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    for part in configuration.split(" --") {
        match options.last_mut() {
            None => options.push(part.to_owned()),
            Some(last) if last.ends_with("pkg-config") => {
                last.push_str(" --");
                last.push_str(part);
            }
            Some(_) => options.push(format!("--{part}")),
        }
    }
    options
}

/// `-L`.
pub(crate) fn license() -> String {
    format!(
        "\
frameloom is free software: you may use it, change it and pass it on under the
MIT License or under the Apache License 2.0, as you like.

It calls FFmpeg's libraries, which are under another licence; on this machine
it is: {}.
Whoever passes them on together with frameloom has to keep to it.
",
        listing::license()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_cut_at_its_options() {
        let configuration =
            "--prefix=/usr --extra-cflags='-O2 -g' --pkg-config=pkg-config --static";
        assert_eq!(
            options(configuration),
            ["--prefix=/usr", "--extra-cflags='-O2 -g'", "--pkg-config=pkg-config --static"]
        );
    }
}
