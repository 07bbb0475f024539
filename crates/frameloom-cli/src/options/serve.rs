//! The options of `frameloom serve`: each with what it sets, in one place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use frameloom::Result;
use frameloom::internal::{Group, Row, ValueType};
use frameloom::internal::{ProgramHint, redact};
use frameloom::options::parse_duration;
use frameloom_server::{Callback, SecondPublisher, ServerConfig};

use crate::usage::usage;

/// The shortest token, in characters: what can be guessed protects nothing.
pub(crate) const LEAST_TOKEN: usize = 16;

/// What the options of `frameloom serve` say.
#[derive(Default)]
pub(crate) struct ServeOptions {
    pub(crate) config: ServerConfig,
    /// What the API changes is written to the file.
    pub(crate) save: bool,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) private_key: Option<PathBuf>,
}

/// An option of `frameloom serve`.
pub(crate) struct ServeOption {
    pub(crate) row: Row,
    pub(crate) set: fn(&mut ServeOptions, &str) -> Result<()>,
}

/// Every option of `frameloom serve`.
pub(crate) const TABLE: &[ServeOption] = &[
    ServeOption {
        row: Row::long("rtmp-listen", Group::Listening, ValueType::Address, "where RTMP is served, or none").default("127.0.0.1:1935"),
        set: |o, v| address(v, 1935).map(|a| o.config.rtmp_listen = a),
    },
    ServeOption {
        row: Row::long("http-listen", Group::Listening, ValueType::Address, "where HTTP is served, or none").default("127.0.0.1:8080"),
        set: |o, v| address(v, 8080).map(|a| o.config.http_listen = a),
    },
    ServeOption {
        row: Row::long("rtmps-listen", Group::Listening, ValueType::Address, "where RTMP over TLS is served; needs a certificate").default("none"),
        set: |o, v| address(v, 443).map(|a| o.config.rtmps_listen = a),
    },
    ServeOption {
        row: Row::long("tls-cert", Group::Listening, ValueType::Path, "the certificate for RTMPS, a PEM file"),
        set: |o, v| {
            o.certificate = Some(v.into());
            Ok(())
        },
    },
    ServeOption {
        row: Row::long("tls-key", Group::Listening, ValueType::Path, "the certificate's private key, a PEM file"),
        set: |o, v| {
            o.private_key = Some(v.into());
            Ok(())
        },
    },
    ServeOption {
        row: Row::long("publish-key", Group::Access, ValueType::Text, "the key that publishers give as ?key=KEY").placeholder("KEY").secret().default("$FRAMELOOM_PUBLISH_KEY, or no key"),
        set: |o, v| secret(v).map(|s| o.config.publish_key = Some(s.into())),
    },
    ServeOption {
        row: Row::long("play-key", Group::Access, ValueType::Text, "the key that players give as ?key=KEY").placeholder("KEY").secret().default("$FRAMELOOM_PLAY_KEY, or no key"),
        set: |o, v| secret(v).map(|s| o.config.play_key = Some(s.into())),
    },
    ServeOption {
        row: Row::long("api-token", Group::Access, ValueType::Text, "the bearer token that the API asks for, 16 characters or more; needed where --http-listen is reached from other machines").placeholder("TOKEN").secret().default("$FRAMELOOM_API_TOKEN, or no token"),
        set: |o, v| token(v).map(|s| o.config.api_token = Some(s.into())),
    },
    ServeOption {
        row: Row::long("allow-origin", Group::Access, ValueType::Text, "whose pages may play streams over HTTP: origins such as https://pages.example, with commas between, or *").placeholder("ORIGINS").default("the server's own"),
        set: |o, v| origins(v).map(|all| o.config.allow_origins = all),
    },
    ServeOption {
        row: Row::long("save", Group::Access, ValueType::Choice(&["yes", "no"]), "whether what the API adds, changes and removes is written to FILE").default("no"),
        set: |o, v| {
            o.save = match v {
                "yes" | "true" => true,
                "no" | "false" => false,
                _ => return Err(usage(format!("'{v}' is neither yes nor no"))),
            };
            Ok(())
        },
    },
    ServeOption {
        row: Row::long("on-publish", Group::Access, ValueType::Url, "a URL that is asked for each publisher, as nginx-rtmp's on_publish"),
        set: |o, v| callback(v).map(|c| o.config.on_publish = Some(c)),
    },
    ServeOption {
        row: Row::long("on-play", Group::Access, ValueType::Url, "a URL that is asked for each player, as nginx-rtmp's on_play"),
        set: |o, v| callback(v).map(|c| o.config.on_play = Some(c)),
    },
    ServeOption {
        row: Row::long("second-publisher", Group::Access, ValueType::Choice(&["refuse", "take-over"]), "whether a second publisher of a name is refused or takes over").default("refuse"),
        set: |o, v| {
            o.config.second_publisher = match v {
                "refuse" => SecondPublisher::Refuse,
                "take-over" => SecondPublisher::TakeOver,
                _ => return Err(usage(format!("'{v}' is neither refuse nor take-over"))),
            };
            Ok(())
        },
    },
    ServeOption {
        row: Row::long("max-connections", Group::Limits, ValueType::Integer, "the most connections of all kinds together").default("4096"),
        set: |o, v| whole(v).map(|n| o.config.max_connections = n),
    },
    ServeOption {
        row: Row::long("max-connections-per-address", Group::Limits, ValueType::Integer, "the most connections from one address").default("1024"),
        set: |o, v| whole(v).map(|n| o.config.max_connections_per_address = n),
    },
    ServeOption {
        row: Row::long("max-memory", Group::Limits, ValueType::Text, "what all connections and streams together may hold in memory, such as 512M or 2G").placeholder("BYTES").default("a quarter of the machine's or its control group's"),
        set: |o, v| bytes(v).map(|n| o.config.max_memory = Some(n)),
    },
    ServeOption {
        row: Row::long("max-message-bytes", Group::Limits, ValueType::Integer, "the longest RTMP message, in bytes").default("8388608"),
        set: |o, v| whole(v).map(|n| o.config.rtmp.message_bytes = n),
    },
    ServeOption {
        row: Row::long("max-connection-bytes", Group::Limits, ValueType::Integer, "what one RTMP connection may hold in all, in bytes").default("16777216"),
        set: |o, v| whole(v).map(|n| o.config.rtmp.connection_bytes = n),
    },
    ServeOption {
        row: Row::long("max-chunk-streams", Group::Limits, ValueType::Integer, "the most chunk streams of one RTMP connection").default("64"),
        set: |o, v| whole(v).map(|n| o.config.rtmp.chunk_streams = n),
    },
    ServeOption {
        row: Row::long("max-message-streams", Group::Limits, ValueType::Integer, "the most message streams of one RTMP connection").default("8"),
        set: |o, v| whole(v).map(|n| o.config.rtmp.message_streams = n),
    },
    ServeOption {
        row: Row::long("max-amf-depth", Group::Limits, ValueType::Integer, "how deep AMF0 values may be nested, up to 128").default("32"),
        set: |o, v| whole(v).map(|n| o.config.rtmp.amf_depth = n),
    },
    ServeOption {
        row: Row::long("cache-bytes", Group::Limits, ValueType::Integer, "what is held of one stream for late and slow players, in bytes").default("33554432"),
        set: |o, v| whole(v).map(|n| o.config.relay.cache_bytes = n),
    },
    ServeOption {
        row: Row::long("player-lag", Group::Timeouts, ValueType::Duration, "how far behind a player may be before it skips to a keyframe").default("5s"),
        set: |o, v| time(v).map(|t| o.config.relay.player_lag = t),
    },
    ServeOption {
        row: Row::long("player-skips", Group::Limits, ValueType::Integer, "how often a player may skip in a row before it is disconnected").default("3"),
        set: |o, v| {
            let wrong = || usage(format!("'{v}' is not a whole number"));
            o.config.relay.player_skips = v.parse().map_err(|_| wrong())?;
            Ok(())
        },
    },
    ServeOption {
        row: Row::long("player-stall", Group::Timeouts, ValueType::Duration, "how long a player may read nothing").default("8s"),
        set: |o, v| time(v).map(|t| o.config.timeouts.player_stall = t),
    },
    ServeOption {
        row: Row::long("idle-publisher", Group::Timeouts, ValueType::Duration, "how long a publisher may send nothing").default("15s"),
        set: |o, v| time(v).map(|t| o.config.timeouts.idle_publisher = t),
    },
    ServeOption {
        row: Row::long("handshake-timeout", Group::Timeouts, ValueType::Duration, "how long RTMP's and TLS's handshake and HTTP's headers may take").default("5s"),
        set: |o, v| time(v).map(|t| o.config.timeouts.handshake = t),
    },
    ServeOption {
        row: Row::long("body-timeout", Group::Timeouts, ValueType::Duration, "how long the body of a request may take").default("10s"),
        set: |o, v| time(v).map(|t| o.config.timeouts.request_body = t),
    },
    ServeOption {
        row: Row::long("command-timeout", Group::Timeouts, ValueType::Duration, "how long a connection may neither publish nor play").default("10s"),
        set: |o, v| time(v).map(|t| o.config.timeouts.command = t),
    },
    ServeOption {
        row: Row::long("play-wait", Group::Timeouts, ValueType::Duration, "how long a player may wait for a stream to come").default("9s"),
        set: |o, v| time(v).map(|t| o.config.timeouts.play_wait = t),
    },
    ServeOption {
        row: Row::long("callback-timeout", Group::Timeouts, ValueType::Duration, "how long the answer to --on-publish and --on-play may take").default("5s"),
        set: |o, v| time(v).map(|t| o.config.timeouts.callback = t),
    },
    ServeOption {
        row: Row::long("drain", Group::Timeouts, ValueType::Duration, "how long a stop waits for players").default("2s"),
        set: |o, v| time(v).map(|t| o.config.timeouts.drain = t),
    },
];

/// The option of this name, without its dashes.
pub(crate) fn find(name: &str) -> Option<&'static ServeOption> {
    TABLE.iter().find(|setting| setting.row.is_named(name))
}

/// An address to listen on: `HOST:PORT`, `:PORT` for every interface, `PORT` for this machine
/// alone, `HOST` at the usual port, or `none`.
fn address(text: &str, usual_port: u16) -> Result<Option<SocketAddr>> {
    if text == "none" {
        return Ok(None);
    }
    let wrong = |why: &str| {
        usage(format!("'{text}' is not an address to listen on{why}"))
            .hint(ProgramHint::WriteAddress)
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

pub(crate) fn secret(text: &str) -> Result<String> {
    redact::remember(text);
    if text.is_empty() { Err(usage("the key is empty")) } else { Ok(text.to_owned()) }
}

pub(crate) fn token(text: &str) -> Result<String> {
    redact::remember(text);
    let fits = text.len() >= LEAST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(text.to_owned());
    }
    let cause = format!("the token has fewer than {LEAST_TOKEN} characters, or blanks among them");
    Err(usage(cause).hint(ProgramHint::MakeToken))
}

fn callback(url: &str) -> Result<Callback> {
    redact::remember_url(url);
    Callback::parse(url).map_err(|error| usage(error.to_string()))
}

fn time(text: &str) -> Result<Duration> {
    parse_duration(text)
}

/// Origins as browsers write them: a scheme, a host, and a port where it is not the usual one.
fn origins(text: &str) -> Result<Vec<String>> {
    let one = |origin: &str| {
        let origin = origin.trim();
        let scheme =
            origin.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
        let is_host =
            |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', '*']);
        if origin == "*" || scheme.is_some_and(|(_, host)| is_host(host)) {
            return Ok(origin.to_owned());
        }
        let error = usage(format!("'{origin}' is not an origin"));
        Err(error.hint(ProgramHint::WriteOrigins))
    };
    text.split(',').map(one).collect()
}

/// The least memory with which a server is of use: some streams, and some hundred connections.
const LEAST_MEMORY: u64 = 32 << 20;

/// A number of bytes, with a unit of 1024 or without.
fn bytes(text: &str) -> Result<u64> {
    let wrong = |why: &str| {
        usage(format!("'{text}' is not a size of memory{why}")).hint(ProgramHint::WriteBytes)
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b')
    {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong("")),
    };
    let number: u64 = number.parse().map_err(|_| wrong(""))?;
    let bytes = number.checked_mul(1 << shift).ok_or_else(|| wrong(""))?;
    if bytes < LEAST_MEMORY { Err(wrong(": it is less than 32M")) } else { Ok(bytes) }
}

fn whole(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(usage(format!("'{text}' is not a whole number above 0"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in
            [("512M", 512 << 20), ("2G", 2 << 30), ("40000k", 40_000 << 10), ("1 GiB", 1 << 30)]
        {
            assert_eq!(bytes(text).unwrap(), expected, "{text}");
        }
        assert_eq!(bytes("33554432").unwrap(), 32 << 20);
        for text in ["", "M", "1.5G", "-1G", "1X", "99999999999G", "31M", "0"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_are_what_browsers_send() {
        assert_eq!(
            origins("https://a.example, http://b:81").unwrap(),
            ["https://a.example", "http://b:81"]
        );
        assert_eq!(origins("*").unwrap(), ["*"]);
        for text in
            ["", "a.example", "https://", "https://a.example/", "ftp://a", "https://*.a", "null"]
        {
            assert!(origins(text).is_err(), "{text}");
        }
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
}
