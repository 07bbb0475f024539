//! Seeking to where a decoder can begin.

use std::collections::VecDeque;

use crate::av::{AvError, AvPacket, Demuxer, StreamInfo};
use crate::time::Timestamp;

/// How far before the target to try, in turn. Containers without an index, such as MPEG-TS, seek
/// to any packet, and the keyframe wanted may lie before it.
const STEPS_BACK: [Timestamp; 4] = [
    Timestamp::ZERO,
    Timestamp::from_micros(2_000_000),
    Timestamp::from_micros(10_000_000),
    Timestamp::from_micros(60_000_000),
];

/// Seeks so that a keyframe of the video comes at `target` or before it; returns what was read to
/// be sure of it. `begin` is where the input begins, on its own clock as `target`.
pub(crate) fn to_keyframe(
    demuxer: &mut Demuxer,
    video: Option<&StreamInfo>,
    target: Timestamp,
    begin: Timestamp,
) -> Result<VecDeque<AvPacket>, AvError> {
    for back in STEPS_BACK {
        let from = target.minus(back).max(begin);
        demuxer.seek(from.as_micros())?;
        let Some(video) = video else { return Ok(VecDeque::new()) };
        let (packets, found) = read_to_keyframe(demuxer, video, target)?;
        if found || from <= begin {
            return Ok(packets);
        }
    }
    demuxer.seek(begin.as_micros())?;
    Ok(VecDeque::new())
}

fn read_to_keyframe(
    demuxer: &mut Demuxer,
    video: &StreamInfo,
    target: Timestamp,
) -> Result<(VecDeque<AvPacket>, bool), AvError> {
    let mut packets = VecDeque::new();
    while let Some(packet) = demuxer.read()? {
        let of_video = packet.stream() == video.index;
        let shown = packet.pts().or(packet.dts()).map(|t| video.time_base.at(t));
        let is_key = packet.is_key();
        packets.push_back(packet);
        if !of_video {
            continue;
        }
        match shown {
            Some(at) if is_key && at <= target => return Ok((packets, true)),
            Some(at) if at > target => return Ok((packets, false)),
            // Without times it can't be told.
            None => return Ok((packets, true)),
            Some(_) => {}
        }
    }
    Ok((packets, false))
}
