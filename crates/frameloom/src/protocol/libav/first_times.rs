//! When the first picture of a stored file is shown that doesn't say so. In MPEG's program streams only
//! packs have times, so a file that was cut may begin with pictures without any.

use std::collections::VecDeque;

use crate::av::{AvError, AvPacket, Demuxer, StreamInfo};

/// How many packets are looked at for the first time of all.
const MOST_PACKETS: usize = 512;

/// How many pictures of a program stream are looked at for one without a time.
const PICTURES: i64 = 32;

/// The first packet's pts and dts, counted back from the first packet that has a pts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FirstTimes {
    stream: usize,
    pts: i64,
    dts: i64,
}

impl FirstTimes {
    /// Gives the times to the first packet of its stream. Whether it was that.
    pub(super) fn give(self, packet: &mut AvPacket) -> bool {
        let is_first = packet.stream() == self.stream;
        if is_first && is_untimed(packet) {
            packet.set_times(Some(self.pts), Some(self.dts), packet.duration());
        }
        is_first
    }

    pub(super) fn pts(self) -> i64 {
        self.pts
    }
}

/// What a stored file of MPEG's begins with.
pub(super) struct Beginning {
    /// What was read to know it.
    pub(super) packets: VecDeque<AvPacket>,
    /// The times of the very first picture, where it has none.
    pub(super) first: Option<FirstTimes>,
    /// Some pictures have no times at all, so where they are is known by those before them alone.
    pub(super) has_untimed: bool,
}

fn is_untimed(packet: &AvPacket) -> bool {
    packet.pts().is_none() && packet.dts().is_none()
}

/// Reads up to the first packet of the video that has a pts; of a program stream, more.
pub(super) fn look(demuxer: &mut Demuxer, video: &StreamInfo) -> Result<Beginning, AvError> {
    let mut beginning = Beginning { packets: VecDeque::new(), first: None, has_untimed: false };
    let Some(rate) = video.frame_rate else { return Ok(beginning) };
    let ticks = |pictures: i64| rate.time_base().at(pictures).rescale(video.time_base).ticks();
    let enough = if demuxer.format_name() == "mpeg" { PICTURES } else { 0 };
    let (mut count, mut has_pts) = (0_i64, false);
    while !has_pts || count < enough {
        let Some(packet) = demuxer.read()? else { break };
        if packet.stream() == video.index {
            if let (Some(pts), false) = (packet.pts(), has_pts) {
                has_pts = true;
                // In the order of decoding, times are a picture apart.
                let delay = ticks(video.params.video_delay().into());
                let at = packet.dts().map_or(pts, |dts| dts.saturating_add(delay));
                let pts = at.saturating_sub(ticks(count));
                let first = FirstTimes { stream: video.index, pts, dts: pts.saturating_sub(delay) };
                beginning.first = (count > 0).then_some(first);
            }
            beginning.has_untimed |= is_untimed(&packet);
            count += 1;
        }
        beginning.packets.push_back(packet);
        if beginning.packets.len() >= MOST_PACKETS {
            break;
        }
    }
    Ok(beginning)
}
