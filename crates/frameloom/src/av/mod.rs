//! Owners of libav's pointers: the only place with `unsafe`.
//!
//! Each type frees what it owns, hands out no raw pointer, and turns libav's status codes into
//! [`AvError`]. Nothing here decides anything: policy lives in the modules above.

pub mod allocator;
mod bitstream_filter;
mod codec;
mod color;
mod complex_graph;
mod demux;
mod dict;
mod dump;
mod error;
mod expression;
mod ffprobe;
mod frame;
mod graph;
mod hardware;
pub mod listing;
mod local_time;
mod log;
pub(crate) mod metadata;
mod mux;
mod names;
mod option_check;
mod packet;
mod params;
mod parse;
mod parser;
mod samples;
mod scale;
mod shape;
mod subtitle;
mod writer;

pub(crate) use bitstream_filter::BitstreamFilter;
pub(crate) use codec::{Decoder, DecoderSetup, Encoder, EncoderInput, EncoderSetup, Received};
pub(crate) use color::ColorTags;
pub(crate) use complex_graph::{Advance, AvComplexGraph, ComplexInput, OpenPad};
pub(crate) use demux::{Demuxer, Interrupt, StreamInfo};
pub(crate) use dict::Dict;
pub use dump::DUMP_TARGET;
pub(crate) use dump::{dump_of_input, dump_of_output, is_dump_wanted, tell_dump};
pub use error::AvError;
pub(crate) use expression::Expression;
pub use ffprobe::{Fact, FactSection, FactValue};
pub(crate) use frame::AvFrame;
pub(crate) use graph::{AvFilterGraph, GraphInput};
pub(crate) use hardware::{
    DecodeOn, Device, DeviceDecoder, DeviceKind, Surfaces, device_decoders, has_library,
};
pub use local_time::local_time;
pub use log::{LogLevel, set_level as set_log_level};
pub(crate) use log::{init, silently};
pub(crate) use mux::{Muxer, configuration_box};
pub(crate) use names::{
    CodecId, Component, Direction, MediaKind, MuxerInfo, PixFmt, decoder_exists, demuxer_exists,
    demuxer_is_device, demuxer_takes, encoder_names, filter_exists, filter_names, find_option,
    format_names, muxer_for, option_names,
};
pub(crate) use option_check::{OptionClasses, refused_everywhere};
pub(crate) use packet::AvPacket;
pub(crate) use params::CodecParams;
pub(crate) use parse::{
    DescribedFilter, duration_micros, filters_in, is_timecode, parse_color, rate, ratio, video_size,
};
pub(crate) use parser::Parser;
pub(crate) use samples::Sample;
pub(crate) use scale::Scaler;
pub(crate) use shape::{AudioShape, VideoShape};
pub(crate) use subtitle::{AvSubtitle, SubtitleForm, SubtitlePart};
pub use writer::UrlWriter;

use crate::time::{Rate, TimeBase};
use ffmpeg_sys_next as ff;

fn rational(base: TimeBase) -> ff::AVRational {
    ff::AVRational { num: base.num(), den: base.den() }
}

fn time_base(q: ff::AVRational) -> Option<TimeBase> {
    TimeBase::new(q.num, q.den)
}

fn rate_of(q: ff::AVRational) -> Option<Rate> {
    Rate::new(q.num, q.den)
}

/// libav's "no timestamp" as an `Option`.
fn optional(ts: i64) -> Option<i64> {
    (ts != ff::AV_NOPTS_VALUE).then_some(ts)
}

fn or_no_pts(ts: Option<i64>) -> i64 {
    ts.unwrap_or(ff::AV_NOPTS_VALUE)
}

/// A C string for libav; a NUL inside ends it there, as it would in C.
fn c_string(s: &str) -> std::ffi::CString {
    let end = s.find('\0').unwrap_or(s.len());
    std::ffi::CString::new(&*crate::url::bytes(&s[..end])).unwrap_or_default()
}

/// A borrowed C string as text; `None` for null.
///
/// # Safety
/// As for [`text`].
unsafe fn optional_text<'a>(p: *const libc::c_char) -> Option<&'a str> {
    // SAFETY: this function's contract.
    (!p.is_null()).then(|| unsafe { text(p) })
}

/// A borrowed C string as text; empty for null.
///
/// # Safety
/// `p` is null or points to a NUL-terminated string that outlives `'a`.
unsafe fn text<'a>(p: *const libc::c_char) -> &'a str {
    if p.is_null() {
        return "";
    }
    // SAFETY: not null, and NUL-terminated by this function's contract.
    unsafe { std::ffi::CStr::from_ptr(p) }.to_str().unwrap_or("")
}
