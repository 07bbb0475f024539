//! The options of libav's classes, as plain data.

use std::ffi::CStr;
use std::ptr;

use ffmpeg_sys_next as ff;

use crate::av::names::{PixFmt, is_constant, kind_number};
use crate::av::{optional_text, text};

// The bindings take an enum here that not every number is a variant of.
unsafe extern "C" {
    fn av_get_sample_fmt_name(format: libc::c_int) -> *const libc::c_char;
}

/// The name of the sample format of this number.
pub(super) fn sample_format_name(number: libc::c_int) -> Option<&'static str> {
    // SAFETY: looks up a static table; null for numbers that are no format.
    unsafe { optional_text(av_get_sample_fmt_name(number)) }
}

/// The options of one part of libav, under the name that libav has for them.
#[derive(Clone, Debug)]
pub struct OptionTable {
    /// Whose options they are: `libx264`.
    pub class: &'static str,
    /// The options, in libav's order.
    pub options: Vec<OptionEntry>,
}

/// An option of libav.
#[derive(Clone, Debug)]
pub struct OptionEntry {
    /// The name.
    pub name: &'static str,
    /// What it does.
    pub help: Option<&'static str>,
    /// What its value is.
    pub kind: OptionKind,
    /// Whether it takes several such values.
    pub is_list: bool,
    /// What it is for.
    pub flags: OptionFlags,
    /// What holds where it is not given.
    pub default: OptionDefault,
    /// The least and the greatest value, of numbers.
    pub range: Option<(f64, f64)>,
    /// The names of values.
    pub constants: Vec<OptionConstant>,
}

/// A name for a value of an option.
#[derive(Clone, Copy, Debug)]
pub struct OptionConstant {
    /// The name.
    pub name: &'static str,
    /// What it means.
    pub help: Option<&'static str>,
    /// The value; of a set, its bits.
    pub value: i64,
    /// What it is for.
    pub flags: OptionFlags,
}

/// What the value of an option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are libav's")]
pub enum OptionKind {
    Flags,
    Int,
    Int64,
    Uint,
    Uint64,
    Double,
    Float,
    Text,
    Rational,
    Binary,
    Dictionary,
    ImageSize,
    PixelFormat,
    SampleFormat,
    VideoRate,
    Duration,
    Color,
    ChannelLayout,
    /// A channel layout as a mask, as it was before FFmpeg 7.
    ChannelMask,
    Bool,
    /// A kind that came with a newer FFmpeg.
    Other,
}

/// What holds where an option is not given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptionDefault {
    /// Nothing.
    None,
    /// A whole number; of flags, their bits; of durations, microseconds.
    Integer(i64),
    /// Any number.
    Number(f64),
    /// A fraction.
    Ratio(i32, i32),
    /// A text.
    Text(&'static str),
    /// The name of a pixel format or of a sample format.
    Name(&'static str),
}

/// What an option is for: a set of the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionFlags(libc::c_int);

#[allow(missing_docs, reason = "the names are libav's")]
impl OptionFlags {
    pub const ENCODING: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_ENCODING_PARAM as libc::c_int);
    pub const DECODING: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_DECODING_PARAM as libc::c_int);
    pub const FILTERING: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_FILTERING_PARAM as libc::c_int);
    pub const VIDEO: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_VIDEO_PARAM as libc::c_int);
    pub const AUDIO: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_AUDIO_PARAM as libc::c_int);
    pub const SUBTITLE: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_SUBTITLE_PARAM as libc::c_int);
    pub const EXPORT: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_EXPORT as libc::c_int);
    pub const READ_ONLY: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_READONLY as libc::c_int);
    pub const BITSTREAM_FILTER: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_BSF_PARAM as libc::c_int);
    pub const RUNTIME: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_RUNTIME_PARAM as libc::c_int);
    pub const DEPRECATED: OptionFlags = OptionFlags(ff::AV_OPT_FLAG_DEPRECATED as libc::c_int);

    /// Those of both.
    #[must_use]
    pub const fn or(self, other: OptionFlags) -> OptionFlags {
        OptionFlags(self.0 | other.0)
    }

    /// Whether it has any of these.
    pub const fn has_any(self, of: OptionFlags) -> bool {
        self.0 & of.0 != 0
    }
}

/// The bit that newer versions set beside the kind of an option that takes several values.
const LIST: u32 = 1 << 16;

fn kind_of(number: u32) -> OptionKind {
    use ff::AVOptionType as T;
    let kinds = [
        (T::AV_OPT_TYPE_FLAGS, OptionKind::Flags),
        (T::AV_OPT_TYPE_INT, OptionKind::Int),
        (T::AV_OPT_TYPE_INT64, OptionKind::Int64),
        (T::AV_OPT_TYPE_UINT64, OptionKind::Uint64),
        (T::AV_OPT_TYPE_DOUBLE, OptionKind::Double),
        (T::AV_OPT_TYPE_FLOAT, OptionKind::Float),
        (T::AV_OPT_TYPE_STRING, OptionKind::Text),
        (T::AV_OPT_TYPE_RATIONAL, OptionKind::Rational),
        (T::AV_OPT_TYPE_BINARY, OptionKind::Binary),
        (T::AV_OPT_TYPE_DICT, OptionKind::Dictionary),
        (T::AV_OPT_TYPE_IMAGE_SIZE, OptionKind::ImageSize),
        (T::AV_OPT_TYPE_PIXEL_FMT, OptionKind::PixelFormat),
        (T::AV_OPT_TYPE_SAMPLE_FMT, OptionKind::SampleFormat),
        (T::AV_OPT_TYPE_VIDEO_RATE, OptionKind::VideoRate),
        (T::AV_OPT_TYPE_DURATION, OptionKind::Duration),
        (T::AV_OPT_TYPE_COLOR, OptionKind::Color),
        (T::AV_OPT_TYPE_CHLAYOUT, OptionKind::ChannelLayout),
        #[cfg(not(ffmpeg_7_0))]
        (T::AV_OPT_TYPE_CHANNEL_LAYOUT, OptionKind::ChannelMask),
        (T::AV_OPT_TYPE_BOOL, OptionKind::Bool),
    ];
    let known = kinds.into_iter().find(|(kind, _)| *kind as u32 == number);
    match known {
        Some((_, kind)) => kind,
        // The one that came next; older bindings don't name it.
        None if number == T::AV_OPT_TYPE_CHLAYOUT as u32 + 1 => OptionKind::Uint,
        None => OptionKind::Other,
    }
}

/// A static class of libav, or none.
#[derive(Clone, Copy, Debug)]
pub(in crate::av) struct Class(pub(in crate::av) *const ff::AVClass);

impl Class {
    /// Its options and those of the classes below it.
    pub(super) fn tables(self) -> Vec<OptionTable> {
        let table = |class: Class| {
            // SAFETY: null or a static class, whose name is static.
            let name = unsafe { class.0.as_ref().map(|class| text(class.class_name)) };
            OptionTable { class: name.unwrap_or_default(), options: class.read() }
        };
        // SAFETY: null or a static class.
        let has_options = |class: &Class| unsafe {
            class.0.as_ref().is_some_and(|class| !class.option.is_null())
        };
        self.with_children().into_iter().filter(has_options).map(table).collect()
    }

    /// The class and those below it.
    pub(in crate::av) fn with_children(self) -> Vec<Class> {
        let mut classes = Vec::new();
        self.collect(&mut classes);
        classes
    }

    fn collect(self, classes: &mut Vec<Class>) {
        if self.0.is_null() {
            return;
        }
        classes.push(self);
        let mut cursor = ptr::null_mut();
        loop {
            // SAFETY: iterates static classes with an opaque cursor of ours.
            let child = unsafe { ff::av_opt_child_class_iterate(self.0, &mut cursor) };
            if child.is_null() {
                return;
            }
            Class(child).collect(classes);
        }
    }

    /// Its option of this name.
    pub(in crate::av) fn entry(self, name: &CStr) -> Option<OptionEntry> {
        self.read().into_iter().find(|entry| entry.name.as_bytes() == name.to_bytes())
    }

    /// Its options.
    #[cfg(test)]
    pub(in crate::av) fn entries(self) -> Vec<OptionEntry> {
        self.read()
    }

    /// Where the values of its options lie in a structure of this class.
    pub(in crate::av) fn offsets(self) -> Vec<usize> {
        // SAFETY: entries of a static table.
        let offset = |option: *const ff::AVOption| unsafe {
            (!is_constant(option)).then(|| usize::try_from((*option).offset).unwrap_or(0))
        };
        self.all().into_iter().filter_map(offset).collect()
    }

    /// The names of its options, each value's first name alone.
    pub(in crate::av) fn names_in_order(self) -> Vec<&'static str> {
        let (mut names, mut last) = (Vec::new(), None);
        for option in self.all() {
            // SAFETY: entries of a static table with static names.
            let (is_name, offset, name) =
                unsafe { (!is_constant(option), Some((*option).offset), text((*option).name)) };
            if is_name && offset != last {
                names.push(name);
                last = offset;
            }
        }
        names
    }

    /// The names of its options that set what the option `name` sets.
    pub(in crate::av) fn aliases(self, name: &str) -> Vec<&'static str> {
        let all: Vec<(&'static str, libc::c_int)> = self
            .all()
            .into_iter()
            // SAFETY: entries of a static table with static names.
            .filter_map(|option| unsafe {
                (!is_constant(option)).then(|| (text((*option).name), (*option).offset))
            })
            .collect();
        let offset = all.iter().find(|(known, _)| *known == name).map(|(_, offset)| *offset);
        let is_same = |(_, at): &(&str, libc::c_int)| Some(*at) == offset;
        all.into_iter().filter(is_same).map(|(name, _)| name).collect()
    }

    /// The entries of its table, names of values among them.
    fn all(self) -> Vec<*const ff::AVOption> {
        if self.0.is_null() {
            return Vec::new();
        }
        let mut class = self.0;
        let object: *mut *const ff::AVClass = &mut class;
        let mut all: Vec<*const ff::AVOption> = Vec::new();
        let mut option = ptr::null();
        loop {
            // SAFETY: av_opt_next reads nothing of the object but its first member, the class.
            option = unsafe { ff::av_opt_next(object.cast(), option) };
            if option.is_null() {
                break;
            }
            all.push(option);
        }
        all
    }

    fn read(self) -> Vec<OptionEntry> {
        let all = self.all();
        // SAFETY: entries of a static table.
        unsafe {
            all.iter()
                .filter(|&&o| !is_constant(o))
                .map(|&o| entry(o, constants(o, &all)))
                .collect()
        }
    }
}

/// # Safety
/// `option` points to an entry of a static table.
unsafe fn entry(option: *const ff::AVOption, constants: Vec<OptionConstant>) -> OptionEntry {
    // SAFETY: valid by this function's contract; what it points to is static.
    unsafe {
        let number = kind_number(option);
        let (is_list, kind) = (number & LIST != 0, kind_of(number & !LIST));
        let is_number = matches!(
            kind,
            OptionKind::Int
                | OptionKind::Int64
                | OptionKind::Uint
                | OptionKind::Uint64
                | OptionKind::Double
                | OptionKind::Float
                | OptionKind::Rational
        );
        OptionEntry {
            name: text((*option).name),
            help: optional_text((*option).help),
            kind,
            is_list,
            flags: OptionFlags((*option).flags),
            default: if is_list { list_default(option) } else { default(option, kind) },
            range: (is_number && !is_list).then(|| ((*option).min, (*option).max)),
            constants,
        }
    }
}

/// The constants of `all` that are names for values of `option`.
///
/// # Safety
/// All of them point to entries of one static table.
unsafe fn constants(
    option: *const ff::AVOption,
    all: &[*const ff::AVOption],
) -> Vec<OptionConstant> {
    // SAFETY: valid by this function's contract; names and helps are static, and the default of a
    // constant is a whole number.
    unsafe {
        let Some(unit) = optional_text((*option).unit) else { return Vec::new() };
        let own = all.iter().filter(|&&c| is_constant(c) && optional_text((*c).unit) == Some(unit));
        own.map(|&constant| OptionConstant {
            name: text((*constant).name),
            help: optional_text((*constant).help),
            value: (*constant).default_val.i64_,
            flags: OptionFlags((*constant).flags),
        })
        .collect()
    }
}

/// # Safety
/// `option` points to an entry of a static table, and `kind` is its kind.
unsafe fn default(option: *const ff::AVOption, kind: OptionKind) -> OptionDefault {
    // SAFETY: valid by this function's contract; the kind says which member of the union is set, and
    // texts are static or null.
    unsafe {
        let value = &(*option).default_val;
        match kind {
            OptionKind::Binary | OptionKind::Other => OptionDefault::None,
            OptionKind::Flags
            | OptionKind::Int
            | OptionKind::Int64
            | OptionKind::Uint
            | OptionKind::Uint64
            | OptionKind::Duration
            | OptionKind::Bool
            | OptionKind::ChannelMask => OptionDefault::Integer(value.i64_),
            OptionKind::Double | OptionKind::Float => OptionDefault::Number(value.dbl),
            OptionKind::Rational => {
                let ratio = ff::av_d2q(value.dbl, i32::MAX);
                OptionDefault::Ratio(ratio.num, ratio.den)
            }
            OptionKind::PixelFormat => {
                let format = i32::try_from(value.i64_).ok().and_then(PixFmt::from_raw);
                OptionDefault::Name(format.map_or("none", PixFmt::name))
            }
            OptionKind::SampleFormat => {
                let number = libc::c_int::try_from(value.i64_).unwrap_or(-1);
                OptionDefault::Name(sample_format_name(number).unwrap_or("none"))
            }
            OptionKind::Text
            | OptionKind::Dictionary
            | OptionKind::ImageSize
            | OptionKind::VideoRate
            | OptionKind::Color
            | OptionKind::ChannelLayout => {
                optional_text(value.str_).map_or(OptionDefault::None, OptionDefault::Text)
            }
        }
    }
}

/// # Safety
/// `option` points to an entry of a static table whose option takes several values.
unsafe fn list_default(option: *const ff::AVOption) -> OptionDefault {
    // SAFETY: valid by this function's contract. The default is null or points to a static structure
    // whose first member is a static text or null.
    unsafe {
        let list = (*option).default_val.str_.cast::<*const libc::c_char>();
        let written = list.as_ref().and_then(|text| optional_text(*text));
        written.map_or(OptionDefault::None, OptionDefault::Text)
    }
}
