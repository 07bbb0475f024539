use std::ptr;

use ffmpeg_sys_next as ff;

use super::{AvError, CodecId, MediaKind};

/// Owned AVCodecParameters: what a decoder or a muxer must know of a stream.
pub(crate) struct CodecParams(*mut ff::AVCodecParameters);

impl CodecParams {
    pub(crate) fn new() -> Result<CodecParams, AvError> {
        // SAFETY: allocates; null is checked.
        let p = unsafe { ff::avcodec_parameters_alloc() };
        if p.is_null() { Err(AvError::no_memory()) } else { Ok(CodecParams(p)) }
    }

    /// What is known of a stream from outside libav.
    pub(crate) fn of_codec(
        kind: MediaKind,
        codec: CodecId,
        extradata: &[u8],
    ) -> Result<CodecParams, AvError> {
        let mut params = CodecParams::new()?;
        let p = params.get_mut();
        p.codec_type = kind.raw();
        p.codec_id = codec.0;
        params.set_extradata(extradata)?;
        Ok(params)
    }

    /// What the container calls the codec.
    pub(crate) fn tag(&self) -> [u8; 4] {
        self.get().codec_tag.to_le_bytes()
    }

    /// Whether enough is known of it to decode it (libavformat, the specifier `u`).
    pub(crate) fn is_usable(&self) -> bool {
        match self.kind() {
            _ if self.codec().is_none() => false,
            MediaKind::Audio => self.sample_rate() > 0 && self.channels() > 0 && self.format() >= 0,
            MediaKind::Video => self.width() > 0 && self.height() > 0 && self.format() >= 0,
            MediaKind::Other => false,
            _ => true,
        }
    }

    /// Replaces the decoder's configuration.
    pub(crate) fn set_extradata(&mut self, extradata: &[u8]) -> Result<(), AvError> {
        const PADDING: usize = ff::AV_INPUT_BUFFER_PADDING_SIZE as usize;
        let size = libc::c_int::try_from(extradata.len()).map_err(|_| AvError::no_memory())?;
        let p = self.get_mut();
        // SAFETY: frees what the parameters own and sets it to null.
        unsafe { ff::av_freep((&raw mut p.extradata).cast()) };
        p.extradata_size = 0;
        if extradata.is_empty() {
            return Ok(());
        }
        // SAFETY: null is checked; the new room holds the bytes, and zeros behind them.
        unsafe {
            let to = ff::av_mallocz(extradata.len() + PADDING).cast::<u8>();
            if to.is_null() {
                return Err(AvError::no_memory());
            }
            ptr::copy_nonoverlapping(extradata.as_ptr(), to, extradata.len());
            p.extradata = to;
        }
        p.extradata_size = size;
        Ok(())
    }

    /// The decoder's configuration; empty where there is none outside the packets.
    pub(crate) fn extradata(&self) -> &[u8] {
        let p = self.get();
        match usize::try_from(p.extradata_size) {
            // SAFETY: as many bytes as it says, for as long as the parameters are not changed.
            Ok(size) if size > 0 && !p.extradata.is_null() => unsafe {
                std::slice::from_raw_parts(p.extradata, size)
            },
            _ => &[],
        }
    }

    /// Sets the samples a second and the number of channels.
    pub(crate) fn describe_sound(&mut self, sample_rate: u32, channels: u32) {
        let p = self.get_mut();
        p.sample_rate = libc::c_int::try_from(sample_rate).unwrap_or(0);
        let channels = libc::c_int::try_from(channels).unwrap_or(0);
        // SAFETY: a valid layout of ours, which owns nothing before or after.
        unsafe { ff::av_channel_layout_default(&mut p.ch_layout, channels) };
    }

    /// Samples in a packet of `bytes`; `None` where the codec doesn't tell.
    pub(crate) fn packet_samples(&self, bytes: usize) -> Option<u32> {
        let bytes = libc::c_int::try_from(bytes).ok()?;
        // SAFETY: valid parameters, which are only read.
        let samples = unsafe { ff::av_get_audio_frame_duration2(self.0, bytes) };
        u32::try_from(samples).ok().filter(|&n| n > 0)
    }

    /// # Safety
    /// `p` points to valid parameters.
    pub(super) unsafe fn copy_of(p: *const ff::AVCodecParameters) -> Result<CodecParams, AvError> {
        let copy = CodecParams::new()?;
        // SAFETY: both are valid: ours by construction, `p` by this function's contract.
        AvError::check(unsafe { ff::avcodec_parameters_copy(copy.0, p) })?;
        Ok(copy)
    }

    pub(crate) fn share(&self) -> Result<CodecParams, AvError> {
        // SAFETY: self.0 is valid.
        unsafe { CodecParams::copy_of(self.0) }
    }

    pub(super) fn as_ptr(&self) -> *const ff::AVCodecParameters {
        self.0
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ff::AVCodecParameters {
        self.0
    }

    fn get(&self) -> &ff::AVCodecParameters {
        // SAFETY: never null, and only reachable through &self.
        unsafe { &*self.0 }
    }

    fn get_mut(&mut self) -> &mut ff::AVCodecParameters {
        // SAFETY: never null, and only reachable through &mut self.
        unsafe { &mut *self.0 }
    }

    pub(crate) fn kind(&self) -> MediaKind {
        MediaKind::of(self.get().codec_type)
    }

    pub(crate) fn codec(&self) -> CodecId {
        CodecId(self.get().codec_id)
    }

    /// Takes over size, pixel format and tags from a decoded picture.
    pub(crate) fn describe_picture(&mut self, picture: &super::AvFrame) {
        let tags = picture.colors();
        let p = self.0;
        // SAFETY: never null, and only reachable through &mut self; a valid frame.
        unsafe {
            let f = picture.as_ptr();
            ((*p).width, (*p).height, (*p).format) = ((*f).width, (*f).height, (*f).format);
            (*p).sample_aspect_ratio = (*f).sample_aspect_ratio;
            tags.write(
                &raw mut (*p).color_space,
                &raw mut (*p).color_range,
                &raw mut (*p).color_primaries,
                &raw mut (*p).color_trc,
                &raw mut (*p).chroma_location,
            );
        }
    }

    /// A frame without content, of the kind that the stream's frames have; `None` where that isn't known.
    pub(crate) fn blank_frame(&self) -> Result<Option<super::AvFrame>, AvError> {
        let mut frame = super::AvFrame::empty()?;
        let f = frame.as_mut_ptr();
        // SAFETY: valid parameters, and a blank frame of ours. Numbers of colours are copied as integers:
        // a file may hold some that are no members of the enums.
        unsafe {
            let p = &*self.0;
            (*f).format = p.format;
            ((*f).width, (*f).height) = (p.width, p.height);
            (*f).sample_aspect_ratio = p.sample_aspect_ratio;
            (&raw mut (*f).colorspace)
                .cast::<i32>()
                .write((&raw const p.color_space).cast::<i32>().read());
            (&raw mut (*f).color_range)
                .cast::<i32>()
                .write((&raw const p.color_range).cast::<i32>().read());
            (*f).sample_rate = p.sample_rate;
            AvError::check(ff::av_channel_layout_copy(&mut (*f).ch_layout, &p.ch_layout))?;
        }
        frame.assume_channel_layout();
        let is_known = self.format() >= 0 && (frame.width() > 0 || frame.sound().0 > 0);
        Ok(is_known.then_some(frame))
    }

    pub(crate) fn bit_rate(&self) -> i64 {
        self.get().bit_rate
    }

    pub(crate) fn width(&self) -> u32 {
        u32::try_from(self.get().width).unwrap_or(0)
    }

    pub(crate) fn height(&self) -> u32 {
        u32::try_from(self.get().height).unwrap_or(0)
    }

    pub(crate) fn format(&self) -> i32 {
        self.get().format
    }

    /// Says that the pictures are transparent, which headers of VP8 and VP9 don't say.
    pub(super) fn set_alpha(&mut self) {
        if matches!(self.codec().name(), "vp8" | "vp9") {
            self.get_mut().format = ff::AVPixelFormat::AV_PIX_FMT_YUVA420P as libc::c_int;
        }
    }

    /// Whether its pictures are transparent.
    pub(crate) fn has_alpha(&self) -> bool {
        super::PixFmt::from_raw(self.format()).is_some_and(super::PixFmt::has_alpha)
    }

    /// Whether pictures are decoded in another order than they are shown.
    pub(crate) fn is_reordered(&self) -> bool {
        self.video_delay() > 0
    }

    /// How many pictures may be decoded before the one that is shown first.
    pub(crate) fn video_delay(&self) -> i32 {
        self.get().video_delay
    }

    pub(crate) fn profile_name(&self) -> Option<&'static str> {
        let p = self.get();
        // SAFETY: looks up a static table.
        let name = unsafe { super::text(ff::avcodec_profile_name(p.codec_id, p.profile)) };
        (!name.is_empty()).then_some(name)
    }

    pub(crate) fn sample_rate(&self) -> u32 {
        u32::try_from(self.get().sample_rate).unwrap_or(0)
    }

    pub(crate) fn channels(&self) -> u32 {
        u32::try_from(self.get().ch_layout.nb_channels).unwrap_or(0)
    }

    /// The name of its channel layout; the usual one for their number where it has none.
    pub(crate) fn channel_layout(&self) -> String {
        let p = self.get();
        let mut name = [0u8; 128];
        // SAFETY: valid parameters, which are only read; an all-zero layout is libav's blank one;
        // the buffer's true size is passed and libav ends the name with a NUL.
        unsafe {
            let mut layout: ff::AVChannelLayout = std::mem::zeroed();
            if p.ch_layout.order == ff::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
                ff::av_channel_layout_default(&mut layout, p.ch_layout.nb_channels);
            } else if ff::av_channel_layout_copy(&mut layout, &p.ch_layout) < 0 {
                return String::new();
            }
            ff::av_channel_layout_describe(&layout, name.as_mut_ptr().cast(), name.len());
            ff::av_channel_layout_uninit(&mut layout);
            super::text(name.as_ptr().cast()).to_owned()
        }
    }

    pub(crate) fn colors(&self) -> super::ColorTags {
        let p = self.0;
        // SAFETY: valid parameters.
        unsafe {
            super::ColorTags::read(
                &raw const (*p).color_space,
                &raw const (*p).color_range,
                &raw const (*p).color_primaries,
                &raw const (*p).color_trc,
                &raw const (*p).chroma_location,
            )
        }
    }
}

impl Drop for CodecParams {
    fn drop(&mut self) {
        // SAFETY: frees what we own.
        unsafe { ff::avcodec_parameters_free(&mut self.0) };
    }
}

// SAFETY: plain heap memory with no tie to a thread.
unsafe impl Send for CodecParams {}
// SAFETY: nothing behind &self is changed.
unsafe impl Sync for CodecParams {}
