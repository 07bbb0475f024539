use proptest::prelude::*;

use super::*;

const VIDEO: usize = 0;
const AUDIO: usize = 1;
const MS: TimeBase = TimeBase::MILLIS;

fn ms(ms: i64) -> Timestamp {
    MS.at(ms)
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Sends packets of a stream, 40 ms long, given as (the source's time, when it came); gives where
/// they were placed, and how many jumped.
fn run(timeline: &mut Timeline, stream: usize, packets: &[(i64, u64)]) -> (Vec<i64>, usize) {
    let mut jumps = 0;
    let placed = packets.iter().map(|&(time, came)| {
        let placed = timeline.place(stream, None, Some(ms(time)), ms(40), at(came));
        jumps += usize::from(placed.jumped);
        placed.dts.unwrap().ticks()
    });
    (placed.collect(), jumps)
}

/// What one stream by itself becomes.
fn video(packets: &[(i64, u64)]) -> (Vec<i64>, usize) {
    run(&mut Timeline::new(), VIDEO, packets)
}

#[test]
fn a_source_that_is_fine_is_left_alone() {
    let sane = [(0, 0), (40, 41), (80, 79), (121, 130), (160, 160)];
    assert_eq!(video(&sane), (vec![0, 40, 80, 121, 160], 0));
    let burst = [(0, 0), (40, 1), (80, 2), (2000, 3), (2040, 40)];
    assert_eq!(video(&burst), (vec![0, 40, 80, 2000, 2040], 0), "all at once");
    let pause = [(0, 0), (40, 40), (9040, 9041), (9080, 9080)];
    assert_eq!(video(&pause), (vec![0, 40, 9040, 9080], 0), "nothing came for so long");
    let stall = [(0, 0), (40, 40), (80, 5000), (120, 5001), (5000, 5002)];
    assert_eq!(video(&stall[..4]), (vec![0, 40, 80, 120], 0), "the network stood still");
    let small = [(0, 0), (40, 40), (40, 80), (10, 90), (80, 120)];
    assert_eq!(video(&small), (vec![0, 40, 40, 10, 80], 0), "the sink sets these right");
}

#[test]
fn jumps_leave_no_trace() {
    for (name, jump) in [("ahead", 100_000), ("back", -3_000), ("far back", -1_000_000_000)] {
        let packets = [(0, 0), (40, 40), (80 + jump, 80), (120 + jump, 120)];
        assert_eq!(video(&packets), (vec![0, 40, 80, 120], 1), "{name}");
    }
}

#[test]
fn a_jump_while_nothing_came_keeps_the_pause() {
    let packets = [(0, 0), (40, 40), (1_000_000, 5040), (1_000_040, 5080)];
    assert_eq!(video(&packets), (vec![0, 40, 5040, 5080], 1));
}

#[test]
fn wraps_are_steps() {
    for wrap in [1_i64 << 24, 1 << 31, 1 << 32] {
        let before = wrap - 90;
        let packets = [(before, 0), (before + 41, 40), (before + 80 - wrap, 80), (31, 120)];
        let expected = vec![before, before + 41, before + 80, wrap + 31];
        assert_eq!(video(&packets), (expected, 1), "{wrap}");
        // As libavformat's reader does it: by 2^31 once more than it should.
        let packets = [(0, 0), (40, 40), (80 + wrap, 80), (120 + wrap, 120)];
        assert_eq!(video(&packets), (vec![0, 40, 80, 120], 1), "{wrap}");
    }
    let (mut timeline, base) = (Timeline::new(), TimeBase::new(1, 90_000).unwrap());
    let mut place = |ticks: i64, came| {
        let placed = timeline.place(VIDEO, None, Some(base.at(ticks)), base.at(3600), at(came));
        placed.dts.unwrap().ticks()
    };
    let wrap = 1 << 33;
    assert_eq!(place(wrap - 3601, 0), wrap - 3601);
    assert_eq!(place(wrap - 1, 40), wrap - 1);
    assert_eq!(place(3599, 80), wrap + 3599);
}

#[test]
fn sound_follows_the_picture_to_the_tick() {
    let mut timeline = Timeline::new();
    let mut both = |video: (i64, u64), audio: (i64, u64)| {
        let (v, _) = run(&mut timeline, VIDEO, &[video]);
        let (a, _) = run(&mut timeline, AUDIO, &[audio]);
        (v[0], a[0])
    };
    assert_eq!(both((0, 0), (7, 1)), (0, 7));
    assert_eq!(both((40, 40), (47, 41)), (40, 47));
    // The picture jumps first, then the sound does.
    assert_eq!(both((500_083, 80), (87, 81)), (80, 87));
    assert_eq!(both((500_123, 120), (500_130, 121)), (120, 127));
    // The other way round, and back.
    assert_eq!(both((500_163, 160), (167, 161)), (160, 167));
    assert_eq!(both((200, 200), (207, 201)), (200, 207));
}

#[test]
fn a_stray_packet_changes_nothing() {
    let mut timeline = Timeline::new();
    let (placed, jumps) =
        run(&mut timeline, VIDEO, &[(0, 0), (40, 40), (77_000, 80), (120, 120), (160, 160)]);
    assert_eq!((placed, jumps), (vec![0, 40, 80, 120, 160], 2));
    assert_eq!(run(&mut timeline, AUDIO, &[(163, 163), (203, 203)]), (vec![163, 203], 0));
}

#[test]
fn streams_whose_clocks_have_nothing_in_common_begin_together() {
    let mut timeline = Timeline::new();
    assert_eq!(run(&mut timeline, VIDEO, &[(0, 0), (40, 40)]).0, [0, 40]);
    assert_eq!(run(&mut timeline, AUDIO, &[(3_600_000, 50), (3_600_040, 90)]).0, [50, 90]);
    assert_eq!(run(&mut timeline, VIDEO, &[(80, 80)]).0, [80]);
}

#[test]
fn what_has_no_time_has_none() {
    let mut timeline = Timeline::new();
    let placed = timeline.place(VIDEO, None, None, ms(40), at(0));
    assert_eq!(placed, Placed { pts: None, dts: None, jumped: false });
    let placed = timeline.place(VIDEO, Some(ms(80)), None, ms(40), at(0));
    assert_eq!((placed.pts, placed.dts), (Some(ms(80)), None));
    let placed = timeline.place(VIDEO, Some(ms(40)), None, ms(40), at(9));
    assert_eq!((placed.pts, placed.jumped), (Some(ms(40)), false), "pts go back and forth");
    for extreme in [i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN] {
        timeline.place(AUDIO, Some(ms(extreme)), Some(ms(extreme)), ms(extreme), at(10));
    }
}

#[test]
fn the_clock_goes_on_and_a_new_connection_with_it() {
    let mut timeline = Timeline::new();
    assert_eq!(timeline.at(at(0)), None);
    run(&mut timeline, VIDEO, &[(0, 0), (40, 40)]);
    run(&mut timeline, AUDIO, &[(30, 41)]);
    assert_eq!(timeline.at(at(60)), Some(ms(60)));
    assert_eq!(timeline.at(at(1040)), Some(ms(1040)));
    // The new connection's GOP came at once; its present is at 960.
    timeline.resume(ms(960), ms(5000), at(4960));
    assert_eq!(
        run(&mut timeline, VIDEO, &[(0, 4960), (40, 4960), (960, 4961)]).0,
        [4040, 4080, 5000]
    );
    assert_eq!(run(&mut timeline, AUDIO, &[(0, 4961), (943, 4962)]).0, [4040, 4983]);
    assert_eq!(timeline.at(at(5961)), Some(ms(6000)));
}

/// A source whose sound runs at another speed than its picture, for so many seconds; gives how far
/// apart they end up where they belong together, and how often it jumped.
fn drifting(seconds: i64, audio_ppm: i64, noise_ms: impl Fn(i64) -> u64) -> (i64, usize) {
    let (mut timeline, mut apart, mut jumps) = (Timeline::new(), 0, 0);
    for n in 0..seconds * 25 {
        let real = n * 40;
        let came = at(u64::try_from(real).unwrap() + noise_ms(n));
        let video = timeline.place(VIDEO, None, Some(ms(real)), ms(40), came);
        let ahead = real + real * audio_ppm / 1_000_000;
        let audio = timeline.place(AUDIO, None, Some(ms(ahead)), ms(40), came);
        jumps += usize::from(video.jumped) + usize::from(audio.jumped);
        apart = audio.dts.unwrap().ticks() - video.dts.unwrap().ticks();
    }
    (apart, jumps)
}

#[test]
fn sound_that_drifts_is_kept_with_the_picture() {
    for ppm in [2_000, -2_000, 10_000] {
        let (apart, jumps) = drifting(1_200, ppm, |_| 0);
        assert!(apart.abs() < 1000, "{ppm}: {apart} ms apart");
        assert!(jumps > 0, "it was moved");
    }
    let noise = |n: i64| u64::try_from(n * 7919 % 300).unwrap();
    assert_eq!(drifting(600, 0, noise), (0, 0), "noise is none");
    let stalls =
        |n: i64| if n % 500 < 50 { u64::try_from(2000 - n % 500 * 40).unwrap() } else { 0 };
    assert_eq!(drifting(600, 0, stalls), (0, 0), "stalls are none");
}

#[test]
fn a_day_of_losses_does_not_add_up() {
    let (mut timeline, mut lead) = (Timeline::new(), 0);
    // The source's clock is 200 ppm too fast; it is lost for 7 s every 3 minutes.
    let mut start = 0_i64;
    for loss in 0..480 {
        for n in 0..180 * 5 {
            let real = start + n * 200;
            let source = (n * 200) + (n * 200) / 5_000;
            let came = at(u64::try_from(real).unwrap());
            let dts = timeline.place(VIDEO, None, Some(ms(source)), ms(200), came).dts.unwrap();
            lead = dts.ticks() - real;
        }
        start += 187_000;
        let now = at(u64::try_from(start).unwrap());
        let clock = timeline.at(now).unwrap();
        assert!((clock.as_micros() / 1000 - start).abs() < 40 * (loss + 1) + 1, "loss {loss}");
        timeline.resume(ms(0), clock, now);
    }
    // What is left is the drift of the source's own clock while it was there.
    assert!(lead > 0 && lead < 20_000, "{lead}");
}

/// Steps of a stream: how much later by the source's clock, how much later it comes.
fn steps() -> impl Strategy<Value = Vec<(i64, u64)>> {
    let wild = prop_oneof![
        8 => (0_i64..60, 0_u64..60),
        1 => (-5_000_000_000_i64..5_000_000_000, 0_u64..100),
        1 => (0_i64..10_000, 0_u64..10_000),
    ];
    proptest::collection::vec(wild, 1..200)
}

proptest! {
    #[test]
    fn it_never_steps_back_nor_far_ahead(steps in steps()) {
        let (mut timeline, mut time, mut came) = (Timeline::new(), 0_i64, 0_u64);
        let mut last: Option<(i64, u64)> = None;
        for (step, wait) in steps {
            time += step;
            came += wait;
            let placed = timeline.place(VIDEO, None, Some(ms(time)), ms(40), at(came));
            let placed = placed.dts.unwrap().ticks();
            if let Some((before, then)) = last {
                prop_assert!(placed >= before - 100, "{placed} after {before}");
                let most = 40 + i64::try_from(came - then).unwrap() + 2000;
                prop_assert!(placed <= before + most, "{placed} after {before}");
            }
            last = Some((placed, came));
        }
    }

    #[test]
    fn sound_and_picture_keep_their_distance(
        start in 0_i64..1 << 40,
        jumps in proptest::collection::vec((10_usize..200, -1_000_000_000_i64..1_000_000_000), 0..4),
        apart in -300_i64..300,
    ) {
        let (mut timeline, mut shift) = (Timeline::new(), 0);
        let mut distances = Vec::new();
        for n in 0..200_i64 {
            for (when, jump) in &jumps {
                if i64::try_from(*when).unwrap() == n {
                    shift += if jump.abs() < 5_000 { 0 } else { *jump };
                }
            }
            let (time, came) = (start + n * 40 + shift, at(u64::try_from(n * 40).unwrap()));
            let video = timeline.place(VIDEO, None, Some(ms(time)), ms(40), came).dts.unwrap();
            let audio =
                timeline.place(AUDIO, None, Some(ms(time + apart)), ms(40), came).dts.unwrap();
            distances.push(audio.ticks() - video.ticks());
        }
        prop_assert!(distances.iter().all(|d| *d == apart), "{distances:?}");
    }

    #[test]
    fn a_sane_source_comes_out_as_it_went_in(
        frames in proptest::collection::vec((1_i64..100, 0_u64..30), 1..300),
    ) {
        let (mut timeline, mut time) = (Timeline::new(), 0);
        for (step, late) in frames {
            time += step;
            let came = at(u64::try_from(time).unwrap() + late);
            let placed = timeline.place(VIDEO, Some(ms(time + 80)), Some(ms(time)), ms(0), came);
            prop_assert_eq!(placed.dts, Some(ms(time)));
            prop_assert_eq!(placed.pts, Some(ms(time + 80)));
            prop_assert!(!placed.jumped);
        }
    }
}

/// The same of a time that is counted in signed numbers.
fn since(ms: i64) -> Duration {
    at(u64::try_from(ms).unwrap_or(0))
}

/// Sends without durations, as RTMP does; gives the placed dts.
fn put(t: &mut Timeline, stream: usize, time: i64, came: i64) -> i64 {
    t.place(stream, Some(ms(time)), Some(ms(time)), ms(0), since(came)).dts.unwrap().ticks()
}

fn warm(t: &mut Timeline) {
    for n in 0..250 {
        put(t, VIDEO, n * 40, n * 40);
        put(t, AUDIO, n * 40 + 7, n * 40);
    }
}

#[test]
fn wraps_by_every_known_length_keep_the_step_exactly() {
    for wrap in [0xFF_FFFF_i64, 1 << 24, 1 << 31, 1 << 32] {
        for sign in [1, -1] {
            let mut t = Timeline::new();
            warm(&mut t);
            assert_eq!(put(&mut t, VIDEO, 10_000 + sign * wrap, 10_000), 10_000, "{wrap} {sign}");
            assert_eq!(put(&mut t, AUDIO, 10_007 + sign * wrap, 10_000), 10_007, "{wrap} {sign}");
        }
    }
}

#[test]
fn mpeg_wraps_many_times_to_the_tick() {
    let base = TimeBase::new(1, 90_000).unwrap();
    let (mut t, mut true_time, mut came) = (Timeline::new(), 0_i64, Duration::ZERO);
    let step = (1_i64 << 33) / 4 + 7; // a quarter of a round of real silence at a time
    for _ in 0..40 {
        for small in 0..4_i64 {
            let now = came + Duration::from_millis(40 * small.unsigned_abs());
            let raw = (true_time + 3600 * small) % (1 << 33);
            let got =
                t.place(VIDEO, None, Some(base.at(raw)), base.at(3600), now).dts.unwrap().ticks();
            assert_eq!(got, true_time + 3600 * small);
        }
        true_time += step;
        came += Duration::from_micros(step.unsigned_abs() * 100 / 9);
    }
}

#[test]
fn a_pts_that_wraps_before_its_dts() {
    let mut t = Timeline::new();
    let wrap = 1_i64 << 31;
    for n in 0..5 {
        let dts = n * 40;
        let pts = if n == 4 { dts + 80 - wrap } else { dts + 80 };
        let p = t.place(VIDEO, Some(ms(pts)), Some(ms(dts)), ms(40), since(dts));
        assert_eq!((p.pts, p.dts), (Some(ms(dts + 80)), Some(ms(dts))), "{n}");
    }
}

#[test]
fn a_restart_with_sound_later_than_the_picture_stays_in_sync() {
    for apart in [0, 150, 300, 900] {
        let mut t = Timeline::new();
        warm(&mut t);
        let mut last = (0, 0);
        for n in 0..50 {
            last = (put(&mut t, VIDEO, 500_000_000 + n * 40, 10_000 + n * 40), 0);
            last.1 = put(&mut t, AUDIO, 500_000_000 + apart + n * 40, 10_000 + n * 40);
        }
        assert_eq!(last.1 - last.0, apart, "apart {apart}");
    }
}

#[test]
fn a_restart_where_sound_was_ahead_stays_in_sync() {
    for ahead in [150, 400, 700] {
        let mut t = Timeline::new();
        for n in 0..250 {
            put(&mut t, VIDEO, n * 40, n * 40);
            put(&mut t, AUDIO, n * 40 + ahead, n * 40);
        }
        let mut last = (0, 0);
        for n in 0..50 {
            last = (put(&mut t, VIDEO, 500_000_000 + n * 40, 10_000 + n * 40), 0);
            last.1 = put(&mut t, AUDIO, 500_000_000 + n * 40, 10_000 + n * 40);
        }
        assert_eq!(last.1 - last.0, 0, "ahead {ahead}");
    }
}

#[test]
fn a_long_cached_gop_one_stream_behind_the_other() {
    let mut t = Timeline::new();
    let v: Vec<i64> = (0..500).map(|n| put(&mut t, VIDEO, n * 40, 0)).collect();
    let a: Vec<i64> = (0..500).map(|n| put(&mut t, AUDIO, n * 40, 1)).collect();
    assert_eq!(v, a);
}

#[test]
fn the_clock_is_known_right_after_a_resume() {
    let mut t = Timeline::new();
    warm(&mut t);
    let clock = t.at(since(15_000)).unwrap();
    t.resume(ms(960), clock, since(15_000));
    assert_eq!(t.at(since(15_500)), Some(clock.plus(ms(500))));
}

#[test]
fn a_sound_clock_nine_percent_off_is_held() {
    for (num, den) in [(48_000, 44_100), (44_100, 48_000)] {
        let (mut t, mut worst) = (Timeline::new(), 0);
        for n in 0..25 * 1200_i64 {
            let v = put(&mut t, VIDEO, n * 40, n * 40);
            let a = put(&mut t, AUDIO, n * 40 * num / den, n * 40);
            worst = worst.max((a - v).abs());
        }
        assert!(worst < 4_000, "{worst} ms apart");
    }
}

#[test]
fn drift_of_one_percent_without_durations() {
    for ppm in [2_000_i64, -2_000, 10_000, -10_000] {
        let (mut t, mut worst) = (Timeline::new(), 0);
        for n in 0..25 * 1200_i64 {
            let v = put(&mut t, VIDEO, n * 40, n * 40);
            let a = put(&mut t, AUDIO, n * 40 + n * 40 * ppm / 1_000_000, n * 40);
            worst = worst.max((a - v).abs());
        }
        assert!(worst < 1_000, "{ppm}: {worst}");
    }
}

#[test]
fn stalls_bursts_and_noise_are_no_drift() {
    let mut seed = 7_u64;
    let mut t = Timeline::new();
    let (mut came, mut next_a) = (0_i64, 0_i64);
    for n in 0..25 * 1800_i64 {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let noise = i64::from((seed >> 33) as u32);
        let stall = if noise % 400 == 0 { noise / 400 % 6_000 } else { 0 };
        came = came.max(n * 40 + noise % 80) + stall;
        assert_eq!(put(&mut t, VIDEO, n * 40, came), n * 40);
        while next_a * 1024 * 1000 / 44_100 <= n * 40 {
            let a = next_a * 1024 * 1000 / 44_100;
            assert_eq!(put(&mut t, AUDIO, a, came), a);
            next_a += 1;
        }
    }
}

#[test]
fn a_day_of_losses_adds_up_to_no_more_than_the_sources_own_error() {
    for ppm in [200_i64, -200] {
        let (mut t, mut start, mut lead) = (Timeline::new(), 0_i64, 0);
        for _ in 0..480 {
            for n in 0..173 * 5_i64 {
                let real = start + n * 200;
                let source = n * 200 + n * 200 * ppm / 1_000_000;
                let d = t.place(VIDEO, None, Some(ms(source)), ms(200), since(real)).dts.unwrap();
                lead = d.ticks() - real;
            }
            start += 180_000;
            let clock = t.at(since(start)).unwrap();
            t.resume(ms(0), clock, since(start));
        }
        assert!(lead.abs() <= 17_280 + 1_000, "{ppm}: {lead}");
    }
}

#[test]
fn strays_of_one_stream_leave_both_where_they_were() {
    for stray in [i64::MIN, i64::MAX, 77_000, -5_000, 1 << 40] {
        let mut t = Timeline::new();
        warm(&mut t);
        put(&mut t, VIDEO, stray, 10_000);
        assert_eq!(put(&mut t, AUDIO, 10_007, 10_000), 10_007, "{stray}");
        assert_eq!(put(&mut t, VIDEO, 10_040, 10_040), 10_040, "{stray}");
        assert_eq!(put(&mut t, AUDIO, 10_047, 10_040), 10_047, "{stray}");
    }
}

fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0_i64..20_000, 2 => -(1_i64 << 34)..1 << 34, 1 => any::<i64>(),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX)]]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_comes_dts_goes_on(
        packets in proptest::collection::vec((0_usize..2, any_time(), -200_i64..400, prop_oneof![5 => 0_i64..100, 1 => 0_i64..9_000], any::<bool>()), 1..200),
    ) {
        let (mut t, mut came) = (Timeline::new(), 0);
        let mut last: [Option<(i64, i64)>; 2] = [None; 2];
        for (stream, time, delay, wait, has_dts) in packets {
            came += wait;
            let dts = has_dts.then(|| ms(time));
            let p = t.place(stream, Some(ms(time.saturating_add(delay))), dts, ms(0), since(came));
            if let Some(d) = p.dts {
                let d = d.ticks();
                if let Some((before, then)) = last[stream] {
                    prop_assert!(d >= before - 100, "{d} after {before}");
                    // A step that is learnt is at most 2 s.
                    prop_assert!(d - before <= came - then + 2_000 + 2_000, "{d} after {before}");
                }
                last[stream] = Some((d, came));
            }
        }
    }

    #[test]
    fn a_real_source_with_common_jumps_keeps_its_distance(
        fps in 10_i64..60, frame in prop_oneof![Just(1024_i64), Just(960), Just(2048)],
        rate in prop_oneof![Just(44_100_i64), Just(48_000)], start in 0_i64..1 << 33,
        lag in 0_i64..150,
        jumps in proptest::collection::vec((500_i64..20_000, prop_oneof![
            5_000_i64..1 << 33, -(1_i64 << 33)..-1_500, Just(1_i64 << 31), Just(-(1_i64 << 32))]), 0..4),
    ) {
        let mut all: Vec<(i64, usize)> = (0..).map(|n| (n * 1000 / fps, VIDEO)).take_while(|x| x.0 < 25_000).collect();
        all.extend((0..).map(|n| (n * frame * 1000 / rate, AUDIO)).take_while(|x| x.0 < 25_000));
        all.sort_by_key(|&(time, s)| time + if s == AUDIO { lag } else { 0 });
        let mut t = Timeline::new();
        t.resume(ms(start), ms(0), since(0));
        let mut apart = [0_i64; 2];
        for (time, s) in all {
            let jump: i64 = jumps.iter().filter(|j| j.0 <= time).map(|j| j.1).sum();
            let came = time + if s == AUDIO { lag } else { 0 };
            let placed = put(&mut t, s, start + time + jump, came);
            apart[s] = placed - time;
            // Between the jump of one and of the other they differ by it, and never otherwise.
            let settled = jumps.iter().all(|j| time < j.0 - 500 || time > j.0 + 500);
            if settled && time > 500 { prop_assert_eq!(apart[0], apart[1], "at {}", time); }
        }
    }
}
