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
        let packets = [(0, 0), (41, 40), (80 + wrap, 80), (120 + wrap, 120)];
        assert_eq!(video(&packets), (vec![0, 41, 80, 120], 1), "{wrap}");
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
    assert_eq!(timeline.at(at(40)), Some(ms(80)));
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
        assert!(apart.abs() < 600, "{ppm}: {apart} ms apart");
        assert_eq!(jumps, 0);
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
