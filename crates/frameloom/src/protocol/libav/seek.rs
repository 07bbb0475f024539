//! Seeking to where a decoder can begin.

use std::collections::VecDeque;

use super::recovery::frames_to_recovery;
use crate::av::{AvError, AvPacket, Demuxer, StreamInfo};
use crate::time::{TimeBase, Timestamp};

/// How far before the target the second try begins. Containers without an index, such as MPEG-TS,
/// seek to any packet, and the keyframe wanted may lie before it. Each further try goes back four
/// times as far.
const FIRST_STEP: Timestamp = Timestamp::from_micros(1_000_000);

/// So far before the input's first pts nothing is any more. Its first packets lie before that pts,
/// because containers seek by dts.
const BEFORE_BEGIN: Timestamp = Timestamp::from_micros(30_000_000);

/// The most pictures that may be shown before one that was decoded before them.
const REORDERED: i64 = 16;

/// The longest time that these are thought to take: AVI has places for pictures that aren't there.
const REORDERED_FOR: Timestamp = Timestamp::from_micros(700_000);

/// Seeks so that a keyframe of the video comes first, at `target` or before it, or the first one of
/// all; returns what was read to be sure of it. `begin` is where the input begins. Both are on its
/// own clock. `None` where no keyframe says when it is shown, though others of the container do: it
/// is to be read from its start then.
///
/// Where packets have no pts (AVI), the decoder knows the times of pictures for certain from the
/// second keyframe on, so it is the keyframe before the one that is wanted. So it is with intra
/// refresh: a recovery point may promise no more than pictures that are about right, and x264's of
/// narrow pictures keep less than they promise up to the next one.
pub(super) fn to_keyframe(
    demuxer: &mut Demuxer,
    video: Option<&StreamInfo>,
    target: Timestamp,
    begin: Timestamp,
) -> Result<Option<VecDeque<AvPacket>>, AvError> {
    let start = begin.minus(BEFORE_BEGIN);
    let Some(video) = video else {
        demuxer.seek(target.as_micros())?;
        return Ok(Some(VecDeque::new()));
    };
    // In MPEG's program streams each pack has times, and may hold several pictures.
    let has_pts_elsewhere = demuxer.clock_may_restart();
    match find(demuxer, video, target, start)? {
        (packets, Some(key)) if key.at > begin && (key.is_gradual || key.is_untimed) => {
            drop(packets);
            let before = key.at.minus(video.time_base.at(1));
            let (packets, found) = find(demuxer, video, before, start)?;
            Ok(Some(packets).filter(|_| found.is_some() || !has_pts_elsewhere))
        }
        (_, None) if has_pts_elsewhere => Ok(None),
        (packets, _) => Ok(Some(packets)),
    }
}

/// A keyframe that was found.
struct Key {
    at: Timestamp,
    /// It has no pts, as all of its container.
    is_untimed: bool,
    /// The pictures behind it become right one part after the other.
    is_gradual: bool,
}

/// Goes back from `target` until a keyframe is found; from `start` on, any is taken.
fn find(
    demuxer: &mut Demuxer,
    video: &StreamInfo,
    target: Timestamp,
    start: Timestamp,
) -> Result<(VecDeque<AvPacket>, Option<Key>), AvError> {
    let mut back = Timestamp::ZERO;
    loop {
        let from = target.minus(back).max(start);
        demuxer.seek(from.as_micros())?;
        let is_last = from <= start;
        let (packets, found) = read_to_keyframe(demuxer, video, target, is_last)?;
        if found.is_some() || is_last {
            return Ok((packets, found));
        }
        back = match back == Timestamp::ZERO {
            true => FIRST_STEP,
            false => back.plus(back).plus(back).plus(back),
        };
    }
}

/// Reads up to a keyframe that is shown at `target` or before it, or, with `takes_any`, up to the first
/// one of all. Returns what was read but for the video before the keyframe, which can't be decoded.
fn read_to_keyframe(
    demuxer: &mut Demuxer,
    video: &StreamInfo,
    target: Timestamp,
    takes_any: bool,
) -> Result<(VecDeque<AvPacket>, Option<Key>), AvError> {
    let frames = |n: i64| video.frame_rate.map_or(Timestamp::ZERO, |r| r.time_base().at(n));
    let is_h264 = video.params.codec().name() == "h264";
    let needs_pts = demuxer.clock_may_restart();
    let limit = Some(target).filter(|_| !takes_any);
    let mut has_skipped = false;
    let mut packets = VecDeque::new();
    while let Some(packet) = demuxer.read()? {
        if packet.stream() != video.index {
            packets.push_back(packet);
            continue;
        }
        let has_pts = packet.pts().is_some();
        let at = packet.pts().or(packet.dts()).map(|t| video.time_base.at(t));
        if needs_pts && !has_pts && (at.is_none() || packet.is_key()) {
            has_skipped |= packet.is_key();
            continue;
        }
        let Some(at) = at else {
            // Without any times it can't be told.
            packets.push_back(packet);
            return Ok((packets, None));
        };
        if has_skipped && target.is_before(at) {
            break;
        }
        // Pictures that are shown before it may have been decoded behind it.
        let shown = if has_pts { at } else { at.plus(frames(REORDERED).max(REORDERED_FOR)) };
        let is_too_late = limit.is_some_and(|limit| limit.is_before(shown));
        let recovery = match packet.is_key() && is_h264 {
            true => frames_to_recovery(video.params.extradata(), packet.data()),
            false => 0,
        };
        let is_whole = at.plus(frames(i64::from(recovery)));
        let is_right = limit.is_none_or(|limit| recovery == 0 || is_whole.is_before(limit));
        if packet.is_key() && !is_too_late && is_right {
            packets.push_back(packet);
            let (is_untimed, is_gradual) = (!has_pts, recovery > 0);
            return Ok((packets, Some(Key { at, is_untimed, is_gradual })));
        }
        if is_too_late {
            break;
        }
    }
    Ok((packets, None))
}

/// At how many places of a file it is looked whether its times increase.
const SAMPLES: i64 = 32;

/// From this step on, two neighbours among those places may be on different clocks: FFmpeg's
/// threshold for a jump.
const JUMP: Timestamp = Timestamp::from_micros(10_000_000);

/// Packets that are read for a time, at most.
const MOST_PACKETS: usize = 64;

/// Whether a file's clock seems to begin anew in its middle. Looks at some places of it; leaves the
/// demuxer anywhere.
pub(super) fn seems_joined(demuxer: &mut Demuxer, bases: &[TimeBase]) -> bool {
    let Some(size) = demuxer.bytes().filter(|_| demuxer.clock_may_restart()) else { return false };
    let mut times = Vec::new();
    for n in 0..SAMPLES {
        let place = (i128::from(size) * i128::from(n) / i128::from(SAMPLES)) as i64;
        if demuxer.seek_to_byte(place).is_err() {
            return false;
        }
        times.extend(next_time(demuxer, bases));
    }
    let steps = times.windows(2).map(|pair| pair[1].minus(pair[0]));
    let mut steps: Vec<Timestamp> = steps.collect();
    steps.sort();
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(Timestamp::ZERO);
    let longest = JUMP.plus(usual).plus(usual).plus(usual).plus(usual);
    let is_odd = |step: &Timestamp| step.plus(MISPLACED) < Timestamp::ZERO || *step > longest;
    steps.iter().any(is_odd)
}

/// How far behind one another two streams may stand in a file.
const MISPLACED: Timestamp = Timestamp::from_micros(500_000);

/// The time of the next packet that has one.
fn next_time(demuxer: &mut Demuxer, bases: &[TimeBase]) -> Option<Timestamp> {
    for _ in 0..MOST_PACKETS {
        let packet = demuxer.read().ok().flatten()?;
        let at = packet.dts().or(packet.pts());
        if let (Some(at), Some(base)) = (at, bases.get(packet.stream())) {
            return Some(base.at(at));
        }
    }
    None
}
