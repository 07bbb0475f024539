use std::collections::VecDeque;
use std::sync::Arc;

use crate::av::{
    AvError, AvFilterGraph, DescribedFilter, Device, GraphInput, OptionClasses, PixFmt, Received,
    filter_exists, filter_names, filters_in, silently,
};
use crate::edit::FrameProcessor;
use crate::error::{BoxError, Error, ErrorKind, Hint, Result, Setting, Stage, nearest};
use crate::image::BufferPool;
use crate::image::Frame;
use crate::image::device::DeviceSpec;
use crate::options::{expected, quoted};
use crate::time::arrival::Arrival;
use crate::time::{Rate, TimeBase, Timestamp};

/// Most frames inside a graph of which it is remembered when they came. One that gives nothing out,
/// such as `select=0`, would have them grow without end.
const IN_FLIGHT: usize = 1024;

/// A filter graph of libavfilter as a stage. It is made anew whenever the pictures change their
/// size or format.
pub(crate) struct FilterGraph {
    spec: String,
    frame_rate: Option<Rate>,
    /// The one that its filters use.
    device: Option<DeviceSpec>,
    opened: Option<Arc<Device>>,
    /// Pictures on a device that its filters can't take from there.
    refused: Option<PictureShape>,
    open: Option<OpenGraph>,
    ready: VecDeque<Frame>,
}

struct OpenGraph {
    graph: AvFilterGraph,
    shape: PictureShape,
    /// It puts pictures on a device.
    uploads: bool,
    in_flight: VecDeque<FilterFrame>,
    pool: BufferPool,
}

/// What is known of a frame that was sent.
#[derive(Clone, Copy)]
struct FilterFrame {
    pts: Timestamp,
    duration: Timestamp,
    index: u64,
    arrived: Arrival,
}

#[derive(Clone, Copy, PartialEq)]
struct PictureShape {
    size: (u32, u32),
    format: Option<PixFmt>,
    sample_aspect_ratio: Option<(i32, i32)>,
    /// Where it is.
    surfaces: usize,
    time_base: TimeBase,
}

impl PictureShape {
    fn of(frame: &Frame) -> PictureShape {
        let picture = frame.picture();
        PictureShape {
            size: (picture.width(), picture.height()),
            format: picture.format(),
            sample_aspect_ratio: picture.sample_aspect_ratio(),
            surfaces: picture.surfaces_id(),
            time_base: frame.time_base(),
        }
    }
}

impl FilterGraph {
    /// By FFmpeg's filter syntax; `frame_rate` is what its input is known to have.
    pub(crate) fn new(spec: impl Into<String>, frame_rate: Option<Rate>) -> FilterGraph {
        FilterGraph {
            spec: spec.into(),
            frame_rate,
            device: None,
            opened: None,
            refused: None,
            open: None,
            ready: VecDeque::new(),
        }
    }

    /// Gives its filters a device, which is opened with the graph.
    pub(crate) fn with_device(mut self, device: Option<&DeviceSpec>) -> FilterGraph {
        self.device = device.cloned();
        self
    }

    /// The rate of what comes out, once something went in.
    pub(crate) fn frame_rate(&self) -> Option<Rate> {
        self.open.as_ref().and_then(|o| o.graph.frame_rate())
    }

    fn fail(&self, e: AvError) -> Error {
        graph_error(&self.spec, e, Stage::Process)
    }

    /// Makes the graph for such frames. A picture on a device comes into memory first, unless it is to stay
    /// there and the filters can take it so.
    fn open_for(&mut self, frame: &mut Frame) -> Result<()> {
        let shape = PictureShape::of(frame);
        if frame.stays_on_device() && self.refused != Some(shape) {
            if silently(|| self.open_as_it_is(frame)).is_ok() {
                return Ok(());
            }
            self.refused = Some(shape);
        }
        frame.download()?;
        self.open_as_it_is(frame)
    }

    fn open_as_it_is(&mut self, frame: &Frame) -> Result<()> {
        let shape = PictureShape::of(frame);
        if self.open.as_ref().is_some_and(|o| o.shape == shape) {
            return Ok(());
        }
        if self.open.is_some() {
            self.drain()?;
        }
        let input = GraphInput {
            frame: frame.picture(),
            time_base: frame.time_base(),
            frame_rate: self.frame_rate,
        };
        if let (None, Some(device)) = (&self.opened, &self.device) {
            self.opened = Some(device.open(Stage::Process)?);
        }
        let graph = AvFilterGraph::video(&input, &self.spec, self.opened.as_deref());
        let graph = graph.map_err(|e| {
            let error = self.fail(e);
            match self.opened.is_none() && uploads(&self.spec) {
                true => error.hint(Hint::Use(vec![Setting::ffmpeg("init_hw_device")])),
                false => error,
            }
        })?;
        let (pool, uploads) = (frame.pool().clone(), uploads(&self.spec));
        self.open = Some(OpenGraph { graph, shape, uploads, in_flight: VecDeque::new(), pool });
        Ok(())
    }

    fn collect(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let out_base = open.graph.time_base();
        let rate = open.graph.frame_rate();
        loop {
            let mut picture = match open.graph.receive() {
                Ok(Received::Item(picture)) => picture,
                Ok(Received::Again | Received::End) => return Ok(()),
                Err(e) => return Err(self.fail(e)),
            };
            // What a filter gives out belongs to the last frame sent that is not later than it.
            let at = out_base.at(picture.pts().unwrap_or(0));
            while open.in_flight.get(1).is_some_and(|next| next.pts <= at) {
                open.in_flight.pop_front();
            }
            let of = open.in_flight.front().copied();
            // Filters leave a frame's length as it was, in ticks that are no more theirs.
            let length = match (of, rate) {
                (_, Some(rate)) if Some(rate) != self.frame_rate => Some(rate.time_base().at(1)),
                (of, _) => of.map(|sent| sent.duration),
            };
            picture.set_duration(length.map_or(0, |length| length.rescale(out_base).ticks()));
            let (index, arrived) =
                of.map_or_else(|| (0, Arrival::now()), |sent| (sent.index, sent.arrived));
            let frame = Frame::new(picture, out_base, index, arrived, open.pool.clone());
            // What a graph put on a device is wanted there.
            let frame = frame.staying_on_device();
            self.ready.push_back(if open.uploads { frame.finished()? } else { frame });
        }
    }
}

impl FilterGraph {
    /// Takes one frame.
    pub(crate) fn send(&mut self, frame: Frame) -> Result<()> {
        let sent = FilterFrame {
            pts: frame.pts(),
            duration: frame.duration(),
            index: frame.index(),
            arrived: frame.arrival(),
        };
        // Only the picture goes through: an edit must be in it first.
        let mut frame = frame;
        frame.settle()?;
        self.open_for(&mut frame)?;
        let picture = frame.into_picture()?;
        if let Some(open) = &mut self.open {
            open.in_flight.push_back(sent);
            // What a filter holds for so long, it doesn't give out.
            if open.in_flight.len() > IN_FLIGHT {
                open.in_flight.pop_front();
            }
            let taken = open.graph.send(Some(&picture));
            taken.map_err(|e| self.fail(e))?;
        }
        self.collect()
    }

    /// Gives out the next frame that is ready.
    pub(crate) fn receive(&mut self) -> Result<Option<Frame>> {
        Ok(self.ready.pop_front())
    }

    /// Makes the graph give out what it still holds.
    pub(crate) fn drain(&mut self) -> Result<()> {
        if let Some(open) = &mut self.open {
            let sent = open.graph.send(None);
            sent.map_err(|e| self.fail(e))?;
        }
        self.collect()?;
        self.open = None;
        Ok(())
    }
}

/// What libav says of a graph.
pub(super) fn graph_error(spec: &str, e: AvError, stage: Stage) -> Error {
    let cause = format!("filter graph '{spec}': {}", e.cause());
    let error = e.in_stage(stage).of_kind(ErrorKind::Usage).reworded(cause);
    let names = filters_in(spec).into_iter().map(|filter| filter.name);
    let unknown = names.into_iter().find(|name| !filter_exists(name));
    let near = unknown.map_or(Vec::new(), |name| nearest(&name, filter_names()));
    match near.is_empty() {
        true => error,
        false => error.hint(Hint::DidYouMean(near.into_iter().map(str::to_owned).collect())),
    }
}

/// Whether one of a graph's filters puts pictures on a device that it must be given.
pub(super) fn uploads(spec: &str) -> bool {
    filters_in(spec).iter().any(|filter| filter.name == "hwupload")
}

/// Filters that take their values in ways of their own.
const OWN_SYNTAX: [&str; 8] =
    ["aevalsrc", "format", "frei0r", "frei0r_src", "noformat", "ocv", "pan", "pp"];

/// Refuses a filter graph, before there is a frame for it, that names a filter which libav lacks or a
/// value that an option of a filter doesn't take.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub(crate) fn check_graph(spec: &str) -> Result<()> {
    if spec.contains('\0') {
        return Err(Error::usage("it has a NUL character, which no setting can have"));
    }
    for DescribedFilter { name, values } in filters_in(spec) {
        if !filter_exists(&name) {
            let cause = format!("there is no filter '{name}'");
            return Err(Error::usage(cause).hint_near(&name, filter_names()));
        }
        if OWN_SYNTAX.contains(&name.as_str()) {
            continue;
        }
        let classes = OptionClasses::of_filter(&name);
        let mut in_order = classes.names_in_order().into_iter();
        for (key, value) in values {
            // Behind a value with its name, one without makes no sense.
            let key = match key {
                Some(key) => {
                    in_order = Vec::new().into_iter();
                    key
                }
                None => match in_order.next() {
                    Some(key) => key.to_owned(),
                    None => break,
                },
            };
            if let Some(entry) = classes.refusal(&key, &value) {
                let shown = quoted(&value);
                let cause = format!("'{shown}' can't be for {key} of filter {name}");
                let takes = Hint::Takes(expected(&[entry], &value));
                return Err(Error::usage(cause).hint(takes));
            }
        }
    }
    Ok(())
}

impl FrameProcessor for FilterGraph {
    fn send(&mut self, frame: Frame) -> Result<(), BoxError> {
        Ok(FilterGraph::send(self, frame)?)
    }

    fn receive(&mut self) -> Result<Option<Frame>, BoxError> {
        Ok(FilterGraph::receive(self)?)
    }

    fn drain(&mut self) -> Result<(), BoxError> {
        Ok(FilterGraph::drain(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{PixelBuffer, PixelFormat};

    #[test]
    fn what_a_filter_never_gives_out_is_forgotten() {
        let mut graph = FilterGraph::new("select=eq(n\\,2999)", None);
        let buffer = PixelBuffer::new(PixelFormat::Rgb24, 16, 16).unwrap();
        let at = |n: i64| TimeBase::MILLIS.at(n * 40);
        for n in 0..3000 {
            graph.send(Frame::from_image(&buffer.image(), at(n)).unwrap()).unwrap();
            assert!(graph.open.as_ref().unwrap().in_flight.len() <= IN_FLIGHT);
        }
        assert_eq!(graph.receive().unwrap().unwrap().pts(), at(2999));
        assert!(graph.receive().unwrap().is_none());
    }

    #[test]
    fn a_graph_is_judged_before_there_is_a_frame() {
        for graph in [
            "hflip",
            "scale=640:-2:flags=bilinear,hflip",
            "scale=iw/2:-2:flags=lanczos+accurate_rnd:out_range=tv",
            "fps=25,format=yuv420p|rgb24,setsar=1",
            "split[a][b];[a]vflip[c];[c][b]hstack",
            "drawbox=x=1:y=2:w=3:h=4:color=red@0.5:t=fill",
            "eq=brightness=0.1:eval=frame",
            "sws_flags=bilinear;scale=2:2",
            // An option of the scaler that it uses.
            "scale=2:2:sws_dither=none",
            "select=eq(n\\,2999)",
            "movie=no-such.mp4[a];[in][a]overlay=shortest=1",
            "",
        ] {
            assert!(check_graph(graph).is_ok(), "{graph}: {:?}", check_graph(graph));
        }
        for (graph, mentions) in [
            ("hflp", "did you mean hflip"),
            ("hflip,scael=2:2", "did you mean scale"),
            ("scale=2:2:interl=9", "interl of filter scale"),
            ("eq=eval=sometimes", "init or frame"),
            ("pad=2:2:color=reddish", "color of filter pad"),
            ("[in]hue=s=1,tblend=all_mode=nonsense[out]", "all_mode of filter tblend"),
            ("setpts=PTS\0,hflip", "NUL"),
        ] {
            let error = check_graph(graph).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{graph}");
            assert!(error.to_string().contains(mentions), "{graph}: {error}");
        }
    }
}
