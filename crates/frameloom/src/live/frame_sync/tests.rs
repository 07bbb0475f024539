use super::*;
use crate::time::jitter::Jitter;

const DELAY: i64 = 60_000;

/// A camera: what it saw at a moment comes a little later, with a time of its own clock.
struct Camera {
    /// Microseconds from one picture to the next.
    interval: i64,
    /// Its clock runs too fast by so many millionths.
    drift_ppm: i64,
    /// Its clock's time at the beginning.
    clock_begin: i64,
    /// It is seen from here on.
    begin: i64,
    /// It is away from the first to the second of these.
    away: Vec<(i64, i64)>,
    /// By how much its times are wrong on each connection; 0 where there are more.
    wrong: Vec<i64>,
    connection: u64,
    jitter: Jitter,
    /// The number of the next picture, and when that comes.
    next: (i64, i64),
}

impl Camera {
    fn new(interval: i64, drift_ppm: i64, clock_begin: i64) -> Camera {
        let jitter = Jitter::from_seed(u64::try_from(interval + drift_ppm + 7_000).unwrap());
        let mut camera = Camera {
            interval,
            drift_ppm,
            clock_begin,
            begin: 0,
            away: Vec::new(),
            wrong: Vec::new(),
            connection: 0,
            jitter,
            next: (0, 0),
        };
        camera.next = (0, camera.arrival(0));
        camera
    }

    fn seen(&self, number: i64) -> i64 {
        self.begin + number * self.interval
    }

    fn arrival(&mut self, number: i64) -> i64 {
        let jitter = i64::try_from(self.jitter.number() % 25_000).unwrap();
        (self.seen(number) + DELAY + jitter).max(self.next.1 + 1)
    }

    /// When the next picture comes and by which connection, when it was seen, and its own time.
    fn step(&mut self) -> (i64, u64, i64, Timestamp) {
        let (number, arrival) = self.next;
        let (seen, connection) = (self.seen(number), self.connection);
        let wrong = usize::try_from(connection).ok().and_then(|at| self.wrong.get(at));
        let own = self.clock_begin + seen + seen * self.drift_ppm / 1_000_000;
        let own = own + wrong.copied().unwrap_or(0);
        let mut next = number + 1;
        while let Some((_, back)) =
            self.away.iter().find(|(gone, back)| (*gone..*back).contains(&self.seen(next)))
        {
            next = (*back - self.begin) / self.interval + 1;
            self.connection += 1;
        }
        self.next = (next, 0.max(arrival));
        self.next.1 = self.arrival(next);
        // To the millisecond, as RTMP has it.
        (arrival, connection, seen, Timestamp::from_micros(own / 1000 * 1000))
    }
}

/// What comes at a moment of the first connection.
fn come(at: Instant) -> (Option<Arrival>, Instant) {
    (Some(Arrival::at(at)), at)
}

fn source(input: usize, interval: i64) -> SyncedSource {
    SyncedSource { input, is_sound: false, length: Timestamp::from_micros(interval) }
}

/// A tick as it came out: when, and what was seen when on each camera, or for how long that was missing.
type Shown = (i64, Vec<Result<i64, Duration>>);

/// Runs cameras for so many microseconds and looks at every tick.
fn run(cameras: &mut [Camera], until: i64, mut look: impl FnMut(&Shown)) -> i64 {
    let epoch = Instant::now();
    let at = |micros: i64| epoch + Duration::from_micros(u64::try_from(micros).unwrap());
    let described: Vec<_> =
        cameras.iter().enumerate().map(|(n, camera)| source(n, camera.interval)).collect();
    let mut sync = FrameSync::new(&described, Rate::new(25, 1).unwrap(), epoch);
    let (mut now, mut ticks) = (0, 0);
    let mut last: Vec<i64> = vec![0; cameras.len()];
    while now < until {
        let (place, camera) =
            cameras.iter_mut().enumerate().min_by_key(|(_, camera)| camera.next.1).unwrap();
        let deadline = sync
            .deadline()
            .map(|deadline| i64::try_from(deadline.duration_since(epoch).as_micros()).unwrap() + 1);
        match deadline.filter(|deadline| *deadline < camera.next.1) {
            Some(deadline) => now = deadline.max(now),
            None => {
                let (arrival, connection, seen, own) = camera.step();
                now = arrival.max(now);
                let arrived = Arrival { connection, ..Arrival::at(at(arrival)) };
                sync.offer(place, (own, Timestamp::ZERO), (Some(arrived), at(arrival)), seen);
            }
        }
        while let Some(tick) = sync.due(at(now)) {
            ticks += 1;
            let contents = tick.contents.into_iter().zip(&mut last);
            let shown = contents.map(|(content, last)| match content {
                TickContent::Picture(seen) => {
                    *last = seen;
                    Ok(seen)
                }
                TickContent::Again(missing) if missing.is_zero() => Ok(*last),
                TickContent::Again(missing) => Err(missing),
                other => panic!("{other:?}"),
            });
            look(&(now, shown.collect()));
        }
    }
    ticks
}

#[test]
fn what_was_seen_at_one_moment_is_shown_at_one_time() {
    let mut cameras = [
        Camera::new(40_000, 0, 5_000_000),
        Camera::new(40_000, 0, 0),
        Camera::new(33_333, 0, 900_000),
        Camera::new(100_000, 0, 77),
    ];
    let mut count = 0;
    let ticks = run(&mut cameras, 20_000_000, |(now, shown)| {
        let seen: Vec<i64> = shown.iter().map(|seen| *seen.as_ref().unwrap()).collect();
        count += 1;
        let (oldest, newest) = (seen.iter().min().unwrap(), seen.iter().max().unwrap());
        // The slowest camera has ten pictures a second.
        assert!(newest - oldest <= 130_000, "at {now}: {seen:?}");
        // What was there at the start is caught up with.
        assert!(count < 20 || now - oldest < 300_000, "at {now}: {seen:?}");
    });
    assert!((470..=500).contains(&ticks), "{ticks}");
}

/// Wherever a camera's pictures lie between the ticks, and whoever else is late: each is shown once.
#[test]
fn pictures_of_the_ticks_own_rate_do_not_stumble() {
    for begin in (0..40_000).step_by(7_000) {
        let mut cameras = [
            Camera::new(40_000, 0, 5_000_000 + begin),
            Camera::new(33_333, 0, 0),
            Camera::new(100_000, 0, 77),
        ];
        let (mut ticks, mut last) = (0, 0);
        run(&mut cameras, 10_000_000, |(now, shown)| {
            let seen = *shown[0].as_ref().unwrap();
            ticks += 1;
            assert!(ticks < 20 || seen == last + 40_000, "{seen} behind {last} at {now}");
            last = seen;
        });
        assert!(ticks > 200, "{ticks}");
    }
}

#[test]
fn a_camera_that_is_away_holds_up_nobody() {
    let mut cameras = [Camera::new(40_000, 0, 0), Camera::new(40_000, 0, 0)];
    cameras[1].away = vec![(3_000_000, 8_000_000)];
    let (mut before, mut missed, mut longest) = (0, 0, Duration::ZERO);
    run(&mut cameras, 12_000_000, |(now, shown)| {
        let pause = now - std::mem::replace(&mut before, *now);
        assert!(*now < 1_000_000 || pause < 350_000, "a pause of {pause} at {now}");
        assert!(shown[0].is_ok(), "at {now}");
        if let Err(missing) = shown[1] {
            (missed, longest) = (missed + 1, longest.max(missing));
            assert!((3_000_000..8_400_000).contains(now), "missing at {now}");
        }
    });
    assert!((115..=130).contains(&missed), "{missed}");
    assert!((Duration::from_millis(4500)..Duration::from_millis(5200)).contains(&longest));
}

/// Where an input is opened again, its times lie where opening it took them: it is in step once it was
/// watched for a moment, and not only by and by.
#[test]
fn a_camera_that_comes_back_is_in_step_at_once() {
    const SECOND: i64 = 1_000_000;
    let mut cameras = [Camera::new(40_000, 0, 0), Camera::new(40_000, 0, 0)];
    cameras[0].away = vec![(34 * SECOND, 35 * SECOND)];
    cameras[0].wrong = vec![0, 80_000];
    cameras[1].away = (1..6).map(|n| ((10 * n - 2) * SECOND, 10 * n * SECOND)).collect();
    let away = [&cameras[0].away[..], &cameras[1].away].concat();
    cameras[1].wrong = vec![0, -90_000, 95_000, 20_000, -60_000, 2 * SECOND];
    let (mut judged, mut worst) = (0, 0);
    run(&mut cameras, 58 * SECOND, |(now, shown)| {
        let (Ok(one), Ok(other)) = (&shown[0], &shown[1]) else { return };
        let is_near = |(gone, back): &(i64, i64)| (*gone..back + 3 * SECOND / 2).contains(now);
        if *now > 3 * SECOND / 2 && !away.iter().any(is_near) {
            (judged, worst) = (judged + 1, worst.max((one - other).abs()));
        }
    });
    assert!(judged > 900, "{judged}");
    // A picture, and what the network does with it.
    assert!(worst <= 40_000 + 25_000, "{worst} out of step");
}

/// Silence that stands in for an input which is lost says nothing of the input's clock.
#[test]
fn silence_that_fills_a_gap_moves_nothing() {
    let epoch = Instant::now();
    let at = |millis: i64| epoch + Duration::from_millis(u64::try_from(millis).unwrap());
    let sound = SyncedSource { input: 1, is_sound: true, length: Timestamp::ZERO };
    let mut sync = FrameSync::new(&[source(0, 40_000), sound], Rate::new(25, 1).unwrap(), epoch);
    let ms = |ms: i64| Timestamp::from_micros(ms * 1000);
    let (mut ticks, mut furthest) = (0, 0);
    for now in 0..9000 {
        if now % 40 == 0 {
            sync.offer(0, (ms(now), ms(40)), come(at(now)), now);
        }
        if now % 20 == 0 {
            let is_away = (3000..6000).contains(&now);
            let arrived = (!is_away).then(|| Arrival::at(at(now)));
            // The silence that fills the gap runs half a second ahead of the clock.
            let ahead = if is_away { 500 } else { 0 };
            sync.offer(1, (ms(now + ahead), ms(20)), (arrived, at(now)), now);
        }
        while let Some(tick) = sync.due(at(now)) {
            if let TickContent::Sound { moved_by, .. } = &tick.contents[1] {
                (ticks, furthest) = (ticks + 1, furthest.max(moved_by.as_micros().abs()));
            }
        }
    }
    assert!(ticks > 200, "{ticks}");
    assert!(furthest <= 1000, "moved by {furthest}");
}

#[test]
fn a_server_may_send_at_first_what_it_kept() {
    let mut cameras = [Camera::new(40_000, 0, 0), Camera::new(40_000, 0, 0)];
    // Two seconds that were seen before anybody asked.
    let kept = 50;
    let epoch = Instant::now();
    let at = |micros: i64| epoch + Duration::from_micros(u64::try_from(micros).unwrap());
    let described = [source(0, 40_000), source(1, 40_000)];
    let mut sync = FrameSync::new(&described, Rate::new(25, 1).unwrap(), epoch);
    for number in 0..kept {
        let own = Timestamp::from_micros(number * 40_000);
        sync.offer(1, (own, Timestamp::ZERO), come(at(1000 + number)), -1);
    }
    cameras[1].clock_begin = kept * 40_000;
    let mut shown = Vec::new();
    for _ in 0..400 {
        let camera = usize::from(cameras[1].next.1 < cameras[0].next.1);
        let (arrival, _, seen, own) = cameras[camera].step();
        sync.offer(camera, (own, Timestamp::ZERO), come(at(arrival)), seen);
        while let Some(tick) = sync.due(at(arrival)) {
            shown.push(tick.contents);
        }
    }
    assert!(shown.len() > 150, "{}", shown.len());
    for contents in &shown[60..] {
        if let [TickContent::Picture(a), TickContent::Picture(b)] = contents[..] {
            assert!((a - b).abs() <= 40_000, "{a} {b}");
        }
    }
}

#[test]
#[ignore = "slow"]
fn a_day_of_four_cameras_whose_clocks_drift() {
    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3600 * SECOND;
    let mut cameras = [
        Camera::new(40_000, 0, 0),
        Camera::new(40_000, 80, 3_000_000),
        Camera::new(40_000, -120, 17),
        Camera::new(66_667, 45, 500_000),
    ];
    for (n, camera) in cameras.iter_mut().enumerate().skip(1) {
        let n = i64::try_from(n).unwrap();
        camera.away = (1..24)
            .map(|hour| (hour * HOUR + n * 60 * SECOND, hour * HOUR + n * 95 * SECOND))
            .collect();
    }
    let (mut before, mut missed, mut out_of_step) = (0, 0_u64, 0_u64);
    let ticks = run(&mut cameras, 24 * HOUR, |(now, shown)| {
        let pause = now - std::mem::replace(&mut before, *now);
        assert!(*now < SECOND || pause < 350_000, "a pause of {pause} at {now}");
        let seen: Vec<i64> = shown.iter().filter_map(|seen| seen.as_ref().ok().copied()).collect();
        missed += u64::try_from(shown.len() - seen.len()).unwrap();
        let (oldest, newest) = (seen.iter().min().unwrap(), seen.iter().max().unwrap());
        // A picture of the slowest, and what the network does with it.
        if newest - oldest > 66_667 + 25_000 {
            out_of_step += 1;
        }
        assert!(*now < SECOND || now - oldest < 600_000, "at {now}: {seen:?}");
    });
    let expected = 24 * 3600 * 25;
    assert!((ticks - expected).abs() < 50, "{ticks} ticks");
    let away = cameras.iter().flat_map(|camera| &camera.away).map(|(gone, back)| back - gone);
    let away = u64::try_from(away.sum::<i64>() / 40_000).unwrap();
    assert!(missed.abs_diff(away) < away / 50, "{missed} of {away} missed");
    assert!(out_of_step < 24 * 3 * 60, "{out_of_step} ticks out of step");
}

#[test]
fn sound_that_is_missing_is_silence() {
    let epoch = Instant::now();
    let at = |millis: i64| epoch + Duration::from_millis(u64::try_from(millis).unwrap());
    let sound = SyncedSource { input: 1, is_sound: true, length: Timestamp::ZERO };
    let mut sync = FrameSync::new(&[source(0, 40_000), sound], Rate::new(25, 1).unwrap(), epoch);
    let ms = |ms: i64| Timestamp::from_micros(ms * 1000);
    let (mut heard, mut silent) = (Vec::new(), Vec::new());
    for now in 0..4000 {
        if now % 40 == 0 {
            sync.offer(0, (ms(now), ms(40)), come(at(now)), now);
        }
        if now % 20 == 0 && !(1000..2000).contains(&now) {
            sync.offer(1, (ms(now + 5000), ms(20)), come(at(now)), now);
        }
        while let Some(tick) = sync.due(at(now)) {
            let TickContent::Sound { pieces, moved_by, silent_until } = &tick.contents[1] else {
                panic!("{tick:?}");
            };
            heard.extend_from_slice(pieces);
            silent.extend(silent_until.map(|until| until.as_micros() / 1000));
            assert!((moved_by.as_micros() + 5_000_000).abs() < 2_000, "{moved_by:?}");
        }
    }
    let begin = heard[0];
    let expected = (begin..).step_by(20).filter(|n| !(1000..2000).contains(n));
    let expected: Vec<i64> = expected.take(heard.len()).collect();
    assert_eq!(heard, expected, "every piece, in order");
    assert!(heard.len() > 120, "{}", heard.len());
    assert!(silent.len() >= 18 && silent.len() <= 26, "{silent:?}");
    assert!(silent.iter().all(|until| (1000..2100).contains(until)), "{silent:?}");
}

#[test]
fn who_is_slower_than_the_clock_leaves_ticks_out() {
    let epoch = Instant::now();
    let at = |millis: i64| epoch + Duration::from_millis(u64::try_from(millis).unwrap());
    let mut sync = FrameSync::new(&[source(0, 40_000)], Rate::new(25, 1).unwrap(), epoch);
    let ms = |ms: i64| Timestamp::from_micros(ms * 1000);
    let mut numbers = Vec::new();
    let mut left_out = 0;
    for now in (0..10_000).step_by(40) {
        sync.offer(0, (ms(now), ms(40)), come(at(now)), now);
        // Only one of ten looks.
        if now % 400 == 0
            && let Some(tick) = sync.due(at(now))
        {
            numbers.push(tick.number);
            left_out += tick.left_out;
        }
    }
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let behind = 10_000 - numbers.last().unwrap() * 40;
    assert!(behind < 2_000, "{behind} ms behind");
    assert!(left_out > 150, "{left_out}");
}

#[test]
fn the_end_of_all_is_known() {
    let epoch = Instant::now();
    let mut sync = FrameSync::new(&[source(0, 40_000)], Rate::new(25, 1).unwrap(), epoch);
    assert_eq!(sync.deadline(), None);
    assert!(sync.due(epoch + Duration::from_secs(9)).is_none(), "nothing has come");
    sync.offer(0, (Timestamp::ZERO, Timestamp::ZERO), come(epoch), 1);
    sync.end(0);
    assert!(!sync.has_ended());
    let tick = sync.due(epoch + Duration::from_secs(1)).unwrap();
    assert_eq!(tick.contents, [TickContent::Picture(1)]);
    assert!(sync.has_ended());
}
