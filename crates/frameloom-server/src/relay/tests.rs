//! The relay without sockets: what any order of appends and pulls gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use frameloom_rtmp::MediaType;
use proptest::prelude::*;

use super::cursor::{CursorRead, LagRules, PlayerCursor};
use super::log::PacketLog;
use super::packet::{PacketRole, RelayPacket, Slot, classify};

const PATIENT: LagRules = LagRules { lag_ms: 500, skips: u32::MAX };

/// A packet whose payload is like no other's.
fn payload(head: &[u8], number: usize) -> Bytes {
    let mut bytes = head.to_vec();
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.into()
}

#[derive(Clone, Copy, Debug)]
enum What {
    Metadata,
    VideoHeader,
    AudioHeader,
    Keyframe,
    Picture,
    Audio,
}

impl What {
    fn head(self) -> (MediaType, &'static [u8]) {
        match self {
            What::Metadata => (MediaType::Metadata, b"\x02\0\x0aonMetaData"),
            What::VideoHeader => (MediaType::Video, b"\x17\0\0\0\0"),
            What::AudioHeader => (MediaType::Audio, b"\xAF\0"),
            What::Keyframe => (MediaType::Video, b"\x17\x01\0\0\0"),
            What::Picture => (MediaType::Video, b"\x27\x01\0\0\0"),
            What::Audio => (MediaType::Audio, b"\xAF\x01"),
        }
    }
}

/// A log and all that went into it.
struct Rig {
    log: PacketLog,
    published: Vec<RelayPacket>,
    time_ms: u64,
}

impl Rig {
    fn new(cache_bytes: usize) -> Self {
        Rig {
            log: PacketLog::new(cache_bytes, PATIENT.lag_ms),
            published: Vec::new(),
            time_ms: 1000,
        }
    }

    fn publish(&mut self, what: What) {
        let (kind, head) = what.head();
        let payload = payload(head, self.published.len());
        let (part, _) = classify(kind, &payload, &mut None).unwrap();
        self.time_ms += 20;
        self.log.append(kind, part, self.time_ms, 0, payload.clone());
        let (timestamp_ms, clock_ms) = (self.time_ms, self.log.clock_ms());
        self.published.push(RelayPacket { kind, part, timestamp_ms, clock_ms, payload });
    }

    /// Where in the published a payload stands.
    fn place(&self, packet: &RelayPacket) -> usize {
        let number = packet.payload.last_chunk().copied().unwrap();
        let place = usize::from_be_bytes(number);
        assert_eq!(self.published[place].payload, packet.payload);
        place
    }

    /// The headers in force before a place.
    fn headers_at(&self, place: usize) -> BTreeMap<Slot, usize> {
        let mut headers = BTreeMap::new();
        for (index, packet) in self.published[..place].iter().enumerate() {
            if let PacketRole::Header(slot) = packet.part {
                headers.insert(slot, index);
            }
        }
        headers
    }
}

/// A player, and what it has seen.
struct Seen {
    cursor: PlayerCursor,
    /// The places of all it got.
    got: Vec<usize>,
    headers: BTreeMap<Slot, usize>,
    /// The last place of anything but headers that came out of order.
    last: Option<usize>,
    decodes: bool,
}

impl Seen {
    fn join(rig: &Rig) -> Self {
        Seen {
            cursor: PlayerCursor::join(&rig.log),
            got: Vec::new(),
            headers: BTreeMap::new(),
            last: None,
            decodes: false,
        }
    }

    /// Pulls once, and checks what came. Gives whether anything did.
    fn pull(&mut self, rig: &Rig, rules: LagRules) -> bool {
        let skips = self.cursor.skips();
        let step = self.cursor.step(&rig.log, rules);
        if self.cursor.skips() > skips {
            self.decodes = false;
        }
        let CursorRead::Packet(packet) = step else {
            return false;
        };
        let place = rig.place(&packet);
        self.got.push(place);
        match packet.part {
            PacketRole::Header(slot) => {
                self.headers.insert(slot, place);
            }
            PacketRole::GopStart => {
                // The right headers are there, whatever was skipped.
                assert_eq!(self.headers, rig.headers_at(place));
                self.decodes = true;
            }
            PacketRole::Picture => {
                assert!(self.decodes, "a picture without its keyframe");
                // All pictures since the last one, or since the keyframe.
                let before = rig.published[..place].iter().rposition(|other| {
                    matches!(other.part, PacketRole::GopStart | PacketRole::Picture)
                });
                assert!(before.is_some_and(|before| self.got.contains(&before)));
            }
            PacketRole::Other => {}
        }
        if !matches!(packet.part, PacketRole::Header(_)) {
            assert!(self.last.is_none_or(|last| last < place), "out of order");
            assert_eq!(packet.timestamp_ms, rig.published[place].timestamp_ms);
            self.last = Some(place);
        }
        true
    }
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        1 => Just(What::Metadata),
        1 => Just(What::VideoHeader),
        1 => Just(What::AudioHeader),
        3 => Just(What::Keyframe),
        10 => Just(What::Picture),
        10 => Just(What::Audio),
    ]
}

/// Something is published, or a player pulls so many times.
#[derive(Clone, Debug)]
enum Act {
    Publish(What),
    Pull(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => what().prop_map(Act::Publish),
        1 => (0_usize..6).prop_map(Act::Pull),
    ];
    prop::collection::vec(act, 0..300)
}

proptest! {
    #[test]
    fn a_player_that_keeps_up_gets_all_from_its_keyframe_on(
        before in prop::collection::vec(what(), 0..60),
        after in prop::collection::vec(what(), 0..200),
    ) {
        let mut rig = Rig::new(1 << 20);
        before.into_iter().for_each(|what| rig.publish(what));
        let keyframe = rig.published.iter().rposition(|packet| packet.part == PacketRole::GopStart);
        let start = keyframe.unwrap_or(rig.published.len());
        let mut player = Seen::join(&rig);
        let headers = rig.headers_at(start).len();
        while player.pull(&rig, PATIENT) {}
        for what in after {
            rig.publish(what);
            while player.pull(&rig, PATIENT) {}
        }
        let mut expected: Vec<_> = (start..rig.published.len()).collect();
        // Without a keyframe there is no picture yet.
        let first = rig.published[start..].iter().position(|packet| packet.part == PacketRole::GopStart);
        let first = first.map_or(rig.published.len(), |first| start + first);
        expected.retain(|place| rig.published[*place].part != PacketRole::Picture || *place > first);
        prop_assert_eq!(&player.got[headers..], &expected);
        prop_assert_eq!(player.cursor.skips(), 0);
    }

    #[test]
    fn a_player_that_does_not_keep_up_always_goes_on_at_a_keyframe(
        acts in acts(),
        cache_bytes in 200_usize..20_000,
    ) {
        let mut rig = Rig::new(cache_bytes);
        let mut player = Seen::join(&rig);
        for act in acts {
            match act {
                Act::Publish(what) => rig.publish(what),
                Act::Pull(times) => {
                    for _ in 0..times {
                        player.pull(&rig, PATIENT);
                    }
                }
            }
        }
        rig.log.end_stream();
        while player.pull(&rig, PATIENT) {}
        prop_assert!(matches!(player.cursor.step(&rig.log, PATIENT), CursorRead::Ended));
    }

    #[test]
    fn the_log_stays_within_its_bytes(
        whats in prop::collection::vec(what(), 0..400),
        cache_bytes in 0_usize..5000,
    ) {
        let mut rig = Rig::new(cache_bytes);
        for what in whats {
            rig.publish(what);
            let kept = rig.log.end() - rig.log.first();
            let fits = usize::try_from(kept).unwrap() * size_of::<RelayPacket>() <= cache_bytes;
            prop_assert!(kept == 1 || fits, "{} packets", kept);
        }
    }
}

fn gop(rig: &mut Rig, pictures: usize) {
    rig.publish(What::Keyframe);
    (0..pictures).for_each(|_| rig.publish(What::Picture));
}

#[test]
fn a_new_gop_does_not_take_the_last_one_from_a_player_that_is_a_bit_behind() {
    let mut rig = Rig::new(1 << 20);
    gop(&mut rig, 10);
    let mut player = Seen::join(&rig);
    player.pull(&rig, PATIENT);
    gop(&mut rig, 3);
    gop(&mut rig, 3);
    while player.pull(&rig, PATIENT) {}
    assert_eq!(player.got, (0..19).collect::<Vec<_>>());
    assert_eq!(player.cursor.skips(), 0);
}

#[test]
fn a_player_that_skips_too_often_is_cut_unless_it_catches_up() {
    let rules = LagRules { lag_ms: 500, skips: 2 };
    let mut rig = Rig::new(1 << 20);
    rig.publish(What::Keyframe);
    let mut player = Seen::join(&rig);
    player.pull(&rig, rules);
    let fall_behind = |rig: &mut Rig| {
        for _ in 0..3 {
            gop(rig, 30);
        }
    };
    for skips in 1..=2 {
        fall_behind(&mut rig);
        assert!(player.pull(&rig, rules));
        assert_eq!(player.cursor.skips(), skips);
    }
    while player.pull(&rig, rules) {}
    for skips in 3..=4 {
        fall_behind(&mut rig);
        assert!(player.pull(&rig, rules));
        assert_eq!(player.cursor.skips(), skips);
    }
    fall_behind(&mut rig);
    assert!(matches!(player.cursor.step(&rig.log, rules), CursorRead::Cut));
}

#[test]
fn a_publisher_that_sets_its_clock_makes_no_player_late() {
    let rules = LagRules { lag_ms: 500, skips: 0 };
    let mut rig = Rig::new(1 << 20);
    gop(&mut rig, 5);
    let mut player = Seen::join(&rig);
    for jump_ms in [3_600_000, 0, 1 << 33] {
        rig.time_ms = jump_ms;
        gop(&mut rig, 5);
    }
    while player.pull(&rig, rules) {}
    assert_eq!(player.got, (0..24).collect::<Vec<_>>());
}

#[test]
fn after_a_pause_a_player_goes_on_at_the_latest_keyframe_or_where_it_was() {
    let mut rig = Rig::new(1 << 20);
    gop(&mut rig, 5);
    let mut player = Seen::join(&rig);
    (0..3).for_each(|_| assert!(player.pull(&rig, PATIENT)));
    player.cursor.resume(&rig.log);
    while player.pull(&rig, PATIENT) {}
    assert_eq!(player.got, (0..6).collect::<Vec<_>>());
    rig.publish(What::VideoHeader);
    for _ in 0..3 {
        gop(&mut rig, 1);
    }
    player.cursor.resume(&rig.log);
    while player.pull(&rig, PATIENT) {}
    assert_eq!(player.got[6..], [6, 11, 12]);
    assert_eq!(player.cursor.skips(), 0);
}

#[test]
fn headers_that_fill_memory_are_passed_on_but_not_kept() {
    let mut log = PacketLog::new(64 << 20, 5000);
    let mut player = PlayerCursor::join(&log);
    for track in 0..=255 {
        let slot = Slot::Audio(track);
        log.append(MediaType::Audio, PacketRole::Header(slot), 0, 0, vec![track; 100_000].into());
        assert!(matches!(player.step(&log, PATIENT), CursorRead::Packet(_)));
    }
    let held: usize = log.headers().entries().iter().map(|entry| entry.packet.payload.len()).sum();
    assert!((100_000..=1 << 20).contains(&held), "{held}");
}

#[test]
fn headers_of_former_keyframes_are_not_kept() {
    let mut log = PacketLog::new(4 << 20, 5000);
    for number in 0..20_000_u32 {
        let slot = Slot::Video((number % 64) as u8);
        let header = payload(b"\x17\0\0\0\0", number as usize);
        log.append(MediaType::Video, PacketRole::Header(slot), 0, 0, header);
        let keyframe = payload(b"\x17\x01\0\0\0", number as usize);
        log.append(MediaType::Video, PacketRole::GopStart, 0, 0, keyframe);
        assert!(log.bytes() <= 4 << 20);
    }
    // Nobody but the log has references to headers: 64 of now, and 64 of the latest keyframe.
    let all = [log.headers(), log.start_headers()];
    assert!(all.iter().all(|headers| Arc::strong_count(headers) <= 2));
    assert!(all.iter().all(|headers| headers.entries().len() <= 64));
}

#[test]
fn a_player_is_late_by_the_servers_clock_where_the_publishers_stands_still() {
    let rules = LagRules { lag_ms: 500, skips: 1 };
    let mut log = PacketLog::new(64 << 20, 500);
    let mut player = PlayerCursor::join(&log);
    let append = |log: &mut PacketLog, part, arrived_ms| {
        log.append(MediaType::Video, part, 7, arrived_ms, Bytes::from_static(b"\x27\x01\0\0\0"));
    };
    for number in 0..100 {
        let part = if number % 10 == 0 { PacketRole::GopStart } else { PacketRole::Picture };
        append(&mut log, part, number * 40);
    }
    // And the log keeps what it would keep of any other.
    assert!(log.end() - log.first() < 40, "{} packets", log.end() - log.first());
    assert!(matches!(player.step(&log, rules), CursorRead::Packet(_)));
    assert_eq!(player.skips(), 1);
    // A time in which nothing came makes nobody late.
    while let CursorRead::Packet(_) = player.step(&log, rules) {}
    append(&mut log, PacketRole::Picture, 60_000);
    append(&mut log, PacketRole::GopStart, 120_000);
    let lag = log.clock_ms();
    while let CursorRead::Packet(_) = player.step(&log, LagRules { lag_ms: 2500, skips: 0 }) {}
    assert_eq!((player.skips(), player.clock_ms()), (1, lag));
}

#[test]
fn an_ended_log_that_is_cleared_ends_its_players() {
    let mut rig = Rig::new(1 << 20);
    gop(&mut rig, 10);
    let mut player = Seen::join(&rig);
    player.pull(&rig, PATIENT);
    rig.log.end_stream();
    rig.log.clear();
    assert_eq!(rig.log.bytes(), 0);
    assert!(matches!(player.cursor.step(&rig.log, PATIENT), CursorRead::Ended));
}

#[test]
fn old_audio_is_not_kept() {
    let mut rig = Rig::new(64 << 20);
    (0..1000).for_each(|_| rig.publish(What::Audio));
    assert!(rig.log.end() - rig.log.first() < 30);
}

#[test]
fn another_publishers_times_are_never_before_the_end_of_the_first_ones() {
    let mut log = PacketLog::new(1 << 20, 5000);
    let append = |log: &mut PacketLog, part, time| {
        log.append(MediaType::Audio, part, time, 0, Bytes::from_static(b"\xAF\x01"));
    };
    append(&mut log, PacketRole::Other, 9000);
    let mut player = PlayerCursor::join(&log);
    log.change_publisher();
    append(&mut log, PacketRole::Header(Slot::Audio(0)), 0);
    for time in [500, 520, 480, 0, 560] {
        append(&mut log, PacketRole::Other, time);
    }
    let mut times = Vec::new();
    while let CursorRead::Packet(packet) = player.step(&log, PATIENT) {
        times.push(packet.timestamp_ms);
    }
    assert_eq!(times, [9000, 9001, 9021, 9000, 9000, 9061]);
}
