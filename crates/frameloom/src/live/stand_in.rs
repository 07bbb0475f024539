//! What stands in for a live input that could not be opened at the start: a card and silence, lost from
//! its first moment on, so that it is opened again as any input that was lost.

use std::collections::VecDeque;
use std::time::Duration;

use crate::av::metadata::ContainerMetadata;
use crate::av::{
    AvError, AvPacket, CodecId, CodecParams, Dict, EncoderInput, EncoderSetup, MediaKind, PixFmt,
    Received, StreamInfo, VideoShape,
};
use crate::edit::Fit;
use crate::error::{Error, Result, Stage};
use crate::live::slate::Slate;
use crate::options::InputOptions;
use crate::protocol::{Break, Input, Opened};
use crate::time::{Rate, TimeBase, Timestamp};

/// The picture of an input that is not there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StandInPicture {
    /// Width and height in pixels, which are even.
    pub(crate) size: (u32, u32),
    pub(crate) rate: Rate,
}

/// Where no other input says how pictures are.
const PLAIN: StandInPicture = StandInPicture { size: (1280, 720), rate: Rate::whole(25) };

impl StandInPicture {
    /// As those of another input, as far as that is known.
    pub(crate) fn like(other: Option<&StreamInfo>) -> StandInPicture {
        let Some(other) = other else { return PLAIN };
        let size = (other.params.width() & !1, other.params.height() & !1);
        if size.0 == 0 || size.1 == 0 {
            return PLAIN;
        }
        StandInPicture { size, rate: other.frame_rate.unwrap_or(PLAIN.rate) }
    }
}

/// Samples a second of the silence, and its channels.
const SAMPLE_RATE: u32 = 48_000;
const CHANNELS: u32 = 2;
/// Bytes of a sample of all channels.
const SAMPLE_BYTES: usize = 4;

/// The pixel format of the card: that of most cameras, so that what follows changes nothing.
const FORMAT: &str = "yuv420p";

/// What stands in for an input that could not be opened for this cause.
///
/// # Errors
/// Where memory runs out.
pub(crate) fn stand_in(
    picture: StandInPicture,
    options: &InputOptions,
    cause: Error,
) -> Result<Opened> {
    let (video, card) = card(picture).map_err(|e| e.at(cause.target().unwrap_or_default()))?;
    let (audio, silence) = silence(picture.rate).map_err(|e| e.in_stage(Stage::Source))?;
    let share = |stream: &StreamInfo| stream.share().map_err(|e| e.in_stage(Stage::Source));
    let wants = |kind| !options.leaves_out(kind);
    Ok(Opened {
        video: wants(MediaKind::Video).then(|| share(&video)).transpose()?,
        audio: wants(MediaKind::Audio).then(|| share(&audio)).transpose()?,
        input: Box::new(StandIn { streams: [video, audio], cause }),
        is_live: true,
        pending: VecDeque::from([card, silence]),
        begin: Timestamp::ZERO,
    })
}

struct StandIn {
    streams: [StreamInfo; 2],
    /// Why the input isn't there.
    cause: Error,
}

impl Input for StandIn {
    fn format_name(&self) -> &'static str {
        "stand-in"
    }

    fn streams(&self) -> Result<Vec<StreamInfo>> {
        let streams = self.streams.iter().map(StreamInfo::share);
        streams.collect::<Result<_, AvError>>().map_err(|e| e.in_stage(Stage::Source))
    }

    fn read(&mut self) -> Result<Option<AvPacket>, Break> {
        Err(Break::Closed(self.cause.clone()))
    }

    fn duration_micros(&self) -> Option<i64> {
        None
    }

    fn bit_rate(&self) -> i64 {
        0
    }

    fn metadata(&self) -> ContainerMetadata {
        ContainerMetadata::default()
    }

    fn set_stall_limit(&mut self, _: Duration) {}

    fn is_stand_in(&self) -> bool {
        true
    }
}

/// The card as a stream, and the one packet of it.
fn card(picture: StandInPicture) -> Result<(StreamInfo, AvPacket)> {
    let failed = |e: AvError| e.in_stage(Stage::Source);
    let missing = || failed(AvError::no_memory());
    let format = PixFmt::named(FORMAT).ok_or_else(missing)?;
    let frame = Fit::new(picture.size).fit(Slate::load(None)?.frame()?)?.ok_or_else(missing)?;
    let mut card = frame.into_picture_as(format)?;
    let (width, height) = picture.size;
    let shape = VideoShape {
        width,
        height,
        format,
        sample_aspect_ratio: Some((1, 1)),
        colors: card.colors(),
        frame_rate: Some(picture.rate),
        gop: None,
        b_frames: false,
    };
    let base = picture.rate.time_base();
    let raw = EncoderSetup::find("rawvideo").ok_or_else(missing)?;
    let encoder = raw.open_video(&shape, base, false, EncoderInput::Memory, &mut Dict::new(), None);
    let mut encoder = encoder.map_err(failed)?;
    card.set_pts(Some(0));
    encoder.send(Some(&card)).map_err(failed)?;
    // One that works on several pictures at once gives none before it has as many, or the last.
    encoder.send(None).map_err(failed)?;
    let Received::Item(mut packet) = encoder.receive().map_err(failed)? else {
        return Err(missing());
    };
    packet.set_times(Some(0), Some(0), 1);
    packet.set_stream(0);
    let params = encoder.params().map_err(failed)?;
    let stream = StreamInfo::of_params(0, params, base);
    Ok((StreamInfo { frame_rate: Some(picture.rate), ..stream }, packet))
}

/// Silence as a stream, and one packet of it, as long as a picture.
fn silence(rate: Rate) -> Result<(StreamInfo, AvPacket), AvError> {
    let codec = CodecId::named("pcm_s16le").ok_or_else(AvError::no_memory)?;
    let mut params = CodecParams::of_codec(MediaKind::Audio, codec, &[])?;
    params.describe_sound(SAMPLE_RATE, CHANNELS);
    let base = TimeBase::new(1, 48_000).unwrap_or(TimeBase::MICROS);
    let samples = rate.time_base().at(1).rescale(base).ticks().max(1);
    let bytes = usize::try_from(samples).unwrap_or(0).saturating_mul(SAMPLE_BYTES);
    let mut packet = AvPacket::of_bytes(&vec![0; bytes], 1, true)?;
    packet.set_times(Some(0), Some(0), samples);
    Ok((StreamInfo::of_params(1, params, base), packet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn it_is_a_card_and_silence_and_then_lost() {
        let cause = Error::new(ErrorKind::Connection, Stage::Source, "refused").at("rtmp://h/a/b");
        let picture = StandInPicture { size: (320, 180), rate: Rate::whole(10) };
        let opened = stand_in(picture, &InputOptions::new(), cause.clone()).unwrap();
        let (video, audio) = (opened.video.unwrap(), opened.audio.unwrap());
        assert_eq!((video.params.width(), video.params.height()), picture.size);
        assert_eq!(video.frame_rate, Some(picture.rate));
        assert_eq!((audio.params.sample_rate(), audio.params.channels()), (48_000, 2));
        let lengths: Vec<_> = opened.pending.iter().map(|p| (p.size(), p.duration())).collect();
        assert_eq!(lengths, [(320 * 180 * 3 / 2, 1), (4800 * 4, 4800)]);
        let mut input = opened.input;
        assert!(
            matches!(input.read(), Err(Break::Closed(error)) if error.to_string() == cause.to_string())
        );
        // What nobody wants is not there.
        let cause = Error::process("x");
        let sound = stand_in(picture, &InputOptions::new().no_video(true), cause).unwrap();
        assert!(sound.video.is_none() && sound.audio.is_some());
    }

    #[test]
    fn it_is_as_large_as_another_input() {
        assert_eq!(StandInPicture::like(None), PLAIN);
        let rawvideo = CodecId::named("rawvideo").unwrap();
        let params = CodecParams::of_codec(MediaKind::Video, rawvideo, &[]).unwrap();
        let unknown = StreamInfo::of_params(0, params, TimeBase::MICROS);
        assert_eq!(StandInPicture::like(Some(&unknown)), PLAIN);
    }
}
