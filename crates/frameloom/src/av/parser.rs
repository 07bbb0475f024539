use std::ptr;

use ffmpeg_sys_next as ff;

use super::codec::CodecContext;
use super::{AvPacket, CodecId};

/// libav's parser of one stream's packets, each of which is whole.
pub(crate) struct Parser {
    parser: *mut ff::AVCodecParserContext,
    ctx: CodecContext,
    codec: CodecId,
}

impl Parser {
    /// `None` where libav has none for this codec.
    pub(crate) fn of(codec: CodecId) -> Option<Parser> {
        let ctx = CodecContext::new(ptr::null()).ok()?;
        // SAFETY: allocates; null is checked. Newer versions take the enumeration itself.
        let parser = unsafe { ff::av_parser_init(codec.0 as _) };
        // SAFETY: not null is valid, and nobody else has it yet.
        unsafe { parser.as_mut()? }.flags |= ff::PARSER_FLAG_COMPLETE_FRAMES as libc::c_int;
        Some(Parser { parser, ctx, codec })
    }

    /// Samples a second and channels that this packet states within so many bytes, each 0 where it
    /// doesn't.
    pub(crate) fn sound(&mut self, packet: &AvPacket, within: usize) -> (u32, u32) {
        let size = libc::c_int::try_from(packet.size().min(within)).unwrap_or(0);
        let c = self.ctx.get_mut();
        // Parsers leave what they don't find, and some what is there already.
        (c.codec_id, c.sample_rate) = (self.codec.0, 0);
        let (mut out, mut out_size) = (ptr::null_mut(), 0);
        // SAFETY: a layout of a context of ours, blank or set by a parser; a parser and a context that
        // nobody else uses; a packet's bytes, which have the padding that parsers read beyond, or the
        // rest of the packet. What is written to `out` points into these bytes, or into what the parser
        // owns, and is not used.
        unsafe {
            ff::av_channel_layout_uninit(&mut c.ch_layout);
            if size > 0 {
                ff::av_parser_parse2(
                    self.parser,
                    c,
                    &mut out,
                    &mut out_size,
                    packet.data().as_ptr(),
                    size,
                    ff::AV_NOPTS_VALUE,
                    ff::AV_NOPTS_VALUE,
                    -1,
                );
            }
        }
        let c = self.ctx.get();
        let stated = |value| u32::try_from(value).unwrap_or(0);
        (stated(c.sample_rate), stated(c.ch_layout.nb_channels))
    }
}

impl Drop for Parser {
    fn drop(&mut self) {
        // SAFETY: frees what we own.
        unsafe { ff::av_parser_close(self.parser) };
    }
}

// SAFETY: used by one owner at a time, with no tie to a thread.
unsafe impl Send for Parser {}
