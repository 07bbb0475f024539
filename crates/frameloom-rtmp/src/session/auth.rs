//! Credentials in the application's query: Adobe's scheme (`authmod=adobe`, Flash Media Live
//! Encoder's) and Limelight's (`authmod=llnw`).
//!
//! A server refuses `connect` and says what it wants in the description; the client connects anew
//! with a longer query. That goes twice: without a user's name, then with a challenge.

use std::fmt;

use md5::{Digest, Md5};

use super::Secret;
use super::secret::query_parameter;

/// The two schemes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    /// `authmod=adobe`.
    Adobe,
    /// `authmod=llnw`.
    Limelight,
}

/// What a server asks for, from the description of its refusal.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: AuthScheme,
    /// The parameters after `?`; empty while the server doesn't know the user yet.
    query: Secret,
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl Challenge {
    /// The challenge in a description, such as
    /// `[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=u&salt=s&challenge=c`.
    /// `None` where it asks for nothing, or says that the credentials were wrong.
    #[must_use]
    pub fn parse(description: &str) -> Option<Challenge> {
        let scheme = if description.contains("authmod=adobe") {
            AuthScheme::Adobe
        } else if description.contains("authmod=llnw") {
            AuthScheme::Limelight
        } else {
            return None;
        };
        let query = description.split_once('?').map_or("", |(_, query)| query).trim();
        match query_parameter(query, "reason") {
            Some("needauth") => {}
            // authfailed, nosuchuser: asking again would change nothing.
            Some(_) => return None,
            None if description.contains("code=403 need auth") => {}
            None => return None,
        }
        Some(Challenge { scheme, query: query.into() })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> AuthScheme {
        self.scheme
    }

    /// What to append to the application, and to the URL in `tcUrl`, on the next connection.
    ///
    /// `nonce` is the client's own random number. `app` is the application without a query.
    #[must_use]
    pub fn answer(&self, app: &str, user: &str, password: &Secret, nonce: u32) -> Secret {
        let query = self.query.expose();
        let asked = |name| query_parameter(query, name).unwrap_or_default();
        let text = match self.scheme {
            AuthScheme::Adobe if query.is_empty() => format!("?authmod=adobe&user={user}"),
            AuthScheme::Limelight if query.is_empty() => format!("?authmod=llnw&user={user}"),
            AuthScheme::Adobe => {
                let nonce = format!("{nonce:08x}");
                let (challenge, opaque) = (asked("challenge"), asked("opaque"));
                let secret = base64(&md5(&[user, asked("salt"), password.expose()]));
                let server = if opaque.is_empty() { challenge } else { opaque };
                let response = base64(&md5(&[&secret, server, &nonce]));
                let mut text =
                    format!("?authmod=adobe&user={user}&challenge={nonce}&response={response}");
                if !opaque.is_empty() {
                    text.push_str("&opaque=");
                    text.push_str(opaque);
                }
                text
            }
            AuthScheme::Limelight => {
                let nonce = format!("{nonce:08x}");
                let server = asked("nonce");
                // An application without an instance has this one.
                let instance = if app.contains('/') { "" } else { "/_definst_" };
                let secret = hex(&md5(&[user, ":live:", password.expose()]));
                let method = hex(&md5(&["publish:/", app, instance]));
                let count = "00000001";
                let response =
                    hex(&md5(&[&secret, ":", server, ":", count, ":", &nonce, ":auth:", &method]));
                format!(
                    "?authmod=llnw&user={user}&nonce={server}&cnonce={nonce}&nc={count}\
                     &response={response}"
                )
            }
        };
        text.into()
    }
}

fn md5(parts: &[&str]) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sixteen bytes do not justify a dependency.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - group.len()));
        for index in 0..4 {
            let digit = word >> (18 - 6 * index) & 0x3F;
            text.push(if index <= group.len() { ALPHABET[digit as usize].into() } else { '=' });
        }
    }
    text
}
