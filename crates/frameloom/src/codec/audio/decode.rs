//! Packets → samples.

use std::collections::VecDeque;

use super::reshape::Reshape;
use crate::av::{AvFrame, Decoder, Received, StreamInfo};
use crate::codec::audio_frame::{AudioFrame, SampleWindow};
use crate::codec::decode::open_decoder;
use crate::codec::packet::Packet;
use crate::error::{Result, Stage, were};
use crate::options::InputOptions;
use crate::stats::Stats;
use crate::time::arrival::Arrival;
use crate::time::{Round, TimeBase, Timestamp};

/// Samples in a piece of silence.
const SILENT_SAMPLES: u32 = 1024;

/// Decodes one audio stream, sample-exact on the pipeline's clock.
pub(crate) struct AudioDecoder {
    decoder: Decoder,
    /// The unit of the packets' times.
    time_base: TimeBase,
    /// What its sound passes, where it isn't taken as it is.
    reshape: Option<Reshape>,
    sought: bool,
    floor: Timestamp,
    /// Where what is wanted of the input ends.
    limit: Option<Timestamp>,
    ready: VecDeque<AudioFrame>,
    arrived: Option<Arrival>,
    next_pts: i64,
    failures: u64,
    /// Where the last frame that was decoded ends, in samples.
    sound_end: Option<Timestamp>,
    /// Where the last round of a loop ended: what begins before that is left out, or sound would fall
    /// behind the pictures with every round.
    round_end: Option<Timestamp>,
    /// A piece of silence like what came last.
    silence: Option<AvFrame>,
    /// Up to where there is to be silence.
    silent_until: Option<Timestamp>,
    /// Where the silence that was given out ends, to the sample.
    silent_from: Option<Timestamp>,
    stats: Stats,
}

/// What [`AudioDecoder::fill_at_most`] fills.
pub(crate) struct Filled {
    pub(crate) span: Timestamp,
    /// Something before it is left out.
    pub(crate) is_cut: bool,
}

impl AudioDecoder {
    pub(crate) fn open(
        stream: &StreamInfo,
        options: &InputOptions,
        is_live: bool,
        stats: Stats,
    ) -> Result<AudioDecoder> {
        let decoder = open_decoder(stream, options, is_live)?;
        Ok(AudioDecoder::of(decoder, stream.time_base, options, stats))
    }

    /// For an open decoder of a stream with this time base.
    pub(crate) fn of(
        decoder: Decoder,
        time_base: TimeBase,
        options: &InputOptions,
        stats: Stats,
    ) -> AudioDecoder {
        AudioDecoder {
            decoder,
            time_base,
            reshape: Reshape::of(options),
            sought: options.start.is_some(),
            floor: Timestamp::ZERO,
            limit: options.limit(),
            ready: VecDeque::new(),
            arrived: None,
            next_pts: 0,
            failures: 0,
            sound_end: None,
            round_end: None,
            silence: None,
            silent_until: None,
            silent_from: None,
            stats,
        }
    }

    /// Goes on with packets of another connection to the source, by a decoder of their own. What
    /// is before their floor is not wanted.
    pub(crate) fn replace_source(&mut self, decoder: Decoder, time_base: TimeBase) {
        self.decoder = decoder;
        self.next_pts = self.time_base.at(self.next_pts).rescale(time_base).ticks();
        self.time_base = time_base;
        self.sought = true;
    }

    /// Leaves out what is before `floor`.
    pub(crate) fn begin_at(&mut self, floor: Timestamp) {
        self.next_pts = floor.rescale(self.time_base).ticks();
        self.sought = true;
    }

    /// Gives out silence next, from where the sound ended up to `until`.
    pub(crate) fn fill(&mut self, until: Timestamp) {
        (self.silent_from, self.silent_until) = (None, Some(until));
    }

    /// As [`AudioDecoder::fill`], but with no more than the last of it: what is before that is left out.
    pub(crate) fn fill_at_most(&mut self, until: Timestamp, span: Timestamp) -> Filled {
        self.fill(until);
        let (begin, from) = (self.silence_begin(), until.minus(span));
        if begin >= from {
            let span = until.minus(begin).max(Timestamp::ZERO);
            return Filled { span, is_cut: false };
        }
        self.silent_from = Some(from);
        Filled { span, is_cut: true }
    }

    /// Where silence that is given out next begins.
    fn silence_begin(&self) -> Timestamp {
        let sound_end = self.sound_end.filter(|_| self.reshape.is_some());
        let begin = self.silent_from.or(sound_end);
        begin.unwrap_or_else(|| self.time_base.at(self.next_pts))
    }

    /// Sends one packet. A damaged one is counted, not an error.
    pub(crate) fn send(&mut self, packet: &Packet) -> Result<()> {
        self.arrived = packet.arrived;
        self.floor = packet.floor;
        self.silent_until = None;
        if packet.discontinuity {
            self.drain_decoder()?;
            self.decoder.flush();
            self.round_end = self.sound_end;
        }
        loop {
            let accepted = match self.decoder.send(Some(&packet.av)) {
                Ok(accepted) => accepted,
                Err(_) => {
                    self.failures += 1;
                    self.stats.packet_corrupt();
                    true
                }
            };
            self.take_frames()?;
            if accepted {
                return Ok(());
            }
        }
    }

    /// Drains the decoder: what it still holds can be received then.
    pub(crate) fn drain(&mut self) -> Result<()> {
        self.drain_decoder()?;
        if let Some(reshape) = &mut self.reshape {
            reshape.drain()?.into_iter().try_for_each(|(frame, base)| self.take(frame, base))?;
        }
        if self.failures > 0 {
            let left_out = were(self.failures, "damaged or undecodable packet");
            tracing::warn!("{left_out} left out of the audio");
        }
        Ok(())
    }

    fn drain_decoder(&mut self) -> Result<()> {
        while !self.decoder.send(None).map_err(|e| e.in_stage(Stage::Decode))? {
            self.take_frames()?;
        }
        self.take_frames()
    }

    /// The next samples, in the order of time.
    pub(crate) fn receive(&mut self) -> Result<Option<AudioFrame>> {
        match self.ready.pop_front() {
            Some(frame) => Ok(Some(frame)),
            None => self.next_silence(),
        }
    }

    fn next_silence(&mut self) -> Result<Option<AudioFrame>> {
        let (Some(until), Some(silence)) = (self.silent_until, &self.silence) else {
            return Ok(None);
        };
        let (count, (rate, _)) = (silence.samples().1, silence.sound());
        let Some(sample) = i32::try_from(rate).ok().and_then(|rate| TimeBase::new(1, rate)) else {
            return Ok(None);
        };
        let begin = self.silence_begin();
        let piece = sample.at(count.into());
        let end = begin.rescale(sample).plus(piece);
        if end > until {
            self.silent_until = None;
            return Ok(None);
        }
        let mut samples = silence.share().map_err(|e| e.in_stage(Stage::Decode))?;
        samples.set_pts(Some(begin.rescale(self.time_base).ticks()));
        samples.set_duration(piece.rescale(self.time_base).ticks());
        self.next_pts = end.rescale(self.time_base).ticks();
        self.silent_from = Some(end);
        if self.reshape.is_some() {
            self.sound_end = Some(end);
        }
        self.arrived = None;
        Ok(Some(AudioFrame { samples, time_base: self.time_base, begin, arrived: None }))
    }

    fn take_frames(&mut self) -> Result<()> {
        loop {
            match self.decoder.receive() {
                Ok(Received::Item(frame)) => self.accept(frame)?,
                Ok(Received::Again | Received::End) => return Ok(()),
                Err(_) => {
                    self.failures += 1;
                    self.stats.packet_corrupt();
                    return Ok(());
                }
            }
        }
    }

    fn accept(&mut self, mut frame: AvFrame) -> Result<()> {
        frame.assume_channel_layout();
        let pts = frame.best_effort_pts().unwrap_or(self.next_pts);
        frame.set_pts(Some(pts));
        self.next_pts = pts.saturating_add(frame.duration().max(1));
        let Some(reshape) = &mut self.reshape else { return self.take(frame, self.time_base) };
        let reshaped = reshape.send(&frame, self.time_base)?;
        reshaped.into_iter().try_for_each(|(frame, base)| self.take(frame, base))
    }

    /// Takes what is to be given out, with pts in this unit.
    fn take(&mut self, frame: AvFrame, time_base: TimeBase) -> Result<()> {
        let begin = self.continued(&frame, time_base);
        let from = self.sought.then_some(self.floor).max(self.round_end);
        let wanted = SampleWindow { from, to: self.limit };
        let frame = AudioFrame { samples: frame, time_base, begin, arrived: self.arrived };
        let Some(frame) = frame.cut(wanted).map_err(|e| e.in_stage(Stage::Decode))? else {
            return Ok(());
        };
        let shape = |frame: &AvFrame| (frame.samples().0, frame.sound());
        if self.silence.as_ref().is_none_or(|silence| shape(silence) != shape(&frame.samples)) {
            let silence = frame.samples.silent_like(SILENT_SAMPLES);
            self.silence = Some(silence.map_err(|e| e.in_stage(Stage::Decode))?);
        }
        self.ready.push_back(frame);
        Ok(())
    }

    /// Where a frame begins, to the sample: where the last one ended, unless its pts says something
    /// else than rounding to the container's ticks can explain.
    fn continued(&mut self, frame: &AvFrame, base: TimeBase) -> Timestamp {
        let at = base.at(frame.pts().unwrap_or(0));
        let ((_, count), (rate, _)) = (frame.samples(), frame.sound());
        let Some(sample) = i32::try_from(rate).ok().and_then(|rate| TimeBase::new(1, rate)) else {
            return at;
        };
        let rounded = at.rescale(sample);
        let tick = base.at(1).rescale_rounded(sample, Round::Up).ticks();
        let goes_on =
            |end: &Timestamp| end.base() == sample && (end.ticks() - rounded.ticks()).abs() <= tick;
        let at = self.sound_end.filter(goes_on).unwrap_or(rounded);
        self.sound_end = Some(at.plus(sample.at(count.into())));
        at
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::av::{Demuxer, Dict, Interrupt, MediaKind};
    use crate::time::clock::RealClock;
    use crate::time::stop::Stop;

    /// A decoder that has decoded a second of sound, 8000 samples.
    fn after_a_second() -> AudioDecoder {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("sound.raw");
        std::fs::write(&file, vec![7; 16_000]).unwrap();
        let mut options = Dict::from_pairs([("sample_rate", "8000")]);
        let (url, stop) = (file.to_str().unwrap(), Interrupt::new(Stop::new()));
        let mut demuxer = Demuxer::open(url, Some("s16le"), &mut options, stop).unwrap();
        let stream = demuxer.stream(0).unwrap();
        let stats = Stats::new(None, Arc::new(RealClock));
        let options = InputOptions::new();
        let mut decoder = AudioDecoder::open(&stream, &options, false, stats).unwrap();
        while let Some(av) = demuxer.read().unwrap() {
            let packet = Packet {
                av,
                kind: MediaKind::Audio,
                stream: 0,
                time_base: stream.time_base,
                arrived: None,
                quality: None,
                floor: Timestamp::ZERO,
                discontinuity: false,
            };
            decoder.send(&packet).unwrap();
            while decoder.receive().unwrap().is_some() {}
        }
        decoder
    }

    /// Where the silence begins and ends, in milliseconds.
    fn silence(decoder: &mut AudioDecoder) -> Option<(i64, i64)> {
        let millis = |time: Timestamp| time.rescale(TimeBase::MILLIS).ticks();
        let mut found = None;
        while let Some(frame) = decoder.receive().unwrap() {
            let (begin, rate) = (frame.begin, TimeBase::new(1, 8000).unwrap());
            let end = begin.rescale(rate).plus(rate.at(frame.samples.samples().1.into()));
            let (first, last) = found.get_or_insert((millis(begin), millis(begin)));
            assert_eq!(*last, millis(begin), "a gap behind {first}");
            *last = millis(end);
        }
        found
    }

    #[test]
    fn of_a_long_silence_the_last_part_is_filled() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let mut decoder = after_a_second();
        let filled = decoder.fill_at_most(at(5), at(20));
        assert!(!filled.is_cut && filled.span == at(4));
        let (begin, end) = silence(&mut decoder).unwrap();
        assert!(begin == 1000 && (4800..=5000).contains(&end), "{begin} to {end}");
        let filled = decoder.fill_at_most(at(3600), at(20));
        assert!(filled.is_cut && filled.span == at(20));
        let (begin, end) = silence(&mut decoder).unwrap();
        assert!(begin == 3_580_000 && (3_599_800..=3_600_000).contains(&end), "{begin} to {end}");
    }
}
