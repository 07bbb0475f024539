//! What is in libav's tables, as plain data: what the listings of the command line show.

mod options;
mod parts;
mod values;

pub(super) use options::Class;
pub use options::{
    OptionConstant, OptionDefault, OptionEntry, OptionFlags, OptionKind, OptionTable,
};
pub use parts::{
    Capabilities, Coder, CoderSupport, FilterPad, ListedBitstreamFilter, ListedCodec, ListedFilter,
    ListedFormat, MediaType, bitstream_filters, codecs, demuxers, filters, input_protocols, muxers,
    output_protocols, protocol_options,
};
pub use values::{
    ListedChannel, ListedColor, ListedLayout, ListedLibrary, ListedPixelFormat, channel_layouts,
    channels, colors, configuration, device_types, dispositions, ffmpeg_version, libraries,
    license, pixel_formats, sample_format_lines,
};

/// Whether the libraries are those of FFmpeg 7.1 or newer, whose program's listings have other
/// columns.
pub const SINCE_7_1: bool = cfg!(ffmpeg_7_1);
/// The same of FFmpeg 8.0.
pub const SINCE_8_0: bool = cfg!(ffmpeg_8_0);
/// What the program calls 1024 bytes: another name since FFmpeg 7.0.
pub const KIBIBYTE: &str = if cfg!(ffmpeg_7_0) { "KiB" } else { "kB" };
