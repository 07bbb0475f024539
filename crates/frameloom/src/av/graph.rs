use std::ptr;

use ffmpeg_sys_next as ff;

use super::{AvError, AvFrame, Device, Received, c_string, text};
use crate::time::{Rate, TimeBase};

/// What goes into a filter graph. A frame of the kind itself tells the rest.
pub(crate) struct GraphInput<'a> {
    pub(crate) frame: &'a AvFrame,
    pub(crate) time_base: TimeBase,
    pub(crate) frame_rate: Option<Rate>,
}

/// Gives a graph's filters the device that those which need one use.
///
/// # Safety
/// A valid graph, whose filters are parsed and not configured.
pub(super) unsafe fn give_device(
    graph: *mut ff::AVFilterGraph,
    device: Option<&Device>,
) -> Result<(), AvError> {
    let Some(device) = device else { return Ok(()) };
    // SAFETY: this function's contract: the graph has so many filters, each of which frees its reference.
    unsafe {
        for n in 0..(*graph).nb_filters as usize {
            let filter = &mut **(*graph).filters.add(n);
            if filter.hw_device_ctx.is_null() {
                filter.hw_device_ctx = device.reference()?;
            }
        }
    }
    Ok(())
}

/// The rate of pictures of which nothing is known.
const PLAIN_RATE: Option<Rate> = Rate::new(25, 1);

/// An owned filter graph with one input and one output.
pub(crate) struct AvFilterGraph {
    graph: *mut ff::AVFilterGraph,
    source: GraphSource,
    sink: *mut ff::AVFilterContext,
}

/// A filter through which frames go into a graph.
pub(super) struct GraphSource {
    pub(super) filter: *mut ff::AVFilterContext,
    /// Where the last frame sent ends, in ticks of the input.
    end: i64,
    /// How long a picture is shown that doesn't say it, in ticks of the input.
    step: i64,
}

impl GraphSource {
    /// A source in `graph` of this kind, which is ready for what `input` describes.
    ///
    /// # Safety
    /// `graph` is a valid graph, which owns the source and outlives it.
    pub(super) unsafe fn new(
        graph: *mut ff::AVFilterGraph,
        kind: &std::ffi::CStr,
        name: *const libc::c_char,
        input: &GraphInput<'_>,
    ) -> Result<GraphSource, AvError> {
        // SAFETY: this function's contract, and static filters; null is checked, and the source is
        // described before it is initialized.
        let filter = unsafe {
            let filter = ff::avfilter_graph_alloc_filter(
                graph,
                ff::avfilter_get_by_name(kind.as_ptr()),
                name,
            );
            if filter.is_null() {
                return Err(AvError::no_memory());
            }
            describe_source(filter, input)?;
            AvError::check(ff::avfilter_init_str(filter, ptr::null()))?;
            filter
        };
        let rate = input.frame_rate.or(PLAIN_RATE).filter(|_| input.frame.width() > 0);
        let step = rate.map(|rate| rate.time_base().at(1).rescale(input.time_base).ticks().max(1));
        Ok(GraphSource { filter, end: ff::AV_NOPTS_VALUE, step: step.unwrap_or(0) })
    }

    /// Sends a frame; `None` says that no more come. Filters that have seen enough, as `trim` at its end,
    /// let it be.
    ///
    /// # Safety
    /// The graph is configured.
    pub(super) unsafe fn send(&mut self, frame: Option<&AvFrame>) -> Result<(), AvError> {
        let Some(frame) = frame else {
            // SAFETY: a configured source. It is told where the last frame ends, which filters that
            // make a constant rate can't know otherwise.
            return AvError::check(unsafe { ff::av_buffersrc_close(self.filter, self.end, 0) })
                .map(drop);
        };
        if let Some(pts) = frame.pts() {
            let length = if frame.duration() > 0 { frame.duration() } else { self.step };
            self.end = pts.saturating_add(length);
        }
        let keep = ff::AV_BUFFERSRC_FLAG_KEEP_REF as libc::c_int;
        // SAFETY: a configured source; with KEEP_REF the frame is only read.
        let sent = unsafe {
            ff::av_buffersrc_add_frame_flags(self.filter, frame.as_ptr().cast_mut(), keep)
        };
        match AvError::check(sent) {
            // Since FFmpeg 7 the source says that nothing behind it takes any more.
            Err(e) if e.is_eof() => Ok(()),
            sent => sent.map(drop),
        }
    }
}

impl AvFilterGraph {
    /// A video graph by FFmpeg's filter syntax, with the device for filters that need one.
    pub(crate) fn video(
        input: &GraphInput<'_>,
        spec: &str,
        device: Option<&Device>,
    ) -> Result<AvFilterGraph, AvError> {
        AvFilterGraph::new(input, spec, device, [c"buffer", c"buffersink"])
    }

    /// An audio graph by FFmpeg's filter syntax. `frame_samples` cuts the output into frames of
    /// that many samples.
    pub(crate) fn audio(
        input: &GraphInput<'_>,
        spec: &str,
        frame_samples: Option<u32>,
    ) -> Result<AvFilterGraph, AvError> {
        let graph = AvFilterGraph::new(input, spec, None, [c"abuffer", c"abuffersink"])?;
        if let Some(n) = frame_samples {
            // SAFETY: a configured sink of ours.
            unsafe { ff::av_buffersink_set_frame_size(graph.sink, n) };
        }
        Ok(graph)
    }

    fn new(
        input: &GraphInput<'_>,
        spec: &str,
        device: Option<&Device>,
        [source_name, sink_name]: [&std::ffi::CStr; 2],
    ) -> Result<AvFilterGraph, AvError> {
        super::init();
        // SAFETY: allocates; null is checked.
        let graph = unsafe { ff::avfilter_graph_alloc() };
        if graph.is_null() {
            return Err(AvError::no_memory());
        }
        let none = GraphSource { filter: ptr::null_mut(), end: ff::AV_NOPTS_VALUE, step: 0 };
        let mut this = AvFilterGraph { graph, source: none, sink: ptr::null_mut() };
        // SAFETY: a graph of ours, which is freed with its filters by `this`.
        this.source = unsafe { GraphSource::new(graph, source_name, c"in".as_ptr(), input) }?;
        // SAFETY: a graph of ours and static filters; no arguments.
        unsafe {
            AvError::check(ff::avfilter_graph_create_filter(
                &mut this.sink,
                ff::avfilter_get_by_name(sink_name.as_ptr()),
                c"out".as_ptr(),
                ptr::null(),
                ptr::null_mut(),
                graph,
            ))?;
        }
        this.link(spec, device)?;
        Ok(this)
    }

    fn link(&mut self, spec: &str, device: Option<&Device>) -> Result<(), AvError> {
        let spec = c_string(spec);
        // SAFETY: allocates two list entries with names of their own, links them to filters of
        // ours, and frees whatever the parser left of them.
        let status = unsafe {
            let (mut inputs, mut outputs) =
                (ff::avfilter_inout_alloc(), ff::avfilter_inout_alloc());
            if inputs.is_null() || outputs.is_null() {
                ff::avfilter_inout_free(&mut inputs);
                ff::avfilter_inout_free(&mut outputs);
                return Err(AvError::no_memory());
            }
            (*outputs).name = ff::av_strdup(c"in".as_ptr());
            (*outputs).filter_ctx = self.source.filter;
            (*inputs).name = ff::av_strdup(c"out".as_ptr());
            (*inputs).filter_ctx = self.sink;
            let parsed = ff::avfilter_graph_parse_ptr(
                self.graph,
                spec.as_ptr(),
                &mut inputs,
                &mut outputs,
                ptr::null_mut(),
            );
            ff::avfilter_inout_free(&mut inputs);
            ff::avfilter_inout_free(&mut outputs);
            AvError::check(parsed)?;
            give_device(self.graph, device)?;
            ff::avfilter_graph_config(self.graph, ptr::null_mut())
        };
        AvError::check(status).map(drop)
    }

    /// Sends a frame; `None` begins the drain.
    pub(crate) fn send(&mut self, frame: Option<&AvFrame>) -> Result<(), AvError> {
        // SAFETY: the graph was configured when it was made.
        unsafe { self.source.send(frame) }
    }

    pub(crate) fn receive(&mut self) -> Result<Received<AvFrame>, AvError> {
        let mut frame = AvFrame::empty()?;
        // SAFETY: a configured sink and a blank frame.
        match AvError::check(unsafe { ff::av_buffersink_get_frame(self.sink, frame.as_mut_ptr()) })
        {
            Ok(_) => Ok(Received::Item(frame)),
            Err(e) if e.is_again() => Ok(Received::Again),
            Err(e) if e.is_eof() => Ok(Received::End),
            Err(e) => Err(e),
        }
    }

    pub(crate) fn time_base(&self) -> TimeBase {
        // SAFETY: a configured sink.
        super::time_base(unsafe { ff::av_buffersink_get_time_base(self.sink) })
            .unwrap_or(TimeBase::MICROS)
    }

    pub(crate) fn frame_rate(&self) -> Option<Rate> {
        // SAFETY: a configured sink.
        super::rate_of(unsafe { ff::av_buffersink_get_frame_rate(self.sink) })
    }

    /// The sample format's name of what comes out.
    pub(crate) fn sample_format(&self) -> &'static str {
        // SAFETY: a configured sink; the table of names is static.
        unsafe {
            let raw = ff::av_buffersink_get_format(self.sink);
            if raw < 0 {
                return "";
            }
            text(ff::av_get_sample_fmt_name(std::mem::transmute::<i32, ff::AVSampleFormat>(raw)))
        }
    }

    /// Samples a second of what comes out.
    pub(crate) fn sample_rate(&self) -> u32 {
        // SAFETY: a configured sink.
        u32::try_from(unsafe { ff::av_buffersink_get_sample_rate(self.sink) }).unwrap_or(0)
    }

    /// The channel layout's name of what comes out.
    pub(crate) fn channel_layout(&self) -> String {
        // SAFETY: a configured sink; an all-zero layout is libav's blank one; the buffer's true
        // size is passed and libav ends the name with a NUL.
        unsafe {
            let mut layout: ff::AVChannelLayout = std::mem::zeroed();
            ff::av_buffersink_get_ch_layout(self.sink, &mut layout);
            let mut name = [0u8; 128];
            ff::av_channel_layout_describe(&layout, name.as_mut_ptr().cast(), name.len());
            ff::av_channel_layout_uninit(&mut layout);
            text(name.as_ptr().cast()).to_owned()
        }
    }
}

/// Tells a source what it will be sent.
///
/// # Safety
/// `source` is a `buffer` or `abuffer` that was not initialized yet.
unsafe fn describe_source(
    source: *mut ff::AVFilterContext,
    input: &GraphInput<'_>,
) -> Result<(), AvError> {
    // SAFETY: allocates; null is checked.
    let p = unsafe { ff::av_buffersrc_parameters_alloc() };
    if p.is_null() {
        return Err(AvError::no_memory());
    }
    // SAFETY: a valid frame, and parameters of ours; the layout is copied by the call, so the
    // borrowed one may be lent to it.
    let status = unsafe {
        let (f, par) = (&*input.frame.as_ptr(), &mut *p);
        par.format = f.format;
        par.time_base = super::rational(input.time_base);
        par.width = f.width;
        par.height = f.height;
        par.sample_aspect_ratio = f.sample_aspect_ratio;
        // Lent, too: the call takes a reference of its own.
        par.hw_frames_ctx = f.hw_frames_ctx;
        if let Some(rate) = input.frame_rate {
            par.frame_rate = ff::AVRational { num: rate.num(), den: rate.den() };
        }
        #[cfg(ffmpeg_7_0)]
        if f.width > 0 {
            // As integers: a file may hold numbers that are no members of the enums.
            (&raw mut par.color_space)
                .cast::<i32>()
                .write((&raw const f.colorspace).cast::<i32>().read());
            (&raw mut par.color_range)
                .cast::<i32>()
                .write((&raw const f.color_range).cast::<i32>().read());
        }
        if f.sample_rate > 0 {
            par.sample_rate = f.sample_rate;
            par.ch_layout = f.ch_layout;
        }
        ff::av_buffersrc_parameters_set(source, p)
    };
    // SAFETY: frees what was allocated above, whose fields are borrowed.
    unsafe { ff::av_free(p.cast()) };
    AvError::check(status).map(drop)
}

impl Drop for AvFilterGraph {
    fn drop(&mut self) {
        // SAFETY: frees what we own, the filters with it.
        unsafe { ff::avfilter_graph_free(&mut self.graph) };
    }
}

// SAFETY: a graph is used by one owner at a time and has no tie to a thread.
unsafe impl Send for AvFilterGraph {}
