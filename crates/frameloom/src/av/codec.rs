use std::ffi::{CStr, CString};
use std::ptr;

use ffmpeg_sys_next as ff;

use super::hardware::{self, DecodeOn, Device, DeviceKind, FormatChoice, Surfaces};
use super::names::list_until;
use super::{
    AudioShape, AvError, AvFrame, AvPacket, CodecId, CodecParams, ColorTags, Dict, OptionClasses,
    PixFmt, VideoShape, c_string, text,
};
use crate::time::{Rate, TimeBase};

/// What a codec gives when asked for output.
pub(crate) enum Received<T> {
    /// One packet or frame.
    Item(T),
    /// Nothing until it is sent more.
    Again,
    /// Nothing ever again.
    End,
}

impl<T> Received<T> {
    pub(super) fn of(status: i32, item: T) -> Result<Received<T>, AvError> {
        match AvError::check(status) {
            Ok(_) => Ok(Received::Item(item)),
            Err(e) if e.is_again() => Ok(Received::Again),
            Err(e) if e.is_eof() => Ok(Received::End),
            Err(e) => Err(e),
        }
    }
}

pub(super) struct CodecContext(*mut ff::AVCodecContext);

impl CodecContext {
    /// Of a codec, or of none.
    pub(super) fn new(codec: *const ff::AVCodec) -> Result<CodecContext, AvError> {
        super::init();
        // SAFETY: a static codec or null; null is checked.
        let ctx = unsafe { ff::avcodec_alloc_context3(codec) };
        if ctx.is_null() { Err(AvError::no_memory()) } else { Ok(CodecContext(ctx)) }
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ff::AVCodecContext {
        self.0
    }

    pub(super) fn get_mut(&mut self) -> &mut ff::AVCodecContext {
        // SAFETY: never null, and only reachable through &mut self.
        unsafe { &mut *self.0 }
    }

    pub(super) fn get(&self) -> &ff::AVCodecContext {
        // SAFETY: never null, and only reachable through &self.
        unsafe { &*self.0 }
    }

    pub(super) fn open(
        &mut self,
        codec: *const ff::AVCodec,
        options: &mut Dict,
    ) -> Result<(), AvError> {
        // SAFETY: a context made for this codec, not opened before.
        AvError::check(unsafe { ff::avcodec_open2(self.0, codec, options.as_mut_ptr()) }).map(drop)
    }
}

impl Drop for CodecContext {
    fn drop(&mut self) {
        // SAFETY: frees what we own.
        unsafe { ff::avcodec_free_context(&mut self.0) };
    }
}

// SAFETY: a context is used by one owner at a time and has no tie to a thread.
unsafe impl Send for CodecContext {}

/// How a decoder is to be opened.
pub(crate) struct DecoderSetup<'a> {
    pub(crate) params: &'a CodecParams,
    pub(crate) time_base: TimeBase,
    pub(crate) frame_rate: Option<Rate>,
    /// An implementation by name, instead of libav's choice.
    pub(crate) name: Option<&'a str>,
    /// Threads within a frame only: a thread for each frame delays the picture by as many frames.
    pub(crate) low_delay: bool,
    /// A device that decodes; `None` for the processor.
    pub(crate) on: Option<DecodeOn<'a>>,
}

/// Pictures of a device that whoever gets them may hold, beside those that the decoder itself needs.
const HELD_SURFACES: &str = "8";

const MOST_DECODER_THREADS: usize = 4;

/// An owned decoder.
pub(crate) struct Decoder {
    pub(super) ctx: CodecContext,
    /// Behind the context, which refers to it.
    on_device: Option<Box<FormatChoice>>,
}

impl Decoder {
    /// What is left in `options`, nobody took.
    pub(crate) fn open(setup: &DecoderSetup<'_>, options: &mut Dict) -> Result<Decoder, AvError> {
        // SAFETY: looks up static tables; the string is NUL-terminated.
        let codec = unsafe {
            match setup.name {
                Some(name) => ff::avcodec_find_decoder_by_name(c_string(name).as_ptr()),
                None => ff::avcodec_find_decoder(setup.params.codec().0),
            }
        };
        if codec.is_null() {
            return Err(AvError::new(ff::AVERROR_DECODER_NOT_FOUND));
        }
        let mut ctx = CodecContext::new(codec)?;
        // SAFETY: both are valid.
        AvError::check(unsafe { ff::avcodec_parameters_to_context(ctx.0, setup.params.as_ptr()) })?;
        let c = ctx.get_mut();
        c.pkt_timebase = super::rational(setup.time_base);
        if let Some(rate) = setup.frame_rate {
            c.framerate = ff::AVRational { num: rate.num(), den: rate.den() };
        }
        if setup.low_delay {
            c.thread_type = ff::FF_THREAD_SLICE as libc::c_int;
        }
        // Each thread holds frames of its own; past a few they decode no faster than your code takes.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        options.set_default("threads", &cores.min(MOST_DECODER_THREADS).to_string());
        let on_device =
            setup.on.as_ref().map(|on| FormatChoice::tell(ctx.get_mut(), on)).transpose()?;
        if on_device.is_some() {
            options.set_default("extra_hw_frames", HELD_SURFACES);
        }
        ctx.open(codec, options)?;
        Ok(Decoder { ctx, on_device })
    }

    /// Whether its device can't decode the stream as it is now.
    pub(crate) fn lacks_device(&self) -> bool {
        self.on_device.as_ref().is_some_and(|choice| choice.is_missing())
    }

    /// Sends a packet; `None` begins the drain. `false` where output must be taken first.
    pub(crate) fn send(&mut self, packet: Option<&AvPacket>) -> Result<bool, AvError> {
        let p = packet.map_or(ptr::null(), AvPacket::as_ptr);
        // SAFETY: an open decoder and a valid packet or null.
        match AvError::check(unsafe { ff::avcodec_send_packet(self.ctx.0, p) }) {
            Ok(_) => Ok(true),
            Err(e) if e.is_again() => Ok(false),
            // Already draining.
            Err(e) if e.is_eof() && packet.is_none() => Ok(true),
            Err(e) => Err(e),
        }
    }

    pub(crate) fn receive(&mut self) -> Result<Received<AvFrame>, AvError> {
        let mut frame = AvFrame::empty()?;
        // SAFETY: an open decoder and a blank frame.
        let status = unsafe { ff::avcodec_receive_frame(self.ctx.0, frame.as_mut_ptr()) };
        Received::of(status, frame)
    }

    /// What is known of the stream by now.
    pub(crate) fn params(&self) -> Result<CodecParams, AvError> {
        params_of(&self.ctx)
    }

    /// Frames a second by the codec's own headers, where they say.
    pub(crate) fn frame_rate(&self) -> Option<Rate> {
        super::rate_of(self.ctx.get().framerate)
    }

    /// Forgets everything buffered, after a seek.
    pub(crate) fn flush(&mut self) {
        // SAFETY: an open decoder.
        unsafe { ff::avcodec_flush_buffers(self.ctx.0) };
    }
}

/// Where an encoder gets its pictures from.
#[derive(Clone, Copy)]
pub(crate) enum EncoderInput<'a> {
    /// They are in memory.
    Memory,
    /// They are in memory, and this device encodes them.
    Device(&'a Device),
    /// They are on a device.
    Surfaces(&'a Surfaces),
}

/// An encoder, not opened yet.
pub(crate) struct EncoderSetup {
    pub(super) codec: *const ff::AVCodec,
}

// SAFETY: points to a static, immutable table.
unsafe impl Send for EncoderSetup {}

impl EncoderSetup {
    /// An encoder by its name, or by the name of the codec.
    pub(crate) fn find(name: &str) -> Option<EncoderSetup> {
        super::init();
        let c = c_string(name);
        // SAFETY: looks up static tables; the string is NUL-terminated.
        let codec = unsafe {
            let by_name = ff::avcodec_find_encoder_by_name(c.as_ptr());
            if !by_name.is_null() {
                by_name
            } else {
                let d = ff::avcodec_descriptor_get_by_name(c.as_ptr());
                if d.is_null() { ptr::null() } else { ff::avcodec_find_encoder((*d).id) }
            }
        };
        (!codec.is_null()).then_some(EncoderSetup { codec })
    }

    fn get(&self) -> &ff::AVCodec {
        // SAFETY: a static entry, checked for null when made.
        unsafe { &*self.codec }
    }

    pub(crate) fn name(&self) -> &'static str {
        // SAFETY: a static string.
        unsafe { text((*self.codec).name) }
    }

    pub(crate) fn codec(&self) -> CodecId {
        CodecId(self.get().id)
    }

    pub(crate) fn kind(&self) -> super::MediaKind {
        super::MediaKind::of(self.get().type_)
    }

    /// The kind of device whose pictures it takes, and their format.
    pub(crate) fn surfaces(&self) -> Option<(DeviceKind, PixFmt)> {
        hardware::surfaces_for(self.get())
    }

    /// The kind of device that it may be told to encode on, though its pictures are in memory.
    pub(crate) fn device_kind(&self) -> Option<DeviceKind> {
        hardware::device_for(self.get())
    }

    /// Whether this encoder has an option of this name, of its own or one that all encoders have.
    pub(crate) fn takes(&self, option: &str) -> bool {
        self.option_classes().have(option)
    }

    /// What its options are given to: itself, then what all encoders have in common.
    pub(crate) fn option_classes(&self) -> OptionClasses {
        // SAFETY: returns a static table.
        OptionClasses::of([self.get().priv_class, unsafe { ff::avcodec_get_class() }])
    }

    /// The pixel formats it takes; empty where it doesn't say.
    #[allow(deprecated, reason = "the replacement came with FFmpeg 7.1")]
    pub(crate) fn pixel_formats(&self) -> Vec<PixFmt> {
        // SAFETY: null, or a static list that ends with NONE.
        unsafe { list_until(self.get().pix_fmts, ff::AVPixelFormat::AV_PIX_FMT_NONE) }
            .into_iter()
            .map(PixFmt)
            .filter(|f| !f.is_hardware())
            .collect()
    }

    /// The sample rates it takes; empty for any.
    #[allow(deprecated, reason = "the replacement came with FFmpeg 7.1")]
    pub(crate) fn sample_rates(&self) -> Vec<u32> {
        // SAFETY: null, or a static list that ends with 0.
        unsafe { list_until(self.get().supported_samplerates, 0) }
            .into_iter()
            .filter_map(|r| u32::try_from(r).ok())
            .collect()
    }

    /// The sample formats it takes, by name; empty for any.
    #[allow(deprecated, reason = "the replacement came with FFmpeg 7.1")]
    pub(crate) fn sample_formats(&self) -> Vec<&'static str> {
        // SAFETY: null, or a static list that ends with NONE; names are static.
        unsafe {
            list_until(self.get().sample_fmts, ff::AVSampleFormat::AV_SAMPLE_FMT_NONE)
                .into_iter()
                .map(|f| text(ff::av_get_sample_fmt_name(f)))
                .collect()
        }
    }

    /// The channel layouts it takes, by name; empty for any.
    #[allow(deprecated, reason = "the replacement came with FFmpeg 7.1")]
    pub(crate) fn channel_layouts(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut p = self.get().ch_layouts;
        if p.is_null() {
            return names;
        }
        // SAFETY: a static list that ends with an entry of no channels; the buffer's true size is
        // passed, and libav ends the name with a NUL.
        unsafe {
            while (*p).nb_channels > 0 {
                let mut name = [0u8; 64];
                ff::av_channel_layout_describe(p, name.as_mut_ptr().cast(), name.len());
                names.push(text(name.as_ptr().cast()).to_owned());
                p = p.add(1);
            }
        }
        names
    }

    /// Opens a video encoder. What is left in `options`, nobody took. `statistics` are what a first pass
    /// gave.
    pub(crate) fn open_video(
        &self,
        shape: &VideoShape,
        time_base: TimeBase,
        global_header: bool,
        input: EncoderInput<'_>,
        options: &mut Dict,
        statistics: Option<CString>,
    ) -> Result<Encoder, AvError> {
        let mut ctx = CodecContext::new(self.codec)?;
        let c = ctx.get_mut();
        if let Some(statistics) = &statistics {
            c.stats_in = statistics.as_ptr().cast_mut();
        }
        c.width = libc::c_int::try_from(shape.width).unwrap_or(0);
        c.height = libc::c_int::try_from(shape.height).unwrap_or(0);
        c.pix_fmt = shape.format.0;
        c.time_base = super::rational(time_base);
        if let Some(rate) = shape.frame_rate {
            c.framerate = ff::AVRational { num: rate.num(), den: rate.den() };
        }
        if let Some((num, den)) = shape.sample_aspect_ratio {
            c.sample_aspect_ratio = ff::AVRational { num, den };
        }
        if let Some(gop) = shape.gop {
            c.gop_size = gop;
        }
        if !shape.b_frames {
            c.max_b_frames = 0;
        }
        if global_header {
            c.flags |= ff::AV_CODEC_FLAG_GLOBAL_HEADER as libc::c_int;
        }
        set_colors(c, shape.colors);
        match input {
            EncoderInput::Memory => {}
            EncoderInput::Device(device) => c.hw_device_ctx = device.reference()?,
            EncoderInput::Surfaces(surfaces) => {
                (c.pix_fmt, c.sw_pix_fmt) = surfaces.formats();
                c.hw_frames_ctx = surfaces.reference()?;
            }
        }
        options.set_default("threads", "auto");
        ctx.open(self.codec, options)?;
        Ok(Encoder { ctx, _statistics: statistics })
    }

    /// Opens an audio encoder. What is left in `options`, nobody took.
    pub(crate) fn open_audio(
        &self,
        shape: &AudioShape,
        global_header: bool,
        options: &mut Dict,
    ) -> Result<Encoder, AvError> {
        let mut ctx = CodecContext::new(self.codec)?;
        let c = ctx.get_mut();
        let (format, layout) = (c_string(&shape.sample_format), c_string(&shape.channel_layout));
        // SAFETY: NUL-terminated strings; the layout is a field of a context of ours.
        unsafe {
            c.sample_fmt = ff::av_get_sample_fmt(format.as_ptr());
            AvError::check(ff::av_channel_layout_from_string(&mut c.ch_layout, layout.as_ptr()))?;
        }
        c.sample_rate = libc::c_int::try_from(shape.sample_rate).unwrap_or(0);
        c.time_base = ff::AVRational { num: 1, den: c.sample_rate };
        if global_header {
            c.flags |= ff::AV_CODEC_FLAG_GLOBAL_HEADER as libc::c_int;
        }
        ctx.open(self.codec, options)?;
        Ok(Encoder::of(ctx))
    }
}

fn set_colors(c: &mut ff::AVCodecContext, colors: ColorTags) {
    // SAFETY: fields of a context of ours.
    unsafe {
        colors.write(
            &raw mut c.colorspace,
            &raw mut c.color_range,
            &raw mut c.color_primaries,
            &raw mut c.color_trc,
            &raw mut c.chroma_sample_location,
        );
    }
}

/// An owned, open encoder.
pub(crate) struct Encoder {
    pub(super) ctx: CodecContext,
    /// What the context points to; it is dropped behind it.
    _statistics: Option<CString>,
}

impl Encoder {
    /// Of an open context.
    pub(super) fn of(ctx: CodecContext) -> Encoder {
        Encoder { ctx, _statistics: None }
    }

    /// Sends a frame; `None` begins the drain. `false` where output must be taken first.
    pub(crate) fn send(&mut self, frame: Option<&AvFrame>) -> Result<bool, AvError> {
        let f = frame.map_or(ptr::null(), AvFrame::as_ptr);
        // SAFETY: an open encoder and a valid frame or null.
        match AvError::check(unsafe { ff::avcodec_send_frame(self.ctx.0, f) }) {
            Ok(_) => Ok(true),
            Err(e) if e.is_again() => Ok(false),
            Err(e) if e.is_eof() && frame.is_none() => Ok(true),
            Err(e) => Err(e),
        }
    }

    pub(crate) fn receive(&mut self) -> Result<Received<AvPacket>, AvError> {
        let mut packet = AvPacket::new()?;
        // SAFETY: an open encoder and a blank packet.
        let status = unsafe { ff::avcodec_receive_packet(self.ctx.0, packet.as_mut_ptr()) };
        Received::of(status, packet)
    }

    pub(crate) fn time_base(&self) -> TimeBase {
        super::time_base(self.ctx.get().time_base).unwrap_or(TimeBase::MICROS)
    }

    /// What it says for a second pass of what it gave last.
    pub(crate) fn statistics(&self) -> Option<&[u8]> {
        let said = self.ctx.get().stats_out;
        // SAFETY: null or NUL-terminated, and it stays until the encoder is used next.
        (!said.is_null()).then(|| unsafe { CStr::from_ptr(said) }.to_bytes())
    }

    /// The quality that was asked for, in libav's units; 0 where none was.
    pub(crate) fn global_quality(&self) -> i32 {
        self.ctx.get().global_quality
    }

    /// Samples that each audio frame must have; `None` for any number.
    pub(crate) fn frame_samples(&self) -> Option<u32> {
        u32::try_from(self.ctx.get().frame_size).ok().filter(|&n| n > 0)
    }

    /// What a muxer must know of the packets.
    pub(crate) fn params(&self) -> Result<CodecParams, AvError> {
        params_of(&self.ctx)
    }
}

fn params_of(ctx: &CodecContext) -> Result<CodecParams, AvError> {
    let mut params = CodecParams::new()?;
    // SAFETY: both are valid.
    AvError::check(unsafe { ff::avcodec_parameters_from_context(params.as_mut_ptr(), ctx.0) })?;
    Ok(params)
}
