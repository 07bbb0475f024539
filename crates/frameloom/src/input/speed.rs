//! An input that is played faster or slower than it was recorded: its ticks are shorter or longer, and
//! everything else is as if it had been recorded so. Its sound is brought to that when it is decoded.

use std::collections::VecDeque;
use std::time::Duration;

use crate::av::metadata::{Chapter, ContainerMetadata};
use crate::av::{AvPacket, StreamInfo};
use crate::error::{Error, Result};
use crate::options::Speed;
use crate::protocol::{Break, Input, Opened};
use crate::time::Timestamp;

struct SpedInput {
    own: Box<dyn Input>,
    speed: Speed,
}

/// What was opened, at a speed.
///
/// # Errors
/// Where it is live: nothing comes sooner than it is.
pub(super) fn at_speed(opened: Opened, speed: Speed) -> Result<Opened> {
    if opened.is_live {
        return Err(Error::usage(
            "a live stream has a speed of its own: only stored input has another",
        ));
    }
    let scaled = |stream: StreamInfo| scaled(stream, speed);
    Ok(Opened {
        input: Box::new(SpedInput { own: opened.input, speed }),
        video: opened.video.map(scaled),
        audio: opened.audio.map(scaled),
        begin: speed.of_time(opened.begin),
        ..opened
    })
}

fn scaled(stream: StreamInfo, speed: Speed) -> StreamInfo {
    StreamInfo {
        time_base: speed.of_base(stream.time_base),
        frame_rate: stream.frame_rate.and_then(|rate| speed.of_rate(rate)),
        ..stream
    }
}

impl SpedInput {
    fn micros(&self, micros: i64) -> i64 {
        self.speed.of_time(Timestamp::from_micros(micros)).as_micros()
    }
}

impl Input for SpedInput {
    fn format_name(&self) -> &'static str {
        self.own.format_name()
    }

    fn streams(&self) -> Result<Vec<StreamInfo>> {
        let streams = self.own.streams()?.into_iter();
        Ok(streams.map(|stream| scaled(stream, self.speed)).collect())
    }

    fn read(&mut self) -> Result<Option<AvPacket>, Break> {
        self.own.read()
    }

    fn is_seekable(&self) -> bool {
        self.own.is_seekable()
    }

    fn seek_to_keyframe(
        &mut self,
        video: Option<&StreamInfo>,
        target: Timestamp,
        begin: Timestamp,
    ) -> Result<Option<VecDeque<AvPacket>>> {
        let streams = self.own.streams()?;
        let index = video.map(|video| video.index);
        let own = streams.iter().find(|stream| Some(stream.index) == index);
        let (target, begin) = (self.speed.own_time(target), self.speed.own_time(begin));
        self.own.seek_to_keyframe(own, target, begin)
    }

    fn rewind(&mut self) -> Result<()> {
        self.own.rewind()
    }

    fn clock_may_restart(&self) -> bool {
        self.own.clock_may_restart()
    }

    fn seems_joined(&mut self) -> bool {
        self.own.seems_joined()
    }

    fn duration_micros(&self) -> Option<i64> {
        self.own.duration_micros().map(|micros| self.micros(micros))
    }

    fn has_exact_duration(&self) -> bool {
        self.own.has_exact_duration()
    }

    fn bit_rate(&self) -> i64 {
        self.own.bit_rate()
    }

    fn metadata(&self) -> ContainerMetadata {
        let own = self.own.metadata();
        let chapters = own.chapters.into_iter().map(|chapter| Chapter {
            start: self.speed.of_time(chapter.start),
            end: self.speed.of_time(chapter.end),
            ..chapter
        });
        ContainerMetadata { chapters: chapters.collect(), ..own }
    }

    fn dump(&self, number: usize, url: &str) -> Option<String> {
        self.own.dump(number, url)
    }

    fn set_stall_limit(&mut self, limit: Duration) {
        self.own.set_stall_limit(limit);
    }

    fn read_only(&mut self, streams: &[usize]) {
        self.own.read_only(streams);
    }

    fn accept_new_streams(&mut self) -> bool {
        self.own.accept_new_streams()
    }

    fn new_stream(&mut self) -> Option<StreamInfo> {
        self.own.new_stream().map(|stream| scaled(stream, self.speed))
    }

    fn is_stand_in(&self) -> bool {
        self.own.is_stand_in()
    }

    fn seen(&self) -> [bool; 2] {
        self.own.seen()
    }
}
