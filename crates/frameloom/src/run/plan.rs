//! What becomes of each stream in each output: copied or encoded, and by what.

use std::path::Path;

use crate::av::{MediaKind, StreamInfo};
use crate::codec::audio::AudioPlan;
use crate::codec::encode::{VideoPlan, find_encoder};
use crate::codec::window::Window;
use crate::error::{End, Error, ErrorKind, Hint, Result, Setting, Stage, sentence};
use crate::options::{AvOption, CodecChoice, InputOptions, OutputOptions, Specifier};
use crate::output::container::{
    Carriage, carriage, counts_frames, default_encoder, keeps_alpha, keeps_aspect, pixel_formats,
};
use crate::protocol::Target;
use crate::time::Timestamp;
use crate::url;

/// What becomes of one stream.
#[derive(Debug, PartialEq)]
pub(crate) enum Treatment<P> {
    Copy,
    Encode(P),
}

/// One output, decided.
pub(crate) struct OutputPlan {
    pub(crate) target: Target,
    pub(crate) options: OutputOptions,
    pub(crate) window: Window,
    pub(crate) frames: Option<u64>,
    pub(crate) video: Option<Treatment<VideoPlan>>,
    pub(crate) audio: Option<Treatment<AudioPlan>>,
}

impl OutputPlan {
    /// The kinds of its streams, in the order they have in the container.
    pub(crate) fn kinds(&self) -> Vec<MediaKind> {
        let video = self.video.as_ref().map(|_| MediaKind::Video);
        let audio = self.audio.as_ref().map(|_| MediaKind::Audio);
        video.into_iter().chain(audio).collect()
    }

    /// How long it will be, where that is known, of an input that is `whole` long.
    pub(crate) fn duration(&self, whole: Option<Timestamp>) -> Option<Timestamp> {
        let rest = whole.map(|w| w.minus(self.window.start.unwrap_or(Timestamp::ZERO)));
        rest.into_iter().chain(self.window.length).min()
    }

    /// Refuses an output whose container has one size for good, where sizes are to change.
    pub(crate) fn check_resize(&self) -> Result<()> {
        let takes = ["flv", "mpegts", "rtp_mpegts", "h264", "hevc", "null"];
        let is_encoded = matches!(self.video, Some(Treatment::Encode(_)));
        if !is_encoded || takes.contains(&self.target.muxer.name()) {
            return Ok(());
        }
        let format = self.target.muxer.name();
        let restart = Setting::own("on-resize").to("restart");
        let cause = sentence!("{} can't be, as format {} has one size for good", restart, format);
        Err(Error::usage(cause).at(&self.target.url).hint(Hint::FitOrOtherFormat))
    }

    /// The number of the audio stream among them.
    pub(crate) fn audio_index(&self) -> usize {
        usize::from(self.video.is_some())
    }
}

/// What stands between the input and the outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Between {
    /// Someone's code edits the frames.
    pub(crate) is_edited: bool,
    /// What is wanted of the input begins with a keyframe, so that copied video begins there too.
    pub(crate) begins_with_key: bool,
}

/// Decides for one output.
pub(crate) fn plan<'a>(
    video_stream: Option<&'a StreamInfo>,
    audio_stream: Option<&'a StreamInfo>,
    target: Target,
    options: OutputOptions,
    input: &InputOptions,
    between: Between,
) -> Result<OutputPlan> {
    let Between { is_edited, begins_with_key } = between;
    let window = Window { start: options.start, length: options.length() };
    let mut frames = options.video_frames;
    let single = target.muxer.is_file_per_packet()
        && !target.url.contains('%')
        && !options.av.iter().any(|o| o.name == "update");
    if single {
        // One file's name for pictures: one picture.
        frames = frames.or(Some(1));
    }
    let wanted = |stream: Option<&'a StreamInfo>, off: bool| {
        stream.filter(|stream| !off && carriage(&target, stream) != Carriage::Refuse)
    };
    let plan_video = |stream: &StreamInfo| -> Result<Treatment<VideoPlan>> {
        let is_inside =
            options.start.is_some_and(|start| start > Timestamp::ZERO) || !begins_with_key;
        // Nothing but a keyframe can be begun with, and before -ss there is none for certain.
        let encodes = is_edited || is_inside && !stream.params.codec().is_intra_only();
        let name = match encoder_for(&target, &options, input, stream, encodes)? {
            None if is_edited => return Err(copy_of_edited(&target)),
            None if options.aspect.is_some() && !keeps_aspect(&target.muxer) => {
                let aspect = Setting::ffmpeg("aspect").of(End::Output);
                return Err(no_effect_on_copy(&aspect, MediaKind::Video).at(&target.url));
            }
            None => return Ok(Treatment::Copy),
            Some(name) => name,
        };
        Ok(Treatment::Encode(VideoPlan {
            options: taken(&options, MediaKind::Video, &name)?,
            keeps_alpha: keeps_alpha(&target.muxer, find_encoder(&name)?.codec().name()),
            aspect: options.aspect,
            formats: pixel_formats(&target.muxer),
            encoder: name,
            filter: options.filter.clone(),
            size: options.size,
            rate: options.rate,
            pixel_format: options.pixel_format.clone(),
            is_live: target.is_live,
            window,
            frames,
            constant_rate: counts_frames(&target.muxer),
            has_no_pts: target.muxer.name() == "avi",
            is_edited,
        }))
    };
    let plan_audio = |stream: &StreamInfo| -> Result<Treatment<AudioPlan>> {
        match encoder_for(&target, &options, input, stream, false)? {
            None => Ok(Treatment::Copy),
            Some(name) => Ok(Treatment::Encode(AudioPlan {
                options: taken(&options, MediaKind::Audio, &name)?,
                encoder: name,
                window,
            })),
        }
    };
    let (taken_video, taken_audio) =
        (wanted(video_stream, options.no_video), wanted(audio_stream, options.no_audio));
    let video = taken_video.map(plan_video).transpose()?;
    let audio = taken_audio.map(plan_audio).transpose()?;
    if video.is_none() && audio.is_none() {
        return Err(Error::new(
            ErrorKind::Usage,
            Stage::Options,
            format!("nothing of the input goes into format {}", target.muxer.name()),
        )
        .at(&target.url));
    }
    refuse_untaken(
        &options,
        video.as_ref().and_then(|v| v.encoder()),
        audio.as_ref().and_then(|a| a.encoder()),
    )?;
    let left_out = match (video_stream, audio_stream) {
        (Some(_), _) if video.is_none() && !options.no_video => Some("video"),
        (_, Some(_)) if audio.is_none() && !options.no_audio => Some("audio"),
        _ => None,
    };
    if let Some(kind) = left_out {
        let format = target.muxer.name();
        tracing::info!(
            "{}: the {kind} is left out, as format {format} has no place for it",
            url::redact::url(&target.url)
        );
    }
    Ok(OutputPlan { target, options, window, frames, video, audio })
}

impl Treatment<VideoPlan> {
    fn encoder(&self) -> Option<&str> {
        match self {
            Treatment::Copy => None,
            Treatment::Encode(plan) => Some(&plan.encoder),
        }
    }
}

impl Treatment<AudioPlan> {
    fn encoder(&self) -> Option<&str> {
        match self {
            Treatment::Copy => None,
            Treatment::Encode(plan) => Some(&plan.encoder),
        }
    }
}

/// The encoder for a stream, or none where it is copied.
fn encoder_for(
    target: &Target,
    options: &OutputOptions,
    input: &InputOptions,
    stream: &StreamInfo,
    must_encode: bool,
) -> Result<Option<String>> {
    let kind = stream.kind;
    let choice = if kind == MediaKind::Video { &options.video } else { &options.audio };
    let can_copy = carriage(target, stream) == Carriage::Copy;
    match choice {
        Some(CodecChoice::Copy) => {
            if let Some(setting) = input.decoding_option(kind) {
                return Err(no_effect_on_copy(&setting, kind).at(&target.url));
            }
            if !can_copy {
                let (codec, format) = (stream.params.codec().name(), target.muxer.name());
                tracing::warn!(
                    "{}: {codec} is copied as asked for; hardly any player reads it right in format \
                     {format}",
                    url::redact::url(&target.url)
                );
            }
            return Ok(None);
        }
        Some(CodecChoice::Encoder(name)) => return Ok(Some(find_encoder(name)?.name().to_owned())),
        None => {}
    }
    let is_decoded =
        must_encode || options.asks_to_encode(kind) || input.decoding_option(kind).is_some();
    if !is_decoded && can_copy {
        return Ok(None);
    }
    match default_encoder(target, kind) {
        Some(name) => Ok(Some(name.to_owned())),
        None => {
            let what = if kind == MediaKind::Video { "video" } else { "audio" };
            let format = target.muxer.name();
            let cause = format!("no encoder is known for the {what} of format {format}");
            Err(Error::usage(cause).at(&target.url).hint(if kind == MediaKind::Video {
                Hint::NameVideoEncoder
            } else {
                Hint::NameAudioEncoder
            }))
        }
    }
}

/// The error for a setting that acts on pictures or samples, which a copy never has.
fn no_effect_on_copy(setting: &Setting, kind: MediaKind) -> Error {
    let copy = if kind == MediaKind::Video { "c:v" } else { "c:a" };
    let copy = Setting::ffmpeg(copy).of(End::Output).to("copy");
    Error::usage(sentence!("{} has no effect together with {}", setting, &copy))
        .hint(Hint::NameEncoderOrLeaveOneOut)
}

fn copy_of_edited(target: &Target) -> Error {
    let copy = Setting::ffmpeg("c:v").of(End::Output).to("copy");
    let cause = sentence!("{} can't go together with code that edits the frames", &copy);
    Error::usage(cause).at(&target.url).hint(Hint::LeaveOut(copy))
}

/// The options for an encoder, as pairs; those named for its kind alone must be its own.
fn taken(options: &OutputOptions, kind: MediaKind, encoder: &str) -> Result<Vec<(String, String)>> {
    let setup = find_encoder(encoder)?;
    let mut pairs = Vec::new();
    for option in options.encoder_options(kind) {
        if option.name == "preset" && matches!(encoder, "libx264" | "libx265") {
            check_preset(encoder, &option.value)?;
        }
        if setup.takes(&option.name) {
            pairs.push((option.name.clone(), option.value.clone()));
        } else if option.specifier != Specifier::All {
            let setting = option.setting().of(End::Output);
            return Err(Error::usage(sentence!(
                "{} means nothing to encoder {}",
                setting,
                encoder
            )));
        }
    }
    Ok(pairs)
}

/// x264 and x265 know their presets by these names and by the numbers 0 to 9.
const PRESETS: [&str; 10] = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
];

/// Refuses a preset that the encoder would complain of in its own way.
fn check_preset(encoder: &str, preset: &str) -> Result<()> {
    if PRESETS.contains(&preset) || matches!(preset.as_bytes(), [b'0'..=b'9']) {
        return Ok(());
    }
    Err(Error::usage(format!("{encoder} has no preset '{preset}'"))
        .about(Setting::ffmpeg("preset").of(End::Output))
        .hint(Hint::near_or_all(preset, PRESETS)))
}

/// Refuses options that no encoder of the output took and no container or protocol knows.
fn refuse_untaken(options: &OutputOptions, video: Option<&str>, audio: Option<&str>) -> Result<()> {
    let encoders = [video, audio];
    let takes = |o: &AvOption| -> Result<bool> {
        for (encoder, kind) in encoders.into_iter().zip([MediaKind::Video, MediaKind::Audio]) {
            if let Some(encoder) = encoder
                && o.is_for(kind)
                && find_encoder(encoder)?.takes(&o.name)
            {
                return Ok(true);
            }
        }
        Ok(false)
    };
    for option in options.av.iter().filter(|o| o.for_codec && !o.for_format) {
        if !takes(option)? {
            let used: Vec<&str> = encoders.into_iter().flatten().collect();
            let used = used.into_iter().map(str::to_owned).collect();
            return Err(Error::usage("nothing took it")
                .about(option.setting().of(End::Output))
                .hint(Hint::NoneTakesIt(used)));
        }
    }
    Ok(())
}

/// The plan for frames that come from the caller's own code.
pub(crate) fn plan_writer(target: &Target, options: &OutputOptions) -> Result<VideoPlan> {
    let encoder = match &options.video {
        Some(CodecChoice::Encoder(name)) => find_encoder(name)?.name().to_owned(),
        Some(CodecChoice::Copy) => return Err(copy_of_edited(target)),
        None => default_encoder(target, MediaKind::Video)
            .ok_or_else(|| Error::usage("no video goes into this format").at(&target.url))?
            .to_owned(),
    };
    refuse_untaken(options, Some(&encoder), None)?;
    Ok(VideoPlan {
        options: taken(options, MediaKind::Video, &encoder)?,
        keeps_alpha: keeps_alpha(&target.muxer, find_encoder(&encoder)?.codec().name()),
        aspect: options.aspect,
        formats: pixel_formats(&target.muxer),
        encoder,
        filter: options.filter.clone(),
        size: options.size,
        rate: options.rate,
        pixel_format: options.pixel_format.clone(),
        is_live: target.is_live,
        window: Window { start: options.start, length: options.length() },
        frames: options.video_frames,
        constant_rate: counts_frames(&target.muxer),
        has_no_pts: target.muxer.name() == "avi",
        is_edited: true,
    })
}

/// Refuses, before anything is opened, outputs that can't be: contradictory options, a format or
/// a folder that isn't there, a file that may not be overwritten, the input itself.
///
/// # Errors
/// [`ErrorKind::Usage`] and what the file system says.
pub fn check_outputs(
    input: &str,
    outputs: &[(String, OutputOptions)],
    has_command: bool,
) -> Result<()> {
    for (n, (url, options)) in outputs.iter().enumerate() {
        if outputs.iter().take(n).any(|(other, _)| other == url && url != "/dev/null") {
            return Err(Error::usage("it is given twice as an output").at(url));
        }
        options.check()?;
        let target = Target::resolve(url, options)?;
        if has_command && options.video == Some(CodecChoice::Copy) {
            return Err(copy_of_edited(&target));
        }
        target.check_writable(options)?;
        let same = |a: Option<&Path>, b: Option<&Path>| match (a, b) {
            (Some(a), Some(b)) => std::fs::canonicalize(a)
                .ok()
                .is_some_and(|a| std::fs::canonicalize(b).ok() == Some(a)),
            _ => false,
        };
        let regular = |p: &Path| std::fs::metadata(p).is_ok_and(|m| m.is_file());
        let (from, to) = (url::local_path(input), url::local_path(url));
        if same(from.as_deref(), to.as_deref()) && from.as_deref().is_some_and(regular) {
            return Err(Error::usage("it is the input too").at(url).hint(Hint::WriteElsewhere));
        }
    }
    Ok(())
}
