//! libav's own parsers for the values of options.

use ffmpeg_sys_next as ff;

use super::c_string;
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
