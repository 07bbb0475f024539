//! What there is in place of an option of FFmpeg's, as data.

use serde::{Deserialize, Serialize};

use super::sentence::{Sentence, sentence};
use super::setting::{End, Setting};

/// What there is in place of an option of FFmpeg's that is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Instead {
    /// An output is named without an option.
    OutputHasNoOption,
    /// The best streams are taken, and each can be left out.
    StreamsAreChosen,
    /// These options end an output early.
    EndEarly,
    /// The bit stream filters that a container needs are applied by themselves.
    FiltersApplyThemselves,
    /// The encoder has options of its own for the quality.
    EncodersQuality,
    /// Each frame keeps its own time, or the rate is constant.
    FramesKeepTimes,
    /// The times of an output begin at 0.
    TimesBeginAtZero,
    /// There is one input, and nothing to move it against.
    OneInput,
    /// What is said about the streams beside them is left out.
    NoMetadata,
    /// Subtitles are shown when and for how long their packets say.
    EventsAreAsRead,
    /// Data streams are copied, whole.
    DataIsCopied,
    /// An option says how far apart keyframes are.
    KeyframeDistance,
    /// Everything is encoded in one pass.
    OnePass,
    /// The format and the codecs are named each by its option.
    NameFormatAndCodecs,
    /// What is copied begins with a keyframe.
    CopyBeginsWithKeyframe,
    /// Turned pictures are turned upright.
    PicturesAreUpright,
    /// The system limits what a process may take.
    SystemLimits,
    /// The ffmpeg program lists it.
    FfmpegLists,
    /// Encoders and the input decide it.
    Decided,
}

impl Instead {
    /// The sentence for it.
    pub(super) fn sentence(self) -> Sentence {
        let output = |name| Setting::ffmpeg(name).of(End::Output);
        match self {
            Instead::OutputHasNoOption => "an OUTPUT is named without an option before it".into(),
            Instead::StreamsAreChosen => sentence!(
                "the best video and audio stream are taken; {} and {} leave one out",
                Setting::ffmpeg("an"),
                Setting::ffmpeg("vn")
            ),
            Instead::EndEarly => {
                sentence!("{} or {} ends an output early", output("t"), output("frames:v"))
            }
            Instead::FiltersApplyThemselves => {
                "the bit stream filters that a container needs are applied by themselves".into()
            }
            Instead::EncodersQuality => sentence!(
                "use the encoder's own option, such as {} or {}",
                output("crf"),
                output("global_quality")
            ),
            Instead::FramesKeepTimes => {
                sentence!("each frame keeps its own time; {} makes the rate constant", output("r"))
            }
            Instead::TimesBeginAtZero => "the times of an output begin at 0".into(),
            Instead::OneInput => "there is one input, and nothing to move it against".into(),
            Instead::NoMetadata => {
                "metadata, chapters, attachments and dispositions are left out".into()
            }
            Instead::EventsAreAsRead => {
                "subtitles are shown when and for how long their packets say".into()
            }
            Instead::DataIsCopied => "data streams are copied, whole".into(),
            Instead::KeyframeDistance => {
                sentence!("{} sets how far apart keyframes are", output("g"))
            }
            Instead::OnePass => sentence!(
                "it is encoded in one pass: {} sets the quality, {} the bit rate",
                output("crf"),
                output("b:v")
            ),
            Instead::NameFormatAndCodecs => sentence!(
                "name format and codecs with {}, {} and {}",
                output("f"),
                output("c:v"),
                output("c:a")
            ),
            Instead::CopyBeginsWithKeyframe => "what is copied begins with a keyframe".into(),
            Instead::PicturesAreUpright => sentence!(
                "a turned picture is shown upright, and {} turns it, as {} does",
                output("vf"),
                output("vf").to("transpose")
            ),
            Instead::SystemLimits => "the shell's ulimit sets such a limit".into(),
            Instead::FfmpegLists => "the ffmpeg program lists it".into(),
            Instead::Decided => "the input and the encoder decide it: leave it out".into(),
        }
    }
}
