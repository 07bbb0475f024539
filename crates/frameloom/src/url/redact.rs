//! Keeps credentials and stream keys out of everything that is shown.
//!
//! A URL is shown by [`url`]; any other text that may quote one (libav's own messages do) goes
//! through [`text`], which also knows the secrets of every URL opened so far.

use std::sync::{Mutex, PoisonError};

use super::Address;
use super::scheme::{self, Common};

const HIDDEN: &str = "***";

/// Strings that must never be shown, longest first, from the URLs and options opened so far.
static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Servers whose streams' names are shown whatever they are: host and port.
static OWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The longest name that may be taken for a word, in characters. Stream keys are longer.
const MOST_NAME: usize = 15;

/// What the names of streams end with where players look at it.
const SUFFIXES: [&str; 9] =
    [".flv", ".m3u8", ".mpd", ".ts", ".mp4", ".mjpg", ".mjpeg", ".jpg", ".sdp"];

/// Whether a segment of a path is a plain word, such as a camera's name.
fn is_plain(segment: &str) -> bool {
    let bare = SUFFIXES.iter().find_map(|suffix| segment.strip_suffix(suffix)).unwrap_or(segment);
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    (1..=MOST_NAME).contains(&bare.len()) && bare.bytes().all(allowed)
}

/// Whether a path is the plain name of a stream, behind folders that are no longer together than
/// such a name: a token may be cut into short pieces.
fn is_plain_path(parts: &[&str]) -> bool {
    let folders = parts.split_last().map_or(&[][..], |(_, folders)| folders);
    let length: usize = folders.iter().map(|folder| folder.len()).sum();
    length <= MOST_NAME && parts.iter().all(|part| is_plain(part))
}

/// Shows the names of the streams of a server from now on, whatever they are. `authority` is
/// its host and port.
pub fn show_names_at(authority: &str) {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let authority = authority.to_ascii_lowercase();
    if !own.contains(&authority) {
        own.push(authority);
    }
}

/// The servers that were given to [`show_names_at`].
pub fn servers_with_shown_names() -> Vec<String> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn is_own(address: &Address<'_>) -> bool {
    let Some(((host, _), port)) = address.host_and_port().zip(address.port()) else { return false };
    let host = host.to_ascii_lowercase();
    let with_port =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    OWN.lock().unwrap_or_else(PoisonError::into_inner).contains(&with_port)
}

fn is_ingest(address: &Address<'_>) -> bool {
    address.host_and_port().is_none_or(|(host, _)| scheme::is_ingest(host))
}

/// The URL as it may be shown: host, for RTMP the application's name, and the path where each part
/// of it is a plain word: at most 15 of `a-z 0-9 _ -`. The path is hidden where a query stands
/// behind it, and where the host is a platform's, on which a stream's name is its key. User,
/// password and query are hidden always. A URL inside other text, as in `cache:http://...` or
/// `concat:...|...`, is shown the same way.
pub fn url(url: &str) -> String {
    match Address::parse(url) {
        Some(address) => shown(&address),
        None => each_bare(&each_url(&super::shown(url), shown)),
    }
}

/// Whether a URL's user or password holds characters that end them there, unless they are encoded.
pub(crate) fn has_torn_credentials(url: &str) -> bool {
    Address::parse(url).is_some_and(|address| address.torn_credentials().is_some())
}

/// User and password in a word without a scheme, and what stands behind them: `u:pass@host/x`.
fn bare_credentials(word: &str) -> Option<(&str, &str)> {
    let (user, password) = word.split_once(':')?;
    let (credentials, rest) = word.rsplit_once('@')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '%');
    let is_user = !user.is_empty() && user.chars().all(plain) && credentials.len() > user.len() + 1;
    // A drive of Windows, and a path.
    let is_path = user.len() == 1 && password.starts_with(['/', '\\']);
    let is_host = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    (is_user && is_host && !is_path && !word.contains("://")).then_some((credentials, rest))
}

/// Hides the user and password of each word that has them without a scheme.
fn each_bare(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '|' | '<' | '>' | '(' | ')');
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(ends) {
        let word = part.trim_end_matches(ends).trim_end_matches([',', ':', '.', ';']);
        match bare_credentials(word) {
            Some((_, rest)) => {
                let rest = url(&format!("x://{rest}"));
                out.push_str(HIDDEN);
                out.push('@');
                out.push_str(rest.strip_prefix("x://").unwrap_or(&rest));
                out.push_str(part.get(word.len()..).unwrap_or_default());
            }
            None => out.push_str(part),
        }
    }
    out
}

/// Headers of HTTP and RTSP whose values are secrets.
const SECRET_HEADERS: [&str; 4] = ["authorization:", "cookie:", "x-api-key:", "www-authenticate:"];

/// Hides the values of secret headers, each up to the end of its line.
fn each_header(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    while let Some(at) = SECRET_HEADERS
        .iter()
        .filter_map(|name| Some(rest + lower.get(rest..)?.find(name)? + name.len()))
        .min()
    {
        let value = text.get(at..).unwrap_or_default();
        let end = at + value.find(['\r', '\n']).unwrap_or(value.len());
        out.push_str(text.get(rest..at).unwrap_or_default());
        if end > at {
            out.push(' ');
            out.push_str(HIDDEN);
        }
        rest = end;
    }
    out.push_str(text.get(rest..).unwrap_or_default());
    out
}

fn shown(address: &Address<'_>) -> String {
    let Address { scheme, authority, path, .. } = address;
    if let Some((_, rest)) = address.torn_credentials() {
        return url(&format!("{scheme}://{rest}"));
    }
    if address.may_be_torn() {
        return format!("{scheme}://{HIDDEN}");
    }
    let bare = address.bare_path();
    let has_query = path.len() > bare.len();
    let mut shown = format!("{scheme}://{authority}");
    if is_own(address) {
        shown.push_str(bare);
        if has_query {
            shown.push('?');
            shown.push_str(HIDDEN);
        }
        return shown;
    }
    let segments: Vec<&str> = bare.split('/').filter(|s| !s.is_empty()).collect();
    let (common, name) = match segments.split_first() {
        Some((first, rest)) if has_application(scheme) && !rest.is_empty() => (Some(*first), rest),
        _ => (None, segments.as_slice()),
    };
    if let Some(common) = common {
        shown.push('/');
        shown.push_str(common);
    }
    if !name.is_empty() {
        let hides = has_query || is_ingest(address) || !is_plain_path(name);
        shown.push('/');
        shown.push_str(&if hides { HIDDEN.to_owned() } else { name.join("/") });
    } else if has_query {
        shown.push_str("/?");
        shown.push_str(HIDDEN);
    }
    shown
}

fn has_application(name: &str) -> bool {
    scheme::of_network(name).common == Common::Application
}

/// Replaces each network URL in a text.
fn each_url(text: &str, replace: impl Fn(&Address<'_>) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        // Filter graphs escape the colon.
        let before = rest[..at].trim_end_matches('\\');
        let scheme_at = before
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
        let tail = &rest[at..];
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '|' | ']' | '<' | '>');
        let (body, after) = tail.split_at(tail.find(ends).unwrap_or(tail.len()));
        let trimmed = body.trim_end_matches([')', ',', ':', '.', ';']);
        let candidate = format!("{}{trimmed}", &before[scheme_at..]);
        out.push_str(&before[..scheme_at]);
        match Address::parse(&candidate) {
            Some(parts) => out.push_str(&replace(&parts)),
            None => out.push_str(&candidate),
        }
        out.push_str(&body[trimmed.len()..]);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Remembers the secrets of a URL, and of every URL inside it, for [`text`].
pub fn remember_url(url: &str) {
    match Address::parse(url) {
        Some(parts) => remember_parts(&parts),
        None => {
            each_url(url, |parts| {
                remember_parts(parts);
                String::new()
            });
            if let Some((credentials, rest)) = bare_credentials(url) {
                remember_credentials(credentials);
                remember_url(&format!("x://{rest}"));
            }
        }
    }
}

/// Remembers a user and password as they stand in a URL, and decoded.
fn remember_credentials(user: &str) {
    remember(user);
    user.split(':').for_each(remember);
    if let Some((_, password)) = user.split_once(':') {
        remember(password);
        // What libav takes for host, port and path, and names so.
        password.split(['/', '?', '#', '@']).for_each(remember);
    }
}

fn remember_parts(address: &Address<'_>) {
    let Address { scheme, user, path, .. } = address;
    if let Some((credentials, rest)) = address.torn_credentials() {
        remember_credentials(&credentials);
        remember_url(&format!("{scheme}://{rest}"));
        return;
    }
    if let Some(user) = user {
        remember_credentials(user);
    }
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    if !is_own(address) {
        let bare = bare.trim_start_matches('/');
        let skip = usize::from(has_application(scheme) && bare.contains('/'));
        let segments = bare.split('/').skip(skip);
        if is_ingest(address) {
            segments.filter(|s| s.len() >= 6).for_each(remember);
        } else {
            segments.for_each(remember_name);
        }
    }
    query.split('&').for_each(|pair| remember(pair.split_once('=').map_or(pair, |(_, v)| v)));
}

/// Remembers a stream's name, for [`text`], unless it may be a plain word that messages are made
/// of, such as `camera`.
pub fn remember_name(name: &str) {
    if name.len() >= 6 && !is_plain(name) {
        remember(name);
    }
}

/// Remembers one secret, for [`text`]. Strings of fewer than four bytes are too common to hide.
pub fn remember(secret: &str) {
    if secret.len() < 4 {
        return;
    }
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    if !secrets.iter().any(|s| s == secret) {
        secrets.push(secret.to_owned());
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
    }
}

/// `text` with every URL in it shown as by [`url`] and every remembered secret hidden.
pub fn text(text: &str) -> String {
    let mut shown = each_header(&each_bare(&each_url(text, shown)));
    for secret in SECRETS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if shown.contains(secret.as_str()) {
            shown = shown.replace(secret.as_str(), HIDDEN);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind, Stage};
    use proptest::prelude::*;

    #[test]
    fn urls_are_shown_without_their_secrets() {
        for (given, shown) in [
            ("clip.mp4", "clip.mp4"),
            ("/data/a b/clip.mp4", "/data/a b/clip.mp4"),
            ("file:///data/clip.mp4", "file:///data/clip.mp4"),
            ("-", "-"),
            ("rtmp://h/live/camera", "rtmp://h/live/camera"),
            ("rtmp://h/live/front-door_2", "rtmp://h/live/front-door_2"),
            ("rtmp://h/live/exactly-fifteen", "rtmp://h/live/exactly-fifteen"),
            ("rtmp://h/live/sixteen-letters-", "rtmp://h/live/***"),
            ("rtmp://h/live/Camera", "rtmp://h/live/***"),
            ("rtmp://h/live/caméra", "rtmp://h/live/***"),
            ("rtmp://h/Live/camera", "rtmp://h/Live/camera"),
            ("rtmp://h:1935/live/camera?token=t", "rtmp://h:1935/live/***"),
            ("rtmp://h:1935/live/camera#t", "rtmp://h:1935/live/***"),
            ("rtmp://h/camera", "rtmp://h/camera"),
            ("rtmp://h/7Fq2", "rtmp://h/***"),
            ("rtmps://user:pass@h/app/inst/camera", "rtmps://h/app/inst/camera"),
            ("rtmps://user:pass@h/app/inst/Key", "rtmps://h/app/***"),
            ("rtmp://a.rtmp.youtube.com/live2/abcd-efgh", "rtmp://a.rtmp.youtube.com/live2/***"),
            ("rtmp://LIVE.Twitch.tv./app/live_1", "rtmp://LIVE.Twitch.tv./app/***"),
            ("rtmp://nottwitch.tv/app/live_1", "rtmp://nottwitch.tv/app/live_1"),
            ("rtsp://joe:pw@10.0.0.5:554/cam1", "rtsp://10.0.0.5:554/cam1"),
            ("http://h/live/cam.flv", "http://h/live/cam.flv"),
            ("http://h/Secret/path.flv", "http://h/***"),
            ("http://h/live/cam.exe", "http://h/***"),
            ("srt://h:9000?passphrase=p", "srt://h:9000/?***"),
            ("udp://127.0.0.1:5000", "udp://127.0.0.1:5000"),
            ("https://h", "https://h"),
            ("cache:http://joe:pw@h:1/Secret", "cache:http://h:1/***"),
            ("concat:rtmp://h/a/K1|rtmp://h/a/k2", "concat:rtmp://h/a/***|rtmp://h/a/k2"),
            ("[f=flv]rtmp://h/live/Key|x.mkv", "[f=flv]rtmp://h/live/***|x.mkv"),
            ("rtmp://user:SEC/RET@H/live/x", "rtmp://H/live/x"),
            ("rtsp://user:SEC?RET@H:554/x", "rtsp://H:554/x"),
            ("http://user:SEC#RET@H/Secret", "http://H/***"),
            ("srt://user:1234/RET@H:9000", "srt://H:9000"),
            ("rtmp://user:SEC@R/ET@H/live/x", "rtmp://***"),
            ("http://user:pass@H/x?mail=a@b", "http://H/***"),
            ("u:PASS@host/x", "***@host/x"),
            ("u:PA/SS@host:1935/live/Key", "***@host:1935/***"),
            ("me@host/x", "me@host/x"),
            ("C:/films/a@b.mp4", "C:/films/a@b.mp4"),
            ("movie=filename=rtmp\\://h/live/Key", "movie=filename=rtmp://h/live/***"),
        ] {
            assert_eq!(url(given), shown);
        }
    }

    #[test]
    fn names_of_an_own_server_are_shown_always() {
        let given = "rtmp://u:p@Here.Local/live/Front-Door-Camera-Number-1?key=k";
        assert_eq!(url(given), "rtmp://Here.Local/live/***");
        show_names_at("here.local:1935");
        show_names_at("[::1]:8080");
        assert_eq!(url(given), "rtmp://Here.Local/live/Front-Door-Camera-Number-1?***");
        assert_eq!(url("http://[::1]:8080/live/Cam.flv"), "http://[::1]:8080/live/Cam.flv");
        assert_eq!(url("rtmp://here.local:1936/live/Cam"), "rtmp://here.local:1936/live/***");
        remember_url(given);
        assert_eq!(text("Front-Door-Camera-Number-1"), "Front-Door-Camera-Number-1");
    }

    #[test]
    fn text_hides_urls_and_remembered_secrets() {
        remember_url("rtmp://joe:hunter22@h/live/Abcd-1234?auth=zyxw9");
        let shown =
            text("Failed 'rtmp://joe:hunter22@h/live/Abcd-1234': publish Abcd-1234 zyxw9 hunter22");
        assert_eq!(shown, "Failed 'rtmp://h/live/***': publish *** *** ***");
    }

    #[test]
    fn headers_and_torn_passwords_are_hidden_in_text() {
        let said = "Sending:\nDESCRIBE rtsp://h/x RTSP/1.0\r\nAuthorization: Basic am9lOnB3\r\n\
                    CSeq: 2\r\ncookie: id=77\r\n";
        assert_eq!(
            text(said),
            "Sending:\nDESCRIBE rtsp://h/x RTSP/1.0\r\nAuthorization: ***\r\nCSeq: 2\r\ncookie: ***\r\n"
        );
        remember_url("rtmp://joe:qwer/tzui@h/live/x");
        assert_eq!(text("Port qwer is wrong, no /tzui"), "Port *** is wrong, no /***");
        assert_eq!(text("open u:PASS@host/x: refused"), "open ***@host/x: refused");
        assert_eq!(text("[rtsp @ 0x55: 1] me@home"), "[rtsp @ 0x55: 1] me@home");
    }

    #[test]
    fn a_plain_name_is_no_secret() {
        for given in ["rtmp://h/live/camera", "rtmp://h/live/kitchen?token=1", "rtsp://h/gate-2"] {
            remember_url(given);
        }
        remember_name("garden");
        for said in ["/opt/camera.py", "kitchen", "gate-2", "garden"] {
            assert_eq!(text(said), said);
        }
    }

    #[test]
    fn ten_cameras_errors_name_their_camera() {
        for number in 1..=10 {
            let name = format!("cam-{number}");
            for given in [format!("rtsp://joe:pw@nvr/{name}"), format!("rtmp://h/live/{name}")] {
                let error = Error::new(ErrorKind::Connection, Stage::Source, "refused").at(&given);
                assert!(error.to_string().contains(&format!("/{name}: ")), "{error}");
            }
        }
    }

    proptest! {
        #[test]
        fn text_never_panics(t in "\\PC{0,80}") {
            text(&t);
            url(&t);
            url(&format!("rtmp://{t}"));
        }

        #[test]
        fn a_key_never_comes_through(
            key in "[a-zA-Z0-9_-]{0,10}[A-Z][a-zA-Z0-9_-]{3,10}|[a-z0-9_-]{16,40}",
            app in "[a-z]{1,5}",
            scheme in "rtmp|rtmps|srt|http|rtsp",
        ) {
            let u = format!("{scheme}://HOST/{app}/{key}");
            prop_assert!(!url(&u).contains(&key));
            let said = format!("could not open {u}: refused");
            prop_assert!(!text(&said).contains(&key));
        }

        #[test]
        fn a_platforms_key_never_comes_through(key in "[a-z0-9]{8,20}", host in "live|a\\.rtmp") {
            let u = format!("rtmp://{host}.twitch.tv/app/{key}");
            prop_assert!(!url(&u).contains(&key));
            remember_url(&u);
            let said = format!("publish {key} to {u}");
            prop_assert!(!text(&said).contains(&key));
        }

        #[test]
        fn what_stands_behind_a_name_never_comes_through(value in "[a-z0-9]{8,20}") {
            for u in [
                format!("rtmp://HOST/live/camera?key={value}"),
                format!("rtsp://joe:{value}@HOST/camera"),
            ] {
                prop_assert!(!url(&u).contains(&value));
            }
        }
    }
}
