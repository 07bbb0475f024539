//! What becomes of each stream in each output: copied or encoded, and by what.

use std::path::Path;
use std::sync::Arc;

use crate::av::{MediaKind, StreamInfo, SubtitleForm};
use crate::codec::audio::AudioPlan;
use crate::codec::encode::{KeyframeRule, PassPlan, VideoPlan, find_encoder};
use crate::codec::subtitle::SubtitlePlan;
use crate::codec::window::{PictureLimit, Window};
use crate::edit::check_graph;
use crate::edit::complex::pads_of;
use crate::error::{End, Error, Hint, Result, Setting, sentence};
use crate::options::{CodecChoice, FrameTimes, KeyframeChoice, OutputOptions, StreamPlace};
use crate::output::container::{
    Carriage, counts_frames, default_encoder, holds_cover, holds_subtitles, keeps_alpha,
    keeps_aspect, pixel_formats,
};
use crate::protocol::Target;
use crate::run::encoder_options::{
    check_encoders, codec_setting, encoder_setting, refuse_untaken, taken,
};
use crate::run::filters;
use crate::run::metadata::{chapters, describe};
use crate::run::planned::{
    Edited, OutputPlan, PlannedInput, PlannedStream, StreamSource, Treatment,
};
use crate::run::selection::{Chosen, specified};
use crate::time::Timestamp;
use crate::url;

/// Decides for one output what becomes of each of its streams, which were chosen of the inputs'.
/// Someone's code edits the streams in `edited`.
pub(crate) fn plan(
    inputs: &[PlannedInput<'_>],
    chosen: &[Chosen<'_>],
    target: Target,
    options: OutputOptions,
    edited: Edited,
) -> Result<OutputPlan> {
    let window = Window { start: options.start, length: options.length() };
    let known = specified(chosen);
    let places = StreamPlace::all(&known);
    if let Some(setting) = options.without_stream(&places) {
        let cause = sentence!("{} is for a stream that the output has not", setting);
        return Err(Error::usage(cause).at(&target.url));
    }
    let single = target.muxer.is_file_per_packet()
        && !target.url.contains('%')
        && !options.av.iter().any(|o| o.name == "update");
    let chapters = chapters(inputs, &options, window)?;
    let chapters: Vec<Timestamp> = chapters.into_iter().map(|chapter| chapter.start).collect();
    let mut streams = Vec::new();
    let videos = chosen.iter().filter(|chosen| chosen.kind == MediaKind::Video).count();
    for (chosen, place) in chosen.iter().zip(&places) {
        let input = chosen.from.input().and_then(|from| inputs.get(from.input));
        let mut frames = options.frames.of(*place).copied();
        if single && place.kind == MediaKind::Video {
            // One file's name for pictures: one picture.
            frames = frames.or(Some(1));
        }
        // The sound ends with the last picture; of several videos each ends by itself.
        let ends_output = chosen.kind == MediaKind::Video && videos == 1;
        let frames = frames.map(|count| PictureLimit { count, ends_output });
        // What is kept of an input is what it was before code saw it.
        let is_edited = options.preroll.is_none()
            && match chosen.kind {
                MediaKind::Audio => edited.audio == Some(chosen.from),
                _ => edited.video == Some(chosen.from),
            };
        let stream = SourceStream {
            input: input.copied(),
            info: chosen.stream,
            place: *place,
            at: chosen.from.input().map(|from| from.stream),
            carriage: chosen.carriage(&target),
            is_cover: chosen.is_cover_of(&target),
            chapters: &chapters,
        };
        match chosen.from {
            StreamSource::Graph(_) => stream.check_made_by_graph(&target, &options)?,
            StreamSource::Caller if options.codec.of(*place) == Some(&CodecChoice::Copy) => {
                return Err(copy_of_edited(&target, MediaKind::Audio));
            }
            StreamSource::Caller | StreamSource::Input(_) => {}
        }
        let treatment = match chosen.kind {
            MediaKind::Video | MediaKind::Cover => {
                treat_video(&target, &options, stream, (is_edited, window, frames))?
            }
            MediaKind::Audio => {
                match encoder_for(&target, &options, stream, is_edited || stream.is_stand_in())? {
                    None if is_edited => return Err(copy_of_edited(&target, MediaKind::Audio)),
                    None => Treatment::Copy,
                    Some(name) => Treatment::Audio(audio_plan(&target, &options, *place, name)?),
                }
            }
            MediaKind::Subtitle => treat_subtitles(&target, &options, stream)?,
            _ => Treatment::Copy,
        };
        let (from, kind) = (chosen.from, chosen.kind);
        let bitstream_filters = options.bitstream_filters.of(*place).cloned();
        let aspect = options.aspect.of(*place).copied();
        streams.push(PlannedStream { from, kind, frames, treatment, bitstream_filters, aspect });
    }
    let encoders: Vec<_> =
        places.iter().zip(&streams).map(|(place, s)| (*place, s.treatment.encoder())).collect();
    check_preroll(inputs, &streams, &target, &options)?;
    refuse_untaken(&target, &options, &encoders)?;
    let metadata = describe(inputs, &streams, &places, &options, window)?;
    Ok(OutputPlan { target, options, window, streams, metadata: Arc::new(metadata) })
}

/// Refuses an output that is to begin with packets that were kept where none are, or where they would not be
/// copied.
fn check_preroll(
    inputs: &[PlannedInput<'_>],
    streams: &[PlannedStream],
    target: &Target,
    options: &OutputOptions,
) -> Result<()> {
    if options.preroll.is_none() {
        return Ok(());
    }
    let keeps = |stream: &PlannedStream| {
        let input = stream.from.input().and_then(|from| inputs.get(from.input));
        input.is_some_and(|input| !input.options.preroll.is_zero())
    };
    let preroll = || Setting::own("preroll").of(End::Output);
    if !streams.iter().all(keeps) {
        let cause = sentence!("{} can't be, as no packets are kept of the input", preroll());
        return Err(Error::usage(cause).at(&target.url).hint(Hint::OpenWithPreroll));
    }
    let encoded = streams.iter().find_map(|stream| match &stream.treatment {
        Treatment::Video(plan) => Some((stream.kind, &plan.encoder)),
        Treatment::Audio(plan) => Some((stream.kind, &plan.encoder)),
        Treatment::Copy | Treatment::Subtitles(_) => None,
    });
    let Some((kind, encoder)) = encoded else { return Ok(()) };
    let what = if kind == MediaKind::Audio { "sound" } else { "video" };
    let cause = sentence!(
        "{} can't be where the {} is encoded, as it would be by {}",
        preroll(),
        what,
        encoder
    );
    Err(Error::usage(cause).at(&target.url).hint(Hint::CopyKept))
}

/// A stream that an output has, before it is decided what becomes of it.
#[derive(Clone, Copy)]
struct SourceStream<'a> {
    /// `None` for what a filter graph makes.
    input: Option<PlannedInput<'a>>,
    info: Option<&'a StreamInfo>,
    place: StreamPlace<'a>,
    carriage: Carriage,
    /// It is the cover in the container's own way.
    is_cover: bool,
    /// Its number in the input.
    at: Option<usize>,
    /// Where chapters of the output begin.
    chapters: &'a [Timestamp],
}

impl SourceStream<'_> {
    fn is_stand_in(self) -> bool {
        self.input.is_some_and(|input| input.is_stand_in)
    }

    /// Refuses options that what a filter graph makes can't have.
    fn check_made_by_graph(self, target: &Target, options: &OutputOptions) -> Result<()> {
        let kind = self.place.kind;
        if options.codec.of(self.place) == Some(&CodecChoice::Copy) {
            let copy = codec_setting(kind).to("copy");
            let cause = sentence!("{} is not for what a filter graph makes", &copy);
            return Err(Error::usage(cause).at(&target.url).hint(Hint::LeaveOut(copy)));
        }
        if let Some(own) = options.filter_setting(self.place) {
            let cause = sentence!("{} is not for what a filter graph makes", &own);
            let within = Hint::WriteInto(filters::setting());
            return Err(Error::usage(cause).at(&target.url).hint(within));
        }
        Ok(())
    }
}

fn treat_video(
    target: &Target,
    options: &OutputOptions,
    stream: SourceStream<'_>,
    (is_edited, window, frames): (bool, Window, Option<PictureLimit>),
) -> Result<Treatment> {
    let SourceStream { input, info, place, at, is_cover, chapters, .. } = stream;
    let is_inside = options.start.is_some_and(|start| start > Timestamp::ZERO)
        || input.is_some_and(|input| !input.begins_with_key);
    let is_intra_only = info.is_some_and(|stream| stream.params.codec().is_intra_only());
    // Nothing but a keyframe can be begun with, and before -ss there is none for certain.
    let encodes =
        is_edited || stream.is_stand_in() || is_inside && !is_intra_only && !place.is_cover;
    match encoder_for(target, options, stream, encodes)? {
        None if is_edited => Err(copy_of_edited(target, MediaKind::Video)),
        None if options.aspect.of(place).is_some() && !keeps_aspect(&target.muxer) => {
            let aspect = Setting::ffmpeg("aspect").of(End::Output);
            Err(no_effect_on_copy(target, &aspect, MediaKind::Video))
        }
        None => Ok(Treatment::Copy),
        Some(name) => {
            let made = find_encoder(&name)?.codec();
            if is_cover && !holds_cover(&target.muxer, made) {
                let (format, codec) = (target.muxer.name(), made.name());
                let copy =
                    Setting::ffmpeg(format!("c:v:{}", place.number_of_kind())).of(End::Output);
                let cause = format!("format {format} has no place for a cover of codec {codec}");
                let error = Error::usage(cause).at(&target.url);
                return Err(error.hint(Hint::Use(vec![copy.to("copy")])));
            }
            let plan = video_plan(target, options, (place, chapters), name, is_edited)?;
            // A cover belongs to any part of the whole.
            let window = if place.is_cover { Window::default() } else { window };
            // That of its decoder is one of them.
            let mut devices = plan.devices.clone();
            if let Some((input, at)) = input.zip(at) {
                let hardware = &input.options.hardware;
                let streams = input.streams.specified();
                devices.join(hardware.devices_for(StreamPlace::of(&streams, at)));
            }
            Ok(Treatment::Video(Box::new(VideoPlan { window, frames, devices, ..plan })))
        }
    }
}

fn treat_subtitles(
    target: &Target,
    options: &OutputOptions,
    stream: SourceStream<'_>,
) -> Result<Treatment> {
    let SourceStream { info, place, carriage, .. } = stream;
    let Some(info) = info else { return Ok(Treatment::Copy) };
    let (codec, format) = (info.params.codec(), target.muxer.name());
    let encoder = encoder_for(target, options, stream, false)?;
    let named = |name: String| codec_setting(MediaKind::Subtitle).to(name);
    let Some(encoder) = encoder else {
        if holds_subtitles(target, codec) {
            return Ok(Treatment::Copy);
        }
        let cause = format!("format {format} has no place for subtitles of codec {}", codec.name());
        let error = Error::usage(cause).at(&target.url).about(named("copy".to_owned()));
        let is_encoded = carriage == Carriage::Encode;
        let usual = default_encoder(target, MediaKind::Subtitle).filter(|_| is_encoded);
        let usual = usual.map(|usual| Hint::Use(vec![named(usual.to_owned())]));
        return Err(usual.into_iter().fold(error, Error::hint));
    };
    let made = find_encoder(&encoder)?.codec();
    let wrong =
        |cause: String| Err(Error::usage(cause).at(&target.url).about(named(encoder.clone())));
    if let (Some(from), Some(to)) = (codec.subtitle_form(), made.subtitle_form())
        && from != to
    {
        let word = |form| match form {
            SubtitleForm::Text => "text",
            SubtitleForm::Pictures => "pictures",
        };
        return wrong(format!(
            "subtitles that are {}, as {}, can't become {}",
            word(from),
            codec.name(),
            word(to)
        ));
    }
    if !holds_subtitles(target, made) {
        return wrong(format!(
            "format {format} has no place for subtitles of codec {}",
            made.name()
        ));
    }
    let options = taken(options, place, &encoder)?;
    Ok(Treatment::Subtitles(SubtitlePlan { encoder, options }))
}

/// The encoder for a stream, or none where it is copied.
fn encoder_for(
    target: &Target,
    options: &OutputOptions,
    SourceStream { input, info, place, carriage, is_cover, .. }: SourceStream<'_>,
    must_encode: bool,
) -> Result<Option<String>> {
    let kind = place.kind;
    let choice = options.codec.of(place);
    // What follows may be anything.
    let is_joined = input.is_some_and(|input| input.options.joined.is_some());
    let must_encode = must_encode || is_joined && kind != MediaKind::Cover;
    let can_copy = carriage == Carriage::Copy;
    let decoding_option = input.and_then(|input| input.options.decoding_option(kind));
    match choice {
        Some(CodecChoice::Copy) => {
            // Those of the kind alone are known before the inputs are.
            if let Some(setting) = options.filter_setting(place).or(decoding_option) {
                return Err(no_effect_on_copy(target, &setting, kind));
            }
            if input.is_some_and(|input| input.is_stand_in) {
                return Err(copy_of_missing(target, kind));
            }
            if is_joined {
                return Err(copy_of_joined(target, kind));
            }
            if let Some(stream) = info.filter(|_| !can_copy && kind != MediaKind::Subtitle) {
                let (codec, format) = (stream.params.codec().name(), target.muxer.name());
                tracing::warn!(
                    "{}: {codec} is copied as asked for; hardly any player reads it right in format \
                     {format}",
                    url::redact::url(&target.url)
                );
            }
            return Ok(None);
        }
        Some(CodecChoice::Encoder(name)) => {
            let encoder = find_encoder(name)?;
            if encoder.kind() != kind {
                let what = kind.name();
                let cause =
                    format!("encoder {name} is not for {what}, which stream {} is", place.number);
                return Err(Error::usage(cause).at(&target.url));
            }
            return Ok(Some(encoder.name().to_owned()));
        }
        None => {}
    }
    let is_decoded = must_encode || options.asks_to_encode(place) || decoding_option.is_some();
    if !is_decoded && can_copy {
        return Ok(None);
    }
    match default_encoder(target, if is_cover { MediaKind::Cover } else { kind }) {
        Some(name) => Ok(Some(name.to_owned())),
        None => {
            let (what, format) = (kind.name(), target.muxer.name());
            let cause = format!("no encoder is known for the {what} of format {format}");
            Err(Error::usage(cause).at(&target.url).hint(match kind {
                MediaKind::Video => Hint::NameVideoEncoder,
                MediaKind::Subtitle => Hint::LeaveOut(Setting::ffmpeg("map").of(End::Output)),
                _ => Hint::NameAudioEncoder,
            }))
        }
    }
}

/// The error for a setting that acts on pictures or samples, which a copy never has.
fn no_effect_on_copy(target: &Target, setting: &Setting, kind: MediaKind) -> Error {
    let copy = codec_setting(kind).to("copy");
    Error::usage(sentence!("{} has no effect together with {}", setting, &copy))
        .at(&target.url)
        .hint(Hint::AddEncoder(vec![encoder_setting(target, kind)]))
}

pub(super) fn copy_of_edited(target: &Target, kind: MediaKind) -> Error {
    let copy = codec_setting(kind).to("copy");
    let what = if kind == MediaKind::Audio { "sound" } else { "frames" };
    let cause = sentence!("{} can't go together with code that edits the {}", &copy, what);
    Error::usage(cause).at(&target.url).hint(Hint::LeaveOut(copy))
}

fn copy_of_joined(target: &Target, kind: MediaKind) -> Error {
    let copy = codec_setting(kind).to("copy");
    let cause = sentence!("{} can't go together with inputs that follow each other", &copy);
    Error::usage(cause).at(&target.url).hint(Hint::LeaveOut(copy))
}

fn copy_of_missing(target: &Target, kind: MediaKind) -> Error {
    let any = Setting::own("wait-for-inputs").to("any");
    let copy = codec_setting(kind).to("copy");
    Error::usage(sentence!("{} of an input that is missing can't go together with {}", copy, any))
        .at(&target.url)
        .hint(Hint::AddEncoder(vec![encoder_setting(target, kind)]))
}

/// How the stream at a place, in whose output chapters begin at these times, is encoded by `encoder`,
/// whole.
pub(super) fn video_plan(
    target: &Target,
    options: &OutputOptions,
    (place, chapters): (StreamPlace<'_>, &[Timestamp]),
    encoder: String,
    is_edited: bool,
) -> Result<VideoPlan> {
    check_filter_for(target, options, place)?;
    Ok(VideoPlan {
        options: taken(options, place, &encoder)?,
        keeps_alpha: keeps_alpha(&target.muxer, find_encoder(&encoder)?.codec().name()),
        aspect: options.aspect.of(place).copied(),
        formats: pixel_formats(&target.muxer),
        encoder,
        filter: options.filter.of(place).map(|graph| match options.scaler_flags.of(place) {
            // libav's way to say it of a whole graph.
            Some(flags) => format!("sws_flags={flags};{graph}"),
            None => graph.clone(),
        }),
        size: options.size.of(place).copied(),
        rate: options.rate.of(place).copied(),
        pixel_format: options.pixel_format.of(place).cloned(),
        is_live: target.is_live,
        window: Window { start: options.start, length: options.length() },
        frames: (options.frames.of(place))
            .map(|count| PictureLimit { count: *count, ends_output: true }),
        constant_rate: counts_frames(&target.muxer)
            || options.frame_times.of(place) == Some(&FrameTimes::Constant),
        has_no_pts: target.muxer.name() == "avi",
        keyframes: options.keyframes.of(place).map(|choice| keyframe_rule(choice, chapters)),
        passes: pass_plan(options, place),
        is_edited,
        devices: options.devices.clone(),
    })
}

fn keyframe_rule(choice: &KeyframeChoice, chapters: &[Timestamp]) -> KeyframeRule {
    match choice {
        KeyframeChoice::Source => KeyframeRule::Source,
        KeyframeChoice::Expression(text) => KeyframeRule::Expression(text.clone()),
        KeyframeChoice::Times { times, behind_chapters } => {
            let behind =
                behind_chapters.iter().flat_map(|by| chapters.iter().map(|at| at.plus(*by)));
            let mut times: Vec<Timestamp> = times.iter().copied().chain(behind).collect();
            times.sort_unstable();
            KeyframeRule::Times(times)
        }
    }
}

/// What the files of two passes are called, where nobody says it (ffmpeg(1), `-passlogfile`).
const PASS_LOG: &str = "ffmpeg2pass";

fn pass_plan(options: &OutputOptions, place: StreamPlace<'_>) -> Option<PassPlan> {
    let pass = options.pass.of(place)?;
    let prefix = options.pass_log.of(place).map_or(PASS_LOG, String::as_str);
    let file = format!("{prefix}-{}.log", place.number).into();
    Some(PassPlan { is_first: pass & 1 != 0, is_second: pass & 2 != 0, file })
}

/// How the sound at a place is encoded by `encoder`.
pub(super) fn audio_plan(
    target: &Target,
    options: &OutputOptions,
    place: StreamPlace<'_>,
    encoder: String,
) -> Result<AudioPlan> {
    check_filter_for(target, options, place)?;
    Ok(AudioPlan {
        filter: options.filter.of(place).cloned(),
        options: taken(options, place, &encoder)?,
        encoder,
        window: Window { start: options.start, length: options.length() },
        packets: options.frames.of(place).copied(),
    })
}

/// Refuses a filter graph that can't be.
fn check_filter(options: &OutputOptions, place: StreamPlace<'_>) -> Result<()> {
    let Some(graph) = options.filter.of(place) else { return Ok(()) };
    let setting = options.filter_setting(place);
    check_graph(graph).map_err(|error| setting.into_iter().fold(error, Error::about))
}

/// Refuses a filter graph that can't be for the stream at this place: one that was given for streams of any
/// kind may be for the other one.
fn check_filter_for(
    target: &Target,
    options: &OutputOptions,
    place: StreamPlace<'_>,
) -> Result<()> {
    check_filter(options, place)?;
    let Some((specifier, graph)) = options.filter.given_for(place) else { return Ok(()) };
    // What libav can't make a graph of yet, for want of a device, shows with the first frame.
    let Some(pads) = specifier.kind().is_none().then(|| pads_of(graph).ok()).flatten() else {
        return Ok(());
    };
    let mut all = pads.inputs.iter().chain(&pads.outputs);
    let Some(other) = all.find(|pad| pad.kind != place.kind) else { return Ok(()) };
    let (number, kind) = (place.number, place.kind.name());
    let filter = &other.filter;
    let cause =
        format!("stream {number} is {kind}, and filter {filter} is for {}", other.kind.name());
    let named = match other.kind {
        MediaKind::Audio => "filter:a",
        _ => "filter:v",
    };
    let error = Error::usage(cause).at(&target.url);
    let error = options.filter_setting(place).into_iter().fold(error, Error::about);
    Err(error.hint(Hint::Use(vec![Setting::ffmpeg(named).of(End::Output)])))
}

/// Whether something is written to what the output's URL names: some formats, as `null`, write nothing.
pub fn is_written(url: &str, options: &OutputOptions) -> bool {
    Target::resolve(url, options).is_ok_and(|target| !target.muxer.opens_no_file())
}

/// Refuses, before anything is opened, outputs that can't be: contradictory options, values that an
/// option doesn't take, a format or a folder that isn't there, a file that may not be overwritten, the
/// input itself.
///
/// # Errors
/// [`ErrorKind::Usage`] and what the file system says.
pub fn check_outputs(
    inputs: &[&str],
    outputs: &[(String, OutputOptions)],
    has_command: bool,
) -> Result<()> {
    for (n, (url, options)) in outputs.iter().enumerate() {
        if outputs.iter().take(n).any(|(other, _)| other == url && url != "/dev/null") {
            return Err(Error::usage("it is given twice as an output").at(url));
        }
        options.check()?;
        let target = Target::resolve(url, options)?;
        let video = StreamPlace::only(MediaKind::Video);
        let has_command = has_command && options.preroll.is_none();
        if has_command && options.codec.of(video) == Some(&CodecChoice::Copy) {
            return Err(copy_of_edited(&target, MediaKind::Video));
        }
        check_encoders(&target, options, has_command).map_err(|error| error.at(url))?;
        check_filter(options, video)?;
        check_filter(options, StreamPlace::only(MediaKind::Audio))?;
        target.check_writable(options)?;
        let same = |a: Option<&Path>, b: Option<&Path>| match (a, b) {
            (Some(a), Some(b)) => std::fs::canonicalize(a)
                .ok()
                .is_some_and(|a| std::fs::canonicalize(b).ok() == Some(a)),
            _ => false,
        };
        let regular = |p: &Path| std::fs::metadata(p).is_ok_and(|m| m.is_file());
        let to = url::local_path(url);
        let is_input = |input: &&str| {
            let from = url::local_path(input);
            same(from.as_deref(), to.as_deref()) && from.as_deref().is_some_and(regular)
        };
        if inputs.iter().any(is_input) {
            return Err(Error::usage("it is the input too").at(url).hint(Hint::WriteElsewhere));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, Stage};

    #[test]
    fn an_encoder_that_is_known_judges_its_options() {
        let check = |url: &str, pairs: &[(&str, &str)], has_command: bool| {
            let mut options = OutputOptions::new().overwrite(true);
            pairs.iter().try_for_each(|(name, value)| options.set(name, value))?;
            check_outputs(&["in.mp4"], &[(url.to_owned(), options)], has_command)
        };
        for (url, pairs, has_command, mentions) in [
            ("o.webm", &[("c:v", "libvpx-vp9"), ("crf", "900")][..], false, "-1 to 63"),
            ("o.webm", &[("crf", "900"), ("c:v", "vp9")], false, "-crf"),
            ("o.mp4", &[("c:v", "libx264"), ("preset", "nonsense")], false, "ultrafast"),
            ("o.mp4", &[("preset", "ultrafst")], false, "did you mean ultrafast"),
            ("o.mp4", &[("preset", "10")], true, "-preset"),
            ("o.mp4", &[("c:v", "libx265"), ("preset", "Fast")], false, "did you mean"),
            ("o.mp4", &[("movflags", "slowstart")], false, "-movflags"),
            ("o.flv", &[("flvflags", "slowstart")], true, "-flvflags"),
            ("o.mp4", &[("c:a", "aac"), ("aac_coder", "slow")], false, "-aac_coder"),
            ("o.mp4", &[("c:v:0", "libx264"), ("coder:v:0", "huffman")], false, "-coder:v:0"),
            ("o.mp4", &[("vf", "scale=2:2:interl=9")], false, "interl of filter scale"),
            ("o.mp4", &[("vf", "hflp")], true, "did you mean hflip"),
            ("o\0.mp4", &[], false, "NUL"),
        ] {
            let error = check(url, pairs, has_command).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{pairs:?}: {error}");
            assert_eq!(error.stage(), Stage::Options, "{pairs:?}: {error}");
            assert!(error.to_string().contains(mentions), "{pairs:?}: {error}");
        }
        for (url, pairs, has_command) in [
            ("o.mp4", &[("c:v", "libx264"), ("preset", "VeryFast"), ("crf", "900")][..], false),
            ("o.mp4", &[("preset", "5"), ("g", "2*25"), ("b", "2*1000k")], true),
            // Which encoder it will be is not known, or none.
            ("o.mkv", &[("c", "copy"), ("crf", "900")], false),
            ("o.mp4", &[("c:v", "libvpx-vp9"), ("vn", ""), ("crf", "900")], false),
            ("o.mp4", &[("c:1", "libvpx-vp9"), ("crf:1", "900")], false),
            ("o.mp4", &[("c:a", "aac"), ("profile:a", "aac_low"), ("b:a", "96k")], false),
            ("rtmp://h/live/x", &[("flvflags", "no_metadata"), ("rtmp_buffer", "100")], true),
        ] {
            let checked = check(url, pairs, has_command);
            assert!(checked.is_ok(), "{pairs:?}: {checked:?}");
        }
    }
}
