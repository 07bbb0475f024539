//! Times of pictures whose packets have only a dts, as in AVI.
//!
//! There, packet number n has the time of the picture that is shown as number n, whichever picture
//! the packet itself holds. So the pictures, in the order of showing, get the packets' dts in their
//! order. Which picture is which is known from a mark: each packet gets its own dts as pts, which the
//! decoder hands on with the picture. A keyframe sets the count right: before it is shown everything
//! that was decoded before it, and those pictures decoded after it that came out already. Pictures
//! that couldn't be decoded, as those in front of the first keyframe behind a seek, make the count
//! wrong only up to there.

use crate::av::{AvError, AvPacket};

/// How many packets and pictures are remembered.
const REMEMBERED: usize = 64;

/// Counts pictures from keyframe to keyframe.
#[derive(Debug, Default)]
pub(super) struct DecodeOrder {
    /// The dts of the packets that were sent last.
    sent: Vec<i64>,
    /// The marks of the pictures that were shown last.
    shown: Vec<i64>,
    /// The time that was given last.
    last: Option<i64>,
}

impl DecodeOrder {
    /// The packet with a mark for the decoder to hand on.
    pub(super) fn mark(&mut self, packet: &AvPacket) -> Result<AvPacket, AvError> {
        let mut marked = packet.share()?;
        // ASF leaves out some behind a seek.
        let next = self.sent.last().map(|last| last.saturating_add(packet.duration().max(1)));
        if let Some(dts) = packet.dts().or(next) {
            if self.sent.last().is_none_or(|last| *last < dts) {
                self.sent.push(dts);
            }
            marked.set_times(Some(dts), Some(dts), packet.duration());
        }
        Ok(marked)
    }

    /// When a picture with this mark is shown.
    pub(super) fn time_of(&mut self, mark: Option<i64>, is_key: bool) -> Option<i64> {
        let next = self.sent.partition_point(|dts| self.last.is_some_and(|last| *dts <= last));
        let counted = self.sent.get(next).copied();
        let Some(mark) = mark else { return counted };
        let mut time = counted;
        if is_key {
            // What was decoded behind it and is shown before it.
            self.shown.retain(|shown| *shown > mark);
            let own = self.sent.partition_point(|dts| *dts < mark);
            let set_right = self.sent.get(own + self.shown.len()).copied();
            time = set_right.filter(|at| self.last.is_none_or(|last| *at > last)).or(counted);
        }
        // No decoder holds back more pictures than these.
        self.sent.drain(..next.saturating_sub(REMEMBERED).min(self.sent.len()));
        self.shown.drain(..self.shown.len().saturating_sub(REMEMBERED));
        self.shown.push(mark);
        self.last = time.or(self.last);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times of pictures with these marks, of which `i` are keyframes, after all packets up to
    /// the mark that is given with each were sent.
    fn times(shown: &[(i64, bool, i64)]) -> Vec<Option<i64>> {
        let mut order = DecodeOrder::default();
        let mut next = shown.iter().map(|(mark, _, _)| *mark).min().unwrap_or(0);
        let each = shown.iter().map(|&(mark, is_key, sent)| {
            while next <= sent {
                let mut packet = AvPacket::new().unwrap();
                packet.set_times(None, Some(next), 1);
                assert_eq!(order.mark(&packet).unwrap().pts(), Some(next));
                next += 1;
            }
            order.time_of(Some(mark), is_key)
        });
        each.collect()
    }

    #[test]
    fn pictures_are_timed_in_the_order_of_showing() {
        // I0 P1 B2 B3 I4 B5 B6 are shown as I0 B2 B3 P1 B5 B6 I4.
        let shown = [
            (0, true, 1),
            (2, false, 2),
            (3, false, 3),
            (1, false, 4),
            (5, false, 5),
            (6, false, 6),
            (4, true, 6),
        ];
        assert_eq!(times(&shown), (0..7).map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn a_keyframe_sets_right_what_missing_pictures_made_wrong() {
        // Behind a seek to I4: B5 and B6, shown before it, need what came before.
        let shown = [
            (4, true, 7),
            (8, false, 8),
            (9, false, 9),
            (7, false, 10),
            (11, false, 11),
            (12, false, 12),
            (10, true, 12),
        ];
        let times = times(&shown);
        assert_eq!(times[4..], [Some(8), Some(9), Some(12)], "{times:?}");
    }
}
