//! Times of sound for packets that have none.

use crate::av::{AvPacket, CodecParams};
use crate::time::TimeBase;

/// Gives times to packets that have none: where several stand in one packet of MPEG-TS, only the
/// first has times, until libavformat knows the sample rate.
#[derive(Default)]
pub(super) struct SoundTimes {
    /// The last time that was stated, and how many samples ended since then.
    last: Option<(i64, u64)>,
}

impl SoundTimes {
    pub(super) fn fill_in(&mut self, packet: &mut AvPacket, params: &CodecParams, base: TimeBase) {
        let samples = params.packet_samples(packet.size()).filter(|_| params.sample_rate() > 0);
        let Some(samples) = samples else { return };
        let length = |samples: u64| {
            let rate = i32::try_from(params.sample_rate()).ok();
            let of_samples = rate.and_then(|rate| TimeBase::new(1, rate));
            let samples = i64::try_from(samples).unwrap_or(i64::MAX);
            of_samples.map_or(0, |unit| unit.at(samples).rescale(base).ticks())
        };
        match (packet.pts().or(packet.dts()), self.last) {
            (Some(at), _) => self.last = Some((at, u64::from(samples))),
            (None, Some((at, since))) => {
                let placed = Some(at.saturating_add(length(since)));
                packet.set_times(placed, placed, length(samples.into()));
                self.last = Some((at, since + u64::from(samples)));
            }
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::{CodecId, MediaKind};

    #[test]
    fn sound_without_times_follows_the_sound_before_it() {
        let mp3 = CodecId::named("mp3").unwrap();
        let mut params = CodecParams::of_codec(MediaKind::Audio, mp3, &[]).unwrap();
        params.describe_sound(44_100, 2);
        let base = TimeBase::new(1, 90_000).unwrap();
        let mut times = SoundTimes::default();
        let mut place = |at: Option<i64>| {
            let mut packet = AvPacket::of_bytes(&[1; 9], 0, true).unwrap();
            packet.set_times(at, at, 0);
            times.fill_in(&mut packet, &params, base);
            packet.pts()
        };
        assert_eq!(place(None), None, "nothing is known yet");
        let placed = [Some(90_000), None, None, None, Some(99_000), None].map(&mut place);
        // 1152 samples of 44,100 a second are 2351.02 ticks.
        let expected = [90_000, 92_351, 94_702, 97_053, 99_000, 101_351].map(Some);
        assert_eq!(placed, expected);
    }
}
