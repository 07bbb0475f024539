//! The names of streams.

use std::fmt;
use std::sync::Arc;

/// Longest part of a name between two slashes, in bytes.
const PART_BYTES: usize = 255;
/// Longest name, its application included, in bytes.
const NAME_BYTES: usize = 511;

/// A stream's name: its path, of which the last part is the name and what stands before it the
/// application. Only accepted ones become this, so it may be shown.
///
/// What of a URL is the application and what the name, clients decide differently: FFmpeg takes
/// two parts of four for the application, OBS what stands in its field for the server. So the
/// path as a whole tells streams apart, however a client has split it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StreamName {
    /// Without slashes around it; empty for a path of one part.
    pub(crate) app: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl StreamName {
    /// The name that a client means by these two, or `None` where no stream can have it.
    pub(crate) fn new(app: &str, name: &str) -> Option<Self> {
        let (app, name) = split(app, name)?;
        let fits = app.len() + 1 + name.len() <= NAME_BYTES;
        let is_fine = fits && app.split('/').chain([&*name]).all(is_part);
        // A path of one part has no application.
        (is_fine || app.is_empty() && is_part(&name))
            .then(|| StreamName { app: app.into(), name: name.into() })
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.app {
            "" => f.write_str(&self.name),
            app => write!(f, "{app}/{}", self.name),
        }
    }
}

/// Application and name of the stream that a client means by its own two, whatever they hold.
/// `None` where both are empty.
///
/// Slashes around a part and between two count as one, and the default instance that some clients
/// name (`_definst_`) as none.
pub(crate) fn split(app: &str, name: &str) -> Option<(String, String)> {
    let parts = app.split('/').chain(name.split('/'));
    let mut parts: Vec<&str> = parts.filter(|part| !matches!(*part, "" | "_definst_")).collect();
    let name = parts.pop()?;
    Some((parts.join("/"), name.to_owned()))
}

/// Application and name of the stream at the path of an RTMP URL: what stands before the last
/// part, which may be nothing, and that part. `None` where there is no part at all.
///
/// ```
/// let app_and_name = frameloom_server::stream_of_path("live/room/camera");
/// assert_eq!(app_and_name, Some(("live/room".to_owned(), "camera".to_owned())));
/// ```
#[must_use]
pub fn stream_of_path(path: &str) -> Option<(String, String)> {
    split(path, "")
}

/// Whether this can be a part of a name: it becomes a part of URLs and lines in logs.
pub(crate) fn is_part(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= PART_BYTES
        && part != "."
        && !part.contains("..")
        && !part.contains(['/', '\\'])
        && !part.chars().any(is_hidden)
}

/// Whether a character can't be seen, or changes how others are shown: control characters, those
/// that turn the direction of writing, and those without width that no script needs. In a name they could make one
/// stream look like another, and a line of a log say what it doesn't.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{AD}'
                | '\u{34F}'
                | '\u{61C}'
                | '\u{115F}'..='\u{1160}'
                | '\u{17B4}'..='\u{17B5}'
                | '\u{180B}'..='\u{180F}'
                | '\u{200B}'
                | '\u{200E}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{3164}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{FFF0}'..='\u{FFFB}'
                | '\u{1D173}'..='\u{1D17A}'
                | '\u{E0000}'..='\u{E0FFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(app: &str, name: &str) -> Option<String> {
        StreamName::new(app, name).map(|name| name.to_string())
    }

    #[test]
    fn a_path_is_one_stream_however_it_is_split() {
        for (app, name) in [
            ("a/b/c", "cam"),
            ("a/b", "c/cam"),
            ("a", "b/c/cam"),
            ("", "a/b/c/cam"),
            ("a/b/c/cam", ""),
            ("/a//b/", "/c/cam/"),
            ("a/_definst_", "b/c/cam"),
        ] {
            let whole = StreamName::new(app, name).unwrap();
            assert_eq!((&*whole.app, &*whole.name), ("a/b/c", "cam"), "{app} {name}");
            assert_eq!(whole.to_string(), "a/b/c/cam");
        }
        assert_eq!(path("", "cam"), Some("cam".to_owned()));
        assert_eq!(path("cam", ""), Some("cam".to_owned()));
        assert_eq!(path("live", "caméra 1"), Some("live/caméra 1".to_owned()));
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for part in
            [".", "..", "a..b", "a\nb", "\u{7f}", "a\\b", "a\u{202E}b", "a\u{200B}", "\u{FEFF}a"]
        {
            assert_eq!(path("live", part), None, "{part:?}");
            assert_eq!(path(part, "cam"), None, "{part:?}");
            assert_eq!(path("live", &format!("{part}/cam")), None, "{part:?}");
        }
        assert_eq!(path("", ""), None);
        assert_eq!(path("/", "//"), None);
        assert_eq!(path("live", &"x".repeat(256)), None);
        assert!(path("live", &"x".repeat(255)).is_some());
        assert!(path(&"x".repeat(255), &"x".repeat(255)).is_some());
        assert_eq!(path(&"x/".repeat(200), &"x".repeat(255)), None);
    }
}
