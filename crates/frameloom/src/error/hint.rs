//! What the user can do about an error, as data.

use serde::{Deserialize, Serialize};

use super::expected::ExpectedValue;
use super::instead::Instead;
use super::program_hint::ProgramHint;
use super::sentence::{Sentence, sentence};
use super::setting::{End, Setting};
use super::wording::Wording;

/// What the user can do about an error.
///
/// It becomes a sentence when the error is shown, in the words of whoever reads it: see
/// [`Wording`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Hint {
    /// These values exist and resemble the one that was given.
    DidYouMean(Vec<String>),
    /// These settings exist and resemble the one that was given.
    DidYouMeanSetting(Vec<Setting>),
    /// The values there are.
    OneOf {
        /// Those that resemble the one that was given.
        near: Vec<String>,
        /// All of them.
        all: Vec<String>,
    },
    /// Write a value that the option takes.
    Takes(ExpectedValue),
    /// Give code for the option to be about.
    GiveCode,
    /// Look where the options are listed.
    ListOfOptions,
    /// The option belongs to this end.
    BelongsTo(End),
    /// Write WIDTHxHEIGHT or a name.
    WriteSize,
    /// Write a number or a fraction.
    WriteRate,
    /// Write a time in one of these forms.
    WriteTime,
    /// Write how often an input is read again.
    WriteLoops,
    /// Streams are told apart by their kinds and numbers.
    UseSpecifiers,
    /// The first of two passes comes before the second.
    FirstPassBefore,
    /// How streams of inputs are named.
    UseMaps,
    /// How what has metadata is named.
    UseMetadata,
    /// One of several streams is to be taken alone by a map, for the code to edit; what graphs give under
    /// these labels needs another end then.
    MapOne {
        /// The map.
        map: Setting,
        /// The labels, in their brackets.
        unused: Vec<String>,
    },
    /// The filter that draws subtitles reads them itself.
    DrawSubtitles,
    /// What a filter graph gives is to be taken by an output, once.
    MapLabel(Setting),
    /// It belongs into what this setting says.
    WriteInto(Setting),
    /// A filter graph is to give it twice.
    SplitFirst,
    /// This setting takes the stream only where it is there.
    MayBeMissing(Setting),
    /// These pixel formats are the usual ones.
    UsualPixelFormats,
    /// These encoders are the usual ones.
    UsualEncoders,
    /// Name a codec for each kind, or copy both.
    CodecForEach,
    /// What there is in place of an option of FFmpeg's.
    Instead(Instead),

    /// With no reconnecting there is nothing to wait for.
    NothingToWaitFor,
    /// These settings end the run at the first loss.
    EndsAtFirstLoss,
    /// The slate is shown by one policy alone.
    SlateIsForItsPolicy,
    /// With no reconnecting the slate is never shown.
    SlateIsNeverShown,
    /// A frame past its deadline goes out unedited.
    DeadlineBypasses,
    /// Your own code can't be started again.
    BypassOrStop,

    /// Leave the setting out.
    LeaveOut(Setting),
    /// Use this setting, or one of these.
    Use(Vec<Setting>),

    /// Name the format of an output whose name doesn't tell it.
    NameOutputFormat,
    /// Name the format of an input that looks like text.
    NameInputFormat,
    /// Raw input needs its format, size and pixel format.
    DescribeRawInput,
    /// Name a video encoder.
    NameVideoEncoder,
    /// Name an audio encoder, or leave the audio out.
    NameAudioEncoder,
    /// Leave the choice of codecs to Frameloom, which takes H.264 and AAC.
    TakeUsualCodecs,
    /// Read the file itself, or have its index written first.
    IndexFirst,
    /// Each frame needs a time of its own.
    GiveTime,
    /// Ask whether the format carries these codecs.
    CheckCodecs,
    /// Sizes that change need an encoder that scales them, or another format.
    FitOrOtherFormat,
    /// None of these encoders has the option; without any, every stream is copied.
    NoneTakesIt(Vec<String>),
    /// What is copied is neither decoded nor encoded, but is with one of these.
    AddEncoder(Vec<Setting>),
    /// The slate must be a picture.
    SlateIsPicture,

    /// Look at the path.
    CheckPath,
    /// Allow overwriting.
    Overwrite,
    /// Make this folder.
    MakeFolder(String),
    /// An input keeps packets where it is told to.
    OpenWithPreroll,
    /// What is kept can only be copied.
    CopyKept,
    /// The last output can't be removed: stop the pipeline.
    StopThePipeline,
    /// Write to another file.
    WriteElsewhere,
    /// What was written before the failure is there, and incomplete.
    WrittenIsIncomplete,
    /// The program that read the output is gone.
    ReaderIsGone,
    /// Only files can be sought in, and not every format.
    OnlyFilesSeek,
    /// The file has no index of times to seek by.
    NoSeekByTime,
    /// Reading it again needs an input that can be sought in.
    LoopNeedsSeek,

    /// Look at the host's name.
    CheckHost,
    /// Look at the address, and at whether the stream is published; or wait longer.
    CheckAddressOrWait,
    /// Look at the address, and at whether the server still reads.
    CheckReading,
    /// Look at whether a server runs there, and the stream is published.
    CheckPublished,
    /// Look at whether a server runs there, and allows publishing.
    CheckPublishing,
    /// Look at whether the stream is still published.
    CheckStillPublished,
    /// Look at whether it is an RTMP server.
    CheckRtmp,
    /// The server has no stream of this name.
    NoSuchStream,
    /// Somebody else may publish under this name, or the stream key may be wrong.
    NameIsTaken,
    /// An input counts as live by a setting.
    MakeItLive,
    /// AMF values are written as FFmpeg lists them.
    WriteAmf,
    /// In a user's name and password some characters have to be encoded.
    EncodeCredentials,
    /// The stream broke off.
    BrokeOff,
    /// Give a user and a password in the URL.
    GiveUser,
    /// Name certificates to trust, or trust any server.
    TrustCertificates,
    /// A setting says how long a lost end is tried again.
    TryLonger,

    /// A device has no such file.
    NoDeviceFile(String),
    /// The user may not open this file of a device.
    ClosedDeviceFile(String),
    /// A library of a device's driver is missing.
    NoDriverLibrary(String),
    /// Look at whether there is a driver for this kind of device.
    NoDriver(String),

    /// A program must write a frame for each that it reads; with no output it may just read.
    AnswerOrOnlyRead,
    /// A program must write a frame for each that it reads, until its stdin ends.
    AnswerToTheEnd,
    /// A program must write whole frames to stdout and nothing else.
    OnlyFramesOnStdout,
    /// A frame's data is a line of JSON.
    OnlyDataInLines,

    /// About what the program takes beside the library's options.
    #[doc(hidden)]
    Program(ProgramHint),
}

impl Hint {
    /// The names in `known` that resemble `name`, where there are any.
    pub fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<Hint> {
        let near = nearest(name, known);
        (!near.is_empty()).then(|| Hint::DidYouMean(owned(near)))
    }

    /// Those in `known` that resemble `name`, or all of them where none does.
    pub fn near_or_all<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Hint {
        let known: Vec<&str> = known.into_iter().collect();
        let all = || Hint::OneOf { near: Vec::new(), all: owned(known.iter().copied()) };
        Hint::near(name, known.iter().copied()).unwrap_or_else(all)
    }

    /// All of the few values in `known`, and which of them resembles `value`.
    pub fn one_of<'a>(value: &str, known: impl IntoIterator<Item = &'a str>) -> Hint {
        let known: Vec<&str> = known.into_iter().collect();
        Hint::OneOf { near: owned(nearest(value, known.iter().copied())), all: owned(known) }
    }

    /// The sentence for it.
    pub(super) fn sentence(&self, wording: &dyn Wording) -> Sentence {
        let (own, ffmpeg) = (|name| Setting::own(name), |name| Setting::ffmpeg(name));
        match self {
            Hint::DidYouMean(names) => sentence!("did you mean {}?", Sentence::list(names, "or")),
            Hint::DidYouMeanSetting(settings) => {
                sentence!("did you mean {}?", Sentence::list(settings, "or"))
            }
            Hint::OneOf { near, all } if near.is_empty() => {
                sentence!("it takes {}", Sentence::list(all, "or"))
            }
            Hint::OneOf { near, all } => sentence!(
                "did you mean {}? it takes {}",
                Sentence::list(near, "or"),
                Sentence::list(all, "or")
            ),
            Hint::Takes(expected) => expected.sentence(),
            Hint::GiveCode => wording.code().into(),
            Hint::ListOfOptions => wording.list_of_options().into(),
            Hint::BelongsTo(end) => sentence!("{}, or leave it out", wording.place(*end)),
            Hint::CodecForEach => sentence!(
                "use {} and {}, or {}",
                ffmpeg("c:v").of(End::Output),
                ffmpeg("c:a").of(End::Output),
                ffmpeg("c").of(End::Output).to("copy")
            ),
            Hint::Instead(instead) => instead.sentence(),
            Hint::SlateIsForItsPolicy => {
                sentence!("the slate is shown by {} alone", own("on-loss").to("slate"))
            }
            Hint::LeaveOut(setting) => sentence!("leave {} out", setting),
            Hint::Use(settings) => sentence!("use {}", Sentence::list(settings, "or")),
            Hint::NoneTakesIt(encoders) => match encoders.as_slice() {
                [] => "every stream is copied".into(),
                [encoder] => sentence!("{} has no such option", encoder),
                _ => sentence!("{} have no such option", Sentence::list(encoders, "and")),
            },
            Hint::NameOutputFormat => sentence!(
                "name it, as with {}; mp4, matroska and mpegts are usual too",
                ffmpeg("f").of(End::Output).to("flv")
            ),
            Hint::NameInputFormat => {
                sentence!("name the format with {} where it is one", ffmpeg("f").of(End::Input))
            }
            Hint::DescribeRawInput => sentence!(
                "is it a media file? raw input needs {}, {} and {}",
                ffmpeg("f").of(End::Input),
                ffmpeg("s").of(End::Input),
                ffmpeg("pix_fmt").of(End::Input)
            ),
            Hint::NameVideoEncoder => sentence!("name one with {}", ffmpeg("c:v").of(End::Output)),
            Hint::NameAudioEncoder => sentence!(
                "name one with {}, or leave it out with {}",
                ffmpeg("c:a").of(End::Output),
                ffmpeg("an").of(End::Output)
            ),
            Hint::TakeUsualCodecs => {
                sentence!("leave {} out for H.264 and AAC", ffmpeg("c").of(End::Output))
            }
            Hint::IndexFirst => {
                "name the file itself, or write its index first, as -movflags +faststart does"
                    .into()
            }
            Hint::MapOne { map, unused } if unused.is_empty() => {
                sentence!("take one alone, with {}", map)
            }
            Hint::MapOne { map, unused } => {
                let unused = Sentence::list(unused, "and");
                sentence!("take one alone, with {}, and end {} in nullsink", map, unused)
            }
            Hint::WriteInto(setting) => sentence!("write it into {}", setting),
            Hint::MapLabel(setting) => sentence!("{} takes it", setting),
            Hint::MayBeMissing(setting) => sentence!("{} takes it only if it is there", setting),
            Hint::GiveTime => "give each a time of its own".into(),
            Hint::CheckCodecs => "does the format carry these codecs?".into(),
            Hint::FitOrOtherFormat => {
                sentence!("use {}, or write flv or mpegts", own("on-resize").to("fit"))
            }
            Hint::AddEncoder(settings) => sentence!(
                "what is copied is neither decoded nor encoded: add {}",
                Sentence::list(settings, "or")
            ),
            Hint::SlateIsPicture => {
                sentence!("{} takes a picture, such as a PNG or a JPEG", own("slate"))
            }
            Hint::OpenWithPreroll => sentence!(
                "open the input with {}, so that it keeps packets",
                own("preroll").of(End::Input).to("10")
            ),
            Hint::MakeItLive => sentence!("{} makes any input live", own("live").to("yes")),
            Hint::TryLonger => sentence!("{} sets how long it is tried", own("reconnect-for")),
            Hint::CheckAddressOrWait => sentence!(
                "is the address right, is the stream being published? {} sets the limit",
                own("open-timeout")
            ),
            Hint::TrustCertificates => sentence!(
                "{} names certificates to trust; {} trusts any server",
                ffmpeg("ca_file"),
                ffmpeg("tls_verify").to("0")
            ),
            Hint::Overwrite => sentence!("{} overwrites it", ffmpeg("y").of(End::Output)),
            Hint::MakeFolder(folder) => sentence!("create the folder {} first", folder),
            Hint::FirstPassBefore => {
                sentence!("a run with {} writes it", ffmpeg("pass").of(End::Output).to("1"))
            }
            Hint::LoopNeedsSeek => sentence!(
                "{} needs an input that can be sought in",
                ffmpeg("stream_loop").of(End::Input)
            ),
            Hint::NoDeviceFile(path) => {
                sentence!("there is no {}: is the device there, and its kernel driver?", path)
            }
            Hint::ClosedDeviceFile(path) => sentence!(
                "this user may not read and write {}, which is usually for the group render or video",
                path
            ),
            Hint::NoDriverLibrary(name) => {
                sentence!("its driver is missing: there is no {} on this machine", name)
            }
            Hint::NoDriver(kind) => {
                sentence!("is a driver for {} installed, and does it know this device?", kind)
            }
            Hint::Program(hint) => hint.sentence(wording),
            plain => plain.plain().into(),
        }
    }

    /// The sentence of a hint that names no setting, and is the same in all words.
    fn plain(&self) -> &'static str {
        match self {
            Hint::WriteSize => "write WIDTHxHEIGHT, such as 960x540, or a name such as hd720",
            Hint::WriteRate => "write a number or a fraction above 0, such as 25 or 30000/1001",
            Hint::WriteTime => {
                "write seconds (1.5), [HH:]MM:SS[.m], or a number with ms or us behind it"
            }
            Hint::WriteLoops => "write how often to read it again, or -1 for ever",
            Hint::UseSpecifiers => {
                "it takes a kind, a number, a tag or several: :v, :a, :s, :d, :0, :a:1, \
                 :m:language:eng"
            }
            Hint::DrawSubtitles => "the filter subtitles draws them, as in -vf subtitles=FILE",
            Hint::UseMetadata => {
                "write g for the whole, s and a specifier for streams, as s:a:0, or c and a number for a \
                 chapter"
            }
            Hint::UseMaps => {
                "write an input's number and, behind a colon, which of its streams: 0, 0:v, 0:a:1, \
                 0:s?, -0:d, 0:m:language:eng; or a label of a filter graph: [name]"
            }
            Hint::SplitFirst => "the filter split, or asplit for sound, gives it twice",
            Hint::UsualPixelFormats => "rgb24, bgr24, gray, yuv420p and nv12 are the usual ones",
            Hint::UsualEncoders => {
                "libx264, libx265, libvpx-vp9 and libsvtav1 are the usual ones for video, aac and \
                 libopus for audio"
            }
            Hint::NothingToWaitFor => "with no reconnecting there is nothing to wait for",
            Hint::EndsAtFirstLoss => "these end the run at the first loss",
            Hint::SlateIsNeverShown => "with no reconnecting the slate is never shown",
            Hint::DeadlineBypasses => "a frame past its deadline goes out unedited",
            Hint::BypassOrStop => "your own code can't be started again: use bypass or stop",
            Hint::CheckPath => "is the path right?",
            Hint::StopThePipeline => "stop the pipeline",
            Hint::CopyKept => {
                "packets are kept, not frames: leave out what asks for encoding, or write a format that \
                 carries the stream as it is, such as matroska"
            }
            Hint::WriteElsewhere => "write to another file",
            Hint::WrittenIsIncomplete => "what was written so far is incomplete",
            Hint::ReaderIsGone => "the program that read the output is gone",
            Hint::OnlyFilesSeek => "only files can, and not each of their formats",
            Hint::NoSeekByTime => "it can't be sought in by time",
            Hint::CheckHost => "is the host right?",
            Hint::CheckReading => "is the address right, and does the server still read?",
            Hint::CheckPublished => "is a server running there, and is the stream being published?",
            Hint::CheckPublishing => "is a server running there, and does it allow publishing?",
            Hint::CheckStillPublished => "is it still being published?",
            Hint::CheckRtmp => "is it an RTMP server?",
            Hint::NoSuchStream => "the server has no such stream",
            Hint::NameIsTaken => {
                "does someone else publish under this name, is the stream key right?"
            }
            Hint::WriteAmf => "write B:1, N:2.5, S:text, Z:, or O:1 NS:name:text O:0 for an object",
            Hint::EncodeCredentials => {
                "in a user or a password write / as %2F, ? as %3F and # as %23"
            }
            Hint::BrokeOff => "the stream broke off",
            Hint::GiveUser => "it wants a user and a password: rtmp://USER:PASSWORD@HOST/...",
            Hint::AnswerOrOnlyRead => {
                "it must write one frame for each it reads; with no output it may just read"
            }
            Hint::AnswerToTheEnd => {
                "it must write one frame for each it reads, until its stdin ends"
            }
            Hint::OnlyFramesOnStdout => {
                "stdout is for frames of FRAMELOOM_FRAME_BYTES bytes: does it print something else \
                 there, which belongs on stderr?"
            }
            Hint::OnlyDataInLines => {
                "what it knows of a frame is one line with a JSON object, such as {\"boxes\": [{\"xyxy\": \
                 [10, 20, 110, 220], \"label\": \"person\"}]}, or an empty line"
            }
            _ => "",
        }
    }

    pub(super) fn redacted(self, redact: &dyn Fn(&str) -> String) -> Hint {
        match self {
            Hint::LeaveOut(setting) => Hint::LeaveOut(setting.redacted(redact)),
            Hint::DidYouMeanSetting(settings) => Hint::DidYouMeanSetting(
                settings.into_iter().map(|setting| setting.redacted(redact)).collect(),
            ),
            Hint::MakeFolder(folder) => Hint::MakeFolder(redact(&folder)),
            hint => hint,
        }
    }
}

fn owned<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

impl From<Instead> for Hint {
    fn from(instead: Instead) -> Hint {
        Hint::Instead(instead)
    }
}

impl From<ProgramHint> for Hint {
    fn from(hint: ProgramHint) -> Hint {
        Hint::Program(hint)
    }
}

/// The names in `known` that are nearest to `name`, best first, at most three; none that is far off.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|k| {
            let distance = strsim::damerau_levenshtein(name, k);
            let close = distance <= (name.chars().count() / 3).max(1);
            let contains = name.len() >= 3 && k.contains(name);
            (close || contains).then_some((if contains { distance.min(2) } else { distance }, k))
        })
        .collect();
    scored.sort();
    scored.dedup();
    scored.into_iter().take(3).map(|(_, k)| k).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names_are_near() {
        assert_eq!(nearest("libx265", ["libx264", "libvpx", "aac"]), ["libx264"]);
        assert!(nearest("zzzzzz", ["libx264", "aac"]).is_empty());
        assert_eq!(
            Hint::near("yuv42p", ["yuv420p", "yuv422p", "gray"]),
            Some(Hint::DidYouMean(vec!["yuv420p".into(), "yuv422p".into()]))
        );
    }
}
