//! How the file of `frameloom serve` and the API spell settings.

use frameloom::{End, Setting, Wording};

/// Keys of the file: `on_loss = "hold"`, and FFmpeg's options as in the tables `input_options` and
/// `output_options`, `c:v = "copy"`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys;

impl Wording for Keys {
    fn name(&self, setting: &Setting) -> String {
        match setting.name() {
            "vf" | "filter:v" if setting.is_ffmpegs() => "filter".to_owned(),
            "v" if setting.is_ffmpegs() => "loglevel".to_owned(),
            name if setting.is_ffmpegs() => name.to_owned(),
            name => name.replace('-', "_"),
        }
    }

    fn written(&self, setting: &Setting) -> String {
        let name = self.name(setting);
        match setting.value() {
            Some(value) if value.parse::<f64>().is_ok() => format!("{name} = {value}"),
            Some(value) => format!("{name} = {value:?}"),
            None => name,
        }
    }

    fn place(&self, end: End) -> &'static str {
        match end {
            End::Input => "put it into input_options",
            _ => "put it into output_options",
        }
    }

    fn code(&self) -> &'static str {
        "give your code as command, such as command = [\"python3\", \"edit.py\"]"
    }

    fn list_of_options(&self) -> &'static str {
        "frameloom -h lists the options"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_spelled_as_the_file_has_them() {
        for (setting, name, written) in [
            (Setting::own("on-loss").to("hold"), "on_loss", "on_loss = \"hold\""),
            (Setting::own("no-reconnect"), "no_reconnect", "no_reconnect"),
            (Setting::ffmpeg("c:v").to("copy"), "c:v", "c:v = \"copy\""),
            (Setting::ffmpeg("tls_verify").to("0"), "tls_verify", "tls_verify = 0"),
            (Setting::ffmpeg("vf"), "filter", "filter"),
            (Setting::ffmpeg("v"), "loglevel", "loglevel"),
        ] {
            assert_eq!(
                (Keys.name(&setting), Keys.written(&setting)),
                (name.into(), written.into())
            );
        }
    }
}
