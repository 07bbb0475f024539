//! Names of files that are not UTF-8 text. URLs are text everywhere; a byte of such a name stands in
//! them as one of the last characters of Unicode's private use, until it gets to the operating system.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The character that stands for byte 0. Only those from 0x80 on are used.
const FIRST: u32 = 0x10_FF00;

/// The byte that a character stands for.
fn byte_of(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(FIRST)?).ok().filter(|byte| *byte >= 0x80)
}

/// A path or URL as the library takes it, out of what the operating system gives: names of files need
/// not be UTF-8 text.
pub fn from_os(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        let stand_in = |byte: &u8| char::from_u32(FIRST + u32::from(*byte));
        text.extend(chunk.invalid().iter().filter_map(stand_in));
    }
    text
}

/// The bytes that it is for the operating system.
pub(crate) fn bytes(url: &str) -> Cow<'_, [u8]> {
    if !url.chars().any(|c| byte_of(c).is_some()) {
        return Cow::Borrowed(url.as_bytes());
    }
    let mut bytes = Vec::with_capacity(url.len());
    for c in url.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// The name as the operating system has it.
pub(crate) fn to_os(url: &str) -> OsString {
    OsString::from_vec(bytes(url).into_owned())
}

/// The name to be shown.
pub(crate) fn shown(url: &str) -> Cow<'_, str> {
    if !url.chars().any(|c| byte_of(c).is_some()) {
        return Cow::Borrowed(url);
    }
    Cow::Owned(url.chars().map(|c| byte_of(c).map_or(c, |_| char::REPLACEMENT_CHARACTER)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_as_it_was() {
        for name in [&b"clip.mp4"[..], b"caf\xe9.mp4", b"\x80\xff", "über.mp4".as_bytes(), b""] {
            let text = from_os(OsStr::from_bytes(name));
            assert_eq!(bytes(&text), name, "{text}");
            assert_eq!(to_os(&text).as_bytes(), name);
        }
        assert_eq!(shown(&from_os(OsStr::from_bytes(b"caf\xe9.mp4"))), "caf\u{fffd}.mp4");
        assert_eq!(shown("über.mp4"), "über.mp4");
    }
}
