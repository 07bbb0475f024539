//! The gate round your code: which frame it gets next, and which frames leave in which order.
//!
//! A pure state machine. Frames are offered in the order of showing, the code's answers come with
//! the number of the ask they belong to, and every call that needs the time is given it. Whoever
//! drives it calls, over and over: [`Gate::leave`] until nothing leaves, [`Gate::ask`] for what the
//! code gets, and then waits for a frame (where [`Gate::wants_frame`]), a report of the code, or
//! [`Gate::deadline`], behind which [`Gate::expire`] is due.
//!
//! What was asked and what passes by unedited stand in one queue, in the order of the input, and
//! only its head leaves. So slow code makes frames late, and never puts them out of order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::options::OnSlow;
use crate::time::Timestamp;
use crate::time::moment_after;

/// Frames that may wait unedited behind one that the code has. Where the code has hung and no
/// deadline ends the wait, they would fill the memory.
const PASSED_LIMIT: usize = 32;

/// What passes through a gate.
pub(crate) trait GateItem: Sized {
    /// When it is to be shown.
    fn pts(&self) -> Timestamp;

    /// The same again; pixels are shared.
    fn copy(&mut self) -> Result<Self>;

    /// Whether it came in a burst, so that it is older than what is live.
    fn in_burst(&self) -> bool;
}

/// The policies that a gate follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GateRules {
    pub(crate) on_slow: OnSlow,
    /// How long the code may have a frame, with [`OnSlow::Bypass`].
    pub(crate) deadline: Option<Duration>,
    /// A frame on which the code fails goes out unedited.
    pub(crate) passes_failed: bool,
}

impl GateRules {
    /// Whether a frame may have to go out as it came after the code got it.
    fn keeps_originals(&self) -> bool {
        self.passes_failed || self.on_slow == OnSlow::Bypass
    }
}

/// A frame that leaves.
#[derive(Debug, PartialEq)]
pub(crate) enum Released<F> {
    /// What the code gave out.
    Answer(F),
    /// As it came.
    Unedited(F),
}

/// A part of the stream, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped(pub(crate) i64);

/// What a gate has counted since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Frames that leave in no form.
    pub(crate) dropped: u64,
    /// The same, where the code is not to blame: they came in a burst, or before it was there.
    pub(crate) skipped: u64,
    /// How much of the stream they were.
    pub(crate) skipped_for: Skipped,
    /// Frames that leave unedited: the code was too slow, or not there.
    pub(crate) bypassed: u64,
    /// Asks on which the code failed.
    pub(crate) failed: u64,
}

/// One place in the queue.
struct QueuedFrame<F> {
    turn: EntryState<F>,
    /// The input's clock went backwards here: what left before says nothing about the order.
    jumped: bool,
}

enum EntryState<F> {
    Asked(Asked<F>),
    Unedited(F),
}

/// A frame that the code was given.
struct Asked<F> {
    number: u64,
    since: Instant,
    original: Option<F>,
    answers: VecDeque<F>,
    /// Nothing more comes for it.
    is_whole: bool,
    /// A part of its answer has left.
    has_left: bool,
    /// No frame: the code was asked for what it still holds.
    is_drain: bool,
}

impl<F> Asked<F> {
    fn new(number: u64, since: Instant, original: Option<F>) -> Asked<F> {
        Asked {
            number,
            since,
            original,
            answers: VecDeque::new(),
            is_whole: false,
            has_left: false,
            is_drain: false,
        }
    }
}

/// Where the code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CodeReadiness {
    /// It takes the next frame.
    Ready,
    /// It works on the last one.
    Busy,
    /// It isn't there: everything passes.
    Down,
}

/// See the module's text.
pub(crate) struct Gate<F> {
    rules: GateRules,
    code: CodeReadiness,
    /// It was started again and has not answered yet: it is asked, and nobody waits for it.
    is_warming: bool,
    /// It has answered, or failed on a frame: it has been there.
    has_been_there: bool,
    /// The last frame of the input came in a burst.
    is_in_burst: bool,
    waiting: Option<QueuedFrame<F>>,
    queue: VecDeque<QueuedFrame<F>>,
    next_number: u64,
    last_offered: Option<Timestamp>,
    last_answer: Option<Timestamp>,
    last_unedited: Option<Timestamp>,
    has_ended: bool,
    has_drained: bool,
    tally: Tally,
}

impl<F: GateItem> Gate<F> {
    /// In front of code that takes a frame at once.
    pub(crate) fn new(rules: GateRules) -> Gate<F> {
        Gate {
            rules,
            code: CodeReadiness::Ready,
            is_warming: false,
            has_been_there: false,
            is_in_burst: false,
            waiting: None,
            queue: VecDeque::new(),
            next_number: 0,
            last_offered: None,
            last_answer: None,
            last_unedited: None,
            has_ended: false,
            has_drained: false,
            tally: Tally::default(),
        }
    }

    /// What happens to a frame for which the code isn't ready, as things are now.
    fn on_slow(&self) -> OnSlow {
        if self.is_warming { OnSlow::Bypass } else { self.rules.on_slow }
    }

    /// Whether a frame may be offered now. `is_held_up` where what could leave can't: then only
    /// one that replaces another has room.
    pub(crate) fn wants_frame(&self, is_held_up: bool) -> bool {
        match self.on_slow() {
            OnSlow::Latest if self.code != CodeReadiness::Down => true,
            OnSlow::Block if self.code != CodeReadiness::Down => self.waiting.is_none(),
            _ => !is_held_up,
        }
    }

    /// The ask whose frame the code still has, where the next frame that is offered may be left out or go by
    /// for that.
    pub(crate) fn overtaken_by_next(&self) -> Option<u64> {
        let is_busy = self.code == CodeReadiness::Busy && self.on_slow() != OnSlow::Block;
        self.next_number.checked_sub(1).filter(|_| is_busy)
    }

    /// Takes the next frame of the input.
    pub(crate) fn offer(&mut self, frame: F) {
        let pts = frame.pts();
        self.is_in_burst = frame.in_burst();
        let jumped = self.last_offered.replace(pts).is_some_and(|last| pts < last);
        let entry = QueuedFrame { turn: EntryState::Unedited(frame), jumped };
        let replaced = match (self.code, self.on_slow()) {
            (CodeReadiness::Down, _) => return self.pass(entry),
            (CodeReadiness::Busy, OnSlow::Bypass | OnSlow::Hold) => return self.pass(entry),
            (_, OnSlow::Latest) => {
                let replaced = self.waiting.replace(entry);
                if let Some(replaced) = &replaced {
                    self.count_replaced(replaced, pts);
                }
                replaced
            }
            (_, OnSlow::Block | OnSlow::Bypass | OnSlow::Hold) => {
                // A caller that follows `wants_frame` and asks when the code is ready never sees this.
                if let Some(before) = self.waiting.take() {
                    self.pass(before);
                }
                self.waiting.replace(entry)
            }
        };
        if let (Some(replaced), Some(waiting)) = (replaced, &mut self.waiting) {
            waiting.jumped |= replaced.jumped;
        }
    }

    /// Counts a frame that a newer one, of `pts`, took the place of.
    fn count_replaced(&mut self, replaced: &QueuedFrame<F>, pts: Timestamp) {
        match &replaced.turn {
            EntryState::Unedited(frame) if frame.in_burst() || !self.has_been_there => {
                self.tally.skipped += 1;
                self.tally.skipped_for.0 += pts.minus(frame.pts()).as_micros().max(0);
            }
            _ => self.tally.dropped += 1,
        }
    }

    /// Whether the code is there and what comes is live.
    pub(crate) fn is_live(&self) -> bool {
        self.has_been_there && !self.is_in_burst
    }

    /// Sends a frame out unedited; if the policies never let one out so, it is left out.
    fn pass(&mut self, entry: QueuedFrame<F>) {
        if !self.rules.keeps_originals() {
            self.tally.dropped += 1;
            return;
        }
        self.tally.bypassed += 1;
        self.queue.push_back(entry);
        let passed =
            self.queue.iter().filter(|e| matches!(e.turn, EntryState::Unedited(_))).count();
        if passed > PASSED_LIMIT {
            let mut queue = self.queue.iter_mut();
            let asked = queue.find(|e| matches!(&e.turn, EntryState::Asked(a) if !a.is_whole));
            if asked.is_some_and(QueuedFrame::give_up) {
                self.tally.bypassed += 1;
            }
        }
    }

    /// No more frames come.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }

    /// The code takes the next frame, if `after` is the last ask it got; what was said before that
    /// one was sent means nothing now.
    pub(crate) fn ready(&mut self, after: u64) {
        if self.code == CodeReadiness::Busy && after + 1 == self.next_number {
            self.code = CodeReadiness::Ready;
        }
    }

    /// The frame for the code, and the number of the ask, where the code is ready and a frame
    /// waits.
    ///
    /// # Errors
    /// Where there is no memory for a copy.
    pub(crate) fn ask(&mut self, now: Instant) -> Result<Option<(u64, F)>> {
        if self.code != CodeReadiness::Ready {
            return Ok(None);
        }
        let Some(QueuedFrame { turn: EntryState::Unedited(mut frame), jumped }) =
            self.waiting.take()
        else {
            return Ok(None);
        };
        let original = if self.is_warming || self.rules.keeps_originals() {
            Some(frame.copy()?)
        } else {
            None
        };
        let number = self.number();
        match original {
            Some(original) if self.is_warming => {
                self.pass(QueuedFrame { turn: EntryState::Unedited(original), jumped });
            }
            original => {
                let asked = Asked::new(number, now, original);
                self.queue.push_back(QueuedFrame { turn: EntryState::Asked(asked), jumped });
            }
        }
        Ok(Some((number, frame)))
    }

    /// The number of the ask that has the code give out all it still holds, once: when the input
    /// has ended and the code has had everything.
    pub(crate) fn ask_drain(&mut self, now: Instant) -> Option<u64> {
        let is_due = self.has_ended && !self.has_drained && self.waiting.is_none();
        if !is_due || self.code != CodeReadiness::Ready {
            return None;
        }
        self.has_drained = true;
        let number = self.number();
        let asked = Asked { is_drain: true, ..Asked::new(number, now, None) };
        self.queue.push_back(QueuedFrame { turn: EntryState::Asked(asked), jumped: false });
        Some(number)
    }

    fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.code = CodeReadiness::Busy;
        number
    }

    fn asked(&mut self, number: u64) -> Option<&mut QueuedFrame<F>> {
        self.queue
            .iter_mut()
            .find(|e| matches!(&e.turn, EntryState::Asked(a) if a.number == number && !a.is_whole))
    }

    /// What came out for an ask; with `is_whole` nothing more does. An answer that nobody waits
    /// for any more is thrown away.
    pub(crate) fn answer(&mut self, number: u64, frames: Vec<F>, is_whole: bool) {
        self.has_been_there = true;
        if let Some(QueuedFrame { turn: EntryState::Asked(asked), .. }) = self.asked(number) {
            asked.answers.extend(frames);
            asked.is_whole = is_whole;
        }
    }

    /// The code failed on an ask.
    pub(crate) fn fail(&mut self, number: u64) {
        self.has_been_there = true;
        self.tally.failed += 1;
        if let Some(entry) = self.asked(number) {
            entry.give_up();
        }
    }

    /// The code isn't there: what it has and what comes passes by. Returns how many frames it had.
    pub(crate) fn down(&mut self) -> u64 {
        self.code = CodeReadiness::Down;
        self.is_warming = false;
        self.has_been_there = true;
        let mut lost = 0;
        for entry in &mut self.queue {
            let EntryState::Asked(asked) = &entry.turn else { continue };
            let is_frame = !asked.has_left && !asked.is_drain;
            if asked.is_whole {
                continue;
            }
            if entry.give_up() {
                lost += 1;
            } else if is_frame {
                self.tally.dropped += 1;
            }
        }
        self.tally.bypassed += lost;
        if let Some(waiting) = self.waiting.take() {
            self.pass(waiting);
        }
        // What it held is lost with it.
        self.has_drained = true;
        lost
    }

    /// The code is there again. Until it is [`Gate::warm`], it is asked and nobody waits for it.
    pub(crate) fn up(&mut self) {
        if self.code == CodeReadiness::Down {
            self.code = CodeReadiness::Ready;
            self.is_warming = true;
            self.has_drained = false;
        }
    }

    /// The code has answered for the first time since it was started again.
    pub(crate) fn warm(&mut self) {
        self.is_warming = false;
    }

    /// When the next frame is to go out unedited, unless its answer comes before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let limit = self.rules.deadline.filter(|_| self.rules.on_slow == OnSlow::Bypass)?;
        self.queue.iter().find_map(|entry| match &entry.turn {
            EntryState::Asked(asked) if !asked.is_whole && asked.original.is_some() => {
                Some(moment_after(asked.since, limit))
            }
            _ => None,
        })
    }

    /// Sends out unedited whatever is past its deadline.
    pub(crate) fn expire(&mut self, now: Instant) {
        let Some(limit) = self.rules.deadline.filter(|_| self.rules.on_slow == OnSlow::Bypass)
        else {
            return;
        };
        for entry in &mut self.queue {
            let is_late = matches!(&entry.turn, EntryState::Asked(asked)
                if !asked.is_whole && asked.original.is_some() && moment_after(asked.since, limit) <= now);
            if is_late && entry.give_up() {
                self.tally.bypassed += 1;
            }
        }
    }

    /// The next frame that leaves.
    pub(crate) fn leave(&mut self) -> Option<Released<F>> {
        loop {
            let head = self.queue.front_mut()?;
            if std::mem::take(&mut head.jumped) {
                (self.last_answer, self.last_unedited) = (None, None);
            }
            match &mut head.turn {
                EntryState::Asked(asked) => match asked.answers.pop_front() {
                    // The code held it back while others passed by.
                    Some(answer) if self.last_unedited.is_some_and(|last| answer.pts() <= last) => {
                        self.tally.dropped += 1;
                    }
                    Some(answer) => {
                        asked.has_left = true;
                        self.last_answer = self.last_answer.max(Some(answer.pts()));
                        return Some(Released::Answer(answer));
                    }
                    None if asked.is_whole => {
                        self.queue.pop_front();
                    }
                    None => return None,
                },
                EntryState::Unedited(_) => {
                    let Some(QueuedFrame { turn: EntryState::Unedited(frame), .. }) =
                        self.queue.pop_front()
                    else {
                        return None;
                    };
                    if self.last_answer.is_some_and(|last| frame.pts() < last) {
                        self.tally.dropped += 1;
                        continue;
                    }
                    self.last_unedited = Some(frame.pts());
                    return Some(Released::Unedited(frame));
                }
            }
        }
    }

    /// Whether the head of the queue could leave now.
    pub(crate) fn has_leaving(&self) -> bool {
        self.queue.front().is_some_and(|head| match &head.turn {
            EntryState::Asked(asked) => asked.is_whole || !asked.answers.is_empty(),
            EntryState::Unedited(_) => true,
        })
    }

    /// Whether everything has left, and nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        self.has_ended && self.has_drained && self.queue.is_empty() && self.waiting.is_none()
    }

    /// Whether the code isn't there.
    pub(crate) fn is_down(&self) -> bool {
        self.code == CodeReadiness::Down
    }

    /// The code answers no more. Whether it has been asked for all it held.
    pub(crate) fn close(&mut self) -> bool {
        for entry in &mut self.queue {
            if let EntryState::Asked(asked) = &mut entry.turn {
                asked.is_whole = true;
            }
        }
        self.has_drained
    }

    /// What was counted since this was asked last.
    pub(crate) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }
}

impl<F> QueuedFrame<F> {
    /// Lets go of the code's answer. `true` where the original goes out in its place: not where
    /// there is none, or a part of the answer has left already.
    fn give_up(&mut self) -> bool {
        let EntryState::Asked(asked) = &mut self.turn else { return false };
        match asked.original.take() {
            Some(original) if !asked.has_left => {
                self.turn = EntryState::Unedited(original);
                true
            }
            _ => {
                asked.is_whole = true;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
