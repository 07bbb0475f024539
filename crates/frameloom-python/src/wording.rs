//! How Python spells the library's settings.

use frameloom::options::{Arity, arity};
use frameloom::{End, Setting, Wording};

/// Keyword arguments, and FFmpeg's options in the dictionary `options`.
pub(crate) struct Keywords;

/// FFmpeg's options that have a keyword: on which end, and the value that a flag has as one.
const KEYWORDS: &[(&str, End, &str, &str)] = &[
    ("f", End::Input, "format", ""),
    ("ss", End::Input, "start", ""),
    ("t", End::Input, "duration", ""),
    ("stream_loop", End::Input, "loop", ""),
    ("re", End::Input, "realtime", "True"),
    ("f", End::Output, "format", ""),
    ("y", End::Output, "overwrite", "True"),
    ("an", End::Output, "audio", "False"),
    ("c", End::Output, "codec", ""),
    ("c:v", End::Output, "codec", ""),
    ("c:a", End::Output, "audio_codec", ""),
    ("b:v", End::Output, "bit_rate", ""),
    ("s", End::Output, "size", ""),
    ("r", End::Output, "rate", ""),
];

/// Frameloom's own settings that are true or false.
const FLAGS: &[&str] = &["no_reconnect", "rtmp_by_libav"];

fn keyword(setting: &Setting) -> Option<(&'static str, &'static str)> {
    let name = match setting.name() {
        "codec" => "c",
        "vcodec" | "codec:v" => "c:v",
        "acodec" | "codec:a" => "c:a",
        name => name,
    };
    let is_meant = |end| setting.end().is_none_or(|given| given == end);
    let found = KEYWORDS.iter().find(|(theirs, end, ..)| *theirs == name && is_meant(*end));
    found.map(|(.., ours, value)| (*ours, *value))
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
            let is_flag = FLAGS.contains(&name.as_str());
            let value = value.or_else(|| is_flag.then(|| "True".to_owned()));
            return format!("{name}={}", value.unwrap_or_default());
        }
        if let Some((ours, flag)) = keyword(setting) {
            return format!("{ours}={}", value.unwrap_or_else(|| flag.to_owned()));
        }
        let value = value.unwrap_or_else(|| match arity(setting.name()) {
            Arity::Flag => "True".to_owned(),
            Arity::Value => "...".to_owned(),
        });
        format!("options={{\"{}\": {value}}}", setting.name())
    }

    fn place(&self, end: End) -> &'static str {
        match end {
            End::Input => "give it to open()",
            End::Output => "give it to output() or create()",
        }
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
