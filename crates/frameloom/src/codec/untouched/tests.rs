use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::time::TimeBase;

const TICK: i64 = 40;

fn at(ticks: i64) -> Timestamp {
    TimeBase::MILLIS.at(ticks)
}

/// A packet of a source: its place in the order of showing, and those that it refers to, by their places.
#[derive(Clone, Debug)]
struct Coded {
    number: usize,
    dts: i64,
    is_idr: bool,
    refers_to: Vec<usize>,
}

/// A closed GOP: how many pictures, in which pattern.
#[derive(Clone, Copy, Debug)]
enum Pattern {
    /// Each refers to the one before.
    NoB,
    /// So many pictures between two that refer to each other.
    Between(usize),
    /// Three between two, of which the middle one is referred to.
    Pyramid,
    /// It begins with a recovery point, and pictures before it refer to it and to the GOP before.
    Open(usize),
}

/// The GOPs in the order of decoding.
fn source(gops: &[(Pattern, usize)]) -> Vec<Coded> {
    let mut coded: Vec<(usize, bool, Vec<usize>)> = Vec::new();
    let mut first = 0;
    for (pattern, length) in gops {
        let end = first + length;
        let (step, is_idr) = match pattern {
            Pattern::NoB => (1, true),
            Pattern::Between(count) => (count + 1, true),
            Pattern::Pyramid => (4, true),
            Pattern::Open(count) => (count + 1, first == 0),
        };
        // The key picture of an open GOP is shown behind the pictures that lead up to it.
        let lead = if is_idr { 0 } else { (step - 1).min(length - 1) };
        let mut anchor = first + lead;
        coded.push((anchor, is_idr, Vec::new()));
        let before = first.checked_sub(1);
        (first..anchor)
            .for_each(|n| coded.push((n, false, before.into_iter().chain([anchor]).collect())));
        while anchor + 1 < end {
            let next = (anchor + step).min(end - 1);
            coded.push((next, false, vec![anchor]));
            let between: Vec<usize> = (anchor + 1..next).collect();
            if matches!(pattern, Pattern::Pyramid) && between.len() == 3 {
                let middle = between[1];
                coded.push((middle, false, vec![anchor, next]));
                coded.push((between[0], false, vec![anchor, middle]));
                coded.push((between[2], false, vec![middle, next]));
            } else {
                between.iter().for_each(|n| coded.push((*n, false, vec![anchor, next])));
            }
            anchor = next;
        }
        first = end;
    }
    // As late as they may be decoded: two pictures of delay hold for all patterns here, and four for open GOPs.
    let delay = coded
        .iter()
        .enumerate()
        .map(|(n, (number, ..))| n as i64 - *number as i64)
        .max()
        .unwrap_or(0);
    let packets = coded.into_iter().enumerate();
    let packet = |(n, (number, is_idr, refers_to))| {
        let dts = (n as i64 - delay) * TICK;
        Coded { number, dts, is_idr, refers_to }
    };
    packets.map(packet).collect()
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        Just(Pattern::NoB),
        (1..4usize).prop_map(Pattern::Between),
        Just(Pattern::Pyramid),
        (1..4usize).prop_map(Pattern::Open),
    ]
}

/// What left: pictures by their places, each with its dts and whether it was copied.
#[derive(Debug, Default)]
struct Left {
    pictures: Vec<(usize, i64, bool)>,
    /// Where an encoder was begun, among the pictures.
    begins: Vec<usize>,
    encoders: usize,
    /// The encoder gives nothing out before it ends.
    delays: bool,
    inside: Vec<usize>,
}

impl Left {
    fn take(&mut self, switch: &mut UntouchedSwitch<Coded, usize>) {
        while let Some(step) = switch.next_step() {
            match step {
                SwitchStep::Copy(packet) => self.pictures.push((packet.number, packet.dts, true)),
                SwitchStep::Begin => {
                    self.begins.push(self.pictures.len());
                    self.encoders += 1;
                    assert_eq!(self.encoders, 1, "one encoder at a time");
                }
                SwitchStep::Encode(number, _) => {
                    assert_eq!(self.encoders, 1, "nothing is encoded without an encoder");
                    self.inside.push(number);
                    if !self.delays {
                        self.take_encoded(switch);
                    }
                }
                SwitchStep::Finish => {
                    self.take_encoded(switch);
                    self.encoders -= 1;
                }
            }
        }
    }

    fn take_encoded(&mut self, switch: &mut UntouchedSwitch<Coded, usize>) {
        for number in self.inside.drain(..) {
            let dts = switch.encoded_dts(at(number as i64 * TICK));
            self.pictures.push((number, dts.ticks(), false));
        }
    }
}

/// Runs a source through the switch; frames come so many packets behind theirs.
fn run(
    packets: &[Coded],
    touched: &BTreeSet<usize>,
    lost: &BTreeSet<usize>,
    rules: SwitchRules,
    behind: usize,
) -> Left {
    let mut switch = UntouchedSwitch::new(rules);
    // The one is as good as the other.
    let mut left = Left { delays: behind % 2 == 1, ..Left::default() };
    let (mut decoded, mut next) = (BTreeSet::new(), 0);
    let mut give = |switch: &mut UntouchedSwitch<Coded, usize>,
                    left: &mut Left,
                    decoded: &BTreeSet<usize>,
                    end: bool| {
        while decoded.contains(&next) && (end || decoded.len() > next + behind) {
            if !lost.contains(&next) {
                let pts = at(next as i64 * TICK);
                let is_touched = touched.contains(&next);
                switch.frame(SeenFrame { pts, is_touched, item: next });
                left.take(switch);
            }
            next += 1;
        }
    };
    for packet in packets {
        let (pts, dts) = (at(packet.number as i64 * TICK), Some(at(packet.dts)));
        let (is_idr, item) = (packet.is_idr, packet.clone());
        switch.packet(SourcePacket { pts, dts, is_idr, item });
        left.take(&mut switch);
        decoded.insert(packet.number);
        give(&mut switch, &mut left, &decoded, false);
    }
    give(&mut switch, &mut left, &decoded, true);
    switch.finish();
    left.take(&mut switch);
    assert_eq!(left.encoders, 0, "every encoder is finished");
    left
}

fn rules(after: i64) -> SwitchRules {
    SwitchRules { after: at(after * TICK), needs_every_frame: false }
}

fn copied(left: &Left) -> Vec<usize> {
    left.pictures.iter().filter(|(.., copied)| *copied).map(|(number, ..)| *number).collect()
}

#[test]
fn what_nobody_touches_is_copied_in_its_order() {
    let packets = source(&[(Pattern::Between(2), 10), (Pattern::NoB, 5), (Pattern::Pyramid, 9)]);
    let left = run(&packets, &BTreeSet::new(), &BTreeSet::new(), rules(25), 3);
    let expected: Vec<_> = packets.iter().map(|p| (p.number, p.dts, true)).collect();
    assert_eq!((left.pictures, left.begins), (expected, vec![]));
}

#[test]
fn a_touched_picture_has_its_gop_encoded_from_the_earliest_that_has_not_left() {
    // Decoded: 0, 3, 1, 2, 6, 4, 5, ...
    let packets =
        source(&[(Pattern::Between(2), 10), (Pattern::Between(2), 10), (Pattern::NoB, 10)]);
    for (touched, first) in [(0, 0), (1, 1), (2, 1), (3, 1), (4, 4), (5, 4), (6, 4)] {
        let left = run(&packets, &BTreeSet::from([touched]), &BTreeSet::new(), rules(0), 0);
        let expected: Vec<usize> = (first..10).collect();
        let encoded: Vec<usize> =
            left.pictures.iter().filter(|(.., copied)| !copied).map(|(n, ..)| *n).collect();
        assert_eq!(encoded, expected, "with {touched} touched");
        assert_eq!(copied(&left).len(), 30 - encoded.len());
    }
}

#[test]
fn copying_waits_until_nothing_was_touched_for_a_while() {
    let packets = source(&[(Pattern::NoB, 10), (Pattern::NoB, 10), (Pattern::NoB, 10)]);
    let touched = BTreeSet::from([8]);
    let of = |after| copied(&run(&packets, &touched, &BTreeSet::new(), rules(after), 0));
    let (before, behind): (Vec<usize>, Vec<usize>) = ((0..8).collect(), (10..30).collect());
    assert_eq!(of(2), [before.clone(), behind].concat());
    assert_eq!(of(3), [before.clone(), (20..30).collect()].concat());
    assert_eq!(of(13), before);
}

#[test]
fn a_source_without_an_idr_is_encoded() {
    let mut packets = source(&[(Pattern::NoB, 10)]);
    packets.iter_mut().for_each(|packet| packet.is_idr = false);
    let left = run(&packets, &BTreeSet::new(), &BTreeSet::new(), rules(0), 2);
    assert_eq!((copied(&left), left.pictures.len(), left.begins), (vec![], 10, vec![0]));
}

#[test]
fn a_picture_that_code_never_saw_is_not_shown_where_it_must_not_be() {
    let packets = source(&[(Pattern::Between(2), 10), (Pattern::NoB, 10)]);
    let lost = BTreeSet::from([5]);
    for needs_every_frame in [false, true] {
        let rules = SwitchRules { needs_every_frame, ..rules(0) };
        let left = run(&packets, &BTreeSet::new(), &lost, rules, 0);
        let shows = left.pictures.iter().any(|(number, ..)| *number == 5);
        assert_eq!(shows, !needs_every_frame);
    }
}

#[test]
fn what_is_held_is_encoded_and_the_sources_dts_go_on_behind_it() {
    let mut switch = UntouchedSwitch::new(rules(0));
    let packet = |n: i64, is_idr| SourcePacket { pts: at(n), dts: Some(at(n)), is_idr, item: n };
    let frame = |n: i64| SeenFrame { pts: at(n), is_touched: false, item: n };
    switch.packet(packet(0, true));
    switch.frame(frame(0));
    assert_eq!(switch.next_step(), Some(SwitchStep::Copy(0)));
    for n in 1..4 {
        switch.hold(at(n));
        assert_eq!(switch.next_step(), (n == 1).then_some(SwitchStep::Begin));
        assert_eq!(switch.encoded_dts(at(n)), at(n));
    }
    switch.packet(packet(9, true));
    switch.frame(frame(9));
    assert_eq!(switch.next_step(), Some(SwitchStep::Finish));
    assert_eq!(switch.next_step(), Some(SwitchStep::Copy(9)));
    assert_eq!(switch.next_step(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_picture_leaves_once_in_order_and_with_what_it_refers_to(
        gops in prop::collection::vec((pattern(), 1..14usize), 1..7),
        touched in prop::collection::btree_set(0..80usize, 0..8),
        lost in prop::collection::btree_set(0..80usize, 0..4),
        loses in any::<bool>(),
        needs_every_frame in any::<bool>(),
        after in 0..20i64,
        behind in 0..6usize,
    ) {
        let packets = source(&gops);
        let lost = if loses { lost } else { BTreeSet::new() };
        let rules = SwitchRules { needs_every_frame, ..rules(after) };
        let left = run(&packets, &touched, &lost, rules, behind);
        let all: BTreeSet<usize> = left.pictures.iter().map(|(number, ..)| *number).collect();
        prop_assert_eq!(all.len(), left.pictures.len(), "a picture left twice: {:?}", left);
        // Of those whose frames are lost, some go out with their GOP.
        let missing = (0..packets.len()).filter(|number| !all.contains(number));
        prop_assert!(missing.clone().all(|number| lost.contains(&number)), "{:?}", left);
        let dts: Vec<i64> = left.pictures.iter().map(|(_, dts, _)| *dts).collect();
        if lost.is_empty() {
            prop_assert!(dts.is_sorted_by(|a, b| a < b), "{:?}", dts);
        }
        let (mut whole, mut encoder) = (BTreeSet::new(), 0);
        for (place, (number, dts, is_copied)) in left.pictures.iter().enumerate() {
            prop_assert!(*dts <= *number as i64 * TICK, "shown before it is decoded");
            if left.begins.contains(&place) {
                encoder += 1;
            }
            if !is_copied {
                prop_assert!(encoder > 0);
                continue;
            }
            prop_assert!(!touched.contains(number) || lost.contains(number), "{number} was touched");
            let packet = packets.iter().find(|packet| packet.number == *number).unwrap();
            prop_assert!(packet.refers_to.iter().all(|other| whole.contains(other)), "{:?} without what it refers to", packet);
            prop_assert!(!needs_every_frame || !lost.contains(number), "{number} was not seen");
            whole.insert(*number);
        }
    }
}
