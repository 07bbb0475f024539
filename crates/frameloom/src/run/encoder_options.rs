//! Which of an output's options its encoders take, and what is wrong with the others.

use crate::av::{EncoderSetup, MediaKind};
use crate::codec::encode::find_encoder;
use crate::error::{
    End, Error, ExpectedValue, Hint, Instead, Result, Setting, ValueKind, nearest, sentence,
};
use crate::options::{AvOption, CodecChoice, OutputOptions, StreamPlace, wrong_value};
use crate::output::container::default_encoder;
use crate::protocol::Target;

/// Encoders that know nothing of libav's two passes.
const WITHOUT_PASSES: [&str; 2] = ["libx265", "libsvtav1"];

/// Encoders whose quality is one number of their own.
const WITHOUT_SCALE: [&str; 5] = ["libx264", "libx264rgb", "libx265", "libaom-av1", "libsvtav1"];

/// The options for a stream's encoder, as pairs; those named for its kind alone must be its own.
pub(crate) fn taken(
    options: &OutputOptions,
    place: StreamPlace<'_>,
    encoder: &str,
) -> Result<Vec<(String, String)>> {
    let setup = find_encoder(encoder)?;
    let mut pairs = Vec::new();
    for option in options.encoder_options(place) {
        if setup.takes(&option.name) {
            check_value(&setup, option)?;
            pairs.push((option.name.clone(), option.value.clone()));
        } else if !option.specifier.is_for_all() {
            let setting = option.setting().of(End::Output);
            return Err(means_nothing(&setting, encoder));
        }
    }
    if let Some(timecode) = options.timecode.as_ref().filter(|_| setup.takes("gop_timecode"))
        && !pairs.iter().any(|(name, _)| name == "gop_timecode")
    {
        // Codecs that have one in each GOP; of others the container has it.
        pairs.push(("gop_timecode".to_owned(), timecode.clone()));
    }
    if options.pass.of(place).is_some() && WITHOUT_PASSES.contains(&encoder) {
        let setting = Setting::ffmpeg("pass").of(End::Output);
        return Err(means_nothing(&setting, encoder).hint(Instead::EncodersPasses));
    }
    if let Some(quality) = options.quality.of(place) {
        if WITHOUT_SCALE.contains(&encoder) {
            let name = if place.kind == MediaKind::Video { "q:v" } else { "q:a" };
            let setting = Setting::ffmpeg(name).of(End::Output);
            return Err(means_nothing(&setting, encoder).hint(Instead::EncodersQuality));
        }
        match pairs.iter_mut().find(|(name, _)| name == "flags") {
            Some((_, flags)) => flags.push_str("+qscale"),
            None => pairs.push(("flags".to_owned(), "+qscale".to_owned())),
        }
        pairs.push(("global_quality".to_owned(), quality.to_string()));
    }
    Ok(pairs)
}

fn means_nothing(setting: &Setting, encoder: &str) -> Error {
    Error::usage(sentence!("{} means nothing to encoder {}", setting, encoder))
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

/// Refuses a value that the encoder would refuse when its first frame opens it.
fn check_value(encoder: &EncoderSetup, option: &AvOption) -> Result<()> {
    option.check_value(End::Output, &encoder.option_classes())?;
    // To libav it is a text.
    let (has_presets, ignores_case) = match encoder.name() {
        "libx264" | "libx264rgb" => (true, true),
        "libx265" => (true, false),
        _ => (false, false),
    };
    let preset = option.value.as_str();
    let is_named = |name: &str| match ignores_case {
        true => name.eq_ignore_ascii_case(preset),
        false => name == preset,
    };
    let is_known =
        || PRESETS.iter().any(|name| is_named(name)) || matches!(preset.as_bytes(), [b'0'..=b'9']);
    if option.name != "preset" || !has_presets || is_known() {
        return Ok(());
    }
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let expected = ExpectedValue {
        names: owned(&PRESETS),
        near: owned(&nearest(preset, PRESETS)),
        ..ExpectedValue::of_kind(ValueKind::Name)
    };
    Err(wrong_value(preset, expected).about(option.setting().of(End::Output)))
}

/// Refuses values that an encoder doesn't take, as far as it is known before the input is opened
/// which one it will be.
pub(crate) fn check_encoders(
    target: &Target,
    options: &OutputOptions,
    is_edited: bool,
) -> Result<()> {
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let place = StreamPlace::only(kind);
        let is_left_out =
            if kind == MediaKind::Video { options.no_video } else { options.no_audio };
        let encodes = options.asks_to_encode(place) || is_edited && kind == MediaKind::Video;
        let name = match options.codec.of(place) {
            _ if is_left_out => None,
            Some(CodecChoice::Encoder(name)) => Some(name.as_str()),
            None if encodes => default_encoder(target, kind),
            Some(CodecChoice::Copy) | None => None,
        };
        let encoder = name.and_then(EncoderSetup::find).filter(|encoder| encoder.kind() == kind);
        let Some(encoder) = encoder else { continue };
        // Which stream a number among all means depends on the input.
        let is_certain = |option: &&AvOption| option.specifier.is_of_kind_alone();
        let mut certain = options.encoder_options(place).filter(is_certain);
        certain.try_for_each(|option| check_value(&encoder, option))?;
    }
    Ok(())
}

/// Refuses options that no encoder of the output took and no container or protocol knows. Of each of
/// its streams the encoder is given, or that there is none, as the stream is copied.
pub(crate) fn refuse_untaken(
    target: &Target,
    options: &OutputOptions,
    encoders: &[(StreamPlace<'_>, Option<&str>)],
) -> Result<()> {
    let takes = |o: &AvOption, encoder: &str, place: StreamPlace<'_>| -> Result<bool> {
        Ok(o.is_for(place) && find_encoder(encoder)?.takes(&o.name))
    };
    let is_for_format = |o: &AvOption| o.for_format && o.specifier.is_for_all();
    for option in options.av.iter().filter(|o| o.for_codec && !is_for_format(o)) {
        let (mut is_taken, mut add) = (false, Vec::new());
        for &(place, encoder) in encoders {
            if let Some(encoder) = encoder {
                is_taken |= takes(option, encoder, place)?;
                continue;
            }
            let setting = encoder_setting(target, place.kind);
            // One that is not in this FFmpeg takes nothing.
            if setting.value().is_some_and(|name| takes(option, name, place).unwrap_or(false)) {
                add.push(setting);
            }
        }
        if is_taken {
            continue;
        }
        let used = encoders.iter().filter_map(|(_, encoder)| encoder.map(str::to_owned)).collect();
        let hint = if add.is_empty() { Hint::NoneTakesIt(used) } else { Hint::AddEncoder(add) };
        let error =
            Error::usage("nothing took it").about(option.setting().of(End::Output)).hint(hint);
        if !options.allows_untaken {
            return Err(error);
        }
        tracing::warn!("{error}");
    }
    Ok(())
}

pub(crate) fn codec_setting(kind: MediaKind) -> Setting {
    let name = match kind {
        MediaKind::Video => "c:v",
        MediaKind::Subtitle => "c:s",
        _ => "c:a",
    };
    Setting::ffmpeg(name).of(End::Output)
}

/// The setting that has a stream encoded as is usual in the container.
pub(crate) fn encoder_setting(target: &Target, kind: MediaKind) -> Setting {
    let usual = match kind {
        MediaKind::Video => "libx264",
        MediaKind::Subtitle => "mov_text",
        _ => "aac",
    };
    codec_setting(kind).to(default_encoder(target, kind).unwrap_or(usual))
}
