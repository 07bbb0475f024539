use std::collections::VecDeque;

use crate::av::{AvFilterGraph, GraphInput, PixFmt, Received, filter_exists, filter_names};
use crate::edit::FrameProcessor;
use crate::error::{BoxError, Error, ErrorKind, Hint, Result, Stage, nearest};
use crate::image::BufferPool;
use crate::image::Frame;
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
    open: Option<OpenGraph>,
    ready: VecDeque<Frame>,
}

struct OpenGraph {
    graph: AvFilterGraph,
    shape: PictureShape,
    in_base: TimeBase,
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
struct PictureShape(u32, u32, Option<PixFmt>, Option<(i32, i32)>);

impl FilterGraph {
    /// By FFmpeg's filter syntax; `frame_rate` is what its input is known to have.
    pub(crate) fn new(spec: impl Into<String>, frame_rate: Option<Rate>) -> FilterGraph {
        FilterGraph { spec: spec.into(), frame_rate, open: None, ready: VecDeque::new() }
    }

    /// The rate of what comes out, once something went in.
    pub(crate) fn frame_rate(&self) -> Option<Rate> {
        self.open.as_ref().and_then(|o| o.graph.frame_rate())
    }

    fn fail(&self, e: crate::av::AvError) -> Error {
        let cause = format!("filter graph '{}': {}", self.spec, e.cause());
        let error = e.in_stage(Stage::Process).of_kind(ErrorKind::Usage).reworded(cause);
        let unknown = filters_in(&self.spec).into_iter().find(|name| !filter_exists(name));
        let near = unknown.map_or(Vec::new(), |name| nearest(name, filter_names()));
        match near.is_empty() {
            true => error,
            false => error.hint(Hint::DidYouMean(near.into_iter().map(str::to_owned).collect())),
        }
    }

    fn open_for(&mut self, frame: &Frame) -> Result<()> {
        let picture = frame.picture();
        let shape = PictureShape(
            picture.width(),
            picture.height(),
            picture.format(),
            picture.sample_aspect_ratio(),
        );
        if self.open.as_ref().is_some_and(|o| o.shape == shape && o.in_base == frame.time_base()) {
            return Ok(());
        }
        if self.open.is_some() {
            self.drain()?;
        }
        let input = GraphInput {
            frame: picture,
            time_base: frame.time_base(),
            frame_rate: self.frame_rate,
        };
        let graph = AvFilterGraph::video(&input, &self.spec).map_err(|e| self.fail(e))?;
        let pool = frame.pool().clone();
        self.open = Some(OpenGraph {
            graph,
            shape,
            in_base: frame.time_base(),
            in_flight: VecDeque::new(),
            pool,
        });
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
            self.ready.push_back(Frame::new(picture, out_base, index, arrived, open.pool.clone()));
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
        self.open_for(&frame)?;
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

/// The names of the filters in a graph's description.
fn filters_in(spec: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut begin, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in spec.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if !quoted => escaped = true,
            '\'' => quoted = !quoted,
            ',' | ';' if !quoted => {
                parts.extend(spec.get(begin..at));
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(spec.get(begin..));
    parts.into_iter().map(name_in).filter(|name| !name.is_empty()).collect()
}

/// The name of one filter's description: labels of what goes in stand before it.
fn name_in(part: &str) -> &str {
    let mut rest = part.trim_start();
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|label| label.split_once(']')) {
        rest = after.trim_start();
    }
    rest.split(['=', '@', '[']).next().unwrap_or_default().trim()
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
    fn the_filters_of_a_graph_are_known_by_name() {
        for (graph, names) in [
            ("hflp", &["hflp"][..]),
            ("scale=640:-2,hflip", &["scale", "hflip"]),
            ("split[a][b]; [a] vflip [c];[c][b]hstack@top=2", &["split", "vflip", "hstack"]),
            (r"drawtext=text='a, b; c':x=1,null", &["drawtext", "null"]),
            (r"drawtext=text=a\, b,null", &["drawtext", "null"]),
            ("", &[]),
        ] {
            assert_eq!(filters_in(graph), names, "{graph}");
        }
    }
}
