//! Getting to know a live FLV stream from its own first packets.
//!
//! libavformat can't: an FLV stream doesn't say how many streams it has, so its probing waits for
//! a second one until a fixed time is over, and gives up on video whose first keyframe is later
//! than that. The sequence headers in the packets tell everything but the picture's size, which
//! the first keyframe tells.

use std::collections::VecDeque;
use std::time::Duration;

use crate::av::{
    AvError, AvPacket, CodecParams, Decoder, DecoderSetup, Demuxer, Dict, Interrupt, MediaKind,
    Received, StreamInfo,
};
use crate::time::{TimeBase, Timestamp};

/// How long a stream with video may go without audio until it is taken to have none.
const AUDIO_WAIT: Timestamp = Timestamp::from_micros(1_000_000);

/// How long a stream with audio may go without video until it is taken to have none. A server
/// that has begun inside a GOP may send no video before the next one.
const VIDEO_WAIT: Timestamp = Timestamp::from_micros(12_000_000);

/// As [`VIDEO_WAIT`], on the real clock.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Encoders of variable rates state their clock's tick instead.
const PLAUSIBLE_FPS: std::ops::RangeInclusive<f64> = 1.0..=240.0;

/// Reads until it is clear which streams there are: at best to the first keyframe.
pub(crate) fn first_packets(
    demuxer: &mut Demuxer,
    interrupt: &Interrupt,
) -> Result<VecDeque<AvPacket>, AvError> {
    let mut packets: VecDeque<AvPacket> = VecDeque::new();
    let (mut first, mut audio, mut key) = (None, false, false);
    while let Some(packet) = demuxer.read()? {
        if packets.is_empty() {
            interrupt.set_deadline(Some(OPEN_TIMEOUT));
        }
        let stream = demuxer.stream(packet.stream())?;
        let at = packet.dts().or(packet.pts()).map(|t| stream.time_base.at(t));
        match stream.kind {
            MediaKind::Audio => audio = true,
            MediaKind::Video => key |= packet.is_key(),
            _ => {}
        }
        packets.push_back(packet);
        let first = *first.get_or_insert(at);
        let span = at.zip(first).map_or(Timestamp::ZERO, |(at, first)| at.minus(first));
        if key && (audio || span > AUDIO_WAIT) || span > VIDEO_WAIT {
            break;
        }
    }
    Ok(packets)
}

/// The earliest time in the first packets.
pub(crate) fn start_of(
    time_base: impl Fn(usize) -> Option<TimeBase>,
    packets: &VecDeque<AvPacket>,
) -> Option<Timestamp> {
    let times = packets.iter().filter_map(|p| {
        let base = time_base(p.stream())?;
        p.pts().or(p.dts()).map(|t| base.at(t))
    });
    times.min()
}

/// Fills in what only a decoded picture tells: size, pixel format, colours, and the rate that
/// the codec's own headers state.
pub(crate) fn complete(video: &mut StreamInfo, packets: &VecDeque<AvPacket>) {
    let is_described = video.params.width() > 0 && video.params.format() >= 0;
    if packets.is_empty() || is_described && video.frame_rate.is_some() {
        return;
    }
    let setup = DecoderSetup {
        params: &video.params,
        time_base: video.time_base,
        frame_rate: None,
        name: None,
        low_delay: true,
        on: None,
    };
    // Whatever fails here fails again, and is told, where the stream itself is decoded.
    let Ok(mut decoder) = Decoder::open(&setup, &mut Dict::new()) else { return };
    let of_video = packets.iter().filter(|p| p.stream() == video.index).map(Some);
    for packet in of_video.chain(std::iter::once(None)) {
        let _ = decoder.send(packet);
        if let Ok(Received::Item(picture)) = decoder.receive() {
            let stated = decoder.frame_rate().filter(|r| PLAUSIBLE_FPS.contains(&r.as_f64()));
            video.params.describe_picture(&picture);
            video.frame_rate = video.frame_rate.or(stated);
            return;
        }
    }
}

/// Describes a stream anew whose extradata are others from `packet` on. What neither they nor the
/// packet tell stays as it was.
pub(crate) fn renew(
    stream: &mut StreamInfo,
    extradata: &[u8],
    packet: &AvPacket,
) -> Result<(), AvError> {
    let mut renewed = stream.share()?;
    renewed.params = CodecParams::of_codec(stream.kind, stream.params.codec(), extradata)?;
    let first = VecDeque::from([packet.share()?]);
    let is_described = match stream.kind {
        MediaKind::Video => {
            complete(&mut renewed, &first);
            renewed.params.width() > 0
        }
        _ => {
            complete_sound(&mut renewed, &first);
            renewed.params.sample_rate() > 0
        }
    };
    if is_described {
        stream.params = renewed.params;
        return Ok(());
    }
    stream.params.set_extradata(extradata)
}

/// Fills in what only decoded sound, or a decoder's configuration, tells: sample rate, channels,
/// samples in a packet.
pub(crate) fn complete_sound(audio: &mut StreamInfo, packets: &VecDeque<AvPacket>) {
    let setup = DecoderSetup {
        params: &audio.params,
        time_base: audio.time_base,
        frame_rate: None,
        name: None,
        low_delay: true,
        on: None,
    };
    // Whatever fails here fails again, and is told, where the stream itself is decoded.
    let Ok(mut decoder) = Decoder::open(&setup, &mut Dict::new()) else { return };
    for packet in packets.iter().filter(|p| p.stream() == audio.index) {
        let _ = decoder.send(Some(packet));
        if let Ok(Received::Item(_)) = decoder.receive() {
            break;
        }
    }
    if let Ok(params) = decoder.params()
        && params.sample_rate() > 0
        && params.channels() > 0
    {
        audio.params = params;
    }
}
