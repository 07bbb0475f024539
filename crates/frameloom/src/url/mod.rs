//! What a URL tells of the thing behind it, before that is opened.

mod address;
mod os_name;
pub mod redact;
pub(crate) mod scheme;

pub use address::Address;
pub use os_name::from_os;
pub(crate) use os_name::{bytes, shown};

use std::path::PathBuf;

use self::scheme::{Flow, Reach};

/// The scheme in small letters; `None` for a file's path.
pub(crate) fn scheme(url: &str) -> Option<String> {
    let (scheme, _) = url.split_once("://")?;
    let valid = scheme.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    valid.then(|| scheme.to_ascii_lowercase())
}

/// The path of a local file, where the URL is one.
pub(crate) fn local_path(url: &str) -> Option<PathBuf> {
    if scheme::of(url).reach != Reach::File {
        return None;
    }
    let path = url.strip_prefix("file:").map(|path| path.strip_prefix("//").unwrap_or(path));
    Some(os_name::to_os(path.unwrap_or(url)).into())
}

/// Whether its scheme alone tells that it runs at its own speed and can't be read again.
pub fn is_live(url: &str) -> bool {
    scheme::of(url).flow == Flow::Live
}

/// Whether a program at the other end of a pipe reads or writes it.
pub(crate) fn is_pipe(url: &str) -> bool {
    scheme::of(url).reach == Reach::Pipe
}

/// Whether what is published to this URL can be played from it.
pub fn is_relayed(url: &str) -> bool {
    scheme::of(url).is_relayed
}

/// Whether it is reached over a network.
pub fn is_network(url: &str) -> bool {
    scheme::of(url).reach == Reach::Network
}

/// `-` as libav names it.
pub(crate) fn for_libav(url: &str, reading: bool) -> &str {
    match (url, reading) {
        ("-", true) => "pipe:0",
        ("-", false) => "pipe:1",
        _ => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_and_paths() {
        for (url, live, path) in [
            ("clip.mp4", false, Some("clip.mp4")),
            ("C:clip.mp4", false, Some("C:clip.mp4")),
            ("a:b/c.mp4", false, Some("a:b/c.mp4")),
            ("file:clip.mp4", false, Some("clip.mp4")),
            ("file:///a/clip.mp4", false, Some("/a/clip.mp4")),
            ("pipe:0", false, None),
            ("-", false, None),
            ("RTMP://h/live/x", true, None),
            ("https://h/x.m3u8", false, None),
            ("udp://127.0.0.1:5000", true, None),
        ] {
            let path = path.map(PathBuf::from);
            assert_eq!((is_live(url), local_path(url)), (live, path), "{url}");
        }
    }
}
