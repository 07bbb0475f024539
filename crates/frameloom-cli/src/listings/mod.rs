//! What FFmpeg's libraries have, in the columns that the ffmpeg program prints: scripts read them.

mod codecs;
mod formats;
mod number;
mod option_tables;
mod part;
mod program;
mod values;

pub(crate) use codecs::{codecs, decoders, encoders};
pub(crate) use formats::{demuxers, devices, formats, muxers};
pub(crate) use part::Part;
#[cfg(test)]
pub(crate) use part::PartKind;
pub(crate) use program::{banner, build_configuration, license, version};
pub(crate) use values::{
    bitstream_filters, channel_layouts, colors, device_types, dispositions, filters, pixel_formats,
    protocols, sample_formats,
};

/// A flag's letter, or a dot where it is not set.
fn flag(letter: char, is_set: bool) -> char {
    if is_set { letter } else { '.' }
}
