//! The dts of one stream in a container: known for every packet, and never going back.

/// Hands out the times that packets of one stream are written with, in ticks of the container.
#[derive(Debug)]
pub(crate) struct Order {
    last: Option<i64>,
    allows_equal: bool,
    /// Packets whose own dts lay before that of the packet before them.
    pub(crate) moved: u64,
}

impl Order {
    /// `allows_equal` says that the container takes two packets with the same dts.
    pub(crate) fn new(allows_equal: bool) -> Order {
        Order { last: None, allows_equal, moved: 0 }
    }

    /// The pts and dts to write. A packet's own dts is kept unless it does not increase; its pts
    /// is kept unless the dts can't be had before it.
    pub(crate) fn place(
        &mut self,
        pts: Option<i64>,
        dts: Option<i64>,
        duration: i64,
    ) -> (i64, i64) {
        let next = self.last.map(|last| last + 1);
        let own = dts.or(if next.is_none() { pts } else { None });
        // Containers without dts leave it out; then the next free tick does, below the pts.
        let wanted = own.or(next.filter(|n| pts.is_some_and(|p| *n <= p)));
        let wanted = wanted.or(pts).or(self.last.map(|l| l + duration.max(1))).unwrap_or(0);
        let placed = match (self.last, next) {
            (Some(last), Some(next)) if wanted <= last => {
                self.moved += u64::from(wanted < last && dts.is_some());
                // A tick lost to rounding is found again before the pts; where there is none left,
                // two packets share one if they may.
                let full = pts.is_some_and(|p| next > p);
                if full && self.allows_equal { last } else { next }
            }
            _ => wanted,
        };
        self.last = Some(placed);
        (pts.map_or(placed, |p| p.max(placed)), placed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(allows_equal: bool, packets: &[(Option<i64>, Option<i64>)]) -> (Vec<(i64, i64)>, u64) {
        let mut order = Order::new(allows_equal);
        let placed = packets.iter().map(|&(pts, dts)| order.place(pts, dts, 10)).collect();
        (placed, order.moved)
    }

    #[test]
    fn times_that_are_right_are_kept() {
        let b_frames = [(Some(0), Some(-20)), (Some(30), Some(-10)), (Some(10), Some(0))];
        assert_eq!(run(false, &b_frames), (vec![(0, -20), (30, -10), (10, 0)], 0));
    }

    #[test]
    fn a_missing_dts_never_moves_a_pts() {
        let packets = [(Some(0), None), (Some(200), None), (Some(68), None), (Some(100), Some(68))];
        assert_eq!(run(false, &packets), (vec![(0, 0), (200, 1), (68, 2), (100, 68)], 0));
    }

    #[test]
    fn without_any_time_packets_follow_each_other() {
        assert_eq!(run(false, &[(None, None), (None, None)]), (vec![(0, 0), (10, 10)], 0));
    }

    #[test]
    fn a_dts_that_goes_back_is_moved_and_counted() {
        let audio = [(Some(10), Some(10)), (Some(5), Some(5)), (Some(20), Some(20))];
        assert_eq!(run(false, &audio), (vec![(10, 10), (11, 11), (20, 20)], 1));
        assert_eq!(run(true, &audio), (vec![(10, 10), (10, 10), (20, 20)], 1));
    }

    #[test]
    fn ticks_lost_to_rounding_are_found_before_the_pts() {
        let video = [(Some(40), Some(5)), (Some(30), Some(5))];
        assert_eq!(run(true, &video), (vec![(40, 5), (30, 6)], 0));
        let audio = [(Some(5), Some(5)), (Some(5), Some(5))];
        assert_eq!(run(true, &audio), (vec![(5, 5), (5, 5)], 0));
    }

    proptest! {
        #[test]
        fn dts_increases_and_pts_is_never_before_it(
            packets in proptest::collection::vec(
                (proptest::option::of(-100i64..100), proptest::option::of(-100i64..100)), 0..40),
            allows_equal: bool,
        ) {
            let (placed, _) = run(allows_equal, &packets);
            prop_assert!(placed.iter().all(|(pts, dts)| pts >= dts));
            let step = i64::from(!allows_equal);
            prop_assert!(placed.windows(2).all(|w| w[1].1 >= w[0].1 + step));
        }
    }
}
