//! Decoded sound.

use crate::av::{AvError, AvFrame};
use crate::time::arrival::Arrival;
use crate::time::{TimeBase, Timestamp};

/// Decoded samples, and where they belong in time.
pub(crate) struct AudioFrame {
    pub(crate) samples: AvFrame,
    /// The unit of the samples' pts.
    pub(crate) time_base: TimeBase,
    /// Where they begin, to the sample.
    pub(crate) begin: Timestamp,
    /// When what they are made of came.
    pub(crate) arrived: Option<Arrival>,
}

/// A span of a stream, to the sample.
#[derive(Clone, Copy)]
pub(crate) struct SampleWindow {
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
}

impl AudioFrame {
    /// One tick for each sample, where the rate is known.
    fn sample_base(&self) -> Option<TimeBase> {
        let (rate, _) = self.samples.sound();
        i32::try_from(rate).ok().and_then(|rate| TimeBase::new(1, rate))
    }

    /// Silence of the kind of these samples, from one time to another; `None` where that is no time, or their
    /// rate isn't known.
    pub(crate) fn silence(
        like: &AvFrame,
        begin: Timestamp,
        end: Timestamp,
    ) -> Result<Option<AudioFrame>, AvError> {
        let (rate, _) = like.sound();
        let base = i32::try_from(rate).ok().and_then(|rate| TimeBase::new(1, rate));
        let Some(base) = base else { return Ok(None) };
        let begin = begin.rescale(base);
        let count = end.rescale(base).ticks().saturating_sub(begin.ticks());
        let Some(count) = u32::try_from(count).ok().filter(|count| *count > 0) else {
            return Ok(None);
        };
        let mut samples = like.silent_like(count)?;
        samples.set_pts(Some(begin.ticks()));
        samples.set_duration(i64::from(count));
        Ok(Some(AudioFrame { samples, time_base: base, begin, arrived: None }))
    }

    /// The same at other times, in samples.
    pub(crate) fn moved(mut self, by: Timestamp) -> AudioFrame {
        self.begin = match self.sample_base() {
            Some(base) => self.begin.plus(by).rescale(base),
            None => self.begin.plus(by),
        };
        self.in_samples()
    }

    /// How long they last.
    pub(crate) fn length(&self) -> Timestamp {
        let (_, count) = self.samples.samples();
        self.sample_base().map_or(Timestamp::ZERO, |sample| sample.at(count.into()))
    }

    /// The same with times in samples, which containers round.
    pub(crate) fn in_samples(mut self) -> AudioFrame {
        if let Some(base) = self.sample_base() {
            self.samples.set_pts(Some(self.begin.rescale(base).ticks()));
            self.samples.set_duration(self.length().rescale(base).ticks());
            self.time_base = base;
        }
        self
    }

    /// Another reference to the same samples.
    pub(crate) fn share(&self) -> Result<AudioFrame, AvError> {
        let AudioFrame { time_base, begin, arrived, .. } = *self;
        Ok(AudioFrame { samples: self.samples.share()?, time_base, begin, arrived })
    }

    /// Those that lie in a span; `None` where there are none.
    pub(crate) fn cut(self, span: SampleWindow) -> Result<Option<AudioFrame>, AvError> {
        let (_, count) = self.samples.samples();
        let Some(sample) = self.sample_base() else { return Ok(Some(self)) };
        let samples_to = |to: Timestamp| {
            let samples = to.rescale(sample).ticks() - self.begin.rescale(sample).ticks();
            u32::try_from(samples.max(0)).unwrap_or(u32::MAX)
        };
        let first = span.from.map_or(0, samples_to);
        let last = span.to.map_or(count, samples_to).min(count);
        if first >= last {
            return Ok(None);
        }
        if (first, last) == (0, count) {
            return Ok(Some(self));
        }
        let mut samples = self.samples.part(first, last - first)?;
        let begin = self.begin.rescale(sample).plus(sample.at(first.into()));
        if first > 0 {
            samples.set_pts(Some(begin.rescale(self.time_base).ticks()));
        }
        samples.set_duration(sample.at((last - first).into()).rescale(self.time_base).ticks());
        Ok(Some(AudioFrame { samples, begin, ..self }))
    }
}
