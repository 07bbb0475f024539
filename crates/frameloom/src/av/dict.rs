use std::ffi::CStr;
use std::ptr;

use ffmpeg_sys_next as ff;

/// Options for one call of libav. What is left in it afterwards, nobody took.
pub(crate) struct Dict(*mut ff::AVDictionary);

impl Dict {
    pub(crate) fn new() -> Dict {
        Dict(ptr::null_mut())
    }

    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Dict {
        let mut dict = Dict::new();
        for (name, value) in pairs {
            dict.set(name, value);
        }
        dict
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let (name, value) = (super::c_string(name), super::c_string(value));
        // SAFETY: self.0 is null or a dictionary of ours; libav copies both strings.
        unsafe { ff::av_dict_set(&mut self.0, name.as_ptr(), value.as_ptr(), 0) };
    }

    /// Sets `name` unless it is set.
    pub(crate) fn set_default(&mut self, name: &str, value: &str) {
        let (name, value) = (super::c_string(name), super::c_string(value));
        let keep = ff::AV_DICT_DONT_OVERWRITE as libc::c_int;
        // SAFETY: as in `set`.
        unsafe { ff::av_dict_set(&mut self.0, name.as_ptr(), value.as_ptr(), keep) };
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        // SAFETY: null or a dictionary of ours.
        let mut pairs = unsafe { pairs(self.0) }.into_iter();
        pairs.find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        // SAFETY: null or a dictionary of ours.
        unsafe { pairs(self.0) }.into_iter().map(|(name, _)| name).collect()
    }

    /// Takes a dictionary of libav's and gives its own in its place.
    pub(super) fn exchange(&mut self, other: &mut *mut ff::AVDictionary) {
        std::mem::swap(&mut self.0, other);
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut *mut ff::AVDictionary {
        &mut self.0
    }
}

/// What is in a dictionary, as text.
///
/// # Safety
/// It is null or valid.
pub(super) unsafe fn pairs(dict: *const ff::AVDictionary) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut entry: *const ff::AVDictionaryEntry = ptr::null();
    let all = ff::AV_DICT_IGNORE_SUFFIX as libc::c_int;
    let owned = |text: *const libc::c_char| {
        // SAFETY: what an entry has is NUL-terminated.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    };
    loop {
        // SAFETY: `entry` is null or the previous entry of this unchanged dictionary.
        entry = unsafe { ff::av_dict_get(dict, c"".as_ptr(), entry, all) };
        // SAFETY: it is null or an entry of the dictionary.
        let Some(found) = (unsafe { entry.as_ref() }) else { return pairs };
        pairs.push((owned(found.key), owned(found.value)));
    }
}

impl Drop for Dict {
    fn drop(&mut self) {
        // SAFETY: frees what we own and sets it to null.
        unsafe { ff::av_dict_free(&mut self.0) };
    }
}

// SAFETY: a dictionary is plain heap memory with no tie to a thread.
unsafe impl Send for Dict {}
