//! What libav has: codecs, containers, pixel formats and options, by name.

use std::ffi::CStr;
use std::ptr;

use ffmpeg_sys_next as ff;

use super::{c_string, text};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MediaKind {
    Video,
    /// A picture that stands for the whole, such as an album's: one packet, no stream of frames.
    Cover,
    Audio,
    Subtitle,
    Data,
    /// A file of its own, such as a font.
    Attachment,
    /// What libav doesn't know.
    Other,
}

impl MediaKind {
    pub(super) fn of(kind: ff::AVMediaType) -> MediaKind {
        match kind {
            ff::AVMediaType::AVMEDIA_TYPE_VIDEO => MediaKind::Video,
            ff::AVMediaType::AVMEDIA_TYPE_AUDIO => MediaKind::Audio,
            ff::AVMediaType::AVMEDIA_TYPE_SUBTITLE => MediaKind::Subtitle,
            ff::AVMediaType::AVMEDIA_TYPE_DATA => MediaKind::Data,
            ff::AVMediaType::AVMEDIA_TYPE_ATTACHMENT => MediaKind::Attachment,
            _ => MediaKind::Other,
        }
    }

    pub(super) fn raw(self) -> ff::AVMediaType {
        match self {
            MediaKind::Video | MediaKind::Cover => ff::AVMediaType::AVMEDIA_TYPE_VIDEO,
            MediaKind::Audio => ff::AVMediaType::AVMEDIA_TYPE_AUDIO,
            MediaKind::Subtitle => ff::AVMediaType::AVMEDIA_TYPE_SUBTITLE,
            MediaKind::Data => ff::AVMediaType::AVMEDIA_TYPE_DATA,
            MediaKind::Attachment => ff::AVMediaType::AVMEDIA_TYPE_ATTACHMENT,
            MediaKind::Other => ff::AVMediaType::AVMEDIA_TYPE_UNKNOWN,
        }
    }

    /// FFmpeg's word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            MediaKind::Video | MediaKind::Cover => "video",
            MediaKind::Audio => "audio",
            MediaKind::Subtitle => "subtitle",
            MediaKind::Data => "data",
            MediaKind::Attachment => "attachment",
            MediaKind::Other => "other",
        }
    }

    /// The kind as FFmpeg has it, in specifiers, options and codecs: a cover is video.
    pub(crate) fn of_codec(self) -> MediaKind {
        match self {
            MediaKind::Cover => MediaKind::Video,
            kind => kind,
        }
    }

    /// Whether its packets come only now and then, so that no other stream waits for them.
    pub(crate) fn is_sparse(self) -> bool {
        !matches!(self, MediaKind::Video | MediaKind::Audio)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Input,
    Output,
}

/// A codec, such as H.264; not one of its implementations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodecId(pub(super) ff::AVCodecID);

impl CodecId {
    /// Whether no codec is known.
    pub(crate) fn is_none(self) -> bool {
        self.0 == ff::AVCodecID::AV_CODEC_ID_NONE
    }

    /// The codec that FFmpeg calls so, where this build of it knows one.
    pub(crate) fn named(name: &str) -> Option<CodecId> {
        let name = c_string(name);
        // SAFETY: looks up a static table; null is checked.
        let found = unsafe { ff::avcodec_descriptor_get_by_name(name.as_ptr()).as_ref() };
        found.map(|descriptor| CodecId(descriptor.id))
    }

    /// FFmpeg's name of the codec: `h264`, `aac`.
    pub(crate) fn name(self) -> &'static str {
        // SAFETY: looks up a static table.
        unsafe { text(ff::avcodec_get_name(self.0)) }
    }

    /// Uncompressed pictures or samples.
    pub(crate) fn is_raw(self) -> bool {
        matches!(self.name(), "rawvideo" | "wrapped_avframe") || self.name().starts_with("pcm_")
    }

    /// Uncompressed pictures.
    pub(crate) fn is_raw_video(self) -> bool {
        matches!(self.name(), "rawvideo" | "wrapped_avframe")
    }

    /// Whether it is made for single pictures, such as PNG; JPEG is the codec of many a video too.
    pub(crate) fn is_picture(self) -> bool {
        // SAFETY: looks up a static table; null for unknown codecs, and null where a codec has no
        // media type, are checked.
        let media_type = unsafe {
            let types = ff::avcodec_descriptor_get(self.0).as_ref().map(|d| d.mime_types);
            match types.filter(|types| !types.is_null()) {
                Some(types) if !(*types).is_null() => text(*types),
                _ => "",
            }
        };
        media_type.starts_with("image/") && self.name() != "mjpeg"
    }

    /// Whether it is meant to leave something out, as codecs for players do.
    pub(crate) fn is_lossy(self) -> bool {
        // SAFETY: looks up a static table; null for unknown codecs is checked.
        unsafe {
            let d = ff::avcodec_descriptor_get(self.0);
            !d.is_null() && (*d).props & ff::AV_CODEC_PROP_LOSSY != 0
        }
    }

    /// Whether each of its pictures is coded by itself.
    pub(crate) fn is_intra_only(self) -> bool {
        // SAFETY: looks up a static table; null for unknown codecs is checked.
        unsafe {
            let d = ff::avcodec_descriptor_get(self.0);
            !d.is_null() && (*d).props & ff::AV_CODEC_PROP_INTRA_ONLY != 0
        }
    }

    /// The encoder that libav takes for this codec when it is not told one.
    pub(crate) fn default_encoder(self) -> Option<&'static str> {
        // SAFETY: looks up a static table; null is checked.
        unsafe {
            let codec = ff::avcodec_find_encoder(self.0);
            if codec.is_null() { None } else { Some(text((*codec).name)) }
        }
    }
}

/// Copies a static list of libav that ends with `end`.
///
/// # Safety
/// `p` is null or points to such a list.
pub(super) unsafe fn list_until<T: Copy + PartialEq>(mut p: *const T, end: T) -> Vec<T> {
    let mut list = Vec::new();
    if p.is_null() {
        return list;
    }
    // SAFETY: the list is valid up to and including `end`, by this function's contract.
    unsafe {
        while *p != end {
            list.push(*p);
            p = p.add(1);
        }
    }
    list
}

/// A pixel format of libav.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PixFmt(pub(super) ff::AVPixelFormat);

impl std::fmt::Debug for PixFmt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the samples of one component of a pixel format stand (`AVComponentDescriptor`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) plane: usize,
    /// Bytes from one sample to the next.
    pub(crate) step: usize,
    /// Bytes before the first.
    pub(crate) offset: usize,
    /// Bits below the value.
    pub(crate) shift: u32,
    /// Bits of the value.
    pub(crate) depth: u32,
}

impl Component {
    /// Bytes of a sample.
    pub(crate) fn bytes(self) -> usize {
        if self.depth > 8 { 2 } else { 1 }
    }
}

impl PixFmt {
    /// From the number that libav's frames carry; `None` for "no format" and for numbers that are
    /// no format of the libraries in use.
    pub(crate) fn from_raw(raw: i32) -> Option<PixFmt> {
        if raw < 0 || raw >= ff::AVPixelFormat::AV_PIX_FMT_NB as i32 {
            return None;
        }
        // SAFETY: the enum is the C one, without gaps between 0 and NB, and `raw` is in that range.
        let fmt = unsafe { std::mem::transmute::<i32, ff::AVPixelFormat>(raw) };
        Some(PixFmt(fmt))
    }

    pub(crate) fn raw(self) -> i32 {
        self.0 as i32
    }

    pub(crate) fn named(name: &str) -> Option<PixFmt> {
        let c = c_string(name);
        // SAFETY: the string is NUL-terminated.
        let fmt = unsafe { ff::av_get_pix_fmt(c.as_ptr()) };
        if fmt == ff::AVPixelFormat::AV_PIX_FMT_NONE { None } else { Some(PixFmt(fmt)) }
    }

    pub(crate) fn name(self) -> &'static str {
        // SAFETY: looks up a static table.
        unsafe { text(ff::av_get_pix_fmt_name(self.0)) }
    }

    fn descriptor(self) -> Option<&'static ff::AVPixFmtDescriptor> {
        // SAFETY: looks up a static table; null is checked.
        unsafe { ff::av_pix_fmt_desc_get(self.0).as_ref() }
    }

    fn has(self, flag: u64) -> bool {
        self.descriptor().is_some_and(|d| d.flags & flag != 0)
    }

    pub(crate) fn is_rgb(self) -> bool {
        self.has(ff::AV_PIX_FMT_FLAG_RGB as u64)
    }

    pub(crate) fn has_alpha(self) -> bool {
        self.has(ff::AV_PIX_FMT_FLAG_ALPHA as u64)
    }

    pub(crate) fn is_paletted(self) -> bool {
        self.has(ff::AV_PIX_FMT_FLAG_PAL as u64)
    }

    pub(crate) fn is_hardware(self) -> bool {
        self.has(ff::AV_PIX_FMT_FLAG_HWACCEL as u64)
    }

    pub(crate) fn is_gray(self) -> bool {
        self.descriptor().is_some_and(|d| d.nb_components <= 2)
            && !self.is_rgb()
            && !self.is_paletted()
    }

    /// The old names of full-range YUV: `yuvj420p` and its kin.
    pub(crate) fn is_full_range_by_name(self) -> bool {
        self.name().starts_with("yuvj")
    }

    /// Chroma subsampling as powers of two, horizontally and vertically.
    pub(crate) fn chroma_shift(self) -> (u32, u32) {
        self.descriptor()
            .map_or((0, 0), |d| (u32::from(d.log2_chroma_w), u32::from(d.log2_chroma_h)))
    }

    /// Bytes of one row of `plane` in a picture `width` pixels wide, and the number of such rows
    /// in one `height` pixels high.
    pub(crate) fn plane_size(
        self,
        plane: usize,
        width: u32,
        height: u32,
    ) -> Option<(usize, usize)> {
        let w = libc::c_int::try_from(width).ok()?;
        let plane_index = libc::c_int::try_from(plane).ok()?;
        // SAFETY: computes from static tables.
        let row = unsafe { ff::av_image_get_linesize(self.0, w, plane_index) };
        let row = usize::try_from(row).ok()?;
        let chroma = (plane == 1 || plane == 2) && !self.is_rgb();
        let shift = if chroma { self.chroma_shift().1 } else { 0 };
        Some((row, (height as usize).div_ceil(1 << shift)))
    }

    pub(crate) fn plane_count(self) -> usize {
        // SAFETY: computes from static tables.
        usize::try_from(unsafe { ff::av_pix_fmt_count_planes(self.0) }).unwrap_or(0)
    }

    /// Where the samples of each component stand, alpha last; `None` for formats whose components are
    /// not whole numbers of 8 to 16 bits, each in bytes of its own.
    pub(crate) fn components(self) -> Option<Vec<Component>> {
        const OTHER: [u64; 5] = [
            ff::AV_PIX_FMT_FLAG_PAL as u64,
            ff::AV_PIX_FMT_FLAG_BITSTREAM as u64,
            ff::AV_PIX_FMT_FLAG_HWACCEL as u64,
            ff::AV_PIX_FMT_FLAG_FLOAT as u64,
            ff::AV_PIX_FMT_FLAG_BAYER as u64,
        ];
        let d = self.descriptor()?;
        // XYZ has its own meaning of three components.
        if OTHER.iter().any(|&flag| self.has(flag)) || self.name().starts_with("xyz") {
            return None;
        }
        let component = |c: &ff::AVComponentDescriptor| {
            let positive = |n: i32| usize::try_from(n).ok();
            let component = Component {
                plane: positive(c.plane)?,
                step: positive(c.step)?,
                offset: positive(c.offset)?,
                shift: u32::try_from(c.shift).ok()?,
                depth: u32::try_from(c.depth).ok()?,
            };
            let bytes = component.bytes();
            let is_whole = component.step > 0
                && component.step.is_multiple_of(bytes)
                && component.offset.is_multiple_of(bytes);
            let fits = (8..=16).contains(&component.depth)
                && component.depth + component.shift <= 8 * u32::from(bytes == 2) + 8;
            let is_other_endian = bytes == 2
                && self.has(ff::AV_PIX_FMT_FLAG_BE as u64) != cfg!(target_endian = "big");
            (is_whole && fits && !is_other_endian).then_some(component)
        };
        let all = d.comp.get(..usize::from(d.nb_components))?.iter().map(component);
        let all: Vec<Component> = all.collect::<Option<_>>()?;
        // Of uyyvyy411 the descriptor can't say that its luma lies at unequal distances.
        let first = all.first()?;
        let is_even = |(n, c): (usize, &Component)| {
            let across = if n == 1 || n == 2 { self.chroma_shift().0 } else { 0 };
            self.has(ff::AV_PIX_FMT_FLAG_RGB as u64)
                || c.plane != first.plane
                || c.step == first.step << across
        };
        all.iter().enumerate().all(is_even).then_some(all)
    }

    /// Bits of its deepest component.
    pub(crate) fn depth(self) -> u32 {
        let components = self.descriptor().map_or(&[][..], |d| &d.comp);
        let depths = components.iter().filter_map(|c| u32::try_from(c.depth).ok());
        depths.max().unwrap_or(0)
    }

    /// The one of `list` that loses least of this format.
    pub(crate) fn best_of(self, list: &[PixFmt]) -> Option<PixFmt> {
        let mut raw: Vec<ff::AVPixelFormat> = list.iter().map(|f| f.0).collect();
        raw.push(ff::AVPixelFormat::AV_PIX_FMT_NONE);
        let alpha = i32::from(self.has_alpha());
        // SAFETY: the list ends with NONE, as the function wants, and outlives the call.
        let best = unsafe {
            ff::avcodec_find_best_pix_fmt_of_list(raw.as_ptr(), self.0, alpha, ptr::null_mut())
        };
        if best == ff::AVPixelFormat::AV_PIX_FMT_NONE { None } else { Some(PixFmt(best)) }
    }

    pub(crate) fn all_names() -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut d = ptr::null();
        loop {
            // SAFETY: `d` is null or the previous entry.
            d = unsafe { ff::av_pix_fmt_desc_next(d) };
            if d.is_null() {
                return names;
            }
            // SAFETY: a static entry with a static name.
            names.push(unsafe { text((*d).name) });
        }
    }
}

/// The container an output is to be written in.
#[derive(Clone, Copy)]
pub(crate) struct MuxerInfo(pub(super) *const ff::AVOutputFormat);

// SAFETY: points to a static, immutable table.
unsafe impl Send for MuxerInfo {}
// SAFETY: as above.
unsafe impl Sync for MuxerInfo {}

impl MuxerInfo {
    fn get(&self) -> &ff::AVOutputFormat {
        // SAFETY: made from a non-null pointer to a static table only.
        unsafe { &*self.0 }
    }

    /// FFmpeg's short name, the first where it has several.
    pub(crate) fn name(&self) -> &'static str {
        // SAFETY: a static string.
        unsafe { text((*self.0).name) }.split(',').next().unwrap_or_default()
    }

    pub(crate) fn opens_no_file(&self) -> bool {
        self.get().flags & ff::AVFMT_NOFILE != 0
    }

    /// Each packet is a file of its own: the name is a pattern with a number in it, or names the
    /// one file that there can be.
    pub(crate) fn is_file_per_packet(&self) -> bool {
        self.name() == "image2"
    }

    /// It holds pictures of this codec as the cover of a sound file only.
    pub(crate) fn holds_as_cover(&self, codec: CodecId) -> bool {
        const APIC: i32 = i32::from_le_bytes(*b"APIC");
        // SAFETY: looks up static tables.
        unsafe { ff::avformat_query_codec(self.0, codec.0, ff::FF_COMPLIANCE_NORMAL) == APIC }
    }

    /// Two packets of a stream may have the same dts.
    pub(crate) fn allows_equal_dts(&self) -> bool {
        self.get().flags & ff::AVFMT_TS_NONSTRICT != 0
    }

    /// Whether it takes what holds midway for the packets of a stream beside them. That of FLV writes
    /// it, those of MPEG-TS put it into packets that have start codes; others take it for what holds
    /// from the beginning.
    pub(crate) fn takes_new_extradata(&self, kind: MediaKind) -> bool {
        match self.name() {
            "flv" => true,
            "mpegts" | "hls" | "srt" | "rtp_mpegts" => kind == MediaKind::Video,
            _ => false,
        }
    }

    pub(crate) fn wants_global_header(&self) -> bool {
        self.get().flags & ff::AVFMT_GLOBALHEADER != 0
    }

    /// Whether the container, or one of the protocols, has an option of this name.
    pub(crate) fn takes(&self, option: &str, schemes: &[impl AsRef<str>]) -> bool {
        let own = self.get().priv_class;
        let any_protocol = ["protocol_whitelist", "protocol_blacklist"];
        any_protocol.contains(&option) || format_takes(own, schemes, option)
    }

    /// Whether libav says that it holds the codec; `None` where it doesn't say.
    pub(crate) fn holds(&self, codec: CodecId) -> Option<bool> {
        // SAFETY: looks up static tables.
        match unsafe { ff::avformat_query_codec(self.0, codec.0, ff::FF_COMPLIANCE_NORMAL) } {
            1 => Some(true),
            0 => Some(false),
            _ => None,
        }
    }

    /// The codec that libav would take for a file of this name.
    pub(crate) fn default_codec(&self, file: &str, kind: MediaKind) -> Option<CodecId> {
        if matches!(kind, MediaKind::Attachment | MediaKind::Other) {
            return None;
        }
        let kind = kind.raw();
        let name = c_string(file);
        // SAFETY: the table is static and the string NUL-terminated.
        let id =
            unsafe { ff::av_guess_codec(self.0, ptr::null(), name.as_ptr(), ptr::null(), kind) };
        (id != ff::AVCodecID::AV_CODEC_ID_NONE).then_some(CodecId(id))
    }
}

/// Whether the class has an option of this name.
pub(super) fn has_option(class: *const ff::AVClass, name: &CStr) -> bool {
    !find_in(class, name, 0).is_null()
}

/// The option of this name that a class has for all of `flags`; null where it has none.
pub(super) fn find_in(
    mut class: *const ff::AVClass,
    name: &CStr,
    flags: libc::c_int,
) -> *const ff::AVOption {
    if class.is_null() {
        return ptr::null();
    }
    let object: *mut *const ff::AVClass = &mut class;
    let search = ff::AV_OPT_SEARCH_FAKE_OBJ as libc::c_int;
    // SAFETY: with FAKE_OBJ the object is a pointer to a class pointer, both of which outlive the
    // call; classes are static tables, and the name is NUL-terminated.
    unsafe { ff::av_opt_find(object.cast(), name.as_ptr(), ptr::null(), flags, search) }
}

/// Whether libavformat in general, the demuxer named or one of the protocols has an option of this
/// name.
pub(crate) fn demuxer_takes(format: &str, schemes: &[impl AsRef<str>], option: &str) -> bool {
    let found = demuxer(format);
    // SAFETY: a static entry or null.
    let own = unsafe { found.as_ref() }.map_or(ptr::null(), |d| d.priv_class);
    format_takes(own, schemes, option)
}

/// As [`demuxer_takes`], by the class of a demuxer or muxer.
fn format_takes(own: *const ff::AVClass, schemes: &[impl AsRef<str>], option: &str) -> bool {
    let name = c_string(option);
    // SAFETY: a static class table.
    let general = unsafe { ff::avformat_get_class() };
    let protocols = schemes.iter().map(|scheme| {
        // SAFETY: looks up a static table, which may be null; the string is NUL-terminated.
        unsafe { ff::avio_protocol_get_class(c_string(scheme.as_ref()).as_ptr()) }
    });
    let mut classes = [general, own].into_iter().chain(protocols);
    option == "rw_timeout" || classes.any(|class| has_option(class, &name))
}

/// The muxer named, or the one that the output's name asks for.
pub(crate) fn muxer_for(format: Option<&str>, url: &str) -> Option<MuxerInfo> {
    super::init();
    let url = c_string(url);
    let name = format.map(c_string);
    // SAFETY: NUL-terminated strings or null; the result is static or null.
    let found = unsafe {
        match &name {
            Some(name) => ff::av_guess_format(name.as_ptr(), ptr::null(), ptr::null()),
            None => ff::av_guess_format(ptr::null(), url.as_ptr(), ptr::null()),
        }
    };
    (!found.is_null()).then_some(MuxerInfo(found))
}

pub(super) fn demuxer(name: &str) -> *const ff::AVInputFormat {
    super::init();
    let c = c_string(name);
    // SAFETY: the string is NUL-terminated.
    unsafe { ff::av_find_input_format(c.as_ptr()) }
}

pub(crate) fn demuxer_exists(name: &str) -> bool {
    !demuxer(name).is_null()
}

/// Whether the demuxer is a capture device rather than a file format.
pub(crate) fn demuxer_is_device(name: &str) -> bool {
    let found = demuxer(name);
    if found.is_null() {
        return false;
    }
    // SAFETY: a static entry; its class may be null.
    let class = unsafe { (*found).priv_class.as_ref() };
    class.is_some_and(|c| {
        matches!(
            c.category,
            ff::AVClassCategory::AV_CLASS_CATEGORY_DEVICE_VIDEO_INPUT
                | ff::AVClassCategory::AV_CLASS_CATEGORY_DEVICE_AUDIO_INPUT
        )
    })
}

pub(crate) fn format_names(direction: Direction) -> Vec<&'static str> {
    super::init();
    let mut names = Vec::new();
    let mut opaque = ptr::null_mut();
    loop {
        // SAFETY: iterates static tables with an opaque cursor of ours.
        let name = unsafe {
            match direction {
                Direction::Input => {
                    let f = ff::av_demuxer_iterate(&mut opaque);
                    if f.is_null() { return names } else { text((*f).name) }
                }
                Direction::Output => {
                    let f = ff::av_muxer_iterate(&mut opaque);
                    if f.is_null() { return names } else { text((*f).name) }
                }
            }
        };
        names.extend(name.split(','));
    }
}

fn codecs() -> Vec<&'static ff::AVCodec> {
    let mut all = Vec::new();
    let mut opaque = ptr::null_mut();
    loop {
        // SAFETY: iterates a static table with an opaque cursor of ours.
        match unsafe { ff::av_codec_iterate(&mut opaque).as_ref() } {
            Some(codec) => all.push(codec),
            None => return all,
        }
    }
}

/// Names of every encoder of a kind, and of the codecs they encode.
pub(crate) fn encoder_names(kind: MediaKind) -> Vec<&'static str> {
    let mut names: Vec<&str> = codecs()
        .into_iter()
        // SAFETY: entries of the static table.
        .filter(|c| unsafe { ff::av_codec_is_encoder(*c) } != 0 && MediaKind::of(c.type_) == kind)
        // SAFETY: static names.
        .flat_map(|c| [unsafe { text(c.name) }, CodecId(c.id).name()])
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

pub(crate) fn decoder_exists(name: &str) -> bool {
    let c = c_string(name);
    // SAFETY: the string is NUL-terminated; the result is static or null.
    !unsafe { ff::avcodec_find_decoder_by_name(c.as_ptr()) }.is_null()
}

pub(crate) fn filter_exists(name: &str) -> bool {
    let c = c_string(name);
    // SAFETY: the string is NUL-terminated; the result is static or null.
    !unsafe { ff::avfilter_get_by_name(c.as_ptr()) }.is_null()
}

pub(crate) fn filter_names() -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut opaque = ptr::null_mut();
    loop {
        // SAFETY: iterates a static table with an opaque cursor of ours; names are static.
        let name = unsafe { ff::av_filter_iterate(&mut opaque).as_ref().map(|f| text(f.name)) };
        match name {
            Some(name) => names.push(name),
            None => return names,
        }
    }
}

/// Which parts of libav know an option of some name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OptionScope {
    pub(crate) codec: bool,
    pub(crate) format: bool,
    /// Of the codecs' option: it is for audio.
    pub(crate) audio: bool,
    /// Of the codecs' option: it is for video.
    pub(crate) video: bool,
    /// Of the codecs' option: it is for subtitles.
    pub(crate) subtitles: bool,
}

impl OptionScope {
    pub(crate) fn is_known(self) -> bool {
        self.codec || self.format
    }
}

fn classes() -> [(*const ff::AVClass, bool); 2] {
    super::init();
    // SAFETY: return static tables.
    unsafe { [(ff::avcodec_get_class(), true), (ff::avformat_get_class(), false)] }
}

/// Looks an AVOption up in everything that an input or an output may use.
pub(crate) fn find_option(name: &str, direction: Direction) -> OptionScope {
    let name = c_string(name);
    let wanted = match direction {
        Direction::Input => ff::AV_OPT_FLAG_DECODING_PARAM,
        Direction::Output => ff::AV_OPT_FLAG_ENCODING_PARAM,
    };
    let search = ff::AV_OPT_SEARCH_CHILDREN | ff::AV_OPT_SEARCH_FAKE_OBJ;
    let mut scope = OptionScope::default();
    for (mut class, codec) in classes() {
        // SAFETY: with FAKE_OBJ the object is a pointer to a class pointer, both of which outlive
        // the call; the result is static or null.
        let found = unsafe {
            let object: *mut *const ff::AVClass = &mut class;
            let by_flag = ff::av_opt_find(
                object.cast(),
                name.as_ptr(),
                ptr::null(),
                wanted as libc::c_int,
                search as libc::c_int,
            );
            // Protocols and devices often leave the direction unsaid.
            let any = ff::av_opt_find(
                object.cast(),
                name.as_ptr(),
                ptr::null(),
                0,
                search as libc::c_int,
            );
            if codec {
                let flags = by_flag.as_ref().map_or(0, |o| o.flags);
                scope.audio = flags & ff::AV_OPT_FLAG_AUDIO_PARAM as libc::c_int != 0;
                scope.video = flags & ff::AV_OPT_FLAG_VIDEO_PARAM as libc::c_int != 0;
                scope.subtitles = flags & ff::AV_OPT_FLAG_SUBTITLE_PARAM as libc::c_int != 0;
            }
            !by_flag.is_null() || (!codec && !any.is_null())
        };
        if codec { scope.codec = found } else { scope.format = found }
    }
    scope
}

/// Every option name of codecs, containers and protocols.
pub(crate) fn option_names() -> Vec<&'static str> {
    let mut names = Vec::new();
    for (class, _) in classes() {
        own_options(class, &mut names);
        let mut opaque = ptr::null_mut();
        loop {
            // SAFETY: iterates static classes with an opaque cursor of ours.
            let child = unsafe { ff::av_opt_child_class_iterate(class, &mut opaque) };
            if child.is_null() {
                break;
            }
            own_options(child, &mut names);
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn own_options(mut class: *const ff::AVClass, names: &mut Vec<&'static str>) {
    let object: *mut *const ff::AVClass = &mut class;
    let mut option = ptr::null();
    loop {
        // SAFETY: av_opt_next reads nothing of the object but its first member, the class.
        option = unsafe { ff::av_opt_next(object.cast(), option) };
        if option.is_null() {
            return;
        }
        // SAFETY: a static entry with a static name.
        let (name, is_constant) = unsafe { (text((*option).name), is_constant(option)) };
        if !is_constant {
            names.push(name);
        }
    }
}

/// The number of an option's kind. It need not be a variant of the bindings' enum: a list's has a bit
/// more.
///
/// # Safety
/// `option` points to an entry of a static table.
pub(super) unsafe fn kind_number(option: *const ff::AVOption) -> u32 {
    // SAFETY: valid by this function's contract, and read as the integer that it is in C.
    unsafe { ptr::addr_of!((*option).type_).cast::<u32>().read() }
}

/// Whether the entry is a name for a value and no option.
///
/// # Safety
/// `option` points to an entry of a static table.
pub(super) unsafe fn is_constant(option: *const ff::AVOption) -> bool {
    // SAFETY: this function's contract.
    unsafe { kind_number(option) == ff::AVOptionType::AV_OPT_TYPE_CONST as u32 }
}
