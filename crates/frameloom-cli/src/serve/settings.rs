//! What the words of `frameloom serve` and the file's `[server]` say together.

use std::borrow::Cow;

use frameloom::internal::{ProgramHint, nearest};
use frameloom::{Error, Hint, Result, Setting, sentence};
use frameloom_server::{ServerConfig, TlsFiles};

use super::file::{File, fault_error};
use super::node::{FileFault, NodeEntry, NodeValue, unknown as unknown_key};
use super::wording::Keys;
use crate::level::Level;
use crate::options::Verb;
use crate::options::program::{self, ProgramOptions};
use crate::options::serve::{LEAST_TOKEN, ServeOptions, TABLE, find, secret, token};
use crate::usage::{no_value, usage};

/// Where a secret is taken from when no option gives it: other users see a program's arguments.
const PUBLISH_KEY: &str = "FRAMELOOM_PUBLISH_KEY";
const PLAY_KEY: &str = "FRAMELOOM_PLAY_KEY";
const API_TOKEN: &str = "FRAMELOOM_API_TOKEN";

/// What the words of `frameloom serve` say.
#[derive(Default)]
pub(crate) struct ServeArgs {
    pub(crate) config: ServerConfig,
    pub(crate) level: Level,
    /// What the API changes is written to the file.
    pub(crate) save: bool,
}

impl ServeArgs {
    /// Reads the words that follow `serve` and its file; what they say goes before what `file`
    /// says. Keys that neither gives come from `environment`.
    ///
    /// # Errors
    /// Wrong usage, without a word of what could be a secret.
    pub(crate) fn parse(
        words: impl IntoIterator<Item = String>,
        file: Option<&File>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<ServeArgs> {
        let (mut options, mut program) = (ServeOptions::default(), ProgramOptions::default());
        if let Some(file) = file {
            let wrong = |fault| fault_error(&file.path, &fault);
            file.server.iter().try_for_each(|entry| take(&mut options, entry)).map_err(wrong)?;
        }
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let short = word.strip_prefix('-').filter(|name| !name.starts_with('-'));
            if let Some(setting) = short.and_then(|name| program::find(Verb::Serve, name, false)) {
                let value = match setting.row.takes_value() {
                    true => words.next().ok_or_else(|| no_value(&word))?,
                    false => String::new(),
                };
                program.take(setting, &value)?;
                continue;
            }
            let Some(option) = word.strip_prefix("--") else {
                let error = usage(format!("serve has no use for '{word}'"));
                return Err(error.hint(ProgramHint::SettingsAlone(own("rtmp-listen").to("ADDR"))));
            };
            let (name, attached) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            let setting = find(name).ok_or_else(|| unknown(name))?;
            let value = attached.or_else(|| words.next());
            let value = value.ok_or_else(|| no_value(&format!("--{name}")))?;
            (setting.set)(&mut options, &value).map_err(|e| e.about(setting.row.setting()))?;
        }
        if options.save && file.is_none() {
            return Err(usage(sentence!("{} writes to a FILE, and none is given", own("save"))));
        }
        let (config, save) = (finished(&mut options, environment)?, options.save);
        Ok(ServeArgs { config, level: program.level, save })
    }
}

/// Takes a key of `[server]`.
fn take(options: &mut ServeOptions, entry: &NodeEntry) -> std::result::Result<(), FileFault> {
    let setting = TABLE.iter().find(|setting| setting.row.key() == entry.key);
    let Some(setting) = setting else {
        let known: Vec<String> = TABLE.iter().map(|setting| setting.row.key()).collect();
        let known = known.iter().map(String::as_str);
        return Err(unknown_key("server", &entry.key, entry.place, known));
    };
    let flag;
    let value = match &entry.node.value {
        NodeValue::Text(value) | NodeValue::Number(value) => Some(value),
        NodeValue::Flag(said) if setting.row.choices().contains(&"yes") => {
            flag = if *said { "yes" } else { "no" }.to_owned();
            Some(&flag)
        }
        _ => None,
    };
    let Some(value) = value else {
        let kind = entry.node.kind();
        let text = format!("it is a string or a number, not {kind}");
        return Err(FileFault::new(entry.node.place, format!("server.{}", entry.key), text));
    };
    (setting.set)(options, value).map_err(|error| {
        let text = error.display(&Keys).in_place().to_string();
        FileFault::new(entry.node.place, format!("server.{}", entry.key), text)
    })
}

/// The server's configuration, with keys that nothing gave from the environment.
fn finished(
    options: &mut ServeOptions,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<ServerConfig> {
    let mut config = std::mem::take(&mut options.config);
    for (name, key) in [(PUBLISH_KEY, &mut config.publish_key), (PLAY_KEY, &mut config.play_key)] {
        if key.is_none() {
            let found = environment(name).filter(|value| !value.is_empty());
            *key = found.map(|value| secret(&value)).transpose()?.map(Into::into);
        }
    }
    if config.api_token.is_none() {
        let found = environment(API_TOKEN).filter(|value| !value.is_empty());
        let read = |value: String| token(&value).map_err(|e| e.at(&format!("${API_TOKEN}")));
        config.api_token = found.map(read).transpose()?.map(Into::into);
    }
    let http = config.http_listen.filter(|address| !address.ip().is_loopback());
    if let (Some(address), None) = (http, &config.api_token) {
        let cause = format!(
            "HTTP on {address} is reached from other machines, and its API would obey anyone"
        );
        return Err(usage(cause).hint(ProgramHint::GiveToken {
            least_characters: LEAST_TOKEN,
            variable: API_TOKEN.to_owned(),
            setting: own("api-token"),
        }));
    }
    config.tls = match (options.certificate.take(), options.private_key.take()) {
        (Some(certificate), Some(private_key)) => Some(TlsFiles { certificate, private_key }),
        (None, None) => None,
        (Some(_), None) => {
            return Err(usage(sentence!("{} needs {} too", own("tls-cert"), own("tls-key"))));
        }
        (None, Some(_)) => {
            return Err(usage(sentence!("{} needs {} too", own("tls-key"), own("tls-cert"))));
        }
    };
    match (&config.tls, config.rtmps_listen) {
        (None, Some(_)) => Err(usage(sentence!(
            "{} needs {} and {}",
            own("rtmps-listen"),
            own("tls-cert"),
            own("tls-key")
        ))),
        (Some(_), None) => Err(usage(sentence!(
            "{} is for {}, which is not given",
            own("tls-cert"),
            own("rtmps-listen")
        ))),
        _ => Ok(config),
    }
}

fn unknown(name: &str) -> Error {
    let error = usage(sentence!("serve has no option {}", own(name.to_owned())));
    let near = nearest(name, TABLE.iter().map(|s| s.row.name));
    if near.is_empty() {
        return error.hint(ProgramHint::HelpOf("serve".to_owned()));
    }
    error.hint(Hint::DidYouMeanSetting(near.into_iter().map(own).collect()))
}

fn own(name: impl Into<Cow<'static, str>>) -> Setting {
    Setting::own(name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use frameloom_server::SecondPublisher;

    use super::*;

    fn parse(line: &str) -> Result<ServeArgs> {
        ServeArgs::parse(line.split_whitespace().map(str::to_owned), None, |_| None)
    }

    #[test]
    fn every_option_sets_what_it_says() {
        let words = parse(
            "--rtmp-listen=none --http-listen 0.0.0.0:80 --publish-key=hush-hush \
             --second-publisher=take-over --player-lag=2s --player-skips=0 --max-connections=7 \
             --on-publish=http://127.0.0.1:9/auth -v warning --api-token=0123456789abcdef",
        );
        let ServeArgs { config, level, .. } = words.unwrap();
        assert_eq!(config.rtmp_listen, None);
        assert_eq!(config.http_listen, Some(([0, 0, 0, 0], 80).into()));
        assert_eq!(config.publish_key.unwrap().expose(), "hush-hush");
        assert_eq!(config.second_publisher, SecondPublisher::TakeOver);
        assert_eq!(config.relay.player_lag, Duration::from_secs(2));
        assert_eq!((config.relay.player_skips, config.max_connections), (0, 7));
        assert!(config.on_publish.is_some() && config.api_token.is_some());
        assert_eq!(level, Level::Warning);
    }

    #[test]
    fn wrong_words_are_told() {
        for (line, mentions) in [
            ("cameras.toml", "'cameras.toml'"),
            ("--rtmp-lisen=1", "did you mean --rtmp-listen"),
            ("--rtmp-listen", "--rtmp-listen takes a value"),
            ("--rtmp-listen=x:y", "'x:y' is not an address"),
            ("--max-connections=0", "'0' is not a whole number"),
            ("--player-lag=soon", "'soon' is not a time"),
            ("--second-publisher=both", "neither refuse nor take-over"),
            ("--on-publish=ftp://h/x", "http"),
            ("--publish-key=", "the key is empty"),
            ("--rtmps-listen=443", "needs --tls-cert"),
            ("--api-token=0123456789", "fewer than 16"),
            ("--save=maybe", "neither yes nor no"),
            ("--save=yes", "none is given"),
            ("--http-listen=:80", "reached from other machines"),
            ("--tls-cert=a.pem", "--tls-key"),
            ("--tls-cert=a.pem --tls-key=b.pem", "--rtmps-listen"),
        ] {
            let shown = parse(line).map(drop).unwrap_err().to_string();
            assert!(shown.contains(mentions), "{line}: {shown}");
        }
    }

    #[test]
    fn keys_come_from_the_environment_where_no_option_gives_them() {
        let environment = |name: &str| (name == PUBLISH_KEY).then(|| "from-outside".to_owned());
        let words = ServeArgs::parse([], None, environment).unwrap();
        assert_eq!(words.config.publish_key.unwrap().expose(), "from-outside");
        assert!(words.config.play_key.is_none());
        let given = ["--publish-key=given".to_owned()];
        let words = ServeArgs::parse(given, None, environment).unwrap();
        assert_eq!(words.config.publish_key.unwrap().expose(), "given");
    }
}
