//! An RTMP URL, taken apart as FFmpeg does it, and FFmpeg's options about it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use frameloom_rtmp::amf0::Value;
use frameloom_rtmp::auth::Challenge;
use frameloom_rtmp::{ClientConfig, ClientRole, PlayStart, Secret, percent_decode};

use super::fault::ConnectionFault;
use crate::av;
use crate::error::{End, Error, Hint, Result, Setting, sentence};
use crate::options::{AvOption, InputOptions, OutputOptions};
use crate::protocol::rtmp::tls::Tls;
use crate::url;

/// The player's buffer that a server is told of where nothing else was asked for (FFmpeg's
/// `-rtmp_buffer`).
const BUFFER_MS: u32 = 3000;

/// The protocols of libav whose options mean something to RTMP.
pub(super) const LIBAVS_SCHEMES: [&str; 4] = ["rtmp", "rtmps", "tcp", "tls"];

/// Options that only libavformat's RTMP has, which is then taken instead of ours.
const ONLY_LIBAVS: [&str; 6] =
    ["listen", "rtmp_listen", "timeout", "rtmp_swfverify", "rtmp_swfhash", "rtmp_swfsize"];

/// Whether a URL is one of RTMP's or RTMPS's, and no option asks for what only libavformat's RTMP
/// has.
pub(super) fn is_for_us<'a>(url: &str, mut options: impl Iterator<Item = &'a AvOption>) -> bool {
    matches!(url::scheme(url).as_deref(), Some("rtmp" | "rtmps"))
        && !options.any(|option| ONLY_LIBAVS.contains(&option.name.as_str()))
}

/// Where to connect to, and what to ask for.
pub(super) struct Endpoint {
    secure: bool,
    host: String,
    port: u16,
    app: String,
    key: Secret,
    tc_url: Secret,
    credentials: Option<(String, Secret)>,
    flash_version: Option<String>,
    swf_url: Option<String>,
    page_url: Option<String>,
    connect_arguments: Vec<Value>,
    play_start: PlayStart,
    subscribe: Option<Secret>,
    pub(crate) buffer_ms: u32,
    /// FFmpeg's `-rw_timeout`.
    pub(crate) idle_limit: Option<Duration>,
    ca_file: Option<PathBuf>,
    verify: bool,
}

impl Endpoint {
    /// Where an input is played from.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for options that mean nothing to RTMP.
    pub(crate) fn of_input(url: &str, options: &InputOptions) -> Result<Endpoint> {
        let endpoint = Endpoint::parse(url, options.format_options())?;
        let no_meaning = |what: Setting| {
            let what = what.of(End::Input);
            Err(Error::usage(sentence!("{} means nothing to an input of format flv", what))
                .hint(Hint::BelongsTo(End::Output))
                .at(url))
        };
        if options.size.is_some() {
            return no_meaning(Setting::ffmpeg("s"));
        }
        if options.pixel_format.is_some() {
            return no_meaning(Setting::ffmpeg("pix_fmt"));
        }
        let takes =
            |o: &AvOption| o.for_codec || av::demuxer_takes("flv", &LIBAVS_SCHEMES, &o.name);
        if let Some(stray) = options.format_options().find(|o| !takes(o)) {
            return no_meaning(stray.setting());
        }
        Ok(endpoint)
    }

    /// Where an output is published to.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a URL that can't be.
    pub(crate) fn of_output(url: &str, options: &OutputOptions) -> Result<Endpoint> {
        Endpoint::parse(url, options.format_options())
    }

    fn parse<'a>(url: &str, options: impl Iterator<Item = &'a AvOption>) -> Result<Endpoint> {
        let mut endpoint = Endpoint::of_url(url)?;
        let (mut app, mut key, mut tc_url) = (None, None, None);
        for AvOption { name, value, .. } in options {
            let whole = || {
                value.parse::<u32>().map_err(|_| {
                    Error::usage(format!("'{value}' is not a whole number"))
                        .about(Setting::ffmpeg(name.clone()))
                        .at(url)
                })
            };
            match name.as_str() {
                "rtmp_app" => app = Some(value.clone()),
                "rtmp_playpath" => {
                    // On a platform a name is a key, however plain it is.
                    if url::scheme::is_ingest(&endpoint.host) {
                        url::redact::remember(value);
                    }
                    key = Some(value.as_str());
                }
                "rtmp_tcurl" => tc_url = Some(value.as_str()),
                "rtmp_swfurl" => endpoint.swf_url = Some(value.clone()),
                "rtmp_pageurl" => endpoint.page_url = Some(value.clone()),
                "rtmp_subscribe" => endpoint.subscribe = Some(value.as_str().into()),
                "rtmp_conn" => {
                    let found = connect_arguments(value).ok_or_else(|| {
                        Error::usage(sentence!("'{}' is no list of AMF values", value))
                            .about(Setting::ffmpeg(name.clone()))
                            .hint(Hint::WriteAmf)
                            .at(url)
                    });
                    endpoint.connect_arguments = found?;
                }
                "rtmp_live" => endpoint.play_start = play_start(name, value, url)?,
                "rtmp_flashver" => endpoint.flash_version = Some(value.clone()),
                "rtmp_buffer" => endpoint.buffer_ms = whole()?,
                "rw_timeout" => {
                    endpoint.idle_limit = Some(Duration::from_micros(whole()?.into()))
                        .filter(|limit| !limit.is_zero());
                }
                "ca_file" | "cafile" => endpoint.ca_file = Some(value.into()),
                "tls_verify" => endpoint.verify = whole()? != 0,
                _ => {}
            }
        }
        if let Some(app) = app {
            // A path of one part is then the stream's name, as FFmpeg has it.
            if endpoint.key.expose().is_empty() {
                endpoint.key = play_path(&endpoint.app).into();
            }
            endpoint.app = app;
            endpoint.tc_url = endpoint.usual_tc_url();
        }
        if let Some(key) = key {
            endpoint.key = key.into();
        }
        if let Some(tc_url) = tc_url {
            endpoint.tc_url = tc_url.into();
        }
        Ok(endpoint)
    }

    /// Takes `rtmp[s]://[USER:PASSWORD@]HOST[:PORT]/APP[/INSTANCE]/KEY` apart.
    fn of_url(url: &str) -> Result<Endpoint> {
        let scheme = url::scheme(url);
        let secure = scheme.as_deref() == Some("rtmps");
        let wrong = |cause: &str| Err(Error::usage(cause).at(url));
        let Some(address) = url::Address::parse(url) else { return wrong("it is no URL of RTMP") };
        let Some((host, port)) = address.host_and_port() else {
            return wrong("the bracket of its host is not closed");
        };
        if host.is_empty() {
            return wrong("there is no host in it");
        }
        let port = match (port, address.port()) {
            (_, Some(port)) if port > 0 => port,
            _ => return wrong("its port is not a number from 1 to 65535"),
        };
        let (app, key) = split_path(address.path);
        let credentials = address.user.map(|user| {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            (percent_decode(user), percent_decode(password).into())
        });
        let mut endpoint = Endpoint {
            secure,
            host: host.to_owned(),
            port,
            app: app.to_owned(),
            key: play_path(key).into(),
            tc_url: Secret::default(),
            credentials,
            flash_version: None,
            swf_url: None,
            page_url: None,
            connect_arguments: Vec::new(),
            play_start: PlayStart::Any,
            subscribe: None,
            buffer_ms: BUFFER_MS,
            idle_limit: None,
            ca_file: None,
            verify: true,
        };
        endpoint.tc_url = endpoint.usual_tc_url();
        Ok(endpoint)
    }

    fn usual_tc_url(&self) -> Secret {
        let scheme = if self.secure { "rtmps" } else { "rtmp" };
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{}/{}", self.port, self.app).into()
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    pub(super) fn tls(&self) -> Result<Option<Tls>, ConnectionFault> {
        self.secure.then(|| Tls::new(self.ca_file.as_deref(), self.verify)).transpose()
    }

    /// The session's settings, with the answer to what a server asked on an earlier connection.
    pub(super) fn config(&self, role: ClientRole, asked: Option<&Challenge>) -> ClientConfig {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The low bits are the ones that differ between connections.
        let seed = now.as_nanos() as u64;
        let answer = match (asked, &self.credentials) {
            (Some(asked), Some((user, password))) => {
                asked.answer(&self.app, user, password, seed as u32)
            }
            _ => Secret::default(),
        };
        let app = format!("{}{}", self.app, answer.expose());
        let tc_url = format!("{}{}", self.tc_url.expose(), answer.expose());
        let mut config = ClientConfig::new(&tc_url, &app, self.key.expose(), role);
        config.seed = seed;
        if let Some(version) = &self.flash_version {
            config.flash_version.clone_from(version);
        }
        config.swf_url.clone_from(&self.swf_url);
        config.page_url.clone_from(&self.page_url);
        config.connect_arguments.clone_from(&self.connect_arguments);
        config.play_start = self.play_start;
        config.subscribe = self.subscribe.as_ref().map(|key| key.expose().into());
        config
    }
}

/// The values that FFmpeg's `-rtmp_conn` lists: `B:1`, `N:2.5`, `S:text`, `Z:` and, between `O:1` and
/// `O:0`, an object of named ones (`NS:name:text`). `None` for what is no such list.
fn connect_arguments(list: &str) -> Option<Vec<Value>> {
    let mut done = Vec::new();
    // Objects that are not closed yet, and their names.
    let mut open: Vec<(String, Vec<(String, Value)>)> = Vec::new();
    for word in list.split(' ').filter(|word| !word.is_empty()) {
        let (kind, rest) = word.split_once(':')?;
        let (kind, name, text) = match kind.strip_prefix('N').filter(|kind| !kind.is_empty()) {
            Some(kind) => {
                let (name, text) = rest.split_once(':')?;
                (kind, name, text)
            }
            None => (kind, "", rest),
        };
        let value = match kind {
            "B" => Value::Boolean(!text.starts_with('0')),
            "N" => Value::Number(text.parse().ok()?),
            "S" => {
                url::redact::remember(text);
                Value::String(text.to_owned())
            }
            "Z" => Value::Null,
            "O" if !text.starts_with('0') => {
                open.push((name.to_owned(), Vec::new()));
                continue;
            }
            "O" => {
                let (of, properties) = open.pop()?;
                place(&mut open, &mut done, of, Value::Object(properties))?;
                continue;
            }
            _ => return None,
        };
        place(&mut open, &mut done, name.to_owned(), value)?;
    }
    open.is_empty().then_some(done)
}

/// Puts a value into the innermost open object, where it needs a name, or behind the others.
fn place(
    open: &mut [(String, Vec<(String, Value)>)],
    done: &mut Vec<Value>,
    name: String,
    value: Value,
) -> Option<()> {
    match open.last_mut() {
        Some((_, properties)) if !name.is_empty() => properties.push((name, value)),
        None if name.is_empty() => done.push(value),
        _ => return None,
    }
    Some(())
}

/// FFmpeg's `-rtmp_live`: a name or its number.
fn play_start(name: &str, value: &str, url: &str) -> Result<PlayStart> {
    match value {
        "any" | "-2" => Ok(PlayStart::Any),
        "live" | "-1" => Ok(PlayStart::Live),
        "recorded" | "0" => Ok(PlayStart::Recorded),
        _ => Err(Error::usage(sentence!("'{}' is none of its values", value))
            .about(Setting::ffmpeg(name.to_owned()))
            .hint(Hint::one_of(value, ["any", "live", "recorded"]))
            .at(url)),
    }
}

/// The application and the stream's name in a URL's path. A third segment belongs to the
/// application, as an instance of it, unless a colon marks where the name begins (libavformat's
/// rule).
fn split_path(path: &str) -> (&str, &str) {
    if let Some(key) = path.strip_prefix("/ondemand/") {
        return ("ondemand", key);
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    let query = path.split_once('?').map_or("", |(_, query)| query);
    if let Some((_, key)) = query.split_once("slist=") {
        return (path, key.split('&').next().unwrap_or_default());
    }
    let bare = path.split('?').next().unwrap_or_default();
    // A slash behind the question mark is part of a token, unless the query is the application's: then
    // the name stands behind it.
    let bare = if bare.contains('/') { bare } else { path };
    let Some(first) = bare.find('/') else { return (path, "") };
    let after = bare.get(first + 1..).unwrap_or_default();
    let second = after.find('/').filter(|at| after.find(':').is_none_or(|colon| colon > *at));
    let end = second.map_or(first, |at| first + 1 + at);
    (path.get(..end).unwrap_or_default(), path.get(end + 1..).unwrap_or_default())
}

/// The name as servers know it: Flash's prefix before the names of MP4 files, no suffix of FLV.
fn play_path(key: &str) -> String {
    if key.contains(':') {
        return key.to_owned();
    }
    if key.ends_with(".f4v") || key.ends_with(".mp4") {
        return format!("mp4:{key}");
    }
    key.strip_suffix(".flv").unwrap_or(key).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_are_taken_apart_as_ffmpeg_does() {
        for (url, host, port, app, key) in [
            ("rtmp://h/live/camera", "h", 1935, "live", "camera"),
            ("RTMP://h:19350/live/camera?t=a/b", "h", 19350, "live", "camera?t=a/b"),
            ("rtmps://h/live/camera", "h", 443, "live", "camera"),
            ("rtmp://h/app/instance/key", "h", 1935, "app/instance", "key"),
            ("rtmp://h/app/instance/a/b", "h", 1935, "app/instance", "a/b"),
            ("rtmp://h/app/mp4:folder/file.mp4", "h", 1935, "app", "mp4:folder/file.mp4"),
            ("rtmp://h/vod/file.mp4", "h", 1935, "vod", "mp4:file.mp4"),
            ("rtmp://h/vod/file.flv", "h", 1935, "vod", "file"),
            ("rtmp://h/ondemand/a/b", "h", 1935, "ondemand", "a/b"),
            ("rtmp://h/app", "h", 1935, "app", ""),
            ("rtmp://h/live?token=abc/cam", "h", 1935, "live?token=abc", "cam"),
            ("rtmp://h/live?a=1&b=2/cam?x=1", "h", 1935, "live?a=1&b=2", "cam?x=1"),
            ("rtmp://h/live?token=a/b/cam", "h", 1935, "live?token=a/b", "cam"),
            ("rtmp://h/live?slist=cam/x&y=1", "h", 1935, "live?slist=cam/x&y=1", "cam/x"),
            ("rtmp://h/app/room/cam?t=a/b", "h", 1935, "app/room", "cam?t=a/b"),
            ("rtmp://h", "h", 1935, "", ""),
            ("rtmp://u:p%40ss@h:1/live/x", "h", 1, "live", "x"),
            ("rtmp://[::1]:1936/live/x", "::1", 1936, "live", "x"),
            ("rtmp://[::1]/live/x", "::1", 1935, "live", "x"),
        ] {
            let endpoint = Endpoint::of_url(url).unwrap();
            let got =
                (endpoint.host(), endpoint.port(), endpoint.app.as_str(), endpoint.key.expose());
            assert_eq!(got, (host, port, app, key), "{url}");
        }
        let endpoint = Endpoint::of_url("rtmp://u:p%40ss@h:1/live/x").unwrap();
        assert_eq!(endpoint.tc_url.expose(), "rtmp://h:1/live");
        let (user, password) = endpoint.credentials.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("u", "p@ss"));
        let endpoint = Endpoint::of_url("rtmp://[::1]/live/x").unwrap();
        assert_eq!(endpoint.tc_url.expose(), "rtmp://[::1]:1935/live");
    }

    #[test]
    fn wrong_urls_are_told() {
        for url in ["rtmp:///live/x", "rtmp://h:0/live/x", "rtmp://h:x/a/b", "rtmp://h:99999/a/b"] {
            assert!(Endpoint::of_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn options_of_libavformats_rtmp_take_effect() {
        let with = |name: &str, value: &str| InputOptions::new().with(name, value).unwrap();
        let url = "rtmp://h/live/camera";
        let of = |options: &InputOptions| Endpoint::of_input(url, options);
        let endpoint = of(&with("rtmp_app", "other/one")).unwrap();
        assert_eq!(endpoint.tc_url.expose(), "rtmp://h:1935/other/one");
        let endpoint = Endpoint::of_input("rtmp://h/cam", &with("rtmp_app", "live")).unwrap();
        assert_eq!((endpoint.app.as_str(), endpoint.key.expose()), ("live", "cam"));
        let sent = |name: &str, value: &str| {
            let role = ClientRole::Play { buffer_ms: 0 };
            of(&with(name, value)).map(|endpoint| endpoint.config(role, None))
        };
        let config = sent("rtmp_swfurl", "http://h/p.swf").unwrap();
        assert_eq!(config.swf_url.as_deref(), Some("http://h/p.swf"));
        let config = sent("rtmp_pageurl", "http://h/p").unwrap();
        assert_eq!(config.page_url.as_deref(), Some("http://h/p"));
        let config = sent("rtmp_subscribe", "news").unwrap();
        assert_eq!(config.subscribe.unwrap().expose(), "news");
        for (value, start) in
            [("live", PlayStart::Live), ("-1", PlayStart::Live), ("recorded", PlayStart::Recorded)]
        {
            assert_eq!(sent("rtmp_live", value).unwrap().play_start, start);
        }
        assert!(InputOptions::new().set("rtmp_live", "lively").is_err());
        assert!(sent("rtmp_live", "1").is_err());
        let endpoint = of(&with("rtmp_playpath", "front")).unwrap();
        assert_eq!(endpoint.key.expose(), "front");
        let endpoint = of(&with("rw_timeout", "2500000")).unwrap();
        assert_eq!(endpoint.idle_limit, Some(Duration::from_millis(2500)));
        for (name, value) in
            [("fflags", "nobuffer"), ("analyzeduration", "0"), ("tcp_nodelay", "1")]
        {
            assert!(of(&with(name, value)).is_ok(), "{name}");
        }
        assert!(of(&with("s", "10x10")).is_err());
        assert!(InputOptions::new().set("rtmp_buffer", "much").is_err());
    }

    #[test]
    fn values_of_connect_are_as_ffmpeg_lists_them() {
        let text = |text: &str| Value::String(text.to_owned());
        let object = vec![
            ("flag".to_owned(), Value::Boolean(false)),
            ("inner".to_owned(), Value::Object(vec![("n".to_owned(), Value::Number(2.5))])),
        ];
        let all = "B:1 S:authMe Z: N:7 O:1 NB:flag:0 NO:inner:1 NN:n:2.5 O:0 O:0";
        assert_eq!(
            connect_arguments(all).unwrap(),
            [
                Value::Boolean(true),
                text("authMe"),
                Value::Null,
                Value::Number(7.0),
                Value::Object(object)
            ]
        );
        for wrong in ["x", "Q:1", "N:many", "O:1", "O:0", "NS:name", "NS:name:x", "O:1 S:x O:0"] {
            assert_eq!(connect_arguments(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_or_refused(text in "\\PC{0,60}") {
            let _ = Endpoint::of_url(&format!("rtmp://{text}"));
        }
    }
}
