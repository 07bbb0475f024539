//! Live sources on one clock: at each tick every one of them has a picture, and its sound up to then.
//! Broadcasters call such a thing a frame synchronizer.
//!
//! Where an input's times lie on the machine's clock is known by what came fastest of it lately: what two
//! cameras saw at one moment comes at one moment, whatever their own clocks say and however those drift. A
//! tick waits for a source that is a little behind. One that is further behind, or says nothing, is not
//! waited for until it is back: its last picture stands for it, and silence for its sound.
//!
//! Nothing here has a thread or reads a clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::live::supervise::micros;
use crate::time::arrival::Arrival;
use crate::time::{Rate, TimeBase, Timestamp};

/// How long a tick waits for what should be there.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long it is watched, once something came of every source, before the first tick: servers send what
/// they keep for players that come late at once.
const SETTLING: Duration = Duration::from_millis(300);

/// How long sources may take to send their first frame until the others begin without them.
const BEGIN_LIMIT: Duration = Duration::from_secs(5);

/// Ticks that are so late are left out: whoever takes them is slower than the clock.
const BEHIND: Duration = Duration::from_secs(1);

/// Pictures and pieces of sound that wait for their tick.
const WAITING_PICTURES: usize = 32;
const WAITING_SOUNDS: usize = 512;

/// A source of the ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncedSource {
    /// The number of the input that it belongs to. The first source's input sets the clock.
    pub(crate) input: usize,
    pub(crate) is_sound: bool,
    /// How long a picture is shown that doesn't say it.
    pub(crate) length: Timestamp,
}

/// What one source has at a tick.
#[derive(Debug, PartialEq)]
pub(crate) enum TickContent<T> {
    /// Another picture than before.
    Picture(T),
    /// The one before. It has been missing for so long, where one should be there.
    Again(Duration),
    /// Pieces of sound.
    Sound {
        pieces: Vec<T>,
        /// What is to be added to their times.
        moved_by: Timestamp,
        /// Up to where silence is to stand behind them.
        silent_until: Option<Timestamp>,
    },
    /// Nothing more comes of it.
    Ended,
}

/// A tick: what every source has at one time.
#[derive(Debug, PartialEq)]
pub(crate) struct Tick<T> {
    /// Its number. Times the length of a tick, that is its time on the clock of the first source's input.
    pub(crate) number: i64,
    pub(crate) contents: Vec<TickContent<T>>,
    /// How many ticks before it were left out.
    pub(crate) left_out: u64,
}

/// Puts live sources on one clock.
pub(crate) struct FrameSync<T> {
    step: TimeBase,
    sources: Vec<Source<T>>,
    clocks: Vec<InputClock>,
    epoch: Instant,
    state: SyncState,
}

#[derive(Clone, Copy, Debug)]
enum SyncState {
    /// When the first thing came.
    Waiting(Option<Instant>),
    /// The number of the next tick.
    Running(i64),
}

struct Source<T> {
    clock: usize,
    described: SyncedSource,
    waiting: VecDeque<Piece<T>>,
    /// Where what came ends, on its own clock.
    end: Option<Timestamp>,
    /// Ticks wait for it.
    is_awaited: bool,
    /// Since when nothing was there at a tick.
    missing: Option<Instant>,
    /// Where the last picture that was shown ends, on its own clock.
    shown_until: Option<Timestamp>,
    /// When the first piece came.
    began: Option<Instant>,
    has_ended: bool,
}

struct Piece<T> {
    at: Timestamp,
    end: Timestamp,
    content: T,
}

impl<T> FrameSync<T> {
    /// With so many ticks a second. `epoch` is any moment before the first piece comes.
    pub(crate) fn new(sources: &[SyncedSource], rate: Rate, epoch: Instant) -> FrameSync<T> {
        let mut clocks: Vec<InputClock> = Vec::new();
        let mut place = |input: usize| {
            let known = clocks.iter().position(|clock| clock.input == input);
            known.unwrap_or_else(|| {
                clocks.push(InputClock::new(input));
                clocks.len() - 1
            })
        };
        let source = |described: &SyncedSource| Source {
            clock: place(described.input),
            described: *described,
            waiting: VecDeque::new(),
            end: None,
            is_awaited: true,
            missing: None,
            shown_until: None,
            began: None,
            has_ended: false,
        };
        let sources = sources.iter().map(source).collect();
        let state = SyncState::Waiting(None);
        FrameSync { step: rate.time_base(), sources, clocks, epoch, state }
    }

    fn since_epoch(&self, moment: Instant) -> i64 {
        micros(moment.saturating_duration_since(self.epoch)).as_micros()
    }

    /// Takes a picture, or a piece of sound, of a source `now`: it is at `at`, for so long, on the source's
    /// own clock. What didn't come from anywhere, as silence that fills a gap, has no `arrived`: it tells
    /// nothing of that clock.
    pub(crate) fn offer(
        &mut self,
        source: usize,
        (at, length): (Timestamp, Timestamp),
        (arrived, now): (Option<Arrival>, Instant),
        content: T,
    ) {
        let elapsed = arrived.map(|arrived| self.since_epoch(arrived.at));
        let Some(source) = self.sources.get_mut(source) else { return };
        if let (Some(clock), Some(elapsed)) = (self.clocks.get_mut(source.clock), elapsed) {
            let connection = arrived.map_or(0, |arrived| arrived.connection);
            clock.note(at.as_micros(), elapsed, connection);
        }
        let arrived = arrived.map_or(now, |arrived| arrived.at);
        let length = if length > Timestamp::ZERO { length } else { source.described.length };
        let end = at.plus(length);
        source.end = source.end.max(Some(end));
        source.began.get_or_insert(arrived);
        source.waiting.push_back(Piece { at, end, content });
        let most = if source.described.is_sound { WAITING_SOUNDS } else { WAITING_PICTURES };
        if source.waiting.len() > most {
            source.waiting.pop_front();
        }
        if let SyncState::Waiting(first) = &mut self.state {
            first.get_or_insert(arrived);
        }
    }

    /// Nothing more comes of a source.
    pub(crate) fn end(&mut self, source: usize) {
        if let Some(source) = self.sources.get_mut(source) {
            source.has_ended = true;
        }
    }

    /// Whether nothing more comes of any source.
    pub(crate) fn has_ended(&self) -> bool {
        self.sources.iter().all(|source| source.has_ended && source.waiting.is_empty())
    }

    /// When it is to be asked again, where nothing more comes.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            SyncState::Waiting(None) => None,
            SyncState::Waiting(Some(first)) => {
                let latest = self.sources.iter().map(|source| source.began).max()?;
                let is_there = |source: &Source<T>| source.began.is_some() || source.has_ended;
                match latest {
                    Some(latest) if self.sources.iter().all(is_there) => Some(latest + SETTLING),
                    _ => Some(first + BEGIN_LIMIT),
                }
            }
            SyncState::Running(next) => Some(self.moment_of(next) + PATIENCE),
        }
    }

    /// When a tick is due on the machine's clock.
    fn moment_of(&self, number: i64) -> Instant {
        let reference = self.clocks.first().map_or(0, InputClock::offset);
        let at = self.step.at(number).as_micros().saturating_add(reference);
        self.epoch + Duration::from_micros(u64::try_from(at).unwrap_or(0))
    }

    /// What is to be added to the times of a source, so that they are on the first source's clock.
    fn moved_by(&self, source: &Source<T>) -> Timestamp {
        let offset = |clock: usize| self.clocks.get(clock).map_or(0, InputClock::offset);
        Timestamp::from_micros(offset(source.clock).saturating_sub(offset(0)))
    }

    /// The next tick, where it is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Tick<T>> {
        let elapsed = self.since_epoch(now);
        self.clocks.iter_mut().for_each(|clock| clock.follow(elapsed));
        let mut number = match self.state {
            SyncState::Running(number) => number,
            SyncState::Waiting(_) => self.begin(now)?,
        };
        let moment = self.moment_of(number);
        let at = self.step.at(number);
        let half = Timestamp::from_micros(self.step.at(1).as_micros() / 2);
        let is_out_of_patience = now >= moment + PATIENCE;
        let has = |source: &Source<T>| {
            let moved_by = self.moved_by(source);
            // The picture that is shown then, and not the one before it: which of the two it is would
            // depend on who else is late, and pictures would stumble.
            let needed = if source.described.is_sound { at } else { at.plus(half) };
            source.has_ended || source.end.is_some_and(|end| end.plus(moved_by) > needed)
        };
        let there: Vec<bool> = self.sources.iter().map(has).collect();
        // One that is back has pictures, and may have none for this tick yet.
        let shows = |source: &Source<T>| {
            let (moved_by, needed) = (self.moved_by(source), at.plus(half));
            let is_next = |piece: &Piece<T>| piece.at.plus(moved_by) <= needed;
            source.described.is_sound
                || source.waiting.front().is_some_and(is_next)
                || source.shown_until.is_some_and(|until| until.plus(moved_by) > needed)
        };
        let shown: Vec<bool> = self.sources.iter().map(|s| s.has_ended || shows(s)).collect();
        let awaited = self.sources.iter().zip(&there);
        let is_awaited = awaited.clone().any(|(source, is_there)| source.is_awaited && !is_there);
        let is_anyone_there =
            awaited.clone().any(|(source, is_there)| *is_there && !source.has_ended);
        if !is_out_of_patience && (is_awaited || !is_anyone_there) {
            return None;
        }
        for ((source, is_there), is_shown) in self.sources.iter_mut().zip(&there).zip(&shown) {
            source.is_awaited = *is_there;
            let is_missing = !(*is_there && *is_shown);
            source.missing = is_missing.then(|| source.missing.unwrap_or(now));
        }
        let mut left_out = 0;
        let late = now.saturating_duration_since(moment);
        if late > PATIENCE + BEHIND {
            let ticks = micros(late - PATIENCE).rescale(self.step).ticks();
            number = number.saturating_add(ticks);
            left_out = u64::try_from(ticks).unwrap_or(0);
        }
        self.state = SyncState::Running(number.saturating_add(1));
        let moves: Vec<Timestamp> = self.sources.iter().map(|s| self.moved_by(s)).collect();
        let (at, step) = (self.step.at(number), self.step);
        let contents = self.sources.iter_mut().zip(moves).map(|(source, moved_by)| {
            if source.described.is_sound {
                source.sound_until(step.at(number.saturating_add(1)), moved_by)
            } else {
                source.picture_at(at.plus(half), moved_by, now)
            }
        });
        Some(Tick { number, contents: contents.collect(), left_out })
    }

    /// The number of the first tick, once it is time for it.
    fn begin(&mut self, now: Instant) -> Option<i64> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let first = |source: &Source<T>| {
            let first = source.waiting.front()?;
            Some(first.at.plus(self.moved_by(source)))
        };
        let begin = self.sources.iter().filter_map(first).max()?;
        let number = begin.rescale(self.step).ticks();
        self.state = SyncState::Running(number);
        // Sound from before the first picture is nobody's.
        let moves: Vec<Timestamp> = self.sources.iter().map(|s| self.moved_by(s)).collect();
        let sounds = self.sources.iter_mut().zip(moves).filter(|(s, _)| s.described.is_sound);
        for (source, moved_by) in sounds {
            let is_early = |piece: &Piece<T>| piece.at.plus(moved_by) <= begin;
            while source.waiting.get(1).is_some_and(is_early) {
                source.waiting.pop_front();
            }
        }
        Some(number)
    }
}

impl<T> Source<T> {
    /// The newest picture up to `at`.
    fn picture_at(&mut self, at: Timestamp, moved_by: Timestamp, now: Instant) -> TickContent<T> {
        let mut newest = None;
        while self.waiting.front().is_some_and(|piece| piece.at.plus(moved_by) <= at) {
            newest = self.waiting.pop_front();
        }
        match newest {
            Some(piece) => {
                self.shown_until = Some(piece.end);
                TickContent::Picture(piece.content)
            }
            None if self.has_ended && self.waiting.is_empty() => TickContent::Ended,
            None => {
                let since = self.missing.map(|since| now.saturating_duration_since(since));
                TickContent::Again(since.unwrap_or_default())
            }
        }
    }

    /// All sound that begins before `until`.
    fn sound_until(&mut self, until: Timestamp, moved_by: Timestamp) -> TickContent<T> {
        let mut pieces = Vec::new();
        while self.waiting.front().is_some_and(|piece| piece.at.plus(moved_by) < until) {
            pieces.extend(self.waiting.pop_front().map(|piece| piece.content));
        }
        if pieces.is_empty() && self.has_ended && self.waiting.is_empty() {
            return TickContent::Ended;
        }
        let silent_until = self.missing.map(|_| until);
        TickContent::Sound { pieces, moved_by, silent_until }
    }
}

/// How long it is remembered how fast something came.
const WINDOW_SECONDS: i64 = 10;
/// The last of these seconds tell that an input is slower than it was.
const RECENT_SECONDS: i64 = 2;
/// By more than this an offset is wrong, and set anew at once, in microseconds.
const WRONG_MICROS: i64 = 100_000;
/// What an offset moves by in a second otherwise, in microseconds: more than clocks drift, and less than
/// anyone hears.
const MICROS_A_SECOND: i64 = 2_000;
/// Behind the beginning of a connection the offset goes at once to what came fastest: its first packets
/// come late by as much as opening it took, and at the usual pace the input would be out of step for a
/// minute. In microseconds.
const NEW_MICROS: i64 = 2_000_000;
/// How long a connection is watched until what came fastest of it counts in place of what holds for the
/// one before it, in microseconds.
const WATCHED_MICROS: i64 = 500_000;

/// Where an input's times lie on the machine's clock.
struct InputClock {
    input: usize,
    /// The smallest differences between when something came and its time, in microseconds, one for each
    /// second.
    smallest: VecDeque<(i64, i64)>,
    /// The difference that is gone by.
    offset: Option<i64>,
    /// When it was last looked at.
    followed: i64,
    /// The number of the connection, and when the first of it came.
    connection: Option<(u64, i64)>,
}

impl InputClock {
    fn new(input: usize) -> InputClock {
        let smallest = VecDeque::new();
        InputClock { input, smallest, offset: None, followed: 0, connection: None }
    }

    fn offset(&self) -> i64 {
        self.offset.unwrap_or(0)
    }

    /// How long ago the first of its connection came, where that is but a moment.
    fn newly(&self, elapsed: i64) -> Option<i64> {
        let (_, began) = self.connection?;
        Some(elapsed.saturating_sub(began)).filter(|passed| *passed < NEW_MICROS)
    }

    /// Something of time `at` came by a connection when `elapsed` had passed, both in microseconds.
    fn note(&mut self, at: i64, elapsed: i64, connection: u64) {
        match self.connection {
            // It was still on its way when the next connection began.
            Some((current, _)) if connection < current => return,
            Some((current, _)) if connection == current => {}
            _ => {
                self.connection = Some((connection, elapsed));
                self.smallest.clear();
            }
        }
        let (second, difference) = (elapsed / 1_000_000, elapsed.saturating_sub(at));
        match self.smallest.back_mut() {
            Some((last, smallest)) if *last == second => *smallest = (*smallest).min(difference),
            _ => self.smallest.push_back((second, difference)),
        }
        let most = if self.newly(elapsed).is_some() { 0 } else { WRONG_MICROS };
        if self.offset.is_none_or(|offset| difference < offset - most) {
            self.offset = Some(difference);
        }
    }

    /// Moves the offset to where it should be now.
    fn follow(&mut self, elapsed: i64) {
        let second = elapsed / 1_000_000;
        while self.smallest.front().is_some_and(|(of, _)| *of < second - WINDOW_SECONDS) {
            self.smallest.pop_front();
        }
        let passed = elapsed.saturating_sub(self.followed);
        let all = self.smallest.iter();
        let Some(offset) = self.offset else { return };
        let smallest = |from: i64| {
            all.clone().filter(|(of, _)| *of >= from).map(|(_, difference)| *difference).min()
        };
        if let Some(passed) = self.newly(elapsed) {
            let fastest = smallest(i64::MIN).filter(|_| passed >= WATCHED_MICROS);
            self.offset = fastest.or(self.offset);
            return;
        }
        // A second that has only begun says little.
        let recent: Vec<i64> = all
            .clone()
            .filter(|(of, _)| (second - RECENT_SECONDS..second).contains(of))
            .map(|(_, difference)| *difference)
            .collect();
        let is_long = i64::try_from(recent.len()).is_ok_and(|count| count >= RECENT_SECONDS);
        if let Some(recent) =
            recent.into_iter().min().filter(|recent| is_long && *recent > offset + WRONG_MICROS)
        {
            self.offset = Some(recent);
            return;
        }
        let Some(target) = smallest(second - WINDOW_SECONDS) else { return };
        let most = MICROS_A_SECOND.saturating_mul(passed.clamp(0, 1_000_000)) / 1_000_000;
        // What is less than a microsecond adds up until it is one.
        if most == 0 {
            return;
        }
        self.followed = elapsed;
        self.offset = Some(offset + (target - offset).clamp(-most, most));
    }
}

#[cfg(test)]
mod tests;
