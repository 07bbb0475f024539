//! Decoded sound, and views of its samples.

use crate::av::{AvError, AvFrame, Sample};
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::time::arrival::Arrival;
use crate::time::{TimeBase, Timestamp};

/// A piece of decoded sound: the samples as the codec left them, and where they belong in time. How many
/// there are is the codec's affair: 1024 a channel with AAC.
///
/// You pay for what you touch. Samples that were only read go to the encoder as they were decoded. Those that
/// are edited are converted to the format that you ask for, in place, where the codec's own is another one.
pub struct AudioFrame {
    pub(crate) samples: AvFrame,
    /// The unit of the samples' pts.
    pub(crate) time_base: TimeBase,
    /// Where they begin, to the sample.
    pub(crate) begin: Timestamp,
    /// When what they are made of came.
    pub(crate) arrived: Option<Arrival>,
}

impl AudioFrame {
    /// Sound of your own, from numbers from -1 to 1: the channels of a moment side by side, in the order
    /// that the layout has. `channel_layout` is FFmpeg's name: `mono`, `stereo`, `5.1`. It is heard from
    /// `pts` on, `sample_rate` moments a second.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a layout that FFmpeg doesn't have, a rate of 0, a last moment that lacks a
    /// channel, and for a sample that is no number.
    pub fn from_interleaved_f32(
        samples: &[f32],
        sample_rate: u32,
        channel_layout: &str,
        pts: Timestamp,
    ) -> Result<AudioFrame> {
        if samples.iter().any(|sample| !sample.is_finite()) {
            return Err(not_finite());
        }
        AudioFrame::of_samples(samples, sample_rate, channel_layout, pts)
    }

    /// The same from whole numbers of 16 bits.
    ///
    /// # Errors
    /// As [`AudioFrame::from_interleaved_f32`].
    pub fn from_interleaved_s16(
        samples: &[i16],
        sample_rate: u32,
        channel_layout: &str,
        pts: Timestamp,
    ) -> Result<AudioFrame> {
        AudioFrame::of_samples(samples, sample_rate, channel_layout, pts)
    }

    fn of_samples<T: Sample>(
        samples: &[T],
        sample_rate: u32,
        channel_layout: &str,
        pts: Timestamp,
    ) -> Result<AudioFrame> {
        let base = i32::try_from(sample_rate).ok().and_then(|rate| TimeBase::new(1, rate));
        let Some(base) = base else { return Err(no_rate(sample_rate)) };
        let channels =
            usize::try_from(AudioFrame::channels_of(channel_layout)?).unwrap_or(1).max(1);
        if samples.is_empty() || !samples.len().is_multiple_of(channels) {
            let count = samples.len();
            return Err(Error::usage(format!(
                "{count} samples are no sound of {channels} channels"
            )));
        }
        let frame = AvFrame::of_samples(sample_rate, channel_layout, samples)
            .map_err(|e| e.in_stage(Stage::Convert))?;
        let (time_base, begin) = (base, pts.rescale(base));
        Ok(AudioFrame { samples: frame, time_base, begin, arrived: None }.in_samples())
    }

    /// How many channels a layout has, by FFmpeg's name of it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a layout that FFmpeg doesn't have.
    pub fn channels_of(channel_layout: &str) -> Result<u32> {
        let moment = AvFrame::moment::<i16>(48_000, channel_layout);
        moment.map(|moment| moment.sound().1).map_err(|_| no_layout(channel_layout))
    }

    /// Samples a second of each channel.
    pub fn sample_rate(&self) -> u32 {
        self.samples.sound().0
    }

    /// How many channels there are.
    pub fn channels(&self) -> u32 {
        self.samples.sound().1
    }

    /// How many samples each channel has.
    pub fn samples(&self) -> usize {
        usize::try_from(self.samples.samples().1).unwrap_or(0)
    }

    /// When the first sample is to be heard, exact to the sample; zero is where the input starts.
    pub fn pts(&self) -> Timestamp {
        self.begin
    }

    /// How long it is to be heard.
    pub fn duration(&self) -> Timestamp {
        self.length()
    }

    /// FFmpeg's name of the format that the samples have now: `fltp`, `s16`.
    pub fn format_name(&self) -> &'static str {
        self.samples.sample_format()
    }

    /// A copy of the samples as numbers from -1 to 1, each channel by itself.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for samples that can't be converted.
    pub fn to_planar_f32(&self) -> Result<Vec<Vec<f32>>> {
        self.copied(f32::PLANAR)
    }

    /// A copy of the samples as numbers from -1 to 1, the channels of a moment side by side.
    ///
    /// # Errors
    /// As [`AudioFrame::to_planar_f32`].
    pub fn to_interleaved_f32(&self) -> Result<Vec<f32>> {
        Ok(self.copied(f32::INTERLEAVED)?.swap_remove(0))
    }

    /// A copy of the samples as whole numbers of 16 bits, the channels of a moment side by side.
    ///
    /// # Errors
    /// As [`AudioFrame::to_planar_f32`].
    pub fn to_interleaved_s16(&self) -> Result<Vec<i16>> {
        Ok(self.copied(i16::INTERLEAVED)?.swap_remove(0))
    }

    /// The samples to be changed, as numbers from -1 to 1: a slice for each channel.
    ///
    /// # Errors
    /// As [`AudioFrame::to_planar_f32`].
    pub fn planar_f32_mut(&mut self) -> Result<Vec<&mut [f32]>> {
        self.changed(f32::PLANAR)
    }

    /// The samples to be changed, as numbers from -1 to 1, the channels of a moment side by side.
    ///
    /// # Errors
    /// As [`AudioFrame::to_planar_f32`].
    pub fn interleaved_f32_mut(&mut self) -> Result<&mut [f32]> {
        Ok(self.changed(f32::INTERLEAVED)?.swap_remove(0))
    }

    /// The samples to be changed, as whole numbers of 16 bits, the channels of a moment side by side. What a
    /// codec has in more bits is rounded.
    ///
    /// # Errors
    /// As [`AudioFrame::to_planar_f32`].
    pub fn interleaved_s16_mut(&mut self) -> Result<&mut [i16]> {
        Ok(self.changed(i16::INTERLEAVED)?.swap_remove(0))
    }

    fn copied<T: Sample>(&self, format: &str) -> Result<Vec<Vec<T>>> {
        let own = |frame: &AvFrame| {
            let planes = frame.sample_planes::<T>().filter(|planes| !planes.is_empty());
            planes.map(|planes| planes.into_iter().map(<[T]>::to_vec).collect())
        };
        if self.samples.sample_format() == format {
            return own(&self.samples).ok_or_else(no_samples);
        }
        let converted = self.samples.in_sample_format(format, self.time_base);
        own(&converted.map_err(|e| e.in_stage(Stage::Convert))?).ok_or_else(no_samples)
    }

    fn changed<T: Sample>(&mut self, format: &str) -> Result<Vec<&mut [T]>> {
        if self.samples.sample_format() != format {
            let converted = self.samples.in_sample_format(format, self.time_base);
            self.samples = converted.map_err(|e| e.in_stage(Stage::Convert))?;
        }
        let planes = self.samples.sample_planes_mut::<T>();
        let planes = planes.map_err(|e| e.in_stage(Stage::Convert))?;
        planes.filter(|planes| !planes.is_empty()).ok_or_else(no_samples)
    }
}

/// Refuses a rate and a layout of which there is no sound.
pub(crate) fn check_sound(sample_rate: u32, channel_layout: &str) -> Result<()> {
    let channels = usize::try_from(AudioFrame::channels_of(channel_layout)?).unwrap_or(1);
    let moment = vec![0i16; channels];
    AudioFrame::from_interleaved_s16(&moment, sample_rate, channel_layout, Timestamp::ZERO)
        .map(drop)
}

/// The error for samples of which one is no number.
pub(crate) fn not_finite() -> Error {
    Error::usage("a sample is not a number (NaN), or infinite")
}

fn no_rate(rate: u32) -> Error {
    Error::usage(format!(
        "{rate} samples a second is no rate of sound: write 48000 or 44100, for one"
    ))
}

fn no_layout(name: &str) -> Error {
    Error::usage(format!(
        "there is no channel layout '{name}': write mono, stereo, 2.1, 4.0, 5.0, 5.1, 6.1 or 7.1"
    ))
}

fn no_samples() -> Error {
    Error::new(ErrorKind::InvalidData, Stage::Convert, "there are no such samples in it")
}

impl std::fmt::Debug for AudioFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (rate, channels, format) = (self.sample_rate(), self.channels(), self.format_name());
        let samples = self.samples();
        write!(f, "AudioFrame at {}: {samples} {format}, {rate} Hz, {channels} ch", self.begin)
    }
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
    ) -> std::result::Result<Option<AudioFrame>, AvError> {
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
    pub(crate) fn share(&self) -> std::result::Result<AudioFrame, AvError> {
        let AudioFrame { time_base, begin, arrived, .. } = *self;
        Ok(AudioFrame { samples: self.samples.share()?, time_base, begin, arrived })
    }

    /// Those that lie in a span; `None` where there are none.
    pub(crate) fn cut(
        self,
        span: SampleWindow,
    ) -> std::result::Result<Option<AudioFrame>, AvError> {
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
