use super::*;

/// A frame of which only its number matters. The second thousand came in a burst.
#[derive(Clone, Debug, PartialEq)]
struct Plain(i64);

impl GateItem for Plain {
    fn pts(&self) -> Timestamp {
        Timestamp::from_micros(self.0)
    }

    fn copy(&mut self) -> Result<Plain> {
        Ok(self.clone())
    }

    fn in_burst(&self) -> bool {
        (1000..2000).contains(&self.0)
    }
}

fn gate(on_slow: OnSlow, deadline: Option<Duration>) -> Gate<Plain> {
    Gate::new(GateRules { on_slow, deadline, passes_failed: true })
}

/// All that leaves: numbers, those of unedited frames below zero.
fn left(gate: &mut Gate<Plain>) -> Vec<i64> {
    std::iter::from_fn(|| gate.leave())
        .map(|leaving| match leaving {
            Released::Answer(frame) => frame.0,
            Released::Unedited(frame) => -frame.0,
        })
        .collect()
}

fn answered(gate: &mut Gate<Plain>, number: u64, frame: i64) {
    gate.answer(number, vec![Plain(frame)], true);
    gate.ready(number);
}

#[test]
fn where_it_waits_nothing_is_lost() {
    let (mut gate, now) = (gate(OnSlow::Block, None), Instant::now());
    let mut out = Vec::new();
    for n in 1..=5 {
        assert!(gate.wants_frame(false));
        gate.offer(Plain(n));
        let (number, frame) = gate.ask(now).unwrap().unwrap();
        assert_eq!(frame, Plain(n));
        assert!(left(&mut gate).is_empty(), "the code has it");
        answered(&mut gate, number, n);
        out.extend(left(&mut gate));
    }
    assert_eq!(out, [1, 2, 3, 4, 5]);
    assert_eq!(gate.take_tally(), Tally::default());
}

#[test]
fn only_the_newest_waits_for_slow_code() {
    let (mut gate, now) = (gate(OnSlow::Latest, None), Instant::now());
    gate.offer(Plain(0));
    let (number, _) = gate.ask(now).unwrap().unwrap();
    answered(&mut gate, number, 0);
    assert_eq!(left(&mut gate), [0]);
    gate.offer(Plain(1));
    let (number, _) = gate.ask(now).unwrap().unwrap();
    for n in 2..=5 {
        gate.offer(Plain(n));
        assert!(gate.ask(now).unwrap().is_none(), "the code is busy");
    }
    answered(&mut gate, number, 1);
    assert_eq!(left(&mut gate), [1]);
    let (number, frame) = gate.ask(now).unwrap().unwrap();
    assert_eq!(frame, Plain(5));
    answered(&mut gate, number, 5);
    assert_eq!(left(&mut gate), [5]);
    assert_eq!(gate.take_tally(), Tally { dropped: 3, ..Tally::default() });
}

#[test]
fn a_frame_is_overtaken_where_the_next_does_not_wait_for_the_code() {
    let now = Instant::now();
    for (on_slow, is_overtaken) in [
        (OnSlow::Block, false),
        (OnSlow::Latest, true),
        (OnSlow::Bypass, true),
        (OnSlow::Hold, true),
    ] {
        let mut gate = gate(on_slow, None);
        assert_eq!(gate.overtaken_by_next(), None, "nothing was asked");
        gate.offer(Plain(1));
        assert_eq!(gate.overtaken_by_next(), None, "the code is ready");
        let (number, _) = gate.ask(now).unwrap().unwrap();
        assert_eq!(gate.overtaken_by_next(), is_overtaken.then_some(number), "{on_slow:?}");
        answered(&mut gate, number, 1);
        assert_eq!(gate.overtaken_by_next(), None, "the code is done");
        gate.down();
        assert_eq!(gate.overtaken_by_next(), None, "the code is gone");
    }
}

#[test]
fn what_comes_in_a_burst_or_before_the_code_is_there_is_skipped() {
    let (mut gate, now) = (gate(OnSlow::Latest, None), Instant::now());
    gate.offer(Plain(1));
    let (number, _) = gate.ask(now).unwrap().unwrap();
    // It is starting.
    (2..=5).for_each(|n| gate.offer(Plain(n)));
    assert!(!gate.is_live());
    answered(&mut gate, number, 1);
    assert_eq!(left(&mut gate), [1]);
    let skipped = Tally { skipped: 3, skipped_for: Skipped(3), ..Tally::default() };
    assert_eq!(gate.take_tally(), skipped);
    let (number, frame) = gate.ask(now).unwrap().unwrap();
    assert_eq!(frame, Plain(5));
    (1000..=1010).for_each(|n| gate.offer(Plain(n)));
    assert!(!gate.is_live());
    answered(&mut gate, number, 5);
    let skipped = Tally { skipped: 10, skipped_for: Skipped(10), ..Tally::default() };
    assert_eq!(gate.take_tally(), skipped);
    gate.ask(now).unwrap().unwrap();
    assert!(!gate.is_live(), "more of it may come");
    gate.offer(Plain(2000));
    assert!(gate.is_live());
}

#[test]
fn what_would_wait_passes_by_in_its_turn() {
    let (mut gate, now) = (gate(OnSlow::Bypass, None), Instant::now());
    gate.offer(Plain(1));
    let (number, _) = gate.ask(now).unwrap().unwrap();
    for n in 2..=4 {
        gate.offer(Plain(n));
        assert!(gate.ask(now).unwrap().is_none());
    }
    assert!(left(&mut gate).is_empty(), "never before the one that was first");
    answered(&mut gate, number, 1);
    assert_eq!(left(&mut gate), [1, -2, -3, -4]);
    assert_eq!(gate.take_tally(), Tally { bypassed: 3, ..Tally::default() });
}

#[test]
fn past_its_deadline_a_frame_goes_out_unedited() {
    let limit = Duration::from_millis(100);
    let (mut gate, now) = (gate(OnSlow::Bypass, Some(limit)), Instant::now());
    gate.offer(Plain(1));
    let (number, _) = gate.ask(now).unwrap().unwrap();
    gate.expire(now + limit / 2);
    assert!(left(&mut gate).is_empty());
    gate.expire(now + limit);
    assert_eq!(left(&mut gate), [-1]);
    answered(&mut gate, number, 1);
    assert!(left(&mut gate).is_empty(), "its late answer is nobody's");
    gate.offer(Plain(2));
    let (number, _) = gate.ask(now + limit * 2).unwrap().unwrap();
    answered(&mut gate, number, 2);
    assert_eq!(left(&mut gate), [2]);
}

#[test]
fn a_frame_on_which_the_code_fails_goes_out_unedited() {
    let (mut gate, now) = (gate(OnSlow::Block, None), Instant::now());
    gate.offer(Plain(7));
    let (number, _) = gate.ask(now).unwrap().unwrap();
    gate.fail(number);
    gate.ready(number);
    assert_eq!(left(&mut gate), [-7]);
    assert_eq!(gate.take_tally().failed, 1);
}
