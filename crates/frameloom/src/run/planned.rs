//! An output as it was decided, and what is known of an input where outputs are planned: plain data.

use std::sync::Arc;

use crate::av::MediaKind;
use crate::av::metadata::ContainerMetadata;
use crate::codec::audio::AudioPlan;
use crate::codec::encode::VideoPlan;
use crate::codec::subtitle::SubtitlePlan;
use crate::codec::window::{PictureLimit, Window};
use crate::error::{Error, Hint, Result, Setting, sentence};
use crate::image::device::DeviceSpec;
use crate::input::Source;
use crate::input::streams::{InputStreamId, InputStreams};
use crate::options::{InputOptions, OutputOptions};
use crate::output::{OutputMetadata, StreamSetup};
use crate::protocol::Target;
use crate::time::{Rate, Timestamp};

/// Where a stream of an output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamSource {
    Input(InputStreamId),
    Graph(GraphPad),
    /// The caller makes it.
    Caller,
}

impl StreamSource {
    /// The input's stream, where it is one.
    pub(crate) fn input(self) -> Option<InputStreamId> {
        match self {
            StreamSource::Input(of) => Some(of),
            StreamSource::Graph(_) | StreamSource::Caller => None,
        }
    }
}

/// An output of a filter graph across streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GraphPad {
    /// The graph's number, in the order that they were given in.
    pub(crate) graph: usize,
    /// Its number among the graph's outputs.
    pub(crate) pad: usize,
}

/// The streams that code edits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edited {
    pub(crate) video: Option<StreamSource>,
    pub(crate) audio: Option<StreamSource>,
}

/// A filter graph across streams, decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlannedGraph {
    pub(crate) spec: String,
    pub(crate) inputs: Vec<PlannedGraphInput>,
    pub(crate) outputs: Vec<PlannedGraphOutput>,
    /// The rate at which it is given frames of its live inputs; `None` where none is live.
    pub(crate) ticks: Option<Rate>,
    /// The one that its filters use.
    pub(crate) device: Option<DeviceSpec>,
}

/// What goes into a graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlannedGraphInput {
    pub(crate) from: InputStreamId,
    pub(crate) kind: MediaKind,
    pub(crate) is_live: bool,
}

/// What comes out of a graph.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlannedGraphOutput {
    /// `None` for one that the first output takes.
    pub(crate) label: Option<String>,
    pub(crate) kind: MediaKind,
    /// Of pictures, where it is known.
    pub(crate) frame_rate: Option<Rate>,
}

/// What becomes of one stream.
#[derive(Debug, PartialEq)]
pub(crate) enum Treatment {
    Copy,
    Video(Box<VideoPlan>),
    Audio(AudioPlan),
    Subtitles(SubtitlePlan),
}

impl Treatment {
    /// The encoder's name; `None` for a copy.
    pub(super) fn encoder(&self) -> Option<&str> {
        match self {
            Treatment::Copy => None,
            Treatment::Video(plan) => Some(&plan.encoder),
            Treatment::Audio(plan) => Some(&plan.encoder),
            Treatment::Subtitles(plan) => Some(&plan.encoder),
        }
    }
}

/// One stream of an output.
#[derive(Debug, PartialEq)]
pub(crate) struct PlannedStream {
    pub(crate) from: StreamSource,
    pub(crate) kind: MediaKind,
    /// It ends after so many packets or frames.
    pub(crate) frames: Option<PictureLimit>,
    pub(crate) treatment: Treatment,
    /// In FFmpeg's language.
    pub(crate) bitstream_filters: Option<String>,
    /// Width to height of the picture as it is shown, where an option says so.
    pub(crate) aspect: Option<(i32, i32)>,
}

/// One output, decided.
pub(crate) struct OutputPlan {
    pub(crate) target: Target,
    pub(crate) options: OutputOptions,
    pub(crate) window: Window,
    /// In the order that they have in the container.
    pub(crate) streams: Vec<PlannedStream>,
    pub(crate) metadata: Arc<OutputMetadata>,
}

impl OutputPlan {
    /// Its streams, in the order they have in the container.
    pub(crate) fn setups(&self) -> Vec<StreamSetup> {
        let setup = |stream: &PlannedStream| StreamSetup {
            kind: stream.kind,
            bitstream_filters: stream.bitstream_filters.clone(),
            aspect: stream.aspect,
            may_be_empty: match &stream.treatment {
                // Some encoders give nothing but statistics.
                Treatment::Video(plan) => plan.passes.as_ref().is_some_and(|p| p.is_first),
                _ => false,
            },
        };
        self.streams.iter().map(setup).collect()
    }

    pub(crate) fn has(&self, kind: MediaKind) -> bool {
        self.streams.iter().any(|stream| stream.kind == kind)
    }

    /// Whether video of it is encoded.
    pub(crate) fn encodes_video(&self) -> bool {
        self.streams.iter().any(|stream| matches!(stream.treatment, Treatment::Video(_)))
    }

    /// How long it will be, where that is known, of an input that is `whole` long.
    pub(crate) fn duration(&self, whole: Option<Timestamp>) -> Option<Timestamp> {
        let rest = whole.map(|w| w.minus(self.window.start.unwrap_or(Timestamp::ZERO)));
        rest.into_iter().chain(self.window.length).min()
    }

    /// Refuses an output whose container has one size for good, where sizes are to change.
    pub(crate) fn check_resize(&self) -> Result<()> {
        let takes = ["flv", "mpegts", "rtp_mpegts", "h264", "hevc", "null"];
        if !self.encodes_video() || takes.contains(&self.target.muxer.name()) {
            return Ok(());
        }
        let format = self.target.muxer.name();
        let restart = Setting::own("on-resize").to("restart");
        let cause = sentence!("{} can't be, as format {} has one size for good", restart, format);
        Err(Error::usage(cause).at(&self.target.url).hint(Hint::FitOrOtherFormat))
    }
}

/// An input, as far as outputs are planned by it.
#[derive(Clone, Copy)]
pub(crate) struct PlannedInput<'a> {
    pub(crate) streams: &'a InputStreams,
    pub(crate) options: &'a InputOptions,
    pub(crate) metadata: &'a ContainerMetadata,
    /// Where the pipeline's zero lies on its own clock.
    pub(crate) zero: Timestamp,
    /// What is wanted of it begins with a keyframe, so that copied video begins there too.
    pub(crate) begins_with_key: bool,
    /// It is read already: what came of it at the beginning alone, as covers do, is gone.
    pub(crate) has_begun: bool,
    pub(crate) is_live: bool,
    /// What it is will be known when it comes.
    pub(crate) is_stand_in: bool,
}

impl<'a> PlannedInput<'a> {
    /// Of an open input.
    pub(crate) fn of(source: &'a Source) -> PlannedInput<'a> {
        PlannedInput {
            streams: &source.streams,
            options: &source.options,
            metadata: source.metadata(),
            zero: source.zero(),
            begins_with_key: source.begins_with_key(),
            has_begun: false,
            is_live: source.is_live,
            is_stand_in: source.is_stand_in(),
        }
    }
}
