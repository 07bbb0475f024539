//! Where reading begins: seeking, and what is known of an input's end.

use std::collections::VecDeque;

use super::stored::StoredTimeline;
use super::{SoundTimes, Source, SourceMessage};
use crate::av::{AvPacket, MediaKind};
use crate::codec::packet::Packet;
use crate::error::{End, Error, ErrorKind, Result, Setting, Stage};
use crate::protocol::not_seekable;
use crate::time::Timestamp;

/// By how much a time that was written down may differ from the one that was meant.
const ROUNDED: Timestamp = Timestamp::from_micros(1_000);

impl Source {
    /// Refuses to begin behind the end, where that is known.
    pub(crate) fn check_start(&self, at: Timestamp) -> Result<()> {
        let is_known = !self.is_live && self.clock.joined.is_none();
        let end = self.end().filter(|_| is_known && self.input.has_exact_duration());
        match end {
            Some(end) if end.is_before(at) => Err(self.behind_end(Some(end))),
            _ => Ok(()),
        }
    }

    /// The error for a start behind the end, which is on the pipeline's clock.
    pub(super) fn behind_end(&self, end: Option<Timestamp>) -> Error {
        let cause = match end.map(|end| end.plus(self.clock.zero).minus(self.begin)) {
            Some(whole) => format!("the input is {:.1} s long", whole.as_secs_f64()),
            None => "the input ends before that".to_owned(),
        };
        let error = Error::new(ErrorKind::Usage, Stage::Source, cause).at(&self.url);
        error.about(Setting::ffmpeg("ss").of(End::Input))
    }

    /// Goes to a keyframe from which what is shown at `at`, on the pipeline's clock, can be decoded.
    ///
    /// # Errors
    /// Where the input can't be sought in.
    pub(crate) fn seek(&mut self, at: Timestamp) -> Result<()> {
        self.clock.looped = Timestamp::ZERO;
        self.loops_left = self.options.loops;
        self.go_to(at)
    }

    /// Goes there without leaving the round of a loop.
    pub(super) fn go_to(&mut self, at: Timestamp) -> Result<()> {
        if !self.input.is_seekable() {
            return Err(not_seekable().at(&self.url));
        }
        self.pending.clear();
        self.passed.clear();
        self.postponed = None;
        for state in self.sounds.values_mut() {
            (state.times, state.doubtful) = (SoundTimes::default(), None);
        }
        self.over.clear();
        self.ended = false;
        let is_joined = match &self.clock.joined {
            Some(joined) => joined.has_jumped() || self.input.seems_joined(),
            None => false,
        };
        self.clock.joined = self.clock.joined.take().map(StoredTimeline::begin_anew);
        let is_renumbered = self.options.rate.is_some();
        let found = match is_joined || is_renumbered {
            // Frames are counted from the start, and times that come twice name no place.
            true => self.input.rewind().map(|()| None),
            false => {
                let target = self.clock.zero.plus(at);
                self.input.seek_to_keyframe(self.streams.video(), target, self.begin)
            }
        };
        match found.map_err(|e| e.at(&self.url))? {
            Some(packets) => self.pending = packets,
            None if is_renumbered => {}
            None => self.read_up_to(at)?,
        }
        Ok(())
    }

    /// Whether packets may have no pts at all. MPEG's containers have some for certain, though not for
    /// each packet.
    pub(crate) fn may_lack_pts(&self) -> bool {
        !self.is_live && self.clock.joined.is_none()
    }

    /// Whether it can be read from another place than where it stands.
    pub(crate) fn is_seekable(&self) -> bool {
        self.input.is_seekable()
    }

    /// Whether the video that is wanted begins with a keyframe, as far as is known before it is read.
    pub(crate) fn begins_with_key(&self) -> bool {
        let Some(video) = self.video().filter(|_| self.options.start.is_some()) else {
            return true;
        };
        let is_of_video = |p: &&AvPacket| p.stream() == video.index;
        let raw = self.pending.iter().find(is_of_video).and_then(AvPacket::pts);
        let raw = raw.map(|pts| video.time_base.at(pts).minus(self.clock.zero));
        let main = self.streams.main(MediaKind::Video);
        let placed = self.passed.iter().find(|p| Some(p.stream) == main);
        let first = raw.or(placed.and_then(Packet::pts));
        first.is_some_and(|first| first.plus(ROUNDED) >= self.floor)
    }

    /// Whether it was to begin where the input, now read to its end, has nothing any more.
    pub(super) fn begins_behind_end(&self) -> bool {
        let is_first_round = self.clock.looped == Timestamp::ZERO;
        let is_behind = self.clock.latest.is_some_and(|latest| latest.is_before(self.floor));
        self.options.start.is_some() && is_first_round && is_behind
    }

    /// Reads on to `at`. What is kept begins with the last keyframe that is shown at `at` or before
    /// it; where packets have no times, it is everything.
    fn read_up_to(&mut self, at: Timestamp) -> Result<()> {
        let at = self.clock.looped.plus(at);
        let mut kept = VecDeque::new();
        while let Some(message) = self.read()? {
            let SourceMessage::Packet(packet) = message else { continue };
            let is_video = self.streams.main(MediaKind::Video) == Some(packet.stream);
            let is_behind = packet.pts().is_none_or(|shown| at.is_before(shown));
            if is_video && packet.av.is_key() && !is_behind {
                kept.clear();
            }
            kept.push_back(packet);
            if is_behind && (is_video || self.video().is_none()) {
                break;
            }
        }
        self.passed = kept;
        self.ended = false;
        Ok(())
    }

    /// Where the input ends on the pipeline's clock, without loops and limits, where that is known.
    pub(super) fn end(&self) -> Option<Timestamp> {
        let whole = self.input.duration_micros().map(Timestamp::from_micros)?;
        Some(self.begin.plus(whole).minus(self.clock.zero))
    }

    /// Where the last picture ends, where it is the end of the whole input that is known, and nothing
    /// ends reading before.
    pub(crate) fn end_of_video(&self) -> Option<Timestamp> {
        let is_whole = self.clock.limit.is_none() && self.options.loops == Some(0);
        let is_alone = self.audio().is_none() && !self.is_live && self.clock.joined.is_none();
        let is_whole = is_whole && self.input.has_exact_duration();
        self.end().filter(|_| is_whole && is_alone && self.options.rate.is_none())
    }
}
