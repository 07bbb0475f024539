//! How an output that is added to a running pipeline begins: at a keyframe, with the sound that
//! belongs to it, and at zero on its own clock.

use std::collections::VecDeque;

use crate::av::MediaKind;
use crate::codec::packet::Packet;
use crate::run::delivery::SinkMessage;
use crate::time::Timestamp;

/// Packets of sound that wait for the picture; some 40 s of AAC.
const WAITING: usize = 2048;

/// Moves the times of an output that begins somewhere in the middle.
pub(super) struct Joining {
    has_video: bool,
    /// It ends when it is so long.
    length: Option<Timestamp>,
    /// Where on the pipeline's clock it begins, once that is known.
    begin: Option<Timestamp>,
    /// Sound that came before the first picture: encoding takes its time.
    waiting: VecDeque<(usize, Packet)>,
}

impl Joining {
    pub(super) fn new(has_video: bool, length: Option<Timestamp>) -> Joining {
        Joining { has_video, length, begin: None, waiting: VecDeque::new() }
    }

    /// Where on the pipeline's clock it begins, once that is known.
    pub(super) fn begin(&self) -> Option<Timestamp> {
        self.begin
    }

    /// What is to be written of a message, at its times on the output's clock.
    pub(super) fn take(&mut self, message: SinkMessage) -> Vec<SinkMessage> {
        match message {
            SinkMessage::Packet(stream, packet) => self.take_packet(stream, packet),
            SinkMessage::Cut(end) => match self.begin {
                Some(begin) => vec![SinkMessage::Cut(end.minus(begin))],
                None => Vec::new(),
            },
            SinkMessage::Kept(messages) => {
                messages.into_iter().flat_map(|message| self.take(message)).collect()
            }
            other => vec![other],
        }
    }

    fn take_packet(&mut self, stream: usize, packet: Packet) -> Vec<SinkMessage> {
        if let Some(begin) = self.begin {
            return self.placed(stream, packet, begin).into_iter().collect();
        }
        let starts = match self.has_video {
            true => packet.kind == MediaKind::Video && packet.av.is_key(),
            false => true,
        };
        match packet.pts().or(packet.dts()).filter(|_| starts) {
            Some(begin) => {
                self.begin = Some(begin);
                let waiting = std::mem::take(&mut self.waiting);
                let all = std::iter::once((stream, packet)).chain(waiting);
                all.filter_map(|(stream, packet)| self.placed(stream, packet, begin)).collect()
            }
            None => {
                if packet.kind != MediaKind::Video {
                    if self.waiting.len() >= WAITING {
                        self.waiting.pop_front();
                    }
                    self.waiting.push_back((stream, packet));
                }
                Vec::new()
            }
        }
    }

    /// A packet on the output's clock; none where it belongs to what came before.
    fn placed(&self, stream: usize, mut packet: Packet, begin: Timestamp) -> Option<SinkMessage> {
        if packet.pts().or(packet.dts()).is_some_and(|at| at < begin) {
            return None;
        }
        let is_over = |length: Timestamp| {
            packet.dts().or(packet.pts()).is_some_and(|at| at.minus(begin) >= length)
        };
        if self.length.is_some_and(is_over) {
            return Some(SinkMessage::End(stream));
        }
        let shift = begin.rescale(packet.time_base).ticks();
        let moved = |at: Option<i64>| at.map(|at| at.saturating_sub(shift));
        let (pts, dts) = (moved(packet.av.pts()), moved(packet.av.dts()));
        packet.av.set_times(pts, dts, packet.av.duration());
        Some(SinkMessage::Packet(stream, packet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::AvPacket;
    use crate::time::TimeBase;

    /// A packet of video (a capital is a keyframe) or sound, at its pts and dts in milliseconds.
    fn packet(kind: char, pts: i64, dts: i64) -> SinkMessage {
        let is_video = kind.eq_ignore_ascii_case(&'v');
        let mut av = AvPacket::of_bytes(&[1], 0, kind.is_ascii_uppercase()).unwrap();
        av.set_times(Some(pts), Some(dts), 40);
        let kind = if is_video { MediaKind::Video } else { MediaKind::Audio };
        let (time_base, floor) = (TimeBase::MILLIS, Timestamp::ZERO);
        let packet = Packet {
            av,
            kind,
            stream: 0,
            time_base,
            arrived: None,
            quality: None,
            floor,
            discontinuity: false,
        };
        SinkMessage::Packet(usize::from(!is_video), packet)
    }

    fn shown(messages: Vec<SinkMessage>) -> String {
        let word = |message: SinkMessage| match message {
            SinkMessage::Packet(0, packet) => format!("v{}", packet.av.pts().unwrap()),
            SinkMessage::Packet(_, packet) => format!("a{}", packet.av.pts().unwrap()),
            SinkMessage::Cut(at) => format!("cut{}", at.as_micros() / 1000),
            SinkMessage::End(stream) => format!("end{stream}"),
            SinkMessage::Failed(stream) => format!("failed{stream}"),
            SinkMessage::Configuration(..) => "configured".to_owned(),
            SinkMessage::Kept(_) => "kept".to_owned(),
        };
        messages.into_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn through(mut joining: Joining, messages: Vec<SinkMessage>) -> Vec<String> {
        messages.into_iter().map(|message| shown(joining.take(message))).collect()
    }

    #[test]
    fn it_begins_with_a_keyframe_and_the_sound_from_there_on() {
        let messages = vec![
            packet('v', 960, 960),
            packet('a', 970, 970),
            packet('a', 1010, 1010),
            packet('V', 1000, 920),
            // It refers to pictures that this output hasn't got.
            packet('v', 980, 960),
            packet('v', 1040, 1000),
            packet('a', 990, 990),
            packet('a', 1030, 1030),
            SinkMessage::Cut(Timestamp::from_micros(1_500_000)),
            SinkMessage::End(1),
        ];
        let expected = ["", "", "", "v0 a10", "", "v40", "", "a30", "cut500", "end1"];
        assert_eq!(through(Joining::new(true, None), messages), expected);
    }

    #[test]
    fn what_was_kept_is_taken_one_by_one() {
        let kept = vec![packet('V', 1000, 920), packet('a', 990, 990), packet('a', 1010, 1010)];
        let messages = vec![SinkMessage::Kept(kept), packet('v', 1040, 1000)];
        assert_eq!(through(Joining::new(true, None), messages), ["v0 a10", "v40"]);
    }

    #[test]
    fn sound_alone_begins_at_once() {
        let messages = vec![packet('a', 500, 500), packet('a', 540, 540)];
        assert_eq!(through(Joining::new(false, None), messages), ["a0", "a40"]);
    }

    #[test]
    fn it_is_as_long_as_it_is_to_be() {
        let length = Some(Timestamp::from_micros(80_000));
        let messages = vec![
            packet('V', 1000, 1000),
            packet('a', 1079, 1079),
            packet('v', 1120, 1040),
            packet('v', 1080, 1080),
            packet('a', 1080, 1080),
        ];
        let expected = ["v0", "a79", "v120", "end0", "end1"];
        assert_eq!(through(Joining::new(true, length), messages), expected);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut joining = Joining::new(true, None);
        let waiting = i64::try_from(WAITING).unwrap() + 10;
        (0..waiting).for_each(|n| drop(joining.take(packet('a', n, n))));
        assert_eq!(joining.waiting.len(), WAITING);
        let begun = joining.take(packet('V', 0, 0));
        assert_eq!(begun.len(), WAITING + 1);
    }
}
