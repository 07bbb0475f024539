//! What the ffprobe program tells of a container, as plain data in its order.

use std::ffi::CStr;

use ffmpeg_sys_next as ff;

use super::metadata::Tags;
use super::{AvPacket, Demuxer, MediaKind, PixFmt, dict, optional, text};

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactValue {
    /// A number.
    Number(i64),
    /// Anything else, and numbers that ffprobe writes as text.
    Text(String),
    /// It isn't known: what stands in its place where even that is told.
    Unknown(&'static str),
}

/// A key and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// ffprobe's key.
    pub key: &'static str,
    /// Its value.
    pub value: FactValue,
}

/// A part of what is told: the container, a stream, a chapter, a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactSection {
    /// What is said of it.
    pub facts: Vec<Fact>,
    /// What a stream is for, each with 1 or 0.
    pub disposition: Vec<(&'static str, i64)>,
    /// Tags, names and values.
    pub tags: Tags,
    /// By how many degrees a stream's pictures are turned, and the matrix that says so.
    pub turned: Option<(i64, String)>,
}

impl FactSection {
    fn add(&mut self, key: &'static str, value: FactValue) {
        self.facts.push(Fact { key, value });
    }

    fn number(&mut self, key: &'static str, value: impl Into<i64>) {
        self.add(key, FactValue::Number(value.into()));
    }

    fn text(&mut self, key: &'static str, value: impl Into<String>) {
        self.add(key, FactValue::Text(value.into()));
    }

    /// A text; `unknown` where there is none.
    fn known(&mut self, key: &'static str, value: Option<String>, unknown: &'static str) {
        self.add(key, value.map_or(FactValue::Unknown(unknown), FactValue::Text));
    }

    /// A text that is no more than its number, where that is above 0.
    fn counted(&mut self, key: &'static str, value: i64) {
        self.known(key, Some(value).filter(|value| *value > 0).map(|v| v.to_string()), NOT_KNOWN);
    }

    /// A time in ticks, and the same in seconds.
    fn time(&mut self, keys: [&'static str; 2], ticks: Option<i64>, base: ff::AVRational) {
        let [in_ticks, in_seconds] = keys;
        self.add(in_ticks, ticks.map_or(FactValue::Unknown(NOT_KNOWN), FactValue::Number));
        self.known(in_seconds, ticks.map(|ticks| seconds(ticks, base)), NOT_KNOWN);
    }

    /// Says how many packets, or frames, were read of it.
    pub fn count(&mut self, key: &'static str, number: u64) {
        if let Some(fact) = self.facts.iter_mut().find(|fact| fact.key == key) {
            fact.value = FactValue::Text(number.to_string());
        }
    }
}

const NOT_KNOWN: &str = "N/A";

/// H.273's numbers, by FFmpeg's names; empty where there is none.
const SPACES: &[&str] = &[
    "gbr",
    "bt709",
    "",
    "",
    "fcc",
    "bt470bg",
    "smpte170m",
    "smpte240m",
    "ycgco",
    "bt2020nc",
    "bt2020c",
    "smpte2085",
    "chroma-derived-nc",
    "chroma-derived-c",
    "ictcp",
];
const TRANSFERS: &[&str] = &[
    "",
    "bt709",
    "",
    "",
    "bt470m",
    "bt470bg",
    "smpte170m",
    "smpte240m",
    "linear",
    "log100",
    "log316",
    "iec61966-2-4",
    "bt1361e",
    "iec61966-2-1",
    "bt2020-10",
    "bt2020-12",
    "smpte2084",
    "smpte428",
    "arib-std-b67",
];
const PRIMARIES: &[&str] = &[
    "",
    "bt709",
    "",
    "",
    "bt470m",
    "bt470bg",
    "smpte170m",
    "smpte240m",
    "film",
    "bt2020",
    "smpte428",
    "smpte431",
    "smpte432",
];
const RANGES: &[&str] = &["", "tv", "pc"];
const LOCATIONS: &[&str] = &["", "left", "center", "topleft", "top", "bottomleft", "bottom"];
const FIELD_ORDERS: &[&str] = &["", "progressive", "tt", "bb", "tb", "bt"];

fn named(names: &[&str], number: i32) -> Option<String> {
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    name.filter(|name| !name.is_empty()).map(|name| (*name).to_owned())
}

/// Seconds with six digits behind the point, as C's `%f` writes them.
fn seconds(ticks: i64, base: ff::AVRational) -> String {
    let (num, den) = (i128::from(base.num), i128::from(base.den.max(1)));
    let micros = i128::from(ticks) * num * 1_000_000;
    // To the nearest, and away from 0 where two are as near.
    let rounded = (2 * micros.abs() + den) / (2 * den);
    let sign = if micros < 0 && rounded > 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", rounded / 1_000_000, rounded % 1_000_000)
}

fn fraction(rational: ff::AVRational, between: char) -> String {
    format!("{}{between}{}", rational.num, rational.den)
}

/// A code of four letters as FFmpeg writes it: what is no letter as its number.
fn four_letters(tag: u32) -> String {
    let shown = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b' ' | b'-' | b'_' => {
            char::from(byte).to_string()
        }
        _ => format!("[{byte}]"),
    };
    tag.to_le_bytes().map(shown).concat()
}

/// FFmpeg's words for what a stream can be for, with their bits.
fn dispositions() -> impl Iterator<Item = (&'static str, i32)> {
    (0..31).filter_map(|bit| {
        let bits = 1 << bit;
        // SAFETY: looks up a static table; null is checked.
        let name = unsafe {
            let name = ff::av_disposition_to_string(bits);
            if name.is_null() { "" } else { CStr::from_ptr(name).to_str().unwrap_or("") }
        };
        (!name.is_empty()).then_some((name, bits))
    })
}

impl Demuxer {
    /// The container as a whole, named `url`.
    pub(crate) fn format_facts(&self, url: &str) -> FactSection {
        let ctx = self.context();
        let mut section = FactSection::default();
        section.text("filename", url);
        section.number("nb_streams", ctx.nb_streams);
        section.number("nb_programs", ctx.nb_programs);
        #[cfg(ffmpeg_7_0)]
        section.number("nb_stream_groups", ctx.nb_stream_groups);
        section.text("format_name", self.format_name());
        // SAFETY: an open context has an input format with static names.
        let long_name = unsafe { text((*ctx.iformat).long_name) };
        section.known(
            "format_long_name",
            Some(long_name.to_owned()).filter(|name| !name.is_empty()),
            "unknown",
        );
        let micros = ff::AVRational { num: 1, den: 1_000_000 };
        let time = |time: i64| optional(time).map(|time| seconds(time, micros));
        section.known("start_time", time(ctx.start_time), NOT_KNOWN);
        section.known("duration", time(ctx.duration), NOT_KNOWN);
        section.known("size", self.bytes().map(|bytes| bytes.to_string()), NOT_KNOWN);
        section.counted("bit_rate", ctx.bit_rate);
        section.number("probe_score", ctx.probe_score);
        // SAFETY: null or a dictionary.
        section.tags = unsafe { dict::pairs(ctx.metadata) };
        section
    }

    /// Every chapter.
    pub(crate) fn chapter_facts(&self) -> Vec<FactSection> {
        let ctx = self.context();
        let chapter = |n: usize| {
            // SAFETY: an open context has as many chapters as it says.
            let chapter = unsafe { &**ctx.chapters.add(n) };
            let mut section = FactSection::default();
            section.number("id", chapter.id);
            section.text("time_base", fraction(chapter.time_base, '/'));
            section.time(["start", "start_time"], optional(chapter.start), chapter.time_base);
            section.time(["end", "end_time"], optional(chapter.end), chapter.time_base);
            // SAFETY: null or a dictionary.
            section.tags = unsafe { dict::pairs(chapter.metadata) };
            section
        };
        (0..ctx.nb_chapters as usize).map(chapter).collect()
    }

    /// The stream of this index.
    pub(crate) fn stream_facts(&self, index: usize) -> FactSection {
        let mut section = FactSection::default();
        let Ok(info) = self.stream(index) else { return section };
        // SAFETY: the index was within the array, whose entries and their parameters are valid.
        let (st, par) = unsafe {
            let st = *self.context().streams.add(index);
            (&*st, &*(*st).codecpar)
        };
        // SAFETY: looks up a static table; null is checked.
        let descriptor = unsafe { ff::avcodec_descriptor_get(par.codec_id).as_ref() };
        // SAFETY: static names, or null.
        let name = |name: Option<*const libc::c_char>| unsafe { name.map_or("", |n| text(n)) };
        let stated = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        section.number("index", st.index);
        section.known("codec_name", stated(name(descriptor.map(|d| d.name))), "unknown");
        let long_name = name(descriptor.map(|d| d.long_name));
        section.known("codec_long_name", stated(long_name), "unknown");
        let profile = info.params.profile_name().map(str::to_owned);
        // The number where it has no name.
        let profile = profile.or_else(|| (par.profile >= 0).then(|| par.profile.to_string()));
        section.known("profile", profile, "unknown");
        section.known("codec_type", kind_name(info.kind), "unknown");
        section.text("codec_tag_string", four_letters(par.codec_tag));
        section.text("codec_tag", format!("{:#06x}", par.codec_tag));
        match info.kind.of_codec() {
            MediaKind::Video => self.picture_facts(&mut section, par, &info),
            MediaKind::Audio => {
                // SAFETY: looks up a static table; null is checked.
                let format = unsafe {
                    let format = ff::av_get_sample_fmt_name(sample_format(par.format));
                    if format.is_null() { "" } else { text(format) }
                };
                section.known("sample_fmt", stated(format), "unknown");
                section.text("sample_rate", par.sample_rate.to_string());
                section.number("channels", par.ch_layout.nb_channels);
                let is_laid_out =
                    par.ch_layout.order != ff::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC;
                let layout = is_laid_out.then(|| info.params.channel_layout());
                section.known("channel_layout", layout, "unknown");
                // SAFETY: looks up a static table.
                section
                    .number("bits_per_sample", unsafe { ff::av_get_bits_per_sample(par.codec_id) });
            }
            MediaKind::Subtitle => {
                for (key, size) in [("width", par.width), ("height", par.height)] {
                    match size {
                        0 => section.add(key, FactValue::Unknown(NOT_KNOWN)),
                        size => section.number(key, size),
                    }
                }
            }
            _ => {}
        }
        // SAFETY: an open context has an input format.
        let flags = unsafe { (*self.context().iformat).flags };
        let shows_ids = flags & ff::AVFMT_SHOW_IDS as libc::c_int != 0;
        section.known("id", shows_ids.then(|| format!("{:#x}", st.id)), NOT_KNOWN);
        section.text("r_frame_rate", fraction(st.r_frame_rate, '/'));
        section.text("avg_frame_rate", fraction(st.avg_frame_rate, '/'));
        section.text("time_base", fraction(st.time_base, '/'));
        section.time(["start_pts", "start_time"], optional(st.start_time), st.time_base);
        section.time(["duration_ts", "duration"], optional(st.duration), st.time_base);
        section.counted("bit_rate", par.bit_rate);
        section.counted("bits_per_raw_sample", par.bits_per_raw_sample.into());
        section.counted("nb_frames", st.nb_frames);
        section.counted("nb_read_frames", 0);
        section.counted("nb_read_packets", 0);
        if par.extradata_size > 0 {
            section.number("extradata_size", par.extradata_size);
        }
        let has = |(name, bits): (&'static str, i32)| (name, i64::from(st.disposition & bits != 0));
        section.disposition = dispositions().map(has).collect();
        section.tags = info.tags.clone();
        section.turned = info.display_matrix.map(turned);
        section
    }

    fn picture_facts(
        &self,
        section: &mut FactSection,
        par: &ff::AVCodecParameters,
        info: &super::StreamInfo,
    ) {
        section.number("width", par.width);
        section.number("height", par.height);
        // What a decoder has before it has decoded anything.
        section.number("coded_width", par.width);
        section.number("coded_height", par.height);
        section.number("has_b_frames", par.video_delay);
        let shape = info.sample_aspect_ratio.map(|(num, den)| {
            let (mut x, mut y) = (0, 0);
            let (width, height) =
                (i64::from(par.width) * i64::from(num), i64::from(par.height) * i64::from(den));
            // SAFETY: two places for the result.
            unsafe { ff::av_reduce(&mut x, &mut y, width, height, 1024 * 1024) };
            (format!("{num}:{den}"), format!("{x}:{y}"))
        });
        section.known("sample_aspect_ratio", shape.clone().map(|(pixel, _)| pixel), NOT_KNOWN);
        section.known("display_aspect_ratio", shape.map(|(_, shown)| shown), NOT_KNOWN);
        let format = PixFmt::from_raw(par.format).map(|format| format.name().to_owned());
        section.known("pix_fmt", format, "unknown");
        section.number("level", par.level);
        let colors = info.params.colors();
        section.known("color_range", named(RANGES, colors.range), "unknown");
        section.known("color_space", named(SPACES, colors.space), "unknown");
        section.known("color_transfer", named(TRANSFERS, colors.transfer), "unknown");
        section.known("color_primaries", named(PRIMARIES, colors.primaries), "unknown");
        section.known("chroma_location", named(LOCATIONS, colors.chroma_location), "unspecified");
        // Read as the integer that it is in C.
        // SAFETY: a field of valid parameters, of the size of an int.
        let order = unsafe { (&raw const par.field_order).cast::<i32>().read() };
        section.known("field_order", named(FIELD_ORDERS, order), "unknown");
    }

    /// A packet of it.
    pub(crate) fn packet_facts(&self, packet: &AvPacket) -> FactSection {
        let mut section = FactSection::default();
        let Ok(info) = self.stream(packet.stream()) else { return section };
        let base = super::rational(info.time_base);
        section.known("codec_type", kind_name(info.kind), "unknown");
        section.number("stream_index", i64::try_from(packet.stream()).unwrap_or(0));
        section.time(["pts", "pts_time"], packet.pts(), base);
        section.time(["dts", "dts_time"], packet.dts(), base);
        let duration = Some(packet.duration()).filter(|duration| *duration > 0);
        section.time(["duration", "duration_time"], duration, base);
        section.text("size", packet.size().to_string());
        let position = packet.position();
        section.known("pos", position.map(|position| position.to_string()), NOT_KNOWN);
        section.text("flags", packet.flag_letters());
        section
    }
}

fn kind_name(kind: MediaKind) -> Option<String> {
    Some(kind.name()).filter(|_| kind != MediaKind::Other).map(str::to_owned)
}

/// libav's format of samples of this number.
fn sample_format(number: i32) -> ff::AVSampleFormat {
    use ff::AVSampleFormat as Format;
    match number {
        0 => Format::AV_SAMPLE_FMT_U8,
        1 => Format::AV_SAMPLE_FMT_S16,
        2 => Format::AV_SAMPLE_FMT_S32,
        3 => Format::AV_SAMPLE_FMT_FLT,
        4 => Format::AV_SAMPLE_FMT_DBL,
        5 => Format::AV_SAMPLE_FMT_U8P,
        6 => Format::AV_SAMPLE_FMT_S16P,
        7 => Format::AV_SAMPLE_FMT_S32P,
        8 => Format::AV_SAMPLE_FMT_FLTP,
        9 => Format::AV_SAMPLE_FMT_DBLP,
        10 => Format::AV_SAMPLE_FMT_S64,
        11 => Format::AV_SAMPLE_FMT_S64P,
        _ => Format::AV_SAMPLE_FMT_NONE,
    }
}

/// What a display matrix says: degrees, and its numbers in three rows.
fn turned(matrix: [i32; 9]) -> (i64, String) {
    // SAFETY: nine numbers, which are only read.
    let degrees = unsafe { ff::av_display_rotation_get(matrix.as_ptr()) };
    let row = |(n, row): (usize, &[i32])| {
        let numbers: String = row.iter().map(|number| format!(" {number:11}")).collect();
        format!("\n{n:08x}: {numbers}")
    };
    let rows: String = matrix.chunks(3).enumerate().map(row).collect();
    ((degrees.round()) as i64, rows + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_six_digits() {
        let base = |den| ff::AVRational { num: 1, den };
        for (ticks, den, shown) in [
            (0, 25, "0.000000"),
            (1, 3, "0.333333"),
            (2, 3, "0.666667"),
            (-1024, 44100, "-0.023220"),
            (25600, 12800, "2.000000"),
            (90000 * 3600 * 30, 90000, "108000.000000"),
        ] {
            assert_eq!(seconds(ticks, base(den)), shown);
        }
    }

    #[test]
    fn a_tag_is_shown_in_letters() {
        assert_eq!(four_letters(u32::from_le_bytes(*b"avc1")), "avc1");
        assert_eq!(four_letters(0), "[0][0][0][0]");
        assert_eq!(four_letters(27), "[27][0][0][0]");
    }
}
