//! Containers, codecs, filters, bit stream filters and protocols.

use std::ptr;

use ffmpeg_sys_next as ff;

use super::options::{Class, OptionTable, sample_format_name};
use super::values::layout_name;
use crate::av::names::{CodecId, Direction, PixFmt};
use crate::av::{c_string, optional_text, text};

/// A bit stream filter: the bindings leave its header out.
#[repr(C)]
struct AVBitStreamFilter {
    name: *const libc::c_char,
    codec_ids: *const ff::AVCodecID,
    priv_class: *const ff::AVClass,
}

unsafe extern "C" {
    fn av_bsf_iterate(cursor: *mut *mut libc::c_void) -> *const AVBitStreamFilter;
}

/// What a stream holds, in libav's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum MediaType {
    Unknown,
    Video,
    Audio,
    Data,
    Subtitle,
    Attachment,
}

impl MediaType {
    fn of(media_type: ff::AVMediaType) -> MediaType {
        match media_type {
            ff::AVMediaType::AVMEDIA_TYPE_VIDEO => MediaType::Video,
            ff::AVMediaType::AVMEDIA_TYPE_AUDIO => MediaType::Audio,
            ff::AVMediaType::AVMEDIA_TYPE_DATA => MediaType::Data,
            ff::AVMediaType::AVMEDIA_TYPE_SUBTITLE => MediaType::Subtitle,
            ff::AVMediaType::AVMEDIA_TYPE_ATTACHMENT => MediaType::Attachment,
            _ => MediaType::Unknown,
        }
    }
}

/// A demuxer or a muxer.
#[derive(Clone, Debug)]
pub struct ListedFormat {
    /// Its name, or several with commas between them.
    pub name: &'static str,
    /// What it is.
    pub long_name: Option<&'static str>,
    /// Whether it is a device and no container.
    pub is_device: bool,
    /// The endings of names, with commas between them.
    pub extensions: Option<&'static str>,
    /// The media type of a muxer's files.
    pub media_type: Option<&'static str>,
    /// What a muxer encodes to by default: video, audio and subtitles.
    pub default_codecs: [Option<&'static str>; 3],
    class: Class,
}

impl ListedFormat {
    /// Its options, and those of what it uses.
    pub fn options(&self) -> Vec<OptionTable> {
        self.class.tables()
    }

    /// # Safety
    /// `format` points to an entry of libav's table.
    unsafe fn demuxer(format: *const ff::AVInputFormat) -> ListedFormat {
        // SAFETY: valid by this function's contract; what it points to is static.
        unsafe {
            let class = (*format).priv_class;
            ListedFormat {
                name: text((*format).name),
                long_name: optional_text((*format).long_name),
                is_device: is_device(class),
                extensions: optional_text((*format).extensions),
                media_type: optional_text((*format).mime_type),
                default_codecs: [None; 3],
                class: Class(class),
            }
        }
    }

    /// # Safety
    /// `format` points to an entry of libav's table.
    unsafe fn muxer(format: *const ff::AVOutputFormat) -> ListedFormat {
        // SAFETY: valid by this function's contract; what it points to is static.
        unsafe {
            let class = (*format).priv_class;
            let codecs = [(*format).video_codec, (*format).audio_codec, (*format).subtitle_codec];
            ListedFormat {
                name: text((*format).name),
                long_name: optional_text((*format).long_name),
                is_device: is_device(class),
                extensions: optional_text((*format).extensions),
                media_type: optional_text((*format).mime_type),
                default_codecs: codecs.map(codec_name),
                class: Class(class),
            }
        }
    }
}

/// The name of a codec, where it is one.
fn codec_name(id: ff::AVCodecID) -> Option<&'static str> {
    // SAFETY: looks up a static table; null is checked, and names are static.
    unsafe { ff::avcodec_descriptor_get(id).as_ref().map(|descriptor| text(descriptor.name)) }
}

fn is_device(class: *const ff::AVClass) -> bool {
    use ff::AVClassCategory as C;
    let devices = [
        C::AV_CLASS_CATEGORY_DEVICE_VIDEO_OUTPUT,
        C::AV_CLASS_CATEGORY_DEVICE_VIDEO_INPUT,
        C::AV_CLASS_CATEGORY_DEVICE_AUDIO_OUTPUT,
        C::AV_CLASS_CATEGORY_DEVICE_AUDIO_INPUT,
        C::AV_CLASS_CATEGORY_DEVICE_OUTPUT,
        C::AV_CLASS_CATEGORY_DEVICE_INPUT,
    ];
    // SAFETY: null or a static class.
    unsafe { class.as_ref() }.is_some_and(|class| devices.contains(&class.category))
}

/// Every item of one of libav's tables, by its function that gives the next one.
fn all<T, R>(
    mut next: impl FnMut(*mut *mut libc::c_void) -> *const T,
    make: impl Fn(*const T) -> R,
) -> Vec<R> {
    let mut cursor = ptr::null_mut();
    let mut items = Vec::new();
    loop {
        let item = next(&mut cursor);
        if item.is_null() {
            return items;
        }
        items.push(make(item));
    }
}

/// Every demuxer, devices among them, in libav's order.
pub fn demuxers() -> Vec<ListedFormat> {
    crate::av::init();
    // SAFETY: iterates a static table with a cursor of ours.
    unsafe { all(|cursor| ff::av_demuxer_iterate(cursor), |format| ListedFormat::demuxer(format)) }
}

/// Every muxer, devices among them, in libav's order.
pub fn muxers() -> Vec<ListedFormat> {
    crate::av::init();
    // SAFETY: iterates a static table with a cursor of ours.
    unsafe { all(|cursor| ff::av_muxer_iterate(cursor), |format| ListedFormat::muxer(format)) }
}

/// What a codec is like, and what is there for it.
#[derive(Clone, Debug)]
pub struct ListedCodec {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub long_name: Option<&'static str>,
    /// What it is for.
    pub media_type: MediaType,
    /// Each picture or piece is coded by itself.
    pub is_intra_only: bool,
    /// It can leave something out.
    pub is_lossy: bool,
    /// It can keep everything.
    pub is_lossless: bool,
    /// Its decoders, in libav's order.
    pub decoders: Vec<Coder>,
    /// Its encoders, in libav's order.
    pub encoders: Vec<Coder>,
}

/// An encoder or a decoder.
#[derive(Clone, Copy, Debug)]
pub struct Coder {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub long_name: Option<&'static str>,
    /// Whether it encodes.
    pub is_encoder: bool,
    /// What it is for.
    pub media_type: MediaType,
    /// What it can do.
    pub capabilities: Capabilities,
    codec: &'static ff::AVCodec,
}

/// What an encoder or a decoder can do: a set of the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(libc::c_uint);

#[allow(missing_docs, reason = "the names are libav's")]
impl Capabilities {
    pub const DRAW_HORIZ_BAND: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_DRAW_HORIZ_BAND as libc::c_uint);
    pub const DR1: Capabilities = Capabilities(ff::AV_CODEC_CAP_DR1 as libc::c_uint);
    pub const DELAY: Capabilities = Capabilities(ff::AV_CODEC_CAP_DELAY as libc::c_uint);
    pub const SMALL_LAST_FRAME: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_SMALL_LAST_FRAME as libc::c_uint);
    /// By its number: newer headers don't name it.
    pub const SUBFRAMES: Capabilities = Capabilities(1 << 8);
    pub const EXPERIMENTAL: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_EXPERIMENTAL as libc::c_uint);
    pub const CHANNEL_CONF: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_CHANNEL_CONF as libc::c_uint);
    pub const FRAME_THREADS: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_FRAME_THREADS as libc::c_uint);
    pub const SLICE_THREADS: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_SLICE_THREADS as libc::c_uint);
    pub const OTHER_THREADS: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_OTHER_THREADS as libc::c_uint);
    pub const PARAM_CHANGE: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_PARAM_CHANGE as libc::c_uint);
    pub const VARIABLE_FRAME_SIZE: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_VARIABLE_FRAME_SIZE as libc::c_uint);
    pub const AVOID_PROBING: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_AVOID_PROBING as libc::c_uint);
    pub const HARDWARE: Capabilities = Capabilities(ff::AV_CODEC_CAP_HARDWARE as libc::c_uint);
    pub const HYBRID: Capabilities = Capabilities(ff::AV_CODEC_CAP_HYBRID as libc::c_uint);
    pub const REORDERED_OPAQUE: Capabilities =
        Capabilities(ff::AV_CODEC_CAP_ENCODER_REORDERED_OPAQUE as libc::c_uint);
    pub const FLUSH: Capabilities = Capabilities(ff::AV_CODEC_CAP_ENCODER_FLUSH as libc::c_uint);
    /// By its number: older headers don't name it.
    pub const RECON_FRAME: Capabilities = Capabilities(1 << 22);

    /// Those of both.
    #[must_use]
    pub const fn or(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// Whether it has any of these.
    pub const fn has(self, of: Capabilities) -> bool {
        self.0 & of.0 != 0
    }

    /// Whether it has none at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What an encoder or a decoder works with; `None` where it doesn't say.
#[derive(Clone, Debug)]
pub struct CoderSupport {
    /// Kinds of devices, where there is one.
    pub devices: Option<Vec<&'static str>>,
    /// Frames a second.
    pub frame_rates: Option<Vec<(i32, i32)>>,
    /// Names of pixel formats.
    pub pixel_formats: Option<Vec<&'static str>>,
    /// Samples a second.
    pub sample_rates: Option<Vec<i32>>,
    /// Names of sample formats.
    pub sample_formats: Option<Vec<&'static str>>,
    /// Names of channel layouts.
    pub channel_layouts: Option<Vec<String>>,
}

impl Coder {
    fn of(codec: &'static ff::AVCodec) -> Coder {
        // SAFETY: an entry of libav's table, with static texts.
        unsafe {
            Coder {
                name: text(codec.name),
                long_name: optional_text(codec.long_name),
                is_encoder: ff::av_codec_is_encoder(codec) != 0,
                media_type: MediaType::of(codec.type_),
                capabilities: Capabilities(codec.capabilities as libc::c_uint),
                codec,
            }
        }
    }

    /// Its own options, and those of what it uses.
    pub fn options(&self) -> Vec<OptionTable> {
        Class(self.codec.priv_class).tables()
    }

    /// What it works with.
    #[allow(deprecated, reason = "the replacement came with FFmpeg 7.1")]
    pub fn support(&self) -> CoderSupport {
        let codec = self.codec;
        // SAFETY: the lists are null or static, and end as libav says: with NONE, or with zeros.
        unsafe {
            let rates = listed(codec.supported_framerates, |rate| rate.num == 0);
            let pixel_formats =
                listed(codec.pix_fmts, |f| *f == ff::AVPixelFormat::AV_PIX_FMT_NONE);
            let sample_formats =
                listed(codec.sample_fmts, |f| *f == ff::AVSampleFormat::AV_SAMPLE_FMT_NONE);
            let layouts = listed_in_place(codec.ch_layouts, |layout| layout.nb_channels == 0);
            CoderSupport {
                devices: self.devices(),
                frame_rates: rates.map(|all| all.iter().map(|rate| (rate.num, rate.den)).collect()),
                pixel_formats: pixel_formats
                    .map(|all| all.into_iter().map(|format| PixFmt(format).name()).collect()),
                sample_rates: listed(codec.supported_samplerates, |rate| *rate == 0),
                sample_formats: sample_formats.map(|all| {
                    let name = |format| sample_format_name(format as libc::c_int);
                    all.into_iter().map(|format| name(format).unwrap_or_default()).collect()
                }),
                channel_layouts: layouts.map(|all| all.into_iter().map(layout_name).collect()),
            }
        }
    }

    fn devices(&self) -> Option<Vec<&'static str>> {
        let mut names = Vec::new();
        for at in 0.. {
            // SAFETY: a static codec; the result is null behind the last one.
            let Some(config) = (unsafe { ff::avcodec_get_hw_config(self.codec, at).as_ref() })
            else {
                return (at > 0).then_some(names);
            };
            // SAFETY: looks up a static table; null for "no device".
            names.extend(unsafe {
                optional_text(ff::av_hwdevice_get_type_name(config.device_type))
            });
        }
        None
    }
}

/// Copies a static list of libav up to its end; `None` for null.
///
/// # Safety
/// `list` is null or points to a list with an item of which `is_end` holds.
unsafe fn listed<T: Copy + 'static>(list: *const T, is_end: fn(&T) -> bool) -> Option<Vec<T>> {
    // SAFETY: this function's contract.
    unsafe { listed_in_place(list, is_end) }.map(|items| items.into_iter().copied().collect())
}

/// As [`listed`], for what can't be copied.
///
/// # Safety
/// As there, and the list is static.
unsafe fn listed_in_place<T: 'static>(
    list: *const T,
    is_end: fn(&T) -> bool,
) -> Option<Vec<&'static T>> {
    let mut items = Vec::new();
    // SAFETY: valid up to and including its end, by this function's contract.
    unsafe {
        let mut at = list.as_ref()?;
        while !is_end(at) {
            items.push(at);
            at = &*ptr::from_ref(at).add(1);
        }
    }
    Some(items)
}

fn coders() -> Vec<Coder> {
    // SAFETY: iterates a static table with a cursor of ours, whose entries live for ever.
    unsafe { all(|cursor| ff::av_codec_iterate(cursor), |codec| Coder::of(&*codec)) }
}

/// Every codec that libav knows, in its listings' order: by what it is for, then by name.
pub fn codecs() -> Vec<ListedCodec> {
    let coders = coders();
    let mut codecs = Vec::new();
    let mut descriptor = ptr::null();
    loop {
        // SAFETY: iterates a static table: null, or the previous entry.
        descriptor = unsafe { ff::avcodec_descriptor_next(descriptor) };
        // SAFETY: null behind the last one; otherwise an entry of a static table.
        let Some(found) = (unsafe { descriptor.as_ref() }) else { break };
        let own = |is_encoder| {
            let own = coders.iter().filter(move |coder| coder.codec.id == found.id);
            own.filter(move |coder| coder.is_encoder == is_encoder).copied().collect()
        };
        let has = |property| found.props & property != 0;
        // SAFETY: static texts.
        let (name, long_name) = unsafe { (text(found.name), optional_text(found.long_name)) };
        codecs.push(ListedCodec {
            name,
            long_name,
            media_type: MediaType::of(found.type_),
            is_intra_only: has(ff::AV_CODEC_PROP_INTRA_ONLY as libc::c_int),
            is_lossy: has(ff::AV_CODEC_PROP_LOSSY as libc::c_int),
            is_lossless: has(ff::AV_CODEC_PROP_LOSSLESS as libc::c_int),
            decoders: own(false),
            encoders: own(true),
        });
    }
    codecs.sort_by_key(|codec| (codec.media_type, codec.name));
    codecs
}

/// A filter of libavfilter.
#[derive(Clone, Debug)]
pub struct ListedFilter {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: Option<&'static str>,
    /// It can be switched on and off by time.
    pub has_timeline: bool,
    /// It can use several threads.
    pub has_slice_threads: bool,
    /// Whether it takes commands while it runs; FFmpeg 8 and newer don't tell.
    pub has_commands: Option<bool>,
    /// Whether options say how many inputs it has.
    pub has_dynamic_inputs: bool,
    /// Whether options say how many outputs it has.
    pub has_dynamic_outputs: bool,
    /// The inputs it has in any case.
    pub inputs: Vec<FilterPad>,
    /// The outputs it has in any case.
    pub outputs: Vec<FilterPad>,
    class: Class,
}

/// An input or an output of a filter.
#[derive(Clone, Copy, Debug)]
pub struct FilterPad {
    /// Its name.
    pub name: &'static str,
    /// What it takes or gives.
    pub media_type: MediaType,
}

impl ListedFilter {
    /// Its options, and those of what it uses.
    pub fn options(&self) -> Vec<OptionTable> {
        self.class.tables()
    }

    fn of(filter: &'static ff::AVFilter) -> ListedFilter {
        let has = |flag| filter.flags & flag as libc::c_int != 0;
        // SAFETY: an entry of libav's table, with static texts.
        let (name, description) = unsafe { (text(filter.name), optional_text(filter.description)) };
        #[cfg(not(ffmpeg_8_0))]
        let has_commands = Some(filter.process_command.is_some());
        #[cfg(ffmpeg_8_0)]
        let has_commands = None;
        ListedFilter {
            name,
            description,
            has_timeline: has(ff::AVFILTER_FLAG_SUPPORT_TIMELINE),
            has_slice_threads: has(ff::AVFILTER_FLAG_SLICE_THREADS),
            has_commands,
            has_dynamic_inputs: has(ff::AVFILTER_FLAG_DYNAMIC_INPUTS),
            has_dynamic_outputs: has(ff::AVFILTER_FLAG_DYNAMIC_OUTPUTS),
            inputs: pads(filter, false),
            outputs: pads(filter, true),
            class: Class(filter.priv_class),
        }
    }
}

fn pads(filter: &'static ff::AVFilter, is_output: bool) -> Vec<FilterPad> {
    let pads = if is_output { filter.outputs } else { filter.inputs };
    // SAFETY: a static filter and its own pads, of which there are so many; names are static.
    unsafe {
        let count = ff::avfilter_filter_pad_count(filter, libc::c_int::from(is_output));
        (0..libc::c_int::try_from(count).unwrap_or(0))
            .map(|at| FilterPad {
                name: text(ff::avfilter_pad_get_name(pads, at)),
                media_type: MediaType::of(ff::avfilter_pad_get_type(pads, at)),
            })
            .collect()
    }
}

/// Every filter, in libav's order.
pub fn filters() -> Vec<ListedFilter> {
    // SAFETY: iterates a static table with a cursor of ours, whose entries live for ever.
    unsafe { all(|cursor| ff::av_filter_iterate(cursor), |filter| ListedFilter::of(&*filter)) }
}

/// A bit stream filter.
#[derive(Clone, Debug)]
pub struct ListedBitstreamFilter {
    /// Its name.
    pub name: &'static str,
    /// The codecs it is for; `None` for all.
    pub codecs: Option<Vec<&'static str>>,
    class: Class,
}

impl ListedBitstreamFilter {
    /// Its options, and those of what it uses.
    pub fn options(&self) -> Vec<OptionTable> {
        self.class.tables()
    }

    /// # Safety
    /// `filter` points to an entry of libav's table.
    unsafe fn of(filter: *const AVBitStreamFilter) -> ListedBitstreamFilter {
        // SAFETY: valid by this function's contract: texts and classes are static, and the list is
        // null or ends with NONE.
        unsafe {
            let codecs = listed((*filter).codec_ids, |id| *id == ff::AVCodecID::AV_CODEC_ID_NONE);
            ListedBitstreamFilter {
                name: text((*filter).name),
                codecs: codecs.map(|all| all.into_iter().map(|id| CodecId(id).name()).collect()),
                class: Class((*filter).priv_class),
            }
        }
    }
}

/// Every bit stream filter, in libav's order.
pub fn bitstream_filters() -> Vec<ListedBitstreamFilter> {
    // SAFETY: iterates a static table with a cursor of ours.
    unsafe { all(|cursor| av_bsf_iterate(cursor), |filter| ListedBitstreamFilter::of(filter)) }
}

fn protocols(direction: Direction) -> Vec<&'static str> {
    let is_output = libc::c_int::from(direction == Direction::Output);
    // SAFETY: iterates static names with a cursor of ours.
    unsafe { all(|cursor| ff::avio_enum_protocols(cursor, is_output), |name| text(name)) }
}

/// Names of the protocols that inputs can have, in libav's order.
pub fn input_protocols() -> Vec<&'static str> {
    protocols(Direction::Input)
}

/// Names of the protocols that outputs can have, in libav's order.
pub fn output_protocols() -> Vec<&'static str> {
    protocols(Direction::Output)
}

/// The options of the protocol named, and of those it uses.
pub fn protocol_options(name: &str) -> Vec<OptionTable> {
    let name = c_string(name);
    // SAFETY: the string is NUL-terminated; the result is static or null.
    Class(unsafe { ff::avio_protocol_get_class(name.as_ptr()) }).tables()
}
