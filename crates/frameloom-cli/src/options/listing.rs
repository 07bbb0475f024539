//! The options that list what FFmpeg's libraries have, and end the run.

use frameloom::internal::{Group, Row, Scope, ValueType};

use super::verb::Verb;
use crate::listings;

/// An option that prints a list.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) row: Row,
    /// What it prints.
    pub(crate) text: fn() -> String,
}

/// The verbs that take them.
pub(crate) const VERBS: &[Verb] = &[Verb::Run, Verb::Probe];

/// The listing of this name, without its dash.
pub(crate) fn find(name: &str) -> Option<&'static Listing> {
    TABLE.iter().find(|listing| listing.row.is_named(name))
}

const fn listing(name: &'static str, help: &'static str, text: fn() -> String) -> Listing {
    let row = Row::ffmpeg(name, Scope::Global, ValueType::Flag, help).group(Group::Listings);
    Listing { row, text }
}

/// Every listing, in the order that they are shown in.
pub(crate) const TABLE: &[Listing] = &[
    listing("formats", "containers and devices", listings::formats),
    listing("muxers", "what writes containers", listings::muxers),
    listing("demuxers", "what reads containers", listings::demuxers),
    listing("devices", "capture and playback devices", listings::devices),
    listing("codecs", "codecs, with the encoders and decoders for each", listings::codecs),
    listing("encoders", "encoders", listings::encoders),
    listing("decoders", "decoders", listings::decoders),
    listing("filters", "filters", listings::filters),
    listing("bsfs", "bit stream filters", listings::bitstream_filters),
    listing("protocols", "protocols of inputs and outputs", listings::protocols),
    listing("hwaccels", "kinds of devices that decode and encode", listings::device_types),
    listing("pix_fmts", "pixel formats", listings::pixel_formats),
    listing("sample_fmts", "formats of audio samples", listings::sample_formats),
    listing("layouts", "audio channels and their layouts", listings::channel_layouts),
    listing("colors", "names of colours", listings::colors),
    listing("dispositions", "what a stream can be marked as", listings::dispositions),
    listing("buildconf", "how FFmpeg's libraries were configured", listings::build_configuration),
    listing("L", "the licences", listings::license),
];
