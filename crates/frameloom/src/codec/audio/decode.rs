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
    /// A piece of silence like what came last.
    silence: Option<AvFrame>,
    /// Up to where there is to be silence.
    silent_until: Option<Timestamp>,
    /// Where the silence that was given out ends, to the sample.
    silent_from: Option<Timestamp>,
    stats: Stats,
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

    /// Sends one packet. A damaged one is counted, not an error.
    pub(crate) fn send(&mut self, packet: &Packet) -> Result<()> {
        self.arrived = packet.arrived;
        self.floor = packet.floor;
        self.silent_until = None;
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
        while !self.decoder.send(None).map_err(|e| e.in_stage(Stage::Decode))? {
            self.take_frames()?;
        }
        self.take_frames()?;
        if let Some(reshape) = &mut self.reshape {
            reshape.drain()?.into_iter().try_for_each(|(frame, base)| self.take(frame, base))?;
        }
        if self.failures > 0 {
            let left_out = were(self.failures, "damaged or undecodable packet");
            tracing::warn!("{left_out} left out of the audio");
        }
        Ok(())
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
        let sound_end = self.sound_end.filter(|_| self.reshape.is_some());
        let begin = self.silent_from.or(sound_end);
        let begin = begin.unwrap_or_else(|| self.time_base.at(self.next_pts));
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
        let wanted = SampleWindow { from: self.sought.then_some(self.floor), to: self.limit };
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
