//! Subtitles, which libav decodes and encodes by calls of their own: one event at a time, at once.

use std::ptr;

use ffmpeg_sys_next as ff;

use super::codec::CodecContext;
use super::{
    AvError, AvPacket, CodecId, Decoder, Dict, Encoder, EncoderSetup, MediaKind, optional, rational,
};
use crate::time::TimeBase;

/// What subtitles of a codec are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubtitleForm {
    Text,
    Pictures,
}

impl CodecId {
    /// What subtitles of this codec are made of; `None` where that is neither text nor pictures, or
    /// either.
    pub(crate) fn subtitle_form(self) -> Option<SubtitleForm> {
        // SAFETY: looks up a static table; null for unknown codecs is checked.
        let descriptor = unsafe { ff::avcodec_descriptor_get(self.0).as_ref() }?;
        let has = |property| descriptor.props & property != 0;
        match (has(ff::AV_CODEC_PROP_TEXT_SUB), has(ff::AV_CODEC_PROP_BITMAP_SUB)) {
            _ if MediaKind::of(descriptor.type_) != MediaKind::Subtitle => None,
            (true, false) => Some(SubtitleForm::Text),
            (false, true) => Some(SubtitleForm::Pictures),
            _ => None,
        }
    }

    /// Whether this FFmpeg can decode it.
    pub(crate) fn has_decoder(self) -> bool {
        // SAFETY: looks up a static table.
        !unsafe { ff::avcodec_find_decoder(self.0) }.is_null()
    }
}

/// An owned AVSubtitle: what is shown from one time to another.
pub(crate) struct AvSubtitle(ff::AVSubtitle);

impl AvSubtitle {
    /// When its packet is to be shown, in microseconds.
    pub(crate) fn pts_micros(&self) -> Option<i64> {
        optional(self.0.pts)
    }

    /// When it is shown, in milliseconds from its packet's time on.
    pub(crate) fn shown_from_ms(&self) -> u32 {
        self.0.start_display_time
    }

    /// How long it is shown, in milliseconds; the highest number where that is not known.
    pub(crate) fn shown_for_ms(&self) -> u32 {
        self.0.end_display_time.wrapping_sub(self.0.start_display_time)
    }

    /// How many texts or pictures it has.
    pub(crate) fn parts(&self) -> usize {
        self.0.num_rects as usize
    }
}

impl Drop for AvSubtitle {
    fn drop(&mut self) {
        // SAFETY: frees what we own.
        unsafe { ff::avsubtitle_free(&mut self.0) };
    }
}

/// What a packet holds of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubtitlePart {
    All,
    One(usize),
    /// It ends what is shown.
    Nothing,
}

impl Decoder {
    /// Decodes a packet of subtitles; `None` asks for what the decoder still holds.
    pub(crate) fn decode_subtitle(
        &mut self,
        packet: Option<&AvPacket>,
    ) -> Result<Option<AvSubtitle>, AvError> {
        let mut own = match packet {
            Some(packet) => packet.share()?,
            None => AvPacket::new()?,
        };
        let mut is_there = 0;
        // SAFETY: plain data, of which all zeros are a value; an open decoder, and a packet of ours.
        let (status, subtitle) = unsafe {
            let mut subtitle: ff::AVSubtitle = std::mem::zeroed();
            let status = ff::avcodec_decode_subtitle2(
                self.ctx.as_mut_ptr(),
                &mut subtitle,
                &mut is_there,
                own.as_mut_ptr(),
            );
            (status, subtitle)
        };
        let subtitle = (is_there != 0).then_some(AvSubtitle(subtitle));
        AvError::check(status).map(|_| subtitle)
    }

    /// What the subtitles' styles are, in the language of ASS; empty where they have none.
    fn subtitle_header(&self) -> &[u8] {
        let ctx = self.ctx.get();
        match usize::try_from(ctx.subtitle_header_size) {
            // SAFETY: an open decoder has as many bytes as it says.
            Ok(size) if size > 0 && !ctx.subtitle_header.is_null() => unsafe {
                std::slice::from_raw_parts(ctx.subtitle_header, size)
            },
            _ => &[],
        }
    }
}

impl EncoderSetup {
    /// Opens an encoder of what `decoder` gives. What is left in `options`, nobody took.
    pub(crate) fn open_subtitle(
        &self,
        decoder: &Decoder,
        global_header: bool,
        options: &mut Dict,
    ) -> Result<Encoder, AvError> {
        let mut ctx = CodecContext::new(self.codec)?;
        let header = decoder.subtitle_header();
        let (width, height) = (decoder.ctx.get().width, decoder.ctx.get().height);
        let c = ctx.get_mut();
        c.time_base = rational(TimeBase::MICROS);
        (c.width, c.height) = (width, height);
        if global_header {
            c.flags |= ff::AV_CODEC_FLAG_GLOBAL_HEADER as libc::c_int;
        }
        if !header.is_empty() {
            let size = libc::c_int::try_from(header.len()).map_err(|_| AvError::no_memory())?;
            // SAFETY: null is checked; the new room holds the bytes, and the zero behind them that libav
            // wants. The context owns it from here on.
            unsafe {
                let to = ff::av_mallocz(header.len() + 1).cast::<u8>();
                if to.is_null() {
                    return Err(AvError::no_memory());
                }
                ptr::copy_nonoverlapping(header.as_ptr(), to, header.len());
                c.subtitle_header = to;
            }
            c.subtitle_header_size = size;
        }
        ctx.open(self.codec, options)?;
        Ok(Encoder::of(ctx))
    }
}

impl Encoder {
    /// Encodes a part of an event into `room`, which bounds its size.
    pub(crate) fn encode_subtitle(
        &mut self,
        event: &AvSubtitle,
        part: SubtitlePart,
        room: &mut [u8],
    ) -> Result<AvPacket, AvError> {
        // What it points to is the event's, which outlives the call; nothing is freed with the copy.
        let mut shown = event.0;
        (shown.start_display_time, shown.end_display_time) = (0, event.shown_for_ms());
        match part {
            SubtitlePart::All => {}
            SubtitlePart::Nothing => shown.num_rects = 0,
            SubtitlePart::One(number) if number < event.parts() => {
                // SAFETY: within the list, which has as many entries as it says.
                shown.rects = unsafe { shown.rects.add(number) };
                shown.num_rects = 1;
            }
            SubtitlePart::One(_) => return Err(AvError::errno(libc::EINVAL)),
        }
        let size = libc::c_int::try_from(room.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: an open encoder, as much room as is said, and a valid event.
        let written = AvError::check(unsafe {
            ff::avcodec_encode_subtitle(self.ctx.as_mut_ptr(), room.as_mut_ptr(), size, &shown)
        })?;
        let written = usize::try_from(written).unwrap_or(0);
        AvPacket::of_bytes(room.get(..written).unwrap_or_default(), 0, true)
    }
}
