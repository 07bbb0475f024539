//! Codecs, encoders and decoders.

use std::fmt::Write;

use frameloom::internal::listing::{self, Capabilities, Coder, ListedCodec, MediaType, SINCE_7_1};

use super::flag;

const CODECS: &str = "\
Codecs:
 D..... = Decoding supported
 .E.... = Encoding supported
 ..V... = Video codec
 ..A... = Audio codec
 ..S... = Subtitle codec
 ..D... = Data codec
 ..T... = Attachment codec
 ...I.. = Intra frame-only codec
 ....L. = Lossy compression
 .....S = Lossless compression
 -------
";

const CODERS: &str = " V..... = Video
 A..... = Audio
 S..... = Subtitle
 .F.... = Frame-level multithreading
 ..S... = Slice-level multithreading
 ...X.. = Codec is experimental
 ....B. = Supports draw_horiz_band
 .....D = Supports direct rendering method 1
 ------
";

/// The letter that stands for what a stream holds.
pub(super) fn letter(media_type: MediaType) -> char {
    match media_type {
        MediaType::Video => 'V',
        MediaType::Audio => 'A',
        MediaType::Data => 'D',
        MediaType::Subtitle => 'S',
        MediaType::Attachment => 'T',
        MediaType::Unknown => '?',
    }
}

/// `-codecs`.
pub(crate) fn codecs() -> String {
    let mut text = CODECS.to_owned();
    // These are names for what is listed already.
    for codec in listing::codecs().iter().filter(|codec| !codec.name.contains("_deprecated")) {
        let flags = [
            flag('D', !codec.decoders.is_empty()),
            flag('E', !codec.encoders.is_empty()),
            letter(codec.media_type),
            flag('I', codec.is_intra_only),
            flag('L', codec.is_lossy),
            flag('S', codec.is_lossless),
        ];
        let flags = String::from_iter(flags);
        let long_name = codec.long_name.unwrap_or_default();
        // Writing to a String can't fail, here and below.
        let _ = write!(text, " {flags} {:<20} {long_name}", codec.name);
        text += &names(codec, "decoders", &codec.decoders);
        text += &names(codec, "encoders", &codec.encoders);
        text.push('\n');
    }
    text
}

/// The names of a codec's decoders or encoders, unless there is no other name than its own.
fn names(codec: &ListedCodec, title: &str, coders: &[Coder]) -> String {
    if coders.iter().all(|coder| coder.name == codec.name) {
        return String::new();
    }
    let names: Vec<&str> = coders.iter().map(|coder| coder.name).collect();
    let blank = if SINCE_7_1 { "" } else { " " };
    format!(" ({title}: {}{blank})", names.join(" "))
}

/// `-encoders`.
pub(crate) fn encoders() -> String {
    coders("Encoders", |codec| &codec.encoders)
}

/// `-decoders`.
pub(crate) fn decoders() -> String {
    coders("Decoders", |codec| &codec.decoders)
}

fn coders(title: &str, own: fn(&ListedCodec) -> &[Coder]) -> String {
    let mut text = format!("{title}:\n{CODERS}");
    for codec in &listing::codecs() {
        for coder in own(codec) {
            let has = |capability| coder.capabilities.has(capability);
            let flags = [
                letter(codec.media_type),
                flag('F', has(Capabilities::FRAME_THREADS)),
                flag('S', has(Capabilities::SLICE_THREADS)),
                flag('X', has(Capabilities::EXPERIMENTAL)),
                flag('B', has(Capabilities::DRAW_HORIZ_BAND)),
                flag('D', has(Capabilities::DR1)),
            ];
            let flags = String::from_iter(flags);
            let long_name = coder.long_name.unwrap_or_default();
            let _ = write!(text, " {flags} {:<20} {long_name}", coder.name);
            if coder.name != codec.name {
                let _ = write!(text, " (codec {})", codec.name);
            }
            text.push('\n');
        }
    }
    text
}
