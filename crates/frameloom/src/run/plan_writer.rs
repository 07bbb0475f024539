//! What becomes of frames and sound that come from the caller's own code.

use crate::av::MediaKind;
use crate::codec::audio::AudioPlan;
use crate::codec::encode::{VideoPlan, find_encoder};
use crate::error::{Error, Result, sentence};
use crate::options::{CodecChoice, OutputOptions, SpecifiedStream, StreamPlace};
use crate::output::StreamSetup;
use crate::output::container::{default_encoder, has_room_for};
use crate::protocol::Target;
use crate::run::encoder_options::refuse_untaken;
use crate::run::plan::{audio_plan, copy_of_edited, video_plan};

/// How a caller's frames and sound are encoded, and the streams that they become, in this order.
pub(crate) struct WriterPlan {
    pub(crate) video: Option<VideoPlan>,
    pub(crate) audio: Option<AudioPlan>,
    pub(crate) streams: Vec<StreamSetup>,
}

/// The plan for frames alone.
pub(crate) fn plan_writer(target: &Target, options: &OutputOptions) -> Result<VideoPlan> {
    let place = StreamPlace::only(MediaKind::Video);
    check_streams(target, options, &[place])?;
    let encoder = encoder_for(target, options, place)?;
    refuse_untaken(target, options, &[(place, Some(&encoder))])?;
    video_plan(target, options, (place, &[]), encoder, true)
}

/// The stream of frames alone.
pub(crate) fn written_stream(options: &OutputOptions) -> StreamSetup {
    stream_setup(options, StreamPlace::only(MediaKind::Video))
}

/// The plan for frames, and for sound where there is some. A format for sound alone, and an output without
/// video (`-vn`), has no frames.
pub(crate) fn plan_feed(
    target: &Target,
    options: &OutputOptions,
    has_audio: bool,
) -> Result<WriterPlan> {
    if !has_audio {
        let video = Some(plan_writer(target, options)?);
        return Ok(WriterPlan { video, audio: None, streams: vec![written_stream(options)] });
    }
    let has_video = !options.no_video && has_room_for(target, MediaKind::Video);
    let kinds = has_video.then_some(MediaKind::Video).into_iter().chain([MediaKind::Audio]);
    let known: Vec<SpecifiedStream<'_>> = kinds.map(SpecifiedStream::of_kind).collect();
    let places = StreamPlace::all(&known);
    check_streams(target, options, &places)?;
    let encoders = places.iter().map(|place| Ok((*place, encoder_for(target, options, *place)?)));
    let encoders = encoders.collect::<Result<Vec<_>>>()?;
    let named: Vec<_> =
        encoders.iter().map(|(place, name)| (*place, Some(name.as_str()))).collect();
    refuse_untaken(target, options, &named)?;
    let (mut video, mut audio) = (None, None);
    for (place, encoder) in encoders {
        match place.kind {
            MediaKind::Audio => audio = Some(audio_plan(target, options, place, encoder)?),
            _ => video = Some(video_plan(target, options, (place, &[]), encoder, true)?),
        }
    }
    let streams = places.iter().map(|place| stream_setup(options, *place)).collect();
    Ok(WriterPlan { video, audio, streams })
}

fn stream_setup(options: &OutputOptions, place: StreamPlace<'_>) -> StreamSetup {
    let bitstream_filters = options.bitstream_filters.of(place).cloned();
    let aspect = options.aspect.of(place).copied();
    StreamSetup { kind: place.kind, bitstream_filters, aspect, may_be_empty: false }
}

/// Refuses options for streams that the output has not.
fn check_streams(
    target: &Target,
    options: &OutputOptions,
    places: &[StreamPlace<'_>],
) -> Result<()> {
    let Some(setting) = options.without_stream(places) else { return Ok(()) };
    let cause = sentence!("{} is for a stream that the output has not", setting);
    Err(Error::usage(cause).at(&target.url))
}

fn encoder_for(target: &Target, options: &OutputOptions, place: StreamPlace<'_>) -> Result<String> {
    let what = if place.kind == MediaKind::Audio { "sound" } else { "video" };
    let no_room = || Error::usage(format!("no {what} goes into this format")).at(&target.url);
    match options.codec.of(place) {
        Some(CodecChoice::Encoder(name)) => {
            let encoder = find_encoder(name)?;
            if encoder.kind() != place.kind {
                let cause = format!("encoder {name} is not for {what}");
                return Err(Error::usage(cause).at(&target.url));
            }
            Ok(encoder.name().to_owned())
        }
        Some(CodecChoice::Copy) => Err(copy_of_edited(target, place.kind)),
        None => default_encoder(target, place.kind).map(str::to_owned).ok_or_else(no_room),
    }
}
