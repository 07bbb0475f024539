use std::ffi::CStr;

use ffmpeg_sys_next as ff;

use super::{AudioShape, AvError, ColorTags, PixFmt, c_string};
use crate::time::TimeBase;

/// An owned, reference-counted AVFrame.
pub(crate) struct AvFrame(*mut ff::AVFrame);

impl AvFrame {
    /// A frame without content.
    pub(crate) fn empty() -> Result<AvFrame, AvError> {
        // SAFETY: allocates; null is checked.
        let f = unsafe { ff::av_frame_alloc() };
        if f.is_null() { Err(AvError::no_memory()) } else { Ok(AvFrame(f)) }
    }

    /// A picture whose content is whatever the memory held.
    pub(crate) fn picture(format: PixFmt, width: u32, height: u32) -> Result<AvFrame, AvError> {
        let mut frame = AvFrame::empty()?;
        let f = frame.get_mut();
        f.format = format.raw();
        f.width = libc::c_int::try_from(width).map_err(|_| AvError::errno(libc::EINVAL))?;
        f.height = libc::c_int::try_from(height).map_err(|_| AvError::errno(libc::EINVAL))?;
        // SAFETY: a blank frame with format and size set, as the function wants.
        AvError::check(unsafe { ff::av_frame_get_buffer(frame.0, 0) })?;
        Ok(frame)
    }

    /// A frame without content, of the same kind.
    pub(crate) fn like(&self) -> Result<AvFrame, AvError> {
        let mut frame = AvFrame::empty()?;
        frame.copy_props(self)?;
        let (f, own) = (frame.get_mut(), self.get());
        (f.format, f.width, f.height) = (own.format, own.width, own.height);
        // SAFETY: both are valid frames of ours, and the new one's layout is blank.
        AvError::check(unsafe { ff::av_channel_layout_copy(&mut f.ch_layout, &own.ch_layout) })?;
        if !own.hw_frames_ctx.is_null() {
            // SAFETY: a valid reference, and a blank field.
            f.hw_frames_ctx = unsafe { ff::av_buffer_ref(own.hw_frames_ctx) };
        }
        Ok(frame)
    }

    /// Whether another frame is of the same kind: format, size and shape, or rate and channels.
    pub(crate) fn is_like(&self, other: &AvFrame) -> bool {
        let (f, o) = (self.get(), other.get());
        let shape = |f: &ff::AVFrame| (f.format, f.width, f.height, f.sample_rate);
        // SAFETY: the layouts of two valid frames.
        let channels = unsafe { ff::av_channel_layout_compare(&f.ch_layout, &o.ch_layout) };
        shape(f) == shape(o)
            && channels == 0
            && self.surfaces_id() == other.surfaces_id()
            && self.sample_aspect_ratio() == other.sample_aspect_ratio()
    }

    /// The memory that its content takes.
    pub(crate) fn size_bytes(&self) -> usize {
        let buffers = self.get().buf.iter().filter(|buffer| !buffer.is_null());
        // SAFETY: a frame's buffers are valid references.
        buffers.map(|buffer| unsafe { (**buffer).size }).sum()
    }

    /// So many samples of silence.
    pub(crate) fn silence(shape: &AudioShape, samples: u32) -> Result<AvFrame, AvError> {
        let mut frame = AvFrame::empty()?;
        let (format, layout) = (c_string(&shape.sample_format), c_string(&shape.channel_layout));
        let f = frame.get_mut();
        f.sample_rate = libc::c_int::try_from(shape.sample_rate).unwrap_or(0);
        // SAFETY: NUL-terminated strings; the layout is a field of a blank frame of ours.
        unsafe {
            f.format = ff::av_get_sample_fmt(format.as_ptr()) as i32;
            AvError::check(ff::av_channel_layout_from_string(&mut f.ch_layout, layout.as_ptr()))?;
        }
        frame.fill_with_silence(samples)
    }

    /// So many samples of silence, of the kind that these are of.
    pub(crate) fn silent_like(&self, samples: u32) -> Result<AvFrame, AvError> {
        let mut frame = AvFrame::empty()?;
        let f = frame.get_mut();
        f.format = self.get().format;
        f.sample_rate = self.get().sample_rate;
        // SAFETY: both are valid frames of ours, and the new one's layout is blank.
        AvError::check(unsafe {
            ff::av_channel_layout_copy(&mut f.ch_layout, &self.get().ch_layout)
        })?;
        frame.fill_with_silence(samples)
    }

    /// Gives a frame whose kind of samples is set so many of them.
    fn fill_with_silence(mut self, samples: u32) -> Result<AvFrame, AvError> {
        let f = self.get_mut();
        f.nb_samples = libc::c_int::try_from(samples).map_err(|_| AvError::errno(libc::EINVAL))?;
        // SAFETY: a frame without content that has kind, rate, layout and number of samples; the
        // format's number was libav's own, and the frame then has room for what is silenced.
        unsafe {
            AvError::check(ff::av_frame_get_buffer(self.0, 0))?;
            let f = &*self.0;
            ff::av_samples_set_silence(
                f.extended_data,
                0,
                f.nb_samples,
                f.ch_layout.nb_channels,
                std::mem::transmute::<i32, ff::AVSampleFormat>(f.format),
            );
        }
        Ok(self)
    }

    /// So many of its samples, from one on.
    pub(crate) fn part(&self, from: u32, count: u32) -> Result<AvFrame, AvError> {
        let there = self.samples().1;
        let from = from.min(there);
        let mut part = self.silent_like(count.min(there - from))?;
        part.copy_props(self)?;
        let number = |n: u32| libc::c_int::try_from(n).unwrap_or(0);
        let f = self.get();
        // SAFETY: both hold samples of one kind in as many channels; `from` and the part's number of
        // samples together are at most as many as this frame has.
        AvError::check(unsafe {
            ff::av_samples_copy(
                part.get().extended_data,
                f.extended_data,
                0,
                number(from),
                part.get().nb_samples,
                f.ch_layout.nb_channels,
                std::mem::transmute::<i32, ff::AVSampleFormat>(f.format),
            )
        })?;
        Ok(part)
    }

    /// Samples a second, and channels.
    pub(crate) fn sound(&self) -> (u32, u32) {
        let f = self.get();
        let known = |n: libc::c_int| u32::try_from(n).unwrap_or(0);
        (known(f.sample_rate), known(f.ch_layout.nb_channels))
    }

    /// The sample format's number, and how many samples there are.
    pub(crate) fn samples(&self) -> (i32, u32) {
        (self.get().format, u32::try_from(self.get().nb_samples).unwrap_or(0))
    }

    /// Whether every sample is close to nothing. Of floating-point samples in planes only.
    #[cfg(test)]
    pub(crate) fn is_silent(&self) -> bool {
        let f = self.get();
        let count = usize::try_from(f.nb_samples).unwrap_or(0);
        // SAFETY: a valid frame has a plane of `nb_samples` samples in its first place; which kind
        // they are of is looked at first.
        unsafe {
            if f.format == ff::AVSampleFormat::AV_SAMPLE_FMT_FLTP as i32 {
                let plane = std::slice::from_raw_parts(f.data[0].cast::<f32>(), count);
                return plane.iter().all(|sample| sample.abs() < 1e-3);
            }
            let plane = std::slice::from_raw_parts(f.data[0].cast::<i16>(), count);
            f.format == ff::AVSampleFormat::AV_SAMPLE_FMT_S16P as i32
                && plane.iter().all(|sample| sample.abs() < 33)
        }
    }

    pub(super) fn as_ptr(&self) -> *const ff::AVFrame {
        self.0
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ff::AVFrame {
        self.0
    }

    fn get(&self) -> &ff::AVFrame {
        // SAFETY: never null, and only reachable through &self.
        unsafe { &*self.0 }
    }

    fn get_mut(&mut self) -> &mut ff::AVFrame {
        // SAFETY: never null, and only reachable through &mut self.
        unsafe { &mut *self.0 }
    }

    /// Another reference to the same picture.
    pub(crate) fn share(&self) -> Result<AvFrame, AvError> {
        let copy = AvFrame::empty()?;
        // SAFETY: both are valid frames of ours and the new one is blank.
        AvError::check(unsafe { ff::av_frame_ref(copy.0, self.0) })?;
        Ok(copy)
    }

    /// A part of the picture, whose pixels are shared. Its corner must cut no chroma sample.
    pub(crate) fn cropped(
        &self,
        (left, top): (u32, u32),
        (width, height): (u32, u32),
    ) -> Result<AvFrame, AvError> {
        let right = self.width().checked_sub(left.saturating_add(width));
        let bottom = self.height().checked_sub(top.saturating_add(height));
        let (Some(right), Some(bottom)) = (right, bottom) else {
            return Err(AvError::errno(libc::EINVAL));
        };
        let mut part = self.share()?;
        let f = part.get_mut();
        (f.crop_left, f.crop_right) = (left as usize, right as usize);
        (f.crop_top, f.crop_bottom) = (top as usize, bottom as usize);
        let flags = ff::AV_FRAME_CROP_UNALIGNED as libc::c_int;
        // SAFETY: a valid picture of ours, of which at least a pixel is left.
        AvError::check(unsafe { ff::av_frame_apply_cropping(f, flags) })?;
        Ok(part)
    }

    /// Copies times, tags and side data, not the picture.
    pub(crate) fn copy_props(&mut self, from: &AvFrame) -> Result<(), AvError> {
        // SAFETY: both are valid frames.
        AvError::check(unsafe { ff::av_frame_copy_props(self.0, from.0) }).map(drop)
    }

    /// Makes the picture ours alone, copying it where a decoder still refers to it.
    pub(crate) fn make_writable(&mut self) -> Result<(), AvError> {
        // SAFETY: a valid frame.
        AvError::check(unsafe { ff::av_frame_make_writable(self.0) }).map(drop)
    }

    pub(crate) fn width(&self) -> u32 {
        u32::try_from(self.get().width).unwrap_or(0)
    }

    pub(crate) fn height(&self) -> u32 {
        u32::try_from(self.get().height).unwrap_or(0)
    }

    pub(crate) fn format(&self) -> Option<PixFmt> {
        PixFmt::from_raw(self.get().format)
    }

    pub(crate) fn pts(&self) -> Option<i64> {
        super::optional(self.get().pts)
    }

    pub(crate) fn set_pts(&mut self, pts: Option<i64>) {
        self.get_mut().pts = super::or_no_pts(pts);
    }

    /// The quality that encoders with a scale of their own are to give it, in libav's units.
    pub(crate) fn set_quality(&mut self, quality: i32) {
        self.get_mut().quality = quality;
    }

    /// Gives samples whose layout nobody told the usual one for their number of channels.
    pub(crate) fn assume_channel_layout(&mut self) {
        let f = self.get_mut();
        if f.ch_layout.order == ff::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
            let channels = f.ch_layout.nb_channels;
            // SAFETY: the frame's own layout, which in this order owns nothing.
            unsafe { ff::av_channel_layout_default(&mut f.ch_layout, channels) };
        }
    }

    /// The decoder's best guess at the pts.
    pub(crate) fn best_effort_pts(&self) -> Option<i64> {
        super::optional(self.get().best_effort_timestamp).or(self.pts())
    }

    pub(crate) fn duration(&self) -> i64 {
        #[cfg(ffmpeg_6_0)]
        return self.get().duration;
        #[cfg(not(ffmpeg_6_0))]
        return self.get().pkt_duration;
    }

    pub(crate) fn set_duration(&mut self, duration: i64) {
        #[cfg(ffmpeg_6_0)]
        {
            self.get_mut().duration = duration;
        }
        #[cfg(not(ffmpeg_6_0))]
        {
            self.get_mut().pkt_duration = duration;
        }
    }

    pub(crate) fn rescale_pts(&mut self, from: TimeBase, to: TimeBase) {
        let pts = self.pts().map(|t| from.at(t).rescale(to).ticks());
        self.set_pts(pts);
        let duration = from.at(self.duration()).rescale(to).ticks();
        self.set_duration(duration);
    }

    pub(crate) fn is_key(&self) -> bool {
        #[cfg(ffmpeg_6_1)]
        return self.get().flags & ff::AV_FRAME_FLAG_KEY != 0;
        #[cfg(not(ffmpeg_6_1))]
        return self.get().key_frame != 0;
    }

    /// Asks the encoder for a keyframe here, or leaves the choice to it. The decoder's own choice
    /// must not become an order.
    pub(crate) fn request_key(&mut self, key: bool) {
        use ff::AVPictureType::{AV_PICTURE_TYPE_I, AV_PICTURE_TYPE_NONE};
        self.get_mut().pict_type = if key { AV_PICTURE_TYPE_I } else { AV_PICTURE_TYPE_NONE };
    }

    pub(crate) fn sample_aspect_ratio(&self) -> Option<(i32, i32)> {
        let q = self.get().sample_aspect_ratio;
        (q.num > 0 && q.den > 0).then_some((q.num, q.den))
    }

    /// Sets the shape of a pixel; `None` where it is not known.
    pub(crate) fn set_sample_aspect_ratio(&mut self, aspect: Option<(i32, i32)>) {
        let (num, den) = aspect.unwrap_or((0, 1));
        self.get_mut().sample_aspect_ratio = ff::AVRational { num, den };
    }

    pub(crate) fn colors(&self) -> ColorTags {
        let f = self.0;
        // SAFETY: a valid frame.
        unsafe {
            ColorTags::read(
                &raw const (*f).colorspace,
                &raw const (*f).color_range,
                &raw const (*f).color_primaries,
                &raw const (*f).color_trc,
                &raw const (*f).chroma_location,
            )
        }
    }

    /// Sets the matrix and the range, numbered as in [`ColorTags`].
    pub(crate) fn set_matrix_and_range(&mut self, space: i32, range: i32) {
        let tags = ColorTags { space, range, ..self.colors() };
        let f = self.0;
        // SAFETY: a valid frame that is ours alone.
        unsafe {
            tags.write(
                &raw mut (*f).colorspace,
                &raw mut (*f).color_range,
                &raw mut (*f).color_primaries,
                &raw mut (*f).color_trc,
                &raw mut (*f).chroma_location,
            );
        }
    }

    /// One plane and its stride in bytes. `None` where there is no such plane, or where its rows
    /// run upwards (a negative stride), as some filters leave them.
    pub(crate) fn plane(&self, index: usize) -> Option<(&[u8], usize)> {
        let (data, len, stride) = self.locate(index)?;
        // SAFETY: libav's picture has `rows` rows of at least `row` bytes, `stride` bytes apart,
        // which is what `locate` counts; borrowed as long as the frame.
        Some((unsafe { std::slice::from_raw_parts(data, len) }, stride))
    }

    /// All planes for writing, with their strides in bytes. The frame must be writable.
    pub(crate) fn planes_mut(&mut self) -> Result<Vec<(&mut [u8], usize)>, AvError> {
        // SAFETY: a valid frame.
        if unsafe { ff::av_frame_is_writable(self.0) } == 0 {
            self.make_writable()?;
        }
        let count = self.format().map_or(0, PixFmt::plane_count);
        let mut planes = Vec::with_capacity(count);
        for index in 0..count {
            let (data, len, stride) =
                self.locate(index).ok_or_else(|| AvError::errno(libc::EINVAL))?;
            // SAFETY: as in `plane`; the planes of one picture don't overlap, and nobody else
            // refers to its memory, which was checked above.
            planes.push((unsafe { std::slice::from_raw_parts_mut(data, len) }, stride));
        }
        Ok(planes)
    }

    fn locate(&self, index: usize) -> Option<(*mut u8, usize, usize)> {
        let f = self.get();
        let data = *f.data.get(index)?;
        let stride = usize::try_from(*f.linesize.get(index)?).ok()?;
        let (row, rows) = self.format()?.plane_size(index, self.width(), self.height())?;
        if data.is_null() || rows == 0 || row > stride {
            return None;
        }
        Some((data, stride * (rows - 1) + row, stride))
    }

    /// What its metadata has under this name. It goes along wherever the frame's properties are copied,
    /// through filter graphs too.
    pub(crate) fn metadata(&self, name: &CStr) -> Option<String> {
        // SAFETY: a valid frame's metadata, null or a dictionary; what an entry has is NUL-terminated.
        unsafe {
            let entry = ff::av_dict_get(self.get().metadata, name.as_ptr(), std::ptr::null(), 0);
            let value = entry.as_ref()?.value;
            Some(CStr::from_ptr(value).to_string_lossy().into_owned())
        }
    }

    /// Sets what its metadata has under this name, or removes it.
    pub(crate) fn set_metadata(&mut self, name: &CStr, value: Option<&str>) -> Result<(), AvError> {
        let value = value.map(c_string);
        let value = value.as_ref().map_or(std::ptr::null(), |value| value.as_ptr());
        // SAFETY: the metadata of a frame that is ours; both strings are NUL-terminated and are copied.
        AvError::check(unsafe {
            ff::av_dict_set(&mut self.get_mut().metadata, name.as_ptr(), value, 0)
        })
        .map(drop)
    }

    /// Whether every plane can be read by [`AvFrame::plane`].
    pub(crate) fn is_plain(&self) -> bool {
        let count = self.format().map_or(0, PixFmt::plane_count);
        (0..count).all(|i| self.plane(i).is_some())
    }

    /// A copy with rows that run downwards.
    pub(crate) fn to_plain(&self) -> Result<AvFrame, AvError> {
        let format = self.format().ok_or_else(|| AvError::errno(libc::EINVAL))?;
        let mut copy = AvFrame::picture(format, self.width(), self.height())?;
        copy.copy_props(self)?;
        // SAFETY: both are valid pictures of the same format and size.
        AvError::check(unsafe { ff::av_frame_copy(copy.0, self.0) })?;
        Ok(copy)
    }
}

impl Drop for AvFrame {
    fn drop(&mut self) {
        // SAFETY: frees what we own.
        unsafe { ff::av_frame_free(&mut self.0) };
    }
}

// SAFETY: frame data is reference-counted with atomic counts and has no tie to a thread.
unsafe impl Send for AvFrame {}
// SAFETY: nothing behind &self is changed.
unsafe impl Sync for AvFrame {}
