//! Packets of several streams in the order of their dts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::time::Timestamp;

/// How much may wait for a stream that stays behind. Beyond it, what waits is written all the same:
/// nothing is ever dropped here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InterleaveLimits {
    pub(crate) bytes: usize,
    /// From the first to the last that waits.
    pub(crate) span: Option<Timestamp>,
    /// How long nothing may come in a lane before the others go on without it.
    pub(crate) silence: Option<Duration>,
}

/// Puts packets in order; pure, so that it can be tested without a container.
pub(crate) struct Interleaver<T> {
    lanes: Vec<Lane<T>>,
    bytes: usize,
    limits: InterleaveLimits,
    /// The last packet's dts, and when it came.
    newest: Option<(Timestamp, Instant)>,
}

struct Lane<T> {
    /// Packets come only now and then: no other lane waits for one.
    is_sparse: bool,
    waiting: VecDeque<(Timestamp, usize, T)>,
    ended: bool,
    last: Option<LastPacket>,
}

/// The last packet of a lane.
#[derive(Clone, Copy)]
struct LastPacket {
    dts: Timestamp,
    came: Instant,
    /// How long after the one before it.
    gap: Duration,
}

impl<T> Lane<T> {
    fn new(is_sparse: bool) -> Lane<T> {
        Lane { is_sparse, waiting: VecDeque::new(), ended: false, last: None }
    }

    /// Whether nothing has come for longer than may be. A lane whose packets are rare may pause for
    /// twice as long as it just did; one in which nothing has come yet is waited for. So is one that is
    /// late as all of them are, because a writer stood still.
    fn is_silent(&self, newest: (Timestamp, Instant), limit: Option<Duration>) -> bool {
        let (Some(last), Some(limit)) = (self.last, limit) else { return false };
        let (dts, now) = newest;
        let behind = u64::try_from(dts.minus(last.dts).as_micros()).unwrap_or(0);
        let silent_for = now.saturating_duration_since(last.came);
        silent_for >= limit.max(last.gap * 2) && Duration::from_micros(behind) >= limit
    }
}

impl<T> Interleaver<T> {
    /// A lane for each stream; `is_sparse` says of which packets come only now and then.
    pub(crate) fn new(
        is_sparse: impl IntoIterator<Item = bool>,
        limits: InterleaveLimits,
    ) -> Interleaver<T> {
        let mut lanes: Vec<Lane<T>> = is_sparse.into_iter().map(Lane::new).collect();
        if lanes.iter().all(|lane| lane.is_sparse) {
            // They wait for each other where there is nothing else.
            lanes.iter_mut().for_each(|lane| lane.is_sparse = false);
        }
        Interleaver { lanes, bytes: 0, limits, newest: None }
    }

    /// One more lane, behind the others.
    pub(crate) fn add_lane(&mut self) {
        self.lanes.push(Lane::new(false));
    }

    /// Takes a packet that came `now`.
    pub(crate) fn push(
        &mut self,
        lane: usize,
        dts: Timestamp,
        bytes: usize,
        item: T,
        now: Instant,
    ) {
        self.newest = Some((dts, now));
        if let Some(lane) = self.lanes.get_mut(lane) {
            self.bytes += bytes;
            let gap = lane.last.map(|last| now.saturating_duration_since(last.came));
            lane.last = Some(LastPacket { dts, came: now, gap: gap.unwrap_or_default() });
            lane.waiting.push_back((dts, bytes, item));
        }
    }

    /// No more will come in this lane.
    pub(crate) fn end(&mut self, lane: usize) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.ended = true;
        }
    }

    pub(crate) fn has_ended(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_none_or(|l| l.ended)
    }

    /// Whether no packet waits in a lane.
    pub(crate) fn is_idle(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_none_or(|l| l.waiting.is_empty())
    }

    /// The first packet that waits in each lane, with the lane's number.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (usize, &T)> {
        let lanes = self.lanes.iter().enumerate();
        lanes.filter_map(|(number, lane)| lane.waiting.front().map(|(_, _, item)| (number, item)))
    }

    /// How many packets wait.
    pub(crate) fn packets(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.waiting.len() as u64).sum()
    }

    /// Whether nothing more will come in any lane.
    pub(crate) fn all_ended(&self) -> bool {
        self.lanes.iter().all(|l| l.ended)
    }

    /// Whether more bytes wait than may.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > self.limits.bytes
    }

    /// Whether more waits than may.
    pub(crate) fn is_over_limit(&self) -> bool {
        let heads = || self.lanes.iter().filter_map(|l| l.waiting.front().map(|(t, ..)| *t));
        let tails = self.lanes.iter().filter_map(|l| l.waiting.back().map(|(t, ..)| *t));
        let span_over = match (self.limits.span, heads().min(), tails.max()) {
            (Some(limit), Some(first), Some(last)) => last.minus(first) > limit,
            _ => false,
        };
        span_over || self.is_full()
    }

    /// The next packet in order; `None` while a stream that goes on might still have an earlier one.
    pub(crate) fn pop(&mut self) -> Option<(usize, T)> {
        let (newest, silence) = (self.newest, self.limits.silence);
        let is_silent = |l: &Lane<T>| newest.is_some_and(|newest| l.is_silent(newest, silence));
        let is_complete =
            |l: &Lane<T>| l.is_sparse || l.ended || !l.waiting.is_empty() || is_silent(l);
        let complete = self.lanes.iter().all(is_complete);
        if !complete && !self.is_over_limit() {
            return None;
        }
        let first = (0..self.lanes.len())
            .filter_map(|i| self.lanes.get(i)?.waiting.front().map(|(t, ..)| (*t, i)))
            .min()
            .map(|(_, i)| i)?;
        let (_, bytes, item) = self.lanes.get_mut(first)?.waiting.pop_front()?;
        self.bytes -= bytes;
        Some((first, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1000)
    }

    fn all<T>(i: &mut Interleaver<T>) -> Vec<(usize, T)> {
        std::iter::from_fn(|| i.pop()).collect()
    }

    const LOOSE: InterleaveLimits = InterleaveLimits { bytes: 1 << 20, span: None, silence: None };

    #[test]
    fn goes_on_at_once_without_a_stream_that_pauses() {
        let second = Duration::from_secs(1);
        let limits =
            InterleaveLimits { bytes: 1 << 20, span: Some(at(10_000)), silence: Some(second) };
        let (mut i, start) = (Interleaver::new([false; 2], limits), Instant::now());
        let came = |ms: i64| start + Duration::from_millis(u64::try_from(ms).unwrap());
        i.push(0, at(0), 1, 'a', came(0));
        i.push(0, at(1500), 1, 'b', came(1500));
        assert_eq!(all(&mut i), [], "nothing has come yet of the other");
        i.push(1, at(1490), 1, 'x', came(1500));
        assert_eq!(all(&mut i), [(0, 'a'), (1, 'x')]);
        i.push(0, at(2400), 1, 'c', came(2400));
        assert_eq!(all(&mut i), []);
        i.push(0, at(2500), 1, 'd', came(2500));
        assert_eq!(all(&mut i), [(0, 'b'), (0, 'c'), (0, 'd')], "it has been silent for a second");
        i.push(0, at(2540), 1, 'e', came(2540));
        assert_eq!(all(&mut i), [(0, 'e')], "and is not waited for");
        i.push(1, at(3000), 1, 'y', came(3000));
        assert_eq!(all(&mut i), []);
        i.push(0, at(5000), 1, 'f', came(5000));
        assert_eq!(all(&mut i), [(1, 'y')], "it may pause for longer, as it just did");
        i.push(1, at(4000), 1, 'z', came(5000));
        i.push(0, at(5040), 1, 'g', came(5040));
        assert_eq!(all(&mut i), [(1, 'z')]);
        i.push(0, at(5080), 1, 'h', came(9000));
        assert_eq!(all(&mut i), [(0, 'f'), (0, 'g'), (0, 'h')]);
        i.push(1, at(5090), 1, 'A', came(9000));
        i.push(0, at(5120), 1, 'j', came(9001));
        assert_eq!(all(&mut i), [(1, 'A')]);
        i.push(0, at(5160), 1, 'k', came(29_000));
        assert_eq!(all(&mut i), [], "nothing came at all for a while");
    }

    #[test]
    fn waits_for_the_stream_that_is_behind() {
        let mut i = Interleaver::new([false; 2], LOOSE);
        i.push(0, at(0), 1, 'a', Instant::now());
        i.push(0, at(40), 1, 'b', Instant::now());
        assert_eq!(all(&mut i), []);
        i.push(1, at(10), 1, 'x', Instant::now());
        assert_eq!(all(&mut i), [(0, 'a'), (1, 'x')]);
        i.end(1);
        assert_eq!(all(&mut i), [(0, 'b')]);
    }

    #[test]
    fn nobody_waits_for_what_comes_now_and_then() {
        let mut i = Interleaver::new([false, true], LOOSE);
        i.push(0, at(0), 1, 'a', Instant::now());
        assert_eq!(all(&mut i), [(0, 'a')]);
        i.push(1, at(30), 1, 'x', Instant::now());
        assert_eq!(all(&mut i), [], "but it waits for the others");
        i.push(0, at(40), 1, 'b', Instant::now());
        assert_eq!(all(&mut i), [(1, 'x'), (0, 'b')]);
        let mut alone = Interleaver::new([true, true], LOOSE);
        alone.push(0, at(0), 1, 'a', Instant::now());
        assert_eq!(all(&mut alone), []);
        alone.push(1, at(0), 1, 'b', Instant::now());
        assert_eq!(alone.pop(), Some((0, 'a')));
    }

    #[test]
    fn at_the_same_time_the_first_stream_goes_first() {
        let mut i = Interleaver::new([false; 2], LOOSE);
        i.push(1, at(0), 1, 'x', Instant::now());
        i.push(0, at(0), 1, 'a', Instant::now());
        assert_eq!(i.pop(), Some((0, 'a')));
    }

    #[test]
    fn goes_on_without_a_stream_that_stays_away_too_long() {
        let mut i = Interleaver::new(
            [false; 2],
            InterleaveLimits { bytes: 100, span: Some(at(1000)), silence: None },
        );
        i.push(0, at(0), 10, 'a', Instant::now());
        i.push(0, at(1000), 10, 'b', Instant::now());
        assert_eq!(all(&mut i), []);
        i.push(0, at(1001), 10, 'c', Instant::now());
        assert_eq!(all(&mut i), [(0, 'a')], "until the span fits again");
        i.push(0, at(1100), 90, 'd', Instant::now());
        assert_eq!(all(&mut i), [(0, 'b')], "until the bytes fit again");
    }

    proptest! {
        #[test]
        fn every_packet_comes_out_once_and_in_order(
            a in proptest::collection::vec(0i64..50, 0..40),
            b in proptest::collection::vec(0i64..50, 0..40),
        ) {
            let mut i = Interleaver::new([false; 2], LOOSE);
            let (mut sent, mut got) = (0, Vec::new());
            let lanes = [a, b].map(|steps| steps.into_iter().scan(0, |t, s| { *t += s; Some(*t) }).collect::<Vec<_>>());
            for (lane, times) in lanes.iter().enumerate() {
                for &t in times {
                    i.push(lane, at(t), 1, t, Instant::now());
                    sent += 1;
                    got.extend(all(&mut i));
                }
                i.end(lane);
            }
            got.extend(all(&mut i));
            prop_assert_eq!(got.len(), sent);
            prop_assert!(got.windows(2).all(|w| w[0].1 <= w[1].1));
        }
    }
}
