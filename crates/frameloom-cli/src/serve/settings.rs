//! The options of `frameloom serve`: each with its help and what it sets, in one place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use frameloom::options::parse_duration;
use frameloom::{Error, Result, nearest, redact};
use frameloom_server::{Callback, SecondPublisher, ServerConfig, TlsFiles};

use super::file::{File, told};
use super::node::{Entry, Fault, Value, unknown as unknown_key};
use crate::level::{Level, listed};
use crate::usage;

/// Where a secret is taken from when no option gives it: other users see a program's arguments.
const PUBLISH_KEY: &str = "FRAMELOOM_PUBLISH_KEY";
const PLAY_KEY: &str = "FRAMELOOM_PLAY_KEY";
const API_TOKEN: &str = "FRAMELOOM_API_TOKEN";

/// The shortest token, in characters: what can be guessed keeps nobody out.
const LEAST_TOKEN: usize = 16;

/// One option of `frameloom serve`.
pub(crate) struct Setting {
    /// The name without its dashes.
    pub(crate) name: &'static str,
    /// What help calls the value.
    pub(crate) value: &'static str,
    /// One line of help.
    pub(crate) help: &'static str,
    set: fn(&mut Words, &str) -> Result<()>,
}

/// What the words of `frameloom serve` say.
#[derive(Default)]
pub(crate) struct Words {
    pub(crate) config: ServerConfig,
    pub(crate) level: Level,
    /// What the API changes is written to the file.
    pub(crate) save: bool,
    certificate: Option<PathBuf>,
    private_key: Option<PathBuf>,
}

/// Every option.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "rtmp-listen",
        value: "ADDR",
        help: "where RTMP is served, or none (127.0.0.1:1935)",
        set: |w, v| address(v, 1935).map(|a| w.config.rtmp_listen = a),
    },
    Setting {
        name: "http-listen",
        value: "ADDR",
        help: "where HTTP is served, or none (127.0.0.1:8080)",
        set: |w, v| address(v, 8080).map(|a| w.config.http_listen = a),
    },
    Setting {
        name: "rtmps-listen",
        value: "ADDR",
        help: "where RTMP over TLS is served; needs a certificate (none)",
        set: |w, v| address(v, 443).map(|a| w.config.rtmps_listen = a),
    },
    Setting {
        name: "tls-cert",
        value: "FILE",
        help: "the certificate for RTMPS, PEM",
        set: |w, v| {
            w.certificate = Some(v.into());
            Ok(())
        },
    },
    Setting {
        name: "tls-key",
        value: "FILE",
        help: "the certificate's private key, PEM",
        set: |w, v| {
            w.private_key = Some(v.into());
            Ok(())
        },
    },
    Setting {
        name: "publish-key",
        value: "KEY",
        help: "what publishers give as ?key=KEY; also by $FRAMELOOM_PUBLISH_KEY",
        set: |w, v| secret(v).map(|s| w.config.publish_key = Some(s.into())),
    },
    Setting {
        name: "play-key",
        value: "KEY",
        help: "what players give as ?key=KEY; also by $FRAMELOOM_PLAY_KEY",
        set: |w, v| secret(v).map(|s| w.config.play_key = Some(s.into())),
    },
    Setting {
        name: "api-token",
        value: "TOKEN",
        help: "what the API asks for, as bearer token of 16 characters or more; also by \
               $FRAMELOOM_API_TOKEN; needed where --http-listen is reached from other machines",
        set: |w, v| token(v).map(|s| w.config.api_token = Some(s.into())),
    },
    Setting {
        name: "save",
        value: "YESNO",
        help: "write to FILE what the API adds, changes and removes: yes or no (no)",
        set: |w, v| {
            w.save = match v {
                "yes" | "true" => true,
                "no" | "false" => false,
                _ => return Err(usage(format!("'{v}' is neither yes nor no"))),
            };
            Ok(())
        },
    },
    Setting {
        name: "on-publish",
        value: "URL",
        help: "asked for each publisher, as nginx-rtmp's on_publish",
        set: |w, v| callback(v).map(|c| w.config.on_publish = Some(c)),
    },
    Setting {
        name: "on-play",
        value: "URL",
        help: "asked for each player, as nginx-rtmp's on_play",
        set: |w, v| callback(v).map(|c| w.config.on_play = Some(c)),
    },
    Setting {
        name: "second-publisher",
        value: "WHAT",
        help: "refuse a second publisher of a name, or let it take-over (refuse)",
        set: |w, v| {
            w.config.second_publisher = match v {
                "refuse" => SecondPublisher::Refuse,
                "take-over" => SecondPublisher::TakeOver,
                _ => return Err(usage(format!("'{v}' is neither refuse nor take-over"))),
            };
            Ok(())
        },
    },
    Setting {
        name: "max-connections",
        value: "N",
        help: "connections of all kinds together (4096)",
        set: |w, v| whole(v).map(|n| w.config.max_connections = n),
    },
    Setting {
        name: "max-connections-per-address",
        value: "N",
        help: "connections from one address (1024)",
        set: |w, v| whole(v).map(|n| w.config.max_connections_per_address = n),
    },
    Setting {
        name: "max-message-bytes",
        value: "N",
        help: "the longest RTMP message (8388608)",
        set: |w, v| whole(v).map(|n| w.config.rtmp.message_bytes = n),
    },
    Setting {
        name: "max-connection-bytes",
        value: "N",
        help: "what one RTMP connection may hold in all (16777216)",
        set: |w, v| whole(v).map(|n| w.config.rtmp.connection_bytes = n),
    },
    Setting {
        name: "max-chunk-streams",
        value: "N",
        help: "chunk streams of one RTMP connection (64)",
        set: |w, v| whole(v).map(|n| w.config.rtmp.chunk_streams = n),
    },
    Setting {
        name: "max-message-streams",
        value: "N",
        help: "message streams of one RTMP connection (8)",
        set: |w, v| whole(v).map(|n| w.config.rtmp.message_streams = n),
    },
    Setting {
        name: "max-amf-depth",
        value: "N",
        help: "how deep AMF0 values may be nested, up to 128 (32)",
        set: |w, v| whole(v).map(|n| w.config.rtmp.amf_depth = n),
    },
    Setting {
        name: "cache-bytes",
        value: "N",
        help: "what is kept of one stream for late and slow players (33554432)",
        set: |w, v| whole(v).map(|n| w.config.relay.cache_bytes = n),
    },
    Setting {
        name: "player-lag",
        value: "TIME",
        help: "how far behind a player may be before it skips to a keyframe (5s)",
        set: |w, v| time(v).map(|t| w.config.relay.player_lag = t),
    },
    Setting {
        name: "player-skips",
        value: "N",
        help: "how often it may skip in a row before it is disconnected (3)",
        set: |w, v| {
            let wrong = || usage(format!("'{v}' is not a whole number"));
            w.config.relay.player_skips = v.parse().map_err(|_| wrong())?;
            Ok(())
        },
    },
    Setting {
        name: "player-stall",
        value: "TIME",
        help: "how long a player may read nothing (8s)",
        set: |w, v| time(v).map(|t| w.config.timeouts.player_stall = t),
    },
    Setting {
        name: "idle-publisher",
        value: "TIME",
        help: "how long a publisher may send nothing (15s)",
        set: |w, v| time(v).map(|t| w.config.timeouts.idle_publisher = t),
    },
    Setting {
        name: "handshake-timeout",
        value: "TIME",
        help: "for RTMP's and TLS's handshake and HTTP's headers (5s)",
        set: |w, v| time(v).map(|t| w.config.timeouts.handshake = t),
    },
    Setting {
        name: "command-timeout",
        value: "TIME",
        help: "how long a connection may do neither, publish nor play (10s)",
        set: |w, v| time(v).map(|t| w.config.timeouts.command = t),
    },
    Setting {
        name: "play-wait",
        value: "TIME",
        help: "how long a player may wait for a stream to come (9s)",
        set: |w, v| time(v).map(|t| w.config.timeouts.play_wait = t),
    },
    Setting {
        name: "callback-timeout",
        value: "TIME",
        help: "for the answer to on-publish and on-play (5s)",
        set: |w, v| time(v).map(|t| w.config.timeouts.callback = t),
    },
    Setting {
        name: "drain",
        value: "TIME",
        help: "how long a stop waits for players (2s)",
        set: |w, v| time(v).map(|t| w.config.timeouts.drain = t),
    },
];

impl Words {
    /// Reads the words that follow `serve` and its file; what they say goes before what `file`
    /// says. Keys that neither gives come from `environment`.
    ///
    /// # Errors
    /// Wrong usage, without a word of what could be a secret.
    pub(crate) fn parse(
        words: impl IntoIterator<Item = String>,
        file: Option<&File>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Words> {
        let mut parsed = Words::default();
        if let Some(file) = file {
            let wrong = |fault| told(&file.path, &fault);
            file.server.iter().try_for_each(|entry| parsed.take(entry)).map_err(wrong)?;
        }
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if matches!(word.as_str(), "-v" | "-loglevel") {
                let value = words.next().ok_or_else(|| no_value(&word))?;
                parsed.level = Level::parse(&value)?;
                continue;
            }
            if matches!(word.as_str(), "-hide_banner" | "-nostdin" | "-nostats") {
                continue;
            }
            let Some(option) = word.strip_prefix("--") else {
                let error = usage(format!("serve has no use for '{word}'"));
                return Err(error.hint("it takes options alone, as --rtmp-listen=ADDR"));
            };
            let (name, attached) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            let Some(setting) = SETTINGS.iter().find(|s| s.name == name) else {
                return Err(unknown(name));
            };
            let value = attached.or_else(|| words.next());
            let value = value.ok_or_else(|| no_value(&format!("--{name}")))?;
            (setting.set)(&mut parsed, &value).map_err(|e| e.at(&format!("--{name}")))?;
        }
        if parsed.save && file.is_none() {
            return Err(usage("--save writes to a FILE, and none is given"));
        }
        parsed.finish(environment)
    }

    /// Takes a key of `[server]`.
    fn take(&mut self, entry: &Entry) -> std::result::Result<(), Fault> {
        let dashed = entry.key.replace('_', "-");
        let setting = SETTINGS.iter().find(|s| s.name == dashed && !entry.key.contains('-'));
        let Some(setting) = setting else {
            let known: Vec<String> = SETTINGS.iter().map(|s| s.name.replace('-', "_")).collect();
            let known = known.iter().map(String::as_str);
            return Err(unknown_key("server", &entry.key, entry.place, known));
        };
        let flag;
        let value = match &entry.node.value {
            Value::Text(value) | Value::Number(value) => Some(value),
            Value::Flag(said) if setting.name == "save" => {
                flag = said.to_string();
                Some(&flag)
            }
            _ => None,
        };
        let Some(value) = value else {
            let kind = entry.node.kind();
            let text = format!("server.{} is a string or a number, not {kind}", entry.key);
            return Err(Fault::new(entry.node.place, text));
        };
        (setting.set)(self, value).map_err(|error| {
            let told = error.to_string();
            let told = told.strip_prefix("options: ").unwrap_or(&told);
            Fault::new(entry.node.place, format!("server.{}: {told}", entry.key))
        })
    }

    fn finish(mut self, environment: impl Fn(&str) -> Option<String>) -> Result<Words> {
        for (name, key) in
            [(PUBLISH_KEY, &mut self.config.publish_key), (PLAY_KEY, &mut self.config.play_key)]
        {
            if key.is_none() {
                let found = environment(name).filter(|value| !value.is_empty());
                *key = found.map(|value| secret(&value)).transpose()?.map(Into::into);
            }
        }
        if self.config.api_token.is_none() {
            let found = environment(API_TOKEN).filter(|value| !value.is_empty());
            let read = |value: String| token(&value).map_err(|e| e.at(&format!("${API_TOKEN}")));
            self.config.api_token = found.map(read).transpose()?.map(Into::into);
        }
        let http = self.config.http_listen.filter(|address| !address.ip().is_loopback());
        if let (Some(address), None) = (http, &self.config.api_token) {
            let cause = format!(
                "HTTP on {address} is reached from other machines, and its API would obey anyone"
            );
            return Err(usage(cause).hint(format!(
                "give a token of {LEAST_TOKEN} characters or more as ${API_TOKEN} or api_token, or \
                 listen on 127.0.0.1"
            )));
        }
        self.config.tls = match (self.certificate.take(), self.private_key.take()) {
            (Some(certificate), Some(private_key)) => Some(TlsFiles { certificate, private_key }),
            (None, None) => None,
            (Some(_), None) => return Err(usage("--tls-cert needs --tls-key too")),
            (None, Some(_)) => return Err(usage("--tls-key needs --tls-cert too")),
        };
        match (&self.config.tls, self.config.rtmps_listen) {
            (None, Some(_)) => Err(usage("--rtmps-listen needs --tls-cert and --tls-key")),
            (Some(_), None) => Err(usage("--tls-cert is for --rtmps-listen, which is not given")),
            _ => Ok(self),
        }
    }
}

/// An address to listen on: `HOST:PORT`, `:PORT` for every interface, `PORT` for this machine
/// alone, `HOST` at the usual port, or `none`.
fn address(text: &str, usual_port: u16) -> Result<Option<SocketAddr>> {
    if text == "none" {
        return Ok(None);
    }
    let wrong = |why: &str| {
        usage(format!("'{text}' is not an address to listen on{why}"))
            .hint("write HOST:PORT, such as 0.0.0.0:1935, or none")
    };
    if let Ok(port) = text.parse() {
        return Ok(Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)));
    }
    if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse().ok()) {
        return Ok(Some(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)));
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Some(SocketAddr::new(ip, usual_port)));
    }
    let with_port =
        if text.contains(':') { text.to_owned() } else { format!("{text}:{usual_port}") };
    let mut found = with_port.to_socket_addrs().map_err(|_| wrong(""))?;
    found.next().map(Some).ok_or_else(|| wrong(": the host has no address"))
}

fn secret(text: &str) -> Result<String> {
    redact::remember(text);
    if text.is_empty() { Err(usage("the key is empty")) } else { Ok(text.to_owned()) }
}

fn token(text: &str) -> Result<String> {
    redact::remember(text);
    let fits = text.len() >= LEAST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(text.to_owned());
    }
    let cause = format!("the token has fewer than {LEAST_TOKEN} characters, or blanks among them");
    Err(usage(cause).hint("make one with: openssl rand -hex 16"))
}

fn callback(url: &str) -> Result<Callback> {
    redact::remember_url(url);
    Callback::parse(url).map_err(|error| usage(error.to_string()))
}

fn time(text: &str) -> Result<Duration> {
    parse_duration(text)
}

fn whole(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(usage(format!("'{text}' is not a whole number above 0"))),
    }
}

fn no_value(option: &str) -> Error {
    usage(format!("{option} takes a value, and none follows it"))
}

fn unknown(name: &str) -> Error {
    let error = usage(format!("serve has no option --{name}"));
    let near: Vec<String> =
        nearest(name, SETTINGS.iter().map(|s| s.name)).iter().map(|n| format!("--{n}")).collect();
    if near.is_empty() {
        return error.hint("see frameloom -h");
    }
    error.hint(format!("did you mean {}?", listed(near.iter().map(String::as_str))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Words> {
        Words::parse(line.split_whitespace().map(str::to_owned), None, |_| None)
    }

    #[test]
    fn addresses_are_what_people_write() {
        for (text, expected) in [
            ("0.0.0.0:1935", Some("0.0.0.0:1935")),
            ("1936", Some("127.0.0.1:1936")),
            (":1936", Some("[::]:1936")),
            ("127.0.0.1", Some("127.0.0.1:1935")),
            ("[::1]", Some("[::1]:1935")),
            ("[::1]:0", Some("[::1]:0")),
            ("none", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(address(text, 1935).unwrap(), expected, "{text}");
        }
        for text in ["", "nowhere.invalid:1935", "1.2.3.4:99999", "::::"] {
            assert!(address(text, 1935).is_err(), "{text}");
        }
    }

    #[test]
    fn every_option_sets_what_it_says() {
        let words = parse(
            "--rtmp-listen=none --http-listen 0.0.0.0:80 --publish-key=hush-hush \
             --second-publisher=take-over --player-lag=2s --player-skips=0 --max-connections=7 \
             --on-publish=http://127.0.0.1:9/auth -v warning --api-token=0123456789abcdef",
        );
        let Words { config, level, .. } = words.unwrap();
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
            let told = parse(line).map(drop).unwrap_err().to_string();
            assert!(told.contains(mentions), "{line}: {told}");
        }
    }

    #[test]
    fn keys_come_from_the_environment_where_no_option_gives_them() {
        let environment = |name: &str| (name == PUBLISH_KEY).then(|| "from-outside".to_owned());
        let words = Words::parse([], None, environment).unwrap();
        assert_eq!(words.config.publish_key.unwrap().expose(), "from-outside");
        assert!(words.config.play_key.is_none());
        let given = ["--publish-key=given".to_owned()];
        let words = Words::parse(given, None, environment).unwrap();
        assert_eq!(words.config.publish_key.unwrap().expose(), "given");
    }
}
