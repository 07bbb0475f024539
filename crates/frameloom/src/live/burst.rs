//! What a server sends at once: packets that come faster than their own clock runs.

use std::collections::VecDeque;
use std::time::Instant;

use crate::time::Timestamp;

/// How much of the stream is looked at: less may have come early by the network's noise.
const SPAN_MICROS: i64 = 120_000;

/// The same in packets, for streams of few.
const PACKETS: usize = 4;

/// Tells which packets of a live stream belong to a burst: to a server's cached GOP, to what a network
/// held up, to a segment of a playlist.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    /// The last packets: their times, and when they came.
    recent: VecDeque<(Timestamp, Instant)>,
}

impl Burst {
    /// Whether a packet that belongs at `at` and came `now` came with those before it at twice the
    /// stream's speed, or faster.
    pub(crate) fn has(&mut self, at: Timestamp, now: Instant) -> bool {
        let micros = |span: Timestamp| span.as_micros();
        if self.recent.back().is_some_and(|(last, _)| at < *last) {
            // The clock of the source was set back: nothing is known of its speed.
            self.recent.clear();
        }
        self.recent.push_back((at, now));
        while self.recent.len() > PACKETS
            && self.recent.get(1).is_some_and(|(t, _)| micros(at.minus(*t)) >= SPAN_MICROS)
        {
            self.recent.pop_front();
        }
        let Some((first, came)) = self.recent.front() else { return false };
        let passed = i64::try_from(now.saturating_duration_since(*came).as_micros());
        micros(at.minus(*first)) > passed.unwrap_or(i64::MAX).saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Which of the packets belong to a burst: (the stream's time, the machine's), in milliseconds.
    fn bursts(packets: &[(i64, u64)]) -> Vec<bool> {
        let (mut burst, start) = (Burst::default(), Instant::now());
        let at = |ms: i64| Timestamp::from_micros(ms * 1000);
        let came = |ms| start + Duration::from_millis(ms);
        packets.iter().map(|(stream, machine)| burst.has(at(*stream), came(*machine))).collect()
    }

    #[test]
    fn a_cached_gop_is_a_burst_up_to_what_is_live() {
        let gop: Vec<_> = (0..50).map(|n: u8| (i64::from(n) * 40, u64::from(n))).collect();
        let live: Vec<_> =
            (1..20).map(|n: u8| (1960 + i64::from(n) * 40, 49 + u64::from(n) * 40)).collect();
        let found = bursts(&[gop, live].concat());
        assert!(!found[0] && found[1..50].iter().all(|burst| *burst));
        assert!(found[53..].iter().all(|burst| !burst), "{found:?}");
    }

    #[test]
    fn the_networks_noise_is_none() {
        let noise = [0, 15, 3, 18, 1, 9, 12, 0, 19, 4];
        let packets: Vec<_> = (0..200_u16)
            .map(|n| (i64::from(n) * 40, u64::from(n) * 40 + noise[usize::from(n) % noise.len()]))
            .collect();
        assert!(bursts(&packets).iter().all(|burst| !burst));
        let slow: Vec<_> =
            (0..50_u16).map(|n| (i64::from(n) * 1000, u64::from(n) * 1000)).collect();
        assert!(bursts(&slow).iter().all(|burst| !burst));
    }

    #[test]
    fn what_a_network_held_up_is_one() {
        let before: Vec<_> = (0..25_u16).map(|n| (i64::from(n) * 40, u64::from(n) * 40)).collect();
        let held: Vec<_> = (25..50_u16).map(|n| (i64::from(n) * 40, 2000 + u64::from(n))).collect();
        let found = bursts(&[before, held].concat());
        assert!(found[..26].iter().all(|burst| !burst), "{found:?}");
        assert!(found[30..].iter().all(|burst| *burst), "{found:?}");
    }
}
