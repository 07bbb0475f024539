//! What is in an input, as the ffprobe program tells it.

use crate::av::{
    AvPacket, Decoder, DecoderSetup, Demuxer, Dict, FactSection, Received, is_dump_wanted,
    tell_dump,
};
use crate::error::{Error, Hint, Result, Stage};
use crate::options::{InputOptions, Specifier};
use crate::protocol::open_by_libav;
use crate::time::stop::Stop;
use crate::url::redact;

/// What is to be told of an input.
#[derive(Clone, Debug, Default)]
pub struct ContentsRequest {
    /// Of which streams, as `v` or `a:0`; of all where it is empty.
    pub streams: String,
    /// Each packet.
    pub packets: bool,
    /// How many packets each stream has.
    pub counts_packets: bool,
    /// How many frames are decoded of each stream.
    pub counts_frames: bool,
}

/// What is in an input, but for its packets.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The streams that were asked for.
    pub streams: Vec<FactSection>,
    /// Every chapter.
    pub chapters: Vec<FactSection>,
    /// The container.
    pub format: FactSection,
}

/// A stream of which packets, or frames, are counted.
struct Counted {
    index: usize,
    packets: u64,
    frames: u64,
    decoder: Option<Decoder>,
}

/// Whether the ffprobe program of these libraries is that of FFmpeg 7, which tells of groups of streams, or a newer
/// one.
pub const IS_SEVEN: bool = cfg!(ffmpeg_7_0);

/// Opens an input by libav, and says what is in it; each packet that was asked for goes to `packet`.
///
/// # Errors
/// Where it can't be opened or read, and for streams that can't be.
pub fn contents(
    url: &str,
    options: &InputOptions,
    request: &ContentsRequest,
    stop: &Stop,
    mut packet: impl FnMut(FactSection) -> Result<()>,
) -> Result<Contents> {
    options.check()?;
    let specifier = match request.streams.as_str() {
        "" => Specifier::default(),
        streams => Specifier::parse(streams)?,
    };
    let mut demuxer = open_by_libav(url, options, stop)?;
    if is_dump_wanted() {
        tell_dump(&demuxer.dump(0, &redact::url(url)));
    }
    let fail = |e: crate::av::AvError| e.in_stage(Stage::Source).at(url);
    let streams = (0..demuxer.stream_count()).map(|index| demuxer.stream(index));
    let streams = streams.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    let chosen = specifier.of(streams.iter());
    let mut counted = Vec::new();
    for &index in &chosen {
        let decoder = match streams.get(index).filter(|_| request.counts_frames) {
            Some(stream) => {
                let setup = DecoderSetup {
                    params: &stream.params,
                    time_base: stream.time_base,
                    frame_rate: stream.frame_rate,
                    name: None,
                    low_delay: false,
                    on: None,
                };
                // What can't be decoded has no frames.
                Decoder::open(&setup, &mut Dict::new()).ok()
            }
            None => None,
        };
        counted.push(Counted { index, packets: 0, frames: 0, decoder });
    }
    if request.packets || request.counts_packets || request.counts_frames {
        read(&mut demuxer, &mut counted, request, &mut packet).map_err(|error| error.at(url))?;
    }
    let streams = counted.iter().map(|counted| {
        let mut section = demuxer.stream_facts(counted.index);
        if request.counts_frames && counted.decoder.is_some() {
            section.count("nb_read_frames", counted.frames);
        }
        if request.counts_packets {
            section.count("nb_read_packets", counted.packets);
        }
        section
    });
    Ok(Contents {
        streams: streams.collect(),
        chapters: demuxer.chapter_facts(),
        format: demuxer.format_facts(&redact::url(url)),
    })
}

fn read(
    demuxer: &mut Demuxer,
    counted: &mut [Counted],
    request: &ContentsRequest,
    told: &mut impl FnMut(FactSection) -> Result<()>,
) -> Result<()> {
    while let Some(packet) = demuxer.read().map_err(|e| e.in_stage(Stage::Source))? {
        let stream = counted.iter_mut().find(|stream| stream.index == packet.stream());
        let Some(stream) = stream else { continue };
        stream.packets += 1;
        stream.decode(Some(&packet));
        if request.packets {
            told(demuxer.packet_facts(&packet))?;
        }
    }
    counted.iter_mut().for_each(|stream| stream.decode(None));
    Ok(())
}

impl Counted {
    /// Decodes a packet, or what is left; damaged frames are none.
    fn decode(&mut self, packet: Option<&AvPacket>) {
        let Some(decoder) = &mut self.decoder else { return };
        loop {
            let is_taken = !matches!(decoder.send(packet), Ok(false));
            while let Ok(Received::Item(_)) = decoder.receive() {
                self.frames += 1;
            }
            if is_taken {
                return;
            }
        }
    }
}

/// The error for an option of ffprobe's that is not here.
pub fn not_told(setting: crate::error::Setting) -> Error {
    let cause = crate::error::sentence!("{} is an option of ffprobe that is not here", &setting);
    Error::usage(cause).hint(Hint::LeaveOut(setting))
}
