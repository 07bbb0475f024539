//! One clock that goes on, out of what a live source says.
//!
//! Sources jump, wrap around, start anew, and let sound and picture drift apart. What stands here
//! is told every packet's times and when it came, and says where it belongs. It has no clock of its
//! own: `now` is the time since any fixed moment.

use std::time::Duration;

use crate::time::{TimeBase, Timestamp};

#[cfg(test)]
mod tests;

/// How far a packet may lie ahead of where it should, by the source's own step and by how long
/// nothing came, before the source's clock is taken to have jumped. Microseconds, as all below.
const AHEAD: i64 = 2_000_000;

/// How far it may lie behind the one before it.
const BEHIND: i64 = 100_000;

/// The same by pts, which goes back and forth.
const BEHIND_BY_PTS: i64 = 1_000_000;

/// How exactly a shift that was used before has to fit.
const FIT: i64 = 100_000;

/// How far a stream's first packet may lie from the other stream's.
const APART: i64 = 10_000_000;

/// A pause that is longer than so many steps is one of the source, and kept.
const PAUSE_STEPS: i64 = 3;

/// Where clocks are known to wrap: RTMP's 24 bits of milliseconds, libavformat's 31, RTMP's 32, and
/// MPEG-TS's 33 bits of 90 kHz.
const WRAPS: [Timestamp; 4] = [
    TimeBase::MILLIS.at(1 << 24),
    TimeBase::MILLIS.at(1 << 31),
    TimeBase::MILLIS.at(1 << 32),
    MPEG_TICK.at(1 << 33),
];

const MPEG_TICK: TimeBase = match TimeBase::new(1, 90_000) {
    Some(base) => base,
    None => TimeBase::MICROS,
};

/// Shifts that may come back: of a stray packet, of the other stream.
const KEPT_SHIFTS: usize = 4;

/// Over how long leads are compared.
const LOOK: Duration = Duration::from_secs(2);

/// Looks until it is known how sound and picture lie at first, and until a drift is one.
const SETTLED: u32 = 3;

/// A drift that is felt, one that is not any more, and what is made good of it at once.
const DRIFT: i64 = 500_000;
const IN_STEP: i64 = 60_000;
const NUDGE: i64 = 90_000;

/// A packet's times on the clock that goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) pts: Option<Timestamp>,
    pub(crate) dts: Option<Timestamp>,
    /// The source's clock jumped before it.
    pub(crate) jumped: bool,
}

/// The clock that goes on. Streams have the numbers 0, the picture, and 1, the sound.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    streams: [Stream; 2],
    /// The shift that was chosen last.
    shift: i64,
    /// Those before it, the latest last.
    before: Vec<i64>,
    drift: Drift,
}

#[derive(Debug, Default)]
struct Stream {
    shift: i64,
    last: Option<Last>,
}

/// A stream's last packet.
#[derive(Clone, Copy, Debug)]
struct Last {
    placed: i64,
    /// How long it lasts: by its duration, or as the one before it did.
    step: i64,
    came: Duration,
}

impl Timeline {
    pub(crate) fn new() -> Timeline {
        Timeline::default()
    }

    /// Puts a packet's times on the clock.
    pub(crate) fn place(
        &mut self,
        stream: usize,
        pts: Option<Timestamp>,
        dts: Option<Timestamp>,
        duration: Timestamp,
        now: Duration,
    ) -> Placed {
        let number = stream.min(1);
        let Some(time) = dts.or(pts).map(Timestamp::as_micros) else {
            return Placed { pts, dts, jumped: false };
        };
        let behind = if dts.is_some() { BEHIND } else { BEHIND_BY_PTS };
        let shift = self.shift_for(number, time, behind, now);
        let jumped = shift != self.streams[number].shift && self.streams[number].last.is_some();
        if shift != self.shift {
            self.before.retain(|kept| *kept != self.shift);
            self.before.push(self.shift);
            if self.before.len() > KEPT_SHIFTS {
                self.before.remove(0);
            }
            self.shift = shift;
        }
        if jumped {
            self.drift.begin_anew();
        }
        let shift = shift.saturating_add(if number == 1 { self.drift.made_good } else { 0 });
        let placed = time.saturating_add(shift);
        let this = &mut self.streams[number];
        this.shift = self.shift;
        let step = match (duration.as_micros(), this.last) {
            (known @ 1.., _) => known,
            (_, Some(last)) if placed > last.placed => {
                placed.saturating_sub(last.placed).min(AHEAD)
            }
            (_, last) => last.map_or(0, |last| last.step),
        };
        this.last = Some(Last { placed, step, came: now });
        self.drift.note(number, placed, now);
        let moved = |at: Option<Timestamp>| at.map(|at| at.plus(Timestamp::from_micros(shift)));
        Placed { pts: moved(pts), dts: moved(dts), jumped }
    }

    /// Where the clock stands at `now`: the last packet's time, and as much later as it is since;
    /// not before that packet ends. `None` before the first packet.
    pub(crate) fn at(&self, now: Duration) -> Option<Timestamp> {
        let ends = self.streams.iter().filter_map(|stream| {
            let Last { placed, step, came } = stream.last?;
            let passed = micros(now.saturating_sub(came));
            Some(placed.saturating_add(passed.max(step)))
        });
        ends.max().map(Timestamp::from_micros)
    }

    /// The source was opened again: from here on, its time `edge` is the clock's `at`, for all of
    /// its streams.
    pub(crate) fn resume(&mut self, edge: Timestamp, at: Timestamp, now: Duration) {
        let shift = at.as_micros().saturating_sub(edge.as_micros());
        *self = Timeline { shift, ..Timeline::default() };
        for stream in &mut self.streams {
            stream.shift = shift;
        }
        // Until packets come the clock goes on from here.
        self.streams[0].last = None;
        self.drift.start = Some(now);
    }

    /// The shift by which a stream's next packet, of the source's time `time`, is where it should
    /// be.
    fn shift_for(&self, number: usize, time: i64, behind: i64, now: Duration) -> i64 {
        let this = &self.streams[number];
        let made_good = if number == 1 { self.drift.made_good } else { 0 };
        let placed = |shift: i64| time.saturating_add(shift).saturating_add(made_good);
        let Some(last) = this.last else {
            return self.first_shift(number, placed(self.shift), now);
        };
        let passed = micros(now.saturating_sub(last.came));
        let most = last.step.saturating_add(passed);
        let fits = |shift: i64, ahead: i64| {
            let step = placed(shift).saturating_sub(last.placed);
            (-behind..=most.saturating_add(ahead)).contains(&step)
        };
        if fits(this.shift, AHEAD) {
            return this.shift;
        }
        for wrap in WRAPS.map(Timestamp::as_micros) {
            for wrapped in [this.shift.saturating_add(wrap), this.shift.saturating_sub(wrap)] {
                if fits(wrapped, FIT) {
                    return self.known(wrapped);
                }
            }
        }
        let others = self.streams.iter().map(|stream| stream.shift);
        let used = std::iter::once(self.shift).chain(others);
        let mut used = used.chain(self.before.iter().rev().copied());
        if let Some(shift) = used.find(|shift| fits(*shift, FIT)) {
            return shift;
        }
        // A pause of the source's is kept, whatever its clock made of it.
        let pause = passed > last.step.saturating_mul(PAUSE_STEPS);
        let step = if pause { passed.max(last.step) } else { last.step };
        last.placed.saturating_add(step).saturating_sub(time).saturating_sub(made_good)
    }

    /// A shift that another stream has, where it is the same but for rounding.
    fn known(&self, shift: i64) -> i64 {
        let near = |other: &i64| other.saturating_sub(shift).saturating_abs() <= 1;
        self.streams.iter().map(|stream| stream.shift).find(near).unwrap_or(shift)
    }

    /// The shift of a stream that begins with a packet that would be at `placed`.
    fn first_shift(&self, number: usize, placed: i64, now: Duration) -> i64 {
        let Some(other) = self.streams.get(1 - number).and_then(|other| other.last) else {
            return self.shift;
        };
        let beside = other.placed.saturating_add(micros(now.saturating_sub(other.came)));
        let apart = placed.saturating_sub(beside);
        if apart.saturating_abs() <= APART { self.shift } else { self.shift.saturating_sub(apart) }
    }
}

/// How sound and picture lie to each other, by when they come.
#[derive(Debug, Default)]
struct Drift {
    start: Option<Duration>,
    /// The most that each was ahead of the machine's clock since `start`.
    leads: [Option<i64>; 2],
    looks: u32,
    /// How far the sound was ahead of the picture at first.
    usual: Option<i64>,
    /// Looks in a row that found it elsewhere.
    off: u32,
    /// It is being moved until it is in step again.
    moves: bool,
    /// What the sound was moved by.
    made_good: i64,
}

impl Drift {
    fn note(&mut self, number: usize, placed: i64, now: Duration) {
        let start = *self.start.get_or_insert(now);
        let lead = placed.saturating_sub(micros(now));
        if let Some(most) = self.leads.get_mut(number) {
            *most = Some(most.map_or(lead, |most| most.max(lead)));
        }
        if now.saturating_sub(start) < LOOK {
            return;
        }
        let leads = std::mem::take(&mut self.leads);
        self.start = Some(now);
        let [Some(video), Some(audio)] = leads else { return };
        self.look(audio.saturating_sub(video));
    }

    /// Leads from before a jump say nothing about what follows.
    fn begin_anew(&mut self) {
        let Drift { usual, made_good, .. } = *self;
        *self = Drift { usual, made_good, ..Drift::default() };
    }

    fn look(&mut self, ahead: i64) {
        self.looks = self.looks.saturating_add(1);
        if self.looks < SETTLED {
            return;
        }
        let usual = *self.usual.get_or_insert(ahead);
        let off = ahead.saturating_sub(usual);
        self.off = if off.saturating_abs() > DRIFT { self.off.saturating_add(1) } else { 0 };
        self.moves |= self.off >= SETTLED;
        self.moves &= off.saturating_abs() > IN_STEP;
        if self.moves {
            // In small steps: one that goes back is felt by who writes it.
            self.made_good = self.made_good.saturating_sub(off.clamp(-NUDGE, NUDGE));
        }
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
