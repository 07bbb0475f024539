use std::ptr;

use ffmpeg_sys_next as ff;

use super::graph::{GraphSource, give_device};
use super::{AvError, AvFrame, Device, GraphInput, MediaKind, Received, c_string, optional_text};
use crate::time::{Rate, TimeBase};

/// A pad of a graph that nothing inside it is linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenPad {
    /// As it stands in the description, without its brackets.
    pub(crate) label: Option<String>,
    pub(crate) kind: MediaKind,
    /// The name of the filter that it belongs to.
    pub(crate) filter: String,
}

/// An owned filter graph with any number of inputs and outputs.
pub(crate) struct AvComplexGraph {
    graph: *mut ff::AVFilterGraph,
    inputs: Vec<Pad>,
    outputs: Vec<Pad>,
    sources: Vec<GraphSource>,
    /// One for each output; null before the graph is configured.
    sinks: Vec<*mut ff::AVFilterContext>,
}

/// What goes into an input of a graph.
pub(crate) struct ComplexInput<'a> {
    pub(crate) frame: GraphInput<'a>,
    /// Sound is stretched and filled so that it keeps to its times.
    pub(crate) follows_clock: bool,
}

/// An open pad, and where it is.
struct Pad {
    described: OpenPad,
    filter: *mut ff::AVFilterContext,
    number: u32,
}

/// What a graph needs to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    /// Something can be received.
    Ready,
    /// More has to be sent, to a source that [wants](AvComplexGraph::wants) it.
    NeedsInput,
    /// Nothing will come any more.
    End,
}

impl AvComplexGraph {
    /// Reads a description in FFmpeg's language, and makes its filters.
    pub(crate) fn parse(spec: &str) -> Result<AvComplexGraph, AvError> {
        super::init();
        // SAFETY: allocates; null is checked.
        let graph = unsafe { ff::avfilter_graph_alloc() };
        if graph.is_null() {
            return Err(AvError::no_memory());
        }
        let mut this = AvComplexGraph {
            graph,
            inputs: Vec::new(),
            outputs: Vec::new(),
            sources: Vec::new(),
            sinks: Vec::new(),
        };
        let spec = c_string(spec);
        let (mut inputs, mut outputs) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: a graph of ours and a NUL-terminated string; both lists are read while the filters
        // they name exist, and freed.
        let status = unsafe {
            let status = ff::avfilter_graph_parse2(graph, spec.as_ptr(), &mut inputs, &mut outputs);
            if status >= 0 {
                this.inputs = pads(inputs, true);
                this.outputs = pads(outputs, false);
            }
            ff::avfilter_inout_free(&mut inputs);
            ff::avfilter_inout_free(&mut outputs);
            status
        };
        AvError::check(status)?;
        Ok(this)
    }

    /// The pads that are to be given frames, in the order of the description.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &OpenPad> {
        self.inputs.iter().map(|pad| &pad.described)
    }

    /// The pads that give frames, in the order of the description.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &OpenPad> {
        self.outputs.iter().map(|pad| &pad.described)
    }

    /// Makes it ready for frames: one description for each of its inputs, and the device for filters that
    /// need one.
    pub(crate) fn configure(
        &mut self,
        inputs: &[ComplexInput<'_>],
        device: Option<&Device>,
    ) -> Result<(), AvError> {
        // SAFETY: a graph of ours, which was parsed.
        unsafe { give_device(self.graph, device) }?;
        for (pad, ComplexInput { frame: input, follows_clock }) in self.inputs.iter().zip(inputs) {
            let is_video = pad.described.kind == MediaKind::Video;
            let name = if is_video { c"buffer" } else { c"abuffer" };
            // SAFETY: a graph of ours, which owns its filters. The pad is one of a filter of this graph
            // that nothing is linked to.
            let source = unsafe {
                let source = GraphSource::new(self.graph, name, ptr::null(), input)?;
                let mut before = source.filter;
                if *follows_clock && !is_video {
                    AvError::check(ff::avfilter_graph_create_filter(
                        &mut before,
                        ff::avfilter_get_by_name(c"aresample".as_ptr()),
                        ptr::null(),
                        c"async=1000".as_ptr(),
                        ptr::null_mut(),
                        self.graph,
                    ))?;
                    AvError::check(ff::avfilter_link(source.filter, 0, before, 0))?;
                }
                AvError::check(ff::avfilter_link(before, 0, pad.filter, pad.number))?;
                source
            };
            self.sources.push(source);
        }
        for pad in &self.outputs {
            let is_video = pad.described.kind == MediaKind::Video;
            let name = if is_video { c"buffersink" } else { c"abuffersink" };
            let mut sink = ptr::null_mut();
            // SAFETY: as above.
            unsafe {
                AvError::check(ff::avfilter_graph_create_filter(
                    &mut sink,
                    ff::avfilter_get_by_name(name.as_ptr()),
                    ptr::null(),
                    ptr::null(),
                    ptr::null_mut(),
                    self.graph,
                ))?;
                AvError::check(ff::avfilter_link(pad.filter, pad.number, sink, 0))?;
            }
            self.sinks.push(sink);
        }
        // SAFETY: a graph of ours, all of whose pads are linked.
        AvError::check(unsafe { ff::avfilter_graph_config(self.graph, ptr::null_mut()) }).map(drop)
    }

    /// Sends a frame to an input; `None` says that it has ended.
    pub(crate) fn send(&mut self, input: usize, frame: Option<&AvFrame>) -> Result<(), AvError> {
        // SAFETY: who has sources is configured.
        self.sources.get_mut(input).map_or(Ok(()), |source| unsafe { source.send(frame) })
    }

    /// Lets the filters work until one of the outputs has something, or more is needed.
    pub(crate) fn advance(&mut self) -> Result<Advance, AvError> {
        // SAFETY: a configured graph.
        match AvError::check(unsafe { ff::avfilter_graph_request_oldest(self.graph) }) {
            Ok(_) => Ok(Advance::Ready),
            Err(e) if e.is_again() => Ok(Advance::NeedsInput),
            Err(e) if e.is_eof() => Ok(Advance::End),
            Err(e) => Err(e),
        }
    }

    /// Whether filters asked for a frame of this input in vain, since the last one.
    pub(crate) fn wants(&self, input: usize) -> bool {
        let Some(source) = self.sources.get(input) else { return false };
        // SAFETY: a configured source.
        unsafe { ff::av_buffersrc_get_nb_failed_requests(source.filter) > 0 }
    }

    /// What an output has.
    pub(crate) fn receive(&mut self, output: usize) -> Result<Received<AvFrame>, AvError> {
        let Some(sink) = self.sinks.get(output) else { return Ok(Received::End) };
        let mut frame = AvFrame::empty()?;
        // SAFETY: a configured sink and a blank frame.
        let got = unsafe {
            ff::av_buffersink_get_frame_flags(
                *sink,
                frame.as_mut_ptr(),
                ff::AV_BUFFERSINK_FLAG_NO_REQUEST,
            )
        };
        match AvError::check(got) {
            Ok(_) => Ok(Received::Item(frame)),
            Err(e) if e.is_again() => Ok(Received::Again),
            Err(e) if e.is_eof() => Ok(Received::End),
            Err(e) => Err(e),
        }
    }

    /// The unit of the times of what comes out.
    pub(crate) fn time_base(&self, output: usize) -> TimeBase {
        let sink = self.sinks.get(output);
        // SAFETY: a configured sink.
        let base =
            sink.and_then(|s| super::time_base(unsafe { ff::av_buffersink_get_time_base(*s) }));
        base.unwrap_or(TimeBase::MICROS)
    }

    /// The rate of the pictures that come out, where it is known.
    pub(crate) fn frame_rate(&self, output: usize) -> Option<Rate> {
        let sink = self.sinks.get(output)?;
        // SAFETY: a configured sink.
        super::rate_of(unsafe { ff::av_buffersink_get_frame_rate(*sink) })
    }
}

/// The pads of a list that the parser made.
///
/// # Safety
/// `list` is null or such a list, and its filters exist.
unsafe fn pads(mut list: *mut ff::AVFilterInOut, are_inputs: bool) -> Vec<Pad> {
    let mut pads = Vec::new();
    // SAFETY: this function's contract; every entry names a pad that its filter has.
    unsafe {
        while !list.is_null() {
            let entry = &*list;
            let filter = &*entry.filter_ctx;
            let of = if are_inputs { filter.input_pads } else { filter.output_pads };
            let kind = match ff::avfilter_pad_get_type(of, entry.pad_idx) {
                ff::AVMediaType::AVMEDIA_TYPE_AUDIO => MediaKind::Audio,
                _ => MediaKind::Video,
            };
            pads.push(Pad {
                described: OpenPad {
                    label: optional_text(entry.name).map(str::to_owned),
                    kind,
                    filter: super::text((*filter.filter).name).to_owned(),
                },
                filter: entry.filter_ctx,
                number: u32::try_from(entry.pad_idx).unwrap_or(0),
            });
            list = entry.next;
        }
    }
    pads
}

impl Drop for AvComplexGraph {
    fn drop(&mut self) {
        // SAFETY: frees what we own, the filters with it.
        unsafe { ff::avfilter_graph_free(&mut self.graph) };
    }
}

// SAFETY: a graph is used by one owner at a time and has no tie to a thread.
unsafe impl Send for AvComplexGraph {}
