//! A network URL taken apart.

use super::scheme::{self, Reach};

/// The parts of a URL on a network, as they are written in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// What stands before `://`.
    pub scheme: &'a str,
    /// User and password, percent-encoded.
    pub user: Option<&'a str>,
    /// Host and port.
    pub authority: &'a str,
    /// What follows: path, query and fragment, each with the character that it begins with.
    pub path: &'a str,
}

impl<'a> Address<'a> {
    /// Takes `SCHEME://[USER@]HOST[:PORT][/PATH][?QUERY]` apart; `None` for what is no such URL,
    /// and for a file's.
    pub fn parse(url: &'a str) -> Option<Address<'a>> {
        let (scheme, rest) = url.split_once("://")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | ',');
        let is_scheme = !scheme.is_empty() && scheme.chars().all(plain);
        if !is_scheme || scheme::of_network(scheme).reach == Reach::File {
            return None;
        }
        let (before, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, authority) = match before.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, before),
        };
        Some(Address { scheme, user, authority, path })
    }

    /// The user and password of a URL in which they hold a `/`, `?` or `#` that is not encoded, and what
    /// stands behind them: `rtmp://user:a/b@HOST/live/x` has the host `user` and the port `a` otherwise.
    pub(crate) fn torn_credentials(&self) -> Option<(String, &'a str)> {
        let at = self.path.rfind('@')?;
        let port = self.host_and_port()?.1?;
        if port.parse::<u16>().is_ok() && !self.has_at_in_path() {
            return None;
        }
        let user = self.user.map_or_else(String::new, |user| format!("{user}@"));
        let torn = self.path.get(..at).unwrap_or_default();
        let rest = self.path.get(at + 1..).unwrap_or_default();
        Some((format!("{user}{}{torn}", self.authority), rest))
    }

    /// Whether what looks like a host may be a part of a password: `rtmp://user:p@a/b@HOST/live/x`.
    pub(crate) fn may_be_torn(&self) -> bool {
        self.user.is_some() && self.has_at_in_path()
    }

    /// Whether there is an `@` behind the host other than in a query's value, as in `/x?mail=a@b`.
    fn has_at_in_path(&self) -> bool {
        let bare = self.bare_path();
        let query = self.path.get(bare.len()..).unwrap_or_default();
        bare.contains('@') || query.contains('@') && (bare.is_empty() || !query.contains('='))
    }

    /// The host, without the brackets of an IPv6 address, and the port as it is written. `None`
    /// where a bracket is not closed.
    pub fn host_and_port(&self) -> Option<(&'a str, Option<&'a str>)> {
        if let Some(inner) = self.authority.strip_prefix('[') {
            let (host, after) = inner.split_once(']')?;
            return Some((host, after.strip_prefix(':')));
        }
        Some(match self.authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (self.authority, None),
        })
    }

    /// The port that the URL names, or its scheme's own; 0 where neither does. `None` for a port
    /// that is no number up to 65535.
    pub fn port(&self) -> Option<u16> {
        match self.host_and_port()?.1 {
            Some(port) => port.parse().ok(),
            None => Some(scheme::of_network(self.scheme).port.unwrap_or(0)),
        }
    }

    /// The path alone, without its query and fragment.
    pub fn bare_path(&self) -> &'a str {
        self.path.split(['?', '#']).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_are_not_encoded_are_known() {
        for (url, torn) in [
            ("rtmp://user:SEC/RET@H/live/x", Some(("user:SEC/RET", "H/live/x"))),
            ("rtsp://user:SEC?RET@H:554/x", Some(("user:SEC?RET", "H:554/x"))),
            ("http://user:SEC#RET@H/x", Some(("user:SEC#RET", "H/x"))),
            ("srt://user:1234/RET@H:9000", Some(("user:1234/RET", "H:9000"))),
            ("rtmp://a@b:c/d@H/x", Some(("a@b:c/d", "H/x"))),
            ("rtmp://user:pass@H/live/x", None),
            ("http://H:8080/a/b?mail=a@b", None),
            ("http://H/@user/b", None),
            ("http://[::1]/x@y", None),
        ] {
            let found = Address::parse(url).unwrap().torn_credentials();
            let expected = torn.map(|(user, rest)| (user.to_owned(), rest));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn urls_are_taken_apart() {
        for (url, host, port, path) in [
            ("rtmp://h/live/x?k=1", "h", Some(1935), "/live/x"),
            ("RTMPS://u:p@h:1936/live/x", "h", Some(1936), "/live/x"),
            ("rtsp://u:p@[::1]/x#y", "::1", Some(554), "/x"),
            ("http://[::1]:8080?a=/b", "::1", Some(8080), ""),
            ("srt://h", "h", Some(0), ""),
            ("http://h:x/", "h", None, "/"),
        ] {
            let address = Address::parse(url).unwrap();
            let (found, _) = address.host_and_port().unwrap();
            assert_eq!((found, address.port(), address.bare_path()), (host, port, path), "{url}");
        }
        for url in ["clip.mp4", "file:///a/b", "-", "pipe:0", "a b://h/x"] {
            assert_eq!(Address::parse(url), None, "{url}");
        }
        assert_eq!(Address::parse("http://[::1/x").unwrap().port(), None);
    }
}
