//! Text that must not reach a log.

use std::fmt;

/// Text whose `Debug` shows nothing of it, and which has no `Display`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// What follows the application in an RTMP URL: a stream's name, which for most platforms is the
/// password to publish, and a query. `Debug` shows neither.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StreamKey(String);

impl StreamKey {
    /// Name and query as on the wire: `name?token=1`.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What stands before the first `?`, without the kind of file that some clients put before it:
    /// FFmpeg and librtmp make `mp4:camera.mp4` of a URL that ends with `camera.mp4`, others don't.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.0.split_once('?').map_or(&*self.0, |(name, _)| name);
        let kinds = ["flv:", "mp4:", "mp3:"];
        kinds.iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name)
    }

    /// What stands after the first `?`; empty without one.
    #[must_use]
    pub fn query(&self) -> &str {
        self.0.split_once('?').map_or("", |(_, query)| query)
    }

    /// The value of `name` in the query, as it stands there (percent signs included).
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        query_parameter(self.query(), name)
    }
}

pub(crate) fn query_parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

impl From<&str> for StreamKey {
    fn from(text: &str) -> Self {
        StreamKey(text.to_owned())
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(***)")
    }
}

/// Text without its percent signs. What is not two hexadecimal digits after one stays as it is,
/// and so does a plus sign: keys have them.
#[must_use]
pub fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digit = |index: usize| char::from(*tail.get(index)?).to_digit(16);
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits fit into a byte.
                bytes.push((high * 16 + low) as u8);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_are_decoded_once() {
        assert_eq!(percent_decode("a%20b%2520%zz%4"), "a b%20%zz%4");
        assert_eq!(percent_decode("1+1%ff"), "1+1\u{fffd}");
    }
}
