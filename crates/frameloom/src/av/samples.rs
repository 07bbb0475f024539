use ffmpeg_sys_next as ff;

use super::{AudioShape, AvError, AvFilterGraph, AvFrame, GraphInput, Received};
use crate::time::TimeBase;

/// A kind of samples whose values can be looked at.
pub(crate) trait Sample: Copy + 'static {
    /// libav's name where the channels of a moment stand side by side.
    const INTERLEAVED: &'static str;
    /// libav's name where each channel has a plane of its own.
    const PLANAR: &'static str;
}

impl Sample for f32 {
    const INTERLEAVED: &'static str = "flt";
    const PLANAR: &'static str = "fltp";
}

impl Sample for i16 {
    const INTERLEAVED: &'static str = "s16";
    const PLANAR: &'static str = "s16p";
}

impl AvFrame {
    /// The name of the format of its samples; empty for what is no sound.
    pub(crate) fn sample_format(&self) -> &'static str {
        let (format, _) = self.samples();
        if format < 0 {
            return "";
        }
        // SAFETY: the number is that of a frame of sound, which libav wrote; the table of names is static.
        unsafe {
            super::text(ff::av_get_sample_fmt_name(std::mem::transmute::<i32, ff::AVSampleFormat>(
                format,
            )))
        }
    }

    /// How many planes it has, and how many values in each, where its samples are of this kind.
    fn sample_shape<T: Sample>(&self) -> Option<(usize, usize)> {
        let ((_, count), (_, channels)) = (self.samples(), self.sound());
        let (count, channels) = (usize::try_from(count).ok()?, usize::try_from(channels).ok()?);
        match self.sample_format() {
            name if name == T::PLANAR => Some((channels, count)),
            name if name == T::INTERLEAVED => Some((1, count * channels)),
            _ => None,
        }
    }

    /// Its samples, a slice for each plane; `None` where they are of another kind.
    pub(crate) fn sample_planes<T: Sample>(&self) -> Option<Vec<&[T]>> {
        let (planes, length) = self.sample_shape::<T>()?;
        let plane = |n: usize| {
            // SAFETY: a frame of sound has a pointer for each plane in `extended_data`, to as many values
            // as it has samples, times its channels where they are interleaved; its format says that they
            // are of this type, and libav aligns them.
            unsafe {
                let data = *(*self.as_ptr()).extended_data.add(n);
                std::slice::from_raw_parts(data.cast::<T>(), length)
            }
        };
        Some((0..planes).map(plane).collect())
    }

    /// The same, to be changed: copied first where somebody else refers to them.
    pub(crate) fn sample_planes_mut<T: Sample>(
        &mut self,
    ) -> Result<Option<Vec<&mut [T]>>, AvError> {
        let Some((planes, length)) = self.sample_shape::<T>() else { return Ok(None) };
        self.make_writable()?;
        let frame = self.as_mut_ptr();
        let plane = |n: usize| {
            // SAFETY: as above; the buffers are this frame's alone, and its planes don't overlap.
            unsafe {
                let data = *(*frame).extended_data.add(n);
                std::slice::from_raw_parts_mut(data.cast::<T>(), length)
            }
        };
        Ok(Some((0..planes).map(plane).collect()))
    }

    /// A moment of silence, which tells how many channels a layout has, by libav's name of it.
    pub(crate) fn moment<T: Sample>(
        sample_rate: u32,
        channel_layout: &str,
    ) -> Result<AvFrame, AvError> {
        let shape = AudioShape {
            sample_rate,
            sample_format: T::INTERLEAVED.to_owned(),
            channel_layout: channel_layout.to_owned(),
        };
        AvFrame::silence(&shape, 1)
    }

    /// Sound of one's own: the channels of a moment side by side, in the order that the layout has by
    /// libav's name. What is too short for its last moment is left out.
    pub(crate) fn of_samples<T: Sample>(
        sample_rate: u32,
        channel_layout: &str,
        samples: &[T],
    ) -> Result<AvFrame, AvError> {
        let moment = AvFrame::moment::<T>(sample_rate, channel_layout)?;
        let channels = usize::try_from(moment.sound().1).unwrap_or(0).max(1);
        let count = u32::try_from(samples.len() / channels);
        let count = count.map_err(|_| AvError::errno(libc::EINVAL))?;
        let mut frame = moment.silent_like(count)?;
        let planes = frame.sample_planes_mut::<T>()?.unwrap_or_default();
        for plane in planes {
            let length = plane.len().min(samples.len());
            if let (Some(to), Some(from)) = (plane.get_mut(..length), samples.get(..length)) {
                to.copy_from_slice(from);
            }
        }
        Ok(frame)
    }

    /// The same sound in another format of samples.
    pub(crate) fn in_sample_format(
        &self,
        name: &str,
        time_base: TimeBase,
    ) -> Result<AvFrame, AvError> {
        let input = GraphInput { frame: self, time_base, frame_rate: None };
        let mut graph = AvFilterGraph::audio(&input, &format!("aformat=sample_fmts={name}"), None)?;
        graph.send(Some(self))?;
        graph.send(None)?;
        let Received::Item(mut frame) = graph.receive()? else {
            return Err(AvError::errno(libc::EINVAL));
        };
        frame.set_pts(self.pts());
        frame.set_duration(self.duration());
        if frame.samples().1 == self.samples().1 {
            Ok(frame)
        } else {
            Err(AvError::errno(libc::EINVAL))
        }
    }
}
