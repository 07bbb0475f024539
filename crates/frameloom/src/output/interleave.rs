//! Packets of several streams in the order of their dts.

use std::collections::VecDeque;

use crate::time::Timestamp;

/// How much may wait for a stream that stays behind. Beyond it, what waits is written all the same:
/// nothing is ever dropped here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InterleaveLimits {
    pub(crate) bytes: usize,
    /// From the first to the last that waits.
    pub(crate) span: Option<Timestamp>,
}

/// Puts packets in order; pure, so that it can be tested without a container.
pub(crate) struct Interleaver<T> {
    lanes: Vec<Lane<T>>,
    bytes: usize,
    limits: InterleaveLimits,
}

struct Lane<T> {
    waiting: VecDeque<(Timestamp, usize, T)>,
    ended: bool,
}

impl<T> Interleaver<T> {
    pub(crate) fn new(lanes: usize, limits: InterleaveLimits) -> Interleaver<T> {
        let lanes = (0..lanes).map(|_| Lane { waiting: VecDeque::new(), ended: false }).collect();
        Interleaver { lanes, bytes: 0, limits }
    }

    /// One more lane, behind the others.
    pub(crate) fn add_lane(&mut self) {
        self.lanes.push(Lane { waiting: VecDeque::new(), ended: false });
    }

    pub(crate) fn push(&mut self, lane: usize, dts: Timestamp, bytes: usize, item: T) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            self.bytes += bytes;
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
        let complete = self.lanes.iter().all(|l| l.ended || !l.waiting.is_empty());
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

    const LOOSE: InterleaveLimits = InterleaveLimits { bytes: 1 << 20, span: None };

    #[test]
    fn waits_for_the_stream_that_is_behind() {
        let mut i = Interleaver::new(2, LOOSE);
        i.push(0, at(0), 1, 'a');
        i.push(0, at(40), 1, 'b');
        assert_eq!(all(&mut i), []);
        i.push(1, at(10), 1, 'x');
        assert_eq!(all(&mut i), [(0, 'a'), (1, 'x')]);
        i.end(1);
        assert_eq!(all(&mut i), [(0, 'b')]);
    }

    #[test]
    fn at_the_same_time_the_first_stream_goes_first() {
        let mut i = Interleaver::new(2, LOOSE);
        i.push(1, at(0), 1, 'x');
        i.push(0, at(0), 1, 'a');
        assert_eq!(i.pop(), Some((0, 'a')));
    }

    #[test]
    fn goes_on_without_a_stream_that_stays_away_too_long() {
        let mut i = Interleaver::new(2, InterleaveLimits { bytes: 100, span: Some(at(1000)) });
        i.push(0, at(0), 10, 'a');
        i.push(0, at(1000), 10, 'b');
        assert_eq!(all(&mut i), []);
        i.push(0, at(1001), 10, 'c');
        assert_eq!(all(&mut i), [(0, 'a')], "until the span fits again");
        i.push(0, at(1100), 90, 'd');
        assert_eq!(all(&mut i), [(0, 'b')], "until the bytes fit again");
    }

    proptest! {
        #[test]
        fn every_packet_comes_out_once_and_in_order(
            a in proptest::collection::vec(0i64..50, 0..40),
            b in proptest::collection::vec(0i64..50, 0..40),
        ) {
            let mut i = Interleaver::new(2, LOOSE);
            let (mut sent, mut got) = (0, Vec::new());
            let lanes = [a, b].map(|steps| steps.into_iter().scan(0, |t, s| { *t += s; Some(*t) }).collect::<Vec<_>>());
            for (lane, times) in lanes.iter().enumerate() {
                for &t in times {
                    i.push(lane, at(t), 1, t);
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
