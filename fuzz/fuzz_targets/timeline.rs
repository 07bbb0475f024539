//! Times of MPEG-TS, with 33 bits of 90 kHz, that go on, leap, wrap and stand still: each stream's dts
//! goes on, and never far ahead of the machine's clock.
#![no_main]

use std::time::Duration;

use frameloom::internal::dts_on_one_clock;
use frameloom::{TimeBase, Timestamp};
use libfuzzer_sys::fuzz_target;

/// What a step may bring beyond the time that passed, and by how much a dts may step back.
const AHEAD_MS: i64 = 4000;
const BACK_MS: i64 = 100;

/// Whether it is sound, by how many ticks its clock moves on, how far its pts lies behind its dts, and
/// how many milliseconds after the one before it comes.
type Step = (bool, i64, Option<i16>, u16);

fuzz_target!(|steps: Vec<Step>| {
    let ticks = TimeBase::new(1, 90_000).unwrap();
    let (mut clock, mut came_ms) = (0_i64, 0_i64);
    let mut packets = Vec::new();
    for (is_sound, on, delay, wait) in &steps {
        clock = clock.wrapping_add(*on) & ((1 << 33) - 1);
        came_ms += i64::from(wait % 9000);
        let now = Duration::from_millis(came_ms.unsigned_abs());
        let pts = delay.map(|delay| ticks.at(clock + i64::from(delay)));
        packets.push((usize::from(*is_sound), pts, Some(ticks.at(clock)), Timestamp::ZERO, now));
    }
    let placed = dts_on_one_clock(packets.iter().copied());
    let mut last: [Option<(i64, i64)>; 2] = [None; 2];
    for ((stream, _, _, _, now), dts) in packets.iter().zip(placed) {
        let dts_ms = dts.unwrap().as_micros() / 1000;
        let came_ms = i64::try_from(now.as_millis()).unwrap();
        if let Some((before, then)) = last[*stream].replace((dts_ms, came_ms)) {
            assert!(dts_ms >= before - BACK_MS - 1, "{dts_ms} after {before}");
            assert!(dts_ms - before <= came_ms - then + AHEAD_MS + 1, "{dts_ms} after {before}");
        }
    }
});
