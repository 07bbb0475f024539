//! Counters of a running pipeline, and the one snapshot that every front shows.

pub(crate) mod alert;
pub(crate) mod event;
mod input;
mod snapshot;
mod written;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use self::alert::Alerts;
use self::input::InputCounters;
pub use self::snapshot::{EndState, InputSnapshot, LatencySnapshot, OutputSnapshot, Snapshot};
pub use self::written::{Written, WrittenVideo};
use crate::error::Error;
use crate::time::clock::Clock;
use crate::time::{TimeBase, Timestamp};
use crate::url::redact;

/// Latencies older than this say nothing about now.
const WINDOW: Duration = Duration::from_secs(10);

/// Most changes of the input's clock that are remembered until they are written.
const MOVES: usize = 16;

/// Upper ends of the classes that latencies are counted in, in milliseconds.
const LATENCY_CLASSES_MS: [u64; 12] = [5, 10, 20, 40, 70, 100, 200, 400, 700, 1000, 2000, 5000];

/// A handle on the counters of one pipeline; clones share them.
#[derive(Clone, Debug)]
pub struct Stats {
    counters: Arc<StatsCounters>,
    /// The number of the input whose packets and frames are counted with it.
    input: usize,
}

#[derive(Debug)]
struct StatsCounters {
    clock: Arc<dyn Clock>,
    started: Instant,
    /// Negative where it isn't known.
    duration_micros: AtomicI64,
    frames_in: AtomicU64,
    frames_out: AtomicU64,
    frames_edited: AtomicU64,
    frames_dropped: AtomicU64,
    frames_skipped: AtomicU64,
    frames_held: AtomicU64,
    frames_copied: AtomicU64,
    frames_late: AtomicU64,
    audio_dropped: AtomicU64,
    reconnects: AtomicU64,
    live: AtomicBool,
    inputs: OnceLock<Vec<InputCounters>>,
    /// How many inputs are lost now.
    inputs_lost: AtomicUsize,
    outputs: Mutex<Vec<OutputCounters>>,
    moves: Mutex<VecDeque<Move>>,
    frames_bypassed: AtomicU64,
    frames_unwritten: AtomicU64,
    errors: AtomicU64,
    restarts: AtomicU64,
    packets_in: AtomicU64,
    bytes_in: AtomicU64,
    packets_corrupt: AtomicU64,
    packets_out: AtomicU64,
    bytes_out: AtomicU64,
    position_micros: AtomicI64,
    recent: Mutex<Recent>,
    alerts: Mutex<Alerts>,
    /// The last class is that of all that took longer.
    latency_counts: [AtomicU64; LATENCY_CLASSES_MS.len() + 1],
    latency_micros: AtomicU64,
}

/// What is counted of one output.
#[derive(Clone, Debug, Default)]
struct OutputCounters {
    lost: bool,
    removed: bool,
    /// Where on the pipeline's clock it begins, if not at 0.
    begin: Option<Timestamp>,
    /// What is added to the times that are written to it, from `begin` on.
    shift: Option<Timestamp>,
    reconnects: u64,
    packets_dropped: u64,
    is_live: bool,
    latencies: VecDeque<(Instant, Duration)>,
    written: Written,
}

/// By how much the input's own times are moved to the pipeline's clock, from some time on.
#[derive(Clone, Copy, Debug)]
struct Move {
    from: Timestamp,
    by: Timestamp,
}

#[derive(Debug, Default)]
struct Recent {
    marks: VecDeque<(Instant, u64, u64)>,
}

impl Stats {
    pub(crate) fn new(duration: Option<Timestamp>, clock: Arc<dyn Clock>) -> Stats {
        let counters = StatsCounters {
            started: clock.now(),
            clock,
            duration_micros: AtomicI64::new(duration.map_or(-1, Timestamp::as_micros)),
            frames_in: AtomicU64::new(0),
            frames_out: AtomicU64::new(0),
            frames_edited: AtomicU64::new(0),
            frames_dropped: AtomicU64::new(0),
            frames_skipped: AtomicU64::new(0),
            frames_held: AtomicU64::new(0),
            frames_copied: AtomicU64::new(0),
            frames_late: AtomicU64::new(0),
            audio_dropped: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            live: AtomicBool::new(false),
            inputs: OnceLock::new(),
            inputs_lost: AtomicUsize::new(0),
            outputs: Mutex::default(),
            moves: Mutex::default(),
            frames_bypassed: AtomicU64::new(0),
            frames_unwritten: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            packets_in: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            packets_corrupt: AtomicU64::new(0),
            packets_out: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            position_micros: AtomicI64::new(0),
            recent: Mutex::new(Recent::default()),
            alerts: Mutex::default(),
            latency_counts: Default::default(),
            latency_micros: AtomicU64::new(0),
        };
        Stats { counters: Arc::new(counters), input: 0 }
    }

    /// The inputs' names, and whether each is live. To be called once.
    pub(crate) fn set_inputs<'a>(&self, inputs: impl IntoIterator<Item = (&'a str, bool)>) {
        let counters = |(url, is_live)| InputCounters::new(redact::url(url), is_live);
        let all: Vec<InputCounters> = inputs.into_iter().map(counters).collect();
        self.counters.live.store(all.iter().any(InputCounters::is_live), Relaxed);
        // There are none yet.
        let _ = self.counters.inputs.set(all);
    }

    /// The same counters, with which the input of this number counts.
    pub(crate) fn of_input(&self, number: usize) -> Stats {
        Stats { input: number, ..self.clone() }
    }

    fn input(&self) -> Option<&InputCounters> {
        self.counters.inputs.get()?.get(self.input)
    }

    /// The number of the input that counts with it, where there are several.
    pub(crate) fn input_number(&self) -> Option<usize> {
        let has_several = self.counters.inputs.get().is_some_and(|all| all.len() > 1);
        has_several.then_some(self.input)
    }

    /// The outputs will be so long.
    pub(crate) fn expect(&self, duration: Timestamp) {
        self.counters.duration_micros.store(duration.as_micros(), Relaxed);
    }

    /// The furthest output has got so far.
    pub(crate) fn reached(&self, at: Timestamp) {
        self.counters.position_micros.fetch_max(at.as_micros(), Relaxed);
    }

    pub(crate) fn packet_in(&self, bytes: usize) {
        self.counters.packets_in.fetch_add(1, Relaxed);
        self.counters.bytes_in.fetch_add(bytes as u64, Relaxed);
        if let Some(input) = self.input() {
            input.packet_in(bytes);
        }
    }

    pub(crate) fn packet_corrupt(&self) {
        self.counters.packets_corrupt.fetch_add(1, Relaxed);
    }

    pub(crate) fn frame_in(&self) {
        self.counters.frames_in.fetch_add(1, Relaxed);
        if let Some(input) = self.input() {
            input.frame_in();
        }
    }

    pub(crate) fn frame_copied(&self) {
        self.counters.frames_copied.fetch_add(1, Relaxed);
    }

    pub(crate) fn frame_held(&self) {
        self.counters.frames_held.fetch_add(1, Relaxed);
    }

    pub(crate) fn frames_late(&self, count: u64) {
        self.counters.frames_late.fetch_add(count, Relaxed);
    }

    pub(crate) fn audio_dropped(&self) {
        self.counters.audio_dropped.fetch_add(1, Relaxed);
    }

    pub(crate) fn input_lost(&self, cause: &Error) {
        self.counters.inputs_lost.fetch_add(1, Relaxed);
        if let Some(input) = self.input() {
            input.lost(self.counters.clock.now());
        }
        self.alerts(|alerts, now| alerts.input_lost(now, self.input_number(), cause));
    }

    fn alerts(&self, change: impl FnOnce(&mut Alerts, Instant)) {
        let now = self.counters.clock.now();
        change(&mut self.counters.alerts.lock().unwrap_or_else(PoisonError::into_inner), now);
    }

    /// Your code has something to do.
    pub(crate) fn code_asked(&self) {
        self.alerts(Alerts::code_asked);
    }

    /// Your code has said something, which is an answer or not.
    pub(crate) fn code_heard(&self, is_answer: bool) {
        self.alerts(|alerts, _| {
            alerts.code_heard();
            if is_answer {
                alerts.code_answered();
            }
        });
    }

    /// Your code has failed, by doing nothing for too long where it `hangs`. Where it `is_down`, it
    /// is gone until [`Stats::restarted`].
    pub(crate) fn code_failed(&self, cause: &Error, hangs: bool, is_down: bool) {
        self.alerts(|alerts, now| alerts.code_failed(now, cause, hangs, is_down));
    }

    pub(crate) fn input_back(&self) {
        self.counters.inputs_lost.fetch_sub(1, Relaxed);
        if let Some(input) = self.input() {
            input.back();
        }
        self.alerts(|alerts, _| alerts.input_back(self.input_number()));
        self.counters.reconnects.fetch_add(1, Relaxed);
    }

    fn output(&self, number: usize, change: impl FnOnce(&mut OutputCounters)) {
        let mut outputs = self.counters.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        if outputs.len() <= number {
            outputs.resize(number + 1, OutputCounters::default());
        }
        if let Some(output) = outputs.get_mut(number) {
            change(output);
        }
    }

    /// There is an output of this number, which begins at `begin` on the pipeline's clock, or at 0.
    pub(crate) fn output_exists(&self, number: usize, begin: Option<Timestamp>) {
        self.output(number, |output| (output.begin, output.removed) = (begin, false));
    }

    /// What this output adds to the times that are written to it, where that is known.
    pub(crate) fn output_shifts(&self, number: usize, shift: Option<Timestamp>) {
        self.output(number, |output| output.shift = shift);
    }

    /// From `from` on, on the pipeline's clock, the input's own times are moved there by `by`. Of
    /// several inputs the first one's are told.
    pub(crate) fn input_moved(&self, from: Timestamp, by: Timestamp) {
        if self.input != 0 {
            return;
        }
        let mut moves = self.counters.moves.lock().unwrap_or_else(PoisonError::into_inner);
        if moves.len() >= MOVES {
            moves.pop_front();
        }
        moves.push_back(Move { from, by });
    }

    /// What is added to the input's own times where the first output that tells its shift has got
    /// to `position` on its clock.
    fn input_offset(&self, outputs: &[OutputCounters], position: Timestamp) -> Option<i64> {
        let output = outputs.iter().find(|output| output.shift.is_some())?;
        let begin = output.begin.unwrap_or(Timestamp::ZERO);
        let at = position.plus(begin);
        let moves = self.counters.moves.lock().unwrap_or_else(PoisonError::into_inner);
        let current = moves.iter().rev().find(|m| m.from <= at).or(moves.front())?;
        let by = current.by.plus(output.shift?).minus(begin);
        Some(by.rescale(TimeBase::MILLIS).ticks())
    }

    /// This output was removed, and has ended.
    pub(crate) fn output_removed(&self, number: usize) {
        self.output(number, |output| output.removed = true);
        self.alerts(|alerts, _| alerts.output_removed(number));
    }

    pub(crate) fn output_lost(&self, number: usize, is_file: bool, cause: &Error) {
        self.output(number, |output| output.lost = true);
        self.alerts(|alerts, now| alerts.output_lost(now, number, is_file, cause));
    }

    pub(crate) fn output_back(&self, number: usize) {
        self.counters.reconnects.fetch_add(1, Relaxed);
        self.alerts(|alerts, now| alerts.output_back(now, number));
        self.output(number, |output| {
            output.lost = false;
            output.reconnects += 1;
        });
    }

    pub(crate) fn packet_dropped(&self, number: usize) {
        self.output(number, |output| output.packets_dropped += 1);
    }

    pub(crate) fn frame_edited(&self) {
        self.counters.frames_edited.fetch_add(1, Relaxed);
    }

    pub(crate) fn frames_dropped(&self, count: u64) {
        self.counters.frames_dropped.fetch_add(count, Relaxed);
    }

    pub(crate) fn frames_skipped(&self, count: u64) {
        self.counters.frames_skipped.fetch_add(count, Relaxed);
    }

    pub(crate) fn frames_bypassed(&self, count: u64) {
        self.counters.frames_bypassed.fetch_add(count, Relaxed);
    }

    pub(crate) fn frame_unwritten(&self) {
        self.counters.frames_unwritten.fetch_add(1, Relaxed);
    }

    pub(crate) fn errors(&self, count: u64) {
        self.counters.errors.fetch_add(count, Relaxed);
    }

    pub(crate) fn restarted(&self) {
        self.counters.restarts.fetch_add(1, Relaxed);
        self.alerts(|alerts, _| alerts.code_up());
    }

    /// A packet was written to the output of this number; `arrived` is when the input's packet
    /// behind it was read.
    pub(crate) fn packet_out(
        &self,
        (number, is_live): (usize, bool),
        bytes: usize,
        video: bool,
        at: Option<Timestamp>,
        arrived: Option<Instant>,
    ) {
        let c = &self.counters;
        c.packets_out.fetch_add(1, Relaxed);
        c.bytes_out.fetch_add(bytes as u64, Relaxed);
        if video {
            c.frames_out.fetch_add(1, Relaxed);
        }
        if let Some(at) = at {
            self.reached(at);
        }
        if let (true, Some(arrived)) = (video, arrived) {
            let now = c.clock.now();
            let latency = now.duration_since(arrived);
            c.count_latency(latency);
            self.output(number, |output| {
                output.is_live = is_live;
                output.latencies.push_back((now, latency));
                output.forget_old(now);
            });
        }
    }

    /// A packet was written to the output of this number, which is `size_bytes` large now: see
    /// [`Written::add`].
    pub(crate) fn written(
        &self,
        number: usize,
        video: Option<(usize, Option<i32>)>,
        end: Timestamp,
        size_bytes: Option<u64>,
    ) {
        self.output(number, |output| {
            output.written.add(video, end);
            output.written.grow(size_bytes);
        });
    }

    /// The output of this number is finished, and so large.
    pub(crate) fn finished(&self, number: usize, size_bytes: Option<u64>) {
        self.output(number, |output| output.written.grow(size_bytes));
    }

    /// What was written to each output so far, for reports in FFmpeg's form.
    #[doc(hidden)]
    pub fn outputs_written(&self) -> Vec<Written> {
        let outputs = self.counters.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.iter().map(|output| output.written.clone()).collect()
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> Snapshot {
        let c = &self.counters;
        let now = c.clock.now();
        let elapsed = now.duration_since(c.started);
        let (frames_out, bytes_out) = (c.frames_out.load(Relaxed), c.bytes_out.load(Relaxed));
        let position = c.position_micros.load(Relaxed);
        let mut recent = c.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.marks.push_back((now, frames_out, bytes_out));
        while recent.marks.len() > 2
            && recent
                .marks
                .front()
                .is_some_and(|(t, ..)| now.duration_since(*t) > Duration::from_secs(3))
        {
            recent.marks.pop_front();
        }
        let (since, frames, bytes) = match recent.marks.front() {
            Some(&(t, f, b)) if now.duration_since(t) >= Duration::from_millis(200) => {
                (now.duration_since(t), frames_out - f, bytes_out - b)
            }
            _ => (elapsed, frames_out, bytes_out),
        };
        let seconds = since.as_secs_f64().max(1e-3);
        drop(recent);
        let state = |lost| if lost { EndState::Lost } else { EndState::Ok };
        let mut outputs = c.outputs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        outputs.iter_mut().for_each(|output| output.forget_old(now));
        let any_is_live = outputs.iter().any(|output| output.is_live);
        let chosen = outputs.iter().filter(|output| output.is_live || !any_is_live);
        let overall =
            Latencies::of(chosen.flat_map(|output| output.latencies.iter().map(|(_, l)| *l)));
        let alerts = c.alerts.lock().unwrap_or_else(PoisonError::into_inner).current(now);
        let inputs = c.inputs.get().map(Vec::as_slice).unwrap_or_default();
        let input_offset_ms = self.input_offset(&outputs, Timestamp::from_micros(position));
        let outputs: Vec<_> = outputs
            .iter()
            .map(|output| {
                let latency = Latencies::of(output.latencies.iter().map(|(_, l)| *l));
                OutputSnapshot {
                    state: if output.removed { EndState::Removed } else { state(output.lost) },
                    reconnects: output.reconnects,
                    packets_dropped: output.packets_dropped,
                    latency_ms: latency.percentile(50),
                    latency_p99_ms: latency.percentile(99),
                }
            })
            .collect();
        Snapshot {
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            time_ms: position / 1000,
            duration_ms: Some(c.duration_micros.load(Relaxed))
                .filter(|&d| d >= 0)
                .map(|d| d / 1000),
            frames_in: c.frames_in.load(Relaxed),
            frames_out,
            frames_edited: c.frames_edited.load(Relaxed),
            frames_dropped: c.frames_dropped.load(Relaxed),
            frames_skipped: c.frames_skipped.load(Relaxed),
            frames_held: c.frames_held.load(Relaxed),
            frames_copied: c.frames_copied.load(Relaxed),
            frames_late: c.frames_late.load(Relaxed),
            audio_dropped: c.audio_dropped.load(Relaxed),
            frames_bypassed: c.frames_bypassed.load(Relaxed),
            frames_unwritten: c.frames_unwritten.load(Relaxed),
            errors: c.errors.load(Relaxed),
            restarts: c.restarts.load(Relaxed),
            packets_in: c.packets_in.load(Relaxed),
            bytes_in: c.bytes_in.load(Relaxed),
            packets_corrupt: c.packets_corrupt.load(Relaxed),
            packets_out: c.packets_out.load(Relaxed),
            bytes_out,
            fps: (frames as f64 / seconds * 10.0).round() / 10.0,
            speed: (position as f64 / 1e6 / elapsed.as_secs_f64().max(1e-3) * 100.0).round()
                / 100.0,
            bit_rate: (bytes as f64 * 8.0 / seconds) as u64,
            latency_ms: overall.percentile(50),
            latency_p99_ms: overall.percentile(99),
            latency: c.latency(),
            reconnects: c.reconnects.load(Relaxed),
            packets_dropped: outputs.iter().map(|output| output.packets_dropped).sum(),
            input_offset_ms,
            live: c.live.load(Relaxed),
            input: state(c.inputs_lost.load(Relaxed) > 0),
            inputs: inputs.iter().map(|input| input.snapshot(now)).collect(),
            outputs,
            alerts,
        }
    }
}

impl OutputCounters {
    fn forget_old(&mut self, now: Instant) {
        let is_old = |at: Instant| now.saturating_duration_since(at) > WINDOW;
        while self.latencies.front().is_some_and(|(at, _)| is_old(*at)) {
            self.latencies.pop_front();
        }
    }
}

/// Latencies, the shortest first.
struct Latencies(Vec<Duration>);

impl Latencies {
    fn of(all: impl Iterator<Item = Duration>) -> Latencies {
        let mut all: Vec<Duration> = all.collect();
        all.sort_unstable();
        Latencies(all)
    }

    fn percentile(&self, p: usize) -> Option<f64> {
        let at = (self.0.len().checked_sub(1)? * p).div_ceil(100);
        self.0.get(at).map(|l| (l.as_secs_f64() * 10_000.0).round() / 10.0)
    }
}

impl StatsCounters {
    fn count_latency(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let class = LATENCY_CLASSES_MS.partition_point(|end| end * 1000 < micros);
        if let Some(count) = self.latency_counts.get(class) {
            count.fetch_add(1, Relaxed);
        }
        self.latency_micros.fetch_add(micros, Relaxed);
    }

    fn latency(&self) -> LatencySnapshot {
        LatencySnapshot {
            le_ms: LATENCY_CLASSES_MS.to_vec(),
            counts: self.latency_counts.iter().map(|count| count.load(Relaxed)).collect(),
            sum_ms: self.latency_micros.load(Relaxed) as f64 / 1000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_holds_for_what_is_written() {
        let ms = |ms: i64| Timestamp::from_micros(ms * 1000);
        let stats = Stats::new(None, Arc::new(crate::time::clock::RealClock));
        stats.output_exists(0, None);
        stats.output_exists(1, Some(ms(500)));
        let offset = || stats.snapshot().input_offset_ms;
        stats.input_moved(Timestamp::ZERO, ms(-7_200_000));
        assert_eq!(offset(), None);
        stats.output_shifts(1, Some(ms(80)));
        assert_eq!(offset(), Some(-7_200_420));
        // What was read is on its way still.
        stats.input_moved(ms(2000), ms(1234));
        stats.reached(ms(1480));
        assert_eq!(offset(), Some(-7_200_420));
        stats.reached(ms(1500));
        assert_eq!(offset(), Some(814));
        stats.output_shifts(0, Some(Timestamp::ZERO));
        assert_eq!(offset(), Some(-7_200_000));
        stats.reached(ms(2000));
        assert_eq!(offset(), Some(1234));
        (0..100).for_each(|n| stats.input_moved(ms(3000 + n), ms(n)));
        assert_eq!(stats.counters.moves.lock().unwrap().len(), MOVES);
    }

    #[test]
    fn each_input_has_its_counts_and_the_old_ones_are_their_sum() {
        let stats = Stats::new(None, Arc::new(crate::time::clock::RealClock));
        stats.set_inputs([("rtmp://u:secret@h/live/a", true), ("clip.mp4", false)]);
        let (first, second) = (stats.of_input(0), stats.of_input(1));
        (0..3).for_each(|_| first.packet_in(10));
        second.packet_in(5);
        second.frame_in();
        second.input_lost(&Error::process("gone"));
        let seen = stats.snapshot();
        let counts = |input: &InputSnapshot| (input.packets_in, input.bytes_in, input.frames_in);
        assert_eq!(seen.inputs.iter().map(counts).collect::<Vec<_>>(), [(3, 30, 0), (1, 5, 1)]);
        assert_eq!((seen.packets_in, seen.bytes_in, seen.frames_in), (4, 35, 1));
        assert_eq!(seen.inputs[0].url, "rtmp://h/live/a");
        let states = |seen: &Snapshot| seen.inputs.iter().map(|i| i.state).collect::<Vec<_>>();
        assert_eq!(states(&seen), [EndState::Ok, EndState::Lost]);
        assert!(seen.inputs[0].lost_for_ms.is_none() && seen.inputs[1].lost_for_ms.is_some());
        assert_eq!((seen.input, seen.live), (EndState::Lost, true));
        assert_eq!((seen.inputs[0].live, seen.inputs[1].live), (true, false));
        assert_eq!(seen.alerts[0].input, Some(1));
        // The other is lost too, and only the first of them comes back.
        first.input_lost(&Error::process("gone"));
        second.input_back();
        let seen = stats.snapshot();
        assert_eq!(states(&seen), [EndState::Lost, EndState::Ok]);
        assert_eq!(seen.alerts.iter().map(|alert| alert.input).collect::<Vec<_>>(), [Some(0)]);
        assert_eq!(
            (seen.reconnects, seen.inputs[0].reconnects, seen.inputs[1].reconnects),
            (1, 0, 1)
        );
        assert_eq!(seen.input, EndState::Lost);
        first.input_back();
        assert_eq!((stats.snapshot().input, stats.snapshot().alerts.len()), (EndState::Ok, 0));
    }

    #[test]
    fn each_output_has_its_latency_and_live_ones_are_that_of_all() {
        let stats = Stats::new(None, Arc::new(crate::time::clock::RealClock));
        let late = Instant::now().checked_sub(Duration::from_secs(1));
        let soon = Instant::now().checked_sub(Duration::from_millis(100));
        let second = |ms: Option<f64>| ms.unwrap() >= 1000.0;
        (0..5).for_each(|_| stats.packet_out((1, false), 1, true, None, late));
        assert!(second(stats.snapshot().latency_ms), "a file is all there is");
        (0..5).for_each(|_| stats.packet_out((0, true), 1, true, None, soon));
        let seen = stats.snapshot();
        assert!(!second(seen.latency_ms) && !second(seen.latency_p99_ms), "{seen:?}");
        assert!(!second(seen.outputs[0].latency_ms) && second(seen.outputs[1].latency_ms));
    }

    #[test]
    fn a_latency_is_forgotten_while_nothing_comes() {
        let stats = Stats::new(None, Arc::new(crate::time::clock::RealClock));
        stats.packet_out((0, true), 1, true, None, Some(Instant::now()));
        let seen = stats.snapshot();
        assert!(seen.latency_ms.is_some() && seen.outputs[0].latency_ms.is_some());
        let earlier = |at: Instant| at.checked_sub(WINDOW + Duration::from_secs(1)).unwrap();
        stats.output(0, |output| {
            output.latencies.iter_mut().for_each(|(at, _)| *at = earlier(*at));
        });
        // A held picture has no arrival.
        stats.packet_out((0, true), 1, true, None, None);
        let seen = stats.snapshot();
        assert_eq!((seen.latency_ms, seen.latency_p99_ms), (None, None));
        assert_eq!((seen.outputs[0].latency_ms, seen.outputs[0].latency_p99_ms), (None, None));
    }

    #[test]
    fn latencies_fall_into_their_classes() {
        let stats = Stats::new(None, Arc::new(crate::time::clock::RealClock));
        for ms in [0, 5, 6, 5000, 5001, 90_000] {
            stats.counters.count_latency(Duration::from_millis(ms));
        }
        let seen = stats.snapshot().latency;
        assert_eq!((seen.counts.len(), seen.le_ms.len()), (13, 12));
        assert_eq!((seen.counts[0], seen.counts[1]), (2, 1));
        assert_eq!((seen.counts[11], seen.counts[12]), (1, 2));
        assert_eq!((seen.counts.iter().sum::<u64>(), seen.sum_ms), (6, 100_012.0));
    }
}
