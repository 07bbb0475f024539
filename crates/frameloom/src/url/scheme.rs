//! The table of URL schemes: what is known of an input or output before it is opened.
//!
//! Nothing here opens anything, so that errors can redact URLs with it. `protocol/` decides which
//! protocol reads and writes a URL.

/// Where what a URL names is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A file or device of this machine.
    File,
    /// Another process of this machine, through a pipe.
    Pipe,
    /// Another URL or more, which stand inside this one.
    Inner,
    /// A network, or a socket of this machine.
    Network,
}

/// Whether it runs at its own speed and can't be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Always.
    Live,
    /// Never.
    Stored,
    /// What is found when it is opened tells.
    Either,
}

/// How much of a URL's path is the same for everybody who publishes to a server, and is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Common {
    Nothing,
    /// The first segment, where another one follows: RTMP's application.
    Application,
}

/// One or more schemes of which the same is known. User, password, query and fragment are secret
/// in each of them.
#[derive(Debug)]
pub(crate) struct Scheme {
    names: &'static [&'static str],
    pub(crate) reach: Reach,
    pub(crate) flow: Flow,
    /// The container of an output where its options name none, by libav's name.
    pub(crate) container: Option<&'static str>,
    /// The port where the URL names none.
    pub(crate) port: Option<u16>,
    pub(crate) common: Common,
    /// What is published to a URL is played from the same URL.
    pub(crate) is_relayed: bool,
}

impl Scheme {
    const fn new(names: &'static [&'static str], reach: Reach, flow: Flow) -> Scheme {
        let (container, port, common) = (None, None, Common::Nothing);
        Scheme { names, reach, flow, container, port, common, is_relayed: false }
    }

    const fn stored(names: &'static [&'static str], reach: Reach) -> Scheme {
        Scheme::new(names, reach, Flow::Stored)
    }

    const fn network(names: &'static [&'static str]) -> Scheme {
        Scheme::new(names, Reach::Network, Flow::Either)
    }

    const fn live(names: &'static [&'static str]) -> Scheme {
        Scheme::new(names, Reach::Network, Flow::Live)
    }

    const fn rtmp(names: &'static [&'static str], port: u16) -> Scheme {
        let common = Common::Application;
        Scheme { common, is_relayed: true, ..Scheme::live(names).container("flv").port(port) }
    }

    const fn container(self, container: &'static str) -> Scheme {
        Scheme { container: Some(container), ..self }
    }

    const fn port(self, port: u16) -> Scheme {
        Scheme { port: Some(port), ..self }
    }
}

/// What a URL is that has no scheme.
pub(crate) static PATH: Scheme = Scheme::stored(&[], Reach::File);

/// What a URL is that begins with `SCHEME://` and stands in no row.
static OTHER: Scheme = Scheme::network(&[]);

/// Every scheme of which more is known than that it names something on a network.
static SCHEMES: &[Scheme] = &[
    Scheme::rtmp(&["rtmp", "rtmpe"], 1935),
    Scheme::rtmp(&["rtmps", "rtmpts"], 443),
    Scheme::rtmp(&["rtmpt", "rtmpte"], 80),
    Scheme::live(&["rtsp"]).container("rtsp").port(554),
    Scheme::live(&["rtsps"]).container("rtsp").port(322),
    Scheme::live(&["srt", "udp", "rist", "tcp"]).container("mpegts"),
    Scheme::live(&["rtp"]).container("rtp_mpegts"),
    Scheme::live(&["srtp", "udplite", "tls", "unix"]),
    Scheme::network(&["http"]).port(80),
    Scheme::network(&["https"]).port(443),
    Scheme::network(&["ftp"]).port(21),
    Scheme::network(&["sftp"]).port(22),
    Scheme::stored(&["file"], Reach::File),
    Scheme::stored(&["pipe", "fd"], Reach::Pipe),
    Scheme::stored(&["concat", "data", "cache", "crypto", "async", "subfile", "tee"], Reach::Inner),
];

/// Domains of platforms to which strangers publish, with a stream's key in the place of its name.
static INGESTS: &[&str] = &[
    "akamaientrypoint.net",
    "bilivideo.com",
    "castr.io",
    "cloudflare.com",
    "dailymotion.com",
    "douyincdn.com",
    "facebook.com",
    "fbcdn.net",
    "instagram.com",
    "kick.com",
    "linkedin.com",
    "live-video.net",
    "mux.com",
    "ok.ru",
    "pscp.tv",
    "restream.io",
    "rumble.com",
    "tiktok.com",
    "tiktokcdn-us.com",
    "tiktokcdn.com",
    "tiktokv.com",
    "trovo.live",
    "twitch.tv",
    "vimeo.com",
    "vkuser.net",
    "youtube.com",
];

/// Whether a host is one of a platform's.
pub(crate) fn is_ingest(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    INGESTS.iter().any(|domain| {
        let before = host.strip_suffix(domain);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

/// The row of the scheme `name`, in any case.
pub(crate) fn named(name: &str) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|row| row.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// What is known of `name` before `://`.
pub(crate) fn of_network(name: &str) -> &'static Scheme {
    named(name).unwrap_or(&OTHER)
}

/// What is known of a URL or path.
pub(crate) fn of(url: &str) -> &'static Scheme {
    if url == "-" {
        return named("pipe").unwrap_or(&OTHER);
    }
    if let Some(name) = super::scheme(url) {
        return of_network(&name);
    }
    // libav's own names stand before a colon alone: `pipe:0`, `concat:a|b`.
    let before_colon = url.split_once(':').map(|(name, _)| name);
    let is_libavs = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase());
    before_colon
        .filter(is_libavs)
        .and_then(named)
        .filter(|row| row.reach != Reach::Network)
        .unwrap_or(&PATH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scheme_stands_in_two_rows() {
        let mut names: Vec<&str> = SCHEMES.iter().flat_map(|row| row.names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn urls_find_their_row() {
        use Flow::{Either, Live, Stored};
        use Reach::{File, Inner, Network, Pipe};
        for (url, reach, flow, container, port) in [
            ("clip.mp4", File, Stored, None, None),
            ("C:clip.mp4", File, Stored, None, None),
            ("rtmp:clip.flv", File, Stored, None, None),
            ("file:///a/clip.mp4", File, Stored, None, None),
            ("-", Pipe, Stored, None, None),
            ("pipe:0", Pipe, Stored, None, None),
            ("concat:rtmp://h/a|rtmp://h/b", Inner, Stored, None, None),
            ("RTMP://h/live/x", Network, Live, Some("flv"), Some(1935)),
            ("rtmps://h/live/x", Network, Live, Some("flv"), Some(443)),
            ("rtsp://h/cam", Network, Live, Some("rtsp"), Some(554)),
            ("udp://127.0.0.1:5000", Network, Live, Some("mpegts"), None),
            ("rtp://127.0.0.1:5000", Network, Live, Some("rtp_mpegts"), None),
            ("https://h/x.m3u8", Network, Either, None, Some(443)),
            ("gopher://h/x", Network, Either, None, None),
        ] {
            let row = of(url);
            let found = (row.reach, row.flow, row.container, row.port);
            assert_eq!(found, (reach, flow, container, port), "{url}");
        }
    }
}
