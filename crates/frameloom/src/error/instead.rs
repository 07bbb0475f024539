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
    /// These options end an output early.
    EndEarly,
    /// The encoder has options of its own for the quality.
    EncodersQuality,
    /// Each frame keeps its own time, or the rate is constant.
    FramesKeepTimes,
    /// The times of an output begin at 0.
    TimesBeginAtZero,
    /// Attachments and programs are left out.
    NoAttachments,
    /// Subtitles are shown when and for how long their packets say.
    EventsAreAsRead,
    /// Data streams are copied, whole.
    DataIsCopied,
    /// The encoder has options of its own for two passes.
    EncodersPasses,
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
            Instead::EndEarly => {
                sentence!("{} or {} ends an output early", output("t"), output("frames:v"))
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
            Instead::NoAttachments => "attachments and programs are left out".into(),
            Instead::EventsAreAsRead => {
                "subtitles are shown when and for how long their packets say".into()
            }
            Instead::DataIsCopied => "data streams are copied, whole".into(),
            Instead::EncodersPasses => sentence!(
                "use the encoder's own option, such as {}",
                output("x265-params").to("pass=1")
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
