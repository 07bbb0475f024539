//! libav's own parsers for the values of options.

use std::ffi::{CStr, CString};
use std::ptr;

use ffmpeg_sys_next as ff;

use super::log::silently;
use super::{c_string, optional_text, text};
use crate::time::Rate;

/// `960x540`, `hd720`, ...: width and height in pixels, both positive.
pub(crate) fn video_size(text: &str) -> Option<(u32, u32)> {
    let (mut w, mut h) = (0, 0);
    let c = c_string(text);
    // SAFETY: writes two integers of ours; the string is NUL-terminated.
    let ok = unsafe { ff::av_parse_video_size(&mut w, &mut h, c.as_ptr()) } >= 0;
    let (w, h) = (u32::try_from(w).ok()?, u32::try_from(h).ok()?);
    (ok && w > 0 && h > 0).then_some((w, h))
}

/// `24`, `30000/1001`, `ntsc`, ...: a positive rate.
pub(crate) fn rate(text: &str) -> Option<Rate> {
    let mut q = ff::AVRational { num: 0, den: 0 };
    let c = c_string(text);
    // SAFETY: writes one rational of ours; the string is NUL-terminated.
    let ok = unsafe { ff::av_parse_video_rate(&mut q, c.as_ptr()) } >= 0;
    if ok { Rate::new(q.num, q.den) } else { None }
}

/// `red`, `#RRGGBB`, `red@0.5`, ...: red, green, blue and opacity, each 0 to 255.
pub(crate) fn parse_color(text: &str) -> Option<[u8; 4]> {
    let mut color = [0; 4];
    let length = libc::c_int::try_from(text.len()).ok()?;
    let c = c_string(text);
    // SAFETY: writes four bytes of ours; the string is NUL-terminated, and as long as is said or shorter.
    let parse =
        || unsafe { ff::av_parse_color(color.as_mut_ptr(), c.as_ptr(), length, ptr::null_mut()) };
    (!text.contains('\0') && silently(parse) >= 0).then_some(color)
}

/// `16:9`, `1.85`, ...: a positive ratio.
pub(crate) fn ratio(text: &str) -> Option<(i32, i32)> {
    /// Of numerator and denominator: as much as the ratios of lenses and screens need.
    const LARGEST: libc::c_int = 10_000;
    let mut q = ff::AVRational { num: 0, den: 0 };
    let c = c_string(text);
    // SAFETY: writes one rational of ours; the string is NUL-terminated, and no messages are wanted.
    let ok = unsafe { ff::av_parse_ratio(&mut q, c.as_ptr(), LARGEST, 0, std::ptr::null_mut()) };
    (ok >= 0 && q.num > 0 && q.den > 0).then_some((q.num, q.den))
}

/// `90`, `1:30.5`, `200ms`, ...: microseconds.
pub(crate) fn duration_micros(text: &str) -> Option<i64> {
    let mut micros = 0;
    let c = c_string(text);
    // SAFETY: writes one integer of ours; the string is NUL-terminated.
    let ok = unsafe { ff::av_parse_time(&mut micros, c.as_ptr(), 1) } >= 0;
    ok.then_some(micros)
}

/// Whether it is a timecode, `hh:mm:ss:ff`, with `;` or `.` where numbers are left out to keep to the clock.
pub(crate) fn is_timecode(text: &str) -> bool {
    // The one rate family at which numbers may be left out.
    let rate = ff::AVRational { num: 30_000, den: 1001 };
    let mut timecode = std::mem::MaybeUninit::<ff::AVTimecode>::zeroed();
    let c = c_string(text);
    // SAFETY: writes a timecode of ours, which nobody reads; the string is NUL-terminated.
    let parse = || unsafe {
        ff::av_timecode_init_from_string(timecode.as_mut_ptr(), rate, c.as_ptr(), ptr::null_mut())
    };
    !text.contains('\0') && silently(parse) >= 0
}

/// A filter of a graph's description.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DescribedFilter {
    pub(crate) name: String,
    /// Values for its options, those without a name first.
    pub(crate) values: Vec<(Option<String>, String)>,
}

/// The filters in a graph's description, in FFmpeg's language, up to where it makes no sense.
pub(crate) fn filters_in(graph: &str) -> Vec<DescribedFilter> {
    let mut reader = GraphReader { text: c_string(graph), at: 0 };
    let mut filters = Vec::new();
    loop {
        reader.skip_labels();
        let name = reader.token(c"=,;[");
        let mut values = Vec::new();
        if reader.skip(b'=') {
            values = pairs(&reader.token(c"[],;"));
        }
        // Of an instance, its name stands behind its kind's.
        let kind = name.split('@').next().unwrap_or_default().to_owned();
        if !kind.is_empty() && (kind != "sws_flags" || !filters.is_empty()) {
            filters.push(DescribedFilter { name: kind, values });
        }
        reader.skip_labels();
        if !reader.skip(b',') && !reader.skip(b';') {
            return filters;
        }
    }
}

/// Reads a description from its beginning to its end.
struct GraphReader {
    text: CString,
    at: usize,
}

impl GraphReader {
    fn rest(&self) -> &[u8] {
        self.text.to_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let is_there = self.rest().first() == Some(&byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    /// Skips the labels of what goes in or comes out.
    fn skip_labels(&mut self) {
        self.skip_spaces();
        while self.skip(b'[') {
            // A label may be quoted, as everything else.
            self.token(c"]");
            if !self.skip(b']') {
                return;
            }
            self.skip_spaces();
        }
    }

    /// The text up to one of `ends`, without its quotes and escapes.
    fn token(&mut self, ends: &CStr) -> String {
        let rest = self.text.as_bytes_with_nul().get(self.at..).unwrap_or(b"\0");
        let begin = rest.as_ptr().cast::<libc::c_char>();
        let mut cursor = begin;
        // SAFETY: both strings are NUL-terminated; the cursor stays within the first, and what was
        // allocated for the token is copied and freed.
        unsafe {
            let token = ff::av_get_token(&mut cursor, ends.as_ptr());
            self.at += usize::try_from(cursor.offset_from(begin)).unwrap_or(0);
            let text = optional_text(token).unwrap_or_default().to_owned();
            ff::av_free(token.cast());
            text
        }
    }
}

/// `NAME=VALUE` and plain values, with `:` between, up to where it makes no sense.
fn pairs(list: &str) -> Vec<(Option<String>, String)> {
    let list = c_string(list);
    let mut cursor = list.as_ptr();
    let mut pairs = Vec::new();
    // SAFETY: the cursor begins at a NUL-terminated string and stays within it: one is added only
    // before a separator. What was allocated for a name and a value is copied and freed.
    unsafe {
        while *cursor != 0 {
            let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
            let implicit = ff::AV_OPT_FLAG_IMPLICIT_KEY as libc::c_uint;
            let status = ff::av_opt_get_key_value(
                &mut cursor,
                c"=".as_ptr(),
                c":".as_ptr(),
                implicit,
                &mut key,
                &mut value,
            );
            if status < 0 {
                break;
            }
            pairs.push((optional_text(key).map(str::to_owned), text(value).to_owned()));
            ff::av_free(key.cast());
            ff::av_free(value.cast());
            if *cursor != 0 {
                cursor = cursor.add(1);
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_of_a_graph_are_known_by_name() {
        for (graph, names) in [
            ("hflp", &["hflp"][..]),
            ("scale=640:-2,hflip", &["scale", "hflip"]),
            ("split[a][b]; [a] vflip [c];[c][b]hstack@top=2", &["split", "vflip", "hstack"]),
            (r"drawtext=text='a, b; c':x=1,null", &["drawtext", "null"]),
            (r"drawtext=text=a\, b,null", &["drawtext", "null"]),
            ("sws_flags=bilinear;scale=2:2", &["scale"]),
            ("", &[]),
            ("[a", &[]),
            ("=", &[]),
        ] {
            let found: Vec<String> = filters_in(graph).into_iter().map(|f| f.name).collect();
            assert_eq!(found, names, "{graph}");
        }
    }

    #[test]
    fn the_values_of_a_filter_are_those_that_libav_reads() {
        let pair =
            |key: &str, value: &str| ((!key.is_empty()).then(|| key.to_owned()), value.to_owned());
        for (graph, values) in [
            (
                "scale=640:-2:flags=bilinear",
                vec![pair("", "640"), pair("", "-2"), pair("flags", "bilinear")],
            ),
            (r"drawtext=text='a, b; c':x=1", vec![pair("text", "a, b; c"), pair("x", "1")]),
            ("hflip", vec![]),
            ("hflip=", vec![]),
            ("eq=:1", vec![pair("", ""), pair("", "1")]),
        ] {
            assert_eq!(filters_in(graph)[0].values, values, "{graph}");
        }
    }
}
