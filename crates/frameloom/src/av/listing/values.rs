//! Formats of pixels and samples, channels, colours, and what the libraries say of themselves.

use std::ffi::CStr;
use std::ptr;

use ffmpeg_sys_next as ff;

use crate::av::{optional_text, text};

// The bindings take an enum here that not every number is a variant of.
unsafe extern "C" {
    fn av_channel_name(buffer: *mut libc::c_char, size: usize, channel: libc::c_int)
    -> libc::c_int;
    fn av_channel_description(
        buffer: *mut libc::c_char,
        size: usize,
        channel: libc::c_int,
    ) -> libc::c_int;
    fn av_channel_layout_index_from_channel(
        layout: *const ff::AVChannelLayout,
        channel: libc::c_int,
    ) -> libc::c_int;
    fn av_get_sample_fmt_string(
        buffer: *mut libc::c_char,
        size: libc::c_int,
        format: libc::c_int,
    ) -> *mut libc::c_char;
}

/// Channels are numbered below this; what is beyond are Ambisonic ones.
const CHANNELS: libc::c_int = 63;

/// The text that libav writes into a buffer.
fn written(fill: impl FnOnce(*mut libc::c_char, usize)) -> String {
    let mut buffer = [0u8; 128];
    fill(buffer.as_mut_ptr().cast(), buffer.len());
    let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    text.to_string_lossy().into_owned()
}

/// A pixel format.
#[derive(Clone, Debug)]
pub struct ListedPixelFormat {
    /// Its name.
    pub name: &'static str,
    /// libswscale reads it.
    pub is_scaler_input: bool,
    /// libswscale writes it.
    pub is_scaler_output: bool,
    /// Its pictures are in a device's memory.
    pub is_hardware: bool,
    /// Its pixels are numbers of a palette's colours.
    pub is_paletted: bool,
    /// Its pixels don't begin at whole bytes.
    pub is_bitstream: bool,
    /// Bits for each pixel, on average.
    pub bits_per_pixel: i32,
    /// Bits of each component.
    pub depths: Vec<i32>,
}

/// Every pixel format, in libav's order.
pub fn pixel_formats() -> Vec<ListedPixelFormat> {
    let mut formats = Vec::new();
    let mut descriptor = ptr::null();
    loop {
        // SAFETY: iterates a static table: null, or the previous entry.
        descriptor = unsafe { ff::av_pix_fmt_desc_next(descriptor) };
        // SAFETY: null behind the last one; otherwise an entry of a static table.
        let Some(found) = (unsafe { descriptor.as_ref() }) else { return formats };
        let has = |flag: u64| found.flags & flag != 0;
        let components = found.comp.iter().take(usize::from(found.nb_components));
        // SAFETY: an entry of the table and its own number; names are static.
        unsafe {
            let id = ff::av_pix_fmt_desc_get_id(descriptor);
            formats.push(ListedPixelFormat {
                name: text(found.name),
                is_scaler_input: ff::sws_isSupportedInput(id) > 0,
                is_scaler_output: ff::sws_isSupportedOutput(id) > 0,
                is_hardware: has(ff::AV_PIX_FMT_FLAG_HWACCEL as u64),
                is_paletted: has(ff::AV_PIX_FMT_FLAG_PAL as u64),
                is_bitstream: has(ff::AV_PIX_FMT_FLAG_BITSTREAM as u64),
                bits_per_pixel: ff::av_get_bits_per_pixel(found),
                depths: components.map(|component| component.depth).collect(),
            });
        }
    }
}

/// What libav writes about sample formats: its heading, then a line for each.
pub fn sample_format_lines() -> Vec<String> {
    let count = ff::AVSampleFormat::AV_SAMPLE_FMT_NB as libc::c_int;
    let line = |format| {
        written(|buffer, size| {
            // SAFETY: the buffer is writable and as long as is said.
            unsafe { av_get_sample_fmt_string(buffer, size as libc::c_int, format) };
        })
    };
    (-1..count).map(line).collect()
}

/// An audio channel.
#[derive(Clone, Debug)]
pub struct ListedChannel {
    /// Its name: `FL`.
    pub name: String,
    /// Where it is: `front left`.
    pub description: String,
}

/// The name of the channel of this number; `USR` and the number where it has none.
fn channel_name(channel: libc::c_int) -> String {
    // SAFETY: the buffer is writable and as long as is said.
    written(|buffer, size| unsafe {
        av_channel_name(buffer, size, channel);
    })
}

/// Every channel that has a name, in libav's order.
pub fn channels() -> Vec<ListedChannel> {
    let named = (0..CHANNELS).map(|channel| (channel, channel_name(channel)));
    named
        .filter(|(_, name)| !name.contains("USR"))
        .map(|(channel, name)| ListedChannel {
            name,
            // SAFETY: the buffer is writable and as long as is said.
            description: written(|buffer, size| unsafe {
                av_channel_description(buffer, size, channel);
            }),
        })
        .collect()
}

/// A layout of channels that has a name.
#[derive(Clone, Debug)]
pub struct ListedLayout {
    /// Its name: `5.1`.
    pub name: String,
    /// Its channels, in order.
    pub channels: Vec<String>,
}

/// The layout's name.
pub(super) fn layout_name(layout: &ff::AVChannelLayout) -> String {
    // SAFETY: the buffer is writable and as long as is said, and the layout is one.
    written(|buffer, size| unsafe {
        ff::av_channel_layout_describe(layout, buffer, size);
    })
}

/// Every layout that has a name, in libav's order.
pub fn channel_layouts() -> Vec<ListedLayout> {
    let mut layouts = Vec::new();
    let mut cursor = ptr::null_mut();
    loop {
        // SAFETY: iterates a static table with a cursor of ours.
        let Some(layout) = (unsafe { ff::av_channel_layout_standard(&mut cursor).as_ref() }) else {
            return layouts;
        };
        // SAFETY: a static layout; the function only looks.
        let has = |channel: &libc::c_int| unsafe {
            av_channel_layout_index_from_channel(layout, *channel) >= 0
        };
        let channels = (0..CHANNELS).filter(has).map(channel_name).collect();
        layouts.push(ListedLayout { name: layout_name(layout), channels });
    }
}

/// A colour that has a name.
#[derive(Clone, Copy, Debug)]
pub struct ListedColor {
    /// Its name.
    pub name: &'static str,
    /// Red, green and blue.
    pub rgb: [u8; 3],
}

/// Every colour that has a name, in libav's order.
pub fn colors() -> Vec<ListedColor> {
    let mut colors = Vec::new();
    for at in 0.. {
        let mut rgb: *const u8 = ptr::null();
        // SAFETY: takes any number, and sets the pointer to three static bytes where it has a colour.
        let (name, rgb) = unsafe {
            let name = optional_text(ff::av_get_known_color_name(at, &mut rgb));
            (name, rgb.cast::<[u8; 3]>().as_ref())
        };
        let (Some(name), Some(rgb)) = (name, rgb) else { break };
        colors.push(ListedColor { name, rgb: *rgb });
    }
    colors
}

/// The names of what a stream can be marked as.
pub fn dispositions() -> Vec<&'static str> {
    // SAFETY: looks up a static table; null for bits without a name.
    let name = |bit| unsafe { optional_text(ff::av_disposition_to_string(1i32.wrapping_shl(bit))) };
    (0..32).filter_map(name).collect()
}

/// The kinds of devices that this build of libav can use.
pub fn device_types() -> Vec<&'static str> {
    let none = ff::AVHWDeviceType::AV_HWDEVICE_TYPE_NONE;
    let mut names = Vec::new();
    let mut device = none;
    loop {
        // SAFETY: iterates a static table, from "none" to "none".
        device = unsafe { ff::av_hwdevice_iterate_types(device) };
        if device == none {
            return names;
        }
        // SAFETY: looks up a static table.
        names.extend(unsafe { optional_text(ff::av_hwdevice_get_type_name(device)) });
    }
}

/// One of FFmpeg's libraries.
#[derive(Clone, Copy, Debug)]
pub struct ListedLibrary {
    /// Its name: `libavcodec`.
    pub name: &'static str,
    /// The version that this program was built for.
    pub built_for: [u32; 3],
    /// The version in use.
    pub in_use: [u32; 3],
}

/// FFmpeg's libraries that are called.
pub fn libraries() -> Vec<ListedLibrary> {
    // SAFETY: each returns a number.
    let in_use = unsafe {
        [
            ("libavutil", ff::avutil_version()),
            ("libavcodec", ff::avcodec_version()),
            ("libavformat", ff::avformat_version()),
            ("libavdevice", ff::avdevice_version()),
            ("libavfilter", ff::avfilter_version()),
            ("libswscale", ff::swscale_version()),
        ]
    };
    let built_for = [
        [ff::LIBAVUTIL_VERSION_MAJOR, ff::LIBAVUTIL_VERSION_MINOR, ff::LIBAVUTIL_VERSION_MICRO],
        [ff::LIBAVCODEC_VERSION_MAJOR, ff::LIBAVCODEC_VERSION_MINOR, ff::LIBAVCODEC_VERSION_MICRO],
        [
            ff::LIBAVFORMAT_VERSION_MAJOR,
            ff::LIBAVFORMAT_VERSION_MINOR,
            ff::LIBAVFORMAT_VERSION_MICRO,
        ],
        [
            ff::LIBAVDEVICE_VERSION_MAJOR,
            ff::LIBAVDEVICE_VERSION_MINOR,
            ff::LIBAVDEVICE_VERSION_MICRO,
        ],
        [
            ff::LIBAVFILTER_VERSION_MAJOR,
            ff::LIBAVFILTER_VERSION_MINOR,
            ff::LIBAVFILTER_VERSION_MICRO,
        ],
        [ff::LIBSWSCALE_VERSION_MAJOR, ff::LIBSWSCALE_VERSION_MINOR, ff::LIBSWSCALE_VERSION_MICRO],
    ];
    let both = in_use.into_iter().zip(built_for);
    both.map(|((name, version), built_for)| ListedLibrary {
        name,
        built_for: built_for.map(|part| part as u32),
        in_use: [version >> 16, version >> 8 & 0xff, version & 0xff],
    })
    .collect()
}

/// FFmpeg's own name for the version of the libraries in use.
pub fn ffmpeg_version() -> &'static str {
    // SAFETY: a static string.
    unsafe { text(ff::av_version_info()) }
}

/// How the libraries in use were configured when they were built.
pub fn configuration() -> &'static str {
    // SAFETY: a static string.
    unsafe { text(ff::avcodec_configuration()) }
}

/// The licence of the libraries in use, which their configuration decides.
pub fn license() -> &'static str {
    // SAFETY: a static string.
    unsafe { text(ff::avcodec_license()) }
}
