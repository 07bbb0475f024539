//! Who asks to publish or play, and what stands in its URL.

use std::net::SocketAddr;
use std::sync::Arc;

use frameloom_rtmp::Secret;

/// What someone wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Publish,
    Play,
}

impl Action {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Action::Publish => "publish",
            Action::Play => "play",
        }
    }
}

/// Someone who asks to publish or play, and what it said of itself. It holds secrets.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) action: Action,
    pub(crate) app: String,
    pub(crate) name: String,
    /// The queries that may have the key, the stream's own first.
    pub(crate) queries: [Secret; 2],
    pub(crate) address: SocketAddr,
    pub(crate) client_id: u64,
    pub(crate) client: Arc<str>,
    pub(crate) tc_url: Secret,
}

/// The names and values of a query, without their percent signs.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(name), percent_decode(value))
    })
}

/// Text without its percent signs. What is not two hexadecimal digits after one stays as it is,
/// and so does a plus sign: keys have them.
pub(crate) fn percent_decode(text: &str) -> String {
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
