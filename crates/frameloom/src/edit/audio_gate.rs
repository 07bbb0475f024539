//! Sound before and behind your code, in order: what is late or failed goes by unedited, and nothing is lost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A queue of sound that your code is asked about.
#[derive(Debug)]
pub(crate) struct AudioGate<T> {
    /// How long it waits for an answer; for ever where there is no limit.
    limit: Option<Duration>,
    waiting: VecDeque<Waiting<T>>,
    /// The number of the next piece.
    next: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    number: u64,
    original: T,
    came: Instant,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    Asked,
    Answered(T),
    /// It goes by as it came.
    Unedited,
}

impl<T> AudioGate<T> {
    pub(crate) fn new(limit: Option<Duration>) -> AudioGate<T> {
        AudioGate { limit, waiting: VecDeque::new(), next: 0 }
    }

    /// Takes a piece that the code is asked about. Gives its number.
    pub(crate) fn ask(&mut self, original: T, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.push_back(Waiting { number, original, came: now, state: State::Asked });
        number
    }

    /// Takes back a piece's question: it goes by unedited.
    pub(crate) fn pass(&mut self, number: u64) {
        if let Some(piece) = self.at(number) {
            piece.state = State::Unedited;
        }
    }

    /// Takes an answer. One that comes too late is left out.
    pub(crate) fn answer(&mut self, number: u64, answer: T) {
        if let Some(piece) = self.at(number)
            && matches!(piece.state, State::Asked)
        {
            piece.state = State::Answered(answer);
        }
    }

    fn at(&mut self, number: u64) -> Option<&mut Waiting<T>> {
        self.waiting.iter_mut().find(|piece| piece.number == number)
    }

    /// Lets everything that waits go by unedited: the code gives no more answers.
    pub(crate) fn pass_all(&mut self) {
        for piece in &mut self.waiting {
            if matches!(piece.state, State::Asked) {
                piece.state = State::Unedited;
            }
        }
    }

    /// How many pieces wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// When the first of them has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let first = self.waiting.front()?;
        self.limit.map(|limit| first.came + limit)
    }

    /// The next piece that leaves, and whether it is an answer.
    pub(crate) fn leave(&mut self, now: Instant) -> Option<(T, bool)> {
        let limit = self.limit;
        let is_late = |piece: &Waiting<T>| limit.is_some_and(|limit| now >= piece.came + limit);
        let is_ready = |piece: &Waiting<T>| !matches!(piece.state, State::Asked) || is_late(piece);
        if !self.waiting.front().is_some_and(is_ready) {
            return None;
        }
        let piece = self.waiting.pop_front()?;
        match piece.state {
            State::Answered(answer) => Some((answer, true)),
            State::Asked | State::Unedited => Some((piece.original, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sound_leaves_in_order_and_late_sound_unedited() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut gate = AudioGate::new(Some(Duration::from_millis(100)));
        for n in 0..4 {
            assert_eq!(gate.ask(n, at(n * 20)), n);
        }
        gate.answer(1, 101);
        assert_eq!(gate.leave(at(70)), None, "the first is waited for");
        gate.answer(0, 100);
        assert_eq!(gate.leave(at(70)), Some((100, true)));
        assert_eq!(gate.leave(at(70)), Some((101, true)));
        assert_eq!(gate.leave(at(70)), None);
        assert_eq!(gate.deadline(), Some(at(140)));
        assert_eq!(gate.leave(at(140)), Some((2, false)), "late");
        gate.answer(2, 102);
        gate.pass(3);
        assert_eq!(gate.leave(at(140)), Some((3, false)));
        assert_eq!(gate.len(), 0);
        let mut patient = AudioGate::new(None);
        patient.ask(7, start);
        assert_eq!(patient.deadline(), None);
        assert_eq!(patient.leave(at(9_000_000)), None);
        patient.pass_all();
        assert_eq!(patient.leave(start), Some((7, false)));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(steps in proptest::collection::vec((0_u8..4, 0_u64..12), 0..80)) {
            let start = Instant::now();
            let mut gate = AudioGate::new(Some(Duration::from_millis(50)));
            let (mut asked, mut left) = (0, Vec::new());
            for (n, (kind, value)) in steps.into_iter().enumerate() {
                let now = start + Duration::from_millis(10 * n as u64);
                match kind {
                    0 | 1 => {
                        gate.ask(asked, now);
                        asked += 1;
                    }
                    2 => gate.answer(value, value + 1000),
                    _ => gate.pass(value),
                }
                while let Some((piece, is_answer)) = gate.leave(now) {
                    prop_assert_eq!(is_answer, piece >= 1000);
                    left.push(piece % 1000);
                }
            }
            gate.pass_all();
            left.extend(std::iter::from_fn(|| gate.leave(start)).map(|(piece, _)| piece % 1000));
            prop_assert_eq!(left, (0..asked).collect::<Vec<_>>());
        }
    }
}
