use std::ptr;

use ffmpeg_sys_next as ff;

use super::{AvError, AvPacket, CodecParams, Received, c_string};
use crate::time::TimeBase;

/// A list of bitstream filters (libavcodec/bsf.h, since FFmpeg 5.0): the bindings leave its header out.
#[repr(C)]
struct AVBSFContext {
    av_class: *const ff::AVClass,
    filter: *const libc::c_void,
    priv_data: *mut libc::c_void,
    par_in: *mut ff::AVCodecParameters,
    par_out: *mut ff::AVCodecParameters,
    time_base_in: ff::AVRational,
    time_base_out: ff::AVRational,
}

unsafe extern "C" {
    fn av_bsf_list_parse_str(list: *const libc::c_char, ctx: *mut *mut AVBSFContext)
    -> libc::c_int;
    fn av_bsf_init(ctx: *mut AVBSFContext) -> libc::c_int;
    fn av_bsf_send_packet(ctx: *mut AVBSFContext, packet: *mut ff::AVPacket) -> libc::c_int;
    fn av_bsf_receive_packet(ctx: *mut AVBSFContext, packet: *mut ff::AVPacket) -> libc::c_int;
    fn av_bsf_free(ctx: *mut *mut AVBSFContext);
}

/// An owned list of bitstream filters, which change encoded packets.
pub(crate) struct BitstreamFilter(*mut AVBSFContext);

impl BitstreamFilter {
    /// Reads a list in FFmpeg's language: `name[=option=value:option=value][,name]`.
    pub(crate) fn parse(list: &str) -> Result<BitstreamFilter, AvError> {
        super::init();
        let list = c_string(list);
        let mut ctx = ptr::null_mut();
        // SAFETY: a NUL-terminated string; the context is only used where the call worked.
        AvError::check(unsafe { av_bsf_list_parse_str(list.as_ptr(), &mut ctx) })?;
        Ok(BitstreamFilter(ctx))
    }

    /// Makes it ready for packets of a stream, whose times are in this unit.
    pub(crate) fn open(&mut self, params: &CodecParams, base: TimeBase) -> Result<(), AvError> {
        // SAFETY: a context of ours that is not initialized yet, and valid parameters.
        unsafe {
            AvError::check(ff::avcodec_parameters_copy((*self.0).par_in, params.as_ptr()))?;
            (*self.0).time_base_in = super::rational(base);
            AvError::check(av_bsf_init(self.0)).map(drop)
        }
    }

    /// What it makes of the stream.
    pub(crate) fn params(&self) -> Result<CodecParams, AvError> {
        // SAFETY: an initialized context, which has valid parameters.
        unsafe { CodecParams::copy_of((*self.0).par_out) }
    }

    /// The unit of the times of what it gives.
    pub(crate) fn time_base(&self) -> TimeBase {
        // SAFETY: an initialized context.
        super::time_base(unsafe { (*self.0).time_base_out }).unwrap_or(TimeBase::MICROS)
    }

    /// Sends a packet, whose content is taken; `None` says that no more come.
    pub(crate) fn send(&mut self, packet: Option<&mut AvPacket>) -> Result<(), AvError> {
        let packet = packet.map_or(ptr::null_mut(), AvPacket::as_mut_ptr);
        // SAFETY: an initialized context, and a valid packet or null.
        AvError::check(unsafe { av_bsf_send_packet(self.0, packet) }).map(drop)
    }

    pub(crate) fn receive(&mut self) -> Result<Received<AvPacket>, AvError> {
        let mut packet = AvPacket::new()?;
        // SAFETY: an initialized context, and a blank packet.
        let status = unsafe { av_bsf_receive_packet(self.0, packet.as_mut_ptr()) };
        Received::of(status, packet)
    }
}

impl Drop for BitstreamFilter {
    fn drop(&mut self) {
        // SAFETY: frees what we own.
        unsafe { av_bsf_free(&mut self.0) };
    }
}

// SAFETY: a context is used by one owner at a time and has no tie to a thread.
unsafe impl Send for BitstreamFilter {}
