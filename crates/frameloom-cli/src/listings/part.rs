//! `-h encoder=libx264` and the like: what one part of FFmpeg is, with all its options.

use std::fmt::Write;

use frameloom::internal::ProgramHint;
use frameloom::internal::listing::{
    self, Capabilities, Coder, FilterPad, ListedCodec, ListedFilter, ListedFormat, MediaType,
    OptionFlags, SINCE_7_1,
};
use frameloom::{Error, Hint, Result, Setting};

use super::option_tables::shown;
use crate::usage::usage;

/// A kind of part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    Encoder,
    Decoder,
    Muxer,
    Demuxer,
    Filter,
    BitstreamFilter,
    Protocol,
}

impl PartKind {
    /// Every kind, in the order that they are shown in.
    pub(crate) const ALL: [PartKind; 7] = [
        PartKind::Encoder,
        PartKind::Decoder,
        PartKind::Muxer,
        PartKind::Demuxer,
        PartKind::Filter,
        PartKind::BitstreamFilter,
        PartKind::Protocol,
    ];

    /// FFmpeg's word for it, which stands before the equals sign.
    pub(crate) fn word(self) -> &'static str {
        match self {
            PartKind::Encoder => "encoder",
            PartKind::Decoder => "decoder",
            PartKind::Muxer => "muxer",
            PartKind::Demuxer => "demuxer",
            PartKind::Filter => "filter",
            PartKind::BitstreamFilter => "bsf",
            PartKind::Protocol => "protocol",
        }
    }

    /// What an error calls it.
    fn title(self) -> &'static str {
        match self {
            PartKind::BitstreamFilter => "bit stream filter",
            other => other.word(),
        }
    }

    /// The option that lists them.
    fn listed_by(self) -> &'static str {
        match self {
            PartKind::Encoder => "encoders",
            PartKind::Decoder => "decoders",
            PartKind::Muxer => "muxers",
            PartKind::Demuxer => "demuxers",
            PartKind::Filter => "filters",
            PartKind::BitstreamFilter => "bsfs",
            PartKind::Protocol => "protocols",
        }
    }

    /// The names that there are.
    fn names(self) -> Vec<&'static str> {
        let each = |formats: Vec<ListedFormat>| {
            formats.iter().flat_map(|format| format.name.split(',')).collect()
        };
        match self {
            PartKind::Encoder | PartKind::Decoder => {
                let codecs = listing::codecs();
                let named = codecs.iter().filter(|codec| !self.coders(codec).is_empty());
                let names = named.flat_map(|codec| {
                    self.coders(codec).iter().map(|coder| coder.name).chain([codec.name])
                });
                names.collect()
            }
            PartKind::Muxer => each(listing::muxers()),
            PartKind::Demuxer => each(listing::demuxers()),
            PartKind::Filter => listing::filters().iter().map(|filter| filter.name).collect(),
            PartKind::BitstreamFilter => {
                listing::bitstream_filters().iter().map(|filter| filter.name).collect()
            }
            PartKind::Protocol => {
                let mut names = listing::input_protocols();
                names.extend(listing::output_protocols());
                names
            }
        }
    }

    /// The codec's encoders or decoders.
    fn coders(self, codec: &ListedCodec) -> &[Coder] {
        if self == PartKind::Encoder { &codec.encoders } else { &codec.decoders }
    }
}

/// A part, by its kind and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) kind: PartKind,
    pub(crate) name: String,
}

impl Part {
    /// The part that a word behind `-h` asks about. `None` for a word that is no such question.
    ///
    /// # Errors
    /// A kind of part that there isn't, or one without a name.
    pub(crate) fn asked(word: &str) -> Result<Option<Part>> {
        let kind = |word: &str| PartKind::ALL.into_iter().find(|kind| kind.word() == word);
        match word.split_once('=') {
            Some((before, name)) if before.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                let Some(kind) = kind(before) else {
                    let error = usage(format!("there is no help about a kind '{before}'"));
                    let kinds = PartKind::ALL.map(PartKind::word);
                    return Err(error
                        .about(Setting::ffmpeg("h"))
                        .hint(Hint::one_of(before, kinds)));
                };
                Ok(Some(Part { kind, name: name.to_owned() }))
            }
            None => match kind(word) {
                Some(kind) => {
                    let error = usage(format!("no name of a {} is given", kind.title()));
                    Err(error
                        .about(Setting::ffmpeg("h"))
                        .hint(ProgramHint::ListedBy(Setting::ffmpeg(kind.listed_by()))))
                }
                None => Ok(None),
            },
            Some(_) => Ok(None),
        }
    }

    /// What it is, with all its options.
    ///
    /// # Errors
    /// A name that nothing has.
    pub(crate) fn text(&self) -> Result<String> {
        let name = self.name.as_str();
        let is_named = |names: &str| names.split(',').any(|known| known == name);
        let format =
            |formats: Vec<ListedFormat>| formats.into_iter().find(|format| is_named(format.name));
        let found = match self.kind {
            PartKind::Encoder | PartKind::Decoder => self.coders(),
            PartKind::Muxer => format(listing::muxers()).map(|format| muxer(&format)),
            PartKind::Demuxer => format(listing::demuxers()).map(|format| demuxer(&format)),
            PartKind::Filter => {
                let filters = listing::filters();
                filters.iter().find(|known| known.name == name).map(filter)
            }
            PartKind::BitstreamFilter => bitstream_filter(name),
            PartKind::Protocol => {
                let is_known = self.kind.names().contains(&name);
                is_known.then(|| protocol(name))
            }
        };
        found.ok_or_else(|| self.unknown())
    }

    fn unknown(&self) -> Error {
        let error = usage(format!("there is no {} '{}'", self.kind.title(), self.name));
        let near = Hint::near(&self.name, self.kind.names());
        let list = || ProgramHint::ListedBy(Setting::ffmpeg(self.kind.listed_by())).into();
        error.about(Setting::ffmpeg("h")).hint(near.unwrap_or_else(list))
    }

    /// The encoder or decoder of this name, or all of the codec of this name.
    fn coders(&self) -> Option<String> {
        let codecs = listing::codecs();
        let mut all = codecs.iter().flat_map(|codec| self.kind.coders(codec));
        if let Some(named) = all.find(|coder| coder.name == self.name) {
            return Some(coder(named));
        }
        let codec = codecs.iter().find(|codec| codec.name == self.name)?;
        let coders = self.kind.coders(codec);
        (!coders.is_empty()).then(|| coders.iter().map(coder).collect())
    }
}

const CAPABILITIES: [(&str, Capabilities); 13] = [
    ("horizband", Capabilities::DRAW_HORIZ_BAND),
    ("dr1", Capabilities::DR1),
    ("delay", Capabilities::DELAY),
    ("small", Capabilities::SMALL_LAST_FRAME),
    ("subframes", Capabilities::SUBFRAMES),
    ("exp", Capabilities::EXPERIMENTAL),
    ("chconf", Capabilities::CHANNEL_CONF),
    ("paramchange", Capabilities::PARAM_CHANGE),
    ("variable", Capabilities::VARIABLE_FRAME_SIZE),
    ("threads", THREADS),
    ("avoidprobe", Capabilities::AVOID_PROBING),
    ("hardware", Capabilities::HARDWARE),
    ("hybrid", Capabilities::HYBRID),
];

/// What newer versions tell, too.
const NEWER_CAPABILITIES: [(&str, Capabilities); 3] = [
    ("reorderedopaque", Capabilities::REORDERED_OPAQUE),
    ("flush", Capabilities::FLUSH),
    ("reconframe", Capabilities::RECON_FRAME),
];

const THREADS: Capabilities =
    Capabilities::FRAME_THREADS.or(Capabilities::SLICE_THREADS).or(Capabilities::OTHER_THREADS);

fn coder(coder: &Coder) -> String {
    let title = if coder.is_encoder { "Encoder" } else { "Decoder" };
    let long_name = coder.long_name.unwrap_or_default();
    let mut text = format!("{title} {} [{long_name}]:\n", coder.name);
    let has = |of| coder.capabilities.has(of);
    text += "    General capabilities: ";
    let newer = NEWER_CAPABILITIES.iter().filter(|_| SINCE_7_1);
    for (word, capability) in CAPABILITIES.iter().chain(newer) {
        if has(*capability) {
            // Writing to a String can't fail, here and below.
            let _ = write!(text, "{word} ");
        }
    }
    text += if coder.capabilities.is_empty() { "none\n" } else { "\n" };
    if matches!(coder.media_type, MediaType::Video | MediaType::Audio) {
        let threads = match (
            has(Capabilities::FRAME_THREADS),
            has(Capabilities::SLICE_THREADS),
            has(Capabilities::OTHER_THREADS),
        ) {
            (true, true, false) => "frame and slice",
            (true, false, false) => "frame",
            (false, true, false) => "slice",
            (false, false, true) => "other",
            _ => "none",
        };
        let _ = writeln!(text, "    Threading capabilities: {threads}");
    }
    let support = coder.support();
    if let Some(devices) = support.devices {
        let names: String = devices.iter().flat_map(|name| [*name, " "]).collect();
        let _ = writeln!(text, "    Supported hardware devices: {names}");
    }
    let rates = support.frame_rates.map(|rates| {
        rates.iter().map(|(frames, seconds)| format!("{frames}/{seconds}")).collect::<Vec<_>>()
    });
    supported(&mut text, "framerates", rates);
    supported(&mut text, "pixel formats", support.pixel_formats);
    supported(&mut text, "sample rates", support.sample_rates);
    supported(&mut text, "sample formats", support.sample_formats);
    supported(&mut text, "channel layouts", support.channel_layouts);
    text + &shown(&coder.options(), OptionFlags::ENCODING.or(OptionFlags::DECODING))
}

/// A line with what is supported, where that is said.
fn supported<T: ToString>(text: &mut String, what: &str, values: Option<Vec<T>>) {
    if let Some(values) = values {
        let values: String = values.iter().map(|value| format!(" {}", value.to_string())).collect();
        let _ = writeln!(text, "    Supported {what}:{values}");
    }
}

/// The first lines about a container. C prints a name that isn't there so.
fn format_start(title: &str, format: &ListedFormat) -> String {
    let mut text = format!("{title} {} [{}]:\n", format.name, format.long_name.unwrap_or("(null)"));
    if let Some(extensions) = format.extensions {
        let _ = writeln!(text, "    Common extensions: {extensions}.");
    }
    text
}

fn demuxer(format: &ListedFormat) -> String {
    format_start("Demuxer", format) + &shown(&format.options(), OptionFlags::DECODING)
}

fn muxer(format: &ListedFormat) -> String {
    let mut text = format_start("Muxer", format);
    if let Some(media_type) = format.media_type {
        let _ = writeln!(text, "    Mime type: {media_type}.");
    }
    for (kind, codec) in ["video", "audio", "subtitle"].into_iter().zip(format.default_codecs) {
        if let Some(codec) = codec {
            let _ = writeln!(text, "    Default {kind} codec: {codec}.");
        }
    }
    text + &shown(&format.options(), OptionFlags::ENCODING)
}

fn filter(filter: &ListedFilter) -> String {
    let mut text = format!("Filter {}\n", filter.name);
    if let Some(description) = filter.description {
        let _ = writeln!(text, "  {description}");
    }
    if filter.has_slice_threads {
        text += "    slice threading supported\n";
    }
    pads(&mut text, "Inputs", &filter.inputs, filter.has_dynamic_inputs, "source");
    pads(&mut text, "Outputs", &filter.outputs, filter.has_dynamic_outputs, "sink");
    let purposes = OptionFlags::VIDEO.or(OptionFlags::FILTERING).or(OptionFlags::AUDIO);
    text += &shown(&filter.options(), purposes);
    if filter.has_timeline {
        text += "This filter has support for timeline through the 'enable' option.\n";
    }
    text
}

/// The inputs or the outputs of a filter, or what one without any is.
fn pads(text: &mut String, title: &str, pads: &[FilterPad], is_dynamic: bool, without: &str) {
    let _ = writeln!(text, "    {title}:");
    for (at, pad) in pads.iter().enumerate() {
        let media_type = if pad.media_type == MediaType::Audio { "audio" } else { "video" };
        let _ = writeln!(text, "       #{at}: {} ({media_type})", pad.name);
    }
    if is_dynamic {
        *text += "        dynamic (depending on the options)\n";
    } else if pads.is_empty() {
        let _ = writeln!(text, "        none ({without} filter)");
    }
}

fn bitstream_filter(name: &str) -> Option<String> {
    let filter = listing::bitstream_filters().into_iter().find(|known| known.name == name)?;
    let mut text = format!("Bit stream filter {name}\n");
    supported(&mut text, "codecs", filter.codecs.clone());
    Some(text + &shown(&filter.options(), OptionFlags::BITSTREAM_FILTER))
}

/// A protocol that has no options says so: ffmpeg calls it unknown.
fn protocol(name: &str) -> String {
    match listing::protocol_options(name).as_slice() {
        [] => format!("{name} has no options.\n"),
        tables => shown(tables, OptionFlags::DECODING.or(OptionFlags::ENCODING)),
    }
}
