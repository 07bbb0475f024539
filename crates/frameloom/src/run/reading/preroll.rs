//! The newest packets of an input, kept for outputs that begin with what came before they were added.

use std::collections::VecDeque;

use crate::av::MediaKind;
use crate::codec::packet::Packet;
use crate::error::Result;
use crate::time::Timestamp;

/// Encoded bytes that are kept of one input at most: 64 MiB.
const ROOM_BYTES: usize = 64 << 20;

/// What a packet counts for beside its bytes, so that small ones are bounded too.
const PACKET_BYTES: usize = 256;

/// What is known of a packet that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeptTimes {
    /// The stream's number.
    stream: usize,
    /// Its dts, where it has one.
    read: Timestamp,
    /// Its pts, where it has one.
    shown: Timestamp,
    /// An output can begin with it.
    starts: bool,
    bytes: usize,
}

struct Kept<P> {
    times: KeptTimes,
    packet: P,
}

/// The newest packets of some streams, in the order of reading. Where there is a picture, they begin with a
/// keyframe: the last one that is as old as was asked for, or older. Sound that belongs to the picture and
/// was read just before it is kept with it.
struct Ring<P> {
    span: Timestamp,
    room: usize,
    packets: VecDeque<Kept<P>>,
    /// When those are shown that an output can begin with.
    starts: VecDeque<Timestamp>,
    bytes: usize,
    newest: Option<Timestamp>,
}

impl<P> Ring<P> {
    fn new(span: Timestamp, room: usize) -> Ring<P> {
        Ring {
            span,
            room,
            packets: VecDeque::new(),
            starts: VecDeque::new(),
            bytes: 0,
            newest: None,
        }
    }

    /// What comes from here on has nothing to do with what is kept.
    fn clear(&mut self) {
        self.packets.clear();
        self.starts.clear();
        (self.bytes, self.newest) = (0, None);
    }

    fn push(&mut self, times: KeptTimes, packet: P) {
        if self.starts.is_empty() && !times.starts {
            return;
        }
        if times.starts {
            self.starts.push_back(times.shown);
        }
        self.newest = self.newest.max(Some(times.read));
        self.bytes += times.bytes + PACKET_BYTES;
        self.packets.push_back(Kept { times, packet });
        while self.is_first_needless() {
            self.drop_first();
        }
        while self.bytes > self.room {
            if self.starts.len() < 2 {
                return self.clear();
            }
            self.drop_first();
        }
    }

    /// Whether an output that is to begin as early as can be would begin with the second start.
    fn is_first_needless(&self) -> bool {
        let begin = self.newest.map(|newest| newest.minus(self.span));
        self.starts.get(1).zip(begin).is_some_and(|(second, begin)| *second <= begin)
    }

    /// The place of the start of this number.
    fn place_of(&self, number: usize) -> Option<usize> {
        let starts = self.packets.iter().enumerate().filter(|(_, kept)| kept.times.starts);
        starts.map(|(place, _)| place).nth(number)
    }

    /// Lets go of what belongs to the first start alone.
    fn drop_first(&mut self) {
        let Some(place) = self.place_of(1) else { return self.clear() };
        self.starts.pop_front();
        let Some(second) = self.packets.get(place).map(|kept| kept.times) else { return };
        let before: Vec<_> = self.packets.drain(..place).collect();
        for kept in before.into_iter().rev() {
            if belongs_to(second, kept.times) {
                self.packets.push_front(kept);
            } else {
                self.bytes = self.bytes.saturating_sub(kept.times.bytes + PACKET_BYTES);
            }
        }
    }

    /// What an output gets that begins with the last start which is at least `span` old, or else with the
    /// first there is: the packets in the order of reading.
    fn since(&self, span: Timestamp) -> impl Iterator<Item = &P> {
        let begin = self.newest.map(|newest| newest.minus(span));
        let is_old = |start: &Timestamp| begin.is_some_and(|begin| *start <= begin);
        let place = self.place_of(self.starts.iter().rposition(is_old).unwrap_or(0));
        let start = place.and_then(|place| self.packets.get(place)).map(|kept| kept.times);
        let wanted = move |(at, kept): &(usize, &Kept<P>)| {
            place
                .zip(start)
                .is_some_and(|(place, start)| *at >= place || belongs_to(start, kept.times))
        };
        self.packets.iter().enumerate().filter(wanted).map(|(_, kept)| &kept.packet)
    }
}

/// Whether a packet that was read before a start is shown with it or later.
fn belongs_to(start: KeptTimes, packet: KeptTimes) -> bool {
    packet.stream != start.stream && packet.shown >= start.shown
}

/// The newest packets of an input. They share their bytes with whoever else has them.
pub(in crate::run) struct Preroll {
    ring: Ring<Packet>,
}

impl Preroll {
    /// Keeps packets for so long.
    pub(in crate::run) fn new(span: Timestamp) -> Preroll {
        Preroll { ring: Ring::new(span, ROOM_BYTES) }
    }

    /// Keeps a packet that was read. `is_main` says that it is of the input's picture, or of its sound where
    /// it has no picture.
    ///
    /// # Errors
    /// Where memory runs out.
    pub(super) fn keep(&mut self, packet: &Packet, is_main: bool) -> Result<()> {
        // A cover is no part of what goes on.
        let Some(read) = packet.dts().or(packet.pts()).filter(|_| packet.kind != MediaKind::Cover)
        else {
            return Ok(());
        };
        let times = KeptTimes {
            stream: packet.stream,
            read,
            shown: packet.pts().unwrap_or(read),
            starts: is_main && (packet.kind != MediaKind::Video || packet.av.is_key()),
            bytes: packet.av.size(),
        };
        // What is written later on purpose is not late.
        self.ring.push(times, Packet { arrived: None, ..packet.share()? });
        Ok(())
    }

    /// Lets go of all: the packets to come follow on none that is kept.
    pub(super) fn clear(&mut self) {
        self.ring.clear();
    }

    /// The packets that an output begins with which is to begin `span` ago, in the order of reading.
    pub(super) fn since(&self, span: Timestamp) -> impl Iterator<Item = &Packet> {
        self.ring.since(span)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PICTURE: usize = 0;

    fn millis(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1000)
    }

    /// A packet as `V1000` (a keyframe at 1 s), `v1040` (another picture) or `a1010` (sound); behind a slash
    /// stands its dts where that is another.
    fn times(word: &str, bytes: usize) -> KeptTimes {
        let (kind, at) = word.split_at(1);
        let (shown, read) = at.split_once('/').unwrap_or((at, at));
        let at = |text: &str| millis(text.parse().unwrap());
        let stream = if kind == "a" { 1 } else { PICTURE };
        KeptTimes { stream, read: at(read), shown: at(shown), starts: kind == "V", bytes }
    }

    fn filled(span: i64, room: usize, words: &str) -> Ring<String> {
        let mut ring = Ring::new(millis(span), room);
        for word in words.split_whitespace() {
            ring.push(times(word, 1000), word.to_owned());
        }
        ring
    }

    fn since(ring: &Ring<String>, span: i64) -> String {
        ring.since(millis(span)).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    const ROOM: usize = 1 << 20;

    #[test]
    fn an_output_begins_with_the_keyframe_before_the_time_that_is_asked_for() {
        let stream = "V0 a0 v500 a500 V1000 a1000 v1500 a1500 V2000 a2000 v2500 a2500 V3000 a3000";
        let ring = filled(2000, ROOM, stream);
        for (span, expected) in [
            (0, "V3000 a3000"),
            (1, "V2000 a2000 v2500 a2500 V3000 a3000"),
            (1000, "V2000 a2000 v2500 a2500 V3000 a3000"),
            (1001, "V1000 a1000 v1500 a1500 V2000 a2000 v2500 a2500 V3000 a3000"),
            (2000, "V1000 a1000 v1500 a1500 V2000 a2000 v2500 a2500 V3000 a3000"),
            // As much as there is.
            (9000, "V1000 a1000 v1500 a1500 V2000 a2000 v2500 a2500 V3000 a3000"),
        ] {
            assert_eq!(since(&ring, span), expected, "{span} ms");
        }
    }

    #[test]
    fn what_comes_before_the_first_keyframe_is_not_kept() {
        assert_eq!(since(&filled(2000, ROOM, "v0 a0 a20 v40"), 2000), "");
        assert_eq!(since(&filled(2000, ROOM, "v0 a0 V40 a40"), 2000), "V40 a40");
    }

    #[test]
    fn sound_that_was_read_before_its_picture_goes_along() {
        let ring = filled(0, ROOM, "V80/0 a80 v120/40 a1070 a1085 V1080/1000 a980 a1100");
        assert_eq!(since(&ring, 0), "a1085 V1080/1000 a980 a1100");
        let ring = filled(500, ROOM, "V0 a0 a1090 V1000 a1110 v1040 V2000");
        assert_eq!(since(&ring, 500), "a1090 V1000 a1110 v1040 V2000");
        assert_eq!(since(&ring, 0), "V2000");
    }

    #[test]
    fn a_long_gop_is_kept_whole() {
        let ring = filled(1000, ROOM, "V0 v1000 v2000 v3000 v4000");
        assert_eq!(since(&ring, 1000), "V0 v1000 v2000 v3000 v4000");
    }

    #[test]
    fn too_many_bytes_cost_the_oldest_pictures() {
        let each = 1000 + PACKET_BYTES;
        let gops = "V0 v40 v80 V120 v160 v200 V240 v280";
        assert_eq!(since(&filled(9000, 5 * each, gops), 9000), "V120 v160 v200 V240 v280");
        // A GOP that has no room is none to begin with.
        let ring = filled(9000, 2 * each, "V0 v40 v80 v120");
        assert_eq!((since(&ring, 9000).as_str(), ring.bytes), ("", 0));
        assert_eq!(since(&filled(9000, 2 * each, "V0 v40 v80 v120 V160"), 9000), "V160");
    }

    #[test]
    fn after_a_loss_it_begins_anew() {
        let mut ring = filled(9000, ROOM, "V0 a0 v40");
        ring.clear();
        assert_eq!((since(&ring, 9000).as_str(), ring.bytes), ("", 0));
        for word in ["v80", "a80", "V120"] {
            ring.push(times(word, 1), word.to_owned());
        }
        assert_eq!(since(&ring, 9000), "V120");
    }

    #[test]
    fn sound_alone_begins_anywhere() {
        let mut ring = Ring::new(millis(50), ROOM);
        for at in (0..10).map(|n| n * 20) {
            let times = KeptTimes { starts: true, ..times(&format!("a{at}"), 10) };
            ring.push(times, at.to_string());
        }
        assert_eq!(since(&ring, 50), "120 140 160 180");
        assert_eq!(ring.packets.len(), 4);
    }

    /// The same of all that ever came, as slowly as can be.
    fn expected(all: &[KeptTimes], span: Timestamp) -> Vec<usize> {
        let newest = all.iter().map(|packet| packet.read).max();
        let begin = newest.map(|newest| newest.minus(span));
        let is_old = |packet: &KeptTimes| begin.is_some_and(|begin| packet.shown <= begin);
        let places = || (0..all.len()).filter(|place| all[*place].starts);
        let old = places().rfind(|place| is_old(&all[*place]));
        let Some(place) = old.or(places().next()) else { return Vec::new() };
        let belongs = |other: &usize| *other >= place || belongs_to(all[place], all[*other]);
        let first = places().next().unwrap_or(0);
        (first..all.len()).filter(belongs).collect()
    }

    proptest! {
        /// Whatever comes in whatever order: an output begins with what it would begin with had all been
        /// kept, no more is held than there is room for, and the counters are right.
        #[test]
        fn it_is_as_if_all_were_kept(
            span in 0i64..400,
            room in prop_oneof![Just(usize::MAX), 0usize..20_000],
            packets in proptest::collection::vec((0i64..60, 0i64..80, 0usize..4, 0usize..2000), 0..80),
        ) {
            let mut ring = Ring::new(millis(span), room);
            let (mut all, mut read) = (Vec::new(), 0);
            for (number, (later, ahead, kind, bytes)) in packets.into_iter().enumerate() {
                read += later;
                let stream = usize::from(kind > 1);
                // Keyframes are shown in their order.
                let ahead = if kind == 0 { 40 } else { ahead };
                let times = KeptTimes {
                    stream,
                    read: millis(read),
                    shown: millis(read + ahead),
                    starts: kind == 0,
                    bytes,
                };
                ring.push(times, number);
                all.push(times);
                let held: usize = ring.packets.iter().map(|k| k.times.bytes + PACKET_BYTES).sum();
                prop_assert_eq!(held, ring.bytes);
                prop_assert!(held <= room);
                let starts = ring.packets.iter().filter(|kept| kept.times.starts);
                prop_assert!(starts.map(|kept| kept.times.shown).eq(ring.starts.iter().copied()));
                for asked in [0, span / 2, span] {
                    let got: Vec<usize> = ring.since(millis(asked)).copied().collect();
                    if room == usize::MAX {
                        prop_assert_eq!(&got, &expected(&all, millis(asked)));
                    }
                    // It begins with a keyframe and, before that, the sound that belongs to it.
                    let begin = got.iter().position(|number| all[*number].starts);
                    let Some(begin) = begin else {
                        prop_assert!(got.is_empty());
                        continue;
                    };
                    let start = all[got[begin]];
                    prop_assert!(got[..begin].iter().all(|early| belongs_to(start, all[*early])));
                    prop_assert!(got.is_sorted());
                    // Behind it nothing is missing.
                    let behind = got[begin]..all.len();
                    prop_assert!(got[begin..].iter().copied().eq(behind));
                }
            }
        }
    }
}
