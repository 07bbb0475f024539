//! How Python spells the library's settings.

use frameloom::internal::{find_ffmpeg, find_long};
use frameloom::{End, Setting, Wording};

/// Keyword arguments, and FFmpeg's options in the dictionary `options`.
pub(crate) struct Keywords;

/// The keyword of one of FFmpeg's options, where Python's functions for that end take it by one.
fn keyword(setting: &Setting) -> Option<(&'static str, &'static str)> {
    let name = match setting.name() {
        // One codec for all streams is the video's here.
        "c" | "codec" => "c:v",
        name => name,
    };
    let row = &find_ffmpeg(name)?.row;
    let takes = |end: End| {
        let functions: &[&str] = match end {
            End::Input => &["open", "probe"],
            _ => &["output", "create"],
        };
        row.python.iter().any(|function| functions.contains(function))
    };
    let is_taken = setting.end().map_or(!row.python.is_empty(), takes);
    // Leaving the audio out is audio=False.
    let flag = match (row.takes_value(), row.name) {
        (true, _) => "",
        (false, "an") => "False",
        (false, _) => "True",
    };
    row.keyword.filter(|_| is_taken).map(|keyword| (keyword, flag))
}

/// A value as it would stand in a program.
fn literal(value: &str) -> String {
    if value.parse::<f64>().is_ok() { value.to_owned() } else { format!("{value:?}") }
}

impl Wording for Keywords {
    fn name(&self, setting: &Setting) -> String {
        if !setting.is_ffmpegs() {
            return setting.name().replace('-', "_");
        }
        match keyword(setting) {
            Some((ours, _)) => ours.to_owned(),
            None => format!("options[\"{}\"]", setting.name()),
        }
    }

    fn written(&self, setting: &Setting) -> String {
        let name = self.name(setting);
        let value = setting.value().map(literal);
        if !setting.is_ffmpegs() {
            let row = find_long(&setting.name().replace('_', "-")).map(|entry| &entry.row);
            let is_flag = row.is_some_and(|row| !row.takes_value());
            let value = value.or_else(|| is_flag.then(|| "True".to_owned()));
            return format!("{name}={}", value.unwrap_or_default());
        }
        if let Some((ours, flag)) = keyword(setting) {
            return format!("{ours}={}", value.unwrap_or_else(|| flag.to_owned()));
        }
        let takes_value = find_ffmpeg(setting.name()).is_none_or(|e| e.row.takes_value());
        let value = value.unwrap_or_else(|| if takes_value { "..." } else { "True" }.to_owned());
        format!("options={{\"{}\": {value}}}", setting.name())
    }

    fn place(&self, end: End) -> &'static str {
        match end {
            End::Input => "give it to open()",
            _ => "give it to output() or create()",
        }
    }

    fn code(&self) -> &'static str {
        "give your code as edit to run()"
    }

    fn list_of_options(&self) -> &'static str {
        "docs/options.md lists the options"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_spelled_as_python_has_them() {
        let ffmpeg = |name: &'static str| Setting::ffmpeg(name);
        for (setting, name, written) in [
            (Setting::own("reconnect-for"), "reconnect_for", "reconnect_for="),
            (Setting::own("on-loss").to("hold"), "on_loss", "on_loss=\"hold\""),
            (Setting::own("no-reconnect"), "no_reconnect", "no_reconnect=True"),
            (ffmpeg("y"), "overwrite", "overwrite=True"),
            (ffmpeg("an").of(End::Output), "audio", "audio=False"),
            (ffmpeg("an").of(End::Input), "options[\"an\"]", "options={\"an\": True}"),
            (ffmpeg("c:v").to("copy"), "codec", "codec=\"copy\""),
            (ffmpeg("ca_file"), "options[\"ca_file\"]", "options={\"ca_file\": ...}"),
            (
                ffmpeg("tls_verify").to("0"),
                "options[\"tls_verify\"]",
                "options={\"tls_verify\": 0}",
            ),
            (ffmpeg("s").of(End::Output), "size", "size="),
            (ffmpeg("s").of(End::Input), "options[\"s\"]", "options={\"s\": ...}"),
        ] {
            assert_eq!(Keywords.name(&setting), name);
            assert_eq!(Keywords.written(&setting), written);
        }
    }
}
