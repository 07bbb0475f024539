//! The wall clock in the words of `strftime`.

use std::ffi::{CStr, CString, c_char};
use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest name that is made, in bytes.
const MOST_BYTES: usize = 4096;

/// `pattern` with what `strftime` puts for its `%` words at `at`, in local time. `None` for a
/// pattern that makes nothing, or too much.
pub fn local_time(pattern: &str, at: SystemTime) -> Option<String> {
    let seconds = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let seconds = libc::time_t::try_from(seconds).ok()?;
    let pattern = CString::new(pattern).ok()?;
    let mut parts = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call; zeroed is a valid `tm`.
    if unsafe { libc::localtime_r(&raw const seconds, parts.as_mut_ptr()) }.is_null() {
        return None;
    }
    let mut text: [c_char; MOST_BYTES] = [0; MOST_BYTES];
    // SAFETY: `text` has MOST_BYTES bytes, the pattern ends with NUL, and `parts` is filled in.
    let length =
        unsafe { libc::strftime(text.as_mut_ptr(), MOST_BYTES, pattern.as_ptr(), parts.as_ptr()) };
    if length == 0 {
        return None;
    }
    // SAFETY: strftime ended what it wrote with NUL, as it returned more than 0.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) };
    Some(text.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pattern_is_filled_in() {
        // Noon in June: the same year everywhere.
        let at = UNIX_EPOCH + Duration::from_secs(1_780_000_000);
        assert_eq!(local_time("a-%Y.mkv", at).as_deref(), Some("a-2026.mkv"));
        assert_eq!(local_time("%Y%m%d-%H%M%S", at).map(|text| text.len()), Some(15));
        assert_eq!(local_time("", at), None);
        assert_eq!(local_time("a\0b", at), None);
    }
}
