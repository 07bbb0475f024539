//! Whose turn it is, where not all can be served at once.

use std::collections::BTreeMap;

use crate::api::batch::StreamId;

/// When each stream was served last.
#[derive(Debug, Default)]
pub(super) struct Turns {
    served: BTreeMap<StreamId, u64>,
    count: u64,
}

impl Turns {
    /// What to sort by: those that were not served for longest come first.
    pub(super) fn key(&self, stream: StreamId) -> (u64, StreamId) {
        (self.served.get(&stream).copied().unwrap_or(0), stream)
    }

    /// Says that it is served now.
    pub(super) fn serve(&mut self, stream: StreamId) {
        self.count += 1;
        self.served.insert(stream, self.count);
    }

    /// Says that it is gone.
    pub(super) fn forget(&mut self, stream: StreamId) {
        self.served.remove(&stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_waits_as_long_as_the_others_however_many_are_served_at_once() {
        for size in 1..=4 {
            let (mut turns, mut order) = (Turns::default(), Vec::new());
            while order.len() < 60 {
                let mut waiting: Vec<StreamId> = (0..3).map(StreamId).collect();
                waiting.sort_by_key(|stream| turns.key(*stream));
                for stream in waiting.into_iter().take(size) {
                    turns.serve(stream);
                    order.push(stream.number());
                }
            }
            let expected: Vec<usize> = (0..3).cycle().take(order.len()).collect();
            assert_eq!(order, expected, "{size} at once");
        }
    }

    #[test]
    fn one_that_comes_or_missed_its_turn_is_next() {
        let mut turns = Turns::default();
        (0..3).for_each(|n| turns.serve(StreamId(n)));
        turns.serve(StreamId(0));
        turns.forget(StreamId(2));
        let mut waiting = [0, 1, 2].map(StreamId);
        waiting.sort_by_key(|stream| turns.key(*stream));
        assert_eq!(waiting.map(StreamId::number), [2, 1, 0]);
    }
}
