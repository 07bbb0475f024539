use std::ffi::CStr;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use ffmpeg_sys_next as ff;

use super::{AvError, AvPacket, CodecParams, Dict, MediaKind, c_string, text};
use crate::time::stop::Stop;
use crate::time::{Rate, TimeBase};

/// Ends a blocking call of libav from another thread, or when its time is over.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<InterruptState>);

struct InterruptState {
    stop: Stop,
    /// Milliseconds after `epoch`; 0 for no limit.
    deadline_ms: AtomicI64,
    expired: AtomicBool,
    deaf: AtomicBool,
    /// How long what goes on may outlive a stop, in milliseconds; 0 for as long as it takes.
    grace_ms: AtomicI64,
    /// When a stop was seen first, in milliseconds after `epoch`; 0 before.
    stopped_ms: AtomicI64,
    epoch: Instant,
}

impl Interrupt {
    /// Interrupts as soon as `stop` is set.
    pub(crate) fn new(stop: Stop) -> Interrupt {
        Interrupt(Arc::new(InterruptState {
            stop,
            deadline_ms: AtomicI64::new(0),
            expired: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            grace_ms: AtomicI64::new(0),
            stopped_ms: AtomicI64::new(0),
            epoch: Instant::now(),
        }))
    }

    /// Limits what follows to `limit` from now, or lifts the limit.
    pub(crate) fn set_deadline(&self, limit: Option<Duration>) {
        let at = limit.map_or(0, |limit| {
            let at = self.0.epoch.elapsed().saturating_add(limit).as_millis();
            i64::try_from(at).unwrap_or(i64::MAX).max(1)
        });
        self.0.expired.store(false, Ordering::Relaxed);
        self.0.deadline_ms.store(at, Ordering::Relaxed);
    }

    /// From now on only the deadline interrupts: what goes on must be finished. After a stop that
    /// may take `grace`, where one is given.
    pub(crate) fn outlive_stop(&self, grace: Option<Duration>) {
        let grace = grace.map_or(0, |grace| i64::try_from(grace.as_millis()).unwrap_or(i64::MAX));
        self.0.grace_ms.store(grace, Ordering::Relaxed);
        self.0.deaf.store(true, Ordering::Relaxed);
    }

    /// Whether the last call was ended because its time was over.
    pub(crate) fn expired(&self) -> bool {
        self.0.expired.load(Ordering::Relaxed)
    }

    /// Protocols report an interrupted call as whatever they please.
    pub(super) fn explain(&self, e: AvError) -> AvError {
        if self.due() { AvError::new(ff::AVERROR_EXIT) } else { e }
    }

    /// Whether a stop ends what goes on.
    fn is_stopped(&self) -> bool {
        self.0.stop.is_stopped() && self.stop_timeout_expired()
    }

    fn due(&self) -> bool {
        if self.is_stopped() {
            return true;
        }
        let at = self.0.deadline_ms.load(Ordering::Relaxed);
        let over = at > 0 && self.0.epoch.elapsed().as_millis() >= at.unsigned_abs().into();
        if over {
            self.0.expired.store(true, Ordering::Relaxed);
        }
        over
    }

    /// A stop was asked for: whether that ends it.
    fn stop_timeout_expired(&self) -> bool {
        if !self.0.deaf.load(Ordering::Relaxed) {
            return true;
        }
        let grace = self.0.grace_ms.load(Ordering::Relaxed);
        let now = i64::try_from(self.0.epoch.elapsed().as_millis()).unwrap_or(i64::MAX).max(1);
        let seen = self.0.stopped_ms.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        grace > 0 && seen.err().is_some_and(|seen| now.saturating_sub(seen) >= grace)
    }

    /// The callback for libav; `self` must outlive the context it is given to.
    pub(super) fn callback(&self) -> ff::AVIOInterruptCB {
        ff::AVIOInterruptCB {
            callback: Some(is_due),
            opaque: Arc::as_ptr(&self.0).cast_mut().cast(),
        }
    }
}

unsafe extern "C" fn is_due(opaque: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `opaque` is the pointer of an Arc that the owner of the context keeps alive; the
    // count is raised before a second owner is made of it.
    let interrupt = unsafe {
        let state = opaque.cast_const().cast::<InterruptState>();
        Arc::increment_strong_count(state);
        Interrupt(Arc::from_raw(state))
    };
    libc::c_int::from(interrupt.due())
}

/// What is known of one elementary stream of an input.
pub(crate) struct StreamInfo {
    pub(crate) index: usize,
    pub(crate) kind: MediaKind,
    pub(crate) params: CodecParams,
    pub(crate) time_base: TimeBase,
    pub(crate) frame_rate: Option<Rate>,
    /// Ticks of `time_base`.
    pub(crate) start: Option<i64>,
    /// Ticks of `time_base`.
    pub(crate) duration: Option<i64>,
    pub(crate) frames: i64,
    pub(crate) sample_aspect_ratio: Option<(i32, i32)>,
    /// The display matrix (rotation, mirroring), as libav stores it.
    pub(crate) display_matrix: Option<[i32; 9]>,
    /// A cover picture, not a video.
    pub(crate) is_attached_picture: bool,
    /// It is marked as its kind's default.
    pub(crate) is_default: bool,
    /// What the container calls its id.
    pub(crate) id: i64,
    /// The numbers of the programs that it belongs to.
    pub(crate) programs: Vec<i64>,
    /// What the container says about it.
    pub(crate) tags: Vec<(String, String)>,
    /// FFmpeg's bits of what it is for (AV_DISPOSITION).
    pub(crate) disposition: i32,
    /// Something of it came while the input was got to know.
    pub(crate) has_packets: bool,
}

/// What the mark of a default stream adds to its score.
const AS_DEFAULT: i64 = 5_000_000;

impl StreamInfo {
    /// Of which nothing more is known.
    pub(crate) fn of_params(index: usize, params: CodecParams, time_base: TimeBase) -> StreamInfo {
        StreamInfo {
            index,
            kind: params.kind(),
            params,
            time_base,
            frame_rate: None,
            start: None,
            duration: None,
            frames: 0,
            sample_aspect_ratio: None,
            display_matrix: None,
            is_attached_picture: false,
            is_default: false,
            id: 0,
            programs: Vec::new(),
            tags: Vec::new(),
            disposition: 0,
            has_packets: true,
        }
    }

    /// How much the ffmpeg program would want it where it chooses one of several: the video with the
    /// most pixels, the audio with the most channels; streams of which something came before others,
    /// then those that are marked as default; cover pictures last.
    pub(crate) fn score(&self) -> i64 {
        if self.is_attached_picture {
            return 1;
        }
        let size = match self.kind {
            MediaKind::Video | MediaKind::Cover => {
                i64::from(self.params.width()) * i64::from(self.params.height())
            }
            MediaKind::Audio => i64::from(self.params.channels()),
            _ => 0,
        };
        size + 100_000_000 * i64::from(self.has_packets) + AS_DEFAULT * i64::from(self.is_default)
    }

    /// The same beside the best streams of other inputs, where it is of no account which one its own
    /// container marks.
    pub(crate) fn score_among_inputs(&self) -> i64 {
        let is_marked = self.is_default && !self.is_attached_picture;
        self.score() - AS_DEFAULT * i64::from(is_marked)
    }

    /// Another one that says the same.
    pub(crate) fn share(&self) -> Result<StreamInfo, AvError> {
        let (programs, tags) = (self.programs.clone(), self.tags.clone());
        Ok(StreamInfo { params: self.params.share()?, programs, tags, ..*self })
    }
}

/// An owned AVFormatContext for reading.
pub(crate) struct Demuxer {
    ctx: *mut ff::AVFormatContext,
    // Kept alive for the callback inside `ctx`.
    interrupt: Interrupt,
}

impl Demuxer {
    /// Opens `url` and reads its header. What is left in `options`, nobody took.
    pub(crate) fn open(
        url: &str,
        format: Option<&str>,
        options: &mut Dict,
        interrupt: Interrupt,
    ) -> Result<Demuxer, AvError> {
        super::init();
        let url = c_string(url);
        let format = match format {
            None => ptr::null(),
            Some(name) => {
                let name = c_string(name);
                // SAFETY: the string is NUL-terminated.
                let found = unsafe { ff::av_find_input_format(name.as_ptr()) };
                if found.is_null() {
                    return Err(AvError::new(ff::AVERROR_DEMUXER_NOT_FOUND));
                }
                found
            }
        };
        // SAFETY: allocates; null is checked.
        let mut ctx = unsafe { ff::avformat_alloc_context() };
        if ctx.is_null() {
            return Err(AvError::no_memory());
        }
        // SAFETY: a context of ours; avformat_open_input frees it and sets it to null on failure.
        let status = unsafe {
            (*ctx).interrupt_callback = interrupt.callback();
            ff::avformat_open_input(&mut ctx, url.as_ptr(), format, options.as_mut_ptr())
        };
        AvError::check(status).map_err(|e| interrupt.explain(e))?;
        Ok(Demuxer { ctx, interrupt })
    }

    /// One that reads nothing, and has these streams.
    pub(super) fn described(format: &str, streams: &[StreamInfo]) -> Result<Demuxer, AvError> {
        let format = c_string(format);
        // SAFETY: allocates, which is checked; the string is NUL-terminated, and the format that is found
        // is static or null.
        let ctx = unsafe {
            let ctx = ff::avformat_alloc_context();
            let Some(context) = ctx.as_mut() else { return Err(AvError::no_memory()) };
            context.iformat = ff::av_find_input_format(format.as_ptr()).cast_mut().cast();
            ctx
        };
        let demuxer = Demuxer { ctx, interrupt: Interrupt::new(Stop::new()) };
        for stream in streams {
            // SAFETY: a context of ours; what is added to it is checked, and has parameters.
            unsafe {
                let st = ff::avformat_new_stream(demuxer.ctx, ptr::null()).as_mut();
                let st = st.ok_or_else(AvError::no_memory)?;
                AvError::check(ff::avcodec_parameters_copy(st.codecpar, stream.params.as_ptr()))?;
                st.time_base = super::rational(stream.time_base);
                if let Some(rate) = stream.frame_rate {
                    st.avg_frame_rate = ff::AVRational { num: rate.num(), den: rate.den() };
                }
            }
        }
        Ok(demuxer)
    }

    /// Reads as many packets as it takes to know every stream, within the limits set as options.
    pub(crate) fn find_stream_info(&mut self) -> Result<(), AvError> {
        // SAFETY: an open context; no options for the decoders it may try.
        AvError::check(unsafe { ff::avformat_find_stream_info(self.ctx, ptr::null_mut()) })
            .map(drop)
            .map_err(|e| self.interrupt.explain(e))
    }

    pub(super) fn context(&self) -> &ff::AVFormatContext {
        // SAFETY: an open context, which lives as long as the demuxer.
        unsafe { &*self.ctx }
    }

    /// The demuxer's short name.
    pub(crate) fn format_name(&self) -> &'static str {
        // SAFETY: an open context has an input format with a static name.
        unsafe { text((*(*self.ctx).iformat).name) }
    }

    /// Microseconds.
    pub(crate) fn start_micros(&self) -> Option<i64> {
        // SAFETY: an open context.
        super::optional(unsafe { (*self.ctx).start_time })
    }

    /// Microseconds.
    pub(crate) fn duration_micros(&self) -> Option<i64> {
        // SAFETY: an open context.
        super::optional(unsafe { (*self.ctx).duration }).filter(|&d| d > 0)
    }

    /// Whether the duration was reckoned from the size and the bit rate.
    pub(crate) fn estimates_duration(&self) -> bool {
        // SAFETY: an open context.
        let method = unsafe { (*self.ctx).duration_estimation_method };
        method == ff::AVDurationEstimationMethod::AVFMT_DURATION_FROM_BITRATE
    }

    /// Whether the header of a stream states how long it is.
    pub(crate) fn any_stream_has_duration(&self) -> bool {
        (0..self.stream_count()).any(|index| {
            // SAFETY: `index` is within the array, whose entries are valid.
            let duration = unsafe { (**(*self.ctx).streams.add(index)).duration };
            super::optional(duration).is_some_and(|d| d > 0)
        })
    }

    /// Whether it is known how many bytes there are to read. What libav doesn't read as a stream of
    /// bytes counts as known.
    pub(crate) fn has_length(&self) -> bool {
        // SAFETY: an open context; its I/O context may be null, which is checked.
        unsafe { (*self.ctx).pb.is_null() || ff::avio_size((*self.ctx).pb) > 0 }
    }

    /// How much [`Demuxer::find_stream_info`] may read, in stream time.
    pub(crate) fn set_analyze_limit(&mut self, limit: Duration) {
        let micros = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX);
        // SAFETY: an open context of ours.
        unsafe { (*self.ctx).max_analyze_duration = micros };
    }

    /// [`Demuxer::find_stream_info`] is to wait for no frames to measure their rate.
    pub(crate) fn count_no_frames_for_rate(&mut self) {
        // SAFETY: an open context of ours.
        unsafe { (*self.ctx).fps_probe_size = 0 };
    }

    /// Bits a second.
    pub(crate) fn bit_rate(&self) -> i64 {
        // SAFETY: an open context.
        unsafe { (*self.ctx).bit_rate }
    }

    /// Whether it can be read from another place than where it stands. What libav doesn't read as a
    /// stream of bytes (numbered pictures, generated ones) can be opened again.
    pub(crate) fn is_seekable(&self) -> bool {
        // SAFETY: an open context; its I/O context may be null.
        unsafe { (*self.ctx).pb.as_ref() }.is_none_or(|io| io.seekable != 0)
    }

    fn has_flag(&self, flag: u32) -> bool {
        // SAFETY: an open context has an input format.
        let flags = unsafe { (*(*self.ctx).iformat).flags };
        u32::try_from(flags).is_ok_and(|flags| flags & flag != 0)
    }

    /// Whether it can be sought in by time: its packets have times, and stand in one stream of bytes.
    /// libav's reader of ASF gives some packets behind a seek no time.
    pub(crate) fn seeks_by_time(&self) -> bool {
        // SAFETY: an open context; its I/O context may be null.
        let is_of_bytes = unsafe { !(*self.ctx).pb.is_null() };
        let has_times = !self.has_flag(ff::AVFMT_NOTIMESTAMPS as u32);
        is_of_bytes && has_times && self.format_name() != "asf"
    }

    /// Whether its clock may begin anew in its middle: formats that are cut and joined byte by byte.
    pub(crate) fn clock_may_restart(&self) -> bool {
        self.has_flag(ff::AVFMT_TS_DISCONT as u32)
    }

    /// Bytes, where they are known.
    pub(crate) fn bytes(&self) -> Option<i64> {
        // SAFETY: an open context; its I/O context may be null, which is checked.
        let size =
            unsafe { if (*self.ctx).pb.is_null() { -1 } else { ff::avio_size((*self.ctx).pb) } };
        Some(size).filter(|size| *size > 0)
    }

    /// Goes to a place in the file, wherever that is in its packets.
    pub(crate) fn seek_to_byte(&mut self, position: i64) -> Result<(), AvError> {
        let flags = ff::AVSEEK_FLAG_BYTE as libc::c_int;
        // SAFETY: an open context.
        AvError::check(unsafe {
            ff::avformat_seek_file(self.ctx, -1, i64::MIN, position, i64::MAX, flags)
        })
        .map(drop)
    }

    pub(crate) fn stream_count(&self) -> usize {
        // SAFETY: an open context.
        unsafe { (*self.ctx).nb_streams as usize }
    }

    pub(crate) fn stream(&self, index: usize) -> Result<StreamInfo, AvError> {
        if index >= self.stream_count() {
            return Err(AvError::new(ff::AVERROR_STREAM_NOT_FOUND));
        }
        // SAFETY: `index` is within the array, whose entries and their parameters are valid.
        let (st, mut params) = unsafe {
            let st = *(*self.ctx).streams.add(index);
            (&*st, CodecParams::copy_of((*st).codecpar)?)
        };
        if says_alpha(st) {
            params.set_alpha();
        }
        let has = |flag: u32| u32::try_from(st.disposition).is_ok_and(|d| d & flag != 0);
        let has_packets = st.event_flags & ff::AVSTREAM_EVENT_FLAG_NEW_PACKETS as libc::c_int != 0;
        // SAFETY: both are valid for the call; the frame may be null.
        let rate = unsafe {
            ff::av_guess_frame_rate(self.ctx, ptr::from_ref(st).cast_mut(), ptr::null_mut())
        };
        // SAFETY: as above.
        let sar = unsafe {
            ff::av_guess_sample_aspect_ratio(
                self.ctx,
                ptr::from_ref(st).cast_mut(),
                ptr::null_mut(),
            )
        };
        let is_cover = has(ff::AV_DISPOSITION_ATTACHED_PIC as u32);
        // A track of timecodes counts pictures, and libav guesses nothing of data.
        let counted = Some(st.avg_frame_rate).filter(|_| params.kind() == MediaKind::Data);
        let frame_rate = super::rate_of(rate).or_else(|| super::rate_of(counted?));
        Ok(StreamInfo {
            index,
            kind: if is_cover { MediaKind::Cover } else { params.kind() },
            params,
            time_base: super::time_base(st.time_base).unwrap_or(TimeBase::MICROS),
            frame_rate,
            start: super::optional(st.start_time),
            duration: super::optional(st.duration).filter(|&d| d > 0),
            frames: st.nb_frames,
            sample_aspect_ratio: (sar.num > 0 && sar.den > 0).then_some((sar.num, sar.den)),
            display_matrix: display_matrix(st),
            is_attached_picture: is_cover,
            is_default: has(ff::AV_DISPOSITION_DEFAULT as u32),
            id: i64::from(st.id),
            programs: self.programs_of(index),
            // SAFETY: the metadata of a valid stream is null or a dictionary.
            tags: unsafe { super::dict::pairs(st.metadata) },
            disposition: st.disposition,
            has_packets,
        })
    }

    /// The numbers of the programs that a stream belongs to.
    fn programs_of(&self, index: usize) -> Vec<i64> {
        // SAFETY: an open context has as many programs as it says, each with as many indices as it says.
        let programs = unsafe {
            let count = (*self.ctx).nb_programs as usize;
            (0..count).map(|n| &**(*self.ctx).programs.add(n))
        };
        let has = |program: &&ff::AVProgram| {
            let count = program.nb_stream_indexes as usize;
            // SAFETY: as above.
            (0..count).any(|n| unsafe { *program.stream_index.add(n) } as usize == index)
        };
        programs.filter(has).map(|program| i64::from(program.id)).collect()
    }

    /// The stream that the ffmpeg program would choose of a kind; of equals the first.
    pub(crate) fn best_stream(&self, kind: MediaKind) -> Result<Option<StreamInfo>, AvError> {
        let mut best: Option<StreamInfo> = None;
        for index in 0..self.stream_count() {
            let stream = self.stream(index)?;
            let is_of_kind = stream.kind.of_codec() == kind;
            if is_of_kind && best.as_ref().is_none_or(|b| stream.score() > b.score()) {
                best = Some(stream);
            }
        }
        Ok(best)
    }

    /// Makes the demuxer throw away the packets of all other streams.
    pub(crate) fn read_only(&mut self, streams: &[usize]) {
        for index in 0..self.stream_count() {
            let discard = match streams.contains(&index) {
                true => ff::AVDiscard::AVDISCARD_DEFAULT,
                false => ff::AVDiscard::AVDISCARD_ALL,
            };
            // SAFETY: `index` is within the array.
            unsafe { (**(*self.ctx).streams.add(index)).discard = discard };
        }
    }

    /// The next packet; `None` at the end.
    pub(crate) fn read(&mut self) -> Result<Option<AvPacket>, AvError> {
        let mut packet = AvPacket::new()?;
        // SAFETY: an open context and a blank packet.
        match AvError::check(unsafe { ff::av_read_frame(self.ctx, packet.as_mut_ptr()) }) {
            // What a demuxer had of a packet when it was stopped passes for one that is damaged.
            Ok(_) if packet.is_corrupt() && self.interrupt.is_stopped() => {
                Err(AvError::new(ff::AVERROR_EXIT))
            }
            Ok(_) => Ok(Some(packet)),
            Err(e) if e.is_eof() => match self.io_error() {
                // Some protocols report a failure as the end of the file.
                Some(e) => Err(self.interrupt.explain(e)),
                None => Ok(None),
            },
            Err(e) => Err(self.interrupt.explain(e)),
        }
    }

    fn io_error(&self) -> Option<AvError> {
        // SAFETY: an open context; its I/O context may be null.
        let code = unsafe { (*self.ctx).pb.as_ref() }.map_or(0, |io| io.error);
        (code < 0 && code != ff::AVERROR_EOF).then(|| AvError::new(code))
    }

    /// Seeks to the keyframe at or before `micros`, or to the first after it.
    pub(crate) fn seek(&mut self, micros: i64) -> Result<(), AvError> {
        // SAFETY: an open context.
        let at_or_before =
            unsafe { ff::avformat_seek_file(self.ctx, -1, i64::MIN, micros, micros, 0) };
        if at_or_before >= 0 {
            return Ok(());
        }
        // SAFETY: an open context.
        AvError::check(unsafe {
            ff::avformat_seek_file(self.ctx, -1, i64::MIN, micros, i64::MAX, 0)
        })
        .map(drop)
    }
}

/// Whether the container says that the pictures have transparency beside them, as WebM does.
fn says_alpha(st: &ff::AVStream) -> bool {
    // SAFETY: a valid stream, whose metadata may be null; the name is NUL-terminated, and the entry is
    // null or has a string that ends with NUL.
    unsafe {
        ff::av_dict_get(st.metadata, c"alpha_mode".as_ptr(), ptr::null(), 0)
            .as_ref()
            .is_some_and(|entry| CStr::from_ptr(entry.value).to_bytes() == b"1")
    }
}

#[cfg(ffmpeg_6_1)]
fn display_matrix(st: &ff::AVStream) -> Option<[i32; 9]> {
    // SAFETY: valid parameters; the result is null or side data of the size it says.
    unsafe {
        let par = &*st.codecpar;
        let data = ff::av_packet_side_data_get(
            par.coded_side_data,
            par.nb_coded_side_data,
            ff::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX,
        );
        let data = data.as_ref().filter(|d| d.size >= 36)?;
        Some(ptr::read_unaligned(data.data.cast::<[i32; 9]>()))
    }
}

#[cfg(not(ffmpeg_6_1))]
fn display_matrix(st: &ff::AVStream) -> Option<[i32; 9]> {
    let mut size = 0;
    // SAFETY: a valid stream; the result is null or holds the size it says.
    unsafe {
        let data = ff::av_stream_get_side_data(
            st,
            ff::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX,
            &mut size,
        );
        (!data.is_null() && size >= 36).then(|| ptr::read_unaligned(data.cast::<[i32; 9]>()))
    }
}

impl Drop for Demuxer {
    fn drop(&mut self) {
        // SAFETY: closes and frees what we own.
        unsafe { ff::avformat_close_input(&mut self.ctx) };
    }
}

// SAFETY: a context is used by one owner at a time and has no tie to a thread.
unsafe impl Send for Demuxer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_packet_is_not_given_out() {
        const FRAMES: usize = 20;
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("grey.raw");
        std::fs::write(&file, vec![128; 160 * 120 * FRAMES]).unwrap();
        let stop = Stop::new();
        let mut options = Dict::from_pairs([("video_size", "160x120"), ("pixel_format", "gray")]);
        let url = file.to_str().unwrap();
        let interrupt = Interrupt::new(stop.clone());
        let mut demuxer = Demuxer::open(url, Some("rawvideo"), &mut options, interrupt).unwrap();
        assert!(demuxer.read().unwrap().is_some());
        stop.stop();
        let mut given = 1;
        let end = loop {
            match demuxer.read() {
                Ok(Some(packet)) => assert_eq!(packet.size(), 160 * 120),
                end => break end,
            }
            given += 1;
        };
        assert!(end.is_err_and(|e| e.is_interrupted()));
        assert!(given < FRAMES, "it read on after the stop");
    }
}
