use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use ffmpeg_sys_next as ff;

use super::{AvError, AvPacket, CodecParams, Dict, Interrupt, MuxerInfo, c_string};
use crate::time::{Rate, TimeBase, Timestamp};

/// The two names of HEVC in MP4 and MOV (ISO/IEC 14496-15, 8.4). libav writes the second where nobody
/// chose; Apple's players read the first alone.
const HVC1: u32 = u32::from_le_bytes(*b"hvc1");
const HEV1: u32 = u32::from_le_bytes(*b"hev1");

/// An owned AVFormatContext for writing.
pub(crate) struct Muxer {
    ctx: *mut ff::AVFormatContext,
    format: MuxerInfo,
    interrupt: Interrupt,
    /// The first error of any file that the muxer opened and closed by itself; `ctx` points to it.
    closed: Box<AtomicI32>,
    header_written: bool,
    /// The size of what was written and closed.
    closed_size: Option<u64>,
}

/// Closes a file for a muxer that opens its own, such as HLS, and remembers what went wrong with
/// it: the muxer itself ignores that.
unsafe extern "C" fn close_file(
    ctx: *mut ff::AVFormatContext,
    io: *mut ff::AVIOContext,
) -> libc::c_int {
    if io.is_null() {
        return 0;
    }
    // SAFETY: libav passes a valid context, whose `opaque` is null or set by `Muxer::new` to what
    // lives as long as the context and is handed on to contexts inside it; and an I/O context that
    // is to be closed, and is closed once.
    unsafe {
        ff::avio_flush(io);
        let error = (*io).error;
        let status = ff::avio_close(io);
        let failed = if error < 0 { error } else { status };
        if let Some(cell) = (*ctx).opaque.cast::<AtomicI32>().as_ref()
            && failed < 0
        {
            // Only the first tells the cause.
            let _ = cell.compare_exchange(0, failed, Ordering::Relaxed, Ordering::Relaxed);
        }
        status
    }
}

impl Muxer {
    /// Allocates the context; opens nothing yet.
    pub(crate) fn new(
        url: &str,
        format: MuxerInfo,
        interrupt: Interrupt,
    ) -> Result<Muxer, AvError> {
        let mut ctx = ptr::null_mut();
        let c_url = c_string(url);
        // SAFETY: the format is static and the string NUL-terminated, which the context copies.
        AvError::check(unsafe {
            ff::avformat_alloc_output_context2(
                &mut ctx,
                format.0.cast_mut(),
                ptr::null(),
                c_url.as_ptr(),
            )
        })?;
        let closed = Box::new(AtomicI32::new(0));
        // SAFETY: a context of ours; the callback and the cell outlive it, being kept beside it.
        unsafe {
            (*ctx).interrupt_callback = interrupt.callback();
            if format.opens_no_file() {
                (*ctx).opaque = ptr::from_ref::<AtomicI32>(&closed).cast_mut().cast();
                (*ctx).io_close2 = Some(close_file);
            }
        }
        Ok(Muxer { ctx, format, interrupt, closed, header_written: false, closed_size: None })
    }

    /// Adds a stream; returns its index.
    pub(crate) fn add_stream(
        &mut self,
        params: &CodecParams,
        time_base: TimeBase,
        rate: Option<Rate>,
        sar: Option<(i32, i32)>,
        display_matrix: Option<[i32; 9]>,
    ) -> Result<usize, AvError> {
        // SAFETY: a context of ours; null is checked.
        let st = unsafe { ff::avformat_new_stream(self.ctx, ptr::null()).as_mut() }
            .ok_or_else(AvError::no_memory)?;
        // SAFETY: both are valid parameters.
        AvError::check(unsafe { ff::avcodec_parameters_copy(st.codecpar, params.as_ptr()) })?;
        // SAFETY: a new stream has parameters; a foreign container's tag is dropped where this
        // one has its own for the codec.
        unsafe {
            let (table, par) = ((*self.format.0).codec_tag, &mut *st.codecpar);
            let keeps = table.is_null()
                || ff::av_codec_get_id(table, par.codec_tag) == par.codec_id
                || ff::av_codec_get_tag(table, par.codec_id) == 0;
            // What the tee muxer hands on gets the names of each container.
            if !keeps || self.format.name() == "tee" {
                par.codec_tag = 0;
            }
            let is_unnamed = [0, HEV1].contains(&par.codec_tag);
            if is_unnamed && ff::av_codec_get_id(table, HVC1) == ff::AVCodecID::AV_CODEC_ID_HEVC {
                let is_hevc = par.codec_id == ff::AVCodecID::AV_CODEC_ID_HEVC;
                par.codec_tag = if is_hevc { HVC1 } else { par.codec_tag };
            }
        }
        st.time_base = super::rational(time_base);
        if let Some(rate) = rate {
            st.avg_frame_rate = ff::AVRational { num: rate.num(), den: rate.den() };
        }
        if let Some((num, den)) = sar {
            st.sample_aspect_ratio = ff::AVRational { num, den };
            // SAFETY: a new stream has parameters.
            unsafe { (*st.codecpar).sample_aspect_ratio = ff::AVRational { num, den } };
        }
        if let Some(matrix) = display_matrix {
            add_display_matrix(st, &matrix)?;
        }
        Ok(usize::try_from(st.index).unwrap_or(0))
    }

    pub(super) fn context(&self) -> &ff::AVFormatContext {
        // SAFETY: a context of ours, which lives as long as the muxer.
        unsafe { &*self.ctx }
    }

    pub(super) fn context_mut(&mut self) -> &mut ff::AVFormatContext {
        // SAFETY: a context of ours, which lives as long as the muxer.
        unsafe { &mut *self.ctx }
    }

    /// Names what is to be opened anew.
    pub(crate) fn set_url(&mut self, url: &str) {
        let url = c_string(url);
        // SAFETY: a context of ours, whose URL is libav's to free; the string is NUL-terminated
        // and copied.
        unsafe {
            ff::av_freep((&raw mut (*self.ctx).url).cast());
            (*self.ctx).url = ff::av_strdup(url.as_ptr());
        }
    }

    /// Opens the file or connection.
    pub(crate) fn open(&mut self, options: &mut Dict) -> Result<(), AvError> {
        if self.format.opens_no_file() {
            return Ok(());
        }
        // SAFETY: a context of ours with its URL and its interrupt callback set.
        AvError::check(unsafe {
            ff::avio_open2(
                &mut (*self.ctx).pb,
                (*self.ctx).url,
                ff::AVIO_FLAG_WRITE as libc::c_int,
                &(*self.ctx).interrupt_callback,
                options.as_mut_ptr(),
            )
        })
        .map(drop)
        .map_err(|e| self.interrupt.explain(e))
    }

    /// Writes every packet out at once, as a live output wants.
    pub(crate) fn flush_every_packet(&mut self) {
        // SAFETY: a context of ours.
        unsafe {
            (*self.ctx).flags |= ff::AVFMT_FLAG_FLUSH_PACKETS as libc::c_int;
            (*self.ctx).flush_packets = 1;
        }
    }

    /// Writes the header. What is left in `options`, nobody took.
    pub(crate) fn write_header(&mut self, options: &mut Dict) -> Result<(), AvError> {
        // SAFETY: an open context with its streams added.
        AvError::check(unsafe { ff::avformat_write_header(self.ctx, options.as_mut_ptr()) })
            .map_err(|e| self.interrupt.explain(e))?;
        self.header_written = true;
        Ok(())
    }

    /// The time base that packets of a stream must come in, valid after the header.
    pub(crate) fn time_base(&self, stream: usize) -> TimeBase {
        // SAFETY: an open context.
        let count = unsafe { (*self.ctx).nb_streams as usize };
        if stream >= count {
            return TimeBase::MICROS;
        }
        // SAFETY: `stream` is within the array.
        super::time_base(unsafe { (**(*self.ctx).streams.add(stream)).time_base })
            .unwrap_or(TimeBase::MICROS)
    }

    /// Says, before the first packet, how far below 0 the first pts of all streams lies. libav moves the times
    /// of a container that has none below 0 by what it has seen, and that is one packet: enough where it goes
    /// by dts, which increase.
    pub(crate) fn begins_below_zero(&mut self, by: Timestamp) {
        let moves = ff::AVFMT_AVOID_NEG_TS_MAKE_NON_NEGATIVE as libc::c_int;
        let goes_by_pts = matches!(self.format.name(), "matroska" | "webm");
        let context = self.context_mut();
        if goes_by_pts && context.avoid_negative_ts == moves {
            context.output_ts_offset = context.output_ts_offset.saturating_add(by.as_micros());
        }
    }

    /// Writes one packet, times in the stream's time base.
    pub(crate) fn write(&mut self, packet: &mut AvPacket) -> Result<(), AvError> {
        // SAFETY: a context with its header written and a valid packet of it.
        AvError::check(unsafe { ff::av_write_frame(self.ctx, packet.as_mut_ptr()) })
            .map_err(|e| self.interrupt.explain(e))?;
        self.hidden_io_error()
    }

    /// A muxer may swallow an error of the protocol; the I/O context remembers it.
    fn hidden_io_error(&self) -> Result<(), AvError> {
        // SAFETY: an open context; its I/O context may be null.
        let own = unsafe { (*self.ctx).pb.as_ref() }.map_or(0, |io| io.error);
        let code = if own < 0 { own } else { self.closed.load(Ordering::Relaxed) };
        AvError::check(code.min(0)).map(drop).map_err(|e| self.interrupt.explain(e))
    }

    /// How many bytes were written; `None` where the muxer opens its files itself, or none.
    pub(crate) fn size(&self) -> Option<u64> {
        // SAFETY: an open context; its I/O context may be null. To seek to where it is asks for the
        // position and moves nothing.
        let position = unsafe {
            let io = (*self.ctx).pb;
            if io.is_null() {
                return self.closed_size;
            }
            ff::avio_seek(io, 0, libc::SEEK_CUR)
        };
        u64::try_from(position).ok()
    }

    /// The size of the whole, behind the trailer: the position may be within it then.
    fn whole_size(&self) -> Option<u64> {
        // SAFETY: as in `size`.
        let size = unsafe {
            let io = (*self.ctx).pb;
            if io.is_null() { -1 } else { ff::avio_size(io) }
        };
        u64::try_from(size).ok().filter(|size| *size > 0).or_else(|| self.size())
    }

    /// Writes the trailer and closes the file or connection.
    pub(crate) fn finish(&mut self) -> Result<(), AvError> {
        let mut result = Ok(());
        if std::mem::take(&mut self.header_written) {
            // SAFETY: the header was written, and the trailer is written once.
            result = AvError::check(unsafe { ff::av_write_trailer(self.ctx) }).map(drop);
            result = result.and(self.hidden_io_error());
            self.closed_size = self.whole_size();
        }
        let closed = self.close();
        result.and(closed)
    }

    /// The bytes of the header, which go nowhere else.
    fn header_in_memory(&mut self, options: &mut Dict) -> Result<Vec<u8>, AvError> {
        // SAFETY: a context of ours with no I/O context yet.
        AvError::check(unsafe { ff::avio_open_dyn_buf(&mut (*self.ctx).pb) })?;
        let written = self.write_header(options);
        // There is no trailer to write: nobody reads the file.
        self.header_written = false;
        let mut data = ptr::null_mut();
        // SAFETY: closes the buffer that was opened above, once; what it hands over is copied and
        // freed here.
        unsafe {
            let size = ff::avio_close_dyn_buf((*self.ctx).pb, &mut data);
            (*self.ctx).pb = ptr::null_mut();
            let size = usize::try_from(size).unwrap_or(0);
            let bytes = if data.is_null() {
                Vec::new()
            } else {
                std::slice::from_raw_parts(data, size).to_vec()
            };
            ff::av_free(data.cast());
            written.map(|()| bytes)
        }
    }

    fn close(&mut self) -> Result<(), AvError> {
        if self.format.opens_no_file() {
            return Ok(());
        }
        // SAFETY: closes what we opened, if anything, and sets it to null.
        AvError::check(unsafe { ff::avio_closep(&mut (*self.ctx).pb) }).map(drop)
    }
}

/// What MP4 says of a stream's codec in a box of its own (`avcC`, `hvcC`, `av1C`, `vpcC`), which is
/// what Enhanced RTMP sends as a sequence header. libav keeps the functions that write it to its
/// muxers, so one writes it into memory.
pub(crate) fn configuration_box(
    params: &CodecParams,
    name: [u8; 4],
) -> Result<Option<Vec<u8>>, AvError> {
    let Some(format) = super::muxer_for(Some("mp4"), "") else {
        return Err(AvError::new(ff::AVERROR_MUXER_NOT_FOUND));
    };
    let mut muxer = Muxer::new("", format, Interrupt::new(crate::time::stop::Stop::new()))?;
    muxer.add_stream(params, TimeBase::MILLIS, None, None, None)?;
    // With an empty index the header is complete before there is a packet.
    let mut options = Dict::new();
    options.set("movflags", "empty_moov+default_base_moof");
    let header = muxer.header_in_memory(&mut options)?;
    // A box is its size and its name; within the index they can't be anything else.
    let found = header.windows(4).position(|four| four == name).and_then(|at| {
        let size = header.get(at.checked_sub(4)?..at)?.first_chunk().copied()?;
        let size = usize::try_from(u32::from_be_bytes(size)).ok()?.checked_sub(8)?;
        header.get(at + 4..)?.get(..size)
    });
    Ok(found.map(<[u8]>::to_vec))
}

#[cfg(ffmpeg_6_1)]
fn add_display_matrix(st: &mut ff::AVStream, matrix: &[i32; 9]) -> Result<(), AvError> {
    // SAFETY: valid parameters; the new side data has room for the matrix.
    unsafe {
        let par = &mut *st.codecpar;
        let data = ff::av_packet_side_data_new(
            &mut par.coded_side_data,
            &mut par.nb_coded_side_data,
            ff::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX,
            36,
            0,
        );
        let data = data.as_mut().ok_or_else(AvError::no_memory)?;
        ptr::write_unaligned(data.data.cast::<[i32; 9]>(), *matrix);
    }
    Ok(())
}

#[cfg(not(ffmpeg_6_1))]
fn add_display_matrix(st: &mut ff::AVStream, matrix: &[i32; 9]) -> Result<(), AvError> {
    // SAFETY: a valid stream; the new side data, where not null, has the size asked for.
    unsafe {
        let data = ff::av_stream_new_side_data(
            st,
            ff::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX,
            36,
        );
        if data.is_null() {
            return Err(AvError::no_memory());
        }
        ptr::write_unaligned(data.cast::<[i32; 9]>(), *matrix);
    }
    Ok(())
}

impl Drop for Muxer {
    fn drop(&mut self) {
        // A muxer dropped unfinished is one that failed: nobody is left to tell about the close.
        let _ = self.close();
        // SAFETY: frees what we own.
        unsafe { ff::avformat_free_context(self.ctx) };
    }
}

// SAFETY: a context is used by one owner at a time and has no tie to a thread.
unsafe impl Send for Muxer {}
